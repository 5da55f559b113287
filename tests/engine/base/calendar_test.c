/* Zones and periods: known facts, properties over all zones, and every offset against glibc. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/calendar.h"
#include "engine/base/seeded.h"

#define ZONEINFO "/usr/share/zoneinfo"

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    if (zone_load(slice_string(name), &zone) != STATUS_OK)
        fail_msg("%s does not load", name);
    assert_string_equal(zone_name(zone), name);
    return zone;
}

static struct instant instant(const char *text)
{
    struct instant result;
    if (instant_parse(slice_string(text), &result, NULL) != STATUS_OK)
        fail_msg("%s is no instant", text);
    return result;
}

static struct period period(const char *text)
{
    struct period result;
    if (period_parse(slice_string(text), &result) != STATUS_OK)
        fail_msg("%s is no period", text);
    return result;
}

static void test_period__starts_and_lengths_are_the_known_ones(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *period, *start;
        int64_t half_hours;
    } rows[] = {
        {"UTC", "2026-10", "2026-10-01T00:00:00Z", 744 * 2},
        {"UTC", "2024-02", "2024-02-01T00:00:00Z", 696 * 2},
        {"Europe/Berlin", "2026-02", "2026-02-01T00:00:00+01:00", 672 * 2},
        {"Europe/Berlin", "2026-03", "2026-03-01T00:00:00+01:00", 743 * 2},
        {"Europe/Berlin", "2026-10", "2026-10-01T00:00:00+02:00", 745 * 2},
        {"Europe/Berlin", "2026-11", "2026-11-01T00:00:00+01:00", 720 * 2},
        {"Asia/Kolkata", "2026-10", "2026-10-01T00:00:00+05:30", 744 * 2},
        {"America/New_York", "2026-03", "2026-03-01T00:00:00-05:00", 743 * 2},
        {"America/New_York", "2026-11", "2026-11-01T00:00:00-04:00", 721 * 2},
        {"America/Los_Angeles", "2026-12", "2026-12-01T00:00:00-08:00", 744 * 2},
        /* Half an hour of summer time, in the south. */
        {"Australia/Lord_Howe", "2026-04", "2026-04-01T00:00:00+11:00", 720 * 2 + 1},
        {"Australia/Lord_Howe", "2026-10", "2026-10-01T00:00:00+10:30", 744 * 2 - 1},
        /* Past the tables: the footer's rule. */
        {"Europe/Berlin", "2100-03", "2100-03-01T00:00:00+01:00", 743 * 2},
        {"Europe/Berlin", "2500-10", "2500-10-01T00:00:00+02:00", 745 * 2},
        {"America/New_York", "2301-11", "2301-11-01T00:00:00-04:00", 721 * 2},
        {"Australia/Lord_Howe", "2400-10", "2400-10-01T00:00:00+10:30", 744 * 2 - 1},
        {"Australia/Lord_Howe", "2400-12", "2400-12-01T00:00:00+11:00", 744 * 2},
        {"Europe/Dublin", "2400-03", "2400-03-01T00:00:00+00:00", 743 * 2},
        {"Asia/Kolkata", "2400-10", "2400-10-01T00:00:00+05:30", 744 * 2},
        /* The month's first midnight is skipped: it starts at 01:00. */
        {"America/Asuncion", "2017-10", "2017-10-01T01:00:00-03:00", 743 * 2},
        /* It comes twice: at 00:01 the clock goes back to 23:01 in October. */
        {"America/St_Johns", "2009-11", "2009-11-01T00:00:00-02:30", 721 * 2},
        {"America/St_Johns", "2009-10", "2009-10-01T00:00:00-02:30", 744 * 2},
        /* A whole day is missing. */
        {"Pacific/Apia", "2011-12", "2011-12-01T00:00:00-10:00", 720 * 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone *zone = load(rows[i].zone);
        struct period p = period(rows[i].period);
        if (period_start(zone, p).seconds != instant(rows[i].start).seconds ||
            period_seconds(zone, p) != rows[i].half_hours * 1800)
            fail_msg("%s %s: starts at %lld, lasts %lld s", rows[i].zone, rows[i].period,
                     (long long)period_start(zone, p).seconds, (long long)period_seconds(zone, p));
        zone_free(zone);
    }
}

