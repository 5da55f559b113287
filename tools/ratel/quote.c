#include "ratel/quote.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAMES_BYTES 320

const char *rate_model_name(enum rate_model model)
{
    static const char *const names[] = {[MODEL_PER_UNIT] = "per_unit",
                                        [MODEL_GRADUATED] = "graduated",
                                        [MODEL_VOLUME] = "volume",
                                        [MODEL_PACKAGE] = "package",
                                        [MODEL_STAIRSTEP] = "stairstep"};
    assert((size_t)model < sizeof(names) / sizeof(names[0]));
    return names[model];
}

/* A list of names for a message, ended by "..." where it gets too long. */
struct names {
    char text[NAMES_BYTES];
    size_t length;
    bool full;
};

static void names_add(struct names *names, struct slice name)
{
    size_t room = sizeof(names->text) - names->length;
    if (names->full)
        return;
    if (name.length + sizeof(", ...") >= room) {
        names->full = true;
        snprintf(names->text + names->length, room, "%s", ", ...");
        return;
    }
    names->length += (size_t)snprintf(names->text + names->length, room, "%s%.*s",
                                      names->length ? ", " : "", (int)name.length, name.data);
}

/* ---- the card's version, and the charge in it
 * ------------------------------------------------------------------------ */

/* The version in force at an instant; before the first one, the first: a quote tells what a card
 * will cost. */
static const struct version *version_at(const struct snapshot *snapshot, uint32_t family,
                                        struct instant at)
{
    uint32_t index = snapshot_version_at(snapshot, family, at);
    if (index == INDEX_NONE)
        index = snapshot->families[family].version_first;
    assert(index < snapshot->version_count);
    return &snapshot->versions[index];
}

static const struct charge *charge_in(const struct snapshot *snapshot,
                                      const struct version *version, struct slice code)
{
    for (uint32_t i = 0; i < version->charge_count; i++) {
        const struct charge *charge = &snapshot->charges[version->charges[i]];
        if (slice_equal(charge->code, code))
            return charge;
    }
    return NULL;
}

/* The present where it lies in the period, else the period's start. */
static struct instant instant_for(const struct quote_request *request, const struct zone *zone,
                                  struct period *ret_period)
{
    struct period present = period_of(zone, request->now);
    *ret_period = request->has_period ? request->period : present;
    return ret_period->index == present.index ? request->now : period_start(zone, *ret_period);
}

static bool family_has_file(const struct snapshot *snapshot, const struct card_family *family,
                            struct slice file)
{
    for (uint32_t i = 0; i < family->version_count; i++) {
        if (slice_equal(snapshot->versions[family->version_first + i].file, file))
            return true;
    }
    return false;
}

static void quote_for_family(const struct quote_request *request, uint32_t family,
                             struct quote *quote)
{
    const struct snapshot *snapshot = request->snapshot;
    const struct zone *zone = snapshot->versions[snapshot->families[family].version_first].zone;
    struct instant at = instant_for(request, zone, &quote->period);
    quote->version = version_at(snapshot, family, at);
    /* A later version may be of another zone: its own month counts. */
    at = instant_for(request, quote->version->zone, &quote->period);
    quote->version = version_at(snapshot, family, at);
    quote->charge = charge_in(snapshot, quote->version, request->charge);
}

static enum status no_charge(const struct quote_request *request, struct error *error)
{
    const struct snapshot *snapshot = request->snapshot;
    struct names names = {.length = 0};
    for (uint32_t i = 0; i < snapshot->charge_count; i++) {
        bool first = true;
        for (uint32_t j = 0; j < i && first; j++)
            first = !slice_equal(snapshot->charges[j].code, snapshot->charges[i].code);
        if (first && !names.full)
            names_add(&names, snapshot->charges[i].code);
    }
    return error_set(error, STATUS_INVALID, "no charge \"%.*s\" in the card; there is %s",
                     (int)request->charge.length, request->charge.data,
                     names.length ? names.text : "none at all");
}

