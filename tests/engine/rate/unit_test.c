#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rate/unit.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define BYTES DIMENSION_BYTES
#define TIME  DIMENSION_TIME

static void test_unit__text_gives_factor_time_and_dimensions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t factor;
        enum unit_time time;
        uint8_t dimensions;
    } cases[] = {
        {"hour", 1, UNIT_TIME_HOUR, TIME},
        {"hours", 1, UNIT_TIME_HOUR, TIME},
        {"100 hours", 100, UNIT_TIME_HOUR, TIME},
        {"day", 1, UNIT_TIME_DAY, TIME},
        {"month", 1, UNIT_TIME_MONTH, TIME},
        {"byte", 1, UNIT_TIME_NONE, BYTES},
        {"KB", 1000, UNIT_TIME_NONE, BYTES},
        {"MB", 1000000, UNIT_TIME_NONE, BYTES},
        {"GB", 1000000000, UNIT_TIME_NONE, BYTES},
        {"TB", 1000000000000, UNIT_TIME_NONE, BYTES},
        {"PB", 1000000000000000, UNIT_TIME_NONE, BYTES},
        {"KiB", 1024, UNIT_TIME_NONE, BYTES},
        {"MiB", 1048576, UNIT_TIME_NONE, BYTES},
        {"GiB", 1073741824, UNIT_TIME_NONE, BYTES},
        {"TiB", 1099511627776, UNIT_TIME_NONE, BYTES},
        {"PiB", 1125899906842624, UNIT_TIME_NONE, BYTES},
        {"10 GiB", 10737418240, UNIT_TIME_NONE, BYTES},
        {"GiB-month", 1073741824, UNIT_TIME_MONTH, BYTES | TIME},
        {"GB-hour", 1000000000, UNIT_TIME_HOUR, BYTES | TIME},
        {"100 GiB-month", 107374182400, UNIT_TIME_MONTH, BYTES | TIME},
        {"byte-day", 1, UNIT_TIME_DAY, BYTES | TIME},
        {"vcpu-hour", 1, UNIT_TIME_HOUR, TIME},
        {"MHz-hour", 1, UNIT_TIME_HOUR, TIME},
        {"user-month", 1, UNIT_TIME_MONTH, TIME},
        {"request", 1, UNIT_TIME_NONE, 0},
        {"1000 requests", 1000, UNIT_TIME_NONE, 0},
        {"1000000000 requests", 1000000000, UNIT_TIME_NONE, 0},
        {"unit", 1, UNIT_TIME_NONE, 0},
        {" unit ", 1, UNIT_TIME_NONE, 0},
        {"token_4k", 1, UNIT_TIME_NONE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct unit unit;
        struct error error = {0};
        if (unit_parse(slice_string(cases[i].text), &unit, &error) != STATUS_OK)
            fail_msg("%s: %s", cases[i].text, error.text);
        if (unit.factor != cases[i].factor || unit.time != cases[i].time ||
            unit.dimensions != cases[i].dimensions)
            fail_msg("%s: read wrongly", cases[i].text);
        assert_string_equal(unit.text, cases[i].text[0] == ' ' ? "unit" : cases[i].text);
    }
}

static void test_unit__refuses_what_is_no_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says; /* part of the message */
    } cases[] = {
        {"", "empty"},
        {"gib", "write `GiB`"},
        {"gb", "write `GB`"},
        {"Hour", "write `hour`"},
        {"GiB-Month", "write `month`"},
        {"gib-month", "write `GiB`"},
        {"mib", "write `MiB`"},
        {"GiB-week", "not a unit"},
        {"GiB-", "not a unit"},
        {"-month", "not a unit"},
        {"hour-month", "a time by a time"},
        {"0 requests", "positive integer"},
        {"1000requests", "positive integer"},
        {"1000", "positive integer"},
        {"1000 ", "positive integer"},
        {"1000000001 requests", "at most 1000000000"},
        {"99999999999999999999 requests", "at most 1000000000"},
        {"1.5 GiB", "positive integer"},
        {"-1 GiB", "not a unit"},
        {"two words", "not a unit"},
        {"Gbit", "not a unit"},
        {"3vm", "positive integer"},
        {"a_word_that_is_longer_than_any_unit_that_makes_sense_here", "too long"},
        {"h\xc3\xb6ur", "not a unit"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct unit unit = {.factor = 77};
        struct error error = {0};
        assert_int_equal(unit_parse(slice_string(cases[i].text), &unit, &error), STATUS_INVALID);
        if (!strstr(error.text, cases[i].says))
            fail_msg("`%s`: message is: %s", cases[i].text, error.text);
        assert_true(unit.factor == 77);
        assert_int_equal(unit_parse(slice_string(cases[i].text), &unit, NULL), STATUS_INVALID);
    }
}

static struct zone *zone_of(const char *name)
{
    struct zone *zone;
    if (zone_load(slice_string(name), &zone) != STATUS_OK)
        fail_msg("no time zone %s", name);
    return zone;
}

