#include "mediate/quarantine.h"

#include <assert.h>
#include <stdlib.h>

#include "base/pack.h"

/* Invariants:
 * Q-1 an entry's id is the sequence of its frame; marks name ids that came before.
 * Q-2 no two entries that are open or discarded have equal content. */

enum { FRAME_ENTRY = 1, FRAME_MARK = 2 };

struct quarantine {
    struct frames *frames;
    bool writer;
    struct arena arena;
    struct quarantine_entry *entries; /* in order of ids */
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* position + 1 by content hash; open addressing */
    uint32_t slot_count;
    struct packer packer;
};

static uint32_t slot_find(const struct quarantine *q, struct hash128 content)
{
    uint32_t slot = (uint32_t)content.low & (q->slot_count - 1);
    while (q->slots[slot] && !hash128_equal(q->entries[q->slots[slot] - 1].content, content))
        slot = (slot + 1) & (q->slot_count - 1);
    return slot;
}

static enum status reserve(struct quarantine *q)
{
    if (q->count == q->capacity) {
        uint32_t capacity = q->capacity ? q->capacity * 2 : 64;
        struct quarantine_entry *entries = realloc(q->entries, capacity * sizeof(*entries));
        if (!entries)
            return STATUS_NO_MEMORY;
        q->entries = entries;
        q->capacity = capacity;
    }
    if ((q->count + 1) * 2 <= q->slot_count)
        return STATUS_OK;
    uint32_t slot_count = q->slot_count ? q->slot_count * 2 : 256;
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (!slots)
        return STATUS_NO_MEMORY;
    free(q->slots);
    q->slots = slots;
    q->slot_count = slot_count;
    for (uint32_t i = 0; i < q->count; i++)
        q->slots[slot_find(q, q->entries[i].content)] =
            i + 1; /* of equal contents the newest counts */
    return STATUS_OK;
}

static enum status insert(struct quarantine *q, const struct quarantine_entry *entry)
{
    enum status status = reserve(q);
    if (status != STATUS_OK)
        return status;
    assert(q->count == 0 || q->entries[q->count - 1].id < entry->id); /* */
    struct quarantine_entry *kept = &q->entries[q->count];
    *kept = *entry;
    kept->source = arena_copy(&q->arena, entry->source);
    kept->file = arena_copy(&q->arena, entry->file);
    kept->reason = arena_copy(&q->arena, entry->reason);
    kept->raw = arena_copy(&q->arena, entry->raw);
    uint32_t slot = slot_find(q, kept->content);
    q->count++;
    q->slots[slot] = q->count;
    return STATUS_OK;
}

static struct hash128 content_hash(struct packer *packer, const struct quarantine_entry *entry)
{
    pack_reset(packer);
    pack_u8(packer, (uint8_t)entry->form);
    pack_slice(packer, entry->source);
    pack_slice(packer, entry->raw);
    return hash128(pack_done(packer), 0);
}

