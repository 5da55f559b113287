/* F(Q): tables by hand, then random cards against GMP rationals.
 *
 * RATEL_SEED and RATEL_CASES override the random part; a failure prints the two that repeat just
 * the failing case. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gmp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "rate/terms.h"

#define HOUR   ((int128)QUANTA_PER_UNIT)
#define GIB    ((int128)QUANTA_PER_UNIT << 30)
#define ONE    PICO_PER_UNIT
#define CENT   (PICO_PER_UNIT / 100)
#define MICROS 1000000

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct rate_tier flat_price[] = {{TIER_OPEN, {2 * CENT}, {0}}};
static const struct rate_tier egress[] = {
    {(int128)100 * MICROS, {0}, {0}},
    {(int128)10240 * MICROS, {9 * CENT}, {5 * ONE}},
    {TIER_OPEN, {7 * CENT}, {0}},
};
static const struct rate_tier stairs[] = {
    {(int128)10 * MICROS, {0}, {5 * ONE}},
    {(int128)20 * MICROS, {0}, {8 * ONE}},
    {TIER_OPEN, {0}, {10 * ONE}},
};

static const struct rate_terms per_unit = {MODEL_PER_UNIT, HOUR, 0, flat_price, 1};
static const struct rate_terms graduated = {MODEL_GRADUATED, GIB, 0, egress, 3};
static const struct rate_terms volume = {MODEL_VOLUME, GIB, 0, egress, 3};
static const struct rate_terms package = {MODEL_PACKAGE, HOUR, (int128)1000 * MICROS, flat_price,
                                          1};
static const struct rate_terms stairstep = {MODEL_STAIRSTEP, HOUR, 0, stairs, 3};

static void assert_money(const char *name, struct money actual, const char *expected)
{
    char text[DECIMAL_TEXT_BYTES];
    money_format_exact(actual, text);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s, expected %s", name, text, expected);
}

static void test_terms__amounts_of_each_model(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const struct rate_terms *terms;
        int128 quanta;
        const char *expected;
    } cases[] = {
        {"per unit: nothing", &per_unit, 0, "0"},
        {"per unit: an hour", &per_unit, HOUR, "0.02"},
        {"per unit: 744 hours", &per_unit, 744 * HOUR, "14.88"},
        {"per unit: a quantum", &per_unit, 1, "0.00000002"},
        {"graduated: nothing", &graduated, 0, "0"},
        {"graduated: inside the free tier", &graduated, 50 * GIB, "0"},
        {"graduated: the upper bound is inclusive", &graduated, 100 * GIB, "0"},
        {"graduated: one byte over enters the next tier", &graduated, 100 * GIB + QUANTA_PER_UNIT,
         "5.000000000084"},
        {"graduated: the end of the second tier", &graduated, 10240 * GIB, "917.6"},
        {"graduated: into the third tier", &graduated, 10241 * GIB, "917.67"},
        {"volume: nothing", &volume, 0, "0"},
        {"volume: the upper bound is inclusive", &volume, 100 * GIB, "0"},
        {"volume: the whole at the tier's price", &volume, 101 * GIB, "14.09"},
        {"volume: cheaper in the next tier", &volume, 10241 * GIB, "716.87"},
        {"package: nothing started", &package, 0, "0"},
        {"package: the first quantum starts one", &package, 1, "0.02"},
        {"package: exactly full", &package, 1000 * HOUR, "0.02"},
        {"package: a quantum more starts another", &package, 1000 * HOUR + 1, "0.04"},
        {"stairstep: nothing", &stairstep, 0, "0"},
        {"stairstep: the first step", &stairstep, 1, "5"},
        {"stairstep: the upper bound is inclusive", &stairstep, 10 * HOUR, "5"},
        {"stairstep: the second step", &stairstep, 10 * HOUR + 1, "8"},
        {"stairstep: the open step", &stairstep, 1000 * HOUR, "10"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct money amount;
        rate_terms_check(cases[i].terms);
        assert_int_equal(rate_amount(cases[i].terms, (struct quantity){0},
                                     (struct quantity){cases[i].quanta}, &amount),
                         STATUS_OK);
        assert_money(cases[i].name, amount, cases[i].expected);
    }
}

static void test_terms__position_carries_the_tier_on(void **state)
{
    (void)state;
    struct money amount;
    assert_int_equal(
        rate_amount(&graduated, (struct quantity){90 * GIB}, (struct quantity){20 * GIB}, &amount),
        STATUS_OK);
    assert_money("crosses the bound: 10 free, 10 at 0.09, flat once", amount, "5.9");
    assert_int_equal(
        rate_amount(&graduated, (struct quantity){110 * GIB}, (struct quantity){10 * GIB}, &amount),
        STATUS_OK);
    assert_money("already inside: no flat", amount, "0.9");
    assert_int_equal(
        rate_amount(&graduated, (struct quantity){100 * GIB}, (struct quantity){10 * GIB}, &amount),
        STATUS_OK);
    assert_money("from the bound itself: flat", amount, "5.9");
    assert_int_equal(rate_amount(&graduated, (struct quantity){110 * GIB},
                                 (struct quantity){-10 * GIB}, &amount),
                     STATUS_OK);
    assert_money("a correction takes the same away", amount, "-5.9");
    assert_int_equal(rate_amount(&package, (struct quantity){500 * HOUR},
                                 (struct quantity){500 * HOUR}, &amount),
                     STATUS_OK);
    assert_money("the rest of a started package is free", amount, "0");
}

static void test_terms__rounds_half_even_once(void **state)
{
    (void)state;
    static const struct rate_tier pico[] = {{TIER_OPEN, {1}, {0}}};
    const struct rate_terms terms = {MODEL_PER_UNIT, HOUR, 0, pico, 1};
    static const struct {
        int128 quanta;
        int128 expected;
    } cases[] = {{499999, 0}, {500000, 0}, {500001, 1}, {1500000, 2}, {2500000, 2}, {2500001, 3}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct money amount;
        assert_int_equal(
            rate_amount(&terms, (struct quantity){0}, (struct quantity){cases[i].quanta}, &amount),
            STATUS_OK);
        assert_true(amount.pico == cases[i].expected);
    }
}

static void test_terms__half_hour_month_cuts_the_bound_to_whole_quanta(void **state)
{
    (void)state;
    /* 743.5 hours; 1.000001 months are 743,500,743.5 quanta. */
    static const struct rate_tier tiers[] = {{1000001, {0}, {0}}, {TIER_OPEN, {0}, {ONE}}};
    const struct rate_terms terms = {MODEL_STAIRSTEP, 743500000, 0, tiers, 2};
    struct money amount;
    assert_int_equal(
        rate_amount(&terms, (struct quantity){0}, (struct quantity){743500743}, &amount),
        STATUS_OK);
    assert_money("below", amount, "0");
    assert_int_equal(
        rate_amount(&terms, (struct quantity){0}, (struct quantity){743500744}, &amount),
        STATUS_OK);
    assert_money("above", amount, "1");
    const struct rate_terms packages = {MODEL_PACKAGE, 743500000, 1000001, flat_price, 1};
    assert_int_equal(
        rate_amount(&packages, (struct quantity){0}, (struct quantity){1487001487}, &amount),
        STATUS_OK);
    assert_money("two packages are 1,487,001,487 quanta exactly", amount, "0.04");
    assert_int_equal(
        rate_amount(&packages, (struct quantity){0}, (struct quantity){1487001488}, &amount),
        STATUS_OK);
    assert_money("and one quantum more starts a third", amount, "0.06");
}

