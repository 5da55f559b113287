#include "engine/bill/billing.h"

#include <unistd.h>

#include "bill/run.h"

enum {
    TABLE_INVOICE,
    TABLE_DRAFT,
    TABLE_SERIES,
    TABLE_META,
    TABLE_MESSAGE,
    TABLE_LOG,
    TABLE_COUNT
};
static const char *const tables[TABLE_COUNT] = {"invoice", "draft",   "series",
                                                "meta",    "message", "log"};

/* A billing store on a directory of its own, whose hooks write beside the invoices and can fail. */
struct shop {
    struct bill_store base;
    struct billing billing;
    char directory[64];
    int fail_at; /* the invoice at which the hook fails, counted from 1; 0: never */
    int calls;
};

static enum status on_issued(struct bill_store *store, struct store_txn *txn,
                             const struct invoice *invoice, const struct account *account,
                             struct error *error)
{
    struct shop *shop = (struct shop *)store;
    assert_true(slice_equal(account->id, invoice->account));
    if (shop->fail_at && ++shop->calls == shop->fail_at)
        return error_set(error, STATUS_IO, "the disk is gone");
    return store_put_new(txn, TABLE_MESSAGE, invoice->number, invoice->account, error);
}

static enum status on_log(struct bill_store *store, struct store_txn *txn, struct instant now,
                          struct slice action, struct slice text, struct error *error)
{
    char key[32];
    (void)store;
    (void)now;
    int length =
        snprintf(key, sizeof(key), "%08llu", (unsigned long long)store_count(txn, TABLE_LOG));
    struct packer packer;
    pack_init(&packer);
    pack_bytes(&packer, action.data, action.length);
    pack_bytes(&packer, ": ", 2);
    pack_bytes(&packer, text.data, text.length);
    enum status status =
        store_put_new(txn, TABLE_LOG, slice_of(key, (size_t)length), pack_done(&packer), error);
    pack_fini(&packer);
    return status;
}

static int set_up(void **state)
{
    struct shop *shop = calloc(1, sizeof(*shop));
    assert_non_null(shop);
    billing_init(&shop->billing);
    strcpy(shop->directory, "/tmp/ratel-bill-XXXXXX");
    if (!mkdtemp(shop->directory))
        return -1;
    shop->base = (struct bill_store){.invoice_table = TABLE_INVOICE,
                                     .draft_table = TABLE_DRAFT,
                                     .series_table = TABLE_SERIES,
                                     .meta_table = TABLE_META,
                                     .issued = on_issued,
                                     .log = on_log};
    *state = shop;
    return store_open(shop->directory, STORE_WRITE, tables, TABLE_COUNT, &shop->base.store, NULL) ==
                   STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct shop *shop = *state;
    char command[96];
    store_close(shop->base.store);
    billing_fini(&shop->billing);
    snprintf(command, sizeof(command), "rm -rf %s", shop->directory);
    int code = system(command);
    free(shop);
    return code;
}

typedef enum status step(const struct bill_request *, struct bill_store *, struct bill *,
                         struct error *);

static enum status run_in(struct shop *shop, step *what, const char *month, const char *account,
                          const char *now, struct bill *bill)
{
    struct bill_request request = {
        .snapshot = shop->billing.fixture.snapshot,
        .ledgers = &shop->billing.ledgers,
        .period = billing_period(month),
        .account = account ? billing_account(&shop->billing, account) : INDEX_NONE,
        .now = fixture_instant(now),
        .series = SLICE("INV"),
    };
    memset(&shop->billing.error, 0, sizeof(shop->billing.error));
    bill_init(bill);
    enum status status = what(&request, &shop->base, bill, &shop->billing.error);
    if (status == STATUS_OK)
        status = bill_refusals(&request, bill, &shop->billing.error);
    return status;
}

static enum status run(struct shop *shop, step *what, struct bill *bill)
{
    return run_in(shop, what, "2026-10", NULL, "2026-11-02T09:00:00Z", bill);
}

/* Runs, forgets what came of it. */
static void ran(struct shop *shop, step *what)
{
    struct bill bill;
    assert_int_equal(run(shop, what, &bill), STATUS_OK);
    bill_fini(&bill);
}

static uint64_t rows(struct shop *shop, uint32_t table)
{
    struct store_txn *txn;
    assert_int_equal(store_read(shop->base.store, &txn, NULL), STATUS_OK);
    uint64_t count = store_count(txn, table);
    store_end(txn);
    return count;
}

