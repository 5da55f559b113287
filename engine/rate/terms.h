/* F(Q): the amount of a total quantity under one row's terms. Pure: no I/O, no clock, no allocation, no float.
 *
 * Sources: docs/adr/0003-exact-arithmetic.md (exactness), docs/reference/documents.md (models). With Q the quantity in quanta and U the quanta of a unit, the amount of
 * `price` per unit is price * Q / U. N(Q) below is the amount times U, an exact integer in 256 bits, so that sums and differences are
 * exact and there is one division and one rounding (half-even, to 10^-12) at the end.
 *
 * With T the tiers, L the lower and B the upper bound of a tier in quanta:
 *   per_unit    N = price * Q
 *   graduated   N = sum over tiers with L < Q of price * (min(Q, B) - L) + flat * U
 *   volume      N = price * Q + flat * U       of the tier where Q lands (L < Q <= B)
 *   package     N = ceil(Q / (size * U)) * price * U
 *   stairstep   N = flat * U                   of the tier where Q lands
 * B = up_to * U in whole quanta: exact where U is a multiple of 10^6 (always, but for the one case in unit.h, where the part of a
 * quantum is cut off). A bound beyond 128 bits can never be passed and counts as open. */
#ifndef RATEL_RATE_TERMS_H
#define RATEL_RATE_TERMS_H

#include "base/money.h"
#include "base/status.h"
#include "base/wide.h"

enum rate_model { MODEL_PER_UNIT, MODEL_GRADUATED, MODEL_VOLUME, MODEL_PACKAGE, MODEL_STAIRSTEP };

#define TIER_OPEN INT128_MAX
#define TIERS_MAX 64

/* Upper bounds are inclusive, in millionths of the unit (as written, up to 6 decimals); the last is TIER_OPEN. `flat` is added once
 * when the tier is entered (graduated: for each tier entered; volume, stairstep: of the tier where the total lands). per_unit and
 * package have no flat, stairstep has no price: 0 there. */
struct rate_tier {
    int128 up_to_micro;
    struct money price; /* per unit */
    struct money flat;
};

struct rate_terms {
    enum rate_model model;
    int128 unit_quanta;            /* U >= 10^6, from unit_quanta */
    int128 package_micro;          /* MODEL_PACKAGE: units in a package, in millionths; else 0 */
    const struct rate_tier *tiers; /* per_unit and package: exactly one, open */
    uint32_t tier_count;
};

/* Asserts what compile guarantees: bounds rise, last open, counts in range, no flat or price where the model has none. */
void rate_terms_check(const struct rate_terms *terms);

/* N(Q) = U * F(Q) for 0 <= quantity. A total of 0 costs nothing, whatever the model. Errors: RANGE (also for a negative total). */
MUST_USE enum status rate_numerator(const struct rate_terms *terms, struct quantity quantity,
                                    struct int256 *ret);

/* F(position + quantity) - F(position), one division, one rounding (half-even). The quantity may be negative (a correction), the
 * position and the sum may not. Errors: RANGE. */
MUST_USE enum status rate_amount(const struct rate_terms *terms, struct quantity position,
                                 struct quantity quantity, struct money *ret);

/* One line of the calculation as it is shown to people. Step amounts add up to rate_amount exactly: each is the difference of rounded
 * running totals. Stretches of a graduated card; one step for the other models. */
struct rate_step {
    uint32_t tier;            /* index into terms->tiers */
    int128 up_to_micro;       /* TIER_OPEN when open */
    struct quantity quantity; /* that falls into this step */
    struct money price;
    struct money flat; /* 0 when not charged in this step: the tier was entered before */
    uint64_t packages; /* MODEL_PACKAGE: packages started */
    struct money amount;
};

/* Writes up to TIERS_MAX steps for the stretch (position, position + quantity], none when it is empty; quantity >= 0. For volume and
 * stairstep the one step is the tier where the sum lands; its amount is also the difference that a change of tier makes to what
 * came before. Errors: RANGE. */
MUST_USE enum status rate_steps(const struct rate_terms *terms, struct quantity position,
                                struct quantity quantity, struct rate_step *ret_steps,
                                uint32_t *ret_count);

#endif
