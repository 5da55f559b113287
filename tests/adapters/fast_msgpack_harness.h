/* Runs the fast msgpack decoder and the reference decoder together over one stream, as mediation
 * does, and writes down what came out in the same way as for the reference decoder alone: the two
 * texts must be equal. For tests and the fuzz target alike: a broken promise aborts. */
#ifndef RATEL_TESTS_FAST_MSGPACK_HARNESS_H
#define RATEL_TESTS_FAST_MSGPACK_HARNESS_H

#include "adapters/decode_harness.h"
#include "adapters/decode_mixed.h"
#include "adapters/fast_cut.h"
#include "adapters/fast_msgpack.h"

/* How a stream arrives, and how much of it the reference decoder gets at once: the fast decoder
 * takes over the more often the less that is. 0: all. */
struct fast_cuts {
    uint64_t random;
    size_t arrive_max;
    size_t reference_max;
};

static inline uint64_t cuts_random(struct fast_cuts *cuts)
{
    cuts->random ^= cuts->random << 13;
    cuts->random ^= cuts->random >> 7;
    cuts->random ^= cuts->random << 17;
    return cuts->random;
}

static inline size_t cuts_step(struct fast_cuts *cuts, size_t max, size_t rest)
{
    size_t step = max ? 1 + (size_t)(cuts_random(cuts) % max) : rest;
    return step < rest ? step : rest;
}

struct fast_run {
    struct decoder *decoder;
    struct fast_decoder *fast;
    struct record_block *block;
    struct record_block *lone; /* of one record read alone */
    struct flat_block *flat;
    struct text out;
    struct text errors;
    char *window;
    size_t length;
    size_t at;       /* in the window */
    uint64_t offset; /* of the window */
    uint64_t plain;  /* records that the fast decoder read */
    uint64_t left;   /* records that it left to the reference decoder one by one */
    uint64_t strange;
};

static inline void put_field(struct text *out, unsigned field, const char *data, size_t length,
                             unsigned kind)
{
    text_printf(out, " %s=%u:", field_name((enum field)field), kind);
    text_put(out, data, length);
}

/* Of a record of CloudStack only what mediation reads, of others everything. */
static inline void put_reference(struct text *out, const struct record_block *block,
                                 const struct record *record, uint64_t offset)
{
    bool usage = record->fields[FIELD_USAGETYPE].kind != VALUE_ABSENT;
    text_printf(out, "%llu", (unsigned long long)offset);
    if (record->state == RECORD_BAD)
        text_printf(out, " ! %s", record->reason);
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        const struct field_value *value = &record->fields[i];
        if (value->kind != VALUE_ABSENT && (!usage || FLAT_FIELDS >> i & 1))
            put_field(out, i, value->data, value->length, value->kind);
    }
    for (unsigned i = 0; i < record->attribute_count && !usage; i++) {
        const struct attribute *attribute = &block->attributes[record->attribute_first + i];
        text_put(out, " +", 2);
        text_put(out, attribute->name.data, attribute->name.length);
        text_put(out, "=", 1);
        text_put(out, attribute->value.data, attribute->value.length);
    }
    text_put(out, "\n ", 2);
    text_put(out, record->raw.data, record->raw.length);
    text_put(out, "\n", 1);
}

static inline void put_error(struct text *errors, const struct envelope_error *error)
{
    text_printf(errors, "error %d %d %llu %s\n", error->errorcode, error->cserrorcode,
                (unsigned long long)error->offset, error->text);
}

static inline void take_errors(struct text *errors, struct decoder *decoder)
{
    struct envelope_error error;
    decoder_msgpack.envelope(decoder, &error);
    if (!error.seen)
        return;
    errors->length = 0;
    put_error(errors, &error);
}

/* The reference decoder alone. */
static inline char *reference_text(struct slice input, size_t *ret_length)
{
    struct decoder *decoder;
    struct record_block *block = malloc(sizeof(*block));
    struct text out = {0}, errors = {0};
    char *copy = malloc(input.length + DECODER_PADDING);
    CHECK(block && copy && decoder_msgpack.open(&decoder) == STATUS_OK);
    memset(copy, 0x5a, input.length + DECODER_PADDING);
    if (input.length)
        memcpy(copy, input.data, input.length);
    text_put(&out, "", 0);
    size_t at = 0;
    do {
        size_t used;
        CHECK(decoder_msgpack.decode(decoder, copy + at, input.length - at, at, true, block,
                                     &used) == STATUS_OK);
        for (uint32_t i = 0; i < block->count; i++)
            put_reference(&out, block, &block->records[i], block->records[i].offset);
        take_errors(&errors, decoder);
        at += used;
    } while (at < input.length);
    text_put(&out, errors.data, errors.length);
    decoder_msgpack.close(decoder);
    free(block);
    free(copy);
    free(errors.data);
    *ret_length = out.length;
    return out.data;
}

