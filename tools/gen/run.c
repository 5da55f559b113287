#include "gen/run.h"

#include <stdio.h>
#include <time.h>

#define DAY 86400

bool run_build_cloud(const struct options *options, struct cloud *cloud, struct failure *failure)
{
    int64_t first_day = civil_days(options->first_day);
    int64_t from = (first_day - 3) * DAY, to = (first_day + options->days + 3) * DAY;

    *cloud = (struct cloud){.options = options->cloud};
    if (!zone_load(&cloud->server, options->server_timezone, from, to, failure))
        return false;
    if (!zone_load(&cloud->aggregation, options->timezone, from, to, failure))
        return false;
    cloud->window_count = windows_cut(&cloud->aggregation, first_day, options->days,
                                      options->range_minutes, &cloud->windows);
    cloud_build(cloud);
    return true;
}

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void print_stats(const struct cloud *cloud, const struct emit_counts *counts,
                        int64_t build_us, int64_t emit_us)
{
    unsigned long long rows = 0;

    for (unsigned i = 0; i < ROW_KIND_COUNT; i++)
        rows += counts->rows[i];
    emit_us = emit_us > 0 ? emit_us : 1;
    fprintf(stderr,
            "ratel-gen: %zu series, %llu records, %llu bytes; cloud in %lld ms, output in %lld ms, "
            "%llu MB/s, %llu records/s\n",
            cloud->series_count, rows, (unsigned long long)counts->bytes,
            (long long)build_us / 1000, (long long)emit_us / 1000,
            (unsigned long long)counts->bytes / (unsigned long long)emit_us,
            rows * 1000000 / (unsigned long long)emit_us);
}

bool run_generate(const struct options *options, struct failure *failure)
{
    struct cloud cloud;
    struct emit_counts counts;
    int64_t begun = monotonic_us(), built, written;
    bool good = run_build_cloud(options, &cloud, failure);

    built = monotonic_us();
    good = good && emit_run(&cloud, options, &counts, failure);
    written = monotonic_us();
    if (good && options->truth)
        good = truth_write(&cloud, options, &counts, failure);
    if (good && options->accounts_doc)
        good = payers_write(&cloud, options, failure);
    if (good && options->stats)
        print_stats(&cloud, &counts, built - begun, written - built);
    cloud_free(&cloud);
    return good;
}
