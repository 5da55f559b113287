/* XML: answers of listUsageRecords, one or several in a row, or <usagerecord> elements alone.
 *
 * The records are cut out of the stream by text search, so that one broken record does not spoil
 * the answer it is in, and each is parsed alone by libxml2 (no network, no entities beyond the five
 * of XML). What is around them is looked at only for errors and for its end. */
#include <stdlib.h>

#include <libxml/parser.h>

#include "adapters/decode.h"

#define REASON_BROKEN   "XML that cannot be parsed: check tags and escapes"
#define REASON_CUT      "cut off before its end: send it again whole"
#define REASON_UNCLOSED "</usagerecord> is missing: send the record again whole"
#define REASON_GARBAGE  "text outside of XML elements: remove it"
#define REASON_TAG      "a tag without its closing bracket: correct it"
#define REASON_UNOPENED                                                                            \
    "<usagerecord> is missing or damaged in front of it: send the record again whole"
#define REASON_TEXT  "text between the elements of a record: put it into an element"
#define TEXT_CUT     "the input ends within an answer: its end tag is missing"
#define TEXT_FOREIGN "an answer without usagerecord: is it one of listUsageRecords?"

/* The longest tag that the search recognises, blanks included. */
#define TAG_LOOK_AHEAD 80
/* libxml2 remembers every element name it meets; a stream of ever new names gets a new context. */
#define DICTIONARY_MAX 4096

enum skip_mode {
    SKIP_NONE = 0,
    SKIP_RECORD,  /* the rest of an oversized record */
    SKIP_GARBAGE, /* the rest of oversized text or of a tag: to the next tag */
    SKIP_TEXT,    /* the same, but it ends with the line, too */
};

/* One record being parsed: what libxml2's callbacks work on. */
struct fragment {
    struct feed *feed;
    struct record *record;
    const char *reason;
    char *to;        /* the next free byte of scratch */
    const char *end; /* of scratch */
    char *name;      /* of the element at depth 2 */
    char *text;      /* of the same */
    size_t name_length;
    int depth;
    uint64_t seen;
    bool nested;   /* the element at depth 2 has elements within */
    bool restored; /* control characters were replaced and must come back */
};

struct xml_decoder {
    struct decoder base;
    xmlParserCtxtPtr parser;
    xmlSAXHandler handler;
    struct fragment fragment;
    uint32_t depth; /* of the answer's own elements */
    uint8_t skip;   /* enum skip_mode */
    bool forgive;   /* the end of the answer may have gone with a broken record */
    bool has_usage;
    bool has_other;
    bool foreign;  /* it is the answer of another command, whose elements mean nothing here */
    char leaf[16]; /* the element that is open: errorcode, cserrorcode, errortext, or "" */
    struct envelope_error answer;
};

enum step { STEP_ON, STEP_MORE };

/* ---- one record
 * -------------------------------------------------------------------------------------------------------
 */

static void fragment_put(struct fragment *fragment, const char *data, size_t length)
{
    /* Names and texts are parts of the record's bytes, so they fit; this is for the day when
     * libxml2 expands something. */
    if ((size_t)(fragment->end - fragment->to) < length) {
        fragment->reason = REASON_BROKEN;
        return;
    }
    if (length)
        memcpy(fragment->to, data, length);
    fragment->to += length;
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int default_count, const xmlChar **attributes)
{
    struct fragment *fragment = context;
    (void)prefix, (void)uri, (void)namespace_count, (void)namespaces;
    (void)attribute_count, (void)default_count, (void)attributes;
    fragment->depth++;
    if (fragment->depth > 2)
        fragment->nested = true;
    if (fragment->depth != 2)
        return;
    fragment->nested = false;
    fragment->name = fragment->to;
    fragment_put(fragment, (const char *)name, strlen((const char *)name));
    fragment->name_length = (size_t)(fragment->to - fragment->name);
    fragment->text = fragment->to;
}

static void on_text(void *context, const xmlChar *text, int length)
{
    struct fragment *fragment = context;
    if (fragment->depth == 2 && !fragment->nested)
        fragment_put(fragment, (const char *)text, (size_t)length);
    else if (fragment->depth < 2 &&
             slice_trim(slice_of((const char *)text, (size_t)length)).length > 0)
        fragment->reason = REASON_TEXT;
}

