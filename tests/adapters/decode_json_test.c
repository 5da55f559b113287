#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/decode_harness.h"
#include "adapters/samples.h"

#define ENVELOPE(records)                                                                          \
    "{\"listusagerecordsresponse\":{\"count\":9,\"usagerecord\":[" records "]}}"
#define A    "{\"account\":\"a\"}"
#define B    "{\"account\":\"b\"}"
#define OK_A "account='a'\n"
#define OK_B "account='b'\n"

static void test_decode_json__every_form_gives_the_same_records(void **state)
{
    (void)state;
    static const struct {
        const char *before, *between, *after;
    } forms[] = {
        {"{\"listusagerecordsresponse\":{\"count\":3,\"usagerecord\":[", ",", "]}}"},
        {"{\"count\":3,\"usagerecord\":[", ", \n", "]}\n"}, /* as cmk prints it */
        {"[", ",", "]"},
        {"", "\n", "\n"},
        {"", "\r\n", ""},
        {"", "", ""},
        {"[[", "],[", "]]"},
        {ENVELOPE("") "\n{\"listusagerecordsresponse\":{\"usagerecord\":[",
         "]}}\n{\"listusagerecordsresponse\":{\"count\":1,\"usagerecord\":[", "]}}\n"},
        {"[{\"listusagerecordsresponse\":{\"usagerecord\":[", ",",
         "]}},{\"listusagerecordsresponse\":{}}]"},
        {"\xef\xbb\xbf[", ",", "]"},
    };
    char *expected = samples_expected(false);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct text text = {0};
        for (int sample = 0; sample < 3; sample++) {
            text_printf(&text, "%s", sample == 0 ? forms[i].before : forms[i].between);
            put_sample_json(&text, sample);
        }
        text_printf(&text, "%s", forms[i].after);
        char *got = decode_every_way(&decoder_json, slice_of(text.data, text.length),
                                     (struct decode_view){0});
        assert_string_equal(got, expected);
        free(got);
        free(text.data);
    }
    free(expected);
}

static void test_decode_json__values_keep_their_text(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"number digits",
         SLICE("{\"size\":123456789012345678901234567890.10,\"memory\":-0,\"x\":1e+5}"),
         "size=123456789012345678901234567890.10 memory=-0 +x=1e+5\n"},
        {"booleans and null",
         SLICE("{\"issystem\":true,\"isdefault\":false,\"project\":null,\"x\":null,\"y\":true}"),
         "issystem=true isdefault=false +y=true\n"},
        {"escapes",
         SLICE("{\"name\":\"\\\"\\\\\\/"
               "\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\",\"x\\u0079\":\"\\u0041\"}"),
         "name='\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80' +xy='A'\n"},
        {"an escaped known key", SLICE("{\"acc\\u006funt\":\"a\"}"), OK_A},
        {"empty strings", SLICE("{\"account\":\"\",\"x\":\"\"}"), "account='' +x=''\n"},
        {"nested members are skipped",
         SLICE("{\"tags\":[{\"key\":\"account\",\"value\":{\"a\":[1,\"}\"]}}],\"account\":\"a\"}"),
         OK_A},
        {"pretty-printed",
         SLICE("{\n  \"account\" : \"a\" ,\n  \"tags\" : [\n    {\n      \"key\" : 1\n    }\n  "
               "]\n}\n"),
         OK_A},
        {"raw control characters",
         SLICE("{\"account\":\"a\x01\x1f\n\tb\\n\",\"x\\u0001\x02\":\"\x03\"}"),
         "account='a\x01\x1f\n\tb\n' +x\x01\x02='\x03'\n"},
        {"a URL-encoded answer",
         SLICE("{\"startdate\":\"2026-10-01T00%3A00%3A00%2B0000\",\"name\":\"a%20b+c%2bd%\",\"x\":"
               "\"%C3%A9\",\"size\":1}"),
         "name='a b c+d%' size=1 startdate='2026-10-01T00:00:00+0000' +x='\xc3\xa9'\n"},
        {"percent signs elsewhere mean themselves",
         SLICE("{\"startdate\":\"2026-10-01T00:00:00+0000\",\"name\":\"a%20b+c\"}"),
         "name='a%20b+c' startdate='2026-10-01T00:00:00+0000'\n"},
        {"a record without fields, in a list", SLICE("[{}]"), "\n"},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_BRIEF);
}

