/* A stand-in for NVIDIA's driver, libcuda.so.1, that runs the kernels' emulation on the CPU. With it the program's own code for cards (device/cuda:
 * memory, uploads, launches, recorded work) runs where there is no card: scripts/check_cuda builds it and runs the tests on it.
 *
 * It is as late and as strict as a driver may be. Nothing in a stream runs before someone waits for it, so what is read too early or given back too
 * early shows. Memory is filled with what is no number when it is taken and when it is given back. It lies between pages that nobody may touch, as it
 * is itself once it is gone; and what is given back is given out again at once, as a pool does. Blocks and threads run forwards or backwards by turns. Calls that a driver refuses while work is recorded spoil the recording. What a program may never do ends it, with a
 * line that says what.
 *
 * It knows the calls that device/cuda makes, and one device. Declarations as in cuda.h of CUDA 13.0, handles as addresses, enumerations as numbers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

/* With the size of the struct that a kernel takes, as the driver knows it of compiled ones. */
#define KERNEL_SIZE(name, Args) const unsigned name##_takes = sizeof(Args);
#include "../kernels/emulation.c"

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NOT_FOUND = 500,
    NOT_READY = 600,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_UNMATCHED = 903,
    CAPTURE_WRONG_THREAD = 908,
};

/* What the device has: little, so that its end is met. */
#define MEMORY ((size_t)2 << 30)
/* What fills the rest of an allocation's pages. */
#define GUARD_BYTE 0xc5
#define PAGE 4096
/* As many allocations that are gone stay out of use. */
#define GONE 2048
/* All bits set is no number in any type of activations. */
#define POISON 0xff

/* An allocation of the device, or of pinned memory of the host. */
typedef struct Block {
    u8 *at;
    size_t bytes;
    /* The pages that it lies in, the first and the last of which are guards. */
    u8 *pages;
    size_t pages_bytes;
    /* That of the device: whether the program has given it back, and how often that lies in the stream. */
    int leaving;
    unsigned pending;
    struct Stream *stream;
    struct Block *next;
} Block;

typedef struct Event {
    /* Recordings of it that have not run. */
    unsigned pending;
    int timed, recorded, dropped;
    struct timespec at;
} Event;

typedef void (*Kernel)(const void *args, const Place *place);

typedef struct {
    Kernel kernel;
    size_t takes;
    int loaded;
    char name[64];
} Function;

typedef struct Op {
    enum { LAUNCH, COPY, SET, RECORD, FREE } kind;
    Function *function;
    u32 blocks[2], threads;
    u8 *to;
    const u8 *from;
    size_t bytes;
    /* Which sides of a copy are on the device. */
    int to_device, from_device;
    u8 value;
    Event *event;
    /* Of a launch, or of a copy from memory that is not pinned: a driver has read it when it returns. */
    u8 *own;
    size_t own_bytes;
    struct Op *next;
} Op;

typedef struct {
    Op *first, *last;
} Ops;

typedef struct {
    Ops ops;
} Graph;

typedef struct Stream {
    Ops ops;
    Graph *recording;
    pthread_t recorder;
    int spoilt;
    struct Stream *next;
} Stream;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Block *device_blocks, *host_blocks;
static Stream *streams;
static size_t used;
static int started, retained;
static long alive_events, alive_graphs, alive_modules;
static unsigned launches;
static __thread void *current;
/* What is no handle but has an address. */
static char the_context, the_pool, the_module;