static void test_zone_instant__gaps_move_on_and_doubled_times_are_the_first(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        struct civil civil;
        const char *expected;
    } rows[] = {
        {"Europe/Berlin", {2026, 3, 29, 1, 59, 59}, "2026-03-29T00:59:59Z"},
        {"Europe/Berlin", {2026, 3, 29, 2, 0, 0}, "2026-03-29T01:00:00Z"},  /* shown as 03:00 */
        {"Europe/Berlin", {2026, 3, 29, 2, 30, 0}, "2026-03-29T01:30:00Z"}, /* shown as 03:30 */
        {"Europe/Berlin", {2026, 3, 29, 3, 0, 0}, "2026-03-29T01:00:00Z"},
        {"Europe/Berlin", {2026, 10, 25, 1, 59, 59}, "2026-10-24T23:59:59Z"},
        {"Europe/Berlin", {2026, 10, 25, 2, 0, 0}, "2026-10-25T00:00:00Z"}, /* still summer */
        {"Europe/Berlin", {2026, 10, 25, 2, 59, 59}, "2026-10-25T00:59:59Z"},
        {"Europe/Berlin", {2026, 10, 25, 3, 0, 0}, "2026-10-25T02:00:00Z"},
        {"Europe/Berlin", {2499, 3, 29, 2, 30, 0}, "2499-03-29T01:30:00Z"},
        {"America/New_York", {2026, 3, 8, 2, 30, 0}, "2026-03-08T07:30:00Z"},
        {"America/New_York", {2026, 11, 1, 1, 30, 0}, "2026-11-01T05:30:00Z"},
        {"Australia/Lord_Howe", {2026, 10, 4, 2, 15, 0}, "2026-10-03T15:45:00Z"},
        {"Australia/Lord_Howe", {2026, 4, 5, 1, 45, 0}, "2026-04-04T14:45:00Z"},
        {"Pacific/Apia", {2011, 12, 30, 12, 0, 0}, "2011-12-30T22:00:00Z"}, /* shown as the 31st */
        {"America/St_Johns", {2009, 11, 1, 0, 0, 30}, "2009-11-01T02:30:30Z"},
        {"UTC", {1970, 1, 1, 0, 0, 0}, "1970-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone *zone = load(rows[i].zone);
        char text[INSTANT_TEXT_BYTES];
        instant_format(zone_instant(zone, rows[i].civil), text);
        if (strcmp(text, rows[i].expected) != 0)
            fail_msg("row %zu, %s: %s instead of %s", i, rows[i].zone, text, rows[i].expected);
        zone_free(zone);
    }
}

static void test_period_of__does_not_go_back_where_the_calendar_does(void **state)
{
    (void)state;
    struct zone *zone = load("America/St_Johns");
    struct instant again = instant("2009-11-01T02:45:00Z");
    struct civil civil = zone_civil(zone, again);
    assert_true(civil.month == 10 && civil.day == 31 && civil.hour == 23 && civil.minute == 15);
    assert_int_equal(period_of(zone, again).index, period("2009-11").index);
    assert_int_equal(period_of(zone, instant("2009-11-01T02:29:59Z")).index,
                     period("2009-10").index);
    zone_free(zone);
}

static void test_period_of__instants_outside_the_years_count_to_the_outermost(void **state)
{
    (void)state;
    struct zone *zone = load("Asia/Kolkata");
    char text[8];
    assert_int_equal(period_format(period_of(zone, INSTANT_MAX), text), 7);
    assert_string_equal(text, "9999-12");
    period_format(period_of(zone, instant("9999-12-31T23:59:59Z")), text);
    assert_string_equal(text, "9999-12");
    period_format(period_of(zone, INSTANT_MIN), text);
    assert_string_equal(text, "0000-01");
    assert_true(zone_civil(zone, INSTANT_MAX).year > 9999);
    zone_free(zone);
    zone = load("Europe/Berlin");
    assert_int_equal(zone_offset(zone, INSTANT_MIN), 3208); /* local mean time: 53 min 28 s */
    assert_in_range(zone_offset(zone, INSTANT_MAX), 3600, 7200);
    zone_free(zone);
}

