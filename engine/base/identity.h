/* The identity hash of a series: a keyed 128-bit hash of a set of parts, each a code and a value.
 *
 * Parts may be added in any order, and a sum of some parts can be kept and used again: what is
 * added is NH, the universal hash of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway 1999), over
 * the value's words, with keys of their own for each part code, twice with independent keys:
 *
 *     value   = full words w0, w1, ... (8 bytes each, little-endian), then the tail word: the
 *               remaining 0 to 7 bytes with a byte 1 on top, so that no value is a prefix of
 * another sum    += (w0 + k0)(w1 + k1) + (w2 + k2)(w3 + k3) + ...     words mod 2^64, sums mod
 * 2^128 hash[i] = mix(high 64 bits of (f0 + f1 low(sum[i]) + f2 high(sum[i])))             i = 0, 1
 *
 * Values of more than IDENTITY_VALUE_BYTES are reduced by keyed XXH3-128 first, and so are
 * attributes that have no code of their own, with their names.
 *
 * Bound: for random keys two different sets of parts with values of up to IDENTITY_VALUE_BYTES have
 * equal hashes with a probability below 2^-123. Each of the two sums collides with at most 2^-63: a
 * pair of words that both sets have with different contents gives 2^-64 (NH is almost
 * delta-universal), one that only one of them has is a product of two uniform words, which takes
 * any given value with at most 2^-63. Each fold adds 2^-64 (strongly universal), mix is a
 * bijection. The keys are drawn from the data directory's seed by XXH3: 64 bits of secret, good
 * against accidents and against producers that do not know the seed. */
#ifndef RATEL_BASE_IDENTITY_H
#define RATEL_BASE_IDENTITY_H

#include <assert.h>
#include <endian.h>

#include "base/hash.h"
#include "base/wide.h"

#define IDENTITY_VALUE_BYTES 47 /* longer values are reduced first */
#define IDENTITY_PAIRS       4  /* three for values, one for what was reduced */

/* Keys, and so the hashes in every journal, hang on these numbers: append only. */
enum identity_part {
    IDENTITY_TYPE = 0,      /* CloudStack's usage type, as a number */
    IDENTITY_PAYER = 0,     /* + payer kind, 1 to 3 */
    IDENTITY_SOURCE = 4,    /* the cloud's name */
    IDENTITY_METER = 5,     /* of a plain event */
    IDENTITY_NAMED = 6,     /* attributes by name */
    IDENTITY_ATTRIBUTE = 7, /* + the attribute's name code, from 1 */
    IDENTITY_PARTS = 40,
};

struct identity_key {
    uint64_t words[2][2 * IDENTITY_PAIRS]; /* for the first and the second sum */
};

struct identity_keys {
    uint64_t seed;
    uint64_t fold[2][3][2]; /* f0, f1, f2 of each sum, low word first */
    struct identity_key parts[IDENTITY_PARTS];
};

/* What was added so far: { 0 } at the start. Identities of disjoint sets add up. */
struct identity {
    uint128 sum[2];
};

/* Draws the keys. Cost: some microseconds. */
void identity_keys_init(struct identity_keys *keys, uint64_t seed);
/* Adds a part; an empty value is a part too, and not the same as none. */
void identity_add(struct identity *identity, const struct identity_keys *keys, unsigned part,
                  struct slice value);
/* An attribute without a code. The name must not be one that has a code. */
void identity_add_named(struct identity *identity, const struct identity_keys *keys,
                        struct slice name, struct slice value);

static inline void identity_join(struct identity *identity, const struct identity *other)
{
    identity->sum[0] += other->sum[0];
    identity->sum[1] += other->sum[1];
}

static inline void identity_add_pair(struct identity *identity, const struct identity_key *key,
                                     unsigned pair, uint64_t a, uint64_t b)
{
    identity->sum[0] += (uint128)(a + key->words[0][2 * pair]) * (b + key->words[0][2 * pair + 1]);
    identity->sum[1] += (uint128)(a + key->words[1][2 * pair]) * (b + key->words[1][2 * pair + 1]);
}

static inline uint64_t identity_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* A value of exactly 36 bytes, as UUIDs are: the same as identity_add, and inline. */
static inline void identity_add_uuid(struct identity *identity, const struct identity_keys *keys,
                                     unsigned part, const char *value)
{
    const struct identity_key *key = &keys->parts[part];
    uint32_t tail;
    memcpy(&tail, value + 32, sizeof tail);
    identity_add_pair(identity, key, 0, identity_word(value), identity_word(value + 8));
    identity_add_pair(identity, key, 1, identity_word(value + 16), identity_word(value + 24));
    identity_add_pair(identity, key, 2, le32toh(tail) | (uint64_t)1 << 32, 0);
}

/* A value of fewer than 8 bytes that the caller has in a register, first byte lowest, the bytes
 * behind them 0: the same as identity_add, and inline. */
static inline void identity_add_short(struct identity *identity, const struct identity_keys *keys,
                                      unsigned part, uint64_t bytes, unsigned length)
{
    assert(length < 8 && bytes >> 8 * length == 0);
    identity_add_pair(identity, &keys->parts[part], 0, bytes | (uint64_t)1 << 8 * length, 0);
}

static inline void identity_add_number(struct identity *identity, const struct identity_keys *keys,
                                       unsigned part, uint64_t number)
{
    identity_add_pair(identity, &keys->parts[part], 0, number, 0);
}

static inline uint128 identity_wide(const uint64_t words[2])
{
    return (uint128)words[1] << 64 | words[0];
}

static inline uint64_t identity_fold(const uint64_t fold[3][2], uint128 sum)
{
    uint128 total = identity_wide(fold[0]) + identity_wide(fold[1]) * (uint64_t)sum +
                    identity_wide(fold[2]) * (uint64_t)(sum >> 64);
    uint64_t x = (uint64_t)(total >> 64);
    /* The fold is linear: the mix, a bijection, is what makes near sums look unrelated. Source: the
     * finaliser of splitmix64. */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The hash of all parts: low is well mixed in every bit, and the two words are never both 0, which
 * marks a free slot in the tables. */
static inline struct hash128 identity_hash(const struct identity *identity,
                                           const struct identity_keys *keys)
{
    struct hash128 hash = {identity_fold(keys->fold[0], identity->sum[0]),
                           identity_fold(keys->fold[1], identity->sum[1])};
    if ((hash.low | hash.high) == 0)
        hash.low = 1;
    return hash;
}

#endif
