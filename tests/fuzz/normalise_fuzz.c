/* Fuzz target: from the bytes of a file to usage. Whatever a decoder lets through, normalise gives
 * it one of three verdicts; an event's window, quantity and identity keep their promises, and the
 * same record is the same usage each time. */
#include <assert.h>
#include <stdlib.h>

#include "adapters/adapter.h"
#include "mediate/definition.h"
#include "mediate/normalise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_definition(const struct normaliser *normaliser, const struct usage *usage)
{
    struct definition definition;
    enum status status = definition_unpack(usage->definition, &definition);
    assert(status == STATUS_OK);
    assert(definition.payer_id.length > 0 && definition.meter_name.length > 0);
    for (uint32_t i = 1; i < definition.attribute_count; i++)
        assert(slice_compare(definition.attributes[i - 1].name, definition.attributes[i].name) < 0);
    struct packer packer;
    pack_init(&packer);
    definition_pack(&definition, &packer);
    assert(slice_equal(pack_done(&packer), usage->definition));
    struct hash128 hash = definition_identity(&definition, &normaliser->keys);
    assert(hash128_equal(hash, usage->series_hash));
    pack_fini(&packer);
}

static void check_usage(const struct normaliser *normaliser, const struct record *record,
                        const struct usage *usage)
{
    if (usage->verdict != VERDICT_EVENT) {
        assert(usage->reason[0] && strlen(usage->reason) < sizeof(usage->reason));
        return;
    }
    assert(record->state == RECORD_DECODED);
    assert(usage->quantity.quanta >= 0);
    assert(usage->has_id == (usage->start.seconds == usage->end.seconds));
    assert(usage->start.seconds <= usage->end.seconds &&
           usage->end.seconds - usage->start.seconds <= UINT32_MAX);
    check_definition(normaliser, usage);
}

static void check_record(struct normaliser *normaliser, const struct record_block *block,
                         const struct record *record)
{
    struct usage usage, again;
    normalise(normaliser, block, record, &usage);
    check_usage(normaliser, record, &usage);
    normalise(normaliser, block, record, &again);
    assert(again.verdict == usage.verdict && strcmp(again.reason, usage.reason) == 0);
    if (usage.verdict != VERDICT_EVENT)
        return;
    assert(hash128_equal(again.series_hash, usage.series_hash) && again.has_id == usage.has_id);
    assert(again.start.seconds == usage.start.seconds && again.end.seconds == usage.end.seconds);
    assert(again.quantity.quanta == usage.quantity.quanta);
    assert(!usage.has_id || hash128_equal(again.id, usage.id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *window = calloc(1, size + DECODER_PADDING);
    struct record_block *block = malloc(sizeof(*block));
    struct decoder *decoder;
    struct normaliser normaliser;
    assert(window && block);
    if (size)
        memcpy(window, data, size);
    enum status status = decoder_json.open(&decoder);
    assert(status == STATUS_OK);
    normaliser_init(&normaliser, SLICE("cloud"), 42);
    for (size_t at = 0; at < size;) {
        size_t used = 0;
        status = decoder_json.decode(decoder, window + at, size - at, at, true, block, &used);
        assert(status == STATUS_OK && (used > 0 || block->count > 0));
        for (uint32_t i = 0; i < block->count; i++)
            check_record(&normaliser, block, &block->records[i]);
        at += used;
    }
    normaliser_fini(&normaliser);
    decoder_json.close(decoder);
    free(block);
    free(window);
    return 0;
}
