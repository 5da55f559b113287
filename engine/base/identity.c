#include "base/identity.h"

static uint64_t draw(uint64_t seed, uint64_t *counter)
{
    uint64_t place = htole64((*counter)++);
    return hash64(slice_of((const char *)&place, sizeof place), seed);
}

void identity_keys_init(struct identity_keys *keys, uint64_t seed)
{
    uint64_t counter = 0;
    keys->seed = seed;
    for (int sum = 0; sum < 2; sum++)
        for (int i = 0; i < 3; i++) {
            keys->fold[sum][i][1] = draw(seed, &counter);
            keys->fold[sum][i][0] = draw(seed, &counter);
        }
    /* Part by part, so that more parts leave the keys of these as they are. */
    for (int part = 0; part < IDENTITY_PARTS; part++)
        for (int sum = 0; sum < 2; sum++)
            for (int word = 0; word < 2 * IDENTITY_PAIRS; word++)
                keys->parts[part].words[sum][word] = draw(seed, &counter);
}

/* The last length % 8 bytes with the terminator above them. */
static uint64_t tail_word(struct slice value)
{
    unsigned rest = value.length & 7;
    uint64_t terminator = (uint64_t)1 << 8 * rest;
    if (value.length >= 8) {
        uint64_t last = identity_word(value.data + value.length - 8);
        return last >> 8 * (7 - rest) >> 8 | terminator;
    }
    if (rest >= 4) { /* two reads that overlap */
        uint32_t first, last;
        memcpy(&first, value.data, sizeof first);
        memcpy(&last, value.data + rest - 4, sizeof last);
        return le32toh(first) | (uint64_t)le32toh(last) << 8 * (rest - 4) | terminator;
    }
    uint64_t bytes = 0;
    for (unsigned i = 0; i < rest; i++)
        bytes |= (uint64_t)(unsigned char)value.data[i] << 8 * i;
    return bytes | terminator;
}

void identity_add(struct identity *identity, const struct identity_keys *keys, unsigned part,
                  struct slice value)
{
    assert(part < IDENTITY_PARTS);
    const struct identity_key *key = &keys->parts[part];
    if (value.length > IDENTITY_VALUE_BYTES) {
        struct hash128 reduced = hash128(value, keys->seed);
        identity_add_pair(identity, key, IDENTITY_PAIRS - 1, reduced.low, reduced.high);
        return;
    }
    if (value.length < 8) {
        identity_add_pair(identity, key, 0, tail_word(value), 0);
        return;
    }
    size_t words = value.length / 8;
    uint64_t tail = tail_word(value);
    for (unsigned pair = 0; 2 * pair <= words; pair++) {
        const char *at = value.data + 16 * (size_t)pair;
        uint64_t a = 2 * pair < words ? identity_word(at) : tail;
        uint64_t b = 2 * pair + 1 < words    ? identity_word(at + 8)
                     : 2 * pair + 1 == words ? tail
                                             : 0;
        identity_add_pair(identity, key, pair, a, b);
    }
}

void identity_add_named(struct identity *identity, const struct identity_keys *keys,
                        struct slice name, struct slice value)
{
    const struct identity_key *key = &keys->parts[IDENTITY_NAMED];
    struct hash128 named = hash128(name, keys->seed);
    struct hash128 valued = hash128(value, named.low);
    identity_add_pair(identity, key, 0, named.low, valued.low);
    identity_add_pair(identity, key, 1, named.high, valued.high);
}
