/* The fast path of mediation beside the law: the same for every record, or left to the law; and
 * what is ordinary is not left to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/seeded.h"
#include "engine/mediate/flat_records.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct flat_pair pair;
static struct record_block *block;

static int set_up(void **state)
{
    (void)state;
    flat_pair_init(&pair, SLICE("cloud"), 42);
    block = calloc(1, sizeof(*block));
    return block ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    flat_pair_fini(&pair);
    free(block);
    return 0;
}

static void put(struct record *record, enum field field, const char *text)
{
    record->fields[field] = (struct field_value){text, text ? (uint32_t)strlen(text) : 0,
                                                 text ? VALUE_TEXT : VALUE_ABSENT};
}

static struct record *vm(void)
{
    struct record *record = &block->records[0];
    block->count = 1;
    *record = (struct record){0};
    put(record, FIELD_ACCOUNT, "acme");
    put(record, FIELD_ACCOUNTID, "5a1d3c1e-6f0b-4f7e-9b57-3f0f6a2b9c11");
    put(record, FIELD_DOMAINID, "71e99a97-72be-4a2e-ad3a-0c76646abf10");
    put(record, FIELD_ZONEID, "c2f1b1a4-91d5-4c57-9d42-7f8e6a5b4c3d");
    put(record, FIELD_DESCRIPTION, "web-01 running time");
    put(record, FIELD_USAGETYPE, "1");
    put(record, FIELD_RAWUSAGE, "23.999722");
    put(record, FIELD_VIRTUALMACHINEID, "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59");
    put(record, FIELD_USAGEID, "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59");
    put(record, FIELD_OFFERINGID, "7e6d5c4b-3a29-4817-a6b5-c4d3e2f1a0b9");
    put(record, FIELD_CPUNUMBER, "4");
    put(record, FIELD_CPUSPEED, "2000");
    put(record, FIELD_MEMORY, "8192");
    put(record, FIELD_STARTDATE, "2026-10-01T00:00:00+0000");
    put(record, FIELD_ENDDATE, "2026-10-01T23:59:59+0000");
    record->fields[FIELD_CPUSPEED].kind = VALUE_NUMBER; /* by field number, half go into digits */
    record->fields[FIELD_MEMORY].kind = VALUE_NUMBER;
    return record;
}

static void fail_record(const struct record *record, const char *what)
{
    char text[4096];
    size_t used = 0;
    for (int field = 0; field < FIELD_COUNT && used < sizeof(text) - 1; field++)
        if (field_present(record, (enum field)field)) {
            struct slice value = field_slice(record, (enum field)field);
            int written = snprintf(text + used, sizeof(text) - used, "\n  %s = \"%.*s\"",
                                   field_name((enum field)field),
                                   (int)(value.length < 400 ? value.length : 400), value.data);
            used += written > 0 ? (size_t)written : 0;
        }
    fail_msg("%s:%s", what, text);
}

static enum flat_verdict verdict_of(const struct record *record)
{
    enum flat_verdict verdict;
    const char *difference = flat_compare(&pair, block, record, &verdict);
    if (difference)
        fail_record(record, difference);
    return verdict;
}

/* The block's decoded records, several in one call. */
static void compare_runs(void)
{
    const struct record *record;
    for (uint32_t first = 0, end = 0; first < block->count; first = end) {
        for (end = first; end < block->count && end - first < FLAT_RECORDS; end++)
            if (block->records[end].state == RECORD_BAD)
                break;
        const char *difference = flat_compare_run(&pair, block, first, end - first, &record);
        if (difference)
            fail_record(record, difference);
        end += end == first;
    }
}

/* One field changed: the fast path agrees with the law, and takes the record or does not. Asked
 * twice, so that what was kept of the first is used for the second. */
static void check_value(enum field field, const char *value, enum flat_verdict expected)
{
    struct record *record = vm();
    put(record, field, value);
    for (int round = 0; round < 2; round++) {
        enum flat_verdict verdict = verdict_of(record);
        if (verdict != expected)
            fail_msg("%s = \"%s\": verdict %d in round %d", field_name(field),
                     value ? value : "(none)", verdict, round);
    }
    (void)verdict_of(vm()); /* nothing wrong is kept */
}

struct value_case {
    const char *value;
    enum flat_verdict expected;
};

static void check_values(enum field field, const struct value_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_value(field, cases[i].value, cases[i].expected);
}

