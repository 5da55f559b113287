#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/instant.h"
#include "engine/base/seeded.h"

#define OCTOBER 1790812800 /* 2026-10-01T00:00:00Z */

static void test_instant_parse__reads_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanoseconds;
    } rows[] = {
        {"2026-10-01T00:00:00+0000", OCTOBER, 0},
        {"2026-10-01'T'00:00:00+00:00", OCTOBER, 0},
        {"2026-10-01T00:00:00Z", OCTOBER, 0},
        {"2026-10-01t00:00:00z", OCTOBER, 0},
        {"2026-10-01T00:00:00.123Z", OCTOBER, 123000000},
        {"2026-10-01T00:00:00,5Z", OCTOBER, 500000000},
        {"2026-10-01T00:00:00.999999999999Z", OCTOBER, 999999999},
        {"2026-10-01T00:00:00.000000001+02:00", OCTOBER - 7200, 1},
        {"2026-10-01 00:00:00", OCTOBER, 0},
        {"2026-10-01 00:00:00 +0000", OCTOBER, 0},
        {"2026-10-01", OCTOBER, 0},
        {"2026-10-01T05:30:00+0530", OCTOBER, 0},
        {"2026-10-01T05:30:00+05:30", OCTOBER, 0},
        {"2026-09-30T20:00:00-04", OCTOBER, 0},
        {"2026-09-30'T'20:00:00-0400", OCTOBER, 0},
        {"2026-10-01T23:59:59+0000", OCTOBER + 86399, 0},
        {"1970-01-01T00:00:00Z", 0, 0},
        {"9999-12-31T23:59:59Z", 253402300799, 0},
        {"2024-02-29", 1709164800, 0},
        {"2000-02-29", 951782400, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct instant instant;
        int32_t nanoseconds = -1;
        if (instant_parse(slice_string(rows[i].text), &instant, &nanoseconds) != STATUS_OK)
            fail_msg("%s is refused", rows[i].text);
        assert_int_equal(instant.seconds, rows[i].seconds);
        assert_int_equal(nanoseconds, rows[i].nanoseconds);
        assert_int_equal(instant_parse(slice_string(rows[i].text), &instant, NULL), STATUS_OK);
    }
}

static void test_instant_parse__refuses_what_is_no_instant(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2026",
        "2026-10",
        "2026-1-01",
        "2026-10-1",
        "26-10-01",
        "2026/10/01",
        "20261001",
        "2026-00-01",
        "2026-13-01",
        "2026-10-00",
        "2026-10-32",
        "2026-09-31",
        "2026-02-29",
        "2100-02-29",
        "1969-12-31",
        "0000-01-01",
        "+2026-10-01",
        "2026-10-01T",
        "2026-10-01T00",
        "2026-10-01T00:00",
        "2026-10-01T00:00:0",
        "2026-10-01T24:00:00Z",
        "2026-10-01T00:60:00Z",
        "2026-10-01T00:00:60Z",
        "2026-10-01T23:59:60Z",
        "2026-10-01T00.00.00Z",
        "2026-10-01T00:00:00.Z",
        "2026-10-01T00:00:00.",
        "2026-10-01T00:00:00+",
        "2026-10-01T00:00:00+0",
        "2026-10-01T00:00:00+000",
        "2026-10-01T00:00:00+00:0",
        "2026-10-01T00:00:00+00:000",
        "2026-10-01T00:00:00+24:00",
        "2026-10-01T00:00:00+00:60",
        "2026-10-01T00:00:00ZZ",
        "2026-10-01T00:00:00 Z",
        "2026-10-01T00:00:00 UTC",
        "2026-10-01T00:00:00Z ",
        " 2026-10-01",
        "2026-10-01'T00:00:00Z",
        "2026-10-01''00:00:00Z",
        "2026-10-01  00:00:00",
        "2026-1O-01",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct instant instant = {5};
        int32_t nanoseconds = 6;
        if (instant_parse(slice_string(rows[i]), &instant, &nanoseconds) != STATUS_INVALID)
            fail_msg("\"%s\" is taken", rows[i]);
        assert_true(instant.seconds == 5 && nanoseconds == 6);
    }
}

/* What a plain reader makes of "2026-10-11T12:13:14Z" and its kin; -1 for no instant. */
static int64_t plain_read(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00Z";
    int year, month, day, hour, minute, second;
    for (size_t i = 0; shape[i]; i++) {
        bool good = shape[i] == '0'   ? text[i] >= '0' && text[i] <= '9'
                    : shape[i] == 'T' ? text[i] == 'T' || text[i] == 't' || text[i] == ' '
                    : shape[i] == 'Z' ? text[i] == 'Z' || text[i] == 'z'
                                      : text[i] == shape[i];
        if (!good)
            return -1;
    }
    if (sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) !=
        6)
        return -1;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    struct tm given = tm;
    int64_t seconds = timegm(&tm); /* which carries what is out of range: then the fields change */
    bool same = tm.tm_year == given.tm_year && tm.tm_mon == given.tm_mon &&
                tm.tm_mday == given.tm_mday && tm.tm_hour == given.tm_hour &&
                tm.tm_min == given.tm_min && tm.tm_sec == given.tm_sec;
    return same && seconds >= 0 ? seconds : -1;
}

