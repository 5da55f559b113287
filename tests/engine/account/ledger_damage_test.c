/* One bit of what is on disk is turned over, anywhere: either somebody says so, or nothing was
 * lost. Never silent. */
#include "engine/account/ledger_model.h"

#include <signal.h>
#include <sys/resource.h>

static struct fixture prices;

enum found {
    FOUND_NOTHING,
    FOUND_DAMAGE,
    FOUND_SILENT_LOSS,
    FOUND_A_TORN_TAIL /* which the writer takes away, and says so */
};

#define COMMITS 10

struct case_of_damage {
    struct stage stage;
    struct model model;
    char journal[SCRATCH_PATH_BYTES];
    char checkpoint[SCRATCH_PATH_BYTES];
    char heap[SCRATCH_PATH_BYTES];
    size_t ends[COMMITS]; /* of the journal, after each commit */
};

/* A ledger with several frames, a checkpoint in the middle (and at the end, when asked), and its
 * model. */
static void make(struct case_of_damage *c, bool checkpoint_last)
{
    struct seeded seeded = seeded_init();
    memset(c, 0, sizeof(*c));
    c->model.set = 1;
    stage_init(&c->stage);
    stage_open(&c->stage, prices.snapshot);
    scratch_path(c->stage.path, "shard-00/journal/00000001.seg", c->journal);
    scratch_path(c->stage.path, "shard-00/ledger/data.mdb", c->checkpoint);
    scratch_path(c->stage.path, "shard-00/ledger/heap", c->heap);
    for (int i = 0; i < 20 * COMMITS; i++) {
        struct model_record record = model_random(&c->model, &seeded);
        (void)model_apply(&c->model, &record);
        (void)model_feed(&c->stage, &record);
        if (i % 20 != 19)
            continue;
        stage_commit(&c->stage);
        c->ends[i / 20] = scratch_size(c->journal);
        if (i == 99)
            stage_checkpoint(&c->stage);
    }
    model_commit(&c->model);
    if (checkpoint_last)
        stage_checkpoint(&c->stage);
    stage_close(&c->stage);
}

/* Definitions and old windows are read from the heap when they are asked for, and told then. */
static bool is_told(const struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->series.count; i++) {
        struct definition definition;
        struct coverage windows;
        enum status status = ledger_series_definition(ledger, i, &definition, NULL);
        if (status == STATUS_OK && ledger->options.mode != LEDGER_READ) {
            status = windows_all(&ledger->series, i, &windows, NULL);
            if (status == STATUS_OK)
                coverage_fini(&windows);
        }
        if (status == STATUS_CORRUPT)
            return true;
    }
    return false;
}

static enum found judge(const struct case_of_damage *c, const struct ledger *ledger)
{
    if (is_told(ledger))
        return FOUND_DAMAGE;
    return model_compare(&c->model, ledger, c->stage.datadir.seed) ? FOUND_SILENT_LOSS
                                                                   : FOUND_NOTHING;
}

/* A damaged LMDB may read wherever it likes; what kills the child is a finding, which needs neither
 * core nor report nor cmocka's own handlers. */
static void child_begin(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_DFL);
    (void)!freopen("/dev/null", "w", stderr);
}

/* As `ratel verify` looks: checkpoint and tail, the whole journal, and the two compared. */
static int look(void *context)
{
    struct case_of_damage *c = context;
    struct ledger *stored = NULL, *derived = NULL;
    struct verify_report report;
    struct arena arena;
    struct error error;
    child_begin();
    arena_init(&arena);
    if (stage_try(&c->stage, prices.snapshot, LEDGER_VERIFY, &stored, &error) != STATUS_OK ||
        stage_try(&c->stage, prices.snapshot, LEDGER_DERIVE, &derived, &error) != STATUS_OK)
        return FOUND_DAMAGE;
    verify_compare(stored, derived, &arena, &report);
    if (report.difference_count)
        return FOUND_DAMAGE;
    enum found found = judge(c, stored);
    return found == FOUND_NOTHING ? judge(c, derived) : found;
}

