/* Spend by resource, day or zone: quantities from the journal, amounts allocated so that the parts
 * add up to the line. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/usage_walk.h"

/* The quantity that one value of the dimension has in one bucket. */
struct weight {
    uint32_t line;
    uint32_t part; /* index into the line's parts */
    struct slice value;
    int128 quanta;
};

struct breakdown {
    struct ledgers *ledgers;
    const struct spend *spend;
    enum dimension dimension;
    struct arena *arena;
    struct buckets places;
    struct weight *weights; /* open addressing by (line, part, value); line UINT32_MAX is free */
    uint32_t capacity;
    uint32_t count;
};

static uint64_t weight_hash(uint32_t line, uint32_t part, struct slice value)
{
    return hash64(value, (uint64_t)line << 32 | part);
}

static struct weight *weight_slot(struct weight *weights, uint32_t capacity, uint32_t line,
                                  uint32_t part, struct slice value)
{
    uint32_t slot = (uint32_t)weight_hash(line, part, value) & (capacity - 1);
    while (weights[slot].line != UINT32_MAX &&
           !(weights[slot].line == line && weights[slot].part == part &&
             slice_equal(weights[slot].value, value)))
        slot = (slot + 1) & (capacity - 1);
    return &weights[slot];
}

static enum status weight_add(struct breakdown *b, uint32_t line, uint32_t part, struct slice value,
                              int128 quanta)
{
    if ((b->count + 1) * 2 > b->capacity) {
        uint32_t capacity = b->capacity ? b->capacity * 2 : 1024;
        struct weight *weights = malloc(capacity * sizeof(*weights));
        if (!weights)
            return STATUS_NO_MEMORY;
        for (uint32_t i = 0; i < capacity; i++)
            weights[i].line = UINT32_MAX;
        for (uint32_t i = 0; i < b->capacity; i++)
            if (b->weights[i].line != UINT32_MAX)
                *weight_slot(weights, capacity, b->weights[i].line, b->weights[i].part,
                             b->weights[i].value) = b->weights[i];
        free(b->weights);
        b->weights = weights;
        b->capacity = capacity;
    }
    struct weight *weight = weight_slot(b->weights, b->capacity, line, part, value);
    if (weight->line == UINT32_MAX) {
        *weight = (struct weight){line, part, arena_copy(b->arena, value), 0};
        b->count++;
    }
    weight->quanta += quanta; /* bounded by the bucket's sum */
    return STATUS_OK;
}

/* Which line and part a bucket key belongs to: a table of buckets serves, with the place as its
 * quantity. */
static enum status index_parts(struct breakdown *b)
{
    for (uint32_t line = 0; line < b->spend->line_count; line++)
        for (uint32_t part = 0; part < b->spend->lines[line].part_count; part++) {
            const struct spend_part *p = &b->spend->lines[line].parts[part];
            uint32_t index;
            enum status status = buckets_at(
                &b->places, (struct bucket_key){.plan = p->plan, .part = p->part}, &index);
            if (status != STATUS_OK)
                return status;
            b->places.items[index].quanta = (int128)line << 32 | part;
        }
    return STATUS_OK;
}

static bool find_part(const struct breakdown *b, struct bucket_key key, uint32_t *ret_line,
                      uint32_t *ret_part)
{
    uint32_t index =
        buckets_find(&b->places, (struct bucket_key){.plan = key.plan, .part = key.part});
    if (index == INDEX_NONE)
        return false; /* every priced piece has one */
    *ret_line = (uint32_t)(b->places.items[index].quanta >> 32);
    *ret_part = (uint32_t)b->places.items[index].quanta;
    return true;
}

static enum status add_days(struct breakdown *b, uint32_t line, uint32_t part,
                            const struct piece *piece, int128 quanta)
{
    const struct zone *zone = b->ledgers->snapshot->accounts[b->spend->account].zone;
    int64_t whole = piece->end.seconds - piece->start.seconds;
    int128 left = quanta;
    struct instant at = piece->start;
    do {
        struct civil civil = zone_civil(zone, at);
        int64_t day = civil_to_days(civil.year, civil.month, civil.day);
        struct civil next = civil_from_seconds((day + 1) * 86400);
        struct instant end = instant_min(piece->end, zone_instant(zone, next));
        int128 share = left;
        if (end.seconds < piece->end.seconds) {
            int128 rest;
            enum status status = wide_divide_floor(wide_multiply(quanta, end.seconds - at.seconds),
                                                   whole, &share, &rest);
            assert(status == STATUS_OK);
            (void)status;
        }
        left -= share;
        char text[32];
        int length =
            snprintf(text, sizeof(text), "%04d-%02d-%02d", civil.year, civil.month, civil.day);
        enum status status = weight_add(b, line, part, slice_of(text, (size_t)length), share);
        if (status != STATUS_OK)
            return status;
        at = end;
    } while (at.seconds < piece->end.seconds);
    return STATUS_OK;
}

