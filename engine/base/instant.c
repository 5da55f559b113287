#include "base/instant.h"

#include <assert.h>
#include <endian.h>
#include <time.h>

#define DAY_SECONDS  86400
#define CYCLE_DAYS   146097 /* days in 400 Gregorian years */
#define YEAR_MIN     1970
#define INSTANT_LAST 253402300799 /* 9999-12-31T23:59:59Z */

/* Instants whose year does not fit an int32_t are clipped to these two. */
#define CIVIL_SECONDS_MIN (-67768100536348800) /* -2147483647-01-01T00:00:00 */
#define CIVIL_SECONDS_MAX 67767976233532799    /* 2147483647-12-31T23:59:59 */

int64_t civil_to_days(int32_t year, int32_t month, int32_t day)
{
    assert(month >= 1 && month <= 12);
    /* Years start in March, so that the leap day is a year's last: then the days before a month
     * follow one straight line, (153 * month + 2) / 5. */
    int64_t shifted = (int64_t)year - (month <= 2);
    int64_t cycle = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_cycle = shifted - cycle * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_cycle =
        year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    return cycle * CYCLE_DAYS + day_of_cycle - 719468; /* days from 0000-03-01 to 1970-01-01 */
}

struct civil civil_from_seconds(int64_t seconds)
{
    if (seconds < CIVIL_SECONDS_MIN)
        seconds = CIVIL_SECONDS_MIN;
    if (seconds > CIVIL_SECONDS_MAX)
        seconds = CIVIL_SECONDS_MAX;
    int64_t days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
    int32_t second_of_day = (int32_t)(seconds - days * DAY_SECONDS);

    int64_t shifted = days + 719468;
    int64_t cycle = (shifted >= 0 ? shifted : shifted - (CYCLE_DAYS - 1)) / CYCLE_DAYS;
    int64_t day_of_cycle = shifted - cycle * CYCLE_DAYS;
    int64_t year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
                             day_of_cycle / (CYCLE_DAYS - 1)) /
                            365;
    int64_t day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    int32_t month_from_march = (int32_t)((5 * day_of_year + 2) / 153);
    int32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct civil){
        .year = (int32_t)(year_of_cycle + cycle * 400 + (month <= 2)),
        .month = month,
        .day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .hour = second_of_day / 3600,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
    };
}

int64_t civil_to_seconds(struct civil civil)
{
    return civil_to_days(civil.year, civil.month, civil.day) * DAY_SECONDS +
           (int64_t)civil.hour * 3600 + (int64_t)civil.minute * 60 + civil.second;
}

