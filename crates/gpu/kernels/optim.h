/* What the kernels of optimizers share: the parts that their flat buffers are cut into, and products as a CPU rounds them. */
#ifndef RUNNER_OPTIM_H
#define RUNNER_OPTIM_H

/* Elements that one block takes: CHUNK of crate::ops::optim. */
#define OPTIM_CHUNK 4096

/* A part of one segment: where it begins in the parameters and gradients, and in the optimizer's own buffers. */
typedef struct {
    u64 first, state;
    u32 len, segment;
} OptimChunk;

/* A segment's chunks. `adapted`: whether its rate is scaled by norms; `rows`: its output channels, where it is a matrix. */
typedef struct {
    u32 first_chunk, chunks, adapted, rows;
} OptimSegment;

/* x·y, rounded before anything is added to it: nvcc would fuse product and sum, and the step would not be the CPU's to the
 * last bit. These kernels wait for memory, so that it costs nothing. */
FUNCTION float optim_times(float x, float y) {
#ifdef __CUDACC__
    return __fmul_rn(x, y);
#else
    return x * y;
#endif
}

/* Adds the threads' sums in `first` and `second` up, and puts them where optim_share_of_sum finds those of this block's chunk. */
#define OPTIM_PUT_SUMS(partial, first, second)                                                                                   \
    BLOCK_SUM(first);                                                                                                            \
    BLOCK_SUM(second);                                                                                                           \
    THREADS {                                                                                                                    \
        if (t == 0) {                                                                                                            \
            (partial)[2 * (u64)BLOCK_X] = (first)[0];                                                                            \
            (partial)[2 * (u64)BLOCK_X + 1] = (second)[0];                                                                       \
        }                                                                                                                        \
    }                                                                                                                            \
    END

/* A thread's share of the sum of a segment's partial sums, of which each chunk has two: `which` says whose. In double, since the
 * rates of whole tensors depend on it. */
FUNCTION double optim_share_of_sum(const float *partial, OptimSegment segment, u32 which, u32 t, u32 threads) {
    double sum = 0.0;
    for (u32 k = t; k < segment.chunks; k += threads) sum += (double)partial[2 * ((u64)segment.first_chunk + k) + which];
    return sum;
}

/* first[0] and second[0] become the two sums over all chunks of the segment. */
#define OPTIM_GET_SUMS(segment, partial, first, second)                                                                          \
    THREADS {                                                                                                                    \
        (first)[t] = optim_share_of_sum(partial, segment, 0, t, THREAD_COUNT);                                                   \
        (second)[t] = optim_share_of_sum(partial, segment, 1, t, THREAD_COUNT);                                                  \
    }                                                                                                                            \
    END                                                                                                                          \
    BLOCK_SUM(first);                                                                                                            \
    BLOCK_SUM(second);

#endif
