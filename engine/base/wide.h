/* 128- and 256-bit integers for exact arithmetic: what a product of a price (10^-12) and a quantity
 * (10^-6) needs before its one division. Overflow is reported, never wrapped. */
#ifndef RATEL_BASE_WIDE_H
#define RATEL_BASE_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef __int128 int128; /* the two typedefs of the project: C has no name for these types */
typedef unsigned __int128 uint128;

#define INT128_MAX ((int128)(((uint128)1 << 127) - 1))
#define INT128_MIN (-INT128_MAX - 1)

/* Two's complement, least significant limb first. */
struct int256 {
    uint64_t limb[4];
};

enum rounding {
    ROUND_HALF_EVEN,
    ROUND_HALF_UP /* away from zero */,
    ROUND_UP /* away from zero */,
    ROUND_DOWN
};

struct int256 wide_from(int128 value);
/* a * b, always exact: two 127-bit magnitudes fit. */
struct int256 wide_multiply(int128 a, int128 b);
/* Errors: RANGE on overflow of 256 bits; *ret untouched. */
MUST_USE enum status wide_add(struct int256 a, struct int256 b, struct int256 *ret);
MUST_USE enum status wide_subtract(struct int256 a, struct int256 b, struct int256 *ret);
/* a * b for a 256-bit a. Errors: RANGE. */
MUST_USE enum status wide_scale(struct int256 a, int128 b, struct int256 *ret);
int wide_compare(struct int256 a, struct int256 b); /* -1, 0, 1 */
bool wide_is_negative(struct int256 a);
bool wide_is_zero(struct int256 a);
/* a / divisor rounded by `mode`. divisor > 0. Errors: RANGE when the quotient leaves 128 bits. */
MUST_USE enum status wide_divide(struct int256 a, int128 divisor, enum rounding mode, int128 *ret);
/* Floor division: a = quotient * divisor + remainder, 0 <= remainder < divisor. divisor > 0.
 * Errors: RANGE when the quotient leaves 128 bits. */
MUST_USE enum status wide_divide_floor(struct int256 a, int128 divisor, int128 *ret_quotient,
                                       int128 *ret_remainder);

/* Checked 128-bit steps. Errors: RANGE; *ret untouched. */
MUST_USE static inline enum status int128_add(int128 a, int128 b, int128 *ret)
{
    int128 sum;
    if (__builtin_add_overflow(a, b, &sum))
        return STATUS_RANGE;
    *ret = sum;
    return STATUS_OK;
}

MUST_USE static inline enum status int128_subtract(int128 a, int128 b, int128 *ret)
{
    int128 difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return STATUS_RANGE;
    *ret = difference;
    return STATUS_OK;
}

MUST_USE static inline enum status int128_multiply(int128 a, int128 b, int128 *ret)
{
    int128 product;
    if (__builtin_mul_overflow(a, b, &product))
        return STATUS_RANGE;
    *ret = product;
    return STATUS_OK;
}

#endif
