// Rating: the amount of a quantity under each model, and the look-up of what a series costs.
//
// Before anything is timed, amounts worked out by hand must come out, and every look-up must find
// the row that was meant.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <vector>

#include "workload.hh"

namespace
{

constexpr int128 gib = static_cast<int128>(1 << 30) * QUANTA_PER_UNIT;
constexpr size_t quantity_count = 1024;

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

// A card with `rows` prices of one charge, by offering, and 1,000 accounts.
snapshot *card_of(int64_t rows)
{
    std::string text = "kind: catalogue\nname: public\nratecard: card\n---\nkind: ratecard\nname: "
                       "card\ncurrency: EUR\n"
                       "effective_from: 2026-01-01T00:00:00Z\ncharges:\n  - code: vm\n    meter: "
                       "vm.running\n    unit: hour\n    prices:\n";
    for (int64_t i = 0; i < rows; i++)
        text += "      - {where: {offering: " + offering(static_cast<uint64_t>(i)) +
                "}, price: \"0." + std::to_string(1000000 + i) + "\"}\n";
    text += "---\nkind: accounts\naccounts:\n";
    for (int i = 0; i < 1000; i++)
        text += "  - {id: account-" + std::to_string(i) +
                ", name: a, currency: EUR, catalogue: public}\n";
    slice document = {text.data(), text.size()};
    return bench_snapshot(&document, 1);
}

struct question {
    std::string account, offering;
    where_term attributes[3];
    series_view view;
};

std::vector<question> questions_of(int64_t rows)
{
    std::vector<question> questions(quantity_count);
    uint64_t seed = 2;
    for (question &question : questions) {
        question.account = "account-" + std::to_string(random_next(seed) % 1000);
        question.offering = offering(random_next(seed) % static_cast<uint64_t>(rows));
        question.attributes[0] = {SLICE("cpunumber"), SLICE("4")};
        question.attributes[1] = {SLICE("offering"),
                                  {question.offering.data(), question.offering.size()}};
        question.attributes[2] = {SLICE("zone"), SLICE("z1")};
        question.view = {{question.account.data(), question.account.size()},
                         SLICE("vm.running"),
                         meter_by_usage_type(1),
                         question.attributes,
                         3};
    }
    return questions;
}

void resolve(benchmark::State &state)
{
    snapshot *snapshot = card_of(state.range(0));
    std::vector<question> questions = questions_of(state.range(0));
    instant at = {1790812800}; // 2026-10-01T00:00:00Z
    resolution found;
    for (const question &question : questions) {
        bench_ok(snapshot_resolve(snapshot, &question.view, at, &found), nullptr, "resolve");
        bench_check(found.plan_count == 1, "one price is found");
        const plan &plan = snapshot->plans[found.plans[0]];
        slice where = snapshot->charges[plan.charge].rows[plan.row].where[0].value;
        bench_check(slice_equal(where, question.attributes[1].value), "it is the offering's");
    }
    uint64_t plans = 0;
    for (auto _ : state)
        for (const question &question : questions) {
            if (snapshot_resolve(snapshot, &question.view, at, &found) != STATUS_OK)
                bench_check(false, "resolve");
            plans += found.plan_count;
        }
    bench_check(plans == state.iterations() * quantity_count, "each found its price");
    state.SetItemsProcessed(static_cast<int64_t>(plans));
    snapshot_free(snapshot);
}

} // namespace

int main(int argc, char **argv)
{
    check_models();
    for (const model &model : models)
        benchmark::RegisterBenchmark((std::string("rate/amount/") + model.name).c_str(), amount_of,
                                     &model)
            ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark("rate/resolve", resolve)
        ->Arg(10)
        ->Arg(1000)
        ->Arg(10000)
        ->Unit(benchmark::kMicrosecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
