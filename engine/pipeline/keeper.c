/* The keeper: the thread that called pipeline_run. Keeps what could not be understood, tells what
 * is acknowledged, watches budgets. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

#define KEEPER_NAP_NS  (5 * 1000000) /* it is woken for what is urgent */
#define WATCH_EVERY_NS ((int64_t)100 * 1000000)

/* A record for quarantine whose window is not through yet: struct trouble, reason and raw bytes lie
 * at `at` in the keeper's bytes. */
struct held {
    uint64_t window;
    uint64_t offset; /* in the stream */
    struct slice file;
    size_t at;
};

struct keeper {
    struct pipeline *pipeline;
    struct held *held;
    uint32_t held_count, held_capacity;
    struct packer bytes;   /* of what is held */
    struct packer spare;   /* empty: where the rest goes once some of it is kept */
    bool dirty;            /* quarantine has what is not durable */
    uint64_t acknowledged; /* window */
    int64_t watched;       /* park_now of the last look at budgets */
};

/* ---- quarantine
 * --------------------------------------------------------------------------------------------------
 * Lanes and shards find what cannot be kept or counted, each when it comes to it. The keeper takes it
 * at once, so that nobody waits for another, and keeps it when its window is through, in the order
 * of the input: quarantine does not depend on timing. What is held is part of windows whose bytes
 * are still in use, so there is a bound. */

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

/* Returns the bytes that the record takes. */
static size_t trouble_bytes(const char *at, struct trouble *ret)
{
    memcpy(ret, at, sizeof(*ret));
    return sizeof(*ret) + ret->reason_length + ret->raw_length;
}

static enum status hold(struct keeper *keeper, const struct trouble_block *block,
                        struct error *error)
{
    size_t at = keeper->bytes.length;
    uint32_t count = keeper->held_count + block->count;
    if (count > keeper->held_capacity) {
        uint32_t capacity = count < 1024 ? 1024 : count * 2;
        struct held *grown = realloc(keeper->held, capacity * sizeof(*grown));
        if (!grown)
            return out_of_memory(error);
        keeper->held = grown;
        keeper->held_capacity = capacity;
    }
    pack_bytes(&keeper->bytes, block->bytes.data, block->bytes.length);
    if (keeper->bytes.failed)
        return out_of_memory(error);
    for (uint32_t i = 0; i < block->count; i++) {
        struct trouble trouble;
        size_t length = trouble_bytes(keeper->bytes.data + at, &trouble);
        keeper->held[keeper->held_count++] =
            (struct held){block->number, trouble.offset, block->file, at};
        at += length;
    }
    assert(at == keeper->bytes.length);
    return STATUS_OK;
}

static enum status keep(struct keeper *keeper, const struct held *held, struct error *error)
{
    const struct pipeline_options *options = &keeper->pipeline->options;
    const char *at = keeper->bytes.data + held->at;
    struct trouble trouble;
    (void)trouble_bytes(at, &trouble);
    at += sizeof(trouble);
    struct quarantine_entry entry = {
        .form = (enum record_form)trouble.form,
        .at = options->clock->now(options->clock),
        .source = options->source,
        .file = held->file,
        .offset = trouble.offset,
        .line = trouble.line,
        .reason = slice_of(at, trouble.reason_length),
        .raw = slice_of(at + trouble.reason_length, trouble.raw_length),
    };
    if (entry.raw.length > RECORD_BYTES_MAX) /* CSV: the header row stands before the row */
        entry.raw.length = RECORD_BYTES_MAX;
    bool added = false;
    enum status status;
    do
        status = quarantine_add(options->quarantine, &entry, &added, error);
    while (status == STATUS_NO_SPACE && room_wait(&keeper->pipeline->room, error));
    keeper->dirty |= added;
    return status;
}

/* In the order of the input. No two records of a window lie at the same place. */
static int compare_held(const void *left, const void *right)
{
    const struct held *a = left, *b = right;
    if (a->window != b->window)
        return a->window < b->window ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* The first `count` of what is held are kept. */
static enum status forget(struct keeper *keeper, uint32_t count, struct error *error)
{
    pack_reset(&keeper->spare);
    for (uint32_t i = count; i < keeper->held_count; i++) {
        struct held held = keeper->held[i];
        struct trouble trouble;
        const char *from = keeper->bytes.data + held.at;
        held.at = keeper->spare.length;
        pack_bytes(&keeper->spare, from, trouble_bytes(from, &trouble));
        keeper->held[i - count] = held;
    }
    if (keeper->spare.failed)
        return out_of_memory(error);
    keeper->held_count -= count;
    struct packer rest = keeper->spare;
    keeper->spare = keeper->bytes;
    keeper->bytes = rest;
    return STATUS_OK;
}

/* Keeps what belongs to the windows up to this one: all of them are through. */
static enum status keep_until(struct keeper *keeper, uint64_t until, struct error *error)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < keeper->held_count; i++)
        count += keeper->held[i].window <= until;
    if (count == 0)
        return STATUS_OK;
    qsort(keeper->held, keeper->held_count, sizeof(*keeper->held), compare_held);
    for (uint32_t i = 0; i < count; i++) {
        enum status status = keep(keeper, &keeper->held[i], error);
        if (status != STATUS_OK)
            return status;
    }
    return forget(keeper, count, error);
}

