/* Two things that the power-cut test cannot do in a shell:
 *
 *   power_cut cut DIRECTORY MILLISECONDS MARK
 *       After the time, takes the power from the file system that is mounted on DIRECTORY:
 * FS_IOC_SHUTDOWN without a flush of the log. What was not synced is gone, and every later call on
 * it fails. The file MARK exists from just before. Only a file system on a loop device that is
 * mounted right there is taken, so that a wrong argument costs nothing. power_cut feed BYTES
 * MICROSECONDS Standard input to standard output in pieces of 1 to BYTES bytes with pauses between
 * them: a source that does not send all at once, and ends its pieces in the middle of records. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* linux/fs.h has it from 6.11 on; older headers, such as Debian 12's, call it by their file
 * system's name only. */
#define SHUTDOWN                   _IOR('X', 125, uint32_t)
#define SHUTDOWN_WITHOUT_LOG_FLUSH 2

#define LOOP_MAJOR      7
#define PIECE_BYTES_MAX (1 << 20)

static void pause_for(uint64_t microseconds)
{
    struct timespec left = {(time_t)(microseconds / 1000000),
                            (long)(microseconds % 1000000 * 1000)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

static int complain(const char *what)
{
    fprintf(stderr, "power_cut: %s: %s\n", what, strerror(errno));
    return 1;
}

static bool is_mounted_loop_device(const char *directory, const struct stat *facts)
{
    struct stat parent;
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/..", directory);
    return length > 0 && (size_t)length < sizeof(path) && stat(path, &parent) == 0 &&
           parent.st_dev != facts->st_dev && major(facts->st_dev) == LOOP_MAJOR;
}

static int cut(const char *directory, uint64_t milliseconds, const char *mark)
{
    uint32_t how = SHUTDOWN_WITHOUT_LOG_FLUSH;
    struct stat facts;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &facts) != 0)
        return complain(directory);
    if (!is_mounted_loop_device(directory, &facts)) {
        fprintf(stderr, "power_cut: %s: no file system on a loop device is mounted here\n",
                directory);
        return 1;
    }
    pause_for(milliseconds * 1000);
    int marked = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (marked < 0)
        return complain(mark);
    (void)close(marked);
    if (ioctl(fd, SHUTDOWN, &how) != 0)
        return complain("FS_IOC_SHUTDOWN");
    return 0;
}

static bool write_all(const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, data, length);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data += written;
            length -= (size_t)written;
        }
    }
    return true;
}

static int feed(size_t bytes, uint64_t microseconds)
{
    static char piece[PIECE_BYTES_MAX];
    uint64_t state = 0x9e3779b97f4a7c15u;
    if (bytes < 1 || bytes > sizeof(piece)) {
        fprintf(stderr, "power_cut: pieces have 1 to %d bytes\n", PIECE_BYTES_MAX);
        return 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ssize_t length = read(STDIN_FILENO, piece, 1 + (size_t)(state >> 33) % bytes);
        if (length < 0)
            return complain("standard input");
        /* A reader that died with the power is no error of the feeder. */
        if (length == 0 || !write_all(piece, (size_t)length))
            return 0;
        pause_for(microseconds);
    }
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "cut") == 0)
        return cut(argv[2], strtoull(argv[3], NULL, 10), argv[4]);
    if (argc == 4 && strcmp(argv[1], "feed") == 0)
        return feed(strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    fprintf(
        stderr,
        "usage: power_cut cut DIRECTORY MILLISECONDS MARK | power_cut feed BYTES MICROSECONDS\n");
    return 64;
}
