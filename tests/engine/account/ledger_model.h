/* A slow and obvious ledger: lists of everything that was accepted, walked from the start whenever
 * somebody asks. It shares no code with the real one but the documents' names; calendars, splits
 * and prices' boundaries are written down here once more, as literals. */
#ifndef RATEL_TESTS_LEDGER_MODEL_H
#define RATEL_TESTS_LEDGER_MODEL_H

#include "engine/account/ledger_fixture.h"
#include "engine/base/seeded.h"

/* Two sets of prices. In both the card changes in mid-October; the second has other charges. */
static const char model_accounts[] =
    "---\nkind: catalogue\nname: public\nratecard: card\n"
    "---\nkind: fx\nsource: ECB\nrates: [{date: 2026-09-01, base: EUR, quote: INR, rate: "
    "\"101.2345\"}]\n"
    "---\nkind: accounts\naccounts:\n"
    "  - {id: a-utc, currency: EUR, catalogue: public}\n"
    "  - {id: b-kolkata, currency: INR, catalogue: public, timezone: Asia/Kolkata}\n"
    "  - {id: c-berlin, currency: EUR, catalogue: public, timezone: Europe/Berlin, projects: "
    "[project]}\n"
    "  - {id: d-bare, currency: EUR, catalogue: none}\n";

#define MODEL_HEAD(from)                                                                           \
    "---\nkind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-" from                   \
    "T00:00:00Z\ncharges:\n"
#define MODEL_FIRST                                                                                \
    MODEL_HEAD("10-01")                                                                            \
    "  - {code: vm, meter: vm.running, unit: hour, prices: [{where: {zone: z1}, price: "           \
    "\"0.01\"}, {price: \"0.02\"}]}\n"                                                             \
    "  - {code: memory, meter: vm.running, times: memory, unit: GiB-hour, price: \"0.005\"}\n"     \
    "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"0.1\"}\n"              \
    "  - {code: net, scope: resource, meter: network.sent, unit: GB, model: graduated, tiers: "    \
    "[{up_to: 1, price: \"1\"}, {price: \"0.5\"}]}\n"
#define MODEL_GPU(code) "  - {code: " code ", meter: gpu, unit: unit, price: \"3\"}\n"

static const char model_prices_a[] = MODEL_FIRST MODEL_HEAD(
    "10-16") "  - {code: vm, meter: vm.running, unit: hour, price: \"0.03\"}\n"
             "  - {code: net, scope: resource, meter: network.sent, unit: GB, model: graduated, "
             "tiers: [{up_to: 1, price: \"2\"}, {price: \"0.7\"}]}\n"
             "  - {code: ip, meter: ip.address, unit: hour, price: \"0.004\"}\n" MODEL_GPU("g1")
                 MODEL_GPU("g2") MODEL_GPU("g3") MODEL_GPU("g4");

static const char model_prices_b[] = MODEL_FIRST MODEL_HEAD(
    "10-16") "  - {code: vm, meter: vm.running, unit: hour, price: \"0.03\"}\n"
             "  - {code: store, meter: bucket, unit: GB-month, price: \"0.02\"}\n";

struct model_charge {
    uint32_t set;     /* bits: 1 prices a, 2 prices b */
    uint32_t version; /* 0 or 1 */
    const char *code;
    const char *meter;
    const char *zone; /* the row is for this zone only; NULL: for the others */
    uint32_t row;
    const char *times; /* "memory", "size" */
    bool by_resource;
};

