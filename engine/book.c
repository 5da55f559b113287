#include "engine/book.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"

#define AUDIT_FORMAT    1
#define REVISION_FORMAT 1
#define REVISION_KEY    SLICE("documents")

struct book {
    struct store *store;
};

/* The names of the tables that are not the documents'. */
static const char *const own_tables[BOOK_TABLE_COUNT - ENTRY_TABLE_COUNT] = {
    [BOOK_INVOICE - ENTRY_TABLE_COUNT] = "invoice", [BOOK_DRAFT - ENTRY_TABLE_COUNT] = "draft",
    [BOOK_SERIES - ENTRY_TABLE_COUNT] = "series",   [BOOK_OUTBOX - ENTRY_TABLE_COUNT] = "outbox",
    [BOOK_AUDIT - ENTRY_TABLE_COUNT] = "audit",     [BOOK_META - ENTRY_TABLE_COUNT] = "meta",
};

static_assert(BOOK_TABLE_COUNT <= STORE_TABLES_MAX,
              "the book has more tables than an environment takes");

enum status book_open(const struct datadir *datadir, enum store_mode mode, struct book **ret,
                      struct error *error)
{
    /* Writers hold a lock. LMDB keeps their transactions apart where each holds another one. */
    assert(mode == STORE_READ || datadir->lock_fd >= 0 || datadir->book_lock_fd >= 0);
    const char *tables[BOOK_TABLE_COUNT];
    for (uint32_t i = 0; i < ENTRY_TABLE_COUNT; i++)
        tables[i] = entry_table_name((enum entry_table)i);
    for (uint32_t i = ENTRY_TABLE_COUNT; i < BOOK_TABLE_COUNT; i++)
        tables[i] = own_tables[i - ENTRY_TABLE_COUNT];
    char path[DATADIR_PATH_BYTES];
    datadir_path(datadir, "book", path);

    struct book *book = calloc(1, sizeof(*book));
    if (!book)
        return error_set(error, STATUS_NO_MEMORY, "cannot open %s: out of memory", path);
    enum status status = store_open(path, mode, tables, BOOK_TABLE_COUNT, &book->store, error);
    if (status != STATUS_OK) {
        free(book);
        return status;
    }
    *ret = book;
    return STATUS_OK;
}

void book_close(struct book *book)
{
    if (!book)
        return;
    store_close(book->store);
    free(book);
}

