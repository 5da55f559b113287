#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "scratch.h"
#include "store/datadir.h"

static int calls_left = -1; /* until SIGKILL; below 0: never */

static void step(void)
{
    if (calls_left >= 0 && calls_left-- == 0)
        raise(SIGKILL);
}

/* These take libc's place: every change to the disk is a place to be killed at. */
int mkdir(const char *path, mode_t mode)
{
    step();
    return (int)syscall(SYS_mkdir, path, mode);
}

int rename(const char *from, const char *to)
{
    step();
    return (int)syscall(SYS_rename, from, to);
}

int fsync(int fd)
{
    step();
    return (int)syscall(SYS_fsync, fd);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    step();
    return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
}

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    char data[SCRATCH_PATH_BYTES];
    struct datadir datadir;
    struct error error;
    int kill_at;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(f->root);
    scratch_path(f->root, "data", f->data);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)umount2(f->data, MNT_DETACH);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static void assert_opens(struct fixture *f)
{
    enum status status = datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error);
    if (status != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
    datadir_close(&f->datadir);
}

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}

static void test_datadir_init__makes_all_parts_and_the_key(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    struct stat info;
    size_t length;
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    assert_int_equal(count_entries(f->root), 1);
    assert_int_equal(count_entries(f->data), 6);
    scratch_path(f->data, "operator.key", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    char *key = scratch_read(path, &length);
    assert_int_equal(length, 9 + 64 + 1);
    assert_memory_equal(key, "ratel_op_", 9);
    assert_int_equal(strspn(key + 9, "0123456789abcdef"), 64);
    assert_int_equal(key[73], '\n');
    free(key);
    assert_opens(f);
}

static void test_datadir_init__seeds_and_keys_differ(void **state)
{
    struct fixture *f = *state;
    uint64_t seed;
    char path[SCRATCH_PATH_BYTES];
    size_t length;
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    assert_opens(f);
    seed = f->datadir.seed;
    scratch_path(f->data, "operator.key", path);
    char *key = scratch_read(path, &length);
    scratch_remove(f->data);
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    assert_opens(f);
    assert_true(f->datadir.seed != seed);
    char *other = scratch_read(path, &length);
    assert_memory_not_equal(key, other, length);
    free(key);
    free(other);
}

static void test_datadir_init__twice_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    assert_opens(f);
    uint64_t seed = f->datadir.seed;
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_EXISTS);
    assert_opens(f);
    assert_true(f->datadir.seed == seed);
    assert_int_equal(count_entries(f->root), 1);
}

static void test_datadir_init__empty_directory_is_taken_and_keeps_its_mode(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    assert_int_equal(mkdir(f->data, 0700), 0);
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    assert_int_equal(stat(f->data, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_opens(f);
}

static void test_datadir_init__trailing_slashes_and_links(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES], link_path[SCRATCH_PATH_BYTES];
    scratch_path(f->root, "data//", path);
    assert_int_equal(datadir_init(path, 1, &f->error), STATUS_OK);
    assert_opens(f);
    scratch_path(f->root, "there", path);
    scratch_path(f->root, "link", link_path);
    assert_int_equal(mkdir(path, 0750), 0);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(datadir_init(link_path, 1, &f->error), STATUS_OK);
    assert_int_equal(datadir_open(path, DATADIR_READ, &f->datadir, &f->error), STATUS_OK);
}

static void test_datadir_init__refuses_what_is_not_its_own(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    assert_int_equal(mkdir(f->data, 0750), 0);
    scratch_path(f->data, "letter.txt", path);
    scratch_write(path, "dear", 4);
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_CANNOT_CREATE);
    assert_int_equal(datadir_init(path, 1, &f->error), STATUS_CANNOT_CREATE); /* a file */
    assert_int_equal(unlink(path), 0);
    scratch_path(f->root, "no/such/parent", path);
    assert_int_equal(datadir_init(path, 1, &f->error), STATUS_CANNOT_CREATE);
    assert_int_equal(f->error.status, STATUS_CANNOT_CREATE);
    assert_non_null(strstr(f->error.text, "/no/such first"));
    /* Data without FORMAT is damage, not an unfinished init. */
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    scratch_path(f->data, "FORMAT", path);
    assert_int_equal(unlink(path), 0);
    scratch_path(f->data, "book/data.mdb", path);
    scratch_write(path, "money", 5);
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_CANNOT_CREATE);
    assert_int_equal(scratch_size(path), 5);
}

