/* Counting events: one at a time, and blocks of them.
 *
 * What costs is waiting for memory: the index, the series' line, its buckets. So a block goes
 * through in groups, each group in steps, and every step asks for what the next one reads. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/point.h"

#define GROUP 64 /* items whose lines fit the first-level cache together */

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status classify_id(struct ledger *ledger, struct hash128 id, const struct event *event,
                               enum outcome *ret, struct error *error)
{
    enum idset_answer answer;
    enum status status =
        ids_classify(&ledger->ids, id, ledger_event_content(event), &answer, error);
    if (status != STATUS_OK)
        return status;
    *ret = answer == IDSET_NEW         ? OUTCOME_ACCEPTED
           : answer == IDSET_DUPLICATE ? OUTCOME_DUPLICATE
                                       : OUTCOME_CONFLICT;
    return STATUS_OK;
}

static enum status classify_window(struct ledger *ledger, const struct event *event, uint64_t code,
                                   enum outcome *ret, struct error *error)
{
    enum coverage_answer answer;
    enum status status = windows_classify(&ledger->series, event->series, (uint32_t)event->start,
                                          event->length, code, &answer, error);
    *ret = answer == COVERAGE_NEW         ? OUTCOME_ACCEPTED
           : answer == COVERAGE_DUPLICATE ? OUTCOME_DUPLICATE
                                          : OUTCOME_CONFLICT;
    return status;
}

static bool window_fits(const struct event *event)
{
    return event->start >= 0 && event->start + event->length <= WINDOWS_INSTANT_MAX;
}

static enum status conflict(struct ledger *ledger, const struct event *event, struct hash128 id,
                            struct error *error)
{
    bool added;
    struct conflict entry = {*event, id};
    return ledger_add_conflict(ledger, &entry, &added) == STATUS_OK ? STATUS_OK
                                                                    : out_of_memory(error);
}

/* Counts an event of a known series. On OUTCOME_REFUSED `error` says why and nothing changed. */
static enum status apply(struct ledger *ledger, const struct event *event, const struct hash128 *id,
                         enum outcome *ret, struct error *error)
{
    if (!id && !window_fits(event)) {
        *ret = OUTCOME_REFUSED;
        (void)error_set(error, STATUS_RANGE, "the window lies outside the years 1970 to 2105");
        return STATUS_OK;
    }
    uint64_t code = windows_code(event_quantity(event));
    enum status status = id ? classify_id(ledger, *id, event, ret, error)
                            : classify_window(ledger, event, code, ret, error);
    if (status != STATUS_OK || *ret == OUTCOME_DUPLICATE)
        return status;
    if (*ret == OUTCOME_CONFLICT)
        return conflict(ledger, event, id ? *id : (struct hash128){0, 0}, error);
    status = ledger_count_event(ledger, event, error);
    if (status == STATUS_RANGE) {
        *ret = OUTCOME_REFUSED;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    if (id)
        status = ids_add(&ledger->ids, *id, ledger_event_content(event)) == STATUS_OK
                     ? STATUS_OK
                     : out_of_memory(error);
    else
        status = windows_add(&ledger->series, event->series, (uint32_t)event->start, event->length,
                             code, error);
    if (status == STATUS_OK)
        ledger_pend(ledger, event, id);
    return status;
}

static enum status add_series(struct ledger *ledger, const struct usage *usage, uint32_t *ret,
                              struct error *error)
{
    enum status status =
        series_add(&ledger->series, usage->series_hash, usage->definition, ret, error);
    if (status != STATUS_OK)
        return status;
    pack_slice(&ledger->pending_definitions, usage->definition);
    ledger->definition_bytes += usage->definition.length;
    return ledger->pending_definitions.failed ? out_of_memory(error) : STATUS_OK;
}

enum status ledger_apply(struct ledger *ledger, struct usage *usage, enum outcome *ret,
                         struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE && usage->verdict == VERDICT_EVENT);
    if (ledger_pend_reserve(ledger, 1) != STATUS_OK)
        return out_of_memory(error);
    uint32_t series = series_find(&ledger->series, usage->series_hash);
    enum status status =
        series == INDEX_NONE ? add_series(ledger, usage, &series, error) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    struct event event = event_make(series, usage->start, usage->end, usage->quantity);
    struct error refusal = {0};
    status = apply(ledger, &event, usage->has_id ? &usage->id : NULL, ret, &refusal);
    if (status != STATUS_OK && error)
        *error = refusal;
    if (status == STATUS_OK && *ret == OUTCOME_REFUSED)
        snprintf(usage->reason, sizeof(usage->reason), "%.150s", refusal.text);
    return status;
}

