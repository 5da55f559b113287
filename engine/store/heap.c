/* Invariants; the code cites them by number.
 *
 * H-1  Of the file nothing behind the trusted length is read, and a writer cuts it off before it appends.
 * H-2  What is below `tail_offset` is in the file and is read through the mapping; what is behind is in the tail. No string is in both.
 * H-3  A length that heap_sync has returned for is durable, the file's name too.
 * H-4  After a failed write that is no full disk, or a failed sync, nothing is appended any more. */
#include "store/heap.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/vast.h"
#include "store/file.h"
#include "store/sigbus.h"

#define HEADER_BYTES        64
#define STRING_HEADER       8
#define PATH_BYTES          4096
#define PRIVATE_BYTES_LEAST ((uint64_t)1 << 30) /* where the system refuses more addresses */

static const char magic[8] = "RATELHEP";
static const char advice[] =
    "repair the disk; this file follows from the journal and is made anew when it and its "
    "checkpoint are removed";

struct heap {
    const char *map; /* of HEAP_BYTES_MAX, also where the file does not reach yet; NULL: no file */
    char *tail;
    size_t tail_bytes;
    size_t tail_capacity;
    struct vast private_tail; /* HEAP_PRIVATE: it holds all that is appended */
    uint64_t tail_offset;
    uint64_t synced; /* length that is durable */
    enum heap_mode mode;
    int fd; /* -1: private, no file */
    bool name_synced;
    enum status failed; /* H-4 */
    const struct space *space;
    char path[PATH_BYTES];
};

static void put_u32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static inline size_t string_bytes(size_t length)
{
    return (STRING_HEADER + length + HEAP_STEP_BYTES - 1) / HEAP_STEP_BYTES * HEAP_STEP_BYTES;
}

static inline uint32_t string_crc(uint64_t offset, const char *data, uint32_t length)
{
    uint32_t seed = (uint32_t)(offset / HEAP_STEP_BYTES) * 0x9e3779b1u ^ length;
    return crc32c(seed, data, length);
}

static enum status damaged(const struct heap *heap, struct error *error, uint64_t offset,
                           const char *what)
{
    error_set(error, STATUS_CORRUPT, "damaged at byte %llu: %s", (unsigned long long)offset, what);
    if (error)
        (void)error_at(error, heap->path, 0, 0);
    return STATUS_CORRUPT;
}

uint64_t heap_length(const struct heap *heap)
{
    return heap->tail_offset + heap->tail_bytes;
}

/* ---- opening
 * -------------------------------------------------------------------------------------------------------
 */

static void encode_header(char header[HEADER_BYTES])
{
    memset(header, 0, HEADER_BYTES);
    memcpy(header, magic, sizeof(magic));
    put_u32(header + 8, HEAP_FORMAT_VERSION);
    put_u32(header + 60, crc32c(0, header, 60));
}

static enum status check_header(struct heap *heap, struct error *error)
{
    char header[HEADER_BYTES];
    size_t got = 0;
    int code = file_read(heap->fd, header, sizeof(header), 0, &got);
    if (code)
        return file_error(error, code, heap->path, "cannot read");
    if (got < sizeof(header) || memcmp(header, magic, sizeof(magic)) != 0 ||
        get_u32(header + 60) != crc32c(0, header, 60))
        return damaged(heap, error, 0, "this is no header of a heap");
    if (get_u32(header + 8) == HEAP_FORMAT_VERSION)
        return STATUS_OK;
    error_set(error, STATUS_VERSION, "heap format %u; this is ratel %s, which knows format %d only",
              get_u32(header + 8), RATEL_VERSION, HEAP_FORMAT_VERSION);
    if (error)
        (void)error_at(error, heap->path, 0, 0);
    return STATUS_VERSION;
}

/* H-1 for a file of which nothing is trusted. Readers may have the old one mapped: it keeps its
 * inode. */
