/* High-pass, notch, resampling, leads, length and rounding of int16 records, all in memory that stays in the cache.

   Four records of one length run side by side. One vector holds the eight independent leads of one record at one
   time, so the filters, which depend on the past, run along time without waiting: a step of one record is taken while
   the last step of another is still under way. Every operation on doubles is the one SciPy takes, in SciPy's order
   (sosfiltfilt, filtfilt, resample_poly), and the compiler is told not to merge any two: results are equal bit by bit
   where SciPy itself was compiled without merging, as its packages for x86-64 are. */
#include "filters.h"

#define TILE 32                                           /* resampled times delivered together: a cache line each */

typedef struct {
    int64_t stride, samples, made;                        /* of a record: stored, used, and after resampling */
    int64_t high_edge, notch_edge;                        /* by how much each filter extends the record; 0: no filter */
    int64_t pairs, down, width;                           /* outputs come in pairs; `pairs` of them advance by `down` */
    const double *high;                                   /* b a | b1 b2 a1 a2 | three steady states */
    const double *notch;                                  /* b0 b1 a1 a2 | two steady states */
    const double *taps;                                   /* (pair, width, 2) */
    const int64_t *first;                                 /* (pair) first input of each */
} steps;

typedef struct {
    int64_t leads, length;                                /* 8 or 12 leads of int16; 0 leads: all as doubles */
    int64_t windows;                                      /* rows cut from a record */
    const int64_t *starts;                                /* (window) in resampled samples; below 0: padded before */
    void *const *rows;                                    /* (record, window) where each row is written */
    int64_t *clipped;                                     /* (record, window) samples beyond int16 */
} delivery;

static const int64_t AMONG_TWELVE[8] = {0, 1, 6, 7, 8, 9, 10, 11};  /* places of I, II, V1-V6 */
static const double FROM_I[4] = {-1.0, -0.5, 1.0, -0.5};            /* III, aVR, aVL, aVF */
static const double FROM_II[4] = {1.0, -0.5, -0.5, 1.0};

/* --- in: twelve int16 rows -> one vector a time, and through the high-pass forwards while they are at hand */

INLINE void read_eight(const int16_t *record, int64_t stride, lanes *to, int64_t step)
{
    counts row[8];
    UNROLL for (int l = 0; l < 8; l++) memcpy(row + l, record + AMONG_TWELVE[l] * stride, sizeof *row);
    transpose_counts(row);
    UNROLL for (int t = 0; t < 8; t++)
        to[t * step] = __builtin_convertvector(__builtin_convertvector(row[t], integers), lanes);
}

INLINE void read_rest(const int16_t *record, int64_t stride, int64_t count, lanes *to, int64_t step)
{
    int16_t rest[12 * 8] = {0};
    lanes row[8];
    for (int l = 0; l < 12; l++) memcpy(rest + 8 * l, record + l * stride, 2 * count);
    read_eight(rest, 8, row, 1);
    for (int64_t t = 0; t < count; t++) to[t * step] = row[t];
}

INLINE void read_records(int R, const steps *s, const int16_t *const *records, lanes *w)
{
    const int64_t n = s->samples;
    state kept;
    for (int64_t from = 0; from < n; from += TILE) {
        const int64_t to = from + TILE < n ? from + TILE : n;
        for (int r = 0; r < R; r++)                       /* a cache line of one record, then of the next */
            for (int64_t t = from; t < to; t += 8)
                if (t + 8 <= n) read_eight(records[r] + t, s->stride, w + t * R + r, R);
                else read_rest(records[r] + t, s->stride, n - t, w + t * R + r, R);
        if (!s->high_edge) continue;
        if (from == 0) {                                  /* ends held constant */
            for (int64_t i = 1; i <= s->high_edge; i++) EACH w[-i * R + r] = w[r];
            settle(R, w, s->high + 6, 3, &kept);
            high_pass(R, w - s->high_edge * R, 1, s->high_edge, s->high, &kept);
        }
        if (to == n) {
            for (int64_t i = 0; i < s->high_edge; i++) EACH w[(n + i) * R + r] = w[(n - 1) * R + r];
            high_pass(R, w + from * R, 1, n - from + s->high_edge, s->high, &kept);
        } else high_pass(R, w + from * R, 1, to - from, s->high, &kept);
    }
}

