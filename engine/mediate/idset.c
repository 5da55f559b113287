#include "mediate/idset.h"

#include <assert.h>
#include <stdlib.h>

void idset_init(struct idset *set)
{
    *set = (struct idset){0};
}

void idset_fini(struct idset *set)
{
    free(set->slots);
    idset_init(set);
}

/* The slot that holds `id`, or the free one where it belongs. The capacity is never full. */
static uint64_t find(const struct idset *set, struct hash128 id)
{
    uint64_t position = id.low & (set->capacity - 1);
    while (!idset_is_free(&set->slots[position]) && !hash128_equal(set->slots[position].id, id))
        position = (position + 1) & (set->capacity - 1);
    return position;
}

enum idset_answer idset_classify(const struct idset *set, struct hash128 id, uint64_t content)
{
    if (!set->capacity)
        return IDSET_NEW;
    const struct idset_slot *slot = &set->slots[find(set, id)];
    if (idset_is_free(slot))
        return IDSET_NEW;
    return slot->content == content ? IDSET_DUPLICATE : IDSET_CONFLICT;
}

static enum status grow(struct idset *set)
{
    uint64_t capacity = set->capacity ? set->capacity * 2 : 1024;
    struct idset bigger = {.capacity = capacity, .count = set->count};
    bigger.slots = calloc(capacity, sizeof(*bigger.slots));
    if (!bigger.slots)
        return STATUS_NO_MEMORY;
    for (uint64_t i = 0; i < set->capacity; i++)
        if (!idset_is_free(&set->slots[i]))
            bigger.slots[find(&bigger, set->slots[i].id)] = set->slots[i];
    free(set->slots);
    *set = bigger;
    return STATUS_OK;
}

enum status idset_add(struct idset *set, struct hash128 id, uint64_t content)
{
    if ((set->count + 1) * 4 > set->capacity * 3) {
        enum status status = grow(set);
        if (status != STATUS_OK)
            return status;
    }
    uint64_t position = find(set, id);
    assert(idset_is_free(&set->slots[position]));
    set->slots[position] = (struct idset_slot){id, content};
    set->count++;
    return STATUS_OK;
}
