/* The one encoding of everything we store: a growing byte buffer and a bounds-checked reader.
 *
 * Integers are little-endian fixed width or LEB128 varints; strings are a varint length and bytes.
 * A stored value starts with a format byte, chosen by its owner. store/ adds checksums, callers
 * need not. */
#ifndef RATEL_BASE_PACK_H
#define RATEL_BASE_PACK_H

#include "base/slice.h"
#include "base/status.h"
#include "base/wide.h"

/* Appends; after a failed allocation `failed` stays true and further puts do nothing: check once at
 * the end. */
struct packer {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

void pack_init(struct packer *packer);
void pack_fini(struct packer *packer);
void pack_reset(struct packer *packer); /* keeps the memory */
void pack_u8(struct packer *packer, uint8_t value);
void pack_u32(struct packer *packer, uint32_t value);
void pack_u64(struct packer *packer, uint64_t value);
void pack_i128(struct packer *packer, int128 value);
void pack_varint(struct packer *packer, uint64_t value);
void pack_bytes(struct packer *packer, const void *data, size_t length); /* raw, without a length */
void pack_slice(struct packer *packer, struct slice slice);              /* varint length, bytes */
/* Room for up to `most` bytes at the end, NULL after a failure: the caller writes them and says with
 * pack_took where they end. */
char *pack_room(struct packer *packer, size_t most);
static inline void pack_took(struct packer *packer, const char *end)
{
    packer->length = (size_t)(end - packer->data);
}
static inline struct slice pack_done(const struct packer *packer)
{
    return (struct slice){packer->data, packer->length};
}

/* Reads what pack wrote. Reading past the end sets `failed`, returns zeros, and stays failed. */
struct unpacker {
    const char *at;
    const char *end;
    bool failed;
};

void unpack_init(struct unpacker *unpacker, struct slice bytes);
uint8_t unpack_u8(struct unpacker *unpacker);
uint32_t unpack_u32(struct unpacker *unpacker);
uint64_t unpack_u64(struct unpacker *unpacker);
int128 unpack_i128(struct unpacker *unpacker);
uint64_t unpack_varint(struct unpacker *unpacker);
struct slice unpack_bytes(struct unpacker *unpacker, size_t length);
struct slice unpack_slice(struct unpacker *unpacker); /* borrows from the input */
static inline bool unpack_at_end(const struct unpacker *unpacker)
{
    return unpacker->at == unpacker->end;
}

#endif
