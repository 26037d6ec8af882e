/* Pooling of whole images, by columns: see lanes.h. */
#ifndef RUNNER_POOL_GLOBAL
#define RUNNER_POOL_GLOBAL
/* y = scale·Σ x */
typedef struct {
    Columns of;
    const void *x;
    void *y;
    float scale;
} GlobalAverage;

/* dx (+)= scale·dy at every pixel. */
typedef struct {
    Columns of;
    const void *dy;
    void *dx;
    float scale;
    u32 add;
} GlobalAverageBackward;

/* y = max x; argmax: the pixel's number in its image. */
typedef struct {
    Columns of;
    const void *x;
    void *y;
    u32 *argmax;
} GlobalMax;

/* dx (+)= dy at the largest pixel, 0 elsewhere. */
typedef struct {
    Columns of;
    const void *dy;
    const u32 *argmax;
    void *dx;
    u32 add;
} GlobalMaxBackward;
#endif

KERNEL(TYPED(global_average), GlobalAverage) {
    SHARED float sums[BLOCK];
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t % a.of.across;
        const u32 lane = t / a.of.across, lanes = THREAD_COUNT / a.of.across;
        float sum = 0.0f;
        if (column < a.of.count) {
            const T *x = (const T *)a.x + column_start(a.of, column);
            for (u64 pixel = lane; pixel < a.of.pixels; pixel += lanes) sum += LOAD(x + pixel * a.of.c);
        }
        sums[t] = sum;
    }
    END
    COLUMN_SUM(sums, a.of.across);
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t;
        if (t < a.of.across && column < a.of.count) STORE((T *)a.y + column, a.scale * sums[t]);
    }
    END
}

KERNEL(TYPED(global_average_backward), GlobalAverageBackward) {
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t % a.of.across;
        const u32 lane = t / a.of.across, lanes = THREAD_COUNT / a.of.across;
        if (column < a.of.count) {
            const float share = a.scale * LOAD((const T *)a.dy + column);
            T *dx = (T *)a.dx + column_start(a.of, column);
            for (u64 pixel = lane + lanes * BLOCK_Y; pixel < a.of.pixels; pixel += lanes * GRID_Y) {
                T *to = dx + pixel * a.of.c;
                STORE(to, share + (a.add ? LOAD(to) : 0.0f));
            }
        }
    }
    END
}

KERNEL(TYPED(global_max), GlobalMax) {
    SHARED float bests[BLOCK], nones[BLOCK];
    SHARED u32 places[BLOCK];
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t % a.of.across;
        const u32 lane = t / a.of.across, lanes = THREAD_COUNT / a.of.across;
        float best = bits_to_float(0xff800000u), none = 0.0f;
        u32 largest = 0;
        if (column < a.of.count) {
            const T *x = (const T *)a.x + column_start(a.of, column);
            for (u64 pixel = lane; pixel < a.of.pixels; pixel += lanes) {
                const float value = LOAD(x + pixel * a.of.c);
                if (value > best) {
                    best = value;
                    largest = (u32)pixel;
                }
                if (value != value) none = value;
            }
        }
        bests[t] = best;
        nones[t] = none;
        places[t] = largest;
    }
    END
    for (u32 half = THREAD_COUNT / 2; half >= a.of.across; half /= 2) {
        THREADS {
            if (t < half) {
                const float best = bests[t], other = bests[t + half];
                if (other > best || (other == best && places[t + half] < places[t])) {
                    bests[t] = other;
                    places[t] = places[t + half];
                }
                if (nones[t + half] != nones[t + half]) nones[t] = nones[t + half];
            }
        }
        END
    }
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t;
        if (t < a.of.across && column < a.of.count) {
            STORE((T *)a.y + column, bests[t] + nones[t]);
            a.argmax[column] = places[t];
        }
    }
    END
}

KERNEL(TYPED(global_max_backward), GlobalMaxBackward) {
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t % a.of.across;
        const u32 lane = t / a.of.across, lanes = THREAD_COUNT / a.of.across;
        if (column < a.of.count) {
            const float dy = LOAD((const T *)a.dy + column);
            const u64 largest = a.argmax[column];
            T *dx = (T *)a.dx + column_start(a.of, column);
            if (!a.add) {
                for (u64 pixel = lane + lanes * BLOCK_Y; pixel < a.of.pixels; pixel += lanes * GRID_Y)
                    STORE(dx + pixel * a.of.c, pixel == largest ? dy : 0.0f);
            } else if (lane == 0 && BLOCK_Y == 0) {
                T *to = dx + largest * a.of.c;
                STORE(to, dy + LOAD(to));
            }
        }
    }
    END
}