static const struct model_charge model_charges[] = {
    {3, 0, "vm", "vm.running", "z1", 0, NULL, false},
    {3, 0, "vm", "vm.running", NULL, 1, NULL, false},
    {3, 0, "memory", "vm.running", NULL, 0, "memory", false},
    {3, 0, "disk", "volume", NULL, 0, "size", false},
    {3, 0, "net", "network.sent", NULL, 0, NULL, true},
    {3, 1, "vm", "vm.running", NULL, 0, NULL, false},
    {1, 1, "net", "network.sent", NULL, 0, NULL, true},
    {1, 1, "ip", "ip.address", NULL, 0, NULL, false},
    {1, 1, "g1", "gpu", NULL, 0, NULL, false},
    {1, 1, "g2", "gpu", NULL, 0, NULL, false},
    {1, 1, "g3", "gpu", NULL, 0, NULL, false},
    {1, 1, "g4", "gpu", NULL, 0, NULL, false},
    {2, 1, "store", "bucket", NULL, 0, NULL, false},
};

/* Instants at which a month of 2026 begins: 1 September to 1 December. */
static const struct {
    const char *account;
    const char *project; /* that it pays for */
    bool priced;
    int64_t months[4];
} model_payers[] = {
    {"a-utc", NULL, true, {1788220800, 1790812800, 1793491200, 1796083200}},
    {"b-kolkata", NULL, true, {1788201000, 1790793000, 1793471400, 1796063400}},
    {"c-berlin",
     "project",
     true,
     {1788213600, 1790805600, 1793487600, 1796079600}}, /* summer time ends on 25 October */
    {"d-bare", NULL, false, {1788220800, 1790812800, 1793491200, 1796083200}},
};
#define MODEL_VERSION_0   1790812800 /* 2026-10-01T00:00:00Z */
#define MODEL_VERSION_1   1792108800 /* 2026-10-16T00:00:00Z */
#define MODEL_MONTH_FIRST (2026 * 12 + 8)

/* The series of the invented cloud. */
static const struct record_words model_series[] = {
    {.account = "a-utc", .meter = "vm.running", .resource = "vm1", .zone = "z1", .memory = "2048"},
    {.account = "a-utc", .meter = "vm.running", .resource = "vm2", .zone = "z2", .memory = "512"},
    {.account = "a-utc",
     .meter = "vm.running",
     .resource = "vm3",
     .zone = "z1"}, /* without memory: that charge passes it over */
    {.account = "a-utc", .meter = "network.sent", .resource = "n1", .zone = "z1"},
    {.account = "a-utc", .meter = "network.sent", .resource = "n2", .zone = "z2"},
    {.account = "b-kolkata", .meter = "volume", .resource = "v1", .size = "10737418240"},
    {.account = "b-kolkata", .meter = "volume", .resource = "v2", .size = "1"},
    {.account = "b-kolkata", .meter = "volume", .resource = "v3"}, /* without a size */
    {.account = "b-kolkata", .meter = "ip.address", .resource = "ip1"},
    {.account = "b-kolkata", .meter = "gpu", .resource = "g1"},
    {.account = "c-berlin", .meter = "gpu", .resource = "g1"},
    {.account = "c-berlin", .meter = "bucket", .resource = "b1"},
    {.account = "project",
     .meter = "vm.running",
     .resource = "vm1",
     .zone = "z2",
     .memory = "1024"},
    {.account = "project", .meter = "network.sent", .resource = "n1", .zone = "z1"},
    {.account = "d-bare", .meter = "vm.running", .resource = "vm9", .memory = "64"},
    {.account = "d-bare", .meter = "licence", .resource = "x"},
    {.account = "stranger", .meter = "vm.running", .resource = "vm1", .memory = "64"},
    {.account = "stranger", .meter = "gpu", .resource = "vm1"},
};
enum {
    MODEL_SERIES = sizeof(model_series) / sizeof(model_series[0]),
    MODEL_RECORDS = 1024,
    MODEL_CELLS = 1024,
    MODEL_IDS = 64
};

/* An event that happened: the series' number here, not in the ledger. */
struct model_record {
    uint32_t series;
    int64_t start, end;
    int128 quanta;
    uint32_t id; /* 0: a window; else the name's number */
};

