/* A snapshot laid out by hand: two accounts in two zones, a card with two versions, charges of
 * every kind that resolving meets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "rate/snapshot.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define S(literal)                                                                                 \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define CODE(a, b, c)                                                                              \
    {                                                                                              \
        (uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c)                                   \
    }

#define EUR CODE('E', 'U', 'R')
#define INR CODE('I', 'N', 'R')
#define USD CODE('U', 'S', 'D')

static const struct rate_tier tier = {TIER_OPEN, {PICO_PER_UNIT / 50}, {0}};

/* Plans: EUR first in each row, row 1 of vm.small with rupees and dollars too. */
enum {
    PLAN_SMALL_ANY,
    PLAN_SMALL_EUR,
    PLAN_SMALL_INR,
    PLAN_SMALL_USD,
    PLAN_SMALL_ZONE,
    PLAN_LICENCE,
    PLAN_MEMORY,
    PLAN_SSD,
    PLAN_SMALL_LATER,
    PLAN_BUCKET,
    PLAN_COUNT
};

enum {
    CHARGE_SMALL,
    CHARGE_LICENCE,
    CHARGE_MEMORY,
    CHARGE_SSD,
    CHARGE_SMALL_LATER,
    CHARGE_BUCKET,
    CHARGE_COUNT
};

#define PLAN(v, c, r, money)                                                                       \
    {                                                                                              \
        .version = v, .charge = c, .row = r, .currency = money, .tiers = &tier, .tier_count = 1    \
    }

static const struct plan plans[PLAN_COUNT] = {
    [PLAN_SMALL_ANY] = PLAN(0, CHARGE_SMALL, 0, EUR),
    [PLAN_SMALL_EUR] = PLAN(0, CHARGE_SMALL, 1, EUR),
    [PLAN_SMALL_INR] = PLAN(0, CHARGE_SMALL, 1, INR),
    [PLAN_SMALL_USD] = PLAN(0, CHARGE_SMALL, 1, USD),
    [PLAN_SMALL_ZONE] = PLAN(0, CHARGE_SMALL, 2, EUR),
    [PLAN_LICENCE] = PLAN(0, CHARGE_LICENCE, 0, EUR),
    [PLAN_MEMORY] = PLAN(0, CHARGE_MEMORY, 0, EUR),
    [PLAN_SSD] = PLAN(0, CHARGE_SSD, 0, EUR),
    [PLAN_SMALL_LATER] = PLAN(1, CHARGE_SMALL_LATER, 0, EUR),
    [PLAN_BUCKET] = PLAN(1, CHARGE_BUCKET, 0, EUR),
};

static const struct where_term where_offering[] = {{S("offering"), S("small")}};
static const struct where_term where_both[] = {{S("offering"), S("small")}, {S("zone"), S("z1")}};
static const struct where_term where_template[] = {{S("template"), S("windows")}};

static const struct charge_row rows_small[] = {
    {.plan_first = PLAN_SMALL_ANY, .plan_count = 1},
    {.where = where_offering, .where_count = 1, .plan_first = PLAN_SMALL_EUR, .plan_count = 3},
    {.where = where_both, .where_count = 2, .plan_first = PLAN_SMALL_ZONE, .plan_count = 1},
};
static const struct charge_row rows_licence[] = {
    {.where = where_template, .where_count = 1, .plan_first = PLAN_LICENCE, .plan_count = 1}};
static const struct charge_row rows_memory[] = {{.plan_first = PLAN_MEMORY, .plan_count = 1}};
static const struct charge_row rows_ssd[] = {{.plan_first = PLAN_SSD, .plan_count = 1}};
static const struct charge_row rows_small_later[] = {
    {.plan_first = PLAN_SMALL_LATER, .plan_count = 1}};
static const struct charge_row rows_bucket[] = {{.plan_first = PLAN_BUCKET, .plan_count = 1}};

#define HOUR                                                                                       \
    {                                                                                              \
        1, UNIT_TIME_HOUR, DIMENSION_TIME, "hour"                                                  \
    }
