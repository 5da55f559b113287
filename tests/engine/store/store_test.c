#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "scratch.h"
#include "store/store.h"

static const char *const tables[] = {"accounts", "invoices"};
static int fail_fdatasync_errno; /* 0: works */

/* Takes libc's place, also for LMDB. */
int fdatasync(int fd)
{
    if (fail_fdatasync_errno) {
        errno = fail_fdatasync_errno;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static int fail_put_code;

int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags)
{
    if (fail_put_code)
        return fail_put_code;
    int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *, unsigned);
    *(void **)&real = dlsym(RTLD_NEXT, "mdb_put");
    return real(txn, dbi, key, data, flags);
}

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    struct store *store;
    struct error error;
};

static void open_write(struct fixture *f)
{
    enum status status = store_open(f->root, STORE_WRITE, tables, 2, &f->store, &f->error);
    if (status != STATUS_OK)
        fail_msg("%s", f->error.text);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(f->root);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fail_fdatasync_errno = fail_put_code = 0;
    store_close(f->store);
    (void)umount2(f->root, MNT_DETACH);
    scratch_remove(f->root);
    free(f);
    return 0;
}

struct one_put {
    const char *key;
    const char *value;
    enum status answer; /* of the change */
    int runs;
    enum status put_status;
};

static enum status put_one(struct store_txn *txn, void *context, struct error *error)
{
    struct one_put *put = context;
    put->runs++;
    put->put_status = store_put(txn, 0, slice_string(put->key), slice_string(put->value), error);
    return put->answer != STATUS_OK ? put->answer : put->put_status;
}

static enum status update_one(struct fixture *f, const char *key, const char *value)
{
    struct one_put put = {.key = key, .value = value};
    return store_update(f->store, put_one, &put, &f->error);
}

static void assert_stored(struct fixture *f, const char *key, const char *value)
{
    struct store_txn *txn;
    struct slice got;
    assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
    enum status status = store_get(txn, 0, slice_string(key), &got, &f->error);
    if (value) {
        assert_int_equal(status, STATUS_OK);
        assert_true(slice_is(got, value));
    } else {
        assert_int_equal(status, STATUS_NOT_FOUND);
    }
    store_end(txn);
}

static void test_store__value_comes_back_after_reopening(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    assert_int_equal(update_one(f, "acme", "one"), STATUS_OK);
    assert_int_equal(update_one(f, "empty", ""), STATUS_OK);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(store_open(f->root, STORE_READ, tables, 2, &f->store, &f->error), STATUS_OK);
    assert_stored(f, "acme", "one");
    assert_stored(f, "empty", "");
    assert_stored(f, "nobody", NULL);
}

static void test_store__refused_change_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    struct one_put put = {.key = "acme", .value = "one", .answer = STATUS_INVALID};
    assert_int_equal(store_update(f->store, put_one, &put, &f->error), STATUS_INVALID);
    assert_stored(f, "acme", NULL);
}

static enum status put_twice(struct store_txn *txn, void *context, struct error *error)
{
    (void)context;
    struct slice got;
    assert_int_equal(store_put_new(txn, 0, SLICE("a"), SLICE("first"), error), STATUS_OK);
    assert_int_equal(store_put_new(txn, 0, SLICE("a"), SLICE("second"), error), STATUS_EXISTS);
    assert_int_equal(store_delete(txn, 0, SLICE("b"), error), STATUS_NOT_FOUND);
    assert_int_equal(store_get(txn, 0, SLICE("a"), &got, error), STATUS_OK);
    assert_true(slice_is(got, "first"));
    assert_int_equal(store_get(txn, 1, SLICE("a"), &got, error), STATUS_NOT_FOUND);
    assert_int_equal(store_count(txn, 0), 1);
    return STATUS_OK;
}

static void test_store__put_new_keeps_the_first(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    assert_int_equal(store_update(f->store, put_twice, NULL, &f->error), STATUS_OK);
    assert_stored(f, "a", "first");
}

