/* The fast JSON decoder, taking turns with the reference decoder, gives what that one gives alone:
 * for every form, for odd and broken records, for windows cut anywhere, for hundreds of thousands
 * of records that were changed at random (millions with RATEL_LONG set). Seeded: a failure
 * repeats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/fast_cut.h"
#include "adapters/fast_json.h"
#include "adapters/mixed_harness.h"
#include "adapters/samples.h"

#define ENVELOPE(records)                                                                          \
    "{\"listusagerecordsresponse\":{\"count\":9,\"usagerecord\":[" records "]}}"
#define A "{\"account\":\"a\",\"usagetype\":1}"
#define B "{\"usagetype\":2,\"account\":\"b\",\"size\":12,\"issystem\":true}"

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static const struct fast_class *const classes[] = {
    &fast_json, &fast_json_portable, &fast_json_unlearnt, &fast_json_unlearnt_portable};

#define CLASSES 4

static size_t cut_random(void *context, size_t at, size_t length)
{
    size_t step = 1 + below(*(const size_t *)context);
    return length - at < step ? length : at + step;
}

/* In all builds and ways: in one piece, again with what was learnt, and in random windows.
 * Returns how many records came flat in the second run. */
static uint64_t check_input(struct slice input)
{
    struct told told = {0};
    uint64_t flat = 0;
    size_t step_max = 900;
    told_by_reference(&told, &decoder_json, input, 0, 0);
    for (int i = 0; i < CLASSES; i++) {
        struct mixed mixed;
        assert_int_equal(mixed_open(&mixed, classes[i], &decoder_json), STATUS_OK);
        mixed_check(&mixed, input, &told, NULL, NULL);
        flat = mixed_check(&mixed, input, &told, NULL, NULL);
        mixed_check(&mixed, input, &told, cut_random, &step_max);
        mixed_close(&mixed);
    }
    told_fini(&told);
    return flat;
}

/* Also cut at every byte. */
static void check_every_way(struct slice input)
{
    struct told told = {0};
    (void)check_input(input);
    told_by_reference(&told, &decoder_json, input, 0, 0);
    struct mixed mixed;
    assert_int_equal(mixed_open(&mixed, &fast_json, &decoder_json), STATUS_OK);
    mixed_check(&mixed, input, &told, cut_each_byte, NULL);
    for (size_t place = 1; place < input.length; place++)
        mixed_check(&mixed, input, &told, cut_once, &place);
    mixed_close(&mixed);
    told_fini(&told);
}

