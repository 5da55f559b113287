#include "bill/tax.h"

#include <assert.h>
#include <stdlib.h>

enum status tax_amount(struct money base, int128 rate_pico, struct currency currency,
                       struct money *ret)
{
    int128 step = decimal_power(MONEY_SCALE - currency_digits(currency));
    int128 minor_units, pico;
    assert(base.pico % step == 0 && rate_pico >= 0);
    enum status status = wide_divide(wide_multiply(base.pico / step, rate_pico),
                                     100 * PICO_PER_UNIT, ROUND_HALF_EVEN, &minor_units);
    if (status == STATUS_OK)
        status = int128_multiply(minor_units, step, &pico);
    if (status == STATUS_OK)
        ret->pico = pico;
    return status;
}

uint32_t tax_notes_max(const struct invoice *invoice)
{
    return 2 * invoice->line_count + 1; /* one for each class and one for each category, at most */
}

static void note_once(struct invoice *invoice, struct slice note)
{
    for (uint32_t i = 0; i < invoice->note_count; i++)
        if (slice_equal(invoice->notes[i], note))
            return;
    invoice->notes[invoice->note_count++] = note;
}

/* The day that rules are looked up by: the period's last, in the account's zone. */
static int32_t tax_day(const struct account *account, const struct invoice *invoice)
{
    struct civil last = zone_civil(account->zone, (struct instant){invoice->end.seconds - 1});
    return (int32_t)civil_to_days(last.year, last.month, last.day);
}

static const struct tax_rule *rule_of(const struct snapshot *snapshot,
                                      const struct account *account,
                                      const struct invoice_line *line, int32_t day)
{
    struct slice class = account->tax_class.length ? account->tax_class : line->tax_class;
    return snapshot_tax(snapshot, account->tax_country, class, day);
}

static bool same_category(const struct invoice_tax *tax, const struct tax_rule *rule)
{
    return tax->rate_pico == rule->rate_pico && slice_equal(tax->category, rule->category);
}

static uint32_t category_of(const struct invoice *invoice, const struct tax_rule *rule)
{
    for (uint32_t i = 0; i < invoice->tax_count; i++)
        if (same_category(&invoice->taxes[i], rule))
            return i;
    return INVOICE_NONE;
}

static int compare_taxes(const void *left, const void *right)
{
    const struct invoice_tax *a = left, *b = right;
    int order = slice_compare(a->category, b->category);
    return order ? order : (a->rate_pico > b->rate_pico) - (a->rate_pico < b->rate_pico);
}

/* The texts that a reader expects where no tax is charged. Source of the codes: UNCL 5305 as used
 * by EN 16931. */
static void note_category(struct invoice *invoice, struct slice category)
{
    static const struct {
        const char *category;
        const char *note;
    } notes[] = {
        {"AE", "Reverse charge: the recipient owes the tax."},
        {"E", "Exempt from tax."},
        {"G", "Export, free of tax."},
        {"K", "Intra-Community supply, free of tax."},
        {"O", "Not subject to tax."},
    };
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
        if (slice_is(category, notes[i].category))
            note_once(invoice, slice_string(notes[i].note));
}

static void note_no_rule(const struct account *account, const struct invoice_line *line,
                         int32_t day, struct arena *arena, struct invoice *invoice)
{
    struct slice class = account->tax_class.length ? account->tax_class : line->tax_class;
    char date[INSTANT_TEXT_BYTES];
    instant_format((struct instant){(int64_t)day * 86400}, date);
    note_once(invoice, slice_string(arena_printf(
                           arena, "No tax on class %.*s: there is no rule for %.*s on %.10s.",
                           (int)class.length, class.data, (int)account->tax_country.length,
                           account->tax_country.data, date)));
}

/* Which categories there are, in their order. */
static void find_categories(const struct snapshot *snapshot, const struct account *account,
                            int32_t day, struct arena *arena, struct invoice *invoice)
{
    invoice->taxes = arena_alloc(arena, (invoice->line_count + 1) * sizeof(*invoice->taxes));
    invoice->tax_count = 0;
    for (uint32_t i = 0; i < invoice->line_count; i++) {
        const struct tax_rule *rule = rule_of(snapshot, account, &invoice->lines[i], day);
        if (!rule)
            note_no_rule(account, &invoice->lines[i], day, arena, invoice);
        else if (category_of(invoice, rule) == INVOICE_NONE)
            invoice->taxes[invoice->tax_count++] =
                (struct invoice_tax){.category = rule->category, .rate_pico = rule->rate_pico};
    }
    if (invoice->tax_count)
        qsort(invoice->taxes, invoice->tax_count, sizeof(*invoice->taxes), compare_taxes);
}

enum status tax_apply(const struct snapshot *snapshot, const struct account *account,
                      struct arena *arena, struct invoice *invoice, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < invoice->line_count; i++)
        invoice->lines[i].tax = INVOICE_NONE;
    invoice->tax = (struct money){0};
    if (account->tax_country.length == 0) {
        note_once(invoice, SLICE("No tax: the account has no tax country."));
        return STATUS_OK;
    }
    int32_t day = tax_day(account, invoice);
    find_categories(snapshot, account, day, arena, invoice);
    for (uint32_t i = 0; i < invoice->line_count && status == STATUS_OK; i++) {
        const struct tax_rule *rule = rule_of(snapshot, account, &invoice->lines[i], day);
        if (!rule)
            continue;
        uint32_t index = category_of(invoice, rule);
        invoice->lines[i].tax = index;
        struct money *base = &invoice->taxes[index].base;
        status = money_add(*base, invoice->lines[i].amount, base);
    }
    for (uint32_t i = 0; i < invoice->tax_count && status == STATUS_OK; i++) {
        struct invoice_tax *tax = &invoice->taxes[i];
        note_category(invoice, tax->category);
        status = tax_amount(tax->base, tax->rate_pico, invoice->currency, &tax->amount);
        if (status == STATUS_OK)
            status = money_add(invoice->tax, tax->amount, &invoice->tax);
    }
    if (status != STATUS_OK)
        return error_set(error, status,
                         "the tax of account %.*s overflows: look for a broken price",
                         (int)account->id.length, account->id.data);
    return STATUS_OK;
}
