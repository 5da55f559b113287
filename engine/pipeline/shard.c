/* A shard's owner: takes blocks in the order of the windows, counts what is in them, and makes it
 * durable. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

/* ---- what the ledger asks back
 * -----------------------------------------------------------------------------------
 */

static struct slice raw_of(const struct shard *shard, const struct usage_item *item)
{
    return slice_of(shard->block->window->bytes + item->ref, item->raw_length);
}

static enum status define(void *context, const struct usage_item *item, struct usage *ret,
                          struct error *error)
{
    struct shard *shard = context;
    const struct pipeline_options *options = &shard->pipeline->options;
    const struct record_block *block;
    enum status status =
        options->input.reread(options->input.context, options->lanes + shard->index,
                              shard->block->window->form, raw_of(shard, item), &block, error);
    if (status != STATUS_OK)
        return status;
    assert(block->count == 1);
    normalise_series(&shard->normaliser, block, &block->records[0], ret);
    return STATUS_OK;
}

struct wait_trouble {
    struct shard *shard;
    struct trouble_block *block;
};

static bool has_trouble_block(void *context)
{
    struct wait_trouble *wait = context;
    wait->block = ring_pop(wait->shard->to_keeper.back);
    return wait->block || pipeline_failed(wait->shard->pipeline);
}

/* Rare enough to send each on its own. It is sent before the window counts as done, so the keeper
 * has it before it takes the window for kept (P-5). */
static enum status quarantine(struct shard *shard, const struct trouble *trouble,
                              const char *reason, struct slice raw, struct error *error)
{
    struct wait_trouble wait = {shard, NULL};
    if (!has_trouble_block(&wait))
        (void)park_until(&shard->parker, has_trouble_block, &wait, PARK_FOREVER);
    if (!wait.block)
        return error_set(error, STATUS_AGAIN, "the pipeline has stopped");
    wait.block->count = 0;
    wait.block->number = shard->block->number;
    wait.block->file = shard->block->window->file;
    pack_reset(&wait.block->bytes);
    bool added = trouble_add(wait.block, trouble, reason, raw.data);
    bool sent = ring_push(shard->to_keeper.there, wait.block);
    assert(sent);
    (void)sent;
    park_wake(&shard->pipeline->keeper);
    return added ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status refused(void *context, const struct usage_item *item, const char *reason,
                           struct error *error)
{
    struct shard *shard = context;
    const struct window *window = shard->block->window;
    const struct pipeline_options *options = &shard->pipeline->options;
    struct slice raw = raw_of(shard, item);
    uint64_t offset = window->offset + item->ref;
    struct trouble trouble = {
        .offset = offset,
        .line = options->input.line
                    ? options->input.line(options->input.context, options->lanes + shard->index,
                                          window, offset, 0)
                    : 0,
        .form = window->form,
        .reason_length = (uint32_t)strlen(reason),
        .raw_length = (uint32_t)raw.length,
    };
    return quarantine(shard, &trouble, reason, raw, error);
}

/* ---- counting
 * ----------------------------------------------------------------------------------------------------
 */

static enum status apply_extended(struct shard *shard, const struct usage_item *item,
                                  struct error *error)
{
    const char *at = shard->block->side.data + (item->ref & ~BLOCK_EXTENDED);
    struct extended extended;
    memcpy(&extended, at, sizeof(extended));
    at += sizeof(extended);
    extended.usage.definition = slice_of(at, extended.definition_length);
    enum outcome outcome;
    enum status status = ledger_apply(shard->ledger, &extended.usage, &outcome, error);
    if (status != STATUS_OK)
        return status;
    shard->counts.read++;
    switch (outcome) {
    case OUTCOME_ACCEPTED:
        shard->counts.accepted++;
        break;
    case OUTCOME_DUPLICATE:
        shard->counts.duplicate++;
        break;
    case OUTCOME_CONFLICT:
        shard->counts.conflict++;
        break;
    case OUTCOME_REFUSED: {
        struct trouble trouble = {
            .offset = extended.offset,
            .line = extended.line,
            .form = extended.form,
            .reason_length = (uint32_t)strlen(extended.usage.reason),
            .raw_length = extended.raw_length,
        };
        shard->counts.quarantined++;
        struct slice raw = slice_of(at + extended.definition_length, extended.raw_length);
        return quarantine(shard, &trouble, extended.usage.reason, raw, error);
    }
    }
    return STATUS_OK;
}

static enum status apply_block(struct shard *shard, const struct block *block, struct error *error)
{
    const struct apply_callbacks callbacks = {shard, define, refused};
    shard->block = block;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < block->count && status == STATUS_OK;) {
        uint32_t end = at;
        while (end < block->count && !(block->items[end].ref & BLOCK_EXTENDED))
            end++;
        if (end > at)
            status = ledger_apply_items(shard->ledger, block->items + at, end - at, &callbacks,
                                        &shard->counts, error);
        else
            status = apply_extended(shard, &block->items[end++], error);
        at = end;
    }
    counts_add(&shard->counts, &block->counts);
    return status;
}

