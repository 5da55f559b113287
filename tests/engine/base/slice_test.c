#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/slice.h"

static void test_slice_compare__is_memcmp_order_with_the_shorter_first(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int expected;
    } rows[] = {
        {"", "", 0},    {"", "a", -1},   {"a", "", 1},   {"a", "b", -1},
        {"ab", "a", 1}, {"a", "ab", -1}, {"b", "ab", 1}, {"\x80", "a", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice a = slice_string(rows[i].a), b = slice_string(rows[i].b);
        int order = slice_compare(a, b);
        assert_int_equal((order > 0) - (order < 0), rows[i].expected);
        assert_int_equal(slice_equal(a, b), rows[i].expected == 0);
    }
}

static void test_slice__null_is_the_empty_slice(void **state)
{
    (void)state;
    struct slice none = slice_string(NULL);
    assert_int_equal(none.length, 0);
    assert_true(slice_equal(none, SLICE("")));
    assert_true(slice_is(none, ""));
    assert_int_equal(slice_compare(none, SLICE("")), 0);
    assert_true(slice_starts_with(SLICE("a"), none));
    assert_int_equal(slice_trim(none).length, 0);
}

static void test_slice_trim__takes_blanks_off_both_ends_only(void **state)
{
    (void)state;
    assert_true(slice_is(slice_trim(SLICE(" \t\r\na b\r\n")), "a b"));
    assert_true(slice_is(slice_trim(SLICE(" \n ")), ""));
    assert_true(slice_is(slice_trim(SLICE("x")), "x"));
}

static void test_slice_starts_with__compares_the_prefix(void **state)
{
    (void)state;
    assert_true(slice_starts_with(SLICE("journal-0001"), SLICE("journal-")));
    assert_false(slice_starts_with(SLICE("journal"), SLICE("journal-")));
    assert_false(slice_starts_with(SLICE("ledger-0001"), SLICE("journal-")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice_compare__is_memcmp_order_with_the_shorter_first),
        cmocka_unit_test(test_slice__null_is_the_empty_slice),
        cmocka_unit_test(test_slice_trim__takes_blanks_off_both_ends_only),
        cmocka_unit_test(test_slice_starts_with__compares_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