static void test_instant_parse__agrees_with_a_plain_reader_on_changed_bytes(void **state)
{
    (void)state;
    static const char original[] = "2026-10-11T12:13:14Z";
    struct seeded seeded = seeded_init();
    for (unsigned i = 0; i < 200000; i++) {
        char text[sizeof original];
        memcpy(text, original, sizeof text);
        if (i < 20 * 256) { /* every byte at every place, then several digits at random */
            text[i / 256] = (char)(i % 256);
        } else {
            for (uint64_t n = seeded_below(&seeded, 8); n < 8; n++)
                text[seeded_below(&seeded, 20)] = (char)('/' + seeded_below(&seeded, 12));
        }
        struct instant result = {-1};
        enum status status = instant_parse(slice_of(text, 20), &result, NULL);
        int64_t expected = plain_read(text);
        if ((status == STATUS_OK) != (expected >= 0) || result.seconds != expected)
            fail_msg("\"%.20s\", seed %llu", text, (unsigned long long)seeded.seed);
    }
}

static void test_instant_parse__reads_no_byte_past_the_slice(void **state)
{
    (void)state;
    static const char *const wholes[] = {"2026-10-01'T'00:00:00.123456+00:00",
                                         "2026-10-01 00:00:00 +0000"};
    for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
        for (size_t length = 0; length <= strlen(wholes[i]); length++) {
            char *copy = malloc(length ? length : 1); /* exact: a sanitizer watches its end */
            memcpy(copy, wholes[i], length);
            struct instant instant;
            enum status status = instant_parse(slice_of(copy, length), &instant, NULL);
            assert_true(status == STATUS_OK || status == STATUS_INVALID);
            free(copy);
        }
    }
}

static void test_instant_format__round_trips_and_agrees_with_gmtime(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (int i = 0; i < 200000; i++) {
        struct instant instant = {(int64_t)seeded_below(&seeded, 253402300800)}, back;
        char text[INSTANT_TEXT_BYTES], expected[INSTANT_TEXT_BYTES];
        size_t length = instant_format(instant, text);
        struct tm tm;
        time_t seconds = instant.seconds;
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm);
        assert_string_equal(text, expected);
        assert_int_equal(length, 20);
        assert_int_equal(instant_parse(slice_of(text, length), &back, NULL), STATUS_OK);
        assert_int_equal(back.seconds, instant.seconds);
    }
}

static void test_instant_format__extremes_fit_the_buffer(void **state)
{
    (void)state;
    char text[INSTANT_TEXT_BYTES];
    instant_format(INSTANT_MIN, text);
    assert_string_equal(text, "-2147483647-01-01T00:00:00Z");
    instant_format(INSTANT_MAX, text);
    assert_string_equal(text, "2147483647-12-31T23:59:59Z");
    instant_format((struct instant){-1}, text);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
    instant_format((struct instant){-62167219201}, text);
    assert_string_equal(text, "-0001-12-31T23:59:59Z");
}

static void test_civil__every_day_of_eight_centuries_follows_the_one_before(void **state)
{
    (void)state;
    int32_t year = 1600, month = 1, day = 1;
    int64_t days = civil_to_days(year, month, day);
    assert_int_equal(days, -135140);
    for (; year < 2400; days++) {
        assert_int_equal(civil_to_days(year, month, day), days);
        struct civil civil = civil_from_seconds(days * 86400 + 86399);
        assert_true(civil.year == year && civil.month == month && civil.day == day);
        assert_true(civil.hour == 23 && civil.minute == 59 && civil.second == 59);
        assert_int_equal(civil_to_seconds(civil), days * 86400 + 86399);
        if (++day > civil_month_days(year, month)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
    assert_int_equal(days, civil_to_days(2400, 1, 1));
}

static void test_civil__agrees_with_gmtime_far_from_1970(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (int i = 0; i < 100000; i++) {
        int64_t seconds = (int64_t)seeded_u64(&seeded) >> (9 + seeded_below(&seeded, 40));
        struct civil civil = civil_from_seconds(seconds);
        struct tm tm;
        time_t time = seconds;
        assert_non_null(gmtime_r(&time, &tm));
        assert_true(civil.year == tm.tm_year + 1900 && civil.month == tm.tm_mon + 1 &&
                    civil.day == tm.tm_mday && civil.hour == tm.tm_hour &&
                    civil.minute == tm.tm_min && civil.second == tm.tm_sec);
        assert_int_equal(civil_to_seconds(civil), seconds);
    }
}

static void test_clock__fixed_one_stands_still_and_real_one_is_now(void **state)
{
    (void)state;
    struct clock_fixed fixed;
    clock_fixed_init(&fixed, (struct instant){OCTOBER});
    assert_int_equal(fixed.base.now(&fixed.base).seconds, OCTOBER);
    struct clock *real = clock_real();
    int64_t before = time(NULL), now = real->now(real).seconds;
    assert_in_range(now, before, before + 10);
}

static void test_instant_min_max__take_the_earlier_and_the_later(void **state)
{
    (void)state;
    struct instant a = {1}, b = {2};
    assert_int_equal(instant_min(a, b).seconds, 1);
    assert_int_equal(instant_max(a, b).seconds, 2);
    assert_int_equal(instant_min(INSTANT_MIN, INSTANT_MAX).seconds, INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instant_parse__reads_every_form),
        cmocka_unit_test(test_instant_parse__refuses_what_is_no_instant),
        cmocka_unit_test(test_instant_parse__agrees_with_a_plain_reader_on_changed_bytes),
        cmocka_unit_test(test_instant_parse__reads_no_byte_past_the_slice),
        cmocka_unit_test(test_instant_format__round_trips_and_agrees_with_gmtime),
        cmocka_unit_test(test_instant_format__extremes_fit_the_buffer),
        cmocka_unit_test(test_civil__every_day_of_eight_centuries_follows_the_one_before),
        cmocka_unit_test(test_civil__agrees_with_gmtime_far_from_1970),
        cmocka_unit_test(test_clock__fixed_one_stands_still_and_real_one_is_now),
        cmocka_unit_test(test_instant_min_max__take_the_earlier_and_the_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
