#include "account/ledgers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "account/budget.h"
#include "account/crew.h"

/* Says whose trouble it is, where a path does not say so already. */
static enum status shard_error(const struct ledgers *ledgers, uint32_t shard, enum status status,
                               struct error *error)
{
    if (status == STATUS_OK || !error || ledgers->count == 1 || !error->text[0] ||
        strstr(error->text, "shard-") || strstr(error->file, "shard-"))
        return status;
    struct error old = *error;
    (void)error_set(error, status, "shard-%02u: %s", shard, old.text);
    (void)error_at(error, old.file, old.line, old.column);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What is told is the first shard's trouble. */
static enum status for_each_shard(struct ledgers *ledgers, crew_work *work, struct error *error)
{
    uint32_t shard = 0;
    enum status status = crew_run(ledgers->count, work, ledgers, &shard, error);
    return shard_error(ledgers, shard, status, error);
}

static enum status open_shard(void *context, uint32_t shard, struct error *error)
{
    struct ledgers *ledgers = context;
    const struct ledgers_options *options = &ledgers->options;
    struct ledger_options own = {
        .datadir = options->datadir,
        .shard = shard,
        .mode = options->mode,
        .snapshot = options->snapshot,
        .watched = options->alerts != NULL,
    };
    return ledger_open(&own, &ledgers->shards[shard], error);
}

static enum status checkpoint_shard(void *context, uint32_t shard, struct error *error)
{
    struct ledgers *ledgers = context;
    return ledger_checkpoint(ledgers->shards[shard], error);
}

static enum status reprice_shard(void *context, uint32_t shard, struct error *error)
{
    struct ledgers *ledgers = context;
    return ledger_reprice(ledgers->shards[shard], ledgers->snapshot, error);
}

enum status ledgers_open(const struct ledgers_options *options, struct ledgers **ret,
                         struct error *error)
{
    assert(options->mode == LEDGER_WRITE || !options->alerts);
    struct ledgers *ledgers = calloc(1, sizeof(*ledgers));
    struct ledger **shards = calloc(options->datadir->shard_count, sizeof(struct ledger *));
    if (!ledgers || !shards) {
        free(ledgers);
        free(shards);
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    ledgers->options = *options;
    ledgers->snapshot = options->snapshot;
    ledgers->shards = shards;
    buckets_init(&ledgers->merged);
    buckets_init(&ledgers->touched);
    ledgers->count = options->datadir->shard_count;
    enum status status = for_each_shard(ledgers, open_shard, error);
    if (status == STATUS_OK)
        status = ledgers_watch(ledgers, error);
    if (status != STATUS_OK) {
        ledgers_close(ledgers);
        return status;
    }
    *ret = ledgers;
    return STATUS_OK;
}

void ledgers_close(struct ledgers *ledgers)
{
    if (!ledgers)
        return;
    for (uint32_t i = 0; i < ledgers->count; i++)
        ledger_close(ledgers->shards[i]);
    buckets_fini(&ledgers->merged);
    buckets_fini(&ledgers->touched);
    free(ledgers->shards);
    free(ledgers);
}

enum status ledgers_apply(struct ledgers *ledgers, struct usage *usage, enum outcome *ret,
                          struct error *error)
{
    struct ledger *ledger = ledgers->shards[ledgers_shard_of(ledgers, usage->payer_hash)];
    uint32_t before = ledger_pending(ledger);
    enum status status = ledger_apply(ledger, usage, ret, error);
    ledgers->pending += ledger_pending(ledger) - before;
    ledgers->definitions_due |= ledger_commit_due(ledger, UINT32_MAX);
    return status;
}

enum status ledgers_commit(struct ledgers *ledgers, const struct source_position *position,
                           const struct ingest_counts *counts, struct error *error)
{
    for (uint32_t i = 0; i < ledgers->count; i++) {
        struct ledger *ledger = ledgers->shards[i];
        if (!ledger_commit_needed(ledger))
            continue;
        if (counts)
            ledger_count(ledger, counts);
        counts = NULL; /* in one frame only, so that they add up */
        enum status status = ledger_commit(ledger, position, error);
        if (status != STATUS_OK)
            return shard_error(ledgers, i, status, error);
    }
    ledgers->pending = 0;
    ledgers->definitions_due = false;
    return ledgers_watch(ledgers, error);
}

/* What is due of one account's period goes to `batch`. */
static enum status watch_account(struct ledgers *ledgers, struct bucket_key at,
                                 struct alert_batch *batch, struct error *error)
{
    const struct buckets *buckets;
    struct period period = {at.period};
    enum status status = ledgers_buckets(ledgers, at.account, period, &buckets, error);
    return status == STATUS_OK ? budget_alerts(buckets, ledgers->snapshot, at.account, period,
                                               ledgers->options.alerts, batch, error)
                               : status;
}

static enum status deliver(struct ledgers *ledgers, struct alert_batch *batch, struct error *error)
{
    struct alert_sink *sink = ledgers->options.alerts;
    enum status status =
        batch->count ? sink->deliver(sink, batch->alerts, batch->count, error) : STATUS_OK;
    alert_batch_fini(batch);
    alert_batch_init(batch);
    return status;
}

enum status ledgers_watch(struct ledgers *ledgers, struct error *error)
{
    struct buckets *touched = &ledgers->touched;
    struct alert_batch batch;
    enum status status = STATUS_OK;
    if (!ledgers->options.alerts)
        return STATUS_OK;
    buckets_clear(touched);
    alert_batch_init(&batch);
    for (uint32_t i = 0; i < ledgers->count && status == STATUS_OK; i++)
        status = ledger_touched(ledgers->shards[i], touched);
    if (status != STATUS_OK)
        (void)error_set(error, status, "out of memory");
    for (uint32_t i = 0; i < touched->count && status == STATUS_OK; i++) {
        status = watch_account(ledgers, touched->items[i].key, &batch, error);
        if (status == STATUS_OK && batch.bytes >= ALERT_BATCH_BYTES)
            status = deliver(ledgers, &batch, error);
    }
    if (status == STATUS_OK)
        status = deliver(ledgers, &batch, error);
    alert_batch_fini(&batch);
    for (uint32_t i = 0; i < ledgers->count && status == STATUS_OK; i++)
        ledger_forget_touched(ledgers->shards[i]);
    return status;
}

enum status ledgers_checkpoint(struct ledgers *ledgers, struct error *error)
{
    return for_each_shard(ledgers, checkpoint_shard, error);
}

enum status ledgers_reprice(struct ledgers *ledgers, const struct snapshot *snapshot,
                            struct error *error)
{
    assert(ledgers->pending == 0);
    ledgers->snapshot = ledgers->options.snapshot = snapshot;
    enum status status = for_each_shard(ledgers, reprice_shard, error);
    return status == STATUS_OK ? ledgers_watch(ledgers, error) : status;
}

enum status ledgers_adopt(struct ledgers *ledgers, const struct snapshot *snapshot,
                          struct error *error)
{
    enum status status = STATUS_OK;
    ledgers->snapshot = ledgers->options.snapshot = snapshot;
    for (uint32_t i = 0; i < ledgers->count && status == STATUS_OK; i++)
        status = shard_error(ledgers, i, ledger_adopt(ledgers->shards[i], snapshot, error), error);
    return status == STATUS_OK ? ledgers_watch(ledgers, error) : status;
}

uint64_t ledgers_event_count(const struct ledgers *ledgers)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ledgers->count; i++)
        sum += ledgers->shards[i]->event_count;
    return sum;
}

