/* Any number of shards is one ledger: the same outcomes, sums, spend, breakdowns, budgets, invoices
 * and alerts to the last digit, through commits, crashes (also between the shards' frames),
 * checkpoints and changes of prices. Held against the slow model of sums, and against a data
 * directory with one shard that lives the same life. */
#include "account/ledgers.h"

#include "account/budget.h"
#include "account/usage_walk.h"
#include "bill/build.h"
#include "engine/account/ledger_model.h"

#define MONTHS 4 /* from MODEL_MONTH_FIRST on */

/* What the model's prices lack: limits, included units, volume tiers, two currencies, budgets. */
static const char rich_accounts[] =
    "kind: catalogue\nname: public\nratecard: card\n"
    "---\nkind: fx\nsource: ECB\nrates: [{date: 2026-08-01, base: EUR, quote: INR, rate: "
    "\"101.2345\"}]\n"
    "---\nkind: accounts\naccounts:\n"
    "  - {id: a-utc, currency: EUR, catalogue: public, projects: [stranger, p1, p2]}\n"
    "  - {id: b-kolkata, currency: INR, catalogue: public, timezone: Asia/Kolkata, projects: "
    "[p3]}\n"
    "  - {id: c-berlin, currency: EUR, catalogue: public, timezone: Europe/Berlin, projects: "
    "[project, d-bare]}\n"
    "---\nkind: budgets\nbudgets:\n"
    "  - {id: one, account: a-utc, amount: \"50\", currency: EUR, thresholds: [1, 50, 100, 500]}\n"
    "  - {id: two, account: b-kolkata, amount: \"2\", currency: EUR, thresholds: [10, 100]}\n"
    "  - {id: three, account: c-berlin, amount: \"9000\", currency: INR, thresholds: [5, 80]}\n";
#define RICH_CARD(from, price)                                                                     \
    "---\nkind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-" from                   \
    "T00:00:00Z\ncharges:\n"                                                                       \
    "  - {code: vm, meter: vm.running, unit: hour, included: 5, model: graduated, tiers: "         \
    "[{up_to: 100, price: \"" price "\"}, {up_to: 1000, price: \"0.009\", flat: \"1.5\"}, "        \
    "{price: \"0.004\"}]}\n"                                                                       \
    "  - {code: each, scope: resource, meter: vm.running, unit: hour, price: \"0.07\", minimum: "  \
    "\"1.005\", maximum: \"40\"}\n"                                                                \
    "  - {code: net, scope: resource, meter: network.sent, unit: GB, model: volume, tiers: "       \
    "[{up_to: 1, price: \"1\"}, {price: \"0.5\"}]}\n"                                              \
    "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"0.1\", minimum: "      \
    "\"2\"}\n"                                                                                     \
    "  - {code: gpu, scope: resource, meter: gpu, unit: unit, price: {EUR: \"3\", INR: "           \
    "\"277.77\"}, maximum: {EUR: \"90\", INR: \"8000\"}}\n"
static const char rich_prices[] = "\n" RICH_CARD("09-01", "0.02") RICH_CARD("10-16", "0.03");

static struct fixture prices[2], rich;

/* ---- a data directory's state as text -------------------------------------------------------- */

struct lines {
    char *items[16384];
    uint32_t count;
};

__attribute__((format(printf, 2, 3))) static void tell(struct lines *lines, const char *format, ...)
{
    va_list arguments;
    assert_true(lines->count < 16384);
    va_start(arguments, format);
    assert_true(vasprintf(&lines->items[lines->count++], format, arguments) >= 0);
    va_end(arguments);
}