/* The account of an invoice, as the book has it; NULL when there is none. Lifetime: the billing's
 * arena. */
static const char *payer_of(struct shop *shop, const char *number)
{
    struct store_txn *txn;
    struct slice value;
    struct invoice invoice;
    const char *account = NULL;
    assert_int_equal(store_read(shop->base.store, &txn, NULL), STATUS_OK);
    enum status status = store_get(txn, TABLE_INVOICE, slice_string(number), &value, NULL);
    if (status == STATUS_OK) {
        assert_int_equal(
            invoice_unpack(value, slice_string(number), &shop->billing.arena, &invoice, NULL),
            STATUS_OK);
        assert_true(slice_is(invoice.number, number));
        account = arena_string(&shop->billing.arena, invoice.account);
    }
    store_end(txn);
    return account;
}

static void use_three(struct shop *shop)
{
    billing_use(&shop->billing, "a-de", "item", 10000000);
    billing_use(&shop->billing, "b-jp", "item", 20000000);
    billing_use(&shop->billing, "c-bh", "item", 30000000);
}

static void test_bill_preview__computes_and_stores_nothing(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    assert_int_equal(run(shop, bill_preview, &bill), STATUS_OK);
    assert_int_equal(bill.count, 3);
    assert_int_equal(bill.ready_count, 3);
    for (uint32_t i = 0; i < TABLE_COUNT; i++)
        assert_int_equal(rows(shop, i), 0);
    bill_fini(&bill);
}

static void test_bill_run__replaces_the_drafts_of_the_period(void **state)
{
    struct shop *shop = *state;
    use_three(shop);
    billing_use_in(&shop->billing, "2026-09", "d-none", "item", 1000000);
    struct bill bill;
    assert_int_equal(run_in(shop, bill_run, "2026-09", NULL, "2026-11-02T09:00:00Z", &bill),
                     STATUS_OK);
    bill_fini(&bill);
    ran(shop, bill_run);
    assert_int_equal(rows(shop, TABLE_DRAFT), 4);
    /* The account's usage goes (a corrected card, say): its draft goes with it, the other month's
     * stays. */
    billing_use(&shop->billing, "d-none", "item", 1000000);
    ran(shop, bill_run);
    assert_int_equal(rows(shop, TABLE_DRAFT), 5);
    buckets_fini(&shop->billing.ledger.buckets);
    buckets_init(&shop->billing.ledger.buckets);
    billing_use(&shop->billing, "a-de", "item", 10000000);
    ran(shop, bill_run);
    assert_int_equal(rows(shop, TABLE_DRAFT), 2);
    assert_int_equal(rows(shop, TABLE_LOG), 4);
}

static void test_bill_run__of_one_account_leaves_the_others_drafts(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    ran(shop, bill_run);
    assert_int_equal(run_in(shop, bill_run, "2026-10", "b-jp", "2026-11-02T09:00:00Z", &bill),
                     STATUS_OK);
    assert_int_equal(bill.count, 1);
    assert_int_equal(rows(shop, TABLE_DRAFT), 3);
    bill_fini(&bill);
}

static void test_bill_finalize__numbers_have_no_gaps_and_follow_the_accounts(void **state)
{
    struct shop *shop = *state;
    use_three(shop);
    ran(shop, bill_run);
    ran(shop, bill_finalize);
    assert_string_equal(payer_of(shop, "INV-2026-000001"), "a-de");
    assert_string_equal(payer_of(shop, "INV-2026-000002"), "b-jp");
    assert_string_equal(payer_of(shop, "INV-2026-000003"), "c-bh");
    assert_int_equal(rows(shop, TABLE_INVOICE), 3);
    assert_int_equal(rows(shop, TABLE_MESSAGE), 3);
    assert_int_equal(rows(shop, TABLE_META), 3);
    assert_int_equal(rows(shop, TABLE_DRAFT), 0);
    assert_int_equal(rows(shop, TABLE_LOG), 2);
}

static void test_bill_finalize__without_drafts_makes_them_first(void **state)
{
    struct shop *shop = *state;
    use_three(shop);
    ran(shop, bill_finalize);
    assert_int_equal(rows(shop, TABLE_INVOICE), 3);
}

static void test_bill_finalize__again_has_nothing_to_do(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    ran(shop, bill_finalize);
    assert_int_equal(run(shop, bill_finalize, &bill), STATUS_OK);
    assert_int_equal(bill.issued_count, 0);
    assert_int_equal(bill.invoiced_count, 3);
    assert_string_equal(bill.items[2].number, "INV-2026-000003");
    assert_int_equal(rows(shop, TABLE_INVOICE), 3);
    assert_int_equal(rows(shop, TABLE_LOG), 1);
    bill_fini(&bill);
}

