#include "rate/terms.h"

#include <assert.h>

/* bound = up_to_micro * U / 10^6, with the fraction U / 10^6 = factor / divisor in lowest terms, so
 * that the usual unit (a multiple of 10^6) needs one multiplication. */
struct scale {
    int128 factor;
    int128 divisor;
};

static struct scale scale_of(const struct rate_terms *terms)
{
    int64_t a = (int64_t)(terms->unit_quanta % QUANTA_PER_UNIT);
    if (a == 0)
        return (struct scale){terms->unit_quanta / QUANTA_PER_UNIT, 1};
    int64_t b = QUANTA_PER_UNIT;
    while (a != 0) {
        int64_t rest = b % a;
        b = a;
        a = rest;
    }
    return (struct scale){terms->unit_quanta / b, QUANTA_PER_UNIT / b};
}

/* The tier's inclusive upper bound in quanta; INT128_MAX when open or out of every quantity's
 * reach. */
static int128 tier_bound(const struct rate_terms *terms, struct scale scale, uint32_t tier)
{
    int128 up_to = terms->tiers[tier].up_to_micro;
    int128 product;
    int128 remainder;
    if (up_to == TIER_OPEN)
        return INT128_MAX;
    if (int128_multiply(up_to, scale.factor, &product) == STATUS_OK)
        return scale.divisor == 1 ? product : product / scale.divisor;
    if (wide_divide_floor(wide_multiply(up_to, scale.factor), scale.divisor, &product,
                          &remainder) != STATUS_OK)
        return INT128_MAX;
    return product;
}

static uint32_t tier_landed(const struct rate_terms *terms, int128 quanta)
{
    struct scale scale = scale_of(terms);
    uint32_t tier = 0;
    while (tier + 1 < terms->tier_count && quanta > tier_bound(terms, scale, tier))
        tier++;
    return tier;
}

/* Packages started by a total. */
static enum status packages_of(const struct rate_terms *terms, int128 quanta, int128 *ret)
{
    struct scale scale = scale_of(terms);
    int128 size;
    int128 numerator;
    if (int128_multiply(terms->package_micro, scale.factor, &size) != STATUS_OK)
        return STATUS_RANGE;
    if (int128_multiply(quanta, scale.divisor, &numerator) != STATUS_OK)
        return STATUS_RANGE;
    *ret = numerator / size + (numerator % size != 0);
    return STATUS_OK;
}

void rate_terms_check(const struct rate_terms *terms)
{
    assert(terms && terms->tiers);
    assert(terms->tier_count >= 1 && terms->tier_count <= TIERS_MAX);
    assert(terms->unit_quanta >= QUANTA_PER_UNIT);
    bool single = terms->model == MODEL_PER_UNIT || terms->model == MODEL_PACKAGE;
    assert(!single || (terms->tier_count == 1 && terms->tiers[0].flat.pico == 0));
    assert(terms->model == MODEL_PACKAGE ? terms->package_micro > 0 : terms->package_micro == 0);
    int128 low = 0;
    for (uint32_t i = 0; i < terms->tier_count; i++) {
        assert(terms->tiers[i].up_to_micro > low);
        assert(terms->model != MODEL_STAIRSTEP || terms->tiers[i].price.pico == 0);
        low = terms->tiers[i].up_to_micro;
    }
    assert(low == TIER_OPEN);
}

/* *sum += a * b */
static enum status add_product(struct int256 *sum, int128 a, int128 b)
{
    return wide_add(*sum, wide_multiply(a, b), sum);
}

static enum status graduated(const struct rate_terms *terms, int128 quanta, struct int256 *ret)
{
    struct scale scale = scale_of(terms);
    struct int256 sum = wide_from(0);
    int128 low = 0;
    for (uint32_t i = 0; i < terms->tier_count && quanta > low; i++) {
        const struct rate_tier *tier = &terms->tiers[i];
        int128 bound = tier_bound(terms, scale, i);
        int128 high = quanta < bound ? quanta : bound;
        if (add_product(&sum, tier->price.pico, high - low) != STATUS_OK)
            return STATUS_RANGE;
        if (tier->flat.pico != 0 &&
            add_product(&sum, tier->flat.pico, terms->unit_quanta) != STATUS_OK)
            return STATUS_RANGE;
        low = high;
    }
    assert(low == quanta);
    *ret = sum;
    return STATUS_OK;
}

enum status rate_numerator(const struct rate_terms *terms, struct quantity quantity,
                           struct int256 *ret)
{
    assert(terms && terms->tier_count >= 1 && terms->unit_quanta >= QUANTA_PER_UNIT);
    int128 quanta = quantity.quanta;
    if (quanta < 0)
        return STATUS_RANGE;
    if (quanta == 0) {
        *ret = wide_from(0);
        return STATUS_OK;
    }
    const struct rate_tier *tier;
    struct int256 sum;
    int128 packages;
    switch (terms->model) {
    case MODEL_PER_UNIT:
        *ret = wide_multiply(terms->tiers[0].price.pico, quanta);
        return STATUS_OK;
    case MODEL_GRADUATED:
        return graduated(terms, quanta, ret);
    case MODEL_VOLUME:
        tier = &terms->tiers[tier_landed(terms, quanta)];
        sum = wide_multiply(tier->price.pico, quanta);
        if (add_product(&sum, tier->flat.pico, terms->unit_quanta) != STATUS_OK)
            return STATUS_RANGE;
        *ret = sum;
        return STATUS_OK;
    case MODEL_PACKAGE:
        if (packages_of(terms, quanta, &packages) != STATUS_OK)
            return STATUS_RANGE;
        return wide_scale(wide_multiply(terms->tiers[0].price.pico, packages), terms->unit_quanta,
                          ret);
    case MODEL_STAIRSTEP:
        tier = &terms->tiers[tier_landed(terms, quanta)];
        *ret = wide_multiply(tier->flat.pico, terms->unit_quanta);
        return STATUS_OK;
    }
    assert(!"unknown model");
    return STATUS_BUG;
}