static const char *const odd_inputs[] = {
    "",
    " \n\r\n\t",
    A,
    A "\n" B "\n",
    A "\r\n" B,
    A B A,
    "[" A "," B "]",
    "[" A " ," B " , ]" A,
    ENVELOPE(A "," B),
    ENVELOPE(A "," B) "\n" ENVELOPE(B "," A) "\n",
    ENVELOPE(A ",\n" B "\n,") ENVELOPE(""),
    ENVELOPE(A "\n" B "," A) "\n" A,
    "[" A "\n" B "]" A "\n" A,
    "[[" A "\r\n" B "]]" A "\n" A,
    "[" A "\n {\"account\":\"a\"}]",
    "{\"count\":2,\"usagerecord\":[" A "," B "]}" A,
    "{\"count\":2,\"usagetype\":1}\n" A,
    "{\"errorcode\":5,\"usagetype\":1}\n" A,
    "{\"xresponse\":5,\"usagetype\":1}\n" A,
    "{\"xresponse\":{\"usagetype\":1}}\n" A,
    "{\"x\\u0072esponse\":{\"usagetype\":1}}\n" A,
    "{\"usagetype\":1,\"count\":3,\"xresponse\":{\"a\":1}}\n" A,
    "{}\n" A "{}" B,
    "[{}," A ",{}]",
    "\xef\xbb\xbf" A "\n" B,
    A "\xef\xbb\xbf" B,
    "{\"usagetype\":1,\"account\":\"a\\n\"}\n" A,
    "{\"usagetype\":1,\"acc\\u006funt\":\"a\"}\n" A,
    "{\"usagetype\":1,\"account\":\"\\\\\"}\n" A,
    "{\"usagetype\":1,\"account\":\"\\u00e9\\ud83d\\ude00\\/"
    "\\b\",\"name\":\"\\t\",\"x\":\"\\n\"}\n" A,
    "{\"usagetype\":1,\"name\":\"\\ud83d\"}\n" A,
    "{\"usagetype\":1,\"x\":\"\\x\"}\n" A,
    "{\"usagetype\":1,\"usagetype\":\"\\n\"}\n" A,
    "{\"usagetype\":1,\"account\":\"a\\n\",\"account\":2}\n" A,
    "{\"usagetype\":1,\"account\":\"a\\n\",\"zoneid\":[]}\n" A,
    "{\"usagetype\":1,\"startdate\":\"2026-10-01T00\\u003a00:00\",\"name\":\"a%20b\"}\n" A,
    "{\"usagetype\":1,\"startdate\":\"2026\\u002d10-01T00%3A00\",\"name\":\"a%20b\"}\n" A,
    "{\"usagetype\":\"\\u0031\",\"account\":\"\\u0000\"}\n" A,
    "{\"usagetype\":1,\"account\":\"\\\"\"}\n" A,
    "{\"usagetype\":1,\"account\":\"\\x\"}\n" A,
    "{\"usagetype\":1,\"account\":\"\\ud83d\"}\n" A,
    "{\"usagetype\":1,\"account\":\"a\x01\tb\"}\n" A,
    "{\"usagetype\":1,\"account\":\"a\\\tb\"}\n" A,
    "{\"usagetype\":1,\"account\":\"a\nb\"}\n" A,
    "{\"usagetype\":1,\"account\":\"a}\n{\",\"x\":1}\n" A,
    "{\"usagetype\":1,\"account\":\"a}\r\n{\",\"x\":1}\n" A,
    "{\"usagetype\":1,\"account\":\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}\n" A,
    "{\"usagetype\":1,\"account\":\"h\xc3\"}\n" A,
    "{\"usagetype\":1,\"h\xc3\":\"\"}\n" A,
    "{\"usagetype\":1,\"tags\":[\"\xff\"]}\n" A,
    "{\"usagetype\":1\xc3\xa9}\n" A,
    "{\"usagetype\":1,\"account\":\"a\x7f\"}\n" A,
    "{\"usagetype\":1,\"usagetype\":1}\n" A,
    "{\"usagetype\":1,\"name\":\"n\",\"name\":null}\n" A,
    "{\"usagetype\":1,\"name\":null,\"name\":\"n\"}\n" A,
    "{\"usagetype\":1,\"x\":1,\"x\":2}\n" A,
    "{\"usagetype\":1,\"account\":{}}\n" A,
    "{\"usagetype\":1,\"name\":[1]}\n" A,
    "{\"usagetype\":{},\"name\":[1]}\n" A,
    "{\"usagetype\":null,\"name\":\"n\"}\n" A,
    "{\"usagetype\":\"1\",\"name\":\"n\"}\n" A,
    "{\"usagetype\":true,\"issystem\":false,\"isdefault\":true}\n" A,
    "{\"usagetype\":1.50,\"size\":-0,\"memory\":1e+5,\"cpunumber\":0.1E-2}\n" A,
    "{\"usagetype\":01}\n" A,
    "{\"usagetype\":1.}\n" A,
    "{\"usagetype\":-}\n" A,
    "{\"usagetype\":1e}\n" A,
    "{\"usagetype\":.5}\n" A,
    "{\"usagetype\":+5}\n" A,
    "{\"usagetype\":1 2}\n" A,
    "{\"usagetype\":1x}\n" A,
    "{\"usagetype\":nul}\n" A,
    "{\"usagetype\":truee}\n" A,
    "{\"usagetype\":tru" A,
    "{\"usagetype\":1,}\n" A,
    "{,\"usagetype\":1}\n" A,
    "{\"usagetype\":1,,\"x\":1}\n" A,
    "{\"usagetype\" 1}\n" A,
    "{\"usagetype\":1 \"x\":1}\n" A,
    "{\"usagetype\":}\n" A,
    "{usagetype:1}\n" A,
    "{\"usagetype\":1,\"\":1,\"\":\"\"}\n" A,
    "{\"usagetype\":1,\"tags\":[{\"key\":\"account\",\"value\":{\"a\":[1,\"}\\\"\"]}}]}\n" A,
    "{\"usagetype\":1,\"tags\":[1,]}\n" A,
    "{\"usagetype\":1,\"tags\":[,1]}\n" A,
    "{\"usagetype\":1,\"tags\":[1 2]}\n" A,
    "{\"usagetype\":1,\"tags\":{\"a\":1,}}\n" A,
    "{\"usagetype\":1,\"tags\":{\"a\"}}\n" A,
    "{\"usagetype\":1,\"tags\":{1:2}}\n" A,
    "{\"usagetype\":1,\"tags\":[}]}\n" A,
    "{\"usagetype\":1,\"tags\":[\"a\nb\"]}\n" A,
    "{\"usagetype\":1,\"tags\":[01]}\n" A,
    "{\"usagetype\":1,\"tags\":[\"\x01\"]}\n" A,
    "{\"usagetype\":1,\"tags\":[\"\\u12\"]}\n" A,
    "{\"usagetype\":1,\"specversion\":\"1.0\",\"data\":{\"account\":\"x\"}}\n" A,
    "{\"usagetype\":1,\"specversion\":[],\"data\":{\"account\":\"x\"}}\n" A,
    "{\"specversion\":\"1.0\",\"id\":\"e1\",\"type\":\"t\",\"data\":{\"quantity\":5}}\n" A,
    "{\"id\":\"1\",\"account\":\"a\",\"meter\":\"m\",\"quantity\":\"1.5\",\"color\":\"x\"}\n" A,
    "{\"usagetype\":1,\"startdate\":\"2026-10-01T00%3A00%3A00%2B0000\",\"name\":\"a%20b\"}\n" A,
    "{\"usagetype\":1,\"startdate\":\"2026-10-01T00:00:00\",\"name\":\"a%20b\"}\n" A,
    "{\"usagetype\":1,\"startdate\":5,\"name\":\"a%20b\"}\n" A,
    " {\n  \"usagetype\" : 1 ,\n\t\"account\" : \"a\" ,\n  \"tags\" : [ ]\n}\n,\n" A,
    "what is this?\n" A "\n" B,
    A "\nxx\n" B "\n}]\n" A,
    A "\n{\"account\":\"a\n" B "\n" A,
    A "\n{\"account\":\"a\",\"usagetype\":1\n" B "\n" A,
    A "\n\"account\":\"a\",\"usagetype\":1}\n" B "\n" A,
    "[" A ",{\"account\":\"x,\"usagetype\":1}," B "]",
    "[" A ",{\"account\":\"x\",\"usagetype\":1," B "]",
    "[" A ",",
    "{\"listusagerecordsresponse\":{\"count\" 3,\"usagerecord\":[" A "," A "\n" B "]}}\n",
    "[" A ",{\"account\":\"x,\"usagetype\":1}," A "\n" B "]\n",
    "{\"listusagerecordsresponse\":{\"usagerecord\":[" A ",\n" ENVELOPE(B),
    "{\"listusagerecordsresponse\":{\"usagerecord\":[" A "\n" ENVELOPE(B),
    "{\"listusagerecordsresponse\":{\"usagerecord\":" A "}}" B,
    "{\"listusagerecordsresponse\":{\"usagerecord\":[" A "],\"errorcode\":431}}" B,
    "{\"errorresponse\":{\"errorcode\":401,\"errortext\":\"who?\"}}\n" A "\n" A,
    "{\"listzonesresponse\":{\"zone\":[{\"id\":\"x\"}\n{\"id\":\"y\"}]}}\n" A,
    "{\"listzonesresponse\":{\"zone\":[{\"id\":\"x}\r\n{\"}]}}\n" A,
};

