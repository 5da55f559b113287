/* The registry of decoders, and what they share (decode.h). */
#include <limits.h>
#include <stdlib.h>

#include "adapters/decode.h"
#include "adapters/simdjson_shim.h"

/* ---- registry
 * ---------------------------------------------------------------------------------------------------------
 */

/* The first of equals wins a sniff: JSON leads because its complaints explain most. */
static const struct decoder_class *const decoders[] = {
    &decoder_json,
    &decoder_xml,
    &decoder_csv,
    &decoder_msgpack,
};

const struct decoder_class *decoder_find(const char *name)
{
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
        if (strcmp(decoders[i]->name, name) == 0)
            return decoders[i];
    return NULL;
}

const struct decoder_class *decoder_sniff(struct slice head, bool cloudstack_only)
{
    const struct decoder_class *best = &decoder_json;
    int best_score = best->sniff(head);
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
        bool cloudstack = decoders[i] == &decoder_json || decoders[i] == &decoder_xml;
        int score = cloudstack || !cloudstack_only ? decoders[i]->sniff(head) : 0;
        assert(score >= 0 && score <= 100);
        if (score > best_score) {
            best = decoders[i];
            best_score = score;
        }
    }
    return best;
}

/* ---- scratch
 * ----------------------------------------------------------------------------------------------------------
 */

#define SCRATCH_CHUNK_BYTES (256u << 10)

struct scratch_chunk {
    struct scratch_chunk *next;
    size_t used;
    size_t capacity;
    char data[];
};

void scratch_reset(struct scratch *scratch)
{
    for (struct scratch_chunk *chunk = scratch->first; chunk; chunk = chunk->next)
        chunk->used = 0;
    scratch->current = scratch->first;
}

void scratch_fini(struct scratch *scratch)
{
    struct scratch_chunk *next;
    for (struct scratch_chunk *chunk = scratch->first; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *scratch = (struct scratch){0};
}

char *scratch_alloc(struct scratch *scratch, size_t bytes)
{
    struct scratch_chunk **link = scratch->current ? &scratch->current : &scratch->first;
    struct scratch_chunk *chunk = *link;
    while (chunk && chunk->capacity - chunk->used < bytes) {
        link = &chunk->next;
        chunk = *link;
    }
    if (!chunk) {
        size_t capacity = bytes > SCRATCH_CHUNK_BYTES ? bytes : SCRATCH_CHUNK_BYTES;
        chunk = malloc(sizeof(*chunk) + capacity + DECODER_PADDING);
        if (!chunk)
            return NULL;
        chunk->next = NULL;
        chunk->used = 0;
        chunk->capacity = capacity;
        /* Padding is read, not used; it must only be defined. */
        memset(chunk->data + capacity, 0, DECODER_PADDING);
        *link = chunk;
        if (!scratch->first)
            scratch->first = chunk;
    }
    scratch->current = chunk;
    char *data = chunk->data + chunk->used;
    chunk->used += bytes;
    return data;
}

void scratch_trim(struct scratch *scratch, const char *end)
{
    struct scratch_chunk *chunk = scratch->current;
    assert(chunk && end >= chunk->data && end <= chunk->data + chunk->used);
    chunk->used = (size_t)(end - chunk->data);
}

/* ---- decoder and feed
 * -------------------------------------------------------------------------------------------------
 */

void decoder_init(struct decoder *decoder, enum record_form form)
{
    *decoder = (struct decoder){.line = 1, .form = (uint8_t)form};
}

void decoder_fini(struct decoder *decoder)
{
    scratch_fini(&decoder->scratch);
}

void decoder_take_error(struct decoder *decoder, struct envelope_error *ret)
{
    *ret = decoder->error;
    decoder->error = (struct envelope_error){0};
}

void feed_init(struct feed *feed, struct decoder *decoder, const char *window, size_t length,
               uint64_t offset, bool last, struct record_block *block)
{
    assert(window || length == 0);
    block->count = 0;
    block->attribute_count = 0;
    scratch_reset(&decoder->scratch);
    *feed = (struct feed){
        .decoder = decoder,
        .window = window,
        .length = length,
        .offset = offset,
        .last = last,
        .block = block,
    };
}

uint32_t feed_line(struct feed *feed, size_t position)
{
    assert(position >= feed->counted && position <= feed->length);
    const char *at = feed->window + feed->counted;
    const char *end = feed->window + position;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        feed->decoder->line++;
        at++;
    }
    feed->counted = position;
    return feed->decoder->line;
}