static void test_terms__overflow_is_an_error_not_a_wrap(void **state)
{
    (void)state;
    static const struct rate_tier dear[] = {{TIER_OPEN, {INT128_MAX}, {0}}};
    struct rate_terms terms = {MODEL_PER_UNIT, HOUR, 0, dear, 1};
    struct money amount = {42};
    struct int256 numerator;
    assert_int_equal(
        rate_amount(&terms, (struct quantity){0}, (struct quantity){HOUR + 1}, &amount),
        STATUS_RANGE);
    assert_true(amount.pico == 42);
    assert_int_equal(rate_amount(&terms, (struct quantity){0}, (struct quantity){HOUR}, &amount),
                     STATUS_OK);
    assert_true(amount.pico == INT128_MAX);
    assert_int_equal(
        rate_amount(&terms, (struct quantity){INT128_MAX}, (struct quantity){1}, &amount),
        STATUS_RANGE);
    assert_int_equal(rate_amount(&terms, (struct quantity){1}, (struct quantity){-2}, &amount),
                     STATUS_RANGE);
    assert_int_equal(rate_numerator(&terms, (struct quantity){-1}, &numerator), STATUS_RANGE);
    terms.model = MODEL_PACKAGE;
    terms.package_micro = 1;
    assert_int_equal(rate_numerator(&terms, (struct quantity){INT128_MAX}, &numerator),
                     STATUS_RANGE);
    /* A bound that no quantity reaches is open. */
    static const struct rate_tier far[] = {{INT128_MAX - 1, {CENT}, {0}}, {TIER_OPEN, {ONE}, {0}}};
    const struct rate_terms beyond = {MODEL_VOLUME, GIB, 0, far, 2};
    assert_int_equal(rate_amount(&beyond, (struct quantity){0}, (struct quantity){GIB}, &amount),
                     STATUS_OK);
    assert_money("far", amount, "0.01");
}

