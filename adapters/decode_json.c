/* JSON: answers of listUsageRecords (one, several in a row, one a line), lists of records, records
 * in a row or one a line, CloudEvents; pretty-printed or not. The stream is read piece by piece, as
 * its hard ends (fast_cut.h) divide it.
 *
 * A small walker goes through what is around the records (brackets, the envelope's members) and
 * finds each record's bytes with json_frame; json_record reads them. A broken record reaches as far
 * as the next plausible start of a record or an envelope, or, where records are one a line, to the
 * end of its line. */
#include <stdlib.h>

#include "adapters/fast_cut.h"
#include "adapters/json_frame.h"
#include "adapters/json_record.h"

#define REASON_BROKEN   "unbalanced quotes or brackets, or text that is no JSON: correct or remove it"
#define REASON_CUT      "cut off before its end: send it again whole"
#define REASON_GARBAGE  "not a JSON object: each record is {...}"
#define REASON_ENVELOPE "an answer whose envelope cannot be read: send it again whole"
#define TEXT_CUT        "the input ends within an answer or a list: its closing brackets are missing"
#define TEXT_FOREIGN    "an answer without usagerecord: is it one of listUsageRecords?"

enum envelope_place {
    ENVELOPE_NONE = 0,
    ENVELOPE_OUTER,   /* within {"...response": ...}, its inner object not open */
    ENVELOPE_INNER,   /* among count, usagerecord, errorcode ... */
    ENVELOPE_RECORDS, /* within the list of usagerecord */
};

enum skip_mode {
    SKIP_NONE = 0,
    SKIP_VALUE,  /* a member of an envelope that does not matter: to its closing bracket */
    SKIP_BROKEN, /* the rest of a bad record that is longer than one may be: to the next plausible
                    start */
};

struct json_decoder {
    struct decoder base;
    struct json_reader reader;
    uint32_t lists;   /* open lists of records outside an envelope */
    uint32_t records; /* open lists within usagerecord */
    uint8_t envelope; /* enum envelope_place */
    bool bare;        /* the envelope has no outer object */
    bool forgive;     /* brackets may have gone with a broken record: unmatched ones mean nothing */
    /* the envelope that is open */
    bool has_usage;
    bool has_other;
    struct envelope_error answer;
    /* what is being skipped */
    uint8_t skip; /* enum skip_mode */
    bool skip_string;
    bool skip_escape;
    uint32_t skip_depth;
    size_t skip_behind; /* bytes at the front of the window that are searched already, kept to look
                           back at */
    struct json_search search;
    /* hard ends (fast_cut.h) */
    enum json_tail tail; /* of the bytes done with */
    uint64_t position;   /* where they end in the stream */
    uint64_t searched;   /* no hard end before this place of the stream, ... */
    uint64_t hard_end;   /* ... and one here, unless 0 */
};

enum step { STEP_ON, STEP_MORE };

/* ---- the envelope
 * -----------------------------------------------------------------------------------------------------
 */

static void envelope_open(struct json_decoder *json, struct feed *feed, size_t start, size_t inside,
                          bool bare)
{
    json->answer = (struct envelope_error){
        .offset = feed->offset + start,
        .line = feed_line(feed, start),
    };
    json->envelope = ENVELOPE_INNER;
    json->bare = bare;
    json->forgive = false;
    json->has_usage = bare;
    json->has_other = false;
    feed->at = inside;
}

/* Reports what the inner object was, unless it was usage. */
static void envelope_close(struct json_decoder *json)
{
    if (!json->answer.seen && json->has_other && !json->has_usage) {
        json->answer.seen = true;
        envelope_text(&json->answer, SLICE(TEXT_FOREIGN));
    }
    if (json->answer.seen)
        json->base.error = json->answer;
    json->answer.seen = false;
}

/* Back to the top level, where a new envelope or record was found behind broken bytes. */
static void reset_place(struct json_decoder *json)
{
    if (json->envelope >= ENVELOPE_INNER && json->answer.seen)
        envelope_close(json);
    json->envelope = ENVELOPE_NONE;
    json->lists = 0;
    json->records = 0;
}

/* ---- bad records
 * ------------------------------------------------------------------------------------------------------
 */

static size_t trimmed(const struct feed *feed, size_t start, size_t end)
{
    while (end > start + 1 && (json_blank(feed->window[end - 1]) || feed->window[end - 1] == ','))
        end--;
    return end - start;
}

