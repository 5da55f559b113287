/* The ledger's life: open, apply, commit, checkpoint, reprice, close.
 *
 * Invariants:
 * L-1 a window of a series is in the buckets once, and exactly when it is in coverage.
 * L-2 what is in the journal is in the state; what is pending, or sealed and not yet durable, is in the state and in no journal that anybody
 *     may rely on. A checkpoint is written, and prices change, only when there is neither.
 * L-3 a checkpoint is the state as of `checkpoint_sequence`, under the prices of `checkpoint_digest`. */
#include "account/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "base/park.h"
#include "rate/resolver.h"

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static void set_snapshot(struct ledger *ledger, const struct snapshot *snapshot)
{
    ledger->snapshot = ledger->options.snapshot = snapshot;
    ledger->pricing_digest = snapshot->pricing_digest;
    resolver_init(ledger->resolver, snapshot);
}

static enum status mark_budgeted(struct ledger *ledger, struct error *error)
{
    free((void *)ledger->budgeted);
    ledger->budgeted = NULL;
    const struct snapshot *snapshot = ledger->snapshot;
    if (!ledger->options.watched || snapshot->budget_count == 0)
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
    enum status status = checkpoint_load(ledger, error);
    if (status == STATUS_OK && ledger->options.mode != LEDGER_DERIVE)
        status = check_journal_end(ledger, path, error);
    if (status != STATUS_OK)
        return status;
    if (ledger->options.mode == LEDGER_WRITE)
        return frames_open(
            path, (struct frames_options){.segment_bytes = FRAMES_SEGMENT_BYTES, .aligned = true},
            &ledger->journal, &ledger->cut_bytes, error);
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
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!ledger || !resolver) {
        free(ledger);
        free(resolver);
        return out_of_memory(error);
    }
    ledger->resolver = resolver;
    ledger->options = *options;
    set_snapshot(ledger, options->snapshot);
    buckets_init(&ledger->buckets);
    ids_init(&ledger->ids, options->datadir->shard_count);
    idset_init(&ledger->conflict_set);
    positions_init(&ledger->positions);
    pack_init(&ledger->packer);
    pack_init(&ledger->pending_definitions);
    enum status status = open_files(ledger, error);
    if (status == STATUS_OK)
        status = catch_up(ledger, error);
    if (status == STATUS_OK)
        status = mark_budgeted(ledger, error);
    ledger->frame = &ledger->own_frame;
    touched_init(&ledger->touched);
    touched_all(&ledger->touched); /* a crash may have kept alerts from being looked at */
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
    heap_close(ledger->heap);
    buckets_fini(&ledger->buckets);
    ids_fini(&ledger->ids);
    idset_fini(&ledger->conflict_set);
    positions_fini(&ledger->positions);
    pack_fini(&ledger->packer);
    pack_fini(&ledger->pending_definitions);
    free(ledger->resolver);
    free(ledger->conflicts);
    frame_buffer_fini(&ledger->own_frame);
    free(ledger->pending_ids);
    free((void *)ledger->budgeted);
    free(ledger->series_digests);
    free(ledger->bucket_digests);
    free(ledger);
}

uint64_t ledger_event_content(const struct event *event)
{
    return hash64(slice_of((const char *)event, sizeof(*event)), 0);
}