static enum status add_piece(const struct usage_piece *usage, void *context, struct error *error)
{
    struct breakdown *b = context;
    const struct resolution *resolution = &usage->piece->resolution;
    const struct definition *definition = usage->definition;
    for (uint32_t i = 0; i < resolution->plan_count; i++) {
        uint32_t line, part;
        struct bucket_key key =
            ledgers_bucket_key(b->ledgers, usage->shard, definition, resolution, i);
        if (!find_part(b, key, &line, &part))
            return error_set(
                error, STATUS_BUG,
                "usage of meter %.*s is in the journal and in no bucket: run `ratel verify`",
                (int)definition->meter_name.length, definition->meter_name.data);
        int128 quanta;
        if (int128_multiply(usage->piece->quantity.quanta, resolution->multipliers[i], &quanta) !=
            STATUS_OK)
            return error_set(error, STATUS_RANGE, "a quantity overflows");
        enum status status;
        if (b->dimension == DIMENSION_DAY) {
            status = add_days(b, line, part, usage->piece, quanta);
        } else {
            struct slice value = b->dimension == DIMENSION_ZONE
                                     ? definition_attribute(definition, "zone")
                                     : definition_resource(definition);
            status = weight_add(b, line, part, value, quanta);
        }
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
    }
    return STATUS_OK;
}

static int compare_weights(const void *left, const void *right)
{
    const struct weight *a = left, *b = right;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->part != b->part)
        return a->part < b->part ? -1 : 1;
    return slice_compare(a->value, b->value);
}

static int compare_cells(const void *left, const void *right)
{
    const struct breakdown_cell *a = left, *b = right;
    return slice_compare(a->value, b->value);
}

/* Shares each part's amount among its values by quantity: cells with one entry per (part, value),
 * `amount` in the priced currency. */
static enum status share_parts(const struct spend_line *line, const struct weight *weights,
                               uint32_t count, struct arena *arena, struct breakdown_cell *cells)
{
    for (uint32_t from = 0; from < count;) {
        uint32_t to = from;
        while (to < count && weights[to].part == weights[from].part)
            to++;
        int128 *shares = arena_alloc(arena, 2 * (to - from) * sizeof(*shares));
        int128 *by = shares + (to - from);
        for (uint32_t i = from; i < to; i++)
            by[i - from] = weights[i].quanta;
        enum status status =
            allocate(line->parts[weights[from].part].priced.pico, 1, by, to - from, shares);
        if (status != STATUS_OK)
            return status;
        for (uint32_t i = from; i < to; i++)
            cells[i] = (struct breakdown_cell){.value = weights[i].value,
                                               .quantity = {weights[i].quanta},
                                               .amount = {shares[i - from]}};
        from = to;
    }
    return STATUS_OK;
}

/* Shares `total` among cells in proportion to their amounts; where those are all zero (a minimum on
 * free usage) or one is negative (a card version that reaches a cheaper volume tier gives back), in
 * proportion to quantity. */
static enum status share_amount(int128 total, int128 step, const struct breakdown_cell *cells,
                                uint32_t count, struct arena *arena, int128 **ret)
{
    int128 *by = arena_alloc(arena, (2 * (size_t)count + 1) * sizeof(*by));
    bool some = false, negative = false;
    for (uint32_t i = 0; i < count; i++) {
        some |= cells[i].amount.pico > 0;
        negative |= cells[i].amount.pico < 0;
    }
    for (uint32_t i = 0; i < count; i++)
        by[i] = some && !negative ? cells[i].amount.pico : cells[i].quantity.quanta;
    *ret = by + count;
    return allocate(total, step, by, count, *ret);
}

/* A limit holds on its group: the cells of the group's parts, which lie together, share what it
 * came to. */
static enum status limit_groups(const struct spend_line *line, const struct weight *weights,
                                uint32_t count, struct arena *arena, struct breakdown_cell *cells)
{
    for (uint32_t group = 0, from = 0; group < line->group_count; group++) {
        uint32_t end = line->groups[group].part_first + line->groups[group].part_count;
        uint32_t to = from;
        while (to < count && weights[to].part < end)
            to++;
        int128 *shares;
        enum status status = STATUS_OK;
        if (line->groups[group].limit != LIMIT_NONE)
            status = share_amount(line->groups[group].after.pico, 1, cells + from, to - from, arena,
                                  &shares);
        for (uint32_t i = from;
             i < to && line->groups[group].limit != LIMIT_NONE && status == STATUS_OK; i++)
            cells[i].amount.pico = shares[i - from];
        if (status != STATUS_OK)
            return status;
        from = to;
    }
    return STATUS_OK;
}

