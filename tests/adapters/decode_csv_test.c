#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/decode_harness.h"
#include "adapters/samples.h"

#define HEADER "account,usagetype,x\n"

/* The three samples under all fields as columns, last one first when `reversed`. */
static void put_samples_csv(struct text *text, char delimiter, const char *line_end, bool reversed,
                            bool quoted)
{
    for (int row = -1; row < 3; row++) {
        for (int i = 0; i < FIELD_COUNT; i++) {
            enum field field = (enum field)(reversed ? FIELD_COUNT - 1 - i : i);
            const char *value = row < 0 ? field_name(field) : sample_value(row, field);
            text_printf(text, quoted ? "\"%s\"" : "%s", value);
            if (i + 1 < FIELD_COUNT)
                text_put(text, &delimiter, 1);
        }
        text_printf(text, "%s", line_end);
    }
}

static void test_decode_csv__every_form_gives_the_same_records(void **state)
{
    (void)state;
    static const struct {
        char delimiter;
        const char *line_end;
        bool reversed, quoted;
    } forms[] = {
        {',', "\n", false, false},
        {';', "\r\n", true, false},
        {'\t', "\n\n", false, true},
        {',', "\r\n", true, true},
    };
    char *expected = samples_expected(true);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct text text = {0};
        put_samples_csv(&text, forms[i].delimiter, forms[i].line_end, forms[i].reversed,
                        forms[i].quoted);
        char *got = decode_every_way(&decoder_csv, slice_of(text.data, text.length),
                                     (struct decode_view){0});
        assert_string_equal(got, expected);
        free(got);
        free(text.data);
    }
    free(expected);
}

static void test_decode_csv__cells_follow_rfc_4180(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"nothing", SLICE(""), ""},
        {"a header row alone", SLICE(HEADER), ""},
        {"a byte order mark, case, blanks, CRLF",
         SLICE("\xef\xbb\xbf Account ,\"UsageType\",X\r\na,1,b\r\n"),
         "account='a' usagetype='1' +X='b'\n"},
        {"no line end at the end", SLICE(HEADER "a,1,b"), "account='a' usagetype='1' +x='b'\n"},
        {"a carriage return at the end", SLICE(HEADER "a,1,b\r"),
         "account='a' usagetype='1' +x='b'\n"},
        {"empty cells are absent", SLICE(HEADER "a,,\"\"\n"), "account='a'\n"},
        {"quotes, delimiters and lines in quotes",
         SLICE(HEADER "\"a \"\"b\"\"\",\"1,2\",\"c\r\nd\"\r\n"),
         "account='a \"b\"' usagetype='1,2' +x='c\r\nd'\n"},
        {"only quotes", SLICE(HEADER "\"\"\"\",1,b\n"), "account='\"' usagetype='1' +x='b'\n"},
        {"empty lines", SLICE("\n\r\n" HEADER "\n\r\na,1,b\n \n\n"),
         "account='a' usagetype='1' +x='b'\n"},
        {"the header row again", SLICE(HEADER "a,1,b\n" HEADER "c,2,d\n"),
         "account='a' usagetype='1' +x='b'\naccount='c' usagetype='2' +x='d'\n"},
        {"columns without a name", SLICE(",account,\n0,a,1\n"), "account='a'\n"},
        {"one column", SLICE("account\na\nb\n"), "account='a'\naccount='b'\n"},
        {"a semicolon in a comma file", SLICE("account,a;b;c;d,usagetype\na,p;q,1\n"),
         "account='a' usagetype='1' +a;b;c;d='p;q'\n"},
        {"a URL-encoded answer", SLICE("startdate,name\n2026-10-01T00%3A00%3A00%2B0000,a%20b\n"),
         "name='a b' startdate='2026-10-01T00:00:00+0000'\n"},
    };
    DECODE_TABLE(decoder_csv, cases, DECODE_BRIEF);
}

