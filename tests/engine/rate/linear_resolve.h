/* Resolving as it reads in the header: one search after the other, row by row, by name. What the
 * index is measured against, in its tests and in its benchmark. C and C++. */
#ifndef RATEL_TESTS_RATE_LINEAR_RESOLVE_H
#define RATEL_TESTS_RATE_LINEAR_RESOLVE_H

#include <assert.h>

#include "rate/snapshot.h"

static inline uint32_t linear_payer(const struct snapshot *snapshot, struct slice id)
{
    uint32_t low = 0;
    uint32_t high = snapshot->payer_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(snapshot->payers[middle].id, id);
        if (order == 0) {
            assert(snapshot->payers[middle].account < snapshot->account_count);
            return snapshot->payers[middle].account;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return INDEX_NONE;
}

/* How many versions of the family began at or before the instant. */
static inline uint32_t linear_versions_begun(const struct snapshot *snapshot,
                                             const struct card_family *family, struct instant at)
{
    const struct version *versions = snapshot->versions + family->version_first;
    assert(family->version_first + family->version_count <= snapshot->version_count);
    uint32_t low = 0;
    uint32_t high = family->version_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (versions[middle].from.seconds <= at.seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The value of an attribute, or NULL. Attributes are sorted by name, and few. */
static inline const struct slice *linear_attribute_find(const struct series_view *series,
                                                        struct slice name)
{
    for (uint32_t i = 0; i < series->attribute_count; i++)
        if (slice_equal(series->attributes[i].name, name))
            return &series->attributes[i].value;
    return NULL;
}

/* Both lists are sorted by name: one walk over the two. */
static inline bool linear_row_matches(const struct charge_row *row,
                                      const struct series_view *series)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < row->where_count; i++) {
        int order = -1;
        while (at < series->attribute_count &&
               (order = slice_compare(series->attributes[at].name, row->where[i].name)) < 0)
            at++;
        if (at == series->attribute_count || order != 0)
            return false;
        if (!slice_equal(series->attributes[at].value, row->where[i].value))
            return false;
    }
    return true;
}

/* The row with the most terms that match, or NULL. */
static inline const struct charge_row *linear_row_of(const struct charge *charge,
                                                     const struct series_view *series)
{
    const struct charge_row *best = NULL;
    for (uint32_t i = 0; i < charge->row_count; i++) {
        const struct charge_row *row = &charge->rows[i];
        if (best && row->where_count <= best->where_count)
            continue;
        if (linear_row_matches(row, series))
            best = row;
    }
    return best;
}

/* The plan of a row in a currency, or INDEX_NONE when no prices are given in it. */
static inline uint32_t linear_plan_in(const struct snapshot *snapshot, const struct charge_row *row,
                                      struct currency currency)
{
    for (uint32_t i = 0; currency.code && i < row->plan_count; i++)
        if (currency_equal(snapshot->plans[row->plan_first + i].currency, currency))
            return row->plan_first + i;
    return INDEX_NONE;
}

/* The `times` value: false when the series does not bear it as an integer >= 0. */
static inline bool linear_multiplier_of(const struct charge *charge,
                                        const struct series_view *series, int128 *ret)
{
    *ret = 1;
    if (!charge->times.present)
        return true;
    const struct slice *value = linear_attribute_find(series, charge->times_name);
    return value && decimal_parse(*value, 0, false, ret, NULL) == STATUS_OK && *ret >= 0;
}

/* Position in version->charges of the first charge of a meter, or where it would stand. */
static inline uint32_t linear_charges_of_meter(const struct snapshot *snapshot,
                                               const struct version *version,
                                               struct slice meter_name)
{
    uint32_t low = 0;
    uint32_t high = version->charge_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(snapshot->charges[version->charges[middle]].meter_name, meter_name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Fills the plans of every charge of the meter that prices the series. */
static inline enum status
linear_charges(const struct snapshot *snapshot, const struct version *version,
               const struct series_view *series, const struct account *account,
               struct currency catalogue_currency, struct resolution *resolution)
{
    resolution->reason = UNPRICED_NO_PRICE;
    for (uint32_t i = linear_charges_of_meter(snapshot, version, series->meter_name);
         i < version->charge_count; i++) {
        const struct charge *charge = &snapshot->charges[version->charges[i]];
        int128 multiplier;
        if (!slice_equal(charge->meter_name, series->meter_name))
            break;
        const struct charge_row *row = linear_row_of(charge, series);
        if (!row)
            continue;
        if (!linear_multiplier_of(charge, series, &multiplier)) {
            resolution->reason = UNPRICED_NO_ATTRIBUTE;
            continue;
        }
        assert(row->plan_count >= 1 && row->plan_first + row->plan_count <= snapshot->plan_count);
        uint32_t plan = linear_plan_in(snapshot, row, account->currency);
        if (plan == INDEX_NONE)
            plan = linear_plan_in(snapshot, row, catalogue_currency);
        if (plan == INDEX_NONE)
            plan = row->plan_first;
        if (resolution->plan_count == RESOLVE_PLANS_MAX)
            return STATUS_RANGE;
        resolution->plans[resolution->plan_count] = plan;
        resolution->multipliers[resolution->plan_count] = multiplier;
        resolution->plan_count++;
    }
    if (resolution->plan_count > 0)
        resolution->reason = PRICED;
    return STATUS_OK;
}

static inline struct instant linear_month_start_utc(struct period period)
{
    return (struct instant){civil_to_days(period.index / 12, period.index % 12 + 1, 1) * 86400};
}

/* The billing period of the instant and its two ends. */
static inline void linear_period(const struct zone *zone, struct instant at,
                                 struct resolution *resolution)
{
    if (zone) {
        resolution->period = period_of(zone, at);
        resolution->from = period_start(zone, resolution->period);
        resolution->to = period_end(zone, resolution->period);
    } else {
        struct civil civil = civil_from_seconds(at.seconds);
        resolution->period.index = civil.year * 12 + civil.month - 1;
        resolution->from = linear_month_start_utc(resolution->period);
        resolution->to = linear_month_start_utc((struct period){resolution->period.index + 1});
    }
    assert(resolution->from.seconds <= at.seconds && at.seconds < resolution->to.seconds);
}

/* The version in force, or NULL; either way the validity ends where that changes. */
static inline const struct version *linear_version(const struct snapshot *snapshot, uint32_t family,
                                                   struct instant at, struct resolution *resolution)
{
    const struct card_family *f = &snapshot->families[family];
    const struct version *versions = snapshot->versions + f->version_first;
    uint32_t begun = linear_versions_begun(snapshot, f, at);
    if (begun < f->version_count)
        resolution->to = instant_min(resolution->to, versions[begun].from);
    if (begun == 0)
        return NULL;
    const struct version *version = &versions[begun - 1];
    if (at.seconds >= version->to.seconds) {
        resolution->from = instant_max(resolution->from, version->to);
        return NULL;
    }
    resolution->from = instant_max(resolution->from, version->from);
    resolution->to = instant_min(resolution->to, version->to);
    return version;
}

static inline enum status linear_resolve(const struct snapshot *snapshot,
                                         const struct series_view *series, struct instant at,
                                         struct resolution *ret)
{
    assert(snapshot && series && ret);
    struct resolution resolution;
    memset(&resolution, 0, sizeof(resolution));
    resolution.account = linear_payer(snapshot, series->payer_id);
    resolution.reason = UNPRICED_NO_ACCOUNT;
    const struct account *account =
        resolution.account == INDEX_NONE ? NULL : &snapshot->accounts[resolution.account];
    linear_period(account ? account->zone : NULL, at, &resolution);
    if (!account) {
        *ret = resolution;
        return STATUS_OK;
    }
    if (account->catalogue == INDEX_NONE) {
        resolution.reason = UNPRICED_NO_CATALOGUE;
        *ret = resolution;
        return STATUS_OK;
    }
    assert(account->catalogue < snapshot->catalogue_count);
    const struct catalogue *catalogue = &snapshot->catalogues[account->catalogue];
    const struct version *version = NULL;
    if (catalogue->family != INDEX_NONE)
        version = linear_version(snapshot, catalogue->family, at, &resolution);
    if (!version) {
        resolution.reason = UNPRICED_NO_CARD;
        *ret = resolution;
        return STATUS_OK;
    }
    enum status status =
        linear_charges(snapshot, version, series, account, catalogue->currency, &resolution);
    if (status == STATUS_OK)
        *ret = resolution;
    return status;
}

#endif
