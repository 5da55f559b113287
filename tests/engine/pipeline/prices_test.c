/* Prices that change while the pipeline runs: whatever is published and when, the result is that of
 * a run with the last prices from the start, and every other snapshot is given back. */
#include "engine/account/ledger_fixture.h"
#include "engine/base/seeded.h"

#include <stdatomic.h>
#include <time.h>

#include "pipeline/pipeline.h"

enum { WINDOWS = 60, ROWS = 40, ACCOUNTS = 6, REVISIONS = 6, FINAL = REVISIONS, READERS = 16 };

/* ---- documents ------------------------------------------------------------------------------- */

/* No revision asks more than the last one does, so that no alert is due under one of them that is
 * not due in the end. Accounts come, go and get other numbers. */
static char *documents_of(uint32_t revision)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    bool last = revision == FINAL;
    fprintf(out, "kind: catalogue\nname: public\nratecard: card\n---\n");
    for (int card = 0; card < (last || revision % 2 ? 2 : 1); card++)
        fprintf(
            out,
            "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-10-%02dT00:00:00Z\n"
            "charges:\n  - {code: vm, meter: vm.running, unit: hour, price: \"0.%02u\"}\n"
            "  - {code: disk, meter: volume, times: size, unit: GiB-month, model: graduated, "
            "tiers: [{up_to: 10, price: \"0.%02u\"}, {price: \"0.01\"}]}\n---\n",
            1 + card * 9, last ? 9 : 1 + revision, last ? 9 : 2 + revision);
    fprintf(out, "kind: accounts\naccounts:\n");
    if (revision % 3 == 1)
        fprintf(out, "  - {id: \"0\", currency: EUR, catalogue: public}\n");
    for (uint32_t i = 0; i < (last ? ACCOUNTS : revision); i++)
        fprintf(out, "  - {id: a%u, currency: EUR, catalogue: public}\n", i);
    if (last || revision % 2 == 0) {
        fprintf(
            out,
            "  - {id: payer, currency: EUR, catalogue: public}\n---\nkind: budgets\nbudgets:\n");
        for (uint32_t i = 0; i < (last ? ACCOUNTS : revision); i++)
            fprintf(out,
                    "  - {id: b%u, account: a%u, amount: \"10\", currency: EUR, thresholds: [1, 5, "
                    "10, 20, 50, 75, 100, 200]}\n",
                    i, i);
        fprintf(out,
                "  - {id: bp, account: payer, amount: \"10\", currency: EUR, thresholds: [1]}\n");
    }
    fclose(out);
    return text;
}

static atomic_int snapshots; /* that nobody has given back */

static struct snapshot *compiled(uint32_t revision)
{
    struct fixture fixture;
    char *text = documents_of(revision);
    fixture_init(&fixture);
    fixture_load(&fixture, "documents", slice_string(text));
    fixture_compiled(&fixture);
    struct snapshot *snapshot = fixture.snapshot;
    fixture.snapshot = NULL;
    fixture_fini(&fixture);
    free(text);
    atomic_fetch_add(&snapshots, 1);
    return snapshot;
}

static void give_back(void *context, struct snapshot *snapshot)
{
    (void)context;
    atomic_fetch_sub(&snapshots, 1);
    snapshot_free(snapshot); /* the sanitizers see who looks at it afterwards */
}

/* ---- input ----------------------------------------------------------------------------------- */

struct row {
    char account[8], resource[16], start[24], end[24], quantity[8], raw[32];
    bool disk;
};

enum play { PLAY_SOME, PLAY_STORM, PLAY_IDLE, PLAY_FAIL };

struct script {
    uint64_t seed;
    enum play play;
    struct seeded pace; /* the filling lane's */
    struct seeded news; /* the keeper's */
    struct row rows[WINDOWS][ROWS];
    struct record_block *blocks[READERS];
    _Atomic uint32_t next;
    _Atomic uint32_t asked, given;
    bool final_given;
};

