/* The ids of events without a window, each of which counts once, for good: those that came since
 * the last checkpoint in memory, all others in the checkpoint's table on disk, behind a filter.
 *
 * Invariants:
 * ID-1 an id is in `recent` or in the table, never in both.
 * ID-2 the filter affirms every id of the table.
 *
 * So memory does not grow with the number of events: `recent` is bounded by whoever makes
 * checkpoints (ids_due), the filter by IDS_FILTER_BYTES_MAX. What the filter denies is new, which
 * costs one look at a cache line; what it affirms is looked up on disk. Beyond some 60 million ids
 * in all shards the filter affirms more and more of what is new, so that time grows, not memory.
 *
 * Measured with 12 million ids in two shards: 142 MB of memory of one's own when a writer has
 * opened (530 MB with all ids in memory), 100 bytes an id on disk; a new id costs no more than
 * before, one that comes again 1.1 us more.
 *
 * A process that derives everything from the journal keeps all ids in memory, 24 bytes in a slot,
 * until its first checkpoint. Thread: the ledger's. */
#ifndef RATEL_ACCOUNT_IDS_H
#define RATEL_ACCOUNT_IDS_H

#include "mediate/id_filter.h"
#include "mediate/idset.h"
#include "store/store.h"

#define IDS_FILTER_BYTES_MAX ((uint64_t)128 << 20) /* of all shards together */
#define IDS_RECENT_MAX       ((uint64_t)4 << 20)   /* of all shards: then a checkpoint is due */

struct ids {
    struct idset recent;
    uint64_t older; /* in the table */
    struct id_filter filter;
    struct store *store; /* NULL: there is no table */
    uint32_t table;
    uint32_t shards; /* that share what memory there is */
};

void ids_init(struct ids *ids, uint32_t shards);
void ids_fini(struct ids *ids);
/* The table should hold `count` ids. Reads all of them, unless none will be `looked_up`: then those
 * of the table count as new. Errors: CORRUPT (there are others than so many), IO, NO_MEMORY. */
MUST_USE enum status ids_load(struct ids *ids, struct store *store, uint32_t table, uint64_t count,
                              struct store_txn *txn, bool looked_up, struct error *error);
/* No transaction of this thread may be open. Errors: CORRUPT, IO, NO_MEMORY. */
MUST_USE enum status ids_classify(const struct ids *ids, struct hash128 id, uint64_t content,
                                  enum idset_answer *ret, struct error *error);
/* The id must be new. Errors: NO_MEMORY. */
MUST_USE enum status ids_add(struct ids *ids, struct hash128 id, uint64_t content);
/* Puts the recent ones into the table; ids_saved once that transaction has committed. */
MUST_USE enum status ids_save(const struct ids *ids, struct store_txn *txn, uint32_t table,
                              struct error *error);
MUST_USE enum status ids_saved(struct ids *ids, struct store *store, uint32_t table,
                               struct error *error);
static inline uint64_t ids_count(const struct ids *ids)
{
    return ids->older + ids->recent.count;
}
/* So many are in memory that there should be a checkpoint. */
static inline bool ids_due(const struct ids *ids)
{
    return ids->recent.count >= IDS_RECENT_MAX / ids->shards;
}
uint64_t ids_bytes(const struct ids *ids);

#endif
