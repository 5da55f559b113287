/* The bytes of one JSON object to the fields of a record, by way of simdjson. Numbers keep their
 * digits. */
#ifndef RATEL_ADAPTERS_JSON_RECORD_H
#define RATEL_ADAPTERS_JSON_RECORD_H

#include "adapters/decode.h"
#include "adapters/simdjson_shim.h"

struct json_reader {
    struct simdjson_shim *shim;
    struct json_member members[JSON_MEMBERS_MAX];
};

/* Fills `record`, whose raw bytes are `text`, an object that is balanced. On success *ret_reason is
 * NULL; otherwise it is why the record is bad, *ret_syntax tells whether the text is no JSON (then
 * a part of it may be another record), and `record` holds leftovers. `escapes`: whether the text
 * has a backslash. */
MUST_USE enum status json_record_read(struct json_reader *reader, struct feed *feed,
                                      struct record *record, struct slice text, bool escapes,
                                      const char **ret_reason, bool *ret_syntax);

/* The string between two quotes without its escapes: `raw` itself where it has none, else in
 * scratch. */
MUST_USE enum status json_unescape(struct scratch *scratch, struct slice raw, struct slice *ret,
                                   const char **ret_reason);

#endif
