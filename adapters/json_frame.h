/* Where a JSON record starts and ends in a stream of bytes: bracket and quote counting, and the
 * search for the next record after a broken one. Nothing here knows windows; MORE means that the
 * bytes given do not decide it. */
#ifndef RATEL_ADAPTERS_JSON_FRAME_H
#define RATEL_ADAPTERS_JSON_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* Nested deeper is no usage record. */
#define JSON_DEPTH_MAX 60
/* As far as the search looks back and ahead of a brace: blanks and one name. */
#define JSON_LOOK_BEHIND 64
#define JSON_BLANKS_MAX  256
#define JSON_NAME_MAX    64

enum json_frame { JSON_FRAME_WHOLE, JSON_FRAME_BROKEN, JSON_FRAME_MORE };

/* Walks the object that starts at `at` (a brace) to its closing brace. `ret_end`: behind it, or
 * where it cannot go on. `ret_escapes`: whether there is a backslash in it. Reads up to 16 bytes
 * past `end`. */
enum json_frame json_frame(const char *at, const char *end, const char **ret_end,
                           bool *ret_escapes);

/* What the first member of the object at `at` shows it to be. */
enum json_object {
    JSON_OBJECT_MORE,
    JSON_OBJECT_EMPTY,    /* {} */
    JSON_OBJECT_ENVELOPE, /* {"...response": { : *ret_inside is behind the inner brace */
    JSON_OBJECT_ANSWER, /* the inside of an envelope alone, as cmk prints it: *ret_inside is behind
                           the brace */
    JSON_OBJECT_RECORD, /* starts with a known field */
    JSON_OBJECT_OTHER,  /* starts with another member, or is no object */
    JSON_OBJECT_TAG,    /* starts with "key": a resource tag within a record, never a record */
};

enum json_object json_classify(const char *at, const char *end, const char **ret_inside);

/* Where to stop a search that began in broken bytes. */
struct json_search {
    bool top; /* at the top level an object at the start of a line is a record, whatever its first
                 member is */
    bool at_line_end; /* stop at a line end */
    bool at_brackets; /* stop at any of {[] */
};

/* Searches from `from` for a stop or the next plausible record or envelope; `begin` is the first
 * byte that may be looked at behind a brace. `ret_at`: what was found, or the first byte that is
 * still to be searched when more has come. */
bool json_resync(const struct json_search *search, const char *begin, const char *from,
                 const char *end, const char **ret_at);

/* Behind the string's closing quote, NULL when it does not end before `end`. `at` is behind the
 * opening one. */
const char *json_string_end(const char *at, const char *end, bool *escapes);

static inline bool json_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

#endif
