/* Long aligned logs, which a thread reads ahead of the visitor: the same frames as a plain read of the
 * file finds, whatever their sizes, whether they are in the page cache, and wherever a walk begins. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/syscall.h>

#include "base/hash.h"
#include "scratch.h"
#include "store/frames.h"
#include "store/read_ahead.h"
#include "store/segment.h"

#define MIB        ((size_t)1 << 20)
#define FRAMES_MAX 4000

static int fail_reads_behind; /* offset in MiB from which O_DIRECT reads fail with EIO; 0: none */
static unsigned direct_reads, buffered_reads;

/* Takes libc's place, on the reading thread, too. */
ssize_t pread(int fd, void *data, size_t length, off_t offset)
{
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    __atomic_fetch_add(direct ? &direct_reads : &buffered_reads, 1, __ATOMIC_RELAXED);
    if (fail_reads_behind && offset + (off_t)length > (off_t)((size_t)fail_reads_behind * MIB)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, data, length, offset);
}

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    char log[SCRATCH_PATH_BYTES];
    char path[SCRATCH_PATH_BYTES]; /* of the first segment */
    struct frames *frames;
    struct error error;
    uint32_t crcs[FRAMES_MAX + 1];
    uint32_t lengths[FRAMES_MAX + 1];
    uint64_t offsets[FRAMES_MAX + 1]; /* in the first segment */
    uint64_t count;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fail_reads_behind = 0;
    scratch_make(f->root);
    scratch_path(f->root, "log", f->log);
    scratch_path(f->log, "00000001.seg", f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    frames_close(f->frames);
    scratch_remove(f->root);
    free(f);
    return 0;
}

/* Appends frames of random sizes up to `most` until there are `bytes` more. */
static void write_log(struct fixture *f, size_t most, size_t bytes, uint64_t segment_bytes)
{
    const struct frames_options options = {.segment_bytes = segment_bytes, .aligned = true};
    struct frame_buffer buffer;
    uint64_t random = most + bytes;
    assert_int_equal(frame_buffer_init(&buffer, most, &f->error), STATUS_OK);
    assert_int_equal(frames_open(f->log, options, &f->frames, NULL, &f->error), STATUS_OK);
    uint64_t end = frames_bytes(f->frames) + bytes;
    while (frames_bytes(f->frames) < end) {
        assert_true(f->count < FRAMES_MAX);
        buffer.length = scratch_random(&random) % (most + 1);
        for (size_t i = 0; i + 8 <= buffer.length; i += 8 + i / 64 * 8) {
            uint64_t word = scratch_random(&random);
            memcpy(buffer.payload + i, &word, sizeof(word));
        }
        f->offsets[++f->count] = frames_bytes(f->frames);
        f->lengths[f->count] = (uint32_t)buffer.length;
        f->crcs[f->count] = crc32c_portable(0, buffer.payload, buffer.length);
        assert_int_equal(frames_append_buffer(f->frames, 5, &buffer, NULL, &f->error), STATUS_OK);
    }
    assert_int_equal(frames_sync(f->frames, &f->error), STATUS_OK);
    frame_buffer_fini(&buffer);
}

struct seen {
    struct fixture *f;
    uint64_t next;
    uint64_t stop_at;
};

static enum status see(const struct frame *frame, void *context, struct error *error)
{
    struct seen *seen = context;
    if (frame->sequence != seen->next || frame->kind != 5 ||
        frame->payload.length != seen->f->lengths[frame->sequence] ||
        crc32c_portable(0, frame->payload.data, frame->payload.length) !=
            seen->f->crcs[frame->sequence] ||
        (uintptr_t)frame->payload.data % 8 != 0)
        return error_set(error, STATUS_BUG, "another frame");
    seen->next++;
    return frame->sequence == seen->stop_at ? STATUS_AGAIN : STATUS_OK;
}

