/* What `ratel bench` measures, round by round: the libraries alone and the engine take turns, so
 * that a neighbour's load hits both. Nothing is noted before its result was checked. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "account/verify.h"
#include "base/park.h"
#include "ratel/bench.h"
#include "ratel/bench_bare.h"

#define BARE_BYTES   ((size_t)1 << 30) /* of JSON: enough, and the same every time */
#define PAGE_BYTES   ((size_t)4096)
#define PACE_PERCENT 85

void bench_say(const struct bench *bench, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(bench->context->err, "ratel bench: ");
    vfprintf(bench->context->err, format, arguments);
    fprintf(bench->context->err, "\n");
    va_end(arguments);
}

uint64_t bench_memory(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "RssAnon: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return (uint64_t)kib << 10;
}

void bench_one_core(bool one)
{
    static cpu_set_t all;
    static bool known;
    if (!known && sched_getaffinity(0, sizeof(all), &all) != 0)
        return;
    known = true;
    cpu_set_t few;
    CPU_ZERO(&few);
    for (int i = CPU_SETSIZE - 1; i >= 0; i--)
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &few);
            break;
        }
    (void)sched_setaffinity(0, sizeof(all), one ? &few : &all);
}

/* ---- the bare libraries
 * ------------------------------------------------------------------------------------------
 */

struct mapped {
    char *bytes;
    size_t length;
    size_t map_length;
};