static void lines_fini(struct lines *lines)
{
    for (uint32_t i = 0; i < lines->count; i++)
        free(lines->items[i]);
    lines->count = 0;
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static const char *number(int128 value)
{
    static char texts[4][DECIMAL_TEXT_BYTES];
    static unsigned next;
    char *text = texts[next++ % 4];
    decimal_format(value, 0, 0, text);
    return text;
}

static void tell_breakdown(struct lines *lines, struct ledgers *ledgers, const struct spend *spend,
                           enum dimension dimension, struct arena *arena)
{
    struct breakdown_line *cells;
    struct error error = {0};
    if (breakdown_compute(ledgers, spend, dimension, arena, &cells, &error) != STATUS_OK)
        fail_msg("no breakdown: %s", error.text);
    for (uint32_t i = 0; i < spend->line_count; i++)
        for (uint32_t j = 0; j < cells[i].cell_count; j++) {
            const struct breakdown_cell *cell = &cells[i].cells[j];
            tell(lines, "cell %u %d %d %.*s %.*s: %s %s %s %s", spend->account, spend->period.index,
                 (int)dimension, (int)spend->lines[i].charge->code.length,
                 spend->lines[i].charge->code.data, (int)cell->value.length, cell->value.data,
                 number(cell->quantity.quanta), number(cell->units_pico), number(cell->amount.pico),
                 number(cell->rounded.pico));
        }
}

static void tell_invoice(struct lines *lines, const struct ledgers *ledgers,
                         const struct spend *spend, struct arena *arena)
{
    struct invoice invoice;
    struct packer packer;
    if (spend->line_count == 0 || spend->no_rate_count)
        return;
    assert_int_equal(invoice_build(ledgers->snapshot, spend, arena, &invoice, NULL), STATUS_OK);
    pack_init(&packer);
    invoice_pack(&invoice, &packer);
    tell(lines, "invoice %u %d: %016llx of %zu bytes", spend->account, spend->period.index,
         (unsigned long long)hash64(pack_done(&packer), 0), pack_done(&packer).length);
    pack_fini(&packer);
}

static void tell_spend(struct lines *lines, struct ledgers *ledgers, uint32_t account,
                       struct period period)
{
    struct arena arena;
    struct spend spend;
    const struct buckets *buckets;
    struct error error = {0};
    arena_init(&arena);
    assert_int_equal(ledgers_buckets(ledgers, account, period, &buckets, NULL), STATUS_OK);
    assert_true(ledgers_used(ledgers, account, period) ==
                (buckets_first(buckets, account, period) != INDEX_NONE));
    if (spend_compute(buckets, ledgers->snapshot, account, period, &arena, &spend, &error) !=
        STATUS_OK)
        fail_msg("no spend: %s", error.text);
    for (uint32_t i = 0; i < spend.line_count; i++)
        tell(lines, "line %u %d %.*s: %s %s %s %s", account, period.index,
             (int)spend.lines[i].charge->code.length, spend.lines[i].charge->code.data,
             number(spend.lines[i].quantity.quanta), number(spend.lines[i].before_limits.pico),
             number(spend.lines[i].amount.pico), number(spend.lines[i].rounded.pico));
    for (uint32_t i = 0; i < spend.unpriced_count; i++) {
        struct slice meter = ledgers_meter_name(ledgers, spend.unpriced[i].meter);
        if (spend.unpriced[i].quantity.quanta)
            tell(lines, "unpriced %u %d %.*s: %s", account, period.index, (int)meter.length,
                 meter.data, number(spend.unpriced[i].quantity.quanta));
    }
    tell(lines, "total %u %d: %s", account, period.index, number(spend.total.pico));
    for (int dimension = 0; dimension < 3; dimension++)
        tell_breakdown(lines, ledgers, &spend, (enum dimension)dimension, &arena);
    tell_invoice(lines, ledgers, &spend, &arena);
    arena_fini(&arena);
}

static void tell_budgets(struct lines *lines, struct ledgers *ledgers, struct period period)
{
    const struct snapshot *snapshot = ledgers->snapshot;
    for (uint32_t i = 0; i < snapshot->budget_count; i++) {
        struct arena arena;
        struct budget_state budget;
        const struct buckets *buckets;
        arena_init(&arena);
        assert_int_equal(
            ledgers_buckets(ledgers, snapshot->budgets[i].account_index, period, &buckets, NULL),
            STATUS_OK);
        assert_int_equal(
            budget_state(buckets, snapshot, &snapshot->budgets[i], period, &arena, &budget, NULL),
            STATUS_OK);
        tell(lines, "budget %u %d: %s %u", i, period.index, number(budget.spend.pico),
             budget.percent);
        arena_fini(&arena);
    }
}

/* Numbers are drawn by shard; what a conflict says is not. Returns how many there are. */
static uint32_t tell_conflicts(struct lines *lines, const struct ledgers *ledgers)
{
    uint32_t count = 0, shard;
    for (uint32_t number_of = 0; number_of <= ledgers_conflict_last(ledgers) + 1; number_of++) {
        const struct conflict_entry *entry = ledgers_conflict(ledgers, number_of, &shard);
        if (!entry)
            continue;
        struct definition definition;
        const struct event *event = &entry->conflict.event;
        assert_int_equal(
            ledger_series_definition(ledgers->shards[shard], event->series, &definition, NULL),
            STATUS_OK);
        tell(lines, "conflict %.*s %.*s %lld %u %s %d", (int)definition.payer_id.length,
             definition.payer_id.data, (int)definition.meter_name.length,
             definition.meter_name.data, (long long)event->start, event->length,
             number(event_quantity(event).quanta), entry->discarded);
        count++;
    }
    return count;
}

static void describe(struct stage *stage, struct lines *lines)
{
    uint32_t conflicts = 0;
    struct ledgers *ledgers = stage->ledgers;
    lines_fini(lines);
    tell(lines, "events %llu", (unsigned long long)ledgers_event_count(ledgers));
    for (int month = 0; month < MONTHS; month++) {
        struct period period = {MODEL_MONTH_FIRST + month};
        for (uint32_t i = 0; i < ledgers->snapshot->account_count; i++)
            tell_spend(lines, ledgers, i, period);
        tell_budgets(lines, ledgers, period);
    }
    for (uint32_t i = 0; i < ledgers->count; i++)
        conflicts += ledgers->shards[i]->conflict_count;
    assert_int_equal(tell_conflicts(lines, ledgers), conflicts);
    for (uint32_t i = 0; i < stage->sink.count; i++)
        tell(lines, "alert %.*s", (int)stage->sink.ids[i].length, stage->sink.ids[i].data);
    qsort(lines->items, lines->count, sizeof(*lines->items), compare_lines);
}

static void check_equal(struct stage *one, struct stage *many, uint64_t seed, const char *when)
{
    static struct lines left, right;
    describe(one, &left);
    describe(many, &right);
    for (uint32_t i = 0; i < left.count && i < right.count; i++)
        if (strcmp(left.items[i], right.items[i]) != 0)
            fail_msg("RATEL_SEED=%llu, %u shards, %s:\n    %s\n    %s", (unsigned long long)seed,
                     many->datadir.shard_count, when, left.items[i], right.items[i]);
    assert_int_equal(left.count, right.count);
    lines_fini(&left);
    lines_fini(&right);
}

/* Returns its totals, which are the same for any number of shards. */
static struct verify_report *verified(struct stage *stage)
{
    struct arena arena;
    struct verify_report *report = calloc(1, sizeof(*report));
    struct error error = {0};
    arena_init(&arena);
    if (verify_ledgers(stage->ledgers, &arena, report, &error) != STATUS_OK)
        fail_msg("cannot verify: %s", error.text);
    if (report->difference_count)
        fail_msg("%.*s", (int)report->differences[0].what.length, report->differences[0].what.data);
    assert_int_equal(report->events, ledgers_event_count(stage->ledgers));
    arena_fini(&arena);
    return report;
}

static void check_verified(struct stage *one, struct stage *many)
{
    struct verify_report *left = verified(one), *right = verified(many);
    assert_int_equal(left->series, right->series);
    assert_int_equal(left->buckets, right->buckets);
    free(left);
    free(right);
}

/* ---- lives ----------------------------------------------------------------------------------- */

enum { UNCOMMITTED_MAX = 512 };

struct life {
    uint64_t seed;
    struct seeded seeded;
    struct model model; /* random records follow what happened; its sums are those of a run */
    struct stage one, many;
    struct model_record uncommitted[UNCOMMITTED_MAX];
    uint32_t uncommitted_count;
    const struct snapshot *snapshot;
};

static void life_init(struct life *life, uint64_t seed, const struct snapshot *snapshot)
{
    memset(life, 0, sizeof(*life));
    life->seed = seed;
    life->seeded = (struct seeded){seed, seed};
    life->model.set = 1;
    life->snapshot = snapshot;
    stage_init(&life->one);
    stage_init_shards(&life->many, 1 + (uint32_t)seeded_below(&life->seeded, 7));
    life->one.datadir.seed = seeded_u64(&life->seeded);
    life->many.datadir.seed = seeded_u64(&life->seeded);
    life->one.watched = life->many.watched = true;
    stage_open(&life->one, snapshot);
    stage_open(&life->many, snapshot);
}

static void life_fini(struct life *life)
{
    stage_fini(&life->one);
    stage_fini(&life->many);
}

static void life_commit(struct life *life)
{
    stage_commit(&life->one);
    stage_commit(&life->many);
    model_commit(&life->model);
    life->uncommitted_count = 0;
}

static void life_reopen(struct life *life, const struct snapshot *snapshot)
{
    stage_close(&life->one);
    stage_close(&life->many);
    model_crash(&life->model);
    life->uncommitted_count = 0;
    life->snapshot = snapshot;
    stage_open(&life->one, snapshot);
    stage_open(&life->many, snapshot);
}

static void feed(struct life *life)
{
    if (life->uncommitted_count == UNCOMMITTED_MAX)
        life_commit(life);
    struct model_record record = model_random(&life->model, &life->seeded);
    enum outcome expected = model_apply(&life->model, &record);
    assert_int_equal(model_feed(&life->one, &record), expected);
    if (model_feed(&life->many, &record) != expected)
        fail_msg("RATEL_SEED=%llu: an outcome", (unsigned long long)life->seed);
    assert_int_equal(life->one.ledgers->pending, life->many.ledgers->pending);
    life->uncommitted[life->uncommitted_count++] = record;
}

/* Some shards have their frame and the others do not when the process ends. The source was told
 * nothing, so it sends everything since the last commit again; one shard had none of it. */
static void crash_between_frames(struct life *life)
{
    struct ledgers *ledgers = life->many.ledgers;
    for (uint32_t i = 0; i < ledgers->count; i++)
        if (seeded_below(&life->seeded, 2))
            assert_int_equal(ledger_commit(ledgers->shards[i], NULL, NULL), STATUS_OK);
    stage_close(&life->one);
    stage_close(&life->many);
    stage_open(&life->one, life->snapshot);
    stage_open(&life->many, life->snapshot);
    for (uint32_t i = 0; i < life->uncommitted_count; i++) {
        (void)model_feed(&life->one, &life->uncommitted[i]);
        (void)model_feed(&life->many, &life->uncommitted[i]);
    }
    life_commit(life);
}

static void discard(struct life *life)
{
    uint32_t last = ledgers_conflict_last(life->one.ledgers), shard;
    if (last == 0 || life->uncommitted_count)
        return;
    uint32_t chosen = 1 + (uint32_t)seeded_below(&life->seeded, last);
    const struct conflict_entry *entry = ledgers_conflict(life->one.ledgers, chosen, &shard);
    enum status expected = entry->discarded ? STATUS_NOT_FOUND : STATUS_OK;
    const struct event wanted = entry->conflict.event;
    assert_int_equal(ledgers_discard_conflict(life->one.ledgers, chosen, NULL), expected);
    /* The same one, by what it says. */
    struct definition ours, theirs;
    assert_int_equal(
        ledger_series_definition(life->one.ledgers->shards[0], wanted.series, &ours, NULL),
        STATUS_OK);
    for (uint32_t i = 1; i <= ledgers_conflict_last(life->many.ledgers); i++) {
        entry = ledgers_conflict(life->many.ledgers, i, &shard);
        if (!entry)
            continue;
        const struct event *event = &entry->conflict.event;
        assert_int_equal(ledger_series_definition(life->many.ledgers->shards[shard], event->series,
                                                  &theirs, NULL),
                         STATUS_OK);
        if (slice_equal(ours.payer_id, theirs.payer_id) &&
            slice_equal(ours.meter_name, theirs.meter_name) &&
            slice_equal(definition_resource(&ours), definition_resource(&theirs)) &&
            event->start == wanted.start && event->length == wanted.length &&
            event_quantity(event).quanta == event_quantity(&wanted).quanta &&
            (entry->discarded ? STATUS_NOT_FOUND : STATUS_OK) == expected) {
            assert_int_equal(ledgers_discard_conflict(life->many.ledgers, i, NULL), expected);
            return;
        }
    }
    fail_msg("RATEL_SEED=%llu: the conflict is missing", (unsigned long long)life->seed);
}

static void step(struct life *life, const struct snapshot *other)
{
    uint64_t what = seeded_below(&life->seeded, 60);
    if (what < 4)
        life_commit(life);
    if (what == 3) {
        stage_checkpoint(&life->one);
        stage_checkpoint(&life->many);
    }
    if (what == 4)
        life_reopen(life, seeded_below(&life->seeded, 2) ? life->snapshot : other);
    if (what == 5 || what == 6)
        crash_between_frames(life);
    if (what == 7) {
        life_commit(life);
        discard(life);
    }
    if (what == 8) {
        life_commit(life);
        life->snapshot = other;
        assert_int_equal(ledgers_reprice(life->one.ledgers, other, NULL), STATUS_OK);
        assert_int_equal(ledgers_reprice(life->many.ledgers, other, NULL), STATUS_OK);
    }
    feed(life);
}

static void one_life(uint64_t seed)
{
    static struct life life;
    const struct snapshot *snapshots[] = {prices[0].snapshot, rich.snapshot, prices[1].snapshot};
    uint32_t at = (uint32_t)(seed % 3);
    life_init(&life, seed, snapshots[at]);
    uint64_t steps = 20 + seeded_below(&life.seeded, 300);
    for (uint64_t i = 0; i < steps; i++) {
        at = (at + 1) % 3;
        step(&life, snapshots[at]);
    }
    life_commit(&life);
    check_equal(&life.one, &life.many, seed, "at the end");
    life_reopen(&life, life.snapshot);
    check_equal(&life.one, &life.many, seed, "opened again");
    check_verified(&life.one, &life.many);
    life_fini(&life);
}

static void test_ledgers__any_number_of_shards_is_one_ledger(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    int lives = getenv("RATEL_LONG") ? 3000 : 150;
    if (getenv("RATEL_SEED"))
        one_life(seeded.seed);
    for (int life = 0; life < lives; life++)
        one_life(seeded_u64(&seeded));
}

/* ---- against the model's sums ---------------------------------------------------------------- */

static struct slice resource_of(const struct ledgers *ledgers, uint32_t part)
{
    uint32_t own = part - 1;
    return model_resource(ledgers->shards[own % ledgers->count], own / ledgers->count + 1);
}

static bool in_sums(const struct model_sums *sums, const struct ledgers *ledgers,
                    const struct bucket *bucket)
{
    const struct snapshot *snapshot = ledgers->snapshot;
    const struct plan *plan =
        bucket->key.plan == INDEX_NONE ? NULL : &snapshot->plans[bucket->key.plan];
    const struct charge *charge = plan ? &snapshot->charges[plan->charge] : NULL;
    struct slice part = {0};
    if (!plan)
        part = ledgers_meter_name(ledgers, bucket->key.part);
    else if (charge->scope == SCOPE_RESOURCE)
        part = resource_of(ledgers, bucket->key.part);
    for (uint32_t i = 0; i < sums->count; i++) {
        const struct model_cell *cell = &sums->cells[i];
        bool same = slice_is(snapshot->accounts[bucket->key.account].id, cell->account) &&
                    bucket->key.period == cell->month && (plan != NULL) == (cell->code != NULL) &&
                    (!plan || (slice_is(charge->code, cell->code) &&
                               plan->version == cell->version && plan->row == cell->row)) &&
                    slice_is(part, cell->part);
        if (same)
            return bucket->quanta == cell->quanta;
    }
    return false;
}

static void check_sums(const struct model *model, struct ledgers *ledgers, uint64_t seed)
{
    static struct model_sums sums;
    uint32_t filled = 0, in_model = 0;
    model_sum(model, &sums);
    for (uint32_t account = 0; account < ledgers->snapshot->account_count; account++)
        for (int month = -1; month < MONTHS + 1; month++) {
            const struct buckets *buckets;
            struct period period = {MODEL_MONTH_FIRST + month};
            assert_int_equal(ledgers_buckets(ledgers, account, period, &buckets, NULL), STATUS_OK);
            for (uint32_t i = buckets_first(buckets, account, period); i != INDEX_NONE;
                 i = buckets->next[i]) {
                filled += buckets->items[i].quanta != 0;
                if (buckets->items[i].quanta != 0 && !in_sums(&sums, ledgers, &buckets->items[i]))
                    fail_msg("RATEL_SEED=%llu, %u shards: a bucket holds something else",
                             (unsigned long long)seed, ledgers->count);
            }
        }
    for (uint32_t i = 0; i < sums.count; i++)
        in_model += sums.cells[i].quanta != 0;
    assert_int_equal(filled, in_model);
}

static void test_ledgers__sums_are_the_models(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    static struct model model;
    for (uint32_t life = 0; life < 70; life++) {
        struct stage stage;
        uint64_t seed = seeded.state;
        memset(&model, 0, sizeof(model));
        model.set = 1 + life % 2;
        stage_init_shards(&stage, 1 + life % 7);
        stage.datadir.seed = seeded_u64(&seeded);
        stage_open(&stage, prices[model.set - 1].snapshot);
        for (int i = 0; i < 250; i++) {
            struct model_record record = model_random(&model, &seeded);
            assert_int_equal(model_apply(&model, &record), model_feed(&stage, &record));
        }
        check_sums(&model, stage.ledgers, seed);
        stage_commit(&stage);
        stage_close(&stage);
        model.set = 3 - model.set;
        stage_open(&stage, prices[model.set - 1].snapshot);
        check_sums(&model, stage.ledgers, seed);
        stage_fini(&stage);
    }
}

/* ---- single facts ---------------------------------------------------------------------------- */

static void spread(struct stage *stage, uint32_t shard_count)
{
    stage_init_shards(stage, shard_count);
    stage->datadir.seed = 7;
    stage_open(stage, prices[0].snapshot);
}

static uint32_t shard_of(const struct stage *stage, const char *payer)
{
    return ledgers_shard_of(stage->ledgers, hash64(slice_string(payer), stage->datadir.seed));
}

static void test_ledgers__a_payer_is_in_one_shard(void **state)
{
    (void)state;
    struct stage stage;
    uint32_t used[7] = {0};
    spread(&stage, 7);
    assert_int_equal(ledgers_shard_of(stage.ledgers, 0), 0);
    assert_int_equal(ledgers_shard_of(stage.ledgers, UINT64_MAX), 6);
    for (int i = 0; i < 700; i++) {
        char payer[24];
        snprintf(payer, sizeof(payer), "payer-%d", i);
        used[shard_of(&stage, payer)]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(used[i], 60, 140);
    for (uint32_t i = 0; i < MODEL_SERIES; i++) {
        struct record_words words = model_series[i];
        words.start = MODEL_VERSION_0;
        words.end = words.start + 3600;
        words.quanta = 1;
        uint32_t shard = shard_of(&stage, words.account);
        uint32_t before = ledger_pending(stage.ledgers->shards[shard]);
        assert_int_equal(stage_apply(&stage, &words), OUTCOME_ACCEPTED);
        assert_int_equal(ledger_pending(stage.ledgers->shards[shard]), before + 1);
    }
    stage_fini(&stage);
}

static void test_ledgers__equal_ids_meet_whoever_pays(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 7; shards++) {
        struct stage stage;
        spread(&stage, shards);
        for (int i = 0; i < 40; i++) {
            char id[16];
            snprintf(id, sizeof(id), "id-%d", i);
            struct record_words words = {.account = "a-utc",
                                         .meter = "gpu",
                                         .resource = "g",
                                         .id = id,
                                         .start = MODEL_VERSION_0,
                                         .quanta = 5};
            assert_int_equal(stage_apply(&stage, &words), OUTCOME_ACCEPTED);
            assert_int_equal(stage_apply(&stage, &words), OUTCOME_DUPLICATE);
            words.account = "b-kolkata";
            assert_int_equal(stage_apply(&stage, &words), OUTCOME_CONFLICT);
        }
        assert_int_equal(ledgers_event_count(stage.ledgers), 40);
        /* One series, one number, in whichever shards its events are. */
        uint32_t common = UINT32_MAX;
        for (uint32_t i = 0; i < shards; i++)
            for (uint32_t j = 0; j < ledger_series_count(stage.ledgers->shards[i]); j++) {
                struct definition definition;
                uint32_t number_of = ledgers_series(stage.ledgers, i, j);
                ledgers_series_definition(stage.ledgers, number_of, &definition);
                if (!slice_is(definition.payer_id, "a-utc"))
                    continue;
                assert_true(common == UINT32_MAX || common == number_of);
                common = number_of;
            }
        stage_fini(&stage);
    }
}

static void test_ledgers__conflicts_keep_their_numbers(void **state)
{
    (void)state;
    struct stage stage;
    struct event events[64];
    uint32_t shard, count = 0, last;
    spread(&stage, 3);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MODEL_SERIES; i++) {
            struct record_words words = model_series[i];
            words.start = MODEL_VERSION_0 + round * 3600;
            words.end = words.start + 3600;
            words.quanta = 1;
            (void)stage_apply(&stage, &words);
            words.quanta = 2;
            assert_int_equal(stage_apply(&stage, &words), OUTCOME_CONFLICT);
        }
        stage_commit(&stage);
        last = ledgers_conflict_last(stage.ledgers);
        for (uint32_t i = 1; i <= last && round == 0; i++) {
            const struct conflict_entry *entry = ledgers_conflict(stage.ledgers, i, &shard);
            memset(&events[i], 0, sizeof(events[i]));
            if (entry)
                events[i] = entry->conflict.event;
            count += entry != NULL;
        }
    }
    assert_int_equal(count, MODEL_SERIES);
    for (uint32_t i = 1; i < 64 && count; i++) {
        const struct conflict_entry *entry = ledgers_conflict(stage.ledgers, i, &shard);
        if (!entry || events[i].length == 0)
            continue;
        assert_memory_equal(&entry->conflict.event, &events[i], sizeof(events[i]));
        count--;
    }
    uint32_t open = 2 * MODEL_SERIES;
    for (uint32_t i = 0; i <= last + 1; i++) {
        const struct conflict_entry *entry = ledgers_conflict(stage.ledgers, i, &shard);
        assert_int_equal(ledgers_discard_conflict(stage.ledgers, i, NULL),
                         entry ? STATUS_OK : STATUS_NOT_FOUND);
        if (entry)
            open--;
        assert_int_equal(ledgers_discard_conflict(stage.ledgers, i, NULL), STATUS_NOT_FOUND);
    }
    assert_int_equal(open, 0);
    stage_fini(&stage);
}

