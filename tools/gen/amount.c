#include "gen/amount.h"

#include <assert.h>

/* Index of the first span that ends after `moment`. */
static uint32_t first_span_after(const struct span *spans, uint32_t count, uint32_t moment)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (spans[middle].to <= moment)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Seconds of life within [from, to), and the first and last of them. */
static uint32_t life_within(const struct cloud *cloud, const struct series *series,
                            struct span window, struct span *ret_extent)
{
    const struct span *spans = series_spans(cloud, series);
    uint32_t count = series->span_count, seconds = 0;

    if (spans[0].from <= window.from && spans[0].to >= window.to) {
        *ret_extent = window;
        return window.to - window.from;
    }
    for (uint32_t i = first_span_after(spans, count, window.from);
         i < count && spans[i].from < window.to; i++) {
        uint32_t from = spans[i].from > window.from ? spans[i].from : window.from;
        uint32_t to = spans[i].to < window.to ? spans[i].to : window.to;

        if (seconds == 0)
            ret_extent->from = from;
        ret_extent->to = to;
        seconds += to - from;
    }
    return seconds;
}

/* Counters: the rate, give or take a half. In a living cloud a device may idle for a window (no
 * records at all) or be used in one direction only (a record of zero beside its sibling). The first
 * sibling is never zero alone, which keeps "records of all siblings unless all are zero" true
 * without looking at the others. */
static struct amount counter_amount(const struct cloud *cloud, const struct series *series,
                                    size_t window, uint32_t seconds)
{
    uint64_t seed = cloud->options.seed;
    uint64_t use = draw(seed, KIND_USE, series->number, window);
    struct amount amount = {.present = true};

    if (!cloud->options.stable &&
        draw(seed, KIND_USE, (uint64_t)1 << 32 | series->group, window) % 16 == 0)
        return (struct amount){0};
    if (series->number != series->group && use % 16 == 0)
        return amount;
    amount.value =
        (uint64_t)((unsigned __int128)series->rate * seconds / 1000 * (512 + (use >> 54)) / 1024);
    if (series->number == series->group)
        amount.value++;
    return amount;
}

static struct amount level_amount(const struct cloud *cloud, const struct series *series,
                                  size_t window)
{
    uint64_t use = draw(cloud->options.seed, KIND_USE, series->number, window);

    return (struct amount){.present = true,
                           .value = series->rate + series->rate / 256 * (window % 512) +
                                    use % (series->rate / 16 + 1)};
}

struct amount amount_in_window(const struct cloud *cloud, const struct series *series,
                               size_t window)
{
    struct span span = {(uint32_t)(cloud->windows[window].from - cloud->start),
                        (uint32_t)(cloud->windows[window].to - cloud->start)};
    const struct meter *meter = meter_of(series->type);
    struct span extent = span;
    uint32_t seconds = life_within(cloud, series, span, &extent);
    struct amount amount = {0};

    if (seconds == 0)
        return amount;
    if (meter->measure == MEASURE_HOURS)
        amount = (struct amount){
            .present = true,
            .value = hours_micro((uint64_t)seconds * (series->nics ? series->nics : 1))};
    else if (meter->measure != MEASURE_LEVEL)
        amount = counter_amount(cloud, series, window, seconds);
    else if (extent.to == span.to) /* The job looks at the level when the window is over. */
        amount = level_amount(cloud, series, window);
    amount.from = meter->clipped ? extent.from : span.from;
    amount.to = meter->clipped ? extent.to : span.to;
    amount.cut_short = amount.to < span.to;
    assert(amount.from < amount.to);
    return amount;
}

uint64_t amount_conflicting(const struct cloud *cloud, const struct series *series, size_t window,
                            struct amount amount)
{
    uint64_t use = draw(cloud->options.seed, KIND_USE, (uint64_t)2 << 32 | series->number, window);

    assert(amount.present);
    if (meter_of(series->type)->measure != MEASURE_HOURS)
        return amount.value + 1 + use % 1000;
    /* Fewer hours than there were: more might be more than the window has. */
    return amount.value > 2000 ? amount.value - 1 - use % (amount.value / 2) : amount.value + 278;
}
