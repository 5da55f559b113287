/* Money: rounding, conversion, text, and parts that add up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/money.h"
#include "engine/base/seeded.h"

static struct currency currency(const char *code)
{
    struct currency result = {0};
    assert_int_equal(currency_parse(slice_string(code), &result), STATUS_OK);
    return result;
}

static struct money money(const char *text)
{
    struct money result;
    assert_int_equal(decimal_parse(slice_string(text), MONEY_SCALE, false, &result.pico, NULL),
                     STATUS_OK);
    return result;
}

static void test_money_round__goes_to_the_minor_unit_by_mode(void **state)
{
    (void)state;
    static const struct {
        const char *amount, *code;
        enum rounding mode;
        const char *expected;
    } rows[] = {
        {"4.705", "EUR", ROUND_HALF_EVEN, "4.70"},     {"4.715", "EUR", ROUND_HALF_EVEN, "4.72"},
        {"4.705", "EUR", ROUND_HALF_UP, "4.71"},       {"-4.705", "EUR", ROUND_HALF_UP, "-4.71"},
        {"-4.705", "EUR", ROUND_HALF_EVEN, "-4.70"},   {"4.700000000001", "EUR", ROUND_UP, "4.71"},
        {"4.709999999999", "EUR", ROUND_DOWN, "4.70"}, {"1.5", "JPY", ROUND_HALF_EVEN, "2"},
        {"2.5", "JPY", ROUND_HALF_EVEN, "2"},          {"1.0005", "BHD", ROUND_HALF_EVEN, "1.000"},
        {"1.00005", "CLF", ROUND_HALF_UP, "1.0001"},   {"0", "EUR", ROUND_UP, "0.00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct money result;
        char text[DECIMAL_TEXT_BYTES];
        struct currency in = currency(rows[i].code);
        assert_int_equal(money_round(money(rows[i].amount), in, rows[i].mode, &result), STATUS_OK);
        money_format(result, in, text);
        assert_string_equal(text, rows[i].expected);
    }
}

static void test_money_round__reports_overflow_and_keeps_the_result(void **state)
{
    (void)state;
    struct money kept = {7};
    assert_int_equal(money_round((struct money){INT128_MAX}, currency("JPY"), ROUND_UP, &kept),
                     STATUS_RANGE);
    assert_true(kept.pico == 7);
    assert_int_equal(money_add((struct money){INT128_MAX}, (struct money){1}, &kept), STATUS_RANGE);
    assert_int_equal(money_convert((struct money){INT128_MAX}, 2 * PICO_PER_UNIT, &kept),
                     STATUS_RANGE);
    assert_true(kept.pico == 7);
}

static void test_money_convert__rounds_half_even_to_a_pico_unit(void **state)
{
    (void)state;
    static const struct {
        const char *amount, *rate, *expected;
    } rows[] = {
        {"12.34", "101.2345", "1249.23373"},
        {"-12.34", "101.2345", "-1249.23373"},
        {"0.000000000001", "0.5", "0"},
        {"0.000000000003", "0.5", "0.000000000002"},
        {"100", "1", "100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct money result;
        char text[DECIMAL_TEXT_BYTES];
        assert_int_equal(money_convert(money(rows[i].amount), money(rows[i].rate).pico, &result),
                         STATUS_OK);
        money_format_exact(result, text);
        assert_string_equal(text, rows[i].expected);
    }
}

static void test_money_format__shows_at_least_the_currencys_digits(void **state)
{
    (void)state;
    char text[DECIMAL_TEXT_BYTES];
    money_format(money("12.3"), currency("EUR"), text);
    assert_string_equal(text, "12.30");
    money_format(money("12.345"), currency("EUR"), text);
    assert_string_equal(text, "12.345");
    money_format(money("12"), currency("JPY"), text);
    assert_string_equal(text, "12");
    assert_int_equal(money_format_exact(money("4.70"), text), 3);
    assert_string_equal(text, "4.7");
    assert_int_equal(quantity_format((struct quantity){13437500}, text), 7);
    assert_string_equal(text, "13.4375");
}

static void test_allocate__gives_the_largest_remainders_first(void **state)
{
    (void)state;
    static const struct {
        int64_t total, step, weights[4], expected[4];
        size_t count;
    } rows[] = {
        {100, 1, {1, 1, 1}, {34, 33, 33}, 3},     /* ties to the lower index */
        {-100, 1, {1, 1, 1}, {-34, -33, -33}, 3}, /* a credit is split as its charge was */
        {1000, 10, {1, 1, 1}, {340, 330, 330}, 3},
        {10, 1, {0, 0, 0}, {4, 3, 3}, 3},       /* no weights: equal parts */
        {10, 1, {0, 5, 0, 5}, {0, 5, 0, 5}, 4}, /* weight 0 never gets a remainder */
        {1, 1, {0, 0, 3, 4}, {0, 0, 0, 1}, 4},
        {7, 1, {50, 30, 20}, {4, 2, 1}, 3}, /* 3.5, 2.1, 1.4 */
        {0, 1, {1, 2}, {0, 0}, 2},
        {5, 1, {9}, {5}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int128 weights[4], parts[4];
        for (size_t n = 0; n < rows[i].count; n++)
            weights[n] = rows[i].weights[n];
        assert_int_equal(allocate(rows[i].total, rows[i].step, weights, rows[i].count, parts),
                         STATUS_OK);
        for (size_t n = 0; n < rows[i].count; n++)
            assert_int_equal((int64_t)parts[n], rows[i].expected[n]);
    }
}

