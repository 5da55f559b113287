/* The series table: one number per identity, the same numbers after a replay. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "account/windows.h"

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
    struct identity_keys keys;
    identity_keys_init(&keys, SEED);
    pack_init(&packed->packer);
    definition_pack(&definition, &packed->packer);
    packed->definition = pack_done(&packed->packer);
    packed->hash = definition_identity(&definition, &keys);
}

static void table_init(struct series_table *table)
{
    struct heap *heap;
    assert_int_equal(heap_open("/nonexistent/heap", 0, HEAP_PRIVATE, &heap, NULL), STATUS_OK);
    assert_int_equal(series_init(table, SEED, heap), STATUS_OK);
}

static void table_fini(struct series_table *table)
{
    struct heap *heap = table->heap;
    series_fini(table);
    heap_close(heap);
}

static uint32_t meter_of(struct series_table *table, uint32_t series)
{
    struct definition definition;
    uint32_t number;
    assert_int_equal(series_definition(table, series, &definition, NULL), STATUS_OK);
    assert_int_equal(series_meter(table, &definition, &number), STATUS_OK);
    return number;
}

static uint32_t resource_of(struct series_table *table, uint32_t series)
{
    struct definition definition;
    uint32_t number;
    assert_int_equal(series_definition(table, series, &definition, NULL), STATUS_OK);
    assert_int_equal(series_resource(table, &definition, &number), STATUS_OK);
    return number;
}

static uint32_t add(struct series_table *table, uint8_t type, const char *meter,
                    const char *account, const char *resource)
{
    struct packed packed;
    uint32_t index;
    pack_series(&packed, type, meter, account, resource, "a name");
    assert_int_equal(series_find(table, packed.hash), INDEX_NONE);
    assert_int_equal(series_add(table, packed.hash, packed.definition, &index, NULL), STATUS_OK);
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
    table_init(&table);
    uint32_t vm = add(&table, 1, "vm.running", "a", "r1");
    uint32_t same = add(&table, 2, "vm.allocated", "a", "r1");
    uint32_t own = add(&table, 0, "gpu", "a", "r2");
    uint32_t other = add(&table, 0, "licence", "a", "r1");
    uint32_t known =
        add(&table, 0, "bucket", "a", "b1"); /* a plain event with one of CloudStack's meters */
    uint32_t bare = add(&table, 0, "licence", "a", NULL);
    assert_int_equal(meter_of(&table, vm), 1);
    assert_int_equal(meter_of(&table, own), METER_FIRST_OTHER);
    assert_int_equal(meter_of(&table, other), METER_FIRST_OTHER + 1);
    assert_int_equal(meter_of(&table, bare), METER_FIRST_OTHER + 1);
    assert_int_equal(meter_of(&table, known), 29);
    assert_true(series_meter_is_level(meter_of(&table, known)));
    assert_true(series_level(&table.lines[known]));
    assert_false(series_level(&table.lines[vm]));
    assert_int_equal(resource_of(&table, vm), resource_of(&table, same));
    assert_int_equal(resource_of(&table, vm), resource_of(&table, other));
    assert_int_not_equal(resource_of(&table, vm), resource_of(&table, own));
    assert_int_not_equal(resource_of(&table, bare), 0);
    assert_true(slice_is(series_meter_name(&table, METER_FIRST_OTHER), "gpu"));
    assert_true(slice_is(series_meter_name(&table, 1), "vm.running"));
    assert_string_equal(series_meter_base(29), "byte-hour");
    assert_string_equal(series_meter_base(METER_FIRST_OTHER), "unit");
    table_fini(&table);
}

/* What was written to the journal gives the same table, past every growth. */
static void test_series__restore_gives_the_same_numbers(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static const char *const meters[] = {"gpu", "vm.running", "licence", "volume"};
    struct series_table written, read;
    table_init(&written);
    table_init(&read);
    for (int i = 0; i < MANY; i++) {
        char account[32], resource[32];
        snprintf(account, sizeof(account), "account-%d", i % 7);
        snprintf(resource, sizeof(resource), "resource-%d", i / 3);
        assert_int_equal(add(&written, 0, meters[i % 4], account, resource), i);
    }
    for (uint32_t i = 0, count; i < MANY; i += count) { /* 1, 2 ... at once, and none */
        struct slice packed[SERIES_RESTORE_MAX];
        count = i % (SERIES_RESTORE_MAX + 1);
        count = count ? count : 1;
        count = count < MANY - i ? count : MANY - i;
        for (uint32_t j = 0; j < count; j++)
            assert_int_equal(series_packed(&written, i + j, &packed[j], NULL), STATUS_OK);
        assert_int_equal(series_restore(&read, packed, count, NULL), STATUS_OK);
        assert_int_equal(series_restore(&read, NULL, 0, NULL), STATUS_OK);
        assert_int_equal(read.count, i + count);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(read.tags[i], written.tags[i]);
        assert_true(read.lines[i].check == written.lines[i].check);
        assert_int_equal(meter_of(&read, i), meter_of(&written, i));
        assert_int_equal(resource_of(&read, i), resource_of(&written, i));
    }
    uint32_t right = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct hash128 identity = {written.tags[i], written.lines[i].check};
        assert_int_equal(series_find(&read, identity), i);
        uint32_t guess = series_guess(&read, identity);
        assert_true(guess == INDEX_NONE || guess < MANY); /* lines run over into the next */
        right += guess == i;
        identity.high++;
        assert_int_equal(series_find(&read, identity), INDEX_NONE);
    }
    assert_true(right > MANY * 9 / 10);
    table_fini(&written);
    table_fini(&read);
}

