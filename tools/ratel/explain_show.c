/* How an explanation is written: for people, so that the arithmetic adds up on the page, and as
 * JSON with the same figures. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "ratel/explain.h"
#include "ratel/spend_text.h"

static const char *const limit_names[] = {"", "minimum", "maximum"};
static const char *const rounding_names[] = {"half-even", "half-up", "up", "down"};

static const char *in_units(const struct session *session, const struct explanation *e,
                            const struct spend_part *part, int128 quanta, char *text)
{
    charge_quantity_format(session->snapshot, part->plan, e->spend->period,
                           (struct quantity){quanta}, text);
    return text;
}

/* What one unit is in the bucket's base units: "798863917056" for a GiB-month of byte-hours. */
static const char *unit_size(const struct spend_part *part, char *text)
{
    decimal_format(part->terms.unit_quanta, QUANTITY_SCALE, 0, text);
    return text;
}

static const struct charge *charge_of(const struct session *session, const struct spend_part *part)
{
    return &session->snapshot->charges[session->snapshot->plans[part->plan].charge];
}

static const struct charge_row *row_of(const struct session *session, const struct spend_part *part)
{
    return &charge_of(session, part)->rows[session->snapshot->plans[part->plan].row];
}

static const struct version *version_of(const struct session *session,
                                        const struct spend_part *part)
{
    return &session->snapshot->versions[session->snapshot->plans[part->plan].version];
}

static bool is_level(const struct explanation *e)
{
    return e->line->charge->meter && e->line->charge->meter->level;
}

/* ---- JSON
 * --------------------------------------------------------------------------------------------------------
 */

static void windows_json(struct json *json, const struct explained_series *series)
{
    json_key(json, "windows");
    json_array(json);
    for (uint32_t i = 0; i < series->window_count; i++) {
        const struct explained_window *window = &series->windows[i];
        json_object(json);
        json_key_instant(json, "start", window->start);
        json_key_instant(json, "end", window->end);
        json_key_quantity(json, "raw", window->raw);
        json_key_quantity(json, "counted", window->piece);
        json_key_integer(json, "shard", window->shard);
        json_key_integer(json, "frame", (int64_t)window->frame);
        json_key_slice(json, "file", window->file);
        json_object_end(json);
    }
    json_array_end(json);
}

static void series_json(struct json *json, const struct session *session,
                        const struct explained_series *series)
{
    struct definition definition;
    char text[DECIMAL_TEXT_BYTES];
    ledgers_series_definition(session->ledgers, series->series, &definition);
    json_object(json);
    json_key_integer(json, "series", series->series);
    json_key_slice(json, "source", definition.source);
    json_key_slice(json, "meter", definition.meter_name);
    json_key_slice(json, "payer", definition.payer_id);
    json_key_slice(json, "resource", definition_resource(&definition));
    json_key_slice(json, "name", definition.name);
    json_key(json, "attributes");
    json_object(json);
    for (uint32_t i = 0; i < definition.attribute_count; i++) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)definition.attributes[i].name.length,
                 definition.attributes[i].name.data);
        json_key_slice(json, name, definition.attributes[i].value);
    }
    json_object_end(json);
    json_key_quantity(json, "counted", series->piece);
    decimal_format(series->multiplier, 0, 0, text);
    json_key_string(json, "times", text);
    json_key_quantity(json, "quantity", series->counted);
    windows_json(json, series);
    json_object_end(json);
}

static void steps_json(struct json *json, const struct session *session,
                       const struct explanation *e, const struct explained_part *part)
{
    char text[DECIMAL_TEXT_BYTES];
    json_key(json, "steps");
    json_array(json);
    for (uint32_t i = 0; i < part->step_count; i++) {
        const struct rate_step *step = &part->steps[i];
        json_object(json);
        if (step->up_to_micro != TIER_OPEN)
            decimal_format(step->up_to_micro, QUANTITY_SCALE, 0, text);
        json_key_string(json, "up_to", step->up_to_micro == TIER_OPEN ? NULL : text);
        json_key_string(json, "quantity",
                        in_units(session, e, part->part, step->quantity.quanta, text));
        json_key_money(json, "price", step->price);
        json_key_money(json, "flat", step->flat);
        if (step->packages)
            json_key_integer(json, "packages", (int64_t)step->packages);
        json_key_money(json, "amount", step->amount);
        json_object_end(json);
    }
    json_array_end(json);
}

