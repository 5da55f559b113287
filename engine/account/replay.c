/* From the journal to state: recovery, derivation and reports all read frames through here. */
#include <assert.h>

#include "account/recount.h"

struct replay {
    struct ledger *ledger;
    struct recount *recount; /* NULL: without buckets */
};

static enum status contradicts(const struct journal_frame *frame, const char *what,
                               struct error *error)
{
    return error_set(error, STATUS_CORRUPT,
                     "journal frame %llu: %s; run `ratel verify`, restore from a backup",
                     (unsigned long long)frame->sequence, what);
}

static enum status replay_definitions(struct ledger *ledger, struct journal_frame *frame,
                                      struct error *error)
{
    if (frame->definition_count && frame->series_first != ledger->series.count)
        return contradicts(frame, "its new series do not follow on the ones before", error);
    struct slice group[SERIES_RESTORE_MAX];
    for (uint32_t i = 0, count = 0; i < frame->definition_count; i++) {
        struct error failure = {0};
        group[count++] = journal_next_definition(frame);
        if (count < SERIES_RESTORE_MAX && i + 1 < frame->definition_count)
            continue;
        enum status status = series_restore(&ledger->series, group, count, &failure);
        if (status == STATUS_CORRUPT)
            return contradicts(frame, failure.text, error);
        if (status != STATUS_OK)
            return error_set(error, status, "%s", failure.text);
        count = 0;
    }
    return STATUS_OK;
}

static enum status replay_window(struct ledger *ledger, const struct journal_frame *frame,
                                 const struct event *event, struct error *error)
{
    if (event->start < 0 || event->start + event->length > WINDOWS_INSTANT_MAX)
        return contradicts(frame, "a window lies outside the years 1970 to 2105", error);
    uint64_t code = windows_code(event_quantity(event));
    enum coverage_answer answer;
    enum status status = windows_classify(&ledger->series, event->series, (uint32_t)event->start,
                                          event->length, code, &answer, error);
    if (status != STATUS_OK)
        return status;
    if (answer != COVERAGE_NEW) {
        ledger->overlaps++;
        return STATUS_OK;
    }
    return windows_add(&ledger->series, event->series, (uint32_t)event->start, event->length, code,
                       error);
}

/* The everyday window: it goes on where the newest run of its series ends. False: nothing was done. */
static inline bool replay_quickly(struct series_table *table, const struct event *event)
{
    struct series *line = &table->lines[event->series];
    uint32_t step = line->run_step & SERIES_STEP_MASK;
    int64_t run_end = line->run_start + (int64_t)step * line->run_count;
    bool goes_on = (event->start == run_end) & (event->length == step) &
                   (event->quanta_low == line->run_code) & (event->quanta_high == 0) &
                   (line->run_count != 0) & (line->run_count != UINT32_MAX);
    if (!goes_on || event->quanta_low >> 63 || run_end + step > WINDOWS_INSTANT_MAX)
        return false;
    line->run_count++;
    table->dirty[event->series / SERIES_CHUNK] = 1;
    return true;
}

/* Coverage and ids as the writer had them. What a sound journal never holds, an event that was
 * counted already, is tallied. */
static enum status replay_identity(struct ledger *ledger, const struct journal_frame *frame,
                                   const struct event *event, uint32_t *next_id,
                                   struct error *error)
{
    enum status status = STATUS_OK;
    if (event->length == 0) {
        if (*next_id == frame->id_count)
            return contradicts(frame, "an event lacks its id", error);
        struct hash128 id = journal_id(frame, (*next_id)++);
        uint64_t content = ledger_event_content(event);
        enum idset_answer answer;
        status = ids_classify(&ledger->ids, id, content, &answer, error);
        if (status != STATUS_OK)
            return status;
        if (answer != IDSET_NEW)
            ledger->overlaps++;
        else
            status = ids_add(&ledger->ids, id, content);
    } else if (ledger->options.mode != LEDGER_READ) {
        return replay_window(ledger, frame, event, error);
    }
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "out of memory");
}

static enum status replay_suspense(struct ledger *ledger, struct journal_frame *frame,
                                   struct error *error)
{
    for (uint32_t i = 0; i < frame->conflict_count; i++) {
        struct conflict conflict = journal_next_conflict(frame);
        bool added;
        if (ledger_add_conflict(ledger, &conflict, &added) != STATUS_OK)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; i < frame->resolution_count; i++) {
        uint32_t number = journal_next_resolution(frame);
        if (number == 0 || number > ledger->conflict_count)
            return contradicts(frame, "it resolves a conflict that is not there", error);
        ledger->conflicts[number - 1].discarded = true;
        ledger->conflicts_changed = true;
    }
    return STATUS_OK;
}

#define GROUP       64   /* events whose lines fit the first-level cache together */
#define BLOCK       1024 /* and the second-level cache */
#define AHEAD_TAILS 12

static inline void fetch_lines(const struct series_table *table, const struct event *events,
                               uint32_t count)
{
    /* As addresses: series are looked at later. */
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch((const void *)((uintptr_t)table->lines +
                                          (size_t)events[i].series * sizeof(*table->lines)),
                           1);
}

static inline void fetch_tail(const struct series_table *table, uint32_t series)
{
    if (series < table->count && table->lines[series].tail)
        __builtin_prefetch(&table->tails[table->lines[series].tail], 1);
}

/* The lines of the group are on their way; what the next events need besides is asked for while this
 * one is worked on. */
