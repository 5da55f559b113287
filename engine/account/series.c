#include "account/series.h"

#include <stdlib.h>

#include "account/windows.h"

#define SERIES_LEAST (1u << 20) /* where the system refuses more addresses */
#define REHASH_AHEAD 16

enum status series_init(struct series_table *table, uint64_t seed, struct heap *heap)
{
    *table = (struct series_table){.heap = heap, .interval_count = 1};
    identity_keys_init(&table->keys, seed);
    arena_init(&table->arena);
    bool memory = vast_init(&table->lines_memory, sizeof(struct series), SERIES_MAX, SERIES_LEAST,
                            true) == STATUS_OK &&
                  vast_init(&table->definitions_memory, sizeof(uint32_t), SERIES_MAX, SERIES_LEAST,
                            false) == STATUS_OK &&
                  vast_init(&table->tags_memory, sizeof(uint32_t), SERIES_MAX, SERIES_LEAST,
                            false) == STATUS_OK &&
                  vast_init(&table->dirty_memory, 1, SERIES_MAX / SERIES_CHUNK,
                            SERIES_LEAST / SERIES_CHUNK, false) == STATUS_OK &&
                  vast_init(&table->tails_memory, sizeof(struct series_tail), SERIES_MAX,
                            SERIES_LEAST, true) == STATUS_OK &&
                  lookup_init(&table->index, SERIES_MAX, SERIES_LEAST, true) == STATUS_OK &&
                  lookup_grow(&table->index, 1) == STATUS_OK;
    table->intervals = calloc(16, sizeof(*table->intervals));
    table->interval_capacity = 16;
    if (!memory || !table->intervals)
        return STATUS_NO_MEMORY;
    /* They never move. */
    table->lines = (struct series *)(void *)table->lines_memory.base;
    table->definitions = (uint32_t *)(void *)table->definitions_memory.base;
    table->tags = (uint32_t *)(void *)table->tags_memory.base;
    table->dirty = (uint8_t *)table->dirty_memory.base;
    table->tails = (struct series_tail *)(void *)table->tails_memory.base;
    return STATUS_OK;
}

void series_fini(struct series_table *table)
{
    vast_fini(&table->lines_memory);
    vast_fini(&table->definitions_memory);
    vast_fini(&table->tags_memory);
    vast_fini(&table->dirty_memory);
    vast_fini(&table->tails_memory);
    lookup_fini(&table->index);
    free(table->intervals);
    free(table->meter_names);
    free(table->resource_keys);
    free(table->resource_slots);
    arena_fini(&table->arena);
    *table = (struct series_table){0};
}

/* ---- index
 * -------------------------------------------------------------------------------------------------------
 */

uint32_t series_find(const struct series_table *table, struct hash128 identity)
{
    uint32_t tag = (uint32_t)identity.low;
    const struct lookup_line *line = lookup_home(&table->index, tag);
    for (;; line = lookup_next(&table->index, line)) {
        for (uint32_t mask = lookup_matches(line, tag); mask; mask &= mask - 1) {
            uint32_t number = line->numbers[__builtin_ctz(mask)];
            if (series_is(table, number, identity))
                return number;
        }
        if (!line->passed)
            return INDEX_NONE;
    }
}

void series_prefetch_index(const struct series_table *table, struct hash128 identity)
{
    lookup_prefetch(&table->index, (uint32_t)identity.low);
}

uint32_t series_guess(const struct series_table *table, struct hash128 identity)
{
    uint32_t tag = (uint32_t)identity.low;
    const struct lookup_line *line = lookup_home(&table->index, tag);
    uint32_t mask = lookup_matches(line, tag);
    return mask ? line->numbers[__builtin_ctz(mask)] : INDEX_NONE;
}

static enum status index_reserve(struct series_table *table, uint64_t count)
{
    if (!lookup_is_full(&table->index, count))
        return STATUS_OK;
    enum status status = lookup_grow(&table->index, count);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < table->count; i++) {
        if (i + REHASH_AHEAD < table->count)
            lookup_prefetch(&table->index, table->tags[i + REHASH_AHEAD]);
        lookup_put(&table->index, table->tags[i], i);
    }
    return STATUS_OK;
}

/* ---- adding
 * ------------------------------------------------------------------------------------------------------
 */

static enum status reserve(struct series_table *table, uint64_t count)
{
    enum status status = count > SERIES_MAX ? STATUS_RANGE : index_reserve(table, count);
    if (status == STATUS_OK)
        status = vast_reserve(&table->lines_memory, count);
    if (status == STATUS_OK)
        status = vast_reserve(&table->definitions_memory, count);
    if (status == STATUS_OK)
        status = vast_reserve(&table->tags_memory, count);
    if (status == STATUS_OK)
        status = vast_reserve(&table->dirty_memory, count / SERIES_CHUNK + 1);
    return status;
}

static uint32_t place(struct series_table *table, uint32_t tag)
{
    uint32_t series = table->count++;
    lookup_put(&table->index, tag, series);
    table->tags[series] = tag;
    return series;
}

