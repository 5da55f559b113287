/* The fast msgpack decoder together with the reference decoder against the reference decoder alone:
 * tables, samples, every cut, and seeded streams of records whose tokens and bytes were tampered
 * with. RATEL_LONG=1 makes millions of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/fast_msgpack_harness.h"
#include "adapters/samples.h"

#define UUID "0f3c2b1a-7d6e-4c5b-8a9f-0e1d2c3b4a59"

static const char *const kernel_names[] = {"portable", "sse2", "avx2", "avx512"};
#define KERNELS (sizeof(kernel_names) / sizeof(kernel_names[0]))

static struct fast_decoder *open_fast(const char *kernel, bool learns)
{
    struct fast_decoder *fast;
    assert_non_null(fast_msgpack_kernel(kernel));
    assert_int_equal(fast_msgpack_open_with(fast_msgpack_kernel(kernel), learns, &fast), STATUS_OK);
    return fast;
}

/* ---- making streams
 * --------------------------------------------------------------------------------------------------
 */

#define SEED 88172645463325252u

static uint64_t random_state = SEED;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(next_random() >> 20) % limit;
}

static void put_byte(struct text *text, unsigned byte)
{
    char c = (char)byte;
    text_put(text, &c, 1);
}

static void put_big_endian(struct text *text, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        put_byte(text, (unsigned)(value >> (8 * bytes)) & 255);
}

/* As str, in a header as short as possible or longer, or as bin. */
static void put_text(struct text *text, const char *data, size_t length, unsigned odd)
{
    if (length < 32 && odd == 0) {
        put_byte(text, 0xa0 | (unsigned)length);
    } else if (length < 256 && odd <= 1) {
        put_byte(text, 0xd9);
        put_byte(text, (unsigned)length);
    } else if (length < 65536 && odd <= 2) {
        put_byte(text, 0xda);
        put_big_endian(text, length, 2);
    } else if (odd <= 3) {
        put_byte(text, 0xdb);
        put_big_endian(text, length, 4);
    } else {
        put_byte(text, 0xc5);
        put_big_endian(text, length, 2);
    }
    text_put(text, data, length);
}

static void put_string(struct text *text, const char *string)
{
    put_text(text, string, strlen(string), 0);
}

/* Mostly of the same type for a field, so that layouts come again. */
static void put_integer(struct text *text, unsigned field)
{
    static const uint8_t types[] = {0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3};
    unsigned type = types[below(20) ? field % 5 : below(8)];
    uint64_t number = next_random() >> below(64);
    put_byte(text, type);
    put_big_endian(text, below(8) ? number : 0 - number, 1u << (type & 3));
}

static void put_random_text(struct text *text, size_t length, unsigned odd)
{
    char data[400];
    CHECK(length <= sizeof(data));
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(' ' + below(95));
    if (below(200) == 0 && length >= 4) {
        static const char *const others[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\xa1",
                                             "\xff",     "\xc3",         "%3A"};
        const char *other = others[below(6)];
        memcpy(data + below((unsigned)length - 3), other, strlen(other));
    }
    put_text(text, data, length, odd);
}

static void put_odd_value(struct text *text)
{
    switch (below(13)) {
    case 0:
        put_byte(text, 0xca);
        put_big_endian(text, next_random(), 4);
        return;
    case 1:
        put_byte(text, 0xcb);
        put_big_endian(text, next_random(), 8);
        return;
    case 2:
        text_put(text, "\xd4\x01z", 3);
        return;
    case 3:
        text_put(text, "\xc7\x03\x01xyz", 6);
        return;
    case 4:
        text_put(text, "\x91\x81\xa3key\xa1v", 8);
        return;
    case 5: {
        unsigned depth = 27 + below(5);
        for (unsigned i = 0; i < depth; i++)
            put_byte(text, 0x91);
        put_byte(text, 0xc0);
        return;
    }
    case 6:
        put_random_text(text, 1 + below(60), 1 + below(4));
        return;
    case 7:
        put_byte(text, 0xc0);
        return;
    case 8:
        put_byte(text, 0xc1);
        return;
    case 9:
        put_byte(text, 0xe0 + below(32));
        return;
    case 10:
        put_byte(text, below(2) ? 0x90 : 0x80);
        return;
    case 11:
        put_random_text(text, 250 + below(60), 0);
        return;
    default:
        put_byte(text, 0xc2 + below(2));
    }
}

