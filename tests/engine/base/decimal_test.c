/* Decimal text, against tables and GMP. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <gmp.h>

#include "base/decimal.h"
#include "engine/base/seeded.h"

#define CASES 300000

static void test_decimal_parse__reads_what_producers_send(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int scale;
        bool comma;
        enum status status;
        bool excess;
        const char *expected; /* of the scaled integer */
    } rows[] = {
        {"24", 6, false, STATUS_OK, false, "24000000"},
        {"0.058435", 6, false, STATUS_OK, false, "58435"},
        {"13.4375", 6, false, STATUS_OK, false, "13437500"},
        {"-1.5", 6, false, STATUS_OK, false, "-1500000"},
        {"+1.5", 6, false, STATUS_OK, false, "1500000"},
        {"-0", 6, false, STATUS_OK, false, "0"},
        {"007", 0, false, STATUS_OK, false, "7"},
        {"186209476608", 6, false, STATUS_OK, false, "186209476608000000"},
        {"0.0000010", 6, false, STATUS_OK, false, "1"},
        {"0.000000000000000000000000000000000000000000000", 6, false, STATUS_OK, false, "0"},
        {"0.0000001", 6, false, STATUS_RANGE, true, NULL},
        {"1.0E10", 6, false, STATUS_OK, false, "10000000000000000"},
        {"1e3", 0, false, STATUS_OK, false, "1000"},
        {"1.5e+2", 0, false, STATUS_OK, false, "150"},
        {"15e-1", 6, false, STATUS_OK, false, "1500000"},
        {"15e-1", 0, false, STATUS_RANGE, true, NULL},
        {"0e999999999999999999999", 6, false, STATUS_OK, false, "0"},
        {"1e999999999999999999999", 6, false, STATUS_RANGE, false, NULL},
        {"1e-999999999999999999999", 6, false, STATUS_RANGE, true, NULL},
        {"1000000000000000000000000000000000000000000e-40", 6, false, STATUS_OK, false,
         "100000000"},
        {"0,058435", 6, true, STATUS_OK, false, "58435"},
        {"0,058435", 6, false, STATUS_INVALID, false, NULL},
        {"1,234.5", 6, true, STATUS_INVALID, false, NULL},
        {"1.234,5", 6, true, STATUS_INVALID, false, NULL},
        {"1.5", 6, true, STATUS_OK, false, "1500000"},
        {"170141183460469231731687303715884105727", 0, false, STATUS_OK, false,
         "170141183460469231731687303715884105727"},
        {"170141183460469231731687303715884105728", 0, false, STATUS_RANGE, false, NULL},
        {"-170141183460469231731687303715884105728", 0, false, STATUS_OK, false,
         "-170141183460469231731687303715884105728"},
        {"-170141183460469231731687303715884105729", 0, false, STATUS_RANGE, false, NULL},
        {"999999999999999999999999999999999999999999.1234567", 6, false, STATUS_RANGE, true, NULL},
        {"5", 30, false, STATUS_OK, false, "5000000000000000000000000000000"},
        {"9999999999999999999", 19, false, STATUS_OK, false,
         "99999999999999999990000000000000000000"},
        {"18446744073709551616", 0, false, STATUS_OK, false, "18446744073709551616"},
        {"", 6, false, STATUS_INVALID, false, NULL},
        {"-", 6, false, STATUS_INVALID, false, NULL},
        {"+-1", 6, false, STATUS_INVALID, false, NULL},
        {".5", 6, false, STATUS_INVALID, false, NULL},
        {"5.", 6, false, STATUS_INVALID, false, NULL},
        {"1.2.3", 6, false, STATUS_INVALID, false, NULL},
        {"1e", 6, false, STATUS_INVALID, false, NULL},
        {"1e+", 6, false, STATUS_INVALID, false, NULL},
        {"1e1.5", 6, false, STATUS_INVALID, false, NULL},
        {" 1", 6, false, STATUS_INVALID, false, NULL},
        {"1 ", 6, false, STATUS_INVALID, false, NULL},
        {"0x10", 6, false, STATUS_INVALID, false, NULL},
        {"NaN", 6, false, STATUS_INVALID, false, NULL},
        {"Infinity", 6, false, STATUS_INVALID, false, NULL},
        {"1_000", 6, false, STATUS_INVALID, false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int128 value = 12345;
        bool excess = !rows[i].excess;
        enum status status = decimal_parse(slice_string(rows[i].text), rows[i].scale, rows[i].comma,
                                           &value, &excess);
        if (status != rows[i].status || excess != rows[i].excess)
            fail_msg("\"%s\": status %d, excess %d", rows[i].text, status, excess);
        if (status == STATUS_OK) {
            char text[DECIMAL_TEXT_BYTES];
            decimal_format(value, 0, 0, text);
            assert_string_equal(text, rows[i].expected);
        } else {
            assert_true(value == 12345);
        }
    }
}

