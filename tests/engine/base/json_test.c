#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/json.h"

/* A writer into memory. */
struct page {
    char *text;
    size_t length;
    FILE *file;
    struct json json;
};

static struct json *page_open(struct page *page, bool pretty)
{
    page->file = open_memstream(&page->text, &page->length);
    assert_non_null(page->file);
    json_init(&page->json, page->file, pretty);
    return &page->json;
}

static void page_expect(struct page *page, const char *expected)
{
    assert_int_equal(fclose(page->file), 0);
    assert_string_equal(page->text, expected);
    free(page->text);
}

static void write_sample(struct json *json)
{
    struct currency eur;
    assert_int_equal(currency_parse(SLICE("EUR"), &eur), STATUS_OK);
    json_object(json);
    json_key_string(json, "period", "2026-10");
    json_key_integer(json, "read", -9);
    json_key_boolean(json, "ok", true);
    json_key_money(json, "amount", (struct money){4700000000000});
    json_key_amount(json, "rounded", (struct money){4700000000000}, eur);
    json_key_quantity(json, "quantity", (struct quantity){744000000});
    json_key_instant(json, "start", (struct instant){1790812800});
    json_key_instant(json, "end", INSTANT_MAX);
    json_key_string(json, "note", NULL);
    json_key(json, "lines");
    json_array(json);
    json_object(json);
    json_key_slice(json, "charge", SLICE("vm.small"));
    json_object_end(json);
    json_integer(json, 1);
    json_boolean(json, false);
    json_null(json);
    json_array_end(json);
    json_key(json, "empty");
    json_array(json);
    json_array_end(json);
    json_key(json, "none");
    json_object(json);
    json_object_end(json);
    json_object_end(json);
}

static void test_json__compact_is_one_line(void **state)
{
    (void)state;
    struct page page;
    write_sample(page_open(&page, false));
    page_expect(&page,
                "{\"period\":\"2026-10\",\"read\":-9,\"ok\":true,\"amount\":\"4.7\","
                "\"rounded\":\"4.70\",\"quantity\":\"744\",\"start\":\"2026-10-01T00:00:00Z\","
                "\"end\":null,\"note\":null,\"lines\":[{\"charge\":\"vm.small\"},1,false,null],"
                "\"empty\":[],\"none\":{}}\n");
}

static void test_json__pretty_indents_by_two_blanks(void **state)
{
    (void)state;
    struct page page;
    write_sample(page_open(&page, true));
    page_expect(&page, "{\n"
                       "  \"period\": \"2026-10\",\n"
                       "  \"read\": -9,\n"
                       "  \"ok\": true,\n"
                       "  \"amount\": \"4.7\",\n"
                       "  \"rounded\": \"4.70\",\n"
                       "  \"quantity\": \"744\",\n"
                       "  \"start\": \"2026-10-01T00:00:00Z\",\n"
                       "  \"end\": null,\n"
                       "  \"note\": null,\n"
                       "  \"lines\": [\n"
                       "    {\n"
                       "      \"charge\": \"vm.small\"\n"
                       "    },\n"
                       "    1,\n"
                       "    false,\n"
                       "    null\n"
                       "  ],\n"
                       "  \"empty\": [],\n"
                       "  \"none\": {}\n"
                       "}\n");
}

