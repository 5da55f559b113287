#include "account/buckets.h"

#include <stdlib.h>
#include <string.h>

#define REHASH_AHEAD 16
#define CLEAR_WHOLE                                                                                \
    64 /* more than one slot in so many: clearing all is quicker than finding them */

void buckets_init(struct buckets *buckets)
{
    *buckets = (struct buckets){0};
}

void buckets_fini(struct buckets *buckets)
{
    free(buckets->items);
    free(buckets->next);
    free(buckets->dirty);
    free(buckets->slots);
    free(buckets->chains);
    free(buckets->chain_slots);
    buckets_init(buckets);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd6e8feb86659fd93u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t key_hash(struct bucket_key key)
{
    return mix((uint64_t)key.account << 32 | (uint32_t)key.period,
               (uint64_t)key.plan << 32 | key.part);
}

static bool key_equal(struct bucket_key a, struct bucket_key b)
{
    return a.account == b.account && a.period == b.period && a.plan == b.plan && a.part == b.part;
}

static uint32_t slot_of(const struct buckets *buckets, struct bucket_key key)
{
    uint32_t slot = (uint32_t)key_hash(key) & (buckets->slot_count - 1);
    while (buckets->slots[slot] && !key_equal(buckets->items[buckets->slots[slot] - 1].key, key))
        slot = (slot + 1) & (buckets->slot_count - 1);
    return slot;
}

static uint32_t chain_home(const struct buckets *buckets, uint32_t account, int32_t period)
{
    return (uint32_t)mix(account, (uint32_t)period) & (buckets->chain_slot_count - 1);
}

static uint32_t chain_slot_of(const struct buckets *buckets, uint32_t account, int32_t period)
{
    uint32_t slot = chain_home(buckets, account, period);
    for (;;) {
        uint32_t chain = buckets->chain_slots[slot];
        if (!chain || (buckets->chains[chain - 1].account == account &&
                       buckets->chains[chain - 1].period == period))
            return slot;
        slot = (slot + 1) & (buckets->chain_slot_count - 1);
    }
}

static enum status grow_items(struct buckets *buckets)
{
    uint32_t capacity = buckets->capacity ? buckets->capacity * 2 : 1024;
    struct bucket *items = aligned_alloc(64, (size_t)capacity * sizeof(*items));
    uint32_t *next = realloc(buckets->next, (size_t)capacity * sizeof(*next));
    if (next)
        buckets->next = next;
    uint8_t *dirty = realloc(buckets->dirty, capacity);
    if (dirty)
        buckets->dirty = dirty;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof(*slots));
    if (!items || !next || !dirty || !slots) {
        free(items);
        free(slots);
        return STATUS_NO_MEMORY;
    }
    if (buckets->count)
        memcpy(items, buckets->items, buckets->count * sizeof(*items));
    free(buckets->items);
    free(buckets->slots);
    buckets->items = items;
    buckets->capacity = capacity;
    buckets->slots = slots;
    buckets->slot_count = capacity * 2;
    const uint32_t mask = buckets->slot_count - 1;
    for (uint32_t i = 0; i < buckets->count; i++) {
        if (i + REHASH_AHEAD < buckets->count)
            __builtin_prefetch(&slots[(uint32_t)key_hash(items[i + REHASH_AHEAD].key) & mask], 1);
        uint32_t slot = (uint32_t)key_hash(items[i].key) & mask;
        while (slots[slot]) /* they are all different */
            slot = (slot + 1) & mask;
        slots[slot] = i + 1;
    }
    return STATUS_OK;
}

static enum status grow_chains(struct buckets *buckets)
{
    uint32_t capacity = buckets->chain_capacity ? buckets->chain_capacity * 2 : 256;
    struct bucket_chain *chains = realloc(buckets->chains, capacity * sizeof(*chains));
    if (chains)
        buckets->chains = chains;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof(*slots));
    if (!chains || !slots) {
        free(slots);
        return STATUS_NO_MEMORY;
    }
    free(buckets->chain_slots);
    buckets->chain_capacity = capacity;
    buckets->chain_slots = slots;
    buckets->chain_slot_count = capacity * 2;
    for (uint32_t i = 0; i < buckets->chain_count; i++)
        slots[chain_slot_of(buckets, chains[i].account, chains[i].period)] = i + 1;
    return STATUS_OK;
}

