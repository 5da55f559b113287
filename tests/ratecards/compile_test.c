/* Entries to snapshot: versions in time, extends, signatures of tier positions, native prices,
 * payers, the digest. */
#include "ratecards/fixture.h"

#define OCTOBER_1  "2026-10-01T00:00:00Z"
#define OCTOBER_16 "2026-10-16T00:00:00Z"
#define NOVEMBER_1 "2026-11-01T00:00:00Z"
#define CARD(name, from, more)                                                                     \
    "kind: ratecard\nname: " name "\ncurrency: EUR\neffective_from: " from "\n" more
#define CHARGE(code, price)                                                                        \
    "  - {code: " code ", meter: vm.running, unit: hour, price: \"" price "\"}\n"
#define TIERED(price, more)                                                                        \
    "  - {code: net, meter: network.sent, unit: GB, model: graduated, tiers: [{up_to: 1, price: "  \
    "\"0\"}, {price: \"" price "\"}]" more "}\n"

static void load(struct fixture *fixture, const char *text)
{
    fixture_load(fixture, "f.yaml", slice_string(text));
}

static const struct version *version_of(const struct snapshot *snapshot, const char *name,
                                        uint32_t index)
{
    uint32_t family = snapshot_family(snapshot, slice_string(name));
    assert_int_not_equal(family, INDEX_NONE);
    assert_true(index < snapshot->families[family].version_count);
    return &snapshot->versions[snapshot->families[family].version_first + index];
}

static const struct charge *charge_of(const struct snapshot *snapshot,
                                      const struct version *version, const char *code)
{
    for (uint32_t i = 0; i < version->charge_count; i++) {
        const struct charge *charge = &snapshot->charges[version->charges[i]];
        if (slice_is(charge->code, code))
            return charge;
    }
    return NULL;
}

static const struct plan *plan_of(const struct snapshot *snapshot, const struct version *version,
                                  const char *code)
{
    const struct charge *charge = charge_of(snapshot, version, code);
    assert_non_null(charge);
    return &snapshot->plans[charge->rows[0].plan_first];
}

static int64_t price_of(const struct snapshot *snapshot, const struct version *version,
                        const char *code)
{
    const struct plan *plan = plan_of(snapshot, version, code);
    return (int64_t)(plan->tiers[plan->tier_count - 1].price.pico /
                     (PICO_PER_UNIT / 100)); /* cents */
}

static void check_times(const struct version *version, const char *from, const char *to)
{
    assert_int_equal(version->from.seconds, fixture_instant(from).seconds);
    assert_int_equal(version->to.seconds, to ? fixture_instant(to).seconds : INT64_MAX);
}

static void test_compile__versions_follow_each_other(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, CARD("c", NOVEMBER_1, "charges:\n" CHARGE("a", "0.03")));
    load(&fixture, CARD("c", OCTOBER_1, "charges:\n" CHARGE("a", "0.01")));
    load(&fixture, CARD("c", OCTOBER_16, "charges:\n" CHARGE("a", "0.02")));
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    assert_int_equal(snapshot->version_count, 3);
    check_times(version_of(snapshot, "c", 0), OCTOBER_1, OCTOBER_16);
    check_times(version_of(snapshot, "c", 1), OCTOBER_16, NOVEMBER_1);
    check_times(version_of(snapshot, "c", 2), NOVEMBER_1, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(price_of(snapshot, version_of(snapshot, "c", i), "a"), i + 1);
        assert_int_equal(version_of(snapshot, "c", i)->revision, 1);
    }
    assert_int_equal(snapshot_version_at(snapshot, 0, fixture_instant("2026-09-30T23:59:59Z")),
                     INDEX_NONE);
    assert_int_equal(snapshot_version_at(snapshot, 0, fixture_instant(OCTOBER_16)), 1);
    fixture_fini(&fixture);
}

static void test_compile__highest_revision_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (int i = 1; i <= 12; i++)
        load(&fixture, arena_printf(&fixture.arena,
                                    CARD("c", OCTOBER_1, "charges:\n" CHARGE("a", "0.%02d")), i));
    fixture_compiled(&fixture);
    assert_int_equal(fixture.entries.count, 12);
    assert_int_equal(fixture.snapshot->version_count, 1);
    assert_int_equal(fixture.snapshot->versions[0].revision, 12);
    assert_int_equal(price_of(fixture.snapshot, &fixture.snapshot->versions[0], "a"), 12);
    fixture_fini(&fixture);
}

