/* One record as named values, before any wire format: the seam between what a record says
 * (describe.c) and how it is written (form.c, form_msgpack.c).
 *
 * A text may hold places that differ from window to window: the byte 0xff, which UTF-8 never has,
 * and an enum place. */
#ifndef GEN_FIELDS_H
#define GEN_FIELDS_H

#include "gen/cloud.h"

/* In the order on CloudStack's wire: class fields as declared, inherited ones last. */
#define GEN_FIELDS(X)                                                                              \
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
    X(TAGS, "tags")

enum gen_field {
#define X(name, wire) GEN_##name,
    GEN_FIELDS(X)
#undef X
        GEN_FIELD_COUNT
};

extern const char *const gen_field_names[GEN_FIELD_COUNT];

enum place {
    PLACE_QUANTITY = 1, /* "13.4375" */
    PLACE_HUMAN,        /* "(173.42 GB) 186209476608" */
    PLACE_START,
    PLACE_END,
    /* Of msgpack alone: a length goes before the text. */
    PLACE_SHORT_QUANTITY, /* a string that is a quantity and nothing else */
    PLACE_STRING_OPEN,    /* a string of unknown length begins (16 bits of length follow) */
    PLACE_STRING_CLOSE,
};
#define PLACE_MARK '\xff'

enum gen_value {
    GEN_ABSENT,
    GEN_STRING,
    GEN_NUMBER,
    GEN_BOOLEAN,
    GEN_EMPTY_LIST,
};

struct field_text {
    uint32_t at, length; /* within struct fields.text */
    uint32_t kind;       /* enum gen_value */
};

#define FIELDS_TEXT_BYTES 8192

struct fields {
    struct field_text values[GEN_FIELD_COUNT];
    enum gen_field open; /* the value that adds go to */
    size_t used;
    char text[FIELDS_TEXT_BYTES];
};

void fields_reset(struct fields *fields);
/* Begins the value of a field; the adds below make its text; the next begin or set ends it. */
void fields_begin(struct fields *fields, enum gen_field field, enum gen_value kind);
void fields_add(struct fields *fields, const char *text);
void fields_add_number(struct fields *fields, uint64_t number);
void fields_add_human(struct fields *fields, uint64_t bytes, char point);
void fields_add_place(struct fields *fields, enum place place);
void fields_add_uuid(struct fields *fields, uint64_t seed, enum kind kind, uint64_t number);

void fields_set(struct fields *fields, enum gen_field field, const char *text);
void fields_set_number(struct fields *fields, enum gen_field field, uint64_t number);
void fields_set_boolean(struct fields *fields, enum gen_field field, bool value);
void fields_set_place(struct fields *fields, enum gen_field field, enum place place);
void fields_set_uuid(struct fields *fields, enum gen_field field, uint64_t seed, enum kind kind,
                     uint64_t number);

/* describe.c: everything that CloudStack says about a record of this series, quantities and dates
 * left open. `point` is the decimal separator of the sizes inside the description. */
void describe_series(const struct cloud *cloud, const struct series *series, char point,
                     struct fields *fields);

#endif