static void test_store__open_errors(void **state)
{
    struct fixture *f = *state;
    char missing[SCRATCH_PATH_BYTES];
    struct store *second = NULL;
    scratch_path(f->root, "nothing", missing);
    assert_int_equal(store_open(missing, STORE_READ, tables, 2, &second, &f->error),
                     STATUS_NOT_FOUND);
    open_write(f);
    assert_int_equal(store_open(f->root, STORE_READ, tables, 2, &second, &f->error), STATUS_LOCKED);
    assert_null(second);
}

static void test_store__reader_sees_a_missing_table_empty(void **state)
{
    struct fixture *f = *state;
    static const char *const more[] = {"accounts", "new"};
    struct store_txn *txn;
    struct slice key, value;
    open_write(f);
    assert_int_equal(update_one(f, "acme", "one"), STATUS_OK);
    store_close(f->store);
    assert_int_equal(store_open(f->root, STORE_READ, more, 2, &f->store, &f->error), STATUS_OK);
    assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
    assert_int_equal(store_count(txn, 0), 1);
    assert_int_equal(store_count(txn, 1), 0);
    assert_int_equal(store_get(txn, 1, SLICE("acme"), &value, &f->error), STATUS_NOT_FOUND);
    assert_int_equal(store_last(txn, 1, &key, &value, &f->error), STATUS_NOT_FOUND);
    store_end(txn);
}

static void test_store__unfinished_creation_is_made_anew(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    struct store *reader;
    scratch_path(f->root, "data.mdb.new", path);
    scratch_write(path, "torn", 4);
    assert_int_equal(store_open(f->root, STORE_READ, tables, 2, &reader, &f->error),
                     STATUS_NOT_FOUND);
    open_write(f);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(update_one(f, "acme", "one"), STATUS_OK);
}

/* Walks. */

struct keys {
    char text[4096];
    int left; /* stop after so many; -1: never */
    struct store_txn *txn;
};

static enum status collect(struct slice key, struct slice value, void *context, struct error *error)
{
    (void)value, (void)error;
    struct keys *keys = context;
    size_t at = strlen(keys->text);
    snprintf(keys->text + at, sizeof(keys->text) - at, "%.*s ", (int)key.length, key.data);
    return --keys->left == 0 ? STATUS_AGAIN : STATUS_OK;
}

static enum status put_abc(struct store_txn *txn, void *context, struct error *error)
{
    (void)context;
    static const char *const keys[] = {"b", "a", "c", "ab", "\xff"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(store_put(txn, 0, slice_string(keys[i]), SLICE("v"), error), STATUS_OK);
    return STATUS_OK;
}

static void test_store__walk_is_in_memcmp_order_from_a_key(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *from;
        int stop_after;
        const char *expected;
    } rows[] = {
        {"", -1, "a ab b c \xff "}, {"a", -1, "a ab b c \xff "}, {"aa", -1, "ab b c \xff "},
        {"", 2, "a ab "},           {"d", -1, "\xff "},          {"\xff\xff", -1, ""},
    };
    open_write(f);
    assert_int_equal(store_update(f->store, put_abc, NULL, &f->error), STATUS_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct keys keys = {.left = rows[i].stop_after};
        struct store_txn *txn;
        assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
        assert_int_equal(store_walk(txn, 0, slice_string(rows[i].from), collect, &keys, &f->error),
                         STATUS_OK);
        assert_string_equal(keys.text, rows[i].expected);
        store_end(txn);
    }
}

static enum status refuse(struct slice key, struct slice value, void *context, struct error *error)
{
    (void)key, (void)value, (void)context;
    return error_set(error, STATUS_RANGE, "no");
}

static void test_store__walk_ends_with_the_visitors_status(void **state)
{
    struct fixture *f = *state;
    struct store_txn *txn;
    open_write(f);
    assert_int_equal(update_one(f, "acme", "one"), STATUS_OK);
    assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
    assert_int_equal(store_walk(txn, 0, SLICE(""), refuse, NULL, &f->error), STATUS_RANGE);
    store_end(txn);
}

