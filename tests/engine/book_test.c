#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "engine/book.h"

static const char card[] = "kind: ratecard\n"
                           "name: public\n"
                           "currency: EUR\n"
                           "effective_from: 2026-10-01T00:00:00Z\n"
                           "charges:\n"
                           "  - {code: vm, meter: vm.running, unit: hour, price: \"0.01\"}\n"
                           "---\n"
                           "kind: catalogue\n"
                           "name: public\n"
                           "ratecard: public\n";

struct fixture {
    char root[64];
    struct datadir datadir;
    struct book *book;
    struct arena arena;
    struct entry_list entries;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char path[96];
    assert_non_null(fixture);
    strcpy(fixture->root, "/tmp/ratel-book-XXXXXX");
    if (!mkdtemp(fixture->root))
        return -1;
    *state = fixture;
    snprintf(path, sizeof(path), "%s/data", fixture->root);
    arena_init(&fixture->arena);
    struct error *error = &fixture->error;
    if (datadir_init(path, 1, error) != STATUS_OK ||
        datadir_open(path, DATADIR_WRITE, &fixture->datadir, error) != STATUS_OK ||
        book_open(&fixture->datadir, STORE_WRITE, &fixture->book, error) != STATUS_OK)
        return -1;

    struct document_list documents;
    struct problems problems;
    struct entry_list none;
    documents_init(&documents, &fixture->arena);
    problems_init(&problems, &fixture->arena);
    entries_init(&none, &fixture->arena);
    entries_init(&fixture->entries, &fixture->arena);
    if (documents_parse(&documents, SLICE("card.yaml"), slice_of(card, sizeof(card) - 1),
                        &problems) != STATUS_OK)
        return -1;
    return documents_entries(&documents, &none, (struct instant){0}, &problems,
                             &fixture->entries) == STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[96];
    book_close(fixture->book);
    datadir_close(&fixture->datadir);
    arena_fini(&fixture->arena);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->root);
    int code = system(command);
    free(fixture);
    return code;
}

static void load(struct fixture *fixture, const struct entry_list *entries, int64_t now)
{
    struct slice titles[] = {SLICE("first"), SLICE("second")};
    assert_int_equal(
        book_load(fixture->book, entries, titles, 2, (struct instant){now}, &fixture->error),
        STATUS_OK);
}

static void test_book__what_is_loaded_comes_back_and_compiles(void **state)
{
    struct fixture *fixture = *state;
    struct entry_list back;
    entries_init(&back, &fixture->arena);
    assert_int_equal(fixture->entries.count, 2);
    load(fixture, &fixture->entries, 1);
    assert_int_equal(book_entries(fixture->book, &back, &fixture->error), STATUS_OK);
    assert_int_equal(back.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(back.items[i].table, fixture->entries.items[i].table);
        assert_true(slice_equal(back.items[i].key, fixture->entries.items[i].key));
        assert_true(slice_equal(back.items[i].value, fixture->entries.items[i].value));
    }
    struct snapshot *snapshot;
    assert_int_equal(book_snapshot(fixture->book, &snapshot, &fixture->error), STATUS_OK);
    assert_int_equal(snapshot->charge_count, 1);
    assert_int_equal(snapshot->catalogue_count, 1);
    snapshot_free(snapshot);
}

static void test_book__an_empty_one_compiles(void **state)
{
    struct fixture *fixture = *state;
    struct snapshot *snapshot;
    assert_int_equal(book_snapshot(fixture->book, &snapshot, &fixture->error), STATUS_OK);
    assert_int_equal(snapshot->version_count, 0);
    snapshot_free(snapshot);
}

static void test_book__revision_counts_loads_and_is_that_of_the_snapshot(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t loads = 0; loads < 3; loads++) {
        uint64_t now = 99, compiled = 99;
        struct snapshot *snapshot;
        assert_int_equal(book_revision(fixture->book, &now, &fixture->error), STATUS_OK);
        assert_int_equal(book_snapshot_at(fixture->book, &snapshot, &compiled, &fixture->error),
                         STATUS_OK);
        assert_int_equal(now, loads);
        assert_int_equal(compiled, loads);
        assert_int_equal(snapshot->charge_count, loads > 0);
        snapshot_free(snapshot);
        load(fixture, &fixture->entries, 1);
    }
}

struct audit_log {
    uint64_t next;
    struct instant times[8];
};

static enum status see_audit(struct slice key, struct slice value, void *context,
                             struct error *error)
{
    (void)error;
    struct audit_log *log = context;
    uint64_t sequence;
    assert_int_equal(key.length, sizeof(sequence));
    memcpy(&sequence, key.data, sizeof(sequence));
    assert_int_equal(be64toh(sequence), log->next + 1);
    struct unpacker unpacker;
    unpack_init(&unpacker, value);
    assert_int_equal(unpack_u8(&unpacker), 1);
    log->times[log->next].seconds = (int64_t)unpack_u64(&unpacker);
    assert_true(slice_is(unpack_slice(&unpacker), "load"));
    assert_true(slice_is(unpack_slice(&unpacker), log->next % 2 ? "second" : "first"));
    assert_true(!unpacker.failed && unpack_at_end(&unpacker));
    log->next++;
    return STATUS_OK;
}

static void test_book__each_title_is_an_audit_line_in_order(void **state)
{
    struct fixture *fixture = *state;
    load(fixture, &fixture->entries, 100);
    load(fixture, &fixture->entries, 200);
    struct audit_log log = {0};
    struct store_txn *txn;
    assert_int_equal(store_read(book_store(fixture->book), &txn, &fixture->error), STATUS_OK);
    assert_int_equal(
        store_walk(txn, BOOK_AUDIT, (struct slice){NULL, 0}, see_audit, &log, &fixture->error),
        STATUS_OK);
    store_end(txn);
    assert_int_equal(log.next, 4);
    assert_int_equal(log.times[0].seconds, 100);
    assert_int_equal(log.times[3].seconds, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_book__what_is_loaded_comes_back_and_compiles, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_book__an_empty_one_compiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_book__revision_counts_loads_and_is_that_of_the_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_book__each_title_is_an_audit_line_in_order, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
