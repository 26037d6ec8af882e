/* Activation functions, by number: the same that crate::ops::Act has. */
#ifndef RUNNER_ACTIVATION_H
#define RUNNER_ACTIVATION_H

enum { ACT_NONE, ACT_RELU, ACT_GELU, ACT_SILU, ACT_CELU, ACT_LEAKY_RELU };

/* Which function, and its setting: the alpha of CELU, the slope of leaky ReLU. */
typedef struct {
    u32 kind;
    float setting;
} Act;

FUNCTION float sigmoid(float z) {
    const float e = expf(z > 0.0f ? -z : z);
    return (z > 0.0f ? 1.0f : e) / (1.0f + e);
}

/* act(z) */
FUNCTION float act_value(Act act, float z) {
    switch (act.kind) {
    case ACT_RELU: return z < 0.0f ? 0.0f : z; /* This way round NaN stays. */
    case ACT_GELU: return 0.5f * z * (1.0f + erff(z * 0.70710678f));
    case ACT_SILU: return z * sigmoid(z);
    case ACT_CELU: return z > 0.0f ? z : act.setting * (expf(z / act.setting) - 1.0f);
    case ACT_LEAKY_RELU: return z > 0.0f ? z : act.setting * z;
    default: return z;
    }
}

/* dy·act'(z); for ReLU z may be the function's value, whose sign is the same. */
FUNCTION float act_pull(Act act, float z, float dy) {
    switch (act.kind) {
    case ACT_RELU: return z > 0.0f ? dy : 0.0f;
    case ACT_GELU:
        return dy * (0.5f * (1.0f + erff(z * 0.70710678f)) + z * 0.39894228f * expf(-0.5f * z * z));
    case ACT_SILU: {
        const float s = sigmoid(z);
        return dy * (s + z * s * (1.0f - s));
    }
    case ACT_CELU: return z > 0.0f ? dy : dy * expf(z / act.setting);
    case ACT_LEAKY_RELU: return z > 0.0f ? dy : dy * act.setting;
    default: return dy;
    }
}

#endif
