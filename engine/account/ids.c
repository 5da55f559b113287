#include "account/ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"

/* A table's entry: the id's 16 bytes -> the content's 8. */

void ids_init(struct ids *ids, uint32_t shards)
{
    assert(shards > 0);
    *ids = (struct ids){.shards = shards};
    idset_init(&ids->recent);
}

void ids_fini(struct ids *ids)
{
    idset_fini(&ids->recent);
    id_filter_fini(&ids->filter);
}

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status damaged(struct error *error)
{
    return error_set(error, STATUS_CORRUPT,
                     "the checkpoint's table id does not fit together: remove the shard's ledger "
                     "folder, it is derived again from the journal");
}

/* ---- the filter ------------------------------------------------------------------------------ */

struct filling {
    struct id_filter filter;
    uint64_t count;
};

static enum status fill_one(struct slice key, struct slice value, void *context,
                            struct error *error)
{
    struct filling *filling = context;
    struct hash128 id;
    if (key.length != sizeof(id) || value.length != sizeof(uint64_t))
        return damaged(error);
    memcpy(&id, key.data, sizeof(id));
    id_filter_add(&filling->filter, id);
    filling->count++;
    return STATUS_OK;
}

/* A filter with room for four times what the table holds, from all of the table (ID-2). */
static enum status fill(struct ids *ids, struct store_txn *txn, struct error *error)
{
    struct filling filling = {.count = 0};
    if (id_filter_init(&filling.filter, ids->older * 4, IDS_FILTER_BYTES_MAX / ids->shards) !=
        STATUS_OK)
        return out_of_memory(error);
    enum status status = store_walk(txn, ids->table, (struct slice){0}, fill_one, &filling, error);
    if (status == STATUS_OK && filling.count != ids->older)
        status = damaged(error);
    if (status != STATUS_OK) {
        id_filter_fini(&filling.filter);
        return status;
    }
    id_filter_fini(&ids->filter);
    ids->filter = filling.filter;
    return STATUS_OK;
}

enum status ids_load(struct ids *ids, struct store *store, uint32_t table, uint64_t count,
                     struct store_txn *txn, bool looked_up, struct error *error)
{
    assert(ids_count(ids) == 0);
    ids->store = store;
    ids->table = table;
    ids->older = count;
    if (store_count(txn, table) != count)
        return damaged(error);
    return looked_up && count ? fill(ids, txn, error) : STATUS_OK;
}

/* ---- looking up ------------------------------------------------------------------------------ */

/* What the filter affirms wrongly is not there. */
static enum status find_older(const struct ids *ids, struct hash128 id, uint64_t content,
                              enum idset_answer *ret, struct error *error)
{
    struct store_txn *txn;
    struct slice value;
    enum status status = store_read(ids->store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = store_get(txn, ids->table, slice_of((const char *)&id, sizeof(id)), &value, error);
    if (status == STATUS_OK) {
        struct unpacker in;
        unpack_init(&in, value);
        *ret = unpack_u64(&in) == content ? IDSET_DUPLICATE : IDSET_CONFLICT;
        status = in.failed ? damaged(error) : STATUS_OK;
    } else if (status == STATUS_NOT_FOUND) {
        *ret = IDSET_NEW;
        status = STATUS_OK;
    }
    store_end(txn);
    return status;
}

enum status ids_classify(const struct ids *ids, struct hash128 id, uint64_t content,
                         enum idset_answer *ret, struct error *error)
{
    *ret = idset_classify(&ids->recent, id, content);
    if (*ret != IDSET_NEW || !id_filter_may_hold(&ids->filter, id))
        return STATUS_OK;
    return find_older(ids, id, content, ret, error);
}

enum status ids_add(struct ids *ids, struct hash128 id, uint64_t content)
{
    return idset_add(&ids->recent, id, content);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    const struct idset_slot *const *a = left, *const *b = right;
    return memcmp(&(*a)->id, &(*b)->id, sizeof((*a)->id));
}

/* In the order of the table's keys, so that one of its pages after the other is changed. */
enum status ids_save(const struct ids *ids, struct store_txn *txn, uint32_t table,
                     struct error *error)
{
    uint64_t count = 0;
    const struct idset_slot **sorted =
        malloc((ids->recent.count + 1) * sizeof(struct idset_slot *));
    if (!sorted)
        return out_of_memory(error);
    for (uint64_t i = 0; i < ids->recent.capacity; i++)
        if (!idset_is_free(&ids->recent.slots[i]))
            sorted[count++] = &ids->recent.slots[i];
    assert(count == ids->recent.count);
    qsort(sorted, count, sizeof(*sorted), compare_ids);
    struct packer packer;
    pack_init(&packer);
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < count && status == STATUS_OK; i++) {
        pack_reset(&packer);
        pack_u64(&packer, sorted[i]->content);
        status = packer.failed
                     ? out_of_memory(error)
                     : store_put_new(txn, table,
                                     slice_of((const char *)&sorted[i]->id, sizeof(sorted[i]->id)),
                                     pack_done(&packer), error);
    }
    pack_fini(&packer);
    free(sorted);
    return status == STATUS_EXISTS ? damaged(error) : status; /* ID-1 */
}

enum status ids_saved(struct ids *ids, struct store *store, uint32_t table, struct error *error)
{
    ids->store = store;
    ids->table = table;
    ids->older += ids->recent.count;
    for (uint64_t i = 0; ids->filter.blocks && i < ids->recent.capacity; i++)
        if (!idset_is_free(&ids->recent.slots[i]))
            id_filter_add(&ids->filter, ids->recent.slots[i].id);
    idset_fini(&ids->recent);
    uint64_t bytes = id_filter_bytes(&ids->filter);
    if (ids->older <= id_filter_room(&ids->filter) ||
        bytes * 2 > IDS_FILTER_BYTES_MAX / ids->shards)
        return STATUS_OK;
    struct store_txn *txn;
    enum status status = store_read(store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = fill(ids, txn, error);
    store_end(txn);
    return status;
}

uint64_t ids_bytes(const struct ids *ids)
{
    return ids->recent.capacity * sizeof(struct idset_slot) + id_filter_bytes(&ids->filter);
}
