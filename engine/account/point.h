/* Pointing a series at its buckets: which ones its quantities go to within one interval of prices,
 * so that counting an event there looks at no price.
 *
 * Finding out costs several misses of the cache, so whoever has many series to point does it in
 * steps, each of which asks for what the next one reads. Between the steps nothing may be counted.
 */
#ifndef RATEL_ACCOUNT_POINT_H
#define RATEL_ACCOUNT_POINT_H

#include "account/ledger.h"

struct pointing {
    int64_t from, to; /* where it holds */
    uint32_t series;
    uint32_t count; /* buckets */
    struct bucket_key keys[SERIES_SLOTS];
    int64_t wide; /* as in struct series */
    uint32_t narrow[SERIES_SLOTS - 1];
};

/* How many buckets a resolution counts in. */
uint32_t point_bucket_count(const struct resolution *resolution);
/* From a resolution and its buckets' keys, in its order. False: a line cannot hold it. */
bool point_make(uint32_t series, const struct resolution *resolution, const struct bucket_key *keys,
                struct pointing *ret);

/* Whether the event fits any new bucket, so that it can only be refused where there is one already:
 * nothing is made for an event that is refused. For who may refuse it, before anything else. */
bool point_fits(const struct ledger *ledger, const struct event *event);

/* Step 1: has the definition fetched. */
void point_prefetch(const struct ledger *ledger, uint32_t series);
/* Step 2: *ret_found is whether the event lies whole within one interval of prices and is counted
 * over its account alone, in buckets that a line can hold; any other event is counted_slowly's.
 * Errors: CORRUPT, IO (the definition), NO_MEMORY. */
MUST_USE enum status point_find(struct ledger *ledger, const struct event *event,
                                struct pointing *ret, bool *ret_found, struct error *error);
/* The same where the packed definition is at hand. Errors: CORRUPT, NO_MEMORY. */
MUST_USE enum status point_find_in(struct ledger *ledger, struct slice definition,
                                   const struct event *event, struct pointing *ret, bool *ret_found,
                                   struct error *error);
/* Between 2 and 3, for many: first has the index's lines fetched, then the buckets. */
void point_prefetch_slots(const struct ledger *ledger, const struct pointing *pointing);
void point_prefetch_buckets(const struct ledger *ledger, const struct pointing *pointing);
/* Step 2 for a series whose slots hold for another interval: from where they point, its definition
 * not being looked at. False: that cannot be told from them, point_find it. */
bool point_follow(const struct ledger *ledger, const struct event *event, struct pointing *ret);
/* Step 3: makes the buckets and points the line there. Buckets of quantity 0 that this makes are no
 * trace. Errors: NO_MEMORY, with the series pointing nowhere. */
MUST_USE enum status point_set(struct ledger *ledger, const struct pointing *pointing,
                               struct error *error);

#endif
