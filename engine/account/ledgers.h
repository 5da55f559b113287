/* The ledgers of a data directory, one a shard, as one.
 *
 * Invariants:
 * G-1 equal windows meet in one shard, and so do equal ids.
 * G-2 every amount is a function of the sums over all shards.
 * G-3 an alert follows from usage that is durable in every shard, and is in no journal.
 *
 * A payer (account id, project id or name@domain) belongs to one shard, so its windows meet in one
 * place; an event with an id belongs to the shard of its id, so that equal ids meet. An account
 * that is billed for several payers therefore has buckets in several shards, and every amount is a
 * function of the sums over shards.
 *
 * Numbers. Series, resources, meters and conflicts are numbered by each ledger on its own. The
 * common number of what a shard calls n, counted from 0, is n * shard count + shard; what several
 * shards know has the number that the lowest of them gives. With one shard nothing changes. Common
 * numbers hold as long as nothing is applied: a shard may learn of what another one knows.
 *
 * Thread: one owner. */
#ifndef RATEL_ACCOUNT_LEDGERS_H
#define RATEL_ACCOUNT_LEDGERS_H

#include "account/alert.h"
#include "account/ledger.h"

struct ledgers_options {
    const struct datadir *datadir;
    enum ledger_mode mode;
    const struct snapshot
        *snapshot;             /* must outlive the ledgers, or be replaced by ledgers_reprice */
    struct alert_sink *alerts; /* of a writer; NULL: no budgets are watched */
};

struct ledgers {
    struct ledgers_options options;
    const struct snapshot *snapshot;
    struct ledger **shards;
    uint32_t count;
    uint32_t pending;     /* sum of ledger_pending */
    bool definitions_due; /* of a shard: they must fit into its frame */
    struct buckets merged;
    struct buckets touched; /* accounts and periods that ledgers_watch looks at */
};

/* Opens all of them. A writer with an alert sink looks at every budget, because a crash may have
 * come between usage and its alerts. Errors: as ledger_open, and the sink's. Owner: caller,
 * ledgers_close. */
MUST_USE enum status ledgers_open(const struct ledgers_options *options, struct ledgers **ret,
                                  struct error *error);
void ledgers_close(struct ledgers *ledgers); /* what was not committed is gone */

static inline uint32_t ledgers_shard_of(const struct ledgers *ledgers, uint64_t payer_hash)
{
    return (uint32_t)(((uint128)payer_hash * ledgers->count) >> 64);
}

/* As ledger_apply, in the usage's shard. */
MUST_USE enum status ledgers_apply(struct ledgers *ledgers, struct usage *usage, enum outcome *ret,
                                   struct error *error);
/* As ledger_commit_due: the events of all shards together are a batch. */
static inline bool ledgers_commit_due(const struct ledgers *ledgers, uint32_t batch_events)
{
    return ledgers->pending >= batch_events || ledgers->definitions_due;
}
/* A frame in each shard that has something pending, the first of them with `counts` (may be NULL).
 * Everything is durable when this returns OK; then budgets are watched. After an error the ledgers
 * must be closed and opened again: some shards may have committed, which a source that sends again
 * does not notice. Errors: IO, NO_SPACE, and the sink's. */
MUST_USE enum status ledgers_commit(struct ledgers *ledgers, const struct source_position *position,
                                    const struct ingest_counts *counts, struct error *error);
/* Holds the budgets that were touched against the sums of all shards and delivers what is due. Only
 * after what touched them is durable. */
MUST_USE enum status ledgers_watch(struct ledgers *ledgers, struct error *error);
/* Nothing may be pending. */
MUST_USE enum status ledgers_checkpoint(struct ledgers *ledgers, struct error *error);
MUST_USE enum status ledgers_reprice(struct ledgers *ledgers, const struct snapshot *snapshot,
                                     struct error *error);
/* As ledger_adopt, for those that are not under these prices yet. */
MUST_USE enum status ledgers_adopt(struct ledgers *ledgers, const struct snapshot *snapshot,
                                   struct error *error);

uint64_t ledgers_event_count(const struct ledgers *ledgers);
uint64_t ledgers_cut_bytes(const struct ledgers *ledgers);
/* What the last pass over the journals for other prices took, of the slowest shard, for they work
 * side by side; 0: there was none. A statistic. */
int64_t ledgers_reprice_ns(const struct ledgers *ledgers);
/* Where a stream is to be continued: everything before that place is in the journals. False: some
 * shard knows nothing of it, so it has to be sent from its start; what is there is a duplicate. */
bool ledgers_position(const struct ledgers *ledgers, struct slice source, struct slice file,
                      uint64_t *ret_offset);

/* ---- sums ------------------------------------------------------------------------------------ */

/* Buckets that hold at least those of the account's period, `part` in common numbers; borrowed
 * until the next call or change. A sum that no bucket may reach marks the period as
 * ledger_recount_event does. Errors: NO_MEMORY. Cost: the account's buckets. */
MUST_USE enum status ledgers_buckets(struct ledgers *ledgers, uint32_t account,
                                     struct period period, const struct buckets **ret,
                                     struct error *error);
/* Whether the account has any bucket in the period. */
bool ledgers_used(const struct ledgers *ledgers, uint32_t account, struct period period);

/* ---- common numbers -------------------------------------------------------------------------- */

uint32_t ledgers_series(const struct ledgers *ledgers, uint32_t shard, uint32_t series);
/* Of a series whose usage was walked before, so that its definition was read. Slices are borrowed
 * until the next call for these ledgers. */
void ledgers_series_definition(const struct ledgers *ledgers, uint32_t series,
                               struct definition *ret);
uint32_t ledgers_meter(const struct ledgers *ledgers, uint32_t shard, uint32_t meter);
struct slice ledgers_meter_name(const struct ledgers *ledgers, uint32_t meter);
/* CloudStack's meters by usage type, then others by name: their numbers follow the order of
 * arrival, which no report may show. */
struct spend;
void ledgers_sort_unpriced(const struct ledgers *ledgers, struct spend *spend);
/* As ledger_bucket_key; a key of no bucket when memory is out. */
struct bucket_key ledgers_bucket_key(const struct ledgers *ledgers, uint32_t shard,
                                     const struct definition *definition,
                                     const struct resolution *resolution, uint32_t position);

/* Walks all events, shard after shard, each in journal order; series are the shard's own. */
typedef enum status ledgers_event_visit(uint32_t shard, const struct event *event,
                                        const struct journal_frame *frame, void *context,
                                        struct error *error);
MUST_USE enum status ledgers_walk(struct ledgers *ledgers, ledgers_event_visit *visit,
                                  void *context, struct error *error);

/* ---- conflicts ------------------------------------------------------------------------------- */

/* The conflict that a person calls `number`, from 1; NULL when there is none. Numbers never change;
 * with several shards some are missing. The event's series is the shard's own. */
const struct conflict_entry *ledgers_conflict(const struct ledgers *ledgers, uint32_t number,
                                              uint32_t *ret_shard);
uint32_t ledgers_conflict_last(const struct ledgers *ledgers); /* no number is greater */
/* Errors: NOT_FOUND. */
MUST_USE enum status ledgers_discard_conflict(struct ledgers *ledgers, uint32_t number,
                                              struct error *error);

#endif
