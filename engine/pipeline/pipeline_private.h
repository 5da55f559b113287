/* What the threads of a pipeline share. Each field says who writes it; everything else is the
 * thread's own. */
#ifndef RATEL_PIPELINE_PIPELINE_PRIVATE_H
#define RATEL_PIPELINE_PIPELINE_PRIVATE_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/epoch.h"
#include "base/park.h"
#include "base/ring.h"
#include "mediate/flat_usage.h"
#include "mediate/normalise.h"
#include "pipeline/pipeline.h"
#include "store/committer.h"

#define BLOCK_ITEMS      256
#define BLOCKS_PER_WAY   32 /* blocks between one lane and one shard; a power of two */
#define TROUBLES_PER_WAY 4
#define TROUBLE_BYTES                                                                              \
    (256u << 10)         /* a block of records for quarantine is sent when it has so many */
#define FRAME_BUFFERS 4  /* one is filled while others are on their way to disk */
#define FRAMES_KEPT   16 /* more than there are buffers; a power of two */
#define LANE_WINDOWS  PIPELINE_LANE_WINDOWS
#define POSITIONS     256 /* windows that can be on their way to being acknowledged; a power of two */

static_assert(POSITIONS > PIPELINE_LANES_MAX * LANE_WINDOWS, "positions outlive their windows");
static_assert(FRAMES_KEPT > FRAME_BUFFERS, "a frame's window is there until the frame is durable");

/* An item whose usage came from a reference decoder: ref is BLOCK_EXTENDED and the offset of a
 * struct extended in the block's side buffer, with definition and raw bytes behind it. */
#define BLOCK_EXTENDED (1u << 31)

struct extended {
    struct usage usage; /* its definition is behind this struct */
    uint32_t definition_length;
    uint32_t raw_length;
    uint64_t offset; /* in the stream */
    uint32_t line;
    uint32_t form;
};

struct block {
    uint32_t count;
    bool ends; /* its window is complete for this shard */
    bool ends_input;
    const struct window *window;
    uint64_t number;             /* of the window */
    struct ingest_counts counts; /* with `ends`, for the first shard: what is in no item */
    struct packer side;
    struct usage_item items[BLOCK_ITEMS] __attribute__((aligned(64)));
};

/* Records for quarantine, packed one behind the other: struct trouble, reason, raw bytes. */
struct trouble {
    uint64_t offset;
    uint32_t line;
    uint32_t form;
    uint32_t reason_length;
    uint32_t raw_length;
};

struct trouble_block {
    uint32_t count;
    uint64_t number; /* of the window */
    struct slice file;
    struct packer bytes;
};

/* Two rings between a sender and a receiver: full blocks there, empty ones back. */
struct way {
    struct ring *there;
    struct ring *back;
};

struct pipeline;

/* How a thread stands with full disks (room.c). */
struct room {
    struct pipeline *pipeline;
    struct parker *parker; /* the thread's */
    bool waits;            /* it met one, and has not gone on since */
    struct space space;    /* room_wait for what lies deeper */
};

/* What the epoch hands to the shards. */
struct prices {
    struct snapshot *snapshot;
    uint64_t generation; /* from 1; addresses may come again, this does not */
};

/* What a lane sleeps for. */
enum lane_awaits {
    LANE_TURN = 1,
    LANE_WINDOW = 2, /* a buffer that all shards are done with */
    LANE_BLOCK = 4,
    LANE_POSITION = 8
};

/* And a shard: a block of a lane; that its frames are durable; a lane that cannot
 * go on without it. A shard that has just had work naps a while and then takes all that has come: it
 * need not be woken for each window, unless a lane waits. */
#define SHARD_BLOCK(lane) (1u << (lane))
#define SHARD_ANY_BLOCK   ((1u << PIPELINE_LANES_MAX) - 1)
#define SHARD_DURABLE     (1u << PIPELINE_LANES_MAX)
#define SHARD_URGENT      (2u << PIPELINE_LANES_MAX)

struct lane {
    struct pipeline *pipeline;
    uint32_t index;
    pthread_t thread;
    struct parker parker;
    struct flat_normaliser flat;
    struct normaliser normaliser;
    struct window windows[LANE_WINDOWS];
    uint32_t window_slot;
    bool has_turn;
    _Atomic uint64_t awaited_window; /* the lane sleeps until all shards are done with this one */
    struct way *to_shard;            /* by shard */
    struct block **filling;          /* by shard; NULL: none yet */
    struct block *blocks;            /* all of its blocks */
    struct way to_keeper;
    struct trouble_block *trouble; /* being filled */
    struct trouble_block troubles[TROUBLES_PER_WAY];
    struct ingest_counts counts; /* of the window being decoded: what becomes no item */
    _Atomic uint64_t working __attribute__((aligned(64))); /* its number; 0: none */
};

struct shard {
    struct pipeline *pipeline;
    uint32_t index;
    pthread_t thread;
    struct parker parker;
    struct ledger *ledger;
    struct normaliser normaliser;
    const struct block *block; /* being applied: what `define` and `refused` refer to */
    struct lane *lane;         /* which has the next window; NULL: nobody has it yet */
    struct way to_keeper;
    struct trouble_block *trouble;
    struct trouble_block troubles[TROUBLES_PER_WAY];
    struct ingest_counts counts;    /* since the last commit */
    struct ingest_counts committed; /* all before */
    struct ingest_counts counts_at
        [POSITIONS];       /* of all windows up to one, by its number; there when `done` says so */
    int64_t pending_since; /* park_now of the oldest pending event's block; 0: none */
    int64_t napped;        /* park_now when it began to wait for a block; 0: it has had one */
    uint64_t checkpointed; /* event count at the last checkpoint */
    struct committer *committer;
    uint64_t submitted; /* sequence of the last frame */
    struct room room;
    struct room disk;            /* the committer's thread's */
    struct epoch_reader *prices; /* NULL: prices stay */