/* The file's first bytes in memory, with a page behind them that is readable, too. */
static enum status map_input(const struct bench_input *input, size_t most, struct mapped *ret,
                             struct error *error)
{
    size_t length = input->bytes < most ? input->bytes : most;
    size_t room = (length + 2 * PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
    int fd = open(input->path, O_RDONLY | O_CLOEXEC);
    char *bytes = mmap(NULL, room, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool good =
        fd >= 0 && bytes != MAP_FAILED &&
        mmap(bytes, length, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == bytes;
    if (fd >= 0)
        close(fd);
    if (!good)
        return error_set(error, STATUS_IO, "%s: %s", input->path, strerror(errno));
    *ret = (struct mapped){bytes, length, room};
    return STATUS_OK;
}

static enum status wrong_count(const char *library, uint64_t got, uint64_t truth,
                               struct error *error)
{
    return error_set(error, STATUS_INVALID, "wrong result: %s met %llu records of %llu", library,
                     (unsigned long long)got, (unsigned long long)truth);
}

static enum status bare_json(struct bench *bench, struct error *error)
{
    static const struct {
        enum bench_bare_way way;
        const char *name, *unit;
    } ways[] = {
        {BENCH_BARE_FIELDS, "simdjson_bytes_per_second", "bytes/s, one core, 13 fields by name"},
        {BENCH_BARE_VALUES, "simdjson_values_bytes_per_second",
         "bytes/s, one core, every member met, every value read"},
        {BENCH_BARE_MEMBERS, "simdjson_members_bytes_per_second",
         "bytes/s, one core, every member met, no value read"},
    };
    struct mapped mapped = {0};
    enum status status = map_input(&bench->json, BARE_BYTES, &mapped, error);
    if (status != STATUS_OK)
        return status;
    const char *end = memrchr(mapped.bytes, '\n', mapped.length);
    size_t length = end ? (size_t)(end - mapped.bytes) + 1 : 0;
    uint64_t lines = 0;
    for (const char *at = mapped.bytes; at < mapped.bytes + length; lines++)
        at = (const char *)memchr(at, '\n', (size_t)(mapped.bytes + length - at)) + 1;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && status == STATUS_OK; i++) {
        int64_t begin = park_now();
        uint64_t records = bench_bare_simdjson(mapped.bytes, length, ways[i].way);
        double seconds = bench_seconds(begin, park_now());
        if (records != lines)
            status = wrong_count("simdjson", records, lines, error);
        else
            bench_add(&bench->numbers, ways[i].name, ways[i].unit, (double)length / seconds);
        bench->checks += status == STATUS_OK;
    }
    munmap(mapped.bytes, mapped.map_length);
    return status;
}

static enum status bare_msgpack(struct bench *bench, struct error *error)
{
    struct mapped mapped = {0};
    enum status status = map_input(&bench->msgpack, SIZE_MAX, &mapped, error);
    if (status != STATUS_OK)
        return status;
    int64_t begin = park_now();
    uint64_t records = bench_bare_msgpackc(mapped.bytes, mapped.length);
    double seconds = bench_seconds(begin, park_now());
    munmap(mapped.bytes, mapped.map_length);
    if (records != bench_truth_records(bench->msgpack.truth))
        return wrong_count("msgpack-c", records, bench_truth_records(bench->msgpack.truth), error);
    bench->checks++;
    bench_add(&bench->numbers, "msgpackc_records_per_second", "records/s, one core",
              (double)records / seconds);
    return STATUS_OK;
}

static enum status bare(struct bench *bench, struct error *error)
{
    bench_say(bench, "simdjson and msgpack-c alone");
    bench_one_core(true);
    enum status status = bare_json(bench, error);
    if (status == STATUS_OK)
        status = bare_msgpack(bench, error);
    bench_one_core(false);
    return status;
}

/* ---- runs
 * --------------------------------------------------------------------------------------------------------
 */

enum status bench_fresh_run(struct bench *bench, struct bench_run *run, uint32_t shards,
                            struct bench_place *place, struct error *error)
{
    run->bench = bench;
    run->place = place;
    if (!run->path)
        run->path = run->input->path;
    if (!run->lanes)
        run->lanes = bench->options.lanes;
    if (!run->commit_interval_us)
        run->commit_interval_us = bench->options.commit_interval_us;
    enum status status = bench_place_make(bench, "data", shards, 1, place, error);
    if (status == STATUS_OK)
        status = bench_place_open(bench, place, LEDGER_WRITE, error);
    if (status == STATUS_OK)
        status = bench_run(run, error);
    if (status != STATUS_OK)
        return status;
    uint64_t digest = 0;
    status =
        bench_truth_check(run->input->truth, &place->session, &run->result.counts, &digest, error);
    if (status != STATUS_OK)
        return status;
    bool canonical = run->input == &bench->json || run->input == &bench->msgpack;
    if (canonical && bench->digest && digest != bench->digest)
        return error_set(error, STATUS_INVALID,
                         "wrong result: this run came to another spend than the one before");
    if (canonical)
        bench->digest = digest;
    bench->checks++;
    return STATUS_OK;
}

static void add(struct bench *bench, const char *prefix, const char *name, const char *unit,
                double value)
{
    char full[64];
    snprintf(full, sizeof(full), "%s_%s", prefix, name);
    bench_add(&bench->numbers, full, unit, value);
}

static void note_run(struct bench *bench, const char *prefix, const struct bench_run *run)
{
    const struct bench_result *result = &run->result;
    double records = (double)result->counts.read;
    add(bench, prefix, "bytes_per_second", "bytes/s, read to durable",
        (double)run->input->bytes / result->seconds);
    add(bench, prefix, "records_per_second", "records/s, read to durable",
        records / result->seconds);
    if (result->seconds_after_first_day > 0)
        add(bench, prefix, "known_bytes_per_second", "bytes/s, after the first day's new series",
            (double)result->bytes_after_first_day / result->seconds_after_first_day);
    add(bench, prefix, "seconds_to_checkpoint", "s, with the checkpoint at the end",
        result->seconds_to_checkpoint);
    add(bench, prefix, "cpu_ns_per_record", "ns, all threads, checkpoint included",
        result->cpu_seconds * 1e9 / records);
    if (result->known_cpu_ns <= 0)
        return;
    add(bench, prefix, "known_cpu_ns_per_record", "ns, all threads, series known",
        result->known_cpu_ns);
    add(bench, prefix, "cpu_ns_per_new_series", "ns more, all threads", result->new_cpu_ns);
}

static void note_costs(struct bench *bench, const struct bench_run *run)
{
    const struct bench_result *result = &run->result;
    bench_add(&bench->numbers, "context_switches_per_million", "a million records",
              result->switches);
    if (!result->calls.known)
        return;
    bench_add(&bench->numbers, "system_calls_per_million", "a million records, series known",
              result->calls.system_calls);
    bench_add(&bench->numbers, "allocations_per_million", "a million records, series known",
              result->calls.allocations);
    bench_add(&bench->numbers, "locks_per_million", "a million records, series known",
              result->calls.locks);
    bench_add(&bench->numbers, "lmdb_calls_per_million", "a million records, series known",
              result->calls.lmdb);
}

static void note_memory(struct bench *bench, struct bench_place *place, uint64_t before)
{
    const struct ledgers *ledgers = place->session.ledgers;
    double series = 0, events = (double)ledgers_event_count(ledgers);
    for (uint32_t i = 0; i < ledgers->count; i++)
        series += ledgers->shards[i]->series.count;
    bench_add(&bench->numbers, "bytes_per_series", "bytes of memory: index, state, buckets",
              (double)bench_ledger_bytes(ledgers) / series);
    if (before) {
        uint64_t now = bench_memory();
        bench_add(&bench->numbers, "resident_bytes_per_series",
                  "bytes that the process grew by, prices and pipeline included",
                  now > before ? (double)(now - before) / series : 0);
    }
    bench_add(&bench->numbers, "journal_bytes_per_event", "bytes on disk, definitions included",
              (double)bench_journal_bytes(place) / events);
}

/* ---- what follows from the journal
 * -------------------------------------------------------------------------------
 */

static enum status compare(const struct ledgers *stored, const struct ledgers *derived,
                           struct error *error)
{
    struct arena arena;
    struct verify_report *report = calloc(1, sizeof(*report));
    if (!report)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    arena_init(&arena);
    for (uint32_t i = 0; i < stored->count; i++)
        verify_compare(stored->shards[i], derived->shards[i], &arena, report);
    arena_fini(&arena);
    uint64_t differences = report->difference_count;
    free(report);
    if (differences == 0 && ledgers_event_count(stored) == ledgers_event_count(derived))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "wrong result: what the journals give differs in %llu places",
                     (unsigned long long)differences);
}

enum status bench_recover(struct bench *bench, struct bench_place *place, const char *name,
                          struct error *error)
{
    const struct ledgers_options options = {.datadir = place->context.datadir,
                                            .mode = LEDGER_DERIVE,
                                            .snapshot = place->session.snapshot};
    struct ledgers *derived = NULL;
    bench_say(bench, "recovering from the journals, one core");
    bench_one_core(true);
    int64_t begin = park_now();
    enum status status = ledgers_open(&options, &derived, error);
    double seconds = bench_seconds(begin, park_now());
    bench_one_core(false);
    if (status == STATUS_OK)
        status = compare(place->session.ledgers, derived, error);
    if (status == STATUS_OK) {
        bench->checks++;
        bench_add(&bench->numbers, name, "events/s, one core, from the journals alone",
                  (double)ledgers_event_count(derived) / seconds);
    }
    ledgers_close(derived);
    return status;
}

enum status bench_start(struct bench *bench, struct bench_place *place, const char *name,
                        struct error *error)
{
    uint64_t events = ledgers_event_count(place->session.ledgers);
    bench_place_close(place);
    int64_t begin = park_now();
    enum status status = bench_place_open(bench, place, LEDGER_WRITE, error);
    double seconds = bench_seconds(begin, park_now());
    if (status == STATUS_OK && ledgers_event_count(place->session.ledgers) != events)
        status = error_set(error, STATUS_INVALID, "wrong result: a checkpoint of other events");
    if (status == STATUS_OK)
        bench_add(&bench->numbers, name, "s, from a checkpoint", seconds);
    return status;
}

/* The spend under these prices, with every quantity as the truth has it. */
static enum status spend_under(struct bench *bench, struct bench_place *place,
                               struct snapshot *snapshot, const struct bench_run *run,
                               uint64_t *ret_digest, double *ret_seconds, struct error *error)
{
    struct snapshot *own = place->session.snapshot;
    bench_one_core(true);
    int64_t begin = park_now();
    enum status status = ledgers_reprice(place->session.ledgers, snapshot, error);
    *ret_seconds = bench_seconds(begin, park_now());
    bench_one_core(false);
    place->session.snapshot = snapshot;
    if (status == STATUS_OK)
        status = bench_truth_check(run->input->truth, &place->session, &run->result.counts,
                                   ret_digest, error);
    place->session.snapshot = own;
    bench->checks += status == STATUS_OK;
    return status;
}

/* All of it under the prices of another card, and back again. */
static enum status rerate(struct bench *bench, struct bench_place *place,
                          const struct bench_run *run, struct error *error)
{
    struct bench_place other;
    uint64_t there = 0, back = 0;
    double seconds[2] = {0};
    bench_say(bench, "re-rating under another card, one core");
    enum status status = bench_place_make(bench, "other", 1, 2, &other, error);
    if (status == STATUS_OK)
        status = bench_place_open(bench, &other, LEDGER_WRITE, error);
    if (status == STATUS_OK)
        status = spend_under(bench, place, other.session.snapshot, run, &there, &seconds[0], error);
    if (status == STATUS_OK)
        status = spend_under(bench, place, place->session.snapshot, run, &back, &seconds[1], error);
    bench_place_close(&other);
    if (status == STATUS_OK && (there == bench->digest || back != bench->digest))
        status = error_set(error, STATUS_INVALID,
                           "wrong result: re-rating does not come to the spend that it should");
    double events = (double)ledgers_event_count(place->session.ledgers);
    for (int i = 0; i < 2 && status == STATUS_OK; i++)
        bench_add(&bench->numbers, "rerate_events_per_second_core",
                  "events/s, one core, journals to buckets under another card",
                  events / seconds[i]);
    return status;
}

/* ---- rounds
 * ------------------------------------------------------------------------------------------------------
 */

static bool wants(const struct bench *bench, enum bench_phase phase)
{
    return bench->options.phases & phase;
}

static enum status json_round(struct bench *bench, bool first, struct error *error)
{
    struct bench_place place = {.open = false};
    struct bench_run run = {.input = &bench->json};
    bench_say(bench, "JSON, %u cores", bench->options.cores);
    malloc_trim(0);
    uint64_t before = first ? bench_memory() : 0;
    enum status status = bench_fresh_run(bench, &run, bench->options.shards, &place, error);
    if (status == STATUS_OK) {
        note_run(bench, "json", &run);
        note_costs(bench, &run);
        note_memory(bench, &place, before);
    }
    if (status == STATUS_OK && first)
        status = bench_recover(bench, &place, "recover_events_per_second", error);
    bench_place_close(&place);
    return status;
}

static enum status msgpack_round(struct bench *bench, struct error *error)
{
    struct bench_place place = {.open = false};
    struct bench_run run = {.input = &bench->msgpack};
    bench_say(bench, "msgpack, %u cores", bench->options.cores);
    enum status status = bench_fresh_run(bench, &run, bench->options.shards, &place, error);
    if (status == STATUS_OK)
        note_run(bench, "msgpack", &run);
    if (status == STATUS_OK)
        status = bench_recover(bench, &place, "recover_events_per_second", error);
    if (status == STATUS_OK)
        status = bench_start(bench, &place, "start_seconds", error);
    if (status == STATUS_OK && wants(bench, BENCH_RERATE))
        status = rerate(bench, &place, &run, error);
    bench_place_close(&place);
    return status;
}

static enum status one_core_round(struct bench *bench, const struct bench_input *input,
                                  const char *prefix, struct error *error)
{
    struct bench_place place = {.open = false};
    struct bench_run run = {.input = input, .lanes = 1};
    bench_say(bench, "%s, one core", input == &bench->json ? "JSON" : "msgpack");
    bench_one_core(true);
    enum status status = bench_fresh_run(bench, &run, 1, &place, error);
    bench_one_core(false);
    if (status == STATUS_OK)
        note_run(bench, prefix, &run);
    bench_place_close(&place);
    return status;
}

/* Another form of fewer days. */
static enum status other_round(struct bench *bench, const struct bench_input *input,
                               const char *prefix, const char *what, struct error *error)
{
    struct bench_place place = {.open = false};
    struct bench_run run = {.input = input};
    bench_say(bench, "%s", what);
    enum status status = bench_fresh_run(bench, &run, bench->options.shards, &place, error);
    if (status == STATUS_OK)
        note_run(bench, prefix, &run);
    bench_place_close(&place);
    return status;
}

static enum status one_round(struct bench *bench, bool first, struct error *error)
{
    enum status status = STATUS_OK;
    if (wants(bench, BENCH_JSON))
        status = bench_input_warm(&bench->json, error);
    if (status == STATUS_OK && wants(bench, BENCH_MSGPACK))
        status = bench_input_warm(&bench->msgpack, error);
    if (status == STATUS_OK && wants(bench, BENCH_JSON))
        status = json_round(bench, first, error);
    if (status == STATUS_OK && wants(bench, BENCH_BARE))
        status = bare(bench, error);
    if (status == STATUS_OK && wants(bench, BENCH_MSGPACK))
        status = msgpack_round(bench, error);
    if (status == STATUS_OK && wants(bench, BENCH_ONE_CORE) && wants(bench, BENCH_JSON))
        status = one_core_round(bench, &bench->json, "json_one_core", error);
    if (status == STATUS_OK && wants(bench, BENCH_ONE_CORE) && wants(bench, BENCH_MSGPACK))
        status = one_core_round(bench, &bench->msgpack, "msgpack_one_core", error);
    if (status == STATUS_OK && wants(bench, BENCH_CHANGING))
        status = other_round(bench, &bench->changing, "changing",
                             "JSON with a layout that changes at every record", error);
    if (status == STATUS_OK && wants(bench, BENCH_PAGES))
        status = other_round(bench, &bench->pages, "pages",
                             "JSON in answers of listUsageRecords, 500 records each", error);
    return status;
}

/* ---- latency
 * -----------------------------------------------------------------------------------------------------
 */

static double at_permille(const int64_t *sorted, uint64_t count, uint64_t permille)
{
    uint64_t at = count * permille / 1000;
    return count ? (double)sorted[at < count ? at : count - 1] / 1e6 : 0;
}

static void note_latencies(struct bench *bench, const struct bench_latencies *of,
                           const char *suffix)
{
    static const struct {
        const char *name;
        uint64_t permille;
    } points[] = {{"p50", 500}, {"p99", 990}, {"p99.9", 999}};
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s_durable_ms%s", points[i].name, suffix);
        bench_add(&bench->numbers, name, "ms from a window's reading to durable, at 85 % of peak",
                  at_permille(of->durable, of->count, points[i].permille));
    }
    char name[64];
    snprintf(name, sizeof(name), "p99_scheduled_ms%s", suffix);
    bench_add(&bench->numbers, name, "ms from when it should have been read to durable",
              at_permille(of->scheduled, of->count, 990));
}

