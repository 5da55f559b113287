/* What shows only when several values of a rate card are seen together: tiers, ties, codes, units
 * and meters. */
#include "ratecards/model.h"

#include <assert.h>

static void check_problem(struct reader *reader, uint32_t line, uint32_t column, const char *text)
{
    problems_add(reader->problems, reader->file, line, column, "%s", text);
}

bool amount_in(const struct amount *amount, struct currency currency, struct money *ret)
{
    struct money found = {0};
    bool given = !amount->present;
    for (uint32_t i = 0; i < amount->count && !given; i++) {
        if (currency_equal(amount->currencies[i], currency)) {
            found = amount->values[i];
            given = true;
        }
    }
    bool nothing = amount->plain && amount->count == 1 && amount->values[0].pico == 0;
    if (given || nothing)
        *ret = found;
    return given || nothing;
}

/* --- tiers --- */

static void micro_text(int128 micro, char *buffer)
{
    (void)decimal_format(micro, QUANTITY_SCALE, 0, buffer);
}

static void tier_bounds(struct reader *reader, const struct card_row *row)
{
    int128 below = 0; /* where the tier before ends */
    for (uint32_t i = 0; i < row->tier_count; i++) {
        const struct card_tier *tier = &row->tiers[i];
        bool last = i + 1 == row->tier_count;
        char before[DECIMAL_TEXT_BYTES];
        if (below == TIER_OPEN)
            return; /* an open tier before this one was reported: the bounds after it mean nothing
                     */
        micro_text(below, before);
        if (tier->from_given && tier->from_micro > below)
            problems_add(reader->problems, reader->file, tier->line, tier->column,
                         "a gap: the tier before ends at %s; leave `from` out or begin there",
                         before);
        if (tier->from_given && tier->from_micro < below)
            problems_add(
                reader->problems, reader->file, tier->line, tier->column,
                "overlaps the tier before, which ends at %s; leave `from` out or begin there",
                before);
        if (!last && tier->up_to_micro == TIER_OPEN)
            check_problem(reader, tier->line, tier->column,
                          "only the last tier can be open: give this one an `up_to`");
        else if (last && tier->up_to_micro != TIER_OPEN)
            check_problem(
                reader, tier->line, tier->column,
                "the last tier must be open: leave its `up_to` out, or add a tier without one");
        else if (tier->up_to_micro <= below)
            problems_add(reader->problems, reader->file, tier->line, tier->column,
                         "tiers must rise: the tier before ends at %s, so `up_to` must be higher",
                         before);
        below = tier->up_to_micro;
    }
}

static void tier_amounts(struct reader *reader, enum rate_model model, const struct card_row *row)
{
    for (uint32_t i = 0; i < row->tier_count; i++) {
        const struct card_tier *tier = &row->tiers[i];
        if (model == MODEL_STAIRSTEP) {
            if (!tier->flat.present)
                check_problem(reader, tier->line, tier->column,
                              "a stairstep tier needs a `flat`, for example flat: \"5\"");
            if (tier->price.present)
                check_problem(reader, tier->price.line, tier->price.column,
                              "a stairstep tier has a `flat` and no `price`: use model graduated "
                              "or volume for prices per unit");
        } else if (!tier->price.present && !tier->flat.present) {
            check_problem(reader, tier->line, tier->column,
                          "the tier has no `price`: add it, price: \"0\" if it is free");
        }
    }
}

static void rows_tiers(struct reader *reader, const struct card_charge *charge)
{
    bool tiered =
        charge->model_given && charge->model != MODEL_PER_UNIT && charge->model != MODEL_PACKAGE;
    for (uint32_t i = 0; i < charge->row_count; i++) {
        const struct card_row *row = &charge->rows[i];
        bool written = row->tier_count > 1 ||
                       (row->tier_count == 1 && row->tiers[0].line != row->line) ||
                       (row->tier_count == 1 && row->tiers[0].column != row->column);
        if (!written)
            continue; /* the one tier was made from the row's own price or flat */
        tier_bounds(reader, row);
        if (tiered)
            tier_amounts(reader, charge->model, row);
    }
}

/* --- rows that compete --- */

/* Whether one usage can match both. */
static bool rows_overlap(const struct card_row *a, const struct card_row *b)
{
    for (uint32_t i = 0, j = 0; i < a->where_count && j < b->where_count;) {
        int order = slice_compare(a->where[i].name, b->where[j].name);
        if (order == 0 && !slice_equal(a->where[i].value, b->where[j].value))
            return false;
        if (order <= 0)
            i++;
        if (order >= 0)
            j++;
    }
    return true;
}

static void rows_ties(struct reader *reader, const struct card_charge *charge)
{
    for (uint32_t j = 1; j < charge->row_count; j++) {
        const struct card_row *row = &charge->rows[j];
        for (uint32_t i = 0; i < j; i++) {
            const struct card_row *other = &charge->rows[i];
            if (row->where_count != other->where_count || !rows_overlap(row, other))
                continue;
            problems_add(reader->problems, reader->file, row->line, row->column,
                         "a tie: the same usage can match this row and the one at line %u with %u "
                         "condition%s each: %s",
                         other->line, row->where_count, row->where_count == 1 ? "" : "s",
                         row->where_count ? "add a condition to one of them"
                                          : "only one row can be without `where`");
            break;
        }
    }
}

