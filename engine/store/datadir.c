/* Opening a data directory, and its FORMAT file. Making one is in datadir_init.c.
 *
 * Invariants; the code cites them by number.
 *
 * D-1  A directory with FORMAT in it is a whole data directory: FORMAT gets its name last, when all the rest is durable.
 * D-2  Nothing below the directory is written, and nothing in it is trusted, before FORMAT has been read and its version is known.
 * D-3  One process writes the ledgers and one the book: they hold an exclusive flock on LOCK and LOCK.book, which ends with the process,
 *      however it ends. The files are never removed. The pid in them is for people; the flock alone counts. Nobody waits for
 *      LOCK, so who holds it may wait for LOCK.book.
 * D-4  The identity seed is written once and never changes: all identity hashes hang on it. */
#include "store/datadir_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/file.h"

#define MAGIC "ratel data directory"

size_t format_write(uint32_t shard_count, uint64_t seed, char buffer[FORMAT_BYTES_MAX])
{
    assert(shard_count >= 1 && shard_count <= DATADIR_SHARDS_MAX);
    int length = snprintf(
        buffer, FORMAT_BYTES_MAX, MAGIC "\nformat %d\nprogram %s\nshards %u\nseed %016llx\n",
        DATADIR_FORMAT_VERSION, RATEL_VERSION, shard_count, (unsigned long long)seed);
    assert(length > 0 && length < FORMAT_BYTES_MAX - 16);
    int more = snprintf(buffer + length, FORMAT_BYTES_MAX - (size_t)length, "crc %08x\n",
                        crc32c(0, buffer, (size_t)length));
    return (size_t)(length + more);
}

/* The value of the line "NAME value" at the start of *text, which moves on behind the line. False: another line is there. */
static bool take_line(struct slice *text, const char *name, struct slice *ret)
{
    const char *end = memchr(text->data, '\n', text->length);
    size_t name_length = strlen(name);
    if (!end || !slice_starts_with(*text, slice_string(name)))
        return false;
    struct slice line = {text->data, (size_t)(end - text->data)};
    if (line.length <= name_length || line.data[name_length] != ' ')
        return false;
    *ret = slice_of(line.data + name_length + 1, line.length - name_length - 1);
    *text = slice_of(end + 1, text->length - line.length - 1);
    return true;
}

