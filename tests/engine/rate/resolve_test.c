/* Resolving through the index, and through what neighbours had in common, against resolving row by row: random snapshots, laid out by hand so
 * that they also hold what documents are refused for (ties, gaps between versions, more charges
 * than count), and random series. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "engine/rate/linear_resolve.h"
#include "rate/attribute.h"
#include "rate/resolver.h"
#include "rate/snapshot_index.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define OCTOBER_1       1790812800 /* 2026-10-01T00:00:00Z */
#define DAY             86400

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % limit);
}

/* Sorted; `region` and `tier` are none of CloudStack's. */
static const char *const names[] = {"issystem", "memory",   "offering", "region",
                                    "size",     "template", "tier",     "zone"};
/* Conditions and multipliers alike. */
static char long_value[301];
static const char *const values[] = {"",
                                     "a",
                                     "b",
                                     "12",
                                     "007",
                                     "-1",
                                     "+5",
                                     "1.5",
                                     "1e3",
                                     "-0",
                                     "999999999999999999",
                                     "1000000000000000000",
                                     "170141183460469231731687303715884105728",
                                     "5d1f6d0c-3f9b-4a39-a3b7-2f4a9e2b7c11",
                                     "5d1f6d0c-3f9b-4a39-a3b7-2f4a9e2b7c12",
                                     long_value};
static const char *const meters[] = {"custom.meter", "vm.running", "volume", "zzz"};
static const uint32_t currencies[] = {0x455552, 0x494e52, 0x555344, 0};
static struct zone *zones[3]; /* the first stays NULL: UTC */
static const struct rate_tier tier = {TIER_OPEN, {PICO_PER_UNIT}, {0}};

#define NEW(arena, type, count) ((type *)arena_alloc(arena, ((size_t)(count) + 1) * sizeof(type)))

/* Some of the names, each with a value of the first `spread`. */
static uint32_t terms_make(struct where_term *terms, uint32_t chance, uint32_t spread)
{
    uint32_t count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (below(100) < chance)
            terms[count++] =
                (struct where_term){slice_string(names[i]), slice_string(values[below(spread)])};
    return count;
}

static void rows_make(struct snapshot *s, struct plan *plans, struct charge *charge, bool many)
{
    static const uint32_t counts[] = {0, 1, 1, 4, 30, 200};
    charge->row_count = many ? 30 : counts[below(COUNT_OF(counts))];
    struct charge_row *rows = NEW(&s->arena, struct charge_row, charge->row_count);
    uint32_t chance = 10 + below(40), spread = 1 + below(COUNT_OF(values));
    for (uint32_t i = 0; i < charge->row_count; i++) {
        struct where_term *where = NEW(&s->arena, struct where_term, COUNT_OF(names));
        rows[i].where = where;
        rows[i].where_count = terms_make(where, chance, spread);
        rows[i].plan_first = s->plan_count;
        rows[i].plan_count = 1 + below(3);
        for (uint32_t j = 0; j < rows[i].plan_count; j++)
            plans[s->plan_count++] = (struct plan){
                .row = i, .currency = {currencies[j]}, .tiers = &tier, .tier_count = 1};
    }
    charge->rows = rows;
}

/* Another version's charge with the same conditions and plans of its own. */
static void rows_again(struct snapshot *s, struct plan *plans, struct charge *charge)
{
    struct charge_row *rows = NEW(&s->arena, struct charge_row, charge->row_count);
    for (uint32_t i = 0; i < charge->row_count; i++) {
        rows[i] = charge->rows[i];
        rows[i].plan_first = s->plan_count;
        for (uint32_t j = 0; j < rows[i].plan_count; j++)
            plans[s->plan_count++] = plans[charge->rows[i].plan_first + j];
    }
    charge->rows = rows;
}

static int charge_compare(const void *a, const void *b)
{
    return slice_compare(((const struct charge *)a)->meter_name,
                         ((const struct charge *)b)->meter_name);
}

