/* Spend: from an account's buckets of one billing period to lines of money. A pure function of
 * buckets and snapshot: what `ratel spend`, budgets, explain and the bill all call, so that they
 * cannot disagree.
 *
 * A line is one charge code (with one meter and one `times`: a card version that changes those
 * begins another line). Its amount is the sum over its buckets of F(Q) as of their card versions
 * (docs/adr/0003-exact-arithmetic.md: the tier position carries on from version to version),
 * limited by minimum and maximum, converted to the account's currency at full precision with the
 * rate of the policy date (the period's last day, or the last rate before it), and rounded once to
 * the minor unit by the card's mode. `included` units are taken off in the order of the charge's
 * rows. */
#ifndef RATEL_ACCOUNT_SPEND_H
#define RATEL_ACCOUNT_SPEND_H

#include "account/buckets.h"
#include "account/series.h"
#include "base/arena.h"
#include "rate/snapshot.h"

enum spend_limit { LIMIT_NONE = 0, LIMIT_MINIMUM, LIMIT_MAXIMUM };

/* One bucket's share of a line: the stretch (position, position + billed] of its row's tiers. */
struct spend_part {
    uint32_t plan;
    uint32_t part; /* number of the resource for a charge that counts per resource, else 0 */
    struct quantity quantity; /* in the bucket */
    struct quantity included; /* of it, taken off as included */
    struct quantity position; /* carried over from earlier card versions, after included */
    struct quantity billed;   /* what the tiers see */
    struct rate_terms terms;
    struct currency currency; /* of the plan */
    struct money amount;      /* exact to 10^-12, in that currency, before limits */
    struct money priced;      /* the same in the line's priced currency */
    bool converted;           /* from the one into the other: lines with prices in two currencies */
    struct fx_use fx;         /* when converted */
};

/* What limits hold on: the whole line, or one resource of a charge that counts per resource. */
struct spend_group {
    uint32_t part_first; /* index into the line's parts */
    uint32_t part_count;
    struct money before;    /* sum of the parts, priced currency */
    struct money after;     /* within minimum and maximum */
    enum spend_limit limit; /* which of them changed it */
};

struct spend_line {
    const struct charge *charge;     /* of the newest card version in the period */
    uint32_t plan;                   /* its plan, for the unit */
    struct quantity quantity;        /* sum of the buckets */
    struct currency priced_currency; /* of the prices; the account's where card versions of the
                                        period differ in it */
    struct money before_limits;      /* sum of the parts */
    enum spend_limit limit; /* of a line with one group; with several each group has its own */
    struct money priced;    /* after limits, priced currency */
    bool converted;
    struct fx_use fx;     /* when converted */
    struct money amount;  /* account's currency, exact to 10^-12 */
    struct money rounded; /* at the minor unit, rounded once */
    enum rounding rounding;
    bool no_rate; /* there is no FX rate: amount and rounded are 0, the line cannot be billed */
    struct spend_part *parts;
    uint32_t part_count;
    struct spend_group *groups;
    uint32_t group_count;
};

struct spend_unpriced {
    uint32_t meter; /* number, series_meter_name */
    struct quantity
        quantity; /* base units; a level meter's in unit-seconds (shown as base-hours) */
};

struct spend {
    uint32_t account;
    struct period period;
    struct instant start, end; /* of the period, in the account's zone */
    struct currency currency;
    int32_t
        policy_day; /* the period's last day: exchange rates are those of it, or the last before */
    struct spend_line *lines; /* by charge code */
    uint32_t line_count;
    struct spend_unpriced *unpriced;
    uint32_t unpriced_count;
    struct money total;     /* sum of the rounded lines */
    uint32_t no_rate_count; /* lines without an FX rate */
};

/* Errors: RANGE, with a text that names charge and account. Owner: the arena. */
MUST_USE enum status spend_compute(const struct buckets *buckets, const struct snapshot *snapshot,
                                   uint32_t account, struct period period, struct arena *arena,
                                   struct spend *ret, struct error *error);

#endif
