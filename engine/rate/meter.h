/* Meters: what is counted, in which base unit, and how quantities of one series combine.
 *
 * The table of CloudStack's usage types follows its UsageTypes.java
 * (docs/reference/usage-input.md). A meter that is not in the table has the base unit "unit" and is
 * summed. */
#ifndef RATEL_RATE_METER_H
#define RATEL_RATE_METER_H

#include "base/record.h"
#include "base/slice.h"
#include "rate/unit.h"

/* Attributes that CloudStack's records bear and `times` may name. */
enum {
    TIMES_SIZE = 1,
    TIMES_VIRTUALSIZE = 2,
    TIMES_CPUNUMBER = 4,
    TIMES_CPUSPEED = 8,
    TIMES_MEMORY = 16
};

struct meter {
    uint8_t usage_type; /* CloudStack's number, 0 for others */
    const char *name;   /* "vm.running" */
    const char *base;   /* "hour", "byte", "request", "unit" */
    uint8_t dimensions; /* of the base unit */
    bool level;         /* a level, not a flow (type 29): each window adds level x seconds, shown as
                           base-hours */
    uint8_t attributes; /* TIMES_* bits: what CloudStack's records bear; for a declared meter
                           (usage_type 0) not looked at */
};

#define METER_BUILTIN_COUNT 25

extern const struct meter meter_table[METER_BUILTIN_COUNT];
extern const struct slice meter_names[METER_BUILTIN_COUNT]; /* the same names, measured */
/* The name of a meter of the table. */
static inline struct slice meter_name(const struct meter *meter)
{
    return meter_names[meter - meter_table];
}
/* NULL when the type is not one of 1-14, 21-31. */
const struct meter *meter_by_usage_type(int type);
const struct meter *meter_by_name(struct slice name);

/* How many numbers of the meter's quantity an hour is: 3600 for a level (byte-seconds), else 1.
 * NULL: a declared or unknown meter. */
static inline int64_t meter_seconds_scale(const struct meter *meter)
{
    return meter && meter->level ? 3600 : 1;
}

/* How an attribute named in `times` scales and which dimension it adds: size, virtualsize (bytes),
 * memory (MiB: bytes, 2^20 each), cpunumber, cpuspeed (counts); any other integer attribute of a
 * plain event is a count. */
struct times {
    bool present;
    uint8_t dimensions;
    int128 bytes_per_base; /* 1, or 2^20 for memory */
};
/* Errors: INVALID when CloudStack's meters do not carry the attribute (times: size on ip.address).
 */
MUST_USE enum status times_of(const struct meter *meter /* NULL for a declared or unknown one */,
                              struct slice attribute, struct times *ret, struct error *error);

/* Whether a price per `unit` can be asked for what the meter counts, multiplied by `times` (NULL or
 * not present: nothing): the dimensions are the same, and the unit is a whole number of what is
 * counted. Errors: INVALID, the text says which units fit. */
MUST_USE enum status unit_fits(const struct unit *unit,
                               const struct meter *meter /* NULL for a declared or unknown one */,
                               const struct times *times, struct error *error);

#endif
