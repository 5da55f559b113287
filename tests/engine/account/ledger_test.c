/* The ledger against a slow and obvious one, through random usage, commits, checkpoints, crashes
 * and changes of prices. */
#include "engine/account/ledger_model.h"

static struct fixture prices[2];

static void tell(uint64_t seed, const char *when, const char *different)
{
    fail_msg("RATEL_SEED=%llu: %s: %s", (unsigned long long)seed, when, different);
}

static void check(struct stage *stage, const struct model *model, uint64_t seed, const char *when)
{
    const char *different = model_compare(model, stage->ledger, stage->datadir.seed);
    if (different)
        tell(seed, when, different);
}

/* What a reader and a derivation see, while the writer is at work. */
static void check_others(struct stage *stage, const struct model *model, uint64_t seed)
{
    static const enum ledger_mode modes[] = {LEDGER_READ, LEDGER_VERIFY, LEDGER_DERIVE};
    struct model committed = *model;
    model_crash(&committed);
    stage_close(stage); /* one process opens a store once */
    for (size_t i = 0; i < 3; i++) {
        struct ledger *other = stage_look(stage, prices[model->set - 1].snapshot, modes[i]);
        const char *different = model_compare(&committed, other, stage->datadir.seed);
        if (different)
            tell(seed, "a reader", different);
        if (modes[i] == LEDGER_VERIFY)
            stage_verify(stage, other);
        ledger_close(other);
    }
}

static void reopen(struct stage *stage, struct model *model, struct seeded *seeded, uint64_t seed)
{
    if (seeded_below(seeded, 3) == 0)
        check_others(stage, model, seed);
    stage_close(stage);
    model_crash(model);
    if (seeded_below(seeded, 3) == 0)
        model->set = 3 - model->set;
    stage_open(stage, prices[model->set - 1].snapshot);
    check(stage, model, seed, "opened again");
}

static void one_life(uint64_t seed)
{
    static struct model model;
    struct seeded seeded = {seed, seed};
    struct stage stage;
    memset(&model, 0, sizeof(model));
    model.set = 1 + (uint32_t)seeded_below(&seeded, 2);
    stage_init(&stage);
    stage_open(&stage, prices[model.set - 1].snapshot);
    uint64_t steps = 20 + seeded_below(&seeded, 200);
    for (uint64_t step = 0; step < steps; step++) {
        uint64_t what = seeded_below(&seeded, 40);
        if (what < 3 || what == 4) {
            stage_commit(&stage);
            model_commit(&model);
        }
        if (what == 4)
            stage_checkpoint(&stage);
        if (what == 5)
            reopen(&stage, &model, &seeded, seed);
        if (what == 6) {
            stage_commit(&stage);
            model_commit(&model);
            model.set = 3 - model.set;
            assert_int_equal(ledger_reprice(stage.ledger, prices[model.set - 1].snapshot, NULL),
                             STATUS_OK);
            check(&stage, &model, seed, "priced anew");
        }
        struct model_record record = model_random(&model, &seeded);
        enum outcome expected = model_apply(&model, &record);
        if (model_feed(&stage, &record) != expected)
            tell(seed, "an outcome", "not the expected one");
    }
    check(&stage, &model, seed, "at the end");
    stage_commit(&stage);
    model_commit(&model);
    if (seeded_below(&seeded, 2))
        stage_checkpoint(&stage);
    check_others(&stage, &model, seed);
    stage_fini(&stage);
}

static void test_ledger__equals_the_model_through_crashes(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    int lives = getenv("RATEL_LONG") ? 20000 : 2000;
    if (getenv("RATEL_SEED"))
        one_life(seeded.seed); /* one that failed */
    for (int life = 0; life < lives; life++)
        one_life(seeded_u64(&seeded));
}

/* Records that do not contradict one another, some of them twice. */
static uint32_t consistent_records(struct seeded *seeded, struct model *model,
                                   struct model_record *records, uint32_t limit)
{
    uint32_t count = 0;
    memset(model, 0, sizeof(*model));
    while (count < limit) {
        struct model_record record = model_random(model, seeded);
        struct model before = *model;
        if (model_apply(model, &record) == OUTCOME_CONFLICT)
            *model = before;
        else
            records[count++] = record;
    }
    return count;
}

