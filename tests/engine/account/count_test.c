/* From an event to its buckets: windows that straddle what changes, several charges on one usage,
 * and sums that do not fit. */
#include "engine/account/ledger_fixture.h"

#define HOUR 3600
#define DAY  86400
#define Q(n) ((int128)(n)*1000000)

static const char documents[] =
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\ncharges:\n"
    "  - {code: vm, meter: vm.running, unit: hour, price: \"1\"}\n"
    "  - {code: memory, meter: vm.running, times: memory, unit: GiB-hour, price: \"1\"}\n"
    "  - {code: store, meter: bucket, unit: GiB-month, price: \"1\"}\n"
    "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"1\"}\n"
    "  - {code: g1, meter: gpu, unit: unit, price: \"1\"}\n  - {code: g2, meter: gpu, unit: unit, "
    "price: \"1\"}\n"
    "  - {code: g3, meter: gpu, unit: unit, price: \"1\"}\n  - {code: g4, meter: gpu, unit: unit, "
    "price: \"1\"}\n"
    "---\nkind: ratecard\nname: card\ncurrency: EUR\neffective_from: "
    "2026-10-16T12:00:00Z\ncharges:\n"
    "  - {code: vm, meter: vm.running, unit: hour, price: \"2\"}\n"
    "---\nkind: catalogue\nname: public\nratecard: card\n"
    "---\nkind: accounts\naccounts:\n  - {id: a, currency: EUR, catalogue: public}\n"
    "  - {id: k, currency: EUR, catalogue: public, timezone: Asia/Kolkata}\n";

static const char prices_later[] =
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-09-01T00:00:00Z\ncharges:\n"
    "  - {code: copies, meter: copies, times: size, unit: GB, price: \"1\"}\n";

struct counted {
    struct fixture documents;
    struct stage stage;
};

static void begin(struct counted *c)
{
    fixture_init(&c->documents);
    fixture_load(&c->documents, "documents", slice_string(documents));
    fixture_compiled(&c->documents);
    stage_init(&c->stage);
    stage_open(&c->stage, c->documents.snapshot);
}

static void end(struct counted *c)
{
    stage_fini(&c->stage);
    fixture_fini(&c->documents);
}

/* What the buckets of a code (NULL: without a price) hold in a month. */
static int128 held(const struct counted *c, const char *account, int32_t month, const char *code)
{
    const struct ledger *ledger = c->stage.ledger;
    int128 sum = 0;
    uint32_t first =
        buckets_first(&ledger->buckets, snapshot_account(ledger->snapshot, slice_string(account)),
                      (struct period){2026 * 12 + month - 1});
    for (uint32_t i = first; i != INDEX_NONE; i = ledger->buckets.next[i]) {
        const struct bucket *bucket = &ledger->buckets.items[i];
        bool priced = bucket->key.plan != INDEX_NONE;
        if (priced
                ? code && slice_is(ledger->snapshot
                                       ->charges[ledger->snapshot->plans[bucket->key.plan].charge]
                                       .code,
                                   code)
                : !code)
            sum += bucket->quanta;
    }
    return sum;
}

static int64_t at(const char *text)
{
    return fixture_instant(text).seconds;
}

static void test_count__straddling_windows_are_split_and_add_up(void **state)
{
    (void)state;
    struct counted c;
    begin(&c);
    /* Three hours over the end of September, before any card: one third of 10 quanta, the remainder
     * to the last part. */
    struct record_words words = {.account = "a",
                                 .meter = "vm.running",
                                 .resource = "r",
                                 .start = at("2026-09-30T23:00:00Z"),
                                 .end = at("2026-10-01T02:00:00Z"),
                                 .quanta = 10};
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_true(held(&c, "a", 9, NULL) == 3);
    assert_true(held(&c, "a", 10, "vm") == 7);
    /* Over the change of the card: both versions' buckets are of October. */
    words = (struct record_words){.account = "a",
                                  .meter = "vm.running",
                                  .resource = "r",
                                  .start = at("2026-10-16T00:00:00Z"),
                                  .end = at("2026-10-17T00:00:00Z"),
                                  .quanta = Q(24)};
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_true(held(&c, "a", 10, "vm") == 7 + Q(24));
    assert_int_equal(c.stage.ledger->buckets.count, 3);
    /* From September to December: each month its share of 92 days. */
    words = (struct record_words){.account = "k",
                                  .meter = "vm.running",
                                  .resource = "s",
                                  .start = at("2026-08-31T18:30:00Z"),
                                  .end = at("2026-11-30T18:30:00Z"),
                                  .quanta = Q(91)};
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    int128 september = held(&c, "k", 9, NULL),
           october = held(&c, "k", 10, NULL) + held(&c, "k", 10, "vm"),
           november = held(&c, "k", 11, "vm");
    assert_true(september == Q(30));
    assert_true(october == Q(31) - 1);  /* 5.5 h, 15.5 d and 14 d 6.5 h, each cut to whole quanta */
    assert_true(november == Q(30) + 1); /* the remainder */
    end(&c);
}