enum status ledger_pend_reserve(struct ledger *ledger, uint32_t count)
{
    size_t events = (size_t)ledger->event_pending + count;
    if (frame_buffer_reserve(ledger->frame, JOURNAL_HEAD_BYTES + events * sizeof(struct event),
                             NULL) != STATUS_OK)
        return STATUS_NO_MEMORY;
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

void ledger_touch(struct ledger *ledger, const struct event *event)
{
    if (!ledger->budgeted || ledger->touched.all)
        return;
    if (!ledger_remembers(ledger, event)) { /* split: rare enough to look at everything */
        touched_all(&ledger->touched);
        return;
    }
    uint32_t bucket = ledger->series.lines[event->series].bucket[0];
    if (bucket == INDEX_NONE)
        return; /* nobody pays for it yet */
    const struct bucket_key *key = &ledger->buckets.items[bucket].key;
    if (ledger->budgeted[key->account])
        touched_add(&ledger->touched, key->account, key->period);
}

void ledger_pend(struct ledger *ledger, const struct event *event, const struct hash128 *id)
{
    *ledger_next_event(ledger) = *event;
    if (id)
        ledger->pending_ids[ledger->id_pending++] = *id;
    ledger_touch(ledger, event);
}

enum status ledger_add_conflict(struct ledger *ledger, const struct conflict *conflict,
                                bool *ret_added)
{
    struct hash128 key = hash128_nonzero(slice_of((const char *)conflict, sizeof(*conflict)), 0);
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

/* Puts head and tail around the events that are in the frame already. */
static enum status pack_frame(struct ledger *ledger, const struct journal_commit *commit,
                              struct error *error)
{
    pack_reset(&ledger->packer);
    journal_pack_tail(commit, &ledger->packer);
    struct slice tail = pack_done(&ledger->packer);
    if (ledger->packer.failed)
        return out_of_memory(error);
    size_t events = JOURNAL_HEAD_BYTES + (size_t)commit->event_count * sizeof(struct event);
    enum status status = frame_buffer_reserve(ledger->frame, events + tail.length, error);
    if (status != STATUS_OK)
        return status;
    struct journal_commit placed = *commit;
    placed.events = ledger_pending_events(ledger);
    journal_head(&placed, ledger->frame->payload);
    memcpy(ledger->frame->payload + events, tail.data, tail.length);
    ledger->frame->length = events + tail.length;
    return STATUS_OK;
}

static enum status pack_with(struct ledger *ledger, struct arena *arena,
                             struct journal_commit *commit, struct error *error)
{
    struct conflict *conflicts = arena_alloc(
        arena, (ledger->conflict_count - ledger->committed_conflicts) * sizeof(*conflicts) + 1);
    for (uint32_t i = ledger->committed_conflicts; i < ledger->conflict_count; i++)
        conflicts[commit->conflict_count++] = ledger->conflicts[i].conflict;
    commit->conflicts = conflicts;
    return pack_frame(ledger, commit, error);
}

static enum status seal(struct ledger *ledger, const struct source_position *position,
                        const uint32_t *resolutions, uint32_t resolution_count, bool *ret_sealed,
                        struct error *error)
{
    struct journal_commit commit = {
        .event_count = ledger->event_pending,
        .ids = ledger->pending_ids,
        .id_count = ledger->id_pending,
        .series_first = ledger->committed_series,
        .definition_count = ledger->series.count - ledger->committed_series,
        .definitions_packed = pack_done(&ledger->pending_definitions),
        .resolutions = resolutions,
        .resolution_count = resolution_count,
        .counts = ledger->counts,
    };
    if (position)
        commit.position = *position;
    /* Counts alone are nothing that must survive. */
    *ret_sealed = ledger_commit_needed(ledger) || resolution_count > 0;
    if (*ret_sealed) {
        /* Most frames have no conflicts, and then nothing is allocated. */
        struct arena arena;
        arena_init(&arena);
        bool plain = ledger->conflict_count == ledger->committed_conflicts;
        enum status status =
            plain ? pack_frame(ledger, &commit, error) : pack_with(ledger, &arena, &commit, error);
        arena_fini(&arena);
        if (status == STATUS_OK &&
            positions_note(&ledger->positions, &commit.position, ledger->sequence + 1) != STATUS_OK)
            status = out_of_memory(error);
        if (status != STATUS_OK)
            return status;
    }
    ledger->counts = (struct ingest_counts){0};
    return STATUS_OK;
}

enum status ledger_seal(struct ledger *ledger, const struct source_position *position,
                        bool *ret_sealed, struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE);
    return seal(ledger, position, NULL, 0, ret_sealed, error);
}

void ledger_sealed(struct ledger *ledger, uint64_t sequence, struct frame_buffer *next)
{
    ledger->sequence = sequence;
    ledger->frame = next;
    ledger->event_pending = 0;
    ledger->id_pending = 0;
    ledger->committed_series = ledger->series.count;
    ledger->committed_conflicts = ledger->conflict_count;
    ledger->definition_bytes = 0;
    pack_reset(&ledger->pending_definitions);
}

/* Appends and syncs the packed frame. */
static enum status write_frame(struct ledger *ledger, struct error *error)
{
    uint64_t sequence;
    enum status status = frames_append_buffer(ledger->journal, JOURNAL_FRAME_COMMIT, ledger->frame,
                                              &sequence, error);
    if (status == STATUS_OK)
        status = frames_sync(ledger->journal, error);
    if (status == STATUS_OK)
        ledger_sealed(ledger, sequence, ledger->frame);
    return status;
}

static enum status commit_pending(struct ledger *ledger, const struct source_position *position,
                                  const uint32_t *resolutions, uint32_t resolution_count,
                                  struct error *error)
{
    bool sealed;
    enum status status = seal(ledger, position, resolutions, resolution_count, &sealed, error);
    return status == STATUS_OK && sealed ? write_frame(ledger, error) : status;
}

enum status ledger_commit(struct ledger *ledger, const struct source_position *position,
                          struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE);
    return commit_pending(ledger, position, NULL, 0, error);
}

enum status ledger_commit_position(struct ledger *ledger, const struct source_position *position,
                                   struct error *error)
{
    assert(ledger->options.mode == LEDGER_WRITE && !ledger_commit_needed(ledger));
    uint64_t offset;
    bool known = positions_find(&ledger->positions, position->source, position->file, &offset);
    if (known && offset == position->offset)
        return STATUS_OK;
    struct journal_commit commit = {
        .series_first = ledger->series.count, .counts = ledger->counts, .position = *position};
    enum status status = pack_frame(ledger, &commit, error);
    if (status != STATUS_OK)
        return status;
    status = write_frame(ledger, error);
    if (status != STATUS_OK)
        return status;
    ledger->counts = (struct ingest_counts){0};
    return positions_note(&ledger->positions, position, ledger->sequence) == STATUS_OK
               ? STATUS_OK
               : out_of_memory(error);
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

enum status ledger_reprice(struct ledger *ledger, const struct snapshot *snapshot,
                           struct error *error)
{
    assert(ledger->event_pending == 0);
    int64_t begin = park_now();
    set_snapshot(ledger, snapshot);
    touched_all(&ledger->touched);
    enum status status = ledger_recount(ledger, error);
    if (status != STATUS_OK) /* nobody may take half of the events for all */
        ledger->pricing_digest = ~snapshot->pricing_digest;
    ledger->reprice_ns = park_now() - begin;
    return status == STATUS_OK ? mark_budgeted(ledger, error) : status;
}

enum status ledger_adopt(struct ledger *ledger, const struct snapshot *snapshot,
                         struct error *error)
{
    if (snapshot->pricing_digest != ledger->pricing_digest)
        return ledger_reprice(ledger, snapshot, error);
    set_snapshot(ledger, snapshot);
    touched_all(&ledger->touched); /* budgets may be others */
    return mark_budgeted(ledger, error);
}

void ledger_on_full(struct ledger *ledger, const struct space *space)
{
    heap_on_full(ledger->heap, space);
}
