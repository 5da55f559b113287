/* What raw records mean. Records are built field by field here, so that no decoder stands between
 * the table and the rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>

#include "mediate/definition.h"
#include "mediate/description.h"
#include "mediate/normalise.h"

static struct record_block *block;
static struct normaliser normaliser;

static int set_up(void **state)
{
    (void)state;
    block = calloc(1, sizeof(*block));
    normaliser_init(&normaliser, SLICE("cloud"), 42);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(block);
    normaliser_fini(&normaliser);
    return 0;
}

static void put(struct record *record, enum field field, const char *text)
{
    record->fields[field] = (struct field_value){text, text ? (uint32_t)strlen(text) : 0,
                                                 text ? VALUE_TEXT : VALUE_ABSENT};
}

/* A running VM's day; the tables below change one thing at a time. */
static struct record *vm(void)
{
    block->count = 1;
    struct record *record = &block->records[0];
    *record = (struct record){0};
    put(record, FIELD_ACCOUNT, "acme");
    put(record, FIELD_ACCOUNTID, "5a1d3c1e-6f0b-4f7e-9b57-3f0f6a2b9c11");
    put(record, FIELD_ZONEID, "c2f1b1a4-91d5-4c57-9d42-7f8e6a5b4c3d");
    put(record, FIELD_USAGETYPE, "1");
    put(record, FIELD_RAWUSAGE, "24");
    put(record, FIELD_VIRTUALMACHINEID, "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59");
    put(record, FIELD_USAGEID, "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59");
    put(record, FIELD_OFFERINGID, "7e6d5c4b-3a29-4817-a6b5-c4d3e2f1a0b9");
    put(record, FIELD_CPUNUMBER, "4");
    put(record, FIELD_MEMORY, "8192");
    put(record, FIELD_NAME, "web-01");
    put(record, FIELD_STARTDATE, "2026-10-01T00:00:00+0000");
    put(record, FIELD_ENDDATE, "2026-10-01T23:59:59+0000");
    return record;
}

static struct usage usage_of(const struct record *record)
{
    struct usage usage;
    normalise(&normaliser, block, record, &usage);
    return usage;
}

#define OCTOBER 1790812800 /* 2026-10-01T00:00:00Z */

static void test_normalise__an_inclusive_end_becomes_the_next_second(void **state)
{
    (void)state;
    struct usage usage = usage_of(vm());
    assert_int_equal(usage.verdict, VERDICT_EVENT);
    assert_int_equal(usage.start.seconds, OCTOBER);
    assert_int_equal(usage.end.seconds, OCTOBER + 86400);
    assert_true(usage.quantity.quanta == 24000000);
}

static void test_normalise__both_date_syntaxes_are_one_window(void **state)
{
    (void)state;
    static const char *const starts[] = {"2026-10-01T00:00:00+0000", "2026-10-01'T'00:00:00+00:00",
                                         "2026-10-01T02:00:00+0200", "2026-09-30T18:30:00-05:30"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct record *record = vm();
        put(record, FIELD_STARTDATE, starts[i]);
        struct usage usage = usage_of(record);
        assert_int_equal(usage.verdict, VERDICT_EVENT);
        assert_int_equal(usage.start.seconds, OCTOBER);
    }
}

static void test_normalise__quantities_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        enum verdict verdict;
        int64_t quanta;
    } table[] = {
        {"0.058435", VERDICT_EVENT, 58435},
        {"0,058435", VERDICT_EVENT, 58435},
        {"24", VERDICT_EVENT, 24000000},
        {"24.0", VERDICT_EVENT, 24000000},
        {"0", VERDICT_EVENT, 0},
        {"1.5e1", VERDICT_EVENT, 15000000},
        {"0.0000010", VERDICT_EVENT, 1},
        {"0.0000001", VERDICT_QUARANTINED, 0},
        {"-1", VERDICT_QUARANTINED, 0},
        {"", VERDICT_QUARANTINED, 0},
        {"NaN", VERDICT_QUARANTINED, 0},
        {"1.2.3", VERDICT_QUARANTINED, 0},
        {"1e40", VERDICT_QUARANTINED, 0},
        {"24 Hrs", VERDICT_QUARANTINED, 0},
        {" 24 ", VERDICT_EVENT, 24000000},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct record *record = vm();
        put(record, FIELD_RAWUSAGE, table[i].raw);
        struct usage usage = usage_of(record);
        if (usage.verdict != table[i].verdict ||
            (usage.verdict == VERDICT_EVENT && usage.quantity.quanta != table[i].quanta))
            fail_msg("rawusage \"%s\": verdict %d, %s", table[i].raw, usage.verdict, usage.reason);
    }
}