static void test_count__months_are_of_the_accounts_zone(void **state)
{
    (void)state;
    struct counted c;
    begin(&c);
    /* 19:30 on 31 October in UTC is 1:00 on 1 November in Kolkata. */
    struct record_words words = {.account = "k",
                                 .meter = "vm.running",
                                 .resource = "r",
                                 .start = at("2026-10-31T19:30:00Z"),
                                 .end = at("2026-10-31T20:30:00Z"),
                                 .quanta = Q(1)};
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_true(held(&c, "k", 11, "vm") == Q(1));
    words.account = "a";
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_true(held(&c, "a", 10, "vm") == Q(1));
    end(&c);
}

static void test_count__every_charge_of_a_meter_counts(void **state)
{
    (void)state;
    struct counted c;
    begin(&c);
    struct record_words vm = {.account = "a",
                              .meter = "vm.running",
                              .resource = "r",
                              .memory = "2048",
                              .start = at("2026-10-02T00:00:00Z"),
                              .end = at("2026-10-02T01:00:00Z"),
                              .quanta = Q(1)};
    for (int i = 0; i < 3; i++) { /* the first finds the buckets, the others know them */
        assert_int_equal(stage_apply(&c.stage, &vm), OUTCOME_ACCEPTED);
        vm.start += HOUR;
        vm.end += HOUR;
    }
    assert_true(held(&c, "a", 10, "vm") == Q(3));
    assert_true(held(&c, "a", 10, "memory") == Q(3) * 2048);
    /* More charges than a series remembers. */
    struct record_words gpu = {.account = "a",
                               .meter = "gpu",
                               .resource = "g",
                               .start = at("2026-10-02T00:00:00Z"),
                               .end = at("2026-10-02T01:00:00Z"),
                               .quanta = Q(5)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stage_apply(&c.stage, &gpu), OUTCOME_ACCEPTED);
        gpu.start += HOUR;
        gpu.end += HOUR;
    }
    assert_true(held(&c, "a", 10, "g1") == Q(15) && held(&c, "a", 10, "g4") == Q(15));
    end(&c);
}

static void test_count__a_level_counts_for_its_time(void **state)
{
    (void)state;
    struct counted c;
    begin(&c);
    /* 10 bytes for two hours over the turn of the month, again by the remembered way, in a price's
     * bucket and without one. */
    struct record_words words = {.account = "a",
                                 .meter = "bucket",
                                 .resource = "b",
                                 .start = at("2026-09-30T23:00:00Z"),
                                 .end = at("2026-10-01T01:00:00Z"),
                                 .quanta = Q(10)};
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_true(held(&c, "a", 9, NULL) == Q(10) * HOUR);
    assert_true(held(&c, "a", 10, "store") == Q(10) * HOUR);
    words.start = at("2026-10-01T01:00:00Z");
    words.end = at("2026-10-02T01:00:00Z");
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_true(held(&c, "a", 10, "store") == Q(10) * (HOUR + DAY));
    end(&c);
}

static void test_count__unknown_accounts_wait(void **state)
{
    (void)state;
    struct counted c;
    begin(&c);
    struct record_words words = {.account = "nobody",
                                 .meter = "vm.running",
                                 .resource = "r",
                                 .start = at("2026-10-02T00:00:00Z"),
                                 .end = at("2026-10-02T01:00:00Z"),
                                 .quanta = Q(1)};
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_DUPLICATE);
    words.start += HOUR;
    words.end += HOUR;
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    assert_int_equal(c.stage.ledger->buckets.count, 0);
    assert_int_equal(c.stage.ledger->event_count, 2);
    end(&c);
}

