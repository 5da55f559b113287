/* The table of months against the calendar, at and around every boundary. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rate/months.h"

#define DAY 86400

static void check(const struct month_table *table, int64_t seconds)
{
    struct instant at = {seconds};
    struct month_stretch stretch = month_at(table, at);
    struct period period;
    if (table->zone) {
        period = period_of(table->zone, at);
        assert_int_equal(stretch.from.seconds, period_start(table->zone, period).seconds);
        assert_int_equal(stretch.to.seconds, period_end(table->zone, period).seconds);
    } else {
        struct civil civil = civil_from_seconds(seconds);
        period.index = civil.year * 12 + civil.month - 1;
        struct civil start = {civil.year, civil.month, 1, 0, 0, 0};
        assert_int_equal(stretch.from.seconds, civil_to_seconds(start));
        assert_int_equal(stretch.to.seconds,
                         stretch.from.seconds +
                             (int64_t)DAY * civil_month_days(civil.year, civil.month));
    }
    assert_int_equal(stretch.period.index, period.index);
}

static void check_zone(const struct zone *zone)
{
    static struct month_table table;
    months_fill(&table, zone);
    /* A year more at both ends: there the table has nothing. */
    for (int32_t index = MONTHS_FIRST - 12; index <= MONTHS_FIRST + MONTHS_COUNT + 12; index++) {
        int64_t start = civil_to_days(index / 12, index % 12 + 1, 1) * DAY;
        for (int hour = -15; hour <= 15; hour++) {
            check(&table, start + hour * 3600 - 1);
            check(&table, start + hour * 3600);
        }
        check(&table, start + 15 * DAY + index);
    }
    for (int32_t i = 0; i < MONTHS_COUNT; i++) {
        check(&table, table.starts[i]);
        check(&table, table.starts[i + 1] - 1);
    }
}

static void test_months__are_the_calendars(void **state)
{
    (void)state;
    static const char *const names[] = {"UTC",          "Europe/Berlin",
                                        "Asia/Kolkata", "America/St_Johns",
                                        "Pacific/Apia", "Pacific/Kiritimati"};
    check_zone(NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *zone;
        assert_int_equal(zone_load(slice_string(names[i]), &zone), STATUS_OK);
        check_zone(zone);
        zone_free(zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_months__are_the_calendars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