/* A search has ended at `at`. At a plausible start it has looked at all of it: brackets may have
 * gone with what is in front, and an envelope stands for itself. A bare bracket is left to the
 * walker. */
static void found_start(struct json_decoder *json, const struct json_search *search, const char *at,
                        const char *end)
{
    const char *inside;
    if (*at != '{' || search->at_brackets)
        return;
    json->forgive = true;
    if (json_classify(at, end, &inside) == JSON_OBJECT_ENVELOPE)
        reset_place(json);
}

/* Gives up the bytes from `start` to where `search` ends. */
static enum step give_up(struct json_decoder *json, struct feed *feed, size_t start,
                         struct json_search search, const char *reason)
{
    size_t view_end = feed_view_end(feed, start);
    const char *begin = feed->window + start;
    const char *at;
    if (json_resync(&search, begin, begin + 1, feed->window + view_end, &at)) {
        size_t end = (size_t)(at - feed->window);
        record_bad(feed, start, trimmed(feed, start, end), reason);
        found_start(json, &search, at, feed->window + view_end);
        feed->at = end;
        return STEP_ON;
    }
    if (feed_can_wait(feed, start))
        return STEP_MORE;
    json->forgive = true;
    size_t rest = feed->length - start;
    if (rest <= DECODE_RECORD_MAX) {
        record_bad(feed, start, trimmed(feed, start, feed->length), reason);
        feed->at = feed->length;
        return STEP_ON;
    }
    record_bad(feed, start, DECODE_RECORD_MAX, reason);
    size_t searched = (size_t)(at - feed->window);
    if (searched > start + DECODE_RECORD_MAX)
        searched = start + DECODE_RECORD_MAX;
    json->skip = SKIP_BROKEN;
    json->search = search;
    json->skip_behind = JSON_LOOK_BEHIND;
    feed->at = searched - JSON_LOOK_BEHIND;
    return STEP_ON;
}

static enum step skip_broken(struct json_decoder *json, struct feed *feed)
{
    const char *begin = feed->window + feed->at;
    const char *end = feed->window + feed->length;
    const char *at;
    if (json_resync(&json->search, begin, begin + json->skip_behind, end, &at)) {
        found_start(json, &json->search, at, end);
        json->skip = SKIP_NONE;
        feed->at = (size_t)(at - feed->window);
        return STEP_ON;
    }
    if (feed->last) {
        json->skip = SKIP_NONE;
        feed->at = feed->length;
        return STEP_ON;
    }
    assert(at - begin >= (ptrdiff_t)json->skip_behind);
    feed->at = (size_t)(at - feed->window) - JSON_LOOK_BEHIND;
    json->skip_behind = JSON_LOOK_BEHIND;
    return STEP_MORE;
}

/* Text where a record should be: its line is one bad record; within a list it ends at the next
 * bracket, too. */
static enum step give_up_garbage(struct json_decoder *json, struct feed *feed)
{
    bool top = json->envelope == ENVELOPE_NONE && json->lists == 0;
    struct json_search search = {.top = top, .at_line_end = true, .at_brackets = !top};
    return give_up(json, feed, feed->at, search, REASON_GARBAGE);
}

static enum step give_up_envelope(struct json_decoder *json, struct feed *feed)
{
    struct json_search search = {.top = true};
    enum step step = give_up(json, feed, feed->at, search, REASON_ENVELOPE);
    if (step == STEP_ON)
        reset_place(json);
    return step;
}

/* A record that cannot be framed. Written on one line at the top level, it ends with the line at
 * the latest. */
static enum step give_up_record(struct json_decoder *json, struct feed *feed, const char *reason)
{
    bool top = json->envelope == ENVELOPE_NONE && json->lists == 0;
    const char *at = feed->window + feed->at + 1;
    const char *end = feed->window + feed_view_end(feed, feed->at);
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    bool compact = at < end && *at == '"';
    struct json_search search = {.top = top, .at_line_end = top && compact};
    return give_up(json, feed, feed->at, search, reason);
}

/* ---- records
 * ----------------------------------------------------------------------------------------------------------
 */

/* The object's bytes are [start, end). What simdjson refuses may have swallowed the start of its
 * neighbour. */