/* ---- blocks
 * ------------------------------------------------------------------------------------------------------
 */

static struct event event_of(const struct usage_item *item, uint32_t series)
{
    return (struct event){
        .quanta_low = item->quanta_low,
        .quanta_high = item->quanta_high,
        .start = item->start,
        .length = item->length,
        .series = series,
    };
}

/* Defines the item's series, which must be unknown, and finds out where its quantity goes.
 * *ret_found: as point_find's. */
static enum status define(struct ledger *ledger, const struct usage_item *item,
                          const struct apply_callbacks *callbacks, uint32_t *ret,
                          struct pointing *ret_pointing, bool *ret_found, struct error *error)
{
    struct usage usage;
    *ret_found = false;
    enum status status = callbacks->define(callbacks->context, item, &usage, error);
    if (status != STATUS_OK)
        return status;
    assert(usage.verdict == VERDICT_EVENT && hash128_equal(usage.series_hash, item->series));
    status = add_series(ledger, &usage, ret, error);
    struct event event = event_of(item, *ret);
    if (status != STATUS_OK || !window_fits(&event))
        return status;
    return point_fits(ledger, &event)
               ? point_find_in(ledger, usage.definition, &event, ret_pointing, ret_found, error)
               : STATUS_OK;
}

/* Items from the first on whose series are not known: all are defined, then all are pointed at
 * their buckets, which are asked for meanwhile. It ends in front of an item that has become known,
 * and behind one that has to be counted slowly: so buckets are made in the order of the items. */
static enum status introduce(struct ledger *ledger, const struct usage_item *items, uint32_t count,
                             const struct apply_callbacks *callbacks, uint32_t series[],
                             struct error *error)
{
    struct pointing pointings[GROUP];
    uint32_t found_count = 0;
    bool found = true;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && found && series[i] == INDEX_NONE; i++) {
        struct pointing *pointing = &pointings[found_count];
        series[i] = series_find(&ledger->series, items[i].series);
        if (series[i] != INDEX_NONE)
            break; /* it became known within the block, or the first guess was wrong */
        status = define(ledger, &items[i], callbacks, &series[i], pointing, &found, error);
        if (status != STATUS_OK)
            return status;
        if (found) {
            point_prefetch_slots(ledger, pointing);
            found_count++;
        }
    }
    for (uint32_t i = 0; i < found_count; i++)
        point_prefetch_buckets(ledger, &pointings[i]);
    for (uint32_t i = 0; i < found_count && status == STATUS_OK; i++)
        status = point_set(ledger, &pointings[i], error);
    return status;
}

static enum status apply_item(struct ledger *ledger, const struct usage_item *item, uint32_t series,
                              const struct apply_callbacks *callbacks, struct ingest_counts *counts,
                              struct error *error)
{
    struct event event = event_of(item, series);
    enum outcome outcome;
    struct error failure;
    failure.text[0] = '\0';
    enum status status = apply(ledger, &event, NULL, &outcome, &failure);
    if (status != STATUS_OK) {
        if (error)
            *error = failure;
        return status;
    }
    counts->read++;
    switch (outcome) {
    case OUTCOME_ACCEPTED:
        counts->accepted++;
        break;
    case OUTCOME_DUPLICATE:
        counts->duplicate++;
        break;
    case OUTCOME_CONFLICT:
        counts->conflict++;
        break;
    case OUTCOME_REFUSED:
        counts->quarantined++;
        return callbacks->refused(callbacks->context, item, failure.text, error);
    }
    return STATUS_OK;
}

/* What nearly every item is: of a known series whose prices are known, behind its newest window or
 * the same as that, with numbers of everyday size. */
