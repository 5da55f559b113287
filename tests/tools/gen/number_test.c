/* Numbers as text, and identifiers that stay the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "gen/cloud.h"

static void test_number__hours_are_rounded_to_six_decimals(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *expected;
    } cases[] = {
        {0, "0"},
        {1, "0.000278"},
        {2, "0.000556"},
        {3, "0.000833"},
        {9, "0.0025"},
        {3599, "0.999722"},
        {3600, "1"},
        {86400, "24"},
        {48375, "13.4375"},
        {36, "0.01"},
        {82800, "23"},
        {90000, "25"},
        {86399, "23.999722"},
        {172800, "48"},
        {360, "0.1"},
        {2678400, "744"},
        {2678399, "743.999722"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NUMBER_BYTES + 1];

        text[number_micro(text, hours_micro(cases[i].seconds), '.')] = '\0';
        assert_string_equal(text, cases[i].expected);
    }
    for (uint64_t seconds = 0; seconds < 100000; seconds++)
        assert_true(hours_micro(seconds) == (seconds * 1000000 + 1800) / 3600);
}

static void test_number__comma_and_sizes_read_as_cloudstack_prints_them(void **state)
{
    static const struct {
        uint64_t bytes;
        char point;
        const char *expected;
    } cases[] = {
        {0, '.', "(0 bytes) 0"},
        {1023, '.', "(1023 bytes) 1023"},
        {1024, '.', "(1.00 KB) 1024"},
        {8589934592, ',', "(8,00 GB) 8589934592"},
        {107374182400, '.', "(100.00 GB) 107374182400"},
        {186209476608, '.', "(173.42 GB) 186209476608"},
        {UINT64_MAX >> 8, '.', "(65536.00 TB) 72057594037927935"},
    };
    char text[NUMBER_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text[number_human(text, cases[i].bytes, cases[i].point)] = '\0';
        assert_string_equal(text, cases[i].expected);
    }
    text[number_micro(text, 58435, ',')] = '\0';
    assert_string_equal(text, "0,058435");
}

static void test_number__wide_totals_keep_every_digit(void **state)
{
    char text[NUMBER_BYTES + 1];
    wide big = (wide)UINT64_MAX * UINT32_MAX;

    (void)state;
    text[number_wide(text, big)] = '\0';
    assert_string_equal(text, "79228162495817593515539431425");
    text[number_wide_micro(text, big)] = '\0';
    assert_string_equal(text, "79228162495817593515539.431425");
    text[number_wide_micro(text, 0)] = '\0';
    assert_string_equal(text, "0");
    text[number_wide_micro(text, 10)] = '\0';
    assert_string_equal(text, "0.00001");
}

static void test_uuid__is_version_4_and_stays_the_same(void **state)
{
    char text[UUID_BYTES + 1] = "", again[UUID_BYTES + 1] = "";

    (void)state;
    for (uint64_t number = 0; number < 1000; number++) {
        uuid_text(text, 7, KIND_VM, number);
        assert_true(text[8] == '-' && text[13] == '-' && text[14] == '4' && text[18] == '-' &&
                    text[23] == '-');
        assert_non_null(strchr("89ab", text[19]));
        uuid_text(again, 7, KIND_VM, number);
        assert_string_equal(text, again);
        uuid_text(again, 7, KIND_VOLUME, number);
        assert_string_not_equal(text, again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number__hours_are_rounded_to_six_decimals),
        cmocka_unit_test(test_number__comma_and_sizes_read_as_cloudstack_prints_them),
        cmocka_unit_test(test_number__wide_totals_keep_every_digit),
        cmocka_unit_test(test_uuid__is_version_4_and_stays_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
