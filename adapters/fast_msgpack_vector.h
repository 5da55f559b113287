/* Vectors for the parts of the fast msgpack decoder that are compiled once for each kind of
 * processor: the few operations that those need, of VECTOR_BYTES 64, 32 or 16, or 8: machine
 * words. */
#ifndef RATEL_ADAPTERS_FAST_MSGPACK_VECTOR_H
#define RATEL_ADAPTERS_FAST_MSGPACK_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if VECTOR_BYTES == 64
#include <immintrin.h>
typedef __m512i vector;
static inline vector vector_zero(void)
{
    return _mm512_setzero_si512();
}
static inline vector vector_load(const void *at)
{
    return _mm512_loadu_si512(at);
}
static inline void vector_store(void *at, vector a)
{
    _mm512_storeu_si512(at, a);
}
static inline vector vector_load_head(const void *at, size_t bytes)
{
    return _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, (unsigned)bytes), at);
}
/* acc | ((a ^ b) & mask) */
static inline vector vector_differ(vector acc, vector a, vector b, vector mask)
{
    return _mm512_ternarylogic_epi64(acc, _mm512_xor_si512(a, b), mask, 0xf8);
}
static inline bool vector_is_zero(vector a)
{
    return _mm512_test_epi64_mask(a, a) == 0;
}
static inline bool vector_has_top_bits(vector a)
{
    return _mm512_movepi8_mask(a) != 0;
}
static inline vector vector_or(vector a, vector b)
{
    return _mm512_or_si512(a, b);
}
static inline vector vector_count_tops(vector counters, vector a)
{
    return _mm512_sub_epi8(counters, _mm512_movm_epi8(_mm512_movepi8_mask(a)));
}
static inline vector vector_of_lane(uint64_t lane)
{
    return _mm512_set1_epi64((long long)lane);
}
static inline vector vector_add_lanes(vector a, vector b)
{
    return _mm512_add_epi64(a, b);
}
static inline uint64_t vector_sum_bytes(vector a)
{
    return (uint64_t)_mm512_reduce_add_epi64(_mm512_sad_epu8(a, _mm512_setzero_si512()));
}
#elif VECTOR_BYTES == 32
#include <immintrin.h>
typedef __m256i vector;
static inline vector vector_zero(void)
{
    return _mm256_setzero_si256();
}
static inline vector vector_load(const void *at)
{
    return _mm256_loadu_si256(at);
}
static inline void vector_store(void *at, vector a)
{
    _mm256_storeu_si256(at, a);
}
/* acc | ((a ^ b) & mask) */
static inline vector vector_differ(vector acc, vector a, vector b, vector mask)
{
    return _mm256_or_si256(acc, _mm256_and_si256(_mm256_xor_si256(a, b), mask));
}
static inline bool vector_is_zero(vector a)
{
    return _mm256_testz_si256(a, a);
}
static inline bool vector_has_top_bits(vector a)
{
    return _mm256_movemask_epi8(a) != 0;
}
static inline vector vector_or(vector a, vector b)
{
    return _mm256_or_si256(a, b);
}
/* Counts top bits per byte: as many calls as a byte can count. */
static inline vector vector_count_tops(vector counters, vector a)
{
    return _mm256_sub_epi8(counters, _mm256_cmpgt_epi8(_mm256_setzero_si256(), a));
}
static inline vector vector_of_lane(uint64_t lane)
{
    return _mm256_set1_epi64x((long long)lane);
}
static inline vector vector_add_lanes(vector a, vector b)
{
    return _mm256_add_epi64(a, b);
}
static inline uint64_t vector_sum_bytes(vector a)
{
    __m256i sums = _mm256_sad_epu8(a, _mm256_setzero_si256());
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return (uint64_t)(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
}
#elif VECTOR_BYTES == 16
#include <emmintrin.h>
typedef __m128i vector;
static inline vector vector_zero(void)
{
    return _mm_setzero_si128();
}
static inline vector vector_load(const void *at)
{
    return _mm_loadu_si128(at);
}
static inline void vector_store(void *at, vector a)
{
    _mm_storeu_si128(at, a);
}
static inline vector vector_differ(vector acc, vector a, vector b, vector mask)
{
    return _mm_or_si128(acc, _mm_and_si128(_mm_xor_si128(a, b), mask));
}
static inline bool vector_is_zero(vector a)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(a, _mm_setzero_si128())) == 0xffff;
}
static inline bool vector_has_top_bits(vector a)
{
    return _mm_movemask_epi8(a) != 0;
}
static inline vector vector_or(vector a, vector b)
{
    return _mm_or_si128(a, b);
}
static inline vector vector_count_tops(vector counters, vector a)
{
    return _mm_sub_epi8(counters, _mm_cmpgt_epi8(_mm_setzero_si128(), a));
}
static inline vector vector_of_lane(uint64_t lane)
{
    return _mm_set1_epi64x((long long)lane);
}
static inline vector vector_add_lanes(vector a, vector b)
{
    return _mm_add_epi64(a, b);
}
static inline uint64_t vector_sum_bytes(vector a)
{
    __m128i sums = _mm_sad_epu8(a, _mm_setzero_si128());
    return (uint64_t)_mm_cvtsi128_si64(sums) +
           (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
}
#else
typedef uint64_t vector;
#define TOP_BITS UINT64_C(0x8080808080808080)
static inline vector vector_zero(void)
{
    return 0;
}
static inline vector vector_load(const void *at)
{
    vector a;
    memcpy(&a, at, sizeof(a));
    return a;
}
static inline void vector_store(void *at, vector a)
{
    memcpy(at, &a, sizeof(a));
}
static inline vector vector_differ(vector acc, vector a, vector b, vector mask)
{
    return acc | ((a ^ b) & mask);
}
static inline bool vector_is_zero(vector a)
{
    return a == 0;
}
static inline bool vector_has_top_bits(vector a)
{
    return (a & TOP_BITS) != 0;
}
static inline vector vector_or(vector a, vector b)
{
    return a | b;
}
static inline vector vector_count_tops(vector counters, vector a)
{
    return counters + ((a & TOP_BITS) >> 7);
}
static inline vector vector_of_lane(uint64_t lane)
{
    return lane;
}
static inline vector vector_add_lanes(vector a, vector b)
{
    return a + b;
}
static inline uint64_t vector_sum_bytes(vector a)
{
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum += a >> (8 * i) & 255;
    return sum;
}
#endif

#if VECTOR_BYTES < 64
/* From `head_masks + 32 - n` on lie n bytes of ones, then zeros. */
static const uint8_t head_masks[64] __attribute__((aligned(64))) = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

/* The first `bytes` of a vector, the rest zero. */
static inline vector vector_load_head(const void *at, size_t bytes)
{
    return vector_differ(vector_zero(), vector_load(at), vector_zero(),
                         vector_load(head_masks + 32 - bytes));
}
#endif

#endif
