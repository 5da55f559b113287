/* The parts of `ratel bench` that take long: the worst order for caches, and a run over years. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ratel/bench.h"

#define PIPE_BYTES (1 << 20)

/* ---- the worst order
 * ---------------------------------------------------------------------------------------------
 */

/* A day on which every series is new, timed by itself. `place` is open when this returns. */
static enum status worst_first_day(struct bench *bench, const struct bench_input *input,
                                   struct bench_place *place, struct error *error)
{
    struct bench_run run = {.input = input};
    bench_say(bench, "%" PRIu64 " series that are all new", bench->options.worst);
    enum status status = bench_fresh_run(bench, &run, bench->options.shards, place, error);
    if (status != STATUS_OK)
        return status;
    bench_add(&bench->numbers, "worst_new_series_per_second",
              "msgpack records/s, random order, every series is new",
              (double)run.result.counts.read / run.result.seconds);
    bench_add(&bench->numbers, "worst_bytes_per_series", "bytes of memory: index, state, buckets",
              (double)bench_ledger_bytes(place->session.ledgers) / (double)bench->options.worst);
    status = bench_start(bench, place, "worst_start_seconds", error);
    return status == STATUS_OK
               ? bench_recover(bench, place, "worst_new_recover_events_per_second", error)
               : status;
}

/* Two more days of the same series, in random order. */
static enum status worst_next_days(struct bench *bench, const struct bench_input *input,
                                   struct bench_place *place, bool json, struct error *error)
{
    struct bench_run run = {.bench = bench,
                            .place = place,
                            .input = input,
                            .path = input->path,
                            .lanes = bench->options.lanes,
                            .commit_interval_us = bench->options.commit_interval_us};
    uint64_t digest = 0;
    bench_say(bench, "%s of %" PRIu64 " series in random order", json ? "JSON" : "msgpack",
              bench->options.worst);
    enum status status = bench_input_warm(input, error);
    if (status == STATUS_OK)
        status = bench_run(&run, error);
    if (status == STATUS_OK)
        status =
            bench_truth_check(input->truth, &place->session, &run.result.counts, &digest, error);
    if (status != STATUS_OK)
        return status;
    bench->checks++;
    double seconds = run.result.seconds;
    bench_add(&bench->numbers,
              json ? "worst_json_records_per_second" : "worst_msgpack_records_per_second",
              "records/s, read to durable, random order, series known",
              (double)run.result.counts.read / seconds);
    bench_add(&bench->numbers,
              json ? "worst_json_bytes_per_second" : "worst_msgpack_bytes_per_second", "bytes/s",
              (double)input->bytes / seconds);
    return json ? STATUS_OK : bench_recover(bench, place, "worst_recover_events_per_second", error);
}

static enum status worst_of(struct bench *bench, const struct bench_input *first, bool json,
                            struct error *error)
{
    const struct bench_recipe recipe = {.name = json ? "worst.ndjson" : "worst.msgpack",
                                        .form = json ? "ndjson" : "msgpack",
                                        .order = "random",
                                        .start = "2026-10-02",
                                        .series = bench->options.worst,
                                        .days = 2,
                                        .duplicates = 10};
    struct bench_input input = {.bytes = 0};
    enum status status = bench_input_make(bench, &recipe, &input, error);
    if (status == STATUS_OK)
        status = bench_truth_add(input.truth, first->truth, error);
    for (uint64_t round = 0; round < bench->options.rounds && status == STATUS_OK; round++) {
        struct bench_place place = {.open = false};
        status = worst_first_day(bench, first, &place, error);
        if (status == STATUS_OK)
            status = worst_next_days(bench, &input, &place, json, error);
        bench_place_close(&place);
    }
    if (!bench->options.keep && input.path[0])
        (void)unlink(input.path); /* the page cache is wanted for the next one */
    bench_input_fini(&input);
    return status;
}

enum status bench_measure_worst(struct bench *bench, struct error *error)
{
    const struct bench_recipe recipe = {.name = "worst-first.msgpack",
                                        .form = "msgpack",
                                        .order = "random",
                                        .series = bench->options.worst,
                                        .days = 1};
    struct bench_input first = {.bytes = 0};
    enum status status = bench_input_make(bench, &recipe, &first, error);
    for (int json = 0; json <= 1 && status == STATUS_OK; json++)
        status = worst_of(bench, &first, json, error);
    bench_input_fini(&first);
    return status;
}

/* ---- the long run
 * ------------------------------------------------------------------------------------------------
 */

#define MARKS 20

/* What was used up when so many events were durable. */
struct mark {
    uint64_t events;
    double cpu;
    uint64_t memory;
};

struct marks {
    uint64_t first, step; /* events */
    struct mark items[MARKS + 1];
    uint32_t count;
};

