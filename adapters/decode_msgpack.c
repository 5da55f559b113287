/* msgpack: maps with the fields' names as keys, in a row or in lists; or an answer of
 * listUsageRecords as a map.
 *
 * The stream's own containers are walked here, each record's extent is found by msgpack_frame, and
 * msgpack-c parses it. Floats are refused where quantities may be: they are not what somebody
 * counted. */
#include <stdlib.h>

#include <msgpack.h>

#include "adapters/decode.h"
#include "adapters/fast.h"
#include "adapters/msgpack_frame.h"

#define REASON_BROKEN   "bytes that are no msgpack: send it again"
#define REASON_CUT      "cut off before its end: send it again whole"
#define REASON_DEEP     "nested deeper than 30 levels: flatten it"
#define REASON_NO_MAP   "not a msgpack map: each record is a map"
#define REASON_KEY      "a key that is no string: use the fields' names"
#define REASON_ENVELOPE "an answer whose envelope cannot be read: send it again whole"
#define TEXT_CUT        "the input ends within an answer or a list"
#define TEXT_FOREIGN    "an answer without usagerecord: is it one of listUsageRecords?"

#define PLACES_MAX 8
#define ZONE_BYTES (64u << 10)

enum place_kind {
    PLACE_LIST,  /* of records, or of lists or envelopes of them */
    PLACE_OUTER, /* {"...response": {...}} */
    PLACE_INNER, /* {"count": n, "usagerecord": [...]} */
};

struct place {
    uint8_t kind;
    uint64_t left; /* elements or pairs to come */
};

enum skip_mode { SKIP_NONE = 0, SKIP_VALUE, SKIP_BROKEN };

struct msgpack_decoder {
    struct decoder base;
    msgpack_zone zone;
    struct place places[PLACES_MAX]; /* the containers that are open around the records */
    int depth;
    bool has_usage;
    bool has_other;
    struct envelope_error answer;
    uint8_t skip;        /* enum skip_mode */
    uint64_t skip_items; /* SKIP_VALUE: objects to go over */
    uint64_t skip_bytes; /* and the rest of the one that is being gone over */
};

enum step { STEP_ON, STEP_MORE };

static const uint8_t *bytes_at(const struct feed *feed, size_t position)
{
    return (const uint8_t *)feed->window + position;
}

static size_t position_of(const struct feed *feed, const uint8_t *at)
{
    return (size_t)(at - (const uint8_t *)feed->window);
}

/* ---- containers
 * -------------------------------------------------------------------------------------------------------
 */

static struct place *place_top(struct msgpack_decoder *msgpack)
{
    return msgpack->depth > 0 ? &msgpack->places[msgpack->depth - 1] : NULL;
}

static void place_push(struct msgpack_decoder *msgpack, enum place_kind kind, uint64_t left)
{
    assert(msgpack->depth < PLACES_MAX);
    msgpack->places[msgpack->depth++] = (struct place){(uint8_t)kind, left};
}

static void envelope_close(struct msgpack_decoder *msgpack)
{
    if (!msgpack->answer.seen && msgpack->has_other && !msgpack->has_usage) {
        msgpack->answer.seen = true;
        envelope_text(&msgpack->answer, SLICE(TEXT_FOREIGN));
    }
    if (msgpack->answer.seen)
        msgpack->base.error = msgpack->answer;
    msgpack->answer.seen = false;
}

/* One element or pair of the innermost container is done; containers that are full close. */
static void place_count(struct msgpack_decoder *msgpack)
{
    struct place *place = place_top(msgpack);
    if (place)
        place->left--;
}

static void close_full(struct msgpack_decoder *msgpack)
{
    while (msgpack->depth > 0 && msgpack->places[msgpack->depth - 1].left == 0) {
        if (msgpack->places[--msgpack->depth].kind == PLACE_INNER)
            envelope_close(msgpack);
    }
}

/* After broken bytes nobody knows how many elements went with them: the containers are forgotten,
 * and maps are records. */
