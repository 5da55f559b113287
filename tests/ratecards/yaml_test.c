/* YAML text to trees: kinds, quotes, places, documents and their own lines, limits. */
#include "ratecards/fixture.h"
#include "ratecards/yaml.h"

struct reading {
    struct arena arena;
    struct problems problems;
    struct yaml_input *input;
};

static void reading_init(struct reading *reading, const char *text)
{
    *reading = (struct reading){0};
    arena_init(&reading->arena);
    problems_init(&reading->problems, &reading->arena);
    assert_int_equal(
        yaml_open(SLICE("f"), slice_string(text), 1, &reading->problems, &reading->input),
        STATUS_OK);
}

static void reading_fini(struct reading *reading)
{
    yaml_close(reading->input);
    arena_fini(&reading->arena);
}

static struct yaml_tree next(struct reading *reading)
{
    struct yaml_tree tree;
    assert_int_equal(yaml_next(reading->input, &reading->arena, &reading->arena, &tree), STATUS_OK);
    return tree;
}

static void test_yaml__scalars_keep_their_text_and_whether_they_are_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *text;
        bool quoted;
    } table[] = {
        {"NO", "NO", false},
        {"0777", "0777", false},
        {"1_000", "1_000", false},
        {"12:30:45", "12:30:45", false},
        {"0.10", "0.10", false},
        {"\"0.10\"", "0.10", true},
        {"'it''s'", "it's", true},
        {"\"\\u00e4\\n\"", "\xc3\xa4\n", true},
        {"|-\n  two\n  lines", "two\nlines", true},
        {">-\n  one\n  line", "one line", true},
        {"\"\"", "", true},
        {"", "", false},
        {"~", "~", false},
        {"two\n  lines", "two lines", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct reading reading;
        char text[100];
        snprintf(text, sizeof text, "# \xc3\xa4\nkey: %s\n", table[i].yaml);
        reading_init(&reading, text);
        const struct node *value = node_value(next(&reading).root, "key");
        assert_non_null(value);
        assert_int_equal(value->kind, NODE_SCALAR);
        if (!slice_is(value->text, table[i].text) || value->quoted != table[i].quoted)
            fail_msg("%s became %.*s", table[i].yaml, (int)value->text.length, value->text.data);
        assert_int_equal(value->line, 2);
        reading_fini(&reading);
    }
}

static void test_yaml__unchanged_texts_are_borrowed(void **state)
{
    (void)state;
    static const char text[] = "{a: plain, b: \"quoted\", c: \"esc\\x41ped\"}\n";
    struct reading reading;
    reading_init(&reading, text);
    const struct node *root = next(&reading).root;
    assert_ptr_equal(node_value(root, "a")->text.data, text + 4);
    assert_ptr_equal(node_value(root, "b")->text.data, text + 15);
    assert_true(slice_is(node_value(root, "c")->text, "escAped"));
    reading_fini(&reading);
}

static void test_yaml__lists_and_maps_count_and_chain(void **state)
{
    (void)state;
    struct reading reading;
    reading_init(&reading, "list: [a, [b, c], {d: e}]\nmap: {x: 1, y: 2}\nempty: []\n");
    const struct node *root = next(&reading).root;
    assert_int_equal(root->count, 3);
    const struct node *list = node_value(root, "list");
    assert_int_equal(list->count, 3);
    assert_true(slice_is(list->first->text, "a"));
    assert_int_equal(list->first->next->count, 2);
    assert_true(slice_is(node_value(list->first->next->next, "d")->text, "e"));
    assert_null(list->first->next->next->next);
    assert_int_equal(node_value(root, "map")->count, 2);
    assert_null(node_value(root, "empty")->first);
    assert_null(node_value(list, "x")); /* not a map */
    assert_null(node_value(root, "x"));
    reading_fini(&reading);
}

/* A rate card is kept as its own lines: they must be its own, whatever stands around them. */
static void test_yaml__documents_know_their_own_lines(void **state)
{
    (void)state;
    static const char text[] =
        "# head\na: 1\n# tail of a\n---\n# head of b\nb: \xc3\xa4\n...\n%YAML 1.2\n---\nc: 3";
    static const struct {
        const char *text;
        uint32_t line, key_line;
    } documents[] = {
        {"a: 1\n# tail of a\n", 2, 2},
        {"---\n# head of b\nb: \xc3\xa4\n...\n", 4, 6},
        {"%YAML 1.2\n---\nc: 3", 8, 10},
    };
    struct reading reading;
    reading_init(&reading, text);
    for (size_t i = 0; i < 3; i++) {
        struct yaml_tree tree = next(&reading);
        if (!slice_is(tree.text, documents[i].text))
            fail_msg("document %zu is <%.*s>", i, (int)tree.text.length, tree.text.data);
        assert_int_equal(tree.line, documents[i].line);
        assert_int_equal(tree.root->first->line, documents[i].key_line);
        /* read alone, its places are the same */
        struct yaml_input *alone;
        struct yaml_tree again;
        assert_int_equal(yaml_open(SLICE("f"), tree.text, tree.line, &reading.problems, &alone),
                         STATUS_OK);
        assert_int_equal(yaml_next(alone, &reading.arena, &reading.arena, &again), STATUS_OK);
        assert_int_equal(again.root->first->line, documents[i].key_line);
        assert_true(slice_equal(again.text, tree.text));
        yaml_close(alone);
    }
    struct yaml_tree tree;
    assert_int_equal(yaml_next(reading.input, &reading.arena, &reading.arena, &tree),
                     STATUS_NOT_FOUND);
    assert_int_equal(reading.problems.count, 0);
    reading_fini(&reading);
}

static void test_yaml__empty_documents_have_no_root(void **state)
{
    (void)state;
    struct reading reading;
    reading_init(&reading, "---\n---\na: 1\n---\n# nothing\n");
    assert_null(next(&reading).root);
    assert_non_null(next(&reading).root);
    assert_null(next(&reading).root);
    reading_fini(&reading);
}

static void test_yaml__nothing_is_read_after_a_syntax_error(void **state)
{
    (void)state;
    struct reading reading;
    struct yaml_tree tree;
    reading_init(&reading, "a: [\n---\nb: 1\n");
    assert_int_equal(yaml_next(reading.input, &reading.arena, &reading.arena, &tree),
                     STATUS_INVALID);
    assert_int_equal(yaml_next(reading.input, &reading.arena, &reading.arena, &tree),
                     STATUS_INVALID);
    assert_int_equal(reading.problems.count, 1);
    reading_fini(&reading);
}

static void test_yaml__maps_have_a_limit(void **state)
{
    (void)state;
    struct reading reading;
    struct yaml_tree tree;
    char text[8192], *at = text;
    for (int i = 0; i <= TREE_KEYS_MAX; i++)
        at += sprintf(at, "k%d: %d\n", i, i);
    reading_init(&reading, text);
    assert_int_equal(yaml_next(reading.input, &reading.arena, &reading.arena, &tree),
                     STATUS_INVALID);
    assert_int_equal(reading.problems.items[0].line, TREE_KEYS_MAX + 1);
    reading_fini(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml__scalars_keep_their_text_and_whether_they_are_quoted),
        cmocka_unit_test(test_yaml__unchanged_texts_are_borrowed),
        cmocka_unit_test(test_yaml__lists_and_maps_count_and_chain),
        cmocka_unit_test(test_yaml__documents_know_their_own_lines),
        cmocka_unit_test(test_yaml__empty_documents_have_no_root),
        cmocka_unit_test(test_yaml__nothing_is_read_after_a_syntax_error),
        cmocka_unit_test(test_yaml__maps_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
