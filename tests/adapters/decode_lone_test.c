/* Lone records: what the fast way gives is what the reference decoder gives, field by field, for
 * sound records and for broken ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/decode_lone.h"

#define MUTATIONS 60000

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The flat way drops attributes, which records of CloudStack do not have. */
static void assert_same(const struct record_block *fast, const struct record_block *slow)
{
    assert_int_equal(fast->count, slow->count);
    for (uint32_t i = 0; i < slow->count; i++) {
        const struct record *a = &fast->records[i], *b = &slow->records[i];
        assert_int_equal(a->state, b->state);
        assert_int_equal(a->raw.length, b->raw.length);
        if (a->state == RECORD_BAD)
            continue;
        for (int field = 0; field < FIELD_COUNT; field++) {
            const struct field_value *x = &a->fields[field], *y = &b->fields[field];
            if (x->kind != y->kind || x->length != y->length ||
                (x->length && memcmp(x->data, y->data, x->length) != 0))
                fail_msg("%s: kind %u '%.*s', not %u '%.*s'", field_name((enum field)field),
                         x->kind, (int)x->length, x->data, y->kind, (int)y->length, y->data);
        }
    }
}

struct both {
    struct lone fast, slow;
    uint32_t quick; /* records that were read by the fast way */
};

static void compare(struct both *both, enum record_form form, const char *bytes, size_t length)
{
    char *padded = calloc(1, length + DECODER_PADDING);
    const struct record_block *fast, *slow;
    assert_non_null(padded);
    memcpy(padded, bytes, length);
    struct slice raw = slice_of(padded, length);
    assert_int_equal(lone_decode_slowly(&both->slow, form, raw, &slow), STATUS_OK);
    assert_int_equal(lone_decode(&both->fast, form, raw, &fast), STATUS_OK);
    both->quick += fast->count == 1 && fast->records[0].raw.data == padded;
    assert_same(fast, slow);
    free(padded);
}

static const char *const json_records[] = {
    "{\"usagetype\":1,\"usageid\":\"u-1\",\"accountid\":\"a-1\",\"account\":\"acme\",\"domain\":"
    "\"ROOT/x\",\"name\":\"web \\\"1\\\" \\u00e9\",\"description\":\"a\\nb\",\"rawusage\":\"24\","
    "\"startdate\":\"2026-10-01T00:00:00+0000\",\"enddate\":\"2026-10-01T23:59:59+0000\","
    "\"virtualmachineid\":\"v\",\"memory\":2048,\"cpunumber\":2,\"issystem\":false}",
    "{\"usagetype\":6,\"name\":null,\"size\":10737418240,\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]"
    ","
    "\"usage\":\"24 Hrs\",\"rawusage\":24.5,\"osname\":\"Debian\",\"other\":\"attribute\","
    "\"project\":\"p\\\\q\",\"projectid\":\"pid\",\"zonename\":\"z\",\"zoneid\":\"zz\"}",
    "{\"usagetype\":\"4\",\"name\":\"caf\xc3\xa9 %41\",\"startdate\":\"2026-10-01T00%3A00%3A00\","
    "\"account\":\"x\"}",
    "{\"meter\":\"gpu\",\"quantity\":1,\"account\":\"a\",\"start\":\"2026-10-01T00:00:00Z\"}",
    "{\"usagetype\":1,\"usagetype\":2}",
    "{}",
};

/* One value of a member, and what may stand there: nearly always what a layout foretells. */
static void json_member(char *out, size_t size, size_t *at, const char *name, uint64_t *random)
{
    static const char *const odd[] = {"null",
                                      "true",
                                      "[]",
                                      "{}",
                                      "\"a\\\"b\"",
                                      "\"caf\xc3\xa9\"",
                                      "1.5",
                                      "\"\"",
                                      "[1]",
                                      "0",
                                      "123456789012345678901234567890"};
    bool integer =
        strcmp(name, "size") == 0 || strcmp(name, "memory") == 0 || strcmp(name, "cpunumber") == 0;
    uint64_t drawn = next_random(random);
    char value[64];
    if (drawn % 40 == 0)
        snprintf(value, sizeof(value), "%s", odd[drawn / 40 % (sizeof(odd) / sizeof(odd[0]))]);
    else if (strncmp(name, "is", 2) == 0)
        snprintf(value, sizeof(value), "%s", drawn & 64 ? "true" : "false");
    else if (strcmp(name, "usagetype") == 0)
        snprintf(value, sizeof(value), "%u", (unsigned)(1 + drawn / 64 % 12));
    else if (integer)
        snprintf(value, sizeof(value), "%llu", (unsigned long long)(drawn >> drawn % 40));
    else
        snprintf(value, sizeof(value), "\"%.*s\"", (int)(drawn / 64 % 5 ? 8 : drawn / 512 % 30),
                 "0d1c2b3a-4e5f-6071-8293-a4b5c6d7e8f9");
    *at += (size_t)snprintf(out + *at, size - *at, "%s\"%s\":%s", *at > 1 ? "," : "", name, value);
}

/* Records of a few layouts, one after another, so that they are learnt: all known fields in some of
 * them, members that nobody knows between them, and the field that stands for nowhere. */
