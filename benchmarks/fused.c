/* The rates at which this processor multiplies and adds numbers that never leave its registers, in one instruction.

   `rounds` rounds of sixteen vectors, none waiting for another; `one` is 1 and hides it from the compiler. `lanes_of`
   is how many products one instruction makes: 0 where this processor has none for the type. */
#include <stdint.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define WIDE 16
#define UNROLL _Pragma("GCC unroll 16")

#if defined(__AVX512F__)
int64_t lanes_of_floats(void) { return 16; }
float fuse_floats(int64_t rounds, float one)
{
    __m512 sum[WIDE], factor = _mm512_set1_ps(one);
    UNROLL for (int i = 0; i < WIDE; i++) sum[i] = _mm512_set1_ps(one + i);
    for (int64_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < WIDE; i++) sum[i] = _mm512_fmadd_ps(sum[i], factor, factor);
    float total = 0;
    for (int i = 0; i < WIDE; i++) total += _mm512_reduce_add_ps(sum[i]);
    return total;
}
#elif defined(__AVX2__) && defined(__FMA__)
int64_t lanes_of_floats(void) { return 8; }
float fuse_floats(int64_t rounds, float one)
{
    __m256 sum[WIDE], factor = _mm256_set1_ps(one);
    UNROLL for (int i = 0; i < WIDE; i++) sum[i] = _mm256_set1_ps(one + i);
    for (int64_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < WIDE; i++) sum[i] = _mm256_fmadd_ps(sum[i], factor, factor);
    float total = 0;
    for (int i = 0; i < WIDE; i++) total += _mm256_cvtss_f32(sum[i]);
    return total;
}
#else
int64_t lanes_of_floats(void) { return 0; }
float fuse_floats(int64_t rounds, float one) { return one + (float)rounds; }
#endif

#if defined(__AVX512BF16__)
int64_t lanes_of_bfloats(void) { return 32; }
float fuse_bfloats(int64_t rounds, float one)
{
    __m512 sum[WIDE];
    __m512bh factor = _mm512_cvtne2ps_pbh(_mm512_set1_ps(one), _mm512_set1_ps(one));
    UNROLL for (int i = 0; i < WIDE; i++) sum[i] = _mm512_set1_ps(one + i);
    for (int64_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < WIDE; i++) sum[i] = _mm512_dpbf16_ps(sum[i], factor, factor);
    float total = 0;
    for (int i = 0; i < WIDE; i++) total += _mm512_reduce_add_ps(sum[i]);
    return total;
}
#else
int64_t lanes_of_bfloats(void) { return 0; }
float fuse_bfloats(int64_t rounds, float one) { return one + (float)rounds; }
#endif
