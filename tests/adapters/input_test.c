#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "adapters/adapter.h"

#define CONTENT_BYTES 1000000

static char directory[64];
static char path[128];
static char content[CONTENT_BYTES]; /* half noise, half text */

static int set_up(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof(content); i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        content[i] = i % 2000 < 1000 ? (char)(random >> 56) : (char)('a' + i % 7);
    }
    strcpy(directory, "/tmp/ratel-input-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/file", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const void *data, size_t length, bool append)
{
    FILE *file = fopen(path, append ? "ab" : "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static size_t gzip(const char *data, size_t length, unsigned char *out, size_t capacity)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_in = (unsigned char *)data;
    stream.avail_in = (unsigned)length;
    stream.next_out = out;
    stream.avail_out = (unsigned)capacity;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return capacity - stream.avail_out;
}

/* Reads all of `name` in steps of `step` bytes and compares it with the content over and over.
 * Returns the status that ended it, and how much came. */
static enum status read_all(const char *name, size_t step, size_t *ret_total, struct error *error)
{
    struct input *input;
    char *buffer = malloc(step);
    size_t total = 0;
    enum status status = input_open(name, &input, error);
    assert_int_equal(status, STATUS_OK);
    for (;;) {
        size_t length = SIZE_MAX;
        status = input_read(input, buffer, step, &length, error);
        if (status || length == 0)
            break;
        assert_true(length <= step);
        for (size_t i = 0; i < length; i++)
            if (buffer[i] != content[(total + i) % CONTENT_BYTES])
                fail_msg("byte %zu differs", total + i);
        total += length;
    }
    /* The end stays the end, an error stays an error. */
    size_t length;
    assert_int_equal(input_read(input, buffer, step, &length, error), status);
    assert_int_equal(length, 0);
    if (strcmp(name, "-") != 0) {
        struct stat about;
        assert_int_equal(stat(name, &about), 0);
        assert_int_equal(input_size(input), about.st_size);
        assert_int_equal(input_position(input), about.st_size);
    }
    input_close(input);
    free(buffer);
    *ret_total = total;
    return status;
}

static void assert_reads(size_t expected)
{
    static const size_t steps[] = {1 << 20, 4096, 777};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        size_t total;
        struct error error = {0};
        assert_int_equal(read_all(path, steps[i], &total, &error), STATUS_OK);
        assert_int_equal(total, expected);
    }
}

static void test_input__plain_files_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 4, 5, 300000, CONTENT_BYTES};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(content, sizes[i], false);
        assert_reads(sizes[i]);
    }
}

static void test_input__gzip_members_in_a_row_are_one_stream(void **state)
{
    (void)state;
    static unsigned char packed[2 * CONTENT_BYTES];
    static const char zeros[600000];
    size_t length = gzip(content, CONTENT_BYTES, packed, sizeof(packed));
    write_file(packed, length, false);
    assert_reads(CONTENT_BYTES);
    write_file(packed, length, true);
    assert_reads(2 * CONTENT_BYTES);
    unsigned char empty[100];
    write_file(empty, gzip("", 0, empty, sizeof(empty)), true);
    write_file(zeros, sizeof(zeros), true); /* padding */
    assert_reads(2 * CONTENT_BYTES);
}

static void test_input__zstd_frames_in_a_row_are_one_stream(void **state)
{
    (void)state;
    static unsigned char packed[2 * CONTENT_BYTES];
    static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    size_t length = ZSTD_compress(packed, sizeof(packed), content, CONTENT_BYTES, 3);
    assert_false(ZSTD_isError(length));
    write_file(packed, length, false);
    assert_reads(CONTENT_BYTES);
    write_file(packed, length, true);
    assert_reads(2 * CONTENT_BYTES);
    write_file(skippable, sizeof(skippable), false);
    write_file(packed, length, true);
    assert_reads(CONTENT_BYTES);
}

static void assert_damaged(size_t good_least)
{
    static const size_t steps[] = {1 << 20, 777};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        size_t total;
        struct error error = {0};
        assert_int_equal(read_all(path, steps[i], &total, &error), STATUS_CORRUPT);
        assert_int_equal(error.status, STATUS_CORRUPT);
        assert_non_null(strstr(error.text, path));
        assert_true(total >= good_least);
    }
}