static enum status read_record(struct json_decoder *json, struct feed *feed, size_t start,
                               size_t end, bool escapes)
{
    struct slice text = slice_of(feed->window + start, end - start);
    struct record *record = record_begin(feed, start, end - start);
    const char *reason;
    bool syntax;
    enum status status =
        json_record_read(&json->reader, feed, record, text, escapes, &reason, &syntax);
    if (status)
        return status;
    feed->at = end;
    if (!reason)
        return STATUS_OK;
    record_fail(feed, record, reason);
    struct json_search search = {0};
    const char *at;
    if (syntax && json_resync(&search, text.data, text.data + 1, text.data + text.length, &at)) {
        feed->at = (size_t)(at - feed->window);
        record->raw.length = trimmed(feed, start, feed->at);
        json->forgive = true;
    }
    return STATUS_OK;
}

static enum status walk_record(struct json_decoder *json, struct feed *feed, enum step *ret_step)
{
    size_t start = feed->at;
    const char *end;
    bool escapes;
    *ret_step = STEP_ON;
    const char *view_end = feed->window + feed_view_end(feed, start);
    enum json_frame frame = json_frame(feed->window + start, view_end, &end, &escapes);
    if (frame == JSON_FRAME_WHOLE && end - (feed->window + start) <= DECODE_RECORD_MAX)
        return read_record(json, feed, start, (size_t)(end - feed->window), escapes);
    if (frame == JSON_FRAME_BROKEN)
        *ret_step = give_up_record(json, feed, REASON_BROKEN);
    else if (feed_can_wait(feed, start))
        *ret_step = STEP_MORE;
    else
        *ret_step = give_up_record(
            json, feed, feed->length - start > DECODE_RECORD_MAX ? REASON_OVERSIZE : REASON_CUT);
    return STATUS_OK;
}

static void report_cut(struct json_decoder *json, struct feed *feed, size_t position)
{
    uint32_t line = feed_line(feed, position);
    json->base.error =
        (struct envelope_error){.seen = true, .offset = feed->offset + position, .line = line};
    envelope_text(&json->base.error, SLICE(TEXT_CUT));
}

/* A brace where a record may be: an envelope, nothing, or a record. An envelope within another:
 * that one was cut. */
static enum status walk_object(struct json_decoder *json, struct feed *feed, enum step *ret_step)
{
    const char *at = feed->window + feed->at;
    const char *end = feed->window + feed_view_end(feed, feed->at);
    const char *inside;
    enum json_object object = json_classify(at, end, &inside);
    *ret_step = STEP_ON;
    if (object == JSON_OBJECT_MORE && !feed->last) {
        *ret_step = STEP_MORE;
        return STATUS_OK;
    }
    bool answer = object == JSON_OBJECT_ENVELOPE || object == JSON_OBJECT_ANSWER;
    if (json->envelope == ENVELOPE_OUTER || (json->envelope != ENVELOPE_NONE && answer)) {
        if (!json->forgive)
            report_cut(json, feed, feed->at);
        reset_place(json);
    }
    bool outside = json->envelope == ENVELOPE_NONE;
    if (answer)
        envelope_open(json, feed, feed->at, (size_t)(inside - feed->window),
                      object == JSON_OBJECT_ANSWER);
    else if (object == JSON_OBJECT_EMPTY && outside && json->lists == 0)
        feed->at = (size_t)((const char *)memchr(at, '}', (size_t)(end - at)) - feed->window) + 1;
    else
        return walk_record(json, feed, ret_step);
    return STATUS_OK;
}

/* ---- what is around the records
 * --------------------------------------------------------------------------------------- */

/* An opening bracket where a record may be. It opens a list when a bracket follows; "[2026-10-01]
 * some text" opens none. */
static enum step walk_list(struct json_decoder *json, struct feed *feed)
{
    size_t at = feed->at + 1;
    while (at < feed->length && at - feed->at <= JSON_BLANKS_MAX && json_blank(feed->window[at]))
        at++;
    if (at == feed->length && !feed->last)
        return STEP_MORE;
    if (at < feed->length && !memchr("[]{ \t\r\n", feed->window[at], 8))
        return give_up_garbage(json, feed);
    if (json->envelope == ENVELOPE_RECORDS)
        json->records++;
    else
        json->lists++;
    feed->at++;
    return STEP_ON;
}

