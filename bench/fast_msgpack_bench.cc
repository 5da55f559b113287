// The fast msgpack decoder beside msgpack-c's bare decoding of the same bytes: records of learnt
// layouts, the same walked in any order, types at random, full records, and keys in another order
// at every record.
//
// "cut" is what a lane does while it has the turn: it goes over the records to see where they end.
//
// The two take turns window by window, so both meet the same neighbours; the figure to compare is
// `ratio`, of the medians over all rounds. A window is touched first, as one that was just read
// from a file is ("warm"), or the whole input is gone through by one and then by the other
// ("stream"), where the machine's memory sets a limit of its own.
//
// Before anything is timed, the fast decoder must give the fields that the reference decoder gives.
#include <benchmark/benchmark.h>
#include <msgpack.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "workload.hh"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" // `struct msgpack_header` and the function that reads one
extern "C" {
#include "adapters/fast_cut.h"
#include "adapters/fast_msgpack.h"
#include "adapters/msgpack_frame.h"
}
#pragma GCC diagnostic pop

namespace
{

constexpr size_t window_bytes = 256 << 10;

struct workload {
    const char *name;
    const char *form;
    bool shuffled; // keys
    std::string bytes;
    std::vector<size_t> cuts; // between records, every window_bytes or so; the last is the end
    uint64_t records;
};

workload inputs[] = {
    {"cloudstack-order", "msgpack", false, {}, {}, 0},
    {"random-order", "msgpack --order random", false, {}, {}, 0},
    {"full", "msgpack --full", false, {}, {}, 0},
    {"full-random", "msgpack --full --order random", false, {}, {}, 0},
    {"shuffled-keys", "msgpack --order random", true, {}, {}, 0},
};

size_t object_length(const char *data, size_t length)
{
    const uint8_t *end = nullptr;
    const uint8_t *at = reinterpret_cast<const uint8_t *>(data);
    bench_check(msgpack_frame(at, at + length, RECORD_BYTES_MAX, &end) == MSGPACK_FRAME_WHOLE,
                "the input is whole objects");
    return static_cast<size_t>(end - at);
}

// The record's pairs in another order.
std::string shuffle(const std::string &record, std::mt19937 &random)
{
    size_t at = static_cast<uint8_t>(record[0]) == 0xde ? 3 : 1;
    std::string header = record.substr(0, at);
    std::vector<std::string> pairs;
    while (at < record.size()) {
        size_t begin = at;
        for (int i = 0; i < 2; i++)
            at += object_length(record.data() + at, record.size() - at);
        pairs.push_back(record.substr(begin, at - begin));
    }
    for (size_t i = pairs.size(); i > 1; i--)
        std::swap(pairs[i - 1], pairs[random() % i]);
    for (const std::string &pair : pairs)
        header += pair;
    return header;
}

void make(workload &workload)
{
    std::mt19937 random(20261001);
    slice usage = bench_usage(workload.form);
    size_t cut = 0;
    for (size_t at = 0; at < usage.length;) {
        size_t length = object_length(usage.data + at, usage.length - at);
        std::string record(usage.data + at, length);
        workload.bytes += workload.shuffled ? shuffle(record, random) : record;
        workload.records++;
        at += length;
        if (workload.bytes.size() - cut >= window_bytes) {
            cut = workload.bytes.size();
            workload.cuts.push_back(cut);
        }
    }
    if (cut < workload.bytes.size())
        workload.cuts.push_back(workload.bytes.size());
    workload.bytes.append(DECODER_PADDING, '\0');
}

// One window by the fast decoder. `each` sees every block.
template <typename Each>
void decode_window(fast_decoder *fast, const char *window, size_t length, Each each)
{
    static flat_block *block = new flat_block;
    for (size_t at = 0; at < length;) {
        size_t used;
        fast_stop stop;
        fast_msgpack.decode(fast, window, length, at, true, block, &used, &stop);
        bench_check(used > 0 && stop != FAST_STRANGE, "the fast decoder takes every record");
        each(*block);
        at += used;
    }
}

fast_decoder *open_fast(const char *kernel, bool learns)
{
    fast_decoder *fast;
    bench_ok(fast_msgpack_open_with(fast_msgpack_kernel(kernel), learns, &fast), nullptr,
             "open the fast decoder");
    return fast;
}

void check_record(const record &record, const flat_record &flat, const flat_block &block,
                  const char *window, size_t length)
{
    bench_check(record.state == RECORD_DECODED && flat.present != 0, "every record is plain");
    bench_check(record.raw.length == flat.length, "records are as long as they are");
    for (int field = 0; field < FIELD_COUNT; field++) {
        const field_value &expected = record.fields[field];
        const flat_value &got = flat.fields[field];
        bool given = flat.present >> field & 1;
        if (!(FLAT_FIELDS >> field & 1))
            continue;
        bench_check(given == (expected.kind != VALUE_ABSENT), "the same fields are there");
        if (!given)
            continue;
        const char *text =
            got.offset < length ? window + got.offset : block.digits + (got.offset - length);
        bench_check(got.kind == expected.kind && got.length == expected.length &&
                        memcmp(text, expected.data, got.length) == 0,
                    "fields are what the reference decoder reads");
    }
}

void check(const workload &workload, const char *kernel, bool learns)
{
    if (!fast_msgpack_kernel(kernel))
        return;
    fast_decoder *fast = open_fast(kernel, learns);
    decoder *reference;
    record_block *block = new record_block;
    std::string copy = workload.bytes; // which decoders of other forms write to
    bench_ok(decoder_msgpack.open(&reference), nullptr, "open the reference decoder");
    uint64_t records = 0;
    size_t at = 0;
    uint32_t next = 0;
    block->count = 0;
    size_t begin = 0;
    for (size_t cut : workload.cuts) {
        decode_window(
            fast, workload.bytes.data() + begin, cut - begin, [&](const flat_block &flat) {
                for (uint32_t i = 0; i < flat.count; i++, next++, records++) {
                    if (next == block->count) {
                        size_t used;
                        bench_ok(decoder_msgpack.decode(reference, copy.data() + at,
                                                        copy.size() - DECODER_PADDING - at, at,
                                                        true, block, &used),
                                 nullptr, "decode");
                        at += used;
                        next = 0;
                    }
                    check_record(block->records[next], flat.records[i], flat,
                                 workload.bytes.data() + begin, cut - begin);
                }
            });
        begin = cut;
    }
    bench_check(records == workload.records, "no record is left out");
    decoder_msgpack.close(reference);
    fast_msgpack.close(fast);
    delete block;
}

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

uint64_t msgpack_c(const char *window, size_t length)
{
    uint64_t records = 0;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    for (size_t at = 0;
         msgpack_unpack_next(&unpacked, window, length, &at) == MSGPACK_UNPACK_SUCCESS;) {
        benchmark::DoNotOptimize(unpacked.data);
        records++;
    }
    msgpack_unpacked_destroy(&unpacked);
    return records;
}

enum way { LEARNT, ANY_ORDER, CUT };

// As far as one cut goes, window by window; the records are taken by nobody.
void cut_all(fast_decoder *fast, const char *window, size_t length)
{
    static flat_block *room = new flat_block;
    static msgpack_cut *cut = [] {
        msgpack_cut *made;
        bench_ok(msgpack_cut_new(&made), nullptr, "a cut");
        return made;
    }();
    for (size_t at = 0; at < length;) {
        size_t used = msgpack_cut_make(fast, window + at, length - at, length, room, cut);
        if (used > 0)
            msgpack_cut_done(cut);
        else // many new layouts in a row: as they are learnt, it gets on
            used = object_length(window + at, length - at);
        at += used;
    }
}

uint64_t by_fast(fast_decoder *fast, way way, const char *window, size_t length)
{
    uint64_t records = 0;
    if (way == CUT) {
        cut_all(fast, window, length);
        return 0;
    }
    decode_window(fast, window, length, [&](const flat_block &block) {
        benchmark::DoNotOptimize(block.records);
        records += block.count;
    });
    return records;
}

double median(std::vector<double> &times)
{
    std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2),
                     times.end());
    return times[times.size() / 2];
}

