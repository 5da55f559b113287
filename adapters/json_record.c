/* See json_record.h. */
#include "adapters/json_record.h"

#include "adapters/json_frame.h"

#define REASON_SYNTAX    "broken JSON: check commas, quotes and brackets"
#define REASON_MEMBERS   "more than 256 members: remove some"
#define REASON_ESCAPE    "a backslash escape that JSON does not know: write the backslash twice"
#define REASON_SURROGATE "half of a \\u surrogate pair: send both halves or the character itself"
#define REASON_VALUE     "a value that is no string, number, true, false or null: quote it"
#define REASON_EVENT_DATA                                                                          \
    "CloudEvent without a JSON object in data: put account, meter and quantity there"

/* ---- escapes
 * ----------------------------------------------------------------------------------------------------------
 */

static int hex4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit;
        if (at[i] >= '0' && at[i] <= '9')
            digit = at[i] - '0';
        else if ((at[i] | 0x20) >= 'a' && (at[i] | 0x20) <= 'f')
            digit = (at[i] | 0x20) - 'a' + 10;
        else
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* `at` is behind "\u". Returns behind the escape (both halves of a pair), or NULL. */
static const char *unescape_unicode(const char *at, const char *end, char **to,
                                    const char **ret_reason)
{
    int code = hex4(at, end);
    *ret_reason = code < 0 ? REASON_ESCAPE : REASON_SURROGATE;
    if (code < 0 || (code >= 0xdc00 && code <= 0xdfff))
        return NULL;
    at += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
        int low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return NULL;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *ret_reason = NULL;
    *to = put_utf8(*to, (uint32_t)code);
    return at;
}

static const char plain_escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

enum status json_unescape(struct scratch *scratch, struct slice raw, struct slice *ret,
                          const char **ret_reason)
{
    const char *at = raw.data;
    const char *end = at + raw.length;
    const char *escape = raw.length ? memchr(at, '\\', raw.length) : NULL;
    *ret = raw;
    if (!escape)
        return STATUS_OK;
    char *out = scratch_alloc(scratch, raw.length); /* escapes only shrink */
    if (!out)
        return STATUS_NO_MEMORY;
    char *to = out;
    do {
        memcpy(to, at, (size_t)(escape - at));
        to += escape - at;
        at = escape + 1;
        char plain = at < end ? plain_escapes[(unsigned char)*at] : '\0';
        if (plain) {
            *to++ = plain;
            at++;
        } else if (at < end && *at == 'u') {
            at = unescape_unicode(at + 1, end, &to, ret_reason);
            if (!at)
                return STATUS_OK;
        } else {
            *ret_reason = REASON_ESCAPE;
            return STATUS_OK;
        }
        escape = at < end ? memchr(at, '\\', (size_t)(end - at)) : NULL;
    } while (escape);
    if (at < end) {
        memcpy(to, at, (size_t)(end - at));
        to += end - at;
    }
    scratch_trim(scratch, to);
    *ret = slice_of(out, (size_t)(to - out));
    return STATUS_OK;
}

/* A copy in which control characters within strings are escapes, as they should have been:
 * CloudStack replaces every \uXXXX of an answer by the raw character. */
static char *sanitise(struct scratch *scratch, struct slice text, size_t *ret_length)
{
    static const char digits[] = "0123456789abcdef";
    size_t controls = 0;
    for (size_t i = 0; i < text.length; i++)
        controls += (unsigned char)text.data[i] < 0x20;
    char *out = scratch_alloc(scratch, text.length + 5 * controls);
    if (!out)
        return NULL;
    char *to = out;
    bool in_string = false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (in_string && c < 0x20) {
            memcpy(to, "\\u00", 4);
            to[4] = digits[c >> 4];
            to[5] = digits[c & 15];
            to += 6;
            continue;
        }
        *to++ = (char)c;
        if (in_string && c == '\\' && i + 1 < text.length) {
            /* A control character that is itself escaped stays, and is refused. */
            *to++ = text.data[++i];
        } else if (c == '"') {
            in_string = !in_string;
        }
    }
    scratch_trim(scratch, to);
    *ret_length = (size_t)(to - out);
    return out;
}