static void test_compile__extends_cuts_time_where_either_card_changes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, CARD("base", OCTOBER_16,
                        "timezone: Europe/Berlin\nmonth: 730\ncharges:\n" CHARGE("a", "0.01")
                            CHARGE("b", "0.05")));
    load(&fixture, CARD("base", NOVEMBER_1, "charges:\n" CHARGE("a", "0.02") CHARGE("b", "0.06")));
    load(&fixture, CARD("own", OCTOBER_1, "extends: base\ncharges:\n" CHARGE("b", "0.09")));
    load(&fixture, CARD("own", "2026-11-16T00:00:00Z", "extends: base\nmonth: 720\n"));
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    assert_int_equal(snapshot->families[snapshot_family(snapshot, SLICE("own"))].version_count, 4);

    const struct version *alone =
        version_of(snapshot, "own", 0); /* the base card is not in force yet */
    check_times(alone, OCTOBER_1, OCTOBER_16);
    assert_int_equal(alone->charge_count, 1);
    assert_string_equal(zone_name(alone->zone), "UTC");

    const struct version *first = version_of(snapshot, "own", 1);
    check_times(first, OCTOBER_16, NOVEMBER_1);
    assert_int_equal(first->charge_count, 2);
    assert_int_equal(price_of(snapshot, first, "a"), 1);
    assert_int_equal(price_of(snapshot, first, "b"), 9); /* the card's own charge overrides */
    assert_string_equal(zone_name(first->zone),
                        "Europe/Berlin"); /* taken over, as it is not said */
    assert_int_equal(first->month, MONTH_730);
    assert_int_equal(first->effective_from.seconds, fixture_instant(OCTOBER_1).seconds);

    const struct version *second = version_of(snapshot, "own", 2);
    check_times(second, NOVEMBER_1, "2026-11-16T00:00:00Z");
    assert_int_equal(price_of(snapshot, second, "a"), 2);
    assert_int_equal(second->month, MONTH_ACTUAL);

    const struct version *third = version_of(snapshot, "own", 3);
    check_times(third, "2026-11-16T00:00:00Z", NULL);
    assert_int_equal(price_of(snapshot, third, "b"), 6);
    assert_int_equal(third->month, MONTH_720);
    fixture_fini(&fixture);
}

static void test_compile__extends_over_three_cards(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, CARD("a", OCTOBER_1, "extends: b\n"));
    load(&fixture, CARD("b", OCTOBER_1, "extends: c\ncharges:\n" CHARGE("x", "0.02")));
    load(&fixture, CARD("c", OCTOBER_1, "charges:\n" CHARGE("x", "0.01") CHARGE("y", "0.07")));
    load(&fixture, CARD("c", NOVEMBER_1, "charges:\n" CHARGE("x", "0.01") CHARGE("y", "0.08")));
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    assert_int_equal(price_of(snapshot, version_of(snapshot, "a", 0), "x"), 2);
    assert_int_equal(price_of(snapshot, version_of(snapshot, "a", 0), "y"), 7);
    assert_int_equal(price_of(snapshot, version_of(snapshot, "a", 1), "y"), 8);
    fixture_fini(&fixture);
}

static void test_compile__charges_are_sorted_by_meter_then_code(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture,
         CARD("c", OCTOBER_1,
              "charges:\n" CHARGE("z", "1") TIERED("1", "") CHARGE("a", "1") CHARGE("m", "1")));
    fixture_compiled(&fixture);
    static const char *const codes[] = {"net", "a", "m", "z"};
    for (uint32_t i = 0; i < 4; i++)
        assert_true(slice_is(
            fixture.snapshot->charges[fixture.snapshot->versions[0].charges[i]].code, codes[i]));
    fixture_fini(&fixture);
}

/* The tier position is kept under the signature: the same row in the next version carries on,
 * `carry: false` starts anew. */
