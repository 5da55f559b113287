/* What the tests of the ledger share: a data directory in scratch space, documents, usage made from
 * a few words, and a sink that remembers. */
#ifndef RATEL_TESTS_LEDGER_FIXTURE_H
#define RATEL_TESTS_LEDGER_FIXTURE_H

#include "ratecards/fixture.h"

#include "account/ledgers.h"
#include "account/spend.h"
#include "account/verify.h"
#include "engine/store/scratch.h"

#define ALERTS_MAX 4096

/* An outbox in memory. */
struct fake_sink {
    struct alert_sink base;
    struct arena arena;
    struct slice ids[ALERTS_MAX];
    struct slice messages[ALERTS_MAX];
    uint32_t count;
    uint32_t deliveries; /* alerts handed over, repeated ones too */
    uint32_t batches;
    bool broken; /* delivery fails */
};

static inline bool fake_known(struct alert_sink *base, struct slice id)
{
    const struct fake_sink *sink = (const struct fake_sink *)base;
    for (uint32_t i = 0; i < sink->count; i++)
        if (slice_equal(sink->ids[i], id))
            return true;
    return false;
}

static inline enum status fake_deliver(struct alert_sink *base, const struct alert *alerts,
                                       uint32_t count, struct error *error)
{
    struct fake_sink *sink = (struct fake_sink *)base;
    if (sink->broken)
        return error_set(error, STATUS_IO, "the sink is broken");
    sink->batches++;
    for (uint32_t i = 0; i < count; i++) {
        sink->deliveries++;
        if (fake_known(base, alerts[i].id))
            continue;
        assert_true(sink->count < ALERTS_MAX);
        sink->ids[sink->count] = arena_copy(&sink->arena, alerts[i].id);
        sink->messages[sink->count++] = arena_copy(&sink->arena, alerts[i].message);
    }
    return STATUS_OK;
}

static inline void fake_sink_init(struct fake_sink *sink)
{
    memset(sink, 0, sizeof(*sink));
    sink->base = (struct alert_sink){fake_known, fake_deliver};
    arena_init(&sink->arena);
}

/* A data directory and what is open of it. */
struct stage {
    char root[SCRATCH_PATH_BYTES];
    char path[SCRATCH_PATH_BYTES];
    struct datadir datadir;
    struct fake_sink sink;
    bool watched; /* alerts go to the sink */
    struct ledgers *ledgers;
    struct ledger *ledger; /* the first of them, or one opened alone */
    struct packer packer;
};

static inline void stage_init_shards(struct stage *stage, uint32_t shard_count)
{
    struct error error = {0};
    memset(stage, 0, sizeof(*stage));
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm",
                     0); /* thousands of commits; what a disk does to them is not the point here */
    scratch_make(stage->root);
    scratch_path(stage->root, "data", stage->path);
    fake_sink_init(&stage->sink);
    pack_init(&stage->packer);
    if (datadir_init(stage->path, shard_count, &error) != STATUS_OK ||
        datadir_open(stage->path, DATADIR_WRITE, &stage->datadir, &error) != STATUS_OK)
        fail_msg("%s", error.text);
}

static inline void stage_init(struct stage *stage)
{
    stage_init_shards(stage, 1);
}

static inline void stage_close(struct stage *stage)
{
    if (stage->ledgers)
        ledgers_close(stage->ledgers);
    else
        ledger_close(stage->ledger);
    stage->ledgers = NULL;
    stage->ledger = NULL;
}

static inline void stage_fini(struct stage *stage)
{
    stage_close(stage);
    datadir_close(&stage->datadir);
    arena_fini(&stage->sink.arena);
    pack_fini(&stage->packer);
    scratch_remove(stage->root);
}

static inline enum status stage_try(struct stage *stage, const struct snapshot *snapshot,
                                    enum ledger_mode mode, struct ledger **ret, struct error *error)
{
    struct ledger_options options = {
        .datadir = &stage->datadir,
        .mode = mode,
        .snapshot = snapshot,
    };
    return ledger_open(&options, ret, error);
}

static inline struct ledger *stage_look(struct stage *stage, const struct snapshot *snapshot,
                                        enum ledger_mode mode)
{
    struct error error = {0};
    struct ledger *ledger = NULL;
    if (stage_try(stage, snapshot, mode, &ledger, &error) != STATUS_OK)
        fail_msg("cannot open: %s", error.text);
    return ledger;
}

static inline enum status stage_try_all(struct stage *stage, const struct snapshot *snapshot,
                                        enum ledger_mode mode, struct ledgers **ret,
                                        struct error *error)
{
    struct ledgers_options options = {
        .datadir = &stage->datadir,
        .mode = mode,
        .snapshot = snapshot,
        .alerts = stage->watched && mode == LEDGER_WRITE ? &stage->sink.base : NULL,
    };
    return ledgers_open(&options, ret, error);
}

static inline struct ledgers *stage_look_all(struct stage *stage, const struct snapshot *snapshot,
                                             enum ledger_mode mode)
{
    struct error error = {0};
    struct ledgers *ledgers = NULL;
    if (stage_try_all(stage, snapshot, mode, &ledgers, &error) != STATUS_OK)
        fail_msg("cannot open: %s", error.text);
    return ledgers;
}

static inline void stage_open(struct stage *stage, const struct snapshot *snapshot)
{
    assert_null(stage->ledger);
    stage->ledgers = stage_look_all(stage, snapshot, LEDGER_WRITE);
    stage->ledger = stage->ledgers->shards[0];
}

