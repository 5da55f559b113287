/* Fast decoders: windows of bytes in, flat records (base/flat.h) out.
 *
 * A fast decoder works beside the reference decoder of its form, on the same stream: it takes runs
 * of records that look like ones it has met, and stops in front of anything else. The caller then
 * has the reference decoder take over from exactly there. So the fast decoder keeps no state of the
 * stream, only the layouts that it has learnt; what comes out of the two together equals what the
 * reference decoder alone gives, for every input. */
#ifndef RATEL_ADAPTERS_FAST_H
#define RATEL_ADAPTERS_FAST_H

#include "adapters/adapter.h"
#include "base/flat.h"

struct fast_decoder;

/* decode(): `window` at `at` is where a record may begin: for JSON between two members of a list of
 * records or between two lines of NDJSON (blanks, a comma and line ends may stand there), for
 * msgpack between two objects. Fills `block` (count reset to 0) until it is full, the window holds
 * no further whole record, or something comes that is not a plain record. *ret_used: bytes from
 * `window + at` that it is done with: always whole records, with the separators behind them that
 * certainly do not belong to what follows. *ret_stop says why it ended.
 *
 * A single record that is not plain but whose end is certain is put into the block with `present`
 * 0, so that the caller can have the reference decoder read its bytes alone; this must be
 * equivalent to the reference decoder reading the stream. Else it stops with FAST_STRANGE.
 *
 * The window is not written to. DECODER_PADDING bytes past its end may be read, not used. Cost: no
 * allocation after open. Errors: none. */
enum fast_stop {
    FAST_FULL,   /* the block is full: call again */
    FAST_MORE,   /* the rest of the window is no whole record */
    FAST_STRANGE /* the reference decoder has to go on from here */
};

struct fast_class {
    const char *name; /* "json", "msgpack" */
    enum record_form form;
    MUST_USE enum status (*open)(struct fast_decoder **ret);
    void (*decode)(struct fast_decoder *decoder, const char *window, size_t length, size_t at,
                   bool last, struct flat_block *block, size_t *ret_used, enum fast_stop *ret_stop);
    void (*close)(struct fast_decoder *decoder);
};

extern const struct fast_class fast_json;
extern const struct fast_class fast_msgpack;
/* For pieces of msgpack that were cut (fast_cut.h). */
extern const struct fast_class fast_msgpack_cut;
/* The same for lone records (decode_lone.h): they give every known field that the record has, not
 * only FLAT_FIELDS. msgpack's without learning. */
extern const struct fast_class fast_json_whole;
extern const struct fast_class fast_msgpack_whole;

#endif
