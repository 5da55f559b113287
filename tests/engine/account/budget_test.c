/* Budgets against spend while usage streams in: thresholds fire once, in the commit that reaches
 * them, whatever happens around it. */
#include "account/budget.h"

#include "engine/account/ledger_fixture.h"

#define HOUR          3600
#define Q(n)          ((int128)(n)*1000000)
#define OCTOBER_FIRST 1790812800

static const char cards[] =
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-01-01T00:00:00Z\ncharges:\n"
    "  - {code: vm, meter: vm.running, unit: hour, price: \"1\"}\n"
    "  - {code: dear, meter: volume, times: size, unit: GiB-month, price: \"9999999999\"}\n"
    "---\nkind: catalogue\nname: public\nratecard: card\n"
    "---\nkind: accounts\naccounts:\n  - {id: a, currency: EUR, catalogue: public}\n  - {id: b, "
    "currency: EUR, catalogue: public}\n"
    "  - {id: j, currency: JPY, catalogue: public}\n";
static const char budgets[] =
    "kind: budgets\nbudgets:\n"
    "  - {id: first, account: a, amount: \"100\", currency: EUR, thresholds: [50, 80, 100], email: "
    "[ops@a.example, boss@a.example]}\n"
    "  - {id: second, account: a, amount: \"10\", currency: EUR, thresholds: [100, 1000]}\n"
    "  - {id: nobody, account: unknown, amount: \"1\", currency: EUR}\n";
static const char yen[] =
    "kind: budgets\nbudgets: [{id: yen, account: j, amount: \"1000\", currency: JPY, thresholds: "
    "[50, 100]}, "
    "{id: euro, account: j, amount: \"10\", currency: EUR, thresholds: [50]}]\n";
static const char rate[] =
    "kind: fx\nsource: ECB\nrates: [{date: 2026-09-01, base: EUR, quote: JPY, rate: \"160\"}]\n";

struct watched {
    struct fixture documents;
    struct stage stage;
    int64_t now;
};

static void begin(struct watched *w, const char *more)
{
    fixture_init(&w->documents);
    fixture_load(&w->documents, "cards", slice_string(cards));
    if (more)
        fixture_load(&w->documents, "budgets", slice_string(more));
    fixture_compiled(&w->documents);
    stage_init(&w->stage);
    w->stage.watched = true;
    w->now = OCTOBER_FIRST;
    stage_open(&w->stage, w->documents.snapshot);
}

static void end(struct watched *w)
{
    stage_fini(&w->stage);
    fixture_fini(&w->documents);
}

/* Uses hours, each worth 1 EUR, in one window. */
static void use(struct watched *w, const char *account, int64_t hours)
{
    struct record_words words = {.account = account,
                                 .meter = "vm.running",
                                 .resource = "vm",
                                 .start = w->now,
                                 .end = w->now + HOUR,
                                 .quanta = Q(hours)};
    assert_int_equal(stage_apply(&w->stage, &words), OUTCOME_ACCEPTED);
    w->now += HOUR;
}

static bool fired(const struct watched *w, const char *id)
{
    return w->stage.sink.base.known((struct alert_sink *)&w->stage.sink.base, slice_string(id));
}

static void test_budget__thresholds_fire_once(void **state)
{
    (void)state;
    struct watched w;
    begin(&w, budgets);
    use(&w, "a", 9);
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 0);
    use(&w, "a", 1); /* 10 of 10: at the very limit */
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 1);
    assert_true(fired(&w, "budget:second:2026-10:100"));
    use(&w, "a", 39);
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 1); /* 49 of 100 */
    use(&w, "a", 41);
    stage_commit(&w.stage); /* 90: past 50 and 80 at once */
    assert_int_equal(w.stage.sink.count, 3);
    assert_true(fired(&w, "budget:first:2026-10:50") && fired(&w, "budget:first:2026-10:80"));
    for (int i = 0; i < 5; i++) {
        use(&w, "a", 1);
        stage_commit(&w.stage);
    }
    assert_int_equal(w.stage.sink.count, 3);
    assert_int_equal(w.stage.sink.deliveries, 3);
    use(&w, "b", 1000);
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 3);
    end(&w);
}