static enum status latency(struct bench *bench, uint32_t interval_us, const char *suffix,
                           struct error *error)
{
    double peak = 0;
    if (!bench_median(&bench->numbers, "json_bytes_per_second", &peak))
        return STATUS_OK;
    struct bench_latencies latencies = {.capacity = bench->json.bytes / 65536 + 1024};
    latencies.durable = calloc(latencies.capacity, sizeof(int64_t));
    latencies.scheduled = calloc(latencies.capacity, sizeof(int64_t));
    struct bench_place place = {.open = false};
    struct bench_run run = {
        .input = &bench->json,
        .commit_interval_us = interval_us,
        .pace = {peak * PACE_PERCENT / 100, bench->options.days > 1 ? bench->json.first_day : 0},
        .latencies = &latencies,
    };
    bench_say(bench, "latency at %d %% of the peak rate, commits every %u us", PACE_PERCENT,
              interval_us);
    enum status status = latencies.durable && latencies.scheduled
                             ? bench_fresh_run(bench, &run, bench->options.shards, &place, error)
                             : error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK)
        note_latencies(bench, &latencies, suffix);
    bench_place_close(&place);
    free(latencies.durable);
    free(latencies.scheduled);
    return status;
}

static enum status latencies(struct bench *bench, struct error *error)
{
    enum status status = latency(bench, bench->options.commit_interval_us, "", error);
    const char *at = bench->options.intervals;
    while (status == STATUS_OK && at && *at) {
        char *end, suffix[32];
        unsigned long ms = strtoul(at, &end, 10);
        if (end == at || ms == 0 || ms > 1000 || (*end && *end != ','))
            return error_set(error, STATUS_USAGE,
                             "option --intervals: \"%s\" is no list of milliseconds",
                             bench->options.intervals);
        snprintf(suffix, sizeof(suffix), "_at_%lu_ms", ms);
        status = latency(bench, (uint32_t)ms * 1000, suffix, error);
        at = *end ? end + 1 : end;
    }
    return status;
}

