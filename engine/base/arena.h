/* Memory that is given back all at once. Pointers stay valid until arena_fini. Thread: one at a
 * time. */
#ifndef RATEL_BASE_ARENA_H
#define RATEL_BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t used;
    size_t total_bytes;
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);
/* Zeroed, aligned to 16. Aborts the process when memory is gone: arenas serve commands and loading,
 * never the event path, and there is nothing to be saved there that the journal does not hold. */
void *arena_alloc(struct arena *arena, size_t bytes);
struct slice arena_copy(struct arena *arena, struct slice slice);
char *arena_string(struct arena *arena, struct slice slice); /* with a NUL */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
