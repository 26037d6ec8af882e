/* Includes EACH once for each element type, with T the type as it lies in memory and TN its name. */
#define T float
#define TN f32
#include EACH
#undef T
#undef TN
#define T u16
#define TN bf16
#include EACH
#undef T
#undef TN
#define T u16
#define TN f16
#include EACH
#undef T
#undef TN
#undef EACH
