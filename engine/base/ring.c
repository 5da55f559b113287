#include "base/ring.h"

#include <assert.h>
#include <ck_ring.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/tsan.h"

#define CACHE_LINE 64

/* ck_ring keeps the consumer's counter, the producer's and the constants on a line each, as long as
 * it starts on one. Both threads read the slots' address, so it stands with the constants. */
struct ring {
    _Alignas(CACHE_LINE) struct ck_ring indexes;
    struct ck_ring_buffer *slots;
};

_Static_assert(offsetof(struct ring, indexes.p_tail) == CACHE_LINE, "the producer's own line");
_Static_assert(offsetof(struct ring, indexes.mask) >= 2 * CACHE_LINE, "constants apart");
_Static_assert(sizeof(struct ring) == 3 * CACHE_LINE, "slots on the constants' line");

enum status ring_new(uint32_t slots, struct ring **ret_ring)
{
    assert(slots >= 2 && slots <= RING_SLOTS_MAX && (slots & (slots - 1)) == 0);
    size_t slot_bytes =
        (slots * sizeof(struct ck_ring_buffer) + CACHE_LINE - 1) & -(size_t)CACHE_LINE;
    /* One piece: the slots start on a line of their own behind the indexes. */
    struct ring *ring = aligned_alloc(CACHE_LINE, sizeof(*ring) + slot_bytes);
    if (!ring)
        return STATUS_NO_MEMORY;
    ck_ring_init(&ring->indexes, slots);
    ring->slots = (struct ck_ring_buffer *)(void *)(ring + 1);
    /* Touched now, so that the first round costs no page faults. */
    for (uint32_t i = 0; i < slots; i++)
        ring->slots[i].value = NULL;
    *ret_ring = ring;
    return STATUS_OK;
}

void ring_free(struct ring *ring)
{
    free(ring);
}

uint32_t ring_slots_for(uint32_t count)
{
    assert(count >= 1 && count < RING_SLOTS_MAX);
    uint32_t slots = 2;
    while (slots <= count)
        slots *= 2;
    return slots;
}

bool ring_push(struct ring *ring, void *item)
{
    assert(item);
    /* The slot that the item will lie in; only this thread moves p_tail. The clock is released slot
     * by slot, so that taking one block does not excuse touching the next one. */
    tsan_release(&ring->slots[ring->indexes.p_tail & ring->indexes.mask]);
    /* ck_ring orders stores only. A block that goes home was read before, and where loads can be
     * late (not on x86-64, where this is no instruction) its next writer must not be overtaken. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return ck_ring_enqueue_spsc(&ring->indexes, ring->slots, item);
}

void *ring_pop(struct ring *ring)
{
    void *item;
    struct ck_ring_buffer *slot = &ring->slots[ring->indexes.c_head & ring->indexes.mask];
    if (!ck_ring_dequeue_spsc(&ring->indexes, ring->slots, &item))
        return NULL;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    tsan_acquire(slot);
    assert(item);
    return item;
}

uint32_t ring_count(const struct ring *ring)
{
    return ck_ring_size(&ring->indexes);
}

uint32_t ring_capacity(const struct ring *ring)
{
    return ck_ring_capacity(&ring->indexes) - 1;
}
