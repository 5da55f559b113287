/* See msgpack_frame.h. The format: https://github.com/msgpack/msgpack/blob/master/spec.md */
#include "adapters/msgpack_frame.h"

#include <assert.h>

#include "adapters/decode.h"

#define NAME_MAX_BYTES 64

/* Bytes 0xc0 to 0xdf: what they start, how many bytes of big-endian length follow, and the
 * content's fixed length. */
static const struct {
    uint8_t kind;
    uint8_t length_bytes;
    uint8_t content;
} formats[32] = {
    {MSGPACK_NIL, 0, 0},       {MSGPACK_INVALID, 0, 0},   {MSGPACK_BOOLEAN, 0, 0},
    {MSGPACK_BOOLEAN, 0, 0},   {MSGPACK_TEXT, 1, 0},      {MSGPACK_TEXT, 2, 0},
    {MSGPACK_TEXT, 4, 0}, /* bin */
    {MSGPACK_EXTENSION, 1, 1}, {MSGPACK_EXTENSION, 2, 1}, {MSGPACK_EXTENSION, 4, 1},
    {MSGPACK_FLOAT, 0, 4},     {MSGPACK_FLOAT, 0, 8},     {MSGPACK_INTEGER, 0, 1},
    {MSGPACK_INTEGER, 0, 2},   {MSGPACK_INTEGER, 0, 4},   {MSGPACK_INTEGER, 0, 8},
    {MSGPACK_INTEGER, 0, 1},   {MSGPACK_INTEGER, 0, 2},   {MSGPACK_INTEGER, 0, 4},
    {MSGPACK_INTEGER, 0, 8},   {MSGPACK_EXTENSION, 0, 2}, {MSGPACK_EXTENSION, 0, 3},
    {MSGPACK_EXTENSION, 0, 5}, {MSGPACK_EXTENSION, 0, 9}, {MSGPACK_EXTENSION, 0, 17},
    {MSGPACK_TEXT, 1, 0},      {MSGPACK_TEXT, 2, 0},      {MSGPACK_TEXT, 4, 0}, /* str */
    {MSGPACK_LIST, 2, 0},      {MSGPACK_LIST, 4, 0},      {MSGPACK_MAP, 2, 0},
    {MSGPACK_MAP, 4, 0},
};

struct msgpack_header msgpack_header(const uint8_t *at, const uint8_t *end)
{
    if (at == end)
        return (struct msgpack_header){MSGPACK_MORE, 0, 0};
    uint8_t first = *at;
    if (first < 0x80 || first >= 0xe0)
        return (struct msgpack_header){MSGPACK_INTEGER, 1, 0};
    if (first < 0x90)
        return (struct msgpack_header){MSGPACK_MAP, 1, first & 15};
    if (first < 0xa0)
        return (struct msgpack_header){MSGPACK_LIST, 1, first & 15};
    if (first < 0xc0)
        return (struct msgpack_header){MSGPACK_TEXT, 1, first & 31};
    unsigned length_bytes = formats[first - 0xc0].length_bytes;
    if ((size_t)(end - at) <= length_bytes)
        return (struct msgpack_header){MSGPACK_MORE, 0, 0};
    uint64_t length = 0;
    for (unsigned i = 1; i <= length_bytes; i++)
        length = length << 8 | at[i];
    return (struct msgpack_header){(enum msgpack_kind)formats[first - 0xc0].kind, 1 + length_bytes,
                                   length + formats[first - 0xc0].content};
}

enum msgpack_frame msgpack_frame(const uint8_t *at, const uint8_t *end, size_t max,
                                 const uint8_t **ret_end)
{
    uint64_t left[MSGPACK_DEPTH_MAX]; /* objects still to come, per level */
    int depth = 0;
    do {
        struct msgpack_header header = msgpack_header(at, end);
        if (header.kind == MSGPACK_MORE)
            return MSGPACK_FRAME_MORE;
        if (header.kind == MSGPACK_INVALID)
            return MSGPACK_FRAME_BROKEN;
        if (header.length > max)
            return MSGPACK_FRAME_OVERSIZE;
        at += header.bytes;
        if (header.kind == MSGPACK_LIST || header.kind == MSGPACK_MAP) {
            if (header.length > 0) {
                if (depth == MSGPACK_DEPTH_MAX)
                    return MSGPACK_FRAME_DEEP;
                left[depth++] = header.kind == MSGPACK_MAP ? 2 * header.length : header.length;
                continue;
            }
        } else {
            if (header.length > (size_t)(end - at))
                return MSGPACK_FRAME_MORE;
            at += header.length;
        }
        while (depth > 0 && --left[depth - 1] == 0)
            depth--;
    } while (depth > 0);
    *ret_end = at;
    return MSGPACK_FRAME_WHOLE;
}

