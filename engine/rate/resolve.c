/* Which plans count a series: the hot end of a snapshot. Everything it reads was laid out by
 * snapshot_index.c. */
#include <assert.h>

#include "rate/resolve_steps.h"

/* ---- payers ---- */

const struct payer_slot *resolve_payer(const struct snapshot *snapshot, struct slice id)
{
    const struct snapshot_index *index = snapshot->index;
    uint32_t at = payer_slot_first(index, index_hash(id));
    for (;; at = at + 1 == index->payer_slots ? 0 : at + 1) {
        const struct payer_slot *slot = &index->payers[at];
        if (slot->account == INDEX_NONE)
            return NULL;
        if (slot->length != id.length)
            continue;
        bool inside = id.length <= PAYER_TEXT_BYTES;
        if (slice_equal(id, inside ? slice_of(slot->text, id.length)
                                   : snapshot->payers[slot->payer].id))
            return slot;
    }
}

uint32_t snapshot_payer(const struct snapshot *snapshot, struct slice id)
{
    assert(snapshot->index);
    const struct payer_slot *slot = resolve_payer(snapshot, id);
    assert(!slot || slot->account < snapshot->account_count);
    return slot ? slot->account : INDEX_NONE;
}

/* ---- versions ---- */

const struct version_index *resolve_version(const struct snapshot *snapshot, uint32_t family,
                                            struct instant at, struct month_stretch *stretch)
{
    const struct card_family *f = &snapshot->families[family];
    const struct version_index *versions = snapshot->index->versions + f->version_first;
    uint32_t low = 0;
    uint32_t high = f->version_count;
    while (low < high) { /* how many began at or before the instant */
        uint32_t middle = low + (high - low) / 2;
        if (versions[middle].from <= at.seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < f->version_count)
        stretch->to = instant_min(stretch->to, (struct instant){versions[low].from});
    if (low == 0)
        return NULL;
    const struct version_index *version = &versions[low - 1];
    if (at.seconds >= version->to) {
        stretch->from = instant_max(stretch->from, (struct instant){version->to});
        return NULL;
    }
    stretch->from = instant_max(stretch->from, (struct instant){version->from});
    stretch->to = instant_min(stretch->to, (struct instant){version->to});
    return version;
}

/* ---- charges of a meter ---- */

/* Position of the first charge of a meter or, with `after`, of the first behind them. */
static uint32_t charges_bound(const struct snapshot *snapshot, const struct version *version,
                              struct slice meter, bool after)
{
    uint32_t low = 0;
    uint32_t high = version->charge_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(snapshot->charges[version->charges[middle]].meter_name, meter);
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct charge_range charges_of_meter(const struct snapshot *snapshot,
                                            const struct version_index *index,
                                            const struct series_view *series)
{
    if (series->meter && series->meter->usage_type) {
        assert(series->meter->usage_type < USAGE_TYPES);
        return index->by_type[series->meter->usage_type];
    }
    const struct version *version = &snapshot->versions[index - snapshot->index->versions];
    uint32_t first = charges_bound(snapshot, version, series->meter_name, false);
    uint32_t end = charges_bound(snapshot, version, series->meter_name, true);
    return (struct charge_range){.first = first, .count = end - first};
}

/* ---- rows ---- */

/* Position + 1 of an attribute, or 0. */
static inline uint32_t position_of(const struct question *question, const struct attribute_ref *ref)
{
    if (ref->code)
        return question->positions[ref->code];
    const struct series_view *series = question->series;
    for (uint32_t i = 0; i < series->attribute_count; i++)
        if (slice_equal(series->attributes[i].name, ref->name))
            return i + 1;
    return 0;
}

static inline uint64_t value_hash(struct question *question, uint32_t position)
{
    struct slice value = question->series->attributes[position].value;
    if (position >= HASHES_KEPT)
        return index_hash(value);
    if (!(question->hashed >> position & 1)) {
        question->hashes[position] = index_hash(value);
        question->hashed |= (uint64_t)1 << position;
    }
    return question->hashes[position];
}

/* The row that a key belongs to when the series has its values, else INDEX_NONE. */
static uint32_t key_row(const struct row_group *group, const char *key,
                        const struct question *question)
{
    uint32_t row;
    memcpy(&row, key, sizeof row);
    key += sizeof row;
    for (uint32_t i = 0; i < group->term_count; i++) {
        uint32_t position = position_of(question, &group->terms[i]) - 1;
        struct slice value = question->series->attributes[position].value;
        uint32_t length;
        memcpy(&length, key, sizeof length);
        key += sizeof length;
        if (!slice_equal(slice_of(key, length), value))
            return INDEX_NONE;
        key += length;
    }
    return row;
}

/* The row of the group that the series matches, or INDEX_NONE. */
static uint32_t group_row(const struct row_group *group, const char *keys,
                          struct question *question)
{
    if (group->term_count == 0)
        return group->row;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < group->term_count; i++) {
        uint32_t position = position_of(question, &group->terms[i]);
        if (position == 0)
            return INDEX_NONE;
        hash = hash_append(hash, value_hash(question, position - 1));
    }
    hash &= question->hash_mask;
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = (uint32_t)hash & group->mask;; at = (at + 1) & group->mask) {
        const struct row_slot *slot = &group->slots[at];
        if (slot->key == 0)
            return INDEX_NONE;
        if (slot->tag != tag)
            continue;
        uint32_t row = key_row(group, keys + (size_t)(slot->key - 1) * sizeof(uint32_t), question);
        if (row != INDEX_NONE)
            return row;
    }
}

