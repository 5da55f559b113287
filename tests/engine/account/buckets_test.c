/* Buckets against a plain array: every key has one bucket, every account and period one chain with
 * all of its buckets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "account/buckets.h"
#include "engine/base/seeded.h"

static void test_buckets__none(void **state)
{
    (void)state;
    struct buckets buckets;
    buckets_init(&buckets);
    assert_int_equal(buckets_find(&buckets, (struct bucket_key){0, 0, 0, 0}), INDEX_NONE);
    assert_int_equal(buckets_first(&buckets, 0, (struct period){0}), INDEX_NONE);
    buckets_fini(&buckets);
}

static void test_buckets__a_key_has_one_bucket(void **state)
{
    (void)state;
    static const struct bucket_key keys[] = {
        {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0},          {0, -1, 0, 0},
        {0, 0, 1, 0}, {0, 0, 0, 1}, {0, 0, INDEX_NONE, 0}, {0, 0, INDEX_NONE, 256},
    };
    enum { COUNT = sizeof(keys) / sizeof(keys[0]) };
    struct buckets buckets;
    uint32_t index, again;
    buckets_init(&buckets);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(buckets_find(&buckets, keys[i]), INDEX_NONE);
        assert_int_equal(buckets_at(&buckets, keys[i], &index), STATUS_OK);
        assert_int_equal(index, i);
        assert_true(buckets.items[i].quanta == 0);
        assert_int_equal(buckets.dirty_chunks[0], 1);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(buckets_at(&buckets, keys[i], &again), STATUS_OK);
        assert_int_equal(again, i);
        assert_int_equal(buckets_find(&buckets, keys[i]), i);
    }
    assert_int_equal(buckets.count, COUNT);
    buckets_fini(&buckets);
}

enum { MODEL = 20000 };

static void check_chain(const struct buckets *buckets, const struct bucket_key *keys,
                        uint32_t key_count, uint32_t account, int32_t period)
{
    uint32_t in_chain = 0, expected = 0;
    for (uint32_t i = buckets_first(buckets, account, (struct period){period}); i != INDEX_NONE;
         i = buckets->next[i]) {
        assert_true(buckets->items[i].key.account == account &&
                    buckets->items[i].key.period == period);
        assert_true(++in_chain <= buckets->count); /* no circle */
    }
    for (uint32_t i = 0; i < key_count; i++)
        expected += keys[i].account == account && keys[i].period == period;
    assert_int_equal(in_chain, expected);
}

static void test_buckets__many_keys_grow_and_stay(void **state)
{
    (void)state;
    static struct bucket_key keys[MODEL];
    static int128 sums[MODEL];
    uint32_t key_count = 0;
    struct seeded seeded = seeded_init();
    struct buckets buckets;
    buckets_init(&buckets);
    for (uint32_t round = 0; round < MODEL; round++) {
        struct bucket_key key = {
            (uint32_t)(seeded_below(&seeded, 300)), 24318 + (int32_t)(seeded_below(&seeded, 4)),
            (uint32_t)(seeded_below(&seeded, 7)) - 1, (uint32_t)(seeded_below(&seeded, 3))};
        uint32_t index;
        uint32_t known = buckets_find(&buckets, key);
        assert_int_equal(buckets_at(&buckets, key, &index), STATUS_OK);
        assert_true(known == INDEX_NONE ? index == key_count : index == known);
        if (known == INDEX_NONE)
            keys[key_count++] = key;
        assert_memory_equal(&keys[index], &key, sizeof(key));
        buckets.items[index].quanta += round;
        sums[index] += round;
    }
    assert_int_equal(buckets.count, key_count);
    for (uint32_t i = 0; i < key_count; i++) {
        assert_int_equal(buckets_find(&buckets, keys[i]), i);
        assert_true(buckets.items[i].quanta == sums[i]);
    }
    for (uint32_t account = 0; account < 301; account += 7)
        for (int32_t period = 24317; period < 24323; period++)
            check_chain(&buckets, keys, key_count, account, period);
    buckets_fini(&buckets);
}

static struct bucket_key random_key(struct seeded *seeded)
{
    return (struct bucket_key){
        (uint32_t)seeded_below(seeded, 50), 24318 + (int32_t)(seeded_below(seeded, 3)),
        (uint32_t)seeded_below(seeded, 40) - 1, (uint32_t)seeded_below(seeded, 5)};
}

/* Cleared again and again, few and many: what comes next meets nothing of what was. */
static void test_buckets__cleared_is_as_new(void **state)
{
    (void)state;
    static struct bucket_key keys[MODEL];
    struct seeded seeded = seeded_init();
    struct buckets buckets;
    buckets_init(&buckets);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t wanted = (uint32_t)seeded_below(&seeded, round % 3 == 0 ? 9000 : 30);
        for (uint32_t i = 0; i < wanted; i++) {
            struct bucket_key key = random_key(&seeded);
            uint32_t index, known = buckets_find(&buckets, key), count = buckets.count;
            assert_int_equal(buckets_at(&buckets, key, &index), STATUS_OK);
            assert_true(known == INDEX_NONE ? index == count : index == known);
            assert_true(buckets.items[index].quanta == (known == INDEX_NONE ? 0 : 1));
            buckets.items[index].quanta = 1;
            keys[index] = key;
        }
        for (uint32_t i = 0; i < buckets.count; i++)
            assert_int_equal(buckets_find(&buckets, keys[i]), i);
        check_chain(&buckets, keys, buckets.count, 7, 24319);
        buckets_clear(&buckets);
        assert_int_equal(buckets.count, 0);
        assert_int_equal(buckets_find(&buckets, keys[0]), INDEX_NONE);
        assert_int_equal(buckets_first(&buckets, 7, (struct period){24319}), INDEX_NONE);
    }
    buckets_fini(&buckets);
}

/* One that changes marks its chunk and no other. */
static void test_buckets__what_changed_is_marked_by_chunks(void **state)
{
    (void)state;
    struct buckets buckets;
    uint32_t index;
    buckets_init(&buckets);
    enum { CHUNKS = 7 };
    for (uint32_t i = 0; i < CHUNKS * BUCKETS_CHUNK; i++) {
        assert_int_equal(buckets_at(&buckets, (struct bucket_key){.part = i}, &index), STATUS_OK);
        assert_int_equal(buckets.dirty_chunks[i / BUCKETS_CHUNK], 1);
    }
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        memset(buckets.dirty_chunks, 0, CHUNKS);
        buckets_changed(&buckets, chunk * BUCKETS_CHUNK + (chunk % 2 ? BUCKETS_CHUNK - 1 : 0));
        for (uint32_t i = 0; i < CHUNKS; i++)
            assert_int_equal(buckets.dirty_chunks[i], i == chunk);
    }
    buckets_fini(&buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets__none),
        cmocka_unit_test(test_buckets__a_key_has_one_bucket),
        cmocka_unit_test(test_buckets__many_keys_grow_and_stay),
        cmocka_unit_test(test_buckets__cleared_is_as_new),
        cmocka_unit_test(test_buckets__what_changed_is_marked_by_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
