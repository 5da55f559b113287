/* Reading frame logs, and telling damage from a torn tail. Invariants: frames.c. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/file.h"
#include "store/frames_private.h"

/* Not yet, or not worth it; a thread reads ahead of the window; no more in this segment. */
enum ahead_state { AHEAD_NOT_YET, AHEAD_RUNS, AHEAD_OVER };

/* A place in one segment and the window of it that is in memory. Files are read, not mapped: a log
 * that is cut under a mapping, or a bad sector, would be SIGBUS instead of an error, and copying
 * costs little beside the checksum. */
struct cursor {
    struct frames *frames; /* lends its buffer */
    char path[FRAMES_PATH_BYTES];
    int fd;
    uint32_t seed;
    uint32_t alignment;
    bool known_whole;   /* all up to `end` was whole before: what is bad now is damage */
    uint64_t end;       /* nothing behind it is looked at */
    uint64_t offset;    /* of the next frame, a multiple of the alignment */
    uint64_t expected;  /* its sequence */
    const char *window; /* in the log's buffer or in a block that was read ahead */
    uint64_t window_offset;
    size_t window_bytes;
    enum ahead_state ahead;
    uint32_t held;         /* blocks that are not given back: the window is in them */
    const char *held_last; /* where the last of them begins */
    bool sparse;           /* only headers are looked at */
};

enum cursor_state { CURSOR_FRAME, CURSOR_END, CURSOR_BAD };

static enum status reserve(struct frames *frames, size_t bytes, struct error *error)
{
    size_t capacity = frames->buffer_bytes ? frames->buffer_bytes : FRAMES_BUFFER_BYTES;
    while (capacity < bytes)
        capacity *= 2;
    if (capacity == frames->buffer_bytes)
        return STATUS_OK;
    char *grown = realloc(frames->buffer, capacity);
    if (!grown)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    frames->buffer = grown;
    frames->buffer_bytes = capacity;
    return STATUS_OK;
}

/* The end of the segment is worth a thread: a long stretch of aligned frames that are wanted. */
static enum status start_ahead(struct cursor *cursor, struct error *error)
{
    struct frames *frames = cursor->frames;
    cursor->ahead = AHEAD_OVER;
    if (cursor->alignment != FRAME_ALIGNMENT ||
        cursor->end - cursor->offset < 2 * READ_AHEAD_BLOCK_BYTES)
        return STATUS_OK;
    if (!frames->read_ahead) {
        enum status status = read_ahead_new(&frames->read_ahead, error);
        if (status != STATUS_OK)
            return status;
    }
    if (!read_ahead_begin(frames->read_ahead, cursor->path, cursor->fd, cursor->offset,
                          cursor->end))
        return STATUS_OK;
    cursor->ahead = AHEAD_RUNS;
    cursor->window_offset = cursor->offset;
    cursor->window_bytes = 0;
    return STATUS_OK;
}

/* What the window holds stays readable. */
static void end_ahead(struct cursor *cursor)
{
    if (cursor->ahead == AHEAD_RUNS)
        read_ahead_end(cursor->frames->read_ahead);
    cursor->ahead = AHEAD_OVER;
    cursor->held = 0;
}

static enum status next_block(struct cursor *cursor, struct read_block **ret, struct error *error)
{
    *ret = read_ahead_next(cursor->frames->read_ahead);
    cursor->held += *ret != NULL;
    if (*ret && (*ret)->code)
        return file_error(error, (*ret)->code, cursor->path, "cannot read the segment");
    return STATUS_OK;
}

static void return_blocks(struct cursor *cursor, uint32_t left)
{
    for (; cursor->held > left; cursor->held--)
        read_ahead_return(cursor->frames->read_ahead);
}

/* The window is gathered in the log's buffer: `kept` bytes at `rest`, then the block, if there is one
 * already, and more until it has `bytes`. */