static void reset_place(struct msgpack_decoder *msgpack)
{
    if (msgpack->answer.seen)
        envelope_close(msgpack);
    msgpack->depth = 0;
}

/* ---- bad records
 * ------------------------------------------------------------------------------------------------------
 */

static enum step give_up(struct msgpack_decoder *msgpack, struct feed *feed, const char *reason)
{
    size_t start = feed->at;
    size_t view_end = feed_view_end(feed, start);
    bool full = feed->length - start > DECODE_RECORD_MAX;
    const uint8_t *at;
    bool found = msgpack_resync(bytes_at(feed, start + 1), bytes_at(feed, view_end),
                                feed->last && !full, &at);
    if (!found && feed_can_wait(feed, start))
        return STEP_MORE;
    reset_place(msgpack);
    size_t end = position_of(feed, at);
    if (!found && full) {
        msgpack->skip = SKIP_BROKEN;
        if (end > start + DECODE_RECORD_MAX)
            end = start + DECODE_RECORD_MAX;
        record_bad(feed, start, DECODE_RECORD_MAX, reason);
    } else {
        record_bad(feed, start, end - start, reason);
    }
    feed->at = end;
    return STEP_ON;
}

static enum step skip_broken(struct msgpack_decoder *msgpack, struct feed *feed)
{
    const uint8_t *at;
    bool found =
        msgpack_resync(bytes_at(feed, feed->at), bytes_at(feed, feed->length), feed->last, &at);
    feed->at = position_of(feed, at);
    if (!found && !feed->last)
        return STEP_MORE;
    msgpack->skip = SKIP_NONE;
    return STEP_ON;
}

static bool starts_container(uint8_t byte)
{
    return (byte >= 0x80 && byte < 0xa0) || (byte >= 0xdc && byte < 0xe0);
}

/* ---- records
 * ----------------------------------------------------------------------------------------------------------
 */

static enum status integer_value(struct scratch *scratch, const msgpack_object *object,
                                 struct field_value *ret)
{
    bool negative = object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
    uint64_t number = negative ? 0 - (uint64_t)object->via.i64 : object->via.u64;
    char digits[24];
    char *at = digits + sizeof(digits);
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    if (negative)
        *--at = '-';
    size_t length = (size_t)(digits + sizeof(digits) - at);
    char *out = scratch_alloc(scratch, length);
    if (!out)
        return STATUS_NO_MEMORY;
    memcpy(out, at, length);
    *ret = (struct field_value){out, (uint32_t)length, VALUE_NUMBER};
    return STATUS_OK;
}

/* `known`: the field that the value is for, or FIELD_COUNT; what an attribute cannot hold is
 * skipped, a field refuses it. */
static enum status read_value(struct scratch *scratch, const msgpack_object *object,
                              enum field known, struct field_value *ret, const char **ret_reason)
{
    *ret = (struct field_value){0};
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return STATUS_OK;
    case MSGPACK_OBJECT_BOOLEAN:
        *ret = (struct field_value){object->via.boolean ? "true" : "false",
                                    object->via.boolean ? 4 : 5, VALUE_BOOLEAN};
        return STATUS_OK;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return integer_value(scratch, object, ret);
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN: /* the same layout */
        if (!utf8_valid(object->via.str.ptr, object->via.str.size))
            *ret_reason = REASON_UTF8;
        *ret = value_text(object->via.str.ptr, object->via.str.size);
        return STATUS_OK;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        if (known != FIELD_COUNT)
            *ret_reason = reason_float(known);
        return STATUS_OK;
    case MSGPACK_OBJECT_EXT:
        if (known != FIELD_COUNT)
            *ret_reason = reason_extension(known);
        return STATUS_OK;
    default:
        if (known != FIELD_COUNT)
            *ret_reason = reason_nested(known);
        return STATUS_OK;
    }
}