struct model {
    uint32_t set; /* 1 or 2: which prices */
    struct model_record accepted[MODEL_RECORDS];
    uint32_t accepted_count;
    struct model_record conflicts[MODEL_RECORDS];
    uint32_t conflict_count;
    bool seen[MODEL_SERIES]; /* defined in the ledger */
    /* as of the last commit */
    uint32_t accepted_committed, conflicts_committed;
    bool seen_committed[MODEL_SERIES];
};

static inline bool model_equal(const struct model_record *a, const struct model_record *b)
{
    return a->series == b->series && a->start == b->start && a->end == b->end &&
           a->quanta == b->quanta && a->id == b->id;
}

static inline enum outcome model_apply(struct model *model, const struct model_record *record)
{
    model->seen[record->series] = true;
    for (uint32_t i = 0; i < model->accepted_count; i++) {
        const struct model_record *other = &model->accepted[i];
        bool meets = record->id ? other->id == record->id
                                : !other->id && other->series == record->series &&
                                      other->start < record->end && record->start < other->end;
        if (!meets)
            continue;
        if (model_equal(other, record))
            return OUTCOME_DUPLICATE;
        for (uint32_t j = 0; j < model->conflict_count; j++)
            if (model_equal(&model->conflicts[j], record))
                return OUTCOME_CONFLICT; /* kept once */
        model->conflicts[model->conflict_count++] = *record;
        return OUTCOME_CONFLICT;
    }
    assert_true(model->accepted_count < MODEL_RECORDS);
    model->accepted[model->accepted_count++] = *record;
    return OUTCOME_ACCEPTED;
}

static inline void model_commit(struct model *model)
{
    model->accepted_committed = model->accepted_count;
    model->conflicts_committed = model->conflict_count;
    memcpy(model->seen_committed, model->seen, sizeof(model->seen));
}

/* A crash: what was not committed is gone. */
static inline void model_crash(struct model *model)
{
    model->accepted_count = model->accepted_committed;
    model->conflict_count = model->conflicts_committed;
    memcpy(model->seen, model->seen_committed, sizeof(model->seen));
}

/* ---- sums
 * ------------------------------------------------------------------------------------------------------------
 */

struct model_cell {
    const char *account;
    int32_t month;
    const char *code; /* NULL: without a price, by `part` alone */
    uint32_t version;
    uint32_t row;
    const char *part; /* resource, or meter when there is no price; "" */
    int128 quanta;
};

struct model_sums {
    struct model_cell cells[MODEL_CELLS];
    uint32_t count;
};

static inline void model_add(struct model_sums *sums, struct model_cell cell)
{
    for (uint32_t i = 0; i < sums->count; i++) {
        struct model_cell *known = &sums->cells[i];
        bool same = strcmp(known->account, cell.account) == 0 && known->month == cell.month &&
                    known->version == cell.version && known->row == cell.row &&
                    strcmp(known->code ? known->code : "", cell.code ? cell.code : "") == 0 &&
                    strcmp(known->part, cell.part) == 0;
        if (same) {
            known->quanta += cell.quanta;
            return;
        }
    }
    assert_true(sums->count < MODEL_CELLS);
    sums->cells[sums->count++] = cell;
}

static inline void model_price(struct model_sums *sums, uint32_t set, const char *account,
                               bool priced, int32_t month, int version,
                               const struct record_words *words, int128 quanta)
{
    uint32_t charged = 0;
    for (size_t i = 0;
         priced && version >= 0 && i < sizeof(model_charges) / sizeof(model_charges[0]); i++) {
        const struct model_charge *charge = &model_charges[i];
        if (!(charge->set & set) || charge->version != (uint32_t)version ||
            strcmp(charge->meter, words->meter) != 0)
            continue;
        bool elsewhere =
            version == 0 && strcmp(charge->code, "vm") == 0; /* two rows compete by zone */
        bool in_z1 = words->zone && strcmp(words->zone, "z1") == 0;
        if (elsewhere && in_z1 != (charge->zone != NULL))
            continue;
        const char *times =
            charge->times ? strcmp(charge->times, "size") == 0 ? words->size : words->memory : "1";
        if (!times)
            continue;
        model_add(sums, (struct model_cell){account, month, charge->code, charge->version,
                                            charge->row, charge->by_resource ? words->resource : "",
                                            quanta * atoll(times)});
        charged++;
    }
    if (!charged)
        model_add(sums, (struct model_cell){account, month, NULL, 0, 0, words->meter, quanta});
}