static void test_compile__signatures_carry_the_tier_position(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, CARD("c", OCTOBER_1, "charges:\n" TIERED("0.01", "") CHARGE("a", "1")));
    load(&fixture,
         CARD("c", OCTOBER_16, "charges:\n" TIERED("0.02", ", included: 5") CHARGE("a", "1")));
    load(&fixture,
         CARD("c", NOVEMBER_1, "charges:\n" TIERED("0.03", ", carry: false") CHARGE("a", "1")));
    load(&fixture,
         CARD("c", "2026-11-16T00:00:00Z", "charges:\n" TIERED("0.04", "") CHARGE("a", "1")));
    load(&fixture, CARD("d", "2026-11-16T00:00:00Z", "charges:\n" TIERED("0.04", "")));
    load(&fixture, CARD("own", OCTOBER_1, "extends: c\n"));
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    uint32_t net[4], other[4];
    for (uint32_t i = 0; i < 4; i++) {
        net[i] = plan_of(snapshot, version_of(snapshot, "c", i), "net")->signature;
        other[i] = plan_of(snapshot, version_of(snapshot, "c", i), "a")->signature;
    }
    assert_int_equal(net[0], net[1]);
    assert_int_not_equal(net[1], net[2]);
    assert_int_equal(net[2], net[3]);
    assert_true(other[0] == other[1] && other[1] == other[2] && other[2] == other[3]);
    assert_int_not_equal(net[0], other[0]);
    assert_int_not_equal(plan_of(snapshot, version_of(snapshot, "d", 0), "net")->signature,
                         net[3]); /* another family */
    assert_true(charge_of(snapshot, version_of(snapshot, "c", 1), "net")->carry);
    assert_false(charge_of(snapshot, version_of(snapshot, "c", 2), "net")->carry);
    fixture_fini(&fixture);
}

/* A version that begins only because the extended card changed is the same document going on: it
 * does not start tiers anew. */
static void test_compile__carry_false_holds_for_the_document_not_for_a_stretch(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, CARD("base", OCTOBER_1, "charges:\n" CHARGE("a", "0.01")));
    load(&fixture, CARD("base", OCTOBER_16, "charges:\n" CHARGE("a", "0.02")));
    load(&fixture,
         CARD("own", OCTOBER_1, "extends: base\ncharges:\n" TIERED("1", ", carry: false")));
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    const struct version *first = version_of(snapshot, "own", 0),
                         *second = version_of(snapshot, "own", 1);
    assert_int_equal(plan_of(snapshot, first, "net")->signature,
                     plan_of(snapshot, second, "net")->signature);
    assert_false(charge_of(snapshot, first, "net")->carry);
    assert_true(charge_of(snapshot, second, "net")->carry);
    fixture_fini(&fixture);
}

/* One plan per currency in which every amount of the row is given; the card's own comes first. */
static void test_compile__native_prices_need_every_amount(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *amounts;
        const char *currencies; /* of the plans, in order */
    } table[] = {
        {"one price", "price: \"1\"", "EUR"},
        {"two currencies", "price: {INR: \"9\", EUR: \"1\"}", "EUR INR"},
        {"a plain zero is nothing anywhere",
         "model: graduated, tiers: [{up_to: 1, price: \"0\"}, {price: {EUR: \"1\", INR: \"9\"}}]",
         "EUR INR"},
        {"a plain price is not",
         "model: graduated, tiers: [{up_to: 1, price: \"2\"}, {price: {EUR: \"1\", INR: \"9\"}}]",
         "EUR"},
        {"a flat counts",
         "model: graduated, tiers: [{price: {EUR: \"1\", INR: \"9\"}, flat: \"3\"}]", "EUR"},
        {"a minimum counts", "price: {EUR: \"1\", INR: \"9\"}, minimum: \"1\"", "EUR"},
        {"a native minimum", "price: {EUR: \"1\", INR: \"9\"}, minimum: {EUR: \"1\", INR: \"8\"}",
         "EUR INR"},
        {"a maximum counts",
         "price: {EUR: \"1\", INR: \"9\", USD: \"2\"}, maximum: {EUR: \"1\", USD: \"8\"}",
         "EUR USD"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        load(&fixture,
             arena_printf(&fixture.arena,
                          CARD("c", OCTOBER_1,
                               "charges:\n  - {code: a, meter: vm.running, unit: hour, %s}\n"),
                          table[i].amounts));
        fixture_compiled(&fixture);
        const char *currencies = "";
        for (uint32_t j = 0; j < fixture.snapshot->plan_count; j++) {
            char code[4];
            currency_format(fixture.snapshot->plans[j].currency, code);
            currencies = arena_printf(&fixture.arena, "%s%s%s", currencies, j ? " " : "", code);
        }
        if (strcmp(currencies, table[i].currencies) != 0)
            fail_msg("%s: plans in %s", table[i].name, currencies);
        fixture_fini(&fixture);
    }
}

