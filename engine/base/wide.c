#include "base/wide.h"

#include <assert.h>

/* Everything here works on magnitudes (unsigned 256 bits) and puts the sign back at the end: one
 * division routine then serves every rounding mode. */

#define LIMBS 4

static inline uint128 magnitude128(int128 value)
{
    return value < 0 ? -(uint128)value : (uint128)value;
}

bool wide_is_negative(struct int256 a)
{
    return a.limb[LIMBS - 1] >> 63;
}

bool wide_is_zero(struct int256 a)
{
    return (a.limb[0] | a.limb[1] | a.limb[2] | a.limb[3]) == 0;
}

static struct int256 negate(struct int256 a)
{
    uint64_t carry = 1;
    for (int i = 0; i < LIMBS; i++) {
        uint128 sum = (uint128)~a.limb[i] + carry;
        a.limb[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    return a;
}

static struct int256 magnitude256(struct int256 a)
{
    return wide_is_negative(a) ? negate(a) : a;
}

struct int256 wide_from(int128 value)
{
    uint64_t fill = value < 0 ? UINT64_MAX : 0;
    return (struct int256){{(uint64_t)value, (uint64_t)((uint128)value >> 64), fill, fill}};
}

/* Schoolbook product of two 128-bit magnitudes. */
static struct int256 multiply128(uint128 a, uint128 b)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64);
    uint64_t b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    uint128 p00 = (uint128)a0 * b0;
    uint128 p01 = (uint128)a0 * b1;
    uint128 p10 = (uint128)a1 * b0;
    uint128 p11 = (uint128)a1 * b1;
    uint128 middle = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;
    uint128 high = p11 + (p01 >> 64) + (p10 >> 64) + (middle >> 64);
    return (struct int256){
        {(uint64_t)p00, (uint64_t)middle, (uint64_t)high, (uint64_t)(high >> 64)}};
}

struct int256 wide_multiply(int128 a, int128 b)
{
    struct int256 product = multiply128(magnitude128(a), magnitude128(b));
    return (a < 0) != (b < 0) ? negate(product) : product;
}

enum status wide_add(struct int256 a, struct int256 b, struct int256 *ret)
{
    struct int256 sum;
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        uint128 limb = (uint128)a.limb[i] + b.limb[i] + carry;
        sum.limb[i] = (uint64_t)limb;
        carry = (uint64_t)(limb >> 64);
    }
    bool negative = wide_is_negative(a);
    if (negative == wide_is_negative(b) && wide_is_negative(sum) != negative)
        return STATUS_RANGE;
    *ret = sum;
    return STATUS_OK;
}

enum status wide_subtract(struct int256 a, struct int256 b, struct int256 *ret)
{
    struct int256 difference;
    uint64_t borrow = 0;
    for (int i = 0; i < LIMBS; i++) {
        uint128 limb = (uint128)a.limb[i] - b.limb[i] - borrow;
        difference.limb[i] = (uint64_t)limb;
        borrow = (uint64_t)(limb >> 64) & 1;
    }
    bool negative = wide_is_negative(a);
    if (negative != wide_is_negative(b) && wide_is_negative(difference) != negative)
        return STATUS_RANGE;
    *ret = difference;
    return STATUS_OK;
}

enum status wide_scale(struct int256 a, int128 b, struct int256 *ret)
{
    bool negative = wide_is_negative(a) != (b < 0);
    struct int256 magnitude = magnitude256(a);
    uint128 low = (uint128)magnitude.limb[1] << 64 | magnitude.limb[0];
    uint128 high = (uint128)magnitude.limb[3] << 64 | magnitude.limb[2];
    struct int256 product = multiply128(low, magnitude128(b));
    struct int256 upper = multiply128(high, magnitude128(b)); /* counts 2^128 */
    if (upper.limb[2] | upper.limb[3])
        return STATUS_RANGE;
    uint128 top = (uint128)product.limb[3] << 64 | product.limb[2];
    uint128 sum;
    if (__builtin_add_overflow(top, (uint128)upper.limb[1] << 64 | upper.limb[0], &sum))
        return STATUS_RANGE;
    product.limb[2] = (uint64_t)sum;
    product.limb[3] = (uint64_t)(sum >> 64);
    if (wide_is_negative(product)) {
        /* The top bit is taken: only -2^255 itself still has a place. */
        bool lowest = product.limb[3] == (uint64_t)1 << 63 && product.limb[2] == 0 &&
                      product.limb[1] == 0 && product.limb[0] == 0;
        if (!negative || !lowest)
            return STATUS_RANGE;
    }
    *ret = negative ? negate(product) : product;
    return STATUS_OK;
}