/* ---- committing
 * --------------------------------------------------------------------------------------------------
 */

/* The ledger has them. */
static void forget_counts(struct shard *shard)
{
    counts_add(&shard->committed, &shard->counts);
    shard->counts = (struct ingest_counts){0};
}

/* Where the source may go on after a crash: no further than this shard and the quarantine are (P-6). */
static struct source_position position_of(const struct shard *shard, uint64_t done)
{
    const struct pipeline *pipeline = shard->pipeline;
    uint64_t kept = atomic_load_explicit(&pipeline->kept, memory_order_acquire);
    struct source_position ret = {.source = pipeline->options.source};
    if (kept > done)
        kept = done;
    if (kept == 0 && done < POSITIONS) { /* no position: the first file, for people */
        ret.source = (struct slice){0};
        ret.file = pipeline->positions[1].file;
        return ret;
    }
    if (kept == 0 || done - kept >= POSITIONS / 2)
        return ret; /* nothing that can be named */
    const struct position *position = &pipeline->positions[kept % POSITIONS];
    ret.file = position->file;
    ret.offset = position->position;
    return ret;
}

/* P-4. By the committer's thread: the keeper need not wait for the shard to look. */
void shard_frame_durable(struct shard *shard, uint64_t sequence)
{
    uint64_t window =
        atomic_load_explicit(&shard->windows[sequence % FRAMES_KEPT], memory_order_relaxed);
    atomic_store_explicit(&shard->synced, window, memory_order_release);
    park_wake(&shard->pipeline->keeper);
    park_wake_for(&shard->parker, SHARD_DURABLE);
}

static bool all_durable(const struct shard *shard)
{
    return committer_durable(shard->committer) >= shard->submitted;
}

/* Windows of which nothing came into a frame are durable with what was before them. */
static void settle(struct shard *shard)
{
    uint64_t done = atomic_load_explicit(&shard->done, memory_order_relaxed);
    if (ledger_commit_needed(shard->ledger) || !all_durable(shard) || shard_durable(shard) >= done)
        return;
    atomic_store_explicit(&shard->clean, done, memory_order_release);
    park_wake(&shard->pipeline->keeper);
}

/* Hands what is pending to the committer; what comes next goes to another buffer. */
static enum status commit(struct shard *shard, struct error *error)
{
    uint64_t done = atomic_load_explicit(&shard->done, memory_order_relaxed);
    /* With something to commit a block has come, and its window's position before it. */
    struct source_position position = {.source = shard->pipeline->options.source};
    if (ledger_commit_needed(shard->ledger))
        position = position_of(shard, done);
    bool sealed;
    counts_check(&shard->counts);
    ledger_count(shard->ledger, &shard->counts);
    enum status status = ledger_seal(shard->ledger, &position, &sealed, error);
    if (status != STATUS_OK)
        return status;
    forget_counts(shard);
    shard->pending_since = 0;
    if (!sealed)
        return STATUS_OK;
    if (ledger_is_touched(shard->ledger))
        atomic_store_explicit(&shard->touched, true, memory_order_release);
    shard->submitted++;
    atomic_store_explicit(&shard->windows[shard->submitted % FRAMES_KEPT], done,
                          memory_order_relaxed);
    uint64_t sequence =
        committer_submit(shard->committer, JOURNAL_FRAME_COMMIT, shard->ledger->frame);
    assert(sequence == shard->submitted);
    struct frame_buffer *next = NULL;
    status = committer_take_wait(shard->committer, &next, error);
    if (status == STATUS_OK)
        ledger_sealed(shard->ledger, sequence, next);
    return status;
}

/* Everything that was taken in is durable when this returns OK. */
static enum status commit_and_wait(struct shard *shard, struct error *error)
{
    enum status status = commit(shard, error);
    if (status == STATUS_OK)
        status = committer_wait(shard->committer, shard->submitted, error);
    if (status == STATUS_OK)
        settle(shard);
    return status;
}

static enum status checkpoint(struct shard *shard, struct error *error)
{
    enum status status;
    do
        status = ledger_checkpoint(shard->ledger, error);
    while (status == STATUS_NO_SPACE && room_wait(&shard->room, error));
    shard->checkpointed = shard->ledger->event_count;
    return status;
}

