/* An append-only file of byte strings, each known by its offset: what is too big to keep in memory
 * for every series (definitions, old coverage) and can be derived again from the journal.
 *
 * Nothing in it is ever replaced, so there is no garbage and nothing to compact: a series has one
 * definition, and each page of old windows stays in its series' chain (W-3 in windows.c). It grows
 * by 200 bytes a series and by at most 32 bytes a window, less than the journal, which has 32 bytes
 * for each of them and is kept for good, too. Measured with a year of daily windows of 3,200 series:
 * 3.0 KB a series, 7.7 bytes a window, a quarter of the journal; with all windows in random order
 * 31 bytes a window. So 320,000 series take 1 GB a year, and HEAP_BYTES_MAX is 60 years away.
 *
 * Nothing behind the length that a checkpoint names is trusted: opening for writing cuts it off and
 * replay appends it anew, so appending needs no sync. heap_sync comes before the checkpoint that
 * names the new length. Written strings are read through a mapping (cost: about a miss of the
 * cache, once in the page cache); install sigbus.h's handler in processes that read.
 *
 * File, little-endian: header of 64 bytes (magic "RATELHEP", format version u32, zeros, CRC32C of
 * the 60 bytes before), then strings, each at a multiple of 16: length u32, CRC32C u32 of the bytes
 * (begun with offset and length, so that a string at another place is no match), bytes, zeros up to
 * a multiple of 16. */
#ifndef RATEL_STORE_HEAP_H
#define RATEL_STORE_HEAP_H

#include "base/slice.h"
#include "base/status.h"
#include "store/space.h"

#define HEAP_FORMAT_VERSION   2
#define HEAP_STRING_BYTES_MAX (64u << 20)
/* Offsets are multiples of it. */
#define HEAP_STEP_BYTES 16
/* Address space that each open heap reserves; offsets / HEAP_STEP_BYTES fit into 32 bits. */
#define HEAP_BYTES_MAX ((uint64_t)64 << 30)
/* Bytes that are gathered in memory before they are written. */
#define HEAP_TAIL_BYTES ((size_t)1 << 20)

struct heap; /* Thread: one at a time */

enum heap_mode {
    HEAP_WRITE,  /* one process; hold the data directory's LOCK */
    HEAP_PRIVATE /* readers: what is appended stays in this process's memory, the file is not
                    touched */
};

/* `length_trusted`: heap_length() at a heap_sync that is known to have been followed by a
 * checkpoint; 0: nothing, the file is made anew (under a writer's new inode, so that readers keep
 * theirs). A writer cuts the file there. Errors: CORRUPT (shorter than that, header damaged),
 * VERSION, IO, NO_SPACE, PERMISSION, NO_MEMORY. Owner: caller, heap_close. */
MUST_USE enum status heap_open(const char *path, uint64_t length_trusted, enum heap_mode mode,
                               struct heap **ret, struct error *error);
/* Strings that were not yet written are given up: they are derived anew. */
void heap_close(struct heap *heap);

/* Asked before NO_SPACE is returned; NULL (as opened): nobody is. Lifetime: until it is told
 * another. */
void heap_on_full(struct heap *heap, const struct space *space);

/* At most HEAP_STRING_BYTES_MAX bytes. *ret_offset is a multiple of HEAP_STEP_BYTES, never 0.
 * Errors: NO_SPACE (nothing changed, try again when there is room), RANGE (HEAP_BYTES_MAX), IO (for
 * good), NO_MEMORY. Cost: a copy and a checksum; one pwrite in HEAP_TAIL_BYTES. */
MUST_USE enum status heap_append(struct heap *heap, struct slice bytes, uint64_t *ret_offset,
                                 struct error *error);
/* Lifetime: until the next heap_append, heap_sync or heap_close. Errors: CORRUPT with file and
 * offset. */
MUST_USE enum status heap_read(struct heap *heap, uint64_t offset, struct slice *ret,
                               struct error *error);
/* Has the string's first cache lines fetched. */
void heap_prefetch(const struct heap *heap, uint64_t offset);

/* Makes durable what was appended. Not in HEAP_PRIVATE. Errors: NO_SPACE (try again), IO (for good:
 * a failed sync must not be retried). */
MUST_USE enum status heap_sync(struct heap *heap, struct error *error);
/* Bytes of the file as it is or will be once written. */
uint64_t heap_length(const struct heap *heap);

#endif
