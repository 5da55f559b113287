/* Billing periods in IANA time zones. Zones are read from the system's TZif files (RFC 9636),
 * because glibc's TZ is process-global and ICU carries stale data. Computed once per period, never
 * per event. */
#ifndef RATEL_BASE_CALENDAR_H
#define RATEL_BASE_CALENDAR_H

#include "base/instant.h"
#include "base/slice.h"
#include "base/status.h"

struct zone; /* immutable after loading; Thread: any */

/* Loads `name` ("Europe/Berlin", "UTC") from $TZDIR or /usr/share/zoneinfo; names with "..", a
 * leading '/' or characters outside [A-Za-z0-9_+/-] are refused. Owner: caller, zone_free. Errors:
 * NOT_FOUND (no such zone), CORRUPT (not a TZif file), NO_MEMORY. */
MUST_USE enum status zone_load(struct slice name, struct zone **ret);
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);
/* UTC offset in force at an instant, in seconds east. Past the table: the POSIX TZ footer rule. */
int32_t zone_offset(const struct zone *zone, struct instant instant);
/* The instant of a local civil time. In a gap: as if the clock had not been moved, so 02:30 in a
 * gap of an hour from 02:00 is what the clock then shows as 03:30 (java.time's rule); doubled: the
 * first of the two. */
struct instant zone_instant(const struct zone *zone, struct civil civil);
struct civil zone_civil(const struct zone *zone, struct instant instant);

/* A calendar month, counted as year * 12 + (month - 1), so that periods compare and step as
 * integers. */
struct period {
    int32_t index;
};

/* "2026-10". Errors: INVALID. */
MUST_USE enum status period_parse(struct slice text, struct period *ret);
size_t period_format(struct period period, char *buffer); /* 8 bytes with NUL; returns 7 */
/* The month that an instant is in: period_start <= instant < period_end, without exception.
 * Instants outside the years 0 to 9999 count to the first or the last period of these. */
struct period period_of(const struct zone *zone, struct instant instant);
/* The month's first midnight; where the clock skips it, the end of the gap; where it comes twice,
 * the first. */
struct instant period_start(const struct zone *zone, struct period period);
struct instant period_end(const struct zone *zone, struct period period); /* = start of the next */
/* Hours in that calendar month of that zone: 744, or 743 and 745 in months with a clock change.
 * Returned in seconds, because zones exist whose shift is not a whole hour. */
int64_t period_seconds(const struct zone *zone, struct period period);

#endif