static void test_terms__steps_show_the_calculation(void **state)
{
    (void)state;
    struct rate_step steps[TIERS_MAX];
    uint32_t count = 9;
    assert_int_equal(
        rate_steps(&graduated, (struct quantity){0}, (struct quantity){0}, steps, &count),
        STATUS_OK);
    assert_int_equal(count, 0);
    assert_int_equal(
        rate_steps(&graduated, (struct quantity){0}, (struct quantity){10241 * GIB}, steps, &count),
        STATUS_OK);
    assert_int_equal(count, 3);
    assert_true(steps[0].quantity.quanta == 100 * GIB && steps[0].up_to_micro == 100 * MICROS);
    assert_money("first", steps[0].amount, "0");
    assert_true(steps[1].quantity.quanta == 10140 * GIB && steps[1].flat.pico == 5 * ONE);
    assert_money("second", steps[1].amount, "917.6");
    assert_true(steps[2].quantity.quanta == GIB && steps[2].up_to_micro == TIER_OPEN &&
                steps[2].tier == 2);
    assert_money("third", steps[2].amount, "0.07");
    assert_int_equal(
        rate_steps(&graduated, (struct quantity){200 * GIB}, (struct quantity){GIB}, steps, &count),
        STATUS_OK);
    assert_int_equal(count, 1);
    assert_true(steps[0].tier == 1 && steps[0].flat.pico == 0);
    assert_money("inside", steps[0].amount, "0.09");
    assert_int_equal(
        rate_steps(&package, (struct quantity){0}, (struct quantity){2500 * HOUR}, steps, &count),
        STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(steps[0].packages, 3);
    assert_money("packages", steps[0].amount, "0.06");
    assert_int_equal(
        rate_steps(&stairstep, (struct quantity){0}, (struct quantity){15 * HOUR}, steps, &count),
        STATUS_OK);
    assert_true(count == 1 && steps[0].tier == 1 && steps[0].flat.pico == 8 * ONE);
    assert_int_equal(
        rate_steps(&volume, (struct quantity){0}, (struct quantity){101 * GIB}, steps, &count),
        STATUS_OK);
    assert_true(count == 1 && steps[0].tier == 1 && steps[0].flat.pico == 5 * ONE);
    assert_money("volume", steps[0].amount, "14.09");
}

/* ---- Random cards against rationals ---- */

struct random {
    uint64_t state;
};

/* Source: splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t below(struct random *random, uint32_t limit)
{
    return (uint32_t)(next(random) % limit);
}

/* Of 1 to `bits` bits, every length as likely; never 0. */
static int128 positive(struct random *random, uint32_t bits)
{
    uint32_t length = 1 + below(random, bits);
    uint128 value = (uint128)next(random) << 64 | next(random);
    return (int128)((value >> (128 - length)) | (uint128)1 << (length - 1));
}

struct fixture {
    struct rate_tier tiers[TIERS_MAX];
    struct rate_terms terms;
    struct quantity position;
    struct quantity quantity;
    bool huge;     /* overflow may happen, and must then be reported */
    bool positive; /* no negative price or flat */
    uint64_t seed;
};

static int128 random_price(struct random *random, bool huge, bool allow_negative)
{
    if (below(random, 8) == 0)
        return 0;
    int128 price;
    if (huge)
        price = positive(random, 126);
    else if (below(random, 2))
        price = positive(random, 20) * decimal_power((int)below(random, 13));
    else
        price = positive(random, 50);
    return allow_negative && below(random, 8) == 0 ? -price : price;
}

/* Sizes and months as cards have them; 1487 halves are Lord Howe's 743.5 hours. */
static int128 random_unit(struct random *random, bool huge)
{
    static const int64_t factors[] = {
        1, 1, 1, 1000, 1000000000, (int64_t)1 << 10, (int64_t)1 << 30, (int64_t)1 << 40, 100, 3, 7};
    static const int32_t halves[] = {2,    2,    2,    48,   1344, 1392, 1438,
                                     1440, 1442, 1460, 1486, 1487, 1488, 1490};
    int128 unit = (int128)factors[below(random, COUNT_OF(factors))] *
                  halves[below(random, COUNT_OF(halves))] * 500000;
    if (below(random, 8) == 0)
        unit *= 3600;
    if (huge)
        unit *= positive(random, 20);
    return unit;
}

static int128 random_quanta(struct random *random, const struct fixture *f)
{
    uint32_t kind = below(random, 16);
    if (kind == 0)
        return 0;
    if (kind < 8 && f->terms.tier_count > 1) { /* at a bound, and a quantum to each side of it */
        int128 up_to = f->tiers[below(random, f->terms.tier_count - 1)].up_to_micro;
        int128 bound;
        if (int128_multiply(up_to, f->terms.unit_quanta / 500000, &bound) == STATUS_OK)
            return bound / 2 + (int128)below(random, 3) - 1;
    }
    if (kind < 10)
        return positive(random, 30);
    if (kind < 13 && f->terms.model == MODEL_PACKAGE && !f->huge)
        return f->terms.package_micro * (f->terms.unit_quanta / 500000) / 2 * positive(random, 10) +
               (int128)below(random, 3) - 1;
    if (f->huge)
        return positive(random, 126);
    /* A package of next to nothing makes astronomic amounts of ordinary quantities. */
    return positive(random, f->terms.model == MODEL_PACKAGE ? 40 : 80);
}

static void random_fixture(struct fixture *f, uint64_t seed)
{
    struct random random = {seed};
    memset(f, 0, sizeof(*f));
    f->seed = seed;
    f->huge = below(&random, 16) == 0;
    f->positive = f->huge || below(&random, 2);
    f->terms.model = (enum rate_model)below(&random, 5);
    f->terms.unit_quanta = random_unit(&random, f->huge);
    f->terms.tiers = f->tiers;
    bool single = f->terms.model == MODEL_PER_UNIT || f->terms.model == MODEL_PACKAGE;
    bool whole = below(&random, 2);
    f->terms.tier_count = single ? 1 : 1 + below(&random, below(&random, 8) ? 6 : TIERS_MAX);
    if (f->terms.model == MODEL_PACKAGE)
        f->terms.package_micro =
            whole ? positive(&random, 20) * MICROS : 2 * positive(&random, f->huge ? 100 : 40);
    int128 low = 0;
    for (uint32_t i = 0; i < f->terms.tier_count; i++) {
        /* Even, so that the half-hour month's bounds are whole quanta and the rationals agree. */
        low += whole ? positive(&random, 14) * MICROS : 2 * positive(&random, f->huge ? 110 : 36);
        f->tiers[i].up_to_micro = i + 1 == f->terms.tier_count ? TIER_OPEN : low;
        if (f->terms.model != MODEL_STAIRSTEP)
            f->tiers[i].price.pico = random_price(&random, f->huge, !f->positive);
        if (!single && below(&random, 2))
            f->tiers[i].flat.pico = random_price(&random, f->huge, !f->positive);
    }
    f->position.quanta = below(&random, 3) ? random_quanta(&random, f) : 0;
    int128 total = random_quanta(&random, f);
    f->quantity.quanta = total > f->position.quanta ? total - f->position.quanta : total;
    rate_terms_check(&f->terms);
}

static void mpz_from(mpz_t z, int128 value)
{
    uint128 magnitude = value < 0 ? -(uint128)value : (uint128)value;
    uint64_t limbs[2] = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)};
    mpz_import(z, 2, -1, sizeof(limbs[0]), 0, 0, limbs);
    if (value < 0)
        mpz_neg(z, z);
}