static char *spend_of_all(const struct ledger *ledger)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (uint32_t account = 0; account < ledger->snapshot->account_count; account++)
        for (int32_t month = MODEL_MONTH_FIRST; month < MODEL_MONTH_FIRST + 4; month++) {
            char *spend = spend_describe(ledger, account, (struct period){month});
            fprintf(out, "%u %d\n%s", account, month, spend);
            free(spend);
        }
    fclose(out);
    return text;
}

static char *spend_in_order(const struct model_record *records, uint32_t count,
                            const struct snapshot *snapshot, struct seeded *seeded)
{
    struct stage stage;
    stage_init(&stage);
    stage_open(&stage, snapshot);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_not_equal(model_feed(&stage, &records[i]), OUTCOME_CONFLICT);
        if (seeded_below(seeded, 50) == 0)
            stage_commit(&stage);
    }
    char *spend = spend_of_all(stage.ledger);
    stage_fini(&stage);
    return spend;
}

static void test_ledger__any_order_gives_the_same_spend_to_the_last_digit(void **state)
{
    (void)state;
    enum { COUNT = 200, ORDERS = 6, SETS = 8 };
    static struct model model;
    static struct model_record records[COUNT];
    struct seeded seeded = seeded_init();
    for (int set = 0; set < SETS; set++) {
        const struct snapshot *snapshot = prices[set % 2].snapshot;
        consistent_records(&seeded, &model, records, COUNT);
        char *first = spend_in_order(records, COUNT, snapshot, &seeded);
        for (int order = 0; order < ORDERS; order++) {
            for (uint32_t i = COUNT - 1; i > 0; i--) {
                uint32_t j = (uint32_t)seeded_below(&seeded, i + 1);
                struct model_record swap = records[i];
                records[i] = records[j];
                records[j] = swap;
            }
            char *other = spend_in_order(records, COUNT, snapshot, &seeded);
            assert_string_equal(first, other);
            free(other);
        }
        free(first);
    }
}

static void test_ledger__repricing_equals_having_had_the_prices_from_the_start(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static struct model model;
    static struct model_record records[COUNT];
    struct seeded seeded = seeded_init();
    struct stage stage;
    consistent_records(&seeded, &model, records, COUNT);
    char *from_the_start = spend_in_order(records, COUNT, prices[1].snapshot, &seeded);
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    for (uint32_t i = 0; i < COUNT; i++)
        (void)model_feed(&stage, &records[i]);
    stage_commit(&stage);
    stage_checkpoint(&stage);
    char *before = spend_of_all(stage.ledger);
    assert_string_not_equal(before, from_the_start);
    assert_int_equal(ledger_reprice(stage.ledger, prices[1].snapshot, NULL), STATUS_OK);
    char *after = spend_of_all(stage.ledger);
    assert_string_equal(after, from_the_start);
    /* And by opening, with the checkpoint of the other prices on disk; for a reader too. */
    static const enum ledger_mode modes[] = {LEDGER_READ, LEDGER_WRITE};
    stage_close(&stage);
    for (int i = 0; i < 2; i++) {
        struct ledger *opened = stage_look(&stage, prices[1].snapshot, modes[i]);
        char *again = spend_of_all(opened);
        assert_string_equal(again, from_the_start);
        free(again);
        ledger_close(opened);
    }
    free(before);
    free(after);
    free(from_the_start);
    stage_fini(&stage);
}

static void test_ledger__nothing_pending_writes_nothing(void **state)
{
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    stage_commit(&stage);
    assert_int_equal(stage.ledger->sequence, 0);
    struct record_words words = model_series[0];
    words.start = MODEL_VERSION_0;
    words.end = words.start + 3600;
    words.quanta = 1;
    assert_int_equal(stage_apply(&stage, &words), OUTCOME_ACCEPTED);
    stage_commit(&stage);
    assert_int_equal(stage.ledger->sequence, 1);
    assert_int_equal(stage_apply(&stage, &words), OUTCOME_DUPLICATE);
    stage_commit(&stage);
    assert_int_equal(stage.ledger->sequence, 1);
    stage_fini(&stage);
}

