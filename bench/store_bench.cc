// What the disk's side does: frames written in three ways, read back from the cache and from the
// disk, strings of the heap, and the checksum under all of it.
//
// Every log that was timed is read back and its frames compared before a number is printed.
#include <benchmark/benchmark.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "workload.hh"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "base/hash.h"
#include "store/committer.h"
#include "store/heap.h"
}
#pragma GCC diagnostic pop

namespace
{

constexpr uint64_t MIB = 1 << 20;

// 4 GiB, little in a trial run.
uint64_t total_bytes()
{
    const char *text = getenv("RATEL_BENCH_STORE_MIB");
    if (text)
        return strtoull(text, nullptr, 10) * MIB;
    return bench_records() < 100000 ? 64 * MIB : 4096 * MIB;
}

// A log below a data directory of its own, and what frame n holds: its number, then bytes that depend on nothing.
struct place {
    struct datadir datadir;
    char path[DATADIR_PATH_BYTES];
    std::vector<char> pattern;
    struct error error;

    explicit place(size_t payload_bytes) : pattern(payload_bytes)
    {
        bench_datadir(&datadir);
        datadir_shard_path(&datadir, 0, "bench", path);
        for (size_t i = 0; i < payload_bytes; i++)
            pattern[i] = static_cast<char>(i * 2654435761u >> 24);
    }
    ~place()
    {
        bench_datadir_remove(&datadir);
    }
    place(const place &) = delete;
    place &operator=(const place &) = delete;