INLINE void filter(int R, const steps *s, lanes *w)
{
    const int64_t n = s->samples, last = n - 1, edge = s->notch_edge;
    state kept;
    if (s->high_edge) {
        lanes *from = w + (last + s->high_edge) * R;
        settle(R, from, s->high + 6, 3, &kept);
        high_pass(R, from, -1, n + s->high_edge, s->high, &kept);
    }
    if (edge) {                                           /* ends turned about their last point */
        for (int64_t i = 1; i <= edge; i++)
            EACH {
                w[-i * R + r] = 2.0 * w[r] - w[i * R + r];
                w[(last + i) * R + r] = 2.0 * w[last * R + r] - w[(last - i) * R + r];
            }
        settle(R, w - edge * R, s->notch + 4, 2, &kept);
        notch(R, w - edge * R, 1, n + 2 * edge, s->notch, &kept);
        settle(R, w + (last + edge) * R, s->notch + 4, 2, &kept);
        notch(R, w + (last + edge) * R, -1, n + edge, s->notch, &kept);
    }
}

/* --- resampling: the filter's taps by phase, two outputs at a time because they share most inputs */

INLINE void resample(int R, const steps *s, const lanes *w, int64_t from, lanes (*tile)[MOST])
{
    int64_t pair = from / 2 % s->pairs, base = from / 2 / s->pairs * s->down;
    for (int i = 0; i < TILE; i += 2) {
        const int64_t begin = base + s->first[pair];
        const int64_t k0 = begin < 0 ? -begin : 0;        /* beyond its ends a record counts as zero */
        const int64_t k1 = begin + s->width > s->samples ? s->samples - begin : s->width;
        const double *tap = s->taps + 2 * pair * s->width;
        const lanes *x = w + begin * R;
        lanes one[MOST], two[MOST];
        EACH one[r] = two[r] = (lanes){0};
        for (int64_t k = k0; k < k1; k++) {
            const double h1 = tap[2 * k], h2 = tap[2 * k + 1];
            EACH {
                lanes value = x[k * R + r];
                IN_REGISTER(value);
                one[r] += value * h1;
                two[r] += value * h2;
            }
        }
        EACH { tile[i][r] = one[r]; tile[i + 1][r] = two[r]; }
        if (++pair == s->pairs) { pair = 0; base += s->down; }
    }
}

/* --- out: vectors -> rows of int16, or of doubles */

#define NEAREST(y) ((y) + 0x1.8p52 - 0x1.8p52)            /* to the nearest integer, halves to the even one */

/* One by one: a tile at a record's or window's end, or one with a value beyond int16. */
static __attribute__((noinline)) void deliver_slowly(lanes (*tile)[MOST], int r, int64_t lo, int64_t hi, int64_t leads,
                                                     int64_t length, int16_t *to, int64_t *clipped)
{
    for (int64_t i = lo; i < hi; i++)
        for (int64_t l = 0; l < leads; l++) {
            const int64_t limb = l - 8;                   /* the derived ones come last */
            double y = limb < 0 ? tile[i][r][l] : FROM_I[limb] * tile[i][r][0] + FROM_II[limb] * tile[i][r][1];
            y = NEAREST(y);
            const double kept = y > 32767.0 ? 32767.0 : y < -32767.0 ? -32767.0 : y;
            *clipped += kept != y;
            const int64_t row = leads == 8 ? l : limb < 0 ? AMONG_TWELVE[l] : 2 + limb;
            to[row * length + i] = (int16_t)kept;
        }
}

/* Eight times of one lead. They fit int32 by far, as they come from int16; `beyond` collects what shows in the
   upper half where one is not within +-32767. */
INLINE void deliver_eight(lanes lead, int16_t *to, integers *beyond)
{
    const integers y = __builtin_convertvector(NEAREST(lead), integers);
    const counts kept = __builtin_convertvector(y, counts);
    *beyond |= (y + 32767) | (32767 - y);
    memcpy(to, &kept, sizeof kept);
}

