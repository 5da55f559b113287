/* A borrowed run of bytes. Never NUL-terminated, never owned. */
#ifndef RATEL_BASE_SLICE_H
#define RATEL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data; /* NULL only when length is 0 */
    size_t length;    /* bytes */
};

static inline struct slice slice_of(const char *data, size_t length)
{
    return (struct slice){data, length};
}

static inline struct slice slice_string(const char *string)
{
    return (struct slice){string, string ? strlen(string) : 0};
}

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool slice_is(struct slice a, const char *string)
{
    return slice_equal(a, slice_string(string));
}

static inline bool slice_starts_with(struct slice a, struct slice prefix)
{
    return a.length >= prefix.length &&
           (prefix.length == 0 || memcmp(a.data, prefix.data, prefix.length) == 0);
}

/* memcmp order, the shorter first where one is a prefix of the other. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* The slice without blanks, tabs, CR and LF at both ends. */
static inline struct slice slice_trim(struct slice a)
{
    while (a.length &&
           (a.data[0] == ' ' || a.data[0] == '\t' || a.data[0] == '\r' || a.data[0] == '\n'))
        a.data++, a.length--;
    while (a.length && (a.data[a.length - 1] == ' ' || a.data[a.length - 1] == '\t' ||
                        a.data[a.length - 1] == '\r' || a.data[a.length - 1] == '\n'))
        a.length--;
    return a;
}

#endif
