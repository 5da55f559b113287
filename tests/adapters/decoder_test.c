#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "adapters/decode.h"

static void test_decoder__find_knows_the_four_forms(void **state)
{
    (void)state;
    assert_ptr_equal(decoder_find("json"), &decoder_json);
    assert_ptr_equal(decoder_find("xml"), &decoder_xml);
    assert_ptr_equal(decoder_find("csv"), &decoder_csv);
    assert_ptr_equal(decoder_find("msgpack"), &decoder_msgpack);
    assert_null(decoder_find("cloudstack"));
    assert_null(decoder_find(""));
}

static void test_decoder__sniff_finds_the_form(void **state)
{
    (void)state;
    static const struct {
        struct slice head;
        const struct decoder_class *any, *cloudstack;
    } cases[] = {
        {SLICE(""), &decoder_json, &decoder_json},
        {SLICE(" \n"), &decoder_json, &decoder_json},
        {SLICE("what is this?"), &decoder_json, &decoder_json},
        {SLICE("{\"listusagerecordsresponse\":{"), &decoder_json, &decoder_json},
        {SLICE("\xef\xbb\xbf [\n {\"id\""), &decoder_json, &decoder_json},
        {SLICE("{}"), &decoder_json, &decoder_json},
        {SLICE("[]"), &decoder_json, &decoder_json},
        {SLICE("{"), &decoder_json, &decoder_json},
        {SLICE("<?xml version=\"1.0\"?>"), &decoder_xml, &decoder_xml},
        {SLICE("\n<usagerecord>"), &decoder_xml, &decoder_xml},
        {SLICE("\xef\xbb\xbf<listusagerecordsresponse"), &decoder_xml, &decoder_xml},
        {SLICE("account,usagetype\n"), &decoder_csv, &decoder_json},
        {SLICE("\xef\xbb\xbf\"ID\";foo\r\n"), &decoder_csv, &decoder_json},
        {SLICE("foo\tQuantity\tbar"), &decoder_csv, &decoder_json},
        {SLICE("\x81\xa7"
               "account\xa1"
               "a"),
         &decoder_msgpack, &decoder_json},
        {SLICE("\xdc\x00\x02\x81\xa2id\x01"), &decoder_msgpack, &decoder_json},
        {SLICE("\x81\xb8listusagerecordsresponse\x80"), &decoder_msgpack, &decoder_json},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(decoder_sniff(cases[i].head, false)->name, cases[i].any->name);
        assert_string_equal(decoder_sniff(cases[i].head, true)->name, cases[i].cloudstack->name);
    }
}

static void test_decoder__sniff_takes_any_cut_of_a_stream(void **state)
{
    (void)state;
    static const struct slice heads[] = {SLICE("\x93\xde\x00\x22\xa7"
                                               "account"),
                                         SLICE("\xef\xbb\xbf{\"a\":1}"),
                                         SLICE("\"account\",\"id\"\r\n")};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        for (size_t length = 0; length <= heads[i].length; length++) {
            char *copy = malloc(length + 1); /* so that a read too far shows */
            memcpy(copy, heads[i].data, length);
            assert_non_null(decoder_sniff(slice_of(copy, length), false));
            free(copy);
        }
    }
}

static void test_decoder__scratch_is_reused_and_never_moves(void **state)
{
    (void)state;
    struct scratch scratch = {0};
    char *first = scratch_alloc(&scratch, 100);
    assert_non_null(first);
    memset(first, 'a', 100);
    char *large = scratch_alloc(&scratch, 1 << 20);
    assert_non_null(large);
    memset(large, 'b', 1 << 20);
    assert_int_equal(first[99], 'a');
    scratch_trim(&scratch, large + 10);
    assert_ptr_equal(scratch_alloc(&scratch, 10), large + 10);
    scratch_reset(&scratch);
    assert_ptr_equal(scratch_alloc(&scratch, 100), first);
    assert_ptr_equal(scratch_alloc(&scratch, 1 << 20), large);
    scratch_fini(&scratch);
}

static void test_decoder__error_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char text[400];
    struct envelope_error error = {0};
    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    envelope_text(&error, slice_of(text, sizeof(text)));
    assert_int_equal(strlen(error.text), 254);
    assert_true(utf8_valid(error.text, 254));
    assert_false(utf8_valid("abcdefgh\xc3", 9));
    assert_true(utf8_valid("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder__find_knows_the_four_forms),
        cmocka_unit_test(test_decoder__sniff_finds_the_form),
        cmocka_unit_test(test_decoder__sniff_takes_any_cut_of_a_stream),
        cmocka_unit_test(test_decoder__scratch_is_reused_and_never_moves),
        cmocka_unit_test(test_decoder__error_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
