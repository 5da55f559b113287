/* Zones from TZif files, and the months in them. Source of the format: RFC 9636; of the footer's
 * rule: POSIX.1-2017 8.3 with RFC 9636's hours from -167 to 167. */
#include "base/calendar.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_SECONDS      86400
#define OFFSET_MAX       93599 /* RFC 9636: an offset stays below 26 hours */
#define ZONE_NAME_MAX    255
#define ZONE_FILE_MAX    (1 << 18) /* the largest real one has 4 kB */
#define RULE_HOUR_MAX    167
#define FOOTER_MAX       256
#define YEAR_FAR         2000000000 /* keeps year + 1 and its seconds in range */
#define PERIOD_INDEX_MIN 0
#define PERIOD_INDEX_MAX (9999 * 12 + 11)

enum rule_kind { RULE_MONTH_WEEK_DAY, RULE_JULIAN_NO_LEAP, RULE_DAY_OF_YEAR };

/* When in a year the clock changes. */
struct rule {
    enum rule_kind kind;
    int32_t month;
    int32_t week;
    int32_t day;     /* weekday from Sunday for RULE_MONTH_WEEK_DAY, else a day of the year */
    int32_t seconds; /* after local midnight, may be negative or more than a day */
};

/* The POSIX TZ rule at the file's end. */
struct footer {
    bool present;
    bool has_dst;
    int32_t standard_offset;
    int32_t dst_offset;
    struct rule dst_start; /* in standard time */
    struct rule dst_end;   /* in DST */
};

struct transition {
    int64_t at;
    int32_t offset; /* in force from `at` on */
};

struct zone {
    char name[ZONE_NAME_MAX + 1];
    struct footer footer;
    int32_t first_offset; /* before the first transition */
    uint32_t transition_count;
    struct transition transitions[];
};

/* ---- Looking up ---- */

static int64_t rule_local_seconds(const struct rule *rule, int32_t year)
{
    int64_t january = civil_to_days(year, 1, 1);
    int64_t days;
    if (rule->kind == RULE_DAY_OF_YEAR) {
        days = january + rule->day;
    } else if (rule->kind == RULE_JULIAN_NO_LEAP) {
        bool leap = civil_month_days(year, 2) == 29;
        days = january + rule->day - 1 + (leap && rule->day >= 60); /* 60 is always 1 March */
    } else {
        int64_t first = civil_to_days(year, rule->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        int64_t in_month = (rule->day - weekday + 7) % 7 + (int64_t)(rule->week - 1) * 7;
        if (in_month >= civil_month_days(year, rule->month)) /* week 5: the last one */
            in_month -= 7;
        days = first + in_month;
    }
    return days * DAY_SECONDS + rule->seconds;
}

/* A stretch of time under one offset: the offset at an instant, and when it ends at the latest. */
struct span {
    int32_t offset;
    int64_t end;
};

static struct span footer_span(const struct footer *footer, int64_t seconds)
{
    if (!footer->has_dst)
        return (struct span){footer->standard_offset, INT64_MAX};
    int32_t year = civil_from_seconds(seconds).year;
    if (year > YEAR_FAR)
        year = YEAR_FAR;
    if (year < -YEAR_FAR)
        year = -YEAR_FAR;
    /* The neighbours count too: local and UTC years differ, and in the south DST spans new year.
     * The latest change that has happened rules; where an end and a start fall together (DST all
     * year), the start does. */
    struct span span = {footer->standard_offset, INT64_MAX};
    int64_t latest = INT64_MIN;
    for (int32_t y = year - 1; y <= year + 1; y++) {
        int64_t changes[2] = {
            rule_local_seconds(&footer->dst_end, y) - footer->dst_offset,
            rule_local_seconds(&footer->dst_start, y) - footer->standard_offset,
        };
        for (int i = 0; i < 2; i++) {
            if (changes[i] <= seconds && changes[i] >= latest) {
                latest = changes[i];
                span.offset = i ? footer->dst_offset : footer->standard_offset;
            } else if (changes[i] > seconds && changes[i] < span.end) {
                span.end = changes[i];
            }
        }
    }
    return span;
}

static struct span span_at(const struct zone *zone, int64_t seconds)
{
    uint32_t low = 0, high = zone->transition_count; /* the first transition after `seconds` */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].at <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->transition_count && zone->footer.present)
        return footer_span(&zone->footer, seconds);
    return (struct span){
        .offset = low ? zone->transitions[low - 1].offset : zone->first_offset,
        .end = low < zone->transition_count ? zone->transitions[low].at : INT64_MAX,
    };
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

int32_t zone_offset(const struct zone *zone, struct instant instant)
{
    return span_at(zone, instant.seconds).offset;
}