/* As the next `ratel ingest` looks. */
static int open_for_writing(void *context)
{
    struct case_of_damage *c = context;
    struct error error;
    child_begin();
    if (stage_try(&c->stage, prices.snapshot, LEDGER_WRITE, &c->stage.ledger, &error) != STATUS_OK)
        return FOUND_DAMAGE;
    if (c->stage.ledger->cut_bytes)
        return FOUND_A_TORN_TAIL;
    return judge(c, c->stage.ledger);
}

static void test_damage__sound_data_are_sound(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        static struct case_of_damage c;
        make(&c, last);
        assert_int_equal(scratch_child(look, &c), FOUND_NOTHING);
        assert_int_equal(scratch_child(open_for_writing, &c), FOUND_NOTHING);
        stage_fini(&c.stage);
    }
}

/* Flips bits of one file, each alone, and asks both. */
static void flip_around(struct case_of_damage *c, const char *path, int flips, uint32_t *ret_found)
{
    struct seeded seeded = seeded_init();
    size_t length;
    char *sound = scratch_read(path, &length);
    *ret_found = 0;
    for (int i = 0; i < flips; i++) {
        size_t offset = (size_t)seeded_below(&seeded, length);
        unsigned char mask = (unsigned char)(1u << seeded_below(&seeded, 8));
        scratch_flip(path, offset, mask);
        int reading = scratch_child(look, c);
        int writing = scratch_child(open_for_writing, c);
        /* The checkpoint has seen everything, so nothing can be taken for an unfinished commit. */
        if (reading == FOUND_SILENT_LOSS || writing == FOUND_SILENT_LOSS ||
            writing == FOUND_A_TORN_TAIL)
            fail_msg("RATEL_SEED=%llu: bit %#x of byte %zu of %s: reader %d, writer %d",
                     (unsigned long long)seeded.seed, mask, offset, path, reading, writing);
        *ret_found += reading != FOUND_NOTHING;
        scratch_write(path, sound, length);
    }
    free(sound);
}

static void test_damage__a_bit_of_the_journal(void **state)
{
    (void)state;
    static struct case_of_damage c;
    uint32_t found;
    int flips = getenv("RATEL_LONG") ? 5000 : 150;
    make(&c, true);
    flip_around(&c, c.journal, flips, &found);
    assert_true(found * 10 > (uint32_t)flips * 9); /* the rest is padding */
    stage_fini(&c.stage);
}

/* Most of an LMDB file of this size is free or empty: what is not used cannot be missed. */
static void test_damage__a_bit_of_the_checkpoint(void **state)
{
    (void)state;
    static struct case_of_damage c;
    uint32_t found;
    make(&c, true);
    flip_around(&c, c.checkpoint, getenv("RATEL_LONG") ? 5000 : 150, &found);
    assert_true(found > 5);
    stage_fini(&c.stage);
}

/* Every byte of a stored bucket: the checkpoint's sums are what people are billed by. */
static void test_damage__a_sum_in_the_checkpoint(void **state)
{
    (void)state;
    static struct case_of_damage c;
    make(&c, true);
    struct ledger *ledger = stage_look(&c.stage, prices.snapshot, LEDGER_READ);
    int128 quanta = 0;
    for (uint32_t i = 0; i < ledger->buckets.count; i++)
        if (ledger->buckets.items[i].quanta > quanta)
            quanta = ledger->buckets.items[i].quanta;
    ledger_close(ledger);
    size_t length;
    uint32_t places = 0;
    char *sound = scratch_read(c.checkpoint, &length);
    for (size_t i = 0; i + sizeof(quanta) <= length; i++) {
        if (memcmp(sound + i, &quanta, sizeof(quanta)) != 0)
            continue;
        places++;
        for (size_t byte = 0; byte < sizeof(quanta); byte++) {
            scratch_flip(c.checkpoint, i + byte, 0x10);
            int found = scratch_child(look, &c);
            assert_int_not_equal(found, FOUND_SILENT_LOSS);
            scratch_flip(c.checkpoint, i + byte, 0x10);
        }
    }
    assert_true(places >= 1);
    free(sound);
    stage_fini(&c.stage);
}

