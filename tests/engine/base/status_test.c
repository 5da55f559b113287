#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/status.h"

static void test_status__rows_have_text_class_and_exit_code(void **state)
{
    (void)state;
    assert_string_equal(status_text(STATUS_OK), "ok");
    assert_int_equal(status_class(STATUS_OK), STATUS_CLASS_OK);
    assert_int_equal(status_exit_code(STATUS_OK), 0);
    assert_string_equal(status_text(STATUS_CORRUPT), "damaged data");
    assert_int_equal(status_class(STATUS_CORRUPT), STATUS_CLASS_FATAL);
    assert_int_equal(status_class(STATUS_LOCKED), STATUS_CLASS_RETRY);
    assert_int_equal(status_class(STATUS_INVALID), STATUS_CLASS_REFUSED);
    for (int i = STATUS_INVALID; i <= STATUS_BUG; i++) {
        assert_true(status_text((enum status)i)[0] != '\0');
        assert_in_range(status_exit_code((enum status)i), 64, 78); /* sysexits.h */
        assert_int_not_equal(status_class((enum status)i), STATUS_CLASS_OK);
    }
}

static void test_status_from_errno__tells_apart_what_callers_tell_apart(void **state)
{
    (void)state;
    assert_int_equal(status_from_errno(ENOSPC), STATUS_NO_SPACE);
    assert_int_equal(status_from_errno(EDQUOT), STATUS_NO_SPACE);
    assert_int_equal(status_from_errno(EACCES), STATUS_PERMISSION);
    assert_int_equal(status_from_errno(ENOENT), STATUS_NOT_FOUND);
    assert_int_equal(status_from_errno(ENOMEM), STATUS_NO_MEMORY);
    assert_int_equal(status_from_errno(EIO), STATUS_IO);
    assert_int_equal(status_from_errno(EBADF), STATUS_IO);
}

static void test_error_format__leaves_out_what_is_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t line, column;
        const char *expected;
    } rows[] = {
        {"card.yaml", 12, 3, "card.yaml:12:3: price: not a number: 1.2.3"},
        {"card.yaml", 12, 0, "card.yaml:12: price: not a number: 1.2.3"},
        {"card.yaml", 0, 0, "card.yaml: price: not a number: 1.2.3"},
        {NULL, 12, 3, "12:3: price: not a number: 1.2.3"},
        {NULL, 0, 0, "price: not a number: 1.2.3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error;
        char text[1024];
        assert_int_equal(error_set(&error, STATUS_INVALID, "price: not a number: %s", "1.2.3"),
                         STATUS_INVALID);
        assert_int_equal(error_at(&error, rows[i].file, rows[i].line, rows[i].column),
                         STATUS_INVALID);
        error_format(&error, text, sizeof text);
        assert_string_equal(text, rows[i].expected);
    }
}

static void test_error__long_texts_are_cut(void **state)
{
    (void)state;
    struct error error;
    char text[2000], small[8];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(error_set(&error, STATUS_IO, "%s", text), STATUS_IO);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_int_equal(error_at(&error, text, 1, 1), STATUS_IO);
    assert_int_equal(strlen(error.file), sizeof error.file - 1);
    error_format(&error, small, sizeof small);
    assert_string_equal(small, "xxxxxxx");
}

static void test_error_set__may_wrap_its_own_text_and_clears_the_place(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_set(&error, STATUS_IO, "disk"), STATUS_IO);
    assert_int_equal(error_at(&error, "a", 1, 2), STATUS_IO);
    assert_int_equal(error_set(&error, STATUS_CORRUPT, "journal: %s", error.text), STATUS_CORRUPT);
    assert_string_equal(error.text, "journal: disk");
    assert_true(error.file[0] == '\0' && error.line == 0 && error.column == 0);
}

static void test_error_set__a_null_error_still_returns_the_status(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_RANGE, "x"), STATUS_RANGE);
    assert_int_equal(error_at(NULL, "x", 1, 1), STATUS_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__rows_have_text_class_and_exit_code),
        cmocka_unit_test(test_status_from_errno__tells_apart_what_callers_tell_apart),
        cmocka_unit_test(test_error_format__leaves_out_what_is_unknown),
        cmocka_unit_test(test_error__long_texts_are_cut),
        cmocka_unit_test(test_error_set__may_wrap_its_own_text_and_clears_the_place),
        cmocka_unit_test(test_error_set__a_null_error_still_returns_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
