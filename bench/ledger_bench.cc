// The ledger: raw record to usage, usage to buckets, commits, and everything derived anew from the
// journal.
//
// Before anything is timed, a ledger that was filled must verify against its journal: same events,
// same buckets, same coverage.
#include <benchmark/benchmark.h>

#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "workload.hh"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "account/verify.h"
}
#pragma GCC diagnostic pop

namespace
{

struct workload {
    bench_blocks blocks;
    std::vector<slice> documents;
    struct snapshot *snapshot;
};

workload *work;

void prepare()
{
    work = new workload;
    work->blocks = bench_decode(&decoder_msgpack, bench_usage("msgpack"));
    work->documents = {bench_card(), bench_accounts()};
    work->snapshot = bench_snapshot(work->documents.data(), 2);
}

// A data directory with a ledger in it, and the workload's usage under the directory's seed.
struct place {
    struct datadir datadir;
    struct ledger *ledger = nullptr;
    struct usage *usages;
    uint64_t count;

    place()
    {
        bench_datadir(&datadir);
        usages = bench_usages(&work->blocks, datadir.seed, &count);
        ledger = open(LEDGER_WRITE);
    }

    ~place()
    {
        ledger_close(ledger);
        for (uint64_t i = 0; i < count; i++)
            free(const_cast<char *>(usages[i].definition.data));
        free(usages);
        bench_datadir_remove(&datadir);
    }

    struct ledger *open(ledger_mode mode)
    {
        struct ledger *opened;
        struct error error;
        ledger_options options = {};
        options.datadir = &datadir;
        options.mode = mode;
        options.snapshot = work->snapshot;
        bench_ok(ledger_open(&options, &opened, &error), &error, "open the ledger");
        return opened;
    }

    void apply(uint64_t from, uint64_t to, outcome expected)
    {
        struct error error;
        for (uint64_t i = from; i < to; i++) {
            outcome outcome;
            bench_ok(ledger_apply(ledger, &usages[i], &outcome, &error), &error, "apply");
            bench_check(outcome == expected, "each record is what it is");
        }
    }

    void commit()
    {
        struct error error;
        bench_ok(ledger_commit(ledger, nullptr, &error), &error, "commit");
    }

    void fill(uint64_t batch)
    {
        for (uint64_t at = 0; at < count; at += batch) {
            apply(at, at + batch < count ? at + batch : count, OUTCOME_ACCEPTED);
            commit();
        }
    }

    // What memory holds is what the journal gives.
    void verify()
    {
        struct ledger *derived = open(LEDGER_DERIVE);
        struct arena arena;
        verify_report report;
        arena_init(&arena);
        verify_compare(ledger, derived, &arena, &report);
        bench_check(report.difference_count == 0, "the ledger is what its journal says");
        bench_check(report.events == count && report.buckets > 0, "every event is in the journal");
        ledger_close(derived);
        arena_fini(&arena);
    }
};

void count_items(benchmark::State &state, uint64_t per_iteration)
{
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * per_iteration));
}

void normalise_all(benchmark::State &state)
{
    struct normaliser normaliser;
    struct usage usage;
    uint64_t events = 0;
    normaliser_init(&normaliser, SLICE("bench"), 42);
    for (auto _ : state)
        for (uint32_t i = 0; i < work->blocks.count; i++)
            for (uint32_t j = 0; j < work->blocks.blocks[i]->count; j++) {
                normalise(&normaliser, work->blocks.blocks[i], &work->blocks.blocks[i]->records[j],
                          &usage);
                events += usage.verdict == VERDICT_EVENT;
            }
    bench_check(events == state.iterations() * bench_records(), "each record is an event");
    normaliser_fini(&normaliser);
    count_items(state, bench_records());
}