static void test_decimal_parse__reads_no_byte_past_the_slice(void **state)
{
    (void)state;
    int128 value;
    assert_int_equal(decimal_parse(slice_of("12.345e2", 4), 6, false, &value, NULL), STATUS_OK);
    assert_true(value == 12300000);
    assert_int_equal(decimal_parse(slice_of(NULL, 0), 6, false, &value, NULL), STATUS_INVALID);
    /* Every cut of a number sits in memory of exactly its size, so that a sanitizer sees more. */
    static const char whole[] = "-12345678901234567890.123456e-3";
    for (size_t length = 0; length < sizeof whole; length++) {
        char *copy = malloc(length ? length : 1);
        memcpy(copy, whole, length);
        enum status status = decimal_parse(slice_of(copy, length), 12, false, &value, NULL);
        assert_true(status == STATUS_OK || status == STATUS_INVALID);
        free(copy);
    }
}

static void test_decimal_format__cuts_zeros_down_to_the_minimum(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int scale, decimals_min;
        const char *expected;
    } rows[] = {
        {0, 12, 0, "0"},
        {0, 12, 2, "0.00"},
        {744000000, 6, 0, "744"},
        {13437500, 6, 0, "13.4375"},
        {4700000000000, 12, 0, "4.7"},
        {4700000000000, 12, 2, "4.70"},
        {4700000000001, 12, 2, "4.700000000001"},
        {-1, 6, 0, "-0.000001"},
        {-1500000, 6, 0, "-1.5"},
        {100, 0, 0, "100"},
        {1000000, 6, 6, "1.000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DECIMAL_TEXT_BYTES];
        size_t length = decimal_format(rows[i].value, rows[i].scale, rows[i].decimals_min, text);
        assert_string_equal(text, rows[i].expected);
        assert_int_equal(length, strlen(text));
    }
}

static void test_decimal_format__holds_the_extremes_at_every_scale(void **state)
{
    (void)state;
    for (int scale = 0; scale <= 38; scale++) {
        int128 extremes[] = {INT128_MIN, INT128_MAX, 0, 1, -1};
        for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
            char text[DECIMAL_TEXT_BYTES];
            size_t length = decimal_format(extremes[i], scale, scale, text);
            int128 back = 99;
            assert_int_equal(decimal_parse(slice_of(text, length), scale, false, &back, NULL),
                             STATUS_OK);
            assert_true(back == extremes[i]);
        }
    }
}

static void test_decimal__random_values_agree_with_gmp(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (unsigned i = 0; i < CASES; i++) {
        int128 value = seeded_i128(&seeded);
        int scale = (int)seeded_below(&seeded, 39);
        char text[DECIMAL_TEXT_BYTES], digits[DECIMAL_TEXT_BYTES];
        size_t length = decimal_format(value, scale, (int)seeded_below(&seeded, scale + 1u), text);
        int128 back = 0;
        enum status status = decimal_parse(slice_of(text, length), scale, false, &back, NULL);

        /* The text without its point, filled up to the scale, is the integer that GMP prints. */
        size_t point = strcspn(text, "."), decimals = point < length ? length - point - 1 : 0;
        snprintf(digits, sizeof digits, "%.*s%s", (int)point, text,
                 decimals ? text + point + 1 : "");
        mpz_t expected, actual;
        mpz_init(expected);
        uint128 magnitude = value < 0 ? -(uint128)value : (uint128)value;
        uint64_t limbs[2] = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)};
        mpz_import(expected, 2, -1, sizeof limbs[0], 0, 0, limbs);
        if (value < 0)
            mpz_neg(expected, expected);
        mpz_init_set_str(actual, digits, 10);
        for (size_t n = decimals; n < (size_t)scale; n++)
            mpz_mul_ui(actual, actual, 10);
        bool same = mpz_cmp(expected, actual) == 0;
        mpz_clears(expected, actual, NULL);
        if (!same || status != STATUS_OK || back != value)
            fail_msg("case %u, seed %llu: \"%s\" at scale %d", i, (unsigned long long)seeded.seed,
                     text, scale);
    }
}

