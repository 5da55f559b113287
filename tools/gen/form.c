#include "gen/form.h"

#include <assert.h>
#include <string.h>

#define LITERAL(rendered, text) rendered_add(rendered, text, sizeof(text) - 1)

void rendered_add_place(struct rendered *rendered, enum place place)
{
    assert(rendered->place_count < RENDERED_PLACES_MAX && rendered->length <= UINT16_MAX);
    rendered->places[rendered->place_count++] =
        (struct open_place){(uint16_t)rendered->length, (uint16_t)place};
}

/* A function that writes one byte of text in the form's own way. */
typedef void (*byte_writer)(struct rendered *, char);

/* As CloudStack's JSON is after its \uXXXX sequences have been replaced by the raw character: other
 * control characters than those with a short escape stand there as they are. */
static void write_json_byte(struct rendered *rendered, char byte)
{
    static const char named[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *found = byte ? strchr(named, byte) : NULL;

    if (found) {
        LITERAL(rendered, "\\");
        rendered_add(rendered, &letters[found - named], 1);
    } else {
        rendered_add(rendered, &byte, 1);
    }
}

static void write_xml_byte(struct rendered *rendered, char byte)
{
    switch (byte) {
    case '"':
        LITERAL(rendered, "&quot;");
        break;
    case '\'':
        LITERAL(rendered, "&apos;");
        break;
    case '<':
        LITERAL(rendered, "&lt;");
        break;
    case '>':
        LITERAL(rendered, "&gt;");
        break;
    case '&':
        LITERAL(rendered, "&amp;");
        break;
    default:
        rendered_add(rendered, &byte, 1);
    }
}

static void write_csv_byte(struct rendered *rendered, char byte)
{
    rendered_add(rendered, &byte, 1);
    if (byte == '"')
        rendered_add(rendered, &byte, 1);
}

static void write_text(struct rendered *rendered, const char *text, size_t length,
                       byte_writer write_byte)
{
    for (size_t i = 0; i < length; i++) {
        assert(rendered->length + 16 < RENDERED_BYTES_MAX);
        if (text[i] == PLACE_MARK && i + 1 < length)
            rendered_add_place(rendered, (enum place)text[++i]);
        else
            write_byte(rendered, text[i]);
    }
}

static void render_json(const struct fields *fields, struct rendered *rendered)
{
    LITERAL(rendered, "{");
    for (unsigned i = 0; i < GEN_FIELD_COUNT; i++) {
        const struct field_text *value = &fields->values[i];

        if (value->kind == GEN_ABSENT)
            continue;
        if (rendered->length > 1)
            LITERAL(rendered, ",");
        LITERAL(rendered, "\"");
        rendered_add(rendered, gen_field_names[i], strlen(gen_field_names[i]));
        LITERAL(rendered, "\":");
        if (value->kind == GEN_EMPTY_LIST) {
            LITERAL(rendered, "[]");
            continue;
        }
        if (value->kind == GEN_STRING)
            LITERAL(rendered, "\"");
        write_text(rendered, fields->text + value->at, value->length, write_json_byte);
        if (value->kind == GEN_STRING)
            LITERAL(rendered, "\"");
    }
    LITERAL(rendered, "}");
}

static void render_xml(const struct fields *fields, unsigned field_end, struct rendered *rendered)
{
    LITERAL(rendered, "<usagerecord>");
    for (unsigned i = 0; i < field_end; i++) {
        const struct field_text *value = &fields->values[i];
        const char *name = gen_field_names[i];

        /* An empty list has no elements. */
        if (value->kind == GEN_ABSENT || value->kind == GEN_EMPTY_LIST)
            continue;
        LITERAL(rendered, "<");
        rendered_add(rendered, name, strlen(name));
        LITERAL(rendered, ">");
        write_text(rendered, fields->text + value->at, value->length, write_xml_byte);
        LITERAL(rendered, "</");
        rendered_add(rendered, name, strlen(name));
        LITERAL(rendered, ">");
    }
    LITERAL(rendered, "</usagerecord>");
}

static bool csv_needs_quotes(const char *text, size_t length, bool decimal_comma)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == PLACE_MARK && i + 1 < length) {
            char place = text[++i];

            if (decimal_comma && (place == PLACE_QUANTITY || place == PLACE_HUMAN))
                return true;
        } else if (text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r') {
            return true;
        }
    }
    return false;
}