#define GIB_HOUR                                                                                   \
    {                                                                                              \
        (int64_t)1 << 30, UNIT_TIME_HOUR, DIMENSION_TIME | DIMENSION_BYTES, "GiB-hour"             \
    }
#define GIB_MONTH                                                                                  \
    {                                                                                              \
        (int64_t)1 << 30, UNIT_TIME_MONTH, DIMENSION_TIME | DIMENSION_BYTES, "GiB-month"           \
    }

static const struct charge charges[CHARGE_COUNT] = {
    [CHARGE_SMALL] = {.code = S("vm.small"),
                      .meter_name = S("vm.running"),
                      .meter = &meter_table[0],
                      .unit = HOUR,
                      .rows = rows_small,
                      .row_count = 3},
    [CHARGE_LICENCE] = {.code = S("vm.licence"),
                        .meter_name = S("vm.running"),
                        .meter = &meter_table[0],
                        .unit = HOUR,
                        .rows = rows_licence,
                        .row_count = 1},
    [CHARGE_MEMORY] = {.code = S("vm.memory"),
                       .meter_name = S("vm.running"),
                       .meter = &meter_table[0],
                       .unit = GIB_HOUR,
                       .times_name = S("memory"),
                       .times = {true, DIMENSION_BYTES, 1 << 20},
                       .rows = rows_memory,
                       .row_count = 1},
    [CHARGE_SSD] = {.code = S("volume.ssd"),
                    .meter_name = S("volume"),
                    .meter = &meter_table[5],
                    .unit = GIB_MONTH,
                    .times_name = S("size"),
                    .times = {true, DIMENSION_BYTES, 1},
                    .rows = rows_ssd,
                    .row_count = 1},
    [CHARGE_SMALL_LATER] = {.code = S("vm.small"),
                            .meter_name = S("vm.running"),
                            .meter = &meter_table[0],
                            .unit = HOUR,
                            .rows = rows_small_later,
                            .row_count = 1,
                            .version = 1},
    [CHARGE_BUCKET] = {.code = S("store"),
                       .meter_name = S("bucket"),
                       .meter = &meter_table[22],
                       .unit = GIB_MONTH,
                       .rows = rows_bucket,
                       .row_count = 1,
                       .version = 1},
};

static const uint32_t charges_first[] = {CHARGE_LICENCE, CHARGE_MEMORY, CHARGE_SMALL, CHARGE_SSD};
static const uint32_t charges_second[] = {CHARGE_BUCKET, CHARGE_SMALL_LATER};

#define OCTOBER_1  1790812800 /* 2026-10-01T00:00:00Z */
#define OCTOBER_15 1792022400
#define NOVEMBER_1 1793491200
#define HOURS      3600

struct fixture {
    struct zone *berlin;
    struct zone *kolkata;
    struct version versions[2];
    struct account accounts[4];
    struct snapshot snapshot;
};

