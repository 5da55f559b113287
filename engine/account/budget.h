/* Budgets: spend of an account's billing period held against thresholds while usage streams in.
 *
 * A threshold of a period fires once: its alert's id is "budget:ID:PERIOD:THRESHOLD", and the
 * outbox keeps ids for good. Alerts are nobody's state: they follow from usage that is durable, and
 * whoever opens the ledgers for writing looks at all budgets again (ledgers_watch). */
#ifndef RATEL_ACCOUNT_BUDGET_H
#define RATEL_ACCOUNT_BUDGET_H

#include "account/alert.h"
#include "account/spend.h"

/* Spend so far against a budget, in the budget's currency. `no_rate`: some lines cannot be
 * converted (yet) and count as 0. */
struct budget_state {
    const struct budget *budget;
    struct period period;
    struct money spend;
    bool no_rate;
    uint32_t percent; /* of the amount reached, rounded down, at most UINT32_MAX */
};

MUST_USE enum status budget_state(const struct buckets *buckets, const struct snapshot *snapshot,
                                  const struct budget *budget, struct period period,
                                  struct arena *arena, struct budget_state *ret,
                                  struct error *error);

/* The alert id of a threshold. Owner: the arena. */
struct slice budget_alert_id(const struct budget *budget, struct period period, uint32_t threshold,
                             struct arena *arena);

/* Alerts that are handed over together: a transaction of the outbox. */
#define ALERT_BATCH_BYTES (4u << 20) /* enough: it is time to deliver */
struct alert_batch {
    struct arena arena;
    struct alert *alerts;
    uint32_t count;
    uint32_t capacity;
    uint64_t bytes;
};

void alert_batch_init(struct alert_batch *batch);
void alert_batch_fini(struct alert_batch *batch);

/* Adds the alerts that are due for an account's period and that the sink does not know yet.
 * `buckets` hold the sums of all shards. Spend that cannot be computed has none. */
MUST_USE enum status budget_alerts(const struct buckets *buckets, const struct snapshot *snapshot,
                                   uint32_t account, struct period period, struct alert_sink *sink,
                                   struct alert_batch *batch, struct error *error);

#endif
