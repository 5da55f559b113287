/* Documents as lines of "what: value". Two states of a document are compared line by line: that is
 * `ratel diff`, and it is how a card that is loaded again is recognised as the same although its
 * comments or its order changed. */
#include "ratecards/model.h"

#include <assert.h>
#include <stdlib.h>

static void fact_add(struct facts *facts, const char *what, const char *value)
{
    if (facts->count == facts->capacity) {
        uint32_t capacity = facts->capacity ? facts->capacity * 2 : 32;
        struct fact *items = arena_alloc(facts->arena, (size_t)capacity * sizeof *items);
        if (facts->count)
            memcpy(items, facts->items, facts->count * sizeof *items);
        facts->items = items;
        facts->capacity = capacity;
    }
    facts->items[facts->count++] =
        (struct fact){.what = slice_string(what), .value = slice_string(value)};
}

/* "<subject> <member>": value. An empty value is no fact. */
static void fact(struct facts *facts, const char *subject, const char *member, struct slice value)
{
    if (value.length == 0)
        return;
    fact_add(facts, member[0] ? arena_printf(facts->arena, "%s %s", subject, member) : subject,
             arena_string(facts->arena, value));
}

static void fact_text(struct facts *facts, const char *subject, const char *member,
                      const char *value)
{
    fact(facts, subject, member, slice_string(value));
}

static void fact_money(struct facts *facts, const char *subject, const char *member,
                       struct money amount, struct currency currency)
{
    char text[DECIMAL_TEXT_BYTES], code[4] = "";
    (void)money_format_exact(amount, text);
    if (currency.code)
        currency_format(currency, code);
    fact_text(facts, subject, member,
              arena_printf(facts->arena, "%s%s%s", text, code[0] ? " " : "", code));
}

static void fact_units(struct facts *facts, const char *subject, const char *member, int128 micro,
                       const char *unit)
{
    char text[DECIMAL_TEXT_BYTES];
    (void)decimal_format(micro, QUANTITY_SCALE, 0, text);
    fact_text(facts, subject, member,
              arena_printf(facts->arena, "%s%s%s", text, unit[0] ? " " : "", unit));
}

/* --- rate cards --- */

/* One line for the card's own currency, and one for each native one. */
static void fact_amount(struct facts *facts, const char *subject, const char *member,
                        const struct amount *amount, struct currency own)
{
    for (uint32_t i = 0; i < amount->count; i++) {
        struct currency currency = amount->currencies[i];
        char code[4];
        currency_format(currency, code);
        const char *name = currency_equal(currency, own)
                               ? member
                               : arena_printf(facts->arena, "%s in %s", member, code);
        fact_money(facts, subject, name, amount->values[i], currency);
    }
}

/* A text as it is, or in quotes where it could be taken for more than one. Equal lines must mean
 * equal conditions. */
static const char *term_text(struct arena *arena, struct slice text)
{
    size_t special = 0;
    for (size_t i = 0; i < text.length; i++)
        special += strchr(",:{}\"\\", text.data[i]) != NULL;
    if (special == 0)
        return arena_string(arena, text);
    char *quoted = arena_alloc(arena, text.length * 2 + 3), *at = quoted;
    *at++ = '"';
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            *at++ = '\\';
        *at++ = text.data[i];
    }
    *at = '"';
    return quoted;
}

static const char *where_text(struct arena *arena, const struct card_row *row)
{
    const char *text = "";
    for (uint32_t i = 0; i < row->where_count; i++)
        text = arena_printf(arena, "%s%s%s: %s", text, i ? ", " : "",
                            term_text(arena, row->where[i].name),
                            term_text(arena, row->where[i].value));
    return row->where_count ? arena_printf(arena, " {%s}", text) : "";
}

static void row_facts(struct facts *facts, const char *charge_subject, const struct card *card,
                      const struct card_charge *charge, const struct card_row *row)
{
    const char *subject =
        arena_printf(facts->arena, "%s%s", charge_subject, where_text(facts->arena, row));
    if (row->package_micro)
        fact_units(facts, subject, "size", row->package_micro, charge->unit.text);
    for (uint32_t i = 0; i < row->tier_count; i++) {
        const struct card_tier *tier = &row->tiers[i];
        bool alone = row->tier_count == 1;
        const char *at = alone ? subject : arena_printf(facts->arena, "%s tier %u", subject, i + 1);
        if (tier->up_to_micro != TIER_OPEN)
            fact_units(facts, at, "up_to", tier->up_to_micro, charge->unit.text);
        fact_amount(facts, at, "price", &tier->price, card->currency);
        fact_amount(facts, at, "flat", &tier->flat, card->currency);
    }
}

