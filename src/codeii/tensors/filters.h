/* The two filters of filter.py, a step in time of several records at once.

   Every operation is the one SciPy takes, in SciPy's order (sosfilt, lfilter). Both filter `count` rows from `p` on in
   place, forwards (step 1) or backwards (-1); `kept` goes from one call to the next. R is a constant where inlined. */
#include "lanes.h"

#define MOST 4                                            /* records side by side */
#define EACH UNROLL for (int r = 0; r < R; r++)

typedef struct {
    lanes of[3][MOST];
} state;

/* A section of first order, b (1 - 1/z) / (1 + a/z), then one of second order whose b0 is 1. */
INLINE void high_pass(int R, lanes *p, int64_t step, int64_t count, const double *c, state *kept)
{
    const double b = c[0], a = c[1], b1 = c[2], b2 = c[3], a1 = c[4], a2 = c[5];
    lanes s[MOST], z0[MOST], z1[MOST];
    EACH { s[r] = kept->of[0][r]; z0[r] = kept->of[1][r]; z1[r] = kept->of[2][r]; }
    for (int64_t i = 0; i < count; i++, p += step * R)
        EACH {
            lanes scaled = b * p[r], x = scaled + s[r], y = x + z0[r];
            s[r] = -scaled - a * x;
            z0[r] = b1 * x - a1 * y + z1[r];
            z1[r] = b2 * x - a2 * y;
            p[r] = y;
        }
    EACH { kept->of[0][r] = s[r]; kept->of[1][r] = z0[r]; kept->of[2][r] = z1[r]; }
}

/* b2 equals b0. The sum of z0 is taken in another order than in the sections above: so does SciPy. */
INLINE void notch(int R, lanes *p, int64_t step, int64_t count, const double *c, state *kept)
{
    const double b0 = c[0], b1 = c[1], a1 = c[2], a2 = c[3];
    lanes z0[MOST], z1[MOST];
    EACH { z0[r] = kept->of[0][r]; z1[r] = kept->of[1][r]; }
    for (int64_t i = 0; i < count; i++, p += step * R)
        EACH {
            lanes x = p[r], scaled = b0 * x, y = scaled + z0[r];
            z0[r] = z1[r] + b1 * x - a1 * y;
            z1[r] = scaled - a2 * y;
            p[r] = y;
        }
    EACH { kept->of[0][r] = z0[r]; kept->of[1][r] = z1[r]; }
}

/* As if the first value had stood there for ever. */
INLINE void settle(int R, const lanes *first, const double *steady, int states, state *kept)
{
    for (int i = 0; i < states; i++) EACH kept->of[i][r] = steady[i] * first[r];
}
