/* Entries to the rate snapshot: everything but rate cards, which are in compile_cards.c.
 *
 * A million accounts are compiled at every load and start, so this path has no per-account
 * allocation but for lists, no sorting where the book's order does, and remembers the last
 * catalogue and zone. */
#include "ratecards/compile.h"

#include <assert.h>
#include <stdlib.h>

void digest_take(struct compiler *compiler)
{
    compiler->digest = hash64(pack_done(&compiler->packer), compiler->digest);
    pack_reset(&compiler->packer);
}

void damaged_problem(struct compiler *compiler, enum entry_table table)
{
    problems_add(compiler->problems, SLICE("book"), 0, 0,
                 "a stored %s is damaged: run ratel verify", entry_table_name(table));
}

/* --- gathering: lists to one sorted table each --- */

/* Equal keys stay in the list's order: the pointers are into one array. */
static int entry_compare(const void *a_pointer, const void *b_pointer)
{
    const struct entry *a = *(const struct entry *const *)a_pointer,
                       *b = *(const struct entry *const *)b_pointer;
    int order = slice_compare(a->key, b->key);
    return order ? order : (a > b) - (a < b);
}

/* One table's entries of a list, sorted, the last of each key. */
static struct entry_refs list_table(struct compiler *compiler, const struct entry_list *list,
                                    enum entry_table table)
{
    struct entry_refs refs = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++)
        count += list->items[i].table == table;
    refs.items = arena_alloc(&compiler->scratch, ((size_t)count + 1) * sizeof(struct entry *));
    bool sorted = true;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].table != table)
            continue;
        refs.items[refs.count] = &list->items[i];
        sorted = sorted && (refs.count == 0 ||
                            slice_compare(refs.items[refs.count - 1]->key, list->items[i].key) < 0);
        refs.count++;
    }
    if (sorted)
        return refs;
    qsort(refs.items, refs.count, sizeof(struct entry *), entry_compare);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < refs.count; i++) {
        if (i + 1 == refs.count || !slice_equal(refs.items[i]->key, refs.items[i + 1]->key))
            refs.items[kept++] = refs.items[i];
    }
    refs.count = kept;
    return refs;
}

/* Both sorted; of equal keys the later list's counts. */
static struct entry_refs refs_merge(struct compiler *compiler, struct entry_refs a,
                                    struct entry_refs b)
{
    if (a.count == 0)
        return b;
    if (b.count == 0)
        return a;
    struct entry_refs merged = {0};
    merged.items =
        arena_alloc(&compiler->scratch, ((size_t)a.count + b.count) * sizeof(struct entry *));
    uint32_t i = 0, j = 0;
    while (i < a.count || j < b.count) {
        int order = i == a.count   ? 1
                    : j == b.count ? -1
                                   : slice_compare(a.items[i]->key, b.items[j]->key);
        if (order < 0)
            merged.items[merged.count++] = a.items[i++];
        else
            merged.items[merged.count++] = b.items[j++];
        if (order == 0)
            i++;
    }
    return merged;
}

static void entries_gather(struct compiler *compiler, const struct entry_list *const *lists,
                           uint32_t list_count)
{
    for (int table = 0; table < ENTRY_TABLE_COUNT; table++) {
        for (uint32_t i = 0; i < list_count; i++) {
            struct entry_refs refs = list_table(compiler, lists[i], (enum entry_table)table);
            compiler->tables[table] = refs_merge(compiler, compiler->tables[table], refs);
        }
    }
}

/* Copies of a table's keys and values in one block of the snapshot: what is unpacked from them
 * points into it. */
struct table_copy {
    char *at;
};

static void table_copy_init(struct compiler *compiler, const struct entry_refs *refs,
                            struct table_copy *copy)
{
    size_t bytes = 1;
    for (uint32_t i = 0; i < refs->count; i++)
        bytes += refs->items[i]->key.length + refs->items[i]->value.length;
    copy->at = arena_alloc(compiler->arena, bytes);
}

static struct slice table_copy_take(struct table_copy *copy, struct slice bytes)
{
    struct slice taken = {copy->at, bytes.length};
    if (bytes.length)
        memcpy(copy->at, bytes.data, bytes.length);
    copy->at += bytes.length;
    return taken;
}

/* --- meters --- */