static void test_fast_json__odd_and_broken_records_are_as_the_reference_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(odd_inputs) / sizeof(odd_inputs[0]); i++)
        check_every_way(slice_string(odd_inputs[i]));
}

/* ---- streams of samples
 * -----------------------------------------------------------------------------------------------
 */

static const struct {
    const char *before, *between, *after;
} frames[] = {
    {"", "\n", "\n"},
    {"", "\r\n", ""},
    {"[", ",", "]"},
    {"[", " ,\n", "]"},
    {"{\"listusagerecordsresponse\":{\"count\":3,\"usagerecord\":[", ",", "]}}\n"},
    {"{\"count\":3,\"usagerecord\":[", ", \n", "]}\n"},
    {"{\"listusagerecordsresponse\":{\"usagerecord\":[",
     "]}}\n{\"listusagerecordsresponse\":{\"count\":1,\"usagerecord\":[", "]}}\n"},
};

#define FRAMES (sizeof(frames) / sizeof(frames[0]))

/* The members of a sample, `shuffled` or as CloudStack sends them, with blanks around the tokens
 * when it is `pretty`. */
static void put_members(struct text *text, int sample, bool shuffled, bool pretty)
{
    const char *gap = pretty ? "\n    " : "";
    size_t order[SAMPLE_MEMBERS_MAX];
    size_t count = 0;
    for (; samples[sample][count].name; count++)
        order[count] = count;
    for (size_t i = 0; shuffled && i < count; i++) {
        size_t other = i + below(count - i);
        size_t swap = order[i];
        order[i] = order[other];
        order[other] = swap;
    }
    text_printf(text, "{%s", gap);
    for (size_t i = 0; i < count; i++) {
        const struct sample_member *m = &samples[sample][order[i]];
        const char *quote = m->kind == 'n' ? "" : "\"";
        text_printf(text, "\"%s\"%s:%s%s", m->name, pretty ? " " : "", pretty ? " " : "", quote);
        text_printf(text, "%s%s,%s", m->value, quote, gap);
    }
    text_printf(text, "\"tags\":[]%s}", pretty ? "\n" : "");
}

