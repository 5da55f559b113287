/* The C face of simdjson, the one C++ library here: one JSON object in, its members as pointers
 * into the text out. */
#ifndef RATEL_ADAPTERS_SIMDJSON_SHIM_H
#define RATEL_ADAPTERS_SIMDJSON_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_MEMBERS_MAX 256

/* Borrowed from the parsed text. The key is without its quotes, escapes left in; the token is the
 * value as written: a string with its quotes, the digits of a number, or only the opening bracket
 * of a list or an object. */
struct json_member {
    const char *key;
    const char *token;
    uint32_t key_length;
    uint32_t token_length;
};

enum simdjson_shim_result {
    SIMDJSON_SHIM_OK = 0,
    SIMDJSON_SHIM_SYNTAX,
    SIMDJSON_SHIM_UTF8,
    SIMDJSON_SHIM_CONTROL, /* a raw control character within a string */
    SIMDJSON_SHIM_TOO_MANY,
    SIMDJSON_SHIM_NO_MEMORY,
};

struct simdjson_shim;

/* `bytes_max`: as long as objects usually are at most; once one has been longer than 64 KiB,
 * nothing more is allocated up to it. NULL when memory is gone. */
struct simdjson_shim *simdjson_shim_new(size_t bytes_max);
void simdjson_shim_free(struct simdjson_shim *shim);
/* Parses the object that `text` is, from its first to its last brace; DECODER_PADDING bytes after
 * it are readable. Values that are no string are not checked further than simdjson's structure
 * goes. `members` has room for JSON_MEMBERS_MAX. */
enum simdjson_shim_result simdjson_shim_object(struct simdjson_shim *shim, const char *text,
                                               size_t length, struct json_member *members,
                                               size_t *ret_count);
bool simdjson_shim_utf8_valid(const char *data, size_t length);

#ifdef __cplusplus
}
#endif

#endif
