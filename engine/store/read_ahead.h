/* Reads a file from front to back on a thread of its own, some blocks ahead of who uses them. What is
 * not in the page cache is read around it (O_DIRECT), so that reading a long journal takes the disk's
 * speed and nobody else's memory. For frames_read.c alone. */
#ifndef RATEL_STORE_READ_AHEAD_H
#define RATEL_STORE_READ_AHEAD_H

#include "base/slice.h"
#include "base/status.h"

#define READ_AHEAD_BLOCK_BYTES ((size_t)4 << 20)
#define READ_AHEAD_BLOCKS      5

struct read_ahead;

/* They stand one behind the other in memory, and again from the front: what spans two of them needs
 * no copy, but where they begin anew. READ_AHEAD_BLOCK_BYTES before the first may be written to. */
struct read_block {
    char *data;   /* page-aligned */
    size_t bytes; /* fewer than a block only where the file ends */
    int code;     /* an errno: it could not be read */
};

/* The memory, for any number of passes. Errors: NO_MEMORY. Owner: caller, read_ahead_free. */
MUST_USE enum status read_ahead_new(struct read_ahead **ret, struct error *error);
void read_ahead_free(struct read_ahead *ahead);

/* Begins a pass over [from, end) of a file, `from` being a multiple of 4096. `fd` is open for
 * reading until read_ahead_end. False: no thread can be had; nothing was begun. */
bool read_ahead_begin(struct read_ahead *ahead, const char *path, int fd, uint64_t from,
                      uint64_t end);
/* Waits for the next block; NULL behind the last one, or behind one that was short. */
struct read_block *read_ahead_next(struct read_ahead *ahead);
/* The oldest block that read_ahead_next gave may be used again. */
void read_ahead_return(struct read_ahead *ahead);
/* Whether it is the first in memory. */
bool read_ahead_is_first(const struct read_ahead *ahead, const struct read_block *block);
/* Blocks stay readable until the next pass begins. */
void read_ahead_end(struct read_ahead *ahead);

#endif