static void test_decode_json__answers_without_records(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"nothing", SLICE(""), ""},
        {"blanks", SLICE(" \n\r\n\t"), ""},
        {"an empty answer", SLICE("{\"listusagerecordsresponse\":{}}\n"), ""},
        {"a page past the end", SLICE("{\"listusagerecordsresponse\":{\"count\":1816}}"), ""},
        {"an empty answer of cmk", SLICE("{}\n{\"count\": 3}\n"), ""},
        {"an error",
         SLICE("{\"listusagerecordsresponse\":{\"uuidList\":[],\"errorcode\":431,\"cserrorcode\":"
               "9999,\"errortext\":\"no "
               "\\\"x\\\"\"}}"),
         "error 431 9999 no \"x\"\n"},
        {"an error without cserrorcode",
         SLICE("{ \"errorresponse\" : { \"errorcode\" : 401 , \"errortext\" : \"who?\" } }"),
         "error 401 0 who?\n"},
        {"a bare error", SLICE("{\"uuidList\":[{\"uuid\":\"x]}\"}],\"errorcode\":530}"),
         "error 530 0 \n"},
        {"an error between records", SLICE(A "\n{\"errorresponse\":{\"errorcode\":429}}\n" B),
         OK_A OK_B "error 429 0 \n"},
        {"another command's answer",
         SLICE("{\"listzonesresponse\":{\"count2\":1,\"zone\":[{\"id\":\"x\",\"name\":\"]\"}]}}" A),
         OK_A "error 0 0 an answer without usagerecord: is it one of listUsageRecords?\n"},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_BRIEF);
}

static void test_decode_json__a_broken_record_spoils_no_neighbour(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"a quote is missing", SLICE(ENVELOPE(A ",{\"account\":\"x,\"usagetype\":1}," B)),
         OK_A "!{\"account\":\"x,\"usagetype\":1}\n" OK_B},
        {"a comma is missing", SLICE(ENVELOPE(A ",{\"account\":\"x\" \"usagetype\":1}," B)),
         OK_A "!{\"account\":\"x\" \"usagetype\":1}\n" OK_B},
        {"the comma between records is missing", SLICE(ENVELOPE(A " " B)), OK_A OK_B},
        {"a brace is missing", SLICE(ENVELOPE("{\"account\":\"x\",\"tags\":[]," A "," B)),
         "!{\"account\":\"x\",\"tags\":[]\n" OK_A OK_B},
        {"an end is missing", SLICE(ENVELOPE("{\"account\":\"x\",\"na" A "," B)),
         "!{\"account\":\"x\",\"na\n" OK_A OK_B},
        {"a wrong bracket", SLICE(ENVELOPE("{\"account\":\"x\",\"tags\":[}}," A)),
         "!{\"account\":\"x\",\"tags\":[}}\n" OK_A},
        {"the last record of an answer", SLICE(ENVELOPE("{\"account\":\"x") "\n" ENVELOPE(A)),
         "!{\"account\":\"x]}}\n" OK_A},
        {"an answer cut within a record",
         SLICE("{\"listusagerecordsresponse\":{\"usagerecord\":[" A
               ",{\"account\":\"x\",\n" ENVELOPE(B)),
         OK_A "!{\"account\":\"x\"\n" OK_B},
        {"an answer cut between records",
         SLICE("{\"listusagerecordsresponse\":{\"usagerecord\":[" A ",\n" ENVELOPE(B)),
         OK_A OK_B
         "error 0 0 the input ends within an answer or a list: its closing brackets are missing\n"},
        {"the input ends between records", SLICE("[" A ","),
         OK_A
         "error 0 0 the input ends within an answer or a list: its closing brackets are missing\n"},
        {"the input ends within a record", SLICE("[" A ",{\"account\":\"b"),
         OK_A "!{\"account\":\"b\n"},
        {"a tag is no record",
         SLICE(ENVELOPE("{\"account\":\"x,\"tags\":[{\"key\":\"k\"},{\"key\":\"l\"}]}," A)),
         "!{\"account\":\"x,\"tags\":[{\"key\":\"k\"},{\"key\":\"l\"}]}\n" OK_A},
        {"a nested object is no record",
         SLICE(ENVELOPE("{\"account\":\"x,\"data\":{\"id\":1},\"disks\":[{\"id\":2}]}," A)),
         "!{\"account\":\"x,\"data\":{\"id\":1},\"disks\":[{\"id\":2}]}\n" OK_A},
        {"an envelope that cannot be read",
         SLICE("{\"listusagerecordsresponse\":{\"count\" 3,\"usagerecord\":[" A "," B "]}}"),
         "!\"count\" 3,\"usagerecord\":[\n" OK_A OK_B},
        {"a missing list end", SLICE("{\"listusagerecordsresponse\":{\"usagerecord\":[" A "}}"),
         OK_A "!}}\n"},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_BRIEF);
}

