#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_ALIGN       16
#define ARENA_BLOCK_BYTES ((size_t)64 * 1024)

struct arena_block {
    struct arena_block *next; /* older */
    size_t size;              /* bytes behind this header */
    _Alignas(ARENA_ALIGN) char data[];
};

_Static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "data starts aligned");

static _Noreturn void out_of_memory(void)
{
    fputs("ratel: out of memory\n", stderr);
    abort();
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->block;
    while (block) {
        struct arena_block *older = block->next;
        free(block);
        block = older;
    }
    *arena = (struct arena){0};
}

static struct arena_block *block_new(struct arena *arena, size_t size)
{
    /* calloc hands over zeroed pages, so nothing is cleared by hand. */
    struct arena_block *block = calloc(1, sizeof *block + size);
    if (!block)
        out_of_memory();
    block->size = size;
    arena->total_bytes += sizeof *block + size;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        out_of_memory();
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    struct arena_block *newest = arena->block;
    if (newest && newest->size - arena->used >= bytes) {
        void *memory = newest->data + arena->used;
        arena->used += bytes;
        return memory;
    }
    if (newest && bytes > ARENA_BLOCK_BYTES / 4) {
        /* A large piece gets a block of its own behind the newest, whose room stays in use. */
        struct arena_block *own = block_new(arena, bytes);
        own->next = newest->next;
        newest->next = own;
        return own->data;
    }
    struct arena_block *block =
        block_new(arena, bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES);
    block->next = newest;
    arena->block = block;
    arena->used = bytes;
    return block->data;
}

char *arena_string(struct arena *arena, struct slice slice)
{
    char *copy = arena_alloc(arena, slice.length + 1);
    if (slice.length)
        memcpy(copy, slice.data, slice.length);
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice slice)
{
    return (struct slice){arena_string(arena, slice), slice.length};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
