/* From buckets to money: tables of documents, quantities and what they come to, computed by hand.
 */
#include "ratecards/fixture.h"

#include "account/spend.h"

#define HOURS(n) ((int128)(n)*1000000)
#define GIB(n)   (((int128)(n) << 30) * 1000000)
#define GIB_MONTH(n)                                                                               \
    (((int128)(n) << 30) * 744 * 3600 * 1000000) /* of a level: byte-seconds of an October in UTC  \
                                                  */

#define OCTOBER   ((struct period){2026 * 12 + 9})
#define LINES_MAX 4
#define USES_MAX  8

/* A bucket: `version` counts the card's versions from 0; row from 0 in the charge; currency NULL is
 * the card's. */
struct use {
    const char *code;
    uint32_t version;
    uint32_t row;
    const char *currency;
    uint32_t part;
    int128 quanta;
};

struct want {
    const char *code;
    const char *priced;  /* after limits, in the priced currency, exact */
    const char *amount;  /* in the account's currency, exact */
    const char *rounded; /* NULL: there is no rate */
    enum spend_limit limit;
};

#define HEAD(from)                                                                                 \
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-" from "T00:00:00Z\ncharges:" \
    "\n"
#define NEXT "---\n"
#define TIERS(low, high)                                                                           \
    "  - {code: net, meter: network.sent, unit: GiB, model: graduated, tiers: [{up_to: 100, "      \
    "price: \"" low "\"}, {price: \"" high "\"}]}\n"
#define TIERS_ANEW(low, high)                                                                      \
    "  - {code: net, carry: false, meter: network.sent, unit: GiB, model: graduated, tiers: "      \
    "[{up_to: 100, price: \"" low "\"}, {price: \"" high "\"}]}\n"
#define VM(members) "  - {code: vm, meter: vm.running, unit: hour, " members "}\n"
#define RATE(quote, rate)                                                                          \
    "---\nkind: fx\nsource: ECB\nrates: [{date: 2026-10-30, base: EUR, quote: " quote              \
    ", rate: \"" rate "\"}]\n"
/* Two rows, both free for 100 hours in all. */
#define ROWS(a, b)                                                                                 \
    "  - {code: vm, meter: vm.running, unit: hour, included: 100, prices: [{where: {zone: z1}, "   \
    "price: \"" a "\"}, {price: \"" b "\"}]}\n"

