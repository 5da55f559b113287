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
    uint32_t lengths; /* of the two dates; 0: nothing kept */
};

/* A UUID, and what it adds to the identity. */
struct flat_part {
    char uuid[40];
    uint64_t hash; /* payers: payer_hash; else nothing */
    uint32_t part; /* its code; 0: nothing kept */
    struct identity identity;
};

#define FLAT_SHARED_BITS 10

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
    char room[2048];                    /* for texts that are put together or shortened */
};

void flat_normaliser_init(struct flat_normaliser *normaliser, struct slice source, uint64_t seed);
/* `window` is what the block's records were decoded from; 16 bytes behind it and behind the block's
 * digits may be read, not used. `ret` is set for FLAT_EVENT only. Cost: no allocation; some 40 ns.
 */
enum flat_verdict flat_usage(struct flat_normaliser *normaliser, const char *window,
                             size_t window_length, const struct flat_block *block,
                             const struct flat_record *record, struct flat_usage *ret);

#endif
