// Rating: the amount of a quantity under each model, and the look-up of what a series costs.
//
// Before anything is timed, amounts worked out by hand must come out, and every look-up must find
// the row that was meant.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "workload.hh"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "engine/rate/linear_resolve.h"
}
#pragma GCC diagnostic pop

namespace
{

constexpr int128 gib = static_cast<int128>(1 << 30) * QUANTA_PER_UNIT;
constexpr size_t quantity_count = 1024;
constexpr size_t question_count = 1 << 15;

money euros(int64_t micro)
{
    return {static_cast<int128>(micro) * (PICO_PER_UNIT / 1000000)};
}

// splitmix64: the same numbers on each run.
uint64_t random_next(uint64_t &state)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// ---- amounts
// -----------------------------------------------------------------------------------------------------------

const rate_tier flat_price[] = {{TIER_OPEN, euros(70000), {0}}};
const rate_tier steps[] = {
    {static_cast<int128>(100) * QUANTA_PER_UNIT, euros(0), {0}},
    {static_cast<int128>(10240) * QUANTA_PER_UNIT, euros(90000), euros(5000000)},
    {TIER_OPEN, euros(70000), euros(11000000)}};
const rate_tier stairs[] = {{static_cast<int128>(100) * QUANTA_PER_UNIT, {0}, euros(1000000)},
                            {static_cast<int128>(10240) * QUANTA_PER_UNIT, {0}, euros(5000000)},
                            {TIER_OPEN, {0}, euros(11000000)}};

struct model {
    const char *name;
    rate_terms terms;
    int64_t gibs;     // a quantity
    int64_t expected; // its amount in micro-euros, by hand
};

const model models[] = {
    {"per_unit", {MODEL_PER_UNIT, gib, 0, flat_price, 1}, 150, 10500000},
    {"graduated", {MODEL_GRADUATED, gib, 0, steps, 3}, 150, 9500000},
    {"volume", {MODEL_VOLUME, gib, 0, steps, 3}, 150, 18500000},
    {"package",
     {MODEL_PACKAGE, gib, static_cast<int128>(250) * QUANTA_PER_UNIT, flat_price, 1},
     251,
     140000},
    {"stairstep", {MODEL_STAIRSTEP, gib, 0, stairs, 3}, 150, 5000000},
};

void check_models()
{
    for (const model &model : models) {
        money amount;
        rate_terms_check(&model.terms);
        bench_ok(rate_amount(&model.terms, {0}, {model.gibs * gib}, &amount), nullptr, model.name);
        bench_check(amount.pico == euros(model.expected).pico, model.name);
    }
}

void amount_of(benchmark::State &state, const model *model)
{
    uint64_t seed = 1;
    std::vector<quantity> quantities(quantity_count);
    for (quantity &quantity : quantities)
        quantity.quanta = static_cast<int128>(random_next(seed) % (20000ull << 30)) *
                          QUANTA_PER_UNIT; // up to 20,000 GiB, all tiers
    int128 sum = 0;
    for (auto _ : state)
        for (const quantity &quantity : quantities) {
            money amount;
            if (rate_amount(&model->terms, {0}, quantity, &amount) != STATUS_OK)
                bench_check(false, "no amount overflows");
            sum += amount.pico;
        }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * quantity_count));
}

// ---- look-ups
// ------------------------------------------------------------------------------------------------------------

std::string offering(uint64_t number)
{
    char text[64];
    snprintf(text, sizeof(text), "%08llx-3f9b-4a39-a3b7-2f4a9e2b7c11",
             static_cast<unsigned long long>(number));
    return text;
}

std::string account_id(uint64_t number)
{
    char text[64];
    snprintf(text, sizeof(text), "3f9b4a39-%04llx-4c11-a3b7-%012llx",
             static_cast<unsigned long long>(number >> 8 & 0xffff),
             static_cast<unsigned long long>(number));
    return text;
}

slice copy_of(arena *arena, const std::string &text)
{
    return arena_copy(arena, {text.data(), text.size()});
}

