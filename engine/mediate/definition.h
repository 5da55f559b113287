/* Series definitions: everything about a raw record except its window and its quantity, packed into
 * a few hundred bytes.
 *
 * A definition is an identity part, over which the series' hash is taken, and a descriptive part,
 * kept from the first record seen: names and the description are for people and never tell series
 * apart. What belongs to the identity: docs/reference/usage-input.md.
 *
 * Layout: format byte; identity: usage type, payer kind, source, meter, payer id, attribute count,
 * attributes (name code or 0 and name; value); then the descriptive slices. Attributes are sorted
 * by canonical name. */
#ifndef RATEL_MEDIATE_DEFINITION_H
#define RATEL_MEDIATE_DEFINITION_H

#include "base/hash.h"
#include "base/pack.h"
#include "base/record.h"
#include "base/slice.h"
#include "base/status.h"
#include "rate/meter.h"
#include "rate/snapshot.h"

#define DEFINITION_ATTRIBUTES_MAX (RECORD_ATTRIBUTES_MAX + 20)

enum payer_kind {
    PAYER_ACCOUNT = 1,
    PAYER_PROJECT,
    PAYER_NAME /* "name@domain": a record with an account name but no id */
};

/* A definition unpacked: slices borrow from the packed bytes. */
struct definition {
    uint8_t usage_type; /* 0: not CloudStack's */
    uint8_t payer_kind;
    struct slice source;
    struct slice meter_name;
    const struct meter *meter; /* NULL for a meter that is not CloudStack's */
    struct slice payer_id;
    uint32_t attribute_count;
    struct where_term attributes[DEFINITION_ATTRIBUTES_MAX];
    /* descriptive */
    struct slice account_name;
    struct slice domain;
    struct slice name;
    struct slice description;
};

/* Appends the packed form; *ret_identity_bytes is how much of it is identity (from the start of the
 * appended bytes). */
void definition_pack(const struct definition *definition, struct packer *packer,
                     size_t *ret_identity_bytes);
/* Errors: CORRUPT. */
MUST_USE enum status definition_unpack(struct slice packed, struct definition *ret);
/* The identity hash, keyed by the data directory's seed. */
struct hash128 definition_hash(struct slice identity, uint64_t seed);
struct slice definition_attribute(const struct definition *definition,
                                  const char *canonical_name); /* empty when absent */
/* What to call the resource of a series: its resource id, else its VM's, else (purged, types 26,
 * 30, 31) its description; empty for usage of no resource. */
struct slice definition_resource(const struct definition *definition);
struct series_view definition_view(const struct definition *definition);

#endif
