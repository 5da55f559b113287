#include "base/pack.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define PACK_CAPACITY_FIRST 256
#define VARINT_BYTES_MAX    10

void pack_init(struct packer *packer)
{
    *packer = (struct packer){0};
}

void pack_fini(struct packer *packer)
{
    free(packer->data);
    *packer = (struct packer){0};
}

void pack_reset(struct packer *packer)
{
    packer->length = 0;
    packer->failed = false;
}

static bool grow(struct packer *packer, size_t more)
{
    if (more > SIZE_MAX / 4 - packer->length) {
        packer->failed = true;
        return false;
    }
    size_t capacity = packer->capacity ? packer->capacity : PACK_CAPACITY_FIRST;
    while (capacity < packer->length + more)
        capacity *= 2;
    char *data = realloc(packer->data, capacity);
    if (!data) {
        packer->failed = true;
        return false;
    }
    packer->data = data;
    packer->capacity = capacity;
    return true;
}

/* Room for `more` bytes at the end, or NULL after a failure. */
static inline char *room(struct packer *packer, size_t more)
{
    assert(packer->length <= packer->capacity);
    if (packer->failed)
        return NULL;
    if (packer->capacity - packer->length < more && !grow(packer, more))
        return NULL;
    char *at = packer->data + packer->length;
    packer->length += more;
    return at;
}

char *pack_room(struct packer *packer, size_t most)
{
    char *at = room(packer, most);
    if (at)
        packer->length -= most;
    return at;
}

void pack_bytes(struct packer *packer, const void *data, size_t length)
{
    if (length == 0)
        return;
    char *at = room(packer, length);
    if (at)
        memcpy(at, data, length);
}

void pack_u8(struct packer *packer, uint8_t value)
{
    char *at = room(packer, sizeof value);
    if (at)
        *at = (char)value;
}

void pack_u32(struct packer *packer, uint32_t value)
{
    value = htole32(value);
    char *at = room(packer, sizeof value);
    if (at)
        memcpy(at, &value, sizeof value);
}

void pack_u64(struct packer *packer, uint64_t value)
{
    value = htole64(value);
    char *at = room(packer, sizeof value);
    if (at)
        memcpy(at, &value, sizeof value);
}

void pack_i128(struct packer *packer, int128 value)
{
    uint64_t halves[2] = {htole64((uint64_t)value), htole64((uint64_t)((uint128)value >> 64))};
    char *at = room(packer, sizeof halves);
    if (at)
        memcpy(at, halves, sizeof halves);
}

void pack_varint(struct packer *packer, uint64_t value)
{
    unsigned char bytes[VARINT_BYTES_MAX];
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (unsigned char)value;
    pack_bytes(packer, bytes, length);
}

void pack_slice(struct packer *packer, struct slice slice)
{
    pack_varint(packer, slice.length);
    pack_bytes(packer, slice.data, slice.length);
}

void unpack_init(struct unpacker *unpacker, struct slice bytes)
{
    const char *start = bytes.data ? bytes.data : "";
    *unpacker = (struct unpacker){.at = start, .end = start + bytes.length};
}

/* The next `length` bytes, or NULL after a failure. */
static inline const char *take(struct unpacker *unpacker, size_t length)
{
    assert(unpacker->at <= unpacker->end);
    if (unpacker->failed || (size_t)(unpacker->end - unpacker->at) < length) {
        unpacker->failed = true;
        return NULL;
    }
    const char *at = unpacker->at;
    unpacker->at += length;
    return at;
}

uint8_t unpack_u8(struct unpacker *unpacker)
{
    const char *at = take(unpacker, 1);
    return at ? (uint8_t)*at : 0;
}

uint32_t unpack_u32(struct unpacker *unpacker)
{
    uint32_t value = 0;
    const char *at = take(unpacker, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return le32toh(value);
}

uint64_t unpack_u64(struct unpacker *unpacker)
{
    uint64_t value = 0;
    const char *at = take(unpacker, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return le64toh(value);
}

int128 unpack_i128(struct unpacker *unpacker)
{
    uint64_t halves[2] = {0, 0};
    const char *at = take(unpacker, sizeof halves);
    if (at)
        memcpy(halves, at, sizeof halves);
    return (int128)((uint128)le64toh(halves[1]) << 64 | le64toh(halves[0]));
}

uint64_t unpack_varint(struct unpacker *unpacker)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        uint8_t byte = unpack_u8(unpacker);
        if (unpacker->failed)
            return 0;
        if (shift == 63 && byte > 1)
            break; /* more than 64 bits */
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (byte == 0 && shift > 0)
            break; /* padded: pack never writes it, and one value must have one encoding */
        return value;
    }
    unpacker->failed = true;
    return 0;
}

struct slice unpack_bytes(struct unpacker *unpacker, size_t length)
{
    const char *at = take(unpacker, length);
    return at ? (struct slice){at, length} : (struct slice){NULL, 0};
}

struct slice unpack_slice(struct unpacker *unpacker)
{
    uint64_t length = unpack_varint(unpacker);
    if (length > SIZE_MAX) {
        unpacker->failed = true;
        return (struct slice){NULL, 0};
    }
    return unpack_bytes(unpacker, (size_t)length);
}
