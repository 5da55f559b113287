/* Blocks of items through ledger_apply_items beside the same usage one at a time through
 * ledger_apply: the same outcomes, events, windows, buckets and conflicts, whatever is in a block.
 */
#include "engine/account/ledger_model.h"

#define HOUR   3600
#define SERIES 300 /* more than the model's, so that blocks look far and wide */

static struct fixture prices;

struct pair {
    struct stage one, many; /* of one seed */
    struct seeded seeded;
    uint32_t defined, refused; /* calls back */
    const struct usage_item *items;
    uint32_t item_count;
    uint32_t last_refused; /* position + 1 in the block, so that they come in order */
    struct record_words words[SERIES];
    char names[SERIES][24];
};

static void copy_folder(const char *from, const char *to)
{
    char command[3 * SCRATCH_PATH_BYTES];
    snprintf(command, sizeof(command), "cp -a '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* Series of a few accounts; among them such as no bucket holds for long. */
static void make_series(struct pair *pair)
{
    static const char *const accounts[] = {"a-utc", "b-kolkata", "c-berlin", "stranger"};
    for (uint32_t i = 0; i < SERIES; i++) {
        snprintf(pair->names[i], sizeof(pair->names[i]), "r%u", i);
        pair->words[i] = (struct record_words){
            .account = accounts[i % 4],
            .meter = i % 7 == 0   ? "volume"
                     : i % 7 == 1 ? "gpu"
                     : i % 7 == 2 ? "network.sent"
                                  : "vm.running",
            .resource = pair->names[i],
            .zone = i % 3 ? "z1" : "z2",
            .memory = i % 5 ? "1024" : NULL,
            .size = i % 14 == 0 ? "9223372036854775807" : "1073741824",
        };
    }
}

static void pair_begin(struct pair *pair, uint64_t seed)
{
    memset(pair, 0, sizeof(*pair));
    pair->seeded = (struct seeded){seed, seed};
    stage_init(&pair->one);
    snprintf(pair->many.root, sizeof(pair->many.root), "%s-many", pair->one.root);
    assert_int_equal(mkdir(pair->many.root, 0755), 0);
    scratch_path(pair->many.root, "data", pair->many.path);
    copy_folder(pair->one.path, pair->many.path);
    fake_sink_init(&pair->many.sink);
    pack_init(&pair->many.packer);
    assert_int_equal(datadir_open(pair->many.path, DATADIR_WRITE, &pair->many.datadir, NULL),
                     STATUS_OK);
    stage_open(&pair->one, prices.snapshot);
    stage_open(&pair->many, prices.snapshot);
    make_series(pair);
}

static void pair_end(struct pair *pair)
{
    stage_fini(&pair->one);
    stage_fini(&pair->many);
}

/* ---- blocks
 * ---------------------------------------------------------------------------------------------------------
 */

struct piece_of_usage {
    uint32_t series;
    int64_t start, end;
    int128 quanta;
};

static void usage_of(const struct pair *pair, struct packer *packer,
                     const struct piece_of_usage *piece, struct usage *ret)
{
    struct record_words words = pair->words[piece->series];
    words.start = piece->start;
    words.end = piece->end;
    words.quanta = piece->quanta;
    words_usage(&words, pair->one.datadir.seed, packer, ret);
}

static struct piece_of_usage random_piece(struct pair *pair, uint32_t spread)
{
    struct seeded *seeded = &pair->seeded;
    struct piece_of_usage piece = {.series = (uint32_t)seeded_below(seeded, spread)};
    int64_t hours = seeded_below(seeded, 4) ? 1 : 24;
    piece.start =
        MODEL_VERSION_0 + HOUR * hours * (int64_t)seeded_below(seeded, 600 / (uint64_t)hours);
    if (seeded_below(seeded, 10) == 0)
        piece.start += (int64_t)seeded_below(seeded, HOUR);
    piece.end = piece.start + HOUR * hours;
    piece.quanta = seeded_below(seeded, 3) ? 1000000 : (int128)seeded_below(seeded, 5) * 1000000;
    if (pair->words[piece.series].meter[0] == 'v' && seeded_below(seeded, 2))
        piece.quanta = (int128)1000000000000000000 * 1000000; /* no bucket holds this */
    if (seeded_below(seeded, 50) == 0) {                      /* no line holds this */
        piece.start = WINDOWS_INSTANT_MAX - HOUR / 2;
        piece.end = piece.start + HOUR;
    }
    return piece;
}

static enum status define(void *context, const struct usage_item *item, struct usage *ret,
                          struct error *error)
{
    struct pair *pair = context;
    (void)error;
    struct piece_of_usage any = {
        .series = item->ref, .start = item->start, .end = item->start + HOUR, .quanta = 1};
    usage_of(pair, &pair->many.packer, &any, ret);
    pair->defined++;
    return STATUS_OK;
}

static enum status refused(void *context, const struct usage_item *item, const char *reason,
                           struct error *error)
{
    struct pair *pair = context;
    uint32_t position = (uint32_t)(item - pair->items) + 1;
    (void)error;
    assert_true(position > pair->last_refused && position <= pair->item_count);
    assert_true(strlen(reason) > 10);
    pair->last_refused = position;
    pair->refused++;
    return STATUS_OK;
}

static struct usage_item item_of(const struct usage *usage, uint32_t series)
{
    return (struct usage_item){
        .series = usage->series_hash,
        .quanta_low = (uint64_t)usage->quantity.quanta,
        .quanta_high = (uint32_t)(usage->quantity.quanta >> 64),
        .start = (uint32_t)usage->start.seconds,
        .length = (uint32_t)(usage->end.seconds - usage->start.seconds),
        .ref = series,
    };
}

static const char *compare(struct pair *pair)
{
    const struct ledger *a = pair->one.ledger, *b = pair->many.ledger;
    if (a->series.count != b->series.count || a->event_count != b->event_count ||
        a->event_pending != b->event_pending || a->conflict_count != b->conflict_count ||
        a->buckets.count != b->buckets.count || a->definition_bytes != b->definition_bytes)
        return "a count";
    if (memcmp(a->series.lines, b->series.lines, a->series.count * sizeof(struct series)) != 0 ||
        memcmp(a->series.tags, b->series.tags, a->series.count * sizeof(uint32_t)) != 0)
        return "a line";
    if (a->series.tail_count != b->series.tail_count ||
        (a->series.tail_count && memcmp(a->series.tails + 1, b->series.tails + 1,
                                        a->series.tail_count * sizeof(struct series_tail)) != 0))
        return "a tail";
    if (a->buckets.count &&
        memcmp(a->buckets.items, b->buckets.items, a->buckets.count * sizeof(struct bucket)) != 0)
        return "a bucket";
    for (uint32_t i = 0; i < a->conflict_count; i++)
        if (memcmp(&a->conflicts[i].conflict, &b->conflicts[i].conflict, sizeof(struct conflict)))
            return "a conflict";
    for (uint32_t i = 0; i < a->series.count; i++) {
        struct slice left, right;
        if (series_packed(&a->series, i, &left, NULL) != STATUS_OK ||
            series_packed(&b->series, i, &right, NULL) != STATUS_OK || !slice_equal(left, right))
            return "a definition";
    }
    return NULL;
}

static void feed_block(struct pair *pair, uint32_t count, uint32_t spread)
{
    struct usage_item *items =
        aligned_alloc(64, ((size_t)count * sizeof(*items) + 63) / 64 * 64 + 64);
    struct ingest_counts expected = {0}, counts = {0};
    uint32_t first = pair->refused;
    for (uint32_t i = 0; i < count; i++) {
        struct piece_of_usage piece = random_piece(pair, spread);
        struct usage usage;
        enum outcome outcome;
        usage_of(pair, &pair->one.packer, &piece, &usage);
        items[i] = item_of(&usage, piece.series);
        assert_int_equal(ledger_apply(pair->one.ledger, &usage, &outcome, NULL), STATUS_OK);
        expected.read++;
        *(outcome == OUTCOME_ACCEPTED    ? &expected.accepted
          : outcome == OUTCOME_DUPLICATE ? &expected.duplicate
          : outcome == OUTCOME_CONFLICT  ? &expected.conflict
                                         : &expected.quarantined) += 1;
    }
    const struct apply_callbacks callbacks = {pair, define, refused};
    pair->items = items;
    pair->item_count = count;
    pair->last_refused = 0;
    assert_int_equal(ledger_apply_items(pair->many.ledger, items, count, &callbacks, &counts, NULL),
                     STATUS_OK);
    assert_memory_equal(&counts, &expected, sizeof(counts));
    assert_int_equal(pair->refused - first, expected.quarantined);
    free(items);
    const char *different = compare(pair);
    if (different)
        fail_msg("seed %llu: %s is different", (unsigned long long)pair->seeded.seed, different);
}

static void test_apply__blocks_equal_one_at_a_time(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 63, 64, 65, 128, 256, 1000};
    static const uint32_t spreads[] = {1, 3, 40, SERIES};
    struct seeded seeded = seeded_init();
    uint32_t lives = getenv("RATEL_LONG") ? 600 : 30, refused_in_all = 0;
    for (uint32_t life = 0; life < lives; life++) {
        static struct pair pair;
        pair_begin(&pair, seeded_u64(&seeded));
        for (uint32_t block = 0; block < 25; block++) {
            feed_block(&pair, sizes[seeded_below(&pair.seeded, 9)],
                       spreads[seeded_below(&pair.seeded, 4)]);
            if (seeded_below(&pair.seeded, 4) == 0) {
                stage_commit(&pair.one);
                stage_commit(&pair.many);
            }
        }
        assert_int_equal(pair.defined, pair.many.ledger->series.count); /* each once */
        stage_commit(&pair.one);
        stage_commit(&pair.many);
        stage_verify(&pair.many, pair.many.ledger);
        refused_in_all += pair.refused;
        pair_end(&pair);
    }
    assert_true(refused_in_all > lives);
}

/* Identities that the index takes for one another at first sight: equal low words, other checks. */
static void test_apply__wrong_guesses(void **state)
{
    (void)state;
    enum { TWINS = 40, WINDOWS = 20 };
    static struct pair pair;
    pair_begin(&pair, 1);
    struct series_table *table = &pair.many.ledger->series;
    struct usage usage;
    struct piece_of_usage piece = {0, MODEL_VERSION_0, MODEL_VERSION_0 + HOUR, 1000000};
    usage_of(&pair, &pair.one.packer, &piece, &usage);
    struct usage_item items[TWINS * WINDOWS];
    for (uint32_t i = 0; i < TWINS; i++) {
        uint32_t series;
        struct hash128 identity = {usage.series_hash.low, usage.series_hash.high + i};
        assert_int_equal(series_add(table, identity, usage.definition, &series, NULL), STATUS_OK);
        for (uint32_t w = 0; w < WINDOWS; w++) {
            struct usage_item *item = &items[w * TWINS + (i * 7 + w) % TWINS];
            *item = item_of(&usage, 0);
            item->series = identity;
            item->start += w * HOUR;
            item->quanta_low = 1000000u * (i + 1);
        }
    }
    const struct apply_callbacks callbacks = {&pair, define, refused};
    struct ingest_counts counts = {0};
    pair.items = items;
    pair.item_count = TWINS * WINDOWS;
    for (uint32_t again = 0; again < 2; again++)
        assert_int_equal(
            ledger_apply_items(pair.many.ledger, items, TWINS * WINDOWS, &callbacks, &counts, NULL),
            STATUS_OK);
    assert_int_equal(counts.accepted, TWINS * WINDOWS);
    assert_int_equal(counts.duplicate, TWINS * WINDOWS);
    assert_int_equal(pair.defined, 0);
    for (uint32_t i = 0; i < TWINS; i++) { /* each has its own, and no other's */
        assert_int_equal(table->lines[i].run_count, WINDOWS);
        assert_int_equal(table->lines[i].run_code, 1000000u * (i + 1));
    }
    pair_end(&pair);
}

/* A callback that fails ends the block; what came before is counted. */
static enum status failing(void *context, const struct usage_item *item, struct usage *ret,
                           struct error *error)
{
    struct pair *pair = context;
    if (item - pair->items == 70)
        return error_set(error, STATUS_CORRUPT, "made to fail");
    return define(context, item, ret, error);
}

static void test_apply__a_callback_that_fails(void **state)
{
    (void)state;
    static struct pair pair;
    struct usage_item items[100];
    struct error error = {0};
    struct ingest_counts counts = {0};
    pair_begin(&pair, 2);
    for (uint32_t i = 0; i < 100; i++) {
        struct piece_of_usage piece = {1 + i, MODEL_VERSION_0, MODEL_VERSION_0 + HOUR, 1000000};
        struct usage usage;
        usage_of(&pair, &pair.one.packer, &piece, &usage);
        usage.quantity.quanta = 1;
        items[i] = item_of(&usage, 1 + i);
    }
    const struct apply_callbacks callbacks = {&pair, failing, refused};
    pair.items = items;
    pair.item_count = 100;
    assert_int_equal(ledger_apply_items(pair.many.ledger, items, 100, &callbacks, &counts, &error),
                     STATUS_CORRUPT);
    assert_string_equal(error.text, "made to fail");
    /* What was defined last may not have been counted. */
    assert_true(counts.read > 0 && counts.read <= 70);
    assert_int_equal(counts.read, ledger_pending(pair.many.ledger));
    assert_int_equal(pair.many.ledger->series.count, 70);
    pair_end(&pair);
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
        cmocka_unit_test(test_apply__blocks_equal_one_at_a_time),
        cmocka_unit_test(test_apply__wrong_guesses),
        cmocka_unit_test(test_apply__a_callback_that_fails),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
