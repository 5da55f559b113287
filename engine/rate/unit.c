#include "rate/unit.h"

#include <assert.h>
#include <strings.h>

#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_DAY  86400

static const struct {
    const char *text;
    int64_t factor;
} sizes[] = {
    {"byte", 1},
    {"bytes", 1},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"PB", 1000000000000000},
    {"KiB", (int64_t)1 << 10},
    {"MiB", (int64_t)1 << 20},
    {"GiB", (int64_t)1 << 30},
    {"TiB", (int64_t)1 << 40},
    {"PiB", (int64_t)1 << 50},
};

static const struct {
    const char *text;
    enum unit_time time;
} times[] = {
    {"hour", UNIT_TIME_HOUR}, {"hours", UNIT_TIME_HOUR},  {"day", UNIT_TIME_DAY},
    {"days", UNIT_TIME_DAY},  {"month", UNIT_TIME_MONTH}, {"months", UNIT_TIME_MONTH},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool same_but_case(struct slice word, const char *text)
{
    return word.length == strlen(text) && strncasecmp(word.data, text, word.length) == 0;
}

static bool size_of(struct slice word, int64_t *ret)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        if (slice_is(word, sizes[i].text)) {
            *ret = sizes[i].factor;
            return true;
        }
    return false;
}

static bool time_of(struct slice word, enum unit_time *ret)
{
    for (size_t i = 0; i < COUNT_OF(times); i++)
        if (slice_is(word, times[i].text)) {
            *ret = times[i].time;
            return true;
        }
    return false;
}

/* The SIZE or TIME that a word was probably meant to be, or NULL. */
static const char *meant(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        if (same_but_case(word, sizes[i].text))
            return sizes[i].text;
    for (size_t i = 0; i < COUNT_OF(times); i++)
        if (same_but_case(word, times[i].text))
            return times[i].text;
    return NULL;
}

/* A count: MHz, or a lower-case word (a-z first, then also digits and underscores). */
static bool is_count(struct slice word)
{
    if (slice_is(word, "MHz"))
        return true;
    for (size_t i = 0; i < word.length; i++) {
        char c = word.data[i];
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_')))
            return false;
    }
    return word.length > 0;
}

static enum status refuse(struct slice text, struct error *error, const char *why)
{
    int shown = text.length < 60 ? (int)text.length : 60;
    return error_set(
        error, STATUS_INVALID,
        "unit `%.*s`: %s; write an amount such as hour, day, month, byte, KB, MB, GB, TB, PB, KiB, "
        "MiB, GiB, TiB, "
        "PiB, GiB-month, vcpu-hour, request, unit, optionally after a number (1000 requests)",
        shown, text.length ? text.data : "", why);
}

static enum status refuse_word(struct slice text, struct slice word, struct error *error)
{
    const char *instead = meant(word);
    if (!instead)
        return refuse(text, error, "not a unit");
    return error_set(error, STATUS_INVALID, "unit `%.*s`: `%.*s` is not a unit, write `%s`",
                     (int)text.length, text.data, (int)word.length, word.data, instead);
}

/* Takes "N " off the front of the text; *ret_count is 1 where there is none. */
static bool take_count(struct slice *text, int64_t *ret_count)
{
    size_t digits = 0;
    int64_t count = 0;
    while (digits < text->length && text->data[digits] >= '0' && text->data[digits] <= '9') {
        count = count * 10 + (text->data[digits] - '0');
        if (count > UNIT_COUNT_MAX)
            return false;
        digits++;
    }
    if (digits == 0) {
        *ret_count = 1;
        return true;
    }
    struct slice rest = slice_of(text->data + digits, text->length - digits);
    struct slice word = slice_trim(rest);
    if (count == 0 || word.length == 0 || word.length == rest.length)
        return false;
    *text = word;
    *ret_count = count;
    return true;
}

enum status unit_parse(struct slice text, struct unit *ret, struct error *error)
{
    assert(ret);
    struct slice written = slice_trim(text);
    struct slice rest = written;
    struct unit unit = {.factor = 1};
    int64_t count;
    int64_t size;
    if (written.length == 0)
        return refuse(written, error, "empty");
    if (written.length >= sizeof(unit.text))
        return refuse(written, error, "too long");
    if (!take_count(&rest, &count))
        return refuse(
            written, error,
            "the number is not a positive integer of at most 1000000000, a blank and a unit");

    /* The part after the last hyphen is the time; what stands alone may be any of the three. */
    const char *hyphen = memrchr(rest.data, '-', rest.length);
    struct slice head = rest;
    if (hyphen) {
        head.length = (size_t)(hyphen - rest.data);
        struct slice tail = slice_of(hyphen + 1, rest.length - head.length - 1);
        if (!time_of(tail, &unit.time))
            return refuse_word(written, tail, error);
    }
    if (size_of(head, &size)) {
        unit.factor = size;
        unit.dimensions |= DIMENSION_BYTES;
    } else if (time_of(head, &unit.time)) {
        if (hyphen)
            return refuse(written, error, "a time by a time");
    } else if (meant(head) || !is_count(head)) {
        return refuse_word(written, head, error);
    }
    if (unit.time != UNIT_TIME_NONE)
        unit.dimensions |= DIMENSION_TIME;
    unit.factor *= count;
    memcpy(unit.text, written.data, written.length);
    *ret = unit;
    return STATUS_OK;
}

/* The calendar month in UTC, for those without a zone. */
static int64_t utc_period_seconds(struct period period)
{
    int32_t year = period.index / 12;
    int32_t month = period.index % 12 + 1;
    return (int64_t)civil_month_days(year, month) * SECONDS_PER_DAY;
}

static int64_t month_seconds(enum month_hours month, const struct zone *zone, struct period period)
{
    switch (month) {
    case MONTH_730:
    case MONTH_720:
        return (int64_t)month * SECONDS_PER_HOUR;
    case MONTH_ACTUAL:
        break;
    }
    return zone ? period_seconds(zone, period) : utc_period_seconds(period);
}

enum status unit_quanta(const struct unit *unit, enum month_hours month, const struct zone *zone,
                        struct period period, int128 bytes_per_base, int64_t seconds_scale,
                        int128 *ret)
{
    assert(unit && unit->factor > 0 && ret);
    assert(bytes_per_base > 0 && seconds_scale > 0);
    int128 quanta;
    if (unit->factor % bytes_per_base != 0)
        return STATUS_RANGE;
    if (int128_multiply(unit->factor / bytes_per_base, QUANTA_PER_UNIT, &quanta))
        return STATUS_RANGE;

    int64_t seconds = SECONDS_PER_HOUR;
    switch (unit->time) {
    case UNIT_TIME_NONE:
        *ret = quanta;
        return STATUS_OK;
    case UNIT_TIME_HOUR:
        break;
    case UNIT_TIME_DAY:
        seconds = SECONDS_PER_DAY;
        break;
    case UNIT_TIME_MONTH:
        seconds = month_seconds(month, zone, period);
        break;
    }
    /* Whole hours nearly always; else the quanta themselves must come out whole. */
    int128 hours = (int128)seconds * seconds_scale;
    int128 divisor = SECONDS_PER_HOUR;
    assert(hours > 0);
    if (hours % divisor == 0) {
        hours /= divisor;
        divisor = 1;
    }
    if (int128_multiply(quanta, hours, &quanta) || quanta % divisor != 0)
        return STATUS_RANGE;
    quanta /= divisor;
    assert(quanta >= QUANTA_PER_UNIT);
    *ret = quanta;
    return STATUS_OK;
}
