/* Exchange rates as YAML and as CSV. The ECB's XML is in fx_ecb.c. */
#include "ratecards/model.h"

#include <strings.h>

static const char *const rate_keys[] = {"date", "base", "quote", "rate"};

/* --- YAML --- */

static void rate_read(struct reader *reader, const struct node *node, struct fx_item *rate)
{
    struct form form;
    rate->line = node->line;
    rate->column = node->column;
    if (!form_init(&form, reader, node, "rate", rate_keys, COUNT_OF(rate_keys)))
        return;
    (void)form_day(&form, "date", FORM_REQUIRED, &rate->day);
    bool both = form_currency(&form, "base", FORM_REQUIRED, &rate->base);
    both = form_currency(&form, "quote", FORM_REQUIRED, &rate->quote) && both;
    if (both && currency_equal(rate->base, rate->quote))
        reader_problem(reader, form_place(&form, "quote"),
                       "`quote` must be another currency than `base`: 1 base is `rate` quote");
    (void)form_money(&form, "rate", FORM_REQUIRED, true, &rate->rate_pico);
}

static void rates_check(struct reader *reader, const struct fx_item *rates, uint32_t count)
{
    struct arena scratch;
    struct key_map seen;
    arena_init(&scratch);
    key_map_init(&seen, &scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!rates[i].base.code || !rates[i].quote.code)
            continue;
        uint32_t first = key_map_put(&seen, 0, fx_key(&scratch, &rates[i]), i);
        if (first != KEY_NONE)
            problems_add(reader->problems, reader->file, rates[i].line, rates[i].column,
                         "the same date and currencies as the rate at line %u: leave one out",
                         rates[first].line);
    }
    arena_fini(&scratch);
}

bool fx_read(struct reader *reader, const struct node *node, struct document *ret)
{
    static const char *const keys[] = {"kind", "source", "rates"};
    struct form form;
    if (!form_init(&form, reader, node, "list of exchange rates", keys, COUNT_OF(keys)))
        return false;
    struct slice source = {0};
    (void)form_id(&form, "source", FORM_REQUIRED, &source);
    const struct node *list = form_list(&form, "rates", FORM_REQUIRED);
    if (!list)
        return false;
    ret->rates = arena_alloc(reader->arena, (size_t)list->count * sizeof *ret->rates);
    ret->count = 0;
    for (const struct node *item = list->first; item; item = item->next) {
        ret->rates[ret->count].source = source;
        rate_read(reader, item, &ret->rates[ret->count++]);
    }
    rates_check(reader, ret->rates, ret->count);
    return true;
}

/* --- CSV: the header date,base,quote,rate, then one rate a line. No field can hold a comma, so
 * none needs quotes; they are taken. --- */

#define CSV_FIELDS 4

/* Cuts the next line off the text, without its end. */
static struct slice line_take(struct slice *text)
{
    const char *end = text->length ? memchr(text->data, '\n', text->length) : NULL;
    struct slice line = slice_of(text->data, end ? (size_t)(end - text->data) : text->length);
    size_t used = line.length + (end ? 1 : 0);
    text->data += used;
    text->length -= used;
    return line;
}

static struct slice field_clean(struct slice field)
{
    field = slice_trim(field);
    if (field.length >= 2 && field.data[0] == '"' && field.data[field.length - 1] == '"')
        field = slice_trim(slice_of(field.data + 1, field.length - 2));
    return field;
}

/* Splits a line; returns the number of fields, also when there are more than kept. */
static uint32_t fields_split(struct slice line, struct node fields[CSV_FIELDS])
{
    uint32_t count = 0;
    size_t from = 0;
    for (size_t at = 0; at <= line.length; at++) {
        if (at < line.length && line.data[at] != ',')
            continue;
        if (count < CSV_FIELDS) {
            fields[count].text = field_clean(slice_of(line.data + from, at - from));
            fields[count].column = (uint32_t)from + 1;
            fields[count].quoted = true; /* CSV has no other way to write a text */
        }
        count++;
        from = at + 1;
    }
    return count;
}

static bool header_is(struct slice line)
{
    struct node fields[CSV_FIELDS] = {0};
    if (fields_split(line, fields) != CSV_FIELDS)
        return false;
    for (size_t i = 0; i < CSV_FIELDS; i++) {
        struct slice field = fields[i].text;
        if (field.length != strlen(rate_keys[i]) ||
            strncasecmp(field.data, rate_keys[i], field.length) != 0)
            return false;
    }
    return true;
}

/* Also true for a first line that is nearly the header, so that the reader can say how it must be.
 */
bool fx_csv_is(struct slice text)
{
    struct slice line = slice_trim(line_take(&text));
    if (header_is(line))
        return true;
    return line.length >= 5 &&
           (strncasecmp(line.data, "date,", 5) == 0 || strncasecmp(line.data, "date;", 5) == 0);
}

/* One line as a tree, so that values are read and reported as in YAML. */
static bool csv_rate_read(struct reader *reader, struct slice line, uint32_t number,
                          struct fx_item *rate)
{
    struct node nodes[CSV_FIELDS * 2] = {0};
    struct node fields[CSV_FIELDS] = {0};
    struct node map = {
        .kind = NODE_MAP, .line = number, .column = 1, .first = nodes, .count = CSV_FIELDS};
    uint32_t count = fields_split(line, fields);
    if (count != CSV_FIELDS) {
        reader_problem(reader, &map,
                       "%u fields: a line has four, such as 2026-10-30,EUR,INR,101.2345", count);
        return false;
    }
    for (size_t i = 0; i < CSV_FIELDS; i++) {
        nodes[2 * i] = (struct node){
            .text = slice_string(rate_keys[i]), .line = number, .next = &nodes[2 * i + 1]};
        nodes[2 * i + 1] = fields[i];
        nodes[2 * i + 1].line = number;
        nodes[2 * i + 1].next = i + 1 < CSV_FIELDS ? &nodes[2 * i + 2] : NULL;
    }
    rate_read(reader, &map, rate);
    return true;
}

static uint32_t lines_count(struct slice text)
{
    uint32_t count = 1;
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == '\n';
    return count;
}

/* The file's own name: a CSV says no source. */
static struct slice file_base(struct slice file)
{
    const char *slash = file.length ? memrchr(file.data, '/', file.length) : NULL;
    if (!slash)
        return file.length ? file : SLICE("csv");
    return slice_of(slash + 1, file.length - (size_t)(slash + 1 - file.data));
}

bool fx_csv_read(struct reader *reader, struct slice text, struct document *ret)
{
    struct slice header = line_take(&text);
    if (!header_is(header)) {
        problems_add(reader->problems, reader->file, 1, 1,
                     "the header of a file of rates must be date,base,quote,rate");
        return false;
    }
    struct slice source = file_base(reader->file);
    if (source.length > NAME_BYTES_MAX)
        source.length = NAME_BYTES_MAX;
    ret->rates = arena_alloc(reader->arena, (size_t)lines_count(text) * sizeof *ret->rates);
    ret->count = 0;
    for (uint32_t number = 2; text.length > 0; number++) {
        struct slice line = line_take(&text);
        if (slice_trim(line).length == 0)
            continue;
        ret->rates[ret->count].source = source;
        if (csv_rate_read(reader, line, number, &ret->rates[ret->count]))
            ret->count++;
    }
    if (ret->count == 0)
        problems_add(reader->problems, reader->file, 1, 1,
                     "no rates after the header: add lines such as 2026-10-30,EUR,INR,101.2345");
    rates_check(reader, ret->rates, ret->count);
    return ret->count > 0;
}