static void test_bill_run__leaves_invoiced_accounts_alone_and_says_what_changed(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    ran(shop, bill_finalize);
    billing_use(&shop->billing, "a-de", "item", 5000000);
    assert_int_equal(run(shop, bill_run, &bill), STATUS_OK);
    assert_int_equal(bill.draft_count, 0);
    assert_int_equal(bill.invoiced_count, 3);
    assert_int_equal(bill.warnings.count, 1);
    assert_true(slice_is(
        bill.warnings.items[0],
        "account a-de: invoice INV-2026-000001 was issued with 11.90, usage and prices now come to "
        "17.85 EUR; it is not changed"));
    bill_fini(&bill);
}

static void test_bill_finalize__refuses_drafts_that_are_out_of_date(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    ran(shop, bill_run);
    billing_use(&shop->billing, "b-jp", "item",
                1); /* no difference in money, one in the quantity */
    assert_int_equal(run(shop, bill_finalize, &bill), STATUS_AGAIN);
    assert_int_equal(bill.changed.count, 1);
    assert_true(slice_is(bill.changed.items[0], "b-jp"));
    assert_non_null(strstr(shop->billing.error.text, "for b-jp:"));
    assert_int_equal(rows(shop, TABLE_INVOICE), 0);
    bill_fini(&bill);
    ran(shop, bill_run);
    ran(shop, bill_finalize);
    assert_int_equal(rows(shop, TABLE_INVOICE), 3);
}

static void test_bill_finalize__refuses_when_an_account_appeared_or_vanished(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    ran(shop, bill_run);
    billing_use(&shop->billing, "d-none", "item", 1000000);
    assert_int_equal(run(shop, bill_finalize, &bill), STATUS_AGAIN);
    assert_true(slice_is(bill.changed.items[0], "d-none"));
    bill_fini(&bill);
    /* One account on its own may go ahead. */
    assert_int_equal(run_in(shop, bill_finalize, "2026-10", "c-bh", "2026-11-02T09:00:00Z", &bill),
                     STATUS_OK);
    assert_int_equal(bill.issued_count, 1);
    bill_fini(&bill);
    assert_string_equal(payer_of(shop, "INV-2026-000001"), "c-bh");
    buckets_fini(&shop->billing.ledger.buckets);
    buckets_init(&shop->billing.ledger.buckets);
    assert_int_equal(run(shop, bill_finalize, &bill), STATUS_AGAIN);
    assert_int_equal(bill.changed.count, 2);
    bill_fini(&bill);
}

static void test_bill_finalize__refuses_a_period_that_is_not_over(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    /* Tokyo is long into November; the period of the account in UTC has a second left. */
    assert_int_equal(run_in(shop, bill_finalize, "2026-10", NULL, "2026-10-31T23:59:59Z", &bill),
                     STATUS_INVALID);
    assert_non_null(strstr(shop->billing.error.text, "it ends at 2026-11-01T00:00:00Z"));
    bill_fini(&bill);
    assert_int_equal(rows(shop, TABLE_INVOICE), 0);
    assert_int_equal(run_in(shop, bill_finalize, "2026-10", "b-jp", "2026-10-31T15:00:00Z", &bill),
                     STATUS_OK);
    assert_int_equal(bill.issued_count, 1);
    bill_fini(&bill);
    assert_int_equal(run_in(shop, bill_finalize, "2026-10", NULL, "2026-11-01T00:00:00Z", &bill),
                     STATUS_OK);
    assert_int_equal(bill.issued_count, 2);
    bill_fini(&bill);
    /* Nobody has used anything yet: still not over. */
    assert_int_equal(run_in(shop, bill_finalize, "2030-12", NULL, "2026-11-01T00:00:00Z", &bill),
                     STATUS_INVALID);
    assert_non_null(strstr(shop->billing.error.text, "it ends at 2031-01-01T00:00:00Z"));
    bill_fini(&bill);
}

static void
test_bill_finalize__an_account_without_a_rate_is_refused_and_the_others_go_on(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    billing_use(&shop->billing, "f-chf", "item", 1000000);
    assert_int_equal(run(shop, bill_run, &bill), STATUS_INVALID);
    assert_int_equal(bill.draft_count, 3);
    bill_fini(&bill);
    assert_int_equal(run(shop, bill_finalize, &bill), STATUS_INVALID);
    assert_int_equal(bill.issued_count, 3);
    assert_int_equal(bill.refused_count, 1);
    assert_non_null(strstr(shop->billing.error.text,
                           "not billed, 1 account: f-chf: no exchange rate from EUR to CHF"));
    assert_int_equal(rows(shop, TABLE_INVOICE), 3);
    bill_fini(&bill);
}

