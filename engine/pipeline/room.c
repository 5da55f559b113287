/* A full disk holds the pipeline back: whoever has to write waits, nothing is taken in behind it,
 * and the source is not told that anything is durable. */
#include "pipeline/pipeline_private.h"

static bool space_wait(void *context, const struct error *error)
{
    return room_wait(context, error);
}

void room_init(struct room *room, struct pipeline *pipeline, struct parker *parker)
{
    *room = (struct room){pipeline, parker, false, {room, space_wait}};
}

static bool is_failed(void *context)
{
    return pipeline_failed(context);
}

void room_begin(struct room *room, const struct error *error)
{
    struct pipeline *pipeline = room->pipeline;
    const struct pipeline_options *options = &pipeline->options;
    if (room->waits)
        return;
    room->waits = true;
    bool first = atomic_fetch_add_explicit(&pipeline->waiting, 1, memory_order_acq_rel) == 0;
    if (first && options->full)
        options->full(options->full_context, error);
}

bool room_wait(struct room *room, const struct error *error)
{
    struct pipeline *pipeline = room->pipeline;
    const struct pipeline_options *options = &pipeline->options;
    if (!options->wait_for_space || pipeline_failed(pipeline))
        return false;
    room_begin(room, error);
    int64_t again = park_now() + (int64_t)PIPELINE_RETRY_MS * 1000000;
    return !park_until(room->parker, is_failed, pipeline, again);
}

void room_found(struct room *room)
{
    const struct pipeline_options *options = &room->pipeline->options;
    assert(room->waits);
    room->waits = false;
    bool last = atomic_fetch_sub_explicit(&room->pipeline->waiting, 1, memory_order_acq_rel) == 1;
    if (last && options->full && !pipeline_failed(room->pipeline))
        options->full(options->full_context, NULL);
}
