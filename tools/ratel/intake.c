#include "ratel/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adapters/decode_lone.h"
#include "adapters/fast_cut.h"

/* What a window aims at: enough that threads wake each other seldom, little enough to stay in a
 * cache. */
#define WINDOW_BYTES ((size_t)1 << 20)
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
/* Two whole records and more fit, so a window that is full always holds one. */
#define WINDOW_BYTES_MAX ((size_t)4 << 20)
/* Enough to tell a form by. */
#define SNIFF_BYTES 65536

/* What one thread decodes with. */
struct intake_reader {
    struct mixed json; /* pieces of it, and of msgpack */
    struct mixed msgpack;
    bool json_open;
    bool msgpack_open;
    struct msgpack_cut *cut; /* of the window that it has */
    /* where that one began */
    const char *map;
    uint64_t offset;
    struct lone lone;
    /* how many line ends there are before a byte that was asked for */
    const char *counted_from; /* of the file's map, or the window */
    uint64_t counted_window;  /* 0: of a map */
    size_t counted;
    uint64_t lines;
};

enum status intake_init(struct intake *intake, uint32_t readers)
{
    intake->carry = malloc(WINDOW_BYTES_MAX);
    intake->readers = calloc(readers, sizeof(*intake->readers));
    intake->reader_count = readers;
    return intake->carry && intake->readers ? STATUS_OK : STATUS_NO_MEMORY;
}

static void reader_fini(struct intake_reader *reader)
{
    if (reader->json_open)
        mixed_close(&reader->json);
    if (reader->msgpack_open)
        mixed_close(&reader->msgpack);
    msgpack_cut_free(reader->cut);
    lone_fini(&reader->lone);
}

/* Of the file as it lies on disk. */
static uint64_t bytes_done(const struct intake *intake)
{
    return intake->map ? intake->offset : input_position(intake->input);
}

static void close_file(struct intake *intake)
{
    if (intake->one_open)
        mixed_close(&intake->one);
    if (intake->input) {
        intake->done_bytes += bytes_done(intake);
        input_close(intake->input);
    }
    intake->one_open = false;
    intake->input = NULL;
}

void intake_fini(struct intake *intake)
{
    close_file(intake);
    for (uint32_t i = 0; intake->readers && i < intake->reader_count; i++)
        reader_fini(&intake->readers[i]);
    for (uint32_t i = 0; i < intake->window_count; i++)
        free(intake->windows[i]);
    for (uint32_t i = 0; i < intake->map_count; i++)
        input_unmap(intake->maps[i].bytes, intake->maps[i].length);
    if (intake->cutter)
        fast_msgpack.close(intake->cutter);
    free(intake->cutter_room);
    free(intake->maps);
    free(intake->readers);
    free(intake->carry);
}

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

/* ---- filling windows
 * ---------------------------------------------------------------------------------------------
 */

/* Trouble with one input is told and the others go on: what came before it is whole and is kept. */
static void tell_failure(struct intake *intake, enum status status, const struct error *failure)
{
    char line[1024];
    error_format(failure, line, sizeof(line));
    fprintf(intake->err, "ratel: %s\n", line);
    intake->failed_files++;
    if (intake->first_failure == STATUS_OK)
        intake->first_failure = status;
}

static bool is_trouble_with_input(enum status status)
{
    return status == STATUS_NOT_FOUND || status == STATUS_PERMISSION || status == STATUS_CORRUPT ||
           status == STATUS_IO;
}

/* NULL where it has to be read. */
static char *map_file(struct intake *intake, size_t *ret_length)
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

static size_t usual_room(const struct intake *intake)
{
    if (!intake->map)
        return WINDOW_BYTES;
    return intake->class == &decoder_msgpack ? MAP_MSGPACK_BYTES : MAP_WINDOW_BYTES;
}

