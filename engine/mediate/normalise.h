/* Raw record -> usage: what CloudStack and plain producers send, turned into (series definition,
 * window, exact quantity).
 *
 * Source of the rules: docs/reference/usage-input.md: both date syntaxes, decimal commas, inclusive
 * window ends, type 6 rows with a virtual machine (an attribution view), types 26, 30, 31 whose ids
 * stand in the description, projects without an account. Pure: no I/O, no clock. */
#ifndef RATEL_MEDIATE_NORMALISE_H
#define RATEL_MEDIATE_NORMALISE_H

#include "base/hash.h"
#include "base/identity.h"
#include "base/instant.h"
#include "base/money.h"
#include "base/pack.h"
#include "base/record.h"

enum verdict { VERDICT_EVENT = 0, VERDICT_IGNORED, VERDICT_QUARANTINED };

struct usage {
    enum verdict verdict;
    char reason[160];        /* for IGNORED and QUARANTINED: what, and what to do */
    struct slice definition; /* packed; borrowed from the normaliser until the next call */
    struct hash128 series_hash;
    uint64_t payer_hash; /* which shard it belongs to: hash64 of the payer's id with the seed; with
                            an id, id.low, so that equal ids meet */
    struct instant start;
    struct instant end; /* exclusive; == start for an event at a moment, which then bears an id */
    struct quantity quantity; /* >= 0 */
    bool has_id;
    struct hash128 id; /* of (source, id) */
};

struct normaliser {
    struct slice source;       /* the cloud's name, --source */
    struct identity_keys keys; /* of the seed */
    struct packer packer;
    struct packer scratch;
};

void normaliser_init(struct normaliser *normaliser, struct slice source, uint64_t seed);
void normaliser_fini(struct normaliser *normaliser);
/* Never fails: what is wrong with the record is its verdict. */
void normalise(struct normaliser *normaliser, const struct record_block *block,
               const struct record *record, struct usage *ret);
/* The same for a record that is known to be an event, of which only the series is asked for: of
 * *ret the verdict, the definition and series_hash are set. */
void normalise_series(struct normaliser *normaliser, const struct record_block *block,
                      const struct record *record, struct usage *ret);

#endif
