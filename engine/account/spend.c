#include "account/spend.h"

#include <assert.h>
#include <stdlib.h>

struct gathered {
    const struct bucket *bucket;
    const struct plan *plan;
    const struct charge *charge;
    bool carried; /* by the version that is being rated */
};

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By charge code, meter, `times`, resource, card version (in order of time), row. */
static int compare_gathered(const void *left, const void *right)
{
    const struct gathered *a = left, *b = right;
    int order = slice_compare(a->charge->code, b->charge->code);
    order = order ? order : slice_compare(a->charge->meter_name, b->charge->meter_name);
    order = order ? order : slice_compare(a->charge->times_name, b->charge->times_name);
    order = order ? order : compare_numbers(a->bucket->key.part, b->bucket->key.part);
    order = order ? order : compare_numbers(a->plan->version, b->plan->version);
    order = order ? order : compare_numbers(a->plan->row, b->plan->row);
    return order ? order : compare_numbers(a->bucket->key.plan, b->bucket->key.plan);
}

static bool same_line(const struct gathered *a, const struct gathered *b)
{
    return slice_equal(a->charge->code, b->charge->code) &&
           slice_equal(a->charge->meter_name, b->charge->meter_name) &&
           slice_equal(a->charge->times_name, b->charge->times_name);
}

static enum status overflow(const struct snapshot *snapshot, const struct charge *charge,
                            uint32_t account, struct error *error)
{
    struct slice id = snapshot->accounts[account].id;
    return error_set(error, STATUS_RANGE,
                     "charge %.*s of account %.*s passes 10^26 currency units: look for a broken "
                     "quantity or price",
                     (int)charge->code.length, charge->code.data, (int)id.length, id.data);
}

/* `included` in quanta of the bucket. */
static enum status included_quanta(const struct charge *charge, const struct rate_terms *terms,
                                   int128 *ret)
{
    int128 rest; /* below one quantum, where a month is not a whole number of hours */
    return wide_divide_floor(wide_multiply(charge->included_micro, terms->unit_quanta),
                             QUANTA_PER_UNIT, ret, &rest);
}

static int128 take(int128 *left, int128 from)
{
    int128 taken = *left < from ? *left : from;
    *left -= taken;
    return taken;
}

/* Whether the version of `charge` still has the row that counted under a signature: its tier
 * position carries on, and what it took of `included` is taken. Equal signatures are how compiling
 * says so; where `carry: false` starts anew they differ. */
static bool carries_on(const struct snapshot *snapshot, const struct charge *charge,
                       uint32_t signature)
{
    for (uint32_t i = 0; i < charge->row_count; i++)
        if (snapshot->plans[charge->rows[i].plan_first].signature == signature)
            return true;
    return false;
}

/* What earlier versions counted for the row of items[at], less what of it was included: `included`
 * goes to usage in the order of versions and rows. */
static int128 position_of(const struct gathered *items, uint32_t first, uint32_t from, uint32_t at,
                          int128 included)
{
    int128 sum = 0;
    for (uint32_t i = first; i < from; i++) {
        if (!items[i].carried)
            continue;
        int128 taken = take(&included, items[i].bucket->quanta);
        if (items[i].plan->signature == items[at].plan->signature)
            sum +=
                items[i].bucket->quanta - taken; /* bounded: buckets stay below BUCKET_QUANTA_MAX,
                                                    versions of a month are few */
    }
    return sum;
}

/* What is left of the version's `included` for its own usage; marks what carries on into it. */
static int128 included_left(const struct snapshot *snapshot, struct gathered *items, uint32_t first,
                            uint32_t from, int128 included)
{
    for (uint32_t i = first; i < from; i++) {
        items[i].carried = carries_on(snapshot, items[from].charge, items[i].plan->signature);
        if (items[i].carried)
            (void)take(&included, items[i].bucket->quanta);
    }
    return included;
}

/* The buckets [from, to) of one version: position, included and amount of each. `first` is where
 * the resource's buckets begin. */