static void test_compile__minimum_begins_with_the_cards_currency(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture,
         CARD("c", OCTOBER_1,
              "charges:\n  - {code: a, meter: vm.running, unit: hour, price: \"1\", minimum: {INR: "
              "\"90\", EUR: \"2\"},"
              " included: \"1.5\", scope: resource, tax_class: reduced, description: x}\n"));
    fixture_compiled(&fixture);
    const struct charge *charge = &fixture.snapshot->charges[0];
    struct money amount;
    assert_int_equal(charge->minimum.count, 2);
    assert_int_equal(charge->minimum.currencies[0].code, fixture_currency("EUR").code);
    assert_true(money_choice_in(&charge->minimum, fixture_currency("INR"), &amount) &&
                amount.pico == 90 * PICO_PER_UNIT);
    assert_int_equal(charge->maximum.count, 0);
    assert_true(charge->included_micro == 1500000);
    assert_int_equal(charge->scope, SCOPE_RESOURCE);
    assert_true(slice_is(charge->tax_class, "reduced"));
    assert_true(slice_is(charge->description, "x"));
    fixture_fini(&fixture);
}

/* A contract in another currency can take over what is priced in it. */
static void test_compile__extends_across_currencies_with_native_prices(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture,
         CARD("base", OCTOBER_1,
              "charges:\n"
              "  - {code: a, meter: vm.running, unit: hour, price: {EUR: \"1\", INR: \"9\"}}\n"
              "  - {code: free, meter: ip.address, unit: hour, price: \"0\"}\n"));
    load(&fixture,
         "kind: ratecard\nname: own\nextends: base\ncurrency: INR\neffective_from: " OCTOBER_1
         "\n");
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    const struct version *version = version_of(snapshot, "own", 0);
    assert_int_equal(plan_of(snapshot, version, "a")->currency.code, fixture_currency("INR").code);
    assert_int_equal(price_of(snapshot, version, "a"), 900);
    assert_int_equal(plan_of(snapshot, version, "free")->currency.code,
                     fixture_currency("INR").code);
    fixture_fini(&fixture);
}