static void make_rows(struct script *script)
{
    struct seeded seeded = {script->seed, script->seed};
    for (int w = 0; w < WINDOWS; w++)
        for (int i = 0; i < ROWS; i++) {
            struct row *row = &script->rows[w][i];
            unsigned hour = (unsigned)seeded_below(&seeded, 24 * 20);
            row->disk = seeded_below(&seeded, 3) == 0;
            snprintf(row->account, sizeof(row->account), "a%u",
                     (unsigned)seeded_below(&seeded, ACCOUNTS + 1));
            snprintf(row->resource, sizeof(row->resource), "r%u",
                     (unsigned)seeded_below(&seeded, 5));
            snprintf(row->start, sizeof(row->start), "2026-10-%02uT%02u:00:00Z", 1 + hour / 24,
                     hour % 24);
            snprintf(row->end, sizeof(row->end), "2026-10-%02uT%02u:30:00Z", 1 + hour / 24,
                     hour % 24);
            snprintf(row->quantity, sizeof(row->quantity), "%u", 1 + hour % 7);
            snprintf(row->raw, sizeof(row->raw), "%d.%d", w, i);
        }
}

static void nap(uint64_t microseconds)
{
    const struct timespec pause = {.tv_nsec = (long)microseconds * 1000};
    if (microseconds)
        (void)nanosleep(&pause, NULL);
}

static enum status fill(void *context, uint32_t reader, struct window *window, bool *ret_more,
                        struct error *error)
{
    struct script *script = context;
    (void)reader;
    (void)error;
    uint32_t number = atomic_load(&script->next);
    if (script->play == PLAY_IDLE && number == WINDOWS / 2) {
        /* Nothing comes any more; the shards must take over what is published all the same. */
        uint32_t given = atomic_load(&script->given), tries = 0;
        while (atomic_load(&script->given) < given + 3 && tries++ < 20000)
            nap(1000);
        assert_true(tries < 20000);
    }
    nap(seeded_below(&script->pace, 3) ? 0 : seeded_below(&script->pace, 3000));
    *ret_more = number < WINDOWS;
    window->file = SLICE("script");
    window->form = RECORD_FORM_JSON;
    window->alone = false;
    if (!*ret_more)
        return STATUS_OK;
    window->of_input = script->rows[number];
    window->bytes = script->rows[number][0].raw;
    window->length = 1;
    window->offset = number * 100;
    window->lines = 0;
    window->position = window->offset + 100;
    atomic_store(&script->next, number + 1);
    return STATUS_OK;
}

static void put(struct record *record, enum field field, const char *text)
{
    record->fields[field] = (struct field_value){text, (uint32_t)strlen(text), VALUE_TEXT};
}

static enum status decode(void *context, uint32_t reader, struct window *window, struct lane *lane,
                          struct error *error)
{
    struct script *script = context;
    const struct row *rows = window->of_input;
    struct record_block *block = script->blocks[reader];
    block->count = ROWS;
    for (int i = 0; i < ROWS; i++) {
        struct record *record = &block->records[i];
        *record = (struct record){.form = RECORD_FORM_JSON, .raw = slice_string(rows[i].raw)};
        put(record, FIELD_ACCOUNT, rows[i].account);
        put(record, FIELD_METER, rows[i].disk ? "volume" : "vm.running");
        put(record, FIELD_RESOURCE, rows[i].resource);
        put(record, FIELD_SIZE, "10");
        put(record, FIELD_QUANTITY, rows[i].quantity);
        put(record, FIELD_START, rows[i].start);
        put(record, FIELD_END, rows[i].end);
    }
    return lane_records(lane, window, block, error);
}

static enum status reread(void *context, uint32_t reader, enum record_form form, struct slice raw,
                          const struct record_block **ret, struct error *error)
{
    (void)context, (void)reader, (void)form, (void)raw, (void)ret, (void)error;
    fail_msg("nothing here is read again");
    return STATUS_BUG;
}