/* All shards commit at the same ticks of the clock, so that the keeper is woken once for them. */
static int64_t commit_deadline(const struct shard *shard)
{
    int64_t interval = (int64_t)shard->pipeline->options.commit_interval_us * 1000;
    if (!shard->pending_since)
        return PARK_FOREVER;
    return interval ? (shard->pending_since / interval + 1) * interval : shard->pending_since;
}

/* Between two blocks: commits when it is time. */
static enum status commit_if_due(struct shard *shard, struct error *error)
{
    const struct pipeline_options *options = &shard->pipeline->options;
    if (!ledger_commit_needed(shard->ledger))
        return STATUS_OK;
    int64_t now = park_now();
    if (!shard->pending_since)
        shard->pending_since = now;
    uint64_t done = atomic_load_explicit(&shard->done, memory_order_relaxed);
    uint64_t durable = shard_durable(shard), behind = done > durable ? done - durable : 0;
    bool due = ledger_commit_due(shard->ledger, options->commit_events) ||
               behind >= POSITIONS / 4 || /* the lanes must not wait for the interval */
               now >= commit_deadline(shard);
    if (!due)
        return STATUS_OK;
    bool checkpoint_due =
        ids_due(&shard->ledger->ids) ||
        (options->checkpoint_events &&
         shard->ledger->event_count - shard->checkpointed >= options->checkpoint_events);
    if (!checkpoint_due)
        return commit(shard, error);
    enum status status = commit_and_wait(shard, error);
    return status == STATUS_OK ? checkpoint(shard, error) : status;
}

/* At a block boundary: counts under the newest prices from here on, and everything that was counted
 * before again. Called after each sleep, before the ledger is used. */
static enum status adopt_prices(struct shard *shard, struct error *error)
{
    const struct prices *newest = prices_enter(shard);
    if (!newest)
        return STATUS_OK;
    enum status status = commit_and_wait(shard, error);
    if (status == STATUS_OK)
        status = ledger_adopt(shard->ledger, newest->snapshot, error);
    if (status != STATUS_OK)
        return status;
    if (ledger_is_touched(shard->ledger))
        atomic_store_explicit(&shard->touched, true, memory_order_release);
    atomic_store_explicit(&shard->adopted, newest->generation, memory_order_release);
    park_wake(&shard->pipeline->keeper);
    return STATUS_OK;
}

/* ---- the thread
 * --------------------------------------------------------------------------------------------------
 */

#define NAPS_PER_COMMIT 2

struct wait_work {
    struct shard *shard;
    struct block *block;
    bool settles; /* windows are done that no frame is for */
};

/* P-2 */
static struct lane *find_lane(const struct shard *shard)
{
    struct pipeline *pipeline = shard->pipeline;
    uint64_t next = atomic_load_explicit(&shard->done, memory_order_relaxed) + 1;
    if (atomic_load_explicit(&pipeline->numbered, memory_order_acquire) < next)
        return NULL;
    return &pipeline->lanes[pipeline->positions[next % POSITIONS].lane];
}

static bool has_work(void *context)
{
    struct wait_work *wait = context;
    struct shard *shard = wait->shard;
    const struct pipeline *pipeline = shard->pipeline;
    if (!shard->lane)
        shard->lane = find_lane(shard);
    wait->block = shard->lane ? ring_pop(shard->lane->to_shard[shard->index].there) : NULL;
    return wait->block || pipeline_failed(pipeline) || prices_changed(wait->shard) ||
           (wait->settles && all_durable(wait->shard)) ||
           committer_state(wait->shard->committer) == COMMITTER_FAILED ||
           atomic_load_explicit(&pipeline->pause, memory_order_acquire) & 1;
}

static bool is_resumed(void *context)
{
    const struct shard *shard = context;
    /* Another generation, and be it the next pause. */
    return atomic_load_explicit(&shard->pipeline->pause, memory_order_acquire) !=
               atomic_load_explicit(&shard->paused, memory_order_relaxed) ||
           pipeline_failed(shard->pipeline);
}

/* The keeper looks into all ledgers: nothing moves until it says so, and all of it is durable (P-8). */
static enum status wait_out_pause(struct shard *shard, struct error *error)
{
    uint64_t pause = atomic_load_explicit(&shard->pipeline->pause, memory_order_acquire);
    if (!(pause & 1))
        return STATUS_OK;
    enum status status = commit_and_wait(shard, error);
    if (status != STATUS_OK)
        return status;
    atomic_store_explicit(&shard->paused, pause, memory_order_release);
    park_wake(&shard->pipeline->keeper);
    prices_leave(shard);
    (void)park_until(&shard->parker, is_resumed, shard, PARK_FOREVER);
    return STATUS_OK;
}