// All windows but the first, of series that are known by then: series look-up, coverage, buckets,
// the pending event.
void apply_known(benchmark::State &state)
{
    uint64_t first = bench_records() / BENCH_WINDOWS;
    for (auto _ : state) {
        state.PauseTiming();
        {
            place place;
            place.apply(0, first, OUTCOME_ACCEPTED);
            state.ResumeTiming();
            place.apply(first, place.count, OUTCOME_ACCEPTED);
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    count_items(state, bench_records() - first);
}

// The first window alone: each record is a new series, which is resolved and remembered.
void apply_new(benchmark::State &state)
{
    uint64_t first = bench_records() / BENCH_WINDOWS;
    for (auto _ : state) {
        state.PauseTiming();
        {
            place place;
            state.ResumeTiming();
            place.apply(0, first, OUTCOME_ACCEPTED);
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
    count_items(state, first);
}

void apply_duplicates(benchmark::State &state)
{
    place place;
    place.fill(bench_records());
    for (auto _ : state)
        place.apply(0, place.count, OUTCOME_DUPLICATE);
    place.verify();
    count_items(state, place.count);
}

// Frames of so many events: packed, appended, on disk (fdatasync).
void journal_write(benchmark::State &state)
{
    uint64_t batch = static_cast<uint64_t>(state.range(0));
    struct datadir datadir;
    struct error error;
    bench_datadir(&datadir);
    char path[DATADIR_PATH_BYTES];
    datadir_shard_path(&datadir, 0, "bench", path);
    frames *frames;
    bench_ok(
        frames_open(path, frames_options{FRAMES_SEGMENT_BYTES, true}, &frames, nullptr, &error),
        &error, "open a journal");
    std::vector<event> events;
    for (uint64_t i = 0; i < batch; i++)
        events.push_back(
            event_make(static_cast<uint32_t>(i), {1790812800}, {1790816400}, {1000000}));
    journal_commit commit = {};
    commit.events = events.data();
    commit.event_count = static_cast<uint32_t>(batch);
    packer packer;
    pack_init(&packer);
    for (auto _ : state) {
        uint64_t sequence;
        pack_reset(&packer);
        journal_pack(&commit, &packer);
        bench_ok(frames_append(frames, JOURNAL_FRAME_COMMIT, pack_done(&packer), &sequence, &error),
                 &error, "append");
        bench_ok(frames_sync(frames, &error), &error, "sync");
    }
    bench_check(frames_last_sequence(frames) == static_cast<uint64_t>(state.iterations()),
                "every frame is there");
    count_items(state, batch);
    state.SetBytesProcessed(static_cast<int64_t>(frames_bytes(frames)));
    state.counters["bytes_per_event"] =
        static_cast<double>(frames_bytes(frames)) / static_cast<double>(state.iterations() * batch);
    frames_close(frames);
    pack_fini(&packer);
    bench_datadir_remove(&datadir);
}

// Everything rated anew under the same prices, from the journal.
void reprice(benchmark::State &state)
{
    place place;
    struct error error;
    place.fill(65536);
    place.verify();
    for (auto _ : state)
        bench_ok(ledger_reprice(place.ledger, work->snapshot, &error), &error, "reprice");
    place.verify();
    count_items(state, place.count);
}

uint64_t journal_bytes(const datadir &datadir)
{
    char path[DATADIR_PATH_BYTES];
    datadir_shard_path(&datadir, 0, "journal", path);
    frames *frames;
    struct error error;
    bench_ok(frames_open_read(path, &frames, &error), &error, "open the journal");
    uint64_t bytes = frames_bytes(frames);
    frames_close(frames);
    return bytes;
}

// State from nothing but the journal: definitions, coverage, buckets.
void recover_journal(benchmark::State &state)
{
    place place;
    place.fill(65536);
    place.verify();
    for (auto _ : state) {
        struct ledger *derived = place.open(LEDGER_DERIVE);
        bench_check(derived->event_count == place.count, "every event is back");
        ledger_close(derived);
    }
    count_items(state, place.count);
    state.counters["journal_bytes_per_event"] =
        static_cast<double>(journal_bytes(place.datadir)) / static_cast<double>(place.count);
}

// The writer's start after an orderly end: the checkpoint, and no journal to replay.
void recover_checkpoint(benchmark::State &state)
{
    place place;
    struct error error;
    place.fill(65536);
    bench_ok(ledger_checkpoint(place.ledger, &error), &error, "checkpoint");
    place.verify();
    for (auto _ : state) {
        ledger_close(place.ledger);
        place.ledger = place.open(LEDGER_WRITE);
        bench_check(place.ledger->event_count == place.count, "every event is known");
    }
    place.verify();
    count_items(state, place.count);
    state.counters["series"] = static_cast<double>(place.ledger->series.count);
}

} // namespace

int main(int argc, char **argv)
{
    prepare();
    auto unit = benchmark::kMillisecond;
    benchmark::RegisterBenchmark("ledger/normalise", normalise_all)->Unit(unit);
    benchmark::RegisterBenchmark("ledger/apply/known-series", apply_known)->Unit(unit);
    benchmark::RegisterBenchmark("ledger/apply/new-series", apply_new)->Unit(unit);
    benchmark::RegisterBenchmark("ledger/apply/duplicates", apply_duplicates)->Unit(unit);
    benchmark::RegisterBenchmark("ledger/journal-write", journal_write)
        ->Arg(4096)
        ->Arg(65536)
        ->UseRealTime()
        ->Unit(unit);
    benchmark::RegisterBenchmark("ledger/reprice", reprice)->Unit(unit);
    benchmark::RegisterBenchmark("ledger/recover/journal", recover_journal)->Unit(unit);
    benchmark::RegisterBenchmark("ledger/recover/checkpoint", recover_checkpoint)
        ->UseRealTime()
        ->Unit(unit);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