static inline void stage_commit(struct stage *stage)
{
    struct error error = {0};
    enum status status = stage->ledgers ? ledgers_commit(stage->ledgers, NULL, NULL, &error)
                                        : ledger_commit(stage->ledger, NULL, &error);
    if (status != STATUS_OK)
        fail_msg("cannot commit: %s", error.text);
}

static inline void stage_checkpoint(struct stage *stage)
{
    struct error error = {0};
    enum status status = stage->ledgers ? ledgers_checkpoint(stage->ledgers, &error)
                                        : ledger_checkpoint(stage->ledger, &error);
    if (status != STATUS_OK)
        fail_msg("cannot write a checkpoint: %s", error.text);
}

/* One record of usage. Without an end it is an event at a moment and bears an id. */
struct record_words {
    const char *account;
    const char *meter;
    const char *resource;
    const char *zone;
    const char *memory;
    const char *size;
    const char *id;
    int64_t start, end;
    int128 quanta;
};

/* `usage` borrows from the packer. */
static inline void words_usage(const struct record_words *words, uint64_t seed,
                               struct packer *packer, struct usage *usage)
{
    struct definition definition = {
        .payer_kind = PAYER_ACCOUNT,
        .source = SLICE("cloud"),
        .meter_name = slice_string(words->meter),
        .payer_id = slice_string(words->account),
    };
    const char *const names[] = {"memory", "resource", "size", "zone"};
    const char *const values[] = {words->memory, words->resource, words->size, words->zone};
    for (int i = 0; i < 4; i++)
        if (values[i])
            definition.attributes[definition.attribute_count++] =
                (struct where_term){slice_string(names[i]), slice_string(values[i])};
    static struct identity_keys keys;
    if (keys.seed != seed)
        identity_keys_init(&keys, seed);
    pack_reset(packer);
    definition_pack(&definition, packer);
    *usage = (struct usage){
        .verdict = VERDICT_EVENT,
        .definition = pack_done(packer),
        .series_hash = definition_identity(&definition, &keys),
        .start = {words->start},
        .end = {words->id ? words->start : words->end},
        .quantity = {words->quanta},
        .has_id = words->id != NULL,
    };
    if (words->id)
        usage->id = hash128(slice_string(words->id), seed);
    usage->payer_hash = words->id ? usage->id.low : hash64(definition.payer_id, seed);
}

static inline enum outcome stage_apply(struct stage *stage, const struct record_words *words)
{
    struct usage usage;
    enum outcome outcome;
    struct error error = {0};
    words_usage(words, stage->datadir.seed, &stage->packer, &usage);
    enum status status = stage->ledgers ? ledgers_apply(stage->ledgers, &usage, &outcome, &error)
                                        : ledger_apply(stage->ledger, &usage, &outcome, &error);
    if (status != STATUS_OK)
        fail_msg("cannot apply: %s", error.text);
    return outcome;
}

/* The account's spend as text, whatever numbers resources and meters got. Owner: caller, free. */
static inline char *spend_describe(const struct ledger *ledger, uint32_t account,
                                   struct period period)
{
    struct arena arena;
    struct spend spend;
    struct error error = {0};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    arena_init(&arena);
    if (spend_compute(&ledger->buckets, ledger->snapshot, account, period, &arena, &spend,
                      &error) != STATUS_OK)
        fail_msg("no spend: %s", error.text);
    for (uint32_t i = 0; i < spend.line_count; i++) {
        const struct spend_line *line = &spend.lines[i];
        char quantity[DECIMAL_TEXT_BYTES], amount[DECIMAL_TEXT_BYTES], rounded[DECIMAL_TEXT_BYTES];
        quantity_format(line->quantity, quantity);
        money_format_exact(line->amount, amount);
        money_format(line->rounded, spend.currency, rounded);
        fprintf(out, "%.*s %s %s %s %d\n", (int)line->charge->code.length, line->charge->code.data,
                quantity, amount, rounded, line->no_rate);
    }
    int128 unpriced = 0; /* their order follows the meters' numbers */
    for (uint32_t i = 0; i < spend.unpriced_count; i++) {
        struct slice name = series_meter_name(&ledger->series, spend.unpriced[i].meter);
        unpriced += spend.unpriced[i].quantity.quanta * (int128)(hash64(name, 0) % 1000003);
    }
    char sum[DECIMAL_TEXT_BYTES], total[DECIMAL_TEXT_BYTES];
    decimal_format(unpriced, 0, 0, sum);
    money_format(spend.total, spend.currency, total);
    fprintf(out, "unpriced %s total %s\n", sum, total);
    fclose(out);
    arena_fini(&arena);
    return text;
}

/* Compares with what the journal alone gives; no difference may be reported. */
static inline void stage_verify(struct stage *stage, const struct ledger *stored)
{
    struct verify_report report;
    struct arena arena;
    struct ledger *derived = stage_look(stage, stored->snapshot, LEDGER_DERIVE);
    arena_init(&arena);
    verify_compare(stored, derived, &arena, &report);
    if (report.difference_count)
        fail_msg("%u differences, the first: %.*s: %.*s, not %.*s",
                 (unsigned)report.difference_count, (int)report.differences[0].what.length,
                 report.differences[0].what.data, (int)report.differences[0].stored.length,
                 report.differences[0].stored.data, (int)report.differences[0].derived.length,
                 report.differences[0].derived.data);
    ledger_close(derived);
    arena_fini(&arena);
}

#endif
