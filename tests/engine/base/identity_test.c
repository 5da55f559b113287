/* The identity hash: the formula of the header, parts in any order, and no collisions or patterns
 * among the keys that usage is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/identity.h"
#include "engine/base/seeded.h"

static struct identity_keys keys;

static int set_up(void **state)
{
    (void)state;
    identity_keys_init(&keys, 42);
    return 0;
}

/* ---- against the formula ------------------------------------------------------------------ */

/* The header's formula word by word and byte by byte. */
static void model_add(uint128 sum[2], unsigned part, const char *value, size_t length)
{
    uint64_t words[2 * IDENTITY_PAIRS] = {0};
    size_t first = 0;
    if (length > IDENTITY_VALUE_BYTES) {
        struct hash128 reduced = hash128(slice_of(value, length), keys.seed);
        first = 2 * IDENTITY_PAIRS - 2;
        words[first] = reduced.low;
        words[first + 1] = reduced.high;
        length = 0;
    } else {
        for (size_t i = 0; i <= length; i++)
            words[i / 8] |= (i < length ? (uint64_t)(unsigned char)value[i] : 1) << i % 8 * 8;
        length = length / 8 * 8 + 8;
    }
    size_t end = first ? first + 2 : (length + 15) / 16 * 2;
    for (int which = 0; which < 2; which++)
        for (size_t i = first; i < end; i += 2) {
            uint64_t a = words[i] + keys.parts[part].words[which][i];
            uint64_t b = words[i + 1] + keys.parts[part].words[which][i + 1];
            sum[which] += (uint128)a * b;
        }
}

