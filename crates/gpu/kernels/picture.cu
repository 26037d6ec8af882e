/* Pictures: images of bytes between a set and a net, brought to another size, moved, turned and coloured. The bytes are those that the host
 * makes (Pillow's), so what is rounded there is rounded here, by the same steps in the same order: `times` and `plus` are never fused. */

/* Images of which some are taken, or all in order. */
typedef struct {
    const u8 *bytes;
    const u32 *indices;
    u32 size, channels;
} Pictures;

/* A mean colour, a byte a channel. */
typedef struct {
    u8 mean[4];
} Colour;

enum { MOVE_WORDS = 4, MOVE_MIRROR = 1, MOVE_REFLECT, MOVE_BLACK, MOVE_MEAN, MOVE_COVER };

/* What covers a pixel, as a column of a table: of bytes 0 to 255, and of the mean colour. */
enum { COLUMN_NONE = -1, COLUMN_BLACK = 0, COLUMN_MEAN = 256, COLUMNS = 257 };

FUNCTION const u8 *picture_of(const Pictures a, u64 image) {
    return a.bytes + (a.indices ? (u64)a.indices[image] : image) * a.size * a.size * a.channels;
}

/* Where place `at` of an axis comes from: itself inside, outside mirrored at the outermost places, which are not repeated. */
FUNCTION int picture_reflected(int at, int size) {
    if (at >= 0 && at < size) return at;
    const int period = size > 1 ? 2 * size - 2 : 1, folded = (at < 0 ? -at : at) % period;
    const int back = period - folded, near = folded < back ? folded : back;
    return near < size ? near : size - 1;
}

/* Goes back from a pixel through an image's moves to the one that comes there: `*place` becomes that, or the column that covers it
 * is returned. */
FUNCTION int picture_before(const int *moves, u32 each, int size, u32 *place) {
    int y = (int)(*place / (u32)size), x = (int)(*place % (u32)size);
    for (u32 k = each; k > 0; k--) {
        const int *move = moves + (k - 1) * MOVE_WORDS;
        const int kind = move[0];
        if (kind == MOVE_MIRROR) {
            x = size - 1 - x;
        } else if (kind == MOVE_COVER) {
            if (y >= move[1] && y < move[1] + move[3] && x >= move[2] && x < move[2] + move[3]) return COLUMN_MEAN;
        } else if (kind >= MOVE_REFLECT) {
            y += move[1];
            x += move[2];
            if (kind == MOVE_REFLECT) {
                y = picture_reflected(y, size);
                x = picture_reflected(x, size);
            } else if (y < 0 || y >= size || x < 0 || x >= size) {
                return kind == MOVE_MEAN ? COLUMN_MEAN : COLUMN_BLACK;
            }
        }
    }
    *place = (u32)y * (u32)size + (u32)x;
    return COLUMN_NONE;
}

/* What is cut off to a byte. */
FUNCTION u8 byte_f32(float x) { return (u8)(x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x); }
FUNCTION u8 byte_f64(double x) { return (u8)(x < 0.0 ? 0.0 : x > 255.0 ? 255.0 : x); }

/* What each pixel of a picture of side `to` is made of along an axis of a window of one of side `of`: the first source pixel, how many, and
 * their weights in 2⁻²², room for `most`. (windows, axes: across and down, to). As the host's `Axis` and `Taps`. */
typedef struct {
    const int *windows;
    int *taps;
    u32 count, of, to, most;
} PictureTaps;

#define TAP_BITS 22

/* What of the window's pixel `i` source pixel `x` is, before these shares are brought to a sum of 1. */
FUNCTION double picture_share(int x, double centre, double support) {
    const double far = plus_f64(plus_f64((double)x, -centre), 0.5) / support;
    const double share = 1.0 - (far < 0.0 ? -far : far);
    return share > 0.0 ? share : 0.0;
}

