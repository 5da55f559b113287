/* The examples are what newcomers copy: each one is read without a complaint, they compile
 * together, and quotes from them give amounts that were worked out by hand. */
#include "ratecards/fixture.h"

#include <dirent.h>

#define EXAMPLES RATEL_SOURCE_DIR "/ratecards/examples"

#define ACME         "3f0c4a8e-1d2b-4c6f-8a90-1b2c3d4e5f60"
#define ACME_PROJECT "9b1e5d7c-6a4f-4e2d-8c3b-0a9f8e7d6c5b"
#define BERGWERK     "a7d0e2c4-5b6f-4a18-9e3d-2c1b0a9f8e7d"
#define CHAI         "b8c1f3d5-6c70-4b29-8f4e-3d2c1b0a9f8e"
#define DELTA        "c9d204e6-7d81-4c3a-905f-4e3d2c1b0a9f"
#define GLETSCHER    "f20537b9-a0b4-4f6d-c382-716a5f4e3d2c"
#define HAFEN        "d30648ca-b1c5-407e-d493-827b605f4e3d"
#define FJORD        "e1f426a8-9fa3-4e5c-b271-605f4e3d2c1b"

#define SMALL      "offering=5d1f6d0c-3f9b-4a39-a3b7-2f4a9e2b7c11"
#define MEDIUM     "offering=7e6d5c4b-3a29-4817-a6b5-c4d3e2f1a0b9"
#define CUSTOM     "offering=2b4c6d8e-0a1c-4e3f-9b5d-7f6e5d4c3b2a"
#define NVME       "offering=1a2b3c4d-5e6f-4708-9a0b-c1d2e3f4a5b6"
#define HELSINKI   ",zone=c2f1b1a4-91d5-4c57-9d42-7f8e6a5b4c3d"
#define OCTOBER_5  "2026-10-05T00:00:00Z"
#define OCTOBER_20 "2026-10-20T00:00:00Z"
#define NOVEMBER_5 "2026-11-05T00:00:00Z"

#define GIB      "1073741824"
#define GIB_100  "size=107374182400"
#define GIB_2000 "size=2147483648000"

static int file_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the examples, sorted. Owner: the fixture's arena. */
static size_t example_names(struct fixture *fixture, const char **names, size_t max)
{
    DIR *folder = opendir(EXAMPLES);
    assert_non_null(folder);
    size_t count = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        assert_true(count < max);
        names[count++] = arena_printf(&fixture->arena, "%s", entry->d_name);
    }
    closedir(folder);
    qsort(names, count, sizeof *names, file_order);
    return count;
}

static void load_all(struct fixture *fixture)
{
    const char *names[64];
    size_t count = example_names(fixture, names, 64);
    assert_true(count >= 12);
    for (size_t i = 0; i < count; i++)
        fixture_load(
            fixture, names[i],
            fixture_file(fixture, arena_printf(&fixture->arena, EXAMPLES "/%s", names[i])));
    fixture_compiled(fixture);
}

static void test_examples__each_file_is_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    const char *names[64];
    size_t count = example_names(&fixture, names, 64);
    for (size_t i = 0; i < count; i++) {
        struct fixture one;
        fixture_init(&one);
        struct slice text = fixture_file(&one, arena_printf(&one.arena, EXAMPLES "/%s", names[i]));
        if (fixture_parse(&one, names[i], text) != STATUS_OK) {
            fixture_print(&one);
            fail_msg("%s has problems", names[i]);
        }
        assert_true(one.documents.count >= 1);
        fixture_fini(&one);
    }
    fixture_fini(&fixture);
}

/* "a=1,b=2" as sorted terms. */
static uint32_t attributes_of(struct arena *arena, const char *text, struct where_term *terms)
{
    uint32_t count = 0;
    for (char *rest = arena_printf(arena, "%s", text), *term = strsep(&rest, ","); term;
         term = strsep(&rest, ",")) {
        if (!*term)
            continue;
        char *equals = strchr(term, '=');
        assert_non_null(equals);
        terms[count++] =
            (struct where_term){slice_of(term, (size_t)(equals - term)), slice_string(equals + 1)};
    }
    for (uint32_t i = 1; i < count; i++)
        assert_true(slice_compare(terms[i - 1].name, terms[i].name) < 0);
    return count;
}

