/* Blocks of records in; counts, ledger and quarantine out. read = accepted + duplicate + conflict +
 * ignored + quarantined, at every moment. */
#include "engine/ingest.h"

#include "engine/account/ledger_fixture.h"

static const char documents[] =
    "kind: catalogue\nname: public\nratecard: card\n---\nkind: accounts\naccounts: [{id: a, "
    "currency: EUR, catalogue: public}]\n"
    "---\nkind: ratecard\nname: card\ncurrency: EUR\neffective_from: "
    "2026-01-01T00:00:00Z\ncharges:\n"
    "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"1\"}\n";

struct feeding {
    struct fixture documents;
    struct stage stage;
    struct quarantine *quarantine;
    struct clock_fixed clock;
    struct ingest ingest;
    struct record_block *block;
    struct arena arena;
};

static void open_all(struct feeding *f, uint32_t commit_events)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(f->stage.path, "quarantine", path);
    stage_open(&f->stage, f->documents.snapshot);
    assert_int_equal(quarantine_open(path, true, &f->quarantine, NULL), STATUS_OK);
    struct ingest_options options = {
        .ledgers = f->stage.ledgers,
        .quarantine = f->quarantine,
        .source = SLICE("cloud"),
        .seed = f->stage.datadir.seed,
        .clock = &f->clock.base,
        .commit_events = commit_events,
    };
    ingest_init(&f->ingest, &options);
}

static void close_all(struct feeding *f)
{
    ingest_fini(&f->ingest);
    quarantine_close(f->quarantine);
    stage_close(&f->stage);
}

static void begin(struct feeding *f, uint32_t commit_events)
{
    fixture_init(&f->documents);
    fixture_load(&f->documents, "documents", slice_string(documents));
    fixture_compiled(&f->documents);
    stage_init(&f->stage);
    clock_fixed_init(&f->clock, (struct instant){1790000000});
    arena_init(&f->arena);
    f->block = calloc(1, sizeof(*f->block));
    open_all(f, commit_events);
}

static void end(struct feeding *f)
{
    close_all(f);
    stage_fini(&f->stage);
    fixture_fini(&f->documents);
    arena_fini(&f->arena);
    free(f->block);
}

static void put(struct record *record, enum field field, const char *text)
{
    record->fields[field] = (struct field_value){text, (uint32_t)strlen(text), VALUE_TEXT};
}

/* The next record of the block: an hour of a volume. */
static struct record *add(struct feeding *f, const char *resource, int hour, const char *quantity)
{
    struct record *record = &f->block->records[f->block->count];
    *record = (struct record){
        .form = RECORD_FORM_JSON, .line = f->block->count + 1, .offset = 100u * f->block->count};
    record->raw =
        slice_string(arena_printf(&f->arena, "{\"%s\", %d, \"%s\"}", resource, hour, quantity));
    f->block->count++;
    put(record, FIELD_ACCOUNT, "a");
    put(record, FIELD_METER, "volume");
    put(record, FIELD_RESOURCE, arena_printf(&f->arena, "%s", resource));
    put(record, FIELD_SIZE, "10");
    put(record, FIELD_QUANTITY, arena_printf(&f->arena, "%s", quantity));
    put(record, FIELD_START, arena_printf(&f->arena, "2026-10-01T%02d:00:00Z", hour));
    put(record, FIELD_END, arena_printf(&f->arena, "2026-10-01T%02d:00:00Z", hour + 1));
    return record;
}

