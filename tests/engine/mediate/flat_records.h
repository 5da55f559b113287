/* Flat records from the reference decoder's, and the fast path beside the law. Values are copied
 * into a window with rubbish between them, so that what is read beyond a value's end shows; some go
 * into the block's digits. */
#ifndef RATEL_TESTS_MEDIATE_FLAT_RECORDS_H
#define RATEL_TESTS_MEDIATE_FLAT_RECORDS_H

#include <assert.h>
#include <stdlib.h>

#include "adapters/adapter.h"
#include "mediate/flat_usage.h"
#include "mediate/normalise.h"

#define FLAT_WINDOW_BYTES (1 << 20)

struct flat_pair {
    struct normaliser law;
    struct flat_normaliser fast;
    struct flat_block *block;
    char *window; /* FLAT_WINDOW_BYTES, the values at its end */
    uint64_t rubbish;
};

static inline void flat_pair_init(struct flat_pair *pair, struct slice source, uint64_t seed)
{
    normaliser_init(&pair->law, source, seed);
    flat_normaliser_init(&pair->fast, source, seed);
    pair->block = calloc(1, sizeof(*pair->block));
    pair->window = malloc(FLAT_WINDOW_BYTES + DECODER_PADDING);
    pair->rubbish = seed;
    assert(pair->block && pair->window);
}

static inline void flat_pair_fini(struct flat_pair *pair)
{
    normaliser_fini(&pair->law);
    free(pair->block);
    free(pair->window);
}

/* Digits, points, quotes: what does most harm when it is taken for a part of a value. */
static inline char flat_rubbish(struct flat_pair *pair)
{
    static const char bytes[] = "0123456789.,\"eT:+- \n\xff\x80\x3a\x2f";
    pair->rubbish = pair->rubbish * 6364136223846793005u + 1442695040888963407u;
    return bytes[(pair->rubbish >> 33) % (sizeof(bytes) - 1)];
}

/* The record as a fast decoder would hand it over, in pair->block->records[0]; false when it does
 * not fit. *ret_length: of the window. */
static inline bool flat_from_record(struct flat_pair *pair, const struct record *record,
                                    size_t *ret_length)
{
    struct flat_block *block = pair->block;
    struct flat_record *flat = &block->records[0];
    size_t used = 0, digits = 0;
    block->count = 1;
    flat->present = 0;
    memset(flat->fields, 0xa5, sizeof(flat->fields));
    for (int pass = 0; pass < 2; pass++) /* the window's length is known after the first pass */
        for (int field = 0; field < FIELD_COUNT; field++) {
            const struct field_value *value = &record->fields[field];
            bool in_digits = value->kind == VALUE_NUMBER && field % 2 && value->length < 64;
            if (value->kind == VALUE_ABSENT || in_digits != (pass == 1))
                continue;
            if (value->length > UINT16_MAX || used + value->length + 4096 > FLAT_WINDOW_BYTES)
                return false;
            char *at = in_digits ? block->digits + digits : pair->window + used;
            if (value->length)
                memcpy(at, value->data, value->length);
            flat->fields[field] =
                (struct flat_value){(uint32_t)(in_digits ? used + digits : used),
                                    (uint16_t)value->length, (uint8_t)value->kind, 0};
            flat->present |= (uint64_t)1 << field;
            if (in_digits)
                digits += value->length;
            else
                for (used += value->length; flat_rubbish(pair) < '5' || used % 5 == 0;)
                    pair->window[used++] = flat_rubbish(pair);
        }
    block->digits_length = (uint32_t)digits;
    for (size_t i = 0; i < DECODER_PADDING; i++) {
        pair->window[used + i] = flat_rubbish(pair);
        block->digits[digits + i] = flat_rubbish(pair);
    }
    *ret_length = used;
    return true;
}

/* NULL when the fast path says what the law says, or leaves it to the law; else what differs. */
static inline const char *flat_compare(struct flat_pair *pair, const struct record_block *records,
                                       const struct record *record, enum flat_verdict *ret)
{
    struct usage law;
    struct flat_usage fast;
    size_t length;
    *ret = FLAT_NOT_PLAIN;
    if (record->state == RECORD_BAD || !flat_from_record(pair, record, &length))
        return NULL;
    memset(&fast, 0x5a, sizeof(fast));
    *ret =
        flat_usage(&pair->fast, pair->window, length, pair->block, &pair->block->records[0], &fast);
    normalise(&pair->law, records, record, &law);
    if (*ret == FLAT_NOT_PLAIN)
        return NULL;
    if (*ret == FLAT_IGNORED)
        return law.verdict == VERDICT_IGNORED ? NULL : "not ignored by the law";
    if (law.verdict != VERDICT_EVENT)
        return "no event by the law";
    if (law.has_id)
        return "has an id";
    if (!hash128_equal(law.series_hash, fast.series))
        return "another series";
    if (law.payer_hash != fast.payer_hash)
        return "another payer hash";
    if (law.start.seconds != fast.start || law.end.seconds - law.start.seconds != fast.length)
        return "another window";
    int128 quanta = (int128)((uint128)(uint64_t)fast.quanta_high << 64 | fast.quanta_low);
    return law.quantity.quanta == quanta && fast.reserved == 0 ? NULL : "another quantity";
}

#endif