enum quick {
    QUICK_NOT, /* nothing was done */
    QUICK_ACCEPTED,
    QUICK_JOINS_NOT, /* counted, but its window remains to be added */
    QUICK_DUPLICATE,
};

/* The sum of one bucket as two words: as one vector they would be read again before they have
 * reached the cache. False: not of everyday size, or it would overflow. */
static inline bool quick_sum(const struct bucket *bucket, uint64_t low, uint64_t high,
                             uint64_t times, uint128 *ret)
{
    /* Below 2^125 either way, and so is what the bucket holds. */
    if (times >> 63 || (high && (high >> 29 || times >> 32)))
        return false;
    *ret = (uint128)bucket->quanta + (uint128)low * times + ((uint128)(high * times) << 64);
    return *ret < (uint128)(BUCKET_QUANTA_MAX / 2);
}

/* ledger_count_event where the slots hold. */
static inline bool count_quickly(struct ledger *ledger, const struct series *line,
                                 const struct usage_item *item)
{
    uint64_t low = item->quanta_low, high = 0;
    if (item->quanta_high || low >> 62)
        return false;
    if (series_level(line)) {
        uint128 product = (uint128)low * item->length;
        low = (uint64_t)product;
        high = (uint64_t)(product >> 64);
    }
    if (line->bucket[0] == INDEX_NONE)
        return true;
    if (line->bucket[1] != INDEX_NONE)
        return false;
    struct bucket *bucket = &ledger->buckets.items[line->bucket[0]];
    uint128 sum;
    if (!quick_sum(bucket, low, high, (uint64_t)line->wide, &sum))
        return false;
    bucket->quanta = (int128)sum;
    buckets_changed(&ledger->buckets, line->bucket[0]);
    return true;
}

static inline enum quick apply_quickly(struct ledger *ledger, const struct usage_item *item,
                                       uint32_t series)
{
    struct series *line = &ledger->series.lines[series];
    const struct series_interval *interval = &ledger->series.intervals[line->interval];
    uint32_t step = line->run_step & SERIES_STEP_MASK;
    uint64_t run_end = line->run_start + (uint64_t)step * line->run_count;
    int64_t start = item->start, end = start + item->length;
    bool same = step == item->length && line->run_code == item->quanta_low && !item->quanta_high;
    if (run_end == (uint64_t)end && same && line->run_count)
        return item->quanta_low >> 63 ? QUICK_NOT : QUICK_DUPLICATE;
    if ((uint64_t)start < run_end || start < interval->from || end > interval->to ||
        end > WINDOWS_INSTANT_MAX || line->run_count == UINT32_MAX ||
        !count_quickly(ledger, line, item))
        return QUICK_NOT;
    ledger->series.dirty[series / SERIES_CHUNK] = 1;
    if (run_end != (uint64_t)start || !same)
        return QUICK_JOINS_NOT;
    line->run_count++;
    return QUICK_ACCEPTED;
}

static inline enum status apply_known(struct ledger *ledger, const struct usage_item *item,
                                      uint32_t series, const struct apply_callbacks *callbacks,
                                      struct ingest_counts *counts, struct error *error)
{
    enum status status;
    switch (apply_quickly(ledger, item, series)) {
    case QUICK_NOT:
        return apply_item(ledger, item, series, callbacks, counts, error);
    case QUICK_DUPLICATE:
        counts->read++;
        counts->duplicate++;
        return STATUS_OK;
    case QUICK_JOINS_NOT:
        /* Its code is the quantity itself: it is below 2^62. */
        status = windows_add(&ledger->series, series, item->start, item->length, item->quanta_low,
                             error);
        if (status != STATUS_OK)
            return status;
        break;
    case QUICK_ACCEPTED:
        break;
    }
    struct event *event = ledger_next_event(ledger);
    event->quanta_low = item->quanta_low;
    event->quanta_high = 0;
    event->start = item->start;
    event->length = item->length;
    event->series = series;
    if (ledger->budgeted)
        ledger_touch(ledger, event);
    counts->read++;
    counts->accepted++;
    return STATUS_OK;
}

