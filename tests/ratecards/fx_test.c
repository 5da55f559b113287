/* Exchange rates from YAML, CSV and the ECB's XML. */
#include "ratecards/fixture.h"

#define ENVELOPE(cubes)                                                                            \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                 \
    "<gesmes:Envelope xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" "                      \
    "xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\">\n"                              \
    "<gesmes:subject>Reference rates</gesmes:subject>\n<Cube>\n" cubes                             \
    "</Cube>\n</gesmes:Envelope>\n"

static const char daily[] =
    ENVELOPE("<Cube time='2026-09-24'>\n<Cube currency='USD' rate='1.1460'/>\n"
             "<Cube currency='JPY' rate='169.58'/>\n</Cube>\n");
static const char historical[] =
    ENVELOPE("<Cube time=\"2026-09-24\"><Cube currency=\"USD\" rate=\"1.1460\"/></Cube>"
             "<Cube time=\"2026-09-23\"><Cube currency=\"USD\" rate=\"1.1451\"/>"
             "<Cube currency=\"HRK\" rate=\"7.5\"/></Cube>"); /* HRK is gone: passed over */

static void load_rates(struct fixture *fixture, const char *text, uint32_t count)
{
    fixture_init(fixture);
    fixture_load(fixture, "dir/rates.csv", slice_string(text));
    fixture_compiled(fixture);
    assert_int_equal(fixture->snapshot->rate_count, count);
}

static void check_rate(const struct fixture *fixture, const char *quote, const char *day,
                       const char *rate, const char *source)
{
    int128 expected;
    struct fx_use use;
    assert_int_equal(decimal_parse(slice_string(rate), MONEY_SCALE, false, &expected, NULL),
                     STATUS_OK);
    int32_t days = (int32_t)(fixture_instant(day).seconds / 86400);
    assert_int_equal(snapshot_fx(fixture->snapshot, fixture_currency("EUR"),
                                 fixture_currency(quote), days, &use),
                     STATUS_OK);
    assert_true(use.rate_pico == expected);
    assert_true(slice_is(use.source, source));
}

static void test_fx__ecb_daily_file_with_single_quotes(void **state)
{
    (void)state;
    struct fixture fixture;
    load_rates(&fixture, daily, 2);
    check_rate(&fixture, "USD", "2026-09-24", "1.1460", "ECB");
    check_rate(&fixture, "JPY", "2026-09-30", "169.58", "ECB");
    fixture_fini(&fixture);
}

static void test_fx__ecb_historical_file_with_double_quotes(void **state)
{
    (void)state;
    struct fixture fixture;
    load_rates(&fixture, historical, 2);
    check_rate(&fixture, "USD", "2026-09-23", "1.1451", "ECB");
    check_rate(&fixture, "USD", "2026-09-24", "1.1460", "ECB");
    fixture_fini(&fixture);
}

static void test_fx__csv_takes_its_source_from_the_files_name(void **state)
{
    (void)state;
    struct fixture fixture;
    load_rates(&fixture,
               "Date,Base,Quote,Rate\r\n2026-09-24,EUR,USD,1.1460\r\n\r\n\"2026-09-25\", EUR, USD, "
               "\"1.15\"\r\n",
               2);
    check_rate(&fixture, "USD", "2026-09-24", "1.146", "rates.csv");
    check_rate(&fixture, "USD", "2026-09-25", "1.15", "rates.csv");
    fixture_fini(&fixture);
}

static void test_fx__ecb_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        uint32_t line;
        const char *fragment;
    } table[] = {
        {"no rates", ENVELOPE(""), 1, "no reference rates"},
        {"a rate that is none",
         ENVELOPE("<Cube time='2026-09-24'>\n<Cube currency='USD' rate='N/A'/></Cube>"), 6,
         "not a rate: `N/A`"},
        {"a rate of nothing",
         ENVELOPE("<Cube time='2026-09-24'>\n<Cube currency='USD' rate='0'/></Cube>"), 6,
         "not a rate"},
        {"a date that is none",
         ENVELOPE("<Cube time='24.9.2026'></Cube><Cube time='2026-09-24'><Cube currency='USD' "
                  "rate='1'/></Cube>"),
         5, "not a date"},
        {"no day", ENVELOPE("<Cube currency='USD' rate='1'/>"), 5, "a rate outside a day"},
        {"no code", ENVELOPE("<Cube time='2026-09-24'><Cube currency='usd' rate='1'/></Cube>"), 5,
         "not a currency code"},
        {"no rate", ENVELOPE("<Cube time='2026-09-24'><Cube currency='USD'/></Cube>"), 5,
         "needs a rate"},
        {"an open element", "<Envelope>\n<Cube>\n</Envelope>\n", 3, "not readable as XML"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        enum status status = fixture_parse(&fixture, "f.xml", slice_string(table[i].text));
        const struct problem *problem = fixture.problems.items;
        bool holds = status == STATUS_INVALID && fixture.problems.count == 1 &&
                     problem->line == table[i].line &&
                     memmem(problem->text.data, problem->text.length, table[i].fragment,
                            strlen(table[i].fragment));
        if (!holds) {
            fixture_print(&fixture);
            fail_msg("%s: status %d, %u problems", table[i].name, status, fixture.problems.count);
        }
        fixture_fini(&fixture);
    }
}

static void test_fx__cut_at_every_byte(void **state)
{
    (void)state;
    static const char *const texts[] = {daily, historical,
                                        "date,base,quote,rate\n2026-09-24,EUR,USD,1.1460\n"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t length = 0; length <= strlen(texts[i]); length++) {
            struct fixture fixture;
            fixture_init(&fixture);
            char *copy = malloc(length + 1);
            memcpy(copy, texts[i], length);
            (void)!fixture_parse(&fixture, "f", slice_of(copy, length));
            fixture_fini(&fixture);
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fx__ecb_daily_file_with_single_quotes),
        cmocka_unit_test(test_fx__ecb_historical_file_with_double_quotes),
        cmocka_unit_test(test_fx__csv_takes_its_source_from_the_files_name),
        cmocka_unit_test(test_fx__ecb_mistakes),
        cmocka_unit_test(test_fx__cut_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
