/* Lays out what resolving reads: payers, months, rows by what they ask for, charges by meter. */
#include "rate/snapshot_index.h"

#include <assert.h>
#include <stdlib.h>

struct indexer {
    struct snapshot *snapshot;
    struct arena *arena;  /* the snapshot's */
    struct arena scratch; /* until the index is built */
    struct snapshot_index *index;
};

/* ---- payers, and the classes of their accounts ---- */

struct class_map {
    struct payer_class *classes;
    uint32_t count;
    uint32_t *slots; /* class + 1; 0: free */
    uint32_t mask;
    const struct month_table **months; /* of distinct zones */
    uint32_t month_count;
};

static uint32_t power_above(uint64_t count)
{
    uint64_t power = 2;
    while (power < count)
        power *= 2;
    assert(power <= UINT32_MAX / 2 + 1);
    return (uint32_t)power;
}

static const struct month_table *months_of(struct indexer *indexer, struct class_map *map,
                                           const struct zone *zone)
{
    for (uint32_t i = 0; i < map->month_count; i++)
        if (map->months[i]->zone == zone)
            return map->months[i];
    struct month_table *table = arena_alloc(indexer->arena, sizeof *table);
    months_fill(table, zone);
    map->months[map->month_count++] = table;
    return table;
}

static bool class_is(const struct payer_class *class, const struct account *account)
{
    return class->catalogue == account->catalogue &&
           currency_equal(class->currency, account->currency) &&
           class->months->zone == account->zone;
}

static struct payer_class class_make(struct indexer *indexer, struct class_map *map,
                                     const struct account *account)
{
    struct payer_class class = {.catalogue = account->catalogue,
                                .family = INDEX_NONE,
                                .currency = account->currency,
                                .months = months_of(indexer, map, account->zone)};
    if (account->catalogue != INDEX_NONE) {
        const struct snapshot *snapshot = indexer->snapshot;
        assert(account->catalogue < snapshot->catalogue_count);
        const struct catalogue *catalogue = &snapshot->catalogues[account->catalogue];
        assert(catalogue->family == INDEX_NONE || catalogue->family < snapshot->family_count);
        class.family = catalogue->family;
        class.catalogue_currency = catalogue->currency;
    }
    return class;
}

static uint32_t class_of(struct indexer *indexer, struct class_map *map,
                         const struct account *account)
{
    uint64_t hash =
        hash_append(hash_append(hash_append(0, account->catalogue), account->currency.code),
                    (uint64_t)(uintptr_t)account->zone);
    for (uint32_t at = (uint32_t)hash & map->mask;; at = (at + 1) & map->mask) {
        if (map->slots[at] == 0) {
            map->classes[map->count] = class_make(indexer, map, account);
            map->slots[at] = ++map->count;
        }
        if (class_is(&map->classes[map->slots[at] - 1], account))
            return map->slots[at] - 1;
    }
}

/* Memory that starts with a cache line. */
static void *aligned_alloc_in(struct arena *arena, size_t bytes)
{
    uintptr_t memory = (uintptr_t)arena_alloc(arena, bytes + 63);
    return (void *)((memory + 63) & ~(uintptr_t)63);
}

static void payer_put(struct indexer *indexer, struct payer_slot *slots, uint32_t payer,
                      uint32_t class)
{
    const struct snapshot_index *index = indexer->index;
    const struct payer_entry *entry = &indexer->snapshot->payers[payer];
    uint32_t at = payer_slot_first(index, index_hash(entry->id));
    while (slots[at].account != INDEX_NONE)
        at = at + 1 == index->payer_slots ? 0 : at + 1;
    assert(entry->id.length < UINT32_MAX && entry->account != INDEX_NONE);
    slots[at].account = entry->account;
    slots[at].class = class;
    slots[at].length = (uint32_t)entry->id.length;
    if (entry->id.length > PAYER_TEXT_BYTES)
        slots[at].payer = payer;
    else if (entry->id.length)
        memcpy(slots[at].text, entry->id.data, entry->id.length);
}

