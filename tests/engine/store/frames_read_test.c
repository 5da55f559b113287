/* Damage and torn tails: exactly the whole frames remain, or CORRUPT with its place; never silently
 * wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "scratch.h"
#include "store/frames.h"
#include "store/segment.h"

#define FRAMES 14

/* Takes libc's place: the chance to let a writer go on between two looks at a file. */
static void (*after_fstat)(void *context);
static void *after_fstat_context;

int fstat(int fd, struct stat *info)
{
    int result = fstatat(fd, "", info, AT_EMPTY_PATH);
    if (after_fstat)
        after_fstat(after_fstat_context);
    return result;
}

struct fixture {
    bool aligned;
    size_t step; /* of tests that take every byte: more where most are padding */
    char root[SCRATCH_PATH_BYTES];
    char log[SCRATCH_PATH_BYTES];
    struct frames *frames;
    struct error error;
};

static const char *text_of(uint64_t n)
{
    static char text[64];
    snprintf(text, sizeof(text), "frame %llu %.*s", (unsigned long long)n, (int)(n % 9),
             "abcdefghi");
    return text;
}

static struct frames_options options_of(const struct fixture *f, uint64_t segment_bytes)
{
    return (struct frames_options){.segment_bytes = f->aligned ? segment_bytes * 80 : segment_bytes,
                                   .aligned = f->aligned};
}

static void write_log(struct fixture *f, uint64_t count, uint64_t segment_bytes, bool sync_each)
{
    assert_int_equal(frames_open(f->log, options_of(f, segment_bytes), &f->frames, NULL, &f->error),
                     STATUS_OK);
    for (uint64_t n = frames_last_sequence(f->frames) + 1; n <= count; n++) {
        assert_int_equal(frames_append(f->frames, 7, slice_string(text_of(n)), NULL, &f->error),
                         STATUS_OK);
        if (sync_each)
            assert_int_equal(frames_sync(f->frames, &f->error), STATUS_OK);
    }
    frames_close(f->frames);
    f->frames = NULL;
}

/* As in frames_test.c. */
static int aligned_log;

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->aligned = *state == &aligned_log;
    f->step = f->aligned ? 149 : 1;
    scratch_make(f->root);
    scratch_path(f->root, "log", f->log);
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

static enum status see(const struct frame *frame, void *context, struct error *error)
{
    uint64_t *last = context;
    if (frame->sequence != *last + 1 || frame->kind != 7 ||
        !slice_is(frame->payload, text_of(frame->sequence)))
        return error_set(error, STATUS_BUG, "silently wrong");
    *last = frame->sequence;
    return STATUS_OK;
}

enum way { READING, WRITING };

/* Opens, walks all; *ret_last is how far the frames were right. */
static enum status read_log(struct fixture *f, enum way way, uint64_t *ret_last, uint64_t *ret_cut)
{
    *ret_last = *ret_cut = 0;
    enum status status = way == READING ? frames_open_read(f->log, &f->frames, &f->error)
                                        : frames_open(f->log, options_of(f, 1 << 20), &f->frames,
                                                      ret_cut, &f->error);
    if (status != STATUS_OK)
        return status;
    status = frames_walk(f->frames, 0, see, ret_last, &f->error);
    if (status == STATUS_OK)
        assert_int_equal(frames_last_sequence(f->frames), *ret_last);
    frames_close(f->frames);
    f->frames = NULL;
    assert_int_not_equal(status, STATUS_BUG);
    return status;
}

static void segment_file(struct fixture *f, unsigned number, char path[SCRATCH_PATH_BYTES])
{
    char name[32];
    snprintf(name, sizeof(name), "%08u.seg", number);
    scratch_path(f->log, name, path);
}

/* Where frames start in the file, and its length behind the last: at most FRAMES + 1 numbers. */
static size_t frame_starts(const char *path, size_t starts[FRAMES + 1], uint64_t *ret_first)
{
    size_t length, count = 0;
    char *content = scratch_read(path, &length);
    struct segment segment;
    struct frame_header header;
    assert_int_equal(segment_decode(content, &segment, NULL), STATUS_OK);
    size_t at = segment_start(segment.alignment);
    for (; at < length; at += frame_bytes(header.length, segment.alignment)) {
        assert_true(frame_decode(content + at, segment_seed(&segment), &header));
        starts[count++] = at;
    }
    assert_int_equal(at, length);
    starts[count] = length;
    free(content);
    *ret_first = segment.first_sequence;
    return count;
}

