/* The ledger of one shard: series, coverage and buckets in memory, the journal that they follow
 * from, and their checkpoint.
 *
 * Life of an event: ledger_apply finds its series, asks coverage whether the window was counted,
 * adds the quantity to the series' buckets and puts the event into the pending commit.
 * ledger_commit writes the pending commit as one journal frame and syncs it; only then may the
 * source be told. A checkpoint is the state as of a journal sequence; opening loads it and replays
 * what follows. Thread: one owner. */
#ifndef RATEL_ACCOUNT_LEDGER_H
#define RATEL_ACCOUNT_LEDGER_H

#include "account/buckets.h"
#include "account/ids.h"
#include "account/journal.h"
#include "account/positions.h"
#include "account/series.h"
#include "account/touched.h"
#include "account/windows.h"
#include "mediate/normalise.h"
#include "rate/snapshot.h"
#include "store/datadir.h"
#include "store/store.h"

struct resolver;

enum ledger_mode {
    LEDGER_READ,   /* buckets as of now; no coverage; nothing is written */
    LEDGER_WRITE,  /* the one owner */
    LEDGER_VERIFY, /* as LEDGER_READ, with coverage */
    LEDGER_DERIVE, /* everything from the journal alone, the checkpoint is not looked at; nothing is
                      written */
};

struct ledger_options {
    const struct datadir *datadir;
    uint32_t shard;
    enum ledger_mode mode;
    const struct snapshot *snapshot; /* must outlive the ledger, or be replaced by ledger_reprice */
    bool watched;                    /* keep which accounts with budgets commits touch */
    uint64_t until;                  /* LEDGER_DERIVE: the last frame to read; 0: all */
};

struct conflict_entry {
    struct conflict conflict;
    bool discarded;
};

#define LEDGER_DEFINITION_BYTES                                                                    \
    (8u                                                                                            \
     << 20) /* a commit is due; with 1,000,000 events and one record of 1 MiB a frame stays     \
                  below FRAME_BYTES_MAX */

struct ledger {
    struct ledger_options options;
    const struct snapshot *snapshot;
    struct resolver *resolver; /* of the snapshot */
    uint64_t pricing_digest;   /* of the snapshot that the buckets are counted under */
    int64_t reprice_ns; /* what the last pass over the journal for other prices took; 0: none */
    struct frames *journal;
    struct store *store; /* the checkpoint; NULL where a reader found none */
    struct heap *heap;   /* definitions and old windows */
    struct series_table series;
    uint32_t expected_series; /* of the next item (apply.c) */
    struct buckets buckets;
    struct ids ids;
    struct conflict_entry *conflicts; /* number = position + 1 */
    uint32_t conflict_count;
    uint32_t conflict_capacity;
    struct positions positions;
    struct idset conflict_set; /* equal conflicts are kept once */
    uint64_t event_count;      /* accepted, ever */
    uint64_t sequence;         /* of the newest frame that the state holds */
    uint64_t
        cut_bytes; /* of a commit that a crash left unfinished, cut when the journal was opened */
    uint64_t overlaps; /* LEDGER_DERIVE: events that coverage refused; a sound journal has none */

    /* the checkpoint's state */
    uint64_t checkpoint_sequence;
    uint64_t checkpoint_digest;
    uint32_t checkpoint_resources;
    uint32_t checkpoint_conflicts;
    uint64_t *series_digests; /* by chunk of the tables that change in place */
    uint32_t series_digest_capacity;
    uint64_t *bucket_digests;
    uint32_t bucket_digest_capacity;
    bool conflicts_changed;
    bool buckets_replaced; /* the stored ones must go */

    /* the pending commit */
    struct frame_buffer *frame; /* its events, where they will be written from */
    struct frame_buffer own_frame;
    uint32_t event_pending;
    struct hash128 *pending_ids;
    uint32_t id_pending;
    uint32_t id_capacity;
    uint32_t committed_series;
    uint32_t committed_conflicts;
    uint64_t definition_bytes;         /* of series not yet committed */
    struct packer pending_definitions; /* theirs, as the frame will hold them */
    struct ingest_counts counts;
    struct packer packer;

