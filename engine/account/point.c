#include "account/point.h"

#include <assert.h>

#include "rate/resolver.h"

uint32_t point_bucket_count(const struct resolution *resolution)
{
    return resolution->account == INDEX_NONE ? 0
           : resolution->plan_count          ? resolution->plan_count
                                             : 1;
}

static int128 multiplier_of(const struct resolution *resolution, uint32_t position)
{
    return resolution->plan_count ? resolution->multipliers[position] : 1;
}

/* Which slot has room for a multiplier: one is wide. */
static bool slots_hold(const struct resolution *resolution, uint32_t count, uint32_t order[])
{
    uint32_t wide = 0;
    for (uint32_t i = 0; i < count; i++) {
        int128 multiplier = multiplier_of(resolution, i);
        if (multiplier > INT64_MAX)
            return false;
        if (multiplier > UINT32_MAX)
            wide = i;
    }
    order[0] = wide;
    for (uint32_t i = 0, slot = 1; i < count; i++) {
        if (i == wide)
            continue;
        if (multiplier_of(resolution, i) > UINT32_MAX)
            return false;
        order[slot++] = i;
    }
    return true;
}

bool point_make(uint32_t series, const struct resolution *resolution, const struct bucket_key *keys,
                struct pointing *ret)
{
    uint32_t order[SERIES_SLOTS] = {0}, count = point_bucket_count(resolution);
    if (count > SERIES_SLOTS || !slots_hold(resolution, count, order))
        return false;
    ret->from = resolution->from.seconds;
    ret->to = resolution->to.seconds;
    ret->series = series;
    ret->count = count;
    for (uint32_t i = 0; i < count; i++) {
        int128 multiplier = multiplier_of(resolution, order[i]);
        ret->keys[i] = keys[order[i]];
        if (i == 0)
            ret->wide = (int64_t)multiplier;
        else
            ret->narrow[i - 1] = (uint32_t)multiplier;
    }
    return true;
}

void point_prefetch(const struct ledger *ledger, uint32_t series)
{
    heap_prefetch(ledger->heap, series_definition_offset(&ledger->series, series));
}

/* Whether every plan's charge counts over the account, so that bucket keys need no resource. */
static bool counts_over_account(const struct snapshot *snapshot,
                                const struct resolution *resolution)
{
    for (uint32_t i = 0; i < resolution->plan_count; i++)
        if (snapshot->charges[snapshot->plans[resolution->plans[i]].charge].scope == SCOPE_RESOURCE)
            return false;
    return true;
}

bool point_fits(const struct ledger *ledger, const struct event *event)
{
    /* No product with a multiplier that a slot holds comes near BUCKET_QUANTA_MAX / 2. */
    return !event->quanta_high && event->quanta_low < (uint64_t)1 << 60 &&
           !series_level(&ledger->series.lines[event->series]);
}

static __attribute__((noinline)) enum status key_unpriced(struct ledger *ledger,
                                                          const struct series_view *view,
                                                          const struct resolution *resolution,
                                                          struct bucket_key *ret)
{
    /* Neither a source nor a resource is needed for this key. */
    struct definition named = {.meter = view->meter, .meter_name = view->meter_name};
    return ledger_bucket_key(ledger, &named, resolution, 0, ret);
}

enum status point_find(struct ledger *ledger, const struct event *event, struct pointing *ret,
                       bool *ret_found, struct error *error)
{
    struct slice packed;
    *ret_found = false;
    enum status status = series_packed(&ledger->series, event->series, &packed, error);
    return status == STATUS_OK ? point_find_in(ledger, packed, event, ret, ret_found, error)
                               : status;
}

enum status point_find_in(struct ledger *ledger, struct slice definition, const struct event *event,
                          struct pointing *ret, bool *ret_found, struct error *error)
{
    struct definition_key key;
    struct resolution resolution;
    *ret_found = false;
    enum status status = definition_peek(definition, &key);
    if (status != STATUS_OK)
        return error_set(error, status, "the definition of series %u is damaged", event->series);
    status =
        resolver_resolve(ledger->resolver, &key.view, (struct instant){event->start}, &resolution);
    bool whole = status == STATUS_OK && event->start + event->length <= resolution.to.seconds &&
                 counts_over_account(ledger->snapshot, &resolution);
    if (!whole || point_bucket_count(&resolution) > SERIES_SLOTS)
        return STATUS_OK;
    struct bucket_key keys[SERIES_SLOTS];
    for (uint32_t i = 0; i < resolution.plan_count; i++)
        keys[i] = (struct bucket_key){resolution.account, resolution.period.index,
                                      resolution.plans[i], 0};
    if (resolution.plan_count == 0 && resolution.account != INDEX_NONE &&
        key_unpriced(ledger, &key.view, &resolution, &keys[0]) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    *ret_found = point_make(event->series, &resolution, keys, ret);
    return STATUS_OK;
}

void point_prefetch_slots(const struct ledger *ledger, const struct pointing *pointing)
{
    for (uint32_t slot = 0; slot < pointing->count; slot++)
        buckets_prefetch_slot(&ledger->buckets, pointing->keys[slot]);
}

void point_prefetch_buckets(const struct ledger *ledger, const struct pointing *pointing)
{
    for (uint32_t slot = 0; slot < pointing->count; slot++)
        buckets_prefetch(&ledger->buckets, pointing->keys[slot]);
}

bool point_follow(const struct ledger *ledger, const struct event *event, struct pointing *ret)
{
    const struct series *line = &ledger->series.lines[event->series];
    uint32_t plans[SERIES_SLOTS], count = 0, account = INDEX_NONE;
    struct resolution resolution;
    if (!line->interval)
        return false;
    for (; count < SERIES_SLOTS && line->bucket[count] != INDEX_NONE; count++) {
        const struct bucket_key *key = &ledger->buckets.items[line->bucket[count]].key;
        if (key->plan == INDEX_NONE || key->part)
            return false;
        plans[count] = key->plan;
        account = key->account;
    }
    if (count == 0 ||
        !resolver_follow(ledger->resolver, account, plans, count, (struct instant){event->start},
                         &resolution) ||
        event->start + event->length > resolution.to.seconds)
        return false;
    *ret = (struct pointing){.from = resolution.from.seconds,
                             .to = resolution.to.seconds,
                             .series = event->series,
                             .count = count,
                             .wide = line->wide,
                             .narrow = {line->narrow[0], line->narrow[1]}};
    for (uint32_t i = 0; i < count; i++)
        ret->keys[i] =
            (struct bucket_key){account, resolution.period.index, resolution.plans[i], 0};
    return true;
}

enum status point_set(struct ledger *ledger, const struct pointing *pointing, struct error *error)
{
    struct series *line = &ledger->series.lines[pointing->series];
    assert(pointing->count <= SERIES_SLOTS);
    line->interval = 0;
    ledger->series.dirty[pointing->series / SERIES_CHUNK] = 1;
    for (uint32_t i = 0; i < SERIES_SLOTS; i++) {
        line->bucket[i] = INDEX_NONE;
        if (i >= pointing->count)
            continue;
        if (i == 0)
            line->wide = pointing->wide;
        else
            line->narrow[i - 1] = pointing->narrow[i - 1];
        if (buckets_at(&ledger->buckets, pointing->keys[i], &line->bucket[i]) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    uint32_t interval = series_interval_number(&ledger->series, pointing->from, pointing->to);
    line->interval = interval == INDEX_NONE ? 0 : interval;
    return STATUS_OK;
}
