/* How much of a signal lies at 50 and 60 Hz. */
#include "rows.h"

enum { TONES = 3, WAVES = 2 * TONES, FEW = 4 };

typedef int64_t wide __attribute__((vector_size(64)));

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

/* A stretch under each of the six waves. Waves stay below 8192 in size: FEW sums of pairs fit 32 bits. */
static void tones_of(const int16_t *x, const int16_t *waves, int64_t length, double *tone)
{
    wide sum[WAVES] = {{0}};
    int64_t i = 0;
    while (i + 16 <= length) {
        integers some[WAVES] = {{0}};
        for (int k = 0; k < FEW && i + 16 <= length; k++, i += 16) {
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
static void lines_of(const int16_t *x, int64_t samples, const int16_t *waves, int64_t length, double *lines)
{
    for (int lead = 0; lead < LEADS; lead++) {
        double power[TONES] = {0}, tone[WAVES];
        for (int64_t start = 0; start + length <= samples; start += length) {
            tones_of(x + lead * samples + start, waves, length, tone);
            for (int t = 0; t < TONES; t++) power[t] += tone[t] * tone[t] + tone[t + TONES] * tone[t + TONES];
        }
        for (int t = 0; t < 2; t++) {
            const double line = power[t] - power[2];
            if (lead == 0 || line > lines[t]) lines[t] = line;
        }
    }
}
