/* Numbers of one type as another: to and from float. */
#ifndef RUNNER_CAST
#define RUNNER_CAST
typedef struct {
    u64 len;
    const void *from;
    void *to;
} Cast;
#endif

KERNEL(TYPED(cast_from_float), Cast) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step)
            STORE((T *)a.to + k, ((const float *)a.from)[k]);
    }
    END
}

KERNEL(TYPED(cast_to_float), Cast) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step)
            ((float *)a.to)[k] = LOAD((const T *)a.from + k);
    }
    END
}