int wide_compare(struct int256 a, struct int256 b)
{
    bool negative = wide_is_negative(a);
    if (negative != wide_is_negative(b))
        return negative ? -1 : 1;
    for (int i = LIMBS - 1; i >= 0; i--) {
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i] ? -1 : 1;
    }
    return 0;
}

/* One digit of a long division in base 2^64: (remainder * 2^64 + next) / divisor, with remainder <
 * divisor and the divisor's top bit set. Source: Knuth, TAOCP 4.3.1, algorithm D. */
static uint64_t divide_step(uint128 *remainder, uint64_t next, uint128 divisor)
{
    uint64_t divisor_high = (uint64_t)(divisor >> 64);
    uint64_t divisor_low = (uint64_t)divisor;
    uint64_t digit = UINT64_MAX;
    if ((uint64_t)(*remainder >> 64) < divisor_high)
        digit = (uint64_t)(*remainder / divisor_high);
    uint128 rest = *remainder - (uint128)digit * divisor_high;
    /* The guess is at most two too large. */
    while (rest >> 64 == 0 && (uint128)digit * divisor_low > (rest << 64 | next)) {
        digit--;
        rest += divisor_high;
    }
    /* The true remainder is below the divisor, so arithmetic modulo 2^128 gives it. */
    *remainder = (rest << 64 | next) - (uint128)digit * divisor_low;
    assert(*remainder < divisor);
    return digit;
}

/* magnitude / divisor. False when the quotient needs more than 128 bits. */
static bool divide_magnitude(struct int256 a, uint128 divisor, uint128 *quotient,
                             uint128 *remainder)
{
    uint128 low = (uint128)a.limb[1] << 64 | a.limb[0];
    uint128 high = (uint128)a.limb[3] << 64 | a.limb[2];
    if (high == 0) {
        *quotient = low / divisor;
        *remainder = low % divisor;
        return true;
    }
    if (high >= divisor)
        return false;
    uint64_t divisor_high = (uint64_t)(divisor >> 64);
    int shift =
        divisor_high ? __builtin_clzll(divisor_high) : 64 + __builtin_clzll((uint64_t)divisor);
    if (shift > 0) { /* high < divisor, so nothing is shifted out at the top */
        high = high << shift | low >> (128 - shift);
        low <<= shift;
    }
    uint64_t digit_high = divide_step(&high, (uint64_t)(low >> 64), divisor << shift);
    uint64_t digit_low = divide_step(&high, (uint64_t)low, divisor << shift);
    *quotient = (uint128)digit_high << 64 | digit_low;
    *remainder = high >> shift;
    return true;
}

static bool rounds_away(uint128 quotient, uint128 remainder, uint128 divisor, enum rounding mode)
{
    uint128 missing = divisor - remainder; /* compared instead of 2 * remainder, which may wrap */
    switch (mode) {
    case ROUND_HALF_EVEN:
        return remainder > missing || (remainder == missing && (quotient & 1));
    case ROUND_HALF_UP:
        return remainder >= missing;
    case ROUND_UP:
        return remainder != 0;
    case ROUND_DOWN:
        return false;
    }
    __builtin_unreachable();
}

#define MAGNITUDE_MAX ((uint128)1 << 127) /* of a negative number; a positive one has one less */

static enum status signed_quotient(uint128 quotient, bool negative, int128 *ret)
{
    if (quotient > MAGNITUDE_MAX - !negative)
        return STATUS_RANGE;
    *ret = (int128)(negative ? -quotient : quotient);
    return STATUS_OK;
}

enum status wide_divide(struct int256 a, int128 divisor, enum rounding mode, int128 *ret)
{
    assert(divisor > 0);
    assert((unsigned)mode <= ROUND_DOWN);
    uint128 quotient, remainder;
    if (!divide_magnitude(magnitude256(a), (uint128)divisor, &quotient, &remainder))
        return STATUS_RANGE;
    if (quotient > MAGNITUDE_MAX)
        return STATUS_RANGE;
    quotient += rounds_away(quotient, remainder, (uint128)divisor, mode);
    return signed_quotient(quotient, wide_is_negative(a), ret);
}

enum status wide_divide_floor(struct int256 a, int128 divisor, int128 *ret_quotient,
                              int128 *ret_remainder)
{
    assert(divisor > 0);
    uint128 quotient, remainder;
    if (!divide_magnitude(magnitude256(a), (uint128)divisor, &quotient, &remainder))
        return STATUS_RANGE;
    bool negative = wide_is_negative(a);
    if (quotient > MAGNITUDE_MAX)
        return STATUS_RANGE;
    if (negative && remainder) {
        quotient++;
        remainder = (uint128)divisor - remainder;
    }
    enum status status = signed_quotient(quotient, negative, ret_quotient);
    if (status == STATUS_OK)
        *ret_remainder = (int128)remainder;
    return status;
}
