/* What both types share: turning a block, and the walk over its tiles. Made once for each NUMBER; PAIR is how many
   times lie side by side in a panel. */

/* x of one block by channel and part: out[c][part][place] for time (place * stride + part) - left after `start`. */
static void NAME(turn)(const NUMBER *x, NUMBER *out, const shape *s, int64_t start, int64_t places, int64_t times)
{
    int64_t row = s->stride * places, all = s->channels_in;
    for (int64_t place = 0; place < places - BLOCK + times; place++)
        for (int64_t part = 0; part < s->stride; part++) {
            int64_t time = (start + place) * s->stride + part - s->left;
            NUMBER *to = out + part * places + place;
            if (time < 0 || time >= s->times_in)
                for (int64_t c = 0; c < all; c++) to[c * row] = 0;
            else
                for (int64_t c = 0; c < all; c++) to[c * row] = x[time * all + c];
        }
}

/* g of one block in panels: out[panel][t / PAIR][lane][t % PAIR], zeros beyond the last time and channel. */
static void NAME(panels)(const NUMBER *g, NUMBER *out, const shape *s, int64_t start, int64_t times, int64_t count)
{
    int64_t left = s->times_out - start;
    for (int64_t panel = 0; panel < count; panel++, out += BLOCK * PANEL)
        for (int64_t t = 0; t < times; t++) {
            int64_t lanes = s->channels_out - panel * PANEL;
            NUMBER *to = out + t / PAIR * PAIR * PANEL + t % PAIR;
            const NUMBER *from = g + (start + t) * s->channels_out + panel * PANEL;
            lanes = t >= left ? 0 : lanes < PANEL ? lanes : PANEL;
            for (int64_t lane = 0; lane < lanes; lane++) to[lane * PAIR] = from[lane];
            for (int64_t lane = lanes; lane < PANEL; lane++) to[lane * PAIR] = 0;
        }
}

#define CASE(n) case n: NAME(tile)(x, g, sums, apart, times, n, vectors); break;
INLINE void NAME(of_taps)(const NUMBER *x, const NUMBER *g, float *sums, int64_t apart, int times, int taps, int vectors)
{
    switch (taps) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) }
}
#undef CASE

static void NAME(tiles)(const NUMBER *turned, const NUMBER *packed, float *out, const shape *s, int64_t places, int times,
                        int64_t count)
{
    int64_t width = count * PANEL;
    for (int64_t panel = 0; panel < count; panel++)
        for (int64_t c = 0; c < s->channels_in; c++)
            for (int64_t part = 0; part < s->stride && part < s->taps; part++) {
                const NUMBER *x = turned + (c * s->stride + part) * places, *g = packed + panel * BLOCK * PANEL;
                int64_t taps = (s->taps - part + s->stride - 1) / s->stride, groups = (taps + MOST_TAPS - 1) / MOST_TAPS;
                for (int64_t group = 0, done = 0; group < groups; group++) {
                    int n = (int)((taps - done + groups - group - 1) / (groups - group));
                    float *sums = out + (c * s->taps + part + done * s->stride) * width + panel * PANEL;
                    if (s->channels_out - panel * PANEL > LANES)
                        NAME(of_taps)(x + done, g, sums, s->stride * width, times, n, 2);
                    else
                        NAME(of_taps)(x + done, g, sums, s->stride * width, times, n, 1);
                    done += n;
                }
            }
}

/* out: (channels_in, taps, channels_out to the next 32) float32, zeros at first. Returns 0, or 1 without memory. */
int64_t NAME(weight_gradient)(const NUMBER *x, const NUMBER *g, float *out, const int64_t *sizes)
{
    shape s;
    memcpy(&s, sizes, sizeof s);
    int64_t count = (s.channels_out + PANEL - 1) / PANEL, places = BLOCK + s.taps / s.stride + 2;
    NUMBER *turned = malloc(sizeof(NUMBER) * s.channels_in * s.stride * places);
    NUMBER *packed = malloc(sizeof(NUMBER) * count * BLOCK * PANEL);
    int64_t failed = !turned || !packed;
    for (int64_t record = 0; record < s.records && !failed; record++)
        for (int64_t start = 0; start < s.times_out; start += BLOCK) {
            int64_t left = s.times_out - start, times = left < BLOCK ? (left + PAIR - 1) / PAIR * PAIR : BLOCK;
            NAME(turn)(x + record * s.times_in * s.channels_in, turned, &s, start, places, times);
            NAME(panels)(g + record * s.times_out * s.channels_out, packed, &s, start, times, count);
            NAME(tiles)(turned, packed, out, &s, places, (int)times, count);
        }
    free(turned);
    free(packed);
    return failed;
}
