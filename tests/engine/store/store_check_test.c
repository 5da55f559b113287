/* Damage: what comes back is right or an error, never silently wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdb.h>

#include "base/hash.h"
#include "base/pack.h"
#include "scratch.h"
#include "store/store.h"

#define VALUES 3000

static const char *const tables[] = {"accounts"};

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    char data[SCRATCH_PATH_BYTES];
    struct store *store;
    struct error error;
};

static void make_key(unsigned i, char key[32])
{
    snprintf(key, 32, "key-%07u", i * 7919u);
}

static void make_value(unsigned i, char value[96])
{
    snprintf(value, 96, "value-%010u-of-%010u-with-some-length-so-that-pages-fill-up", i,
             i * 2654435761u);
}

static enum status put_values(struct store_txn *txn, void *context, struct error *error)
{
    (void)context;
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < VALUES && status == STATUS_OK; i++) {
        char key[32], value[96];
        make_key(i, key);
        make_value(i, value);
        status = store_put(txn, 0, slice_string(key), slice_string(value), error);
    }
    return status;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_make(f->root);
    scratch_path(f->root, "data.mdb", f->data);
    if (store_open(f->root, STORE_WRITE, tables, 1, &f->store, &f->error) != STATUS_OK ||
        store_update(f->store, put_values, NULL, &f->error) != STATUS_OK)
        return -1;
    store_close(f->store);
    f->store = NULL;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static size_t find_in_file(const char *path, const char *needle, size_t needle_length, size_t from)
{
    size_t length;
    char *content = scratch_read(path, &length);
    char *at = memmem(content + from, length - from, needle, needle_length);
    size_t offset = at ? (size_t)(at - content) : SIZE_MAX;
    free(content);
    return offset;
}

static void test_store_check__whole_store_is_ok_and_counted(void **state)
{
    struct fixture *f = *state;
    uint64_t values = 0;
    assert_int_equal(store_check(f->root, &values, &f->error), STATUS_OK);
    assert_int_equal(values, VALUES + 1); /* and the format version */
}

static enum status ignore_value(struct slice key, struct slice value, void *context,
                                struct error *error)
{
    (void)key, (void)value, (void)context, (void)error;
    return STATUS_OK;
}

static void test_store_check__flipped_value_is_named(void **state)
{
    struct fixture *f = *state;
    char key[32], value[96];
    struct store_txn *txn;
    struct slice got;
    make_key(77, key);
    make_value(77, value);
    size_t offset = find_in_file(f->data, value, strlen(value), 0);
    assert_true(offset != SIZE_MAX);
    scratch_flip(f->data, offset + 10, 0x04);

    assert_int_equal(store_open(f->root, STORE_READ, tables, 1, &f->store, &f->error), STATUS_OK);
    assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
    assert_int_equal(store_get(txn, 0, slice_string(key), &got, &f->error), STATUS_CORRUPT);
    assert_non_null(strstr(f->error.text, key));
    assert_non_null(strstr(f->error.text, "accounts"));
    assert_string_equal(f->error.file, f->root);
    assert_int_equal(store_walk(txn, 0, SLICE(""), ignore_value, NULL, &f->error), STATUS_CORRUPT);
    make_key(78, key);
    assert_int_equal(store_get(txn, 0, slice_string(key), &got, &f->error), STATUS_OK);
    store_end(txn);
    assert_int_equal(store_check(f->root, NULL, &f->error), STATUS_CORRUPT);
}

struct whole_walk {
    unsigned count;
};

static enum status check_visit(struct slice key, struct slice value, void *context,
                               struct error *error)
{
    (void)error;
    struct whole_walk *walk = context;
    char text[96], expected[96];
    snprintf(text, sizeof(text), "%.*s", (int)key.length, key.data);
    unsigned i = (unsigned)strtoul(text + 4, NULL, 10) / 7919u;
    walk->count++;
    make_key(i, expected);
    if (strcmp(text, expected) != 0)
        return STATUS_BUG;
    make_value(i, expected);
    return slice_is(value, expected) ? STATUS_OK : STATUS_BUG;
}

/* Exit codes: 0 everything as stored, 1 an error was reported, 2 silently wrong. */
static int read_everything(void *context)
{
    struct fixture *f = context;
    struct store *store;
    struct store_txn *txn;
    struct whole_walk walk = {0};
    if (store_open(f->root, STORE_READ, tables, 1, &store, &f->error) != STATUS_OK)
        return 1;
    if (store_read(store, &txn, &f->error) != STATUS_OK)
        return 1;
    enum status status = store_walk(txn, 0, SLICE(""), check_visit, &walk, &f->error);
    if (status == STATUS_BUG)
        return 2;
    if (status != STATUS_OK)
        return 1;
    return walk.count == VALUES ? 0 : 2;
}