static void test_flat_usage__dates(void **state)
{
    (void)state;
    static const struct value_case ends[] = {
        {"2026-10-01T23:59:59+0000", FLAT_EVENT},
        {"2026-10-01'T'23:59:59+00:00", FLAT_EVENT},
        {"2026-10-01T23:59:59Z", FLAT_EVENT},
        {"2026-10-01T23:59:59z", FLAT_EVENT},
        {"2026-10-01 23:59:59 +0000", FLAT_EVENT},
        {"2026-10-01t23:59:59+00", FLAT_EVENT},
        {"2026-10-01'T'23:59:59Z", FLAT_EVENT},
        {"2026-10-01'T'23:59:59+00", FLAT_EVENT},
        {"2026-10-02T05:29:59+0530", FLAT_EVENT},
        {"2026-10-01'T'18:29:59-05:30", FLAT_EVENT},
        {"2026-10-01T12:34:56+0000", FLAT_EVENT},
        {"2026-10-01T00:00:00+0000", FLAT_EVENT}, /* start = end */
        {"2026-10-01T00:00:59+0000", FLAT_EVENT},
        {"2026-10-31T23:59:59+0000", FLAT_EVENT},
        {"2028-02-29T23:59:59+0000", FLAT_EVENT},
        {"2036-10-03T00:00:00+0000", FLAT_EVENT}, /* ten years of 366 days are not over */
        {"2036-10-08T00:00:00+0000", FLAT_EVENT},
        {"2036-10-08T00:00:01+0000", FLAT_NOT_PLAIN},
        {"2027-02-29T23:59:59+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T24:00:00+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T23:60:00+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:60+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59+2400", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59.000Z", FLAT_EVENT},
        {"2026-10-01T23:59:59.999Z", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59.99+00", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59", FLAT_NOT_PLAIN},
        {"2026-10-02", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59+00000", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59+0000 ", FLAT_NOT_PLAIN},
        {" 2026-10-01T23:59:59+0000", FLAT_NOT_PLAIN},
        {"2026-10-01'T'23:59:59", FLAT_NOT_PLAIN},
        {"2026-10-01'T23:59:59+0000", FLAT_NOT_PLAIN},
        {"2026-10-01X23:59:59+0000", FLAT_NOT_PLAIN},
        {"2026/10/01T23:59:59+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T23-59-59+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T23:5a:59+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T23:59:59?0000", FLAT_NOT_PLAIN},
        {"2026-09-30T23:59:59+0000", FLAT_NOT_PLAIN}, /* before the start */
        {"1969-12-31T23:59:59+0000", FLAT_NOT_PLAIN},
        {"9999-12-31T23:59:59+0000", FLAT_NOT_PLAIN},
        {"", FLAT_NOT_PLAIN},
        {NULL, FLAT_NOT_PLAIN},
    };
    check_values(FIELD_ENDDATE, ends, COUNT(ends));
    static const struct {
        const char *start;
        const char *end;
        enum flat_verdict expected;
    } windows[] = {
        {"1970-01-01T00:00:00+0000", "1970-01-01T00:00:59+0000", FLAT_EVENT},
        {"1970-01-01T01:00:00+0100", "1970-01-01T01:00:59+0100", FLAT_EVENT},
        {"1970-01-01T00:59:59+0100", "1970-01-01T01:00:59+0100", FLAT_NOT_PLAIN},
        {"2106-02-07T06:28:15+0000", "2106-02-07T06:28:15+0000", FLAT_EVENT},
        {"2106-02-07T06:28:15+0000", "2106-02-07T06:28:16+0000", FLAT_NOT_PLAIN},
        {"2106-02-07T06:28:16+0000", "2106-02-07T06:28:16+0000", FLAT_NOT_PLAIN},
        {"2026-10-01T00:00:59+0000", "2026-10-01T00:00:59+0000", FLAT_EVENT},
        {"2026-10-01T00:00:00.000Z", "2026-10-01T00:00:00.000Z", FLAT_EVENT},
        {"2026-10-01T00:00:00.001Z", "2026-10-01T00:00:05.000Z", FLAT_NOT_PLAIN},
        {"2026-10-01T23:00:00-0100", "2026-10-02T00:00:00Z", FLAT_EVENT},
    };
    for (size_t i = 0; i < COUNT(windows); i++) {
        struct record *record = vm();
        put(record, FIELD_STARTDATE, windows[i].start);
        put(record, FIELD_ENDDATE, windows[i].end);
        if (verdict_of(record) != windows[i].expected || verdict_of(record) != windows[i].expected)
            fail_record(record, "not as expected");
    }
}

/* What was kept of a record's dates is not taken for dates that differ in one byte. */
static void test_flat_usage__dates_that_differ_in_one_byte(void **state)
{
    (void)state;
    static const char *const dates[] = {"2026-10-11T11:11:11+0000", "2026-10-11'T'11:11:11+00:00",
                                        "2026-10-11T11:11:11Z"};
    static const char bytes[] = {'0', '2', '9', '-', 'Z', 0};
    uint32_t taken = 0;
    for (size_t i = 0; i < COUNT(dates); i++)
        for (size_t at = 0; at <= strlen(dates[i]); at++)
            for (size_t b = 0; b < COUNT(bytes); b++) {
                char changed[32];
                struct record *record = vm();
                put(record, FIELD_STARTDATE, "2026-09-11T11:11:11+0000");
                put(record, FIELD_ENDDATE, dates[i]);
                assert_int_equal(verdict_of(record), FLAT_EVENT);
                strcpy(changed, dates[i]);
                changed[at] = bytes[b];
                record->fields[FIELD_ENDDATE].data = changed; /* with a NUL in it, or behind it */
                record->fields[FIELD_ENDDATE].length += dates[i][at] == 0;
                taken += verdict_of(record) == FLAT_EVENT;
            }
    assert_true(taken > 50);
}

static void test_flat_usage__quantities(void **state)
{
    (void)state;
    static const struct value_case cases[] = {
        {"0", FLAT_EVENT},
        {"24", FLAT_EVENT},
        {"024", FLAT_EVENT},
        {"24.0", FLAT_EVENT},
        {"0.058435", FLAT_EVENT},
        {"0,058435", FLAT_EVENT},
        {"1.5", FLAT_EVENT},
        {"12345678.5", FLAT_EVENT},
        {"1234567,89", FLAT_EVENT},
        {"123456789.123456", FLAT_EVENT},
        {"9999999999999999", FLAT_EVENT},
        {"1234567890123456", FLAT_EVENT},
        {"12345678901234.5", FLAT_EVENT},
        {"0.000001", FLAT_EVENT},
        {"12345678", FLAT_EVENT},
        {"123456789", FLAT_EVENT},
        {"12345678901234567", FLAT_NOT_PLAIN},
        {"0.0000010", FLAT_NOT_PLAIN},
        {"0.0000001", FLAT_NOT_PLAIN},
        {"-1", FLAT_NOT_PLAIN},
        {"-0", FLAT_NOT_PLAIN},
        {"+1", FLAT_NOT_PLAIN},
        {"1e3", FLAT_NOT_PLAIN},
        {".5", FLAT_NOT_PLAIN},
        {"5.", FLAT_NOT_PLAIN},
        {".", FLAT_NOT_PLAIN},
        {"1.2.3", FLAT_NOT_PLAIN},
        {"1,234.5", FLAT_NOT_PLAIN},
        {"1/5", FLAT_NOT_PLAIN},
        {"1:5", FLAT_NOT_PLAIN},
        {"1-5", FLAT_NOT_PLAIN},
        {"1\xae"
         "5",
         FLAT_NOT_PLAIN},
        {" 24", FLAT_NOT_PLAIN},
        {"24 ", FLAT_NOT_PLAIN},
        {"24 Hrs", FLAT_NOT_PLAIN},
        {"NaN", FLAT_NOT_PLAIN},
        {"", FLAT_NOT_PLAIN},
        {NULL, FLAT_NOT_PLAIN},
    };
    check_values(FIELD_RAWUSAGE, cases, COUNT(cases));
}

static void test_flat_usage__integers_and_flags(void **state)
{
    (void)state;
    static const struct value_case integers[] = {
        {"0", FLAT_EVENT},
        {"7", FLAT_EVENT},
        {"1234567", FLAT_EVENT},
        {"12345678", FLAT_EVENT},
        {"123456789", FLAT_EVENT},
        {"8589934592", FLAT_EVENT},
        {"123456789012345", FLAT_EVENT},
        {"1234567890123456", FLAT_NOT_PLAIN},
        {"9223372036854775807", FLAT_NOT_PLAIN},
        {"9223372036854775808", FLAT_NOT_PLAIN},
        {"00", FLAT_NOT_PLAIN},
        {"08", FLAT_NOT_PLAIN},
        {"+8", FLAT_NOT_PLAIN},
        {"-8", FLAT_NOT_PLAIN},
        {"8.0", FLAT_NOT_PLAIN},
        {"8e3", FLAT_NOT_PLAIN},
        {" 8", FLAT_NOT_PLAIN},
        {"8 ", FLAT_NOT_PLAIN},
        {"12345678 ", FLAT_NOT_PLAIN},
        {"1234567x", FLAT_NOT_PLAIN},
        {"x2345678", FLAT_NOT_PLAIN},
        {"12345678x", FLAT_NOT_PLAIN},
        {"123:5", FLAT_NOT_PLAIN},
        {"", FLAT_EVENT},
        {NULL, FLAT_EVENT},
    };
    static const enum field integer_fields[] = {FIELD_SIZE, FIELD_VIRTUALSIZE, FIELD_CPUNUMBER,
                                                FIELD_CPUSPEED, FIELD_MEMORY};
    for (size_t i = 0; i < COUNT(integer_fields); i++)
        check_values(integer_fields[i], integers, COUNT(integers));
    static const struct value_case flags[] = {
        {"true", FLAT_EVENT},      {"false", FLAT_EVENT},      {"", FLAT_EVENT},
        {NULL, FLAT_EVENT},        {"True", FLAT_NOT_PLAIN},   {"1", FLAT_NOT_PLAIN},
        {" true", FLAT_NOT_PLAIN}, {"false ", FLAT_NOT_PLAIN}, {"truth", FLAT_NOT_PLAIN},
    };
    check_values(FIELD_ISSOURCENAT, flags, COUNT(flags));
    check_values(FIELD_ISSYSTEM, flags, COUNT(flags));
    check_values(FIELD_ISDEFAULT, flags, COUNT(flags));
}

static void test_flat_usage__texts(void **state)
{
    (void)state;
    static const char long_text[] = "a name of more than forty-seven bytes, which is reduced first";
    static const struct value_case texts[] = {
        {"c2f1b1a4-91d5-4c57-9d42-7f8e6a5b4c3e", FLAT_EVENT},
        {"42", FLAT_EVENT},
        {"", FLAT_EVENT},
        {NULL, FLAT_EVENT},
        {" blanks belong to it ", FLAT_EVENT},
        {long_text, FLAT_EVENT},
    };
    static const enum field fields[] = {FIELD_ZONEID,    FIELD_USAGEID, FIELD_VIRTUALMACHINEID,
                                        FIELD_NETWORKID, FIELD_VPCID,   FIELD_OFFERINGID,
                                        FIELD_TEMPLATEID};
    for (size_t i = 0; i < COUNT(fields); i++)
        check_values(fields[i], texts, COUNT(texts));
    static const struct value_case types[] = {
        {"1", FLAT_EVENT},       {"9", FLAT_EVENT},      {"10", FLAT_EVENT},
        {"14", FLAT_EVENT},      {"15", FLAT_NOT_PLAIN}, {"20", FLAT_NOT_PLAIN},
        {"21", FLAT_EVENT},      {"31", FLAT_EVENT},     {"32", FLAT_NOT_PLAIN},
        {"99", FLAT_NOT_PLAIN},  {"0", FLAT_NOT_PLAIN},  {"01", FLAT_NOT_PLAIN},
        {"1.0", FLAT_NOT_PLAIN}, {"1x", FLAT_NOT_PLAIN}, {"001", FLAT_NOT_PLAIN},
        {"6", FLAT_IGNORED},     {"", FLAT_NOT_PLAIN},   {NULL, FLAT_NOT_PLAIN},
    };
    check_values(FIELD_USAGETYPE, types, COUNT(types));
}

static void test_flat_usage__payers(void **state)
{
    (void)state;
    static const char uuid[] = "6b1d3c1e-6f0b-4f7e-9b57-3f0f6a2b9c12";
    static const char long_name[] = "somebody@example.org, of a department with a very long name";
    char longest[3000];
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    const struct {
        const char *account_id, *project_id, *account, *domain_id;
        enum flat_verdict expected;
    } cases[] = {
        {uuid, NULL, "acme", "d", FLAT_EVENT},     {uuid, "", "acme", "d", FLAT_EVENT},
        {uuid, uuid, "acme", "d", FLAT_EVENT}, /* the same id, another kind */
        {NULL, uuid, NULL, NULL, FLAT_EVENT},      {"42", NULL, "acme", "d", FLAT_EVENT},
        {"42", "43", "acme", "d", FLAT_EVENT},     {long_name, NULL, NULL, NULL, FLAT_EVENT},
        {NULL, NULL, "acme", "d", FLAT_EVENT},     {"", "", "acme", "d", FLAT_EVENT},
        {NULL, NULL, "acme", NULL, FLAT_EVENT},    {NULL, NULL, " acme ", " d ", FLAT_EVENT},
        {NULL, NULL, "acme@d", "", FLAT_EVENT},    {NULL, NULL, longest, "d", FLAT_NOT_PLAIN},
        {NULL, NULL, "", "d", FLAT_NOT_PLAIN},     {NULL, NULL, NULL, "d", FLAT_NOT_PLAIN},
        {" 42", NULL, NULL, NULL, FLAT_NOT_PLAIN}, {"42\n", NULL, NULL, NULL, FLAT_NOT_PLAIN},
        {" ", NULL, "acme", NULL, FLAT_NOT_PLAIN}, {"42", " ", NULL, NULL, FLAT_NOT_PLAIN},
        {"42", "43 ", NULL, NULL, FLAT_NOT_PLAIN},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int round = 0; round < 2; round++) {
            struct record *record = vm();
            put(record, FIELD_ACCOUNTID, cases[i].account_id);
            put(record, FIELD_PROJECTID, cases[i].project_id);
            put(record, FIELD_ACCOUNT, cases[i].account);
            put(record, FIELD_DOMAINID, cases[i].domain_id);
            if (verdict_of(record) != cases[i].expected)
                fail_record(record, "not as expected");
        }
}

/* Ids and sizes that stand in the description only. */
static void test_flat_usage__descriptions(void **state)
{
    (void)state;
#define NET "(c28d4856-c716-4c0c-a6b0-ec13d4091d2d)"
    static const char *const texts[] = {
        "Network usage for network ID: 206, network offering: 8",
        "Network usage for network ID: , network offering: 8",
        "network ID: 1 network ID: 2 network offering: 3",
        "network ID: network ID: 7",
        "network ID: 7 network ID: x",
        "network ID:",
        "network offering: ",
        "VPC usage for VPC ID: 17",
        "VPC ID: 17, VPC ID: ",
        ": VPC ID: 007",
        "Volume on secondary storage usage for u " NET " with size (108.00 GB) 115964116992",
        "u (not-a-uuid) " NET " (63eef6b1-b13e-45cc-a1af-421eb8c914b8) size 5 size: (1) 6 size",
        "u " NET " with size 0042",
        "u (c28d4856-c716-4c0c-a6b0-ec13d4091d2dx) size",
        "u (c28d4856-c716-4c0c-a6b0-ec13d4091d2",
        "Bytes sent by network tier-0 " NET "  (69.38 GB) 24 using router",
        "Bytes 24 24x 124 (24) (2.4 KB) (24 (c28d4856-c716-4c0c-a6b0-ec13d4091d2d)",
        "Bytes 24.5 (0 bytes) 24.5 () (1)) (9Z",
        "24",
        "plain machine that was purged",
        "",
        NULL,
    };
    static const char *const amounts[] = {"24", "24.5", "0"};
    for (int type = 1; type <= 31; type++)
        for (size_t i = 0; i < COUNT(texts) * COUNT(amounts); i++) {
            struct record *record = vm();
            char number[12];
            snprintf(number, sizeof(number), "%d", type);
            put(record, FIELD_USAGETYPE, number);
            put(record, FIELD_USAGEID, i % 2 ? "" : NULL);
            put(record, FIELD_VIRTUALMACHINEID, NULL);
            put(record, FIELD_OFFERINGID, i % 3 ? NULL : "");
            put(record, FIELD_SIZE, i % 4 == 1 ? "" : NULL);
            put(record, FIELD_RAWUSAGE, amounts[i % COUNT(amounts)]);
            put(record, FIELD_DESCRIPTION, texts[i / COUNT(amounts)]);
            enum flat_verdict verdict = verdict_of(record);
            if (verdict != (type <= 14 || type >= 21 ? FLAT_EVENT : FLAT_NOT_PLAIN))
                fail_record(record, "not as expected");
        }
    char longest[4096];
    memset(longest, '7', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    struct record *record = vm();
    put(record, FIELD_USAGETYPE, "4");
    put(record, FIELD_USAGEID, NULL);
    put(record, FIELD_VIRTUALMACHINEID, NULL);
    put(record, FIELD_DESCRIPTION, longest);
    assert_int_equal(verdict_of(record), FLAT_NOT_PLAIN);
    put(record, FIELD_USAGETYPE, "1"); /* no amounts in its descriptions: taken whole */
    assert_int_equal(verdict_of(record), FLAT_EVENT);
}

static void test_flat_usage__what_is_not_cloudstacks_is_left_to_the_law(void **state)
{
    (void)state;
    struct record *record = vm();
    put(record, FIELD_METER, "gpu"); /* usagetype counts */
    assert_int_equal(verdict_of(record), FLAT_EVENT);
    put(record, FIELD_USAGETYPE, NULL);
    assert_int_equal(verdict_of(record), FLAT_NOT_PLAIN);
    struct flat_usage usage;
    uint8_t verdict;
    pair.block->records[0].present = 0; /* as decoders mark what they leave */
    flat_usage(&pair.fast, pair.window, 100, pair.block, 0, 1, &usage, &verdict);
    assert_int_equal(verdict, FLAT_NOT_PLAIN);
}

static void test_flat_usage__sources_and_seeds_are_the_laws(void **state)
{
    (void)state;
    static const char *const sources[] = {"", "x",
                                          "a cloud with a name of more than 47 bytes, all told"};
    for (size_t i = 0; i < COUNT(sources); i++)
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct flat_pair other;
            enum flat_verdict verdict;
            flat_pair_init(&other, slice_string(sources[i]), seed * 0x123456789abcdefu);
            const char *difference = flat_compare(&other, block, vm(), &verdict);
            if (difference || verdict != FLAT_EVENT)
                fail_msg("source \"%s\": %s", sources[i], difference ? difference : "left");
            flat_pair_fini(&other);
        }
}

/* ---- neighbours ------------------------------------------------------------------------------ */

/* UUIDs that agree in their first bytes, or in all but one. */
static const char *near_uuid(struct seeded *seeded, char room[37])
{
    static const unsigned places[] = {0, 7, 8, 15, 16, 23, 24, 31, 32, 35};
    memcpy(room, "7e6d5c4b-3a29-4817-a6b5-c4d3e2f1a0b9", 37);
    uint64_t number = seeded_below(seeded, 2 * COUNT(places));
    if (number < COUNT(places))
        room[places[number]] = 'x';
    if (seeded_below(seeded, 50) == 0)
        room[seeded_below(seeded, 37)] = '\0'; /* shorter */
    return room;
}

static const enum field near_uuids[] = {
    FIELD_ACCOUNTID, FIELD_PROJECTID,        FIELD_ZONEID, FIELD_OFFERINGID, FIELD_TEMPLATEID,
    FIELD_USAGEID,   FIELD_VIRTUALMACHINEID, FIELD_VPCID,  FIELD_NETWORKID,
};
static const enum field near_integers[] = {
    FIELD_SIZE, FIELD_VIRTUALSIZE, FIELD_CPUNUMBER, FIELD_CPUSPEED, FIELD_MEMORY,
};
static const char *const near_quantities[] = {
    "24",         "2",
    "240",        "24.5",
    "24,5",       "24.",
    "2.4",        "24.000001",
    "24.0000011", "1234567890123456",
    "12345678",   "123456789",
    "1234567.",   "1234567.5",
    "12345678.5", "12345678901234.5",
    "",           " 24",
    "0",          "000000000.1",
    "24x",
};
static const char *const near_numbers[] = {
    "1",  "4",        "2000",      "1234567",  "12345678",     "123456789",
    "0",  "04",       "",          "8192 ",    "-1",           "123456789012345",
    "1x", "1234567x", "12345678x", "00000000", "123456789012",
};
static const char *const near_types[] = {"1", "2", "6", "13", "21", "1 ", "01", "", "99", "130"};
static const char *const near_flags[] = {"true", "false", "", "truE", "trues"};

#define PICK(seeded, array) (array)[seeded_below(seeded, COUNT(array))]

/* Mostly usual, from few values, so that what was kept of one record is often nearly that of the
 * next. */
static void make_neighbour(struct seeded *seeded, struct record *record, char (*uuids)[37])
{
    *record = *vm();
    for (size_t i = 0; i < COUNT(near_uuids); i++)
        if (seeded_below(seeded, 3))
            put(record, near_uuids[i], near_uuid(seeded, uuids[i]));
        else if (i > 0)
            put(record, near_uuids[i], NULL);
    for (size_t i = 0; i < COUNT(near_integers); i++) {
        uint64_t some =
            seeded_below(seeded, 6) ? 7 : COUNT(near_numbers); /* those that are usual */
        put(record, near_integers[i], near_numbers[seeded_below(seeded, some)]);
        if (seeded_below(seeded, 2))
            put(record, near_integers[i], NULL);
        else if (seeded_below(seeded, 2))
            record->fields[near_integers[i]].kind = VALUE_NUMBER;
    }
    put(record, FIELD_USAGETYPE,
        near_types[seeded_below(seeded, seeded_below(seeded, 4) ? 5 : 10)]);
    record->fields[FIELD_USAGETYPE].kind = seeded_below(seeded, 2) ? VALUE_NUMBER : VALUE_TEXT;
    put(record, FIELD_RAWUSAGE, PICK(seeded, near_quantities));
    if (seeded_below(seeded, 8) == 0)
        put(record, FIELD_ISSYSTEM, PICK(seeded, near_flags));
    if (seeded_below(seeded, 8) == 0)
        put(record, FIELD_STARTDATE, "2026-10-01T01:00:00+0000");
    if (seeded_below(seeded, 8) == 0)
        put(record, FIELD_ENDDATE, "2026-10-02T23:59:59+0000");
    if (seeded_below(seeded, 30) == 0)
        put(record, FIELD_ENDDATE, "18446744073709551615");
    record->fields[FIELD_ENDDATE].kind = seeded_below(seeded, 30) ? VALUE_TEXT : VALUE_NUMBER;
}

static void test_flat_usage__neighbours_that_differ_little(void **state)
{
    (void)state;
    static struct record kept[FLAT_RECORDS];
    static char uuids[FLAT_RECORDS][COUNT(near_uuids)][37];
    struct seeded seeded = seeded_init();
    uint64_t rounds = getenv("RATEL_LONG") ? 20000 : 1000;
    uint32_t taken = 0, left = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < FLAT_RECORDS; i++) {
            make_neighbour(&seeded, &kept[i], uuids[i]);
            if (i > 0 && seeded_below(&seeded, 3) == 0)
                kept[i] = kept[i - 1];
        }
        memcpy(block->records, kept, sizeof(kept));
        block->count = FLAT_RECORDS;
        compare_runs();
        for (uint32_t i = 0; i < FLAT_RECORDS; i++) {
            enum flat_verdict verdict = verdict_of(&block->records[i]);
            taken += verdict != FLAT_NOT_PLAIN;
            left += verdict == FLAT_NOT_PLAIN;
        }
    }
    assert_true(taken > rounds && left > rounds);
}

