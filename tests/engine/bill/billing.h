/* What the tests of billing share: documents compiled into a snapshot, usage put straight into
 * buckets, and their spend. No journal and no clock. */
#ifndef RATEL_TESTS_ENGINE_BILL_BILLING_H
#define RATEL_TESTS_ENGINE_BILL_BILLING_H

#include "ratecards/fixture.h"

#include "account/ledgers.h"
#include "account/spend.h"
#include "bill/build.h"

static const char billing_documents[] =
    "kind: ratecard\n"
    "name: public\n"
    "currency: EUR\n"
    "effective_from: 2026-01-01T00:00:00Z\n"
    "charges:\n"
    "  - {code: books, meter: books, unit: unit, price: \"0.333\", tax_class: reduced}\n"
    "  - {code: gift, meter: gift, unit: unit, price: \"1.10\", tax_class: unheard-of}\n"
    "  - {code: item, meter: item, unit: unit, price: \"1\"}\n"
    "  - {code: other, meter: other, unit: 1000 units, price: \"0.5\", minimum: \"2.50\"}\n"
    "---\n"
    "{kind: catalogue, name: public, ratecard: public}\n"
    "---\n"
    "kind: accounts\n"
    "accounts:\n"
    "  - {id: a-de, name: Acme, currency: EUR, catalogue: public, timezone: Europe/Berlin, "
    "terms_days: 14,\n"
    "     email: [ap@acme.example], tax: {country: DE, id: DE136695976}}\n"
    "  - {id: b-jp, name: Bento, currency: JPY, catalogue: public, timezone: Asia/Tokyo, tax: "
    "{country: JP}}\n"
    "  - {id: c-bh, name: Coral, currency: BHD, catalogue: public, tax: {country: BH}}\n"
    "  - {id: d-none, name: Delta, currency: EUR, catalogue: public}\n"
    "  - {id: e-exempt, name: Exempt, currency: EUR, catalogue: public, tax: {country: DE, class: "
    "exempt}}\n"
    "  - {id: f-chf, name: Fondue, currency: CHF, catalogue: public, tax: {country: DE}}\n"
    "  - {id: g-us, name: Gulf, currency: EUR, catalogue: public, timezone: America/New_York, tax: "
    "{country: US}}\n"
    "---\n"
    "kind: tax\n"
    "rules:\n"
    "  - {country: DE, rate: \"19\"}\n"
    "  - {country: DE, rate: \"16\", from: 2026-07-01, to: 2026-10-31}\n"
    "  - {country: DE, class: reduced, rate: \"7\"}\n"
    "  - {country: DE, class: exempt, rate: \"0\", category: E}\n"
    "  - {country: US, rate: \"5\"}\n"
    "  - {country: US, rate: \"6\", from: 2026-11-01}\n"
    "  - {country: JP, rate: \"10\"}\n"
    "  - {country: BH, rate: \"10\"}\n"
    "---\n"
    "kind: fx\n"
    "source: ECB\n"
    "rates:\n"
    "  - {date: 2026-10-30, base: EUR, quote: JPY, rate: \"163.27\"}\n"
    "  - {date: 2026-10-29, base: EUR, quote: BHD, rate: \"0.4071\"}\n";

struct billing {
    struct fixture fixture;
    struct ledger ledger; /* buckets and series only */
    struct ledger *shards[1];
    struct ledgers ledgers; /* these */
    struct arena arena;
    struct error error;
};

static inline void billing_init(struct billing *billing)
{
    memset(billing, 0, sizeof(*billing));
    fixture_init(&billing->fixture);
    fixture_load(&billing->fixture, "billing.yaml", slice_string(billing_documents));
    fixture_compiled(&billing->fixture);
    buckets_init(&billing->ledger.buckets);
    assert_int_equal(heap_open("/nonexistent/heap", 0, HEAP_PRIVATE, &billing->ledger.heap, NULL),
                     STATUS_OK);
    assert_int_equal(series_init(&billing->ledger.series, 1, billing->ledger.heap), STATUS_OK);
    billing->shards[0] = &billing->ledger;
    billing->ledgers = (struct ledgers){.shards = billing->shards, .count = 1};
    arena_init(&billing->arena);
}

static inline void billing_fini(struct billing *billing)
{
    buckets_fini(&billing->ledger.buckets);
    series_fini(&billing->ledger.series);
    heap_close(billing->ledger.heap);
    arena_fini(&billing->arena);
    fixture_fini(&billing->fixture);
}

static inline uint32_t billing_account(const struct billing *billing, const char *id)
{
    uint32_t account = snapshot_account(billing->fixture.snapshot, slice_string(id));
    assert_int_not_equal(account, INDEX_NONE);
    return account;
}

static inline struct period billing_period(const char *text)
{
    struct period period;
    assert_int_equal(period_parse(slice_string(text), &period), STATUS_OK);
    return period;
}

/* Adds usage in quanta (10^-6); a charge of NULL has no price. */
static inline void billing_use_in(struct billing *billing, const char *month, const char *id,
                                  const char *charge, int64_t quanta)
{
    const struct snapshot *snapshot = billing->fixture.snapshot;
    struct bucket_key key = {billing_account(billing, id), billing_period(month).index, INDEX_NONE,
                             0};
    uint32_t bucket;
    for (uint32_t i = 0; charge && i < snapshot->plan_count; i++)
        if (slice_is(snapshot->charges[snapshot->plans[i].charge].code, charge))
            key.plan = i;
    assert_true(!charge || key.plan != INDEX_NONE);
    if (!charge)
        key.part = 1; /* meter number 1: vm.running */
    assert_int_equal(buckets_at(&billing->ledger.buckets, key, &bucket), STATUS_OK);
    billing->ledger.buckets.items[bucket].quanta += quanta;
}

static inline void billing_use(struct billing *billing, const char *id, const char *charge,
                               int64_t quanta)
{
    billing_use_in(billing, "2026-10", id, charge, quanta);
}

static inline struct invoice billing_draft(struct billing *billing, const char *id)
{
    struct spend spend;
    struct invoice invoice;
    assert_int_equal(spend_compute(&billing->ledger.buckets, billing->fixture.snapshot,
                                   billing_account(billing, id), billing_period("2026-10"),
                                   &billing->arena, &spend, &billing->error),
                     STATUS_OK);
    assert_int_equal(invoice_build(billing->fixture.snapshot, &spend, &billing->arena, &invoice,
                                   &billing->error),
                     STATUS_OK);
    return invoice;
}

static inline void assert_amount(struct money amount, struct currency currency,
                                 const char *expected)
{
    char text[DECIMAL_TEXT_BYTES];
    money_format(amount, currency, text);
    assert_string_equal(text, expected);
}

#endif
