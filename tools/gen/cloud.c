#include "gen/cloud.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* By usage type. `parser` is the order in which the usage job calls the parsers of one account. */
static const struct meter meters[USAGE_TYPE_MAX + 1] = {
    [1] = {1, MEASURE_HOURS, 0, false, false, "vm.running"},
    [2] = {2, MEASURE_HOURS, 1, false, false, "vm.allocated"},
    [3] = {3, MEASURE_HOURS, 10, false, false, "ip.address"},
    [4] = {4, MEASURE_BYTES, 2, false, false, "network.sent"},
    [5] = {5, MEASURE_BYTES, 2, false, false, "network.received"},
    [6] = {6, MEASURE_HOURS, 4, true, false, "volume"},
    [7] = {7, MEASURE_HOURS, 5, true, false, "template"},
    [8] = {8, MEASURE_HOURS, 5, true, false, "iso"},
    [9] = {9, MEASURE_HOURS, 5, true, false, "snapshot"},
    [10] = {10, MEASURE_HOURS, 6, false, false, "securitygroup"},
    [11] = {11, MEASURE_HOURS, 7, false, false, "loadbalancer.rule"},
    [12] = {12, MEASURE_HOURS, 8, false, false, "portforwarding.rule"},
    [13] = {13, MEASURE_HOURS, 9, false, false, "network.offering"},
    [14] = {14, MEASURE_HOURS, 11, false, false, "vpn.user"},
    [21] = {21, MEASURE_REQUESTS, 3, false, false, "disk.read.requests"},
    [22] = {22, MEASURE_REQUESTS, 3, false, false, "disk.write.requests"},
    [23] = {23, MEASURE_BYTES, 3, false, false, "disk.read.bytes"},
    [24] = {24, MEASURE_BYTES, 3, false, false, "disk.write.bytes"},
    [25] = {25, MEASURE_HOURS, 12, true, true, "vmsnapshot"},
    [26] = {26, MEASURE_HOURS, 5, true, false, "volume.secondary"},
    [27] = {27, MEASURE_HOURS, 13, true, true, "vmsnapshot.primary"},
    [28] = {28, MEASURE_HOURS, 14, true, false, "backup"},
    [29] = {29, MEASURE_LEVEL, 15, false, false, "bucket"},
    [30] = {30, MEASURE_HOURS, 16, false, false, "network"},
    [31] = {31, MEASURE_HOURS, 17, false, false, "vpc"},
};

const struct meter *meter_of(unsigned usage_type)
{
    assert(usage_type <= USAGE_TYPE_MAX && meters[usage_type].name);
    return &meters[usage_type];
}

void span_list_add(struct span_list *list, uint32_t from, uint32_t to)
{
    if (from >= to)
        return;
    assert(list->count == 0 || list->items[list->count - 1].to <= from);
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 8;
        list->items = memory_grow(list->items, list->room * sizeof *list->items);
    }
    list->items[list->count++] = (struct span){from, to};
}

void span_list_add_within(struct span_list *list, const struct span_list *spans, uint32_t from,
                          uint32_t to)
{
    for (size_t i = 0; i < spans->count; i++) {
        struct span span = spans->items[i];

        span_list_add(list, span.from > from ? span.from : from, span.to < to ? span.to : to);
    }
}

void span_list_free(struct span_list *list)
{
    free(list->items);
    *list = (struct span_list){0};
}

uint32_t cloud_number(struct cloud *cloud, enum kind kind)
{
    assert(kind > 0 && kind < KIND_COUNT);
    return cloud->numbers[kind]++;
}

static void add_spans(struct cloud *cloud, const struct span_list *spans)
{
    if (cloud->span_count + spans->count > cloud->span_room) {
        cloud->span_room = 2 * (cloud->span_count + spans->count);
        cloud->spans = memory_grow(cloud->spans, cloud->span_room * sizeof *cloud->spans);
    }
    memcpy(cloud->spans + cloud->span_count, spans->items, spans->count * sizeof *spans->items);
    cloud->span_count += spans->count;
}

/* A stable cloud has exactly the series that were asked for; a living one has as much life as that
 * many would have. */
static void note_life(struct cloud *cloud, const struct span_list *spans)
{
    for (size_t i = 0; i < spans->count; i++)
        cloud->life_seconds += spans->items[i].to - spans->items[i].from;
    if (cloud->options.series == 0)
        return;
    cloud->full = cloud->life_seconds >= (uint64_t)cloud->options.series * cloud->seconds;
}

uint32_t cloud_add(struct cloud *cloud, const struct series *model, const struct span_list *spans)
{
    struct series *series;
    uint32_t number = (uint32_t)cloud->series_count;
    bool attribution = model->flags & SERIES_ATTRIBUTION;

    assert(meter_of(model->type)->type == model->type && model->owner < cloud->owner_count);
    assert(model->zone < cloud->options.zones);
    if (spans->count == 0 || (cloud->full && !attribution))
        return number;
    assert(spans->items[spans->count - 1].to <= cloud->seconds);
    if (cloud->series_count == cloud->series_room) {
        cloud->series_room = cloud->series_room ? 2 * cloud->series_room : 1024;
        cloud->series = memory_grow(cloud->series, cloud->series_room * sizeof *cloud->series);
    }
    series = &cloud->series[cloud->series_count++];
    *series = *model;
    series->number = number;
    series->span_first = (uint32_t)cloud->span_count;
    series->span_count = (uint32_t)spans->count;
    add_spans(cloud, spans);
    if (attribution)
        cloud->attribution_count++;
    else
        note_life(cloud, spans);
    return number;
}

uint32_t cloud_add_span(struct cloud *cloud, const struct series *model, uint32_t from, uint32_t to)
{
    struct span span = {from, to};
    struct span_list one = {&span, from < to, 1};

    return cloud_add(cloud, model, &one);
}

static int compare_series(const void *left, const void *right)
{
    const struct series *a = left, *b = right;
    unsigned parser_a = meter_of(a->type)->parser, parser_b = meter_of(b->type)->parser;

    if (a->owner != b->owner)
        return a->owner < b->owner ? -1 : 1;
    if (parser_a != parser_b)
        return parser_a < parser_b ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

void cloud_build(struct cloud *cloud)
{
    assert(cloud->window_count > 0 && cloud->options.accounts > 0 && cloud->options.zones > 0);
    cloud->start = cloud->windows[0].from;
    assert(cloud->windows[cloud->window_count - 1].to - cloud->start < UINT32_MAX);
    cloud->seconds = (uint32_t)(cloud->windows[cloud->window_count - 1].to - cloud->start);
    cloud->owner_count = cloud->options.accounts + cloud->options.projects;
    cloud_populate(cloud);
    qsort(cloud->series, cloud->series_count, sizeof *cloud->series, compare_series);
}

void cloud_free(struct cloud *cloud)
{
    zone_free(&cloud->aggregation);
    zone_free(&cloud->server);
    free(cloud->windows);
    free(cloud->series);
    free(cloud->spans);
    *cloud = (struct cloud){0};
}