static const struct card_family families[] = {{S("public-eu"), 0, 2}};
static const struct catalogue catalogues[] = {
    {S("dollars"), 0, S("public-eu"), USD},
    {S("public"), 0, S("public-eu"), {0}},
    {S("waiting"), INDEX_NONE, S("not-loaded"), {0}},
};
static const struct payer_entry payers[] = {
    {S("acme"), 0}, {S("beta"), 1}, {S("gone"), 2}, {S("project-9"), 0}, {S("wait"), 3}};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f || zone_load(SLICE("Europe/Berlin"), &f->berlin) != STATUS_OK ||
        zone_load(SLICE("Asia/Kolkata"), &f->kolkata) != STATUS_OK)
        return -1;
    f->versions[0] = (struct version){.card = S("public-eu"),
                                      .from = {OCTOBER_1 - 2 * HOURS},
                                      .to = {OCTOBER_15},
                                      .currency = EUR,
                                      .zone = f->berlin,
                                      .month = MONTH_ACTUAL,
                                      .charges = charges_first,
                                      .charge_count = COUNT_OF(charges_first)};
    f->versions[1] = (struct version){.card = S("public-eu"),
                                      .from = {OCTOBER_15},
                                      .to = INSTANT_MAX,
                                      .currency = EUR,
                                      .month = MONTH_730,
                                      .charges = charges_second,
                                      .charge_count = COUNT_OF(charges_second)};
    f->accounts[0] =
        (struct account){.id = S("acme"), .currency = INR, .catalogue = 1, .zone = f->kolkata};
    f->accounts[1] =
        (struct account){.id = S("beta"), .currency = EUR, .catalogue = 1, .zone = f->berlin};
    f->accounts[2] = (struct account){.id = S("gone"), .currency = EUR, .catalogue = INDEX_NONE};
    f->accounts[3] = (struct account){.id = S("wait"), .currency = EUR, .catalogue = 2};
    f->snapshot = (struct snapshot){.plans = plans,
                                    .plan_count = PLAN_COUNT,
                                    .charges = charges,
                                    .charge_count = CHARGE_COUNT,
                                    .versions = f->versions,
                                    .version_count = 2,
                                    .families = families,
                                    .family_count = 1,
                                    .catalogues = catalogues,
                                    .catalogue_count = 3,
                                    .accounts = f->accounts,
                                    .account_count = 4,
                                    .payers = payers,
                                    .payer_count = COUNT_OF(payers)};
    snapshot_index_build(&f->snapshot);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_fini(&f->snapshot.arena);
    zone_free(f->berlin);
    zone_free(f->kolkata);
    free(f);
    return 0;
}

static void test_snapshot__lookups_find_every_entry_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    const struct snapshot *s = &f->snapshot;
    for (uint32_t i = 0; i < COUNT_OF(payers); i++)
        assert_int_equal(snapshot_payer(s, payers[i].id), payers[i].account);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(snapshot_account(s, f->accounts[i].id), i);
    assert_int_equal(snapshot_account(s, SLICE("project-9")), INDEX_NONE);
    assert_int_equal(snapshot_payer(s, SLICE("acm")), INDEX_NONE);
    assert_int_equal(snapshot_payer(s, SLICE("acme2")), INDEX_NONE);
    assert_int_equal(snapshot_payer(s, SLICE("")), INDEX_NONE);
    assert_int_equal(snapshot_family(s, SLICE("public-eu")), 0);
    assert_int_equal(snapshot_family(s, SLICE("public")), INDEX_NONE);
    struct snapshot empty = {0};
    snapshot_index_build(&empty);
    assert_int_equal(snapshot_payer(&empty, SLICE("acme")), INDEX_NONE);
    assert_int_equal(snapshot_account(&empty, SLICE("acme")), INDEX_NONE);
    assert_int_equal(snapshot_family(&empty, SLICE("acme")), INDEX_NONE);
    arena_fini(&empty.arena);
}

static void test_snapshot__version_in_force_is_half_open(void **state)
{
    struct fixture *f = *state;
    const struct snapshot *s = &f->snapshot;
    assert_int_equal(snapshot_version_at(s, 0, INSTANT_MIN), INDEX_NONE);
    assert_int_equal(snapshot_version_at(s, 0, (struct instant){OCTOBER_1 - 2 * HOURS - 1}),
                     INDEX_NONE);
    assert_int_equal(snapshot_version_at(s, 0, (struct instant){OCTOBER_1 - 2 * HOURS}), 0);
    assert_int_equal(snapshot_version_at(s, 0, (struct instant){OCTOBER_15 - 1}), 0);
    assert_int_equal(snapshot_version_at(s, 0, (struct instant){OCTOBER_15}), 1);
    assert_int_equal(snapshot_version_at(s, 0, (struct instant){INT64_MAX - 1}), 1);
}