static void test_normalise__what_is_wrong_is_quarantined_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        enum field field;
        const char *value;
        const char *reason;
    } table[] = {
        {FIELD_USAGETYPE, "15", "usagetype 15"},
        {FIELD_USAGETYPE, "99", "usagetype 99"},
        {FIELD_USAGETYPE, "x", "usagetype"},
        {FIELD_STARTDATE, NULL, "startdate"},
        {FIELD_ENDDATE, "soon", "enddate"},
        {FIELD_RAWUSAGE, NULL, "rawusage"},
        {FIELD_STARTDATE, "2026-10-02T00:00:00+0000", "lies after"},
        {FIELD_STARTDATE, "2010-10-02T00:00:00+0000", "ten years"},
        {FIELD_CPUNUMBER, "4.5", "cpunumber"},
        {FIELD_MEMORY, "-1", "memory"},
        {FIELD_ISDEFAULT, "maybe", "isdefault"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct record *record = vm();
        put(record, table[i].field, table[i].value);
        struct usage usage = usage_of(record);
        if (usage.verdict != VERDICT_QUARANTINED || !strstr(usage.reason, table[i].reason))
            fail_msg("%s = %s: verdict %d, \"%s\"", field_name(table[i].field),
                     table[i].value ? table[i].value : "(none)", usage.verdict, usage.reason);
    }
    struct record *nobody = vm();
    put(nobody, FIELD_ACCOUNT, NULL);
    put(nobody, FIELD_ACCOUNTID, NULL);
    assert_int_equal(usage_of(nobody).verdict, VERDICT_QUARANTINED);
    struct record *neither = vm();
    put(neither, FIELD_USAGETYPE, NULL);
    assert_int_equal(usage_of(neither).verdict, VERDICT_QUARANTINED);
}

static bool same_series(struct record *record, struct hash128 hash)
{
    struct usage usage = usage_of(record);
    assert_int_equal(usage.verdict, VERDICT_EVENT);
    return hash128_equal(usage.series_hash, hash);
}

static void test_normalise__names_never_tell_series_apart_and_ids_do(void **state)
{
    (void)state;
    struct hash128 hash = usage_of(vm()).series_hash;
    static const enum field names[] = {FIELD_NAME,   FIELD_DESCRIPTION, FIELD_ACCOUNT,
                                       FIELD_DOMAIN, FIELD_DOMAINPATH,  FIELD_OSDISPLAYNAME,
                                       FIELD_USAGE,  FIELD_TYPE};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct record *record = vm();
        put(record, names[i], "renamed");
        if (!same_series(record, hash))
            fail_msg("%s tells series apart", field_name(names[i]));
    }
    static const enum field ids[] = {FIELD_ACCOUNTID, FIELD_PROJECTID,        FIELD_ZONEID,
                                     FIELD_USAGEID,   FIELD_VIRTUALMACHINEID, FIELD_NETWORKID,
                                     FIELD_VPCID,     FIELD_OFFERINGID,       FIELD_TEMPLATEID};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct record *record = vm();
        put(record, ids[i], "another");
        if (same_series(record, hash))
            fail_msg("%s does not tell series apart", field_name(ids[i]));
    }
    static const enum field numbers[] = {FIELD_SIZE, FIELD_VIRTUALSIZE, FIELD_CPUNUMBER,
                                         FIELD_CPUSPEED, FIELD_MEMORY};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct record *record = vm();
        put(record, numbers[i], "77");
        if (same_series(record, hash))
            fail_msg("%s does not tell series apart", field_name(numbers[i]));
    }
    struct record *spelled = vm();
    put(spelled, FIELD_MEMORY, "8192.0");
    assert_true(same_series(spelled, hash));
}