static enum status fill_record(struct msgpack_decoder *msgpack, struct feed *feed,
                               struct record *record, const msgpack_object_map *map,
                               const char **ret_reason)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        struct slice name = slice_of(key->via.str.ptr, key->via.str.size);
        enum field field = field_by_name(name);
        struct field_value value;
        enum status status =
            read_value(&msgpack->base.scratch, &map->ptr[i].val, field, &value, ret_reason);
        if (status || *ret_reason)
            return status;
        if (field == FIELD_COUNT) {
            if (!utf8_valid(name.data, name.length))
                *ret_reason = REASON_UTF8;
            else if (value.kind != VALUE_ABSENT && !record_attribute(feed, record, name, value))
                *ret_reason = REASON_ATTRIBUTES;
        } else {
            if (seen >> field & 1)
                *ret_reason = reason_twice(field);
            seen |= UINT64_C(1) << field;
            record->fields[field] = value;
        }
        if (*ret_reason)
            return STATUS_OK;
    }
    return record_decode_urls(feed, record);
}

static bool has_text_keys(const msgpack_object_map *map)
{
    for (uint32_t i = 0; i < map->size; i++)
        if (map->ptr[i].key.type != MSGPACK_OBJECT_STR &&
            map->ptr[i].key.type != MSGPACK_OBJECT_BIN)
            return false;
    return true;
}

/* The map's bytes are [start, end). One with keys that are no strings, or with texts that are no
 * UTF-8, may be whole but odd, or the trace of a damaged length that swallowed a part of its
 * neighbour: it is taken for whole when another container, or nothing, follows. */
static enum step odd_record(struct msgpack_decoder *msgpack, struct feed *feed, size_t end,
                            const char *reason)
{
    const uint8_t *neighbour;
    if (msgpack_resync(bytes_at(feed, feed->at + 1), bytes_at(feed, end), true, &neighbour))
        return give_up(msgpack, feed, reason);
    if (end == feed->length && !feed->last)
        return STEP_MORE;
    if (end < feed->length && !starts_container(*bytes_at(feed, end)))
        return give_up(msgpack, feed, reason);
    record_bad(feed, feed->at, end - feed->at, reason);
    feed->at = end;
    place_count(msgpack);
    return STEP_ON;
}

static enum status read_record(struct msgpack_decoder *msgpack, struct feed *feed, size_t end,
                               enum step *ret_step)
{
    size_t start = feed->at;
    size_t offset = 0;
    msgpack_object object;
    msgpack_unpack_return result =
        msgpack_unpack(feed->window + start, end - start, &offset, &msgpack->zone, &object);
    if (result == MSGPACK_UNPACK_NOMEM_ERROR)
        return STATUS_NO_MEMORY;
    assert(result == MSGPACK_UNPACK_SUCCESS && offset == end - start &&
           object.type == MSGPACK_OBJECT_MAP);
    if (!has_text_keys(&object.via.map)) {
        *ret_step = odd_record(msgpack, feed, end, REASON_KEY);
        return STATUS_OK;
    }
    const char *reason = NULL;
    struct record *record = record_begin(feed, start, end - start);
    enum status status = fill_record(msgpack, feed, record, &object.via.map, &reason);
    if (status)
        return status;
    if (reason && strcmp(reason, REASON_UTF8) == 0) {
        record_undo(feed, record);
        *ret_step = odd_record(msgpack, feed, end, REASON_UTF8);
        return STATUS_OK;
    }
    if (reason)
        record_fail(feed, record, reason);
    feed->at = end;
    place_count(msgpack);
    return STATUS_OK;
}