enum { WIDE = 3 * SERIES_CHUNK + 17 };

/* A window of a series with a bucket of its own. */
static void feed_wide(struct stage *stage, uint32_t number, uint32_t day, int128 *sums)
{
    char resource[32];
    snprintf(resource, sizeof(resource), "wide-%u", number);
    struct record_words words = {.account = "a-utc",
                                 .meter = "network.sent",
                                 .resource = resource,
                                 .start = MODEL_VERSION_0 + 3600 * day,
                                 .end = MODEL_VERSION_0 + 3600 * (day + 1),
                                 .quanta = 1 + number + day};
    assert_int_equal(stage_apply(stage, &words), OUTCOME_ACCEPTED);
    sums[number] += words.quanta;
}

static void check_wide(const struct ledger *ledger, const int128 *sums)
{
    assert_int_equal(ledger->series.count, WIDE);
    assert_int_equal(ledger->buckets.count, WIDE);
    for (uint32_t i = 0; i < WIDE; i++)
        assert_true(ledger->buckets.items[i].quanta == sums[i] &&
                    ledger->series.lines[i].bucket[0] == i);
}

static uint32_t marked(const uint8_t *marks)
{
    uint32_t count = 0;
    for (uint32_t chunk = 0; chunk * SERIES_CHUNK < WIDE; chunk++)
        count += marks[chunk];
    return count;
}

/* Tables of several chunks, few of which change from one checkpoint to the next. */
static void test_ledger__a_checkpoint_has_what_changed_in_any_chunk(void **state)
{
    (void)state;
    static int128 sums[WIDE];
    struct seeded seeded = seeded_init();
    struct stage stage;
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    for (uint32_t i = 0; i < WIDE; i++)
        feed_wide(&stage, i, 0, sums);
    for (uint32_t day = 1; day < 30; day++) {
        stage_commit(&stage);
        if (day == 1 || seeded_below(&seeded, 3)) {
            stage_checkpoint(&stage);
            assert_int_equal(marked(stage.ledger->buckets.dirty_chunks), 0);
            assert_int_equal(marked(stage.ledger->series.dirty), 0);
        }
        stage_close(&stage);
        stage_open(&stage, prices[0].snapshot);
        check_wide(stage.ledger, sums);
        uint32_t before = marked(stage.ledger->buckets.dirty_chunks);
        feed_wide(&stage, (uint32_t)seeded_below(&seeded, WIDE), day, sums);
        uint32_t after = marked(stage.ledger->buckets.dirty_chunks);
        assert_true(after == before || after == before + 1);
        assert_true(after > 0 && marked(stage.ledger->series.dirty) == after);
    }
    stage_commit(&stage);
    stage_checkpoint(&stage);
    stage_close(&stage);
    struct ledger *other = stage_look(&stage, prices[0].snapshot, LEDGER_VERIFY);
    check_wide(other, sums);
    stage_verify(&stage, other);
    ledger_close(other);
    stage_fini(&stage);
}

static void test_ledger__discarded_conflicts_stay_discarded(void **state)
{
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    struct record_words words = model_series[0];
    words.start = MODEL_VERSION_0;
    words.end = words.start + 3600;
    for (words.quanta = 1; words.quanta < 5; words.quanta++)
        assert_int_equal(stage_apply(&stage, &words),
                         words.quanta == 1 ? OUTCOME_ACCEPTED : OUTCOME_CONFLICT);
    stage_commit(&stage);
    stage_checkpoint(&stage);
    struct error error;
    assert_int_equal(ledger_discard_conflict(stage.ledger, 4, &error), STATUS_NOT_FOUND);
    assert_int_equal(ledger_discard_conflict(stage.ledger, 2, NULL), STATUS_OK);
    assert_int_equal(ledger_discard_conflict(stage.ledger, 2, &error), STATUS_NOT_FOUND);
    for (int round = 0; round < 3; round++) {
        if (round == 1) { /* the first time it came from the journal */
            assert_int_equal(ledger_discard_conflict(stage.ledger, 1, NULL), STATUS_OK);
            stage_checkpoint(&stage);
        }
        stage_close(&stage);
        stage_open(&stage, prices[0].snapshot);
        assert_int_equal(stage.ledger->conflict_count, 3);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(stage.ledger->conflicts[i].discarded, i == 1 || (i == 0 && round > 0));
        stage_verify(&stage, stage.ledger);
        words.quanta = 3; /* sent again: still discarded, still one */
        assert_int_equal(stage_apply(&stage, &words), OUTCOME_CONFLICT);
        stage_commit(&stage);
        stage_checkpoint(&stage);
    }
    stage_fini(&stage);
}

