/* `ratel invoice`: list, show and export what billing made. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/export.h"
#include "base/json.h"
#include "engine/billing.h"
#include "ratel/context.h"

/* ---- what the sub-verbs share
 * --------------------------------------------------------------------- */

/* --period and --account. The account is matched against the invoices, which outlive the documents.
 */
static enum status read_filter(const struct context *context, struct invoice_filter *ret,
                               struct error *error)
{
    *ret = (struct invoice_filter){.account = slice_string(context_option(context, "account"))};
    if (!context_option(context, "period"))
        return STATUS_OK;
    ret->has_period = true;
    return context_period(context, NULL, &ret->period, error);
}

static void cell_amount(struct table *table, struct money amount, struct currency currency)
{
    char text[DECIMAL_TEXT_BYTES];
    table_cell(table, slice_of(text, money_format(amount, currency, text)));
}

static void cell_currency(struct table *table, struct currency currency)
{
    char text[4];
    currency_format(currency, text);
    table_string(table, text);
}

/* "2026-11-01", or nothing for a draft. */
static void cell_day(struct table *table, struct instant instant)
{
    char text[INSTANT_TEXT_BYTES] = "";
    if (instant.seconds != INSTANT_MIN.seconds)
        instant_format(instant, text);
    table_cell(table, slice_of(text, strlen(text) ? 10 : 0));
}

/* ---- list
 * ----------------------------------------------------------------------------------------- */

struct listing {
    struct context *context;
    struct json json;
    struct table table;
};

static enum status list_json(const struct invoice *invoice, void *context, struct error *error)
{
    (void)error;
    struct json *json = &((struct listing *)context)->json;
    char text[16];
    json_object(json);
    if (invoice->number.length)
        json_key_slice(json, "number", invoice->number);
    else
        json_key_string(json, "number", NULL);
    json_key_slice(json, "account", invoice->account);
    json_key_slice(json, "account_name", invoice->account_name);
    json_key_string(json, "status", invoice_status_name(invoice->status));
    period_format(invoice->period, text);
    json_key_string(json, "period", text);
    currency_format(invoice->currency, text);
    json_key_string(json, "currency", text);
    json_key_amount(json, "net", invoice->net, invoice->currency);
    json_key_amount(json, "tax", invoice->tax, invoice->currency);
    json_key_amount(json, "total", invoice->total, invoice->currency);
    json_key_instant(json, "issued", invoice->issued);
    json_key_instant(json, "due", invoice->due);
    json_object_end(json);
    return STATUS_OK;
}

/* A draft's name is what `ratel invoice show` takes: it has no number yet. */
static void cell_name(struct listing *listing, const struct invoice *invoice)
{
    struct bill_key key = bill_draft_key(invoice->period, invoice->account);
    bool spreadsheet = listing->context->output == OUTPUT_CSV;
    table_cell(&listing->table,
               invoice->number.length || spreadsheet ? invoice->number : bill_key_slice(&key));
}

static enum status list_row(const struct invoice *invoice, void *context, struct error *error)
{
    (void)error;
    struct listing *listing = context;
    struct table *table = &listing->table;
    char month[16];
    period_format(invoice->period, month);
    cell_name(listing, invoice);
    table_string(table, invoice_status_name(invoice->status));
    table_string(table, month);
    table_cell(table, invoice->account);
    table_cell(table, invoice->account_name);
    cell_day(table, invoice->issued);
    cell_day(table, invoice->due);
    cell_amount(table, invoice->net, invoice->currency);
    cell_amount(table, invoice->tax, invoice->currency);
    cell_amount(table, invoice->total, invoice->currency);
    cell_currency(table, invoice->currency);
    return STATUS_OK;
}

