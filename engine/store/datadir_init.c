/* Making a data directory. Invariants: datadir.c. */
#include "store/datadir_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file.h"

#define KEY_BYTES 32

static const char *const directories[] = {"book", "quarantine"}; /* and one for each shard */
static const char *const files[] = {"operator.key", "LOCK", "FORMAT.new", "FORMAT"};

#define DIRECTORY_COUNT (sizeof(directories) / sizeof(*directories))
#define FILE_COUNT      (sizeof(files) / sizeof(*files))

static void below(const char *root, const char *name, char buffer[DATADIR_PATH_BYTES])
{
    int length = snprintf(buffer, DATADIR_PATH_BYTES, "%s/%s", root, name);
    assert(length > 0 && length < DATADIR_PATH_BYTES);
}

static int random_bytes(void *buffer, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = getrandom((char *)buffer + done, length - done, 0);
        if (got < 0 && errno != EINTR)
            return errno;
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* "ratel_op_", 64 hex digits, newline. An unfinished init may have left one, which nobody was told
 * of. */
static int write_key(const char *root)
{
    char path[DATADIR_PATH_BYTES], text[sizeof("ratel_op_") + 2 * KEY_BYTES + 1];
    unsigned char bits[KEY_BYTES];
    below(root, "operator.key", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return errno;
    int code = random_bytes(bits, sizeof(bits));
    if (code)
        return code;
    int at = snprintf(text, sizeof(text), "ratel_op_");
    for (size_t i = 0; i < sizeof(bits); i++)
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%02x", bits[i]);
    text[at++] = '\n';
    code = file_create(path, 0600, slice_of(text, (size_t)at));
    explicit_bzero(text, sizeof(text));
    explicit_bzero(bits, sizeof(bits));
    return code;
}

static void shard_name(uint32_t shard, char buffer[16])
{
    snprintf(buffer, 16, "shard-%02u", shard % DATADIR_SHARDS_MAX);
}

static int make_directory(const char *root, const char *name)
{
    char path[DATADIR_PATH_BYTES];
    below(root, name, path);
    return mkdir(path, 0750) == 0 || errno == EEXIST ? 0 : errno;
}

/* D-1: everything but FORMAT, synced; then FORMAT under another name, synced; then its name. */
static int populate(const char *root, uint32_t shard_count)
{
    char shard[16];
    char path[DATADIR_PATH_BYTES], format[DATADIR_PATH_BYTES], text[FORMAT_BYTES_MAX];
    uint64_t seed;
    int code = 0;
    for (size_t i = 0; !code && i < DIRECTORY_COUNT; i++)
        code = make_directory(root, directories[i]);
    for (uint32_t i = 0; !code && i < shard_count; i++) {
        shard_name(i, shard);
        code = make_directory(root, shard);
    }
    if (!code)
        code = write_key(root);
    if (!code) {
        below(root, "LOCK", path);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        code = fd < 0 ? errno : 0;
        if (fd >= 0)
            close(fd);
    }
    if (!code)
        code = random_bytes(&seed, sizeof(seed));
    if (!code)
        code = file_sync_directory(root);
    if (code)
        return code;
    below(root, "FORMAT.new", path);
    below(root, "FORMAT", format);
    size_t length = format_write(shard_count, seed, text);
    if (unlink(path) != 0 && errno != ENOENT)
        return errno;
    code = file_create(path, 0640, slice_of(text, length));
    if (!code && rename(path, format) != 0)
        code = errno;
    return code ? code : file_sync_directory(root);
}

/* Takes back what populate made, so far as it got. */
static void discard(const char *root, bool with_root)
{
    char path[DATADIR_PATH_BYTES];
    for (size_t i = 0; i < FILE_COUNT; i++) {
        below(root, files[i], path);
        (void)unlink(path);
    }
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        below(root, directories[i], path);
        (void)rmdir(path);
    }
    for (uint32_t i = 0; i < DATADIR_SHARDS_MAX; i++) {
        char shard[16];
        shard_name(i, shard);
        below(root, shard, path);
        (void)rmdir(path);
    }
    if (with_root)
        (void)rmdir(root);
}

static bool is_listed(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static bool is_directory_of_ours(const char *name)
{
    char shard[16];
    for (uint32_t i = 0; i < DATADIR_SHARDS_MAX; i++) {
        shard_name(i, shard);
        if (strcmp(name, shard) == 0)
            return true;
    }
    return is_listed(name, directories, DIRECTORY_COUNT);
}

enum content {
    CONTENT_EMPTY,
    CONTENT_UNFINISHED /* by an init that was killed */,
    CONTENT_DATA,
    CONTENT_FOREIGN
};

/* Entries below a directory of ours mean that data was there once: then a missing FORMAT is no
 * unfinished init. */
static bool has_entries(const char *root, const char *name)
{
    char path[DATADIR_PATH_BYTES];
    below(root, name, path);
    DIR *directory = opendir(path);
    if (!directory)
        return errno != ENOENT;
    bool found = false;
    for (struct dirent *entry = readdir(directory); entry && !found; entry = readdir(directory))
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return found;
}

static int look_at(const char *root, enum content *ret)
{
    DIR *directory = opendir(root);
    if (!directory)
        return errno;
    enum content content = CONTENT_EMPTY;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        const char *name = entry->d_name;
        /* lost+found: the root of a file system made for the purpose counts as empty. */
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0)
            continue;
        if (strcmp(name, "FORMAT") == 0) {
            content = CONTENT_DATA;
            break;
        }
        bool ours = is_listed(name, files, FILE_COUNT) ||
                    (is_directory_of_ours(name) && !has_entries(root, name));
        if (!ours)
            content = CONTENT_FOREIGN;
        else if (content == CONTENT_EMPTY)
            content = CONTENT_UNFINISHED;
    }
    closedir(directory);
    *ret = content;
    return 0;
}

