/* Counting again by series, as re-rating and recovery do, against counting event by event: random
 * usage over months and changes of cards, in orders that throw series from one interval of prices
 * into another and back, with sums that fill tallies. */
#include "engine/account/ledger_fixture.h"

#include "engine/base/seeded.h"

#define DAY     86400
#define FIRST   1788220800 /* 2026-09-01T00:00:00Z */
#define DAYS    92
#define RECORDS 3000

#define HEAD(name, from)                                                                           \
    "---\nkind: ratecard\nname: " name "\ncurrency: EUR\neffective_from: 2026-" from               \
    "T00:00:00Z\ncharges:\n"
#define VM                                                                                         \
    "  - {code: vm, meter: vm.running, unit: hour, prices: [{where: {zone: z1}, price: \"1\"}, "   \
    "{where: {zone: z1, memory: \"2048\"}, price: \"2\"}, {price: \"3\"}]}\n"
#define MEMORY                                                                                     \
    "  - {code: memory, meter: vm.running, times: memory, unit: GiB-hour, price: \"1\"}\n"
#define DISK   "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"1\"}\n"
#define NET    "  - {code: net, scope: resource, meter: network.sent, unit: GB, price: \"1\"}\n"
#define FLOW   "  - {code: flow, meter: network.sent, unit: GB, price: \"1\"}\n"
#define IP     "  - {code: ip, meter: ip.address, unit: hour, price: \"1\"}\n"
#define STORE  "  - {code: store, meter: bucket, unit: GiB-month, price: \"1\"}\n"
#define GPU(n) "  - {code: gpu" n ", meter: gpu, unit: unit, price: \"1\"}\n"

#define ACCOUNTS(payer_a, payer_b)                                                                 \
    "---\nkind: catalogue\nname: public\nratecard: card\n"                                         \
    "---\nkind: catalogue\nname: special\nratecard: contract\n"                                    \
    "---\nkind: accounts\naccounts:\n"                                                             \
    "  - {id: a, currency: EUR, catalogue: public, projects: [" payer_a "]}\n"                     \
    "  - {id: b, currency: EUR, catalogue: public, timezone: Asia/Kolkata, projects: [" payer_b    \
    "]}\n"                                                                                         \
    "  - {id: c, currency: EUR, catalogue: special, timezone: America/St_Johns}\n"                 \
    "  - {id: d, currency: EUR, catalogue: none}\n"

/* The same charges in the next version, then others, then none that look at the size. */
static const char before[] = HEAD("card", "09-10") VM DISK FLOW STORE HEAD("card", "09-20")
    VM DISK FLOW STORE HEAD("card", "10-16") VM MEMORY DISK NET IP GPU("1") GPU("2")
        HEAD("contract", "09-01") VM MEMORY STORE ACCOUNTS("project", "other");
/* The projects have changed hands. */
static const char after[] = HEAD("card", "09-01") VM MEMORY DISK FLOW IP GPU("1")
    HEAD("card", "10-01") VM MEMORY DISK FLOW IP GPU("1") HEAD("card", "10-20")
        VM MEMORY FLOW IP STORE GPU("1") GPU("2") GPU("3") GPU("4") HEAD("card", "11-05")
            MEMORY VM FLOW IP STORE HEAD("contract", "10-03") DISK NET HEAD("contract", "10-09")
                DISK NET ACCOUNTS("other", "project");

static const char *const accounts[] = {"a", "b", "c", "d", "project", "other", "stranger"};
static const char *const meters[] = {"vm.running", "vm.running", "volume", "network.sent",
                                     "ip.address", "bucket",     "gpu",    "licence"};

static struct record_words record_make(struct seeded *seeded)
{
    static const char *const resources[] = {"r1", "r2", "r3"};
    static const char *const zones[] = {NULL, "z1", "z2"};
    static const char *const memories[] = {NULL, "2048", "512", "much"};
    static const char *const sizes[] = {NULL, "1", "10737418240", "9000000000000000000"};
    uint64_t series = seeded_below(seeded, 60);
    struct record_words words = {
        .account = accounts[series % 7],
        .meter = meters[series / 7 % 8],
        .resource = resources[series % 3],
        .zone = zones[series % 11 % 3],
        .memory = memories[series % 13 % 4],
        .size = sizes[series % 17 % 4],
    };
    words.start = FIRST + (int64_t)seeded_below(seeded, DAYS) * DAY;
    if (seeded_below(seeded, 4) == 0)
        words.start += (int64_t)seeded_below(seeded, DAY);
    words.end = words.start +
                (seeded_below(seeded, 12) ? DAY : (int64_t)seeded_below(seeded, 70 * DAY) + 1);
    words.quanta = (int128)seeded_below(seeded, 1000000000);
    if (seeded_below(seeded, 6) == 0) /* some of these fill a tally */
        words.quanta = (int128)1 << (55 + seeded_below(seeded, 4));
    return words;
}

/* The law: an event after the other. */
static enum status count_one(const struct event *event, const struct journal_frame *frame,
                             void *context, struct error *error)
{
    (void)frame;
    return ledger_recount_event(context, event, error);
}

static void assert_as_one_by_one(struct stage *stage, struct ledger *counted)
{
    struct ledger *law = stage_look(stage, counted->snapshot, LEDGER_DERIVE);
    struct verify_report report;
    struct arena arena;
    buckets_clear(&law->buckets);
    series_forget_slots(&law->series);
    assert_int_equal(ledger_walk(law, count_one, law, NULL), STATUS_OK);
    arena_init(&arena);
    verify_compare(counted, law, &arena, &report);
    if (report.difference_count)
        fail_msg("%u differences, the first: %.*s: %.*s, not %.*s",
                 (unsigned)report.difference_count, (int)report.differences[0].what.length,
                 report.differences[0].what.data, (int)report.differences[0].stored.length,
                 report.differences[0].stored.data, (int)report.differences[0].derived.length,
                 report.differences[0].derived.data);
    assert_true(report.buckets > 100);
    arena_fini(&arena);
    ledger_close(law);
}

static void fixture_of(struct fixture *fixture, const char *text)
{
    fixture_init(fixture);
    fixture_load(fixture, "documents", slice_string(text));
    fixture_compiled(fixture);
}

static void test_recount__by_series_comes_to_what_one_by_one_does(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    struct fixture old, new;
    fixture_of(&old, before);
    fixture_of(&new, after);
    for (int run = 0; run < 6; run++) {
        struct stage stage;
        uint32_t accepted = 0;
        stage_init(&stage);
        stage_open(&stage, old.snapshot);
        for (uint32_t i = 0; i < RECORDS; i++) {
            struct record_words words = record_make(&seeded);
            accepted += stage_apply(&stage, &words) == OUTCOME_ACCEPTED;
            if (seeded_below(&seeded, 400) == 0)
                stage_commit(&stage);
        }
        stage_commit(&stage);
        assert_true(accepted > RECORDS / 4);
        stage_verify(&stage, stage.ledger); /* recovery against what came in */
        const struct snapshot *snapshots[] = {new.snapshot, old.snapshot};
        for (int i = 0; i < 2; i++) {
            assert_int_equal(ledger_reprice(stage.ledger, snapshots[i], NULL), STATUS_OK);
            assert_as_one_by_one(&stage, stage.ledger);
            stage_verify(&stage, stage.ledger);
        }
        stage_fini(&stage);
    }
    fixture_fini(&old);
    fixture_fini(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recount__by_series_comes_to_what_one_by_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
