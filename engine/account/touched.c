#include "account/touched.h"

#include <assert.h>
#include <string.h>

void touched_init(struct touched_set *set)
{
    memset(set, 0, sizeof(*set));
    set->generation = 1;
}

void touched_reset(struct touched_set *set)
{
    assert(set->generation > 0 && set->count <= TOUCHED_MAX);
    set->count = 0;
    set->all = false;
    if (++set->generation == 0)
        touched_init(set); /* slots of 2^32 resets ago would look alive */
}

void touched_all(struct touched_set *set)
{
    set->all = true;
}

static uint32_t slot_first(uint32_t account, int32_t period)
{
    uint64_t hash = ((uint64_t)account << 32 | (uint32_t)period) * 0x9e3779b97f4a7c15;
    return (uint32_t)(hash >> (64 - TOUCHED_SLOT_BITS)); /* only the highest depend on all */
}

void touched_add(struct touched_set *set, uint32_t account, int32_t period)
{
    if (set->all)
        return;
    uint32_t at = slot_first(account, period);
    for (; set->slots[at].generation == set->generation; at = (at + 1) % TOUCHED_SLOTS) {
        const struct touched_item *item = &set->items[set->slots[at].item];
        if (item->account == account && item->period == period)
            return;
    }
    if (set->count == TOUCHED_MAX) {
        set->all = true;
        return;
    }
    set->slots[at] = (struct touched_slot){set->generation, set->count};
    set->items[set->count++] = (struct touched_item){account, period};
}
