/* A raw usage record as a fast decoder hands it over: where its known fields lie in the bytes that
 * were read, and nothing else.
 *
 * The fast decoders know the layouts that they have met and take the common case only. A record
 * that is not plain (a start date with an escape, a field twice, a nested known field, a number that
 * is a float of its form, an unknown member that would be an attribute of a plain event ...) is left to the
 * reference decoder (record.h), which decides about it alone. So for every record with `present`
 * other than 0: the reference decoder would call it RECORD_DECODED, and every field's kind and
 * bytes are those that it would give. A field that is absent, null, or of no use to mediation has
 * its bit clear (see FLAT_FIELDS). */
#ifndef RATEL_BASE_FLAT_H
#define RATEL_BASE_FLAT_H

#include "base/record.h"

struct flat_value {
    uint32_t offset; /* in the window */
    uint16_t length; /* longer ones are left to the reference decoder */
    uint8_t kind;    /* enum value_kind */
    uint8_t reserved;
};

struct flat_record {
    uint32_t offset; /* of the raw record in the window */
    uint32_t length;
    uint64_t present; /* bit FIELD_x: fields[FIELD_x] is set; 0: left to the reference decoder */
    struct flat_value fields[FIELD_COUNT]; /* not cleared between records */
};

/* Numbers that are not text in the input (msgpack's integers) are spelled in decimal into `digits`,
 * and so are texts that had escapes, without them. It is addressed as if it followed the window:
 * offset = window length + position. */
#define FLAT_RECORDS      64
#define FLAT_DIGITS_BYTES 8192

struct flat_block {
    uint32_t count;
    uint32_t digits_length;
    struct flat_record records[FLAT_RECORDS];
    char digits[FLAT_DIGITS_BYTES + 64];
};

/* What mediation looks at in a record of CloudStack: identity, payer, window, quantity, and the
 * descriptions that stand for ids. Other known fields (names, operating systems, `usage` ...) are
 * checked by the decoder, but need not be given. */
#define FLAT_FIELD(name) ((uint64_t)1 << FIELD_##name)
#define FLAT_FIELDS                                                                                \
    (FLAT_FIELD(ACCOUNT) | FLAT_FIELD(ACCOUNTID) | FLAT_FIELD(PROJECTID) | FLAT_FIELD(DOMAINID) |  \
     FLAT_FIELD(DOMAIN) | FLAT_FIELD(ZONEID) | FLAT_FIELD(DESCRIPTION) | FLAT_FIELD(USAGETYPE) |   \
     FLAT_FIELD(RAWUSAGE) | FLAT_FIELD(VIRTUALMACHINEID) | FLAT_FIELD(OFFERINGID) |                \
     FLAT_FIELD(TEMPLATEID) | FLAT_FIELD(USAGEID) | FLAT_FIELD(SIZE) | FLAT_FIELD(VIRTUALSIZE) |   \
     FLAT_FIELD(CPUNUMBER) | FLAT_FIELD(CPUSPEED) | FLAT_FIELD(MEMORY) | FLAT_FIELD(STARTDATE) |   \
     FLAT_FIELD(ENDDATE) | FLAT_FIELD(ISSOURCENAT) | FLAT_FIELD(ISSYSTEM) |                        \
     FLAT_FIELD(ISDEFAULT) | FLAT_FIELD(NETWORKID) | FLAT_FIELD(VPCID))

#define FLAT_ALL_FIELDS (((uint64_t)1 << FIELD_COUNT) - 1)

#endif
