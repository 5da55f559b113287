#include "mediate/definition.h"

#include <assert.h>

#define DEFINITION_FORMAT 1

/* Attribute names that CloudStack's records bear are stored as one byte; order is on disk: append
 * only. 0: the name follows. */
static const char *const name_codes[] = {
    NULL,       "cpunumber",   "cpuspeed", "description", "isdefault", "issourcenat",
    "issystem", "memory",      "network",  "offering",    "resource",  "size",
    "template", "virtualsize", "vm",       "vpc",         "zone",
};
#define NAME_CODES (sizeof(name_codes) / sizeof(name_codes[0]))

static uint8_t code_of(struct slice name)
{
    for (size_t i = 1; i < NAME_CODES; i++)
        if (slice_is(name, name_codes[i]))
            return (uint8_t)i;
    return 0;
}

void definition_pack(const struct definition *definition, struct packer *packer,
                     size_t *ret_identity_bytes)
{
    assert(definition->attribute_count <= DEFINITION_ATTRIBUTES_MAX);
    size_t begin = packer->length;
    pack_u8(packer, DEFINITION_FORMAT);
    pack_u8(packer, definition->usage_type);
    pack_u8(packer, definition->payer_kind);
    pack_slice(packer, definition->source);
    pack_slice(packer, definition->usage_type ? (struct slice){0} : definition->meter_name);
    pack_slice(packer, definition->payer_id);
    pack_varint(packer, definition->attribute_count);
    for (uint32_t i = 0; i < definition->attribute_count; i++) {
        const struct where_term *attribute = &definition->attributes[i];
        assert(i == 0 || slice_compare(definition->attributes[i - 1].name, attribute->name) < 0);
        uint8_t code = code_of(attribute->name);
        pack_u8(packer, code);
        if (!code)
            pack_slice(packer, attribute->name);
        pack_slice(packer, attribute->value);
    }
    *ret_identity_bytes = packer->length - begin;
    pack_slice(packer, definition->account_name);
    pack_slice(packer, definition->domain);
    pack_slice(packer, definition->name);
    pack_slice(packer, definition->description);
}

enum status definition_unpack(struct slice packed, struct definition *ret)
{
    struct unpacker in;
    unpack_init(&in, packed);
    if (unpack_u8(&in) != DEFINITION_FORMAT)
        return STATUS_CORRUPT;
    ret->usage_type = unpack_u8(&in);
    ret->payer_kind = unpack_u8(&in);
    ret->source = unpack_slice(&in);
    ret->meter_name = unpack_slice(&in);
    ret->payer_id = unpack_slice(&in);
    uint64_t count = unpack_varint(&in);
    if (in.failed || count > DEFINITION_ATTRIBUTES_MAX)
        return STATUS_CORRUPT;
    ret->attribute_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t code = unpack_u8(&in);
        if (code >= NAME_CODES)
            return STATUS_CORRUPT;
        ret->attributes[i].name = code ? slice_string(name_codes[code]) : unpack_slice(&in);
        ret->attributes[i].value = unpack_slice(&in);
    }
    ret->account_name = unpack_slice(&in);
    ret->domain = unpack_slice(&in);
    ret->name = unpack_slice(&in);
    ret->description = unpack_slice(&in);
    if (in.failed || !unpack_at_end(&in))
        return STATUS_CORRUPT;
    ret->meter = ret->usage_type ? meter_by_usage_type(ret->usage_type) : NULL;
    if (ret->usage_type) {
        if (!ret->meter)
            return STATUS_CORRUPT;
        ret->meter_name = slice_string(ret->meter->name);
    } else {
        /* A plain event may use one of CloudStack's meters: it then has its base unit and pricing.
         */
        ret->meter = meter_by_name(ret->meter_name);
    }
    return STATUS_OK;
}

struct hash128 definition_hash(struct slice identity, uint64_t seed)
{
    struct hash128 hash = hash128(identity, seed);
    if (hash.low == 0 && hash.high == 0)
        hash.low = 1; /* both 0 marks a free slot in the tables */
    return hash;
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
