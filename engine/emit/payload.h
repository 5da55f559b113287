/* A message's payload: one JSON object as text, written by us, read again for listings and sinks.
 *
 * This is a checker and a walker, not a general parser: numbers stay the digits that they are, so
 * no amount passes through a float. */
#ifndef RATEL_EMIT_PAYLOAD_H
#define RATEL_EMIT_PAYLOAD_H

#include "base/arena.h"
#include "base/json.h"
#include "base/slice.h"

#define PAYLOAD_DEPTH_MAX 16
#define PAYLOAD_BYTES_MAX (1 << 20)

/* Whether the text is exactly one JSON object (RFC 8259), nested at most PAYLOAD_DEPTH_MAX deep. */
bool payload_valid(struct slice payload);
/* The value of a member of the object itself: a string without its escapes, anything else as it is
 * written. False when there is none. The payload must be valid. Owner: the arena. */
bool payload_find(struct slice payload, const char *name, struct arena *arena, struct slice *ret);
/* Writes the members into the object that `json` is in, without those in `skip` (ended by NULL).
 * The payload must be valid. Owner of scratch: the arena. */
void payload_write(struct slice payload, const char *const *skip, struct json *json,
                   struct arena *arena);

#endif
