#include "account/buckets.h"

#include <stdlib.h>
#include <string.h>

#define REHASH_AHEAD 16
#define CLEAR_WHOLE                                                                                \
    64 /* more than one place in so many: clearing all is quicker than finding them */
#define BUCKETS_LEAST (1u << 20) /* where the system refuses more addresses */
#define BUCKETS_MANY  (1u << 15) /* from here on it is worth huge pages */

void buckets_init(struct buckets *buckets)
{
    *buckets = (struct buckets){0};
}

void buckets_fini(struct buckets *buckets)
{
    vast_fini(&buckets->items_memory);
    vast_fini(&buckets->next_memory);
    lookup_fini(&buckets->index);
    free(buckets->dirty_chunks);
    free(buckets->chains);
    free(buckets->chain_slots);
    buckets_init(buckets);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd6e8feb86659fd93u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t key_hash(struct bucket_key key)
{
    return (uint32_t)mix((uint64_t)key.account << 32 | (uint32_t)key.period,
                         (uint64_t)key.plan << 32 | key.part);
}

static bool key_equal(struct bucket_key a, struct bucket_key b)
{
    return a.account == b.account && a.period == b.period && a.plan == b.plan && a.part == b.part;
}

/* INDEX_NONE when there is none. */
static uint32_t find(const struct buckets *buckets, uint32_t hash, struct bucket_key key)
{
    const struct lookup_line *line = lookup_home(&buckets->index, hash);
    for (;; line = lookup_next(&buckets->index, line)) {
        for (uint32_t mask = lookup_matches(line, hash); mask; mask &= mask - 1) {
            uint32_t index = line->numbers[__builtin_ctz(mask)];
            if (key_equal(buckets->items[index].key, key))
                return index;
        }
        if (!line->passed)
            return INDEX_NONE;
    }
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

static enum status make_arrays(struct buckets *buckets)
{
    enum status status = vast_init(&buckets->items_memory, sizeof(*buckets->items), BUCKETS_MAX,
                                   BUCKETS_LEAST, false);
    if (status == STATUS_OK)
        status = vast_init(&buckets->next_memory, sizeof(*buckets->next), BUCKETS_MAX,
                           BUCKETS_LEAST, false);
    if (status == STATUS_OK)
        status = lookup_init(&buckets->index, BUCKETS_MAX, BUCKETS_LEAST, false);
    if (status != STATUS_OK) {
        buckets_fini(buckets);
        return status;
    }
    /* They never move. */
    buckets->items = (struct bucket *)(void *)buckets->items_memory.base;
    buckets->next = (uint32_t *)(void *)buckets->next_memory.base;
    return STATUS_OK;
}

static enum status grow_index(struct buckets *buckets, uint64_t count)
{
    enum status status = lookup_grow(&buckets->index, count);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < buckets->count; i++) {
        if (i + REHASH_AHEAD < buckets->count)
            lookup_prefetch(&buckets->index, key_hash(buckets->items[i + REHASH_AHEAD].key));
        lookup_put(&buckets->index, key_hash(buckets->items[i].key), i);
    }
    return STATUS_OK;
}

static bool grow_dirty(struct buckets *buckets, uint32_t chunks)
{
    uint32_t capacity = chunks + chunks / 4;
    uint8_t *dirty = realloc(buckets->dirty_chunks, capacity);
    if (!dirty)
        return false;
    buckets->dirty_chunks = dirty;
    buckets->dirty_chunk_capacity = capacity;
    return true;
}

enum status buckets_reserve(struct buckets *buckets, uint32_t count)
{
    if (count == 0)
        return STATUS_OK;
    uint32_t chunks = (count - 1) / BUCKETS_CHUNK + 1;
    enum status status = buckets->items ? STATUS_OK : make_arrays(buckets);
    if (status == STATUS_OK && count >= BUCKETS_MANY && !buckets->many) {
        vast_huge_pages(&buckets->items_memory);
        vast_huge_pages(&buckets->next_memory);
        vast_huge_pages(&buckets->index.memory);
        buckets->many = true;
    }
    if (status == STATUS_OK)
        status = vast_reserve(&buckets->items_memory, count);
    if (status == STATUS_OK)
        status = vast_reserve(&buckets->next_memory, count);
    if (status == STATUS_OK && chunks > buckets->dirty_chunk_capacity &&
        !grow_dirty(buckets, chunks))
        status = STATUS_NO_MEMORY;
    if (status == STATUS_OK && lookup_is_full(&buckets->index, count))
        status = grow_index(buckets, count);
    return status;
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

static enum status add(struct buckets *buckets, uint32_t hash, struct bucket_key key, uint32_t *ret)
{
    struct bucket_chain *chain;
    enum status status = buckets_reserve(buckets, buckets->count + 1);
    if (status == STATUS_OK)
        status = chain_at(buckets, key.account, key.period, &chain);
    if (status != STATUS_OK)
        return status;
    uint32_t index = buckets->count++;
    buckets->items[index] = (struct bucket){key, 0};
    buckets_changed(buckets, index);
    buckets->next[index] = chain->first;
    chain->first = index;
    lookup_put(&buckets->index, hash, index);
    *ret = index;
    return STATUS_OK;
}

enum status buckets_at(struct buckets *buckets, struct bucket_key key, uint32_t *ret)
{
    uint32_t hash = key_hash(key);
    uint32_t index = buckets->count ? find(buckets, hash, key) : INDEX_NONE;
    if (index == INDEX_NONE)
        return add(buckets, hash, key, ret);
    *ret = index;
    return STATUS_OK;
}

void buckets_clear(struct buckets *buckets)
{
    uint64_t places = (uint64_t)buckets->index.line_count * LOOKUP_PLACES;
    if (buckets->count > places / CLEAR_WHOLE) {
        lookup_clear(&buckets->index);
        memset(buckets->chain_slots, 0, buckets->chain_slot_count * sizeof(*buckets->chain_slots));
        buckets->count = buckets->chain_count = 0;
        return;
    }
    for (uint32_t i = 0; i < buckets->count; i++)
        lookup_clear_home(&buckets->index, key_hash(buckets->items[i].key));
    /* Each entry stands at its slot or behind it; what others leave free does not end the search.
     */
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
    return buckets->count ? find(buckets, key_hash(key), key) : INDEX_NONE;
}

void buckets_prefetch_slot(const struct buckets *buckets, struct bucket_key key)
{
    if (buckets->count)
        lookup_prefetch(&buckets->index, key_hash(key));
}

void buckets_prefetch(const struct buckets *buckets, struct bucket_key key)
{
    if (!buckets->count)
        return;
    uint32_t hash = key_hash(key);
    const struct lookup_line *line = lookup_home(&buckets->index, hash);
    uint32_t mask = lookup_matches(line, hash);
    if (mask)
        __builtin_prefetch(&buckets->items[line->numbers[__builtin_ctz(mask)]], 1);
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
    return vast_bytes(&buckets->items_memory) + vast_bytes(&buckets->next_memory) +
           buckets->dirty_chunk_capacity + lookup_bytes(&buckets->index) +
           (uint64_t)buckets->chain_capacity * sizeof(*buckets->chains) +
           (uint64_t)buckets->chain_slot_count * sizeof(*buckets->chain_slots);
}