static enum status delete_odd(struct slice key, struct slice value, void *context,
                              struct error *error)
{
    (void)value;
    struct keys *keys = context;
    char own[8], other[16];
    memcpy(own, key.data, key.length);
    unsigned number = (unsigned)strtoul((own[key.length] = 0, own), NULL, 10);
    keys->left++;
    if (number % 2 == 0)
        return STATUS_OK;
    assert_int_equal(store_delete(keys->txn, 0, slice_string(own), error), STATUS_OK);
    snprintf(other, sizeof(other), "%04u",
             number - 1); /* behind the walk: must not be seen again */
    return store_put(keys->txn, 0, slice_string(other),
                     SLICE("a longer value that moves things around in the page"), error);
}

static enum status walk_and_delete(struct store_txn *txn, void *context, struct error *error)
{
    struct keys *keys = context;
    keys->txn = txn;
    keys->left = 0;
    for (unsigned i = 0; i < 2000; i++) {
        char key[8];
        snprintf(key, sizeof(key), "%04u", i);
        assert_int_equal(store_put(txn, 0, slice_string(key), SLICE("v"), error), STATUS_OK);
    }
    enum status status = store_walk(txn, 0, SLICE(""), delete_odd, keys, error);
    assert_int_equal(store_count(txn, 0), 1000);
    return status;
}

static void test_store__visitor_may_write_to_the_walked_table(void **state)
{
    struct fixture *f = *state;
    struct keys keys = {.left = 0};
    open_write(f);
    assert_int_equal(store_update(f->store, walk_and_delete, &keys, &f->error), STATUS_OK);
    assert_int_equal(keys.left, 2000);
}

/* Growing. */

#define BIG_BYTES ((size_t)1 << 20)

struct bulk {
    int count;
    int runs;
    bool swallow; /* the change ignores what put says */
};

static void bulk_key(int i, char key[16])
{
    snprintf(key, 16, "big%06d", i);
}

static enum status put_bulk(struct store_txn *txn, void *context, struct error *error)
{
    struct bulk *bulk = context;
    char *value = malloc(BIG_BYTES);
    enum status status = STATUS_OK;
    bulk->runs++;
    for (int i = 0; i < bulk->count && status == STATUS_OK; i++) {
        char key[16];
        bulk_key(i, key);
        memset(value, 'a' + i % 26, BIG_BYTES);
        status = store_put(txn, 1, slice_string(key), slice_of(value, BIG_BYTES), error);
        if (bulk->swallow)
            status = STATUS_OK;
    }
    free(value);
    return status;
}

static void assert_bulk(struct store *store, int count)
{
    struct store_txn *txn;
    struct error error;
    assert_int_equal(store_read(store, &txn, &error), STATUS_OK);
    assert_int_equal(store_count(txn, 1), count);
    for (int i = 0; i < count; i++) {
        char key[16];
        struct slice value;
        bulk_key(i, key);
        assert_int_equal(store_get(txn, 1, slice_string(key), &value, &error), STATUS_OK);
        assert_int_equal(value.length, BIG_BYTES);
        assert_int_equal(value.data[BIG_BYTES - 1], 'a' + i % 26);
    }
    store_end(txn);
}

static void test_store__map_grows_and_the_change_runs_again(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    assert_int_equal(update_one(f, "before", "kept"), STATUS_OK);
    struct bulk bulk = {.count = 140}; /* 64 MiB -> 128 -> 256 */
    assert_int_equal(store_update(f->store, put_bulk, &bulk, &f->error), STATUS_OK);
    assert_int_equal(bulk.runs, 3);
    assert_bulk(f->store, 140);
    assert_stored(f, "before", "kept");
}

static void test_store__swallowed_map_full_still_grows(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    struct bulk bulk = {.count = 70, .swallow = true};
    assert_int_equal(store_update(f->store, put_bulk, &bulk, &f->error), STATUS_OK);
    assert_int_equal(bulk.runs, 2);
    assert_bulk(f->store, 70);
}

struct reader_thread {
    struct store *store;
    atomic_int state; /* 1: reading, 2: told to end, 3: has ended */
};

