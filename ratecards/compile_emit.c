/* Versions, charges, rows and plans into the snapshot's arrays, with the signatures that carry tier
 * positions on and the digest of all that rates. */
#include "ratecards/compile.h"

#include <assert.h>

/* What the tier position of a row's usage is kept under from version to version. */
struct signature {
    uint32_t id;
    const struct card *card; /* the document that the charge was last seen in */
};

struct emitter {
    struct cards *cards;
    struct compiler *compiler;
    struct plan *plans;
    struct charge *charges;
    struct version *versions;
    uint32_t *version_charges; /* the indexes that versions point at */
    uint32_t version_charge_count;
    struct key_map keys; /* of the family: row identity -> index in signatures */
    struct signature *signatures;
    uint32_t signature_count, signature_capacity;
    uint32_t signature_next;
};

static uint32_t row_plan_count(const struct row_prices *prices, struct currency currency)
{
    for (uint32_t i = 0; i < prices->count; i++) {
        if (currency_equal(prices->currencies[i], currency))
            return prices->count;
    }
    return prices->count + 1; /* a row that is free in every currency */
}

static void signature_add(struct emitter *emitter, struct slice key, const struct card *card)
{
    if (emitter->signature_count == emitter->signature_capacity) {
        uint32_t capacity = emitter->signature_capacity ? emitter->signature_capacity * 2 : 64;
        struct signature *signatures =
            arena_alloc(&emitter->compiler->scratch, (size_t)capacity * sizeof *signatures);
        if (emitter->signature_count)
            memcpy(signatures, emitter->signatures, emitter->signature_count * sizeof *signatures);
        emitter->signatures = signatures;
        emitter->signature_capacity = capacity;
    }
    emitter->signatures[emitter->signature_count] =
        (struct signature){emitter->signature_next++, card};
    (void)key_map_put(&emitter->keys, 0, key, emitter->signature_count++);
}

/* The row's signature in this version. A charge with `carry: false` starts anew where a new
 * document takes over, not where only a card that it extends changed. */
static uint32_t signature_of(struct emitter *emitter, const struct source *source,
                             const struct card_row *row)
{
    struct packer *packer = &emitter->compiler->packer;
    pack_reset(packer);
    pack_slice(packer, source->charge->code);
    pack_slice(packer, source->charge->meter_name);
    pack_slice(packer, source->charge->times_name);
    pack_u8(packer, (uint8_t)source->charge->scope);
    for (uint32_t i = 0; i < row->where_count; i++) {
        pack_slice(packer, row->where[i].name);
        pack_slice(packer, row->where[i].value);
    }
    uint32_t index = key_map_find(&emitter->keys, 0, pack_done(packer));
    if (index == KEY_NONE) {
        signature_add(emitter, arena_copy(&emitter->compiler->scratch, pack_done(packer)),
                      source->card);
        index = emitter->signature_count - 1;
    }
    struct signature *signature = &emitter->signatures[index];
    if (signature->card != source->card && !source->charge->carry)
        signature->id = emitter->signature_next++;
    signature->card = source->card;
    pack_reset(packer);
    return signature->id;
}

static void emit_plan(struct emitter *emitter, const struct source *source, uint32_t row_index,
                      uint32_t signature, struct currency currency, const struct rate_tier *tiers)
{
    struct snapshot *snapshot = emitter->compiler->snapshot;
    const struct card_row *row = &source->charge->rows[row_index];
    struct plan plan = {
        .version = snapshot->version_count,
        .charge = snapshot->charge_count,
        .row = row_index,
        .signature = signature,
        .currency = currency,
        .tiers = tiers,
        .tier_count = row->tier_count,
        .package_micro = row->package_micro,
    };
    struct rate_terms terms = {.model = source->charge->model,
                               .unit_quanta = QUANTA_PER_UNIT,
                               .package_micro = plan.package_micro,
                               .tiers = tiers,
                               .tier_count = plan.tier_count};
    rate_terms_check(&terms);
    emitter->plans[snapshot->plan_count++] = plan;
}

/* The version's currency first, then the native ones. */
static void emit_row(struct emitter *emitter, const struct source *source, uint32_t row_index,
                     struct currency currency, struct charge_row *ret)
{
    struct snapshot *snapshot = emitter->compiler->snapshot;
    const struct card_row *row = &source->charge->rows[row_index];
    const struct row_prices *prices = &source->rows[row_index];
    uint32_t signature = signature_of(emitter, source, row);
    const struct rate_tier *own = NULL;
    *ret = (struct charge_row){.where = row->where,
                               .where_count = row->where_count,
                               .plan_first = snapshot->plan_count,
                               .line = row->line,
                               .column = row->column};
    for (uint32_t i = 0; i < prices->count && !own; i++) {
        if (currency_equal(prices->currencies[i], currency))
            own = prices->tiers[i];
    }
    if (!own)
        own = row_tiers_in(emitter->compiler->arena, row, currency);
    emit_plan(emitter, source, row_index, signature, currency, own);
    for (uint32_t i = 0; i < prices->count; i++) {
        if (!currency_equal(prices->currencies[i], currency))
            emit_plan(emitter, source, row_index, signature, prices->currencies[i],
                      prices->tiers[i]);
    }
    ret->plan_count = snapshot->plan_count - ret->plan_first;
}