static void charges_make(struct snapshot *s, struct plan *plans, struct charge *charges,
                         struct version *version)
{
    uint32_t first = s->charge_count;
    version->charge_count = below(10) ? below(12) : 20 + below(10);
    uint32_t *indexes = NEW(&s->arena, uint32_t, version->charge_count);
    for (uint32_t i = 0; i < version->charge_count; i++) {
        struct charge *charge = &charges[s->charge_count];
        if (first && below(3) == 0) { /* the same rows again, as where a card extends another */
            *charge = charges[below(first)];
            rows_again(s, plans, charge);
        } else {
            charge->meter_name = slice_string(meters[below(10) ? 1 : below(COUNT_OF(meters))]);
            charge->times.present = below(3) == 0;
            charge->times_name = slice_string(names[below(COUNT_OF(names))]);
            rows_make(s, plans, charge, version->charge_count > RESOLVE_PLANS_MAX);
        }
        indexes[i] = s->charge_count++;
    }
    qsort(&charges[first], version->charge_count, sizeof(*charges), charge_compare);
    version->charges = indexes;
}

/* The charges of the version before once more; of one of them perhaps something has changed. */
static void charges_repeat(struct snapshot *s, struct plan *plans, struct charge *charges,
                           const struct version *before, struct version *version)
{
    uint32_t *indexes = NEW(&s->arena, uint32_t, before->charge_count);
    uint32_t changed = before->charge_count ? below(3 * before->charge_count) : 1;
    version->charge_count = before->charge_count;
    for (uint32_t i = 0; i < before->charge_count; i++) {
        struct charge *charge = &charges[s->charge_count];
        *charge = charges[before->charges[i]];
        rows_again(s, plans, charge);
        uint32_t what = i == changed ? below(3) : 3;
        if (what == 0)
            charge->times.present = !charge->times.present;
        else if (what == 1)
            charge->times_name = slice_string(names[below(COUNT_OF(names))]);
        else if (what == 2 && charge->row_count)
            charge->row_count--;
        indexes[i] = s->charge_count++;
    }
    version->charges = indexes;
}

/* What the compiler says of plans. */
static void plans_own(const struct snapshot *s, struct plan *plans, const struct charge *charges)
{
    for (uint32_t v = 0; v < s->version_count; v++)
        for (uint32_t i = 0; i < s->versions[v].charge_count; i++) {
            const struct charge *charge = &charges[s->versions[v].charges[i]];
            for (uint32_t r = 0; r < charge->row_count; r++)
                for (uint32_t p = 0; p < charge->rows[r].plan_count; p++) {
                    struct plan *plan = &plans[charge->rows[r].plan_first + p];
                    plan->version = v;
                    plan->charge = s->versions[v].charges[i];
                    plan->row = r;
                }
        }
}

static void versions_make(struct snapshot *s)
{
    enum {
        FAMILIES = 3,
        VERSIONS = 4,
        CHARGES = 30,
        PLANS = 600 /* 200 rows in three currencies */
    };
    struct plan *plans = NEW(&s->arena, struct plan, FAMILIES * VERSIONS * CHARGES * PLANS);
    struct charge *charges = NEW(&s->arena, struct charge, FAMILIES * VERSIONS * CHARGES);
    struct version *versions = NEW(&s->arena, struct version, FAMILIES * VERSIONS);
    struct card_family *families = NEW(&s->arena, struct card_family, FAMILIES);
    for (uint32_t f = 0; f < FAMILIES; f++) {
        int64_t from = OCTOBER_1 - 40 * DAY;
        families[f] = (struct card_family){.version_first = s->version_count,
                                           .version_count = below(VERSIONS + 1)};
        for (uint32_t v = 0; v < families[f].version_count; v++) {
            struct version *version = &versions[s->version_count++];
            from += below(4) ? 0 : 1 + below(9 * DAY); /* here and there nothing is in force */
            version->from.seconds = from;
            version->to.seconds = from += 1 + below(60 * DAY);
            if (v && below(2))
                charges_repeat(s, plans, charges, version - 1, version);
            else
                charges_make(s, plans, charges, version);
        }
    }
    s->plans = plans;
    s->charges = charges;
    s->versions = versions;
    plans_own(s, plans, charges);
    s->families = families;
    s->family_count = FAMILIES;
}

static int payer_compare(const void *a, const void *b)
{
    return slice_compare(((const struct payer_entry *)a)->id, ((const struct payer_entry *)b)->id);
}

/* Ids from one byte to more than a slot holds. */
static const char *payer_id(struct arena *arena, uint32_t number)
{
    static const int widths[] = {1, 8, 36, 49, 50, 51, 52, 99};
    return arena_printf(arena, "%0*x.", widths[number % COUNT_OF(widths)], number);
}