void touch(const char *window, size_t length)
{
    unsigned sum = 0;
    for (size_t i = 0; i < length; i += 64)
        sum += static_cast<uint8_t>(window[i]);
    benchmark::DoNotOptimize(sum);
}

struct timed {
    double fast, peer; // seconds
    uint64_t records;
};

void time_one(timed &timed, fast_decoder *fast, way way, const char *window, size_t length,
              bool warm)
{
    if (warm)
        touch(window, length);
    double begin = now();
    uint64_t records = by_fast(fast, way, window, length);
    double between = now();
    if (warm)
        touch(window, length);
    double again = now();
    uint64_t found = msgpack_c(window, length);
    double end = now();
    bench_check(way == CUT || found == records, "both find the same records");
    timed.fast += between - begin;
    timed.peer += end - again;
    timed.records += found;
}

void compare(benchmark::State &state, const workload *workload, const char *kernel, way way,
             bool warm)
{
    fast_decoder *fast = open_fast(kernel, way != ANY_ORDER);
    std::vector<double> fast_times, peer_times;
    uint64_t records = 0;
    by_fast(fast, way, workload->bytes.data(), workload->cuts.back());
    for (auto _ : state) {
        timed timed = {0, 0, 0};
        size_t begin = 0;
        if (!warm)
            time_one(timed, fast, way, workload->bytes.data(), workload->cuts.back(), false);
        for (size_t i = 0; warm && i < workload->cuts.size(); begin = workload->cuts[i++])
            time_one(timed, fast, way, workload->bytes.data() + begin, workload->cuts[i] - begin,
                     true);
        state.SetIterationTime(timed.fast);
        fast_times.push_back(timed.fast);
        peer_times.push_back(timed.peer);
        records += timed.records;
    }
    bench_check(records == state.iterations() * workload->records, "every record was decoded");
    double count = static_cast<double>(workload->records);
    double ours = median(fast_times), theirs = median(peer_times);
    state.counters["ns_record"] = ours / count * 1e9;
    state.counters["msgpackc_ns_record"] = theirs / count * 1e9;
    state.counters["M_records_s"] = count / ours / 1e6;
    state.counters["GB_s"] = static_cast<double>(workload->cuts.back()) / ours / 1e9;
    state.counters["ratio"] = theirs / ours;
    fast_msgpack.close(fast);
}

} // namespace

int main(int argc, char **argv)
{
    static const char *const kernels[] = {"avx512", "avx2", "sse2", "portable"};
    static const char *const ways[] = {"/learnt", "/any-order", "/cut"};
    for (workload &workload : inputs) {
        make(workload);
        for (const char *kernel : kernels)
            for (bool learns : {true, false})
                check(workload, kernel, learns);
    }
    for (const workload &workload : inputs)
        for (const char *kernel : kernels)
            for (way way : {LEARNT, ANY_ORDER, CUT})
                for (bool warm : {true, false})
                    // Where no layout is ever met again nothing is cut.
                    if (fast_msgpack_kernel(kernel) && !(way == CUT && workload.shuffled))
                        benchmark::RegisterBenchmark(
                            (std::string("fast_msgpack/") + workload.name + "/" + kernel +
                             ways[way] + (warm ? "/warm" : "/stream"))
                                .c_str(),
                            [&workload, kernel, way, warm](benchmark::State &state) {
                                compare(state, &workload, kernel, way, warm);
                            })
                            ->UseManualTime()
                            ->Unit(benchmark::kMillisecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