static void compile_meters(struct compiler *compiler)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_METER];
    struct meter *meters =
        arena_alloc(&compiler->scratch, ((size_t)refs->count + 1) * sizeof *meters);
    struct slice *names =
        arena_alloc(&compiler->scratch, ((size_t)refs->count + 1) * sizeof *names);
    for (uint32_t i = 0; i < refs->count; i++) {
        struct meter_item item;
        if (!meter_unpack(refs->items[i]->key, refs->items[i]->value, &item)) {
            damaged_problem(compiler, ENTRY_METER);
            continue;
        }
        uint8_t dimensions = slice_is(item.base, "hour")   ? DIMENSION_TIME
                             : slice_is(item.base, "byte") ? DIMENSION_BYTES
                                                           : 0;
        names[compiler->declared_count] = item.name;
        meters[compiler->declared_count++] =
            (struct meter){.name = arena_string(&compiler->scratch, item.name),
                           .base = arena_string(&compiler->scratch, item.base),
                           .dimensions = dimensions};
        pack_slice(&compiler->packer, item.name);
        pack_slice(&compiler->packer, item.base);
        digest_take(compiler);
    }
    compiler->declared = meters;
    compiler->declared_names = names;
}

/* --- catalogues --- */

static void compile_catalogues(struct compiler *compiler)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_CATALOGUE];
    struct snapshot *snapshot = compiler->snapshot;
    struct catalogue *catalogues =
        arena_alloc(compiler->arena, ((size_t)refs->count + 1) * sizeof *catalogues);
    for (uint32_t i = 0; i < refs->count; i++) {
        struct catalogue_item item;
        if (!catalogue_unpack(refs->items[i]->key, refs->items[i]->value, &item)) {
            damaged_problem(compiler, ENTRY_CATALOGUE);
            continue;
        }
        catalogues[snapshot->catalogue_count++] = (struct catalogue){
            .name = arena_copy(compiler->arena, item.name),
            .card = arena_copy(compiler->arena, item.ratecard),
            .family = snapshot_family(snapshot, item.ratecard),
            .currency = item.currency,
        };
        pack_slice(&compiler->packer, item.name);
        pack_slice(&compiler->packer, item.ratecard);
        pack_u32(&compiler->packer, item.currency.code);
        digest_take(compiler);
    }
    snapshot->catalogues = catalogues;
}

static uint32_t catalogue_find(const struct snapshot *snapshot, struct slice name)
{
    uint32_t low = 0, high = snapshot->catalogue_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(snapshot->catalogues[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return INDEX_NONE;
}

/* --- accounts --- */

struct place {
    struct slice file;
    uint32_t line, column;
};

/* Where an account stands in what is being loaded; what was loaded before has no place. For
 * messages only. */
static struct place account_place(const struct compiler *compiler, struct slice id)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_ACCOUNT];
    struct place place = {.file = SLICE("book")};
    uint32_t low = 0, high = refs->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(refs->items[middle]->key, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct entry *entry = low < refs->count ? refs->items[low] : NULL;
    if (entry && entry->document && slice_equal(entry->key, id)) {
        place.file = entry->document->file;
        item_place(entry->document, entry->index, &place.line, &place.column);
    }
    return place;
}

static void account_compile(struct compiler *compiler, const struct account_item *item,
                            uint32_t catalogue, struct account *account)
{
    const struct zone *zone = NULL;
    if (zone_set_find(&compiler->zones, item->timezone, &zone) != STATUS_OK) {
        struct place place = account_place(compiler, item->id);
        problems_add(compiler->problems, place.file, place.line, place.column,
                     "account %.*s: no time zone `%.*s` on this system: install tzdata",
                     (int)item->id.length, item->id.data, (int)item->timezone.length,
                     item->timezone.data);
    }
    *account = (struct account){
        .id = item->id,
        .name = item->name,
        .currency = item->currency,
        .catalogue = catalogue,
        .catalogue_name = item->catalogue,
        .billing = item->billing,
        .zone = zone,
        .terms_days = item->terms_days,
        .emails = item->emails,
        .email_count = item->email_count,
        .projects = item->projects,
        .project_count = item->project_count,
        .tax_country = item->tax_country,
        .tax_id = item->tax_id,
        .tax_class = item->tax_class,
    };
    pack_slice(&compiler->packer, item->id);
    pack_slice(&compiler->packer, item->catalogue);
    pack_u32(&compiler->packer, item->currency.code);
    pack_slice(&compiler->packer, item->timezone);
    pack_varint(&compiler->packer, item->project_count);
    for (uint32_t i = 0; i < item->project_count; i++)
        pack_slice(&compiler->packer, item->projects[i]);
    digest_take(compiler);
}

static void compile_accounts(struct compiler *compiler)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_ACCOUNT];
    struct snapshot *snapshot = compiler->snapshot;
    struct account *accounts =
        arena_alloc(compiler->arena, ((size_t)refs->count + 1) * sizeof *accounts);
    struct table_copy copy;
    struct slice catalogue_name = {0};
    uint32_t catalogue = INDEX_NONE;
    table_copy_init(compiler, refs, &copy);
    for (uint32_t i = 0; i < refs->count; i++) {
        struct account_item item;
        struct slice key = table_copy_take(&copy, refs->items[i]->key);
        struct slice value = table_copy_take(&copy, refs->items[i]->value);
        if (!account_unpack(compiler->arena, key, value, &item)) {
            damaged_problem(compiler, ENTRY_ACCOUNT);
            continue;
        }
        if (i == 0 || !slice_equal(item.catalogue, catalogue_name)) {
            catalogue_name = item.catalogue;
            catalogue = catalogue_find(snapshot, catalogue_name);
        }
        account_compile(compiler, &item, catalogue, &accounts[snapshot->account_count++]);
    }
    snapshot->accounts = accounts;
}

