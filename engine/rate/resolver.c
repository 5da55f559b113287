#include "rate/resolver.h"

#include <assert.h>

#include "rate/resolve_steps.h"

void resolver_init(struct resolver *resolver, const struct snapshot *snapshot)
{
    assert(snapshot->index);
    memset(resolver, 0, sizeof *resolver);
    resolver->snapshot = snapshot;
    for (uint32_t i = 0; i < RESOLVER_STRETCHES; i++)
        resolver->stretches[i].payer_class = INDEX_NONE;
}

static inline const struct payer_slot *payer_again(struct resolver *resolver, struct slice id)
{
    const struct payer_slot *last = resolver->payer;
    if (last && last->length == id.length && id.length <= PAYER_TEXT_BYTES &&
        slice_equal(id, slice_of(last->text, id.length)))
        return last;
    return resolver->payer = resolve_payer(resolver->snapshot, id);
}

static inline const struct resolver_stretch *stretch_at(struct resolver *resolver, uint32_t class,
                                                        struct instant at)
{
    const struct snapshot_index *index = resolver->snapshot->index;
    struct resolver_stretch *known = &resolver->stretches[class % RESOLVER_STRETCHES];
    if (known->payer_class == class && at.seconds >= known->stretch.from.seconds &&
        at.seconds < known->stretch.to.seconds)
        return known;
    uint32_t family = index->classes[class].family;
    known->payer_class = class;
    known->version = NULL;
    known->stretch = month_at(index->classes[class].months, at);
    if (family != INDEX_NONE)
        known->version = resolve_version(resolver->snapshot, family, at, &known->stretch);
    return known;
}

/* Some of a value's bytes: enough to tell most ids apart. */
static inline uint64_t value_sample(struct slice value)
{
    uint64_t first = 0, last = 0;
    if (value.length >= sizeof first) {
        memcpy(&first, value.data, sizeof first);
        memcpy(&last, value.data + value.length - sizeof last, sizeof last);
    } else if (value.length) {
        memcpy(&first, value.data, value.length);
    }
    return first ^ (last << 29 | last >> 35) ^ value.length << 56;
}

/* What the answer depends on: a line that may hold it is made from it, and compared with it. */
struct sought {
    const struct version_index *version;
    uint32_t payer_class;
    uint8_t usage_type;
    uint32_t count; /* of values */
    struct slice values[RESOLVER_VALUES];
    uint8_t lengths[RESOLVER_VALUES];
    uint64_t hash;
};

/* False: the values are too long to be kept. */
static inline bool sought_values(struct sought *sought, const struct series_view *series,
                                 uint32_t looks_at)
{
    size_t bytes = 0;
    uint64_t hash = (uint64_t)(uintptr_t)sought->version ^ (uint64_t)sought->payer_class << 40 ^
                    sought->usage_type;
    sought->count = 0;
    for (; looks_at; looks_at &= looks_at - 1) {
        uint32_t position = series->positions[__builtin_ctz(looks_at)];
        struct slice value = position ? series->attributes[position - 1].value : (struct slice){0};
        if (value.length >= UINT8_MAX)
            return false;
        bytes += value.length;
        sought->values[sought->count] = value;
        sought->lengths[sought->count++] = position ? (uint8_t)(value.length + 1) : 0;
        hash = hash_append(hash, value_sample(value));
    }
    sought->hash = hash;
    return bytes <= RESOLVER_TEXT_BYTES;
}

static inline bool line_holds(const struct resolver_line *line, const struct sought *sought)
{
    if (line->version != sought->version || line->payer_class != sought->payer_class ||
        line->usage_type != sought->usage_type)
        return false;
    const char *at = line->text;
    for (uint32_t i = 0; i < sought->count; i++) {
        struct slice value = sought->values[i];
        if (line->lengths[i] != sought->lengths[i] ||
            !slice_equal(slice_of(at, value.length), value))
            return false;
        at += value.length;
    }
    return true;
}

