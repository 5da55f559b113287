#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "mediate/coverage.h"

#define HOUR 3600

static struct quantity quanta(int64_t value)
{
    return (struct quantity){value};
}

static enum coverage_answer ask(const struct coverage *coverage, int64_t start, int64_t end,
                                int64_t value)
{
    return coverage_classify(coverage, (struct instant){start}, (struct instant){end},
                             quanta(value));
}

static void add(struct coverage *coverage, int64_t start, int64_t end, int64_t value)
{
    assert_int_equal(
        coverage_add(coverage, (struct instant){start}, (struct instant){end}, quanta(value)),
        STATUS_OK);
    coverage_check(coverage);
}

static void test_coverage__same_window_same_quantity_is_a_duplicate(void **state)
{
    (void)state;
    struct coverage coverage;
    coverage_init(&coverage);
    assert_int_equal(ask(&coverage, 0, HOUR, 5), COVERAGE_NEW);
    add(&coverage, 0, HOUR, 5);
    static const struct {
        const char *name;
        int64_t start, end, quanta;
        enum coverage_answer expected;
    } table[] = {
        {"same", 0, HOUR, 5, COVERAGE_DUPLICATE},
        {"other quantity", 0, HOUR, 6, COVERAGE_CONFLICT},
        {"later part", 1800, HOUR, 5, COVERAGE_CONFLICT},
        {"earlier part", 0, 1800, 5, COVERAGE_CONFLICT},
        {"around it", -1, HOUR + 1, 5, COVERAGE_CONFLICT},
        {"shifted", 1, HOUR + 1, 5, COVERAGE_CONFLICT},
        {"right behind", HOUR, 2 * HOUR, 5, COVERAGE_NEW},
        {"right before", -HOUR, 0, 5, COVERAGE_NEW},
        {"far away", 100 * HOUR, 101 * HOUR, 5, COVERAGE_NEW},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (ask(&coverage, table[i].start, table[i].end, table[i].quanta) != table[i].expected)
            fail_msg("%s", table[i].name);
    coverage_fini(&coverage);
}

static void test_coverage__equal_neighbours_are_one_run(void **state)
{
    (void)state;
    struct coverage coverage;
    coverage_init(&coverage);
    for (int i = 0; i < 100; i++)
        add(&coverage, i * HOUR, (i + 1) * HOUR, 7);
    assert_int_equal(coverage.count, 1);
    assert_int_equal(ask(&coverage, 50 * HOUR, 51 * HOUR, 7), COVERAGE_DUPLICATE);
    assert_int_equal(ask(&coverage, 50 * HOUR, 52 * HOUR, 14), COVERAGE_CONFLICT);
    coverage_fini(&coverage);
}

static void test_coverage__a_hole_that_is_filled_joins_both_sides(void **state)
{
    (void)state;
    struct coverage coverage;
    coverage_init(&coverage);
    add(&coverage, 0, HOUR, 7);
    add(&coverage, 2 * HOUR, 3 * HOUR, 7);
    assert_int_equal(coverage.count, 2);
    add(&coverage, HOUR, 2 * HOUR, 7);
    assert_int_equal(coverage.count, 1);
    coverage_fini(&coverage);
}

/* The slow model: every window by itself. */
struct window {
    int64_t start, end, quanta;
};

static enum coverage_answer model_ask(const struct window *windows, int count, struct window asked)
{
    enum coverage_answer answer = COVERAGE_NEW;
    for (int i = 0; i < count; i++) {
        if (windows[i].start >= asked.end || windows[i].end <= asked.start)
            continue;
        bool same = windows[i].start == asked.start && windows[i].end == asked.end &&
                    windows[i].quanta == asked.quanta;
        if (!same)
            return COVERAGE_CONFLICT;
        answer = COVERAGE_DUPLICATE;
    }
    return answer;
}

static uint64_t random_state;

static uint64_t random_below(uint64_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % bound;
}

static void test_coverage__agrees_with_a_list_of_windows_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        random_state = seed;
        struct coverage coverage;
        struct window windows[400];
        int count = 0;
        coverage_init(&coverage);
        for (int step = 0; step < 400; step++) {
            int64_t start = (int64_t)random_below(60) * HOUR;
            struct window asked = {start, start + (int64_t)(1 + random_below(3)) * HOUR,
                                   (int64_t)random_below(3)};
            enum coverage_answer expected = model_ask(windows, count, asked);
            if (ask(&coverage, asked.start, asked.end, asked.quanta) != expected)
                fail_msg("seed %llu step %d", (unsigned long long)seed, step);
            if (expected == COVERAGE_NEW) {
                add(&coverage, asked.start, asked.end, asked.quanta);
                windows[count++] = asked;
            }
        }
        /* The same windows in reverse order give the same runs. */
        struct coverage reversed;
        coverage_init(&reversed);
        for (int i = count; i-- > 0;)
            add(&reversed, windows[i].start, windows[i].end, windows[i].quanta);
        coverage_check(&reversed);
        assert_int_equal(coverage.count, reversed.count);
        assert_memory_equal(coverage_runs(&coverage), coverage_runs(&reversed),
                            coverage.count * sizeof(struct window_run));
        coverage_fini(&coverage);
        coverage_fini(&reversed);
    }
}

static void count_gap(struct instant start, struct instant end, void *context)
{
    *(int64_t *)context += end.seconds - start.seconds;
}

static void test_coverage__gaps_are_the_holes_between_windows(void **state)
{
    (void)state;
    struct coverage coverage;
    int64_t seconds = 0;
    coverage_init(&coverage);
    add(&coverage, 0, HOUR, 1);
    add(&coverage, 2 * HOUR, 3 * HOUR, 1);
    add(&coverage, 5 * HOUR, 6 * HOUR, 2);
    coverage_gaps(&coverage, count_gap, &seconds);
    assert_int_equal(seconds, 3 * HOUR);
    coverage_fini(&coverage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage__same_window_same_quantity_is_a_duplicate),
        cmocka_unit_test(test_coverage__equal_neighbours_are_one_run),
        cmocka_unit_test(test_coverage__a_hole_that_is_filled_joins_both_sides),
        cmocka_unit_test(test_coverage__agrees_with_a_list_of_windows_in_any_order),
        cmocka_unit_test(test_coverage__gaps_are_the_holes_between_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