static void test_snapshot__attribute_names_are_canonical(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"offeringid", "offering"}, {"zoneid", "zone"},       {"templateid", "template"},
        {"virtualmachineid", "vm"}, {"usageid", "resource"},  {"networkid", "network"},
        {"vpcid", "vpc"},           {"projectid", "project"}, {"accountid", "account"},
        {"offering", "offering"},   {"size", "size"},         {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(slice_is(snapshot_attribute_name(slice_string(cases[i][0])), cases[i][1]));
}

#define ATTRIBUTES_MAX 5

static const struct {
    const char *name;
    const char *payer;
    const char *meter;
    int64_t at;
    struct where_term attributes[ATTRIBUTES_MAX];
    enum unpriced_reason reason;
    uint32_t plan_count;
    uint32_t plans[3];
    int64_t multipliers[3];
    int64_t from;
    int64_t to;
} resolve_cases[] = {
    {"no such account: the UTC month",
     "nobody",
     "vm.running",
     OCTOBER_15,
     {{{0}, {0}}},
     UNPRICED_NO_ACCOUNT,
     0,
     {0},
     {0},
     OCTOBER_1,
     NOVEMBER_1},
    {"no catalogue",
     "gone",
     "vm.running",
     OCTOBER_15,
     {{{0}, {0}}},
     UNPRICED_NO_CATALOGUE,
     0,
     {0},
     {0},
     OCTOBER_1,
     NOVEMBER_1},
    {"card not loaded",
     "wait",
     "vm.running",
     OCTOBER_15,
     {{{0}, {0}}},
     UNPRICED_NO_CARD,
     0,
     {0},
     {0},
     OCTOBER_1,
     NOVEMBER_1},
    {"before the first version, up to its start",
     "acme",
     "vm.running",
     OCTOBER_1 - 3 * HOURS,
     {{{0}, {0}}},
     UNPRICED_NO_CARD,
     0,
     {0},
     {0},
     OCTOBER_1 - 19800,
     OCTOBER_1 - 2 * HOURS},
    {"most terms win; charges by code; memory multiplies",
     "beta",
     "vm.running",
     OCTOBER_1,
     {{S("memory"), S("2048")},
      {S("offering"), S("small")},
      {S("template"), S("windows")},
      {S("zone"), S("z1")}},
     PRICED,
     3,
     {PLAN_LICENCE, PLAN_MEMORY, PLAN_SMALL_ZONE},
     {1, 2048, 1},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"one term",
     "beta",
     "vm.running",
     OCTOBER_1,
     {{S("memory"), S("1")}, {S("offering"), S("small")}, {S("zone"), S("z2")}},
     PRICED,
     2,
     {PLAN_MEMORY, PLAN_SMALL_EUR},
     {1, 1},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"zone alone does not match two terms",
     "beta",
     "vm.running",
     OCTOBER_1,
     {{S("memory"), S("1")}, {S("zone"), S("z1")}},
     PRICED,
     2,
     {PLAN_MEMORY, PLAN_SMALL_ANY},
     {1, 1},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"the account's currency where prices are native, through a project",
     "project-9",
     "vm.running",
     OCTOBER_1,
     {{S("offering"), S("small")}},
     PRICED,
     1,
     {PLAN_SMALL_INR},
     {1},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"else the card's currency",
     "acme",
     "vm.running",
     OCTOBER_1,
     {{S("offering"), S("large")}},
     PRICED,
     1,
     {PLAN_SMALL_ANY},
     {1},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"the second version until the end of the month there",
     "acme",
     "vm.running",
     OCTOBER_15,
     {{{0}, {0}}},
     PRICED,
     1,
     {PLAN_SMALL_LATER},
     {1},
     OCTOBER_15,
     NOVEMBER_1 - 19800},
    {"a month in which the clock changes",
     "beta",
     "vm.running",
     NOVEMBER_1 - 2 * HOURS,
     {{{0}, {0}}},
     PRICED,
     1,
     {PLAN_SMALL_LATER},
     {1},
     OCTOBER_15,
     NOVEMBER_1 - HOURS},
    {"times without the attribute",
     "beta",
     "volume",
     OCTOBER_1,
     {{S("zone"), S("z1")}},
     UNPRICED_NO_ATTRIBUTE,
     0,
     {0},
     {0},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"times of something else than an integer",
     "beta",
     "volume",
     OCTOBER_1,
     {{S("size"), S("1.5")}},
     UNPRICED_NO_ATTRIBUTE,
     0,
     {0},
     {0},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"times of less than nothing",
     "beta",
     "volume",
     OCTOBER_1,
     {{S("size"), S("-1")}},
     UNPRICED_NO_ATTRIBUTE,
     0,
     {0},
     {0},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"times of zero",
     "beta",
     "volume",
     OCTOBER_1,
     {{S("size"), S("0")}},
     PRICED,
     1,
     {PLAN_SSD},
     {0},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"no charge for the meter",
     "beta",
     "ip.address",
     OCTOBER_1,
     {{{0}, {0}}},
     UNPRICED_NO_PRICE,
     0,
     {0},
     {0},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
    {"no charge for the last meter by name",
     "beta",
     "zzz",
     OCTOBER_1,
     {{{0}, {0}}},
     UNPRICED_NO_PRICE,
     0,
     {0},
     {0},
     OCTOBER_1 - 2 * HOURS,
     OCTOBER_15},
};

static void test_snapshot__resolve_finds_the_plans(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(resolve_cases); i++) {
        struct series_view view = {.payer_id = slice_string(resolve_cases[i].payer),
                                   .meter_name = slice_string(resolve_cases[i].meter),
                                   .attributes = resolve_cases[i].attributes};
        while (view.attribute_count < ATTRIBUTES_MAX &&
               resolve_cases[i].attributes[view.attribute_count].name.length)
            view.attribute_count++;
        view.meter = meter_by_name(view.meter_name);
        struct resolution r;
        if (snapshot_resolve(&f->snapshot, &view, (struct instant){resolve_cases[i].at}, &r) !=
            STATUS_OK)
            fail_msg("%s: refused", resolve_cases[i].name);
        if (r.reason != resolve_cases[i].reason || r.plan_count != resolve_cases[i].plan_count)
            fail_msg("%s: reason %d, %u plans", resolve_cases[i].name, r.reason, r.plan_count);
        for (uint32_t p = 0; p < r.plan_count; p++)
            if (r.plans[p] != resolve_cases[i].plans[p] ||
                r.multipliers[p] != resolve_cases[i].multipliers[p])
                fail_msg("%s: plan %u", resolve_cases[i].name, r.plans[p]);
        if (r.from.seconds != resolve_cases[i].from || r.to.seconds != resolve_cases[i].to)
            fail_msg("%s: from %lld to %lld", resolve_cases[i].name, (long long)r.from.seconds,
                     (long long)r.to.seconds);
        assert_int_equal(r.account, snapshot_payer(&f->snapshot, view.payer_id));
    }
}

