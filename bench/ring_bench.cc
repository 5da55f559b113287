// Hand-over between two threads: blocks of 48-byte events through a ring and home through another,
// with parking. One event to a block shows why rings carry blocks. Beside it, what it costs to hand
// a new snapshot to a reader at every block.
//
// Before anything is timed, the sums of what was sent and received must agree.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "workload.hh"
extern "C" {
#include "base/epoch.h"
#include "base/park.h"
#include "base/ring.h"
}

namespace
{

struct event {
    uint64_t series[2];
    uint64_t quantity[2];
    uint32_t start, length;
    uint64_t place;
};
static_assert(sizeof(event) == 48, "as in the pipeline");

constexpr size_t events_max = 256;
constexpr uint32_t ring_slots = 32;

struct block {
    uint64_t count; // 0: the end
    event events[events_max];
};

// One thread's side. The other is woken once for `wake_every` blocks, but always before this side
// waits itself: then nobody sleeps while the other waits for him.
struct side {
    ring *in, *out;
    parker me;
    side *other;
    uint32_t wake_every;
    uint32_t unannounced;
};

struct lane {
    ring *there, *home;
    side producer, consumer;
    std::vector<block> blocks;
    uint64_t sum; // of what was received

    lane(uint32_t spins, uint32_t wake_every) : blocks(ring_slots - 1), sum(0)
    {
        bench_ok(ring_new(ring_slots, &there), nullptr, "ring");
        bench_ok(ring_new(ring_slots, &home), nullptr, "ring");
        producer = {home, there, {}, &consumer, wake_every, 0};
        consumer = {there, home, {}, &producer, wake_every, 0};
        park_init(&producer.me, spins);
        park_init(&consumer.me, spins);
        for (block &block : blocks)
            bench_check(ring_push(home, &block), "a ring holds its blocks");
    }
    ~lane()
    {
        ring_free(there);
        ring_free(home);
    }
};

bool has_item(void *context)
{
    return !ring_is_empty(static_cast<const ring *>(context));
}

void wake_other(side *side)
{
    side->unannounced = 0;
    park_wake(&side->other->me);
}

block *take(side *side)
{
    void *item;
    while (!(item = ring_pop(side->in))) {
        wake_other(side);
        park_until(&side->me, has_item, side->in, PARK_FOREVER);
    }
    return static_cast<block *>(item);
}

// As many blocks as there are fit into each ring, so it is never full.
void give(side *side, block *block)
{
    bench_check(ring_push(side->out, block), "a block has room");
    if (++side->unannounced >= side->wake_every || block->count == 0)
        wake_other(side);
}

void consume(lane *lane)
{
    uint64_t count;
    do {
        block *block = take(&lane->consumer);
        uint64_t sum = 0;
        count = block->count;
        for (uint64_t i = 0; i < count; i++)
            sum += block->events[i].quantity[0] ^ block->events[i].place;
        lane->sum += sum;
        give(&lane->consumer, block);
    } while (count > 0);
}

// Sends `total` events and returns the sum that must arrive.
uint64_t produce(lane *lane, uint64_t total, size_t block_events)
{
    uint64_t sum = 0;
    for (uint64_t sent = 0; sent < total;) {
        block *block = take(&lane->producer);
        size_t count = total - sent < block_events ? total - sent : block_events;
        for (size_t i = 0; i < count; i++, sent++) {
            block->events[i] = {{sent, sent}, {sent * 3, 0}, 1, 2, sent};
            sum += (sent * 3) ^ sent;
        }
        block->count = count;
        give(&lane->producer, block);
    }
    block *last = take(&lane->producer);
    last->count = 0;
    give(&lane->producer, last);
    return sum;
}

// System calls that it took.
uint64_t send(uint64_t total, size_t block_events, uint32_t spins, uint32_t wake_every)
{
    lane lane(spins, wake_every);
    std::thread consumer(consume, &lane);
    uint64_t sum = produce(&lane, total, block_events);
    consumer.join();
    bench_check(sum == lane.sum, "what was sent has arrived");
    return park_calls(&lane.producer.me) + park_calls(&lane.consumer.me);
}

void hand_over(benchmark::State &state)
{
    size_t block_events = static_cast<size_t>(state.range(0));
    uint32_t spins = static_cast<uint32_t>(state.range(1));
    uint32_t wake_every = static_cast<uint32_t>(state.range(2));
    const char *wanted = std::getenv("RATEL_BENCH_RECORDS");
    uint64_t total = wanted ? std::strtoull(wanted, nullptr, 10) : 2000000, calls = 0;
    if (block_events == 1)
        total /= 10;
    for (auto _ : state)
        calls += send(total, block_events, spins, wake_every);
    uint64_t events = static_cast<uint64_t>(state.iterations()) * total;
    state.SetItemsProcessed(static_cast<int64_t>(events));
    state.counters["calls_per_million"] =
        static_cast<double>(calls) * 1e6 / static_cast<double>(events);
}

void nothing(void *, void *)
{
}

void refresh(benchmark::State &state)
{
    epoch *epoch;
    int object = 1;
    bench_ok(epoch_new(1, &object, nothing, nullptr, &epoch), nullptr, "epoch");
    epoch_reader *reader = epoch_reader_at(epoch, 0);
    for (auto _ : state)
        benchmark::DoNotOptimize(epoch_refresh(reader));
    epoch_leave(reader);
    epoch_free(epoch);
}

void check_all()
{
    for (size_t block_events : {1, 64, 255, 256})
        for (uint32_t spins : {0, PARK_SPINS})
            for (uint32_t wake_every : {1, 8})
                send(10001, block_events, spins, wake_every);
}

} // namespace

int main(int argc, char **argv)
{
    check_all();
    benchmark::RegisterBenchmark("ring/hand_over", hand_over)
        ->ArgNames({"block", "spins", "wake"})
        ->ArgsProduct({{1, 64, 256}, {0, PARK_SPINS}, {1, 8}})
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("ring/epoch_refresh", refresh);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
