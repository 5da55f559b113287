/* Writing and opening frame logs. Reading is in frames_read.c, the bytes are in segment.h.
 *
 * Invariants; the code cites them by number.
 *
 * F-1  A segment under its final name has a whole header: it is written and synced under another name first, and the directory is synced
 *      after the rename.
 * F-2  Only the last segment can have a torn tail: before a new segment is made, the one before it is synced. The new header keeps the
 *      old segment's size, so that a sealed segment that lost or gained bytes is seen when the log is opened.
 * F-3  Segments are numbered from 1 without a hole, sequences from 1 without a hole, and a frame's sequence is the one expected.
 * F-4  A bad frame in a sealed segment is damage. One in the last segment is damage if a later frame bears witness that it had been
 *      synced, else it is the torn tail: it and all behind it were never acknowledged.
 * F-5  After a failed write or sync that is not a full disk nothing is appended any more. A failed fsync is not retried: the kernel marks
 *      the pages clean although they are not on disk. They are dropped from the page cache, so that whoever opens the log next
 *      reads the disk.
 * F-6  What is read at opening is synced before it is trusted: a killed process leaves frames that only the page cache has.
 * F-7  The file's size is the end of the last frame and its padding (no preallocation that shows in the size), so that a reader sees what
 *      is whole without asking anyone. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/file.h"
#include "store/frames_private.h"

/* What making a segment takes: random bytes; open, write, sync, close; open, rename; open, sync and close of the directory; close. */
#define SEGMENT_CALLS 11

static const char padding[FRAME_ALIGNMENT_PACKED];

static struct frames_segment *last_segment(struct frames *frames)
{
    assert(frames->segment_count > 0);
    return &frames->segments[frames->segment_count - 1];
}

static enum status corrupt_at(struct error *error, const char *path, const char *what)
{
    error_set(error, STATUS_CORRUPT, "%s", what);
    if (error)
        (void)error_at(error, path, 0, 0);
    return STATUS_CORRUPT;
}

enum status frames_add_segment(struct frames *frames, const struct segment *segment, uint64_t bytes,
                               struct error *error)
{
    assert(segment->number == frames->segment_count + 1);
    if (frames->segment_count == frames->segment_capacity) {
        uint32_t capacity = frames->segment_capacity ? frames->segment_capacity * 2 : 16;
        struct frames_segment *grown = realloc(frames->segments, capacity * sizeof(*grown));
        if (!grown)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        frames->segments = grown;
        frames->segment_capacity = capacity;
    }
    frames->segments[frames->segment_count++] = (struct frames_segment){
        .first_sequence = segment->first_sequence,
        .bytes = bytes,
        .seed = segment_seed(segment),
        .alignment = segment->alignment,
    };
    return STATUS_OK;
}

/* The highest number of a "NNNNNNNN.seg" in the directory; a writer clears away what a crash left under temporary names. */
static int list_segments(struct frames *frames, uint64_t *ret_number_max)
{
    uint64_t number_max = 0;
    DIR *directory = opendir(frames->directory);
    if (!directory)
        return errno;
    errno = 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        const char *name = entry->d_name;
        if (strlen(name) != 12 || strspn(name, "0123456789") != 8)
            continue;
        if (strcmp(name + 8, ".tmp") == 0 && frames->writable)
            (void)unlinkat(dirfd(directory), name, 0);
        uint64_t number = strtoull(name, NULL, 10);
        if (strcmp(name + 8, ".seg") == 0 && number > number_max)
            number_max = number;
        errno = 0;
    }
    int result = errno;
    closedir(directory);
    *ret_number_max = number_max;
    return result;
}

static enum status read_header(const char *path, struct segment *ret, uint64_t *ret_bytes,
                               struct error *error)
{
    char header[FRAME_ALIGNMENT];
    struct stat info;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return corrupt_at(error, path, "this segment is missing");
    if (fd < 0)
        return file_error(error, errno, path, "cannot open the segment");
    int code = fstat(fd, &info) == 0 ? file_read(fd, header, sizeof(header), 0, &got) : errno;
    close(fd);
    if (code)
        return file_error(error, code, path, "cannot read the segment");
    if (got < SEGMENT_HEADER_BYTES)
        return corrupt_at(error, path, "the segment is shorter than its header");
    struct segment segment;
    enum status status = segment_decode(header, &segment, error);
    if (status != STATUS_OK) {
        if (error)
            (void)error_at(error, path, 0, 0);
        return status;
    }
    uint64_t start = segment_start(segment.alignment);
    if (got < start || !bytes_are_zero(header + SEGMENT_HEADER_BYTES, start - SEGMENT_HEADER_BYTES))
        return corrupt_at(error, path, "what stands between header and frames is not as written");
    *ret_bytes = (uint64_t)info.st_size;
    *ret = segment;
    return STATUS_OK;
}

