/* Compares a fast decoder that takes turns with the reference decoder (decode_mixed.h) with what
 * the reference decoder alone gives, for tests and fuzz targets alike: a difference aborts. */
#ifndef RATEL_TESTS_MIXED_HARNESS_H
#define RATEL_TESTS_MIXED_HARNESS_H

#include "adapters/decode_harness.h"
#include "adapters/decode_mixed.h"

/* What the reference decoder says of a stream. */
struct told_record {
    size_t flat; /* where its texts end: the fields of FLAT_FIELDS, ... */
    size_t full; /* ... and everything */
    uint64_t offset;
    uint32_t line;
    uint32_t length;
    bool bad;
};

struct told {
    struct text flat;
    struct text full;
    struct told_record *records;
    size_t count;
    size_t capacity;
    struct envelope_error error; /* the newest */
};

static inline void put_field(struct text *text, int field, unsigned kind, const char *data,
                             size_t length)
{
    char head[4] = {(char)field, (char)kind, (char)(length >> 8), (char)length};
    text_put(text, head, sizeof(head));
    text_put(text, data, length);
}

static inline void put_flat_fields(struct text *text, const struct record *record)
{
    for (int i = 0; i < FIELD_COUNT; i++)
        if ((FLAT_FIELDS >> i & 1) && record->fields[i].kind != VALUE_ABSENT)
            put_field(text, i, record->fields[i].kind, record->fields[i].data,
                      record->fields[i].length);
}

static inline void put_everything(struct text *text, const struct record_block *block,
                                  const struct record *record)
{
    if (record->reason)
        text_put(text, record->reason, strlen(record->reason));
    for (int i = 0; i < FIELD_COUNT; i++)
        if (record->fields[i].kind != VALUE_ABSENT)
            put_field(text, i, record->fields[i].kind, record->fields[i].data,
                      record->fields[i].length);
    for (int i = 0; i < record->attribute_count; i++) {
        const struct attribute *attribute = &block->attributes[record->attribute_first + i];
        put_field(text, 'n', 0, attribute->name.data, attribute->name.length);
        put_field(text, 'v', attribute->value.kind, attribute->value.data, attribute->value.length);
    }
    text_put(text, "=", 1);
    text_put(text, record->raw.data, record->raw.length);
}

/* Adds a block, as if its stream began `offset` bytes and `lines` lines into another one. */
static inline void told_block(struct told *told, const struct record_block *block, uint64_t offset,
                              uint32_t lines)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct record *record = &block->records[i];
        if (told->count == told->capacity) {
            told->capacity = told->capacity * 2 + 16;
            told->records = realloc(told->records, told->capacity * sizeof(*told->records));
            CHECK(told->records);
        }
        put_flat_fields(&told->flat, record);
        put_everything(&told->full, block, record);
        told->records[told->count++] = (struct told_record){
            .flat = told->flat.length,
            .full = told->full.length,
            .offset = record->offset + offset,
            .line = record->line ? record->line + lines : 0,
            .length = (uint32_t)record->raw.length,
            .bad = record->state == RECORD_BAD,
        };
    }
}

/* The reference decoder alone, over all of a stream or a piece of one. */
static inline void told_by_reference(struct told *told, const struct decoder_class *class,
                                     struct slice input, uint64_t offset, uint32_t lines)
{
    static struct record_block block;
    struct decoder *decoder;
    char *window = calloc(1, input.length + DECODER_PADDING);
    CHECK(window && class->open(&decoder) == STATUS_OK);
    if (input.length)
        memcpy(window, input.data, input.length);
    size_t at = 0;
    do {
        size_t used;
        CHECK(class->decode(decoder, window + at, input.length - at, at, true, &block, &used) ==
              STATUS_OK);
        told_block(told, &block, offset, lines);
        at += used;
        struct envelope_error error;
        class->envelope(decoder, &error);
        if (error.seen) {
            told->error = error;
            told->error.offset += offset;
            told->error.line += lines;
        }
    } while (at < input.length);
    class->close(decoder);
    free(window);
}

static inline void told_fini(struct told *told)
{
    free(told->flat.data);
    free(told->full.data);
    free(told->records);
    *told = (struct told){0};
}

static inline void told_check_errors(const struct envelope_error *a, const struct envelope_error *b)
{
    CHECK(a->seen == b->seen && a->errorcode == b->errorcode && a->cserrorcode == b->cserrorcode);
    CHECK(a->offset == b->offset && a->line == b->line && strcmp(a->text, b->text) == 0);
}

static inline void told_check_same(const struct told *a, const struct told *b)
{
    CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        CHECK(a->records[i].offset == b->records[i].offset);
        CHECK(a->records[i].line == b->records[i].line);
        CHECK(a->records[i].full == b->records[i].full);
    }
    CHECK(a->full.length == b->full.length);
    CHECK(a->full.length == 0 || memcmp(a->full.data, b->full.data, a->full.length) == 0);
    told_check_errors(&a->error, &b->error);
}

