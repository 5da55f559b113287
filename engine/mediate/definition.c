#include "mediate/definition.h"

#include <assert.h>

#define DEFINITION_FORMAT 1
#define VARINT_BYTES      10 /* at most */
#define UUID_BYTES        36

static_assert(NAME_CODES == ATTRIBUTE_CODES, "codes are those of rate/attribute.h");
static_assert(IDENTITY_ATTRIBUTE + NAME_CODES <= IDENTITY_PARTS, "each code has its keys");

enum name_code definition_name_code(struct slice name)
{
    return (enum name_code)attribute_code(name);
}

static inline enum name_code code_of(const struct definition *definition, uint32_t attribute)
{
    return definition->coded ? (enum name_code)definition->codes[attribute]
                             : definition_name_code(definition->attributes[attribute].name);
}

/* What pack_slice of it takes at most. */
static inline size_t slice_room(struct slice slice)
{
    return VARINT_BYTES + slice.length;
}

/* What definition_pack writes at most. */
static size_t room_for(const struct definition *definition)
{
    size_t room = 3 + VARINT_BYTES + slice_room(definition->source) +
                  slice_room(definition->meter_name) + slice_room(definition->payer_id) +
                  slice_room(definition->account_name) + slice_room(definition->domain) +
                  slice_room(definition->name) + slice_room(definition->description);
    for (uint32_t i = 0; i < definition->attribute_count; i++)
        room += 1 + slice_room(definition->attributes[i].name) +
                slice_room(definition->attributes[i].value);
    return room;
}

/* As pack_varint and pack_slice, where there is room. */
static inline char *put_varint(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

static inline char *put_slice(char *at, struct slice slice)
{
    at = put_varint(at, slice.length);
    if (slice.length == UUID_BYTES) /* most are: no call */
        memcpy(at, slice.data, UUID_BYTES);
    else if (slice.length)
        memcpy(at, slice.data, slice.length);
    return at + slice.length;
}

void definition_pack(const struct definition *definition, struct packer *packer)
{
    assert(definition->attribute_count <= DEFINITION_ATTRIBUTES_MAX);
    char *at = pack_room(packer, room_for(definition));
    if (!at)
        return;
    *at++ = DEFINITION_FORMAT;
    *at++ = (char)definition->usage_type;
    *at++ = (char)definition->payer_kind;
    at = put_slice(at, definition->source);
    at = put_slice(at, definition->usage_type ? (struct slice){0} : definition->meter_name);
    at = put_slice(at, definition->payer_id);
    at = put_varint(at, definition->attribute_count);
    for (uint32_t i = 0; i < definition->attribute_count; i++) {
        const struct where_term *attribute = &definition->attributes[i];
        uint8_t code = (uint8_t)code_of(definition, i);
        /* Codes are in the order of their names. */
        assert(i == 0 || (code && code_of(definition, i - 1) < code) ||
               slice_compare(definition->attributes[i - 1].name, attribute->name) < 0);
        *at++ = (char)code;
        if (!code)
            at = put_slice(at, attribute->name);
        at = put_slice(at, attribute->value);
    }
    at = put_slice(at, definition->account_name);
    at = put_slice(at, definition->domain);
    at = put_slice(at, definition->name);
    at = put_slice(at, definition->description);
    pack_took(packer, at);
}

/* unpack_slice, without a call for what is shorter than 128 bytes: nearly all is. After a failure
 * what comes out means nothing, as with unpack_slice. */
static inline struct slice take_slice(struct unpacker *in)
{
    size_t left = (size_t)(in->end - in->at);
    if (left == 0 || (uint8_t)in->at[0] >= 0x80 || (uint8_t)in->at[0] > left - 1)
        return unpack_slice(in);
    struct slice taken = {in->at + 1, (uint8_t)in->at[0]};
    in->at += 1 + taken.length;
    return taken;
}

static inline uint8_t take_u8(struct unpacker *in)
{
    return in->at < in->end ? (uint8_t)*in->at++ : unpack_u8(in);
}

/* What stands before the attributes. */
struct head {
    uint8_t usage_type;
    uint8_t payer_kind;
    struct slice source;
    struct slice meter_name;
    const struct meter *meter;
    struct slice payer_id;
};

static inline enum status head_unpack(struct unpacker *in, struct head *ret)
{
    if (take_u8(in) != DEFINITION_FORMAT)
        return STATUS_CORRUPT;
    ret->usage_type = take_u8(in);
    ret->payer_kind = take_u8(in);
    ret->source = take_slice(in);
    ret->meter_name = take_slice(in);
    ret->payer_id = take_slice(in);
    if (in->failed || ret->payer_kind < PAYER_ACCOUNT || ret->payer_kind > PAYER_NAME)
        return STATUS_CORRUPT;
    if (ret->usage_type) {
        ret->meter = meter_by_usage_type(ret->usage_type);
        if (!ret->meter)
            return STATUS_CORRUPT;
        ret->meter_name = meter_name(ret->meter);
    } else {
        /* A plain event may use one of CloudStack's meters: it then has its base unit and pricing.
         */
        ret->meter = meter_by_name(ret->meter_name);
    }
    return STATUS_OK;
}

/* `positions` may be NULL. */
static inline enum status attributes_unpack(struct unpacker *in, struct where_term *attributes,
                                            uint32_t *ret_count, uint8_t *positions)
{
    uint64_t count = unpack_varint(in);
    if (in->failed || count > DEFINITION_ATTRIBUTES_MAX)
        return STATUS_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t code = take_u8(in);
        if (code >= ATTRIBUTE_CODES)
            return STATUS_CORRUPT;
        attributes[i].name = code ? attribute_names[code] : take_slice(in);
        attributes[i].value = take_slice(in);
        if (positions && code)
            positions[code] = (uint8_t)(i + 1);
    }
    *ret_count = (uint32_t)count;
    return in->failed ? STATUS_CORRUPT : STATUS_OK;
}

