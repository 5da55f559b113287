// workload.h for C++: the engine's headers are C.
#ifndef RATEL_BENCH_WORKLOAD_HH
#define RATEL_BENCH_WORKLOAD_HH

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" // `struct hash128` and the function that makes one
extern "C" {
#include "workload.h"
}
#pragma GCC diagnostic pop

#endif