struct quote {
    const char *payer;
    const char *at;
    const char *meter;
    const char *attributes; /* sorted by name */
    const char *position;   /* in base units, before `times` */
    const char *quantity;
    const char *charge;
    const char *amount;
    const char *currency;
};

static const struct quote quotes[] = {
    /* per_unit, where: the most specific row */
    {BERGWERK, OCTOBER_5, "vm.running", SMALL HELSINKI, "0", "240", "vm.instance", "2.64",
     "EUR"}, /* 240 x 0.0110 */
    {BERGWERK, OCTOBER_5, "vm.running", SMALL ",zone=other", "0", "744", "vm.instance", "9.3",
     "EUR"}, /* 744 x 0.0125 */
    {BERGWERK, OCTOBER_5, "vm.running", MEDIUM, "0", "10.5", "vm.instance", "0.357",
     "EUR"}, /* 10.5 x 0.0340 */
    {BERGWERK, OCTOBER_20, "vm.running", SMALL, "0", "100", "vm.instance", "1.3",
     "EUR"}, /* 2nd version: 0.0130 */
    /* times: 100 h x 4 vcpu x 0.012; 100 h x 8 GiB x 0.004 */
    {BERGWERK, OCTOBER_5, "vm.running", "cpunumber=4,memory=8192," CUSTOM, "0", "100",
     "vm.custom.cpu", "4.8", "EUR"},
    {BERGWERK, OCTOBER_5, "vm.running", "cpunumber=4,memory=8192," CUSTOM, "0", "100",
     "vm.custom.memory", "3.2", "EUR"},
    /* month: 745 hours in Berlin's October, 720 in its November */
    {BERGWERK, OCTOBER_5, "ip.address", "issourcenat=false", "0", "745", "ip.public", "3", "EUR"},
    {BERGWERK, OCTOBER_5, "ip.address", "issourcenat=false", "0", "149", "ip.public", "0.6", "EUR"},
    {BERGWERK, NOVEMBER_5, "ip.address", "issourcenat=false", "0", "360", "ip.public", "1.5",
     "EUR"},
    {BERGWERK, OCTOBER_5, "ip.address", "issourcenat=true", "0", "745", "ip.public", "0", "EUR"},
    /* graduated: 250.5 GiB x 0.09; 10140 x 0.09 + 2048 x 0.07; then 40 free GiB are left after 60:
       60 of 100 at 0.08 */
    {BERGWERK, OCTOBER_5, "network.sent", "", "0", "376346509312", "net.egress", "22.545", "EUR"},
    {BERGWERK, OCTOBER_5, "network.sent", "", "0", "13194139533312", "net.egress", "1055.96",
     "EUR"},
    {BERGWERK, OCTOBER_20, "network.sent", "", "64424509440", "107374182400", "net.egress", "4.8",
     "EUR"},
    {BERGWERK, OCTOBER_5, "network.received", "", "0", "99" GIB, "net.ingress", "0", "EUR"},
    /* GiB-month: 100 GiB the whole month, and a fifth of it; NVMe; the 2nd version */
    {BERGWERK, OCTOBER_5, "volume", GIB_100, "0", "745", "volume.block", "10", "EUR"},
    {BERGWERK, OCTOBER_5, "volume", GIB_100, "0", "149", "volume.block", "2", "EUR"},
    {BERGWERK, OCTOBER_5, "volume", NVME "," GIB_100, "0", "745", "volume.block", "18", "EUR"},
    {BERGWERK, OCTOBER_20, "volume", GIB_100, "0", "745", "volume.block", "9", "EUR"},
    /* volume model: 2000 GiB-months all at 0.04; 1000 still at 0.05, for a bound is inclusive */
    {BERGWERK, OCTOBER_5, "snapshot", GIB_2000, "0", "745", "snapshot", "80", "EUR"},
    {BERGWERK, OCTOBER_5, "snapshot", GIB_2000, "0", "372.5", "snapshot", "50", "EUR"},
    {BERGWERK, OCTOBER_5, "template", GIB_100, "0", "745", "template", "4",
     "EUR"}, /* `included` is taken off on the bill */
    /* package: 2.5 and 3 million are three packages, one request more is four */
    {BERGWERK, OCTOBER_5, "disk.read.requests", "", "0", "2500000", "disk.reads", "0.12", "EUR"},
    {BERGWERK, OCTOBER_5, "disk.read.requests", "", "0", "3000000", "disk.reads", "0.12", "EUR"},
    {BERGWERK, OCTOBER_5, "disk.read.requests", "", "0", "3000001", "disk.reads", "0.16", "EUR"},
    {BERGWERK, OCTOBER_5, "disk.write.requests", "", "0", "123456789", "disk.writes", "6.17283945",
     "EUR"},
    /* stairstep: up to and with half a month; above it */
    {BERGWERK, OCTOBER_5, "loadbalancer.rule", "", "0", "372", "loadbalancer", "5", "EUR"},
    {BERGWERK, OCTOBER_5, "loadbalancer.rule", "", "0", "372.000001", "loadbalancer", "9", "EUR"},
    {BERGWERK, OCTOBER_5, "backup", "size=10737418240", "0", "745", "backup", "0.6", "EUR"},
    {BERGWERK, OCTOBER_5, "vpn.user", "", "0", "745", "vpn", "4", "EUR"},
    {BERGWERK, OCTOBER_5, "support.ticket", "", "0", "3", "support", "135", "EUR"},
    /* the add-on: its one charge, and the public card under it */
    {GLETSCHER, OCTOBER_20, "gpu.time", "", "0", "2.25", "gpu", "2.7", "EUR"},
    {GLETSCHER, OCTOBER_20, "vm.running", SMALL, "0", "100", "vm.instance", "1.3", "EUR"},
    /* the contract: its own charges, and public-eu's as they are at each time; a project pays as
       its account does */
    {ACME, OCTOBER_5, "vm.running", SMALL HELSINKI, "0", "744", "vm.instance", "7.44", "EUR"},
    {ACME, OCTOBER_20, "vm.running", SMALL, "0", "744", "vm.instance", "7.44", "EUR"},
    {ACME_PROJECT, OCTOBER_5, "vm.running", MEDIUM, "0", "10", "vm.instance", "0.3", "EUR"},
    {ACME, OCTOBER_5, "network.sent", "", "0", "2147483648000", "net.egress", "48.8",
     "EUR"}, /* (2000 - 1024) x 0.05 */
    {ACME, OCTOBER_5, "volume", GIB_100, "0", "745", "volume.block", "10", "EUR"},
    {ACME, OCTOBER_20, "volume", GIB_100, "0", "745", "volume.block", "9", "EUR"},
    {ACME, OCTOBER_5, "vpn.user", "", "0", "745", "vpn", "4",
     "EUR"}, /* the month is public-eu's: Berlin's */
    /* any size: 10 h x 4 vcpu x 0.008, 10 h x 8 GiB x 0.0025; a fixed size costs its fixed price; a
       network for half of a month */
    {HAFEN, OCTOBER_5, "vm.running", "cpunumber=4,memory=8192,offering=any", "0", "10",
     "vm.custom.cpu", "0.32", "EUR"},
    {HAFEN, OCTOBER_5, "vm.running", "cpunumber=4,memory=8192,offering=any", "0", "10",
     "vm.custom.memory", "0.2", "EUR"},
    {HAFEN, OCTOBER_5, "vm.running", "cpunumber=4,memory=8192," SMALL, "0", "10", "vm.custom.cpu",
     "0", "EUR"},
    {HAFEN, OCTOBER_5, "vm.running", "cpunumber=4,memory=8192," SMALL, "0", "10", "vm.instance",
     "0.125", "EUR"},
    {HAFEN, OCTOBER_5, "network", "", "0", "372.5", "network", "1.25", "EUR"},
    {HAFEN, OCTOBER_5, "vm.allocated", "", "0", "10", "vm.reserved", "0", "EUR"},
    {HAFEN, OCTOBER_5, "vpc", "", "0", "745", "vpc", "5", "EUR"},
    {HAFEN, OCTOBER_5, "iso", GIB_100, "0", "745", "iso", "4", "EUR"},
    {HAFEN, OCTOBER_5, "volume.secondary", GIB_100, "0", "745", "upload", "4", "EUR"},
    {HAFEN, OCTOBER_5, "vmsnapshot", GIB_100, "0", "745", "vmsnapshot", "5", "EUR"},
    {HAFEN, OCTOBER_5, "vmsnapshot.primary", GIB_100, "0", "745", "vmsnapshot.disk", "10", "EUR"},
    {HAFEN, OCTOBER_5, "bucket", "", "0", "2879775571968000", "object", "0.02",
     "EUR"}, /* 2^30 bytes x 745 h x 3600 s */
    {HAFEN, OCTOBER_5, "network.sent", "", "0", "376346509312", "net.egress", "22.545",
     "EUR"}, /* the public card's */
    /* native prices: rupees, dollars; 50 GiB x 365 h of 730 are 25 GiB-months; 150 GB: 100 above
       the free ones, and the flat */
    {CHAI, OCTOBER_5, "vm.running", SMALL, "0", "744", "vm.instance", "781.2", "INR"},
    {DELTA, OCTOBER_5, "vm.running", SMALL, "0", "744", "vm.instance", "9.3744", "USD"},
    {CHAI, OCTOBER_5, "volume", "size=53687091200", "0", "365", "volume.block", "212.5", "INR"},
    {DELTA, OCTOBER_5, "volume", "size=53687091200", "0", "365", "volume.block", "2.5", "USD"},
    {CHAI, OCTOBER_5, "network.sent", "", "0", "150000000000", "net.egress", "695", "INR"},
    {DELTA, OCTOBER_5, "network.sent", "", "0", "150000000000", "net.egress", "8.25", "USD"},
    {DELTA, OCTOBER_5, "ip.address", "", "0", "48", "ip.public", "18",
     "INR"}, /* no dollar price: rupees, to be converted */
    /* every meter of CloudStack: 10 of what a reader counts by head */
    {FJORD, OCTOBER_5, "vm.running", "", "0", "10", "vm.running", "0.2", "USD"},
    {FJORD, OCTOBER_5, "vm.allocated", "memory=2048", "0", "10", "vm.allocated", "0.02", "USD"},
    {FJORD, OCTOBER_5, "ip.address", "", "0", "10", "ip.address", "0.04", "USD"},
    {FJORD, OCTOBER_5, "network.sent", "", "0", "10000000000", "network.sent", "0.5", "USD"},
    {FJORD, OCTOBER_5, "network.received", "", "0", "549755813888", "network.received", "0.5",
     "USD"},
    {FJORD, OCTOBER_5, "volume", GIB_100, "0", "73", "volume", "1", "USD"},
    {FJORD, OCTOBER_5, "template", "virtualsize=107374182400", "0", "73", "template", "0.5", "USD"},
    {FJORD, OCTOBER_5, "iso", GIB_100, "0", "73", "iso", "0.5", "USD"},
    {FJORD, OCTOBER_5, "snapshot", GIB_100, "0", "73", "snapshot", "0.4", "USD"},
    {FJORD, OCTOBER_5, "securitygroup", "", "0", "73", "securitygroup", "0.05", "USD"},
    {FJORD, OCTOBER_5, "loadbalancer.rule", "", "0", "10", "loadbalancer.rule", "0.1", "USD"},
    {FJORD, OCTOBER_5, "portforwarding.rule", "", "0", "10", "portforwarding.rule", "0.01", "USD"},
    {FJORD, OCTOBER_5, "network.offering", "", "0", "10", "network.offering", "0.1", "USD"},
    {FJORD, OCTOBER_5, "vpn.user", "", "0", "10", "vpn.user", "0.05", "USD"},
    {FJORD, OCTOBER_5, "disk.read.requests", "", "0", "10", "disk.read.requests", "0.0000008",
     "USD"},
    {FJORD, OCTOBER_5, "disk.write.requests", "", "0", "10", "disk.write.requests", "0.000001",
     "USD"},
    {FJORD, OCTOBER_5, "disk.read.bytes", "", "0", "10737418240", "disk.read.bytes", "0.01", "USD"},
    {FJORD, OCTOBER_5, "disk.write.bytes", "", "0", "10737418240", "disk.write.bytes", "0.02",
     "USD"},
    {FJORD, OCTOBER_5, "vmsnapshot", GIB_100, "0", "73", "vmsnapshot", "0.6", "USD"},
    {FJORD, OCTOBER_5, "volume.secondary", GIB_100, "0", "73", "volume.secondary", "0.2", "USD"},
    {FJORD, OCTOBER_5, "vmsnapshot.primary", GIB_100, "0", "73", "vmsnapshot.primary", "1.2",
     "USD"},
    {FJORD, OCTOBER_5, "backup", GIB_100, "0", "73", "backup", "0.3", "USD"},
    {FJORD, OCTOBER_5, "bucket", "", "0", "2821793513472000", "bucket", "0.02",
     "USD"}, /* 2^30 bytes x 730 h x 3600 s */
    {FJORD, OCTOBER_5, "network", "", "0", "10", "network", "0.05", "USD"},
    {FJORD, OCTOBER_5, "vpc", "", "0", "10", "vpc", "0.1", "USD"},
};