static inline void put_lone(struct fast_run *run, const struct flat_record *flat)
{
    struct decoder *decoder;
    size_t used;
    char *copy = malloc(flat->length + DECODER_PADDING);
    CHECK(copy && decoder_msgpack.open(&decoder) == STATUS_OK);
    memset(copy, 0xc1, flat->length + DECODER_PADDING);
    memcpy(copy, run->window + flat->offset, flat->length);
    CHECK(decoder_msgpack.decode(decoder, copy, flat->length, run->offset + flat->offset, true,
                                 run->lone, &used) == STATUS_OK);
    CHECK(used == flat->length && run->lone->count == 1);
    CHECK(run->lone->records[0].raw.length == flat->length);
    put_reference(&run->out, run->lone, &run->lone->records[0], run->lone->records[0].offset);
    struct envelope_error error;
    decoder_msgpack.envelope(decoder, &error);
    CHECK(!error.seen);
    decoder_msgpack.close(decoder);
    free(copy);
    run->left++;
}

static inline void put_flat(struct fast_run *run, const struct flat_record *flat)
{
    CHECK(flat->offset + (uint64_t)flat->length <= run->length);
    if (flat->present == 0) {
        put_lone(run, flat);
        return;
    }
    CHECK((flat->present & ~FLAT_FIELDS) == 0);
    text_printf(&run->out, "%llu", (unsigned long long)(run->offset + flat->offset));
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        const struct flat_value *value = &flat->fields[i];
        if (!(flat->present >> i & 1))
            continue;
        const char *data = run->window + value->offset;
        if (value->offset >= run->length) {
            CHECK(value->offset - run->length + value->length <= run->flat->digits_length ||
                  value->length == 0);
            if (value->length)
                data = run->flat->digits + (value->offset - run->length);
        } else {
            CHECK(value->offset + value->length <= run->length);
        }
        CHECK(value->kind != VALUE_ABSENT && value->reserved == 0);
        put_field(&run->out, i, data, value->length, value->kind);
    }
    text_put(&run->out, "\n ", 2);
    text_put(&run->out, run->window + flat->offset, flat->length);
    text_put(&run->out, "\n", 1);
    run->plain++;
}

/* The fast decoder as far as it goes. True when there is nothing to do until more arrives. */
static inline bool run_fast(struct fast_run *run, bool last)
{
    enum fast_stop stop;
    do {
        size_t used = SIZE_MAX;
        if (!decoder_msgpack.between(run->decoder))
            return false;
        fast_msgpack.decode(run->fast, run->window, run->length, run->at, last, run->flat, &used,
                            &stop);
        CHECK(used <= run->length - run->at && run->flat->count <= FLAT_RECORDS);
        CHECK(run->flat->digits_length <= FLAT_DIGITS_BYTES);
        CHECK(stop != FAST_FULL || used > 0);
        for (uint32_t i = 0; i < run->flat->count; i++)
            put_flat(run, &run->flat->records[i]);
        /* The parentheses keep cmocka's macro of that name away. */
        (decoder_msgpack.skip)(run->decoder, run->window + run->at, used, run->flat->count);
        run->at += used;
    } while (stop == FAST_FULL);
    run->strange += stop == FAST_STRANGE;
    if (stop == FAST_MORE)
        CHECK(run->length - run->at <= DECODE_RECORD_MAX + (size_t)last);
    return stop == FAST_MORE && !last;
}

/* The reference decoder over a part of the rest. False when it needs more than there is. */
static inline bool run_reference(struct fast_run *run, struct fast_cuts *cuts, bool last)
{
    size_t rest = run->length - run->at;
    size_t part = cuts_step(cuts, cuts->reference_max, rest);
    for (;; part = part * 2 < rest ? part * 2 : rest) {
        size_t used;
        bool end = last && part == rest;
        CHECK(decoder_msgpack.decode(run->decoder, run->window + run->at, part,
                                     run->offset + run->at, end, run->block, &used) == STATUS_OK);
        for (uint32_t i = 0; i < run->block->count; i++)
            put_reference(&run->out, run->block, &run->block->records[i],
                          run->block->records[i].offset);
        take_errors(&run->errors, run->decoder);
        run->at += used;
        if (used > 0 || run->block->count > 0)
            return true;
        if (part == rest)
            return false;
    }
}

