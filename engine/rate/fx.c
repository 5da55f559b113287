/* Exchange: which rate turns one currency into another, and the one multiplication and division
 * that does it. */
#include "rate/snapshot.h"

#include <assert.h>

/* Index of the first rate after (base, quote, day) in the table's order. */
static uint32_t rates_upto(const struct snapshot *snapshot, uint32_t base, uint32_t quote,
                           int32_t day)
{
    uint32_t low = 0;
    uint32_t high = snapshot->rate_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct fx_rate *rate = &snapshot->rates[middle];
        bool after;
        if (rate->base.code != base)
            after = rate->base.code > base;
        else if (rate->quote.code != quote)
            after = rate->quote.code > quote;
        else
            after = rate->day > day;
        if (after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The last rate of a pair on or before the day, or NULL. */
static const struct fx_rate *rate_of(const struct snapshot *snapshot, struct currency base,
                                     struct currency quote, int32_t day)
{
    uint32_t end = rates_upto(snapshot, base.code, quote.code, day);
    if (end == 0)
        return NULL;
    const struct fx_rate *rate = &snapshot->rates[end - 1];
    if (!currency_equal(rate->base, base) || !currency_equal(rate->quote, quote))
        return NULL;
    assert(rate->rate_pico > 0 && rate->day <= day);
    return rate;
}

static int128 greatest_divisor(int128 a, int128 b)
{
    while (b) {
        int128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static enum status use_rates(const struct fx_rate *first, const struct fx_rate *second,
                             int128 numerator, int128 denominator, struct fx_use *ret)
{
    const struct fx_rate *rate = second && second->day < first->day ? second : first;
    struct fx_use use = {.numerator = numerator,
                         .denominator = denominator,
                         .day = rate->day,
                         .source = rate->source,
                         .legs = {first, second},
                         .leg_count = second ? 2 : 1};
    if (wide_divide(wide_multiply(use.numerator, PICO_PER_UNIT), use.denominator, ROUND_HALF_EVEN,
                    &use.rate_pico) != STATUS_OK)
        return STATUS_NOT_FOUND; /* a rate beyond 10^26 is none that could be used */
    *ret = use;
    return STATUS_OK;
}

/* Over a base that quotes both. */
static enum status cross(const struct snapshot *snapshot, struct currency base,
                         struct currency from, struct currency to, int32_t day, struct fx_use *ret)
{
    const struct fx_rate *a = rate_of(snapshot, base, from, day);
    const struct fx_rate *b = rate_of(snapshot, base, to, day);
    if (!a || !b)
        return STATUS_NOT_FOUND;
    return use_rates(a, b, b->rate_pico, a->rate_pico, ret);
}

/* Over a currency that the first one is quoted in: one rate after the other, or one and the inverse
 * of the other. Never two inverses. */
static enum status chain(const struct snapshot *snapshot, struct currency over,
                         struct currency from, struct currency to, int32_t day, struct fx_use *ret)
{
    const struct fx_rate *first = rate_of(snapshot, from, over, day);
    if (!first)
        return STATUS_NOT_FOUND;
    int128 numerator = first->rate_pico, denominator = PICO_PER_UNIT;
    const struct fx_rate *second = rate_of(snapshot, over, to, day);
    int128 up = second ? second->rate_pico : PICO_PER_UNIT, down = PICO_PER_UNIT;
    if (!second) {
        second = rate_of(snapshot, to, over, day);
        if (!second)
            return STATUS_NOT_FOUND;
        down = second->rate_pico;
    }
    int128 outer = greatest_divisor(numerator, down), inner = greatest_divisor(up, denominator);
    if (int128_multiply(numerator / outer, up / inner, &numerator) != STATUS_OK ||
        int128_multiply(denominator / inner, down / outer, &denominator) != STATUS_OK)
        return STATUS_NOT_FOUND;
    /* In lowest terms, so that products with it stay small; as pico-units again where they fit. */
    int128 common = greatest_divisor(numerator, denominator);
    numerator /= common;
    denominator /= common;
    if (numerator < PICO_PER_UNIT && denominator < PICO_PER_UNIT) {
        numerator *= PICO_PER_UNIT;
        denominator *= PICO_PER_UNIT;
    }
    return use_rates(first, second, numerator, denominator, ret);
}

enum status snapshot_fx(const struct snapshot *snapshot, struct currency from, struct currency to,
                        int32_t day, struct fx_use *ret)
{
    assert(snapshot && from.code && to.code && ret);
    if (currency_equal(from, to)) {
        *ret = (struct fx_use){.numerator = PICO_PER_UNIT,
                               .denominator = PICO_PER_UNIT,
                               .rate_pico = PICO_PER_UNIT,
                               .day = day};
        return STATUS_OK;
    }
    const struct fx_rate *rate = rate_of(snapshot, from, to, day);
    if (rate)
        return use_rates(rate, NULL, rate->rate_pico, PICO_PER_UNIT, ret);
    rate = rate_of(snapshot, to, from, day);
    if (rate)
        return use_rates(rate, NULL, PICO_PER_UNIT, rate->rate_pico, ret);

    static const struct currency euro = {'E' << 16 | 'U' << 8 | 'R'};
    if (cross(snapshot, euro, from, to, day, ret) == STATUS_OK)
        return STATUS_OK;
    uint32_t i = 0;
    while (i < snapshot->rate_count) {
        struct currency base = snapshot->rates[i].base;
        if (cross(snapshot, base, from, to, day, ret) == STATUS_OK)
            return STATUS_OK;
        i = rates_upto(snapshot, base.code, UINT32_MAX, INT32_MAX);
    }
    /* The first currency's own quotes, in alphabetical order. */
    for (i = rates_upto(snapshot, from.code, 0, 0);
         i < snapshot->rate_count && currency_equal(snapshot->rates[i].base, from);) {
        struct currency over = snapshot->rates[i].quote;
        if (chain(snapshot, over, from, to, day, ret) == STATUS_OK)
            return STATUS_OK;
        i = rates_upto(snapshot, from.code, over.code, INT32_MAX);
    }
    return STATUS_NOT_FOUND;
}

enum status fx_convert(const struct fx_use *use, struct money amount, struct money *ret)
{
    assert(use && use->numerator > 0 && use->denominator > 0);
    return wide_divide(wide_multiply(amount.pico, use->numerator), use->denominator,
                       ROUND_HALF_EVEN, &ret->pico);
}

enum status fx_convert_rounded(const struct fx_use *use, struct money amount,
                               struct currency currency, enum rounding mode, struct money *ret)
{
    assert(use && use->numerator > 0 && use->denominator > 0);
    int128 step = decimal_power(MONEY_SCALE - currency_digits(currency));
    int128 divisor, steps;
    if (int128_multiply(use->denominator, step, &divisor) != STATUS_OK ||
        wide_divide(wide_multiply(amount.pico, use->numerator), divisor, mode, &steps) != STATUS_OK)
        return STATUS_RANGE;
    return int128_multiply(steps, step, &ret->pico);
}
