/* Units of a price: what one unit is, and how many quanta it holds. Whether a unit fits a meter: unit_fits in meter.h.
 *
 * Text: [N ]SIZE | [N ]TIME | [N ]SIZE-TIME | [N ]COUNT | [N ]COUNT-TIME, for example hour, month, GiB, GiB-month, vcpu-hour,
 * request, 1000 requests, unit, user-month. SIZE: byte KB MB GB TB PB (powers of 1000) KiB MiB GiB TiB PiB (powers of 1024).
 * TIME: hour, day (24 hours), month (by the card: the calendar month's hours, 730 or 720). COUNT: request(s), unit(s), vcpu, cpu, core,
 * MHz, or any other lower-case word for a declared meter: it counts 1. N: a positive integer up to UNIT_COUNT_MAX. byte, hour, day and
 * month may stand in the plural. A word that differs from a SIZE or TIME in case only (gib, Hour) is refused: as a count it
 * would be wrong by a factor of 2^30.
 *
 * How a quantity meets a unit. A bucket's quantity is a number of quanta, 10^-6 of what it counts:
 *   flows            base units of the meter (hours, bytes, requests, units)
 *   with `times`     base units x the attribute's number: volume x size is byte-hours, vm.running x memory is MiB-hours,
 *                    vm.running x cpunumber is (vcpu-)hours
 *   levels (bucket)  level x seconds of the window: byte-seconds
 * So a unit holds 10^6 x (factor / bytes_per_base) x (hours x seconds_scale) quanta: bytes_per_base is what one number of the quantity
 * is worth in bytes, seconds_scale how many numbers of the quantity an hour is. */
#ifndef RATEL_RATE_UNIT_H
#define RATEL_RATE_UNIT_H

#include "base/calendar.h"
#include "base/money.h"
#include "base/slice.h"
#include "base/status.h"

#define UNIT_COUNT_MAX 1000000000

enum unit_time { UNIT_TIME_NONE = 0, UNIT_TIME_HOUR, UNIT_TIME_DAY, UNIT_TIME_MONTH };

/* What a quantity counts. Bytes and time are dimensions; plain counts are not. */
enum { DIMENSION_BYTES = 1, DIMENSION_TIME = 2 };

enum month_hours { MONTH_ACTUAL = 0, MONTH_730 = 730, MONTH_720 = 720 };

struct unit {
    int128
        factor; /* N times the size factor: 2^30 for GiB, 1 for hour; in bytes, hours, days, months or counts */
    enum unit_time time;
    uint8_t dimensions; /* DIMENSION_* bits */
    char text[48];      /* as written, for output */
};

/* Errors: INVALID with a text that lists what fits. */
MUST_USE enum status unit_parse(struct slice text, struct unit *ret, struct error *error);

/* Quanta in one unit, always >= 10^6. `period` in `zone` (NULL: UTC) gives a month its hours where the card says MONTH_ACTUAL.
 * `bytes_per_base`: 1, or 2^20 for `times: memory` (struct times). `seconds_scale`: 1, or 3600 for a level (meter_seconds_scale).
 * A whole multiple of 10^6 but for one case: the bare month of a zone whose clock moved by half an hour (Lord Howe) holds 743.5 hours.
 * Errors: RANGE (does not come to whole quanta, or overflows). */
MUST_USE enum status unit_quanta(const struct unit *unit, enum month_hours month,
                                 const struct zone *zone, struct period period,
                                 int128 bytes_per_base, int64_t seconds_scale, int128 *ret);

#endif