static enum status walk_record(struct msgpack_decoder *msgpack, struct feed *feed,
                               enum step *ret_step)
{
    size_t start = feed->at;
    const uint8_t *end;
    bool full = feed->length - start > DECODE_RECORD_MAX;
    enum msgpack_frame frame = msgpack_frame(
        bytes_at(feed, start), bytes_at(feed, feed_view_end(feed, start)), DECODE_RECORD_MAX, &end);
    *ret_step = STEP_ON;
    switch (frame) {
    case MSGPACK_FRAME_WHOLE:
        if (position_of(feed, end) - start > DECODE_RECORD_MAX)
            *ret_step = give_up(msgpack, feed, REASON_OVERSIZE);
        else {
            enum status status = read_record(msgpack, feed, position_of(feed, end), ret_step);
            msgpack_zone_clear(&msgpack->zone);
            return status;
        }
        break;
    case MSGPACK_FRAME_MORE:
        if (feed_can_wait(feed, start))
            *ret_step = STEP_MORE;
        else
            *ret_step = give_up(msgpack, feed, full ? REASON_OVERSIZE : REASON_CUT);
        break;
    case MSGPACK_FRAME_BROKEN:
        *ret_step = give_up(msgpack, feed, REASON_BROKEN);
        break;
    case MSGPACK_FRAME_DEEP:
        *ret_step = give_up(msgpack, feed, REASON_DEEP);
        break;
    case MSGPACK_FRAME_OVERSIZE:
        *ret_step = give_up(msgpack, feed, REASON_OVERSIZE);
        break;
    }
    return STATUS_OK;
}

/* Something else than a map where a record should be. In a list that element alone is bad, if the
 * list seems to go on behind it. */
static enum step walk_garbage(struct msgpack_decoder *msgpack, struct feed *feed)
{
    size_t start = feed->at;
    const uint8_t *at = NULL;
    enum msgpack_frame frame = MSGPACK_FRAME_BROKEN;
    if (msgpack->depth > 0)
        frame = msgpack_frame(bytes_at(feed, start), bytes_at(feed, feed_view_end(feed, start)),
                              DECODE_RECORD_MAX, &at);
    if (frame == MSGPACK_FRAME_MORE && feed_can_wait(feed, start))
        return STEP_MORE;
    if (frame != MSGPACK_FRAME_WHOLE)
        return give_up(msgpack, feed, REASON_NO_MAP);
    size_t end = position_of(feed, at);
    if (end - start <= DECODE_RECORD_MAX && end == feed->length && !feed->last)
        return STEP_MORE;
    if (end - start > DECODE_RECORD_MAX || (end < feed->length && !starts_container(*at)))
        return give_up(msgpack, feed, REASON_NO_MAP);
    record_bad(feed, start, end - start, REASON_NO_MAP);
    feed->at = end;
    place_count(msgpack);
    return STEP_ON;
}

/* ---- envelopes
 * --------------------------------------------------------------------------------------------------------
 */

static void envelope_open(struct msgpack_decoder *msgpack, struct feed *feed)
{
    msgpack->answer = (struct envelope_error){.offset = feed->offset + feed->at};
    msgpack->has_usage = msgpack->has_other = false;
}

/* A map where a record may be. */
static enum status walk_map(struct msgpack_decoder *msgpack, struct feed *feed,
                            struct msgpack_header header, enum step *ret_step)
{
    enum msgpack_map map =
        msgpack_classify(bytes_at(feed, feed->at), bytes_at(feed, feed_view_end(feed, feed->at)));
    bool room = msgpack->depth + 3 <= PLACES_MAX;
    *ret_step = STEP_ON;
    if (map == MSGPACK_MAP_MORE && !feed->last) {
        *ret_step = STEP_MORE;
        return STATUS_OK;
    }
    if (map == MSGPACK_MAP_EMPTY && msgpack->depth == 0) {
        feed->at += header.bytes;
        return STATUS_OK;
    }
    if (room && (map == MSGPACK_MAP_ENVELOPE || map == MSGPACK_MAP_ANSWER)) {
        place_count(msgpack);
        envelope_open(msgpack, feed);
        place_push(msgpack, map == MSGPACK_MAP_ENVELOPE ? PLACE_OUTER : PLACE_INNER, header.length);
        feed->at += header.bytes;
        return STATUS_OK;
    }
    return walk_record(msgpack, feed, ret_step);
}

