/* Attribute codes: the numbers are on disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rate/attribute.h"

static const char *const stored[ATTRIBUTE_CODES] = {
    "",         "cpunumber",   "cpuspeed", "description", "isdefault", "issourcenat",
    "issystem", "memory",      "network",  "offering",    "resource",  "size",
    "template", "virtualsize", "vm",       "vpc",         "zone",
};

static void test_attribute__codes_are_those_on_disk(void **state)
{
    (void)state;
    for (uint8_t code = 1; code < ATTRIBUTE_CODES; code++) {
        assert_true(slice_is(attribute_names[code], stored[code]));
        assert_int_equal(attribute_code(slice_string(stored[code])), code);
    }
}

static void test_attribute__other_names_have_none(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",      "v",          "vmm",        "Zone",
        "zones", "offeringid", "virtualsiz", "virtualsizes",
        "xyz",   "project",    "account",    "a name that is longer"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(attribute_code(slice_string(others[i])), 0);
    assert_int_equal(attribute_code((struct slice){0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attribute__codes_are_those_on_disk),
        cmocka_unit_test(test_attribute__other_names_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