struct civil zone_civil(const struct zone *zone, struct instant instant)
{
    int64_t local;
    if (__builtin_add_overflow(instant.seconds, (int64_t)zone_offset(zone, instant), &local))
        local = instant.seconds; /* INSTANT_MIN, INSTANT_MAX: civil_from_seconds clips them */
    return civil_from_seconds(local);
}

/* The instant of a civil time; in a gap, *ret_gap_end is the instant at which the gap ends, and the
 * returned one is as far behind it as the civil time was inside the gap. */
static int64_t local_to_seconds(const struct zone *zone, int64_t local, int64_t *ret_gap_end)
{
    int64_t start = local - 2 * OFFSET_MAX; /* before any instant that could show this time */
    struct span span = span_at(zone, start);
    /* The spans in order: the first that holds the time wins, so of a doubled hour the first. A
     * time that lies before a span, yet after the one before it, is in a gap. */
    for (int32_t offset_before = span.offset;;) {
        int64_t candidate = local - span.offset;
        if (candidate < start) {
            *ret_gap_end = start;
            return local - offset_before;
        }
        if (candidate < span.end)
            return candidate;
        offset_before = span.offset;
        start = span.end;
        span = span_at(zone, start);
    }
}

struct instant zone_instant(const struct zone *zone, struct civil civil)
{
    int64_t gap_end;
    return (struct instant){local_to_seconds(zone, civil_to_seconds(civil), &gap_end)};
}

/* ---- Periods ---- */

enum status period_parse(struct slice text, struct period *ret)
{
    if (text.length != 7 || text.data[4] != '-')
        return STATUS_INVALID;
    int32_t digits[6];
    for (int i = 0; i < 6; i++) {
        digits[i] = text.data[i < 4 ? i : i + 1] - '0';
        if (digits[i] < 0 || digits[i] > 9)
            return STATUS_INVALID;
    }
    int32_t year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3];
    int32_t month = digits[4] * 10 + digits[5];
    if (year < 1970 || month < 1 || month > 12)
        return STATUS_INVALID;
    ret->index = year * 12 + month - 1;
    return STATUS_OK;
}

size_t period_format(struct period period, char *buffer)
{
    assert(period.index >= PERIOD_INDEX_MIN && period.index <= PERIOD_INDEX_MAX);
    int32_t year = period.index / 12, month = period.index % 12 + 1;
    buffer[0] = (char)('0' + year / 1000);
    buffer[1] = (char)('0' + year / 100 % 10);
    buffer[2] = (char)('0' + year / 10 % 10);
    buffer[3] = (char)('0' + year % 10);
    buffer[4] = '-';
    buffer[5] = (char)('0' + month / 10);
    buffer[6] = (char)('0' + month % 10);
    buffer[7] = '\0';
    return 7;
}

struct period period_of(const struct zone *zone, struct instant instant)
{
    struct civil civil = zone_civil(zone, instant);
    if (civil.year < 0)
        return (struct period){PERIOD_INDEX_MIN};
    if (civil.year > 9999)
        return (struct period){PERIOD_INDEX_MAX};
    struct period period = {civil.year * 12 + civil.month - 1};
    /* Where the clock is set back across a midnight that starts a month (St. John's, 2009-11-01
     * 00:01), the calendar shows the old month again. The period does not come back: periods must
     * tile. */
    if (period.index < PERIOD_INDEX_MAX && instant.seconds >= period_end(zone, period).seconds)
        period.index++;
    return period;
}

/* The first instant of a month. Where its first midnight is skipped, that is the end of the gap. */
static struct instant month_start(const struct zone *zone, int32_t index)
{
    assert(index >= PERIOD_INDEX_MIN && index <= PERIOD_INDEX_MAX + 1);
    int64_t local = civil_to_days(index / 12, index % 12 + 1, 1) * DAY_SECONDS;
    int64_t gap_end = INT64_MAX;
    int64_t seconds = local_to_seconds(zone, local, &gap_end);
    return (struct instant){gap_end < seconds ? gap_end : seconds};
}

struct instant period_start(const struct zone *zone, struct period period)
{
    return month_start(zone, period.index);
}

struct instant period_end(const struct zone *zone, struct period period)
{
    return month_start(zone, period.index + 1);
}

int64_t period_seconds(const struct zone *zone, struct period period)
{
    return period_end(zone, period).seconds - period_start(zone, period).seconds;
}

/* ---- Reading the footer ---- */

