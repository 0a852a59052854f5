/* Vectors and their transposition, in the vector extension that gcc (12 and later) and clang share.

   The compiler splits a vector that is wider than the machine's registers, so nothing here asks for one processor. */
#include <stdint.h>
#include <string.h>

typedef double lanes __attribute__((vector_size(64)));    /* eight leads at one time, or one lead at eight times */
typedef int32_t integers __attribute__((vector_size(32)));
typedef int16_t counts __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* Keeps a value in a register where gcc would load it again for each use; changes no value. */
#if defined(__AVX512F__)
#define IN_REGISTER(vector) __asm__("" : "+v"(vector))
#else
#define IN_REGISTER(vector)
#endif

/* Eight vectors of eight int16 as the rows of a matrix: rows become columns. */
INLINE void transpose_counts(counts *row)
{
    counts next[8];
    UNROLL for (int round = 0; round < 3; round++) {
        UNROLL for (int i = 0; i < 4; i++) {
            next[2 * i] = __builtin_shufflevector(row[i], row[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            next[2 * i + 1] = __builtin_shufflevector(row[i], row[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        UNROLL for (int i = 0; i < 8; i++) row[i] = next[i];
    }
}

/* The same for eight vectors of eight doubles, in three rounds of pairs, quarters and halves. */
INLINE void transpose_lanes(lanes *row)
{
    lanes next[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        next[i] = __builtin_shufflevector(row[i], row[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        next[i + 1] = __builtin_shufflevector(row[i], row[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        UNROLL for (int j = i; j < i + 2; j++) {
            row[j] = __builtin_shufflevector(next[j], next[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            row[j + 2] = __builtin_shufflevector(next[j], next[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    UNROLL for (int i = 0; i < 4; i++) {
        next[i] = __builtin_shufflevector(row[i], row[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        next[i + 4] = __builtin_shufflevector(row[i], row[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    UNROLL for (int i = 0; i < 8; i++) row[i] = next[i];
}
