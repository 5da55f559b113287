/* A streaming JSON writer to a FILE, for command output and exports. Numbers that are money or
 * quantities are written as strings. Commas, nesting and escapes are its business; wrong nesting is
 * an assertion. Every top-level value ends with a newline. Write errors stay in the FILE: check
 * ferror() or fclose() once at the end. */
#ifndef RATEL_BASE_JSON_H
#define RATEL_BASE_JSON_H

#include <stdio.h>

#include "base/instant.h"
#include "base/money.h"
#include "base/slice.h"

#define JSON_DEPTH_MAX 32

struct json {
    FILE *out;
    int depth;
    bool pretty;                     /* two-space indent; off gives one line (JSON Lines) */
    bool first[JSON_DEPTH_MAX + 1];  /* by depth: nothing has been written at it yet */
    bool object[JSON_DEPTH_MAX + 1]; /* by depth: an object, else an array */
    bool after_key;
};

void json_init(struct json *json, FILE *out, bool pretty);
void json_object(struct json *json);
void json_object_end(struct json *json);
void json_array(struct json *json);
void json_array_end(struct json *json);
void json_key(struct json *json, const char *key);
void json_string(struct json *json, struct slice value); /* invalid UTF-8 becomes U+FFFD */
/* Digits as they are: for numbers that are statistics, such as milliseconds with decimals. Asserts
 * that they are a JSON number. */
void json_number(struct json *json, struct slice digits);
void json_integer(struct json *json, int64_t value);
void json_boolean(struct json *json, bool value);
void json_null(struct json *json);

/* "key": value in one call. A NULL string writes null. */
void json_key_string(struct json *json, const char *key, const char *value);
void json_key_slice(struct json *json, const char *key, struct slice value);
void json_key_integer(struct json *json, const char *key, int64_t value);
void json_key_boolean(struct json *json, const char *key, bool value);
void json_key_money(struct json *json, const char *key,
                    struct money amount); /* exact, up to 12 decimals */
void json_key_amount(struct json *json, const char *key, struct money amount,
                     struct currency currency);
void json_key_quantity(struct json *json, const char *key, struct quantity quantity);
/* INSTANT_MIN and INSTANT_MAX, which stand for "open", become null. */
void json_key_instant(struct json *json, const char *key, struct instant instant);

#endif
