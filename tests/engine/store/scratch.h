/* Scratch directories, child processes and small file surgery for the tests of store/. */
#ifndef RATEL_TESTS_STORE_SCRATCH_H
#define RATEL_TESTS_STORE_SCRATCH_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH_PATH_BYTES 512

static inline int scratch_remove_one(const char *path, const struct stat *info, int flag,
                                     struct FTW *walk)
{
    (void)info, (void)flag, (void)walk;
    return remove(path);
}

static inline void scratch_remove(const char *path)
{
    (void)nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_make(char path[SCRATCH_PATH_BYTES])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, SCRATCH_PATH_BYTES, "%s/ratel-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        abort();
    }
}

static inline void scratch_path(const char *root, const char *name, char path[SCRATCH_PATH_BYTES])
{
    if (snprintf(path, SCRATCH_PATH_BYTES, "%s/%s", root, name) >= SCRATCH_PATH_BYTES)
        abort();
}

/* Owner: caller, free. */
static inline char *scratch_read(const char *path, size_t *ret_length)
{
    int fd = open(path, O_RDONLY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0)
        abort();
    char *data = malloc((size_t)info.st_size + 1);
    if (!data || read(fd, data, (size_t)info.st_size) != info.st_size)
        abort();
    close(fd);
    data[info.st_size] = 0;
    *ret_length = (size_t)info.st_size;
    return data;
}

static inline void scratch_write(const char *path, const void *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, data, length) != (ssize_t)length)
        abort();
    close(fd);
}

static inline void scratch_flip(const char *path, size_t offset, unsigned char mask)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, &byte, 1, (off_t)offset) != 1)
        abort();
    byte ^= mask;
    if (pwrite(fd, &byte, 1, (off_t)offset) != 1)
        abort();
    close(fd);
}

static inline size_t scratch_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (size_t)info.st_size : 0;
}

/* A tmpfs of `bytes`; false where mounting is not allowed. */
static inline int scratch_mount(const char *path, size_t bytes)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%zu", bytes);
    return mount("none", path, "tmpfs", 0, options) == 0;
}

/* Runs `body` in a child; returns its exit code, or 128 and the signal. */
static inline int scratch_child(int (*body)(void *context), void *context)
{
    int how;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(body(context));
    if (child < 0 || waitpid(child, &how, 0) != child)
        abort();
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

/* xorshift64*: the same numbers on each run. */
static inline uint64_t scratch_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

#endif
