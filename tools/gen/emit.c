#include "gen/emit.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A rendered series: its places, then its bytes, in the emitter's arena. */
struct template
{
    size_t at;
    uint32_t length;
    uint32_t place_count;
};

struct window_text {
    char start[DATE_BYTES_MAX], end[DATE_BYTES_MAX];
};

struct emitter {
    const struct cloud *cloud;
    const struct options *options;
    struct failure *failure;
    struct emit_counts *counts;
    struct output *output;
    struct template *templates;
    char *arena;
    size_t arena_used, arena_room;
    struct window_text *windows;
    uint64_t
        *turn_rows; /* how many rows each turn has, or NULL where the form does not need to know */
    uint64_t total_rows;
    uint64_t rows_in_page;
    size_t turns_opened; /* with split_folder */
    uint64_t last_hours; /* value whose text stands in `filling`, or UINT64_MAX */
    struct filling filling;
    struct fields fields;
    struct rendered rendered;
    char start[DATE_BYTES_MAX],
        end[DATE_BYTES_MAX]; /* of a record that starts or ends with an event */
};

static const struct zone *date_zone(const struct emitter *emitter)
{
    return emitter->options->form.dates == DATE_NEW ? &emitter->cloud->server
                                                    : &emitter->cloud->aggregation;
}

static size_t instant_text(const struct emitter *emitter, char *out, int64_t instant)
{
    return date_text(out, emitter->options->form.dates, date_zone(emitter), instant);
}

static void render_series(struct emitter *emitter, const struct series *series, enum damage damage)
{
    describe_series(emitter->cloud, series, emitter->filling.point, &emitter->fields);
    form_render(&emitter->options->form, &emitter->fields, damage, &emitter->rendered);
}

static void render_templates(struct emitter *emitter)
{
    const struct cloud *cloud = emitter->cloud;
    const struct rendered *rendered = &emitter->rendered;

    emitter->templates = memory_grow(NULL, cloud->series_count * sizeof *emitter->templates);
    for (size_t i = 0; i < cloud->series_count; i++) {
        size_t places_bytes, bytes;

        render_series(emitter, &cloud->series[i], DAMAGE_NONE);
        places_bytes = rendered->place_count * sizeof *rendered->places;
        bytes = (places_bytes + rendered->length + 3) & ~(size_t)3;
        if (emitter->arena_used + bytes > emitter->arena_room) {
            emitter->arena_room += emitter->arena_room / 2 + bytes + ((size_t)1 << 20);
            emitter->arena = memory_grow(emitter->arena, emitter->arena_room);
        }
        emitter->templates[i] =
            (struct template){emitter->arena_used, rendered->length, rendered->place_count};
        memcpy(emitter->arena + emitter->arena_used, rendered->places, places_bytes);
        memcpy(emitter->arena + emitter->arena_used + places_bytes, rendered->bytes,
               rendered->length);
        emitter->arena_used += bytes;
    }
}

static void render_windows(struct emitter *emitter)
{
    const struct cloud *cloud = emitter->cloud;

    emitter->windows = memory_grow(NULL, cloud->window_count * sizeof *emitter->windows);
    for (size_t i = 0; i < cloud->window_count; i++) {
        instant_text(emitter, emitter->windows[i].start, cloud->windows[i].from);
        emitter->filling.date_bytes =
            (uint32_t)instant_text(emitter, emitter->windows[i].end, cloud->windows[i].to - 1);
    }
}

/* Framing around the records of a file or page. */

static bool has_count(enum form form)
{
    return form == FORM_JSON || form == FORM_XML;
}

static bool page_open(struct emitter *emitter, uint64_t count)
{
    char text[256];
    int length = 0;

    if (emitter->options->form.form == FORM_JSON)
        length = snprintf(text, sizeof text,
                          "{\"listusagerecordsresponse\":{\"count\":%llu,\"usagerecord\":[",
                          (unsigned long long)count);
    else if (emitter->options->form.form == FORM_XML)
        length = snprintf(text, sizeof text,
                          "<?xml version=\"1.0\" encoding=\"UTF-8\"?><listusagerecordsresponse "
                          "cloud-stack-version=\"%s\"><count>%llu</count>",
                          emitter->options->cloud.old_release ? "4.19.3.0" : "4.22.1.0",
                          (unsigned long long)count);
    return output_text(emitter->output, text, (size_t)length, emitter->failure);
}

static bool page_close(struct emitter *emitter)
{
    const char *text = "";

    if (emitter->options->form.form == FORM_JSON)
        text = "]}}\n";
    else if (emitter->options->form.form == FORM_XML)
        text = "</listusagerecordsresponse>\n";
    emitter->rows_in_page = 0;
    return output_text(emitter->output, text, strlen(text), emitter->failure);
}