static void charge_facts(struct facts *facts, const struct card *card,
                         const struct card_charge *charge)
{
    const char *subject =
        arena_printf(facts->arena, "%.*s %.*s", (int)card->name.length, card->name.data,
                     (int)charge->code.length, charge->code.data);
    fact(facts, subject, "description", charge->description);
    fact(facts, subject, "meter", charge->meter_name);
    fact(facts, subject, "times", charge->times_name);
    fact_text(facts, subject, "unit", charge->unit.text);
    fact_text(facts, subject, "model", model_names[charge->model]);
    if (charge->scope == SCOPE_RESOURCE)
        fact_text(facts, subject, "scope", "resource");
    if (!charge->carry)
        fact_text(facts, subject, "carry", "false");
    if (charge->included_micro)
        fact_units(facts, subject, "included", charge->included_micro, charge->unit.text);
    fact_amount(facts, subject, "minimum", &charge->minimum, card->currency);
    fact_amount(facts, subject, "maximum", &charge->maximum, card->currency);
    fact(facts, subject, "tax_class", charge->tax_class);
    for (uint32_t i = 0; i < charge->row_count; i++)
        row_facts(facts, subject, card, charge, &charge->rows[i]);
}

void card_facts(struct facts *facts, const struct card *card)
{
    const char *subject = arena_string(facts->arena, card->name);
    char code[4];
    currency_format(card->currency, code);
    fact_text(facts, subject, "currency", code);
    fact(facts, subject, "timezone", card->timezone);
    if (card->month_given)
        fact_text(facts, subject, "month",
                  card->month == MONTH_730   ? "730"
                  : card->month == MONTH_720 ? "720"
                                             : "actual");
    if (card->rounding_given)
        fact_text(facts, subject, "rounding", rounding_names[card->rounding]);
    fact(facts, subject, "extends", card->extends);
    for (uint32_t i = 0; i < card->charge_count; i++)
        charge_facts(facts, card, &card->charges[i]);
}

static int fact_compare(const void *a_pointer, const void *b_pointer)
{
    const struct fact *a = a_pointer, *b = b_pointer;
    int order = slice_compare(a->what, b->what);
    return order ? order : slice_compare(a->value, b->value);
}

bool cards_equal(struct arena *arena, const struct card *a, const struct card *b)
{
    struct facts facts_a = {.arena = arena}, facts_b = {.arena = arena};
    card_facts(&facts_a, a);
    card_facts(&facts_b, b);
    if (facts_a.count != facts_b.count)
        return false;
    qsort(facts_a.items, facts_a.count, sizeof *facts_a.items, fact_compare);
    qsort(facts_b.items, facts_b.count, sizeof *facts_b.items, fact_compare);
    for (uint32_t i = 0; i < facts_a.count; i++) {
        if (fact_compare(&facts_a.items[i], &facts_b.items[i]) != 0)
            return false;
    }
    return true;
}

/* --- the others --- */

static struct slice texts_joined(struct arena *arena, const struct slice *texts, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += texts[i].length + 2;
    char *joined = arena_alloc(arena, bytes + 1), *at = joined;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',', *at++ = ' ';
        memcpy(at, texts[i].data, texts[i].length);
        at += texts[i].length;
    }
    return slice_of(joined, (size_t)(at - joined));
}

static void account_facts(struct facts *facts, const struct account_item *account)
{
    const char *subject =
        arena_printf(facts->arena, "account %.*s", (int)account->id.length, account->id.data);
    char code[4];
    currency_format(account->currency, code);
    fact(facts, subject, "name", account->name);
    fact_text(facts, subject, "currency", code);
    fact(facts, subject, "catalogue", account->catalogue);
    fact_text(facts, subject, "billing",
              account->billing == BILLING_PREPAID ? "prepaid" : "postpaid");
    fact(facts, subject, "timezone", account->timezone);
    fact_text(facts, subject, "terms_days", arena_printf(facts->arena, "%u", account->terms_days));
    fact(facts, subject, "email",
         texts_joined(facts->arena, account->emails, account->email_count));
    fact(facts, subject, "projects",
         texts_joined(facts->arena, account->projects, account->project_count));
    fact(facts, subject, "tax country", account->tax_country);
    fact(facts, subject, "tax id", account->tax_id);
    fact(facts, subject, "tax class", account->tax_class);
}

static void catalogue_facts(struct facts *facts, const struct catalogue_item *catalogue)
{
    const char *subject = arena_printf(facts->arena, "catalogue %.*s", (int)catalogue->name.length,
                                       catalogue->name.data);
    fact(facts, subject, "ratecard", catalogue->ratecard);
    if (catalogue->currency.code) {
        char code[4];
        currency_format(catalogue->currency, code);
        fact_text(facts, subject, "currency", code);
    }
}

