/* Documents that are wrong: every kind of mistake is found at its place, with what to do about it.
 */
#include "ratecards/fixture.h"

/* A card whose charges follow: line 6 is the first line after `charges:`. */
#define CARD                                                                                       \
    "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\ncharges:\n"
#define PRICED   ", meter: vm.running, unit: hour, price: \"1\"}\n"
#define FX(rate) "kind: fx\nsource: ECB\nrates:\n  - " rate "\n"
#define ACCOUNT(members)                                                                           \
    "kind: accounts\naccounts:\n  - {id: a, currency: EUR, catalogue: p" members "}\n"
#define TIERS(model, tiers)                                                                        \
    CARD "  - {code: a, meter: network.sent, unit: GiB, model: " model ", tiers: [" tiers "]}\n"

static const struct {
    const char *name;
    const char *text;
    uint32_t line, column;
    const char *fragment;
    uint32_t others; /* problems beside this one */
} table[] = {
    /* the file */
    {"empty file", "", 1, 1, "no document in it", 0},
    {"only a comment", "# nothing\n", 1, 1, "no document in it", 0},
    {"not UTF-8", "kind: catalogue\nname: caf\xe9\nratecard: r\n", 2, 10, "not UTF-8", 0},
    {"overlong UTF-8", "name: \xc0\xaf\n", 1, 7, "not UTF-8", 0},
    {"a NUL byte", "name: \x01\n", 1, 7, "control character", 0},
    {"old Mac line ends", "kind: fx\rsource: x\r", 1, 9, "carriage return", 0},
    {"Unicode line separator", "kind: fx # \xe2\x80\xa8\n", 1, 12, "line separator", 0},
    {"a tab indents", "kind: catalogue\nname:\n\tp\n", 3, 1, "tab in the indentation", 0},
    {"quote not closed", "kind: catalogue\nname: \"p\n", 3, 1, "close them", 0},
    {"bracket not closed", "kind: fx\nsource: [x\nrates: 1\n", 3, 6, "the list is not closed", 0},
    {"two colons in a line", "kind: catalogue\nname: a: b\n", 2, 8, "a ':' cannot stand here", 0},
    {"a value that begins with @", "kind: catalogue\nname: @x\n", 2, 7, "put the value in quotes",
     0},
    {"an anchor", "kind: catalogue\nname: &n p\nratecard: r\n", 2, 7, "anchors", 0},
    {"an alias", "kind: catalogue\nname: *n\nratecard: r\n", 2, 7, "aliases", 0},
    {"a tag", "kind: catalogue\nname: !!str p\nratecard: r\n", 2, 7, "tags", 0},
    {"a key given twice", "kind: catalogue\nname: p\nratecard: r\nname: q\n", 4, 1,
     "given twice, first at line 2", 0},
    {"a key that is a list", "kind: catalogue\n[a]: b\nname: p\nratecard: r\n", 2, 1,
     "a key must be", 0},
    {"too deep", "a: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]\n", 1, 15, "nested too deeply", 0},
    {"no kind", "name: p\n", 1, 1, "does not say what it is", 0},
    {"not a map", "- a\n- b\n", 1, 1, "does not say what it is", 0},
    {"unknown kind", "kind: ratecards\n", 1, 7, "did you mean `ratecard`", 0},
    {"kind of nothing we know", "kind: wombat\n", 1, 7, "write one of ratecard, catalogue", 0},
    {"the second document is wrong",
     "kind: catalogue\nname: p\nratecard: r\n---\nkind: catalogue\nname: p\n", 5, 1,
     "has no `ratecard`", 0},

    /* a rate card's own keys */
    {"unknown key", CARD "  - {code: a, metre: vm.running, unit: hour, price: \"1\"}\n", 6, 15,
     "did you mean `meter`", 1},
    {"unknown key without a near one", CARD "  - {code: a, colour: red" PRICED, 6, 15,
     "it can have code, description", 0},
    {"no name",
     "kind: ratecard\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\ncharges: [{code: "
     "a" PRICED "]\n",
     1, 1, "has no `name`", 0},
    {"name without a value", "kind: catalogue\nname:\nratecard: r\n", 2, 6, "has no value", 0},
    {"no charges", "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\n",
     1, 1, "has no `charges`", 0},
    {"charges are empty",
     "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\ncharges: []\n",
     5, 10, "`charges` is empty", 0},
    {"blank in a name", "kind: catalogue\nname: my card\nratecard: r\n", 2, 7,
     "must not hold blanks", 0},
    {"unknown currency",
     "kind: ratecard\nname: c\ncurrency: Euro\neffective_from: 2026-10-01T00:00:00Z\ncharges: "
     "[{code: a" PRICED "]\n",
     3, 11, "ISO 4217", 0},
    {"a metal is no currency",
     "kind: ratecard\nname: c\ncurrency: XAU\neffective_from: 2026-10-01T00:00:00Z\ncharges: "
     "[{code: a" PRICED "]\n",
     3, 11, "ISO 4217", 0},
    {"a date is no instant",
     "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-10-01\ncharges: [{code: a" PRICED
     "]\n",
     4, 17, "write it as 2026-10-01T00:00:00Z", 0},
    {"no such day",
     "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-02-30T00:00:00Z\ncharges: "
     "[{code: a" PRICED "]\n",
     4, 17, "not an instant", 0},
    {"half a second",
     "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00.5Z\ncharges: "
     "[{code: a" PRICED "]\n",
     4, 17, "whole second", 0},
    {"unknown zone", CARD "  - {code: a" PRICED "timezone: Europe/Atlantis\n", 7, 11,
     "no time zone", 0},
    {"unknown month", CARD "  - {code: a" PRICED "month: 731\n", 7, 8, "actual, 730, 720", 0},
    {"unknown rounding", CARD "  - {code: a" PRICED "rounding: bankers\n", 7, 11,
     "half-even, half-up", 0},
    {"extends itself", CARD "  - {code: a" PRICED "extends: c\n", 7, 10, "extends itself", 0},

    /* numbers */
    {"bare float", CARD "  - {code: a, meter: vm.running, unit: hour, price: 0.10}\n", 6, 53,
     "write price: \"0.10\"", 0},
    {"octal", CARD "  - {code: a, included: 0777" PRICED, 6, 25, "octal", 0},
    {"base 60", CARD "  - {code: a, included: 1:30" PRICED, 6, 25, "base-60", 0},
    {"underscores", CARD "  - {code: a, included: 1_000" PRICED, 6, 25, "leave the underscores out",
     0},
    {"hexadecimal", CARD "  - {code: a, included: 0x1F" PRICED, 6, 25, "decimal digits", 0},
    {"exponent", CARD "  - {code: a, included: \"1e3\"" PRICED, 6, 25, "without an exponent", 0},
    {"bare decimal bound", CARD "  - {code: a, included: 0.5" PRICED, 6, 25,
     "write included: \"0.5\"", 0},
    {"seven decimals", CARD "  - {code: a, included: \"0.0000001\"" PRICED, 6, 25,
     "more than 6 decimals", 0},
    {"thirteen decimals",
     CARD "  - {code: a, meter: vm.running, unit: hour, price: \"0.0000000000001\"}\n", 6, 53,
     "more than 12 decimals", 0},
    {"negative", CARD "  - {code: a, meter: vm.running, unit: hour, price: \"-1\"}\n", 6, 53,
     "must not be negative", 0},
    {"decimal comma", CARD "  - {code: a, meter: vm.running, unit: hour, price: \"0,10\"}\n", 6, 53,
     "write a point", 0},
    {"no digit before the point",
     CARD "  - {code: a, meter: vm.running, unit: hour, price: \".5\"}\n", 6, 53,
     "0 before the point", 0},
    {"a word", CARD "  - {code: a, meter: vm.running, unit: hour, price: free}\n", 6, 53,
     "write digits only", 0},
    {"empty price", CARD "  - {code: a, meter: vm.running, unit: hour, price: \"\"}\n", 6, 53,
     "it is empty", 0},
    {"huge price",
     CARD "  - {code: a, meter: vm.running, unit: hour, price: \"99999999999999999999\"}\n", 6, 53,
     "too large", 0},
    {"price is a list", CARD "  - {code: a, meter: vm.running, unit: hour, price: [\"1\"]}\n", 6,
     53, "must be a number, not a list", 0},
    {"native without own currency",
     CARD "  - {code: a, meter: vm.running, unit: hour, price: {INR: \"9\"}}\n", 6, 53,
     "must also give the card's own currency, EUR", 0},
    {"native unknown currency",
     CARD "  - {code: a, meter: vm.running, unit: hour, price: {EUR: \"1\", RUP: \"9\"}}\n", 6, 64,
     "`RUP`", 0},
    {"native bare float", CARD "  - {code: a, meter: vm.running, unit: hour, price: {EUR: 0.1}}\n",
     6, 59, "write price: \"0.1\"", 0},

    /* charges */
    {"code given twice", CARD "  - {code: a" PRICED "  - {code: a" PRICED, 7, 5,
     "taken by the charge at line 6", 0},
    {"unknown unit", CARD "  - {code: a, meter: vm.running, unit: hours/month, price: \"1\"}\n", 6,
     40, "not a unit", 0},
    {"unit in the wrong case", CARD "  - {code: a, meter: network.sent, unit: gib, price: \"1\"}\n",
     6, 42, "write `GiB`", 0},
    {"unit does not fit the meter",
     CARD "  - {code: a, meter: vm.running, unit: GiB, price: \"1\"}\n", 6, 40, "does not fit", 0},
    {"times is missing for the unit",
     CARD "  - {code: a, meter: volume, unit: GiB-month, price: \"1\"}\n", 6, 36, "times: size", 0},
    {"times that the meter has not",
     CARD "  - {code: a, meter: ip.address, unit: hour, times: size, price: \"1\"}\n", 6, 53,
     "do not carry `size`", 0},
    {"unknown model", CARD "  - {code: a, model: tiered" PRICED, 6, 22,
     "per_unit, graduated, volume", 0},
    {"unknown scope", CARD "  - {code: a, scope: zone" PRICED, 6, 22, "account, resource", 0},
    {"carry is no boolean", CARD "  - {code: a, carry: no" PRICED, 6, 22, "neither true nor false",
     0},
    {"minimum above maximum", CARD "  - {code: a, minimum: \"5\", maximum: \"4\"" PRICED, 6, 24,
     "minimum is above the maximum in EUR", 0},
    {"minimum above maximum in no currency",
     "kind: ratecard\nname: c\ncurrency: EURO\neffective_from: 2026-10-01T00:00:00Z\ncharges:\n"
     "  - {code: a, minimum: \"5\", maximum: \"4\"" PRICED,
     3, 11, "is not a currency", 0},
    {"price missing", CARD "  - {code: a, meter: vm.running, unit: hour}\n", 6, 5, "has no `price`",
     0},
    {"size with per_unit", CARD "  - {code: a, model: per_unit, size: 3" PRICED, 6, 38,
     "belongs to `model: package`", 0},
    {"flat with per_unit", CARD "  - {code: a, model: per_unit, flat: \"3\"" PRICED, 6, 38,
     "put it into a tier", 0},
    {"package without a size", CARD "  - {code: a, model: package" PRICED, 6, 5, "has no `size`",
     0},
    {"package of nothing", CARD "  - {code: a, size: 0" PRICED, 6, 21, "greater than 0", 0},
    {"price beside prices",
     CARD "  - {code: a, meter: vm.running, unit: hour, price: \"1\", prices: [{price: \"2\"}]}\n",
     6, 53, "beside `prices`", 0},
    {"price with graduated", CARD "  - {code: a, model: graduated" PRICED, 6, 71,
     "does not go with model graduated", 1},

    /* tiers */
    {"tiers without a model",
     CARD "  - {code: a, meter: network.sent, unit: GiB, tiers: [{price: \"1\"}]}\n", 6, 5,
     "need a `model`", 0},
    {"bounds do not rise",
     TIERS("graduated", "{up_to: 10, price: \"1\"}, {up_to: 10, price: \"2\"}, {price: \"3\"}"), 6,
     98, "tiers must rise: the tier before ends at 10", 0},
    {"last is not open", TIERS("graduated", "{up_to: 10, price: \"1\"}, {up_to: 20, price: \"2\"}"),
     6, 98, "last tier must be open", 0},
    {"open is not last", TIERS("graduated", "{price: \"1\"}, {price: \"2\"}"), 6, 73,
     "only the last tier can be open", 0},
    {"a gap", TIERS("graduated", "{up_to: 10, price: \"1\"}, {from: 11, price: \"2\"}"), 6, 98,
     "a gap: the tier before ends at 10", 0},
    {"an overlap", TIERS("graduated", "{up_to: 10, price: \"1\"}, {from: 9, price: \"2\"}"), 6, 98,
     "overlaps the tier before", 0},
    {"a tier without a price", TIERS("volume", "{up_to: 10}, {price: \"2\"}"), 6, 70,
     "the tier has no `price`", 0},
    {"a stairstep with a price",
     TIERS("stairstep", "{up_to: 10, flat: \"1\"}, {flat: \"2\", price: \"3\"}"), 6, 116,
     "has a `flat` and no `price`", 0},
    {"a stairstep without a flat", TIERS("stairstep", "{up_to: 10}, {flat: \"2\"}"), 6, 73,
     "needs a `flat`", 0},
    {"tiers are a map",
     CARD "  - {code: a, meter: network.sent, unit: GiB, model: volume, tiers: {price: \"1\"}}\n",
     6, 69, "`tiers` must be a list", 0},

    /* rows */
    {"two rows for all",
     CARD
     "  - {code: a, meter: vm.running, unit: hour, prices: [{price: \"1\"}, {price: \"2\"}]}\n",
     6, 69, "a tie: the same usage can match this row and the one at line 6", 0},
    {"two rows, one usage",
     CARD
     "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {zone: z}, price: \"1\"},\n"
     "      {where: {offering: o}, price: \"2\"}]}\n",
     7, 7, "a tie: the same usage can match this row and the one at line 6", 0},
    {"two names for one attribute",
     CARD "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {zone: z, zoneid: y}, "
          "price: \"1\"}]}\n",
     6, 73, "the same attribute as another one", 0},
    {"unknown attribute",
     CARD "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {ofering: o}, price: "
          "\"1\"}]}\n",
     6, 64, "did you mean `offering`", 0},
    {"attribute without a number",
     CARD "  - {code: a, meter: vm.running, unit: hour, prices: [{where: {memory: 8GiB}, price: "
          "\"1\"}]}\n",
     6, 72, "can never match", 0},
    {"attribute without a boolean",
     CARD "  - {code: a, meter: ip.address, unit: hour, prices: [{where: {issourcenat: yes}, "
          "price: \"1\"}]}\n",
     6, 77, "write true or false", 0},
    {"where is a list",
     CARD "  - {code: a, meter: vm.running, unit: hour, prices: [{where: [zone], price: \"1\"}]}\n",
     6, 63, "`where` must name attributes", 0},
    {"row with an unknown key",
     CARD
     "  - {code: a, meter: vm.running, unit: hour, prices: [{when: {zone: z}, price: \"1\"}]}\n",
     6, 56, "a price row has no `when`", 0},

    /* the other kinds */
    {"account without a currency", "kind: accounts\naccounts:\n  - {id: a, catalogue: p}\n", 3, 5,
     "the account has no `currency`", 0},
    {"account twice",
     "kind: accounts\naccounts:\n  - {id: a, currency: EUR, catalogue: p}\n  - {id: a, currency: "
     "EUR, catalogue: p}\n",
     4, 5, "already at the account at line 3", 0},
    {"project twice",
     "kind: accounts\naccounts:\n  - {id: a, currency: EUR, catalogue: p, projects: [x]}\n"
     "  - {id: b, currency: EUR, catalogue: p, projects: [x]}\n",
     4, 5, "the project `x` is already", 0},
    {"terms in words", ACCOUNT(", terms_days: thirty"), 3, 54, "whole number from 0 to 3650", 0},
    {"unknown billing", ACCOUNT(", billing: monthly"), 3, 51, "postpaid, prepaid", 0},
    {"no e-mail address", ACCOUNT(", email: billing"), 3, 49, "no e-mail address", 0},
    {"unknown country", ACCOUNT(", tax: {country: Germany}"), 3, 57, "ISO 3166", 0},
    {"unknown zone of an account", ACCOUNT(", timezone: CEST"), 3, 52, "no time zone", 0},
    {"accounts are no list", "kind: accounts\naccounts: {id: a}\n", 2, 11, "must be a list", 0},
    {"id ends in a blank",
     "kind: accounts\naccounts:\n  - {id: \"a \", currency: EUR, catalogue: p}\n", 3, 10,
     "begins or ends with a blank", 0},
    {"rate of nothing", FX("{date: 2026-10-30, base: EUR, quote: INR, rate: \"0\"}"), 4, 53,
     "greater than 0", 0},
    {"rate without quotes", FX("{date: 2026-10-30, base: EUR, quote: INR, rate: 101.2}"), 4, 53,
     "write rate: \"101.2\"", 0},
    {"one currency", FX("{date: 2026-10-30, base: EUR, quote: EUR, rate: \"1\"}"), 4, 42,
     "another currency than `base`", 0},
    {"no such date", FX("{date: 30.10.2026, base: EUR, quote: INR, rate: \"1\"}"), 4, 12,
     "write it as 2026-10-31", 0},
    {"rate twice",
     FX("{date: 2026-10-30, base: EUR, quote: INR, rate: \"1\"}\n  - {date: 2026-10-30, base: EUR, "
        "quote: INR, rate: \"2\"}"),
     5, 5, "same date and currencies as the rate at line 4", 0},
    {"no source", "kind: fx\nrates: [{date: 2026-10-30, base: EUR, quote: INR, rate: \"1\"}]\n", 1,
     1, "has no `source`", 0},
    {"tax above 100", "kind: tax\nrules: [{country: DE, rate: \"119\"}]\n", 2, 29,
     "cannot be above 100", 0},
    {"tax category with a rate", "kind: tax\nrules: [{country: DE, rate: \"19\", category: AE}]\n",
     2, 45, "category AE is without tax", 0},
    {"tax rule twice",
     "kind: tax\nrules:\n  - {country: DE, rate: \"19\"}\n  - {country: DE, rate: \"16\"}\n", 4, 5,
     "as the rule at line 3", 0},
    {"tax ends before it begins",
     "kind: tax\nrules: [{country: DE, rate: \"19\", from: 2026-01-02, to: 2026-01-02}]\n", 2, 57,
     "must be later than `from`", 0},
    {"thresholds fall",
     "kind: budgets\nbudgets: [{account: a, amount: \"5\", thresholds: [80, 50]}]\n", 2, 54,
     "thresholds must rise", 0},
    {"a threshold with a sign",
     "kind: budgets\nbudgets: [{account: a, amount: \"5\", thresholds: [80%]}]\n", 2, 50,
     "whole number of percent", 0},
    {"budget of nothing", "kind: budgets\nbudgets: [{account: a, amount: \"0\"}]\n", 2, 32,
     "greater than 0", 0},
    {"budget twice",
     "kind: budgets\nbudgets:\n  - {account: a, amount: \"5\"}\n  - {account: a, amount: \"5\"}\n",
     4, 5, "give each its own `id`", 0},
    {"meter of CloudStack", "kind: meters\nmeters: [{name: vm.running}]\n", 2, 17,
     "a meter of CloudStack", 0},
    {"aggregation to come", "kind: meters\nmeters: [{name: m, aggregation: max}]\n", 2, 33,
     "not supported yet", 0},
    {"meter twice", "kind: meters\nmeters: [{name: m}, {name: m}]\n", 2, 21,
     "declared at line 2 already", 0},
    {"CSV with another header", "date,from,to,rate\n2026-10-30,EUR,INR,1\n", 1, 1,
     "must be date,base,quote,rate", 0},
    {"CSV with a field too many", "date,base,quote,rate\n2026-10-30,EUR,INR,1,2\n", 2, 1,
     "5 fields", 1},
    {"CSV with a bad rate", "date,base,quote,rate\n2026-10-30,EUR,INR,1\n2026-10-31,EUR,INR,x\n", 3,
     20, "write digits only", 0},
    {"XML that is something else", "<invoice/>\n", 1, 1, "not a file of ECB reference rates", 0},
    {"XML with a DOCTYPE", "<!DOCTYPE Envelope [<!ENTITY a \"b\">]><Envelope/>\n", 1, 1, "DOCTYPE",
     0},
    {"XML cut off", "<Envelope><Cube>", 1, 17, "not readable as XML", 0},
};

