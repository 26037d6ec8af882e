/* Cross-entropy, binary cross-entropy, their gradients, and what accuracies count. A block takes THREAD_COUNT / width rows of logits,
 * `width` threads each. */
#ifndef RUNNER_LOSS
#define RUNNER_LOSS
typedef struct {
    u64 rows, classes;
    const void *logits;
    const u32 *labels;
    /* Of mixtures; null where there are none. */
    const u32 *second;
    /* How much the rows count; null where all count once. */
    const float *weights;
    /* Null where it is not wanted. */
    void *gradient;
    /* Of each row: its loss, and 1 for correct + 2 for correct among the five largest. */
    double *losses;
    u32 *counts;
    /* Of the first labels in mixtures. */
    float own;
    float smoothing, factor;
    /* A power of two, at most BLOCK. */
    u32 width;
} LossRows;

/* Of binary cross-entropy: what differs from LossRows. */
typedef struct {
    u64 rows, classes;
    const void *logits;
    const u32 *labels;
    const u32 *second;
    const float *weights;
    void *gradient;
    double *losses;
    u32 *counts;
    float own;
    /* Targets: of a class that is no label, of one that is the only label, of the first and the second of a mixture. */
    float of_none, of_all, of_first, of_second;
    /* Of the gradient, the mean over classes in it. */
    float factor;
    u32 width;
} LossBinaryRows;

/* total (+)= Σ weight · loss, Σ correct, Σ correct among the five largest */
typedef struct {
    u64 rows;
    const double *losses;
    const u32 *counts;
    const float *weights;
    double *total;
    u32 add;
} LossTotal;

/* The labels with their shares, that of the larger first; none twice with a share. */
typedef struct {
    u32 first, second;
    float of_first, of_second;
} LossTarget;

FUNCTION LossTarget loss_target(u32 label, const u32 *second, float own) {
    LossTarget target;
    target.first = label, target.second = label;
    target.of_first = 1.0f, target.of_second = 0.0f;
    if (second && *second != label) {
        if (own >= 0.5f) {
            target.second = *second;
            target.of_first = own, target.of_second = 1.0f - own;
        } else {
            target.first = *second;
            target.of_first = 1.0f - own, target.of_second = own;
        }
    }
    return target;
}

/* What a class is to be. */
FUNCTION float loss_target_of(const LossBinaryRows *a, u64 row, u64 k) {
    const u32 first = a->labels[row], second = a->second ? a->second[row] : first;
    if (first == second) return k == first ? a->of_all : a->of_none;
    return k == first ? a->of_first : k == second ? a->of_second : a->of_none;
}

/* The weight of the answer that a logit speaks against. */
FUNCTION float loss_against(float z, float q) { return z > 0.0f ? 1.0f - q : q; }

FUNCTION float loss_weight(const float *weights, u64 row) { return weights ? weights[row] : 1.0f; }

KERNEL(loss_total, LossTotal) {
    SHARED double losses[BLOCK], correct[BLOCK], correct_top5[BLOCK];
    THREADS {
        double loss = 0.0;
        u64 first = 0, five = 0;
        for (u64 row = t; row < a.rows; row += THREAD_COUNT) {
            loss += loss_weight(a.weights, row) * a.losses[row];
            first += a.counts[row] & 1u;
            five += a.counts[row] >> 1;
        }
        losses[t] = loss;
        correct[t] = (double)first;
        correct_top5[t] = (double)five;
    }
    END
    for (u32 half = THREAD_COUNT / 2; half > 0; half /= 2) {
        THREADS {
            if (t < half) {
                losses[t] += losses[t + half];
                correct[t] += correct[t + half];
                correct_top5[t] += correct_top5[t + half];
            }
        }
        END
    }
    THREADS {
        if (t == 0) {
            a.total[0] = losses[0] + (a.add ? a.total[0] : 0.0);
            a.total[1] = correct[0] + (a.add ? a.total[1] : 0.0);
            a.total[2] = correct_top5[0] + (a.add ? a.total[2] : 0.0);
        }
    }
    END
}
#endif

