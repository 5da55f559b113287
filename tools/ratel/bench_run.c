/* One run: an input through the pipeline into a data directory, with the times of every window. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/park.h"
#include "ratel/bench.h"
#include "ratel/intake.h"

#define TIMES             4096        /* windows that can be on their way, and many more */
#define CHECKPOINT_EVENTS (16u << 20) /* as `ratel ingest` */
#define SLOW_PART         3           /* of the pace, while series are new */

/* Counts calls when it is preloaded (tests/faults/count_calls.h). */
#define CALLS_MAX 128
typedef void calls_begin(void);
typedef void calls_end(uint64_t *counts);

struct window_times {
    int64_t filled;
    int64_t scheduled;
    bool counts; /* in the latencies */
};

/* Stands between the pipeline and the intake. `fill` is called by one lane at a time, `told` by the
 * keeper; a window's times are written before the pipeline publishes its number. */
struct stopwatch {
    struct bench_run *run;
    struct pipeline_input inner;
    calls_begin *begin_calls;
    calls_end *end_calls;
    int64_t begin, first_acknowledged, last_acknowledged;
    uint64_t first_records;     /* acknowledged at first_acknowledged */
    double first_cpu, last_cpu; /* seconds that all threads had used at these instants */
    uint64_t filled;            /* windows */
    uint64_t bytes;             /* handed out */
    uint64_t told;              /* windows */
    bool counting;
    atomic_bool input_ended;
    struct rusage from, until;
    uint64_t calls[CALLS_MAX];
    uint64_t bytes_when_counting;
    struct window_times times[TIMES];
};

double bench_seconds(int64_t begin, int64_t end)
{
    return (double)(end - begin) / 1e9;
}

static double cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- reading
 * -----------------------------------------------------------------------------------------------------
 */

static void sleep_until(int64_t time)
{
    struct timespec until = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000};
    while (park_now() < time)
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* When the window that begins behind the bytes handed out so far is due. */
static int64_t due(const struct stopwatch *watch)
{
    const struct bench_pace *pace = &watch->run->pace;
    double slow = (double)(watch->bytes < pace->slow_bytes ? watch->bytes : pace->slow_bytes);
    double quick = (double)watch->bytes - slow;
    double seconds = (slow * SLOW_PART + quick) / pace->bytes_per_second;
    return watch->begin + (int64_t)(seconds * 1e9);
}

/* Series are known from here on: from now on nothing should allocate. */
static void begin_counting(struct stopwatch *watch)
{
    if (watch->counting || watch->bytes <= watch->run->input->first_day)
        return;
    watch->counting = true;
    watch->bytes_when_counting = watch->bytes;
    getrusage(RUSAGE_SELF, &watch->from);
    if (watch->begin_calls)
        watch->begin_calls();
}

static void end_counting(struct stopwatch *watch)
{
    if (!watch->counting)
        return;
    getrusage(RUSAGE_SELF, &watch->until);
    if (watch->end_calls)
        watch->end_calls(watch->calls);
}

static enum status fill(void *context, uint32_t reader, struct window *window, bool *ret_more,
                        struct error *error)
{
    struct stopwatch *watch = context;
    if (watch->begin == 0)
        watch->begin = park_now();
    int64_t scheduled = 0;
    if (watch->run->pace.bytes_per_second > 0) {
        scheduled = due(watch);
        sleep_until(scheduled);
    }
    bool counts = watch->bytes >= watch->run->pace.slow_bytes;
    begin_counting(watch);
    enum status status = watch->inner.fill(watch->inner.context, reader, window, ret_more, error);
    if (status != STATUS_OK)
        return status;
    int64_t now = park_now();
    watch->filled++;
    watch->times[watch->filled % TIMES] = (struct window_times){
        .filled = now, .scheduled = scheduled ? scheduled : now, .counts = counts && *ret_more};
    if (*ret_more)
        watch->bytes += window->length;
    else
        atomic_store(&watch->input_ended, true);
    if (!*ret_more)
        end_counting(watch);
    return STATUS_OK;
}

static enum status decode(void *context, uint32_t reader, struct window *window, struct lane *lane,
                          struct error *error)
{
    struct stopwatch *watch = context;
    return watch->inner.decode(watch->inner.context, reader, window, lane, error);
}

static enum status reread(void *context, uint32_t reader, enum record_form form, struct slice raw,
                          const struct record_block **ret, struct error *error)
{
    struct stopwatch *watch = context;
    return watch->inner.reread(watch->inner.context, reader, form, raw, ret, error);
}

/* ---- what is told
 * ------------------------------------------------------------------------------------------------
 */

static void note_latencies(struct stopwatch *watch, uint64_t window, int64_t now)
{
    struct bench_latencies *latencies = watch->run->latencies;
    for (uint64_t i = watch->told + 1; i <= window; i++) {
        const struct window_times *times = &watch->times[i % TIMES];
        if (!times->counts || latencies->count == latencies->capacity)
            continue;
        latencies->durable[latencies->count] = now - times->filled;
        latencies->scheduled[latencies->count++] = now - times->scheduled;
    }
}