/* The fixture's snapshot as its arrays are now. */
static struct snapshot indexed_anew(const struct fixture *f)
{
    struct snapshot snapshot = f->snapshot;
    snapshot.index = NULL;
    arena_init(&snapshot.arena);
    snapshot_index_build(&snapshot);
    return snapshot;
}

static uint32_t first_plan(const struct fixture *f, const struct series_view *view)
{
    struct resolution r;
    struct snapshot snapshot = indexed_anew(f);
    assert_int_equal(snapshot_resolve(&snapshot, view, (struct instant){OCTOBER_1}, &r), STATUS_OK);
    assert_true(r.plan_count > 0);
    arena_fini(&snapshot.arena);
    return r.plans[0];
}

static void test_snapshot__catalogue_currency_counts_after_the_accounts(void **state)
{
    struct fixture *f = *state;
    const struct where_term attributes[] = {{S("offering"), S("small")}};
    struct series_view view = {.payer_id = S("beta"),
                               .meter_name = S("vm.running"),
                               .attributes = attributes,
                               .attribute_count = 1};
    f->accounts[1].catalogue = 0;
    f->accounts[1].currency = (struct currency)CODE('S', 'E', 'K');
    assert_int_equal(first_plan(f, &view), PLAN_SMALL_USD);
    f->accounts[1].currency = (struct currency)INR;
    assert_int_equal(first_plan(f, &view), PLAN_SMALL_INR);
    f->accounts[1].catalogue = 1;
    f->accounts[1].currency = (struct currency)EUR;
}