static enum status list_all(struct listing *listing, const struct invoice_filter *filter,
                            struct error *error)
{
    static const struct column columns[] = {
        {"number", false}, {"status", false}, {"period", false},  {"account", false},
        {"name", false},   {"issued", false}, {"due", false},     {"net", true},
        {"tax", true},     {"total", true},   {"currency", false}};
    struct context *context = listing->context;
    if (context->output != OUTPUT_JSON) {
        table_begin(&listing->table, context->out, context->output, context->colour, columns,
                    sizeof(columns) / sizeof(columns[0]));
        enum status status = invoice_walk(context->book, filter, list_row, listing, error);
        table_end(&listing->table);
        return status;
    }
    json_init(&listing->json, context->out, true);
    json_object(&listing->json);
    json_key(&listing->json, "invoices");
    json_array(&listing->json);
    enum status status = invoice_walk(context->book, filter, list_json, listing, error);
    if (status != STATUS_OK)
        return status;
    json_array_end(&listing->json);
    json_object_end(&listing->json);
    return STATUS_OK;
}

static enum status run_list(struct context *context, struct error *error)
{
    struct invoice_filter filter;
    struct listing listing = {.context = context};
    const char *wanted = context_option(context, "status");
    enum status status = read_filter(context, &filter, error);
    if (status == STATUS_OK)
        status = context_open(context, DATADIR_READ, error);
    if (status != STATUS_OK)
        return status;
    filter.drafts = !wanted || strcmp(wanted, "draft") == 0;
    filter.issued = !wanted || strcmp(wanted, "issued") == 0;
    return list_all(&listing, &filter, error);
}

/* ---- show
 * ----------------------------------------------------------------------------------------- */

static void show_text(FILE *out, const char *label, struct slice text)
{
    if (text.length == 0)
        return;
    fprintf(out, "%-10s", label);
    print_clean(out, text);
    putc('\n', out);
}

static void show_amount(FILE *out, const char *label, struct money amount, struct currency currency)
{
    char text[DECIMAL_TEXT_BYTES], code[4];
    money_format(amount, currency, text);
    currency_format(currency, code);
    fprintf(out, "%-10s%s %s\n", label, text, code);
}

static void show_instant(FILE *out, const char *label, struct instant instant)
{
    char text[INSTANT_TEXT_BYTES];
    if (instant.seconds != INSTANT_MIN.seconds)
        show_text(out, label, slice_of(text, instant_format(instant, text)));
}

static void show_head(FILE *out, const struct invoice *invoice)
{
    char month[16];
    period_format(invoice->period, month);
    show_text(out, "invoice", invoice->number.length ? invoice->number : SLICE("(draft)"));
    show_text(out, "account", invoice->account);
    show_text(out, "name", invoice->account_name);
    show_text(out, "tax id", invoice->tax_id);
    show_text(out, "period", slice_string(month));
    show_instant(out, "from", invoice->start);
    show_instant(out, "to", invoice->end);
    show_instant(out, "issued", invoice->issued);
    show_instant(out, "due", invoice->due);
    putc('\n', out);
}

