/* The ledger's life: open, apply, commit, checkpoint, reprice, close.
 *
 * Invariants:
 * L-1 a window of a series is in the buckets once, and exactly when it is in coverage.
 * L-2 what is in the journal is in the state; what is pending is in the state and not yet in the journal.
 * L-3 a checkpoint is the state as of `checkpoint_sequence`, under the prices of `checkpoint_digest`. */
#include "account/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/budget.h"

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status mark_budgeted(struct ledger *ledger, struct error *error)
{
    free((void *)ledger->budgeted);
    ledger->budgeted = NULL;
    const struct snapshot *snapshot = ledger->snapshot;
    if (!ledger->options.alerts || snapshot->budget_count == 0)
        return STATUS_OK;
    uint8_t *marks = calloc(snapshot->account_count + 1, 1);
    if (!marks)
        return out_of_memory(error);
    for (uint32_t i = 0; i < snapshot->budget_count; i++)
        if (snapshot->budgets[i].account_index != INDEX_NONE)
            marks[snapshot->budgets[i].account_index] = 1;
    ledger->budgeted = marks;
    return STATUS_OK;
}

/* A journal that ends before its checkpoint has lost frames that were durable: that is damage, not an unfinished commit. Looked at before a
 * writer opens the journal, which cuts what it takes for a torn tail. */
static enum status check_journal_end(const struct ledger *ledger, const char *path,
                                     struct error *error)
{
    struct frames *journal;
    enum status status = frames_open_read(path, &journal, error);
    if (status != STATUS_OK)
        return status;
    uint64_t last = frames_last_sequence(journal);
    frames_close(journal);
    if (last < ledger->checkpoint_sequence)
        return error_set(error, STATUS_CORRUPT,
                         "%s: the checkpoint holds frame %llu, the journal ends at frame %llu: "
                         "restore the journal from a backup",
                         path, (unsigned long long)ledger->checkpoint_sequence,
                         (unsigned long long)last);
    return STATUS_OK;
}

static enum status open_files(struct ledger *ledger, struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    datadir_shard_path(ledger->options.datadir, ledger->options.shard, "journal", path);
    if (ledger->options.mode != LEDGER_DERIVE) {
        enum status status = checkpoint_load(ledger, error);
        if (status == STATUS_OK)
            status = check_journal_end(ledger, path, error);
        if (status != STATUS_OK)
            return status;
    }
    if (ledger->options.mode == LEDGER_WRITE)
        return frames_open(path, FRAMES_SEGMENT_BYTES, &ledger->journal, &ledger->cut_bytes, error);
    return frames_open_read(path, &ledger->journal, error);
}

/* Brings the buckets under the snapshot's prices: as stored where the checkpoint was made under the same ones, else anew from the journal. */
static enum status catch_up(struct ledger *ledger, struct error *error)
{
    bool same_prices = ledger->checkpoint_digest == ledger->snapshot->pricing_digest ||
                       ledger->checkpoint_sequence == 0;
    enum status status = ledger_replay(ledger, ledger->checkpoint_sequence + 1, same_prices, error);
    if (status == STATUS_OK && !same_prices && ledger->sequence > 0)
        status = ledger_reprice(ledger, ledger->snapshot, error);
    return status;
}

enum status ledger_open(const struct ledger_options *options, struct ledger **ret,
                        struct error *error)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (!ledger)
        return out_of_memory(error);
    ledger->options = *options;
    ledger->snapshot = options->snapshot;
    series_init(&ledger->series, options->datadir->seed, options->mode != LEDGER_READ);
    buckets_init(&ledger->buckets);
    idset_init(&ledger->ids);
    idset_init(&ledger->conflict_set);
    pack_init(&ledger->packer);
    enum status status = open_files(ledger, error);
    if (status == STATUS_OK)
        status = catch_up(ledger, error);
    if (status == STATUS_OK)
        status = mark_budgeted(ledger, error);
    ledger->touched_all = true; /* a crash may have kept alerts from being looked at */
    if (status != STATUS_OK) {
        ledger_close(ledger);
        return status;
    }
    ledger->committed_series = ledger->series.count;
    ledger->committed_conflicts = ledger->conflict_count;
    *ret = ledger;
    return STATUS_OK;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->journal)
        frames_close(ledger->journal);
    if (ledger->store)
        store_close(ledger->store);
    series_fini(&ledger->series);
    buckets_fini(&ledger->buckets);
    idset_fini(&ledger->ids);
    idset_fini(&ledger->conflict_set);
    pack_fini(&ledger->packer);
    free(ledger->conflicts);
    free(ledger->events);
    free(ledger->pending_ids);
    free((void *)ledger->budgeted);
    free(ledger);
}

