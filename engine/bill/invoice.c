#include "bill/invoice.h"

#include <assert.h>

const char *invoice_status_name(enum invoice_status status)
{
    assert(status == INVOICE_DRAFT || status == INVOICE_ISSUED);
    return status == INVOICE_DRAFT ? "draft" : "issued";
}

struct summing {
    int128 step; /* pico-units in a minor unit */
    bool failed;
};

static void add(struct summing *summing, struct money *sum, struct money amount)
{
    if (amount.pico % summing->step != 0 || money_add(*sum, amount, sum) != STATUS_OK)
        summing->failed = true;
}

static bool state_holds(const struct invoice *invoice)
{
    if (invoice->status == INVOICE_DRAFT)
        return invoice->number.length == 0 && invoice->issued.seconds == INT64_MIN &&
               invoice->due.seconds == INT64_MIN;
    return invoice->number.length > 0 && invoice->issued.seconds > INT64_MIN &&
           invoice->due.seconds >= invoice->issued.seconds;
}

static bool line_refers(const struct invoice *invoice, const struct invoice_line *line)
{
    if (line->tax != INVOICE_NONE && line->tax >= invoice->tax_count)
        return false;
    if (line->fx == INVOICE_NONE)
        return currency_equal(line->priced_currency, invoice->currency);
    if (line->fx >= invoice->fx_count)
        return false;
    const struct invoice_fx *fx = &invoice->fx[line->fx];
    return currency_equal(fx->from, line->priced_currency) &&
           currency_equal(fx->to, invoice->currency) && fx->numerator > 0 && fx->denominator > 0;
}

/* The base of every tax is what its lines come to. One pass over the lines per tax: there are few.
 */
static bool bases_hold(const struct invoice *invoice, struct summing *summing)
{
    for (uint32_t i = 0; i < invoice->tax_count; i++) {
        struct money base = {0};
        for (uint32_t j = 0; j < invoice->line_count; j++)
            if (invoice->lines[j].tax == i)
                add(summing, &base, invoice->lines[j].amount);
        if (summing->failed || base.pico != invoice->taxes[i].base.pico)
            return false;
    }
    return true;
}

bool invoice_holds(const struct invoice *invoice, const char **ret_rule)
{
    struct summing summing = {.step =
                                  decimal_power(MONEY_SCALE - currency_digits(invoice->currency))};
    struct money net = {0}, tax = {0}, total = {0};
    *ret_rule = NULL;
    for (uint32_t i = 0; i < invoice->line_count; i++) {
        add(&summing, &net, invoice->lines[i].amount);
        if (!line_refers(invoice, &invoice->lines[i]))
            *ret_rule = "a line names a tax or an exchange rate that is not its own";
    }
    for (uint32_t i = 0; i < invoice->tax_count; i++)
        add(&summing, &tax, invoice->taxes[i].amount);
    add(&summing, &total, net);
    add(&summing, &total, tax);
    if (!bases_hold(invoice, &summing))
        *ret_rule = "a tax is not based on its lines";
    if (summing.failed)
        *ret_rule = "an amount is no whole number of minor units";
    else if (net.pico != invoice->net.pico || tax.pico != invoice->tax.pico ||
             total.pico != invoice->total.pico)
        *ret_rule = "the sums do not add up";
    if (!state_holds(invoice))
        *ret_rule = "number, issue and due date do not fit the status";
    if (invoice->account.length == 0 || invoice->line_count == 0 ||
        invoice->start.seconds >= invoice->end.seconds)
        *ret_rule = "account, lines or period are missing";
    return *ret_rule == NULL;
}

void invoice_check(const struct invoice *invoice)
{
    const char *rule;
    bool holds = invoice_holds(invoice, &rule);
    assert(holds); /* `rule` says in the core which one does not */
}

void invoice_issue(struct invoice *invoice, struct slice number, struct instant now)
{
    assert(invoice->status == INVOICE_DRAFT && number.length > 0);
    invoice->status = INVOICE_ISSUED;
    invoice->number = number;
    invoice->issued = now;
    invoice->due.seconds = now.seconds + (int64_t)invoice->terms_days * 86400;
    invoice_check(invoice);
}
