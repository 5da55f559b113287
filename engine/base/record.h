/* A raw usage record as a decoder hands it over: known fields as text slices, the rest as
 * attributes.
 *
 * This is the seam between adapters (which know JSON, XML, CSV, msgpack) and mediate/ (which knows
 * what the fields mean). Decoders fill blocks of records; slices point into the decoder's window or
 * the block's scratch space and die with the next decode call. */
#ifndef RATEL_BASE_RECORD_H
#define RATEL_BASE_RECORD_H

#include "base/slice.h"
#include "base/status.h"

/* RECORD_FIELD(NAME, "name on the wire"). CloudStack's names first (UsageRecordResponse), then the
 * plain event's own. */
#define RECORD_FIELDS(X)                                                                           \
    X(ACCOUNT, "account")                                                                          \
    X(ACCOUNTID, "accountid")                                                                      \
    X(PROJECTID, "projectid")                                                                      \
    X(PROJECT, "project")                                                                          \
    X(DOMAINID, "domainid")                                                                        \
    X(DOMAIN, "domain")                                                                            \
    X(DOMAINPATH, "domainpath")                                                                    \
    X(ZONEID, "zoneid")                                                                            \
    X(DESCRIPTION, "description")                                                                  \
    X(USAGE, "usage")                                                                              \
    X(USAGETYPE, "usagetype")                                                                      \
    X(RAWUSAGE, "rawusage")                                                                        \
    X(VIRTUALMACHINEID, "virtualmachineid")                                                        \
    X(NAME, "name")                                                                                \
    X(OFFERINGID, "offeringid")                                                                    \
    X(TEMPLATEID, "templateid")                                                                    \
    X(OSTYPEID, "ostypeid")                                                                        \
    X(OSDISPLAYNAME, "osdisplayname")                                                              \
    X(OSCATEGORYID, "oscategoryid")                                                                \
    X(OSCATEGORYNAME, "oscategoryname")                                                            \
    X(USAGEID, "usageid")                                                                          \
    X(TYPE, "type")                                                                                \
    X(SIZE, "size")                                                                                \
    X(VIRTUALSIZE, "virtualsize")                                                                  \
    X(CPUNUMBER, "cpunumber")                                                                      \
    X(CPUSPEED, "cpuspeed")                                                                        \
    X(MEMORY, "memory")                                                                            \
    X(STARTDATE, "startdate")                                                                      \
    X(ENDDATE, "enddate")                                                                          \
    X(ISSOURCENAT, "issourcenat")                                                                  \
    X(ISSYSTEM, "issystem")                                                                        \
    X(NETWORKID, "networkid")                                                                      \
    X(ISDEFAULT, "isdefault")                                                                      \
    X(VPCID, "vpcid")                                                                              \
    X(ID, "id")                                                                                    \
    X(METER, "meter")                                                                              \
    X(QUANTITY, "quantity")                                                                        \
    X(TIME, "time")                                                                                \
    X(START, "start")                                                                              \
    X(END, "end")                                                                                  \
    X(RESOURCE, "resource")                                                                        \
    X(ZONE, "zone")

enum field {
#define X(name, wire) FIELD_##name,
    RECORD_FIELDS(X)
#undef X
        FIELD_COUNT
};

enum value_kind {
    VALUE_ABSENT = 0, /* the field is not there, or is null */
    VALUE_TEXT,       /* a string, unescaped, UTF-8 as sent */
    VALUE_NUMBER,     /* the digits as sent: never through a float */
    VALUE_BOOLEAN,    /* "true" or "false" */
};

struct field_value {
    const char *data;
    uint32_t length;
    uint32_t kind; /* enum value_kind */
};

/* A member that is not in RECORD_FIELDS and is a string, number or boolean. Nested values (tags)
 * are skipped. */
struct attribute {
    struct slice name;
    struct field_value value;
};

enum record_state {
    RECORD_DECODED = 0,
    RECORD_BAD, /* could not be read: `reason` says why; goes to quarantine with its raw bytes */
};

enum record_form { RECORD_FORM_JSON = 1, RECORD_FORM_XML, RECORD_FORM_CSV, RECORD_FORM_MSGPACK };

struct record {
    uint8_t state; /* enum record_state */
    uint8_t form;  /* enum record_form of `raw` */
    uint16_t attribute_count;
    uint32_t attribute_first; /* index into the block's attributes */
    uint32_t line;            /* 1-based line where the record starts in text forms, else 0 */
    uint64_t offset;          /* byte offset of `raw` in the (decompressed) stream */
    struct slice raw; /* the record's own bytes; for CSV the header row, LF, the row, so that it can
                         be read alone */
    const char *reason; /* static text when state is RECORD_BAD */
    struct field_value fields[FIELD_COUNT];
};

#define RECORD_BLOCK_RECORDS    256
#define RECORD_BLOCK_ATTRIBUTES 4096
#define RECORD_ATTRIBUTES_MAX   64        /* per record; more is a bad record */
#define RECORD_BYTES_MAX        (1 << 20) /* one raw record; a longer one is a bad record */

struct record_block {
    uint32_t count;
    uint32_t attribute_count;
    struct record records[RECORD_BLOCK_RECORDS];
    struct attribute attributes[RECORD_BLOCK_ATTRIBUTES];
};

/* The field of a wire name, or FIELD_COUNT. Cost: one hash, one compare. */
enum field field_by_name(struct slice name);
const char *field_name(enum field field);

static inline bool field_present(const struct record *record, enum field field)
{
    return record->fields[field].kind != VALUE_ABSENT;
}

static inline struct slice field_slice(const struct record *record, enum field field)
{
    return (struct slice){record->fields[field].data, record->fields[field].length};
}

#endif
