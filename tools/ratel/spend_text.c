#include "ratel/spend_text.h"

#include <stdio.h>

void spend_day_text(int32_t day, char buffer[16])
{
    struct civil civil = civil_from_seconds((int64_t)day * 86400);
    snprintf(buffer, 16, "%04u-%02u-%02u", (unsigned)civil.year % 10000,
             (unsigned)civil.month % 100, (unsigned)civil.day % 100);
}

void spend_unpriced_quantity(const struct spend_unpriced *unpriced, char *buffer)
{
    struct quantity quantity = unpriced->quantity;
    if (series_meter_is_level(unpriced->meter)) {
        int128 hours;
        if (wide_divide(wide_from(quantity.quanta), 3600, ROUND_HALF_EVEN, &hours) == STATUS_OK)
            quantity.quanta = hours;
    }
    quantity_format(quantity, buffer);
}

void spend_open_json(struct json *json, const struct snapshot *snapshot, const struct spend *spend)
{
    const struct account *account = &snapshot->accounts[spend->account];
    char currency[4];
    currency_format(spend->currency, currency);
    json_object(json);
    json_key_slice(json, "account", account->id);
    json_key_slice(json, "name", account->name);
    json_key_string(json, "currency", currency);
    json_key_instant(json, "start", spend->start);
    json_key_instant(json, "end", spend->end);
    json_key_amount(json, "total", spend->total, spend->currency);
    json_key(json, "lines");
    json_array(json);
}

void spend_close_json(struct json *json, const struct ledgers *ledgers, const struct spend *spend)
{
    char text[DECIMAL_TEXT_BYTES];
    json_array_end(json);
    json_key(json, "unpriced");
    json_array(json);
    for (uint32_t i = 0; i < spend->unpriced_count; i++) {
        json_object(json);
        json_key_slice(json, "meter", ledgers_meter_name(ledgers, spend->unpriced[i].meter));
        spend_unpriced_quantity(&spend->unpriced[i], text);
        json_key_string(json, "quantity", text);
        json_key_string(json, "unit", series_meter_base(spend->unpriced[i].meter));
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

void spend_fx_json(struct json *json, const struct fx_use *fx)
{
    char currency[4], day[16];
    spend_day_text(fx->day, day);
    json_key_money(json, "fx_rate", (struct money){fx->rate_pico});
    json_key_string(json, "fx_date", day);
    json_key_slice(json, "fx_source", fx->source);
    json_key(json, "fx_rates");
    json_array(json);
    for (uint32_t i = 0; i < fx->leg_count; i++) {
        const struct fx_rate *leg = fx->legs[i];
        json_object(json);
        currency_format(leg->base, currency);
        json_key_string(json, "base", currency);
        currency_format(leg->quote, currency);
        json_key_string(json, "quote", currency);
        json_key_money(json, "rate", (struct money){leg->rate_pico});
        spend_day_text(leg->day, day);
        json_key_string(json, "date", day);
        json_key_slice(json, "source", leg->source);
        json_object_end(json);
    }
    json_array_end(json);
}

void spend_conversion_json(struct json *json, const struct spend_line *line)
{
    if (line->limit != LIMIT_NONE)
        json_key_string(json, "limit", line->limit == LIMIT_MINIMUM ? "minimum" : "maximum");
    if (line->no_rate)
        json_key_boolean(json, "no_rate", true);
    if (!line->converted && !line->no_rate)
        return;
    char currency[4];
    currency_format(line->priced_currency, currency);
    json_key_string(json, "priced_currency", currency);
    json_key_money(json, "priced", line->priced);
    if (!line->converted)
        return;
    spend_fx_json(json, &line->fx);
}

void spend_total_row(struct table *table, const struct snapshot *snapshot,
                     const struct spend *spend, uint32_t blanks)
{
    char text[DECIMAL_TEXT_BYTES];
    table_cell(table, snapshot->accounts[spend->account].id);
    table_cell(table, snapshot->accounts[spend->account].name);
    table_string(table, "total");
    for (uint32_t i = 0; i < blanks; i++)
        table_string(table, "");
    money_format(spend->total, spend->currency, text);
    table_string(table, text);
    currency_format(spend->currency, text);
    table_string(table, text);
}