/* A label's logit; none where there is no such class, so that the loss is no number. */
FUNCTION float TYPED(loss_logit)(const T *logits, u64 classes, u32 label) {
    return label < classes ? LOAD(logits + label) : bits_to_float(0x7fc00000u);
}

KERNEL(TYPED(loss_rows), LossRows) {
    SHARED float tops[BLOCK], plain_sums[BLOCK], sums[BLOCK];
    SHARED u32 ranks[BLOCK];
    THREADS {
        const u64 row = (u64)BLOCK_X * (THREAD_COUNT / a.width) + t / a.width;
        float top = bits_to_float(0xff800000u), sum = 0.0f;
        if (row < a.rows) {
            const T *logits = (const T *)a.logits + row * a.classes;
            for (u64 k = t % a.width; k < a.classes; k += a.width) {
                const float z = LOAD(logits + k);
                if (z > top) top = z;
                sum += z;
            }
        }
        tops[t] = top;
        plain_sums[t] = sum;
    }
    END
    for (u32 half = a.width / 2; half > 0; half /= 2) {
        THREADS {
            if (t % a.width < half) {
                if (tops[t + half] > tops[t]) tops[t] = tops[t + half];
                plain_sums[t] += plain_sums[t + half];
            }
        }
        END
    }
    THREADS {
        const u64 row = (u64)BLOCK_X * (THREAD_COUNT / a.width) + t / a.width;
        const float top = tops[t - t % a.width];
        float sum = 0.0f;
        u32 rank = 0;
        if (row < a.rows) {
            const T *logits = (const T *)a.logits + row * a.classes;
            const LossTarget target = loss_target(a.labels[row], a.second ? a.second + row : 0, a.own);
            const float of_label = TYPED(loss_logit)(logits, a.classes, target.first);
            /* Where something is no number, the label comes behind five others. */
            if (of_label != of_label) rank += 5;
            for (u64 k = t % a.width; k < a.classes; k += a.width) {
                const float z = LOAD(logits + k);
                sum += expf(z - top);
                if (z > of_label || (z == of_label && k < target.first)) rank++;
                if (z != z) rank += 5;
            }
        }
        sums[t] = sum;
        ranks[t] = rank;
    }
    END
    for (u32 half = a.width / 2; half > 0; half /= 2) {
        THREADS {
            if (t % a.width < half) {
                sums[t] += sums[t + half];
                ranks[t] += ranks[t + half];
            }
        }
        END
    }
    THREADS {
        const u64 row = (u64)BLOCK_X * (THREAD_COUNT / a.width) + t / a.width;
        if (row < a.rows && t % a.width == 0) {
            const T *logits = (const T *)a.logits + row * a.classes;
            const LossTarget target = loss_target(a.labels[row], a.second ? a.second + row : 0, a.own);
            const double smoothing = (double)a.smoothing;
            /* A share of nothing must not meet an infinite logit, nor must no smoothing meet an infinite mean. */
            double expected = 0.0;
            if (target.of_first > 0.0f)
                expected += (double)target.of_first * (double)TYPED(loss_logit)(logits, a.classes, target.first);
            if (target.of_second > 0.0f)
                expected += (double)target.of_second * (double)TYPED(loss_logit)(logits, a.classes, target.second);
            expected *= 1.0 - smoothing;
            if (smoothing > 0.0) expected += smoothing * ((double)plain_sums[t] / (double)a.classes);
            a.losses[row] = (double)tops[t] + log((double)sums[t]) - expected;
            a.counts[row] = (ranks[t] == 0 ? 1u : 0u) + (ranks[t] < 5 ? 2u : 0u);
        }
    }
    END
    /* A phase of its own: the gradient may lie where the logits are. */
    THREADS {
        const u64 row = (u64)BLOCK_X * (THREAD_COUNT / a.width) + t / a.width;
        const u32 lane = t % a.width;
        if (a.gradient && row < a.rows) {
            const float top = tops[t - lane], sum = sums[t - lane];
            const float spread = a.smoothing / (float)a.classes, sharp = 1.0f - a.smoothing;
            const T *logits = (const T *)a.logits + row * a.classes;
            T *gradient = (T *)a.gradient + row * a.classes;
            const float factor = loss_weight(a.weights, row) * a.factor;
            const LossTarget target = loss_target(a.labels[row], a.second ? a.second + row : 0, a.own);
            for (u64 k = lane; k < a.classes; k += a.width) {
                float d = expf(LOAD(logits + k) - top) / sum - spread;
                if (k == target.first) d -= sharp * target.of_first;
                else if (k == target.second) d -= sharp * target.of_second;
                STORE(gradient + k, d * factor);
            }
        }
    }
    END
}

