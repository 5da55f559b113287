/* The walks of fast_json.h for machines with AVX2; which one runs is chosen at run time. */
#include "adapters/fast_json.h"

#ifdef __x86_64__

#include <immintrin.h>

#define WALK_TARGET  __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define WALK_LEARNT  json_walk_learnt_avx2
#define WALK_CAREFUL json_walk_careful_avx2
#define WALK_INDEXED json_walk_indexed_avx2

#define INLINE WALK_TARGET static inline __attribute__((always_inline))

INLINE __m256i load(const char *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

INLINE uint32_t mask_of(__m256i bytes)
{
    return (uint32_t)_mm256_movemask_epi8(bytes);
}

INLINE uint32_t mask_quotes(const char *at)
{
    return mask_of(_mm256_cmpeq_epi8(load(at), _mm256_set1_epi8('"')));
}

INLINE uint32_t mask_percents(const char *at)
{
    return mask_of(_mm256_cmpeq_epi8(load(at), _mm256_set1_epi8('%')));
}

INLINE uint32_t mask_beyond(const char *at)
{
    return mask_of(load(at));
}

INLINE uint32_t mask_text(const char *at)
{
    __m256i bytes = load(at);
    __m256i control = _mm256_set1_epi8(0x1f);
    __m256i stops = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
                                    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
    return mask_of(
        _mm256_or_si256(stops, _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, control), bytes)));
}

INLINE uint32_t mask_specials(const char *at)
{
    __m256i bytes = load(at);
    /* Signed, so that bytes beyond ASCII are below a blank as well. */
    return mask_of(_mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(' '), bytes),
                                   _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'))));
}

INLINE uint32_t mask_digits(const char *at)
{
    __m256i digits = _mm256_sub_epi8(load(at), _mm256_set1_epi8('0'));
    return mask_of(_mm256_cmpeq_epi8(_mm256_min_epu8(digits, _mm256_set1_epi8(9)), digits));
}

INLINE uint32_t mask_equal(const char *at, const char *other)
{
    return mask_of(_mm256_cmpeq_epi8(load(at), load(other)));
}

INLINE uint32_t lanes_sum(__m256i lanes)
{
    __m256i sums = _mm256_sad_epu8(lanes, _mm256_setzero_si256());
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return (uint32_t)_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half)));
}

/* 32 bytes that count, then 32 that do not. */
static const uint8_t tally_edge[64] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                       255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                       255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

/* The bytes to come are fetched here, too: at this pace the machine does not foresee them. */
INLINE void tally(const char *at, const char *end, uint32_t *ret_quotes, uint32_t *ret_specials)
{
    __m256i quotes = _mm256_setzero_si256();
    __m256i specials = _mm256_setzero_si256();
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i backslash = _mm256_set1_epi8('\\');
    const __m256i blank = _mm256_set1_epi8(' ');
    for (; end - at >= 64; at += 64) {
        __m256i low = load(at);
        __m256i high = load(at + 32);
        _mm_prefetch(at + JSON_PREFETCH_BYTES, _MM_HINT_T0);
        /* Signed, so that bytes beyond ASCII are below a blank as well. */
        __m256i special_low =
            _mm256_or_si256(_mm256_cmpgt_epi8(blank, low), _mm256_cmpeq_epi8(low, backslash));
        __m256i special_high =
            _mm256_or_si256(_mm256_cmpgt_epi8(blank, high), _mm256_cmpeq_epi8(high, backslash));
        quotes = _mm256_sub_epi8(
            quotes, _mm256_add_epi8(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(high, quote)));
        specials = _mm256_sub_epi8(specials, _mm256_add_epi8(special_low, special_high));
    }
    if (end - at >= 32) {
        __m256i bytes = load(at);
        __m256i special =
            _mm256_or_si256(_mm256_cmpgt_epi8(blank, bytes), _mm256_cmpeq_epi8(bytes, backslash));
        quotes = _mm256_sub_epi8(quotes, _mm256_cmpeq_epi8(bytes, quote));
        specials = _mm256_sub_epi8(specials, special);
        at += 32;
    }
    __m256i edge = load((const char *)tally_edge + 32 - (end - at));
    __m256i bytes = load(at);
    __m256i special =
        _mm256_or_si256(_mm256_cmpgt_epi8(blank, bytes), _mm256_cmpeq_epi8(bytes, backslash));
    quotes = _mm256_sub_epi8(quotes, _mm256_and_si256(_mm256_cmpeq_epi8(bytes, quote), edge));
    specials = _mm256_sub_epi8(specials, _mm256_and_si256(special, edge));
    *ret_quotes = lanes_sum(quotes);
    *ret_specials = lanes_sum(specials);
}

/* clang-format off: the second builds on the first */
#include "adapters/fast_json_walk.h"
#include "adapters/fast_json_index.h"
/* clang-format on */

#endif