/* A list where a record may be: one of maps or lists, or an empty one. */
static enum step walk_list(struct msgpack_decoder *msgpack, struct feed *feed,
                           struct msgpack_header header)
{
    const uint8_t *inside = bytes_at(feed, feed->at + header.bytes);
    struct msgpack_header first = msgpack_header(inside, bytes_at(feed, feed->length));
    if (header.length > 0 && first.kind == MSGPACK_MORE && !feed->last)
        return STEP_MORE;
    bool records = header.length == 0 || first.kind == MSGPACK_MAP || first.kind == MSGPACK_LIST;
    /* Three levels are left for an envelope. */
    if (!records || msgpack->depth + 4 > PLACES_MAX)
        return walk_garbage(msgpack, feed);
    place_count(msgpack);
    place_push(msgpack, PLACE_LIST, header.length);
    feed->at += header.bytes;
    return STEP_ON;
}

static enum step give_up_envelope(struct msgpack_decoder *msgpack, struct feed *feed)
{
    return give_up(msgpack, feed, REASON_ENVELOPE);
}

/* The value of an envelope's pair: an error's part, a count, or nothing that matters. */
static enum step walk_value(struct msgpack_decoder *msgpack, struct feed *feed, struct slice name,
                            const uint8_t *value, const uint8_t *view_end)
{
    struct msgpack_header header = msgpack_header(value, view_end);
    char digits[16] = "";
    struct slice text = {0};
    if (header.kind == MSGPACK_LIST || header.kind == MSGPACK_MAP) {
        msgpack->has_other |= !slice_equal(name, SLICE("uuidList"));
        msgpack->skip = SKIP_VALUE;
        msgpack->skip_items = 1;
        msgpack->skip_bytes = 0;
        place_count(msgpack);
        feed->at = position_of(feed, value);
        return STEP_ON;
    }
    const uint8_t *end;
    enum msgpack_frame frame = msgpack_frame(value, view_end, DECODE_RECORD_MAX, &end);
    if (frame == MSGPACK_FRAME_MORE && feed_can_wait(feed, feed->at))
        return STEP_MORE;
    if (frame != MSGPACK_FRAME_WHOLE)
        return give_up_envelope(msgpack, feed);
    if (header.kind == MSGPACK_TEXT)
        text = slice_of((const char *)value + header.bytes, header.length);
    if (header.kind == MSGPACK_INTEGER) {
        /* Codes are small and not negative: the low bytes are all there is. */
        uint64_t code = header.length ? 0 : *value;
        for (uint64_t i = 1; i <= header.length; i++)
            code = code << 8 | value[i];
        snprintf(digits, sizeof(digits), "%u", (unsigned)(code & UINT32_MAX));
        text = slice_string(digits);
    }
    if (slice_equal(name, SLICE("count")))
        msgpack->has_usage = true;
    else if (!envelope_note(&msgpack->answer, name, text))
        msgpack->has_other = true;
    place_count(msgpack);
    feed->at = position_of(feed, end);
    return STEP_ON;
}

static enum step walk_pair(struct msgpack_decoder *msgpack, struct feed *feed, bool outer)
{
    const uint8_t *at = bytes_at(feed, feed->at);
    const uint8_t *view_end = bytes_at(feed, feed_view_end(feed, feed->at));
    struct msgpack_header key = msgpack_header(at, view_end);
    const uint8_t *value;
    struct slice name;
    bool whole = msgpack_text(at, view_end, &name, &value);
    bool text = key.kind == MSGPACK_TEXT || key.kind == MSGPACK_MORE;
    struct msgpack_header header = {0};
    if (whole)
        header = msgpack_header(value, view_end);
    if (!whole || header.kind == MSGPACK_MORE)
        return text && feed_can_wait(feed, feed->at) ? STEP_MORE : give_up_envelope(msgpack, feed);
    bool usage = slice_equal(name, SLICE("usagerecord"));
    msgpack->has_usage |= usage;
    if (outer && header.kind == MSGPACK_MAP && is_response_name(name)) {
        place_count(msgpack);
        place_push(msgpack, PLACE_INNER, header.length);
        feed->at = position_of(feed, value) + header.bytes;
        return STEP_ON;
    }
    if (!outer && usage && header.kind == MSGPACK_LIST) {
        place_count(msgpack);
        place_push(msgpack, PLACE_LIST, header.length);
        feed->at = position_of(feed, value) + header.bytes;
        return STEP_ON;
    }
    return walk_value(msgpack, feed, name, value, view_end);
}