static enum step walk_close(struct json_decoder *json, struct feed *feed, char bracket)
{
    if (bracket == ']' && json->envelope == ENVELOPE_RECORDS) {
        if (json->records > 0)
            json->records--;
        else
            json->envelope = ENVELOPE_INNER;
    } else if (bracket == '}' && json->envelope == ENVELOPE_INNER) {
        envelope_close(json);
        json->envelope = json->bare ? ENVELOPE_NONE : ENVELOPE_OUTER;
    } else if (bracket == '}' && json->envelope == ENVELOPE_OUTER) {
        json->envelope = ENVELOPE_NONE;
    } else if (bracket == ']' && json->envelope == ENVELOPE_NONE && json->lists > 0) {
        json->lists--;
    } else if (!json->forgive) {
        bool in_envelope = json->envelope == ENVELOPE_INNER || json->envelope == ENVELOPE_OUTER;
        return in_envelope ? give_up_envelope(json, feed) : give_up_garbage(json, feed);
    }
    feed->at++;
    return STEP_ON;
}

/* The next byte at or behind `at` that is no blank, within the view of the token at feed->at. NULL:
 * none there. */
static const char *next_token(const struct feed *feed, const char *at)
{
    const char *end = feed->window + feed_view_end(feed, feed->at);
    while (at && at < end && json_blank(*at))
        at++;
    return at && at < end ? at : NULL;
}

static enum status note_member(struct json_decoder *json, struct slice name, struct slice raw)
{
    const char *reason = NULL;
    struct slice value;
    enum status status = json_unescape(&json->base.scratch, raw, &value, &reason);
    if (status)
        return status;
    if (!envelope_note(&json->answer, name, reason ? raw : value) &&
        !slice_equal(name, SLICE("count")))
        json->has_other = true;
    if (slice_equal(name, SLICE("count")))
        json->has_usage = true;
    return STATUS_OK;
}

static const char *scalar_end(const char *at, const char *end)
{
    while (at < end && !memchr(",]}{[\": \t\r\n", *at, 11))
        at++;
    return at;
}

/* A value of an envelope's member, at `value`. */
static enum status walk_value(struct json_decoder *json, struct feed *feed, struct slice name,
                              const char *value, enum step *ret_step)
{
    const char *view_end = feed->window + feed_view_end(feed, feed->at);
    const char *end;
    bool escapes = false;
    bool usage = slice_equal(name, SLICE("usagerecord"));
    json->has_usage |= usage;
    if (*value == '[' && usage) {
        json->envelope = ENVELOPE_RECORDS;
        json->records = 0;
        feed->at = (size_t)(value - feed->window) + 1;
        return STATUS_OK;
    }
    if (*value == '{' &&
        usage) { /* a lone record instead of a list: the walker takes it from here */
        feed->at = (size_t)(value - feed->window);
        return STATUS_OK;
    }
    if (*value == '[' || *value == '{') {
        json->has_other |= !slice_equal(name, SLICE("uuidList"));
        json->skip = SKIP_VALUE;
        json->skip_depth = 0;
        json->skip_string = json->skip_escape = false;
        feed->at = (size_t)(value - feed->window);
        return STATUS_OK;
    }
    struct slice text;
    if (*value == '"') {
        end = json_string_end(value + 1, view_end, &escapes);
        text = slice_of(value + 1, end ? (size_t)(end - value) - 2 : 0);
    } else {
        end = scalar_end(value, view_end);
        text = slice_of(value, (size_t)(end - value));
        if (end == value) {
            *ret_step = give_up_envelope(json, feed);
            return STATUS_OK;
        }
        if (end == view_end)
            end = NULL;
    }
    if (!end) {
        *ret_step = feed_can_wait(feed, feed->at) ? STEP_MORE : give_up_envelope(json, feed);
        return STATUS_OK;
    }
    feed->at = (size_t)(end - feed->window);
    return note_member(json, name, text);
}

/* "name": value, within an envelope. */
static enum status walk_member(struct json_decoder *json, struct feed *feed, enum step *ret_step)
{
    const char *begin = feed->window + feed->at + 1;
    const char *view_end = feed->window + feed_view_end(feed, feed->at);
    bool escapes = false;
    *ret_step = STEP_ON;
    const char *name_end = json_string_end(begin, view_end, &escapes);
    const char *colon = next_token(feed, name_end);
    const char *value = colon && *colon == ':' ? next_token(feed, colon + 1) : NULL;
    if (!value) {
        bool broken = colon && *colon != ':';
        *ret_step =
            !broken && feed_can_wait(feed, feed->at) ? STEP_MORE : give_up_envelope(json, feed);
        return STATUS_OK;
    }
    struct slice name = slice_of(begin, (size_t)(name_end - begin) - 1);
    if (json->envelope == ENVELOPE_OUTER && *value == '{' && is_response_name(name)) {
        envelope_open(json, feed, feed->at, (size_t)(value - feed->window) + 1, false);
        return STATUS_OK;
    }
    return walk_value(json, feed, name, value, ret_step);
}

