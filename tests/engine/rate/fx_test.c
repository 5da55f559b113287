#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rate/snapshot.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CODE(a, b, c)                                                                              \
    {                                                                                              \
        (uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c)                                   \
    }

#define AUD CODE('A', 'U', 'D')
#define CHF CODE('C', 'H', 'F')
#define EUR CODE('E', 'U', 'R')
#define GBP CODE('G', 'B', 'P')
#define INR CODE('I', 'N', 'R')
#define JPY CODE('J', 'P', 'Y')
#define SEK CODE('S', 'E', 'K')
#define USD CODE('U', 'S', 'D')

#define SOURCE_ECB                                                                                 \
    {                                                                                              \
        "ECB", 3                                                                                   \
    }
#define SOURCE_RBA                                                                                 \
    {                                                                                              \
        "RBA", 3                                                                                   \
    }

/* Sorted by base, quote, day, as the snapshot has them. */
static const struct fx_rate rates[] = {
    {AUD, CHF, 100, (int128)500000000000, SOURCE_RBA},
    {AUD, JPY, 100, (int128)90 * PICO_PER_UNIT, SOURCE_RBA},
    {AUD, SEK, 100, (int128)7 * PICO_PER_UNIT, SOURCE_RBA},
    {EUR, CHF, 98, (int128)1 * PICO_PER_UNIT, SOURCE_ECB},
    {EUR, INR, 100, (int128)101234500000000, SOURCE_ECB},
    {EUR, INR, 103, (int128)102 * PICO_PER_UNIT, SOURCE_ECB},
    {EUR, JPY, 100, (int128)150 * PICO_PER_UNIT, SOURCE_ECB},
    {EUR, USD, 99, (int128)3 * PICO_PER_UNIT, SOURCE_ECB},
    {GBP, JPY, 100, (int128)200 * PICO_PER_UNIT, SOURCE_ECB},
    {GBP, SEK, 100, (int128)14 * PICO_PER_UNIT, SOURCE_ECB},
};

static const struct snapshot snapshot = {.rates = rates, .rate_count = COUNT_OF(rates)};

static void test_fx__path_and_day(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct currency from;
        struct currency to;
        int32_t day;
        int128 numerator; /* 0: not found */
        int128 denominator;
        const char *rate;
        int32_t used_day;
        const char *source;
    } cases[] = {
        {"same currency needs no rate", USD, USD, 5, PICO_PER_UNIT, PICO_PER_UNIT, "1", 5, ""},
        {"direct", EUR, INR, 100, (int128)101234500000000, PICO_PER_UNIT, "101.2345", 100, "ECB"},
        {"the last on or before the day", EUR, INR, 102, (int128)101234500000000, PICO_PER_UNIT,
         "101.2345", 100, "ECB"},
        {"the later one from its day", EUR, INR, 103, (int128)102 * PICO_PER_UNIT, PICO_PER_UNIT,
         "102", 103, "ECB"},
        {"none before the first", EUR, INR, 99, 0, 0, "", 0, ""},
        {"inverse", USD, EUR, 100, PICO_PER_UNIT, (int128)3 * PICO_PER_UNIT, "0.333333333333", 99,
         "ECB"},
        {"cross over the euro, older day shown", USD, INR, 100, (int128)101234500000000,
         (int128)3 * PICO_PER_UNIT, "33.744833333333", 99, "ECB"},
        {"the euro before a fresher base", CHF, JPY, 100, (int128)150 * PICO_PER_UNIT,
         PICO_PER_UNIT, "150", 98, "ECB"},
        {"else the first base by letter", SEK, JPY, 100, (int128)90 * PICO_PER_UNIT,
         (int128)7 * PICO_PER_UNIT, "12.857142857143", 100, "RBA"},
        {"no leg on or before the day", CHF, JPY, 97, 0, 0, "", 0, ""},
        {"no two crosses", SEK, INR, 200, 0, 0, "", 0, ""},
        {"unknown currency", CODE('Z', 'M', 'W'), EUR, 200, 0, 0, "", 0, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fx_use use = {.day = -7};
        char text[DECIMAL_TEXT_BYTES];
        enum status status = snapshot_fx(&snapshot, cases[i].from, cases[i].to, cases[i].day, &use);
        if (cases[i].numerator == 0) {
            if (status != STATUS_NOT_FOUND || use.day != -7)
                fail_msg("%s: found", cases[i].name);
            continue;
        }
        if (status != STATUS_OK)
            fail_msg("%s: status %d", cases[i].name, status);
        decimal_format(use.rate_pico, 12, 0, text);
        if (use.numerator != cases[i].numerator || use.denominator != cases[i].denominator)
            fail_msg("%s: not the fraction expected (rate %s)", cases[i].name, text);
        assert_string_equal(text, cases[i].rate);
        assert_int_equal(use.day, cases[i].used_day);
        assert_true(slice_is(use.source, cases[i].source));
    }
}

static void test_fx__converts_with_one_rounding(void **state)
{
    (void)state;
    const struct fx_use third = {.numerator = PICO_PER_UNIT, .denominator = 3 * PICO_PER_UNIT};
    const struct fx_use half = {.numerator = PICO_PER_UNIT, .denominator = 2 * PICO_PER_UNIT};
    struct money amount;
    assert_int_equal(fx_convert(&third, (struct money){300 * PICO_PER_UNIT}, &amount), STATUS_OK);
    assert_true(amount.pico ==
                100 * PICO_PER_UNIT); /* the rounded rate 0.333333333333 would give 99.9999999999 */
    assert_int_equal(fx_convert(&third, (struct money){-1000}, &amount), STATUS_OK);
    assert_true(amount.pico == -333);
    assert_int_equal(fx_convert(&half, (struct money){1}, &amount), STATUS_OK);
    assert_true(amount.pico == 0);
    assert_int_equal(fx_convert(&half, (struct money){3}, &amount), STATUS_OK);
    assert_true(amount.pico == 2);
    assert_int_equal(fx_convert(&half, (struct money){INT128_MIN}, &amount), STATUS_OK);
    assert_true(amount.pico == INT128_MIN / 2);
    const struct fx_use large = {.numerator = 3, .denominator = 1};
    assert_int_equal(fx_convert(&large, (struct money){INT128_MAX / 2}, &amount), STATUS_RANGE);
}

static void test_fx__empty_table(void **state)
{
    (void)state;
    const struct snapshot empty = {0};
    struct fx_use use;
    assert_int_equal(snapshot_fx(&empty, (struct currency)EUR, (struct currency)USD, 0, &use),
                     STATUS_NOT_FOUND);
    assert_int_equal(snapshot_fx(&empty, (struct currency)EUR, (struct currency)EUR, 0, &use),
                     STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fx__path_and_day),
        cmocka_unit_test(test_fx__converts_with_one_rounding),
        cmocka_unit_test(test_fx__empty_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