void feed_done(struct feed *feed, size_t *ret_used)
{
    assert(feed->at <= feed->length && feed->counted <= feed->at);
    if (feed->decoder->form != RECORD_FORM_MSGPACK)
        feed_line(feed, feed->at);
    *ret_used = feed->at;
}

/* ---- records
 * ----------------------------------------------------------------------------------------------------------
 */

struct record *record_begin(struct feed *feed, size_t start, size_t length)
{
    struct record_block *block = feed->block;
    assert(block->count < RECORD_BLOCK_RECORDS);
    assert(length > 0 && start + length <= feed->length);
    struct record *record = &block->records[block->count++];
    memset(record, 0, sizeof(*record));
    record->form = feed->decoder->form;
    record->attribute_first = block->attribute_count;
    record->line = record->form == RECORD_FORM_MSGPACK ? 0 : feed_line(feed, start);
    record->offset = feed->offset + start;
    record->raw =
        slice_of(feed->window + start, length > DECODE_RECORD_MAX ? DECODE_RECORD_MAX : length);
    return record;
}

void record_fail(struct feed *feed, struct record *record, const char *reason)
{
    memset(record->fields, 0, sizeof(record->fields));
    feed->block->attribute_count = record->attribute_first;
    record->attribute_count = 0;
    record->state = RECORD_BAD;
    record->reason = reason;
}

void record_undo(struct feed *feed, struct record *record)
{
    assert(record == &feed->block->records[feed->block->count - 1]);
    feed->block->attribute_count = record->attribute_first;
    feed->block->count--;
}

void record_bad(struct feed *feed, size_t start, size_t length, const char *reason)
{
    record_fail(feed, record_begin(feed, start, length), reason);
}