/* The next file that can be opened; *ret_more is false when there is none. */
static enum status open_next(struct intake *intake, bool *ret_more, struct error *error)
{
    while (intake->next_path < intake->path_count) {
        const char *path = intake->paths[intake->next_path++];
        struct error failure = {0};
        enum status status = input_open(path, &intake->input, &failure);
        if (status == STATUS_OK) {
            bool standard = strcmp(path, "-") == 0;
            const char *called = intake->stream ? intake->stream : "<stdin>";
            intake->file = slice_string(standard ? called : path);
            intake->class = NULL;
            intake->ended = false;
            intake->map = standard ? NULL : map_file(intake, &intake->map_length);
            intake->room = usual_room(intake);
            intake->populated = 0;
            intake->carry_length = 0;
            intake->offset = standard ? intake->stream_offset : 0;
            intake->lines = 0;
            *ret_more = true;
            return STATUS_OK;
        }
        if (!is_trouble_with_input(status)) {
            *error = failure;
            return status;
        }
        tell_failure(intake, status, &failure);
    }
    *ret_more = false;
    return STATUS_OK;
}

static enum status choose_decoder(struct intake *intake, const struct window *window,
                                  struct error *error)
{
    struct slice head =
        slice_of(window->bytes, window->length < SNIFF_BYTES ? window->length : SNIFF_BYTES);
    bool cloudstack = strcmp(intake->format, "cloudstack") == 0;
    intake->class = cloudstack || strcmp(intake->format, "auto") == 0
                        ? decoder_sniff(head, cloudstack)
                        : decoder_find(intake->format);
    if (!intake->class)
        return error_set(error, STATUS_USAGE, "there is no format %s", intake->format);
    intake->fast = intake->class == &decoder_json      ? &fast_json
                   : intake->class == &decoder_msgpack ? &fast_msgpack
                                                       : NULL;
    intake->cuts = intake->fast != NULL;
    intake->room = usual_room(intake);
    return STATUS_OK;
}

/* How often a lane that waits for a pipe looks whether it is still wanted. */
#define WAIT_MS 100

/* Reads until the window is as full as is sensible. A pipe is not waited for while there is
 * something. */
static void read_window(struct intake *intake, struct window *window, size_t room)
{
    bool file = input_size(intake->input) > 0;
    while (!intake->ended && window->length < room) {
        size_t length = 0;
        struct error failure = {0};
        while (!input_wait(intake->input, WAIT_MS))
            if (window_is_unwanted(window))
                return;
        enum status status = input_read(intake->input, window->bytes + window->length,
                                        room - window->length, &length, &failure);
        if (status != STATUS_OK)
            tell_failure(intake, status, &failure);
        intake->ended = status != STATUS_OK || length == 0;
        window->length += length;
        bool enough_to_tell = intake->class || window->length >= SNIFF_BYTES;
        if (!file && enough_to_tell && length > 0)
            break;
    }
}

/* ThreadSanitizer cannot run what chooses between the two: that is called before it has begun. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define WITH_AVX2 __attribute__((target_clones("avx2", "default")))
#else
#define WITH_AVX2
#endif

/* gcc makes vector code of it. */
WITH_AVX2 static uint64_t count_lines(const char *bytes, size_t length)
{
    uint64_t lines = 0;
    for (size_t at = 0; at < length;) {
        size_t end = length - at < 128 ? length : at + 128;
        uint8_t some = 0;
        for (; at < end; at++)
            some = (uint8_t)(some + (bytes[at] == '\n'));
        lines += some;
    }
    return lines;
}

/* What is behind `used` comes first in the next window. */
static void keep_rest(struct intake *intake, const struct window *window, size_t used)
{
    intake->carry_length = intake->map ? 0 : window->length - used;
    memcpy(intake->carry, window->bytes + used, intake->carry_length);
}

/* Line ends of JSON that is done with. A map can be looked at again when somebody asks. */
static void count_window(struct intake *intake, const struct window *window, size_t used)
{
    if (!intake->map && window->form == RECORD_FORM_JSON)
        intake->lines += count_lines(window->bytes, used);
}