static void show_lines(struct context *context, const struct invoice *invoice)
{
    static const struct column columns[] = {{"charge", false},  {"description", false},
                                            {"quantity", true}, {"unit", false},
                                            {"amount", true},   {"tax", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns,
                sizeof(columns) / sizeof(columns[0]));
    for (uint32_t i = 0; i < invoice->line_count; i++) {
        const struct invoice_line *line = &invoice->lines[i];
        table_cell(&table, line->charge);
        table_cell(&table, line->description);
        table_cell(&table, line->quantity);
        table_cell(&table, line->unit);
        cell_amount(&table, line->amount, invoice->currency);
        table_cell(&table,
                   line->tax == INVOICE_NONE ? SLICE("") : invoice->taxes[line->tax].category);
    }
    table_end(&table);
}

static void show_sums(FILE *out, const struct invoice *invoice)
{
    char rate[DECIMAL_TEXT_BYTES], text[DECIMAL_TEXT_BYTES], from[4], to[4];
    putc('\n', out);
    show_amount(out, "net", invoice->net, invoice->currency);
    for (uint32_t i = 0; i < invoice->tax_count; i++) {
        const struct invoice_tax *tax = &invoice->taxes[i];
        money_format_exact((struct money){tax->rate_pico}, rate);
        money_format(tax->amount, invoice->currency, text);
        fprintf(out, "tax       %s (%.*s, %s %% of ", text, (int)tax->category.length,
                tax->category.data, rate);
        money_format(tax->base, invoice->currency, text);
        fprintf(out, "%s)\n", text);
    }
    show_amount(out, "total", invoice->total, invoice->currency);
    for (uint32_t i = 0; i < invoice->fx_count; i++) {
        const struct invoice_fx *fx = &invoice->fx[i];
        money_format_exact((struct money){fx->rate_pico}, rate);
        currency_format(fx->from, from);
        currency_format(fx->to, to);
        instant_format((struct instant){(int64_t)fx->day * 86400}, text);
        fprintf(out, "rate      1 %s = %s %s on %.10s, ", from, rate, to, text);
        print_clean(out, fx->source);
        putc('\n', out);
    }
    for (uint32_t i = 0; i < invoice->note_count; i++)
        show_text(out, "note", invoice->notes[i]);
}

static enum status run_show(struct context *context, struct error *error)
{
    struct invoice invoice;
    enum status status = context_open(context, DATADIR_READ, error);
    if (status == STATUS_OK)
        status = invoice_find(context->book, slice_string(context->arguments.words[0]),
                              &context->arena, &invoice, error);
    if (status != STATUS_OK)
        return status;
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        invoice_write_json(&invoice, &json);
        return STATUS_OK;
    }
    bool people = context->output == OUTPUT_TABLE;
    if (people)
        show_head(context->out, &invoice);
    show_lines(context, &invoice);
    if (people)
        show_sums(context->out, &invoice);
    return STATUS_OK;
}

/* ---- export
 * --------------------------------------------------------------------------------------- */

struct exporting {
    const struct export_class *class;
    struct export *export;
    uint32_t count;
};

static enum status export_one(const struct invoice *invoice, void *context, struct error *error)
{
    struct exporting *exporting = context;
    exporting->count++;
    return exporting->class->write(exporting->export, invoice, 1, error);
}

static enum status make_directory(const char *path, struct error *error)
{
    struct stat stat;
    if (mkdir(path, 0750) == 0)
        return STATUS_OK;
    int number = errno;
    if (number == EEXIST && lstat(path, &stat) == 0 && !S_ISREG(stat.st_mode))
        return STATUS_OK; /* a directory, or a link to one */
    enum status status = status_from_errno(number);
    return error_set(
        error, status == STATUS_NOT_FOUND || number == EEXIST ? STATUS_CANNOT_CREATE : status,
        "cannot create the directory %s: %s%s", path, strerror(number), status_remedy(number));
}

static void show_exported(struct context *context, const struct exporting *exporting,
                          const char *path)
{
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_string(&json, "format", exporting->class->name);
        json_key_integer(&json, "invoices", exporting->count);
        json_key(&json, "files");
        json_array(&json);
        json_string(&json, slice_string(path));
        json_array_end(&json);
        json_object_end(&json);
        return;
    }
    static const struct column columns[] = {{"file", false}, {"invoices", true}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 2);
    table_string(&table, path);
    table_integer(&table, exporting->count);
    table_end(&table);
}

static enum status run_export(struct context *context, struct error *error)
{
    const char *directory = context_option(context, "out");
    struct exporting exporting = {.class = export_find(context_option(context, "format"))};
    struct invoice_filter filter;
    char stem[64] = "invoices", month[16];
    assert(exporting.class);
    enum status status = read_filter(context, &filter, error);
    if (status != STATUS_OK)
        return status;
    filter.issued = true;
    if (filter.has_period) {
        period_format(filter.period, month);
        snprintf(stem, sizeof(stem), "invoices-%s", month);
    }
    status = context_open(context, DATADIR_READ, error);
    if (status == STATUS_OK)
        status = make_directory(directory, error);
    if (status == STATUS_OK)
        status = exporting.class->open(directory, stem, &exporting.export, error);
    if (status != STATUS_OK)
        return status;
    status = invoice_walk(context->book, &filter, export_one, &exporting, error);
    if (status != STATUS_OK) {
        exporting.class->abort(exporting.export);
        return status;
    }
    status = exporting.class->commit(exporting.export, error);
    if (status == STATUS_OK)
        show_exported(
            context, &exporting,
            arena_printf(&context->arena, "%s/%s%s", directory, stem, exporting.class->suffix));
    return status;
}

