#include "ratecards/form.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void reader_problem(struct reader *reader, const struct node *at, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problems_add(reader->problems, reader->file, at->line, at->column, "%s", text);
}

bool form_init(struct form *form, struct reader *reader, const struct node *node, const char *what,
               const char *const *keys, size_t key_count)
{
    if (node->kind == NODE_REFUSED)
        return false;
    if (node->kind != NODE_MAP) {
        reader_problem(reader, node, "expected a %s here, as `%s: ...` lines or {%s: ...}", what,
                       keys[0], keys[0]);
        return false;
    }
    *form = (struct form){.reader = reader, .map = node, .what = what};
    for (const struct node *key = node->first; key; key = key->next->next) {
        bool known = false;
        for (size_t i = 0; i < key_count && !known; i++)
            known = slice_is(key->text, keys[i]);
        if (known)
            continue;
        const char *nearest = nearest_name(key->text, keys, key_count);
        if (nearest)
            reader_problem(reader, key, "a %s has no `%.*s`: did you mean `%s`?", what,
                           (int)key->text.length, key->text.data, nearest);
        else
            reader_problem(reader, key, "a %s has no `%.*s`; it can have %s", what,
                           (int)key->text.length, key->text.data,
                           names_joined(reader->arena, keys, key_count));
    }
    return true;
}

bool form_has(const struct form *form, const char *key)
{
    return node_value(form->map, key) != NULL;
}

const struct node *form_place(const struct form *form, const char *key)
{
    const struct node *value = node_value(form->map, key);
    return value ? value : form->map;
}

static bool node_is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted &&
           (node->text.length == 0 || slice_is(node->text, "~") || slice_is(node->text, "null"));
}

/* The value of a key, or NULL after saying what is wrong. */
static const struct node *form_value(const struct form *form, const char *key, enum form_need need)
{
    const struct node *value = node_value(form->map, key);
    if (!value) {
        if (need == FORM_REQUIRED)
            reader_problem(form->reader, form->map, "the %s has no `%s`: add it", form->what, key);
        return NULL;
    }
    if (node_is_null(value)) {
        reader_problem(form->reader, value, "`%s` has no value: give one%s", key,
                       need == FORM_OPTIONAL ? " or leave the key out" : "");
        return NULL;
    }
    return value->kind == NODE_REFUSED ? NULL : value;
}

static const struct node *form_scalar(const struct form *form, const char *key, enum form_need need)
{
    const struct node *value = form_value(form, key, need);
    if (value && value->kind != NODE_SCALAR) {
        reader_problem(form->reader, value, "`%s` must be a single value, not a %s", key,
                       value->kind == NODE_LIST ? "list" : "map");
        return NULL;
    }
    return value;
}

bool form_text(const struct form *form, const char *key, enum form_need need, struct slice *ret)
{
    const struct node *value = form_scalar(form, key, need);
    if (!value)
        return false;
    if (value->text.length == 0 || value->text.length > TEXT_BYTES_MAX) {
        reader_problem(form->reader, value,
                       value->text.length ? "`%s` is longer than %d bytes: shorten it"
                                          : "`%s` is empty: give a text (up to %d bytes)",
                       key, TEXT_BYTES_MAX);
        return false;
    }
    *ret = value->text;
    return true;
}

bool node_id(struct reader *reader, const struct node *node, const char *what, struct slice *ret)
{
    if (node->kind == NODE_REFUSED)
        return false;
    if (node->kind != NODE_SCALAR || node_is_null(node)) {
        reader_problem(reader, node, "`%s` must be a single text", what);
        return false;
    }
    struct slice text = node->text;
    const char *wrong = NULL;
    if (text.length == 0)
        wrong = "is empty";
    else if (text.length > NAME_BYTES_MAX)
        wrong = "is longer than 128 bytes";
    else if (text.data[0] == ' ' || text.data[text.length - 1] == ' ')
        wrong = "begins or ends with a blank";
    for (size_t i = 0; i < text.length && !wrong; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            wrong = "holds a control character";
    }
    if (wrong) {
        reader_problem(reader, node, "`%s` %s: change it", what, wrong);
        return false;
    }
    *ret = text;
    return true;
}

bool form_id(const struct form *form, const char *key, enum form_need need, struct slice *ret)
{
    const struct node *value = form_scalar(form, key, need);
    return value && node_id(form->reader, value, key, ret);
}

bool form_name(const struct form *form, const char *key, enum form_need need, struct slice *ret)
{
    struct slice name;
    if (!form_id(form, key, need, &name))
        return false;
    if (memchr(name.data, ' ', name.length)) {
        reader_problem(form->reader, form_place(form, key),
                       "`%s` must not hold blanks: use '-', '.' or '_'", key);
        return false;
    }
    *ret = name;
    return true;
}

bool form_currency(const struct form *form, const char *key, enum form_need need,
                   struct currency *ret)
{
    const struct node *value = form_scalar(form, key, need);
    if (!value)
        return false;
    if (currency_parse(value->text, ret) != STATUS_OK) {
        reader_problem(form->reader, value,
                       "`%.*s` is not a currency that can be billed: write an ISO 4217 code in "
                       "capitals, such as EUR",
                       (int)value->text.length, value->text.data);
        return false;
    }
    return true;
}

