/* Shared by frames.c (writing, opening) and frames_read.c (reading, judging damage). */
#ifndef RATEL_STORE_FRAMES_PRIVATE_H
#define RATEL_STORE_FRAMES_PRIVATE_H

#include "store/read_ahead.h"
#include "store/segment.h"

/* The largest read buffer is one whole frame of the largest payload. */
#define FRAMES_BUFFER_BYTES ((size_t)1 << 20)

struct frames_segment {
    uint64_t first_sequence;
    uint64_t bytes; /* whole frames and header; of a reader's last segment: as far as it was read */
    uint32_t seed;
    uint32_t alignment;
};

struct frames {
    char directory[FRAMES_PATH_BYTES];
    bool writable;
    enum status failed; /* F-5 */
    int fd;             /* last segment, for appending; -1 for readers */
    bool direct;        /* fd is O_DIRECT */
    struct frames_options options;
    struct frames_cost cost;
    struct frame_buffer staging; /* for frames_append to an aligned segment */
    uint64_t last_sequence;
    uint64_t synced_sequence;
    struct frames_segment *segments; /* segment number = index + 1 */
    uint32_t segment_count;
    uint32_t segment_capacity;
    char *buffer; /* for reading; grows up to one largest frame */
    size_t buffer_bytes;
    struct read_ahead *read_ahead;
};

/* Takes over segments that are on disk and not yet known; checks headers, numbers, sizes (F-3). */
MUST_USE enum status frames_refresh(struct frames *frames, struct error *error);
MUST_USE enum status frames_add_segment(struct frames *frames, const struct segment *segment,
                                        uint64_t bytes, struct error *error);

/* Where whole frames end in a segment, after frames_scan. */
struct frames_end {
    uint64_t bytes;    /* offset behind the last whole frame */
    uint64_t sequence; /* of the last whole frame; first_sequence - 1 when there is none */
    uint64_t file_bytes;
    bool stopped; /* the visitor said AGAIN */
};

/* Reads one segment, visits frames >= `from` (visit may be NULL: only check). `limit` not 0: all
 * frames up to it are known to be there, and what is not whole is CORRUPT. 0: the last segment, to
 * the end of the file, where there may be a torn tail (F-4). */
MUST_USE enum status frames_scan(struct frames *frames, uint32_t index, uint64_t limit,
                                 uint64_t from, frame_visit *visit, void *context,
                                 struct frames_end *ret, struct error *error);
/* Gives back the memory that reading took, where it is a lot. */
void frames_release_reading(struct frames *frames);

#endif
