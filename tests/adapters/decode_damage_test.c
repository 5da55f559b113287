/* One damaged byte costs one record, and no record vanishes without a trace: each decoder reads a
 * stream of records in which one byte was changed, removed or put in, thousands of times. Seeded: a
 * failure repeats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/decode_harness.h"
#include "adapters/samples.h"

#define RECORDS 8
#define ROUNDS  1500

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void put_record_json(struct text *text, int i)
{
    text_printf(text,
                "{\"account\":\"acc%d\",\"description\":\"text (x) {y} "
                "[%d]\",\"usagetype\":%d,\"name\":\"\\\"q\\\"%d\","
                "\"size\":%d00,\"tags\":[{\"key\":\"k\",\"value\":\"v\"}]}",
                i, i, i, i, i + 1);
}

static void put_answer(struct text *text, size_t *ret_begin, size_t *ret_end)
{
    text_printf(text, "{\"listusagerecordsresponse\":{\"count\":3,\"usagerecord\":[");
    *ret_begin = text->length;
    for (int i = 0; i < RECORDS; i++) {
        text_printf(text, "%s", i ? "," : "");
        put_record_json(text, i);
    }
    *ret_end = text->length;
    text_printf(text, "]}}\n");
}

static void put_lines(struct text *text, size_t *ret_begin, size_t *ret_end)
{
    *ret_begin = text->length;
    for (int i = 0; i < RECORDS; i++) {
        put_record_json(text, i);
        text_printf(text, "\n");
    }
    *ret_end = text->length;
}

static void put_xml(struct text *text, size_t *ret_begin, size_t *ret_end)
{
    text_printf(text, "<listusagerecordsresponse><count>3</count>");
    *ret_begin = text->length;
    for (int i = 0; i < RECORDS; i++)
        text_printf(
            text,
            "<usagerecord><account>acc%d</account><usagetype>%d</usagetype><name>n&amp;%d</name>"
            "<tags><key>k</key></tags></usagerecord>",
            i, i, i);
    *ret_end = text->length;
    text_printf(text, "</listusagerecordsresponse>");
}

static void put_csv(struct text *text, size_t *ret_begin, size_t *ret_end)
{
    text_printf(text, "account,usagetype,name,size,x\n");
    *ret_begin = text->length;
    for (int i = 0; i < RECORDS; i++)
        text_printf(text, "\"acc%d\",%d,\"n\"\"%d\",%d,y\n", i, i, i, i);
    *ret_end = text->length;
}

static void put_maps(struct text *text, size_t *ret_begin, size_t *ret_end)
{
    *ret_begin = text->length;
    for (int i = 0; i < RECORDS; i++) {
        char name[16];
        char number = (char)i;
        snprintf(name, sizeof(name), "acc%d", i);
        text_put(text, "\x84", 1);
        put_msgpack_text(text, "account");
        put_msgpack_text(text, name);
        put_msgpack_text(text, "usagetype");
        text_put(text, &number, 1);
        put_msgpack_text(text, "name");
        put_msgpack_text(text, "some name");
        put_msgpack_text(text, "tags");
        text_put(text, "\x90", 1);
    }
    *ret_end = text->length;
}

static void damage(struct text *text, size_t begin, size_t end)
{
    static const char bytes[] = "\"{}[],:\\x1<>/&;\n\x81\xa3\xde\xff\0";
    size_t at = begin + next_random() % (end - begin);
    char byte = bytes[next_random() % sizeof(bytes)];
    size_t rest = text->length - at;
    switch (next_random() % 3) {
    case 0:
        text->data[at] = byte;
        break;
    case 1:
        memmove(text->data + at, text->data + at + 1, rest - 1);
        text->length--;
        break;
    default:
        text_put(text, "", 1);
        memmove(text->data + at + 1, text->data + at, rest);
        text->data[at] = byte;
    }
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

/* How many of the lines of `whole` are not in `damaged`. */
static int count_lost(const char *whole, const char *damaged)
{
    int lost = 0;
    char line[256];
    for (const char *at = whole; *at; at = strchr(at, '\n') + 1) {
        size_t length = (size_t)(strchr(at, '\n') - at) + 1;
        assert_true(length < sizeof(line));
        memcpy(line, at, length);
        line[length] = '\0';
        lost += strstr(damaged, line) == NULL;
    }
    return lost;
}

static void check(const struct decoder_class *class, void (*put)(struct text *, size_t *, size_t *),
                  int lost_max, int vanished_max)
{
    char *whole = NULL;
    random_state = 88172645463325252u;
    for (int round = -1; round < ROUNDS; round++) {
        struct text text = {0};
        size_t begin;
        size_t end;
        put(&text, &begin, &end);
        if (round >= 0)
            damage(&text, begin, end);
        char *got = decode_whole(class, slice_of(text.data, text.length), (struct decode_view){0});
        if (round < 0) {
            whole = got;
            assert_int_equal(count_lines(whole), RECORDS);
        } else {
            int lost = count_lost(whole, got);
            int vanished = RECORDS - count_lines(got);
            if (lost > lost_max || vanished > vanished_max)
                fail_msg("%s, round %d: %d lost, %d vanished", class->name, round, lost, vanished);
            free(got);
        }
        free(text.data);
    }
    free(whole);
}

static void test_decode_damage__json_loses_the_damaged_record_only(void **state)
{
    (void)state;
    check(&decoder_json, put_answer, 1, 0);
    check(&decoder_json, put_lines, 1, 0);
}

static void test_decode_damage__xml_loses_the_damaged_record_only(void **state)
{
    (void)state;
    check(&decoder_xml, put_xml, 1, 0);
}

/* Two rows whose line end is gone are one bad row. */
static void test_decode_damage__csv_loses_two_rows_at_most(void **state)
{
    (void)state;
    check(&decoder_csv, put_csv, 2, 1);
}

/* A damaged length can make a map swallow the next one's header. */
static void test_decode_damage__msgpack_loses_two_maps_at_most(void **state)
{
    (void)state;
    check(&decoder_msgpack, put_maps, 2, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_damage__json_loses_the_damaged_record_only),
        cmocka_unit_test(test_decode_damage__xml_loses_the_damaged_record_only),
        cmocka_unit_test(test_decode_damage__csv_loses_two_rows_at_most),
        cmocka_unit_test(test_decode_damage__msgpack_loses_two_maps_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