static void index_payers(struct indexer *indexer)
{
    struct snapshot *snapshot = indexer->snapshot;
    struct snapshot_index *index = indexer->index;
    size_t count = snapshot->payer_count;
    struct class_map map = {.mask = power_above(count * 2) - 1};
    map.slots = arena_alloc(&indexer->scratch, ((size_t)map.mask + 1) * sizeof *map.slots);
    map.classes = arena_alloc(&indexer->scratch, (count + 1) * sizeof *map.classes);
    map.months = arena_alloc(&indexer->scratch, (count + 1) * sizeof(const struct month_table *));
    index->utc = months_of(indexer, &map, NULL);
    index->payer_slots = (uint32_t)(count + count / 2 + 1);
    struct payer_slot *slots =
        aligned_alloc_in(indexer->arena, (size_t)index->payer_slots * sizeof *slots);
    for (uint32_t i = 0; i < index->payer_slots; i++)
        slots[i].account = INDEX_NONE;
    uint32_t *account_classes = arena_alloc(indexer->arena, ((size_t)snapshot->account_count + 1) *
                                                                sizeof *account_classes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t account = snapshot->payers[i].account;
        assert(account < snapshot->account_count);
        account_classes[account] = class_of(indexer, &map, &snapshot->accounts[account]);
        payer_put(indexer, slots, i, account_classes[account]);
    }
    struct payer_class *classes = arena_alloc(indexer->arena, (map.count + 1) * sizeof *classes);
    if (map.count)
        memcpy(classes, map.classes, map.count * sizeof *classes);
    index->payers = slots;
    index->classes = classes;
    index->account_classes = account_classes;
}

/* ---- rows ---- */

static bool same_names(const struct charge_row *a, const struct charge_row *b)
{
    if (a->where_count != b->where_count)
        return false;
    for (uint32_t i = 0; i < a->where_count; i++)
        if (!slice_equal(a->where[i].name, b->where[i].name))
            return false;
    return true;
}

static struct attribute_ref attribute_of(struct slice name)
{
    return (struct attribute_ref){name, attribute_code(name)};
}

/* Rows of a charge that ask for the same names, while the set is made. */
struct gathered {
    const struct charge_row *example;
    uint32_t count;
    uint32_t *rows; /* in document order */
};

static uint32_t key_words(const struct charge_row *row)
{
    size_t bytes = sizeof(uint32_t);
    for (uint32_t i = 0; i < row->where_count; i++)
        bytes += sizeof(uint32_t) + row->where[i].value.length;
    size_t words = (bytes + sizeof(uint32_t) - 1) / sizeof(uint32_t);
    assert(words < UINT32_MAX);
    return (uint32_t)words;
}

static void key_write(char *at, const struct charge_row *row, uint32_t number)
{
    memcpy(at, &number, sizeof number);
    at += sizeof number;
    for (uint32_t i = 0; i < row->where_count; i++) {
        struct slice value = row->where[i].value;
        uint32_t length = (uint32_t)value.length;
        memcpy(at, &length, sizeof length);
        at += sizeof length;
        if (length)
            memcpy(at, value.data, length);
        at += length;
    }
}

/* Keys of the set that is being made. */
struct key_writer {
    char *keys;
    uint64_t words;
};

/* Of rows that ask for the same, the first in the document is met first in the table, and counts.
 */
static void row_put(const struct indexer *indexer, const struct charge_row *row, uint32_t number,
                    uint32_t mask, struct row_slot *slots, struct key_writer *writer)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < row->where_count; i++)
        hash = hash_append(hash, index_hash(row->where[i].value));
    hash &= indexer->index->hash_mask;
    uint32_t at = (uint32_t)hash & mask;
    while (slots[at].key)
        at = (at + 1) & mask;
    assert(writer->words < UINT32_MAX);
    slots[at] = (struct row_slot){(uint32_t)(hash >> 32), (uint32_t)writer->words + 1};
    key_write(writer->keys + writer->words * sizeof(uint32_t), row, number);
    writer->words += key_words(row);
}