static void put_stream(struct text *text, size_t frame, size_t records, bool shuffled, bool pretty)
{
    for (size_t i = 0; i < records; i++) {
        text_printf(text, "%s", i ? frames[frame].between : frames[frame].before);
        put_members(text, (int)below(3), shuffled, pretty);
    }
    text_printf(text, "%s", frames[frame].after);
}

static void test_fast_json__every_form_comes_flat(void **state)
{
    (void)state;
    for (size_t frame = 0; frame < FRAMES; frame++)
        for (int kind = 0; kind < 4; kind++) {
            struct text text = {0};
            put_stream(&text, frame, 200, kind & 1, kind & 2);
            uint64_t flat = check_input(slice_of(text.data, text.length));
            /* Envelopes of one record each are the reference decoder's alone. */
            if (frame < 6)
                assert_true(flat > 190);
            free(text.data);
        }
}

static void test_fast_json__a_short_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t frame = 0; frame < FRAMES; frame++) {
        struct text text = {0};
        put_stream(&text, frame, 3, false, false);
        check_every_way(slice_of(text.data, text.length));
        free(text.data);
    }
}

/* ---- changed at random
 * ------------------------------------------------------------------------------------------------
 */

static void splice(struct text *text, size_t at, size_t remove, const char *put, size_t length)
{
    struct text after = {0};
    text_put(&after, text->data + at + remove, text->length - at - remove);
    text->length = at;
    text_put(text, put, length);
    text_put(text, after.data, after.length);
    free(after.data);
}

/* Where a quote that starts a key may be: behind a comma or a brace. */
static size_t find_member(const struct text *text, size_t from)
{
    for (size_t i = from; i + 1 < text->length; i++)
        if ((text->data[i] == ',' || text->data[i] == '{') && text->data[i + 1] == '"')
            return i + 1;
    return text->length;
}

static void put_member_of(struct text *text, size_t from, size_t to)
{
    struct text copy = {0};
    text_put(&copy, text->data + from, to - from);
    splice(text, to, 0, copy.data, copy.length);
    free(copy.data);
}

