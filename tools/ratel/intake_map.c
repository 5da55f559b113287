/* See intake_private.h. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ratel/intake_private.h"

/* Of a mapped file: nothing is copied, and the kernel is asked less often. */
#define MAP_WINDOW_BYTES ((size_t)1 << 20)
/* And so often it is told what of the map is needed next, and what no more. */
#define MAP_STEP_BYTES ((size_t)16 << 20)
/* Of mapped msgpack: a lane goes over it to cut it, and then finds it in its own cache, with the
 * next one beside it. */
#define MAP_MSGPACK_BYTES ((size_t)512 << 10)
/* Bytes behind it that the cutter may look at, so that it is not slow towards the end. */
#define MAP_MSGPACK_MORE 4096
#define AHEAD_BYTES_MAX  (PIPELINE_LANES_MAX * MAP_MSGPACK_BYTES)

char *intake_map_file(struct intake *intake, size_t *ret_length)
{
    struct intake_map *maps =
        realloc(intake->maps, (intake->map_count + 1) * sizeof(*intake->maps));
    if (!maps)
        return NULL;
    intake->maps = maps;
    char *map = input_map(intake->input, ret_length);
    if (map)
        maps[intake->map_count++] = (struct intake_map){map, *ret_length};
    return map;
}

size_t intake_map_room(const struct intake *intake)
{
    return intake->class == &decoder_msgpack ? MAP_MSGPACK_BYTES : MAP_WINDOW_BYTES;
}

static uintptr_t page_before(const char *at)
{
    return (uintptr_t)at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

/* Gives back the pages of windows that are done with, up to where the next ones may lie. */
static void drop_done(struct intake *intake)
{
    uintptr_t from = page_before(intake->done), end = page_before(intake->done_end);
    if (end > from)
        (void)madvise((void *)from, end - from, MADV_DONTNEED);
    intake->done += end > from ? end - (uintptr_t)intake->done : 0;
}

/* Shards are done with windows in order, so with this one all before it in its file are. */
void intake_drop_mapped(struct intake *intake, struct window *window)
{
    if (window->length && window->bytes != window->of_input) {
        char *map = window->bytes - window->offset, *end = window->bytes + window->length;
        if (map != intake->done_map) {
            drop_done(intake); /* of another file */
            intake->done_map = intake->done = intake->done_end = map;
        }
        intake->done_end = end > intake->done_end ? end : intake->done_end;
        if (intake->done_end - intake->done >= (ptrdiff_t)MAP_STEP_BYTES)
            drop_done(intake);
    }
    window->bytes = NULL;
    window->length = 0;
}

/* Has the kernel map what the next windows need. Where it cannot, pages come one by one. */
static void populate(struct intake *intake, size_t until)
{
#ifdef MADV_POPULATE_READ
    if (until <= intake->populated)
        return;
    size_t rest = intake->map_length - intake->populated;
    size_t step = rest < MAP_STEP_BYTES ? rest : MAP_STEP_BYTES;
    if (step < until - intake->populated)
        step = until - intake->populated;
    uintptr_t from = page_before(intake->map + intake->populated);
    intake->populated += step;
    (void)madvise((void *)from, (uintptr_t)intake->map + intake->populated - from,
                  MADV_POPULATE_READ);
#else
    (void)intake, (void)until;
#endif
}

/* Lanes mostly take turns, so a lane's next window is about as far behind this one as this one is
 * behind the one before. */
static uint32_t look_ahead(const struct intake *intake, struct intake_reader *reader,
                           const struct window *window)
{
    bool same = reader->map == intake->map && intake->class == &decoder_msgpack;
    uint64_t ahead = same ? intake->offset - reader->offset : 0;
    reader->map = intake->map;
    reader->offset = intake->offset;
    bool there = intake->offset + ahead + window->length <= intake->map_length;
    return there && ahead <= AHEAD_BYTES_MAX ? (uint32_t)ahead : 0;
}

void intake_map_window(struct intake *intake, uint32_t reader, struct window *window)
{
    size_t rest = intake->map_length - intake->offset;
    window->bytes = intake->map + intake->offset;
    size_t most = intake->room + (intake->class == &decoder_msgpack ? MAP_MSGPACK_MORE : 0);
    window->length = rest < most ? rest : most;
    window->ahead = look_ahead(intake, &intake->readers[reader], window);
    intake->ended = window->length == rest;
    populate(intake, intake->offset + window->ahead + window->length);
}