uint32_t resolve_row(const struct row_set *set, struct question *question)
{
    uint32_t best = INDEX_NONE;
    uint32_t best_terms = 0;
    for (uint32_t i = 0; i < set->group_count; i++) {
        const struct row_group *group = &set->groups[i];
        if (best != INDEX_NONE && group->term_count < best_terms)
            break;
        uint32_t row = group_row(group, set->keys, question);
        if (row >= best)
            continue;
        best = row;
        best_terms = group->term_count;
    }
    return best;
}

/* ---- plans ---- */

uint32_t resolve_plan(const struct snapshot *snapshot, const struct charge_row *row,
                      const struct payer_class *class)
{
    assert(row->plan_count >= 1 && row->plan_first + row->plan_count <= snapshot->plan_count);
    const struct currency wanted[] = {class->currency, class->catalogue_currency};
    for (int i = 0; row->plan_count > 1 && i < 2; i++)
        for (uint32_t j = 0; wanted[i].code && j < row->plan_count; j++)
            if (currency_equal(snapshot->plans[row->plan_first + j].currency, wanted[i]))
                return row->plan_first + j;
    return row->plan_first;
}

bool resolve_multiplier(const struct charge_index *charge, const struct question *question,
                        int128 *ret)
{
    *ret = 1;
    if (!charge->has_times)
        return true;
    uint32_t position = position_of(question, &charge->times);
    if (position == 0)
        return false;
    struct slice value = question->series->attributes[position - 1].value;
    uint64_t number = 0;
    uint8_t worst = 0;
    for (size_t i = 0; i < value.length && i < 18; i++) {
        uint8_t digit = (uint8_t)(value.data[i] - '0');
        worst = digit > worst ? digit : worst;
        number = number * 10 + digit;
    }
    if (value.length > 0 && value.length <= 18 && worst <= 9) { /* as nearly all are */
        *ret = number;
        return true;
    }
    return decimal_parse(value, 0, false, ret, NULL) == STATUS_OK && *ret >= 0;
}

struct found {
    uint32_t count;
    uint32_t plans[RESOLVE_PLANS_MAX];
    int128 multipliers[RESOLVE_PLANS_MAX];
};

