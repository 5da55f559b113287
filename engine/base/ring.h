/* A bounded ring of pointers from one producing thread to one consuming thread: the way on which
 * blocks travel between the stages of the pipeline. Nothing here blocks, allocates or enters the
 * kernel; whoever finds the ring empty or full waits with park.h. Built on Concurrency Kit's
 * ck_ring, and ring.c is the only file that knows it.
 *
 * What the producer wrote before ring_push is seen by the consumer after the ring_pop that returns
 * the pointer. Nothing flows back: memory that is to be used again comes home through a second
 * ring. One thread at a time produces and one consumes; which thread that is may change when the
 * old one's last call happens before the new one's first (a lock, a join, another ring). */
#ifndef RATEL_BASE_RING_H
#define RATEL_BASE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define RING_SLOTS_MAX (1u << 20)

struct ring;

/* `slots` is a power of two from 2 to RING_SLOTS_MAX. A ring holds one pointer less than it has
 * slots, for full must differ from empty. Owner: the caller, who ends it with ring_free.
 * Errors: NO_MEMORY. */
MUST_USE enum status ring_new(uint32_t slots, struct ring **ret_ring);
/* The pointers that are still in it are nobody's. Thread: no other uses it. NULL is allowed. */
void ring_free(struct ring *ring);

/* The fewest slots that hold `count` pointers; `count` is at least 1 and below RING_SLOTS_MAX. */
uint32_t ring_slots_for(uint32_t count);

/* False when the ring is full. `item` is not NULL. Thread: the producer. */
MUST_USE bool ring_push(struct ring *ring, void *item);
/* NULL when the ring is empty. Thread: the consumer. */
MUST_USE void *ring_pop(struct ring *ring);

/* How many pointers are in it. Exact for a moment that has passed: to the producer it can only have
 * become less, to the consumer only more, to anybody else it is a figure for reports. */
uint32_t ring_count(const struct ring *ring);
/* How many fit: slots - 1. */
uint32_t ring_capacity(const struct ring *ring);

static inline bool ring_is_empty(const struct ring *ring)
{
    return ring_count(ring) == 0;
}

static inline bool ring_is_full(const struct ring *ring)
{
    return ring_count(ring) == ring_capacity(ring);
}

#endif
