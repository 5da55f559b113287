/* A large array that grows without being moved or copied: the addresses for its maximum are
 * reserved when it is made, memory comes page by page when an element is first touched. So pointers
 * into it stay valid, nobody pays for a copy in the middle of a stream, and what is never used
 * costs nothing. New elements are zero. Thread: as for any array; vast_reserve is the owner's. */
#ifndef RATEL_BASE_VAST_H
#define RATEL_BASE_VAST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Elements become usable in steps of at least this, so that growing is a matter of few calls. */
#define VAST_STEP_BYTES ((size_t)4 << 20)

struct vast {
    char *base; /* on a huge page's boundary */
    size_t element_bytes;
    uint64_t usable;   /* elements that may be touched */
    uint64_t capacity; /* elements for which there are addresses */
    uint64_t count;    /* the most that were asked for */
};

/* Reserves addresses for `capacity` elements; when the system refuses that many, for half, and so
 * on down to `capacity_least` (see vast->capacity). With `huge_pages` the kernel is asked to use
 * them; it may not. Errors: NO_MEMORY. */
MUST_USE enum status vast_init(struct vast *vast, size_t element_bytes, uint64_t capacity,
                               uint64_t capacity_least, bool huge_pages);
void vast_fini(struct vast *vast);
/* Asks for huge pages from now on: for an array of which nobody knew that it would be large. */
void vast_huge_pages(struct vast *vast);

/* The elements below `count` may be used from now on. Elements are only ever added. Errors:
 * NO_MEMORY, beyond the capacity or when the system has none; the array is as it was. Cost: nothing
 * while there is room, a system call each time that it has grown by an eighth. */
MUST_USE enum status vast_grow(struct vast *vast, uint64_t count);
static inline MUST_USE enum status vast_reserve(struct vast *vast, uint64_t count)
{
    if (count > vast->usable)
        return vast_grow(vast, count);
    if (count > vast->count)
        vast->count = count;
    return STATUS_OK;
}

/* Lifetime: until vast_fini. */
static inline void *vast_at(const struct vast *vast, uint64_t index)
{
    assert(index < vast->usable);
    return vast->base + index * vast->element_bytes;
}

/* The memory of the elements that were asked for with vast_reserve, if all of them were touched. */
static inline uint64_t vast_bytes(const struct vast *vast)
{
    return vast->count * vast->element_bytes;
}
/* The memory that it holds by the kernel's count, in whole pages. Cost: asks page by page, 1 s for
 * 100 GiB; for reports and tests. Errors: IO, when the kernel does not say. */
MUST_USE enum status vast_resident(const struct vast *vast, uint64_t *ret_bytes);

#endif
