#include "rate/snapshot.h"

#include <assert.h>
#include <stdlib.h>

#define SECONDS_PER_DAY 86400

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (uint32_t i = 0; i < snapshot->zone_count; i++)
        zone_free(snapshot->zones[i]);
    arena_fini(&snapshot->arena);
    free(snapshot);
}

uint32_t snapshot_payer(const struct snapshot *snapshot, struct slice id)
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

uint32_t snapshot_account(const struct snapshot *snapshot, struct slice id)
{
    uint32_t low = 0;
    uint32_t high = snapshot->account_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(snapshot->accounts[middle].id, id);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return INDEX_NONE;
}

uint32_t snapshot_family(const struct snapshot *snapshot, struct slice name)
{
    uint32_t low = 0;
    uint32_t high = snapshot->family_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(snapshot->families[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return INDEX_NONE;
}

/* How many versions of the family began at or before the instant. */
static uint32_t versions_begun(const struct snapshot *snapshot, const struct card_family *family,
                               struct instant at)
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

uint32_t snapshot_version_at(const struct snapshot *snapshot, uint32_t family, struct instant at)
{
    assert(family < snapshot->family_count);
    const struct card_family *f = &snapshot->families[family];
    uint32_t begun = versions_begun(snapshot, f, at);
    if (begun == 0 || at.seconds >= snapshot->versions[f->version_first + begun - 1].to.seconds)
        return INDEX_NONE;
    return f->version_first + begun - 1;
}

struct slice snapshot_attribute_name(struct slice name)
{
    static const struct {
        struct slice wire;
        struct slice canonical;
    } names[] = {
        {{"offeringid", 10}, {"offering", 8}},
        {{"zoneid", 6}, {"zone", 4}},
        {{"templateid", 10}, {"template", 8}},
        {{"virtualmachineid", 16}, {"vm", 2}},
        {{"usageid", 7}, {"resource", 8}},
        {{"networkid", 9}, {"network", 7}},
        {{"vpcid", 5}, {"vpc", 3}},
        {{"projectid", 9}, {"project", 7}},
        {{"accountid", 9}, {"account", 7}},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(name, names[i].wire))
            return names[i].canonical;
    return name;
}

/* The value of an attribute, or NULL. Attributes are sorted by name, and few. */
static const struct slice *attribute_find(const struct series_view *series, struct slice name)
{
    for (uint32_t i = 0; i < series->attribute_count; i++)
        if (slice_equal(series->attributes[i].name, name))
            return &series->attributes[i].value;
    return NULL;
}

/* Both lists are sorted by name: one walk over the two. */
static bool row_matches(const struct charge_row *row, const struct series_view *series)
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
static const struct charge_row *row_of(const struct charge *charge,
                                       const struct series_view *series)
{
    const struct charge_row *best = NULL;
    for (uint32_t i = 0; i < charge->row_count; i++) {
        const struct charge_row *row = &charge->rows[i];
        if (best && row->where_count <= best->where_count)
            continue;
        if (row_matches(row, series))
            best = row;
    }
    return best;
}

/* The plan of a row in a currency, or INDEX_NONE when no prices are given in it. */
static uint32_t plan_in(const struct snapshot *snapshot, const struct charge_row *row,
                        struct currency currency)
{
    for (uint32_t i = 0; currency.code && i < row->plan_count; i++)
        if (currency_equal(snapshot->plans[row->plan_first + i].currency, currency))
            return row->plan_first + i;
    return INDEX_NONE;
}

/* The `times` value: false when the series does not bear it as an integer >= 0. */
static bool multiplier_of(const struct charge *charge, const struct series_view *series,
                          int128 *ret)
{
    *ret = 1;
    if (!charge->times.present)
        return true;
    const struct slice *value = attribute_find(series, charge->times_name);
    return value && decimal_parse(*value, 0, false, ret, NULL) == STATUS_OK && *ret >= 0;
}

/* Position in version->charges of the first charge of a meter, or where it would stand. */
static uint32_t charges_of_meter(const struct snapshot *snapshot, const struct version *version,
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
static enum status resolve_charges(const struct snapshot *snapshot, const struct version *version,
                                   const struct series_view *series, const struct account *account,
                                   struct currency catalogue_currency,
                                   struct resolution *resolution)
{
    resolution->reason = UNPRICED_NO_PRICE;
    for (uint32_t i = charges_of_meter(snapshot, version, series->meter_name);
         i < version->charge_count; i++) {
        const struct charge *charge = &snapshot->charges[version->charges[i]];
        int128 multiplier;
        if (!slice_equal(charge->meter_name, series->meter_name))
            break;
        const struct charge_row *row = row_of(charge, series);
        if (!row)
            continue;
        if (!multiplier_of(charge, series, &multiplier)) {
            resolution->reason = UNPRICED_NO_ATTRIBUTE;
            continue;
        }
        assert(row->plan_count >= 1 && row->plan_first + row->plan_count <= snapshot->plan_count);
        uint32_t plan = plan_in(snapshot, row, account->currency);
        if (plan == INDEX_NONE)
            plan = plan_in(snapshot, row, catalogue_currency);
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

static struct instant month_start_utc(struct period period)
{
    return (struct instant){civil_to_days(period.index / 12, period.index % 12 + 1, 1) *
                            SECONDS_PER_DAY};
}

/* The billing period of the instant and its two ends. */
static void resolve_period(const struct zone *zone, struct instant at,
                           struct resolution *resolution)
{
    if (zone) {
        resolution->period = period_of(zone, at);
        resolution->from = period_start(zone, resolution->period);
        resolution->to = period_end(zone, resolution->period);
    } else {
        struct civil civil = civil_from_seconds(at.seconds);
        resolution->period.index = civil.year * 12 + civil.month - 1;
        resolution->from = month_start_utc(resolution->period);
        resolution->to = month_start_utc((struct period){resolution->period.index + 1});
    }
    assert(resolution->from.seconds <= at.seconds && at.seconds < resolution->to.seconds);
}

/* The version in force, or NULL; either way the validity ends where that changes. */
static const struct version *resolve_version(const struct snapshot *snapshot, uint32_t family,
                                             struct instant at, struct resolution *resolution)
{
    const struct card_family *f = &snapshot->families[family];
    const struct version *versions = snapshot->versions + f->version_first;
    uint32_t begun = versions_begun(snapshot, f, at);
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

enum status snapshot_resolve(const struct snapshot *snapshot, const struct series_view *series,
                             struct instant at, struct resolution *ret)
{
    assert(snapshot && series && ret);
    struct resolution resolution = {.account = snapshot_payer(snapshot, series->payer_id),
                                    .reason = UNPRICED_NO_ACCOUNT};
    const struct account *account =
        resolution.account == INDEX_NONE ? NULL : &snapshot->accounts[resolution.account];
    resolve_period(account ? account->zone : NULL, at, &resolution);
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
        version = resolve_version(snapshot, catalogue->family, at, &resolution);
    if (!version) {
        resolution.reason = UNPRICED_NO_CARD;
        *ret = resolution;
        return STATUS_OK;
    }
    enum status status =
        resolve_charges(snapshot, version, series, account, catalogue->currency, &resolution);
    if (status == STATUS_OK)
        *ret = resolution;
    return status;
}

/* Quanta of a plan's unit in a period of the card's zone. */
static enum status plan_unit_quanta(const struct snapshot *snapshot, const struct plan *plan,
                                    struct period period, int128 *ret)
{
    assert(plan->charge < snapshot->charge_count && plan->version < snapshot->version_count);
    const struct charge *charge = &snapshot->charges[plan->charge];
    const struct version *version = &snapshot->versions[plan->version];
    int128 bytes_per_base = charge->times.present ? charge->times.bytes_per_base : 1;
    return unit_quanta(&charge->unit, version->month, version->zone, period, bytes_per_base,
                       meter_seconds_scale(charge->meter), ret);
}

enum status snapshot_terms(const struct snapshot *snapshot, uint32_t plan, struct period period,
                           struct rate_terms *ret)
{
    assert(plan < snapshot->plan_count);
    const struct plan *p = &snapshot->plans[plan];
    struct rate_terms terms = {
        .model = snapshot->charges[p->charge].model,
        .package_micro = p->package_micro,
        .tiers = p->tiers,
        .tier_count = p->tier_count,
    };
    enum status status = plan_unit_quanta(snapshot, p, period, &terms.unit_quanta);
    if (status != STATUS_OK)
        return status;
    rate_terms_check(&terms);
    *ret = terms;
    return STATUS_OK;
}

size_t charge_quantity_format(const struct snapshot *snapshot, uint32_t plan, struct period period,
                              struct quantity quantity, char *buffer)
{
    static const int scales[] = {12, 6, 0};
    int128 unit;
    int128 shown;
    assert(plan < snapshot->plan_count);
    buffer[0] = '\0';
    if (plan_unit_quanta(snapshot, &snapshot->plans[plan], period, &unit) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
        struct int256 scaled = wide_multiply(quantity.quanta, decimal_power(scales[i]));
        if (wide_divide(scaled, unit, ROUND_HALF_EVEN, &shown) == STATUS_OK)
            return decimal_format(shown, scales[i], 0, buffer);
    }
    assert(!"a quantity divided by a unit of at least 10^6 quanta fits 128 bits");
    return 0;
}

const struct tax_rule *snapshot_tax(const struct snapshot *snapshot, struct slice country,
                                    struct slice tax_class, int32_t day)
{
    const struct tax_rule *found = NULL;
    for (uint32_t i = 0; i < snapshot->tax_count; i++) {
        const struct tax_rule *rule = &snapshot->taxes[i];
        if (day < rule->day_from || day >= rule->day_to)
            continue;
        if (found && rule->day_from < found->day_from)
            continue;
        if (slice_equal(rule->country, country) && slice_equal(rule->tax_class, tax_class))
            found = rule;
    }
    return found;
}

bool money_choice_in(const struct money_choice *choice, struct currency currency, struct money *ret)
{
    for (uint32_t i = 0; i < choice->count; i++)
        if (currency_equal(choice->currencies[i], currency)) {
            *ret = choice->amounts[i];
            return true;
        }
    return false;
}