uint64_t ledgers_cut_bytes(const struct ledgers *ledgers)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ledgers->count; i++)
        sum += ledgers->shards[i]->cut_bytes;
    return sum;
}

int64_t ledgers_reprice_ns(const struct ledgers *ledgers)
{
    int64_t longest = 0;
    for (uint32_t i = 0; i < ledgers->count; i++)
        if (ledgers->shards[i]->reprice_ns > longest)
            longest = ledgers->shards[i]->reprice_ns;
    return longest;
}

bool ledgers_position(const struct ledgers *ledgers, struct slice source, struct slice file,
                      uint64_t *ret_offset)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < ledgers->count; i++) {
        uint64_t offset;
        if (!positions_find(&ledgers->shards[i]->positions, source, file, &offset))
            return false;
        least = offset < least ? offset : least;
    }
    *ret_offset = least;
    return true;
}

/* ---- common numbers -------------------------------------------------------------------------- */

static uint32_t common(const struct ledgers *ledgers, uint32_t shard, uint32_t own)
{
    uint64_t number = (uint64_t)own * ledgers->count + shard;
    assert(number <
           INDEX_NONE - METER_FIRST_OTHER); /* 42 million of a kind in each of 100 shards */
    return (uint32_t)number;
}

uint32_t ledgers_series(const struct ledgers *ledgers, uint32_t shard, uint32_t series)
{
    struct hash128 hash = ledger_series_hash(ledgers->shards[shard], series);
    for (uint32_t i = 0; i < shard; i++) {
        uint32_t own = ledger_series_find(ledgers->shards[i], hash);
        if (own != INDEX_NONE)
            return common(ledgers, i, own);
    }
    return common(ledgers, shard, series);
}

