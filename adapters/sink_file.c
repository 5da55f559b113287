/* Appends each message to a file as one line of JSON and syncs it before saying that it is done.
 *
 * A crash after the sync and before the outbox has noted it writes the message again: the id shows
 * it. A write that fails or stops half-way (a full disk) is taken back, so that the file holds
 * whole lines only; what a crash left of a line is closed with a line end when the file is opened
 * again. */
#include "adapters/sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
    int fd;
    bool syncable; /* a pipe or a terminal is not, and cannot be cut either */
    char path[4096];
};

static enum status failed(const struct sink *sink, const char *what, struct error *error)
{
    int number = errno;
    /* A file-size limit is met like a full disk: later, with more room, the same write succeeds. */
    return error_set(error, status_from_errno(number), "%s %s: %s%s", what, sink->path,
                     strerror(number), status_remedy(number));
}

/* All bytes, or an error. */
static bool write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

/* The name of a new file is durable only when its directory is. */
static bool sync_directory(const char *path)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        memcpy(directory, ".", 2);
    else if (length == 0)
        memcpy(directory, "/", 2);
    else
        memcpy(directory, path, length), directory[length] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    int number = errno;
    close(fd);
    errno = number;
    return synced;
}

/* Ends a line that a crash has cut. */
static bool close_line(int fd, off_t size)
{
    char last;
    if (size == 0)
        return true;
    ssize_t got = pread(fd, &last, 1, size - 1);
    return got == 1 && (last == '\n' || write_all(fd, "\n", 1));
}

static enum status prepare(struct sink *sink, struct error *error)
{
    struct stat stat;
    if (fstat(sink->fd, &stat) != 0)
        return failed(sink, "cannot open", error);
    sink->syncable = S_ISREG(stat.st_mode);
    if (!sink->syncable)
        return STATUS_OK;
    if (flock(sink->fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(error, STATUS_LOCKED, "%s is being written by another process",
                         sink->path);
    if (fstat(sink->fd, &stat) != 0 || !close_line(sink->fd, stat.st_size))
        return failed(sink, "cannot write", error);
    return sync_directory(sink->path) ? STATUS_OK
                                      : failed(sink, "cannot sync the directory of", error);
}

static void file_close(struct sink *sink)
{
    if (sink->fd >= 0)
        close(sink->fd);
    free(sink);
}

static const struct adapter_option file_options[] = {
    {.name = "path", .type = OPTION_PATH, .required = true, .help = "the file to append to"},
    {.name = NULL},
};

static enum status file_open(const struct adapter_setting *settings, uint32_t count,
                             struct sink **ret, struct error *error)
{
    const char *path = setting_text(file_options, settings, count, "path");
    struct sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (strlen(path) >= sizeof(sink->path)) {
        free(sink);
        return error_set(error, STATUS_USAGE, "the path of the file is too long");
    }
    memcpy(sink->path, path, strlen(path) + 1);
    sink->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (sink->fd < 0 && errno == ENXIO) /* a pipe cannot be opened for both */
        sink->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    enum status status = sink->fd < 0 ? failed(sink, "cannot open", error) : prepare(sink, error);
    if (status != STATUS_OK) {
        file_close(sink);
        return status;
    }
    *ret = sink;
    return STATUS_OK;
}

/* The whole block in one buffer: one write, one sync. */
static char *join(const struct sink_message *messages, uint32_t count, size_t *ret_length)
{
    size_t length = 0, used = 0;
    for (uint32_t i = 0; i < count; i++)
        length += messages[i].body.length + 1;
    char *text = malloc(length + 1);
    for (uint32_t i = 0; text && i < count; i++) {
        assert(!memchr(messages[i].body.data, '\n', messages[i].body.length));
        memcpy(text + used, messages[i].body.data, messages[i].body.length);
        used += messages[i].body.length;
        text[used++] = '\n';
    }
    *ret_length = length;
    return text;
}

static enum status file_write(struct sink *sink, const struct sink_message *messages,
                              uint32_t count, uint32_t *ret_done, struct error *error)
{
    size_t length;
    *ret_done = 0;
    off_t before = sink->syncable ? lseek(sink->fd, 0, SEEK_END) : 0;
    char *text = join(messages, count, &length);
    if (!text)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = STATUS_OK;
    if (before < 0 || !write_all(sink->fd, text, length) ||
        (sink->syncable && fsync(sink->fd) != 0)) {
        status = failed(sink, "cannot write", error);
        /* Best effort: what stays is cut off when the file is next opened, or sent again. */
        if (sink->syncable && before >= 0 && ftruncate(sink->fd, before) == 0)
            (void)fsync(sink->fd);
    }
    free(text);
    if (status == STATUS_OK)
        *ret_done = count;
    return status;
}

const struct sink_class sink_file = {
    .name = "file",
    .summary = "append messages to a file, one line of JSON each",
    .options = file_options,
    .open = file_open,
    .write = file_write,
    .close = file_close,
};