uint64_t ledger_event_content(const struct event *event)
{
    return hash64(slice_of((const char *)event, sizeof(*event)), 0);
}

static enum status reserve_pending(struct ledger *ledger)
{
    if (ledger->event_pending == ledger->event_capacity) {
        uint32_t capacity = ledger->event_capacity ? ledger->event_capacity * 2 : 65536;
        struct event *events = realloc(ledger->events, capacity * sizeof(*events));
        if (!events)
            return STATUS_NO_MEMORY;
        ledger->events = events;
        ledger->event_capacity = capacity;
    }
    if (ledger->id_pending == ledger->id_capacity) {
        uint32_t capacity = ledger->id_capacity ? ledger->id_capacity * 2 : 1024;
        struct hash128 *ids = realloc(ledger->pending_ids, capacity * sizeof(*ids));
        if (!ids)
            return STATUS_NO_MEMORY;
        ledger->pending_ids = ids;
        ledger->id_capacity = capacity;
    }
    return STATUS_OK;
}

static void touch(struct ledger *ledger, const struct event *event)
{
    const struct series *series = &ledger->series.hot[event->series];
    bool whole =
        event->start >= series->valid_from && event->start + event->length <= series->valid_to;
    if (!ledger->budgeted || ledger->touched_all)
        return;
    if (!whole) { /* split, or not remembered: rare enough to look at everything */
        ledger->touched_all = true;
        return;
    }
    if (series->account == INDEX_NONE || !ledger->budgeted[series->account])
        return;
    for (uint32_t i = ledger->touched_count; i-- > 0;)
        if (ledger->touched[i].account == series->account &&
            ledger->touched[i].period == series->period)
            return;
    if (ledger->touched_count == LEDGER_TOUCHED_MAX)
        ledger->touched_all = true;
    else
        ledger->touched[ledger->touched_count++] =
            (struct touched){series->account, series->period};
}

static enum outcome classify(struct ledger *ledger, const struct usage *usage,
                             const struct event *event)
{
    if (usage->has_id) {
        enum idset_answer answer =
            idset_classify(&ledger->ids, usage->id, ledger_event_content(event));
        return answer == IDSET_NEW         ? OUTCOME_ACCEPTED
               : answer == IDSET_DUPLICATE ? OUTCOME_DUPLICATE
                                           : OUTCOME_CONFLICT;
    }
    enum coverage_answer answer = coverage_classify(&ledger->series.coverage[event->series],
                                                    usage->start, usage->end, usage->quantity);
    return answer == COVERAGE_NEW         ? OUTCOME_ACCEPTED
           : answer == COVERAGE_DUPLICATE ? OUTCOME_DUPLICATE
                                          : OUTCOME_CONFLICT;
}

static enum status accept(struct ledger *ledger, const struct usage *usage,
                          const struct event *event, struct error *error)
{
    enum status status;
    if (usage->has_id) {
        status = idset_add(&ledger->ids, usage->id, ledger_event_content(event));
        ledger->pending_ids[ledger->id_pending++] = usage->id;
    } else {
        status = coverage_add(&ledger->series.coverage[event->series], usage->start, usage->end,
                              usage->quantity);
        ledger->series.dirty[event->series] = 1;
    }
    if (status != STATUS_OK)
        return out_of_memory(error);
    ledger->events[ledger->event_pending++] = *event;
    ledger->event_count++;
    touch(ledger, event);
    return STATUS_OK;
}

