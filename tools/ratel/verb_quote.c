/* `ratel quote`: prices a quantity by a rate card's file, without any data, and shows the
 * arithmetic. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "ratel/files.h"
#include "ratel/quote.h"
#include "ratel/report.h"
#include "ratel/context.h"

#define PERIOD_TEXT_BYTES 8

/* ---- the request
 * ------------------------------------------------------------------------------------------------------
 */

static enum status read_where(const struct context *context, struct where_term **ret,
                              uint32_t *ret_count, struct error *error)
{
    uint32_t count = 0;
    while (arguments_value_at(&context->arguments, "where", count))
        count++;
    struct where_term *terms =
        arena_alloc((struct arena *)&context->arena, (count + 1) * sizeof(*terms));
    for (uint32_t i = 0; i < count; i++) {
        const char *text = arguments_value_at(&context->arguments, "where", i);
        const char *equals = strchr(text, '=');
        if (!equals || equals == text)
            return error_set(error, STATUS_USAGE,
                             "option --where: \"%s\" is not of the form name=value", text);
        terms[i].name = slice_of(text, (size_t)(equals - text));
        terms[i].value = slice_string(equals + 1);
    }
    *ret = terms;
    *ret_count = count;
    return STATUS_OK;
}

static enum status read_times(const struct context *context, struct quote_request *request,
                              struct error *error)
{
    const char *text = context_option(context, "times");
    if (!text)
        return STATUS_OK;
    request->has_times = true;
    if (decimal_parse(slice_string(text), 0, false, &request->times, NULL) != STATUS_OK ||
        request->times < 0)
        return error_set(error, STATUS_USAGE, "option --times: \"%s\" is no whole number", text);
    return STATUS_OK;
}

static enum status read_request(const struct context *context, struct quote_request *request,
                                struct error *error)
{
    memset(request, 0, sizeof(*request));
    request->card = slice_string(context_option(context, "name"));
    request->charge = slice_string(context_option(context, "charge"));
    request->quantity = slice_string(context_option(context, "quantity"));
    request->now = context_now(context);
    const char *currency = context_option(context, "currency");
    if (currency && currency_parse(slice_string(currency), &request->currency) != STATUS_OK)
        return error_set(error, STATUS_USAGE,
                         "option --currency: \"%s\" is no currency of ISO 4217, such as EUR",
                         currency);
    request->has_period = context_flag(context, "period");
    enum status status = context_period(context, NULL, &request->period, error);
    struct where_term *where = NULL;
    if (status == STATUS_OK)
        status = read_where(context, &where, &request->where_count, error);
    request->where = where;
    return status == STATUS_OK ? read_times(context, request, error) : status;
}

/* Reads and compiles the --card files. The last one is the card that is quoted, those before it
 * what it may extend. */
static enum status compile_cards(struct context *context, struct snapshot **ret,
                                 struct slice *ret_file, struct error *error)
{
    struct arena *arena = &context->arena;
    uint32_t count = 0;
    while (arguments_value_at(&context->arguments, "card", count))
        count++;
    const char **paths = arena_alloc(arena, count * sizeof(*paths));
    for (uint32_t i = 0; i < count; i++)
        paths[i] = arguments_value_at(&context->arguments, "card", i);

    struct document_list documents;
    struct problems problems;
    struct entry_list loaded, entries;
    documents_init(&documents, arena);
    problems_init(&problems, arena);
    entries_init(&loaded, arena);
    entries_init(&entries, arena);
    enum status status = files_documents(paths, count, &documents, &problems, error);
    if (status != STATUS_OK && problems.count == 0)
        return status;
    if (status == STATUS_OK)
        status = documents_entries(&documents, &loaded, context_now(context), &problems, &entries);
    const struct entry_list *lists[] = {&entries};
    if (status == STATUS_OK)
        status = snapshot_compile(lists, 1, &problems, ret);
    if (status == STATUS_INVALID && problems.count > 0) {
        report_problems(context->err, &problems);
        context->reported = true;
        return status;
    }
    if (status != STATUS_OK)
        return error_set(error, status, "the card: %s", status_text(status));
    *ret_file = file_label(paths[count - 1]);
    return STATUS_OK;
}

