/* Where sources stand: up to which place of each stream everything is in the journal, so that a
 * source can be told where to go on after a crash. Kept by frame, and so at most what a frame named. */
#ifndef RATEL_ACCOUNT_POSITIONS_H
#define RATEL_ACCOUNT_POSITIONS_H

#include "account/journal.h"

/* Streams that are remembered; of more, those that were heard of last. */
#define POSITIONS_STREAMS_MAX 1024

struct stream_position {
    char *name; /* source and file, packed one behind the other */
    uint32_t source_length;
    uint32_t file_length;
    uint64_t offset;
    uint64_t sequence; /* of the frame that said so */
};

struct positions {
    struct stream_position *items;
    uint32_t count;
    uint32_t last; /* found last: mostly the next one, too */
};

void positions_init(struct positions *positions);
void positions_fini(struct positions *positions);
/* A frame named a position; one without a source or file says nothing. Errors: NO_MEMORY.
 * Cost: nothing is allocated for a stream that is known. */
MUST_USE enum status positions_note(struct positions *positions,
                                    const struct source_position *position, uint64_t sequence);
/* False: nothing is known of the stream. */
bool positions_find(const struct positions *positions, struct slice source, struct slice file,
                    uint64_t *ret_offset);
void positions_pack(const struct positions *positions, struct packer *packer);
/* Errors: CORRUPT, NO_MEMORY. */
MUST_USE enum status positions_unpack(struct positions *positions, struct slice packed);

#endif
