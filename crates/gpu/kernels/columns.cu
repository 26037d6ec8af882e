/* Values seen as a matrix (rows, c): sums of columns. */
#ifndef RUNNER_COLUMNS
#define RUNNER_COLUMNS
/* Sums over `part` rows at a time, to (parts, c). Blocks: x cuts the columns, y is the part. A block has `width` columns, a power of
 * two, and adds 256 / width rows at once. */
typedef struct {
    u64 rows, part;
    const void *from;
    void *to;
    u32 c, width;
} ColumnSums;

/* The sums of the parts: all rows, in double. */
KERNEL(column_totals, ColumnSums) {
    SHARED double s[BLOCK];
    THREADS {
        const u32 col = BLOCK_X * a.width + t % a.width;
        double sum = 0.0;
        if (col < a.c) {
            for (u64 row = t / a.width; row < a.rows; row += THREAD_COUNT / a.width)
                sum += (double)((const float *)a.from)[row * a.c + col];
        }
        s[t] = sum;
    }
    END
    for (u32 apart = THREAD_COUNT / 2; apart >= a.width; apart /= 2) {
        THREADS {
            if (t < apart) s[t] += s[t + apart];
        }
        END
    }
    THREADS {
        const u32 col = BLOCK_X * a.width + t;
        if (t < a.width && col < a.c) ((float *)a.to)[col] = (float)s[t];
    }
    END
}
#endif

KERNEL(TYPED(column_sums), ColumnSums) {
    SHARED float s[BLOCK];
    THREADS {
        const u32 col = BLOCK_X * a.width + t % a.width;
        const u64 first = BLOCK_Y * a.part, end = a.rows - first < a.part ? a.rows : first + a.part;
        float sum = 0.0f;
        if (col < a.c) {
            for (u64 row = first + t / a.width; row < end; row += THREAD_COUNT / a.width)
                sum += LOAD((const T *)a.from + row * a.c + col);
        }
        s[t] = sum;
    }
    END
    for (u32 apart = THREAD_COUNT / 2; apart >= a.width; apart /= 2) {
        THREADS {
            if (t < apart) s[t] += s[t + apart];
        }
        END
    }
    THREADS {
        const u32 col = BLOCK_X * a.width + t;
        if (t < a.width && col < a.c) ((float *)a.to)[(u64)BLOCK_Y * a.c + col] = s[t];
    }
    END
}