static bool file_begin(struct emitter *emitter, const char *path)
{
    emitter->output = output_open(path, emitter->options->compression, emitter->failure);
    emitter->rows_in_page = 0;
    if (!emitter->output)
        return false;
    if (emitter->options->form.form == FORM_ARRAY)
        return output_text(emitter->output, "[", 1, emitter->failure);
    if (emitter->options->form.form == FORM_CSV) {
        char *room = output_room(emitter->output, RENDERED_BYTES_MAX, emitter->failure);

        if (room)
            output_used(emitter->output, form_csv_header(room));
        return room;
    }
    return true;
}

/* `rows` is how many the file has had: CloudStack answers nothing with an empty object. */
static bool file_end(struct emitter *emitter, uint64_t rows)
{
    static const char empty_json[] = "{\"listusagerecordsresponse\":{}}\n";
    enum form form = emitter->options->form.form;
    struct output *output = emitter->output;
    bool good = true;

    if (form == FORM_ARRAY)
        good = output_text(output, "]\n", 2, emitter->failure);
    else if (form == FORM_JSON && rows == 0)
        good = output_text(output, empty_json, sizeof empty_json - 1, emitter->failure);
    else if (form == FORM_XML && rows == 0)
        good = page_open(emitter, 0) && page_close(emitter);
    else if (has_count(form) && emitter->rows_in_page > 0)
        good = page_close(emitter);
    emitter->output = NULL;
    emitter->counts->bytes += output_bytes(output);
    if (good)
        return output_close(output, emitter->failure);
    output_abandon(output);
    return false;
}

static const char *file_extension(const struct options *options)
{
    static const char *const extensions[FORM_COUNT] = {"json", "xml", "ndjson",
                                                       "json", "csv", "msgpack"};

    return extensions[options->form.form];
}

/* Opens the file of the next turn, after closing the one before. */
static bool next_turn_file(struct emitter *emitter)
{
    static const char *const packed[] = {"", ".gz", ".zst"};
    const struct options *options = emitter->options;
    size_t turn = emitter->turns_opened;
    int64_t start = emitter->cloud->windows[turn].from;
    struct civil_date date = civil_from_days(start / 86400);
    uint32_t second = (uint32_t)(start % 86400);
    char path[4096];
    int length;

    if (turn > 0 && !file_end(emitter, emitter->turn_rows[turn - 1]))
        return false;
    length = snprintf(path, sizeof path, "%s/window-%05zu-%04d-%02d-%02dT%02u%02u%02uZ.%s%s",
                      options->split_folder, turn + 1, date.year, date.month, date.day,
                      second / 3600, second / 60 % 60, second % 60, file_extension(options),
                      packed[options->compression]);
    if (length >= (int)sizeof path)
        return failure_set(emitter->failure, GEN_EXIT_CANNOT_CREATE,
                           "the name of the folder is too long");
    emitter->turns_opened++;
    return file_begin(emitter, path);
}

/* Rows. */

static void fill_quantity(struct emitter *emitter, const struct row *row)
{
    struct filling *filling = &emitter->filling;

    filling->whole = row->amount.value;
    if (meter_of(row->series->type)->measure != MEASURE_HOURS) {
        filling->quantity_length = (uint32_t)number_u64(filling->quantity, row->amount.value);
        emitter->last_hours = UINT64_MAX;
    } else if (row->amount.value != emitter->last_hours) {
        /* Most records of a window have the same hours. */
        filling->quantity_length =
            (uint32_t)number_micro(filling->quantity, row->amount.value, filling->point);
        emitter->last_hours = row->amount.value;
    }
}

static void fill_dates(struct emitter *emitter, const struct row *row)
{
    const struct cloud *cloud = emitter->cloud;
    const struct window *window = &cloud->windows[row->window];
    int64_t from = cloud->start + row->amount.from, to = cloud->start + row->amount.to;

    emitter->filling.start = emitter->windows[row->window].start;
    emitter->filling.end = emitter->windows[row->window].end;
    if (from == window->from && to == window->to)
        return;
    instant_text(emitter, emitter->start, from);
    instant_text(emitter, emitter->end, row->amount.cut_short ? to : to - 1);
    emitter->filling.start = emitter->start;
    emitter->filling.end = emitter->end;
}

static void fill_damage(struct emitter *emitter, enum damage damage)
{
    struct filling *filling = &emitter->filling;

    if (damage == DAMAGE_NUMBER) {
        filling->quantity_length = 5;
        memcpy(filling->quantity, "12.x4", 5);
        emitter->last_hours = UINT64_MAX;
    } else if (damage == DAMAGE_DATE) {
        filling->end = emitter->options->form.dates == DATE_NEW ? "2026-13-45T99:00:00+0000"
                                                                : "2026-13-45'T'99:00:00+00:00";
    }
}

