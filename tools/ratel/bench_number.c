/* The numbers of `ratel bench`, their ratios, and how they are told. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "ratel/bench.h"

/* Each is the quotient of two numbers' medians, where both are there. */
struct ratio {
    const char *name, *over, *under;
    double target;
    bool at_most;
};

static const struct ratio ratios[] = {
    {"msgpack_to_msgpackc", "msgpack_records_per_second", "msgpackc_records_per_second", 3.0,
     false},
    {"json_to_simdjson", "json_bytes_per_second", "simdjson_bytes_per_second", 2.0, false},
    {"json_to_simdjson_values", "json_bytes_per_second", "simdjson_values_bytes_per_second", 0,
     false},
    {"json_to_simdjson_members", "json_bytes_per_second", "simdjson_members_bytes_per_second", 0,
     false},
    {"changing_to_simdjson", "changing_bytes_per_second", "simdjson_bytes_per_second", 1.0, false},
    {"rerate_to_msgpackc", "rerate_events_per_second_core", "msgpackc_records_per_second", 15.0,
     false},
    {"recover_to_msgpackc", "recover_events_per_second", "msgpackc_records_per_second", 5.0, false},
    {"json_two_cores_to_one", "json_records_per_second", "json_one_core_records_per_second", 1.8,
     false},
    {"msgpack_two_cores_to_one", "msgpack_records_per_second",
     "msgpack_one_core_records_per_second", 1.8, false},
    {"worst_json_to_canonical", "worst_json_records_per_second", "json_records_per_second", 0.5,
     false},
    {"worst_msgpack_to_canonical", "worst_msgpack_records_per_second", "msgpack_records_per_second",
     0.5, false},
    {"long_run_last_to_first", "long_run_last_ns_per_event", "long_run_first_ns_per_event", 1.2,
     true},
};

/* Limits of numbers that are no ratios. */
static const struct {
    const char *name;
    double most;
} limits[] = {
    {"p99_durable_ms", 5},           {"bytes_per_series", 160},
    {"journal_bytes_per_event", 48}, {"system_calls_per_million", 1000},
    {"allocations_per_million", 0},  {"lmdb_calls_per_million", 0},
    {"worst_start_seconds", 2},
};

#define RATIO_COUNT (sizeof(ratios) / sizeof(ratios[0]))
#define LIMIT_COUNT (sizeof(limits) / sizeof(limits[0]))

