/* From the journal to state: recovery, derivation and reports all read frames through here. */
#include <assert.h>

#include "account/ledger.h"

struct replay {
    struct ledger *ledger;
    bool with_buckets;
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
    for (uint32_t i = 0; i < frame->definition_count; i++) {
        uint32_t series;
        enum status status =
            series_restore(&ledger->series, journal_next_definition(frame), &series);
        if (status != STATUS_OK)
            return contradicts(frame, "a series definition is damaged or defined twice", error);
    }
    return STATUS_OK;
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
        if (idset_classify(&ledger->ids, id, content) != IDSET_NEW)
            ledger->overlaps++;
        else
            status = idset_add(&ledger->ids, id, content);
    } else if (ledger->series.coverage) {
        struct coverage *coverage = &ledger->series.coverage[event->series];
        struct instant start = {event->start}, end = {event->start + event->length};
        if (coverage_classify(coverage, start, end, event_quantity(event)) != COVERAGE_NEW) {
            ledger->overlaps++;
        } else {
            status = coverage_add(coverage, start, end, event_quantity(event));
            ledger->series.dirty[event->series] = 1;
        }
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

/* Alerts whose delivery a crash may have cut off are delivered again: the outbox knows them by id.
 */
static enum status replay_alerts(struct ledger *ledger, struct journal_frame *frame,
                                 struct error *error)
{
    if (ledger->options.mode != LEDGER_WRITE || !ledger->options.alerts)
        return STATUS_OK;
    for (uint32_t i = 0; i < frame->alert_count; i++) {
        struct alert alert = journal_next_alert(frame);
        enum status status =
            ledger->options.alerts->deliver(ledger->options.alerts, &alert, 1, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status replay_frame(struct journal_frame *frame, void *context, struct error *error)
{
    struct replay *replay = context;
    struct ledger *ledger = replay->ledger;
    if (ledger->options.until && frame->sequence > ledger->options.until)
        return STATUS_AGAIN;
    enum status status = replay_definitions(ledger, frame, error);
    uint32_t next_id = 0;
    for (uint32_t i = 0; i < frame->event_count && status == STATUS_OK; i++) {
        struct event event = journal_event(frame, i);
        if (event.series >= ledger->series.count)
            return contradicts(frame, "an event names a series that is not defined", error);
        status = replay_identity(ledger, frame, &event, &next_id, error);
        if (status == STATUS_OK && replay->with_buckets)
            status = ledger_recount_event(ledger, &event, error);
    }
    if (status == STATUS_OK)
        status = replay_suspense(ledger, frame, error);
    if (status == STATUS_OK)
        status = replay_alerts(ledger, frame, error);
    if (status != STATUS_OK)
        return status;
    ledger->event_count += frame->event_count;
    ledger->sequence = frame->sequence;
    return STATUS_OK;
}

enum status ledger_replay(struct ledger *ledger, uint64_t from, bool with_buckets,
                          struct error *error)
{
    struct replay replay = {ledger, with_buckets};
    return journal_walk(ledger->journal, from, replay_frame, &replay, error);
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
