/* Prices that change while events are counted.
 *
 * The keeper publishes a snapshot through the epoch; a shard that comes to a block boundary, or is
 * woken for it, enters the epoch anew, sees another generation, and counts its journal again. The
 * snapshot before is released when no shard is inside with it. The next one is asked for only when
 * all shards follow the one before (P-9), so that there are two at most, and budgets are looked at
 * in between: sums over shards that count under different prices mean nothing. */
#include <stdlib.h>

#include "pipeline/pipeline_private.h"

/* The ledgers' snapshot is the newest, and stays the caller's. */
static void release(void *object, void *context)
{
    struct prices *prices = object;
    const struct pipeline *pipeline = context;
    const struct pipeline_options *options = &pipeline->options;
    if (prices->snapshot != options->ledgers->snapshot)
        options->prices.release(options->prices.context, prices->snapshot);
    free(prices);
}

static struct prices *prices_new(const struct snapshot *snapshot, uint64_t generation)
{
    struct prices *prices = malloc(sizeof(*prices));
    if (prices)
        *prices = (struct prices){(struct snapshot *)snapshot, generation};
    return prices;
}

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

enum status prices_start(struct pipeline *pipeline, struct error *error)
{
    const struct pipeline_options *options = &pipeline->options;
    if (!options->prices.news)
        return STATUS_OK;
    assert(options->prices.release && pipeline->shard_count <= EPOCH_READERS_MAX);
    struct prices *first = prices_new(options->ledgers->snapshot, 1);
    if (!first)
        return out_of_memory(error);
    if (epoch_new(pipeline->shard_count, first, release, pipeline, &pipeline->prices) !=
        STATUS_OK) {
        free(first);
        return out_of_memory(error);
    }
    atomic_store_explicit(&pipeline->published, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < pipeline->shard_count; i++) {
        pipeline->shards[i].prices = epoch_reader_at(pipeline->prices, i);
        atomic_store_explicit(&pipeline->shards[i].adopted, 1, memory_order_relaxed);
    }
    return STATUS_OK;
}

const struct prices *prices_enter(struct shard *shard)
{
    if (!shard->prices)
        return NULL;
    const struct prices *newest = epoch_refresh(shard->prices);
    uint64_t adopted = atomic_load_explicit(&shard->adopted, memory_order_relaxed);
    assert(newest->generation >= adopted);
    return newest->generation == adopted ? NULL : newest;
}

bool prices_settled(const struct pipeline *pipeline)
{
    uint64_t published = atomic_load_explicit(&pipeline->published, memory_order_relaxed);
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        if (atomic_load_explicit(&pipeline->shards[i].adopted, memory_order_acquire) != published)
            return false;
    return true;
}

/* A shard that has ended sees nothing any more. */
static bool any_finished(const struct pipeline *pipeline)
{
    bool finished = false;
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        finished |= atomic_load_explicit(&pipeline->shards[i].finished, memory_order_acquire);
    return finished;
}

static enum status publish(struct pipeline *pipeline, struct snapshot *snapshot,
                           struct error *error)
{
    const struct pipeline_options *options = &pipeline->options;
    const struct snapshot *before = options->ledgers->snapshot;
    uint64_t generation = atomic_load_explicit(&pipeline->published, memory_order_relaxed) + 1;
    struct prices *fresh = prices_new(snapshot, generation);
    /* First, because publishing may release the one before. */
    options->ledgers->snapshot = snapshot;
    if (!fresh || epoch_publish(pipeline->prices, fresh) != STATUS_OK) {
        options->ledgers->snapshot = before;
        options->prices.release(options->prices.context, snapshot);
        free(fresh);
        return out_of_memory(error);
    }
    atomic_store_explicit(&pipeline->published, generation, memory_order_release);
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        park_wake(&pipeline->shards[i].parker);
    return STATUS_OK;
}

enum status prices_tend(struct pipeline *pipeline, struct error *error)
{
    const struct pipeline_prices *options = &pipeline->options.prices;
    if (!pipeline->prices)
        return STATUS_OK;
    (void)epoch_reclaim(pipeline->prices);
    int64_t now = park_now();
    uint32_t every_ms = options->every_ms ? options->every_ms : PIPELINE_NEWS_MS;
    if (now - pipeline->asked < (int64_t)every_ms * 1000000 || !prices_settled(pipeline) ||
        any_finished(pipeline))
        return STATUS_OK;
    pipeline->asked = now;
    struct snapshot *snapshot = NULL;
    enum status status = options->news(options->context, &snapshot, error);
    return status == STATUS_OK && snapshot ? publish(pipeline, snapshot, error) : status;
}

enum status prices_end(struct pipeline *pipeline, bool sound, struct error *error)
{
    struct ledgers *ledgers = pipeline->options.ledgers;
    enum status status = STATUS_OK;
    if (!pipeline->prices)
        return STATUS_OK;
    if (sound && !prices_settled(pipeline)) {
        do
            status = ledgers_adopt(ledgers, ledgers->snapshot, error);
        while (status == STATUS_NO_SPACE && room_wait(&pipeline->room, error));
        while (status == STATUS_OK &&
               (status = ledgers_checkpoint(ledgers, error)) == STATUS_NO_SPACE &&
               room_wait(&pipeline->room, error))
            status = STATUS_OK;
        room_check(&pipeline->room);
    }
    epoch_free(pipeline->prices);
    pipeline->prices = NULL;
    return status;
}