/* More shapes than are kept. */
static void test_flat_usage__many_shapes(void **state)
{
    (void)state;
    static const enum field fields[] = {
        FIELD_ZONEID,    FIELD_TEMPLATEID, FIELD_NETWORKID, FIELD_VPCID,       FIELD_SIZE,
        FIELD_ISDEFAULT, FIELD_CPUNUMBER,  FIELD_MEMORY,    FIELD_ISSOURCENAT, FIELD_VIRTUALSIZE,
    };
    for (int round = 0; round < 2; round++)
        for (uint32_t set = 0; set < 1u << COUNT(fields); set++) {
            struct record *record = vm();
            for (size_t i = 0; i < COUNT(fields); i++) {
                bool flag = fields[i] == FIELD_ISDEFAULT || fields[i] == FIELD_ISSOURCENAT;
                bool text = i < 4;
                put(record, fields[i],
                    !(set >> i & 1) ? NULL
                    : flag          ? "true"
                    : text          ? "c2f1b1a4-91d5-4c57-9d42-7f8e6a5b4c3d"
                                    : "4096");
            }
            put(record, FIELD_USAGETYPE, set % 3 ? "1" : "13");
            assert_int_equal(verdict_of(record), FLAT_EVENT);
        }
}

/* ---- generated usage ------------------------------------------------------------------------ */

