/* Batch normalisation of a value seen as (rows, channels), by parts of the batch that have statistics of their own.
 *
 * A part is cut into pieces of rows and a row into tiles of channels; a block takes a tile of a piece. Its threads stand side
 * by side in columns, each for a span of `width` neighbouring channels, and behind each other in lanes, which take rows in
 * turn. So a thread keeps its channels, whose factors it works out once, and neighbours read neighbouring elements. Sums over
 * rows are added in float by each thread, then over the lanes as a tree, and in double over the pieces of a part: in an order
 * that the cut alone decides. */
#ifndef RUNNER_NORM
#define RUNNER_NORM

/* Rows whose elements a thread asks for before it uses the first: what hides the memory's latency. */
#define NORM_ROWS 4
/* The same where each row is read from several values: as many as leave registers for two blocks on a multiprocessor (sm_90). */
#define NORM_BACKWARD_ROWS 3

/* How the work is cut. */
typedef struct {
    u64 images;
    /* Rows of an image. */
    u64 pixels;
    /* Rows of a piece; at a part's end there may be fewer, or none. */
    u64 length;
    u32 parts;
    /* Of each part. */
    u32 pieces;
    u32 channels;
    /* Threads side by side: a power of two. */
    u32 columns;
    u32 tiles;
    /* Channels of a thread: 4, which then divides the channels, or 1. */
    u32 width;
} NormCut;

/* What a thread has of it. */
typedef struct {
    u32 part;
    /* Of all parts' pieces. */
    u32 piece;
    u32 column, lane, lanes;
    /* The first of the thread's, and whether there is such a channel. */
    u32 channel, inside;
    /* Rows of the piece. */
    u64 first, end;
} NormSpot;

/* The first row of a part. */
FUNCTION u64 norm_border(const NormCut *cut, u32 part) { return (u64)part * cut->images / cut->parts * cut->pixels; }

FUNCTION u64 norm_part_rows(const NormCut *cut, u32 part) { return norm_border(cut, part + 1) - norm_border(cut, part); }

FUNCTION NormSpot norm_spot(const NormCut *cut, u32 block, u32 t) {
    NormSpot spot;
    spot.piece = block / cut->tiles;
    spot.part = spot.piece / cut->pieces;
    spot.column = t % cut->columns;
    spot.lane = t / cut->columns;
    spot.lanes = BLOCK / cut->columns;
    spot.channel = (block % cut->tiles * cut->columns + spot.column) * cut->width;
    spot.inside = spot.channel < cut->channels;
    const u64 end = norm_border(cut, spot.part + 1);
    spot.first = norm_border(cut, spot.part) + spot.piece % cut->pieces * cut->length;
    if (spot.first > end) spot.first = end;
    spot.end = spot.first + cut->length < end ? spot.first + cut->length : end;
    return spot;
}

/* Of `count` rows of BLOCK numbers, s[k·BLOCK + column] becomes the sum over the lanes, as a tree. */
#define NORM_SUM_LANES(s, count, columns)                                                                                        \
    for (u32 half_ = BLOCK / 2; half_ >= (columns); half_ /= 2) {                                                                \
        THREADS {                                                                                                                \
            if (t < half_) {                                                                                                     \
                UNROLL for (u32 k_ = 0; k_ < (count); k_++)(s)[k_ * BLOCK + t] += (s)[k_ * BLOCK + t + half_];                   \
            }                                                                                                                    \
        }                                                                                                                        \
        END                                                                                                                      \
    }

/* Threads side by side of the blocks that add up pieces. Few: what takes time is to wait for one piece after another, and the more blocks
 * there are, the fewer each has. */
#define NORM_COLUMNS 2u
#define NORM_LANES (BLOCK / NORM_COLUMNS)

typedef struct {
    NormCut cut;
    const void *x;
    /* (parts·pieces, 3, channels): the number that was subtracted, and the sums of what is left and of its squares. */
    float *partials;
    /* (parts, channels) */
    float *mean, *var;
} NormStatistics;