/* The plans of every charge of the meter that prices the series. */
static enum status resolve_charges(const struct snapshot *snapshot,
                                   const struct version_index *version,
                                   const struct payer_class *class, struct question *question,
                                   struct found *found, enum unpriced_reason *ret_reason)
{
    struct charge_range range = charges_of_meter(snapshot, version, question->series);
    enum unpriced_reason reason = UNPRICED_NO_PRICE;
    for (uint32_t i = 0; i < range.count; i++) {
        const struct charge_index *charge = &version->charges[range.first + i];
        int128 multiplier;
        uint32_t row = resolve_row(charge->set, question);
        if (row == INDEX_NONE)
            continue;
        if (!resolve_multiplier(charge, question, &multiplier)) {
            reason = UNPRICED_NO_ATTRIBUTE;
            continue;
        }
        if (found->count == RESOLVE_PLANS_MAX)
            return STATUS_RANGE;
        found->plans[found->count] = resolve_plan(snapshot, &charge->rows[row], class);
        found->multipliers[found->count++] = multiplier;
    }
    *ret_reason = found->count > 0 ? PRICED : reason;
    return STATUS_OK;
}

static void positions_fill(const struct series_view *series, uint8_t positions[ATTRIBUTE_CODES])
{
    assert(series->attribute_count < UINT8_MAX);
    memset(positions, 0, ATTRIBUTE_CODES);
    for (uint32_t i = 0; i < series->attribute_count; i++)
        positions[attribute_code(series->attributes[i].name)] = (uint8_t)(i + 1);
}

void question_init(struct question *question, const struct snapshot *snapshot,
                   const struct series_view *series, uint8_t positions[ATTRIBUTE_CODES])
{
    question->series = series;
    question->positions = series->positions;
    question->hash_mask = snapshot->index->hash_mask;
    question->hashed = 0;
    if (!question->positions) {
        positions_fill(series, positions);
        question->positions = positions;
    }
}

static enum status resolve_priced(const struct snapshot *snapshot, const struct series_view *series,
                                  const struct payer_class *class,
                                  const struct version_index *version, struct resolution *ret)
{
    uint8_t positions[ATTRIBUTE_CODES];
    struct question question;
    struct found found;
    question_init(&question, snapshot, series, positions);
    found.count = 0;
    enum unpriced_reason reason;
    enum status status = resolve_charges(snapshot, version, class, &question, &found, &reason);
    if (status != STATUS_OK)
        return status;
    ret->reason = reason;
    ret->plan_count = found.count;
    for (uint32_t i = 0; i < found.count; i++) {
        ret->plans[i] = found.plans[i];
        ret->multipliers[i] = found.multipliers[i];
    }
    return STATUS_OK;
}

static enum unpriced_reason reason_without_version(const struct payer_class *class)
{
    if (!class)
        return UNPRICED_NO_ACCOUNT;
    return class->catalogue == INDEX_NONE ? UNPRICED_NO_CATALOGUE : UNPRICED_NO_CARD;
}

enum status snapshot_resolve(const struct snapshot *snapshot, const struct series_view *series,
                             struct instant at, struct resolution *ret)
{
    assert(snapshot && snapshot->index && series && ret);
    const struct snapshot_index *index = snapshot->index;
    const struct payer_slot *payer = resolve_payer(snapshot, series->payer_id);
    const struct payer_class *class = payer ? &index->classes[payer->class] : NULL;
    struct month_stretch stretch = month_at(class ? class->months : index->utc, at);
    const struct version_index *version = NULL;
    if (class && class->family != INDEX_NONE)
        version = resolve_version(snapshot, class->family, at, &stretch);
    if (version) {
        enum status status = resolve_priced(snapshot, series, class, version, ret);
        if (status != STATUS_OK)
            return status;
    } else {
        ret->plan_count = 0;
        ret->reason = reason_without_version(class);
    }
    ret->account = payer ? payer->account : INDEX_NONE;
    ret->period = stretch.period;
    ret->from = stretch.from;
    ret->to = stretch.to;
    return STATUS_OK;
}
