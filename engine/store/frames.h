/* Append-only files of checksummed frames: the journal and the quarantine are made of these.
 *
 * A directory holds segments 00000001.seg, 00000002.seg ... Each starts with a header, frames
 * follow; sequences count from 1 without a hole across segments. A segment is closed when it has
 * passed `segment_bytes`; the next is made under a temporary name, synced and renamed. The bytes
 * are in segment.h.
 *
 * Torn tail: bytes after the last whole frame of the LAST segment are cut when the log is opened
 * for writing, and ignored by readers. Damage anywhere else (a bad frame that had been synced
 * before a later one was written, a hole in the sequence, a missing segment) is CORRUPT with its
 * file and offset: never skipped silently. Frames that were appended but never synced may reach the
 * disk in any order; they, too, are a torn tail from the first one that is missing, because nobody
 * was told that they are there. */
#ifndef RATEL_STORE_FRAMES_H
#define RATEL_STORE_FRAMES_H

#include "base/slice.h"
#include "base/status.h"

#define FRAME_BYTES_MAX      (64u << 20)
#define FRAMES_SEGMENT_BYTES (256u << 20)

struct frames; /* Thread: one at a time */

struct frame {
    uint64_t sequence;
    uint32_t kind;        /* the owner's */
    struct slice payload; /* borrowed until the next call; starts at a multiple of 8 in memory */
};

/* Opens for appending; creates the directory and first segment when missing; cuts a torn tail
 * (`ret_cut_bytes`, may be NULL, says how much). The file and its directory are synced before
 * anything that was read is trusted. One writer at a time: hold the data directory's LOCK. Errors:
 * CORRUPT, VERSION, IO, NO_SPACE, PERMISSION. Owner: caller, frames_close. */
MUST_USE enum status frames_open(const char *directory, uint64_t segment_bytes, struct frames **ret,
                                 uint64_t *ret_cut_bytes, struct error *error);
/* Opens for reading only; a missing directory is an empty log. Sees frames that were whole at the
 * time of reading. */
MUST_USE enum status frames_open_read(const char *directory, struct frames **ret,
                                      struct error *error);
void frames_close(struct frames *frames);

/* Appends one frame (buffered by the kernel, not yet durable) and returns its sequence. After a
 * failed append or sync the log refuses further appends until it is opened again (a failed fsync
 * must not be retried); what was synced before is intact; on NO_SPACE the partial frame is cut off
 * first and appending may be tried again when room is back. */
MUST_USE enum status frames_append(struct frames *frames, uint32_t kind, struct slice payload,
                                   uint64_t *ret_sequence, struct error *error);
/* fdatasync: every frame appended before is durable when this returns OK. */
MUST_USE enum status frames_sync(struct frames *frames, struct error *error);
uint64_t frames_last_sequence(const struct frames *frames); /* 0: empty */
uint64_t frames_bytes(const struct frames *frames);         /* on disk, all segments */

/* Reads frames in order, from the frame with sequence `from` (0 or 1: the first; behind the last:
 * nothing). The visitor returns OK to go on, AGAIN to stop; another status ends the walk with it.
 * It may append to the log that it walks; the walk ends where the log ended when it began. A log
 * opened for reading sees what was appended since. Cost: one pass, 1 MiB a read. */
typedef enum status frame_visit(const struct frame *frame, void *context, struct error *error);
MUST_USE enum status frames_walk(struct frames *frames, uint64_t from, frame_visit *visit,
                                 void *context, struct error *error);

#endif