/* Cuts one event at every boundary there is. */
static inline void model_count(struct model_sums *sums, uint32_t set,
                               const struct model_record *record)
{
    const struct record_words *words = &model_series[record->series];
    for (size_t p = 0; p < sizeof(model_payers) / sizeof(model_payers[0]); p++) {
        bool pays =
            strcmp(model_payers[p].account, words->account) == 0 ||
            (model_payers[p].project && strcmp(model_payers[p].project, words->account) == 0);
        if (!pays)
            continue;
        int64_t cuts[8] = {model_payers[p].months[1], model_payers[p].months[2],
                           model_payers[p].months[3]};
        int cut_count = 3;
        if (model_payers[p].priced) {
            cuts[cut_count++] = MODEL_VERSION_0;
            cuts[cut_count++] = MODEL_VERSION_1;
        }
        int128 left = record->quanta;
        for (int64_t at = record->start;;) {
            int64_t end = record->end;
            for (int i = 0; i < cut_count; i++)
                if (cuts[i] > at && cuts[i] < end)
                    end = cuts[i];
            bool level = strcmp(words->meter, "bucket") == 0;
            int128 piece = level ? record->quanta * (end - at)
                           : end == record->end
                               ? left
                               : record->quanta * (end - at) / (record->end - record->start);
            left -= piece;
            int32_t month = MODEL_MONTH_FIRST + (at >= model_payers[p].months[1]) +
                            (at >= model_payers[p].months[2]) + (at >= model_payers[p].months[3]);
            int version = at >= MODEL_VERSION_1 ? 1 : at >= MODEL_VERSION_0 ? 0 : -1;
            model_price(sums, set, model_payers[p].account, model_payers[p].priced, month, version,
                        words, piece);
            if (end == record->end)
                break;
            at = end;
        }
    }
}

static inline void model_sum(const struct model *model, struct model_sums *sums)
{
    sums->count = 0;
    for (uint32_t i = 0; i < model->accepted_count; i++)
        model_count(sums, model->set, &model->accepted[i]);
}

/* ---- comparing with the real one
 * ------------------------------------------------------------------------------------- */

/* A resource by its number. */
static inline struct slice model_resource(const struct ledger *ledger, uint32_t number)
{
    static char text[256];
    for (uint32_t i = 0; i < ledger->series.count; i++) {
        struct definition definition;
        if (series_definition(&ledger->series, i, &definition, NULL) != STATUS_OK)
            continue;
        struct hash128 key = series_resource_key(&ledger->series, &definition);
        if (!hash128_equal(key, ledger->series.resource_keys[number - 1]))
            continue;
        struct slice resource = definition_resource(&definition);
        snprintf(text, sizeof(text), "%.*s", (int)resource.length, resource.data);
        return slice_string(text);
    }
    return (struct slice){0};
}

static inline bool model_has(const struct model_sums *sums, const struct ledger *ledger,
                             const struct bucket *bucket)
{
    const struct snapshot *snapshot = ledger->snapshot;
    const struct plan *plan =
        bucket->key.plan == INDEX_NONE ? NULL : &snapshot->plans[bucket->key.plan];
    const struct charge *charge = plan ? &snapshot->charges[plan->charge] : NULL;
    for (uint32_t i = 0; i < sums->count; i++) {
        const struct model_cell *cell = &sums->cells[i];
        if (!slice_is(snapshot->accounts[bucket->key.account].id, cell->account) ||
            bucket->key.period != cell->month || (plan != NULL) != (cell->code != NULL))
            continue;
        if (plan && (!slice_is(charge->code, cell->code) || plan->version != cell->version ||
                     plan->row != cell->row))
            continue;
        struct slice part = {0};
        if (!plan)
            part = series_meter_name(&ledger->series, bucket->key.part);
        else if (charge->scope == SCOPE_RESOURCE)
            part = model_resource(ledger, bucket->key.part);
        if (slice_is(part, cell->part))
            return bucket->quanta == cell->quanta;
    }
    return false;
}

