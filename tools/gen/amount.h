/* What a series used in one window: from its spans of life, never from a record. */
#ifndef GEN_AMOUNT_H
#define GEN_AMOUNT_H

#include "gen/cloud.h"

struct amount {
    uint64_t value; /* millionths of an hour, or whole bytes or requests: see the meter's measure */
    uint32_t from;  /* the record's own start and end, in seconds since the run's start */
    uint32_t to;
    bool present;   /* the usage job writes a record */
    bool cut_short; /* `to` is an event, not the end of the window */
};

struct amount amount_in_window(const struct cloud *cloud, const struct series *series,
                               size_t window);
/* Another amount for the same record, which is as plausible: for conflicts. */
uint64_t amount_conflicting(const struct cloud *cloud, const struct series *series, size_t window,
                            struct amount amount);

#endif
