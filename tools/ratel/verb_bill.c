/* `ratel bill`: from the usage of a period to its invoices: preview, drafts, issue. */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "engine/billing.h"
#include "ratel/session.h"

enum billing_step { STEP_PREVIEW, STEP_RUN, STEP_FINALIZE };

struct billing {
    struct context *context;
    enum billing_step step;
    struct session session;
    struct bill_store store;
    struct bill_request request;
    struct bill bill;
};

/* ---- opening
 * -------------------------------------------------------------------------------------- */

/* Billing reads the ledgers only; run and finalize hold the LOCK, so that nothing moves under them.
 */
static enum status open_billing(struct billing *billing, struct error *error)
{
    struct context *context = billing->context;
    enum status status =
        context_open(context, billing->step == STEP_PREVIEW ? DATADIR_READ : DATADIR_WRITE, error);
    if (status == STATUS_OK)
        status = session_open(&billing->session, context, LEDGER_READ, error);
    if (status == STATUS_OK)
        billing->store = billing_store(context->book);
    return status;
}

static void close_billing(struct billing *billing)
{
    session_close(&billing->session);
    bill_fini(&billing->bill);
}

static enum status read_request(struct billing *billing, struct error *error)
{
    struct context *context = billing->context;
    struct bill_request *request = &billing->request;
    const char *account = context_option(context, "account");
    *request = (struct bill_request){
        .snapshot = billing->session.snapshot,
        .ledgers = billing->session.ledgers,
        .account = INDEX_NONE,
        .now = context_now(context),
        .series = SLICE("INV"),
    };
    if (billing->step == STEP_FINALIZE) {
        request->series = slice_string(context_option(context, "series"));
        if (!bill_series_valid(request->series))
            return error_set(
                error, STATUS_USAGE,
                "option --series: \"%s\" is no name of a series: up to %d capital letters, "
                "digits and dashes, such as INV",
                context_option(context, "series"), BILL_SERIES_BYTES_MAX);
    }
    enum status status = context_period(context, NULL, &request->period, error);
    if (status == STATUS_OK && account)
        status = session_account(&billing->session, account, &request->account, error);
    return status;
}

/* ---- showing
 * -------------------------------------------------------------------------------------- */

/* The documents that this run is about, one after the other. */
typedef void show_invoice(struct billing *billing, const struct invoice *invoice, void *context);

static enum status each_invoice(struct billing *billing, show_invoice *show, void *context,
                                struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < billing->bill.count && status == STATUS_OK; i++) {
        const struct bill_item *item = &billing->bill.items[i];
        if (item->state != BILL_READY && item->state != BILL_ISSUED)
            continue;
        struct arena arena;
        struct invoice invoice;
        arena_init(&arena);
        status = bill_item_invoice(&billing->request, item, &arena, &invoice, error);
        if (status == STATUS_OK)
            show(billing, &invoice, context);
        arena_fini(&arena);
    }
    return status;
}

static void show_invoice_json(struct billing *billing, const struct invoice *invoice, void *context)
{
    (void)billing;
    invoice_write_json(invoice, context);
}

static void show_items_json(const struct billing *billing, struct json *json, const char *key,
                            enum bill_state state)
{
    json_key(json, key);
    json_array(json);
    for (uint32_t i = 0; i < billing->bill.count; i++) {
        const struct bill_item *item = &billing->bill.items[i];
        if (item->state != state)
            continue;
        json_object(json);
        json_key_slice(json, "account", billing->session.snapshot->accounts[item->account].id);
        if (state == BILL_INVOICED)
            json_key_string(json, "number", item->number);
        else
            json_key_slice(json, "reason", item->reason);
        json_object_end(json);
    }
    json_array_end(json);
}

static const char *step_state(const struct billing *billing)
{
    static const char *const names[] = {"preview", "drafted", "issued"};
    return names[billing->step];
}