/* Control characters that XML cannot say travel through libxml2 as U+E000 to U+E01F. */
static size_t restore_controls(char *text, size_t length)
{
    char *to = text;
    for (size_t i = 0; i < length; i++) {
        unsigned char third = i + 2 < length ? (unsigned char)text[i + 2] : 0;
        if ((unsigned char)text[i] == 0xee && (unsigned char)text[i + 1] == 0x80 && third >= 0x80 &&
            third < 0xa0) {
            *to++ = (char)(third - 0x80);
            i += 2;
        } else {
            *to++ = text[i];
        }
    }
    return (size_t)(to - text);
}

static void on_end(void *context, const xmlChar *name_, const xmlChar *prefix, const xmlChar *uri)
{
    struct fragment *fragment = context;
    (void)name_, (void)prefix, (void)uri;
    if (fragment->depth-- != 2)
        return;
    struct slice name = slice_of(fragment->name, fragment->name_length);
    size_t length = (size_t)(fragment->to - fragment->text);
    if (fragment->restored)
        length = restore_controls(fragment->text, length);
    struct field_value value = value_text(fragment->text, length);
    enum field field = field_by_name(name);
    if (field == FIELD_COUNT) {
        if (!fragment->nested && length > 0 &&
            !record_attribute(fragment->feed, fragment->record, name, value))
            fragment->reason = REASON_ATTRIBUTES;
        return;
    }
    if (fragment->nested)
        fragment->reason = reason_nested(field);
    else if (fragment->seen >> field & 1)
        fragment->reason = reason_twice(field);
    fragment->seen |= UINT64_C(1) << field;
    fragment->record->fields[field] = value;
}

/* Makes `text` a copy in which control characters that XML forbids are placeholders, where there
 * are any. */
static enum status sanitise(struct scratch *scratch, struct slice *text, bool *ret_copied)
{
    size_t controls = 0;
    for (size_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->data[i];
        controls += c < 0x20 && c != '\t' && c != '\n' && c != '\r';
    }
    *ret_copied = controls > 0;
    if (!controls)
        return STATUS_OK;
    char *out = scratch_alloc(scratch, text->length + 2 * controls);
    if (!out)
        return STATUS_NO_MEMORY;
    char *to = out;
    for (size_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
            *to++ = (char)0xee;
            *to++ = (char)0x80;
            c |= 0x80;
        }
        *to++ = (char)c;
    }
    *text = slice_of(out, (size_t)(to - out));
    return STATUS_OK;
}

static enum status ensure_parser(struct xml_decoder *xml)
{
    if (xml->parser && xmlDictSize(xml->parser->dict) > DICTIONARY_MAX) {
        xmlFreeParserCtxt(xml->parser);
        xml->parser = NULL;
    }
    if (!xml->parser)
        xml->parser = xmlNewParserCtxt();
    if (!xml->parser)
        return STATUS_NO_MEMORY;
    /* Our handlers instead of libxml2's tree. */
    *xml->parser->sax = xml->handler;
    xml->parser->userData = &xml->fragment;
    return STATUS_OK;
}

static enum status parse_record(struct xml_decoder *xml, struct feed *feed, struct record *record,
                                struct slice text)
{
    struct scratch *scratch = &xml->base.scratch;
    struct slice raw = text;
    bool copied;
    enum status status = sanitise(scratch, &text, &copied);
    if (!status)
        status = ensure_parser(xml);
    if (status)
        return status;
    char *memory = scratch_alloc(scratch, text.length);
    if (!memory)
        return STATUS_NO_MEMORY;
    xml->fragment = (struct fragment){.feed = feed,
                                      .record = record,
                                      .to = memory,
                                      .end = memory + text.length,
                                      .restored = copied};
    static const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    xmlDocPtr document =
        xmlCtxtReadMemory(xml->parser, text.data, (int)text.length, NULL, NULL, options);
    bool well_formed = xml->parser->wellFormed;
    bool no_memory = xml->parser->errNo == XML_ERR_NO_MEMORY;
    xmlFreeDoc(document);
    scratch_trim(scratch, xml->fragment.to);
    if (no_memory)
        return STATUS_NO_MEMORY;
    if (!well_formed)
        record_fail(feed, record, utf8_valid(raw.data, raw.length) ? REASON_BROKEN : REASON_UTF8);
    else if (xml->fragment.reason)
        record_fail(feed, record, xml->fragment.reason);
    return record_decode_urls(feed, record);
}

/* ---- tags
 * -------------------------------------------------------------------------------------------------------------
 */