enum status ledger_apply(struct ledger *ledger, struct usage *usage, enum outcome *ret,
                         struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE && usage->verdict == VERDICT_EVENT);
    if (reserve_pending(ledger) != STATUS_OK)
        return out_of_memory(error);
    uint32_t series = series_find(&ledger->series, usage->series_hash);
    if (series == INDEX_NONE) {
        enum status status =
            series_add(&ledger->series, usage->series_hash, usage->definition, &series);
        if (status != STATUS_OK)
            return error_set(error, status, "%s", status_text(status));
        ledger->definition_bytes += usage->definition.length;
    }
    struct event event = event_make(series, usage->start, usage->end, usage->quantity);
    *ret = classify(ledger, usage, &event);
    if (*ret == OUTCOME_DUPLICATE)
        return STATUS_OK;
    if (*ret == OUTCOME_CONFLICT) {
        bool added;
        struct conflict conflict = {event, usage->has_id ? usage->id : (struct hash128){0, 0}};
        return ledger_add_conflict(ledger, &conflict, &added) == STATUS_OK ? STATUS_OK
                                                                           : out_of_memory(error);
    }
    struct error refusal = {0};
    enum status status = ledger_count_event(ledger, &event, &refusal);
    if (status == STATUS_RANGE) {
        *ret = OUTCOME_REFUSED;
        snprintf(usage->reason, sizeof(usage->reason), "%.150s", refusal.text);
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        if (error)
            *error = refusal;
        return status;
    }
    return accept(ledger, usage, &event, error);
}

enum status ledger_add_conflict(struct ledger *ledger, const struct conflict *conflict,
                                bool *ret_added)
{
    struct hash128 key = definition_hash(slice_of((const char *)conflict, sizeof(*conflict)), 0);
    *ret_added = false;
    if (idset_classify(&ledger->conflict_set, key, 0) != IDSET_NEW)
        return STATUS_OK; /* sent again: kept once */
    if (ledger->conflict_count == ledger->conflict_capacity) {
        uint32_t capacity = ledger->conflict_capacity ? ledger->conflict_capacity * 2 : 64;
        struct conflict_entry *entries = realloc(ledger->conflicts, capacity * sizeof(*entries));
        if (!entries)
            return STATUS_NO_MEMORY;
        ledger->conflicts = entries;
        ledger->conflict_capacity = capacity;
    }
    enum status status = idset_add(&ledger->conflict_set, key, 0);
    if (status != STATUS_OK)
        return status;
    ledger->conflicts[ledger->conflict_count++] = (struct conflict_entry){*conflict, false};
    *ret_added = true;
    return STATUS_OK;
}

void ledger_count(struct ledger *ledger, const struct ingest_counts *counts)
{
    counts_check(counts);
    counts_add(&ledger->counts, counts);
}

/* Packs, appends and syncs one frame. */
static enum status write_frame(struct ledger *ledger, const struct journal_commit *commit,
                               struct error *error)
{
    pack_reset(&ledger->packer);
    journal_pack(commit, &ledger->packer);
    if (ledger->packer.failed)
        return out_of_memory(error);
    uint64_t sequence;
    enum status status = frames_append(ledger->journal, JOURNAL_FRAME_COMMIT,
                                       pack_done(&ledger->packer), &sequence, error);
    if (status == STATUS_OK)
        status = frames_sync(ledger->journal, error);
    if (status == STATUS_OK)
        ledger->sequence = sequence;
    return status;
}

/* One frame with the alerts that are due, as many as it should hold. */
static enum status commit_frame(struct ledger *ledger, struct arena *arena,
                                struct journal_commit *commit, uint32_t *cursor,
                                struct error *error)
{
    struct alert *alerts = NULL;
    enum status status = STATUS_OK;
    if (*cursor != BUDGETS_WATCHED)
        status = budget_alerts(ledger, cursor, arena, &alerts, &commit->alert_count, error);
    if (status != STATUS_OK)
        return status;
    if (!commit->event_count && !commit->definition_count && !commit->conflict_count &&
        !commit->resolution_count && !commit->alert_count)
        return STATUS_OK; /* only counts: nothing that must survive */
    commit->alerts = alerts;
    status = write_frame(ledger, commit, error);
    if (status == STATUS_OK && commit->alert_count)
        status = ledger->options.alerts->deliver(ledger->options.alerts, alerts,
                                                 commit->alert_count, error);
    return status;
}

