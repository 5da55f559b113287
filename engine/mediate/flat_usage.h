/* Flat record -> identity, window and quantity, without building a series definition: the fast path
 * of mediation for CloudStack's records.
 *
 * normalise.h is the law. For every record this gives exactly what normalise() gives, or says
 * FLAT_NOT_PLAIN, and then the caller decodes the record with the reference decoder and asks
 * normalise(): for plain events, for everything that would be quarantined, and for whatever is
 * spelled in an unusual way (blanks around values, numbers with an exponent or more than 16
 * characters, integers with leading zeros or more than 15 digits, instants outside of 1970 to
 * 2105). */
#ifndef RATEL_MEDIATE_FLAT_USAGE_H
#define RATEL_MEDIATE_FLAT_USAGE_H

#include "base/flat.h"
#include "base/identity.h"

enum flat_verdict { FLAT_EVENT = 0, FLAT_IGNORED, FLAT_NOT_PLAIN };

struct flat_usage {
    struct hash128 series;
    uint64_t payer_hash; /* as usage.payer_hash */
    int64_t start;       /* seconds */
    uint32_t length;     /* seconds, > 0 */
    uint32_t reserved;
    uint64_t quanta_low;
    int64_t quanta_high;
};

/* What neighbouring records share. A date without its time of day: the bytes before and behind it,
 * and the second that they stand for. */
struct flat_day {
    uint64_t before[2];
    uint64_t behind;
    int64_t seconds;
    uint32_t length; /* of the whole date; 0: nothing kept */
};

/* Both dates of a window, all their bytes, and what they mean. */
struct flat_window {
    char start_text[32];
    char end_text[32];
    int64_t start;
    uint32_t seconds;
    uint32_t start_form, end_form; /* lengths and kinds of the dates; 0: nothing kept */
};

/* 16 bytes of text as gcc compares them in one step on any machine. */
typedef uint64_t flat_pair __attribute__((vector_size(16), may_alias));

/* A UUID as a part of the identity, and what it adds to that. */
struct flat_part {
    flat_pair head[2]; /* the text ... */
    uint64_t tail;     /* ... its last 4 bytes, the part's code above them; 0: nothing kept */
    uint64_t hash;     /* payers: payer_hash; else nothing */
    struct identity identity;
};

#define FLAT_SHARED_BITS 10

/* A quantity, and the bytes that it was read from. */
struct flat_quantity {
    uint64_t words[2];
    uint64_t masks[2];  /* the bits of `words` that are the value's */
    uint64_t length;    /* 0: nothing kept */
    uint64_t low, high; /* quanta */
};

#define FLAT_SHAPE_FIELDS 16 /* room for all that are parts of the identity */

/* What records of one usage type with the same fields have in common. */
struct flat_shape {
    uint64_t present; /* of the fields that mediation looks at; 0: free */
    uint32_t type;    /* its text and length */
    bool usual;       /* a type that is known, with all that an event needs, and a named resource */
    uint8_t payer;    /* the field */
    uint8_t payer_part;
    uint8_t shared_end, text_end, integer_end, boolean_end; /* in `fields` */
    uint8_t fields[FLAT_SHAPE_FIELDS];
    struct identity identity;      /* source and usage type */
    struct flat_quantity quantity; /* the last one */
};

#define FLAT_SHAPE_BITS 8
#define FLAT_SHAPE_WAYS 4 /* places that a shape may have, one behind the other */

#define FLAT_TYPES 32 /* CloudStack's usage types are smaller */

struct flat_normaliser {
    struct identity_keys keys;
    struct identity types[FLAT_TYPES]; /* source and usage type */
    bool known[FLAT_TYPES];
    struct flat_window window;
    struct flat_day start;
    struct flat_day end;
    struct flat_part payer;
    struct flat_part
        shared[1u << FLAT_SHARED_BITS]; /* zones, offerings, templates by their first bytes */
    struct flat_shape shapes[(1u << FLAT_SHAPE_BITS) + FLAT_SHAPE_WAYS];
    char room[2048]; /* for texts that are put together or shortened */
};

void flat_normaliser_init(struct flat_normaliser *normaliser, struct slice source, uint64_t seed);
/* The block's records [first, first + count): ret[0] and ret_verdicts[0] are of the first of them;
 * the former is set for FLAT_EVENT only. `window` is what they were decoded from; 16 bytes behind
 * it and behind the block's digits may be read, not used. Cost: no allocation; some 35 ns each. */
void flat_usage(struct flat_normaliser *normaliser, const char *window, size_t window_length,
                const struct flat_block *block, uint32_t first, uint32_t count,
                struct flat_usage ret[], uint8_t ret_verdicts[]);

#endif
