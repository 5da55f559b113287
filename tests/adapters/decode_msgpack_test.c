#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/decode_harness.h"
#include "adapters/samples.h"

#define ACCOUNT                                                                                    \
    "\xa7"                                                                                         \
    "account"
#define A                                                                                          \
    "\x81" ACCOUNT "\xa1"                                                                          \
    "a"
#define B                                                                                          \
    "\x81" ACCOUNT "\xa1"                                                                          \
    "b"
#define OK_A "account='a'\n"
#define OK_B "account='b'\n"
#define RESPONSE                                                                                   \
    "\xb8"                                                                                         \
    "listusagerecordsresponse"
#define RECORDS                                                                                    \
    "\xab"                                                                                         \
    "usagerecord"
#define COUNT                                                                                      \
    "\xa5"                                                                                         \
    "count"
#define CUT "error 0 0 the input ends within an answer or a list\n"

static void test_decode_msgpack__every_form_gives_the_same_records(void **state)
{
    (void)state;
    static const struct {
        struct slice before, between;
    } forms[] = {
        {SLICE(""), SLICE("")},
        {SLICE("\x93"), SLICE("")},
        {SLICE("\xdc\x00\x03"), SLICE("")},
        {SLICE("\x93\x91"), SLICE("\x91")},
        {SLICE("\x81" RESPONSE "\x82" COUNT "\x03" RECORDS "\x93"), SLICE("")},
        {SLICE("\x82" COUNT "\xcd\x01\x00" RECORDS "\x93"), SLICE("")},
        {SLICE("\x81" RESPONSE "\x81" RECORDS "\x91"),
         SLICE("\x81" RESPONSE "\x81" RECORDS "\xdd\x00\x00\x00\x01")},
    };
    char *expected = samples_expected(false);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct text text = {0};
        for (int sample = 0; sample < 3; sample++) {
            struct slice front = sample == 0 ? forms[i].before : forms[i].between;
            text_put(&text, front.data, front.length);
            put_sample_msgpack(&text, sample);
        }
        char *got = decode_every_way(&decoder_msgpack, slice_of(text.data, text.length),
                                     (struct decode_view){0});
        assert_string_equal(got, expected);
        free(got);
        free(text.data);
    }
    free(expected);
}

static void test_decode_msgpack__values_become_text(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"integers",
         SLICE("\x86\xa4size\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa6memory\x7f\xa1p\xff\xa1q\xd3"
               "\x80\x00\x00\x00\x00\x00\x00\x00"
               "\xa1r\xcc\xff\xa1s\xd1\xff\x00"),
         "size=18446744073709551615 memory=127 +p=-1 +q=-9223372036854775808 +r=255 +s=-256\n"},
        {"booleans and nil", SLICE("\x84\xa8issystem\xc3\xa9isdefault\xc2\xa4name\xc0\xa1x\xc3"),
         "issystem=true isdefault=false +x=true\n"},
        {"str and bin",
         SLICE("\x84\xa7"
               "account\xd9\x01"
               "a\xa4name\xc4\x01"
               "b\xc4\x01x\xda\x00\x01y\xa1z\xa0"),
         "account='a' name='b' +x='y' +z=''\n"},
        {"what an attribute cannot hold is skipped",
         SLICE("\x85\xa4tags\x91\x81\xa3key\xa1v\xa1"
               "f\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa1g\xca\x3f\xc0\x00\x00\xa1"
               "e\xd4\x01\x00" ACCOUNT "\xa1"
               "a"),
         OK_A},
        {"a URL-encoded answer",
         SLICE("\x82\xa9startdate\xbf"
               "2026-10-01T00%3A00%3A00%2B00:00\xa4name\xa5"
               "a%20b"),
         "name='a b' startdate='2026-10-01T00:00:00+00:00'\n"},
        {"an empty map in a list", SLICE("\x91\x80"), "\n"},
    };
    DECODE_TABLE(decoder_msgpack, cases, DECODE_BRIEF);
}

static void test_decode_msgpack__answers_without_records(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"nothing", SLICE(""), ""},
        {"an empty map", SLICE("\x80\x90"), ""},
        {"an empty answer", SLICE("\x81" RESPONSE "\x80"), ""},
        {"a page past the end", SLICE("\x81" RESPONSE "\x81" COUNT "\xcd\x07\x18"), ""},
        {"an error",
         SLICE("\x81\xad"
               "errorresponse\x84\xa8uuidList\x91\xa1x\xa9"
               "errorcode\xcd\x01\xaf\xab"
               "cserrorcode\xcd\x27\x0f\xa9"
               "errortext\xa2no"),
         "error 431 9999 no\n"},
        {"an error between records",
         SLICE(A "\x81\xa9"
                 "errorcode\xcd\x01\x91" B),
         OK_A OK_B "error 401 0 \n"},
        {"another command's answer",
         SLICE("\x81\xad"
               "zonesresponse\x81\xa4zone\x91\x81\xa2id\x01" A),
         OK_A "error 0 0 an answer without usagerecord: is it one of listUsageRecords?\n"},
    };
    DECODE_TABLE(decoder_msgpack, cases, DECODE_BRIEF);
}

