/* The learnt way for processors with AVX2; compiled with -mavx2. */
#if defined(__x86_64__)
#define VECTOR_BYTES 32
#include "adapters/fast_msgpack_run.h"

const struct msgpack_kernel msgpack_kernel_avx2 = {"avx2",        run_learnt, find_learnt,
                                                   follow_learnt, walk_pairs, count_high};
#else
typedef int nothing_here;
#endif