static inline void prefetch_buckets(const struct ledger *ledger, uint32_t series,
                                    const struct usage_item *item)
{
    const struct series *line = &ledger->series.lines[series];
    for (uint32_t i = 0; i < SERIES_SLOTS && line->bucket[i] != INDEX_NONE; i++)
        __builtin_prefetch(&ledger->buckets.items[line->bucket[i]], 1);
    if (line->tail && line->run_code != item->quanta_low)
        __builtin_prefetch(&ledger->series.tails[line->tail], 1);
}

/* Usage comes in the order in which it came the last time, and series are numbered in that order:
 * so the next series is the one behind the last, and neither index nor line has to be waited for.
 * An item that is not the one expected (sent twice, a series that is gone) gets INDEX_NONE. */
static inline uint32_t expect_group(const struct ledger *ledger, const struct usage_item *items,
                                    uint32_t count, uint32_t ret_guesses[])
{
    const struct series_table *table = &ledger->series;
    uint32_t expected = ledger->expected_series, found = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool right = expected < table->count && series_is(table, expected, items[i].series);
        ret_guesses[i] = right ? expected : INDEX_NONE;
        expected += right;
        found += right;
        __builtin_prefetch(&table->lines[expected + GROUP < table->count ? expected + GROUP : 0],
                           1);
    }
    return found;
}

/* By the index, for those that are not known yet. */
static inline void look_up_group(const struct ledger *ledger, const struct usage_item *items,
                                 uint32_t count, uint32_t guesses[])
{
    const struct series_table *table = &ledger->series;
    uint32_t missing[GROUP], missing_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        missing[missing_count] = i;
        missing_count += guesses[i] == INDEX_NONE;
    }
    for (uint32_t i = 0; i < missing_count; i++)
        series_prefetch_index(table, items[missing[i]].series);
    for (uint32_t i = 0; i < missing_count; i++) {
        uint32_t guess = series_guess(table, items[missing[i]].series);
        guesses[missing[i]] = guess;
        if (guess != INDEX_NONE)
            __builtin_prefetch(&table->lines[guess], 1);
    }
    for (uint32_t i = 0; i < missing_count; i++) {
        uint32_t *guess = &guesses[missing[i]];
        if (*guess != INDEX_NONE && table->lines[*guess].check != items[missing[i]].series.high)
            *guess = INDEX_NONE;
    }
}

/* Asks for what `items` will touch, and says which series they seem to be of; INDEX_NONE where that
 * is not so. */
static inline void fetch_group(const struct ledger *ledger, const struct usage_item *items,
                               uint32_t count, uint32_t ret_guesses[])
{
    if (expect_group(ledger, items, count, ret_guesses) < count)
        look_up_group(ledger, items, count, ret_guesses);
    for (uint32_t i = 0; i < count; i++)
        if (ret_guesses[i] != INDEX_NONE)
            prefetch_buckets(ledger, ret_guesses[i], &items[i]);
}

static enum status apply_group(struct ledger *ledger, const struct usage_item *items,
                               uint32_t count, const struct apply_callbacks *callbacks,
                               struct ingest_counts *counts, struct error *error)
{
    uint32_t guesses[GROUP];
    fetch_group(ledger, items, count, guesses);
    for (uint32_t i = 0; i < count; i++) {
        enum status status = STATUS_OK;
        if (guesses[i] == INDEX_NONE)
            status = introduce(ledger, items + i, count - i, callbacks, guesses + i, error);
        if (status == STATUS_OK)
            status = apply_known(ledger, &items[i], guesses[i], callbacks, counts, error);
        if (status != STATUS_OK)
            return status;
    }
    ledger->expected_series = guesses[count - 1] + 1;
    return STATUS_OK;
}

enum status ledger_apply_items(struct ledger *ledger, const struct usage_item *items,
                               uint32_t count, const struct apply_callbacks *callbacks,
                               struct ingest_counts *ret_counts, struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE);
    if (ledger_pend_reserve(ledger, count) != STATUS_OK)
        return out_of_memory(error);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at += GROUP) {
        uint32_t size = count - at < GROUP ? count - at : GROUP;
        status = apply_group(ledger, items + at, size, callbacks, ret_counts, error);
    }
    return status;
}