static enum status make_file(struct heap *heap, struct error *error)
{
    char header[HEADER_BYTES];
    if (unlink(heap->path) != 0 && errno != ENOENT)
        return file_error(error, errno, heap->path, "cannot replace");
    heap->fd = open(heap->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (heap->fd < 0)
        return file_error(error, errno, heap->path, "cannot create");
    encode_header(header);
    struct iovec part = {header, sizeof(header)};
    int code = file_write(heap->fd, &part, 1, 0);
    if (code)
        return file_error(error, code, heap->path, "cannot write");
    return STATUS_OK;
}

static enum status open_file(struct heap *heap, uint64_t trusted, struct error *error)
{
    struct stat info;
    heap->fd = open(heap->path, (heap->mode == HEAP_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (heap->fd < 0)
        return file_error(error, errno, heap->path, "cannot open");
    if (fstat(heap->fd, &info) != 0)
        return file_error(error, errno, heap->path, "cannot look at the file");
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size < trusted) {
        error_set(error, STATUS_CORRUPT, "the file has lost its end: %llu bytes of %llu",
                  (unsigned long long)info.st_size, (unsigned long long)trusted);
        if (error)
            (void)error_at(error, heap->path, 0, 0);
        return STATUS_CORRUPT;
    }
    enum status status = check_header(heap, error);
    if (status != STATUS_OK || heap->mode == HEAP_PRIVATE)
        return status;
    heap->name_synced = true;
    heap->synced = trusted;
    if ((uint64_t)info.st_size > trusted && ftruncate(heap->fd, (off_t)trusted) != 0) /* H-1 */
        return file_error(error, errno, heap->path, "cannot cut off what is not trusted");
    return STATUS_OK;
}

static enum status make_tail(struct heap *heap, struct error *error)
{
    if (heap->mode == HEAP_WRITE) {
        heap->tail_capacity = HEAP_TAIL_BYTES;
        heap->tail = malloc(heap->tail_capacity);
    } else if (vast_init(&heap->private_tail, 1, HEAP_BYTES_MAX, PRIVATE_BYTES_LEAST, true) ==
               STATUS_OK) {
        heap->tail = heap->private_tail.base;
    }
    return heap->tail ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "out of memory");
}

/* One mapping that is larger than the file will ever be: strings never move, and pages appear as
 * the file grows. */
static enum status map_file(struct heap *heap, struct error *error)
{
    void *map = mmap(NULL, HEAP_BYTES_MAX, PROT_READ, MAP_SHARED | MAP_NORESERVE, heap->fd, 0);
    if (map == MAP_FAILED)
        return file_error(error, errno, heap->path, "cannot map");
    heap->map = map;
    (void)madvise(map, HEAP_BYTES_MAX, MADV_RANDOM);
    sigbus_name(map, HEAP_BYTES_MAX, heap->path, advice);
    return STATUS_OK;
}

enum status heap_open(const char *path, uint64_t length_trusted, enum heap_mode mode,
                      struct heap **ret, struct error *error)
{
    assert(length_trusted % HEAP_STEP_BYTES == 0 && length_trusted <= HEAP_BYTES_MAX);
    assert(length_trusted == 0 || length_trusted >= HEADER_BYTES);
    if (strlen(path) >= PATH_BYTES)
        return error_set(error, STATUS_CANNOT_CREATE, "path too long: %.64s...", path);
    struct heap *heap = calloc(1, sizeof(*heap));
    if (!heap)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    memcpy(heap->path, path, strlen(path) + 1);
    heap->mode = mode;
    heap->fd = -1;
    enum status status = make_tail(heap, error);
    if (status == STATUS_OK && length_trusted)
        status = open_file(heap, length_trusted, error);
    else if (status == STATUS_OK && mode == HEAP_WRITE)
        status = make_file(heap, error);
    heap->tail_offset = length_trusted ? length_trusted : HEADER_BYTES;
    if (status == STATUS_OK && heap->fd >= 0)
        status = map_file(heap, error);
    if (status == STATUS_OK)
        *ret = heap;
    else
        heap_close(heap);
    return status;
}

void heap_on_full(struct heap *heap, const struct space *space)
{
    heap->space = space;
}

void heap_close(struct heap *heap)
{
    if (!heap)
        return;
    if (heap->map) {
        sigbus_forget(heap->map);
        (void)munmap((void *)(uintptr_t)heap->map, HEAP_BYTES_MAX);
    }
    if (heap->fd >= 0)
        close(heap->fd);
    if (heap->mode == HEAP_WRITE)
        free(heap->tail);
    vast_fini(&heap->private_tail);
    free(heap);
}

/* ---- writing
 * -------------------------------------------------------------------------------------------------------
 */

static enum status refuse_failed(const struct heap *heap, struct error *error)
{
    error_set(error, heap->failed,
              "not written: the file failed before; restart to derive it anew");
    if (error)
        (void)error_at(error, heap->path, 0, 0);
    return heap->failed;
}

/* Writes the tail. On a full disk a part of it may be in the file: it is written again, to the same
 * place. */
static enum status flush(struct heap *heap, struct error *error)
{
    if (heap->failed != STATUS_OK)
        return refuse_failed(heap, error);
    if (heap->tail_bytes == 0)
        return STATUS_OK;
    int code;
    for (;;) {
        struct error full = {0};
        struct iovec part = {heap->tail, heap->tail_bytes};
        code = file_write(heap->fd, &part, 1, heap->tail_offset);
        if (!code)
            break;
        enum status status = file_error(&full, code, heap->path, "cannot write");
        if (status == STATUS_NO_SPACE && heap->space &&
            heap->space->wait(heap->space->context, &full))
            continue;
        if (status != STATUS_NO_SPACE)
            heap->failed = STATUS_IO;
        if (error)
            *error = full;
        return status;
    }
    heap->tail_offset += heap->tail_bytes; /* H-2 */
    heap->tail_bytes = 0;
    return STATUS_OK;
}

__attribute__((noinline, cold)) static enum status make_room(struct heap *heap, size_t bytes,
                                                             struct error *error)
{
    if (heap->mode == HEAP_PRIVATE) {
        if (vast_reserve(&heap->private_tail, heap->tail_bytes + bytes) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        heap->tail_capacity = heap->private_tail.usable;
        return STATUS_OK;
    }
    enum status status = flush(heap, error);
    if (status != STATUS_OK)
        return status;
    size_t capacity = heap->tail_capacity;
    while (capacity - heap->tail_bytes < bytes)
        capacity *= 2;
    if (capacity == heap->tail_capacity)
        return STATUS_OK;
    char *grown = realloc(heap->tail, capacity);
    if (!grown)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    heap->tail = grown;
    heap->tail_capacity = capacity;
    return STATUS_OK;
}

enum status heap_append(struct heap *heap, struct slice bytes, uint64_t *ret_offset,
                        struct error *error)
{
    assert(bytes.length <= HEAP_STRING_BYTES_MAX && (bytes.data || bytes.length == 0));
    size_t whole = string_bytes(bytes.length);
    if (heap->failed != STATUS_OK)
        return refuse_failed(heap, error);
    if (HEAP_BYTES_MAX - heap_length(heap) < whole) {
        error_set(error, STATUS_RANGE, "the file has reached its limit of %llu GiB",
                  (unsigned long long)(HEAP_BYTES_MAX >> 30));
        return error ? error_at(error, heap->path, 0, 0) : STATUS_RANGE;
    }
    if (heap->tail_capacity - heap->tail_bytes < whole) {
        enum status status = make_room(heap, whole, error);
        if (status != STATUS_OK)
            return status;
    }
    uint64_t offset = heap_length(heap);
    char *at = heap->tail + heap->tail_bytes;
    /* Padding; what is none of it follows. */
    memset(at + whole - HEAP_STEP_BYTES, 0, HEAP_STEP_BYTES);
    put_u32(at, (uint32_t)bytes.length);
    if (bytes.length)
        memcpy(at + STRING_HEADER, bytes.data, bytes.length);
    put_u32(at + 4, string_crc(offset, at + STRING_HEADER, (uint32_t)bytes.length));
    heap->tail_bytes += whole;
    *ret_offset = offset;
    return STATUS_OK;
}

enum status heap_sync(struct heap *heap, struct error *error)
{
    assert(heap->mode == HEAP_WRITE);
    enum status status = flush(heap, error);
    if (status != STATUS_OK || (heap->synced == heap->tail_offset && heap->name_synced))
        return status;
    if (fdatasync(heap->fd) != 0) { /* H-4, also when it says ENOSPC */
        int code = errno;
        heap->failed = STATUS_IO;
        (void)posix_fadvise(heap->fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)file_error(error, code, heap->path, "cannot sync");
        if (error)
            error->status = STATUS_IO;
        return STATUS_IO;
    }
    if (!heap->name_synced) {
        int code = file_sync_parent(heap->path);
        if (code)
            return file_error(error, code, heap->path, "cannot sync the directory of the file");
        heap->name_synced = true;
    }
    heap->synced = heap->tail_offset; /* H-3 */
    return STATUS_OK;
}

/* ---- reading
 * -------------------------------------------------------------------------------------------------------
 */

enum status heap_read(struct heap *heap, uint64_t offset, struct slice *ret, struct error *error)
{
    bool in_tail = offset >= heap->tail_offset;
    uint64_t end = in_tail ? heap_length(heap) : heap->tail_offset; /* H-2 */
    if (offset < HEADER_BYTES || offset % HEAP_STEP_BYTES != 0 || offset > end ||
        end - offset < STRING_HEADER)
        return damaged(heap, error, offset, "no string can begin here");
    const char *at = in_tail ? heap->tail + (offset - heap->tail_offset) : heap->map + offset;
    uint32_t length = get_u32(at);
    if (length > HEAP_STRING_BYTES_MAX || end - offset < string_bytes(length))
        return damaged(heap, error, offset, "the string's length is impossible");
    if (get_u32(at + 4) != string_crc(offset, at + STRING_HEADER, length))
        return damaged(heap, error, offset, "the string does not match its checksum");
    *ret = slice_of(at + STRING_HEADER, length);
    return STATUS_OK;
}

void heap_prefetch(const struct heap *heap, uint64_t offset)
{
    /* Addresses, because fetching what is not there does no harm but such a pointer must not be
     * formed. */
    uintptr_t at = offset >= heap->tail_offset
                       ? (uintptr_t)heap->tail + (offset - heap->tail_offset)
                       : (uintptr_t)heap->map + offset;
    __builtin_prefetch((const void *)at);
    __builtin_prefetch((const void *)(at + 64));
}