/* Goes over a value that does not matter, however long it is. */
static enum step skip_value(struct json_decoder *json, struct feed *feed)
{
    while (feed->at < feed->length) {
        char c = feed->window[feed->at++];
        if (json->skip_escape) {
            json->skip_escape = false;
        } else if (json->skip_string) {
            json->skip_escape = c == '\\';
            json->skip_string = c != '"';
        } else if (c == '"') {
            json->skip_string = true;
        } else if (c == '{' || c == '[') {
            json->skip_depth++;
        } else if ((c == '}' || c == ']') && --json->skip_depth == 0) {
            json->skip = SKIP_NONE;
            return STEP_ON;
        }
    }
    return STEP_MORE;
}

static enum status walk_token(struct json_decoder *json, struct feed *feed, enum step *ret_step)
{
    char c = feed->window[feed->at];
    bool among_members = json->envelope == ENVELOPE_OUTER || json->envelope == ENVELOPE_INNER;
    *ret_step = STEP_ON;
    if (json_blank(c) || c == ',') {
        feed->at++;
        return STATUS_OK;
    }
    if (c == '{')
        return walk_object(json, feed, ret_step);
    if (c == '"' && among_members)
        return walk_member(json, feed, ret_step);
    if (c == '[' && !among_members)
        *ret_step = walk_list(json, feed);
    else if (c == ']' || c == '}')
        *ret_step = walk_close(json, feed, c);
    else
        *ret_step = among_members ? give_up_envelope(json, feed) : give_up_garbage(json, feed);
    return STATUS_OK;
}

/* ---- the decoder
 * ------------------------------------------------------------------------------------------------------
 */

static const char byte_order_mark[3] = "\xef\xbb\xbf";

/* False when more bytes are needed to know. */
static bool skip_byte_order_mark(struct feed *feed)
{
    if (feed->offset + feed->at > 0)
        return true;
    size_t length = feed->length < 3 ? feed->length : 3;
    if (length == 0 || memcmp(feed->window, byte_order_mark, length) != 0)
        return true;
    if (length == 3)
        feed->at = 3;
    return length == 3 || feed->last;
}

/* The end of the stream, or a hard end: an answer or a list that is still open was cut, unless a
 * bad record says so already. */
static void finish(struct json_decoder *json, struct feed *feed)
{
    assert(feed->at == feed->length);
    if ((json->envelope != ENVELOPE_NONE || json->lists > 0) && !json->forgive)
        report_cut(json, feed, feed->length);
    reset_place(json);
    json->skip = SKIP_NONE;
    json->forgive = false;
}

/* The first hard end behind feed->at, or `length` when there is none so far. Each byte is searched
 * once, however often a window is shown again. */
static size_t find_hard_end(struct json_decoder *json, const struct feed *feed, size_t length)
{
    uint64_t here = feed->offset + feed->at;
    if (json->hard_end <= here) {
        size_t from = json->searched > here ? (size_t)(json->searched - feed->offset) : feed->at;
        size_t found = json_hard_end(json->tail, feed->window, from, length);
        json->hard_end = found ? feed->offset + found : 0;
        /* A hard end that the window's end cuts in two is found next time. */
        json->searched = feed->offset + (length - feed->at > 4 ? length - 4 : feed->at);
        if (found)
            json->searched = json->hard_end;
    }
    uint64_t end = feed->offset + length;
    return json->hard_end && json->hard_end < end ? (size_t)(json->hard_end - feed->offset)
                                                  : length;
}

/* Walks until the feed's end, which may be a hard end, the block is full, or more is needed. */
static enum status walk(struct json_decoder *json, struct feed *feed)
{
    enum step step = skip_byte_order_mark(feed) ? STEP_ON : STEP_MORE;
    while (step == STEP_ON && feed->at < feed->length && !feed_block_full(feed)) {
        if (json->skip == SKIP_VALUE) {
            step = skip_value(json, feed);
        } else if (json->skip == SKIP_BROKEN) {
            step = skip_broken(json, feed);
        } else {
            enum status status = walk_token(json, feed, &step);
            if (status)
                return status;
        }
    }
    return STATUS_OK;
}

