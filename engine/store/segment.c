#include "store/segment.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define WRITER_AT    48
#define WRITER_BYTES 12

static const char magic[8] = "RATELSEG";

static void put_u32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put_u64(char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get_u64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

void segment_encode(const struct segment *segment, char buffer[SEGMENT_HEADER_BYTES])
{
    static_assert(sizeof(RATEL_VERSION) <= WRITER_BYTES + 1, "the version fits into the header");
    assert(segment->number >= 1 && segment->number <= SEGMENT_NUMBER_MAX &&
           segment->first_sequence >= 1);
    assert(segment->alignment == FRAME_ALIGNMENT || segment->alignment == FRAME_ALIGNMENT_PACKED);
    memset(buffer, 0, SEGMENT_HEADER_BYTES);
    memcpy(buffer, magic, sizeof(magic));
    put_u32(buffer + 8, SEGMENT_FORMAT_VERSION);
    put_u32(buffer + 12, segment->alignment);
    put_u64(buffer + 16, segment->number);
    put_u64(buffer + 24, segment->first_sequence);
    put_u64(buffer + 32, segment->salt);
    put_u64(buffer + 40, segment->previous_bytes);
    memcpy(buffer + WRITER_AT, RATEL_VERSION, strlen(RATEL_VERSION));
    put_u32(buffer + 60, crc32c(0, buffer, 60));
}

enum status segment_decode(const char buffer[SEGMENT_HEADER_BYTES], struct segment *ret,
                           struct error *error)
{
    if (memcmp(buffer, magic, sizeof(magic)) != 0)
        return error_set(error, STATUS_CORRUPT, "not a segment of frames");
    if (get_u32(buffer + 60) != crc32c(0, buffer, 60))
        return error_set(error, STATUS_CORRUPT, "the segment's header does not match its checksum");
    uint32_t version = get_u32(buffer + 8);
    if (version != SEGMENT_FORMAT_VERSION)
        return error_set(error, STATUS_VERSION,
                         "segment format %u, written by ratel %.*s; this is ratel %s, which knows "
                         "format %u only",
                         version, WRITER_BYTES, buffer + WRITER_AT, RATEL_VERSION,
                         SEGMENT_FORMAT_VERSION);
    uint32_t alignment = get_u32(buffer + 12);
    if (alignment != FRAME_ALIGNMENT && alignment != FRAME_ALIGNMENT_PACKED)
        return error_set(error, STATUS_CORRUPT, "the segment's alignment is impossible: %u",
                         alignment);
    *ret = (struct segment){
        .alignment = alignment,
        .number = get_u64(buffer + 16),
        .first_sequence = get_u64(buffer + 24),
        .salt = get_u64(buffer + 32),
        .previous_bytes = get_u64(buffer + 40),
    };
    return STATUS_OK;
}

uint32_t segment_seed(const struct segment *segment)
{
    char salt[8];
    put_u64(salt, segment->salt);
    return crc32c(0, salt, sizeof(salt));
}

void segment_path(const char *directory, uint64_t number, const char *suffix,
                  char buffer[FRAMES_PATH_BYTES])
{
    int length = snprintf(buffer, FRAMES_PATH_BYTES, "%s/%08llu.%s", directory,
                          (unsigned long long)number, suffix);
    assert(length > 0 && length < FRAMES_PATH_BYTES);
}

bool bytes_are_zero(const char *data, uint64_t count)
{
    return count == 0 || (data[0] == 0 && memcmp(data, data + 1, count - 1) == 0);
}

void frame_encode(const struct frame_header *header, uint32_t seed, char buffer[FRAME_HEADER_BYTES])
{
    assert(header->length <= FRAME_BYTES_MAX && header->sequence >= 1 &&
           header->unsynced < header->sequence);
    put_u32(buffer, header->length);
    put_u32(buffer + 4, header->kind);
    put_u64(buffer + 8, header->sequence);
    put_u32(buffer + 16, header->unsynced);
    put_u32(buffer + 20, header->payload_crc);
    put_u32(buffer + 24, 0);
    put_u32(buffer + 28, crc32c(seed, buffer, 28));
}

bool frame_decode(const char *buffer, uint32_t seed, struct frame_header *ret)
{
    struct frame_header header = {
        .length = get_u32(buffer),
        .kind = get_u32(buffer + 4),
        .sequence = get_u64(buffer + 8),
        .unsynced = get_u32(buffer + 16),
        .payload_crc = get_u32(buffer + 20),
    };
    /* The cheap conditions first: this also runs over garbage, in search of witnesses. */
    if (header.length > FRAME_BYTES_MAX || header.sequence <= header.unsynced ||
        get_u32(buffer + 24) != 0)
        return false;
    if (get_u32(buffer + 28) != crc32c(seed, buffer, 28))
        return false;
    *ret = header;
    return true;
}
