#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/pack.h"
#include "engine/base/seeded.h"

static void test_pack__bytes_on_disk_are_little_endian(void **state)
{
    (void)state;
    struct packer packer;
    pack_init(&packer);
    pack_u8(&packer, 0x01);
    pack_u32(&packer, 0x12345678);
    pack_u64(&packer, 0x1122334455667788);
    pack_i128(&packer, -2);
    pack_varint(&packer, 300);
    pack_slice(&packer, SLICE("acme"));
    pack_bytes(&packer, "xy", 2);
    static const unsigned char expected[] = {
        0x01, 0x78, 0x56, 0x34, 0x12, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xac, 0x02, 4,    'a',  'c',  'm',  'e',  'x',  'y',
    };
    assert_int_equal(pack_done(&packer).length, sizeof expected);
    assert_memory_equal(pack_done(&packer).data, expected, sizeof expected);
    pack_fini(&packer);
}

/* One value of a kind, drawn the same way for writing and for checking. */
struct item {
    uint64_t kind;
    uint64_t value;
    int128 wide;
    char text[64];
    struct slice slice;
};

static void item_draw(struct seeded *seeded, struct item *item)
{
    item->kind = seeded_below(seeded, 6);
    item->value = seeded_u64(seeded) >> seeded_below(seeded, 64);
    item->wide = seeded_i128(seeded);
    memset(item->text, (char)item->value, sizeof item->text);
    item->slice = slice_of(item->text, item->value % sizeof item->text);
}

static void item_pack(struct packer *packer, const struct item *item)
{
    switch (item->kind) {
    case 0:
        pack_u8(packer, (uint8_t)item->value);
        break;
    case 1:
        pack_u32(packer, (uint32_t)item->value);
        break;
    case 2:
        pack_u64(packer, item->value);
        break;
    case 3:
        pack_i128(packer, item->wide);
        break;
    case 4:
        pack_varint(packer, item->value);
        break;
    default:
        pack_slice(packer, item->slice);
        break;
    }
}

static bool item_unpacks(struct unpacker *unpacker, const struct item *item)
{
    switch (item->kind) {
    case 0:
        return unpack_u8(unpacker) == (uint8_t)item->value;
    case 1:
        return unpack_u32(unpacker) == (uint32_t)item->value;
    case 2:
        return unpack_u64(unpacker) == item->value;
    case 3:
        return unpack_i128(unpacker) == item->wide;
    case 4:
        return unpack_varint(unpacker) == item->value;
    default:
        return slice_equal(unpack_slice(unpacker), item->slice);
    }
}

static void test_pack__random_sequences_round_trip(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    struct packer packer;
    struct item item;
    pack_init(&packer);
    for (int round = 0; round < 5000; round++) {
        pack_reset(&packer);
        struct seeded replay = seeded;
        uint64_t count = seeded_below(&seeded, 40);
        for (uint64_t i = 0; i < count; i++) {
            item_draw(&seeded, &item);
            item_pack(&packer, &item);
        }
        struct unpacker unpacker;
        unpack_init(&unpacker, pack_done(&packer));
        count = seeded_below(&replay, 40);
        for (uint64_t i = 0; i < count; i++) {
            item_draw(&replay, &item);
            if (!item_unpacks(&unpacker, &item))
                fail_msg("round %d, item %d, seed %llu", round, (int)i,
                         (unsigned long long)seeded.seed);
        }
        assert_true(unpack_at_end(&unpacker) && !unpacker.failed);
    }
    pack_fini(&packer);
}

static void test_unpack__a_cut_anywhere_fails_and_stays_failed(void **state)
{
    (void)state;
    struct packer packer;
    pack_init(&packer);
    pack_u32(&packer, 7);
    pack_varint(&packer, UINT64_MAX);
    pack_slice(&packer, SLICE("series"));
    pack_i128(&packer, 5);
    struct slice whole = pack_done(&packer);
    for (size_t length = 0; length < whole.length; length++) {
        char *copy = malloc(length ? length : 1); /* exactly sized: a sanitizer watches its end */
        memcpy(copy, whole.data, length);
        struct unpacker unpacker;
        unpack_init(&unpacker, slice_of(copy, length));
        (void)unpack_u32(&unpacker);
        (void)unpack_varint(&unpacker);
        (void)unpack_slice(&unpacker);
        assert_true(unpack_i128(&unpacker) == 0);
        assert_true(unpacker.failed);
        assert_int_equal(unpack_u8(&unpacker), 0);
        free(copy);
    }
    pack_fini(&packer);
}

static void test_unpack_varint__takes_one_encoding_per_value(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        bool good;
        uint64_t value;
    } rows[] = {
        {"\x00", 1, true, 0},
        {"\x7f", 1, true, 127},
        {"\x80\x01", 2, true, 128},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, UINT64_MAX},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false, 0}, /* 65 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, 0},
        {"\x80\x00", 2, false, 0}, /* padded */
        {"\x80", 1, false, 0},
        {"", 0, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct unpacker unpacker;
        unpack_init(&unpacker, slice_of(rows[i].bytes, rows[i].length));
        assert_true(unpack_varint(&unpacker) == rows[i].value);
        assert_int_equal(unpacker.failed, !rows[i].good);
    }
}

static void test_unpack_slice__a_huge_length_fails(void **state)
{
    (void)state;
    struct packer packer;
    pack_init(&packer);
    pack_varint(&packer, UINT64_MAX);
    pack_u8(&packer, 1);
    struct unpacker unpacker;
    unpack_init(&unpacker, pack_done(&packer));
    assert_int_equal(unpack_slice(&unpacker).length, 0);
    assert_true(unpacker.failed);
    pack_fini(&packer);
    unpack_init(&unpacker, (struct slice){NULL, 0});
    assert_true(unpack_at_end(&unpacker));
}

static void test_pack__a_failed_allocation_is_kept_until_the_end(void **state)
{
    (void)state;
    struct packer packer;
    pack_init(&packer);
    pack_u8(&packer, 1);
    pack_bytes(&packer, "", SIZE_MAX / 2); /* refused before a byte is read */
    assert_true(packer.failed);
    pack_u8(&packer, 2);
    assert_int_equal(pack_done(&packer).length, 1);
    pack_reset(&packer);
    assert_false(packer.failed);
    pack_fini(&packer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack__bytes_on_disk_are_little_endian),
        cmocka_unit_test(test_pack__random_sequences_round_trip),
        cmocka_unit_test(test_unpack__a_cut_anywhere_fails_and_stays_failed),
        cmocka_unit_test(test_unpack_varint__takes_one_encoding_per_value),
        cmocka_unit_test(test_unpack_slice__a_huge_length_fails),
        cmocka_unit_test(test_pack__a_failed_allocation_is_kept_until_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