static enum status show_json(struct billing *billing, struct error *error)
{
    struct json json;
    char month[16];
    period_format(billing->request.period, month);
    json_init(&json, billing->context->out, true);
    json_object(&json);
    json_key_string(&json, "period", month);
    json_key_string(&json, "status", step_state(billing));
    json_key(&json, "invoices");
    json_array(&json);
    enum status status = each_invoice(billing, show_invoice_json, &json, error);
    if (status != STATUS_OK)
        return status;
    json_array_end(&json);
    show_items_json(billing, &json, "invoiced_before", BILL_INVOICED);
    show_items_json(billing, &json, "refused", BILL_REFUSED);
    json_key(&json, "warnings");
    json_array(&json);
    for (uint32_t i = 0; i < billing->bill.warnings.count; i++)
        json_string(&json, billing->bill.warnings.items[i]);
    json_array_end(&json);
    json_object_end(&json);
    return STATUS_OK;
}

static void show_invoice_row(struct billing *billing, const struct invoice *invoice, void *context)
{
    struct table *table = context;
    char text[DECIMAL_TEXT_BYTES];
    (void)billing;
    table_cell(table, invoice->number);
    table_string(table, invoice_status_name(invoice->status));
    table_cell(table, invoice->account);
    table_cell(table, invoice->account_name);
    table_integer(table, invoice->line_count);
    const struct money amounts[] = {invoice->net, invoice->tax, invoice->total};
    for (int i = 0; i < 3; i++)
        table_cell(table, slice_of(text, money_format(amounts[i], invoice->currency, text)));
    currency_format(invoice->currency, text);
    table_string(table, text);
}

static enum status show_table(struct billing *billing, struct error *error)
{
    static const struct column columns[] = {
        {"number", false}, {"status", false}, {"account", false},
        {"name", false},   {"lines", true},   {"net", true},
        {"tax", true},     {"total", true},   {"currency", false}};
    struct context *context = billing->context;
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns,
                sizeof(columns) / sizeof(columns[0]));
    enum status status = each_invoice(billing, show_invoice_row, &table, error);
    table_end(&table);
    return status;
}

#define WARNINGS_SHOWN 5 /* of a cloud with many accounts nobody reads more */

/* What is not in the table: on standard error, one line each. */
static void tell(const struct billing *billing)
{
    FILE *err = billing->context->err;
    const struct bill *bill = &billing->bill;
    char month[16];
    period_format(billing->request.period, month);
    for (uint32_t i = 0; i < bill->warnings.count && i < WARNINGS_SHOWN; i++) {
        fputs("ratel: warning: ", err);
        print_clean(err, bill->warnings.items[i]);
        putc('\n', err);
    }
    if (bill->warnings.count > WARNINGS_SHOWN)
        fprintf(err, "ratel: %u more warnings: `--output json` has them all\n",
                bill->warnings.count - WARNINGS_SHOWN);
    if (bill->invoiced_count > 0)
        fprintf(err, "ratel: %u account%s invoiced for %s already and left alone\n",
                bill->invoiced_count, bill->invoiced_count == 1 ? " is" : "s are", month);
    if (billing->step == STEP_FINALIZE && bill->issued_count == 0 && bill->refused_count == 0)
        fprintf(err, "ratel: %s: nothing to do\n", month);
}

/* ---- running
 * -------------------------------------------------------------------------------------- */

static enum status compute(struct billing *billing, struct error *error)
{
    switch (billing->step) {
    case STEP_PREVIEW:
        return bill_preview(&billing->request, &billing->store, &billing->bill, error);
    case STEP_RUN:
        return bill_run(&billing->request, &billing->store, &billing->bill, error);
    case STEP_FINALIZE:
        return bill_finalize(&billing->request, &billing->store, &billing->bill, error);
    }
    return error_set(error, STATUS_BUG, "no such step");
}

static enum status run_step(struct context *context, enum billing_step step, struct error *error)
{
    struct billing billing = {.context = context, .step = step};
    bill_init(&billing.bill);
    enum status status = open_billing(&billing, error);
    if (status == STATUS_OK)
        status = read_request(&billing, error);
    if (status == STATUS_OK)
        status = compute(&billing, error);
    if (status == STATUS_OK)
        status = context->output == OUTPUT_JSON ? show_json(&billing, error)
                                                : show_table(&billing, error);
    if (status == STATUS_OK)
        tell(&billing);
    /* The others went on; this comes last, so that it decides the exit code. */
    if (status == STATUS_OK)
        status = bill_refusals(&billing.request, &billing.bill, error);
    close_billing(&billing);
    return status;
}