/* Until the nap is over, or what cannot wait comes; then until there is a block. Every nap is of a
 * part of the commit interval, and ends with it: so it delays nothing much. */
static void wait_for_work(struct wait_work *wait)
{
    struct shard *shard = wait->shard;
    int64_t now = park_now(), deadline = commit_deadline(shard);
    int64_t nap = (int64_t)shard->pipeline->options.commit_interval_us * 1000 / NAPS_PER_COMMIT;
    uint32_t what = SHARD_URGENT | (wait->settles ? SHARD_DURABLE : 0);
    if (!shard->napped)
        shard->napped = now;
    bool naps = now < shard->napped + nap;
    if (!naps)
        what |= shard->lane ? SHARD_BLOCK(shard->lane->index) : SHARD_ANY_BLOCK;
    else if (shard->napped + nap < deadline)
        deadline = shard->napped + nap;
    prices_leave(shard);
    (void)park_until_for(&shard->parker, what, has_work, wait, deadline);
}

/* The next block, NULL when there is something else to do first. */
static struct block *next_block(struct shard *shard)
{
    struct wait_work wait = {
        .shard = shard,
        .settles = !ledger_commit_needed(shard->ledger) &&
                   shard_durable(shard) < atomic_load_explicit(&shard->done, memory_order_relaxed),
    };
    if (!has_work(&wait))
        wait_for_work(&wait);
    if (wait.block)
        shard->napped = 0;
    return wait.block;
}

static void give_back(const struct shard *shard, struct lane *from, struct block *block)
{
    struct ring *back = from->to_shard[shard->index].back;
    bool sent = ring_push(back, block);
    assert(sent);
    (void)sent;
    /* A lane that waits for a block has none: it gets half of them back before it is woken. */
    if (ring_count(back) == BLOCKS_PER_WAY / 2)
        park_wake_for(&from->parker, LANE_BLOCK);
}

/* The last shard to be done with a window tells its lane, which may use its bytes again. Of two that
 * are done at the same time at least one sees both. */
static void free_window(const struct pipeline *pipeline, struct lane *lane)
{
    park_fence();
    uint64_t awaited = atomic_load_explicit(&lane->awaited_window, memory_order_relaxed);
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        if (atomic_load_explicit(&pipeline->shards[i].done, memory_order_relaxed) < awaited)
            return;
    park_wake_for(&lane->parker, LANE_WINDOW);
}

static void end_window(struct shard *shard, const struct block *block)
{
    struct ingest_counts *counts = &shard->counts_at[block->number % POSITIONS];
    *counts = shard->committed;
    counts_add(counts, &shard->counts);
    atomic_store_explicit(&shard->done, block->number, memory_order_release);
    if (!ledger_commit_needed(shard->ledger)) { /* counts alone need no frame */
        ledger_count(shard->ledger, &shard->counts);
        forget_counts(shard);
    }
    free_window(shard->pipeline, shard->lane);
    shard->lane = NULL;
}

static enum status run(struct shard *shard, struct error *error)
{
    enum status status = STATUS_OK;
    for (bool ended = false; !ended && status == STATUS_OK;) {
        if (pipeline_failed(shard->pipeline))
            return error_set(error, STATUS_AGAIN, "the pipeline has stopped");
        struct block *block = next_block(shard);
        status = adopt_prices(shard, error);
        if (block && status == STATUS_OK) {
            struct lane *from = shard->lane;
            status = apply_block(shard, block, error);
            /* A block that failed was not taken in: nobody may take its window for done with. */
            if (status == STATUS_OK && block->ends) {
                end_window(shard, block);
                ended = block->ends_input;
            }
            give_back(shard, from, block);
        }
        if (status == STATUS_OK)
            status = commit_if_due(shard, error);
        if (status == STATUS_OK)
            status = committer_error(shard->committer, error);
        if (status == STATUS_OK)
            status = wait_out_pause(shard, error);
        room_check(&shard->room);
        if (status == STATUS_OK)
            settle(shard);
    }
    if (status == STATUS_OK)
        status = adopt_prices(shard, error);
    if (status == STATUS_OK)
        status = commit_and_wait(shard, error);
    return status == STATUS_OK ? checkpoint(shard, error) : status;
}

void *shard_main(void *argument)
{
    struct shard *shard = argument;
    struct error error = {0};
    enum status status = run(shard, &error);
    if (status != STATUS_OK)
        pipeline_fail(shard->pipeline, status, &error);
    prices_leave(shard);
    room_check(&shard->room);
    /* From here on the ledger is the keeper's. */
    atomic_store_explicit(&shard->finished, true, memory_order_release);
    park_wake(&shard->pipeline->keeper);
    return NULL;
}
