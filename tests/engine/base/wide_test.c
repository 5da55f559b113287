/* 256-bit arithmetic, against GMP. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <gmp.h>

#include "base/wide.h"
#include "engine/base/seeded.h"

#define CASES 300000

static void mpz_set_int128(mpz_t to, int128 value)
{
    uint128 magnitude = value < 0 ? -(uint128)value : (uint128)value;
    uint64_t limbs[2] = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)};
    mpz_import(to, 2, -1, sizeof limbs[0], 0, 0, limbs);
    if (value < 0)
        mpz_neg(to, to);
}

static void mpz_set_int256(mpz_t to, struct int256 value)
{
    mpz_import(to, 4, -1, sizeof value.limb[0], 0, 0, value.limb);
    if (value.limb[3] >> 63) {
        mpz_t wrap;
        mpz_init_set_ui(wrap, 1);
        mpz_mul_2exp(wrap, wrap, 256);
        mpz_sub(to, to, wrap);
        mpz_clear(wrap);
    }
}

/* Whether the value is in [-2^(bits-1), 2^(bits-1)). */
static bool mpz_fits(const mpz_t value, unsigned bits)
{
    mpz_t shifted;
    mpz_init(shifted);
    mpz_fdiv_q_2exp(shifted, value, bits - 1); /* 0 or -1 when it fits */
    bool fits = mpz_sgn(shifted) == 0 || mpz_cmp_si(shifted, -1) == 0;
    mpz_clear(shifted);
    return fits;
}

/* a / divisor by `mode`, in another way than the code under test: by twice the rest. */
static void mpz_round(mpz_t to, const mpz_t a, const mpz_t divisor, enum rounding mode)
{
    mpz_t magnitude, rest;
    mpz_inits(magnitude, rest, NULL);
    mpz_abs(magnitude, a);
    mpz_fdiv_qr(to, rest, magnitude, divisor);
    int some = mpz_sgn(rest);
    mpz_mul_ui(rest, rest, 2);
    int half = mpz_cmp(rest, divisor);
    bool away = false;
    if (mode == ROUND_UP)
        away = some != 0;
    else if (mode == ROUND_HALF_UP)
        away = half >= 0;
    else if (mode == ROUND_HALF_EVEN)
        away = half > 0 || (half == 0 && mpz_odd_p(to));
    if (away)
        mpz_add_ui(to, to, 1);
    if (mpz_sgn(a) < 0)
        mpz_neg(to, to);
    mpz_clears(magnitude, rest, NULL);
}

struct oracle {
    struct seeded seeded;
    unsigned number;
    mpz_t a, b, expected, actual;
};

static void fail_case(const struct oracle *oracle, const char *what)
{
    gmp_fprintf(stderr, "%s, case %u, seed %llu: a=%Zd b=%Zd expected=%Zd actual=%Zd\n", what,
                oracle->number, (unsigned long long)oracle->seeded.seed, oracle->a, oracle->b,
                oracle->expected, oracle->actual);
    fail();
}

static void check256(struct oracle *oracle, const char *what, enum status status,
                     struct int256 actual)
{
    bool fits = mpz_fits(oracle->expected, 256);
    mpz_set_int256(oracle->actual, actual);
    if ((status == STATUS_OK) != fits || (fits && mpz_cmp(oracle->actual, oracle->expected) != 0))
        fail_case(oracle, what);
}

static void check128(struct oracle *oracle, const char *what, enum status status, int128 actual)
{
    bool fits = mpz_fits(oracle->expected, 128);
    mpz_set_int128(oracle->actual, actual);
    if ((status == STATUS_OK) != fits || (fits && mpz_cmp(oracle->actual, oracle->expected) != 0))
        fail_case(oracle, what);
}

