/* Suggestions for mistyped words; the map of keys; problems in order. */
#include "ratecards/fixture.h"
#include "ratecards/model.h"

static void test_words__nearest_name_forgives_two_slips(void **state)
{
    (void)state;
    static const char *const names[] = {"meter", "model", "minimum", "maximum",
                                        "code",  "unit",  "tiers",   "times"};
    static const struct {
        const char *word;
        const char *nearest;
    } table[] = {
        {"metre", "meter"},
        {"mter", "meter"},
        {"meterr", "meter"},
        {"moddel", "model"},
        {"mimimum", "minimum"},
        {"cod", "code"},
        {"tires", "tiers"},
        {"tims", "times"},
        {"Unit", "unit"},
        {"colour", NULL},
        {"x", NULL},
        {"", NULL},
        {"a word much longer than any key that there is", NULL},
        {"xxits", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *nearest =
            nearest_name(slice_string(table[i].word), names, sizeof names / sizeof names[0]);
        if (!nearest != !table[i].nearest || (nearest && strcmp(nearest, table[i].nearest) != 0))
            fail_msg("%s: %s", table[i].word, nearest ? nearest : "none");
    }
}

static void test_words__keys_are_found_after_growth_and_by_space(void **state)
{
    (void)state;
    struct arena arena;
    struct key_map map;
    arena_init(&arena);
    key_map_init(&map, &arena, 0);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(
            key_map_put(&map, i % 3, slice_string(arena_printf(&arena, "key %u", i)), i), KEY_NONE);
    for (uint32_t i = 0; i < 5000; i++) {
        struct slice key = slice_string(arena_printf(&arena, "key %u", i));
        assert_int_equal(key_map_find(&map, i % 3, key), i);
        assert_int_equal(key_map_find(&map, (i + 1) % 3, key), KEY_NONE);
    }
    assert_int_equal(key_map_put(&map, 0, SLICE("key 0"), 7), 0);
    assert_int_equal(key_map_find(&map, 0, SLICE("key 0")), 7);
    arena_fini(&arena);
}

static void test_words__problems_sort_by_file_line_column(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    problems_add(&fixture.problems, SLICE("b"), 1, 1, "4");
    problems_add(&fixture.problems, SLICE("a"), 10, 1, "3");
    problems_add(&fixture.problems, SLICE("a"), 2, 7, "2");
    problems_add(&fixture.problems, SLICE("a"), 2, 5, "1\nof one line");
    problems_sort(&fixture.problems);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(fixture.problems.items[i].text.data[0], '1' + (int)i);
    assert_true(slice_is(fixture.problems.items[0].text, "1 of one line"));
    fixture_fini(&fixture);
}

static void test_words__long_problems_are_cut_between_characters(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    char text[2001];
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[2000] = '\0';
    problems_add(&fixture.problems, SLICE("a"), 1, 1, "%s", text);
    problems_add(&fixture.problems, SLICE("a"), 1, 1, "x%s", text);
    for (uint32_t i = 0; i < 2; i++) {
        struct slice cut = fixture.problems.items[i].text;
        assert_true(cut.length < 2000 && cut.length > 500);
        assert_int_equal((unsigned char)cut.data[cut.length - 1], 0xa4);
    }
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words__nearest_name_forgives_two_slips),
        cmocka_unit_test(test_words__keys_are_found_after_growth_and_by_space),
        cmocka_unit_test(test_words__problems_sort_by_file_line_column),
        cmocka_unit_test(test_words__long_problems_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