static const struct {
    const char *name;
    const char *cards;
    const char *currency; /* the account's */
    struct use uses[USES_MAX];
    struct want wants[LINES_MAX];
    const char *total;
} table[] = {
    {"one price",
     HEAD("10-01") VM("price: \"0.0125\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(744)}},
     {{"vm", "9.3", "9.3", "9.30", 0}},
     "9.30"},
    {"nothing used, no line",
     HEAD("10-01") VM("price: \"0.0125\", minimum: \"5\""),
     "EUR",
     {{0}},
     {{0}},
     "0.00"},
    {"graduated, upper bound inclusive",
     HEAD("10-01") TIERS("0.10", "0.05"),
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(100)}},
     {{"net", "10", "10", "10.00", 0}},
     "10.00"},

    /* F1(80) + F2(130) - F2(80) = 8 + (20 + 3) - 16 */
    {"tiers carry over a change of card",
     HEAD("10-01") TIERS("0.10", "0.05") NEXT HEAD("10-16") TIERS("0.20", "0.10"),
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(80)}, {"net", 1, 0, NULL, 0, GIB(50)}},
     {{"net", "15", "15", "15.00", 0}},
     "15.00"},
    {"the order of buckets is of no effect",
     HEAD("10-01") TIERS("0.10", "0.05") NEXT HEAD("10-16") TIERS("0.20", "0.10"),
     "EUR",
     {{"net", 1, 0, NULL, 0, GIB(50)}, {"net", 0, 0, NULL, 0, GIB(80)}},
     {{"net", "15", "15", "15.00", 0}},
     "15.00"},
    /* F1(80) + F2(50) = 8 + 10 */
    {"carry: false starts anew",
     HEAD("10-01") TIERS("0.10", "0.05") NEXT HEAD("10-16") TIERS_ANEW("0.20", "0.10"),
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(80)}, {"net", 1, 0, NULL, 0, GIB(50)}},
     {{"net", "18", "18", "18.00", 0}},
     "18.00"},
    /* F1(80) + F2(50) + F3(110) - F3(50) = 8 + 10 + (30 + 2) - 15: the third goes on where the
       second began */
    {"carry after an anew",
     HEAD("10-01") TIERS("0.10", "0.05") NEXT HEAD("10-11") TIERS_ANEW("0.20", "0.10")
         NEXT HEAD("10-21") TIERS("0.30", "0.20"),
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(80)},
      {"net", 1, 0, NULL, 0, GIB(50)},
      {"net", 2, 0, NULL, 0, GIB(60)}},
     {{"net", "35", "35", "35.00", 0}},
     "35.00"},
    /* The contract's own charge stays the same document: F(130) = 10 + 1.5, as if nothing had
       happened. */
    {"a change of the base card is no new start",
     "kind: ratecard\nname: card\nextends: base\ncurrency: EUR\neffective_from: "
     "2026-10-01T00:00:00Z\ncharges:\n" TIERS_ANEW("0.10", "0.05") NEXT
     "kind: ratecard\nname: base\ncurrency: EUR\neffective_from: "
     "2026-10-01T00:00:00Z\ncharges:\n" VM("price: \"1\"") NEXT
     "kind: ratecard\nname: base\ncurrency: EUR\neffective_from: "
     "2026-10-16T00:00:00Z\ncharges:\n" VM("price: \"2\""),
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(80)}, {"net", 1, 0, NULL, 0, GIB(50)}},
     {{"net", "11.5", "11.5", "11.50", 0}},
     "11.50"},
    /* F1(90) + F2(110) - F2(90) = 90 + 11 - 90: the dearer tier is given back */
    {"volume across versions gives back",
     HEAD("10-01") "  - {code: net, meter: network.sent, unit: GiB, model: volume, tiers: [{up_to: "
                   "100, price: \"1\"}, {price: \"0.1\"}]}\n" NEXT HEAD(
                       "10-16") "  - {code: net, meter: network.sent, unit: GiB, model: volume, "
                                "tiers: [{up_to: 100, price: \"1\"}, {price: \"0.1\"}]}\n",
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(90)}, {"net", 1, 0, NULL, 0, GIB(20)}},
     {{"net", "11", "11", "11.00", 0}},
     "11.00"},
    {"a code that a version drops keeps its line",
     HEAD("10-01") TIERS("0.10", "0.05") NEXT HEAD("10-16") VM("price: \"1\""),
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(80)}, {"vm", 1, 0, NULL, 0, HOURS(2)}},
     {{"net", "8", "8", "8.00", 0}, {"vm", "2", "2", "2.00", 0}},
     "10.00"},

    {"included is free",
     HEAD("10-01") VM("price: \"0.10\", included: 100"),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(150)}},
     {{"vm", "5", "5", "5.00", 0}},
     "5.00"},
    {"included covers all",
     HEAD("10-01") VM("price: \"0.10\", included: 100"),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(99)}},
     {{"vm", "0", "0", "0.00", 0}},
     "0.00"},
    {"included is one allowance for the month",
     HEAD("10-01") VM("price: \"0.10\", included: 100") NEXT HEAD("10-16")
         VM("price: \"0.20\", included: 100"),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(60)}, {"vm", 1, 0, NULL, 0, HOURS(60)}},
     {{"vm", "4", "4", "4.00", 0}},
     "4.00"},
    {"included that shrinks",
     HEAD("10-01") VM("price: \"0.10\", included: 100") NEXT HEAD("10-16")
         VM("price: \"0.10\", included: 50"),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(80)}, {"vm", 1, 0, NULL, 0, HOURS(10)}},
     {{"vm", "1", "1", "1.00", 0}},
     "1.00"},
    {"included before tiers",
     HEAD("10-01") "  - {code: net, included: 10, meter: network.sent, unit: GiB, model: "
                   "graduated, tiers: [{up_to: 100, price: "
                   "\"0.10\"}, {price: \"0.05\"}]}\n",
     "EUR",
     {{"net", 0, 0, NULL, 0, GIB(120)}},
     {{"net", "10.5", "10.5", "10.50", 0}},
     "10.50"},
    /* 70 free, then 30 of 50 */
    {"included goes to rows in their order",
     HEAD("10-01") ROWS("0.10", "0.20"),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(70)}, {"vm", 0, 1, NULL, 0, HOURS(50)}},
     {{"vm", "4", "4", "4.00", 0}},
     "4.00"},
    /* What the second row took before the change is taken: 50 of 100 are left for the first row. */
    {"included over versions and rows",
     HEAD("10-01") ROWS("0.10", "0.20") NEXT HEAD("10-16") ROWS("0.30", "0.40"),
     "EUR",
     {{"vm", 0, 1, NULL, 0, HOURS(50)}, {"vm", 1, 0, NULL, 0, HOURS(100)}},
     {{"vm", "15", "15", "15.00", 0}},
     "15.00"},
    {"an empty bucket changes nothing",
     HEAD("10-01") ROWS("0.10", "0.20") NEXT HEAD("10-16") ROWS("0.30", "0.40"),
     "EUR",
     {{"vm", 0, 1, NULL, 0, HOURS(50)},
      {"vm", 1, 0, NULL, 0, HOURS(100)},
      {"vm", 1, 1, NULL, 0, 0}},
     {{"vm", "15", "15", "15.00", 0}},
     "15.00"},

    {"minimum",
     HEAD("10-01") VM("price: \"0.10\", minimum: \"5\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(1)}},
     {{"vm", "5", "5", "5.00", LIMIT_MINIMUM}},
     "5.00"},
    {"no minimum for an hour of nothing",
     HEAD("10-01") VM("price: \"0.10\", minimum: \"5\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, 0}},
     {{"vm", "0", "0", "0.00", 0}},
     "0.00"},
    {"maximum",
     HEAD("10-01") VM("price: \"0.10\", maximum: \"5\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(51)}},
     {{"vm", "5", "5", "5.00", LIMIT_MAXIMUM}},
     "5.00"},
    {"at the maximum",
     HEAD("10-01") VM("price: \"0.10\", maximum: \"5\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(50)}},
     {{"vm", "5", "5", "5.00", LIMIT_NONE}},
     "5.00"},
    {"limits of the newest version",
     HEAD("10-01") VM("price: \"0.10\", minimum: \"50\"") NEXT HEAD("10-16")
         VM("price: \"0.10\", minimum: \"20\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(10)}, {"vm", 1, 0, NULL, 0, HOURS(10)}},
     {{"vm", "20", "20", "20.00", LIMIT_MINIMUM}},
     "20.00"},
    /* F(60) each = 6, not F(120) = 11 */
    {"tiers of each resource",
     HEAD("10-01") "  - {code: net, scope: resource, meter: network.sent, unit: GiB, model: "
                   "graduated, tiers: [{up_to: 100, "
                   "price: \"0.10\"}, {price: \"0.05\"}]}\n",
     "EUR",
     {{"net", 0, 0, NULL, 1, GIB(60)}, {"net", 0, 0, NULL, 2, GIB(60)}},
     {{"net", "12", "12", "12.00", 0}},
     "12.00"},
    /* 10 + 0 of 5, and 30 of 35 */
    {"minimum and included of each resource",
     HEAD("10-01") VM("price: \"1\", scope: resource, included: 5, minimum: \"10\""),
     "EUR",
     {{"vm", 0, 0, NULL, 1, HOURS(5)}, {"vm", 0, 0, NULL, 2, HOURS(35)}},
     {{"vm", "40", "40", "40.00", LIMIT_NONE}},
     "40.00"},
    {"a version that counts another meter begins a line",
     HEAD("10-01") VM("price: \"1\"")
         NEXT HEAD("10-16") "  - {code: vm, meter: vm.allocated, unit: hour, price: \"1\"}\n",
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(2)}, {"vm", 1, 0, NULL, 0, HOURS(3)}},
     {{"vm", "3", "3", "3.00", 0}, {"vm", "2", "2", "2.00", 0}},
     "5.00"},
    {"another meter, of each resource",
     HEAD("10-01") VM("price: \"1\", scope: resource")
         NEXT HEAD("10-16") "  - {code: vm, scope: resource, meter: vm.allocated, unit: hour, "
                            "price: \"1\"}\n",
     "EUR",
     {{"vm", 0, 0, NULL, 1, HOURS(2)},
      {"vm", 1, 0, NULL, 1, HOURS(3)},
      {"vm", 0, 0, NULL, 2, HOURS(2)},
      {"vm", 1, 0, NULL, 2, HOURS(3)}},
     {{"vm", "6", "6", "6.00", 0}, {"vm", "4", "4", "4.00", 0}},
     "10.00"},

    {"native price",
     HEAD("10-01") VM("price: {EUR: \"0.010\", INR: \"0.95\"}") RATE("INR", "101.2345"),
     "INR",
     {{"vm", 0, 0, "INR", 0, HOURS(100)}},
     {{"vm", "95", "95", "95.00", 0}},
     "95.00"},
    {"native limits",
     HEAD("10-01")
         VM("price: {EUR: \"0.010\", INR: \"0.95\"}, minimum: {EUR: \"2\", INR: \"199\"}"),
     "INR",
     {{"vm", 0, 0, "INR", 0, HOURS(100)}},
     {{"vm", "199", "199", "199.00", LIMIT_MINIMUM}},
     "199.00"},
    {"converted, rounded once",
     HEAD("10-01") VM("price: \"0.0333\"") RATE("INR", "101.2345"),
     "INR",
     {{"vm", 0, 0, NULL, 0, HOURS(1)}},
     {{"vm", "0.0333", "3.37110885", "3.37", 0}},
     "3.37"},
    {"yen have no decimals",
     HEAD("10-01") VM("price: \"0.0333\"") RATE("JPY", "163.5"),
     "JPY",
     {{"vm", 0, 0, NULL, 0, HOURS(100)}},
     {{"vm", "3.33", "544.455", "544", 0}},
     "544"},
    {"dinars have three",
     HEAD("10-01") VM("price: \"0.0333\"") RATE("BHD", "0.4123"),
     "BHD",
     {{"vm", 0, 0, NULL, 0, HOURS(100)}},
     {{"vm", "3.33", "1.372959", "1.373", 0}},
     "1.373"},
    {"no rate",
     HEAD("10-01") VM("price: \"0.0333\"") RATE("JPY", "163.5"),
     "INR",
     {{"vm", 0, 0, NULL, 0, HOURS(100)}},
     {{"vm", "3.33", "0", NULL, 0}},
     "0.00"},
    {"half to even",
     HEAD("10-01") VM("price: \"0.005\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(1)}},
     {{"vm", "0.005", "0.005", "0.00", 0}},
     "0.00"},
    {"half up",
     "kind: ratecard\nname: card\ncurrency: EUR\nrounding: half-up\neffective_from: "
     "2026-10-01T00:00:00Z\ncharges:\n" VM("price: \"0.005\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(1)}},
     {{"vm", "0.005", "0.005", "0.01", 0}},
     "0.01"},
    {"the total is of rounded lines",
     HEAD("10-01")
         VM("price: \"0.004\"") "  - {code: ip, meter: ip.address, unit: hour, price: \"0.004\"}\n",
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(1)}, {"ip", 0, 0, NULL, 0, HOURS(1)}},
     {{"ip", "0.004", "0.004", "0.00", 0}, {"vm", "0.004", "0.004", "0.00", 0}},
     "0.00"},
    {"a level",
     HEAD("10-01") "  - {code: store, meter: bucket, unit: GiB-month, price: \"0.02\"}\n",
     "EUR",
     {{"store", 0, 0, NULL, 0, GIB_MONTH(3) / 2}},
     {{"store", "0.03", "0.03", "0.03", 0}},
     "0.03"},
    {"packages",
     HEAD("10-01") VM("model: package, size: 100, price: \"3\""),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(201)}},
     {{"vm", "9", "9", "9.00", 0}},
     "9.00"},
    {"stairs",
     HEAD("10-01") VM("model: stairstep, tiers: [{up_to: 10, flat: \"1\"}, {flat: \"7\"}]"),
     "EUR",
     {{"vm", 0, 0, NULL, 0, HOURS(11)}},
     {{"vm", "7", "7", "7.00", 0}},
     "7.00"},
};

