#include "account/positions.h"

#include <stdlib.h>

void positions_init(struct positions *positions)
{
    *positions = (struct positions){0};
}

void positions_fini(struct positions *positions)
{
    for (uint32_t i = 0; i < positions->count; i++)
        free(positions->items[i].name);
    free(positions->items);
    positions_init(positions);
}

static bool is_of(const struct stream_position *item, struct slice source, struct slice file)
{
    return item->source_length == source.length && item->file_length == file.length &&
           memcmp(item->name, source.data, source.length) == 0 &&
           memcmp(item->name + source.length, file.data, file.length) == 0;
}

static struct stream_position *find(const struct positions *positions, struct slice source,
                                    struct slice file)
{
    if (positions->last < positions->count &&
        is_of(&positions->items[positions->last], source, file))
        return &positions->items[positions->last];
    for (uint32_t i = 0; i < positions->count; i++)
        if (is_of(&positions->items[i], source, file))
            return &positions->items[i];
    return NULL;
}

/* A free place, or that of the stream that was not heard of for longest. */
static struct stream_position *place(struct positions *positions)
{
    if (!positions->items)
        positions->items = calloc(POSITIONS_STREAMS_MAX, sizeof(*positions->items));
    if (!positions->items)
        return NULL;
    if (positions->count < POSITIONS_STREAMS_MAX)
        return &positions->items[positions->count++];
    struct stream_position *oldest = &positions->items[0];
    for (uint32_t i = 1; i < positions->count; i++)
        if (positions->items[i].sequence < oldest->sequence)
            oldest = &positions->items[i];
    free(oldest->name);
    return oldest;
}

enum status positions_note(struct positions *positions, const struct source_position *position,
                           uint64_t sequence)
{
    if (position->source.length == 0 || position->file.length == 0)
        return STATUS_OK;
    struct stream_position *item = find(positions, position->source, position->file);
    if (!item) {
        char *name = malloc(position->source.length + position->file.length);
        item = name ? place(positions) : NULL;
        if (!item) {
            free(name);
            return STATUS_NO_MEMORY;
        }
        memcpy(name, position->source.data, position->source.length);
        memcpy(name + position->source.length, position->file.data, position->file.length);
        *item = (struct stream_position){
            .name = name,
            .source_length = (uint32_t)position->source.length,
            .file_length = (uint32_t)position->file.length,
        };
    }
    item->offset = position->offset;
    item->sequence = sequence;
    positions->last = (uint32_t)(item - positions->items);
    return STATUS_OK;
}

bool positions_find(const struct positions *positions, struct slice source, struct slice file,
                    uint64_t *ret_offset)
{
    const struct stream_position *item = find(positions, source, file);
    if (item)
        *ret_offset = item->offset;
    return item != NULL;
}

void positions_pack(const struct positions *positions, struct packer *packer)
{
    for (uint32_t i = 0; i < positions->count; i++) {
        const struct stream_position *item = &positions->items[i];
        pack_slice(packer, slice_of(item->name, item->source_length));
        pack_slice(packer, slice_of(item->name + item->source_length, item->file_length));
        pack_varint(packer, item->offset);
        pack_varint(packer, item->sequence);
    }
}

enum status positions_unpack(struct positions *positions, struct slice packed)
{
    struct unpacker in;
    unpack_init(&in, packed);
    while (!in.failed && !unpack_at_end(&in)) {
        struct source_position position;
        position.source = unpack_slice(&in);
        position.file = unpack_slice(&in);
        position.offset = unpack_varint(&in);
        uint64_t sequence = unpack_varint(&in);
        if (in.failed)
            break;
        enum status status = positions_note(positions, &position, sequence);
        if (status != STATUS_OK)
            return status;
    }
    return in.failed ? STATUS_CORRUPT : STATUS_OK;
}
