/* ratel diff: what loading would change, price by price. */
#include "ratecards/fixture.h"

#define CARD(from, charges)                                                                        \
    "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: " from "\ncharges:\n" charges
#define OCTOBER  "2026-10-01T00:00:00Z"
#define NOVEMBER "2026-11-01T00:00:00Z"
#define OLD                                                                                        \
    "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {zone: z}, price: \"0.01\"}, "  \
    "{price: \"0.02\"}]}\n"                                                                        \
    "  - {code: gone, meter: ip.address, unit: month, price: \"3\"}\n"

static const struct {
    const char *name;
    const char *loaded;
    const char *document;
    const char *differences; /* "sign what: before -> after" lines */
} table[] = {
    {"nothing", CARD(OCTOBER, OLD), "# words\n" CARD(OCTOBER, OLD), ""},
    {"one price of one row", CARD(OCTOBER, OLD),
     CARD(OCTOBER, "  - {code: a, meter: vm.running, unit: hour, prices: [{price: \"0.0200\"}, "
                   "{where: {zone: z}, price: \"0.015\"}]}\n"
                   "  - {code: gone, meter: ip.address, unit: month, price: \"3\"}\n"),
     "~ c a {zone: z} price: 0.01 EUR -> 0.015 EUR\n"},
    {"a charge goes, a native price comes", CARD(OCTOBER, OLD),
     CARD(OCTOBER, "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {zone: z}, "
                   "price: \"0.01\"}, {price: {EUR: \"0.02\", INR: \"2\"}}]}\n"),
     "+ c a price in INR:  -> 2 INR\n"
     "- c gone meter: ip.address -> \n- c gone unit: month -> \n- c gone model: per_unit -> \n- c "
     "gone tax_class: standard -> \n"
     "- c gone price: 3 EUR -> \n"},
    {"the next version against the one before it", CARD(OCTOBER, OLD),
     CARD(NOVEMBER, "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {zone: z}, "
                    "price: \"0.01\"}, {price: \"0.03\"}]}\n"
                    "  - {code: gone, meter: ip.address, unit: month, price: \"3\"}\n"),
     "+ c version:  -> 2026-11-01T00:00:00Z\n~ c a price: 0.02 EUR -> 0.03 EUR\n"},
    {"a catalogue moves", "kind: catalogue\nname: p\nratecard: a\n",
     "kind: catalogue\nname: p\nratecard: b\n", "~ catalogue p ratecard: a -> b\n"},
    {"a rate",
     "kind: fx\nsource: s\nrates: [{date: 2026-10-01, base: EUR, quote: INR, rate: \"1.5\"}]\n",
     "date,base,quote,rate\n2026-10-01,EUR,INR,1.6\n2026-10-02,EUR,INR,1.7\n",
     "~ EUR/INR 2026-10-01: 1.5 (s) -> 1.6 (f.yaml)\n+ EUR/INR 2026-10-02:  -> 1.7 (f.yaml)\n"},
    {"an account", "kind: accounts\naccounts: [{id: a, currency: EUR, catalogue: p, email: x@y}]\n",
     "kind: accounts\naccounts: [{id: a, currency: EUR, catalogue: q, terms_days: 5}]\n",
     "~ account a catalogue: p -> q\n~ account a terms_days: 30 -> 5\n- account a email: x@y -> "
     "\n"},
    {"tax and budget and meter",
     "kind: tax\nrules: [{country: DE, rate: \"19\"}]\n---\nkind: budgets\nbudgets: [{account: a, "
     "id: b, amount: \"5\"}]\n---\n"
     "kind: meters\nmeters: [{name: m}]\n",
     "kind: tax\nrules: [{country: DE, rate: \"20\"}]\n---\nkind: budgets\nbudgets: [{account: a, "
     "id: b, amount: \"6\", thresholds: [9]}]\n---\n"
     "kind: meters\nmeters: [{name: m, base: byte}]\n",
     "~ tax DE standard rate: 19 % -> 20 %\n~ budget b of account a amount: 5 -> 6\n"
     "~ budget b of account a thresholds: 50, 80, 100 -> 9\n~ meter m base: unit -> byte\n"},
};

static const char *differences_text(struct fixture *fixture, const struct difference *differences,
                                    uint32_t count)
{
    const char *text = "";
    for (uint32_t i = 0; i < count; i++) {
        const struct difference *d = &differences[i];
        text = arena_printf(&fixture->arena, "%s%c %.*s: %.*s -> %.*s\n", text, d->sign,
                            (int)d->what.length, d->what.data, (int)d->before.length,
                            d->before.data, (int)d->after.length, d->after.data);
    }
    return text;
}

static void test_diff__shows_price_by_price(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        fixture_load(&fixture, "f.yaml", slice_string(table[i].loaded));
        assert_int_equal(fixture_parse(&fixture, "f.yaml", slice_string(table[i].document)),
                         STATUS_OK);
        struct difference *differences;
        uint32_t count;
        assert_int_equal(documents_diff(&fixture.documents, &fixture.entries, &fixture.arena,
                                        &fixture.problems, &differences, &count),
                         STATUS_OK);
        const char *text = differences_text(&fixture, differences, count);
        if (strcmp(text, table[i].differences) != 0)
            fail_msg("%s: expected\n%sgot\n%s", table[i].name, table[i].differences, text);
        fixture_fini(&fixture);
    }
}

static void test_diff__all_is_new_in_an_empty_book(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(fixture_parse(&fixture, "f.yaml", SLICE(CARD(OCTOBER, OLD))), STATUS_OK);
    struct difference *differences;
    uint32_t count;
    assert_int_equal(documents_diff(&fixture.documents, NULL, &fixture.arena, &fixture.problems,
                                    &differences, &count),
                     STATUS_OK);
    assert_true(count > 10);
    for (uint32_t i = 0; i < count; i++)
        assert_true(differences[i].sign == '+' && differences[i].before.length == 0 &&
                    differences[i].kind == DOCUMENT_RATECARD);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff__shows_price_by_price),
        cmocka_unit_test(test_diff__all_is_new_in_an_empty_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