/* Each shard alone is far below what a bucket may hold, and the account is not. */
static void test_ledgers__a_sum_that_no_bucket_holds_is_told(void **state)
{
    (void)state;
    struct stage stage;
    struct fixture f;
    struct error error;
    fixture_init(&f);
    fixture_load(
        &f, "accounts",
        SLICE("kind: accounts\naccounts: [{id: a, currency: EUR, catalogue: none, "
              "projects: [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, "
              "p15, p16, p17, p18, p19]}]\n"));
    fixture_compiled(&f);
    stage_init_shards(&stage, 5);
    stage.datadir.seed = 7;
    stage_open(&stage, f.snapshot);
    struct period period = {MODEL_MONTH_FIRST + 1};
    uint32_t accepted = 0;
    for (int i = 0; i < 20; i++) {
        char payer[16];
        snprintf(payer, sizeof(payer), "p%d", i);
        struct record_words words = {.account = payer,
                                     .meter = "gpu",
                                     .resource = "g",
                                     .start = MODEL_VERSION_0,
                                     .end = MODEL_VERSION_0 + 3600,
                                     .quanta = BUCKET_QUANTA_MAX / 6};
        accepted += stage_apply(&stage, &words) == OUTCOME_ACCEPTED;
    }
    assert_true(accepted > 6);
    stage_commit(&stage);
    const struct buckets *buckets;
    struct spend spend;
    assert_int_equal(ledgers_buckets(stage.ledgers, 0, period, &buckets, NULL), STATUS_OK);
    assert_int_equal(spend_compute(buckets, f.snapshot, 0, period, &f.arena, &spend, &error),
                     STATUS_RANGE);
    stage_fini(&stage);
    fixture_fini(&f);
}

