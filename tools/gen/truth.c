#include "gen/truth.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gen/names.h"

#define LINE_BYTES ((size_t)32 << 10)

/* A line in the making. */
struct line {
    char text[LINE_BYTES];
    size_t length;
};

static void GEN_PRINTF(2, 3) line_add(struct line *line, const char *format, ...)
{
    va_list arguments;
    int added;

    va_start(arguments, format);
    added = vsnprintf(line->text + line->length, LINE_BYTES - line->length, format, arguments);
    va_end(arguments);
    assert(added >= 0 && (size_t)added < LINE_BYTES - line->length);
    line->length += (size_t)added;
}

static void line_add_total(struct line *line, const char *name, wide micro)
{
    char text[NUMBER_BYTES];
    size_t length = number_wide_micro(text, micro);

    line_add(line, ",\"%s\":\"%.*s\"", name, (int)length, text);
}

static void line_add_uuid(struct line *line, const char *name, uint64_t seed, enum kind kind,
                          uint64_t number)
{
    char text[UUID_BYTES];

    uuid_text(text, seed, kind, number);
    line_add(line, ",\"%s\":\"%.*s\"", name, UUID_BYTES, text);
}

void truth_add(const struct cloud *cloud, const struct series *series, struct meter_truth *truth)
{
    const struct meter *meter = meter_of(series->type);

    if (series->flags & SERIES_ATTRIBUTION)
        return;
    for (size_t window = 0; window < cloud->window_count; window++) {
        struct amount amount = amount_in_window(cloud, series, window);
        wide quantity =
            meter->measure == MEASURE_HOURS ? (wide)amount.value : (wide)amount.value * 1000000;

        if (!amount.present)
            continue;
        truth->records++;
        truth->quantity += quantity;
        if (meter->sized && !(series->flags & SERIES_NO_SIZE)) {
            truth->sized = true;
            truth->size_quantity += quantity * series->size;
        }
        truth->cpu_quantity += quantity * series->cpu_number;
        truth->memory_quantity += quantity * series->memory;
        if (meter->measure == MEASURE_LEVEL)
            truth->level_seconds +=
                (wide)amount.value * (cloud->windows[window].to - cloud->windows[window].from);
    }
}

static void add_meter(struct line *line, const struct meter *meter, const struct meter_truth *truth)
{
    line_add(line, "\"%s\":{\"records\":%llu", meter->name, (unsigned long long)truth->records);
    line_add_total(line, "quantity", truth->quantity);
    if (truth->sized)
        line_add_total(line, "byte_hours", truth->size_quantity);
    if (meter->type == 1 || meter->type == 2) {
        line_add_total(line, "cpu_hours", truth->cpu_quantity);
        line_add_total(line, "memory_mib_hours", truth->memory_quantity);
    }
    if (meter->measure == MEASURE_LEVEL) {
        char text[NUMBER_BYTES];
        size_t length = number_wide(text, truth->level_seconds);

        /* Exact for windows of whole multiples of three minutes, else rounded to 6 decimals:
         * level_seconds never is. */
        line_add_total(line, "level_hours", (truth->level_seconds * 2500 * 2 + 9) / 18);
        line_add(line, ",\"level_seconds\":\"%.*s\"", (int)length, text);
    }
    line_add(line, "}");
}

static void add_run(struct line *line, const struct cloud *cloud, const struct options *options)
{
    static const struct zone_offset utc_offset = {INT64_MIN, 0};
    const struct zone utc = {(struct zone_offset *)(uintptr_t)&utc_offset, 1};
    int64_t end = cloud->start + cloud->seconds;
    char from[DATE_BYTES_MAX], to[DATE_BYTES_MAX];

    date_text(from, DATE_NEW, &utc, cloud->start);
    date_text(to, DATE_NEW, &utc, end);
    line_add(line,
             "{\"kind\":\"run\",\"generator\":\"ratel-gen\",\"seed\":%llu,\"form\":\"%s\","
             "\"start\":\"%.19sZ\",\"end\":\"%.19sZ\"",
             (unsigned long long)cloud->options.seed, form_name(options->form.form), from, to);
    line_add(line,
             ",\"timezone\":\"%s\",\"range_minutes\":%u,\"windows\":%zu,\"stable\":%s,\"accounts\":"
             "%u,\"projects\":%u}\n",
             options->timezone, options->range_minutes, cloud->window_count,
             cloud->options.stable ? "true" : "false", cloud->options.accounts,
             cloud->options.projects);
}

