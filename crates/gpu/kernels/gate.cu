/* Channels let through in part, as much as each image asks, by columns: see lanes.h. */
#ifndef RUNNER_GATE
#define RUNNER_GATE
/* y = x·σ(g) */
typedef struct {
    Columns of;
    const void *x, *g;
    void *y;
} GateForward;

/* dx (+)= dy·σ(g), dg (+)= σ(g)·(1 − σ(g))·Σ dy·x; those that are null are not wanted. With dg the grid is one block high. */
typedef struct {
    Columns of;
    const void *x, *g, *dy;
    void *dx, *dg;
    u32 add_x, add_g;
} GateBackward;
#endif

KERNEL(TYPED(gate_forward), GateForward) {
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t % a.of.across;
        const u32 lane = t / a.of.across, lanes = THREAD_COUNT / a.of.across;
        if (column < a.of.count) {
            const float gate = sigmoid(LOAD((const T *)a.g + column));
            const u64 start = column_start(a.of, column);
            for (u64 pixel = lane + lanes * BLOCK_Y; pixel < a.of.pixels; pixel += lanes * GRID_Y) {
                const u64 at = start + pixel * a.of.c;
                STORE((T *)a.y + at, gate * LOAD((const T *)a.x + at));
            }
        }
    }
    END
}

KERNEL(TYPED(gate_backward), GateBackward) {
    SHARED float sums[BLOCK];
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t % a.of.across;
        const u32 lane = t / a.of.across, lanes = THREAD_COUNT / a.of.across;
        T *dx = (T *)a.dx;
        float sum = 0.0f;
        if (column < a.of.count) {
            const float gate = sigmoid(LOAD((const T *)a.g + column));
            const u64 start = column_start(a.of, column);
            for (u64 pixel = lane + lanes * BLOCK_Y; pixel < a.of.pixels; pixel += lanes * GRID_Y) {
                const u64 at = start + pixel * a.of.c;
                const float dy = LOAD((const T *)a.dy + at);
                if (a.dg) sum += dy * LOAD((const T *)a.x + at);
                if (dx) STORE(dx + at, dy * gate + (a.add_x ? LOAD(dx + at) : 0.0f));
            }
        }
        sums[t] = sum;
    }
    END
    COLUMN_SUM(sums, a.of.across);
    THREADS {
        const u64 column = (u64)BLOCK_X * a.of.across + t;
        T *dg = (T *)a.dg;
        if (dg && t < a.of.across && column < a.of.count) {
            const float gate = sigmoid(LOAD((const T *)a.g + column));
            STORE(dg + column, gate * (1.0f - gate) * sums[t] + (a.add_g ? LOAD(dg + column) : 0.0f));
        }
    }
    END
}