static void group_fill(struct indexer *indexer, const struct charge_row *rows,
                       const struct gathered *from, struct key_writer *writer,
                       struct row_group *group)
{
    *group = (struct row_group){.term_count = from->example->where_count, .row = from->rows[0]};
    if (group->term_count == 0)
        return;
    struct attribute_ref *terms = arena_alloc(indexer->arena, group->term_count * sizeof *terms);
    for (uint32_t i = 0; i < group->term_count; i++)
        terms[i] = attribute_of(from->example->where[i].name);
    group->terms = terms;
    group->mask = power_above((uint64_t)from->count * 2) - 1;
    size_t slot_count = (size_t)group->mask + 1;
    struct row_slot *slots = arena_alloc(indexer->arena, slot_count * sizeof *slots);
    for (uint32_t i = 0; i < from->count; i++)
        row_put(indexer, &rows[from->rows[i]], from->rows[i], group->mask, slots, writer);
    group->slots = slots;
}

static int more_terms_first(const void *a_pointer, const void *b_pointer)
{
    const struct gathered *a = a_pointer, *b = b_pointer;
    uint32_t terms_a = a->example->where_count, terms_b = b->example->where_count;
    if (terms_a != terms_b)
        return terms_a > terms_b ? -1 : 1;
    return (a->rows[0] > b->rows[0]) - (a->rows[0] < b->rows[0]);
}

/* Rows by their names. A charge has few such groups; neighbours are mostly alike. */
static struct gathered *rows_gather(struct indexer *indexer, const struct charge *charge,
                                    uint32_t *ret_count)
{
    struct arena *scratch = &indexer->scratch;
    struct gathered *groups = arena_alloc(scratch, charge->row_count * sizeof *groups);
    uint32_t *group_of = arena_alloc(scratch, charge->row_count * sizeof *group_of);
    uint32_t count = 0;
    for (uint32_t i = 0; i < charge->row_count; i++) {
        const struct charge_row *row = &charge->rows[i];
        uint32_t g = i ? group_of[i - 1] : 0;
        if (count == 0 || !same_names(groups[g].example, row))
            for (g = 0; g < count && !same_names(groups[g].example, row); g++)
                ;
        if (g == count)
            groups[count++].example = row;
        groups[g].count++;
        group_of[i] = g;
    }
    uint32_t *rows = arena_alloc(scratch, charge->row_count * sizeof *rows);
    for (uint32_t g = 0; g < count; g++) {
        groups[g].rows = rows;
        rows += groups[g].count;
        groups[g].count = 0;
    }
    for (uint32_t i = 0; i < charge->row_count; i++) {
        struct gathered *group = &groups[group_of[i]];
        group->rows[group->count++] = i;
    }
    qsort(groups, count, sizeof *groups, more_terms_first);
    *ret_count = count;
    return groups;
}

static const struct row_set *set_make(struct indexer *indexer, const struct charge *charge)
{
    struct row_set *set = arena_alloc(indexer->arena, sizeof *set);
    if (charge->row_count == 0)
        return set;
    struct gathered *gathered = rows_gather(indexer, charge, &set->group_count);
    uint64_t words = 0;
    for (uint32_t i = 0; i < charge->row_count; i++)
        words += key_words(&charge->rows[i]);
    struct key_writer writer = {.keys = arena_alloc(indexer->arena, words * sizeof(uint32_t))};
    struct row_group *groups = arena_alloc(indexer->arena, set->group_count * sizeof *groups);
    for (uint32_t i = 0; i < set->group_count; i++)
        group_fill(indexer, charge->rows, &gathered[i], &writer, &groups[i]);
    set->groups = groups;
    set->keys = writer.keys;
    return set;
}

/* ---- charges: those with the very same rows share a set ---- */

