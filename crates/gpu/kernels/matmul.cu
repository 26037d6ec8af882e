/* c (+)= scale·op(a)·op(b), so many times, in tiles: tiles.h. */
#ifndef RUNNER_MATMUL
#define RUNNER_MATMUL
/* The matrices of all products lie one after another. A block makes one tile of one product. */
typedef struct {
    const void *a, *b;
    void *c;
    u32 rows, cols, inner;
    u32 a_transposed, b_transposed;
    /* Whether c is float, or else of the type of a and b. */
    u32 to_float;
    u32 add;
    float scale;
} Matmul;
#endif

/* A step's tile of a matrix that lies as (count, terms), or as (terms, count) where term_first; zeros outside of it. */
FUNCTION void TYPED(matmul_load)(float *tile, const T *from, u32 count, u32 first, u32 terms, u32 first_term, u32 term_first,
                                 u32 t) {
    UNROLL
    for (u32 j = 0; j < 4; j++) {
        /* Neighbouring threads read what lies beside each other. */
        const u32 at = term_first ? t % TILE : t / 16 + 16 * j, term = term_first ? t / TILE + 4 * j : t % 16;
        const u32 m = first + at, k = first_term + term;
        float x = 0.0f;
        if (m < count && k < terms) x = LOAD(from + (term_first ? (u64)k * count + m : (u64)m * terms + k));
        tile[term * TILE_PITCH + at] = x;
    }
}

KERNEL(TYPED(matmul), Matmul) {
    SHARED float left[TILE_FLOATS];
    SHARED float right[TILE_FLOATS];
    PRIVATES(float, sum, 16);
    PRIVATES(float, total, 16);
    const u32 col_tiles = (a.cols + TILE - 1) / TILE, tiles = (a.rows + TILE - 1) / TILE * col_tiles;
    const u32 product = BLOCK_X / tiles, tile = BLOCK_X % tiles;
    const u32 first_row = tile / col_tiles * TILE, first_col = tile % col_tiles * TILE;
    const u32 row_strips = tile_strips(a.rows - first_row), col_strips = tile_strips(a.cols - first_col);
    THREADS {
        tile_clear(MY(total), MY(sum));
    }
    END
    for (u32 first = 0; first < a.inner; first += TILE_STEP) {
        THREADS {
            const T *rows = (const T *)a.a + (u64)product * a.rows * a.inner;
            const T *cols = (const T *)a.b + (u64)product * a.inner * a.cols;
            TYPED(matmul_load)(left, rows, a.rows, first_row, a.inner, first, a.a_transposed, t);
            TYPED(matmul_load)(right, cols, a.cols, first_col, a.inner, first, !a.b_transposed, t);
        }
        END
        THREADS {
            tile_multiply(MY(sum), left, right, row_strips, col_strips, t);
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
                const u32 row = first_row + t / 16 + 16 * i, col = first_col + t % 16 + 16 * j;
                if (row < a.rows && col < a.cols) {
                    const u64 at = ((u64)product * a.rows + row) * a.cols + col;
                    const float c = a.scale * MINE(total, 4 * i + j);
                    if (a.to_float) {
                        float *to = (float *)a.c + at;
                        *to = c + (a.add ? *to : 0.0f);
                    } else {
                        T *to = (T *)a.c + at;
                        STORE(to, c + (a.add ? LOAD(to) : 0.0f));
                    }
                }
            }
        }
    }
    END
}