static void test_period_parse__takes_year_and_month_only(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(period("2026-10").index, 2026 * 12 + 9);
    assert_int_equal(period_format(period("1970-01"), text), 7);
    assert_string_equal(text, "1970-01");
    assert_int_equal(period("2027-01").index, period("2026-12").index + 1);
    static const char *const wrong[] = {"",        "2026",     "2026-1",  "2026-00",   "2026-13",
                                        "2026/10", "2026-10 ", "2026-1x", "26-10",     "2026-010",
                                        "1969-12", "-026-10",  "2026-:0", "202\xb2-10"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct period kept = {3};
        if (period_parse(slice_string(wrong[i]), &kept) != STATUS_INVALID)
            fail_msg("\"%s\" is taken", wrong[i]);
        assert_int_equal(kept.index, 3);
    }
}

static void test_zone_load__refuses_names_that_are_no_zones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum status status;
    } rows[] = {
        {"", STATUS_NOT_FOUND},
        {"Mars/Olympus", STATUS_NOT_FOUND},
        {"Europe", STATUS_NOT_FOUND},
        {"Europe/", STATUS_NOT_FOUND},
        {"/usr/share/zoneinfo/UTC", STATUS_NOT_FOUND},
        {"../zoneinfo/UTC", STATUS_NOT_FOUND},
        {"Europe/../UTC", STATUS_NOT_FOUND},
        {"Europe/Ber lin", STATUS_NOT_FOUND},
        {"tzdata.zi", STATUS_NOT_FOUND},
        {"right/UTC", STATUS_CORRUPT}, /* counts leap seconds */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone *zone = NULL;
        enum status status = zone_load(slice_string(rows[i].name), &zone);
        if (status != rows[i].status &&
            !(status == STATUS_NOT_FOUND &&
              slice_starts_with(slice_string(rows[i].name), SLICE("right/")))) /* may be absent */
            fail_msg("%s: status %d", rows[i].name, status);
        assert_null(zone);
    }
    char longest[400];
    memset(longest, 'a', sizeof longest);
    struct zone *zone;
    assert_int_equal(zone_load(slice_of(longest, sizeof longest), &zone), STATUS_NOT_FOUND);
}

/* ---- All zones of the system ---- */

#define ZONES_MAX 1000

static char *zone_names[ZONES_MAX];
static size_t zone_count;

static int collect(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)walk;
    const char *name = path + strlen(ZONEINFO) + 1;
    char magic[4] = "";
    if (kind != FTW_F || info->st_size < 44 || strncmp(name, "right/", 6) == 0 ||
        strncmp(name, "posix/", 6) == 0 || strchr(name, '.'))
        return 0;
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(magic, 1, sizeof magic, file) : 0;
    if (file)
        fclose(file);
    if (got == 4 && memcmp(magic, "TZif", 4) == 0 && zone_count < ZONES_MAX &&
        strcmp(name, "localtime") != 0 && strcmp(name, "posixrules") != 0)
        zone_names[zone_count++] = strdup(name);
    return 0;
}

static int set_up_zones(void **state)
{
    (void)state;
    return nftw(ZONEINFO, collect, 16, 0) == 0 && zone_count > 300 ? 0 : -1;
}

static int tear_down_zones(void **state)
{
    (void)state;
    while (zone_count)
        free(zone_names[--zone_count]);
    return 0;
}

