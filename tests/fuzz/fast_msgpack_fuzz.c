/* Whole and cut into pieces: the fast msgpack decoder and the reference decoder together must say
 * the same as the reference decoder alone. The input is read twice by the same fast decoder, with
 * much room behind it: the second time it knows the layouts. */
#include "adapters/fast_msgpack_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Enough records of one layout behind the input that the learnt way is taken within it. */
static const char tail[] = "\x82\xa9usagetype\x01\xa8rawusage\xa2"
                           "24";

static void check_kernel(const struct msgpack_kernel *kernel, struct slice input,
                         struct fast_cuts cuts, const char *expected, size_t length)
{
    struct fast_decoder *fast;
    CHECK(fast_msgpack_open_with(kernel, true, &fast) == STATUS_OK);
    check_stream(fast, input, (struct fast_cuts){.random = cuts.random, .reference_max = 100},
                 expected, length, NULL);
    check_stream(fast, input, cuts, expected, length, NULL);
    fast_msgpack.close(fast);
    struct cut_decoders cut;
    cut_open(&cut, kernel);
    check_cut_stream(&cut, input, (struct fast_cuts){.random = cuts.random}, expected, length);
    check_cut_stream(&cut, input, cuts, expected, length);
    cut_close(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kernels[] = {"portable", "sse2", "avx2", "avx512"};
    struct text text = {0};
    struct fast_cuts cuts = {.random = 0x9e3779b97f4a7c15u, .reference_max = 64};
    for (size_t i = 0; i < size; i++)
        cuts.random = (cuts.random ^ data[i]) * 0x100000001b3u;
    cuts.random |= 1;
    cuts.arrive_max = cuts.random % 3 == 0 ? 50 : cuts.random % 3 == 1 ? 3000 : 0;
    /* Twice, so that an order of keys becomes familiar. */
    text_put(&text, (const char *)data, size);
    text_put(&text, (const char *)data, size);
    for (int i = 0; i < 40; i++)
        text_put(&text, tail, sizeof(tail) - 1);
    struct slice input = slice_of(text.data, text.length);
    size_t length;
    char *expected = reference_text(input, &length);
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        const struct msgpack_kernel *kernel = fast_msgpack_kernel(kernels[i]);
        if (kernel)
            check_kernel(kernel, input, cuts, expected, length);
    }
    free(expected);
    free(text.data);
    return 0;
}
