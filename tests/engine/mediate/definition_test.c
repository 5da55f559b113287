/* Packed definitions: reading them fast against reading them plainly, whole, cut and mutated. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "mediate/definition.h"

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % limit);
}

/* The format as the header says it, field by field. */
static enum status plain_unpack(struct slice packed, struct definition *ret)
{
    struct unpacker in;
    unpack_init(&in, packed);
    if (unpack_u8(&in) != 1)
        return STATUS_CORRUPT;
    ret->usage_type = unpack_u8(&in);
    ret->payer_kind = unpack_u8(&in);
    ret->source = unpack_slice(&in);
    ret->meter_name = unpack_slice(&in);
    ret->payer_id = unpack_slice(&in);
    uint64_t count = unpack_varint(&in);
    if (in.failed || count > DEFINITION_ATTRIBUTES_MAX || ret->payer_kind < PAYER_ACCOUNT ||
        ret->payer_kind > PAYER_NAME)
        return STATUS_CORRUPT;
    ret->attribute_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t code = unpack_u8(&in);
        if (code >= ATTRIBUTE_CODES)
            return STATUS_CORRUPT;
        ret->attributes[i].name = code ? attribute_names[code] : unpack_slice(&in);
        ret->attributes[i].value = unpack_slice(&in);
    }
    ret->account_name = unpack_slice(&in);
    ret->domain = unpack_slice(&in);
    ret->name = unpack_slice(&in);
    ret->description = unpack_slice(&in);
    if (in.failed || !unpack_at_end(&in))
        return STATUS_CORRUPT;
    ret->meter =
        ret->usage_type ? meter_by_usage_type(ret->usage_type) : meter_by_name(ret->meter_name);
    if (ret->usage_type && !ret->meter)
        return STATUS_CORRUPT;
    if (ret->usage_type)
        ret->meter_name = slice_string(ret->meter->name);
    return STATUS_OK;
}

static char letters[400];

/* Lengths on both sides of what a varint of one byte says. */
static struct slice text(void)
{
    static const uint32_t lengths[] = {0, 1, 4, 36, 126, 127, 128, 129, 300};
    return slice_of(letters + below(50), lengths[below(sizeof(lengths) / sizeof(lengths[0]))]);
}

static void definition_make(struct definition *definition)
{
    static const char *const own[] = {"aardvark", "flavour", "tier", "zzz"};
    bool plain = below(2);
    *definition = (struct definition){
        .usage_type = plain ? 0 : (uint8_t)(below(2) ? 1 + below(14) : 21 + below(11)),
        .payer_kind = (uint8_t)(1 + below(3)),
        .source = text(),
        .meter_name = below(3) ? text() : meter_names[below(METER_BUILTIN_COUNT)],
        .payer_id = text(),
        .account_name = text(),
        .domain = text(),
        .name = text(),
        .description = text(),
    };
    for (uint8_t code = 1; code < ATTRIBUTE_CODES; code++)
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
            struct slice name = i ? slice_string(own[i]) : attribute_names[code];
            uint32_t count = definition->attribute_count;
            if (below(2) ||
                (count && slice_compare(definition->attributes[count - 1].name, name) >= 0))
                continue;
            definition->attributes[definition->attribute_count++] =
                (struct where_term){name, text()};
        }
}

static bool attributes_equal(const struct where_term *a, const struct where_term *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!slice_equal(a[i].name, b[i].name) || !slice_equal(a[i].value, b[i].value))
            return false;
    return true;
}

static bool equal(const struct definition *a, const struct definition *b)
{
    return a->usage_type == b->usage_type && a->payer_kind == b->payer_kind &&
           slice_equal(a->source, b->source) && slice_equal(a->meter_name, b->meter_name) &&
           a->meter == b->meter && slice_equal(a->payer_id, b->payer_id) &&
           a->attribute_count == b->attribute_count &&
           attributes_equal(a->attributes, b->attributes, a->attribute_count) &&
           slice_equal(a->account_name, b->account_name) && slice_equal(a->domain, b->domain) &&
           slice_equal(a->name, b->name) && slice_equal(a->description, b->description);
}