    /* accounts with budgets that were touched since they were looked at (ledgers.h) */
    const uint8_t *budgeted; /* by account index, of the snapshot */
    struct touched_set touched;
};

enum outcome { OUTCOME_ACCEPTED, OUTCOME_DUPLICATE, OUTCOME_CONFLICT, OUTCOME_REFUSED };

/* Errors: as frames_open, store_open; CORRUPT when checkpoint and journal contradict each other.
 * Owner: caller, ledger_close. */
MUST_USE enum status ledger_open(const struct ledger_options *options, struct ledger **ret,
                                 struct error *error);
void ledger_close(struct ledger *ledger); /* what was not committed is gone */

/* Counts one event of a usage with VERDICT_EVENT. REFUSED (reason in usage->reason): sums would
 * overflow, or more charges count it than fit; nothing changed and the record goes to quarantine.
 * Errors: NO_MEMORY. */
MUST_USE enum status ledger_apply(struct ledger *ledger, struct usage *usage, enum outcome *ret,
                                  struct error *error);
/* The same for many, whose series are mostly known. `define` makes the usage of an item whose series
 * is not (the raw record is read again, by the slow way); `refused` is told of items that
 * OUTCOME_REFUSED would be. Errors: as ledger_apply and as the callbacks. */
struct usage_item {
    struct hash128 series;
    uint64_t quanta_low;
    uint32_t quanta_high; /* no usage reaches 2^96 quanta */
    uint32_t start;       /* seconds since 1970 */
    uint32_t length;      /* seconds, > 0: events with an id go through ledger_apply */
    uint32_t ref;         /* the caller's, as raw_length: where the raw record is */
    uint32_t raw_length;
    uint32_t reserved;
};
static_assert(sizeof(struct usage_item) == 48, "four items in three cache lines");

struct apply_callbacks {
    void *context;
    enum status (*define)(void *context, const struct usage_item *item, struct usage *ret,
                          struct error *error);
    enum status (*refused)(void *context, const struct usage_item *item, const char *reason,
                           struct error *error);
};
MUST_USE enum status ledger_apply_items(struct ledger *ledger, const struct usage_item *items,
                                        uint32_t count, const struct apply_callbacks *callbacks,
                                        struct ingest_counts *ret_counts, struct error *error);
/* Adds to the counts that the next commit records. */
void ledger_count(struct ledger *ledger, const struct ingest_counts *counts);
/* Events and conflicts that the next commit makes durable. */
static inline uint32_t ledger_pending(const struct ledger *ledger)
{
    return ledger->event_pending + ledger->conflict_count - ledger->committed_conflicts;
}
/* Enough is pending: events (conflicts count too), or definitions, which must fit into a frame with
 * them. */
static inline bool ledger_commit_due(const struct ledger *ledger, uint32_t batch_events)
{
    return ledger_pending(ledger) >= batch_events ||
           ledger->definition_bytes >= LEDGER_DEFINITION_BYTES;
}
/* One frame, durable when this returns OK. With nothing pending it does nothing. After an error the
 * ledger must be closed and opened again. Errors: IO, NO_SPACE. */
MUST_USE enum status ledger_commit(struct ledger *ledger, const struct source_position *position,
                                   struct error *error);
/* A frame that says nothing but how far a stream has come, unless that is known. Nothing may be
 * pending. Errors: as ledger_commit; after NO_SPACE it may be called again. */
MUST_USE enum status ledger_commit_position(struct ledger *ledger,
                                            const struct source_position *position,
                                            struct error *error);
/* The first half of ledger_commit, for an owner that has the frame written by another thread: packs
 * what is pending into ledger->frame, with JOURNAL_FRAME_COMMIT as its kind. *ret_sealed false:
 * nothing was pending. The owner then gives the ledger another buffer and tells the frame's
 * sequence; until the frame is durable the ledger must not be checkpointed or repriced. */