static void part_json(struct json *json, const struct session *session, const struct explanation *e,
                      const struct explained_part *part)
{
    char text[DECIMAL_TEXT_BYTES];
    const struct charge *charge = charge_of(session, part->part);
    const struct charge_row *row = row_of(session, part->part);
    json_object(json);
    json_key_slice(json, "card", charge->card);
    json_key_instant(json, "effective_from", charge->effective_from);
    json_key_integer(json, "revision", charge->revision);
    json_key_slice(json, "for_card", version_of(session, part->part)->card);
    json_key_slice(json, "file", charge->file);
    json_key_integer(json, "line", row->line);
    json_key_integer(json, "column", row->column);
    json_key(json, "where");
    json_object(json);
    for (uint32_t i = 0; i < row->where_count; i++) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)row->where[i].name.length,
                 row->where[i].name.data);
        json_key_slice(json, name, row->where[i].value);
    }
    json_object_end(json);
    json_key_quantity(json, "quantity_base", part->part->quantity);
    json_key_string(json, "unit_base", unit_size(part->part, text));
    json_key_string(json, "quantity",
                    in_units(session, e, part->part, part->part->quantity.quanta, text));
    json_key_string(json, "unit", charge->unit.text);
    json_key_string(json, "included",
                    in_units(session, e, part->part, part->part->included.quanta, text));
    json_key_string(json, "position",
                    in_units(session, e, part->part, part->part->position.quanta, text));
    steps_json(json, session, e, part);
    json_key_money(json, "amount", part->part->amount);
    currency_format(part->part->currency, text);
    json_key_string(json, "currency", text);
    json_key_money(json, "priced", part->part->priced);
    if (part->part->converted)
        spend_fx_json(json, &part->part->fx);
    json_key(json, "series");
    json_array(json);
    for (uint32_t i = 0; i < part->series_count; i++)
        series_json(json, session, &part->series[i]);
    json_array_end(json);
    json_object_end(json);
}

void explain_json(struct context *context, const struct session *session,
                  const struct explanation *e)
{
    const struct spend_line *line = e->line;
    struct json json;
    char text[DECIMAL_TEXT_BYTES], currency[4];
    json_init(&json, context->out, true);
    json_object(&json);
    json_key_slice(&json, "account", session->snapshot->accounts[e->spend->account].id);
    period_format(e->spend->period, text);
    json_key_string(&json, "period", text);
    json_key_instant(&json, "start", e->spend->start);
    json_key_instant(&json, "end", e->spend->end);
    json_key_slice(&json, "charge", line->charge->code);
    json_key_slice(&json, "meter", line->charge->meter_name);
    json_key_string(&json, "unit", line->charge->unit.text);
    charge_quantity_format(session->snapshot, line->plan, e->spend->period, line->quantity, text);
    json_key_string(&json, "quantity", text);
    json_key(&json, "parts");
    json_array(&json);
    for (uint32_t i = 0; i < line->part_count; i++)
        part_json(&json, session, e, &e->parts[i]);
    json_array_end(&json);
    json_key_money(&json, "before_limits", line->before_limits);
    if (line->limit == LIMIT_NONE)
        json_key_string(&json, "limit", NULL);
    json_key(&json, "groups");
    json_array(&json);
    for (uint32_t i = 0; i < line->group_count; i++) {
        json_object(&json);
        json_key_integer(&json, "part_first", line->groups[i].part_first);
        json_key_integer(&json, "part_count", line->groups[i].part_count);
        json_key_money(&json, "before", line->groups[i].before);
        json_key_string(&json, "limit",
                        line->groups[i].limit == LIMIT_NONE ? NULL
                                                            : limit_names[line->groups[i].limit]);
        json_key_money(&json, "after", line->groups[i].after);
        json_object_end(&json);
    }
    json_array_end(&json);
    spend_conversion_json(&json, line);
    json_key_money(&json, "amount", line->amount);
    json_key_amount(&json, "rounded", line->rounded, e->spend->currency);
    json_key_string(&json, "rounding", rounding_names[line->rounding]);
    currency_format(e->spend->currency, currency);
    json_key_string(&json, "currency", currency);
    json_object_end(&json);
}

/* ---- text
 * --------------------------------------------------------------------------------------------------------
 */

static void where_text(FILE *out, const struct charge_row *row)
{
    if (row->where_count == 0)
        fputs("any usage of the meter", out);
    for (uint32_t i = 0; i < row->where_count; i++) {
        fputs(i ? ", " : "", out);
        print_clean(out, row->where[i].name);
        fputs(" = ", out);
        print_clean(out, row->where[i].value);
    }
}

