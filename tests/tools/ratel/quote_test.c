/* Quotes from cards as people write them: every expected amount is worked out by hand in the
 * comment beside it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ratecards/ratecards.h"
#include "ratel/quote.h"

#define FILE_NAME "cards.yaml"

static const char cards[] = "kind: ratecard\n"
                            "name: public\n"
                            "currency: EUR\n"
                            "effective_from: 2026-10-01T00:00:00Z\n"
                            "timezone: Europe/Berlin\n"
                            "month: actual\n"
                            "charges:\n"
                            "  - code: vm.small\n"
                            "    meter: vm.running\n"
                            "    unit: hour\n"
                            "    prices:\n"
                            "      - where: {zone: z1}\n"
                            "        price: \"0.0125\"\n"
                            "      - where: {zone: z1, offering: o1}\n"
                            "        price: \"0.01\"\n"
                            "      - price: {EUR: \"0.02\", INR: \"1.9\"}\n"
                            "  - code: net.egress\n"
                            "    meter: network.sent\n"
                            "    unit: GiB\n"
                            "    model: graduated\n"
                            "    tiers:\n"
                            "      - {up_to: 100, price: \"0\"}\n"
                            "      - {up_to: 10240, price: \"0.09\", flat: \"5\"}\n"
                            "      - {price: \"0.07\"}\n"
                            "  - code: volume.ssd\n"
                            "    meter: volume\n"
                            "    times: size\n"
                            "    unit: GiB-month\n"
                            "    price: \"0.10\"\n"
                            "  - code: ip\n"
                            "    meter: ip.address\n"
                            "    unit: hour\n"
                            "    price: \"0.005\"\n"
                            "    included: 100\n"
                            "    minimum: \"1\"\n"
                            "    maximum: \"3\"\n"
                            "  - code: requests\n"
                            "    meter: disk.read.requests\n"
                            "    unit: request\n"
                            "    model: package\n"
                            "    size: 1000\n"
                            "    price: \"0.003\"\n"
                            "  - code: zonal\n"
                            "    meter: vm.allocated\n"
                            "    unit: hour\n"
                            "    prices:\n"
                            "      - where: {zone: z1}\n"
                            "        price: \"1\"\n"
                            "---\n"
                            "kind: ratecard\n"
                            "name: public\n"
                            "currency: EUR\n"
                            "effective_from: 2027-01-01T00:00:00Z\n"
                            "charges:\n"
                            "  - code: vm.small\n"
                            "    meter: vm.running\n"
                            "    unit: hour\n"
                            "    price: \"0.03\"\n";

struct quote_case {
    const char *name;
    const char *charge;
    const char *quantity;
    const char *times;
    const char *where[2]; /* "zone=z1" */
    const char *currency;
    const char *period;
    const char *amount;  /* or, for a refusal, a part of the message */
    const char *rounded; /* NULL: refused */
};

static const struct quote_case cases[] = {
    {"the price without conditions", "vm.small", "744", NULL, {NULL}, NULL, NULL, "14.88", "14.88"},
    {"a price for a zone", "vm.small", "10", NULL, {"zone=z1"}, NULL, NULL, "0.125", "0.12"},
    {"CloudStack's name of an attribute",
     "vm.small",
     "10",
     NULL,
     {"zoneid=z1"},
     NULL,
     NULL,
     "0.125",
     "0.12"},
    {"the most specific price",
     "vm.small",
     "10",
     NULL,
     {"offering=o1", "zone=z1"},
     NULL,
     NULL,
     "0.1",
     "0.10"},
    {"another zone falls back", "vm.small", "10", NULL, {"zone=z2"}, NULL, NULL, "0.2", "0.20"},
    {"a native price", "vm.small", "10", NULL, {NULL}, "INR", NULL, "19", "19.00"},
    {"the next card version", "vm.small", "10", NULL, {NULL}, NULL, "2027-02", "0.3", "0.30"},
    {"before the first version", "vm.small", "10", NULL, {NULL}, NULL, "2026-02", "0.2", "0.20"},
    {"within the free tier", "net.egress", "100", NULL, {NULL}, NULL, NULL, "0", "0.00"},
    /* 5 + 50.5 x 0.09 */
    {"into the second tier", "net.egress", "150.5", NULL, {NULL}, NULL, NULL, "9.545", "9.54"},
    /* 5 + 10140 x 0.09 + 1 x 0.07 */
    {"into the third tier", "net.egress", "10241", NULL, {NULL}, NULL, NULL, "917.67", "917.67"},
    /* 100 GiB x 744 h of 745 h, October in Berlin: 10 x 744 / 745 = 9.98657718120805... */
    {"bytes by hours",
     "volume.ssd",
     "744",
     "107374182400",
     {NULL},
     NULL,
     "2026-10",
     "9.986577181208",
     "9.99"},
    {"a whole month of bytes",
     "volume.ssd",
     "745",
     "107374182400",
     {NULL},
     NULL,
     "2026-10",
     "10",
     "10.00"},
    {"a whole month in November",
     "volume.ssd",
     "720",
     "107374182400",
     {NULL},
     NULL,
     "2026-11",
     "10",
     "10.00"},
    {"units of a charge that multiplies",
     "volume.ssd",
     "2.5",
     NULL,
     {NULL},
     NULL,
     NULL,
     "0.25",
     "0.25"},
    /* (400 - 100) x 0.005 */
    {"included units are free", "ip", "400", NULL, {NULL}, NULL, NULL, "1.5", "1.50"},
    {"the minimum", "ip", "150", NULL, {NULL}, NULL, NULL, "1", "1.00"},
    {"the minimum of what is included", "ip", "50", NULL, {NULL}, NULL, NULL, "1", "1.00"},
    {"the maximum", "ip", "1000", NULL, {NULL}, NULL, NULL, "3", "3.00"},
    {"nothing costs nothing", "ip", "0", NULL, {NULL}, NULL, NULL, "0", "0.00"},
    {"started packages count", "requests", "2001", NULL, {NULL}, NULL, NULL, "0.009", "0.01"},

    {"an unknown charge",
     "vm.smal",
     "1",
     NULL,
     {NULL},
     NULL,
     NULL,
     "there is requests, ip, net.egress",
     NULL},
    {"no matching price",
     "zonal",
     "1",
     NULL,
     {"zone=z9"},
     NULL,
     NULL,
     "its prices are for zone=z1",
     NULL},
    {"no price in a currency",
     "vm.small",
     "1",
     NULL,
     {NULL},
     "USD",
     NULL,
     "the card has EUR, INR",
     NULL},
    {"times on a charge without",
     "vm.small",
     "1",
     "2",
     {NULL},
     NULL,
     NULL,
     "has no `times:`",
     NULL},
    {"too many decimals",
     "vm.small",
     "0.1234567",
     NULL,
     {NULL},
     NULL,
     NULL,
     "more than 6 decimals",
     NULL},
    {"no number", "vm.small", "ten", NULL, {NULL}, NULL, NULL, "is no number", NULL},
    {"a negative quantity", "vm.small", "-1", NULL, {NULL}, NULL, NULL, "negative", NULL},
    {"too large a product",
     "volume.ssd",
     "100000000000000000000",
     "9000000000000000000",
     {NULL},
     NULL,
     NULL,
     "too large",
     NULL},
};