/* All lanes are done with the windows up to this one, and what they found is in their rings. */
static uint64_t handed_over(const struct pipeline *pipeline)
{
    uint64_t number = atomic_load_explicit(&pipeline->numbered, memory_order_seq_cst);
    for (uint32_t i = 0; i < pipeline->options.lanes; i++) {
        uint64_t working = atomic_load_explicit(&pipeline->lanes[i].working, memory_order_seq_cst);
        if (working && working - 1 < number)
            number = working - 1;
    }
    return number;
}

static void give_back(struct way *way, struct parker *parker, struct trouble_block *block)
{
    bool sent = ring_push(way->back, block);
    assert(sent);
    (void)sent;
    park_wake(parker);
}

static enum status take(struct keeper *keeper, struct way *way, struct parker *parker,
                        struct error *error)
{
    enum status status = STATUS_OK;
    for (struct trouble_block *block;
         status == STATUS_OK && (block = ring_pop(way->there)) != NULL;) {
        status = hold(keeper, block, error);
        give_back(way, parker, block);
    }
    return status;
}

static enum status take_shards(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < pipeline->shard_count && status == STATUS_OK; i++)
        status = take(keeper, &pipeline->shards[i].to_keeper, &pipeline->shards[i].parker, error);
    return status;
}

static enum status take_all(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < pipeline->options.lanes && status == STATUS_OK; i++)
        status = take(keeper, &pipeline->lanes[i].to_keeper, &pipeline->lanes[i].parker, error);
    return status == STATUS_OK ? take_shards(keeper, error) : status;
}

/* Everything that the windows up to `kept` had for quarantine is durable (P-5): they are counted before the rings are emptied. */
static enum status keep_all(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    uint64_t kept = handed_over(pipeline);
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        uint64_t done = atomic_load_explicit(&pipeline->shards[i].done, memory_order_acquire);
        kept = done < kept ? done : kept;
    }
    enum status status = take_all(keeper, error);
    if (status == STATUS_OK)
        status = keep_until(keeper, kept, error);
    if (status == STATUS_OK && keeper->dirty)
        status = quarantine_sync(pipeline->options.quarantine, error);
    if (status != STATUS_OK)
        return status;
    keeper->dirty = false;
    atomic_store_explicit(&pipeline->kept, kept, memory_order_release);
    return STATUS_OK;
}

/* ---- acknowledging
 * -----------------------------------------------------------------------------------------------
 */

/* Every shard is done with the window, and none of them with the one that takes its place: that one
 * is numbered after this one has been acknowledged (P-7). */
void pipeline_counts(const struct pipeline *pipeline, uint64_t window, struct ingest_counts *ret)
{
    *ret = (struct ingest_counts){0};
    for (uint32_t i = 0; window > 0 && i < pipeline->shard_count; i++)
        counts_add(ret, &pipeline->shards[i].counts_at[window % POSITIONS]);
}

static void progress_of(const struct pipeline *pipeline, uint64_t window,
                        struct pipeline_progress *ret)
{
    const struct position *position = &pipeline->positions[window % POSITIONS];
    *ret = (struct pipeline_progress){.file = position->file,
                                      .position = position->position,
                                      .window = window,
                                      .filled = position->filled};
    pipeline_counts(pipeline, window, &ret->counts);
}

static void wake_lanes(struct pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->options.lanes; i++)
        park_wake_for(&pipeline->lanes[i].parker, LANE_POSITION);
}

