#include "engine/bill/billing.h"

static struct invoice issued(struct billing *billing, const char *id)
{
    struct invoice invoice = billing_draft(billing, id);
    invoice_issue(&invoice, SLICE("INV-2026-000001"), fixture_instant("2026-11-02T09:00:00Z"));
    return invoice;
}

static struct billing *with_usage(struct billing *billing)
{
    billing_init(billing);
    const char *const accounts[] = {"a-de", "b-jp", "c-bh"};
    for (int i = 0; i < 3; i++) {
        billing_use(billing, accounts[i], "item", 12345678);
        billing_use(billing, accounts[i], "books", 999999);
        billing_use(billing, accounts[i], "other", 1500000000);
    }
    return billing;
}

static void test_invoice_build__lines_add_up_in_every_currency(void **state)
{
    (void)state;
    static const struct {
        const char *account, *item, *books, *other, *net, *tax, *total;
    } rows[] = {
        /* item 12.345678, books 0.333 * 0.999999, other 1.5 * 0.5 raised to its minimum of 2.50 */
        {"a-de", "12.35", "0.33", "2.50", "15.18", "2.84",
         "18.02"},                                            /* 7 % of 0.33 and 19 % of 14.85 */
        {"b-jp", "2016", "54", "408", "2478", "242", "2720"}, /* at 163.27; no rule for books */
        {"c-bh", "5.026", "0.136", "1.018", "6.180", "0.604", "6.784"}, /* at 0.4071 */
    };
    struct billing billing;
    with_usage(&billing);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct invoice invoice = billing_draft(&billing, rows[i].account);
        print_message("    %s\n", rows[i].account);
        invoice_check(&invoice);
        assert_int_equal(invoice.line_count, 3);
        assert_true(slice_is(invoice.lines[0].charge, "books"));
        assert_true(slice_is(invoice.lines[1].charge, "item"));
        assert_true(slice_is(invoice.lines[2].charge, "other"));
        assert_amount(invoice.lines[0].amount, invoice.currency, rows[i].books);
        assert_amount(invoice.lines[1].amount, invoice.currency, rows[i].item);
        assert_amount(invoice.lines[2].amount, invoice.currency, rows[i].other);
        assert_amount(invoice.net, invoice.currency, rows[i].net);
        assert_amount(invoice.tax, invoice.currency, rows[i].tax);
        assert_amount(invoice.total, invoice.currency, rows[i].total);
        assert_int_equal(invoice.lines[2].limit, INVOICE_LIMIT_MINIMUM);
        assert_true(slice_is(invoice.lines[2].quantity, "1.5"));
        assert_true(slice_is(invoice.lines[2].unit, "1000 units"));
    }
    billing_fini(&billing);
}

static void test_invoice_build__one_rate_for_each_pair_of_currencies(void **state)
{
    (void)state;
    struct billing billing;
    with_usage(&billing);
    struct invoice euro = billing_draft(&billing, "a-de");
    assert_int_equal(euro.fx_count, 0);
    struct invoice yen = billing_draft(&billing, "b-jp");
    assert_int_equal(yen.fx_count, 1);
    for (uint32_t i = 0; i < yen.line_count; i++)
        assert_int_equal(yen.lines[i].fx, 0);
    assert_true(slice_is(yen.fx[0].source, "ECB"));
    assert_int_equal(yen.fx[0].day, civil_to_days(2026, 10, 30));
    assert_true(yen.fx[0].rate_pico == 163270000000000);
    billing_fini(&billing);
}

static void test_invoice_issue__is_due_after_the_accounts_terms(void **state)
{
    (void)state;
    struct billing billing;
    with_usage(&billing);
    struct invoice invoice = issued(&billing, "a-de");
    assert_int_equal(invoice.due.seconds, fixture_instant("2026-11-16T09:00:00Z").seconds);
    assert_int_equal(invoice.status, INVOICE_ISSUED);
    billing_fini(&billing);
}

