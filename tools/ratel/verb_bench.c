/* `ratel bench`: the canonical workload's numbers, checked against the generator's truth before any
 * is printed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ratel/bench.h"

#define SERIES_PER_ACCOUNT 32
#define ACCOUNTS_MOST      10000

extern const struct verb verb_ingest;

/* ---- options
 * -----------------------------------------------------------------------------------------------------
 */

/* What is measured is what `ratel ingest` does when it is not told otherwise. */
static uint64_t ingest_default(const char *name)
{
    const struct verb_option *option = descriptor_option(&verb_ingest, name, strlen(name));
    assert(option && option->fallback);
    return strtoull(option->fallback, NULL, 10);
}

static enum status read_skipped(const struct context *context, uint32_t *ret, struct error *error)
{
    static const struct {
        const char *name;
        enum bench_phase phase;
    } phases[] = {{"bare", BENCH_BARE},         {"json", BENCH_JSON},
                  {"msgpack", BENCH_MSGPACK},   {"one-core", BENCH_ONE_CORE},
                  {"changing", BENCH_CHANGING}, {"rerate", BENCH_RERATE},
                  {"latency", BENCH_LATENCY},   {"pages", BENCH_PAGES}};
    const size_t count = sizeof(phases) / sizeof(phases[0]);
    *ret = 0;
    for (size_t i = 0; i < count; i++)
        *ret |= phases[i].phase;
    const char *at = context_option(context, "skip");
    while (at && *at) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < count && !slice_is(slice_of(at, length), phases[i].name))
            i++;
        if (i == count)
            return error_set(error, STATUS_USAGE, "option --skip: there is no part \"%.*s\"",
                             (int)length, at);
        *ret &= ~(uint32_t)phases[i].phase;
        at += length + (at[length] == ',');
    }
    return STATUS_OK;
}

static enum status read_options(struct bench *bench, struct error *error)
{
    struct context *context = bench->context;
    struct bench_options *options = &bench->options;
    const struct {
        const char *name;
        uint64_t least, most;
        uint64_t *ret;
    } numbers[] = {
        {"series", 1000, 50000000, &options->series},
        {"accounts", 0, 1000000, &options->accounts},
        {"days", 1, 1000, &options->days},
        {"seed", 0, INT64_MAX, &options->seed},
        {"rounds", 1, BENCH_SAMPLES_MAX, &options->rounds},
        {"worst", 0, 50000000, &options->worst},
        {"flat", 0, 10000000000, &options->flat},
    };
    uint64_t lanes = 0, shards = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && status == STATUS_OK; i++)
        status = context_number(context, numbers[i].name, numbers[i].least, numbers[i].most,
                                numbers[i].ret, error);
    if (status == STATUS_OK)
        status = context_number(context, "lanes", 0, PIPELINE_LANES_MAX, &lanes, error);
    if (status == STATUS_OK)
        status = context_number(context, "shards", 0, DATADIR_SHARDS_MAX, &shards, error);
    if (status == STATUS_OK)
        status = read_skipped(context, &options->phases, error);
    if (status != STATUS_OK)
        return status;
    uint32_t cores = context_processors();
    options->cores = cores > PIPELINE_LANES_MAX ? PIPELINE_LANES_MAX : cores;
    options->lanes = lanes ? (uint32_t)lanes : options->cores;
    options->shards = shards ? (uint32_t)shards : options->cores;
    options->commit_events = (uint32_t)ingest_default("batch");
    options->commit_interval_us = (uint32_t)ingest_default("commit-interval") * 1000;
    options->intervals = context_option(context, "intervals");
    options->keep = context_option(context, "keep");
    uint64_t some = options->series / SERIES_PER_ACCOUNT;
    if (options->accounts == 0)
        options->accounts = some < 1 ? 1 : some > ACCOUNTS_MOST ? ACCOUNTS_MOST : some;
    return STATUS_OK;
}

/* ---- surroundings
 * ------------------------------------------------------------------------------------------------
 */

static enum status find_tools(struct bench *bench, struct error *error)
{
    char path[BENCH_PATH_BYTES + 16];
    ssize_t length = readlink("/proc/self/exe", bench->tools, sizeof(bench->tools) - 1);
    if (length < 0)
        return error_set(error, STATUS_UNAVAILABLE, "/proc/self/exe: %s", strerror(errno));
    bench->tools[length] = '\0';
    *strrchr(bench->tools, '/') = '\0';
    snprintf(path, sizeof(path), "%s/ratel-gen", bench->tools);
    return access(path, X_OK) == 0
               ? STATUS_OK
               : error_set(error, STATUS_UNAVAILABLE,
                           "%s is missing: the workload comes from it; it is built beside ratel",
                           path);
}

/* Calls can only be counted by a module that was there from the start (tests/faults/count_calls.c);
 * where it lies beside the command, the command starts itself anew with it. It costs nothing while
 * it does not count. A sanitizer's runtime would have to come first. */
static void start_anew_counting(const struct bench *bench)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    char module[BENCH_PATH_BYTES + 32], bytes[8192];
    char *arguments[256];
    snprintf(module, sizeof(module), "%s/count_calls.so", bench->tools);
    if (getenv("LD_PRELOAD") || access(module, R_OK) != 0)
        return;
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t length = file ? fread(bytes, 1, sizeof(bytes), file) : 0, count = 0;
    if (file)
        fclose(file);
    if (length == 0 || length == sizeof(bytes))
        return;
    for (size_t at = 0; at < length && count < 255; at += strlen(bytes + at) + 1)
        arguments[count++] = bytes + at;
    arguments[count] = NULL;
    if (setenv("LD_PRELOAD", module, 1) == 0)
        execv("/proc/self/exe", arguments);
    unsetenv("LD_PRELOAD");