static void never(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "the stand-in for a driver: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

static void *taken(size_t bytes) {
    void *memory = calloc(1, bytes);
    if (!memory) never("no memory of its own");
    return memory;
}

/* For the length of a call. Returns from the calling function where the context is not current. */
#define BEGIN                                                                                                                    \
    if (!started) return NOT_INITIALIZED;                                                                                        \
    if (current != &the_context) return INVALID_CONTEXT;                                                                         \
    pthread_mutex_lock(&lock);
#define RETURN(result)                                                                                                           \
    do {                                                                                                                         \
        const u32 result_ = (result);                                                                                            \
        pthread_mutex_unlock(&lock);                                                                                             \
        return result_;                                                                                                          \
    } while (0)

static Block *block_of(Block *blocks, const u8 *at, size_t bytes) {
    for (; blocks; blocks = blocks->next)
        if (at >= blocks->at && at + bytes <= blocks->at + blocks->bytes) return blocks;
    return NULL;
}

/* What is left of the pages that a block is in, before it and behind it, in turn. */
static u8 *rest(const Block *block, int behind, size_t *bytes) {
    u8 *first = block->pages + PAGE, *end = block->pages + block->pages_bytes - PAGE;
    u8 *from = behind ? block->at + block->bytes : first;
    *bytes = (size_t)(behind ? end - from : block->at - first);
    return from;
}

static void drop_block(Block **blocks, Block *block) {
    static struct {
        u8 *pages;
        size_t bytes;
    } gone[GONE];
    static unsigned next;
    while (*blocks != block) blocks = &(*blocks)->next;
    *blocks = block->next;
    for (int behind = 0; behind < 2; behind++) {
        size_t bytes;
        const u8 *at = rest(block, behind, &bytes);
        for (size_t k = 0; k < bytes; k++)
            if (at[k] != GUARD_BYTE) never("something was written %s %zu bytes", behind ? "behind" : "before", block->bytes);
    }
    if (mmap(block->pages, block->pages_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        never("no memory of its own");
    if (gone[next].pages) munmap(gone[next].pages, gone[next].bytes);
    gone[next].pages = block->pages;
    gone[next].bytes = block->pages_bytes;
    next = (next + 1) % GONE;
    free(block);
}

static Block *new_block(Block **blocks, size_t bytes) {
    Block *block = taken(sizeof *block);
    const size_t aligned = (bytes + 255) / 256 * 256, inside = (aligned + PAGE - 1) / PAGE * PAGE;
    block->bytes = bytes;
    block->pages_bytes = inside + 2 * PAGE;
    block->pages = mmap(NULL, block->pages_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block->pages == MAP_FAILED || mprotect(block->pages + PAGE, inside, PROT_READ | PROT_WRITE)) never("no memory of its own");
    /* At the end, where more is written by mistake than at the beginning. */
    block->at = block->pages + PAGE + inside - aligned;
    memset(block->at, POISON, bytes);
    for (int behind = 0; behind < 2; behind++) {
        size_t count;
        u8 *at = rest(block, behind, &count);
        memset(at, GUARD_BYTE, count);
    }
    block->next = *blocks;
    *blocks = block;
    return block;
}

static void drop_event(Event *event) {
    if (event->dropped && event->pending == 0) free(event);
}

static void drop_op(Op *op) {
    if (op->kind == RECORD) {
        op->event->pending--;
        drop_event(op->event);
    }
    free(op->own);
    free(op);
}

static void append(Ops *ops, Op *op) {
    op->next = NULL;
    if (op->kind == RECORD) op->event->pending++;
    *(ops->last ? &ops->last->next : &ops->first) = op;
    ops->last = op;
}

static void drop_ops(Ops *ops) {
    for (Op *next; ops->first; ops->first = next) {
        next = ops->first->next;
        drop_op(ops->first);
    }
    ops->last = NULL;
}

static void append_copies(Ops *to, const Ops *from) {
    for (const Op *op = from->first; op; op = op->next) {
        Op *copy = taken(sizeof *copy);
        *copy = *op;
        if (op->own) {
            copy->own = taken(op->own_bytes);
            memcpy(copy->own, op->own, op->own_bytes);
        }
        append(to, copy);
    }
}

/* Memory of the device, or of the host where it is on that side of a copy. */
static void must_be_there(const u8 *at, size_t bytes, const char *doing) {
    if (!block_of(device_blocks, at, bytes)) never("%s: %zu bytes that are not allocated", doing, bytes);
}

static void run_op(Op *op) {
    switch (op->kind) {
        case LAUNCH: {
            launches++;
            const u32 count = op->blocks[0] * op->blocks[1];
            for (u32 k = 0; k < count; k++) {
                const u32 block = launches & 1 ? count - 1 - k : k;
                const Place place = { .block_x = block % op->blocks[0],
                                      .block_y = block / op->blocks[0],
                                      .grid_x = op->blocks[0],
                                      .grid_y = op->blocks[1],
                                      .threads = op->threads,
                                      .reversed = launches >> 1 & 1 };
                op->function->kernel(op->own, &place);
            }
            break;
        }
        case COPY:
            if (op->to_device) must_be_there(op->to, op->bytes, "a copy");
            if (op->from_device) must_be_there(op->from, op->bytes, "a copy");
            memcpy(op->to, op->own ? op->own : op->from, op->bytes);
            break;
        case SET:
            must_be_there(op->to, op->bytes, "setting memory");
            memset(op->to, op->value, op->bytes);
            break;
        case RECORD:
            clock_gettime(CLOCK_MONOTONIC, &op->event->at);
            break;
        case FREE: {
            Block *block = block_of(device_blocks, op->to, 1);
            memset(block->at, POISON, block->bytes);
            if (--block->pending == 0 && block->leaving) {
                used -= block->bytes;
                drop_block(&device_blocks, block);
            }
            break;
        }
    }
}

/* What is in the stream, up to the last recording of an event where there is one. */
static void run(Stream *stream, const Event *until) {
    while (stream->ops.first && (!until || until->pending > 0)) {
        Op *op = stream->ops.first;
        stream->ops.first = op->next;
        if (!op->next) stream->ops.last = NULL;
        run_op(op);
        drop_op(op);
    }
}

/* What a driver refuses while this thread records, or while the stream is recorded; the recording is spoilt then. */
static u32 refuse(Stream *of) {
    u32 result = SUCCESS;
    for (Stream *stream = streams; stream; stream = stream->next)
        if (stream->recording && (stream == of || (!of && pthread_equal(stream->recorder, pthread_self())))) {
            stream->spoilt = 1;
            result = CAPTURE_UNSUPPORTED;
        }
    return result;
}

static u32 put(Stream *stream, Op op) {
    if (stream->spoilt) {
        free(op.own);
        return CAPTURE_INVALIDATED;
    }
    Op *copy = taken(sizeof *copy);
    *copy = op;
    append(stream->recording ? &stream->recording->ops : &stream->ops, copy);
    return SUCCESS;
}

#define EXPORT __attribute__((visibility("default"))) u32

EXPORT cuInit(u32 flags) {
    started = flags == 0;
    return flags == 0 ? SUCCESS : INVALID_VALUE;
}

EXPORT cuDriverGetVersion(int *version) {
    *version = 13000;
    return SUCCESS;
}

EXPORT cuGetErrorName(u32 error, const char **name) {
    static __thread char text[32];
    snprintf(text, sizeof text, "error %u of the stand-in", error);
    *name = text;
    return SUCCESS;
}

EXPORT cuGetErrorString(u32 error, const char **text) {
    static const struct {
        u32 error;
        const char *text;
    } known[] = { { INVALID_VALUE, "invalid argument" },
                  { OUT_OF_MEMORY, "out of memory" },
                  { INVALID_CONTEXT, "invalid device context" },
                  { NOT_FOUND, "named symbol not found" },
                  { CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing" },
                  { CAPTURE_INVALIDATED, "operation failed due to a previous error during capture" } };
    *text = "another error";
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].error == error) *text = known[k].text;
    return SUCCESS;
}

EXPORT cuDeviceGetCount(int *count) {
    *count = 1;
    return started ? SUCCESS : NOT_INITIALIZED;
}

EXPORT cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return !started ? NOT_INITIALIZED : ordinal == 0 ? SUCCESS : INVALID_DEVICE;
}

EXPORT cuDeviceGetName(char *name, int room, int device) {
    snprintf(name, (size_t)room, "a stand-in for a GPU");
    return device == 0 ? SUCCESS : INVALID_DEVICE;
}

EXPORT cuDeviceTotalMem_v2(size_t *bytes, int device) {
    *bytes = MEMORY;
    return device == 0 ? SUCCESS : INVALID_DEVICE;
}

/* Whether memory can be given out in a stream's order: STAND_IN_POOL=0 says that it cannot. */
static int has_pool(void) {
    const char *told = getenv("STAND_IN_POOL");
    return !told || strcmp(told, "0") != 0;
}

EXPORT cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 9 : attribute == 76 ? 0 : attribute == 115 && has_pool();
    return device == 0 ? SUCCESS : INVALID_DEVICE;
}

