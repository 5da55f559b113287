#include "ratecards/model.h"

#include <assert.h>

struct key_slot {
    uint64_t hash;
    struct slice key;
    uint32_t space;
    uint32_t index; /* KEY_NONE: free */
};

static uint32_t capacity_for(uint32_t expected)
{
    uint64_t capacity = 16;
    while (capacity < (uint64_t)expected * 2)
        capacity *= 2;
    assert(capacity <= UINT32_MAX / 2 + 1);
    return (uint32_t)capacity;
}

static struct key_slot *slots_new(struct arena *arena, uint32_t capacity)
{
    struct key_slot *slots = arena_alloc(arena, (size_t)capacity * sizeof *slots);
    for (uint32_t i = 0; i < capacity; i++)
        slots[i].index = KEY_NONE;
    return slots;
}

void key_map_init(struct key_map *map, struct arena *arena, uint32_t expected)
{
    uint32_t capacity = capacity_for(expected);
    *map =
        (struct key_map){.arena = arena, .slots = slots_new(arena, capacity), .capacity = capacity};
}

/* The slot that holds the key, or the free one where it belongs. */
static struct key_slot *slot_of(const struct key_map *map, uint64_t hash, uint32_t space,
                                struct slice key)
{
    uint32_t at = (uint32_t)hash & (map->capacity - 1);
    for (;; at = (at + 1) & (map->capacity - 1)) {
        struct key_slot *slot = &map->slots[at];
        if (slot->index == KEY_NONE ||
            (slot->hash == hash && slot->space == space && slice_equal(slot->key, key)))
            return slot;
    }
}

uint32_t key_map_find(const struct key_map *map, uint32_t space, struct slice key)
{
    return slot_of(map, hash64(key, space), space, key)->index;
}

static void key_map_grow(struct key_map *map)
{
    struct key_slot *old = map->slots;
    uint32_t old_capacity = map->capacity;
    map->capacity *= 2;
    map->slots = slots_new(map->arena, map->capacity);
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].index != KEY_NONE)
            *slot_of(map, old[i].hash, old[i].space, old[i].key) = old[i];
    }
}

uint32_t key_map_put(struct key_map *map, uint32_t space, struct slice key, uint32_t index)
{
    assert(index != KEY_NONE);
    if (map->count >= map->capacity / 2)
        key_map_grow(map);
    uint64_t hash = hash64(key, space);
    struct key_slot *slot = slot_of(map, hash, space, key);
    uint32_t before = slot->index;
    if (before == KEY_NONE)
        map->count++;
    *slot = (struct key_slot){.hash = hash, .key = key, .space = space, .index = index};
    return before;
}
