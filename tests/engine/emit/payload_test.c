#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "emit/payload.h"

static void test_payload_valid__takes_one_object_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"{}", true},
        {" { } \n", true},
        {"{\"a\":1}", true},
        {"{\"a\":{\"b\":[1,-2.5e+3,\"x\\u00e4\",true,false,null,[],{}]}}", true},
        {"", false},
        {" ", false},
        {"[]", false},
        {"\"a\"", false},
        {"{}{}", false},
        {"{\"a\":1,}", false},
        {"{,}", false},
        {"{\"a\"}", false},
        {"{\"a\":}", false},
        {"{a:1}", false},
        {"{\"a\":01}", false},
        {"{\"a\":1.}", false},
        {"{\"a\":-}", false},
        {"{\"a\":1e}", false},
        {"{\"a\":+1}", false},
        {"{\"a\":tru}", false},
        {"{\"a\":\"\\x\"}", false},
        {"{\"a\":\"\\u12g4\"}", false},
        {"{\"a\":\"line\nend\"}", false},
        {"{\"a\":[1}", false},
        {"{\"a\":1", false},
        {"{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", true},
        {"{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* A copy of the exact size, so that the sanitizer sees a read past the end. */
        size_t length = strlen(rows[i].text);
        char *text = malloc(length + 1);
        assert_non_null(text);
        memcpy(text, rows[i].text, length);
        if (payload_valid(slice_of(text, length)) != rows[i].valid)
            fail_msg("%s", rows[i].text);
        free(text);
    }
}

static void test_payload_valid__refuses_input_that_is_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":{\"b\":[1,-2.5e+3,\"x\\u00e4\",true,null]},\"c\":\"d\"}";
    for (size_t length = 0; length < sizeof(text) - 1; length++)
        assert_false(payload_valid(slice_of(text, length)));
}

static void test_payload_find__gives_text_without_its_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *name, *expected; /* NULL: not there */
    } rows[] = {
        {"{\"account\":\"acme\"}", "account", "acme"},
        {"{\"account\":\"\"}", "account", ""},
        {"{\"threshold\":80,\"x\":1}", "threshold", "80"},
        {"{\"x\":{\"account\":\"no\"},\"account\":\"yes\"}", "account", "yes"},
        {"{\"a\":\"q\\\" b\\\\ s\\/ n\\n\"}", "a", "q\" b\\ s/ n\n"},
        {"{\"a\":\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"}", "a",
         "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"{\"a\":\"\\ud83d.\\udc00\"}", "a", "\xef\xbf\xbd.\xef\xbf\xbd"},
        {"{\"\\u0061\":\"key\"}", "a", "key"},
        {"{\"a\":[1, 2]}", "a", "[1, 2]"},
        {"{\"b\":1}", "a", NULL},
        {"{}", "a", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct slice found;
        arena_init(&arena);
        bool is = payload_find(slice_string(rows[i].payload), rows[i].name, &arena, &found);
        assert_int_equal(is, rows[i].expected != NULL);
        if (is && !slice_is(found, rows[i].expected))
            fail_msg("%s: %.*s", rows[i].payload, (int)found.length, found.data);
        arena_fini(&arena);
    }
}

static void test_payload_write__copies_members_but_those_to_skip(void **state)
{
    (void)state;
    static const char *const skip[] = {"id", "status", NULL};
    char *text = NULL;
    size_t length = 0;
    struct arena arena;
    struct json json;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    arena_init(&arena);
    json_init(&json, out, false);
    json_object(&json);
    json_key_string(&json, "id", "1");
    payload_write(SLICE("{\"id\":\"forged\", \"amount\": 0.10000000000000000001, \"list\": [1, "
                        "\"a\\\"\", {\"id\": null}],"
                        " \"status\":\"sent\",\"yes\":true,\"no\":false,\"empty\":[],\"none\":{}}"),
                  skip, &json, &arena);
    json_object_end(&json);
    fclose(out);
    assert_string_equal(
        text,
        "{\"id\":\"1\",\"amount\":0.10000000000000000001,\"list\":[1,\"a\\\"\",{\"id\":null}],"
        "\"yes\":true,\"no\":false,\"empty\":[],\"none\":{}}\n");
    free(text);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_valid__takes_one_object_and_nothing_else),
        cmocka_unit_test(test_payload_valid__refuses_input_that_is_cut_anywhere),
        cmocka_unit_test(test_payload_find__gives_text_without_its_escapes),
        cmocka_unit_test(test_payload_write__copies_members_but_those_to_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
