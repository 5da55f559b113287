#include "rate/snapshot.h"

#include <assert.h>
#include <stdlib.h>

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (uint32_t i = 0; i < snapshot->zone_count; i++)
        zone_free(snapshot->zones[i]);
    arena_fini(&snapshot->arena);
    free(snapshot);
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