static enum status gather_ahead(struct cursor *cursor, const char *rest, size_t kept, size_t bytes,
                                struct read_block *block, struct error *error)
{
    struct frames *frames = cursor->frames;
    const bool in_block = cursor->held > (block != NULL);
    const size_t rest_offset = kept && !in_block ? (size_t)(rest - frames->buffer) : 0;
    const size_t most = bytes > kept ? bytes : kept;
    enum status status = reserve(frames, most + READ_AHEAD_BLOCK_BYTES, error);
    if (status != STATUS_OK)
        return status;
    if (kept)
        memmove(frames->buffer, in_block ? rest : frames->buffer + rest_offset, kept);
    return_blocks(cursor, block != NULL);
    cursor->window = frames->buffer;
    cursor->window_bytes = kept;
    for (;;) {
        if (block) {
            memcpy(frames->buffer + cursor->window_bytes, block->data, block->bytes);
            cursor->window_bytes += block->bytes;
            return_blocks(cursor, 0);
        }
        if (cursor->window_bytes >= bytes)
            return STATUS_OK;
        status = next_block(cursor, &block, error);
        if (status != STATUS_OK || !block)
            return status;
    }
}

/* The window moves on to `offset`, which lies in it or where it ends, and has `bytes` if the file has
 * them. It goes on into the next block where that stands behind it in memory; what it keeps goes
 * before the first block. What is too long for that is gathered. */
static enum status advance_ahead(struct cursor *cursor, uint64_t offset, size_t bytes,
                                 struct error *error)
{
    const size_t kept = cursor->window_bytes - (size_t)(offset - cursor->window_offset);
    const char *rest = kept ? cursor->window + (offset - cursor->window_offset) : NULL;
    if (!kept)
        return_blocks(cursor, 0);
    else if (cursor->held && rest >= cursor->held_last)
        return_blocks(cursor, 1);
    cursor->window = rest;
    cursor->window_offset = offset;
    cursor->window_bytes = kept;
    if (cursor->held > 1 || bytes > kept + READ_AHEAD_BLOCK_BYTES)
        return gather_ahead(cursor, rest, kept, bytes, NULL, error);
    struct read_block *block;
    enum status status = next_block(cursor, &block, error);
    if (status != STATUS_OK || !block)
        return status;
    if (kept && rest + kept != block->data) {
        if (kept > READ_AHEAD_BLOCK_BYTES ||
            !read_ahead_is_first(cursor->frames->read_ahead, block))
            return gather_ahead(cursor, rest, kept, bytes, block, error);
        memcpy(block->data - kept, rest, kept);
        return_blocks(cursor, 1);
    }
    cursor->held_last = block->data;
    cursor->window = block->data - kept;
    cursor->window_bytes = kept + block->bytes;
    return STATUS_OK;
}

/* The window moves on to `offset` and is read anew, as far as the buffer goes. */
static enum status advance(struct cursor *cursor, uint64_t offset, size_t bytes,
                           struct error *error)
{
    struct frames *frames = cursor->frames;
    const uint64_t window_end = cursor->window_offset + cursor->window_bytes;
    /* What is in memory already moves to the front. Offsets are multiples of 8, so payloads stay
     * aligned. */
    const bool overlaps = offset >= cursor->window_offset && offset < window_end;
    const size_t kept = overlaps ? (size_t)(window_end - offset) : 0;
    const bool in_buffer = cursor->window == frames->buffer;
    enum status status = reserve(frames, bytes > kept ? bytes : kept, error);
    if (status != STATUS_OK)
        return status;
    if (in_buffer)
        cursor->window = frames->buffer; /* which may have moved */
    if (kept)
        memmove(frames->buffer, cursor->window + (offset - cursor->window_offset), kept);
    uint64_t want = cursor->end - offset;
    uint64_t most = frames->buffer_bytes;
    if (cursor->sparse)
        most = bytes > FRAME_ALIGNMENT ? bytes : FRAME_ALIGNMENT;
    if (want > most)
        want = most;
    size_t got = 0;
    cursor->window = frames->buffer;
    cursor->window_offset = offset;
    cursor->window_bytes = kept;
    if (want <= kept)
        return STATUS_OK;
    int code =
        file_read(cursor->fd, frames->buffer + kept, (size_t)want - kept, offset + kept, &got);
    if (code)
        return file_error(error, code, cursor->path, "cannot read the segment");
    cursor->window_bytes = kept + got;
    return STATUS_OK;
}