/* Goes over a value that does not matter, however long it is. */
static enum step skip_value(struct msgpack_decoder *msgpack, struct feed *feed)
{
    while (feed->at < feed->length) {
        if (msgpack->skip_bytes > 0) {
            size_t rest = feed->length - feed->at;
            size_t taken = msgpack->skip_bytes < rest ? (size_t)msgpack->skip_bytes : rest;
            msgpack->skip_bytes -= taken;
            feed->at += taken;
            continue;
        }
        if (msgpack->skip_items == 0)
            break;
        struct msgpack_header header =
            msgpack_header(bytes_at(feed, feed->at), bytes_at(feed, feed->length));
        if (header.kind == MSGPACK_MORE && !feed->last)
            return STEP_MORE;
        if (header.kind == MSGPACK_MORE || header.kind == MSGPACK_INVALID) {
            enum step step = give_up_envelope(msgpack, feed);
            if (step == STEP_ON && msgpack->skip == SKIP_VALUE)
                msgpack->skip = SKIP_NONE;
            return step;
        }
        feed->at += header.bytes;
        msgpack->skip_items--;
        if (header.kind == MSGPACK_LIST)
            msgpack->skip_items += header.length;
        else if (header.kind == MSGPACK_MAP)
            msgpack->skip_items += 2 * header.length;
        else
            msgpack->skip_bytes = header.length;
    }
    if (msgpack->skip_bytes > 0 || msgpack->skip_items > 0)
        return STEP_MORE;
    msgpack->skip = SKIP_NONE;
    return STEP_ON;
}

/* ---- the decoder
 * ------------------------------------------------------------------------------------------------------
 */

static enum status walk_object(struct msgpack_decoder *msgpack, struct feed *feed,
                               enum step *ret_step)
{
    *ret_step = STEP_ON;
    close_full(msgpack);
    const struct place *place = place_top(msgpack);
    if (place && place->kind != PLACE_LIST) {
        *ret_step = walk_pair(msgpack, feed, place->kind == PLACE_OUTER);
        return STATUS_OK;
    }
    struct msgpack_header header =
        msgpack_header(bytes_at(feed, feed->at), bytes_at(feed, feed->length));
    if (header.kind == MSGPACK_MORE && !feed->last)
        *ret_step = STEP_MORE;
    else if (header.kind == MSGPACK_MORE)
        *ret_step = give_up(msgpack, feed, REASON_CUT);
    else if (header.kind == MSGPACK_MAP)
        return walk_map(msgpack, feed, header, ret_step);
    else if (header.kind == MSGPACK_LIST)
        *ret_step = walk_list(msgpack, feed, header);
    else
        *ret_step = walk_garbage(msgpack, feed);
    return STATUS_OK;
}

static void finish(struct msgpack_decoder *msgpack, struct feed *feed)
{
    close_full(msgpack);
    if (msgpack->depth > 0 && !msgpack->answer.seen) {
        msgpack->base.error =
            (struct envelope_error){.seen = true, .offset = feed->offset + feed->length};
        envelope_text(&msgpack->base.error, SLICE(TEXT_CUT));
    }
    reset_place(msgpack);
    msgpack->skip = SKIP_NONE;
}

static enum status decoder_decode(struct decoder *decoder, char *window, size_t length,
                                  uint64_t offset, bool last, struct record_block *block,
                                  size_t *ret_used)
{
    struct msgpack_decoder *msgpack = (struct msgpack_decoder *)decoder;
    struct feed feed;
    feed_init(&feed, decoder, window, length, offset, last, block);
    enum step step = STEP_ON;
    while (step == STEP_ON && feed.at < length && !feed_block_full(&feed)) {
        if (msgpack->skip == SKIP_VALUE) {
            step = skip_value(msgpack, &feed);
        } else if (msgpack->skip == SKIP_BROKEN) {
            step = skip_broken(msgpack, &feed);
        } else {
            enum status status = walk_object(msgpack, &feed, &step);
            if (status)
                return status;
        }
    }
    if (last && feed.at == length)
        finish(msgpack, &feed);
    feed_done(&feed, ret_used);
    return STATUS_OK;
}

