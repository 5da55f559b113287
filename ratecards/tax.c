/* Tax rates by country, class and time. */
#include "ratecards/model.h"

#include <assert.h>

static const char *const tax_keys[] = {"country", "class", "rate", "category", "from", "to"};
/* EN 16931 VAT categories (UNCL 5305 subset): standard, zero, exempt, reverse charge,
 * intra-community, export, outside scope, IGIC, IPSI, transferred. */
static const char *const category_names[] = {"S", "Z", "E", "AE", "K", "G", "O", "L", "M", "B"};

#define TAX_PERCENT_MAX 100

static void rule_read(struct reader *reader, const struct node *node, struct tax_item *rule)
{
    struct form form;
    *rule = (struct tax_item){.tax_class = SLICE("standard"),
                              .category = SLICE("S"),
                              .day_from = INT32_MIN,
                              .day_to = INT32_MAX,
                              .line = node->line,
                              .column = node->column};
    if (!form_init(&form, reader, node, "tax rule", tax_keys, COUNT_OF(tax_keys)))
        return;
    (void)form_country(&form, FORM_REQUIRED, &rule->country);
    (void)form_name(&form, "class", FORM_OPTIONAL, &rule->tax_class);
    if (form_money(&form, "rate", FORM_REQUIRED, false, &rule->rate_pico) &&
        rule->rate_pico > TAX_PERCENT_MAX * PICO_PER_UNIT)
        reader_problem(reader, form_place(&form, "rate"),
                       "`rate` is in percent and cannot be above 100");
    size_t category;
    if (form_choice(&form, "category", FORM_OPTIONAL, category_names, COUNT_OF(category_names),
                    &category)) {
        rule->category = slice_string(category_names[category]);
        bool taxed = slice_is(rule->category, "S") || slice_is(rule->category, "L") ||
                     slice_is(rule->category, "M") || slice_is(rule->category, "B");
        if (!taxed && rule->rate_pico != 0)
            reader_problem(reader, form_place(&form, "category"),
                           "category %s is without tax: write rate: \"0\", or category S",
                           category_names[category]);
    }
    (void)form_day(&form, "from", FORM_OPTIONAL, &rule->day_from);
    (void)form_day(&form, "to", FORM_OPTIONAL, &rule->day_to);
    if (rule->day_from >= rule->day_to)
        reader_problem(reader, form_place(&form, "to"),
                       "`to` must be later than `from`: it is the first day without the rule");
}

static void rules_check(struct reader *reader, const struct tax_item *rules, uint32_t count)
{
    struct arena scratch;
    struct key_map seen;
    arena_init(&scratch);
    key_map_init(&seen, &scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = key_map_put(&seen, 0, tax_key(&scratch, &rules[i]), i);
        if (first != KEY_NONE)
            problems_add(reader->problems, reader->file, rules[i].line, rules[i].column,
                         "the same country, class and `from` as the rule at line %u: leave one "
                         "out, or give them different dates",
                         rules[first].line);
    }
    arena_fini(&scratch);
}

bool tax_read(struct reader *reader, const struct node *node, struct document *ret)
{
    static const char *const keys[] = {"kind", "rules"};
    struct form form;
    if (!form_init(&form, reader, node, "list of tax rules", keys, COUNT_OF(keys)))
        return false;
    const struct node *list = form_list(&form, "rules", FORM_REQUIRED);
    if (!list)
        return false;
    ret->taxes = arena_alloc(reader->arena, (size_t)list->count * sizeof *ret->taxes);
    ret->count = 0;
    for (const struct node *item = list->first; item; item = item->next)
        rule_read(reader, item, &ret->taxes[ret->count++]);
    rules_check(reader, ret->taxes, ret->count);
    return true;
}
