/* Spans: four neighbouring elements, which a thread reads or writes at once (16 bytes of floats, 8 of halves), or one.
 *
 * load4_TYPE and store4_TYPE take addresses that are multiples of the four elements' size. */
#ifndef RUNNER_SPAN_H
#define RUNNER_SPAN_H

#ifdef __CUDACC__

FUNCTION void load4_f32(float *v, const float *p) {
    const float4 four = *(const float4 *)p;
    v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
}

FUNCTION void store4_f32(float *p, const float *v) { *(float4 *)p = make_float4(v[0], v[1], v[2], v[3]); }

#define SPAN_OF_HALVES(TN)                                                                                                       \
    FUNCTION void load4_##TN(float *v, const u16 *p) {                                                                           \
        const ushort4 four = *(const ushort4 *)p;                                                                                \
        v[0] = load_##TN(&four.x), v[1] = load_##TN(&four.y), v[2] = load_##TN(&four.z), v[3] = load_##TN(&four.w);              \
    }                                                                                                                            \
    FUNCTION void store4_##TN(u16 *p, const float *v) {                                                                          \
        ushort4 four;                                                                                                            \
        store_##TN(&four.x, v[0]), store_##TN(&four.y, v[1]), store_##TN(&four.z, v[2]), store_##TN(&four.w, v[3]);              \
        *(ushort4 *)p = four;                                                                                                    \
    }
SPAN_OF_HALVES(bf16)
SPAN_OF_HALVES(f16)

#else

#define SPAN_OF(T, TN)                                                                                                           \
    FUNCTION void load4_##TN(float *v, const T *p) {                                                                             \
        for (u32 k = 0; k < 4; k++) v[k] = load_##TN(p + k);                                                                     \
    }                                                                                                                            \
    FUNCTION void store4_##TN(T *p, const float *v) {                                                                            \
        for (u32 k = 0; k < 4; k++) store_##TN(p + k, v[k]);                                                                     \
    }
SPAN_OF(float, f32)
SPAN_OF(u16, bf16)
SPAN_OF(u16, f16)

#endif

/* Inside of a file that each_type.h includes. `width` is 4 or 1, and a constant wherever these are used in a loop. */
#define LOAD_SPAN(v, p, width)                                                                                                   \
    if ((width) == 4)                                                                                                            \
        TYPED(load4)(v, p);                                                                                                      \
    else                                                                                                                         \
        (v)[0] = LOAD(p)
#define STORE_SPAN(p, v, width)                                                                                                  \
    if ((width) == 4)                                                                                                            \
        TYPED(store4)(p, v);                                                                                                     \
    else                                                                                                                         \
        STORE(p, (v)[0])

#endif