static enum status commit_with(struct ledger *ledger, struct arena *arena,
                               struct journal_commit *commit, struct error *error)
{
    struct conflict *conflicts = arena_alloc(
        arena, (ledger->conflict_count - ledger->committed_conflicts) * sizeof(*conflicts) + 1);
    for (uint32_t i = ledger->committed_conflicts; i < ledger->conflict_count; i++)
        conflicts[commit->conflict_count++] = ledger->conflicts[i].conflict;
    commit->conflicts = conflicts;
    uint32_t cursor = ledger->budgeted ? 0 : BUDGETS_WATCHED;
    enum status status = commit_frame(ledger, arena, commit, &cursor, error);
    while (status == STATUS_OK &&
           cursor != BUDGETS_WATCHED) { /* budgets of many accounts were loaded at once */
        struct journal_commit rest = {.series_first = ledger->series.count};
        status = commit_frame(ledger, arena, &rest, &cursor, error);
    }
    return status;
}

static enum status commit_pending(struct ledger *ledger, const struct source_position *position,
                                  const uint32_t *resolutions, uint32_t resolution_count,
                                  struct error *error)
{
    struct journal_commit commit = {
        .events = ledger->events,
        .event_count = ledger->event_pending,
        .ids = ledger->pending_ids,
        .id_count = ledger->id_pending,
        .series_first = ledger->committed_series,
        .definitions = ledger->series.definitions + ledger->committed_series,
        .definition_count = ledger->series.count - ledger->committed_series,
        .resolutions = resolutions,
        .resolution_count = resolution_count,
        .counts = ledger->counts,
    };
    if (position)
        commit.position = *position;
    struct arena arena;
    arena_init(&arena);
    enum status status = commit_with(ledger, &arena, &commit, error);
    arena_fini(&arena);
    if (status != STATUS_OK)
        return status;
    ledger->event_pending = 0;
    ledger->id_pending = 0;
    ledger->committed_series = ledger->series.count;
    ledger->committed_conflicts = ledger->conflict_count;
    ledger->definition_bytes = 0;
    ledger->counts = (struct ingest_counts){0};
    ledger->touched_count = 0;
    ledger->touched_all = false;
    return STATUS_OK;
}

enum status ledger_commit(struct ledger *ledger, const struct source_position *position,
                          struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE);
    return commit_pending(ledger, position, NULL, 0, error);
}

enum status ledger_discard_conflict(struct ledger *ledger, uint32_t number, struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE && ledger->event_pending == 0);
    if (number == 0 || number > ledger->conflict_count || ledger->conflicts[number - 1].discarded)
        return error_set(error, STATUS_NOT_FOUND, "no open conflict %u: see `ratel suspense list`",
                         number);
    enum status status = commit_pending(ledger, NULL, &number, 1, error);
    if (status != STATUS_OK)
        return status;
    ledger->conflicts[number - 1].discarded = true;
    ledger->conflicts_changed = true;
    return STATUS_OK;
}

enum status ledger_checkpoint(struct ledger *ledger, struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE);
    assert(ledger->event_pending == 0 && ledger->committed_series == ledger->series.count);
    return checkpoint_save(ledger, error);
}

static enum status recount_event(const struct event *event, const struct journal_frame *frame,
                                 void *context, struct error *error)
{
    (void)frame;
    return ledger_recount_event(context, event, error);
}

enum status ledger_reprice(struct ledger *ledger, const struct snapshot *snapshot,
                           struct error *error)
{
    assert(ledger->event_pending == 0);
    ledger->snapshot = snapshot;
    buckets_fini(&ledger->buckets);
    buckets_init(&ledger->buckets);
    series_forget_slots(&ledger->series);
    ledger->buckets_replaced = true;
    ledger->touched_all = true;
    enum status status = ledger_walk(ledger, recount_event, ledger, error);
    return status == STATUS_OK ? mark_budgeted(ledger, error) : status;
}