/* Mean and biased variance of each part, of its pieces' sums. */
KERNEL(norm_statistics, NormStatistics) {
    SHARED double s[2 * BLOCK];
    PRIVATE(double, origin);
    THREADS {
        const u64 c = a.cut.channels, tiles = (c + NORM_COLUMNS - 1) / NORM_COLUMNS;
        const u32 part = (u32)(BLOCK_X / tiles);
        const u64 channel = BLOCK_X % tiles * NORM_COLUMNS + t % NORM_COLUMNS, rows = norm_part_rows(&a.cut, part);
        const float *from = a.partials + (u64)part * a.cut.pieces * 3 * c + channel;
        double sum = 0.0, square = 0.0;
        MY(origin) = 0.0;
        if (channel < c) {
            /* Of the means of pieces, too, one is subtracted first. */
            MY(origin) = from[0];
            for (u32 piece = t / NORM_COLUMNS; piece < a.cut.pieces; piece += NORM_LANES) {
                const u64 before = piece * a.cut.length;
                if (before >= rows) break;
                const double n = (double)(rows - before < a.cut.length ? rows - before : a.cut.length);
                const float *at = from + piece * 3 * c;
                const double total = at[c], offset = total / n, own = at[2 * c] - total * offset;
                const double mean = at[0] - MY(origin) + offset;
                sum += n * mean;
                /* This way round NaN stays. */
                square += (own < 0.0 ? 0.0 : own) + n * mean * mean;
            }
        }
        s[t] = sum;
        s[BLOCK + t] = square;
    }
    END
    NORM_SUM_LANES(s, 2, NORM_COLUMNS)
    THREADS {
        const u64 c = a.cut.channels, tiles = (c + NORM_COLUMNS - 1) / NORM_COLUMNS;
        const u32 part = (u32)(BLOCK_X / tiles);
        const u64 channel = BLOCK_X % tiles * NORM_COLUMNS + t;
        if (t < NORM_COLUMNS && channel < c) {
            const double n = (double)norm_part_rows(&a.cut, part), offset = s[t] / n;
            const double var = s[BLOCK + t] / n - offset * offset;
            a.mean[part * c + channel] = (float)(MY(origin) + offset);
            a.var[part * c + channel] = var < 0.0 ? 0.0f : (float)var;
        }
    }
    END
}

typedef struct {
    NormCut cut;
    /* Of the batch: (parts, channels). */
    const float *mean, *var;
    float *running_mean, *running_var;
    float momentum;
} NormRunning;

/* running += momentum·(batch − running), where the batch's are means over parts, by their rows; the variances are unbiased. */
KERNEL(norm_running, NormRunning) {
    THREADS {
        const u64 c = a.cut.channels, channel = (u64)BLOCK_X * THREAD_COUNT + t;
        if (channel < c) {
            const double all = (double)(a.cut.images * a.cut.pixels), momentum = a.momentum;
            double mean = 0.0, var = 0.0;
            for (u32 part = 0; part < a.cut.parts; part++) {
                const double rows = (double)norm_part_rows(&a.cut, part);
                const double unbias = rows / ((rows < 2.0 ? 2.0 : rows) - 1.0);
                mean += rows / all * a.mean[part * c + channel];
                var += rows / all * unbias * a.var[part * c + channel];
            }
            /* What is replaced may be no number. */
            if (a.momentum != 1.0f) {
                const double old_mean = a.running_mean[channel], old_var = a.running_var[channel];
                mean = old_mean + momentum * (mean - old_mean);
                var = old_var + momentum * (var - old_var);
            }
            a.running_mean[channel] = (float)mean;
            a.running_var[channel] = (float)var;
        }
    }
    END
}

typedef struct {
    NormCut cut;
    /* Of the outputs: channels of a row, and where those of the norm begin. */
    u64 row, first;
    const void *x, *residual;
    void *y;
    const float *mean, *var, *gamma, *beta;
    float eps;
    Act act;
} NormForward;

typedef struct {
    NormCut cut;
    u64 row, first;
    /* Null is what z is not made of: `y` is the output of a ReLU, and spares the rest. */
    const void *x, *residual, *y, *dy;
    const float *mean, *var, *gamma, *beta;
    /* (parts·pieces, 2, channels): the sums of dz and of dz·(x − μ). */
    float *partials;
    /* (parts, 2, channels): the same of each part; null where the statistics are constants. */
    float *sums;
    /* Null is not wanted. */
    void *dx, *dresidual;
    float *dgamma, *dbeta;
    float eps;
    Act act;
    u32 add_dx, add_dresidual;
} NormBackward;