static char *fill_row(struct emitter *emitter, const struct row *row, char *room)
{
    enum form form = emitter->options->form.form;
    const struct template *template = &emitter->templates[row->series_index];
    const char *arena = emitter->arena + template->at;
    char *end;

    fill_quantity(emitter, row);
    fill_dates(emitter, row);
    if (row->kind != ROW_MALFORMED)
        return form_fill(room, arena + template->place_count * sizeof(struct open_place),
                         template->length, (const struct open_place *)(const void *)arena,
                         template->place_count, &emitter->filling);
    render_series(emitter, row->series, (enum damage)row->damage);
    fill_damage(emitter, (enum damage)row->damage);
    end = form_fill(room, emitter->rendered.bytes, emitter->rendered.length,
                    emitter->rendered.places, emitter->rendered.place_count, &emitter->filling);
    if (form == FORM_JSON || form == FORM_ARRAY || form == FORM_NDJSON)
        end = room + form_damage_json(room, (size_t)(end - room), (enum damage)row->damage,
                                      draw(emitter->cloud->options.seed, KIND_NOISE,
                                           row->series->number, row->window));
    return end;
}

static bool write_row(struct emitter *emitter, const struct row *row)
{
    enum form form = emitter->options->form.form;
    uint64_t count = emitter->options->split_folder && emitter->turn_rows
                         ? emitter->turn_rows[row->turn]
                         : emitter->total_rows;
    char *room, *at;

    if (has_count(form) && emitter->rows_in_page == 0 && !page_open(emitter, count))
        return false;
    room = at = output_room(emitter->output, OUTPUT_ROOM_MAX, emitter->failure);
    if (!room)
        return false;
    if (emitter->rows_in_page > 0 && (form == FORM_JSON || form == FORM_ARRAY))
        *at++ = ',';
    at = fill_row(emitter, row, at);
    output_used(emitter->output, (size_t)(at - room));
    emitter->rows_in_page++;
    emitter->counts->rows[row->kind]++;
    emitter->counts->late += row->late && row->kind == ROW_ORIGINAL;
    if (has_count(form) && emitter->rows_in_page == emitter->options->page_size)
        return page_close(emitter);
    return true;
}

static bool write_rows(void *taker, const struct row *rows, size_t count)
{
    struct emitter *emitter = taker;

    for (size_t i = 0; i < count; i++) {
        /* In random order every template is far from the last. */
        if (i + 8 < count) {
            const char *ahead = emitter->arena + emitter->templates[rows[i + 8].series_index].at;

            for (unsigned line = 0; line < 4; line++)
                __builtin_prefetch(ahead + 64 * line);
        }
        while (emitter->options->split_folder && emitter->turns_opened <= rows[i].turn) {
            if (!next_turn_file(emitter))
                return false;
        }
        if (!write_row(emitter, &rows[i]))
            return false;
    }
    return true;
}

static bool count_rows(void *taker, const struct row *rows, size_t count)
{
    struct emitter *emitter = taker;

    for (size_t i = 0; i < count; i++)
        emitter->turn_rows[rows[i].turn]++;
    emitter->total_rows += count;
    return true;
}

/* The envelopes begin with the count of all records, and an empty file looks different from others,
 * so the schedule is gone through once without writing. */
static bool count_ahead(struct emitter *emitter)
{
    const struct options *options = emitter->options;
    size_t turns = schedule_turns(emitter->cloud);

    if (!has_count(options->form.form) && !options->split_folder)
        return true;
    emitter->turn_rows = memory_grow(NULL, turns * sizeof *emitter->turn_rows);
    memset(emitter->turn_rows, 0, turns * sizeof *emitter->turn_rows);
    return schedule_run(emitter->cloud, &options->noise, options->order, count_rows, emitter);
}

static bool emit_files(struct emitter *emitter)
{
    const struct options *options = emitter->options;
    size_t turns = schedule_turns(emitter->cloud);

    if (options->split_folder && mkdir(options->split_folder, 0777) != 0 && errno != EEXIST)
        return failure_set(emitter->failure, GEN_EXIT_CANNOT_CREATE,
                           "cannot create the folder %s: %s", options->split_folder,
                           strerror(errno));
    if (!options->split_folder && !file_begin(emitter, options->out))
        return false;
    if (!schedule_run(emitter->cloud, &options->noise, options->order, write_rows, emitter))
        return false;
    while (options->split_folder && emitter->turns_opened < turns) {
        if (!next_turn_file(emitter))
            return false;
    }
    return file_end(emitter,
                    options->split_folder ? emitter->turn_rows[turns - 1] : emitter->total_rows);
}

bool emit_run(const struct cloud *cloud, const struct options *options, struct emit_counts *counts,
              struct failure *failure)
{
    struct emitter *emitter = memory_grow(NULL, sizeof *emitter);
    bool good;

    memset(emitter, 0, sizeof *emitter);
    memset(counts, 0, sizeof *counts);
    emitter->cloud = cloud;
    emitter->options = options;
    emitter->failure = failure;
    emitter->counts = counts;
    emitter->filling.point = options->form.decimal_comma ? ',' : '.';
    emitter->last_hours = UINT64_MAX;
    render_templates(emitter);
    render_windows(emitter);
    good = count_ahead(emitter) && emit_files(emitter);
    output_abandon(emitter->output);
    free(emitter->turn_rows);
    free(emitter->windows);
    free(emitter->templates);
    free(emitter->arena);
    free(emitter);
    return good;
}
