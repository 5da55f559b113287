#include "base/money.h"

#include <assert.h>
#include <stdlib.h>

enum status money_round(struct money amount, struct currency currency, enum rounding mode,
                        struct money *ret)
{
    int128 step = decimal_power(MONEY_SCALE - currency_digits(currency));
    int128 minor_units, pico;
    enum status status = wide_divide(wide_from(amount.pico), step, mode, &minor_units);
    if (status == STATUS_OK)
        status = int128_multiply(minor_units, step, &pico);
    if (status == STATUS_OK)
        ret->pico = pico;
    return status;
}

enum status money_add(struct money a, struct money b, struct money *ret)
{
    return int128_add(a.pico, b.pico, &ret->pico);
}

enum status money_convert(struct money amount, int128 rate_pico, struct money *ret)
{
    assert(rate_pico >= 0);
    return wide_divide(wide_multiply(amount.pico, rate_pico), PICO_PER_UNIT, ROUND_HALF_EVEN,
                       &ret->pico);
}

size_t money_format(struct money amount, struct currency currency, char *buffer)
{
    return decimal_format(amount.pico, MONEY_SCALE, currency_digits(currency), buffer);
}

size_t money_format_exact(struct money amount, char *buffer)
{
    return decimal_format(amount.pico, MONEY_SCALE, 0, buffer);
}

size_t quantity_format(struct quantity quantity, char *buffer)
{
    return decimal_format(quantity.quanta, QUANTITY_SCALE, 0, buffer);
}

struct share {
    int128 remainder;
    size_t index;
};

/* The largest remainder first; equal ones in the order of the parts. */
static int share_compare(const void *left, const void *right)
{
    const struct share *a = left, *b = right;
    if (a->remainder != b->remainder)
        return a->remainder > b->remainder ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static enum status weights_sum(const int128 *weights, size_t count, int128 *ret)
{
    int128 sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert(weights[i] >= 0);
        if (int128_add(sum, weights[i], &sum) != STATUS_OK)
            return STATUS_RANGE;
    }
    *ret = sum;
    return STATUS_OK;
}

enum status allocate(int128 total, int128 step, const int128 *weights, size_t count,
                     int128 *ret_parts)
{
    assert(count > 0 && step > 0 && total % step == 0);
    int128 units = total / step; /* negative for a credit: shares are taken of its magnitude */
    int128 weight_sum;
    if (units == INT128_MIN || weights_sum(weights, count, &weight_sum) != STATUS_OK)
        return STATUS_RANGE;
    bool equal = weight_sum == 0;
    if (equal)
        weight_sum = (int128)count;
    bool negative = units < 0;
    if (negative)
        units = -units;

    struct share *shares = calloc(count, sizeof *shares);
    if (!shares)
        return STATUS_NO_MEMORY;
    /* From here on nothing fails: a share is at most the whole, so ret_parts may be written. */
    int128 left = units;
    for (size_t i = 0; i < count; i++) {
        int128 part;
        struct int256 product = wide_multiply(units, equal ? 1 : weights[i]);
        enum status status = wide_divide_floor(product, weight_sum, &part, &shares[i].remainder);
        assert(status == STATUS_OK);
        shares[i].index = i;
        left -= part;
        ret_parts[i] = part;
    }
    assert(left >= 0 && left < (int128)count);
    if (left > 0)
        qsort(shares, count, sizeof *shares, share_compare);
    for (size_t i = 0; i < (size_t)left; i++)
        ret_parts[shares[i].index]++;
    free(shares);

    int128 check = 0;
    for (size_t i = 0; i < count; i++) {
        ret_parts[i] = (negative ? -ret_parts[i] : ret_parts[i]) * step;
        check += ret_parts[i];
    }
    assert(check == total);
    return STATUS_OK;
}