KERNEL(picture_taps, PictureTaps) {
    THREADS {
        const u32 step = GRID_X * THREAD_COUNT, all = a.count * 2 * a.to;
        for (u32 e = BLOCK_X * THREAD_COUNT + t; e < all; e += step) {
            const u32 i = e % a.to, axis = e / a.to % 2;
            const int *window = a.windows + (u64)(e / a.to / 2) * 4;
            int *taps = a.taps + (u64)e * (2 + a.most);
            const double scale = (double)window[2 + axis] / (double)a.to, support = scale > 1.0 ? scale : 1.0;
            const double centre = plus_f64((double)window[axis], times_f64((double)i + 0.5, scale));
            const double from = plus_f64(plus_f64(centre, -support), 0.5), end = plus_f64(plus_f64(centre, support), 0.5);
            const int start = (int)(from > 0.0 ? from : 0.0);
            const int behind = (int)end < (int)a.of ? (int)end : (int)a.of;
            double total = 0.0;
            for (int x = start; x < behind; x++) total = plus_f64(total, picture_share(x, centre, support));
            taps[0] = start;
            taps[1] = behind - start;
            for (int x = start; x < behind; x++) {
                const double share = picture_share(x, centre, support) / total;
                taps[2 + (x - start)] = (int)plus_f64(times_f64(share, (double)(1 << TAP_BITS)), 0.5);
            }
        }
    }
    END
}

/* Rows of pictures brought to their width, (n, of, to, channels), as far as the next kernel reads them. `shared`: one window for all. */
typedef struct {
    Pictures from;
    const int *taps;
    u8 *narrow;
    u64 pixels;
    u32 to, most, shared;
} PictureAcross;

KERNEL(picture_across, PictureAcross) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT, entry = 2 + a.most;
        const u32 of = a.from.size, channels = a.from.channels;
        for (u64 p = (u64)BLOCK_X * THREAD_COUNT + t; p < a.pixels; p += step) {
            const u64 image = p / ((u64)of * a.to);
            const u32 place = (u32)(p % ((u64)of * a.to)), y = place / a.to, x = place % a.to;
            const int *taps = a.taps + (a.shared ? 0 : image) * 2 * a.to * entry;
            const int *first = taps + a.to * entry, *last = taps + (2 * (u64)a.to - 1) * entry;
            if ((int)y < first[0] || (int)y >= last[0] + last[1]) continue;
            const int *tap = taps + x * entry;
            const u8 *row = picture_of(a.from, image) + ((u64)y * of + (u64)tap[0]) * channels;
            for (u32 c = 0; c < channels; c++) {
                int sum = 1 << (TAP_BITS - 1);
                for (int k = 0; k < tap[1]; k++) sum += tap[2 + k] * (int)row[(u32)k * channels + c];
                sum >>= TAP_BITS;
                a.narrow[p * channels + c] = (u8)(sum > 255 ? 255 : sum);
            }
        }
    }
    END
}

/* Their columns brought to their height, (n, to, to, channels). */
typedef struct {
    const u8 *narrow;
    const int *taps;
    u8 *pictures;
    u64 pixels;
    u32 of, to, channels, most, shared;
} PictureDown;

KERNEL(picture_down, PictureDown) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT, entry = 2 + a.most, row = (u64)a.to * a.channels;
        for (u64 p = (u64)BLOCK_X * THREAD_COUNT + t; p < a.pixels; p += step) {
            const u64 image = p / ((u64)a.to * a.to);
            const u32 place = (u32)(p % ((u64)a.to * a.to)), y = place / a.to, x = place % a.to;
            const int *tap = a.taps + (((a.shared ? 0 : image) * 2 + 1) * a.to + y) * entry;
            const u8 *from = a.narrow + (image * a.of + (u64)tap[0]) * row + (u64)x * a.channels;
            for (u32 c = 0; c < a.channels; c++) {
                int sum = 1 << (TAP_BITS - 1);
                for (int k = 0; k < tap[1]; k++) sum += tap[2 + k] * (int)from[(u64)k * row + c];
                sum >>= TAP_BITS;
                a.pictures[p * a.channels + c] = (u8)(sum > 255 ? 255 : sum);
            }
        }
    }
    END
}

/* Pictures moved, `each` moves for each. */
typedef struct {
    Pictures from;
    const int *moves;
    u8 *to;
    u64 pixels;
    u32 each;
    Colour colour;
} PictureMoved;

KERNEL(picture_moved, PictureMoved) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT, all = (u64)a.from.size * a.from.size;
        for (u64 p = (u64)BLOCK_X * THREAD_COUNT + t; p < a.pixels; p += step) {
            const u64 image = p / all;
            u32 place = (u32)(p % all);
            const int column = picture_before(a.moves + image * a.each * MOVE_WORDS, a.each, (int)a.from.size, &place);
            const u8 *from = picture_of(a.from, image) + (u64)place * a.from.channels;
            for (u32 c = 0; c < a.from.channels; c++)
                a.to[p * a.from.channels + c] = column == COLUMN_NONE ? from[c] : column == COLUMN_MEAN ? a.colour.mean[c] : 0;
        }
    }
    END
}

