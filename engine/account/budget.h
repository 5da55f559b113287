/* Budgets: spend of an account's billing period held against thresholds while usage streams in.
 *
 * A threshold of a period fires once: its alert's id is "budget:ID:PERIOD:THRESHOLD", and the
 * outbox keeps ids for good. Alerts travel in the journal frame of the commit that caused them. */
#ifndef RATEL_ACCOUNT_BUDGET_H
#define RATEL_ACCOUNT_BUDGET_H

#include "account/ledger.h"
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

/* Alerts that are due for what the pending commit touched and that the sink does not know yet, up
 * to about BUDGET_ALERT_BYTES. `cursor` is 0 at first and says where to go on, BUDGETS_WATCHED at
 * the end. Owner: the arena. */
#define BUDGET_ALERT_BYTES (4u << 20)
#define BUDGETS_WATCHED    UINT32_MAX
MUST_USE enum status budget_alerts(struct ledger *ledger, uint32_t *cursor, struct arena *arena,
                                   struct alert **ret, uint32_t *ret_count, struct error *error);

#endif