static enum status count_events(const struct event *event, const struct journal_frame *frame,
                                void *context, struct error *error)
{
    (void)event, (void)frame, (void)error;
    ++*(uint64_t *)context;
    return STATUS_OK;
}

static int another_writer(void *context)
{
    struct stage *stage = context;
    struct record_words words = model_series[0];
    stage->ledger = NULL;
    stage->ledgers = NULL;
    stage_open(stage, prices[0].snapshot);
    words.start = MODEL_VERSION_0 + 3600;
    words.end = words.start + 3600;
    words.quanta = 7;
    (void)stage_apply(stage, &words);
    stage_commit(stage);
    stage_checkpoint(stage);
    return 0;
}

/* A reader's sums and what it walks are of one moment, whatever a writer adds meanwhile. */
static void test_ledger__a_readers_walk_ends_where_its_state_does(void **state)
{
    (void)state;
    struct stage stage;
    struct record_words words = model_series[0];
    uint64_t events = 0;
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    words.start = MODEL_VERSION_0;
    words.end = words.start + 3600;
    words.quanta = 5;
    (void)stage_apply(&stage, &words);
    stage_commit(&stage);
    stage_checkpoint(&stage);
    stage_close(&stage);
    struct ledger *reader = stage_look(&stage, prices[0].snapshot, LEDGER_READ);
    assert_int_equal(scratch_child(another_writer, &stage), 0);
    assert_int_equal(ledger_walk(reader, count_events, &events, NULL), STATUS_OK);
    assert_int_equal(events, 1);
    assert_int_equal(reader->event_count, 1);
    ledger_close(reader);
    stage_open(&stage, prices[0].snapshot);
    assert_int_equal(stage.ledger->event_count, 2);
    stage_fini(&stage);
}

/* Damage inside a sound file system: what the checkpoint says is changed in memory, and the
 * comparison must tell. */
static void test_verify__tells_every_kind_of_difference(void **state)
{
    (void)state;
    static struct model model;
    struct seeded seeded = seeded_init();
    struct stage stage;
    struct arena arena;
    struct verify_report report;
    arena_init(&arena);
    memset(&model, 0, sizeof(model));
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    for (int i = 0; i < 300; i++) {
        struct model_record record = model_random(&model, &seeded);
        (void)model_apply(&model, &record);
        (void)model_feed(&stage, &record);
    }
    stage_commit(&stage);
    struct ledger *stored = stage.ledger,
                  *derived = stage_look(&stage, prices[0].snapshot, LEDGER_DERIVE);
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 0);
    assert_int_equal(report.events, model.accepted_count);
    assert_true(report.buckets > 10 && ids_count(&stored->ids) > 3 && stored->conflict_count > 3);

    stored->buckets.items[5].quanta++;
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 1);
    stored->buckets.items[5].quanta--;
    uint32_t index;
    assert_int_equal(buckets_at(&stored->buckets, (struct bucket_key){.period = 7}, &index),
                     STATUS_OK);
    stored->buckets.items[index].quanta = 1;
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 1);
    stored->buckets.items[index].quanta = 0;
    stored->event_count++;
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 1);
    stored->event_count--;
    stored->conflicts[1].discarded = true;
    stored->conflicts[2].conflict.event.start++;
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 2);
    stored->conflicts[1].discarded = false;
    stored->conflicts[2].conflict.event.start--;
    for (uint64_t i = 0;; i++)
        if (!idset_is_free(&stored->ids.recent.slots[i])) {
            stored->ids.recent.slots[i].content++;
            break;
        }
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 1);
    assert_int_equal(windows_add(&stored->series, 0, 1, 1, 1, NULL), STATUS_OK);
    verify_compare(stored, derived, &arena, &report);
    assert_int_equal(report.difference_count, 2);
    ledger_close(derived);
    arena_fini(&arena);
    stage_fini(&stage);
}