static void test_normalise__a_volume_row_with_a_machine_is_ignored(void **state)
{
    (void)state;
    struct record *record = vm();
    put(record, FIELD_USAGETYPE, "6");
    assert_int_equal(usage_of(record).verdict, VERDICT_IGNORED);
    put(record, FIELD_VIRTUALMACHINEID, NULL);
    assert_int_equal(usage_of(record).verdict, VERDICT_EVENT);
}

static void definition_of(const struct record *record, struct definition *ret)
{
    static char kept[4096];
    struct usage usage = usage_of(record);
    assert_int_equal(usage.verdict, VERDICT_EVENT);
    assert_true(usage.definition.length <= sizeof(kept));
    memcpy(kept, usage.definition.data, usage.definition.length);
    assert_int_equal(definition_unpack(slice_of(kept, usage.definition.length), ret), STATUS_OK);
}

static void test_normalise__projects_pay_by_their_own_id(void **state)
{
    (void)state;
    struct record *record = vm();
    put(record, FIELD_ACCOUNT, NULL);
    put(record, FIELD_ACCOUNTID, NULL);
    put(record, FIELD_PROJECTID, "9b1e");
    struct definition definition;
    definition_of(record, &definition);
    assert_int_equal(definition.payer_kind, PAYER_PROJECT);
    assert_true(slice_is(definition.payer_id, "9b1e"));
}

static void test_normalise__types_without_ids_find_them_in_the_description(void **state)
{
    (void)state;
    static const struct {
        const char *type, *description, *resource, *offering, *size;
    } table[] = {
        {"26",
         "Volume on secondary storage usage for UP-1 (2f1e0d9c-8b7a-4695-8473-6251403f2e1d) with "
         "size (8.00 GB) 8589934592",
         "2f1e0d9c-8b7a-4695-8473-6251403f2e1d", "", "8589934592"},
        {"26", "Volume on secondary storage usage for UP-1 with size (8,00 GB) 8589934592", "", "",
         "8589934592"},
        {"30", "Network usage for network ID: 204, network offering: 12", "204", "12", ""},
        {"31", "VPC usage for VPC ID: 9", "9", "", ""},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct record *record = vm();
        static const enum field absent[] = {FIELD_VIRTUALMACHINEID, FIELD_USAGEID, FIELD_OFFERINGID,
                                            FIELD_CPUNUMBER, FIELD_MEMORY};
        for (size_t j = 0; j < sizeof(absent) / sizeof(absent[0]); j++)
            put(record, absent[j], NULL);
        put(record, FIELD_USAGETYPE, table[i].type);
        put(record, FIELD_DESCRIPTION, table[i].description);
        struct definition definition;
        definition_of(record, &definition);
        assert_true(slice_is(definition_attribute(&definition, "resource"), table[i].resource));
        assert_true(slice_is(definition_attribute(&definition, "offering"), table[i].offering));
        assert_true(slice_is(definition_attribute(&definition, "size"), table[i].size));
        bool by_description = definition_attribute(&definition, "description").length > 0;
        assert_int_equal(by_description, table[i].resource[0] == 0);
    }
}

/* Every byte in every place: only hexadecimal digits, in either case, with dashes where they
 * belong, are an id. */
static void test_normalise__what_is_no_uuid_in_a_description_is_no_resource(void **state)
{
    (void)state;
    static const char uuid[] = "2f1e0d9c-8B7A-4695-8473-6251403f2e1d";
    char text[] = "storage usage for UP-1 (2f1e0d9c-8B7A-4695-8473-6251403f2e1d) of a zone";
    char *at = strchr(text, '(') + 1;
    for (int place = 0; place < 36; place++) {
        for (int byte = 1; byte < 256; byte++) {
            bool dash = uuid[place] == '-';
            bool good = dash ? byte == '-' : byte < 128 && isxdigit(byte);
            at[place] = (char)byte;
            struct described told = description_read(TYPE_VOLUME_SECONDARY, slice_string(text));
            if (good != (told.resource.length == 36) || (good && told.resource.data != at))
                fail_msg("byte 0x%02x in place %d", (unsigned)byte, place);
        }
        at[place] = uuid[place];
    }
}