static void *read_for_a_while(void *context)
{
    struct reader_thread *thread = context;
    struct store_txn *txn;
    struct error error;
    struct slice value;
    if (store_read(thread->store, &txn, &error) != STATUS_OK)
        abort();
    thread->state = 1;
    while (thread->state != 2)
        usleep(1000);
    usleep(50000); /* while the writer wants to grow */
    if (store_get(txn, 0, SLICE("before"), &value, &error) != STATUS_OK || !slice_is(value, "kept"))
        abort();
    thread->state = 3;
    store_end(txn);
    return NULL;
}

static enum status put_bulk_and_tell(struct store_txn *txn, void *context, struct error *error)
{
    struct reader_thread *thread = context;
    struct bulk bulk = {.count = 70};
    if (thread->state == 2) /* the second run: the map was resized under the reader's feet */
        return STATUS_BUG;
    enum status status = put_bulk(txn, &bulk, error);
    if (thread->state == 1)
        thread->state = 2;
    return status;
}

static void test_store__growing_waits_for_readers_of_this_process(void **state)
{
    struct fixture *f = *state;
    pthread_t id;
    open_write(f);
    struct reader_thread thread = {.store = f->store};
    assert_int_equal(update_one(f, "before", "kept"), STATUS_OK);
    assert_int_equal(pthread_create(&id, NULL, read_for_a_while, &thread), 0);
    while (thread.state != 1)
        usleep(1000);
    assert_int_equal(store_update(f->store, put_bulk_and_tell, &thread, &f->error), STATUS_OK);
    assert_int_equal(thread.state, 3);
    pthread_join(id, NULL);
    assert_bulk(f->store, 70);
}

static int grow_in_another_process(void *context)
{
    struct fixture *f = context;
    struct store *store;
    struct bulk bulk = {.count = 100};
    if (store_open(f->root, STORE_WRITE, tables, 2, &store, &f->error) != STATUS_OK)
        return 1;
    if (store_update(store, put_bulk, &bulk, &f->error) != STATUS_OK)
        return 2;
    store_close(store);
    return 0;
}

static void test_store__map_grown_by_another_process_is_followed(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    assert_int_equal(update_one(f, "before", "kept"), STATUS_OK);
    store_close(f->store);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        assert_int_equal(
            store_open(f->root, (enum store_mode)mode, tables, 2, &f->store, &f->error), STATUS_OK);
        assert_stored(f, "before", "kept");
        if (mode == STORE_READ) {
            struct store_txn *old, *nested = NULL;
            assert_int_equal(store_read(f->store, &old, &f->error), STATUS_OK);
            assert_int_equal(scratch_child(grow_in_another_process, f), 0);
            /* With a transaction open in this thread the map cannot be followed, and waiting would
             * be for ever. */
            assert_int_equal(store_read(f->store, &nested, &f->error), STATUS_AGAIN);
            assert_int_equal(store_count(old, 1), 0);
            store_end(old);
        }
        assert_bulk(f->store, 100);
        if (mode == STORE_WRITE)
            assert_int_equal(update_one(f, "after", "too"), STATUS_OK);
        store_close(f->store);
        f->store = NULL;
    }
}

/* Faults. */

static void test_store__failed_sync_commits_nothing_and_ends_writing(void **state)
{
    struct fixture *f = *state;
    open_write(f);
    assert_int_equal(update_one(f, "before", "kept"), STATUS_OK);
    fail_fdatasync_errno = EIO;
    assert_int_equal(update_one(f, "lost", "x"), STATUS_IO);
    fail_fdatasync_errno = 0;
    assert_int_equal(update_one(f, "refused", "x"), STATUS_IO);
    assert_stored(f, "lost", NULL);
    store_close(f->store);
    open_write(f);
    assert_stored(f, "before", "kept");
    assert_stored(f, "lost", NULL);
    assert_int_equal(update_one(f, "after", "x"), STATUS_OK);
}

