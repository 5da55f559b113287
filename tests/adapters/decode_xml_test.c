#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/decode_harness.h"
#include "adapters/samples.h"

#define ANSWER(records)                                                                            \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><listusagerecordsresponse "                         \
    "cloud-stack-version=\"4.20.0.0\">"                                                            \
    "<count>9</count>" records "</listusagerecordsresponse>"
#define RECORD(members) "<usagerecord>" members "</usagerecord>"
#define A               RECORD("<account>a</account>")
#define B               RECORD("<account>b</account>")
#define OK_A            "account='a'\n"
#define OK_B            "account='b'\n"
#define CUT             "error 0 0 the input ends within an answer: its end tag is missing\n"

static void test_decode_xml__every_form_gives_the_same_records(void **state)
{
    (void)state;
    static const struct {
        const char *before, *between, *after;
    } forms[] = {
        {"<?xml version=\"1.0\" encoding=\"UTF-8\"?><listusagerecordsresponse "
         "cloud-stack-version=\"4.20.0.0\"><count>3</count>",
         "", "</listusagerecordsresponse>"},
        {"<listusagerecordsresponse>\n  ", "\n  ", "\n</listusagerecordsresponse>\n"},
        {"", "\n", "\n"},
        {"\xef\xbb\xbf", "", ""},
        {ANSWER("") "\n<listusagerecordsresponse/><!-- a > b "
                    "-->\n<listusagerecordsresponse><count>1</count>",
         "</listusagerecordsresponse>\n<listusagerecordsresponse>", "</listusagerecordsresponse>"},
    };
    char *expected = samples_expected(true);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct text text = {0};
        for (int sample = 0; sample < 3; sample++) {
            text_printf(&text, "%s", sample == 0 ? forms[i].before : forms[i].between);
            put_sample_xml(&text, sample);
        }
        text_printf(&text, "%s", forms[i].after);
        char *got = decode_every_way(&decoder_xml, slice_of(text.data, text.length),
                                     (struct decode_view){0});
        assert_string_equal(got, expected);
        free(got);
        free(text.data);
    }
    free(expected);
}

static void test_decode_xml__values_keep_their_text(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"escapes",
         SLICE(RECORD("<name>&lt;a&gt; &amp;&quot;&apos;&#65;&#x20ac;</name><x>&amp;amp;</x>")),
         "name='<a> &\"'A\xe2\x82\xac' +x='&amp;'\n"},
        {"blanks between elements",
         SLICE("<usagerecord>\n  <account>a</account>\r\n\t<x> b </x>\n</usagerecord>"),
         "account='a' +x=' b '\n"},
        {"tags are skipped",
         SLICE(RECORD("<tags><key>account</key><value>v</value></tags><tags><key>k</key></"
                      "tags><account>a</account><tags/>")),
         OK_A},
        {"empty elements", SLICE(RECORD("<account></account><name/><x/><y></y>")),
         "account='' name=''\n"},
        {"control characters", SLICE(RECORD("<account>a</account><x>\x01p\x1f\tq</x>")),
         "account='a' +x='\x01p\x1f\tq'\n"},
        {"CDATA", SLICE(RECORD("<account><![CDATA[<a>&]]></account>")), "account='<a>&'\n"},
        {"a URL-encoded answer",
         SLICE(RECORD(
             "<startdate>2026-10-01T00%3A00%3A00%2B0000</startdate><name>a%20b</name><x>%26</x>")),
         "name='a b' startdate='2026-10-01T00:00:00+0000' +x='&'\n"},
        {"an empty record", SLICE("<usagerecord/>" A), "\n" OK_A},
    };
    DECODE_TABLE(decoder_xml, cases, DECODE_BRIEF);
}

static void test_decode_xml__answers_without_records(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"nothing", SLICE(" \n"), ""},
        {"an empty answer",
         SLICE("<?xml version=\"1.0\"?><listusagerecordsresponse></listusagerecordsresponse>\n"),
         ""},
        {"a page past the end", SLICE(ANSWER("")), ""},
        {"an error",
         SLICE("<?xml version=\"1.0\"?><errorresponse "
               "cloud-stack-version=\"4\"><uuidList><uuid>1</uuid></uuidList>"
               "<errorcode>431</errorcode><cserrorcode>9999</cserrorcode><errortext>no "
               "&quot;x&quot; &amp; "
               "y</errortext></errorresponse>"),
         "error 431 9999 no \"x\" & y\n"},
        {"an error between records",
         SLICE(A "<errorresponse><errorcode>401</errorcode></errorresponse>" B),
         OK_A OK_B "error 401 0 \n"},
        {"another command's answer",
         SLICE("<listzonesresponse><zone><id>1</id></zone></listzonesresponse>"),
         "error 0 0 an answer without usagerecord: is it one of listUsageRecords?\n"},
        {"a proxy's page", SLICE("<html><body><p>Bad gateway</p></body></html>"),
         "error 0 0 an answer without usagerecord: is it one of listUsageRecords?\n"},
    };
    DECODE_TABLE(decoder_xml, cases, DECODE_BRIEF);
}