// A charge of vm.running with `rows` prices by offering, and `accounts` accounts: laid out by hand,
// since no document has 100,000 rows in a charge, and a million accounts as a document take longer
// to read than to measure.
snapshot *card_of(uint32_t rows, uint32_t accounts)
{
    auto *made = static_cast<snapshot *>(calloc(1, sizeof(snapshot)));
    bench_check(made, "memory for a snapshot");
    arena *arena = &made->arena;
    auto room = [arena](auto *type, size_t count) {
        return static_cast<decltype(type)>(arena_alloc(arena, count * sizeof(*type)));
    };
    auto *plans = room(static_cast<plan *>(nullptr), rows);
    auto *charge_rows = room(static_cast<charge_row *>(nullptr), rows);
    auto *where = room(static_cast<where_term *>(nullptr), rows);
    for (uint32_t i = 0; i < rows; i++) {
        where[i] = {SLICE("offering"), copy_of(arena, offering(i))};
        charge_rows[i].where = &where[i];
        charge_rows[i].where_count = 1;
        charge_rows[i].plan_first = i;
        charge_rows[i].plan_count = 1;
        plans[i].row = i;
        plans[i].tiers = flat_price;
        plans[i].tier_count = 1;
    }
    auto *charge = room(static_cast<struct charge *>(nullptr), 1);
    charge->code = SLICE("vm");
    charge->meter_name = SLICE("vm.running");
    charge->meter = meter_by_usage_type(1);
    charge->rows = charge_rows;
    charge->row_count = rows;
    auto *charges = room(static_cast<uint32_t *>(nullptr), 1);
    auto *version = room(static_cast<struct version *>(nullptr), 1);
    version->from = {1767225600}; // 2026-01-01T00:00:00Z
    version->to = INSTANT_MAX;
    version->charges = charges;
    version->charge_count = 1;
    auto *family = room(static_cast<card_family *>(nullptr), 1);
    family->name = SLICE("card");
    family->version_count = 1;
    auto *catalogue = room(static_cast<struct catalogue *>(nullptr), 1);
    auto *account = room(static_cast<struct account *>(nullptr), accounts);
    auto *payers = room(static_cast<payer_entry *>(nullptr), accounts);
    auto *zones = room(static_cast<zone **>(nullptr), 1);
    bench_ok(zone_load(SLICE("Europe/Berlin"), &zones[0]), nullptr, "load a zone");
    for (uint32_t i = 0; i < accounts; i++) {
        account[i].id = copy_of(arena, account_id(i));
        account[i].zone = zones[0];
        payers[i] = {account[i].id, i};
    }
    std::sort(payers, payers + accounts, [](const payer_entry &a, const payer_entry &b) {
        return slice_compare(a.id, b.id) < 0;
    });
    made->plans = plans;
    made->plan_count = rows;
    made->charges = charge;
    made->charge_count = 1;
    made->versions = version;
    made->version_count = 1;
    made->families = family;
    made->family_count = 1;
    made->catalogues = catalogue;
    made->catalogue_count = 1;
    made->accounts = account;
    made->account_count = accounts;
    made->payers = payers;
    made->payer_count = accounts;
    made->zones = zones;
    made->zone_count = 1;
    snapshot_index_build(made);
    return made;
}

struct question {
    std::string account, offering;
    where_term attributes[3];
    uint8_t positions[ATTRIBUTE_CODES];
    series_view view;
};

// Of random accounts and offerings; more than the caches hold where there are many.
std::vector<question> questions_of(uint32_t rows, uint32_t accounts)
{
    std::vector<question> questions(question_count);
    uint64_t seed = 2;
    for (question &question : questions) {
        question.account = account_id(random_next(seed) % accounts);
        question.offering = offering(random_next(seed) % rows);
        question.attributes[0] = {SLICE("cpunumber"), SLICE("4")};
        question.attributes[1] = {SLICE("offering"),
                                  {question.offering.data(), question.offering.size()}};
        question.attributes[2] = {SLICE("zone"), SLICE("z1")};
        memset(question.positions, 0, sizeof(question.positions));
        for (uint8_t i = 0; i < 3; i++)
            question.positions[attribute_code(question.attributes[i].name)] =
                static_cast<uint8_t>(i + 1);
        question.view = {{question.account.data(), question.account.size()},
                         SLICE("vm.running"),
                         meter_by_usage_type(1),
                         question.attributes,
                         3,
                         question.positions};
    }
    return questions;
}