/* (N(total) - N(position)) / U, rounded. */
static enum status difference(const struct rate_terms *terms, struct int256 position, int128 total,
                              struct money *ret)
{
    struct int256 numerator;
    if (rate_numerator(terms, (struct quantity){total}, &numerator) != STATUS_OK)
        return STATUS_RANGE;
    if (!wide_is_zero(position) && wide_subtract(numerator, position, &numerator) != STATUS_OK)
        return STATUS_RANGE;
    return wide_divide(numerator, terms->unit_quanta, ROUND_HALF_EVEN, &ret->pico);
}

enum status rate_amount(const struct rate_terms *terms, struct quantity position,
                        struct quantity quantity, struct money *ret)
{
    struct int256 before;
    int128 total;
    if (int128_add(position.quanta, quantity.quanta, &total) != STATUS_OK)
        return STATUS_RANGE;
    if (rate_numerator(terms, position, &before) != STATUS_OK)
        return STATUS_RANGE;
    return difference(terms, before, total, ret);
}

/* The stretches of a graduated card. Running totals are rounded and subtracted, so the steps add up
 * to rate_amount. */
static enum status graduated_steps(const struct rate_terms *terms, int128 position, int128 total,
                                   struct rate_step *ret_steps, uint32_t *ret_count)
{
    struct scale scale = scale_of(terms);
    struct int256 before;
    struct money reached = {0};
    uint32_t count = 0;
    int128 low = 0;
    if (rate_numerator(terms, (struct quantity){position}, &before) != STATUS_OK)
        return STATUS_RANGE;
    for (uint32_t i = 0; i < terms->tier_count && total > low; i++) {
        const struct rate_tier *tier = &terms->tiers[i];
        int128 bound = tier_bound(terms, scale, i);
        int128 high = total < bound ? total : bound;
        int128 from = low > position ? low : position;
        if (high > from) {
            struct money running;
            if (difference(terms, before, high, &running) != STATUS_OK)
                return STATUS_RANGE;
            struct rate_step step = {
                .tier = i, .up_to_micro = tier->up_to_micro, .price = tier->price};
            step.quantity.quanta = high - from;
            step.flat.pico = position <= low ? tier->flat.pico : 0;
            if (int128_subtract(running.pico, reached.pico, &step.amount.pico) != STATUS_OK)
                return STATUS_RANGE;
            reached = running;
            ret_steps[count++] = step;
        }
        low = high;
    }
    assert(count > 0 && low == total);
    *ret_count = count;
    return STATUS_OK;
}

static enum status single_step(const struct rate_terms *terms, int128 position, int128 total,
                               struct rate_step *ret)
{
    struct rate_step step = {.quantity = {total - position}};
    if (terms->model == MODEL_VOLUME || terms->model == MODEL_STAIRSTEP)
        step.tier = tier_landed(terms, total);
    const struct rate_tier *tier = &terms->tiers[step.tier];
    step.up_to_micro = tier->up_to_micro;
    step.price = tier->price;
    if (position == 0 || tier_landed(terms, position) != step.tier)
        step.flat = tier->flat;
    if (terms->model == MODEL_PACKAGE) {
        int128 before;
        int128 after;
        if (packages_of(terms, position, &before) != STATUS_OK ||
            packages_of(terms, total, &after) != STATUS_OK)
            return STATUS_RANGE;
        if (after - before > UINT64_MAX)
            return STATUS_RANGE;
        step.packages = (uint64_t)(after - before);
    }
    if (rate_amount(terms, (struct quantity){position}, step.quantity, &step.amount) != STATUS_OK)
        return STATUS_RANGE;
    *ret = step;
    return STATUS_OK;
}

enum status rate_steps(const struct rate_terms *terms, struct quantity position,
                       struct quantity quantity, struct rate_step *ret_steps, uint32_t *ret_count)
{
    rate_terms_check(terms);
    assert(ret_steps && ret_count);
    int128 total;
    if (position.quanta < 0 || quantity.quanta < 0)
        return STATUS_RANGE;
    if (int128_add(position.quanta, quantity.quanta, &total) != STATUS_OK)
        return STATUS_RANGE;
    if (quantity.quanta == 0) {
        *ret_count = 0;
        return STATUS_OK;
    }
    if (terms->model == MODEL_GRADUATED)
        return graduated_steps(terms, position.quanta, total, ret_steps, ret_count);
    if (single_step(terms, position.quanta, total, ret_steps) != STATUS_OK)
        return STATUS_RANGE;
    *ret_count = 1;
    return STATUS_OK;
}