static bool case_holds(size_t at)
{
    struct fixture fixture;
    fixture_init(&fixture);
    enum status status = fixture_parse(&fixture, "f.yaml", slice_string(table[at].text));
    bool found = false;
    for (uint32_t i = 0; i < fixture.problems.count; i++) {
        const struct problem *problem = &fixture.problems.items[i];
        found = found || (problem->line == table[at].line && problem->column == table[at].column &&
                          slice_is(problem->file, "f.yaml") &&
                          memmem(problem->text.data, problem->text.length, table[at].fragment,
                                 strlen(table[at].fragment)));
    }
    bool holds =
        status == STATUS_INVALID && found && fixture.problems.count == table[at].others + 1;
    if (!holds) {
        print_error(
            "%s: expected status INVALID and %u problems with %u:%u \"%s\"; got status %d and\n",
            table[at].name, table[at].others + 1, table[at].line, table[at].column,
            table[at].fragment, status);
        fixture_print(&fixture);
    }
    fixture_fini(&fixture);
    return holds;
}

static void test_documents__mistakes_are_found_at_their_place(void **state)
{
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        failed += !case_holds(i);
    assert_int_equal(failed, 0);
}

static void test_documents__all_problems_come_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    static const char text[] =
        "kind: ratecard\nname: c\ncurrency: EURO\neffective_from: soon\ncolour: red\ncharges:\n"
        "  - {code: a, meter: vm.running, unit: GiB, price: 0.1}\n"
        "  - {code: a, unit: hour, prices: [{price: \"x\"}, {price: \"1\"}]}\n";
    assert_int_equal(
        fixture_parse(&fixture, "f.yaml", SLICE("kind: catalogue\nname: p\nratecard: r\n")),
        STATUS_OK);
    assert_int_equal(fixture_parse(&fixture, "f.yaml", slice_string(text)), STATUS_INVALID);
    problems_sort(&fixture.problems);
    static const uint32_t lines[] = {3, 4, 5, 7, 7, 8, 8, 8, 8};
    assert_int_equal(fixture.problems.count, sizeof lines / sizeof lines[0]);
    for (uint32_t i = 0; i < fixture.problems.count; i++)
        assert_int_equal(fixture.problems.items[i].line, lines[i]);
    assert_int_equal(fixture.documents.count,
                     1); /* the good one stays, the bad one is not appended */
    fixture_fini(&fixture);
}

