#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/export.h"

static enum status failed(const char *what, const char *path, int number, struct error *error)
{
    /* A file-size limit is met like a full disk: later, with more room, the same export succeeds.
     */
    return error_set(error, status_from_errno(number), "cannot %s %s: %s%s", what, path,
                     number ? strerror(number) : "an earlier write failed", status_remedy(number));
}

static bool join_path(char *buffer, size_t size, const char *directory, const char *stem,
                      const char *suffix)
{
    int length = snprintf(buffer, size, "%s/%s%s", directory, stem, suffix);
    return length > 0 && (size_t)length < size;
}

/* Whether the open file still has the name: another export may have renamed it into place between
 * open and flock, and then it must not be touched. */
static bool is_named(int fd, const char *path)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && lstat(path, &named) == 0 && mine.st_dev == named.st_dev &&
           mine.st_ino == named.st_ino;
}

enum status export_file_open(struct export_file *file, const char *directory, const char *stem,
                             const char *suffix, struct error *error)
{
    char hidden[256];
    assert(!strchr(stem, '/'));
    *file = (struct export_file){0};
    int length = snprintf(hidden, sizeof(hidden), ".%s%s", stem, suffix);
    if (length < 0 || (size_t)length >= sizeof(hidden) ||
        strlen(directory) >= sizeof(file->directory) ||
        !join_path(file->final, sizeof(file->final), directory, stem, suffix) ||
        !join_path(file->temporary, sizeof(file->temporary), directory, hidden, ".part"))
        return error_set(error, STATUS_USAGE, "the path %s is too long", directory);
    memcpy(file->directory, directory, strlen(directory) + 1);

    /* The name is fixed, so that what a killed export left is used up by the next one; the lock
     * keeps two of them apart. */
    int fd = open(file->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return failed("create", file->temporary, errno, error);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_named(fd, file->temporary)) {
        close(fd);
        return error_set(error, STATUS_LOCKED, "%s is being written by another process",
                         file->final);
    }
    if (ftruncate(fd, 0) != 0 || !(file->out = fdopen(fd, "w"))) {
        int number = errno;
        close(fd);
        unlink(file->temporary);
        return failed("write", file->temporary, number, error);
    }
    return STATUS_OK;
}

enum status export_file_check(struct export_file *file, struct error *error)
{
    if (!ferror(file->out))
        return STATUS_OK;
    /* The errno of the write that failed is gone; what is still buffered fails in the same way. */
    errno = 0;
    int number = fflush(file->out) != 0 ? errno : 0;
    return failed("write", file->final, number, error);
}

static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int number = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return number;
}

enum status export_file_commit(struct export_file *file, struct error *error)
{
    errno = 0;
    bool flushed = fflush(file->out) == 0 && !ferror(file->out);
    if (!flushed || fsync(fileno(file->out)) != 0) {
        int number = errno;
        export_file_abort(file);
        return failed("write", file->final, number, error);
    }
    /* Renamed while the lock is held: a second export cannot take the file under its old name. */
    if (rename(file->temporary, file->final) != 0) {
        int number = errno;
        export_file_abort(file);
        return failed("create", file->final, number, error);
    }
    int number = fclose(file->out) == 0 ? 0 : errno;
    file->out = NULL;
    if (number == 0)
        number = sync_directory(file->directory);
    return number == 0 ? STATUS_OK : failed("sync", file->final, number, error);
}

void export_file_abort(struct export_file *file)
{
    unlink(file->temporary);
    fclose(file->out);
    file->out = NULL;
}
