#include "emit/payload.h"

#include <assert.h>

struct walker {
    const char *at;
    const char *end;
};

static void skip_blanks(struct walker *walker)
{
    while (walker->at < walker->end && (*walker->at == ' ' || *walker->at == '\t' ||
                                        *walker->at == '\n' || *walker->at == '\r'))
        walker->at++;
}

static bool take(struct walker *walker, char c)
{
    skip_blanks(walker);
    if (walker->at == walker->end || *walker->at != c)
        return false;
    walker->at++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits of \uXXXX, or -1. */
static int32_t hex_unit(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The raw text between the quotes of the string at hand. */
static bool take_string(struct walker *walker, struct slice *ret)
{
    if (!take(walker, '"'))
        return false;
    const char *start = walker->at;
    while (walker->at < walker->end && *walker->at != '"') {
        if ((unsigned char)*walker->at < 0x20)
            return false;
        if (*walker->at == '\\') {
            walker->at++;
            if (walker->at == walker->end || !memchr("\"\\/bfnrtu", *walker->at, 9))
                return false;
            if (*walker->at == 'u' && hex_unit(walker->at + 1, walker->end) < 0)
                return false;
        }
        walker->at++;
    }
    if (walker->at == walker->end)
        return false;
    *ret = slice_of(start, (size_t)(walker->at - start));
    walker->at++;
    return true;
}

static size_t digits(struct walker *walker)
{
    const char *start = walker->at;
    while (walker->at < walker->end && *walker->at >= '0' && *walker->at <= '9')
        walker->at++;
    return (size_t)(walker->at - start);
}

/* RFC 8259 section 6. */
static bool take_number(struct walker *walker)
{
    if (walker->at < walker->end && *walker->at == '-')
        walker->at++;
    const char *first = walker->at;
    size_t whole = digits(walker);
    if (whole == 0 || (whole > 1 && *first == '0'))
        return false;
    if (walker->at < walker->end && *walker->at == '.') {
        walker->at++;
        if (digits(walker) == 0)
            return false;
    }
    if (walker->at < walker->end && (*walker->at == 'e' || *walker->at == 'E')) {
        walker->at++;
        if (walker->at < walker->end && (*walker->at == '+' || *walker->at == '-'))
            walker->at++;
        return digits(walker) > 0;
    }
    return true;
}

static bool take_word(struct walker *walker, struct slice word)
{
    if ((size_t)(walker->end - walker->at) < word.length ||
        memcmp(walker->at, word.data, word.length) != 0)
        return false;
    walker->at += word.length;
    return true;
}

/* `depth` is how many objects and arrays are open around the value. */
static bool take_value(struct walker *walker, int depth);

/* Members or elements up to the closing bracket; the opening one is taken. */
static bool take_rest(struct walker *walker, bool object, int depth)
{
    char close = object ? '}' : ']';
    if (take(walker, close))
        return true;
    do {
        struct slice key;
        if (object && (!take_string(walker, &key) || !take(walker, ':')))
            return false;
        if (!take_value(walker, depth))
            return false;
    } while (take(walker, ','));
    return take(walker, close);
}

static bool take_value(struct walker *walker, int depth)
{
    struct slice string;
    skip_blanks(walker);
    if (walker->at == walker->end)
        return false;
    switch (*walker->at) {
    case '{':
    case '[': {
        bool object = *walker->at++ == '{';
        return depth < PAYLOAD_DEPTH_MAX && take_rest(walker, object, depth + 1);
    }
    case '"':
        return take_string(walker, &string);
    case 't':
        return take_word(walker, SLICE("true"));
    case 'f':
        return take_word(walker, SLICE("false"));
    case 'n':
        return take_word(walker, SLICE("null"));
    default:
        return take_number(walker);
    }
}

bool payload_valid(struct slice payload)
{
    struct walker walker = {payload.data, payload.data + payload.length};
    if (payload.length == 0 || payload.length > PAYLOAD_BYTES_MAX)
        return false;
    skip_blanks(&walker);
    if (walker.at == walker.end || *walker.at != '{' || !take_value(&walker, 0))
        return false;
    skip_blanks(&walker);
    return walker.at == walker.end;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* One \uXXXX, or two that are a surrogate pair; a lone surrogate becomes U+FFFD. `*at` is behind
 * the u. */
static uint32_t unescape_unit(const char **at, const char *end)
{
    uint32_t unit = (uint32_t)hex_unit(*at, end);
    *at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    bool pair = unit < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u';
    int32_t low = pair ? hex_unit(*at + 2, end) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
}

/* An escape is never shorter than what it stands for, so the raw length is enough. */
static struct slice unescape(struct slice raw, struct arena *arena)
{
    if (raw.length == 0 || !memchr(raw.data, '\\', raw.length))
        return raw;
    static const char letters[] = {
        ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    char *text = arena_alloc(arena, raw.length);
    size_t length = 0;
    const char *end = raw.data + raw.length;
    for (const char *at = raw.data; at < end;) {
        if (*at != '\\') {
            text[length++] = *at++;
            continue;
        }
        char c = at[1];
        at += 2;
        if (c == 'u')
            length += put_utf8(text + length, unescape_unit(&at, end));
        else
            text[length++] = c != '"' && c != '\\' && c != '/' ? letters[(unsigned char)c] : c;
    }
    assert(length <= raw.length);
    return slice_of(text, length);
}

/* The next member's key and the text of its value; false at the object's end. */
static bool next_member(struct walker *walker, struct arena *arena, struct slice *ret_key,
                        struct slice *ret_value)
{
    struct slice raw;
    if (take(walker, '}'))
        return false;
    (void)take(walker, ',');
    bool good = take_string(walker, &raw) && take(walker, ':');
    assert(good);
    skip_blanks(walker);
    const char *start = walker->at;
    good = take_value(walker, 1);
    assert(good);
    *ret_key = unescape(raw, arena);
    *ret_value = slice_of(start, (size_t)(walker->at - start));
    return true;
}

static struct slice inner(struct slice quoted)
{
    assert(quoted.length >= 2);
    return slice_of(quoted.data + 1, quoted.length - 2);
}

bool payload_find(struct slice payload, const char *name, struct arena *arena, struct slice *ret)
{
    assert(payload_valid(payload));
    struct walker walker = {payload.data, payload.data + payload.length};
    struct slice key, value;
    (void)take(&walker, '{');
    while (next_member(&walker, arena, &key, &value)) {
        if (!slice_is(key, name))
            continue;
        *ret = value.data[0] == '"' ? unescape(inner(value), arena) : value;
        return true;
    }
    return false;
}

static void write_members(struct walker *walker, const char *const *skip, struct json *json,
                          struct arena *arena);

static void write_value(struct slice text, struct json *json, struct arena *arena)
{
    struct walker walker = {text.data + 1, text.data + text.length};
    switch (text.data[0]) {
    case '{':
        json_object(json);
        write_members(&walker, NULL, json, arena);
        json_object_end(json);
        return;
    case '[':
        json_array(json);
        while (!take(&walker, ']')) {
            (void)take(&walker, ',');
            skip_blanks(&walker);
            const char *start = walker.at;
            bool good = take_value(&walker, 1);
            assert(good);
            write_value(slice_of(start, (size_t)(walker.at - start)), json, arena);
        }
        json_array_end(json);
        return;
    case '"':
        json_string(json, unescape(inner(text), arena));
        return;
    case 't':
    case 'f':
        json_boolean(json, text.data[0] == 't');
        return;
    case 'n':
        json_null(json);
        return;
    default:
        json_number(json, text);
    }
}

static bool listed(const char *const *names, struct slice key)
{
    for (; names && *names; names++)
        if (slice_is(key, *names))
            return true;
    return false;
}

static void write_members(struct walker *walker, const char *const *skip, struct json *json,
                          struct arena *arena)
{
    struct slice key, value;
    while (next_member(walker, arena, &key, &value)) {
        if (listed(skip, key))
            continue;
        json_key(json, arena_string(arena, key));
        write_value(value, json, arena);
    }
}

void payload_write(struct slice payload, const char *const *skip, struct json *json,
                   struct arena *arena)
{
    assert(payload_valid(payload));
    struct walker walker = {payload.data, payload.data + payload.length};
    (void)take(&walker, '{');
    write_members(&walker, skip, json, arena);
}