MUST_USE enum status ledger_seal(struct ledger *ledger, const struct source_position *position,
                                 bool *ret_sealed, struct error *error);
void ledger_sealed(struct ledger *ledger, uint64_t sequence, struct frame_buffer *next);
/* Writes what changed since the last checkpoint to LMDB in one transaction. Nothing may be pending.
 * Errors: NO_SPACE (the checkpoint before is whole, another try is allowed), IO. */
MUST_USE enum status ledger_checkpoint(struct ledger *ledger, struct error *error);
/* Rates everything anew under another snapshot: one pass over the journal. Nothing may be pending.
 * Every budget counts as touched. */
MUST_USE enum status ledger_reprice(struct ledger *ledger, const struct snapshot *snapshot,
                                    struct error *error);
/* The same, but for the pass over the journal where both rate alike. The snapshot before is not
 * looked at: it may be gone. */
MUST_USE enum status ledger_adopt(struct ledger *ledger, const struct snapshot *snapshot,
                                  struct error *error);
/* Has the ledger wait where its derived strings find the disk full. `space` lives until it is told
 * NULL. A checkpoint is the caller's, who may try again. */
void ledger_on_full(struct ledger *ledger, const struct space *space);
/* Marks a conflict as discarded by a person (durable). Errors: NOT_FOUND. */
MUST_USE enum status ledger_discard_conflict(struct ledger *ledger, uint32_t number,
                                             struct error *error);

/* Walks all events of the journal, for reports: explain, breakdowns. */
typedef enum status ledger_event_visit(const struct event *event, const struct journal_frame *frame,
                                       void *context, struct error *error);
MUST_USE enum status ledger_walk(struct ledger *ledger, ledger_event_visit *visit, void *context,
                                 struct error *error);

/* The pieces that an event's quantity falls into: which plan, which part. Pieces of one window add
 * up to its quantity exactly (pro rata by time in quanta, the remainder to the last). For a level
 * meter `quantity` is level x seconds of the piece. */
struct piece {
    struct instant start, end;
    struct quantity quantity; /* before `times` */
    struct resolution resolution;
};
typedef enum status ledger_piece(const struct piece *piece, void *context, struct error *error);
MUST_USE enum status ledger_split(const struct snapshot *snapshot, const struct series_view *view,
                                  bool level, const struct event *event, ledger_piece *each,
                                  void *context, struct error *error);
/* The bucket that a piece's plan counts in. Errors: NO_MEMORY. */
MUST_USE enum status ledger_bucket_key(struct ledger *ledger, const struct definition *definition,
                                       const struct resolution *resolution, uint32_t position,
                                       struct bucket_key *ret);

/* ---- what others ask of a ledger (ledger_view.c) ---------------------------------------------
 * Numbers of series, meters and resources are the ledger's own: ledgers.h makes common ones. */

uint32_t ledger_series_count(const struct ledger *ledger);
/* Slices are borrowed until the next call for this ledger. */
MUST_USE enum status ledger_series_definition(const struct ledger *ledger, uint32_t series,
                                              struct definition *ret, struct error *error);
/* What ledger_series_find knows the series by. */
struct hash128 ledger_series_hash(const struct ledger *ledger, uint32_t series);
/* INDEX_NONE when unknown. */
uint32_t ledger_series_find(const struct ledger *ledger, struct hash128 hash);
/* The number of a definition's meter, INDEX_NONE when memory is out. */
uint32_t ledger_meter(struct ledger *ledger, const struct definition *definition);
bool ledger_series_is_level(const struct ledger *ledger, uint32_t series);
/* True: prices count the event, as the series' line says, and none of it is in suspense. False: its
 * definition and the prices must be asked. */
