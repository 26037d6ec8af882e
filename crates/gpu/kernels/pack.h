/* WIDTH neighbouring elements, which are read and written at once: see each_width.h. Their address is a multiple of their
 * size. */
#ifndef RUNNER_PACK
#define RUNNER_PACK
#ifdef __CUDACC__
#define ALIGNED(bytes) __align__(bytes)
#else
#define ALIGNED(bytes) __attribute__((aligned(bytes)))
#endif
#endif

typedef struct ALIGNED(sizeof(T) * WIDTH) {
    T at[WIDTH];
} SIZED(Pack);

/* As many bytes: what is kept of each element. */
typedef struct ALIGNED(WIDTH) {
    u8 at[WIDTH];
} SIZED(Bytes);

FUNCTION void SIZED(load_pack)(const T *from, float *x) {
    const SIZED(Pack) pack = *(const SIZED(Pack) *)from;
    UNROLL
    for (u32 k = 0; k < WIDTH; k++) x[k] = LOAD(pack.at + k);
}

FUNCTION void SIZED(store_pack)(T *to, const float *x) {
    SIZED(Pack) pack;
    UNROLL
    for (u32 k = 0; k < WIDTH; k++) STORE(pack.at + k, x[k]);
    *(SIZED(Pack) *)to = pack;
}

/* Over what is there, or added to it. */
FUNCTION void SIZED(write_pack)(T *to, const float *x, u32 add) {
    float sum[WIDTH];
    if (add) SIZED(load_pack)(to, sum);
    UNROLL
    for (u32 k = 0; k < WIDTH; k++) sum[k] = add ? sum[k] + x[k] : x[k];
    SIZED(store_pack)(to, sum);
}