enum status series_reserve(struct series_table *table, uint32_t count)
{
    return reserve(table, count);
}

enum status series_load(struct series_table *table, const char *tags, uint32_t count)
{
    enum status status = reserve(table, (uint64_t)table->count + count);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag;
        memcpy(&tag, tags + i * sizeof(tag), sizeof(tag));
        lookup_prefetch(&table->index, tag);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag;
        memcpy(&tag, tags + i * sizeof(tag), sizeof(tag));
        (void)place(table, tag);
    }
    return STATUS_OK;
}

static enum status add(struct series_table *table, struct hash128 identity, struct slice packed,
                       bool level, uint32_t *ret, struct error *error)
{
    uint64_t offset;
    enum status status = reserve(table, (uint64_t)table->count + 1);
    if (status != STATUS_OK)
        return error_set(error, status, "%s",
                         status == STATUS_RANGE
                             ? "a shard is full of series: make a data directory "
                               "with more shards"
                             : "out of memory");
    status = heap_append(table->heap, packed, &offset, error);
    if (status != STATUS_OK)
        return status;
    *ret = place(table, (uint32_t)identity.low);
    table->definitions[*ret] = (uint32_t)(offset / HEAP_STEP_BYTES);
    table->dirty[*ret / SERIES_CHUNK] = 1;
    table->lines[*ret] = (struct series){
        .bucket = {INDEX_NONE, INDEX_NONE, INDEX_NONE},
        .run_step = level ? SERIES_LEVEL : 0,
        .check = identity.high,
    };
    return STATUS_OK;
}

enum status series_add(struct series_table *table, struct hash128 identity, struct slice packed,
                       uint32_t *ret, struct error *error)
{
    bool level;
    enum status status = definition_level(packed, &level);
    if (status != STATUS_OK)
        return error_set(error, status, "a series definition does not unpack");
    return add(table, identity, packed, level, ret, error);
}

