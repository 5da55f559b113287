/* The learnt way for every x86-64 processor. */
#if defined(__x86_64__)
#define VECTOR_BYTES 16
#include "adapters/fast_msgpack_run.h"

const struct msgpack_kernel msgpack_kernel_sse2 = {"sse2",        run_learnt, find_learnt,
                                                   follow_learnt, walk_pairs, count_high};
#else
typedef int nothing_here;
#endif
