/* Convolutions: direct sums, each made by one block or one thread. */
#ifndef RUNNER_CONV
#define RUNNER_CONV
/* One struct for all directions. Pairs are vertical and horizontal.
 *
 * Forward goes from x to y. The data gradient goes from dy to dx: `backward`. The weight gradient looks at x and dy as forward does,
 * but makes w. Element (made, tap, summed) of a group's part of the filters is at made·w_made + tap·w_tap + summed·w_summed. */
typedef struct {
    void *from, *to, *w;
    u64 w_group, w_made, w_tap, w_summed;
    u32 groups;
    /* Channels of a group, of `from` and of `to`. */
    u32 summed, made;
    /* Of `to`, in all images. */
    u32 pixels;
    u32 from_size[2], to_size[2];
    u32 kernel[2], stride[2], padding[2], dilation[2];
    u32 backward;
    u32 add;
} Conv;

/* Filters as the optimizer has them, float (cout, cin / groups, taps), and as kernels do, (cout, taps, cin / groups). */
typedef struct {
    const void *from;
    void *to;
    u32 len, channels, taps;
} ConvFilters;

/* Where the taps of a pixel that is none begin: no tap gets from here into an image. */
#define CONV_OUTSIDE (-0x40000000)
/* Pixels that a block of the weight gradient has in shared memory at a time. */
#define CONV_CHUNK 128
/* Chunks after which the sums go to the totals. */
#define CONV_FLUSH 32

/* Where, along an axis, the taps of an element of `to` begin. */
FUNCTION int conv_start(const Conv *conv, u32 axis, u32 at) {
    const int padding = (int)conv->padding[axis];
    return conv->backward ? (int)at + padding : (int)(at * conv->stride[axis]) - padding;
}

/* Which element of `from` a tap meets, along an axis; negative: none. */
FUNCTION int conv_source(const Conv *conv, u32 axis, int start, u32 tap) {
    const int offset = (int)(tap * conv->dilation[axis]), stride = (int)conv->stride[axis];
    int at = start + offset;
    if (conv->backward) {
        at = start - offset;
        if (at < 0 || at % stride != 0) return -1;
        at /= stride;
    }
    return at < (int)conv->from_size[axis] ? at : -1;
}
#endif

/* Forward and data gradient in tiles (tiles.h): rows are pixels, columns are channels of a group, terms are its taps and channels.
 * Blocks: x cuts the pixels, y the channels within the groups. */
KERNEL(TYPED(conv_wide), Conv) {
    SHARED float pixels[TILE_FLOATS];
    SHARED float filters[TILE_FLOATS];
    PRIVATES(float, sum, 16);
    PRIVATES(float, total, 16);
    /* Of the four pixels that a thread loads terms of: the image's first pixel in `from`, and where the taps begin. */
    PRIVATES(u32, image, 4);
    PRIVATES(int, top, 4);
    PRIVATES(int, left, 4);
    const u32 tiles = (a.made + TILE - 1) / TILE, group = BLOCK_Y / tiles;
    const u32 first_pixel = BLOCK_X * TILE, first_made = BLOCK_Y % tiles * TILE;
    const u32 terms = a.kernel[0] * a.kernel[1] * a.summed;
    const u32 row_strips = tile_strips(a.pixels - first_pixel), col_strips = tile_strips(a.made - first_made);
    THREADS {
        tile_clear(MY(total), MY(sum));
        UNROLL
        for (u32 j = 0; j < 4; j++) {
            const u32 pixel = first_pixel + t / 16 + 16 * j, size = a.to_size[0] * a.to_size[1], at = pixel % size;
            MINE(image, j) = pixel / size * (a.from_size[0] * a.from_size[1]);
            MINE(top, j) = pixel < a.pixels ? conv_start(&a, 0, at / a.to_size[1]) : CONV_OUTSIDE;
            MINE(left, j) = conv_start(&a, 1, at % a.to_size[1]);
        }
    }
    END
    for (u32 first = 0; first < terms; first += TILE_STEP) {
        THREADS {
            const T *from = (const T *)a.from + (u64)group * a.summed, *w = (const T *)a.w + group * a.w_group;
            const u32 term = first + t % 16, tap = term / a.summed, channel = term % a.summed;
            UNROLL
            for (u32 j = 0; j < 4; j++) {
                float x = 0.0f;
                if (term < terms) {
                    const int row = conv_source(&a, 0, MINE(top, j), tap / a.kernel[1]);
                    const int col = conv_source(&a, 1, MINE(left, j), tap % a.kernel[1]);
                    if (row >= 0 && col >= 0) {
                        const u32 pixel = MINE(image, j) + (u32)row * a.from_size[1] + (u32)col;
                        x = LOAD(from + (u64)pixel * ((u64)a.groups * a.summed) + channel);
                    }
                }
                pixels[t % 16 * TILE_PITCH + t / 16 + 16 * j] = x;
            }
            UNROLL
            for (u32 j = 0; j < 4; j++) {
                /* Neighbouring threads read what lies beside each other: terms forward, the made channels backward. */
                const u32 at = a.backward ? t % TILE : t / 16 + 16 * j, step = a.backward ? t / TILE + 4 * j : t % 16;
                const u32 made = first_made + at, k = first + step;
                float f = 0.0f;
                if (made < a.made && k < terms) {
                    const u64 within = a.backward ? k / a.summed * a.w_tap + k % a.summed * a.w_summed : k;
                    f = LOAD(w + made * a.w_made + within);
                }
                filters[step * TILE_PITCH + at] = f;
            }
        }
        END
        THREADS {
            tile_multiply(MY(sum), pixels, filters, row_strips, col_strips, t);
            if (first / TILE_STEP % TILE_FLUSH == TILE_FLUSH - 1) tile_flush(MY(total), MY(sum));
        }
        END
    }
    THREADS {
        tile_flush(MY(total), MY(sum));
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            UNROLL
            for (u32 j = 0; j < 4; j++) {
                const u32 pixel = first_pixel + t / 16 + 16 * i, made = first_made + t % 16 + 16 * j;
                if (pixel < a.pixels && made < a.made) {
                    T *to = (T *)a.to + ((u64)pixel * a.groups + group) * a.made + made;
                    STORE(to, MINE(total, 4 * i + j) + (a.add ? LOAD(to) : 0.0f));
                }
            }
        }
    }
    END
}