static bool window_has(const struct cursor *cursor, uint64_t offset, size_t bytes)
{
    return offset >= cursor->window_offset &&
           offset + bytes <= cursor->window_offset + cursor->window_bytes;
}

/* Brings `bytes` at `offset` into the window. *ret is NULL when the segment ends before. */
static enum status cursor_need(struct cursor *cursor, uint64_t offset, size_t bytes,
                               const char **ret, struct error *error)
{
    *ret = NULL;
    if (offset > cursor->end || cursor->end - offset < bytes)
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (cursor->ahead == AHEAD_NOT_YET && !cursor->sparse)
        status = start_ahead(cursor, error);
    if (status == STATUS_OK && !window_has(cursor, offset, bytes)) {
        if (cursor->ahead == AHEAD_RUNS && (offset < cursor->window_offset ||
                                            offset > cursor->window_offset + cursor->window_bytes))
            end_ahead(cursor);
        status = cursor->ahead == AHEAD_RUNS ? advance_ahead(cursor, offset, bytes, error)
                                             : advance(cursor, offset, bytes, error);
    }
    if (status != STATUS_OK)
        return status;
    if (window_has(cursor, offset, bytes)) /* else the file was cut meanwhile */
        *ret = cursor->window + (offset - cursor->window_offset);
    return STATUS_OK;
}

/* Looks at the frame at the cursor and moves on past a whole one. Frames before `from` are taken on
 * their header's word where no torn tail can be. */
static enum status cursor_next(struct cursor *cursor, uint64_t from, struct frame *ret,
                               enum cursor_state *ret_state, struct error *error)
{
    const char *data;
    struct frame_header header;
    *ret_state = CURSOR_BAD;
    if (cursor->offset == cursor->end) {
        *ret_state = CURSOR_END;
        return STATUS_OK;
    }
    cursor->sparse =
        cursor->known_whole && cursor->expected < from && cursor->alignment == FRAME_ALIGNMENT;
    enum status status = cursor_need(cursor, cursor->offset, FRAME_HEADER_BYTES, &data, error);
    if (status != STATUS_OK || !data)
        return status;
    if (!frame_decode(data, cursor->seed, &header) || header.sequence != cursor->expected)
        return STATUS_OK;
    uint64_t bytes = frame_bytes(header.length, cursor->alignment);
    if (cursor->end - cursor->offset < bytes)
        return STATUS_OK;
    if (header.sequence >= from || !cursor->known_whole) {
        status = cursor_need(cursor, cursor->offset, (size_t)bytes, &data, error);
        if (status != STATUS_OK || !data)
            return status;
        const char *payload = data + FRAME_HEADER_BYTES;
        uint32_t crc = header.length ? crc32c(0, payload, header.length) : 0;
        if (crc != header.payload_crc ||
            !bytes_are_zero(payload + header.length, bytes - FRAME_HEADER_BYTES - header.length))
            return STATUS_OK;
        *ret = (struct frame){
            .sequence = header.sequence, .kind = header.kind, .payload = {payload, header.length}};
    }
    cursor->offset += bytes;
    cursor->expected++;
    *ret_state = CURSOR_FRAME;
    return STATUS_OK;
}

/* Looks for a later frame that was written when the one at the cursor was durable already (F-4).
 * Its header alone proves it. */