static inline const char *model_compare_buckets(const struct model *model,
                                                const struct ledger *ledger)
{
    static struct model_sums sums;
    uint32_t filled = 0, in_model = 0;
    model_sum(model, &sums);
    for (uint32_t i = 0; i < ledger->buckets.count; i++) {
        filled += ledger->buckets.items[i].quanta != 0;
        if (ledger->buckets.items[i].quanta != 0 &&
            !model_has(&sums, ledger, &ledger->buckets.items[i]))
            return "a bucket holds something else";
    }
    for (uint32_t i = 0; i < sums.count; i++)
        in_model += sums.cells[i].quanta != 0;
    return filled == in_model ? NULL : "a bucket is missing";
}

static inline const char *model_compare_coverage(const struct model *model,
                                                 const struct ledger *ledger, uint32_t series,
                                                 uint32_t number)
{
    struct coverage all, *coverage = &all;
    uint64_t windows = 0, expected = 0;
    if (windows_all(&ledger->series, number, coverage, NULL) != STATUS_OK)
        return "coverage cannot be read";
    coverage_check(coverage);
    for (uint32_t i = 0; i < coverage->count; i++)
        windows += coverage_runs(coverage)[i].count;
    for (uint32_t i = 0; i < model->accepted_count; i++) {
        const struct model_record *record = &model->accepted[i];
        if (record->series != series || record->id)
            continue;
        expected++;
        if (coverage_classify(coverage, (struct instant){record->start},
                              (struct instant){record->end},
                              (struct quantity){record->quanta}) != COVERAGE_DUPLICATE)
            return "a window is not covered";
        enum coverage_answer answer;
        if (windows_classify(&ledger->series, number, (uint32_t)record->start,
                             (uint32_t)(record->end - record->start),
                             windows_code((struct quantity){record->quanta}), &answer,
                             NULL) != STATUS_OK ||
            answer != COVERAGE_DUPLICATE)
            return "a window is no duplicate";
    }
    coverage_fini(coverage);
    return windows == expected ? NULL : "more windows are covered than came";
}

/* NULL, or what is different. Coverage is looked at where the ledger has it. */
static inline const char *model_compare(const struct model *model, const struct ledger *ledger,
                                        uint64_t seed)
{
    struct packer packer;
    const char *different = NULL;
    uint32_t defined = 0, ids = 0;
    pack_init(&packer);
    for (uint32_t i = 0; i < MODEL_SERIES && !different; i++) {
        struct usage usage;
        words_usage(&model_series[i], seed, &packer, &usage);
        uint32_t number = series_find(&ledger->series, usage.series_hash);
        defined += model->seen[i];
        if ((number != INDEX_NONE) != model->seen[i])
            different = "a series is missing or too many";
        else if (number != INDEX_NONE && ledger->options.mode != LEDGER_READ)
            different = model_compare_coverage(model, ledger, i, number);
    }
    pack_fini(&packer);
    for (uint32_t i = 0; i < model->accepted_count; i++)
        ids += model->accepted[i].id != 0;
    if (!different && ledger->series.count != defined)
        different = "the number of series";
    if (!different && ledger->event_count != model->accepted_count)
        different = "the number of events";
    if (!different && ids_count(&ledger->ids) != ids)
        different = "the number of ids";
    if (!different && ledger->conflict_count != model->conflict_count)
        different = "the number of conflicts";
    for (uint32_t i = 0; i < model->conflict_count && !different; i++) {
        const struct conflict *conflict = &ledger->conflicts[i].conflict;
        const struct model_record *record = &model->conflicts[i];
        char id[16];
        snprintf(id, sizeof(id), "id-%u", record->id);
        struct hash128 hash = record->id ? hash128(slice_string(id), seed) : (struct hash128){0, 0};
        if (!hash128_equal(conflict->id, hash) || conflict->event.start != record->start ||
            conflict->event.length != (record->id ? 0 : record->end - record->start) ||
            event_quantity(&conflict->event).quanta != record->quanta)
            different = "a conflict";
    }
    return different ? different : model_compare_buckets(model, ledger);
}