static enum status find_charge(const struct quote_request *request, struct quote *quote,
                               struct error *error)
{
    const struct snapshot *snapshot = request->snapshot;
    struct names cards = {.length = 0};
    uint32_t found = 0;
    if (snapshot->family_count == 0)
        return error_set(error, STATUS_INVALID, "option --card: there is no rate card in the file");
    for (uint32_t i = 0; i < snapshot->family_count; i++) {
        const struct card_family *family = &snapshot->families[i];
        bool named = request->card.length == 0 || slice_equal(request->card, family->name);
        if (!named || !family_has_file(snapshot, family, request->file))
            continue;
        struct quote candidate = {.version = NULL};
        quote_for_family(request, i, &candidate);
        if (!candidate.charge)
            continue;
        *quote = candidate;
        names_add(&cards, family->name);
        found++;
    }
    if (found == 0)
        return no_charge(request, error);
    if (found > 1)
        return error_set(error, STATUS_USAGE,
                         "the charge is in several cards (%s); choose one with --name", cards.text);
    return STATUS_OK;
}

/* ---- the price row and its plan
 * -------------------------------------------------------------------------------------- */

static bool row_matches(const struct charge_row *row, const struct quote_request *request)
{
    for (uint32_t i = 0; i < row->where_count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < request->where_count && !found; j++)
            found =
                slice_equal(row->where[i].name, snapshot_attribute_name(request->where[j].name)) &&
                slice_equal(row->where[i].value, request->where[j].value);
        if (!found)
            return false;
    }
    return true;
}

static enum status find_row(const struct quote_request *request, struct quote *quote,
                            struct error *error)
{
    const struct charge *charge = quote->charge;
    struct names names = {.length = 0};
    for (uint32_t i = 0; i < charge->row_count; i++) {
        const struct charge_row *row = &charge->rows[i];
        /* Most specific wins; the checks refused ties. */
        if (row_matches(row, request) &&
            (!quote->row || row->where_count > quote->row->where_count))
            quote->row = row;
        for (uint32_t j = 0; j < row->where_count; j++) {
            char term[256];
            int length = snprintf(term, sizeof(term), "%.*s=%.*s", (int)row->where[j].name.length,
                                  row->where[j].name.data, (int)row->where[j].value.length,
                                  row->where[j].value.data);
            names_add(&names, slice_of(term, length < (int)sizeof(term) ? (size_t)length
                                                                        : sizeof(term) - 1));
        }
    }
    if (quote->row)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "no price of charge %.*s matches; its prices are for %s: give --where k=v",
                     (int)charge->code.length, charge->code.data, names.text);
}

static enum status find_plan(const struct quote_request *request, struct quote *quote,
                             struct error *error)
{
    const struct charge_row *row = quote->row;
    struct names names = {.length = 0};
    assert(row->plan_count > 0);
    for (uint32_t i = 0; i < row->plan_count; i++) {
        const struct plan *plan = &request->snapshot->plans[row->plan_first + i];
        /* The first is in the card's currency. */
        if (request->currency.code == 0 || currency_equal(plan->currency, request->currency)) {
            quote->plan = row->plan_first + i;
            quote->currency = plan->currency;
            return STATUS_OK;
        }
        char code[4];
        currency_format(plan->currency, code);
        names_add(&names, slice_string(code));
    }
    char code[4];
    currency_format(request->currency, code);
    return error_set(error, STATUS_INVALID, "no price in %s: the card has %s", code, names.text);
}

/* ---- the arithmetic
 * ---------------------------------------------------------------------------------------------------
 */

