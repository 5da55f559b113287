/* Append-only files of checksummed frames: the journal and the quarantine are made of these.
 *
 * An aligned log has each frame at a multiple of 4096 and is written around the page cache where the
 * file system can (O_DIRECT): for large frames. A packed one is for small frames.
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
#define FRAME_ALIGNMENT      4096 /* of an aligned log */

struct frames; /* Thread: one at a time */

struct frames_options {
    uint64_t segment_bytes; /* a segment is closed when it has passed these */
    bool aligned;           /* of segments that are made from now on */
};

struct frame {
    uint64_t sequence;
    uint32_t kind; /* the owner's */
    struct slice
        payload; /* borrowed until the visitor returns; starts at a multiple of 8 in memory */
};

/* Opens for appending; creates the directory and first segment when missing; cuts a torn tail
 * (`ret_cut_bytes`, may be NULL, says how much). The file and its directory are synced before
 * anything that was read is trusted. One writer at a time: hold the data directory's LOCK. Errors:
 * CORRUPT, VERSION, IO, NO_SPACE, PERMISSION. Owner: caller, frames_close. */
MUST_USE enum status frames_open(const char *directory, struct frames_options options,
                                 struct frames **ret, uint64_t *ret_cut_bytes, struct error *error);
/* Opens for reading only; a missing directory is an empty log. Sees frames that were whole at the
 * time of reading. */
MUST_USE enum status frames_open_read(const char *directory, struct frames **ret,
                                      struct error *error);
void frames_close(struct frames *frames);

/* Appends one frame (not yet durable) and returns its sequence; an aligned log copies it. After a
 * failed append or sync the log refuses further appends until it is opened again (a failed fsync
 * must not be retried); what was synced before is intact; on NO_SPACE the partial frame is cut off
 * first and appending may be tried again when room is back. */
MUST_USE enum status frames_append(struct frames *frames, uint32_t kind, struct slice payload,
                                   uint64_t *ret_sequence, struct error *error);

/* Memory in which an owner builds a frame's payload where it will be written from. Its pages are
 * there from the start, so that nothing is slow the first time. */
struct frame_buffer {
    char *payload;   /* at a multiple of 32 */
    size_t length;   /* the owner's: bytes of the payload so far */
    size_t capacity; /* at most FRAME_BYTES_MAX */
    char *memory;    /* aligned; the frame's header has its place before the payload */
    size_t memory_bytes;
};

/* Errors: NO_MEMORY. Owner: caller, frame_buffer_fini. */
MUST_USE enum status frame_buffer_init(struct frame_buffer *buffer, size_t capacity,
                                       struct error *error);
void frame_buffer_fini(struct frame_buffer *buffer);
/* Makes room for a payload of so many bytes and keeps what is there; the payload may move. Errors:
 * NO_MEMORY, RANGE (FRAME_BYTES_MAX), with the buffer as it was. */
MUST_USE enum status frame_buffer_reserve(struct frame_buffer *buffer, size_t capacity,
                                          struct error *error);

/* As frames_append, without a copy. The buffer is the caller's again when this returns; it can be
 * appended again as it is where there was NO_SPACE. */
MUST_USE enum status frames_append_buffer(struct frames *frames, uint32_t kind,
                                          struct frame_buffer *buffer, uint64_t *ret_sequence,
                                          struct error *error);
/* fdatasync: every frame appended before is durable when this returns OK. */
MUST_USE enum status frames_sync(struct frames *frames, struct error *error);
uint64_t frames_last_sequence(const struct frames *frames); /* 0: empty */
uint64_t frames_bytes(const struct frames *frames);         /* on disk, all segments */

/* What writing has cost since the log was opened. */
struct frames_cost {
    uint64_t calls; /* of the system: writes, syncs, and what making segments takes */
    uint64_t syncs; /* of them, of frames */
    uint64_t bytes; /* written */
};
struct frames_cost frames_cost(const struct frames *frames);

/* Reads frames in order, from the frame with sequence `from` (0 or 1: the first; behind the last:
 * nothing). The visitor returns OK to go on, AGAIN to stop; another status ends the walk with it.
 * It may append to the log that it walks; the walk ends where the log ended when it began. A log
 * opened for reading sees what was appended since. Cost: one pass; long stretches of an aligned log
 * are read by a thread that is ahead of the visitor, around the page cache what is not in it. */
typedef enum status frame_visit(const struct frame *frame, void *context, struct error *error);
MUST_USE enum status frames_walk(struct frames *frames, uint64_t from, frame_visit *visit,
                                 void *context, struct error *error);

#endif