struct priced {
    const struct ledger *ledger;
    const struct event *event;
    uint32_t by_line, priced, waiting; /* events */
    bool waits;                        /* a piece of the event does */
};

static enum status priced_piece(const struct piece *piece, void *context, struct error *error)
{
    struct priced *priced = context;
    (void)error;
    priced->waits |= piece->resolution.plan_count == 0;
    return STATUS_OK;
}

static enum status priced_event(const struct event *event, const struct journal_frame *frame,
                                void *context, struct error *error)
{
    struct priced *priced = context;
    struct definition definition;
    (void)frame;
    assert_int_equal(ledger_series_definition(priced->ledger, event->series, &definition, error),
                     STATUS_OK);
    struct series_view view = definition_view(&definition);
    priced->waits = false;
    assert_int_equal(ledger_split(priced->ledger->snapshot, &view,
                                  ledger_series_is_level(priced->ledger, event->series), event,
                                  priced_piece, priced, error),
                     STATUS_OK);
    bool by_line = ledger_is_priced(priced->ledger, event);
    assert_false(by_line && priced->waits);
    priced->by_line += by_line;
    priced->priced += !priced->waits;
    priced->waiting += priced->waits;
    return STATUS_OK;
}

/* What a line says of an event is what its definition and the prices say: under the prices it was
 * counted under, under others, and from a checkpoint. */
static void test_ledger__priced_events_do_not_wait(void **state)
{
    (void)state;
    struct stage stage;
    struct seeded seeded = seeded_init();
    static struct model model;
    struct error error = {0};
    memset(&model, 0, sizeof(model));
    stage_init(&stage);
    stage_open(&stage, prices[0].snapshot);
    for (int i = 0; i < 600; i++) {
        struct model_record record = model_random(&model, &seeded);
        (void)model_apply(&model, &record);
        (void)model_feed(&stage, &record);
    }
    stage_commit(&stage);
    assert_int_equal(ledger_checkpoint(stage.ledger, &error), STATUS_OK);
    stage_close(&stage);
    for (int i = 0; i < 4; i++) {
        const struct snapshot *snapshot = prices[i % 2].snapshot;
        struct ledger *ledger = stage_look(&stage, snapshot, i < 2 ? LEDGER_READ : LEDGER_DERIVE);
        struct priced priced = {.ledger = ledger};
        assert_int_equal(ledger_walk(ledger, priced_event, &priced, &error), STATUS_OK);
        assert_true(priced.by_line > 10 && priced.by_line <= priced.priced);
        assert_true(priced.waiting > 10);
        ledger_close(ledger);
    }
    stage_fini(&stage);
}

static int group_begin(void **state)
{
    (void)state;
    model_documents(&prices[0], model_prices_a);
    model_documents(&prices[1], model_prices_b);
    return prices[0].snapshot->pricing_digest ==
           prices[1].snapshot->pricing_digest; /* must differ */
}

static int group_end(void **state)
{
    (void)state;
    fixture_fini(&prices[0]);
    fixture_fini(&prices[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger__equals_the_model_through_crashes),
        cmocka_unit_test(test_ledger__any_order_gives_the_same_spend_to_the_last_digit),
        cmocka_unit_test(test_ledger__repricing_equals_having_had_the_prices_from_the_start),
        cmocka_unit_test(test_ledger__nothing_pending_writes_nothing),
        cmocka_unit_test(test_ledger__a_checkpoint_has_what_changed_in_any_chunk),
        cmocka_unit_test(test_ledger__discarded_conflicts_stay_discarded),
        cmocka_unit_test(test_ledger__a_readers_walk_ends_where_its_state_does),
        cmocka_unit_test(test_verify__tells_every_kind_of_difference),
        cmocka_unit_test(test_ledger__priced_events_do_not_wait),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
