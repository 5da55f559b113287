/* Slow, obvious readers of every form that ratel-gen writes: what the generator's own tests check
 * it against. They share no code with the generator but the list of field names. */
#ifndef TESTS_TOOLS_GEN_READER_H
#define TESTS_TOOLS_GEN_READER_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/fields.h"

#define READER_VALUE_BYTES 1024

/* One record; an absent field is an empty text. */
struct record_seen {
    char values[GEN_FIELD_COUNT][READER_VALUE_BYTES];
    bool good;
};

typedef void (*record_taker)(void *taker, const struct record_seen *record, const char *raw,
                             size_t raw_length);

static inline char *read_whole_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long length;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0)
        abort();
    rewind(file);
    bytes = malloc((size_t)length + 1);
    if (!bytes || fread(bytes, 1, (size_t)length, file) != (size_t)length)
        abort();
    bytes[length] = '\0';
    fclose(file);
    *ret_length = (size_t)length;
    return bytes;
}

/* The index of a field's name, or GEN_FIELD_COUNT. */
static inline unsigned field_index(const char *name, size_t length)
{
    unsigned i = 0;

    while (i < GEN_FIELD_COUNT &&
           (strlen(gen_field_names[i]) != length || memcmp(gen_field_names[i], name, length) != 0))
        i++;
    return i;
}

static inline void append_byte(char *value, char byte)
{
    size_t length = strlen(value);

    if (length + 1 >= READER_VALUE_BYTES)
        abort();
    value[length] = byte;
    value[length + 1] = '\0';
}

/* A JSON string after its opening quote; NULL when it does not end or has a wrong escape. */
static inline const char *json_string(const char *at, const char *end, char *value)
{
    value[0] = '\0';
    for (; at < end && *at != '"'; at++) {
        static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
        const char *letter;

        if (*at == '\n')
            return NULL;
        if (*at != '\\') {
            append_byte(value, *at);
            continue;
        }
        letter = ++at < end ? strchr(letters, *at) : NULL;
        if (!letter || *letter == '\0')
            return NULL;
        append_byte(value, bytes[letter - letters]);
    }
    return at < end ? at + 1 : NULL;
}

static inline const char *json_value(const char *at, const char *end, char *value)
{
    if (at < end && *at == '"')
        return json_string(at + 1, end, value);
    value[0] = '\0';
    if (end - at >= 2 && memcmp(at, "[]", 2) == 0) {
        strcpy(value, "[]");
        return at + 2;
    }
    while (at < end && (isalnum((unsigned char)*at) || *at == '.'))
        append_byte(value, *at++);
    return value[0] ? at : NULL;
}

/* A flat JSON object from '{' on; the position after '}', or NULL. */
static inline const char *json_object(const char *at, const char *end, struct record_seen *record)
{
    memset(record, 0, sizeof *record);
    if (at >= end || *at++ != '{')
        return NULL;
    while (at < end) {
        char name[READER_VALUE_BYTES];
        unsigned field;

        if (*at != '"' || !(at = json_string(at + 1, end, name)) || at >= end || *at++ != ':')
            return NULL;
        field = field_index(name, strlen(name));
        if (field == GEN_FIELD_COUNT || !(at = json_value(at, end, record->values[field])) ||
            at >= end)
            return NULL;
        if (*at == '}') {
            record->good = true;
            return at + 1;
        }
        if (*at++ != ',')
            return NULL;
    }
    return NULL;
}

static inline void read_ndjson(const char *text, size_t length, record_taker take, void *taker)
{
    const char *end = text + length;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        static struct record_seen record;
        const char *after;

        if (!line_end)
            abort();
        after = json_object(text, line_end, &record);
        record.good = after == line_end;
        take(taker, &record, text, (size_t)(line_end - text));
        text = line_end + 1;
    }
}

/* Objects one after the other, with commas between, up to ']'. */
static inline const char *read_json_list(const char *at, const char *end, record_taker take,
                                         void *taker)
{
    while (at && at < end && *at != ']') {
        static struct record_seen record;
        const char *after = json_object(at, end, &record);

        if (!after)
            abort();
        take(taker, &record, at, (size_t)(after - at));
        at = *after == ',' ? after + 1 : after;
    }
    return at;
}

/* Checks that the envelopes are whole and that every one tells the same count; returns it. */
static inline unsigned long long read_json_envelopes(const char *text, size_t length,
                                                     record_taker take, void *taker)
{
    static const char head[] = "{\"listusagerecordsresponse\":{\"count\":",
                      list[] = ",\"usagerecord\":[", tail[] = "]}}\n";
    const char *end = text + length;
    unsigned long long count = 0;

    while (text < end) {
        char *after;

        if (strncmp(text, head, strlen(head)) != 0)
            abort();
        count = strtoull(text + strlen(head), &after, 10);
        if (strncmp(after, list, strlen(list)) != 0)
            abort();
        text = read_json_list(after + strlen(list), end, take, taker);
        if (strncmp(text, tail, strlen(tail)) != 0)
            abort();
        text += strlen(tail);
    }
    return count;
}

