/* y += bias, in each row of (rows, c), by packs of WIDTH columns. */
#ifndef RUNNER_BIAS
#define RUNNER_BIAS
typedef struct {
    u64 packs;
    const float *bias;
    void *y;
    /* Packs of a row. */
    u32 across;
} BiasAdd;
#endif

KERNEL(SIZED(bias_add), BiasAdd) {
    THREADS {
        /* A grid has far fewer than 2^32 threads. Its columns go on by the same number with each step. */
        const u32 step = GRID_X * THREAD_COUNT, first = BLOCK_X * THREAD_COUNT + t, shift = step % a.across;
        u32 column = first % a.across;
        for (u64 pack = first; pack < a.packs; pack += step) {
            T *y = (T *)a.y + pack * WIDTH;
            const float *bias = a.bias + (u64)column * WIDTH;
            float value[WIDTH];
            SIZED(load_pack)(y, value);
            UNROLL
            for (u32 k = 0; k < WIDTH; k++) value[k] += bias[k];
            SIZED(store_pack)(y, value);
            column += shift;
            if (column >= a.across) column -= a.across;
        }
    }
    END
}
