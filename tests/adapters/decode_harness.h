/* Runs a decoder over an input that is cut into windows in a given way, checks what the contract
 * promises on the way, and writes down what came out as text. For tests and fuzz targets alike: a
 * broken promise aborts.
 *
 * One line per record: "line:offset name='text' name=number ..." in field order, attributes with a
 * plus in front, or "line:offset ! reason". Then, indented, the raw bytes. An error envelope is a
 * line "error code cscode text". */
#ifndef RATEL_TESTS_DECODE_HARNESS_H
#define RATEL_TESTS_DECODE_HARNESS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct text {
    char *data;
    size_t length;
    size_t capacity;
};

static inline void text_put(struct text *text, const char *data, size_t length)
{
    if (text->capacity - text->length <= length) {
        text->capacity = (text->capacity + length + 256) * 2;
        text->data = realloc(text->data, text->capacity);
        CHECK(text->data);
    }
    if (length)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

static inline void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void text_printf(struct text *text, const char *format, ...)
{
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof(buffer));
    text_put(text, buffer, (size_t)length);
}

/* What is written down. */
struct decode_view {
    bool places; /* line and offset */
    bool raw;
    bool reasons;
    bool bad_raw; /* a bad record's raw bytes on its line */
};

#define DECODE_ALL ((struct decode_view){.places = true, .raw = true, .reasons = true})
/* For tables: the fields of good records, the raw bytes of bad ones. */
#define DECODE_BRIEF   ((struct decode_view){.bad_raw = true})
#define DECODE_REASONS ((struct decode_view){.reasons = true})
#define DECODE_PLACES  ((struct decode_view){.places = true, .bad_raw = true})

struct decode_run {
    struct decoder *decoder;
    const struct decoder_class *class;
    struct record_block *block;
    struct decode_view view;
    struct text out;
    struct text errors; /* the newest error envelope, as a line */
    uint64_t records;
    uint64_t bad;
    uint64_t calls;
};

/* A slice that starts in the window must end in it: the padding is read, not used. */
static inline void check_slice(const char *window, size_t length, const char *data, size_t bytes)
{
    if (bytes == 0)
        return;
    CHECK(data);
    uintptr_t from = (uintptr_t)window;
    uintptr_t at = (uintptr_t)data;
    if (at >= from && at < from + length + DECODER_PADDING)
        CHECK(at + bytes <= from + length);
}

static inline void put_value(struct text *text, const struct field_value *value)
{
    if (value->kind == VALUE_TEXT)
        text_put(text, "'", 1);
    else
        CHECK(value->kind == VALUE_NUMBER || value->kind == VALUE_BOOLEAN);
    text_put(text, value->data, value->length);
    if (value->kind == VALUE_TEXT)
        text_put(text, "'", 1);
}

static inline void put_record(struct decode_run *run, const struct record *record,
                              const char *window, size_t length)
{
    struct text *text = &run->out;
    const char *gap = "";
    if (run->view.places) {
        text_printf(text, "%u:%llu", record->line, (unsigned long long)record->offset);
        gap = " ";
    }
    if (record->state == RECORD_BAD) {
        CHECK(record->reason && record->attribute_count == 0);
        text_printf(text, "%s!%s%s", gap, run->view.reasons ? " " : "",
                    run->view.reasons ? record->reason : "");
        if (run->view.bad_raw)
            text_put(text, record->raw.data, record->raw.length);
    }
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct field_value *value = &record->fields[i];
        if (value->kind == VALUE_ABSENT)
            continue;
        CHECK(record->state == RECORD_DECODED);
        check_slice(window, length, value->data, value->length);
        text_printf(text, "%s%s=", gap, field_name((enum field)i));
        put_value(text, value);
        gap = " ";
    }
    CHECK(record->attribute_count <= RECORD_ATTRIBUTES_MAX);
    CHECK(record->attribute_first + record->attribute_count <= run->block->attribute_count);
    for (int i = 0; i < record->attribute_count; i++) {
        const struct attribute *attribute = &run->block->attributes[record->attribute_first + i];
        check_slice(window, length, attribute->name.data, attribute->name.length);
        check_slice(window, length, attribute->value.data, attribute->value.length);
        text_printf(text, "%s+", gap);
        text_put(text, attribute->name.data, attribute->name.length);
        text_put(text, "=", 1);
        put_value(text, &attribute->value);
        gap = " ";
    }
    check_slice(window, length, record->raw.data, record->raw.length);
    CHECK(record->raw.length > 0 && record->raw.length <= RECORD_BYTES_MAX);
    if (run->view.raw) {
        text_put(text, "\n    ", 5);
        text_put(text, record->raw.data, record->raw.length);
    }
    text_put(text, "\n", 1);
    run->records++;
    run->bad += record->state == RECORD_BAD;
}