static void test_json__several_top_level_values_are_json_lines(void **state)
{
    (void)state;
    struct page page;
    struct json *json = page_open(&page, false);
    for (int i = 0; i < 3; i++) {
        json_object(json);
        json_key_integer(json, "n", i);
        json_object_end(json);
    }
    json_integer(json, INT64_MIN);
    page_expect(&page, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n-9223372036854775808\n");
}

static void test_json_string__escapes_what_must_be_and_repairs_utf8(void **state)
{
    (void)state;
#define BAD "\xef\xbf\xbd"
    static const struct {
        struct slice value;
        const char *expected;
    } rows[] = {
        {{NULL, 0}, "\"\"\n"},
        {SLICE("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"\n"},
        {SLICE("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"\n"},
        {SLICE("\0\x01\x0b\x1f\x7f"), "\"\\u0000\\u0001\\u000b\\u001f\x7f\"\n"},
        {SLICE("Gr\xc3\xb6\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x92\xb6"),
         "\"Gr\xc3\xb6\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x92\xb6\"\n"},
        {SLICE("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"),
         "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"\n"},
        {SLICE("\x80"), "\"" BAD "\"\n"},
        {SLICE("a\xff\"b"), "\"a" BAD "\\\"b\"\n"},
        {SLICE("\xc0\xaf"), "\"" BAD BAD "\"\n"},                 /* longer than needed */
        {SLICE("\xe0\x9f\xbf"), "\"" BAD BAD BAD "\"\n"},         /* longer than needed */
        {SLICE("\xed\xa0\x80"), "\"" BAD BAD BAD "\"\n"},         /* a surrogate */
        {SLICE("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\"\n"}, /* past U+10FFFF */
        {SLICE("\xf8\x88\x80\x80\x80"), "\"" BAD BAD BAD BAD BAD "\"\n"},
        {SLICE("x\xe2\x82"), "\"x" BAD "\"\n"}, /* cut at the end: one mark */
        {SLICE("\xe2\x82y"), "\"" BAD "y\"\n"},
        {SLICE("\xf0\x9f\x92\xc3\xb6"), "\"" BAD "\xc3\xb6\"\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct page page;
        json_string(page_open(&page, false), rows[i].value);
        page_expect(&page, rows[i].expected);
    }
}

static void test_json_key__is_escaped_too(void **state)
{
    (void)state;
    struct page page;
    struct json *json = page_open(&page, false);
    json_object(json);
    json_key_integer(json, "a\"\n", 1);
    json_object_end(json);
    page_expect(&page, "{\"a\\\"\\n\":1}\n");
}

static void test_json_number__writes_the_digits_as_they_are(void **state)
{
    (void)state;
    static const char *const rows[] = {"0", "-0", "12.50", "1e9", "-1.5E-7", "1e+0"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct page page;
        char expected[32];
        json_number(page_open(&page, false), slice_string(rows[i]));
        snprintf(expected, sizeof expected, "%s\n", rows[i]);
        page_expect(&page, expected);
    }
}

static void number_empty(struct json *json)
{
    json_number(json, SLICE(""));
}

static void number_zero_first(struct json *json)
{
    json_number(json, SLICE("01"));
}

static void number_no_fraction(struct json *json)
{
    json_number(json, SLICE("1."));
}

static void number_nan(struct json *json)
{
    json_number(json, SLICE("nan"));
}

static void number_no_exponent(struct json *json)
{
    json_number(json, SLICE("1e"));
}

static void key_at_top(struct json *json)
{
    json_key(json, "a");
}

static void key_in_array(struct json *json)
{
    json_array(json);
    json_key(json, "a");
}

static void value_without_key(struct json *json)
{
    json_object(json);
    json_integer(json, 1);
}

static void key_after_key(struct json *json)
{
    json_object(json);
    json_key(json, "a");
    json_key(json, "b");
}

static void end_after_key(struct json *json)
{
    json_object(json);
    json_key(json, "a");
    json_object_end(json);
}

static void wrong_end(struct json *json)
{
    json_object(json);
    json_array_end(json);
}

static void end_at_top(struct json *json)
{
    json_array_end(json);
}

static void too_deep(struct json *json)
{
    for (int i = 0; i <= JSON_DEPTH_MAX; i++)
        json_array(json);
}

static void test_json__wrong_use_is_an_assertion(void **state)
{
    (void)state;
    static void (*const wrong[])(struct json * json) = {
        key_at_top,         key_in_array, value_without_key,  key_after_key, end_after_key,
        wrong_end,          end_at_top,   too_deep,           number_empty,  number_zero_first,
        number_no_fraction, number_nan,   number_no_exponent,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct json json;
            signal(SIGABRT, SIG_DFL);
            assert_non_null(freopen("/dev/null", "w", stderr));
            json_init(&json, stderr, false);
            wrong[i](&json);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("wrong use %zu passes", i);
    }
}

static void test_json__the_deepest_nesting_is_held(void **state)
{
    (void)state;
    struct page page;
    struct json *json = page_open(&page, false);
    char expected[2 * JSON_DEPTH_MAX + 2];
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        json_array(json);
        expected[i] = '[';
        expected[2 * JSON_DEPTH_MAX - 1 - i] = ']';
    }
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_array_end(json);
    memcpy(expected + 2 * JSON_DEPTH_MAX, "\n", 2);
    page_expect(&page, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__compact_is_one_line),
        cmocka_unit_test(test_json__pretty_indents_by_two_blanks),
        cmocka_unit_test(test_json__several_top_level_values_are_json_lines),
        cmocka_unit_test(test_json_string__escapes_what_must_be_and_repairs_utf8),
        cmocka_unit_test(test_json_key__is_escaped_too),
        cmocka_unit_test(test_json_number__writes_the_digits_as_they_are),
        cmocka_unit_test(test_json__wrong_use_is_an_assertion),
        cmocka_unit_test(test_json__the_deepest_nesting_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