static void test_compile__cross_checks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        uint32_t line, column; /* 0: the book knows no place */
        const char *fragment;
    } table[] = {
        {"extends what is nowhere",
         CARD("c", OCTOBER_1, "extends: nowhere\ncharges:\n" CHARGE("a", "1")), 5, 10,
         "which is not loaded"},
        {"a circle",
         CARD("c", OCTOBER_1, "extends: d\n") "---\n" CARD(
             "d", OCTOBER_1, "extends: e\n") "---\n" CARD("e", OCTOBER_1, "extends: c\n"),
         17, 10, "which extends it in turn"},
        {"another currency",
         CARD("c", OCTOBER_1,
              "charges:\n" CHARGE(
                  "a",
                  "1")) "---\nkind: ratecard\nname: d\ncurrency: INR\neffective_from: " OCTOBER_1
                        "\nextends: c\n",
         12, 10, "has no price in INR"},
        {"unit of a meter that is not declared",
         CARD("c", OCTOBER_1,
              "charges:\n  - {code: a, meter: gpu, unit: gpu-hour, price: \"1\"}\n"),
         6, 33, "does not fit"},
        {"seventeen charges for all usage",
         CARD("c", OCTOBER_1,
              "charges:\n" CHARGE("a01", "1") CHARGE("a02", "1") CHARGE("a03", "1")
                  CHARGE("a04", "1") CHARGE("a05", "1") CHARGE("a06", "1") CHARGE("a07", "1")
                      CHARGE("a08", "1") CHARGE("a09", "1") CHARGE("a10", "1") CHARGE("a11", "1")
                          CHARGE("a12", "1") CHARGE("a13", "1") CHARGE("a14", "1")
                              CHARGE("a15", "1") CHARGE("a16", "1") CHARGE("a17", "1")),
         22, 5, "more than 16 charges"},
        {"a project with two payers",
         "kind: accounts\naccounts: [{id: a, currency: EUR, catalogue: p, projects: [x]}]\n---\n"
         "kind: accounts\naccounts: [{id: b, currency: EUR, catalogue: p, projects: [x]}]\n",
         0, 0, "`x` has two payers, the accounts a and b"},
        {"a project that is an account",
         "kind: accounts\naccounts: [{id: a, currency: EUR, catalogue: p, projects: [b]}]\n---\n"
         "kind: accounts\naccounts: [{id: b, currency: EUR, catalogue: p}]\n",
         0, 0, "`b` has two payers"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        load(&fixture, table[i].text);
        enum status status = fixture_compile(&fixture);
        const struct problem *problem = fixture.problems.items;
        bool holds = status == STATUS_INVALID && fixture.problems.count == 1 &&
                     problem->line == table[i].line && problem->column == table[i].column &&
                     !fixture.snapshot &&
                     memmem(problem->text.data, problem->text.length, table[i].fragment,
                            strlen(table[i].fragment));
        if (!holds) {
            fixture_print(&fixture);
            fail_msg("%s: status %d, %u problems", table[i].name, status, fixture.problems.count);
        }
        fixture_fini(&fixture);
    }
}

/* What is being loaded is what can be corrected: the message points there, whichever account comes
 * first. */
static void test_compile__two_payers_are_told_at_the_new_document(void **state)
{
    (void)state;
    for (int new_first = 0; new_first < 2; new_first++) {
        struct fixture fixture;
        struct entry_list added;
        fixture_init(&fixture);
        load(&fixture,
             "kind: accounts\naccounts: [{id: m, currency: EUR, catalogue: p, projects: [x]}]\n");
        entries_init(&added, &fixture.arena);
        const char *text = new_first ? "kind: accounts\naccounts:\n  - {id: a, currency: EUR, "
                                       "catalogue: p, projects: [x]}\n"
                                     : "kind: accounts\naccounts:\n  - {id: z, currency: EUR, "
                                       "catalogue: p, projects: [x]}\n";
        assert_int_equal(fixture_parse(&fixture, "new.yaml", slice_string(text)), STATUS_OK);
        assert_int_equal(documents_entries(&fixture.documents, &fixture.entries,
                                           (struct instant){1790000000}, &fixture.problems, &added),
                         STATUS_OK);
        const struct entry_list *lists[] = {&fixture.entries, &added};
        assert_int_equal(snapshot_compile(lists, 2, &fixture.problems, &fixture.snapshot),
                         STATUS_INVALID);
        assert_int_equal(fixture.problems.count, 1);
        assert_true(slice_is(fixture.problems.items[0].file, "new.yaml"));
        assert_int_equal(fixture.problems.items[0].line, 3);
        assert_int_equal(fixture.problems.items[0].column, 5);
        fixture_fini(&fixture);
    }
}

static void test_compile__declared_meters_have_their_base_unit(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, CARD("c", OCTOBER_1,
                        "charges:\n  - {code: a, meter: gpu, unit: gpu-hour, price: \"1\"}\n"
                        "  - {code: b, meter: cdn, unit: GiB, price: \"1\"}\n  - {code: c, meter: "
                        "free.name, unit: 1000 units, price: \"1\"}\n"));
    load(&fixture, "kind: meters\nmeters: [{name: gpu, base: hour}, {name: cdn, base: byte, "
                   "aggregation: sum}]\n");
    fixture_compiled(&fixture);
    for (uint32_t i = 0; i < fixture.snapshot->charge_count; i++)
        assert_null(fixture.snapshot->charges[i].meter);
    fixture_fini(&fixture);
}