/* ---- all
 * ---------------------------------------------------------------------------------------------------------
 */

static enum status make_inputs(struct bench *bench, struct error *error)
{
    const struct bench_options *options = &bench->options;
    struct bench_recipe recipe = {.name = "canonical.ndjson",
                                  .form = "ndjson",
                                  .order = "cloudstack",
                                  .series = options->series,
                                  .days = options->days,
                                  .duplicates = 10};
    char card[BENCH_PATH_BYTES + 32];
    enum status status = bench_input_make(bench, &recipe, &bench->json, error);
    recipe.name = "canonical.msgpack";
    recipe.form = "msgpack";
    if (status == STATUS_OK)
        status = bench_input_make(bench, &recipe, &bench->msgpack, error);
    recipe.name = "changing.ndjson";
    recipe.form = "ndjson";
    recipe.changing = true;
    recipe.days = options->days < 6 ? options->days : 6;
    if (status == STATUS_OK && wants(bench, BENCH_CHANGING))
        status = bench_input_make(bench, &recipe, &bench->changing, error);
    recipe.name = "pages.json";
    recipe.form = "json"; /* 500 records an answer, as CloudStack's largest pages */
    recipe.changing = false;
    if (status == STATUS_OK && wants(bench, BENCH_PAGES))
        status = bench_input_make(bench, &recipe, &bench->pages, error);
    for (uint32_t revision = 1; revision <= 2 && status == STATUS_OK; revision++) {
        snprintf(card, sizeof(card), "%s/card-%u.yaml", bench->directory, revision);
        status = bench_card_make(bench, revision, card, error);
    }
    return status;
}

enum status bench_measure(struct bench *bench, struct error *error)
{
    enum status status = make_inputs(bench, error);
    for (uint64_t round = 0; round < bench->options.rounds && status == STATUS_OK; round++) {
        bench_say(bench, "round %llu of %llu", (unsigned long long)round + 1,
                  (unsigned long long)bench->options.rounds);
        status = one_round(bench, round == 0, error);
    }
    if (status == STATUS_OK && wants(bench, BENCH_LATENCY))
        status = latencies(bench, error);
    return status;
}