/* All records of a JSON stream; returns how many there were, and how many were left to the law. */
static uint32_t compare_stream(char *data, size_t length, uint32_t *ret_left,
                               void (*each)(const struct record *record))
{
    struct decoder *decoder;
    uint32_t count = 0;
    *ret_left = 0;
    if (decoder_json.open(&decoder) != STATUS_OK)
        fail_msg("no decoder");
    for (size_t at = 0; at < length;) {
        size_t used = 0;
        if (decoder_json.decode(decoder, data + at, length - at, at, true, block, &used) !=
            STATUS_OK)
            fail_msg("cannot decode");
        compare_runs();
        for (uint32_t i = 0; i < block->count; i++) {
            count++;
            *ret_left += verdict_of(&block->records[i]) == FLAT_NOT_PLAIN;
            if (each)
                each(&block->records[i]);
        }
        at += used;
    }
    decoder_json.close(decoder);
    return count;
}

static char *generate(const char *options, size_t *ret_length)
{
    char command[1024];
    snprintf(command, sizeof(command), "'%s/bin/ratel-gen' --out - --form ndjson --seed 5 %s",
             RATEL_BINARY_DIR, options);
    size_t capacity = 64 << 20, length = 0;
    char *data = malloc(capacity);
    FILE *pipe = popen(command, "r");
    if (!data || !pipe)
        fail_msg("cannot run %s", command);
    for (size_t got;
         (got = fread(data + length, 1, capacity - DECODER_PADDING - length, pipe)) > 0;)
        length += got;
    if (pclose(pipe) != 0 || length == 0 || length == capacity - DECODER_PADDING)
        fail_msg("not so: %s", command);
    memset(data + length, 0, DECODER_PADDING);
    *ret_length = length;
    return data;
}