static void test_period__months_tile_in_every_zone(void **state)
{
    (void)state;
    for (size_t i = 0; i < zone_count; i++) {
        struct zone *zone = load(zone_names[i]);
        struct period p = period("1970-01");
        struct instant start = period_start(zone, p);
        for (; p.index < 2110 * 12; p.index++) {
            struct instant end = period_end(zone, p);
            int64_t seconds = end.seconds - start.seconds;
            bool good = seconds >= 27 * 86400 && seconds <= 32 * 86400 &&
                        period_of(zone, start).index == p.index &&
                        period_of(zone, (struct instant){end.seconds - 1}).index == p.index &&
                        period_seconds(zone, p) == seconds;
            if (!good)
                fail_msg("%s, month %d of %d", zone_names[i], p.index % 12 + 1, p.index / 12);
            start = end;
        }
        zone_free(zone);
    }
}

static void test_zone__civil_and_instant_are_inverse_but_for_doubled_times(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (size_t i = 0; i < zone_count; i++) {
        struct zone *zone = load(zone_names[i]);
        for (int n = 0; n < 1000; n++) {
            struct instant at = {(int64_t)seeded_below(&seeded, 6000000000) - 2000000000};
            struct civil civil = zone_civil(zone, at);
            struct instant back = zone_instant(zone, civil);
            struct civil again = zone_civil(zone, back);
            if (back.seconds > at.seconds || civil_to_seconds(again) != civil_to_seconds(civil) ||
                (zone_offset(zone, at) == zone_offset(zone, back) && at.seconds != back.seconds))
                fail_msg("%s at %lld, seed %llu", zone_names[i], (long long)at.seconds,
                         (unsigned long long)seeded.seed);
        }
        zone_free(zone);
    }
}

/* ---- Against glibc, whose zone is the process's: in a child ---- */

static int32_t glibc_offset(int64_t seconds)
{
    struct tm tm;
    time_t time = seconds;
    return localtime_r(&time, &tm) ? (int32_t)tm.tm_gmtoff : INT32_MAX;
}

static bool same_at(const struct zone *zone, const char *name, int64_t seconds)
{
    int32_t ours = zone_offset(zone, (struct instant){seconds}), theirs = glibc_offset(seconds);
    if (ours != theirs)
        fprintf(stderr, "%s at %lld: %d, glibc has %d\n", name, (long long)seconds, ours, theirs);
    return ours == theirs;
}

/* Compares month by month, and at both sides of every change that lies between. */
static bool same_between(const struct zone *zone, const char *name, int64_t from, int64_t to)
{
    const int64_t step = 20 * 86400;
    for (int64_t at = from; at < to; at += step) {
        if (!same_at(zone, name, at))
            return false;
        int64_t low = at, high = at + step;
        int32_t before = glibc_offset(low);
        if (glibc_offset(high) == before)
            continue;
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2;
            if (glibc_offset(middle) == before)
                low = middle;
            else
                high = middle;
        }
        if (!same_at(zone, name, low) || !same_at(zone, name, high))
            return false;
    }
    return true;
}

static bool same_zone(const struct zone *zone, const char *tz, int64_t from, struct seeded *seeded)
{
    setenv("TZ", tz, 1);
    tzset();
    bool same = same_between(zone, tz, from, 4800000000) &&       /* to 2122 */
                same_between(zone, tz, 16000000000, 16100000000); /* 2477 */
    for (int n = 0; n < 500 && same; n++)
        same = same_at(zone, tz, from + (int64_t)seeded_below(seeded, 400000000000));
    return same;
}

/* Runs `compare` where TZ may be changed. */
static void in_child(bool (*compare)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(compare() ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool all_zones_are_same(void)
{
    struct seeded seeded = seeded_init();
    bool same = true;
    for (size_t i = 0; i < zone_count; i++) {
        struct zone *zone = load(zone_names[i]);
        same = same_zone(zone, zone_names[i], -2500000000, &seeded) && same;
        zone_free(zone);
    }
    return same;
}

static void test_zone_offset__is_glibcs_in_every_zone(void **state)
{
    (void)state;
    in_child(all_zones_are_same);
}

/* ---- Made-up files ---- */

static char folder[] = "/tmp/ratel-calendar-XXXXXX";

static int set_up_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && setenv("TZDIR", folder, 1) == 0 ? 0 : -1;
}

static int tear_down_folder(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s/Made", folder);
    unlink(path);
    unsetenv("TZDIR");
    return rmdir(folder);
}

static void write_made(const char *data, size_t length)
{
    char path[100];
    snprintf(path, sizeof path, "%s/Made", folder);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0)
        abort();
}