static uint32_t plan_of(const struct snapshot *snapshot, const struct use *use)
{
    uint32_t family = snapshot_family(snapshot, SLICE("card"));
    assert_int_not_equal(family, INDEX_NONE);
    assert_true(use->version < snapshot->families[family].version_count);
    uint32_t version = snapshot->families[family].version_first + use->version;
    struct currency currency =
        use->currency ? fixture_currency(use->currency) : snapshot->versions[version].currency;
    for (uint32_t i = 0; i < snapshot->plan_count; i++) {
        const struct plan *plan = &snapshot->plans[i];
        if (plan->version == version && plan->row == use->row &&
            currency_equal(plan->currency, currency) &&
            slice_is(snapshot->charges[plan->charge].code, use->code))
            return i;
    }
    fail_msg("no plan for %s, version %u, row %u", use->code, use->version, use->row);
    return INDEX_NONE;
}

static void put(struct buckets *buckets, struct bucket_key key, int128 quanta)
{
    uint32_t index;
    assert_int_equal(buckets_at(buckets, key, &index), STATUS_OK);
    buckets->items[index].quanta += quanta;
}

static void load(struct fixture *f, const char *cards, const char *currency)
{
    char accounts[256];
    fixture_init(f);
    fixture_load(f, "cards", slice_string(cards));
    snprintf(accounts, sizeof(accounts),
             "kind: accounts\naccounts: [{id: a, currency: %s, catalogue: public}]\n---\nkind: "
             "catalogue\nname: public\nratecard: card\n",
             currency);
    fixture_load(f, "accounts", arena_copy(&f->arena, slice_string(accounts)));
    fixture_compiled(f);
}

