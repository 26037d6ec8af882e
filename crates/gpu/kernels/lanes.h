/* Work on (images, pixels, channels) by columns: a column is one channel of all pixels of an image, and one number of (images,
 * channels). A block takes `across` neighbouring columns; its threads are that many times some lanes, which take turns with the
 * pixels: thread t is lane t / across of column t % across. */
#ifndef RUNNER_LANES_H
#define RUNNER_LANES_H

typedef struct {
    /* Of all images. */
    u64 count;
    u64 c, pixels;
    /* A power of two, at most BLOCK. */
    u32 across;
} Columns;

/* Where a column's first pixel lies. */
FUNCTION u64 column_start(Columns of, u64 column) { return column / of.c * of.pixels * of.c + column % of.c; }

/* s[k] becomes the sum of column k's lanes, k < across, in a fixed order. All threads must have written theirs in a phase
 * before. */
#define COLUMN_SUM(s, across)                                                                                                    \
    for (u32 half_ = THREAD_COUNT / 2; half_ >= (across); half_ /= 2) {                                                          \
        THREADS {                                                                                                                \
            if (t < half_) (s)[t] += (s)[t + half_];                                                                             \
        }                                                                                                                        \
        END                                                                                                                      \
    }

#endif