EXPORT cuDevicePrimaryCtxRetain(void **context, int device) {
    if (!started || device != 0) return INVALID_DEVICE;
    pthread_mutex_lock(&lock);
    retained++;
    *context = &the_context;
    RETURN(SUCCESS);
}

EXPORT cuDevicePrimaryCtxRelease_v2(int device) {
    if (device != 0) return INVALID_DEVICE;
    pthread_mutex_lock(&lock);
    if (--retained < 0) never("a context is given back twice");
    if (retained == 0) {
        size_t blocks = 0;
        for (Block *block = device_blocks; block; block = block->next) blocks++;
        for (Block *block = host_blocks; block; block = block->next) blocks++;
        if (blocks || streams || alive_events || alive_graphs || alive_modules)
            never("left behind: %zu allocations, %s, %ld events, %ld graphs, %ld modules", blocks, streams ? "streams" : "no stream",
                  alive_events, alive_graphs, alive_modules);
    }
    RETURN(SUCCESS);
}

EXPORT cuCtxSetCurrent(void *context) {
    if (context && context != &the_context) return INVALID_CONTEXT;
    current = context;
    return SUCCESS;
}

EXPORT cuStreamCreate(Stream **stream, u32 flags) {
    (void)flags;
    BEGIN;
    *stream = taken(sizeof **stream);
    (*stream)->next = streams;
    streams = *stream;
    RETURN(SUCCESS);
}

