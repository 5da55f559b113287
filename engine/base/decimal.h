/* Decimal text to scaled 128-bit integers and back, digit by digit: no float on the way.
 *
 * Scales: 6 for quantities (quanta), 12 for prices and amounts (pico-units). */
#ifndef RATEL_BASE_DECIMAL_H
#define RATEL_BASE_DECIMAL_H

#include <stddef.h>

#include "base/slice.h"
#include "base/status.h"
#include "base/wide.h"

#define DECIMAL_TEXT_BYTES 64 /* the longest text of decimal_format, with its NUL */

/* Reads [+-]digits[.digits][e[+-]digits] into an integer of 10^-scale units.
 * A comma counts as the point when `comma` is true and no point occurs (CloudStack on a comma
 * locale). Digits past `scale` are refused unless they are zeros: nothing is rounded here. Errors:
 * INVALID (no number), RANGE (does not fit, or too many decimals: then *ret_excess is set true).
 * `ret_excess` may be NULL. */
MUST_USE enum status decimal_parse(struct slice text, int scale, bool comma, int128 *ret,
                                   bool *ret_excess);

/* Writes value * 10^-scale with trailing zeros cut down to `decimals_min` places; no exponent, no
 * plus. Returns the length. Owner: caller, at least DECIMAL_TEXT_BYTES. */
size_t decimal_format(int128 value, int scale, int decimals_min, char *buffer);

/* 10^n for 0 <= n <= 38. */
int128 decimal_power(int n);

#endif