/* Digits only, no sign, no blanks; false also when it does not fit. */
static bool read_number(struct slice text, unsigned base, uint64_t *ret)
{
    uint64_t value = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : base;
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

static bool crc_matches(struct slice whole)
{
    const size_t line_bytes = sizeof("crc 01234567\n") - 1;
    uint64_t crc;
    struct slice value;
    if (whole.length < line_bytes)
        return false;
    struct slice before = {whole.data, whole.length - line_bytes};
    struct slice line = {whole.data + before.length, line_bytes};
    return take_line(&line, "crc", &value) && value.length == 8 && read_number(value, 16, &crc) &&
           crc == crc32c(0, before.data, before.length);
}

enum status format_read(struct slice text, struct datadir *ret, struct error *error)
{
    struct slice rest = text, value, program = SLICE("?");
    uint64_t version, shards, seed;
    bool intact = crc_matches(text);
    if (!slice_starts_with(rest, SLICE(MAGIC "\n")))
        return error_set(error, STATUS_CORRUPT, "FORMAT is not that of a Ratel data directory");
    rest = slice_of(rest.data + sizeof(MAGIC), rest.length - sizeof(MAGIC));
    if (!take_line(&rest, "format", &value) || !read_number(value, 10, &version))
        return error_set(error, STATUS_CORRUPT, "FORMAT is damaged: it names no format");
    (void)take_line(&rest, "program", &program);
    /* Before the checksum, which a later version may form in another way. */
    if (version != DATADIR_FORMAT_VERSION)
        return error_set(error, STATUS_VERSION,
                         "data directory format %llu, written by ratel %.*s; this is ratel %s, "
                         "which knows format %d only%s",
                         (unsigned long long)version,
                         (int)(program.length < 64 ? program.length : 64), program.data,
                         RATEL_VERSION, DATADIR_FORMAT_VERSION,
                         intact ? "" : " (FORMAT's checksum does not match, either)");
    if (!intact)
        return error_set(error, STATUS_CORRUPT, "FORMAT does not match its checksum");
    if (!take_line(&rest, "shards", &value) || !read_number(value, 10, &shards) || shards < 1 ||
        shards > DATADIR_SHARDS_MAX)
        return error_set(error, STATUS_CORRUPT, "FORMAT is damaged: shards");
    if (!take_line(&rest, "seed", &value) || value.length != 16 || !read_number(value, 16, &seed))
        return error_set(error, STATUS_CORRUPT, "FORMAT is damaged: seed");
    ret->format_version = (uint32_t)version;
    ret->shard_count = (uint32_t)shards;
    ret->seed = seed;
    return STATUS_OK;
}

bool datadir_is_remote(const char *path)
{
    static const uint32_t remote[] = {0x6969 /* NFS */, 0x517b /* SMB */, 0xff534d42 /* CIFS */,
                                      0xfe534d42 /* SMB 2 */};
    struct statfs info;
    if (statfs(path, &info) != 0)
        return false;
    for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
        if ((uint32_t)info.f_type == remote[i])
            return true;
    return false;
}

static enum status read_format(struct datadir *datadir, struct error *error)
{
    char path[DATADIR_PATH_BYTES], text[FORMAT_BYTES_MAX];
    size_t length = 0;
    datadir_path(datadir, "FORMAT", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return error_set(error, STATUS_NOT_FOUND,
                         "%.400s is not a data directory: run `ratel init` to make one",
                         datadir->path);
    if (fd < 0)
        return file_error(error, errno, path, "cannot open");
    int code = file_read(fd, text, sizeof(text), 0, &length);
    close(fd);
    if (code)
        return file_error(error, code, path, "cannot read");
    enum status status = format_read(slice_of(text, length), datadir, error);
    if (status != STATUS_OK && error)
        (void)error_at(error, path, 0, 0);
    return status;
}

/* Directories of ours that are missing (a disk that is not mounted) must not be taken for empty ones. */
static enum status check_directories(const struct datadir *datadir, struct error *error)
{
    for (uint32_t i = 0; i < datadir->shard_count + 2; i++) {
        char path[DATADIR_PATH_BYTES];
        struct stat info;
        if (i < datadir->shard_count)
            datadir_shard_path(datadir, i, ".", path);
        else
            datadir_path(datadir, i == datadir->shard_count ? "book" : "quarantine", path);
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            continue;
        error_set(error, STATUS_CORRUPT,
                  "a part of the data directory is missing: is its disk mounted?");
        if (error)
            (void)error_at(error, path, 0, 0);
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

static enum status locked_by(const struct datadir *datadir, int fd, uint64_t *ret_holder,
                             struct error *error)
{
    char text[24];
    size_t length = 0;
    uint64_t pid = 0;
    bool known = file_read(fd, text, sizeof(text), 0, &length) == 0 && length > 0 &&
                 text[length - 1] == '\n' && read_number(slice_of(text, length - 1), 10, &pid);
    if (ret_holder)
        *ret_holder = known ? pid : 0;
    if (known)
        return error_set(error, STATUS_LOCKED,
                         "%.400s is in use by process %llu: wait for it or stop it", datadir->path,
                         (unsigned long long)pid);
    return error_set(error, STATUS_LOCKED,
                     "%.400s is in use by another process: wait for it or stop it", datadir->path);
}

/* D-3. */
static enum status take_lock(const struct datadir *datadir, const char *name, int *ret_fd,
                             uint64_t *ret_holder, struct error *error)
{
    char path[DATADIR_PATH_BYTES], text[24];
    datadir_path(datadir, name, path);
    if (datadir_is_remote(datadir->path))
        return error_set(
            error, STATUS_UNAVAILABLE,
            "%.400s is on a network file system: locks and mapped files cannot be relied on there",
            datadir->path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return file_error(error, errno, path, "cannot open the lock");
    int code;
    do
        code = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    while (code == EINTR);
    enum status status = STATUS_OK;
    if (code == EWOULDBLOCK) {
        status = locked_by(datadir, fd, ret_holder, error);
    } else if (code) {
        status = file_error(error, code, path, "cannot lock");
    } else {
        int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
        struct iovec part = {text, (size_t)length};
        code = ftruncate(fd, 0) == 0 ? file_write(fd, &part, 1, 0) : errno;
        if (code && status_from_errno(code) !=
                        STATUS_NO_SPACE) /* on a full disk the lock holds without the pid */
            status = file_error(error, code, path, "cannot write the lock");
    }
    if (status == STATUS_OK)
        *ret_fd = fd;
    else
        close(fd);
    return status;
}

enum status datadir_lock_ledgers(struct datadir *datadir, uint64_t *ret_holder, struct error *error)
{
    assert(datadir->lock_fd < 0);
    return take_lock(datadir, "LOCK", &datadir->lock_fd, ret_holder, error);
}

enum status datadir_lock_book(struct datadir *datadir, uint64_t *ret_holder, struct error *error)
{
    assert(datadir->book_lock_fd < 0);
    return take_lock(datadir, "LOCK.book", &datadir->book_lock_fd, ret_holder, error);
}

enum status datadir_open(const char *path, enum datadir_mode mode, struct datadir *ret,
                         struct error *error)
{
    struct datadir datadir = {.lock_fd = -1, .book_lock_fd = -1};
    char real[PATH_MAX];
    static_assert(sizeof(real) <= sizeof(datadir.path), "a resolved path fits");
    if (!realpath(path, real)) {
        if (errno == ENOENT || errno == ENOTDIR)
            return error_set(error, STATUS_NOT_FOUND,
                             "%.400s is not a data directory: run `ratel init` to make one", path);
        return file_error(error, errno, path, "cannot open the data directory");
    }
    if (strlen(real) + DATADIR_BELOW_BYTES > sizeof(datadir.path))
        return error_set(error, STATUS_USAGE, "path too long: %.64s...", real);
    memcpy(datadir.path, real, strlen(real) + 1);
    enum status status = read_format(&datadir, error); /* D-2 */
    if (status == STATUS_OK)
        status = check_directories(&datadir, error);
    if (status == STATUS_OK && (mode == DATADIR_WRITE || mode == DATADIR_WRITE_BOOK))
        status = datadir_lock_book(&datadir, NULL, error);
    if (status == STATUS_OK && (mode == DATADIR_WRITE || mode == DATADIR_WRITE_LEDGERS))
        status = datadir_lock_ledgers(&datadir, NULL, error);
    if (status == STATUS_OK)
        *ret = datadir;
    else
        datadir_close(&datadir);
    return status;
}

static void let_go(int *fd)
{
    if (*fd < 0)
        return;
    (void)!ftruncate(*fd, 0); /* the pid is for people only */
    close(*fd);
    *fd = -1;
}

void datadir_close(struct datadir *datadir)
{
    let_go(&datadir->lock_fd);
    let_go(&datadir->book_lock_fd);
}

void datadir_path(const struct datadir *datadir, const char *name, char buffer[DATADIR_PATH_BYTES])
{
    int length = snprintf(buffer, DATADIR_PATH_BYTES, "%s/%s", datadir->path, name);
    assert(length > 0 && length < DATADIR_PATH_BYTES);
}

void datadir_shard_path(const struct datadir *datadir, uint32_t shard, const char *name,
                        char buffer[DATADIR_PATH_BYTES])
{
    assert(shard < datadir->shard_count);
    int length =
        snprintf(buffer, DATADIR_PATH_BYTES, "%s/shard-%02u/%s", datadir->path, shard, name);
    assert(length > 0 && length < DATADIR_PATH_BYTES);
}