/* ---- the two in turns
 * --------------------------------------------------------------------------------------------------
 */

struct mixed_run {
    struct mixed *mixed;
    const struct told *told;
    size_t record; /* the next one that is expected */
    uint64_t flat; /* how many came flat */
    struct text scratch;
    struct envelope_error error;
};

static inline void check_text(const struct text *whole, size_t from, size_t to,
                              const struct text *got, size_t got_from)
{
    CHECK(to - from == got->length - got_from);
    CHECK(to == from || memcmp(whole->data + from, got->data + got_from, to - from) == 0);
}

static inline void check_flat(struct mixed_run *run, const struct mixed_block *block,
                              const char *window, size_t length, uint64_t offset)
{
    for (uint32_t i = block->first; i < block->first + block->count; i++) {
        const struct flat_record *record = &block->flat->records[i];
        CHECK(run->record < run->told->count);
        const struct told_record *told = &run->told->records[run->record];
        CHECK(!told->bad && record->present != 0);
        CHECK(told->offset == offset + record->offset && told->length == record->length);
        CHECK((record->present & ~FLAT_FIELDS) == 0);
        run->scratch.length = 0;
        for (int field = 0; field < FIELD_COUNT; field++) {
            if (!(record->present >> field & 1))
                continue;
            struct flat_value value = record->fields[field];
            const char *data = window + value.offset;
            if (value.offset >= length) {
                CHECK(value.offset - length + value.length <= block->flat->digits_length);
                data = block->flat->digits + (value.offset - length);
            } else {
                CHECK(value.offset + value.length <= length);
            }
            put_field(&run->scratch, field, value.kind, data, value.length);
        }
        size_t from = run->record ? run->told->records[run->record - 1].flat : 0;
        check_text(&run->told->flat, from, told->flat, &run->scratch, 0);
        run->record++;
        run->flat++;
    }
}

static inline void check_records(struct mixed_run *run, const struct record_block *block)
{
    struct told got = {0};
    told_block(&got, block, 0, 0);
    size_t from = run->record ? run->told->records[run->record - 1].full : 0;
    CHECK(run->record + got.count <= run->told->count && got.count > 0);
    for (size_t i = 0; i < got.count; i++) {
        const struct told_record *told = &run->told->records[run->record + i];
        CHECK(got.records[i].offset == told->offset && got.records[i].line == told->line);
        CHECK(got.records[i].bad == told->bad && got.records[i].full + from == told->full);
    }
    check_text(&run->told->full, from, from + got.full.length, &got.full, 0);
    run->record += got.count;
    told_fini(&got);
}

/* One window, in memory of its own. Returns the bytes used. */
static inline size_t mixed_run_window(struct mixed_run *run, const char *input, size_t length,
                                      uint64_t offset, bool last)
{
    static const char noise[] = "\"}]>,\n'\\";
    char *window = malloc(length + DECODER_PADDING);
    CHECK(window);
    if (length)
        memcpy(window, input, length);
    for (size_t i = 0; i < DECODER_PADDING; i++)
        window[length + i] = noise[(i + offset) % (sizeof(noise) - 1)];
    mixed_window(run->mixed, window, length, offset, last);
    for (;;) {
        struct mixed_block block;
        CHECK(mixed_next(run->mixed, &block) == STATUS_OK);
        if (block.kind == MIXED_NONE)
            break;
        if (block.kind == MIXED_FLAT)
            check_flat(run, &block, window, length, offset);
        else
            check_records(run, block.records);
    }
    struct envelope_error error;
    mixed_envelope(run->mixed, &error);
    if (error.seen)
        run->error = error;
    size_t used = mixed_used(run->mixed);
    CHECK(used <= length && (!last || used == length));
    free(window);
    return used;
}

/* Decodes the stream in windows as `cut` gives them; it must be what `told` says. Returns how many
 * records came flat. `mixed` is open, and used again. */
static inline uint64_t mixed_check(struct mixed *mixed, struct slice input, const struct told *told,
                                   cut_function *cut, void *context)
{
    struct mixed_run run = {.mixed = mixed, .told = told};
    size_t at = 0;
    size_t arrived = 0;
    while (arrived < input.length) {
        arrived = cut ? cut(context, arrived, input.length) : input.length;
        at += mixed_run_window(&run, input.data + at, arrived - at, at, false);
    }
    at += mixed_run_window(&run, input.data + at, input.length - at, at, true);
    CHECK(at == input.length && run.record == told->count);
    told_check_errors(&run.error, &told->error);
    free(run.scratch.data);
    return run.flat;
}

#endif