EXPORT cuStreamDestroy_v2(Stream *stream) {
    BEGIN;
    if (stream->recording) never("a stream is destroyed while it is recorded");
    run(stream, NULL);
    Stream **at = &streams;
    while (*at != stream) at = &(*at)->next;
    *at = stream->next;
    free(stream);
    RETURN(SUCCESS);
}

EXPORT cuStreamSynchronize(Stream *stream) {
    BEGIN;
    const u32 refused = refuse(stream);
    if (refused) RETURN(refused);
    run(stream, NULL);
    RETURN(SUCCESS);
}

EXPORT cuEventCreate(Event **event, u32 flags) {
    BEGIN;
    *event = taken(sizeof **event);
    (*event)->timed = !(flags & 2);
    alive_events++;
    RETURN(SUCCESS);
}

EXPORT cuEventDestroy_v2(Event *event) {
    BEGIN;
    event->dropped = 1;
    alive_events--;
    drop_event(event);
    RETURN(SUCCESS);
}

EXPORT cuEventRecord(Event *event, Stream *stream) {
    BEGIN;
    event->recorded = 1;
    RETURN(put(stream, (Op){ .kind = RECORD, .event = event }));
}

EXPORT cuEventSynchronize(Event *event) {
    BEGIN;
    for (Stream *stream = streams; stream && event->pending > 0; stream = stream->next) {
        int here = 0;
        for (Op *op = stream->ops.first; op; op = op->next) here |= op->kind == RECORD && op->event == event;
        if (here) run(stream, event);
    }
    if (event->pending > 0) RETURN(CAPTURE_UNSUPPORTED);
    RETURN(SUCCESS);
}

EXPORT cuEventElapsedTime_v2(float *milliseconds, Event *begin, Event *end) {
    BEGIN;
    if (!begin->timed || !end->timed || !begin->recorded || !end->recorded) RETURN(INVALID_VALUE);
    if (begin->pending || end->pending) RETURN(NOT_READY);
    *milliseconds = (float)(end->at.tv_sec - begin->at.tv_sec) * 1e3f + (float)(end->at.tv_nsec - begin->at.tv_nsec) * 1e-6f;
    RETURN(SUCCESS);
}

EXPORT cuDeviceGetMemPool(void **pool, int device) {
    *pool = &the_pool;
    return device == 0 && has_pool() ? SUCCESS : INVALID_DEVICE;
}

EXPORT cuMemPoolSetAttribute(void *pool, u32 attribute, void *value) {
    /* CU_MEMPOOL_ATTR_RELEASE_THRESHOLD */
    return pool == &the_pool && attribute == 4 && value ? SUCCESS : INVALID_VALUE;
}

EXPORT cuMemPoolTrimTo(void *pool, size_t keep) {
    (void)keep;
    return pool == &the_pool ? SUCCESS : INVALID_VALUE;
}

EXPORT cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
    BEGIN;
    *free_bytes = MEMORY - used;
    *total = MEMORY;
    RETURN(SUCCESS);
}

/* At once, whatever is in a stream. */
EXPORT cuMemAlloc_v2(u64 *address, size_t bytes) {
    BEGIN;
    if (bytes == 0) RETURN(INVALID_VALUE);
    if (bytes > MEMORY - used) RETURN(OUT_OF_MEMORY);
    used += bytes;
    *address = (u64)(uintptr_t)new_block(&device_blocks, bytes)->at;
    RETURN(SUCCESS);
}

EXPORT cuMemFree_v2(u64 address) {
    BEGIN;
    u8 *at = (u8 *)(uintptr_t)address;
    Block *block = block_of(device_blocks, at, 1);
    if (!block || block->at != at || block->stream) never("what is given back is not allocated");
    used -= block->bytes;
    drop_block(&device_blocks, block);
    RETURN(SUCCESS);
}

