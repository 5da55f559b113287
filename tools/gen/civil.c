#include "gen/civil.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS 86400

/* Days since 1970-01-01 in the proleptic Gregorian calendar. A year that begins in March puts the
 * leap day last, so a month's first day is (153 m + 2) / 5 days in, and 400 such years are 146,097
 * days. */
int64_t civil_days(struct civil_date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t month = (date.month + 9) % 12;

    assert(date.year >= 0);
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date.day - 1 -
           719468;
}

struct civil_date civil_from_days(int64_t days)
{
    int64_t since = days + 719468; /* since 0000-03-01 */
    int64_t cycle = since / 146097, day = since % 146097;
    int64_t year, month;

    assert(since >= 0);
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    year += 400 * cycle + (month >= 10);
    return (struct civil_date){(int32_t)year, (uint8_t)(month < 10 ? month + 3 : month - 9),
                               (uint8_t)(day + 1)};
}

static bool parse_digits(const char *text, unsigned count, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool civil_parse(const char *text, struct civil_date *ret_date)
{
    uint32_t year, month, day;
    struct civil_date date, again;

    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
        return false;
    if (!parse_digits(text, 4, &year) || !parse_digits(text + 5, 2, &month) ||
        !parse_digits(text + 8, 2, &day))
        return false;
    if (year < 1971 || year > 2999 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    date = (struct civil_date){(int32_t)year, (uint8_t)month, (uint8_t)day};
    again = civil_from_days(civil_days(date));
    if (again.month != date.month || again.day != date.day)
        return false;
    *ret_date = date;
    return true;
}

/* The C library takes a zone that it does not know for UTC without a word, so look for the file and
 * its magic first. */
static bool zone_exists(const char *name)
{
    const char *folder = getenv("TZDIR");
    char path[512], magic[4] = "";
    FILE *file;

    if (name[0] == '\0' || name[0] == '/' || strstr(name, ".."))
        return false;
    if (!folder)
        folder = "/usr/share/zoneinfo";
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    file = fopen(path, "rb");
    if (!file)
        return false;
    if (fread(magic, 1, sizeof magic, file) != sizeof magic)
        magic[0] = '\0';
    fclose(file);
    return memcmp(magic, "TZif", 4) == 0;
}

static int32_t offset_from_libc(int64_t instant)
{
    time_t time = (time_t)instant;
    struct tm local;

    return localtime_r(&time, &local) ? (int32_t)local.tm_gmtoff : 0;
}

bool zone_load(struct zone *zone, const char *name, int64_t from, int64_t to,
               struct failure *failure)
{
    /* No zone has changed its offset off a quarter of an hour (in UTC) since 1970's last oddities.
     */
    const int64_t step = 900;

    *zone = (struct zone){0};
    if (!zone_exists(name))
        return failure_set(failure, GEN_EXIT_USAGE,
                           "unknown time zone '%s': give an IANA name such as Europe/Berlin", name);
    if (setenv("TZ", name, 1) != 0)
        return failure_set(failure, GEN_EXIT_SYSTEM, "cannot set the time zone '%s'", name);
    tzset();
    from -= from % step;
    for (int64_t at = from; at <= to + step; at += step) {
        int32_t seconds = offset_from_libc(at);

        if (zone->count && zone->offsets[zone->count - 1].seconds == seconds)
            continue;
        zone->offsets = memory_grow(zone->offsets, (zone->count + 1) * sizeof *zone->offsets);
        zone->offsets[zone->count++] = (struct zone_offset){at, seconds};
    }
    return true;
}

void zone_free(struct zone *zone)
{
    free(zone->offsets);
    *zone = (struct zone){0};
}

int32_t zone_offset(const struct zone *zone, int64_t instant)
{
    size_t low = 0, high = zone->count;

    assert(zone->count > 0);
    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (zone->offsets[middle].from <= instant)
            low = middle;
        else
            high = middle;
    }
    return zone->offsets[low].seconds;
}

int64_t zone_day_start(const struct zone *zone, int64_t days)
{
    int64_t local = days * DAY_SECONDS;
    int64_t start = local - zone_offset(zone, local - DAY_SECONDS);

    /* Offsets change by hours at most, so the right instant is among those of the offsets around.
     * Where clocks skip midnight the day starts at the change itself. */
    for (size_t i = 0; i < zone->count; i++) {
        int64_t change = zone->offsets[i].from;
        int64_t before, after;

        if (i == 0 || change < local - 2 * DAY_SECONDS || change > local + 2 * DAY_SECONDS)
            continue;
        before = change + zone->offsets[i - 1].seconds;
        after = change + zone->offsets[i].seconds;
        if (after <= local)
            start = local - zone->offsets[i].seconds;
        else if (before <= local)
            start = change;
    }
    return start;
}

size_t date_text(char *out, enum date_format format, const struct zone *zone, int64_t instant)
{
    int32_t offset = zone_offset(zone, instant);
    int64_t local = instant + offset;
    struct civil_date date = civil_from_days(local / DAY_SECONDS);
    uint32_t second = (uint32_t)(local % DAY_SECONDS);
    uint32_t minutes = (uint32_t)(offset < 0 ? -offset : offset) / 60;
    char *at = out;

    assert(local >= 0);
    at += number_padded(at, (uint64_t)date.year, 4);
    *at++ = '-';
    at += number_padded(at, date.month, 2);
    *at++ = '-';
    at += number_padded(at, date.day, 2);
    memcpy(at, "'T'", 3);
    if (format == DATE_NEW)
        *at = 'T';
    at += format == DATE_NEW ? 1 : 3;
    at += number_padded(at, second / 3600, 2);
    *at++ = ':';
    at += number_padded(at, second / 60 % 60, 2);
    *at++ = ':';
    at += number_padded(at, second % 60, 2);
    *at++ = offset < 0 ? '-' : '+';
    at += number_padded(at, minutes / 60, 2);
    if (format == DATE_OLD)
        *at++ = ':';
    at += number_padded(at, minutes % 60, 2);
    return (size_t)(at - out);
}

size_t windows_cut(const struct zone *zone, int64_t first_day, uint32_t days, uint32_t minutes,
                   struct window **ret_windows)
{
    const int64_t length = (int64_t)minutes * 60;
    struct window *windows = NULL;
    size_t count = 0;

    assert(minutes > 0);
    for (uint32_t i = 0; i < days; i++) {
        int64_t start = zone_day_start(zone, first_day + i),
                end = zone_day_start(zone, first_day + i + 1);
        size_t inside = (size_t)((end - start + length - 1) / length);

        assert(start < end);
        windows = memory_grow(windows, (count + inside) * sizeof *windows);
        for (size_t j = 0; j < inside; j++) {
            int64_t to = end - (int64_t)(inside - 1 - j) * length;
            int64_t from = to - length < start ? start : to - length;

            windows[count++] = (struct window){from, to};
        }
    }
    *ret_windows = windows;
    return count;
}
