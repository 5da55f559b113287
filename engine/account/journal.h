/* What a journal frame holds: one commit. Events, the series they define, ids, conflicts and the
 * source positions they came from go to disk in one checksummed frame, so they are there together
 * or not at all.
 *
 * Payload: u32 format, u32 events, u32 ids, u32 reserved, i64 first start, i64 last start; events
 * (32 bytes each); ids (16 bytes each, one per event of length 0, in order); then packed: first
 * series, counts of what follows, source, file, offset, counts of records, definitions, conflicts,
 * resolutions. */
#ifndef RATEL_ACCOUNT_JOURNAL_H
#define RATEL_ACCOUNT_JOURNAL_H

#include "account/event.h"
#include "base/hash.h"
#include "base/pack.h"
#include "store/frames.h"

enum { JOURNAL_FRAME_COMMIT = 1 };

/* What became of the records read. read = the sum of the others, always. */
struct ingest_counts {
    uint64_t read;
    uint64_t accepted;
    uint64_t duplicate;
    uint64_t conflict;
    uint64_t ignored;
    uint64_t quarantined;
};

void counts_add(struct ingest_counts *total, const struct ingest_counts *more);
void counts_check(const struct ingest_counts *counts);

/* A record that contradicts what is counted: kept for a person to decide. */
struct conflict {
    struct event event;
    struct hash128 id; /* zero for windows */
};

struct source_position {
    struct slice source; /* the cloud */
    struct slice file;   /* transport: a path, a topic ... */
    uint64_t offset;     /* the first byte not yet covered */
};

/* A frame unpacked; pointers borrow from the payload. Lists are walked with the functions below. */
struct journal_frame {
    uint64_t sequence;
    const char *events; /* unaligned: use journal_event */
    uint32_t event_count;
    const char *ids;
    uint32_t id_count;
    struct instant start_min, start_max; /* of the events */
    uint32_t series_first;
    uint32_t definition_count;
    uint32_t conflict_count;
    uint32_t resolution_count;
    struct unpacker definitions; /* each a slice */
    struct unpacker conflicts;
    struct unpacker resolutions;
    struct source_position position;
    struct ingest_counts counts;
};

static inline struct event journal_event(const struct journal_frame *frame, uint32_t index)
{
    struct event event;
    memcpy(&event, frame->events + (size_t)index * sizeof(event), sizeof(event));
    return event;
}

/* All events of a frame: payloads start at a multiple of 8, and so do they. */
static inline const struct event *journal_events(const struct journal_frame *frame)
{
    assert((uintptr_t)frame->events % 8 == 0);
    return (const struct event *)(const void *)frame->events;
}

static inline struct hash128 journal_id(const struct journal_frame *frame, uint32_t index)
{
    struct hash128 id;
    memcpy(&id, frame->ids + (size_t)index * sizeof(id), sizeof(id));
    return id;
}

struct slice journal_next_definition(struct journal_frame *frame);
struct conflict journal_next_conflict(struct journal_frame *frame);
uint32_t journal_next_resolution(
    struct journal_frame *frame); /* number of a conflict that a person discarded, from 1 */

/* What goes into one frame; arrays are the caller's. */
struct journal_commit {
    const struct event *events;
    uint32_t event_count;
    const struct hash128 *ids;
    uint32_t id_count;
    uint32_t series_first;
    const struct slice *definitions;
    struct slice definitions_packed; /* instead, each with its length before it */
    uint32_t definition_count;
    const struct conflict *conflicts;
    uint32_t conflict_count;
    const uint32_t *resolutions;
    uint32_t resolution_count;
    struct source_position position;
    struct ingest_counts counts;
};

/* The whole payload. */
void journal_pack(const struct journal_commit *commit, struct packer *packer);
/* The same in three parts, for payloads that are built in place: what stands before the events, the
 * events, what stands behind them. */
#define JOURNAL_HEAD_BYTES 32
void journal_head(const struct journal_commit *commit, char out[JOURNAL_HEAD_BYTES]);
void journal_pack_tail(const struct journal_commit *commit, struct packer *packer);
/* Errors: CORRUPT (the frame's checksum held, so this is a program of another version or a bug),
 * VERSION. */
MUST_USE enum status journal_unpack(const struct frame *frame, struct journal_frame *ret,
                                    struct error *error);

/* Walks commits in order from `from`. */
typedef enum status journal_visit(struct journal_frame *frame, void *context, struct error *error);
MUST_USE enum status journal_walk(struct frames *frames, uint64_t from, journal_visit *visit,
                                  void *context, struct error *error);

#endif