static inline void run_both(struct fast_run *run, struct fast_cuts *cuts, bool last)
{
    for (;;) {
        if (run_fast(run, last))
            return;
        if (run->at == run->length && !last)
            return;
        bool on = run_reference(run, cuts, last);
        if (!on || (last && run->at == run->length))
            return;
    }
}

/* Both decoders together; `fast` may have learnt from other streams. */
static inline char *fast_text(struct fast_decoder *fast, struct slice input, struct fast_cuts cuts,
                              size_t *ret_length, struct fast_run *ret_run)
{
    struct fast_run run = {.fast = fast};
    run.block = malloc(sizeof(*run.block));
    run.lone = malloc(sizeof(*run.lone));
    run.flat = malloc(sizeof(*run.flat));
    CHECK(run.block && run.lone && run.flat && decoder_msgpack.open(&run.decoder) == STATUS_OK);
    text_put(&run.out, "", 0);
    size_t arrived = 0;
    size_t at = 0;
    bool last = false;
    while (!last) {
        last = arrived == input.length;
        arrived += cuts_step(&cuts, cuts.arrive_max, input.length - arrived);
        run.length = arrived - at;
        run.offset = at;
        run.at = 0;
        run.window = malloc(run.length + DECODER_PADDING);
        CHECK(run.window);
        memset(run.window, (int)(cuts_random(&cuts) & 255), run.length + DECODER_PADDING);
        if (run.length)
            memcpy(run.window, input.data + at, run.length);
        run_both(&run, &cuts, last);
        at += run.at;
        free(run.window);
    }
    CHECK(at == input.length);
    text_put(&run.out, run.errors.data, run.errors.length);
    decoder_msgpack.close(run.decoder);
    free(run.block);
    free(run.lone);
    free(run.flat);
    free(run.errors.data);
    *ret_length = run.out.length;
    if (ret_run)
        *ret_run = run;
    return run.out.data;
}

/* ---- cut into pieces
 * -----------------------------------------------------------------------------------------------------
 */

#define PIECES_MAX 3

/* A piece that was cut and is decoded later, when the cutter may have learnt other layouts. */
struct piece {
    struct msgpack_cut *cut;
    char *window;
    size_t length;
    uint64_t offset;
};

/* As a source does it: `cutter` cuts the stream where it can, and `one` has what is between. */
struct cut_decoders {
    struct fast_decoder *cutter;
    struct mixed follower;
    struct mixed one;
    bool one_used;
    struct flat_block *room;
    struct piece pieces[PIECES_MAX];
    unsigned piece_count;
    uint64_t cut_bytes; /* that came in pieces */
};

static inline void cut_open(struct cut_decoders *cut, const struct msgpack_kernel *kernel)
{
    *cut = (struct cut_decoders){.room = malloc(sizeof(*cut->room))};
    CHECK(cut->room && fast_msgpack_open_with(kernel, true, &cut->cutter) == STATUS_OK);
    CHECK(mixed_open(&cut->follower, &fast_msgpack_cut, &decoder_msgpack) == STATUS_OK);
    ((struct msgpack_fast *)cut->follower.fast)->kernel = kernel;
    for (unsigned i = 0; i < PIECES_MAX; i++)
        CHECK(msgpack_cut_new(&cut->pieces[i].cut) == STATUS_OK);
}

static inline void cut_close(struct cut_decoders *cut)
{
    fast_msgpack.close(cut->cutter);
    mixed_close(&cut->follower);
    for (unsigned i = 0; i < PIECES_MAX; i++)
        msgpack_cut_free(cut->pieces[i].cut);
    free(cut->room);
}

/* Gives the bytes used. */
static inline size_t put_mixed(struct fast_run *run, struct mixed *mixed, char *window,
                               size_t length, uint64_t offset, bool last)
{
    struct mixed_block block;
    struct envelope_error error;
    run->window = window;
    run->length = length;
    run->offset = offset;
    mixed_window(mixed, window, length, offset, last);
    for (;;) {
        CHECK(mixed_next(mixed, &block) == STATUS_OK);
        if (block.kind == MIXED_NONE)
            break;
        for (uint32_t i = 0; block.kind == MIXED_FLAT && i < block.count; i++) {
            run->flat = mixed->flat;
            put_flat(run, &block.flat->records[block.first + i]);
        }
        for (uint32_t i = 0; block.kind == MIXED_RECORDS && i < block.records->count; i++) {
            const struct record *record = &block.records->records[i];
            put_reference(&run->out, block.records, record, record->offset);
            run->left++;
        }
    }
    mixed_envelope(mixed, &error);
    if (error.seen) {
        run->errors.length = 0;
        put_error(&run->errors, &error);
    }
    return mixed_used(mixed);
}