using resolver = enum status(const snapshot *, const series_view *, instant, resolution *);

const instant october = {1790812800}; // 2026-10-01T00:00:00Z

void resolve(benchmark::State &state, resolver *resolve)
{
    auto rows = static_cast<uint32_t>(state.range(0));
    auto accounts = static_cast<uint32_t>(state.range(1));
    snapshot *snapshot = card_of(rows, accounts);
    std::vector<question> questions = questions_of(rows, accounts);
    resolution found;
    for (uint32_t i = 0; i < 256; i++) {
        const question &question = questions[i];
        bench_ok(resolve(snapshot, &question.view, october, &found), nullptr, "resolve");
        bench_check(found.plan_count == 1, "one price is found");
        slice where = snapshot->charges[0].rows[found.plans[0]].where[0].value;
        bench_check(slice_equal(where, question.attributes[1].value), "it is the offering's");
        bench_check(slice_equal(snapshot->accounts[found.account].id, question.view.payer_id),
                    "it is the account's");
    }
    uint64_t plans = 0, asked = 0;
    for (auto _ : state) {
        const question *question = &questions[asked++ % question_count];
        if (resolve(snapshot, &question->view, october, &found) != STATUS_OK)
            bench_check(false, "resolve");
        plans += found.plan_count;
    }
    bench_check(plans == asked, "each found its price");
    state.SetItemsProcessed(static_cast<int64_t>(plans));
    snapshot_free(snapshot);
}

// ---- definitions
// ---------------------------------------------------------------------------------------------------------

struct workload {
    std::vector<slice> definitions; // of distinct series
    struct snapshot *snapshot;
};

// Series of ratel-gen's cloud, under a card as a provider writes it: offerings have prices, memory
// and processors cost extra.
workload *workload_make()
{
    auto *work = new workload;
    slice documents[] = {
        SLICE(
            "kind: catalogue\nname: public\nratecard: bench\n---\n"
            "kind: ratecard\nname: bench\ncurrency: EUR\n"
            "effective_from: 2026-01-01T00:00:00Z\ncharges:\n"
            "  - {code: cpu, meter: vm.running, unit: hour, times: cpunumber, price: \"0.01\"}\n"
            "  - {code: ram, meter: vm.running, unit: GiB-hour, times: memory, price: \"0.001\"}\n"
            "  - code: vm\n    meter: vm.running\n    unit: hour\n    prices:\n"
            "      - {where: {offering: aa, zone: b}, price: \"1\"}\n"
            "      - {where: {offering: a}, price: \"2\"}\n"
            "      - {where: {offering: b}, price: \"3\"}\n"
            "      - price: \"4\"\n"
            "  - {code: volume, meter: volume, unit: GiB-month, times: size, price: \"0.1\"}\n"
            "  - {code: ip, meter: ip.address, unit: hour, price: \"0.01\"}\n"),
        bench_accounts()};
    work->snapshot = bench_snapshot(documents, 2);
    bench_blocks blocks = bench_decode(&decoder_msgpack, bench_usage("msgpack"));
    uint64_t count;
    usage *usages = bench_usages(&blocks, 1, &count);
    for (uint64_t i = 0; i < count / BENCH_WINDOWS; i++)
        work->definitions.push_back(usages[i].definition);
    return work;
}

workload *work()
{
    static workload *made = workload_make();
    return made;
}

void unpack(benchmark::State &state)
{
    bench_check(!work()->definitions.empty(), "there are definitions");
    uint64_t attributes = 0, asked = 0;
    static definition definition;
    for (auto _ : state) {
        slice packed = work()->definitions[asked++ % work()->definitions.size()];
        if (definition_unpack(packed, &definition) != STATUS_OK)
            bench_check(false, "a definition unpacks");
        attributes += definition.attribute_count;
    }
    benchmark::DoNotOptimize(attributes);
    state.SetItemsProcessed(static_cast<int64_t>(asked));
}

