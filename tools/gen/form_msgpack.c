/* MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md): one map per record, one
 * after the other. */
#include <assert.h>
#include <string.h>

#include "gen/form.h"

static void add_byte(struct rendered *rendered, unsigned byte)
{
    char c = (char)byte;

    rendered_add(rendered, &c, 1);
}

static void add_big_endian(struct rendered *rendered, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        add_byte(rendered, (unsigned)(value >> (8 * bytes)) & 255);
}

static void add_string_head(struct rendered *rendered, size_t length)
{
    if (length < 32) {
        add_byte(rendered, 0xa0 | (unsigned)length);
    } else if (length < 256) {
        add_byte(rendered, 0xd9);
        add_byte(rendered, (unsigned)length);
    } else {
        add_byte(rendered, 0xda);
        add_big_endian(rendered, length, 2);
    }
}

static void add_unsigned(struct rendered *rendered, uint64_t value)
{
    if (value < 128) {
        add_byte(rendered, (unsigned)value);
    } else if (value <= UINT8_MAX) {
        add_byte(rendered, 0xcc);
        add_big_endian(rendered, value, 1);
    } else if (value <= UINT16_MAX) {
        add_byte(rendered, 0xcd);
        add_big_endian(rendered, value, 2);
    } else if (value <= UINT32_MAX) {
        add_byte(rendered, 0xce);
        add_big_endian(rendered, value, 4);
    } else {
        add_byte(rendered, 0xcf);
        add_big_endian(rendered, value, 8);
    }
}

static uint64_t digits_value(const char *text, size_t length)
{
    uint64_t value = 0;

    for (size_t i = 0; i < length; i++) {
        assert(text[i] >= '0' && text[i] <= '9');
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    return value;
}

static void add_open_string(struct rendered *rendered, const char *text, size_t length)
{
    rendered_add_place(rendered, PLACE_STRING_OPEN);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == PLACE_MARK && i + 1 < length)
            rendered_add_place(rendered, (enum place)text[++i]);
        else
            rendered_add(rendered, text + i, 1);
    }
    rendered_add_place(rendered, PLACE_STRING_CLOSE);
}

static void add_string(struct rendered *rendered, const char *text, size_t length,
                       enum date_format dates)
{
    bool lone_place = length == 2 && text[0] == PLACE_MARK;

    if (lone_place && text[1] == PLACE_QUANTITY) {
        rendered_add_place(rendered, PLACE_SHORT_QUANTITY);
    } else if (lone_place) {
        assert(text[1] == PLACE_START || text[1] == PLACE_END);
        add_string_head(rendered, dates == DATE_NEW ? 24 : 27);
        rendered_add_place(rendered, (enum place)text[1]);
    } else if (memchr(text, PLACE_MARK, length)) {
        add_open_string(rendered, text, length);
    } else {
        add_string_head(rendered, length);
        rendered_add(rendered, text, length);
    }
}

/* What is only there to be read by people; a description stays where it is all that identifies the
 * resource. */
static bool is_decoration(const struct fields *fields, enum gen_field field)
{
    switch (field) {
    case GEN_DESCRIPTION:
        return fields->values[GEN_USAGEID].kind != GEN_ABSENT ||
               fields->values[GEN_VIRTUALMACHINEID].kind != GEN_ABSENT;
    case GEN_ACCOUNT:
    case GEN_PROJECT:
    case GEN_DOMAIN:
    case GEN_DOMAINID:
    case GEN_DOMAINPATH:
    case GEN_USAGE:
    case GEN_NAME:
    case GEN_OSTYPEID:
    case GEN_OSDISPLAYNAME:
    case GEN_OSCATEGORYID:
    case GEN_OSCATEGORYNAME:
    case GEN_TYPE:
    case GEN_TAGS:
        return true;
    default:
        return false;
    }
}

static bool is_written(const struct form_options *options, const struct fields *fields,
                       enum gen_field field)
{
    if (fields->values[field].kind == GEN_ABSENT)
        return false;
    return options->full || !is_decoration(fields, field);
}

void form_render_msgpack(const struct form_options *options, const struct fields *fields,
                         unsigned field_end, struct rendered *rendered)
{
    unsigned members = 0;

    for (unsigned i = 0; i < field_end; i++)
        members += is_written(options, fields, (enum gen_field)i);
    if (members < 16) {
        add_byte(rendered, 0x80 | members);
    } else {
        add_byte(rendered, 0xde);
        add_big_endian(rendered, members, 2);
    }
    for (unsigned i = 0; i < field_end; i++) {
        const struct field_text *value = &fields->values[i];
        const char *text = fields->text + value->at;

        if (!is_written(options, fields, (enum gen_field)i))
            continue;
        add_string(rendered, gen_field_names[i], strlen(gen_field_names[i]), options->dates);
        if (value->kind == GEN_STRING)
            add_string(rendered, text, value->length, options->dates);
        else if (value->kind == GEN_NUMBER)
            add_unsigned(rendered, digits_value(text, value->length));
        else if (value->kind == GEN_BOOLEAN)
            add_byte(rendered, text[0] == 't' ? 0xc3 : 0xc2);
        else
            add_byte(rendered, 0x90);
    }
}