/* ---- the answer
 * -------------------------------------------------------------------------------------------------------
 */

static const char *units(const struct snapshot *snapshot, const struct quote *quote,
                         struct quantity quantity, char *buffer)
{
    charge_quantity_format(snapshot, quote->plan, quote->period, quantity, buffer);
    return buffer;
}

static const char *exact(struct money amount, char *buffer)
{
    money_format_exact(amount, buffer);
    return buffer;
}

/* The upper bound of a tier in units, or NULL where it is open. */
static const char *bound(const struct rate_step *step, char *buffer)
{
    if (step->up_to_micro == TIER_OPEN)
        return NULL;
    decimal_format(step->up_to_micro, 6, 0, buffer);
    return buffer;
}

/* What a tier's price counts: units, or packages of them. */
static const char *price_unit(const struct quote *quote, char *buffer, size_t size)
{
    if (quote->charge->model != MODEL_PACKAGE) {
        snprintf(buffer, size, "%s", quote->charge->unit.text);
        return buffer;
    }
    char number[DECIMAL_TEXT_BYTES];
    decimal_format(quote->terms.package_micro, 6, 0, number);
    snprintf(buffer, size, "package of %s %s", number, quote->charge->unit.text);
    return buffer;
}

static void show_steps_json(struct json *json, const struct snapshot *snapshot,
                            const struct quote *quote)
{
    char text[DECIMAL_TEXT_BYTES];
    json_key(json, "steps");
    json_array(json);
    for (uint32_t i = 0; i < quote->step_count; i++) {
        const struct rate_step *step = &quote->steps[i];
        json_object(json);
        json_key_string(json, "up_to", bound(step, text));
        json_key_string(json, "quantity", units(snapshot, quote, step->quantity, text));
        if (quote->charge->model == MODEL_PACKAGE)
            json_key_integer(json, "packages", (int64_t)step->packages);
        json_key_money(json, "price", step->price);
        json_key_money(json, "flat", step->flat);
        json_key_money(json, "amount", step->amount);
        json_object_end(json);
    }
    json_array_end(json);
}

static void show_json(struct context *context, const struct snapshot *snapshot,
                      const struct quote *quote)
{
    char text[DECIMAL_TEXT_BYTES];
    char currency[4];
    char period[PERIOD_TEXT_BYTES];
    currency_format(quote->currency, currency);
    period_format(quote->period, period);
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key_money(&json, "amount", quote->amount);
    json_key_string(&json, "currency", currency);
    json_key_amount(&json, "rounded", quote->rounded, quote->currency);
    json_key_slice(&json, "card", quote->version->card);
    json_key_instant(&json, "effective_from", quote->version->effective_from);
    json_key_slice(&json, "charge", quote->charge->code);
    json_key_slice(&json, "meter", quote->charge->meter_name);
    json_key_string(&json, "model", rate_model_name(quote->charge->model));
    json_key_string(&json, "period", period);
    json_key_string(&json, "quantity", units(snapshot, quote, quote->quantity, text));
    json_key_string(&json, "unit", quote->charge->unit.text);
    json_key_string(&json, "included", units(snapshot, quote, quote->included, text));
    show_steps_json(&json, snapshot, quote);
    json_key_money(&json, "usage", quote->usage);
    json_key_string(&json, "limit",
                    quote->above_maximum   ? "maximum"
                    : quote->below_minimum ? "minimum"
                                           : NULL);
    json_object_end(&json);
}