static void test_series__what_is_defined_twice_or_damaged_is_refused(void **state)
{
    (void)state;
    struct series_table table;
    struct packed packed;
    table_init(&table);
    pack_series(&packed, 1, "vm.running", "a", "r", "name");
    const struct slice twice[] = {packed.definition, packed.definition};
    assert_int_equal(series_restore(&table, twice, 2, NULL), STATUS_CORRUPT);
    assert_int_equal(table.count, 1);
    assert_int_equal(series_restore(&table, twice, 1, NULL), STATUS_CORRUPT);
    for (size_t length = 0; length < packed.definition.length; length++) {
        char *exact = malloc(length ? length : 1);
        memcpy(exact, packed.definition.data, length);
        struct slice cut = slice_of(exact, length);
        assert_int_equal(series_restore(&table, &cut, 1, NULL), STATUS_CORRUPT);
        free(exact);
    }
    assert_int_equal(table.count, 1);
    pack_fini(&packed.packer);
    table_fini(&table);
}

static void test_series__forgotten_slots_hold_no_bucket(void **state)
{
    (void)state;
    struct series_table table;
    table_init(&table);
    uint32_t index = add(&table, 1, "vm.running", "a", "r");
    table.lines[index].bucket[0] = 7;
    table.lines[index].interval = series_interval_number(&table, 100, 200);
    assert_int_equal(table.lines[index].interval, 1);
    assert_int_equal(series_interval_number(&table, 200, 300), 2);
    assert_int_equal(series_interval_number(&table, 100, 200), 1);
    series_forget_slots(&table);
    assert_int_equal(table.lines[index].bucket[0], INDEX_NONE);
    assert_int_equal(table.lines[index].interval, 0);
    assert_int_equal(table.interval_count, 1);
    table_fini(&table);
}

/* Tags that meet: equal ones, and ones that begin with the same line of the index; past several
 * growths of it. A check tells them apart. */
static void test_series__tags_that_collide_are_told_apart(void **state)
{
    (void)state;
    enum { MANY = 40000 };
    struct series_table table;
    table_init(&table);
    uint32_t lines = table.index.line_count;
    for (uint32_t i = 0; i < MANY; i++) {
        static const uint32_t steps[] = {0, 1u << 20, 1, 7};
        uint32_t tag = i % 4 == 0 ? 12345 : (i / 4 % 2000) * steps[i % 4] + 77;
        struct hash128 identity = {(uint64_t)i << 32 | tag, i * 0x9e3779b97f4a7c15u};
        uint32_t number = table.count;
        if (i % 4 == 0 && i >= 4 * 400)
            identity.low = (uint64_t)i << 32 | (i * 2654435761u); /* equal ones are few */
        assert_int_equal(series_find(&table, identity), INDEX_NONE);
        tag = (uint32_t)identity.low;
        assert_int_equal(series_load(&table, (const char *)&tag, 1), STATUS_OK);
        assert_int_equal(number, i);
        table.lines[number].check = identity.high;
        assert_int_equal(series_find(&table, identity), i);
        assert_true(series_is(&table, i, identity));
        identity.high ^= 1;
        assert_int_equal(series_find(&table, identity), INDEX_NONE);
        assert_false(series_is(&table, i, identity));
    }
    assert_true(table.index.line_count > 4 * lines);
    uint32_t wrong = 0, none = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct hash128 identity = {table.tags[i], table.lines[i].check};
        assert_int_equal(series_find(&table, identity), i);
        uint32_t guess = series_guess(&table, identity);
        none += guess == INDEX_NONE;
        wrong += guess != INDEX_NONE && guess != i;
        if (guess != INDEX_NONE)
            assert_int_equal((uint8_t)table.tags[guess], (uint8_t)table.tags[i]);
    }
    assert_true(wrong > 100 && none > 100);
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series__names_are_no_identity),
        cmocka_unit_test(test_series__every_part_of_the_identity_counts),
        cmocka_unit_test(test_series__meters_and_resources_have_numbers),
        cmocka_unit_test(test_series__restore_gives_the_same_numbers),
        cmocka_unit_test(test_series__tags_that_collide_are_told_apart),
        cmocka_unit_test(test_series__what_is_defined_twice_or_damaged_is_refused),
        cmocka_unit_test(test_series__forgotten_slots_hold_no_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