static void put_random_value(struct text *text, unsigned field)
{
    switch (field) {
    case FIELD_USAGETYPE:
        put_byte(text, 1 + below(20) / 19);
        return;
    case FIELD_CPUNUMBER:
    case FIELD_TYPE:
        put_byte(text, below(128));
        return;
    case FIELD_SIZE:
    case FIELD_VIRTUALSIZE:
    case FIELD_CPUSPEED:
    case FIELD_MEMORY:
        put_integer(text, field);
        return;
    case FIELD_ISDEFAULT:
    case FIELD_ISSYSTEM:
    case FIELD_ISSOURCENAT:
        put_byte(text, 0xc2 + below(2));
        return;
    case FIELD_STARTDATE:
        if (below(100) == 0)
            put_string(text, "2026-10-01T00%3A00%3A00%2B0");
        else
            put_string(text, below(60) ? "2026-10-01T00:00:00+0000" : "2026-10-01T00%3A00%2B000");
        return;
    case FIELD_ENDDATE:
        put_string(text, below(30) ? "2026-10-01T23:59:59+0000" : "2026-10-01'T'23:59:59+00:00");
        return;
    case FIELD_RAWUSAGE:
        put_string(text, below(6) ? "24" : "13.4375");
        return;
    case FIELD_ACCOUNT:
    case FIELD_DOMAIN:
    case FIELD_DESCRIPTION:
    case FIELD_NAME:
    case FIELD_USAGE:
        put_random_text(text, below(field == FIELD_DESCRIPTION ? 150 : 40), 0);
        return;
    default:
        put_string(text, UUID);
    }
}

#define LAYOUTS 24
#define MEMBERS 24

/* Orders of fields that come again and again, so that they are learnt. FIELD_COUNT: unknown. */
static uint8_t layouts[LAYOUTS][MEMBERS];
static uint8_t layout_sizes[LAYOUTS];

static void make_layouts(void)
{
    for (unsigned i = 0; i < LAYOUTS; i++) {
        uint64_t seen = 0;
        layout_sizes[i] = 0;
        unsigned size = 2 + below(MEMBERS - 2);
        for (unsigned j = 0; j < size; j++) {
            unsigned field = below(20) ? below(FIELD_ID) : FIELD_COUNT;
            if (j == 1 && !(seen >> FIELD_USAGETYPE & 1))
                field = FIELD_USAGETYPE;
            if (field < FIELD_COUNT && seen >> field & 1)
                continue;
            if (field < FIELD_COUNT)
                seen |= UINT64_C(1) << field;
            layouts[i][layout_sizes[i]++] = (uint8_t)field;
        }
    }
}

static void put_key(struct text *text, unsigned field, unsigned odd)
{
    static const char *const unknown[] = {"tags", "x", "count", "aresponse", "errortext", ""};
    if (field < FIELD_COUNT)
        put_text(text, field_name((enum field)field), strlen(field_name((enum field)field)), odd);
    else
        put_string(text, unknown[below(30) ? 0 : below(6)]);
}

/* `tamper`: how often a token is another one than it should be. */
static void put_record_of(struct text *text, unsigned layout, unsigned tamper)
{
    unsigned size = layout_sizes[layout];
    unsigned claimed = below(tamper * 4) ? size : below(20);
    if (claimed < 16 && below(50))
        put_byte(text, 0x80 | claimed);
    else
        put_byte(text, 0xde), put_big_endian(text, claimed, 2);
    for (unsigned i = 0; i < size; i++) {
        unsigned field = layouts[layout][i];
        if (below(tamper * 4) == 0)
            field = below(FIELD_COUNT + 1);
        if (below(tamper * 20) == 0)
            put_odd_value(text);
        else
            put_key(text, field, below(tamper * 4) ? 0 : below(5));
        if (below(tamper) == 0)
            put_odd_value(text);
        else if (field == FIELD_COUNT)
            put_byte(text, 0x90);
        else
            put_random_value(text, field);
    }
}

static void put_many_attributes(struct text *text, unsigned count)
{
    put_byte(text, 0xde);
    put_big_endian(text, count + 1, 2);
    put_string(text, "usagetype");
    put_byte(text, 1);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "a%u", i);
        put_string(text, name);
        put_byte(text, i & 127);
    }
}

