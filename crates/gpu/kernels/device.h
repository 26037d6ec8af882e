/* What all kernels are written in: a subset of CUDA C++ that a C compiler takes too.
 *
 * nvcc compiles a kernel for the card; a C compiler makes of the same text a function that runs one block of it on a CPU, one
 * thread after another. So the arithmetic, the indices and the division into blocks are tested on machines without a card.
 *
 *     KERNEL(scale, Scale) {                  // Scale: a struct of plain values, named `a` inside
 *         PRIVATE(float, x);                  // a variable of each thread that outlives a phase: MY(x)
 *         SHARED float s[BLOCK];              // of the block
 *         THREADS {                           // a phase: all threads run it, `t` is the thread's number in its block
 *             MY(x) = ...; s[t] = MY(x);
 *         } END                               // all threads wait for each other
 *         BLOCK_SUM(s);                       // s[0] becomes the sum of s[0 .. THREAD_COUNT - 1], in a fixed order
 *     }
 *
 * Rules: all code that reads or writes memory stands inside of a phase; what decides how many phases there are is the same for all threads of a
 * block; within a phase no thread reads what another one writes (the emulation runs a phase's threads in either order, and tests compare
 * the two); no atomics, so the same input gives the same bytes; blocks have a power of two of threads, at most BLOCK.
 * Sums are float, of many terms in a fixed tree. */
#ifndef RUNNER_DEVICE_H
#define RUNNER_DEVICE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define BLOCK 256

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#define KERNEL(name, Args) extern "C" __global__ void __launch_bounds__(BLOCK) name(const __grid_constant__ Args a)
#define FUNCTION static __device__ __forceinline__
#define SHARED __shared__
#define PRIVATE(type, name) type name
#define PRIVATES(type, name, count) type name[count]
#define MY(name) name
#define MINE(name, k) name[k]
#define THREADS                                                                                                                  \
    {                                                                                                                            \
        const u32 t = threadIdx.x;                                                                                               \
        (void)t;
#define END                                                                                                                      \
    }                                                                                                                            \
    __syncthreads();
#define BLOCK_X blockIdx.x
#define BLOCK_Y blockIdx.y
#define GRID_X gridDim.x
#define GRID_Y gridDim.y
#define THREAD_COUNT blockDim.x
#define UNROLL _Pragma("unroll")

#else

#include <math.h>
#include <string.h>

/* Which block is to run, of which grid. */
typedef struct {
    u32 block_x, block_y, grid_x, grid_y, threads;
    /* Whether the last thread of each phase comes first. */
    u32 reversed;
} Place;