EXPORT cuMemAllocAsync(u64 *address, size_t bytes, Stream *stream) {
    if (!has_pool()) never("memory in a stream's order, and there is no pool");
    BEGIN;
    const u32 refused = refuse(stream);
    if (refused) RETURN(refused);
    if (bytes == 0) RETURN(INVALID_VALUE);
    for (Block *block = device_blocks; block; block = block->next)
        if (block->leaving && block->stream == stream && block->bytes == bytes) {
            block->leaving = 0;
            *address = (u64)(uintptr_t)block->at;
            RETURN(SUCCESS);
        }
    if (bytes > MEMORY - used) RETURN(OUT_OF_MEMORY);
    used += bytes;
    Block *block = new_block(&device_blocks, bytes);
    block->stream = stream;
    *address = (u64)(uintptr_t)block->at;
    RETURN(SUCCESS);
}

EXPORT cuMemFreeAsync(u64 address, Stream *stream) {
    BEGIN;
    const u32 refused = refuse(stream);
    if (refused) RETURN(refused);
    u8 *at = (u8 *)(uintptr_t)address;
    Block *block = block_of(device_blocks, at, 1);
    if (!block || block->at != at || block->leaving || block->stream != stream) never("what is given back is not allocated");
    block->leaving = 1;
    block->pending++;
    RETURN(put(stream, (Op){ .kind = FREE, .to = at }));
}

EXPORT cuMemHostAlloc(void **memory, size_t bytes, u32 flags) {
    (void)flags;
    BEGIN;
    const u32 refused = refuse(NULL);
    if (refused) RETURN(refused);
    *memory = new_block(&host_blocks, bytes)->at;
    RETURN(SUCCESS);
}

EXPORT cuMemFreeHost(void *memory) {
    BEGIN;
    Block *block = block_of(host_blocks, memory, 1);
    if (!block || block->at != (u8 *)memory) never("pinned memory that is given back is none");
    for (Stream *stream = streams; stream; stream = stream->next)
        for (Op *op = stream->ops.first; op; op = op->next)
            if (op->kind == COPY && block_of(block, op->from, 1) == block) never("pinned memory is given back while it is read");
    drop_block(&host_blocks, block);
    RETURN(SUCCESS);
}

EXPORT cuMemcpyHtoDAsync_v2(u64 to, const void *from, size_t bytes, Stream *stream) {
    BEGIN;
    Op op = { .kind = COPY, .to = (u8 *)(uintptr_t)to, .to_device = 1, .from = from, .bytes = bytes };
    must_be_there(op.to, bytes, "an upload");
    if (!block_of(host_blocks, from, bytes)) {
        op.own = taken(op.own_bytes = bytes);
        memcpy(op.own, from, bytes);
    }
    RETURN(put(stream, op));
}

EXPORT cuMemcpyDtoHAsync_v2(void *to, u64 from, size_t bytes, Stream *stream) {
    BEGIN;
    const Op op = { .kind = COPY, .to = to, .from = (u8 *)(uintptr_t)from, .from_device = 1, .bytes = bytes };
    must_be_there(op.from, bytes, "reading");
    RETURN(put(stream, op));
}

EXPORT cuMemcpyDtoDAsync_v2(u64 to, u64 from, size_t bytes, Stream *stream) {
    BEGIN;
    const Op op = { .kind = COPY, .to = (u8 *)(uintptr_t)to, .to_device = 1, .from = (u8 *)(uintptr_t)from, .from_device = 1, .bytes = bytes };
    must_be_there(op.from, bytes, "a copy");
    must_be_there(op.to, bytes, "a copy");
    RETURN(put(stream, op));
}

EXPORT cuMemsetD8Async(u64 to, u8 value, size_t bytes, Stream *stream) {
    BEGIN;
    const Op op = { .kind = SET, .to = (u8 *)(uintptr_t)to, .value = value, .bytes = bytes };
    must_be_there(op.to, bytes, "setting memory");
    RETURN(put(stream, op));
}

EXPORT cuModuleLoadData(void **module, const void *image) {
    BEGIN;
    /* What a fatbin begins with. */
    if (*(const u32 *)image != 0xba55ed50u) RETURN(INVALID_IMAGE);
    alive_modules++;
    *module = &the_module;
    RETURN(SUCCESS);
}

EXPORT cuModuleUnload(void *module) {
    BEGIN;
    if (module != &the_module || --alive_modules < 0) never("a module is unloaded that is none");
    RETURN(SUCCESS);
}

