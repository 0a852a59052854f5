/* The exact sums of one record that sums.py describes: whole numbers, so that no order of adding shows. */
#include <stdlib.h>
#include "lanes.h"

enum { LEADS = 12, LIMBS = 6, TONES = 3, WAVES = 2 * TONES, BLOCK = 1 << 17, MOMENTS = 256, HIGH = 3, WIDE = 4 };
enum { NEAR = 1 << 13 };                                  /* words for buckets at hand: memory of the heap is slow */

typedef int16_t sixteen __attribute__((vector_size(32)));
typedef int8_t bytes __attribute__((vector_size(16)));
typedef int64_t wide __attribute__((vector_size(64)));
typedef uint32_t marks __attribute__((vector_size(32)));

typedef struct {
    int64_t low[LEADS], high[LEADS], total[LEADS];
    int64_t squares[LIMBS];                               /* of I and II, and of the doubled gaps of the other four */
    int64_t gap, swing, step, still, repeats;             /* the gap doubled */
    double lines[2], products[LEADS * LEADS];
} sums;

typedef struct {
    int64_t samples, rate, length, bits, thin;            /* length of a stretch; bits of a mark that make a bucket */
    const int16_t *waves;                                 /* (6, length) */
    const uint32_t *lots;                                 /* (12,) weights of a mark */
} ask;

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

INLINE integers larger(integers a, integers b) { return a ^ ((a ^ b) & (b > a)); }

/* Eight samples. */
INLINE counts eight(const int16_t *x)
{
    counts row;
    memcpy(&row, x, sizeof row);
    return row;
}

/* The last samples of each lead, and zeros: rows of eight. */
static void last_of(const int16_t *x, int64_t samples, int64_t start, int16_t *last)
{
    memset(last, 0, 8 * LEADS * sizeof *last);
    for (int lead = 0; lead < LEADS; lead++)
        memcpy(last + 8 * lead, x + lead * samples + start, (samples - start) * sizeof *last);
}

static int64_t sum_of(const int16_t *x, int64_t length)
{
    int64_t total = 0;
    for (int64_t start = 0; start < length; start += 1 << 15) {
        const int64_t stop = least(length, start + (1 << 15));
        int32_t sum = 0;
        for (int64_t i = start; i < stop; i++) sum += x[i];
        total += sum;
    }
    return total;
}

/* Sum of all samples, and the range of the sums of whole seconds. */
static int64_t total_of(const int16_t *x, int64_t samples, int64_t seconds, int64_t rate, int64_t *swing)
{
    int64_t low = INT64_MAX, high = INT64_MIN, total = sum_of(x + seconds * rate, samples - seconds * rate);
    for (int64_t second = 0; second < seconds; second++) {
        const int64_t sum = sum_of(x + second * rate, rate);
        low = least(low, sum), high = most(high, sum), total += sum;
    }
    *swing = most(*swing, high - low);
    return total;
}

static void extremes_of(const int16_t *x, int64_t length, int64_t *low, int64_t *high, int64_t *step)
{
    int16_t least_x = x[0], most_x = x[0];
    int32_t most_step = 0;
    for (int64_t i = 0; i < length; i++) {
        least_x = x[i] < least_x ? x[i] : least_x;
        most_x = x[i] > most_x ? x[i] : most_x;
    }
    for (int64_t i = 0; i + 1 < length; i++) {
        const int32_t size = abs(x[i + 1] - x[i]);
        most_step = size > most_step ? size : most_step;
    }
    *low = least_x, *high = most_x, *step = most(*step, most_step);
}

/* Sixteen bits: which samples are equal to their next. */
INLINE uint64_t sixteen_bits(const int16_t *x)
{
    sixteen here, next;
    memcpy(&here, x, sizeof here);
    memcpy(&next, x + 1, sizeof next);
    const bytes equal = __builtin_convertvector(here == next, bytes);
#if defined(__SSE2__)
    typedef char native __attribute__((vector_size(16)));
    return (uint64_t)(uint32_t)__builtin_ia32_pmovmskb128((native)equal);
#else
    uint64_t bits = 0;
    for (int i = 0; i < 16; i++) bits |= (uint64_t)(equal[i] & 1) << i;
    return bits;
#endif
}

