#include "account/series.h"

#include <assert.h>
#include <stdlib.h>

void series_init(struct series_table *table, uint64_t seed, bool with_coverage)
{
    *table = (struct series_table){.seed = seed};
    arena_init(&table->arena);
    if (with_coverage)
        table->coverage =
            calloc(1, sizeof(*table->coverage)); /* non-NULL marks the mode; grown with the rest */
}

void series_fini(struct series_table *table)
{
    if (table->coverage)
        for (uint32_t i = 0; i < table->count; i++)
            coverage_fini(&table->coverage[i]);
    free(table->hot);
    free(table->coverage);
    free(table->dirty);
    free(table->hashes);
    free(table->definitions);
    free(table->meters);
    free(table->resources);
    free(table->slots);
    free(table->meter_names);
    free(table->resource_keys);
    free(table->resource_slots);
    arena_fini(&table->arena);
    *table = (struct series_table){0};
}

static uint32_t slot_of(const struct series_table *table, struct hash128 hash)
{
    uint32_t slot = (uint32_t)hash.low & (table->slot_count - 1);
    while (table->slots[slot] && !hash128_equal(table->hashes[table->slots[slot] - 1], hash))
        slot = (slot + 1) & (table->slot_count - 1);
    return slot;
}

uint32_t series_find(const struct series_table *table, struct hash128 hash)
{
    return table->slot_count ? table->slots[slot_of(table, hash)] - 1
                             : INDEX_NONE; /* 0 - 1 is INDEX_NONE */
}

static bool grow_array(void *array, size_t item_bytes, uint32_t capacity)
{
    void **place = array;
    void *bigger = realloc(*place, item_bytes * capacity);
    if (bigger)
        *place = bigger;
    return bigger != NULL;
}

static enum status grow(struct series_table *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : 1024;
    struct series *hot = aligned_alloc(64, (size_t)capacity * sizeof(*hot));
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof(*slots));
    bool grown =
        hot && slots && grow_array(&table->hashes, sizeof(*table->hashes), capacity) &&
        grow_array(&table->definitions, sizeof(*table->definitions), capacity) &&
        grow_array(&table->meters, sizeof(*table->meters), capacity) &&
        grow_array(&table->resources, sizeof(*table->resources), capacity) &&
        grow_array(&table->dirty, sizeof(*table->dirty), capacity) &&
        (!table->coverage || grow_array(&table->coverage, sizeof(*table->coverage), capacity));
    if (!grown) {
        free(hot);
        free(slots);
        return STATUS_NO_MEMORY;
    }
    if (table->count)
        memcpy(hot, table->hot, table->count * sizeof(*hot));
    free(table->hot);
    free(table->slots);
    table->hot = hot;
    table->slots = slots;
    table->slot_count = capacity * 2;
    table->capacity = capacity;
    for (uint32_t i = 0; i < table->count; i++)
        slots[slot_of(table, table->hashes[i])] = i + 1;
    return STATUS_OK;
}

static enum status grow_resources(struct series_table *table)
{
    uint32_t slot_count = table->resource_slot_count ? table->resource_slot_count * 2 : 2048;
    struct hash128 *keys = calloc(slot_count, sizeof(*keys));
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (!keys || !slots) {
        free(keys);
        free(slots);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < table->resource_slot_count; i++) {
        if (!table->resource_slots[i])
            continue;
        uint32_t slot = (uint32_t)table->resource_keys[i].low & (slot_count - 1);
        while (slots[slot])
            slot = (slot + 1) & (slot_count - 1);
        keys[slot] = table->resource_keys[i];
        slots[slot] = table->resource_slots[i];
    }
    free(table->resource_keys);
    free(table->resource_slots);
    table->resource_keys = keys;
    table->resource_slots = slots;
    table->resource_slot_count = slot_count;
    return STATUS_OK;
}

/* Numbers follow the order of definitions, so that a replay gives the same ones. */
static enum status resource_number(struct series_table *table, struct slice source,
                                   struct slice resource, uint32_t *ret)
{
    if ((table->resource_count + 1) * 2 > table->resource_slot_count) {
        enum status status = grow_resources(table);
        if (status != STATUS_OK)
            return status;
    }
    struct hash128 key = hash128(
        resource, hash64(source, table->seed)); /* ids of two clouds may be equal by chance */
    uint32_t slot = (uint32_t)key.low & (table->resource_slot_count - 1);
    while (table->resource_slots[slot] && !hash128_equal(table->resource_keys[slot], key))
        slot = (slot + 1) & (table->resource_slot_count - 1);
    if (!table->resource_slots[slot]) {
        table->resource_keys[slot] = key;
        table->resource_slots[slot] = ++table->resource_count;
    }
    *ret = table->resource_slots[slot];
    return STATUS_OK;
}

static enum status meter_number(struct series_table *table, const struct definition *definition,
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

enum status series_add(struct series_table *table, struct hash128 hash, struct slice packed,
                       uint32_t *ret)
{
    struct definition definition;
    enum status status = definition_unpack(packed, &definition);
    if (status == STATUS_OK && table->count == table->capacity)
        status = grow(table);
    uint32_t meter = 0, resource = 0;
    if (status == STATUS_OK)
        status = meter_number(table, &definition, &meter);
    if (status == STATUS_OK)
        status =
            resource_number(table, definition.source, definition_resource(&definition), &resource);
    if (status != STATUS_OK)
        return status;
    uint32_t slot = slot_of(table, hash);
    assert(!table->slots[slot]);
    uint32_t index = table->count++;
    table->hashes[index] = hash;
    table->slots[slot] = index + 1;
    table->definitions[index] = arena_copy(&table->arena, packed);
    table->meters[index] = meter;
    table->resources[index] = resource;
    table->dirty[index] = 0;
    if (table->coverage)
        coverage_init(&table->coverage[index]);
    table->hot[index] = (struct series){
        .bucket = {INDEX_NONE, INDEX_NONE, INDEX_NONE},
        .flags = definition.meter && definition.meter->level ? SERIES_LEVEL : 0,
        .account = INDEX_NONE,
    };
    *ret = index;
    return STATUS_OK;
}

enum status series_restore(struct series_table *table, struct slice packed, uint32_t *ret)
{
    struct definition definition;
    enum status status = definition_unpack(packed, &definition);
    if (status != STATUS_OK)
        return status;
    struct packer packer;
    size_t identity_bytes;
    pack_init(&packer);
    definition_pack(&definition, &packer, &identity_bytes);
    struct hash128 hash = definition_hash(slice_of(packer.data, identity_bytes), table->seed);
    bool sound = !packer.failed && slice_equal(pack_done(&packer), packed) &&
                 series_find(table, hash) == INDEX_NONE;
    pack_fini(&packer);
    return sound ? series_add(table, hash, packed, ret) : STATUS_CORRUPT;
}

void series_forget_slots(struct series_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct series *series = &table->hot[i];
        series->valid_from = series->valid_to = 0;
        series->account = INDEX_NONE;
        for (uint32_t slot = 0; slot < SERIES_SLOTS; slot++)
            series->bucket[slot] = INDEX_NONE;
    }
}

void series_definition(const struct series_table *table, uint32_t series, struct definition *ret)
{
    assert(series < table->count);
    enum status status = definition_unpack(table->definitions[series], ret);
    assert(status == STATUS_OK);
    (void)status;
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
