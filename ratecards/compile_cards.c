/* Rate cards to families, and families to versions in time.
 *
 * Cards are read again from their text, so that lines stay true. A card that extends another one
 * has a version for every stretch of time in which both stay the same: the boundaries of the two
 * families together. Versions repeat the charges that they take over; what is read from the text
 * (where terms, tiers) is shared between them. compile_emit.c writes the result into the snapshot.
 */
#include "ratecards/compile.h"

#include <assert.h>
#include <stdlib.h>

#define EXTENDS_DEPTH_MAX 32

/* --- prices of a row, by currency --- */

static bool row_priced_in(const struct card_charge *charge, const struct card_row *row,
                          struct currency currency)
{
    struct money amount;
    bool given = amount_in(&charge->minimum, currency, &amount) &&
                 amount_in(&charge->maximum, currency, &amount);
    for (uint32_t i = 0; i < row->tier_count && given; i++)
        given = amount_in(&row->tiers[i].price, currency, &amount) &&
                amount_in(&row->tiers[i].flat, currency, &amount);
    return given;
}

const struct rate_tier *row_tiers_in(struct arena *arena, const struct card_row *row,
                                     struct currency currency)
{
    struct rate_tier *tiers = arena_alloc(arena, row->tier_count * sizeof *tiers);
    for (uint32_t i = 0; i < row->tier_count; i++) {
        tiers[i].up_to_micro = row->tiers[i].up_to_micro;
        bool given = amount_in(&row->tiers[i].price, currency, &tiers[i].price);
        given = amount_in(&row->tiers[i].flat, currency, &tiers[i].flat) && given;
        assert(given);
    }
    return tiers;
}

static void row_price_add(struct compiler *compiler, const struct source *source,
                          const struct card_row *row, struct row_prices *prices,
                          struct currency currency)
{
    for (uint32_t i = 0; i < prices->count; i++) {
        if (currency_equal(prices->currencies[i], currency))
            return;
    }
    if (prices->count == CHOICES_MAX + 1 || !row_priced_in(source->charge, row, currency))
        return;
    prices->currencies[prices->count] = currency;
    prices->tiers[prices->count++] = row_tiers_in(compiler->arena, row, currency);
}

static void row_prices_make(struct compiler *compiler, const struct source *source,
                            const struct card_row *row, struct row_prices *prices)
{
    struct currency currencies[CHOICES_MAX + 1];
    const struct rate_tier *tiers[CHOICES_MAX + 1];
    prices->currencies = currencies;
    prices->tiers = tiers;
    row_price_add(compiler, source, row, prices, source->card->currency);
    assert(prices->count ==
           1); /* the checks saw to it that the card's own currency is in every amount */
    for (uint32_t i = 0; i < row->tier_count; i++) {
        const struct amount *amounts[] = {&row->tiers[i].price, &row->tiers[i].flat};
        for (uint32_t j = 0; j < 2 * CHOICES_MAX; j++) {
            const struct amount *amount = amounts[j / CHOICES_MAX];
            if (j % CHOICES_MAX < amount->count)
                row_price_add(compiler, source, row, prices, amount->currencies[j % CHOICES_MAX]);
        }
    }
    prices->currencies = arena_alloc(&compiler->scratch, prices->count * sizeof *currencies);
    prices->tiers = arena_alloc(&compiler->scratch, prices->count * sizeof *tiers);
    memcpy(prices->currencies, currencies, prices->count * sizeof *currencies);
    memcpy(prices->tiers, tiers, prices->count * sizeof *tiers);
}

/* --- documents to families --- */

static const struct meter *declared_meter(const struct compiler *compiler, struct slice name)
{
    for (uint32_t i = 0; i < compiler->declared_count; i++) {
        if (slice_equal(compiler->declared_names[i], name))
            return &compiler->declared[i];
    }
    return NULL;
}

