/* Buckets: the quantity that an account has used under one plan in one billing period. Amounts are
 * a function of them (spend.h).
 *
 * Two levels of key: all buckets of an account's period form a chain, so that a bill touches only
 * its own. */
#ifndef RATEL_ACCOUNT_BUCKETS_H
#define RATEL_ACCOUNT_BUCKETS_H

#include <assert.h>

#include "base/calendar.h"
#include "base/lookup.h"
#include "base/money.h"
#include "rate/snapshot.h"

/* plan == INDEX_NONE: usage without a price, in the meter's base unit; `part` is then the meter's
 * number (series.h), else the resource's for a charge that counts per resource, else 0. */
struct bucket_key {
    uint32_t account;
    int32_t period;
    uint32_t plan;
    uint32_t part;
};

/* No sum reaches this: what would is refused (quarantined) when it arrives. A bucket without a plan
 * that holds exactly this stands for usage that was accepted and cannot be counted under the prices
 * loaded since: its account's period has no sound sum, and spend says so (count.c). */
#define BUCKET_QUANTA_MAX (INT128_MAX / 4)

struct bucket {
    struct bucket_key key;
    int128 quanta;
};
static_assert(sizeof(struct bucket) == 32, "two buckets a cache line");

struct bucket_chain {
    uint32_t account;
    int32_t period;
    uint32_t first; /* bucket, INDEX_NONE ends */
    uint32_t reserved;
};

#define BUCKETS_CHUNK 1024       /* stored together in a checkpoint */
#define BUCKETS_MAX   (1u << 28) /* of a shard, or of a report */

struct buckets {
    struct bucket *items;  /* never moves */
    uint32_t *next;        /* chain: the next bucket of the same account and period */
    uint8_t *dirty_chunks; /* by BUCKETS_CHUNK: changed since the last checkpoint */
    uint32_t count;
    uint32_t dirty_chunk_capacity;
    struct lookup index;
    struct vast items_memory, next_memory;
    bool many; /* on huge pages, if the kernel likes */
    struct bucket_chain *chains;
    uint32_t chain_count;
    uint32_t chain_capacity;
    uint32_t *chain_slots; /* chain + 1 */
    uint32_t chain_slot_count;
};

/* Empty. Memory comes with the first bucket. */
void buckets_init(struct buckets *buckets);
void buckets_fini(struct buckets *buckets);
/* Empty again, with the memory it has. Cost: what was in it, however much it can hold. */
void buckets_clear(struct buckets *buckets);
/* Room for so many in all. Errors: NO_MEMORY. */
MUST_USE enum status buckets_reserve(struct buckets *buckets, uint32_t count);
/* The bucket's index; made with quantity 0 when new. Errors: NO_MEMORY. */
MUST_USE enum status buckets_at(struct buckets *buckets, struct bucket_key key, uint32_t *ret);
/* Whoever changes a bucket says so. */
static inline void buckets_changed(struct buckets *buckets, uint32_t index)
{
    buckets->dirty_chunks[index / BUCKETS_CHUNK] = 1;
}
/* The two halves of a look-up for batches: has the index's line fetched, then the bucket that it
 * seems to name. */
void buckets_prefetch_slot(const struct buckets *buckets, struct bucket_key key);
void buckets_prefetch(const struct buckets *buckets, struct bucket_key key);
/* Bytes of memory in use. */
uint64_t buckets_bytes(const struct buckets *buckets);
/* INDEX_NONE when there is none. */
uint32_t buckets_find(const struct buckets *buckets, struct bucket_key key);
/* The first bucket of an account's period; go on with buckets->next[]. */
uint32_t buckets_first(const struct buckets *buckets, uint32_t account, struct period period);

#endif
