/* Hashes and checksums. XXH3 for tables and identity (keyed by the data directory's random seed),
 * CRC32C for frames and stored values. Never a proof against an attacker who knows the seed. */
#ifndef RATEL_BASE_HASH_H
#define RATEL_BASE_HASH_H

#include "base/slice.h"

struct hash128 {
    uint64_t low;
    uint64_t high;
};

uint64_t hash64(struct slice bytes, uint64_t seed);
struct hash128 hash128(struct slice bytes, uint64_t seed);
static inline bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}
/* hash128 for tables in which both words 0 mark a free slot: never that. */
struct hash128 hash128_nonzero(struct slice bytes, uint64_t seed);
/* CRC32C (Castagnoli), SSE4.2 and PCLMUL where the CPU has them, a table elsewhere; both give the same
 * value. Cost: long runs 26 GB/s from the cache and 19 GB/s from memory here.
 * `crc` is the value so far, 0 at the start. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);
/* The table alone, for CPUs without the instruction and for the test that compares the two. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t length);

#endif