static void steps_text(struct context *context, const struct session *session,
                       const struct explanation *e, const struct explained_part *part)
{
    static const struct column columns[] = {{"step", false}, {"up_to", true}, {"quantity", true},
                                            {"price", true}, {"flat", true},  {"amount", true}};
    char text[DECIMAL_TEXT_BYTES];
    struct table table;
    table_begin(&table, context->out, OUTPUT_TABLE, context->colour, columns, 6);
    for (uint32_t i = 0; i < part->step_count; i++) {
        const struct rate_step *step = &part->steps[i];
        if (step->packages)
            snprintf(text, sizeof(text), "%llu packages", (unsigned long long)step->packages);
        else
            snprintf(text, sizeof(text), "tier %u", step->tier + 1);
        table_string(&table, text);
        if (step->up_to_micro != TIER_OPEN)
            decimal_format(step->up_to_micro, QUANTITY_SCALE, 0, text);
        table_string(&table, step->up_to_micro == TIER_OPEN ? "open" : text);
        table_string(&table, in_units(session, e, part->part, step->quantity.quanta, text));
        table_money(&table, step->price);
        table_money(&table, step->flat);
        table_money(&table, step->amount);
    }
    const char *empty[] = {"amount", "", NULL, "", ""};
    for (size_t i = 0; i < 5; i++)
        table_string(&table,
                     empty[i] ? empty[i]
                              : in_units(session, e, part->part, part->part->billed.quanta, text));
    table_money(&table, part->part->amount);
    table_end(&table);
}

/* The journal frame; where there are several journals as "shard/frame". */
static void frame_cell(struct table *table, const struct session *session,
                       const struct explained_window *window)
{
    char text[48];
    if (session->ledgers->count == 1) {
        table_integer(table, (int64_t)window->frame);
        return;
    }
    snprintf(text, sizeof(text), "%02u/%llu", window->shard, (unsigned long long)window->frame);
    table_string(table, text);
}

static void windows_text(struct context *context, const struct session *session,
                         const struct explanation *e, const struct explained_series *series)
{
    static const struct column columns[] = {{"start", false},  {"end", false},  {"raw", true},
                                            {"counted", true}, {"frame", true}, {"file", false}};
    static const struct column level_columns[] = {{"start", false}, {"end", false},
                                                  {"level", true},  {"level_seconds", true},
                                                  {"frame", true},  {"file", false}};
    struct table table;
    char text[INSTANT_TEXT_BYTES];
    table_begin(&table, context->out, OUTPUT_TABLE, context->colour,
                is_level(e) ? level_columns : columns, 6);
    for (uint32_t i = 0; i < series->window_count; i++) {
        const struct explained_window *window = &series->windows[i];
        instant_format(window->start, text);
        table_string(&table, text);
        instant_format(window->end, text);
        table_string(&table, text);
        table_quantity(&table, window->raw);
        table_quantity(&table, window->piece);
        frame_cell(&table, session, window);
        table_cell(&table, window->file);
    }
    const char *sum[] = {"sum", "", ""};
    for (size_t i = 0; i < 3; i++)
        table_string(&table, sum[i]);
    table_quantity(&table, series->piece);
    table_string(&table, "");
    table_string(&table, "");
    table_end(&table);
}

static void series_text(struct context *context, const struct session *session,
                        const struct explanation *e, const struct explained_part *part,
                        const struct explained_series *series)
{
    FILE *out = context->out;
    struct definition definition;
    char quantity[DECIMAL_TEXT_BYTES], multiplier[DECIMAL_TEXT_BYTES], counted[DECIMAL_TEXT_BYTES];
    ledgers_series_definition(session->ledgers, series->series, &definition);
    fputs("\n  series ", out);
    fprintf(out, "%u: ", series->series);
    print_clean(out, definition_resource(&definition));
    if (definition.name.length) {
        fputs(" (", out);
        print_clean(out, definition.name);
        fputs(")", out);
    }
    fputs(", source ", out);
    print_clean(out, definition.source);
    fputs("\n", out);
    windows_text(context, session, e, series);
    quantity_format(series->piece, quantity);
    decimal_format(series->multiplier, 0, 0, multiplier);
    quantity_format(series->counted, counted);
    if (charge_of(session, part->part)->times.present) {
        fprintf(out, "  %s x ", quantity);
        print_clean(out, charge_of(session, part->part)->times_name);
        fprintf(out, " %s = %s\n", multiplier, counted);
    }
}