struct set_map {
    uint32_t *slots; /* charge + 1 whose set it is */
    uint32_t mask;
    const struct row_set **sets; /* by charge */
};

/* Versions that took a charge over from one document point at the same conditions. */
static bool same_rows(const struct charge *a, const struct charge *b)
{
    if (a->row_count != b->row_count)
        return false;
    for (uint32_t i = 0; i < a->row_count; i++) {
        const struct charge_row *x = &a->rows[i], *y = &b->rows[i];
        if (x->where_count != y->where_count || (x->where_count && x->where != y->where))
            return false;
    }
    return true;
}

static const struct row_set *set_of(struct indexer *indexer, struct set_map *map, uint32_t number)
{
    if (map->sets[number])
        return map->sets[number];
    const struct charge *charges = indexer->snapshot->charges;
    const struct charge *charge = &charges[number];
    uint64_t hash = 0;
    for (uint32_t i = 0; i < charge->row_count; i++)
        hash = hash_append(
            hash, charge->rows[i].where_count ? (uint64_t)(uintptr_t)charge->rows[i].where : 0);
    uint32_t at = (uint32_t)hash & map->mask;
    for (; map->slots[at]; at = (at + 1) & map->mask)
        if (same_rows(&charges[map->slots[at] - 1], charge))
            break;
    if (map->slots[at] == 0) {
        map->sets[number] = set_make(indexer, charge);
        map->slots[at] = number + 1;
    }
    map->sets[number] = map->sets[map->slots[at] - 1];
    return map->sets[number];
}

/* The attributes that the charge's rows ask for, as charge_range has them. */
static uint32_t looked_at(const struct row_set *set)
{
    uint32_t codes = 0;
    for (uint32_t i = 0; i < set->group_count; i++)
        for (uint32_t j = 0; j < set->groups[i].term_count; j++)
            codes |= 1u << set->groups[i].terms[j].code;
    return codes;
}

static void version_fill(struct indexer *indexer, struct set_map *map,
                         const struct version *version, struct version_index *ret)
{
    const struct snapshot *snapshot = indexer->snapshot;
    struct charge_index *charges =
        arena_alloc(indexer->arena, ((size_t)version->charge_count + 1) * sizeof *charges);
    ret->from = version->from.seconds;
    ret->to = version->to.seconds;
    ret->charges = charges;
    for (uint32_t i = 0; i < version->charge_count; i++) {
        assert(version->charges[i] < snapshot->charge_count);
        const struct charge *charge = &snapshot->charges[version->charges[i]];
        const struct meter *meter = meter_by_name(charge->meter_name);
        charges[i] = (struct charge_index){.set = set_of(indexer, map, version->charges[i]),
                                           .rows = charge->rows,
                                           .has_times = charge->times.present,
                                           .times = attribute_of(charge->times_name)};
        if (!meter)
            continue;
        assert(meter->usage_type < USAGE_TYPES);
        struct charge_range *range = &ret->by_type[meter->usage_type];
        if (range->count++ == 0)
            range->first = i;
        range->looks_at |= looked_at(charges[i].set);
        if (__builtin_popcount(range->looks_at) > RESOLVER_VALUES)
            range->looks_at |= 1;
        assert(range->first + range->count == i + 1); /* sorted by meter */
    }
}

static void index_versions(struct indexer *indexer)
{
    const struct snapshot *snapshot = indexer->snapshot;
    struct set_map map = {.mask = power_above((uint64_t)snapshot->charge_count * 2) - 1};
    map.slots = arena_alloc(&indexer->scratch, ((size_t)map.mask + 1) * sizeof *map.slots);
    map.sets = arena_alloc(&indexer->scratch,
                           ((size_t)snapshot->charge_count + 1) * sizeof(const struct row_set *));
    struct version_index *versions =
        arena_alloc(indexer->arena, ((size_t)snapshot->version_count + 1) * sizeof *versions);
    for (uint32_t i = 0; i < snapshot->version_count; i++)
        version_fill(indexer, &map, &snapshot->versions[i], &versions[i]);
    indexer->index->versions = versions;
}

