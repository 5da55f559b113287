/* Fuzz target: a journal frame's payload. Its checksum held, so it is another version's or a bug's;
 * it must be refused or give as much as it says, and what it gives, packed again, must read the
 * same. */
#include <assert.h>
#include <stdlib.h>

#include "account/journal.h"
#include "mediate/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything of one frame, out of its cursors. */
struct contents {
    struct journal_frame frame;
    struct event *events;
    struct hash128 *ids;
    struct slice *definitions;
    struct conflict *conflicts;
    uint32_t *resolutions;
};

/* No list can have more entries than the payload has bytes: a count that promises more and passes
 * would make recovery run for hours. */
static void *list(uint32_t count, size_t bytes, size_t payload_bytes)
{
    assert(count <= payload_bytes);
    void *items = calloc(count + 1, bytes);
    assert(items);
    return items;
}

static void read_contents(const struct frame *frame, struct contents *ret)
{
    struct journal_frame *in = &ret->frame;
    size_t bytes = frame->payload.length;
    ret->events = list(in->event_count, sizeof(*ret->events), bytes);
    ret->ids = list(in->id_count, sizeof(*ret->ids), bytes);
    ret->definitions = list(in->definition_count, sizeof(*ret->definitions), bytes);
    ret->conflicts = list(in->conflict_count, sizeof(*ret->conflicts), bytes);
    ret->resolutions = list(in->resolution_count, sizeof(*ret->resolutions), bytes);
    for (uint32_t i = 0; i < in->event_count; i++)
        ret->events[i] = journal_event(in, i);
    for (uint32_t i = 0; i < in->id_count; i++)
        ret->ids[i] = journal_id(in, i);
    for (uint32_t i = 0; i < in->definition_count; i++) {
        struct definition definition;
        ret->definitions[i] = journal_next_definition(in);
        if (definition_unpack(ret->definitions[i], &definition) == STATUS_OK)
            (void)definition_resource(&definition);
    }
    for (uint32_t i = 0; i < in->conflict_count; i++)
        ret->conflicts[i] = journal_next_conflict(in);
    for (uint32_t i = 0; i < in->resolution_count; i++)
        ret->resolutions[i] = journal_next_resolution(in);
    assert(!in->definitions.failed && !in->conflicts.failed && !in->resolutions.failed);
}

static void free_contents(struct contents *contents)
{
    free(contents->events);
    free(contents->ids);
    free(contents->definitions);
    free(contents->conflicts);
    free(contents->resolutions);
}

static void pack_contents(const struct contents *contents, struct packer *packer)
{
    const struct journal_frame *frame = &contents->frame;
    struct journal_commit commit = {
        .events = contents->events,
        .event_count = frame->event_count,
        .ids = contents->ids,
        .id_count = frame->id_count,
        .series_first = frame->series_first,
        .definitions = contents->definitions,
        .definition_count = frame->definition_count,
        .conflicts = contents->conflicts,
        .conflict_count = frame->conflict_count,
        .resolutions = contents->resolutions,
        .resolution_count = frame->resolution_count,
        .position = frame->position,
        .counts = frame->counts,
    };
    journal_pack(&commit, packer);
    assert(!packer->failed);
}

static void check_round_trip(const struct contents *contents)
{
    struct packer first, second;
    pack_init(&first);
    pack_init(&second);
    pack_contents(contents, &first);
    struct frame frame = {
        .sequence = 1, .kind = JOURNAL_FRAME_COMMIT, .payload = pack_done(&first)};
    struct contents again;
    struct error error;
    enum status status = journal_unpack(&frame, &again.frame, &error);
    assert(status == STATUS_OK);
    read_contents(&frame, &again);
    pack_contents(&again, &second);
    assert(slice_equal(pack_done(&first), pack_done(&second)));
    free_contents(&again);
    pack_fini(&first);
    pack_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *payload = malloc(size + 1); /* of its own, so that a read past the end is seen */
    assert(payload);
    if (size)
        memcpy(payload, data, size);
    struct frame frame = {
        .sequence = 1, .kind = JOURNAL_FRAME_COMMIT, .payload = slice_of(payload, size)};
    struct contents contents;
    struct error error = {0};
    enum status status = journal_unpack(&frame, &contents.frame, &error);
    assert(status == STATUS_OK || status == STATUS_CORRUPT || status == STATUS_VERSION);
    if (status == STATUS_OK) {
        read_contents(&frame, &contents);
        check_round_trip(&contents);
        free_contents(&contents);
    } else {
        assert(error.text[0]);
    }
    free(payload);
    return 0;
}
