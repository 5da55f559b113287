#include "rate/meter.h"

#include <assert.h>
#include <stdio.h>

#define HOURS    "hour", DIMENSION_TIME, false
#define BYTES    "byte", DIMENSION_BYTES, false
#define REQUESTS "request", 0, false
#define MACHINE  (TIMES_CPUNUMBER | TIMES_CPUSPEED | TIMES_MEMORY)

/* In order of usage type: 1-14, then 21-31. The size of 26 stands in the record's description. */
#define METERS(ROW)                                                                                \
    ROW(1, "vm.running", HOURS, MACHINE)                                                           \
    ROW(2, "vm.allocated", HOURS, MACHINE)                                                         \
    ROW(3, "ip.address", HOURS, 0)                                                                 \
    ROW(4, "network.sent", BYTES, 0)                                                               \
    ROW(5, "network.received", BYTES, 0)                                                           \
    ROW(6, "volume", HOURS, TIMES_SIZE)                                                            \
    ROW(7, "template", HOURS, TIMES_SIZE | TIMES_VIRTUALSIZE)                                      \
    ROW(8, "iso", HOURS, TIMES_SIZE | TIMES_VIRTUALSIZE)                                           \
    ROW(9, "snapshot", HOURS, TIMES_SIZE)                                                          \
    ROW(10, "securitygroup", HOURS, 0)                                                             \
    ROW(11, "loadbalancer.rule", HOURS, 0)                                                         \
    ROW(12, "portforwarding.rule", HOURS, 0)                                                       \
    ROW(13, "network.offering", HOURS, 0)                                                          \
    ROW(14, "vpn.user", HOURS, 0)                                                                  \
    ROW(21, "disk.read.requests", REQUESTS, 0)                                                     \
    ROW(22, "disk.write.requests", REQUESTS, 0)                                                    \
    ROW(23, "disk.read.bytes", BYTES, 0)                                                           \
    ROW(24, "disk.write.bytes", BYTES, 0)                                                          \
    ROW(25, "vmsnapshot", HOURS, TIMES_SIZE | TIMES_VIRTUALSIZE)                                   \
    ROW(26, "volume.secondary", HOURS, TIMES_SIZE)                                                 \
    ROW(27, "vmsnapshot.primary", HOURS, TIMES_SIZE | TIMES_VIRTUALSIZE)                           \
    ROW(28, "backup", HOURS, TIMES_SIZE | TIMES_VIRTUALSIZE)                                       \
    ROW(29, "bucket", "byte", DIMENSION_BYTES, true, 0)                                            \
    ROW(30, "network", HOURS, 0)                                                                   \
    ROW(31, "vpc", HOURS, 0)

#define METER(type, name, ...)      {type, name, __VA_ARGS__},
#define METER_NAME(type, name, ...) {"" name, sizeof(name) - 1},

const struct meter meter_table[METER_BUILTIN_COUNT] = {METERS(METER)};
const struct slice meter_names[METER_BUILTIN_COUNT] = {METERS(METER_NAME)};

static const struct {
    const char *name;
    uint8_t attribute;
    uint8_t dimensions;
    int32_t bytes_per_base;
} attributes[] = {
    {"size", TIMES_SIZE, DIMENSION_BYTES, 1},
    {"virtualsize", TIMES_VIRTUALSIZE, DIMENSION_BYTES, 1},
    {"cpunumber", TIMES_CPUNUMBER, 0, 1},
    {"cpuspeed", TIMES_CPUSPEED, 0, 1},
    {"memory", TIMES_MEMORY, DIMENSION_BYTES, 1 << 20},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct meter *meter_by_usage_type(int type)
{
    const struct meter *meter = NULL;
    if (type >= 1 && type <= 14)
        meter = &meter_table[type - 1];
    else if (type >= 21 && type <= 31)
        meter = &meter_table[type - 7];
    assert(!meter || meter->usage_type == type);
    return meter;
}

const struct meter *meter_by_name(struct slice name)
{
    for (size_t i = 0; i < METER_BUILTIN_COUNT; i++)
        if (slice_equal(name, meter_names[i]))
            return &meter_table[i];
    return NULL;
}

/* CloudStack's own: what its records bear is known. Declared ones may carry anything. */
static bool is_builtin(const struct meter *meter)
{
    return meter && meter->usage_type != 0;
}

/* "size or virtualsize", for messages; empty when the meter's records bear none. */
static void attributes_list(const struct meter *meter, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(attributes); i++) {
        if (!(meter->attributes & attributes[i].attribute))
            continue;
        int written =
            snprintf(buffer + used, size - used, "%s%s", used ? " or " : "", attributes[i].name);
        assert(written > 0 && (size_t)written < size - used);
        used += (size_t)written;
    }
}