/* What largest remainder promises: the parts add up, each is a multiple of the step, has the sign
 * of the total, and is less than one step away from its exact share. */
static void test_allocate__random_parts_add_up_and_stay_within_a_step(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    enum { PARTS_MAX = 40 };
    for (unsigned round = 0; round < 50000; round++) {
        size_t count = 1 + seeded_below(&seeded, PARTS_MAX);
        int128 weights[PARTS_MAX], parts[PARTS_MAX], weight_sum = 0, sum = 0;
        for (size_t i = 0; i < count; i++) {
            weights[i] = (int128)(seeded_u64(&seeded) >> seeded_below(&seeded, 64));
            weights[i] = seeded_below(&seeded, 5) ? weights[i] : 0;
            weight_sum += weights[i];
        }
        int128 step = decimal_power((int)seeded_below(&seeded, 13));
        int128 units = (int64_t)seeded_u64(&seeded) >> seeded_below(&seeded, 64);
        int128 total = units * step;
        assert_int_equal(allocate(total, step, weights, count, parts), STATUS_OK);
        bool good = true;
        for (size_t i = 0; i < count; i++) {
            sum += parts[i];
            int128 weight = weight_sum ? weights[i] : 1;
            /* How far the part is from its share, in units and times the sum of the weights. */
            int128 whole = weight_sum ? weight_sum : (int128)count;
            struct int256 apart;
            assert_int_equal(wide_subtract(wide_multiply(parts[i] / step, whole),
                                           wide_multiply(units, weight), &apart),
                             STATUS_OK);
            good = good && parts[i] % step == 0 && wide_compare(apart, wide_from(whole)) < 0 &&
                   wide_compare(apart, wide_from(-whole)) > 0 &&
                   (parts[i] == 0 || (parts[i] < 0) == (total < 0));
        }
        if (!good || sum != total)
            fail_msg("round %u, seed %llu", round, (unsigned long long)seeded.seed);
    }
}

static void test_allocate__reports_overflow(void **state)
{
    (void)state;
    int128 weights[2] = {INT128_MAX, 1}, parts[2];
    assert_int_equal(allocate(100, 1, weights, 2, parts), STATUS_RANGE);
    int128 large[2] = {INT128_MAX / 2, INT128_MAX / 2};
    assert_int_equal(allocate(INT128_MAX, 1, large, 2, parts), STATUS_OK);
    assert_true(parts[0] + parts[1] == INT128_MAX && parts[0] - parts[1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_money_round__goes_to_the_minor_unit_by_mode),
        cmocka_unit_test(test_money_round__reports_overflow_and_keeps_the_result),
        cmocka_unit_test(test_money_convert__rounds_half_even_to_a_pico_unit),
        cmocka_unit_test(test_money_format__shows_at_least_the_currencys_digits),
        cmocka_unit_test(test_allocate__gives_the_largest_remainders_first),
        cmocka_unit_test(test_allocate__random_parts_add_up_and_stay_within_a_step),
        cmocka_unit_test(test_allocate__reports_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
