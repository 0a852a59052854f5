/* Tells the kernel which rows of a file are wanted soon: one call a batch, where Python would make two a row. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/uio.h>

/* Whether a read of the first byte there would not wait for the disk; 0 where the system cannot say. */
static int in_memory(int descriptor, int64_t offset)
{
#ifdef RWF_NOWAIT
    char byte;
    const struct iovec one = {&byte, 1};
    return preadv2(descriptor, &one, 1, offset, RWF_NOWAIT) == 1;
#else
    return 0;
#endif
}

/* Announces the rows that are not in memory. Where every eighth is there, the others are taken to be there too: asking
   about each of them takes as long as half of copying it.

   start : byte at which row 0 begins; rows : (count) row numbers in the file
   returns how many rows were announced */
int64_t announce(int descriptor, int64_t start, int64_t row_bytes, const int64_t *rows, int64_t count)
{
    int64_t announced = 0, asked = 0;
    while (asked < count && in_memory(descriptor, start + rows[asked] * row_bytes)) asked += 8;
    if (asked >= count) return 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t offset = start + rows[i] * row_bytes;
        if (in_memory(descriptor, offset)) continue;
        posix_fadvise(descriptor, offset, row_bytes, POSIX_FADV_WILLNEED);
        announced++;
    }
    return announced;
}
