/* The gradient of a convolution's weight along time, from channels-last signals, on one thread.

   gradient[c, k, o] = sum over records and times t of x[t * stride + k - left, c] * g[t, o]

   Time goes in blocks. Of each, x is turned so that one channel lies along time, parted by what time leaves over when
   divided by the stride: then neighbouring taps of one part are neighbours in memory, and one load serves all lanes.
   g goes into panels of 32 output channels that stay in the first cache. What a tile sums stays in registers during a block;
   blocks are summed apart, or a hundred thousand terms would round too often. In bfloat16 an instruction multiplies two times at once and sums in float32. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define BLOCK 256 /* times; even */
#define LANES 16
#define PANEL (2 * LANES)
#define MOST_TAPS 9 /* of a tile: 18 vectors of sums, and what they are made of, fit the 32 registers */
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

int64_t has_floats(void)
{
#if defined(__AVX512F__)
    return 1;
#else
    return 0;
#endif
}

int64_t has_bfloats(void)
{
#if defined(__AVX512BF16__)
    return 1;
#else
    return 0;
#endif
}

typedef struct {
    int64_t records, times_in, times_out, channels_in, channels_out, taps, stride, left;
} shape;

#if defined(__AVX512F__)
/* Sums of `taps` neighbouring taps and `vectors` x 16 output channels over a block. */
INLINE void tile_floats(const float *x, const float *g, float *sums, int64_t apart, int times, int taps, int vectors)
{
    __m512 sum[MOST_TAPS][2];
    UNROLL for (int k = 0; k < taps; k++)
        UNROLL for (int v = 0; v < vectors; v++) sum[k][v] = _mm512_setzero_ps();
    for (int t = 0; t < times; t++) {
        __m512 right[2];
        UNROLL for (int v = 0; v < vectors; v++) right[v] = _mm512_loadu_ps(g + t * PANEL + v * LANES);
        UNROLL for (int k = 0; k < taps; k++) {
            __m512 left = _mm512_set1_ps(x[t + k]);
            UNROLL for (int v = 0; v < vectors; v++) sum[k][v] = _mm512_fmadd_ps(left, right[v], sum[k][v]);
        }
    }
    UNROLL for (int k = 0; k < taps; k++)
        UNROLL for (int v = 0; v < vectors; v++) {
            float *to = sums + k * apart + v * LANES;
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum[k][v]));
        }
}
#define NUMBER float
#define NAME(name) name##_floats
#define PAIR 1
#include "weight_gradient.h"
#undef NUMBER
#undef NAME
#undef PAIR
#endif

#if defined(__AVX512BF16__)
INLINE void tile_bfloats(const uint16_t *x, const uint16_t *g, float *sums, int64_t apart, int times, int taps, int vectors)
{
    __m512 sum[MOST_TAPS][2];
    UNROLL for (int k = 0; k < taps; k++)
        UNROLL for (int v = 0; v < vectors; v++) sum[k][v] = _mm512_setzero_ps();
    for (int t = 0; t < times; t += 2) {
        __m512bh right[2];
        UNROLL for (int v = 0; v < vectors; v++)
            right[v] = (__m512bh)_mm512_loadu_si512(g + t * PANEL + v * 2 * LANES);
        UNROLL for (int k = 0; k < taps; k++) {
            int32_t both;
            memcpy(&both, x + t + k, sizeof both);
            __m512bh left = (__m512bh)_mm512_set1_epi32(both);
            UNROLL for (int v = 0; v < vectors; v++) sum[k][v] = _mm512_dpbf16_ps(sum[k][v], left, right[v]);
        }
    }
    UNROLL for (int k = 0; k < taps; k++)
        UNROLL for (int v = 0; v < vectors; v++) {
            float *to = sums + k * apart + v * LANES;
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), sum[k][v]));
        }
}
#define NUMBER uint16_t
#define NAME(name) name##_bfloats
#define PAIR 2
#include "weight_gradient.h"
#endif
