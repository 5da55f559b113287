/* Civil dates, one IANA zone as a table of offsets, and the windows that CloudStack's usage job
 * cuts a day into.
 *
 * Instants are seconds since 1970-01-01T00:00:00Z. A window is [from, to); CloudStack prints its
 * end as to - 1 s. */
#ifndef GEN_CIVIL_H
#define GEN_CIVIL_H

#include "gen/number.h"

struct civil_date {
    int32_t year;
    uint8_t month, day; /* 1.. */
};

int64_t civil_days(struct civil_date date);
struct civil_date civil_from_days(int64_t days);
/* Reads exactly "YYYY-MM-DD" of the years 1971 to 2999; false when it is anything else or no date.
 */
bool civil_parse(const char *text, struct civil_date *ret_date);

struct zone_offset {
    int64_t from;    /* the offset holds from this instant on */
    int32_t seconds; /* east of UTC */
};

struct zone {
    struct zone_offset *offsets;
    size_t count;
};

/* Reads the offsets of the zone `name` for [from, to] from the system's tz database.
 * Thread: none but the caller's; it sets TZ. */
bool GEN_MUST_USE zone_load(struct zone *zone, const char *name, int64_t from, int64_t to,
                            struct failure *failure);
void zone_free(struct zone *zone);
int32_t zone_offset(const struct zone *zone, int64_t instant);
/* The first instant whose date in the zone is `days` (since 1970-01-01). */
int64_t zone_day_start(const struct zone *zone, int64_t days);

enum date_format {
    DATE_NEW, /* 2026-10-01T00:00:00+0000, since 4.20 */
    DATE_OLD, /* 2026-10-01'T'00:00:00+00:00, up to 4.19 */
};
#define DATE_BYTES_MAX 32

/* Writes an instant as CloudStack does; returns the length: 24 for new, 27 for old. */
size_t date_text(char *out, enum date_format format, const struct zone *zone, int64_t instant);

struct window {
    int64_t from, to;
};

/* Cuts the local days [first_day, first_day + days) of `zone` into windows of `minutes`, counted
 * backwards from the end of each day: a 25-hour day in daily mode is a window of 1 h and one of 24
 * h, a 23-hour day one of 23 h. Lifetime: free *ret_windows. */
size_t windows_cut(const struct zone *zone, int64_t first_day, uint32_t days, uint32_t minutes,
                   struct window **ret_windows);

#endif
