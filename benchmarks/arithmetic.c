/* The rate at which this processor multiplies and adds vectors of eight doubles that never leave its registers. */
#include "lanes.h"

/* Eight products and eight sums a round, none waiting for another of the same round; `one` is 1 and hides it from
   the compiler; the eight differ, or it would take them for one. */
double multiply_and_add(int64_t rounds, double one)
{
    lanes product[8], sum[8];
    UNROLL for (int i = 0; i < 8; i++) product[i] = sum[i] = (lanes){1, 2, 3, 4, 5, 6, 7, 8} + (one + i);
    for (int64_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < 8; i++) {
            product[i] *= one;
            sum[i] += product[i];
        }
    double total = 0;
    for (int i = 0; i < 8; i++) total += sum[i][i];
    return total;
}
