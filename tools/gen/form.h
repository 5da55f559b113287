/* The wire forms: a record's fields become bytes with places left open; filling the places is all
 * that remains to be done per window. */
#ifndef GEN_FORM_H
#define GEN_FORM_H

#include "gen/fields.h"

enum form {
    FORM_JSON,    /* listUsageRecords envelopes, one a line */
    FORM_XML,     /* the same call's default form */
    FORM_NDJSON,  /* one record a line */
    FORM_ARRAY,   /* one JSON array */
    FORM_CSV,     /* RFC 4180 with a header row */
    FORM_MSGPACK, /* concatenated maps */
    FORM_COUNT
};

/* Ways for a record to be broken. */
enum damage {
    DAMAGE_NONE,
    DAMAGE_NUMBER,  /* the quantity is no number */
    DAMAGE_DATE,    /* the end is no date */
    DAMAGE_TYPE,    /* a usage type that does not exist */
    DAMAGE_MISSING, /* no quantity */
    DAMAGE_CUT,     /* the record ends early */
    DAMAGE_QUOTE,   /* a quote is missing */
    DAMAGE_COUNT
};

struct form_options {
    enum form form;
    enum date_format dates;
    bool decimal_comma;
    bool full; /* msgpack: all fields, not only those that identify and measure */
};

struct open_place {
    uint16_t at;
    uint16_t place; /* enum place */
};

#define RENDERED_PLACES_MAX 16
#define RENDERED_BYTES_MAX  16384

/* A record with its places open. */
struct rendered {
    uint32_t length;
    uint32_t place_count;
    struct open_place places[RENDERED_PLACES_MAX];
    char bytes[RENDERED_BYTES_MAX];
};

/* The texts that go into the places. */
struct filling {
    const char *start, *end;
    uint32_t date_bytes; /* of start and of end */
    uint32_t quantity_length;
    char quantity[NUMBER_BYTES];
    uint64_t whole; /* the quantity, where it is a count: for PLACE_HUMAN */
    char point;
};

/* Writes the record's fields in the form; the framing around records is emit.c's. A DAMAGE_CUT in a
 * form without lines (XML, CSV, msgpack) leaves out the fields from the usage type on; in JSON it
 * is done after filling. */
void form_render(const struct form_options *options, struct fields *fields, enum damage damage,
                 struct rendered *ret_rendered);
/* The header row of CSV, with its line end. Returns its length; `out` has RENDERED_BYTES_MAX. */
size_t form_csv_header(char *out);

/* Copies `bytes` (of a rendered record) to `out` with the places filled; returns the end. `out` has
 * room for length + RENDERED_PLACES_MAX * NUMBER_BYTES. */
char *form_fill(char *out, const char *bytes, uint32_t length, const struct open_place *places,
                uint32_t place_count, const struct filling *filling);
/* Does to a filled JSON record what DAMAGE_CUT and DAMAGE_QUOTE say; returns the new length. */
size_t form_damage_json(char *record, size_t length, enum damage damage, uint64_t use);

/* For the form files. */
static inline void rendered_add(struct rendered *rendered, const char *bytes, size_t length)
{
    __builtin_memcpy(rendered->bytes + rendered->length, bytes, length);
    rendered->length += (uint32_t)length;
}
void rendered_add_place(struct rendered *rendered, enum place place);
void form_render_msgpack(const struct form_options *options, const struct fields *fields,
                         unsigned field_end, struct rendered *rendered);

#endif
