#include "base/json.h"

#include <assert.h>

void json_init(struct json *json, FILE *out, bool pretty)
{
    *json = (struct json){.out = out, .pretty = pretty};
    json->first[0] = true;
}

/* Unlocked: a writer belongs to one thread, and putc would lock the FILE for every byte. */
static inline void put(struct json *json, char c)
{
    putc_unlocked(c, json->out);
}

static inline void put_bytes(struct json *json, const char *data, size_t length)
{
    if (length)
        fwrite_unlocked(data, 1, length, json->out);
}

static void put_line_break(struct json *json)
{
    if (!json->pretty)
        return;
    put(json, '\n');
    for (int i = 0; i < json->depth; i++)
        put_bytes(json, "  ", 2);
}

/* The comma and the line break before a member or an element. */
static void separate(struct json *json)
{
    if (!json->first[json->depth])
        put(json, ',');
    json->first[json->depth] = false;
    put_line_break(json);
}

static void before_value(struct json *json)
{
    if (json->depth == 0)
        return;
    assert(json->object[json->depth] == json->after_key);
    if (json->after_key)
        json->after_key = false;
    else
        separate(json);
}

static void after_value(struct json *json)
{
    if (json->depth == 0)
        put(json, '\n');
}

static void open_level(struct json *json, bool object)
{
    before_value(json);
    assert(json->depth < JSON_DEPTH_MAX);
    json->depth++;
    json->first[json->depth] = true;
    json->object[json->depth] = object;
    put(json, object ? '{' : '[');
}

static void close_level(struct json *json, bool object)
{
    assert(json->depth > 0 && json->object[json->depth] == object && !json->after_key);
    bool empty = json->first[json->depth];
    json->depth--;
    if (!empty)
        put_line_break(json);
    put(json, object ? '}' : ']');
    after_value(json);
}

void json_object(struct json *json)
{
    open_level(json, true);
}

void json_object_end(struct json *json)
{
    close_level(json, true);
}

void json_array(struct json *json)
{
    open_level(json, false);
}

void json_array_end(struct json *json)
{
    close_level(json, false);
}

/* The length of the UTF-8 sequence at `at`, or of the longest start of one where it is cut or wrong
 * (then *ret_valid is false and one U+FFFD stands for it). Source: Unicode 15, tables 3-7, 3-8. */
static size_t utf8_sequence(const unsigned char *at, size_t length, bool *ret_valid)
{
    unsigned char lead = at[0], low = 0x80, high = 0xbf;
    size_t need = lead < 0x80   ? 1
                  : lead < 0xc2 ? 0
                  : lead < 0xe0 ? 2
                  : lead < 0xf0 ? 3
                  : lead < 0xf5 ? 4
                                : 0;
    *ret_valid = need == 1;
    if (need < 2)
        return 1;
    if (lead == 0xe0)
        low = 0xa0; /* shorter form exists */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates */
    else if (lead == 0xf0)
        low = 0x90; /* shorter form exists */
    else if (lead == 0xf4)
        high = 0x8f; /* past U+10FFFF */
    size_t seen = 1;
    for (; seen < need && seen < length && at[seen] >= low && at[seen] <= high; seen++) {
        low = 0x80;
        high = 0xbf;
    }
    *ret_valid = seen == need;
    return seen;
}

static void put_escaped(struct json *json, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    put(json, '\\');
    if (c == '"' || c == '\\') {
        put(json, (char)c);
    } else if (c < sizeof letters && letters[c]) {
        put(json, letters[c]);
    } else {
        put_bytes(json, "u00", 3);
        put(json, hex[c >> 4]);
        put(json, hex[c & 0xf]);
    }
}

