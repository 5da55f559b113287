/* Group commit: a thread that writes and syncs a log's frames while their owner fills the next ones.
 *
 * The owner takes an empty buffer, builds a payload in it and submits it; its sequence is known at
 * once. The thread appends what was submitted, in order, syncs once for all that was waiting, then
 * says up to which sequence all is durable and gives the buffers back. When no buffer is free the
 * owner has to wait: that is how a slow disk slows the reader.
 *
 * A full disk keeps the frame and tries again every COMMITTER_RETRY_MS, while it is told to wait.
 * Anything else that goes wrong ends the committer for good (F-5): restart and read back. */
#ifndef RATEL_STORE_COMMITTER_H
#define RATEL_STORE_COMMITTER_H

#include "store/frames.h"

#define COMMITTER_BUFFERS_MAX 256
#define COMMITTER_RETRY_MS    250

struct committer;

enum committer_state {
    COMMITTER_RUNNING,
    COMMITTER_WAITING, /* for room on the disk */
    COMMITTER_FAILED   /* for good: committer_error says why */
};

/* The hooks run on the committer's thread and must not block; any may be NULL. */
struct committer_options {
    uint32_t buffer_count; /* 2 to COMMITTER_BUFFERS_MAX */
    size_t buffer_bytes;   /* payload that fits into one */
    bool wait_for_space;   /* on a full disk; else that is a failure, too */
    void *context;
    /* Everything up to `sequence` is durable since the instant `time` of park_now. */
    void (*durable)(void *context, uint64_t sequence, int64_t time);
    /* Another state; `error` says why where it is WAITING or FAILED. */
    void (*state)(void *context, enum committer_state state, const struct error *error);
};

/* What was appended to the log before is synced. From here on the log is the committer's; while
 * everything that was submitted is durable the owner may use it, until it submits again.
 * Errors: NO_MEMORY, IO. Owner: caller, committer_stop. */
MUST_USE enum status committer_start(struct frames *frames, const struct committer_options *options,
                                     struct committer **ret, struct error *error);

/* Called by the owner's thread: */

/* An empty buffer, or NULL when all are on the way. Lifetime: until it is submitted. */
struct frame_buffer *committer_take(struct committer *committer);
/* Gives the buffer to the thread and returns the sequence that its frame will have. */
uint64_t committer_submit(struct committer *committer, uint32_t kind, struct frame_buffer *buffer);
/* Waits until everything up to `sequence`, which was submitted, is durable. Errors: those of the
 * failure, when it came first. */
MUST_USE enum status committer_wait(struct committer *committer, uint64_t sequence,
                                    struct error *error);
/* As committer_take, waiting for a buffer. Errors: those of the failure, when there is no buffer. */
MUST_USE enum status committer_take_wait(struct committer *committer, struct frame_buffer **ret,
                                         struct error *error);
/* Commits what was submitted, ends the thread and frees everything but the log, which is the
 * caller's again. NULL is fine. Waits for room where it is told to: committer_give_up ends that.
 * Errors: those of the failure. */
MUST_USE enum status committer_stop(struct committer *committer, struct error *error);

/* Called by any thread: */

/* Everything up to this sequence is durable. */
uint64_t committer_durable(const struct committer *committer);
enum committer_state committer_state(const struct committer *committer);
/* Fills `error` and returns its status when the committer has failed, else OK. */
MUST_USE enum status committer_error(const struct committer *committer, struct error *error);
/* From now on a full disk is a failure, also the one that is being waited for. */
void committer_give_up(struct committer *committer);

struct committer_cost {
    struct frames_cost log;
    uint64_t waits;  /* system calls for sleeping and waking */
    uint64_t frames; /* committed */
    uint64_t groups; /* that they were synced in */
};
/* So far, as of the last commit. */
struct committer_cost committer_cost(const struct committer *committer);

#endif
