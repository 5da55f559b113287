/* What the decoders share and nobody else sees: scratch space, the walk over one window, filling
 * records.
 *
 * The rule that every decoder keeps: what comes out depends on the stream alone, never on where the
 * caller cut it into windows. So a decision is taken either from bytes that are all there, or from
 * the first DECODE_RECORD_MAX + 1 bytes after the place in question, which a full window always
 * holds. */
#ifndef RATEL_ADAPTERS_DECODE_H
#define RATEL_ADAPTERS_DECODE_H

#include <assert.h>

#include "adapters/adapter.h"

/* Fuzzing builds make it small, so that short inputs reach the code for oversized records. */
#ifndef DECODE_RECORD_MAX
#define DECODE_RECORD_MAX RECORD_BYTES_MAX
#endif

static_assert(DECODE_RECORD_MAX >= 4096,
              "look-ahead and look-behind of the resynchronisation must fit");
static_assert(FIELD_COUNT <= 64, "decoders keep the fields seen in one word");

#define REASON_OVERSIZE   "longer than 1 MiB: split or shorten the record"
#define REASON_ATTRIBUTES "more than 64 members beyond the known fields: remove some"
#define REASON_UTF8       "bytes that are not UTF-8: convert the text to UTF-8"

/* ---- scratch: memory that lives until the next decode call, never moved, reused from call to call
 * ------------------- */

struct scratch_chunk;

struct scratch {
    struct scratch_chunk *first;
    struct scratch_chunk *current;
};

void scratch_reset(struct scratch *scratch);
void scratch_fini(struct scratch *scratch);
/* `bytes` of memory followed by DECODER_PADDING readable ones, or NULL. Cost: no allocation once
 * warm. */
char *scratch_alloc(struct scratch *scratch, size_t bytes);
/* Gives back the unused end of the newest scratch_alloc. */
void scratch_trim(struct scratch *scratch, const char *end);

/* ---- the decoder's common head
 * ---------------------------------------------------------------------------------------- */

struct decoder {
    struct scratch scratch;
    struct envelope_error error; /* met and not yet fetched */
    bool without_lines;
    uint32_t line; /* of the byte that `decode` has counted up to, from 1 */
    uint8_t form;
};

void decoder_init(struct decoder *decoder, enum record_form form);
void decoder_fini(struct decoder *decoder);
/* The `envelope` of every decoder_class. */
void decoder_take_error(struct decoder *decoder, struct envelope_error *ret);

/* One decode call. */
struct feed {
    struct decoder *decoder;
    const char *window;
    size_t length;
    uint64_t offset;
    bool last;
    struct record_block *block;
    size_t at;      /* bytes done with */
    size_t counted; /* bytes whose line ends are in decoder->line */
};

void feed_init(struct feed *feed, struct decoder *decoder, const char *window, size_t length,
               uint64_t offset, bool last, struct record_block *block);
/* The line of `position`, which never goes backwards within a decode call. */
uint32_t feed_line(struct feed *feed, size_t position);
/* Ends the call: counts the lines of what was used. */
void feed_done(struct feed *feed, size_t *ret_used);

/* A record whose bytes may still come when `start` is where it begins: more input is possible and
 * needed. */
static inline bool feed_can_wait(const struct feed *feed, size_t start)
{
    return !feed->last && feed->length - start <= DECODE_RECORD_MAX;
}

/* The end of the bytes that a decision about a record at `start` may look at. */
static inline size_t feed_view_end(const struct feed *feed, size_t start)
{
    size_t rest = feed->length - start;
    return rest > DECODE_RECORD_MAX ? start + DECODE_RECORD_MAX + 1 : feed->length;
}

static inline bool feed_block_full(const struct feed *feed)
{
    const struct record_block *block = feed->block;
    return block->count == RECORD_BLOCK_RECORDS ||
           block->attribute_count > RECORD_BLOCK_ATTRIBUTES - RECORD_ATTRIBUTES_MAX;
}

/* ---- records
 * ----------------------------------------------------------------------------------------------------------
 */

/* Takes the next record of the block, empty, with its place and raw bytes (cut to RECORD_BYTES_MAX)
 * filled in. */
struct record *record_begin(struct feed *feed, size_t start, size_t length);
/* Makes it a bad one: drops whatever fields and attributes it has so far. `reason` is static text.
 */
void record_fail(struct feed *feed, struct record *record, const char *reason);
/* Takes back the newest record. */
void record_undo(struct feed *feed, struct record *record);
/* Adds a bad record of the bytes [start, start + length). */
void record_bad(struct feed *feed, size_t start, size_t length, const char *reason);
/* False when the record has RECORD_ATTRIBUTES_MAX attributes already. */
bool record_attribute(struct feed *feed, struct record *record, struct slice name,
                      struct field_value value);
/* Where startdate shows that the server had encode.api.response on: decodes every text of the
 * record. */
MUST_USE enum status record_decode_urls(struct feed *feed, struct record *record);

/* Static texts that name the field. */
const char *reason_twice(enum field field);
const char *reason_float(enum field field);
const char *reason_nested(enum field field);
const char *reason_extension(enum field field);

static inline struct field_value value_text(const char *data, size_t length)
{
    assert(length <= UINT32_MAX);
    return (struct field_value){data, (uint32_t)length, VALUE_TEXT};
}

/* Notes a member of an error envelope (errorcode, cserrorcode, errortext); false for any other
 * name. */
bool envelope_note(struct envelope_error *error, struct slice name, struct slice value);
void envelope_text(struct envelope_error *error, struct slice text);

/* Whether `name` ends in "response", as the outermost member of every CloudStack answer does. */
static inline bool is_response_name(struct slice name)
{
    static const size_t length = sizeof("response") - 1;
    return name.length >= length &&
           memcmp(name.data + name.length - length, "response", length) == 0;
}

bool utf8_valid(const char *data, size_t length);

#endif
