/* The libraries that the engine's decoders are held against, alone: simdjson on demand and
 * msgpack-c, over bytes in memory, nothing checked beyond what they check, nothing kept. */
#ifndef RATEL_TOOLS_BENCH_BARE_H
#define RATEL_TOOLS_BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_BARE_WRONG UINT64_MAX

enum bench_bare_way {
    BENCH_BARE_FIELDS, /* 13 fields by name, in the order of the text, each as what it is */
    BENCH_BARE_VALUES, /* every member is met, every value is read as what it is */
    BENCH_BARE_MEMBERS /* every member is met, no value is read */
};

/* Records that the library met in the bytes, or BENCH_BARE_WRONG; 64 more bytes are readable. */
uint64_t bench_bare_simdjson(const char *bytes, size_t length, enum bench_bare_way way);
uint64_t bench_bare_msgpackc(const char *bytes, size_t length);

#ifdef __cplusplus
}
#endif

#endif
