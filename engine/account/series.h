/* The series table: who is who (identity hash -> index), what each series is (its packed definition), where its quantities go (bucket slots for the
 * price interval in force), and which windows it has counted (coverage).
 *
 * An event's work touches one index slot and one `struct series` (a cache line), then its buckets. */
#ifndef RATEL_ACCOUNT_SERIES_H
#define RATEL_ACCOUNT_SERIES_H

#include <assert.h>

#include "base/arena.h"
#include "base/hash.h"
#include "mediate/coverage.h"
#include "mediate/definition.h"

#define SERIES_SLOTS                                                                               \
    3 /* charges on one series that fit its line; more are resolved at each event */

/*   0            8          16              28      32       36       40                  64
 *   | valid_from | valid_to | bucket[3]     | flags | account| period | multiplier[3]      |     */
struct series {
    int64_t valid_from; /* the slots hold for windows within [valid_from, valid_to) */
    int64_t valid_to;
    uint32_t bucket[SERIES_SLOTS]; /* INDEX_NONE ends */
    uint32_t flags;
    uint32_t account;
    int32_t period;
    int64_t multiplier[SERIES_SLOTS]; /* the `times` value; 1 without */
};
static_assert(sizeof(struct series) == 64, "a series is one cache line");

enum { SERIES_LEVEL = 1 /* quantity counts per second of its window */ };

struct series_table {
    uint32_t count;
    uint32_t capacity;
    struct series *hot;
    struct coverage *coverage; /* NULL for readers, who do not need it */
    uint8_t *dirty;            /* coverage changed since the last checkpoint */
    struct hash128 *hashes;
    struct slice *definitions; /* packed, in the arena */
    uint32_t *meters;          /* number, see series_meter_name */
    uint32_t *resources;       /* number of the resource: series of one resource share it */
    uint32_t *slots;           /* index + 1 by identity hash */
    uint32_t slot_count;
    struct arena arena;
    uint64_t seed;
    struct slice
        *meter_names; /* of meters that are not CloudStack's, number METER_FIRST_OTHER + position */
    uint32_t meter_name_count;
    uint32_t meter_name_capacity;
    struct hash128 *resource_keys; /* resource hash by slot, with numbers beside */
    uint32_t *resource_slots;
    uint32_t resource_slot_count;
    uint32_t resource_count;
};

#define METER_FIRST_OTHER 256 /* numbers below are CloudStack's usage types */

void series_init(struct series_table *table, uint64_t seed, bool with_coverage);
void series_fini(struct series_table *table);
/* INDEX_NONE when unknown. */
uint32_t series_find(const struct series_table *table, struct hash128 hash);
/* Adds a series (its hash must be unknown). The definition is copied. Errors: NO_MEMORY, CORRUPT (a definition that does not unpack). */
MUST_USE enum status series_add(struct series_table *table, struct hash128 hash,
                                struct slice definition, uint32_t *ret);
/* Adds a series from its stored definition; the hash is computed from its identity part. */
MUST_USE enum status series_restore(struct series_table *table, struct slice definition,
                                    uint32_t *ret);
/* Forgets all bucket slots: after the buckets were cleared or the snapshot changed. */
void series_forget_slots(struct series_table *table);
/* Borrows from the table. Never fails: definitions were checked when they were added. */
void series_definition(const struct series_table *table, uint32_t series, struct definition *ret);
struct slice series_meter_name(const struct series_table *table, uint32_t meter);
/* Base unit of a meter by number: "hour"; for a level meter "byte-hour", its quantity being level x seconds. */
const char *series_meter_base(uint32_t meter);
bool series_meter_is_level(uint32_t meter);

#endif
