/* Pooling over windows: largest values, and means that separate by axis. A thread makes WIDTH channels of a pixel; backward, it
 * looks at the windows that hold its pixel, so that nothing is scattered. */
#ifndef RUNNER_POOL
#define RUNNER_POOL
/* The images that a kernel makes, by rows of pixels. A block takes THREAD_COUNT / across rows; the `across` threads of a row
 * take turns with its packs of WIDTH channels. */
typedef struct {
    /* Of all images. */
    u64 rows;
    /* Of an image: rows and pixels of a row. */
    u32 height, width;
    /* Of a pixel. */
    u32 packs;
    /* A power of two, at most BLOCK. */
    u32 across;
} PoolRows;

/* A pixel of a row, and a pack of it. */
typedef struct {
    u32 x, pack;
} PoolPlace;

/* Each pair is (vertical, horizontal). */
typedef struct {
    u32 kernel[2], stride[2], padding[2];
} PoolWindow;

typedef struct {
    u32 start, end;
} PoolRange;

FUNCTION u64 pool_row(PoolRows of, u32 block, u32 threads, u32 t) { return (u64)block * (threads / of.across) + t / of.across; }

FUNCTION PoolPlace pool_first(PoolRows of, u32 t) {
    const u32 place = t % of.across;
    PoolPlace first;
    first.x = place / of.packs;
    first.pack = place % of.packs;
    return first;
}

FUNCTION PoolPlace pool_next(PoolRows of, PoolPlace at) {
    at.x += of.across / of.packs;
    at.pack += of.across % of.packs;
    if (at.pack >= of.packs) {
        at.pack -= of.packs;
        at.x++;
    }
    return at;
}

/* The taps of output `out` that lie inside of an image of `size`, on one axis. */
FUNCTION PoolRange pool_taps(u32 kernel, u32 stride, u32 padding, u32 out, u32 size) {
    const u32 start = out * stride, left = size + padding - start;
    PoolRange taps;
    taps.start = padding > start ? padding - start : 0;
    taps.end = left < kernel ? left : kernel;
    return taps;
}

/* The outputs, of `outputs`, whose window holds position `at`, on one axis. */
FUNCTION PoolRange pool_covering(u32 kernel, u32 stride, u32 padding, u32 at, u32 outputs) {
    const u32 place = at + padding, last = place / stride;
    PoolRange covering;
    covering.start = place + 1 > kernel ? (place - kernel) / stride + 1 : 0;
    covering.end = last < outputs ? last + 1 : outputs;
    return covering;
}

/* y: largest values; argmax: their taps, row · kernel width + column. `to` is y's. */
typedef struct {
    PoolRows to;
    PoolWindow window;
    u32 h, w;
    const void *x;
    void *y;
    u8 *argmax;
} MaxPoolForward;

/* dx (+)= dy where the pixel is the largest of its window. `to` is dx's. */
typedef struct {
    PoolRows to;
    PoolWindow window;
    u32 oh, ow;
    const void *dy;
    const u8 *argmax;
    void *dx;
    u32 add;
} MaxPoolBackward;

/* y (+)= Σ rows·columns·x, with a sparse matrix an axis: of each output where its terms begin, one more for the end of the
 * last; then the terms, an input and the bits of its weight each. `to` is y's. */
typedef struct {
    PoolRows to;
    u32 h, w;
    const u32 *rows, *columns;
    const void *x;
    void *y;
    u32 add;
} AveragePool;
#endif