static void check_money(const char *name, const char *what, struct money got, const char *want)
{
    char text[DECIMAL_TEXT_BYTES];
    money_format_exact(got, text);
    if (strcmp(text, want) != 0)
        fail_msg("%s: %s is %s, not %s", name, what, text, want);
}

static void check_rounded(const char *name, struct money got, struct currency currency,
                          const char *want)
{
    char text[DECIMAL_TEXT_BYTES];
    money_format(got, currency, text);
    if (strcmp(text, want) != 0)
        fail_msg("%s: rounded to %s, not %s", name, text, want);
}

static void check_line(const char *name, const struct spend *spend, const struct spend_line *line,
                       const struct want *want)
{
    if (!slice_is(line->charge->code, want->code))
        fail_msg("%s: a line %.*s, not %s", name, (int)line->charge->code.length,
                 line->charge->code.data, want->code);
    check_money(name, "priced", line->priced, want->priced);
    check_money(name, "amount", line->amount, want->amount);
    assert_int_equal(line->limit, want->limit);
    assert_int_equal(line->no_rate, want->rounded == NULL);
    if (want->rounded)
        check_rounded(name, line->rounded, spend->currency, want->rounded);
    int128 quanta = 0, pico = 0;
    for (uint32_t i = 0; i < line->part_count; i++) {
        const struct spend_part *part = &line->parts[i];
        quanta += part->quantity.quanta;
        pico += part->amount.pico;
        assert_true(part->billed.quanta >= 0 && part->included.quanta >= 0 &&
                    part->position.quanta >= 0);
        assert_true(part->quantity.quanta == part->billed.quanta + part->included.quanta);
    }
    assert_true(quanta == line->quantity.quanta);
    assert_true(pico == line->before_limits.pico);
}