static void check_sums(struct oracle *oracle, struct int256 a, struct int256 b)
{
    struct int256 result = {{0}};
    mpz_set_int256(oracle->a, a);
    mpz_set_int256(oracle->b, b);
    mpz_add(oracle->expected, oracle->a, oracle->b);
    enum status status = wide_add(a, b, &result);
    check256(oracle, "wide_add", status, result);
    mpz_sub(oracle->expected, oracle->a, oracle->b);
    status = wide_subtract(a, b, &result);
    check256(oracle, "wide_subtract", status, result);
    int order = mpz_cmp(oracle->a, oracle->b);
    if (wide_compare(a, b) != (order > 0) - (order < 0))
        fail_case(oracle, "wide_compare");
    if (wide_is_negative(a) != (mpz_sgn(oracle->a) < 0) ||
        wide_is_zero(a) != (mpz_sgn(oracle->a) == 0))
        fail_case(oracle, "sign");
}

static void check_quotients(struct oracle *oracle, struct int256 a, int128 divisor)
{
    static const enum rounding modes[] = {ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, ROUND_DOWN};
    mpz_set_int256(oracle->a, a);
    mpz_set_int128(oracle->b, divisor);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        int128 quotient = 0;
        mpz_round(oracle->expected, oracle->a, oracle->b, modes[i]);
        enum status status = wide_divide(a, divisor, modes[i], &quotient);
        check128(oracle, "wide_divide", status, quotient);
    }
    int128 quotient = 0, remainder = 0;
    mpz_fdiv_q(oracle->expected, oracle->a, oracle->b);
    enum status status = wide_divide_floor(a, divisor, &quotient, &remainder);
    check128(oracle, "wide_divide_floor quotient", status, quotient);
    if (status == STATUS_OK) {
        mpz_fdiv_r(oracle->expected, oracle->a, oracle->b);
        check128(oracle, "wide_divide_floor remainder", status, remainder);
    }
}

static int128 random_divisor(struct seeded *seeded)
{
    int128 divisor = seeded_i128(seeded);
    if (divisor == INT128_MIN)
        divisor = INT128_MAX;
    if (divisor < 0)
        divisor = -divisor;
    return divisor ? divisor : 1;
}

static void test_wide__random_cases_agree_with_gmp(void **state)
{
    (void)state;
    struct oracle oracle = {.seeded = seeded_init()};
    mpz_inits(oracle.a, oracle.b, oracle.expected, oracle.actual, NULL);
    for (oracle.number = 0; oracle.number < CASES; oracle.number++) {
        int128 a = seeded_i128(&oracle.seeded), b = seeded_i128(&oracle.seeded);
        int128 c = seeded_i128(&oracle.seeded);
        struct int256 product = wide_multiply(a, b);
        mpz_set_int128(oracle.a, a);
        mpz_set_int128(oracle.b, b);
        mpz_mul(oracle.expected, oracle.a, oracle.b);
        check256(&oracle, "wide_multiply", STATUS_OK, product);

        struct int256 any = product;
        if (seeded_below(&oracle.seeded, 4) == 0)
            for (int i = 0; i < 4; i++)
                any.limb[i] = seeded_below(&oracle.seeded, 4) ? seeded_u64(&oracle.seeded)
                                                              : -(uint64_t)(i & 1);
        mpz_set_int256(oracle.a, any);
        mpz_set_int128(oracle.b, c);
        mpz_mul(oracle.expected, oracle.a, oracle.b);
        struct int256 scaled = {{0}};
        enum status status = wide_scale(any, c, &scaled);
        check256(&oracle, "wide_scale", status, scaled);

        check_sums(&oracle, any, wide_from(c));
        check_sums(&oracle, product, any);
        check_quotients(&oracle, any, random_divisor(&oracle.seeded));
    }
    mpz_clears(oracle.a, oracle.b, oracle.expected, oracle.actual, NULL);
}

