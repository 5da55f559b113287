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
#include "account/journal.h"
#include "account/series.h"
#include "mediate/idset.h"
#include "mediate/normalise.h"
#include "rate/snapshot.h"
#include "store/datadir.h"
#include "store/store.h"

/* Where alerts go once their frame is durable. Delivery must be idempotent: replay hands them over
 * again. */
struct alert_sink {
    bool (*known)(struct alert_sink *sink, struct slice id);
    enum status (*deliver)(struct alert_sink *sink, const struct alert *alerts, uint32_t count,
                           struct error *error);
};

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
    struct alert_sink *alerts;       /* NULL: none are watched */
    uint64_t until;                  /* LEDGER_DERIVE: the last frame to read; 0: all */
};

struct conflict_entry {
    struct conflict conflict;
    bool discarded;
};

#define LEDGER_TOUCHED_MAX 4096
#define LEDGER_DEFINITION_BYTES                                                                    \
    (8u << 20) /* a commit is due; with 1,000,000 events and one record of 1 MiB a frame stays     \
                  below FRAME_BYTES_MAX */

struct ledger {
    struct ledger_options options;
    const struct snapshot *snapshot;
    struct frames *journal;
    struct store *store; /* the checkpoint; NULL where a reader found none */
    struct series_table series;
    struct buckets buckets;
    struct idset ids;
    struct conflict_entry *conflicts; /* number = position + 1 */
    uint32_t conflict_count;
    uint32_t conflict_capacity;
    struct idset conflict_set; /* equal conflicts are kept once */
    uint64_t event_count;      /* accepted, ever */
    uint64_t sequence;         /* of the newest frame that the state holds */
    uint64_t
        cut_bytes; /* of a commit that a crash left unfinished, cut when the journal was opened */
    uint64_t overlaps; /* LEDGER_DERIVE: events that coverage refused; a sound journal has none */

    /* the checkpoint's state */
    uint64_t checkpoint_sequence;
    uint64_t checkpoint_digest;
    uint32_t checkpoint_series; /* definitions stored */
    uint64_t checkpoint_ids;
    uint32_t checkpoint_conflicts;
    bool conflicts_changed;
    bool buckets_replaced; /* the stored ones must go */

    /* the pending commit */
    struct event *events;
    uint32_t event_pending;
    uint32_t event_capacity;
    struct hash128 *pending_ids;
    uint32_t id_pending;
    uint32_t id_capacity;
    uint32_t committed_series;
    uint32_t committed_conflicts;
    uint64_t definition_bytes; /* of series not yet committed */
    struct ingest_counts counts;
    struct packer packer;

    /* accounts with budgets that the pending commit touched */
    const uint8_t *budgeted; /* by account index, of the snapshot */
    struct touched {
        uint32_t account;
        int32_t period;
    } touched[LEDGER_TOUCHED_MAX];
    uint32_t touched_count;
    bool touched_all; /* more than fit: look at every budget */
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
/* Adds to the counts that the next commit records. */
void ledger_count(struct ledger *ledger, const struct ingest_counts *counts);
/* Enough is pending: events (conflicts count too), or definitions, which must fit into a frame with
 * them. */
static inline bool ledger_commit_due(const struct ledger *ledger, uint32_t batch_events)
{
    return ledger->event_pending + (ledger->conflict_count - ledger->committed_conflicts) >=
               batch_events ||
           ledger->definition_bytes >= LEDGER_DEFINITION_BYTES;
}
/* One frame, durable when this returns OK; then alerts are delivered. With nothing pending it does
 * nothing. After an error the ledger must be closed and opened again. Errors: IO, NO_SPACE. */
MUST_USE enum status ledger_commit(struct ledger *ledger, const struct source_position *position,
                                   struct error *error);
/* Writes what changed since the last checkpoint to LMDB in one transaction. Nothing may be pending.
 */
MUST_USE enum status ledger_checkpoint(struct ledger *ledger, struct error *error);
/* Rates everything anew under another snapshot: one pass over the journal. Nothing may be pending.
 * Budgets are looked at again. */
MUST_USE enum status ledger_reprice(struct ledger *ledger, const struct snapshot *snapshot,
                                    struct error *error);
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
/* The bucket that a piece's plan counts in. */
struct bucket_key ledger_bucket_key(const struct ledger *ledger, uint32_t series,
                                    const struct resolution *resolution, uint32_t position);

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
MUST_USE enum status ledger_add_conflict(struct ledger *ledger, const struct conflict *conflict,
                                         bool *ret_added);
uint64_t ledger_event_content(const struct event *event);

#endif
