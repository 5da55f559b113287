/* Numbers in documents. YAML 1.1 reads 0777, 1:30, 1_000 and 0.10 in ways that nobody means in a
 * price list, so digits are taken as text and read exactly, and what could be misread is refused
 * with the way to write it. */
#include "ratecards/form.h"

#include <assert.h>
#include <stdio.h>

/* Far above any real price or bound, far below where 128 bits end after multiplying with a
 * quantity. */
#define MONEY_UNITS_MAX ((int128)1000000000000000)
#define UNITS_MAX       ((int128)1000000000000000000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has_char(struct slice text, char c)
{
    return text.length && memchr(text.data, c, text.length);
}

bool decimal_is_plain(struct slice text)
{
    size_t at = 0;
    while (at < text.length && is_digit(text.data[at]))
        at++;
    if (at == 0 || (at > 1 && text.data[0] == '0'))
        return false;
    if (at == text.length)
        return true;
    if (text.data[at] != '.' || at + 1 == text.length)
        return false;
    for (at++; at < text.length; at++) {
        if (!is_digit(text.data[at]))
            return false;
    }
    return true;
}

/* What is special about a text that should have been a plain number. */
static const char *number_trap(struct slice text)
{
    const char *at = text.data;
    size_t length = text.length;
    if (length == 0)
        return "it is empty";
    if (at[0] == '-')
        return "it must not be negative";
    if (at[0] == '+')
        return "leave the plus sign out";
    if (has_char(text, '_'))
        return "leave the underscores out";
    if (has_char(text, ','))
        return "write a point for the decimals and nothing between thousands";
    if (has_char(text, ':'))
        return "YAML 1.1 would read it as a base-60 number";
    if (length > 1 && at[0] == '0' && (at[1] == 'x' || at[1] == 'o' || at[1] == 'b'))
        return "write it in decimal digits";
    if (length > 1 && at[0] == '0' && is_digit(at[1]))
        return "leave the leading zeros out: YAML 1.1 would read it as octal";
    if (is_digit(at[0]) && (has_char(text, 'e') || has_char(text, 'E')))
        return "write it without an exponent";
    if (at[0] == '.')
        return "write a 0 before the point";
    if (is_digit(at[0]) && at[length - 1] == '.')
        return "write digits after the point";
    return "write digits only";
}

static bool node_is_scalar(struct reader *reader, const struct node *node, const char *key)
{
    if (node->kind == NODE_REFUSED)
        return false;
    if (node->kind == NODE_SCALAR)
        return true;
    reader_problem(reader, node, "`%s` must be a number, not a %s", key,
                   node->kind == NODE_LIST ? "list" : "map");
    return false;
}

static bool node_decimal(struct reader *reader, const struct node *node, const char *key, int scale,
                         int128 max, int128 *ret)
{
    struct slice text = node->text;
    if (!decimal_is_plain(text)) {
        reader_problem(reader, node, "`%s: %.*s` is not a number that can be taken: %s", key,
                       (int)text.length, text.data, number_trap(text));
        return false;
    }
    bool excess = false;
    int128 value;
    enum status status = decimal_parse(text, scale, false, &value, &excess);
    if (status != STATUS_OK && excess) {
        reader_problem(
            reader, node,
            "`%s: %.*s` has more than %d decimals: nothing is rounded here, so shorten it", key,
            (int)text.length, text.data, scale);
        return false;
    }
    if (status != STATUS_OK || value / decimal_power(scale) >= max) {
        reader_problem(reader, node, "`%s: %.*s` is too large to be meant", key, (int)text.length,
                       text.data);
        return false;
    }
    *ret = value;
    return true;
}

static bool node_not_zero(struct reader *reader, const struct node *node, const char *key,
                          int128 value)
{
    if (value == 0)
        reader_problem(reader, node, "`%s` must be greater than 0", key);
    return value != 0;
}

bool node_money(struct reader *reader, const struct node *node, const char *key, bool positive,
                int128 *ret_pico)
{
    if (!node_is_scalar(reader, node, key))
        return false;
    struct slice text = node->text;
    bool whole = !has_char(text, '.') && !has_char(text, 'e') && !has_char(text, 'E');
    if (!node->quoted && decimal_is_plain(text) && !whole) { /* a bare integer no program rounds */
        reader_problem(
            reader, node,
            "`%s` is a bare number, which programs may read as a float: write %s: \"%.*s\"", key,
            key, (int)text.length, text.data);
        return false;
    }
    int128 pico;
    if (!node_decimal(reader, node, key, MONEY_SCALE, MONEY_UNITS_MAX, &pico))
        return false;
    if (positive && !node_not_zero(reader, node, key, pico))
        return false;
    *ret_pico = pico;
    return true;
}

bool form_money(const struct form *form, const char *key, enum form_need need, bool positive,
                int128 *ret_pico)
{
    const struct node *value = node_value(form->map, key);
    if (!value) {
        if (need == FORM_REQUIRED)
            reader_problem(form->reader, form->map,
                           "the %s has no `%s`: add it, for example %s: \"0.10\"", form->what, key,
                           key);
        return false;
    }
    return node_money(form->reader, value, key, positive, ret_pico);
}

bool form_units(const struct form *form, const char *key, enum form_need need, bool positive,
                int128 *ret)
{
    const struct node *value = node_value(form->map, key);
    if (!value) {
        if (need == FORM_REQUIRED)
            reader_problem(form->reader, form->map,
                           "the %s has no `%s`: add it, for example %s: 100", form->what, key, key);
        return false;
    }
    if (!node_is_scalar(form->reader, value, key))
        return false;
    if (!value->quoted && decimal_is_plain(value->text) && has_char(value->text, '.')) {
        reader_problem(
            form->reader, value,
            "`%s` is a bare decimal, which programs may read as a float: write %s: \"%.*s\"", key,
            key, (int)value->text.length, value->text.data);
        return false;
    }
    int128 micro;
    if (!node_decimal(form->reader, value, key, QUANTITY_SCALE, UNITS_MAX, &micro))
        return false;
    if (positive && !node_not_zero(form->reader, value, key, micro))
        return false;
    *ret = micro;
    return true;
}

bool form_integer(const struct form *form, const char *key, enum form_need need, uint32_t min,
                  uint32_t max, uint32_t *ret)
{
    assert(min <= max);
    const struct node *value = node_value(form->map, key);
    if (!value) {
        if (need == FORM_REQUIRED)
            reader_problem(form->reader, form->map, "the %s has no `%s`: add a number", form->what,
                           key);
        return false;
    }
    if (!node_is_scalar(form->reader, value, key))
        return false;
    int128 number;
    bool whole = decimal_is_plain(value->text) && !has_char(value->text, '.') &&
                 decimal_parse(value->text, 0, false, &number, NULL) == STATUS_OK;
    if (!whole || number < min || number > max) {
        reader_problem(form->reader, value, "`%s: %.*s` is not a whole number from %u to %u%s%s",
                       key, (int)value->text.length, value->text.data, min, max, whole ? "" : ": ",
                       whole ? "" : number_trap(value->text));
        return false;
    }
    *ret = (uint32_t)number;
    return true;
}