static void acknowledged(void *context, const struct pipeline_progress *progress)
{
    struct stopwatch *watch = context;
    int64_t now = park_now();
    const struct bench_truth *truth = watch->run->input->truth;
    if (watch->run->latencies)
        note_latencies(watch, progress->window, now);
    watch->told = progress->window;
    watch->last_acknowledged = now;
    if (watch->input_ended)
        watch->last_cpu = cpu_now();
    if (!watch->first_acknowledged && truth && progress->counts.read >= bench_truth_series(truth)) {
        watch->first_acknowledged = now;
        watch->first_cpu = cpu_now();
        watch->first_records = progress->counts.read;
    }
    if (watch->run->acknowledged)
        watch->run->acknowledged(watch->run->acknowledged_context, progress);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_latencies(struct bench_latencies *latencies)
{
    qsort(latencies->durable, latencies->count, sizeof(int64_t), compare_times);
    qsort(latencies->scheduled, latencies->count, sizeof(int64_t), compare_times);
}

/* ---- the run
 * -----------------------------------------------------------------------------------------------------
 */

/* The order of tests/faults/count_calls.h: allocations, frees, mappings, commits, locks, threads,
 * lmdb, system calls. */
static void take_calls(const struct stopwatch *watch, struct bench_result *result)
{
    double all = (double)watch->bytes;
    double millions = all > 0 ? (double)result->counts.read / 1e6 *
                                    ((all - (double)watch->bytes_when_counting) / all)
                              : 0;
    if (!watch->counting || millions <= 0)
        return;
    result->switches = (double)(watch->until.ru_nvcsw - watch->from.ru_nvcsw +
                                watch->until.ru_nivcsw - watch->from.ru_nivcsw) /
                       millions;
    result->calls = (struct bench_calls){
        .known = watch->begin_calls && watch->end_calls,
        .allocations = (double)watch->calls[0] / millions,
        .locks = (double)watch->calls[4] / millions,
        .lmdb = (double)watch->calls[6] / millions,
        .system_calls = (double)watch->calls[7] / millions,
    };
}

/* About a day's records are new series; what they cost beyond the others is theirs. */
static void take_cpu(const struct stopwatch *watch, double begin, struct bench_result *result)
{
    double first = (double)watch->first_records;
    double known = (watch->last_cpu - watch->first_cpu) / ((double)result->counts.read - first);
    double series = (double)bench_truth_series(watch->run->input->truth);
    if (watch->last_cpu <= watch->first_cpu)
        return;
    result->known_cpu_ns = known * 1e9;
    result->new_cpu_ns = (watch->first_cpu - begin - known * first) * 1e9 / series;
}

static void take_times(const struct stopwatch *watch, double cpu, struct bench_result *result)
{
    int64_t now = park_now();
    result->seconds = bench_seconds(watch->begin, watch->last_acknowledged);
    result->seconds_to_checkpoint = bench_seconds(watch->begin, now);
    result->cpu_seconds = cpu_now() - cpu;
    if (watch->first_acknowledged && result->counts.read > watch->first_records) {
        double share =
            (double)(result->counts.read - watch->first_records) / (double)result->counts.read;
        result->bytes_after_first_day = (uint64_t)(share * (double)watch->bytes);
        result->seconds_after_first_day =
            bench_seconds(watch->first_acknowledged, watch->last_acknowledged);
        take_cpu(watch, cpu, result);
    }
    take_calls(watch, result);
}

enum status bench_run(struct bench_run *run, struct error *error)
{
    struct bench_place *place = run->place;
    struct ledgers *ledgers = place->session.ledgers;
    struct intake intake = {
        .paths = &run->path, .path_count = 1, .format = "auto", .err = run->bench->context->err};
    struct stopwatch *watch = calloc(1, sizeof(*watch));
    if (!watch || intake_init(&intake, run->lanes + ledgers->count) != STATUS_OK) {
        intake_fini(&intake);
        free(watch);
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    watch->run = run;
    watch->inner = intake_input(&intake);
    watch->begin_calls = (calls_begin *)(uintptr_t)dlsym(RTLD_DEFAULT, "count_calls_begin");
    watch->end_calls = (calls_end *)(uintptr_t)dlsym(RTLD_DEFAULT, "count_calls_end");
    const struct pipeline_options options = {
        .ledgers = ledgers,
        .quarantine = place->quarantine,
        .source = SLICE("default"),
        .seed = place->context.datadir->seed,
        .clock = place->context.clock,
        .lanes = run->lanes,
        .commit_events = run->bench->options.commit_events,
        .commit_interval_us = run->commit_interval_us,
        .checkpoint_events = CHECKPOINT_EVENTS,
        .input = {.context = watch, .fill = fill, .decode = decode, .reread = reread},
        .acknowledged = acknowledged,
        .acknowledged_context = watch,
    };
    double cpu = cpu_now();
    enum status status = pipeline_run(&options, &run->result.counts, error);
    take_times(watch, cpu, &run->result);
    if (run->latencies)
        sort_latencies(run->latencies);
    if (status == STATUS_OK && intake.first_failure != STATUS_OK)
        status = error_set(error, intake.first_failure, "%s cannot be read", run->path);
    intake_fini(&intake);
    free(watch);
    return status;
}