/* A version 2 file without transitions: all is in the footer. */
static void write_footer(const char *footer)
{
    char data[400] = "TZif2";
    memcpy(data + 44, "TZif2", 5);
    data[44 + 39] = 1; /* one type */
    data[44 + 43] = 4; /* of the name "LMT" */
    memcpy(data + 94, "LMT", 4);
    int length = snprintf(data + 98, sizeof data - 98, "\n%s\n", footer);
    write_made(data, 98 + (size_t)length);
}

static bool footers_are_same(void)
{
    static const char *const footers[] = {
        "UTC0",
        "<+0530>-5:30",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "AAA3BBB,J60,J300",
        "AAA3BBB,59/0,300/4:30:15",
        "AAA-12BBB-13,J360/1,J6/1",
        "AAA12:34:56BBB,M2.1.1/-167,M6.4.4/167",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "EET-2EEST,M3.4.4/50,M10.4.4/50",
    };
    struct seeded seeded = seeded_init();
    bool same = true;
    for (size_t i = 0; i < sizeof footers / sizeof footers[0]; i++) {
        write_footer(footers[i]);
        struct zone *zone = load("Made");
        /* From 1971 on: glibc takes every year before for 1970 when it has a rule and no file. */
        same = same_zone(zone, footers[i], 31536000, &seeded) && same;
        zone_free(zone);
    }
    return same;
}

static void test_zone_offset__footer_rules_are_glibcs(void **state)
{
    (void)state;
    in_child(footers_are_same);
}

/* glibc is no judge here: it looks at the rules of the UTC year alone. */
static void test_zone_offset__rules_reach_over_new_year(void **state)
{
    (void)state;
    static const struct {
        const char *footer, *change;
        int32_t before, after;
    } rows[] = {
        {"AAA-12BBB-13,J365/1,J1/1", "1974-12-30T13:00:00Z", 43200, 46800},
        {"AAA-12BBB-13,J365/1,J1/1", "1974-12-31T12:00:00Z", 46800, 43200},
        /* The first Monday of 1973 is 1 January; 167 hours before it is Christmas, 01:00. */
        {"AAA12:34:56BBB,M1.1.1/-167,M6.4.4", "1972-12-25T13:34:56Z", -45296, -41696},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_footer(rows[i].footer);
        struct zone *zone = load("Made");
        struct instant change = instant(rows[i].change);
        assert_int_equal(zone_offset(zone, (struct instant){change.seconds - 1}), rows[i].before);
        assert_int_equal(zone_offset(zone, change), rows[i].after);
        zone_free(zone);
    }
}

static void test_period_start__a_gap_across_midnight_ends_where_the_month_starts(void **state)
{
    (void)state;
    write_footer("AAA0BBB,J273/23:30,J330"); /* 30 September 23:30 becomes 1 October 00:30 */
    struct zone *zone = load("Made");
    struct instant start = period_start(zone, period("2026-10"));
    assert_int_equal(start.seconds, instant("2026-09-30T23:30:00Z").seconds);
    assert_int_equal(zone_civil(zone, start).minute, 30);
    assert_int_equal(period_of(zone, start).index, period("2026-10").index);
    assert_int_equal(period_of(zone, (struct instant){start.seconds - 1}).index,
                     period("2026-09").index);
    zone_free(zone);
}

static void test_zone_offset__summer_time_all_year_has_no_seam(void **state)
{
    (void)state;
    write_footer("XXX3EDT4,0/0,J365/23"); /* RFC 9636's example */
    struct zone *zone = load("Made");
    for (int64_t at = 0; at < 5000000000; at += 1800)
        assert_int_equal(zone_offset(zone, (struct instant){at}), -4 * 3600);
    zone_free(zone);
}