static enum status refused(struct error *error, const char *path, enum content content)
{
    if (content == CONTENT_DATA)
        return error_set(error, STATUS_EXISTS,
                         "%.400s is a data directory already; nothing was changed", path);
    return error_set(error, STATUS_CANNOT_CREATE, "%.400s is not empty", path);
}

/* The directory that `path` would stand in; false when it is there. */
static bool missing_parent(const char *path, char buffer[DATADIR_PATH_BYTES])
{
    struct stat info;
    size_t length = strlen(path);
    if (length >= DATADIR_PATH_BYTES)
        return false;
    while (length > 0 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0)
        return false; /* the present directory */
    memcpy(buffer, path, length);
    buffer[length] = '\0';
    return stat(buffer, &info) != 0 && errno == ENOENT;
}

/* Errors of init are about creating, whatever the errno says, but for those that the caller can do
 * something about. */
static enum status cannot_make(struct error *error, int code, const char *path)
{
    enum status status = file_error(error, code, path, "cannot make the data directory");
    char parent[DATADIR_PATH_BYTES];
    if (code == ENOENT && error && missing_parent(path, parent)) {
        (void)error_set(error, status, "%s: create %.300s first", error->text, parent);
        (void)error_at(error, path, 0, 0);
    }
    if (status == STATUS_NO_SPACE || status == STATUS_PERMISSION || status == STATUS_NO_MEMORY)
        return status;
    if (error)
        error->status = STATUS_CANNOT_CREATE;
    return STATUS_CANNOT_CREATE;
}

/* The directory itself stays, because it is a mount point or its parent is not ours: its parts are
 * made inside, FORMAT last (D-1). LOCK keeps two of us apart. */
static enum status init_in_place(const char *path, uint32_t shard_count, struct error *error)
{
    char lock[DATADIR_PATH_BYTES];
    enum content content;
    below(path, "LOCK", lock);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return cannot_make(error, errno, path);
    enum status status = STATUS_OK;
    int code = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (code == EWOULDBLOCK)
        status = error_set(error, STATUS_LOCKED, "another process is making %.400s", path);
    else if (code)
        status = cannot_make(error, code, path);
    if (status == STATUS_OK) {
        code = look_at(path, &content); /* again: another init may have come first */
        if (code)
            status = cannot_make(error, code, path);
        else if (content == CONTENT_DATA || content == CONTENT_FOREIGN)
            status = refused(error, path, content);
        else if ((code = populate(path, shard_count)) != 0) {
            discard(path, false);
            status = cannot_make(error, code, path);
        }
    }
    close(fd);
    return status;
}