static void mpz_from_wide(mpz_t z, struct int256 value)
{
    mpz_import(z, 4, -1, sizeof(value.limb[0]), 0, 0, value.limb);
    if (value.limb[3] >> 63) {
        mpz_t wrap;
        mpz_init_set_ui(wrap, 1);
        mpz_mul_2exp(wrap, wrap, 256);
        mpz_sub(z, z, wrap);
        mpz_clear(wrap);
    }
}

struct oracle {
    mpq_t units; /* Q / U */
    mpq_t a, b, part;
    mpz_t z, quotient, rest;
    mpq_t before, total, amount;
};

static void mpq_from(mpq_t q, int128 numerator, int128 denominator)
{
    mpz_from(mpq_numref(q), numerator);
    mpz_from(mpq_denref(q), denominator);
    mpq_canonicalize(q);
}

/* The models as docs/reference/documents.md describes them, in units and fractions of them. */
static void oracle_amount(struct oracle *o, const struct rate_terms *terms, int128 quanta,
                          mpq_t ret)
{
    const struct rate_tier *tier = terms->tiers;
    mpq_set_ui(ret, 0, 1);
    if (quanta == 0)
        return;
    mpq_from(o->units, quanta, terms->unit_quanta);
    if (terms->model == MODEL_PACKAGE) {
        mpq_from(o->a, terms->package_micro, MICROS);
        mpq_div(o->units, o->units, o->a);
        mpz_cdiv_q(mpq_numref(o->units), mpq_numref(o->units), mpq_denref(o->units));
        mpz_set_ui(mpq_denref(o->units), 1);
    }
    if (terms->model == MODEL_GRADUATED) {
        mpq_set_ui(o->a, 0, 1);
        for (uint32_t i = 0; i < terms->tier_count && mpq_cmp(o->units, o->a) > 0; i++, tier++) {
            mpq_from(o->b, tier->up_to_micro, MICROS);
            if (tier->up_to_micro == TIER_OPEN || mpq_cmp(o->b, o->units) > 0)
                mpq_set(o->b, o->units);
            mpq_sub(o->part, o->b, o->a);
            mpq_set(o->a, o->b);
            mpq_from(o->b, tier->price.pico, 1);
            mpq_mul(o->part, o->part, o->b);
            mpq_add(ret, ret, o->part);
            mpq_from(o->b, tier->flat.pico, 1);
            mpq_add(ret, ret, o->b);
        }
        return;
    }
    for (uint32_t i = 0; i + 1 < terms->tier_count; i++, tier++) {
        mpq_from(o->b, tier->up_to_micro, MICROS);
        if (mpq_cmp(o->units, o->b) <= 0)
            break;
    }
    mpq_from(o->a, tier->price.pico, 1);
    mpq_mul(ret, o->units, o->a);
    mpq_from(o->a, tier->flat.pico, 1);
    mpq_add(ret, ret, o->a);
}

