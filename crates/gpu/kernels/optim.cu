/* Steps of rules that take each value by itself; a block takes a chunk, and one launch all parameters. */

/* g ← share·(g + coupled·p),  b ← keep_momentum·b + g,  p ← keep·p − lr·(nesterov ? g + momentum·b : b) */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *buffer;
    float lr, coupled, keep, share, keep_momentum, momentum;
    u32 nesterov;
} OptimSgd;

KERNEL(optim_sgd, OptimSgd) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float *params = a.params + chunk.first, *buffer = a.buffer + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float p = params[k], g = optim_times(a.share, grads[k] + optim_times(a.coupled, p));
            const float b = optim_times(a.keep_momentum, buffer[k]) + g;
            const float direction = a.nesterov ? g + optim_times(a.momentum, b) : b;
            buffer[k] = b;
            params[k] = optim_times(a.keep, p) - optim_times(a.lr, direction);
        }
    }
    END
}

/* g ← g + coupled·p,  v ← keep_square·v + take_square·g²,  b ← keep_momentum·b + share·g/(√v + eps),  p ← keep·p − lr·b */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *buffer, *square_avg;
    float lr, coupled, keep, share, keep_momentum, keep_square, take_square, eps;
} OptimRmsProp;

KERNEL(optim_rmsprop, OptimRmsProp) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float *params = a.params + chunk.first;
        float *buffer = a.buffer + chunk.state, *square_avg = a.square_avg + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float p = params[k], g = grads[k] + optim_times(a.coupled, p);
            const float v = optim_times(a.keep_square, square_avg[k]) + optim_times(optim_times(a.take_square, g), g);
            const float b = optim_times(a.keep_momentum, buffer[k]) + optim_times(a.share, g / (sqrtf(v) + a.eps));
            square_avg[k] = v;
            buffer[k] = b;
            params[k] = optim_times(a.keep, p) - optim_times(a.lr, b);
        }
    }
    END
}

/* The factors of the running means of the gradient and of its square. */
typedef struct {
    float keep, take, keep_square, take_square, correct, correct_root, eps;
} OptimMoments;

/* Moves the means of one value, and gives the direction that they point in. */
FUNCTION float optim_direction(OptimMoments by, float g, float *mean, float *square_avg) {
    const float m = optim_times(by.keep, *mean) + optim_times(by.take, g);
    const float v = optim_times(by.keep_square, *square_avg) + optim_times(optim_times(by.take_square, g), g);
    *mean = m;
    *square_avg = v;
    return optim_times(m, by.correct) / (optim_times(sqrtf(v), by.correct_root) + by.eps);
}

/* p ← keep·p − lr·direction(g + coupled·p) */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *mean, *square_avg;
    OptimMoments by;
    float lr, coupled, keep;
} OptimAdam;

KERNEL(optim_adam, OptimAdam) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float *params = a.params + chunk.first;
        float *mean = a.mean + chunk.state, *square_avg = a.square_avg + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float p = params[k];
            const float direction = optim_direction(a.by, grads[k] + optim_times(a.coupled, p), mean + k, square_avg + k);
            params[k] = optim_times(a.keep, p) - optim_times(a.lr, direction);
        }
    }
    END
}

/* p ← keep·p − lr·sign(look·m + look_at·g),  m ← keep_mean·m + take·g */
typedef struct {
    const OptimChunk *chunks;
    float *params;
    const float *grads;
    float *mean;
    float lr, keep, look, look_at, keep_mean, take;
} OptimLion;

KERNEL(optim_lion, OptimLion) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        float *params = a.params + chunk.first, *mean = a.mean + chunk.state;
        const float *grads = a.grads + chunk.first;
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float g = grads[k], m = mean[k], x = optim_times(a.look, m) + optim_times(a.look_at, g);
            /* The last is 0, or NaN, so that it is seen. */
            const float sign = x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
            params[k] = optim_times(a.keep, params[k]) - optim_times(a.lr, sign);
            mean[k] = optim_times(a.keep_mean, m) + optim_times(a.take, g);
        }
    }
    END
}

/* Of a rule that is a mix of two: what the first one is given is kept, taken back, and its step added at the end. */
typedef struct {
    const OptimChunk *chunks;
    float *params, *grads;
    float *before, *kept;
} OptimMix;

KERNEL(optim_mix_keep, OptimMix) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            a.before[chunk.state + k] = a.params[chunk.first + k];
            a.kept[chunk.state + k] = a.grads[chunk.first + k];
        }
    }
    END
}

KERNEL(optim_mix_turn, OptimMix) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) {
            const float before = a.before[chunk.state + k], moved = a.params[chunk.first + k] - before;
            a.params[chunk.first + k] = before;
            a.before[chunk.state + k] = moved;
            a.grads[chunk.first + k] = a.kept[chunk.state + k];
        }
    }
    END
}

KERNEL(optim_mix_join, OptimMix) {
    THREADS {
        const OptimChunk chunk = a.chunks[BLOCK_X];
        for (u32 k = t; k < chunk.len; k += THREAD_COUNT) a.params[chunk.first + k] += a.before[chunk.state + k];
    }
    END
}