static void assert_walk(struct fixture *f, uint64_t from, uint64_t to)
{
    struct seen seen = {.f = f, .next = from, .stop_at = to < f->count ? to : 0};
    enum status status = frames_walk(f->frames, from, see, &seen, &f->error);
    if (status != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
    assert_int_equal(seen.next, to + 1);
}

/* What is buffered is read from the cache afterwards, what is not around it. */
static void cache(struct fixture *f, bool wanted)
{
    int fd = open(f->path, O_RDONLY);
    if (wanted) {
        static char block[1 << 16];
        while (read(fd, block, sizeof(block)) > 0)
            continue;
    } else {
        assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    }
    close(fd);
}

static void test_frames_ahead__frames_of_all_sizes_come_back(void **state)
{
    static const size_t most[] = {10000, 1500000, 5 * MIB, 13 * MIB};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++) {
        write_log(f, most[i], 24 * MIB, (uint64_t)1 << 30);
        for (int cached = 0; cached < 2; cached++) {
            cache(f, cached != 0);
            assert_walk(f, 1, f->count);
        }
        frames_close(f->frames);
        assert_int_equal(frames_open_read(f->log, &f->frames, &f->error), STATUS_OK);
        assert_walk(f, 1, f->count);
        frames_close(f->frames);
        f->frames = NULL;
    }
}

static void test_frames_ahead__walks_begin_and_end_anywhere_across_segments(void **state)
{
    struct fixture *f = *state;
    write_log(f, 600000, 44 * MIB, 12 * MIB);
    for (uint64_t from = 1; from <= f->count; from += 7) {
        uint64_t to = from + from % 50;
        assert_walk(f, from, to < f->count ? to : f->count);
    }
    assert_walk(f, 1, f->count);
}

static void test_frames_ahead__the_page_cache_is_used_or_left_alone(void **state)
{
    struct fixture *f = *state;
    write_log(f, 600000, 40 * MIB, (uint64_t)1 << 30);
    int fd = open(f->path, O_RDONLY | O_DIRECT);
    if (fd < 0)
        skip();
    close(fd);
    cache(f, true);
    direct_reads = 0;
    assert_walk(f, 1, f->count);
    assert_int_equal(direct_reads, 0);
    cache(f, false);
    direct_reads = 0;
    assert_walk(f, 1, f->count);
    /* A file system in memory has no other place. */
    assert_true(direct_reads == 0 || direct_reads >= 40 * MIB / READ_AHEAD_BLOCK_BYTES);
}

static void test_frames_ahead__damage_is_found_where_it_is(void **state)
{
    struct fixture *f = *state;
    char place[40];
    write_log(f, 700000, 30 * MIB, (uint64_t)1 << 30);
    for (uint64_t n = 1; n < f->count; n += 9) {
        struct seen seen = {.f = f, .next = 1};
        scratch_flip(f->path, f->offsets[n] + 40, 4);
        if (f->lengths[n] > 8) {
            assert_int_equal(frames_walk(f->frames, 1, see, &seen, &f->error), STATUS_CORRUPT);
            assert_int_equal(seen.next, n);
            snprintf(place, sizeof(place), "byte %llu:", (unsigned long long)f->offsets[n]);
            assert_non_null(strstr(f->error.text, place));
        }
        scratch_flip(f->path, f->offsets[n] + 40, 4);
    }
    assert_walk(f, 1, f->count);
}

static void test_frames_ahead__torn_tail_is_cut(void **state)
{
    struct fixture *f = *state;
    write_log(f, 700000, 30 * MIB, (uint64_t)1 << 30);
    const struct frames_options options = {.segment_bytes = (uint64_t)1 << 30, .aligned = true};
    for (uint64_t last = f->count; last > f->count - 12; last--) {
        uint64_t cut;
        frames_close(f->frames);
        f->frames = NULL;
        assert_int_equal(truncate(f->path, (off_t)f->offsets[last] + 32 + (off_t)last * 97 % 4000),
                         0);
        assert_int_equal(frames_open(f->log, options, &f->frames, &cut, &f->error), STATUS_OK);
        assert_int_equal(frames_last_sequence(f->frames), last - 1);
        assert_int_equal(scratch_size(f->path), f->offsets[last]);
        assert_true(cut > 0);
        f->count = last - 1;
        assert_walk(f, 1, f->count);
    }
}

