#include "gen/fields.h"

#include <assert.h>
#include <string.h>

const char *const gen_field_names[GEN_FIELD_COUNT] = {
#define X(name, wire) [GEN_##name] = wire,
    GEN_FIELDS(X)
#undef X
};

void fields_reset(struct fields *fields)
{
    memset(fields->values, 0, sizeof fields->values);
    fields->used = 0;
}

static void append(struct fields *fields, const char *bytes, size_t length)
{
    struct field_text *value = &fields->values[fields->open];

    assert(value->kind != GEN_ABSENT && value->at + value->length == fields->used);
    assert(fields->used + length <= FIELDS_TEXT_BYTES);
    memcpy(fields->text + fields->used, bytes, length);
    value->length += (uint32_t)length;
    fields->used += length;
}

void fields_begin(struct fields *fields, enum gen_field field, enum gen_value kind)
{
    assert(fields->values[field].kind == GEN_ABSENT && kind != GEN_ABSENT);
    fields->values[field] = (struct field_text){(uint32_t)fields->used, 0, kind};
    fields->open = field;
}

void fields_add(struct fields *fields, const char *text)
{
    append(fields, text, strlen(text));
}

void fields_add_number(struct fields *fields, uint64_t number)
{
    char text[NUMBER_BYTES];

    append(fields, text, number_u64(text, number));
}

void fields_add_human(struct fields *fields, uint64_t bytes, char point)
{
    char text[NUMBER_BYTES];

    append(fields, text, number_human(text, bytes, point));
}

void fields_add_place(struct fields *fields, enum place place)
{
    char mark[2] = {PLACE_MARK, (char)place};

    append(fields, mark, 2);
}

void fields_add_uuid(struct fields *fields, uint64_t seed, enum kind kind, uint64_t number)
{
    char text[UUID_BYTES];

    uuid_text(text, seed, kind, number);
    append(fields, text, UUID_BYTES);
}

void fields_set(struct fields *fields, enum gen_field field, const char *text)
{
    fields_begin(fields, field, GEN_STRING);
    fields_add(fields, text);
}

void fields_set_number(struct fields *fields, enum gen_field field, uint64_t number)
{
    fields_begin(fields, field, GEN_NUMBER);
    fields_add_number(fields, number);
}

void fields_set_boolean(struct fields *fields, enum gen_field field, bool value)
{
    fields_begin(fields, field, GEN_BOOLEAN);
    fields_add(fields, value ? "true" : "false");
}

void fields_set_place(struct fields *fields, enum gen_field field, enum place place)
{
    fields_begin(fields, field, GEN_STRING);
    fields_add_place(fields, place);
}

void fields_set_uuid(struct fields *fields, enum gen_field field, uint64_t seed, enum kind kind,
                     uint64_t number)
{
    fields_begin(fields, field, GEN_STRING);
    fields_add_uuid(fields, seed, kind, number);
}
