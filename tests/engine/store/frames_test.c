#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "scratch.h"
#include "store/frames.h"

static int fail_fdatasync_errno;
static int fail_write_errno;
static bool refuse_direct; /* a file system that opens with O_DIRECT and does not write with it */
static size_t
    write_bytes_max; /* of one call, when not 0: short writes; with an errno: what still fits */

/* These take libc's place. */
int fdatasync(int fd)
{
    if (fail_fdatasync_errno) {
        errno = fail_fdatasync_errno;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (refuse_direct && (fcntl(fd, F_GETFL) & O_DIRECT)) {
        errno = EINVAL;
        return -1;
    }
    if (fail_write_errno && write_bytes_max == 0) {
        errno = fail_write_errno;
        return -1;
    }
    if (write_bytes_max && parts[0].iov_len > 0) {
        size_t bytes = parts[0].iov_len < write_bytes_max ? parts[0].iov_len : write_bytes_max;
        if (fail_write_errno)
            write_bytes_max -= bytes;
        return pwrite(fd, parts[0].iov_base, bytes, offset);
    }
    return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
}

struct fixture {
    bool aligned;
    char root[SCRATCH_PATH_BYTES];
    char log[SCRATCH_PATH_BYTES];
    struct frames *frames;
    struct error error;
};

/* Each test runs on a packed log and, with this as its first state, on an aligned one, whose segments are made
 * larger as its frames are. */
static int aligned_log;

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->aligned = *state == &aligned_log;
    fail_fdatasync_errno = fail_write_errno = 0;
    write_bytes_max = 0;
    refuse_direct = false;
    scratch_make(f->root);
    scratch_path(f->root, "log", f->log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    frames_close(f->frames);
    (void)umount2(f->root, MNT_DETACH);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static void open_log(struct fixture *f, uint64_t segment_bytes)
{
    frames_close(f->frames);
    f->frames = NULL;
    struct frames_options options = {
        .segment_bytes = f->aligned ? segment_bytes * 64 : segment_bytes, .aligned = f->aligned};
    enum status status = frames_open(f->log, options, &f->frames, NULL, &f->error);
    if (status != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
}

/* Frame n has kind n * 3 and a payload of n % 61 bytes of (char)n. */
static struct slice payload_of(uint64_t n, char buffer[64])
{
    memset(buffer, (char)n, 64);
    return slice_of(buffer, n % 61);
}

static void append(struct fixture *f, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char buffer[64];
        uint64_t sequence = 0, next = frames_last_sequence(f->frames) + 1;
        assert_int_equal(frames_append(f->frames, (uint32_t)next * 3, payload_of(next, buffer),
                                       &sequence, &f->error),
                         STATUS_OK);
        assert_int_equal(sequence, next);
    }
}

struct seen {
    uint64_t first;
    uint64_t last;
    uint64_t count;
    uint64_t stop_at; /* AGAIN here, when not 0 */
};

static enum status see(const struct frame *frame, void *context, struct error *error)
{
    struct seen *seen = context;
    char buffer[64];
    if (seen->count++ == 0)
        seen->first = frame->sequence;
    else if (frame->sequence != seen->last + 1)
        return error_set(error, STATUS_BUG, "a hole");
    seen->last = frame->sequence;
    if (frame->kind != (uint32_t)frame->sequence * 3 ||
        !slice_equal(frame->payload, payload_of(frame->sequence, buffer)))
        return error_set(error, STATUS_BUG, "another frame");
    if ((uintptr_t)frame->payload.data % 8 != 0)
        return error_set(error, STATUS_BUG, "not aligned");
    return seen->last == seen->stop_at ? STATUS_AGAIN : STATUS_OK;
}

static void assert_frames(struct fixture *f, struct frames *frames, uint64_t from, uint64_t first,
                          uint64_t last)
{
    struct seen seen = {0};
    enum status status = frames_walk(frames, from, see, &seen, &f->error);
    if (status != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
    assert_int_equal(seen.count, last + 1 - first);
    assert_int_equal(seen.first, seen.count ? first : 0);
    assert_int_equal(seen.last, seen.count ? last : 0);
}

static void test_frames__new_log_is_empty(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(frames_open_read(f->log, &f->frames, &f->error), STATUS_OK);
    assert_int_equal(frames_last_sequence(f->frames), 0);
    assert_frames(f, f->frames, 0, 1, 0);
    open_log(f, 1000);
    assert_int_equal(frames_last_sequence(f->frames), 0);
    assert_frames(f, f->frames, 0, 1, 0);
}

static void test_frames__come_back_in_order_across_segments(void **state)
{
    struct fixture *f = *state;
    open_log(f, 4096);
    append(f, 1000);
    assert_int_equal(frames_sync(f->frames, &f->error), STATUS_OK);
    assert_frames(f, f->frames, 0, 1, 1000);
    uint64_t bytes = frames_bytes(f->frames);
    open_log(f, 4096);
    assert_int_equal(frames_last_sequence(f->frames), 1000);
    assert_int_equal(frames_bytes(f->frames), bytes);
    append(f, 10);
    assert_frames(f, f->frames, 0, 1, 1010);
    char path[SCRATCH_PATH_BYTES];
    scratch_path(f->log, "00000010.seg", path);
    assert_true(scratch_size(path) >= 4096);
}

static void test_frames__walk_starts_anywhere(void **state)
{
    struct fixture *f = *state;
    open_log(f, 512);
    append(f, 200);
    struct frames *reader;
    assert_int_equal(frames_open_read(f->log, &reader, &f->error), STATUS_OK);
    for (uint64_t from = 1; from <= 201; from++) {
        assert_frames(f, f->frames, from, from, 200);
        assert_frames(f, reader, from, from, 200);
    }
    assert_frames(f, f->frames, 10000, 1, 0);
    assert_frames(f, reader, 10000, 1, 0);
    frames_close(reader);
}

static enum status refuse(const struct frame *frame, void *context, struct error *error)
{
    (void)frame, (void)context;
    return error_set(error, STATUS_RANGE, "no");
}

static void test_frames__visitor_stops_the_walk(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.stop_at = 7};
    open_log(f, 100);
    append(f, 20);
    assert_int_equal(frames_walk(f->frames, 0, see, &seen, &f->error), STATUS_OK);
    assert_int_equal(seen.last, 7);
    assert_int_equal(frames_walk(f->frames, 0, refuse, NULL, &f->error), STATUS_RANGE);
}

static enum status append_while_walking(const struct frame *frame, void *context,
                                        struct error *error)
{
    struct fixture *f = context;
    char buffer[64];
    assert_true(frame->sequence <= 50);
    uint64_t next = frames_last_sequence(f->frames) + 1;
    return frames_append(f->frames, (uint32_t)next * 3, payload_of(next, buffer), NULL, error);
}

static void test_frames__visitor_may_append(void **state)
{
    struct fixture *f = *state;
    open_log(f, 300);
    append(f, 50);
    assert_int_equal(frames_walk(f->frames, 0, append_while_walking, f, &f->error), STATUS_OK);
    assert_frames(f, f->frames, 0, 1, 100);
}

static void test_frames__buffers_are_appended_in_place_and_again(void **state)
{
    struct fixture *f = *state;
    struct frame_buffer buffer;
    assert_int_equal(frame_buffer_init(&buffer, 61, &f->error), STATUS_OK);
    assert_int_equal((uintptr_t)buffer.payload % 8, 0);
    assert_int_equal(buffer.length, 0);
    open_log(f, 1000);
    for (uint64_t n = 1; n <= 150; n++) {
        char text[64];
        uint64_t sequence;
        struct slice payload = payload_of(n, text);
        memset(buffer.payload, 'x', buffer.capacity); /* what was there before is no padding */
        memcpy(buffer.payload, payload.data, payload.length);
        buffer.length = payload.length;
        assert_int_equal(
            frames_append_buffer(f->frames, (uint32_t)n * 3, &buffer, &sequence, &f->error),
            STATUS_OK);
        assert_int_equal(sequence, n);
    }
    frame_buffer_fini(&buffer);
    frame_buffer_fini(&buffer);
    assert_frames(f, f->frames, 0, 1, 150);
    open_log(f, 1000);
    assert_frames(f, f->frames, 0, 1, 150);
}

static void test_frames__buffer_that_did_not_fit_is_appended_again(void **state)
{
    struct fixture *f = *state;
    struct frame_buffer buffer;
    char text[64];
    assert_int_equal(frame_buffer_init(&buffer, 61, &f->error), STATUS_OK);
    open_log(f, 1000);
    append(f, 4);
    memcpy(buffer.payload, payload_of(5, text).data, 5);
    buffer.length = 5;
    fail_write_errno = ENOSPC;
    for (int i = 0; i < 3; i++)
        assert_int_equal(frames_append_buffer(f->frames, 15, &buffer, NULL, &f->error),
                         STATUS_NO_SPACE);
    fail_write_errno = 0;
    assert_int_equal(frames_append_buffer(f->frames, 15, &buffer, NULL, &f->error), STATUS_OK);
    frame_buffer_fini(&buffer);
    append(f, 3);
    assert_frames(f, f->frames, 0, 1, 8);
}

static void test_frames__file_system_that_refuses_direct_writes_is_written_buffered(void **state)
{
    struct fixture *f = *state;
    open_log(f, 500);
    append(f, 3);
    refuse_direct = true;
    append(f, 40);
    open_log(f, 500);
    append(f, 40);
    assert_int_equal(frames_sync(f->frames, &f->error), STATUS_OK);
    assert_frames(f, f->frames, 0, 1, 83);
}

static void test_frames__alignment_changes_with_the_next_segment(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        open_log(f, 300);
        append(f, 30);
        assert_frames(f, f->frames, 0, 1, frames_last_sequence(f->frames));
        f->aligned = !f->aligned;
    }
    struct frames *reader;
    assert_int_equal(frames_open_read(f->log, &reader, &f->error), STATUS_OK);
    assert_frames(f, reader, 0, 1, 120);
    frames_close(reader);
}

static void test_frames__frames_of_an_aligned_log_begin_at_pages(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    open_log(f, 1 << 20);
    append(f, 10);
    scratch_path(f->log, "00000001.seg", path);
    assert_int_equal(scratch_size(path), frames_bytes(f->frames));
    if (f->aligned)
        assert_int_equal(scratch_size(path), 11 * FRAME_ALIGNMENT);
    else
        assert_true(scratch_size(path) < FRAME_ALIGNMENT);
    struct frames_cost cost = frames_cost(f->frames);
    assert_int_equal(cost.bytes, frames_bytes(f->frames));
    assert_int_equal(cost.syncs, 0);
    assert_true(cost.calls >= 10 && cost.calls < 30);
}

struct big {
    size_t length;
    unsigned count;
};

static enum status see_big(const struct frame *frame, void *context, struct error *error)
{
    (void)error;
    struct big *big = context;
    big->count++;
    assert_int_equal(frame->payload.length, big->length);
    assert_int_equal(frame->payload.data[big->length - 1], 'z');
    return STATUS_OK;
}

static void test_frames__largest_frame_passes(void **state)
{
    struct fixture *f = *state;
    struct big big = {.length = FRAME_BYTES_MAX};
    char *data = malloc(big.length);
    memset(data, 'z', big.length);
    open_log(f, FRAMES_SEGMENT_BYTES);
    assert_int_equal(frames_append(f->frames, 1, slice_of(data, big.length), NULL, &f->error),
                     STATUS_OK);
    free(data);
    open_log(f, FRAMES_SEGMENT_BYTES);
    assert_int_equal(frames_walk(f->frames, 0, see_big, &big, &f->error), STATUS_OK);
    assert_int_equal(big.count, 1);
}

static void test_frames__reader_follows_the_writer(void **state)
{
    struct fixture *f = *state;
    struct frames *reader;
    assert_int_equal(frames_open_read(f->log, &reader, &f->error), STATUS_OK);
    open_log(f, 500);
    for (uint64_t i = 1; i <= 60; i++) {
        append(f, 1);
        assert_frames(f, reader, i, i, i);
        assert_int_equal(frames_last_sequence(reader), i);
    }
    assert_int_equal(frames_bytes(reader), frames_bytes(f->frames));
    frames_close(reader);
}

static int append_many(void *context)
{
    struct fixture *f = context;
    fail_write_errno = 0;
    write_bytes_max =
        f->aligned ? 1536 : 13; /* frames grow in many small steps under the reader's eyes */
    for (uint64_t n = 1; n <= 4000; n++) {
        char buffer[64];
        if (frames_append(f->frames, (uint32_t)n * 3, payload_of(n, buffer), NULL, &f->error) !=
            STATUS_OK)
            return 1;
        if (n % 5 == 0 && frames_sync(f->frames, &f->error) != STATUS_OK)
            return 2;
    }
    return 0;
}

static void test_frames__reader_runs_while_another_process_appends(void **state)
{
    struct fixture *f = *state;
    struct frames *reader;
    open_log(f, 2000);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(append_many(f));
    assert_int_equal(frames_open_read(f->log, &reader, &f->error), STATUS_OK);
    uint64_t last = 0;
    int walks = 0, how;
    while (last < 4000) {
        struct seen seen = {0};
        enum status status = frames_walk(reader, walks % 2 ? last + 1 : 0, see, &seen, &f->error);
        if (status != STATUS_OK)
            fail_msg("after %d walks, %s: %s", walks, f->error.file, f->error.text);
        if (seen.count) {
            assert_int_equal(seen.first, walks % 2 ? last + 1 : 1);
            assert_true(seen.last >= last);
            last = seen.last;
        }
        walks++;
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    frames_close(reader);
}

/* Faults. */

static void test_frames__short_writes_are_carried_on(void **state)
{
    struct fixture *f = *state;
    open_log(f, 1000);
    write_bytes_max = f->aligned ? 512 : 5;
    append(f, 100);
    write_bytes_max = 0;
    open_log(f, 1000);
    assert_frames(f, f->frames, 0, 1, 100);
}

static void test_frames__failed_sync_ends_appending(void **state)
{
    static const int errnos[] = {EIO, ENOSPC};
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t sequence;
        open_log(f, 1 << 20);
        append(f, 5);
        fail_fdatasync_errno = errnos[i];
        assert_int_equal(frames_sync(f->frames, &f->error), STATUS_IO);
        assert_int_equal(f->error.status, STATUS_IO);
        fail_fdatasync_errno = 0;
        assert_int_equal(frames_sync(f->frames, &f->error), STATUS_IO);
        assert_int_equal(frames_append(f->frames, 1, SLICE("x"), &sequence, &f->error), STATUS_IO);
        open_log(f, 1 << 20);
        assert_int_equal(frames_sync(f->frames, &f->error), STATUS_OK);
    }
}

static void test_frames__failed_write_ends_appending(void **state)
{
    struct fixture *f = *state;
    open_log(f, 1 << 20);
    append(f, 5);
    fail_write_errno = EIO;
    assert_int_equal(frames_append(f->frames, 1, SLICE("x"), NULL, &f->error), STATUS_IO);
    fail_write_errno = 0;
    assert_int_equal(frames_append(f->frames, 1, SLICE("x"), NULL, &f->error), STATUS_IO);
    open_log(f, 1 << 20);
    assert_frames(f, f->frames, 0, 1, 5);
}

static void test_frames__full_disk_cuts_the_partial_frame(void **state)
{
    struct fixture *f = *state;
    open_log(f, 1 << 20);
    append(f, 100);
    uint64_t bytes = frames_bytes(f->frames);
    /* header, 101 % 61 bytes of payload */
    const size_t frame_bytes = f->aligned ? FRAME_ALIGNMENT : 32 + 40;
    for (size_t fits = 0; fits < frame_bytes; fits += f->aligned ? 97 : 1) {
        char buffer[64];
        uint64_t sequence = 4711;
        fail_write_errno = ENOSPC;
        write_bytes_max = fits;
        assert_int_equal(
            frames_append(f->frames, 303, payload_of(101, buffer), &sequence, &f->error),
            STATUS_NO_SPACE);
        assert_int_equal(sequence, 4711);
        assert_int_equal(frames_bytes(f->frames), bytes);
        char path[SCRATCH_PATH_BYTES];
        scratch_path(f->log, "00000001.seg", path);
        assert_int_equal(scratch_size(path), bytes);
    }
    fail_write_errno = 0;
    write_bytes_max = 0;
    append(f, 1);
    assert_frames(f, f->frames, 0, 1, 101);
}

static void fill(struct fixture *f, uint64_t segment_bytes)
{
    static char data[10000];
    enum status status = STATUS_OK;
    uint64_t count = 0;
    open_log(f, segment_bytes);
    while (status == STATUS_OK) {
        assert_true(count < 100000);
        status = frames_append(f->frames, 1, slice_of(data, sizeof(data)), NULL, &f->error);
        count += status == STATUS_OK;
    }
    assert_int_equal(status, STATUS_NO_SPACE);
    assert_int_equal(frames_last_sequence(f->frames), count);
    assert_int_equal(frames_sync(f->frames, &f->error), STATUS_OK);
    open_log(f, segment_bytes);
    assert_int_equal(frames_last_sequence(f->frames), count);
}

static void test_frames__full_file_system_loses_nothing(void **state)
{
    struct fixture *f = *state;
    static const uint64_t segment_bytes[] = {1 << 20,
                                             1 << 14}; /* in a frame; while making a segment */
    for (size_t i = 0; i < 2; i++) {
        if (!scratch_mount(f->root, 1 << 20))
            skip();
        fill(f, segment_bytes[i]);
        frames_close(f->frames);
        f->frames = NULL;
        assert_int_equal(umount2(f->root, 0), 0);
    }
}

static void test_frames__file_size_limit_counts_as_full_disk(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){123457, before.rlim_max}), 0);
    fill(f, 1 << 20);
    setrlimit(RLIMIT_FSIZE, &before);
}

