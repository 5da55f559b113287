/* The steps of resolving, for those who go through them more than once: resolve.c and resolver.c.
 */
#ifndef RATEL_RATE_RESOLVE_STEPS_H
#define RATEL_RATE_RESOLVE_STEPS_H

#include "rate/snapshot_index.h"

/* NULL: nobody of that id pays. */
const struct payer_slot *resolve_payer(const struct snapshot *snapshot, struct slice id);

/* The version in force, or NULL; either way the stretch ends where that changes. */
const struct version_index *resolve_version(const struct snapshot *snapshot, uint32_t family,
                                            struct instant at, struct month_stretch *stretch);

#define HASHES_KEPT 64

/* A series while it is looked up: several charges ask for the same attributes. */
struct question {
    const struct series_view *series;
    const uint8_t *positions;
    uint64_t hash_mask;
    uint64_t hashed;              /* bit i: hashes[i] is known */
    uint64_t hashes[HASHES_KEPT]; /* of the attributes' values */
};

/* `positions`: memory for where the series does not have them at hand. */
void question_init(struct question *question, const struct snapshot *snapshot,
                   const struct series_view *series, uint8_t positions[ATTRIBUTE_CODES]);

/* The row with the most terms that match, of several the first in the document; or INDEX_NONE. */
uint32_t resolve_row(const struct row_set *set, struct question *question);

/* The plan of a row for accounts of a class: in their currency, else the catalogue's, else the
 * card's. */
uint32_t resolve_plan(const struct snapshot *snapshot, const struct charge_row *row,
                      const struct payer_class *class);

/* The `times` value: false when the series does not bear it as an integer >= 0. */
bool resolve_multiplier(const struct charge_index *charge, const struct question *question,
                        int128 *ret);

#endif
