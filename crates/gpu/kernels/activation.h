/* Activation functions, by number: the same that crate::ops::Act has. */
#ifndef RUNNER_ACTIVATION_H
#define RUNNER_ACTIVATION_H

enum { ACT_NONE, ACT_RELU, ACT_GELU, ACT_SILU, ACT_CELU, ACT_LEAKY_RELU, ACT_MISH };

/* Which function, and its setting: the alpha of CELU, the slope of leaky ReLU. */
typedef struct {
    u32 kind;
    float setting;
} Act;

/* exp(-|z|), and the logistic function by it: nothing overflows. */
FUNCTION float exp_of_size(float z) { return expf(z > 0.0f ? -z : z); }
FUNCTION float sigmoid_by(float z, float e) { return (z > 0.0f ? 1.0f : e) / (1.0f + e); }
FUNCTION float sigmoid(float z) { return sigmoid_by(z, exp_of_size(z)); }

/* eˣ and 1/x by what a card has instructions for, off by a few units in the last place. */
#ifdef __CUDACC__
FUNCTION float quick_exp(float x) { return __expf(x); }
FUNCTION float quick_inverse(float x) { return __fdividef(1.0f, x); }
#else
FUNCTION float quick_exp(float x) { return expf(x); }
FUNCTION float quick_inverse(float x) { return 1.0f / x; }
#endif

/* The normal distribution at z: its density and the share below z, off by 1e-7 at most (Abramowitz and Stegun 1964, 26.2.17). GELU and its
 * slope are made of these two, and together they cost one exponential: norms are to wait for memory, not for erff. */
typedef struct {
    float density, below;
} Normal;

FUNCTION Normal normal(float z) {
    const float size = z < 0.0f ? -z : z, t = quick_inverse(1.0f + 0.2316419f * size);
    Normal at;
    at.density = 0.39894228f * quick_exp(-0.5f * z * z);
    const float tail =
        at.density * t * (0.31938153f + t * (-0.356563782f + t * (1.781477937f + t * (-1.821255978f + t * 1.330274429f))));
    at.below = z > 0.0f ? 1.0f - tail : tail;
    return at;
}

/* t = tanh(log(1 + exp z)) and 1 - t, by w = exp(-|z|): nothing cancels. */
typedef struct {
    float t, rest;
} MishGate;

FUNCTION MishGate mish_gate(float z, float w) {
    const float n = z > 0.0f ? 1.0f + 2.0f * w : w * (w + 2.0f),
                twice = z > 0.0f ? 2.0f * w * w : 2.0f;
    MishGate gate;
    gate.t = n / (n + twice);
    gate.rest = twice / (n + twice);
    return gate;
}

/* act(z) */
FUNCTION float act_value(Act act, float z) {
    switch (act.kind) {
    case ACT_RELU: return z < 0.0f ? 0.0f : z; /* This way round NaN stays. */
    case ACT_GELU: return z * normal(z).below;
    case ACT_SILU: return z * sigmoid(z);
    case ACT_CELU: return z > 0.0f ? z : act.setting * (expf(z / act.setting) - 1.0f);
    case ACT_LEAKY_RELU: return z > 0.0f ? z : act.setting * z;
    case ACT_MISH: return z * mish_gate(z, exp_of_size(z)).t;
    default: return z;
    }
}

/* dy·act'(z); for ReLU z may be the function's value, whose sign is the same. */
FUNCTION float act_pull(Act act, float z, float dy) {
    switch (act.kind) {
    case ACT_RELU: return z > 0.0f ? dy : 0.0f;
    case ACT_GELU: {
        const Normal at = normal(z);
        return dy * (at.below + z * at.density);
    }
    case ACT_SILU: {
        const float s = sigmoid(z);
        return dy * (s + z * s * (1.0f - s));
    }
    case ACT_CELU: return z > 0.0f ? dy : dy * expf(z / act.setting);
    case ACT_LEAKY_RELU: return z > 0.0f ? dy : dy * act.setting;
    case ACT_MISH: {
        const float w = exp_of_size(z);
        const MishGate gate = mish_gate(z, w);
        return dy * (gate.t + z * sigmoid_by(z, w) * gate.rest * (1.0f + gate.t));
    }
    default: return dy;
    }
}

#endif