static void test_spend__table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct fixture f;
        struct buckets buckets;
        struct spend spend;
        struct error error = {0};
        buckets_init(&buckets);
        load(&f, table[i].cards, table[i].currency);
        for (const struct use *use = table[i].uses; use < table[i].uses + USES_MAX && use->code;
             use++) {
            struct bucket_key key = {.account = 0,
                                     .period = OCTOBER.index,
                                     .plan = plan_of(f.snapshot, use),
                                     .part = use->part};
            put(&buckets, key, use->quanta);
            key.period++; /* the neighbour is not looked at */
            put(&buckets, key, use->quanta);
        }
        if (spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, &error) != STATUS_OK)
            fail_msg("%s: %s", table[i].name, error.text);
        uint32_t count = 0;
        for (; count < LINES_MAX && table[i].wants[count].code; count++) {
            if (count >= spend.line_count)
                fail_msg("%s: only %u lines", table[i].name, spend.line_count);
            check_line(table[i].name, &spend, &spend.lines[count], &table[i].wants[count]);
        }
        if (spend.line_count != count)
            fail_msg("%s: %u lines, not %u", table[i].name, spend.line_count, count);
        check_rounded(table[i].name, spend.total, spend.currency, table[i].total);
        buckets_fini(&buckets);
        fixture_fini(&f);
    }
}