#define OPTION_PERIOD                                                                              \
    {                                                                                              \
        .name = "period", .value = "YYYY-MM", .help = "invoices of one billing period"             \
    }
#define OPTION_ACCOUNT                                                                             \
    {                                                                                              \
        .name = "account", .value = "ID", .help = "invoices of one account, by id or name"         \
    }

static const struct verb verb_list = {
    .name = "list",
    .summary = "List drafts and issued invoices",
    .description = "Lists drafts by period and account, then issued invoices by number.\n\n"
                   "JSON: {\"invoices\": [{\"number\": ..., \"account\": ..., \"status\": ..., "
                   "\"period\": ..., \"currency\": ..., \"net\": ..., "
                   "\"tax\": ..., \"total\": ..., \"issued\": ..., \"due\": ...}]}; the number of "
                   "a draft is null.",
    .options = {OPTION_PERIOD,
                OPTION_ACCOUNT,
                {.name = "status",
                 .value = "STATUS",
                 .choices = "draft|issued",
                 .help = "drafts or issued ones only"}},
    .examples = {{"ratel invoice list --period 2026-10", "October's invoices"},
                 {"ratel invoice list --status draft", "what waits for `ratel bill finalize`"}},
    .run = run_list,
};

static const struct verb verb_show = {
    .name = "show",
    .summary = "Show an invoice with its lines, taxes and exchange rates",
    .words = "NUMBER",
    .words_min = 1,
    .words_max = 1,
    .description = "Shows an issued invoice by its number, or a draft by its period and account as "
                   "2026-10/ACCOUNT. Issued invoices are shown as "
                   "they were issued, whatever has become of rate cards and accounts since.\n\n"
                   "JSON: {\"number\": ..., \"kind\": \"invoice\", \"status\": ..., \"account\": "
                   "..., \"currency\": ..., \"period\": {\"start\": ..., "
                   "\"end\": ...}, \"issued\": ..., \"due\": ..., \"lines\": [...], \"taxes\": "
                   "[...], \"net\": ..., \"tax\": ..., \"total\": ..., "
                   "\"fx\": [...], \"notes\": [...]}.",
    .examples = {{"ratel invoice show INV-2026-000001", "for people"},
                 {"ratel invoice show INV-2026-000001 --output json", "the whole document"}},
    .run = run_show,
};

static const struct verb verb_export = {
    .name = "export",
    .summary = "Write issued invoices to a file, as a batch",
    .description = "Writes the issued invoices, all or of one period or account, to "
                   "DIR/invoices-PERIOD.SUFFIX (without --period: "
                   "DIR/invoices.SUFFIX). jsonl is one invoice a line as `ratel invoice show "
                   "--output json` has it; csv is one row for each "
                   "invoice line. The file appears when it is complete and replaces an older one; "
                   "a failed export leaves nothing.",
    .options = {{.name = "format",
                 .value = "FORMAT",
                 .choices = "csv|jsonl",
                 .required = true,
                 .help = "what is written"},
                {.name = "out",
                 .value = "DIR",
                 .required = true,
                 .help = "the directory; made when it is not there"},
                OPTION_PERIOD,
                OPTION_ACCOUNT},
    .examples = {{"ratel invoice export --format csv --out export --period 2026-10",
                  "October's invoice lines for a spreadsheet"},
                 {"ratel invoice export --format jsonl --out export", "all invoices"}},
    .run = run_export,
};

const struct verb verb_invoice = {
    .name = "invoice",
    .summary = "List, show and export invoices",
    .description =
        "Invoices are made with `ratel bill`. Drafts can still change; what is issued never does.",
    .subverbs = {&verb_list, &verb_show, &verb_export},
};