static struct quantity quantity_of(const char *text, int128 multiplier)
{
    int128 quanta;
    assert_int_equal(decimal_parse(slice_string(text), QUANTITY_SCALE, false, &quanta, NULL),
                     STATUS_OK);
    return (struct quantity){quanta * multiplier};
}

/* The index in the resolution of the plan of a charge. */
static uint32_t plan_of_charge(const struct snapshot *snapshot, const struct resolution *resolution,
                               const char *code)
{
    for (uint32_t i = 0; i < resolution->plan_count; i++) {
        const struct plan *plan = &snapshot->plans[resolution->plans[i]];
        if (slice_is(snapshot->charges[plan->charge].code, code))
            return i;
    }
    return INDEX_NONE;
}

static bool quote_holds(struct fixture *fixture, const struct quote *quote)
{
    const struct snapshot *snapshot = fixture->snapshot;
    struct where_term terms[8];
    struct series_view series = {.payer_id = slice_string(quote->payer),
                                 .meter_name = slice_string(quote->meter),
                                 .meter = meter_by_name(slice_string(quote->meter)),
                                 .attributes = terms};
    series.attribute_count = attributes_of(&fixture->arena, quote->attributes, terms);
    struct resolution resolution;
    assert_int_equal(snapshot_resolve(snapshot, &series, fixture_instant(quote->at), &resolution),
                     STATUS_OK);
    uint32_t at = plan_of_charge(snapshot, &resolution, quote->charge);
    if (at == INDEX_NONE) {
        print_error("%s %s: no price (reason %d)\n", quote->charge, quote->at, resolution.reason);
        return false;
    }
    struct rate_terms terms_of_plan;
    struct money amount;
    char text[DECIMAL_TEXT_BYTES], currency[4];
    assert_int_equal(
        snapshot_terms(snapshot, resolution.plans[at], resolution.period, &terms_of_plan),
        STATUS_OK);
    assert_int_equal(rate_amount(&terms_of_plan,
                                 quantity_of(quote->position, resolution.multipliers[at]),
                                 quantity_of(quote->quantity, resolution.multipliers[at]), &amount),
                     STATUS_OK);
    (void)money_format_exact(amount, text);
    currency_format(snapshot->plans[resolution.plans[at]].currency, currency);
    bool holds = strcmp(text, quote->amount) == 0 && strcmp(currency, quote->currency) == 0;
    if (!holds)
        print_error("%s of %s at %s: expected %s %s, got %s %s\n", quote->charge, quote->quantity,
                    quote->at, quote->amount, quote->currency, text, currency);
    return holds;
}

