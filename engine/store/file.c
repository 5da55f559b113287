#include "store/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

enum status file_error(struct error *error, int error_number, const char *path, const char *what)
{
    assert(error_number != 0);
    char buffer[128];
    const char *reason = strerror_r(error_number, buffer, sizeof(buffer));
    enum status status = error_set(error, status_from_errno(error_number), "%s: %s%s", what, reason,
                                   status_remedy(error_number));
    if (error)
        (void)error_at(error, path, 0, 0);
    return status;
}

int file_write(int fd, struct iovec *parts, int part_count, uint64_t offset)
{
    uint64_t calls = 0;
    return file_write_counted(fd, parts, part_count, offset, &calls);
}

int file_write_counted(int fd, struct iovec *parts, int part_count, uint64_t offset,
                       uint64_t *calls)
{
    while (part_count > 0) {
        if (parts->iov_len == 0) {
            parts++, part_count--;
            continue;
        }
        ++*calls;
        ssize_t written = pwritev(fd, parts, part_count, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        if (written == 0)
            return EIO; /* Cannot be for a regular file; never loop on it. */
        offset += (uint64_t)written;
        size_t left = (size_t)written;
        while (part_count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++, part_count--;
        }
        if (left > 0) {
            assert(part_count > 0);
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return 0;
}

int file_read(int fd, void *data, size_t length, uint64_t offset, size_t *ret_read)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_read = done;
    return 0;
}

int file_sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int result = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return result;
}

int file_sync_parent(const char *path)
{
    char parent[PATH_BYTES];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length >= sizeof(parent))
        return ENAMETOOLONG;
    if (length == 0)
        return file_sync_directory(".");
    memcpy(parent, path, length);
    parent[length] = 0;
    return file_sync_directory(parent);
}

int file_make_directory(const char *path)
{
    struct stat info;
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return errno;
    if (stat(path, &info) != 0)
        return errno;
    /* Also when it was there: whoever made it may have been killed before this point. */
    return S_ISDIR(info.st_mode) ? file_sync_parent(path) : ENOTDIR;
}

int file_create(const char *path, unsigned mode, struct slice content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return errno;
    struct iovec part = {(void *)(uintptr_t)content.data, content.length};
    int result = file_write(fd, &part, 1, 0);
    if (!result && fsync(fd) != 0)
        result = errno;
    close(fd);
    if (result)
        (void)unlink(path);
    return result;
}