static void test_invoice_holds__every_rule(void **state)
{
    (void)state;
    struct billing billing;
    const char *rule;
    with_usage(&billing);
    struct invoice good = issued(&billing, "b-jp"), bad;
    struct invoice_line lines[3];
    struct invoice_tax taxes[1];
    assert_int_equal(good.tax_count, 1);
    assert_true(invoice_holds(&good, &rule));
    assert_null(rule);
#define BREAK(change)                                                                              \
    do {                                                                                           \
        bad = good;                                                                                \
        memcpy(lines, good.lines, sizeof(lines));                                                  \
        memcpy(taxes, good.taxes, sizeof(taxes));                                                  \
        bad.lines = lines;                                                                         \
        bad.taxes = taxes;                                                                         \
        change;                                                                                    \
        assert_false(invoice_holds(&bad, &rule));                                                  \
        assert_non_null(rule);                                                                     \
    } while (0)
    BREAK(bad.net.pico += PICO_PER_UNIT);
    BREAK(bad.tax.pico += PICO_PER_UNIT);
    BREAK(bad.total.pico += PICO_PER_UNIT);
    BREAK(lines[0].amount.pico += PICO_PER_UNIT);
    BREAK(lines[0].amount.pico += 1; bad.net.pico += 1; bad.total.pico += 1); /* less than a yen */
    BREAK(taxes[0].base.pico += PICO_PER_UNIT);
    BREAK(taxes[0].amount.pico += PICO_PER_UNIT);
    BREAK(lines[1].tax = 1);
    BREAK(lines[1].fx = 1);
    BREAK(lines[1].fx = INVOICE_NONE);
    BREAK(bad.number.length = 0);
    BREAK(bad.issued = INSTANT_MIN);
    BREAK(bad.due.seconds = bad.issued.seconds - 1);
    BREAK(bad.status = INVOICE_DRAFT);
    BREAK(bad.line_count = 0);
    BREAK(bad.account.length = 0);
    BREAK(bad.end = bad.start);
#undef BREAK
    billing_fini(&billing);
}

static char *as_json(const struct invoice *invoice)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    struct json json;
    assert_non_null(out);
    json_init(&json, out, false);
    invoice_write_json(invoice, &json);
    fclose(out);
    return text;
}

static void test_invoice_unpack__gives_back_what_was_packed(void **state)
{
    (void)state;
    static const char *const accounts[] = {"a-de", "b-jp", "c-bh"};
    struct billing billing;
    with_usage(&billing);
    for (int i = 0; i < 6; i++) {
        struct invoice before =
            i < 3 ? billing_draft(&billing, accounts[i]) : issued(&billing, accounts[i - 3]);
        struct invoice after;
        struct packer packer, again;
        pack_init(&packer);
        pack_init(&again);
        invoice_pack(&before, &packer);
        assert_int_equal(
            invoice_unpack(pack_done(&packer), SLICE("x"), &billing.arena, &after, NULL),
            STATUS_OK);
        invoice_pack(&after, &again);
        assert_true(slice_equal(pack_done(&packer), pack_done(&again)));
        char *one = as_json(&before), *two = as_json(&after);
        assert_string_equal(one, two);
        free(one);
        free(two);
        pack_fini(&packer);
        pack_fini(&again);
    }
    billing_fini(&billing);
}

static void test_invoice_unpack__refuses_input_that_is_cut_anywhere(void **state)
{
    (void)state;
    struct billing billing;
    struct packer packer;
    with_usage(&billing);
    struct invoice invoice = issued(&billing, "b-jp"), out;
    pack_init(&packer);
    invoice_pack(&invoice, &packer);
    for (size_t length = 0; length < packer.length; length++) {
        struct arena arena;
        /* A copy of the exact size, so that the sanitizer sees a read past the end. */
        char *cut = malloc(length + 1);
        assert_non_null(cut);
        memcpy(cut, packer.data, length);
        arena_init(&arena);
        struct error error = {0};
        assert_int_equal(
            invoice_unpack(slice_of(cut, length), SLICE("INV-1"), &arena, &out, &error),
            STATUS_CORRUPT);
        assert_memory_equal(error.text, "INV-1: ", 7);
        arena_fini(&arena);
        free(cut);
    }
    pack_u8(&packer, 0); /* and one byte too many */
    assert_int_equal(invoice_unpack(pack_done(&packer), SLICE("INV-1"), &billing.arena, &out, NULL),
                     STATUS_CORRUPT);
    pack_fini(&packer);
    billing_fini(&billing);
}

