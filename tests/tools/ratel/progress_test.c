#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ratel/progress.h"

struct line_case {
    uint64_t total;
    uint64_t done;
    uint64_t elapsed_ms;
    unsigned columns;
    const char *expected;
};

static const struct line_case line_cases[] = {
    {1000000, 500000, 1000, 200,
     "ingest  [============>           ]  50%  500 kB of 1.0 MB  500 kB/s  0:01 left"},
    {0, 1500, 2000, 200, "ingest  1.5 kB  750 B/s  0:02"},
    {100, 100, 1000, 200,
     "ingest  [========================] 100%  100 B of 100 B  100 B/s  0:00 left"},
    {100, 250, 1000, 200,
     "ingest  [========================] 100%  250 B of 250 B  250 B/s  0:00 left"},
    {100, 0, 0, 200, "ingest  [>                       ]   0%  0 B of 100 B  0 B/s  -:-- left"},
    {UINT64_MAX, UINT64_MAX / 2, 1, 12, "ingest  [=="},
    {36000000, 1000, 1000, 200,
     "ingest  [>                       ]   0%  1.0 kB of 36.0 MB  1.0 kB/s  9:59:59 left"},
};

static void test_progress__line_shows_share_rate_and_time_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(line_cases) / sizeof(line_cases[0]); i++) {
        struct progress progress = {.label = "ingest", .total_bytes = line_cases[i].total};
        char line[256];
        progress_line(&progress, line_cases[i].done, line_cases[i].elapsed_ms,
                      line_cases[i].columns, line, sizeof(line));
        assert_string_equal(line, line_cases[i].expected);
    }
}

static uint64_t fake_ms;

static uint64_t fake_now(void)
{
    return fake_ms;
}

static int drawn_in(const char *text)
{
    int count = 0;
    for (; (text = strstr(text, "ingest")) != NULL; text++)
        count++;
    return count;
}

static void draw_for_a_second(bool enabled, int expected)
{
    char *text = NULL;
    size_t length = 0;
    FILE *err = open_memstream(&text, &length);
    struct progress progress;
    progress_begin(&progress, err, enabled, "ingest", 1000);
    progress.now_ms = fake_now;
    fake_ms = progress.begun_ms;
    for (uint64_t i = 1; i <= 1000; i++) {
        fake_ms++;
        progress_at(&progress, i);
    }
    progress_end(&progress);
    fclose(err);
    assert_int_equal(drawn_in(text), expected);
    if (expected > 0)
        assert_string_equal(text + length - 4, "\r\033[K");
    else
        assert_int_equal(length, 0);
    free(text);
}

static void test_progress__draws_ten_times_a_second_and_wipes_itself(void **state)
{
    (void)state;
    draw_for_a_second(true, 10);
}

static void test_progress__draws_nothing_where_it_is_off(void **state)
{
    (void)state;
    draw_for_a_second(false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress__line_shows_share_rate_and_time_left),
        cmocka_unit_test(test_progress__draws_ten_times_a_second_and_wipes_itself),
        cmocka_unit_test(test_progress__draws_nothing_where_it_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
