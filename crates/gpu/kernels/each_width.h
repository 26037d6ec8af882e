/* As each_type.h, but each type twice: with WIDTH 1, and with the WIDTH of 16 bytes, for kernels of which a thread takes WIDTH
 * neighbouring elements. SIZED(name) is the name for the type and the width. */
#define SIZED(name) GLUE(name, SN)
#define T float
#define TN f32
#define SN f32
#define WIDTH 1
#include EACH
#undef SN
#undef WIDTH
#define SN f32_wide
#define WIDTH 4
#include EACH
#undef T
#undef TN
#undef SN
#undef WIDTH
#define T u16
#define TN bf16
#define SN bf16
#define WIDTH 1
#include EACH
#undef SN
#undef WIDTH
#define SN bf16_wide
#define WIDTH 8
#include EACH
#undef T
#undef TN
#undef SN
#undef WIDTH
#define T u16
#define TN f16
#define SN f16
#define WIDTH 1
#include EACH
#undef SN
#undef WIDTH
#define SN f16_wide
#define WIDTH 8
#include EACH
#undef T
#undef TN
#undef SN
#undef WIDTH
#undef SIZED
#undef EACH
