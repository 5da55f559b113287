/* The learnt way for processors with AVX-512; compiled with -mavx512bw -mavx512vl -mbmi2. */
#if defined(__x86_64__)
#define VECTOR_BYTES 64
#include "adapters/fast_msgpack_run.h"

const struct msgpack_kernel msgpack_kernel_avx512 = {"avx512",      run_learnt, find_learnt,
                                                     follow_learnt, walk_pairs, count_high};
#else
typedef int nothing_here;
#endif