    /* written by the shard, read by lanes and keeper; on lines of their own */
    _Atomic uint64_t done __attribute__((aligned(64))); /* windows up to this one are taken in */
    _Atomic uint64_t clean;  /* up to this one nothing is in no frame, and all frames are on disk */
    _Atomic uint64_t paused; /* generation of the pause it is in */
    _Atomic bool finished;
    _Atomic bool touched;     /* budgets are to be looked at */
    _Atomic uint64_t adopted; /* generation of the prices that it counts under */

    /* by the shard, before it submits a frame: the window that is durable with it, by sequence */
    _Atomic uint64_t windows[FRAMES_KEPT] __attribute__((aligned(64)));
    /* by the committer's thread: the window of the newest durable frame */
    _Atomic uint64_t synced __attribute__((aligned(64)));
};

/* Windows up to this one are on disk (P-4). Thread: any. */
static inline uint64_t shard_durable(const struct shard *shard)
{
    uint64_t synced = atomic_load_explicit(&shard->synced, memory_order_acquire);
    uint64_t clean = atomic_load_explicit(&shard->clean, memory_order_acquire);
    return synced > clean ? synced : clean;
}

struct position {
    uint64_t position;
    uint32_t lane;
    struct slice file;
    int64_t filled;
};

struct pipeline {
    struct pipeline_options options;
    uint32_t shard_count;
    struct lane *lanes;
    struct shard *shards;

    /* the turn to fill the next window: some lane has it; that one writes the fields below it */
    _Atomic bool turn __attribute__((aligned(64)));
    _Atomic uint64_t numbered; /* windows so far */
    bool input_ended;
    struct position positions[POSITIONS]; /* by window number */

    /* written by the keeper */
    struct parker keeper;
    _Atomic uint64_t kept
        __attribute__((aligned(64))); /* quarantine is durable up to this window */
    _Atomic uint64_t
        settled; /* acknowledged up to this window, and its position is of no use any more */
    _Atomic uint64_t pause; /* odd: shards wait at their next block boundary */

    struct room room;
    struct epoch *prices;       /* NULL: they stay */
    int64_t asked;              /* park_now of the last question for news */
    _Atomic uint64_t published; /* generation of the newest prices */

    /* threads that wait for room on a disk */
    _Atomic uint32_t waiting;

    /* the first failure */
    _Atomic uint32_t failed; /* 0, 1: somebody is writing `error`, 2: it is written */
    struct error error;
};

/* Notes a failure, once, and wakes everybody. Thread: any. */
void pipeline_fail(struct pipeline *pipeline, enum status status, const struct error *error);
static inline bool pipeline_failed(const struct pipeline *pipeline)
{
    return atomic_load_explicit(&pipeline->failed, memory_order_acquire) != 0;
}

void *lane_main(void *argument);
void *shard_main(void *argument);
/* A frame of the shard's and all before it are on disk. Thread: the committer's. */
void shard_frame_durable(struct shard *shard, uint64_t sequence);
/* Looks at the budgets that were touched. Nothing moves meanwhile. */
MUST_USE enum status watch_budgets(struct pipeline *pipeline, struct error *error);
/* What came of the windows up to one that was acknowledged last or is being acknowledged; 0: nothing. */
void pipeline_counts(const struct pipeline *pipeline, uint64_t window, struct ingest_counts *ret);
/* Runs until all shards have finished. */
enum status keeper_main(struct pipeline *pipeline, struct error *error);

/* ---- prices.c: snapshots that change while events are counted */

/* Before the threads run. Errors: NO_MEMORY. */
MUST_USE enum status prices_start(struct pipeline *pipeline, struct error *error);
/* The keeper's: asks for news and publishes them. */
MUST_USE enum status prices_tend(struct pipeline *pipeline, struct error *error);
/* Every shard counts under the newest ones, so that sums over shards mean something. */
bool prices_settled(const struct pipeline *pipeline);
/* After the threads have ended: brings shards under the newest prices that ended before they saw
 * them (`sound`: nothing failed), then gives everything back but the newest snapshot. */
MUST_USE enum status prices_end(struct pipeline *pipeline, bool sound, struct error *error);

/* The shard's: there are others than it counts under. */
static inline bool prices_changed(const struct shard *shard)
{
    return atomic_load_explicit(&shard->pipeline->published, memory_order_acquire) !=
           atomic_load_explicit(&shard->adopted, memory_order_relaxed);
}
/* The newest, held until the next call or prices_leave. To be called after each sleep, before the
 * ledger's snapshot is used; NULL: the shard counts under them. */
const struct prices *prices_enter(struct shard *shard);
/* Before sleeping. The ledger's snapshot may go away. */
static inline void prices_leave(struct shard *shard)
{
    if (shard->prices)
        epoch_leave(shard->prices);
}

/* ---- room.c: full disks */

void room_init(struct room *room, struct pipeline *pipeline, struct parker *parker);
/* After NO_SPACE: waits a while. False: it is not wanted, or the pipeline has failed. */
bool room_wait(struct room *room, const struct error *error);
/* The thread has met a full disk, and waits in its own way. */
void room_begin(struct room *room, const struct error *error);
/* The thread goes on. */
void room_found(struct room *room);
static inline void room_check(struct room *room)
{
    if (room->waits)
        room_found(room);
}

/* Appends one record for quarantine. False: out of memory. */
bool trouble_add(struct trouble_block *block, const struct trouble *trouble, const char *reason,
                 const char *raw);

#endif