bool msgpack_text(const uint8_t *at, const uint8_t *end, struct slice *ret, const uint8_t **ret_end)
{
    struct msgpack_header header = msgpack_header(at, end);
    if (header.kind != MSGPACK_TEXT || header.length > (size_t)(end - at) - header.bytes)
        return false;
    *ret = slice_of((const char *)at + header.bytes, header.length);
    *ret_end = at + header.bytes + header.length;
    return true;
}

/* "count" alone is no sign of an answer, but with nothing else, or with usagerecord behind it, it
 * is. */
static enum msgpack_map classify_count(const uint8_t *value, const uint8_t *end, uint64_t pairs)
{
    struct msgpack_header header = msgpack_header(value, end);
    if (header.kind == MSGPACK_MORE)
        return MSGPACK_MAP_MORE;
    if (header.kind != MSGPACK_INTEGER)
        return MSGPACK_MAP_OTHER;
    if (pairs == 1)
        return MSGPACK_MAP_ANSWER;
    value += header.bytes;
    if ((size_t)(end - value) <= header.length)
        return MSGPACK_MAP_MORE;
    value += header.length;
    static const char next[] = "\xabusagerecord";
    for (size_t i = 0; i < sizeof(next) - 1; i++) {
        if (value + i == end)
            return MSGPACK_MAP_MORE;
        if (value[i] != (uint8_t)next[i])
            return MSGPACK_MAP_OTHER;
    }
    return MSGPACK_MAP_ANSWER;
}

static enum msgpack_map classify_name(struct slice name, const uint8_t *value, const uint8_t *end,
                                      uint64_t pairs)
{
    if (field_by_name(name) != FIELD_COUNT)
        return MSGPACK_MAP_RECORD;
    if (slice_equal(name, SLICE("count")))
        return classify_count(value, end, pairs);
    if (slice_equal(name, SLICE("usagerecord")) || slice_equal(name, SLICE("uuidList")) ||
        slice_equal(name, SLICE("errorcode")) || slice_equal(name, SLICE("cserrorcode")) ||
        slice_equal(name, SLICE("errortext")))
        return MSGPACK_MAP_ANSWER;
    if (!is_response_name(name))
        return MSGPACK_MAP_OTHER;
    struct msgpack_header header = msgpack_header(value, end);
    if (header.kind == MSGPACK_MORE)
        return MSGPACK_MAP_MORE;
    return header.kind == MSGPACK_MAP ? MSGPACK_MAP_ENVELOPE : MSGPACK_MAP_OTHER;
}

enum msgpack_map msgpack_classify(const uint8_t *at, const uint8_t *end)
{
    struct msgpack_header header = msgpack_header(at, end);
    if (header.kind == MSGPACK_MORE)
        return MSGPACK_MAP_MORE;
    if (header.kind != MSGPACK_MAP)
        return MSGPACK_MAP_OTHER;
    if (header.length == 0)
        return MSGPACK_MAP_EMPTY;
    const uint8_t *key = at + header.bytes;
    struct msgpack_header text = msgpack_header(key, end);
    if (text.kind == MSGPACK_MORE)
        return MSGPACK_MAP_MORE;
    if (text.kind != MSGPACK_TEXT || text.length > NAME_MAX_BYTES)
        return MSGPACK_MAP_OTHER;
    key += text.bytes;
    if ((size_t)(end - key) < text.length)
        return MSGPACK_MAP_MORE;
    return classify_name(slice_of((const char *)key, text.length), key + text.length, end,
                         header.length);
}

bool msgpack_resync(const uint8_t *from, const uint8_t *end, bool complete, const uint8_t **ret_at)
{
    for (const uint8_t *at = from; at < end; at++) {
        bool map = (*at > 0x80 && *at < 0x90) || *at == 0xde || *at == 0xdf;
        if (!map)
            continue;
        enum msgpack_map found = msgpack_classify(at, end);
        *ret_at = at;
        if (found == MSGPACK_MAP_RECORD || found == MSGPACK_MAP_ANSWER ||
            found == MSGPACK_MAP_ENVELOPE)
            return true;
        if (found == MSGPACK_MAP_MORE && !complete)
            return false;
    }
    *ret_at = end;
    return false;
}