static void test_spend__fx_says_which_rate(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    load(&f,
         HEAD("10-01")
             VM("price: \"1\"") "---\nkind: fx\nsource: ECB\nrates:\n  - {date: 2026-10-29, base: "
                                "EUR, quote: INR, rate: \"100\"}\n"
                                "  - {date: 2026-10-30, base: EUR, quote: INR, rate: \"101.5\"}\n  "
                                "- {date: 2026-11-01, base: EUR, quote: INR, rate: \"999\"}\n",
         "INR");
    struct use use = {"vm", 0, 0, NULL, 0, HOURS(2)};
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &use), 0}, use.quanta);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    const struct spend_line *line = &spend.lines[0];
    assert_true(line->converted);
    assert_int_equal(line->fx.day,
                     civil_to_days(2026, 10, 30)); /* the last on or before the period's last day */
    assert_true(slice_is(line->fx.source, "ECB"));
    check_money("fx", "rate", (struct money){line->fx.rate_pico}, "101.5");
    check_money("fx", "amount", line->amount, "203");
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__prices_in_two_currencies_are_one_line_of_the_accounts(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    load(&f, HEAD("10-01") VM("price: {EUR: \"1\", INR: \"90\"}") RATE("INR", "100"), "INR");
    struct use own = {"vm", 0, 0, NULL, 0, HOURS(2)}, native = {"vm", 0, 0, "INR", 0, HOURS(3)};
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &own), 0}, own.quanta);
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &native), 0},
        native.quanta);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    assert_int_equal(spend.line_count, 1);
    assert_true(currency_equal(spend.lines[0].priced_currency, spend.currency));
    assert_false(spend.lines[0].converted); /* each part was, where it had to be */
    for (uint32_t i = 0; i < spend.lines[0].part_count; i++) {
        const struct spend_part *part = &spend.lines[0].parts[i];
        bool in_rupees = currency_equal(part->currency, spend.currency);
        assert_int_equal(part->converted, !in_rupees);
        if (!in_rupees)
            check_money("part", "rate", (struct money){part->fx.rate_pico}, "100");
    }
    check_rounded("both", spend.total, spend.currency, "470.00"); /* 2 x 100 + 3 x 90 */
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__limits_and_tiers_hold_once_over_two_currencies(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    load(&f,
         HEAD("10-01") VM("price: {EUR: \"1\", INR: \"90\"}") NEXT HEAD("10-16")
             VM("price: \"1\", maximum: \"4\"") RATE("INR", "100"),
         "INR");
    struct use native = {"vm", 0, 0, "INR", 0, HOURS(3)}, own = {"vm", 1, 0, NULL, 0, HOURS(2)};
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &native), 0},
        native.quanta);
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &own), 0}, own.quanta);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    assert_int_equal(spend.line_count, 1);
    assert_int_equal(spend.lines[0].limit, LIMIT_MAXIMUM);
    check_rounded("maximum", spend.total, spend.currency,
                  "400.00"); /* 270 + 200, at most 4 EUR = 400 */
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__a_limit_per_resource_holds_on_its_group(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    load(&f, HEAD("10-01") VM("price: \"1\", scope: resource, maximum: \"5\""), "EUR");
    struct use small = {"vm", 0, 0, NULL, 1, HOURS(4)}, large = {"vm", 0, 0, NULL, 2, HOURS(100)};
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &small), 1},
        small.quanta);
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &large), 2},
        large.quanta);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    assert_int_equal(spend.lines[0].group_count, 2);
    check_money("small", "after", spend.lines[0].groups[0].after, "4");
    assert_int_equal(spend.lines[0].groups[0].limit, LIMIT_NONE);
    check_money("large", "after", spend.lines[0].groups[1].after, "5");
    assert_int_equal(spend.lines[0].groups[1].limit, LIMIT_MAXIMUM);
    check_rounded("both", spend.total, spend.currency, "9.00");
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__a_rate_is_rounded_once_from_the_exact_product(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    load(&f, HEAD("10-01") VM("price: \"0.125\"") RATE("USD", "1.000000000001"), "USD");
    struct use one = {"vm", 0, 0, NULL, 0, HOURS(1)};
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &one), 0}, one.quanta);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    check_rounded("above the tie", spend.total, spend.currency, "0.13"); /* 0.125000000000125 */
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__unpriced_usage_is_listed_by_meter(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    load(&f, HEAD("10-01") VM("price: \"1\""), "EUR");
    put(&buckets, (struct bucket_key){0, OCTOBER.index, INDEX_NONE, 300}, 7);
    put(&buckets, (struct bucket_key){0, OCTOBER.index, INDEX_NONE, 6}, HOURS(2));
    put(&buckets, (struct bucket_key){0, OCTOBER.index + 1, INDEX_NONE, 3}, HOURS(5));
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    assert_int_equal(spend.line_count, 0);
    assert_int_equal(spend.unpriced_count, 2);
    assert_int_equal(spend.unpriced[0].meter, 6);
    assert_true(spend.unpriced[0].quantity.quanta == HOURS(2));
    assert_int_equal(spend.unpriced[1].meter, 300);
    assert_true(spend.total.pico == 0);
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__the_period_is_of_the_accounts_zone(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    buckets_init(&buckets);
    fixture_init(&f);
    fixture_load(&f, "accounts",
                 SLICE("kind: accounts\naccounts: [{id: a, currency: INR, catalogue: public, "
                       "timezone: Asia/Kolkata}]\n"));
    fixture_compiled(&f);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, NULL),
                     STATUS_OK);
    assert_int_equal(spend.start.seconds, fixture_instant("2026-09-30T18:30:00Z").seconds);
    assert_int_equal(spend.end.seconds, fixture_instant("2026-10-31T18:30:00Z").seconds);
    assert_int_equal(spend.line_count, 0);
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__overflow_names_charge_and_account(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    struct error error = {0};
    buckets_init(&buckets);
    load(&f, HEAD("10-01") VM("price: \"9999999999\""), "EUR");
    struct use use = {"vm", 0, 0, NULL, 0, 0};
    put(&buckets, (struct bucket_key){0, OCTOBER.index, plan_of(f.snapshot, &use), 0},
        BUCKET_QUANTA_MAX - 1);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, &error),
                     STATUS_RANGE);
    assert_non_null(strstr(error.text, "charge vm of account a"));
    buckets_fini(&buckets);
    fixture_fini(&f);
}

