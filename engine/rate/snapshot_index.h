/* The tables that resolving reads, made once from a snapshot's arrays by snapshot_index_build.
 *
 * A look-up costs memory latency, not comparisons, so each table is laid out for one cache line
 * where that can be: a payer's slot holds its id, a row's key the values of its `where`. Nothing
 * here decides anything by a hash: what was found is compared byte by byte. Only snapshot_index.c,
 * resolve.c and resolver.c look inside. */
#ifndef RATEL_RATE_SNAPSHOT_INDEX_H
#define RATEL_RATE_SNAPSHOT_INDEX_H

#include <assert.h>

#include "rate/attribute.h"
#include "rate/months.h"
#include "rate/resolver.h"
#include "rate/snapshot.h"

/* --- payers --- */

#define PAYER_TEXT_BYTES 52

/*   0         4       8        12                    64
 *   | account | class | length | id, or its position |     */
struct payer_slot {
    uint32_t account; /* INDEX_NONE: free */
    uint32_t class;   /* index into classes */
    uint32_t length;  /* of the id */
    union {
        char text[PAYER_TEXT_BYTES]; /* when length <= PAYER_TEXT_BYTES */
        uint32_t payer;              /* else: index into the snapshot's payers */
    };
};
static_assert(sizeof(struct payer_slot) == 64, "a payer is one cache line");

/* What the accounts of a catalogue, currency and zone have in common: all that prices depend on. */
struct payer_class {
    uint32_t catalogue;
    uint32_t family; /* INDEX_NONE without a catalogue, or while its card is not loaded */
    struct currency currency;
    struct currency catalogue_currency;
    const struct month_table *months;
};

/* --- rows --- */

struct attribute_ref {
    struct slice name;
    uint8_t code; /* 0: a name that is none of CloudStack's */
};

struct row_slot {
    uint32_t tag; /* high half of the hash */
    uint32_t key; /* where the row's key is in the set's keys, in words, + 1; 0: free */
};

/* The rows whose `where` has the same names. */
struct row_group {
    uint32_t term_count;
    uint32_t mask;                     /* slots - 1; unused without terms: then there is one row */
    const struct attribute_ref *terms; /* sorted by name */
    const struct row_slot *slots;
    uint32_t row; /* without terms */
};

/* The rows of a charge by what they ask for, most terms first. Charges that differ in prices only,
 * as the versions of a card that another one extends, share it. A key: row, then length and bytes
 * of each value in the order of the group's terms. */
struct row_set {
    const struct row_group *groups;
    uint32_t group_count;
    const char *keys;
};

struct charge_index {
    const struct row_set *set;
    const struct charge_row *rows;
    bool has_times;
    struct attribute_ref times;
};

/* --- versions --- */

#define USAGE_TYPES 32

/* The charges of a meter. `looks_at`: bit c for each attribute code c that a `where` of theirs
 * names; bit 0 when there are more than RESOLVER_VALUES of them, or names without a code. */
struct charge_range {
    uint32_t first;
    uint32_t count;
    uint32_t looks_at;
};

struct version_index {
    int64_t from;
    int64_t to;
    const struct charge_index *charges; /* in the order of the version's charges */
    struct charge_range by_type[USAGE_TYPES];
};

struct snapshot_index {
    const struct payer_slot *payers;
    uint32_t payer_slots; /* more than payers, so that a search ends */
    const struct payer_class *classes;
    const uint32_t *account_classes; /* by account */
    const struct month_table *utc;
    const struct version_index *versions;
    const uint32_t *later; /* by plan: what takes its place in the family's next version;
                              INDEX_NONE: it depends on the series */
    uint64_t hash_mask;    /* all ones, but in tests: of rows */
};

/* For tests: only these bits of rows' hashes count, so that rows of different conditions meet in
 * one slot, under one tag. */
void snapshot_index_build_colliding(struct snapshot *snapshot, uint64_t hash_mask);

/* --- what building and looking up must agree on --- */

static inline uint64_t index_hash(struct slice bytes)
{
    return hash64(bytes,
                  0x7261746564736572); /* any fixed number: tables do not outlive the process */
}

static inline uint32_t payer_slot_first(const struct snapshot_index *index, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * index->payer_slots >> 32);
}

/* The hash of a list of values from those of its elements; begins with 0. */
static inline uint64_t hash_append(uint64_t hash, uint64_t value)
{
    hash = (hash << 23 | hash >> 41) ^ value;
    hash *= 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
}

#endif
