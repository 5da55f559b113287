/* The series table: one number per identity, the same numbers after a replay. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "account/series.h"

#define SEED 99

struct packed {
    struct packer packer;
    struct hash128 hash;
    struct slice definition;
};

static void pack_series(struct packed *packed, uint8_t type, const char *meter, const char *account,
                        const char *resource, const char *name)
{
    struct definition definition = {
        .usage_type = type,
        .payer_kind = PAYER_ACCOUNT,
        .source = SLICE("cloud"),
        .meter_name = slice_string(meter),
        .payer_id = slice_string(account),
        .name = slice_string(name),
    };
    if (resource)
        definition.attributes[definition.attribute_count++] =
            (struct where_term){SLICE("resource"), slice_string(resource)};
    size_t identity;
    pack_init(&packed->packer);
    definition_pack(&definition, &packed->packer, &identity);
    packed->definition = pack_done(&packed->packer);
    packed->hash = definition_hash(slice_of(packed->packer.data, identity), SEED);
}

static uint32_t add(struct series_table *table, uint8_t type, const char *meter,
                    const char *account, const char *resource)
{
    struct packed packed;
    uint32_t index;
    pack_series(&packed, type, meter, account, resource, "a name");
    assert_int_equal(series_find(table, packed.hash), INDEX_NONE);
    assert_int_equal(series_add(table, packed.hash, packed.definition, &index), STATUS_OK);
    assert_int_equal(series_find(table, packed.hash), index);
    pack_fini(&packed.packer);
    return index;
}

static void test_series__names_are_no_identity(void **state)
{
    (void)state;
    struct packed one, other;
    pack_series(&one, 1, "vm.running", "a", "r", "a name");
    pack_series(&other, 1, "vm.running", "a", "r", "another name");
    assert_true(hash128_equal(one.hash, other.hash));
    assert_false(slice_equal(one.definition, other.definition));
    pack_fini(&one.packer);
    pack_fini(&other.packer);
}

static void test_series__every_part_of_the_identity_counts(void **state)
{
    (void)state;
    struct packed packed[5];
    pack_series(&packed[0], 1, "vm.running", "a", "r", "");
    pack_series(&packed[1], 2, "vm.allocated", "a", "r", "");
    pack_series(&packed[2], 1, "vm.running", "b", "r", "");
    pack_series(&packed[3], 1, "vm.running", "a", "s", "");
    pack_series(&packed[4], 1, "vm.running", "a", NULL, "");
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_false(hash128_equal(packed[i].hash, packed[j].hash));
    for (int i = 0; i < 5; i++)
        pack_fini(&packed[i].packer);
}

static void test_series__meters_and_resources_have_numbers(void **state)
{
    (void)state;
    struct series_table table;
    series_init(&table, SEED, true);
    uint32_t vm = add(&table, 1, "vm.running", "a", "r1");
    uint32_t same = add(&table, 2, "vm.allocated", "a", "r1");
    uint32_t own = add(&table, 0, "gpu", "a", "r2");
    uint32_t other = add(&table, 0, "licence", "a", "r1");
    uint32_t known =
        add(&table, 0, "bucket", "a", "b1"); /* a plain event with one of CloudStack's meters */
    uint32_t bare = add(&table, 0, "licence", "a", NULL);
    assert_int_equal(table.meters[vm], 1);
    assert_int_equal(table.meters[own], METER_FIRST_OTHER);
    assert_int_equal(table.meters[other], METER_FIRST_OTHER + 1);
    assert_int_equal(table.meters[bare], METER_FIRST_OTHER + 1);
    assert_int_equal(table.meters[known], 29);
    assert_true(series_meter_is_level(table.meters[known]));
    assert_true(table.hot[known].flags & SERIES_LEVEL);
    assert_false(table.hot[vm].flags & SERIES_LEVEL);
    assert_int_equal(table.resources[vm], table.resources[same]);
    assert_int_equal(table.resources[vm], table.resources[other]);
    assert_int_not_equal(table.resources[vm], table.resources[own]);
    assert_int_not_equal(table.resources[bare], 0);
    assert_true(slice_is(series_meter_name(&table, METER_FIRST_OTHER), "gpu"));
    assert_true(slice_is(series_meter_name(&table, 1), "vm.running"));
    assert_string_equal(series_meter_base(29), "byte-hour");
    assert_string_equal(series_meter_base(METER_FIRST_OTHER), "unit");
    series_fini(&table);
}

/* What was written to the journal gives the same table, past every growth. */
static void test_series__restore_gives_the_same_numbers(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static const char *const meters[] = {"gpu", "vm.running", "licence", "volume"};
    struct series_table written, read;
    series_init(&written, SEED, true);
    series_init(&read, SEED, false);
    for (int i = 0; i < MANY; i++) {
        char account[32], resource[32];
        snprintf(account, sizeof(account), "account-%d", i % 7);
        snprintf(resource, sizeof(resource), "resource-%d", i / 3);
        assert_int_equal(add(&written, 0, meters[i % 4], account, resource), i);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t index;
        assert_int_equal(series_restore(&read, written.definitions[i], &index), STATUS_OK);
        assert_int_equal(index, i);
        assert_true(hash128_equal(read.hashes[i], written.hashes[i]));
        assert_int_equal(read.meters[i], written.meters[i]);
        assert_int_equal(read.resources[i], written.resources[i]);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(series_find(&read, written.hashes[i]), i);
    series_fini(&written);
    series_fini(&read);
}

static void test_series__what_is_defined_twice_or_damaged_is_refused(void **state)
{
    (void)state;
    struct series_table table;
    struct packed packed;
    uint32_t index;
    series_init(&table, SEED, true);
    pack_series(&packed, 1, "vm.running", "a", "r", "name");
    assert_int_equal(series_restore(&table, packed.definition, &index), STATUS_OK);
    assert_int_equal(series_restore(&table, packed.definition, &index), STATUS_CORRUPT);
    for (size_t length = 0; length < packed.definition.length; length++) {
        char *exact = malloc(length ? length : 1);
        memcpy(exact, packed.definition.data, length);
        assert_int_equal(series_restore(&table, slice_of(exact, length), &index), STATUS_CORRUPT);
        free(exact);
    }
    assert_int_equal(table.count, 1);
    pack_fini(&packed.packer);
    series_fini(&table);
}

static void test_series__forgotten_slots_hold_no_bucket(void **state)
{
    (void)state;
    struct series_table table;
    series_init(&table, SEED, true);
    uint32_t index = add(&table, 1, "vm.running", "a", "r");
    table.hot[index].bucket[0] = 7;
    table.hot[index].valid_to = INT64_MAX;
    table.hot[index].account = 3;
    series_forget_slots(&table);
    assert_int_equal(table.hot[index].bucket[0], INDEX_NONE);
    assert_int_equal(table.hot[index].valid_to, 0);
    assert_int_equal(table.hot[index].account, INDEX_NONE);
    series_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series__names_are_no_identity),
        cmocka_unit_test(test_series__every_part_of_the_identity_counts),
        cmocka_unit_test(test_series__meters_and_resources_have_numbers),
        cmocka_unit_test(test_series__restore_gives_the_same_numbers),
        cmocka_unit_test(test_series__what_is_defined_twice_or_damaged_is_refused),
        cmocka_unit_test(test_series__forgotten_slots_hold_no_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
