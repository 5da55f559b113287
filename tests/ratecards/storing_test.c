/* What storing adds: new, changed, and nothing for the same again; revisions of rate cards;
 * contradictions within one load. */
#include "ratecards/fixture.h"

#define CARD(price)                                                                                \
    "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\ncharges:\n"     \
    "  - {code: a, meter: vm.running, unit: hour, price: \"" price "\"}\n"
#define ACCOUNTS(name)                                                                             \
    "kind: accounts\naccounts: [{id: a, name: " name                                               \
    ", currency: EUR, catalogue: p, projects: [x, y], email: [a@b, c@d],\n"                        \
    "  tax: {country: DE, id: i, class: k}, billing: prepaid, timezone: Asia/Kolkata, "            \
    "terms_days: 7}]\n"

/* Adds what `text` would store, and returns how many entries that is. */
static uint32_t store(struct fixture *fixture, const char *text)
{
    uint32_t before = fixture->entries.count;
    fixture_load(fixture, "f.yaml", slice_string(text));
    return fixture->entries.count - before;
}

static void test_storing__the_same_again_adds_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        CARD("1"),
        "kind: catalogue\nname: p\nratecard: c\n",
        ACCOUNTS("n"),
        "kind: fx\nsource: s\nrates: [{date: 2026-10-01, base: EUR, quote: INR, rate: \"1.5\"}]\n",
        "kind: tax\nrules: [{country: DE, rate: \"19\", from: 2026-01-01}]\n",
        "kind: budgets\nbudgets: [{account: a, amount: \"5\", email: a@b}]\n",
        "kind: meters\nmeters: [{name: m, base: hour}]\n",
    };
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(store(&fixture, texts[i]), 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(store(&fixture, texts[i]), 0);
    fixture_compiled(&fixture);
    const struct account *account = &fixture.snapshot->accounts[0];
    assert_int_equal(account->project_count, 2);
    assert_true(slice_is(account->projects[1], "y"));
    assert_true(slice_is(account->emails[1], "c@d"));
    assert_true(slice_is(account->tax_id, "i") && slice_is(account->tax_class, "k") &&
                slice_is(account->tax_country, "DE"));
    assert_int_equal(account->billing, BILLING_PREPAID);
    assert_int_equal(account->terms_days, 7);
    fixture_fini(&fixture);
}

static void test_storing__a_changed_item_replaces(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(store(&fixture, ACCOUNTS("old")), 1);
    assert_int_equal(store(&fixture, ACCOUNTS("new")), 1);
    fixture_compiled(&fixture);
    assert_int_equal(fixture.snapshot->account_count, 1);
    assert_true(slice_is(fixture.snapshot->accounts[0].name, "new"));
    fixture_fini(&fixture);
}

/* A card's comments and the order of its charges are not its content; a price is. */
static void test_storing__other_content_becomes_a_revision(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(store(&fixture, CARD("1")), 1);
    assert_int_equal(store(&fixture, "# moved down\n" CARD("1.00") "# more words\n"), 0);
    assert_int_equal(store(&fixture, CARD("2")), 1);
    assert_int_equal(store(&fixture, CARD("2")), 0);
    assert_int_equal(store(&fixture, CARD("1")), 1); /* back to what it was is a revision too */
    fixture_compiled(&fixture);
    assert_int_equal(fixture.snapshot->version_count, 1);
    assert_int_equal(fixture.snapshot->versions[0].revision, 3);
    fixture_fini(&fixture);
}

static void test_storing__contradictions_in_one_load_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        uint32_t line;
    } table[] = {
        {"two cards", CARD("1") "---\n" CARD("2"), 8},
        {"two catalogues",
         "kind: catalogue\nname: p\nratecard: a\n---\nkind: catalogue\nname: p\nratecard: b\n", 5},
        {"two accounts", ACCOUNTS("n") "---\n" ACCOUNTS("m"), 6},
        {"two rates",
         "kind: fx\nsource: s\nrates: [{date: 2026-10-01, base: EUR, quote: INR, rate: "
         "\"1\"}]\n---\n"
         "kind: fx\nsource: s\nrates: [{date: 2026-10-01, base: EUR, quote: INR, rate: \"2\"}]\n",
         7},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        assert_int_equal(fixture_parse(&fixture, "f.yaml", slice_string(table[i].text)), STATUS_OK);
        enum status status = documents_entries(&fixture.documents, NULL, (struct instant){0},
                                               &fixture.problems, &fixture.entries);
        if (status != STATUS_INVALID || fixture.problems.count != 1 ||
            fixture.problems.items[0].line != table[i].line) {
            fixture_print(&fixture);
            fail_msg("%s", table[i].name);
        }
        assert_non_null(memmem(fixture.problems.items[0].text.data,
                               fixture.problems.items[0].text.length, "contradicts", 11));
        fixture_fini(&fixture);
    }
}

static void test_storing__the_same_twice_in_one_load_is_stored_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(
        store(&fixture, CARD("1") "---\n" CARD("1.0") "---\n" ACCOUNTS("n") "---\n" ACCOUNTS("n")),
        2);
    fixture_fini(&fixture);
}

static void test_storing__keys_sort_in_the_natural_order(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    /* in the order in which their keys must sort */
    static const char *const froms[] = {"1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z",
                                        "2026-10-01T00:00:00Z", "9999-12-31T23:59:59Z"};
    for (size_t i = 0; i < 4; i++)
        store(&fixture,
              arena_printf(&fixture.arena,
                           "kind: ratecard\nname: c\ncurrency: EUR\neffective_from: %s\ncharges:\n"
                           "  - {code: a, meter: vm.running, unit: hour, price: \"1\"}\n",
                           froms[i]));
    store(&fixture, "kind: ratecard\nname: c2\ncurrency: EUR\neffective_from: "
                    "1970-01-01T00:00:00Z\nextends: c\n");
    static const char *const days[] = {"1970-01-01", "1999-12-31", "2026-10-01"};
    for (size_t i = 0; i < 3; i++)
        store(&fixture,
              arena_printf(
                  &fixture.arena,
                  "kind: fx\nsource: s\nrates: [{date: %s, base: EUR, quote: INR, rate: \"1\"}]\n",
                  days[i]));
    for (uint32_t i = 1; i < fixture.entries.count; i++) {
        if (fixture.entries.items[i].table == fixture.entries.items[i - 1].table)
            assert_true(
                slice_compare(fixture.entries.items[i - 1].key, fixture.entries.items[i].key) < 0);
    }
    fixture_fini(&fixture);
}

static void test_storing__names_of_tables_are_fixed(void **state)
{
    (void)state;
    static const char *const names[] = {"card", "catalogue", "account", "fx",
                                        "tax",  "budget",    "meter"};
    for (int i = 0; i < ENTRY_TABLE_COUNT; i++)
        assert_string_equal(entry_table_name((enum entry_table)i),
                            names[i]); /* LMDB tables on disk bear them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storing__the_same_again_adds_nothing),
        cmocka_unit_test(test_storing__a_changed_item_replaces),
        cmocka_unit_test(test_storing__other_content_becomes_a_revision),
        cmocka_unit_test(test_storing__contradictions_in_one_load_are_refused),
        cmocka_unit_test(test_storing__the_same_twice_in_one_load_is_stored_once),
        cmocka_unit_test(test_storing__keys_sort_in_the_natural_order),
        cmocka_unit_test(test_storing__names_of_tables_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