INLINE int all_within(integers beyond)
{
    uint32_t any = 0;
    UNROLL for (int i = 0; i < 8; i++) any |= (uint32_t)beyond[i];
    return any <= 0xffff;
}

INLINE void deliver(lanes (*tile)[MOST], int r, int64_t leads, int64_t length, int16_t *to, int64_t *clipped)
{
    integers beyond = {0};
    for (int i = 0; i < TILE; i += 8) {
        lanes row[8];
        UNROLL for (int t = 0; t < 8; t++) row[t] = tile[i + t][r];
        transpose_lanes(row);
        UNROLL for (int l = 0; l < 8; l++)
            deliver_eight(row[l], to + (leads == 8 ? l : AMONG_TWELVE[l]) * length + i, &beyond);
        for (int limb = 0; limb < leads - 8; limb++)
            deliver_eight(FROM_I[limb] * row[0] + FROM_II[limb] * row[1], to + (2 + limb) * length + i, &beyond);
    }
    if (!all_within(beyond)) deliver_slowly(tile, r, 0, TILE, leads, length, to, clipped);
}

INLINE void deliver_doubles(lanes (*tile)[MOST], int r, int64_t hi, int64_t length, double *to)
{
    for (int l = 0; l < 8; l++)
        for (int64_t i = 0; i < hi; i++) to[l * length + i] = tile[i][r][l];
}

/* One window of each of R records, in tiles; what lies outside the records is zero. */
INLINE void window(int R, const steps *s, const delivery *d, const lanes *w, int64_t number, int64_t record)
{
    const int64_t start = d->starts[number], to = start + d->length < s->made ? start + d->length : s->made;
    const int64_t from = start < 0 ? 0 : start, bytes = d->leads ? 2 : 8, rows = d->leads ? d->leads : 8;
    lanes tile[TILE][MOST];
    for (int64_t at = from / TILE * TILE; at < to; at += TILE) {
        resample(R, s, w, at, tile);
        const int64_t lo = at < from ? from - at : 0, hi = at + TILE > to ? to - at : TILE;
        for (int r = 0; r < R; r++) {
            const int64_t place = (record + r) * d->windows + number;
            if (!d->leads)
                deliver_doubles(tile, r, hi, d->length, (double *)d->rows[place] + at);
            else if (hi - lo == TILE)
                deliver(tile, r, d->leads, d->length, (int16_t *)d->rows[place] + at - start, d->clipped + place);
            else
                deliver_slowly(tile, r, lo, hi, d->leads, d->length, (int16_t *)d->rows[place] + at - start,
                               d->clipped + place);
        }
    }
    for (int r = 0; r < R; r++)
        for (int64_t l = 0; l < rows; l++) {
            char *row = (char *)d->rows[(record + r) * d->windows + number] + l * d->length * bytes;
            memset(row, 0, (from - start) * bytes);
            memset(row + (to - start) * bytes, 0, (d->length - (to - start)) * bytes);
        }
}

INLINE void together(int R, const steps *s, const delivery *d, const int16_t *const *records, int64_t record, lanes *w)
{
    read_records(R, s, records + record, w);
    filter(R, s, w);
    for (int64_t number = 0; number < d->windows; number++) window(R, s, d, w, number, record);
}

/* records : `count` pointers to twelve rows of `samples` int16 one after the other
   beside : how many records to take side by side, 1 to MOST
   work : aligned to 64 bytes, of (samples + 2 edge) * beside vectors, `edge` rows before the first one's place */
void fused(const steps *s, const delivery *d, const int16_t *const *records, int64_t count, int64_t beside, void *work,
           int64_t edge)
{
    for (int64_t record = 0; record < count;) {
        int64_t R = count - record < beside ? count - record : beside;
        lanes *w = (lanes *)work + edge * R;
        if (R >= 4) together(4, s, d, records, record, w), R = 4;
        else if (R == 3) together(3, s, d, records, record, w);
        else if (R == 2) together(2, s, d, records, record, w);
        else together(1, s, d, records, record, w);
        record += R;
    }
}
