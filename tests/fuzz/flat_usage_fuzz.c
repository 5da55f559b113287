/* Fuzz target: the fast path of mediation beside the law. Whatever the JSON decoder makes of the
 * bytes, a flat record of it is the same usage by flat_usage as by normalise, or is left to that.
 */
#include "engine/mediate/flat_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flat_pair pair;
    char *text = calloc(1, size + DECODER_PADDING);
    struct record_block *block = malloc(sizeof(*block));
    struct decoder *decoder;
    assert(text && block);
    if (size)
        memcpy(text, data, size);
    enum status status = decoder_json.open(&decoder);
    assert(status == STATUS_OK);
    flat_pair_init(&pair, SLICE("cloud"), 42);
    for (size_t at = 0; at < size;) {
        size_t used = 0;
        status = decoder_json.decode(decoder, text + at, size - at, at, true, block, &used);
        assert(status == STATUS_OK && (used > 0 || block->count > 0));
        for (uint32_t i = 0; i < block->count; i++)
            for (int round = 0; round < 2; round++) { /* again, with what was kept */
                enum flat_verdict verdict;
                const char *difference = flat_compare(&pair, block, &block->records[i], &verdict);
                assert(!difference);
                (void)difference;
            }
        at += used;
    }
    flat_pair_fini(&pair);
    decoder_json.close(decoder);
    free(block);
    free(text);
    return 0;
}