static struct record *purged(const char *type, const char *description, const char *raw)
{
    struct record *record = vm();
    put(record, FIELD_VIRTUALMACHINEID, NULL);
    put(record, FIELD_USAGEID, NULL);
    put(record, FIELD_USAGETYPE, type);
    put(record, FIELD_DESCRIPTION, description);
    put(record, FIELD_RAWUSAGE, raw);
    return record;
}

static void test_normalise__purged_resources_are_told_apart_by_their_description(void **state)
{
    (void)state;
    struct hash128 one =
        usage_of(purged("1", "Running VM usage for web-01 (i-42-1057-VM)", "24")).series_hash;
    assert_false(same_series(purged("1", "Running VM usage for web-02 (i-42-1058-VM)", "24"), one));
    assert_true(same_series(purged("1", "Running VM usage for web-01 (i-42-1057-VM)", "3"), one));
    /* In a byte meter's description stands the amount: it changes from window to window and is not
     * part of who it is. */
    struct hash128 router =
        usage_of(
            purged(
                "4",
                "Bytes sent by network app (6b5a)  (173.42 GB) 186209476608 using router r-311-VM",
                "186209476608"))
            .series_hash;
    assert_true(same_series(
        purged("4", "Bytes sent by network app (6b5a)  (1.00 KB) 1024 using router r-311-VM",
               "1024"),
        router));
    assert_false(same_series(
        purged("4", "Bytes sent by network app (6b5a)  (1.00 KB) 1024 using router r-312-VM",
               "1024"),
        router));
}

static void test_normalise__clipped_windows_end_where_they_say(void **state)
{
    (void)state;
    struct record *record = vm();
    put(record, FIELD_USAGETYPE, "25");
    put(record, FIELD_STARTDATE, "2026-10-01T10:11:12+0000");
    put(record, FIELD_ENDDATE, "2026-10-01T13:14:15+0000");
    struct usage usage = usage_of(record);
    assert_int_equal(usage.end.seconds - usage.start.seconds, 3 * 3600 + 3 * 60 + 3);
    put(record, FIELD_ENDDATE, "2026-10-01T10:11:12+0000"); /* gone within its first second */
    usage = usage_of(record);
    assert_int_equal(usage.end.seconds - usage.start.seconds, 1);
}

static struct record *plain(void)
{
    block->count = 1;
    struct record *record = &block->records[0];
    *record = (struct record){0};
    put(record, FIELD_ID, "e-1");
    put(record, FIELD_ACCOUNT, "a1");
    put(record, FIELD_METER, "api.calls");
    put(record, FIELD_QUANTITY, "1.5");
    put(record, FIELD_TIME, "2026-10-01T00:00:00.750Z");
    return record;
}

static void test_normalise__a_plain_event_has_an_id_or_a_window(void **state)
{
    (void)state;
    struct usage usage = usage_of(plain());
    assert_int_equal(usage.verdict, VERDICT_EVENT);
    assert_true(usage.has_id);
    assert_int_equal(usage.start.seconds, OCTOBER);
    assert_int_equal(usage.end.seconds, OCTOBER);
    struct record *record = plain();
    put(record, FIELD_ID, NULL);
    assert_int_equal(usage_of(record).verdict, VERDICT_QUARANTINED);
    put(record, FIELD_TIME, NULL);
    put(record, FIELD_START, "2026-10-01T00:00:00Z");
    put(record, FIELD_END, "2026-10-01T01:00:00Z");
    usage = usage_of(record);
    assert_int_equal(usage.verdict, VERDICT_EVENT);
    assert_false(usage.has_id);
    assert_int_equal(usage.end.seconds, OCTOBER + 3600);
    put(record, FIELD_TIME, "2026-10-01T00:00:00Z");
    assert_int_equal(usage_of(record).verdict, VERDICT_QUARANTINED);
}

