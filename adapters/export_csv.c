/* CSV (RFC 4180): one row for each invoice line; what belongs to the whole invoice stands in each
 * of its rows. Texts that a spreadsheet would run as a formula get a leading apostrophe (OWASP's
 * advice); amounts and quantities are numbers and stay as they are, also where they begin with a
 * minus. */
#include <assert.h>
#include <stdlib.h>

#include "adapters/export.h"
#include "base/csv.h"

struct export
{
    struct export_file file;
    uint32_t column; /* of the row being written */
};

static const char heading[] =
    "number,account,account_name,currency,period,period_start,period_end,issued,due,charge,"
    "description,"
    "quantity,unit,amount,tax_category,tax_rate,invoice_net,invoice_tax,invoice_total";

enum { COLUMN_COUNT = 19 };

static void put_separator(struct export *export)
{
    if (export->column++)
        putc_unlocked(',', export->file.out);
}

static void put_text(struct export *export, struct slice text)
{
    put_separator(export);
    csv_field(export->file.out, text, false);
}

/* Digits, a point and a minus: nothing that needs quotes. */
static void put_digits(struct export *export, struct slice digits)
{
    put_separator(export);
    fwrite_unlocked(digits.data, 1, digits.length, export->file.out);
}

static void put_amount(struct export *export, struct money amount, struct currency currency)
{
    char text[DECIMAL_TEXT_BYTES];
    put_digits(export, slice_of(text, money_format(amount, currency, text)));
}

static void put_instant(struct export *export, struct instant instant)
{
    char text[INSTANT_TEXT_BYTES];
    put_digits(export, slice_of(text, instant_format(instant, text)));
}

static void put_head(struct export *export, const struct invoice *invoice)
{
    char text[16];
    put_text(export, invoice->number);
    put_text(export, invoice->account);
    put_text(export, invoice->account_name);
    currency_format(invoice->currency, text);
    put_text(export, slice_string(text));
    put_digits(export, slice_of(text, period_format(invoice->period, text)));
    put_instant(export, invoice->start);
    put_instant(export, invoice->end);
    put_instant(export, invoice->issued);
    put_instant(export, invoice->due);
}

static void put_row(struct export *export, const struct invoice *invoice,
                    const struct invoice_line *line)
{
    const struct invoice_tax *tax = line->tax == INVOICE_NONE ? NULL : &invoice->taxes[line->tax];
    char rate[DECIMAL_TEXT_BYTES] = "";
    export->column = 0;
    put_head(export, invoice);
    put_text(export, line->charge);
    put_text(export, line->description);
    put_digits(export, line->quantity);
    put_text(export, line->unit);
    put_amount(export, line->amount, invoice->currency);
    put_text(export, tax ? tax->category : SLICE(""));
    if (tax)
        money_format_exact((struct money){tax->rate_pico}, rate);
    put_digits(export, slice_string(rate));
    put_amount(export, invoice->net, invoice->currency);
    put_amount(export, invoice->tax, invoice->currency);
    put_amount(export, invoice->total, invoice->currency);
    assert(export->column == COLUMN_COUNT);
    fputs_unlocked("\r\n", export->file.out);
}

static enum status csv_open(const char *directory, const char *stem, struct export **ret,
                            struct error *error)
{
    struct export *export = calloc(1, sizeof(*export));
    if (!export)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = export_file_open(&export->file, directory, stem, export_csv.suffix, error);
    if (status != STATUS_OK) {
        free(export);
        return status;
    }
    fprintf(export->file.out, "%s\r\n", heading);
    *ret = export;
    return STATUS_OK;
}

static enum status csv_write(struct export *export, const struct invoice *invoices, uint32_t count,
                             struct error *error)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < invoices[i].line_count; j++)
            put_row(export, &invoices[i], &invoices[i].lines[j]);
    return export_file_check(&export->file, error);
}

static enum status csv_commit(struct export *export, struct error *error)
{
    enum status status = export_file_commit(&export->file, error);
    free(export);
    return status;
}

static void csv_abort(struct export *export)
{
    export_file_abort(&export->file);
    free(export);
}

const struct export_class export_csv = {
    .name = "csv",
    .summary = "CSV (RFC 4180): one row for each invoice line",
    .open = csv_open,
    .write = csv_write,
    .commit = csv_commit,
    .abort = csv_abort,
    .suffix = ".csv",
};
