#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ratel/output.h"

/* A FILE in memory that is compared and thrown away. */
struct capture {
    FILE *file;
    char *text;
    size_t length;
};

static void capture_begin(struct capture *capture)
{
    capture->file = open_memstream(&capture->text, &capture->length);
    assert_non_null(capture->file);
}

static void capture_expect(struct capture *capture, const char *expected)
{
    fclose(capture->file);
    assert_string_equal(capture->text, expected);
    free(capture->text);
}

static const struct column columns[] = {{"charge", false}, {"unit_price", true}, {"note", false}};

static void fill(struct table *table)
{
    table_string(table, "vm.small");
    table_money(table, (struct money){PICO_PER_UNIT / 80});
    table_string(table, "");
    table_string(table, "Zürich");
    table_integer(table, -12);
    table_string(table, "x");
}

static void test_table__columns_are_aligned_and_numbers_right(void **state)
{
    (void)state;
    struct capture capture;
    struct table table;
    capture_begin(&capture);
    table_begin(&table, capture.file, OUTPUT_TABLE, false, columns, 3);
    fill(&table);
    table_end(&table);
    capture_expect(&capture, "CHARGE    UNIT PRICE  NOTE\n"
                             "vm.small      0.0125  \n"
                             "Zürich           -12  x\n");
}

static void test_table__without_rows_has_its_heading(void **state)
{
    (void)state;
    struct capture capture;
    struct table table;
    capture_begin(&capture);
    table_begin(&table, capture.file, OUTPUT_TABLE, false, columns, 3);
    table_end(&table);
    capture_expect(&capture, "CHARGE  UNIT PRICE  NOTE\n");
}

static void test_table__control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct capture capture;
    struct table table;
    capture_begin(&capture);
    table_begin(&table, capture.file, OUTPUT_TABLE, false, columns, 1);
    table_string(&table, "a\033[2Jb\nc\302\233d");
    table_end(&table);
    capture_expect(&capture, "CHARGE\na?[2Jb?c?d\n");
}

static void test_table__rows_past_those_held_are_written_too(void **state)
{
    (void)state;
    struct capture capture;
    struct table table;
    const int rows = 2 * TABLE_ROWS_HELD + 7;
    capture_begin(&capture);
    table_begin(&table, capture.file, OUTPUT_TABLE, false, columns + 1, 1);
    for (int i = 0; i < rows; i++)
        table_integer(&table, i);
    table_end(&table);
    fclose(capture.file);
    int lines = 0;
    const char *last = capture.text;
    for (const char *at = capture.text; *at; at++) {
        if (*at != '\n')
            continue;
        lines++;
        if (at[1])
            last = at + 1;
    }
    assert_int_equal(lines, rows + 1);
    assert_string_equal(last, "      2006\n");
    free(capture.text);
}

static void test_csv__rows_and_heading(void **state)
{
    (void)state;
    struct capture capture;
    struct table table;
    capture_begin(&capture);
    table_begin(&table, capture.file, OUTPUT_CSV, true, columns, 3);
    fill(&table);
    table_end(&table);
    capture_expect(&capture, "charge,unit_price,note\r\n"
                             "vm.small,0.0125,\r\n"
                             "Zürich,-12,x\r\n");
}

struct field_case {
    const char *name;
    const char *text;
    bool number;
    const char *expected;
};

static const struct field_case field_cases[] = {
    {"plain text", "abc def", false, "abc def"},
    {"a comma is quoted", "a,b", false, "\"a,b\""},
    {"a quote is doubled", "a\"b", false, "\"a\"\"b\""},
    {"a line end is quoted", "a\nb", false, "\"a\nb\""},
    {"an equals sign is disarmed", "=1+1", false, "'=1+1"},
    {"a plus sign", "+49", false, "'+49"},
    {"a minus sign", "-x", false, "'-x"},
    {"an at sign", "@SUM(A1)", false, "'@SUM(A1)"},
    {"a tab", "\tx", false, "'\tx"},
    {"a carriage return", "\rx", false, "\"'\rx\""},
    {"a formula that needs quotes", "=A1,B1", false, "\"'=A1,B1\""},
    {"control characters cannot move a cursor", "a\033[2Jb\x7f\a", false, "a?[2Jb??"},
    {"nor can those of C1 in UTF-8", "a\302\2332Jb", false, "a?2Jb"},
    {"letters with accents stay", "\303\251\302\240\302\265", false, "\303\251\302\240\302\265"},
    {"line ends and tabs within stay", "a\tb\r\nc", false, "\"a\tb\r\nc\""},
    {"a minus inside", "a-b", false, "a-b"},
    {"a negative number", "-12.5", true, "-12.5"},
    {"nothing", "", false, ""},
};

static void test_csv__fields_are_quoted_where_needed_and_no_formula(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(field_cases) / sizeof(field_cases[0]); i++) {
        struct capture capture;
        capture_begin(&capture);
        csv_field(capture.file, slice_string(field_cases[i].text), field_cases[i].number);
        fclose(capture.file);
        if (strcmp(capture.text, field_cases[i].expected) != 0)
            fail_msg("%s: \"%s\"", field_cases[i].name, capture.text);
        free(capture.text);
    }
}

static void test_output__a_write_that_did_not_arrive_is_an_error(void **state)
{
    (void)state;
    struct error error;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(output_finish(full, &error), STATUS_OK);
    fputs("text", full);
    assert_int_equal(output_finish(full, &error), STATUS_NO_SPACE);
    /* An error that is flushed away stays one. */
    assert_int_not_equal(output_finish(full, &error), STATUS_OK);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__columns_are_aligned_and_numbers_right),
        cmocka_unit_test(test_table__without_rows_has_its_heading),
        cmocka_unit_test(test_table__control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(test_table__rows_past_those_held_are_written_too),
        cmocka_unit_test(test_csv__rows_and_heading),
        cmocka_unit_test(test_csv__fields_are_quoted_where_needed_and_no_formula),
        cmocka_unit_test(test_output__a_write_that_did_not_arrive_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