/* Behind the end of a list of records in an answer comes the next pair, which must not pass for a
 * record: the lists that are open must have room for as many records as may be skipped, or only
 * the top level, where nobody counts, or other lists behind them. */
static bool decoder_between(const struct decoder *decoder)
{
    const struct msgpack_decoder *msgpack = (const struct msgpack_decoder *)decoder;
    uint64_t room = 0;
    if (msgpack->skip != SKIP_NONE)
        return false;
    for (int i = msgpack->depth - 1; i >= 0 && room < FLAT_RECORDS; i--) {
        const struct place *place = &msgpack->places[i];
        if (place->kind == PLACE_LIST)
            room += place->left;
        else if (place->left > 0)
            return false;
    }
    return true;
}

static bool decoder_at_top(const struct decoder *decoder)
{
    const struct msgpack_decoder *msgpack = (const struct msgpack_decoder *)decoder;
    return msgpack->skip == SKIP_NONE && msgpack->depth == 0;
}

static void decoder_skip(struct decoder *decoder, const char *skipped, size_t length,
                         uint32_t records)
{
    struct msgpack_decoder *msgpack = (struct msgpack_decoder *)decoder;
    (void)skipped;
    (void)length;
    for (uint32_t i = 0; i < records && msgpack->depth > 0; i++) {
        close_full(msgpack);
        assert(!place_top(msgpack) || place_top(msgpack)->kind == PLACE_LIST);
        place_count(msgpack);
    }
}

static enum status decoder_open(struct decoder **ret)
{
    struct msgpack_decoder *msgpack = calloc(1, sizeof(*msgpack));
    if (!msgpack)
        return STATUS_NO_MEMORY;
    decoder_init(&msgpack->base, RECORD_FORM_MSGPACK);
    if (!msgpack_zone_init(&msgpack->zone, ZONE_BYTES)) {
        free(msgpack);
        return STATUS_NO_MEMORY;
    }
    *ret = &msgpack->base;
    return STATUS_OK;
}

static void decoder_close(struct decoder *decoder)
{
    struct msgpack_decoder *msgpack = (struct msgpack_decoder *)decoder;
    if (!msgpack)
        return;
    msgpack_zone_destroy(&msgpack->zone);
    decoder_fini(&msgpack->base);
    free(msgpack);
}

/* No text starts with the bytes of a msgpack map or list. */
static int decoder_sniff_map(struct slice head)
{
    const uint8_t *at = (const uint8_t *)head.data;
    const uint8_t *end = at + head.length;
    struct msgpack_header header = msgpack_header(at, end);
    for (int i = 0; i < 3 && header.kind == MSGPACK_LIST && header.length > 0; i++) {
        at += header.bytes;
        header = msgpack_header(at, end);
    }
    if (header.kind != MSGPACK_MAP && header.kind != MSGPACK_LIST)
        return 0;
    switch (header.kind == MSGPACK_MAP ? msgpack_classify(at, end) : MSGPACK_MAP_EMPTY) {
    case MSGPACK_MAP_RECORD:
    case MSGPACK_MAP_ENVELOPE:
    case MSGPACK_MAP_ANSWER:
        return 95;
    case MSGPACK_MAP_EMPTY:
    case MSGPACK_MAP_OTHER:
    case MSGPACK_MAP_MORE:
        return 50;
    }
    return 0;
}

const struct decoder_class decoder_msgpack = {
    .name = "msgpack",
    .summary = "maps in a row, lists of maps, or an answer of listUsageRecords as a map",
    .form = RECORD_FORM_MSGPACK,
    .sniff = decoder_sniff_map,
    .open = decoder_open,
    .decode = decoder_decode,
    .between = decoder_between,
    .skip = decoder_skip,
    .at_top = decoder_at_top,
    .envelope = decoder_take_error,
    .close = decoder_close,
};