/* ---- values
 * -----------------------------------------------------------------------------------------------------------
 */

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* JSON's number grammar; simdjson has not looked at it. */
static bool is_number(struct slice text)
{
    const char *at = text.data;
    const char *end = at + text.length;
    if (at < end && *at == '-')
        at++;
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return false;
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return false;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return false;
    }
    return at == end;
}

/* The value of a member that is neither a list nor an object. */
static enum status read_value(struct scratch *scratch, const struct json_member *member,
                              bool escapes, struct field_value *ret, const char **ret_reason)
{
    struct slice token = slice_of(member->token, member->token_length);
    *ret = (struct field_value){token.data, member->token_length, VALUE_ABSENT};
    if (token.data[0] == '"') {
        struct slice text = slice_of(token.data + 1, token.length - 2);
        enum status status = escapes ? json_unescape(scratch, text, &text, ret_reason) : STATUS_OK;
        *ret = value_text(text.data, text.length);
        return status;
    }
    if (slice_equal(token, SLICE("null")))
        *ret = (struct field_value){0};
    else if (slice_equal(token, SLICE("true")) || slice_equal(token, SLICE("false")))
        ret->kind = VALUE_BOOLEAN;
    else if (is_number(token))
        ret->kind = VALUE_NUMBER;
    else
        *ret_reason = REASON_VALUE;
    return STATUS_OK;
}

/* What is collected beside the fields while the members of one object go by. */
struct members {
    struct feed *feed;
    struct record *record;
    uint64_t seen;
    bool escapes;
    bool cloud_event;               /* has specversion */
    const struct json_member *data; /* the object that a CloudEvent carries */
    struct field_value subject;
};

static bool is_nested(const struct json_member *member)
{
    return member->token[0] == '{' || member->token[0] == '[';
}

static void read_attribute(struct members *members, const struct json_member *member,
                           struct slice name, struct field_value value, const char **ret_reason)
{
    if (slice_equal(name, SLICE("specversion")))
        members->cloud_event = true;
    if (slice_equal(name, SLICE("data")) && member->token[0] == '{')
        members->data = member;
    if (slice_equal(name, SLICE("subject")))
        members->subject = value;
    if (value.kind != VALUE_ABSENT &&
        !record_attribute(members->feed, members->record, name, value))
        *ret_reason = REASON_ATTRIBUTES;
}

static enum status read_member(struct members *members, const struct json_member *member,
                               const char **ret_reason)
{
    struct scratch *scratch = &members->feed->decoder->scratch;
    struct slice name = slice_of(member->key, member->key_length);
    enum status status = STATUS_OK;
    if (members->escapes) {
        status = json_unescape(scratch, name, &name, ret_reason);
        if (status || *ret_reason)
            return status;
    }
    struct field_value value = {0};
    if (!is_nested(member)) {
        status = read_value(scratch, member, members->escapes, &value, ret_reason);
        if (status || *ret_reason)
            return status;
    }
    enum field field = field_by_name(name);
    if (field == FIELD_COUNT) {
        read_attribute(members, member, name, value, ret_reason);
        return STATUS_OK;
    }
    if (is_nested(member))
        *ret_reason = reason_nested(field);
    else if (members->seen >> field & 1)
        *ret_reason = reason_twice(field);
    members->seen |= UINT64_C(1) << field;
    members->record->fields[field] = value;
    return STATUS_OK;
}

/* Parses `text` and gives its members; a text with raw control characters becomes a copy without,
 * and is parsed again. */
