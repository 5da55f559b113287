/* Counting the journal's events again: what nearly every one of them needs is a line and a bucket,
 * both asked for ahead. Series whose prices are not known yet, each once an interval of prices, are
 * pointed at their buckets a group at a time. */
#include "account/point.h"

#define GROUP 64 /* events whose lines and buckets fit the first-level cache together */

struct group {
    const struct event *events;
    uint32_t count;
    uint32_t unknown[GROUP]; /* events whose series' lines do not hold for them */
    uint32_t unknown_count;
    struct pointing pointings[GROUP];
    uint32_t pointing_count;
};

static inline bool remembers(const struct series_table *table, const struct event *event)
{
    const struct series_interval *interval =
        &table->intervals[table->lines[event->series].interval];
    return event->start >= interval->from && event->start < interval->to &&
           event->start + event->length <= interval->to;
}

static inline void fetch_buckets(const struct ledger *ledger, const struct series *line)
{
    for (uint32_t i = 0; i < SERIES_SLOTS && line->bucket[i] != INDEX_NONE; i++)
        __builtin_prefetch(&ledger->buckets.items[line->bucket[i]], 1);
}

/* Every event's bucket is on its way, or its series' definition. */
static void look_ahead(const struct ledger *ledger, struct group *group)
{
    const struct series_table *table = &ledger->series;
    group->unknown_count = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct event *event = &group->events[i];
        if (remembers(table, event)) {
            fetch_buckets(ledger, &table->lines[event->series]);
        } else {
            point_prefetch(ledger, event->series);
            group->unknown[group->unknown_count++] = i;
        }
    }
}

/* What cannot be pointed, and a series' second interval in one group, is left to be counted slowly.
 */
static enum status point_unknown(struct ledger *ledger, struct group *group, struct error *error)
{
    group->pointing_count = 0;
    for (uint32_t i = 0; i < group->unknown_count; i++) {
        struct pointing *pointing = &group->pointings[group->pointing_count];
        bool found;
        enum status status =
            point_find(ledger, &group->events[group->unknown[i]], pointing, &found, error);
        if (status != STATUS_OK)
            return status;
        if (!found)
            continue;
        for (uint32_t slot = 0; slot < pointing->count; slot++)
            buckets_prefetch_slot(&ledger->buckets, pointing->keys[slot]);
        group->pointing_count++;
    }
    for (uint32_t i = 0; i < group->pointing_count; i++)
        for (uint32_t slot = 0; slot < group->pointings[i].count; slot++)
            buckets_prefetch(&ledger->buckets, group->pointings[i].keys[slot]);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < group->pointing_count && status == STATUS_OK; i++)
        status = point_set(ledger, &group->pointings[i], error);
    return status;
}

/* The buckets behind the first. False, with nothing done, where a sum would not fit. */
static bool recount_others(struct buckets *buckets, const struct series *line, int128 quanta)
{
    uint32_t count = 1;
    for (; count < SERIES_SLOTS && line->bucket[count] != INDEX_NONE; count++)
        if (buckets->items[line->bucket[count]].quanta + quanta * line->narrow[count - 1] >=
            BUCKET_QUANTA_MAX / 2)
            return false;
    for (uint32_t i = 1; i < count; i++) {
        buckets->items[line->bucket[i]].quanta += quanta * line->narrow[i - 1];
        buckets_changed(buckets, line->bucket[i]);
    }
    return true;
}

/* ledger_count_event for numbers of everyday size whose prices are known. False, with nothing done,
 * for any other. Products of a quantity below 2^62 stay below 2^125, and so does what a bucket
 * holds; a level's is below 2^62 times 2^32, and its multiplier below 2^31. */
static inline bool recount_quickly(struct ledger *ledger, const struct event *event)
{
    const struct series *line = &ledger->series.lines[event->series];
    if (!remembers(&ledger->series, event) || event->quanta_high || event->quanta_low >> 62)
        return false;
    if (line->bucket[0] == INDEX_NONE)
        return true;
    int128 quanta = event->quanta_low;
    if (series_level(line)) {
        if (line->wide >> 31 || line->bucket[1] != INDEX_NONE)
            return false;
        quanta *= event->length;
    }
    struct buckets *buckets = &ledger->buckets;
    struct bucket *bucket = &buckets->items[line->bucket[0]];
    int128 sum = bucket->quanta + quanta * line->wide;
    if (sum >= BUCKET_QUANTA_MAX / 2)
        return false;
    if (line->bucket[1] != INDEX_NONE && !recount_others(buckets, line, quanta))
        return false;
    bucket->quanta = sum;
    buckets_changed(buckets, line->bucket[0]);
    return true;
}

static enum status recount_group(struct ledger *ledger, struct group *group, struct error *error)
{
    look_ahead(ledger, group);
    if (group->unknown_count) {
        enum status status = point_unknown(ledger, group, error);
        if (status != STATUS_OK)
            return status;
    }
    for (uint32_t i = 0; i < group->count; i++) {
        if (recount_quickly(ledger, &group->events[i]))
            continue;
        enum status status = ledger_recount_event(ledger, &group->events[i], error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Lines of the group are on their way, and the events of the next but one. False: an event names a
 * series that there is not. */
static bool fetch_lines(const struct series_table *table, const struct event *events,
                        uint32_t count)
{
    uint32_t highest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i % 2 == 0) /* a frame has a tail behind its events, so there is something */
            __builtin_prefetch((const char *)events + (GROUP + i) * sizeof(*events));
        uint32_t series = events[i].series;
        highest = series > highest ? series : highest;
        __builtin_prefetch((const char *)table->lines + (size_t)series * sizeof(*table->lines));
    }
    return count == 0 || highest < table->count;
}

static uint32_t group_size(uint32_t left)
{
    return left < GROUP ? left : GROUP;
}

enum status ledger_recount_events(struct ledger *ledger, const struct event *events, uint32_t count,
                                  struct error *error)
{
    struct group group;
    enum status status = STATUS_OK;
    bool known = fetch_lines(&ledger->series, events, group_size(count));
    for (uint32_t at = 0; at < count && known && status == STATUS_OK; at += group.count) {
        group.events = events + at;
        group.count = group_size(count - at);
        known = fetch_lines(&ledger->series, events + at + group.count,
                            group_size(count - at - group.count));
        status = recount_group(ledger, &group, error);
    }
    if (status == STATUS_OK && !known)
        return error_set(error, STATUS_CORRUPT,
                         "an event of the journal names a series that is not defined: run "
                         "`ratel verify`, restore from a backup");
    return status;
}
