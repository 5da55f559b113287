#include "base/record.h"

#include <assert.h>

static const struct slice field_names[FIELD_COUNT] = {
#define X(name, wire) {wire, sizeof(wire) - 1},
    RECORD_FIELDS(X)
#undef X
};

#define SLOT_COUNT 128

/* No two field names share a slot. The factors were found by trying random ones; after a change of
 * RECORD_FIELDS, look for new ones in the same way (a few thousand tries) and print the table below
 * anew. record_test.c fails on a name that its slot does not lead to. */
static inline unsigned slot_of(const unsigned char *name, size_t length)
{
    return ((unsigned)length * 49 + name[0] * 126u + name[length - 1] * 31u +
            name[length / 2] * 96u) %
           SLOT_COUNT;
}

/* The field plus one; 0 is an empty slot. */
static const uint8_t slot_fields[SLOT_COUNT] = {
    [3] = FIELD_NAME + 1,
    [5] = FIELD_DESCRIPTION + 1,
    [8] = FIELD_OFFERINGID + 1,
    [9] = FIELD_ISSYSTEM + 1,
    [14] = FIELD_STARTDATE + 1,
    [16] = FIELD_DOMAIN + 1,
    [19] = FIELD_MEMORY + 1,
    [21] = FIELD_ISSOURCENAT + 1,
    [23] = FIELD_TYPE + 1,
    [25] = FIELD_NETWORKID + 1,
    [32] = FIELD_VIRTUALMACHINEID + 1,
    [33] = FIELD_CPUNUMBER + 1,
    [37] = FIELD_END + 1,
    [38] = FIELD_USAGE + 1,
    [41] = FIELD_USAGEID + 1,
    [42] = FIELD_OSCATEGORYID + 1,
    [43] = FIELD_OSCATEGORYNAME + 1,
    [44] = FIELD_ID + 1,
    [46] = FIELD_ZONEID + 1,
    [51] = FIELD_ISDEFAULT + 1,
    [60] = FIELD_DOMAINID + 1,
    [63] = FIELD_RESOURCE + 1,
    [65] = FIELD_ACCOUNT + 1,
    [67] = FIELD_PROJECT + 1,
    [69] = FIELD_VPCID + 1,
    [70] = FIELD_OSTYPEID + 1,
    [72] = FIELD_ENDDATE + 1,
    [74] = FIELD_VIRTUALSIZE + 1,
    [75] = FIELD_ZONE + 1,
    [77] = FIELD_QUANTITY + 1,
    [85] = FIELD_PROJECTID + 1,
    [89] = FIELD_SIZE + 1,
    [90] = FIELD_OSDISPLAYNAME + 1,
    [94] = FIELD_CPUSPEED + 1,
    [105] = FIELD_METER + 1,
    [106] = FIELD_USAGETYPE + 1,
    [115] = FIELD_ACCOUNTID + 1,
    [119] = FIELD_TIME + 1,
    [122] = FIELD_DOMAINPATH + 1,
    [123] = FIELD_START + 1,
    [126] = FIELD_TEMPLATEID + 1,
    [127] = FIELD_RAWUSAGE + 1,
};

_Static_assert(FIELD_COUNT == 42, "slot_fields is made for these fields");

enum field field_by_name(struct slice name)
{
    if (name.length == 0)
        return FIELD_COUNT;
    unsigned entry = slot_fields[slot_of((const unsigned char *)name.data, name.length)];
    if (entry == 0 || !slice_equal(field_names[entry - 1], name))
        return FIELD_COUNT;
    return (enum field)(entry - 1);
}

const char *field_name(enum field field)
{
    assert((unsigned)field < FIELD_COUNT);
    return field_names[field].data;
}
