/* The walks of fast_json.h for any machine: SSE2 where there is no other, else byte by byte. */
#include "adapters/fast_json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WALK_TARGET
#define WALK_LEARNT  json_walk_learnt_portable
#define WALK_CAREFUL json_walk_careful_portable
#define WALK_INDEXED json_walk_indexed_portable

#define INLINE static inline __attribute__((always_inline))

#ifdef __SSE2__

INLINE __m128i load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

INLINE uint32_t mask_of(__m128i low, __m128i high)
{
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

INLINE uint32_t mask_byte(const char *at, char byte)
{
    __m128i wanted = _mm_set1_epi8(byte);
    return mask_of(_mm_cmpeq_epi8(load(at), wanted), _mm_cmpeq_epi8(load(at + 16), wanted));
}

INLINE uint32_t mask_beyond(const char *at)
{
    return mask_of(load(at), load(at + 16));
}

/* Bytes up to `most`, after `minus` was taken off. */
INLINE uint32_t mask_up_to(const char *at, char minus, char most)
{
    __m128i limit = _mm_set1_epi8(most);
    __m128i low = _mm_sub_epi8(load(at), _mm_set1_epi8(minus));
    __m128i high = _mm_sub_epi8(load(at + 16), _mm_set1_epi8(minus));
    return mask_of(_mm_cmpeq_epi8(_mm_min_epu8(low, limit), low),
                   _mm_cmpeq_epi8(_mm_min_epu8(high, limit), high));
}

INLINE uint32_t mask_equal(const char *at, const char *other)
{
    return mask_of(_mm_cmpeq_epi8(load(at), load(other)),
                   _mm_cmpeq_epi8(load(at + 16), load(other + 16)));
}

#else

INLINE uint32_t mask_byte(const char *at, char byte)
{
    uint32_t mask = 0;
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)(at[i] == byte) << i;
    return mask;
}

INLINE uint32_t mask_beyond(const char *at)
{
    uint32_t mask = 0;
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)((unsigned char)at[i] >> 7) << i;
    return mask;
}

/* Bytes up to `most`, after `minus` was taken off. */
INLINE uint32_t mask_up_to(const char *at, char minus, char most)
{
    uint32_t mask = 0;
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)((unsigned char)(at[i] - minus) <= (unsigned char)most) << i;
    return mask;
}

INLINE uint32_t mask_equal(const char *at, const char *other)
{
    uint32_t mask = 0;
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)(at[i] == other[i]) << i;
    return mask;
}

#endif

INLINE uint32_t mask_quotes(const char *at)
{
    return mask_byte(at, '"');
}

INLINE uint32_t mask_percents(const char *at)
{
    return mask_byte(at, '%');
}

INLINE uint32_t mask_specials(const char *at)
{
    return mask_byte(at, '\\') | mask_up_to(at, 0, 0x1f) | mask_beyond(at);
}

INLINE uint32_t mask_digits(const char *at)
{
    return mask_up_to(at, '0', 9);
}

INLINE uint32_t mask_text(const char *at)
{
    return mask_byte(at, '"') | mask_byte(at, '\\') | mask_up_to(at, 0, 0x1f);
}

INLINE void tally(const char *at, const char *end, uint32_t *ret_quotes, uint32_t *ret_specials)
{
    uint32_t quotes = 0;
    uint32_t specials = 0;
    for (; at < end; at += 32) {
        uint32_t counted = end - at < 32 ? (UINT32_C(1) << (end - at)) - 1 : UINT32_MAX;
        uint32_t special = mask_specials(at);
        __builtin_prefetch(at + JSON_PREFETCH_BYTES);
        quotes += (uint32_t)__builtin_popcount(mask_byte(at, '"') & counted);
        specials += (uint32_t)__builtin_popcount(special & counted);
    }
    *ret_quotes = quotes;
    *ret_specials = specials;
}

/* clang-format off: the second builds on the first */
#include "adapters/fast_json_walk.h"
#include "adapters/fast_json_index.h"
/* clang-format on */