static void test_store_check__random_bit_flips_are_never_silent(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 4711;
    size_t length = scratch_size(f->data);
    unsigned reported = 0, harmless = 0;
    for (int i = 0; i < 300; i++) {
        uint64_t n = scratch_random(&random);
        size_t offset = (n >> 8) % length;
        unsigned char mask = (unsigned char)(1u << (n & 7));
        scratch_flip(f->data, offset, mask);
        if (store_check(f->root, NULL, &f->error) == STATUS_OK) {
            int code = scratch_child(read_everything, f);
            if (code != 0)
                fail_msg("byte %zu mask %02x: passed the check, then %d", offset, mask, code);
            harmless++;
        } else {
            reported++;
        }
        scratch_flip(f->data, offset, mask);
    }
    print_message("%u reported, %u without effect\n", reported, harmless);
    assert_true(reported > 100);
    assert_int_equal(scratch_child(read_everything, f), 0);
}

static void test_store_check__cut_file_is_an_error_not_a_signal(void **state)
{
    struct fixture *f = *state;
    for (size_t bytes = scratch_size(f->data) / 2; bytes >= 4096; bytes /= 2) {
        assert_int_equal(truncate(f->data, (off_t)bytes), 0);
        assert_int_equal(store_open(f->root, STORE_READ, tables, 1, &f->store, &f->error),
                         STATUS_CORRUPT);
        assert_null(f->store);
    }
}

static void test_store_check__garbage_is_corrupt(void **state)
{
    struct fixture *f = *state;
    char garbage[8192];
    memset(garbage, 0x5a, sizeof(garbage));
    scratch_write(f->data, garbage, sizeof(garbage));
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++)
        assert_int_equal(
            store_open(f->root, (enum store_mode)mode, tables, 1, &f->store, &f->error),
            STATUS_CORRUPT);
}

/* Writes straight through LMDB into a table, as another program would. */
static void put_behind_its_back(const char *root, const char *table, const char *key,
                                struct slice value)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val mdb_key = {strlen(key), (void *)(uintptr_t)key},
            mdb_value = {value.length, (void *)(uintptr_t)value.data};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, root, 0, 0660), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &mdb_key, &mdb_value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void test_store_check__value_of_another_table_does_not_pass(void **state)
{
    struct fixture *f = *state;
    struct store_txn *txn;
    struct slice got;
    char key[32], value[96];
    make_key(5, key);
    make_value(5, value);
    size_t offset = find_in_file(f->data, value, strlen(value), 0), length;
    char *content = scratch_read(f->data, &length);
    put_behind_its_back(f->root, "other", key, slice_of(content + offset, strlen(value) + 4));
    free(content);
    static const char *const both[] = {"accounts", "other"};
    assert_int_equal(store_open(f->root, STORE_READ, both, 2, &f->store, &f->error), STATUS_OK);
    assert_int_equal(store_read(f->store, &txn, &f->error), STATUS_OK);
    assert_int_equal(store_get(txn, 0, slice_string(key), &got, &f->error), STATUS_OK);
    assert_int_equal(store_get(txn, 1, slice_string(key), &got, &f->error), STATUS_CORRUPT);
    store_end(txn);
}

static void test_store_check__unknown_version_is_refused_with_its_writer(void **state)
{
    struct fixture *f = *state;
    struct packer packer;
    pack_init(&packer);
    pack_bytes(&packer, "RATELKVS", 8);
    pack_u32(&packer, 99);
    pack_slice(&packer, SLICE("7.8.9"));
    uint32_t key_length = 6, crc = crc32c(0, ".ratel", 6);
    crc = crc32c(crc, &key_length, 4);
    crc = crc32c(crc, "format", 6);
    crc = crc32c(crc, packer.data, packer.length);
    pack_u32(&packer, crc);
    put_behind_its_back(f->root, ".ratel", "format", pack_done(&packer));
    pack_fini(&packer);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        assert_int_equal(
            store_open(f->root, (enum store_mode)mode, tables, 1, &f->store, &f->error),
            STATUS_VERSION);
        assert_non_null(strstr(f->error.text, "99"));
        assert_non_null(strstr(f->error.text, "7.8.9"));
        assert_non_null(strstr(f->error.text, RATEL_VERSION));
    }
}

static void test_store_check__foreign_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char root[SCRATCH_PATH_BYTES];
    scratch_make(root);
    put_behind_its_back(root, "theirs", "k", SLICE("v"));
    assert_int_equal(store_open(root, STORE_WRITE, tables, 1, &f->store, &f->error),
                     STATUS_CORRUPT);
    scratch_remove(root);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_store_check__whole_store_is_ok_and_counted),
        TEST(test_store_check__flipped_value_is_named),
        TEST(test_store_check__random_bit_flips_are_never_silent),
        TEST(test_store_check__cut_file_is_an_error_not_a_signal),
        TEST(test_store_check__garbage_is_corrupt),
        TEST(test_store_check__value_of_another_table_does_not_pass),
        TEST(test_store_check__unknown_version_is_refused_with_its_writer),
        TEST(test_store_check__foreign_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