static void
test_bill_finalize__an_account_whose_sums_overflow_is_refused_and_the_others_go_on(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    billing_use(&shop->billing, "d-none", "item", 1);
    struct buckets *buckets = &shop->billing.ledger.buckets;
    buckets->items[buckets->count - 1].quanta = BUCKET_QUANTA_MAX;
    assert_int_equal(run(shop, bill_run, &bill), STATUS_INVALID);
    assert_int_equal(bill.draft_count, 3);
    assert_int_equal(bill.refused_count, 1);
    bill_fini(&bill);
    assert_int_equal(run(shop, bill_finalize, &bill), STATUS_INVALID);
    assert_int_equal(bill.issued_count, 3);
    assert_non_null(strstr(shop->billing.error.text, "not billed, 1 account: d-none: "));
    assert_non_null(strstr(shop->billing.error.text, "of account d-none passes 10^26"));
    assert_int_equal(rows(shop, TABLE_INVOICE), 3);
    bill_fini(&bill);
    /* Two that are refused for different reasons are both named. */
    billing_use(&shop->billing, "f-chf", "item", 1000000);
    assert_int_equal(run(shop, bill_preview, &bill), STATUS_INVALID);
    assert_int_equal(bill.refused_count, 2);
    assert_non_null(strstr(shop->billing.error.text, "2 accounts: d-none, f-chf: "));
    assert_non_null(
        strstr(shop->billing.error.text, "; for the reasons of the others: --output json"));
    bill_fini(&bill);
}

static void test_bill_run__an_invoice_stays_when_its_account_overflows_now(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    billing_use(&shop->billing, "a-de", "item", 10000000);
    ran(shop, bill_finalize);
    shop->billing.ledger.buckets.items[0].quanta = BUCKET_QUANTA_MAX;
    assert_int_equal(run(shop, bill_run, &bill), STATUS_OK);
    assert_int_equal(bill.invoiced_count, 1);
    assert_int_equal(bill.refused_count, 0);
    assert_int_equal(bill.warnings.count, 1);
    assert_true(slice_starts_with(bill.warnings.items[0],
                                  SLICE("account a-de: invoice INV-2026-000001 is not changed; ")));
    bill_fini(&bill);
}

static void test_bill_run__an_invoice_whose_usage_is_gone_is_a_warning(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    billing_use(&shop->billing, "a-de", "item", 10000000);
    ran(shop, bill_finalize);
    for (int unpriced = 0; unpriced < 2; unpriced++) {
        /* Another account pays for it now; or what is left has no price any more. */
        buckets_fini(&shop->billing.ledger.buckets);
        buckets_init(&shop->billing.ledger.buckets);
        if (unpriced)
            billing_use(&shop->billing, "a-de", NULL, 0);
        else
            billing_use(&shop->billing, "b-jp", "item", 10000000);
        assert_int_equal(run(shop, bill_run, &bill), STATUS_OK);
        assert_int_equal(bill.invoiced_count, 1);
        assert_int_equal(bill.warnings.count, 1);
        assert_true(slice_is(bill.warnings.items[0],
                             "account a-de: invoice INV-2026-000001 was issued with 11.90, usage "
                             "and prices now come to "
                             "0.00 EUR; it is not changed"));
        bill_fini(&bill);
    }
}

static void test_bill_run__usage_without_a_price_is_a_warning(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    billing_use(&shop->billing, "a-de", "item", 10000000);
    billing_use(&shop->billing, "a-de", NULL, 744000000);
    billing_use(&shop->billing, "d-none", NULL, 744000000);
    assert_int_equal(run(shop, bill_run, &bill), STATUS_OK);
    assert_int_equal(bill.count, 1); /* without a line there is no invoice */
    assert_int_equal(bill.warnings.count, 2);
    assert_non_null(
        strstr(bill.warnings.items[0].data, "account a-de has usage without a price (vm.running)"));
    bill_fini(&bill);
}

/* Whichever invoice the disk fails at: nothing is issued, no number is used, the next try gives the
 * same ones. */