/* A digit; many zeros make the special cases likely. */
static char random_digit(struct seeded *seeded, bool zeros)
{
    if (zeros && seeded_below(seeded, 4))
        return '0';
    return (char)('0' + seeded_below(seeded, 10));
}

/* Builds a random number text; returns its length. */
static size_t random_text(struct seeded *seeded, char *text, long *ret_exponent, size_t *decimals)
{
    size_t length = 0, whole = 1 + seeded_below(seeded, 30), fraction = seeded_below(seeded, 20);
    bool zeros = seeded_below(seeded, 3);
    if (seeded_below(seeded, 2))
        text[length++] = seeded_below(seeded, 2) ? '-' : '+';
    for (size_t i = 0; i < whole; i++)
        text[length++] = random_digit(seeded, zeros);
    if (fraction)
        text[length++] = '.';
    for (size_t i = 0; i < fraction; i++)
        text[length++] = random_digit(seeded, zeros);
    *ret_exponent = 0;
    if (seeded_below(seeded, 3) == 0) {
        *ret_exponent = (long)seeded_below(seeded, 61) - 30;
        length += (size_t)sprintf(text + length, "%c%ld", seeded_below(seeded, 2) ? 'e' : 'E',
                                  *ret_exponent);
    }
    text[length] = '\0';
    *decimals = fraction;
    return length;
}

static void test_decimal_parse__random_texts_agree_with_gmp(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    mpz_t expected, power;
    mpz_inits(expected, power, NULL);
    for (unsigned i = 0; i < CASES; i++) {
        char text[128], digits[128];
        long exponent;
        size_t decimals, length = random_text(&seeded, text, &exponent, &decimals), count = 0;
        int scale = (int)seeded_below(&seeded, 20);
        for (size_t n = text[0] == '+'; n < length && text[n] != 'e' && text[n] != 'E'; n++)
            if (text[n] != '.')
                digits[count++] = text[n];
        digits[count] = '\0';
        mpz_set_str(expected, digits, 10);
        long shift = scale + exponent - (long)decimals;
        mpz_ui_pow_ui(power, 10, (unsigned long)labs(shift));
        bool excess = shift < 0 && !mpz_divisible_p(expected, power);
        if (shift < 0)
            mpz_tdiv_q(expected, expected, power);
        else
            mpz_mul(expected, expected, power);

        int128 value = 0;
        bool actual_excess = false;
        enum status status =
            decimal_parse(slice_of(text, length), scale, false, &value, &actual_excess);
        bool good;
        if (excess) {
            good = status == STATUS_RANGE && actual_excess;
        } else if (status == STATUS_RANGE) {
            good = !actual_excess && mpz_sizeinbase(expected, 2) > 127;
        } else {
            char ours[DECIMAL_TEXT_BYTES], theirs[256];
            decimal_format(value, 0, 0, ours);
            gmp_snprintf(theirs, sizeof theirs, "%Zd", expected);
            good = status == STATUS_OK && !actual_excess && strcmp(ours, theirs) == 0;
        }
        if (!good)
            fail_msg("case %u, seed %llu: \"%s\" at scale %d gives status %d", i,
                     (unsigned long long)seeded.seed, text, scale, status);
    }
    mpz_clears(expected, power, NULL);
}

static void test_decimal_power__each_is_ten_times_the_one_before(void **state)
{
    (void)state;
    assert_true(decimal_power(0) == 1);
    for (int n = 1; n <= 38; n++)
        assert_true(decimal_power(n) / 10 == decimal_power(n - 1) && decimal_power(n) % 10 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decimal_parse__reads_what_producers_send),
        cmocka_unit_test(test_decimal_parse__reads_no_byte_past_the_slice),
        cmocka_unit_test(test_decimal_format__cuts_zeros_down_to_the_minimum),
        cmocka_unit_test(test_decimal_format__holds_the_extremes_at_every_scale),
        cmocka_unit_test(test_decimal__random_values_agree_with_gmp),
        cmocka_unit_test(test_decimal_parse__random_texts_agree_with_gmp),
        cmocka_unit_test(test_decimal_power__each_is_ten_times_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