static void test_flat_usage__generated_usage_is_plain(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool all; /* no record is left to the law */
    } runs[] = {
        {"--accounts 20 --vms 60 --days 3 --range 720", true},
        {"--accounts 5 --vms 40 --days 2 --date-format old --decimal-comma", true},
        {"--accounts 5 --vms 40 --days 2 --double-volumes --control-chars --disk-io 1000", true},
        {"--accounts 5 --vms 40 --days 2 --timezone Asia/Kolkata --server-timezone Asia/Kolkata",
         true},
        {"--accounts 5 --vms 40 --days 4 --late 100 --conflicts 100 --malformed 200", false},
    };
    for (size_t i = 0; i < COUNT(runs); i++) {
        size_t length;
        uint32_t left;
        char *data = generate(runs[i].options, &length);
        uint32_t count = compare_stream(data, length, &left, NULL);
        free(data);
        if (count < 500 || (runs[i].all && left) || left > count / 3)
            fail_msg("%s: %u of %u are left to the law", runs[i].options, (unsigned)left,
                     (unsigned)count);
    }
}

/* ---- mutations ------------------------------------------------------------------------------- */

#define BASES 400

static struct {
    struct record record;
    char *text;
} bases[BASES];
static uint32_t base_count;

static void keep_base(const struct record *record)
{
    if (record->state != RECORD_DECODED || base_count == BASES)
        return;
    struct record *kept = &bases[base_count].record;
    size_t bytes = 1;
    for (int field = 0; field < FIELD_COUNT; field++)
        bytes += record->fields[field].length;
    char *at = bases[base_count++].text = malloc(bytes);
    *kept = *record;
    kept->attribute_count = 0;
    for (int field = 0; field < FIELD_COUNT; field++) {
        struct field_value *value = &kept->fields[field];
        if (value->length)
            memcpy(at, value->data, value->length);
        value->data = at;
        at += value->length;
    }
}

