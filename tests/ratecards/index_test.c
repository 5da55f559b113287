/* What documents compile to resolves as reading row by row does: random cards with versions and
 * extends, prices in several currencies, accounts and projects, for series as they are stored. */
#include "ratecards/fixture.h"

#include "engine/rate/linear_resolve.h"
#include "mediate/definition.h"

#define OFFERINGS 40
#define ZONES     4
#define TEMPLATES 3
#define ACCOUNTS  30
#define OCTOBER_1 1790812800 /* 2026-10-01T00:00:00Z */
#define DAY       86400

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % limit);
}

static void row(FILE *out, const char *where)
{
    uint32_t price = below(1000000);
    if (below(3))
        fprintf(out, "      - {%sprice: \"0.%u\"}\n", where, price);
    else
        fprintf(out, "      - {%sprice: {EUR: \"0.%u\", %s: \"%u\"}}\n", where, price,
                below(2) ? "INR" : "USD", 1 + below(9));
}

/* Rows that do not tie: of two with as many conditions, one offering or the other. */
static void rows(FILE *out)
{
    char where[200];
    for (int o = 0; o < OFFERINGS; o++) {
        if (below(2)) {
            snprintf(where, sizeof(where), "where: {offering: offering-%d}, ", o);
            row(out, where);
        }
        for (int i = 0; i < (o % 2 ? ZONES : TEMPLATES); i++) {
            snprintf(where, sizeof(where), "where: {%s-%d, offeringid: offering-%d}, ",
                     o % 2 ? "zoneid: zone" : "template: template", i, o);
            if (below(3) == 0)
                row(out, where);
            snprintf(where, sizeof(where),
                     "where: {zone: zone-%d, template: template-%d, offering: offering-%d}, ", i,
                     i % TEMPLATES, o);
            if (below(8) == 0)
                row(out, where);
        }
    }
    if (below(2))
        row(out, "");
    fprintf(out, "      - {where: {offering: none}, price: \"1\"}\n"); /* so that there is a row */
}

static void charge(FILE *out, const char *code, const char *meter, const char *times)
{
    fprintf(out, "  - code: %s\n    meter: %s\n    unit: %s\n", code, meter,
            strcmp(times, "memory") == 0 ? "GiB-hour"
            : strcmp(times, "size") == 0 ? "GiB-month"
            : meter[0] == 'p'            ? "unit"
                                         : "hour");
    if (times[0])
        fprintf(out, "    times: %s\n", times);
    fprintf(out, "    prices:\n");
    rows(out);
}

static void card(FILE *out, const char *name, const char *extends, int day)
{
    fprintf(
        out,
        "---\nkind: ratecard\nname: %s\ncurrency: EUR\neffective_from: 2026-10-%02dT00:00:00Z\n",
        name, day);
    if (extends)
        fprintf(out, "extends: %s\n", extends);
    fprintf(out, "charges:\n");
    charge(out, "vm", "vm.running", "");
    if (!extends || below(2))
        charge(out, "memory", "vm.running", "memory");
    if (!extends || below(2))
        charge(out, "disk", "volume", "size");
    if (!extends || below(2))
        charge(out, "plain", "pieces", "");
}

static void accounts(FILE *out)
{
    static const char *const currencies[] = {"EUR", "INR", "USD"};
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Asia/Kolkata"};
    static const char *const catalogues[] = {"public", "contract", "waiting"};
    fprintf(out, "---\nkind: accounts\naccounts:\n");
    for (int i = 0; i < ACCOUNTS; i++)
        fprintf(
            out,
            "  - {id: account-%d, name: a, currency: %s, catalogue: %s, timezone: %s, projects: "
            "[project-%d, project-that-has-a-name-longer-than-any-uuid-would-be-%d]}\n",
            i, currencies[below(3)], catalogues[i % 10 ? below(2) : 2], zones[below(3)], i, i);
}

static void documents(FILE *out)
{
    fprintf(out, "kind: catalogue\nname: public\nratecard: base\n---\nkind: catalogue\nname: "
                 "contract\nratecard: own\ncurrency: USD\n---\nkind: catalogue\nname: waiting\n"
                 "ratecard: later\n");
    card(out, "base", NULL, 5);
    card(out, "base", NULL, 15);
    card(out, "own", "base", 2);
    card(out, "own", "base", 20);
    accounts(out);
}