static struct source *sources_make(struct compiler *compiler, const struct card *card)
{
    struct source *sources =
        arena_alloc(&compiler->scratch, ((size_t)card->charge_count + 1) * sizeof *sources);
    for (uint32_t i = 0; i < card->charge_count; i++) {
        const struct card_charge *charge = &card->charges[i];
        sources[i].card = card;
        sources[i].charge = charge;
        sources[i].rows =
            arena_alloc(&compiler->scratch, charge->row_count * sizeof *sources[i].rows);
        for (uint32_t j = 0; j < charge->row_count; j++)
            row_prices_make(compiler, &sources[i], &charge->rows[j], &sources[i].rows[j]);
        if (!charge->meter) /* CloudStack's were checked when the document was read */
            charge_unit_check(compiler->problems, card->file, charge,
                              declared_meter(compiler, charge->meter_name));
    }
    return sources;
}

/* Entries are sorted by name, then effective_from, then revision: the last of equal stems is the
 * highest revision. */
static void families_read(struct cards *cards)
{
    struct compiler *compiler = cards->compiler;
    const struct entry_refs *refs = &compiler->tables[ENTRY_CARD];
    cards->families =
        arena_alloc(&compiler->scratch, ((size_t)refs->count + 1) * sizeof *cards->families);
    for (uint32_t i = 0; i < refs->count; i++) {
        const struct entry *entry = refs->items[i];
        if (i + 1 < refs->count &&
            slice_equal(card_key_stem(entry->key), card_key_stem(refs->items[i + 1]->key)))
            continue;
        struct card *card = arena_alloc(&compiler->scratch, sizeof *card);
        uint32_t before = compiler->problems->count + compiler->problems->dropped;
        if (!card_reread(compiler->arena, &compiler->zones, compiler->problems, entry->key,
                         entry->value, card)) {
            if (compiler->problems->count + compiler->problems->dropped == before)
                damaged_problem(compiler, ENTRY_CARD);
            continue;
        }
        struct family *family =
            cards->family_count ? &cards->families[cards->family_count - 1] : NULL;
        if (!family || !slice_equal(family->name, card->name)) {
            family = &cards->families[cards->family_count++];
            family->name = card->name;
            family->cards =
                arena_alloc(&compiler->scratch, ((size_t)refs->count - i) * sizeof(struct card *));
            family->card_sources = arena_alloc(&compiler->scratch,
                                               ((size_t)refs->count - i) * sizeof(struct source *));
        }
        family->cards[family->card_count] = card;
        family->card_sources[family->card_count++] = sources_make(compiler, card);
    }
}

