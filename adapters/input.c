/* Bytes of a file or of stdin, gzip and zstd opened on the way. See adapter.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "adapters/adapter.h"

#define INPUT_BUFFER_BYTES (256u << 10)
#define MAGIC_BYTES        6

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

struct input {
    char path[256]; /* for messages: cut when longer */
    int descriptor;
    enum compression compression;
    bool end;           /* of the file as it lies on disk */
    bool open_frame;    /* within a gzip member or a zstd frame */
    enum status failed; /* damage found after good bytes: they are given first, then this */
    struct error failure;
    uint64_t position;
    uint64_t size;
    z_stream gzip;
    ZSTD_DStream *zstd;
    size_t filled; /* bytes of the buffer that hold input ... */
    size_t taken;  /* ... and how many of them are used */
    unsigned char buffer[INPUT_BUFFER_BYTES];
};

/* ---- the file
 * ---------------------------------------------------------------------------------------------------------
 */

static enum status read_file(struct input *input, void *buffer, size_t capacity, size_t *ret_length,
                             struct error *error)
{
    ssize_t got;
    do
        got = read(input->descriptor, buffer, capacity);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set(error, STATUS_IO,
                         "cannot read %s: %s: check the disk or the program that writes it",
                         input->path, strerror(errno));
    input->end = got == 0;
    input->position += (uint64_t)got;
    *ret_length = (size_t)got;
    return STATUS_OK;
}

/* More compressed bytes into the empty buffer. */
static enum status refill(struct input *input, struct error *error)
{
    assert(input->taken == input->filled);
    input->taken = input->filled = 0;
    return read_file(input, input->buffer, sizeof(input->buffer), &input->filled, error);
}

/* The first bytes, as many as tell the compression; a pipe may give them one by one. */
static enum status read_magic(struct input *input, struct error *error)
{
    while (input->filled < MAGIC_BYTES && !input->end) {
        size_t got = 0;
        enum status status = read_file(input, input->buffer + input->filled,
                                       sizeof(input->buffer) - input->filled, &got, error);
        if (status)
            return status;
        input->filled += got;
    }
    return STATUS_OK;
}

static bool is_gzip(const unsigned char *at, size_t length)
{
    return length >= 2 && at[0] == 0x1f && at[1] == 0x8b;
}

