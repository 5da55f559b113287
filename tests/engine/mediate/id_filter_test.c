#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/seeded.h"
#include "mediate/id_filter.h"

static struct hash128 random_id(struct seeded *seeded)
{
    uint64_t low = seeded_u64(seeded);
    return (struct hash128){low, seeded_u64(seeded)};
}

static void test_id_filter__an_empty_one_denies_everything(void **state)
{
    (void)state;
    struct id_filter filter = {0};
    assert_false(id_filter_may_hold(&filter, (struct hash128){1, 2}));
    assert_int_equal(id_filter_room(&filter), 0);
    assert_int_equal(id_filter_init(&filter, 0, ID_FILTER_BYTES_LEAST), STATUS_OK);
    assert_false(id_filter_may_hold(&filter, (struct hash128){1, 2}));
    id_filter_fini(&filter);
    assert_int_equal(id_filter_bytes(&filter), 0);
}

/* Far beyond its room, too; what it affirms wrongly is few in a hundred up to there. */
static void test_id_filter__what_was_added_is_affirmed(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init(), again;
    for (uint64_t count = 1; count <= 1000000; count *= 10) {
        struct id_filter filter = {0};
        bool cramped = count == 10000 || count == 1000000;
        uint64_t most = cramped ? ID_FILTER_BYTES_LEAST : (uint64_t)1 << 30;
        assert_int_equal(id_filter_init(&filter, count, most), STATUS_OK);
        assert_true(cramped || id_filter_room(&filter) >= count);
        assert_true(id_filter_bytes(&filter) <= most);
        again = seeded;
        for (uint64_t i = 0; i < count; i++)
            id_filter_add(&filter, random_id(&seeded));
        for (uint64_t i = 0; i < count; i++)
            assert_true(id_filter_may_hold(&filter, random_id(&again)));
        uint32_t wrong = 0;
        for (int i = 0; i < 10000; i++)
            wrong += id_filter_may_hold(&filter, random_id(&seeded));
        assert_true(cramped || wrong < 100);
        id_filter_fini(&filter);
    }
}

static void test_id_filter__is_as_large_as_it_has_to_be_and_may_be(void **state)
{
    (void)state;
    struct id_filter filter = {0};
    assert_int_equal(id_filter_init(&filter, 1, (uint64_t)1 << 30), STATUS_OK);
    assert_int_equal(id_filter_bytes(&filter), ID_FILTER_BYTES_LEAST);
    id_filter_fini(&filter);
    assert_int_equal(id_filter_init(&filter, 1000000, (uint64_t)1 << 30), STATUS_OK);
    assert_int_equal(id_filter_bytes(&filter), 2 << 20);
    id_filter_fini(&filter);
    assert_int_equal(id_filter_init(&filter, 1000000000, 100000), STATUS_OK);
    assert_int_equal(id_filter_bytes(&filter), 65536);
    id_filter_fini(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_filter__an_empty_one_denies_everything),
        cmocka_unit_test(test_id_filter__what_was_added_is_affirmed),
        cmocka_unit_test(test_id_filter__is_as_large_as_it_has_to_be_and_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
