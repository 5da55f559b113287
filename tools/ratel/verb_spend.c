/* `ratel spend`: what accounts have used so far in a billing period, and what it costs. */
#include <assert.h>
#include <string.h>

#include "account/usage_walk.h"
#include "base/json.h"
#include "ratel/report.h"
#include "ratel/session.h"
#include "ratel/spend_text.h"

static const struct column by_charge[] = {
    {"account", false}, {"name", false},  {"charge", false}, {"meter", false},   {"quantity", true},
    {"unit", false},    {"amount", true}, {"rounded", true}, {"currency", false}};
/* By resource, day or zone: a tenth column behind the meter, of that name. */
static const struct column by_part[][10] = {
#define PART_COLUMNS(part)                                                                         \
    {                                                                                              \
        {"account", false}, {"name", false}, {"charge", false}, {"meter", false}, {part, false},   \
            {"quantity", true}, {"unit", false}, {"amount", true}, {"rounded", true},              \
        {                                                                                          \
            "currency", false                                                                      \
        }                                                                                          \
    }
    [DIMENSION_RESOURCE] = PART_COLUMNS("resource"),
    [DIMENSION_DAY] = PART_COLUMNS("day"),
    [DIMENSION_ZONE] = PART_COLUMNS("zone"),
};

struct showing {
    struct context *context;
    struct session session;
    struct json json;
    struct table table;
    bool parts;
    enum dimension dimension;
    const char *dimension_name;
    uint32_t no_rate;
    uint32_t refused; /* accounts whose sums overflow */
};

/* In units of the charge; a cell's share of the line's. */
static void units_text(const struct showing *s, const struct spend *spend,
                       const struct spend_line *line, const struct breakdown_cell *cell, char *text)
{
    if (cell)
        decimal_format(cell->units_pico, MONEY_SCALE, 0, text);
    else
        charge_quantity_format(s->session.snapshot, line->plan, spend->period, line->quantity,
                               text);
}

static void show_line_json(struct showing *s, const struct spend *spend,
                           const struct spend_line *line, const struct breakdown_cell *cell)
{
    char text[DECIMAL_TEXT_BYTES];
    struct json *json = &s->json;
    json_object(json);
    json_key_slice(json, "charge", line->charge->code);
    json_key_slice(json, "description", line->charge->description);
    json_key_slice(json, "meter", line->charge->meter_name);
    if (cell)
        json_key_slice(json, s->dimension_name, cell->value);
    units_text(s, spend, line, cell, text);
    json_key_string(json, "quantity", text);
    json_key_string(json, "unit", line->charge->unit.text);
    json_key_money(json, "amount", cell ? cell->amount : line->amount);
    json_key_amount(json, "rounded", cell ? cell->rounded : line->rounded, spend->currency);
    if (!cell)
        spend_conversion_json(json, line);
    json_object_end(json);
}

static void show_line_row(struct showing *s, const struct spend *spend,
                          const struct spend_line *line, const struct breakdown_cell *cell)
{
    char text[DECIMAL_TEXT_BYTES];
    const struct account *account = &s->session.snapshot->accounts[spend->account];
    table_cell(&s->table, account->id);
    table_cell(&s->table, account->name);
    table_cell(&s->table, line->charge->code);
    table_cell(&s->table, line->charge->meter_name);
    if (s->parts)
        table_cell(&s->table, cell->value);
    units_text(s, spend, line, cell, text);
    table_string(&s->table, text);
    table_string(&s->table, line->charge->unit.text);
    table_money(&s->table, cell ? cell->amount : line->amount);
    money_format(cell ? cell->rounded : line->rounded, spend->currency, text);
    table_string(&s->table, line->no_rate ? "no rate" : text);
    currency_format(spend->currency, text);
    table_string(&s->table, text);
}

static void show_line(struct showing *s, const struct spend *spend, const struct spend_line *line,
                      const struct breakdown_cell *cell)
{
    if (s->context->output == OUTPUT_JSON)
        show_line_json(s, spend, line, cell);
    else
        show_line_row(s, spend, line, cell);
}

static enum status show_lines(struct showing *s, const struct spend *spend, struct arena *arena,
                              struct error *error)
{
    if (!s->parts) {
        for (uint32_t i = 0; i < spend->line_count; i++)
            show_line(s, spend, &spend->lines[i], NULL);
        return STATUS_OK;
    }
    struct breakdown_line *lines;
    enum status status =
        breakdown_compute(s->session.ledgers, spend, s->dimension, arena, &lines, error);
    for (uint32_t i = 0; status == STATUS_OK && i < spend->line_count; i++)
        for (uint32_t cell = 0; cell < lines[i].cell_count; cell++)
            show_line(s, spend, &spend->lines[i], &lines[i].cells[cell]);
    return status;
}

static void show_unpriced_row(struct showing *s, const struct spend *spend,
                              const struct spend_unpriced *unpriced)
{
    char text[DECIMAL_TEXT_BYTES];
    const struct account *account = &s->session.snapshot->accounts[spend->account];
    spend_unpriced_quantity(unpriced, text);
    table_cell(&s->table, account->id);
    table_cell(&s->table, account->name);
    table_string(&s->table, "(no price)");
    table_cell(&s->table, ledgers_meter_name(s->session.ledgers, unpriced->meter));
    if (s->parts)
        table_string(&s->table, "");
    const char *cells[] = {text, series_meter_base(unpriced->meter), "", "", ""};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        table_string(&s->table, cells[i]);
}