static void test_decode_json__a_broken_line_is_one_bad_record(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"garbage", SLICE(A "\nwhat is this?\n" B "\n"), OK_A "!what is this?\n" OK_B},
        {"garbage twice", SLICE("one two\r\nthree\r\n" A), "!one two\n!three\n" OK_A},
        {"a log line", SLICE("[2026-10-01] started {ok} [1]\n" A),
         "![2026-10-01] started {ok} [1]\n" OK_A},
        {"scalars", SLICE("12\n\"text\"\nnull\n[1,2,3]\n" A),
         "!12\n!\"text\"\n!null\n![1,2,3]\n" OK_A},
        {"scalars in a list", SLICE("[" A ",null,1," B ",\"x\"]\n" A),
         OK_A "!null,1\n" OK_B "!\"x\"\n" OK_A},
        {"text behind a record", SLICE(A " what?\n" B), OK_A "!what?\n" OK_B},
        {"text in front of a record", SLICE("what? " A "\n" B), "!what?\n" OK_A OK_B},
        {"a cut line, whatever the next one starts with",
         SLICE("{\"account\":\"x\",\"a\":1\n{\"zzz\":1}\n" A),
         "!{\"account\":\"x\",\"a\":1\n+zzz=1\n" OK_A},
        {"cut behind a bracket", SLICE("{\"account\":\"x\",\"tags\":[\n" A "\n" B),
         "!{\"account\":\"x\",\"tags\":[\n" OK_A OK_B},
        {"a quote is missing", SLICE("{\"account\":\"x}\n" A "\nmore\n" B),
         "!{\"account\":\"x}\n" OK_A "!more\n" OK_B},
        {"a cut pretty-printed record",
         SLICE("{\n  \"account\": \"x\",\n  \"a\": 1,\n{\n  \"zzz\": 1\n}\n" A),
         "!{\n  \"account\": \"x\",\n  \"a\": 1\n+zzz=1\n" OK_A},
        {"a closing bracket too many", SLICE(A "}\n" B), OK_A "!}\n" OK_B},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_BRIEF);
}

static void test_decode_json__refused_records_say_why(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"twice", SLICE("{\"account\":\"a\",\"account\":\"b\"}"),
         "! field account twice in one record: send it once\n"},
        {"nested", SLICE("{\"size\":{\"x\":1}}"),
         "! list or object in field size: send a plain value\n"},
        {"no UTF-8", SLICE("{\"name\":\"\xff\"}"),
         "! bytes that are not UTF-8: convert the text to UTF-8\n"},
        {"a leading zero", SLICE("{\"size\":01}"),
         "! a value that is no string, number, true, false or null: quote it\n"},
        {"a lone dot", SLICE("{\"size\":1.}"),
         "! a value that is no string, number, true, false or null: quote it\n"},
        {"half a word", SLICE("{\"size\":tru}"),
         "! a value that is no string, number, true, false or null: quote it\n"},
        {"an escape", SLICE("{\"name\":\"\\x\"}"),
         "! a backslash escape that JSON does not know: write the backslash twice\n"},
        {"half a pair", SLICE("{\"name\":\"\\ud83d\"}"),
         "! half of a \\u surrogate pair: send both halves or the character itself\n"},
        {"an event without data", SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"data\":\"x\"}"),
         "! CloudEvent without a JSON object in data: put account, meter and quantity there\n"},
        {"cut", SLICE("{\"size\":1"), "! cut off before its end: send it again whole\n"},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_REASONS);
}

static void test_decode_json__cloud_events_are_opened(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"the envelope stands in",
         SLICE("{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"/"
               "s\",\"type\":\"api.calls\",\"subject\":\"acme\","
               "\"time\":\"2026-10-01T00:00:00Z\",\"data\":{\"quantity\":5}}"),
         "account='acme' id='e1' meter='api.calls' quantity=5 time='2026-10-01T00:00:00Z' "
         "+specversion='1.0' +source='/s' "
         "+subject='acme'\n"},
        {"data goes first",
         SLICE("{\"data\":{\"account\":\"a\",\"meter\":\"m\",\"id\":\"i\",\"quantity\":"
               "\"1\\u002e5\",\"x\":\"\x01\"},"
               "\"specversion\":\"1.0\",\"id\":\"e1\",\"type\":\"t\",\"subject\":\"s\"}"),
         "account='a' id='i' meter='m' quantity='1.5' +specversion='1.0' +subject='s' +x='\x01'\n"},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_BRIEF);
}

