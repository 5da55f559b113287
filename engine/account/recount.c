/* Invariants:
 * R-1 where a tally holds quanta, its series' slots are those of its interval.
 * R-2 a tally holds less than 2^63 quanta, so that its product with what a slot multiplies by stays
 *     below 2^126.
 * R-3 no quantity is negative: a sum that overflows in one order of its events does so in any. */
#include "account/recount.h"

#include "account/point.h"

#define GROUP       64  /* events whose series fit the first-level cache together */
#define AHEAD       128 /* events that memory is asked for before they are counted */
#define SETTLE_NEXT 8   /* series ahead whose buckets are fetched while tallies are settled */

enum other_state {
    OTHER_SLOW,  /* no line can hold where it goes */
    OTHER_POINT, /* its series is to be pointed at its buckets */
    OTHER_HELD,  /* its series' slots hold, but its tally does not take it */
};

/* An event that its series' tally does not take. */
struct other {
    const struct event *event;
    enum other_state state;
    struct pointing pointing;
};

enum status recount_begin(struct recount *recount, struct ledger *ledger, struct error *error)
{
    *recount = (struct recount){.ledger = ledger};
    if (vast_init(&recount->memory, sizeof(struct tally), SERIES_MAX, SERIES_MAX / 64, true) !=
            STATUS_OK ||
        vast_init(&recount->used_memory, 1, SERIES_MAX / SERIES_CHUNK,
                  SERIES_MAX / SERIES_CHUNK / 64, false) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    recount->tallies = (struct tally *)(void *)recount->memory.base;
    recount->used = (uint8_t *)recount->used_memory.base;
    return STATUS_OK;
}

/* ---- tallies
 * ------------------------------------------------------------------------------------------------------
 */

/* False, with nothing done: the event is of another interval, or not of everyday size. */
static inline bool tally_add(struct tally *tally, const struct event *event)
{
    int64_t end = event->start + event->length;
    bool inside = (event->start >= tally->from) & (end <= tally->to) & (event->start < tally->to);
    uint64_t large = (event->quanta_low | tally->quanta) >> 62 | (uint64_t)event->quanta_high;
    if (!inside | (large != 0))
        return false;
    tally->quanta += event->quanta_low; /* */
    return true;
}

/* From now on the tally gathers what its series' slots hold for. */
static void tally_open(struct recount *recount, uint32_t series)
{
    const struct series_table *table = &recount->ledger->series;
    const struct series *line = &table->lines[series];
    const struct series_interval *interval = &table->intervals[line->interval];
    struct tally *tally = &recount->tallies[series];
    assert(tally->quanta == 0);
    tally->from = tally->to = 0;
    if (series_level(line) || line->wide < 0)
        return;
    recount->used[series / SERIES_CHUNK] = 1;
    tally->from = interval->from < 0 ? 0 : (uint32_t)interval->from;
    tally->to = interval->to > UINT32_MAX ? UINT32_MAX : (uint32_t)interval->to;
}

/* False: a sum would not fit. */
static bool add_quanta(struct buckets *buckets, const struct series *line, int128 quanta)
{
    for (uint32_t i = 0; i < SERIES_SLOTS && line->bucket[i] != INDEX_NONE; i++) {
        struct bucket *bucket = &buckets->items[line->bucket[i]];
        int128 product = quanta * (i == 0 ? line->wide : (int64_t)line->narrow[i - 1]);
        if (bucket->quanta + product >= BUCKET_QUANTA_MAX / 2)
            return false;
        bucket->quanta += product;
        buckets_changed(buckets, line->bucket[i]);
    }
    return true;
}

/* Brings what the series has gathered to its buckets. */
static void settle(struct recount *recount, uint32_t series)
{
    struct tally *tally = &recount->tallies[series];
    uint64_t quanta = tally->quanta;
    tally->quanta = 0;
    if (quanta && !add_quanta(&recount->ledger->buckets, &recount->ledger->series.lines[series],
                              (int128)quanta))
        recount->overflowed = true;
}

static inline void fetch_buckets(const struct ledger *ledger, const struct series *line)
{
    for (uint32_t i = 0; i < SERIES_SLOTS && line->bucket[i] != INDEX_NONE; i++)
        __builtin_prefetch(&ledger->buckets.items[line->bucket[i]], 1);
}

static void settle_chunk(struct recount *recount, uint32_t chunk)
{
    const struct ledger *ledger = recount->ledger;
    uint32_t first = chunk * SERIES_CHUNK, end = first + SERIES_CHUNK;
    end = end < ledger->series.count ? end : ledger->series.count;
    for (uint32_t series = first; series < end; series++) {
        if (series + SETTLE_NEXT < end)
            fetch_buckets(ledger, &ledger->series.lines[series + SETTLE_NEXT]);
        settle(recount, series);
    }
}

/* ---- events that a tally does not take
 * -----------------------------------------------------------------------------------------
 */

static void fetch_other(const struct ledger *ledger, const struct event *event)
{
    const struct series *line = &ledger->series.lines[event->series];
    fetch_buckets(ledger, line);
    if (!line->interval || line->bucket[0] == INDEX_NONE)
        point_prefetch(ledger, event->series);
}

static enum status find_other(struct ledger *ledger, struct other *other, struct error *error)
{
    bool found = false;
    enum status status = STATUS_OK;
    other->state = OTHER_HELD;
    if (ledger_remembers(ledger, other->event))
        return STATUS_OK;
    found = point_follow(ledger, other->event, &other->pointing);
    if (!found)
        status = point_find(ledger, other->event, &other->pointing, &found, error);
    other->state = found ? OTHER_POINT : OTHER_SLOW;
    for (uint32_t i = 0; found && i < other->pointing.count; i++)
        buckets_prefetch_slot(&ledger->buckets, other->pointing.keys[i]);
    return status;
}

/* The event into its buckets by itself. */
static enum status count_alone(struct recount *recount, const struct event *event,
                               struct error *error)
{
    struct error refusal = {0};
    enum status status = ledger_count_event(recount->ledger, event, &refusal);
    if (status == STATUS_RANGE) {
        recount->overflowed = true;
        return STATUS_OK;
    }
    if (status != STATUS_OK && error)
        *error = refusal;
    return status;
}

/* Another of the same series may have come before it in the group. */
static enum status count_other(struct recount *recount, const struct other *other,
                               struct error *error)
{
    struct ledger *ledger = recount->ledger;
    const struct event *event = other->event;
    settle(recount, event->series); /* */
    if (other->state == OTHER_POINT && !ledger_remembers(ledger, event)) {
        enum status status = point_set(ledger, &other->pointing, error);
        if (status != STATUS_OK)
            return status;
    }
    tally_open(recount, event->series);
    if (tally_add(&recount->tallies[event->series], event))
        return STATUS_OK;
    enum status status = count_alone(recount, event, error);
    tally_open(recount, event->series); /* its slots may have changed */
    return status;
}

/* Each step asks for what the next one reads. */
static enum status count_others(struct recount *recount, struct other *others, uint32_t count,
                                struct error *error)
{
    struct ledger *ledger = recount->ledger;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count; i++)
        fetch_other(ledger, others[i].event);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        status = find_other(ledger, &others[i], error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        for (uint32_t slot = 0; others[i].state == OTHER_POINT && slot < others[i].pointing.count;
             slot++)
            buckets_prefetch(&ledger->buckets, others[i].pointing.keys[slot]);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        status = count_other(recount, &others[i], error);
    return status;
}

/* ---- events
 * ------------------------------------------------------------------------------------------------------
 */

static enum status count_group(struct recount *recount, const struct event *events, uint32_t count,
                               struct error *error)
{
    struct other others[GROUP];
    uint32_t other_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (tally_add(&recount->tallies[events[i].series], &events[i]))
            continue;
        __builtin_prefetch(&recount->ledger->series.lines[events[i].series], 1);
        others[other_count++].event = &events[i];
    }
    return other_count ? count_others(recount, others, other_count, error) : STATUS_OK;
}