static void test_frames_read__cut_anywhere_leaves_exactly_the_whole_frames(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    size_t starts[FRAMES + 1], length;
    uint64_t first, last, cut;
    write_log(f, FRAMES, 300, true);
    segment_file(f, 3, path);
    size_t count = frame_starts(path, starts, &first);
    assert_true(count >= 2);
    char *content = scratch_read(path, &length);
    for (size_t bytes = 0; bytes <= length; bytes += bytes + 64 < length ? f->step : 1) {
        size_t whole = 0;
        while (whole < count && starts[whole + 1] <= bytes)
            whole++;
        for (int way = READING; way <= WRITING; way++) {
            scratch_write(path, content, bytes);
            enum status status = read_log(f, (enum way)way, &last, &cut);
            if (bytes < starts[0]) { /* made whole before it got its name: no crash does this */
                assert_int_equal(status, STATUS_CORRUPT);
                continue;
            }
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(last, first + whole - 1);
            if (way == READING)
                continue;
            assert_int_equal(cut, bytes - starts[whole]);
            assert_int_equal(scratch_size(path), starts[whole]);
            write_log(f, FRAMES, 1 << 20, true); /* goes on where it was cut */
            assert_int_equal(read_log(f, READING, &last, &cut), STATUS_OK);
            assert_int_equal(last, FRAMES);
        }
    }
    free(content);
}

static void test_frames_read__any_flipped_byte_is_found(void **state)
{
    struct fixture *f = *state;
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    size_t starts[FRAMES + 1];
    uint64_t first, last, cut;
    write_log(f, FRAMES, 300, true);
    for (unsigned number = 1; number <= 3; number++) {
        char path[SCRATCH_PATH_BYTES];
        segment_file(f, number, path);
        size_t count = frame_starts(path, starts, &first), length;
        char *content = scratch_read(path, &length);
        for (size_t i = 0; i < length * 3; i += (i / 3 + 1) % 4096 < 160 ? 1 : f->step) {
            size_t offset = i / 3;
            bool in_last_frame = number == 3 && offset >= starts[count - 1];
            for (int way = READING; way <= WRITING; way++) {
                scratch_flip(path, offset, masks[i % 3]);
                enum status status = read_log(f, (enum way)way, &last, &cut);
                if (in_last_frame) {
                    assert_int_equal(status, STATUS_OK);
                    assert_int_equal(last, FRAMES - 1);
                } else {
                    assert_int_equal(status, STATUS_CORRUPT);
                    assert_true(last < first + count); /* and what came before was right */
                    assert_string_equal(f->error.file, path);
                }
                scratch_write(path, content, length);
            }
        }
        free(content);
    }
    assert_int_equal(read_log(f, READING, &last, &cut), STATUS_OK);
    assert_int_equal(last, FRAMES);
}

static void test_frames_read__damage_names_the_offset(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES], text[32];
    size_t starts[FRAMES + 1];
    uint64_t first, last, cut;
    write_log(f, FRAMES, 1 << 20, true);
    segment_file(f, 1, path);
    (void)frame_starts(path, starts, &first);
    scratch_flip(path, starts[4] + 40, 1);
    assert_int_equal(read_log(f, WRITING, &last, &cut), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "byte %zu", starts[4]);
    assert_non_null(strstr(f->error.text, text));
    assert_string_equal(f->error.file, path);
}

/* Appended, not synced, power cut: pages reach the disk in any order. Nobody was told of these
 * frames, so no person is needed. */