static void test_decode_json__places_count_bytes_and_lines(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"lines", SLICE("\n" A "\n{\n\"account\":\"b\"}\r\nx\n"),
         "2:1 account='a'\n3:17 account='b'\n5:35 !x\n"},
    };
    DECODE_TABLE(decoder_json, cases, DECODE_PLACES);
}

/* One record of `length` bytes in all. */
static void put_long(struct text *text, size_t length)
{
    static const char before[] = "{\"account\":\"";
    static const char after[] = "\"}";
    char *fill = malloc(length);
    memset(fill, 'x', length);
    text_put(text, before, sizeof(before) - 1);
    text_put(text, fill, length - sizeof(before) - sizeof(after) + 2);
    text_put(text, after, sizeof(after) - 1);
    free(fill);
}

static size_t cut_large(void *context, size_t at, size_t length)
{
    size_t step = *(size_t *)context;
    return length - at < step ? length : at + step;
}

static void test_decode_json__the_longest_record_is_read_and_a_longer_one_given_up(void **state)
{
    (void)state;
    for (int list = 0; list < 2; list++) {
        struct text text = {0};
        text_printf(&text, list ? "[" A "," : A "\n");
        put_long(&text, RECORD_BYTES_MAX);
        text_printf(&text, list ? "," : "\n");
        put_long(&text, RECORD_BYTES_MAX + 1);
        text_printf(&text, list ? "," : "\n");
        put_long(&text, 3 * RECORD_BYTES_MAX);
        text_printf(&text, list ? "," B "]" : "\n" B "\n");
        char *whole = decode_whole(&decoder_json, slice_of(text.data, text.length), DECODE_ALL);
        size_t step = RECORD_BYTES_MAX / 3;
        char *cut = decode_cut(&decoder_json, slice_of(text.data, text.length), DECODE_ALL,
                               cut_large, &step);
        assert_true(strcmp(whole, cut) == 0);
        char *reasons =
            decode_whole(&decoder_json, slice_of(text.data, text.length), DECODE_REASONS);
        const char *last = strstr(reasons, "! longer than 1 MiB");
        assert_non_null(last);
        assert_string_equal(last, "! longer than 1 MiB: split or shorten the record\n"
                                  "! longer than 1 MiB: split or shorten the record\n" OK_B);
        free(whole);
        free(cut);
        free(reasons);
        free(text.data);
    }
}

static void test_decode_json__attributes_have_a_limit(void **state)
{
    (void)state;
    for (int count = RECORD_ATTRIBUTES_MAX; count <= RECORD_ATTRIBUTES_MAX + 1; count++) {
        struct text text = {0};
        text_printf(&text, "{\"account\":\"a\"");
        for (int i = 0; i < count; i++)
            text_printf(&text, ",\"x%d\":%d", i, i);
        text_printf(&text, "}" B);
        char *got = decode_whole(&decoder_json, slice_of(text.data, text.length), DECODE_REASONS);
        bool bad = strncmp(got, "! more than 64 members", 22) == 0;
        assert_int_equal(bad, count > RECORD_ATTRIBUTES_MAX);
        assert_non_null(strstr(got, OK_B));
        free(got);
        free(text.data);
    }
}

static void test_decode_json__blocks_fill_and_go_on(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 3 * RECORD_BLOCK_RECORDS; i++) {
        text_printf(&text, "{\"account\":\"%d\"", i);
        for (int j = 0; j < 40; j++)
            text_printf(&text, ",\"x%d\":%d", j, i);
        text_printf(&text, "}\n");
    }
    char *got =
        decode_whole(&decoder_json, slice_of(text.data, text.length), (struct decode_view){0});
    int lines = 0;
    for (const char *at = got; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 3 * RECORD_BLOCK_RECORDS);
    free(got);
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_json__every_form_gives_the_same_records),
        cmocka_unit_test(test_decode_json__values_keep_their_text),
        cmocka_unit_test(test_decode_json__answers_without_records),
        cmocka_unit_test(test_decode_json__a_broken_record_spoils_no_neighbour),
        cmocka_unit_test(test_decode_json__a_broken_line_is_one_bad_record),
        cmocka_unit_test(test_decode_json__refused_records_say_why),
        cmocka_unit_test(test_decode_json__cloud_events_are_opened),
        cmocka_unit_test(test_decode_json__places_count_bytes_and_lines),
        cmocka_unit_test(test_decode_json__the_longest_record_is_read_and_a_longer_one_given_up),
        cmocka_unit_test(test_decode_json__attributes_have_a_limit),
        cmocka_unit_test(test_decode_json__blocks_fill_and_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