static void test_lone__json_of_few_layouts(void **state)
{
    (void)state;
    enum { LAYOUTS = 6, RECORDS = 20000 };
    struct both both = {0};
    uint64_t random = 11, seed[LAYOUTS];
    for (unsigned i = 0; i < LAYOUTS; i++)
        seed[i] = next_random(&random);
    for (uint32_t i = 0; i < RECORDS; i++) {
        char record[8192] = "{";
        size_t at = 1;
        uint64_t layout = seed[i / 7 % LAYOUTS];
        int first = (int)(layout % FIELD_COUNT);
        for (int member = 0; member < FIELD_COUNT; member++) {
            int field = (first + member) % FIELD_COUNT;
            bool plain_event = field == FIELD_METER || field == FIELD_QUANTITY;
            bool given = field == FIELD_USAGETYPE || next_random(&layout) % 4 > i / 7 % LAYOUTS / 2;
            if (given && !plain_event)
                json_member(record, sizeof(record), &at, field_name((enum field)field), &random);
            if (next_random(&layout) % 6 == 0)
                json_member(record, sizeof(record), &at, "unheard", &random);
        }
        record[at++] = '}';
        compare(&both, RECORD_FORM_JSON, record, at);
    }
    assert_true(both.quick > RECORDS / 4);
    lone_fini(&both.fast);
    lone_fini(&both.slow);
}

/* Keys and values of JSON's first record as msgpack, by hand. */
static size_t pack_text(char *out, const char *text)
{
    size_t length = strlen(text), at = 0;
    if (length < 32)
        out[at++] = (char)(0xa0 | length);
    else {
        out[at++] = (char)0xd9;
        out[at++] = (char)length;
    }
    memcpy(out + at, text, length);
    return at + length;
}

static size_t pack_record(char *out, unsigned variant)
{
    static const char *const pairs[][2] = {
        {"usageid", "0d1c-u"},   {"accountid", "3f0c4a8e-1d2b-4c6f-8a90-1b2c3d4e5f60"},
        {"account", "acme"},     {"domain", "ROOT/x"},
        {"name", "caf\xc3\xa9"}, {"description", "a long text that needs a length of its own, so"},
        {"rawusage", "24"},      {"startdate", "2026-10-01T00:00:00+0000"},
        {"zoneid", "z"},         {"enddate", "2026-10-01T23:59:59+0000"},
    };
    size_t count = sizeof(pairs) / sizeof(pairs[0]) - variant % 4, at = 0;
    out[at++] = (char)(0x80 | (count + 3));
    at += pack_text(out + at, variant & 16 ? "meter" : "usagetype");
    out[at++] = 1;
    at += pack_text(out + at, "memory");
    memcpy(out + at, "\xcd\x08\x00", 3);
    at += 3;
    at += pack_text(out + at, "issystem");
    out[at++] = variant & 8 ? (char)0xc0 : (char)0xc2;
    for (size_t i = 0; i < count; i++) {
        at += pack_text(out + at, pairs[(i + variant) % count][0]);
        at += pack_text(out + at, pairs[(i + variant) % count][1]);
    }
    return at;
}

static void mutate(struct both *both, enum record_form form, const char *record, size_t length,
                   uint64_t *random)
{
    char bytes[2048];
    assert_true(length <= sizeof(bytes));
    memcpy(bytes, record, length);
    for (unsigned flips = 1 + next_random(random) % 2; flips > 0; flips--) {
        size_t at = next_random(random) % length;
        static const char odd[] = "\"\\{}[],:0 %\xc0\xd9\xa0\x80\xff\n";
        bytes[at] = next_random(random) % 2 ? odd[next_random(random) % (sizeof(odd) - 1)]
                                            : (char)(bytes[at] ^ 1 << next_random(random) % 8);
    }
    compare(both, form, bytes, length);
}

static void test_lone__json_is_what_the_reference_gives(void **state)
{
    (void)state;
    struct both both = {0};
    uint64_t random = 7;
    size_t count = sizeof(json_records) / sizeof(json_records[0]);
    for (size_t i = 0; i < count; i++)
        compare(&both, RECORD_FORM_JSON, json_records[i], strlen(json_records[i]));
    assert_int_equal(both.quick, 2); /* the others are not plain */
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        const char *record = json_records[next_random(&random) % count];
        mutate(&both, RECORD_FORM_JSON, record, strlen(record), &random);
    }
    assert_true(both.quick > MUTATIONS / 10);
    lone_fini(&both.fast);
    lone_fini(&both.slow);
}

static void test_lone__msgpack_is_what_the_reference_gives(void **state)
{
    (void)state;
    struct both both = {0};
    char record[1024];
    uint64_t random = 9;
    for (unsigned variant = 0; variant < 16; variant++)
        compare(&both, RECORD_FORM_MSGPACK, record, pack_record(record, variant));
    assert_int_equal(both.quick, 16);
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        size_t length = pack_record(record, (unsigned)next_random(&random) % 32);
        mutate(&both, RECORD_FORM_MSGPACK, record, length, &random);
    }
    assert_true(both.quick > MUTATIONS / 10);
    lone_fini(&both.fast);
    lone_fini(&both.slow);
}

static void test_lone__other_forms_go_to_their_decoders(void **state)
{
    (void)state;
    struct both both = {0};
    const char *csv = "usagetype,account\n1,acme\n";
    compare(&both, RECORD_FORM_CSV, csv, strlen(csv));
    assert_int_equal(both.quick, 0);
    lone_fini(&both.fast);
    lone_fini(&both.slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lone__json_is_what_the_reference_gives),
        cmocka_unit_test(test_lone__json_of_few_layouts),
        cmocka_unit_test(test_lone__msgpack_is_what_the_reference_gives),
        cmocka_unit_test(test_lone__other_forms_go_to_their_decoders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
