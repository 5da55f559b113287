/* See json_frame.h. */
#include "adapters/json_frame.h"

#include <assert.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "adapters/decode.h"

static_assert(DECODER_PADDING >= 16, "json_string_end reads whole vectors");

/* What a byte outside of strings means. Anything that no JSON text has there shows at once that a
 * quote was lost. */
enum outside { ILLEGAL = 0, PLAIN, QUOTE, OPEN, CLOSE };

static const uint8_t outside_class[256] = {
    [' '] = PLAIN,
    ['\t'] = PLAIN,
    ['\n'] = PLAIN,
    ['\r'] = PLAIN,
    [','] = PLAIN,
    [':'] = PLAIN,
    ['0'] = PLAIN,
    ['1'] = PLAIN,
    ['2'] = PLAIN,
    ['3'] = PLAIN,
    ['4'] = PLAIN,
    ['5'] = PLAIN,
    ['6'] = PLAIN,
    ['7'] = PLAIN,
    ['8'] = PLAIN,
    ['9'] = PLAIN,
    ['+'] = PLAIN,
    ['-'] = PLAIN,
    ['.'] = PLAIN,
    ['E'] = PLAIN,
    /* the letters of true, false, null and of an exponent */
    ['t'] = PLAIN,
    ['r'] = PLAIN,
    ['u'] = PLAIN,
    ['e'] = PLAIN,
    ['f'] = PLAIN,
    ['a'] = PLAIN,
    ['l'] = PLAIN,
    ['s'] = PLAIN,
    ['n'] = PLAIN,
    ['"'] = QUOTE,
    ['{'] = OPEN,
    ['['] = OPEN,
    ['}'] = CLOSE,
    [']'] = CLOSE,
};

const char *json_string_end(const char *at, const char *end, bool *escapes)
{
    while (at < end) {
#ifdef __SSE2__
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        unsigned mask = (unsigned)_mm_movemask_epi8(hits);
        if (mask == 0) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(mask);
        if (at >= end)
            return NULL;
#else
        if (*at != '"' && *at != '\\') {
            at++;
            continue;
        }
#endif
        if (*at == '"')
            return at + 1;
        *escapes = true;
        at += 2;
    }
    return NULL;
}

/* Whether an opening bracket may stand where it does: behind a colon within an object, behind a
 * bracket or a comma within a list. A record whose end got lost shows here, at its neighbour's
 * brace. */
static bool may_open(const char *begin, const char *at, bool in_list)
{
    do
        at--;
    while (at > begin && json_blank(*at));
    return in_list ? *at == '[' || *at == ',' : *at == ':';
}

enum json_frame json_frame(const char *at, const char *end, const char **ret_end, bool *ret_escapes)
{
    assert(at < end && *at == '{');
    const char *begin = at++;
    uint64_t lists = 0; /* one bit a level: set for a list */
    int depth = 1;
    bool escapes = false;
    *ret_escapes = false;
    while (at < end) {
        switch (outside_class[(unsigned char)*at]) {
        case PLAIN:
            at++;
            break;
        case QUOTE: {
            const char *behind = json_string_end(at + 1, end, &escapes);
            if (!behind)
                return JSON_FRAME_MORE;
            at = behind;
            break;
        }
        case OPEN:
            *ret_end = at;
            if (depth == JSON_DEPTH_MAX || !may_open(begin, at, lists & 1))
                return JSON_FRAME_BROKEN;
            lists = lists << 1 | (*at == '[');
            depth++;
            at++;
            break;
        case CLOSE:
            *ret_end = at;
            if ((lists & 1) != (*at == ']'))
                return JSON_FRAME_BROKEN;
            lists >>= 1;
            at++;
            if (--depth > 0)
                break;
            *ret_end = at;
            *ret_escapes = escapes;
            return JSON_FRAME_WHOLE;
        default:
            *ret_end = at;
            return JSON_FRAME_BROKEN;
        }
    }
    return JSON_FRAME_MORE;
}

/* ---- what an object is
 * ------------------------------------------------------------------------------------------------
 */

/* Skips blanks, no more than any writer puts there. At `end`, or on a byte that is no blank, or on
 * the blank too many. */
static const char *skip_blanks(const char *at, const char *end)
{
    for (int i = 0; i < JSON_BLANKS_MAX && at < end && json_blank(*at); i++)
        at++;
    return at;
}

/* "count" alone is no sign of an envelope, but followed by nothing, or by usagerecord, it is. */
static enum json_object classify_count(const char *at, const char *end)
{
    static const char next[] = "\"usagerecord\"";
    at = skip_blanks(at, end);
    for (int i = 0; i < 20 && at < end && *at >= '0' && *at <= '9'; i++)
        at++;
    at = skip_blanks(at, end);
    if (at == end)
        return JSON_OBJECT_MORE;
    if (*at == '}')
        return JSON_OBJECT_ANSWER;
    if (*at != ',')
        return JSON_OBJECT_OTHER;
    at = skip_blanks(at + 1, end);
    for (size_t i = 0; i < sizeof(next) - 1; i++) {
        if (at + i == end)
            return JSON_OBJECT_MORE;
        if (at[i] != next[i])
            return JSON_OBJECT_OTHER;
    }
    return JSON_OBJECT_ANSWER;
}

