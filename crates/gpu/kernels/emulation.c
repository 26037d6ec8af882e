/* The kernels as functions of a CPU: see device.h. */
#include "all.cu"