static void test_wide__quotients_near_the_limit_agree_with_gmp(void **state)
{
    (void)state;
    struct oracle oracle = {.seeded = seeded_init()};
    mpz_inits(oracle.a, oracle.b, oracle.expected, oracle.actual, NULL);
    for (oracle.number = 0; oracle.number < CASES / 10; oracle.number++) {
        /* divisor * limit and up to a divisor more: the quotient is just inside or outside. */
        int128 divisor = random_divisor(&oracle.seeded);
        int128 limit = seeded_below(&oracle.seeded, 2) ? INT128_MAX : INT128_MIN;
        struct int256 a = wide_multiply(divisor, limit);
        if (seeded_below(&oracle.seeded, 2)) /* the limit of the unsigned steps inside */
            assert_int_equal(wide_add(a, a, &a), STATUS_OK);
        int128 extra = seeded_below(&oracle.seeded, 2) ? divisor / 2 : divisor - 1;
        extra += (int128)seeded_below(&oracle.seeded, 3) - 1;
        enum status status = seeded_below(&oracle.seeded, 2)
                                 ? wide_add(a, wide_from(extra), &a)
                                 : wide_subtract(a, wide_from(extra), &a);
        assert_int_equal(status, STATUS_OK);
        check_quotients(&oracle, a, divisor);
    }
    mpz_clears(oracle.a, oracle.b, oracle.expected, oracle.actual, NULL);
}

static void test_wide__division_rounds_halves_by_mode(void **state)
{
    (void)state;
    static const struct {
        int a, divisor, half_even, half_up, up, down;
    } rows[] = {
        {5, 2, 2, 3, 3, 2}, {7, 2, 4, 4, 4, 3},   {-5, 2, -2, -3, -3, -2}, {-7, 2, -4, -4, -4, -3},
        {1, 3, 0, 0, 1, 0}, {-1, 3, 0, 0, -1, 0}, {2, 3, 1, 1, 1, 0},      {-2, 3, -1, -1, -1, 0},
        {6, 3, 2, 2, 2, 2}, {0, 7, 0, 0, 0, 0},   {1, 2, 0, 1, 1, 0},      {-1, 2, 0, -1, -1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int expected[] = {[ROUND_HALF_EVEN] = rows[i].half_even,
                          [ROUND_HALF_UP] = rows[i].half_up,
                          [ROUND_UP] = rows[i].up,
                          [ROUND_DOWN] = rows[i].down};
        for (int mode = 0; mode < 4; mode++) {
            int128 actual;
            enum status status =
                wide_divide(wide_from(rows[i].a), rows[i].divisor, (enum rounding)mode, &actual);
            assert_int_equal(status, STATUS_OK);
            assert_int_equal((int)actual, expected[mode]);
        }
    }
}

static void test_wide__failures_leave_the_result_untouched(void **state)
{
    (void)state;
    struct int256 largest = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1}};
    struct int256 kept = wide_from(42);
    assert_int_equal(wide_add(largest, wide_from(1), &kept), STATUS_RANGE);
    assert_int_equal(wide_subtract(wide_from(-2), largest, &kept), STATUS_RANGE);
    assert_int_equal(wide_scale(largest, 2, &kept), STATUS_RANGE);
    assert_int_equal(wide_compare(kept, wide_from(42)), 0);
    int128 quotient = 7, remainder = 8;
    assert_int_equal(wide_divide(largest, 1, ROUND_DOWN, &quotient), STATUS_RANGE);
    assert_int_equal(wide_divide_floor(largest, 1, &quotient, &remainder), STATUS_RANGE);
    assert_true(quotient == 7 && remainder == 8);
}

static void test_int128__steps_report_overflow(void **state)
{
    (void)state;
    int128 kept = 5;
    assert_int_equal(int128_add(INT128_MAX, 1, &kept), STATUS_RANGE);
    assert_int_equal(int128_subtract(INT128_MIN, 1, &kept), STATUS_RANGE);
    assert_int_equal(int128_multiply(INT128_MIN, -1, &kept), STATUS_RANGE);
    assert_true(kept == 5);
    assert_int_equal(int128_add(INT128_MAX, INT128_MIN, &kept), STATUS_OK);
    assert_true(kept == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wide__random_cases_agree_with_gmp),
        cmocka_unit_test(test_wide__quotients_near_the_limit_agree_with_gmp),
        cmocka_unit_test(test_wide__division_rounds_halves_by_mode),
        cmocka_unit_test(test_wide__failures_leave_the_result_untouched),
        cmocka_unit_test(test_int128__steps_report_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