/* Missing cards and catalogues are no problems: that usage waits in suspense. */
static void test_compile__what_is_not_loaded_yet_waits(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture,
         "kind: catalogue\nname: p\nratecard: later\n---\nkind: accounts\naccounts:\n"
         "  - {id: a, currency: EUR, catalogue: p}\n  - {id: b, currency: EUR, catalogue: q}\n"
         "---\nkind: budgets\nbudgets: [{account: nobody, amount: \"5\"}, {account: a, amount: "
         "\"5\"}]\n");
    fixture_compiled(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    assert_int_equal(snapshot->catalogues[0].family, INDEX_NONE);
    assert_int_equal(snapshot->accounts[0].catalogue, 0);
    assert_int_equal(snapshot->accounts[1].catalogue, INDEX_NONE);
    assert_int_equal(snapshot->budgets[0].account_index, 0);
    assert_int_equal(snapshot->budgets[0].currency.code, fixture_currency("EUR").code);
    assert_int_equal(snapshot->budgets[1].account_index, INDEX_NONE);
    fixture_fini(&fixture);
}

static void test_compile__later_lists_count(void **state)
{
    (void)state;
    struct fixture a, b;
    fixture_init(&a);
    fixture_init(&b);
    load(&a, "kind: accounts\naccounts: [{id: m, name: old, currency: EUR, catalogue: p}, {id: x, "
             "currency: EUR, catalogue: p}]\n");
    load(&b, "kind: accounts\naccounts: [{id: n, currency: EUR, catalogue: p}, {id: m, name: new, "
             "currency: EUR, catalogue: p}]\n");
    const struct entry_list *lists[] = {&a.entries, &b.entries};
    assert_int_equal(snapshot_compile(lists, 2, &a.problems, &a.snapshot), STATUS_OK);
    assert_int_equal(a.snapshot->account_count, 3);
    assert_true(slice_is(a.snapshot->accounts[0].name, "new"));
    assert_true(slice_is(a.snapshot->accounts[1].id, "n"));
    assert_true(slice_is(a.snapshot->accounts[2].id, "x"));
    fixture_fini(&a);
    fixture_fini(&b);
}

#define PRICING                                                                                    \
    CARD("c", OCTOBER_1, "charges:\n" CHARGE("a", "1"))                                            \
    "---\nkind: catalogue\nname: p\nratecard: c\n---\nkind: accounts\n"                            \
    "accounts: [{id: a, currency: EUR, catalogue: p}]\n"

static uint64_t digest_of(const char *text)
{
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture, text);
    fixture_compiled(&fixture);
    uint64_t digest = fixture.snapshot->pricing_digest;
    fixture_fini(&fixture);
    return digest;
}

/* Equal digests rate alike: what does not rate must not change it, or everything would be rated
 * anew for nothing. */