/* ---- what a later version has in place of a plan ---- */

static bool same_row(const struct snapshot *snapshot, const struct charge_row *a,
                     const struct charge_row *b)
{
    if (a->where_count != b->where_count || a->plan_count != b->plan_count)
        return false;
    for (uint32_t i = 0; i < a->where_count && a->where != b->where; i++)
        if (!slice_equal(a->where[i].name, b->where[i].name) ||
            !slice_equal(a->where[i].value, b->where[i].value))
            return false;
    for (uint32_t i = 0; i < a->plan_count; i++)
        if (!currency_equal(snapshot->plans[a->plan_first + i].currency,
                            snapshot->plans[b->plan_first + i].currency))
            return false;
    return true;
}

/* Whether both count the same series, each with the same multiplier, and in buckets alike. */
static bool same_series(const struct snapshot *snapshot, const struct charge *a,
                        const struct charge *b)
{
    if (a->row_count != b->row_count || a->scope != b->scope ||
        a->times.present != b->times.present ||
        (a->times.present && !slice_equal(a->times_name, b->times_name)))
        return false;
    for (uint32_t i = 0; i < a->row_count; i++)
        if (!same_row(snapshot, &a->rows[i], &b->rows[i]))
            return false;
    return true;
}

/* The charges of one meter in a version and in the next. */
static void meter_later(const struct snapshot *snapshot, const uint32_t *before,
                        const uint32_t *after, uint32_t count, uint32_t *later)
{
    const struct charge *charges = snapshot->charges;
    for (uint32_t i = 0; i < count; i++)
        if (!same_series(snapshot, &charges[before[i]], &charges[after[i]]))
            return;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t r = 0; r < charges[before[i]].row_count; r++) {
            const struct charge_row *from = &charges[before[i]].rows[r];
            const struct charge_row *to = &charges[after[i]].rows[r];
            for (uint32_t p = 0; p < from->plan_count; p++)
                later[from->plan_first + p] = to->plan_first + p;
        }
}

static void index_later(struct indexer *indexer)
{
    const struct snapshot *snapshot = indexer->snapshot;
    uint32_t *later =
        arena_alloc(indexer->arena, ((size_t)snapshot->plan_count + 1) * sizeof *later);
    for (uint32_t i = 0; i < snapshot->plan_count; i++)
        later[i] = INDEX_NONE;
    for (uint32_t f = 0; f < snapshot->family_count; f++) {
        const struct card_family *family = &snapshot->families[f];
        for (uint32_t v = 1; v < family->version_count; v++)
            for (uint32_t type = 0; type < USAGE_TYPES; type++) {
                uint32_t after = family->version_first + v, before = after - 1;
                const struct version_index *versions = indexer->index->versions;
                struct charge_range old = versions[before].by_type[type];
                struct charge_range new = versions[after].by_type[type];
                if (old.count == new.count)
                    meter_later(snapshot, snapshot->versions[before].charges + old.first,
                                snapshot->versions[after].charges + new.first, new.count, later);
            }
    }
    indexer->index->later = later;
}

void snapshot_index_build_colliding(struct snapshot *snapshot, uint64_t hash_mask)
{
    assert(snapshot && !snapshot->index);
    struct indexer indexer = {.snapshot = snapshot, .arena = &snapshot->arena};
    arena_init(&indexer.scratch);
    indexer.index = arena_alloc(indexer.arena, sizeof *indexer.index);
    indexer.index->hash_mask = hash_mask;
    index_payers(&indexer);
    index_versions(&indexer);
    index_later(&indexer);
    arena_fini(&indexer.scratch);
    snapshot->index = indexer.index;
}

void snapshot_index_build(struct snapshot *snapshot)
{
    snapshot_index_build_colliding(snapshot, UINT64_MAX);
}