static void attribute(struct fixture *fixture, struct definition *definition, const char *name,
                      const char *prefix, uint32_t limit)
{
    if (below(6) == 0)
        return;
    definition->attributes[definition->attribute_count++] = (struct where_term){
        slice_string(name),
        slice_string(arena_printf(&fixture->arena, "%s%u", prefix, below(limit)))};
}

static void definition_make(struct fixture *fixture, struct definition *ret)
{
    static const char *const payers[] = {"account-", "project-",
                                         "project-that-has-a-name-longer-than-any-uuid-would-be-"};
    uint32_t kind = below(3);
    *ret = (struct definition){.usage_type = kind == 0   ? 1
                                             : kind == 1 ? 6
                                                         : 0,
                               .payer_kind = PAYER_ACCOUNT,
                               .source = SLICE("cloud"),
                               .meter_name = SLICE("pieces")};
    ret->payer_id =
        slice_string(arena_printf(&fixture->arena, "%s%u", payers[below(3)], below(ACCOUNTS + 2)));
    attribute(fixture, ret, "memory", "", 100000);
    attribute(fixture, ret, "offering", "offering-", OFFERINGS + 1);
    attribute(fixture, ret, "resource", "", 1000);
    attribute(fixture, ret, "size", "10", 1000000);
    attribute(fixture, ret, "template", "template-", TEMPLATES);
    attribute(fixture, ret, "zone", "zone-", ZONES);
}

static void compare(const struct snapshot *snapshot, const struct series_view *view,
                    const struct resolution *expected, struct instant at)
{
    struct resolution found;
    assert_int_equal(snapshot_resolve(snapshot, view, at, &found), STATUS_OK);
    assert_int_equal(found.account, expected->account);
    assert_int_equal(found.period.index, expected->period.index);
    assert_int_equal(found.from.seconds, expected->from.seconds);
    assert_int_equal(found.to.seconds, expected->to.seconds);
    assert_int_equal(found.reason, expected->reason);
    assert_int_equal(found.plan_count, expected->plan_count);
    for (uint32_t i = 0; i < found.plan_count; i++) {
        assert_int_equal(found.plans[i], expected->plans[i]);
        assert_true(found.multipliers[i] == expected->multipliers[i]);
    }
}

static uint32_t ask(struct fixture *fixture, struct packer *packer)
{
    static struct definition made, unpacked;
    static struct definition_key key;
    struct resolution expected;
    struct instant at = {OCTOBER_1 + below(35 * DAY)};
    definition_make(fixture, &made);
    pack_reset(packer);
    definition_pack(&made, packer);
    assert_int_equal(definition_unpack(pack_done(packer), &unpacked), STATUS_OK);
    assert_int_equal(definition_peek(pack_done(packer), &key), STATUS_OK);
    struct series_view view = definition_view(&unpacked);
    assert_int_equal(linear_resolve(fixture->snapshot, &view, at, &expected), STATUS_OK);
    compare(fixture->snapshot, &view, &expected, at);
    compare(fixture->snapshot, &key.view, &expected, at);
    return expected.plan_count;
}

static void test_index__documents_resolve_as_they_read(void **state)
{
    (void)state;
    int rounds = getenv("RATEL_LONG") ? 500 : 20;
    uint32_t plans = 0, asked = 0;
    struct packer packer;
    pack_init(&packer);
    for (int i = 0; i < rounds; i++) {
        struct fixture fixture;
        char *text;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        assert_non_null(out);
        seed = (uint64_t)i << 32;
        documents(out);
        assert_int_equal(fclose(out), 0);
        fixture_init(&fixture);
        fixture_load(&fixture, "random.yaml", slice_of(text, length));
        fixture_compiled(&fixture);
        for (int j = 0; j < 2000; j++, asked++)
            plans += ask(&fixture, &packer);
        fixture_fini(&fixture);
        free(text);
    }
    pack_fini(&packer);
    assert_true(plans > asked / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index__documents_resolve_as_they_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
