/* Help for mistyped words, and the zones that documents name. */
#include "ratecards/form.h"

#include <assert.h>
#include <stdlib.h>

#define WORD_BYTES_MAX 32 /* no key of ours is longer */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) that turn one word into the other. Source:
 * optimal string alignment. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t rows[3][WORD_BYTES_MAX + 1]; /* two rows back, one row back, this row */
    assert(a.length <= WORD_BYTES_MAX && b.length <= WORD_BYTES_MAX);
    for (size_t j = 0; j <= b.length; j++)
        rows[1][j] = j, rows[0][j] = 0;
    for (size_t i = 1; i <= a.length; i++) {
        rows[2][0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t replace = rows[1][j - 1] + (a.data[i - 1] != b.data[j - 1]);
            rows[2][j] = least(replace, least(rows[1][j], rows[2][j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                rows[2][j] = least(rows[2][j], rows[0][j - 2] + 1);
        }
        memcpy(rows[0], rows[1], sizeof rows[0]);
        memcpy(rows[1], rows[2], sizeof rows[1]);
    }
    return rows[1][b.length];
}

const char *nearest_name(struct slice word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t distance_best = 3; /* two slips at most, and less than half of the word */
    if (word.length == 0 || word.length > WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_string(names[i]);
        if (name.length > WORD_BYTES_MAX)
            continue;
        size_t distance = edit_distance(word, name);
        if (distance < distance_best && distance * 2 <= name.length)
            nearest = names[i], distance_best = distance;
    }
    return nearest;
}

const char *names_joined(struct arena *arena, const char *const *names, size_t count)
{
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 2;
    char *text = arena_alloc(arena, bytes), *at = text;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (i > 0)
            *at++ = ',', *at++ = ' ';
        memcpy(at, names[i], length);
        at += length;
    }
    return text;
}

enum status zone_set_find(struct zone_set *set, struct slice name, const struct zone **ret)
{
    if (set->last < set->count && slice_is(name, zone_name(set->items[set->last]))) {
        *ret = set->items[set->last];
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (slice_is(name, zone_name(set->items[i]))) {
            *ret = set->items[set->last = i];
            return STATUS_OK;
        }
    }
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 8;
        struct zone **items = realloc(set->items, capacity * sizeof(struct zone *));
        if (!items)
            return STATUS_NO_MEMORY;
        set->items = items;
        set->capacity = capacity;
    }
    struct zone *zone;
    enum status status = zone_load(name, &zone);
    if (status != STATUS_OK)
        return status;
    set->items[set->count++] = zone;
    *ret = zone;
    return STATUS_OK;
}

void zone_set_fini(struct zone_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        zone_free(set->items[i]);
    free(set->items);
    *set = (struct zone_set){0};
}
