/* Rate cards: from the tree to the model, value by value. What only shows when several values are
 * seen together is in checks.c. */
#include "ratecards/model.h"

#include <assert.h>
#include <stdlib.h>

const char *const model_names[5] = {"per_unit", "graduated", "volume", "package", "stairstep"};
const char *const rounding_names[4] = {"half-even", "half-up", "up", "down"};

static const char *const card_keys[] = {"kind",           "name",     "currency",
                                        "effective_from", "timezone", "month",
                                        "rounding",       "extends",  "charges"};
static const char *const charge_keys[] = {
    "code", "description", "meter",   "unit",    "model", "prices", "price", "tiers",    "flat",
    "size", "included",    "minimum", "maximum", "scope", "times",  "carry", "tax_class"};
static const char *const row_keys[] = {"where", "price", "tiers", "flat", "size"};
static const char *const tier_keys[] = {"from", "up_to", "price", "flat"};

/* A card being read: what the parts need to know of the whole. */
struct card_reader {
    struct reader *reader;
    struct card *card;
};

/* --- amounts --- */

static bool amount_map(struct card_reader *at, const struct node *node, const char *key,
                       struct amount *ret)
{
    if (node->count == 0 || node->count > CHOICES_MAX) {
        reader_problem(at->reader, node,
                       "`%s` must name 1 to %d currencies, such as {EUR: \"0.10\", INR: \"9.50\"}",
                       key, CHOICES_MAX);
        return false;
    }
    struct currency *currencies = arena_alloc(at->reader->arena, node->count * sizeof *currencies);
    struct money *values = arena_alloc(at->reader->arena, node->count * sizeof *values);
    bool good = true, own = false;
    uint32_t count = 0;
    for (const struct node *name = node->first; name; name = name->next->next, count++) {
        if (currency_parse(name->text, &currencies[count]) != STATUS_OK) {
            reader_problem(
                at->reader, name,
                "`%.*s` is not a currency that can be billed: write an ISO 4217 code, such as EUR",
                (int)name->text.length, name->text.data);
            good = false;
            continue;
        }
        own = own || currency_equal(currencies[count], at->card->currency);
        good = node_money(at->reader, name->next, key, false, &values[count].pico) && good;
    }
    if (good && !own && at->card->currency.code) {
        char code[4];
        currency_format(at->card->currency, code);
        reader_problem(at->reader, node, "`%s` must also give the card's own currency, %s", key,
                       code);
        good = false;
    }
    ret->count = count;
    ret->currencies = currencies;
    ret->values = values;
    return good;
}

static bool form_amount(struct card_reader *at, const struct form *form, const char *key,
                        struct amount *ret)
{
    const struct node *node = node_value(form->map, key);
    if (!node)
        return false;
    struct amount amount = {.present = true, .line = node->line, .column = node->column};
    bool good;
    if (node->kind == NODE_MAP) {
        good = amount_map(at, node, key, &amount);
    } else {
        struct currency *currency = arena_alloc(at->reader->arena, sizeof *currency);
        struct money *value = arena_alloc(at->reader->arena, sizeof *value);
        good = node_money(at->reader, node, key, false, &value->pico);
        *currency = at->card->currency;
        amount.plain = true;
        amount.count = 1;
        amount.currencies = currency;
        amount.values = value;
    }
    if (!good)
        amount.count = 0; /* given, but not usable: no further complaint about it */
    *ret = amount;
    return good;
}

/* --- where --- */

static int term_compare(const void *a, const void *b)
{
    return slice_compare(((const struct where_term *)a)->name,
                         ((const struct where_term *)b)->name);
}

static void where_read(struct card_reader *at, const struct form *form, const struct meter *meter,
                       struct card_row *row)
{
    const struct node *node = node_value(form->map, "where");
    if (!node || node->kind == NODE_REFUSED)
        return;
    if (node->kind != NODE_MAP) {
        reader_problem(at->reader, node,
                       "`where` must name attributes and values, such as {zone: 1f0c...}");
        return;
    }
    struct where_term *terms = arena_alloc(at->reader->arena, (node->count + 1) * sizeof *terms);
    uint32_t count = 0;
    for (const struct node *key = node->first; key; key = key->next->next) {
        struct where_term term = {.name = snapshot_attribute_name(key->text)};
        if (key->text.length == 0 || key->text.length > NAME_BYTES_MAX) {
            reader_problem(at->reader, key, "an attribute in `where` must have 1 to %d bytes",
                           NAME_BYTES_MAX);
            continue;
        }
        if (!node_id(at->reader, key->next, "where", &term.value))
            continue;
        if (meter) /* events of other producers bear whatever attributes they like */
            where_term_check(at->reader, key, key->next, term.name);
        bool twice = false;
        for (uint32_t i = 0; i < count; i++)
            twice = twice || slice_equal(terms[i].name, term.name);
        if (twice)
            reader_problem(
                at->reader, key,
                "`%.*s` is the same attribute as another one in this `where`: leave one out",
                (int)key->text.length, key->text.data);
        else
            terms[count++] = term;
    }
    qsort(terms, count, sizeof *terms, term_compare);
    row->where = terms;
    row->where_count = count;
}

