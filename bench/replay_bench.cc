// A ledger of the canonical cloud: 31 windows of each series, 10,000 accounts, two versions of a
// card with 500 price rows each. What defining its series, rating it anew, recovering and starting
// cost. "reprice/versions:N" is the same under a card that changes N - 1 times within the month: the
// difference between two N is what series cost that are priced again, and "walk" is the journal
// alone.
//
// RATEL_BENCH_RECORDS=10000000 is the canonical size. RATEL_BENCH_SERIES: series of the start with
// a checkpoint, by default as many as the others have.
#include <benchmark/benchmark.h>

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "workload.hh"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "account/verify.h"
#include "cloud.h"
}
#pragma GCC diagnostic pop

namespace
{

constexpr uint32_t VERSIONS = 2; // of the canonical card

// One data directory for all that only reads it.
struct place {
    struct datadir datadir;
    struct cloud cloud;
    struct snapshot *snapshot;
    struct ledgers *ledgers = nullptr;
    uint32_t shards;

    place(uint32_t series, uint32_t shard_count) : shards(shard_count)
    {
        bench_datadir_shards(&datadir, shards);
        cloud_make(&cloud, "msgpack", &decoder_msgpack, series, datadir.seed);
        snapshot = cloud_snapshot(&cloud, VERSIONS);
        ledgers = open(LEDGER_WRITE);
    }

    ~place()
    {
        ledgers_close(ledgers);
        snapshot_free(snapshot);
        cloud_free(&cloud);
        bench_datadir_remove(&datadir);
    }

    struct ledgers *open(ledger_mode mode)
    {
        struct ledgers *opened;
        struct error error;
        ledgers_options options = {};
        options.datadir = &datadir;
        options.mode = mode;
        options.snapshot = snapshot;
        bench_ok(ledgers_open(&options, &opened, &error), &error, "open the ledgers");
        return opened;
    }

    void fill(uint32_t days)
    {
        for (uint32_t day = 0; day < days; day++)
            for (uint32_t shard = 0; shard < shards; shard++)
                cloud_apply(&cloud, ledgers->shards[shard], shard, shards, day);
    }

    uint64_t series() const
    {
        uint64_t sum = 0;
        for (uint32_t shard = 0; shard < shards; shard++)
            sum += ledgers->shards[shard]->series.count;
        return sum;
    }
};

uint32_t series_wanted()
{
    const char *text = getenv("RATEL_BENCH_SERIES");
    return text ? static_cast<uint32_t>(strtoul(text, nullptr, 10))
                : static_cast<uint32_t>(bench_records() / CLOUD_DAYS);
}

place *whole; // 31 days in one shard

place &canonical()
{
    if (!whole) {
        whole = new place(static_cast<uint32_t>(bench_records() / CLOUD_DAYS), 1);
        whole->fill(CLOUD_DAYS);
    }
    return *whole;
}

void same(ledger *left, ledger *right)
{
    struct arena arena;
    verify_report report;
    arena_init(&arena);
    verify_compare(left, right, &arena, &report);
    bench_check(report.difference_count == 0 && report.buckets > 0, "both ledgers are equal");
    arena_fini(&arena);
}

void count_items(benchmark::State &state, uint64_t per_iteration)
{
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * per_iteration));
}

