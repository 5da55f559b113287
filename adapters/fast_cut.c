/* See fast_cut.h. */
#include "adapters/fast_cut.h"

#include <string.h>

enum json_tail json_tail(enum json_tail tail, const char *bytes, size_t length)
{
    size_t from = 0;
    if (length >= 3) { /* a tail has three bytes at most */
        from = length - 3;
        tail = JSON_TAIL_OTHER;
    }
    for (size_t i = from; i < length; i++) {
        if (bytes[i] == '}')
            tail = JSON_TAIL_BRACE;
        else if (bytes[i] == '\r' && tail == JSON_TAIL_BRACE)
            tail = JSON_TAIL_BRACE_CR;
        else if (bytes[i] == '\n' && (tail == JSON_TAIL_BRACE || tail == JSON_TAIL_BRACE_CR))
            tail = JSON_TAIL_BRACE_LF;
        else
            tail = JSON_TAIL_OTHER;
    }
    return tail;
}

/* Whether the line end at `at` follows a closing brace. */
static bool ends_object(enum json_tail tail, const char *window, size_t at)
{
    if (at > 0 && window[at - 1] == '\r') {
        at--;
        if (at == 0)
            return tail == JSON_TAIL_BRACE;
    }
    if (at > 0)
        return window[at - 1] == '}';
    return tail == JSON_TAIL_BRACE || tail == JSON_TAIL_BRACE_CR;
}

bool json_hard_start(enum json_tail tail, const char *window, size_t length)
{
    return tail == JSON_TAIL_BRACE_LF && length >= 2 && window[0] == '{' && window[1] == '"';
}

size_t json_hard_end(enum json_tail tail, const char *window, size_t from, size_t length)
{
    while (from + 2 < length) {
        const char *line_end = memchr(window + from, '\n', length - 2 - from);
        if (!line_end)
            return 0;
        size_t at = (size_t)(line_end - window);
        if (line_end[1] == '{' && line_end[2] == '"' && ends_object(tail, window, at))
            return at + 1;
        from = at + 1;
    }
    return 0;
}

size_t json_open_end(enum json_tail tail, const char *window, size_t length)
{
    if (length == 0 || window[length - 1] != '{')
        return 0;
    return json_tail(tail, window, length - 1) == JSON_TAIL_BRACE_LF;
}

size_t json_cut(const char *window, size_t length)
{
    while (length > 3) {
        const char *line_end = memrchr(window, '\n', length - 2);
        if (!line_end)
            return 0;
        size_t at = (size_t)(line_end - window);
        if (line_end[1] == '{' && line_end[2] == '"' && ends_object(JSON_TAIL_OTHER, window, at))
            return at + 1;
        length = at + 2;
    }
    return 0;
}