/* --- tiers --- */

static void tier_read(struct card_reader *at, const struct node *node, struct card_tier *tier)
{
    struct form form;
    *tier =
        (struct card_tier){.up_to_micro = TIER_OPEN, .line = node->line, .column = node->column};
    if (!form_init(&form, at->reader, node, "tier", tier_keys, COUNT_OF(tier_keys)))
        return;
    if (form_has(&form, "up_to"))
        (void)form_units(&form, "up_to", FORM_OPTIONAL, true, &tier->up_to_micro);
    tier->from_given = form_units(&form, "from", FORM_OPTIONAL, false, &tier->from_micro);
    (void)form_amount(at, &form, "price", &tier->price);
    (void)form_amount(at, &form, "flat", &tier->flat);
}

static void tiers_read(struct card_reader *at, const struct form *form, struct card_row *row)
{
    const struct node *list = form_list(form, "tiers", FORM_OPTIONAL);
    if (!list)
        return;
    if (list->count > TIERS_MAX) {
        reader_problem(at->reader, list, "more than %d tiers", TIERS_MAX);
        return;
    }
    struct card_tier *tiers = arena_alloc(at->reader->arena, list->count * sizeof *tiers);
    uint32_t count = 0;
    for (const struct node *item = list->first; item; item = item->next)
        tier_read(at, item, &tiers[count++]);
    row->tiers = tiers;
    row->tier_count = count;
}

/* --- models --- */

/* The model that the keys say, where the document does not. Tiers alone could be graduated or
 * volume, and that is a difference in money: it must be said. */
static void model_find(struct card_reader *at, const struct form *form, struct card_charge *charge)
{
    size_t index;
    if (form_has(form, "model")) {
        if (form_choice(form, "model", FORM_REQUIRED, model_names, COUNT_OF(model_names), &index)) {
            charge->model = (enum rate_model)index;
            charge->model_given = true;
        }
        return;
    }
    const struct node *rows = node_value(form->map, "prices");
    const struct node *first = rows && rows->kind == NODE_LIST ? rows->first : NULL;
    bool in_row = first && first->kind == NODE_MAP;
    charge->model_given = true;
    if (form_has(form, "size") || (in_row && node_value(first, "size"))) {
        charge->model = MODEL_PACKAGE;
    } else if (form_has(form, "tiers") || (in_row && node_value(first, "tiers"))) {
        charge->model_given = false;
        reader_problem(at->reader, form->map,
                       "tiers need a `model`: graduated (each part at its tier's price), volume "
                       "(all at the tier where the total "
                       "lands) or stairstep (the flat of that tier)");
    } else if (form_has(form, "flat") || (in_row && node_value(first, "flat"))) {
        charge->model = MODEL_STAIRSTEP;
    } else {
        charge->model = MODEL_PER_UNIT;
    }
}

/* Says which keys do not go with the model. `form` is the charge's or a row's. */
static void model_keys(struct card_reader *at, const struct form *form, enum rate_model model)
{
    static const struct {
        const char *key;
        const char *instead;
        bool taken[5]; /* by model */
    } table[] = {
        {"price", "give `tiers`", {[MODEL_PER_UNIT] = true, [MODEL_PACKAGE] = true}},
        {"tiers",
         "give one `price`",
         {[MODEL_GRADUATED] = true, [MODEL_VOLUME] = true, [MODEL_STAIRSTEP] = true}},
        {"flat", "put it into a tier, or say `model: stairstep`", {[MODEL_STAIRSTEP] = true}},
        {"size", "it belongs to `model: package`", {[MODEL_PACKAGE] = true}},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (form_has(form, table[i].key) && !table[i].taken[model])
            reader_problem(at->reader, form_place(form, table[i].key),
                           "`%s` does not go with model %s: %s", table[i].key, model_names[model],
                           table[i].instead);
    }
}