static void test_zone_load__refuses_wrong_footers(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "X",
        "5",
        "EST",
        "EST5EDT",
        "EST5EDT,",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,",
        "EST5EDT,M3.2.0,M11.1.0,",
        "EST5EDT,M0.2.0,M11.1.0",
        "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.0.0,M11.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,M3.2,M11.1.0",
        "EST5EDT,J0,J365",
        "EST5EDT,J366,J1",
        "EST5EDT,366,1",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "EST25",
        "EST5:60",
        "<EST5",
        "<>5",
        "EST5 ",
        "EST99999999999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_footer(wrong[i]);
        struct zone *zone = NULL;
        if (zone_load(SLICE("Made"), &zone) != STATUS_CORRUPT)
            fail_msg("\"%s\" is taken", wrong[i]);
        assert_null(zone);
    }
}

static size_t read_berlin(char *data, size_t size)
{
    FILE *file = fopen(ZONEINFO "/Europe/Berlin", "rb");
    assert_non_null(file);
    size_t length = fread(data, 1, size, file);
    fclose(file);
    assert_in_range(length, 500, size - 1);
    return length;
}

static void test_zone_load__refuses_a_file_cut_anywhere(void **state)
{
    (void)state;
    char data[8192];
    size_t length = read_berlin(data, sizeof data);
    for (size_t cut = 0; cut < length; cut++) {
        struct zone *zone = NULL;
        write_made(data, cut);
        if (zone_load(SLICE("Made"), &zone) != STATUS_CORRUPT)
            fail_msg("cut at %zu is taken", cut);
    }
}

static void test_zone_load__survives_damage(void **state)
{
    (void)state;
    char data[8192];
    size_t length = read_berlin(data, sizeof data);
    struct seeded seeded = seeded_init();
    for (int i = 0; i < 3000; i++) {
        size_t where = seeded_below(&seeded, i % 2 ? 100 : length); /* headers twice as often */
        char kept = data[where];
        data[where] = (char)seeded_u64(&seeded);
        write_made(data, length);
        struct zone *zone = NULL;
        enum status status = zone_load(SLICE("Made"), &zone);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_OK) {
            struct instant at = {(int64_t)seeded_below(&seeded, 6000000000)};
            assert_in_range(zone_offset(zone, at) + 100000, 0, 200000);
            zone_instant(zone, zone_civil(zone, at));
            zone_free(zone);
        }
        data[where] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_period__starts_and_lengths_are_the_known_ones),
        cmocka_unit_test(test_zone_instant__gaps_move_on_and_doubled_times_are_the_first),
        cmocka_unit_test(test_period_of__does_not_go_back_where_the_calendar_does),
        cmocka_unit_test(test_period_of__instants_outside_the_years_count_to_the_outermost),
        cmocka_unit_test(test_period_parse__takes_year_and_month_only),
        cmocka_unit_test(test_zone_load__refuses_names_that_are_no_zones),
    };
    const struct CMUnitTest zone_tests[] = {
        cmocka_unit_test(test_period__months_tile_in_every_zone),
        cmocka_unit_test(test_zone__civil_and_instant_are_inverse_but_for_doubled_times),
        cmocka_unit_test(test_zone_offset__is_glibcs_in_every_zone),
    };
    const struct CMUnitTest file_tests[] = {
        cmocka_unit_test(test_zone_offset__footer_rules_are_glibcs),
        cmocka_unit_test(test_zone_offset__rules_reach_over_new_year),
        cmocka_unit_test(test_period_start__a_gap_across_midnight_ends_where_the_month_starts),
        cmocka_unit_test(test_zone_offset__summer_time_all_year_has_no_seam),
        cmocka_unit_test(test_zone_load__refuses_wrong_footers),
        cmocka_unit_test(test_zone_load__refuses_a_file_cut_anywhere),
        cmocka_unit_test(test_zone_load__survives_damage),
    };
    unsetenv("TZDIR");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += cmocka_run_group_tests(zone_tests, set_up_zones, tear_down_zones);
    failed += cmocka_run_group_tests(file_tests, set_up_folder, tear_down_folder);
    return failed;
}
