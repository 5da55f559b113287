/* The event: what one accepted usage record adds to the journal. Everything else about the record is its series.
 *
 *   0               8               16              24       28       32
 *   | quanta_low    | quanta_high   | start         | length | series |
 *
 * `length` 0 is an event at a moment; it bears an id (a parallel array of its frame). */
#ifndef RATEL_ACCOUNT_EVENT_H
#define RATEL_ACCOUNT_EVENT_H

#include <assert.h>
#include <stdint.h>

#include "base/instant.h"
#include "base/money.h"

struct event {
    uint64_t quanta_low;
    int64_t quanta_high;
    int64_t start;   /* seconds */
    uint32_t length; /* seconds */
    uint32_t series;
};
static_assert(sizeof(struct event) == 32, "the journal's event is 32 bytes");

static inline struct quantity event_quantity(const struct event *event)
{
    return (struct quantity){
        (int128)(((uint128)(uint64_t)event->quanta_high << 64) | event->quanta_low)};
}

static inline struct event event_make(uint32_t series, struct instant start, struct instant end,
                                      struct quantity quantity)
{
    assert(end.seconds >= start.seconds && end.seconds - start.seconds <= UINT32_MAX);
    return (struct event){
        .quanta_low = (uint64_t)quantity.quanta,
        .quanta_high = (int64_t)(quantity.quanta >> 64),
        .start = start.seconds,
        .length = (uint32_t)(end.seconds - start.seconds),
        .series = series,
    };
}

#endif
