/* Explaining a line: which card version and row, which tiers, which rate, which rounding, and every
 * window behind it. */
#ifndef RATEL_TOOLS_EXPLAIN_H
#define RATEL_TOOLS_EXPLAIN_H

#include "account/usage_walk.h"
#include "ratel/session.h"

/* One window, or the piece of it that this part counts. */
struct explained_window {
    struct instant start, end; /* of the whole window; equal for an event at a moment */
    struct quantity raw;       /* as it was sent */
    struct quantity piece; /* of it, what falls into this period and card version; a level meter's
                              in unit-seconds */
    uint32_t shard;
    uint64_t frame;    /* frame of the shard's journal that holds it */
    struct slice file; /* of the frame's position: it came from there or from a later one */
};

struct explained_series {
    uint32_t series;         /* common number (ledgers.h) */
    int128 multiplier;       /* the `times` value, 1 without */
    struct quantity piece;   /* sum of the windows */
    struct quantity counted; /* times the multiplier: what the bucket got */
    struct explained_window *windows;
    uint32_t window_count;
    uint32_t window_capacity;
};

struct explained_part {
    const struct spend_part *part;
    struct explained_series *series;
    uint32_t series_count;
    uint32_t series_capacity;
    struct rate_step steps[TIERS_MAX];
    uint32_t step_count;
};

struct explanation {
    const struct spend *spend;
    const struct spend_line *line;
    struct explained_part *parts; /* one per line->parts */
};

/* One pass over the journal. Errors: BUG when windows and buckets do not add up (run verify).
 * Owner: the arena. */
MUST_USE enum status explain_line(struct ledgers *ledgers, const struct spend *spend,
                                  const struct spend_line *line, struct arena *arena,
                                  struct explanation *ret, struct error *error);
void explain_json(struct context *context, const struct session *session,
                  const struct explanation *explanation);
void explain_csv(struct context *context, const struct session *session,
                 const struct explanation *explanations, uint32_t count);
void explain_text(struct context *context, const struct session *session,
                  const struct explanation *explanation);

#endif
