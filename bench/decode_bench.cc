// Decoding: every form's decoder over the same records, and beside them the bare libraries over the
// same bytes.
//
// Before anything is timed, each decoder must find every record, and the sum of all quantities must
// be the same in all forms.
#include <benchmark/benchmark.h>
#include <msgpack.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "workload.hh"

extern "C" {
#include "adapters/fast.h"
}

namespace
{

constexpr size_t window_bytes = 4 << 20; // what `ratel ingest` reads at a time

struct form {
    const char *name; // of ratel-gen's --form
    const decoder_class *decoder;
    slice usage;
};

form forms[] = {{"ndjson", &decoder_json, {}},
                {"json", &decoder_json, {}},
                {"msgpack", &decoder_msgpack, {}},
                {"csv", &decoder_csv, {}},
                {"xml", &decoder_xml, {}}};

struct sums {
    uint64_t records = 0;
    int128 quanta = 0;
};

// Decodes everything in windows, as the command does; `each` sees every block.
template <typename Each> void decode(const form &form, Each each)
{
    static record_block *block = new record_block;
    decoder *decoder;
    bench_ok(form.decoder->open(&decoder), nullptr, "open a decoder");
    char *data = const_cast<char *>(form.usage.data);
    for (size_t at = 0; at < form.usage.length;) {
        size_t rest = form.usage.length - at;
        size_t length = rest < window_bytes ? rest : window_bytes;
        size_t used = 0;
        bench_ok(form.decoder->decode(decoder, data + at, length, at, length == rest, block, &used),
                 nullptr, "decode");
        each(*block);
        at += used;
    }
    form.decoder->close(decoder);
}

sums sums_of(const form &form)
{
    sums sums;
    decode(form, [&](const record_block &block) {
        for (uint32_t i = 0; i < block.count; i++) {
            const record &record = block.records[i];
            int128 quanta = 0;
            bench_check(record.state == RECORD_DECODED, "every record decodes");
            bench_ok(decimal_parse(field_slice(&record, FIELD_RAWUSAGE), QUANTITY_SCALE, true,
                                   &quanta, nullptr),
                     nullptr, "rawusage is a number");
            sums.records++;
            sums.quanta += quanta;
        }
    });
    return sums;
}

void prepare()
{
    sums first;
    for (form &form : forms) {
        form.usage = bench_usage(form.name);
        uint64_t before = hash64(form.usage, 0);
        sums sums = sums_of(form);
        bench_check(hash64(form.usage, 0) == before,
                    "decoding leaves these bytes as they are, so they can be decoded again");
        bench_check(sums.records == bench_records(), "every form has every record");
        if (first.records == 0)
            first = sums;
        bench_check(sums.quanta == first.quanta, "every form has the same sum of quantities");
    }
}

void count(benchmark::State &state, const slice &usage)
{
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * usage.length));
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * bench_records()));
}

void decoder_of(benchmark::State &state, const form *form)
{
    uint64_t records = 0;
    for (auto _ : state)
        decode(*form, [&](const record_block &block) { records += block.count; });
    bench_check(records == state.iterations() * bench_records(), "every record was decoded");
    count(state, form->usage);
}

// ---- the fast JSON decoder and bare simdjson, over the same records in several orders

// NDJSON: as CloudStack orders records; in random order, so that layouts alternate; and with the
// members of each record in an order of their own, so that no layout helps.
struct text {
    const char *name;
    std::string bytes;
};

text texts[] = {{"cloudstack", {}}, {"random", {}}, {"shuffled", {}}};

