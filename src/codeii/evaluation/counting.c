/* Positives and negatives called at each cut along the order of a class, in 64 resamples at once.

   Counts are whole numbers, so they are those of the reference path in Python whatever the order of the sums. */
#include "lanes.h"

#define LANES 64
typedef uint8_t bytes __attribute__((vector_size(64)));   /* how many times each resample has drawn an exam */
typedef uint16_t shorts __attribute__((vector_size(64)));
typedef uint32_t longs __attribute__((vector_size(64)));
typedef struct { longs part[4]; } line;

/* Adds bytes to sums of 32 bits: halves of them beside zeros are numbers twice as wide, in the same order. */
INLINE void widen(line *sum, bytes drawn)
{
    const bytes none = {0};
    shorts half[2];
    half[0] = (shorts)__builtin_shufflevector(drawn, none,
        0, 64, 1, 64, 2, 64, 3, 64, 4, 64, 5, 64, 6, 64, 7, 64, 8, 64, 9, 64, 10, 64, 11, 64, 12, 64, 13, 64, 14, 64,
        15, 64, 16, 64, 17, 64, 18, 64, 19, 64, 20, 64, 21, 64, 22, 64, 23, 64, 24, 64, 25, 64, 26, 64, 27, 64, 28, 64,
        29, 64, 30, 64, 31, 64);
    half[1] = (shorts)__builtin_shufflevector(drawn, none,
        32, 64, 33, 64, 34, 64, 35, 64, 36, 64, 37, 64, 38, 64, 39, 64, 40, 64, 41, 64, 42, 64, 43, 64, 44, 64, 45, 64,
        46, 64, 47, 64, 48, 64, 49, 64, 50, 64, 51, 64, 52, 64, 53, 64, 54, 64, 55, 64, 56, 64, 57, 64, 58, 64, 59, 64,
        60, 64, 61, 64, 62, 64, 63, 64);
    const shorts nothing = {0};
    for (int i = 0; i < 2; i++) {
        sum->part[2 * i] += (longs)__builtin_shufflevector(half[i], nothing,
            0, 32, 1, 32, 2, 32, 3, 32, 4, 32, 5, 32, 6, 32, 7, 32, 8, 32, 9, 32, 10, 32, 11, 32, 12, 32, 13, 32,
            14, 32, 15, 32);
        sum->part[2 * i + 1] += (longs)__builtin_shufflevector(half[i], nothing,
            16, 32, 17, 32, 18, 32, 19, 32, 20, 32, 21, 32, 22, 32, 23, 32, 24, 32, 25, 32, 26, 32, 27, 32, 28, 32,
            29, 32, 30, 32, 31, 32);
    }
}

/* Adds the lines of some exams. No resample has drawn one more than `most` times, so that many sums fit a byte. */
INLINE void add(line *to, const uint8_t *times, const int64_t *exam, int64_t from, int64_t until, int64_t at_once)
{
    while (from < until) {
        int64_t stop = until - from < at_once ? until : from + at_once;
        bytes sum = {0};
        for (; from < stop; from++) {
            bytes drawn;
            memcpy(&drawn, times + exam[from] * LANES, sizeof drawn);
            sum += drawn;
        }
        widen(to, sum);
    }
}

/* Eight cuts of all resamples become eight neighbours of each, which fill a line of the processor's cache. */
INLINE void flush(const line *kept, double *out, int64_t stride, int64_t resamples)
{
    for (int64_t first = 0; first < resamples; first += 8) {
        lanes block[8];
        for (int i = 0; i < 8; i++) {
            integers found;
            memcpy(&found, (const int32_t *)&kept[i] + first, sizeof found);
            block[i] = __builtin_convertvector(found, lanes);
        }
        transpose_lanes(block);
        for (int64_t j = 0; j < 8 && first + j < resamples; j++)
            memcpy(out + (first + j) * stride, &block[j], sizeof block[j]);
    }
}

/* times : (exam, 64), none above `most`, which is 1 to 255; exam, target : (element,) along the order;
   cut : (cuts,) rising from 0; tp, fp : (resamples, stride) to be filled, of at most 64 resamples, where a row has
   room for its cuts and up to seven more. */
void count_along(
    const uint8_t *times, int64_t most, const int64_t *exam, const uint8_t *target, const int64_t *cut, int64_t cuts,
    int64_t resamples, int64_t stride, double *tp, double *fp)
{
    line sum[2] = {0}, misses[8] = {0}, hits[8] = {0};
    const int64_t at_once = 255 / most;
    int64_t done = 0;
    for (int64_t k = 0; k < cuts; k++) {
        while (done < cut[k]) {
            int64_t until = done + 1;
            while (until < cut[k] && target[until] == target[done]) until++;
            add(&sum[target[done]], times, exam, done, until, at_once);
            done = until;
        }
        misses[k % 8] = sum[0];
        hits[k % 8] = sum[1];
        if (k % 8 == 7 || k == cuts - 1) {
            flush(misses, fp + k / 8 * 8, stride, resamples);
            flush(hits, tp + k / 8 * 8, stride, resamples);
        }
    }
}