static struct family *family_find(const struct cards *cards, struct slice name)
{
    uint32_t low = 0, high = cards->family_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(cards->families[middle].name, name);
        if (order == 0)
            return &cards->families[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- extends --- */

static struct merged *merged_add(struct compiler *compiler, struct family *family)
{
    if (family->version_count == family->version_capacity) {
        uint32_t capacity = family->version_capacity ? family->version_capacity * 2 : 4;
        struct merged *versions = arena_alloc(&compiler->scratch, capacity * sizeof *versions);
        if (family->version_count)
            memcpy(versions, family->versions, family->version_count * sizeof *versions);
        family->versions = versions;
        family->version_capacity = capacity;
    }
    return &family->versions[family->version_count++];
}

static int source_compare(const void *a_pointer, const void *b_pointer)
{
    const struct source *a = *(const struct source *const *)a_pointer,
                        *b = *(const struct source *const *)b_pointer;
    int order = slice_compare(a->charge->meter_name, b->charge->meter_name);
    return order ? order : slice_compare(a->charge->code, b->charge->code);
}

/* A charge that is taken over must have prices in the currency of the card that takes it over. */
static bool taken_over_check(struct compiler *compiler, const struct card *card,
                             const struct source *source)
{
    for (uint32_t i = 0; i < source->charge->row_count; i++) {
        if (row_priced_in(source->charge, &source->charge->rows[i], card->currency))
            continue;
        char code[4];
        currency_format(card->currency, code);
        problems_add(compiler->problems, card->file, card->extends_line, card->extends_column,
                     "the charge `%.*s` of `%.*s` has no price in %s: use that card's currency, "
                     "give the price in both there, or "
                     "override the charge here",
                     (int)source->charge->code.length, source->charge->code.data,
                     (int)source->card->name.length, source->card->name.data, code);
        return false;
    }
    return true;
}

/* The card `index` of the family in [from, to), over `base` as it is then, or alone. */
static void version_merge(struct compiler *compiler, struct family *family, uint32_t index,
                          const struct merged *base, struct instant from, struct instant to)
{
    const struct card *card = family->cards[index];
    assert(from.seconds < to.seconds);
    struct merged *merged = merged_add(compiler, family);
    *merged = (struct merged){
        .card = card,
        .from = from,
        .to = to,
        .timezone = card->timezone.length ? card->timezone
                    : base                ? base->timezone
                                          : SLICE("UTC"),
        .month = card->month_given || !base ? card->month : base->month,
        .rounding = card->rounding_given || !base ? card->rounding : base->rounding,
    };
    uint32_t base_count = base ? base->count : 0;
    merged->sources =
        arena_alloc(&compiler->scratch,
                    ((size_t)card->charge_count + base_count + 1) * sizeof(struct source *));
    struct key_map own;
    key_map_init(&own, &compiler->scratch, card->charge_count);
    for (uint32_t i = 0; i < card->charge_count; i++) {
        merged->sources[merged->count++] = &family->card_sources[index][i];
        (void)key_map_put(&own, 0, card->charges[i].code, i);
    }
    bool good = true;
    for (uint32_t i = 0; i < base_count; i++) {
        const struct source *source = base->sources[i];
        if (key_map_find(&own, 0, source->charge->code) != KEY_NONE)
            continue;
        good = good && taken_over_check(compiler, card,
                                        source); /* one message per card and stretch says it */
        merged->sources[merged->count++] = source;
    }
    if (merged->count > 1)
        qsort(merged->sources, merged->count, sizeof(struct source *), source_compare);
}

/* The stretches of one card's time, cut where the card that it extends changes. */
static void card_stretches(struct compiler *compiler, struct family *family, uint32_t index,
                           const struct family *base)
{
    struct instant from = family->cards[index]->effective_from;
    struct instant to =
        index + 1 < family->card_count ? family->cards[index + 1]->effective_from : INSTANT_MAX;
    struct instant base_from = base && base->version_count ? base->versions[0].from : to;
    if (from.seconds < base_from.seconds)
        version_merge(compiler, family, index, NULL, from, instant_min(to, base_from));
    for (uint32_t i = 0; base && i < base->version_count; i++) {
        struct instant start = instant_max(from, base->versions[i].from);
        struct instant end = instant_min(to, base->versions[i].to);
        if (start.seconds < end.seconds)
            version_merge(compiler, family, index, &base->versions[i], start, end);
    }
}

static void extends_problem(struct compiler *compiler, const struct card *card, const char *what)
{
    problems_add(compiler->problems, card->file, card->extends_line, card->extends_column,
                 "`%.*s` extends `%.*s`, %s", (int)card->name.length, card->name.data,
                 (int)card->extends.length, card->extends.data, what);
}

static void family_resolve(struct cards *cards, struct family *family, int depth)
{
    if (family->state != FAMILY_NEW)
        return;
    family->state = FAMILY_ACTIVE;
    for (uint32_t i = 0; i < family->card_count; i++) {
        const struct card *card = family->cards[i];
        struct family *base = card->extends.length ? family_find(cards, card->extends) : NULL;
        if (card->extends.length && !base)
            extends_problem(cards->compiler, card,
                            "which is not loaded: load it too, or correct the name");
        if (base && depth == EXTENDS_DEPTH_MAX) {
            extends_problem(cards->compiler, card,
                            "and so on for more than 32 cards: shorten the chain");
            base = NULL;
        }
        if (base)
            family_resolve(cards, base, depth + 1);
        if (base && base->state == FAMILY_ACTIVE) {
            extends_problem(cards->compiler, card, "which extends it in turn: break the circle");
            base = NULL;
        }
        card_stretches(cards->compiler, family, i, base);
    }
    family->state = FAMILY_DONE;
}

void compile_cards(struct compiler *compiler)
{
    struct cards cards = {.compiler = compiler};
    uint32_t before = compiler->problems->count + compiler->problems->dropped;
    families_read(&cards);
    for (uint32_t i = 0; i < cards.family_count; i++)
        family_resolve(&cards, &cards.families[i], 0);
    if (compiler->problems->count + compiler->problems->dropped == before)
        emit_families(&cards);
}