static enum json_object classify_name(struct slice name, const char *value, const char *end,
                                      const char **ret_inside)
{
    if (field_by_name(name) != FIELD_COUNT)
        return JSON_OBJECT_RECORD;
    if (slice_equal(name, SLICE("key")))
        return JSON_OBJECT_TAG;
    if (slice_equal(name, SLICE("count")))
        return classify_count(value, end);
    if (slice_equal(name, SLICE("usagerecord")) || slice_equal(name, SLICE("uuidList")) ||
        slice_equal(name, SLICE("errorcode")) || slice_equal(name, SLICE("cserrorcode")) ||
        slice_equal(name, SLICE("errortext")))
        return JSON_OBJECT_ANSWER;
    if (!is_response_name(name))
        return JSON_OBJECT_OTHER;
    value = skip_blanks(value, end);
    if (value == end)
        return JSON_OBJECT_MORE;
    *ret_inside = value + 1;
    return *value == '{' ? JSON_OBJECT_ENVELOPE : JSON_OBJECT_OTHER;
}

enum json_object json_classify(const char *at, const char *end, const char **ret_inside)
{
    assert(at < end && *at == '{');
    *ret_inside = at + 1;
    at = skip_blanks(at + 1, end);
    if (at == end)
        return JSON_OBJECT_MORE;
    if (*at == '}')
        return JSON_OBJECT_EMPTY;
    if (*at != '"')
        return JSON_OBJECT_OTHER;
    const char *name = ++at;
    while (at < end && *at != '"' && at - name <= JSON_NAME_MAX)
        at++;
    if (at == end)
        return JSON_OBJECT_MORE;
    if (*at != '"')
        return JSON_OBJECT_OTHER;
    struct slice key = slice_of(name, (size_t)(at - name));
    at = skip_blanks(at + 1, end);
    if (at == end)
        return JSON_OBJECT_MORE;
    if (*at != ':')
        return JSON_OBJECT_OTHER;
    return classify_name(key, at + 1, end, ret_inside);
}

/* ---- the next record after a broken one
 * ------------------------------------------------------------------------------- */

/* Whether the list that opens at `at` is a member of some object other than the answer's list of
 * records. */
static bool is_member_list(const char *begin, const char *at)
{
    while (at > begin && json_blank(at[-1]))
        at--;
    if (at == begin || *--at != ':')
        return false;
    while (at > begin && json_blank(at[-1]))
        at--;
    struct slice before = slice_of(begin, (size_t)(at - begin));
    struct slice records = SLICE("\"usagerecord\"");
    return before.length < records.length ||
           memcmp(before.data + before.length - records.length, records.data, records.length) != 0;
}

/* Whether the object at `at` is the value of a member ("data": {...}, "disks": [{...}]) rather than
 * a record. */
static bool is_nested(const char *begin, const char *at)
{
    bool line_end = false;
    if (at - begin > JSON_LOOK_BEHIND)
        begin = at - JSON_LOOK_BEHIND;
    if (at > begin && at[-1] == '\n')
        return false;
    while (at > begin && json_blank(at[-1]))
        line_end |= *--at == '\n';
    if (at == begin)
        return false;
    at--;
    if (*at == ':')
        return !line_end;
    return *at == '[' && is_member_list(begin, at);
}

static bool is_line_start(const char *begin, const char *at)
{
    return at > begin && at[-1] == '\n';
}

bool json_resync(const struct json_search *search, const char *begin, const char *from,
                 const char *end, const char **ret_at)
{
    for (const char *at = from; at < end; at++) {
        const char *inside;
        bool found = false;
        if (*at == '\n')
            found = search->at_line_end;
        else if (*at == '[' || *at == ']')
            found = search->at_brackets;
        else if (*at != '{')
            continue;
        else if (search->at_brackets)
            found = true;
        else {
            enum json_object object = json_classify(at, end, &inside);
            *ret_at = at;
            if (object == JSON_OBJECT_MORE)
                return false;
            found = object == JSON_OBJECT_ENVELOPE ||
                    (object == JSON_OBJECT_OTHER && search->top && is_line_start(begin, at)) ||
                    ((object == JSON_OBJECT_RECORD || object == JSON_OBJECT_ANSWER) &&
                     !is_nested(begin, at));
        }
        *ret_at = at;
        if (found)
            return true;
    }
    *ret_at = end;
    return false;
}
