/* Points in time and spans: whole seconds since 1970-01-01T00:00:00Z, no leap seconds (as POSIX
 * counts).
 *
 * A window is half-open: [start, end). CloudStack's inclusive ends (23:59:59) become the next
 * second in mediate/. Fractions of a second: instant_parse keeps them apart so that the caller
 * decides. */
#ifndef RATEL_BASE_INSTANT_H
#define RATEL_BASE_INSTANT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define INSTANT_TEXT_BYTES 32

struct instant {
    int64_t seconds;
};

#define INSTANT_MIN ((struct instant){INT64_MIN})
#define INSTANT_MAX ((struct instant){INT64_MAX})

/* A civil date and time without zone. month and day count from 1. */
struct civil {
    int32_t year;
    int32_t month;
    int32_t day;
    int32_t hour;
    int32_t minute;
    int32_t second;
};

/* Days since 1970-01-01 of a proleptic Gregorian date. Source: the 400-year cycle (146,097 days).
 */
int64_t civil_to_days(int32_t year, int32_t month, int32_t day);
struct civil civil_from_seconds(int64_t seconds);
int64_t civil_to_seconds(struct civil civil);
int civil_month_days(int32_t year, int32_t month);

/* Reads what CloudStack and plain producers send: 2026-10-01T00:00:00+0000,
 * 2026-10-01'T'00:00:00+00:00, 2026-10-01T00:00:00Z, 2026-10-01T00:00:00.123Z, 2026-10-01 00:00:00
 * (UTC), 2026-10-01 (UTC midnight), offsets +hh, +hhmm, +hh:mm, also behind a blank.
 * `ret_nanoseconds` (may be NULL) receives the fraction, 0..999999999; digits past the ninth are
 * dropped. Years 1970 to 9999, as written and in UTC; second 60 is refused. Errors: INVALID. */
MUST_USE enum status instant_parse(struct slice text, struct instant *ret,
                                   int32_t *ret_nanoseconds);
/* "2026-10-01T00:00:00Z". Returns the length. Owner: caller, INSTANT_TEXT_BYTES. */
size_t instant_format(struct instant instant, char *buffer);

static inline struct instant instant_min(struct instant a, struct instant b)
{
    return a.seconds < b.seconds ? a : b;
}

static inline struct instant instant_max(struct instant a, struct instant b)
{
    return a.seconds > b.seconds ? a : b;
}

/* The clock is an interface: commands pass --now or the real one, tests a fake. */
struct clock {
    struct instant (*now)(struct clock *clock);
};

struct clock *clock_real(void); /* Thread: any. Lifetime: static. */

struct clock_fixed {
    struct clock base;
    struct instant at;
};
void clock_fixed_init(struct clock_fixed *clock, struct instant at);

#endif