/* P-7. What was acknowledged since the last look may be more than one window. */
static void acknowledge(struct keeper *keeper)
{
    struct pipeline *pipeline = keeper->pipeline;
    uint64_t window = atomic_load_explicit(&pipeline->kept, memory_order_relaxed);
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        uint64_t durable = shard_durable(&pipeline->shards[i]);
        window = durable < window ? durable : window;
    }
    if (window <= keeper->acknowledged)
        return;
    keeper->acknowledged = window;
    if (pipeline->options.acknowledged) {
        struct pipeline_progress progress;
        progress_of(pipeline, window, &progress);
        pipeline->options.acknowledged(pipeline->options.acknowledged_context, &progress);
    }
    atomic_store_explicit(&pipeline->settled, window, memory_order_release);
    wake_lanes(pipeline);
}

/* ---- budgets
 * -----------------------------------------------------------------------------------------------------
 */

static bool all_rest(void *context)
{
    const struct pipeline *pipeline = context;
    uint64_t pause = atomic_load_explicit(&pipeline->pause, memory_order_relaxed);
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        const struct shard *shard = &pipeline->shards[i];
        if (!atomic_load_explicit(&shard->finished, memory_order_acquire) &&
            atomic_load_explicit(&shard->paused, memory_order_acquire) != pause)
            return pipeline_failed(pipeline);
    }
    return true;
}

static bool all_rest_or_trouble(void *context)
{
    const struct pipeline *pipeline = context;
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        if (!ring_is_empty(pipeline->shards[i].to_keeper.there))
            return true;
    return all_rest(context);
}

static bool any_touched(struct pipeline *pipeline)
{
    bool touched = false;
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        touched |=
            atomic_exchange_explicit(&pipeline->shards[i].touched, false, memory_order_acq_rel);
    return touched;
}

/* Alerts go to the book, whose disk may be full. */
enum status watch_budgets(struct pipeline *pipeline, struct error *error)
{
    enum status status;
    do
        status = ledgers_watch(pipeline->options.ledgers, error);
    while (status == STATUS_NO_SPACE && room_wait(&pipeline->room, error));
    room_check(&pipeline->room);
    return status;
}

/* Stops the shards at their next block boundary, with everything durable, looks at the budgets that
 * were touched, and lets them go on (P-8). */
static enum status watch(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    atomic_fetch_add_explicit(&pipeline->pause, 1, memory_order_acq_rel);
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        park_wake(&pipeline->shards[i].parker);
    /* A shard that has much to quarantine waits for its blocks first. */
    enum status status = take_shards(keeper, error);
    while (status == STATUS_OK && !all_rest(pipeline)) {
        (void)park_until(&pipeline->keeper, all_rest_or_trouble, pipeline, PARK_FOREVER);
        status = take_shards(keeper, error);
    }
    if (status == STATUS_OK && !pipeline_failed(pipeline))
        status = watch_budgets(pipeline, error);
    atomic_fetch_add_explicit(&pipeline->pause, 1, memory_order_acq_rel);
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        park_wake(&pipeline->shards[i].parker);
    keeper->watched = park_now();
    return status;
}

/* ---- the thread
 * --------------------------------------------------------------------------------------------------
 */

/* Nothing more comes: all blocks were counted and all records for quarantine are in their rings. */
static bool all_finished(const struct pipeline *pipeline)
{
    if (handed_over(pipeline) != atomic_load_explicit(&pipeline->numbered, memory_order_seq_cst))
        return false;
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        if (!atomic_load_explicit(&pipeline->shards[i].finished, memory_order_acquire))
            return false;
    return true;
}

static bool never(void *context)
{
    return pipeline_failed(context) || all_finished(context);
}

static enum status tend(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    enum status status = keep_all(keeper, error);
    if (status != STATUS_OK)
        return status;
    acknowledge(keeper);
    status = prices_tend(pipeline, error);
    if (status == STATUS_OK && park_now() - keeper->watched >= WATCH_EVERY_NS &&
        prices_settled(pipeline) && any_touched(pipeline))
        status = watch(keeper, error);
    room_check(&pipeline->room);
    return status;
}

enum status keeper_main(struct pipeline *pipeline, struct error *error)
{
    struct keeper keeper = {.pipeline = pipeline, .watched = park_now()};
    enum status status = STATUS_OK;
    pack_init(&keeper.bytes);
    pack_init(&keeper.spare);
    while (status == STATUS_OK && !pipeline_failed(pipeline)) {
        bool last = all_finished(pipeline);
        status = tend(&keeper, error);
        if (last)
            break;
        park_announce(&pipeline->keeper);
        if (never(pipeline))
            park_cancel(&pipeline->keeper);
        else
            (void)park_sleep(&pipeline->keeper, park_now() + KEEPER_NAP_NS);
    }
    free(keeper.held);
    pack_fini(&keeper.bytes);
    pack_fini(&keeper.spare);
    return status;
}