/* All columns but tags, which are always empty here. */
static void render_csv(const struct fields *fields, unsigned field_end, bool decimal_comma,
                       struct rendered *rendered)
{
    for (unsigned i = 0; i < field_end && i < GEN_TAGS; i++) {
        const struct field_text *value = &fields->values[i];
        const char *text = fields->text + value->at;
        bool quotes =
            value->kind != GEN_ABSENT && csv_needs_quotes(text, value->length, decimal_comma);

        if (i > 0)
            LITERAL(rendered, ",");
        if (quotes)
            LITERAL(rendered, "\"");
        if (value->kind != GEN_ABSENT)
            write_text(rendered, text, value->length, write_csv_byte);
        if (quotes)
            LITERAL(rendered, "\"");
    }
    LITERAL(rendered, "\r\n");
}

size_t form_csv_header(char *out)
{
    size_t length = 0;

    for (unsigned i = 0; i < GEN_TAGS; i++) {
        size_t name_length = strlen(gen_field_names[i]);

        if (i > 0)
            out[length++] = ',';
        memcpy(out + length, gen_field_names[i], name_length);
        length += name_length;
    }
    out[length++] = '\r';
    out[length++] = '\n';
    return length;
}

void form_render(const struct form_options *options, struct fields *fields, enum damage damage,
                 struct rendered *rendered)
{
    unsigned field_end = damage == DAMAGE_CUT ? GEN_USAGETYPE : GEN_FIELD_COUNT;

    rendered->length = rendered->place_count = 0;
    if (damage == DAMAGE_MISSING)
        fields->values[GEN_RAWUSAGE].kind = GEN_ABSENT;
    if (damage == DAMAGE_TYPE) {
        fields->values[GEN_USAGETYPE].kind = GEN_ABSENT;
        fields_set_number(fields, GEN_USAGETYPE, 9901);
    }
    switch (options->form) {
    case FORM_XML:
        render_xml(fields, field_end, rendered);
        break;
    case FORM_CSV:
        render_csv(fields, field_end, options->decimal_comma, rendered);
        break;
    case FORM_MSGPACK:
        form_render_msgpack(options, fields, field_end, rendered);
        break;
    default:
        render_json(fields, rendered);
        if (options->form == FORM_NDJSON)
            LITERAL(rendered, "\n");
    }
    assert(rendered->length < RENDERED_BYTES_MAX);
}

static char *put(char *out, const char *bytes, size_t length)
{
    memcpy(out, bytes, length);
    return out + length;
}

char *form_fill(char *out, const char *bytes, uint32_t length, const struct open_place *places,
                uint32_t place_count, const struct filling *filling)
{
    uint32_t done = 0;
    char *opened = NULL;

    for (uint32_t i = 0; i < place_count; i++) {
        out = put(out, bytes + done, places[i].at - done);
        done = places[i].at;
        switch (places[i].place) {
        case PLACE_QUANTITY:
            out = put(out, filling->quantity, filling->quantity_length);
            break;
        case PLACE_HUMAN:
            out += number_human(out, filling->whole, filling->point);
            break;
        case PLACE_START:
            out = put(out, filling->start, filling->date_bytes);
            break;
        case PLACE_END:
            out = put(out, filling->end, filling->date_bytes);
            break;
        case PLACE_SHORT_QUANTITY:
            assert(filling->quantity_length < 32);
            *out++ = (char)(0xa0 | filling->quantity_length);
            out = put(out, filling->quantity, filling->quantity_length);
            break;
        case PLACE_STRING_OPEN:
            opened = out;
            out += 3;
            break;
        default:
            assert(places[i].place == PLACE_STRING_CLOSE && opened);
            opened[0] = (char)0xda;
            opened[1] = (char)((out - opened - 3) >> 8);
            opened[2] = (char)(out - opened - 3);
        }
    }
    return put(out, bytes + done, length - done);
}

/* The end of the nth quote in the record. */
static size_t nth_quote(const char *record, size_t length, unsigned n)
{
    size_t at = 0;

    while (at < length && n > 0)
        n -= record[at++] == '"';
    return at;
}

size_t form_damage_json(char *record, size_t length, enum damage damage, uint64_t use)
{
    bool line = length > 0 && record[length - 1] == '\n';
    size_t at;

    assert(length > 100);
    if (damage == DAMAGE_CUT) {
        length = length / 4 + use % (length / 2);
    } else if (damage == DAMAGE_QUOTE) {
        /* The quote that ends the first value; so many quotes are left that the string cannot come
         * out even. */
        at = nth_quote(record, length, 4);
        memmove(record + at - 1, record + at, length - at);
        return length - 1;
    } else {
        return length;
    }
    if (line)
        record[length++] = '\n';
    return length;
}
