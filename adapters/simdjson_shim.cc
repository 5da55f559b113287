/* See simdjson_shim.h. No exceptions, no C++ types cross the border. */
#include "adapters/simdjson_shim.h"

#include <cstring>
#include <new>

#include <simdjson.h>

namespace ondemand = simdjson::ondemand;

/* Records are about 1 KiB; the memory for a long one, seven times its length, is taken when the
 * first one comes. */
static const size_t usual_bytes = 64 << 10;

struct simdjson_shim {
    ondemand::parser parser;
    size_t bytes_max;
};

struct simdjson_shim *simdjson_shim_new(size_t bytes_max)
{
    simdjson_shim *shim = new (std::nothrow) simdjson_shim;
    if (!shim)
        return nullptr;
    shim->bytes_max = bytes_max;
    if (shim->parser.allocate(usual_bytes)) {
        delete shim;
        return nullptr;
    }
    return shim;
}

void simdjson_shim_free(struct simdjson_shim *shim)
{
    delete shim;
}

static enum simdjson_shim_result result_of(simdjson::error_code error)
{
    switch (error) {
    case simdjson::SUCCESS:
        return SIMDJSON_SHIM_OK;
    case simdjson::MEMALLOC:
        return SIMDJSON_SHIM_NO_MEMORY;
    case simdjson::UTF8_ERROR:
        return SIMDJSON_SHIM_UTF8;
    case simdjson::UNESCAPED_CHARS:
        return SIMDJSON_SHIM_CONTROL;
    default:
        return SIMDJSON_SHIM_SYNTAX;
    }
}

/* simdjson has found the closing quote already but does not tell where; keys are short. */
static uint32_t key_length(const char *key)
{
    const char *at = key;
    while (*at != '"')
        at += *at == '\\' ? 2 : 1;
    return static_cast<uint32_t>(at - key);
}

static bool member_of(simdjson::simdjson_result<ondemand::field> &result,
                      struct json_member *member, simdjson::error_code *ret_error)
{
    ondemand::field field;
    *ret_error = std::move(result).get(field);
    if (*ret_error)
        return false;
    member->key = field.key().raw();
    member->key_length = key_length(member->key);
    std::string_view token = field.value().raw_json_token();
    size_t length = token.size();
    while (length > 1 && (token[length - 1] == ' ' || token[length - 1] == '\t' ||
                          token[length - 1] == '\n' || token[length - 1] == '\r'))
        length--;
    member->token = token.data();
    member->token_length = static_cast<uint32_t>(length);
    return true;
}

enum simdjson_shim_result simdjson_shim_object(struct simdjson_shim *shim, const char *text,
                                               size_t length, struct json_member *members,
                                               size_t *ret_count)
{
    ondemand::document document;
    ondemand::object object;
    simdjson::error_code error = simdjson::SUCCESS;
    if (length > shim->parser.capacity())
        error = shim->parser.allocate(length > shim->bytes_max ? length : shim->bytes_max);
    if (error)
        return result_of(error);
    error = shim->parser.iterate(text, length, length + simdjson::SIMDJSON_PADDING).get(document);
    if (error)
        return result_of(error);
    error = document.get_object().get(object);
    if (error)
        return result_of(error);
    size_t count = 0;
    for (simdjson::simdjson_result<ondemand::field> field : object) {
        if (count == JSON_MEMBERS_MAX)
            return SIMDJSON_SHIM_TOO_MANY;
        if (!member_of(field, &members[count], &error))
            return result_of(error);
        count++;
    }
    const char *behind;
    if (!document.current_location().get(behind)) /* no error: there is something left */
        return SIMDJSON_SHIM_SYNTAX;
    *ret_count = count;
    return SIMDJSON_SHIM_OK;
}

bool simdjson_shim_utf8_valid(const char *data, size_t length)
{
    return simdjson::validate_utf8(data, length);
}