static void test_frames_read__hole_in_never_synced_frames_is_a_torn_tail(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES], zeros[40] = {0};
    size_t starts[FRAMES + 1], length;
    uint64_t first, last, cut;
    write_log(f, 5, 1 << 20, true);
    write_log(f, FRAMES, 1 << 20, false);
    segment_file(f, 1, path);
    (void)frame_starts(path, starts, &first);
    char *content = scratch_read(path, &length);
    for (uint64_t lost = 4; lost < FRAMES; lost++) {
        scratch_write(path, content, length);
        int fd = open(path, O_WRONLY);
        assert_int_equal(pwrite(fd, zeros, sizeof(zeros), (off_t)starts[lost]), sizeof(zeros));
        close(fd);
        enum status status = read_log(f, WRITING, &last, &cut);
        if (lost < 5) { /* frame 5 had been synced, and frame 6 says so */
            assert_int_equal(status, STATUS_CORRUPT);
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(last, lost);
        assert_int_equal(cut, length - starts[lost]);
    }
    free(content);
}

/* Raw bytes from outside, made to look like a later frame, inside a frame that is torn. */
static void test_frames_read__payload_cannot_pose_as_a_witness(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES], forged[400] = {0};
    uint64_t last, cut;
    struct frame_header header = {.length = 0, .kind = 7, .sequence = 9};
    for (size_t i = 0; i + FRAME_HEADER_BYTES <= sizeof(forged); i += FRAME_HEADER_BYTES)
        frame_encode(&header, 0, forged + i);
    write_log(f, 3, 1 << 20, true);
    assert_int_equal(frames_open(f->log, options_of(f, 1 << 20), &f->frames, NULL, &f->error),
                     STATUS_OK);
    assert_int_equal(frames_append(f->frames, 7, slice_of(forged, sizeof(forged)), NULL, &f->error),
                     STATUS_OK);
    frames_close(f->frames);
    f->frames = NULL;
    segment_file(f, 1, path);
    assert_int_equal(truncate(path, (off_t)scratch_size(path) - 1), 0);
    assert_int_equal(read_log(f, WRITING, &last, &cut), STATUS_OK);
    assert_int_equal(last, 3);
}

static void test_frames_read__missing_segments_are_corrupt(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES], hidden[SCRATCH_PATH_BYTES];
    uint64_t last, cut;
    write_log(f, FRAMES, 300, true);
    scratch_path(f->root, "hidden", hidden);
    for (unsigned number = 1; number <= 2; number++) {
        segment_file(f, number, path);
        assert_int_equal(rename(path, hidden), 0);
        for (int way = READING; way <= WRITING; way++) {
            assert_int_equal(read_log(f, (enum way)way, &last, &cut), STATUS_CORRUPT);
            assert_string_equal(f->error.file, path);
        }
        assert_int_equal(rename(hidden, path), 0);
    }
}

static void test_frames_read__sealed_segment_of_another_size_is_corrupt(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    size_t starts[FRAMES + 1], length;
    uint64_t first, last, cut;
    write_log(f, FRAMES, 300, true);
    segment_file(f, 2, path);
    size_t count = frame_starts(path, starts, &first);
    char *content = scratch_read(path, &length);
    for (int shape = 0; shape < 2; shape++) {
        scratch_write(path, content, length);
        assert_int_equal(truncate(path, (off_t)(shape ? length + 8 : starts[count - 1])), 0);
        for (int way = READING; way <= WRITING; way++)
            assert_int_equal(read_log(f, (enum way)way, &last, &cut), STATUS_CORRUPT);
    }
    free(content);
}

static void test_frames_read__swapped_segments_are_corrupt(void **state)
{
    struct fixture *f = *state;
    char one[SCRATCH_PATH_BYTES], two[SCRATCH_PATH_BYTES], other[SCRATCH_PATH_BYTES];
    uint64_t last, cut;
    write_log(f, FRAMES, 300, true);
    segment_file(f, 1, one);
    segment_file(f, 2, two);
    scratch_path(f->root, "other", other);
    assert_int_equal(rename(one, other), 0);
    assert_int_equal(rename(two, one), 0);
    assert_int_equal(rename(other, two), 0);
    assert_int_equal(read_log(f, WRITING, &last, &cut), STATUS_CORRUPT);
}

