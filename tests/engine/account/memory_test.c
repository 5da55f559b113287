/* What a live series costs in memory, at every size on the way and so at the worst one between two
 * growths: tables as the canonical workload leaves them, with 1.38 buckets and 0.24 tails a series,
 * and an account for 32 of them, at most 10,000. RATEL_TEST_SERIES=5000000 goes further. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "account/buckets.h"
#include "account/windows.h"
#include "engine/base/seeded.h"

enum {
    FEW = 100000, /* below, a few kilobytes count much, and matter little */
    MANY = 400000,
    BYTES_MAX = 160,
    ACCOUNTS = 10000,
    SERIES_A_ACCOUNT = 32,
};

static const uint32_t told[] = {160000, 320000, 500000, 1000000, 2000000, 5000000};

struct place {
    struct heap *heap;
    struct series_table series;
    struct buckets buckets;
};

static void place_init(struct place *place)
{
    assert_int_equal(heap_open("/nonexistent/heap", 0, HEAP_PRIVATE, &place->heap, NULL),
                     STATUS_OK);
    assert_int_equal(series_init(&place->series, 1, place->heap), STATUS_OK);
    buckets_init(&place->buckets);
}

static void place_fini(struct place *place)
{
    buckets_fini(&place->buckets);
    series_fini(&place->series);
    heap_close(place->heap);
}

static void place_add(struct place *place, struct seeded *seeded)
{
    uint32_t number = place->series.count, tag = (uint32_t)seeded_below(seeded, UINT32_MAX), index;
    assert_int_equal(series_load(&place->series, (const char *)&tag, 1), STATUS_OK);
    struct bucket_key key = {number / SERIES_A_ACCOUNT % ACCOUNTS, 24321, number, 0};
    while (place->buckets.count < (uint64_t)number * 138 / 100 + 1) {
        assert_int_equal(buckets_at(&place->buckets, key, &index), STATUS_OK);
        key.part++;
    }
    if (place->series.tail_count < (uint64_t)number * 24 / 100) {
        place->series.tail_count++;
        assert_int_equal(
            vast_reserve(&place->series.tails_memory, (uint64_t)place->series.tail_count + 1),
            STATUS_OK);
    }
}

static double each(const struct place *place, uint64_t bytes)
{
    return (double)bytes / place->series.count;
}

static void tell(const struct place *place, const char *what)
{
    const struct series_table *series = &place->series;
    const struct buckets *buckets = &place->buckets;
    print_message(
        "%u series, %s: %.1f bytes each: line 64, tag and definition %.1f, index %.1f, "
        "tails %.1f, buckets %.1f with their index %.1f\n",
        series->count, what, each(place, series_bytes(series) + buckets_bytes(buckets)),
        each(place, vast_bytes(&series->tags_memory) + vast_bytes(&series->definitions_memory)),
        each(place, lookup_bytes(&series->index)), each(place, vast_bytes(&series->tails_memory)),
        each(place, buckets_bytes(buckets) - lookup_bytes(&buckets->index)),
        each(place, lookup_bytes(&buckets->index)));
}

static void test_memory__no_size_passes_the_limit(void **state)
{
    (void)state;
    const char *wanted = getenv("RATEL_TEST_SERIES");
    uint32_t many = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : MANY, worst_at = 0;
    struct seeded seeded = seeded_init();
    struct place place;
    double worst = 0;
    place_init(&place);
    while (place.series.count < many) {
        place_add(&place, &seeded);
        uint64_t bytes = series_bytes(&place.series) + buckets_bytes(&place.buckets);
        if (place.series.count >= FEW && each(&place, bytes) > worst) {
            worst = each(&place, bytes);
            worst_at = place.series.count;
        }
        for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
            if (place.series.count == told[i])
                tell(&place, "by the way");
    }
    print_message("the worst: %.1f bytes each, with %u series\n", worst, worst_at);
    assert_true(worst_at >= FEW && worst <= BYTES_MAX);
    place_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__no_size_passes_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
