/* The checkpoint: the ledger's state as of a journal sequence, in LMDB. Only what changed is
 * written; one transaction.
 *
 * Tables: meta "state"; definition u32 -> packed definition; coverage u32 -> packed runs; bucket
 * (account, period, plan, part) -> quanta; id: 16 bytes -> content; conflict u32 -> entry. Integers
 * in keys are big-endian, so that keys walk in order of number. */
#include <assert.h>

#include "account/ledger.h"

enum {
    TABLE_META,
    TABLE_DEFINITION,
    TABLE_COVERAGE,
    TABLE_BUCKET,
    TABLE_ID,
    TABLE_CONFLICT,
    TABLE_COUNT
};

static const char *const table_names[TABLE_COUNT] = {"meta",   "definition", "coverage",
                                                     "bucket", "id",         "conflict"};

#define STATE_FORMAT 2

/* A seal tells whether a value is the one that was written under its key, not whether it is the
 * newest, or all there are: a bit turned in LMDB's own pages can bring back an older table, or an
 * empty one. So the state holds a sum over the entries of each table that changes in place. Tables
 * that only grow are counted. */
struct digests {
    uint64_t coverage;
    uint64_t bucket;
    uint64_t conflict;
};

static uint64_t entry_digest(struct slice key, struct slice value)
{
    return hash64(value, hash64(key, 0));
}

static void put_be32(char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(value >> (24 - 8 * i));
}

static uint32_t get_be32(const char *in)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | (uint8_t)in[i];
    return value;
}

/* ---- saving
 * ------------------------------------------------------------------------------------------------------
 */

static enum status save_state(struct store_txn *txn, struct ledger *ledger,
                              const struct digests *digests, struct packer *out,
                              struct error *error)
{
    pack_reset(out);
    pack_u8(out, STATE_FORMAT);
    pack_u64(out, ledger->sequence);
    pack_u64(out, ledger->snapshot->pricing_digest);
    pack_u64(out, ledger->event_count);
    pack_u32(out, ledger->series.count);
    pack_u64(out, ledger->ids.count);
    pack_u32(out, ledger->conflict_count);
    pack_u32(out, ledger->buckets.count);
    pack_u64(out, digests->coverage);
    pack_u64(out, digests->bucket);
    pack_u64(out, digests->conflict);
    if (out->failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    return store_put(txn, TABLE_META, SLICE("state"), pack_done(out), error);
}

static enum status save_series(struct store_txn *txn, struct ledger *ledger,
                               struct digests *digests, struct packer *out, struct error *error)
{
    enum status status = STATUS_OK;
    char key[4];
    for (uint32_t i = ledger->checkpoint_series; i < ledger->series.count && status == STATUS_OK;
         i++) {
        put_be32(key, i);
        status = store_put(txn, TABLE_DEFINITION, slice_of(key, 4), ledger->series.definitions[i],
                           error);
    }
    for (uint32_t i = 0; i < ledger->series.count && status == STATUS_OK; i++) {
        if (!ledger->series.dirty[i] && ledger->series.coverage[i].count == 0)
            continue; /* all its events have ids */
        put_be32(key, i);
        pack_reset(out);
        coverage_pack(&ledger->series.coverage[i], out);
        if (out->failed)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        digests->coverage += entry_digest(slice_of(key, 4), pack_done(out));
        if (ledger->series.dirty[i])
            status = store_put(txn, TABLE_COVERAGE, slice_of(key, 4), pack_done(out), error);
    }
    return status;
}

static enum status save_buckets(struct store_txn *txn, struct ledger *ledger,
                                struct digests *digests, struct packer *out, struct error *error)
{
    enum status status =
        ledger->buckets_replaced ? store_clear(txn, TABLE_BUCKET, error) : STATUS_OK;
    for (uint32_t i = 0; i < ledger->buckets.count && status == STATUS_OK; i++) {
        const struct bucket *bucket = &ledger->buckets.items[i];
        char key[16];
        put_be32(key, bucket->key.account);
        put_be32(key + 4, (uint32_t)bucket->key.period);
        put_be32(key + 8, bucket->key.plan);
        put_be32(key + 12, bucket->key.part);
        pack_reset(out);
        pack_i128(out, bucket->quanta);
        if (out->failed)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        digests->bucket += entry_digest(slice_of(key, sizeof(key)), pack_done(out));
        if (ledger->buckets.dirty[i] || ledger->buckets_replaced)
            status =
                store_put(txn, TABLE_BUCKET, slice_of(key, sizeof(key)), pack_done(out), error);
    }
    return status;
}

static enum status save_ids(struct store_txn *txn, struct ledger *ledger, struct packer *out,
                            struct error *error)
{
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < ledger->ids.capacity && status == STATUS_OK; i++) {
        const struct idset_slot *slot = &ledger->ids.slots[i];
        if (slot->order <= ledger->checkpoint_ids)
            continue; /* free slots have order 0 */
        pack_reset(out);
        pack_u64(out, slot->content);
        status = store_put(txn, TABLE_ID, slice_of((const char *)&slot->id, sizeof(slot->id)),
                           pack_done(out), error);
    }
    return status;
}

