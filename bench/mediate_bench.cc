// Mediation: from a decoded record to identity, window and quantity. The fast path over flat
// records beside normalise() over the reference decoder's records of the same bytes, and parts of
// the identity hash alone.
//
// "hot" goes over the first records again and again, which lie in the cache as records do that were
// decoded just before; "all" over the whole workload. "told" are the records whose ids stand in
// their descriptions. Before anything is timed, both ways must give the same series, payer, window
// and quantity for every record.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "workload.hh"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "mediate/flat_usage.h"
#include "mediate/normalise.h"
}
#pragma GCC diagnostic pop

namespace
{

constexpr uint64_t seed = 42;
constexpr size_t hot_records = 1024;

slice usage_bytes; // the raw records, which the flat ones point into
std::vector<flat_block *> all_flat, hot_flat, told_flat;
std::vector<record_block *> all_records, hot_block, told_records;

template <typename Block> Block *room_in(std::vector<Block *> &blocks, uint32_t records_max)
{
    if (blocks.empty() || blocks.back()->count == records_max) {
        void *memory = calloc(1, sizeof(Block));
        bench_check(memory, "memory for the workload");
        blocks.push_back(static_cast<Block *>(memory));
    }
    return blocks.back();
}

bool in_window(const field_value &value)
{
    ptrdiff_t offset = value.data - usage_bytes.data;
    return offset >= 0 && static_cast<size_t>(offset) < usage_bytes.length;
}

// Texts that the decoder had to unescape die with its next block.
void own_texts(record &record)
{
    for (field_value &value : record.fields) {
        if (value.kind != VALUE_TEXT || in_window(value))
            continue;
        char *copy = static_cast<char *>(malloc(value.length + 1));
        bench_check(copy, "memory for the workload");
        memcpy(copy, value.data, value.length);
        value.data = copy;
    }
}

flat_record flatten(const record &record)
{
    flat_record flat{};
    for (int field = 0; field < FIELD_COUNT; field++) {
        const field_value &value = record.fields[field];
        if (value.kind == VALUE_ABSENT || !(FLAT_FIELDS >> field & 1))
            continue;
        uint64_t offset = static_cast<uint64_t>(value.data - usage_bytes.data);
        if (value.kind == VALUE_BOOLEAN) // the decoder's own words: they go into the digits
            offset = usage_bytes.length + (value.length == 4 ? 0 : 8);
        else if (!in_window(value) && field == FIELD_DESCRIPTION)
            continue; // checked below: the series is the same without it
        else
            bench_check(in_window(value) && offset <= UINT32_MAX, "values stand in the window");
        flat.fields[field] = {static_cast<uint32_t>(offset), static_cast<uint16_t>(value.length),
                              static_cast<uint8_t>(value.kind), 0};
        flat.present |= static_cast<uint64_t>(1) << field;
    }
    return flat;
}

void keep(std::vector<record_block *> &records, std::vector<flat_block *> &blocks,
          const record &record, const flat_record &flat)
{
    record_block *to = room_in(records, RECORD_BLOCK_RECORDS);
    to->records[to->count++] = record;
    flat_block *flat_to = room_in(blocks, FLAT_RECORDS);
    flat_to->records[flat_to->count++] = flat;
    memcpy(flat_to->digits, "true    false   ", 16);
}

void check_same(normaliser &law, flat_normaliser &fast, const record_block &block,
                const record &record, const flat_block &flat, const flat_record &flat_record)
{
    usage by_law;
    struct flat_usage quick; // the function has the same name
    normalise(&law, &block, &record, &by_law);
    uint8_t verdict;
    flat_usage(&fast, usage_bytes.data, usage_bytes.length, &flat,
               static_cast<uint32_t>(&flat_record - flat.records), 1, &quick, &verdict);
    bench_check(verdict == FLAT_EVENT && by_law.verdict == VERDICT_EVENT, "every record is plain");
    int128 quanta = static_cast<int128>(static_cast<uint128>(quick.quanta_high) << 64) |
                    static_cast<int128>(quick.quanta_low);
    bench_check(hash128_equal(by_law.series_hash, quick.series) &&
                    by_law.payer_hash == quick.payer_hash && by_law.start.seconds == quick.start &&
                    by_law.end.seconds - by_law.start.seconds == quick.length &&
                    by_law.quantity.quanta == quanta,
                "the fast path gives what the law gives");
}

void prepare()
{
    usage_bytes = bench_usage("ndjson");
    static record_block *block = new record_block;
    decoder *decoder;
    bench_ok(decoder_json.open(&decoder), nullptr, "open a decoder");
    char *data = const_cast<char *>(usage_bytes.data);
    uint64_t count = 0;
    for (size_t at = 0, used = 0; at < usage_bytes.length; at += used) {
        bench_ok(decoder_json.decode(decoder, data + at, usage_bytes.length - at, at, true, block,
                                     &used),
                 nullptr, "decode");
        for (uint32_t i = 0; i < block->count; i++, count++) {
            record &record = block->records[i];
            own_texts(record);
            flat_record flat = flatten(record);
            keep(all_records, all_flat, record, flat);
            if (count < hot_records)
                keep(hot_block, hot_flat, record, flat);
            if (!record.fields[FIELD_USAGEID].length &&
                !record.fields[FIELD_VIRTUALMACHINEID].length &&
                (told_records.size() < 4 || told_records.back()->count < RECORD_BLOCK_RECORDS))
                keep(told_records, told_flat, record, flat);
        }
    }
    decoder_json.close(decoder);
    bench_check(count == bench_records() && !told_flat.empty(), "every record is there");

    normaliser law;
    static flat_normaliser fast;
    normaliser_init(&law, SLICE("bench"), seed);
    flat_normaliser_init(&fast, SLICE("bench"), seed);
    for (uint64_t i = 0; i < count; i++) {
        const record_block &from = *all_records[i / RECORD_BLOCK_RECORDS];
        const flat_block &flat = *all_flat[i / FLAT_RECORDS];
        check_same(law, fast, from, from.records[i % RECORD_BLOCK_RECORDS], flat,
                   flat.records[i % FLAT_RECORDS]);
    }
    normaliser_fini(&law);
}

void fast_path(benchmark::State &state, const std::vector<flat_block *> *blocks)
{
    static flat_normaliser fast;
    flat_normaliser_init(&fast, SLICE("bench"), seed);
    int64_t records = 0;
    for (auto _ : state)
        for (const flat_block *block : *blocks) {
            struct flat_usage usages[FLAT_RECORDS];
            uint8_t verdicts[FLAT_RECORDS];
            flat_usage(&fast, usage_bytes.data, usage_bytes.length, block, 0, block->count, usages,
                       verdicts);
            benchmark::DoNotOptimize(usages);
            records += block->count;
        }
    state.SetItemsProcessed(records);
}

void by_law(benchmark::State &state, const std::vector<record_block *> *blocks)
{
    static normaliser law;
    normaliser_init(&law, SLICE("bench"), seed);
    int64_t records = 0;
    for (auto _ : state)
        for (const record_block *block : *blocks) {
            for (uint32_t i = 0; i < block->count; i++) {
                struct usage usage;
                normalise(&law, block, &block->records[i], &usage);
                benchmark::DoNotOptimize(usage);
            }
            records += block->count;
        }
    normaliser_fini(&law);
    state.SetItemsProcessed(records);
}

// Nine UUIDs and five small integers: what a machine's record has at most.
void identity_of_a_machine(benchmark::State &state)
{
    static identity_keys keys;
    static const char uuid[] = "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59";
    identity_keys_init(&keys, seed);
    int64_t hashes = 0;
    for (auto _ : state) {
        identity identity{};
        const char *at = uuid;
        benchmark::DoNotOptimize(at);
        for (unsigned part = 0; part < 9; part++)
            identity_add_uuid(&identity, &keys, 8 + part, at);
        for (unsigned part = 0; part < 5; part++)
            identity_add_short(&identity, &keys, 20 + part, identity_word(at) & 0xffffffff, 4);
        struct hash128 hash = identity_hash(&identity, &keys);
        benchmark::DoNotOptimize(hash);
        hashes++;
    }
    state.SetItemsProcessed(hashes);
}

void identity_of_a_uuid(benchmark::State &state)
{
    static identity_keys keys;
    static const char uuid[] = "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59";
    identity_keys_init(&keys, seed);
    identity identity{};
    int64_t parts = 0;
    for (auto _ : state) {
        const char *at = uuid;
        benchmark::DoNotOptimize(at);
        identity_add_uuid(&identity, &keys, 8, at);
        parts++;
    }
    benchmark::DoNotOptimize(identity);
    state.SetItemsProcessed(parts);
}

} // namespace

int main(int argc, char **argv)
{
    prepare();
    auto add = [](const char *name, auto function, auto... arguments) {
        benchmark::RegisterBenchmark(name, function, arguments...);
    };
    add("mediate/law/hot", by_law, &hot_block);
    add("mediate/fast/hot", fast_path, &hot_flat);
    add("mediate/law/all", by_law, &all_records);
    add("mediate/fast/all", fast_path, &all_flat);
    add("mediate/law/told", by_law, &told_records);
    add("mediate/fast/told", fast_path, &told_flat);
    add("identity/uuid", identity_of_a_uuid);
    add("identity/machine", identity_of_a_machine);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