static enum status swallow_a_failed_put(struct store_txn *txn, void *context, struct error *error)
{
    const int *code = context;
    struct slice got;
    assert_int_equal(store_put(txn, 0, SLICE("half"), SLICE("x"), error), STATUS_OK);
    fail_put_code = *code;
    assert_int_not_equal(store_put(txn, 0, SLICE("other half"), SLICE("x"), error), STATUS_OK);
    fail_put_code = 0;
    /* From then on every call says why, whatever else is wrong with it. */
    assert_int_not_equal(store_put(txn, 0, SLICE("more"), SLICE("x"), error), STATUS_OK);
    assert_int_not_equal(store_get(txn, 0, SLICE("half"), &got, error), STATUS_OK);
    assert_int_not_equal(store_delete(txn, 0, SLICE("half"), error), STATUS_OK);
    assert_int_equal(store_count(txn, 0), 0);
    return STATUS_OK;
}

static void test_store__swallowed_write_error_is_never_committed(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int code;
        enum status expected;
        enum status afterwards;
    } rows[] = {
        {ENOMEM, STATUS_NO_MEMORY, STATUS_OK},           {ENOSPC, STATUS_NO_SPACE, STATUS_OK},
        {MDB_TXN_FULL, STATUS_RANGE, STATUS_OK},         {EIO, STATUS_IO, STATUS_IO},
        {MDB_CORRUPTED, STATUS_CORRUPT, STATUS_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int code = rows[i].code;
        open_write(f);
        assert_int_equal(store_update(f->store, swallow_a_failed_put, &code, &f->error),
                         rows[i].expected);
        assert_int_equal(f->error.status, rows[i].expected);
        assert_stored(f, "half", NULL);
        assert_int_equal(update_one(f, "after", "x"), rows[i].afterwards);
        store_close(f->store);
        f->store = NULL;
    }
}

static void fill_the_disk(struct fixture *f)
{
    struct bulk bulk = {.count = 20};
    assert_int_equal(update_one(f, "before", "kept"), STATUS_OK);
    assert_int_equal(store_update(f->store, put_bulk, &bulk, &f->error), STATUS_NO_SPACE);
    assert_int_equal(f->error.status, STATUS_NO_SPACE);
    assert_int_equal(bulk.runs, 1);
    assert_stored(f, "before", "kept");
    assert_bulk(f->store, 0);
    bulk.count = 1; /* room enough for this one: the store is not dead */
    assert_int_equal(store_update(f->store, put_bulk, &bulk, &f->error), STATUS_OK);
    assert_bulk(f->store, 1);
    store_close(f->store);
    open_write(f);
    assert_stored(f, "before", "kept");
    assert_bulk(f->store, 1);
}

static void test_store__full_disk_is_no_space_and_the_state_before(void **state)
{
    struct fixture *f = *state;
    if (!scratch_mount(f->root, 8 << 20))
        skip();
    open_write(f);
    fill_the_disk(f);
}

static void test_store__file_size_limit_counts_as_full_disk(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){(8 << 20) + 1234,
                            before.rlim_max}; /* no page boundary: a short write comes first */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    open_write(f);
    fill_the_disk(f);
    setrlimit(RLIMIT_FSIZE, &before);
}

static int open_as_nobody(void *context)
{
    struct fixture *f = context;
    struct store *store;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 100;
    return (int)store_open(f->root, STORE_READ, tables, 2, &store, &f->error);
}

static void test_store__reader_without_permission_is_refused(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0)
        skip();
    open_write(f);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(chmod(f->root, 0755), 0);
    assert_int_equal(scratch_child(open_as_nobody, f), STATUS_PERMISSION);
}