static void test_decode_msgpack__a_broken_record_spoils_no_neighbour(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"no msgpack", SLICE(A "\xc1garbage" B), OK_A "!\xc1garbage\n" OK_B},
        {"a scalar in a list", SLICE("\x93" A "\xc0" B), OK_A "!\xc0\n" OK_B},
        {"a scalar by itself", SLICE("\x05" A), "!\x05\n" OK_A},
        {"a length too small: what is left of the text is another bad record",
         SLICE(A "\x81" ACCOUNT "\xa1xyz" B), OK_A "account='x'\n!yz\n" OK_B},
        {"a length too great: the swallowed neighbour is found again",
         SLICE(A "\x82" ACCOUNT "\xa5"
                 "xy" B B),
         OK_A "!\x82" ACCOUNT "\xa5xy\n" OK_B OK_B},
        {"text in a list is one bad record", SLICE("\x93" A "what" B), OK_A "!what\n" OK_B},
        {"the input ends within a record", SLICE("\x92" A "\x81" ACCOUNT),
         OK_A "!\x81" ACCOUNT "\n"},
        {"the input ends between records", SLICE("\x92" A), OK_A CUT},
        {"a key that is no string", SLICE("\x81\x01\x02" A), "!\x81\x01\x02\n" OK_A},
        {"a claim of four billion elements", SLICE("\xdf\xff\xff\xff\xff" A),
         "!\xdf\xff\xff\xff\xff\n" OK_A},
        {"a claim of a text of 4 GiB", SLICE("\x81" ACCOUNT "\xdb\xff\xff\xff\xff" A),
         "!\x81" ACCOUNT "\xdb\xff\xff\xff\xff\n" OK_A},
    };
    DECODE_TABLE(decoder_msgpack, cases, DECODE_BRIEF);
}

static void test_decode_msgpack__refused_records_say_why(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"a float", SLICE("\x81\xa8quantity\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"),
         "! float in field quantity: send a string\n"},
        {"a short float", SLICE("\x81\xa4size\xca\x3f\xc0\x00\x00"),
         "! float in field size: send a string\n"},
        {"twice",
         SLICE("\x82" ACCOUNT "\xa1"
               "a" ACCOUNT "\xa1"
               "a"),
         "! field account twice in one record: send it once\n"},
        {"nested", SLICE("\x81\xa4size\x90"),
         "! list or object in field size: send a plain value\n"},
        {"an extension", SLICE("\x81\xa4time\xd6\xff\x00\x00\x00\x00"),
         "! msgpack extension in field time: send a string\n"},
        {"no UTF-8", SLICE("\x81\xa4name\xa1\xff"),
         "! bytes that are not UTF-8: convert the text to UTF-8\n"},
        {"a key", SLICE("\x81\x01\x02"), "! a key that is no string: use the fields' names\n"},
        {"cut",
         SLICE("\x82" ACCOUNT "\xa1"
               "a"),
         "! cut off before its end: send it again whole\n"},
        {"no map", SLICE("text"), "! not a msgpack map: each record is a map\n"},
        {"deep",
         SLICE("\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
               "\x91\x91\x91\x91\x91\x91\x91\x91"
               "\x91\x91\x91\x91\x91\x91\x91\x91\xc0"),
         "! nested deeper than 30 levels: flatten it\n"},
    };
    DECODE_TABLE(decoder_msgpack, cases, DECODE_REASONS);
}

static void test_decode_msgpack__places_count_bytes(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"offsets", SLICE("\x92" A B), "0:1 account='a'\n0:12 account='b'\n"},
    };
    DECODE_TABLE(decoder_msgpack, cases, DECODE_PLACES);
}

static size_t cut_large(void *context, size_t at, size_t length)
{
    size_t step = *(size_t *)context;
    return length - at < step ? length : at + step;
}

static void test_decode_msgpack__a_record_too_long_is_given_up_alone(void **state)
{
    (void)state;
    char *fill = malloc(RECORD_BYTES_MAX);
    memset(fill, 'x', RECORD_BYTES_MAX);
    struct text text = {0};
    text_put(&text, A "\x83" ACCOUNT "\xc6\x00\x0f\xff\xf0", 11 + 1 + 8 + 5);
    text_put(&text, fill, 0xffff0);
    text_put(&text, "\xa1x\xc6\x00\x0f\xff\xf0", 7);
    text_put(&text, fill, 0xffff0);
    text_put(&text, "\xa1y\x01" B, 3 + 11);
    size_t step = RECORD_BYTES_MAX / 3;
    char *whole = decode_whole(&decoder_msgpack, slice_of(text.data, text.length), DECODE_REASONS);
    char *cut = decode_cut(&decoder_msgpack, slice_of(text.data, text.length), DECODE_REASONS,
                           cut_large, &step);
    assert_string_equal(whole, cut);
    assert_string_equal(whole, OK_A "! longer than 1 MiB: split or shorten the record\n" OK_B);
    free(whole);
    free(cut);
    free(fill);
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_msgpack__every_form_gives_the_same_records),
        cmocka_unit_test(test_decode_msgpack__values_become_text),
        cmocka_unit_test(test_decode_msgpack__answers_without_records),
        cmocka_unit_test(test_decode_msgpack__a_broken_record_spoils_no_neighbour),
        cmocka_unit_test(test_decode_msgpack__refused_records_say_why),
        cmocka_unit_test(test_decode_msgpack__places_count_bytes),
        cmocka_unit_test(test_decode_msgpack__a_record_too_long_is_given_up_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