static void feed(struct feeding *f)
{
    struct error error = {0};
    if (ingest_block(&f->ingest, SLICE("usage.json"), f->block, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    f->block->count = 0;
}

static void commit(struct feeding *f)
{
    struct error error = {0};
    if (ingest_commit(&f->ingest, 1000, &error) != STATUS_OK)
        fail_msg("%s", error.text);
}

static void check_counts(const struct ingest_counts *counts, uint64_t read, uint64_t accepted,
                         uint64_t duplicate, uint64_t conflict, uint64_t ignored,
                         uint64_t quarantined)
{
    counts_check(counts);
    assert_int_equal(counts->read, read);
    assert_int_equal(counts->accepted, accepted);
    assert_int_equal(counts->duplicate, duplicate);
    assert_int_equal(counts->conflict, conflict);
    assert_int_equal(counts->ignored, ignored);
    assert_int_equal(counts->quarantined, quarantined);
}

static void one_of_each(struct feeding *f)
{
    add(f, "v1", 1, "1");
    add(f, "v1", 2, "1");
    add(f, "v1", 1, "1");    /* duplicate */
    add(f, "v1", 1, "1.0");  /* the same number */
    add(f, "v1", 1, "2");    /* conflict */
    add(f, "v2", 1, "many"); /* not a number */
    put(add(f, "v3", 1, "1000000000000000000"), FIELD_SIZE,
        "9223372036854775807"); /* beyond any sum */
    struct record *broken = add(f, "v4", 1, "1");
    broken->state = RECORD_BAD;
    broken->reason = "the record is cut off";
    struct record *view = add(f, "v5", 1, "1"); /* CloudStack's second row for an attached volume */
    *view = (struct record){.form = RECORD_FORM_JSON, .raw = SLICE("{view}")};
    put(view, FIELD_USAGETYPE, "6");
    put(view, FIELD_ACCOUNTID, "a");
    put(view, FIELD_VIRTUALMACHINEID, "vm");
}

static void test_ingest__everything_that_is_read_is_counted_somewhere(void **state)
{
    (void)state;
    struct feeding f;
    begin(&f, 1000);
    one_of_each(&f);
    feed(&f);
    commit(&f);
    check_counts(&f.ingest.total, 9, 2, 2, 1, 1, 3);
    assert_int_equal(quarantine_count(f.quarantine), 3);
    assert_non_null(
        strstr(quarantine_at(f.quarantine, 0)->reason.data, "quantity is not a number"));
    assert_non_null(strstr(quarantine_at(f.quarantine, 1)->reason.data, "volume"));
    assert_int_equal(quarantine_at(f.quarantine, 1)->line, 7);
    assert_int_equal(f.stage.ledger->event_count, 2);
    assert_int_equal(f.stage.ledger->conflict_count, 1);
    /* All of it once more, in another process: nothing new. */
    close_all(&f);
    open_all(&f, 1000);
    one_of_each(&f);
    feed(&f);
    commit(&f);
    check_counts(&f.ingest.total, 9, 0, 4, 1, 1, 3);
    assert_int_equal(quarantine_count(f.quarantine), 3);
    assert_int_equal(f.stage.ledger->event_count, 2);
    assert_int_equal(f.stage.ledger->conflict_count, 1);
    end(&f);
}

static enum status last_frame(struct journal_frame *frame, void *context, struct error *error)
{
    (void)error;
    struct journal_frame *last = context;
    *last = *frame; /* the position's texts borrow, so only numbers are looked at afterwards */
    return STATUS_OK;
}

static void test_ingest__a_commit_says_what_became_of_the_records_and_how_far_it_got(void **state)
{
    (void)state;
    struct feeding f;
    struct journal_frame last;
    begin(&f, 1000);
    one_of_each(&f);
    feed(&f);
    check_counts(&f.ingest.total, 0, 0, 0, 0, 0, 0); /* not durable yet */
    check_counts(&f.ingest.pending, 9, 2, 2, 1, 1, 3);
    commit(&f);
    check_counts(&f.ingest.pending, 0, 0, 0, 0, 0, 0);
    assert_int_equal(journal_walk(f.stage.ledger->journal, 1, last_frame, &last, NULL), STATUS_OK);
    assert_int_equal(last.sequence, 1);
    assert_int_equal(last.position.offset, 1000);
    check_counts(&last.counts, 9, 2, 2, 1, 1, 3);
    end(&f);
}

/* A commit becomes due in the middle of a block: it covers the records before it and no other. */
static void test_ingest__a_full_commit_ends_within_a_block(void **state)
{
    (void)state;
    struct feeding f;
    struct journal_frame last;
    begin(&f, 4);
    for (int i = 0; i < 10; i++)
        add(&f, "v1", i, "1");
    feed(&f);
    assert_int_equal(f.stage.ledger->sequence, 2);
    check_counts(&f.ingest.total, 8, 8, 0, 0, 0, 0);
    check_counts(&f.ingest.pending, 2, 2, 0, 0, 0, 0);
    assert_int_equal(journal_walk(f.stage.ledger->journal, 1, last_frame, &last, NULL), STATUS_OK);
    assert_int_equal(last.event_count, 4);
    assert_true(last.position.offset > 700 &&
                last.position.offset < 800); /* behind the eighth record */
    close_all(&f);                           /* a crash: the two are gone */
    open_all(&f, 4);
    assert_int_equal(f.stage.ledger->event_count, 8);
    for (int i = 0; i < 10; i++)
        add(&f, "v1", i, "1");
    feed(&f);
    commit(&f);
    check_counts(&f.ingest.total, 10, 2, 8, 0, 0, 0);
    end(&f);
}

/* Series with much to say: a commit is due long before the events are many, for it must fit into a
 * frame. */
static void test_ingest__large_definitions_make_a_commit_due(void **state)
{
    (void)state;
    struct feeding f;
    char *note = malloc(500001);
    memset(note, 'n', 500000);
    note[500000] = 0;
    begin(&f, 1000000);
    for (int i = 0; i < 200; i++) {
        struct record *record = add(&f, "v", 1, "1");
        put(record, FIELD_RESOURCE, arena_printf(&f.arena, "v%d", i));
        put(record, FIELD_DESCRIPTION, note);
        put(record, FIELD_NAME, note);
    }
    feed(&f);
    commit(&f);
    check_counts(&f.ingest.total, 200, 200, 0, 0, 0, 0);
    assert_true(f.stage.ledger->sequence > 10);
    close_all(&f);
    open_all(&f, 1000000);
    assert_int_equal(f.stage.ledger->event_count, 200);
    free(note);
    end(&f);
}

/* A level at a moment would count for no time, so for nothing, and nobody would know. */
static void test_ingest__a_level_needs_a_window(void **state)
{
    (void)state;
    struct feeding f;
    begin(&f, 1000);
    struct record *record = add(&f, "b", 1, "1");
    put(record, FIELD_METER, "bucket");
    record = add(&f, "b", 2, "1");
    put(record, FIELD_METER, "bucket");
    put(record, FIELD_ID, "e1");
    put(record, FIELD_TIME, "2026-10-01T02:00:00Z");
    record->fields[FIELD_START].kind = record->fields[FIELD_END].kind = VALUE_ABSENT;
    feed(&f);
    commit(&f);
    check_counts(&f.ingest.total, 2, 1, 0, 0, 0, 1);
    assert_non_null(strstr(quarantine_at(f.quarantine, 0)->reason.data, "level"));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ingest__everything_that_is_read_is_counted_somewhere),
        cmocka_unit_test(test_ingest__a_commit_says_what_became_of_the_records_and_how_far_it_got),
        cmocka_unit_test(test_ingest__a_full_commit_ends_within_a_block),
        cmocka_unit_test(test_ingest__large_definitions_make_a_commit_due),
        cmocka_unit_test(test_ingest__a_level_needs_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