static void test_decode_csv__a_bad_row_spoils_no_neighbour_and_keeps_its_header(void **state)
{
    (void)state;
#define GOOD "a,1,b\n"
#define OK   "account='a' usagetype='1' +x='b'\n"
    static const struct decode_case cases[] = {
        {"too few cells", SLICE(HEADER GOOD "a,1\n" GOOD), OK "!" HEADER "a,1\n" OK},
        {"too many cells", SLICE(HEADER "a,1,b,c\r\n" GOOD), "!" HEADER "a,1,b,c\n" OK},
        {"an unclosed quote", SLICE(HEADER "a,\"1,b\n" GOOD GOOD), "!" HEADER "a,\"1,b\n" OK OK},
        {"an unclosed quote before quotes", SLICE(HEADER "a,\"1,b\n\"a\",1,b\n" GOOD),
         "!" HEADER "a,\"1,b\n" OK OK},
        {"an unclosed quote behind lines in quotes", SLICE(HEADER "\"p\nq\",\"1,b\n" GOOD),
         "!" HEADER "\"p\nq\",\"1,b\n" OK},
        {"text behind a quote", SLICE(HEADER "\"a\"b,1,c\n" GOOD), "!" HEADER "\"a\"b,1,c\n" OK},
        {"a quote within a cell", SLICE(HEADER "a,5\"1,b\n" GOOD), "!" HEADER "a,5\"1,b\n" OK},
        {"no UTF-8", SLICE(HEADER "a,1,\xe9\n" GOOD), "!" HEADER "a,1,\xe9\n" OK},
        {"no header row", SLICE("p,1,q\nr,2,s\n\n"), "!p,1,q\n!r,2,s\n"},
        {"a column twice", SLICE("account,Account\na,b\n"), "!account,Account\n!a,b\n"},
        {"a header row with an open quote", SLICE("account,\"x\na,b\n"), "!account,\"x\n!a,b\n"},
    };
    DECODE_TABLE(decoder_csv, cases, DECODE_BRIEF);
}

static void test_decode_csv__a_raw_record_can_be_read_again_by_itself(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"raw", SLICE("account;x\r\na;b\r\n\"c\nd\";e\r\n"),
         "2:11 account='a' +x='b'\n    account;x\na;b\n3:16 account='c\nd' +x='e'\n    "
         "account;x\n\"c\nd\";e\n"},
    };
    DECODE_TABLE(decoder_csv, cases, DECODE_ALL);
    static const struct decode_case again[] = {
        {"again", SLICE("account;x\n\"c\nd\";e"), "account='c\nd' +x='e'\n"},
    };
    DECODE_TABLE(decoder_csv, again, DECODE_BRIEF);
}

static void test_decode_csv__refused_rows_say_why(void **state)
{
    (void)state;
    static const struct decode_case cases[] = {
        {"cells", SLICE(HEADER "a\n"),
         "! not as many cells as the header row has: check delimiters and quotes\n"},
        {"names", SLICE("a,b\n1,2\n"),
         "! no known column name: the first row must name the columns\n"
         "! a row under a header row that cannot be used: correct the header row\n"},
        {"twice", SLICE("id,id\n"), "! a column named twice in the header row: rename one\n"},
    };
    DECODE_TABLE(decoder_csv, cases, DECODE_REASONS);
}

static size_t cut_large(void *context, size_t at, size_t length)
{
    size_t step = *(size_t *)context;
    return length - at < step ? length : at + step;
}

static void test_decode_csv__a_row_too_long_is_given_up_alone(void **state)
{
    (void)state;
    char *fill = malloc(3 * RECORD_BYTES_MAX);
    memset(fill, 'x', 3 * RECORD_BYTES_MAX);
    for (int quoted = 0; quoted < 2; quoted++) {
        struct text text = {0};
        text_printf(&text, HEADER "%s", quoted ? "a,1,\"" : "a,1,");
        text_put(&text, fill, 3 * RECORD_BYTES_MAX);
        text_printf(&text, "%s\n" GOOD, quoted ? "\"" : "");
        size_t step = RECORD_BYTES_MAX / 3;
        char *whole = decode_whole(&decoder_csv, slice_of(text.data, text.length), DECODE_REASONS);
        char *cut = decode_cut(&decoder_csv, slice_of(text.data, text.length), DECODE_REASONS,
                               cut_large, &step);
        assert_string_equal(whole, cut);
        assert_string_equal(whole, "! longer than 1 MiB: split or shorten the record\n" OK);
        free(whole);
        free(cut);
        free(text.data);
    }
    free(fill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_csv__every_form_gives_the_same_records),
        cmocka_unit_test(test_decode_csv__cells_follow_rfc_4180),
        cmocka_unit_test(test_decode_csv__a_bad_row_spoils_no_neighbour_and_keeps_its_header),
        cmocka_unit_test(test_decode_csv__a_raw_record_can_be_read_again_by_itself),
        cmocka_unit_test(test_decode_csv__refused_rows_say_why),
        cmocka_unit_test(test_decode_csv__a_row_too_long_is_given_up_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