/* --- payers: account ids and project ids in one sorted table --- */

static int payer_compare(const void *a_pointer, const void *b_pointer)
{
    const struct payer_entry *a = a_pointer, *b = b_pointer;
    int order = slice_compare(a->id, b->id);
    return order ? order : (a->account > b->account) - (a->account < b->account);
}

static void payer_add(struct compiler *compiler, struct payer_entry *payers,
                      struct payer_entry payer)
{
    struct snapshot *snapshot = compiler->snapshot;
    uint32_t count = snapshot->payer_count;
    if (count == 0 || !slice_equal(payers[count - 1].id, payer.id)) {
        payers[snapshot->payer_count++] = payer;
        return;
    }
    if (payers[count - 1].account == payer.account)
        return;
    struct slice first = snapshot->accounts[payers[count - 1].account].id,
                 second = snapshot->accounts[payer.account].id;
    struct place place = account_place(compiler, second);
    if (place.line == 0)
        place = account_place(compiler, first);
    problems_add(
        compiler->problems, place.file, place.line, place.column,
        "`%.*s` has two payers, the accounts %.*s and %.*s: take it out of one's `projects`",
        (int)payer.id.length, payer.id.data, (int)first.length, first.data, (int)second.length,
        second.data);
}

static void compile_payers(struct compiler *compiler)
{
    struct snapshot *snapshot = compiler->snapshot;
    uint32_t project_count = 0, at = 0;
    for (uint32_t i = 0; i < snapshot->account_count; i++)
        project_count += snapshot->accounts[i].project_count;
    struct payer_entry *projects =
        arena_alloc(&compiler->scratch, ((size_t)project_count + 1) * sizeof *projects);
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        for (uint32_t j = 0; j < snapshot->accounts[i].project_count; j++)
            projects[at++] = (struct payer_entry){snapshot->accounts[i].projects[j], i};
    }
    if (project_count > 1)
        qsort(projects, project_count, sizeof *projects, payer_compare);
    struct payer_entry *payers = arena_alloc(
        compiler->arena, ((size_t)snapshot->account_count + project_count + 1) * sizeof *payers);
    uint32_t account = 0, project = 0;
    while (account < snapshot->account_count || project < project_count) {
        struct payer_entry own = {0};
        if (account < snapshot->account_count)
            own = (struct payer_entry){snapshot->accounts[account].id, account};
        bool own_first = project == project_count || (account < snapshot->account_count &&
                                                      payer_compare(&own, &projects[project]) <= 0);
        payer_add(compiler, payers, own_first ? own : projects[project]);
        account += own_first;
        project += !own_first;
    }
    snapshot->payers = payers;
}

/* --- exchange rates, taxes, budgets: of no effect on rating, so not in the digest --- */

static void compile_fx(struct compiler *compiler)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_FX];
    struct snapshot *snapshot = compiler->snapshot;
    struct fx_rate *rates = arena_alloc(compiler->arena, ((size_t)refs->count + 1) * sizeof *rates);
    struct slice source = {0};
    for (uint32_t i = 0; i < refs->count; i++) {
        struct fx_item item;
        if (!fx_unpack(refs->items[i]->key, refs->items[i]->value, &item)) {
            damaged_problem(compiler, ENTRY_FX);
            continue;
        }
        if (!slice_equal(source, item.source)) /* thousands of rates share one */
            source = arena_copy(compiler->arena, item.source);
        rates[snapshot->rate_count++] = (struct fx_rate){.base = item.base,
                                                         .quote = item.quote,
                                                         .day = item.day,
                                                         .rate_pico = item.rate_pico,
                                                         .source = source};
    }
    snapshot->rates = rates;
}