    frames *open(bool aligned)
    {
        frames *log;
        bench_ok(
            frames_open(path, frames_options{FRAMES_SEGMENT_BYTES, aligned}, &log, nullptr, &error),
            &error, "open a log");
        return log;
    }
    void fill(char *to, uint64_t n) const
    {
        memcpy(to, pattern.data(), pattern.size());
        memcpy(to, &n, sizeof(n));
    }
};

struct check {
    const place *where;
    uint64_t seen;
    bool whole;
};

status see(const frame *frame, void *context, error *)
{
    check *check = static_cast<struct check *>(context);
    uint64_t n;
    const std::vector<char> &pattern = check->where->pattern;
    bench_check(frame->payload.length == pattern.size(), "frames have the right length");
    memcpy(&n, frame->payload.data, sizeof(n));
    bench_check(n == ++check->seen && frame->sequence == n, "frames are in order");
    if (check->whole)
        bench_check(memcmp(frame->payload.data + 8, pattern.data() + 8, pattern.size() - 8) == 0,
                    "frames hold what was written");
    return STATUS_OK;
}

void read_back(place &place, uint64_t count, bool whole)
{
    frames *log;
    check check = {&place, 0, whole};
    bench_ok(frames_open_read(place.path, &log, &place.error), &place.error, "open for reading");
    bench_ok(frames_walk(log, 1, see, &check, &place.error), &place.error, "read back");
    bench_check(check.seen == count, "every frame is there");
    frames_close(log);
}

enum way { PACKED, ALIGNED, COMMITTER };

struct frames_cost write_log(place &place, way way, uint64_t count)
{
    frames *log = place.open(way != PACKED);
    frame_buffer buffer;
    bench_ok(frame_buffer_init(&buffer, place.pattern.size(), &place.error), &place.error,
             "a buffer");
    for (uint64_t n = 1; n <= count; n++) {
        uint64_t sequence;
        place.fill(buffer.payload, n);
        buffer.length = place.pattern.size();
        bench_ok(way == PACKED ? frames_append(log, 1, slice{buffer.payload, buffer.length},
                                               &sequence, &place.error)
                               : frames_append_buffer(log, 1, &buffer, &sequence, &place.error),
                 &place.error, "append");
        bench_ok(frames_sync(log, &place.error), &place.error, "sync");
    }
    frame_buffer_fini(&buffer);
    struct frames_cost cost = frames_cost(log);
    frames_close(log);
    return cost;
}

struct committer_cost commit_log(place &place, uint64_t count)
{
    frames *log = place.open(true);
    committer *committer;
    committer_options options = {};
    options.buffer_count = 4;
    options.buffer_bytes = place.pattern.size();
    bench_ok(committer_start(log, &options, &committer, &place.error), &place.error, "start");
    for (uint64_t n = 1; n <= count; n++) {
        frame_buffer *buffer;
        bench_ok(committer_take_wait(committer, &buffer, &place.error), &place.error, "take");
        place.fill(buffer->payload, n);
        buffer->length = place.pattern.size();
        bench_check(committer_submit(committer, 1, buffer) == n, "sequences are known");
    }
    bench_ok(committer_wait(committer, count, &place.error), &place.error, "wait");
    struct committer_cost cost = committer_cost(committer);
    bench_ok(committer_stop(committer, &place.error), &place.error, "stop");
    frames_close(log);
    return cost;
}

// Frames of range(1) bytes, each durable before the next (or, with the committer, four on the way).
void write_frames(benchmark::State &state)
{
    const way how = static_cast<way>(state.range(0));
    const size_t bytes = static_cast<size_t>(state.range(1));
    const uint64_t total = state.range(2) ? total_bytes() : total_bytes() / 8;
    const uint64_t count = total / bytes < 5000 || state.range(2) ? total / bytes : 5000;
    uint64_t frames = 0;
    double calls = 0, syncs = 0;
    for (auto _ : state) {
        state.PauseTiming();
        place place(bytes - 64); // a little less, so that a frame with its header is no page more
        state.ResumeTiming();
        if (how == COMMITTER) {
            struct committer_cost cost = commit_log(place, count);
            calls += static_cast<double>(cost.log.calls + cost.waits);
            syncs += static_cast<double>(cost.log.syncs);
        } else {
            struct frames_cost cost = write_log(place, how, count);
            calls += static_cast<double>(cost.calls);
            syncs += static_cast<double>(cost.syncs);
        }
        state.PauseTiming();
        read_back(place, count, true);
        frames += count;
        state.ResumeTiming();
    }
    state.SetItemsProcessed(static_cast<int64_t>(frames));
    state.SetBytesProcessed(static_cast<int64_t>(frames * bytes));
    state.counters["calls_per_frame"] = calls / static_cast<double>(frames);
    state.counters["syncs_per_frame"] = syncs / static_cast<double>(frames);
    static const char *const names[] = {"buffered, packed", "direct, in place", "committer"};
    state.SetLabel(names[how]);
}

void drop_cache(const place &place)
{
    for (int number = 1;; number++) {
        char name[32];
        snprintf(name, sizeof(name), "/%08d.seg", number);
        int fd = open((std::string(place.path) + name).c_str(), O_RDONLY);
        if (fd < 0)
            return;
        bench_check(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "dropped");
        close(fd);
    }
}

// One pass over the log: range(0) aligned or not, range(1) in the page cache or not.
void walk(benchmark::State &state)
{
    const bool aligned = state.range(0), cached = state.range(1);
    const uint64_t count = total_bytes() / 4 / (512 << 10);
    place place((512 << 10) - 64);
    if (aligned)
        (void)commit_log(place, count);
    else
        (void)write_log(place, PACKED, count);
    read_back(place, count, true);
    if (cached) {
        std::string command = std::string("cat ") + place.path + "/*.seg >/dev/null";
        bench_check(system(command.c_str()) == 0, "cat");
    }
    frames *log = place.open(aligned);
    for (auto _ : state) {
        state.PauseTiming();
        if (!cached)
            drop_cache(place);
        check check = {&place, 0, false};
        state.ResumeTiming();
        bench_ok(frames_walk(log, 1, see, &check, &place.error), &place.error, "walk");
        bench_check(check.seen == count, "every frame was seen");
    }
    frames_close(log);
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * count * (512 << 10)));
    state.SetLabel(std::string(aligned ? "read ahead, " : "buffered, ") +
                   (cached ? "cached" : "cold"));
}