/* One open tier from a row's own price or flat. */
static void tier_alone(struct card_reader *at, const struct form *form, struct card_row *row)
{
    struct card_tier *tier = arena_alloc(at->reader->arena, sizeof *tier);
    *tier = (struct card_tier){
        .up_to_micro = TIER_OPEN, .line = form->map->line, .column = form->map->column};
    (void)form_amount(at, form, "price", &tier->price);
    (void)form_amount(at, form, "flat", &tier->flat);
    row->tiers = tier;
    row->tier_count = 1;
}

/* What a row or a charge without rows costs. `charge_size` is the package size given for all rows,
 * or 0. */
static void row_amounts(struct card_reader *at, const struct form *form,
                        const struct card_charge *charge, int128 charge_size, struct card_row *row)
{
    row->package_micro = charge_size;
    if (form_has(form, "size"))
        (void)form_units(form, "size", FORM_REQUIRED, true, &row->package_micro);
    if (form_has(form, "tiers"))
        tiers_read(at, form, row);
    else
        tier_alone(at, form, row);
    if (!charge->model_given)
        return;
    model_keys(at, form, charge->model);
    bool one_price = charge->model == MODEL_PER_UNIT || charge->model == MODEL_PACKAGE;
    bool flat_alone = charge->model == MODEL_STAIRSTEP && form_has(form, "flat");
    if (one_price && !form_has(form, "price"))
        reader_problem(at->reader, form->map,
                       "the %s has no `price`: add it, for example price: \"0.10\"", form->what);
    if (!one_price && !flat_alone && !form_has(form, "tiers"))
        reader_problem(at->reader, form->map, "the %s has no `tiers`: model %s needs them",
                       form->what, model_names[charge->model]);
    if (charge->model == MODEL_PACKAGE && !form_has(form, "size") && charge_size == 0)
        reader_problem(at->reader, form->map,
                       "the %s has no `size`: say how many units a package holds", form->what);
    if (charge->model != MODEL_PACKAGE)
        row->package_micro = 0;
}

static void rows_read(struct card_reader *at, const struct form *form, struct card_charge *charge)
{
    const struct node *list = form_list(form, "prices", FORM_OPTIONAL);
    static const char *const own[] = {"price", "tiers", "flat"};
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (form_has(form, own[i]))
            reader_problem(at->reader, form_place(form, own[i]),
                           "`%s` beside `prices`: make it a row without `where`, `- %s: ...`",
                           own[i], own[i]);
    }
    if (!list)
        return;
    if (list->count > ROWS_MAX) {
        reader_problem(at->reader, list, "more than %d rows in one charge", ROWS_MAX);
        return;
    }
    int128 charge_size = 0;
    if (form_has(form, "size") && charge->model_given && charge->model != MODEL_PACKAGE)
        model_keys(at, form, charge->model);
    else if (form_has(form, "size"))
        (void)form_units(form, "size", FORM_REQUIRED, true, &charge_size);
    struct card_row *rows = arena_alloc(at->reader->arena, list->count * sizeof *rows);
    uint32_t count = 0;
    for (const struct node *item = list->first; item; item = item->next) {
        struct form row_form;
        rows[count].line = item->line;
        rows[count].column = item->column;
        if (!form_init(&row_form, at->reader, item, "price row", row_keys, COUNT_OF(row_keys)))
            continue;
        where_read(at, &row_form, charge->meter, &rows[count]);
        row_amounts(at, &row_form, charge, charge_size, &rows[count]);
        count++;
    }
    charge->rows = rows;
    charge->row_count = count;
}

/* --- charges --- */

static void unit_and_times_read(struct card_reader *at, const struct form *form,
                                struct card_charge *charge)
{
    struct error error;
    struct slice text;
    if (form_id(form, "unit", FORM_REQUIRED, &text)) {
        const struct node *place = form_place(form, "unit");
        charge->unit_line = place->line;
        charge->unit_column = place->column;
        charge->unit_given = unit_parse(text, &charge->unit, &error) == STATUS_OK;
        if (!charge->unit_given)
            reader_problem(at->reader, place, "%s", error.text);
    }
    if (form_name(form, "times", FORM_OPTIONAL, &text)) {
        charge->times_name = snapshot_attribute_name(text);
        charge->times_given = true;
        if (times_of(charge->meter, charge->times_name, &charge->times, &error) != STATUS_OK) {
            reader_problem(at->reader, form_place(form, "times"), "%s", error.text);
            charge->unit_given = false; /* whether the unit fits cannot be said */
        }
    }
}