static void test_frames_ahead__read_errors_are_told(void **state)
{
    struct fixture *f = *state;
    write_log(f, 700000, 30 * MIB, (uint64_t)1 << 30);
    for (int behind = 1; behind < 30; behind += 4) {
        struct seen seen = {.f = f, .next = 1};
        fail_reads_behind = behind;
        assert_int_equal(frames_walk(f->frames, 1, see, &seen, &f->error), STATUS_IO);
        assert_string_equal(f->error.file, f->path);
        assert_true(seen.next == 1 || f->offsets[seen.next - 1] < (size_t)behind * MIB);
    }
    fail_reads_behind = 0;
    assert_walk(f, 1, f->count);
}

static enum status append_meanwhile(const struct frame *frame, void *context, struct error *error)
{
    struct fixture *f = context;
    assert_true(frame->sequence <= f->count);
    return frames_append(f->frames, 5, SLICE("behind"), NULL, error);
}

static void test_frames_ahead__visitor_may_append(void **state)
{
    struct fixture *f = *state;
    write_log(f, 700000, 24 * MIB, 20 * MIB);
    assert_int_equal(frames_walk(f->frames, 1, append_meanwhile, f, &f->error), STATUS_OK);
    assert_int_equal(frames_last_sequence(f->frames), 2 * f->count);
    struct seen seen = {.f = f, .next = 1, .stop_at = f->count};
    assert_int_equal(frames_walk(f->frames, 1, see, &seen, &f->error), STATUS_OK);
    assert_int_equal(seen.next, f->count + 1);
}

static int append_more(void *context)
{
    struct fixture *f = context;
    for (int i = 0; i < 40; i++) {
        write_log(f, 700000, 1 * MIB, (uint64_t)1 << 30);
        frames_close(f->frames);
    }
    return 0;
}

/* The child's frames are those that write_log gives here, too. */
static void test_frames_ahead__reader_runs_beside_a_writer(void **state)
{
    struct fixture *f = *state;
    struct frames *reader;
    write_log(f, 700000, 12 * MIB, (uint64_t)1 << 30);
    frames_close(f->frames);
    f->frames = NULL;
    uint64_t before = f->count, last = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(append_more(f));
    int how = -1;
    assert_int_equal(frames_open_read(f->log, &reader, &f->error), STATUS_OK);
    while (waitpid(child, &how, WNOHANG) == 0) {
        struct seen seen = {.f = f, .next = 1, .stop_at = before};
        enum status status = frames_walk(reader, 1, see, &seen, &f->error);
        if (status != STATUS_OK)
            fail_msg("%s: %s", f->error.file, f->error.text);
        assert_int_equal(seen.next, before + 1);
        struct seen end = {.f = f, .next = UINT64_MAX};
        assert_int_equal(frames_walk(reader, UINT64_MAX, see, &end, &f->error), STATUS_OK);
        assert_true(frames_last_sequence(reader) >= last);
        last = frames_last_sequence(reader);
    }
    assert_int_equal(how, 0);
    frames_close(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_frames_ahead__frames_of_all_sizes_come_back),
        TEST(test_frames_ahead__walks_begin_and_end_anywhere_across_segments),
        TEST(test_frames_ahead__the_page_cache_is_used_or_left_alone),
        TEST(test_frames_ahead__damage_is_found_where_it_is),
        TEST(test_frames_ahead__torn_tail_is_cut),
        TEST(test_frames_ahead__read_errors_are_told),
        TEST(test_frames_ahead__visitor_may_append),
        TEST(test_frames_ahead__reader_runs_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
