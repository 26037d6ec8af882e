/* Pictures, moved as an augmentation says, normalised, and blended with each other. */
#ifndef RUNNER_SERVE
#define RUNNER_SERVE
typedef struct {
    Pictures from;
    const int *moves;
    const float *table;
    const u32 *others;
    void *to;
    u64 count;
    u32 each, blend;
    float own;
    u32 left, top, width, height;
} Serve;

enum { BLEND_SUM = 1, BLEND_PATCH };
#endif

/* A thread makes a pixel: it goes back through the picture's moves to the pixel that comes here, or to what covers it. Picture k is
 * blended with picture others[k]. */
KERNEL(TYPED(serve), Serve) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT, all = (u64)a.from.size * a.from.size;
        const u32 channels = a.from.channels, size = a.from.size;
        for (u64 p = (u64)BLOCK_X * THREAD_COUNT + t; p < a.count * all; p += step) {
            u64 image = p / all;
            const u32 here = (u32)(p % all), y = here / size, x = here % size;
            if (a.blend == BLEND_PATCH && y >= a.top && y < a.top + a.height && x >= a.left && x < a.left + a.width) image = a.others[image];
            u32 place = here, other_place = here;
            const int column = picture_before(a.moves + image * a.each * MOVE_WORDS, a.each, (int)size, &place);
            const u8 *from = picture_of(a.from, image) + (u64)place * channels;
            int other_column = COLUMN_NONE;
            const u8 *other_from = from;
            if (a.blend == BLEND_SUM) {
                image = a.others[image];
                other_column = picture_before(a.moves + image * a.each * MOVE_WORDS, a.each, (int)size, &other_place);
                other_from = picture_of(a.from, image) + (u64)other_place * channels;
            }
            for (u32 c = 0; c < channels; c++) {
                const float *table = a.table + c * COLUMNS;
                float value = table[column == COLUMN_NONE ? (int)from[c] : column];
                if (a.blend == BLEND_SUM) {
                    const float other = table[other_column == COLUMN_NONE ? (int)other_from[c] : other_column];
                    value = plus_f32(times_f32(a.own, value), times_f32(1.0f - a.own, other));
                }
                STORE((T *)a.to + p * channels + c, value);
            }
        }
    }
    END
}