/* Forward and data gradient where groups make few channels, of which tiles would be almost empty: no shared memory. */
KERNEL(TYPED(conv_narrow), Conv) {
    THREADS {
        const u64 channels = (u64)a.groups * a.made, len = a.pixels * channels, step = (u64)GRID_X * THREAD_COUNT;
        const u32 size = a.to_size[0] * a.to_size[1];
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < len; k += step) {
            const u32 pixel = (u32)(k / channels), channel = (u32)(k % channels), group = channel / a.made;
            const u32 at = pixel % size, image = pixel / size * (a.from_size[0] * a.from_size[1]);
            const int top = conv_start(&a, 0, at / a.to_size[1]), left = conv_start(&a, 1, at % a.to_size[1]);
            const T *w = (const T *)a.w + group * a.w_group + channel % a.made * a.w_made;
            float total = 0.0f;
            for (u32 tap = 0; tap < a.kernel[0] * a.kernel[1]; tap++) {
                const int row = conv_source(&a, 0, top, tap / a.kernel[1]);
                const int col = conv_source(&a, 1, left, tap % a.kernel[1]);
                if (row < 0 || col < 0) continue;
                const u64 source = image + (u32)row * a.from_size[1] + (u32)col;
                const T *x = (const T *)a.from + (source * a.groups + group) * a.summed;
                float sum = 0.0f;
                for (u32 s = 0; s < a.summed; s++) sum += LOAD(x + s) * LOAD(w + tap * a.w_tap + s * a.w_summed);
                total += sum;
            }
            T *to = (T *)a.to + k;
            STORE(to, total + (a.add ? LOAD(to) : 0.0f));
        }
    }
    END
}

/* Weight gradient: a block makes 16 × 16 of a group's filters, 16 channels of y by 16 of its taps and channels of x. All pixels are
 * gone through in chunks. A sixteenth of the block, 16 threads with 4 × 4 sums each, takes every sixteenth pixel; in the end the
 * sixteenths' sums are added in order. */
