/* Reads the usual form of a WFDB header; any other form, right or wrong, is left to wfdb_header.py. */
#include <stdint.h>
#include <string.h>

enum { UNUSUAL = -1, MOST_LEADS = 64, FIELDS = 9, CHECKSUM = 6 };

typedef struct {
    int64_t leads, samples;
    int64_t file, file_end, comments;                     /* places in the text */
    uint16_t checksums[MOST_LEADS];                       /* modulo 65536 */
} found;

/* End of the field at `p`, which a single blank ends; `end`, the end of its line, where it is the last. */
static const char *field_end(const char *p, const char *end)
{
    const char *blank = memchr(p, ' ', end - p);
    return blank ? blank : end;
}

/* A whole number of at most nine digits that fills the field; 0 where it is another. */
static int number(const char *p, const char *end, int64_t *value)
{
    const int negative = p < end && *p == '-';
    int64_t sum = 0;
    p += negative;
    if (p == end || end - p > 9) return 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') return 0;
        sum = 10 * sum + (*p - '0');
    }
    *value = negative ? -sum : sum;
    return 1;
}

/* The record line: name, leads, rate and length, of which leads and rate go to the key; what follows is not used. */
static char *record_line(const char *p, const char *end, char *key, found *f)
{
    for (int field = 0; field < 4; field++) {
        const char *stop = field_end(p, end);
        if (stop == p || (field == 0 && memchr(p, '/', stop - p))) return NULL;
        if (field == 1 || field == 2) {
            memcpy(key, p, stop - p);
            key += stop - p;
            *key++ = ' ';
        } else if (field == 3 && (!number(p, stop, &f->samples) || f->samples < 1)) return NULL;
        if (stop == end && field < 3) return NULL;
        p = stop + 1;
    }
    return key;
}

/* One signal line: its file compared, its checksum read, all but these and the first value copied to the key. */
static char *signal_line(const char *text, const char *p, const char *end, char *key, found *f)
{
    for (int field = 0; field < FIELDS; field++) {
        const char *stop = field == FIELDS - 1 ? end : field_end(p, end);
        int64_t sum;
        if (stop == p || (field < FIELDS - 1 && stop == end)) return NULL;
        if (field == 0) {
            if (f->leads == 0) f->file = p - text, f->file_end = stop - text;
            else if (stop - p != f->file_end - f->file || memcmp(p, text + f->file, stop - p)) return NULL;
        } else if (field == CHECKSUM) {
            if (!number(p, stop, &sum)) return NULL;
            f->checksums[f->leads] = (uint16_t)sum;
        } else if (field != CHECKSUM - 1) {
            memcpy(key, p, stop - p);
            key += stop - p;
            *key++ = ' ';
        }
        p = stop + 1;
    }
    f->leads++;
    return key;
}

/* text : a header  ->  f, and in key (as long as the text, and nine more) what headers of one data set have in common
   returns the length of the key, or UNUSUAL: not the one form of printable ASCII with single blanks between nine
   fields, lines that end in \n, one signal file and comments at the end */
int64_t usual_header(const char *text, int64_t length, char *key, found *f)
{
    const char *p = text, *const stop = text + length;
    char *const start = key;
    memset(f, 0, sizeof *f);
    for (int64_t i = 0; i < length; i++)
        if ((text[i] < ' ' || text[i] > '~') && text[i] != '\n') return UNUSUAL;
    for (int64_t line = 0; p < stop && *p != '#'; line++) {
        const char *end = memchr(p, '\n', stop - p);
        if (!end) end = stop;
        if (line == 0) key = record_line(p, end, key, f);
        else key = f->leads < MOST_LEADS ? signal_line(text, p, end, key, f) : NULL;
        if (!key) return UNUSUAL;
        *key++ = '\n';
        p = end < stop ? end + 1 : stop;
    }
    f->comments = p - text;
    for (; p < stop; p++) {                               /* nothing but comments may follow */
        if (*p != '#') return UNUSUAL;
        if (!(p = memchr(p, '\n', stop - p))) break;
    }
    return f->leads ? key - start : UNUSUAL;
}