static bool is_name_end(char c)
{
    return c == '>' || c == '/' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum tag {
    TAG_MORE, /* cannot be told from the bytes there are */
    TAG_OTHER,
    TAG_RECORD,       /* <usagerecord */
    TAG_RECORD_END,   /* </usagerecord> */
    TAG_RECORD_EMPTY, /* <usagerecord/> */
    TAG_ANSWER,       /* start or end of an answer: <...response, </...response>, <?xml */
};

/* What the tag at `at`, which is on a '<', means for cutting records out. *ret_end: behind it, for
 * the two ends of records. */
static enum tag classify_tag(const char *at, const char *end, const char **ret_end)
{
    const char *limit = end - at > TAG_LOOK_AHEAD ? at + TAG_LOOK_AHEAD : end;
    const char *name = at + 1;
    bool closing = name < limit && *name == '/';
    if (closing)
        name++;
    const char *name_end = name;
    while (name_end < limit && !is_name_end(*name_end) && *name_end != '<')
        name_end++;
    if (name_end == limit)
        return limit == end ? TAG_MORE : TAG_OTHER;
    struct slice tag = slice_of(name, (size_t)(name_end - name));
    if (slice_equal(tag, SLICE("?xml")) || (tag.length > 0 && is_response_name(tag)))
        return TAG_ANSWER;
    if (!slice_equal(tag, SLICE("usagerecord")))
        return TAG_OTHER;
    const char *behind = name_end;
    while (behind < limit && *behind != '>' && *behind != '<')
        behind++;
    if (behind == limit)
        return limit == end ? TAG_MORE : TAG_OTHER;
    if (*behind == '<') { /* its own bracket was lost */
        *ret_end = behind;
        return closing ? TAG_OTHER : TAG_RECORD;
    }
    *ret_end = behind + 1;
    if (closing)
        return TAG_RECORD_END;
    return behind[-1] == '/' ? TAG_RECORD_EMPTY : TAG_RECORD;
}

/* The next tag that starts or ends a record or an answer, from `at` on. TAG_MORE: none, *ret_at is
 * what must still be looked at when more has come. */
static enum tag find_tag(const char *at, const char *end, const char **ret_at, const char **ret_end)
{
    while (at < end) {
        at = memchr(at, '<', (size_t)(end - at));
        if (!at)
            break;
        enum tag tag = classify_tag(at, end, ret_end);
        *ret_at = at;
        if (tag != TAG_OTHER)
            return tag;
        at++;
    }
    *ret_at = end;
    return TAG_MORE;
}

static size_t trimmed(const struct feed *feed, size_t start, size_t end)
{
    struct slice text = slice_of(feed->window + start, end - start);
    size_t length = slice_trim(text).length + (size_t)(slice_trim(text).data - text.data);
    return length > 0 ? length : 1;
}

/* Gives up [start, end) as bad, or, with `full`, its first part, the rest being skipped. */
static enum step give_up(struct xml_decoder *xml, struct feed *feed, size_t start, size_t end,
                         bool full, enum skip_mode skip, const char *reason)
{
    if (full) {
        record_bad(feed, start, DECODE_RECORD_MAX, reason);
        xml->skip = (uint8_t)skip;
        feed->at = end < start + DECODE_RECORD_MAX ? end : start + DECODE_RECORD_MAX;
        return STEP_ON;
    }
    record_bad(feed, start, trimmed(feed, start, end), reason);
    feed->at = end;
    return STEP_ON;
}

/* <usagerecord>: to its end tag, or, where that is missing, to the next record or the end of the
 * answer. */
static enum status walk_record(struct xml_decoder *xml, struct feed *feed, const char *inside,
                               enum step *ret_step)
{
    size_t start = feed->at;
    size_t view_end = feed_view_end(feed, start);
    const char *at;
    const char *end = NULL;
    enum tag tag = find_tag(inside, feed->window + view_end, &at, &end);
    size_t found = (size_t)(at - feed->window);
    bool full = feed->length - start > DECODE_RECORD_MAX;
    xml->has_usage = true;
    *ret_step = STEP_ON;
    if (tag == TAG_RECORD_END && (size_t)(end - feed->window) - start <= DECODE_RECORD_MAX) {
        struct slice text = slice_of(feed->window + start, (size_t)(end - feed->window) - start);
        struct record *record = record_begin(feed, start, text.length);
        feed->at = start + text.length;
        return parse_record(xml, feed, record, text);
    }
    if (tag == TAG_MORE || tag == TAG_RECORD_END) {
        if (tag == TAG_MORE && feed_can_wait(feed, start)) {
            *ret_step = STEP_MORE;
            return STATUS_OK;
        }
        xml->forgive |= !full;
        *ret_step = give_up(xml, feed, start, full ? found : feed->length, full, SKIP_RECORD,
                            full ? REASON_OVERSIZE : REASON_CUT);
        return STATUS_OK;
    }
    *ret_step = give_up(xml, feed, start, found, false, SKIP_NONE, REASON_UNCLOSED);
    return STATUS_OK;
}

/* ---- the answer around the records
 * ------------------------------------------------------------------------------------ */

static void report(struct xml_decoder *xml, struct feed *feed, size_t position, struct slice text)
{
    uint32_t line = feed_line(feed, position);
    xml->base.error =
        (struct envelope_error){.seen = true, .offset = feed->offset + position, .line = line};
    envelope_text(&xml->base.error, text);
}

static void answer_open(struct xml_decoder *xml, struct feed *feed)
{
    xml->answer = (struct envelope_error){.offset = feed->offset + feed->at,
                                          .line = feed_line(feed, feed->at)};
    xml->has_usage = xml->has_other = xml->forgive = false;
    xml->leaf[0] = '\0';
}

static void answer_close(struct xml_decoder *xml)
{
    if (!xml->answer.seen && xml->has_other && !xml->has_usage) {
        xml->answer.seen = true;
        envelope_text(&xml->answer, SLICE(TEXT_FOREIGN));
    }
    if (xml->answer.seen)
        xml->base.error = xml->answer;
    xml->answer.seen = false;
    xml->leaf[0] = '\0';
    xml->depth = 0;
}

/* An element of the answer opens: `name` without its brackets. */
static void element_open(struct xml_decoder *xml, struct feed *feed, struct slice name, bool empty)
{
    if (xml->depth > 0 && is_response_name(name)) {
        if (!xml->forgive)
            report(xml, feed, feed->at, SLICE(TEXT_CUT));
        if (xml->answer.seen)
            answer_close(xml);
        xml->depth = 0;
    }
    if (xml->depth == 0) {
        answer_open(xml, feed);
        xml->foreign =
            is_response_name(name) && !slice_equal(name, SLICE("listusagerecordsresponse"));
    } else if (slice_equal(name, SLICE("count")))
        xml->has_usage = true;
    else if (slice_equal(name, SLICE("errorcode")) || slice_equal(name, SLICE("cserrorcode")) ||
             slice_equal(name, SLICE("errortext"))) {
        memcpy(xml->leaf, name.data, name.length);
        xml->leaf[name.length] = '\0';
        envelope_note(&xml->answer, name, SLICE(""));
    } else if (!slice_equal(name, SLICE("uuidList")))
        xml->has_other = true;
    if (!empty)
        xml->depth++;
    else if (xml->depth == 0)
        answer_close(xml);
}

static void element_close(struct xml_decoder *xml, struct slice name)
{
    xml->leaf[0] = '\0';
    if (xml->depth == 0 || slice_equal(name, SLICE("usagerecord")))
        return;
    if (--xml->depth == 0 || is_response_name(name))
        answer_close(xml);
}

/* The few escapes that error texts have. */
static void note_text(struct xml_decoder *xml, struct slice text)
{
    static const struct {
        struct slice escape;
        char character;
    } escapes[] = {
        {{"&lt;", 4}, '<'},   {{"&gt;", 4}, '>'},    {{"&amp;", 5}, '&'},
        {{"&quot;", 6}, '"'}, {{"&apos;", 6}, '\''},
    };
    char plain[sizeof(xml->answer.text)];
    size_t length = 0;
    while (text.length > 0 && length < sizeof(plain)) {
        size_t taken = 1;
        plain[length] = text.data[0];
        for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]) && text.data[0] == '&'; i++) {
            if (!slice_starts_with(text, escapes[i].escape))
                continue;
            plain[length] = escapes[i].character;
            taken = escapes[i].escape.length;
        }
        length++;
        text = slice_of(text.data + taken, text.length - taken);
    }
    envelope_note(&xml->answer, slice_string(xml->leaf), slice_of(plain, length));
}