/* The view says of a good definition what the whole says, and where each attribute stands. */
static void check_key(const struct definition *whole, const struct definition_key *key)
{
    struct series_view view = definition_view(whole);
    assert_true(slice_equal(key->view.payer_id, view.payer_id));
    assert_true(slice_equal(key->view.meter_name, view.meter_name));
    assert_ptr_equal(key->view.meter, view.meter);
    assert_int_equal(key->view.attribute_count, view.attribute_count);
    assert_true(attributes_equal(key->view.attributes, view.attributes, view.attribute_count));
}

static void check_positions(const struct definition *whole, const struct definition_key *key)
{
    uint8_t positions[ATTRIBUTE_CODES] = {0};
    for (uint32_t i = 0; i < whole->attribute_count; i++)
        positions[attribute_code(whole->attributes[i].name)] = (uint8_t)(i + 1);
    positions[0] = 0;
    assert_memory_equal(key->view.positions, positions, sizeof(positions));
}

/* A copy that ends where its memory ends. */
static struct slice exact(struct slice bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes.data, length);
    return slice_of(copy, length);
}

static void check_bytes(struct slice bytes)
{
    static struct definition fast, plain;
    static struct definition_key key;
    enum status expected = plain_unpack(bytes, &plain);
    assert_int_equal(definition_unpack(bytes, &fast), expected);
    enum status peeked = definition_peek(bytes, &key);
    if (expected != STATUS_OK)
        return;
    assert_true(equal(&fast, &plain));
    assert_int_equal(peeked, STATUS_OK);
    check_key(&plain, &key);
}

static size_t descriptive_bytes(const struct definition *definition)
{
    struct packer packer;
    pack_init(&packer);
    pack_slice(&packer, definition->account_name);
    pack_slice(&packer, definition->domain);
    pack_slice(&packer, definition->name);
    pack_slice(&packer, definition->description);
    size_t length = packer.length;
    pack_fini(&packer);
    return length;
}

static void test_definition__is_read_as_the_format_says(void **state)
{
    (void)state;
    static struct definition made, unpacked;
    static struct definition_key key;
    int rounds = getenv("RATEL_LONG") ? 100000 : 5000;
    struct packer packer;
    pack_init(&packer);
    for (size_t i = 0; i < sizeof(letters); i++)
        letters[i] = (char)('a' + i % 26);
    for (int i = 0; i < rounds; i++) {
        seed = (uint64_t)i << 32;
        definition_make(&made);
        pack_reset(&packer);
        definition_pack(&made, &packer);
        size_t identity_bytes = packer.length - descriptive_bytes(&made);
        struct slice packed = exact(pack_done(&packer), packer.length);
        if (made.usage_type) {
            made.meter = meter_by_usage_type(made.usage_type);
            made.meter_name = meter_name(made.meter);
        } else {
            made.meter = meter_by_name(made.meter_name);
        }
        assert_int_equal(definition_unpack(packed, &unpacked), STATUS_OK);
        assert_true(equal(&unpacked, &made));
        assert_int_equal(definition_peek(packed, &key), STATUS_OK);
        check_positions(&made, &key);
        for (int j = 0; j < 20; j++) {
            struct slice cut = exact(packed, below((uint32_t)packed.length));
            assert_int_equal(definition_unpack(cut, &unpacked), STATUS_CORRUPT);
            if (cut.length < identity_bytes)
                assert_int_equal(definition_peek(cut, &key), STATUS_CORRUPT);
            free((void *)cut.data);
            struct slice mutated = exact(packed, packed.length);
            for (uint32_t times = 1 + below(3); times > 0; times--)
                ((char *)mutated.data)[below((uint32_t)packed.length)] = (char)below(256);
            check_bytes(mutated);
            free((void *)mutated.data);
        }
        free((void *)packed.data);
    }
    pack_fini(&packer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition__is_read_as_the_format_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
