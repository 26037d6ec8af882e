/* What is done to a gradient before a rule steps by it. */

/* partial[block] ← the sum of the squares of the block's OPTIM_CHUNK elements. */
typedef struct {
    u64 len;
    const float *x;
    float *partial;
} OptimSquares;

KERNEL(optim_squares, OptimSquares) {
    SHARED float sums[BLOCK];
    THREADS {
        const u64 first = (u64)BLOCK_X * OPTIM_CHUNK;
        const u64 end = first + OPTIM_CHUNK < a.len ? first + OPTIM_CHUNK : a.len;
        float sum = 0.0f;
        for (u64 k = first + t; k < end; k += THREAD_COUNT) sum += a.x[k] * a.x[k];
        sums[t] = sum;
    }
    END
    BLOCK_SUM(sums);
    THREADS {
        if (t == 0) a.partial[BLOCK_X] = sums[0];
    }
    END
}

/* *norm ← √Σ partial, by one block. */
typedef struct {
    u64 len;
    const float *partial;
    float *norm;
} OptimNorm;

KERNEL(optim_norm, OptimNorm) {
    SHARED double sums[BLOCK];
    THREADS {
        double sum = 0.0;
        for (u64 k = t; k < a.len; k += THREAD_COUNT) sum += (double)a.partial[k];
        sums[t] = sum;
    }
    END
    BLOCK_SUM(sums);
    THREADS {
        if (t == 0) *a.norm = (float)sqrt(sums[0]);
    }
    END
}

/* x ← min(max(x, −most), most); what is no number stays none. */
typedef struct {
    u64 len;
    float *x;
    float most;
} OptimClipValue;

KERNEL(optim_clip_value, OptimClipValue) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) {
            const float x = a.x[k];
            a.x[k] = x < -a.most ? -a.most : x > a.most ? a.most : x;
        }
    }
    END
}

/* x ← by·x */
typedef struct {
    u64 len;
    float *x;
    float by;
} OptimScale;

KERNEL(optim_scale, OptimScale) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) a.x[k] *= a.by;
    }
    END
}

/* x ← min(1, most/(norm + 1e-6))·x */
typedef struct {
    u64 len;
    float *x;
    const float *norm;
    double most;
} OptimClipNorm;

KERNEL(optim_clip_norm, OptimClipNorm) {
    THREADS {
        const double scale = a.most / ((double)*a.norm + 1e-6);
        const float by = (float)scale;
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        /* A norm that is NaN scales all by NaN: it is not to be lost. What is short enough stays to the bit. */
        if (!(scale >= 1.0))
            for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) a.x[k] *= by;
    }
    END
}

/* The segments' values become 0. */
typedef struct {
    const OptimChunk *chunks;
    float *x;
} OptimZero;

KERNEL(optim_zero, OptimZero) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) a.x[chunk.first + k] = 0.0f;
    }
    END
}