/* All are unpacked before the first is looked for: by then the lines of the index are there. */
enum status series_restore(struct series_table *table, const struct slice *definitions,
                           uint32_t count, struct error *error)
{
    struct hash128 identities[SERIES_RESTORE_MAX];
    bool levels[SERIES_RESTORE_MAX];
    assert(count <= SERIES_RESTORE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct definition definition;
        enum status status = definition_unpack(definitions[i], &definition);
        if (status != STATUS_OK)
            return error_set(error, status, "a series definition is damaged");
        identities[i] = definition_identity(&definition, &table->keys);
        levels[i] = definition.meter && definition.meter->level;
        series_prefetch_index(table, identities[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t series;
        if (series_find(table, identities[i]) != INDEX_NONE)
            return error_set(error, STATUS_CORRUPT, "a series is defined twice");
        enum status status = add(table, identities[i], definitions[i], levels[i], &series, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- slots
 * -------------------------------------------------------------------------------------------------------
 */

void series_forget_slots(struct series_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct series *line = &table->lines[i];
        line->interval = 0;
        for (uint32_t slot = 0; slot < SERIES_SLOTS; slot++)
            line->bucket[slot] = INDEX_NONE;
    }
    memset(table->dirty, 1, (table->count + SERIES_CHUNK - 1) / SERIES_CHUNK);
    table->interval_count = 1;
    table->meter_name_count = 0;
    table->resource_count = 0;
    if (table->resource_slot_count)
        memset(table->resource_slots, 0, table->resource_slot_count * sizeof(uint32_t));
}

uint32_t series_interval_number(struct series_table *table, int64_t from, int64_t to)
{
    /* The newest ones are looked for most; there is one for each zone, month and card version. */
    for (uint32_t i = table->interval_count; i-- > 1;)
        if (table->intervals[i].from == from && table->intervals[i].to == to)
            return i;
    if (table->interval_count == table->interval_capacity) {
        uint32_t capacity = table->interval_capacity * 2;
        struct series_interval *intervals =
            realloc(table->intervals, capacity * sizeof(*intervals));
        if (!intervals)
            return INDEX_NONE;
        table->intervals = intervals;
        table->interval_capacity = capacity;
    }
    table->intervals[table->interval_count] = (struct series_interval){from, to};
    return table->interval_count++;
}

/* ---- definitions, meters, resources
 * ------------------------------------------------------------------------------
 */

enum status series_packed(const struct series_table *table, uint32_t series, struct slice *ret,
                          struct error *error)
{
    assert(series < table->count);
    return heap_read(table->heap, series_definition_offset(table, series), ret, error);
}

enum status series_definition(const struct series_table *table, uint32_t series,
                              struct definition *ret, struct error *error)
{
    struct slice packed;
    enum status status = series_packed(table, series, &packed, error);
    if (status == STATUS_OK && definition_unpack(packed, ret) != STATUS_OK)
        status = error_set(error, STATUS_CORRUPT,
                           "the definition of series %u is damaged: remove the shard's ledger "
                           "folder, it is derived again from the journal",
                           series);
    return status;
}

static bool grow_array(void *array, size_t item_bytes, uint32_t capacity)
{
    void **place = array;
    void *bigger = realloc(*place, item_bytes * capacity);
    if (bigger)
        *place = bigger;
    return bigger != NULL;
}

enum status series_meter(struct series_table *table, const struct definition *definition,
                         uint32_t *ret)
{
    if (definition->meter) {
        *ret = definition->meter->usage_type;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < table->meter_name_count; i++)
        if (slice_equal(table->meter_names[i], definition->meter_name)) {
            *ret = METER_FIRST_OTHER + i;
            return STATUS_OK;
        }
    if (table->meter_name_count == table->meter_name_capacity) {
        uint32_t capacity = table->meter_name_capacity ? table->meter_name_capacity * 2 : 16;
        if (!grow_array(&table->meter_names, sizeof(*table->meter_names), capacity))
            return STATUS_NO_MEMORY;
        table->meter_name_capacity = capacity;
    }
    table->meter_names[table->meter_name_count] = arena_copy(&table->arena, definition->meter_name);
    *ret = METER_FIRST_OTHER + table->meter_name_count++;
    return STATUS_OK;
}

uint32_t series_meter_find(const struct series_table *table, struct slice name)
{
    const struct meter *known = meter_by_name(name);
    if (known)
        return known->usage_type;
    for (uint32_t i = 0; i < table->meter_name_count; i++)
        if (slice_equal(table->meter_names[i], name))
            return METER_FIRST_OTHER + i;
    return INDEX_NONE;
}

struct hash128 series_resource_key(const struct series_table *table,
                                   const struct definition *definition)
{
    /* Ids of two clouds may be equal by chance. */
    return hash128(definition_resource(definition), hash64(definition->source, table->keys.seed));
}

static uint32_t *resource_slot(const struct series_table *table, struct hash128 key)
{
    uint32_t slot = (uint32_t)key.low & (table->resource_slot_count - 1);
    while (table->resource_slots[slot] &&
           !hash128_equal(table->resource_keys[table->resource_slots[slot] - 1], key))
        slot = (slot + 1) & (table->resource_slot_count - 1);
    return &table->resource_slots[slot];
}

uint32_t series_resource_find(const struct series_table *table, struct hash128 key)
{
    uint32_t number = table->resource_slot_count ? *resource_slot(table, key) : 0;
    return number ? number : INDEX_NONE;
}

static enum status grow_resources(struct series_table *table)
{
    uint32_t slot_count = table->resource_slot_count ? table->resource_slot_count * 2 : 2048;
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (!slots ||
        !grow_array(&table->resource_keys, sizeof(*table->resource_keys), slot_count / 2)) {
        free(slots);
        return STATUS_NO_MEMORY;
    }
    free(table->resource_slots);
    table->resource_slots = slots;
    table->resource_slot_count = slot_count;
    for (uint32_t i = 0; i < table->resource_count; i++)
        *resource_slot(table, table->resource_keys[i]) = i + 1;
    return STATUS_OK;
}

enum status series_resource_number(struct series_table *table, struct hash128 key, uint32_t *ret)
{
    if ((table->resource_count + 1) * 2 > table->resource_slot_count) {
        enum status status = grow_resources(table);
        if (status != STATUS_OK)
            return status;
    }
    uint32_t *slot = resource_slot(table, key);
    if (!*slot) {
        table->resource_keys[table->resource_count] = key;
        *slot = ++table->resource_count;
    }
    *ret = *slot;
    return STATUS_OK;
}

enum status series_resource(struct series_table *table, const struct definition *definition,
                            uint32_t *ret)
{
    return series_resource_number(table, series_resource_key(table, definition), ret);
}

struct slice series_meter_name(const struct series_table *table, uint32_t meter)
{
    if (meter < METER_FIRST_OTHER) {
        const struct meter *known = meter_by_usage_type((int)meter);
        assert(known);
        return slice_string(known->name);
    }
    assert(meter - METER_FIRST_OTHER < table->meter_name_count);
    return table->meter_names[meter - METER_FIRST_OTHER];
}

bool series_meter_is_level(uint32_t meter)
{
    const struct meter *known = meter < METER_FIRST_OTHER ? meter_by_usage_type((int)meter) : NULL;
    return known && known->level;
}

const char *series_meter_base(uint32_t meter)
{
    if (meter >= METER_FIRST_OTHER)
        return "unit";
    const struct meter *known = meter_by_usage_type((int)meter);
    return known->level ? "byte-hour" : known->base;
}

uint64_t series_bytes(const struct series_table *table)
{
    return vast_bytes(&table->lines_memory) + vast_bytes(&table->definitions_memory) +
           vast_bytes(&table->tags_memory) + vast_bytes(&table->dirty_memory) +
           lookup_bytes(&table->index) + vast_bytes(&table->tails_memory) +
           (uint64_t)table->resource_slot_count * (sizeof(uint32_t) + sizeof(struct hash128) / 2);
}
