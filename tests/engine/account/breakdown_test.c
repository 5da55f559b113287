/* Spend by resource, day and zone: the cells of a line add up to the line, exactly and rounded, and
 * agree with what was used. */
#include "account/usage_walk.h"

#include "engine/account/ledger_model.h"

#define HOUR 3600
#define DAY  86400
#define Q(n) ((int128)(n)*1000000)

struct broken {
    struct fixture documents;
    struct stage stage;
    struct spend spend;
    struct arena arena;
};

static const char accounts[] =
    "---\nkind: catalogue\nname: public\nratecard: card\n---\nkind: fx\nsource: ECB\nrates: "
    "[{date: 2026-09-01, base: EUR, quote: INR, rate: \"101.2345\"}]\n"
    "---\nkind: accounts\naccounts:\n  - {id: a, currency: EUR, catalogue: public}\n  - {id: b, "
    "currency: EUR, catalogue: public, timezone: Europe/Berlin}\n"
    "  - {id: i, currency: INR, catalogue: public}\n";

static void begin(struct broken *b, const char *cards)
{
    char text[4096];
    fixture_init(&b->documents);
    snprintf(text, sizeof(text), "%s%s", cards, accounts);
    fixture_load(&b->documents, "documents", arena_copy(&b->documents.arena, slice_string(text)));
    fixture_compiled(&b->documents);
    stage_init(&b->stage);
    stage_open(&b->stage, b->documents.snapshot);
    arena_init(&b->arena);
}

static void end(struct broken *b)
{
    arena_fini(&b->arena);
    stage_fini(&b->stage);
    fixture_fini(&b->documents);
}

static void use(struct broken *b, const char *account, const char *meter, const char *resource,
                const char *zone, const char *from, int64_t seconds, int128 quanta)
{
    int64_t start = fixture_instant(from).seconds;
    struct record_words words = {.account = account,
                                 .meter = meter,
                                 .resource = resource,
                                 .zone = zone,
                                 .start = start,
                                 .end = start + seconds,
                                 .quanta = quanta};
    assert_int_equal(stage_apply(&b->stage, &words), OUTCOME_ACCEPTED);
}

static void check_sums(const struct breakdown_line *line)
{
    int128 quanta = 0, amount = 0, rounded = 0;
    for (uint32_t i = 0; i < line->cell_count; i++) {
        quanta += line->cells[i].quantity.quanta;
        amount += line->cells[i].amount.pico;
        rounded += line->cells[i].rounded.pico;
        if (i > 0)
            assert_true(slice_compare(line->cells[i - 1].value, line->cells[i].value) < 0);
    }
    assert_true(quanta == line->line->quantity.quanta);
    assert_true(amount == line->line->amount.pico);
    assert_true(rounded == line->line->rounded.pico);
}

static const struct breakdown_line *compute(struct broken *b, const char *account,
                                            enum dimension dimension)
{
    struct breakdown_line *lines;
    struct error error = {0};
    const struct snapshot *snapshot = b->documents.snapshot;
    stage_commit(&b->stage); /* breakdowns read the journal */
    assert_int_equal(spend_compute(&b->stage.ledger->buckets, snapshot,
                                   snapshot_account(snapshot, slice_string(account)),
                                   (struct period){2026 * 12 + 9}, &b->arena, &b->spend, &error),
                     STATUS_OK);
    if (breakdown_compute(b->stage.ledgers, &b->spend, dimension, &b->arena, &lines, &error) !=
        STATUS_OK)
        fail_msg("%s", error.text);
    for (uint32_t i = 0; i < b->spend.line_count; i++)
        check_sums(&lines[i]);
    return lines;
}

static void check_cell(const struct breakdown_line *line, uint32_t position, const char *value,
                       int128 quanta, const char *amount)
{
    char text[DECIMAL_TEXT_BYTES];
    assert_true(position < line->cell_count);
    const struct breakdown_cell *cell = &line->cells[position];
    money_format_exact(cell->amount, text);
    if (!slice_is(cell->value, value) || cell->quantity.quanta != quanta ||
        strcmp(text, amount) != 0)
        fail_msg("cell %u is %.*s, %s, not %s, %s", position, (int)cell->value.length,
                 cell->value.data, text, value, amount);
}

