/* The keeper: the thread that called pipeline_run. Keeps what could not be understood, tells what
 * is acknowledged, watches budgets. */
#include <string.h>

#include "pipeline/pipeline_private.h"

#define KEEPER_NAP_NS  (5 * 1000000) /* it is woken for what is urgent */
#define WATCH_EVERY_NS ((int64_t)100 * 1000000)

struct keeper {
    struct pipeline *pipeline;
    struct trouble_block *held[PIPELINE_LANES_MAX]; /* by lane: taken, its window not yet due */
    bool dirty;                                     /* quarantine has what is not durable */
    uint64_t acknowledged;                          /* window */
    int64_t watched;                                /* park_now of the last look at budgets */
};

static enum status keep(struct keeper *keeper, const struct trouble_block *block,
                        struct error *error)
{
    const struct pipeline_options *options = &keeper->pipeline->options;
    const char *at = block->bytes.data;
    for (uint32_t i = 0; i < block->count; i++) {
        struct trouble trouble;
        memcpy(&trouble, at, sizeof(trouble));
        at += sizeof(trouble);
        struct quarantine_entry entry = {
            .form = (enum record_form)trouble.form,
            .at = options->clock->now(options->clock),
            .source = options->source,
            .file = block->file,
            .offset = trouble.offset,
            .line = trouble.line,
            .reason = slice_of(at, trouble.reason_length),
            .raw = slice_of(at + trouble.reason_length, trouble.raw_length),
        };
        at += trouble.reason_length + trouble.raw_length;
        if (entry.raw.length > RECORD_BYTES_MAX) /* CSV: the header row stands before the row */
            entry.raw.length = RECORD_BYTES_MAX;
        bool added = false;
        enum status status;
        do
            status = quarantine_add(options->quarantine, &entry, &added, error);
        while (status == STATUS_NO_SPACE && room_wait(&keeper->pipeline->room, error));
        if (status != STATUS_OK)
            return status;
        keeper->dirty |= added;
    }
    assert(at == block->bytes.data + block->bytes.length);
    return STATUS_OK;
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

/* The lanes' records in the order of their windows, so that quarantine does not depend on timing. */
static enum status keep_lanes(struct keeper *keeper, uint64_t until, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    for (;;) {
        struct lane *next = NULL;
        for (uint32_t i = 0; i < pipeline->options.lanes; i++) {
            struct lane *lane = &pipeline->lanes[i];
            if (!keeper->held[i])
                keeper->held[i] = ring_pop(lane->to_keeper.there);
            if (keeper->held[i] &&
                (!next || keeper->held[i]->number < keeper->held[next->index]->number))
                next = lane;
        }
        /* A block of a later window may be taken early when its lane would wait for room and no
         * earlier window is at work: the lane that works on the first one. */
        if (!next || keeper->held[next->index]->number > until + 1)
            return STATUS_OK;
        struct trouble_block *block = keeper->held[next->index];
        enum status status = keep(keeper, block, error);
        if (status != STATUS_OK)
            return status;
        keeper->held[next->index] = NULL;
        give_back(&next->to_keeper, &next->parker, block);
    }
}

static enum status keep_shards(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        struct shard *shard = &pipeline->shards[i];
        for (struct trouble_block *block; (block = ring_pop(shard->to_keeper.there)) != NULL;) {
            enum status status = keep(keeper, block, error);
            if (status != STATUS_OK)
                return status;
            give_back(&shard->to_keeper, &shard->parker, block);
        }
    }
    return STATUS_OK;
}

/* Everything that the windows up to `kept` had for quarantine is durable (P-5): they are counted before the rings are emptied. */
static enum status keep_all(struct keeper *keeper, struct error *error)
{
    struct pipeline *pipeline = keeper->pipeline;
    uint64_t until = handed_over(pipeline), kept = until;
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        uint64_t done = atomic_load_explicit(&pipeline->shards[i].done, memory_order_acquire);
        kept = done < kept ? done : kept;
    }
    enum status status = keep_lanes(keeper, until, error);
    if (status == STATUS_OK)
        status = keep_shards(keeper, error);
    if (status == STATUS_OK && keeper->dirty)
        status = quarantine_sync(pipeline->options.quarantine, error);
    if (status != STATUS_OK)
        return status;
    keeper->dirty = false;
    atomic_store_explicit(&pipeline->kept, kept, memory_order_release);
    return STATUS_OK;
}

static void progress_of(const struct pipeline *pipeline, uint64_t window,
                        struct pipeline_progress *ret)
{
    const struct position *position = &pipeline->positions[window % POSITIONS];
    *ret = (struct pipeline_progress){.file = position->file,
                                      .position = position->position,
                                      .window = window,
                                      .filled = position->filled};
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        const struct shard *shard = &pipeline->shards[i];
        ret->counts.read += atomic_load_explicit(&shard->read, memory_order_relaxed);
        ret->counts.accepted += atomic_load_explicit(&shard->accepted, memory_order_relaxed);
        ret->counts.duplicate += atomic_load_explicit(&shard->duplicate, memory_order_relaxed);
        ret->counts.conflict += atomic_load_explicit(&shard->conflict, memory_order_relaxed);
        ret->counts.ignored += atomic_load_explicit(&shard->ignored, memory_order_relaxed);
        ret->counts.quarantined += atomic_load_explicit(&shard->quarantined, memory_order_relaxed);
    }
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
    enum status status = keep_shards(keeper, error);
    while (status == STATUS_OK && !all_rest(pipeline)) {
        (void)park_until(&pipeline->keeper, all_rest_or_trouble, pipeline, PARK_FOREVER);
        status = keep_shards(keeper, error);
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
    return status;
}
