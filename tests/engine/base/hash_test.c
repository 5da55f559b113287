#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "engine/base/seeded.h"

/* Published values: RFC 3720 B.4 and the usual check string. */
static void test_crc32c__gives_the_published_values(void **state)
{
    (void)state;
    char zeros[32] = {0}, ones[32], rising[32], falling[32];
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++) {
        rising[i] = (char)i;
        falling[i] = (char)(31 - i);
    }
    const struct {
        const char *data;
        size_t length;
        uint32_t expected;
    } rows[] = {
        {"123456789", 9, 0xe3069283}, {zeros, 32, 0x8a9136aa},   {ones, 32, 0x62a8ab43},
        {rising, 32, 0x46dd794e},     {falling, 32, 0x113fdb5c}, {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(crc32c(0, rows[i].data, rows[i].length), rows[i].expected);
        assert_int_equal(crc32c_portable(0, rows[i].data, rows[i].length), rows[i].expected);
    }
}

static void test_crc32c__instruction_and_table_agree_at_every_length_and_alignment(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)seeded_u64(&seeded);
    for (size_t start = 0; start < 9; start++) {
        for (size_t length = 0; start + length <= sizeof bytes; length++) {
            uint32_t before = (uint32_t)seeded_u64(&seeded);
            assert_int_equal(crc32c(before, bytes + start, length),
                             crc32c_portable(before, bytes + start, length));
        }
    }
}

static void test_crc32c__long_runs_agree_with_the_table(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    static unsigned char bytes[70000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)seeded_u64(&seeded);
    for (size_t length = 700; length < sizeof bytes - 8;
         length += length < 13000 ? 1 + length % 5 : 997) {
        uint32_t before = (uint32_t)seeded_u64(&seeded);
        size_t start = length % 9;
        assert_int_equal(crc32c(before, bytes + start, length),
                         crc32c_portable(before, bytes + start, length));
    }
}

static void test_crc32c__parts_give_what_the_whole_gives(void **state)
{
    (void)state;
    static const char text[] = "a frame that is written in two parts";
    uint32_t whole = crc32c(0, text, sizeof text);
    for (size_t cut = 0; cut <= sizeof text; cut++)
        assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, sizeof text - cut), whole);
}

static void test_hash__depends_on_bytes_and_seed_alone(void **state)
{
    (void)state;
    char copy[] = "acme";
    assert_true(hash64(SLICE("acme"), 1) == hash64(slice_string(copy), 1));
    assert_true(hash64(SLICE("acme"), 1) != hash64(SLICE("acme"), 2));
    assert_true(hash64(SLICE("acme"), 1) != hash64(SLICE("acmf"), 1));
    struct hash128 hash = hash128(SLICE("acme"), 1);
    assert_true(hash128_equal(hash, hash128(slice_string(copy), 1)));
    assert_false(hash128_equal(hash, hash128(SLICE("acme"), 2)));
    assert_true(hash64((struct slice){NULL, 0}, 7) == hash64(SLICE(""), 7));
    assert_true(hash128_equal(hash128((struct slice){NULL, 0}, 7), hash128(SLICE(""), 7)));
}

/* Hashes are stored: another library version must not change them. XXH3's values are frozen since
 * 0.8.0; these are its own test suite's for an empty input. */
static void test_hash__values_are_xxh3s(void **state)
{
    (void)state;
    assert_true(hash64(SLICE(""), 0) == 0x2d06800538d394c2u);
    struct hash128 hash = hash128(SLICE(""), 0);
    assert_true(hash.low == 0x6001c324468d497fu && hash.high == 0x99aa06d3014798d8u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c__gives_the_published_values),
        cmocka_unit_test(test_crc32c__instruction_and_table_agree_at_every_length_and_alignment),
        cmocka_unit_test(test_crc32c__long_runs_agree_with_the_table),
        cmocka_unit_test(test_crc32c__parts_give_what_the_whole_gives),
        cmocka_unit_test(test_hash__depends_on_bytes_and_seed_alone),
        cmocka_unit_test(test_hash__values_are_xxh3s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
