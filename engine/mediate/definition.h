/* Series definitions: everything about a raw record except its window and its quantity, packed into
 * a few hundred bytes.
 *
 * A definition is an identity part, over which the series' hash is taken (base/identity.h), and a
 * descriptive part, kept from the first record seen: names and the description are for people and
 * never tell series apart. What belongs to the identity: docs/reference/usage-input.md.
 *
 * Layout: format byte; identity: usage type, payer kind, source, meter, payer id, attribute count,
 * attributes (name code or 0 and name; value); then the descriptive slices. Attributes are sorted
 * by canonical name. */
#ifndef RATEL_MEDIATE_DEFINITION_H
#define RATEL_MEDIATE_DEFINITION_H

#include "base/hash.h"
#include "base/identity.h"
#include "base/pack.h"
#include "base/record.h"
#include "base/slice.h"
#include "base/status.h"
#include "rate/attribute.h"
#include "rate/meter.h"
#include "rate/snapshot.h"

#define DEFINITION_ATTRIBUTES_MAX (RECORD_ATTRIBUTES_MAX + 20)

enum payer_kind {
    PAYER_ACCOUNT = 1,
    PAYER_PROJECT,
    PAYER_NAME /* "name@domain": a record with an account name but no id */
};

/* Attribute names that CloudStack's records bear have a code: one byte on disk, and a part of its
 * own in the identity hash. The order is on disk: append only. 0: the name itself is given. */
enum name_code {
    NAME_OTHER = 0,
    NAME_CPUNUMBER,
    NAME_CPUSPEED,
    NAME_DESCRIPTION,
    NAME_ISDEFAULT,
    NAME_ISSOURCENAT,
    NAME_ISSYSTEM,
    NAME_MEMORY,
    NAME_NETWORK,
    NAME_OFFERING,
    NAME_RESOURCE,
    NAME_SIZE,
    NAME_TEMPLATE,
    NAME_VIRTUALSIZE,
    NAME_VM,
    NAME_VPC,
    NAME_ZONE,
    NAME_CODES
};

/* The code of a canonical attribute name. */
enum name_code definition_name_code(struct slice name);

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
    bool coded; /* `codes` are the attributes' name codes: nobody needs to look them up */
    uint8_t codes[DEFINITION_ATTRIBUTES_MAX];
    /* descriptive */
    struct slice account_name;
    struct slice domain;
    struct slice name;
    struct slice description;
};

/* Appends the packed form. */
void definition_pack(const struct definition *definition, struct packer *packer);
/* Errors: CORRUPT. */
MUST_USE enum status definition_unpack(struct slice packed, struct definition *ret);
/* What resolving prices needs of a packed definition, and no more. The view points into the struct,
 * which must not be copied, and into the packed bytes. */
struct definition_key {
    struct series_view view;
    struct where_term attributes[DEFINITION_ATTRIBUTES_MAX];
    uint8_t positions[ATTRIBUTE_CODES];
};
/* Errors: CORRUPT; what stands behind the attributes is not looked at. */
MUST_USE enum status definition_peek(struct slice packed, struct definition_key *ret);

/* Whether the meter is a level, counted per second of its window. Errors: CORRUPT; only what tells is
 * looked at. */
MUST_USE enum status definition_level(struct slice packed, bool *ret);

/* The identity hash, with keys of the data directory's seed. */
struct hash128 definition_identity(const struct definition *definition,
                                   const struct identity_keys *keys);
struct slice definition_attribute(const struct definition *definition,
                                  const char *canonical_name); /* empty when absent */
/* What to call the resource of a series: its resource id, else its VM's, else (purged, types 26,
 * 30, 31) its description; empty for usage of no resource. */
struct slice definition_resource(const struct definition *definition);
struct series_view definition_view(const struct definition *definition);

#endif