static enum status replay_group(struct ledger *ledger, const struct journal_frame *frame,
                                const struct event *events, uint32_t count, uint32_t *next_id,
                                struct error *error)
{
    struct series_table *table = &ledger->series;
    for (uint32_t i = 0; i < count; i++) {
        if (i + AHEAD_TAILS < count)
            fetch_tail(table, events[i + AHEAD_TAILS].series);
        if (events[i].series >= table->count)
            return contradicts(frame, "an event names a series that is not defined", error);
        if (events[i].length && replay_quickly(table, &events[i]))
            continue;
        enum status status = replay_identity(ledger, frame, &events[i], next_id, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static inline uint32_t group_size(uint32_t left)
{
    return left < GROUP ? left : GROUP;
}

static enum status replay_events(const struct replay *replay, const struct journal_frame *frame,
                                 struct error *error)
{
    uint32_t next_id = 0;
    const struct event *events = journal_events(frame);
    enum status status = STATUS_OK;
    const struct series_table *table = &replay->ledger->series;
    fetch_lines(table, events, group_size(frame->event_count));
    for (uint32_t at = 0; at < frame->event_count && status == STATUS_OK; at += BLOCK) {
        uint32_t count = frame->event_count - at < BLOCK ? frame->event_count - at : BLOCK;
        for (uint32_t i = 0; i < count && status == STATUS_OK; i += GROUP) {
            uint32_t group = group_size(count - i), next = at + i + group;
            fetch_lines(table, events + next, group_size(frame->event_count - next));
            status = replay_group(replay->ledger, frame, events + at + i, group, &next_id, error);
        }
        if (status == STATUS_OK && replay->recount)
            status = recount_events(replay->recount, events + at, count, error);
    }
    return status;
}

static enum status replay_frame(struct journal_frame *frame, void *context, struct error *error)
{
    struct replay *replay = context;
    struct ledger *ledger = replay->ledger;
    if (ledger->options.until && frame->sequence > ledger->options.until)
        return STATUS_AGAIN;
    enum status status = replay_definitions(ledger, frame, error);
    if (status == STATUS_OK)
        status = replay_events(replay, frame, error);
    if (status == STATUS_OK)
        status = replay_suspense(ledger, frame, error);
    if (status != STATUS_OK)
        return status;
    if (positions_note(&ledger->positions, &frame->position, frame->sequence) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    ledger->event_count += frame->event_count;
    ledger->sequence = frame->sequence;
    return STATUS_OK;
}

/* Each by itself, in the order of the journal, for what a sum of many cannot say: whose overflows.
 */
static enum status recount_each(struct journal_frame *frame, void *context, struct error *error)
{
    struct ledger *ledger = context;
    const struct event *events = journal_events(frame);
    enum status status = STATUS_OK;
    if (frame->sequence > ledger->sequence)
        return STATUS_AGAIN;
    for (uint32_t i = 0; i < frame->event_count && status == STATUS_OK; i++)
        status = events[i].series < ledger->series.count
                     ? ledger_recount_event(ledger, &events[i], error)
                     : contradicts(frame, "an event names a series that is not defined", error);
    return status;
}

static void forget_buckets(struct ledger *ledger)
{
    buckets_clear(&ledger->buckets); /* there will be about as many */
    series_forget_slots(&ledger->series);
    ledger->checkpoint_resources = 0;
    ledger->buckets_replaced = true;
}

/* The end of a pass that has come to `status`. */
static enum status end_recount(struct recount *recount, enum status status, struct error *error)
{
    struct ledger *ledger = recount->ledger;
    bool overflowed;
    recount_end(recount, status == STATUS_OK, &overflowed);
    if (status != STATUS_OK || !overflowed)
        return status;
    forget_buckets(ledger);
    return journal_walk(ledger->journal, 1, recount_each, ledger, error);
}

enum status ledger_replay(struct ledger *ledger, uint64_t from, bool with_buckets,
                          struct error *error)
{
    struct recount recount;
    struct replay replay = {ledger, with_buckets ? &recount : NULL};
    enum status status = with_buckets ? recount_begin(&recount, ledger, error) : STATUS_OK;
    if (status == STATUS_OK)
        status = journal_walk(ledger->journal, from, replay_frame, &replay, error);
    return with_buckets ? end_recount(&recount, status, error) : status;
}

static enum status recount_frame(struct journal_frame *frame, void *context, struct error *error)
{
    struct recount *recount = context;
    if (frame->sequence > recount->ledger->sequence || recount->overflowed)
        return STATUS_AGAIN;
    return recount_events(recount, journal_events(frame), frame->event_count, error);
}

enum status ledger_recount(struct ledger *ledger, struct error *error)
{
    struct recount recount;
    forget_buckets(ledger);
    enum status status = recount_begin(&recount, ledger, error);
    if (status == STATUS_OK)
        status = journal_walk(ledger->journal, 1, recount_frame, &recount, error);
    return end_recount(&recount, status, error);
}

struct event_walk {
    struct ledger *ledger;
    ledger_event_visit *visit;
    void *context;
};

static enum status walk_frame(struct journal_frame *frame, void *context, struct error *error)
{
    struct event_walk *walk = context;
    if (frame->sequence > walk->ledger->sequence)
        return STATUS_AGAIN; /* a reader's state ends here; what a writer appended since is not part
                                of it */
    for (uint32_t i = 0; i < frame->event_count; i++) {
        struct event event = journal_event(frame, i);
        if (event.series >= walk->ledger->series.count)
            return contradicts(frame, "an event names a series that is not defined", error);
        enum status status = walk->visit(&event, frame, walk->context, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status ledger_walk(struct ledger *ledger, ledger_event_visit *visit, void *context,
                        struct error *error)
{
    struct event_walk walk = {ledger, visit, context};
    return journal_walk(ledger->journal, 1, walk_frame, &walk, error);
}