/* One version, in which the same charge stands `count` times, until the middle of October. */
static enum status resolve_many(const struct fixture *f, uint32_t count, int64_t at,
                                struct resolution *r)
{
    uint32_t many[RESOLVE_PLANS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = CHARGE_SMALL;
    struct version version = f->versions[0];
    version.charges = many;
    version.charge_count = count;
    const struct card_family family = {S("public-eu"), 0, 1};
    struct fixture with = *f;
    with.snapshot.versions = &version;
    with.snapshot.version_count = 1;
    with.snapshot.families = &family;
    struct snapshot snapshot = indexed_anew(&with);
    struct series_view view = {.payer_id = S("beta"), .meter_name = S("vm.running")};
    enum status status = snapshot_resolve(&snapshot, &view, (struct instant){at}, r);
    arena_fini(&snapshot.arena);
    return status;
}

static void test_snapshot__too_many_charges_are_refused(void **state)
{
    struct fixture *f = *state;
    struct resolution r = {.account = 77};
    assert_int_equal(resolve_many(f, RESOLVE_PLANS_MAX + 1, OCTOBER_1, &r), STATUS_RANGE);
    assert_int_equal(r.account, 77);
    assert_int_equal(resolve_many(f, RESOLVE_PLANS_MAX, OCTOBER_1, &r), STATUS_OK);
    assert_int_equal(r.plan_count, RESOLVE_PLANS_MAX);
    /* A gap between versions (none is made today): nothing in force, from where the last one ended.
     */
    assert_int_equal(resolve_many(f, RESOLVE_PLANS_MAX, OCTOBER_15 + 5, &r), STATUS_OK);
    assert_int_equal(r.reason, UNPRICED_NO_CARD);
    assert_true(r.from.seconds == OCTOBER_15 && r.to.seconds == NOVEMBER_1 - HOURS);
}

static void test_snapshot__terms_and_shown_quantity_use_the_cards_month(void **state)
{
    struct fixture *f = *state;
    const struct period october = {2026 * 12 + 9};
    static const struct {
        uint32_t plan;
        int64_t unit_quanta;
        int64_t quanta;
        int64_t times;
        const char *shown;
    } cases[] = {
        {PLAN_SMALL_ANY, 1000000, 744000000, 1, "744"},
        {PLAN_SMALL_ANY, 1000000, 1, 1, "0.000001"},
        {PLAN_SMALL_ANY, 1000000, -1500000, 1, "-1.5"},
        {PLAN_MEMORY, 1024000000, 2000000, 2048, "4"},
        {PLAN_SSD, (int64_t)745000000 << 30, 745000000, (int64_t)20 << 30, "20"},
        {PLAN_SSD, (int64_t)745000000 << 30, 1000000, (int64_t)1 << 30, "0.001342281879"},
        {PLAN_BUCKET, (int64_t)730 * 3600 * 1000000, (int64_t)86400 * 1000000, (int64_t)73 << 30,
         "2.4"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rate_terms terms;
        char text[DECIMAL_TEXT_BYTES];
        int128 unit = cases[i].unit_quanta;
        if (cases[i].plan == PLAN_BUCKET)
            unit <<= 30;
        assert_int_equal(snapshot_terms(&f->snapshot, cases[i].plan, october, &terms), STATUS_OK);
        assert_true(terms.unit_quanta == unit);
        assert_ptr_equal(terms.tiers, &tier);
        struct quantity quantity = {(int128)cases[i].quanta * cases[i].times};
        size_t length =
            charge_quantity_format(&f->snapshot, cases[i].plan, october, quantity, text);
        assert_int_equal(length, strlen(text));
        assert_string_equal(text, cases[i].shown);
    }
    char text[DECIMAL_TEXT_BYTES];
    assert_true(charge_quantity_format(&f->snapshot, PLAN_SMALL_ANY, october,
                                       (struct quantity){INT128_MAX}, text) > 30);
    assert_string_equal(text, "170141183460469231731687303715884.105727");
}

static void test_snapshot__tax_rule_of_the_day(void **state)
{
    (void)state;
    const struct tax_rule taxes[] = {
        {S("DE"), S("standard"), 19 * PICO_PER_UNIT, S("S"), INT32_MIN, INT32_MAX},
        {S("DE"), S("standard"), 16 * PICO_PER_UNIT, S("S"), 100, 200},
        {S("DE"), S("exempt"), 0, S("E"), INT32_MIN, INT32_MAX},
        {S("IN"), S("standard"), 18 * PICO_PER_UNIT, S("S"), 50, INT32_MAX},
    };
    const struct snapshot s = {.taxes = taxes, .tax_count = COUNT_OF(taxes)};
    assert_ptr_equal(snapshot_tax(&s, SLICE("DE"), SLICE("standard"), 99), &taxes[0]);
    assert_ptr_equal(snapshot_tax(&s, SLICE("DE"), SLICE("standard"), 100), &taxes[1]);
    assert_ptr_equal(snapshot_tax(&s, SLICE("DE"), SLICE("standard"), 199), &taxes[1]);
    assert_ptr_equal(snapshot_tax(&s, SLICE("DE"), SLICE("standard"), 200), &taxes[0]);
    assert_ptr_equal(snapshot_tax(&s, SLICE("DE"), SLICE("exempt"), 100), &taxes[2]);
    assert_null(snapshot_tax(&s, SLICE("IN"), SLICE("standard"), 49));
    assert_ptr_equal(snapshot_tax(&s, SLICE("IN"), SLICE("standard"), 50), &taxes[3]);
    assert_null(snapshot_tax(&s, SLICE("FR"), SLICE("standard"), 50));
    assert_null(snapshot_tax(&s, SLICE(""), SLICE("standard"), 50));
}

static void test_snapshot__money_choice_is_native_or_none(void **state)
{
    (void)state;
    const struct currency currencies[] = {EUR, INR};
    const struct money amounts[] = {{5}, {450}};
    const struct money_choice choice = {2, currencies, amounts};
    const struct money_choice none = {0, NULL, NULL};
    struct money amount = {1};
    assert_false(money_choice_in(&none, (struct currency)EUR, &amount));
    assert_false(money_choice_in(&choice, (struct currency)USD, &amount));
    assert_true(amount.pico == 1);
    assert_true(money_choice_in(&choice, (struct currency)INR, &amount));
    assert_true(amount.pico == 450);
}

static void test_snapshot__free_gives_back_zones_and_arena(void **state)
{
    (void)state;
    snapshot_free(NULL);
    struct snapshot *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    arena_init(&s->arena);
    struct zone **zones = arena_alloc(&s->arena, sizeof(*zones));
    assert_int_equal(zone_load(SLICE("UTC"), &zones[0]), STATUS_OK);
    s->zones = zones;
    s->zone_count = 1;
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot__lookups_find_every_entry_and_nothing_else),
        cmocka_unit_test(test_snapshot__version_in_force_is_half_open),
        cmocka_unit_test(test_snapshot__attribute_names_are_canonical),
        cmocka_unit_test(test_snapshot__resolve_finds_the_plans),
        cmocka_unit_test(test_snapshot__catalogue_currency_counts_after_the_accounts),
        cmocka_unit_test(test_snapshot__too_many_charges_are_refused),
        cmocka_unit_test(test_snapshot__terms_and_shown_quantity_use_the_cards_month),
        cmocka_unit_test(test_snapshot__tax_rule_of_the_day),
        cmocka_unit_test(test_snapshot__money_choice_is_native_or_none),
        cmocka_unit_test(test_snapshot__free_gives_back_zones_and_arena),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