void bench_add(struct bench_numbers *numbers, const char *name, const char *unit, double value)
{
    struct bench_number *number = NULL;
    if (!isfinite(value))
        return; /* over before the clock ticked: an input for a test */
    for (uint32_t i = 0; i < numbers->count; i++)
        if (strcmp(numbers->items[i].name, name) == 0)
            number = &numbers->items[i];
    if (!number) {
        assert(numbers->count < BENCH_NUMBERS_MAX);
        number = &numbers->items[numbers->count++];
        snprintf(number->name, sizeof(number->name), "%s", name);
        number->unit = unit;
    }
    if (number->count < BENCH_SAMPLES_MAX)
        number->samples[number->count++] = value;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Lowest, median, highest. */
static void spread(const struct bench_number *number, double ret[3])
{
    double sorted[BENCH_SAMPLES_MAX];
    memcpy(sorted, number->samples, number->count * sizeof(*sorted));
    qsort(sorted, number->count, sizeof(*sorted), compare_doubles);
    ret[0] = sorted[0];
    ret[1] = number->count % 2 ? sorted[number->count / 2]
                               : (sorted[number->count / 2 - 1] + sorted[number->count / 2]) / 2;
    ret[2] = sorted[number->count - 1];
}

bool bench_median(const struct bench_numbers *numbers, const char *name, double *ret)
{
    for (uint32_t i = 0; i < numbers->count; i++) {
        double of[3];
        if (strcmp(numbers->items[i].name, name) != 0)
            continue;
        spread(&numbers->items[i], of);
        *ret = of[1];
        return true;
    }
    return false;
}

static bool ratio_of(const struct bench_numbers *numbers, const struct ratio *ratio, double *ret)
{
    double over, under;
    if (!bench_median(numbers, ratio->over, &over) ||
        !bench_median(numbers, ratio->under, &under) || under <= 0)
        return false;
    *ret = over / under;
    return true;
}

/* Enough digits for a statistic and no more. */
static const char *text_of(double value, char buffer[32])
{
    snprintf(buffer, 32, value >= 1000 ? "%.0f" : value >= 10 ? "%.2f" : "%.4f", value);
    return buffer;
}

static void read_machine(char *ret, size_t size)
{
    char line[256];
    snprintf(ret, size, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(ret, size, "%s", colon + 2);
        break;
    }
    if (file)
        fclose(file);
    size_t length = strlen(ret);
    snprintf(ret + length, size - length, ", %ld processors, %ld GiB",
             sysconf(_SC_NPROCESSORS_ONLN),
             (long)((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30)));
}

static const char build_text[] = "ratel " RATEL_VERSION ", "
#ifdef __clang__
                                 "clang " __clang_version__
#else
                                 "gcc " __VERSION__
#endif
#ifdef __OPTIMIZE__
                                 ", optimised"
#else
                                 ", not optimised"
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
                                 ", with sanitizers"
#endif
    ;

/* ---- JSON
 * --------------------------------------------------------------------------------------------------------
 */

static void json_double(struct json *json, const char *key, double value)
{
    char digits[32];
    json_key(json, key);
    json_number(json, slice_string(text_of(value, digits)));
}

static void json_ratios(struct json *json, const struct bench_numbers *numbers)
{
    json_key(json, "ratios");
    json_object(json);
    for (size_t i = 0; i < RATIO_COUNT; i++) {
        double value;
        if (ratio_of(numbers, &ratios[i], &value))
            json_double(json, ratios[i].name, value);
    }
    json_object_end(json);
    json_key(json, "targets");
    json_object(json);
    for (size_t i = 0; i < RATIO_COUNT; i++)
        if (ratios[i].target > 0)
            json_double(json, ratios[i].name, ratios[i].target);
    for (size_t i = 0; i < LIMIT_COUNT; i++)
        json_double(json, limits[i].name, limits[i].most);
    json_object_end(json);
}

static void report_json(struct bench *bench, const char *machine)
{
    const struct bench_options *options = &bench->options;
    const struct bench_numbers *numbers = &bench->numbers;
    struct json json;
    json_init(&json, bench->context->out, true);
    json_object(&json);
    for (uint32_t i = 0; i < numbers->count; i++) {
        double of[3];
        spread(&numbers->items[i], of);
        json_double(&json, numbers->items[i].name, of[1]);
    }
    json_ratios(&json, numbers);
    json_key(&json, "spread");
    json_object(&json);
    for (uint32_t i = 0; i < numbers->count; i++) {
        double of[3];
        char digits[32];
        spread(&numbers->items[i], of);
        json_key(&json, numbers->items[i].name);
        json_array(&json);
        json_number(&json, slice_string(text_of(of[0], digits)));
        json_number(&json, slice_string(text_of(of[2], digits)));
        json_array_end(&json);
    }
    json_object_end(&json);
    json_key_integer(&json, "series", (int64_t)options->series);
    json_key_integer(&json, "accounts", (int64_t)options->accounts);
    json_key_integer(&json, "days", (int64_t)options->days);
    json_key_integer(&json, "rounds", (int64_t)options->rounds);
    json_key_integer(&json, "lanes", options->lanes);
    json_key_integer(&json, "shards", options->shards);
    json_key_integer(&json, "cores", options->cores);
    json_key_integer(&json, "checks_passed", (int64_t)bench->checks);
    json_key_string(&json, "machine", machine);
    json_key_integer(&json, "seed", (int64_t)options->seed);
    json_key_string(&json, "build", build_text);
    json_object_end(&json);
}

/* ---- tables
 * ------------------------------------------------------------------------------------------------------
 */

static const char *limit_of(const char *name, char buffer[40])
{
    char digits[32];
    buffer[0] = '\0';
    for (size_t i = 0; i < LIMIT_COUNT; i++)
        if (strcmp(limits[i].name, name) == 0)
            snprintf(buffer, 40, "at most %s", text_of(limits[i].most, digits));
    return buffer;
}

static void report_table(struct bench *bench, const char *machine)
{
    static const struct column columns[] = {{"number", false}, {"median", true}, {"lowest", true},
                                            {"highest", true}, {"unit", false},  {"target", false}};
    const struct bench_numbers *numbers = &bench->numbers;
    struct context *context = bench->context;
    struct table table;
    char digits[32], target[40];
    table_begin(&table, context->out, context->output, context->colour, columns, 6);
    for (uint32_t i = 0; i < numbers->count; i++) {
        double of[3];
        spread(&numbers->items[i], of);
        table_string(&table, numbers->items[i].name);
        table_string(&table, text_of(of[1], digits));
        table_string(&table, text_of(of[0], digits));
        table_string(&table, text_of(of[2], digits));
        table_string(&table, numbers->items[i].unit);
        table_string(&table, limit_of(numbers->items[i].name, target));
    }
    for (size_t i = 0; i < RATIO_COUNT; i++) {
        double value;
        if (!ratio_of(numbers, &ratios[i], &value))
            continue;
        table_string(&table, ratios[i].name);
        table_string(&table, text_of(value, digits));
        table_string(&table, "");
        table_string(&table, "");
        table_string(&table, "ratio of medians");
        snprintf(target, sizeof(target), "at %s %.2f", ratios[i].at_most ? "most" : "least",
                 ratios[i].target);
        table_string(&table, ratios[i].target > 0 ? target : "");
    }
    table_end(&table);
    if (context->output != OUTPUT_TABLE)
        return;
    const struct bench_options *options = &bench->options;
    fprintf(context->out,
            "\nmachine: %s\nbuild: %s\nseed %llu, %llu series, %llu accounts, %llu days, %llu "
            "rounds; %u lanes, %u shards\n%llu checks passed: counts, every quantity against the "
            "generator's truth, spend, journals\n",
            machine, build_text, (unsigned long long)options->seed,
            (unsigned long long)options->series, (unsigned long long)options->accounts,
            (unsigned long long)options->days, (unsigned long long)options->rounds, options->lanes,
            options->shards, (unsigned long long)bench->checks);
}

void bench_report(struct bench *bench)
{
    char machine[512];
    read_machine(machine, sizeof(machine));
    if (bench->context->output == OUTPUT_JSON)
        report_json(bench, machine);
    else
        report_table(bench, machine);
}
