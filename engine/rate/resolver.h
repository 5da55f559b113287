/* Resolving for series after series: what neighbours have in common is looked up once. The answers
 * are snapshot_resolve's.
 *
 * Remembered are the last payer, the stretches of time in which nothing changes, and which plans
 * series of a meter get by the values that the meter's charges look at. Thread: one owner. */
#ifndef RATEL_RATE_RESOLVER_H
#define RATEL_RATE_RESOLVER_H

#include <assert.h>

#include "rate/months.h"
#include "rate/snapshot.h"

#define RESOLVER_VALUES     4 /* that the charges of a meter look at; with more, nothing is kept */
#define RESOLVER_TEXT_BYTES 148 /* of these values together */
#define RESOLVER_MATCHES    3   /* charges that count one series; more are not kept */
#define RESOLVER_LINES      2048
#define RESOLVER_STRETCHES  16

struct version_index;
struct payer_slot;

/* Rows that series with these values match, by charge. */
struct resolver_line {
    const struct version_index *version; /* NULL: free */
    uint32_t payer_class;
    uint8_t usage_type;
    uint8_t match_count;
    uint8_t lengths[RESOLVER_VALUES]; /* + 1; 0: the series does not bear it */
    uint16_t reserved;
    uint32_t charges[RESOLVER_MATCHES]; /* position in the version */
    uint32_t plans[RESOLVER_MATCHES];
    char text[RESOLVER_TEXT_BYTES]; /* the values, one after the other */
};
static_assert(sizeof(struct resolver_line) == 192, "three cache lines");

/* When the payers of a class are priced by which version. */
struct resolver_stretch {
    uint32_t payer_class;                /* INDEX_NONE: free */
    const struct version_index *version; /* NULL: none is in force */
    struct month_stretch stretch;
};

struct resolver {
    const struct snapshot *snapshot;
    const struct payer_slot *payer; /* found last; NULL: none */
    struct resolver_stretch stretches[RESOLVER_STRETCHES];
    struct resolver_line lines[RESOLVER_LINES];
};

/* Nothing is remembered. The snapshot must outlive the resolver's use. */
void resolver_init(struct resolver *resolver, const struct snapshot *snapshot);

/* As snapshot_resolve. Cost: a third of it for a series of which a neighbour was resolved. */
MUST_USE enum status resolver_resolve(struct resolver *resolver, const struct series_view *series,
                                      struct instant at, struct resolution *ret);

/* The same for a series that is known to have had these plans, at least one, under the same
 * snapshot and with this payer, without looking at it. False: that cannot be told from its plans.
 * Multipliers are not written: they are what they were. */
bool resolver_follow(struct resolver *resolver, uint32_t account, const uint32_t *plans,
                     uint32_t plan_count, struct instant at, struct resolution *ret);

#endif