/* Each part's sums, of its pieces'. With a single part also dβ and dγ, where they are wanted. */
KERNEL(norm_sums, NormBackward) {
    SHARED double s[2 * BLOCK];
    THREADS {
        const u64 c = a.cut.channels, tiles = (c + NORM_COLUMNS - 1) / NORM_COLUMNS;
        const u64 channel = BLOCK_X % tiles * NORM_COLUMNS + t % NORM_COLUMNS;
        const float *from = a.partials + BLOCK_X / tiles * a.cut.pieces * 2 * c + channel;
        double sum = 0.0, centred = 0.0;
        if (channel < c) {
            for (u32 piece = t / NORM_COLUMNS; piece < a.cut.pieces; piece += NORM_LANES) {
                sum += from[piece * 2 * c];
                centred += from[piece * 2 * c + c];
            }
        }
        s[t] = sum;
        s[BLOCK + t] = centred;
    }
    END
    NORM_SUM_LANES(s, 2, NORM_COLUMNS)
    THREADS {
        const u64 c = a.cut.channels, tiles = (c + NORM_COLUMNS - 1) / NORM_COLUMNS, part = BLOCK_X / tiles;
        const u64 channel = BLOCK_X % tiles * NORM_COLUMNS + t;
        if (t < NORM_COLUMNS && channel < c) {
            a.sums[part * 2 * c + channel] = (float)s[t];
            a.sums[part * 2 * c + c + channel] = (float)s[BLOCK + t];
            if (a.cut.parts == 1) {
                if (a.dbeta) a.dbeta[channel] = (float)s[t];
                if (a.dgamma) a.dgamma[channel] = (float)(s[BLOCK + t] / sqrt((double)a.var[channel] + a.eps));
            }
        }
    }
    END
}

/* dβ and dγ, where they are wanted, of all parts' sums. */
KERNEL(norm_total, NormBackward) {
    THREADS {
        const u64 c = a.cut.channels, channel = (u64)BLOCK_X * THREAD_COUNT + t;
        if (channel < c) {
            double dbeta = 0.0, dgamma = 0.0;
            for (u64 part = 0; part < a.cut.parts; part++) {
                const float *from = a.sums + part * 2 * c + channel;
                dbeta += from[0];
                dgamma += from[c] / sqrt((double)a.var[part * c + channel] + a.eps);
            }
            if (a.dbeta) a.dbeta[channel] = (float)dbeta;
            if (a.dgamma) a.dgamma[channel] = (float)dgamma;
        }
    }
    END
}

/* What a thread needs of its channels: z = (x − mean)·scale + shift. Subtracting first keeps the digits that x·scale + shift
 * loses where |μ| ≫ σ. */
typedef struct {
    float mean[4], scale[4], shift[4];
} NormTable;

FUNCTION NormTable norm_table(const float *mean, const float *var, const float *gamma, const float *beta, float eps, u64 at,
                              u32 channel, const u32 width) {
    NormTable table;
    UNROLL for (u32 k = 0; k < width; k++) {
        table.mean[k] = mean[at + k];
        table.scale[k] = gamma[channel + k] / sqrtf(var[at + k] + eps);
        table.shift[k] = beta[channel + k];
    }
    return table;
}

/* act(z) in place. The two that nearly all norms have come first, so that the choice is made once for a span. */
FUNCTION void norm_activate(Act act, float *z, const u32 width) {
    if (act.kind == ACT_RELU) {
        UNROLL for (u32 k = 0; k < width; k++) z[k] = z[k] < 0.0f ? 0.0f : z[k];
    } else if (act.kind != ACT_NONE) {
        UNROLL for (u32 k = 0; k < width; k++) z[k] = act_value(act, z[k]);
    }
}

/* dy becomes dz. */
FUNCTION void norm_pull(Act act, const float *z, float *dy, const u32 width) {
    if (act.kind == ACT_RELU) {
        UNROLL for (u32 k = 0; k < width; k++) dy[k] = z[k] > 0.0f ? dy[k] : 0.0f;
    } else if (act.kind != ACT_NONE) {
        UNROLL for (u32 k = 0; k < width; k++) dy[k] = act_pull(act, z[k], dy[k]);
    }
}
#endif

