/* Reports that go below the bucket: one pass over the journal for an account's period, window by
 * window. */
#ifndef RATEL_ACCOUNT_USAGE_WALK_H
#define RATEL_ACCOUNT_USAGE_WALK_H

#include "account/ledgers.h"
#include "account/spend.h"

struct usage_piece {
    uint32_t shard;
    uint32_t series; /* the shard's own number */
    const struct definition *definition;
    const struct event *event; /* the whole window as it came */
    const struct journal_frame *frame;
    const struct piece *piece; /* the part of it that falls into the period and one card version */
};

typedef enum status usage_visit(const struct usage_piece *usage, void *context,
                                struct error *error);

/* Pieces of all series that `account` pays for, shard after shard, each in journal order. What a
 * visitor is given is borrowed until it returns. Errors: as the visitor and ledgers_walk. */
MUST_USE enum status usage_walk(struct ledgers *ledgers, uint32_t account, struct period period,
                                usage_visit *visit, void *context, struct error *error);

enum dimension { DIMENSION_RESOURCE, DIMENSION_DAY, DIMENSION_ZONE };

/* One cell of a breakdown. The cells of a line add up to the line: exact amounts and quantities in
 * the charge's unit to 10^-12, rounded amounts to the minor unit (largest remainder); limits hold
 * per resource where the charge counts so. */
struct breakdown_cell {
    struct slice value; /* resource id, "2026-10-05" in the account's zone, zone id */
    struct quantity quantity;
    int128 units_pico; /* the same in the charge's unit, 10^-12; adds up to the line's as shown */
    struct money amount;
    struct money rounded;
};

struct breakdown_line {
    const struct spend_line *line;
    struct breakdown_cell *cells; /* by value */
    uint32_t cell_count;
};

/* Errors: RANGE, NO_MEMORY. Owner: the arena. */
MUST_USE enum status breakdown_compute(struct ledgers *ledgers, const struct spend *spend,
                                       enum dimension dimension, struct arena *arena,
                                       struct breakdown_line **ret, struct error *error);

#endif