static void mutate(struct text *text)
{
    static const char bytes[] = "\"{}[],:\\x1 \t\n\r\x01\x80\xc3\xa9\xff%eE+-.0tfn\0";
    static const char *const words[] = {"null",
                                        "true",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "[1,\"]\"]",
                                        "-1.5e3",
                                        "01",
                                        "\"a\\n\"",
                                        "\"\xc3\xa9\"",
                                        "\"%3A\"",
                                        "\"x\",\"x\":2",
                                        "}\n{\"",
                                        "\\",
                                        "\\u00e9",
                                        "\xf0\x9f\x98\x80",
                                        "},{",
                                        "}\n{",
                                        "}\r\n{\"",
                                        "\"count\":1,",
                                        "\"specversion\":1,",
                                        "\"usagetype\":2,",
                                        "\"account\":\"z\",",
                                        "\"issystem\":true,"};
    if (text->length < 2)
        return;
    size_t at = below(text->length);
    switch (below(9)) {
    case 0:
        text->data[at] = bytes[below(sizeof(bytes) - 1)];
        break;
    case 1:
        splice(text, at, 1, "", 0);
        break;
    case 2: {
        char byte = bytes[below(sizeof(bytes) - 1)];
        splice(text, at, 0, &byte, 1);
        break;
    }
    case 3: { /* a word at a member's start, or anywhere */
        const char *word = words[below(sizeof(words) / sizeof(words[0]))];
        size_t member = find_member(text, at);
        splice(text, next_random() & 1 ? at : member, 0, word, strlen(word));
        break;
    }
    case 4: { /* another value */
        const char *word = words[below(sizeof(words) / sizeof(words[0]))];
        size_t member = find_member(text, at);
        const char *colon = memchr(text->data + member, ':', text->length - member);
        if (!colon)
            break;
        size_t value = (size_t)(colon - text->data) + 1;
        const char *end = memchr(text->data + value, ',', text->length - value);
        if (end)
            splice(text, value, (size_t)(end - text->data) - value, word, strlen(word));
        break;
    }
    case 5: { /* a member twice */
        size_t member = find_member(text, at);
        size_t next = member < text->length ? find_member(text, member) : text->length;
        if (next < text->length && next - member < 300)
            put_member_of(text, member, next);
        break;
    }
    case 6: { /* a member less */
        size_t member = find_member(text, at);
        size_t next = member < text->length ? find_member(text, member) : text->length;
        if (next < text->length)
            splice(text, member, next - member, "", 0);
        break;
    }
    case 7:
        text->length = at;
        break;
    default: { /* a stretch twice */
        size_t length = below(40);
        if (at + length <= text->length)
            put_member_of(text, at, at + length);
    }
    }
}

static uint64_t rounds(uint64_t usual)
{
    return getenv("RATEL_LONG") ? usual * 20 : usual;
}

/* A naive look for hard ends. */
static bool is_hard_end(const struct text *text, size_t at)
{
    const char *data = text->data;
    if (at + 2 > text->length || at < 2 || data[at] != '{' || data[at + 1] != '"')
        return false;
    if (data[at - 1] != '\n')
        return false;
    return data[at - 2] == '}' || (at >= 3 && data[at - 2] == '\r' && data[at - 3] == '}');
}

static void check_pieces(const struct text *text, const struct told *whole)
{
    struct told pieces = {0};
    size_t start = 0;
    size_t newest = 0;
    uint32_t lines = 0;
    for (size_t at = 1; at <= text->length; at++) {
        if (at < text->length && !is_hard_end(text, at))
            continue;
        told_by_reference(&pieces, &decoder_json, slice_of(text->data + start, at - start), start,
                          lines);
        for (size_t i = start; i < at; i++)
            lines += text->data[i] == '\n';
        if (at < text->length)
            newest = at;
        start = at;
    }
    told_check_same(whole, &pieces);
    CHECK(json_cut(text->data, text->length) == newest);
    told_fini(&pieces);
}