/* o->quotient = value rounded half-even */
static void oracle_round(struct oracle *o, mpq_t value)
{
    mpz_fdiv_qr(o->quotient, o->rest, mpq_numref(value), mpq_denref(value));
    mpz_mul_2exp(o->rest, o->rest, 1);
    int order = mpz_cmp(o->rest, mpq_denref(value));
    if (order > 0 || (order == 0 && mpz_odd_p(o->quotient)))
        mpz_add_ui(o->quotient, o->quotient, 1);
}

#define REQUIRE(f, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s; repeat with RATEL_SEED=%" PRIu64 " RATEL_CASES=1 (model %d)",            \
                     #condition, (f)->seed, (f)->terms.model);                                     \
    } while (0)

/* Whether U * F leaves 256 bits, or the package arithmetic 128. */
static bool numerator_overflows(struct oracle *o, const struct rate_terms *terms, int128 quanta,
                                mpq_t amount)
{
    int128 ignored;
    int128 divisor = terms->unit_quanta % MICROS
                         ? 2
                         : 1; /* units of this test are multiples of half a million */
    if (terms->model == MODEL_PACKAGE && quanta > 0 &&
        (int128_multiply(terms->package_micro, terms->unit_quanta / (MICROS / divisor), &ignored) ||
         int128_multiply(quanta, divisor, &ignored)))
        return true;
    mpz_from(o->z, terms->unit_quanta);
    mpz_mul(o->z, o->z, mpq_numref(amount));
    mpz_tdiv_q(o->z, o->z, mpq_denref(amount));
    return mpz_sizeinbase(o->z, 2) > 255;
}