EXPORT cuModuleGetFunction(Function **function, void *module, const char *name) {
    static Function known[512];
    BEGIN;
    const u32 refused = refuse(NULL);
    if (refused) RETURN(refused);
    if (module != &the_module) RETURN(INVALID_VALUE);
    Function *of = known;
    while (of->kernel && strcmp(of->name, name) != 0) of++;
    if (!of->kernel) {
        char size[80];
        Dl_info self;
        dladdr((const void *)cuInit, &self);
        void *library = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
        snprintf(size, sizeof size, "%s_takes", name);
        const Kernel kernel = (Kernel)dlsym(library, name);
        const unsigned *takes = dlsym(library, size);
        if (!kernel || !takes) RETURN(NOT_FOUND);
        if (of == known + 511 || strlen(name) >= sizeof of->name) never("more kernels than it has room for");
        snprintf(of->name, sizeof of->name, "%s", name);
        of->kernel = kernel;
        of->takes = *takes;
    }
    *function = of;
    RETURN(SUCCESS);
}

EXPORT cuFuncGetParamInfo(Function *function, size_t number, size_t *offset, size_t *bytes) {
    if (number != 0) return INVALID_VALUE;
    *offset = 0;
    *bytes = function->takes;
    return SUCCESS;
}

EXPORT cuFuncLoad(Function *function) {
    BEGIN;
    const u32 refused = refuse(NULL);
    if (refused) RETURN(refused);
    function->loaded = 1;
    RETURN(SUCCESS);
}

EXPORT cuLaunchKernel(Function *function, u32 x, u32 y, u32 z, u32 threads, u32 threads_y, u32 threads_z, u32 shared, Stream *stream,
                      void **parameters, void **extra) {
    BEGIN;
    const int sound = x > 0 && x < 1u << 31 && y > 0 && y < 65536 && z == 1 && threads_y == 1 && threads_z == 1 && shared == 0 && !extra &&
                      threads > 0 && threads <= BLOCK && (threads & (threads - 1)) == 0;
    if (!sound) RETURN(INVALID_VALUE);
    /* It is loaded when it first runs, which cannot be recorded. */
    if (!function->loaded) {
        const u32 refused = refuse(NULL);
        if (refused) RETURN(refused);
    }
    Op op = { .kind = LAUNCH, .function = function, .blocks = { x, y }, .threads = threads };
    op.own = taken(op.own_bytes = function->takes);
    memcpy(op.own, parameters[0], op.own_bytes);
    RETURN(put(stream, op));
}

EXPORT cuStreamBeginCapture_v2(Stream *stream, u32 mode) {
    BEGIN;
    /* CU_STREAM_CAPTURE_MODE_THREAD_LOCAL */
    if (mode != 1 || stream->recording) RETURN(INVALID_VALUE);
    stream->recording = taken(sizeof *stream->recording);
    alive_graphs++;
    stream->recorder = pthread_self();
    stream->spoilt = 0;
    RETURN(SUCCESS);
}

static void drop_graph(Graph *graph) {
    drop_ops(&graph->ops);
    free(graph);
    alive_graphs--;
}

EXPORT cuStreamEndCapture(Stream *stream, Graph **graph) {
    BEGIN;
    *graph = NULL;
    if (!stream->recording) RETURN(CAPTURE_UNMATCHED);
    if (!pthread_equal(stream->recorder, pthread_self())) RETURN(CAPTURE_WRONG_THREAD);
    Graph *recorded = stream->recording;
    const int spoilt = stream->spoilt;
    stream->recording = NULL;
    stream->spoilt = 0;
    if (spoilt) {
        drop_graph(recorded);
        RETURN(CAPTURE_INVALIDATED);
    }
    *graph = recorded;
    RETURN(SUCCESS);
}

EXPORT cuGraphInstantiateWithFlags(Graph **ready, Graph *graph, u64 flags) {
    BEGIN;
    if (flags != 0) RETURN(INVALID_VALUE);
    *ready = taken(sizeof **ready);
    append_copies(&(*ready)->ops, &graph->ops);
    alive_graphs++;
    RETURN(SUCCESS);
}

EXPORT cuGraphDestroy(Graph *graph) {
    BEGIN;
    drop_graph(graph);
    RETURN(SUCCESS);
}

EXPORT cuGraphExecDestroy(Graph *ready) {
    BEGIN;
    drop_graph(ready);
    RETURN(SUCCESS);
}

EXPORT cuGraphLaunch(Graph *ready, Stream *stream) {
    BEGIN;
    const u32 refused = refuse(stream);
    if (refused) RETURN(refused);
    append_copies(&stream->ops, &ready->ops);
    RETURN(SUCCESS);
}
