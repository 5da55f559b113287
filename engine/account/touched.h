/* Which accounts and periods a commit has touched: each once, in the order of their first touch.
 *
 * A set of fixed size that allocates nothing: adding is a hash and mostly one slot, emptying is a
 * new generation. When more are touched than it holds, it says so, and whoever asks looks at
 * everything. Owner: the ledger. Thread: its owner. */
#ifndef RATEL_ACCOUNT_TOUCHED_H
#define RATEL_ACCOUNT_TOUCHED_H

#include <stdbool.h>
#include <stdint.h>

#define TOUCHED_MAX       4096
#define TOUCHED_SLOT_BITS 13
#define TOUCHED_SLOTS     (1 << TOUCHED_SLOT_BITS) /* twice as many: searches stay short */

struct touched_item {
    uint32_t account;
    int32_t period;
};

struct touched_slot {
    uint32_t generation; /* another one than the set's: free */
    uint32_t item;
};

struct touched_set {
    uint32_t count;
    uint32_t generation;
    bool all; /* more than fit, or touched_all was called: the items say nothing */
    struct touched_item items[TOUCHED_MAX];
    struct touched_slot slots[TOUCHED_SLOTS];
};

/* Empty. Costs the size of the struct, once. */
void touched_init(struct touched_set *set);
/* Empty again. */
void touched_reset(struct touched_set *set);
void touched_add(struct touched_set *set, uint32_t account, int32_t period);
/* As if everything had been touched, until the next reset. */
void touched_all(struct touched_set *set);

#endif