/* Text up to the next tag. */
static enum step walk_text(struct xml_decoder *xml, struct feed *feed)
{
    size_t start = feed->at;
    size_t view_end = feed_view_end(feed, start);
    size_t at = start;
    bool garbage = xml->depth == 0;
    while (at < view_end && feed->window[at] != '<' && !(garbage && feed->window[at] == '\n'))
        at++;
    bool whole = at < view_end;
    if (garbage) {
        if (!whole && feed_can_wait(feed, start))
            return STEP_MORE;
        return give_up(xml, feed, start, at, !whole && feed->length - start > DECODE_RECORD_MAX,
                       SKIP_TEXT, REASON_GARBAGE);
    }
    if (xml->leaf[0] != '\0') {
        if (!whole && feed_can_wait(feed, start))
            return STEP_MORE;
        note_text(xml, slice_of(feed->window + start, at - start));
        xml->leaf[0] = '\0';
    }
    feed->at = at;
    return STEP_ON;
}

/* The end of a tag: '>', or "?>", or "-->". NULL: not there; *ret_at is then the next '<' or `end`.
 */
static const char *tag_end(const char *at, const char *end, const char **ret_at)
{
    struct slice tag = slice_of(at, (size_t)(end - at));
    *ret_at = end;
    if (slice_starts_with(tag, SLICE("<!--"))) {
        const char *close = memmem(at + 4, tag.length - 4, "-->", 3);
        return close ? close + 3 : NULL;
    }
    for (const char *c = at + 1; c < end; c++) {
        if (*c == '>')
            return c + 1;
        if (*c == '<') {
            *ret_at = c;
            return NULL;
        }
    }
    return NULL;
}