static enum status parse(struct json_reader *reader, struct scratch *scratch, struct slice *text,
                         bool *escapes, size_t *ret_count, const char **ret_reason)
{
    enum simdjson_shim_result result =
        simdjson_shim_object(reader->shim, text->data, text->length, reader->members, ret_count);
    if (result == SIMDJSON_SHIM_CONTROL) {
        size_t length;
        const char *copy = sanitise(scratch, *text, &length);
        if (!copy)
            return STATUS_NO_MEMORY;
        *text = slice_of(copy, length);
        *escapes = true;
        result = simdjson_shim_object(reader->shim, text->data, text->length, reader->members,
                                      ret_count);
    }
    switch (result) {
    case SIMDJSON_SHIM_OK:
        return STATUS_OK;
    case SIMDJSON_SHIM_NO_MEMORY:
        return STATUS_NO_MEMORY;
    case SIMDJSON_SHIM_UTF8:
        *ret_reason = REASON_UTF8;
        return STATUS_OK;
    case SIMDJSON_SHIM_TOO_MANY:
        *ret_reason = REASON_MEMBERS;
        return STATUS_OK;
    default:
        *ret_reason = REASON_SYNTAX;
        return STATUS_OK;
    }
}

static enum status read_members(struct json_reader *reader, struct members *members, size_t count,
                                const char **ret_reason)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = read_member(members, &reader->members[i], ret_reason);
        if (status || *ret_reason)
            return status;
    }
    return STATUS_OK;
}

/* A CloudEvents 1.0 envelope: what `data` holds is the usage event; the envelope's own attributes
 * stand in for what it does not say: id, time, type (the meter) and subject (the account). */
static enum status open_event(struct json_reader *reader, struct members *members,
                              struct slice text, const char **ret_reason)
{
    struct field_value *fields = members->record->fields;
    struct field_value type = fields[FIELD_TYPE];
    struct field_value subject = members->subject;
    const char *end;
    bool escapes;
    if (!members->data) {
        *ret_reason = REASON_EVENT_DATA;
        return STATUS_OK;
    }
    const char *begin = members->data->token;
    assert(begin > text.data && begin < text.data + text.length);
    if (json_frame(begin, text.data + text.length, &end, &escapes) != JSON_FRAME_WHOLE) {
        *ret_reason = REASON_SYNTAX;
        return STATUS_OK;
    }
    struct slice data = slice_of(begin, (size_t)(end - begin));
    size_t count;
    enum status status = parse(reader, &members->feed->decoder->scratch, &data, &members->escapes,
                               &count, ret_reason);
    if (status || *ret_reason)
        return status;
    fields[FIELD_TYPE] = (struct field_value){0};
    members->seen = 0;
    status = read_members(reader, members, count, ret_reason);
    if (status || *ret_reason)
        return status;
    if (fields[FIELD_METER].kind == VALUE_ABSENT)
        fields[FIELD_METER] = type;
    if (fields[FIELD_ACCOUNT].kind == VALUE_ABSENT &&
        fields[FIELD_ACCOUNTID].kind == VALUE_ABSENT &&
        fields[FIELD_PROJECTID].kind == VALUE_ABSENT)
        fields[FIELD_ACCOUNT] = subject;
    return STATUS_OK;
}

enum status json_record_read(struct json_reader *reader, struct feed *feed, struct record *record,
                             struct slice text, bool escapes, const char **ret_reason,
                             bool *ret_syntax)
{
    struct members members = {.feed = feed, .record = record, .escapes = escapes};
    size_t count = 0;
    assert(text.length >= 2 && text.data[0] == '{' && text.data[text.length - 1] == '}');
    *ret_reason = NULL;
    *ret_syntax = false;
    enum status status =
        parse(reader, &feed->decoder->scratch, &text, &members.escapes, &count, ret_reason);
    if (status)
        return status;
    if (*ret_reason) {
        *ret_syntax = true;
        return STATUS_OK;
    }
    status = read_members(reader, &members, count, ret_reason);
    if (!status && !*ret_reason && members.cloud_event)
        status = open_event(reader, &members, text, ret_reason);
    if (!status && !*ret_reason)
        status = record_decode_urls(feed, record);
    return status;
}