static void put_between(struct text *text)
{
    static const struct slice things[] = {
        SLICE("\x80"),
        SLICE("\x93"),
        SLICE("\xdc\x00\x05"),
        SLICE("\x81\xb8listusagerecordsresponse\x82\xa5"
              "count\x03\xabusagerecord\x94"),
        SLICE("\x82\xa5"
              "count\xcd\x01\x00\xabusagerecord\xdc\x00\x50"),
        SLICE("\x82\xabusagerecord\x92"),
        SLICE("\x82\xabusagerecord\xdc\x00\x46"),
        SLICE("\x81\xa9"
              "errorcode\xcd\x01\x91"),
        SLICE("\x81\xa7meterxy\x01"),
        SLICE("\x82\xa5meter\xa1x\xa8quantity\x05"),
        SLICE("\x83\xa5meter\xa1x\xa2id\xa1y\xa1z\x01"),
        SLICE("\xc1"),
        SLICE("\x05"),
        SLICE("\xdf\xff\xff\xff\xff"),
    };
    unsigned which = below(16);
    if (which < 14)
        text_put(text, things[which].data, things[which].length);
    else
        put_many_attributes(text, 62 + below(4));
}

static void tamper_bytes(struct text *text)
{
    unsigned at = below((unsigned)text->length);
    size_t rest = text->length - at;
    unsigned count = 1 + below(4);
    switch (below(5)) {
    case 0:
        text->data[at] = (char)next_random();
        break;
    case 1:
        text->data[at] = (char)(text->data[at] ^ (1 << below(8)));
        break;
    case 2:
        if (rest > count) {
            memmove(text->data + at, text->data + at + count, rest - count);
            text->length -= count;
        }
        break;
    case 3:
        put_byte(text, 0);
        memmove(text->data + at + 1, text->data + at, rest);
        text->data[at] = (char)next_random();
        break;
    default:
        text->length = at + 1;
    }
}

/* ---- tests
 * -----------------------------------------------------------------------------------------------------------
 */

struct totals {
    uint64_t records, plain, left, strange, learnt, bytes, cut;
};

static void check_random_stream(struct fast_decoder *fast, struct cut_decoders *cut,
                                unsigned records, unsigned tamper, struct totals *totals)
{
    static const size_t arrivals[] = {0, 0, 900, 4000, 20000};
    struct text text = {0};
    struct fast_run run;
    size_t length;
    for (unsigned i = 0; i < records; i++) {
        if (below(40) == 0)
            put_between(&text);
        put_record_of(&text, below(LAYOUTS), tamper);
    }
    if (below(4) == 0)
        tamper_bytes(&text);
    struct slice input = slice_of(text.data, text.length);
    struct fast_cuts cuts = {.random = next_random() | 1, .arrive_max = arrivals[below(5)]};
    cuts.reference_max = below(4) ? 600 : 0;
    char *expected = reference_text(input, &length);
    check_stream(fast, input, cuts, expected, length, &run);
    check_cut_stream(cut, input, cuts, expected, length);
    totals->cut += cut->cut_bytes;
    totals->bytes += input.length;
    cut->cut_bytes = 0;
    totals->plain += run.plain;
    totals->left += run.left;
    totals->strange += run.strange;
    totals->records += records;
    totals->learnt += ((struct msgpack_fast *)fast)->learnt;
    ((struct msgpack_fast *)fast)->learnt = 0;
    free(expected);
    free(text.data);
}