static enum status rate_segment(const struct snapshot *snapshot, struct gathered *items,
                                uint32_t first, uint32_t from, uint32_t to, struct period period,
                                struct spend_part *parts)
{
    int128 included = 0, left = 0;
    for (uint32_t i = from; i < to; i++) {
        struct spend_part *part = &parts[i];
        part->plan = items[i].bucket->key.plan;
        part->part = items[i].bucket->key.part;
        part->currency = items[i].plan->currency;
        part->quantity.quanta = items[i].bucket->quanta;
        enum status status = snapshot_terms(snapshot, part->plan, period, &part->terms);
        if (status == STATUS_OK && i == from) {
            status = included_quanta(items[i].charge, &part->terms, &included);
            left = included_left(snapshot, items, first, from, included);
        }
        if (status != STATUS_OK)
            return status;
        part->position.quanta = position_of(items, first, from, i, included);
        part->included.quanta = take(&left, part->quantity.quanta);
        part->billed.quanta = part->quantity.quanta - part->included.quanta;
        status = rate_amount(&part->terms, part->position, part->billed, &part->amount);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Into the line's currency with the rate of the period's last day. A missing rate marks the line.
 */
static enum status exchange(const struct snapshot *snapshot, const struct spend *spend,
                            struct currency from, struct money amount, struct spend_line *line,
                            struct fx_use *ret_fx, struct money *ret)
{
    if (snapshot_fx(snapshot, from, line->priced_currency, spend->policy_day, ret_fx) == STATUS_OK)
        return fx_convert(ret_fx, amount, ret);
    line->no_rate = true;
    *ret = (struct money){0};
    return STATUS_OK;
}

static enum status price_part(const struct snapshot *snapshot, const struct spend *spend,
                              struct spend_line *line, struct spend_part *part)
{
    part->priced = part->amount;
    if (currency_equal(part->currency, line->priced_currency))
        return STATUS_OK;
    enum status status =
        exchange(snapshot, spend, part->currency, part->amount, line, &part->fx, &part->priced);
    part->converted = status == STATUS_OK && !line->no_rate;
    return status;
}

/* A limit in the line's currency: as the card gives it natively, else converted. False when there
 * is none. */
static bool limit_of(const struct snapshot *snapshot, const struct spend *spend,
                     const struct money_choice *choice, struct spend_line *line, struct money *ret)
{
    struct fx_use fx; /* a part in the card's currency has the same: it is on the bill by that */
    if (choice->count == 0)
        return false;
    return money_choice_in(choice, line->priced_currency, ret) ||
           exchange(snapshot, spend, choice->currencies[0], choice->amounts[0], line, &fx, ret) ==
               STATUS_OK;
}

/* Minimum and maximum of the newest version, on what one account (or one resource) used at all. */
static void limit_group(const struct snapshot *snapshot, const struct spend *spend,
                        const struct charge *charge, int128 quanta, struct spend_line *line,
                        struct spend_group *group)
{
    struct money limit;
    group->after = group->before;
    if (quanta > 0 && limit_of(snapshot, spend, &charge->minimum, line, &limit) &&
        group->before.pico < limit.pico) {
        group->limit = LIMIT_MINIMUM;
        group->after = limit;
    } else if (limit_of(snapshot, spend, &charge->maximum, line, &limit) &&
               group->before.pico > limit.pico) {
        group->limit = LIMIT_MAXIMUM;
        group->after = limit;
    }
}

/* All buckets of one resource (or of the account, for the usual scope): segments by version, then
 * limits. */
static enum status rate_group(const struct snapshot *snapshot, const struct spend *spend,
                              struct gathered *items, uint32_t first, uint32_t end,
                              struct spend_line *line)
{
    struct spend_group *group = &line->groups[line->group_count++];
    *group = (struct spend_group){.part_first = first, .part_count = end - first};
    int128 quanta = 0;
    for (uint32_t from = first; from < end;) {
        uint32_t to = from + 1;
        while (to < end && items[to].plan->version == items[from].plan->version)
            to++;
        enum status status =
            rate_segment(snapshot, items, first, from, to, spend->period, line->parts);
        for (uint32_t i = from; i < to && status == STATUS_OK; i++) {
            status = price_part(snapshot, spend, line, &line->parts[i]);
            if (status == STATUS_OK)
                status = money_add(group->before, line->parts[i].priced, &group->before);
            quanta += line->parts[i].quantity.quanta;
        }
        if (status != STATUS_OK)
            return status;
        from = to;
    }
    limit_group(snapshot, spend, items[end - 1].charge, quanta, line, group);
    enum status status = money_add(line->before_limits, group->before, &line->before_limits);
    if (status == STATUS_OK)
        status = money_add(line->priced, group->after, &line->priced);
    line->quantity.quanta += quanta;
    return status;
}

static enum status convert(const struct snapshot *snapshot, const struct spend *spend,
                           struct spend_line *line)
{
    line->amount = line->priced;
    if (!line->no_rate && currency_equal(line->priced_currency, spend->currency))
        return money_round(line->amount, spend->currency, line->rounding, &line->rounded);
    if (line->no_rate || snapshot_fx(snapshot, line->priced_currency, spend->currency,
                                     spend->policy_day, &line->fx) != STATUS_OK) {
        line->no_rate = true;
        line->amount = line->rounded = (struct money){0};
        return STATUS_OK;
    }
    line->converted = true;
    enum status status = fx_convert(&line->fx, line->priced, &line->amount);
    if (status == STATUS_OK) /* from the exact product: rounding what was rounded could tip over */
        status = fx_convert_rounded(&line->fx, line->priced, spend->currency, line->rounding,
                                    &line->rounded);
    return status;
}

static enum status rate_line(const struct snapshot *snapshot, struct spend *spend,
                             struct gathered *items, uint32_t count, struct spend_line *line,
                             struct arena *arena)
{
    const struct gathered *newest = items;
    bool one_currency = true;
    for (uint32_t i = 0; i < count; i++) {
        one_currency =
            one_currency && currency_equal(items[i].plan->currency, items[0].plan->currency);
        if (items[i].plan->version > newest->plan->version)
            newest = &items[i];
    }
    *line = (struct spend_line){
        .charge = newest->charge,
        .plan = newest->bucket->key.plan,
        .priced_currency = one_currency ? items[0].plan->currency : spend->currency,
        .rounding = snapshot->versions[newest->plan->version].rounding,
        .parts = arena_alloc(arena, count * sizeof(struct spend_part)),
        .part_count = count,
        .groups = arena_alloc(arena, count * sizeof(struct spend_group)),
    };
    for (uint32_t first = 0; first < count;) {
        uint32_t end = first + 1;
        while (end < count && items[end].bucket->key.part == items[first].bucket->key.part)
            end++;
        enum status status = rate_group(snapshot, spend, items, first, end, line);
        if (status != STATUS_OK)
            return status;
        first = end;
    }
    if (line->group_count == 1)
        line->limit = line->groups[0].limit;
    return convert(snapshot, spend, line);
}

static uint32_t gather(const struct buckets *buckets, const struct snapshot *snapshot,
                       struct spend *spend, struct arena *arena, struct gathered **ret)
{
    uint32_t total = 0, priced = 0;
    uint32_t first = buckets_first(buckets, spend->account, spend->period);
    for (uint32_t i = first; i != INDEX_NONE; i = buckets->next[i])
        total++;
    struct gathered *items = arena_alloc(arena, (total + 1) * sizeof(*items));
    spend->unpriced = arena_alloc(arena, (total + 1) * sizeof(*spend->unpriced));
    for (uint32_t i = first; i != INDEX_NONE; i = buckets->next[i]) {
        const struct bucket *bucket = &buckets->items[i];
        if (bucket->key.plan == INDEX_NONE) {
            spend->unpriced[spend->unpriced_count++] =
                (struct spend_unpriced){bucket->key.part, {bucket->quanta}};
            continue;
        }
        const struct plan *plan = &snapshot->plans[bucket->key.plan];
        items[priced++] = (struct gathered){bucket, plan, &snapshot->charges[plan->charge], false};
    }
    *ret = items;
    return priced;
}

static int compare_unpriced(const void *left, const void *right)
{
    const struct spend_unpriced *a = left, *b = right;
    return compare_numbers(a->meter, b->meter);
}

/* ledger_recount_event marked the period. */
static enum status uncountable(const struct account *payer, uint32_t meter, struct error *error)
{
    const char *name =
        meter < METER_FIRST_OTHER ? meter_by_usage_type((int)meter)->name : "of another kind";
    return error_set(error, STATUS_RANGE,
                     "usage of account %.*s, meter %s, cannot be counted under the prices loaded: "
                     "look for a broken quantity, `times` attribute or for "
                     "more than %d charges on one usage",
                     (int)payer->id.length, payer->id.data, name, RESOLVE_PLANS_MAX);
}

enum status spend_compute(const struct buckets *buckets, const struct snapshot *snapshot,
                          uint32_t account, struct period period, struct arena *arena,
                          struct spend *ret, struct error *error)
{
    assert(account < snapshot->account_count);
    const struct account *payer = &snapshot->accounts[account];
    struct spend spend = {
        .account = account,
        .period = period,
        .start = period_start(payer->zone, period),
        .end = period_end(payer->zone, period),
        .currency = payer->currency,
    };
    struct civil last = zone_civil(payer->zone, (struct instant){spend.end.seconds - 1});
    spend.policy_day = (int32_t)civil_to_days(last.year, last.month, last.day);
    struct gathered *items;
    uint32_t count = gather(buckets, snapshot, &spend, arena, &items);
    if (count)
        qsort(items, count, sizeof(*items), compare_gathered);
    for (uint32_t i = 0; i < spend.unpriced_count; i++)
        if (spend.unpriced[i].quantity.quanta == BUCKET_QUANTA_MAX)
            return uncountable(payer, spend.unpriced[i].meter, error);
    if (spend.unpriced_count)
        qsort(spend.unpriced, spend.unpriced_count, sizeof(*spend.unpriced), compare_unpriced);
    spend.lines = arena_alloc(arena, (count + 1) * sizeof(*spend.lines));
    for (uint32_t from = 0; from < count;) {
        uint32_t to = from + 1;
        while (to < count && same_line(&items[from], &items[to]))
            to++;
        struct spend_line *line = &spend.lines[spend.line_count++];
        enum status status = rate_line(snapshot, &spend, items + from, to - from, line, arena);
        if (status == STATUS_OK)
            status = money_add(spend.total, line->rounded, &spend.total);
        if (status != STATUS_OK)
            return overflow(snapshot, items[from].charge, account, error);
        spend.no_rate_count += line->no_rate;
        from = to;
    }
    *ret = spend;
    return STATUS_OK;
}
