/* The fast JSON decoder and the reference decoder in turns give what the reference decoder gives
 * alone, and the pieces between hard ends give what the whole does. */
#include "adapters/fast_cut.h"
#include "adapters/fast_json.h"
#include "adapters/mixed_harness.h"
#include "fuzz/decode_fuzz.h"

static bool is_hard_end(struct slice input, size_t at)
{
    const char *data = input.data;
    if (at < 2 || at + 2 > input.length || data[at] != '{' || data[at + 1] != '"')
        return false;
    if (data[at - 1] != '\n')
        return false;
    return data[at - 2] == '}' || (at >= 3 && data[at - 2] == '\r' && data[at - 3] == '}');
}

static void check_pieces(struct slice input, const struct told *whole)
{
    struct told pieces = {0};
    size_t start = 0;
    size_t newest = 0;
    uint32_t lines = 0;
    for (size_t at = 1; at <= input.length; at++) {
        if (at < input.length && !is_hard_end(input, at))
            continue;
        told_by_reference(&pieces, &decoder_json, slice_of(input.data + start, at - start), start,
                          lines);
        for (size_t i = start; i < at; i++)
            lines += input.data[i] == '\n';
        if (at < input.length)
            newest = at;
        start = at;
    }
    told_check_same(whole, &pieces);
    CHECK(json_cut(input.data, input.length) == newest);
    told_fini(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fast_class *const classes[] = {
        &fast_json, &fast_json_portable, &fast_json_unlearnt, &fast_json_unlearnt_portable};
    struct slice input = slice_of((const char *)data, size);
    struct fuzz_cuts cuts = {.state = 0x9e3779b97f4a7c15u, .step_max = 700};
    struct told told = {0};
    for (size_t i = 0; i < size; i++)
        cuts.state = (cuts.state ^ data[i]) * 0x100000001b3u;
    cuts.state |= 1;
    told_by_reference(&told, &decoder_json, input, 0, 0);
    check_pieces(input, &told);
    for (int i = 0; i < 4; i++) {
        struct mixed mixed;
        CHECK(mixed_open(&mixed, classes[i], &decoder_json) == STATUS_OK);
        mixed_check(&mixed, input, &told, NULL, NULL);
        mixed_check(&mixed, input, &told, NULL, NULL); /* with what was learnt */
        mixed_check(&mixed, input, &told, fuzz_cut, &cuts);
        mixed_close(&mixed);
    }
    told_fini(&told);
    return 0;
}