static uint64_t model_fold(const uint64_t fold[3][2], uint128 sum)
{
    const uint64_t mask = UINT64_MAX;
    uint128 f[3];
    for (int i = 0; i < 3; i++)
        f[i] = (uint128)fold[i][1] << 64 | fold[i][0];
    uint128 total = f[0] + f[1] * (sum & mask) + f[2] * (sum >> 64);
    uint64_t x = (uint64_t)(total >> 64);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void test_identity__is_the_formula_of_its_header(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (size_t length = 0; length < 200; length++) {
        /* Exactly as long as the value, so that a read beyond it is seen. */
        char *value = malloc(length ? length : 1);
        for (size_t i = 0; i < length; i++)
            value[i] = (char)seeded_u64(&seeded);
        unsigned part = (unsigned)seeded_below(&seeded, IDENTITY_PARTS);
        struct identity identity = {{seeded_u64(&seeded), 7}};
        uint128 sum[2] = {identity.sum[0], identity.sum[1]};
        identity_add(&identity, &keys, part, slice_of(value, length));
        model_add(sum, part, value, length);
        if (identity.sum[0] != sum[0] || identity.sum[1] != sum[1])
            fail_msg("length %zu, seed %llu", length, (unsigned long long)seeded.seed);
        struct hash128 hash = identity_hash(&identity, &keys);
        assert_true(hash.low == model_fold(keys.fold[0], sum[0]));
        assert_true(hash.high == model_fold(keys.fold[1], sum[1]));
        free(value);
    }
}

static void test_identity__inline_forms_are_the_general_one(void **state)
{
    (void)state;
    static const char uuid[] = "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59";
    struct identity general = {0}, special = {0};
    identity_add(&general, &keys, 3, SLICE("0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59"));
    identity_add_uuid(&special, &keys, 3, uuid);
    assert_memory_equal(&general, &special, sizeof general);
    for (unsigned length = 0; length < 8; length++) {
        identity_add(&general, &keys, 9, slice_of("\xff\xfe\xfd\xfc\xfb\xfa\xf9", length));
        identity_add_short(&special, &keys, 9,
                           0xf9fafbfcfdfeffu & (((uint64_t)1 << 8 * length) - 1), length);
        assert_memory_equal(&general, &special, sizeof general);
    }
}

/* Ledgers are derived again when the program changes, but two programs of one version must agree,
 * whatever the machine. */
static void test_identity__known_values(void **state)
{
    (void)state;
    struct identity identity = {0};
    struct hash128 hash = identity_hash(&identity, &keys);
    assert_true(hash.low == 0x1d4c13b225350269u && hash.high == 0xf7cef2b9c16c2840u);
    identity_add_number(&identity, &keys, IDENTITY_TYPE, 1);
    identity_add(&identity, &keys, IDENTITY_SOURCE, SLICE("cloud"));
    identity_add_uuid(&identity, &keys, 8, "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59");
    hash = identity_hash(&identity, &keys);
    assert_true(hash.low == 0x17402e2474e87fadu && hash.high == 0xae93f7ab67291493u);
}

/* ---- sets ---------------------------------------------------------------------------------- */

#define PARTS 12

static struct hash128 hash_in_order(const unsigned order[PARTS], char values[PARTS][40])
{
    struct identity identity = {0}, later = {0};
    for (int i = 0; i < PARTS; i++) {
        /* Some are added up apart and joined, as a cache of parts does. */
        struct identity *into = order[i] % 3 == 0 ? &later : &identity;
        struct slice value = slice_string(values[order[i]]);
        if (order[i] < PARTS - 2)
            identity_add(into, &keys, IDENTITY_ATTRIBUTE + order[i], value);
        else
            identity_add_named(into, &keys, order[i] & 1 ? SLICE("model") : SLICE("tier"), value);
    }
    identity_join(&identity, &later);
    return identity_hash(&identity, &keys);
}

static void test_identity__the_order_of_parts_does_not_matter(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (int round = 0; round < 200; round++) {
        char values[PARTS][40];
        unsigned order[PARTS];
        for (unsigned i = 0; i < PARTS; i++) {
            snprintf(values[i], sizeof(values[i]), "%0*llx", (int)seeded_below(&seeded, 38),
                     (unsigned long long)seeded_u64(&seeded));
            order[i] = i;
        }
        struct hash128 first = hash_in_order(order, values);
        for (unsigned i = PARTS - 1; i > 0; i--) {
            unsigned j = (unsigned)seeded_below(&seeded, i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        assert_true(hash128_equal(hash_in_order(order, values), first));
        values[round % PARTS][0] ^= 1;
        assert_false(hash128_equal(hash_in_order(order, values), first));
    }
}

static void test_identity__empty_is_not_absent_and_names_matter(void **state)
{
    (void)state;
    static const struct {
        unsigned part; /* IDENTITY_NAMED: by name */
        const char *name;
        const char *value; /* NULL ends */
    } sets[][4] = {
        {{0}},
        {{8, "", ""}},
        {{9, "", ""}},
        {{8, "", ""}, {9, "", ""}},
        {{8, "", "a"}},
        {{9, "", "a"}},
        {{8, "", "a"}, {9, "", "b"}},
        {{8, "", "b"}, {9, "", "a"}},
        {{8, "", "ab"}, {9, "", ""}},
        {{8, "", ""}, {9, "", "ab"}},
        {{IDENTITY_NAMED, "a", ""}},
        {{IDENTITY_NAMED, "", "a"}},
        {{IDENTITY_NAMED, "a", "b"}, {IDENTITY_NAMED, "c", "d"}},
        {{IDENTITY_NAMED, "a", "d"}, {IDENTITY_NAMED, "c", "b"}},
        {{IDENTITY_NAMED, "b", "a"}, {IDENTITY_NAMED, "c", "d"}},
        {{IDENTITY_NAMED, "ab", "d"}, {IDENTITY_NAMED, "c", ""}},
        {{8, "", "12345678901234567890123456789012345678901234567"}},
        {{8, "", "123456789012345678901234567890123456789012345678"}},
        {{8, "", "1234567890123456789012345678901234567890123456789"}},
    };
    enum { COUNT = sizeof(sets) / sizeof(sets[0]) };
    struct hash128 hashes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        struct identity identity = {0};
        for (int j = 0; j < 4 && sets[i][j].value; j++)
            if (sets[i][j].part == IDENTITY_NAMED)
                identity_add_named(&identity, &keys, slice_string(sets[i][j].name),
                                   slice_string(sets[i][j].value));
            else
                identity_add(&identity, &keys, sets[i][j].part, slice_string(sets[i][j].value));
        hashes[i] = identity_hash(&identity, &keys);
        for (int j = 0; j < i; j++)
            if (hashes[j].low == hashes[i].low || hashes[j].high == hashes[i].high)
                fail_msg("sets %d and %d have a word in common", j, i);
    }
}

static void test_identity__another_seed_is_another_hash(void **state)
{
    (void)state;
    struct identity_keys other;
    identity_keys_init(&other, 43);
    struct identity one = {0}, two = {0};
    identity_add(&one, &keys, 8, SLICE("a"));
    identity_add(&two, &other, 8, SLICE("a"));
    struct hash128 a = identity_hash(&one, &keys), b = identity_hash(&two, &other);
    assert_true(a.low != b.low && a.high != b.high);
}

/* ---- collisions ---------------------------------------------------------------------------- */

#define KEYS_EACH 1250000
#define FAMILIES  8

/* Each family counts up in another way; value and place are those of real records. */
static struct hash128 structured(unsigned family, uint32_t n)
{
    struct identity identity = {0};
    char text[64];
    unsigned a = IDENTITY_ATTRIBUTE + 10, b = IDENTITY_ATTRIBUTE + 14;
    size_t length;
    identity_add_number(&identity, &keys, IDENTITY_TYPE, family == 7 ? n % 32 : 1);
    identity_add(&identity, &keys, IDENTITY_SOURCE, SLICE("cloud"));
    switch (family) {
    case 0: /* a counter in a UUID's last group */
    case 1: /* ... in its first */
    case 2: /* ... of another attribute */
        snprintf(text, sizeof text,
                 family == 1 ? "%08x-0000-4000-8000-000000000000"
                             : "00000000-0000-4000-9000-0000%08x",
                 (unsigned)n);
        identity_add_uuid(&identity, &keys, family == 2 ? b : a, text);
        break;
    case 3: /* two small numbers: swapped, they are another set */
        identity_add(&identity, &keys, a,
                     slice_of(text, (size_t)snprintf(text, sizeof text, "%u", n % 1118)));
        identity_add(&identity, &keys, b,
                     slice_of(text, (size_t)snprintf(text, sizeof text, "%u", n / 1118)));
        break;
    case 4: /* numbers of all lengths */
        length = (size_t)snprintf(text, sizeof text, "%llu",
                                  (unsigned long long)n * (n % 2 ? 1 : 1000003));
        identity_add(&identity, &keys, a, slice_of(text, length));
        identity_add(&identity, &keys, b, SLICE(""));
        break;
    case 5: /* runs of one byte, in two values of 0 to 59 bytes */
        memset(text, n / 3600 % 256, sizeof text);
        identity_add(&identity, &keys, a, slice_of(text, n % 60));
        identity_add(&identity, &keys, b, slice_of(text, n / 60 % 60));
        identity_add(&identity, &keys, IDENTITY_SOURCE + 1,
                     slice_of((const char *)&n, n / 3600 / 256 ? 4 : 3));
        break;
    case 6: /* single bits of a UUID-sized value, in pairs, with a number behind */
        memset(text, 0, sizeof text);
        text[n % 288 / 8] ^= (char)(1 << n % 8);
        text[n / 288 % 288 / 8] ^= (char)(1 << n / 288 % 8);
        identity_add(&identity, &keys, a, slice_of(text, 36));
        identity_add(&identity, &keys, b, slice_of((const char *)&n, sizeof n));
        break;
    default: /* by name, with the usage type counting too */
        identity_add_named(&identity, &keys, n & 1 ? SLICE("tier") : SLICE("model"),
                           slice_of((const char *)&n, sizeof n));
        break;
    }
    return identity_hash(&identity, &keys);
}

static void radix_sort(uint64_t *words, uint64_t *spare, size_t count)
{
    for (unsigned shift = 0; shift < 64; shift += 16) {
        static uint32_t places[65536];
        memset(places, 0, sizeof places);
        for (size_t i = 0; i < count; i++)
            places[words[i] >> shift & 0xffff]++;
        for (uint32_t i = 0, sum = 0; i < 65536; i++) {
            uint32_t own = places[i];
            places[i] = sum;
            sum += own;
        }
        for (size_t i = 0; i < count; i++)
            spare[places[words[i] >> shift & 0xffff]++] = words[i];
        uint64_t *kept = words;
        words = spare;
        spare = kept;
    }
}

/* Ten million sets and not one equal word among 64-bit halves: by chance there would be one in
 * 10^5 runs, and the seed is fixed. */
static void test_identity__structured_keys_do_not_collide(void **state)
{
    (void)state;
    size_t count = (size_t)FAMILIES * KEYS_EACH;
    uint64_t *low = malloc(count * sizeof *low), *high = malloc(count * sizeof *high);
    uint64_t *spare = malloc(count * sizeof *spare);
    assert_true(low && high && spare);
    uint64_t shared = 0;
    for (size_t i = 0; i < count; i++) {
        struct hash128 hash = structured((unsigned)(i / KEYS_EACH), (uint32_t)(i % KEYS_EACH));
        low[i] = hash.low;
        high[i] = hash.high;
        shared += hash.low == hash.high;
    }
    radix_sort(low, spare, count);
    radix_sort(high, spare, count);
    for (size_t i = 1; i < count; i++)
        shared += (low[i] == low[i - 1]) + (high[i] == high[i - 1]);
    assert_int_equal(shared, 0);
    free(low);
    free(high);
    free(spare);
}

/* Slots of a table half full, taken from the low bits: as many stay free as chance leaves. */
static void test_identity__low_bits_spread(void **state)
{
    (void)state;
    enum { SLOTS = 1 << 16 };
    for (unsigned family = 0; family < FAMILIES; family++) {
        static uint8_t taken[SLOTS];
        memset(taken, 0, sizeof taken);
        uint32_t free_count = SLOTS;
        for (uint32_t n = 0; n < SLOTS; n++) {
            uint8_t *slot = &taken[structured(family, n).low % SLOTS];
            free_count -= !*slot;
            *slot = 1;
        }
        /* SLOTS / e = 24109, standard deviation about 80 */
        if (free_count < 24109 - 600 || free_count > 24109 + 600)
            fail_msg("family %u leaves %u slots free", family, (unsigned)free_count);
    }
}

/* ---- avalanche ------------------------------------------------------------------------------ */

static void test_identity__a_changed_bit_changes_half_of_the_hash(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 4, 8, 10, 16, 36, 47};
    enum { ROUNDS = 400 };
    struct seeded seeded = seeded_init();
    for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        size_t length = lengths[l];
        for (size_t bit = 0; bit < 8 * length; bit++) {
            uint32_t flips[128] = {0};
            for (int round = 0; round < ROUNDS; round++) {
                char value[48];
                struct identity rest = {{seeded_u64(&seeded), seeded_u64(&seeded)}};
                struct identity one = rest, two = rest;
                for (size_t i = 0; i < length; i++)
                    value[i] = (char)('0' + seeded_below(&seeded, 10));
                identity_add(&one, &keys, 9, slice_of(value, length));
                value[bit / 8] ^= (char)(1 << bit % 8);
                identity_add(&two, &keys, 9, slice_of(value, length));
                struct hash128 a = identity_hash(&one, &keys), b = identity_hash(&two, &keys);
                for (unsigned i = 0; i < 64; i++) {
                    flips[i] += (a.low ^ b.low) >> i & 1;
                    flips[64 + i] += (a.high ^ b.high) >> i & 1;
                }
            }
            /* 200 of 400, standard deviation 10 */
            for (unsigned i = 0; i < 128; i++)
                if (flips[i] < 135 || flips[i] > 265)
                    fail_msg("length %zu: bit %zu changes bit %u of the hash %u times of %d",
                             length, bit, i, (unsigned)flips[i], ROUNDS);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity__is_the_formula_of_its_header),
        cmocka_unit_test(test_identity__inline_forms_are_the_general_one),
        cmocka_unit_test(test_identity__known_values),
        cmocka_unit_test(test_identity__the_order_of_parts_does_not_matter),
        cmocka_unit_test(test_identity__empty_is_not_absent_and_names_matter),
        cmocka_unit_test(test_identity__another_seed_is_another_hash),
        cmocka_unit_test(test_identity__structured_keys_do_not_collide),
        cmocka_unit_test(test_identity__low_bits_spread),
        cmocka_unit_test(test_identity__a_changed_bit_changes_half_of_the_hash),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