static enum status show_account(struct showing *s, uint32_t account, struct period period,
                                struct error *error)
{
    struct arena arena;
    struct spend spend;
    arena_init(&arena);
    enum status status = session_spend(&s->session, account, period, &arena, &spend, error);
    bool json = s->context->output == OUTPUT_JSON;
    if (status == STATUS_OK)
        ledgers_sort_unpriced(s->session.ledgers, &spend);
    if (status == STATUS_OK && json)
        spend_open_json(&s->json, s->session.snapshot, &spend);
    if (status == STATUS_OK)
        status = show_lines(s, &spend, &arena, error);
    if (status == STATUS_OK && json) {
        spend_close_json(&s->json, s->session.ledgers, &spend);
    } else if (status == STATUS_OK) {
        for (uint32_t i = 0; i < spend.unpriced_count; i++)
            show_unpriced_row(s, &spend, &spend.unpriced[i]);
        if (s->context->output == OUTPUT_TABLE && spend.line_count > 0)
            spend_total_row(&s->table, s->session.snapshot, &spend, s->parts ? 5 : 4);
    }
    s->no_rate += status == STATUS_OK ? spend.no_rate_count : 0;
    arena_fini(&arena);
    return status;
}

/* One account, or all that have used anything in the period. */
static enum status show_accounts(struct showing *s, uint32_t only, struct error *error)
{
    const struct snapshot *snapshot = s->session.snapshot;
    uint32_t first = only == INDEX_NONE ? 0 : only;
    uint32_t end = only == INDEX_NONE ? snapshot->account_count : only + 1;
    for (uint32_t i = first; i < end; i++) {
        struct period period;
        enum status status = context_period(s->context, snapshot->accounts[i].zone, &period, error);
        if (status != STATUS_OK)
            return status;
        bool used = ledgers_used(s->session.ledgers, i, period);
        if (used || only != INDEX_NONE)
            status = show_account(s, i, period, error);
        if (status == STATUS_RANGE && only == INDEX_NONE) { /* told; the other accounts go on */
            report_error(s->context->err, error);
            s->refused++;
        } else if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static void choose_dimension(struct showing *s)
{
    const char *by = context_option(s->context, "by");
    s->parts = strcmp(by, "charge") != 0;
    s->dimension = strcmp(by, "day") == 0    ? DIMENSION_DAY
                   : strcmp(by, "zone") == 0 ? DIMENSION_ZONE
                                             : DIMENSION_RESOURCE;
    s->dimension_name = by;
}

static enum status show_all(struct showing *s, uint32_t only, struct error *error)
{
    struct context *context = s->context;
    struct period period;
    enum status status = context_period(context, NULL, &period, error);
    if (status != STATUS_OK)
        return status;
    if (context->output == OUTPUT_JSON) {
        char month[16];
        period_format(period, month);
        json_init(&s->json, context->out, true);
        json_object(&s->json);
        json_key_string(&s->json, "period", month);
        json_key(&s->json, "accounts");
        json_array(&s->json);
        status = show_accounts(s, only, error);
        if (status != STATUS_OK)
            return status;
        json_array_end(&s->json);
        json_object_end(&s->json);
        return STATUS_OK;
    }
    const struct column *columns = s->parts ? by_part[s->dimension] : by_charge;
    table_begin(&s->table, context->out, context->output, context->colour, columns,
                s->parts ? 10 : 9);
    status = show_accounts(s, only, error);
    table_end(&s->table);
    return status;
}

static enum status run(struct context *context, struct error *error)
{
    struct showing s = {.context = context};
    choose_dimension(&s);
    enum status status = session_open(&s.session, context, LEDGER_READ, error);
    uint32_t only = INDEX_NONE;
    if (status == STATUS_OK && context->arguments.word_count)
        status = session_account(&s.session, context->arguments.words[0], &only, error);
    if (status == STATUS_OK)
        status = show_all(&s, only, error);
    fflush(context->out);
    if (status == STATUS_OK && s.no_rate)
        fprintf(context->err,
                "ratel: %u line%s no exchange rate for the period and count%s as 0: load one with "
                "`ratel load` (kind: fx)\n",
                s.no_rate, s.no_rate == 1 ? " has" : "s have", s.no_rate == 1 ? "s" : "");
    session_close(&s.session);
    if (status == STATUS_OK && s.refused) {
        context->reported = true;
        status = STATUS_RANGE;
    }
    return status;
}

const struct verb verb_spend = {
    .name = "spend",
    .summary = "Show what accounts have used and what it costs",
    .words = "[ACCOUNT]",
    .words_min = 0,
    .words_max = 1,
    .description =
        "Shows the spend of one account (its id, or its name where that is unique) or of all, for "
        "a billing period: one line a charge, what has no price "
        "(yet), and the total. The amount is exact; rounded is at the currency's minor unit, and "
        "the total is the sum of the rounded lines, as on the "
        "invoice. With --by, lines are split by resource, day or zone; the parts add up to the "
        "line.\n\n"
        "Reads at any time, also while usage is being ingested: it sees what is committed.",
    .options = {{.name = "period",
                 .value = "YYYY-MM",
                 .help = "billing period in the account's time zone; without it the present one"},
                {.name = "by",
                 .value = "PART",
                 .choices = "charge|resource|day|zone",
                 .fallback = "charge",
                 .help = "how lines are split"}},
    .examples = {{"ratel spend --period 2026-10", "all accounts in October"},
                 {"ratel spend acme --by resource --output csv",
                  "the present month of one account by resource, for a spreadsheet"}},
    .run = run,
};