// A shard's part of a new series: find nothing, define, count, journal.
void define_series(benchmark::State &state)
{
    uint32_t series = static_cast<uint32_t>(bench_records() / CLOUD_DAYS);
    for (auto _ : state) {
        state.PauseTiming();
        {
            place place(series, 1);
            state.ResumeTiming();
            place.fill(1);
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    count_items(state, series);
}

enum status look(journal_frame *frame, void *context, struct error *)
{
    *static_cast<uint64_t *>(context) += frame->event_count;
    return STATUS_OK;
}

// The journal read and its checksums compared: what is below any pass over it.
void walk(benchmark::State &state)
{
    place &place = canonical();
    struct error error;
    ledger *ledger = place.ledgers->shards[0];
    for (auto _ : state) {
        uint64_t events = 0;
        bench_ok(journal_walk(ledger->journal, 1, look, &events, &error), &error, "walk");
        bench_check(events == ledger->event_count, "every event is met");
    }
    count_items(state, ledger->event_count);
}

// Everything rated anew, from the journal to buckets.
void reprice(benchmark::State &state)
{
    place &place = canonical();
    struct error error;
    ledger *ledger = place.ledgers->shards[0];
    snapshot *canonical = place.snapshot;
    place.snapshot = cloud_snapshot(&place.cloud, static_cast<uint32_t>(state.range(0)));
    for (auto _ : state)
        bench_ok(ledger_reprice(ledger, place.snapshot, &error), &error, "reprice");
    struct ledgers *derived = place.open(LEDGER_DERIVE);
    same(ledger, derived->shards[0]);
    ledgers_close(derived);
    bench_ok(ledger_reprice(ledger, canonical, &error), &error, "reprice as it was");
    snapshot_free(place.snapshot);
    place.snapshot = canonical;
    count_items(state, ledger->event_count);
}

// State from nothing but the journal: definitions, coverage, buckets.
void recover(benchmark::State &state)
{
    place &place = canonical();
    uint64_t events = place.ledgers->shards[0]->event_count;
    for (auto _ : state) {
        struct ledgers *derived = place.open(LEDGER_DERIVE);
        bench_check(derived->shards[0]->event_count == events, "every event is back");
        ledgers_close(derived);
    }
    count_items(state, events);
}

// Bytes that each live series takes after a month: by the ledger's own count.
void memory(benchmark::State &state)
{
    place &place = canonical();
    uint64_t bytes = 0;
    for (auto _ : state)
        bytes = ledger_bytes(place.ledgers->shards[0]);
    state.counters["bytes_per_series"] =
        static_cast<double>(bytes) / static_cast<double>(place.series());
    state.counters["tails"] = place.ledgers->shards[0]->series.tail_count;
    state.counters["buckets"] = place.ledgers->shards[0]->buckets.count;
}

// The first checkpoint, of everything.
void checkpoint_write(benchmark::State &state)
{
    struct error error;
    for (auto _ : state) {
        state.PauseTiming();
        {
            place place(series_wanted(), 1);
            place.fill(1);
            state.ResumeTiming();
            bench_ok(ledgers_checkpoint(place.ledgers, &error), &error, "checkpoint");
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    count_items(state, series_wanted());
}

// A writer's start after an orderly end, in two shards.
void checkpoint_start(benchmark::State &state)
{
    struct error error;
    place place(series_wanted(), 2);
    place.fill(1);
    uint64_t series = place.series();
    bench_ok(ledgers_checkpoint(place.ledgers, &error), &error, "checkpoint");
    for (auto _ : state) {
        state.PauseTiming();
        ledgers_close(place.ledgers);
        state.ResumeTiming();
        place.ledgers = place.open(LEDGER_WRITE);
        bench_check(place.series() == series, "every series is known");
    }
    count_items(state, series);
}

} // namespace

int main(int argc, char **argv)
{
    auto unit = benchmark::kMillisecond;
    benchmark::RegisterBenchmark("replay/define", define_series)->Unit(unit)->Iterations(3);
    benchmark::RegisterBenchmark("replay/walk", walk)->Unit(unit)->MeasureProcessCPUTime();
    benchmark::RegisterBenchmark("replay/reprice", reprice)
        ->Unit(unit)
        ->MeasureProcessCPUTime()
        ->ArgName("versions")
        ->Arg(VERSIONS)
        ->Arg(1)
        ->Arg(8);
    benchmark::RegisterBenchmark("replay/recover", recover)->Unit(unit)->MeasureProcessCPUTime();
    benchmark::RegisterBenchmark("replay/memory", memory)->Unit(unit)->Iterations(1);
    benchmark::RegisterBenchmark("replay/checkpoint/write", checkpoint_write)
        ->Unit(unit)
        ->MeasureProcessCPUTime()
        ->Iterations(1);
    benchmark::RegisterBenchmark("replay/checkpoint/start", checkpoint_start)
        ->Unit(unit)
        ->MeasureProcessCPUTime()
        ->UseRealTime();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    delete whole;
    return 0;
}