bool record_attribute(struct feed *feed, struct record *record, struct slice name,
                      struct field_value value)
{
    struct record_block *block = feed->block;
    if (record->attribute_count == RECORD_ATTRIBUTES_MAX)
        return false;
    assert(block->attribute_count < RECORD_BLOCK_ATTRIBUTES);
    block->attributes[block->attribute_count++] = (struct attribute){name, value};
    record->attribute_count++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool has_url_escapes(struct slice date)
{
    for (size_t i = 0; i + 2 < date.length; i++) {
        if (date.data[i] != '%')
            continue;
        char kind = date.data[i + 1];
        char low = date.data[i + 2] | 0x20;
        if ((kind == '3' && low == 'a') || (kind == '2' && low == 'b'))
            return true;
    }
    return false;
}

/* Java's URLEncoder: %XX and '+' for a blank; a percent sign that starts no escape stays. */
static enum status url_decode(struct scratch *scratch, struct field_value *value)
{
    if (value->kind != VALUE_TEXT || value->length == 0)
        return STATUS_OK;
    if (!memchr(value->data, '%', value->length) && !memchr(value->data, '+', value->length))
        return STATUS_OK;
    char *out = scratch_alloc(scratch, value->length);
    if (!out)
        return STATUS_NO_MEMORY;
    char *to = out;
    for (uint32_t i = 0; i < value->length; i++) {
        char c = value->data[i];
        if (c == '%' && i + 2 < value->length && hex_digit(value->data[i + 1]) >= 0 &&
            hex_digit(value->data[i + 2]) >= 0) {
            *to++ = (char)(hex_digit(value->data[i + 1]) << 4 | hex_digit(value->data[i + 2]));
            i += 2;
        } else {
            *to++ = c == '+' ? ' ' : c;
        }
    }
    scratch_trim(scratch, to);
    *value = value_text(out, (size_t)(to - out));
    return STATUS_OK;
}

enum status record_decode_urls(struct feed *feed, struct record *record)
{
    if (record->state != RECORD_DECODED || record->fields[FIELD_STARTDATE].kind != VALUE_TEXT ||
        !has_url_escapes(field_slice(record, FIELD_STARTDATE)))
        return STATUS_OK;
    enum status status = STATUS_OK;
    for (int i = 0; i < FIELD_COUNT && !status; i++)
        status = url_decode(&feed->decoder->scratch, &record->fields[i]);
    struct attribute *attributes = feed->block->attributes + record->attribute_first;
    for (int i = 0; i < record->attribute_count && !status; i++)
        status = url_decode(&feed->decoder->scratch, &attributes[i].value);
    return status;
}

/* ---- texts
 * ------------------------------------------------------------------------------------------------------------
 */

#define REASON_TABLE(function, before, after)                                                      \
    const char *function(enum field field)                                                         \
    {                                                                                              \
        static const char *const texts[FIELD_COUNT] = {RECORD_FIELDS(REASON_ROW_##function)};      \
        assert(field < FIELD_COUNT);                                                               \
        return texts[field];                                                                       \
    }
#define REASON_ROW_reason_twice(name, wire)  "field " wire " twice in one record: send it once",
#define REASON_ROW_reason_float(name, wire)  "float in field " wire ": send a string",
#define REASON_ROW_reason_nested(name, wire) "list or object in field " wire ": send a plain value",
#define REASON_ROW_reason_extension(name, wire)                                                    \
    "msgpack extension in field " wire ": send a string",

REASON_TABLE(reason_twice, , )
REASON_TABLE(reason_float, , )
REASON_TABLE(reason_nested, , )
REASON_TABLE(reason_extension, , )

static int32_t parse_code(struct slice text)
{
    int64_t code = 0;
    for (size_t i = 0;
         i < text.length && text.data[i] >= '0' && text.data[i] <= '9' && code <= INT32_MAX / 10;
         i++)
        code = code * 10 + (text.data[i] - '0');
    return code > INT32_MAX ? INT32_MAX : (int32_t)code;
}

void envelope_text(struct envelope_error *error, struct slice text)
{
    size_t length = text.length < sizeof(error->text) - 1 ? text.length : sizeof(error->text) - 1;
    /* A cut must not leave half a character. */
    if (length < text.length)
        while (length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80)
            length--;
    if (length)
        memcpy(error->text, text.data, length);
    error->text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)error->text[i] < 0x20)
            error->text[i] = ' ';
}

bool envelope_note(struct envelope_error *error, struct slice name, struct slice value)
{
    if (slice_equal(name, SLICE("errorcode")))
        error->errorcode = parse_code(value);
    else if (slice_equal(name, SLICE("cserrorcode")))
        error->cserrorcode = parse_code(value);
    else if (slice_equal(name, SLICE("errortext")))
        envelope_text(error, value);
    else
        return false;
    error->seen = true;
    return true;
}

bool utf8_valid(const char *data, size_t length)
{
    /* Most texts are short and ASCII: not worth a call. */
    uint64_t bits = 0;
    size_t at = 0;
    for (; length - at >= sizeof(bits); at += sizeof(bits)) {
        uint64_t word;
        memcpy(&word, data + at, sizeof(word));
        bits |= word;
    }
    for (; at < length; at++)
        bits |= (uint64_t)(unsigned char)data[at];
    return (bits & UINT64_C(0x8080808080808080)) == 0 || simdjson_shim_utf8_valid(data, length);
}
