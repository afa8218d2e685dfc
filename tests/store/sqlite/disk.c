/* A disk with troubles, for one process: preloaded, it stands between SQLite and the C library.
 *
 * FSYNC_MS=n         every fsync and fdatasync takes n milliseconds more
 * FULL_FILE=path     while that file exists, writing to a database or its log finds no space
 * NO_SHARED_MMAP=1   shared memory cannot be mapped, as on some network file systems
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void linger(void) {
    const char *text = getenv("FSYNC_MS");
    long ms = text ? atol(text) : 0;
    struct timespec span = {ms / 1000, (ms % 1000) * 1000000L};
    if (ms > 0) nanosleep(&span, NULL);
}

static int is_full(int file) {
    const char *sign = getenv("FULL_FILE");
    char link[64], name[4096];
    if (!sign || access(sign, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    return strstr(name, ".db") != NULL;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

int fsync(int file) { REAL(int, "fsync", int); linger(); return real(file); }

int fdatasync(int file) { REAL(int, "fdatasync", int); linger(); return real(file); }

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (is_full(file)) { errno = ENOSPC; return -1; }
    return real(file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    if (is_full(file)) { errno = ENOSPC; return -1; }
    return real(file, bytes, count, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset) {
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    if (getenv("NO_SHARED_MMAP") && file >= 0 && (flags & MAP_SHARED)) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return real(at, length, protection, flags, file, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int file, off64_t offset) {
    return mmap(at, length, protection, flags, file, offset);
}