static void compile_taxes(struct compiler *compiler)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_TAX];
    struct snapshot *snapshot = compiler->snapshot;
    struct tax_rule *taxes =
        arena_alloc(compiler->arena, ((size_t)refs->count + 1) * sizeof *taxes);
    for (uint32_t i = 0; i < refs->count; i++) {
        struct tax_item item;
        if (!tax_unpack(refs->items[i]->key, refs->items[i]->value, &item)) {
            damaged_problem(compiler, ENTRY_TAX);
            continue;
        }
        taxes[snapshot->tax_count++] = (struct tax_rule){
            .country = arena_copy(compiler->arena, item.country),
            .tax_class = arena_copy(compiler->arena, item.tax_class),
            .rate_pico = item.rate_pico,
            .category = arena_copy(compiler->arena, item.category),
            .day_from = item.day_from,
            .day_to = item.day_to,
        };
    }
    snapshot->taxes = taxes;
}

static int budget_compare(const void *a_pointer, const void *b_pointer)
{
    const struct budget *a = a_pointer, *b = b_pointer;
    int order = (a->account_index > b->account_index) - (a->account_index < b->account_index);
    if (order == 0)
        order = slice_compare(a->account, b->account);
    return order ? order : slice_compare(a->id, b->id);
}

static void budget_compile(const struct snapshot *snapshot, const struct budget_item *item,
                           struct budget *budget)
{
    *budget = (struct budget){
        .id = item->id,
        .account = item->account,
        .account_index = snapshot_account(snapshot, item->account),
        .amount = item->amount,
        .currency = item->currency,
        .threshold_count = item->threshold_count,
        .emails = item->emails,
        .email_count = item->email_count,
    };
    memcpy(budget->thresholds, item->thresholds, sizeof budget->thresholds);
    if (budget->currency.code == 0 && budget->account_index != INDEX_NONE)
        budget->currency = snapshot->accounts[budget->account_index].currency;
}

static void compile_budgets(struct compiler *compiler)
{
    const struct entry_refs *refs = &compiler->tables[ENTRY_BUDGET];
    struct snapshot *snapshot = compiler->snapshot;
    struct budget *budgets =
        arena_alloc(compiler->arena, ((size_t)refs->count + 1) * sizeof *budgets);
    struct table_copy copy;
    table_copy_init(compiler, refs, &copy);
    for (uint32_t i = 0; i < refs->count; i++) {
        struct budget_item item;
        struct slice key = table_copy_take(&copy, refs->items[i]->key);
        struct slice value = table_copy_take(&copy, refs->items[i]->value);
        if (!budget_unpack(compiler->arena, key, value, &item)) {
            damaged_problem(compiler, ENTRY_BUDGET);
            continue;
        }
        budget_compile(snapshot, &item, &budgets[snapshot->budget_count++]);
    }
    if (snapshot->budget_count > 1)
        qsort(budgets, snapshot->budget_count, sizeof *budgets, budget_compare);
    snapshot->budgets = budgets;
}

/* --- all of it --- */

/* From here on the snapshot frees the zones. */
static void zones_hand_over(struct compiler *compiler)
{
    struct zone_set *set = &compiler->zones;
    struct zone **zones =
        arena_alloc(compiler->arena, ((size_t)set->count + 1) * sizeof(struct zone *));
    if (set->count)
        memcpy(zones, set->items, set->count * sizeof(struct zone *));
    compiler->snapshot->zones = zones;
    compiler->snapshot->zone_count = set->count;
    free(set->items);
    *set = (struct zone_set){0};
}

enum status snapshot_compile(const struct entry_list *const *lists, uint32_t list_count,
                             struct problems *problems, struct snapshot **ret)
{
    assert((lists || list_count == 0) && problems && ret);
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot)
        return STATUS_NO_MEMORY;
    arena_init(&snapshot->arena);
    struct compiler compiler = {
        .snapshot = snapshot, .arena = &snapshot->arena, .problems = problems};
    uint32_t before = problems->count + problems->dropped;
    arena_init(&compiler.scratch);
    pack_init(&compiler.packer);

    entries_gather(&compiler, lists, list_count);
    compile_meters(&compiler);
    compile_cards(&compiler);
    compile_catalogues(&compiler);
    compile_accounts(&compiler);
    compile_payers(&compiler);
    compile_fx(&compiler);
    compile_taxes(&compiler);
    compile_budgets(&compiler);
    snapshot->pricing_digest = compiler.digest;

    enum status status = compiler.packer.failed ? STATUS_NO_MEMORY : STATUS_OK;
    if (status == STATUS_OK && problems->count + problems->dropped != before)
        status = STATUS_INVALID;
    zones_hand_over(&compiler);
    pack_fini(&compiler.packer);
    arena_fini(&compiler.scratch);
    if (status != STATUS_OK) {
        snapshot_free(snapshot);
        return status;
    }
    snapshot_index_build(snapshot);
    *ret = snapshot;
    return STATUS_OK;
}
