/* Ids of events that have no window: each counts once. Open addressing, 24 bytes a slot, three
 * quarters of them used at most. Keyed 128-bit hashes stand for (source, id). */
#ifndef RATEL_MEDIATE_IDSET_H
#define RATEL_MEDIATE_IDSET_H

#include <stdbool.h>

#include "base/hash.h"
#include "base/status.h"

struct idset_slot {
    struct hash128 id; /* both 0: free */
    uint64_t content;  /* hash of series, time and quantity */
};

static inline bool idset_is_free(const struct idset_slot *slot)
{
    return slot->id.low == 0 && slot->id.high == 0;
}

struct idset {
    struct idset_slot *slots;
    uint64_t capacity; /* power of two, or 0 */
    uint64_t count;
};

enum idset_answer { IDSET_NEW, IDSET_DUPLICATE, IDSET_CONFLICT };

void idset_init(struct idset *set);
void idset_fini(struct idset *set);
enum idset_answer idset_classify(const struct idset *set, struct hash128 id, uint64_t content);
/* The id must be new. Errors: NO_MEMORY. */
MUST_USE enum status idset_add(struct idset *set, struct hash128 id, uint64_t content);

#endif
