#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/record.h"
#include "engine/base/seeded.h"

static void test_field_by_name__finds_every_field(void **state)
{
    (void)state;
    static const struct {
        enum field field;
        const char *wire;
    } rows[] = {
#define X(name, wire) {FIELD_##name, wire},
        RECORD_FIELDS(X)
#undef X
    };
    assert_int_equal(sizeof rows / sizeof rows[0], FIELD_COUNT);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (field_by_name(slice_string(rows[i].wire)) != rows[i].field)
            fail_msg("\"%s\" is not found: slot_fields in record.c is out of date", rows[i].wire);
        assert_string_equal(field_name(rows[i].field), rows[i].wire);
    }
}

static void test_field_by_name__knows_no_other_name(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",          "a",         "Account",      "ACCOUNT",    "accoun",   "accountI",
        "tags",      "accounts",  "usageids",     "startdate ", " account", "virtualmachineids",
        "start\x80", "quantity1", "\xff\xff\xff", "x",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(field_by_name(slice_string(rows[i])), FIELD_COUNT);
    assert_int_equal(field_by_name((struct slice){NULL, 0}), FIELD_COUNT);
}

static void test_field_by_name__agrees_with_a_linear_search(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (int i = 0; i < 200000; i++) {
        /* A field's name, cut, lengthened or with up to two letters changed; exactly sized. */
        const char *name = field_name((enum field)seeded_below(&seeded, FIELD_COUNT));
        size_t length = strlen(name) - seeded_below(&seeded, 2) + seeded_below(&seeded, 2);
        char *copy = calloc(1, length + 1);
        memcpy(copy, name, length < strlen(name) ? length : strlen(name));
        char *exact = malloc(length ? length : 1);
        for (uint64_t n = seeded_below(&seeded, 3); n && length; n--)
            copy[seeded_below(&seeded, length)] = (char)('a' + seeded_below(&seeded, 26));
        memcpy(exact, copy, length);
        enum field expected = FIELD_COUNT;
        for (int field = 0; field < FIELD_COUNT; field++)
            if (slice_is(slice_of(exact, length), field_name((enum field)field)))
                expected = (enum field)field;
        if (field_by_name(slice_of(exact, length)) != expected)
            fail_msg("\"%s\", seed %llu", copy, (unsigned long long)seeded.seed);
        free(exact);
        free(copy);
    }
}

static void test_field_present__absent_is_the_zero_state(void **state)
{
    (void)state;
    static struct record record;
    assert_false(field_present(&record, FIELD_ACCOUNT));
    record.fields[FIELD_ACCOUNT] = (struct field_value){"acme", 4, VALUE_TEXT};
    assert_true(field_present(&record, FIELD_ACCOUNT));
    assert_true(slice_is(field_slice(&record, FIELD_ACCOUNT), "acme"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field_by_name__finds_every_field),
        cmocka_unit_test(test_field_by_name__knows_no_other_name),
        cmocka_unit_test(test_field_by_name__agrees_with_a_linear_search),
        cmocka_unit_test(test_field_present__absent_is_the_zero_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
