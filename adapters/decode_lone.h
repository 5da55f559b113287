/* One lone record, whole, in any form: what a new series' definition is made of. Plain records of
 * JSON and msgpack are read by the fast decoders, all others by the reference decoders; what comes
 * out is the same. Thread: one at a time. */
#ifndef RATEL_ADAPTERS_DECODE_LONE_H
#define RATEL_ADAPTERS_DECODE_LONE_H

#include "adapters/fast.h"

struct lone {
    struct fast_decoder *fast[RECORD_FORM_MSGPACK + 1]; /* by form, opened when first needed */
    struct decoder *decoders[RECORD_FORM_MSGPACK + 1];
    struct flat_block *flat;
    struct record_block *block;
    char *copy; /* of the record, with room behind it */
    size_t copy_capacity;
};

/* Owner: caller, lone_fini. A struct of zeros is fine, too. */
void lone_init(struct lone *lone);
void lone_fini(struct lone *lone);
/* `raw`: of one record as a decoder of that form gave it; DECODER_PADDING bytes behind it may be
 * read. *ret holds that record alone, good or bad. Lifetime: until the next call. Errors:
 * NO_MEMORY. */
MUST_USE enum status lone_decode(struct lone *lone, enum record_form form, struct slice raw,
                                 const struct record_block **ret);
/* By the reference decoder alone: for the test that compares. */
MUST_USE enum status lone_decode_slowly(struct lone *lone, enum record_form form, struct slice raw,
                                        const struct record_block **ret);

#endif
