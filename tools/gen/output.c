#include "gen/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define BUFFER_BYTES ((size_t)1 << 20)

struct output {
    char *path;
    int fd;
    enum compression compression;
    z_stream gzip;
    ZSTD_CCtx *zstd;
    uint64_t bytes;
    size_t used;
    char *buffer;
    char *packed; /* NULL without compression */
};

static bool write_all(struct output *output, const char *bytes, size_t length,
                      struct failure *failure)
{
    while (length > 0) {
        ssize_t written = write(output->fd, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return failure_set(failure, GEN_EXIT_IO, "cannot write to %s: %s",
                               strcmp(output->path, "-") == 0 ? "standard output" : output->path,
                               strerror(errno));
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

static bool write_gzip(struct output *output, bool last, struct failure *failure)
{
    int result;

    output->gzip.next_in = (unsigned char *)output->buffer;
    output->gzip.avail_in = (unsigned)output->used;
    do {
        output->gzip.next_out = (unsigned char *)output->packed;
        output->gzip.avail_out = (unsigned)BUFFER_BYTES;
        result = deflate(&output->gzip, last ? Z_FINISH : Z_NO_FLUSH);
        assert(result != Z_STREAM_ERROR);
        if (!write_all(output, output->packed, BUFFER_BYTES - output->gzip.avail_out, failure))
            return false;
    } while (output->gzip.avail_out == 0 || (last && result != Z_STREAM_END));
    return true;
}

static bool write_zstd(struct output *output, bool last, struct failure *failure)
{
    ZSTD_inBuffer in = {output->buffer, output->used, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {output->packed, BUFFER_BYTES, 0};

        left = ZSTD_compressStream2(output->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return failure_set(failure, GEN_EXIT_SYSTEM, "cannot compress: %s",
                               ZSTD_getErrorName(left));
        if (!write_all(output, output->packed, out.pos, failure))
            return false;
    } while (last ? left != 0 : in.pos < in.size);
    return true;
}

static bool flush(struct output *output, bool last, struct failure *failure)
{
    bool written;

    if (output->compression == COMPRESSION_GZIP)
        written = write_gzip(output, last, failure);
    else if (output->compression == COMPRESSION_ZSTD)
        written = write_zstd(output, last, failure);
    else
        written = write_all(output, output->buffer, output->used, failure);
    output->used = 0;
    return written;
}

static bool start_compression(struct output *output)
{
    if (output->compression == COMPRESSION_NONE)
        return true;
    output->packed = memory_grow(NULL, BUFFER_BYTES);
    if (output->compression == COMPRESSION_ZSTD) {
        output->zstd = ZSTD_createCCtx();
        return output->zstd &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(output->zstd, ZSTD_c_checksumFlag, 1));
    }
    /* 15 bits of window, plus 16 for a gzip header. */
    return deflateInit2(&output->gzip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

struct output *output_open(const char *path, enum compression compression, struct failure *failure)
{
    struct output *output = memory_grow(NULL, sizeof *output);

    memset(output, 0, sizeof *output);
    output->compression = compression;
    output->path = strcpy(memory_grow(NULL, strlen(path) + 1), path);
    output->buffer = memory_grow(NULL, BUFFER_BYTES);
    output->fd = STDOUT_FILENO;
    if (strcmp(path, "-") != 0)
        output->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output->fd < 0) {
        (void)failure_set(failure, GEN_EXIT_CANNOT_CREATE, "cannot create %s: %s", path,
                          strerror(errno));
        output_abandon(output);
        return NULL;
    }
    if (!start_compression(output)) {
        (void)failure_set(failure, GEN_EXIT_SYSTEM, "cannot start the compression of %s", path);
        output_abandon(output);
        return NULL;
    }
    return output;
}

char *output_room(struct output *output, size_t bytes, struct failure *failure)
{
    assert(bytes <= OUTPUT_ROOM_MAX);
    if (output->used + bytes > BUFFER_BYTES && !flush(output, false, failure))
        return NULL;
    return output->buffer + output->used;
}

void output_used(struct output *output, size_t bytes)
{
    output->used += bytes;
    output->bytes += bytes;
    assert(output->used <= BUFFER_BYTES);
}

bool output_text(struct output *output, const char *text, size_t length, struct failure *failure)
{
    char *room = output_room(output, length, failure);

    if (!room)
        return false;
    memcpy(room, text, length);
    output_used(output, length);
    return true;
}

uint64_t output_bytes(const struct output *output)
{
    return output->bytes;
}

void output_abandon(struct output *output)
{
    if (!output)
        return;
    if (output->fd >= 0 && output->fd != STDOUT_FILENO)
        close(output->fd);
    if (output->compression == COMPRESSION_GZIP)
        deflateEnd(&output->gzip);
    ZSTD_freeCCtx(output->zstd);
    free(output->packed);
    free(output->buffer);
    free(output->path);
    free(output);
}

bool output_close(struct output *output, struct failure *failure)
{
    bool good;

    if (!output)
        return true;
    good = flush(output, true, failure);
    /* Some file systems tell of a full disk only here. */
    if (good && output->fd != STDOUT_FILENO) {
        int fd = output->fd;

        output->fd = -1;
        if (close(fd) != 0)
            good = failure_set(failure, GEN_EXIT_IO, "cannot write to %s: %s", output->path,
                               strerror(errno));
    }
    output_abandon(output);
    return good;
}
