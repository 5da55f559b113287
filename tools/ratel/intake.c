/* See intake.h. */
#include <stdlib.h>
#include <string.h>

#include "adapters/fast_cut.h"
#include "ratel/intake_private.h"

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

void intake_fini(struct intake *intake)
{
    intake_close_file(intake);
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

enum status intake_out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

/* ---- lines
 * ---------------------------------------------------------------------------------------------
 */

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

uint64_t intake_count_lines(const char *bytes, size_t length)
{
    return count_lines(bytes, length);
}

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
    reader->lines += intake_count_lines(from + reader->counted, at - reader->counted);
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

/* ---- decoding
 * ---------------------------------------------------------------------------------------------
 */

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
            return intake_out_of_memory(error);
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
            return intake_out_of_memory(error);
        if (window->form == RECORD_FORM_JSON)
            mixed_without_lines(&intake->one);
    }
    enum status status =
        hand_over(intake, reader, &intake->one, window, intake->ended, lane, error);
    if (status != STATUS_OK)
        return status;
    size_t used = mixed_used(&intake->one);
    intake_use(intake, window, used);
    if (intake->ended)
        intake_close_file(intake);
    /* A record that is longer than the window: more of it. */
    size_t usual = intake_usual_room(intake);
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
            return intake_out_of_memory(error);
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
            return intake_out_of_memory(error);
        mixed_without_lines(&reader->json);
    }
    return hand_over(intake, reader_number, &reader->json, window, true, lane, error);
}

static enum status reread(void *context, uint32_t reader_number, enum record_form form,
                          struct slice raw, const struct record_block **ret, struct error *error)
{
    struct intake *intake = context;
    enum status status = lone_decode(&intake->readers[reader_number].lone, form, raw, ret);
    return status == STATUS_OK ? STATUS_OK : intake_out_of_memory(error);
}

struct pipeline_input intake_input(struct intake *intake)
{
    return (struct pipeline_input){
        .context = intake, .fill = intake_fill, .decode = decode, .line = line, .reread = reread};
}
