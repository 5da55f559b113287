/* The checkpoint: the ledger's state as of a journal sequence, in LMDB. Only what changed is
 * written; one transaction.
 *
 * Tables: meta "state", "intervals", "meters", "positions"; series u32 -> SERIES_CHUNK lines with their tags,
 * definition offsets and tails, as they are in memory (little-endian); bucket u32 -> BUCKETS_CHUNK
 * buckets; resource u32 -> RESOURCE_CHUNK keys; id (ids.c); conflict u32 -> entry.
 * Integers in keys are big-endian, so that keys walk in order of number. Definitions and older
 * windows are in the heap, a file beside, synced up to the length that the state names. */
#include <assert.h>
#include <stdlib.h>

#include "account/ledger.h"

enum {
    TABLE_META,
    TABLE_SERIES,
    TABLE_BUCKET,
    TABLE_RESOURCE,
    TABLE_ID,
    TABLE_CONFLICT,
    TABLE_COUNT
};

static const char *const table_names[TABLE_COUNT] = {"meta",     "series", "bucket",
                                                     "resource", "id",     "conflict"};

#define STATE_FORMAT   4
#define RESOURCE_CHUNK 1024

/* A seal tells whether a value is the one that was written under its key, not whether it is the
 * newest, or all there are: a bit turned in LMDB's own pages can bring back an older table, or an
 * empty one. So the state holds a sum over the entries of each table that changes in place. Tables
 * that only grow are counted. */
