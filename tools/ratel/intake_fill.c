/* See intake_private.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/fast_cut.h"
#include "ratel/intake_private.h"

/* What a window aims at: enough that threads wake each other seldom, little enough to stay in a
 * cache. */
#define WINDOW_BYTES ((size_t)1 << 20)
/* Enough to tell a form by. */
#define SNIFF_BYTES 65536
/* How often a lane that waits for a pipe looks whether it is still wanted. */
#define WAIT_MS 100

/* Of the file as it lies on disk. */
static uint64_t bytes_done(const struct intake *intake)
{
    return intake->map ? intake->offset : input_position(intake->input);
}

void intake_close_file(struct intake *intake)
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

/* ---- opening files
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

size_t intake_usual_room(const struct intake *intake)
{
    return intake->map ? intake_map_room(intake) : WINDOW_BYTES;
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
            intake->map = standard ? NULL : intake_map_file(intake, &intake->map_length);
            intake->room = intake_usual_room(intake);
            intake->populated = 0;
            intake->carry_length = 0;
            intake->offset = intake->position = standard ? intake->stream_offset : 0;
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
    intake->room = intake_usual_room(intake);
    return STATUS_OK;
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------
 */

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

/* ---- cutting
 * ---------------------------------------------------------------------------------------------
 */

void intake_use(struct intake *intake, struct window *window, size_t used)
{
    intake->carry_length = intake->map ? 0 : window->length - used;
    memcpy(intake->carry, window->bytes + used, intake->carry_length);
    /* A map can be looked at again when somebody asks for a line. */
    if (!intake->map && window->form == RECORD_FORM_JSON)
        intake->lines += intake_count_lines(window->bytes, used);
    intake->offset += used;
    /* Rows of CSV mean nothing without the header row: a source has to begin there again. */
    if (window->form != RECORD_FORM_CSV)
        intake->position = intake->offset;
    window->position = intake->position;
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
    window->alone = false;
    intake_use(intake, window, length);
    window->length = length;
    intake->room = intake_usual_room(intake);
    if (intake->ended && !has_rest(intake))
        intake_close_file(intake);
    return STATUS_OK;
}

/* ---- windows
 * ---------------------------------------------------------------------------------------------
 */

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

enum status intake_fill(void *context, uint32_t reader, struct window *window, bool *ret_more,
                        struct error *error)
{
    struct intake *intake = context;
    enum status status = STATUS_OK;
    intake_drop_mapped(intake, window);
    *ret_more = true;
    if (!intake->input)
        status = open_next(intake, ret_more, error);
    if (status != STATUS_OK || !*ret_more) {
        window->file = intake->file;
        window->position = intake->position;
        return status;
    }
    if (!intake->map && window_memory(intake, window) != STATUS_OK)
        return intake_out_of_memory(error);
    window->offset = intake->offset;
    window->file = intake->file;
    window->alone = true;
    window->mapped = intake->map != NULL;
    window->ahead = 0;
    window->lines = intake->lines;
    if (intake->map) {
        intake_map_window(intake, reader, window);
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
    window->position = intake->position;
    if (cut(intake, reader, window) != STATUS_OK)
        return intake_out_of_memory(error);
    if (intake->progress && intake->input)
        progress_at(intake->progress, intake->done_bytes + bytes_done(intake));
    return STATUS_OK;
}
