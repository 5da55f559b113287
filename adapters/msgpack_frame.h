/* Where a msgpack object ends, and where the next record starts after a broken one. msgpack-c
 * parses what is known to be whole; it would believe a damaged length and ask for the memory. */
#ifndef RATEL_ADAPTERS_MSGPACK_FRAME_H
#define RATEL_ADAPTERS_MSGPACK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Below what msgpack-c can nest. */
#define MSGPACK_DEPTH_MAX 30
/* As far as msgpack_classify looks: headers, one name and one number. */
#define MSGPACK_LOOK_AHEAD 128

enum msgpack_kind {
    MSGPACK_MORE, /* the header is not whole */
    MSGPACK_INVALID,
    MSGPACK_NIL,
    MSGPACK_BOOLEAN,
    MSGPACK_INTEGER,
    MSGPACK_FLOAT,
    MSGPACK_TEXT, /* str and bin */
    MSGPACK_EXTENSION,
    MSGPACK_LIST,
    MSGPACK_MAP,
};

/* One object's header: `bytes` of it, `length` more bytes of content, or `length` elements (pairs
 * in a map). */
struct msgpack_header {
    enum msgpack_kind kind;
    uint32_t bytes;
    uint64_t length;
};

struct msgpack_header msgpack_header(const uint8_t *at, const uint8_t *end);

enum msgpack_frame {
    MSGPACK_FRAME_WHOLE,
    MSGPACK_FRAME_MORE,
    MSGPACK_FRAME_BROKEN,
    MSGPACK_FRAME_DEEP,
    MSGPACK_FRAME_OVERSIZE, /* claims to be longer than `max` */
};

/* Walks the object at `at`. *ret_end: behind it, when it is whole. */
enum msgpack_frame msgpack_frame(const uint8_t *at, const uint8_t *end, size_t max,
                                 const uint8_t **ret_end);

/* What the first pair of the map at `at` shows it to be, as in json_frame.h. */
enum msgpack_map {
    MSGPACK_MAP_MORE,
    MSGPACK_MAP_EMPTY,
    MSGPACK_MAP_ENVELOPE, /* one pair: "...response" and a map */
    MSGPACK_MAP_ANSWER,
    MSGPACK_MAP_RECORD,
    MSGPACK_MAP_OTHER,
};

enum msgpack_map msgpack_classify(const uint8_t *at, const uint8_t *end);

/* Searches for the next map that starts like a record or an envelope. `complete`: nothing follows
 * `end`. *ret_at as in json_resync. */
bool msgpack_resync(const uint8_t *from, const uint8_t *end, bool complete, const uint8_t **ret_at);

/* The text whose header is at `at`; false when it is none or not whole. *ret_end: behind it. */
bool msgpack_text(const uint8_t *at, const uint8_t *end, struct slice *ret,
                  const uint8_t **ret_end);

#endif
