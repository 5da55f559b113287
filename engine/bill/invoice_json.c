#include "bill/invoice.h"

#include <assert.h>
#include <stdio.h>

static void key_decimal(struct json *json, const char *key, int128 pico)
{
    json_key_money(json, key, (struct money){pico});
}

static void key_currency(struct json *json, const char *key, struct currency currency)
{
    char text[4];
    currency_format(currency, text);
    json_key_string(json, key, text);
}

static void key_optional(struct json *json, const char *key, struct slice value)
{
    json_key(json, key);
    if (value.length)
        json_string(json, value);
    else
        json_null(json);
}

static void key_day(struct json *json, const char *key, int32_t day)
{
    char text[INSTANT_TEXT_BYTES];
    instant_format((struct instant){(int64_t)day * 86400}, text);
    json_key_slice(json, key, slice_of(text, sizeof("2026-10-31") - 1));
}

static void write_line(const struct invoice *invoice, const struct invoice_line *line,
                       struct json *json)
{
    static const char *const limits[] = {NULL, "minimum", "maximum"};
    json_object(json);
    json_key_slice(json, "charge", line->charge);
    json_key_slice(json, "description", line->description);
    json_key_slice(json, "meter", line->meter);
    json_key_slice(json, "quantity", line->quantity);
    json_key_slice(json, "unit", line->unit);
    json_key_amount(json, "amount", line->amount, invoice->currency);
    json_key_slice(json, "tax_class", line->tax_class);
    const struct invoice_tax *tax = line->tax == INVOICE_NONE ? NULL : &invoice->taxes[line->tax];
    key_optional(json, "tax_category", tax ? tax->category : (struct slice){NULL, 0});
    if (tax)
        key_decimal(json, "tax_rate", tax->rate_pico);
    else
        json_key_string(json, "tax_rate", NULL);
    if (line->limit)
        json_key_string(json, "limit", limits[line->limit]);
    /* The amount before its one rounding, so that a reader can check that and the conversion. */
    json_key(json, "priced");
    json_object(json);
    key_currency(json, "currency", line->priced_currency);
    json_key_money(json, "amount", line->priced);
    json_object_end(json);
    json_object_end(json);
}

static void write_taxes(const struct invoice *invoice, struct json *json)
{
    json_key(json, "taxes");
    json_array(json);
    for (uint32_t i = 0; i < invoice->tax_count; i++) {
        const struct invoice_tax *tax = &invoice->taxes[i];
        json_object(json);
        json_key_slice(json, "category", tax->category);
        key_decimal(json, "rate", tax->rate_pico);
        json_key_amount(json, "base", tax->base, invoice->currency);
        json_key_amount(json, "amount", tax->amount, invoice->currency);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_fx(const struct invoice *invoice, struct json *json)
{
    json_key(json, "fx");
    json_array(json);
    for (uint32_t i = 0; i < invoice->fx_count; i++) {
        const struct invoice_fx *fx = &invoice->fx[i];
        json_object(json);
        key_currency(json, "from", fx->from);
        key_currency(json, "to", fx->to);
        key_decimal(json, "rate", fx->rate_pico);
        key_day(json, "date", fx->day);
        json_key_slice(json, "source", fx->source);
        if (fx->denominator != PICO_PER_UNIT) {
            /* An inverse or a cross rate: `rate` is rounded, the conversion used the quotient
             * itself. */
            key_decimal(json, "numerator", fx->numerator);
            key_decimal(json, "denominator", fx->denominator);
        }
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_period(const struct invoice *invoice, struct json *json)
{
    char month[16];
    period_format(invoice->period, month);
    json_key(json, "period");
    json_object(json);
    json_key_instant(json, "start", invoice->start);
    json_key_instant(json, "end", invoice->end);
    json_key_string(json, "month", month);
    json_key_slice(json, "timezone", invoice->timezone);
    json_object_end(json);
}

void invoice_write_json(const struct invoice *invoice, struct json *json)
{
    json_object(json);
    key_optional(json, "number", invoice->number);
    json_key_string(json, "kind", "invoice");
    json_key_string(json, "status", invoice_status_name(invoice->status));
    json_key_slice(json, "account", invoice->account);
    json_key_slice(json, "account_name", invoice->account_name);
    key_optional(json, "tax_country", invoice->tax_country);
    key_optional(json, "tax_id", invoice->tax_id);
    key_currency(json, "currency", invoice->currency);
    write_period(invoice, json);
    json_key_instant(json, "issued", invoice->issued);
    json_key_instant(json, "due", invoice->due);
    json_key_integer(json, "terms_days", invoice->terms_days);
    json_key(json, "lines");
    json_array(json);
    for (uint32_t i = 0; i < invoice->line_count; i++)
        write_line(invoice, &invoice->lines[i], json);
    json_array_end(json);
    write_taxes(invoice, json);
    json_key_amount(json, "net", invoice->net, invoice->currency);
    json_key_amount(json, "tax", invoice->tax, invoice->currency);
    json_key_amount(json, "total", invoice->total, invoice->currency);
    write_fx(invoice, json);
    json_key(json, "notes");
    json_array(json);
    for (uint32_t i = 0; i < invoice->note_count; i++)
        json_string(json, invoice->notes[i]);
    json_array_end(json);
    json_object_end(json);
}