/* A class has the loss w |z| + log(1 + exp(-|z|)) and the gradient +-(w - 1 / (1 + exp(|z|))), w as `loss_against` says: nothing overflows. */
KERNEL(TYPED(loss_binary_rows), LossBinaryRows) {
    SHARED double sums[BLOCK];
    SHARED u32 ranks[BLOCK];
    THREADS {
        const u64 row = (u64)BLOCK_X * (THREAD_COUNT / a.width) + t / a.width;
        double sum = 0.0;
        u32 rank = 0;
        if (row < a.rows) {
            const T *logits = (const T *)a.logits + row * a.classes;
            const LossTarget target = loss_target(a.labels[row], a.second ? a.second + row : 0, a.own);
            const float of_label = TYPED(loss_logit)(logits, a.classes, target.first);
            /* Where something is no number, the label comes behind five others. */
            if (of_label != of_label) rank += 5;
            for (u64 k = t % a.width; k < a.classes; k += a.width) {
                const float z = LOAD(logits + k), w = loss_against(z, loss_target_of(&a, row, k)), size = fabsf(z);
                /* A weight of nothing must not meet an infinite logit. */
                sum += (double)((w > 0.0f ? w * size : 0.0f) + log1pf(expf(-size)));
                if (z > of_label || (z == of_label && k < target.first)) rank++;
                if (z != z) rank += 5;
            }
        }
        sums[t] = sum;
        ranks[t] = rank;
    }
    END
    for (u32 half = a.width / 2; half > 0; half /= 2) {
        THREADS {
            if (t % a.width < half) {
                sums[t] += sums[t + half];
                ranks[t] += ranks[t + half];
            }
        }
        END
    }
    /* The gradient may lie where the logits are, which nobody reads but for itself any more. */
    THREADS {
        const u64 row = (u64)BLOCK_X * (THREAD_COUNT / a.width) + t / a.width;
        const u32 lane = t % a.width;
        if (row < a.rows && lane == 0) {
            const LossTarget target = loss_target(a.labels[row], a.second ? a.second + row : 0, a.own);
            /* A label that is none of the classes shows. */
            const u32 known = target.first < a.classes && (target.of_second == 0.0f || target.second < a.classes);
            a.losses[row] = known ? sums[t] / (double)a.classes : (double)bits_to_float(0x7fc00000u);
            a.counts[row] = (ranks[t] == 0 ? 1u : 0u) + (ranks[t] < 5 ? 2u : 0u);
        }
        if (a.gradient && row < a.rows) {
            const T *logits = (const T *)a.logits + row * a.classes;
            T *gradient = (T *)a.gradient + row * a.classes;
            const float factor = loss_weight(a.weights, row) * a.factor;
            for (u64 k = lane; k < a.classes; k += a.width) {
                const float z = LOAD(logits + k), w = loss_against(z, loss_target_of(&a, row, k)), e = expf(-fabsf(z));
                const float s = e / (1.0f + e);
                STORE(gradient + k, (z > 0.0f ? w - s : s - w) * factor);
            }
        }
    }
    END
}