/* Pictures turned about their centres, each by its own turn: what comes in at the corners, a word that is not used, and sin, cos, left
 * and top of the host's `Turn`, two words each. */
enum { TURN_WORDS = 10 };

typedef struct {
    Pictures from;
    const u32 *turns;
    u8 *to;
    u64 pixels;
    Colour colour;
} PictureTurned;

/* The whole number at or below `x`; `*part` becomes what is left. */
FUNCTION int picture_whole(double x, double *part) {
    const int cut = (int)x, whole = (double)cut > x ? cut - 1 : cut;
    *part = x - (double)whole;
    return whole;
}

FUNCTION double picture_between(double from, double to, double share) {
    return plus_f64(from, times_f64(plus_f64(to, -from), share));
}

KERNEL(picture_turned, PictureTurned) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT, all = (u64)a.from.size * a.from.size;
        const int size = (int)a.from.size;
        for (u64 p = (u64)BLOCK_X * THREAD_COUNT + t; p < a.pixels; p += step) {
            const u64 image = p / all;
            const u32 place = (u32)(p % all), channels = a.from.channels;
            const u32 *turn = a.turns + image * TURN_WORDS;
            const int beyond = (int)turn[0];
            const double sin = words_to_double(turn + 2), cos = words_to_double(turn + 4);
            const double left = words_to_double(turn + 6), top = words_to_double(turn + 8);
            const double right = (double)(place % a.from.size) + 0.5, down = (double)(place / a.from.size) + 0.5;
            const double x = plus_f64(plus_f64(times_f64(right, cos), -times_f64(down, sin)), left);
            const double y = plus_f64(plus_f64(times_f64(right, sin), times_f64(down, cos)), top);
            u8 *to = a.to + p * channels;
            const int inside = x >= 0.0 && x < (double)size && y >= 0.0 && y < (double)size;
            if (!inside && beyond != MOVE_REFLECT) {
                for (u32 c = 0; c < channels; c++) to[c] = beyond == MOVE_MEAN ? a.colour.mean[c] : 0;
                continue;
            }
            double right_share, lower_share;
            int xs[2], ys[2];
            xs[0] = picture_whole(x - 0.5, &right_share), xs[1] = xs[0] + 1;
            ys[0] = picture_whole(y - 0.5, &lower_share), ys[1] = ys[0] + 1;
            for (u32 k = 0; k < 2; k++) {
                if (beyond == MOVE_REFLECT) {
                    xs[k] = picture_reflected(xs[k], size), ys[k] = picture_reflected(ys[k], size);
                } else {
                    xs[k] = xs[k] < 0 ? 0 : xs[k] < size ? xs[k] : size - 1;
                    ys[k] = ys[k] < 0 ? 0 : ys[k] < size ? ys[k] : size - 1;
                }
            }
            const u8 *from = picture_of(a.from, image);
            const u8 *upper_left = from + ((u64)ys[0] * a.from.size + (u64)xs[0]) * channels;
            const u8 *upper_right = from + ((u64)ys[0] * a.from.size + (u64)xs[1]) * channels;
            const u8 *lower_left = from + ((u64)ys[1] * a.from.size + (u64)xs[0]) * channels;
            const u8 *lower_right = from + ((u64)ys[1] * a.from.size + (u64)xs[1]) * channels;
            for (u32 c = 0; c < channels; c++) {
                const double upper = picture_between((double)upper_left[c], (double)upper_right[c], right_share);
                const double lower = picture_between((double)lower_left[c], (double)lower_right[c], right_share);
                to[c] = byte_f64(picture_between(upper, lower, lower_share));
            }
        }
    }
    END
}

/* Pictures coloured in place, each by TONES changes, one after another: a kind and a factor, or a turn. A block makes one picture. */
enum { TONES = 4, TONE_BRIGHTNESS = 1, TONE_CONTRAST, TONE_SATURATION, TONE_HUE };

typedef struct {
    u8 *pictures;
    const u32 *tones;
    u32 size, channels;
} PictureToned;