static void test_fast_msgpack__equals_the_reference_on_tampered_streams(void **state)
{
    (void)state;
    uint64_t wanted = getenv("RATEL_LONG") ? 6000000 : 200000;
    struct totals totals = {0};
    random_state = SEED;
    struct fast_decoder *fast[KERNELS * 2] = {NULL};
    struct cut_decoders cut[KERNELS * 2] = {{0}};
    for (unsigned round = 0; totals.records < wanted; round++) {
        if (round % 500 == 0) {
            make_layouts();
            for (unsigned i = 0; i < KERNELS * 2; i++) {
                const struct msgpack_kernel *kernel = fast_msgpack_kernel(kernel_names[i / 2]);
                if (fast[i])
                    cut_close(&cut[i]);
                fast_msgpack.close(fast[i]);
                fast[i] = kernel ? open_fast(kernel_names[i / 2], i % 2) : NULL;
                if (kernel)
                    cut_open(&cut[i], kernel);
            }
        }
        unsigned which = below(4) ? 2 * below(KERNELS) + 1 : below(KERNELS * 2);
        if (fast[which])
            check_random_stream(fast[which], &cut[which], 1 + below(90), below(3) ? 2000 : 60,
                                &totals);
    }
    for (unsigned i = 0; i < KERNELS * 2; i++) {
        if (fast[i])
            cut_close(&cut[i]);
        fast_msgpack.close(fast[i]);
    }
    print_message("%llu records: %llu learnt, %llu plain, %llu left, %llu stops; %llu%% cut\n",
                  (unsigned long long)totals.records, (unsigned long long)totals.learnt,
                  (unsigned long long)totals.plain, (unsigned long long)totals.left,
                  (unsigned long long)totals.strange,
                  (unsigned long long)(totals.cut * 100 / totals.bytes));
    /* All of the ways are taken, and the fast one is the usual one. */
    assert_true(totals.plain > wanted / 2);
    assert_true(totals.learnt > wanted / 6);
    assert_true(totals.left > wanted / 100 && totals.strange > wanted / 200);
    assert_true(totals.cut > totals.bytes / 4 && totals.cut < totals.bytes);
}

static void check_every_cut(struct slice input)
{
    size_t length;
    char *expected = reference_text(input, &length);
    for (size_t k = 0; k < KERNELS * 2; k++) {
        if (!fast_msgpack_kernel(kernel_names[k / 2]))
            continue;
        struct fast_decoder *fast = open_fast(kernel_names[k / 2], k % 2);
        struct fast_cuts cuts = {.random = 1, .arrive_max = 0};
        check_stream(fast, input, cuts, expected, length, NULL);
        cuts.reference_max = 1;
        check_stream(fast, input, cuts, expected, length, NULL);
        cuts.arrive_max = 1;
        check_stream(fast, input, cuts, expected, length, NULL);
        for (size_t i = 0; i < 20; i++) {
            cuts = (struct fast_cuts){.random = i * 977 + 1, .arrive_max = 2 + i * 40};
            check_stream(fast, input, cuts, expected, length, NULL);
        }
        fast_msgpack.close(fast);
    }
    for (size_t k = 0; k < KERNELS; k++) {
        if (!fast_msgpack_kernel(kernel_names[k]))
            continue;
        struct cut_decoders cut;
        cut_open(&cut, fast_msgpack_kernel(kernel_names[k]));
        for (size_t i = 0; i < 24; i++) {
            struct fast_cuts cuts = {.random = i * 977 + 1, .arrive_max = i < 2 ? i : i * 40};
            check_cut_stream(&cut, input, cuts, expected, length);
        }
        cut_close(&cut);
    }
    free(expected);
}