static void test_documents__good_ones_beside_a_bad_one_are_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    static const char text[] =
        "kind: catalogue\nname: a\nratecard: r\n---\nkind: catalogue\nname: b\n---\n"
        "kind: catalogue\nname: c\nratecard: r\n";
    assert_int_equal(fixture_parse(&fixture, "f.yaml", slice_string(text)), STATUS_INVALID);
    assert_int_equal(fixture.problems.count, 1);
    assert_int_equal(fixture.documents.count, 2);
    assert_true(slice_is(document_title(fixture.documents.items[1]), "catalogue c"));
    assert_int_equal(document_kind(fixture.documents.items[1]), DOCUMENT_CATALOGUE);
    fixture_fini(&fixture);
}

/* Texts that YAML 1.1 readers spoil are just texts. */
static void test_documents__norway_stays_norway(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_load(
        &fixture, "f.yaml",
        SLICE("kind: accounts\naccounts:\n"
              "  - {id: 0777, name: on, currency: NOK, catalogue: yes, tax: {country: NO}}\n"
              "---\nkind: tax\nrules: [{country: NO, class: off, rate: \"25\"}]\n"));
    fixture_compiled(&fixture);
    const struct account *account = &fixture.snapshot->accounts[0];
    assert_true(slice_is(account->id, "0777"));
    assert_true(slice_is(account->name, "on"));
    assert_true(slice_is(account->catalogue_name, "yes"));
    assert_true(slice_is(account->tax_country, "NO"));
    assert_non_null(snapshot_tax(fixture.snapshot, SLICE("NO"), SLICE("off"), 20000));
    fixture_fini(&fixture);
}

