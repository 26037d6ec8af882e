/* Copies of the weights that follow them. */

/* to ← to + share·(from − to), and, if `both`, from ← to. */
typedef struct {
    u64 len;
    float *to, *from;
    float share;
    u32 both;
} OptimBlend;

KERNEL(optim_blend, OptimBlend) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) {
            const float to = a.to[k], moved = to + optim_times(a.share, a.from[k] - to);
            a.to[k] = moved;
            if (a.both) a.from[k] = moved;
        }
    }
    END
}
