#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/hash.h"
#include "scratch.h"
#include "store/heap.h"
#include "store/sigbus.h"

static int fail_fdatasync_errno;
static int fail_write_errno;
static size_t write_bytes_fit; /* with an errno: what is written before it */
static unsigned write_count;

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
    write_count++;
    if (fail_write_errno && write_bytes_fit == 0) {
        errno = fail_write_errno;
        return -1;
    }
    if (fail_write_errno) {
        size_t bytes = parts[0].iov_len < write_bytes_fit ? parts[0].iov_len : write_bytes_fit;
        write_bytes_fit -= bytes;
        return pwrite(fd, parts[0].iov_base, bytes, offset);
    }
    return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
}

#define STRINGS_MAX 20000

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    char path[SCRATCH_PATH_BYTES];
    struct heap *heap;
    struct error error;
    uint64_t offsets[STRINGS_MAX];
    size_t count;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fail_fdatasync_errno = fail_write_errno = 0;
    write_bytes_fit = 0;
    scratch_make(f->root);
    scratch_path(f->root, "heap", f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    heap_close(f->heap);
    (void)umount2(f->root, MNT_DETACH);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static void reopen(struct fixture *f, uint64_t trusted, enum heap_mode mode)
{
    heap_close(f->heap);
    f->heap = NULL;
    if (heap_open(f->path, trusted, mode, &f->heap, &f->error) != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
}

/* String n: some are empty, most are short, some are long. */
static struct slice string_of(size_t n, char buffer[5000])
{
    uint64_t seed = n * 2654435761u + 1;
    uint64_t random = scratch_random(&seed);
    size_t length = n % 97 == 0 ? 0 : n % 31 == 0 ? random % 5000 : random % 200;
    for (size_t i = 0; i < length; i++)
        buffer[i] = (char)(n + i * 7);
    return slice_of(buffer, length);
}

static void append(struct fixture *f, size_t count)
{
    char buffer[5000];
    for (; count > 0; count--, f->count++) {
        assert_true(f->count < STRINGS_MAX);
        assert_int_equal(
            heap_append(f->heap, string_of(f->count, buffer), &f->offsets[f->count], &f->error),
            STATUS_OK);
        assert_int_equal(f->offsets[f->count] % HEAP_STEP_BYTES, 0);
    }
}

static void assert_strings(struct fixture *f, size_t from, size_t to)
{
    char buffer[5000];
    for (size_t n = from; n < to; n++) {
        struct slice got;
        heap_prefetch(f->heap, f->offsets[n]);
        if (heap_read(f->heap, f->offsets[n], &got, &f->error) != STATUS_OK)
            fail_msg("%zu: %s: %s", n, f->error.file, f->error.text);
        assert_true(slice_equal(got, string_of(n, buffer)));
    }
}

static void test_heap__strings_come_back_from_tail_and_file(void **state)
{
    struct fixture *f = *state;
    reopen(f, 0, HEAP_WRITE);
    while (f->count < STRINGS_MAX) { /* some 3 MiB: the tail is written more than once */
        append(f, 500);
        assert_strings(f, f->count - 500, f->count);
    }
    assert_strings(f, 0, f->count);
    assert_true(scratch_size(f->path) > 2 * HEAP_TAIL_BYTES);
    assert_true(scratch_size(f->path) < heap_length(f->heap));
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    assert_int_equal(scratch_size(f->path), heap_length(f->heap));
    assert_strings(f, 0, f->count);
    reopen(f, heap_length(f->heap), HEAP_WRITE);
    assert_strings(f, 0, f->count);
}

static void test_heap__appending_seldom_writes(void **state)
{
    struct fixture *f = *state;
    uint64_t offset;
    reopen(f, 0, HEAP_WRITE);
    write_count = 0;
    for (size_t i = 0; i < 4 * HEAP_TAIL_BYTES / 32; i++)
        assert_int_equal(
            heap_append(f->heap, SLICE("twenty-four bytes of it."), &offset, &f->error), STATUS_OK);
    assert_true(write_count == 3 || write_count == 4);
}

static void test_heap__large_string_passes(void **state)
{
    struct fixture *f = *state;
    size_t length = 5 * HEAP_TAIL_BYTES + 3;
    char *data = malloc(length);
    uint64_t large, small;
    struct slice got;
    memset(data, 'z', length);
    reopen(f, 0, HEAP_WRITE);
    append(f, 100);
    assert_int_equal(heap_append(f->heap, slice_of(data, length), &large, &f->error), STATUS_OK);
    assert_int_equal(heap_append(f->heap, SLICE("small"), &small, &f->error), STATUS_OK);
    for (int synced = 0; synced < 2; synced++) {
        assert_int_equal(heap_read(f->heap, large, &got, &f->error), STATUS_OK);
        assert_true(slice_equal(got, slice_of(data, length)));
        assert_int_equal(heap_read(f->heap, small, &got, &f->error), STATUS_OK);
        assert_true(slice_is(got, "small"));
        assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    }
    assert_strings(f, 0, 100);
    free(data);
}

/* A crash leaves any part of what was written after the last sync, or other bytes in its place. */
static void test_heap__what_is_not_trusted_is_gone(void **state)
{
    struct fixture *f = *state;
    size_t length;
    reopen(f, 0, HEAP_WRITE);
    append(f, 60);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    uint64_t trusted = heap_length(f->heap);
    append(f, 40);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    char *content = scratch_read(f->path, &length);
    for (size_t bytes = 0; bytes <= length; bytes++) {
        heap_close(f->heap);
        f->heap = NULL;
        for (size_t i = trusted; i < bytes; i++)
            content[i] ^= (char)(bytes % 3);
        scratch_write(f->path, content, bytes);
        enum status status = heap_open(f->path, trusted, HEAP_WRITE, &f->heap, &f->error);
        if (bytes < trusted) { /* it had been synced */
            assert_int_equal(status, STATUS_CORRUPT);
            assert_string_equal(f->error.file, f->path);
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(scratch_size(f->path), trusted);
        f->count = 60;
        append(f, 5);
        assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
        assert_strings(f, 0, 65);
    }
    free(content);
}

static void test_heap__any_flipped_bit_is_found(void **state)
{
    struct fixture *f = *state;
    reopen(f, 0, HEAP_WRITE);
    append(f, 25);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    uint64_t trusted = heap_length(f->heap);
    for (size_t i = 0; i < (trusted - 64) * 8; i++) {
        size_t at = 64 + i / 8, n = 24;
        while (f->offsets[n] > at)
            n--;
        char buffer[5000], place[40];
        struct slice got;
        scratch_flip(f->path, at, (unsigned char)(1u << i % 8));
        enum status status = heap_read(f->heap, f->offsets[n], &got, &f->error);
        if (at < f->offsets[n] + 8 + string_of(n, buffer).length) {
            assert_int_equal(status, STATUS_CORRUPT);
            snprintf(place, sizeof(place), "byte %llu:", (unsigned long long)f->offsets[n]);
            assert_non_null(strstr(f->error.text, place));
            assert_string_equal(f->error.file, f->path);
        } else { /* padding */
            assert_int_equal(status, STATUS_OK);
            assert_true(slice_equal(got, string_of(n, buffer)));
        }
        scratch_flip(f->path, at, (unsigned char)(1u << i % 8));
    }
    assert_strings(f, 0, 25);
}

static void test_heap__wrong_offsets_are_refused(void **state)
{
    struct fixture *f = *state;
    struct slice got;
    reopen(f, 0, HEAP_WRITE);
    append(f, 50);
    for (int synced = 0; synced < 2; synced++) {
        for (uint64_t offset = 0; offset < heap_length(f->heap) + 100; offset++) {
            size_t n = 0;
            while (n < 50 && f->offsets[n] != offset)
                n++;
            assert_int_equal(heap_read(f->heap, offset, &got, &f->error),
                             n < 50 ? STATUS_OK : STATUS_CORRUPT);
        }
        assert_int_equal(heap_read(f->heap, UINT64_MAX - 7, &got, &f->error), STATUS_CORRUPT);
        assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    }
}

static void test_heap__zeros_are_no_strings(void **state)
{
    struct fixture *f = *state;
    struct slice got;
    reopen(f, 0, HEAP_WRITE);
    append(f, 50);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    size_t length = heap_length(f->heap) - 64;
    char *zeros = calloc(1, length);
    int fd = open(f->path, O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, length, 64), length);
    close(fd);
    free(zeros);
    for (size_t n = 0; n < 50; n++)
        assert_int_equal(heap_read(f->heap, f->offsets[n], &got, &f->error), STATUS_CORRUPT);
}

static void test_heap__string_at_another_place_is_found(void **state)
{
    struct fixture *f = *state;
    uint64_t first, second;
    struct slice got;
    char bytes[32];
    reopen(f, 0, HEAP_WRITE);
    assert_int_equal(heap_append(f->heap, SLICE("one string of 24 bytes.."), &first, &f->error),
                     STATUS_OK);
    assert_int_equal(heap_append(f->heap, SLICE("another of the same size"), &second, &f->error),
                     STATUS_OK);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    int fd = open(f->path, O_RDWR);
    assert_int_equal(pread(fd, bytes, 32, (off_t)first), 32);
    assert_int_equal(pwrite(fd, bytes, 32, (off_t)second), 32);
    close(fd);
    assert_int_equal(heap_read(f->heap, second, &got, &f->error), STATUS_CORRUPT);
}

static void test_heap__readers_keep_their_own_strings(void **state)
{
    struct fixture *f = *state;
    reopen(f, 0, HEAP_WRITE);
    append(f, 1000);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    uint64_t trusted = heap_length(f->heap);
    struct heap *writer = f->heap;
    f->heap = NULL;
    reopen(f, trusted, HEAP_PRIVATE);
    size_t size = scratch_size(f->path);
    append(f, STRINGS_MAX - 1000);
    assert_true(heap_length(f->heap) > trusted + 2 * HEAP_TAIL_BYTES);
    assert_strings(f, 0, f->count);
    assert_int_equal(scratch_size(f->path), size);
    /* The writer's own are elsewhere, and neither disturbs the other. */
    for (size_t i = 0; i < 100000; i++) {
        uint64_t offset;
        assert_int_equal(heap_append(writer, SLICE("the writer's"), &offset, &f->error), STATUS_OK);
    }
    assert_int_equal(heap_sync(writer, &f->error), STATUS_OK);
    assert_strings(f, 0, f->count);
    heap_close(writer);
}

static void test_heap__private_needs_no_file(void **state)
{
    struct fixture *f = *state;
    reopen(f, 0, HEAP_PRIVATE);
    append(f, 2000);
    assert_strings(f, 0, 2000);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void test_heap__a_new_file_leaves_readers_the_old_one(void **state)
{
    struct fixture *f = *state;
    reopen(f, 0, HEAP_WRITE);
    append(f, 100);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    reopen(f, heap_length(f->heap), HEAP_PRIVATE);
    struct heap *writer;
    assert_int_equal(heap_open(f->path, 0, HEAP_WRITE, &writer, &f->error), STATUS_OK);
    assert_int_equal(scratch_size(f->path), 64);
    assert_strings(f, 0, 100);
    heap_close(writer);
}

static void test_heap__full_disk_lets_try_again(void **state)
{
    struct fixture *f = *state;
    uint64_t offset = 4711;
    char buffer[5000];
    reopen(f, 0, HEAP_WRITE);
    append(f, 200);
    for (size_t fits = 0; fits < 5000; fits += 333) {
        uint64_t length = heap_length(f->heap);
        fail_write_errno = ENOSPC;
        write_bytes_fit = fits;
        assert_int_equal(heap_sync(f->heap, &f->error), STATUS_NO_SPACE);
        assert_string_equal(f->error.file, f->path);
        assert_int_equal(heap_length(f->heap), length);
        assert_strings(f, 0, f->count);
        fail_write_errno = 0;
        append(f, 3);
    }
    while (heap_length(f->heap) < HEAP_TAIL_BYTES - 5000)
        append(f, 1);
    fail_write_errno = ENOSPC;
    write_bytes_fit = 100;
    enum status status = STATUS_OK;
    while ((status = heap_append(f->heap, string_of(f->count, buffer), &offset, &f->error)) ==
           STATUS_OK)
        f->offsets[f->count++] = offset;
    assert_int_equal(status, STATUS_NO_SPACE);
    assert_int_equal(offset, f->offsets[f->count - 1]);
    fail_write_errno = 0;
    append(f, 100);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    reopen(f, heap_length(f->heap), HEAP_PRIVATE);
    assert_strings(f, 0, f->count);
}

struct patience {
    uint32_t asked, until;
};

static bool be_patient(void *context, const struct error *error)
{
    struct patience *patience = context;
    assert_int_equal(error->status, STATUS_NO_SPACE);
    assert_true(error->file[0] != 0);
    if (++patience->asked == patience->until)
        fail_write_errno = 0; /* room again */
    return patience->asked <= patience->until;
}

static void test_heap__full_disk_is_waited_for_where_somebody_says_so(void **state)
{
    struct fixture *f = *state;
    char buffer[5000];
    uint64_t offset;
    struct patience patience = {0, 3};
    const struct space space = {&patience, be_patient};
    reopen(f, 0, HEAP_WRITE);
    heap_on_full(f->heap, &space);
    for (int round = 0; round < 2; round++) {
        patience.asked = 0;
        fail_write_errno = ENOSPC;
        write_bytes_fit = 777;
        while (patience.asked == 0) /* the tail fills up, and has to be written */
            append(f, 1);
        assert_int_equal(patience.asked, 3);
        assert_strings(f, 0, f->count);
    }
    fail_write_errno = ENOSPC;
    patience = (struct patience){0, 1000};
    append(f, 1);
    patience.until = 0; /* nobody waits any more */
    enum status status;
    while ((status = heap_append(f->heap, string_of(f->count, buffer), &offset, &f->error)) ==
           STATUS_OK)
        f->offsets[f->count++] = offset;
    assert_int_equal(status, STATUS_NO_SPACE);
    assert_string_equal(f->error.file, f->path);
    assert_int_equal(patience.asked, 1);
    fail_write_errno = 0;
    heap_on_full(f->heap, NULL);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    assert_strings(f, 0, f->count);
}

static void test_heap__full_file_system_is_survived(void **state)
{
    struct fixture *f = *state;
    char buffer[5000];
    if (!scratch_mount(f->root, 1 << 20))
        skip();
    reopen(f, 0, HEAP_WRITE);
    enum status status;
    while ((status = heap_append(f->heap, string_of(f->count, buffer), &f->offsets[f->count],
                                 &f->error)) == STATUS_OK)
        f->count++;
    assert_int_equal(status, STATUS_NO_SPACE);
    assert_strings(f, 0, f->count);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_NO_SPACE);
    assert_int_equal(mount("none", f->root, "tmpfs", MS_REMOUNT, "size=4194304"), 0);
    append(f, 10);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    assert_strings(f, 0, f->count);
    reopen(f, heap_length(f->heap), HEAP_WRITE);
    assert_strings(f, 0, f->count);
}

static void test_heap__broken_disk_ends_appending(void **state)
{
    struct fixture *f = *state;
    for (int in_sync = 0; in_sync < 2; in_sync++) {
        uint64_t offset;
        reopen(f, 0, HEAP_WRITE);
        f->count = 0;
        append(f, 10);
        *(in_sync ? &fail_fdatasync_errno : &fail_write_errno) = EIO;
        assert_int_equal(heap_sync(f->heap, &f->error), STATUS_IO);
        fail_fdatasync_errno = fail_write_errno = 0;
        assert_int_equal(heap_sync(f->heap, &f->error), STATUS_IO);
        assert_int_equal(heap_append(f->heap, SLICE("x"), &offset, &f->error), STATUS_IO);
        assert_strings(f, 0, 10);
    }
}

static void test_heap__other_versions_and_files_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t length;
    reopen(f, 0, HEAP_WRITE);
    append(f, 3);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    uint64_t trusted = heap_length(f->heap);
    heap_close(f->heap);
    f->heap = NULL;
    char *content = scratch_read(f->path, &length);
    content[8] = 99;
    uint32_t crc = crc32c(0, content, 60);
    memcpy(content + 60, &crc, 4);
    scratch_write(f->path, content, length);
    assert_int_equal(heap_open(f->path, trusted, HEAP_WRITE, &f->heap, &f->error), STATUS_VERSION);
    assert_non_null(strstr(f->error.text, "99"));
    content[9] = 1; /* the checksum does not match now */
    scratch_write(f->path, content, length);
    assert_int_equal(heap_open(f->path, trusted, HEAP_PRIVATE, &f->heap, &f->error),
                     STATUS_CORRUPT);
    free(content);
    unlink(f->path);
    assert_int_equal(heap_open(f->path, trusted, HEAP_PRIVATE, &f->heap, &f->error),
                     STATUS_NOT_FOUND);
}

/* ---- SIGBUS
 * --------------------------------------------------------------------------------------------------------
 */

static int read_what_was_cut(void *context)
{
    struct fixture *f = context;
    struct slice got;
    int fd = open(f->path, O_RDWR);
    char err[SCRATCH_PATH_BYTES];
    scratch_path(f->root, "err", err);
    if (!freopen(err, "w", stderr) || dup2(fileno(stderr), 2) < 0 || ftruncate(fd, 4096) != 0)
        return 1;
    sigbus_install("ratel");
    for (size_t n = 0; n < f->count; n++)
        if (heap_read(f->heap, f->offsets[n], &got, &f->error) != STATUS_OK)
            return 2;
    return 3;
}

static void test_heap__read_error_of_the_mapping_is_a_message(void **state)
{
    struct fixture *f = *state;
    char err[SCRATCH_PATH_BYTES];
    size_t length;
    reopen(f, 0, HEAP_WRITE);
    append(f, 1000);
    assert_int_equal(heap_sync(f->heap, &f->error), STATUS_OK);
    assert_int_equal(scratch_child(read_what_was_cut, f), 74);
    scratch_path(f->root, "err", err);
    char *text = scratch_read(err, &length);
    assert_int_equal(strncmp(text, "ratel: ", 7), 0);
    assert_non_null(strstr(text, f->path));
    assert_non_null(strstr(text, "at byte 4"));
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    free(text);
}

static int send_sigbus(void *context)
{
    (void)context;
    sigbus_install("ratel");
    raise(SIGBUS);
    return 0;
}

static void test_heap__sent_sigbus_is_still_a_signal(void **state)
{
    assert_int_equal(scratch_child(send_sigbus, *state), 128 + SIGBUS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_heap__strings_come_back_from_tail_and_file),
        TEST(test_heap__appending_seldom_writes),
        TEST(test_heap__large_string_passes),
        TEST(test_heap__what_is_not_trusted_is_gone),
        TEST(test_heap__any_flipped_bit_is_found),
        TEST(test_heap__wrong_offsets_are_refused),
        TEST(test_heap__zeros_are_no_strings),
        TEST(test_heap__string_at_another_place_is_found),
        TEST(test_heap__readers_keep_their_own_strings),
        TEST(test_heap__private_needs_no_file),
        TEST(test_heap__a_new_file_leaves_readers_the_old_one),
        TEST(test_heap__full_disk_lets_try_again),
        TEST(test_heap__full_disk_is_waited_for_where_somebody_says_so),
        TEST(test_heap__full_file_system_is_survived),
        TEST(test_heap__broken_disk_ends_appending),
        TEST(test_heap__other_versions_and_files_are_refused),
        TEST(test_heap__read_error_of_the_mapping_is_a_message),
        TEST(test_heap__sent_sigbus_is_still_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