static void test_documents__json_bom_and_windows_line_ends_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"kind\": \"catalogue\",\n\t\"name\": \"p\", \"ratecard\": \"r\"}\n",
        "\xef\xbb\xbfkind: catalogue\nname: p\nratecard: r\n",
        "kind: catalogue\r\nname: p\r\nratecard: r\r\n",
        "%YAML 1.2\n---\nkind: catalogue\nname: 'p'\nratecard: |-\n  r\n...\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        fixture_load(&fixture, "f", slice_string(texts[i]));
        fixture_compiled(&fixture);
        assert_int_equal(fixture.snapshot->catalogue_count, 1);
        assert_true(slice_is(fixture.snapshot->catalogues[0].name, "p"));
        assert_true(slice_is(fixture.snapshot->catalogues[0].card, "r"));
        fixture_fini(&fixture);
    }
}

static void test_documents__problems_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    char *text = arena_alloc(&fixture.arena, 64 + 1200 * 16), *at = text;
    at += sprintf(at, "kind: accounts\naccounts:\n");
    for (int i = 0; i < 1200; i++)
        at += sprintf(at, "  - {idd: %d}\n", i);
    assert_int_equal(fixture_parse(&fixture, "f.yaml", slice_string(text)), STATUS_INVALID);
    assert_int_equal(fixture.problems.count, PROBLEMS_MAX);
    assert_int_equal(fixture.problems.dropped,
                     1200 * 4 -
                         PROBLEMS_MAX); /* unknown key, and id, currency, catalogue missing */
    fixture_fini(&fixture);
}