static enum status news(void *context, struct snapshot **ret, struct error *error)
{
    struct script *script = context;
    *ret = NULL;
    atomic_fetch_add(&script->asked, 1);
    if (script->final_given)
        return STATUS_OK;
    bool past_half = atomic_load(&script->next) > WINDOWS / 2;
    if (script->play == PLAY_FAIL && past_half)
        return error_set(error, STATUS_IO, "the book is broken");
    if (script->play == PLAY_SOME && seeded_below(&script->news, 3))
        return STATUS_OK;
    script->final_given = past_half && seeded_below(&script->news, 4) == 0;
    uint32_t revision =
        script->final_given ? FINAL : (uint32_t)seeded_below(&script->news, REVISIONS);
    *ret = compiled(revision);
    atomic_fetch_add(&script->given, 1);
    return STATUS_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

struct run {
    struct stage stage;
    struct quarantine *quarantine;
    struct clock_fixed clock;
    struct script *script;
    struct ingest_counts counts;
};

static void run_begin(struct run *run, uint32_t shards, const struct snapshot *first,
                      struct script *script)
{
    char path[SCRATCH_PATH_BYTES];
    memset(run, 0, sizeof(*run));
    run->script = script;
    stage_init_shards(&run->stage, shards);
    run->stage.watched = true;
    stage_open(&run->stage, first);
    scratch_path(run->stage.path, "quarantine", path);
    assert_int_equal(quarantine_open(path, true, &run->quarantine, NULL), STATUS_OK);
    clock_fixed_init(&run->clock, (struct instant){1790000000});
    for (int i = 0; i < READERS; i++)
        script->blocks[i] = calloc(1, sizeof(*script->blocks[i]));
}

static enum status run_pipeline(struct run *run, uint32_t lanes, bool with_news,
                                struct error *error)
{
    struct script *script = run->script;
    struct pipeline_options options = {
        .ledgers = run->stage.ledgers,
        .quarantine = run->quarantine,
        .source = SLICE("cloud"),
        .seed = run->stage.datadir.seed,
        .clock = &run->clock.base,
        .lanes = lanes,
        .commit_events = 64,
        .commit_interval_us = 1000,
        .checkpoint_events = 300,
        .input = {.context = script, .fill = fill, .decode = decode, .reread = reread},
    };
    if (with_news)
        options.prices = (struct pipeline_prices){script, news, give_back, 1};
    return pipeline_run(&options, &run->counts, error);
}

static void run_end(struct run *run)
{
    for (int i = 0; i < READERS; i++)
        free(run->script->blocks[i]);
    quarantine_close(run->quarantine);
    stage_fini(&run->stage);
}

static int compare_slices(const void *left, const void *right)
{
    return slice_compare(*(const struct slice *)left, *(const struct slice *)right);
}

/* Spend of every account and all alerts as text. Owner: caller, free. */
static char *told(struct run *run, struct ledgers *ledgers)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    struct period period;
    assert_int_equal(period_parse(SLICE("2026-10"), &period), STATUS_OK);
    fprintf(out, "events %llu\n", (unsigned long long)ledgers_event_count(ledgers));
    for (uint32_t i = 0; i < ledgers->snapshot->account_count; i++) {
        const struct buckets *buckets;
        struct arena arena;
        struct spend spend;
        struct slice id = ledgers->snapshot->accounts[i].id;
        arena_init(&arena);
        assert_int_equal(ledgers_buckets(ledgers, i, period, &buckets, NULL), STATUS_OK);
        assert_int_equal(spend_compute(buckets, ledgers->snapshot, i, period, &arena, &spend, NULL),
                         STATUS_OK);
        for (uint32_t line = 0; line < spend.line_count; line++) {
            char quantity[DECIMAL_TEXT_BYTES], amount[DECIMAL_TEXT_BYTES];
            quantity_format(spend.lines[line].quantity, quantity);
            money_format_exact(spend.lines[line].amount, amount);
            fprintf(out, "%.*s %.*s %s %s\n", (int)id.length, id.data,
                    (int)spend.lines[line].charge->code.length, spend.lines[line].charge->code.data,
                    quantity, amount);
        }
        arena_fini(&arena);
    }
    struct fake_sink *sink = &run->stage.sink;
    qsort(sink->ids, sink->count, sizeof(*sink->ids), compare_slices);
    for (uint32_t i = 0; i < sink->count; i++)
        fprintf(out, "%.*s\n", (int)sink->ids[i].length, sink->ids[i].data);
    fclose(out);
    return text;
}

static void check_verified(struct run *run)
{
    struct arena arena;
    struct verify_report report;
    struct error error = {0};
    arena_init(&arena);
    if (verify_ledgers(run->stage.ledgers, &arena, &report, &error) != STATUS_OK)
        fail_msg("cannot verify: %s", error.text);
    assert_int_equal(report.difference_count, 0);
    arena_fini(&arena);
}

static char *clean_run(uint64_t seed)
{
    static struct script script;
    struct run run;
    struct error error = {0};
    struct snapshot *final = compiled(FINAL);
    script = (struct script){.seed = seed};
    make_rows(&script);
    run_begin(&run, 1, final, &script);
    assert_int_equal(run_pipeline(&run, 1, false, &error), STATUS_OK);
    char *text = told(&run, run.stage.ledgers);
    run_end(&run);
    give_back(NULL, final);
    return text;
}