static void test_spend__usage_that_cannot_be_counted_is_never_a_sum(void **state)
{
    (void)state;
    struct fixture f;
    struct buckets buckets;
    struct spend spend;
    struct error error = {0};
    buckets_init(&buckets);
    load(&f, HEAD("10-01") VM("price: \"1\""), "EUR");
    put(&buckets, (struct bucket_key){0, OCTOBER.index, INDEX_NONE, 6}, BUCKET_QUANTA_MAX);
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, OCTOBER, &f.arena, &spend, &error),
                     STATUS_RANGE);
    assert_non_null(strstr(error.text, "account a, meter volume"));
    assert_int_equal(spend_compute(&buckets, f.snapshot, 0, (struct period){OCTOBER.index + 1},
                                   &f.arena, &spend, &error),
                     STATUS_OK);
    buckets_fini(&buckets);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spend__table),
        cmocka_unit_test(test_spend__fx_says_which_rate),
        cmocka_unit_test(test_spend__prices_in_two_currencies_are_one_line_of_the_accounts),
        cmocka_unit_test(test_spend__limits_and_tiers_hold_once_over_two_currencies),
        cmocka_unit_test(test_spend__a_limit_per_resource_holds_on_its_group),
        cmocka_unit_test(test_spend__a_rate_is_rounded_once_from_the_exact_product),
        cmocka_unit_test(test_spend__unpriced_usage_is_listed_by_meter),
        cmocka_unit_test(test_spend__the_period_is_of_the_accounts_zone),
        cmocka_unit_test(test_spend__overflow_names_charge_and_account),
        cmocka_unit_test(test_spend__usage_that_cannot_be_counted_is_never_a_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