void peek(benchmark::State &state)
{
    bench_check(!work()->definitions.empty(), "there are definitions");
    uint64_t attributes = 0, asked = 0;
    static definition_key key;
    for (auto _ : state) {
        slice packed = work()->definitions[asked++ % work()->definitions.size()];
        if (definition_peek(packed, &key) != STATUS_OK)
            bench_check(false, "a definition unpacks");
        attributes += key.view.attribute_count;
    }
    benchmark::DoNotOptimize(attributes);
    state.SetItemsProcessed(static_cast<int64_t>(asked));
}

void unpack_and_resolve(benchmark::State &state)
{
    bench_check(!work()->definitions.empty(), "there are definitions");
    uint64_t plans = 0, asked = 0;
    static definition definition;
    resolution found;
    for (auto _ : state) {
        slice packed = work()->definitions[asked++ % work()->definitions.size()];
        if (definition_unpack(packed, &definition) != STATUS_OK)
            bench_check(false, "a definition unpacks");
        series_view view = definition_view(&definition);
        if (snapshot_resolve(work()->snapshot, &view, october, &found) != STATUS_OK)
            bench_check(false, "a definition resolves");
        plans += found.plan_count;
    }
    benchmark::DoNotOptimize(plans);
    state.SetItemsProcessed(static_cast<int64_t>(asked));
}

// What re-rating does with each series.
void peek_and_resolve(benchmark::State &state)
{
    uint64_t plans = 0, asked = 0;
    static definition_key key;
    static definition whole;
    resolution found, expected;
    for (slice packed : work()->definitions) {
        bench_ok(definition_unpack(packed, &whole), nullptr, "unpack");
        bench_ok(definition_peek(packed, &key), nullptr, "peek");
        series_view view = definition_view(&whole);
        bench_ok(linear_resolve(work()->snapshot, &view, october, &expected), nullptr, "linear");
        bench_ok(snapshot_resolve(work()->snapshot, &key.view, october, &found), nullptr,
                 "resolve");
        bench_check(found.account != INDEX_NONE && found.account == expected.account &&
                        found.plan_count == expected.plan_count &&
                        memcmp(found.plans, expected.plans,
                               found.plan_count * sizeof(found.plans[0])) == 0 &&
                        memcmp(found.multipliers, expected.multipliers,
                               found.plan_count * sizeof(found.multipliers[0])) == 0,
                    "both find the same");
        plans += found.plan_count;
    }
    bench_check(plans > 0, "series have prices");
    for (auto _ : state) {
        slice packed = work()->definitions[asked++ % work()->definitions.size()];
        if (definition_peek(packed, &key) != STATUS_OK ||
            snapshot_resolve(work()->snapshot, &key.view, october, &found) != STATUS_OK)
            bench_check(false, "a definition resolves");
        plans += found.plan_count;
    }
    benchmark::DoNotOptimize(plans);
    state.SetItemsProcessed(static_cast<int64_t>(asked));
}

} // namespace

int main(int argc, char **argv)
{
    check_models();
    for (const model &model : models)
        benchmark::RegisterBenchmark((std::string("rate/amount/") + model.name).c_str(), amount_of,
                                     &model)
            ->Unit(benchmark::kMicrosecond);
    for (int64_t rows : {10, 1000, 10000, 100000}) {
        benchmark::RegisterBenchmark("rate/resolve/linear", resolve, linear_resolve)
            ->Args({rows, 1000});
        for (int64_t accounts : {1000, 10000, 1000000})
            benchmark::RegisterBenchmark("rate/resolve/indexed", resolve, snapshot_resolve)
                ->Args({rows, accounts});
    }
    benchmark::RegisterBenchmark("rate/definition/unpack", unpack);
    benchmark::RegisterBenchmark("rate/definition/peek", peek);
    benchmark::RegisterBenchmark("rate/definition/unpack_and_resolve", unpack_and_resolve);
    benchmark::RegisterBenchmark("rate/definition/peek_and_resolve", peek_and_resolve);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
