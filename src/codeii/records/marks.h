/* Marks of samples: one number of all leads, by which a sample that occurs again is known. */
#include <stdlib.h>
#include "rows.h"

enum { NEAR = 1 << 13 };                                  /* words for buckets at hand: memory of the heap is slow */

typedef uint32_t marks __attribute__((vector_size(32)));

/* How many of `count` samples, at most eight, have a mark in a bucket that was met before. */
INLINE int64_t met_before(const int16_t *x, int64_t stride, int64_t count, const uint32_t *lots, int64_t bits,
                          uint64_t *met)
{
    int64_t repeats = 0;
    marks mark = {0};
    UNROLL for (int lead = 0; lead < LEADS; lead++)
        mark += lots[lead] * (marks)__builtin_convertvector(eight(x + lead * stride), integers);
    mark >>= 32 - bits;
    UNROLL for (int k = 0; k < 8; k++) {
        if (k >= count) break;
        const uint64_t word = met[mark[k] >> 6], bit = (uint64_t)1 << (mark[k] & 63);
        repeats += (word & bit) != 0;
        met[mark[k] >> 6] = word | bit;
    }
    return repeats;
}

/* Samples whose mark falls into a bucket that was met before; all of `met` is zero. */
static int64_t repeats_in(const int16_t *x, int64_t samples, const uint32_t *lots, int64_t bits, uint64_t *met)
{
    int64_t repeats = 0, i = 0;
    int16_t last[8 * LEADS];
    for (; i + 8 <= samples; i += 8) repeats += met_before(x + i, samples, 8, lots, bits, met);
    if (i == samples) return repeats;
    last_of(x, samples, i, last);
    return repeats + met_before(last, 8, samples - i, lots, bits, met);
}

/* The same with memory of its own; -1 where there is none. */
static int64_t repeats_of(const int16_t *x, int64_t samples, const uint32_t *lots, int64_t bits)
{
    const int64_t words = (int64_t)1 << (bits - 6);
    if (words <= NEAR) {
        uint64_t near[NEAR];
        memset(near, 0, words * sizeof *near);
        return repeats_in(x, samples, lots, bits, near);
    }
    uint64_t *met = calloc(words, sizeof *met);
    const int64_t repeats = met ? repeats_in(x, samples, lots, bits, met) : -1;
    free(met);
    return repeats;
}