static void test_budget__the_message_says_what_is_known(void **state)
{
    (void)state;
    struct watched w;
    begin(&w, budgets);
    use(&w, "a", 55);
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        if (!slice_is(w.stage.sink.ids[i], "budget:first:2026-10:50"))
            continue;
        struct slice message = slice_trim(w.stage.sink.messages[i]);
        assert_true(slice_is(message,
                             "{\"budget\":\"first\",\"account\":\"a\",\"period\":\"2026-10\","
                             "\"threshold\":50,\"amount\":\"100\",\"currency\":\"EUR\","
                             "\"spend\":\"55.00\",\"percent\":55,\"emails\":[\"ops@a.example\","
                             "\"boss@a.example\"]}") ||
                    (print_error("%.*s\n", (int)message.length, message.data), false));
        end(&w);
        return;
    }
    fail();
}

static void test_budget__each_month_has_its_own(void **state)
{
    (void)state;
    struct watched w;
    begin(&w, budgets);
    use(&w, "a", 10);
    w.now = OCTOBER_FIRST + 31 * 86400;
    use(&w, "a", 12);
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 2);
    assert_true(fired(&w, "budget:second:2026-10:100") && fired(&w, "budget:second:2026-11:100"));
    /* A window over the turn of the month counts in both: 45 hours in each. */
    struct record_words words = {.account = "a",
                                 .meter = "vm.running",
                                 .resource = "other",
                                 .start = OCTOBER_FIRST + 31 * 86400 - HOUR,
                                 .end = OCTOBER_FIRST + 31 * 86400 + HOUR,
                                 .quanta = Q(90)};
    assert_int_equal(stage_apply(&w.stage, &words), OUTCOME_ACCEPTED);
    stage_commit(&w.stage);
    assert_true(fired(&w, "budget:first:2026-10:50") && fired(&w, "budget:first:2026-11:50"));
    end(&w);
}

static void test_budget__a_crash_before_delivery_delivers_later(void **state)
{
    (void)state;
    struct watched w;
    struct error error;
    begin(&w, budgets);
    use(&w, "a", 10);
    w.stage.sink.broken = true;
    assert_int_equal(ledgers_commit(w.stage.ledgers, NULL, NULL, &error), STATUS_IO);
    stage_close(&w.stage);
    assert_int_equal(w.stage.sink.count, 0);
    w.stage.sink.broken = false;
    stage_open(&w.stage, w.documents.snapshot); /* the usage is durable, so the alert is due */
    assert_int_equal(w.stage.sink.count, 1);
    assert_int_equal(w.stage.ledger->event_count, 1);
    for (int round = 0; round < 3; round++) {
        stage_commit(&w.stage);
        stage_close(&w.stage);
        stage_open(&w.stage, w.documents.snapshot);
    }
    assert_int_equal(w.stage.sink.count, 1);
    end(&w);
}

/* Nothing is pending, and nothing was touched: opening looks at everything. */
static void test_budget__budgets_loaded_later_look_at_what_was_used(void **state)
{
    (void)state;
    struct watched w;
    begin(&w, NULL);
    use(&w, "a", 60);
    stage_commit(&w.stage);
    stage_checkpoint(&w.stage);
    assert_int_equal(w.stage.sink.count, 0);
    stage_close(&w.stage);
    fixture_load(&w.documents, "budgets", slice_string(budgets));
    fixture_compiled(&w.documents);
    stage_open(&w.stage, w.documents.snapshot);
    assert_int_equal(w.stage.sink.count, 2);
    uint64_t sequence = w.stage.ledger->sequence;
    stage_commit(&w.stage);
    assert_int_equal(w.stage.ledger->sequence, sequence);
    end(&w);
}

static void test_budget__readers_do_not_deliver(void **state)
{
    (void)state;
    struct watched w;
    begin(&w, budgets);
    use(&w, "a", 60);
    stage_commit(&w.stage);
    stage_close(&w.stage);
    w.stage.sink.count = 0;
    ledgers_close(stage_look_all(&w.stage, w.documents.snapshot, LEDGER_READ));
    ledgers_close(stage_look_all(&w.stage, w.documents.snapshot, LEDGER_DERIVE));
    assert_int_equal(w.stage.sink.count, 0);
    end(&w);
}

static void test_budget__currencies(void **state)
{
    (void)state;
    struct watched w;
    begin(&w, yen);
    use(&w, "j", 5); /* priced in EUR, and no rate yet: 5 EUR are known, yen are not */
    stage_commit(&w.stage);
    assert_int_equal(w.stage.sink.count, 1);
    assert_true(fired(&w, "budget:euro:2026-10:50"));
    stage_close(&w.stage);
    fixture_load(&w.documents, "rate", slice_string(rate));
    fixture_compiled(&w.documents);
    stage_open(&w.stage, w.documents.snapshot); /* 800 yen of 1000 */
    assert_int_equal(w.stage.sink.count, 2);
    assert_true(fired(&w, "budget:yen:2026-10:50") && fired(&w, "budget:euro:2026-10:50"));
    struct budget_state budget;
    assert_int_equal(budget_state(&w.stage.ledger->buckets, w.documents.snapshot,
                                  &w.documents.snapshot->budgets[0], (struct period){2026 * 12 + 9},
                                  &w.documents.arena, &budget, NULL),
                     STATUS_OK);
    assert_false(budget.no_rate);
    assert_int_equal(budget.percent, slice_is(budget.budget->id, "yen") ? 80 : 50);
    end(&w);
}