enum status definition_unpack(struct slice packed, struct definition *ret)
{
    struct unpacker in;
    struct head head;
    unpack_init(&in, packed);
    if (head_unpack(&in, &head) != STATUS_OK ||
        attributes_unpack(&in, ret->attributes, &ret->attribute_count, NULL) != STATUS_OK)
        return STATUS_CORRUPT;
    ret->coded = false;
    ret->usage_type = head.usage_type;
    ret->payer_kind = head.payer_kind;
    ret->source = head.source;
    ret->meter_name = head.meter_name;
    ret->meter = head.meter;
    ret->payer_id = head.payer_id;
    ret->account_name = take_slice(&in);
    ret->domain = take_slice(&in);
    ret->name = take_slice(&in);
    ret->description = take_slice(&in);
    return in.failed || !unpack_at_end(&in) ? STATUS_CORRUPT : STATUS_OK;
}

enum status definition_peek(struct slice packed, struct definition_key *ret)
{
    struct unpacker in;
    struct head head;
    unpack_init(&in, packed);
    memset(ret->positions, 0, sizeof(ret->positions));
    if (head_unpack(&in, &head) != STATUS_OK ||
        attributes_unpack(&in, ret->attributes, &ret->view.attribute_count, ret->positions) !=
            STATUS_OK)
        return STATUS_CORRUPT;
    ret->view.payer_id = head.payer_id;
    ret->view.meter_name = head.meter_name;
    ret->view.meter = head.meter;
    ret->view.attributes = ret->attributes;
    ret->view.positions = ret->positions;
    return STATUS_OK;
}

enum status definition_level(struct slice packed, bool *ret)
{
    struct unpacker in;
    struct head head;
    unpack_init(&in, packed);
    if (head_unpack(&in, &head) != STATUS_OK)
        return STATUS_CORRUPT;
    *ret = head.meter && head.meter->level;
    return STATUS_OK;
}

static inline void add_part(struct identity *identity, const struct identity_keys *keys,
                            unsigned part, struct slice value)
{
    if (value.length == UUID_BYTES) {
        identity_add_uuid(identity, keys, part, value.data);
        return;
    }
    /* Apart, so that `identity` can stay in registers. */
    struct identity other = {0};
    identity_add(&other, keys, part, value);
    identity_join(identity, &other);
}

struct hash128 definition_identity(const struct definition *definition,
                                   const struct identity_keys *keys)
{
    assert(definition->payer_kind >= PAYER_ACCOUNT && definition->payer_kind <= PAYER_NAME);
    struct identity identity = {0};
    if (definition->usage_type)
        identity_add_number(&identity, keys, IDENTITY_TYPE, definition->usage_type);
    else
        identity_add(&identity, keys, IDENTITY_METER, definition->meter_name);
    identity_add(&identity, keys, IDENTITY_SOURCE, definition->source);
    add_part(&identity, keys, IDENTITY_PAYER + (unsigned)definition->payer_kind,
             definition->payer_id);
    for (uint32_t i = 0; i < definition->attribute_count; i++) {
        const struct where_term *attribute = &definition->attributes[i];
        enum name_code code = code_of(definition, i);
        if (code)
            add_part(&identity, keys, IDENTITY_ATTRIBUTE + (unsigned)code, attribute->value);
        else
            identity_add_named(&identity, keys, attribute->name, attribute->value);
    }
    return identity_hash(&identity, keys);
}

struct slice definition_attribute(const struct definition *definition, const char *canonical_name)
{
    for (uint32_t i = 0; i < definition->attribute_count; i++)
        if (slice_is(definition->attributes[i].name, canonical_name))
            return definition->attributes[i].value;
    return (struct slice){0};
}

struct slice definition_resource(const struct definition *definition)
{
    static const char *const order[] = {"resource", "vm", "description"};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct slice value = definition_attribute(definition, order[i]);
        if (value.length)
            return value;
    }
    return (struct slice){0};
}

struct series_view definition_view(const struct definition *definition)
{
    return (struct series_view){
        .payer_id = definition->payer_id,
        .meter_name = definition->meter_name,
        .meter = definition->meter,
        .attributes = definition->attributes,
        .attribute_count = definition->attribute_count,
    };
}
