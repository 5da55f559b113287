#include "ratel/explain.h"

#include <assert.h>
#include <string.h>

/* Tables of buckets serve as indexes, with the place as the quantity. */
struct collecting {
    struct ledgers *ledgers;
    struct explanation *explanation;
    struct arena *arena;
    struct buckets parts;  /* by plan and part: position in line->parts */
    struct buckets series; /* by series (as plan) and position of the part: position in the part's
                              series + 1 */
};

/* Doubles an array that lives in an arena: the old half stays behind until the command ends. */
static void *grown(struct arena *arena, const void *items, uint32_t count, uint32_t *capacity,
                   size_t item_bytes)
{
    *capacity = *capacity ? *capacity * 2 : 8;
    void *bigger = arena_alloc(arena, *capacity * item_bytes);
    if (count)
        memcpy(bigger, items, count * item_bytes);
    return bigger;
}

static enum status index_parts(struct collecting *c)
{
    const struct spend_line *line = c->explanation->line;
    for (uint32_t i = 0; i < line->part_count; i++) {
        uint32_t index;
        enum status status = buckets_at(
            &c->parts,
            (struct bucket_key){.plan = line->parts[i].plan, .part = line->parts[i].part}, &index);
        if (status != STATUS_OK)
            return status;
        c->parts.items[index].quanta = i;
    }
    return STATUS_OK;
}

static enum status series_at(struct collecting *c, struct explained_part *part, uint32_t series,
                             int128 multiplier, struct explained_series **ret)
{
    uint32_t index;
    uint32_t position = (uint32_t)(part - c->explanation->parts);
    enum status status =
        buckets_at(&c->series, (struct bucket_key){.plan = series, .part = position}, &index);
    if (status != STATUS_OK)
        return status;
    if (c->series.items[index].quanta == 0) {
        if (part->series_count == part->series_capacity)
            part->series = grown(c->arena, part->series, part->series_count, &part->series_capacity,
                                 sizeof(*part->series));
        part->series[part->series_count++] =
            (struct explained_series){.series = series, .multiplier = multiplier};
        c->series.items[index].quanta = part->series_count;
    }
    *ret = &part->series[c->series.items[index].quanta - 1];
    return STATUS_OK;
}

static enum status add(struct collecting *c, struct explained_part *part,
                       const struct usage_piece *usage, int128 multiplier)
{
    struct explained_series *series;
    enum status status = series_at(c, part, ledgers_series(c->ledgers, usage->shard, usage->series),
                                   multiplier, &series);
    if (status != STATUS_OK)
        return status;
    if (series->window_count == series->window_capacity)
        series->windows = grown(c->arena, series->windows, series->window_count,
                                &series->window_capacity, sizeof(*series->windows));
    series->windows[series->window_count++] = (struct explained_window){
        .start = {usage->event->start},
        .end = {usage->event->start + usage->event->length},
        .raw = event_quantity(usage->event),
        .piece = usage->piece->quantity,
        .shard = usage->shard,
        .frame = usage->frame->sequence,
        .file = arena_copy(c->arena, usage->frame->position.file),
    };
    int128 counted;
    status = int128_multiply(usage->piece->quantity.quanta, multiplier, &counted);
    if (status == STATUS_OK)
        status = int128_add(series->counted.quanta, counted, &series->counted.quanta);
    series->piece.quanta += usage->piece->quantity.quanta;
    return status;
}

static enum status collect(const struct usage_piece *usage, void *context, struct error *error)
{
    struct collecting *c = context;
    const struct resolution *resolution = &usage->piece->resolution;
    for (uint32_t i = 0; i < resolution->plan_count; i++) {
        struct bucket_key key =
            ledgers_bucket_key(c->ledgers, usage->shard, usage->definition, resolution, i);
        uint32_t index =
            buckets_find(&c->parts, (struct bucket_key){.plan = key.plan, .part = key.part});
        if (index == INDEX_NONE)
            continue; /* another charge's */
        enum status status = add(c, &c->explanation->parts[c->parts.items[index].quanta], usage,
                                 resolution->multipliers[i]);
        if (status != STATUS_OK)
            return error_set(error, status,
                             status == STATUS_NO_MEMORY ? "out of memory" : "a quantity overflows");
    }
    return STATUS_OK;
}

static enum status collect_all(struct collecting *c, struct error *error)
{
    const struct spend *spend = c->explanation->spend;
    buckets_init(&c->parts);
    buckets_init(&c->series);
    enum status status = index_parts(c);
    if (status != STATUS_OK)
        error_set(error, status, "out of memory");
    else
        status = usage_walk(c->ledgers, spend->account, spend->period, collect, c, error);
    buckets_fini(&c->parts);
    buckets_fini(&c->series);
    return status;
}

enum status explain_line(struct ledgers *ledgers, const struct spend *spend,
                         const struct spend_line *line, struct arena *arena,
                         struct explanation *ret, struct error *error)
{
    *ret = (struct explanation){
        spend, line, arena_alloc(arena, (line->part_count + 1) * sizeof(struct explained_part))};
    struct collecting collecting = {.ledgers = ledgers, .explanation = ret, .arena = arena};
    enum status status = collect_all(&collecting, error);
    for (uint32_t i = 0; i < line->part_count && status == STATUS_OK; i++) {
        struct explained_part *part = &ret->parts[i];
        part->part = &line->parts[i];
        status = rate_steps(&part->part->terms, part->part->position, part->part->billed,
                            part->steps, &part->step_count);
        if (status != STATUS_OK)
            return error_set(error, status, "charge %.*s overflows", (int)line->charge->code.length,
                             line->charge->code.data);
        int128 sum = 0;
        for (uint32_t j = 0; j < part->series_count; j++)
            sum += part->series[j].counted.quanta;
        if (sum != part->part->quantity.quanta)
            return error_set(
                error, STATUS_BUG,
                "the windows of charge %.*s do not add up to its bucket: run `ratel verify`",
                (int)line->charge->code.length, line->charge->code.data);
    }
    return status;
}