static struct arena arena;
static struct snapshot *snapshot;

static int set_up(void **state)
{
    (void)state;
    struct document_list documents;
    struct problems problems;
    struct entry_list none, entries;
    arena_init(&arena);
    documents_init(&documents, &arena);
    problems_init(&problems, &arena);
    entries_init(&none, &arena);
    entries_init(&entries, &arena);
    enum status status = documents_parse(&documents, SLICE(FILE_NAME),
                                         slice_of(cards, sizeof(cards) - 1), &problems);
    if (status == STATUS_OK)
        status = documents_entries(&documents, &none, (struct instant){0}, &problems, &entries);
    const struct entry_list *lists[] = {&entries};
    if (status == STATUS_OK)
        status = snapshot_compile(lists, 1, &problems, &snapshot);
    for (uint32_t i = 0; i < problems.count; i++)
        print_error("%u:%u: %.*s\n", problems.items[i].line, problems.items[i].column,
                    (int)problems.items[i].text.length, problems.items[i].text.data);
    return status == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    snapshot_free(snapshot);
    arena_fini(&arena);
    return 0;
}

static enum status quote_case(const struct quote_case *row, struct quote *quote,
                              struct error *error)
{
    struct where_term where[2];
    struct quote_request request = {.snapshot = snapshot,
                                    .file = SLICE(FILE_NAME),
                                    .charge = slice_string(row->charge),
                                    .quantity = slice_string(row->quantity),
                                    .where = where,
                                    .has_times = row->times != NULL,
                                    .has_period = row->period != NULL};
    assert_int_equal(instant_parse(SLICE("2026-10-15T12:00:00Z"), &request.now, NULL), STATUS_OK);
    for (uint32_t i = 0; i < 2 && row->where[i]; i++) {
        const char *equals = strchr(row->where[i], '=');
        where[request.where_count++] = (struct where_term){
            slice_of(row->where[i], (size_t)(equals - row->where[i])), slice_string(equals + 1)};
    }
    if (row->times)
        assert_int_equal(decimal_parse(slice_string(row->times), 0, false, &request.times, NULL),
                         STATUS_OK);
    if (row->currency)
        assert_int_equal(currency_parse(slice_string(row->currency), &request.currency), STATUS_OK);
    if (row->period)
        assert_int_equal(period_parse(slice_string(row->period), &request.period), STATUS_OK);
    return quote_make(&request, quote, error);
}

static void test_quote__amounts_are_as_worked_out_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct quote_case *row = &cases[i];
        struct quote quote;
        struct error error = {.status = STATUS_OK};
        enum status status = quote_case(row, &quote, &error);
        if (!row->rounded) {
            if (status == STATUS_OK || !strstr(error.text, row->amount))
                fail_msg("%s: status %s, message \"%s\"", row->name, status_text(status),
                         error.text);
            continue;
        }
        if (status != STATUS_OK)
            fail_msg("%s: %s", row->name, error.text);
        char amount[DECIMAL_TEXT_BYTES], rounded[DECIMAL_TEXT_BYTES];
        money_format_exact(quote.amount, amount);
        money_format(quote.rounded, quote.currency, rounded);
        if (strcmp(amount, row->amount) != 0 || strcmp(rounded, row->rounded) != 0)
            fail_msg("%s: %s, rounded %s", row->name, amount, rounded);
    }
}

static void test_quote__what_is_shown_adds_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && cases[i].rounded; i++) {
        struct quote quote;
        struct error error = {.status = STATUS_OK};
        assert_int_equal(quote_case(&cases[i], &quote, &error), STATUS_OK);
        int128 amount = 0, quanta = quote.included.quanta;
        for (uint32_t step = 0; step < quote.step_count; step++) {
            amount += quote.steps[step].amount.pico;
            quanta += quote.steps[step].quantity.quanta;
        }
        assert_true(amount == quote.usage.pico);
        assert_true(quanta == quote.quantity.quanta);
        assert_true(quote.amount.pico == quote.usage.pico || quote.below_minimum ||
                    quote.above_maximum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote__amounts_are_as_worked_out_by_hand),
        cmocka_unit_test(test_quote__what_is_shown_adds_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