/* LMDB keeps the names and roots of tables in pages without checksums: a table that has another
 * name, or an older root, looks empty or old, with every value sealed and sound. */
static void test_damage__a_table_that_vanishes(void **state)
{
    (void)state;
    static struct case_of_damage c;
    static const char *const tables[] = {"series", "bucket", "conflict", "resource", "meta"};
    size_t length;
    make(&c, true);
    char *sound = scratch_read(c.checkpoint, &length);
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        size_t name = strlen(tables[t]);
        uint32_t told = 0;
        for (size_t i = 0; i + name + 48 <= length; i++) {
            if (memcmp(sound + i, tables[t], name) != 0)
                continue;
            for (size_t byte = 0; byte < name + 48;
                 byte += byte < name ? 1 : 3) { /* the name, then its MDB_db */
                scratch_flip(c.checkpoint, i + byte, 0x01);
                int reading = scratch_child(look, &c),
                    writing = scratch_child(open_for_writing, &c);
                if (reading == FOUND_SILENT_LOSS || writing == FOUND_SILENT_LOSS)
                    fail_msg("%s, byte %zu: reader %d, writer %d", tables[t], byte, reading,
                             writing);
                told += writing != FOUND_NOTHING;
                scratch_write(c.checkpoint, sound, length);
            }
        }
        /* Other places are pages of earlier commits. Without its state a checkpoint is none, and
         * everything is derived anew. */
        assert_true(told >= name || strcmp(tables[t], "meta") == 0);
    }
    free(sound);
    stage_fini(&c.stage);
}

/* Definitions and old windows: the checkpoint's, though in a file of their own. */
static void test_damage__a_bit_of_the_heap(void **state)
{
    (void)state;
    static struct case_of_damage c;
    uint32_t found;
    int flips = getenv("RATEL_LONG") ? 5000 : 150;
    make(&c, true);
    assert_true(scratch_size(c.heap) > 1500);
    flip_around(&c, c.heap, flips, &found);
    assert_true(found * 10 > (uint32_t)flips * 7); /* the rest is padding and the header's zeros */
    stage_fini(&c.stage);
}

static void test_damage__a_heap_that_lost_its_end(void **state)
{
    (void)state;
    static struct case_of_damage c;
    size_t length;
    make(&c, true);
    char *sound = scratch_read(c.heap, &length);
    for (size_t cut = 0; cut <= 50; cut++) {
        size_t left = cut == 50 ? length - 1 : cut * length / 50;
        scratch_write(c.heap, sound, left);
        int reading = scratch_child(look, &c), writing = scratch_child(open_for_writing, &c);
        if (reading != FOUND_DAMAGE || writing != FOUND_DAMAGE)
            fail_msg("cut at %zu of %zu: reader %d, writer %d", left, length, reading, writing);
    }
    (void)remove(c.heap);
    assert_int_equal(scratch_child(look, &c), FOUND_DAMAGE);
    assert_int_equal(scratch_child(open_for_writing, &c), FOUND_DAMAGE);
    /* What is behind the length that the checkpoint names was never promised. */
    char *longer = calloc(1, length + 1000);
    memcpy(longer, sound, length);
    memset(longer + length, 0x5a, 1000);
    scratch_write(c.heap, longer, length + 1000);
    assert_int_equal(scratch_child(look, &c), FOUND_NOTHING);
    assert_int_equal(scratch_child(open_for_writing, &c), FOUND_NOTHING);
    free(longer);
    free(sound);
    stage_fini(&c.stage);
}

