/* See decode_mixed.h. */
#include "adapters/decode_mixed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The reference decoder's turns: short at first, so that it does not take what the fast one would;
 * twice as long each time the fast one finds nothing to do. */
#define STRETCH_MIN 2048

enum turn {
    TURN_FAST,
    TURN_REFERENCE,
    TURN_MORE, /* nothing more is in this window */
};

enum status mixed_open(struct mixed *mixed, const struct fast_class *fast,
                       const struct decoder_class *class)
{
    *mixed = (struct mixed){.class = class, .turn = TURN_MORE, .stretch = STRETCH_MIN};
    assert(!fast || fast->form == class->form);
    mixed->records = malloc(sizeof(*mixed->records));
    mixed->flat = malloc(sizeof(*mixed->flat));
    if (!mixed->records || !mixed->flat)
        return STATUS_NO_MEMORY;
    mixed->flat->count = 0;
    enum status status = class->open(&mixed->decoder);
    if (status == STATUS_OK && fast && class->between) {
        status = fast->open(&mixed->fast);
        mixed->fast_class = fast;
    }
    return status;
}

void mixed_close(struct mixed *mixed)
{
    if (mixed->fast)
        mixed->fast_class->close(mixed->fast);
    if (mixed->decoder)
        mixed->class->close(mixed->decoder);
    free(mixed->flat);
    free(mixed->records);
    *mixed = (struct mixed){0};
}

void mixed_without_lines(struct mixed *mixed)
{
    mixed->class->without_lines(mixed->decoder);
}

void mixed_envelope(struct mixed *mixed, struct envelope_error *ret)
{
    mixed->class->envelope(mixed->decoder, ret);
}

size_t mixed_used(const struct mixed *mixed)
{
    assert(mixed->turn == TURN_MORE && mixed->told == mixed->at);
    return mixed->at;
}

bool mixed_at_top(const struct mixed *mixed)
{
    assert(mixed->turn == TURN_MORE && mixed->told == mixed->at);
    return mixed->class->at_top(mixed->decoder);
}

static enum turn whose_turn(const struct mixed *mixed)
{
    return mixed->fast && mixed->class->between(mixed->decoder) ? TURN_FAST : TURN_REFERENCE;
}

void mixed_window(struct mixed *mixed, char *window, size_t length, uint64_t offset, bool last)
{
    assert(mixed->turn == TURN_MORE && mixed->flat_next == mixed->flat->count);
    mixed->window = window;
    mixed->length = length;
    mixed->offset = offset;
    mixed->last = last;
    mixed->at = mixed->told = 0;
    mixed->turn = (uint8_t)whose_turn(mixed);
}

/* The reference decoder has to know what was taken before it goes on, and before the bytes are
 * gone. */
static void tell(struct mixed *mixed, size_t at)
{
    assert(at >= mixed->told);
    if (at > mixed->told)
        mixed->class->skip(mixed->decoder, mixed->window + mixed->told, at - mixed->told,
                           mixed->untold);
    mixed->told = at;
    mixed->untold = 0;
}

/* Lets the reference decoder have the bytes [at, at + length). */
static enum status refer(struct mixed *mixed, size_t at, size_t length, bool last, size_t *ret_used)
{
    assert(mixed->told == at && at + length <= mixed->length);
    enum status status = mixed->class->decode(mixed->decoder, mixed->window + at, length,
                                              mixed->offset + at, last, mixed->records, ret_used);
    if (status == STATUS_OK)
        mixed->told = at + *ret_used;
    return status;
}

/* The flat block's records from flat_next on that are, or are not, plain. */
static uint32_t run_length(const struct mixed *mixed, bool plain)
{
    const struct flat_block *flat = mixed->flat;
    uint32_t next = mixed->flat_next;
    while (next < flat->count && (flat->records[next].present != 0) == plain)
        next++;
    return next - mixed->flat_next;
}

/* Records that the fast decoder left: whole, so the reference decoder reads these and no others. */
static enum status give_left(struct mixed *mixed, struct mixed_block *ret)
{
    const struct flat_record *first = &mixed->flat->records[mixed->flat_next];
    uint32_t count = run_length(mixed, false);
    const struct flat_record *final = first + count - 1;
    size_t end = (size_t) final->offset + final->length;
    size_t used;
    tell(mixed, first->offset);
    enum status status = refer(mixed, first->offset, end - first->offset, false, &used);
    if (status)
        return status;
    assert(mixed->told == end && mixed->records->count == count);
    mixed->flat_next += count;
    *ret = (struct mixed_block){.kind = MIXED_RECORDS, .records = mixed->records};
    return STATUS_OK;
}

static enum status give_flat(struct mixed *mixed, struct mixed_block *ret)
{
    uint32_t count = run_length(mixed, true);
    if (count == 0)
        return give_left(mixed, ret);
    *ret = (struct mixed_block){
        .kind = MIXED_FLAT, .flat = mixed->flat, .first = mixed->flat_next, .count = count};
    mixed->flat_next += count;
    mixed->untold += count;
    return STATUS_OK;
}

static void take_fast_turn(struct mixed *mixed)
{
    enum fast_stop stop;
    size_t used;
    tell(mixed, mixed->at);
    if (!mixed->class->between(mixed->decoder)) {
        mixed->turn = TURN_REFERENCE; /* fewer records than a block holds are left of a list */
        return;
    }
    mixed->fast_class->decode(mixed->fast, mixed->window, mixed->length, mixed->at, mixed->last,
                              mixed->flat, &used, &stop);
    mixed->at += used;
    mixed->flat_next = 0;
    assert(mixed->at <= mixed->length);
    if (mixed->flat->count > 0)
        mixed->stretch = STRETCH_MIN;
    size_t rest = mixed->length - mixed->at;
    bool more = stop == FAST_MORE && !mixed->last && rest <= RECORD_BYTES_MAX;
    mixed->turn = stop == FAST_FULL ? TURN_FAST : more ? TURN_MORE : TURN_REFERENCE;
}

static enum status take_reference_turn(struct mixed *mixed)
{
    size_t rest = mixed->length - mixed->at;
    size_t length = rest < mixed->stretch || !mixed->fast ? rest : mixed->stretch;
    bool last = mixed->last && length == rest;
    size_t used;
    tell(mixed, mixed->at);
    enum status status = refer(mixed, mixed->at, length, last, &used);
    if (status)
        return status;
    mixed->at += used;
    rest -= used;
    if (mixed->stretch < mixed->length)
        mixed->stretch *= 2;
    if (last && rest == 0)
        mixed->turn = TURN_MORE;
    else if (used == 0 && mixed->records->count == 0)
        mixed->turn = length < rest ? TURN_REFERENCE : TURN_MORE;
    else
        mixed->turn = (uint8_t)whose_turn(mixed);
    return STATUS_OK;
}

enum status mixed_next(struct mixed *mixed, struct mixed_block *ret)
{
    *ret = (struct mixed_block){.kind = MIXED_NONE};
    for (;;) {
        if (mixed->flat_next < mixed->flat->count)
            return give_flat(mixed, ret);
        if (mixed->turn == TURN_MORE) {
            tell(mixed, mixed->at);
            return STATUS_OK;
        }
        if (mixed->turn == TURN_FAST) {
            take_fast_turn(mixed);
            continue;
        }
        enum status status = take_reference_turn(mixed);
        if (status)
            return status;
        if (mixed->records->count > 0) {
            *ret = (struct mixed_block){.kind = MIXED_RECORDS, .records = mixed->records};
            return STATUS_OK;
        }
    }
}
