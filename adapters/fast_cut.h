/* Hard ends: where a stream of JSON can be cut so that its pieces are decoded one by one.
 *
 * A hard end is a place whose bytes before are a closing brace and a line end (LF or CR LF), and
 * behind it a brace and a quote: `}` LF `{"`. That never stands within valid JSON, where a comma is
 * between two objects, but behind every line of NDJSON. The decoder of JSON ends there whatever is
 * open, so a fresh one goes on just as well: pieces can be decoded in parallel. */
#ifndef RATEL_ADAPTERS_FAST_CUT_H
#define RATEL_ADAPTERS_FAST_CUT_H

#include <stdbool.h>
#include <stddef.h>

/* The last hard end within [0, length), 0 when there is none. */
size_t json_cut(const char *window, size_t length);

/* How the bytes in front of a window end, as far as a hard end at or near its start needs it. */
enum json_tail {
    JSON_TAIL_OTHER = 0,
    JSON_TAIL_BRACE,
    JSON_TAIL_BRACE_CR,
    JSON_TAIL_BRACE_LF, /* a hard end is here if a brace and a quote follow */
};

/* The tail behind `length` more bytes. */
enum json_tail json_tail(enum json_tail tail, const char *bytes, size_t length);
/* Whether there is a hard end right between the tail and the window. */
bool json_hard_start(enum json_tail tail, const char *window, size_t length);
/* The first hard end behind a line end at or behind `from`, 0 when there is none. */
size_t json_hard_end(enum json_tail tail, const char *window, size_t from, size_t length);
/* Bytes at the window's end, 0 or 1, that are behind a hard end if a quote comes next. */
size_t json_open_end(enum json_tail tail, const char *window, size_t length);

#endif