/* Made next to it and renamed over it. `ret_in_place`: this cannot be done here, nothing has
 * happened. */
static enum status init_beside(const char *path, uint32_t shard_count, const struct stat *existing,
                               bool *ret_in_place, struct error *error)
{
    char fresh[DATADIR_PATH_BYTES];
    uint64_t unique;
    int code = random_bytes(&unique, sizeof(unique));
    if (code)
        return cannot_make(error, code, path);
    int length = snprintf(fresh, sizeof(fresh), "%s.new-%016llx", path, (unsigned long long)unique);
    assert(length > 0 && (size_t)length < sizeof(fresh));
    if (mkdir(fresh, 0750) != 0) {
        *ret_in_place = existing && (errno == EACCES || errno == EPERM || errno == EROFS);
        return *ret_in_place ? STATUS_OK : cannot_make(error, errno, path);
    }
    if (existing && (chmod(fresh, existing->st_mode & 07777) != 0 ||
                     chown(fresh, existing->st_uid, existing->st_gid) != 0))
        *ret_in_place = true;
    code = *ret_in_place ? 0 : populate(fresh, shard_count);
    if (!code && !*ret_in_place && rename(fresh, path) != 0) {
        code = errno;
        *ret_in_place =
            existing && (code == EBUSY || code == EXDEV || code == EACCES || code == EPERM);
    }
    if (code || *ret_in_place)
        discard(fresh, true);
    if (*ret_in_place)
        return STATUS_OK;
    if (code == ENOTEMPTY || code == EEXIST) { /* another init was quicker */
        enum content content;
        return look_at(path, &content) == 0 ? refused(error, path, content)
                                            : cannot_make(error, code, path);
    }
    if (!code)
        code = file_sync_parent(path);
    return code ? cannot_make(error, code, path) : STATUS_OK;
}

/* The path without links where it exists, else without slashes at its end. */
static int resolve(const char *path, char buffer[DATADIR_PATH_BYTES], struct stat *ret_info,
                   bool *ret_exists)
{
    size_t length = strlen(path);
    *ret_exists = stat(path, ret_info) == 0;
    if (!*ret_exists && errno != ENOENT)
        return errno;
    if (length == 0 || length >= PATH_MAX)
        return length ? ENAMETOOLONG : ENOENT;
    if (*ret_exists)
        return realpath(path, buffer) ? 0 : errno;
    memcpy(buffer, path, length + 1);
    while (length > 1 && buffer[length - 1] == '/')
        buffer[--length] = 0;
    return 0;
}

enum status datadir_init(const char *path, uint32_t shard_count, struct error *error)
{
    assert(shard_count >= 1 && shard_count <= DATADIR_SHARDS_MAX);
    static_assert(PATH_MAX <= DATADIR_PATH_BYTES, "realpath's result fits");
    char real[DATADIR_PATH_BYTES];
    struct stat info;
    bool exists, in_place = false;
    enum content content = CONTENT_EMPTY;
    int code = resolve(path, real, &info, &exists);
    if (!code && strlen(real) + DATADIR_BELOW_BYTES > sizeof(real))
        code = ENAMETOOLONG;
    if (!code && exists)
        code = S_ISDIR(info.st_mode) ? look_at(real, &content) : ENOTDIR;
    if (code)
        return cannot_make(error, code, path);
    if (content == CONTENT_DATA || content == CONTENT_FOREIGN)
        return refused(error, path, content);
    if (exists && datadir_is_remote(real))
        return error_set(error, STATUS_CANNOT_CREATE, "%.400s is on a network file system", path);
    if (content == CONTENT_UNFINISHED)
        return init_in_place(real, shard_count, error);
    enum status status = init_beside(real, shard_count, exists ? &info : NULL, &in_place, error);
    return status == STATUS_OK && in_place ? init_in_place(real, shard_count, error) : status;
}