/* F-2, F-3: `segment` follows on what is known so far. */
static enum status check_succession(struct frames *frames, const struct segment *segment,
                                    const char *path, struct error *error)
{
    if (segment->number != frames->segment_count + 1)
        return corrupt_at(error, path, "the segment's header bears another number than its name");
    if (frames->segment_count == 0)
        return segment->first_sequence == 1 && segment->previous_bytes == 0
                   ? STATUS_OK
                   : corrupt_at(error, path, "the first segment does not start with sequence 1");
    struct frames_segment *before = last_segment(frames);
    char before_path[FRAMES_PATH_BYTES];
    struct stat info;
    segment_path(frames->directory, frames->segment_count, "seg", before_path);
    if (stat(before_path, &info) != 0)
        return file_error(error, errno, before_path, "cannot look at the segment");
    if ((uint64_t)info.st_size != segment->previous_bytes)
        return corrupt_at(error, before_path,
                          "the segment's size is not the one it was sealed with");
    if (segment->first_sequence <= before->first_sequence)
        return corrupt_at(error, path,
                          "the segment's first sequence does not follow on the segment before");
    before->bytes = segment->previous_bytes;
    return STATUS_OK;
}

enum status frames_refresh(struct frames *frames, struct error *error)
{
    uint64_t number_max = 0;
    int code = list_segments(frames, &number_max);
    if (code == ENOENT && !frames->writable && frames->segment_count == 0)
        return STATUS_OK; /* nothing was ever written */
    if (code)
        return file_error(error, code, frames->directory, "cannot list the segments");
    if (number_max < frames->segment_count)
        return corrupt_at(error, frames->directory, "segments have vanished");
    while (frames->segment_count < number_max) {
        char path[FRAMES_PATH_BYTES];
        struct segment segment;
        uint64_t bytes = 0;
        segment_path(frames->directory, frames->segment_count + 1, "seg", path);
        enum status status = read_header(path, &segment, &bytes, error);
        if (status == STATUS_OK)
            status = check_succession(frames, &segment, path, error);
        if (status == STATUS_OK)
            status = frames_add_segment(frames, &segment, bytes, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static int random_salt(uint64_t *ret)
{
    ssize_t got;
    do
        got = getrandom(ret, sizeof(*ret), 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*ret) ? 0 : EIO;
}

/* Opens a segment for appending, around the page cache where its frames are aligned and the file system can. */
static int open_to_append(struct frames *frames, const char *path, uint32_t alignment)
{
    frames->direct = alignment == FRAME_ALIGNMENT;
    int fd = frames->direct ? open(path, O_RDWR | O_CLOEXEC | O_DIRECT) : -1;
    if (fd >= 0 || (frames->direct && errno != EINVAL && errno != EOPNOTSUPP))
        return fd;
    frames->direct = false;
    return open(path, O_RDWR | O_CLOEXEC);
}

/* F-1. Makes the next segment and moves on to it. A failure leaves the log as it was. */
static enum status make_segment(struct frames *frames, struct error *error)
{
    char header[FRAME_ALIGNMENT] = {0}, fresh[FRAMES_PATH_BYTES], path[FRAMES_PATH_BYTES];
    struct segment segment = {
        .number = (uint64_t)frames->segment_count + 1,
        .first_sequence = frames->last_sequence + 1,
        .previous_bytes = frames->segment_count ? last_segment(frames)->bytes : 0,
        .alignment = frames->options.aligned ? FRAME_ALIGNMENT : FRAME_ALIGNMENT_PACKED,
    };
    const uint64_t start = segment_start(segment.alignment);
    const bool direct_before = frames->direct;
    assert(segment.number <= SEGMENT_NUMBER_MAX);
    segment_path(frames->directory, segment.number, "tmp", fresh);
    segment_path(frames->directory, segment.number, "seg", path);
    int code = random_salt(&segment.salt);
    if (code)
        return file_error(error, code, path, "cannot get random bytes");
    segment_encode(&segment, header);
    code = file_create(fresh, 0640, slice_of(header, start));
    if (code)
        return file_error(error, code, path, "cannot create the segment");
    int fd = open_to_append(frames, fresh, segment.alignment);
    code = fd < 0 ? errno : rename(fresh, path) == 0 ? 0 : errno;
    if (code) {
        if (fd >= 0)
            close(fd);
        (void)unlink(fresh);
        frames->direct = direct_before;
        return file_error(error, code, path, "cannot put the segment in place");
    }
    /* From here on the segment is in the log: a failure is final (F-5). */
    code = file_sync_directory(frames->directory);
    enum status status =
        code ? file_error(error, code, frames->directory, "cannot sync the directory")
             : frames_add_segment(frames, &segment, start, error);
    if (status != STATUS_OK) {
        frames->failed = STATUS_IO;
        close(fd);
        return status;
    }
    if (frames->fd >= 0)
        close(frames->fd);
    frames->fd = fd;
    frames->cost.calls += SEGMENT_CALLS;
    frames->cost.bytes += start;
    return STATUS_OK;
}

/* F-4, F-6: makes durable what is there, then finds the end and cuts the torn tail. */
static enum status recover(struct frames *frames, uint64_t *ret_cut_bytes, struct error *error)
{
    char path[FRAMES_PATH_BYTES];
    struct frames_end end;
    segment_path(frames->directory, frames->segment_count, "seg", path);
    frames->fd = open_to_append(frames, path, last_segment(frames)->alignment);
    if (frames->fd < 0)
        return file_error(error, errno, path, "cannot open the segment for writing");
    if (fsync(frames->fd) != 0)
        return file_error(error, errno, path, "cannot sync the segment");
    int code = file_sync_directory(frames->directory);
    if (code)
        return file_error(error, code, frames->directory, "cannot sync the directory");
    enum status status =
        frames_scan(frames, frames->segment_count - 1, 0, 1, NULL, NULL, &end, error);
    frames_release_reading(frames);
    if (status != STATUS_OK)
        return status;
    assert(end.bytes >= segment_start(last_segment(frames)->alignment) &&
           end.bytes <= end.file_bytes);
    if (end.bytes < end.file_bytes) {
        if (ftruncate(frames->fd, (off_t)end.bytes) != 0 || fsync(frames->fd) != 0)
            return file_error(error, errno, path, "cannot cut the torn tail");
    }
    last_segment(frames)->bytes = end.bytes;
    frames->last_sequence = frames->synced_sequence = end.sequence;
    *ret_cut_bytes = end.file_bytes - end.bytes;
    return STATUS_OK;
}

static enum status frames_new(const char *directory, bool writable, struct frames **ret,
                              struct error *error)
{
    if (strlen(directory) + sizeof("/00000000.seg") > FRAMES_PATH_BYTES)
        return error_set(error, STATUS_CANNOT_CREATE, "path too long: %.64s...", directory);
    struct frames *frames = calloc(1, sizeof(*frames));
    if (!frames)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    snprintf(frames->directory, sizeof(frames->directory), "%s", directory);
    frames->writable = writable;
    frames->fd = -1;
    *ret = frames;
    return STATUS_OK;
}

enum status frames_open(const char *directory, struct frames_options options, struct frames **ret,
                        uint64_t *ret_cut_bytes, struct error *error)
{
    uint64_t cut_bytes = 0;
    struct frames *frames = NULL;
    assert(options.segment_bytes > 0);
    enum status status = frames_new(directory, true, &frames, error);
    if (status != STATUS_OK)
        return status;
    assert(frames);
    frames->options = options;
    int code = file_make_directory(directory);
    status = code ? file_error(error, code, directory, "cannot create the directory")
                  : frames_refresh(frames, error);
    if (status == STATUS_OK)
        status = frames->segment_count ? recover(frames, &cut_bytes, error)
                                       : make_segment(frames, error);
    if (status != STATUS_OK) {
        frames_close(frames);
        return status;
    }
    *ret = frames;
    if (ret_cut_bytes)
        *ret_cut_bytes = cut_bytes;
    return STATUS_OK;
}

enum status frames_open_read(const char *directory, struct frames **ret, struct error *error)
{
    struct frames *frames = NULL;
    struct frames_end end;
    enum status status = frames_new(directory, false, &frames, error);
    if (status != STATUS_OK)
        return status;
    assert(frames);
    status = frames_refresh(frames, error);
    if (status == STATUS_OK && frames->segment_count) {
        status = frames_scan(frames, frames->segment_count - 1, 0, 1, NULL, NULL, &end, error);
        frames_release_reading(frames);
        if (status == STATUS_OK) {
            last_segment(frames)->bytes = end.bytes;
            frames->last_sequence = end.sequence;
        }
    }
    if (status == STATUS_OK)
        *ret = frames;
    else
        frames_close(frames);
    return status;
}

void frames_close(struct frames *frames)
{
    if (!frames)
        return;
    if (frames->fd >= 0)
        close(frames->fd);
    free(frames->segments);
    free(frames->buffer);
    read_ahead_free(frames->read_ahead);
    frame_buffer_fini(&frames->staging);
    free(frames);
}

static enum status refuse_failed(struct frames *frames, struct error *error)
{
    error_set(error, frames->failed,
              "not written: the log failed before; restart to read back what is on disk");
    if (error)
        (void)error_at(error, frames->directory, 0, 0);
    return frames->failed;
}

/* The part of the frame that made it is cut off again, so that the next append finds the file as it was. */
static enum status append_failed(struct frames *frames, int code, struct error *error)
{
    char path[FRAMES_PATH_BYTES];
    segment_path(frames->directory, frames->segment_count, "seg", path);
    enum status status = file_error(error, code, path, "cannot append");
    bool cut = ftruncate(frames->fd, (off_t)last_segment(frames)->bytes) == 0;
    if (status != STATUS_NO_SPACE || !cut)
        frames->failed = STATUS_IO; /* F-5 */
    return cut ? status
               : error_set(error, STATUS_IO, "cannot append to %s, nor cut the rest", path);
}

/* F-2: room for one more frame, in a new segment where the last one is full. */
static enum status begin_append(struct frames *frames, struct error *error)
{
    assert(frames->writable);
    if (frames->failed != STATUS_OK)
        return refuse_failed(frames, error);
    struct frames_segment *segment = last_segment(frames);
    if (segment->bytes < frames->options.segment_bytes ||
        segment->bytes == segment_start(segment->alignment))
        return STATUS_OK;
    enum status status = frames_sync(frames, error);
    return status == STATUS_OK ? make_segment(frames, error) : status;
}

static void encode_next(const struct frames *frames, uint32_t kind, struct slice payload,
                        uint32_t seed, char header[FRAME_HEADER_BYTES])
{
    uint64_t unsynced = frames->last_sequence - frames->synced_sequence;
    assert(unsynced <= UINT32_MAX);
    struct frame_header fields = {
        .length = (uint32_t)payload.length,
        .kind = kind,
        .sequence = frames->last_sequence + 1,
        .unsynced = (uint32_t)unsynced,
        .payload_crc = payload.length ? crc32c(0, payload.data, payload.length) : 0,
    };
    frame_encode(&fields, seed, header);
}

/* Not every file system that opens with O_DIRECT takes every write: then this one is buffered, and those that follow. */
static int write_parts(struct frames *frames, const struct iovec *parts, int count, uint64_t offset)
{
    struct iovec rest[3];
    assert(count <= 3);
    memcpy(rest, parts, (size_t)count * sizeof(*parts));
    int code = file_write_counted(frames->fd, rest, count, offset, &frames->cost.calls);
    if (code != EINVAL || !frames->direct)
        return code;
    int flags = fcntl(frames->fd, F_GETFL);
    if (flags < 0 || fcntl(frames->fd, F_SETFL, flags & ~O_DIRECT) != 0)
        return errno;
    frames->direct = false;
    memcpy(rest, parts, (size_t)count * sizeof(*parts));
    return file_write_counted(frames->fd, rest, count, offset, &frames->cost.calls);
}

static enum status end_append(struct frames *frames, const struct iovec *parts, int count,
                              uint64_t *ret_sequence, struct error *error)
{
    struct frames_segment *segment = last_segment(frames);
    int code = write_parts(frames, parts, count, segment->bytes);
    if (code)
        return append_failed(frames, code, error);
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    assert(bytes % segment->alignment == 0);
    segment->bytes += bytes;
    frames->cost.bytes += bytes;
    frames->last_sequence++;
    if (ret_sequence)
        *ret_sequence = frames->last_sequence;
    return STATUS_OK;
}

static enum status append_built(struct frames *frames, uint32_t kind, struct frame_buffer *buffer,
                                uint64_t *ret_sequence, struct error *error)
{
    const struct frames_segment *segment = last_segment(frames);
    uint64_t bytes = frame_bytes((uint32_t)buffer->length, segment->alignment);
    uint64_t used = FRAME_HEADER_BYTES + buffer->length;
    assert(bytes <= buffer->memory_bytes);
    encode_next(frames, kind, slice_of(buffer->payload, buffer->length), segment->seed,
                buffer->memory);
    memset(buffer->memory + used, 0, bytes - used);
    struct iovec part = {buffer->memory, bytes};
    return end_append(frames, &part, 1, ret_sequence, error);
}

enum status frames_append_buffer(struct frames *frames, uint32_t kind, struct frame_buffer *buffer,
                                 uint64_t *ret_sequence, struct error *error)
{
    assert(buffer->memory && buffer->length <= buffer->capacity);
    enum status status = begin_append(frames, error);
    return status == STATUS_OK ? append_built(frames, kind, buffer, ret_sequence, error) : status;
}

/* Brings a payload of the caller's to memory that can be written from. */
static enum status append_copy(struct frames *frames, uint32_t kind, struct slice payload,
                               uint64_t *ret_sequence, struct error *error)
{
    if (!frames->staging.memory || frames->staging.capacity < payload.length) {
        size_t capacity = (size_t)1 << 18;
        while (capacity < payload.length)
            capacity *= 2;
        struct frame_buffer larger;
        enum status status = frame_buffer_init(&larger, capacity, error);
        if (status != STATUS_OK)
            return status;
        frame_buffer_fini(&frames->staging);
        frames->staging = larger;
    }
    if (payload.length)
        memcpy(frames->staging.payload, payload.data, payload.length);
    frames->staging.length = payload.length;
    return append_built(frames, kind, &frames->staging, ret_sequence, error);
}

enum status frames_append(struct frames *frames, uint32_t kind, struct slice payload,
                          uint64_t *ret_sequence, struct error *error)
{
    char header[FRAME_HEADER_BYTES];
    assert(payload.length <= FRAME_BYTES_MAX && (payload.data || payload.length == 0));
    enum status status = begin_append(frames, error);
    if (status != STATUS_OK)
        return status;
    const struct frames_segment *segment = last_segment(frames);
    if (segment->alignment != FRAME_ALIGNMENT_PACKED)
        return append_copy(frames, kind, payload, ret_sequence, error);
    encode_next(frames, kind, payload, segment->seed, header);
    uint64_t bytes = frame_bytes((uint32_t)payload.length, segment->alignment);
    const struct iovec parts[3] = {
        {header, sizeof(header)},
        {(void *)(uintptr_t)payload.data, payload.length},
        {(void *)(uintptr_t)padding, bytes - FRAME_HEADER_BYTES - payload.length},
    };
    return end_append(frames, parts, 3, ret_sequence, error);
}

enum status frames_sync(struct frames *frames, struct error *error)
{
    assert(frames->writable);
    if (frames->failed != STATUS_OK)
        return refuse_failed(frames, error);
    if (frames->synced_sequence == frames->last_sequence)
        return STATUS_OK;
    frames->cost.calls++;
    frames->cost.syncs++;
    if (fdatasync(frames->fd) !=
        0) { /* F-5, also when it says ENOSPC: what is on disk is no longer known */
        int code = errno;
        char path[FRAMES_PATH_BYTES];
        segment_path(frames->directory, frames->segment_count, "seg", path);
        frames->failed = STATUS_IO;
        (void)posix_fadvise(frames->fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)file_error(error, code, path, "cannot sync");
        if (error)
            error->status = STATUS_IO;
        return STATUS_IO;
    }
    frames->synced_sequence = frames->last_sequence;
    return STATUS_OK;
}

uint64_t frames_last_sequence(const struct frames *frames)
{
    return frames->last_sequence;
}

struct frames_cost frames_cost(const struct frames *frames)
{
    return frames->cost;
}

uint64_t frames_bytes(const struct frames *frames)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < frames->segment_count; i++)
        bytes += frames->segments[i].bytes;
    return bytes;
}