bool ledger_is_priced(const struct ledger *ledger, const struct event *event);
/* Meters that are not CloudStack's have numbers of the ledger from METER_FIRST_OTHER on. The name
 * is borrowed for as long as the ledger lives. */
struct slice ledger_meter_name(const struct ledger *ledger, uint32_t meter);
uint32_t ledger_meter_find(const struct ledger *ledger, struct slice name);
/* Resources are numbered from 1; the key is the same in every ledger. 0 when unknown. */
struct hash128 ledger_resource_key(const struct ledger *ledger, uint32_t resource);
uint32_t ledger_resource_find(const struct ledger *ledger, struct hash128 key);

typedef void ledger_gap_visit(struct instant start, struct instant end, void *context);
/* Stretches between a series' first and last window that none covers. Needs coverage. */
MUST_USE enum status ledger_gaps(const struct ledger *ledger, uint32_t series,
                                 ledger_gap_visit *visit, void *context, struct error *error);

/* Adds a bucket of quantity 0 to `set` for each account and period with a budget that was touched.
 * Errors: NO_MEMORY. */
MUST_USE enum status ledger_touched(const struct ledger *ledger, struct buckets *set);
void ledger_forget_touched(struct ledger *ledger); /* they were looked at */
static inline bool ledger_is_touched(const struct ledger *ledger)
{
    return ledger->budgeted && (ledger->touched.all || ledger->touched.count > 0);
}
/* Bytes of memory that series, their windows and their buckets take, indexes and unused room in them
 * included; what a commit or a report needs for a while is not. */
uint64_t ledger_bytes(const struct ledger *ledger);
/* Whether a commit would write a frame. */
bool ledger_commit_needed(const struct ledger *ledger);

/* checkpoint.c */
MUST_USE enum status checkpoint_load(struct ledger *ledger, struct error *error);
MUST_USE enum status checkpoint_save(struct ledger *ledger, struct error *error);
/* replay.c: applies frames from `from` on: definitions, ids, conflicts; coverage and buckets as
 * asked. */
MUST_USE enum status ledger_replay(struct ledger *ledger, uint64_t from, bool with_buckets,
                                   struct error *error);
/* count.c: adds one event to the buckets. RANGE when a sum would overflow or too many charges count
 * it, with nothing changed. */
MUST_USE enum status ledger_count_event(struct ledger *ledger, const struct event *event,
                                        struct error *error);
/* The same for an event that the journal holds, so that it can no longer be refused: where the
 * prices of now make it overflow, the account's periods it falls into are marked
 * (BUCKET_QUANTA_MAX), and all others stay usable. */
MUST_USE enum status ledger_recount_event(struct ledger *ledger, const struct event *event,
                                          struct error *error);
/* Whether the series' slots hold for the event, so that counting it looks at no price. */
bool ledger_remembers(const struct ledger *ledger, const struct event *event);
/* replay.c: counts all events of the state again, from none. */
MUST_USE enum status ledger_recount(struct ledger *ledger, struct error *error);
MUST_USE enum status ledger_add_conflict(struct ledger *ledger, const struct conflict *conflict,
                                         bool *ret_added);
uint64_t ledger_event_content(const struct event *event);
/* ledger.c: room for more events in the pending commit, and putting one there. */
MUST_USE enum status ledger_pend_reserve(struct ledger *ledger, uint32_t count);
void ledger_pend(struct ledger *ledger, const struct event *event, const struct hash128 *id);
/* The parts of ledger_pend, for who writes the event where it will stay. */
static inline struct event *ledger_pending_events(const struct ledger *ledger)
{
    return (struct event *)(void *)(ledger->frame->payload + JOURNAL_HEAD_BYTES);
}
static inline struct event *ledger_next_event(struct ledger *ledger)
{
    ledger->event_count++;
    return &ledger_pending_events(ledger)[ledger->event_pending++];
}
/* Notes what a budget must be looked at for. */
void ledger_touch(struct ledger *ledger, const struct event *event);

#endif
