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
#include "mediate/record_builder.h"

#define FLAT_WINDOW_BYTES (1 << 20)

struct flat_pair {
    struct normaliser law;
    struct normaliser series;
    uint32_t usual; /* definitions that were made the usual way */
    struct flat_normaliser fast;
    struct flat_block *block;
    char *window; /* FLAT_WINDOW_BYTES, the values at its end */
    uint64_t rubbish;
};

static inline void flat_pair_init(struct flat_pair *pair, struct slice source, uint64_t seed)
{
    normaliser_init(&pair->law, source, seed);
    normaliser_init(&pair->series, source, seed);
    pair->usual = 0;
    flat_normaliser_init(&pair->fast, source, seed);
    pair->block = calloc(1, sizeof(*pair->block));
    pair->window = malloc(FLAT_WINDOW_BYTES + DECODER_PADDING);
    pair->rubbish = seed;
    assert(pair->block && pair->window);
}

static inline void flat_pair_fini(struct flat_pair *pair)
{
    normaliser_fini(&pair->law);
    normaliser_fini(&pair->series);
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

/* Records as a fast decoder would hand them over, in pair->block; false when they do not fit.
 * *ret_length: of the window. */
static inline bool flat_from_records(struct flat_pair *pair, const struct record *records,
                                     uint32_t count, size_t *ret_length)
{
    struct flat_block *block = pair->block;
    size_t used = 0, digits = 0;
    const uint64_t escaped = pair->rubbish; /* so many texts had escapes: a sixteenth of them */
    assert(count <= FLAT_RECORDS);
    block->count = count;
    for (uint32_t i = 0; i < count; i++) {
        block->records[i].present = 0;
        memset(block->records[i].fields, 0xa5, sizeof(block->records[i].fields));
    }
    for (int pass = 0; pass < 2; pass++) /* the window's length is known after the first pass */
        for (uint32_t i = 0; i < count * FIELD_COUNT; i++) {
            unsigned field = i % FIELD_COUNT;
            struct flat_record *flat = &block->records[i / FIELD_COUNT];
            const struct field_value *value = &records[i / FIELD_COUNT].fields[field];
            bool moved =
                value->kind == VALUE_NUMBER ? field % 2 != 0 : (escaped >> i % 48 & 15) == 0;
            bool in_digits = moved && value->length < 64;
            if (value->kind == VALUE_ABSENT || in_digits != (pass == 1))
                continue;
            if (value->length > UINT16_MAX || used + value->length + 4096 > FLAT_WINDOW_BYTES ||
                digits + value->length > FLAT_DIGITS_BYTES)
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

/* NULL when the series alone comes out as the law has it. The law is asked before whether it is an
 * event. */
static inline const char *series_compare(struct flat_pair *pair, const struct record_block *records,
                                         const struct record *record, const struct usage *law)
{
    struct definition definition;
    struct usage series;
    pair->usual += usual_definition(record, pair->series.source, &definition);
    memset(&series, 0x5a, sizeof(series));
    normalise_series(&pair->series, records, record, &series);
    if (series.verdict != VERDICT_EVENT || series.reason[0])
        return "no event when its series is asked for";
    if (!hash128_equal(series.series_hash, law->series_hash))
        return "another series when it is asked for alone";
    return slice_equal(series.definition, law->definition) ? NULL : "another definition";
}

/* NULL when the fast path says what the law says, or leaves it to the law; else what differs. */
static inline const char *flat_differs(struct flat_pair *pair, const struct record_block *records,
                                       const struct record *record, enum flat_verdict verdict,
                                       const struct flat_usage *fast)
{
    struct usage law;
    normalise(&pair->law, records, record, &law);
    const char *differs =
        law.verdict == VERDICT_EVENT ? series_compare(pair, records, record, &law) : NULL;
    if (differs)
        return differs;
    if (verdict == FLAT_NOT_PLAIN)
        return NULL;
    if (verdict == FLAT_IGNORED)
        return law.verdict == VERDICT_IGNORED ? NULL : "not ignored by the law";
    if (law.verdict != VERDICT_EVENT)
        return "no event by the law";
    if (law.has_id)
        return "has an id";
    if (!hash128_equal(law.series_hash, fast->series))
        return "another series";
    if (law.payer_hash != fast->payer_hash)
        return "another payer hash";
    if (law.start.seconds != fast->start || law.end.seconds - law.start.seconds != fast->length)
        return "another window";
    int128 quanta = (int128)((uint128)(uint64_t)fast->quanta_high << 64 | fast->quanta_low);
    return law.quantity.quanta == quanta && fast->reserved == 0 ? NULL : "another quantity";
}

/* One record alone. */
static inline const char *flat_compare(struct flat_pair *pair, const struct record_block *records,
                                       const struct record *record, enum flat_verdict *ret)
{
    struct flat_usage fast;
    uint8_t verdict = FLAT_NOT_PLAIN;
    size_t length;
    *ret = FLAT_NOT_PLAIN;
    if (record->state == RECORD_BAD || !flat_from_records(pair, record, 1, &length))
        return NULL;
    memset(&fast, 0x5a, sizeof(fast));
    flat_usage(&pair->fast, pair->window, length, pair->block, 0, 1, &fast, &verdict);
    *ret = (enum flat_verdict)verdict;
    return flat_differs(pair, records, record, *ret, &fast);
}

/* A block's records [first, first + count), decoded, in one call; *ret: the one that differs. */
static inline const char *flat_compare_run(struct flat_pair *pair,
                                           const struct record_block *records, uint32_t first,
                                           uint32_t count, const struct record **ret)
{
    struct flat_usage fast[FLAT_RECORDS];
    uint8_t verdicts[FLAT_RECORDS];
    size_t length;
    if (!flat_from_records(pair, &records->records[first], count, &length))
        return NULL;
    /* In two calls, as a reference decoder that takes its turn would have it. */
    uint32_t half = count / 2;
    memset(fast, 0x5a, sizeof(fast));
    flat_usage(&pair->fast, pair->window, length, pair->block, 0, half, fast, verdicts);
    flat_usage(&pair->fast, pair->window, length, pair->block, half, count - half, fast + half,
               verdicts + half);
    for (uint32_t i = 0; i < count; i++) {
        *ret = &records->records[first + i];
        const char *difference =
            flat_differs(pair, records, *ret, (enum flat_verdict)verdicts[i], &fast[i]);
        if (difference)
            return difference;
    }
    return NULL;
}

#endif