#else
    (void)bench;
#endif
}

static enum status make_directory(struct bench *bench, struct error *error)
{
    const char *base = getenv("TMPDIR");
    int length;
    if (bench->options.keep)
        length = snprintf(bench->directory, sizeof(bench->directory), "%s", bench->options.keep);
    else
        length = snprintf(bench->directory, sizeof(bench->directory), "%s/ratel-bench-XXXXXX",
                          base && *base ? base : "/tmp");
    if (length < 0 || (size_t)length >= sizeof(bench->directory) - 64)
        return error_set(error, STATUS_USAGE, "the path of the working directory is too long");
    bool made = bench->options.keep ? mkdir(bench->directory, 0700) == 0 || errno == EEXIST
                                    : mkdtemp(bench->directory) != NULL;
    return made ? STATUS_OK
                : error_set(error, STATUS_CANNOT_CREATE, "%s: %s", bench->directory,
                            strerror(errno));
}

static void remove_data(const struct bench *bench)
{
    static const char *const names[] = {"data", "other"};
    if (!bench->options.keep) {
        bench_remove(bench->directory);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        char path[BENCH_PATH_BYTES + 16];
        snprintf(path, sizeof(path), "%s/%s", bench->directory, names[i]);
        bench_remove(path);
    }
}

static enum status run(struct context *context, struct error *error)
{
    struct bench *bench = arena_alloc(&context->arena, sizeof(*bench));
    memset(bench, 0, sizeof(*bench));
    bench->context = context;
    enum status status = read_options(bench, error);
    if (status == STATUS_OK)
        status = find_tools(bench, error);
    if (status != STATUS_OK)
        return status;
    start_anew_counting(bench);
    unsetenv("LD_PRELOAD"); /* not for those who are started from here */
    status = make_directory(bench, error);
    if (status != STATUS_OK)
        return status;
    status = bench_measure(bench, error);
    if (status == STATUS_OK && bench->options.worst)
        status = bench_measure_worst(bench, error);
    if (status == STATUS_OK && bench->options.flat)
        status = bench_measure_flat(bench, error);
    bench_input_fini(&bench->json);
    bench_input_fini(&bench->msgpack);
    bench_input_fini(&bench->changing);
    bench_input_fini(&bench->pages);
    remove_data(bench);
    if (status == STATUS_OK)
        bench_report(bench);
    return status;
}

const struct verb verb_bench = {
    .name = "bench",
    .summary = "Measure this machine with the canonical workload and check every result",
    .description =
        "Makes the usage of an invented cloud (ratel-gen, which lies beside this command), by "
        "default 320,000 series on 31 days in CloudStack's order, 10 million records, with 10,000 "
        "accounts and a card of 1,000 price rows and tiers; ingests it as JSON and as msgpack into "
        "new data directories, derives everything again from the journals, and rates it again "
        "under "
        "another card. Beside it, in turns, simdjson and msgpack-c decode the same bytes alone, "
        "because only ratios within one run mean anything.\n\n"
        "Before any number is told, every run is checked: counts, and the quantity of every "
        "account "
        "and meter, against the generator's truth to the last digit; the same spend from every "
        "run; "
        "journals against ledgers. A difference ends the command with 65 and no number.\n\n"
        "Inputs and data directories are made below TMPDIR: on a disk, or nothing is durable. The "
        "defaults need 15 GB there, as much page cache, and some minutes.",
    .options =
        {{.name = "series", .value = "N", .fallback = "320000", .help = "series of the cloud"},
         {.name = "days", .value = "N", .fallback = "31", .help = "windows, one a day"},
         {.name = "accounts",
          .value = "N",
          .fallback = "0",
          .help = "accounts; 0: one for 32 series, at most 10,000"},
         {.name = "seed", .value = "N", .fallback = "1", .help = "of the cloud"},
         {.name = "rounds",
          .value = "N",
          .fallback = "5",
          .help = "medians are over so many, 1 to 32"},
         {.name = "lanes",
          .value = "N",
          .fallback = "0",
          .help = "threads that decode; 0: as many as there are processors"},
         {.name = "shards",
          .value = "N",
          .fallback = "0",
          .help = "of the data directories; 0: as many as there are processors"},
         {.name = "skip",
          .value = "LIST",
          .help = "leave parts out: bare,json,msgpack,one-core,changing,pages,rerate,latency"},
         {.name = "intervals",
          .value = "LIST",
          .help = "latency at these commit intervals too, such as 1,2,5,10 (ms)"},
         {.name = "worst",
          .value = "N",
          .fallback = "0",
          .help = "also N series with all records in random order, such as 5000000"},
         {.name = "flat",
          .value = "N",
          .fallback = "0",
          .help = "also a run over N events, such as 300000000: cost and memory along the way"},
         {.name = "keep",
          .value = "DIR",
          .help = "make the input there, leave it, and use it again"}},
    .examples = {{"ratel bench", "everything, in some minutes"},
                 {"ratel bench --output json --days 10 --rounds 5", "less input, more rounds"},
                 {"ratel bench --worst 5000000 --flat 300000000 --intervals 1,2,5,10",
                  "with the long ones"}},
    .run = run,
};