static void test_fast_msgpack__every_odd_record_is_the_references(void **state)
{
    (void)state;
#define TYPE "\xa9usagetype\x01"
#define RAW                                                                                        \
    "\xa8rawusage\xa2"                                                                             \
    "24"
#define PLAIN "\x82" TYPE RAW
    static const struct slice cases[] = {
        SLICE(""),
        SLICE(PLAIN),
        SLICE(PLAIN PLAIN PLAIN),
        SLICE("\x93" PLAIN PLAIN PLAIN "\x80" PLAIN),
        SLICE("\x82" TYPE TYPE PLAIN),
        SLICE("\x82" TYPE "\xa9usagetype\xc0" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xcb\x40\x38\x00\x00\x00\x00\x00\x00" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xd4\x01\x01" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\x90" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\x81\xa1x\x91\x01" PLAIN),
        SLICE("\x82" TYPE "\xa4name\xa2\xc3\xa9" PLAIN),
        SLICE("\x82" TYPE "\xa4name\xa2\xc3\x28" PLAIN),
        SLICE("\x82" TYPE "\xa2\xc3\x28\x01" PLAIN),
        SLICE("\x82" TYPE "\x01\x02" PLAIN),
        SLICE("\x81\x01\x02" PLAIN),
        /* What an empty entry for a key expects. */
        SLICE("\x81\x00\x00\x00\x00\x00" PLAIN),
        SLICE("\x81\x01\x00\x00\x00\x00" PLAIN),
        SLICE("\x81\x02\x00\x00\x00\x00" PLAIN),
        SLICE("\x82" TYPE "\xa9startdate\xa5%3A%2" PLAIN),
        SLICE("\x83" TYPE "\xa9startdate\xa5%3A%2\xa4name\xa3"
              "a+b" PLAIN),
        SLICE("\x82" TYPE "\xa4size\xff" PLAIN),
        SLICE("\x82" TYPE "\xa4size\xd3\x80\x00\x00\x00\x00\x00\x00\x00" PLAIN),
        SLICE("\x82" TYPE "\xa4size\xcf\xff\xff\xff\xff\xff\xff\xff\xff" PLAIN),
        SLICE("\x82" TYPE "\xa6memory\xd1\x7f\xff" PLAIN),
        SLICE("\x83" TYPE "\xa6memory\xc4\x01"
              "8\xa4size\xda\x00\x01"
              "9" PLAIN),
        SLICE("\x82\xc4\x09usagetype\x02\xd9\x08rawusage\xa1x" PLAIN),
        SLICE("\x83" TYPE "\xa9isdefault\xc3\xa8issystem\xc2" PLAIN),
        SLICE("\x81\xa9usagetype\xc0" PLAIN),
        SLICE("\x82\xa5meter\xa1m\xa8quantity\x01" PLAIN),
        SLICE("\x81\xa5meter" PLAIN),
        SLICE("\x82" TYPE "\xa1x" PLAIN),
        SLICE("\x81\xa5"
              "count\x01" PLAIN),
        SLICE("\x82\xa5"
              "count\x01" TYPE PLAIN),
        SLICE("\x81\xaa"
              "myresponse\x80" PLAIN),
        SLICE("\x82\xaa"
              "myresponse\x01" TYPE PLAIN),
        SLICE("\x81\xb8listusagerecordsresponse\x82\xa5"
              "count\x02\xabusagerecord\x92" PLAIN PLAIN PLAIN),
        SLICE("\x81\xb8listusagerecordsresponse\x82\xabusagerecord\x92" PLAIN PLAIN "\xa5"
              "count\x02" PLAIN),
        /* A map where a key should be is no record. */
        SLICE("\x82\xabusagerecord\x92" PLAIN PLAIN PLAIN PLAIN PLAIN),
        SLICE("\x91\x82\xabusagerecord\x91" PLAIN PLAIN PLAIN),
        SLICE("\x92\x91" PLAIN "\x91" PLAIN PLAIN),
        SLICE(PLAIN "\xc1" PLAIN),
        SLICE("\x82" TYPE "\xa1x\xc1" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xc1" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xc0" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xdb\xff\xff\xff\xff" PLAIN),
        SLICE("\xdf\x7f\xff\xff\xff" TYPE PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xa9" PLAIN),
        SLICE("\x82" TYPE "\xa8rawusage\xa2"
              "2"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};
        check_every_cut(cases[i]);
        /* Again between many plain ones, where the learnt way is taken. */
        for (int j = 0; j < 60; j++)
            text_put(&text, PLAIN, sizeof(PLAIN) - 1);
        text_put(&text, cases[i].data, cases[i].length);
        for (int j = 0; j < 60; j++)
            text_put(&text, PLAIN, sizeof(PLAIN) - 1);
        check_every_cut(slice_of(text.data, text.length));
        free(text.data);
    }
}

static void test_fast_msgpack__every_cut_of_the_samples(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 24; i++)
        put_sample_msgpack(&text, i % 3);
    check_every_cut(slice_of(text.data, text.length));
    free(text.data);
}

/* How many of `count` records of one layout the learnt way takes, seen by its misses. */
static void test_fast_msgpack__known_layouts_are_learnt(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 200; i++)
        put_sample_msgpack(&text, i % 3);
    for (size_t k = 0; k < KERNELS; k++) {
        if (!fast_msgpack_kernel(kernel_names[k]))
            continue;
        struct fast_decoder *fast = open_fast(kernel_names[k], true);
        struct fast_run run;
        size_t length;
        free(fast_text(fast, slice_of(text.data, text.length), (struct fast_cuts){1, 0, 0}, &length,
                       &run));
        assert_int_equal(run.plain, 200);
        /* Twice each until it is familiar. */
        const struct msgpack_fast *inside = (const struct msgpack_fast *)fast;
        assert_true(inside->segment_count >= 3 && inside->segment_count <= 64);
        assert_true(inside->learnt >= 180);
        fast_msgpack.close(fast);
    }
    free(text.data);
}

