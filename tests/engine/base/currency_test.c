#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/money.h"

/* Calls `check` with each code in a list of codes and blanks. */
static void each_code(const char *codes, void (*check)(const char *code, int digits), int digits)
{
    for (; *codes; codes += codes[3] ? 4 : 3) {
        char code[4] = {codes[0], codes[1], codes[2], '\0'};
        check(code, digits);
    }
}

static void expect_digits(const char *code, int digits)
{
    struct currency currency;
    char text[4];
    if (currency_parse(slice_string(code), &currency) != STATUS_OK)
        fail_msg("%s is refused", code);
    if (currency_digits(currency) != digits)
        fail_msg("%s has %d digits", code, currency_digits(currency));
    currency_format(currency, text);
    assert_string_equal(text, code);
}

static void expect_refused(const char *code, int digits)
{
    (void)digits;
    struct currency currency = {1};
    if (currency_parse(slice_string(code), &currency) != STATUS_INVALID)
        fail_msg("%s is taken", code);
    assert_int_equal(currency.code, 1);
}

static void test_currency__digits_are_iso_4217s(void **state)
{
    (void)state;
    each_code("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", expect_digits,
              0);
    each_code("BHD IQD JOD KWD LYD OMR TND", expect_digits, 3);
    each_code("CLF UYW", expect_digits, 4);
    /* Among them those to which display libraries give fewer. */
    each_code("EUR USD GBP CHF INR CNY BRL MXN HUF TWD IDR COP CZK MGA MRU AFN ALL IRR LAK LBP MMK "
              "RSD SOS SYP YER PKR SEK NOK DKK TRY SAR AED ZAR COU CHE CHW MXV BOV USN",
              expect_digits, 2);
}

static void test_currency__recent_amendments_are_in(void **state)
{
    (void)state;
    each_code("XCG ZWG SLE VED VES STN ZMW BYN", expect_digits, 2);
    each_code("ANG ZWL SLL BGN HRK CUC MRO STD BYR ZMK VEF LTL EEK", expect_refused, 0);
}

static void test_currency_parse__refuses_what_nobody_can_be_billed_in(void **state)
{
    (void)state;
    each_code("XAU XAG XPT XPD XBA XBB XBC XBD XDR XSU XUA XTS XXX", expect_refused, 0);
    static const char *const texts[] = {"", "E", "EU", "EURO", "eur", "Eur", "E R", "123"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_refused(texts[i], 0);
}

static void test_currency_parse__accepts_164_of_all_codes(void **state)
{
    (void)state;
    int count = 0;
    for (int i = 0; i < 26 * 26 * 26; i++) {
        char code[3] = {(char)('A' + i / 676), (char)('A' + i / 26 % 26), (char)('A' + i % 26)};
        struct currency currency;
        if (currency_parse(slice_of(code, 3), &currency) == STATUS_OK)
            count++;
    }
    assert_int_equal(count, 164);
}

static void test_currency_format__no_currency_is_empty_text(void **state)
{
    (void)state;
    char text[4] = "abc";
    currency_format((struct currency){0}, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_currency__digits_are_iso_4217s),
        cmocka_unit_test(test_currency__recent_amendments_are_in),
        cmocka_unit_test(test_currency_parse__refuses_what_nobody_can_be_billed_in),
        cmocka_unit_test(test_currency_parse__accepts_164_of_all_codes),
        cmocka_unit_test(test_currency_format__no_currency_is_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