static void test_store__read_only_file_system_can_be_read(void **state)
{
    struct fixture *f = *state;
    if (!scratch_mount(f->root, 8 << 20))
        skip();
    open_write(f);
    assert_int_equal(update_one(f, "acme", "one"), STATUS_OK);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(mount("none", f->root, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    struct store *writer;
    assert_int_equal(store_open(f->root, STORE_WRITE, tables, 2, &writer, &f->error),
                     STATUS_PERMISSION);
    assert_int_equal(store_open(f->root, STORE_READ, tables, 2, &f->store, &f->error), STATUS_OK);
    assert_stored(f, "acme", "one");
}

static int kill_while_reading(void *context)
{
    struct fixture *f = context;
    struct store_txn *txn;
    if (store_open(f->root, STORE_READ, tables, 2, &f->store, &f->error) != STATUS_OK)
        return 1;
    if (store_read(f->store, &txn, &f->error) != STATUS_OK)
        return 2;
    raise(SIGKILL);
    return 3;
}

static void test_store__killed_reader_does_not_make_the_file_grow(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_BYTES];
    scratch_path(f->root, "data.mdb", path);
    open_write(f);
    assert_int_equal(update_one(f, "acme", "one"), STATUS_OK);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(scratch_child(kill_while_reading, f), 128 + SIGKILL);
    open_write(f); /* clears the dead reader */
    struct bulk bulk = {.count = 2};
    for (int i = 0; i < 10; i++)
        assert_int_equal(store_update(f->store, put_bulk, &bulk, &f->error), STATUS_OK);
    assert_true(scratch_size(path) < 8 * BIG_BYTES);
}

/* Against a slow obvious model: a sorted array. */

#define MODEL_MAX 600

struct entry {
    char key[24];
    size_t value_length;
    unsigned char fill;
};

struct model {
    struct entry entries[MODEL_MAX];
    size_t count;
};

struct random_run {
    uint64_t random;
    struct model committed;
    struct model model; /* within the transaction */
};

static size_t model_find(const struct model *model, const char *key, bool *found)
{
    size_t at = 0;
    while (at < model->count && strcmp(model->entries[at].key, key) < 0)
        at++;
    *found = at < model->count && strcmp(model->entries[at].key, key) == 0;
    return at;
}

static void model_put(struct model *model, const struct entry *entry)
{
    bool found;
    size_t at = model_find(model, entry->key, &found);
    if (!found) {
        memmove(&model->entries[at + 1], &model->entries[at], (model->count - at) * sizeof(*entry));
        model->count++;
    }
    model->entries[at] = *entry;
}

static void model_delete(struct model *model, size_t at)
{
    memmove(&model->entries[at], &model->entries[at + 1],
            (model->count - at - 1) * sizeof(model->entries[0]));
    model->count--;
}

static bool same(const struct entry *entry, struct slice value)
{
    if (value.length != entry->value_length)
        return false;
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)value.data[i] != entry->fill)
            return false;
    return true;
}

struct model_walk {
    const struct model *model;
    size_t at;
};

static enum status compare_visit(struct slice key, struct slice value, void *context,
                                 struct error *error)
{
    (void)error;
    struct model_walk *walk = context;
    assert_true(walk->at < walk->model->count);
    const struct entry *entry = &walk->model->entries[walk->at++];
    assert_true(slice_is(key, entry->key));
    assert_true(same(entry, value));
    return STATUS_OK;
}

static void compare(struct store_txn *txn, const struct model *model, const char *from)
{
    struct error error;
    bool found;
    struct slice key, value;
    struct model_walk walk = {model, model_find(model, from, &found)};
    assert_int_equal(store_walk(txn, 0, slice_string(from), compare_visit, &walk, &error),
                     STATUS_OK);
    assert_int_equal(walk.at, model->count);
    assert_int_equal(store_count(txn, 0), model->count);
    enum status status = store_last(txn, 0, &key, &value, &error);
    assert_int_equal(status, model->count ? STATUS_OK : STATUS_NOT_FOUND);
    if (model->count) {
        assert_true(slice_is(key, model->entries[model->count - 1].key));
        assert_true(same(&model->entries[model->count - 1], value));
    }
}

static void random_key(uint64_t *random, char key[24])
{
    uint64_t n = scratch_random(random);
    snprintf(key, 24, "%.*s%llu", (int)(n % 9), "aaaaaaaa", (unsigned long long)(n >> 16) % 500);
}