static void test_input__damaged_compression_is_told_after_the_good_bytes(void **state)
{
    (void)state;
    static unsigned char packed[2 * CONTENT_BYTES];
    for (int kind = 0; kind < 2; kind++) {
        size_t length = kind ? ZSTD_compress(packed, sizeof(packed), content, CONTENT_BYTES, 3)
                             : gzip(content, CONTENT_BYTES, packed, sizeof(packed));
        static const size_t cuts[] = {1, 8, 300, 300000};
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
            write_file(packed, length - cuts[i], false);
            assert_damaged(CONTENT_BYTES / 2 > cuts[i] ? 100000 : 0);
        }
        write_file(packed, length, false); /* a whole one, then one cut in its header */
        write_file(packed, 5, true);
        assert_damaged(CONTENT_BYTES);
        write_file(packed, length, false);
        write_file("garbage!", 8, true);
        assert_damaged(CONTENT_BYTES);
        packed[length / 2] ^= 0x55;
        packed[length / 2 + 1] ^= 0x55;
        write_file(packed, length, false);
        struct input *input;
        struct error error;
        assert_int_equal(input_open(path, &input, &error), STATUS_OK);
        static char buffer[4096];
        size_t got;
        enum status status;
        do
            status = input_read(input, buffer, sizeof(buffer), &got, &error);
        while (!status && got > 0);
        /* A flipped literal of zstd without a checksum cannot be seen. */
        assert_true(status == STATUS_CORRUPT || (kind == 1 && status == STATUS_OK));
        input_close(input);
    }
}

static void test_input__a_pipe_may_give_bytes_one_by_one(void **state)
{
    (void)state;
    static unsigned char packed[2000];
    size_t length = gzip(content, 1500, packed, sizeof(packed));
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDIN_FILENO);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < length; i++)
            if (write(ends[1], packed + i, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    size_t total;
    struct error error = {0};
    assert_int_equal(read_all("-", 100, &total, &error), STATUS_OK);
    assert_int_equal(total, 1500);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void test_input__other_compressions_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *magic;
        size_t length;
        const char *text; /* NULL: is read as it is */
    } table[] = {
        {"\xfd"
         "7zXZ\0more",
         10, ": xz-compressed: decompress it first"},
        {"BZh91AY&SY", 10, ": bzip2-compressed: decompress it first"},
        {"BZh1\x17\x72\x45\x38\x50\x90", 10, ": bzip2-compressed: decompress it first"},
        {"PK\3\4more", 8, ": a zip archive: decompress it first"},
        {"PK\5\6more", 8, ": a zip archive: decompress it first"},
        {"7z\xbc\xaf\x27\x1c", 6, ": a 7z archive: decompress it first"},
        {"7z\xbc\xaf\x27", 5, NULL},
        {"BZh,amount", 10, NULL},
        {"PK,amount\n", 10, NULL},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct input *input = NULL;
        struct error error = {0};
        write_file(table[i].magic, table[i].length, false);
        enum status status = input_open(path, &input, &error);
        assert_int_equal(status, table[i].text ? STATUS_CORRUPT : STATUS_OK);
        if (table[i].text)
            assert_non_null(strstr(error.text, table[i].text));
        input_close(input);
    }
}

static void test_input__what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    struct input *input = NULL;
    struct error error;
    assert_int_equal(input_open("/nonexistent/x", &input, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nonexistent/x"));
    assert_int_equal(input_open(directory, &input, &error), STATUS_IO);
    assert_non_null(strstr(error.text, "directory"));
    assert_int_equal(input_open(directory, &input, NULL), STATUS_IO);
    write_file("x", 1, false);
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid() != 0)
        assert_int_equal(input_open(path, &input, &error), STATUS_PERMISSION);
    assert_int_equal(chmod(path, 0600), 0);
    assert_null(input);
    input_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input__plain_files_of_any_size),
        cmocka_unit_test(test_input__gzip_members_in_a_row_are_one_stream),
        cmocka_unit_test(test_input__zstd_frames_in_a_row_are_one_stream),
        cmocka_unit_test(test_input__damaged_compression_is_told_after_the_good_bytes),
        cmocka_unit_test(test_input__a_pipe_may_give_bytes_one_by_one),
        cmocka_unit_test(test_input__other_compressions_are_refused_by_name),
        cmocka_unit_test(test_input__what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