/* Begins the line of an owner, up to the meters. */
static void add_owner(struct line *line, const struct cloud *cloud, uint32_t owner)
{
    uint64_t seed = cloud->options.seed;
    bool project = owner_is_project(cloud, owner);
    char name[NAME_BYTES];

    name_owner(cloud, owner, name);
    line_add(line, "{\"kind\":\"%s\"", project ? "project" : "account");
    line_add_uuid(line, "id", seed, project ? KIND_PROJECT : KIND_ACCOUNT, owner);
    line_add(line, ",\"name\":\"%s\"", name);
    line_add_uuid(line, "payer", seed, KIND_ACCOUNT, owner_payer(cloud, owner));
    line_add(line, ",\"meters\":{");
}

static void add_counts(struct line *line, const struct cloud *cloud,
                       const struct emit_counts *counts)
{
    const uint64_t *rows = counts->rows;
    unsigned long long total = 0;

    for (unsigned i = 0; i < ROW_KIND_COUNT; i++)
        total += rows[i];
    line_add(line, "{\"kind\":\"counts\",\"records\":%llu,\"unique\":%llu,\"late\":%llu", total,
             (unsigned long long)rows[ROW_ORIGINAL], (unsigned long long)counts->late);
    line_add(line,
             ",\"duplicates\":%llu,\"double_volumes\":%llu,\"conflicts\":%llu,\"malformed\":%llu,"
             "\"series\":%zu}\n",
             (unsigned long long)rows[ROW_DUPLICATE], (unsigned long long)rows[ROW_ATTRIBUTION],
             (unsigned long long)rows[ROW_CONFLICT], (unsigned long long)rows[ROW_MALFORMED],
             cloud->series_count - cloud->attribution_count);
}

static bool write_line(struct output *output, struct line *line, struct failure *failure)
{
    bool good = output_text(output, line->text, line->length, failure);

    line->length = 0;
    return good;
}

static bool write_owners(const struct cloud *cloud, struct output *output, struct line *line,
                         uint64_t *ret_records, struct failure *failure)
{
    size_t at = 0;

    *ret_records = 0;
    for (uint32_t owner = 0; owner < cloud->owner_count; owner++) {
        struct meter_truth truths[USAGE_TYPE_MAX + 1] = {{0}};
        bool first = true;

        for (; at < cloud->series_count && cloud->series[at].owner == owner; at++)
            truth_add(cloud, &cloud->series[at], &truths[cloud->series[at].type]);
        add_owner(line, cloud, owner);
        for (unsigned type = 1; type <= USAGE_TYPE_MAX; type++) {
            if (truths[type].records == 0)
                continue;
            line_add(line, first ? "" : ",");
            add_meter(line, meter_of(type), &truths[type]);
            *ret_records += truths[type].records;
            first = false;
        }
        line_add(line, "}}\n");
        if (!write_line(output, line, failure))
            return false;
    }
    assert(at == cloud->series_count);
    return true;
}

bool truth_write(const struct cloud *cloud, const struct options *options,
                 const struct emit_counts *counts, struct failure *failure)
{
    struct output *output = output_open(options->truth, COMPRESSION_NONE, failure);
    struct line line = {.length = 0};
    uint64_t records;
    bool good;

    if (!output)
        return false;
    add_run(&line, cloud, options);
    good =
        write_line(output, &line, failure) && write_owners(cloud, output, &line, &records, failure);
    if (good) {
        /* Two ways to the same number: what was written as honest, and what lived. */
        assert(records == counts->rows[ROW_ORIGINAL]);
        add_counts(&line, cloud, counts);
        good = write_line(output, &line, failure);
    }
    if (good)
        return output_close(output, failure);
    output_abandon(output);
    return false;
}