/* Values that lie near each other by spelling and apart by meaning. */
static const char *const words[] = {
    "",
    " ",
    "0",
    "00",
    "-1",
    "1.5",
    "1,5",
    "1e3",
    "24 ",
    "true",
    "false",
    "6",
    "30",
    "26",
    "31",
    "4",
    "9223372036854775807",
    "9223372036854775808",
    "123456789012345678",
    "2026-10-01T00:00:00Z",
    "2026-10-01T00:00:59+0000",
    "2026-10-01'T'23:59:59+00:00",
    "2026-10-01T00:00:00.5Z",
    "network ID: 5",
    "VPC ID: 6",
    "size 7",
    "0.000001",
    "0.0000001",
};

static void mutate_value(struct seeded *seeded, struct field_value *value, char *room)
{
    static const char bytes[] = "0123456789.,eE+-T:' Z\t\xc3\xa9(a";
    uint32_t length = value->length < 200 ? value->length : 200;
    if (length)
        memcpy(room, value->data, length);
    uint32_t at = (uint32_t)seeded_below(seeded, length + 1);
    char byte = bytes[seeded_below(seeded, sizeof(bytes) - 1)];
    const char *word = words[seeded_below(seeded, COUNT(words))];
    switch (seeded_below(seeded, 8)) {
    case 0: /* absent */
        value->kind = VALUE_ABSENT;
        length = 0;
        break;
    case 1: /* a byte less */
        if (at < length)
            memmove(room + at, room + at + 1, --length - at);
        break;
    case 2: /* a byte more */
    case 3:
        memmove(room + at + 1, room + at, length - at);
        room[at] = byte;
        length++;
        break;
    case 4: /* cut */
        length = at;
        break;
    case 5:
        length = (uint32_t)strlen(word);
        memcpy(room, word, length);
        value->kind = VALUE_TEXT;
        break;
    default: /* another byte */
        if (at < length)
            room[at] = byte;
        break;
    }
    value->data = room;
    value->length = length;
}

