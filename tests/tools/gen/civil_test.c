/* Dates, zones, and the windows that days are cut into. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/civil.h"

static void test_civil__days_and_dates_are_inverse(void **state)
{
    static const struct {
        struct civil_date date;
        int64_t days;
    } cases[] = {{{1970, 1, 1}, 0},
                 {{2000, 2, 29}, 11016},
                 {{2000, 3, 1}, 11017},
                 {{2026, 10, 1}, 20727},
                 {{2100, 3, 1}, 47541}};
    struct civil_date before = civil_from_days(-1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(civil_days(cases[i].date), cases[i].days);
    for (int64_t days = 0; days < 400000; days++) {
        struct civil_date date = civil_from_days(days);

        assert_int_equal(civil_days(date), days);
        assert_true(date.day == before.day + 1 || (date.day == 1 && before.day >= 28));
        before = date;
    }
}

static void test_civil__only_real_dates_are_read(void **state)
{
    static const char *const wrong[] = {"",           "2026-10",    "2026-02-29", "2026-13-01",
                                        "2026-00-10", "2026-10-32", "26-10-01",   "2026-10-01T",
                                        "2026/10/01", "1969-12-31", "+026-10-01"};
    struct civil_date date;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(civil_parse(wrong[i], &date));
    assert_true(civil_parse("2028-02-29", &date));
    assert_true(date.year == 2028 && date.month == 2 && date.day == 29);
}

/* Windows of the local day and those around it, as "seconds,seconds,...". */
static void test_windows__days_of_23_and_25_hours_are_cut_from_their_end(void **state)
{
    static const struct {
        const char *zone, *day;
        uint32_t minutes;
        const char *expected;
    } cases[] = {
        {"UTC", "2026-10-01", 1440, "86400"},
        {"Europe/Berlin", "2026-10-25", 1440, "3600,86400"},
        {"Europe/Berlin", "2026-03-29", 1440, "82800"},
        {"Europe/Berlin", "2026-03-29", 720, "39600,43200"},
        {"America/New_York", "2026-11-01", 1440, "3600,86400"},
        {"Africa/Cairo", "2026-04-24", 1440, "82800"}, /* clocks skip midnight */
        {"Australia/Lord_Howe", "2026-04-05", 1440, "1800,86400"},
        {"Asia/Kolkata", "2026-10-01", 700, "2400,42000,42000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct failure failure;
        struct civil_date date;
        struct zone zone;
        struct window *windows;
        char text[256] = "";
        size_t count;
        int64_t days;

        assert_true(civil_parse(cases[i].day, &date));
        days = civil_days(date);
        assert_true(
            zone_load(&zone, cases[i].zone, (days - 3) * 86400, (days + 4) * 86400, &failure));
        count = windows_cut(&zone, days, 1, cases[i].minutes, &windows);
        for (size_t j = 0; j < count; j++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", j ? "," : "",
                     (long long)(windows[j].to - windows[j].from));
        assert_string_equal(text, cases[i].expected);
        free(windows);
        zone_free(&zone);
    }
}

static void test_windows__hourly_days_are_seamless(void **state)
{
    struct failure failure;
    struct zone zone;
    struct window *windows;
    int64_t first = civil_days((struct civil_date){2026, 10, 20});
    size_t count;

    (void)state;
    assert_true(
        zone_load(&zone, "Europe/Berlin", (first - 3) * 86400, (first + 20) * 86400, &failure));
    count = windows_cut(&zone, first, 10, 60, &windows);
    assert_int_equal(count, 10 * 24 + 1);
    for (size_t i = 1; i < count; i++)
        assert_int_equal(windows[i].from, windows[i - 1].to);
    free(windows);
    zone_free(&zone);
}

static void test_dates__both_formats(void **state)
{
    struct failure failure;
    struct zone zone;
    char text[DATE_BYTES_MAX + 1];

    (void)state;
    assert_true(zone_load(&zone, "America/St_Johns", 1790000000, 1792000000, &failure));
    text[date_text(text, DATE_NEW, &zone, 1790812800)] = '\0';
    assert_string_equal(text, "2026-09-30T21:30:00-0230");
    text[date_text(text, DATE_OLD, &zone, 1790812800)] = '\0';
    assert_string_equal(text, "2026-09-30'T'21:30:00-02:30");
    zone_free(&zone);
    assert_false(zone_load(&zone, "Europe", 0, 1, &failure));
    assert_false(zone_load(&zone, "../etc/passwd", 0, 1, &failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil__days_and_dates_are_inverse),
        cmocka_unit_test(test_civil__only_real_dates_are_read),
        cmocka_unit_test(test_windows__days_of_23_and_25_hours_are_cut_from_their_end),
        cmocka_unit_test(test_windows__hourly_days_are_seamless),
        cmocka_unit_test(test_dates__both_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