/* Adds x − shift of the thread's rows to `sum`, and its square to `square`. */
FUNCTION void TYPED(norm_add_shifted)(const NormStatistics *a, NormSpot spot, const float *shift, float *sum, float *square,
                                      const u32 width) {
    const T *x = (const T *)a->x + spot.channel;
    for (u64 row = spot.first + spot.lane; row < spot.end; row += (u64)NORM_ROWS * spot.lanes) {
        float v[NORM_ROWS][4];
        UNROLL for (u32 u = 0; u < NORM_ROWS; u++) {
            UNROLL for (u32 k = 0; k < width; k++) v[u][k] = shift[k];
            const u64 at = row + (u64)u * spot.lanes;
            if (at < spot.end) {
                LOAD_SPAN(v[u], x + at * a->cut.channels, width);
            }
        }
        UNROLL for (u32 u = 0; u < NORM_ROWS; u++) {
            UNROLL for (u32 k = 0; k < width; k++) {
                const float d = v[u][k] - shift[k];
                sum[k] += d;
                square[k] += d * d;
            }
        }
    }
}

/* The sums of a piece. What is subtracted is the mean of rows spread over it, as many as there are lanes, so that nothing
 * cancels where |μ| ≫ σ when sum²/rows is taken from `square`: these rows can only be far from the mean where σ is large. */
