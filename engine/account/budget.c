#include "account/budget.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

/* Spend in a budget's currency: what the invoice would say where that is the account's; else each
 * line from the currency it is priced in, so that nothing is converted there and back. A line
 * without a rate counts as 0: a lower bound. */
static enum status spend_in(const struct snapshot *snapshot, const struct spend *spend,
                            struct currency currency, struct budget_state *state)
{
    if (currency_equal(spend->currency, currency)) {
        state->spend = spend->total;
        state->no_rate = spend->no_rate_count > 0;
        return STATUS_OK;
    }
    struct civil last = zone_civil(snapshot->accounts[spend->account].zone,
                                   (struct instant){spend->end.seconds - 1});
    int32_t day = (int32_t)civil_to_days(last.year, last.month, last.day);
    for (uint32_t i = 0; i < spend->line_count; i++) {
        struct fx_use fx;
        struct money amount;
        if (snapshot_fx(snapshot, spend->lines[i].priced_currency, currency, day, &fx) !=
            STATUS_OK) {
            state->no_rate = true;
            continue;
        }
        enum status status = fx_convert(&fx, spend->lines[i].priced, &amount);
        if (status == STATUS_OK)
            status = money_add(state->spend, amount, &state->spend);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status budget_state(const struct buckets *buckets, const struct snapshot *snapshot,
                         const struct budget *budget, struct period period, struct arena *arena,
                         struct budget_state *ret, struct error *error)
{
    assert(budget->account_index != INDEX_NONE);
    struct spend spend;
    enum status status =
        spend_compute(buckets, snapshot, budget->account_index, period, arena, &spend, error);
    if (status != STATUS_OK)
        return status;
    struct budget_state state = {.budget = budget, .period = period};
    if (spend_in(snapshot, &spend, budget->currency, &state) != STATUS_OK)
        return error_set(error, STATUS_RANGE, "spend against budget %.*s overflows",
                         (int)budget->id.length, budget->id.data);
    /* Percent = floor(100 * spend / amount): exact, so 80 % fires at the very pico-unit. */
    int128 percent = 0, rest;
    if (budget->amount.pico > 0 && state.spend.pico > 0 &&
        wide_divide_floor(wide_multiply(state.spend.pico, 100), budget->amount.pico, &percent,
                          &rest) != STATUS_OK)
        percent = UINT32_MAX;
    state.percent = percent > UINT32_MAX ? UINT32_MAX : (uint32_t)percent;
    *ret = state;
    return STATUS_OK;
}

struct slice budget_alert_id(const struct budget *budget, struct period period, uint32_t threshold,
                             struct arena *arena)
{
    char month[16];
    period_format(period, month);
    return slice_string(arena_printf(arena, "budget:%.*s:%s:%u", (int)budget->id.length,
                                     budget->id.data, month, threshold));
}

static struct slice message(const struct budget_state *state, uint32_t threshold,
                            struct arena *arena)
{
    const struct budget *budget = state->budget;
    char month[16];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert(out);
    struct json json;
    json_init(&json, out, false);
    json_object(&json);
    json_key_slice(&json, "budget", budget->id);
    json_key_slice(&json, "account", budget->account);
    period_format(state->period, month);
    json_key_string(&json, "period", month);
    json_key_integer(&json, "threshold", threshold);
    json_key_money(&json, "amount", budget->amount);
    char currency[4];
    currency_format(budget->currency, currency);
    json_key_string(&json, "currency", currency);
    json_key_amount(&json, "spend", state->spend, budget->currency);
    json_key_integer(&json, "percent", state->percent);
    json_key(&json, "emails");
    json_array(&json);
    for (uint32_t i = 0; i < budget->email_count; i++)
        json_string(&json, budget->emails[i]);
    json_array_end(&json);
    json_object_end(&json);
    fclose(out);
    struct slice copy = arena_copy(arena, slice_of(text, length));
    free(text);
    return copy;
}

void alert_batch_init(struct alert_batch *batch)
{
    *batch = (struct alert_batch){0};
    arena_init(&batch->arena);
}

void alert_batch_fini(struct alert_batch *batch)
{
    arena_fini(&batch->arena);
}

static void add(struct alert_batch *batch, struct slice id, struct slice text)
{
    if (batch->count == batch->capacity) {
        uint32_t capacity = batch->capacity ? batch->capacity * 2 : 16;
        struct alert *alerts = arena_alloc(&batch->arena, capacity * sizeof(*alerts));
        if (batch->count)
            memcpy(alerts, batch->alerts, batch->count * sizeof(*alerts));
        batch->alerts = alerts;
        batch->capacity = capacity;
    }
    batch->alerts[batch->count++] = (struct alert){id, text};
    batch->bytes += id.length + text.length;
}

static void collect(const struct budget_state *state, struct alert_sink *sink,
                    struct alert_batch *batch)
{
    for (uint32_t i = 0; i < state->budget->threshold_count; i++) {
        uint32_t threshold = state->budget->thresholds[i];
        if (state->percent < threshold)
            continue;
        struct slice id = budget_alert_id(state->budget, state->period, threshold, &batch->arena);
        if (!sink->known(sink, id))
            add(batch, id, message(state, threshold, &batch->arena));
    }
}

/* The account's first budget, or where it would stand: they are sorted by account. */
static uint32_t first_budget(const struct snapshot *snapshot, uint32_t account)
{
    uint32_t low = 0, high = snapshot->budget_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (snapshot->budgets[middle].account_index < account)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum status budget_alerts(const struct buckets *buckets, const struct snapshot *snapshot,
                          uint32_t account, struct period period, struct alert_sink *sink,
                          struct alert_batch *batch, struct error *error)
{
    assert(account < snapshot->account_count);
    for (uint32_t i = first_budget(snapshot, account);
         i < snapshot->budget_count && snapshot->budgets[i].account_index == account; i++) {
        struct budget_state state;
        struct arena scratch; /* an account's lines are of no use to the next */
        arena_init(&scratch);
        enum status status =
            budget_state(buckets, snapshot, &snapshot->budgets[i], period, &scratch, &state, error);
        if (status == STATUS_OK) /* lines without a rate count as 0; loading the rate looks again */
            collect(&state, sink, batch);
        arena_fini(&scratch);
        /* Spend that cannot be computed is told by whoever asks for it; usage must be committed all
         * the same. */
        if (status != STATUS_OK && status != STATUS_RANGE)
            return status;
    }
    return STATUS_OK;
}