/* An element that only records have, outside of any: the rest of a record whose start was damaged,
 * to its end tag. */
static enum step give_up_unopened(struct xml_decoder *xml, struct feed *feed, const char *inside)
{
    size_t start = feed->at;
    const char *at;
    const char *end = NULL;
    enum tag tag = find_tag(inside, feed->window + feed_view_end(feed, start), &at, &end);
    bool full = feed->length - start > DECODE_RECORD_MAX;
    xml->has_usage = true;
    if (tag == TAG_RECORD_END && (size_t)(end - feed->window) - start <= DECODE_RECORD_MAX)
        return give_up(xml, feed, start, (size_t)(end - feed->window), false, SKIP_NONE,
                       REASON_UNOPENED);
    if (tag != TAG_MORE && tag != TAG_RECORD_END)
        return give_up(xml, feed, start, (size_t)(at - feed->window), false, SKIP_NONE,
                       REASON_UNOPENED);
    if (tag == TAG_MORE && feed_can_wait(feed, start))
        return STEP_MORE;
    xml->forgive |= !full;
    return give_up(xml, feed, start, full ? (size_t)(at - feed->window) : feed->length, full,
                   SKIP_RECORD, full ? REASON_OVERSIZE : REASON_UNOPENED);
}

/* A tag that belongs to no record. */
static enum step walk_tag(struct xml_decoder *xml, struct feed *feed)
{
    size_t start = feed->at;
    const char *at = feed->window + start;
    const char *view_end = feed->window + feed_view_end(feed, start);
    const char *stop;
    const char *end = tag_end(at, view_end, &stop);
    if (!end && stop == view_end) {
        if (feed_can_wait(feed, start))
            return STEP_MORE;
        bool full = feed->length - start > DECODE_RECORD_MAX;
        return give_up(xml, feed, start, (size_t)(stop - feed->window), full, SKIP_GARBAGE,
                       REASON_TAG);
    }
    if (!end)
        return give_up(xml, feed, start, (size_t)(stop - feed->window), false, SKIP_NONE,
                       REASON_TAG);
    bool closing = at[1] == '/';
    const char *name = at + 1 + closing;
    const char *name_end = name;
    while (!is_name_end(*name_end))
        name_end++;
    struct slice tag = slice_of(name, (size_t)(name_end - name));
    bool of_record = field_by_name(tag) != FIELD_COUNT && (xml->depth == 0 || !xml->foreign);
    if (of_record && !closing)
        return give_up_unopened(xml, feed, end);
    if (closing)
        element_close(xml, tag);
    else if (at[1] != '?' && at[1] != '!')
        element_open(xml, feed, tag, end[-2] == '/');
    feed->at = (size_t)(end - feed->window);
    return STEP_ON;
}

static enum status walk_token(struct xml_decoder *xml, struct feed *feed, enum step *ret_step)
{
    const char *at = feed->window + feed->at;
    const char *inside;
    *ret_step = STEP_ON;
    if (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
        feed->at++;
        return STATUS_OK;
    }
    if (*at != '<') {
        *ret_step = walk_text(xml, feed);
        return STATUS_OK;
    }
    enum tag tag = classify_tag(at, feed->window + feed_view_end(feed, feed->at), &inside);
    if (tag == TAG_MORE && !feed->last) {
        *ret_step = STEP_MORE;
        return STATUS_OK;
    }
    if (tag == TAG_RECORD)
        return walk_record(xml, feed, inside, ret_step);
    if (tag != TAG_RECORD_EMPTY) {
        *ret_step = walk_tag(xml, feed);
        return STATUS_OK;
    }
    record_begin(feed, feed->at, (size_t)(inside - at));
    xml->has_usage = true;
    feed->at = (size_t)(inside - feed->window);
    return STATUS_OK;
}