KERNEL(TYPED(norm_partial_statistics), NormStatistics) {
    SHARED float s[8 * BLOCK];
    PRIVATE(NormSpot, spot);
    PRIVATES(float, shift, 4);
    PRIVATES(float, sum, 4);
    PRIVATES(float, square, 4);
    THREADS {
        MY(spot) = norm_spot(&a.cut, BLOCK_X, t);
        const u64 rows = MY(spot).end - MY(spot).first, lanes = MY(spot).lanes, probes = rows < lanes ? rows : lanes;
        float v[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (MY(spot).inside && MY(spot).lane < probes) {
            const u64 row = MY(spot).first + MY(spot).lane * rows / probes;
            LOAD_SPAN(v, (const T *)a.x + row * a.cut.channels + MY(spot).channel, a.cut.width);
        }
        UNROLL for (u32 k = 0; k < 4; k++) s[k * BLOCK + t] = v[k];
    }
    END
    NORM_SUM_LANES(s, 4, a.cut.columns)
    THREADS {
        const u64 rows = MY(spot).end - MY(spot).first, lanes = MY(spot).lanes, probes = rows < lanes ? rows : lanes;
        UNROLL for (u32 k = 0; k < 4; k++) {
            MINE(shift, k) = probes ? s[k * BLOCK + MY(spot).column] / (float)probes : 0.0f;
            MINE(sum, k) = 0.0f;
            MINE(square, k) = 0.0f;
        }
        if (MY(spot).inside) {
            if (a.cut.width == 4)
                TYPED(norm_add_shifted)(&a, MY(spot), MY(shift), MY(sum), MY(square), 4);
            else
                TYPED(norm_add_shifted)(&a, MY(spot), MY(shift), MY(sum), MY(square), 1);
        }
    }
    END
    THREADS {
        UNROLL for (u32 k = 0; k < 4; k++) {
            s[k * BLOCK + t] = MINE(sum, k);
            s[(4 + k) * BLOCK + t] = MINE(square, k);
        }
    }
    END
    NORM_SUM_LANES(s, 8, a.cut.columns)
    THREADS {
        if (MY(spot).lane == 0 && MY(spot).inside) {
            const u64 c = a.cut.channels;
            float *to = a.partials + MY(spot).piece * 3 * c + MY(spot).channel;
            UNROLL for (u32 k = 0; k < 4; k++) {
                if (k < a.cut.width) {
                    to[k] = MINE(shift, k);
                    to[c + k] = s[k * BLOCK + t];
                    to[2 * c + k] = s[(4 + k) * BLOCK + t];
                }
            }
        }
    }
    END
}

FUNCTION void TYPED(norm_forward_rows)(const NormForward *a, NormSpot spot, const u32 width) {
    const u64 c = a->cut.channels;
    const T *x = (const T *)a->x + spot.channel, *residual = a->residual ? (const T *)a->residual + spot.channel : 0;
    T *y = (T *)a->y + a->first + spot.channel;
    const NormTable table =
        norm_table(a->mean, a->var, a->gamma, a->beta, a->eps, spot.part * c + spot.channel, spot.channel, width);
    for (u64 row = spot.first + spot.lane; row < spot.end; row += (u64)NORM_ROWS * spot.lanes) {
        float z[NORM_ROWS][4], other[NORM_ROWS][4];
        UNROLL for (u32 u = 0; u < NORM_ROWS; u++) {
            UNROLL for (u32 k = 0; k < width; k++) z[u][k] = other[u][k] = 0.0f;
            const u64 at = row + (u64)u * spot.lanes;
            if (at < spot.end) {
                LOAD_SPAN(z[u], x + at * c, width);
                if (residual) {
                    LOAD_SPAN(other[u], residual + at * c, width);
                }
            }
        }
        UNROLL for (u32 u = 0; u < NORM_ROWS; u++) {
            const u64 at = row + (u64)u * spot.lanes;
            if (at < spot.end) {
                UNROLL for (u32 k = 0; k < width; k++)
                    z[u][k] = (z[u][k] - table.mean[k]) * table.scale[k] + table.shift[k] + other[u][k];
                norm_activate(a->act, z[u], width);
                STORE_SPAN(y + at * a->row, z[u], width);
            }
        }
    }
}

/* y = act(γ·x̂ + β [+ residual]) */
KERNEL(TYPED(norm_forward), NormForward) {
    THREADS {
        const NormSpot spot = norm_spot(&a.cut, BLOCK_X, t);
        if (spot.inside) {
            if (a.cut.width == 4)
                TYPED(norm_forward_rows)(&a, spot, 4);
            else
                TYPED(norm_forward_rows)(&a, spot, 1);
        }
    }
    END
}

/* Of one row's span: what z is made of beside x (the output, or a residual, or nothing: 0), and dy. */
FUNCTION void TYPED(norm_load_pull)(const NormBackward *a, NormSpot spot, u64 row, float *x, float *other, float *dy,
                                    const u32 width) {
    const u64 input = row * a->cut.channels + spot.channel, output = row * a->row + a->first + spot.channel;
    LOAD_SPAN(x, (const T *)a->x + input, width);
    LOAD_SPAN(dy, (const T *)a->dy + output, width);
    if (a->y) {
        LOAD_SPAN(other, (const T *)a->y + output, width);
    } else if (a->residual) {
        LOAD_SPAN(other, (const T *)a->residual + input, width);
    }
}

/* x becomes x − μ, and dy becomes dz. */
FUNCTION void TYPED(norm_pull_span)(const NormBackward *a, const NormTable *table, float *x, float *other, float *dy,
                                    const u32 width) {
    UNROLL for (u32 k = 0; k < width; k++) {
        x[k] -= table->mean[k];
        if (!a->y) other[k] = x[k] * table->scale[k] + table->shift[k] + other[k];
    }
    norm_pull(a->act, other, dy, width);
}

/* Adds dz of the thread's rows to `sum`, and dz·(x − μ) to `centred`. */
FUNCTION void TYPED(norm_add_pulls)(const NormBackward *a, NormSpot spot, float *sum, float *centred, const u32 width) {
    const u64 statistics = spot.part * (u64)a->cut.channels + spot.channel;
    const NormTable table = norm_table(a->mean, a->var, a->gamma, a->beta, a->eps, statistics, spot.channel, width);
    for (u64 row = spot.first + spot.lane; row < spot.end; row += (u64)NORM_BACKWARD_ROWS * spot.lanes) {
        float x[NORM_BACKWARD_ROWS][4], other[NORM_BACKWARD_ROWS][4], dy[NORM_BACKWARD_ROWS][4];
        UNROLL for (u32 u = 0; u < NORM_BACKWARD_ROWS; u++) {
            UNROLL for (u32 k = 0; k < width; k++) x[u][k] = other[u][k] = dy[u][k] = 0.0f;
            const u64 at = row + (u64)u * spot.lanes;
            if (at < spot.end) TYPED(norm_load_pull)(a, spot, at, x[u], other[u], dy[u], width);
        }
        UNROLL for (u32 u = 0; u < NORM_BACKWARD_ROWS; u++) {
            if (row + (u64)u * spot.lanes < spot.end) {
                TYPED(norm_pull_span)(a, &table, x[u], other[u], dy[u], width);
                UNROLL for (u32 k = 0; k < width; k++) {
                    sum[k] += dy[u][k];
                    centred[k] += dy[u][k] * x[u][k];
                }
            }
        }
    }
}

/* The sums of a piece. */
KERNEL(TYPED(norm_partial_sums), NormBackward) {
    SHARED float s[8 * BLOCK];
    PRIVATE(NormSpot, spot);
    THREADS {
        MY(spot) = norm_spot(&a.cut, BLOCK_X, t);
        float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f}, centred[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (MY(spot).inside) {
            if (a.cut.width == 4)
                TYPED(norm_add_pulls)(&a, MY(spot), sum, centred, 4);
            else
                TYPED(norm_add_pulls)(&a, MY(spot), sum, centred, 1);
        }
        UNROLL for (u32 k = 0; k < 4; k++) {
            s[k * BLOCK + t] = sum[k];
            s[(4 + k) * BLOCK + t] = centred[k];
        }
    }
    END
    NORM_SUM_LANES(s, 8, a.cut.columns)
    THREADS {
        if (MY(spot).lane == 0 && MY(spot).inside) {
            const u64 c = a.cut.channels;
            float *to = a.partials + MY(spot).piece * 2 * c + MY(spot).channel;
            UNROLL for (u32 k = 0; k < 4; k++) {
                if (k < a.cut.width) {
                    to[k] = s[k * BLOCK + t];
                    to[c + k] = s[(4 + k) * BLOCK + t];
                }
            }
        }
    }
    END
}

FUNCTION void TYPED(norm_backward_rows)(const NormBackward *a, NormSpot spot, const u32 width) {
    const u64 c = a->cut.channels, statistics = spot.part * c + spot.channel;
    T *dx = a->dx ? (T *)a->dx + spot.channel : 0, *dresidual = a->dresidual ? (T *)a->dresidual + spot.channel : 0;
    const NormTable table = norm_table(a->mean, a->var, a->gamma, a->beta, a->eps, statistics, spot.channel, width);
    /* What goes through the statistics: Σdz/rows and r²·Σ dz·(x − μ)/rows. */
    float level[4], slope[4];
    UNROLL for (u32 k = 0; k < width; k++) {
        level[k] = slope[k] = 0.0f;
        if (a->sums) {
            const float *sums = a->sums + spot.part * 2 * c + spot.channel + k;
            const float rows = (float)norm_part_rows(&a->cut, spot.part);
            level[k] = sums[0] / rows;
            slope[k] = sums[c] / rows / (a->var[statistics + k] + a->eps);
        }
    }
    for (u64 row = spot.first + spot.lane; row < spot.end; row += (u64)NORM_BACKWARD_ROWS * spot.lanes) {
        float x[NORM_BACKWARD_ROWS][4], other[NORM_BACKWARD_ROWS][4], dy[NORM_BACKWARD_ROWS][4];
        float to_x[NORM_BACKWARD_ROWS][4], to_residual[NORM_BACKWARD_ROWS][4];
        UNROLL for (u32 u = 0; u < NORM_BACKWARD_ROWS; u++) {
            UNROLL for (u32 k = 0; k < width; k++)
                x[u][k] = other[u][k] = dy[u][k] = to_x[u][k] = to_residual[u][k] = 0.0f;
            const u64 at = row + (u64)u * spot.lanes;
            if (at < spot.end) {
                TYPED(norm_load_pull)(a, spot, at, x[u], other[u], dy[u], width);
                if (a->add_dx) {
                    LOAD_SPAN(to_x[u], dx + at * c, width);
                }
                if (a->add_dresidual) {
                    LOAD_SPAN(to_residual[u], dresidual + at * c, width);
                }
            }
        }
        UNROLL for (u32 u = 0; u < NORM_BACKWARD_ROWS; u++) {
            const u64 at = row + (u64)u * spot.lanes;
            if (at < spot.end) {
                TYPED(norm_pull_span)(a, &table, x[u], other[u], dy[u], width);
                UNROLL for (u32 k = 0; k < width; k++) {
                    to_x[u][k] += table.scale[k] * (dy[u][k] - level[k] - x[u][k] * slope[k]);
                    to_residual[u][k] += dy[u][k];
                }
                if (dx) {
                    STORE_SPAN(dx + at * c, to_x[u], width);
                }
                if (dresidual) {
                    STORE_SPAN(dresidual + at * c, to_residual[u], width);
                }
            }
        }
    }
}

/* dx (+)= γ·r·(dz − Σdz/rows − x̂·Σ(dz·x̂)/rows), with constant statistics γ·r·dz; dresidual (+)= dz */
KERNEL(TYPED(norm_backward), NormBackward) {
    THREADS {
        const NormSpot spot = norm_spot(&a.cut, BLOCK_X, t);
        if (spot.inside) {
            if (a.cut.width == 4)
                TYPED(norm_backward_rows)(&a, spot, 4);
            else
                TYPED(norm_backward_rows)(&a, spot, 1);
        }
    }
    END
}