static const struct quarantine_entry *entry_by_id(const struct quarantine *q, uint64_t id)
{
    uint32_t low = 0, high = q->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (q->entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < q->count && q->entries[low].id == id ? &q->entries[low] : NULL;
}

static enum status load_frame(const struct frame *frame, void *context, struct error *error)
{
    struct quarantine *q = context;
    struct unpacker in;
    unpack_init(&in, frame->payload);
    if (frame->kind == FRAME_ENTRY) {
        struct quarantine_entry entry = {.id = frame->sequence};
        entry.form = unpack_u8(&in);
        entry.at.seconds = (int64_t)unpack_u64(&in);
        entry.source = unpack_slice(&in);
        entry.file = unpack_slice(&in);
        entry.offset = unpack_varint(&in);
        entry.line = (uint32_t)unpack_varint(&in);
        entry.reason = unpack_slice(&in);
        entry.raw = unpack_slice(&in);
        if (!in.failed && unpack_at_end(&in)) {
            entry.content = content_hash(&q->packer, &entry);
            return insert(q, &entry);
        }
    } else if (frame->kind == FRAME_MARK) {
        uint64_t id = unpack_u64(&in);
        uint8_t state = unpack_u8(&in);
        struct quarantine_entry *entry = (struct quarantine_entry *)entry_by_id(q, id);
        if (!in.failed && entry && state <= QUARANTINE_DISCARDED) {
            entry->state = state;
            return STATUS_OK;
        }
    }
    return error_set(
        error, STATUS_CORRUPT,
        "quarantine entry %llu is damaged: restore the quarantine folder from a backup",
        (unsigned long long)frame->sequence);
}

enum status quarantine_open(const char *directory, bool writer, struct quarantine **ret,
                            struct error *error)
{
    struct quarantine *q = calloc(1, sizeof(*q));
    if (!q)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    q->writer = writer;
    arena_init(&q->arena);
    pack_init(&q->packer);
    enum status status =
        writer
            ? frames_open(directory, (struct frames_options){.segment_bytes = FRAMES_SEGMENT_BYTES},
                          &q->frames, NULL, error)
            : frames_open_read(directory, &q->frames, error);
    if (status == STATUS_OK)
        status = frames_walk(q->frames, 0, load_frame, q, error);
    if (status != STATUS_OK) {
        quarantine_close(q);
        return status;
    }
    *ret = q;
    return STATUS_OK;
}

void quarantine_close(struct quarantine *q)
{
    if (!q)
        return;
    if (q->frames)
        frames_close(q->frames);
    pack_fini(&q->packer);
    arena_fini(&q->arena);
    free(q->entries);
    free(q->slots);
    free(q);
}

enum status quarantine_add(struct quarantine *q, const struct quarantine_entry *entry,
                           bool *ret_added, struct error *error)
{
    assert(q->writer);
    struct quarantine_entry kept = *entry;
    kept.content = content_hash(&q->packer, entry);
    kept.state = QUARANTINE_OPEN;
    if (q->slot_count) {
        uint32_t position = q->slots[slot_find(q, kept.content)];
        if (position && q->entries[position - 1].state != QUARANTINE_RETRIED) { /* */
            *ret_added = false;
            return STATUS_OK;
        }
    }
    struct packer *out = &q->packer;
    pack_reset(out);
    pack_u8(out, (uint8_t)kept.form);
    pack_u64(out, (uint64_t)kept.at.seconds);
    pack_slice(out, kept.source);
    pack_slice(out, kept.file);
    pack_varint(out, kept.offset);
    pack_varint(out, kept.line);
    pack_slice(out, kept.reason);
    pack_slice(out, kept.raw);
    if (out->failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = frames_append(q->frames, FRAME_ENTRY, pack_done(out), &kept.id, error);
    if (status == STATUS_OK)
        status = insert(q, &kept);
    if (status == STATUS_OK)
        *ret_added = true;
    return status;
}

enum status quarantine_mark(struct quarantine *q, uint64_t id, enum quarantine_state state,
                            struct error *error)
{
    assert(q->writer);
    struct quarantine_entry *entry = (struct quarantine_entry *)entry_by_id(q, id);
    if (!entry)
        return error_set(error, STATUS_NOT_FOUND,
                         "no quarantined record %llu: see `ratel quarantine list`",
                         (unsigned long long)id);
    pack_reset(&q->packer);
    pack_u64(&q->packer, id);
    pack_u8(&q->packer, (uint8_t)state);
    uint64_t sequence;
    enum status status =
        frames_append(q->frames, FRAME_MARK, pack_done(&q->packer), &sequence, error);
    if (status == STATUS_OK)
        entry->state = state;
    return status;
}

enum status quarantine_sync(struct quarantine *q, struct error *error)
{
    return frames_sync(q->frames, error);
}

uint32_t quarantine_count(const struct quarantine *q)
{
    return q->count;
}

const struct quarantine_entry *quarantine_at(const struct quarantine *q, uint32_t position)
{
    assert(position < q->count);
    return &q->entries[position];
}

const struct quarantine_entry *quarantine_find(const struct quarantine *q, uint64_t id)
{
    return entry_by_id(q, id);
}