KERNEL(TYPED(conv_weight), Conv) {
    /* Pixels' values, [pixel][16] of y and then of x; in the end, the sums [sixteenth][16][16]. */
    SHARED float s[2 * 16 * CONV_CHUNK];
    SHARED u32 image[CONV_CHUNK];
    SHARED int top[CONV_CHUNK];
    SHARED int left[CONV_CHUNK];
    PRIVATES(float, sum, 16);
    PRIVATES(float, total, 16);
    const u32 terms = a.kernel[0] * a.kernel[1] * a.summed;
    const u32 col_tiles = (terms + 15) / 16, tiles = (a.made + 15) / 16 * col_tiles;
    const u32 group = BLOCK_X / tiles, tile = BLOCK_X % tiles;
    const u32 first_made = tile / col_tiles * 16, first_term = tile % col_tiles * 16;
    const u32 chunks = (a.pixels + CONV_CHUNK - 1) / CONV_CHUNK;
    THREADS {
        tile_clear(MY(total), MY(sum));
    }
    END
    for (u32 chunk = 0; chunk < chunks; chunk++) {
        const u32 first = chunk * CONV_CHUNK, count = a.pixels - first < CONV_CHUNK ? a.pixels - first : CONV_CHUNK;
        THREADS {
            if (t < count) {
                const u32 size = a.to_size[0] * a.to_size[1], at = (first + t) % size;
                image[t] = (first + t) / size * (a.from_size[0] * a.from_size[1]);
                top[t] = conv_start(&a, 0, at / a.to_size[1]);
                left[t] = conv_start(&a, 1, at % a.to_size[1]);
            }
        }
        END
        THREADS {
            const u32 made = first_made + t % 16, term = first_term + t % 16;
            const u32 tap = term / a.summed, tap_row = tap / a.kernel[1], tap_col = tap % a.kernel[1];
            const T *y = (const T *)a.to + (u64)group * a.made + made;
            const T *x = (const T *)a.from + (u64)group * a.summed + term % a.summed;
            for (u32 k = t / 16; k < count; k += 16) {
                float to = 0.0f, from = 0.0f;
                if (made < a.made) to = LOAD(y + (u64)(first + k) * ((u64)a.groups * a.made));
                if (term < terms) {
                    const int row = conv_source(&a, 0, top[k], tap_row), col = conv_source(&a, 1, left[k], tap_col);
                    const u32 pixel = image[k] + (u32)row * a.from_size[1] + (u32)col;
                    if (row >= 0 && col >= 0) from = LOAD(x + (u64)pixel * ((u64)a.groups * a.summed));
                }
                s[16 * k + t % 16] = to;
                s[16 * (CONV_CHUNK + k) + t % 16] = from;
            }
        }
        END
        THREADS {
            const u32 row = t % 16 / 4, col = t % 4;
            if (first_made + row < a.made && first_term + col < terms) {
                for (u32 k = t / 16; k < count; k += 16) {
                    const float *y = s + 16 * k + row, *x = s + 16 * (CONV_CHUNK + k) + col;
                    UNROLL
                    for (u32 i = 0; i < 4; i++) {
                        UNROLL
                        for (u32 j = 0; j < 4; j++) MINE(sum, 4 * i + j) += y[4 * i] * x[4 * j];
                    }
                }
                if (chunk % CONV_FLUSH == CONV_FLUSH - 1) tile_flush(MY(total), MY(sum));
            }
        }
        END
    }
    THREADS {
        tile_flush(MY(total), MY(sum));
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            UNROLL
            for (u32 j = 0; j < 4; j++)
                s[256 * (t / 16) + 16 * (t % 16 / 4 + 4 * i) + t % 4 + 4 * j] = MINE(total, 4 * i + j);
        }
    }
    END
    THREADS {
        const u32 made = first_made + t / 16, term = first_term + t % 16;
        if (made < a.made && term < terms) {
            float w = 0.0f;
            for (u32 k = 0; k < 16; k++) w += s[256 * k + t];
            T *to = (T *)a.w + ((u64)group * a.made + made) * terms + term;
            STORE(to, w + (a.add ? LOAD(to) : 0.0f));
        }
    }
    END
}

/* A thread takes all taps of a filter's channel: they lie side by side where they come from, and neighbours' channels where they go to. */
KERNEL(TYPED(conv_pack), ConvFilters) {
    THREADS {
        const u32 step = GRID_X * THREAD_COUNT, pairs = a.len / a.taps;
        for (u32 pair = BLOCK_X * THREAD_COUNT + t; pair < pairs; pair += step) {
            const u32 channel = pair % a.channels, made = pair / a.channels;
            const float *from = (const float *)a.from + (u64)pair * a.taps;
            T *to = (T *)a.to + (u64)made * a.taps * a.channels + channel;
            for (u32 tap = 0; tap < a.taps; tap++) STORE(to + tap * a.channels, from[tap]);
        }
    }
    END
}

KERNEL(TYPED(conv_unpack), ConvFilters) {
    THREADS {
        const u32 step = GRID_X * THREAD_COUNT;
        for (u32 k = BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) {
            const u32 pair = k / a.taps, tap = k % a.taps, channel = pair % a.channels, made = pair / a.channels;
            ((float *)a.to)[k] = LOAD((const T *)a.from + (u64)(made * a.taps + tap) * a.channels + channel);
        }
    }
    END
}