/* Returns how many snapshots were published. */
static uint32_t check_run(uint64_t seed, uint32_t shards, uint32_t lanes, enum play play,
                          const char *clean)
{
    static struct script script;
    struct run run;
    struct error error = {0};
    struct snapshot *first = compiled((uint32_t)(seed % REVISIONS));
    script = (struct script){
        .seed = seed, .play = play, .pace = {0, seed + 1}, .news = {0, seed + shards}};
    make_rows(&script);
    run_begin(&run, shards, first, &script);
    if (run_pipeline(&run, lanes, true, &error) != STATUS_OK)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error.text);
    struct snapshot *last = (struct snapshot *)run.stage.ledgers->snapshot;
    assert_int_equal(atomic_load(&snapshots), 1); /* the last one */
    for (uint32_t i = 0; i < shards; i++)
        assert_ptr_equal(run.stage.ledgers->shards[i]->snapshot, last);
    if (!script.final_given) { /* the input was over first: what a session does then */
        struct snapshot *final = compiled(FINAL);
        assert_int_equal(ledgers_adopt(run.stage.ledgers, final, &error), STATUS_OK);
        assert_int_equal(ledgers_checkpoint(run.stage.ledgers, &error), STATUS_OK);
        give_back(NULL, last);
        last = final;
    }
    char *text = told(&run, run.stage.ledgers);
    if (strcmp(text, clean) != 0)
        fail_msg("seed %llu, %u shards, %u lanes:\n%s\nnot\n%s", (unsigned long long)seed, shards,
                 lanes, text, clean);
    check_verified(&run);
    stage_close(&run.stage);
    /* The checkpoint is of these prices, and of all of it. */
    struct ledgers *again = stage_look_all(&run.stage, last, LEDGER_READ);
    char *reread_text = told(&run, again);
    assert_string_equal(reread_text, clean);
    for (uint32_t i = 0; i < shards; i++)
        assert_int_equal(again->shards[i]->checkpoint_digest, last->pricing_digest);
    ledgers_close(again);
    free(text);
    free(reread_text);
    run_end(&run);
    give_back(NULL, last);
    assert_int_equal(atomic_load(&snapshots), 0);
    return atomic_load(&script.given);
}

static void check_runs(enum play play, uint32_t given_least)
{
    struct seeded seeded = seeded_init();
    uint32_t given = 0;
    for (uint32_t i = 0; i < 12; i++) {
        uint64_t seed = seeded_u64(&seeded);
        char *clean = clean_run(seed);
        assert_non_null(strstr(clean, "budget:b5:2026-10:100"));
        given += check_run(seed, 1 + i % 4, 1 + i / 4, play, clean);
        free(clean);
    }
    assert_true(given >= given_least);
}

static void test_prices__published_at_random_end_in_the_result_of_the_last(void **state)
{
    (void)state;
    check_runs(PLAY_SOME, 24);
}

static void test_prices__storm_of_publications_changes_nothing(void **state)
{
    (void)state;
    check_runs(PLAY_STORM, 100);
}

static void test_prices__shards_without_work_follow_too(void **state)
{
    (void)state;
    check_runs(PLAY_IDLE, 36);
}

static void test_prices__that_cannot_be_had_end_the_pipeline(void **state)
{
    static struct script script;
    (void)state;
    for (uint32_t shards = 1; shards <= 3; shards++) {
        struct run run;
        struct error error = {0};
        struct snapshot *first = compiled(0);
        script =
            (struct script){.seed = shards, .play = PLAY_FAIL, .pace = {0, 1}, .news = {0, shards}};
        make_rows(&script);
        run_begin(&run, shards, first, &script);
        assert_int_equal(run_pipeline(&run, 2, true, &error), STATUS_IO);
        assert_string_equal(error.text, "the book is broken");
        struct snapshot *last = (struct snapshot *)run.stage.ledgers->snapshot;
        assert_int_equal(atomic_load(&snapshots), 1);
        run_end(&run);
        give_back(NULL, last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prices__published_at_random_end_in_the_result_of_the_last),
        cmocka_unit_test(test_prices__storm_of_publications_changes_nothing),
        cmocka_unit_test(test_prices__shards_without_work_follow_too),
        cmocka_unit_test(test_prices__that_cannot_be_had_end_the_pipeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