/* Damage is told with the shard that has it. */
static void test_ledgers__verify_names_the_shard(void **state)
{
    (void)state;
    struct stage stage;
    struct arena arena;
    static struct verify_report report;
    arena_init(&arena);
    spread(&stage, 3);
    uint32_t shard = shard_of(&stage, "a-utc");
    for (uint32_t i = 0; i < MODEL_SERIES; i++) {
        struct record_words words = model_series[i];
        words.start = MODEL_VERSION_0;
        words.end = words.start + 3600;
        words.quanta = 1000000;
        assert_int_equal(stage_apply(&stage, &words), OUTCOME_ACCEPTED);
    }
    stage_commit(&stage);
    stage.ledgers->shards[shard]->buckets.items[0].quanta++;
    assert_int_equal(verify_ledgers(stage.ledgers, &arena, &report, NULL), STATUS_OK);
    assert_int_equal(report.difference_count, 1);
    assert_int_equal(report.events, MODEL_SERIES);
    assert_int_equal(report.series, MODEL_SERIES);
    char name[40];
    snprintf(name, sizeof(name), "shard-%02u: bucket account", shard);
    assert_true(slice_starts_with(report.differences[0].what, slice_string(name)));
    stage.ledgers->shards[shard]->buckets.items[0].quanta--;
    assert_int_equal(verify_ledgers(stage.ledgers, &arena, &report, NULL), STATUS_OK);
    assert_int_equal(report.difference_count, 0);
    stage_fini(&stage);
    arena_fini(&arena);
}

