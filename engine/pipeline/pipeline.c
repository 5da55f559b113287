/* Building the pipeline, starting its threads, and taking it down.
 *
 * Invariants; the code cites them by number.
 *
 * P-1  One lane at a time has the turn, and fills and numbers the next window. Where the decoder has a state, the lane keeps the turn until
 *      the window is decoded.
 * P-2  Every shard takes blocks in the order of the windows: a lane's ring keeps their order, and a window's position says which lane has it.
 * P-3  Blocks come home: between a sender and a receiver there is a slot for each, so sending never fails. A window's bytes stay as they
 *      are until every shard is done with it.
 * P-4  A window is durable in a shard when every frame that holds something of it, or of a window before, was synced: `durable` never
 *      passes `done`.
 * P-5  A window is kept when all lanes have handed it over and all shards are done with it, and then what lay in the rings to the keeper
 *      was put into quarantine and synced.
 * P-6  The position in a frame never names a window that is not kept, or that the shard is not done with.
 * P-7  A window is acknowledged when it is kept, and durable in every shard. Fewer than POSITIONS windows are numbered and not acknowledged, so
 *      a position is there until nobody asks for it.
 * P-8  The keeper looks into ledgers only while every shard rests or has finished, with all that it took in durable and under the newest prices.
 * P-9  A shard uses a snapshot only between entering the epoch and leaving it, and leaves before it sleeps; the next snapshot is published only
 *      when every shard counts under the one before.
 * P-10 After a failure nobody waits: each wait looks for one, and who notes it wakes everybody. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

/* P-10 */
void pipeline_fail(struct pipeline *pipeline, enum status status, const struct error *error)
{
    uint32_t none = 0;
    if (atomic_compare_exchange_strong(&pipeline->failed, &none, 1)) {
        pipeline->error = *error;
        pipeline->error.status = status;
        atomic_store_explicit(&pipeline->failed, 2, memory_order_release);
    }
    for (uint32_t i = 0; i < pipeline->options.lanes; i++)
        park_wake(&pipeline->lanes[i].parker);
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        if (pipeline->shards[i].committer)
            committer_give_up(pipeline->shards[i].committer);
        park_wake(&pipeline->shards[i].parker);
    }
    park_wake(&pipeline->keeper);
}

bool window_is_unwanted(const struct window *window)
{
    return pipeline_failed(window->pipeline);
}

/* ---- building
 * ----------------------------------------------------------------------------------------------------
 */

/* P-3 */
static bool way_init(struct way *way, uint32_t blocks)
{
    return ring_new(ring_slots_for(blocks), &way->there) == STATUS_OK &&
           ring_new(ring_slots_for(blocks), &way->back) == STATUS_OK;
}

static void way_fini(struct way *way)
{
    ring_free(way->there);
    ring_free(way->back);
}

static bool troubles_init(struct way *way, struct trouble_block *blocks)
{
    if (!way_init(way, TROUBLES_PER_WAY))
        return false;
    for (uint32_t i = 0; i < TROUBLES_PER_WAY; i++) {
        pack_init(&blocks[i].bytes);
        if (!ring_push(way->back, &blocks[i]))
            return false;
    }
    return true;
}

static void troubles_fini(struct way *way, struct trouble_block *blocks)
{
    for (uint32_t i = 0; i < TROUBLES_PER_WAY; i++)
        pack_fini(&blocks[i].bytes);
    way_fini(way);
}

static bool lane_init(struct pipeline *pipeline, uint32_t index)
{
    struct lane *lane = &pipeline->lanes[index];
    uint32_t shards = pipeline->shard_count;
    lane->pipeline = pipeline;
    lane->index = index;
    park_init(&lane->parker, PARK_SPINS);
    flat_normaliser_init(&lane->flat, pipeline->options.source, pipeline->options.seed);
    normaliser_init(&lane->normaliser, pipeline->options.source, pipeline->options.seed);
    lane->to_shard = calloc(shards, sizeof(*lane->to_shard));
    lane->filling = calloc(shards, sizeof(struct block *));
    lane->blocks = aligned_alloc(64, (size_t)shards * BLOCKS_PER_WAY * sizeof(*lane->blocks));
    if (!lane->to_shard || !lane->filling || !lane->blocks)
        return false;
    /* Touched now, so that no page is met for the first time later. */
    memset(lane->blocks, 0, (size_t)shards * BLOCKS_PER_WAY * sizeof(*lane->blocks));
    for (uint32_t shard = 0; shard < shards; shard++) {
        struct way *way = &lane->to_shard[shard];
        if (!way_init(way, BLOCKS_PER_WAY))
            return false;
        for (uint32_t i = 0; i < BLOCKS_PER_WAY; i++) {
            struct block *block = &lane->blocks[shard * BLOCKS_PER_WAY + i];
            pack_init(&block->side);
            if (!ring_push(way->back, block))
                return false;
        }
    }
    return troubles_init(&lane->to_keeper, lane->troubles);
}