static void test_compile__digest_is_of_what_rates(void **state)
{
    (void)state;
    uint64_t digest = digest_of(PRICING);
    static const char *const same[] = {
        "# a comment\n" PRICING,
        PRICING "---\nkind: fx\nsource: s\nrates: [{date: 2026-10-01, base: EUR, quote: INR, rate: "
                "\"1\"}]\n",
        PRICING "---\nkind: tax\nrules: [{country: DE, rate: \"19\"}]\n",
        PRICING "---\nkind: budgets\nbudgets: [{account: a, amount: \"5\"}]\n",
        CARD("c", OCTOBER_1,
             "charges:\n  - {code: a, description: words, tax_class: reduced, meter: vm.running, "
             "unit: hour, price: \"1.0\"}\n") "---\nkind: catalogue\nname: p\nratecard: "
                                              "c\n---\nkind: accounts\n"
                                              "accounts: [{id: a, name: x, currency: EUR, "
                                              "catalogue: p, email: a@b, terms_days: 3, tax: "
                                              "{country: DE}}]\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_true(digest_of(same[i]) == digest);
    static const char *const other[] = {
        CARD("c", OCTOBER_1, "charges:\n" CHARGE("a", "2")),
        PRICING "---\nkind: meters\nmeters: [{name: gpu, base: hour}]\n",
        PRICING "---\nkind: catalogue\nname: q\nratecard: c\n",
        PRICING "---\nkind: accounts\naccounts: [{id: b, currency: EUR, catalogue: p}]\n",
        PRICING "---\nkind: accounts\naccounts: [{id: b, currency: EUR, catalogue: p, timezone: "
                "Asia/Kolkata}]\n",
        PRICING
        "---\nkind: accounts\naccounts: [{id: b, currency: EUR, catalogue: p, projects: [x]}]\n",
        CARD("c", OCTOBER_1, "month: 730\ncharges:\n" CHARGE("a", "1")),
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_true(digest_of(other[i]) != digest);
        for (size_t j = 0; j < i; j++)
            assert_true(digest_of(other[i]) != digest_of(other[j]));
    }
}

/* Lines in the snapshot are the file's, also for a document in its middle: explain cites them. */
static void test_compile__lines_are_the_files(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load(&fixture,
         "\xef\xbb\xbf# first\nkind: catalogue\nname: p\nratecard: c\n---\n# caf\xc3\xa9\n" CARD(
             "c", OCTOBER_1,
             "charges:\n"
             "  - code: a\n    meter: vm.running\n    unit: hour\n    prices:\n      - {where: "
             "{zone: z}, price: \"1\"}\n"
             "      - {price: \"2\"}\n"));
    fixture_compiled(&fixture);
    const struct charge *charge = &fixture.snapshot->charges[0];
    assert_int_equal(charge->line, 12);
    assert_int_equal(charge->rows[0].line, 16);
    assert_int_equal(charge->rows[1].line, 17);
    assert_int_equal(charge->rows[1].column, 9);
    assert_true(slice_is(fixture.snapshot->versions[0].file, "f.yaml"));
    fixture_fini(&fixture);
}

static void test_compile__damaged_entries_are_reported(void **state)
{
    (void)state;
    struct fixture whole;
    fixture_init(&whole);
    load(&whole, PRICING "---\nkind: fx\nsource: s\nrates: [{date: 2026-10-01, base: EUR, quote: "
                         "INR, rate: \"1\"}]\n"
                         "---\nkind: tax\nrules: [{country: DE, rate: \"19\"}]\n---\nkind: "
                         "budgets\nbudgets: [{account: a, amount: \"5\"}]\n"
                         "---\nkind: meters\nmeters: [{name: gpu, base: hour}]\n");
    assert_int_equal(whole.entries.count, ENTRY_TABLE_COUNT);
    for (uint32_t i = 0; i < whole.entries.count; i++) {
        for (size_t cut = 0; cut < whole.entries.items[i].value.length; cut++) {
            struct fixture damaged;
            fixture_init(&damaged);
            entries_add(&damaged.entries, whole.entries.items[i].table, whole.entries.items[i].key,
                        slice_of(whole.entries.items[i].value.data, cut));
            assert_int_equal(fixture_compile(&damaged), STATUS_INVALID);
            fixture_fini(&damaged);
        }
    }
    fixture_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compile__versions_follow_each_other),
        cmocka_unit_test(test_compile__highest_revision_counts),
        cmocka_unit_test(test_compile__extends_cuts_time_where_either_card_changes),
        cmocka_unit_test(test_compile__extends_over_three_cards),
        cmocka_unit_test(test_compile__charges_are_sorted_by_meter_then_code),
        cmocka_unit_test(test_compile__signatures_carry_the_tier_position),
        cmocka_unit_test(test_compile__carry_false_holds_for_the_document_not_for_a_stretch),
        cmocka_unit_test(test_compile__native_prices_need_every_amount),
        cmocka_unit_test(test_compile__minimum_begins_with_the_cards_currency),
        cmocka_unit_test(test_compile__extends_across_currencies_with_native_prices),
        cmocka_unit_test(test_compile__cross_checks),
        cmocka_unit_test(test_compile__two_payers_are_told_at_the_new_document),
        cmocka_unit_test(test_compile__declared_meters_have_their_base_unit),
        cmocka_unit_test(test_compile__what_is_not_loaded_yet_waits),
        cmocka_unit_test(test_compile__later_lists_count),
        cmocka_unit_test(test_compile__digest_is_of_what_rates),
        cmocka_unit_test(test_compile__lines_are_the_files),
        cmocka_unit_test(test_compile__damaged_entries_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