/* For who wants to know the size of the struct that a kernel takes. */
#ifndef KERNEL_SIZE
#define KERNEL_SIZE(name, Args)
#endif
/* By two steps, so that a name that is put together is so before it is glued. */
#define KERNEL(name, Args) KERNEL_(name, Args)
#define KERNEL_(name, Args)                                                                                                      \
    KERNEL_SIZE(name, Args)                                                                                                      \
    static void name##_block(const Args a, const Place place);                                                                   \
    void name(const void *args, const Place *place);                                                                             \
    void name(const void *args, const Place *place) { name##_block(*(const Args *)args, *place); }                               \
    static void name##_block(const Args a, const Place place)
#define FUNCTION static inline
#define SHARED
#define PRIVATE(type, name) type name[BLOCK]
#define PRIVATES(type, name, count) type name[BLOCK][count]
#define MY(name) name[t]
#define MINE(name, k) name[t][k]
#define THREADS                                                                                                                  \
    for (u32 turn_ = 0; turn_ < place.threads; turn_++) {                                                                        \
        const u32 t = place.reversed ? place.threads - 1 - turn_ : turn_;                                                        \
        (void)t;
#define END }
#define BLOCK_X place.block_x
#define BLOCK_Y place.block_y
#define GRID_X place.grid_x
#define GRID_Y place.grid_y
#define THREAD_COUNT place.threads
#define UNROLL

#endif

/* s[0] becomes the sum of the block's s[k], added as a tree. All threads must have written theirs in a phase before. */
#define BLOCK_SUM(s)                                                                                                             \
    for (u32 half_ = THREAD_COUNT / 2; half_ > 0; half_ /= 2) {                                                                  \
        THREADS {                                                                                                                \
            if (t < half_) (s)[t] += (s)[t + half_];                                                                             \
        }                                                                                                                        \
        END                                                                                                                      \
    }

/* Numbers as they lie in memory: f32 as float, the two halves as 16 bits. */
FUNCTION float load_f32(const float *p) { return *p; }
FUNCTION void store_f32(float *p, float x) { *p = x; }

FUNCTION float bits_to_float(u32 bits) {
#ifdef __CUDACC__
    return __uint_as_float(bits);
#else
    float x;
    memcpy(&x, &bits, 4);
    return x;
#endif
}

FUNCTION u32 float_to_bits(float x) {
#ifdef __CUDACC__
    return __float_as_uint(x);
#else
    u32 bits;
    memcpy(&bits, &x, 4);
    return bits;
#endif
}

/* Products and sums that are rounded each. Of plain ones nvcc fuses a product and a sum into one operation, which rounds once: good enough but
 * where bytes are to be those of the host. */
#ifdef __CUDACC__
FUNCTION float times_f32(float x, float y) { return __fmul_rn(x, y); }
FUNCTION float plus_f32(float x, float y) { return __fadd_rn(x, y); }
FUNCTION double times_f64(double x, double y) { return __dmul_rn(x, y); }
FUNCTION double plus_f64(double x, double y) { return __dadd_rn(x, y); }
#else
FUNCTION float times_f32(float x, float y) { return x * y; }
FUNCTION float plus_f32(float x, float y) { return x + y; }
FUNCTION double times_f64(double x, double y) { return x * y; }
FUNCTION double plus_f64(double x, double y) { return x + y; }
#endif

/* A double of two words, the lower first. */
FUNCTION double words_to_double(const u32 *words) {
#ifdef __CUDACC__
    return __hiloint2double((int)words[1], (int)words[0]);
#else
    double x;
    memcpy(&x, words, 8);
    return x;
#endif
}

FUNCTION float load_bf16(const u16 *p) { return bits_to_float((u32)*p << 16); }

/* Rounded to the nearest, ties to even; what is no number stays none. */
FUNCTION void store_bf16(u16 *p, float x) {
#ifdef __CUDACC__
    *p = __bfloat16_as_ushort(__float2bfloat16_rn(x));
#else
    u32 bits = float_to_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        *p = (u16)((bits >> 16) | 0x0040u);
        return;
    }
    *p = (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#endif
}

FUNCTION float load_f16(const u16 *p) {
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(*p));
#else
    u32 sign = (u32)(*p & 0x8000u) << 16, exponent = (*p >> 10) & 31u, fraction = *p & 0x3ffu;
    if (exponent == 31u) return bits_to_float(sign | 0x7f800000u | (fraction << 13));
    if (exponent != 0u) return bits_to_float(sign | ((exponent + 112u) << 23) | (fraction << 13));
    /* Below the smallest normal number: fraction times 2^-24. */
    float x = (float)fraction * (1.0f / 16777216.0f);
    return sign ? -x : x;
#endif
}

FUNCTION void store_f16(u16 *p, float x) {
#ifdef __CUDACC__
    *p = __half_as_ushort(__float2half_rn(x));
#else
    u32 bits = float_to_bits(x), sign = (bits >> 16) & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        *p = (u16)(sign | 0x7e00u | ((size >> 13) & 0x3ffu));
    } else if (size >= 0x477ff000u) {
        /* 65520 and above round to infinity. */
        *p = (u16)(sign | 0x7c00u);
    } else if (size < 0x38800000u) {
        /* Below 2^-14: a multiple of 2^-24. Adding 0.5 leaves it, rounded to even, in the fraction. */
        *p = (u16)(sign | (float_to_bits(bits_to_float(size) + 0.5f) - 0x3f000000u));
    } else {
        u32 rounded = size + 0xfffu + ((size >> 13) & 1u);
        *p = (u16)(sign | ((rounded - 0x38000000u) >> 13));
    }
#endif
}

#define GLUE_(a, b) a##_##b
#define GLUE(a, b) GLUE_(a, b)
/* Inside of a file that each_type.h includes: the name of a kernel or function for the type T. */
#define TYPED(name) GLUE(name, TN)
#define LOAD(p) TYPED(load)(p)
#define STORE(p, x) TYPED(store)(p, x)

#endif