static void test_unit__quanta_follow_month_scale_and_zone(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        const char *zone; /* NULL: UTC */
        const char *period;
        enum month_hours month;
        int64_t bytes_per_base;
        int64_t seconds_scale;
        int64_t expected; /* in quanta / bytes factor 1 */
        int64_t times;
    } cases[] = {
        {"hour", NULL, "2026-10", MONTH_ACTUAL, 1, 1, 1000000, 1},
        {"day", NULL, "2026-10", MONTH_ACTUAL, 1, 1, 24000000, 1},
        {"month", NULL, "2026-10", MONTH_ACTUAL, 1, 1, 744000000, 1},
        {"month", NULL, "2026-02", MONTH_ACTUAL, 1, 1, 672000000, 1},
        {"month", NULL, "2028-02", MONTH_ACTUAL, 1, 1, 696000000, 1},
        {"month", NULL, "2026-10", MONTH_730, 1, 1, 730000000, 1},
        {"month", NULL, "2026-10", MONTH_720, 1, 1, 720000000, 1},
        {"month", "Europe/Berlin", "2026-10", MONTH_ACTUAL, 1, 1, 745000000, 1},
        {"month", "Europe/Berlin", "2026-03", MONTH_ACTUAL, 1, 1, 743000000, 1},
        {"month", "Europe/Berlin", "2026-03", MONTH_730, 1, 1, 730000000, 1},
        {"month", "Australia/Lord_Howe", "2026-10", MONTH_ACTUAL, 1, 1, 743500000, 1},
        {"month", "Australia/Lord_Howe", "2026-04", MONTH_ACTUAL, 1, 1, 720500000, 1},
        {"2 month", "Australia/Lord_Howe", "2026-04", MONTH_ACTUAL, 1, 1, 1441000000, 1},
        {"GiB", NULL, "2026-10", MONTH_ACTUAL, 1, 1, 1000000, 1 << 30},
        {"GiB-hour", NULL, "2026-10", MONTH_ACTUAL, 1, 1, 1000000, 1 << 30},
        {"GiB-month", "Europe/Berlin", "2026-10", MONTH_ACTUAL, 1, 1, 745000000, 1 << 30},
        {"GiB-hour", NULL, "2026-10", MONTH_ACTUAL, 1 << 20, 1, 1000000, 1024}, /* memory in MiB */
        {"MiB-hour", NULL, "2026-10", MONTH_ACTUAL, 1 << 20, 1, 1000000, 1},
        {"GiB-hour", NULL, "2026-10", MONTH_ACTUAL, 1, 3600, 3600000000,
         1 << 30}, /* a level in byte-seconds */
        {"GB-month", NULL, "2026-10", MONTH_ACTUAL, 1, 3600, 2678400000000, 1000000000},
        {"1000 requests", NULL, "2026-10", MONTH_ACTUAL, 1, 1, 1000000, 1000},
        {"1000000000 PiB-month", NULL, "2026-10", MONTH_ACTUAL, 1, 3600, 2678400000000,
         0}, /* the largest there is */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct unit unit;
        struct period period;
        struct zone *zone = cases[i].zone ? zone_of(cases[i].zone) : NULL;
        int128 quanta = 0;
        int128 expected = (int128)cases[i].expected * cases[i].times;
        if (cases[i].times == 0)
            expected = (int128)cases[i].expected * 1000000000 * ((int64_t)1 << 50);
        assert_int_equal(unit_parse(slice_string(cases[i].unit), &unit, NULL), STATUS_OK);
        assert_int_equal(period_parse(slice_string(cases[i].period), &period), STATUS_OK);
        enum status status = unit_quanta(&unit, cases[i].month, zone, period,
                                         cases[i].bytes_per_base, cases[i].seconds_scale, &quanta);
        if (status != STATUS_OK || quanta != expected)
            fail_msg("case %zu, %s: status %d", i, cases[i].unit, status);
        zone_free(zone);
    }
}

static void test_unit__quanta_that_are_not_whole_are_refused(void **state)
{
    (void)state;
    struct unit unit;
    int128 quanta = 5;
    assert_int_equal(unit_parse(SLICE("GB-hour"), &unit, NULL), STATUS_OK);
    assert_int_equal(
        unit_quanta(&unit, MONTH_730, NULL, (struct period){2026 * 12}, 1 << 20, 1, &quanta),
        STATUS_RANGE);
    unit.factor = INT128_MAX / 2;
    assert_int_equal(unit_quanta(&unit, MONTH_730, NULL, (struct period){2026 * 12}, 1, 1, &quanta),
                     STATUS_RANGE);
    /* Liberia put its clocks on by 44 minutes and a half in January 1972. */
    struct zone *zone = zone_of("Africa/Monrovia");
    assert_int_equal(unit_parse(SLICE("month"), &unit, NULL), STATUS_OK);
    assert_int_equal(
        unit_quanta(&unit, MONTH_ACTUAL, zone, (struct period){1972 * 12}, 1, 1, &quanta),
        STATUS_RANGE);
    assert_true(quanta == 5);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit__text_gives_factor_time_and_dimensions),
        cmocka_unit_test(test_unit__refuses_what_is_no_unit),
        cmocka_unit_test(test_unit__quanta_follow_month_scale_and_zone),
        cmocka_unit_test(test_unit__quanta_that_are_not_whole_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