static double cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void note_mark(void *context, const struct pipeline_progress *progress)
{
    struct marks *marks = context;
    uint64_t events = progress->counts.accepted;
    if (marks->count > MARKS || events < marks->first + marks->count * marks->step ||
        (marks->count && events == marks->items[marks->count - 1].events))
        return;
    marks->items[marks->count++] = (struct mark){events, cpu_now(), bench_memory()};
}

static double cost(const struct mark *from, const struct mark *to)
{
    return (to->cpu - from->cpu) * 1e9 / (double)(to->events - from->events);
}

static void note_marks(struct bench *bench, const struct marks *marks)
{
    if (marks->count < 3)
        return;
    for (uint32_t i = 1; i < marks->count; i++)
        bench_add(&bench->numbers, "long_run_ns_per_event", "ns of all threads, by twentieths",
                  cost(&marks->items[i - 1], &marks->items[i]));
    bench_add(&bench->numbers, "long_run_first_ns_per_event", "ns, the first twentieth",
              cost(&marks->items[0], &marks->items[1]));
    bench_add(&bench->numbers, "long_run_last_ns_per_event", "ns, the last one",
              cost(&marks->items[marks->count - 2], &marks->items[marks->count - 1]));
    bench_add(&bench->numbers, "long_run_first_memory", "bytes resident at the beginning",
              (double)marks->items[0].memory);
    bench_add(&bench->numbers, "long_run_last_memory", "bytes resident at the end",
              (double)marks->items[marks->count - 1].memory);
}

/* The generator's output goes straight into the pipeline: it need not fit on the disk. */
static enum status start_generator(struct bench *bench, const struct bench_recipe *recipe,
                                   const char *truth, int *ret_pid, int *ret_fd,
                                   struct error *error)
{
    const char *arguments[32];
    char option[BENCH_PATH_BYTES + 32];
    int ends[2];
    bench_generator_arguments(bench, recipe, arguments);
    uint32_t count = 0;
    while (arguments[count])
        count++;
    snprintf(option, sizeof(option), "--truth=%s", truth);
    arguments[count++] = option;
    arguments[count] = NULL;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(error, STATUS_UNAVAILABLE, "pipe: %s", strerror(errno));
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    enum status status = bench_spawn(arguments, ends[1], ret_pid, error);
    close(ends[1]);
    if (status != STATUS_OK)
        close(ends[0]);
    *ret_fd = ends[0];
    return status;
}

static enum status flat_run(struct bench *bench, struct bench_run *run, struct bench_place *place,
                            int pid, const char *truth, struct error *error)
{
    struct bench_input input = {.bytes = 0, .first_day = UINT64_MAX};
    uint64_t digest = 0;
    run->input = &input;
    run->bench = bench;
    run->place = place;
    run->lanes = bench->options.lanes;
    run->commit_interval_us = bench->options.commit_interval_us;
    enum status status = bench_place_make(bench, "data", bench->options.shards, 1, place, error);
    if (status == STATUS_OK)
        status = bench_place_open(bench, place, LEDGER_WRITE, error);
    if (status == STATUS_OK)
        status = bench_run(run, error);
    enum status ended = bench_wait(pid, "ratel-gen", status == STATUS_OK ? error : NULL);
    if (status == STATUS_OK)
        status = ended;
    if (status == STATUS_OK)
        status = bench_truth_read(truth, &input.truth, error);
    if (status == STATUS_OK)
        status =
            bench_truth_check(input.truth, &place->session, &run->result.counts, &digest, error);
    bench->checks += status == STATUS_OK;
    bench_input_fini(&input);
    return status;
}

enum status bench_measure_flat(struct bench *bench, struct error *error)
{
    const struct bench_recipe recipe = {.form = "msgpack",
                                        .order = "cloudstack",
                                        .series = bench->options.series,
                                        .days = bench->options.flat / bench->options.series + 1};
    struct marks marks = {.first = bench->options.series + bench->options.series / 2};
    marks.step = (recipe.series * recipe.days - marks.first) / (MARKS + 1);
    struct bench_place place = {.open = false};
    char truth[BENCH_PATH_BYTES + 16], path[32];
    int pid = 0, fd = -1;
    snprintf(truth, sizeof(truth), "%s/flat.truth", bench->directory);
    bench_say(bench, "%" PRIu64 " events of %" PRIu64 " days", recipe.series * recipe.days,
              recipe.days);
    enum status status = start_generator(bench, &recipe, truth, &pid, &fd, error);
    if (status != STATUS_OK)
        return status;
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    struct bench_run run = {
        .path = path, .acknowledged = note_mark, .acknowledged_context = &marks};
    status = flat_run(bench, &run, &place, pid, truth, error);
    close(fd);
    if (status == STATUS_OK)
        note_marks(bench, &marks);
    bench_place_close(&place);
    return status;
}