static void accounts_make(struct snapshot *s, uint32_t count)
{
    struct catalogue *catalogues = NEW(&s->arena, struct catalogue, 4);
    struct account *accounts = NEW(&s->arena, struct account, count);
    struct payer_entry *payers = NEW(&s->arena, struct payer_entry, 2 * count);
    s->catalogue_count = 4;
    for (uint32_t i = 0; i < s->catalogue_count; i++) {
        catalogues[i].family = i < s->family_count ? i : INDEX_NONE;
        catalogues[i].currency.code = currencies[below(COUNT_OF(currencies))];
    }
    for (uint32_t i = 0; i < count; i++) {
        accounts[i].currency.code = currencies[below(3)];
        accounts[i].catalogue = below(20) ? below(4) : INDEX_NONE;
        accounts[i].zone = zones[below(COUNT_OF(zones))];
        payers[s->payer_count++] =
            (struct payer_entry){slice_string(payer_id(&s->arena, s->payer_count)), i};
        if (below(3) == 0)
            payers[s->payer_count++] =
                (struct payer_entry){slice_string(payer_id(&s->arena, s->payer_count)), i};
    }
    qsort(payers, s->payer_count, sizeof(*payers), payer_compare);
    s->catalogues = catalogues;
    s->accounts = accounts;
    s->account_count = count;
    s->payers = payers;
}

static struct instant instant_make(const struct snapshot *s)
{
    int64_t at = OCTOBER_1 - 45 * DAY + below(100 * DAY);
    if (s->version_count && below(3) == 0) {
        const struct version *version = &s->versions[below(s->version_count)];
        at = (below(2) ? version->from : version->to).seconds - below(2);
    } else if (below(20) == 0) {
        at = (int64_t)below(90) * 366 * DAY; /* where there is no table of months */
    }
    return (struct instant){at};
}

/* What was met, so that a generator gone astray shows. */
static uint32_t reasons[UNPRICED_NO_ATTRIBUTE + 1], refusals, by_terms[COUNT_OF(names) + 1];

static void count_met(const struct snapshot *s, enum status status, const struct resolution *r)
{
    if (status != STATUS_OK) {
        refusals++;
        return;
    }
    reasons[r->reason]++;
    for (uint32_t i = 0; i < r->plan_count; i++)
        for (uint32_t c = 0; c < s->charge_count; c++) {
            const struct charge *charge = &s->charges[c];
            for (uint32_t row = 0; row < charge->row_count; row++)
                if (r->plans[i] - charge->rows[row].plan_first < charge->rows[row].plan_count)
                    by_terms[charge->rows[row].where_count]++;
        }
}

static void assert_same(const struct resolution *found, const struct resolution *expected)
{
    assert_int_equal(found->account, expected->account);
    assert_int_equal(found->period.index, expected->period.index);
    assert_int_equal(found->from.seconds, expected->from.seconds);
    assert_int_equal(found->to.seconds, expected->to.seconds);
    assert_int_equal(found->reason, expected->reason);
    assert_int_equal(found->plan_count, expected->plan_count);
    for (uint32_t i = 0; i < found->plan_count; i++) {
        assert_int_equal(found->plans[i], expected->plans[i]);
        assert_true(found->multipliers[i] == expected->multipliers[i]);
    }
}

static uint32_t followed, followed_to_another_version, not_followed;

/* From what the series had to what it has at another instant, without the series. */
static void compare_followed(const struct snapshot *s, struct resolver *resolver,
                             const struct series_view *view, const struct resolution *had,
                             struct instant at)
{
    struct resolution expected, found = *had; /* multipliers are what they were */
    if (had->plan_count == 0 || linear_resolve(s, view, at, &expected) != STATUS_OK)
        return;
    if (!resolver_follow(resolver, had->account, had->plans, had->plan_count, at, &found)) {
        not_followed++;
        return;
    }
    followed++;
    followed_to_another_version += found.plans[0] != had->plans[0];
    assert_same(&found, &expected);
}

static struct instant instant_make(const struct snapshot *s);

static void compare(const struct snapshot *s, struct resolver *resolver,
                    const struct series_view *view, struct instant at)
{
    struct resolution expected, found, again;
    enum status status = linear_resolve(s, view, at, &expected);
    assert_int_equal(snapshot_resolve(s, view, at, &found), status);
    assert_int_equal(resolver_resolve(resolver, view, at, &again), status);
    assert_int_equal(snapshot_payer(s, view->payer_id), linear_payer(s, view->payer_id));
    if (below(16) == 0) /* slow to tell */
        count_met(s, status, &expected);
    if (status != STATUS_OK)
        return;
    assert_same(&found, &expected);
    assert_same(&again, &expected);
    compare_followed(s, resolver, view, &expected, instant_make(s));
    compare_followed(s, resolver, view, &expected, (struct instant){expected.to.seconds});
}

