/* y = act(a + s·b), or act(a) where b is null. */
#ifndef RUNNER_ADD
#define RUNNER_ADD
typedef struct {
    u64 len;
    const void *a, *b;
    void *y;
    float scale;
    Act act;
} AddForward;

/* da (+)= dz, db (+)= s·dz, dz = dy·act'(z); those that are null are not wanted. `a` may be the output of a ReLU, with b null. */
typedef struct {
    u64 len;
    const void *a, *b, *dy;
    void *da, *db;
    float scale;
    Act act;
    u32 add_a, add_b;
} AddBackward;
#endif

KERNEL(TYPED(add_forward), AddForward) {
    THREADS {
        const T *from = (const T *)a.a, *other = (const T *)a.b;
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) {
            float z = LOAD(from + k);
            if (other) z += a.scale * LOAD(other + k);
            STORE((T *)a.y + k, act_value(a.act, z));
        }
    }
    END
}

KERNEL(TYPED(add_backward), AddBackward) {
    THREADS {
        const T *from = (const T *)a.a, *other = (const T *)a.b, *dy = (const T *)a.dy;
        T *da = (T *)a.da, *db = (T *)a.db;
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) {
            float z = 0.0f;
            if (a.act.kind != ACT_NONE) {
                z = LOAD(from + k);
                if (other) z += a.scale * LOAD(other + k);
            }
            const float dz = act_pull(a.act, z, LOAD(dy + k));
            if (da) STORE(da + k, dz + (a.add_a ? LOAD(da + k) : 0.0f));
            if (db) STORE(db + k, a.scale * dz + (a.add_b ? LOAD(db + k) : 0.0f));
        }
    }
    END
}
