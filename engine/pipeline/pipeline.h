/* The pipeline: windows of input in, durable events in every shard's journal, in threads.
 *
 *   input ──▶ lanes: decode, normalise, route ──▶ shards: find, count ──▶ group commit ──▶ acknowledge
 *                │ not to be understood                  │ sums that would overflow
 *                └──────────▶ keeper: quarantine ◀───────┘
 *
 * Lanes take windows in turn and send blocks of items to the shards through SPSC rings; blocks and
 * windows come home to be used again. Every shard takes the blocks in the order of the windows,
 * whatever lane they come from, so what is counted does not depend on timing. A thread that has to
 * wait sleeps on its parker. Nothing on the way of an event allocates memory or takes a lock, once
 * series are known.
 *
 * New prices take effect at a block boundary of each shard, which then counts its journal again
 * under them: the result is that of prices that were there from the start. So the order in which
 * shards come to it does not matter, nor do the moments.
 *
 * A window is acknowledged when everything that came from it and from those before is durable:
 * events in their shards' journals, the rest in quarantine. Feeding it again changes nothing.
 *
 * Thread: pipeline_run is called by one thread, which becomes the keeper. */
#ifndef RATEL_PIPELINE_PIPELINE_H
#define RATEL_PIPELINE_PIPELINE_H

#include "account/ledgers.h"
#include "base/flat.h"
#include "base/instant.h"
#include "mediate/quarantine.h"

#define PIPELINE_LANES_MAX    16
#define PIPELINE_LANE_WINDOWS 8
#define PIPELINE_NEWS_MS      250
#define PIPELINE_RETRY_MS     250
#define PIPELINE_WINDOWS_MAX  (PIPELINE_LANES_MAX * PIPELINE_LANE_WINDOWS)

/* A piece of the input. Its bytes stay as they are until every shard is done with them. */
struct window {
    char *bytes;
    size_t length;
    uint64_t offset;   /* of the first byte in the stream */
    struct slice file; /* lives as long as the pipeline */
    enum record_form form;
    bool alone;     /* to be decoded before the next window is filled: the decoder has a state */
    void *of_input; /* the input's own, as the next two */
    bool mapped;
    uint32_t ahead; /* the lane's next window lies so far behind this one; 0: nobody knows */
    uint64_t lines;
    uint64_t
        position; /* what a source may be told to continue at once the window is acknowledged */
    /* the pipeline's */
    uint64_t number; /* from 1 */
    int64_t filled;  /* park_now() when it was read */
    const struct pipeline *pipeline;
};

/* For `fill` that waits: nobody wants the window any more, return at once. */
bool window_is_unwanted(const struct window *window);

struct lane;

/* Where windows come from. `fill` and the decoding of windows that are `alone` are called by one
 * lane at a time, in order; everything else at once from several lanes and shards, each with a
 * `reader` number of its own below lanes + shards. */
struct pipeline_input {
    void *context;
    /* Fills in bytes, length, offset, file, form, alone, position, ahead; false in *ret_more: the end. */
    MUST_USE enum status (*fill)(void *context, uint32_t reader, struct window *window,
                                 bool *ret_more, struct error *error);
    /* Hands over what is in the window with lane_flat and lane_records. */
    MUST_USE enum status (*decode)(void *context, uint32_t reader, struct window *window,
                                   struct lane *lane, struct error *error);
    /* The line, from 1, on which the byte at `offset` of the stream stands, when the decoder that
     * had the window says `line`; 0 for forms without lines. Asked for what goes to quarantine. NULL: the decoder is right. */
    uint32_t (*line)(void *context, uint32_t reader, const struct window *window, uint64_t offset,
                     uint32_t line);
    /* Decodes one lone raw record. The block is borrowed until the reader's next call. */
    MUST_USE enum status (*reread)(void *context, uint32_t reader, enum record_form form,
                                   struct slice raw, const struct record_block **ret,
                                   struct error *error);
};

/* Called by lanes. Errors: NO_MEMORY; or the pipeline has failed elsewhere. */
MUST_USE enum status lane_flat(struct lane *lane, const struct window *window,
                               const struct flat_block *block, uint32_t first, uint32_t count,
                               struct error *error);
MUST_USE enum status lane_records(struct lane *lane, const struct window *window,
                                  const struct record_block *block, struct error *error);

struct pipeline_progress {
    struct slice file;
    uint64_t position;
    uint64_t window;
    int64_t filled;              /* park_now() when the window was read */
    struct ingest_counts counts; /* of all windows up to this one, and of nothing behind it */
};

/* Where new prices come from while events are counted. Called by the keeper. */
struct pipeline_prices {
    void *context;
    /* A snapshot of what was loaded since the last call; NULL when nothing was, and until every
     * shard follows the one before nobody asks. Errors: end the pipeline. NULL: prices stay. */
    MUST_USE enum status (*news)(void *context, struct snapshot **ret, struct error *error);
    /* Gives back a snapshot that nobody looks at any more, also the one that the ledgers had before. */
    void (*release)(void *context, struct snapshot *snapshot);
    uint32_t every_ms; /* how often `news` is asked for; 0: every PIPELINE_NEWS_MS */
};

struct pipeline_options {
    /* LEDGER_WRITE. With new prices their snapshot is another one at the end: that one is the
     * caller's, all others have been released. */
    struct ledgers *ledgers;
    struct quarantine *quarantine; /* writer */
    struct slice source;           /* the cloud's name */
    uint64_t seed;
    struct clock *clock;         /* for quarantine's times */
    uint32_t lanes;              /* 1 to PIPELINE_LANES_MAX */
    bool remembers;              /* at the end every shard knows how far the last stream has come */
    uint32_t commit_events;      /* pending events of a shard that make a commit due */
    uint32_t commit_interval_us; /* and how long an event waits at most for one */
    uint64_t checkpoint_events;  /* a shard writes a checkpoint after so many; 0: only at the end */
    struct pipeline_input input;
    struct pipeline_prices prices;
    /* On a full disk: false ends the pipeline with NO_SPACE; true has it wait and hold the source
     * back, and try again every PIPELINE_RETRY_MS. Then `full` is told, by the thread that met it:
     * what has no room, and once there is again room for everybody NULL. May be NULL. */
    bool wait_for_space;
    void (*full)(void *context, const struct error *error);
    void *full_context;
    /* Told by the keeper, may be NULL. */
    void (*acknowledged)(void *context, const struct pipeline_progress *progress);
    void *acknowledged_context;
};

/* Runs until the input has ended and everything is durable and in a checkpoint, or something
 * failed; then only what was acknowledged is certain, and counted. Errors: the input's; IO,
 * NO_SPACE, NO_MEMORY; AGAIN never. */
MUST_USE enum status pipeline_run(const struct pipeline_options *options,
                                  struct ingest_counts *ret_counts, struct error *error);

#endif
