/* Fuzz target: a frame log whose files were damaged. The input says which frames are written, which
 * of them are synced, and what then happens to one file: some bytes are changed, or its end is
 * lost. Whatever is read afterwards is what was written, in order, and opening for writing either
 * refuses or goes on behind the last whole frame.
 *
 * A damage is at most four neighbouring bytes: CRC32C finds every one of those, so there are no
 * lucky passes.
 *
 * Input: file number (and kind of log), how, offset (2 bytes), four bytes to xor; then frames: length, flags (1: sync
 * behind it), payload. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/store/scratch.h"
#include "store/frames.h"

#define FRAMES_MAX    64
#define DAMAGE_BYTES  8
#define SEGMENT_BYTES 400 /* several segments from few frames */

/* The uppermost bit of the file number says which kind of log. */
static struct frames_options options;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct written {
    struct slice payloads[FRAMES_MAX + 1];
    uint32_t count;
    uint32_t synced;
    uint32_t read; /* next expected, in a walk */
};

static void check(enum status status, const struct error *error)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "status %d: %s\n", (int)status, error->text);
    abort();
}

static void write_frames(const char *directory, const uint8_t *data, size_t size,
                         struct written *ret)
{
    struct frames *frames;
    struct error error;
    check(frames_open(directory, options, &frames, NULL, &error), &error);
    for (size_t at = 0; at + 2 <= size && ret->count < FRAMES_MAX;) {
        size_t length = data[at] < size - at - 2 ? data[at] : size - at - 2;
        uint8_t flags = data[at + 1];
        struct slice payload = slice_of((const char *)data + at + 2, length);
        uint64_t sequence;
        check(frames_append(frames, 7, payload, &sequence, &error), &error);
        ret->payloads[ret->count++] = payload;
        assert(sequence == ret->count);
        if (flags & 1) {
            check(frames_sync(frames, &error), &error);
            ret->synced = ret->count;
        }
        at += 2 + length;
    }
    frames_close(frames);
}

/* Changes or cuts one of the segments. Returns false where nothing was done. */
static bool damage(const char *directory, const uint8_t how[DAMAGE_BYTES])
{
    char path[SCRATCH_PATH_BYTES + 32];
    snprintf(path, sizeof(path), "%s/%08u.seg", directory, 1u + how[0] % 4);
    struct stat facts;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &facts) != 0)
        return false;
    off_t offset = (how[2] | how[3] << 8) % (facts.st_size + 1);
    bool done = false;
    if (how[1] % 4 == 0) {
        done = ftruncate(fd, offset) == 0;
    } else if (how[1] % 4 < 3) {
        uint8_t bytes[4];
        ssize_t there = pread(fd, bytes, sizeof(bytes), offset);
        for (ssize_t i = 0; i < there; i++)
            bytes[i] ^= how[4 + i];
        done = there > 0 && pwrite(fd, bytes, (size_t)there, offset) == there;
    }
    close(fd);
    return done;
}

static enum status visit(const struct frame *frame, void *context, struct error *error)
{
    (void)error;
    struct written *written = context;
    assert(frame->sequence == ++written->read);
    assert(written->read <= written->count && frame->kind == 7);
    assert((uintptr_t)frame->payload.data % 8 == 0);
    assert(slice_equal(frame->payload, written->payloads[written->read - 1]));
    return STATUS_OK;
}

static void check_reading(const char *directory, struct written *written, bool damaged)
{
    struct frames *frames;
    struct error error = {0};
    written->read = 0;
    enum status status = frames_open_read(directory, &frames, &error);
    if (status == STATUS_OK) {
        status = frames_walk(frames, 1, visit, written, &error);
        frames_close(frames);
    }
    assert(status == STATUS_OK || (damaged && error.text[0]));
    assert(damaged || written->read == written->count);
}

static void check_writing(const char *directory, struct written *written, bool damaged)
{
    struct frames *frames;
    struct error error = {0};
    uint64_t cut = 0, sequence;
    enum status status = frames_open(directory, options, &frames, &cut, &error);
    if (status != STATUS_OK) {
        assert(damaged && error.text[0]);
        return;
    }
    uint64_t last = frames_last_sequence(frames);
    assert(last <= written->count && (damaged || (last == written->count && cut == 0)));
    check(frames_append(frames, 7, SLICE("appended"), &sequence, &error), &error);
    assert(sequence == last + 1);
    check(frames_sync(frames, &error), &error);
    written->count = (uint32_t)sequence;
    written->payloads[last] = SLICE("appended");
    written->read = 0;
    status = frames_walk(frames, 1, visit, written, &error);
    assert(status == STATUS_OK ? written->read == sequence : damaged);
    frames_close(frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < DAMAGE_BYTES)
        return 0;
    char root[SCRATCH_PATH_BYTES], directory[SCRATCH_PATH_BYTES];
    struct written written = {.count = 0};
    options.aligned = data[0] >> 7;
    options.segment_bytes = options.aligned ? SEGMENT_BYTES * 32 : SEGMENT_BYTES;
    scratch_make(root);
    scratch_path(root, "log", directory);
    write_frames(directory, data + DAMAGE_BYTES, size - DAMAGE_BYTES, &written);
    bool damaged = damage(directory, data);
    check_reading(directory, &written, damaged);
    check_writing(directory, &written, damaged);
    scratch_remove(root);
    return 0;
}