std::vector<std::string> lines_of(const std::string &bytes)
{
    std::vector<std::string> lines;
    for (size_t at = 0; at < bytes.size();) {
        size_t end = bytes.find('\n', at);
        lines.push_back(bytes.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

// A record with its members in random order. No value of the generator holds a comma and a quote in
// a row, so members end there.
std::string shuffled(const std::string &line, std::mt19937_64 &random)
{
    std::vector<std::string> members;
    std::string inside = line.substr(1, line.size() - 2);
    for (size_t at = 0; at <= inside.size();) {
        size_t end = inside.find(",\"", at);
        if (end == std::string::npos)
            end = inside.size();
        members.push_back(inside.substr(at, end - at));
        at = end + 1;
    }
    std::shuffle(members.begin(), members.end(), random);
    std::string record;
    for (const std::string &member : members)
        record += (record.empty() ? "{" : ",") + member;
    return record + "}";
}

void prepare_texts()
{
    std::mt19937_64 random(20261001);
    texts[0].bytes.assign(forms[0].usage.data, forms[0].usage.length);
    std::vector<std::string> lines = lines_of(texts[0].bytes);
    std::shuffle(lines.begin(), lines.end(), random);
    for (const std::string &line : lines) {
        texts[1].bytes += line + "\n";
        texts[2].bytes += shuffled(line, random) + "\n";
    }
    for (text &text : texts)
        text.bytes.reserve(text.bytes.size() + simdjson::SIMDJSON_PADDING + DECODER_PADDING);
}

struct fast_counts {
    uint64_t records = 0;
    uint64_t plain = 0;
    int128 quanta = 0; // of the plain ones, where asked for
};

// One pass in windows. What is not plain is counted and left, as it goes to the reference decoder.
fast_counts fast_pass(fast_decoder *decoder, const std::string &bytes, bool sum)
{
    constexpr size_t window_max = 512 << 10;
    static flat_block *block = new flat_block;
    fast_counts counts;
    for (size_t start = 0; start < bytes.size();) {
        const char *window = bytes.data() + start;
        size_t length = std::min(window_max, bytes.size() - start);
        size_t at = 0;
        fast_stop stop;
        do {
            size_t used = 0;
            fast_json.decode(decoder, window, length, at, start + length == bytes.size(), block,
                             &used, &stop);
            at += used;
            counts.records += block->count;
            for (uint32_t i = 0; i < block->count; i++) {
                const flat_record &record = block->records[i];
                counts.plain += record.present != 0;
                if (!sum || record.present == 0)
                    continue;
                const flat_value &value = record.fields[FIELD_RAWUSAGE];
                int128 quanta = 0;
                bench_ok(decimal_parse(slice{window + value.offset, value.length}, QUANTITY_SCALE,
                                       true, &quanta, nullptr),
                         nullptr, "rawusage is a number");
                counts.quanta += quanta;
            }
            benchmark::DoNotOptimize(block->records[0].present);
        } while (stop == FAST_FULL);
        bench_check(stop == FAST_MORE && at > 0, "nothing here is strange");
        start += at;
    }
    return counts;
}

void check_fast()
{
    for (const text &text : texts) {
        fast_decoder *decoder;
        bench_ok(fast_json.open(&decoder), nullptr, "open the fast decoder");
        int128 first = fast_pass(decoder, text.bytes, true).quanta;
        fast_counts again = fast_pass(decoder, text.bytes, true); // by what was learnt
        bench_check(again.records == bench_records(), "every record is found");
        bench_check(again.plain > bench_records() / 100 * 97, "nearly every record is plain");
        bench_check(first == again.quanta, "a layout that is learnt changes no quantity");
        fast_json.close(decoder);
    }
}

void fast_decoder_of(benchmark::State &state, const text *text)
{
    fast_decoder *decoder;
    uint64_t records = 0;
    bench_ok(fast_json.open(&decoder), nullptr, "open the fast decoder");
    for (auto _ : state)
        records += fast_pass(decoder, text->bytes, false).records;
    fast_json.close(decoder);
    bench_check(records == state.iterations() * bench_records(), "every record was decoded");
    count(state, slice{text->bytes.data(), text->bytes.size()});
}

// simdjson on demand: every member of every record is met, its key and the start of its value, and
// no value is parsed.
uint64_t simdjson_pass(simdjson::ondemand::parser &parser, const std::string &bytes)
{
    uint64_t members = 0, records = 0;
    simdjson::ondemand::document_stream stream;
    bench_check(
        !parser.iterate_many(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size(), 4 << 20)
             .get(stream),
        "simdjson takes the stream");
    for (auto document : stream) {
        simdjson::ondemand::object object;
        bench_check(!document.get_object().get(object), "simdjson finds an object");
        for (auto field : object) {
            benchmark::DoNotOptimize(field.key().value_unsafe());
            benchmark::DoNotOptimize(field.value().raw_json_token());
            members++;
        }
        records++;
    }
    bench_check(members > 15 * records, "simdjson met every member");
    return records;
}

void simdjson_ondemand(benchmark::State &state, const text *text)
{
    simdjson::ondemand::parser parser;
    parser.threaded = false; // one core for everybody
    uint64_t records = 0;
    for (auto _ : state)
        records += simdjson_pass(parser, text->bytes);
    bench_check(records == state.iterations() * bench_records(), "simdjson met every record");
    count(state, slice{text->bytes.data(), text->bytes.size()});
}

// Of this thread, so that a pass that was interrupted does not count the others' time.
double cpu_seconds()
{
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The two in turns, pass by pass, so that a neighbour's load hits both; reports the ratio of the
// medians.
void fast_against_simdjson(benchmark::State &state, const text *text)
{
    fast_decoder *decoder;
    simdjson::ondemand::parser parser;
    parser.threaded = false;
    std::vector<double> fast, bare;
    bench_ok(fast_json.open(&decoder), nullptr, "open the fast decoder");
    (void)fast_pass(decoder, text->bytes, false);
    for (auto _ : state)
        for (int i = 0; i < 5; i++) {
            double start = cpu_seconds();
            (void)fast_pass(decoder, text->bytes, false);
            double middle = cpu_seconds();
            (void)simdjson_pass(parser, text->bytes);
            fast.push_back(middle - start);
            bare.push_back(cpu_seconds() - middle);
        }
    fast_json.close(decoder);
    std::sort(fast.begin(), fast.end());
    std::sort(bare.begin(), bare.end());
    double bytes = static_cast<double>(text->bytes.size());
    state.counters["fast_GBps"] = bytes / fast[fast.size() / 2] / 1e9;
    state.counters["simdjson_GBps"] = bytes / bare[bare.size() / 2] / 1e9;
    state.counters["ratio"] = bare[bare.size() / 2] / fast[fast.size() / 2];
}

// simdjson's tree: every value of every record is parsed.
void simdjson_tree(benchmark::State &state)
{
    const slice &usage = forms[0].usage;
    simdjson::padded_string text(usage.data, usage.length);
    simdjson::dom::parser parser;
    parser.threaded = false;
    uint64_t records = 0;
    for (auto _ : state) {
        simdjson::dom::document_stream stream;
        bench_check(!parser.parse_many(text, 4 << 20).get(stream), "simdjson takes the stream");
        for (auto document : stream) {
            simdjson::dom::object object;
            bench_check(!document.get(object), "simdjson finds an object");
            benchmark::DoNotOptimize(object);
            records++;
        }
    }
    bench_check(records == state.iterations() * bench_records(), "simdjson met every record");
    count(state, usage);
}

void msgpack_c(benchmark::State &state)
{
    const slice &usage = forms[2].usage;
    uint64_t records = 0;
    for (auto _ : state) {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        for (size_t at = 0; msgpack_unpack_next(&unpacked, usage.data, usage.length, &at) ==
                            MSGPACK_UNPACK_SUCCESS;) {
            benchmark::DoNotOptimize(unpacked.data);
            records++;
        }
        msgpack_unpacked_destroy(&unpacked);
    }
    bench_check(records == state.iterations() * bench_records(), "msgpack-c met every record");
    count(state, usage);
}

} // namespace

int main(int argc, char **argv)
{
    prepare();
    prepare_texts();
    check_fast();
    for (const form &form : forms)
        benchmark::RegisterBenchmark((std::string("decode/") + form.name).c_str(), decoder_of,
                                     &form)
            ->Unit(benchmark::kMillisecond);
    for (const text &text : texts) {
        std::string name = std::string("decode/ndjson-") + text.name;
        benchmark::RegisterBenchmark((name + "/fast").c_str(), fast_decoder_of, &text)
            ->Unit(benchmark::kMillisecond);
        benchmark::RegisterBenchmark((name + "/simdjson-ondemand-bare").c_str(), simdjson_ondemand,
                                     &text)
            ->Unit(benchmark::kMillisecond);
        benchmark::RegisterBenchmark((name + "/fast-against-simdjson").c_str(),
                                     fast_against_simdjson, &text)
            ->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark("decode/ndjson/simdjson-tree-bare", simdjson_tree)
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("decode/msgpack/msgpack-c-bare", msgpack_c)
        ->Unit(benchmark::kMillisecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