/* Sixty-four bits, of which those from `length` on are none. */
INLINE uint64_t equal_to_next(const int16_t *x, int64_t length)
{
    uint64_t bits = 0;
    if (length >= 64) UNROLL for (int i = 0; i < 4; i++) bits |= sixteen_bits(x + 16 * i) << (16 * i);
    else for (int64_t i = 0; i < length; i++) bits |= (uint64_t)(x[i] == x[i + 1]) << i;
    return bits;
}

/* Longest run of samples equal to their next. Inside 64 of them runs are shortened together until none is left. */
static int64_t longest_still(const int16_t *x, int64_t length)
{
    int64_t longest = 0, before = 0;
    for (int64_t i = 0; i < length - 1; i += 64) {
        const uint64_t bits = equal_to_next(x + i, length - 1 - i);
        if (bits == UINT64_MAX) {
            before += 64;
            continue;
        }
        int64_t inside = 0;
        for (uint64_t left = bits; left; left &= left >> 1) inside++;
        longest = most(longest, most(inside, before + __builtin_ctzll(~bits)));
        before = __builtin_clzll(~bits);
    }
    return most(longest, before);
}

/* Eight samples of I and II and of the doubled distances of the other limb leads from those derived; the largest. */
INLINE void add_limbs(const int16_t *x, int64_t stride, lanes *square, integers *gap)
{
    integers told[LIMBS];
    UNROLL for (int lead = 0; lead < LIMBS; lead++)
        told[lead] = __builtin_convertvector(eight(x + lead * stride), integers);
    const integers one = told[0], two = told[1];
    told[2] = 2 * (told[2] + one - two);                  /* III = II - I */
    told[3] = 2 * told[3] + one + two;                    /* aVR = -(I + II) / 2 */
    told[4] = 2 * (told[4] - one) + two;                  /* aVL = I - II / 2 */
    told[5] = 2 * (told[5] - two) + one;                  /* aVF = II - I / 2 */
    UNROLL for (int lead = 0; lead < LIMBS; lead++) {
        const lanes value = __builtin_convertvector(told[lead], lanes);
        square[lead] += value * value;
        if (lead > 1) *gap = larger(*gap, larger(told[lead], -told[lead]));
    }
}

/* Sums of their squares, exact in double precision within a block, and the largest distance. */
static void limb_law(const int16_t *x, int64_t samples, sums *f)
{
    integers gap = {0};
    int16_t last[8 * LEADS];
    for (int64_t start = 0; start < samples; start += BLOCK) {
        lanes square[LIMBS] = {{0}};
        int64_t i = start;
        for (; i + 8 <= least(samples, start + BLOCK); i += 8) add_limbs(x + i, samples, square, &gap);
        if (i < samples && i < start + BLOCK) {
            last_of(x, samples, i, last);
            add_limbs(last, 8, square, &gap);
        }
        for (int lead = 0; lead < LIMBS; lead++)
            for (int k = 0; k < 8; k++) f->squares[lead] += (int64_t)square[lead][k];
    }
    for (int k = 0; k < 8; k++) f->gap = most(f->gap, gap[k]);
}

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

/* Sums of products of neighbours: eight of sixteen. */
INLINE integers in_pairs(sixteen a, sixteen b)
{
#if defined(__AVX2__)
    typedef short native __attribute__((vector_size(32)));
    return (integers)__builtin_ia32_pmaddwd256((native)a, (native)b);
#else
    integers sum;
    for (int i = 0; i < 8; i++) sum[i] = (int32_t)a[2 * i] * b[2 * i] + (int32_t)a[2 * i + 1] * b[2 * i + 1];
    return sum;
#endif
}

/* A stretch under each of the six waves. Waves stay below 8192 in size: WIDE sums of pairs fit 32 bits. */
static void tones_of(const int16_t *x, const int16_t *waves, int64_t length, double *tone)
{
    wide sum[WAVES] = {{0}};
    int64_t i = 0;
    while (i + 16 <= length) {
        integers some[WAVES] = {{0}};
        for (int k = 0; k < WIDE && i + 16 <= length; k++, i += 16) {
            sixteen here, wave;
            memcpy(&here, x + i, sizeof here);
            UNROLL for (int w = 0; w < WAVES; w++) {
                memcpy(&wave, waves + w * length + i, sizeof wave);
                some[w] += in_pairs(here, wave);
            }
        }
        UNROLL for (int w = 0; w < WAVES; w++) sum[w] += __builtin_convertvector(some[w], wide);
    }
    for (int w = 0; w < WAVES; w++) {
        int64_t total = 0;
        for (int k = 0; k < 8; k++) total += sum[w][k];
        for (int64_t k = i; k < length; k++) total += (int64_t)x[k] * waves[w * length + k];
        tone[w] = (double)total;
    }
}