static void test_normalise__attributes_of_a_plain_event_are_part_of_it(void **state)
{
    (void)state;
    struct hash128 without = usage_of(plain()).series_hash;
    struct record *record = plain();
    block->attributes[0] = (struct attribute){SLICE("region"), {"eu", 2, VALUE_TEXT}};
    block->attributes[1] = (struct attribute){SLICE("seats"), {"12.0", 4, VALUE_NUMBER}};
    record->attribute_count = 2;
    struct definition definition;
    assert_false(same_series(record, without));
    definition_of(record, &definition);
    assert_true(slice_is(definition_attribute(&definition, "region"), "eu"));
    assert_true(slice_is(definition_attribute(&definition, "seats"), "12"));
    block->attributes[1].name = SLICE("region");
    assert_int_equal(usage_of(record).verdict, VERDICT_QUARANTINED); /* the same name twice */
}

static void test_normalise__fields_have_their_canonical_names(void **state)
{
    (void)state;
    static const struct {
        enum field field;
        const char *value;
    } table[] = {
        {FIELD_CPUNUMBER, "7"},   {FIELD_CPUSPEED, "7"},       {FIELD_ISDEFAULT, "true"},
        {FIELD_ISSYSTEM, "true"}, {FIELD_ISSOURCENAT, "true"}, {FIELD_MEMORY, "7"},
        {FIELD_NETWORKID, "x"},   {FIELD_OFFERINGID, "x"},     {FIELD_OSCATEGORYID, "x"},
        {FIELD_OSTYPEID, "x"},    {FIELD_PROJECT, "x"},        {FIELD_RESOURCE, "x"},
        {FIELD_SIZE, "7"},        {FIELD_TEMPLATEID, "x"},     {FIELD_TYPE, "x"},
        {FIELD_USAGEID, "x"},     {FIELD_VPCID, "x"},          {FIELD_VIRTUALMACHINEID, "x"},
        {FIELD_VIRTUALSIZE, "7"}, {FIELD_ZONE, "x"},           {FIELD_ZONEID, "x"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct record *record = plain();
        struct definition definition;
        put(record, table[i].field, table[i].value);
        definition_of(record, &definition);
        struct slice name = snapshot_attribute_name(slice_string(field_name(table[i].field)));
        if (definition.attribute_count != 1 || !slice_equal(definition.attributes[0].name, name))
            fail_msg("%s is another attribute", field_name(table[i].field));
    }
}

static void test_normalise__attribute_names_have_their_codes(void **state)
{
    (void)state;
    /* On disk: the order of the codes is for ever. */
    static const char *const names[] = {
        "",         "cpunumber",   "cpuspeed", "description", "isdefault", "issourcenat",
        "issystem", "memory",      "network",  "offering",    "resource",  "size",
        "template", "virtualsize", "vm",       "vpc",         "zone",
    };
    assert_int_equal(NAME_CODES, sizeof(names) / sizeof(names[0]));
    for (int code = 0; code < NAME_CODES; code++)
        assert_int_equal(definition_name_code(slice_string(names[code])), code);
    static const char *const others[] = {"v", "vmx", "Zone", "zonf", "cpunumbes", "a b", "\xff"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(definition_name_code(slice_string(others[i])), NAME_OTHER);
}

/* Events of one payer go to one shard, and so do equal ids, whoever pays. */
static void test_normalise__the_payer_or_the_id_chooses_the_shard(void **state)
{
    (void)state;
    struct record *record = vm();
    struct slice account = field_slice(record, FIELD_ACCOUNTID);
    assert_true(usage_of(record).payer_hash == hash64(account, 42));
    put(record, FIELD_PROJECTID, " p1 ");
    assert_true(usage_of(record).payer_hash == hash64(SLICE("p1"), 42));
    struct usage usage = usage_of(plain());
    assert_true(usage.has_id && usage.payer_hash == usage.id.low);
}

static void
test_normalise__integers_that_are_too_large_are_told_from_what_is_no_integer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *reason; /* NULL: sound */
    } table[] = {
        {"9223372036854775807", NULL},
        {"9223372036854775808", "memory is larger than 2^63-1"},
        {"1e60", "memory is larger than 2^63-1"},
        {"-1", "memory is not a whole number of 0 or more"},
        {"-1e60", "memory is not a whole number of 0 or more"},
        {"1.5", "memory is not a whole number of 0 or more"},
        {"9223372036854775808.5", "memory is not a whole number of 0 or more"},
        {"8 GB", "memory is not a whole number of 0 or more"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct record *record = vm();
        put(record, FIELD_MEMORY, table[i].text);
        struct usage usage = usage_of(record);
        if (strcmp(usage.reason, table[i].reason ? table[i].reason : "") != 0)
            fail_msg("%s: \"%s\"", table[i].text, usage.reason);
    }
}

static void test_normalise__names_of_meters_are_words(void **state)
{
    (void)state;
    static const char *const words[] = {"api.calls", "gpu-h_1:x/y", " padded ",
                                        "\303\274bertragung"};
    static const char *const others[] = {"api calls", "a\tb", "a\nb", "a\033[2J", "a\x7f"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct record *record = plain();
        put(record, FIELD_METER, words[i]);
        assert_int_equal(usage_of(record).verdict, VERDICT_EVENT);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct record *record = plain();
        put(record, FIELD_METER, others[i]);
        struct usage usage = usage_of(record);
        assert_int_equal(usage.verdict, VERDICT_QUARANTINED);
        assert_non_null(strstr(usage.reason, "write it as one word"));
    }
}

static void test_normalise__definitions_survive_packing_and_refuse_cuts(void **state)
{
    (void)state;
    struct usage usage = usage_of(vm());
    struct definition definition;
    for (size_t cut = 0; cut < usage.definition.length; cut++)
        if (definition_unpack(slice_of(usage.definition.data, cut), &definition) == STATUS_OK)
            fail_msg("cut at %zu passes", cut);
    assert_int_equal(definition_unpack(usage.definition, &definition), STATUS_OK);
    assert_true(slice_is(definition.meter_name, "vm.running"));
    assert_true(slice_is(definition.source, "cloud"));
    assert_true(slice_is(definition.name, "web-01"));
    assert_true(slice_is(definition_resource(&definition), "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise__an_inclusive_end_becomes_the_next_second),
        cmocka_unit_test(test_normalise__both_date_syntaxes_are_one_window),
        cmocka_unit_test(test_normalise__quantities_are_exact_or_refused),
        cmocka_unit_test(test_normalise__what_is_wrong_is_quarantined_with_a_reason),
        cmocka_unit_test(test_normalise__names_never_tell_series_apart_and_ids_do),
        cmocka_unit_test(test_normalise__a_volume_row_with_a_machine_is_ignored),
        cmocka_unit_test(test_normalise__projects_pay_by_their_own_id),
        cmocka_unit_test(test_normalise__types_without_ids_find_them_in_the_description),
        cmocka_unit_test(test_normalise__what_is_no_uuid_in_a_description_is_no_resource),
        cmocka_unit_test(test_normalise__purged_resources_are_told_apart_by_their_description),
        cmocka_unit_test(test_normalise__clipped_windows_end_where_they_say),
        cmocka_unit_test(test_normalise__a_plain_event_has_an_id_or_a_window),
        cmocka_unit_test(test_normalise__attributes_of_a_plain_event_are_part_of_it),
        cmocka_unit_test(test_normalise__fields_have_their_canonical_names),
        cmocka_unit_test(test_normalise__attribute_names_have_their_codes),
        cmocka_unit_test(test_normalise__the_payer_or_the_id_chooses_the_shard),
        cmocka_unit_test(
            test_normalise__integers_that_are_too_large_are_told_from_what_is_no_integer),
        cmocka_unit_test(test_normalise__names_of_meters_are_words),
        cmocka_unit_test(test_normalise__definitions_survive_packing_and_refuse_cuts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
