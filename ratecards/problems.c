#include "ratecards/ratecards.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBLEM_TEXT_BYTES_MAX 600 /* one line for a person; a longer value in it is cut */

void problems_init(struct problems *problems, struct arena *arena)
{
    *problems = (struct problems){.arena = arena};
}

static void problems_grow(struct problems *problems)
{
    if (problems->count < problems->capacity)
        return;
    uint32_t capacity = problems->capacity ? problems->capacity * 2 : 16;
    struct problem *items = arena_alloc(problems->arena, capacity * sizeof *items);
    if (problems->count)
        memcpy(items, problems->items, problems->count * sizeof *items);
    problems->items = items;
    problems->capacity = capacity;
}

/* The length without half a UTF-8 character at the end, which a cut can leave. */
static size_t whole_characters(const char *text, size_t length)
{
    size_t lead = length;
    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0)
        return length; /* no UTF-8 at all: nothing to keep whole */
    unsigned char first = (unsigned char)text[lead - 1];
    size_t needed = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return length - (lead - 1) < needed ? lead - 1 : length;
}

void problems_add(struct problems *problems, struct slice file, uint32_t line, uint32_t column,
                  const char *format, ...)
{
    if (problems->count == PROBLEMS_MAX) {
        problems->dropped++;
        return;
    }
    problems_grow(problems);
    char text[PROBLEM_TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(written >= 0);
    size_t length = (size_t)written;
    if (length >= sizeof text)
        length = whole_characters(text, sizeof text - 1);
    for (size_t i = 0; i < length; i++) { /* one problem, one line, whatever the document holds */
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    }
    /* The file's name is copied, once for a run of problems: it may stand in a value of the book
     * that goes away. */
    bool same = problems->count > 0 && slice_equal(problems->items[problems->count - 1].file, file);
    problems->items[problems->count] = (struct problem){
        .file =
            same ? problems->items[problems->count - 1].file : arena_copy(problems->arena, file),
        .line = line,
        .column = column,
        .text = arena_copy(problems->arena, slice_of(text, length)),
    };
    problems->count++;
}

static int problem_compare(const void *a_pointer, const void *b_pointer)
{
    const struct problem *a = a_pointer, *b = b_pointer;
    int order = slice_compare(a->file, b->file);
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    if (order == 0)
        order = (a->column > b->column) - (a->column < b->column);
    return order ? order : slice_compare(a->text, b->text);
}

void problems_sort(struct problems *problems)
{
    if (problems->count > 1)
        qsort(problems->items, problems->count, sizeof *problems->items, problem_compare);
}