static void check_numerator(struct oracle *o, const struct fixture *f, int128 quanta, mpq_t amount,
                            bool overflows)
{
    struct int256 numerator;
    enum status status = rate_numerator(&f->terms, (struct quantity){quanta}, &numerator);
    REQUIRE(f, status == (overflows ? STATUS_RANGE : STATUS_OK));
    if (overflows)
        return;
    mpz_from_wide(mpq_numref(o->a), numerator);
    mpz_from(mpq_denref(o->a), f->terms.unit_quanta);
    mpq_canonicalize(o->a);
    REQUIRE(f, mpq_equal(o->a, amount));
}

/* What a person would work out from the steps as shown is the amount: prices, quantities and flats.
 */
static void check_shown(const struct fixture *f, const struct rate_step *steps, uint32_t count)
{
    struct int256 shown;
    struct int256 total;
    struct quantity sum = {f->position.quanta + f->quantity.quanta};
    REQUIRE(f, rate_numerator(&f->terms, f->position, &shown) == STATUS_OK);
    REQUIRE(f, rate_numerator(&f->terms, sum, &total) == STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct int256 price = wide_multiply(steps[i].price.pico, steps[i].quantity.quanta);
        struct int256 flat = wide_multiply(steps[i].flat.pico, f->terms.unit_quanta);
        REQUIRE(f, wide_add(shown, price, &shown) == STATUS_OK);
        REQUIRE(f, wide_add(shown, flat, &shown) == STATUS_OK);
    }
    REQUIRE(f, wide_compare(shown, total) == 0);
}

static void check_steps(const struct fixture *f, struct money amount)
{
    struct rate_step steps[TIERS_MAX];
    uint32_t count;
    enum status status = rate_steps(&f->terms, f->position, f->quantity, steps, &count);
    if (f->huge && status == STATUS_RANGE)
        return;
    REQUIRE(f, status == STATUS_OK);
    REQUIRE(f, count <= f->terms.tier_count && (count > 0) == (f->quantity.quanta > 0));
    int128 sum = 0;
    int128 quanta = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += steps[i].amount.pico;
        quanta += steps[i].quantity.quanta;
        REQUIRE(f, steps[i].quantity.quanta > 0 && steps[i].tier < f->terms.tier_count);
        REQUIRE(f, i == 0 || steps[i].tier == steps[i - 1].tier + 1);
    }
    REQUIRE(f, sum == amount.pico && quanta == f->quantity.quanta);
    if (f->terms.model == MODEL_GRADUATED && !f->huge)
        check_shown(f, steps, count);
}