static struct money_choice choice_make(struct compiler *compiler, const struct amount *amount,
                                       struct currency currency)
{
    struct money_choice choice = {0};
    if (!amount->present)
        return choice;
    struct currency *currencies =
        arena_alloc(compiler->arena, ((size_t)amount->count + 1) * sizeof *currencies);
    struct money *amounts =
        arena_alloc(compiler->arena, ((size_t)amount->count + 1) * sizeof *amounts);
    bool given = amount_in(amount, currency, &amounts[0]);
    assert(given);
    currencies[0] = currency;
    choice.count = 1;
    for (uint32_t i = 0; i < amount->count; i++) {
        if (currency_equal(amount->currencies[i], currency))
            continue;
        currencies[choice.count] = amount->currencies[i];
        amounts[choice.count++] = amount->values[i];
    }
    choice.currencies = currencies;
    choice.amounts = amounts;
    return choice;
}

static void digest_amounts(struct packer *packer, const struct money_choice *choice)
{
    pack_varint(packer, choice->count);
    for (uint32_t i = 0; i < choice->count; i++) {
        pack_u32(packer, choice->currencies[i].code);
        pack_i128(packer, choice->amounts[i].pico);
    }
}

static void digest_row(struct packer *packer, const struct snapshot *snapshot,
                       const struct plan *plans, const struct charge_row *row)
{
    pack_varint(packer, row->where_count);
    for (uint32_t i = 0; i < row->where_count; i++) {
        pack_slice(packer, row->where[i].name);
        pack_slice(packer, row->where[i].value);
    }
    assert(row->plan_first + row->plan_count == snapshot->plan_count);
    for (uint32_t i = row->plan_first; i < snapshot->plan_count; i++) {
        const struct plan *plan = &plans[i];
        pack_u32(packer, plan->signature);
        pack_u32(packer, plan->currency.code);
        pack_i128(packer, plan->package_micro);
        pack_varint(packer, plan->tier_count);
        for (uint32_t j = 0; j < plan->tier_count; j++) {
            pack_i128(packer, plan->tiers[j].up_to_micro);
            pack_i128(packer, plan->tiers[j].price.pico);
            pack_i128(packer, plan->tiers[j].flat.pico);
        }
    }
}

static void digest_charge(struct packer *packer, const struct charge *charge)
{
    pack_slice(packer, charge->code);
    pack_slice(packer, charge->meter_name);
    pack_u8(packer, (uint8_t)charge->model);
    pack_slice(packer, slice_string(charge->unit.text));
    pack_slice(packer, charge->times_name);
    pack_u8(packer, (uint8_t)charge->scope);
    pack_u8(packer, charge->carry);
    pack_i128(packer, charge->included_micro);
    digest_amounts(packer, &charge->minimum);
    digest_amounts(packer, &charge->maximum);
    pack_varint(packer, charge->row_count);
}

static void emit_charge(struct emitter *emitter, const struct merged *merged,
                        const struct source *source, bool goes_on)
{
    struct compiler *compiler = emitter->compiler;
    struct snapshot *snapshot = compiler->snapshot;
    const struct card_charge *from = source->charge;
    struct charge_row *rows = arena_alloc(compiler->arena, from->row_count * sizeof *rows);
    struct charge *charge = &emitter->charges[snapshot->charge_count];
    *charge = (struct charge){
        .code = from->code,
        .description = from->description,
        .meter_name = from->meter_name,
        .meter = from->meter,
        .model = from->model,
        .unit = from->unit,
        .times_name = from->times_name,
        .times = from->times,
        .scope = from->scope,
        .carry = from->carry || goes_on,
        .included_micro = from->included_micro,
        .minimum = choice_make(compiler, &from->minimum, merged->card->currency),
        .maximum = choice_make(compiler, &from->maximum, merged->card->currency),
        .tax_class = from->tax_class,
        .file = source->card->file,
        .card = source->card->name,
        .effective_from = source->card->effective_from,
        .revision = source->card->revision,
        .rows = rows,
        .row_count = from->row_count,
        .line = from->line,
        .version = snapshot->version_count,
    };
    digest_charge(&compiler->packer, charge);
    digest_take(compiler);
    for (uint32_t i = 0; i < from->row_count; i++) {
        emit_row(emitter, source, i, merged->card->currency, &rows[i]);
        digest_row(&compiler->packer, snapshot, emitter->plans, &rows[i]);
        digest_take(compiler);
    }
    snapshot->charge_count++;
}

static bool has_source(const struct merged *merged, const struct source *source)
{
    for (uint32_t i = 0; merged && i < merged->count; i++) {
        if (merged->sources[i] == source)
            return true;
    }
    return false;
}

/* A usage that every one of these charges matches would have more buckets than rating keeps.
 * Charges with a `where` in every row are left out: whether one usage matches them all cannot be
 * said here. */
