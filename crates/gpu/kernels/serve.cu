/* Images of a set that lies here as bytes, moved as an augmentation says, and normalised. */
#ifndef RUNNER_SERVE
#define RUNNER_SERVE
typedef struct {
    u64 pixels;
    const u8 *set;
    const u32 *indices;
    const int *moves;
    const float *table;
    void *to;
    u32 size, channels, moves_each;
} Serve;

enum { SERVE_MIRROR = 1, SERVE_REFLECT, SERVE_BLACK, SERVE_MEAN, SERVE_COVER };

/* Columns of the table: of bytes 0 to 255, and of the mean colour. */
#define SERVE_COLUMNS 257

/* Where place `at` of an axis comes from: itself inside, outside mirrored at the outermost places, which are not repeated. */
FUNCTION int serve_reflected(int at, int size) {
    if (at >= 0 && at < size) return at;
    const int period = size > 1 ? 2 * size - 2 : 1, folded = (at < 0 ? -at : at) % period;
    const int back = period - folded, near = folded < back ? folded : back;
    return near < size ? near : size - 1;
}
#endif

/* A thread makes a pixel: it goes back through the image's moves to the pixel that comes here, or to what covers it. */
KERNEL(TYPED(serve), Serve) {
    THREADS {
        const int size = (int)a.size;
        const u64 step = (u64)GRID_X * THREAD_COUNT, each = (u64)a.size * a.size;
        for (u64 p = (u64)BLOCK_X * THREAD_COUNT + t; p < a.pixels; p += step) {
            const u64 image = p / each;
            const u32 place = (u32)(p % each);
            int y = (int)(place / a.size), x = (int)(place % a.size), column = -1;
            for (u32 k = a.moves_each; k > 0 && column < 0; k--) {
                const int *move = a.moves + (image * a.moves_each + (k - 1)) * 4;
                const int kind = move[0];
                if (kind == SERVE_MIRROR) {
                    x = size - 1 - x;
                } else if (kind == SERVE_COVER) {
                    if (y >= move[1] && y < move[1] + move[3] && x >= move[2] && x < move[2] + move[3]) column = 256;
                } else if (kind >= SERVE_REFLECT) {
                    y += move[1];
                    x += move[2];
                    if (kind == SERVE_REFLECT) {
                        y = serve_reflected(y, size);
                        x = serve_reflected(x, size);
                    } else if (y < 0 || y >= size || x < 0 || x >= size) {
                        column = kind == SERVE_MEAN ? 256 : 0;
                    }
                }
            }
            const u8 *from = a.set + (column < 0 ? ((u64)a.indices[image] * each + (u64)y * a.size + x) * a.channels : 0);
            for (u32 c = 0; c < a.channels; c++) {
                const u32 entry = column < 0 ? from[c] : (u32)column;
                STORE((T *)a.to + p * a.channels + c, a.table[c * SERVE_COLUMNS + entry]);
            }
        }
    }
    END
}