int civil_month_days(int32_t year, int32_t month)
{
    static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert(month >= 1 && month <= 12);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Reads two digits; anything else sets *bad. */
static inline int32_t two_digits(const char *at, bool *bad)
{
    unsigned tens = (unsigned char)(at[0] - '0');
    unsigned ones = (unsigned char)(at[1] - '0');
    *bad |= (tens > 9) | (ones > 9);
    return (int32_t)(tens * 10 + ones);
}

#define BYTES(n) (0x0101010101010101u * (n))

/* Eight bytes of text at once, the first one lowest: where `shape` has '0' a digit must be, the
 * rest must be as in `shape`. On success byte n of *ret is the number of digits n and n + 1. */
static inline bool read_pairs(const char *at, const char shape[9], uint64_t *ret)
{
    uint64_t text, wanted;
    memcpy(&text, at, sizeof text);
    memcpy(&wanted, shape, sizeof wanted);
    text = le64toh(text);
    wanted = le64toh(wanted);
    uint64_t digits = text ^ wanted; /* 0..9 at the digits, 0 elsewhere, when all is well */
    uint64_t separators = ((wanted ^ BYTES('0')) + BYTES(0x7f)) & BYTES(0x80);
    separators = (separators >> 7) * 0xff;
    if (((digits + BYTES(0x76)) | digits) & BYTES(0x80) || digits & separators)
        return false;
    *ret = digits * 10 + (digits >> 8); /* at most 99 in a byte: no carry into the next */
    return true;
}

static inline int32_t pair(uint64_t pairs, int index)
{
    return (int32_t)(pairs >> (8 * index) & 0xff);
}

static bool parse_date(const char *at, struct civil *civil)
{
    uint64_t pairs;
    bool bad = false;
    int32_t day = two_digits(at + 8, &bad);
    if (!read_pairs(at, "0000-00-", &pairs) || bad)
        return false;
    int32_t year = pair(pairs, 0) * 100 + pair(pairs, 2);
    int32_t month = pair(pairs, 5);
    if (year < YEAR_MIN || month < 1 || month > 12)
        return false;
    if (day < 1 || (day > 28 && day > civil_month_days(year, month)))
        return false;
    *civil = (struct civil){.year = year, .month = month, .day = day};
    return true;
}

static bool parse_time(const char *at, struct civil *civil)
{
    uint64_t pairs;
    if (!read_pairs(at, "00:00:00", &pairs))
        return false;
    civil->hour = pair(pairs, 0);
    civil->minute = pair(pairs, 3);
    civil->second = pair(pairs, 6);
    return civil->hour <= 23 && civil->minute <= 59 && civil->second <= 59;
}

/* The 'T' or blank between date and time; also the T in quotes that CloudStack 4.19 prints. */
static const char *skip_separator(const char *at, const char *end)
{
    if (end - at >= 1 && (*at == 'T' || *at == ' ' || *at == 't'))
        return at + 1;
    if (end - at >= 3 && at[0] == '\'' && at[1] == 'T' && at[2] == '\'')
        return at + 3;
    return NULL;
}

/* Digits behind the point; those past nanoseconds are dropped. NULL when there are none. */
static const char *parse_fraction(const char *at, const char *end, int32_t *nanoseconds)
{
    int32_t value = 0;
    int digits = 0;
    for (; at < end && (unsigned char)(*at - '0') <= 9; at++, digits++) {
        if (digits < 9)
            value = value * 10 + (*at - '0');
    }
    if (digits == 0)
        return NULL;
    for (; digits < 9; digits++)
        value *= 10;
    *nanoseconds = value;
    return at;
}

/* The zone, up to the end of the text: nothing (UTC), Z, or an offset with an optional blank before
 * it (CloudStack's event bus). */
static bool parse_offset(const char *at, const char *end, int32_t *offset)
{
    *offset = 0;
    if (at == end || (end - at == 1 && (*at == 'Z' || *at == 'z')))
        return true;
    if (*at == ' ')
        at++;
    ptrdiff_t length = end - at;
    if (length < 3 || (*at != '+' && *at != '-'))
        return false;
    bool bad = false;
    int32_t hours = two_digits(at + 1, &bad);
    int32_t minutes = 0;
    if (length == 5)
        minutes = two_digits(at + 3, &bad);
    else if (length == 6 && at[3] == ':')
        minutes = two_digits(at + 4, &bad);
    else if (length != 3)
        return false;
    if (bad || hours > 23 || minutes > 59)
        return false;
    *offset = (hours * 60 + minutes) * 60 * (*at == '-' ? -1 : 1);
    return true;
}

enum status instant_parse(struct slice text, struct instant *ret, int32_t *ret_nanoseconds)
{
    const char *at = text.data, *end = text.data + text.length;
    struct civil civil;
    int32_t offset = 0, nanoseconds = 0;
    if (text.length < 10 || !parse_date(at, &civil))
        return STATUS_INVALID;
    at += 10;
    if (at < end) {
        at = skip_separator(at, end);
        if (!at || end - at < 8 || !parse_time(at, &civil))
            return STATUS_INVALID;
        at += 8;
        if (at < end && (*at == '.' || *at == ','))
            at = parse_fraction(at + 1, end, &nanoseconds);
        if (!at || !parse_offset(at, end, &offset))
            return STATUS_INVALID;
    }
    int64_t seconds = civil_to_seconds(civil) - offset;
    if (seconds < 0 || seconds > INSTANT_LAST) /* an offset at the very edge of the years */
        return STATUS_INVALID;
    ret->seconds = seconds;
    if (ret_nanoseconds)
        *ret_nanoseconds = nanoseconds;
    return STATUS_OK;
}

static char *put_digits(char *at, uint32_t value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + width;
}

size_t instant_format(struct instant instant, char *buffer)
{
    struct civil civil = civil_from_seconds(instant.seconds);
    uint32_t year = civil.year < 0 ? -(uint32_t)civil.year : (uint32_t)civil.year;
    int width = 4;
    for (uint32_t rest = year / 10000; rest; rest /= 10)
        width++;
    char *at = buffer;
    if (civil.year < 0)
        *at++ = '-';
    at = put_digits(at, year, width);
    *at++ = '-';
    at = put_digits(at, (uint32_t)civil.month, 2);
    *at++ = '-';
    at = put_digits(at, (uint32_t)civil.day, 2);
    *at++ = 'T';
    at = put_digits(at, (uint32_t)civil.hour, 2);
    *at++ = ':';
    at = put_digits(at, (uint32_t)civil.minute, 2);
    *at++ = ':';
    at = put_digits(at, (uint32_t)civil.second, 2);
    *at++ = 'Z';
    *at = '\0';
    assert(at - buffer < INSTANT_TEXT_BYTES);
    return (size_t)(at - buffer);
}

static struct instant real_now(struct clock *clock)
{
    (void)clock;
    return (struct instant){time(NULL)};
}

struct clock *clock_real(void)
{
    static struct clock real = {.now = real_now}; /* never written to */
    return &real;
}

static struct instant fixed_now(struct clock *clock)
{
    return ((struct clock_fixed *)clock)->at; /* base is the first member */
}

void clock_fixed_init(struct clock_fixed *clock, struct instant at)
{
    *clock = (struct clock_fixed){.base = {.now = fixed_now}, .at = at};
}