/* Whatever a byte becomes, reading ends well: refused, or an invoice that holds. */
static void test_invoice_unpack__survives_any_changed_byte(void **state)
{
    (void)state;
    struct billing billing;
    struct packer packer;
    with_usage(&billing);
    struct invoice invoice = issued(&billing, "c-bh");
    pack_init(&packer);
    invoice_pack(&invoice, &packer);
    for (size_t at = 0; at < packer.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct arena arena;
            struct invoice out;
            arena_init(&arena);
            packer.data[at] ^= (char)(1 << bit);
            enum status status = invoice_unpack(pack_done(&packer), SLICE("x"), &arena, &out, NULL);
            if (status == STATUS_OK)
                invoice_check(&out);
            else
                assert_true(status == STATUS_CORRUPT || (status == STATUS_VERSION && at == 0));
            packer.data[at] ^= (char)(1 << bit);
            arena_fini(&arena);
        }
    }
    pack_fini(&packer);
    billing_fini(&billing);
}

static void test_invoice_unpack__names_an_unknown_format(void **state)
{
    (void)state;
    struct arena arena;
    struct invoice out;
    struct error error;
    arena_init(&arena);
    assert_int_equal(invoice_unpack(SLICE("\x63rest"), SLICE("INV-1"), &arena, &out, &error),
                     STATUS_VERSION);
    assert_non_null(strstr(error.text, "format 99"));
    arena_fini(&arena);
}

static void test_invoice_write_json__has_the_shape_of_the_contract(void **state)
{
    (void)state;
    struct billing billing;
    billing_init(&billing);
    billing_use(&billing, "b-jp", "item", 10000000);
    struct invoice invoice = issued(&billing, "b-jp");
    char *text = as_json(&invoice);
    assert_string_equal(
        text,
        "{\"number\":\"INV-2026-000001\",\"kind\":\"invoice\",\"status\":\"issued\",\"account\":"
        "\"b-jp\","
        "\"account_name\":\"Bento\",\"tax_country\":\"JP\",\"tax_id\":null,\"currency\":\"JPY\","
        "\"period\":{\"start\":\"2026-09-30T15:00:00Z\",\"end\":\"2026-10-31T15:00:00Z\","
        "\"month\":\"2026-10\",\"timezone\":\"Asia/Tokyo\"},\"issued\":\"2026-11-02T09:00:00Z\","
        "\"due\":\"2026-12-02T09:00:00Z\",\"terms_days\":30,\"lines\":[{\"charge\":\"item\","
        "\"description\":\"\",\"meter\":\"item\",\"quantity\":\"10\",\"unit\":\"unit\","
        "\"amount\":\"1633\",\"tax_class\":\"standard\",\"tax_category\":\"S\",\"tax_rate\":\"10\","
        "\"priced\":{\"currency\":\"EUR\",\"amount\":\"10\"}}],\"taxes\":[{\"category\":\"S\","
        "\"rate\":\"10\",\"base\":\"1633\",\"amount\":\"163\"}],\"net\":\"1633\",\"tax\":\"163\","
        "\"total\":\"1796\",\"fx\":[{\"from\":\"EUR\",\"to\":\"JPY\",\"rate\":\"163.27\","
        "\"date\":\"2026-10-30\",\"source\":\"ECB\"}],\"notes\":[]}\n");
    free(text);
    struct invoice draft = billing_draft(&billing, "b-jp");
    text = as_json(&draft);
    assert_memory_equal(text, "{\"number\":null,\"kind\":\"invoice\",\"status\":\"draft\"", 48);
    assert_non_null(strstr(text, "\"issued\":null,\"due\":null"));
    free(text);
    billing_fini(&billing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invoice_build__lines_add_up_in_every_currency),
        cmocka_unit_test(test_invoice_build__one_rate_for_each_pair_of_currencies),
        cmocka_unit_test(test_invoice_issue__is_due_after_the_accounts_terms),
        cmocka_unit_test(test_invoice_holds__every_rule),
        cmocka_unit_test(test_invoice_unpack__gives_back_what_was_packed),
        cmocka_unit_test(test_invoice_unpack__refuses_input_that_is_cut_anywhere),
        cmocka_unit_test(test_invoice_unpack__survives_any_changed_byte),
        cmocka_unit_test(test_invoice_unpack__names_an_unknown_format),
        cmocka_unit_test(test_invoice_write_json__has_the_shape_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
