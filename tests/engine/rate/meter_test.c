#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rate/meter.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void test_meter__table_is_found_by_type_and_by_name(void **state)
{
    (void)state;
    int found = 0;
    for (int type = -3; type < 300; type++) {
        const struct meter *meter = meter_by_usage_type(type);
        assert_true((meter != NULL) == ((type >= 1 && type <= 14) || (type >= 21 && type <= 31)));
        if (!meter)
            continue;
        found++;
        assert_int_equal(meter->usage_type, type);
        assert_ptr_equal(meter_by_name(slice_string(meter->name)), meter);
    }
    assert_int_equal(found, METER_BUILTIN_COUNT);
    assert_null(meter_by_name(SLICE("vm.runnin")));
    assert_null(meter_by_name(SLICE("vm.running2")));
    assert_null(meter_by_name(SLICE("")));
    assert_string_equal(meter_by_usage_type(29)->name, "bucket");
    assert_int_equal(meter_seconds_scale(meter_by_usage_type(29)), 3600);
    assert_int_equal(meter_seconds_scale(meter_by_usage_type(6)), 1);
    assert_int_equal(meter_seconds_scale(NULL), 1);
}

/* says NULL: fits. meter "" is one that is not CloudStack's. */
static void test_meter__units_fit_what_is_counted(void **state)
{
    (void)state;
    static const struct {
        const char *meter;
        const char *times;
        const char *unit;
        const char *says;
    } cases[] = {
        {"vm.running", "", "hour", NULL},
        {"vm.running", "", "day", NULL},
        {"vm.running", "", "month", NULL},
        {"vm.running", "", "vcpu-hour", NULL},
        {"vm.running", "cpunumber", "hour", NULL},
        {"vm.running", "cpunumber", "vcpu-hour", NULL},
        {"vm.running", "cpuspeed", "MHz-hour", NULL},
        {"vm.running", "memory", "GiB-hour", NULL},
        {"vm.running", "memory", "MiB-month", NULL},
        {"vm.running", "memory", "hour",
         "use GiB-month or GiB-hour, or leave `times` out and use hour"},
        {"vm.running", "memory", "GB-hour", "memory counts MiB"},
        {"vm.running", "", "GiB-hour", "`times: memory`"},
        {"vm.running", "", "GiB", "vm.running counts hours"},
        {"vm.running", "", "request", "vm.running counts hours"},
        {"network.sent", "", "GiB", NULL},
        {"network.sent", "", "10 TB", NULL},
        {"network.sent", "", "GiB-month", "network.sent counts bytes: use byte, GB or GiB"},
        {"network.sent", "", "unit", "network.sent counts bytes"},
        {"disk.read.requests", "", "1000 requests", NULL},
        {"disk.read.requests", "", "GiB", "use request or 1000 requests"},
        {"disk.read.bytes", "", "MB", NULL},
        {"volume", "", "month", NULL},
        {"volume", "size", "GiB-month", NULL},
        {"volume", "size", "TB-hour", NULL},
        {"volume", "", "GiB-month", "say `times: size` and use GiB-month or GiB-hour"},
        {"volume", "size", "month", "leave `times` out and use hour, day or month"},
        {"volume", "size", "GiB", "use GiB-month or GiB-hour"},
        {"bucket", "", "GiB-month", NULL},
        {"bucket", "", "GB-hour", NULL},
        {"bucket", "", "GiB", "bucket counts bytes by the hour"},
        {"bucket", "", "hour", "bucket counts bytes by the hour"},
        {"ip.address", "", "month", NULL},
        {"vpn.user", "", "user-month", NULL},
        {"", "", "unit", NULL},
        {"", "", "1000 tokens", NULL},
        {"", "", "hour", "unless `kind: meters` says otherwise"},
        {"", "size", "GiB", NULL},
        {"", "memory", "MiB", NULL},
        {"", "seats", "unit", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct meter *meter = meter_by_name(slice_string(cases[i].meter));
        struct unit unit;
        struct times times = {0};
        struct error error = {0};
        assert_int_equal(unit_parse(slice_string(cases[i].unit), &unit, NULL), STATUS_OK);
        if (cases[i].times[0])
            assert_int_equal(times_of(meter, slice_string(cases[i].times), &times, &error),
                             STATUS_OK);
        enum status status = unit_fits(&unit, meter, &times, &error);
        if ((status == STATUS_OK) != (cases[i].says == NULL))
            fail_msg("%s x %s per %s: %s", cases[i].meter, cases[i].times, cases[i].unit,
                     error.text);
        if (cases[i].says && !strstr(error.text, cases[i].says))
            fail_msg("%s x %s per %s: message is: %s", cases[i].meter, cases[i].times,
                     cases[i].unit, error.text);
        if (!cases[i].times[0])
            assert_int_equal(unit_fits(&unit, meter, NULL, &error), status);
    }
}

static void test_meter__times_must_be_borne_by_the_records(void **state)
{
    (void)state;
    static const struct {
        const char *meter;
        const char *attribute;
        const char *says;
    } cases[] = {
        {"ip.address", "size", "leave `times` out"},
        {"volume", "memory", "times may be size"},
        {"volume", "virtualsize", "times may be size"},
        {"template", "virtualsize", NULL},
        {"vm.running", "size", "times may be cpunumber or cpuspeed or memory"},
        {"vm.running", "gpus", "do not carry `gpus`"},
        {"volume.secondary", "size", NULL},
        {"", "gpus", NULL},
        {"", "", "names no attribute"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct times times;
        struct error error = {0};
        enum status status = times_of(meter_by_name(slice_string(cases[i].meter)),
                                      slice_string(cases[i].attribute), &times, &error);
        if ((status == STATUS_OK) != (cases[i].says == NULL) ||
            (cases[i].says && !strstr(error.text, cases[i].says)))
            fail_msg("%s x %s: %s", cases[i].meter, cases[i].attribute, error.text);
    }
    const struct meter declared = {0, "gpu", "hour", DIMENSION_TIME, false, 0};
    struct times times;
    assert_int_equal(times_of(&declared, SLICE("memory"), &times, NULL), STATUS_OK);
    assert_true(times.present && times.bytes_per_base == 1 << 20 &&
                times.dimensions == DIMENSION_BYTES);
    assert_int_equal(times_of(&declared, SLICE("cards"), &times, NULL), STATUS_OK);
    assert_true(times.present && times.bytes_per_base == 1 && times.dimensions == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meter__table_is_found_by_type_and_by_name),
        cmocka_unit_test(test_meter__units_fit_what_is_counted),
        cmocka_unit_test(test_meter__times_must_be_borne_by_the_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