struct store *book_store(struct book *book)
{
    return book->store;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------------------
 */

struct gather {
    struct entry_list *list;
    enum entry_table table;
};

static enum status gather_entry(struct slice key, struct slice value, void *context,
                                struct error *error)
{
    (void)error;
    struct gather *gather = context;
    struct arena *arena = gather->list->arena;
    entries_add(gather->list, gather->table, arena_copy(arena, key), arena_copy(arena, value));
    return STATUS_OK;
}

static enum status read_revision(struct store_txn *txn, uint64_t *ret, struct error *error)
{
    struct slice value;
    struct unpacker in;
    *ret = 0;
    enum status status = store_get(txn, BOOK_META, REVISION_KEY, &value, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    unpack_init(&in, value);
    uint8_t format = unpack_u8(&in);
    uint64_t revision = unpack_u64(&in);
    if (in.failed || format != REVISION_FORMAT)
        return error_set(error, STATUS_CORRUPT, "the book's revision is damaged");
    *ret = revision;
    return STATUS_OK;
}

enum status book_revision(struct book *book, uint64_t *ret, struct error *error)
{
    struct store_txn *txn;
    enum status status = store_read(book->store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = read_revision(txn, ret, error);
    store_end(txn);
    return status;
}

static enum status read_entries(struct book *book, struct entry_list *ret, uint64_t *ret_revision,
                                struct error *error)
{
    assert(ret->arena);
    struct store_txn *txn;
    enum status status = store_read(book->store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = read_revision(txn, ret_revision, error);
    /* One transaction for all tables: cards and the catalogues that name them are of one state. */
    for (uint32_t table = 0; table < ENTRY_TABLE_COUNT && status == STATUS_OK; table++) {
        struct gather gather = {ret, (enum entry_table)table};
        status = store_walk(txn, table, (struct slice){NULL, 0}, gather_entry, &gather, error);
    }
    store_end(txn);
    return status;
}

enum status book_entries(struct book *book, struct entry_list *ret, struct error *error)
{
    uint64_t revision;
    return read_entries(book, ret, &revision, error);
}

enum status book_snapshot(struct book *book, struct snapshot **ret, struct error *error)
{
    uint64_t revision;
    return book_snapshot_at(book, ret, &revision, error);
}

enum status book_snapshot_at(struct book *book, struct snapshot **ret, uint64_t *ret_revision,
                             struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    struct entry_list entries;
    entries_init(&entries, &arena);
    struct problems problems;
    problems_init(&problems, &arena);
    enum status status = read_entries(book, &entries, ret_revision, error);
    if (status == STATUS_OK) {
        const struct entry_list *lists[] = {&entries};
        status = snapshot_compile(lists, 1, &problems, ret);
        if (status == STATUS_INVALID) {
            /* Everything was compiled before it was stored, so this cannot come from a document. */
            struct slice text =
                problems.count > 0 ? problems.items[0].text : SLICE("no problem is named");
            status = error_set(error, STATUS_BUG, "the loaded documents do not compile: %.*s",
                               (int)text.length, text.data);
        } else if (status != STATUS_OK) {
            status = error_set(error, status, "cannot compile the loaded documents: %s",
                               status_text(status));
        }
    }
    arena_fini(&arena);
    return status;
}

/* ---- writing
 * ------------------------------------------------------------------------------------------------------
 */

enum status book_audit(struct store_txn *txn, struct instant now, struct slice action,
                       struct slice text, struct error *error)
{
    struct slice last_key, last_value;
    uint64_t sequence = 1;
    enum status status = store_last(txn, BOOK_AUDIT, &last_key, &last_value, error);
    if (status == STATUS_OK) {
        if (last_key.length != sizeof(sequence))
            return error_set(error, STATUS_CORRUPT, "the audit log has a key of %zu bytes",
                             last_key.length);
        uint64_t last;
        memcpy(&last, last_key.data, sizeof(last));
        sequence = be64toh(last) + 1;
    } else if (status != STATUS_NOT_FOUND) {
        return status;
    }
    /* Big-endian, so that the order of keys is the order of time. */
    uint64_t key = htobe64(sequence);
    struct packer packer;
    pack_init(&packer);
    pack_u8(&packer, AUDIT_FORMAT);
    pack_u64(&packer, (uint64_t)now.seconds);
    pack_slice(&packer, action);
    pack_slice(&packer, text);
    status = STATUS_NO_MEMORY;
    if (packer.failed)
        error_set(error, status, "cannot write the audit log: out of memory");
    else
        status = store_put_new(txn, BOOK_AUDIT, slice_of((const char *)&key, sizeof(key)),
                               pack_done(&packer), error);
    pack_fini(&packer);
    return status;
}

struct load {
    const struct entry_list *entries;
    const struct slice *titles;
    uint32_t title_count;
    struct instant now;
};

static enum status next_revision(struct store_txn *txn, struct error *error)
{
    uint64_t revision;
    struct packer packer;
    enum status status = read_revision(txn, &revision, error);
    if (status != STATUS_OK)
        return status;
    pack_init(&packer);
    pack_u8(&packer, REVISION_FORMAT);
    pack_u64(&packer, revision + 1);
    status = packer.failed
                 ? error_set(error, STATUS_NO_MEMORY, "cannot count the load: out of memory")
                 : store_put(txn, BOOK_META, REVISION_KEY, pack_done(&packer), error);
    pack_fini(&packer);
    return status;
}

/* Only writes in the transaction: the store may run it again after growing. */
static enum status load_change(struct store_txn *txn, void *context, struct error *error)
{
    const struct load *load = context;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < load->entries->count && status == STATUS_OK; i++) {
        const struct entry *entry = &load->entries->items[i];
        assert((uint32_t)entry->table < ENTRY_TABLE_COUNT);
        status = store_put(txn, (uint32_t)entry->table, entry->key, entry->value, error);
    }
    if (status == STATUS_OK)
        status = next_revision(txn, error);
    for (uint32_t i = 0; i < load->title_count && status == STATUS_OK; i++)
        status = book_audit(txn, load->now, SLICE("load"), load->titles[i], error);
    return status;
}

enum status book_load(struct book *book, const struct entry_list *entries,
                      const struct slice *titles, uint32_t title_count, struct instant now,
                      struct error *error)
{
    struct load load = {entries, titles, title_count, now};
    return store_update(book->store, load_change, &load, error);
}