#define HEAD(from)                                                                                 \
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-" from "T00:00:00Z\ncharges:" \
    "\n"
#define PRICE HEAD("09-01") "  - {code: vm, meter: vm.running, unit: hour, price: \"0.1\"}\n"

static void test_breakdown__by_resource_and_zone(void **state)
{
    (void)state;
    struct broken b;
    begin(&b, PRICE);
    use(&b, "a", "vm.running", "r1", "z1", "2026-10-01T00:00:00Z", DAY, Q(24));
    use(&b, "a", "vm.running", "r1", "z1", "2026-10-02T00:00:00Z", DAY, Q(12));
    use(&b, "a", "vm.running", "r2", "z2", "2026-10-02T00:00:00Z", DAY, Q(24));
    use(&b, "b", "vm.running", "r3", "z2", "2026-10-02T00:00:00Z", DAY, Q(24)); /* another's */
    const struct breakdown_line *lines = compute(&b, "a", DIMENSION_RESOURCE);
    assert_int_equal(lines[0].cell_count, 2);
    check_cell(&lines[0], 0, "r1", Q(36), "3.6");
    check_cell(&lines[0], 1, "r2", Q(24), "2.4");
    lines = compute(&b, "a", DIMENSION_ZONE);
    check_cell(&lines[0], 0, "z1", Q(36), "3.6");
    check_cell(&lines[0], 1, "z2", Q(24), "2.4");
    end(&b);
}

/* 25 October has 25 hours in Berlin; windows are cut at its midnights, and at the month's ends. */
static void test_breakdown__days_are_of_the_accounts_zone(void **state)
{
    (void)state;
    struct broken b;
    begin(&b, PRICE);
    use(&b, "b", "vm.running", "r1", NULL, "2026-10-24T22:00:00Z", 49 * HOUR,
        Q(49)); /* midnight to midnight, two days */
    use(&b, "b", "vm.running", "r2", NULL, "2026-09-30T21:00:00Z", 2 * HOUR,
        Q(2)); /* an hour of September */
    use(&b, "b", "vm.running", "r3", NULL, "2026-10-31T22:30:00Z", HOUR,
        Q(1)); /* half of it in November */
    const struct breakdown_line *lines = compute(&b, "b", DIMENSION_DAY);
    assert_int_equal(lines[0].cell_count, 4);
    check_cell(&lines[0], 0, "2026-10-01", Q(1), "0.1");
    check_cell(&lines[0], 1, "2026-10-25", Q(25), "2.5");
    check_cell(&lines[0], 2, "2026-10-26", Q(24), "2.4");
    check_cell(&lines[0], 3, "2026-10-31", Q(1) / 2, "0.05");
    end(&b);
}

/* Tiers: the amount is of the whole, so resources share it by quantity; 10/3 does not end, and the
 * cents go to the largest remainders. */
static void test_breakdown__shares_of_a_tiered_line(void **state)
{
    (void)state;
    struct broken b;
    begin(&b, HEAD("09-01") "  - {code: vm, meter: vm.running, unit: hour, model: graduated, "
                            "tiers: [{up_to: 10, price: \"0.5\"}, {price: \"0.25\"}]}\n");
    for (int i = 0; i < 3; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "r%d", i);
        use(&b, "a", "vm.running", resource, NULL, "2026-10-01T00:00:00Z", DAY, Q(10));
    }
    const struct breakdown_line *lines = compute(&b, "a", DIMENSION_RESOURCE); /* 5 + 5 = 10 */
    check_cell(&lines[0], 0, "r0", Q(10), "3.333333333334");
    check_cell(&lines[0], 1, "r1", Q(10), "3.333333333333");
    assert_true(lines[0].cells[0].rounded.pico == 334 * (PICO_PER_UNIT / 100));
    assert_true(lines[0].cells[1].rounded.pico == 333 * (PICO_PER_UNIT / 100));
    end(&b);
}