static void charge_read(struct card_reader *at, const struct node *node, struct card_charge *charge)
{
    static const char *const scope_names[] = {"account", "resource"};
    struct form form;
    *charge = (struct card_charge){
        .carry = true, .tax_class = SLICE("standard"), .line = node->line, .column = node->column};
    if (!form_init(&form, at->reader, node, "charge", charge_keys, COUNT_OF(charge_keys)))
        return;
    (void)form_name(&form, "code", FORM_REQUIRED, &charge->code);
    (void)form_text(&form, "description", FORM_OPTIONAL, &charge->description);
    if (form_name(&form, "meter", FORM_REQUIRED, &charge->meter_name))
        charge->meter = meter_by_name(charge->meter_name);
    unit_and_times_read(at, &form, charge);
    size_t scope;
    if (form_choice(&form, "scope", FORM_OPTIONAL, scope_names, COUNT_OF(scope_names), &scope))
        charge->scope = (enum charge_scope)scope;
    (void)form_boolean(&form, "carry", FORM_OPTIONAL, &charge->carry);
    (void)form_units(&form, "included", FORM_OPTIONAL, false, &charge->included_micro);
    (void)form_amount(at, &form, "minimum", &charge->minimum);
    (void)form_amount(at, &form, "maximum", &charge->maximum);
    (void)form_name(&form, "tax_class", FORM_OPTIONAL, &charge->tax_class);
    model_find(at, &form, charge);
    if (form_has(&form, "prices")) {
        rows_read(at, &form, charge);
        return;
    }
    struct card_row *row = arena_alloc(at->reader->arena, sizeof *row);
    row->line = node->line;
    row->column = node->column;
    row_amounts(at, &form, charge, 0, row);
    charge->rows = row;
    charge->row_count = 1;
}

static void charges_read(struct card_reader *at, const struct form *form)
{
    struct card *card = at->card;
    const struct node *list =
        form_list(form, "charges", card->extends.length ? FORM_OPTIONAL : FORM_REQUIRED);
    if (!list)
        return;
    if (list->count > CHARGES_MAX) {
        reader_problem(at->reader, list, "more than %d charges in one card", CHARGES_MAX);
        return;
    }
    struct card_charge *charges = arena_alloc(at->reader->arena, list->count * sizeof *charges);
    for (const struct node *item = list->first; item; item = item->next)
        charge_read(at, item, &charges[card->charge_count++]);
    card->charges = charges;
}

bool card_read(struct reader *reader, const struct node *node, struct card *ret)
{
    static const char *const month_names[] = {"actual", "730", "720"};
    static const enum month_hours months[] = {MONTH_ACTUAL, MONTH_730, MONTH_720};
    uint32_t problems_before = reader->problems->count + reader->problems->dropped;
    struct form form;
    struct card card = {.file = reader->file, .line = node->line, .column = node->column};
    if (!form_init(&form, reader, node, "rate card", card_keys, COUNT_OF(card_keys)))
        return false;
    struct card_reader at = {.reader = reader, .card = &card};
    size_t index;
    (void)form_name(&form, "name", FORM_REQUIRED, &card.name);
    (void)form_currency(&form, "currency", FORM_REQUIRED, &card.currency);
    (void)form_instant(&form, "effective_from", FORM_REQUIRED, &card.effective_from);
    (void)form_zone(&form, "timezone", FORM_OPTIONAL, &card.timezone);
    card.month_given =
        form_choice(&form, "month", FORM_OPTIONAL, month_names, COUNT_OF(month_names), &index);
    card.month = card.month_given ? months[index] : MONTH_ACTUAL;
    card.rounding_given = form_choice(&form, "rounding", FORM_OPTIONAL, rounding_names,
                                      COUNT_OF(rounding_names), &index);
    card.rounding = card.rounding_given ? (enum rounding)index : ROUND_HALF_EVEN;
    (void)form_name(&form, "extends", FORM_OPTIONAL, &card.extends);
    if (card.extends.length) {
        card.extends_line = form_place(&form, "extends")->line;
        card.extends_column = form_place(&form, "extends")->column;
    }
    charges_read(&at, &form);
    card_check(reader, &card);
    *ret = card;
    return reader->problems->count + reader->problems->dropped == problems_before;
}
