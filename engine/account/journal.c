#include "account/journal.h"

#include <assert.h>

#define JOURNAL_FORMAT          2
#define DEFINITIONS_AHEAD_BYTES 1536 /* some definitions, which are stepped over */

void counts_add(struct ingest_counts *total, const struct ingest_counts *more)
{
    total->read += more->read;
    total->accepted += more->accepted;
    total->duplicate += more->duplicate;
    total->conflict += more->conflict;
    total->ignored += more->ignored;
    total->quarantined += more->quarantined;
}

void counts_check(const struct ingest_counts *counts)
{
    assert(counts->read == counts->accepted + counts->duplicate + counts->conflict +
                               counts->ignored + counts->quarantined);
}

void journal_head(const struct journal_commit *commit, char out[JOURNAL_HEAD_BYTES])
{
    int64_t first = INSTANT_MAX.seconds, last = INSTANT_MIN.seconds;
    for (uint32_t i = 0; i < commit->event_count; i++) {
        int64_t start = commit->events[i].start;
        first = start < first ? start : first;
        last = start > last ? start : last;
    }
    const uint32_t counts[] = {JOURNAL_FORMAT, commit->event_count, commit->id_count, 0};
    const int64_t starts[] = {first, last};
    static_assert(sizeof(counts) + sizeof(starts) == JOURNAL_HEAD_BYTES, "the head's layout");
    memcpy(out, counts, sizeof(counts));
    memcpy(out + sizeof(counts), starts, sizeof(starts));
}

void journal_pack(const struct journal_commit *commit, struct packer *packer)
{
    char head[JOURNAL_HEAD_BYTES];
    journal_head(commit, head);
    pack_bytes(packer, head, sizeof(head));
    pack_bytes(packer, commit->events, commit->event_count * sizeof(struct event));
    journal_pack_tail(commit, packer);
}

void journal_pack_tail(const struct journal_commit *commit, struct packer *packer)
{
    pack_bytes(packer, commit->ids, commit->id_count * sizeof(struct hash128));
    pack_varint(packer, commit->series_first);
    pack_varint(packer, commit->definition_count);
    pack_varint(packer, commit->conflict_count);
    pack_varint(packer, commit->resolution_count);
    pack_slice(packer, commit->position.source);
    pack_slice(packer, commit->position.file);
    pack_varint(packer, commit->position.offset);
    pack_varint(packer, commit->counts.read);
    pack_varint(packer, commit->counts.accepted);
    pack_varint(packer, commit->counts.duplicate);
    pack_varint(packer, commit->counts.conflict);
    pack_varint(packer, commit->counts.ignored);
    pack_varint(packer, commit->counts.quarantined);
    pack_bytes(packer, commit->definitions_packed.data, commit->definitions_packed.length);
    for (uint32_t i = 0; i < commit->definition_count && commit->definitions; i++)
        pack_slice(packer, commit->definitions[i]);
    for (uint32_t i = 0; i < commit->conflict_count; i++)
        pack_bytes(packer, &commit->conflicts[i], sizeof(struct conflict));
    for (uint32_t i = 0; i < commit->resolution_count; i++)
        pack_varint(packer, commit->resolutions[i]);
}

struct slice journal_next_definition(struct journal_frame *frame)
{
    return unpack_slice(&frame->definitions);
}

struct conflict journal_next_conflict(struct journal_frame *frame)
{
    struct conflict conflict = {0};
    struct slice bytes = unpack_bytes(&frame->conflicts, sizeof(conflict));
    if (bytes.length == sizeof(conflict))
        memcpy(&conflict, bytes.data, sizeof(conflict));
    return conflict;
}

uint32_t journal_next_resolution(struct journal_frame *frame)
{
    return (uint32_t)unpack_varint(&frame->resolutions);
}

static enum status damaged(const struct frame *frame, struct error *error)
{
    return error_set(error, STATUS_CORRUPT,
                     "journal frame %llu does not hold what its header says: run `ratel verify`, "
                     "restore from a backup",
                     (unsigned long long)frame->sequence);
}

enum status journal_unpack(const struct frame *frame, struct journal_frame *ret,
                           struct error *error)
{
    struct unpacker in;
    unpack_init(&in, frame->payload);
    uint32_t format = unpack_u32(&in);
    if (frame->kind != JOURNAL_FRAME_COMMIT || format != JOURNAL_FORMAT)
        return error_set(error, STATUS_VERSION,
                         "journal frame %llu has kind %u, format %u; this program knows kind %d, "
                         "format %d: use the one that wrote it",
                         (unsigned long long)frame->sequence, frame->kind, format,
                         JOURNAL_FRAME_COMMIT, JOURNAL_FORMAT);
    ret->sequence = frame->sequence;
    ret->event_count = unpack_u32(&in);
    ret->id_count = unpack_u32(&in);
    (void)unpack_u32(&in);
    ret->start_min.seconds = (int64_t)unpack_u64(&in);
    ret->start_max.seconds = (int64_t)unpack_u64(&in);
    ret->events = unpack_bytes(&in, ret->event_count * sizeof(struct event)).data;
    ret->ids = unpack_bytes(&in, ret->id_count * sizeof(struct hash128)).data;
    ret->series_first = (uint32_t)unpack_varint(&in);
    ret->definition_count = (uint32_t)unpack_varint(&in);
    ret->conflict_count = (uint32_t)unpack_varint(&in);
    ret->resolution_count = (uint32_t)unpack_varint(&in);
    ret->position.source = unpack_slice(&in);
    ret->position.file = unpack_slice(&in);
    ret->position.offset = unpack_varint(&in);
    ret->counts.read = unpack_varint(&in);
    ret->counts.accepted = unpack_varint(&in);
    ret->counts.duplicate = unpack_varint(&in);
    ret->counts.conflict = unpack_varint(&in);
    ret->counts.ignored = unpack_varint(&in);
    ret->counts.quarantined = unpack_varint(&in);
    ret->definitions = in;
    for (uint32_t i = 0; i < ret->definition_count && !in.failed; i++) {
        __builtin_prefetch((const void *)((uintptr_t)in.at + DEFINITIONS_AHEAD_BYTES));
        (void)unpack_slice(&in);
    }
    ret->conflicts = in;
    (void)unpack_bytes(&in, ret->conflict_count * sizeof(struct conflict));
    ret->resolutions = in;
    for (uint32_t i = 0; i < ret->resolution_count && !in.failed; i++)
        (void)unpack_varint(&in);
    return in.failed || !unpack_at_end(&in) ? damaged(frame, error) : STATUS_OK;
}

struct walk {
    journal_visit *visit;
    void *context;
};

static enum status walk_frame(const struct frame *frame, void *context, struct error *error)
{
    struct walk *walk = context;
    struct journal_frame unpacked;
    enum status status = journal_unpack(frame, &unpacked, error);
    return status == STATUS_OK ? walk->visit(&unpacked, walk->context, error) : status;
}

enum status journal_walk(struct frames *frames, uint64_t from, journal_visit *visit, void *context,
                         struct error *error)
{
    struct walk walk = {visit, context};
    return frames_walk(frames, from, walk_frame, &walk, error);
}