static inline void put_pieces(struct fast_run *run, struct cut_decoders *cut)
{
    for (unsigned i = 0; i < cut->piece_count; i++) {
        struct piece *piece = &cut->pieces[i];
        msgpack_follow(cut->follower.fast, piece->cut);
        size_t used =
            put_mixed(run, &cut->follower, piece->window, piece->length, piece->offset, true);
        CHECK(used == piece->length);
        msgpack_cut_done(piece->cut);
        free(piece->window);
    }
    cut->piece_count = 0;
}

/* One window, which becomes a piece if it can be cut. Gives the bytes used. */
static inline size_t cut_window(struct fast_run *run, struct cut_decoders *cut,
                                struct fast_cuts *cuts, struct slice input, bool last)
{
    size_t length = input.length;
    char *window = malloc(length + DECODER_PADDING);
    CHECK(window);
    memset(window, (int)(cuts_random(cuts) & 255), length + DECODER_PADDING);
    if (length)
        memcpy(window, input.data, length);
    if (cut->piece_count == PIECES_MAX || cuts_random(cuts) % 3 == 0)
        put_pieces(run, cut);
    struct piece *piece = &cut->pieces[cut->piece_count];
    size_t used = 0;
    size_t enough = cuts_random(cuts) % 2 ? length : (size_t)(cuts_random(cuts) % (length + 1));
    if (!cut->one_used || mixed_at_top(&cut->one))
        used = msgpack_cut_make(cut->cutter, window, length, enough, cut->room, piece->cut);
    CHECK(used <= length);
    if (used > 0) {
        piece->window = window;
        piece->length = used;
        piece->offset = run->at;
        cut->piece_count++;
        cut->cut_bytes += used;
        return used;
    }
    put_pieces(run, cut);
    if (!cut->one_used)
        CHECK(mixed_open(&cut->one, &fast_msgpack, &decoder_msgpack) == STATUS_OK);
    cut->one_used = true;
    used = put_mixed(run, &cut->one, window, length, run->at, last);
    free(window);
    return used;
}

static inline char *cut_text(struct cut_decoders *cut, struct slice input, struct fast_cuts cuts,
                             size_t *ret_length)
{
    struct fast_run run = {0};
    size_t arrived = 0;
    bool last = false;
    text_put(&run.out, "", 0);
    run.at = 0; /* in the stream */
    while (!last || run.at < input.length) {
        last = arrived == input.length;
        arrived += cuts_step(&cuts, cuts.arrive_max, input.length - arrived);
        run.at +=
            cut_window(&run, cut, &cuts, slice_of(input.data + run.at, arrived - run.at), last);
    }
    put_pieces(&run, cut);
    if (cut->one_used)
        mixed_close(&cut->one);
    cut->one_used = false;
    text_put(&run.out, run.errors.data, run.errors.length);
    free(run.errors.data);
    *ret_length = run.out.length;
    return run.out.data;
}

/* ---- comparing
 * -----------------------------------------------------------------------------------------------------------
 */

/* Frees `got`. */
static inline void check_text(struct slice input, const char *expected, size_t expected_length,
                              char *got, size_t length)
{
    if (length != expected_length || memcmp(got, expected, length) != 0) {
        size_t at = 0;
        while (at < length && at < expected_length && got[at] == expected[at])
            at++;
        fprintf(stderr, "different from byte %zu on; alone:\n", at);
        fwrite(expected, 1, expected_length < at + 200 ? expected_length : at + 200, stderr);
        fprintf(stderr, "\ntogether:\n");
        fwrite(got, 1, length < at + 200 ? length : at + 200, stderr);
        fprintf(stderr, "\ninput:");
        for (size_t i = 0; i < input.length && i < 4000; i++)
            fprintf(stderr, " %02x", (unsigned char)input.data[i]);
        fprintf(stderr, "\n");
        abort();
    }
    free(got);
}

/* Compares the two over one stream. `expected` from reference_text. */
static inline void check_stream(struct fast_decoder *fast, struct slice input,
                                struct fast_cuts cuts, const char *expected, size_t expected_length,
                                struct fast_run *ret_run)
{
    size_t length;
    char *got = fast_text(fast, input, cuts, &length, ret_run);
    check_text(input, expected, expected_length, got, length);
}

/* The same of a stream that is cut where it can be. */
static inline void check_cut_stream(struct cut_decoders *cut, struct slice input,
                                    struct fast_cuts cuts, const char *expected,
                                    size_t expected_length)
{
    size_t length;
    char *got = cut_text(cut, input, cuts, &length);
    check_text(input, expected, expected_length, got, length);
}

#endif