enum status times_of(const struct meter *meter, struct slice attribute, struct times *ret,
                     struct error *error)
{
    assert(ret);
    struct times found = {.present = true, .bytes_per_base = 1};
    uint8_t bit = 0;
    for (size_t i = 0; i < COUNT_OF(attributes); i++)
        if (slice_is(attribute, attributes[i].name)) {
            bit = attributes[i].attribute;
            found.dimensions = attributes[i].dimensions;
            found.bytes_per_base = attributes[i].bytes_per_base;
        }
    if (attribute.length == 0)
        return error_set(error, STATUS_INVALID, "times names no attribute");
    if (is_builtin(meter) && !(meter->attributes & bit)) {
        char list[80];
        attributes_list(meter, list, sizeof(list));
        return error_set(error, STATUS_INVALID, "records of meter %s do not carry `%.*s`: %s%s",
                         meter->name, attribute.length < 60 ? (int)attribute.length : 60,
                         attribute.data, list[0] ? "times may be " : "leave `times` out", list);
    }
    *ret = found;
    return STATUS_OK;
}

static const char *units_that_fit(uint8_t dimensions, const struct meter *meter)
{
    switch (dimensions) {
    case DIMENSION_BYTES | DIMENSION_TIME:
        return "GiB-month or GiB-hour";
    case DIMENSION_TIME:
        return "hour, day or month";
    case DIMENSION_BYTES:
        return "byte, GB or GiB";
    default:
        return is_builtin(meter) ? "request or 1000 requests" : "unit or 1000 units";
    }
}

/* What to do about `times`, where that may be what was forgotten or is too much. */
static void times_hint(const struct meter *meter, const struct times *times, char *buffer,
                       size_t size)
{
    buffer[0] = '\0';
    if (times && times->present && times->dimensions)
        (void)snprintf(buffer, size, ", or leave `times` out and use %s",
                       units_that_fit(meter ? meter->dimensions : 0, meter));
    else if (meter && (meter->attributes & TIMES_SIZE))
        (void)snprintf(buffer, size, ", or say `times: size` and use GiB-month or GiB-hour");
    else if (meter && (meter->attributes & TIMES_MEMORY))
        (void)snprintf(buffer, size, ", or say `times: memory` and use GiB-hour or GiB-month");
    else if (!meter)
        (void)snprintf(buffer, size,
                       " (a meter that is not CloudStack's counts plain units unless `kind: "
                       "meters` says otherwise)");
}

enum status unit_fits(const struct unit *unit, const struct meter *meter, const struct times *times,
                      struct error *error)
{
    assert(unit && unit->factor > 0);
    bool multiplied = times && times->present;
    uint8_t counted = meter ? meter->dimensions : 0;
    if (multiplied)
        counted |= times->dimensions;
    if (meter && meter->level)
        counted |= DIMENSION_TIME;
    const char *name = meter ? meter->name : "this meter";
    if (unit->dimensions != counted) {
        static const char *const counts[] = {"plain numbers", "bytes", "hours",
                                             "bytes by the hour"};
        char hint[200];
        times_hint(meter, times, hint, sizeof(hint));
        return error_set(error, STATUS_INVALID, "unit `%s` does not fit: %s counts %s%s: use %s%s",
                         unit->text, name, counts[counted], multiplied ? " with this `times`" : "",
                         units_that_fit(counted, meter), hint);
    }
    if (multiplied && unit->factor % times->bytes_per_base != 0)
        return error_set(error, STATUS_INVALID,
                         "unit `%s` does not fit: memory counts MiB and this is not a whole number "
                         "of them: use MiB or GiB "
                         "instead, for example GiB-hour",
                         unit->text);
    return STATUS_OK;
}