static void fx_facts(struct facts *facts, const struct fx_item *rate)
{
    char base[4], quote[4], day[16], text[DECIMAL_TEXT_BYTES];
    currency_format(rate->base, base);
    currency_format(rate->quote, quote);
    (void)day_format(rate->day, day);
    (void)decimal_format(rate->rate_pico, MONEY_SCALE, 0, text);
    fact_text(
        facts, arena_printf(facts->arena, "%s/%s %s", base, quote, day), "",
        arena_printf(facts->arena, "%s (%.*s)", text, (int)rate->source.length, rate->source.data));
}

static void tax_facts(struct facts *facts, const struct tax_item *rule)
{
    char from[16] = "", to[16], rate[DECIMAL_TEXT_BYTES];
    if (rule->day_from != INT32_MIN)
        (void)day_format(rule->day_from, from);
    const char *subject = arena_printf(facts->arena, "tax %.*s %.*s%s%s", (int)rule->country.length,
                                       rule->country.data, (int)rule->tax_class.length,
                                       rule->tax_class.data, from[0] ? " from " : "", from);
    (void)decimal_format(rule->rate_pico, MONEY_SCALE, 0, rate);
    fact_text(facts, subject, "rate", arena_printf(facts->arena, "%s %%", rate));
    fact(facts, subject, "category", rule->category);
    if (rule->day_to != INT32_MAX) {
        (void)day_format(rule->day_to, to);
        fact_text(facts, subject, "to", to);
    }
}

static void budget_facts(struct facts *facts, const struct budget_item *budget)
{
    const char *subject =
        arena_printf(facts->arena, "budget %.*s of account %.*s", (int)budget->id.length,
                     budget->id.data, (int)budget->account.length, budget->account.data);
    const char *thresholds = "";
    for (uint32_t i = 0; i < budget->threshold_count; i++)
        thresholds =
            arena_printf(facts->arena, "%s%s%u", thresholds, i ? ", " : "", budget->thresholds[i]);
    fact_money(facts, subject, "amount", budget->amount, budget->currency);
    fact_text(facts, subject, "thresholds", thresholds);
    fact(facts, subject, "email", texts_joined(facts->arena, budget->emails, budget->email_count));
}

static void meter_facts(struct facts *facts, const struct meter_item *meter)
{
    fact(facts, arena_printf(facts->arena, "meter %.*s", (int)meter->name.length, meter->name.data),
         "base", meter->base);
}

void item_facts(struct facts *facts, const struct document *document, uint32_t index)
{
    assert(index < document->count);
    switch (document->kind) {
    case DOCUMENT_RATECARD:
        card_facts(facts, document->card);
        break;
    case DOCUMENT_CATALOGUE:
        catalogue_facts(facts, document->catalogue);
        break;
    case DOCUMENT_ACCOUNTS:
        account_facts(facts, &document->accounts[index]);
        break;
    case DOCUMENT_FX:
        fx_facts(facts, &document->rates[index]);
        break;
    case DOCUMENT_TAX:
        tax_facts(facts, &document->taxes[index]);
        break;
    case DOCUMENT_BUDGETS:
        budget_facts(facts, &document->budgets[index]);
        break;
    case DOCUMENT_METERS:
        meter_facts(facts, &document->meters[index]);
        break;
    }
}

bool entry_facts(struct facts *facts, const struct entry *entry)
{
    union {
        struct account_item account;
        struct catalogue_item catalogue;
        struct fx_item rate;
        struct tax_item rule;
        struct budget_item budget;
        struct meter_item meter;
    } item;
    bool good = false;
    switch (entry->table) {
    case ENTRY_CARD:
    case ENTRY_TABLE_COUNT:
        assert(!"rate cards are read from their text");
        break;
    case ENTRY_CATALOGUE:
        if ((good = catalogue_unpack(entry->key, entry->value, &item.catalogue)))
            catalogue_facts(facts, &item.catalogue);
        break;
    case ENTRY_ACCOUNT:
        if ((good = account_unpack(facts->arena, entry->key, entry->value, &item.account)))
            account_facts(facts, &item.account);
        break;
    case ENTRY_FX:
        if ((good = fx_unpack(entry->key, entry->value, &item.rate)))
            fx_facts(facts, &item.rate);
        break;
    case ENTRY_TAX:
        if ((good = tax_unpack(entry->key, entry->value, &item.rule)))
            tax_facts(facts, &item.rule);
        break;
    case ENTRY_BUDGET:
        if ((good = budget_unpack(facts->arena, entry->key, entry->value, &item.budget)))
            budget_facts(facts, &item.budget);
        break;
    case ENTRY_METER:
        if ((good = meter_unpack(entry->key, entry->value, &item.meter)))
            meter_facts(facts, &item.meter);
        break;
    }
    return good;
}