static void random_put(struct store_txn *txn, struct random_run *run, struct error *error)
{
    static unsigned char value[9000];
    struct entry entry;
    bool found;
    uint64_t n = scratch_random(&run->random);
    random_key(&run->random, entry.key);
    entry.value_length =
        n % 20 == 0 ? (n >> 8) % sizeof(value) : (n >> 8) % 300; /* some in overflow pages */
    entry.fill = (unsigned char)(n >> 32);
    memset(value, entry.fill, entry.value_length);
    struct slice key = slice_string(entry.key), bytes = slice_of((char *)value, entry.value_length);
    (void)model_find(&run->model, entry.key, &found);
    if (n & 1) {
        assert_int_equal(store_put_new(txn, 0, key, bytes, error),
                         found ? STATUS_EXISTS : STATUS_OK);
        if (found)
            return;
    } else {
        assert_int_equal(store_put(txn, 0, key, bytes, error), STATUS_OK);
    }
    model_put(&run->model, &entry);
}

static enum status random_change(struct store_txn *txn, void *context, struct error *error)
{
    struct random_run *run = context;
    run->model = run->committed;
    for (int i = 0; i < 40; i++) {
        char key[24];
        bool found;
        struct slice value;
        uint64_t n = scratch_random(&run->random) % 100;
        random_key(&run->random, key);
        size_t at = model_find(&run->model, key, &found);
        if (n < 45 && run->model.count < MODEL_MAX - 1) {
            random_put(txn, run, error);
        } else if (n < 75) {
            assert_int_equal(store_delete(txn, 0, slice_string(key), error),
                             found ? STATUS_OK : STATUS_NOT_FOUND);
            if (found)
                model_delete(&run->model, at);
        } else if (n < 97) {
            assert_int_equal(store_get(txn, 0, slice_string(key), &value, error),
                             found ? STATUS_OK : STATUS_NOT_FOUND);
            assert_true(!found || same(&run->model.entries[at], value));
        } else if (n == 97 && scratch_random(&run->random) % 10 == 0) {
            assert_int_equal(store_clear(txn, 0, error), STATUS_OK);
            run->model.count = 0;
        } else {
            compare(txn, &run->model, key);
        }
    }
    return scratch_random(&run->random) % 8 == 0 ? STATUS_INVALID : STATUS_OK;
}

static void test_store__random_operations_match_a_sorted_array(void **state)
{
    struct fixture *f = *state;
    const uint64_t seed = 20261030;
    struct random_run *run = calloc(1, sizeof(*run));
    run->random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    open_write(f);
    for (int i = 0; i < 400; i++) {
        struct store_txn *txn;
        enum status status = store_update(f->store, random_change, run, &f->error);
        assert_true(status == STATUS_OK || status == STATUS_INVALID);
        if (status == STATUS_OK)
            run->committed = run->model;
        if (i % 50 == 49) {
            store_close(f->store);
            open_write(f);
        }
        assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
        compare(txn, &run->committed, "");
        store_end(txn);
    }
    free(run);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_store__value_comes_back_after_reopening),
        TEST(test_store__refused_change_leaves_nothing),
        TEST(test_store__put_new_keeps_the_first),
        TEST(test_store__open_errors),
        TEST(test_store__reader_sees_a_missing_table_empty),
        TEST(test_store__unfinished_creation_is_made_anew),
        TEST(test_store__walk_is_in_memcmp_order_from_a_key),
        TEST(test_store__walk_ends_with_the_visitors_status),
        TEST(test_store__visitor_may_write_to_the_walked_table),
        TEST(test_store__map_grows_and_the_change_runs_again),
        TEST(test_store__swallowed_map_full_still_grows),
        TEST(test_store__growing_waits_for_readers_of_this_process),
        TEST(test_store__map_grown_by_another_process_is_followed),
        TEST(test_store__failed_sync_commits_nothing_and_ends_writing),
        TEST(test_store__swallowed_write_error_is_never_committed),
        TEST(test_store__full_disk_is_no_space_and_the_state_before),
        TEST(test_store__file_size_limit_counts_as_full_disk),
        TEST(test_store__reader_without_permission_is_refused),
        TEST(test_store__read_only_file_system_can_be_read),
        TEST(test_store__killed_reader_does_not_make_the_file_grow),
        TEST(test_store__random_operations_match_a_sorted_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
