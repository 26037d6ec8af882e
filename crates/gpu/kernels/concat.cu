/* Some channels of each row, from one width of rows to another: to[row][k] (+)= from[row][k]. The wider of the two holds
 * others too. */
#ifndef RUNNER_CONCAT
#define RUNNER_CONCAT
typedef struct {
    u64 rows;
    /* Packs of WIDTH channels of a row that are copied. */
    u64 packs;
    /* Elements from a row to the next one. */
    u64 from_row, to_row;
    const void *from;
    void *to;
    u32 add;
} Concat;
#endif

KERNEL(SIZED(concat), Concat) {
    THREADS {
        const u64 first = (u64)BLOCK_X * THREAD_COUNT + t, step = (u64)GRID_X * THREAD_COUNT;
        const u64 step_rows = step / a.packs, step_packs = step % a.packs;
        u64 row = first / a.packs, pack = first % a.packs;
        while (row < a.rows) {
            float x[WIDTH];
            SIZED(load_pack)((const T *)a.from + row * a.from_row + pack * WIDTH, x);
            SIZED(write_pack)((T *)a.to + row * a.to_row + pack * WIDTH, x, a.add);
            row += step_rows;
            pack += step_packs;
            if (pack >= a.packs) {
                pack -= a.packs;
                row++;
            }
        }
    }
    END
}
