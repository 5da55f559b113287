#include "rate/months.h"

#include <assert.h>

#define SECONDS_PER_DAY        86400
#define SECONDS_PER_MEAN_MONTH 2629746 /* of 400 years */

static struct instant month_start_utc(struct period period)
{
    return (struct instant){civil_to_days(period.index / 12, period.index % 12 + 1, 1) *
                            SECONDS_PER_DAY};
}

void months_fill(struct month_table *table, const struct zone *zone)
{
    table->zone = zone;
    for (int32_t i = 0; i <= MONTHS_COUNT; i++) {
        struct period period = {MONTHS_FIRST + i};
        table->starts[i] = (zone ? period_start(zone, period) : month_start_utc(period)).seconds;
        assert(i == 0 || table->starts[i - 1] < table->starts[i]);
    }
}

static struct month_stretch month_computed(const struct zone *zone, struct instant at)
{
    struct month_stretch ret;
    if (zone) {
        ret.period = period_of(zone, at);
        ret.from = period_start(zone, ret.period);
        ret.to = period_end(zone, ret.period);
    } else {
        struct civil civil = civil_from_seconds(at.seconds);
        ret.period.index = civil.year * 12 + civil.month - 1;
        ret.from = month_start_utc(ret.period);
        ret.to = month_start_utc((struct period){ret.period.index + 1});
    }
    return ret;
}

struct month_stretch month_at(const struct month_table *table, struct instant at)
{
    const int64_t *starts = table->starts;
    struct month_stretch ret;
    if (at.seconds < starts[0] || at.seconds >= starts[MONTHS_COUNT]) {
        ret = month_computed(table->zone, at);
    } else {
        /* The start of a month is less than three days off a row of mean ones: the guess is at most
         * one off, and at the table's end may be past it. */
        int64_t guess = (at.seconds - starts[0]) / SECONDS_PER_MEAN_MONTH;
        guess = guess < MONTHS_COUNT ? guess : MONTHS_COUNT - 1;
        while (at.seconds < starts[guess])
            guess--;
        while (at.seconds >= starts[guess + 1])
            guess++;
        ret.period.index = MONTHS_FIRST + (int32_t)guess;
        ret.from.seconds = starts[guess];
        ret.to.seconds = starts[guess + 1];
    }
    assert(ret.from.seconds <= at.seconds && at.seconds < ret.to.seconds);
    return ret;
}