static void test_datadir_init__mount_point_is_filled(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->data, 0750), 0);
    if (!scratch_mount(f->data, 1 << 20))
        skip();
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_OK);
    assert_opens(f);
    assert_int_equal(datadir_init(f->data, 1, &f->error), STATUS_EXISTS);
    assert_int_equal(count_entries(f->root), 1);
}

static void test_datadir_init__full_disk_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->data, 0750), 0);
    if (!scratch_mount(f->data,
                       4096 * 2)) /* one page goes to the first file, the next to the second */
        skip();
    char path[SCRATCH_PATH_BYTES], page[4096] = {0};
    scratch_path(f->data, "inner", path);
    assert_int_equal(mkdir(path, 0750), 0);
    char filler[SCRATCH_PATH_BYTES], target[SCRATCH_PATH_BYTES];
    scratch_path(f->data, "filler", filler);
    scratch_path(path, "target", target);
    scratch_write(filler, page, sizeof(page));
    assert_int_equal(datadir_init(target, 1, &f->error), STATUS_NO_SPACE);
    assert_non_null(strstr(f->error.text, ": free space and run again"));
    assert_int_equal(count_entries(path), 0);
}

static int init_and_die(void *context)
{
    struct fixture *f = context;
    calls_left = f->kill_at;
    return (int)datadir_init(f->data, 1, &f->error);
}

/* Killed before its n-th change, for every n: either the whole directory is there, or nothing opens
 * and init can be repeated. */
static void kill_everywhere(struct fixture *f, bool in_place)
{
    bool finished = false;
    for (f->kill_at = 0; !finished; f->kill_at++) {
        assert_true(f->kill_at < 100);
        if (in_place) {
            assert_int_equal(mkdir(f->data, 0750), 0);
            assert_true(scratch_mount(f->data, 1 << 20));
        }
        int code = scratch_child(init_and_die, f);
        finished = code == STATUS_OK;
        assert_true(finished || code == 128 + SIGKILL);
        enum status status = datadir_open(f->data, DATADIR_WRITE, &f->datadir, &f->error);
        assert_true(status == STATUS_OK || (status == STATUS_NOT_FOUND && !finished));
        if (status == STATUS_OK)
            datadir_close(&f->datadir);
        enum status again = datadir_init(f->data, 1, &f->error);
        assert_int_equal(again, status == STATUS_OK ? STATUS_EXISTS : STATUS_OK);
        assert_opens(f);
        if (in_place)
            assert_int_equal(umount2(f->data, 0), 0);
        scratch_remove(f->data);
    }
    assert_true(f->kill_at > 8);
}

static void test_datadir_init__killed_anywhere_leaves_all_or_nothing(void **state)
{
    kill_everywhere(*state, false);
}

static void test_datadir_init__killed_anywhere_on_a_mount_point_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->data, 0750), 0);
    if (!scratch_mount(f->data, 1 << 20))
        skip();
    assert_int_equal(umount2(f->data, 0), 0);
    assert_int_equal(rmdir(f->data), 0);
    kill_everywhere(f, true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_datadir_init__makes_all_parts_and_the_key),
        TEST(test_datadir_init__seeds_and_keys_differ),
        TEST(test_datadir_init__twice_changes_nothing),
        TEST(test_datadir_init__empty_directory_is_taken_and_keeps_its_mode),
        TEST(test_datadir_init__trailing_slashes_and_links),
        TEST(test_datadir_init__refuses_what_is_not_its_own),
        TEST(test_datadir_init__mount_point_is_filled),
        TEST(test_datadir_init__full_disk_leaves_nothing),
        TEST(test_datadir_init__killed_anywhere_leaves_all_or_nothing),
        TEST(test_datadir_init__killed_anywhere_on_a_mount_point_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