static const enum field mutable_fields[] = {
    FIELD_ACCOUNT,    FIELD_ACCOUNTID,   FIELD_PROJECTID,   FIELD_DOMAINID,
    FIELD_ZONEID,     FIELD_USAGETYPE,   FIELD_RAWUSAGE,    FIELD_USAGEID,
    FIELD_SIZE,       FIELD_VIRTUALSIZE, FIELD_CPUNUMBER,   FIELD_CPUSPEED,
    FIELD_MEMORY,     FIELD_STARTDATE,   FIELD_ENDDATE,     FIELD_ISDEFAULT,
    FIELD_ISSYSTEM,   FIELD_NETWORKID,   FIELD_VPCID,       FIELD_VIRTUALMACHINEID,
    FIELD_OFFERINGID, FIELD_TEMPLATEID,  FIELD_DESCRIPTION, FIELD_ISSOURCENAT,
};

static void test_flat_usage__mutations(void **state)
{
    (void)state;
    size_t length;
    uint32_t left, taken = 0;
    char *data =
        generate("--accounts 8 --vms 30 --days 1 --double-volumes --disk-io 1000", &length);
    compare_stream(data, length, &left, keep_base);
    free(data);
    assert_true(base_count > 100);
    uint32_t usual = pair.usual;
    struct seeded seeded = seeded_init();
    uint64_t rounds = getenv("RATEL_LONG") ? 5000000 : 200000;
    for (uint64_t round = 0; round < rounds; round++) {
        char room[6][256];
        struct record *record = &block->records[0];
        *record = bases[seeded_below(&seeded, base_count)].record;
        for (uint64_t i = 0, count = 1 + seeded_below(&seeded, 3); i < count; i++) {
            enum field field = mutable_fields[seeded_below(&seeded, COUNT(mutable_fields))];
            if (seeded_below(&seeded, 6) == 0) /* another field's value */
                record->fields[field] =
                    record->fields[mutable_fields[seeded_below(&seeded, COUNT(mutable_fields))]];
            else if (field_present(record, field) || seeded_below(&seeded, 4) == 0) {
                if (!field_present(record, field))
                    record->fields[field].kind = VALUE_TEXT;
                mutate_value(&seeded, &record->fields[field], room[i]);
            }
        }
        taken += verdict_of(record) != FLAT_NOT_PLAIN;
    }
    /* Both ways were gone often. */
    assert_true(taken > rounds / 5 && taken < rounds / 10 * 9);
    usual = pair.usual - usual;
    assert_true(usual > rounds / 5 && usual < rounds / 10 * 9);
    while (base_count)
        free(bases[--base_count].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_usage__dates),
        cmocka_unit_test(test_flat_usage__dates_that_differ_in_one_byte),
        cmocka_unit_test(test_flat_usage__quantities),
        cmocka_unit_test(test_flat_usage__integers_and_flags),
        cmocka_unit_test(test_flat_usage__texts),
        cmocka_unit_test(test_flat_usage__payers),
        cmocka_unit_test(test_flat_usage__descriptions),
        cmocka_unit_test(test_flat_usage__what_is_not_cloudstacks_is_left_to_the_law),
        cmocka_unit_test(test_flat_usage__sources_and_seeds_are_the_laws),
        cmocka_unit_test(test_flat_usage__neighbours_that_differ_little),
        cmocka_unit_test(test_flat_usage__many_shapes),
        cmocka_unit_test(test_flat_usage__generated_usage_is_plain),
        cmocka_unit_test(test_flat_usage__mutations),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