static enum status run_preview(struct context *context, struct error *error)
{
    return run_step(context, STEP_PREVIEW, error);
}

static enum status run_run(struct context *context, struct error *error)
{
    return run_step(context, STEP_RUN, error);
}

static enum status run_finalize(struct context *context, struct error *error)
{
    return run_step(context, STEP_FINALIZE, error);
}

#define OPTION_PERIOD                                                                              \
    {                                                                                              \
        .name = "period", .value = "YYYY-MM", .required = true,                                    \
        .help = "billing period, in each account's time zone"                                      \
    }
#define OPTION_ACCOUNT                                                                             \
    {                                                                                              \
        .name = "account", .value = "ID", .help = "one account only, by id or name"                \
    }

#define SHAPE                                                                                      \
    "JSON: {\"period\": ..., \"status\": ..., \"invoices\": [...], \"invoiced_before\": "          \
    "[{\"account\": ..., \"number\": ...}], \"refused\": [{\"account\": ..., \"reason\": ...}], "  \
    "\"warnings\": [...]}; invoices as `ratel invoice show` writes them."

static const struct verb verb_preview = {
    .name = "preview",
    .summary = "Compute the invoices of a period and store nothing",
    .description = "Computes what every account would be invoiced for the period, as usage and "
                   "prices are now. Works at any time, also while usage "
                   "is being ingested and while the period is still running. Accounts without "
                   "billable usage have no invoice.\n\n" SHAPE,
    .options = {OPTION_PERIOD, OPTION_ACCOUNT},
    .examples = {{"ratel bill preview --period 2026-10", "all accounts in October"},
                 {"ratel bill preview --period 2026-10 --account acme --output json",
                  "one account, with its lines"}},
    .run = run_preview,
};

static const struct verb verb_run = {
    .name = "run",
    .summary = "Store the drafts of a period's invoices",
    .description = "Computes the invoices of the period and stores them as drafts, to be looked at "
                   "with `ratel invoice list` and `ratel invoice "
                   "show`. A second run replaces the drafts; accounts that are invoiced for the "
                   "period already are left alone.\n\n"
                   "An account whose charges cannot be converted into its currency, or whose sums "
                   "overflow, is refused and named; the others go on and "
                   "the exit code is 65. Usage without a price is warned of, and so is an invoice "
                   "that would come out differently now.\n\n" SHAPE,
    .options = {OPTION_PERIOD, OPTION_ACCOUNT},
    .examples = {{"ratel bill run --period 2026-10", "draft October"}},
    .run = run_run,
};

static const struct verb verb_finalize = {
    .name = "finalize",
    .summary = "Issue the drafts of a period: numbers, immutable invoices, messages",
    .description = "Issues the drafts of the period; without drafts it makes them first. Each "
                   "invoice gets the next number of its series and year, "
                   "without gaps, is stored for good, and a message about it is put into the "
                   "outbox. All of it is one transaction: after a crash "
                   "either everything is issued or nothing, and running it again gives the same "
                   "numbers. An account has one invoice a period; "
                   "finalizing again has nothing to do.\n\n"
                   "A period that is not over is refused (exit code 65). When usage or prices have "
                   "changed since the drafts were made, nothing is "
                   "issued and the accounts are named (exit code 75): look at the changes with "
                   "`ratel bill run` and finalize again.\n\n" SHAPE,
    .options = {OPTION_PERIOD,
                OPTION_ACCOUNT,
                {.name = "series",
                 .value = "NAME",
                 .fallback = "INV",
                 .help = "series of numbers, the first part of INV-2026-000001"}},
    .examples = {{"ratel bill finalize --period 2026-10", "issue October's invoices"}},
    .run = run_finalize,
};

const struct verb verb_bill = {
    .name = "bill",
    .summary = "Make the invoices of a period: preview, run, finalize",
    .description = "The way to an invoice has three steps: look at what it would be, store drafts "
                   "for everybody to check, and issue them.",
    .subverbs = {&verb_preview, &verb_run, &verb_finalize},
};