/* Projects in different shards reach a threshold together; every commit may fail to deliver. */
static void test_ledgers__budgets_see_all_shards(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 7; shards++) {
        struct stage stage;
        struct error error;
        stage_init_shards(&stage, shards);
        stage.datadir.seed = 11;
        stage.watched = true;
        stage_open(&stage, rich.snapshot);
        static const char *const payers[] = {"p1", "p2", "stranger", "a-utc"};
        for (int i = 0; i < 4; i++) { /* 6 units of 3 EUR each: 36, 72, 108, 144 % of 50 EUR */
            struct record_words words = {.account = payers[i],
                                         .meter = "gpu",
                                         .resource = payers[i],
                                         .start = MODEL_VERSION_0,
                                         .end = MODEL_VERSION_0 + 3600,
                                         .quanta = 6000000};
            assert_int_equal(stage_apply(&stage, &words), OUTCOME_ACCEPTED);
            stage.sink.broken = i != 1; /* the last has nothing to deliver */
            enum status expected = i == 1 || i == 3 ? STATUS_OK : STATUS_IO;
            assert_int_equal(ledgers_commit(stage.ledgers, NULL, NULL, &error), expected);
            stage.sink.broken = false;
            stage_close(&stage);
            stage_open(&stage, rich.snapshot);
            static const uint32_t fired[] = {1, 2, 3, 3}; /* of 1, 50, 100, 500 percent */
            assert_int_equal(stage.sink.count, fired[i]);
            assert_int_equal(stage.sink.deliveries, fired[i]);
        }
        stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledgers__any_number_of_shards_is_one_ledger),
        cmocka_unit_test(test_ledgers__sums_are_the_models),
        cmocka_unit_test(test_ledgers__a_payer_is_in_one_shard),
        cmocka_unit_test(test_ledgers__equal_ids_meet_whoever_pays),
        cmocka_unit_test(test_ledgers__conflicts_keep_their_numbers),
        cmocka_unit_test(test_ledgers__a_sum_that_no_bucket_holds_is_told),
        cmocka_unit_test(test_ledgers__verify_names_the_shard),
        cmocka_unit_test(test_ledgers__budgets_see_all_shards),
    };
    model_documents(&prices[0], model_prices_a);
    model_documents(&prices[1], model_prices_b);
    fixture_init(&rich);
    fixture_load(&rich, "rich", slice_string(rich_accounts));
    fixture_load(&rich, "prices", slice_string(rich_prices + 5));
    fixture_compiled(&rich);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_fini(&prices[0]);
    fixture_fini(&prices[1]);
    fixture_fini(&rich);
    return failed;
}