static void test_frames__unfinished_segment_is_cleared_away(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    open_log(f, 100);
    append(f, 3);
    scratch_path(f->log, "00000003.tmp", path);
    scratch_write(path, "RATEL", 5);
    open_log(f, 100);
    assert_int_equal(access(path, F_OK), -1);
    append(f, 10);
    assert_frames(f, f->frames, 0, 1, 13);
}

static int kill_while_appending(void *context)
{
    struct fixture *f = context;
    append(f, 500);
    raise(SIGKILL);
    return 0;
}

static void test_frames__killed_writer_leaves_its_frames(void **state)
{
    struct fixture *f = *state;
    open_log(f, 3000);
    assert_int_equal(scratch_child(kill_while_appending, f), 128 + SIGKILL);
    open_log(f, 3000);
    assert_frames(f, f->frames, 0, 1, 500);
}

int main(void)
{
#define TEST(name)                                                                                 \
    {#name, name, setup, teardown, NULL},                                                          \
    {                                                                                              \
#name " (aligned)", name, setup, teardown, &aligned_log                                    \
    }
    const struct CMUnitTest tests[] = {
        TEST(test_frames__new_log_is_empty),
        TEST(test_frames__come_back_in_order_across_segments),
        TEST(test_frames__walk_starts_anywhere),
        TEST(test_frames__visitor_stops_the_walk),
        TEST(test_frames__visitor_may_append),
        TEST(test_frames__buffers_are_appended_in_place_and_again),
        TEST(test_frames__buffer_that_did_not_fit_is_appended_again),
        TEST(test_frames__file_system_that_refuses_direct_writes_is_written_buffered),
        TEST(test_frames__alignment_changes_with_the_next_segment),
        TEST(test_frames__frames_of_an_aligned_log_begin_at_pages),
        TEST(test_frames__largest_frame_passes),
        TEST(test_frames__reader_follows_the_writer),
        TEST(test_frames__reader_runs_while_another_process_appends),
        TEST(test_frames__short_writes_are_carried_on),
        TEST(test_frames__failed_sync_ends_appending),
        TEST(test_frames__failed_write_ends_appending),
        TEST(test_frames__full_disk_cuts_the_partial_frame),
        TEST(test_frames__full_file_system_loses_nothing),
        TEST(test_frames__file_size_limit_counts_as_full_disk),
        TEST(test_frames__unfinished_segment_is_cleared_away),
        TEST(test_frames__killed_writer_leaves_its_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