static void test_breakdown__a_minimum_on_free_usage_is_shared_by_quantity(void **state)
{
    (void)state;
    struct broken b;
    begin(&b, HEAD("09-01") "  - {code: vm, meter: vm.running, unit: hour, price: \"0\", minimum: "
                            "\"9\"}\n");
    use(&b, "a", "vm.running", "r1", NULL, "2026-10-01T00:00:00Z", DAY, Q(1));
    use(&b, "a", "vm.running", "r2", NULL, "2026-10-01T00:00:00Z", DAY, Q(2));
    const struct breakdown_line *lines = compute(&b, "a", DIMENSION_RESOURCE);
    check_cell(&lines[0], 0, "r1", Q(1), "3");
    check_cell(&lines[0], 1, "r2", Q(2), "6");
    end(&b);
}

/* The second version's part is negative: the whole is below the first part. */
static void test_breakdown__a_part_that_gives_back(void **state)
{
    (void)state;
    struct broken b;
#define VOLUME                                                                                     \
    "  - {code: vm, meter: vm.running, unit: hour, model: volume, tiers: [{up_to: 100, price: "    \
    "\"1\"}, {price: \"0.1\"}]}\n"
    begin(&b, HEAD("09-01") VOLUME "---\n" HEAD("10-16") VOLUME);
    use(&b, "a", "vm.running", "r1", NULL, "2026-10-01T00:00:00Z", DAY, Q(90));
    use(&b, "a", "vm.running", "r2", NULL, "2026-10-20T00:00:00Z", DAY, Q(20));
    const struct breakdown_line *lines = compute(&b, "a", DIMENSION_RESOURCE);
    check_cell(&lines[0], 0, "r1", Q(90), "9");
    check_cell(&lines[0], 1, "r2", Q(20), "2");
    end(&b);
}

static void test_breakdown__converted_lines_add_up_too(void **state)
{
    (void)state;
    struct broken b;
    begin(&b, PRICE);
    for (int i = 0; i < 7; i++) {
        char resource[16];
        snprintf(resource, sizeof(resource), "r%d", i);
        use(&b, "i", "vm.running", resource, i % 2 ? "z1" : "z2", "2026-10-01T00:00:00Z",
            DAY * 3 + i, Q(1) + i);
    }
    compute(&b, "i", DIMENSION_RESOURCE);
    compute(&b, "i", DIMENSION_DAY);
    compute(&b, "i", DIMENSION_ZONE);
    end(&b);
}

/* Random usage of a whole cloud, every account, month and dimension. */
static void test_breakdown__adds_up_whatever_was_used(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    struct fixture prices;
    static struct model model;
    model_documents(&prices, model_prices_a);
    for (int round = 0; round < 20; round++) {
        struct stage stage;
        struct arena arena;
        arena_init(&arena);
        memset(&model, 0, sizeof(model));
        stage_init(&stage);
        stage_open(&stage, prices.snapshot);
        for (int i = 0; i < 150; i++) {
            struct model_record record = model_random(&model, &seeded);
            (void)model_apply(&model, &record);
            (void)model_feed(&stage, &record);
        }
        stage_commit(&stage);
        for (uint32_t cell = 0; cell < prices.snapshot->account_count * 4 * 3; cell++) {
            struct spend spend;
            struct breakdown_line *lines;
            struct period month = {MODEL_MONTH_FIRST + (int32_t)(cell / 3 % 4)};
            assert_int_equal(spend_compute(&stage.ledger->buckets, prices.snapshot, cell / 12,
                                           month, &arena, &spend, NULL),
                             STATUS_OK);
            assert_int_equal(breakdown_compute(stage.ledgers, &spend, (enum dimension)(cell % 3),
                                               &arena, &lines, NULL),
                             STATUS_OK);
            for (uint32_t i = 0; i < spend.line_count; i++)
                check_sums(&lines[i]);
        }
        arena_fini(&arena);
        stage_fini(&stage);
    }
    fixture_fini(&prices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakdown__by_resource_and_zone),
        cmocka_unit_test(test_breakdown__days_are_of_the_accounts_zone),
        cmocka_unit_test(test_breakdown__shares_of_a_tiered_line),
        cmocka_unit_test(test_breakdown__a_minimum_on_free_usage_is_shared_by_quantity),
        cmocka_unit_test(test_breakdown__a_part_that_gives_back),
        cmocka_unit_test(test_breakdown__converted_lines_add_up_too),
        cmocka_unit_test(test_breakdown__adds_up_whatever_was_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