static uint32_t merge_cells(struct breakdown_cell *cells, uint32_t count)
{
    uint32_t kept = 0;
    if (count)
        qsort(cells, count, sizeof(*cells), compare_cells);
    for (uint32_t i = 0; i < count; i++) {
        if (kept && slice_equal(cells[kept - 1].value, cells[i].value)) {
            cells[kept - 1].quantity.quanta += cells[i].quantity.quanta;
            cells[kept - 1].amount.pico += cells[i].amount.pico;
        } else {
            cells[kept++] = cells[i];
        }
    }
    return kept;
}

/* The quantities as they are shown, to 12 decimals of the unit: shares of the line's, so that they
 * add up to it on the page. */
static enum status share_units(const struct snapshot *snapshot, const struct spend *spend,
                               const struct spend_line *line, struct breakdown_cell *cells,
                               uint32_t count, struct arena *arena)
{
    char text[DECIMAL_TEXT_BYTES];
    int128 total;
    int128 *by = arena_alloc(arena, (2 * (size_t)count + 1) * sizeof(*by));
    size_t length =
        charge_quantity_format(snapshot, line->plan, spend->period, line->quantity, text);
    enum status status = decimal_parse(slice_of(text, length), MONEY_SCALE, false, &total, NULL);
    for (uint32_t i = 0; i < count; i++)
        by[i] = cells[i].quantity.quanta;
    if (status == STATUS_OK)
        status = allocate(total, 1, by, count, by + count);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        cells[i].units_pico = by[count + i];
    return status;
}

static enum status finish_line(const struct snapshot *snapshot, const struct spend *spend,
                               const struct spend_line *line, const struct weight *weights,
                               uint32_t count, struct arena *arena, struct breakdown_line *ret)
{
    struct breakdown_cell *cells = arena_alloc(arena, (count + 1) * sizeof(*cells));
    enum status status = share_parts(line, weights, count, arena, cells);
    if (status == STATUS_OK)
        status = limit_groups(line, weights, count, arena, cells);
    if (status != STATUS_OK)
        return status;
    uint32_t kept = merge_cells(cells, count);
    int128 minor = decimal_power(MONEY_SCALE - currency_digits(spend->currency));
    int128 *amounts, *rounded;
    status = share_amount(line->amount.pico, 1, cells, kept, arena, &amounts);
    if (status == STATUS_OK)
        status = share_amount(line->rounded.pico, minor, cells, kept, arena, &rounded);
    for (uint32_t i = 0; i < kept && status == STATUS_OK; i++) {
        cells[i].amount.pico = amounts[i];
        cells[i].rounded.pico = rounded[i];
    }
    if (status == STATUS_OK)
        status = share_units(snapshot, spend, line, cells, kept, arena);
    *ret = (struct breakdown_line){line, cells, kept};
    return status;
}

static enum status finish(struct breakdown *b, struct breakdown_line **ret)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->capacity; i++)
        if (b->weights[i].line != UINT32_MAX)
            b->weights[kept++] = b->weights[i];
    if (kept)
        qsort(b->weights, kept, sizeof(*b->weights), compare_weights);
    struct breakdown_line *lines =
        arena_alloc(b->arena, (b->spend->line_count + 1) * sizeof(*lines));
    for (uint32_t line = 0, from = 0; line < b->spend->line_count; line++) {
        uint32_t to = from;
        while (to < kept && b->weights[to].line == line)
            to++;
        enum status status = finish_line(b->ledgers->snapshot, b->spend, &b->spend->lines[line],
                                         b->weights + from, to - from, b->arena, &lines[line]);
        if (status != STATUS_OK)
            return status;
        from = to;
    }
    *ret = lines;
    return STATUS_OK;
}

enum status breakdown_compute(struct ledgers *ledgers, const struct spend *spend,
                              enum dimension dimension, struct arena *arena,
                              struct breakdown_line **ret, struct error *error)
{
    struct breakdown b = {
        .ledgers = ledgers, .spend = spend, .dimension = dimension, .arena = arena};
    buckets_init(&b.places);
    enum status status = index_parts(&b);
    if (status != STATUS_OK)
        error_set(error, status, "out of memory");
    else
        status = usage_walk(ledgers, spend->account, spend->period, add_piece, &b, error);
    if (status == STATUS_OK) {
        status = finish(&b, ret);
        if (status != STATUS_OK)
            error_set(error, status, "the breakdown overflows");
    }
    buckets_fini(&b.places);
    free(b.weights);
    return status;
}
