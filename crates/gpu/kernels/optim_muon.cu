/* Muon, but for its matrix products: what stands before, between and after them. */
#ifndef RUNNER_OPTIM_MUON
#define RUNNER_OPTIM_MUON
/* b ← keep_momentum·b + g,  g ← nesterov ? g + momentum·b : b, and of each chunk the sums of the squares of p, if
 * `renormalise`, and of that g, one after the other. */
typedef struct {
    const OptimChunk *chunks;
    const float *params;
    float *grads, *buffer, *partial;
    float keep_momentum, momentum;
    u32 nesterov, renormalise;
} OptimMuonMomentum;

KERNEL(optim_muon_momentum, OptimMuonMomentum) {
    SHARED float sum_p[BLOCK], sum_g[BLOCK];
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        const float *params = a.params + chunk.first;
        float *grads = a.grads + chunk.first, *buffer = a.buffer + chunk.state;
        float pp = 0.0f, gg = 0.0f;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float b = optim_times(a.keep_momentum, buffer[k]) + grads[k];
            const float g = a.nesterov ? grads[k] + optim_times(a.momentum, b) : b;
            buffer[k] = b;
            grads[k] = g;
            gg += g * g;
            if (a.renormalise) pp += params[k] * params[k];
        }
        sum_p[t] = pp;
        sum_g[t] = gg;
    }
    END
    OPTIM_PUT_SUMS(a.partial, sum_p, sum_g)
}

/* Of each matrix: what it is multiplied by for the iterations, 1/(‖g‖ + 1e-7), and what is kept of its weights, `keep` or, if
 * `renormalise`, keep·√rows/‖p‖. */
typedef struct {
    const OptimSegment *segments;
    const float *partial;
    float *factors, *keeps;
    double keep;
    u32 renormalise;
} OptimMuonFactors;

KERNEL(optim_muon_factors, OptimMuonFactors) {
    SHARED double sum_p[BLOCK], sum_g[BLOCK];
    OPTIM_GET_SUMS(a.segments[BLOCK_X], a.partial, sum_p, sum_g)
    THREADS {
        if (t == 0) {
            const double norm = a.renormalise ? sqrt(sum_p[0]) : 0.0;
            /* Weights that are all zero have no direction to keep. */
            const double to_norm = norm > 0.0 ? sqrt((double)a.segments[BLOCK_X].rows) / norm : 1.0;
            a.factors[BLOCK_X] = (float)(1.0 / (sqrt(sum_g[0]) + 1e-7));
            a.keeps[BLOCK_X] = (float)(to_norm * a.keep);
        }
    }
    END
}

/* Where a matrix lies: it begins at `first` of the parameters; in a batch, its rows are `across` apart. */
typedef struct {
    u64 first;
    double scale;
    u32 cols, across;
} OptimMuonPlace;

/* Its element `at` of the parameters, from the matrix's beginning in the batch. */
FUNCTION u64 optim_muon_place(const OptimMuonPlace *place, u64 at) {
    const u32 offset = (u32)(at - place->first);
    return (u64)(offset / place->cols) * place->across + offset % place->cols;
}

/* x ← factor·g: the matrices of a batch, one after another, with gaps where they are smaller. `state` of these chunks is where the matrix
 * begins in x. */
typedef struct {
    const OptimChunk *chunks;
    const OptimMuonPlace *places;
    const float *grads, *factors;
    float *x;
} OptimMuonGather;

KERNEL(optim_muon_gather, OptimMuonGather) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        const OptimMuonPlace own = a.places[chunk.segment];
        const float factor = a.factors[chunk.segment];
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT)
            a.x[chunk.state + optim_muon_place(&own, chunk.first + k)] = optim_times(factor, a.grads[chunk.first + k]);
    }
    END
}

/* p ← keep·p − lr·scale·x, by the same chunks. */
typedef struct {
    const OptimChunk *chunks;
    const OptimMuonPlace *places;
    float *params;
    const float *x, *keeps;
    double lr;
} OptimMuonUpdate;

KERNEL(optim_muon_update, OptimMuonUpdate) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        const OptimMuonPlace own = a.places[chunk.segment];
        const float keep = a.keeps[chunk.segment], lr = (float)(a.lr * own.scale);
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const u64 at = chunk.first + k;
            const float x = a.x[chunk.state + optim_muon_place(&own, at)];
            a.params[at] = optim_times(keep, a.params[at]) - optim_times(lr, x);
        }
    }
    END
}

/* operand ← x, rounded;  x ← by·x */
typedef struct {
    u64 len;
    float *x;
    void *operand;
    float by;
} OptimMuonOperand;
#endif

KERNEL(TYPED(optim_muon_operand), OptimMuonOperand) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 k = (u64)BLOCK_X * THREAD_COUNT + t; k < a.len; k += step) {
            const float x = a.x[k];
            STORE((T *)a.operand + k, x);
            a.x[k] = a.by * x;
        }
    }
    END
}