static enum status save_conflicts(struct store_txn *txn, struct ledger *ledger,
                                  struct digests *digests, struct packer *out, struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t first = ledger->conflicts_changed ? 0 : ledger->checkpoint_conflicts;
    for (uint32_t i = 0; i < ledger->conflict_count && status == STATUS_OK; i++) {
        char key[4];
        put_be32(key, i);
        pack_reset(out);
        pack_u8(out, ledger->conflicts[i].discarded);
        pack_bytes(out, &ledger->conflicts[i].conflict, sizeof(struct conflict));
        if (out->failed)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        digests->conflict += entry_digest(slice_of(key, 4), pack_done(out));
        if (i >= first)
            status = store_put(txn, TABLE_CONFLICT, slice_of(key, 4), pack_done(out), error);
    }
    return status;
}

static enum status save(struct store_txn *txn, void *context, struct error *error)
{
    struct ledger *ledger = context;
    struct packer out;
    struct digests digests = {0};
    pack_init(&out);
    enum status status = save_series(txn, ledger, &digests, &out, error);
    if (status == STATUS_OK)
        status = save_buckets(txn, ledger, &digests, &out, error);
    if (status == STATUS_OK)
        status = save_ids(txn, ledger, &out, error);
    if (status == STATUS_OK)
        status = save_conflicts(txn, ledger, &digests, &out, error);
    if (status == STATUS_OK)
        status = save_state(txn, ledger, &digests, &out, error);
    pack_fini(&out);
    return status;
}

enum status checkpoint_save(struct ledger *ledger, struct error *error)
{
    bool unchanged = ledger->checkpoint_sequence == ledger->sequence && !ledger->buckets_replaced;
    if (unchanged)
        return STATUS_OK;
    enum status status = store_update(ledger->store, save, ledger, error);
    if (status != STATUS_OK)
        return status;
    ledger->checkpoint_sequence = ledger->sequence;
    ledger->checkpoint_digest = ledger->snapshot->pricing_digest;
    ledger->checkpoint_series = ledger->series.count;
    ledger->checkpoint_ids = ledger->ids.count;
    ledger->checkpoint_conflicts = ledger->conflict_count;
    ledger->conflicts_changed = false;
    ledger->buckets_replaced = false;
    if (ledger->series.count)
        memset(ledger->series.dirty, 0, ledger->series.count);
    if (ledger->buckets.count)
        memset(ledger->buckets.dirty, 0, ledger->buckets.count);
    return STATUS_OK;
}

/* ---- loading
 * -----------------------------------------------------------------------------------------------------
 */

static enum status damaged(const char *table, struct error *error)
{
    return error_set(error, STATUS_CORRUPT,
                     "the checkpoint's table %s does not fit together: remove the shard's ledger "
                     "folder, it is derived again from the journal",
                     table);
}

struct loading {
    struct ledger *ledger;
    struct digests digests;
};

static enum status load_definition(struct slice key, struct slice value, void *context,
                                   struct error *error)
{
    struct ledger *ledger = ((struct loading *)context)->ledger;
    uint32_t series;
    if (key.length != 4 || get_be32(key.data) != ledger->series.count ||
        series_restore(&ledger->series, value, &series) != STATUS_OK)
        return damaged("definition", error);
    return STATUS_OK;
}

static enum status load_coverage(struct slice key, struct slice value, void *context,
                                 struct error *error)
{
    struct loading *loading = context;
    struct ledger *ledger = loading->ledger;
    loading->digests.coverage += entry_digest(key, value);
    uint32_t series = key.length == 4 ? get_be32(key.data) : INDEX_NONE;
    if (series >= ledger->series.count ||
        coverage_unpack(value, &ledger->series.coverage[series]) != STATUS_OK)
        return damaged("coverage", error);
    return STATUS_OK;
}