/* Cut anywhere, a document is read or refused, never worse (the sanitizers watch). */
static void test_documents__cut_at_every_byte(void **state)
{
    (void)state;
    static const char text[] =
        CARD "  - {code: \"a\\u00e4\", meter: volume, times: size, unit: GiB-month,\n"
             "     model: graduated, tiers: [{up_to: 5, price: {EUR: \"1\", INR: \"2\"}}, {price: "
             "'3'}]}\n"
             "---\nkind: fx\nsource: >-\n  E\n  CB\nrates:\n- {date: 2026-10-30, base: EUR, quote: "
             "INR, rate: \"1\"}\n";
    for (size_t length = 0; length < sizeof text; length++) {
        struct fixture fixture;
        fixture_init(&fixture);
        char *copy =
            malloc(length + 1); /* exactly as long as said, so that a byte too many is seen */
        memcpy(copy, text, length);
        (void)!fixture_parse(&fixture, "f.yaml", slice_of(copy, length));
        for (uint32_t i = 0; i < fixture.problems.count; i++)
            assert_true(fixture.problems.items[i].line >= 1 &&
                        fixture.problems.items[i].column >= 1);
        fixture_fini(&fixture);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents__mistakes_are_found_at_their_place),
        cmocka_unit_test(test_documents__all_problems_come_at_once),
        cmocka_unit_test(test_documents__good_ones_beside_a_bad_one_are_kept),
        cmocka_unit_test(test_documents__norway_stays_norway),
        cmocka_unit_test(test_documents__json_bom_and_windows_line_ends_are_read),
        cmocka_unit_test(test_documents__problems_beyond_the_limit_are_counted),
        cmocka_unit_test(test_documents__cut_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