/* ---- random usage
 * ----------------------------------------------------------------------------------------------------
 */

/* New, or one that came before: the same, with another quantity, or shifted. */
static inline struct model_record model_random(const struct model *model, struct seeded *seeded)
{
    static const int64_t lengths[] = {3600, 3600, 3600, 86400, 86400, 7 * 86400, 40 * 86400, 1, 61};
    if (model->accepted_count && seeded_below(seeded, 4) == 0) {
        struct model_record again = model->accepted[seeded_below(seeded, model->accepted_count)];
        uint64_t how = seeded_below(seeded, 4);
        if (how == 1)
            again.quanta++;
        else if (how == 2 && !again.id)
            again.end++;
        else if (how == 3 && again.id)
            again.start = again.end = again.start + 1;
        return again;
    }
    struct model_record record = {.series = (uint32_t)seeded_below(seeded, MODEL_SERIES)};
    bool moment =
        seeded_below(seeded, 5) == 0 && strcmp(model_series[record.series].meter, "bucket") != 0;
    int64_t first = 1789000000, span = 60 * 86400; /* from 10 September to 9 November */
    if (moment) {
        record.id = 1 + (uint32_t)seeded_below(seeded, MODEL_IDS);
        record.start = record.end = first + (int64_t)seeded_below(seeded, (uint64_t)span);
    } else {
        int64_t length = lengths[seeded_below(seeded, sizeof(lengths) / sizeof(lengths[0]))];
        uint64_t where = seeded_below(seeded, 4);
        /* On a grid, so that runs form; or anywhere; or close to where prices and months change. */
        record.start = first - first % length +
                       length * (int64_t)seeded_below(seeded, (uint64_t)(span / length) + 1);
        if (where == 0)
            record.start = first + (int64_t)seeded_below(seeded, (uint64_t)span);
        else if (where == 1)
            record.start =
                (seeded_below(seeded, 2)
                     ? MODEL_VERSION_1
                     : model_payers[seeded_below(seeded, 3)].months[1 + seeded_below(seeded, 2)]) -
                (int64_t)seeded_below(seeded, (uint64_t)length + 2);
        if (record.start < model_payers[0].months[0])
            record.start += length;
        record.end = record.start + length;
    }
    record.quanta =
        seeded_below(seeded, 2)
            ? 24000000
            : (int128)seeded_below(seeded, seeded_below(seeded, 2) ? 4 : 1000000000000000);
    return record;
}

static inline struct record_words model_words(const struct model_record *record, char id[16])
{
    struct record_words words = model_series[record->series];
    snprintf(id, 16, "id-%u", record->id);
    words.start = record->start;
    words.end = record->end;
    words.quanta = record->quanta;
    words.id = record->id ? id : NULL;
    return words;
}

static inline enum outcome model_feed(struct stage *stage, const struct model_record *record)
{
    char id[16];
    struct record_words words = model_words(record, id);
    return stage_apply(stage, &words);
}

static inline void model_documents(struct fixture *fixture, const char *prices)
{
    fixture_init(fixture);
    fixture_load(fixture, "accounts", slice_of(model_accounts + 4, sizeof(model_accounts) - 5));
    fixture_load(fixture, "prices", slice_string(prices + 4));
    fixture_compiled(fixture);
}

#endif