/* More layouts than there is room for: forgotten, learnt anew, and right all the time. */
static void test_fast_msgpack__room_for_layouts_runs_out(void **state)
{
    (void)state;
    struct fast_decoder *fast = open_fast("portable", true);
    struct cut_decoders cut;
    struct totals totals = {0};
    unsigned turned = 0;
    cut_open(&cut, fast_msgpack_kernel("portable"));
    const struct msgpack_fast *cutter = (const struct msgpack_fast *)cut.cutter;
    for (int round = 0; round < 60; round++) {
        make_layouts();
        const struct shelf *before = cutter->shelf;
        for (int i = 0; i < 3; i++)
            check_random_stream(fast, &cut, 60, 3000, &totals);
        turned += cutter->shelf != before;
    }
    const struct msgpack_fast *inside = (const struct msgpack_fast *)fast;
    assert_true(inside->varying != 0);
    assert_true(totals.learnt > 0);
    assert_true(cutter->varying != 0 && turned > 0);
    assert_true(cutter->shelves[0].users == 0 && cutter->shelves[1].users == 0);
    cut_close(&cut);
    fast_msgpack.close(fast);
}

/* Cuts records of new layouts. False when nothing could be cut. */
static bool cut_new_layouts(struct fast_decoder *cutter, struct flat_block *room,
                            struct msgpack_cut *cut)
{
    struct msgpack_fast *inside = (struct msgpack_fast *)cutter;
    struct text text = {0};
    make_layouts();
    for (int i = 0; i < 60; i++)
        put_record_of(&text, below(LAYOUTS), 3000);
    for (int i = 0; i < 16; i++) /* for the learnt way to have room behind them */
        put_sample_msgpack(&text, i % 3);
    size_t length = text.length;
    for (int i = 0; i < DECODER_PADDING; i++)
        put_byte(&text, 0);
    /* As if they were the first ones. */
    inside->pause = 0;
    inside->varying = 0;
    size_t used = msgpack_cut_make(cutter, text.data, length, length, room, cut);
    free(text.data);
    return used > 0;
}

/* What is cut keeps its layouts until it is done with, whatever is met meanwhile. */
static void test_fast_msgpack__a_cut_keeps_its_shelf(void **state)
{
    (void)state;
    struct flat_block *room = malloc(sizeof(*room));
    struct fast_decoder *cutter = open_fast("portable", true);
    struct msgpack_fast *inside = (struct msgpack_fast *)cutter;
    struct msgpack_cut *held, *other;
    assert_non_null(room);
    assert_int_equal(msgpack_cut_new(&held), STATUS_OK);
    assert_int_equal(msgpack_cut_new(&other), STATUS_OK);
    while (!cut_new_layouts(cutter, room, held))
        ;
    struct shelf *shelf = held->shelf;
    int left_after = -1, round;
    for (round = 0; round < 600; round++) {
        if (cut_new_layouts(cutter, room, other))
            msgpack_cut_done(other);
        if (inside->shelf != shelf && left_after < 0)
            left_after = round;
        assert_true(left_after < 0 || inside->shelf != shelf);
    }
    assert_in_range(left_after, 0, 300);
    msgpack_cut_done(held);
    for (round = 0; round < 300 && inside->shelf != shelf; round++)
        if (cut_new_layouts(cutter, room, other))
            msgpack_cut_done(other);
    assert_true(inside->shelf == shelf);
    msgpack_cut_free(held);
    msgpack_cut_free(other);
    fast_msgpack.close(cutter);
    free(room);
}