void ledgers_series_definition(const struct ledgers *ledgers, uint32_t series,
                               struct definition *ret)
{
    enum status status = ledger_series_definition(ledgers->shards[series % ledgers->count],
                                                  series / ledgers->count, ret, NULL);
    assert(status == STATUS_OK); /* the walk read it */
    (void)status;
}

uint32_t ledgers_meter(const struct ledgers *ledgers, uint32_t shard, uint32_t meter)
{
    if (meter < METER_FIRST_OTHER)
        return meter;
    struct slice name = ledger_meter_name(ledgers->shards[shard], meter);
    for (uint32_t i = 0; i < shard; i++) {
        uint32_t own = ledger_meter_find(ledgers->shards[i], name);
        if (own != INDEX_NONE)
            return METER_FIRST_OTHER + common(ledgers, i, own - METER_FIRST_OTHER);
    }
    return METER_FIRST_OTHER + common(ledgers, shard, meter - METER_FIRST_OTHER);
}

struct slice ledgers_meter_name(const struct ledgers *ledgers, uint32_t meter)
{
    if (meter < METER_FIRST_OTHER)
        return ledger_meter_name(ledgers->shards[0], meter);
    uint32_t own = meter - METER_FIRST_OTHER;
    return ledger_meter_name(ledgers->shards[own % ledgers->count],
                             METER_FIRST_OTHER + own / ledgers->count);
}

static int compare_unpriced(const void *left, const void *right, void *context)
{
    const struct spend_unpriced *a = left, *b = right;
    const struct ledgers *const *ledgers = context;
    if (a->meter >= METER_FIRST_OTHER && b->meter >= METER_FIRST_OTHER)
        return slice_compare(ledgers_meter_name(*ledgers, a->meter),
                             ledgers_meter_name(*ledgers, b->meter));
    return (a->meter > b->meter) - (a->meter < b->meter);
}

void ledgers_sort_unpriced(const struct ledgers *ledgers, struct spend *spend)
{
    if (spend->unpriced_count)
        qsort_r(spend->unpriced, spend->unpriced_count, sizeof(*spend->unpriced), compare_unpriced,
                &ledgers);
}

static uint32_t common_resource(const struct ledgers *ledgers, uint32_t shard, uint32_t resource)
{
    struct hash128 key = ledger_resource_key(ledgers->shards[shard], resource);
    for (uint32_t i = 0; i < shard; i++) {
        uint32_t own = ledger_resource_find(ledgers->shards[i], key);
        if (own)
            return 1 + common(ledgers, i, own - 1);
    }
    return 1 + common(ledgers, shard, resource - 1);
}

static struct bucket_key common_key(const struct ledgers *ledgers, uint32_t shard,
                                    struct bucket_key key)
{
    if (ledgers->count == 1)
        return key;
    if (key.plan == INDEX_NONE)
        key.part = ledgers_meter(ledgers, shard, key.part);
    else if (key.part)
        key.part = common_resource(ledgers, shard, key.part);
    return key;
}