constexpr uint64_t STRINGS = 4000000;
constexpr size_t STRING_BYTES = 24;

heap *fill_heap(place &place, uint64_t count, std::vector<uint64_t> &offsets)
{
    heap *heap;
    char text[STRING_BYTES] = "0123456789abcdef";
    bench_ok(
        heap_open((std::string(place.path) + ".heap").c_str(), 0, HEAP_WRITE, &heap, &place.error),
        &place.error, "open a heap");
    for (uint64_t n = 0; n < count; n++) {
        memcpy(text, &n, sizeof(n));
        bench_ok(heap_append(heap, slice{text, sizeof(text)}, &offsets[n], &place.error),
                 &place.error, "append");
    }
    return heap;
}

uint64_t heap_strings()
{
    return bench_records() < 100000 ? 100000 : STRINGS;
}

void heap_appends(benchmark::State &state)
{
    const uint64_t count = heap_strings();
    std::vector<uint64_t> offsets(count);
    for (auto _ : state) {
        state.PauseTiming();
        place place(64);
        state.ResumeTiming();
        heap *heap = fill_heap(place, count, offsets);
        state.PauseTiming();
        for (uint64_t n = 0; n < count; n += 1009) {
            slice got;
            bench_ok(heap_read(heap, offsets[n], &got, &place.error), &place.error, "read");
            bench_check(memcmp(got.data, &n, sizeof(n)) == 0, "the string is the one");
        }
        heap_close(heap);
        state.ResumeTiming();
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * count));
}

// Strings in random order; range(0): how many are fetched ahead.
void heap_reads(benchmark::State &state)
{
    const uint64_t count = heap_strings(), ahead = static_cast<uint64_t>(state.range(0));
    std::vector<uint64_t> offsets(count);
    place place(64);
    heap *heap = fill_heap(place, count, offsets);
    bench_ok(heap_sync(heap, &place.error), &place.error, "sync");
    uint64_t random = 88172645463325252u;
    std::vector<uint64_t> order(count + ahead);
    for (uint64_t &n : order) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        n = random % count;
    }
    for (auto _ : state) {
        uint64_t wrong = 0;
        for (uint64_t i = 0; i < count; i++) {
            slice got = {};
            uint64_t n = order[i];
            if (ahead)
                heap_prefetch(heap, offsets[order[i + ahead]]);
            bench_ok(heap_read(heap, offsets[n], &got, &place.error), &place.error, "read");
            wrong += memcmp(got.data, &n, sizeof(n)) != 0;
        }
        bench_check(wrong == 0, "every string is the one");
    }
    heap_close(heap);
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * count));
}

void checksum(benchmark::State &state)
{
    std::vector<char> bytes(static_cast<size_t>(state.range(0)), 'x');
    bench_check(crc32c(0, bytes.data(), 100001) == crc32c_portable(0, bytes.data(), 100001),
                "the instruction and the table agree");
    for (auto _ : state)
        benchmark::DoNotOptimize(crc32c(0, bytes.data(), bytes.size()));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK(write_frames)
    ->ArgNames({"how", "bytes", "all"})
    ->ArgsProduct({{PACKED, ALIGNED, COMMITTER}, {512 << 10}, {1}})
    ->ArgsProduct({{PACKED, ALIGNED, COMMITTER}, {4 << 10, 128 << 10, 512 << 10, 2 << 20}, {0}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(walk)
    ->ArgNames({"aligned", "cached"})
    ->ArgsProduct({{0, 1}, {0, 1}})
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(heap_appends)->Iterations(3)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(heap_reads)->Arg(0)->Arg(16)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(checksum)->Arg(512 << 10)->Arg(256 << 20)->UseRealTime();

} // namespace

BENCHMARK_MAIN();
