#include "base/decimal.h"

#include <assert.h>

#define E9  ((int128)1000000000)
#define E18 (E9 * E9)
#define E36 (E18 * E18)

static const int128 powers[] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    E9,
    E9 * 10,
    E9 * 100,
    E9 * 1000,
    E9 * 10000,
    E9 * 100000,
    E9 * 1000000,
    E9 * 10000000,
    E9 * 100000000,
    E18,
    E18 * 10,
    E18 * 100,
    E18 * 1000,
    E18 * 10000,
    E18 * 100000,
    E18 * 1000000,
    E18 * 10000000,
    E18 * 100000000,
    E18 *E9,
    E18 *E9 * 10,
    E18 *E9 * 100,
    E18 *E9 * 1000,
    E18 *E9 * 10000,
    E18 *E9 * 100000,
    E18 *E9 * 1000000,
    E18 *E9 * 10000000,
    E18 *E9 * 100000000,
    E36,
    E36 * 10,
    E36 * 100,
};

#define POWER_MAX 38
_Static_assert(sizeof powers / sizeof powers[0] == POWER_MAX + 1, "10^0 to 10^38");

int128 decimal_power(int n)
{
    assert(n >= 0 && n <= POWER_MAX);
    return powers[n];
}

#define MAGNITUDE_MAX ((uint128)1 << 127) /* of a negative value */
#define EXPONENT_MAX  1000000             /* far beyond any result; keeps sums in range */

/* The text taken apart; digits still as text. */
struct number {
    const char *whole;    /* first digit */
    const char *fraction; /* first digit after the point */
    size_t whole_count;
    size_t fraction_count;
    int64_t exponent;
    bool negative;
};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static inline const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Reads [+-]digits behind an 'e'; returns false when there are none. */
static bool scan_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    if (at == end || skip_digits(at, end) != end)
        return false;
    int64_t value = 0;
    for (; at < end; at++) {
        value = value * 10 + (*at - '0');
        if (value > EXPONENT_MAX)
            value = EXPONENT_MAX;
    }
    *exponent = negative ? -value : value;
    return true;
}

static bool scan(struct slice text, bool comma, struct number *number)
{
    const char *at = text.data, *end = text.data + text.length;
    *number = (struct number){0};
    if (at < end && (*at == '-' || *at == '+'))
        number->negative = *at++ == '-';
    number->whole = at;
    at = skip_digits(at, end);
    number->whole_count = (size_t)(at - number->whole);
    if (number->whole_count == 0)
        return false;
    if (at < end && (*at == '.' || (comma && *at == ','))) {
        number->fraction = ++at;
        at = skip_digits(at, end);
        number->fraction_count = (size_t)(at - number->fraction);
        if (number->fraction_count == 0)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E'))
        return scan_exponent(at + 1, end, &number->exponent);
    return at == end;
}

/* Any number of digits, any exponent. A digit at `place` is worth 10^place units of the result. */
static enum status assemble(const struct number *number, int scale, int128 *ret, bool *excess)
{
    int64_t place = (int64_t)number->whole_count - 1 + number->exponent + scale;
    size_t count = number->whole_count + number->fraction_count;
    uint128 limit = MAGNITUDE_MAX - !number->negative;
    uint128 magnitude = 0;
    bool fits = true;
    for (size_t i = 0; i < count; i++, place--) {
        char c =
            i < number->whole_count ? number->whole[i] : number->fraction[i - number->whole_count];
        unsigned digit = (unsigned)(c - '0');
        if (digit == 0)
            continue;
        if (place < 0) {
            *excess = true;
            return STATUS_RANGE;
        }
        if (place > POWER_MAX || (uint128)powers[place] > limit / digit ||
            (uint128)powers[place] * digit > limit - magnitude) {
            fits = false; /* read on: too many decimals is the more useful answer */
            continue;
        }
        magnitude += (uint128)powers[place] * digit;
    }
    if (!fits)
        return STATUS_RANGE;
    *ret = (int128)(number->negative ? -magnitude : magnitude);
    return STATUS_OK;
}

#define FAST_BYTES 19 /* so many decimal digits fit any uint64_t */

/* Short numbers without an exponent, which is nearly every number there is, in one pass. False: not
 * such a number, or none at all. */
static inline bool parse_fast(struct slice text, int scale, bool comma, int128 *ret)
{
    const char *at = text.data, *end = text.data + text.length;
    if (text.length == 0 || text.length > FAST_BYTES)
        return false;
    bool negative = *at == '-';
    at += negative;
    const char *whole = at;
    uint64_t mantissa = 0;
    for (; at < end && is_digit(*at); at++)
        mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    if (at == whole)
        return false;
    int missing = scale; /* zeros to append */
    if (at < end) {
        if (*at != '.' && !(comma && *at == ','))
            return false;
        const char *fraction = ++at;
        for (; at < end && is_digit(*at); at++)
            mantissa = mantissa * 10 + (uint64_t)(*at - '0');
        missing -= (int)(at - fraction);
        if (at < end || at == fraction)
            return false;
    }
    if (missing < 0 || missing >= FAST_BYTES)
        return false;
    /* Both factors are below 10^19, so the product stays below 10^38. */
    int128 value = (int128)((uint128)mantissa * (uint64_t)powers[missing]);
    *ret = negative ? -value : value;
    return true;
}

enum status decimal_parse(struct slice text, int scale, bool comma, int128 *ret, bool *ret_excess)
{
    assert(scale >= 0 && scale <= POWER_MAX);
    if (ret_excess)
        *ret_excess = false;
    if (parse_fast(text, scale, comma, ret))
        return STATUS_OK;
    struct number number;
    if (!scan(text, comma, &number))
        return STATUS_INVALID;
    bool excess = false;
    enum status status = assemble(&number, scale, ret, &excess);
    if (ret_excess)
        *ret_excess = excess;
    return status;
}

/* Writes the digits of `value` right-aligned before `end`; returns where they start. */
static char *write_digits(uint128 value, char *end)
{
    const uint64_t chunk = 10000000000000000000u; /* 10^19: one wide division per 19 digits */
    while (value > UINT64_MAX) {
        uint64_t low = (uint64_t)(value % chunk);
        value /= chunk;
        for (int i = 0; i < 19; i++, low /= 10)
            *--end = (char)('0' + low % 10);
    }
    for (uint64_t rest = (uint64_t)value; rest; rest /= 10)
        *--end = (char)('0' + rest % 10);
    return end;
}

size_t decimal_format(int128 value, int scale, int decimals_min, char *buffer)
{
    assert(scale >= 0 && scale <= POWER_MAX);
    assert(decimals_min >= 0 && decimals_min <= scale);
    char digits[48];
    char *end = digits + sizeof digits;
    char *start = write_digits(value < 0 ? -(uint128)value : (uint128)value, end);
    while (end - start <= scale) /* at least one digit before the point */
        *--start = '0';
    char *point = end - scale;
    while (end - point > decimals_min && end[-1] == '0')
        end--;

    size_t length = 0;
    if (value < 0)
        buffer[length++] = '-';
    memcpy(buffer + length, start, (size_t)(point - start));
    length += (size_t)(point - start);
    if (end > point) {
        buffer[length++] = '.';
        memcpy(buffer + length, point, (size_t)(end - point));
        length += (size_t)(end - point);
    }
    buffer[length] = '\0';
    assert(length < DECIMAL_TEXT_BYTES);
    return length;
}