struct bucket_key ledgers_bucket_key(const struct ledgers *ledgers, uint32_t shard,
                                     const struct definition *definition,
                                     const struct resolution *resolution, uint32_t position)
{
    struct bucket_key key;
    if (ledger_bucket_key(ledgers->shards[shard], definition, resolution, position, &key) !=
        STATUS_OK)
        return (struct bucket_key){INDEX_NONE, 0, INDEX_NONE, 0};
    return common_key(ledgers, shard, key);
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* The sum of a bucket over shards passes what one may hold: nothing that is not broken does, and
 * spend says so. */
static enum status mark_uncountable(struct ledgers *ledgers, struct bucket_key key)
{
    if (key.plan != INDEX_NONE) {
        const struct plan *plan = &ledgers->snapshot->plans[key.plan];
        const struct meter *meter = ledgers->snapshot->charges[plan->charge].meter;
        key.part = meter ? meter->usage_type : METER_FIRST_OTHER;
        key.plan = INDEX_NONE;
    }
    uint32_t index;
    enum status status = buckets_at(&ledgers->merged, key, &index);
    if (status == STATUS_OK)
        ledgers->merged.items[index].quanta = BUCKET_QUANTA_MAX;
    return status;
}

static enum status merge_bucket(struct ledgers *ledgers, uint32_t shard,
                                const struct bucket *bucket)
{
    struct bucket_key key = common_key(ledgers, shard, bucket->key);
    uint32_t index;
    enum status status = buckets_at(&ledgers->merged, key, &index);
    if (status != STATUS_OK)
        return status;
    /* Both are at most a quarter of what the type holds. */
    int128 sum = ledgers->merged.items[index].quanta + bucket->quanta;
    if (sum >= BUCKET_QUANTA_MAX)
        return mark_uncountable(ledgers, key);
    ledgers->merged.items[index].quanta = sum;
    return STATUS_OK;
}

enum status ledgers_buckets(struct ledgers *ledgers, uint32_t account, struct period period,
                            const struct buckets **ret, struct error *error)
{
    *ret = &ledgers->merged;
    if (ledgers->count == 1) {
        *ret = &ledgers->shards[0]->buckets;
        return STATUS_OK;
    }
    buckets_clear(&ledgers->merged);
    for (uint32_t i = 0; i < ledgers->count; i++) {
        const struct buckets *own = &ledgers->shards[i]->buckets;
        for (uint32_t at = buckets_first(own, account, period); at != INDEX_NONE;
             at = own->next[at]) {
            enum status status = merge_bucket(ledgers, i, &own->items[at]);
            if (status != STATUS_OK)
                return error_set(error, status, "out of memory");
        }
    }
    return STATUS_OK;
}

bool ledgers_used(const struct ledgers *ledgers, uint32_t account, struct period period)
{
    for (uint32_t i = 0; i < ledgers->count; i++)
        if (buckets_first(&ledgers->shards[i]->buckets, account, period) != INDEX_NONE)
            return true;
    return false;
}

/* ---- walking --------------------------------------------------------------------------------- */

struct walk {
    uint32_t shard;
    ledgers_event_visit *visit;
    void *context;
};

static enum status walk_event(const struct event *event, const struct journal_frame *frame,
                              void *context, struct error *error)
{
    const struct walk *walk = context;
    return walk->visit(walk->shard, event, frame, walk->context, error);
}

enum status ledgers_walk(struct ledgers *ledgers, ledgers_event_visit *visit, void *context,
                         struct error *error)
{
    struct walk walk = {0, visit, context};
    enum status status = STATUS_OK;
    for (; walk.shard < ledgers->count && status == STATUS_OK; walk.shard++)
        status =
            shard_error(ledgers, walk.shard,
                        ledger_walk(ledgers->shards[walk.shard], walk_event, &walk, error), error);
    return status;
}

/* ---- conflicts ------------------------------------------------------------------------------- */

const struct conflict_entry *ledgers_conflict(const struct ledgers *ledgers, uint32_t number,
                                              uint32_t *ret_shard)
{
    if (number == 0)
        return NULL;
    uint32_t shard = (number - 1) % ledgers->count, own = (number - 1) / ledgers->count;
    const struct ledger *ledger = ledgers->shards[shard];
    *ret_shard = shard;
    return own < ledger->conflict_count ? &ledger->conflicts[own] : NULL;
}

uint32_t ledgers_conflict_last(const struct ledgers *ledgers)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < ledgers->count; i++) {
        uint32_t count = ledgers->shards[i]->conflict_count;
        uint32_t number = count ? 1 + common(ledgers, i, count - 1) : 0;
        last = number > last ? number : last;
    }
    return last;
}

enum status ledgers_discard_conflict(struct ledgers *ledgers, uint32_t number, struct error *error)
{
    uint32_t shard;
    const struct conflict_entry *entry = ledgers_conflict(ledgers, number, &shard);
    assert(ledgers->pending == 0);
    if (!entry || entry->discarded)
        return error_set(error, STATUS_NOT_FOUND, "no open conflict %u: see `ratel suspense list`",
                         number);
    return shard_error(
        ledgers, shard,
        ledger_discard_conflict(ledgers->shards[shard], (number - 1) / ledgers->count + 1, error),
        error);
}
