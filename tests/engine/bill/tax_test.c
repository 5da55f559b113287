#include "engine/bill/billing.h"

#include "bill/tax.h"

static int128 pico(const char *text)
{
    int128 value;
    assert_int_equal(decimal_parse(slice_string(text), MONEY_SCALE, false, &value, NULL),
                     STATUS_OK);
    return value;
}

static void test_tax_amount__is_rounded_half_even_at_the_minor_unit(void **state)
{
    (void)state;
    static const struct {
        const char *name, *currency, *base, *rate, *expected;
    } rows[] = {
        {"plain", "EUR", "400.00", "19", "76.00"},
        {"below half", "EUR", "120.60", "19", "22.91"},     /* 22.914 */
        {"half to even, down", "EUR", "0.50", "5", "0.02"}, /* 0.025 */
        {"half to even, up", "EUR", "1.50", "5", "0.08"},   /* 0.075 */
        {"negative half to even", "EUR", "-0.50", "5", "-0.02"},
        {"fraction of a percent", "EUR", "1000.00", "8.875", "88.75"},
        {"twelve decimals of a percent", "EUR", "1000000.00", "0.000000000001", "0.00"},
        {"no minor unit", "JPY", "1005", "10", "100"},       /* 100.5 */
        {"no minor unit, up", "JPY", "1015", "10", "102"},   /* 101.5 */
        {"three digits", "BHD", "0.005", "10", "0.000"},     /* 0.0005 */
        {"three digits, up", "BHD", "0.015", "10", "0.002"}, /* 0.0015 */
        {"four digits", "CLF", "1.0005", "10", "0.1000"},    /* 0.10005 */
        {"nothing", "EUR", "123.45", "0", "0.00"},
        {"all", "EUR", "123.45", "100", "123.45"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct currency currency = fixture_currency(rows[i].currency);
        struct money tax;
        print_message("    %s\n", rows[i].name);
        assert_int_equal(
            tax_amount((struct money){pico(rows[i].base)}, pico(rows[i].rate), currency, &tax),
            STATUS_OK);
        assert_amount(tax, currency, rows[i].expected);
    }
}

static void test_tax_amount__takes_the_largest_amounts_that_fit(void **state)
{
    (void)state;
    struct money base = {INT128_MAX / PICO_PER_UNIT * PICO_PER_UNIT}, tax;
    struct currency euro = fixture_currency("EUR");
    assert_int_equal(tax_amount(base, 100 * PICO_PER_UNIT, euro, &tax), STATUS_OK);
    assert_true(tax.pico == base.pico);
    assert_int_equal(tax_amount(base, 300 * PICO_PER_UNIT, euro, &tax), STATUS_RANGE);
}

/* Three lines of 0.22 at 7 %: 0.0154 each is 0.02 rounded line by line, 0.06 in all; together
 * 0.0462 is 0.05. */
static void test_tax_apply__rounds_once_per_category_not_per_line(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    struct invoice_line lines[3];
    struct slice notes[16];
    memset(lines, 0, sizeof(lines));
    for (int i = 0; i < 3; i++) {
        lines[i].amount.pico = pico("0.22");
        lines[i].tax_class = SLICE("reduced");
    }
    const struct account *account =
        &billing.fixture.snapshot->accounts[billing_account(&billing, "a-de")];
    struct invoice invoice = {
        .currency = fixture_currency("EUR"),
        .end = fixture_instant("2026-10-31T23:00:00Z"),
        .lines = lines,
        .line_count = 3,
        .notes = notes,
    };
    assert_int_equal(
        tax_apply(billing.fixture.snapshot, account, &billing.arena, &invoice, &billing.error),
        STATUS_OK);
    assert_int_equal(invoice.tax_count, 1);
    assert_amount(invoice.taxes[0].base, invoice.currency, "0.66");
    assert_amount(invoice.tax, invoice.currency, "0.05");
    billing_fini(&billing);
}

static void test_tax_apply__one_tax_per_category_and_rate(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    billing_use(&billing, "a-de", "item", 100000000);
    billing_use(&billing, "a-de", "books", 10000000);
    struct invoice invoice = billing_draft(&billing, "a-de");
    assert_int_equal(invoice.tax_count, 2);
    assert_true(invoice.taxes[0].rate_pico == 7 * PICO_PER_UNIT); /* by category, then rate */
    assert_true(invoice.taxes[1].rate_pico == 19 * PICO_PER_UNIT);
    assert_amount(invoice.taxes[0].base, invoice.currency, "3.33");
    assert_amount(invoice.taxes[0].amount, invoice.currency, "0.23");
    assert_amount(invoice.taxes[1].amount, invoice.currency, "19.00");
    assert_amount(invoice.tax, invoice.currency, "19.23");
    assert_amount(invoice.total, invoice.currency, "122.56");
    assert_int_equal(invoice.note_count, 0);
    billing_fini(&billing);
}

/* October in New York ends at 04:00 UTC on 1 November, when a new rate is in force: the old one
 * counts. */
static void test_tax_apply__takes_the_rule_of_the_last_day_in_the_accounts_zone(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    billing_use(&billing, "a-de", "item", 1000000);
    billing_use_in(&billing, "2026-09", "a-de", "item", 1000000);
    struct invoice october = billing_draft(&billing, "a-de");
    assert_true(october.taxes[0].rate_pico == 19 * PICO_PER_UNIT);
    struct spend spend;
    struct invoice september;
    assert_int_equal(spend_compute(&billing.ledger.buckets, billing.fixture.snapshot,
                                   billing_account(&billing, "a-de"), billing_period("2026-09"),
                                   &billing.arena, &spend, &billing.error),
                     STATUS_OK);
    assert_int_equal(
        invoice_build(billing.fixture.snapshot, &spend, &billing.arena, &september, &billing.error),
        STATUS_OK);
    assert_true(september.taxes[0].rate_pico == 16 * PICO_PER_UNIT);
    billing_use(&billing, "g-us", "item", 1000000);
    struct invoice new_york = billing_draft(&billing, "g-us");
    assert_true(new_york.taxes[0].rate_pico == 5 * PICO_PER_UNIT);
    billing_fini(&billing);
}

static void test_tax_apply__without_a_country_there_is_no_tax_and_one_note(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    billing_use(&billing, "d-none", "item", 1000000);
    billing_use(&billing, "d-none", "books", 1000000);
    struct invoice invoice = billing_draft(&billing, "d-none");
    assert_int_equal(invoice.tax_count, 0);
    assert_true(invoice.tax.pico == 0);
    assert_int_equal(invoice.note_count, 1);
    assert_true(slice_is(invoice.notes[0], "No tax: the account has no tax country."));
    billing_fini(&billing);
}

static void test_tax_apply__the_accounts_class_overrides_the_charges(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    billing_use(&billing, "e-exempt", "item", 1000000);
    billing_use(&billing, "e-exempt", "books", 1000000);
    struct invoice invoice = billing_draft(&billing, "e-exempt");
    assert_int_equal(invoice.tax_count, 1);
    assert_true(slice_is(invoice.taxes[0].category, "E"));
    assert_amount(invoice.taxes[0].base, invoice.currency, "1.33");
    assert_true(invoice.tax.pico == 0);
    assert_int_equal(invoice.note_count, 1);
    assert_true(slice_is(invoice.notes[0], "Exempt from tax."));
    billing_fini(&billing);
}

static void test_tax_apply__a_class_without_a_rule_is_not_taxed_and_noted(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    billing_use(&billing, "a-de", "gift", 1000000);
    billing_use(&billing, "a-de", "item", 1000000);
    struct invoice invoice = billing_draft(&billing, "a-de");
    assert_int_equal(invoice.tax_count, 1);
    assert_amount(invoice.taxes[0].base, invoice.currency, "1.00");
    assert_amount(invoice.net, invoice.currency, "2.10");
    assert_int_equal(invoice.note_count, 1);
    assert_true(slice_is(invoice.notes[0],
                         "No tax on class unheard-of: there is no rule for DE on 2026-10-31."));
    billing_fini(&billing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tax_amount__is_rounded_half_even_at_the_minor_unit),
        cmocka_unit_test(test_tax_amount__takes_the_largest_amounts_that_fit),
        cmocka_unit_test(test_tax_apply__rounds_once_per_category_not_per_line),
        cmocka_unit_test(test_tax_apply__one_tax_per_category_and_rate),
        cmocka_unit_test(test_tax_apply__takes_the_rule_of_the_last_day_in_the_accounts_zone),
        cmocka_unit_test(test_tax_apply__without_a_country_there_is_no_tax_and_one_note),
        cmocka_unit_test(test_tax_apply__the_accounts_class_overrides_the_charges),
        cmocka_unit_test(test_tax_apply__a_class_without_a_rule_is_not_taxed_and_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