static enum status json_decode(struct decoder *decoder, char *window, size_t length,
                               uint64_t offset, bool last, struct record_block *block,
                               size_t *ret_used)
{
    struct json_decoder *json = (struct json_decoder *)decoder;
    struct feed feed;
    feed_init(&feed, decoder, window, length, offset, last, block);
    /* Whether a brace at the window's end stands behind a hard end shows with the next byte. */
    if (!last)
        length -= json_open_end(json->tail, window, length);
    if (json_hard_start(json->tail, window, length)) {
        feed.length = 0;
        finish(json, &feed);
    }
    do {
        feed.length = find_hard_end(json, &feed, length);
        feed.last = last || feed.length < length;
        enum status status = walk(json, &feed);
        if (status)
            return status;
        if (feed.last && feed.at == feed.length)
            finish(json, &feed);
    } while (feed.at == feed.length && feed.at < length && !feed_block_full(&feed));
    json->tail = json_tail(json->tail, window, feed.at);
    json->position = offset + feed.at;
    feed_done(&feed, ret_used);
    if (last && feed.at == length) { /* as new, for another stream */
        json->tail = JSON_TAIL_OTHER;
        json->searched = json->hard_end = 0;
        decoder->line = 1;
    }
    return STATUS_OK;
}

/* ---- beside a fast decoder
 * --------------------------------------------------------------------------------------------
 */

static bool json_between(const struct decoder *decoder)
{
    const struct json_decoder *json = (const struct json_decoder *)decoder;
    return json->skip == SKIP_NONE &&
           (json->envelope == ENVELOPE_NONE || json->envelope == ENVELOPE_RECORDS);
}

/* At a hard end within the skipped bytes what was open before them is closed, and what a broken
 * record left behind is over. */
static void json_skip(struct decoder *decoder, const char *skipped, size_t length, uint32_t records)
{
    struct json_decoder *json = (struct json_decoder *)decoder;
    struct feed feed = {.decoder = decoder, .window = skipped, .offset = json->position};
    (void)records; /* lists of JSON say where they end */
    assert(json_between(decoder));
    if (json->envelope != ENVELOPE_NONE || json->lists > 0 || json->forgive) {
        bool at_start = json_hard_start(json->tail, skipped, length);
        size_t end = at_start ? 0 : json_hard_end(json->tail, skipped, 0, length);
        if (at_start || end > 0) {
            feed.at = feed.length = end;
            finish(json, &feed);
        }
    }
    feed.length = length;
    if (!decoder->without_lines)
        (void)feed_line(&feed, length);
    json->tail = json_tail(json->tail, skipped, length);
    json->position += length;
}

static void json_without_lines(struct decoder *decoder)
{
    decoder->without_lines = true;
}

static enum status json_open(struct decoder **ret)
{
    struct json_decoder *json = calloc(1, sizeof(*json));
    if (!json)
        return STATUS_NO_MEMORY;
    decoder_init(&json->base, RECORD_FORM_JSON);
    json->reader.shim = simdjson_shim_new(RECORD_BYTES_MAX);
    if (!json->reader.shim) {
        free(json);
        return STATUS_NO_MEMORY;
    }
    *ret = &json->base;
    return STATUS_OK;
}

static void json_close(struct decoder *decoder)
{
    struct json_decoder *json = (struct json_decoder *)decoder;
    if (!json)
        return;
    simdjson_shim_free(json->reader.shim);
    decoder_fini(&json->base);
    free(json);
}

static int json_sniff(struct slice head)
{
    if (head.length >= 3 && memcmp(head.data, byte_order_mark, 3) == 0)
        head = slice_of(head.data + 3, head.length - 3);
    head = slice_trim(head);
    if (head.length == 0 || (head.data[0] != '{' && head.data[0] != '['))
        return 0;
    struct slice rest = slice_trim(slice_of(head.data + 1, head.length - 1));
    if (rest.length == 0)
        return 40;
    if (head.data[0] == '{')
        return rest.data[0] == '"' ? 95 : rest.data[0] == '}' ? 80 : 20;
    return rest.data[0] == '{' || rest.data[0] == ']' ? 95 : 20;
}

const struct decoder_class decoder_json = {
    .name = "json",
    .summary = "answers of listUsageRecords, lists of records, one record a line, CloudEvents",
    .form = RECORD_FORM_JSON,
    .sniff = json_sniff,
    .open = json_open,
    .decode = json_decode,
    .envelope = decoder_take_error,
    .close = json_close,
    .between = json_between,
    .skip = json_skip,
    .without_lines = json_without_lines,
};
