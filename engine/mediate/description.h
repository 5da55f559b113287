/* What a record's description says about a resource that the record bears no id of: CloudStack's
 * types 26, 30 and 31, and whatever was purged. Private to mediate/. */
#ifndef RATEL_MEDIATE_DESCRIPTION_H
#define RATEL_MEDIATE_DESCRIPTION_H

#include "base/slice.h"
#include "rate/meter.h"

enum { TYPE_VOLUME = 6, TYPE_VOLUME_SECONDARY = 26, TYPE_NETWORK = 30, TYPE_VPC = 31 };

/* Borrowed from the description; empty: not told. */
struct described {
    struct slice resource;
    struct slice offering;
    struct slice size;
};

struct described description_read(unsigned usage_type, struct slice text);
/* Whether descriptions of the meter hold the amount of the window. */
bool description_counts_amounts(const struct meter *meter);
/* A description without what changes from window to window: for byte and request meters the amount
 * stands in it, as digits and as "(173.42 GB)". What is left tells purged resources apart without
 * telling a record's copies apart. `ret` has room for the whole text; returns the length. */
size_t description_without_amounts(struct slice text, struct slice amount, char *ret);

#endif