static enum step skip(struct xml_decoder *xml, struct feed *feed)
{
    const char *at = feed->window + feed->at;
    const char *end = feed->window + feed->length;
    const char *behind = NULL;
    if (xml->skip == SKIP_RECORD) {
        enum tag tag = find_tag(at, end, &at, &behind);
        if (tag == TAG_MORE && !feed->last) {
            feed->at = (size_t)(at - feed->window);
            return STEP_MORE;
        }
        at = tag == TAG_MORE ? end : tag == TAG_RECORD_END ? behind : at;
        xml->forgive |= tag == TAG_MORE;
    } else {
        while (at < end && *at != '<' && !(xml->skip == SKIP_TEXT && *at == '\n'))
            at++;
        if (at == end && !feed->last) {
            feed->at = feed->length;
            return STEP_MORE;
        }
    }
    xml->skip = SKIP_NONE;
    feed->at = (size_t)(at - feed->window);
    return STEP_ON;
}

/* ---- the decoder
 * ------------------------------------------------------------------------------------------------------
 */

static const char byte_order_mark[3] = "\xef\xbb\xbf";

static void finish(struct xml_decoder *xml, struct feed *feed)
{
    bool open = xml->depth > 0;
    if (open && xml->answer.seen)
        answer_close(xml);
    else if (open && !xml->forgive)
        report(xml, feed, feed->length, SLICE(TEXT_CUT));
    xml->depth = 0;
}

static enum status xml_decode(struct decoder *decoder, char *window, size_t length, uint64_t offset,
                              bool last, struct record_block *block, size_t *ret_used)
{
    struct xml_decoder *xml = (struct xml_decoder *)decoder;
    struct feed feed;
    feed_init(&feed, decoder, window, length, offset, last, block);
    enum step step = STEP_ON;
    if (offset == 0 && length > 0 &&
        memcmp(window, byte_order_mark, length < 3 ? length : 3) == 0) {
        feed.at = length < 3 ? 0 : 3;
        step = length < 3 && !last ? STEP_MORE : STEP_ON;
    }
    while (step == STEP_ON && feed.at < length && !feed_block_full(&feed)) {
        if (xml->skip != SKIP_NONE) {
            step = skip(xml, &feed);
            continue;
        }
        enum status status = walk_token(xml, &feed, &step);
        if (status)
            return status;
    }
    if (last && feed.at == length)
        finish(xml, &feed);
    feed_done(&feed, ret_used);
    return STATUS_OK;
}

static enum status xml_open(struct decoder **ret)
{
    struct xml_decoder *xml = calloc(1, sizeof(*xml));
    if (!xml)
        return STATUS_NO_MEMORY;
    xmlInitParser();
    decoder_init(&xml->base, RECORD_FORM_XML);
    xml->handler = (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
    };
    *ret = &xml->base;
    return STATUS_OK;
}

static void xml_close(struct decoder *decoder)
{
    struct xml_decoder *xml = (struct xml_decoder *)decoder;
    if (!xml)
        return;
    if (xml->parser)
        xmlFreeParserCtxt(xml->parser);
    decoder_fini(&xml->base);
    free(xml);
}

static int xml_sniff(struct slice head)
{
    if (head.length >= 3 && memcmp(head.data, byte_order_mark, 3) == 0)
        head = slice_of(head.data + 3, head.length - 3);
    head = slice_trim(head);
    if (slice_starts_with(head, SLICE("<?xml")) || slice_starts_with(head, SLICE("<usagerecord")) ||
        slice_starts_with(head, SLICE("<listusagerecordsresponse")))
        return 100;
    return head.length > 0 && head.data[0] == '<' ? 80 : 0;
}

const struct decoder_class decoder_xml = {
    .name = "xml",
    .summary = "answers of listUsageRecords in CloudStack's default form",
    .form = RECORD_FORM_XML,
    .sniff = xml_sniff,
    .open = xml_open,
    .decode = xml_decode,
    .envelope = decoder_take_error,
    .close = xml_close,
};