/* What has to be walked is not walked twice, and does not keep what follows from being cut. */
static void test_fast_msgpack__records_of_no_layout_are_not_cut(void **state)
{
    (void)state;
    struct msgpack_cut *cut;
    struct flat_block *room = malloc(sizeof(*room));
    struct fast_decoder *cutter = open_fast("portable", true);
    assert_non_null(room);
    assert_int_equal(msgpack_cut_new(&cut), STATUS_OK);
    for (int round = 0; round < 20; round++) {
        struct text text = {0};
        for (int i = 0; i < 300; i++) {
            do
                make_layouts();
            while (layout_sizes[0] < 12);
            put_record_of(&text, 0, 1000000);
        }
        size_t strangers = text.length;
        for (int i = 0; i < 300; i++)
            put_sample_msgpack(&text, i % 3);
        size_t length = text.length - strangers;
        for (int i = 0; i < DECODER_PADDING; i++)
            put_byte(&text, 0);
        /* One in a hundred is strange, and the cut ends there. */
        if (msgpack_cut_make(cutter, text.data, strangers, strangers, room, cut) > 0) {
            assert_in_range(cut->count, 1, 31);
            msgpack_cut_done(cut);
        }
        assert_int_equal(
            msgpack_cut_make(cutter, text.data + strangers, length, SIZE_MAX, room, cut), length);
        msgpack_cut_done(cut);
        free(text.data);
    }
    msgpack_cut_free(cut);
    fast_msgpack.close(cutter);
    free(room);
}

/* A window of many short records is cut in front of its end. */
static void test_fast_msgpack__a_cut_has_room_for_so_many(void **state)
{
    (void)state;
    struct text text = {0};
    struct msgpack_cut *cut;
    struct flat_block *room = malloc(sizeof(*room));
    const char record[] = "\x81" TYPE;
    for (int i = 0; i < CUT_SPOTS + 1000; i++)
        text_put(&text, record, sizeof(record) - 1);
    struct slice input = slice_of(text.data, text.length);
    size_t length;
    char *expected = reference_text(input, &length);
    assert_non_null(room);
    assert_int_equal(msgpack_cut_new(&cut), STATUS_OK);
    for (size_t k = 0; k < KERNELS; k++) {
        if (!fast_msgpack_kernel(kernel_names[k]))
            continue;
        struct fast_decoder *cutter = open_fast(kernel_names[k], true);
        char *window = malloc(text.length + DECODER_PADDING);
        assert_non_null(window);
        memcpy(window, text.data, text.length);
        memset(window + text.length, 0, DECODER_PADDING);
        assert_int_equal(msgpack_cut_make(cutter, window, text.length, SIZE_MAX, room, cut),
                         CUT_SPOTS * (sizeof(record) - 1));
        msgpack_cut_done(cut);
        fast_msgpack.close(cutter);
        free(window);
        struct cut_decoders decoders;
        cut_open(&decoders, fast_msgpack_kernel(kernel_names[k]));
        check_cut_stream(&decoders, input, (struct fast_cuts){1, 0, 0}, expected, length);
        cut_close(&decoders);
    }
    msgpack_cut_free(cut);
    free(room);
    free(expected);
    free(text.data);
}

/* A text longer than a flat value can say is the reference decoder's. */
static void test_fast_msgpack__long_texts_are_left(void **state)
{
    (void)state;
    static char data[70000];
    struct text text = {0};
    memset(data, 'x', sizeof(data));
    for (size_t length = 65530; length <= 65540; length++) {
        text_put(&text,
                 "\x83" TYPE "\xab"
                 "description",
                 24);
        put_text(&text, data, length, 0);
        put_string(&text, "name");
        put_text(&text, data, 70000, 0);
    }
    struct fast_run run;
    size_t length;
    struct slice input = slice_of(text.data, text.length);
    char *expected = reference_text(input, &length);
    struct fast_decoder *fast = open_fast("portable", true);
    check_stream(fast, input, (struct fast_cuts){1, 0, 0}, expected, length, &run);
    assert_int_equal(run.plain, 6);
    assert_int_equal(run.left, 5);
    fast_msgpack.close(fast);
    free(expected);
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_msgpack__every_odd_record_is_the_references),
        cmocka_unit_test(test_fast_msgpack__every_cut_of_the_samples),
        cmocka_unit_test(test_fast_msgpack__known_layouts_are_learnt),
        cmocka_unit_test(test_fast_msgpack__a_cut_keeps_its_shelf),
        cmocka_unit_test(test_fast_msgpack__records_of_no_layout_are_not_cut),
        cmocka_unit_test(test_fast_msgpack__a_cut_has_room_for_so_many),
        cmocka_unit_test(test_fast_msgpack__long_texts_are_left),
        cmocka_unit_test(test_fast_msgpack__room_for_layouts_runs_out),
        cmocka_unit_test(test_fast_msgpack__equals_the_reference_on_tampered_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
