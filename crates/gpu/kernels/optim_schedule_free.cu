/* Schedule-free steps: of the weights y, where gradients are taken, and of z beside them. */

/* The factors of both sequences. `first`: z is yet to become y. */
typedef struct {
    float lr, decay, toward, along;
    u32 first;
} OptimAveraging;

/* from + weight·(to − from), as PyTorch's lerp rounds it: from the nearer end. */
FUNCTION float optim_lerp(float from, float to, float weight) {
    const float way = to - from;
    return weight < 0.5f && weight > -0.5f ? from + optim_times(weight, way) : to - optim_times(way, 1.0f - weight);
}

/* d ← d + decay·y,  y ← lerp(y, z, toward) + along·d,  z ← z − lr·d */
FUNCTION void optim_schedule_free(OptimAveraging by, float direction, float *params, float *beside) {
    const float y = *params, z = by.first ? y : *beside, d = direction + optim_times(by.decay, y);
    *params = optim_lerp(y, z, by.toward) + optim_times(by.along, d);
    *beside = z - optim_times(by.lr, d);
}

typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *z;
    OptimAveraging by;
} OptimScheduleFreeSgd;

KERNEL(optim_schedule_free_sgd, OptimScheduleFreeSgd) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float *params = a.params + chunk.first, *z = a.z + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) optim_schedule_free(a.by, grads[k], params + k, z + k);
    }
    END
}

/* v ← keep·v + take·g²,  d = g/(√(v/weight) + eps) */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *z, *square_avg;
    float keep, take, weight, eps;
    OptimAveraging by;
} OptimScheduleFreeAdamW;

KERNEL(optim_schedule_free_adamw, OptimScheduleFreeAdamW) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float *params = a.params + chunk.first, *z = a.z + chunk.state, *square_avg = a.square_avg + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float g = grads[k];
            const float v = optim_times(a.keep, square_avg[k]) + optim_times(optim_times(a.take, g), g);
            square_avg[k] = v;
            optim_schedule_free(a.by, g / (sqrtf(v / a.weight) + a.eps), params + k, z + k);
        }
    }
    END
}
