/* The months of a zone in a table, for those who ask for the period of instant after instant. */
#ifndef RATEL_RATE_MONTHS_H
#define RATEL_RATE_MONTHS_H

#include "base/calendar.h"

#define MONTHS_FIRST (2010 * 12) /* a period's index; other months are computed when asked for */
#define MONTHS_COUNT (40 * 12)

struct month_table {
    const struct zone *zone;          /* NULL: UTC */
    int64_t starts[MONTHS_COUNT + 1]; /* the last one ends the last month */
};

struct month_stretch {
    struct period period;
    struct instant from;
    struct instant to;
};

/* Lifetime: the zone must outlive the table. */
void months_fill(struct month_table *table, const struct zone *zone);
/* The month of an instant and its two ends, for any instant. Cost: a few ns for 2010 to 2049. */
struct month_stretch month_at(const struct month_table *table, struct instant at);

#endif