static void test_bill_finalize__a_failure_anywhere_leaves_no_trace(void **state)
{
    struct shop *shop = *state;
    use_three(shop);
    ran(shop, bill_run);
    for (int at = 1; at <= 3; at++) {
        struct bill bill;
        shop->fail_at = at;
        shop->calls = 0;
        assert_int_equal(run(shop, bill_finalize, &bill), STATUS_IO);
        assert_int_equal(bill.issued_count, 0);
        bill_fini(&bill);
        assert_int_equal(rows(shop, TABLE_INVOICE) + rows(shop, TABLE_SERIES) +
                             rows(shop, TABLE_META) + rows(shop, TABLE_MESSAGE),
                         0);
        assert_int_equal(rows(shop, TABLE_DRAFT), 3);
    }
    shop->fail_at = 0;
    ran(shop, bill_finalize);
    assert_string_equal(payer_of(shop, "INV-2026-000001"), "a-de");
    assert_string_equal(payer_of(shop, "INV-2026-000003"), "c-bh");
}

static void
test_bill_finalize__numbers_go_on_over_periods_and_begin_anew_with_the_year(void **state)
{
    struct shop *shop = *state;
    struct bill bill;
    use_three(shop);
    billing_use_in(&shop->billing, "2026-11", "a-de", "item", 1000000);
    billing_use_in(&shop->billing, "2026-12", "a-de", "item", 1000000);
    ran(shop, bill_finalize);
    assert_int_equal(run_in(shop, bill_finalize, "2026-11", NULL, "2026-12-01T08:00:00Z", &bill),
                     STATUS_OK);
    bill_fini(&bill);
    assert_int_equal(run_in(shop, bill_finalize, "2026-12", NULL, "2027-01-01T08:00:00Z", &bill),
                     STATUS_OK);
    bill_fini(&bill);
    assert_string_equal(payer_of(shop, "INV-2026-000004"), "a-de");
    assert_string_equal(payer_of(shop, "INV-2027-000001"), "a-de");
    assert_null(payer_of(shop, "INV-2026-000005"));
}

static void test_bill_names__says_how_many_did_not_fit(void **state)
{
    (void)state;
    struct slice names[] = {SLICE("alpha"), SLICE("beta"), SLICE("gamma"), SLICE("delta")};
    char text[36];
    bill_names(names, 2, text, sizeof(text));
    assert_string_equal(text, "alpha, beta");
    bill_names(names, 4, text, sizeof(text));
    assert_string_equal(text, "alpha, beta and 2 more");
    bill_names(names, 0, text, sizeof(text));
    assert_string_equal(text, "");
}

static void test_bill_series_valid__takes_what_fits_a_number(void **state)
{
    (void)state;
    assert_true(bill_series_valid(SLICE("INV")));
    assert_true(bill_series_valid(SLICE("R-2")));
    assert_false(bill_series_valid(SLICE("")));
    assert_false(bill_series_valid(SLICE("inv")));
    assert_false(bill_series_valid(SLICE("A/B")));
    assert_false(bill_series_valid(SLICE("ABCDEFGHIJKLMNOPQ")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bill_preview__computes_and_stores_nothing),
        TEST(test_bill_run__replaces_the_drafts_of_the_period),
        TEST(test_bill_run__of_one_account_leaves_the_others_drafts),
        TEST(test_bill_run__leaves_invoiced_accounts_alone_and_says_what_changed),
        TEST(test_bill_run__an_invoice_stays_when_its_account_overflows_now),
        TEST(test_bill_run__an_invoice_whose_usage_is_gone_is_a_warning),
        TEST(test_bill_run__usage_without_a_price_is_a_warning),
        TEST(test_bill_finalize__numbers_have_no_gaps_and_follow_the_accounts),
        TEST(test_bill_finalize__without_drafts_makes_them_first),
        TEST(test_bill_finalize__again_has_nothing_to_do),
        TEST(test_bill_finalize__refuses_drafts_that_are_out_of_date),
        TEST(test_bill_finalize__refuses_when_an_account_appeared_or_vanished),
        TEST(test_bill_finalize__refuses_a_period_that_is_not_over),
        TEST(test_bill_finalize__an_account_without_a_rate_is_refused_and_the_others_go_on),
        TEST(test_bill_finalize__an_account_whose_sums_overflow_is_refused_and_the_others_go_on),
        TEST(test_bill_finalize__a_failure_anywhere_leaves_no_trace),
        TEST(test_bill_finalize__numbers_go_on_over_periods_and_begin_anew_with_the_year),
        cmocka_unit_test(test_bill_names__says_how_many_did_not_fit),
        cmocka_unit_test(test_bill_series_valid__takes_what_fits_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
