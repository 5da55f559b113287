/* A module for LD_PRELOAD under which nothing is synced and nobody is told: the writer that the
 * power-cut test must catch. Files are opened without O_SYNC, O_DSYNC and O_DIRECT, and the calls
 * that sync succeed at once. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define FORGOTTEN (O_SYNC | O_DSYNC | O_DIRECT)

#pragma GCC diagnostic ignored "-Wpedantic" /* dlsym gives a data pointer */

/* O_TMPFILE has the bits of O_DIRECTORY, and only it and O_CREAT bring a mode. */
#define MODE_OF(flags, mode)                                                                       \
    do {                                                                                           \
        if (((flags)&O_CREAT) || ((flags)&O_TMPFILE) == O_TMPFILE) {                               \
            va_list list;                                                                          \
            va_start(list, flags);                                                                 \
            (mode) = va_arg(list, mode_t);                                                         \
            va_end(list);                                                                          \
        }                                                                                          \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(path, flags & ~FORGOTTEN,
                                                                       mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64"))(path, flags & ~FORGOTTEN,
                                                                         mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat"))(
        directory, path, flags & ~FORGOTTEN, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64"))(
        directory, path, flags & ~FORGOTTEN, mode);
}

int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

int msync(void *address, size_t length, int flags)
{
    (void)address, (void)length, (void)flags;
    return 0;
}

int syncfs(int fd)
{
    (void)fd;
    return 0;
}

void sync(void)
{
}