/* One decode call over a copy that has nothing but noise behind its end. Returns the bytes used. */
static inline size_t run_window(struct decode_run *run, const char *input, size_t length,
                                uint64_t offset, bool last)
{
    static const char noise[] = "\"}]>,\n'\\";
    char *window = malloc(length + DECODER_PADDING);
    CHECK(window);
    if (length)
        memcpy(window, input, length);
    for (size_t i = 0; i < DECODER_PADDING; i++)
        window[length + i] = noise[(i + run->calls) % (sizeof(noise) - 1)];
    size_t used = SIZE_MAX;
    enum status status =
        run->class->decode(run->decoder, window, length, offset, last, run->block, &used);
    CHECK(status == STATUS_OK);
    CHECK(used <= length);
    CHECK(run->block->count <= RECORD_BLOCK_RECORDS);
    CHECK(run->block->attribute_count <= RECORD_BLOCK_ATTRIBUTES);
    if (last && length > 0)
        CHECK(used > 0 || run->block->count > 0);
    for (uint32_t i = 0; i < run->block->count; i++)
        put_record(run, &run->block->records[i], window, length);
    struct envelope_error error;
    run->class->envelope(run->decoder, &error);
    if (error.seen) {
        run->errors.length = 0;
        text_printf(&run->errors, "error %d %d %s\n", error.errorcode, error.cserrorcode,
                    error.text);
    }
    run->calls++;
    free(window);
    return used;
}

static inline void run_init(struct decode_run *run, const struct decoder_class *class,
                            struct decode_view view)
{
    *run = (struct decode_run){.class = class, .view = view};
    run->block = malloc(sizeof(*run->block));
    CHECK(run->block);
    CHECK(class->open(&run->decoder) == STATUS_OK);
    text_put(&run->out, "", 0);
    text_put(&run->errors, "", 0);
}

/* Ends the run; its text, the error line last, is the caller's to free. */
static inline char *run_fini(struct decode_run *run)
{
    text_put(&run->out, run->errors.data, run->errors.length);
    for (size_t i = 0; i < run->out.length; i++) /* so that strcmp sees all of it */
        if (run->out.data[i] == '\0')
            run->out.data[i] = '\1';
    run->class->close(run->decoder);
    free(run->block);
    free(run->errors.data);
    return run->out.data;
}

/* The next place where more input comes, behind `at`. */
typedef size_t cut_function(void *context, size_t at, size_t length);

/* Decodes the whole input; `cut` says how much of it has arrived at each call. */
static inline char *decode_cut(const struct decoder_class *class, struct slice input,
                               struct decode_view view, cut_function *cut, void *context)
{
    struct decode_run run;
    size_t at = 0;
    size_t arrived = 0;
    run_init(&run, class, view);
    while (arrived < input.length) {
        arrived = cut ? cut(context, arrived, input.length) : input.length;
        CHECK(arrived <= input.length);
        size_t used;
        do {
            used = run_window(&run, input.data + at, arrived - at, at, false);
            at += used;
        } while (used > 0 && arrived > at);
    }
    do {
        at += run_window(&run, input.data + at, input.length - at, at, true);
    } while (at < input.length);
    return run_fini(&run);
}

static inline size_t cut_each_byte(void *context, size_t at, size_t length)
{
    (void)context;
    (void)length;
    return at + 1;
}

/* One cut, at *(size_t *)context. */
static inline size_t cut_once(void *context, size_t at, size_t length)
{
    size_t place = *(const size_t *)context;
    return at < place && place < length ? place : length;
}

static inline char *decode_whole(const struct decoder_class *class, struct slice input,
                                 struct decode_view view)
{
    return decode_cut(class, input, view, NULL, NULL);
}

/* Decodes in one piece, byte by byte, and with one cut at every place: all must agree. Returns the
 * text in `view`. */
static inline char *decode_every_way(const struct decoder_class *class, struct slice input,
                                     struct decode_view view)
{
    char *whole = decode_whole(class, input, DECODE_ALL);
    char *bytes = decode_cut(class, input, DECODE_ALL, cut_each_byte, NULL);
    if (strcmp(whole, bytes) != 0) {
        fprintf(stderr, "in one piece:\n%s\nbyte by byte:\n%s\n", whole, bytes);
        abort();
    }
    free(bytes);
    for (size_t place = 1; place < input.length; place++) {
        char *halves = decode_cut(class, input, DECODE_ALL, cut_once, &place);
        if (strcmp(whole, halves) != 0) {
            fprintf(stderr, "in one piece:\n%s\ncut at %zu:\n%s\n", whole, place, halves);
            abort();
        }
        free(halves);
    }
    free(whole);
    return decode_whole(class, input, view);
}

struct decode_case {
    const char *name;
    struct slice input;
    const char *expected;
};

/* Runs a table, each input cut in every way. Returns how many cases failed, having said which. */
static inline int decode_table(const struct decoder_class *class, const struct decode_case *cases,
                               size_t count, struct decode_view view)
{
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        char *got = decode_every_way(class, cases[i].input, view);
        if (strcmp(got, cases[i].expected) != 0) {
            fprintf(stderr, "%s: expected:\n%s\ngot:\n%s\n", cases[i].name, cases[i].expected, got);
            failed++;
        }
        free(got);
    }
    return failed;
}

#define DECODE_TABLE(class, cases, view)                                                           \
    assert_int_equal(decode_table(&(class), cases, sizeof(cases) / sizeof((cases)[0]), view), 0)

#endif
