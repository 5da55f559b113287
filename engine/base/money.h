/* Money and quantities: one-field structs, so that mixing them does not compile.
 *
 * quantity: quanta = 10^-6 of the meter's base unit (CloudStack prints at most 6 decimals).
 * money:    pico-units = 10^-12 of the currency unit. Prices and amounts share the type.
 * Currency codes are three capital letters packed into a uint32_t, so they compare as integers. */
#ifndef RATEL_BASE_MONEY_H
#define RATEL_BASE_MONEY_H

#include "base/decimal.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/wide.h"

#define QUANTITY_SCALE  6
#define QUANTA_PER_UNIT 1000000
#define MONEY_SCALE     12
#define PICO_PER_UNIT   ((int128)1000000000000)

struct quantity {
    int128 quanta;
};

struct money {
    int128 pico;
};

struct currency {
    uint32_t code; /* 'E' << 16 | 'U' << 8 | 'R'; 0 is no currency */
};

/* Errors: INVALID unless three letters A-Z that ISO 4217 lists with a minor unit (own table, source
 * in currency.c; precious metals, XDR, XTS and XXX are refused). */
MUST_USE enum status currency_parse(struct slice text, struct currency *ret);
/* Writes the three letters and a NUL. */
void currency_format(struct currency currency, char buffer[4]);
/* Digits after the point of an amount in this currency: ISO 4217 minor unit (JPY 0, EUR 2, BHD 3,
 * CLF 4). */
int currency_digits(struct currency currency);

static inline bool currency_equal(struct currency a, struct currency b)
{
    return a.code == b.code;
}

/* Rounds to the currency's minor unit; the result is still in pico-units. Errors: RANGE. */
MUST_USE enum status money_round(struct money amount, struct currency currency, enum rounding mode,
                                 struct money *ret);
MUST_USE enum status money_add(struct money a, struct money b, struct money *ret);
/* amount * rate with a rate in pico-units (10^-12), rounded half-even to a pico-unit. Errors:
 * RANGE. */
MUST_USE enum status money_convert(struct money amount, int128 rate_pico, struct money *ret);

/* "12.34": at least the currency's digits, more only where the amount has them (up to 12).
 * Owner: caller, DECIMAL_TEXT_BYTES. Returns the length. */
size_t money_format(struct money amount, struct currency currency, char *buffer);
/* "4.7": up to 12 decimals, trailing zeros cut. */
size_t money_format_exact(struct money amount, char *buffer);
/* "744" or "13.4375": up to 6 decimals, trailing zeros cut. */
size_t quantity_format(struct quantity quantity, char *buffer);

/* Splits `total` into `count` parts in proportion to `weights` (each >= 0; all zero counts as
 * equal), in steps of `step` (> 0; total must be a multiple of it), so that the parts add up to the
 * total exactly: largest remainder, ties to the lower index. Source: Hamilton's method. Errors:
 * RANGE, NO_MEMORY. */
MUST_USE enum status allocate(int128 total, int128 step, const int128 *weights, size_t count,
                              int128 *ret_parts);

#endif