static enum status chain_at(struct buckets *buckets, uint32_t account, int32_t period,
                            struct bucket_chain **ret)
{
    if (buckets->chain_count == buckets->chain_capacity) {
        enum status status = grow_chains(buckets);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t slot = chain_slot_of(buckets, account, period);
    if (!buckets->chain_slots[slot]) {
        buckets->chains[buckets->chain_count] =
            (struct bucket_chain){account, period, INDEX_NONE, 0};
        buckets->chain_slots[slot] = ++buckets->chain_count;
    }
    *ret = &buckets->chains[buckets->chain_slots[slot] - 1];
    return STATUS_OK;
}

enum status buckets_at(struct buckets *buckets, struct bucket_key key, uint32_t *ret)
{
    if (buckets->count == buckets->capacity) {
        enum status status = grow_items(buckets);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t slot = slot_of(buckets, key);
    if (!buckets->slots[slot]) {
        struct bucket_chain *chain;
        enum status status = chain_at(buckets, key.account, key.period, &chain);
        if (status != STATUS_OK)
            return status;
        uint32_t index = buckets->count++;
        buckets->items[index] = (struct bucket){key, 0};
        buckets->dirty[index] = 1;
        buckets->next[index] = chain->first;
        chain->first = index;
        buckets->slots[slot] = index + 1;
    }
    *ret = buckets->slots[slot] - 1;
    return STATUS_OK;
}

void buckets_clear(struct buckets *buckets)
{
    if (buckets->count > buckets->slot_count / CLEAR_WHOLE) {
        memset(buckets->slots, 0, buckets->slot_count * sizeof(*buckets->slots));
        memset(buckets->chain_slots, 0, buckets->chain_slot_count * sizeof(*buckets->chain_slots));
        buckets->count = buckets->chain_count = 0;
        return;
    }
    /* Each entry stands at its slot or behind it; what others leave free does not end the search.
     */
    for (uint32_t i = 0; i < buckets->count; i++) {
        uint32_t slot = (uint32_t)key_hash(buckets->items[i].key) & (buckets->slot_count - 1);
        while (buckets->slots[slot] != i + 1)
            slot = (slot + 1) & (buckets->slot_count - 1);
        buckets->slots[slot] = 0;
    }
    for (uint32_t i = 0; i < buckets->chain_count; i++) {
        const struct bucket_chain *chain = &buckets->chains[i];
        uint32_t slot = chain_home(buckets, chain->account, chain->period);
        while (buckets->chain_slots[slot] != i + 1)
            slot = (slot + 1) & (buckets->chain_slot_count - 1);
        buckets->chain_slots[slot] = 0;
    }
    buckets->count = buckets->chain_count = 0;
}

uint32_t buckets_find(const struct buckets *buckets, struct bucket_key key)
{
    return buckets->slot_count ? buckets->slots[slot_of(buckets, key)] - 1
                               : INDEX_NONE; /* 0 - 1 is INDEX_NONE */
}

void buckets_prefetch_slot(const struct buckets *buckets, struct bucket_key key)
{
    if (buckets->slot_count)
        __builtin_prefetch(&buckets->slots[(uint32_t)key_hash(key) & (buckets->slot_count - 1)]);
}

void buckets_prefetch(const struct buckets *buckets, struct bucket_key key)
{
    if (!buckets->slot_count)
        return;
    uint32_t index = buckets->slots[(uint32_t)key_hash(key) & (buckets->slot_count - 1)];
    if (index)
        __builtin_prefetch(&buckets->items[index - 1], 1);
}

uint32_t buckets_first(const struct buckets *buckets, uint32_t account, struct period period)
{
    if (!buckets->chain_slot_count)
        return INDEX_NONE;
    uint32_t chain = buckets->chain_slots[chain_slot_of(buckets, account, period.index)];
    return chain ? buckets->chains[chain - 1].first : INDEX_NONE;
}

uint64_t buckets_bytes(const struct buckets *buckets)
{
    return (uint64_t)buckets->capacity *
               (sizeof(*buckets->items) + sizeof(*buckets->next) + sizeof(*buckets->dirty)) +
           (uint64_t)buckets->slot_count * sizeof(*buckets->slots) +
           (uint64_t)buckets->chain_capacity * sizeof(*buckets->chains) +
           (uint64_t)buckets->chain_slot_count * sizeof(*buckets->chain_slots);
}