/* Power at the first two tones beyond that at the third, summed over stretches; of the lead where it is most. */
static void lines_of(const int16_t *x, int64_t samples, const int16_t *waves, int64_t length, sums *f)
{
    for (int lead = 0; lead < LEADS; lead++) {
        double power[TONES] = {0}, tone[WAVES];
        for (int64_t start = 0; start + length <= samples; start += length) {
            tones_of(x + lead * samples + start, waves, length, tone);
            for (int t = 0; t < TONES; t++) power[t] += tone[t] * tone[t] + tone[t + TONES] * tone[t + TONES];
        }
        for (int t = 0; t < 2; t++) {
            const double line = power[t] - power[2];
            if (lead == 0 || line > f->lines[t]) f->lines[t] = line;
        }
    }
}

/* Products of some slopes of HIGH leads with those of WIDE leads, added up. */
INLINE void add_tile(const lanes *slopes, int64_t vectors, int one, int other, lanes *sum)
{
    lanes tile[HIGH * WIDE];
    memcpy(tile, sum, sizeof tile);
    for (int64_t v = 0; v < vectors; v++)
        UNROLL for (int i = 0; i < HIGH; i++)
            UNROLL for (int j = 0; j < WIDE; j++)
                tile[i * WIDE + j] += slopes[(one + i) * (MOMENTS / 8) + v] * slopes[(other + j) * (MOMENTS / 8) + v];
    memcpy(sum, tile, sizeof tile);
}

/* Sums of products of the slopes of each two leads: whole numbers below 2^33, exact in double precision. */
static void products_of(const int16_t *x, int64_t samples, int64_t thin, sums *f)
{
    const int64_t moments = (samples + thin - 1) / thin - 2;
    lanes sum[LEADS / HIGH][LEADS / WIDE][HIGH * WIDE] = {{{{0}}}}, slopes[LEADS][MOMENTS / 8];
    for (int64_t start = 0; start < moments; start += MOMENTS) {
        const int64_t count = least(MOMENTS, moments - start), vectors = (count + 7) / 8;
        for (int lead = 0; lead < LEADS; lead++) {
            const int16_t *at = x + lead * samples + start * thin;
            double *slope = (double *)slopes[lead];
            int32_t coarse[MOMENTS + 2];
            for (int64_t k = 0; k < count + 2; k++) coarse[k] = at[k * thin];
            for (int64_t k = 0; k < count; k++) slope[k] = coarse[k + 2] - coarse[k];
            for (int64_t k = count; k < 8 * vectors; k++) slope[k] = 0;
        }
        for (int i = 0; i < LEADS / HIGH; i++)
            for (int j = i * HIGH / WIDE; j < LEADS / WIDE; j++)
                add_tile(&slopes[0][0], vectors, i * HIGH, j * WIDE, sum[i][j]);
    }
    for (int i = 0; i < LEADS; i++)
        for (int j = i; j < LEADS; j++) {
            const lanes all = sum[i / HIGH][j / WIDE][i % HIGH * WIDE + j % WIDE];
            double total = 0;
            for (int k = 0; k < 8; k++) total += all[k];
            f->products[i * LEADS + j] = f->products[j * LEADS + i] = total;
        }
}

/* signal : (12, samples) int16, at least one second of it
   returns 0 where there is no memory for the marks */
int sums_of(const int16_t *signal, const ask *asked, sums *f)
{
    const int64_t samples = asked->samples, rate = asked->rate, seconds = samples / asked->length * (asked->length / rate);
    memset(f, 0, sizeof *f);
    for (int lead = 0; lead < LEADS; lead++) {
        const int16_t *x = signal + lead * samples;
        extremes_of(x, samples, &f->low[lead], &f->high[lead], &f->step);
        f->total[lead] = total_of(x, samples, seconds, rate, &f->swing);
        f->still = most(f->still, longest_still(x, samples) + 1);
    }
    limb_law(signal, samples, f);
    lines_of(signal, samples, asked->waves, asked->length, f);
    products_of(signal, samples, asked->thin, f);
    f->repeats = repeats_of(signal, samples, asked->lots, asked->bits);
    return f->repeats >= 0;
}
