/* Rows of samples of the twelve leads. */
#pragma once
#include "lanes.h"

enum { LEADS = 12 };

typedef int16_t sixteen __attribute__((vector_size(32)));

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
