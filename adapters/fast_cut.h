/* Hard ends: where a stream of JSON can be cut so that its pieces are decoded one by one.
 *
 * A hard end is a place whose bytes before are a closing brace and a line end (LF or CR LF), and
 * behind it a brace and a quote: `}` LF `{"`. That never stands within valid JSON, where a comma is
 * between two objects, but behind every line of NDJSON. The decoder of JSON ends there whatever is
 * open, so a fresh one goes on just as well: pieces can be decoded in parallel. */
/* msgpack has no such places: who wants to know where a record ends has to go over it. So pieces of
 * it are cut in two steps. msgpack_cut_make goes over the records of a window, one thread at a
 * time, and notes of each which of the layouts that it has learnt it has; what is in them is taken
 * from there by any thread, meanwhile, that decodes the piece with `fast_msgpack_cut`. */
#ifndef RATEL_ADAPTERS_FAST_CUT_H
#define RATEL_ADAPTERS_FAST_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "adapters/fast.h"

/* The last hard end within [0, length), 0 when there is none. */
size_t json_cut(const char *window, size_t length);

/* How the bytes in front of a window end, as far as a hard end at or near its start needs it. */
enum json_tail {
    JSON_TAIL_OTHER = 0,
    JSON_TAIL_BRACE,
    JSON_TAIL_BRACE_CR,
    JSON_TAIL_BRACE_LF, /* a hard end is here if a brace and a quote follow */
};

/* The tail behind `length` more bytes. */
enum json_tail json_tail(enum json_tail tail, const char *bytes, size_t length);
/* Whether there is a hard end right between the tail and the window. */
bool json_hard_start(enum json_tail tail, const char *window, size_t length);
/* The first hard end behind a line end at or behind `from`, 0 when there is none. */
size_t json_hard_end(enum json_tail tail, const char *window, size_t from, size_t length);
/* Bytes at the window's end, 0 or 1, that are behind a hard end if a quote comes next. */
size_t json_open_end(enum json_tail tail, const char *window, size_t length);

/* ---- msgpack
 * ---------------------------------------------------------------------------------------------------------
 */

struct msgpack_cut;

/* Errors: NO_MEMORY. Owner: msgpack_cut_free. */
MUST_USE enum status msgpack_cut_new(struct msgpack_cut **ret);
void msgpack_cut_free(struct msgpack_cut *cut);
/* The window begins between two records at the top level. Gives how many bytes of it, `enough` and
 * the rest of a record if they can be had, are whole records at the top level: a stream of its own,
 * as is what follows. 0: what comes first is no such record, or not whole, or many records of no
 * known layout; the decoders have to take turns from there. `cutter` is a decoder of the class
 * fast_msgpack, `room` is used. */
size_t msgpack_cut_make(struct fast_decoder *cutter, const char *window, size_t length,
                        size_t enough, struct flat_block *room, struct msgpack_cut *ret);
/* A decoder of the class fast_msgpack_cut is to decode the piece, as the last one of its stream.
 * The cutter must still be there. */
void msgpack_follow(struct fast_decoder *decoder, struct msgpack_cut *cut);
/* The piece is decoded; the cut may be used for another one. */
void msgpack_cut_done(struct msgpack_cut *cut);

#endif
