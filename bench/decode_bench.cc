// Decoding: every form's decoder over the same records, and beside them the bare libraries over the
// same bytes.
//
// Before anything is timed, each decoder must find every record, and the sum of all quantities must
// be the same in all forms.
#include <benchmark/benchmark.h>
#include <msgpack.h>
#include <simdjson.h>

#include <cstdlib>

#include "workload.hh"

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

// simdjson on demand: every member of every record is met, its key and the start of its value, and
// no value is parsed.
void simdjson_ondemand(benchmark::State &state)
{
    const slice &usage = forms[0].usage;
    simdjson::padded_string text(usage.data, usage.length);
    simdjson::ondemand::parser parser;
    parser.threaded = false; // one core for everybody
    uint64_t members = 0, records = 0;
    for (auto _ : state) {
        simdjson::ondemand::document_stream stream;
        bench_check(!parser.iterate_many(text, 4 << 20).get(stream), "simdjson takes the stream");
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
    }
    bench_check(records == state.iterations() * bench_records() && members > 15 * records,
                "simdjson met every record");
    count(state, usage);
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
    for (const form &form : forms)
        benchmark::RegisterBenchmark((std::string("decode/") + form.name).c_str(), decoder_of,
                                     &form)
            ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("decode/ndjson/simdjson-ondemand-bare", simdjson_ondemand)
        ->Unit(benchmark::kMillisecond);
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
