/* An index of numbers against the plain array of their hashes: after every number that is put in,
 * at every load up to each growth, and when hashes meet. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/lookup.h"
#include "engine/base/seeded.h"

enum { MANY = 6000, NONE = UINT32_MAX };

struct model {
    struct lookup lookup;
    uint32_t hashes[MANY];
    uint32_t count;
    uint32_t growths;
};

static struct model model;

/* All numbers that a search meets, as bits. Each is met once. */
static uint32_t search(const struct lookup *lookup, uint32_t hash, uint32_t wanted)
{
    uint32_t found = NONE, lines = 0;
    const struct lookup_line *line = lookup_home(lookup, hash);
    for (;; line = lookup_next(lookup, line)) {
        assert_true(++lines <= lookup->line_count);
        for (uint32_t mask = lookup_matches(line, hash); mask; mask &= mask - 1) {
            uint32_t number = line->numbers[__builtin_ctz(mask)];
            assert_true(number < model.count);
            assert_int_equal((uint8_t)model.hashes[number], (uint8_t)hash);
            if (number == wanted) {
                assert_int_equal(found, NONE);
                found = number;
            }
        }
        if (!line->passed)
            return found;
    }
}

static void put(uint32_t hash)
{
    struct lookup *lookup = &model.lookup;
    if (lookup_is_full(lookup, (uint64_t)model.count + 1)) {
        uint32_t before = lookup->line_count;
        assert_int_equal(lookup_grow(lookup, (uint64_t)model.count + 1), STATUS_OK);
        assert_true(lookup->line_count > before);
        assert_true(before == 0 || lookup->line_count <= before * 5 / 4 + 1);
        for (uint32_t i = 0; i < model.count; i++)
            lookup_put(lookup, model.hashes[i], i);
        model.growths++;
    }
    model.hashes[model.count] = hash;
    lookup_put(lookup, hash, model.count++);
}

static void check_all(void)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < model.count; i++)
        assert_int_equal(search(&model.lookup, model.hashes[i], i), i);
    for (uint32_t i = 0; i < model.lookup.line_count; i++)
        held += model.lookup.lines[i].count;
    assert_int_equal(held, model.count);
}

static void model_init(void)
{
    model.count = model.growths = 0;
    assert_int_equal(lookup_init(&model.lookup, MANY, MANY, false), STATUS_OK);
    assert_int_equal(model.lookup.line_count, 0);
    assert_true(lookup_is_full(&model.lookup, 1));
}

static void test_lookup__finds_what_was_put_at_every_load(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    model_init();
    while (model.count < MANY) {
        put((uint32_t)seeded_u64(&seeded));
        /* The newest, some others, and what was never put. */
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t number = i ? (uint32_t)seeded_below(&seeded, model.count) : model.count - 1;
            assert_int_equal(search(&model.lookup, model.hashes[number], number), number);
        }
        assert_int_equal(search(&model.lookup, (uint32_t)seeded_u64(&seeded), NONE - 1), NONE);
        if (model.count % 500 == 0)
            check_all();
    }
    assert_true(model.growths > 10);
    assert_true(lookup_bytes(&model.lookup) <= MANY * 64 / 12 * 5 / 4 * 5 / 4 + 2 * 64);
    lookup_fini(&model.lookup);
}

/* Lines that are full run over into the next, and the last into the first. */
static void test_lookup__hashes_that_meet_are_all_found(void **state)
{
    (void)state;
    static const uint32_t places[] = {0, 1, 0x80000000, 0xffffff00, 0xffffffff};
    for (size_t p = 0; p < sizeof(places) / sizeof(*places); p++) {
        model_init();
        for (uint32_t i = 0; i < 400; i++) {
            put(places[p] ^ (i % 3 == 0 ? 0 : i * 7 % 256));
            if (i % 37 == 0)
                check_all();
        }
        check_all();
        assert_true(model.lookup.lines[0].count > 0 || places[p] == 0x80000000);
        lookup_fini(&model.lookup);
    }
}

static void test_lookup__room_asked_for_is_enough(void **state)
{
    (void)state;
    for (uint64_t count = 1; count < MANY; count += count / 3 + 1) {
        struct lookup lookup;
        assert_int_equal(lookup_init(&lookup, MANY, MANY, count % 2), STATUS_OK);
        assert_int_equal(lookup_grow(&lookup, count), STATUS_OK);
        assert_false(lookup_is_full(&lookup, count));
        lookup_fini(&lookup);
    }
    struct lookup lookup;
    assert_int_equal(lookup_init(&lookup, MANY, MANY, false), STATUS_OK);
    assert_int_equal(lookup_grow(&lookup, UINT64_MAX / 8), STATUS_NO_MEMORY);
    assert_int_equal(lookup.line_count, 0);
    lookup_fini(&lookup);
}

static void test_lookup__cleared_number_by_number_it_is_empty(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (uint32_t round = 0; round < 200; round++) {
        model_init();
        uint32_t count = 1 + (uint32_t)seeded_below(&seeded, 300);
        for (uint32_t i = 0; i < count; i++) /* many of them in few lines */
            put((uint32_t)seeded_u64(&seeded) & (round % 2 ? UINT32_MAX : 0xe0000007));
        for (uint32_t i = 0; i < count; i++)
            lookup_clear_home(&model.lookup, model.hashes[i]);
        for (uint32_t i = 0; i < model.lookup.line_count; i++) {
            assert_int_equal(model.lookup.lines[i].count, 0);
            assert_int_equal(model.lookup.lines[i].passed, 0);
        }
        lookup_fini(&model.lookup);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup__finds_what_was_put_at_every_load),
        cmocka_unit_test(test_lookup__hashes_that_meet_are_all_found),
        cmocka_unit_test(test_lookup__room_asked_for_is_enough),
        cmocka_unit_test(test_lookup__cleared_number_by_number_it_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