static void check_mutated(uint64_t streams, bool pieces)
{
    struct mixed mixed[CLASSES];
    uint64_t flat = 0;
    uint64_t all = 0;
    for (int i = 0; i < CLASSES; i++)
        assert_int_equal(mixed_open(&mixed[i], classes[i], &decoder_json), STATUS_OK);
    for (uint64_t round = 0; round < streams; round++) {
        struct text text = {0};
        struct told told = {0};
        size_t frame = below(3) ? below(2) : below(FRAMES);
        size_t records = 1 + below(8);
        size_t step_max = 1 + below(4000);
        put_stream(&text, frame, records, below(8) == 0, below(16) == 0);
        for (size_t i = below(5); i > 0; i--)
            mutate(&text);
        struct slice input = slice_of(text.data, text.length);
        told_by_reference(&told, &decoder_json, input, 0, 0);
        flat += mixed_check(&mixed[round % CLASSES], input, &told, NULL, NULL);
        mixed_check(&mixed[(round + 1) % CLASSES], input, &told, cut_random, &step_max);
        if (pieces)
            check_pieces(&text, &told);
        all += told.count;
        told_fini(&told);
        free(text.data);
    }
    for (int i = 0; i < CLASSES; i++)
        mixed_close(&mixed[i]);
    if (streams > 1000)
        assert_true(flat > all / 4 && flat < all);
}

static void test_fast_json__records_changed_at_random_are_as_the_reference_has_them(void **state)
{
    (void)state;
    check_mutated(rounds(40000), false);
}

static void test_fast_json__the_pieces_between_hard_ends_stand_alone(void **state)
{
    (void)state;
    check_mutated(rounds(5000), true);
    for (size_t i = 0; i < sizeof(odd_inputs) / sizeof(odd_inputs[0]); i++) {
        struct told told = {0};
        struct text text = {0};
        text_put(&text, odd_inputs[i], strlen(odd_inputs[i]));
        told_by_reference(&told, &decoder_json, slice_string(odd_inputs[i]), 0, 0);
        check_pieces(&text, &told);
        told_fini(&told);
        free(text.data);
    }
}

/* ---- what the generator makes
 * -----------------------------------------------------------------------------------------
 */

