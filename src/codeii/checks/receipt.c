/* Looks at the time stamps of many files, as receipt.py does one by one. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define MODIFIED(found) (found).st_mtimespec
#define CHANGED(found) (found).st_ctimespec
#else
#define MODIFIED(found) (found).st_mtim
#define CHANGED(found) (found).st_ctim
#endif

static int64_t nanoseconds(struct timespec time) { return 1000000000 * (int64_t)time.tv_sec + time.tv_nsec; }

/* Whether a file of a folder, or of the working directory where the path is whole, has the signature. */
static int is_so(int folder, const char *path, const char *signature)
{
    struct stat found;
    if (fstatat(folder, path, &found, 0)) return 0;
    const int64_t here[4] = {found.st_size, nanoseconds(MODIFIED(found)), (int64_t)found.st_ino,
                             nanoseconds(CHANGED(found))};
    return !memcmp(here, signature, sizeof here);
}

/* Length of a path's folder with the last slash, 0 where it has none. */
static int64_t folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 - path : 0;
}

/* The folder of a path, opened; -1 where that fails: then its files are looked up by their whole paths. */
static int opened(const char *path, int64_t length)
{
    char name[4096];
    if (length < 1 || length >= (int64_t)sizeof name) return -1;
    memcpy(name, path, length);
    name[length] = 0;
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* paths : `count` paths, each ended by a zero; signatures : four int64 for each: size, modified, inode, changed
   returns 1 where every file has its signature, else 0

   Neighbours in one folder are looked up from there: walking down the folders is a sixth of a look. */
int unchanged(const char *paths, const char *signatures, int64_t count)
{
    const char *shared = NULL;                            /* a path in the open folder */
    int64_t length = 0;
    int folder = -1, same = 1;
    for (int64_t i = 0; i < count && same; i++) {
        const char *next = paths + strlen(paths) + 1;
        const int64_t here = folder_of(paths);
        if (!shared || here != length || memcmp(paths, shared, here)) {
            if (folder >= 0) close(folder);
            const int more = i + 1 < count && folder_of(next) == here && !memcmp(next, paths, here);
            shared = paths, length = here;
            folder = more ? opened(paths, here) : -1;
        }
        same = folder >= 0 ? is_so(folder, paths + here, signatures) : is_so(AT_FDCWD, paths, signatures);
        paths = next, signatures += 4 * sizeof(int64_t);
    }
    if (folder >= 0) close(folder);
    return same;
}
