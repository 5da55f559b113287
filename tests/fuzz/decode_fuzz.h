/* A decoder must say the same of a stream however it is cut into windows, and keep the promises
 * that decode_harness.h checks.
 *
 * Each input is decoded in one piece and twice in windows of random sizes, the seed being its hash:
 * a failure repeats. Build with -DDECODE_RECORD_MAX=4096 (adapters and target) so that small inputs
 * reach the code for oversized records, too. */
#ifndef RATEL_TESTS_DECODE_FUZZ_H
#define RATEL_TESTS_DECODE_FUZZ_H

#include "adapters/decode_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_cuts {
    uint64_t state;
    size_t step_max;
};

static inline uint64_t fuzz_random(struct fuzz_cuts *cuts)
{
    cuts->state ^= cuts->state << 13;
    cuts->state ^= cuts->state >> 7;
    cuts->state ^= cuts->state << 17;
    return cuts->state;
}

static inline size_t fuzz_cut(void *context, size_t at, size_t length)
{
    struct fuzz_cuts *cuts = context;
    size_t step = 1 + (size_t)(fuzz_random(cuts) % cuts->step_max);
    return length - at < step ? length : at + step;
}

static inline int fuzz_decoder(const struct decoder_class *class, const uint8_t *data, size_t size)
{
    static const size_t step_max[] = {7, 700};
    struct slice input = slice_of((const char *)data, size);
    struct fuzz_cuts cuts = {.state = 0x9e3779b97f4a7c15u};
    for (size_t i = 0; i < size; i++)
        cuts.state = (cuts.state ^ data[i]) * 0x100000001b3u;
    cuts.state |= 1;
    char *whole = decode_whole(class, input, DECODE_ALL);
    for (size_t i = 0; i < sizeof(step_max) / sizeof(step_max[0]); i++) {
        cuts.step_max = step_max[i];
        char *cut = decode_cut(class, input, DECODE_ALL, fuzz_cut, &cuts);
        if (strcmp(whole, cut) != 0) {
            fprintf(stderr, "in one piece:\n%s\nin windows of up to %zu bytes:\n%s\n", whole,
                    step_max[i], cut);
            abort();
        }
        free(cut);
    }
    free(whole);
    /* A sniffer sees the same bytes; it must only not fail. */
    (void)decoder_sniff(input, false);
    return 0;
}

#endif
