/* All kernels, as one unit. */
#include "device.h"

#include "activation.h"

#define EACH "cast.cu"
#include "each_type.h"

#define EACH "add.cu"
#include "each_type.h"
