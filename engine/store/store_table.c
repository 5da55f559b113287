/* What a transaction does with its tables. Invariants: store.c. */
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "store/store_private.h"

uint32_t store_seal_seed(struct slice table_name)
{
    return crc32c(0, table_name.data, table_name.length);
}

/* The key's length goes in as well, so that a byte cannot pass from key to value unseen. */
uint32_t store_seal(uint32_t seed, struct slice key, struct slice value)
{
    uint32_t length = htole32((uint32_t)key.length);
    uint32_t crc = crc32c(seed, &length, sizeof(length));
    crc = crc32c(crc, key.data, key.length);
    return value.length ? crc32c(crc, value.data, value.length) : crc;
}

bool store_unseal(uint32_t seed, struct slice key, MDB_val stored, struct slice *ret)
{
    if (stored.mv_size < STORE_SEAL_BYTES)
        return false;
    struct slice value = {stored.mv_data, stored.mv_size - STORE_SEAL_BYTES};
    uint32_t seal;
    memcpy(&seal, value.data + value.length, sizeof(seal));
    if (le32toh(seal) != store_seal(seed, key, value))
        return false;
    *ret = value;
    return true;
}

void store_describe(const char *table, struct slice key, char buffer[160])
{
    const size_t shown_max = 32;
    size_t shown = key.length < shown_max ? key.length : shown_max;
    bool printable = true;
    for (size_t i = 0; i < shown; i++)
        printable = printable && key.data[i] >= 0x20 && key.data[i] < 0x7f;
    const char *more = shown < key.length ? "..." : "";
    if (printable) {
        snprintf(buffer, 160, "table '%s' key '%.*s%s'", table, (int)shown, key.data, more);
        return;
    }
    int at = snprintf(buffer, 160, "table '%s' key 0x", table);
    for (size_t i = 0; i < shown && at < 150; i++)
        at += snprintf(buffer + at, (size_t)(160 - at), "%02x", (unsigned char)key.data[i]);
    snprintf(buffer + at, (size_t)(160 - at), "%s", more);
}

static struct store_table *table_of(struct store_txn *txn, uint32_t table)
{
    assert(txn && txn->txn);
    assert(table < txn->store->table_count);
    return &txn->store->tables[table];
}

static MDB_val key_of(struct slice key)
{
    assert(key.length > 0 && key.length <= STORE_KEY_BYTES_MAX);
    return (MDB_val){key.length, (void *)(uintptr_t)key.data};
}

static enum status damaged(struct store_txn *txn, const struct store_table *table, struct slice key,
                           const char *how, struct error *error)
{
    char place[160];
    store_describe(table->name, key, place);
    error_set(error, STATUS_CORRUPT, "%s: %s", place, how);
    if (error)
        (void)error_at(error, txn->store->directory, 0, 0);
    return STATUS_CORRUPT;
}

/* Unseals (S-3), or says which value is damaged. */
static enum status hand_out(struct store_txn *txn, const struct store_table *table,
                            struct slice key, MDB_val stored, struct slice *ret,
                            struct error *error)
{
    if (store_unseal(table->seed, key, stored, ret))
        return STATUS_OK;
    return damaged(txn, table, key, "the value does not match its checksum", error);
}

/* A failed write dooms its transaction (S-5), except that a full map only asks for another run. */
static enum status write_failed(struct store_txn *txn, int code, struct error *error,
                                const char *what)
{
    if (code == MDB_MAP_FULL) {
        txn->map_full = true;
        return error_set(error, STATUS_NO_SPACE, "the map is full"); /* seen by `change` only */
    }
    struct error why;
    enum status status = store_mdb_error(txn->store, code, &why, what);
    if (txn->failed == STATUS_OK) {
        txn->failed = status;
        txn->why = why;
    }
    if (error)
        *error = why;
    return status;
}

/* After a failed write LMDB refuses everything in the transaction with an error that would hide the
 * first one. */
static enum status doomed(const struct store_txn *txn, struct error *error)
{
    if (txn->map_full)
        return error_set(error, STATUS_NO_SPACE, "the map is full");
    if (txn->failed != STATUS_OK && error)
        *error = txn->why;
    return txn->failed;
}

