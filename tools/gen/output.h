/* One output file or stream: a large buffer, write(2), and gzip or zstd in between where asked for.
 */
#ifndef GEN_OUTPUT_H
#define GEN_OUTPUT_H

#include "gen/number.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

struct output;

/* `path` "-" is standard output. Errors: GEN_EXIT_CANNOT_CREATE. */
struct output *output_open(const char *path, enum compression compression, struct failure *failure);
/* Room for at least `bytes` more (at most OUTPUT_ROOM_MAX), or NULL when writing has failed. */
char *output_room(struct output *output, size_t bytes, struct failure *failure);
/* So many bytes of the room have been written. */
void output_used(struct output *output, size_t bytes);
bool GEN_MUST_USE output_text(struct output *output, const char *text, size_t length,
                              struct failure *failure);
/* Writes what is left and frees `output`, also when it returns false. NULL is nothing to close. */
bool GEN_MUST_USE output_close(struct output *output, struct failure *failure);
/* Frees without writing what is left: after a failure. */
void output_abandon(struct output *output);
/* Bytes given to it so far, before compression. */
uint64_t output_bytes(const struct output *output);

#define OUTPUT_ROOM_MAX ((size_t)64 << 10)

#endif
