/* Counting the journal's events again, for whoever passes over many: re-rating and recovery.
 *
 * An event costs its own 32 bytes and its series' 16 bytes of tally. What a series has gathered
 * goes to its buckets when its prices change, and at the end. Sums do not depend on their order,
 * unless one overflows; then everything is counted once more, event by event
 * (ledger_recount_event). */
#ifndef RATEL_ACCOUNT_RECOUNT_H
#define RATEL_ACCOUNT_RECOUNT_H

#include "account/ledger.h"

/* What was met of a series since it was last counted, and the interval in which this can be added
 * to: both ends 0 where each event is counted by itself. */
struct tally {
    uint64_t quanta;
    uint32_t from, to; /* seconds since 1970 */
};
static_assert(sizeof(struct tally) == 16, "four series a cache line");

struct recount {
    struct ledger *ledger;
    struct tally *tallies; /* by series */
    uint8_t *used;         /* by SERIES_CHUNK: there may be something in them */
    struct vast memory, used_memory;
    bool overflowed; /* nothing is counted any more: see recount_end */
};

/* Errors: NO_MEMORY. Owner: caller, recount_end, whatever happens in between. */
MUST_USE enum status recount_begin(struct recount *recount, struct ledger *ledger,
                                   struct error *error);
/* Events of one frame, in their order. Errors: CORRUPT, IO (definitions; an event without a
 * series), NO_MEMORY. */
MUST_USE enum status recount_events(struct recount *recount, const struct event *events,
                                    uint32_t count, struct error *error);
/* With `complete` the buckets hold everything that was met when this returns OK; without, after an
 * error, memory is given back and that is all. *ret_overflowed: a sum did not fit, so the ledger
 * must be counted by ledger_recount_each from its first event. Errors: none of its own. */
void recount_end(struct recount *recount, bool complete, bool *ret_overflowed);

#endif
