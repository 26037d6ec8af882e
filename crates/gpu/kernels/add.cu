/* y = act(a + s·b), or act(a) where b is null. A thread takes packs of WIDTH elements. */
#ifndef RUNNER_ADD
#define RUNNER_ADD
typedef struct {
    u64 packs;
    const void *a, *b;
    void *y;
    float scale;
    Act act;
} AddForward;

/* da (+)= dz, db (+)= s·dz, dz = dy·act'(z); those that are null are not wanted. `a` may be the output of a ReLU, with b null. */
typedef struct {
    u64 packs;
    const void *a, *b, *dy;
    void *da, *db;
    float scale;
    Act act;
    u32 add_a, add_b;
} AddBackward;
#endif

/* z = a + s·b of the pack that begins there. */
FUNCTION void SIZED(add_sum)(const void *a, const void *b, float scale, u64 at, float *z) {
    SIZED(load_pack)((const T *)a + at, z);
    if (b) {
        float other[WIDTH];
        SIZED(load_pack)((const T *)b + at, other);
        UNROLL
        for (u32 k = 0; k < WIDTH; k++) z[k] += scale * other[k];
    }
}

KERNEL(SIZED(add_forward), AddForward) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 pack = (u64)BLOCK_X * THREAD_COUNT + t; pack < a.packs; pack += step) {
            float z[WIDTH];
            SIZED(add_sum)(a.a, a.b, a.scale, pack * WIDTH, z);
            UNROLL
            for (u32 k = 0; k < WIDTH; k++) z[k] = act_value(a.act, z[k]);
            SIZED(store_pack)((T *)a.y + pack * WIDTH, z);
        }
    }
    END
}

KERNEL(SIZED(add_backward), AddBackward) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 pack = (u64)BLOCK_X * THREAD_COUNT + t; pack < a.packs; pack += step) {
            const u64 at = pack * WIDTH;
            float dz[WIDTH];
            SIZED(load_pack)((const T *)a.dy + at, dz);
            if (a.act.kind != ACT_NONE) {
                float z[WIDTH];
                SIZED(add_sum)(a.a, a.b, a.scale, at, z);
                UNROLL
                for (u32 k = 0; k < WIDTH; k++) dz[k] = act_pull(a.act, z[k], dz[k]);
            }
            if (a.da) SIZED(write_pack)((T *)a.da + at, dz, a.add_a);
            if (a.db) {
                UNROLL
                for (u32 k = 0; k < WIDTH; k++) dz[k] *= a.scale;
                SIZED(write_pack)((T *)a.db + at, dz, a.add_b);
            }
        }
    }
    END
}