/* The quantity in quanta: units of the charge, or base units times the attribute. */
static enum status read_quantity(const struct quote_request *request, struct quote *quote,
                                 struct error *error)
{
    const struct charge *charge = quote->charge;
    bool excess = false;
    int128 micro;
    enum status status = decimal_parse(request->quantity, QUANTITY_SCALE, false, &micro, &excess);
    if (status != STATUS_OK)
        return error_set(error, STATUS_USAGE, "option --quantity: \"%.*s\" %s",
                         (int)request->quantity.length, request->quantity.data,
                         excess ? "has more than 6 decimals" : "is no number, or too large");
    if (micro < 0)
        return error_set(error, STATUS_USAGE, "option --quantity: it is negative");
    int128 quanta;
    if (request->has_times) {
        if (charge->times_name.length == 0)
            return error_set(error, STATUS_USAGE,
                             "option --times: charge %.*s does not multiply (it has no `times:`)",
                             (int)charge->code.length, charge->code.data);
        status = int128_multiply(micro, request->times, &quanta);
    } else {
        /* unit_quanta is a multiple of 10^6: nothing is lost. */
        assert(quote->terms.unit_quanta % QUANTA_PER_UNIT == 0);
        status = int128_multiply(micro, quote->terms.unit_quanta / QUANTA_PER_UNIT, &quanta);
    }
    if (status != STATUS_OK)
        return error_set(error, status, "option --quantity: the number is too large");
    quote->quantity.quanta = quanta;
    return STATUS_OK;
}

/* min(quantity, included). An included quantity that overflows is more than any quantity. */
static void take_included(struct quote *quote)
{
    int128 included;
    enum status status = int128_multiply(quote->charge->included_micro,
                                         quote->terms.unit_quanta / QUANTA_PER_UNIT, &included);
    if (status != STATUS_OK || included > quote->quantity.quanta)
        included = quote->quantity.quanta;
    quote->included.quanta = included;
}

/* Minimum and maximum are of the charge in a period. What was not used at all costs nothing. */
static void apply_limits(struct quote *quote)
{
    struct money limit;
    quote->amount = quote->usage;
    bool used = quote->quantity.quanta > 0;
    if (used && money_choice_in(&quote->charge->minimum, quote->currency, &limit) &&
        quote->amount.pico < limit.pico) {
        quote->amount = limit;
        quote->below_minimum = true;
    }
    if (money_choice_in(&quote->charge->maximum, quote->currency, &limit) &&
        quote->amount.pico > limit.pico) {
        quote->amount = limit;
        quote->above_maximum = true;
    }
}

static enum status calculate(struct quote *quote, struct error *error)
{
    take_included(quote);
    struct quantity start = {0};
    struct quantity billed = {quote->quantity.quanta - quote->included.quanta};
    enum status status = rate_amount(&quote->terms, start, billed, &quote->usage);
    if (status == STATUS_OK)
        status = rate_steps(&quote->terms, start, billed, quote->steps, &quote->step_count);
    if (status != STATUS_OK)
        return error_set(error, status, "the amount is too large");
    struct money sum = {0};
    for (uint32_t i = 0; i < quote->step_count; i++)
        sum.pico += quote->steps[i].amount.pico;
    assert(sum.pico == quote->usage.pico);
    apply_limits(quote);
    status = money_round(quote->amount, quote->currency, quote->version->rounding, &quote->rounded);
    if (status != STATUS_OK)
        return error_set(error, status, "the amount is too large to round");
    return STATUS_OK;
}

enum status quote_make(const struct quote_request *request, struct quote *ret, struct error *error)
{
    struct quote quote = {.version = NULL};
    enum status status = find_charge(request, &quote, error);
    if (status == STATUS_OK)
        status = find_row(request, &quote, error);
    if (status == STATUS_OK)
        status = find_plan(request, &quote, error);
    if (status != STATUS_OK)
        return status;
    status = snapshot_terms(request->snapshot, quote.plan, quote.period, &quote.terms);
    if (status != STATUS_OK)
        return error_set(error, status, "the unit of charge %.*s does not fit",
                         (int)quote.charge->code.length, quote.charge->code.data);
    status = read_quantity(request, &quote, error);
    if (status == STATUS_OK)
        status = calculate(&quote, error);
    if (status == STATUS_OK)
        *ret = quote;
    return status;
}
