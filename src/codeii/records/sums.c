/* The exact sums of one record that sums.py describes: whole numbers, so that no order of adding shows. */
#include "marks.h"
#include "tones.h"

enum { LIMBS = 6, BLOCK = 1 << 17, MOMENTS = 256, HIGH = 3, WIDE = 4 };

typedef int8_t bytes __attribute__((vector_size(16)));

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

INLINE integers larger(integers a, integers b)
{
    integers found;
    for (int k = 0; k < 8; k++) found[k] = a[k] > b[k] ? a[k] : b[k];
    return found;
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
    lines_of(signal, samples, asked->waves, asked->length, f->lines);
    products_of(signal, samples, asked->thin, f);
    f->repeats = repeats_of(signal, samples, asked->lots, asked->bits);
    return f->repeats >= 0;
}
