/* All kernels, as one unit. */
#include "device.h"

#include "activation.h"
#include "span.h"

#define EACH "cast.cu"
#include "each_type.h"

#include "picture.cu"

#define EACH "serve.cu"
#include "each_type.h"

#include "tiles.h"

#define EACH "matmul.cu"
#include "each_type.h"

#define EACH "conv.cu"
#include "each_type.h"

#define EACH "columns.cu"
#include "each_type.h"

#define EACH "norm.cu"
#include "each_type.h"

#include "optim.h"

#include "optim.cu"
#include "optim_average.cu"
#include "optim_gradient.cu"
#include "optim_schedule_free.cu"
#include "optim_trust.cu"

#define EACH "optim_muon.cu"
#include "each_type.h"

#include "lanes.h"

#define EACH "pack.h"
#include "each_width.h"

#define EACH "add.cu"
#include "each_width.h"

#define EACH "bias.cu"
#include "each_width.h"

#define EACH "pool.cu"
#include "each_width.h"

#define EACH "pool_global.cu"
#include "each_type.h"

#define EACH "concat.cu"
#include "each_width.h"

#define EACH "gate.cu"
#include "each_type.h"

#define EACH "dropout.cu"
#include "each_width.h"

#define EACH "loss.cu"
#include "each_type.h"
