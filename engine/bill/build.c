#include "bill/build.h"

#include <assert.h>

#include "bill/tax.h"

/* The index of the rate in the document. All lines of a period are converted on one day, so a pair
 * of currencies has one rate. */
static uint32_t rate_index(struct invoice *invoice, struct currency from, const struct fx_use *use)
{
    for (uint32_t i = 0; i < invoice->fx_count; i++) {
        const struct invoice_fx *fx = &invoice->fx[i];
        if (!currency_equal(fx->from, from))
            continue;
        assert(fx->numerator == use->numerator && fx->denominator == use->denominator);
        return i;
    }
    invoice->fx[invoice->fx_count] = (struct invoice_fx){
        .from = from,
        .to = invoice->currency,
        .numerator = use->numerator,
        .denominator = use->denominator,
        .rate_pico = use->rate_pico,
        .day = use->day,
        .source = use->source,
    };
    return invoice->fx_count++;
}

/* The rate of a line; for one whose prices are in several currencies its parts' rates are named,
 * and the line, which is in the invoice's currency already, refers to none. */
static uint32_t line_rates(struct invoice *invoice, const struct spend_line *line)
{
    for (uint32_t i = 0; i < line->part_count; i++)
        if (line->parts[i].converted)
            (void)rate_index(invoice, line->parts[i].currency, &line->parts[i].fx);
    return line->converted ? rate_index(invoice, line->priced_currency, &line->fx) : INVOICE_NONE;
}

static uint32_t rates_max(const struct spend *spend)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < spend->line_count; i++)
        count += 1 + spend->lines[i].part_count;
    return count;
}

static struct invoice_line build_line(const struct snapshot *snapshot, const struct spend *spend,
                                      const struct spend_line *line, struct arena *arena,
                                      struct invoice *invoice)
{
    char quantity[DECIMAL_TEXT_BYTES];
    size_t length =
        charge_quantity_format(snapshot, line->plan, spend->period, line->quantity, quantity);
    static_assert((int)LIMIT_MINIMUM == (int)INVOICE_LIMIT_MINIMUM &&
                      (int)LIMIT_MAXIMUM == (int)INVOICE_LIMIT_MAXIMUM,
                  "spend and invoice number the limits alike");
    return (struct invoice_line){
        .charge = line->charge->code,
        .description = line->charge->description,
        .meter = line->charge->meter_name,
        .quantity = arena_copy(arena, slice_of(quantity, length)),
        .unit = slice_string(line->charge->unit.text),
        .priced_currency = line->priced_currency,
        .priced = line->priced,
        .amount = line->rounded,
        .limit = (enum invoice_limit)line->limit,
        .tax_class = line->charge->tax_class,
        .tax = INVOICE_NONE,
        .fx = line_rates(invoice, line),
    };
}

enum status invoice_build(const struct snapshot *snapshot, const struct spend *spend,
                          struct arena *arena, struct invoice *ret, struct error *error)
{
    assert(spend->line_count > 0 && spend->no_rate_count == 0);
    const struct account *account = &snapshot->accounts[spend->account];
    struct invoice invoice = {
        .status = INVOICE_DRAFT,
        .account = account->id,
        .account_name = account->name,
        .tax_country = account->tax_country,
        .tax_id = account->tax_id,
        .currency = spend->currency,
        .period = spend->period,
        .start = spend->start,
        .end = spend->end,
        .timezone = slice_string(zone_name(account->zone)),
        .terms_days = account->terms_days,
        .issued = INSTANT_MIN,
        .due = INSTANT_MIN,
        .line_count = spend->line_count,
        .net = spend->total,
    };
    invoice.lines = arena_alloc(arena, spend->line_count * sizeof(*invoice.lines));
    invoice.fx = arena_alloc(arena, rates_max(spend) * sizeof(*invoice.fx));
    for (uint32_t i = 0; i < spend->line_count; i++)
        invoice.lines[i] = build_line(snapshot, spend, &spend->lines[i], arena, &invoice);
    invoice.notes = arena_alloc(arena, tax_notes_max(&invoice) * sizeof(*invoice.notes));
    enum status status = tax_apply(snapshot, account, arena, &invoice, error);
    if (status != STATUS_OK)
        return status;
    if (money_add(invoice.net, invoice.tax, &invoice.total) != STATUS_OK)
        return error_set(error, STATUS_RANGE, "the total of account %.*s overflows",
                         (int)account->id.length, account->id.data);
    invoice_check(&invoice);
    *ret = invoice;
    return STATUS_OK;
}