/* Attributes that a row of a charge asks for, and some others. */
static uint32_t attributes_for(const struct charge *charge, struct where_term *ret)
{
    struct where_term others[COUNT_OF(names)];
    const struct charge_row none = {0}, *row = charge && charge->row_count && below(8)
                                                   ? &charge->rows[below(charge->row_count)]
                                                   : &none;
    uint32_t other_count = terms_make(others, below(100), 1 + below(COUNT_OF(values)));
    uint32_t count = 0;
    for (uint32_t i = 0, j = 0; i < row->where_count || j < other_count;) {
        int order = i == row->where_count ? 1
                    : j == other_count    ? -1
                                          : slice_compare(row->where[i].name, others[j].name);
        ret[count++] = order <= 0 ? row->where[i] : others[j];
        i += order <= 0;
        j += order >= 0;
    }
    return count;
}

/* A series, at some instants, and neighbours that differ from it in little. */
static void ask(const struct snapshot *s, struct resolver *resolver, struct arena *scratch)
{
    struct where_term attributes[COUNT_OF(names)];
    uint8_t positions[ATTRIBUTE_CODES] = {0};
    struct series_view view = {.attributes = attributes};
    const struct charge *charge = s->charge_count ? &s->charges[below(s->charge_count)] : NULL;
    view.attribute_count = attributes_for(charge, attributes);
    view.payer_id = s->payer_count && below(10)
                        ? s->payers[below(s->payer_count)].id
                        : slice_string(payer_id(scratch, s->payer_count + below(50)));
    view.meter_name =
        charge && below(10) ? charge->meter_name : slice_string(meters[below(COUNT_OF(meters))]);
    view.meter = below(10) ? meter_by_name(view.meter_name) : NULL; /* the name decides */
    for (uint32_t i = 0; i < view.attribute_count; i++) {
        uint8_t code = attribute_code(attributes[i].name);
        positions[code] = code ? (uint8_t)(i + 1) : 0;
    }
    view.positions = below(4) ? positions : NULL;
    for (uint32_t neighbours = below(4), i = 0; i <= neighbours; i++) {
        compare(s, resolver, &view, instant_make(s));
        if (view.attribute_count && below(2))
            attributes[below(view.attribute_count)].value =
                slice_string(values[below(COUNT_OF(values))]);
        if (s->payer_count && below(4) == 0)
            view.payer_id = s->payers[below(s->payer_count)].id;
    }
}

static void test_resolve__index_and_memory_find_what_reading_row_by_row_finds(void **state)
{
    (void)state;
    int snapshots = getenv("RATEL_LONG") ? 20000 : 800;
    struct resolver *resolver = malloc(sizeof(*resolver));
    assert_non_null(resolver);
    memset(long_value, 'x', sizeof(long_value) - 1);
    assert_int_equal(zone_load(SLICE("Europe/Berlin"), &zones[1]), STATUS_OK);
    assert_int_equal(zone_load(SLICE("America/St_Johns"), &zones[2]), STATUS_OK);
    for (int i = 0; i < snapshots; i++) {
        struct snapshot s = {0};
        struct arena scratch;
        seed = (uint64_t)i << 32;
        arena_init(&scratch);
        versions_make(&s);
        accounts_make(&s, i % 3 ? below(20) : 200 + below(800));
        if (below(2))
            snapshot_index_build(&s);
        else /* few hashes: what is found must be compared */
            snapshot_index_build_colliding(&s, below(2) ? (uint64_t)3 << 32 : 7);
        resolver_init(resolver, &s);
        for (int j = 0; j < 250; j++)
            ask(&s, resolver, &scratch);
        arena_fini(&scratch);
        arena_fini(&s.arena);
    }
    zone_free(zones[1]);
    zone_free(zones[2]);
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        assert_true(reasons[i] > 100);
    for (size_t i = 0; i <= 3; i++)
        assert_true(by_terms[i] > 100);
    assert_true(refusals > 3);
    assert_true(followed_to_another_version > 1000 && not_followed > 1000);
    assert_true(followed > followed_to_another_version + 1000); /* within one version, too */
    free(resolver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve__index_and_memory_find_what_reading_row_by_row_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