/* rate(0, a) + rate(a, b) against rate(0, a + b): each is rounded once, so one pico-unit apart at
 * most; N is exact. */
static void check_splitting(const struct fixture *f, struct money second)
{
    struct money first;
    struct money whole;
    struct int256 before;
    struct int256 after;
    struct quantity total = {f->position.quanta + f->quantity.quanta};
    REQUIRE(f, rate_amount(&f->terms, (struct quantity){0}, f->position, &first) == STATUS_OK);
    REQUIRE(f, rate_amount(&f->terms, (struct quantity){0}, total, &whole) == STATUS_OK);
    int128 gap = first.pico + second.pico - whole.pico;
    REQUIRE(f, gap >= -1 && gap <= 1);
    REQUIRE(f, rate_numerator(&f->terms, f->position, &before) == STATUS_OK);
    REQUIRE(f, rate_numerator(&f->terms, total, &after) == STATUS_OK);
    bool rises = f->terms.model == MODEL_PER_UNIT || f->terms.model == MODEL_GRADUATED ||
                 f->terms.model == MODEL_PACKAGE;
    REQUIRE(f, !f->positive || !rises || (wide_compare(before, after) <= 0 && second.pico >= 0));
}

static void check_fixture(struct oracle *o, const struct fixture *f)
{
    int128 total;
    struct money amount;
    enum status status = rate_amount(&f->terms, f->position, f->quantity, &amount);
    if (int128_add(f->position.quanta, f->quantity.quanta, &total) != STATUS_OK) {
        REQUIRE(f, f->huge && status == STATUS_RANGE);
        return;
    }
    oracle_amount(o, &f->terms, f->position.quanta, o->before);
    oracle_amount(o, &f->terms, total, o->total);
    bool before_overflows = numerator_overflows(o, &f->terms, f->position.quanta, o->before);
    bool total_overflows = numerator_overflows(o, &f->terms, total, o->total);
    check_numerator(o, f, f->position.quanta, o->before, before_overflows);
    check_numerator(o, f, total, o->total, total_overflows);
    mpq_sub(o->amount, o->total, o->before);
    oracle_round(o, o->amount);
    if (before_overflows || total_overflows || mpz_sizeinbase(o->quotient, 2) > 127) {
        REQUIRE(f, f->huge && status == STATUS_RANGE);
        return;
    }
    REQUIRE(f, status == STATUS_OK);
    mpz_from(o->z, amount.pico);
    REQUIRE(f, mpz_cmp(o->z, o->quotient) == 0);
    check_steps(f, amount);
    if (!f->huge)
        check_splitting(f, amount);
}

static uint64_t setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : fallback;
}

static void test_terms__agree_with_rationals_on_random_cards(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    uint64_t cases = setting("RATEL_CASES", 300000);
#else
    uint64_t cases = setting("RATEL_CASES", 1000000);
#endif
    uint64_t seed = setting("RATEL_SEED", 20261001);
    struct oracle o;
    struct fixture f;
    mpq_inits(o.units, o.a, o.b, o.part, o.before, o.total, o.amount, NULL);
    mpz_inits(o.z, o.quotient, o.rest, NULL);
    for (uint64_t i = 0; i < cases; i++) {
        random_fixture(&f, seed + i);
        check_fixture(&o, &f);
    }
    mpq_clears(o.units, o.a, o.b, o.part, o.before, o.total, o.amount, NULL);
    mpz_clears(o.z, o.quotient, o.rest, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms__amounts_of_each_model),
        cmocka_unit_test(test_terms__position_carries_the_tier_on),
        cmocka_unit_test(test_terms__rounds_half_even_once),
        cmocka_unit_test(test_terms__half_hour_month_cuts_the_bound_to_whole_quanta),
        cmocka_unit_test(test_terms__overflow_is_an_error_not_a_wrap),
        cmocka_unit_test(test_terms__steps_show_the_calculation),
        cmocka_unit_test(test_terms__agree_with_rationals_on_random_cards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
