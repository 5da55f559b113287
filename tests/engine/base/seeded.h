/* Random numbers for property tests: the same for the same seed on every machine. The seed is
 * fixed, so that a run can be repeated; RATEL_SEED sets another one. Tests print it on failure. */
#ifndef RATEL_TESTS_BASE_SEEDED_H
#define RATEL_TESTS_BASE_SEEDED_H

#include <stdint.h>
#include <stdlib.h>

#include "base/wide.h"

struct seeded {
    uint64_t seed;
    uint64_t state;
};

static inline struct seeded seeded_init(void)
{
    const char *text = getenv("RATEL_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20261101;
    return (struct seeded){seed, seed};
}

/* Source: splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t seeded_u64(struct seeded *seeded)
{
    uint64_t z = seeded->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t seeded_below(struct seeded *seeded, uint64_t limit)
{
    return seeded_u64(seeded) % limit;
}

/* All lengths are equally likely, and one in eight is next to a power of two, where carries go
 * wrong. */
static inline int128 seeded_i128(struct seeded *seeded)
{
    unsigned bits = (unsigned)seeded_below(seeded, 129);
    uint128 value = (uint128)seeded_u64(seeded) << 64 | seeded_u64(seeded);
    value = bits == 0 ? 0 : value >> (128 - bits);
    if (seeded_below(seeded, 8) == 0)
        value = (bits == 128 ? 0 : (uint128)1 << bits) + seeded_below(seeded, 3) - 1;
    if (seeded_below(seeded, 2))
        value = -value;
    return (int128)value;
}

#endif
