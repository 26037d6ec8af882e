/* Steps of rules whose rates follow the norms of each tensor. Three launches: sums of squares of each chunk, the rate of each
 * segment by one block, which adds its chunks' sums in a fixed order, and the step. */

/* Of each chunk, the sums of the squares of its parameters and of its gradients, one after the other. */
typedef struct {
    const OptimChunk *chunks;
    const float *params, *grads;
    float *partial;
} OptimLarsNorms;

KERNEL(optim_lars_norms, OptimLarsNorms) {
    SHARED float sum_p[BLOCK], sum_g[BLOCK];
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float pp = 0.0f, gg = 0.0f;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float p = a.params[chunk.first + k], g = a.grads[chunk.first + k];
            pp += p * p;
            gg += g * g;
        }
        sum_p[t] = pp;
        sum_g[t] = gg;
    }
    END
    OPTIM_PUT_SUMS(a.partial, sum_p, sum_g)
}

/* of/by, and 1 where one of them is 0 or no number. */
FUNCTION double optim_ratio(double of, double by) { return of > 0.0 && by > 0.0 ? of / by : 1.0; }

/* ratio = trust·‖p‖/(‖g‖ + coupled·‖p‖ + eps) */
typedef struct {
    const OptimSegment *segments;
    const float *partial;
    float *ratios;
    double trust, eps, coupled;
} OptimLarsRatios;

KERNEL(optim_lars_ratios, OptimLarsRatios) {
    SHARED double sum_p[BLOCK], sum_g[BLOCK];
    OPTIM_GET_SUMS(a.segments[BLOCK_X], a.partial, sum_p, sum_g)
    THREADS {
        if (t == 0) {
            const double p = sqrt(sum_p[0]), g = sqrt(sum_g[0]);
            const double by = g > 0.0 ? g + a.coupled * p + a.eps : 0.0;
            a.ratios[BLOCK_X] = a.segments[BLOCK_X].adapted ? (float)optim_ratio(a.trust * p, by) : 1.0f;
        }
    }
    END
}

/* With r = share·ratio and k = handed_on ? as_sum·r : momentum:
 * g ← r·(g + coupled·p),  b ← k·b + g,  w ← k·w + r,  p ← keep·p − lr·(nesterov ? g + momentum·b : b) */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *buffer, *weight;
    const float *ratios;
    float lr, coupled, keep, share, momentum, as_sum;
    u32 nesterov, handed_on;
} OptimLars;

KERNEL(optim_lars, OptimLars) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        const float ratio = optim_times(a.share, a.ratios[chunk.segment]);
        const float keep = a.handed_on ? optim_times(a.as_sum, ratio) : a.momentum;
        float *params = a.params + chunk.first;
        float *buffer = a.buffer + chunk.state, *weight = a.weight + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float p = params[k], g = optim_times(ratio, grads[k] + optim_times(a.coupled, p));
            const float b = optim_times(keep, buffer[k]) + g;
            const float direction = a.nesterov ? g + optim_times(a.momentum, b) : b;
            buffer[k] = b;
            weight[k] = optim_times(keep, weight[k]) + ratio;
            params[k] = optim_times(a.keep, p) - optim_times(a.lr, direction);
        }
    }
    END
}

/* g ← u = direction(g) + decay·p, and the sums of the squares of p and u of each chunk. */
typedef struct {
    const OptimChunk *chunks;
    const float *params;
    float *grads, *mean, *square_avg, *partial;
    OptimMoments by;
    float decay;
} OptimLambDirections;

KERNEL(optim_lamb_directions, OptimLambDirections) {
    SHARED float sum_p[BLOCK], sum_u[BLOCK];
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        const float *params = a.params + chunk.first;
        float *grads = a.grads + chunk.first, *mean = a.mean + chunk.state, *square_avg = a.square_avg + chunk.state;
        float pp = 0.0f, uu = 0.0f;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float p = params[k];
            const float u = optim_direction(a.by, grads[k], mean + k, square_avg + k) + optim_times(a.decay, p);
            grads[k] = u;
            pp += p * p;
            uu += u * u;
        }
        sum_p[t] = pp;
        sum_u[t] = uu;
    }
    END
    OPTIM_PUT_SUMS(a.partial, sum_p, sum_u)
}

/* rate = lr·‖p‖/‖u‖ */
typedef struct {
    const OptimSegment *segments;
    const float *partial;
    float *rates;
    double lr;
} OptimLambRates;

KERNEL(optim_lamb_rates, OptimLambRates) {
    SHARED double sum_p[BLOCK], sum_u[BLOCK];
    OPTIM_GET_SUMS(a.segments[BLOCK_X], a.partial, sum_p, sum_u)
    THREADS {
        if (t == 0) {
            const double ratio = a.segments[BLOCK_X].adapted ? optim_ratio(sqrt(sum_p[0]), sqrt(sum_u[0])) : 1.0;
            a.rates[BLOCK_X] = (float)(a.lr * ratio);
        }
    }
    END
}

/* p ← p − rate·u */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *directions, *rates;
} OptimLamb;

KERNEL(optim_lamb, OptimLamb) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        const float rate = a.rates[chunk.segment];
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const u64 at = chunk.first + k;
            a.params[at] = a.params[at] - optim_times(rate, a.directions[at]);
        }
    }
    END
}
