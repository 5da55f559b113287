/* Meters of other producers than CloudStack: what their quantities count. */
#include "ratecards/model.h"

#include <assert.h>

static const char *const meter_keys[] = {"name", "base", "aggregation"};
static const char *const base_names[] = {"unit", "hour", "byte", "request"};
/* Known, so that a document that asks for one is told the truth about it. */
static const char *const aggregation_names[] = {"sum", "max", "last", "unique", "average"};

static void meter_read(struct reader *reader, const struct node *node, struct meter_item *meter)
{
    struct form form;
    *meter = (struct meter_item){.base = SLICE("unit"), .line = node->line, .column = node->column};
    if (!form_init(&form, reader, node, "meter", meter_keys, COUNT_OF(meter_keys)))
        return;
    if (form_name(&form, "name", FORM_REQUIRED, &meter->name) && meter_by_name(meter->name))
        reader_problem(reader, form_place(&form, "name"),
                       "`%.*s` is a meter of CloudStack with a fixed base unit: choose another "
                       "name, or leave it out",
                       (int)meter->name.length, meter->name.data);
    size_t index;
    if (form_choice(&form, "base", FORM_OPTIONAL, base_names, COUNT_OF(base_names), &index))
        meter->base = slice_string(base_names[index]);
    if (form_choice(&form, "aggregation", FORM_OPTIONAL, aggregation_names,
                    COUNT_OF(aggregation_names), &index) &&
        index != 0)
        reader_problem(reader, form_place(&form, "aggregation"),
                       "aggregation `%s` is not supported yet: write sum, or leave the key out",
                       aggregation_names[index]);
}

static void meters_check(struct reader *reader, const struct meter_item *meters, uint32_t count)
{
    struct arena scratch;
    struct key_map seen;
    arena_init(&scratch);
    key_map_init(&seen, &scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first =
            meters[i].name.length ? key_map_put(&seen, 0, meters[i].name, i) : KEY_NONE;
        if (first != KEY_NONE)
            problems_add(reader->problems, reader->file, meters[i].line, meters[i].column,
                         "the meter `%.*s` is declared at line %u already: leave one out",
                         (int)meters[i].name.length, meters[i].name.data, meters[first].line);
    }
    arena_fini(&scratch);
}

bool meters_read(struct reader *reader, const struct node *node, struct document *ret)
{
    static const char *const keys[] = {"kind", "meters"};
    struct form form;
    if (!form_init(&form, reader, node, "list of meters", keys, COUNT_OF(keys)))
        return false;
    const struct node *list = form_list(&form, "meters", FORM_REQUIRED);
    if (!list)
        return false;
    ret->meters = arena_alloc(reader->arena, (size_t)list->count * sizeof *ret->meters);
    ret->count = 0;
    for (const struct node *item = list->first; item; item = item->next)
        meter_read(reader, item, &ret->meters[ret->count++]);
    meters_check(reader, ret->meters, ret->count);
    return true;
}