static void plans_limit_check(struct compiler *compiler, const struct merged *merged)
{
    uint32_t always = 0;
    for (uint32_t i = 0; i < merged->count; i++) {
        const struct card_charge *charge = merged->sources[i]->charge;
        if (i > 0 && !slice_equal(charge->meter_name, merged->sources[i - 1]->charge->meter_name))
            always = 0;
        bool matches_all = false;
        for (uint32_t j = 0; j < charge->row_count; j++)
            matches_all = matches_all || charge->rows[j].where_count == 0;
        always += matches_all;
        if (matches_all && always == RESOLVE_PLANS_MAX + 1)
            problems_add(
                compiler->problems, merged->sources[i]->card->file, charge->line, charge->column,
                "more than %d charges for all usage of the meter `%.*s`: put conditions (`where`) "
                "on some",
                RESOLVE_PLANS_MAX, (int)charge->meter_name.length, charge->meter_name.data);
    }
}

static void emit_version(struct emitter *emitter, const struct merged *merged,
                         const struct merged *before)
{
    struct compiler *compiler = emitter->compiler;
    struct snapshot *snapshot = compiler->snapshot;
    struct version *version = &emitter->versions[snapshot->version_count];
    const struct zone *zone = NULL;
    if (zone_set_find(&compiler->zones, merged->timezone, &zone) != STATUS_OK)
        problems_add(compiler->problems, merged->card->file, merged->card->line,
                     merged->card->column, "no time zone `%.*s` on this system: install tzdata",
                     (int)merged->timezone.length, merged->timezone.data);
    *version = (struct version){
        .card = merged->card->name,
        .file = merged->card->file,
        .effective_from = merged->card->effective_from,
        .from = merged->from,
        .to = merged->to,
        .currency = merged->card->currency,
        .zone = zone,
        .month = merged->month,
        .rounding = merged->rounding,
        .revision = merged->card->revision,
        .charges = &emitter->version_charges[emitter->version_charge_count],
        .charge_count = merged->count,
    };
    pack_slice(&compiler->packer, version->card);
    pack_u64(&compiler->packer, (uint64_t)version->from.seconds);
    pack_u64(&compiler->packer, (uint64_t)version->to.seconds);
    pack_u32(&compiler->packer, version->currency.code);
    pack_slice(&compiler->packer, merged->timezone);
    pack_u32(&compiler->packer, (uint32_t)version->month);
    pack_u8(&compiler->packer, (uint8_t)version->rounding);
    pack_varint(&compiler->packer, version->charge_count);
    digest_take(compiler);
    plans_limit_check(compiler, merged);
    for (uint32_t i = 0; i < merged->count; i++) {
        emitter->version_charges[emitter->version_charge_count++] = snapshot->charge_count;
        emit_charge(emitter, merged, merged->sources[i], has_source(before, merged->sources[i]));
    }
    snapshot->version_count++;
}

static void emitter_size(struct emitter *emitter)
{
    size_t versions = 0, charges = 0, plans = 0;
    for (uint32_t f = 0; f < emitter->cards->family_count; f++) {
        const struct family *family = &emitter->cards->families[f];
        versions += family->version_count;
        for (uint32_t v = 0; v < family->version_count; v++) {
            const struct merged *merged = &family->versions[v];
            charges += merged->count;
            for (uint32_t i = 0; i < merged->count; i++) {
                const struct source *source = merged->sources[i];
                for (uint32_t row = 0; row < source->charge->row_count; row++)
                    plans += row_plan_count(&source->rows[row], merged->card->currency);
            }
        }
    }
    assert(plans < UINT32_MAX);
    struct arena *arena = emitter->compiler->arena;
    emitter->plans = arena_alloc(arena, (plans + 1) * sizeof *emitter->plans);
    emitter->charges = arena_alloc(arena, (charges + 1) * sizeof *emitter->charges);
    emitter->versions = arena_alloc(arena, (versions + 1) * sizeof *emitter->versions);
    emitter->version_charges = arena_alloc(arena, (charges + 1) * sizeof *emitter->version_charges);
}

void emit_families(struct cards *cards)
{
    struct emitter emitter = {.cards = cards, .compiler = cards->compiler};
    struct snapshot *snapshot = cards->compiler->snapshot;
    emitter_size(&emitter);
    struct card_family *families =
        arena_alloc(cards->compiler->arena, ((size_t)cards->family_count + 1) * sizeof *families);
    for (uint32_t f = 0; f < cards->family_count; f++) {
        const struct family *family = &cards->families[f];
        key_map_init(&emitter.keys, &cards->compiler->scratch, 64);
        families[f] =
            (struct card_family){family->name, snapshot->version_count, family->version_count};
        for (uint32_t v = 0; v < family->version_count; v++)
            emit_version(&emitter, &family->versions[v], v ? &family->versions[v - 1] : NULL);
    }
    snapshot->plans = emitter.plans;
    snapshot->charges = emitter.charges;
    snapshot->versions = emitter.versions;
    snapshot->families = families;
    snapshot->family_count = cards->family_count;
}
