// The libraries that the engine's decoders are held against, alone: simdjson on demand and
// msgpack-c, over bytes in memory, nothing kept.
#include <msgpack.h>
#include <simdjson.h>

#include "ratel/bench_bare.h"

namespace
{

namespace ondemand = simdjson::ondemand;
constexpr uint64_t wrong = BENCH_BARE_WRONG;

// What the compiler must take for used.
template <typename Value> void use(const Value &value)
{
    asm volatile("" : : "m"(value) : "memory");
}

// The fields that every kind of record is identified, dated and priced by, asked for by name in the
// order in which CloudStack writes them, each as what it is. Not all records have all of them.
uint64_t fields_of(ondemand::object &object)
{
    uint64_t found = 0;
    auto text = [&](const char *name) {
        std::string_view value;
        found += !object.find_field_unordered(name).get_string().get(value);
        use(value);
    };
    auto number = [&](const char *name) {
        int64_t value = 0;
        found += !object.find_field_unordered(name).get_int64().get(value);
        use(value);
    };
    text("accountid");
    text("domainid");
    text("zoneid");
    number("usagetype");
    text("rawusage");
    text("offeringid");
    text("usageid");
    text("type");
    number("size");
    number("cpunumber");
    number("memory");
    text("startdate");
    text("enddate");
    return found;
}

// The value as what it is: a string unescaped, a number parsed; lists and objects are met.
bool read_value(ondemand::value value)
{
    ondemand::json_type type;
    if (value.type().get(type))
        return false;
    if (type == ondemand::json_type::string) {
        std::string_view text;
        bool good = !value.get_string().get(text);
        use(text);
        return good;
    }
    if (type == ondemand::json_type::number) {
        ondemand::number number;
        bool good = !value.get_number().get(number);
        use(number);
        return good;
    }
    return true;
}

template <bench_bare_way way> bool read_object(ondemand::object object)
{
    if (way == BENCH_BARE_FIELDS)
        return fields_of(object) >= 7; // those that every record has
    for (auto field : object) {
        ondemand::raw_json_string key;
        if (field.key().get(key))
            return false;
        use(key);
        ondemand::value value;
        if (field.value().get(value))
            return false;
        if (way == BENCH_BARE_MEMBERS)
            use(value.raw_json_token());
        else if (!read_value(value))
            return false;
    }
    return true;
}

template <bench_bare_way way> uint64_t read_all(const char *bytes, size_t length)
{
    ondemand::parser parser;
#ifdef SIMDJSON_THREADS_ENABLED
    parser.threaded = false; // one core for everybody
#endif
    ondemand::document_stream stream;
    uint64_t records = 0;
    if (parser.iterate_many(bytes, length, 1 << 20).get(stream))
        return wrong;
    for (auto document : stream) {
        ondemand::object object;
        if (document.get_object().get(object) || !read_object<way>(object))
            return wrong;
        records++;
    }
    return records;
}

} // namespace

uint64_t bench_bare_simdjson(const char *bytes, size_t length, enum bench_bare_way way)
{
    switch (way) {
    case BENCH_BARE_FIELDS:
        return read_all<BENCH_BARE_FIELDS>(bytes, length);
    case BENCH_BARE_VALUES:
        return read_all<BENCH_BARE_VALUES>(bytes, length);
    case BENCH_BARE_MEMBERS:
        return read_all<BENCH_BARE_MEMBERS>(bytes, length);
    }
    return wrong;
}

uint64_t bench_bare_msgpackc(const char *bytes, size_t length)
{
    uint64_t records = 0;
    size_t at = 0;
    msgpack_unpacked unpacked;
    msgpack_unpack_return code;
    msgpack_unpacked_init(&unpacked);
    while ((code = msgpack_unpack_next(&unpacked, bytes, length, &at)) == MSGPACK_UNPACK_SUCCESS) {
        use(unpacked.data);
        records++;
    }
    msgpack_unpacked_destroy(&unpacked);
    return at == length ? records : wrong;
}