/* A frame, or one of the skippable ones that parallel writers put in front. */
static bool is_zstd(const unsigned char *at, size_t length)
{
    if (length < 4)
        return false;
    uint32_t magic =
        (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    return magic == ZSTD_MAGICNUMBER || (magic & 0xfffffff0u) == ZSTD_MAGIC_SKIPPABLE_START;
}

/* Archives and compressions that are not read: better said at once than as thousands of bad
 * records. */
static const char *foreign_compression(const unsigned char *at, size_t length)
{
    static const struct {
        const char *name;
        size_t length;
        unsigned char magic[MAGIC_BYTES];
    } table[] = {
        {"xz-compressed", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
        {"a 7z archive", 6, {'7', 'z', 0xbc, 0xaf, 0x27, 0x1c}},
        {"a zip archive", 4, {'P', 'K', 3, 4}},
        {"a zip archive", 4, {'P', 'K', 5, 6}}, /* an empty one */
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (length >= table[i].length && memcmp(at, table[i].magic, table[i].length) == 0)
            return table[i].name;
    }
    /* BZh, the level, and then the first block's magic or, of an empty file, that of the end. */
    bool bzip2 = length >= 6 && memcmp(at, "BZh", 3) == 0 && at[3] >= '1' && at[3] <= '9' &&
                 ((at[4] == 0x31 && at[5] == 0x41) || (at[4] == 0x17 && at[5] == 0x72));
    return bzip2 ? "bzip2-compressed" : NULL;
}

/* ---- open
 * -------------------------------------------------------------------------------------------------------------
 */

static enum status open_file(struct input *input, const char *path, struct error *error)
{
    struct stat about;
    bool is_stdin = strcmp(path, "-") == 0;
    input->descriptor = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->descriptor < 0) {
        enum status status = status_from_errno(errno);
        if (status == STATUS_NOT_FOUND)
            return error_set(error, status, "cannot open %s: no such file: check the path", path);
        if (status == STATUS_PERMISSION)
            return error_set(error, status,
                             "cannot open %s: permission denied: check its owner and mode", path);
        return error_set(error, STATUS_IO, "cannot open %s: %s", path, strerror(errno));
    }
    if (fstat(input->descriptor, &about) != 0)
        return error_set(error, STATUS_IO, "cannot read %s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return error_set(error, STATUS_IO,
                         "cannot read %s: it is a directory: name the files in it", path);
    if (S_ISREG(about.st_mode)) {
        input->size = (uint64_t)about.st_size;
        (void)posix_fadvise(input->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return STATUS_OK;
}

static enum status open_compression(struct input *input, struct error *error)
{
    if (is_gzip(input->buffer, input->filled)) {
        input->compression = COMPRESSION_GZIP;
        if (inflateInit2(&input->gzip, 16 + MAX_WBITS) != Z_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory while opening %s",
                             input->path);
    } else if (is_zstd(input->buffer, input->filled)) {
        input->zstd = ZSTD_createDStream();
        if (!input->zstd)
            return error_set(error, STATUS_NO_MEMORY, "out of memory while opening %s",
                             input->path);
        input->compression = COMPRESSION_ZSTD;
    } else {
        const char *foreign = foreign_compression(input->buffer, input->filled);
        if (foreign)
            return error_set(error, STATUS_CORRUPT,
                             "%s: %s: decompress it first; gzip and zstd are read as they are",
                             input->path, foreign);
    }
    return STATUS_OK;
}

enum status input_open(const char *path, struct input **ret, struct error *error)
{
    assert(path && ret);
    struct input *input = calloc(1, sizeof(*input));
    if (!input)
        return error_set(error, STATUS_NO_MEMORY, "out of memory while opening %s", path);
    input->descriptor = -1;
    strncpy(input->path, strcmp(path, "-") == 0 ? "standard input" : path, sizeof(input->path) - 1);
    enum status status = open_file(input, path, error);
    if (!status)
        status = read_magic(input, error);
    if (!status)
        status = open_compression(input, error);
    if (status) {
        input_close(input);
        return status;
    }
    *ret = input;
    return STATUS_OK;
}

void input_close(struct input *input)
{
    if (!input)
        return;
    if (input->compression == COMPRESSION_GZIP)
        inflateEnd(&input->gzip);
    ZSTD_freeDStream(input->zstd);
    if (input->descriptor > STDIN_FILENO)
        close(input->descriptor);
    free(input);
}

/* ---- read
 * -------------------------------------------------------------------------------------------------------------
 */

static enum status corrupt(struct input *input, const char *what, struct error *error)
{
    return error_set(error, STATUS_CORRUPT, "%s: %s at byte %llu: fetch it again", input->path,
                     what, (unsigned long long)(input->position - (input->filled - input->taken)));
}

/* What follows a gzip member: another one, or zeros that tapes and some writers pad with. */
static enum status next_member(struct input *input, struct error *error)
{
    while (input->taken < input->filled && input->buffer[input->taken] == 0)
        input->taken++;
    size_t left = input->filled - input->taken;
    if (left == 0)
        return STATUS_OK;
    if (input->buffer[input->taken] != 0x1f)
        return corrupt(input, "something that is not gzip follows the gzip data", error);
    if (inflateReset(&input->gzip) != Z_OK)
        return error_set(error, STATUS_BUG, "%s: zlib cannot start a new member", input->path);
    input->open_frame = true;
    return STATUS_OK;
}

static enum status read_gzip(struct input *input, char *buffer, size_t capacity, size_t *ret_length,
                             struct error *error)
{
    z_stream *gzip = &input->gzip;
    if (!input->open_frame) {
        enum status status = next_member(input, error);
        if (status || !input->open_frame)
            return status;
    }
    size_t step = capacity < UINT32_MAX ? capacity : UINT32_MAX;
    gzip->next_in = input->buffer + input->taken;
    gzip->avail_in = (unsigned)(input->filled - input->taken);
    gzip->next_out = (unsigned char *)buffer;
    gzip->avail_out = (unsigned)step;
    int result = inflate(gzip, Z_NO_FLUSH);
    input->taken = input->filled - gzip->avail_in;
    *ret_length = step - gzip->avail_out;
    if (result == Z_STREAM_END)
        input->open_frame = false;
    else if (result == Z_MEM_ERROR)
        return error_set(error, STATUS_NO_MEMORY, "out of memory while reading %s", input->path);
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return corrupt(input, gzip->msg ? gzip->msg : "damaged gzip data", error);
    return STATUS_OK;
}

static enum status read_zstd(struct input *input, char *buffer, size_t capacity, size_t *ret_length,
                             struct error *error)
{
    ZSTD_inBuffer in = {input->buffer + input->taken, input->filled - input->taken, 0};
    ZSTD_outBuffer out = {buffer, capacity, 0};
    /* Between frames a call without input would ask for the next frame's header. */
    if (in.size == 0 && !input->open_frame)
        return STATUS_OK;
    size_t result = ZSTD_decompressStream(input->zstd, &out, &in);
    input->taken += in.pos;
    *ret_length = out.pos;
    if (ZSTD_isError(result))
        return corrupt(input, ZSTD_getErrorName(result), error);
    input->open_frame = result != 0;
    return STATUS_OK;
}

static enum status read_plain(struct input *input, char *buffer, size_t capacity,
                              size_t *ret_length, struct error *error)
{
    size_t left = input->filled - input->taken;
    if (left == 0)
        return input->end ? STATUS_OK : read_file(input, buffer, capacity, ret_length, error);
    size_t length = left < capacity ? left : capacity;
    memcpy(buffer, input->buffer + input->taken, length);
    input->taken += length;
    *ret_length = length;
    return STATUS_OK;
}

/* Decompresses until something comes out, the end, or an error. */
static enum status read_compressed(struct input *input, char *buffer, size_t capacity,
                                   size_t *ret_length, struct error *error)
{
    for (;;) {
        enum status status = input->compression == COMPRESSION_GZIP
                                 ? read_gzip(input, buffer, capacity, ret_length, error)
                                 : read_zstd(input, buffer, capacity, ret_length, error);
        if (status || *ret_length > 0)
            return status;
        if (input->taken < input->filled)
            continue;
        if (input->end)
            return input->open_frame ? corrupt(input, "cut off within the compressed data", error)
                                     : STATUS_OK;
        status = refill(input, error);
        if (status)
            return status;
    }
}

enum status input_read(struct input *input, char *buffer, size_t capacity, size_t *ret_length,
                       struct error *error)
{
    assert(capacity > 0);
    *ret_length = 0;
    if (input->compression == COMPRESSION_NONE)
        return read_plain(input, buffer, capacity, ret_length, error);
    if (!input->failed)
        input->failed = read_compressed(input, buffer, capacity, ret_length, &input->failure);
    if (!input->failed || *ret_length > 0)
        return STATUS_OK;
    if (error)
        *error = input->failure;
    return input->failed;
}

bool input_wait(const struct input *input, int timeout_ms)
{
    if (input->taken < input->filled || input->end || input->failed)
        return true;
    struct pollfd polled = {.fd = input->descriptor, .events = POLLIN};
    return poll(&polled, 1, timeout_ms) != 0; /* an error is for input_read to tell */
}

/* Addresses for the file and a page of zeros behind it, so that a decoder can read past its end. */
static size_t map_bytes(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (length + page - 1) / page * page + page;
}

char *input_map(struct input *input, size_t *ret_length)
{
    struct stat facts;
    bool plain = input->compression == COMPRESSION_NONE && !input->failed &&
                 input->position == input->filled && input->taken == 0 &&
                 fstat(input->descriptor, &facts) == 0 && S_ISREG(facts.st_mode) &&
                 facts.st_size > 0;
    if (!plain)
        return NULL;
    size_t length = (size_t)facts.st_size;
    void *map = mmap(NULL, map_bytes(length), PROT_READ,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (mmap(map, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
             input->descriptor, 0) == MAP_FAILED) {
        input_unmap(map, length);
        return NULL;
    }
    *ret_length = length;
    return map;
}

void input_unmap(char *map, size_t length)
{
    (void)munmap(map, map_bytes(length));
}

uint64_t input_position(const struct input *input)
{
    return input->position;
}

uint64_t input_size(const struct input *input)
{
    return input->size;
}
