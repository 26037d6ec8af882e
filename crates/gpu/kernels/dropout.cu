/* y (+)= scale·x where it is kept, 0·x elsewhere. A thread takes packs of WIDTH elements of a row; `kept` says it of each element of the
 * only row or, with `whole`, of each row. */
#ifndef RUNNER_DROPOUT
#define RUNNER_DROPOUT
typedef struct {
    u64 rows, packs;
    const u8 *kept;
    const void *x;
    void *y;
    float scale;
    u32 add, whole;
} Dropout;

/* kept[k] = 1, or 0 where word first + k of a ChaCha8 stream is below `dropped`. */
typedef struct {
    u64 len, first;
    /* Of the 2³² words. */
    u64 dropped;
    /* Blocks of 16 words that hold the wanted ones. */
    u64 blocks;
    u64 nonce;
    u32 key[8];
    u8 *kept;
} DropoutDraw;

/* The bytes of a block's 16 words. */
typedef struct ALIGNED(16) {
    u8 at[16];
} DropoutBytes;

#define ROTATED(x, by) (((x) << (by)) | ((x) >> (32 - (by))))
#define QUARTER_ROUND(p, q, r, s)                                                                                                \
    p += q, s = ROTATED(s ^ p, 16);                                                                                              \
    r += s, q = ROTATED(q ^ r, 12);                                                                                              \
    p += q, s = ROTATED(s ^ p, 8);                                                                                               \
    r += s, q = ROTATED(q ^ r, 7)

/* One block of ChaCha with 8 rounds: the counter has 64 bits and so has the nonce, as D. J. Bernstein defined it. */
FUNCTION void chacha8(const u32 *key, u64 counter, u64 nonce, u32 *words) {
    u32 start[16];
    start[0] = 0x61707865u, start[1] = 0x3320646eu, start[2] = 0x79622d32u, start[3] = 0x6b206574u;
    UNROLL
    for (u32 k = 0; k < 8; k++) start[4 + k] = key[k];
    start[12] = (u32)counter, start[13] = (u32)(counter >> 32), start[14] = (u32)nonce, start[15] = (u32)(nonce >> 32);
    UNROLL
    for (u32 k = 0; k < 16; k++) words[k] = start[k];
    UNROLL
    for (u32 two = 0; two < 4; two++) {
        QUARTER_ROUND(words[0], words[4], words[8], words[12]);
        QUARTER_ROUND(words[1], words[5], words[9], words[13]);
        QUARTER_ROUND(words[2], words[6], words[10], words[14]);
        QUARTER_ROUND(words[3], words[7], words[11], words[15]);
        QUARTER_ROUND(words[0], words[5], words[10], words[15]);
        QUARTER_ROUND(words[1], words[6], words[11], words[12]);
        QUARTER_ROUND(words[2], words[7], words[8], words[13]);
        QUARTER_ROUND(words[3], words[4], words[9], words[14]);
    }
    UNROLL
    for (u32 k = 0; k < 16; k++) words[k] += start[k];
}

KERNEL(dropout_draw, DropoutDraw) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 block = (u64)BLOCK_X * THREAD_COUNT + t; block < a.blocks; block += step) {
            u32 words[16];
            DropoutBytes bytes;
            chacha8(a.key, a.first / 16 + block, a.nonce, words);
            UNROLL
            for (u32 k = 0; k < 16; k++) bytes.at[k] = words[k] >= a.dropped;
            /* The first block's first words may come before the wanted ones, which is a start below 0: it wraps around. */
            const u64 start = block * 16 - a.first % 16;
            if (start < a.len && a.len - start >= 16 && ((u64)(a.kept + start) & 15) == 0) {
                *(DropoutBytes *)(a.kept + start) = bytes;
            } else {
                UNROLL
                for (u32 k = 0; k < 16; k++)
                    if (start + k < a.len) a.kept[start + k] = bytes.at[k];
            }
        }
    }
    END
}
#endif

KERNEL(SIZED(dropout_apply), Dropout) {
    THREADS {
        const u64 step = (u64)GRID_X * THREAD_COUNT;
        for (u64 row = BLOCK_Y; row < a.rows; row += GRID_Y) {
            for (u64 pack = (u64)BLOCK_X * THREAD_COUNT + t; pack < a.packs; pack += step) {
                const u64 at = (row * a.packs + pack) * WIDTH;
                float x[WIDTH];
                SIZED(load_pack)((const T *)a.x + at, x);
                /* Multiplied, so that what is not finite is not hidden. */
                UNROLL
                for (u32 k = 0; k < WIDTH; k++) x[k] *= (float)a.kept[a.whole ? row : at + k] * a.scale;
                SIZED(write_pack)((T *)a.y + at, x, a.add);
            }
        }
    }
    END
}