enum {
    COLUMN_STEP,
    COLUMN_UP_TO,
    COLUMN_QUANTITY,
    COLUMN_PRICE,
    COLUMN_FLAT,
    COLUMN_AMOUNT,
    COLUMN_COUNT
};

static const struct column columns[COLUMN_COUNT] = {{"step", false},    {"up_to", true},
                                                    {"quantity", true}, {"price", true},
                                                    {"flat", true},     {"amount", true}};

static void row(struct table *table, const char *const cells[COLUMN_COUNT])
{
    for (uint32_t i = 0; i < COLUMN_COUNT; i++)
        table_string(table, cells[i] ? cells[i] : "");
}

static void show_step(struct table *table, const struct snapshot *snapshot,
                      const struct quote *quote, const struct rate_step *step)
{
    char label[32], up_to[DECIMAL_TEXT_BYTES], quantity[DECIMAL_TEXT_BYTES],
        price[DECIMAL_TEXT_BYTES], flat[DECIMAL_TEXT_BYTES], amount[DECIMAL_TEXT_BYTES];
    if (quote->charge->model == MODEL_PACKAGE)
        snprintf(label, sizeof(label), "%llu packages", (unsigned long long)step->packages);
    else
        snprintf(label, sizeof(label), "tier %u", step->tier + 1);
    const char *end = bound(step, up_to);
    row(table, (const char *[COLUMN_COUNT]){
                   label, end ? end : "open", units(snapshot, quote, step->quantity, quantity),
                   exact(step->price, price), step->flat.pico ? exact(step->flat, flat) : "",
                   exact(step->amount, amount)});
}

/* Every number between the quantity and the amount stands on the page, and the last column adds up.
 */
static void show_table(struct context *context, const struct snapshot *snapshot,
                       const struct quote *quote)
{
    char text[DECIMAL_TEXT_BYTES], more[DECIMAL_TEXT_BYTES];
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, COLUMN_COUNT);
    if (quote->included.quanta > 0)
        row(&table, (const char *[COLUMN_COUNT]){
                        [COLUMN_STEP] = "included",
                        [COLUMN_AMOUNT] = "0",
                        [COLUMN_QUANTITY] = units(snapshot, quote, quote->included, text)});
    for (uint32_t i = 0; i < quote->step_count; i++)
        show_step(&table, snapshot, quote, &quote->steps[i]);
    struct money adjustment = {quote->amount.pico - quote->usage.pico};
    if (adjustment.pico != 0)
        row(&table, (const char *[COLUMN_COUNT]){
                        [COLUMN_STEP] = quote->above_maximum ? "to the maximum" : "to the minimum",
                        [COLUMN_AMOUNT] = exact(adjustment, text)});
    row(&table, (const char *[COLUMN_COUNT]){[COLUMN_STEP] = "amount",
                                             [COLUMN_QUANTITY] =
                                                 units(snapshot, quote, quote->quantity, more),
                                             [COLUMN_AMOUNT] = exact(quote->amount, text)});
    money_format(quote->rounded, quote->currency, text);
    row(&table, (const char *[COLUMN_COUNT]){[COLUMN_STEP] = "rounded", [COLUMN_AMOUNT] = text});
    table_end(&table);
}

static void show_heading(struct context *context, const struct quote *quote)
{
    char instant[INSTANT_TEXT_BYTES], period[PERIOD_TEXT_BYTES], currency[4], per[128];
    instant_format(quote->version->effective_from, instant);
    period_format(quote->period, period);
    currency_format(quote->currency, currency);
    FILE *out = context->out;
    fputs("card      ", out);
    print_clean(out, quote->version->card);
    fprintf(out, ", effective from %s\ncharge    ", instant);
    print_clean(out, quote->charge->code);
    if (quote->charge->description.length > 0) {
        fputs(", ", out);
        print_clean(out, quote->charge->description);
    }
    fprintf(out, "\nprice     %s, %s per %s\nperiod    %s\nquantity  in %s\n\n",
            rate_model_name(quote->charge->model), currency, price_unit(quote, per, sizeof(per)),
            period, quote->charge->unit.text);
}