static bool instant_is_rfc3339(struct slice text)
{
    if (text.length < 20 || text.data[10] != 'T')
        return false;
    for (size_t i = 0; i < 19; i++) {
        char c = text.data[i];
        bool separator = i == 4 || i == 7 || i == 10 || i == 13 || i == 16;
        if (!separator && (c < '0' || c > '9'))
            return false;
    }
    return text.data[text.length - 1] == 'Z' ||
           (text.length >= 25 && text.data[text.length - 3] == ':' &&
            (text.data[text.length - 6] == '+' || text.data[text.length - 6] == '-'));
}

bool form_instant(const struct form *form, const char *key, enum form_need need,
                  struct instant *ret)
{
    const struct node *value = form_scalar(form, key, need);
    if (!value)
        return false;
    struct instant instant;
    int32_t nanoseconds = 0;
    if (!instant_is_rfc3339(value->text) ||
        instant_parse(value->text, &instant, &nanoseconds) != STATUS_OK) {
        reader_problem(form->reader, value,
                       "`%s: %.*s` is not an instant: write it as 2026-10-01T00:00:00Z", key,
                       (int)value->text.length, value->text.data);
        return false;
    }
    if (nanoseconds != 0) {
        reader_problem(form->reader, value, "`%s` must be a whole second: leave the fraction out",
                       key);
        return false;
    }
    *ret = instant;
    return true;
}

bool day_parse(struct slice text, int32_t *ret)
{
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-')
        return false;
    struct instant instant;
    if (instant_parse(text, &instant, NULL) != STATUS_OK)
        return false;
    *ret = (int32_t)(instant.seconds / 86400);
    return true;
}

size_t day_format(int32_t day, char *buffer)
{
    struct civil civil = civil_from_seconds((int64_t)day * 86400);
    int length = snprintf(buffer, 16, "%04d-%02d-%02d", (int)civil.year % 10000,
                          (int)civil.month % 100, (int)civil.day % 100);
    assert(length == 10);
    return (size_t)length;
}

bool form_day(const struct form *form, const char *key, enum form_need need, int32_t *ret)
{
    const struct node *value = form_scalar(form, key, need);
    if (!value)
        return false;
    if (!day_parse(value->text, ret)) {
        reader_problem(form->reader, value, "`%s: %.*s` is not a date: write it as 2026-10-31", key,
                       (int)value->text.length, value->text.data);
        return false;
    }
    return true;
}

bool form_zone(const struct form *form, const char *key, enum form_need need, struct slice *ret)
{
    struct slice name;
    if (!form_id(form, key, need, &name))
        return false;
    const struct zone *zone;
    if (zone_set_find(form->reader->zones, name, &zone) != STATUS_OK) {
        reader_problem(
            form->reader, form_place(form, key),
            "no time zone `%.*s` on this system: write a name such as Europe/Berlin or UTC",
            (int)name.length, name.data);
        return false;
    }
    *ret = name;
    return true;
}

bool form_choice(const struct form *form, const char *key, enum form_need need,
                 const char *const *names, size_t count, size_t *ret)
{
    const struct node *value = form_scalar(form, key, need);
    if (!value)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (slice_is(value->text, names[i])) {
            *ret = i;
            return true;
        }
    }
    reader_problem(form->reader, value, "`%s: %.*s` is not known: write one of %s", key,
                   (int)value->text.length, value->text.data,
                   names_joined(form->reader->arena, names, count));
    return false;
}

bool form_boolean(const struct form *form, const char *key, enum form_need need, bool *ret)
{
    const struct node *value = form_scalar(form, key, need);
    if (!value)
        return false;
    bool yes = slice_is(value->text, "true");
    if (!yes && !slice_is(value->text, "false")) {
        reader_problem(form->reader, value,
                       "`%s: %.*s` is neither true nor false: write one of these", key,
                       (int)value->text.length, value->text.data);
        return false;
    }
    *ret = yes;
    return true;
}

const struct node *form_list(const struct form *form, const char *key, enum form_need need)
{
    const struct node *value = form_value(form, key, need);
    if (!value)
        return NULL;
    if (value->kind != NODE_LIST) {
        reader_problem(form->reader, value,
                       "`%s` must be a list: lines that begin with '- ', or [...]", key);
        return NULL;
    }
    if (value->count == 0) {
        reader_problem(form->reader, value, "`%s` is empty: add an item%s", key,
                       need == FORM_OPTIONAL ? " or leave the key out" : "");
        return NULL;
    }
    return value;
}

bool form_ids(const struct form *form, const char *key, enum form_need need,
              const struct slice **ret, uint32_t *ret_count)
{
    const struct node *value = form_value(form, key, need);
    if (!value)
        return false;
    bool list = value->kind == NODE_LIST;
    uint32_t count = list ? value->count : 1;
    if (count == 0)
        return false; /* an empty list says that there are none */
    struct slice *ids = arena_alloc(form->reader->arena, count * sizeof *ids);
    bool good = true;
    uint32_t index = 0;
    for (const struct node *item = list ? value->first : value; index < count;
         item = item->next, index++)
        good = node_id(form->reader, item, key, &ids[index]) && good;
    if (!good)
        return false;
    *ret = ids;
    *ret_count = count;
    return true;
}