enum status store_get(struct store_txn *txn, uint32_t table, struct slice key, struct slice *ret,
                      struct error *error)
{
    struct store_table *at = table_of(txn, table);
    MDB_val mdb_key = key_of(key), stored;
    enum status status = doomed(txn, error);
    if (status != STATUS_OK)
        return status;
    if (!at->present)
        return STATUS_NOT_FOUND;
    int code = mdb_get(txn->txn, at->dbi, &mdb_key, &stored);
    if (code == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (code != MDB_SUCCESS)
        return store_mdb_error(txn->store, code, error, at->name);
    return hand_out(txn, at, key, stored, ret, error);
}

static enum status put(struct store_txn *txn, uint32_t table, struct slice key, struct slice value,
                       unsigned flags, struct error *error)
{
    struct store_table *at = table_of(txn, table);
    assert(txn->writable && at->present);
    assert(value.length <= STORE_VALUE_BYTES_MAX);
    enum status status = doomed(txn, error);
    if (status != STATUS_OK)
        return status;
    uint32_t seal = htole32(store_seal(at->seed, key, value));
    MDB_val mdb_key = key_of(key), room = {value.length + STORE_SEAL_BYTES, NULL};
    int code = mdb_put(txn->txn, at->dbi, &mdb_key, &room, flags | MDB_RESERVE);
    if (code == MDB_KEYEXIST)
        return STATUS_EXISTS;
    if (code != MDB_SUCCESS)
        return write_failed(txn, code, error, at->name);
    txn->write_count++;
    if (value.length)
        memcpy(room.mv_data, value.data, value.length);
    memcpy((char *)room.mv_data + value.length, &seal, sizeof(seal));
    /* S-3 on the way in as well. Fails when `value` lay in a page of this transaction that the put
     * moved. */
    struct slice stored;
    assert(store_unseal(at->seed, key, room, &stored));
    (void)stored;
    return STATUS_OK;
}

enum status store_put(struct store_txn *txn, uint32_t table, struct slice key, struct slice value,
                      struct error *error)
{
    return put(txn, table, key, value, 0, error);
}

enum status store_put_new(struct store_txn *txn, uint32_t table, struct slice key,
                          struct slice value, struct error *error)
{
    return put(txn, table, key, value, MDB_NOOVERWRITE, error);
}

enum status store_delete(struct store_txn *txn, uint32_t table, struct slice key,
                         struct error *error)
{
    struct store_table *at = table_of(txn, table);
    assert(txn->writable && at->present);
    MDB_val mdb_key = key_of(key);
    enum status status = doomed(txn, error);
    if (status != STATUS_OK)
        return status;
    int code = mdb_del(txn->txn, at->dbi, &mdb_key, NULL);
    if (code == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (code != MDB_SUCCESS)
        return write_failed(txn, code, error, at->name);
    txn->write_count++;
    return STATUS_OK;
}

enum status store_clear(struct store_txn *txn, uint32_t table, struct error *error)
{
    struct store_table *at = table_of(txn, table);
    assert(txn->writable && at->present);
    enum status status = doomed(txn, error);
    if (status != STATUS_OK)
        return status;
    int code = mdb_drop(txn->txn, at->dbi, 0);
    if (code != MDB_SUCCESS)
        return write_failed(txn, code, error, at->name);
    txn->write_count++;
    return STATUS_OK;
}

uint64_t store_count(struct store_txn *txn, uint32_t table)
{
    struct store_table *at = table_of(txn, table);
    MDB_stat stat;
    if (!at->present || doomed(txn, NULL) != STATUS_OK)
        return 0; /* what a doomed transaction counts is thrown away anyway */
    int code = mdb_stat(txn->txn, at->dbi, &stat);
    assert(code == MDB_SUCCESS); /* only a bad handle or a dead transaction fails here */
    return stat.ms_entries;
}

struct walk {
    struct store_txn *txn;
    struct store_table *table;
    MDB_cursor *cursor;
    uint64_t write_count; /* of the transaction, when the cursor was placed */
    size_t last_length;   /* 0: before the first key */
    char last[STORE_KEY_BYTES_MAX];
};

/* Moves on to the first key behind `last`. After a write the cursor is placed anew by key: correct
 * whatever was put or deleted, and without leaning on LMDB's tracking of cursors through page
 * splits. */
static int walk_next(struct walk *walk, struct slice from, MDB_val *key, MDB_val *stored)
{
    if (walk->last_length == 0) {
        *key = (MDB_val){from.length, (void *)(uintptr_t)from.data};
        return mdb_cursor_get(walk->cursor, key, stored, from.length ? MDB_SET_RANGE : MDB_FIRST);
    }
    if (walk->write_count == walk->txn->write_count)
        return mdb_cursor_get(walk->cursor, key, stored, MDB_NEXT);
    walk->write_count = walk->txn->write_count;
    *key = (MDB_val){walk->last_length, walk->last};
    int code = mdb_cursor_get(walk->cursor, key, stored, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && key->mv_size == walk->last_length &&
        memcmp(key->mv_data, walk->last, walk->last_length) == 0)
        code = mdb_cursor_get(walk->cursor, key, stored, MDB_NEXT);
    return code;
}

static enum status walk_table(struct walk *walk, struct slice from, store_visit *visit,
                              void *context, struct error *error)
{
    for (;;) {
        MDB_val mdb_key, stored;
        struct slice value;
        enum status status = doomed(walk->txn, error);
        if (status != STATUS_OK)
            return status;
        int code = walk_next(walk, from, &mdb_key, &stored);
        if (code == MDB_NOTFOUND)
            return STATUS_OK;
        if (code != MDB_SUCCESS)
            return store_mdb_error(walk->txn->store, code, error, walk->table->name);
        struct slice key = {mdb_key.mv_data, mdb_key.mv_size};
        /* Damaged pages can lead in circles or astray; the order of keys shows it. */
        if (key.length == 0 || key.length > STORE_KEY_BYTES_MAX ||
            slice_compare(key, slice_of(walk->last, walk->last_length)) <= 0)
            return damaged(walk->txn, walk->table, key, "keys out of order", error);
        status = hand_out(walk->txn, walk->table, key, stored, &value, error);
        if (status != STATUS_OK)
            return status;
        walk->last_length = key.length;
        memcpy(walk->last, key.data, key.length);
        status = visit(key, value, context, error);
        if (status != STATUS_OK)
            return status == STATUS_AGAIN ? STATUS_OK : status;
    }
}

enum status store_walk(struct store_txn *txn, uint32_t table, struct slice from, store_visit *visit,
                       void *context, struct error *error)
{
    struct walk walk = {.txn = txn, .table = table_of(txn, table), .write_count = txn->write_count};
    assert(from.length <= STORE_KEY_BYTES_MAX);
    if (!walk.table->present)
        return STATUS_OK;
    int code = mdb_cursor_open(txn->txn, walk.table->dbi, &walk.cursor);
    if (code != MDB_SUCCESS)
        return store_mdb_error(txn->store, code, error, walk.table->name);
    enum status status = walk_table(&walk, from, visit, context, error);
    mdb_cursor_close(walk.cursor);
    return status;
}

enum status store_last(struct store_txn *txn, uint32_t table, struct slice *ret_key,
                       struct slice *ret_value, struct error *error)
{
    struct store_table *at = table_of(txn, table);
    MDB_cursor *cursor;
    MDB_val mdb_key, stored;
    enum status status = doomed(txn, error);
    if (status != STATUS_OK)
        return status;
    if (!at->present)
        return STATUS_NOT_FOUND;
    int code = mdb_cursor_open(txn->txn, at->dbi, &cursor);
    if (code != MDB_SUCCESS)
        return store_mdb_error(txn->store, code, error, at->name);
    code = mdb_cursor_get(cursor, &mdb_key, &stored, MDB_LAST);
    mdb_cursor_close(cursor);
    if (code == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (code != MDB_SUCCESS)
        return store_mdb_error(txn->store, code, error, at->name);
    struct slice key = {mdb_key.mv_data, mdb_key.mv_size}, value;
    status = hand_out(txn, at, key, stored, &value, error);
    if (status != STATUS_OK)
        return status;
    *ret_key = key;
    *ret_value = value;
    return STATUS_OK;
}