static enum status find_witness(struct cursor *cursor, bool *ret_found, struct error *error)
{
    *ret_found = false;
    for (uint64_t offset = cursor->offset; cursor->end - offset >= FRAME_HEADER_BYTES;
         offset += cursor->alignment) {
        const char *data;
        struct frame_header header;
        enum status status = cursor_need(cursor, offset, FRAME_HEADER_BYTES, &data, error);
        if (status != STATUS_OK || !data)
            return status;
        if (!frame_decode(data, cursor->seed, &header) || header.sequence <= cursor->expected)
            continue;
        uint64_t synced = header.sequence - 1 - header.unsynced;
        if (synced >= cursor->expected) {
            *ret_found = true;
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static bool has_successor(const struct cursor *cursor, uint32_t index)
{
    char path[FRAMES_PATH_BYTES];
    struct stat info;
    segment_path(cursor->frames->directory, (uint64_t)index + 2, "seg", path);
    return stat(path, &info) == 0;
}

static enum status damage(const struct cursor *cursor, struct error *error)
{
    error_set(error, STATUS_CORRUPT,
              "damaged at byte %llu: frame %llu is not whole, and it had been synced",
              (unsigned long long)cursor->offset, (unsigned long long)cursor->expected);
    if (error)
        (void)error_at(error, cursor->path, 0, 0);
    return STATUS_CORRUPT;
}

/* Judges a bad frame (F-4). While a writer is at work, what was seen may be half of an append, or
 * of a tail that was cut and written anew. So after finding proof of damage the frame is read once
 * more: proof that is on disk was written after the frame. */
static enum status judge(struct cursor *cursor, uint32_t index, uint64_t from, bool *ret_whole_now,
                         struct frame *ret, struct error *error)
{
    enum cursor_state state;
    struct stat info;
    *ret_whole_now = false;
    bool proof = cursor->known_whole || has_successor(cursor, index);
    if (!proof) {
        enum status status = find_witness(cursor, &proof, error);
        if (status != STATUS_OK || !proof)
            return status;
    }
    end_ahead(cursor);
    cursor->window_bytes = 0;
    if (!cursor->known_whole && fstat(cursor->fd, &info) == 0 &&
        (uint64_t)info.st_size > cursor->end)
        cursor->end = (uint64_t)info.st_size; /* the old end may have cut an append in two */
    enum status status = cursor_next(cursor, from, ret, &state, error);
    if (status != STATUS_OK)
        return status;
    *ret_whole_now = state == CURSOR_FRAME;
    return *ret_whole_now ? STATUS_OK : damage(cursor, error);
}

static enum status scan(struct cursor *cursor, uint32_t index, uint64_t from, frame_visit *visit,
                        void *context, struct frames_end *end, struct error *error)
{
    for (;;) {
        struct frame frame;
        enum cursor_state state;
        uint64_t sequence = cursor->expected;
        enum status status = cursor_next(cursor, from, &frame, &state, error);
        if (status == STATUS_OK && state == CURSOR_BAD) {
            bool whole_now;
            status = judge(cursor, index, from, &whole_now, &frame, error);
            if (status == STATUS_OK && whole_now)
                state = CURSOR_FRAME;
        }
        if (status != STATUS_OK || state != CURSOR_FRAME)
            return status;
        end->bytes = cursor->offset;
        end->sequence = sequence;
        if (!visit || sequence < from)
            continue;
        status = visit(&frame, context, error);
        if (status == STATUS_AGAIN) {
            end->stopped = true;
            return STATUS_OK;
        }
        if (status != STATUS_OK)
            return status;
    }
}

enum status frames_scan(struct frames *frames, uint32_t index, uint64_t limit, uint64_t from,
                        frame_visit *visit, void *context, struct frames_end *ret,
                        struct error *error)
{
    assert(index < frames->segment_count);
    const uint64_t start = segment_start(frames->segments[index].alignment);
    struct cursor cursor = {
        .frames = frames,
        .seed = frames->segments[index].seed,
        .alignment = frames->segments[index].alignment,
        .offset = start,
        .expected = frames->segments[index].first_sequence,
    };
    struct stat info;
    segment_path(frames->directory, (uint64_t)index + 1, "seg", cursor.path);
    cursor.fd = open(cursor.path, O_RDONLY | O_CLOEXEC);
    if (cursor.fd < 0)
        return file_error(error, errno, cursor.path, "cannot open the segment");
    enum status status = STATUS_OK;
    struct frames_end end = {.bytes = start, .sequence = cursor.expected - 1};
    if (fstat(cursor.fd, &info) != 0) {
        status = file_error(error, errno, cursor.path, "cannot look at the segment");
    } else {
        end.file_bytes = (uint64_t)info.st_size;
        cursor.end = limit ? limit : end.file_bytes;
        cursor.known_whole = limit != 0;
        (void)posix_fadvise(cursor.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        if (end.file_bytes < cursor.end || cursor.end < start) {
            error_set(error, STATUS_CORRUPT, "the segment has lost its end: %llu bytes of %llu",
                      (unsigned long long)end.file_bytes, (unsigned long long)cursor.end);
            if (error)
                (void)error_at(error, cursor.path, 0, 0);
            status = STATUS_CORRUPT;
        } else {
            status = scan(&cursor, index, from, visit, context, &end, error);
            end_ahead(&cursor);
        }
    }
    close(cursor.fd);
    if (status == STATUS_OK)
        *ret = end;
    return status;
}

/* The first segment that can hold `from`. */
static uint32_t segment_of(const struct frames *frames, uint64_t from)
{
    uint32_t low = 0, high = frames->segment_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (frames->segments[middle].first_sequence <= from)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A sealed segment was read to its end: the next one must follow on it (F-3). */
static enum status check_seam(const struct frames *frames, uint32_t index,
                              const struct frames_end *end, struct error *error)
{
    const struct frames_segment *next = &frames->segments[index + 1];
    if (end->bytes == frames->segments[index].bytes && end->sequence + 1 == next->first_sequence)
        return STATUS_OK;
    char path[FRAMES_PATH_BYTES];
    segment_path(frames->directory, (uint64_t)index + 2, "seg", path);
    error_set(error, STATUS_CORRUPT,
              "the segment starts with frame %llu, but the one before ends with frame %llu",
              (unsigned long long)next->first_sequence, (unsigned long long)end->sequence);
    if (error)
        (void)error_at(error, path, 0, 0);
    return STATUS_CORRUPT;
}

static enum status walk(struct frames *frames, uint64_t from, frame_visit *visit, void *context,
                        struct error *error)
{
    enum status status = frames->writable ? STATUS_OK : frames_refresh(frames, error);
    if (status != STATUS_OK || frames->segment_count == 0)
        return status;
    if (from == 0)
        from = 1;
    /* The visitor may append, and so add segments: the log as it is now is what is walked. */
    const uint32_t count = frames->segment_count;
    const uint64_t last_bytes = frames->segments[count - 1].bytes;
    for (uint32_t index = segment_of(frames, from); index < count; index++) {
        bool last = index + 1 == count;
        uint64_t limit = !last ? frames->segments[index].bytes : frames->writable ? last_bytes : 0;
        struct frames_end end;
        status = frames_scan(frames, index, limit, from, visit, context, &end, error);
        if (status != STATUS_OK || end.stopped)
            return status;
        if (!last)
            status = check_seam(frames, index, &end, error);
        if (status != STATUS_OK)
            return status;
        if (last && !frames->writable) {
            frames->segments[index].bytes = end.bytes;
            frames->last_sequence = end.sequence;
        }
    }
    return STATUS_OK;
}

void frames_release_reading(struct frames *frames)
{
    read_ahead_free(frames->read_ahead);
    frames->read_ahead = NULL;
    if (frames->buffer_bytes > FRAMES_BUFFER_BYTES) {
        free(frames->buffer);
        frames->buffer = NULL;
        frames->buffer_bytes = 0;
    }
}

enum status frames_walk(struct frames *frames, uint64_t from, frame_visit *visit, void *context,
                        struct error *error)
{
    enum status status = walk(frames, from, visit, context, error);
    frames_release_reading(frames);
    return status;
}