static void put_string(struct json *json, struct slice value)
{
    const unsigned char *bytes = (const unsigned char *)value.data;
    size_t run = 0; /* start of the bytes that are written as they are */
    put(json, '"');
    for (size_t i = 0; i < value.length;) {
        unsigned char c = bytes[i];
        bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
        size_t step = 1;
        if (c >= 0x80)
            step = utf8_sequence(bytes + i, value.length - i, &plain);
        if (!plain) {
            put_bytes(json, value.data + run, i - run);
            if (c >= 0x80)
                put_bytes(json, "\xef\xbf\xbd", 3);
            else
                put_escaped(json, c);
            run = i + step;
        }
        i += step;
    }
    if (value.length > run)
        put_bytes(json, value.data + run, value.length - run);
    put(json, '"');
}

void json_key(struct json *json, const char *key)
{
    assert(json->depth > 0 && json->object[json->depth] && !json->after_key);
    separate(json);
    put_string(json, slice_string(key));
    put(json, ':');
    if (json->pretty)
        put(json, ' ');
    json->after_key = true;
}

void json_string(struct json *json, struct slice value)
{
    before_value(json);
    put_string(json, value);
    after_value(json);
}

static void put_literal(struct json *json, struct slice text)
{
    before_value(json);
    put_bytes(json, text.data, text.length);
    after_value(json);
}

static size_t digits_at(struct slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.length && (unsigned char)(text.data[at + count] - '0') <= 9)
        count++;
    return count;
}

/* RFC 8259 section 6. */
static bool is_number(struct slice text)
{
    size_t at = text.length && text.data[0] == '-';
    size_t whole = digits_at(text, at);
    if (whole == 0 || (whole > 1 && text.data[at] == '0'))
        return false;
    at += whole;
    if (at < text.length && text.data[at] == '.') {
        size_t fraction = digits_at(text, at + 1);
        if (fraction == 0)
            return false;
        at += 1 + fraction;
    }
    if (at < text.length && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.length && (text.data[at] == '+' || text.data[at] == '-');
        size_t exponent = digits_at(text, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == text.length;
}

void json_number(struct json *json, struct slice digits)
{
    assert(is_number(digits));
    put_literal(json, digits);
}

void json_integer(struct json *json, int64_t value)
{
    char text[DECIMAL_TEXT_BYTES];
    size_t length = decimal_format(value, 0, 0, text);
    put_literal(json, slice_of(text, length));
}

void json_boolean(struct json *json, bool value)
{
    put_literal(json, value ? SLICE("true") : SLICE("false"));
}

void json_null(struct json *json)
{
    put_literal(json, SLICE("null"));
}

void json_key_string(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    if (value)
        json_string(json, slice_string(value));
    else
        json_null(json);
}

void json_key_slice(struct json *json, const char *key, struct slice value)
{
    json_key(json, key);
    json_string(json, value);
}

void json_key_integer(struct json *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_integer(json, value);
}

void json_key_boolean(struct json *json, const char *key, bool value)
{
    json_key(json, key);
    json_boolean(json, value);
}

void json_key_money(struct json *json, const char *key, struct money amount)
{
    char text[DECIMAL_TEXT_BYTES];
    size_t length = money_format_exact(amount, text);
    json_key_slice(json, key, slice_of(text, length));
}

void json_key_amount(struct json *json, const char *key, struct money amount,
                     struct currency currency)
{
    char text[DECIMAL_TEXT_BYTES];
    size_t length = money_format(amount, currency, text);
    json_key_slice(json, key, slice_of(text, length));
}

void json_key_quantity(struct json *json, const char *key, struct quantity quantity)
{
    char text[DECIMAL_TEXT_BYTES];
    size_t length = quantity_format(quantity, text);
    json_key_slice(json, key, slice_of(text, length));
}

void json_key_instant(struct json *json, const char *key, struct instant instant)
{
    char text[INSTANT_TEXT_BYTES];
    json_key(json, key);
    if (instant.seconds == INSTANT_MIN.seconds || instant.seconds == INSTANT_MAX.seconds)
        json_null(json);
    else
        json_string(json, slice_of(text, instant_format(instant, text)));
}
