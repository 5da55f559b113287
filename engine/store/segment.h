/* The bytes of a frame log's segment files, little-endian. Shared by frames*.c; nobody else includes it.
 *
 * Segment header, 64 bytes, the same for all versions:
 *    0  magic "RATELSEG"        8  format version u32     12  alignment u32
 *   16  segment number u64     24  first sequence u64     32  salt u64
 *   40  bytes of the segment before u64                   48  program version, 12 bytes, zero-padded
 *   60  CRC32C of the 60 bytes before
 * then zeros up to a multiple of the alignment, which is 8 or 4096. Version 1 had no alignment.
 *
 * Frame, at a multiple of the alignment, header 32 bytes:
 *    0  payload length u32      4  kind u32                8  sequence u64
 *   16  unsynced u32           20  CRC32C of the payload  24  zero u32
 *   28  CRC32C of salt and the 28 bytes before
 *   32  payload, then zeros up to a multiple of the alignment
 *
 * unsynced: how many of the frames before this one were not yet durable when it was written. So a later frame is the witness that an
 * earlier one had been synced, which tells damage from a torn tail.
 * salt: random for each segment. A payload that holds raw bytes from outside cannot pass for a frame while we look for witnesses. */
#ifndef RATEL_STORE_SEGMENT_H
#define RATEL_STORE_SEGMENT_H

#include <stdbool.h>

#include "store/frames.h"

#define SEGMENT_FORMAT_VERSION 2
#define SEGMENT_HEADER_BYTES   64
#define SEGMENT_NUMBER_MAX     99999999
#define FRAME_HEADER_BYTES     32
#define FRAME_ALIGNMENT_PACKED 8
#define FRAMES_PATH_BYTES      4096

struct segment {
    uint64_t number;
    uint64_t first_sequence;
    uint64_t previous_bytes; /* size of the segment before; 0 for the first */
    uint64_t salt;
    uint32_t alignment; /* FRAME_ALIGNMENT or FRAME_ALIGNMENT_PACKED */
};

struct frame_header {
    uint32_t length;
    uint32_t kind;
    uint64_t sequence;
    uint32_t unsynced;
    uint32_t payload_crc;
};

static inline uint64_t align_up(uint64_t bytes, uint32_t alignment)
{
    return (bytes + alignment - 1) & ~(uint64_t)(alignment - 1);
}

/* The whole frame on disk: header, payload, padding. */
static inline uint64_t frame_bytes(uint32_t length, uint32_t alignment)
{
    return align_up(FRAME_HEADER_BYTES + (uint64_t)length, alignment);
}

/* Where a segment's first frame begins. */
static inline uint64_t segment_start(uint32_t alignment)
{
    return align_up(SEGMENT_HEADER_BYTES, alignment);
}

void segment_encode(const struct segment *segment, char buffer[SEGMENT_HEADER_BYTES]);
/* Errors: CORRUPT, VERSION; the place is for the caller to add. */
MUST_USE enum status segment_decode(const char buffer[SEGMENT_HEADER_BYTES], struct segment *ret,
                                    struct error *error);
/* Seed of all frame header checks in a segment. */
uint32_t segment_seed(const struct segment *segment);
void segment_path(const char *directory, uint64_t number, const char *suffix,
                  char buffer[FRAMES_PATH_BYTES]);

void frame_encode(const struct frame_header *header, uint32_t seed,
                  char buffer[FRAME_HEADER_BYTES]);
bool bytes_are_zero(const char *data, uint64_t count);

/* False: not the header of a frame of this segment. */
bool frame_decode(const char *buffer, uint32_t seed, struct frame_header *ret);

#endif
