#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/file.h>

#include "base/hash.h"
#include "scratch.h"
#include "store/datadir.h"

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    char data[SCRATCH_PATH_BYTES];
    char format[SCRATCH_PATH_BYTES];
    struct datadir datadir;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(f->root);
    scratch_path(f->root, "data", f->data);
    scratch_path(f->data, "FORMAT", f->format);
    *state = f;
    return datadir_init(f->data, 1, &f->error) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_remove(f->root);
    free(f);
    return 0;
}

static void test_datadir__opens_what_init_made(void **state)
{
    struct fixture *f = *state;
    char path[DATADIR_PATH_BYTES], expected[SCRATCH_PATH_BYTES + 64];
    for (int mode = DATADIR_READ; mode <= DATADIR_WRITE; mode++) {
        assert_int_equal(datadir_open(f->data, (enum datadir_mode)mode, &f->datadir, &f->error),
                         STATUS_OK);
        assert_int_equal(f->datadir.format_version, DATADIR_FORMAT_VERSION);
        assert_int_equal(f->datadir.shard_count, 1);
        assert_int_equal(f->datadir.lock_fd >= 0, mode == DATADIR_WRITE);
        datadir_path(&f->datadir, "book", path);
        snprintf(expected, sizeof(expected), "%s/book", f->data);
        assert_string_equal(path, expected);
        datadir_shard_path(&f->datadir, 0, "journal", path);
        snprintf(expected, sizeof(expected), "%s/shard-00/journal", f->data);
        assert_string_equal(path, expected);
        datadir_close(&f->datadir);
    }
}

static int open_to_write(void *context)
{
    struct fixture *f = context;
    char own[64];
    enum status status = datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error);
    snprintf(own, sizeof(own), "process %ld: wait for it or stop it", (long)getppid());
    if (status == STATUS_LOCKED && !strstr(f->error.text, own))
        return 100;
    return (int)status;
}

static int open_to_read(void *context)
{
    struct fixture *f = context;
    return (int)datadir_open(f->data, DATADIR_READ, &f->datadir, &f->error);
}

static void test_datadir__second_writer_is_refused_with_the_pid(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error), STATUS_OK);
    assert_int_equal(scratch_child(open_to_write, f), STATUS_LOCKED);
    assert_int_equal(scratch_child(open_to_read, f), STATUS_OK);
    datadir_close(&f->datadir);
    assert_int_equal(scratch_child(open_to_write, f), STATUS_OK);
}

static int open_as(void *context, enum datadir_mode mode)
{
    struct fixture *f = context;
    enum status status = datadir_open(f->data, mode, &f->datadir, &f->error);
    if (status == STATUS_OK)
        datadir_close(&f->datadir);
    return (int)status;
}

static int open_book(void *context)
{
    return open_as(context, DATADIR_WRITE_BOOK);
}

static int open_ledgers(void *context)
{
    return open_as(context, DATADIR_WRITE_LEDGERS);
}

static int open_all(void *context)
{
    return open_as(context, DATADIR_WRITE);
}

static void test_datadir__book_and_ledgers_have_a_writer_each(void **state)
{
    static const struct {
        enum datadir_mode mode;
        enum status book, ledgers;
    } cases[] = {
        {DATADIR_WRITE, STATUS_LOCKED, STATUS_LOCKED},
        {DATADIR_WRITE_BOOK, STATUS_LOCKED, STATUS_OK},
        {DATADIR_WRITE_LEDGERS, STATUS_OK, STATUS_LOCKED},
        {DATADIR_READ, STATUS_OK, STATUS_OK},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(datadir_open(f->data, cases[i].mode, &f->datadir, &f->error), STATUS_OK);
        assert_int_equal(f->datadir.book_lock_fd >= 0, cases[i].book == STATUS_LOCKED);
        assert_int_equal(f->datadir.lock_fd >= 0, cases[i].ledgers == STATUS_LOCKED);
        assert_int_equal(scratch_child(open_book, f), cases[i].book);
        assert_int_equal(scratch_child(open_ledgers, f), cases[i].ledgers);
        assert_int_equal(scratch_child(open_all, f),
                         cases[i].mode == DATADIR_READ ? STATUS_OK : STATUS_LOCKED);
        /* Who was turned away by the second lock has let go of the first. */
        assert_int_equal(scratch_child(open_book, f), cases[i].book);
        datadir_close(&f->datadir);
        assert_int_equal(scratch_child(open_all, f), STATUS_OK);
    }
}

static int lock_the_other(void *context)
{
    struct fixture *f = context;
    struct datadir own;
    uint64_t holder = 0;
    if (datadir_open(f->data, DATADIR_WRITE_BOOK, &own, &f->error) != STATUS_OK)
        return 100;
    enum status status = datadir_lock_ledgers(&own, &holder, &f->error);
    if (status == STATUS_LOCKED && holder != (uint64_t)getppid())
        return 101;
    datadir_close(&own);
    return (int)status;
}

static void test_datadir__second_lock_is_taken_later_or_names_its_holder(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(datadir_open(f->data, DATADIR_WRITE_LEDGERS, &f->datadir, &f->error),
                     STATUS_OK);
    assert_int_equal(scratch_child(lock_the_other, f), STATUS_LOCKED);
    assert_int_equal(datadir_lock_book(&f->datadir, NULL, &f->error), STATUS_OK);
    assert_int_equal(scratch_child(lock_the_other, f), 100);
    datadir_close(&f->datadir);
    assert_int_equal(scratch_child(lock_the_other, f), STATUS_OK);
}