static void test_frames_read__unknown_version_is_refused_with_its_writer(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    size_t length;
    uint64_t last, cut;
    write_log(f, 3, 1 << 20, true);
    segment_file(f, 1, path);
    char *content = scratch_read(path, &length);
    content[8] = 99;
    memcpy(content + 48, "7.8.9\0", 6);
    uint32_t crc = crc32c(0, content, 60);
    memcpy(content + 60, &crc, 4);
    scratch_write(path, content, length);
    free(content);
    for (int way = READING; way <= WRITING; way++) {
        assert_int_equal(read_log(f, (enum way)way, &last, &cut), STATUS_VERSION);
        assert_non_null(strstr(f->error.text, "99"));
        assert_non_null(strstr(f->error.text, "7.8.9"));
        assert_non_null(strstr(f->error.text, "knows format 2"));
    }
}

struct late_writer {
    struct fixture *f;
    char first[SCRATCH_PATH_BYTES];
    char second[SCRATCH_PATH_BYTES];
    char hidden[SCRATCH_PATH_BYTES];
    char *content;
    size_t length;
    int looks_left;
};

static void finish_append_and_seal(void *context)
{
    struct late_writer *writer = context;
    if (writer->looks_left-- != 0)
        return;
    after_fstat = NULL;
    int fd = open(writer->first, O_WRONLY);
    assert_int_equal(pwrite(fd, writer->content, writer->length, 0), writer->length);
    close(fd);
    assert_int_equal(rename(writer->hidden, writer->second), 0);
}

/* The reader measures the last segment in the middle of an append; before it reads, the append ends
 * and the segment is sealed. */
static void test_frames_read__append_that_ends_meanwhile_is_no_damage(void **state)
{
    struct fixture *f = *state;
    struct late_writer writer = {.f = f};
    write_log(f, FRAMES, 300, true);
    segment_file(f, 1, writer.first);
    segment_file(f, 2, writer.second);
    scratch_path(f->root, "hidden", writer.hidden);
    writer.content = scratch_read(writer.first, &writer.length);
    char third[SCRATCH_PATH_BYTES];
    segment_file(f, 3, third);
    assert_int_equal(unlink(third), 0);
    for (int looks = 0; looks < 2; looks++) {
        uint64_t last = 0;
        assert_int_equal(rename(writer.second, writer.hidden), 0);
        assert_int_equal(truncate(writer.first, (off_t)writer.length - 20), 0);
        writer.looks_left = looks; /* while it reads the header; while it reads the frames */
        after_fstat_context = &writer;
        after_fstat = finish_append_and_seal;
        enum status status = frames_open_read(f->log, &f->frames, &f->error);
        if (status == STATUS_OK)
            status = frames_walk(f->frames, 0, see, &last, &f->error);
        if (status != STATUS_OK)
            fail_msg("%d: %s: %s", looks, f->error.file, f->error.text);
        assert_null(after_fstat);
        assert_true(last > 7);
        frames_close(f->frames);
        f->frames = NULL;
    }
    free(writer.content);
}

static void test_frames_read__reader_leaves_the_torn_tail_alone(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    uint64_t last, cut;
    write_log(f, 3, 1 << 20, true);
    segment_file(f, 1, path);
    size_t bytes = scratch_size(path) - 3;
    assert_int_equal(truncate(path, (off_t)bytes), 0);
    assert_int_equal(read_log(f, READING, &last, &cut), STATUS_OK);
    assert_int_equal(last, 2);
    assert_int_equal(scratch_size(path), bytes);
}

int main(void)
{
#define TEST(name)                                                                                 \
    {#name, name, setup, teardown, NULL},                                                          \
    {                                                                                              \
#name " (aligned)", name, setup, teardown, &aligned_log                                    \
    }
    const struct CMUnitTest tests[] = {
        TEST(test_frames_read__cut_anywhere_leaves_exactly_the_whole_frames),
        TEST(test_frames_read__any_flipped_byte_is_found),
        TEST(test_frames_read__damage_names_the_offset),
        TEST(test_frames_read__hole_in_never_synced_frames_is_a_torn_tail),
        TEST(test_frames_read__payload_cannot_pose_as_a_witness),
        TEST(test_frames_read__missing_segments_are_corrupt),
        TEST(test_frames_read__sealed_segment_of_another_size_is_corrupt),
        TEST(test_frames_read__swapped_segments_are_corrupt),
        TEST(test_frames_read__unknown_version_is_refused_with_its_writer),
        TEST(test_frames_read__append_that_ends_meanwhile_is_no_damage),
        TEST(test_frames_read__reader_leaves_the_torn_tail_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
