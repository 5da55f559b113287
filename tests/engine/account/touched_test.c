/* The set of touched accounts against a list that is searched from end to end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "account/touched.h"

struct model {
    uint32_t count;
    struct touched_item items[TOUCHED_MAX + 1];
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void model_add(struct model *model, uint32_t account, int32_t period)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (model->items[i].account == account && model->items[i].period == period)
            return;
    if (model->count <= TOUCHED_MAX)
        model->items[model->count++] = (struct touched_item){account, period};
}

static void compare(const struct touched_set *set, const struct model *model)
{
    assert_int_equal(set->all, model->count > TOUCHED_MAX);
    if (set->all)
        return;
    assert_int_equal(set->count, model->count);
    for (uint32_t i = 0; i < set->count; i++) {
        assert_int_equal(set->items[i].account, model->items[i].account);
        assert_int_equal(set->items[i].period, model->items[i].period);
    }
}

static void test_touched__holds_each_once_in_order(void **state)
{
    (void)state;
    static struct touched_set set;
    static struct model model;
    /* How many accounts, how far apart (a shard's account numbers may be), how many touches. */
    static const uint32_t rounds[][3] = {{1, 1, 100},       {3, 1, 1000},         {1000, 1, 5000},
                                         {900, 8192, 5000}, {900, 1 << 20, 5000}, {2000, 7, 9000},
                                         {2048, 1, 20000}};
    uint64_t seed = 1;
    touched_init(&set);
    for (int again = 0; again < 3; again++)
        for (size_t r = 0; r < sizeof(rounds) / sizeof(rounds[0]); r++) {
            model.count = 0;
            for (uint32_t i = 0; i < rounds[r][2]; i++) {
                uint32_t account = (uint32_t)(random_next(&seed) % rounds[r][0]) * rounds[r][1];
                int32_t period = 24320 + (int32_t)(random_next(&seed) & 1);
                touched_add(&set, account, period);
                model_add(&model, account, period);
            }
            compare(&set, &model);
            touched_reset(&set);
            assert_int_equal(set.count, 0);
            assert_false(set.all);
        }
}

static void test_touched__one_more_than_fit_is_all(void **state)
{
    (void)state;
    static struct touched_set set;
    touched_init(&set);
    for (uint32_t i = 0; i < TOUCHED_MAX; i++)
        touched_add(&set, i, 1);
    for (uint32_t i = 0; i < TOUCHED_MAX; i++)
        touched_add(&set, i, 1);
    assert_int_equal(set.count, TOUCHED_MAX);
    assert_false(set.all);
    touched_add(&set, 0, 2);
    assert_true(set.all);
    touched_add(&set, 0, 1);
    assert_true(set.all);
    touched_reset(&set);
    touched_add(&set, 5, 2);
    assert_int_equal(set.count, 1);
    assert_false(set.all);
    touched_all(&set);
    touched_add(&set, 6, 2);
    assert_true(set.all);
}

/* Old slots must not come alive when the generations have gone round. */
static void test_touched__generations_go_round(void **state)
{
    (void)state;
    static struct touched_set set;
    touched_init(&set);
    touched_add(&set, 1, 1); /* in generation 1 */
    touched_add(&set, 2, 1);
    set.generation = UINT32_MAX;
    set.count = 0;
    touched_add(&set, 3, 1);
    touched_reset(&set);
    assert_int_equal(set.generation, 1);
    touched_add(&set, 2, 1);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.items[0].account, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_touched__holds_each_once_in_order),
        cmocka_unit_test(test_touched__one_more_than_fit_is_all),
        cmocka_unit_test(test_touched__generations_go_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