static void part_text(struct context *context, const struct session *session,
                      const struct explanation *e, const struct explained_part *part)
{
    FILE *out = context->out;
    const struct charge *charge = charge_of(session, part->part);
    const struct charge_row *row = row_of(session, part->part);
    struct slice for_card = version_of(session, part->part)->card;
    char text[DECIMAL_TEXT_BYTES], size[DECIMAL_TEXT_BYTES], units[DECIMAL_TEXT_BYTES];
    instant_format(charge->effective_from, text);
    fputs("\ncard      ", out);
    print_clean(out, charge->card);
    fprintf(out, ", effective from %s, revision %u", text, charge->revision);
    if (!slice_equal(charge->card, for_card)) {
        fputs(", taken over by ", out);
        print_clean(out, for_card);
    }
    fputs("\nprice     ", out);
    where_text(out, row);
    fputs(", at ", out);
    print_clean(out, charge->file);
    fprintf(out, ":%u:%u\n", row->line, row->column);
    quantity_format(part->part->quantity, text);
    const char *unit = charge->unit.text;
    fprintf(out, "quantity  %s / %s = %s %s\n", text, unit_size(part->part, size),
            in_units(session, e, part->part, part->part->quantity.quanta, units), unit);
    if (part->part->included.quanta)
        fprintf(out, "included  %s of it\n",
                in_units(session, e, part->part, part->part->included.quanta, text));
    if (part->part->position.quanta)
        fprintf(out, "position  %s counted before under an earlier version\n",
                in_units(session, e, part->part, part->part->position.quanta, text));
    if (part->part->terms.package_micro) {
        decimal_format(part->part->terms.package_micro, QUANTITY_SCALE, 0, text);
        fprintf(out, "package   of %s %s, started ones count\n", text, unit);
    }
    fputs("\n", out);
    steps_text(context, session, e, part);
    for (uint32_t i = 0; i < part->series_count; i++)
        series_text(context, session, e, part, &part->series[i]);
}

/* "rate  1 EUR x 100 = 100 INR, by 1 EUR = 100 INR of DATE, SOURCE". A rate that is not a loaded
 * one itself is shown as the fraction of those that it comes from. */
static void rate_text(FILE *out, const struct fx_use *fx, struct money from, struct currency base,
                      struct money to, struct currency quote)
{
    char amount[DECIMAL_TEXT_BYTES], rate[DECIMAL_TEXT_BYTES], result[DECIMAL_TEXT_BYTES],
        top[DECIMAL_TEXT_BYTES], bottom[DECIMAL_TEXT_BYTES], one[4], other[4], day[16];
    money_format_exact(from, amount);
    money_format_exact(to, result);
    money_format_exact((struct money){fx->rate_pico}, rate);
    money_format_exact((struct money){fx->numerator}, top);
    money_format_exact((struct money){fx->denominator}, bottom);
    currency_format(base, one);
    currency_format(quote, other);
    bool direct = fx->leg_count == 1 && currency_equal(fx->legs[0]->base, base);
    if (direct)
        fprintf(out, "rate      %s %s x %s = %s %s", amount, one, rate, result, other);
    else
        fprintf(out, "rate      %s %s x %s / %s (%s) = %s %s", amount, one, top, bottom, rate,
                result, other);
    for (uint32_t i = 0; i < fx->leg_count; i++) {
        const struct fx_rate *leg = fx->legs[i];
        currency_format(leg->base, one);
        currency_format(leg->quote, other);
        spend_day_text(leg->day, day);
        money_format_exact((struct money){leg->rate_pico}, rate);
        fprintf(out, "%s 1 %s = %s %s of %s, ", i ? ";" : ", by", one, rate, other, day);
        print_clean(out, leg->source);
    }
    fputs("\n", out);
}

/* The sum of the parts, and limits: one line where they hold on the account, one for each resource
 * that they changed where they hold on resources. */
static void groups_text(FILE *out, const struct session *session, const struct explanation *e,
                        const char *currency)
{
    const struct spend_line *line = e->line;
    char before[DECIMAL_TEXT_BYTES], after[DECIMAL_TEXT_BYTES];
    for (uint32_t i = 0; i < line->part_count; i++) {
        const struct spend_part *part = &line->parts[i];
        if (part->converted)
            rate_text(out, &part->fx, part->amount, part->currency, part->priced,
                      line->priced_currency);
    }
    money_format_exact(line->before_limits, before);
    fprintf(out, "sum       %s %s\n", before, currency);
    bool limited = false;
    for (uint32_t i = 0; i < line->group_count; i++) {
        const struct spend_group *group = &line->groups[i];
        if (group->limit == LIMIT_NONE)
            continue;
        limited = true;
        money_format_exact(group->before, before);
        money_format_exact(group->after, after);
        fprintf(out, "limit     the charge's %s: %s instead of %s %s", limit_names[group->limit],
                after, before, currency);
        if (line->charge->scope == SCOPE_RESOURCE && e->parts[group->part_first].series_count) {
            struct definition definition;
            ledgers_series_definition(session->ledgers,
                                      e->parts[group->part_first].series[0].series, &definition);
            fputs(", for resource ", out);
            print_clean(out, definition_resource(&definition));
        }
        fputs("\n", out);
    }
    if (limited) {
        money_format_exact(line->priced, after);
        fprintf(out, "limited   %s %s\n", after, currency);
    }
}