/* A volume of 2^63-1 bytes and 10^18 hours: beyond any sum. */
static void test_count__what_cannot_be_added_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct counted c;
    begin(&c);
    struct record_words words = {.account = "a",
                                 .meter = "volume",
                                 .resource = "v",
                                 .size = "9223372036854775807",
                                 .start = at("2026-10-02T00:00:00Z"),
                                 .end = at("2026-10-02T01:00:00Z"),
                                 .quanta = Q(1000000000000000000)};
    struct usage usage;
    enum outcome outcome;
    words_usage(&words, c.stage.datadir.seed, &c.stage.packer, &usage);
    assert_int_equal(ledger_apply(c.stage.ledger, &usage, &outcome, NULL), STATUS_OK);
    assert_int_equal(outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(usage.reason, "volume"));
    assert_int_equal(c.stage.ledger->event_pending, 0);
    assert_int_equal(c.stage.ledger->buckets.count, 0);
    words.quanta = Q(1); /* not counted, so the honest one is no conflict */
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_ACCEPTED);
    int128 before = held(&c, "a", 10, "disk");
    assert_true(before == Q(1) * INT64_MAX);
    /* By the remembered way. */
    words.start += HOUR;
    words.end += HOUR;
    words.quanta = Q(1000000000000000000);
    assert_int_equal(stage_apply(&c.stage, &words), OUTCOME_REFUSED);
    assert_true(held(&c, "a", 10, "disk") == before);
    stage_commit(&c.stage);
    stage_verify(&c.stage, c.stage.ledger);
    end(&c);
}

/* Accepted while it had no price, and loaded prices make it overflow: its account's month has no
 * sum, everybody else's has. */
static void test_count__prices_that_make_old_usage_overflow_harm_one_account(void **state)
{
    (void)state;
    struct counted c;
    struct fixture later;
    struct spend spend;
    struct error error = {0};
    begin(&c);
    struct record_words big = {.account = "a",
                               .meter = "copies",
                               .resource = "v",
                               .size = "9223372036854775807",
                               .start = at("2026-09-02T00:00:00Z"),
                               .end = at("2026-09-02T01:00:00Z"),
                               .quanta = Q(1000000000000000000)};
    struct record_words small = {.account = "k",
                                 .meter = "copies",
                                 .resource = "w",
                                 .size = "3",
                                 .start = at("2026-09-02T00:00:00Z"),
                                 .end = at("2026-09-02T01:00:00Z"),
                                 .quanta = Q(2)};
    assert_int_equal(stage_apply(&c.stage, &big), OUTCOME_ACCEPTED);
    assert_int_equal(stage_apply(&c.stage, &small), OUTCOME_ACCEPTED);
    stage_commit(&c.stage);
    stage_checkpoint(&c.stage);
    stage_close(&c.stage);

    fixture_init(&later);
    fixture_load(&later, "documents", slice_string(documents));
    fixture_load(&later, "later", slice_string(prices_later));
    fixture_compiled(&later);
    stage_open(&c.stage, later.snapshot);
    struct period september = {2026 * 12 + 8};
    assert_int_equal(spend_compute(&c.stage.ledger->buckets, later.snapshot,
                                   snapshot_account(later.snapshot, SLICE("a")), september,
                                   &later.arena, &spend, &error),
                     STATUS_RANGE);
    assert_non_null(strstr(error.text, "account a"));
    assert_true(held(&c, "k", 9, "copies") == Q(6));
    assert_int_equal(spend_compute(&c.stage.ledger->buckets, later.snapshot,
                                   snapshot_account(later.snapshot, SLICE("k")), september,
                                   &later.arena, &spend, &error),
                     STATUS_OK);
    /* The same after a checkpoint, and derived. */
    stage_checkpoint(&c.stage);
    stage_close(&c.stage);
    stage_open(&c.stage, later.snapshot);
    stage_verify(&c.stage, c.stage.ledger);
    assert_int_equal(spend_compute(&c.stage.ledger->buckets, later.snapshot,
                                   snapshot_account(later.snapshot, SLICE("a")), september,
                                   &later.arena, &spend, &error),
                     STATUS_RANGE);
    end(&c);
    fixture_fini(&later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count__straddling_windows_are_split_and_add_up),
        cmocka_unit_test(test_count__months_are_of_the_accounts_zone),
        cmocka_unit_test(test_count__every_charge_of_a_meter_counts),
        cmocka_unit_test(test_count__a_level_counts_for_its_time),
        cmocka_unit_test(test_count__unknown_accounts_wait),
        cmocka_unit_test(test_count__what_cannot_be_added_is_refused_and_leaves_nothing),
        cmocka_unit_test(test_count__prices_that_make_old_usage_overflow_harm_one_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