static void test_fast_json__what_the_generator_makes(void **state)
{
    (void)state;
    static const char *const options[] = {
        "--form ndjson",
        "--form ndjson --control-chars --projects 5",
        "--form ndjson --malformed 100 --duplicates 20",
        "--form ndjson --date-format old --decimal-comma",
        "--form json --page-size 50",
        "--form json --pages-one --malformed 100 --malformed-kinds number,date,type,missing",
        "--form array --malformed 50 --malformed-kinds number,date,type,missing,cut,quote",
        "--form ndjson --stable --order random",
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char command[1024];
        snprintf(command, sizeof(command), "%s/bin/ratel-gen --vms 30 --days 3 %s",
                 RATEL_BINARY_DIR, options[i]);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        struct text text = {0};
        char buffer[65536];
        for (size_t got; (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
            text_put(&text, buffer, got);
        assert_int_equal(pclose(pipe), 0);
        assert_true(text.length > 100000);
        uint64_t flat = check_input(slice_of(text.data, text.length));
        assert_true(flat > 100);
        free(text.data);
    }
}

/* ---- limits
 * -------------------------------------------------------------------------------------------------------------
 */

static void put_many(struct text *text, int members, const char *format)
{
    text_printf(text, "{\"usagetype\":1");
    for (int i = 0; i < members; i++) {
        text_printf(text, ",\"x%d\":", i);
        text_printf(text, "%s", format);
    }
    text_printf(text, "}\n");
}

/* Behind so many plain records that it is surely the fast decoder's turn. */
static void put_deep(struct text *text, int depth)
{
    for (int i = 0; i < 300; i++)
        text_printf(text, "%s\n", A);
    text_printf(text, "{\"usagetype\":1,\"x\":");
    for (int i = 0; i < depth; i++)
        text_printf(text, "%s", i % 2 ? "{\"a\":" : "[");
    text_printf(text, "1");
    for (int i = depth - 1; i >= 0; i--)
        text_printf(text, "%s", i % 2 ? "}" : "]");
    text_printf(text, "}\n");
}

static void put_long_text(struct text *text, const char *name, size_t length)
{
    char *fill = malloc(length + 1);
    memset(fill, 'x', length);
    text_printf(text, "{\"usagetype\":1,\"%s\":\"", name);
    text_put(text, fill, length);
    text_printf(text, "\"}\n");
    free(fill);
}

static void test_fast_json__limits_are_those_of_the_reference(void **state)
{
    (void)state;
    struct text text = {0};
    for (int count = 63; count <= 66; count++) {
        put_many(&text, count, "1");
        put_many(&text, count, "\"v\"");
    }
    for (int count = 253; count <= 257; count++) {
        put_many(&text, count, "null");
        put_many(&text, count, "[1,\"a\"]");
    }
    for (int depth = 56; depth <= 62; depth++)
        put_deep(&text, depth);
    for (int i = 0; i < 3; i++)
        for (size_t length = 20; length < 5000; length += 31 + length / 8)
            put_long_text(&text, i ? "account" : "x", length);
    put_long_text(&text, "account", 65535);
    put_long_text(&text, "account", 65536);
    put_long_text(&text, "x", 65536);
    put_long_text(&text, "x", RECORD_BYTES_MAX - 28);
    put_long_text(&text, "x", RECORD_BYTES_MAX - 26);
    put_long_text(&text, "x", RECORD_BYTES_MAX - 25);
    put_long_text(&text, "x", RECORD_BYTES_MAX);
    put_long_text(&text, "x", 3 * RECORD_BYTES_MAX);
    text_printf(&text, "%s\n%s\n", A, B);
    struct told told = {0};
    size_t step_max = RECORD_BYTES_MAX;
    struct slice input = slice_of(text.data, text.length);
    told_by_reference(&told, &decoder_json, input, 0, 0);
    for (int i = 0; i < CLASSES; i++) {
        struct mixed mixed;
        assert_int_equal(mixed_open(&mixed, classes[i], &decoder_json), STATUS_OK);
        for (int pass = 0; pass < 3; pass++)
            mixed_check(&mixed, input, &told, pass ? cut_random : NULL, &step_max);
        mixed_close(&mixed);
    }
    told_fini(&told);
    free(text.data);
}

/* What was unescaped fills the block's digits; then the block ends early. */
static void test_fast_json__many_escapes_end_a_block_early(void **state)
{
    (void)state;
    struct text text = {0};
    for (size_t i = 0; i < 300; i++) {
        char *fill = malloc(10000);
        size_t length = i % 50 == 0 ? 9000 : 1 + i * 7 % 900;
        memset(fill, 'x', length);
        text_printf(&text, "{\"usagetype\":1,\"description\":\"\\n");
        text_put(&text, fill, length);
        text_printf(&text, "\",\"account\":\"\\u0041\"}\n");
        free(fill);
    }
    assert_int_equal(check_input(slice_of(text.data, text.length)), 294);
    free(text.data);
}

/* More layouts than the tree has room for: it is given up and grown anew, and nothing changes. */
static void test_fast_json__the_tree_may_overflow(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 3000; i++) {
        put_members(&text, i % 3, i % 4 == 0, false);
        text_printf(&text, "\n");
    }
    assert_true(check_input(slice_of(text.data, text.length)) >= 2999);
    free(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_json__odd_and_broken_records_are_as_the_reference_has_them),
        cmocka_unit_test(test_fast_json__every_form_comes_flat),
        cmocka_unit_test(test_fast_json__a_short_stream_may_be_cut_anywhere),
        cmocka_unit_test(test_fast_json__records_changed_at_random_are_as_the_reference_has_them),
        cmocka_unit_test(test_fast_json__the_pieces_between_hard_ends_stand_alone),
        cmocka_unit_test(test_fast_json__what_the_generator_makes),
        cmocka_unit_test(test_fast_json__limits_are_those_of_the_reference),
        cmocka_unit_test(test_fast_json__many_escapes_end_a_block_early),
        cmocka_unit_test(test_fast_json__the_tree_may_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