static void closing_text(FILE *out, const struct session *session, const struct explanation *e)
{
    const struct spend_line *line = e->line;
    char text[DECIMAL_TEXT_BYTES], currency[4], priced[4];
    currency_format(e->spend->currency, currency);
    currency_format(line->priced_currency, priced);
    fputs("\n", out);
    groups_text(out, session, e, priced);
    if (line->no_rate)
        fprintf(out, "rate      one into %s is missing: load it with `ratel load`\n", currency);
    if (line->converted)
        rate_text(out, &line->fx, line->priced, line->priced_currency, line->amount,
                  e->spend->currency);
    money_format(line->rounded, e->spend->currency, text);
    fprintf(out, "rounded   %s %s (%s, %d decimals)\n", text, currency,
            rounding_names[line->rounding], currency_digits(e->spend->currency));
}

void explain_text(struct context *context, const struct session *session,
                  const struct explanation *e)
{
    FILE *out = context->out;
    const struct account *account = &session->snapshot->accounts[e->spend->account];
    char month[16], start[INSTANT_TEXT_BYTES], end[INSTANT_TEXT_BYTES];
    period_format(e->spend->period, month);
    instant_format(e->spend->start, start);
    instant_format(e->spend->end, end);
    fputs("charge    ", out);
    print_clean(out, e->line->charge->code);
    if (e->line->charge->description.length) {
        fputs(", ", out);
        print_clean(out, e->line->charge->description);
    }
    fputs("\naccount   ", out);
    print_clean(out, account->id);
    if (account->name.length) {
        fputs(" (", out);
        print_clean(out, account->name);
        fputs(")", out);
    }
    fprintf(out, "\nperiod    %s: %s to %s\n", month, start, end);
    for (uint32_t i = 0; i < e->line->part_count; i++)
        part_text(context, session, e, &e->parts[i]);
    closing_text(out, session, e);
}

/* ---- CSV
 * ---------------------------------------------------------------------------------------------------------
 */

/* One row a window: the chain from the raw quantity to the card's row, for spreadsheets. */
static void window_row(struct table *table, const struct session *session,
                       const struct explained_part *part, const struct explained_series *series,
                       const struct explained_window *window)
{
    const struct charge *charge = charge_of(session, part->part);
    const struct charge_row *row = row_of(session, part->part);
    struct definition definition;
    char text[DECIMAL_TEXT_BYTES];
    ledgers_series_definition(session->ledgers, series->series, &definition);
    table_cell(table, charge->code);
    table_cell(table, charge->card);
    instant_format(charge->effective_from, text);
    table_string(table, text);
    table_cell(table, charge->file);
    table_integer(table, row->line);
    table_integer(table, series->series);
    table_cell(table, definition_resource(&definition));
    instant_format(window->start, text);
    table_string(table, text);
    instant_format(window->end, text);
    table_string(table, text);
    table_quantity(table, window->raw);
    table_quantity(table, window->piece);
    decimal_format(series->multiplier, 0, 0, text);
    table_string(table, text);
    frame_cell(table, session, window);
    table_cell(table, window->file);
}

void explain_csv(struct context *context, const struct session *session,
                 const struct explanation *explanations, uint32_t count)
{
    static const struct column columns[] = {
        {"charge", false}, {"card", false},  {"effective_from", false}, {"file", false},
        {"line", true},    {"series", true}, {"resource", false},       {"start", false},
        {"end", false},    {"raw", true},    {"counted", true},         {"times", true},
        {"frame", true},   {"from", false}};
    struct table table;
    table_begin(&table, context->out, OUTPUT_CSV, false, columns,
                sizeof(columns) / sizeof(columns[0]));
    for (uint32_t e = 0; e < count; e++)
        for (uint32_t i = 0; i < explanations[e].line->part_count; i++) {
            const struct explained_part *part = &explanations[e].parts[i];
            for (uint32_t j = 0; j < part->series_count; j++)
                for (uint32_t k = 0; k < part->series[j].window_count; k++)
                    window_row(&table, session, part, &part->series[j],
                               &part->series[j].windows[k]);
        }
    table_end(&table);
}