static void lane_fini(struct lane *lane)
{
    uint32_t shards = lane->pipeline ? lane->pipeline->shard_count : 0;
    for (uint32_t i = 0; lane->blocks && i < shards * BLOCKS_PER_WAY; i++)
        pack_fini(&lane->blocks[i].side);
    for (uint32_t i = 0; lane->to_shard && i < shards; i++)
        way_fini(&lane->to_shard[i]);
    troubles_fini(&lane->to_keeper, lane->troubles);
    normaliser_fini(&lane->normaliser);
    free(lane->to_shard);
    free(lane->filling);
    free(lane->blocks);
}

static void frame_durable(void *context, uint64_t sequence, int64_t time)
{
    (void)time;
    shard_frame_durable(context, sequence);
}

static void committer_changed(void *context, enum committer_state state, const struct error *error)
{
    struct shard *shard = context;
    if (state == COMMITTER_WAITING)
        room_begin(&shard->disk, error);
    else if (state == COMMITTER_RUNNING)
        room_check(&shard->disk);
    park_wake(&shard->parker); /* it asks for a failure itself */
}

/* From here to the end of the run the journal is the committer's. */
static enum status start_committer(struct shard *shard, struct error *error)
{
    const struct pipeline_options *options = &shard->pipeline->options;
    struct committer_options own = {
        .buffer_count = FRAME_BUFFERS,
        .buffer_bytes = JOURNAL_HEAD_BYTES +
                        ((size_t)options->commit_events + BLOCK_ITEMS) * sizeof(struct event) +
                        4096,
        .context = shard,
        .wait_for_space = options->wait_for_space,
        .durable = frame_durable,
        .state = committer_changed,
    };
    enum status status = committer_start(shard->ledger->journal, &own, &shard->committer, error);
    if (status == STATUS_OK)
        status = committer_take_wait(shard->committer, &shard->ledger->frame, error);
    shard->submitted = frames_last_sequence(shard->ledger->journal);
    return status;
}

static enum status stop_committer(struct shard *shard, struct error *error)
{
    struct committer *committer = shard->committer;
    shard->ledger->frame = &shard->ledger->own_frame;
    shard->committer = NULL;
    return committer_stop(committer, error);
}

static bool shard_init(struct pipeline *pipeline, uint32_t index)
{
    struct shard *shard = &pipeline->shards[index];
    shard->pipeline = pipeline;
    shard->index = index;
    shard->ledger = pipeline->options.ledgers->shards[index];
    shard->checkpointed = shard->ledger->event_count;
    park_init(&shard->parker, PARK_SPINS);
    room_init(&shard->room, pipeline, &shard->parker);
    room_init(&shard->disk, pipeline, NULL);
    ledger_on_full(shard->ledger, &shard->room.space);
    normaliser_init(&shard->normaliser, pipeline->options.source, pipeline->options.seed);
    return troubles_init(&shard->to_keeper, shard->troubles);
}

static void *array_of(size_t count, size_t bytes)
{
    void *array = aligned_alloc(64, count * bytes);
    return array ? memset(array, 0, count * bytes) : NULL;
}

static enum status build(struct pipeline *pipeline, struct error *error)
{
    pipeline->lanes = array_of(pipeline->options.lanes, sizeof(*pipeline->lanes));
    pipeline->shards = array_of(pipeline->shard_count, sizeof(*pipeline->shards));
    bool built = pipeline->lanes && pipeline->shards;
    for (uint32_t i = 0; built && i < pipeline->options.lanes; i++)
        built = lane_init(pipeline, i);
    for (uint32_t i = 0; built && i < pipeline->shard_count; i++)
        built = shard_init(pipeline, i);
    enum status status = built ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; status == STATUS_OK && i < pipeline->shard_count; i++)
        status = start_committer(&pipeline->shards[i], error);
    return status;
}

static void take_down(struct pipeline *pipeline)
{
    for (uint32_t i = 0; pipeline->lanes && i < pipeline->options.lanes; i++)
        lane_fini(&pipeline->lanes[i]);
    for (uint32_t i = 0; pipeline->shards && i < pipeline->shard_count; i++) {
        troubles_fini(&pipeline->shards[i].to_keeper, pipeline->shards[i].troubles);
        normaliser_fini(&pipeline->shards[i].normaliser);
        if (pipeline->shards[i].ledger)
            ledger_on_full(pipeline->shards[i].ledger, NULL);
    }
    free(pipeline->lanes);
    free(pipeline->shards);
}