/* ITU-R 601, in 16-bit fractions. */
FUNCTION u32 picture_luma(const u8 *p) { return ((u32)p[0] * 19595u + (u32)p[1] * 38470u + (u32)p[2] * 7471u + (1u << 15)) >> 16; }

/* `from` at 0, `to` at 1, and beyond; fractions are cut off. */
FUNCTION u8 picture_blend(u32 from, u8 to, float factor) {
    return byte_f32(plus_f32((float)from, times_f32(factor, (float)to - (float)from)));
}

FUNCTION void picture_hue(u8 *p, u32 turn) {
    const u8 r = p[0], g = p[1], b = p[2];
    const u8 rg = r > g ? r : g, max = rg > b ? rg : b, less = r < g ? r : g, min = less < b ? less : b;
    u32 h = 0, s = 0;
    if (max != min) {
        const float spread = (float)(max - min);
        const float red = (float)(max - r) / spread, green = (float)(max - g) / spread, blue = (float)(max - b) / spread;
        const float sextant = r == max   ? blue - green
                              : g == max ? (float)(2.0 + (double)red - (double)blue)
                                         : (float)(4.0 + (double)green - (double)red);
        const double turns = (double)sextant / 6.0 + 1.0;
        h = byte_f64((double)(float)(turns >= 1.0 ? turns - 1.0 : turns) * 255.0);
        s = byte_f64((double)(spread / (float)max) * 255.0);
    }
    h = (h + turn) & 255u;
    if (s == 0) {
        p[0] = max, p[1] = max, p[2] = max;
        return;
    }
    const double place = (double)h * 6.0 / 255.0;
    const u32 sextant = (u32)place;
    const double part = (double)(float)(place - (double)sextant), saturation = (double)(float)((double)s / 255.0), v = (double)max;
    const double shares[3] = {saturation, times_f64(saturation, part), times_f64(saturation, 1.0 - part)};
    u8 dimmed[3];
    for (u32 k = 0; k < 3; k++) dimmed[k] = byte_f64(plus_f64(times_f64(v, plus_f64(1.0, -shares[k])), 0.5));
    const u8 low = dimmed[0], falls = dimmed[1], rises = dimmed[2];
    const u32 which = sextant % 6;
    p[0] = which == 0 || which == 5 ? max : which == 1 ? falls : which == 4 ? rises : low;
    p[1] = which == 1 || which == 2 ? max : which == 3 ? falls : which == 0 ? rises : low;
    p[2] = which == 3 || which == 4 ? max : which == 5 ? falls : which == 2 ? rises : low;
}

KERNEL(picture_toned, PictureToned) {
    SHARED u64 sums[BLOCK];
    for (u32 k = 0; k < TONES; k++) {
        /* The mean grey, where it is asked for. */
        THREADS {
            const u64 pixels = (u64)a.size * a.size;
            const u8 *picture = a.pictures + (u64)BLOCK_X * pixels * a.channels;
            const u32 kind = a.tones[((u64)BLOCK_X * TONES + k) * 2];
            u64 sum = 0;
            if (kind == TONE_CONTRAST)
                for (u64 p = t; p < pixels; p += THREAD_COUNT)
                    sum += a.channels == 3 ? picture_luma(picture + p * 3) : picture[p];
            sums[t] = sum;
        }
        END
        BLOCK_SUM(sums);
        THREADS {
            const u64 pixels = (u64)a.size * a.size;
            u8 *picture = a.pictures + (u64)BLOCK_X * pixels * a.channels;
            const u32 *tone = a.tones + ((u64)BLOCK_X * TONES + k) * 2, kind = tone[0];
            const float factor = bits_to_float(tone[1]);
            const u32 grey = kind == TONE_CONTRAST ? byte_f64((double)sums[0] / (double)pixels + 0.5) : 0;
            const u32 colours = a.channels == 3;
            for (u64 p = t; p < pixels; p += THREAD_COUNT) {
                u8 *pixel = picture + p * a.channels;
                if (kind == TONE_BRIGHTNESS || kind == TONE_CONTRAST || (kind == TONE_SATURATION && colours)) {
                    const u32 from = kind == TONE_SATURATION ? picture_luma(pixel) : grey;
                    for (u32 c = 0; c < a.channels; c++) pixel[c] = picture_blend(from, pixel[c], factor);
                } else if (kind == TONE_HUE && colours) {
                    picture_hue(pixel, tone[1]);
                }
            }
        }
        END
    }
}