static void test_decode_xml__a_broken_record_spoils_no_neighbour(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"mismatched tags", SLICE(ANSWER(A "<usagerecord><account>x<account></usagerecord>" B)),
         OK_A "!<usagerecord><account>x<account></usagerecord>\n" OK_B},
        {"an unknown entity", SLICE(ANSWER(RECORD("<account>&x;</account>") B)),
         "!" RECORD("<account>&x;</account>") "\n" OK_B},
        {"no end tag", SLICE(ANSWER("<usagerecord><account>x</account>\n" B)),
         "!<usagerecord><account>x</account>\n" OK_B},
        {"no end tag at an answer's end",
         SLICE(ANSWER("<usagerecord><account>x</account>") "\n" ANSWER(B)),
         "!<usagerecord><account>x</account>\n" OK_B},
        {"text between", SLICE(A "\nwhat?\n" B " more " A), OK_A "!what?\n" OK_B "!more\n" OK_A},
        {"a damaged start tag",
         SLICE(ANSWER("<usagexecord><account>x</account><size>1</size></usagerecord>" B)),
         "!<account>x</account><size>1</size></usagerecord>\n" OK_B},
        {"a damaged end tag", SLICE(ANSWER("<usagerecord><account>x</account></usagerecord" B)),
         "!<usagerecord><account>x</account></usagerecord\n" OK_B},
        {"a cut tag", SLICE(A "\n<coun\n" B), OK_A "!<coun\n" OK_B},
        {"the input ends within a record",
         SLICE("<listusagerecordsresponse>" A "<usagerecord><acc"), OK_A "!<usagerecord><acc\n"},
        {"the input ends between records", SLICE("<listusagerecordsresponse>" A), OK_A CUT},
        {"an answer cut between records", SLICE("<listusagerecordsresponse>" A ANSWER(B)),
         OK_A OK_B CUT},
    };
    DECODE_TABLE(decoder_xml, cases, DECODE_BRIEF);
}

static void test_decode_xml__refused_records_say_why(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"twice", SLICE(RECORD("<account>a</account><account>a</account>")),
         "! field account twice in one record: send it once\n"},
        {"nested", SLICE(RECORD("<size><x>1</x></size>")),
         "! list or object in field size: send a plain value\n"},
        {"no UTF-8", SLICE(RECORD("<name>\xff</name>")),
         "! bytes that are not UTF-8: convert the text to UTF-8\n"},
        {"loose text", SLICE(RECORD("x<name>a</name>")),
         "! text between the elements of a record: put it into an element\n"},
        {"no end", SLICE("<usagerecord>" A),
         "! </usagerecord> is missing: send the record again whole\n" OK_A},
        {"billion laughs", SLICE("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>" RECORD("<name>&a;</name>")),
         "! a tag without its closing bracket: correct it\n"
         "! text outside of XML elements: remove it\n! XML that cannot be parsed: check tags and "
         "escapes\n"},
    };
    DECODE_TABLE(decoder_xml, cases, DECODE_REASONS);
}

static void test_decode_xml__places_count_bytes_and_lines(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"lines", SLICE("\n" A "\n<usagerecord>\n<account>b</account></usagerecord>\r\nx\n"),
         "2:1 account='a'\n3:49 account='b'\n5:99 !x\n"},
    };
    DECODE_TABLE(decoder_xml, cases, DECODE_PLACES);
}

static size_t cut_large(void *context, size_t at, size_t length)
{
    size_t step = *(size_t *)context;
    return length - at < step ? length : at + step;
}

static void test_decode_xml__a_record_too_long_is_given_up_alone(void **state)
{
    (void)state;
    struct text text = {0};
    char *fill = malloc(3 * RECORD_BYTES_MAX);
    memset(fill, 'x', 3 * RECORD_BYTES_MAX);
    text_printf(&text, A "<usagerecord><name>");
    text_put(&text, fill, 3 * RECORD_BYTES_MAX);
    text_printf(&text, "</name></usagerecord>" B);
    text_put(&text, fill, 2 * RECORD_BYTES_MAX);
    text_printf(&text, "\n" A);
    size_t step = RECORD_BYTES_MAX / 3;
    char *whole = decode_whole(&decoder_xml, slice_of(text.data, text.length), DECODE_REASONS);
    char *cut = decode_cut(&decoder_xml, slice_of(text.data, text.length), DECODE_REASONS,
                           cut_large, &step);
    assert_string_equal(whole, cut);
    assert_string_equal(whole, OK_A "! longer than 1 MiB: split or shorten the record\n" OK_B
                                    "! text outside of XML elements: remove it\n" OK_A);
    free(whole);
    free(cut);
    free(fill);
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_xml__every_form_gives_the_same_records),
        cmocka_unit_test(test_decode_xml__values_keep_their_text),
        cmocka_unit_test(test_decode_xml__answers_without_records),
        cmocka_unit_test(test_decode_xml__a_broken_record_spoils_no_neighbour),
        cmocka_unit_test(test_decode_xml__refused_records_say_why),
        cmocka_unit_test(test_decode_xml__places_count_bytes_and_lines),
        cmocka_unit_test(test_decode_xml__a_record_too_long_is_given_up_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