static inline void xml_text(const char *at, const char *end, char *value)
{
    static const struct {
        const char *entity;
        char byte;
    } entities[] = {
        {"&quot;", '"'}, {"&apos;", '\''}, {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}};

    value[0] = '\0';
    while (at < end) {
        char byte = *at;
        size_t skip = 1;

        for (unsigned i = 0; i < 5; i++) {
            if (strncmp(at, entities[i].entity, strlen(entities[i].entity)) == 0) {
                byte = entities[i].byte;
                skip = strlen(entities[i].entity);
            }
        }
        append_byte(value, byte);
        at += skip;
    }
}

/* Not strstr: a sanitizer's reads the whole rest of the text each time. */
static inline const char *find_text(const char *at, const char *needle)
{
    size_t length = strlen(needle);

    while ((at = strchr(at, needle[0])) && strncmp(at, needle, length) != 0)
        at++;
    return at;
}

static inline void read_xml(const char *text, record_taker take, void *taker)
{
    while ((text = find_text(text, "<usagerecord>"))) {
        const char *end = find_text(text, "</usagerecord>"), *raw = text;
        static struct record_seen record;

        memset(&record, 0, sizeof record);
        record.good = true;
        for (text += strlen("<usagerecord>"); text < end;) {
            const char *name_end = strchr(text, '>'), *value_end = find_text(text, "</");
            unsigned field = field_index(text + 1, (size_t)(name_end - text - 1));

            if (field == GEN_FIELD_COUNT)
                abort();
            xml_text(name_end + 1, value_end, record.values[field]);
            text = strchr(value_end, '>') + 1;
        }
        take(taker, &record, raw, (size_t)(end - raw));
    }
}

static inline const char *csv_value(const char *at, char *value)
{
    bool quoted = *at == '"';

    value[0] = '\0';
    if (quoted)
        at++;
    for (; *at; at++) {
        if (quoted && *at == '"' && at[1] != '"')
            return at + 1;
        if (quoted && *at == '"')
            at++;
        else if (!quoted && (*at == ',' || *at == '\r'))
            break;
        append_byte(value, *at);
    }
    return at;
}

static inline void read_csv(const char *text, record_taker take, void *taker)
{
    unsigned columns[GEN_FIELD_COUNT], column_count = 0;
    char name[READER_VALUE_BYTES];

    do {
        text = csv_value(text, name);
        columns[column_count++] = field_index(name, strlen(name));
    } while (*text++ == ',');
    text++;
    while (*text) {
        static struct record_seen record;
        const char *raw = text;
        unsigned column = 0;

        memset(&record, 0, sizeof record);
        do {
            if (column >= column_count)
                abort();
            text = csv_value(text, record.values[columns[column++]]);
        } while (*text++ == ',');
        record.good = column == column_count;
        take(taker, &record, raw, (size_t)(text - raw));
        text++;
    }
}

static inline uint64_t big_endian(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | *at++;
    return value;
}

static inline const unsigned char *msgpack_value(const unsigned char *at, char *value)
{
    unsigned head = *at++;
    size_t length = SIZE_MAX;

    value[0] = '\0';
    if (head < 0x80) {
        snprintf(value, READER_VALUE_BYTES, "%u", head);
    } else if (head >= 0xcc && head <= 0xcf) {
        unsigned bytes = 1u << (head - 0xcc);

        snprintf(value, READER_VALUE_BYTES, "%llu", (unsigned long long)big_endian(at, bytes));
        at += bytes;
    } else if (head == 0xc2 || head == 0xc3) {
        strcpy(value, head == 0xc3 ? "true" : "false");
    } else if (head == 0x90) {
        strcpy(value, "[]");
    } else if ((head & 0xe0) == 0xa0) {
        length = head & 31;
    } else if (head == 0xd9) {
        length = *at++;
    } else if (head == 0xda) {
        length = (size_t)big_endian(at, 2);
        at += 2;
    } else {
        abort();
    }
    if (length != SIZE_MAX) {
        memcpy(value, at, length);
        value[length] = '\0';
        at += length;
    }
    return at;
}

static inline void read_msgpack(const char *text, size_t length, record_taker take, void *taker)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;

    while (at < end) {
        const unsigned char *raw = at;
        static struct record_seen record;
        uint64_t members = *at++;

        memset(&record, 0, sizeof record);
        record.good = true;
        if (members == 0xde) {
            members = big_endian(at, 2);
            at += 2;
        } else {
            members &= 15;
        }
        while (members-- > 0) {
            char name[READER_VALUE_BYTES];
            unsigned field;

            at = msgpack_value(at, name);
            field = field_index(name, strlen(name));
            if (field == GEN_FIELD_COUNT)
                abort();
            at = msgpack_value(at, record.values[field]);
        }
        take(taker, &record, (const char *)raw, (size_t)(at - raw));
    }
    if (at != end)
        abort();
}

#endif