static bool has_rest(const struct intake *intake)
{
    return intake->map ? intake->offset < intake->map_length : intake->carry_length > 0;
}

static size_t cut_json(struct intake *intake, const struct window *window)
{
    if (intake->one_open)
        return 0;
    size_t length = intake->ended ? window->length : json_cut(window->bytes, window->length);
    intake->cuts = length > 0; /* one decoder from here on: a stretch without line ends */
    return length;
}

/* Where the decoder with a state has gone through what could not be cut, cutting goes on. */
static enum status cut_msgpack(struct intake *intake, uint32_t reader, const struct window *window,
                               size_t *ret_length)
{
    struct msgpack_cut **cut = &intake->readers[reader].cut;
    *ret_length = 0;
    if (intake->one_open && !mixed_at_top(&intake->one))
        return STATUS_OK;
    if (!intake->cutter && fast_msgpack.open(&intake->cutter) != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (!intake->cutter_room && !(intake->cutter_room = malloc(sizeof(*intake->cutter_room))))
        return STATUS_NO_MEMORY;
    if (!*cut && msgpack_cut_new(cut) != STATUS_OK)
        return STATUS_NO_MEMORY;
    *ret_length = msgpack_cut_make(intake->cutter, window->bytes, window->length, intake->room,
                                   intake->cutter_room, *cut);
    return STATUS_OK;
}

/* Cuts the window, if it can be, where the rest can be decoded beside it. */
static enum status cut(struct intake *intake, uint32_t reader, struct window *window)
{
    size_t length = 0;
    enum status status = STATUS_OK;
    if (intake->cuts && window->form == RECORD_FORM_JSON)
        length = cut_json(intake, window);
    else if (intake->cuts)
        status = cut_msgpack(intake, reader, window, &length);
    if (length == 0)
        return status;
    keep_rest(intake, window, length);
    window->length = length;
    window->alone = false;
    intake->room = usual_room(intake);
    count_window(intake, window, length);
    intake->offset += length;
    window->position = intake->offset;
    if (intake->ended && !has_rest(intake))
        close_file(intake);
    return STATUS_OK;
}

static enum status window_memory(struct intake *intake, struct window *window)
{
    if (!window->of_input) {
        char *memory = aligned_alloc(64, WINDOW_BYTES_MAX + DECODER_PADDING);
        if (!memory)
            return STATUS_NO_MEMORY;
        assert(intake->window_count < PIPELINE_WINDOWS_MAX);
        intake->windows[intake->window_count++] = memory;
        memset(memory, 0, 2 * WINDOW_BYTES); /* touched now, and not when input comes */
        memset(memory + WINDOW_BYTES_MAX, 0, DECODER_PADDING);
        window->of_input = memory;
    }
    window->bytes = window->of_input;
    return STATUS_OK;
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

/* Nobody looks any more at what was in the window, nor at the windows before it. What was mapped is
 * given back in steps. */
static void drop_mapped(struct intake *intake, struct window *window)
{
    char *end = window->bytes + window->length;
    if (window->length && window->bytes != window->of_input) {
        if (window->bytes < intake->done || window->bytes > intake->done_end) {
            drop_done(intake); /* of the file before */
            intake->done = window->bytes;
        }
        intake->done_end = end;
        if (end - intake->done >= (ptrdiff_t)MAP_STEP_BYTES)
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

/* Lanes take turns, so a lane's next window is as far behind this one as this one is behind the one
 * before. */
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

static void map_window(struct intake *intake, uint32_t reader, struct window *window)
{
    size_t rest = intake->map_length - intake->offset;
    window->bytes = intake->map + intake->offset;
    size_t most = intake->room + (intake->class == &decoder_msgpack ? MAP_MSGPACK_MORE : 0);
    window->length = rest < most ? rest : most;
    window->ahead = look_ahead(intake, &intake->readers[reader], window);
    intake->ended = window->length == rest;
    populate(intake, intake->offset + window->ahead + window->length);
}

static enum status fill(void *context, uint32_t reader, struct window *window, bool *ret_more,
                        struct error *error)
{
    struct intake *intake = context;
    enum status status = STATUS_OK;
    drop_mapped(intake, window);
    *ret_more = true;
    if (!intake->input)
        status = open_next(intake, ret_more, error);
    if (status != STATUS_OK || !*ret_more) {
        window->file = intake->file;
        window->position = intake->offset;
        return status;
    }
    if (!intake->map && window_memory(intake, window) != STATUS_OK)
        return out_of_memory(error);
    window->offset = intake->offset;
    window->file = intake->file;
    window->alone = true;
    window->mapped = intake->map != NULL;
    window->ahead = 0;
    window->lines = intake->lines;
    if (intake->map) {
        map_window(intake, reader, window);
    } else {
        memcpy(window->bytes, intake->carry, intake->carry_length);
        window->length = intake->carry_length;
        read_window(intake, window, intake->room);
    }
    if (!intake->class)
        status = choose_decoder(intake, window, error);
    if (status != STATUS_OK)
        return status;
    window->form = intake->class->form;
    window->position = window->offset;
    if (cut(intake, reader, window) != STATUS_OK)
        return out_of_memory(error);
    if (intake->progress && intake->input)
        progress_at(intake->progress, intake->done_bytes + bytes_done(intake));
    return STATUS_OK;
}

/* ---- decoding
 * ----------------------------------------------------------------------------------------------------
 */

/* Line ends before the byte at `offset`: those before what was asked for last are known. */
static uint64_t lines_before(struct intake_reader *reader, const struct window *window,
                             uint64_t offset)
{
    const char *from = window->mapped ? window->bytes - window->offset : window->bytes;
    uint64_t number = window->mapped ? 0 : window->number;
    size_t at = (size_t)(window->mapped ? offset : offset - window->offset);
    if (reader->counted_from != from || reader->counted_window != number || reader->counted > at) {
        reader->counted_from = from;
        reader->counted_window = number;
        reader->counted = 0;
        reader->lines = 0;
    }
    reader->lines += count_lines(from + reader->counted, at - reader->counted);
    reader->counted = at;
    return reader->lines + (window->mapped ? 0 : window->lines);
}

/* JSON is decoded in pieces, and records of it alone, so decoders do not know their lines. */
static uint32_t window_line(struct intake *intake, uint32_t reader, const struct window *window,
                            uint64_t offset, uint32_t line)
{
    if (window->form != RECORD_FORM_JSON)
        return line;
    return (uint32_t)(lines_before(&intake->readers[reader], window, offset) + 1);
}

static uint32_t line(void *context, uint32_t reader, const struct window *window, uint64_t offset,
                     uint32_t decoders)
{
    return window_line(context, reader, window, offset, decoders);
}

static void tell_envelope(struct intake *intake, uint32_t reader, struct mixed *mixed,
                          const struct window *window)
{
    struct envelope_error envelope = {0};
    mixed_envelope(mixed, &envelope);
    if (!envelope.seen)
        return;
    atomic_fetch_add(&intake->error_envelopes, 1);
    struct error told;
    if (envelope.errorcode)
        error_set(&told, STATUS_INVALID,
                  "CloudStack answered with error %d, not with usage: %s; fetch this page again",
                  envelope.errorcode, envelope.text);
    else
        error_set(&told, STATUS_INVALID, "%s", envelope.text);
    char path[256], line[1024];
    snprintf(path, sizeof(path), "%.*s", (int)window->file.length, window->file.data);
    error_at(&told, path, window_line(intake, reader, window, envelope.offset, envelope.line), 0);
    error_format(&told, line, sizeof(line));
    fprintf(intake->err, "ratel: %s\n", line);
}

static enum status hand_over(struct intake *intake, uint32_t reader, struct mixed *mixed,
                             struct window *window, bool last, struct lane *lane,
                             struct error *error)
{
    struct mixed_block block = {0};
    mixed_window(mixed, window->bytes, window->length, window->offset, last);
    for (;;) {
        if (mixed_next(mixed, &block) != STATUS_OK)
            return out_of_memory(error);
        tell_envelope(intake, reader, mixed, window);
        if (block.kind == MIXED_NONE)
            return STATUS_OK;
        enum status status =
            block.kind == MIXED_FLAT
                ? lane_flat(lane, window, block.flat, block.first, block.count, error)
                : lane_records(lane, window, block.records, error);
        if (status != STATUS_OK)
            return status;
    }
}

/* The lane has the turn. */
static enum status decode_alone(struct intake *intake, uint32_t reader, struct window *window,
                                struct lane *lane, struct error *error)
{
    if (!intake->one_open) {
        enum status status = mixed_open(&intake->one, intake->fast, intake->class);
        intake->one_open = true;
        if (status != STATUS_OK)
            return out_of_memory(error);
        if (window->form == RECORD_FORM_JSON)
            mixed_without_lines(&intake->one);
    }
    enum status status =
        hand_over(intake, reader, &intake->one, window, intake->ended, lane, error);
    if (status != STATUS_OK)
        return status;
    size_t used = mixed_used(&intake->one);
    keep_rest(intake, window, used);
    count_window(intake, window, used);
    intake->offset += used;
    window->position = intake->offset;
    if (intake->ended)
        close_file(intake);
    /* A record that is longer than the window: more of it. */
    size_t usual = usual_room(intake);
    bool more = used == 0 && intake->room < WINDOW_BYTES_MAX;
    intake->room = more                               ? intake->room * 2
                   : intake->room > usual && used > 0 ? usual
                                                      : intake->room;
    return STATUS_OK;
}

static enum status decode_msgpack(struct intake *intake, uint32_t reader_number,
                                  struct window *window, struct lane *lane, struct error *error)
{
    struct intake_reader *reader = &intake->readers[reader_number];
    if (!reader->msgpack_open) {
        reader->msgpack_open = true;
        if (mixed_open(&reader->msgpack, &fast_msgpack_cut, &decoder_msgpack) != STATUS_OK)
            return out_of_memory(error);
        msgpack_follow(reader->msgpack.fast, reader->cut);
    }
    enum status status =
        hand_over(intake, reader_number, &reader->msgpack, window, true, lane, error);
    msgpack_cut_done(reader->cut);
    return status;
}

static enum status decode(void *context, uint32_t reader_number, struct window *window,
                          struct lane *lane, struct error *error)
{
    struct intake *intake = context;
    if (window->alone)
        return decode_alone(intake, reader_number, window, lane, error);
    struct intake_reader *reader = &intake->readers[reader_number];
    if (window->form == RECORD_FORM_MSGPACK)
        return decode_msgpack(intake, reader_number, window, lane, error);
    if (!reader->json_open) {
        reader->json_open = true;
        if (mixed_open(&reader->json, &fast_json, &decoder_json) != STATUS_OK)
            return out_of_memory(error);
        mixed_without_lines(&reader->json);
    }
    return hand_over(intake, reader_number, &reader->json, window, true, lane, error);
}

static enum status reread(void *context, uint32_t reader_number, enum record_form form,
                          struct slice raw, const struct record_block **ret, struct error *error)
{
    struct intake *intake = context;
    enum status status = lone_decode(&intake->readers[reader_number].lone, form, raw, ret);
    return status == STATUS_OK ? STATUS_OK : out_of_memory(error);
}

struct pipeline_input intake_input(struct intake *intake)
{
    return (struct pipeline_input){
        .context = intake, .fill = fill, .decode = decode, .line = line, .reread = reread};
}