static enum status load_bucket(struct slice key, struct slice value, void *context,
                               struct error *error)
{
    struct loading *loading = context;
    struct ledger *ledger = loading->ledger;
    loading->digests.bucket += entry_digest(key, value);
    struct unpacker in;
    unpack_init(&in, value);
    int128 quanta = unpack_i128(&in);
    if (key.length != 16 || in.failed || !unpack_at_end(&in))
        return damaged("bucket", error);
    struct bucket_key bucket = {get_be32(key.data), (int32_t)get_be32(key.data + 4),
                                get_be32(key.data + 8), get_be32(key.data + 12)};
    bool sound = bucket.account < ledger->snapshot->account_count &&
                 (bucket.plan == INDEX_NONE || bucket.plan < ledger->snapshot->plan_count);
    uint32_t index;
    if (!sound)
        return damaged("bucket", error);
    if (buckets_at(&ledger->buckets, bucket, &index) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    ledger->buckets.items[index].quanta = quanta;
    ledger->buckets.dirty[index] = 0;
    return STATUS_OK;
}

static enum status load_id(struct slice key, struct slice value, void *context, struct error *error)
{
    struct ledger *ledger = ((struct loading *)context)->ledger;
    struct unpacker in;
    struct hash128 id;
    unpack_init(&in, value);
    uint64_t content = unpack_u64(&in);
    if (key.length != sizeof(id) || in.failed)
        return damaged("id", error);
    memcpy(&id, key.data, sizeof(id));
    return idset_add(&ledger->ids, id, content) == STATUS_OK
               ? STATUS_OK
               : error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status load_conflict(struct slice key, struct slice value, void *context,
                                 struct error *error)
{
    struct loading *loading = context;
    struct ledger *ledger = loading->ledger;
    loading->digests.conflict += entry_digest(key, value);
    struct conflict conflict;
    bool added = false;
    if (key.length != 4 || value.length != 1 + sizeof(conflict) ||
        get_be32(key.data) != ledger->conflict_count)
        return damaged("conflict", error);
    memcpy(&conflict, value.data + 1, sizeof(conflict));
    if (ledger_add_conflict(ledger, &conflict, &added) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (!added)
        return damaged("conflict", error);
    ledger->conflicts[ledger->conflict_count - 1].discarded = value.data[0];
    return STATUS_OK;
}

/* What the state says of the tables, held against what they hold. */
struct state {
    uint32_t bucket_count;
    struct digests digests;
};

static enum status load_state(struct ledger *ledger, struct slice packed, struct state *ret,
                              struct error *error)
{
    struct unpacker in;
    unpack_init(&in, packed);
    uint8_t format = unpack_u8(&in);
    if (format != STATE_FORMAT)
        return error_set(error, STATUS_VERSION,
                         "the checkpoint has format %u, this program knows %u: remove "
                         "shard-00/ledger, it is derived again from the journal",
                         format, STATE_FORMAT);
    ledger->checkpoint_sequence = ledger->sequence = unpack_u64(&in);
    ledger->checkpoint_digest = unpack_u64(&in);
    ledger->event_count = unpack_u64(&in);
    ledger->checkpoint_series = unpack_u32(&in);
    ledger->checkpoint_ids = unpack_u64(&in);
    ledger->checkpoint_conflicts = unpack_u32(&in);
    ret->bucket_count = unpack_u32(&in);
    ret->digests.coverage = unpack_u64(&in);
    ret->digests.bucket = unpack_u64(&in);
    ret->digests.conflict = unpack_u64(&in);
    return in.failed || !unpack_at_end(&in) ? damaged("meta", error) : STATUS_OK;
}

static enum status load_tables(struct ledger *ledger, struct store_txn *txn, struct slice packed,
                               struct error *error)
{
    struct loading loading = {.ledger = ledger};
    struct state state = {0};
    struct slice start = {0};
    enum status status = load_state(ledger, packed, &state, error);
    if (status == STATUS_OK)
        status = store_walk(txn, TABLE_DEFINITION, start, load_definition, &loading, error);
    bool with_coverage = ledger->series.coverage != NULL;
    if (status == STATUS_OK && with_coverage)
        status = store_walk(txn, TABLE_COVERAGE, start, load_coverage, &loading, error);
    /* Buckets made under other prices mean nothing now: they are derived anew. */
    bool same_prices = ledger->checkpoint_digest == ledger->snapshot->pricing_digest;
    if (status == STATUS_OK && same_prices)
        status = store_walk(txn, TABLE_BUCKET, start, load_bucket, &loading, error);
    if (status == STATUS_OK)
        status = store_walk(txn, TABLE_ID, start, load_id, &loading, error);
    if (status == STATUS_OK)
        status = store_walk(txn, TABLE_CONFLICT, start, load_conflict, &loading, error);
    if (status != STATUS_OK)
        return status;
    if (ledger->series.count != ledger->checkpoint_series)
        return damaged("definition", error);
    if (with_coverage && loading.digests.coverage != state.digests.coverage)
        return damaged("coverage", error);
    if (same_prices && (ledger->buckets.count != state.bucket_count ||
                        loading.digests.bucket != state.digests.bucket))
        return damaged("bucket", error);
    if (ledger->ids.count != ledger->checkpoint_ids)
        return damaged("id", error);
    if (ledger->conflict_count != ledger->checkpoint_conflicts ||
        loading.digests.conflict != state.digests.conflict)
        return damaged("conflict", error);
    return STATUS_OK;
}

enum status checkpoint_load(struct ledger *ledger, struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    datadir_shard_path(ledger->options.datadir, ledger->options.shard, "ledger", path);
    enum store_mode mode = ledger->options.mode == LEDGER_WRITE ? STORE_WRITE : STORE_READ;
    enum status status = store_open(path, mode, table_names, TABLE_COUNT, &ledger->store, error);
    if (status == STATUS_NOT_FOUND && mode == STORE_READ)
        return STATUS_OK; /* nothing was ingested yet */
    if (status != STATUS_OK)
        return status;
    struct store_txn *txn;
    status = store_read(ledger->store, &txn, error);
    if (status != STATUS_OK)
        return status;
    struct slice state;
    status = store_get(txn, TABLE_META, SLICE("state"), &state, error);
    if (status == STATUS_OK)
        status = load_tables(ledger, txn, state, error);
    else if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    store_end(txn);
    return status;
}