static int take_and_die(void *context)
{
    if (open_to_write(context) != STATUS_OK)
        return 1;
    raise(SIGKILL);
    return 2;
}

static void test_datadir__lock_of_a_killed_writer_is_gone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(scratch_child(take_and_die, f), 128 + SIGKILL);
    assert_int_equal(datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error), STATUS_OK);
    datadir_close(&f->datadir);
}

static void test_datadir__holder_without_a_pid_still_refuses(void **state)
{
    struct fixture *f = *state;
    char lock[SCRATCH_PATH_BYTES];
    scratch_path(f->data, "LOCK", lock);
    int fd = open(lock, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error), STATUS_LOCKED);
    close(fd);
}

static void test_datadir__elsewhere_is_not_found_with_a_hint(void **state)
{
    struct fixture *f = *state;
    char missing[SCRATCH_PATH_BYTES];
    scratch_path(f->root, "nothing", missing);
    const char *const paths[] = {missing, f->root, f->format};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(datadir_open(paths[i], DATADIR_READ, &f->datadir, &f->error),
                         STATUS_NOT_FOUND);
        assert_non_null(strstr(f->error.text, "ratel init"));
    }
}

static void test_datadir__flipped_format_is_never_believed(void **state)
{
    struct fixture *f = *state;
    size_t length = scratch_size(f->format);
    for (size_t i = 0; i < length * 8; i++) {
        scratch_flip(f->format, i / 8, (unsigned char)(1u << (i % 8)));
        enum status status = datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error);
        assert_true(status == STATUS_CORRUPT || status == STATUS_VERSION);
        assert_string_equal(f->error.file, f->format);
        scratch_flip(f->format, i / 8, (unsigned char)(1u << (i % 8)));
    }
    assert_int_equal(open_to_read(f), STATUS_OK);
}

static void test_datadir__cut_format_is_corrupt(void **state)
{
    struct fixture *f = *state;
    size_t length;
    char *content = scratch_read(f->format, &length);
    for (size_t bytes = 0; bytes < length; bytes++) {
        scratch_write(f->format, content, bytes);
        assert_int_equal(datadir_open(f->data, DATADIR_READ, &f->datadir, &f->error),
                         STATUS_CORRUPT);
    }
    free(content);
}

static void test_datadir__unknown_version_is_refused_with_its_writer(void **state)
{
    struct fixture *f = *state;
    static const char body[] = "ratel data directory\nformat 99\nprogram 7.8.9\nnew-things yes\n";
    char text[256];
    for (int with_crc = 0; with_crc < 2; with_crc++) {
        int length = snprintf(text, sizeof(text), "%s", body);
        if (with_crc)
            length += snprintf(text + length, sizeof(text) - (size_t)length, "crc %08x\n",
                               crc32c(0, body, sizeof(body) - 1));
        scratch_write(f->format, text, (size_t)length);
        assert_int_equal(datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error),
                         STATUS_VERSION);
        assert_non_null(strstr(f->error.text, "format 99"));
        assert_non_null(strstr(f->error.text, "7.8.9"));
        assert_non_null(strstr(f->error.text, RATEL_VERSION));
    }
}

static void test_datadir__missing_part_is_not_taken_for_an_empty_one(void **state)
{
    struct fixture *f = *state;
    static const char *const parts[] = {"book", "shard-00", "quarantine"};
    for (size_t i = 0; i < 3; i++) {
        char path[SCRATCH_PATH_BYTES];
        scratch_path(f->data, parts[i], path);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error),
                         STATUS_CORRUPT);
        assert_non_null(strstr(f->error.file, parts[i]));
        assert_int_equal(mkdir(path, 0750), 0);
    }
}

static void test_datadir__path_is_absolute(void **state)
{
    struct fixture *f = *state;
    char before[SCRATCH_PATH_BYTES];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(f->root), 0);
    assert_int_equal(datadir_open("data", DATADIR_READ, &f->datadir, &f->error), STATUS_OK);
    assert_int_equal(chdir(before), 0);
    assert_string_equal(f->datadir.path, f->data);
}

static void test_datadir__too_long_path_is_refused(void **state)
{
    struct fixture *f = *state;
    static char path[8000];
    memset(path, 'a', sizeof(path) - 1);
    assert_int_not_equal(datadir_open(path, DATADIR_READ, &f->datadir, &f->error), STATUS_OK);
    assert_int_equal(datadir_init(path, 1, &f->error), STATUS_CANNOT_CREATE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_datadir__opens_what_init_made),
        TEST(test_datadir__second_writer_is_refused_with_the_pid),
        TEST(test_datadir__book_and_ledgers_have_a_writer_each),
        TEST(test_datadir__second_lock_is_taken_later_or_names_its_holder),
        TEST(test_datadir__lock_of_a_killed_writer_is_gone),
        TEST(test_datadir__holder_without_a_pid_still_refuses),
        TEST(test_datadir__elsewhere_is_not_found_with_a_hint),
        TEST(test_datadir__flipped_format_is_never_believed),
        TEST(test_datadir__cut_format_is_corrupt),
        TEST(test_datadir__unknown_version_is_refused_with_its_writer),
        TEST(test_datadir__missing_part_is_not_taken_for_an_empty_one),
        TEST(test_datadir__path_is_absolute),
        TEST(test_datadir__too_long_path_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