/* The tallies of a group are on their way, and events behind it. False: an event names a series that
 * there is not. */
static bool fetch_group(const struct recount *recount, const struct event *events, uint32_t count)
{
    uint32_t highest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i % 2 == 0) /* a frame has a tail behind its events, so there is something */
            __builtin_prefetch((const char *)events + (GROUP + i) * sizeof(*events));
        uint32_t series = events[i].series;
        highest = series > highest ? series : highest;
        __builtin_prefetch((const char *)recount->tallies + (size_t)series * sizeof(struct tally),
                           1);
    }
    return highest < recount->ledger->series.count;
}

static uint32_t group_size(uint32_t left)
{
    return left < GROUP ? left : GROUP;
}

enum status recount_events(struct recount *recount, const struct event *events, uint32_t count,
                           struct error *error)
{
    uint32_t series = recount->ledger->series.count;
    if (vast_reserve(&recount->memory, series) != STATUS_OK ||
        vast_reserve(&recount->used_memory, series / SERIES_CHUNK + 1) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = STATUS_OK;
    uint32_t fetched = 0;
    bool known = true;
    for (uint32_t at = 0; at < count && known && status == STATUS_OK; at += GROUP) {
        for (; fetched < count && fetched <= at + AHEAD && known; fetched += GROUP)
            known = fetch_group(recount, events + fetched, group_size(count - fetched));
        if (recount->overflowed)
            return STATUS_OK;
        if (known)
            status = count_group(recount, events + at, group_size(count - at), error);
    }
    if (status == STATUS_OK && !known)
        return error_set(error, STATUS_CORRUPT,
                         "an event of the journal names a series that is not defined: run "
                         "`ratel verify`, restore from a backup");
    return status;
}

void recount_end(struct recount *recount, bool complete, bool *ret_overflowed)
{
    uint32_t chunks = (uint32_t)recount->used_memory.count;
    for (uint32_t chunk = 0; complete && chunk < chunks && !recount->overflowed; chunk++)
        if (recount->used[chunk])
            settle_chunk(recount, chunk);
    *ret_overflowed = recount->overflowed;
    vast_fini(&recount->memory);
    vast_fini(&recount->used_memory);
}