static enum status run(struct context *context, struct error *error)
{
    struct quote_request request;
    enum status status = read_request(context, &request, error);
    if (status != STATUS_OK)
        return status;
    struct snapshot *snapshot = NULL;
    status = compile_cards(context, &snapshot, &request.file, error);
    if (status != STATUS_OK)
        return status;
    request.snapshot = snapshot;
    struct quote quote;
    status = quote_make(&request, &quote, error);
    if (status == STATUS_OK && context->output == OUTPUT_JSON)
        show_json(context, snapshot, &quote);
    if (status == STATUS_OK && context->output == OUTPUT_TABLE)
        show_heading(context, &quote);
    if (status == STATUS_OK && context->output != OUTPUT_JSON)
        show_table(context, snapshot, &quote);
    snapshot_free(snapshot);
    return status;
}

const struct verb verb_quote = {
    .name = "quote",
    .summary = "Price a quantity by a rate card's file and show the arithmetic",
    .description = "Prices one quantity by one charge, as if it were all that was used in the "
                   "period. Nothing but the file is needed: no data "
                   "directory, no account. Included quantities, minimum and maximum of the charge "
                   "are applied.\n\n"
                   "The quantity counts units of the charge: for a charge per GiB, \"150.5\" is "
                   "150.5 GiB. With --times, for charges that multiply "
                   "(`times: size`, `times: memory`), it counts the meter's base units, such as "
                   "hours, and N is the number as the usage record bears "
                   "it: bytes for size, MiB for memory. So --quantity 744 --times 107374182400 is "
                   "a volume of 100 GiB for 744 hours.\n\n"
                   "The version of the card is the one in force at the present time, or at the "
                   "start of the period where the present is outside it; "
                   "before the first version, the first.\n\n"
                   "JSON: {\"amount\": ..., \"currency\": ..., \"rounded\": ..., \"steps\": "
                   "[{\"up_to\": ..., \"quantity\": ..., \"price\": ..., "
                   "\"flat\": ..., \"amount\": ...}], ...}. The amount is unrounded, with up to 12 "
                   "decimals; rounded is the amount at the currency's "
                   "minor unit by the card's rounding.",
    .options = {{.name = "card",
                 .value = "FILE",
                 .required = true,
                 .repeatable = true,
                 .help = "the rate card; a card that it extends comes in a --card before it"},
                {.name = "name",
                 .value = "CARD",
                 .help = "the card, where the file holds several with the charge"},
                {.name = "charge", .value = "CODE", .required = true, .help = "code of the charge"},
                {.name = "quantity",
                 .value = "Q",
                 .required = true,
                 .help = "decimal number of units, or of base units with --times"},
                {.name = "times",
                 .value = "N",
                 .help = "value of the attribute that the charge multiplies by"},
                {.name = "where",
                 .value = "NAME=VALUE",
                 .repeatable = true,
                 .help = "an attribute of what is used, such as zone or offering; the most "
                         "specific price that matches counts"},
                {.name = "period",
                 .value = "YYYY-MM",
                 .help = "the month, which gives the length of a month unit; without it the month "
                         "of the present time"},
                {.name = "currency",
                 .value = "CODE",
                 .help =
                     "one of the currencies that the card has prices in; without it the card's"}},
    .examples = {{"ratel quote --card cards.yaml --charge net.egress --quantity 150.5",
                  "what 150.5 units of net.egress cost"},
                 {"ratel quote --card cards.yaml --charge volume.ssd --quantity 744 --times "
                  "107374182400 --period 2026-10",
                  "a volume of 100 GiB over October"},
                 {"ratel quote --card cards.yaml --charge vm.small --quantity 10 --where zone=z1 "
                  "--output json",
                  "the price in one zone, for a program"}},
    .run = run,
};