static void test_examples__quotes_are_as_worked_out_by_hand(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load_all(&fixture);
    size_t failed = 0;
    for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++)
        failed += !quote_holds(&fixture, &quotes[i]);
    assert_int_equal(failed, 0);
    fixture_fini(&fixture);
}

static void test_examples__every_meter_has_a_price(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load_all(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    uint32_t family = snapshot_family(snapshot, SLICE("every-meter"));
    assert_int_not_equal(family, INDEX_NONE);
    const struct version *version = &snapshot->versions[snapshot->families[family].version_first];
    assert_int_equal(version->charge_count, METER_BUILTIN_COUNT);
    for (size_t i = 0; i < METER_BUILTIN_COUNT; i++) {
        uint32_t found = 0;
        for (uint32_t j = 0; j < version->charge_count; j++)
            found += snapshot->charges[version->charges[j]].meter == &meter_table[i];
        assert_int_equal(found, 1);
    }
    fixture_fini(&fixture);
}

static void test_examples__documents_around_the_cards_arrive(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    load_all(&fixture);
    const struct snapshot *snapshot = fixture.snapshot;
    assert_int_equal(snapshot->account_count, 7);
    assert_int_equal(snapshot->payer_count, 8);
    assert_int_equal(snapshot->catalogue_count, 7);
    for (uint32_t i = 0; i < snapshot->catalogue_count; i++)
        assert_int_not_equal(snapshot->catalogues[i].family, INDEX_NONE);
    const struct account *acme = &snapshot->accounts[snapshot_account(snapshot, SLICE(ACME))];
    assert_true(slice_is(acme->name, "Acme Rocket GmbH"));
    assert_int_equal(acme->terms_days, 14);
    assert_int_equal(acme->email_count, 2);
    assert_true(slice_is(acme->emails[1], "cfo@acme.example"));
    assert_string_equal(zone_name(acme->zone), "Europe/Berlin");
    assert_int_equal(snapshot->accounts[snapshot_account(snapshot, SLICE(DELTA))].billing,
                     BILLING_PREPAID);
    assert_int_equal(snapshot_payer(snapshot, SLICE(ACME_PROJECT)),
                     snapshot_account(snapshot, SLICE(ACME)));

    struct fx_use use;
    int32_t october_31 = (int32_t)civil_to_days(2026, 10, 31);
    assert_int_equal(
        snapshot_fx(snapshot, fixture_currency("EUR"), fixture_currency("INR"), october_31, &use),
        STATUS_OK);
    assert_true(use.rate_pico == 101 * PICO_PER_UNIT + PICO_PER_UNIT / 10000 * 2345);
    assert_true(slice_is(use.source, "fx.csv"));
    assert_int_equal(snapshot->rate_count, 11);

    int32_t autumn_2020 = (int32_t)civil_to_days(2020, 10, 1),
            last_day = (int32_t)civil_to_days(2020, 12, 31);
    assert_true(snapshot_tax(snapshot, SLICE("DE"), SLICE("standard"), october_31)->rate_pico ==
                19 * PICO_PER_UNIT);
    assert_true(snapshot_tax(snapshot, SLICE("DE"), SLICE("standard"), autumn_2020)->rate_pico ==
                16 * PICO_PER_UNIT);
    assert_true(snapshot_tax(snapshot, SLICE("DE"), SLICE("standard"), last_day)->rate_pico ==
                16 * PICO_PER_UNIT);
    assert_true(snapshot_tax(snapshot, SLICE("DE"), SLICE("standard"), last_day + 1)->rate_pico ==
                19 * PICO_PER_UNIT);
    assert_true(
        slice_is(snapshot_tax(snapshot, SLICE("NO"), SLICE("exempt"), october_31)->category, "E"));

    assert_int_equal(snapshot->budget_count, 2);
    for (uint32_t i = 0; i < snapshot->budget_count; i++) {
        const struct budget *budget = &snapshot->budgets[i];
        bool chai = slice_is(budget->account, CHAI);
        assert_true(slice_is(snapshot->accounts[budget->account_index].id, chai ? CHAI : ACME));
        assert_int_equal(budget->threshold_count, 3);
        assert_int_equal(budget->currency.code, fixture_currency(chai ? "INR" : "EUR").code);
    }
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples__each_file_is_in_order),
        cmocka_unit_test(test_examples__quotes_are_as_worked_out_by_hand),
        cmocka_unit_test(test_examples__every_meter_has_a_price),
        cmocka_unit_test(test_examples__documents_around_the_cards_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