/* False: more charges count the series than a line holds. */
static bool line_fill(const struct snapshot *snapshot, const struct sought *sought,
                      struct question *question, struct resolver_line *line)
{
    struct charge_range range = sought->version->by_type[sought->usage_type];
    const struct payer_class *class = &snapshot->index->classes[sought->payer_class];
    char *at = line->text;
    line->version = NULL;
    line->match_count = 0;
    for (uint32_t i = range.first; i < range.first + range.count; i++) {
        const struct charge_index *charge = &sought->version->charges[i];
        uint32_t row = resolve_row(charge->set, question);
        if (row == INDEX_NONE)
            continue;
        if (line->match_count == RESOLVER_MATCHES)
            return false;
        line->charges[line->match_count] = i;
        line->plans[line->match_count++] = resolve_plan(snapshot, &charge->rows[row], class);
    }
    line->version = sought->version;
    line->payer_class = sought->payer_class;
    line->usage_type = sought->usage_type;
    for (uint32_t i = 0; i < sought->count; i++) {
        struct slice value = sought->values[i];
        line->lengths[i] = sought->lengths[i];
        if (value.length)
            memcpy(at, value.data, value.length);
        at += value.length;
    }
    return true;
}

/* The line of these values, or NULL. Each has two places. */
static inline const struct resolver_line *
line_of(struct resolver *resolver, const struct sought *sought, struct question *question)
{
    struct resolver_line *first = &resolver->lines[sought->hash % RESOLVER_LINES];
    struct resolver_line *second = &resolver->lines[sought->hash % RESOLVER_LINES ^ 1];
    if (line_holds(first, sought))
        return first;
    if (line_holds(second, sought))
        return second;
    struct resolver_line *victim = !first->version || second->version ? first : second;
    return line_fill(resolver->snapshot, sought, question, victim) ? victim : NULL;
}

static void resolve_line(const struct resolver_line *line, const struct question *question,
                         struct resolution *ret)
{
    ret->plan_count = 0;
    ret->reason = UNPRICED_NO_PRICE;
    for (uint32_t i = 0; i < line->match_count; i++) {
        int128 multiplier;
        if (!resolve_multiplier(&line->version->charges[line->charges[i]], question, &multiplier)) {
            ret->reason = UNPRICED_NO_ATTRIBUTE;
            continue;
        }
        ret->plans[ret->plan_count] = line->plans[i];
        ret->multipliers[ret->plan_count++] = multiplier;
    }
    if (ret->plan_count)
        ret->reason = PRICED;
}

enum status resolver_resolve(struct resolver *resolver, const struct series_view *series,
                             struct instant at, struct resolution *ret)
{
    const struct snapshot *snapshot = resolver->snapshot;
    const struct payer_slot *payer = payer_again(resolver, series->payer_id);
    if (!payer || !series->positions || !series->meter || !series->meter->usage_type)
        return snapshot_resolve(snapshot, series, at, ret);
    const struct resolver_stretch *known = stretch_at(resolver, payer->class, at);
    struct sought sought = {.version = known->version,
                            .payer_class = payer->class,
                            .usage_type = (uint8_t)series->meter->usage_type};
    if (!sought.version)
        return snapshot_resolve(snapshot, series, at, ret);
    uint32_t looks_at = sought.version->by_type[sought.usage_type].looks_at;
    if (looks_at & 1 || !sought_values(&sought, series, looks_at))
        return snapshot_resolve(snapshot, series, at, ret);
    struct question question;
    question_init(&question, snapshot, series, NULL);
    const struct resolver_line *line = line_of(resolver, &sought, &question);
    if (!line)
        return snapshot_resolve(snapshot, series, at, ret);
    resolve_line(line, &question, ret);
    ret->account = payer->account;
    ret->period = known->stretch.period;
    ret->from = known->stretch.from;
    ret->to = known->stretch.to;
    return STATUS_OK;
}

bool resolver_follow(struct resolver *resolver, uint32_t account, const uint32_t *plans,
                     uint32_t plan_count, struct instant at, struct resolution *ret)
{
    const struct snapshot *snapshot = resolver->snapshot;
    const struct snapshot_index *index = snapshot->index;
    assert(account < snapshot->account_count && plan_count > 0 && plan_count <= RESOLVE_PLANS_MAX);
    const struct resolver_stretch *known =
        stretch_at(resolver, index->account_classes[account], at);
    if (!known->version)
        return false;
    uint32_t version = (uint32_t)(known->version - index->versions);
    for (uint32_t i = 0; i < plan_count; i++) {
        assert(plans[i] < snapshot->plan_count);
        uint32_t before = snapshot->plans[plans[i]].version;
        if (before == version)
            ret->plans[i] = plans[i];
        else if (before + 1 == version)
            ret->plans[i] = index->later[plans[i]];
        else
            return false;
        if (ret->plans[i] == INDEX_NONE)
            return false;
    }
    ret->account = account;
    ret->period = known->stretch.period;
    ret->from = known->stretch.from;
    ret->to = known->stretch.to;
    ret->plan_count = plan_count;
    ret->reason = PRICED;
    return true;
}
