#include "mediate/id_filter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PROBES      6
#define BLOCK_BITS  (ID_FILTER_BLOCK_BYTES * 8)
#define BLOCK_WORDS (ID_FILTER_BLOCK_BYTES / 8)
#define PROBE_BITS  9 /* choose a bit of a block */

enum status id_filter_init(struct id_filter *filter, uint64_t count, uint64_t bytes_most)
{
    assert(bytes_most >= ID_FILTER_BYTES_LEAST);
    static_assert(BLOCK_BITS == 1 << PROBE_BITS && PROBES * PROBE_BITS <= 64, "probes fit a word");
    uint64_t bytes = ID_FILTER_BYTES_LEAST;
    while (bytes * 8 / ID_FILTER_BITS_PER_ID < count && bytes * 2 <= bytes_most)
        bytes *= 2;
    uint64_t *words = aligned_alloc(ID_FILTER_BLOCK_BYTES, bytes);
    if (!words)
        return STATUS_NO_MEMORY;
    memset(words, 0, bytes);
    *filter = (struct id_filter){words, bytes / ID_FILTER_BLOCK_BYTES};
    return STATUS_OK;
}

void id_filter_fini(struct id_filter *filter)
{
    free(filter->words);
    *filter = (struct id_filter){0};
}

/* Block and bits come from different halves of the id. */
static uint64_t *block_of(const struct id_filter *filter, struct hash128 id)
{
    return filter->words + (id.high & (filter->blocks - 1)) * BLOCK_WORDS;
}

void id_filter_add(struct id_filter *filter, struct hash128 id)
{
    uint64_t *block = block_of(filter, id), bits = id.low;
    for (int i = 0; i < PROBES; i++, bits >>= PROBE_BITS)
        block[bits % BLOCK_BITS / 64] |= (uint64_t)1 << bits % 64;
}

bool id_filter_may_hold(const struct id_filter *filter, struct hash128 id)
{
    if (!filter->blocks)
        return false;
    const uint64_t *block = block_of(filter, id);
    uint64_t bits = id.low;
    for (int i = 0; i < PROBES; i++, bits >>= PROBE_BITS)
        if (!(block[bits % BLOCK_BITS / 64] >> bits % 64 & 1))
            return false;
    return true;
}

uint64_t id_filter_room(const struct id_filter *filter)
{
    return id_filter_bytes(filter) * 8 / ID_FILTER_BITS_PER_ID;
}