/* An account whose spend passes every bound must not stop the commits. */
static void test_budget__spend_that_cannot_be_computed_stops_nobody(void **state)
{
    (void)state;
    struct watched w;
    struct error error;
    begin(&w, budgets);
    struct record_words words = {.account = "a",
                                 .meter = "volume",
                                 .resource = "v",
                                 .size = "9223372036854775807",
                                 .start = w.now,
                                 .end = w.now + HOUR,
                                 .quanta = Q(100000000000)};
    assert_int_equal(stage_apply(&w.stage, &words), OUTCOME_ACCEPTED);
    struct spend spend;
    assert_int_equal(spend_compute(&w.stage.ledger->buckets, w.documents.snapshot, 0,
                                   (struct period){2026 * 12 + 9}, &w.documents.arena, &spend,
                                   &error),
                     STATUS_RANGE);
    stage_commit(&w.stage);
    assert_int_equal(w.stage.ledger->sequence, 1);
    end(&w);
}

/* Budgets of many accounts at once: the alerts are more than one transaction should hold. */
static void test_budget__more_alerts_than_a_batch_should_hold(void **state)
{
    (void)state;
    enum { ACCOUNTS = 600 };
    struct watched w;
    struct fixture f;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    char *email = malloc(9000);
    memset(email, 'x', 9000);
    memcpy(email + 4000 - 10, "@x.example", 11);
    fprintf(out, "kind: accounts\naccounts:\n");
    for (int i = 0; i < ACCOUNTS; i++)
        fprintf(out, "  - {id: account-%d, currency: EUR, catalogue: public}\n", i);
    fprintf(out, "---\nkind: budgets\nbudgets:\n");
    for (int i = 0; i < ACCOUNTS; i++)
        fprintf(out,
                "  - {account: account-%d, amount: \"1\", currency: EUR, thresholds: [50, 60, 70, "
                "80, 90, 100], email: [a%d@x.example]}\n",
                i, i);
    fclose(out);
    fixture_init(&f);
    fixture_load(&f, "cards", slice_string(cards));
    fixture_load(&f, "many", slice_of(text, length));
    fixture_compiled(&f);
    /* Long addresses, so that a small cloud makes long messages. */
    struct slice addresses[3] = {slice_string(email), slice_string(email), slice_string(email)};
    for (uint32_t i = 0; i < f.snapshot->budget_count; i++) {
        struct budget *budget = (struct budget *)(uintptr_t)&f.snapshot->budgets[i];
        budget->emails = addresses;
        budget->email_count = 3;
    }
    w.documents = f;
    stage_init(&w.stage);
    w.stage.watched = true;
    w.now = OCTOBER_FIRST;
    stage_open(&w.stage, f.snapshot);
    for (int i = 0; i < ACCOUNTS; i++) {
        char account[32];
        snprintf(account, sizeof(account), "account-%d", i);
        use(&w, account, 2);
    }
    stage_commit(&w.stage); /* 600 x 6 alerts of 12 KB: 43 MB */
    assert_int_equal(w.stage.sink.count, ACCOUNTS * 6);
    assert_int_equal(w.stage.sink.deliveries, ACCOUNTS * 6);
    assert_true(w.stage.sink.batches > 5);
    assert_int_equal(w.stage.ledger->event_count, ACCOUNTS);
    stage_verify(&w.stage, w.stage.ledger);
    free(email);
    free(text);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget__thresholds_fire_once),
        cmocka_unit_test(test_budget__the_message_says_what_is_known),
        cmocka_unit_test(test_budget__each_month_has_its_own),
        cmocka_unit_test(test_budget__a_crash_before_delivery_delivers_later),
        cmocka_unit_test(test_budget__budgets_loaded_later_look_at_what_was_used),
        cmocka_unit_test(test_budget__readers_do_not_deliver),
        cmocka_unit_test(test_budget__currencies),
        cmocka_unit_test(test_budget__spend_that_cannot_be_computed_stops_nobody),
        cmocka_unit_test(test_budget__more_alerts_than_a_batch_should_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