struct digests {
    uint64_t series;
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

static uint32_t chunk_count(uint32_t count, uint32_t chunk)
{
    return count / chunk + (count % chunk != 0);
}

static uint32_t chunk_end(uint32_t first, uint32_t count, uint32_t chunk)
{
    return count - first < chunk ? count : first + chunk;
}

/* ---- saving
 * ------------------------------------------------------------------------------------------------------
 */

struct saving {
    struct ledger *ledger;
    struct store_txn *txn;
    struct digests digests;
    struct packer out;
};

static enum status put(struct saving *saving, uint32_t table, struct slice key, struct error *error)
{
    if (saving->out.failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    return store_put(saving->txn, table, key, pack_done(&saving->out), error);
}

static void pack_series(const struct series_table *table, uint32_t first, uint32_t end,
                        struct packer *out)
{
    uint32_t count = end - first;
    pack_reset(out);
    pack_u32(out, count);
    pack_bytes(out, &table->lines[first], count * sizeof(struct series));
    pack_bytes(out, &table->definitions[first], count * sizeof(uint32_t));
    pack_bytes(out, &table->tags[first], count * sizeof(uint32_t));
    for (uint32_t i = first; i < end; i++)
        if (table->lines[i].tail)
            pack_bytes(out, &table->tails[table->lines[i].tail], sizeof(struct series_tail));
}

static enum status save_series(struct saving *saving, struct error *error)
{
    struct ledger *ledger = saving->ledger;
    const struct series_table *table = &ledger->series;
    uint32_t chunks = chunk_count(table->count, SERIES_CHUNK);
    enum status status = STATUS_OK;
    for (uint32_t chunk = 0; chunk < chunks && status == STATUS_OK; chunk++) {
        if (table->dirty[chunk]) {
            char key[4];
            uint32_t first = chunk * SERIES_CHUNK;
            put_be32(key, chunk);
            pack_series(table, first, chunk_end(first, table->count, SERIES_CHUNK), &saving->out);
            ledger->series_digests[chunk] = entry_digest(slice_of(key, 4), pack_done(&saving->out));
            status = put(saving, TABLE_SERIES, slice_of(key, 4), error);
        }
        saving->digests.series += ledger->series_digests[chunk];
    }
    return status;
}

static enum status save_buckets(struct saving *saving, struct error *error)
{
    struct ledger *ledger = saving->ledger;
    const struct buckets *buckets = &ledger->buckets;
    enum status status =
        ledger->buckets_replaced ? store_clear(saving->txn, TABLE_BUCKET, error) : STATUS_OK;
    uint32_t chunks = chunk_count(buckets->count, BUCKETS_CHUNK);
    for (uint32_t chunk = 0; chunk < chunks && status == STATUS_OK; chunk++) {
        uint32_t first = chunk * BUCKETS_CHUNK;
        uint32_t end = chunk_end(first, buckets->count, BUCKETS_CHUNK);
        if (ledger->buckets_replaced || buckets->dirty_chunks[chunk]) {
            char key[4];
            put_be32(key, chunk);
            pack_reset(&saving->out);
            pack_bytes(&saving->out, &buckets->items[first], (end - first) * sizeof(struct bucket));
            ledger->bucket_digests[chunk] = entry_digest(slice_of(key, 4), pack_done(&saving->out));
            status = put(saving, TABLE_BUCKET, slice_of(key, 4), error);
        }
        saving->digests.bucket += ledger->bucket_digests[chunk];
    }
    return status;
}

/* Intervals, meter names and resources number what lines and buckets name: few, or growing only. */
static enum status save_positions(struct saving *saving, struct error *error)
{
    pack_reset(&saving->out);
    positions_pack(&saving->ledger->positions, &saving->out);
    return put(saving, TABLE_META, SLICE("positions"), error);
}

static enum status save_numbers(struct saving *saving, struct error *error)
{
    struct ledger *ledger = saving->ledger;
    const struct series_table *table = &ledger->series;
    struct packer *out = &saving->out;
    pack_reset(out);
    pack_bytes(out, table->intervals, table->interval_count * sizeof(*table->intervals));
    enum status status = put(saving, TABLE_META, SLICE("intervals"), error);
    pack_reset(out);
    for (uint32_t i = 0; i < table->meter_name_count; i++)
        pack_slice(out, table->meter_names[i]);
    if (status == STATUS_OK)
        status = put(saving, TABLE_META, SLICE("meters"), error);
    if (status == STATUS_OK && ledger->buckets_replaced)
        status = store_clear(saving->txn, TABLE_RESOURCE, error);
    uint32_t first = ledger->checkpoint_resources / RESOURCE_CHUNK;
    for (uint32_t chunk = first;
         chunk < chunk_count(table->resource_count, RESOURCE_CHUNK) && status == STATUS_OK;
         chunk++) {
        char key[4];
        uint32_t begin = chunk * RESOURCE_CHUNK;
        uint32_t end = chunk_end(begin, table->resource_count, RESOURCE_CHUNK);
        put_be32(key, chunk);
        pack_reset(out);
        pack_bytes(out, &table->resource_keys[begin], (end - begin) * sizeof(struct hash128));
        status = put(saving, TABLE_RESOURCE, slice_of(key, 4), error);
    }
    return status;
}

static enum status save_conflicts(struct saving *saving, struct error *error)
{
    const struct ledger *ledger = saving->ledger;
    enum status status = STATUS_OK;
    uint32_t first = ledger->conflicts_changed ? 0 : ledger->checkpoint_conflicts;
    for (uint32_t i = 0; i < ledger->conflict_count && status == STATUS_OK; i++) {
        char key[4];
        put_be32(key, i);
        pack_reset(&saving->out);
        pack_u8(&saving->out, ledger->conflicts[i].discarded);
        pack_bytes(&saving->out, &ledger->conflicts[i].conflict, sizeof(struct conflict));
        saving->digests.conflict += entry_digest(slice_of(key, 4), pack_done(&saving->out));
        if (i >= first)
            status = put(saving, TABLE_CONFLICT, slice_of(key, 4), error);
    }
    return status;
}

static enum status save_state(struct saving *saving, struct error *error)
{
    const struct ledger *ledger = saving->ledger;
    struct packer *out = &saving->out;
    pack_reset(out);
    pack_u8(out, STATE_FORMAT);
    pack_u64(out, ledger->sequence);
    pack_u64(out, ledger->snapshot->pricing_digest);
    pack_u64(out, ledger->event_count);
    pack_u64(out, heap_length(ledger->heap));
    pack_u32(out, ledger->series.count);
    pack_u32(out, ledger->series.resource_count);
    pack_u64(out, ids_count(&ledger->ids));
    pack_u32(out, ledger->conflict_count);
    pack_u32(out, ledger->buckets.count);
    pack_u64(out, saving->digests.series);
    pack_u64(out, saving->digests.bucket);
    pack_u64(out, saving->digests.conflict);
    return put(saving, TABLE_META, SLICE("state"), error);
}

static enum status save(struct store_txn *txn, void *context, struct error *error)
{
    struct saving saving = {.ledger = context, .txn = txn};
    pack_init(&saving.out);
    enum status status = save_series(&saving, error);
    if (status == STATUS_OK)
        status = save_buckets(&saving, error);
    if (status == STATUS_OK)
        status = save_numbers(&saving, error);
    if (status == STATUS_OK)
        status = save_positions(&saving, error);
    if (status == STATUS_OK)
        status = ids_save(&saving.ledger->ids, txn, TABLE_ID, error);
    if (status == STATUS_OK)
        status = save_conflicts(&saving, error);
    if (status == STATUS_OK)
        status = save_state(&saving, error);
    pack_fini(&saving.out);
    return status;
}

static bool grow_digests(uint64_t **digests, uint32_t *capacity, uint32_t chunks)
{
    if (chunks <= *capacity)
        return true;
    uint64_t *bigger = realloc(*digests, (size_t)chunks * 2 * sizeof(*bigger));
    if (!bigger)
        return false;
    *digests = bigger;
    *capacity = chunks * 2;
    return true;
}

static bool reserve_digests(struct ledger *ledger)
{
    return grow_digests(&ledger->series_digests, &ledger->series_digest_capacity,
                        chunk_count(ledger->series.count, SERIES_CHUNK)) &&
           grow_digests(&ledger->bucket_digests, &ledger->bucket_digest_capacity,
                        chunk_count(ledger->buckets.count, BUCKETS_CHUNK));
}

enum status checkpoint_save(struct ledger *ledger, struct error *error)
{
    bool unchanged = ledger->checkpoint_sequence == ledger->sequence && !ledger->buckets_replaced;
    if (unchanged)
        return STATUS_OK;
    if (!reserve_digests(ledger))
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = heap_sync(ledger->heap, error);
    if (status == STATUS_OK)
        status = store_update(ledger->store, save, ledger, error);
    if (status == STATUS_OK)
        status = ids_saved(&ledger->ids, ledger->store, TABLE_ID, error);
    if (status != STATUS_OK)
        return status;
    ledger->checkpoint_sequence = ledger->sequence;
    ledger->checkpoint_digest = ledger->snapshot->pricing_digest;
    ledger->checkpoint_resources = ledger->series.resource_count;
    ledger->checkpoint_conflicts = ledger->conflict_count;
    ledger->conflicts_changed = false;
    ledger->buckets_replaced = false;
    memset(ledger->series.dirty, 0, chunk_count(ledger->series.count, SERIES_CHUNK));
    if (ledger->buckets.count)
        memset(ledger->buckets.dirty_chunks, 0, chunk_count(ledger->buckets.count, BUCKETS_CHUNK));
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

/* What the state says of the tables, held against what they hold. */
struct loading {
    struct ledger *ledger;
    struct digests digests; /* as loaded */
    bool same_prices;
    /* from the state */
    uint64_t heap_length;
    uint32_t series_count;
    uint32_t resource_count;
    uint32_t bucket_count;
    uint64_t id_count;
    struct digests expected;
};

static enum status load_series(struct slice key, struct slice value, void *context,
                               struct error *error)
{
    struct loading *loading = context;
    struct ledger *ledger = loading->ledger;
    struct series_table *table = &ledger->series;
    struct unpacker in;
    unpack_init(&in, value);
    uint32_t count = unpack_u32(&in);
    struct slice lines = unpack_bytes(&in, (size_t)count * sizeof(struct series));
    struct slice definitions = unpack_bytes(&in, (size_t)count * sizeof(uint32_t));
    struct slice tags = unpack_bytes(&in, (size_t)count * sizeof(uint32_t));
    uint32_t chunk = table->count / SERIES_CHUNK;
    if (key.length != 4 || get_be32(key.data) != chunk || table->count % SERIES_CHUNK ||
        in.failed || count == 0 || count > SERIES_CHUNK)
        return damaged("series", error);
    ledger->series_digests[chunk] = entry_digest(key, value);
    loading->digests.series += ledger->series_digests[chunk];
    const uint32_t first = table->count;
    if (series_load(table, tags.data, count) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    memcpy(&table->lines[first], lines.data, lines.length);
    memcpy(&table->definitions[first], definitions.data, definitions.length);
    for (uint32_t i = 0; i < count; i++) {
        struct series *line = &table->lines[first + i];
        if (!line->tail)
            continue;
        struct slice tail = unpack_bytes(&in, sizeof(struct series_tail));
        if (in.failed)
            return damaged("series", error);
        if (vast_reserve(&table->tails_memory, (uint64_t)table->tail_count + 2) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        line->tail = ++table->tail_count;
        memcpy(&table->tails[line->tail], tail.data, sizeof(struct series_tail));
    }
    return unpack_at_end(&in) ? STATUS_OK : damaged("series", error);
}

static enum status load_bucket(struct slice key, struct slice value, void *context,
                               struct error *error)
{
    struct loading *loading = context;
    struct ledger *ledger = loading->ledger;
    const struct snapshot *snapshot = ledger->snapshot;
    uint32_t chunk = ledger->buckets.count / BUCKETS_CHUNK;
    if (key.length != 4 || get_be32(key.data) != chunk || ledger->buckets.count % BUCKETS_CHUNK ||
        value.length == 0 || value.length % sizeof(struct bucket) ||
        chunk >= ledger->bucket_digest_capacity)
        return damaged("bucket", error);
    ledger->bucket_digests[chunk] = entry_digest(key, value);
    loading->digests.bucket += ledger->bucket_digests[chunk];
    for (size_t at = 0; at < value.length; at += sizeof(struct bucket)) {
        struct bucket bucket;
        memcpy(&bucket, value.data + at, sizeof(bucket));
        uint32_t index, before = ledger->buckets.count;
        if (bucket.key.account >= snapshot->account_count ||
            (bucket.key.plan != INDEX_NONE && bucket.key.plan >= snapshot->plan_count))
            return damaged("bucket", error);
        if (buckets_at(&ledger->buckets, bucket.key, &index) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        if (index != before)
            return damaged("bucket", error);
        ledger->buckets.items[index].quanta = bucket.quanta;
    }
    ledger->buckets.dirty_chunks[chunk] = 0;
    return STATUS_OK;
}

static enum status load_resource(struct slice key, struct slice value, void *context,
                                 struct error *error)
{
    struct ledger *ledger = ((struct loading *)context)->ledger;
    if (key.length != 4 || value.length % sizeof(struct hash128))
        return damaged("resource", error);
    for (size_t at = 0; at < value.length; at += sizeof(struct hash128)) {
        struct hash128 resource;
        uint32_t number, before = ledger->series.resource_count;
        memcpy(&resource, value.data + at, sizeof(resource));
        if (series_resource_number(&ledger->series, resource, &number) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        if (number != before + 1)
            return damaged("resource", error);
    }
    return STATUS_OK;
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

static enum status load_state(struct loading *loading, struct slice packed, struct error *error)
{
    struct ledger *ledger = loading->ledger;
    struct unpacker in;
    unpack_init(&in, packed);
    uint8_t format = unpack_u8(&in);
    if (format != STATE_FORMAT)
        return error_set(error, STATUS_VERSION,
                         "the checkpoint has format %u, this program knows %u: remove "
                         "shard-%02u/ledger, it is derived again from the journal",
                         format, STATE_FORMAT, ledger->options.shard);
    ledger->checkpoint_sequence = ledger->sequence = unpack_u64(&in);
    ledger->checkpoint_digest = unpack_u64(&in);
    ledger->event_count = unpack_u64(&in);
    loading->heap_length = unpack_u64(&in);
    loading->series_count = unpack_u32(&in);
    loading->resource_count = ledger->checkpoint_resources = unpack_u32(&in);
    loading->id_count = unpack_u64(&in);
    ledger->checkpoint_conflicts = unpack_u32(&in);
    loading->bucket_count = unpack_u32(&in);
    loading->expected.series = unpack_u64(&in);
    loading->expected.bucket = unpack_u64(&in);
    loading->expected.conflict = unpack_u64(&in);
    loading->same_prices = ledger->checkpoint_digest == ledger->snapshot->pricing_digest;
    bool memory = grow_digests(&ledger->series_digests, &ledger->series_digest_capacity,
                               chunk_count(loading->series_count, SERIES_CHUNK)) &&
                  grow_digests(&ledger->bucket_digests, &ledger->bucket_digest_capacity,
                               chunk_count(loading->bucket_count, BUCKETS_CHUNK));
    if (!memory)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    return in.failed || !unpack_at_end(&in) ? damaged("meta", error) : STATUS_OK;
}

static enum status load_positions(struct ledger *ledger, struct store_txn *txn, struct error *error)
{
    struct slice packed;
    enum status status = store_get(txn, TABLE_META, SLICE("positions"), &packed, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? damaged("meta", error) : status;
    status = positions_unpack(&ledger->positions, packed);
    return status == STATUS_NO_MEMORY ? error_set(error, status, "out of memory")
           : status == STATUS_OK      ? STATUS_OK
                                      : damaged("meta", error);
}

static enum status load_numbers(struct ledger *ledger, struct store_txn *txn, struct error *error)
{
    struct slice packed;
    enum status status = store_get(txn, TABLE_META, SLICE("intervals"), &packed, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? damaged("meta", error) : status;
    for (size_t at = sizeof(struct series_interval);
         at + sizeof(struct series_interval) <= packed.length;
         at += sizeof(struct series_interval)) {
        struct series_interval interval;
        memcpy(&interval, packed.data + at, sizeof(interval));
        if (series_interval_number(&ledger->series, interval.from, interval.to) == INDEX_NONE)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    status = store_get(txn, TABLE_META, SLICE("meters"), &packed, error);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? damaged("meta", error) : status;
    struct unpacker in;
    unpack_init(&in, packed);
    while (!in.failed && !unpack_at_end(&in)) {
        struct definition definition = {.meter_name = unpack_slice(&in)};
        uint32_t number;
        if (series_meter(&ledger->series, &definition, &number) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    return in.failed ? damaged("meta", error) : STATUS_OK;
}

static enum status check_loaded(const struct loading *loading, struct error *error)
{
    const struct ledger *ledger = loading->ledger;
    if (ledger->series.count != loading->series_count ||
        loading->digests.series != loading->expected.series)
        return damaged("series", error);
    if (loading->same_prices && (ledger->buckets.count != loading->bucket_count ||
                                 loading->digests.bucket != loading->expected.bucket))
        return damaged("bucket", error);
    if (loading->same_prices && ledger->series.resource_count != loading->resource_count)
        return damaged("resource", error);
    if (ledger->conflict_count != ledger->checkpoint_conflicts ||
        loading->digests.conflict != loading->expected.conflict)
        return damaged("conflict", error);
    for (uint32_t i = 0; i < ledger->series.count && loading->same_prices; i++) {
        const struct series *line = &ledger->series.lines[i];
        if (line->interval >= ledger->series.interval_count)
            return damaged("series", error);
        for (uint32_t slot = 0; slot < SERIES_SLOTS && line->bucket[slot] != INDEX_NONE; slot++)
            if (line->bucket[slot] >= ledger->buckets.count)
                return damaged("series", error);
    }
    return STATUS_OK;
}

static enum status reserve_buckets(struct loading *loading, struct error *error)
{
    enum status status = buckets_reserve(&loading->ledger->buckets, loading->bucket_count);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "out of memory");
}

static enum status load_tables(struct loading *loading, struct store_txn *txn, struct error *error)
{
    struct slice start = {0};
    if (series_reserve(&loading->ledger->series, loading->series_count) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = store_walk(txn, TABLE_SERIES, start, load_series, loading, error);
    /* What was made under other prices means nothing now: it is derived anew. */
    if (status == STATUS_OK && loading->same_prices)
        status = load_numbers(loading->ledger, txn, error);
    if (status == STATUS_OK)
        status = load_positions(loading->ledger, txn, error);
    if (status == STATUS_OK && loading->same_prices)
        status = store_walk(txn, TABLE_RESOURCE, start, load_resource, loading, error);
    if (status == STATUS_OK && loading->same_prices)
        status = reserve_buckets(loading, error);
    if (status == STATUS_OK && loading->same_prices)
        status = store_walk(txn, TABLE_BUCKET, start, load_bucket, loading, error);
    if (status == STATUS_OK)
        status =
            ids_load(&loading->ledger->ids, loading->ledger->store, TABLE_ID, loading->id_count,
                     txn, loading->ledger->options.mode != LEDGER_READ, error);
    if (status == STATUS_OK)
        status = store_walk(txn, TABLE_CONFLICT, start, load_conflict, loading, error);
    if (status == STATUS_OK)
        status = check_loaded(loading, error);
    if (status == STATUS_OK && !loading->same_prices) {
        series_forget_slots(&loading->ledger->series);
        loading->ledger->checkpoint_resources = 0;
    }
    return status;
}

/* The heap and the table of series that stands on it. */
static enum status open_heap(struct ledger *ledger, uint64_t length, struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    datadir_shard_path(ledger->options.datadir, ledger->options.shard, "ledger/heap", path);
    enum heap_mode mode = ledger->options.mode == LEDGER_WRITE ? HEAP_WRITE : HEAP_PRIVATE;
    enum status status = heap_open(path, length, mode, &ledger->heap, error);
    if (status != STATUS_OK)
        return status;
    status = series_init(&ledger->series, ledger->options.datadir->seed, ledger->heap);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "out of memory");
}

static enum status load(struct ledger *ledger, struct error *error)
{
    struct store_txn *txn;
    struct slice state;
    enum status status = store_read(ledger->store, &txn, error);
    if (status != STATUS_OK)
        return status;
    struct loading loading = {.ledger = ledger};
    status = store_get(txn, TABLE_META, SLICE("state"), &state, error);
    if (status == STATUS_OK)
        status = load_state(&loading, state, error);
    bool empty = status == STATUS_NOT_FOUND;
    if (status == STATUS_OK || empty)
        status = open_heap(ledger, loading.heap_length, error);
    if (status == STATUS_OK && !empty)
        status = load_tables(&loading, txn, error);
    store_end(txn);
    return status;
}

enum status checkpoint_load(struct ledger *ledger, struct error *error)
{
    if (ledger->options.mode == LEDGER_DERIVE)
        return open_heap(ledger, 0, error);
    char path[DATADIR_PATH_BYTES];
    datadir_shard_path(ledger->options.datadir, ledger->options.shard, "ledger", path);
    enum store_mode mode = ledger->options.mode == LEDGER_WRITE ? STORE_WRITE : STORE_READ;
    enum status status = store_open(path, mode, table_names, TABLE_COUNT, &ledger->store, error);
    if (status == STATUS_NOT_FOUND && mode == STORE_READ)
        return open_heap(ledger, 0, error); /* nothing was ingested yet */
    return status == STATUS_OK ? load(ledger, error) : status;
}
