/* Which ids were perhaps there before: a filter that never denies one that was added, and seldom
 * affirms one that was not. Bits in blocks of one cache line each (a blocked Bloom filter: F.
 * Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007), six for
 * each id, taken from the id itself, which is a keyed hash. Thread: as for any array. */
#ifndef RATEL_MEDIATE_ID_FILTER_H
#define RATEL_MEDIATE_ID_FILTER_H

#include <stdbool.h>

#include "base/hash.h"
#include "base/status.h"

#define ID_FILTER_BLOCK_BYTES 64
#define ID_FILTER_BITS_PER_ID 16 /* when it is made: one in some 500 is affirmed wrongly */
#define ID_FILTER_BYTES_LEAST ((uint64_t)4 << 10)

struct id_filter {
    uint64_t *words;
    uint64_t blocks; /* a power of two, or 0: nothing was added */
};

/* Room for `count` ids in at most `bytes_most` bytes; beyond that more are affirmed wrongly.
 * Errors: NO_MEMORY, with the filter as it was. Owner: caller, id_filter_fini. */
MUST_USE enum status id_filter_init(struct id_filter *filter, uint64_t count, uint64_t bytes_most);
void id_filter_fini(struct id_filter *filter);
void id_filter_add(struct id_filter *filter, struct hash128 id);
/* False: it was never added. */
bool id_filter_may_hold(const struct id_filter *filter, struct hash128 id);
/* So many ids fit before it affirms noticeably more. */
uint64_t id_filter_room(const struct id_filter *filter);
static inline uint64_t id_filter_bytes(const struct id_filter *filter)
{
    return filter->blocks * ID_FILTER_BLOCK_BYTES;
}

#endif
