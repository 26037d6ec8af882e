/* Products of matrices by tiles: a block of 256 threads makes 64 × 64 sums, 16 terms of each a step, from tiles in shared memory.
 *
 * A tile lies term after term: [term][row or column]. Thread t has the sums of rows t / 16 + 16·i and columns t % 16 + 16·j, i and j
 * below 4, so that neighbouring threads store neighbouring columns. */
#ifndef RUNNER_TILES_H
#define RUNNER_TILES_H

#define TILE 64
#define TILE_STEP 16
/* Odd, so that a row's terms, which neighbouring threads store, lie in different banks of shared memory. */
#define TILE_PITCH (TILE + 1)
#define TILE_FLOATS (TILE_STEP * TILE_PITCH)
/* Steps after which the sums go to the totals: a float that has thousands of terms added to it one by one loses digits. */
#define TILE_FLUSH 16

/* How many of a tile's four strips of 16 have anything in them, if so many rows or columns are left. */
FUNCTION u32 tile_strips(u32 left) { return left >= TILE ? 4 : (left + 15) / 16; }

/* total += sum, sum = 0, of the 16 sums of a thread. */
FUNCTION void tile_flush(float *total, float *sum) {
    UNROLL
    for (u32 k = 0; k < 16; k++) {
        total[k] += sum[k];
        sum[k] = 0.0f;
    }
}

FUNCTION void tile_clear(float *total, float *sum) {
    UNROLL
    for (u32 k = 0; k < 16; k++) total[k] = sum[k] = 0.0f;
}

/* Adds a step's products to a thread's sums, of so many strips. */
FUNCTION void tile_multiply_strips(float *sum, const float *rows, const float *cols, u32 row_strips, u32 col_strips, u32 t) {
    rows += t / 16;
    cols += t % 16;
    for (u32 k = 0; k < TILE_STEP; k++) {
        float x[4];
        UNROLL
        for (u32 i = 0; i < 4; i++) x[i] = i < row_strips ? rows[k * TILE_PITCH + 16 * i] : 0.0f;
        UNROLL
        for (u32 j = 0; j < 4; j++) {
            if (j < col_strips) {
                const float y = cols[k * TILE_PITCH + 16 * j];
                UNROLL
                for (u32 i = 0; i < 4; i++) {
                    if (i < row_strips) sum[4 * i + j] += x[i] * y;
                }
            }
        }
    }
}

/* The same; a full tile has its own code, without conditions. */
FUNCTION void tile_multiply(float *sum, const float *rows, const float *cols, u32 row_strips, u32 col_strips, u32 t) {
    if (row_strips == 4 && col_strips == 4) {
        tile_multiply_strips(sum, rows, cols, 4, 4, t);
    } else {
        tile_multiply_strips(sum, rows, cols, row_strips, col_strips, t);
    }
}

#endif