/* The end of the journal is gone, wherever it is cut: what a checkpoint has seen is missed. */
static void test_damage__a_journal_that_lost_its_end(void **state)
{
    (void)state;
    static struct case_of_damage c;
    make(&c, true);
    size_t length;
    char *sound = scratch_read(c.journal, &length);
    for (size_t cut = 0; cut < 100 + COMMITS - 1; cut++) {
        size_t left =
            cut < 100 ? cut * length / 100 : c.ends[cut - 100]; /* anywhere, and between frames */
        scratch_write(c.journal, sound, left);
        int reading = scratch_child(look, &c), writing = scratch_child(open_for_writing, &c);
        if (reading != FOUND_DAMAGE || writing != FOUND_DAMAGE)
            fail_msg("cut at %zu of %zu: reader %d, writer %d", left, length, reading, writing);
    }
    scratch_write(c.journal, sound, length);
    free(sound);
    stage_fini(&c.stage);
}

/* What no checkpoint and no later frame bears witness to looks like a commit that a crash cut off:
 * it is taken away, never half of it counted, and the writer says how much it was. */
static void test_damage__the_last_commit_alone(void **state)
{
    (void)state;
    static struct case_of_damage c;
    make(&c, false);
    size_t length;
    char *sound = scratch_read(c.journal, &length);
    assert_int_equal(length, c.ends[COMMITS - 1]);
    for (size_t left = c.ends[COMMITS - 2] + 1; left < length;
         left += 1 + (length - c.ends[COMMITS - 2]) / 40) {
        scratch_write(c.journal, sound, left);
        assert_int_equal(scratch_child(open_for_writing, &c), FOUND_A_TORN_TAIL);
    }
    scratch_write(c.journal, sound, length);
    assert_int_equal(scratch_child(look, &c), FOUND_NOTHING);
    free(sound);
    stage_fini(&c.stage);
}

static void test_damage__a_lost_checkpoint_is_derived_again(void **state)
{
    (void)state;
    static struct case_of_damage c;
    char folder[SCRATCH_PATH_BYTES];
    make(&c, true);
    scratch_path(c.stage.path, "shard-00/ledger", folder);
    scratch_remove(folder);
    assert_int_equal(scratch_child(look, &c), FOUND_NOTHING);
    assert_int_equal(scratch_child(open_for_writing, &c), FOUND_NOTHING);
    stage_fini(&c.stage);
}

/* An older checkpoint, from a backup: the journal has what follows. */
static void test_damage__an_older_checkpoint_catches_up(void **state)
{
    (void)state;
    static struct case_of_damage c;
    size_t length;
    make(&c, false);
    char *older = scratch_read(c.checkpoint, &length);
    stage_open(&c.stage, prices.snapshot);
    stage_checkpoint(&c.stage);
    stage_close(&c.stage);
    scratch_write(c.checkpoint, older, length);
    assert_int_equal(scratch_child(look, &c), FOUND_NOTHING);
    assert_int_equal(scratch_child(open_for_writing, &c), FOUND_NOTHING);
    free(older);
    stage_fini(&c.stage);
}

static int group_begin(void **state)
{
    (void)state;
    model_documents(&prices, model_prices_a);
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    fixture_fini(&prices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage__sound_data_are_sound),
        cmocka_unit_test(test_damage__a_bit_of_the_journal),
        cmocka_unit_test(test_damage__a_bit_of_the_checkpoint),
        cmocka_unit_test(test_damage__a_sum_in_the_checkpoint),
        cmocka_unit_test(test_damage__a_table_that_vanishes),
        cmocka_unit_test(test_damage__a_bit_of_the_heap),
        cmocka_unit_test(test_damage__a_heap_that_lost_its_end),
        cmocka_unit_test(test_damage__a_journal_that_lost_its_end),
        cmocka_unit_test(test_damage__the_last_commit_alone),
        cmocka_unit_test(test_damage__a_lost_checkpoint_is_derived_again),
        cmocka_unit_test(test_damage__an_older_checkpoint_catches_up),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
