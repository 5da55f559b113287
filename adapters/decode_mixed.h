/* A fast decoder and the reference decoder of its form, taking turns over one stream.
 *
 *   mixed_open
 *   for each window: mixed_window, then mixed_next until it gives MIXED_NONE, then mixed_used says
 *       how many bytes are done with; the rest is moved to the front of the next window
 *   mixed_close
 *
 * After the last window of a stream the next window begins another one, for which what the fast
 * decoder has learnt still holds: so the pieces of a stream that can be cut (fast_cut.h) are
 * decoded one by one.
 *
 * What comes out, in the order of the stream, equals what the reference decoder alone would give:
 * the same records, good and bad, with the same places, and the same error envelopes. Plain records
 * come as flat ones (base/flat.h), with their fields of FLAT_FIELDS only. */
#ifndef RATEL_ADAPTERS_DECODE_MIXED_H
#define RATEL_ADAPTERS_DECODE_MIXED_H

#include "adapters/fast.h"

enum mixed_kind {
    MIXED_NONE, /* the window has nothing more; if it was the last one, the stream has ended */
    MIXED_FLAT,
    MIXED_RECORDS,
};

/* Lifetime: until the next call with the same `struct mixed`. */
struct mixed_block {
    uint8_t kind;                  /* enum mixed_kind */
    uint32_t first;                /* MIXED_FLAT: flat->records[first, first + count), all with */
    uint32_t count;                /* `present` other than 0; offsets are into the window */
    const struct flat_block *flat; /* numbers spelled in flat->digits follow the window */
    const struct record_block *records; /* MIXED_RECORDS: at least one; may also be a bad one */
};

struct mixed {
    const struct fast_class *fast_class; /* NULL: the reference decoder does it all */
    const struct decoder_class *class;
    struct fast_decoder *fast;
    struct decoder *decoder;
    struct flat_block *flat;
    struct record_block *records;
    /* the window */
    char *window;
    size_t length;
    uint64_t offset;
    bool last;
    size_t at;          /* bytes that were decoded */
    size_t told;        /* bytes that the reference decoder knows to be done with */
    uint32_t untold;    /* records that were given as flat ones since `told` */
    uint32_t flat_next; /* the flat block's records from here on are still to be given */
    uint8_t turn;
    size_t stretch; /* bytes that the reference decoder gets at its next turn */
};

/* Errors: NO_MEMORY. Owner: mixed_close, also after a failure. */
MUST_USE enum status mixed_open(struct mixed *mixed, const struct fast_class *fast,
                                const struct decoder_class *class);
/* The next window, as for decoder_class.decode. */
void mixed_window(struct mixed *mixed, char *window, size_t length, uint64_t offset, bool last);
/* Errors: NO_MEMORY. */
MUST_USE enum status mixed_next(struct mixed *mixed, struct mixed_block *ret);
/* Once mixed_next gave MIXED_NONE. 0 of a window that is not empty: more input is needed. */
size_t mixed_used(const struct mixed *mixed);
/* From here on the lines of records and envelopes mean nothing: whoever wants one counts himself.
 */
void mixed_without_lines(struct mixed *mixed);
/* The error envelope met since the last call, if any. */
void mixed_envelope(struct mixed *mixed, struct envelope_error *ret);
/* Between two windows: what follows may as well be decoded by somebody else as a stream of its own.
 */
bool mixed_at_top(const struct mixed *mixed);
void mixed_close(struct mixed *mixed);

#endif