/* One number of at most `max`; NULL when there is none. */
static const char *read_number(const char *at, int32_t max, int32_t *ret)
{
    int32_t value = 0;
    const char *start = at;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
        if (value > max)
            return NULL;
    }
    *ret = value;
    return at == start ? NULL : at;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static const char *read_clock(const char *at, int32_t hour_max, int32_t *ret)
{
    int32_t sign = *at == '-' ? -1 : 1;
    if (*at == '-' || *at == '+')
        at++;
    int32_t parts[3] = {0, 0, 0};
    at = read_number(at, hour_max, &parts[0]);
    for (int i = 1; i < 3 && at && *at == ':'; i++)
        at = read_number(at + 1, 59, &parts[i]);
    *ret = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return at;
}

/* A zone's short name, of letters or of anything in <>; only its end matters. */
static const char *skip_name(const char *at)
{
    const char *start = at;
    if (*at == '<') {
        at = strchr(at, '>');
        return at && at > start + 1 ? at + 1 : NULL;
    }
    while ((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z'))
        at++;
    return at > start ? at : NULL;
}

/* "Mm.w.d", "Jn" or "n", then an optional "/time" (02:00 when absent). */
static const char *read_rule(const char *at, struct rule *rule)
{
    *rule = (struct rule){.seconds = 2 * 3600};
    if (*at == 'M') {
        rule->kind = RULE_MONTH_WEEK_DAY;
        at = read_number(at + 1, 12, &rule->month);
        at = at && *at == '.' ? read_number(at + 1, 5, &rule->week) : NULL;
        at = at && *at == '.' ? read_number(at + 1, 6, &rule->day) : NULL;
        if (rule->month == 0 || rule->week == 0)
            return NULL;
    } else if (*at == 'J') {
        rule->kind = RULE_JULIAN_NO_LEAP;
        at = read_number(at + 1, 365, &rule->day);
        if (rule->day == 0)
            return NULL;
    } else {
        rule->kind = RULE_DAY_OF_YEAR;
        at = read_number(at, 365, &rule->day);
    }
    if (at && *at == '/')
        at = read_clock(at + 1, RULE_HOUR_MAX, &rule->seconds);
    return at;
}

/* std offset [dst [offset] , start , end]. POSIX counts offsets west of Greenwich as positive. */
static bool read_footer(const char *at, struct footer *footer)
{
    *footer = (struct footer){.present = *at != '\0'};
    if (!footer->present)
        return true;
    int32_t west;
    at = skip_name(at);
    at = at ? read_clock(at, 24, &west) : NULL;
    if (!at)
        return false;
    footer->standard_offset = -west;
    if (*at == '\0')
        return true;
    footer->has_dst = true;
    footer->dst_offset = footer->standard_offset + 3600;
    at = skip_name(at);
    if (at && *at != ',') {
        at = read_clock(at, 24, &west);
        footer->dst_offset = -west;
    }
    at = at && *at == ',' ? read_rule(at + 1, &footer->dst_start) : NULL;
    at = at && *at == ',' ? read_rule(at + 1, &footer->dst_end) : NULL;
    return at && *at == '\0';
}

/* ---- Reading the file ---- */

#define HEADER_BYTES 44

struct header {
    uint8_t version;
    uint32_t utc_count;
    uint32_t standard_count;
    uint32_t leap_count;
    uint32_t time_count;
    uint32_t type_count;
    uint32_t char_count;
};

static uint32_t big_endian_32(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static int64_t big_endian_64(const char *at)
{
    return (int64_t)((uint64_t)big_endian_32(at) << 32 | big_endian_32(at + 4));
}

/* Checks the magic, so that the counts below mean something, and their bounds. */
static bool read_header(struct slice file, struct header *header)
{
    if (file.length < HEADER_BYTES || memcmp(file.data, "TZif", 4) != 0)
        return false;
    *header = (struct header){
        .version = (uint8_t)file.data[4],
        .utc_count = big_endian_32(file.data + 20),
        .standard_count = big_endian_32(file.data + 24),
        .leap_count = big_endian_32(file.data + 28),
        .time_count = big_endian_32(file.data + 32),
        .type_count = big_endian_32(file.data + 36),
        .char_count = big_endian_32(file.data + 40),
    };
    return header->utc_count <= 256 && header->standard_count <= 256 &&
           header->leap_count <= ZONE_FILE_MAX && header->time_count <= ZONE_FILE_MAX &&
           header->type_count <= 256 && header->char_count <= ZONE_FILE_MAX;
}

/* Bytes of the data behind a header whose times have `time_bytes` each. */
static size_t body_bytes(const struct header *header, size_t time_bytes)
{
    return header->time_count * (time_bytes + 1) + (size_t)header->type_count * 6 +
           header->char_count + header->leap_count * (time_bytes + 4) + header->standard_count +
           header->utc_count;
}

static bool read_offset(const char *types, uint32_t index, uint32_t count, int32_t *ret)
{
    if (index >= count)
        return false;
    *ret = (int32_t)big_endian_32(types + (size_t)index * 6);
    return *ret >= -OFFSET_MAX && *ret <= OFFSET_MAX;
}

static bool read_transitions(const char *body, const struct header *header, size_t time_bytes,
                             struct zone *zone)
{
    const char *indexes = body + header->time_count * time_bytes;
    const char *types = indexes + header->time_count;
    if (!read_offset(types, 0, header->type_count, &zone->first_offset))
        return false;
    for (uint32_t i = 0; i < header->time_count; i++) {
        struct transition *transition = &zone->transitions[i];
        const char *at = body + i * time_bytes;
        transition->at = time_bytes == 8 ? big_endian_64(at) : (int32_t)big_endian_32(at);
        if (i > 0 && transition->at <= transition[-1].at)
            return false;
        if (!read_offset(types, (uint8_t)indexes[i], header->type_count, &transition->offset))
            return false;
    }
    zone->transition_count = header->time_count;
    return true;
}

/* "\n" rule "\n" at the very end. */
static bool read_file_footer(struct slice rest, struct footer *footer)
{
    char text[FOOTER_MAX];
    if (rest.length < 2 || rest.length - 2 >= sizeof text || rest.data[0] != '\n' ||
        rest.data[rest.length - 1] != '\n')
        return false;
    memcpy(text, rest.data + 1, rest.length - 2);
    text[rest.length - 2] = '\0';
    return strlen(text) == rest.length - 2 && read_footer(text, footer);
}

static enum status zone_decode(struct slice file, struct slice name, struct zone **ret)
{
    struct header header;
    size_t time_bytes = 4;
    if (!read_header(file, &header))
        return STATUS_CORRUPT;
    if (header.version != 0) {
        /* From version 2 on the 32-bit data is only for old readers; the same again in 64 bits. */
        size_t skip = HEADER_BYTES + body_bytes(&header, time_bytes);
        time_bytes = 8;
        if (file.length < skip)
            return STATUS_CORRUPT;
        file = slice_of(file.data + skip, file.length - skip);
        if (!read_header(file, &header))
            return STATUS_CORRUPT;
    }
    size_t body = body_bytes(&header, time_bytes);
    /* Zones with leap seconds ("right/...") count seconds in another way than our instants. */
    if (header.leap_count != 0 || file.length - HEADER_BYTES < body)
        return STATUS_CORRUPT;
    struct zone *zone = calloc(1, sizeof *zone + header.time_count * sizeof zone->transitions[0]);
    if (!zone)
        return STATUS_NO_MEMORY;
    struct slice rest =
        slice_of(file.data + HEADER_BYTES + body, file.length - HEADER_BYTES - body);
    if (!read_transitions(file.data + HEADER_BYTES, &header, time_bytes, zone) ||
        (time_bytes == 8 && !read_file_footer(rest, &zone->footer))) {
        free(zone);
        return STATUS_CORRUPT;
    }
    memcpy(zone->name, name.data, name.length);
    *ret = zone;
    return STATUS_OK;
}

static enum status read_whole(int file, char **ret, size_t *ret_length)
{
    char *data = malloc(ZONE_FILE_MAX);
    if (!data)
        return STATUS_NO_MEMORY;
    size_t length = 0;
    while (length < ZONE_FILE_MAX) {
        ssize_t got = read(file, data + length, ZONE_FILE_MAX - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(data);
            return STATUS_CORRUPT;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *ret = data;
    *ret_length = length;
    return STATUS_OK;
}

/* Without '.', a name cannot leave the directory. */
static bool name_is_allowed(struct slice name)
{
    if (name.length == 0 || name.length > ZONE_NAME_MAX || name.data[0] == '/')
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '+' && c != '-' && c != '/')
            return false;
    }
    return true;
}

enum status zone_load(struct slice name, struct zone **ret)
{
    if (!name_is_allowed(name))
        return STATUS_NOT_FOUND;
    const char *directory = getenv("TZDIR");
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%.*s",
                          directory && directory[0] ? directory : "/usr/share/zoneinfo",
                          (int)name.length, name.data);
    if (length < 0 || (size_t)length >= sizeof path)
        return STATUS_NOT_FOUND;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_NOT_FOUND;
    struct stat info;
    char *data = NULL;
    size_t bytes = 0;
    enum status status = STATUS_NOT_FOUND; /* a folder such as "Europe" is no zone */
    if (fstat(file, &info) == 0 && S_ISREG(info.st_mode))
        status = read_whole(file, &data, &bytes);
    close(file);
    if (status == STATUS_OK)
        status = zone_decode(slice_of(data, bytes), name, ret);
    free(data);
    return status;
}

void zone_free(struct zone *zone)
{
    free(zone);
}
