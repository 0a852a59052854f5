/* A signal file of format 16 holds the samples of all leads time by time; a record holds them lead by lead. */
#include "lanes.h"

/* Eight leads from `frames` on: turned into rows of `out`, added up in `sums`, and in `none` where -32768 was met. */
static void turn_eight(const int16_t *frames, int64_t samples, int64_t leads, int16_t *out, uint16_t *sums,
                       counts *none)
{
    counts sum[8] = {{0}}, met = {0};
    for (int64_t t = 0; t + 8 <= samples; t += 8) {
        counts row[8];
        UNROLL for (int i = 0; i < 8; i++) memcpy(row + i, frames + (t + i) * leads, sizeof *row);
        transpose_counts(row);
        UNROLL for (int i = 0; i < 8; i++) {
            memcpy(out + i * samples + t, row + i, sizeof *row);
            sum[i] += row[i];
            met |= row[i] == -32768;
        }
    }
    UNROLL for (int i = 0; i < 8; i++) {
        sums[i] = 0;
        for (int j = 0; j < 8; j++) sums[i] += (uint16_t)sum[i][j];
    }
    *none |= met;
}

/* Turns (sample, lead) into (lead, sample) and adds up each lead modulo 65536, as the header's checksum does.

   frames : (samples, leads) int16  ->  out (leads, samples), sums (leads)
   returns 0 where no sample is -32768, format 16's "no value" */
int64_t lead_major(const int16_t *frames, int64_t samples, int64_t leads, int16_t *out, uint16_t *sums)
{
    const int64_t whole = leads < 8 ? 0 : samples / 8 * 8;
    counts none = {0};
    for (int64_t l = 0; whole && l < leads; l += 8) {     /* the last eight may overlap those before: the same again */
        const int64_t from = l + 8 > leads ? leads - 8 : l;
        turn_eight(frames + from, samples, leads, out + from * samples, sums + from, &none);
    }
    int64_t without = 0;
    for (int i = 0; i < 8; i++) without |= none[i];
    for (int64_t l = 0; l < leads; l++) {
        if (!whole) sums[l] = 0;
        for (int64_t t = whole; t < samples; t++) {
            const int16_t value = frames[t * leads + l];
            out[l * samples + t] = value;
            sums[l] += (uint16_t)value;
            without |= value == -32768;
        }
    }
    return without;
}