/* --- where --- */

static const char *const where_names[] = {
    "account",  "project",  "zone",        "resource", "vm",          "network",
    "vpc",      "offering", "template",    "size",     "virtualsize", "cpunumber",
    "cpuspeed", "memory",   "issourcenat", "issystem", "isdefault"};

static bool one_of(struct slice word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(word, names[i]))
            return true;
    }
    return false;
}

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.length > 0 && (text.length == 1 || text.data[0] != '0');
}

void where_term_check(struct reader *reader, const struct node *key, const struct node *value,
                      struct slice name)
{
    static const char *const numbers[] = {"size", "virtualsize", "cpunumber", "cpuspeed", "memory"};
    static const char *const flags[] = {"issourcenat", "issystem", "isdefault"};
    if (!one_of(name, where_names, COUNT_OF(where_names))) {
        const char *nearest = nearest_name(name, where_names, COUNT_OF(where_names));
        if (nearest)
            reader_problem(reader, key,
                           "CloudStack's usage has no attribute `%.*s`: did you mean `%s`?",
                           (int)name.length, name.data, nearest);
        else
            reader_problem(reader, key, "CloudStack's usage has no attribute `%.*s`; it has %s",
                           (int)name.length, name.data,
                           names_joined(reader->arena, where_names, COUNT_OF(where_names)));
    } else if (one_of(name, numbers, COUNT_OF(numbers)) && !all_digits(value->text)) {
        reader_problem(
            reader, value,
            "`%.*s: %.*s` can never match: the usage has a whole number there, without a unit",
            (int)name.length, name.data, (int)value->text.length, value->text.data);
    } else if (one_of(name, flags, COUNT_OF(flags)) && !slice_is(value->text, "true") &&
               !slice_is(value->text, "false")) {
        reader_problem(reader, value, "`%.*s: %.*s` can never match: write true or false",
                       (int)name.length, name.data, (int)value->text.length, value->text.data);
    }
}

/* --- charges --- */

void charge_unit_check(struct problems *problems, struct slice file,
                       const struct card_charge *charge, const struct meter *meter)
{
    struct error error;
    if (!charge->unit_given)
        return;
    if (unit_fits(&charge->unit, meter, &charge->times, &error) != STATUS_OK)
        problems_add(problems, file, charge->unit_line, charge->unit_column, "%s", error.text);
}

static void minimum_check(struct reader *reader, const struct card_charge *charge)
{
    for (uint32_t i = 0; i < charge->minimum.count; i++) {
        struct currency currency = charge->minimum.currencies[i];
        struct money minimum = charge->minimum.values[i], maximum;
        if (currency.code == 0) /* the card's own is wrong, which was said */
            continue;
        if (!charge->maximum.present || !amount_in(&charge->maximum, currency, &maximum) ||
            minimum.pico <= maximum.pico)
            continue;
        char code[4];
        currency_format(currency, code);
        problems_add(reader->problems, reader->file, charge->minimum.line, charge->minimum.column,
                     "the minimum is above the maximum in %s: swap or correct them", code);
    }
}

static void codes_check(struct reader *reader, const struct card *card)
{
    struct arena scratch;
    struct key_map seen;
    arena_init(&scratch);
    key_map_init(&seen, &scratch, card->charge_count);
    for (uint32_t i = 0; i < card->charge_count; i++) {
        const struct card_charge *charge = &card->charges[i];
        if (charge->code.length == 0)
            continue;
        uint32_t first = key_map_find(&seen, 0, charge->code);
        if (first == KEY_NONE)
            (void)key_map_put(&seen, 0, charge->code, i);
        else
            problems_add(reader->problems, reader->file, charge->line, charge->column,
                         "the code `%.*s` is taken by the charge at line %u: codes name invoice "
                         "lines and must differ (rows that "
                         "compete go into one charge's `prices`)",
                         (int)charge->code.length, charge->code.data, card->charges[first].line);
    }
    arena_fini(&scratch);
}

void card_check(struct reader *reader, const struct card *card)
{
    for (uint32_t i = 0; i < card->charge_count; i++) {
        const struct card_charge *charge = &card->charges[i];
        rows_tiers(reader, charge);
        rows_ties(reader, charge);
        minimum_check(reader, charge);
        if (charge->meter) /* other meters may be declared by another document: compile.c looks at
                              those */
            charge_unit_check(reader->problems, reader->file, charge, charge->meter);
    }
    codes_check(reader, card);
    if (card->extends.length && slice_equal(card->extends, card->name))
        problems_add(reader->problems, reader->file, card->extends_line, card->extends_column,
                     "the card extends itself: name another card, or leave `extends` out");
}
