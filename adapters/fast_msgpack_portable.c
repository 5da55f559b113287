/* The learnt way in machine words, for any processor. */
#define VECTOR_BYTES 8
#include "adapters/fast_msgpack_run.h"

const struct msgpack_kernel msgpack_kernel_portable = {"portable",    run_learnt, find_learnt,
                                                       follow_learnt, walk_pairs, count_high};
