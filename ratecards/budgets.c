/* Budgets: an amount per period and the percentages of it at which somebody is told. */
#include "ratecards/model.h"

#include <assert.h>

static const char *const budget_keys[] = {"id",       "account",    "amount",
                                          "currency", "thresholds", "email"};

#define THRESHOLD_PERCENT_MAX 1000

static const uint32_t thresholds_default[] = {50, 80, 100};

static void threshold_add(struct reader *reader, const struct node *node,
                          struct budget_item *budget)
{
    int128 percent = 0;
    bool whole = node->kind == NODE_SCALAR && decimal_is_plain(node->text) &&
                 decimal_parse(node->text, 0, false, &percent, NULL) == STATUS_OK && percent >= 1 &&
                 percent <= THRESHOLD_PERCENT_MAX;
    uint32_t count = budget->threshold_count;
    if (!whole)
        reader_problem(reader, node,
                       "a threshold is a whole number of percent from 1 to %d, such as 80",
                       THRESHOLD_PERCENT_MAX);
    else if (count > 0 && percent <= budget->thresholds[count - 1])
        reader_problem(reader, node, "thresholds must rise: put them in order, each once");
    else
        budget->thresholds[budget->threshold_count++] = (uint32_t)percent;
}

static void thresholds_read(const struct form *form, struct budget_item *budget)
{
    const struct node *list = form_list(form, "thresholds", FORM_OPTIONAL);
    if (!form_has(form, "thresholds")) {
        memcpy(budget->thresholds, thresholds_default, sizeof thresholds_default);
        budget->threshold_count = COUNT_OF(thresholds_default);
        return;
    }
    if (list && list->count > BUDGET_THRESHOLDS_MAX) {
        reader_problem(form->reader, list, "more than %d thresholds", BUDGET_THRESHOLDS_MAX);
        return;
    }
    for (const struct node *item = list ? list->first : NULL; item; item = item->next)
        threshold_add(form->reader, item, budget);
}

/* "3f0c.../500 EUR": an id for those that the document does not name. */
static struct slice budget_id(struct arena *arena, const struct budget_item *budget)
{
    char amount[DECIMAL_TEXT_BYTES], code[4] = "";
    (void)money_format_exact(budget->amount, amount);
    if (budget->currency.code)
        currency_format(budget->currency, code);
    return slice_string(arena_printf(arena, "%.*s/%s%s%s", (int)budget->account.length,
                                     budget->account.data, amount, code[0] ? " " : "", code));
}

static void budget_read(struct reader *reader, const struct node *node, struct budget_item *budget)
{
    struct form form;
    *budget = (struct budget_item){.line = node->line, .column = node->column};
    if (!form_init(&form, reader, node, "budget", budget_keys, COUNT_OF(budget_keys)))
        return;
    (void)form_id(&form, "account", FORM_REQUIRED, &budget->account);
    (void)form_money(&form, "amount", FORM_REQUIRED, true, &budget->amount.pico);
    (void)form_currency(&form, "currency", FORM_OPTIONAL, &budget->currency);
    thresholds_read(&form, budget);
    form_emails(&form, &budget->emails, &budget->email_count);
    if (!form_has(&form, "id"))
        budget->id = budget_id(reader->arena, budget);
    else
        (void)form_id(&form, "id", FORM_REQUIRED, &budget->id);
}

static void budgets_check(struct reader *reader, const struct budget_item *budgets, uint32_t count)
{
    struct arena scratch;
    struct key_map seen;
    arena_init(&scratch);
    key_map_init(&seen, &scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = key_map_put(&seen, 0, budget_key(&scratch, &budgets[i]), i);
        if (first != KEY_NONE)
            problems_add(
                reader->problems, reader->file, budgets[i].line, budgets[i].column,
                "the same budget as the one at line %u: leave one out, or give each its own `id`",
                budgets[first].line);
    }
    arena_fini(&scratch);
}

bool budgets_read(struct reader *reader, const struct node *node, struct document *ret)
{
    static const char *const keys[] = {"kind", "budgets"};
    struct form form;
    if (!form_init(&form, reader, node, "list of budgets", keys, COUNT_OF(keys)))
        return false;
    const struct node *list = form_list(&form, "budgets", FORM_REQUIRED);
    if (!list)
        return false;
    ret->budgets = arena_alloc(reader->arena, (size_t)list->count * sizeof *ret->budgets);
    ret->count = 0;
    for (const struct node *item = list->first; item; item = item->next)
        budget_read(reader, item, &ret->budgets[ret->count++]);
    budgets_check(reader, ret->budgets, ret->count);
    return true;
}