/* ---- running
 * -----------------------------------------------------------------------------------------------------
 */

static enum status cannot_start(int number, struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, "a thread cannot be started: %s", strerror(number));
}

/* Threads that were started are counted, so that they can be joined. */
static enum status start(struct pipeline *pipeline, uint32_t *ret_lanes, uint32_t *ret_shards,
                         struct error *error)
{
    for (; *ret_shards < pipeline->shard_count; (*ret_shards)++) {
        struct shard *shard = &pipeline->shards[*ret_shards];
        int number = pthread_create(&shard->thread, NULL, shard_main, shard);
        if (number)
            return cannot_start(number, error);
    }
    for (; *ret_lanes < pipeline->options.lanes; (*ret_lanes)++) {
        struct lane *lane = &pipeline->lanes[*ret_lanes];
        int number = pthread_create(&lane->thread, NULL, lane_main, lane);
        if (number)
            return cannot_start(number, error);
    }
    return STATUS_OK;
}

/* The threads that were started have come to their ends, in whatever way. */
static void join(struct pipeline *pipeline, uint32_t lanes, uint32_t shards)
{
    for (uint32_t i = 0; i < lanes; i++)
        pthread_join(pipeline->lanes[i].thread, NULL);
    for (uint32_t i = 0; i < shards; i++)
        pthread_join(pipeline->shards[i].thread, NULL);
    for (uint32_t i = 0; pipeline->shards && i < pipeline->shard_count; i++) {
        struct error failure = {0};
        struct shard *shard = &pipeline->shards[i];
        enum status stopped = shard->committer ? stop_committer(shard, &failure) : STATUS_OK;
        if (stopped != STATUS_OK)
            pipeline_fail(pipeline, stopped, &failure);
    }
}

/* Also in shards that saw nothing of the stream, or nothing of its end. */
static enum status remember_position(struct pipeline *pipeline, struct error *error)
{
    const struct position *last = &pipeline->positions[pipeline->numbered % POSITIONS];
    struct source_position position = {pipeline->options.source, last->file, last->position};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < pipeline->shard_count && status == STATUS_OK; i++) {
        struct ledger *ledger = pipeline->shards[i].ledger;
        do {
            status = ledger_commit_position(ledger, &position, error);
            if (status == STATUS_OK)
                status = ledger_checkpoint(ledger, error);
        } while (status == STATUS_NO_SPACE && room_wait(&pipeline->room, error));
        room_check(&pipeline->room);
    }
    return status;
}

enum status pipeline_run(const struct pipeline_options *options, struct ingest_counts *ret_counts,
                         struct error *error)
{
    assert(options->lanes > 0 && options->lanes <= PIPELINE_LANES_MAX);
    assert(options->source.length > 0 && options->commit_events > 0);
    struct pipeline *pipeline = array_of(1, sizeof(*pipeline));
    if (!pipeline)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    pipeline->options = *options;
    pipeline->shard_count = options->ledgers->count;
    park_init(&pipeline->keeper, 0);
    room_init(&pipeline->room, pipeline, &pipeline->keeper);
    uint32_t lanes = 0, shards = 0;
    enum status status = build(pipeline, error);
    if (status == STATUS_OK)
        status = prices_start(pipeline, error);
    if (status == STATUS_OK)
        status = start(pipeline, &lanes, &shards, error);
    if (status == STATUS_OK)
        status = keeper_main(pipeline, error);
    if (status != STATUS_OK && pipeline->lanes && pipeline->shards) {
        struct error failure = {0};
        pipeline_fail(pipeline, status, error ? error : &failure);
    }
    join(pipeline, lanes, shards);
    if (pipeline_failed(pipeline)) {
        status = pipeline->error.status;
        if (error)
            *error = pipeline->error;
    }
    struct error ending = {0};
    enum status ended = prices_end(pipeline, status == STATUS_OK, &ending);
    if (status == STATUS_OK && (status = ended) != STATUS_OK && error)
        *error = ending;
    if (status == STATUS_OK)
        status = watch_budgets(pipeline, error);
    if (status == STATUS_OK && options->remembers)
        status = remember_position(pipeline, error);
    if (pipeline->shards)
        pipeline_counts(pipeline, pipeline->settled, ret_counts);
    take_down(pipeline);
    free(pipeline);
    return status;
}
