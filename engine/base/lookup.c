#include "base/lookup.h"

#include <string.h>

#define LINES_FIRST 16

/* Lines that hold `count` numbers and are not full. */
static uint64_t lines_for(uint64_t count)
{
    return (count * 5 + LOOKUP_PLACES * 4 - 1) / (LOOKUP_PLACES * 4);
}

enum status lookup_init(struct lookup *lookup, uint64_t capacity, uint64_t capacity_least,
                        bool huge_pages)
{
    *lookup = (struct lookup){0};
    /* The last step may go further than what is needed. */
    uint64_t lines = lines_for(capacity) * 5 / 4 + LINES_FIRST;
    uint64_t least = lines_for(capacity_least) * 5 / 4 + LINES_FIRST;
    enum status status =
        vast_init(&lookup->memory, sizeof(struct lookup_line), lines, least, huge_pages);
    if (status == STATUS_OK)
        lookup->lines = (struct lookup_line *)(void *)lookup->memory.base;
    return status;
}

void lookup_fini(struct lookup *lookup)
{
    vast_fini(&lookup->memory);
    *lookup = (struct lookup){0};
}

enum status lookup_grow(struct lookup *lookup, uint64_t count)
{
    uint64_t lines = lookup->line_count ? (uint64_t)lookup->line_count * 5 / 4 : LINES_FIRST;
    uint64_t needed = lines_for(count);
    lines = lines < needed ? needed : lines;
    if (lines > UINT32_MAX)
        return STATUS_NO_MEMORY;
    enum status status = vast_reserve(&lookup->memory, lines);
    if (status != STATUS_OK)
        return status;
    lookup_clear(lookup);
    lookup->line_count = (uint32_t)lines;
    assert(!lookup_is_full(lookup, count));
    return STATUS_OK;
}

void lookup_clear(struct lookup *lookup)
{
    if (lookup->line_count)
        memset(lookup->lines, 0, lookup_bytes(lookup));
}

void lookup_clear_home(struct lookup *lookup, uint32_t hash)
{
    struct lookup_line *line = lookup_home(lookup, hash);
    for (bool passed = true; passed; line = lookup_next(lookup, line)) {
        passed = line->passed; /* where it is not, it is because what follows was cleared, too */
        line->count = line->passed = 0;
    }
}

void lookup_put(struct lookup *lookup, uint32_t hash, uint32_t number)
{
    struct lookup_line *line = lookup_home(lookup, hash);
    for (; line->count == LOOKUP_PLACES; line = lookup_next(lookup, line))
        line->passed = 1;
    line->marks[line->count] = (uint8_t)hash;
    line->numbers[line->count++] = number;
}