KERNEL(SIZED(max_pool_forward), MaxPoolForward) {
    THREADS {
        const u64 row = pool_row(a.to, BLOCK_X, THREAD_COUNT, t), image = row / a.to.height;
        const u32 oy = (u32)(row % a.to.height), c = a.to.packs * WIDTH;
        const PoolWindow window = a.window;
        const PoolRange down = pool_taps(window.kernel[0], window.stride[0], window.padding[0], oy, a.h);
        const float lowest = bits_to_float(0xff800000u);
        for (PoolPlace at = pool_first(a.to, t); row < a.to.rows && at.x < a.to.width; at = pool_next(a.to, at)) {
            const PoolRange along = pool_taps(window.kernel[1], window.stride[1], window.padding[1], at.x, a.w);
            float best[WIDTH], none[WIDTH];
            u32 tap[WIDTH];
            UNROLL
            for (u32 k = 0; k < WIDTH; k++) {
                best[k] = lowest;
                none[k] = 0.0f;
                tap[k] = down.start * window.kernel[1] + along.start;
            }
            for (u32 ty = down.start; ty < down.end; ty++) {
                const u32 y = oy * window.stride[0] + ty - window.padding[0];
                /* By twos: the second is asked for before the first is there. */
                for (u32 tx = along.start; tx < along.end; tx += 2) {
                    const u32 x = at.x * window.stride[1] + tx - window.padding[1];
                    const T *from = (const T *)a.x + ((image * a.h + y) * a.w + x) * c + (u64)at.pack * WIDTH;
                    float value[2][WIDTH];
                    SIZED(load_pack)(from, value[0]);
                    if (tx + 1 < along.end) {
                        SIZED(load_pack)(from + c, value[1]);
                    } else {
                        UNROLL
                        for (u32 k = 0; k < WIDTH; k++) value[1][k] = lowest;
                    }
                    UNROLL
                    for (u32 u = 0; u < 2; u++) {
                        UNROLL
                        for (u32 k = 0; k < WIDTH; k++) {
                            if (value[u][k] > best[k]) {
                                best[k] = value[u][k];
                                tap[k] = ty * window.kernel[1] + tx + u;
                            }
                            if (value[u][k] != value[u][k]) none[k] = value[u][k];
                        }
                    }
                }
            }
            const u64 out = (row * a.to.width + at.x) * c + (u64)at.pack * WIDTH;
            SIZED(Bytes) places;
            UNROLL
            for (u32 k = 0; k < WIDTH; k++) {
                /* What is no number wins, though it is larger than nothing. */
                best[k] += none[k];
                places.at[k] = (u8)tap[k];
            }
            SIZED(store_pack)((T *)a.y + out, best);
            *(SIZED(Bytes) *)(a.argmax + out) = places;
        }
    }
    END
}

KERNEL(SIZED(max_pool_backward), MaxPoolBackward) {
    THREADS {
        const u64 row = pool_row(a.to, BLOCK_X, THREAD_COUNT, t), image = row / a.to.height;
        const u32 y = (u32)(row % a.to.height), c = a.to.packs * WIDTH;
        const PoolWindow window = a.window;
        const PoolRange down = pool_covering(window.kernel[0], window.stride[0], window.padding[0], y, a.oh);
        for (PoolPlace at = pool_first(a.to, t); row < a.to.rows && at.x < a.to.width; at = pool_next(a.to, at)) {
            const PoolRange along = pool_covering(window.kernel[1], window.stride[1], window.padding[1], at.x, a.ow);
            float sum[WIDTH];
            UNROLL
            for (u32 k = 0; k < WIDTH; k++) sum[k] = 0.0f;
            for (u32 oy = down.start; oy < down.end; oy++) {
                const u32 ty = y + window.padding[0] - oy * window.stride[0];
                for (u32 ox = along.start; ox < along.end; ox++) {
                    const u32 own = ty * window.kernel[1] + at.x + window.padding[1] - ox * window.stride[1];
                    const u64 from = ((image * a.oh + oy) * a.ow + ox) * c + (u64)at.pack * WIDTH;
                    const SIZED(Bytes) places = *(const SIZED(Bytes) *)(a.argmax + from);
                    float dy[WIDTH];
                    SIZED(load_pack)((const T *)a.dy + from, dy);
                    UNROLL
                    for (u32 k = 0; k < WIDTH; k++) sum[k] += places.at[k] == own ? dy[k] : 0.0f;
                }
            }
            SIZED(write_pack)((T *)a.dx + (row * a.to.width + at.x) * c + (u64)at.pack * WIDTH, sum, a.add);
        }
    }
    END
}

KERNEL(SIZED(average_pool), AveragePool) {
    THREADS {
        const u64 row = pool_row(a.to, BLOCK_X, THREAD_COUNT, t), image = row / a.to.height;
        const u32 out_y = (u32)(row % a.to.height), c = a.to.packs * WIDTH;
        const u32 *down = a.rows + a.to.height + 1, *along = a.columns + a.to.width + 1;
        for (PoolPlace at = pool_first(a.to, t); row < a.to.rows && at.x < a.to.width; at = pool_next(a.to, at)) {
            float sum[WIDTH];
            UNROLL
            for (u32 k = 0; k < WIDTH; k++) sum[k] = 0.0f;
            for (u32 p = a.rows[out_y]; p < a.rows[out_y + 1]; p++) {
                const u64 from_row = (image * a.h + down[2 * p]) * a.w;
                const float of_row = bits_to_float(down[2 * p + 1]);
                for (u32 q = a.columns[at.x]; q < a.columns[at.x + 1]; q++) {
                    const float weight = of_row * bits_to_float(along[2 * q + 1]);
                    float value[WIDTH];
                    SIZED(load_pack)((const T *)a.x + (from_row + along[2 * q]) * c + (u64)at.pack * WIDTH, value);
                    UNROLL
                    for (u32 k = 0; k < WIDTH; k++) sum[k] += weight * value[k];
                }
            }
            SIZED(write_pack)((T *)a.y + (row * a.to.width + at.x) * c + (u64)at.pack * WIDTH, sum, a.add);
        }
    }
    END
}
