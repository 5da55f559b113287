/* From an event to its buckets: the hot path, and the slow one that resolves prices and splits
 * windows. */
#include <assert.h>

#include "account/ledger.h"

struct bucket_key ledger_bucket_key(const struct ledger *ledger, uint32_t series,
                                    const struct resolution *resolution, uint32_t position)
{
    struct bucket_key key = {.account = resolution->account, .period = resolution->period.index};
    if (resolution->plan_count == 0) {
        key.plan = INDEX_NONE;
        key.part = ledger->series.meters[series];
        return key;
    }
    key.plan = resolution->plans[position];
    const struct plan *plan = &ledger->snapshot->plans[key.plan];
    if (ledger->snapshot->charges[plan->charge].scope == SCOPE_RESOURCE)
        key.part = ledger->series.resources[series];
    return key;
}

/* floor(quanta * part / whole) for quanta >= 0: whole seconds and quanta need 160 bits in between.
 */
static int128 share(int128 quanta, int64_t part, int64_t whole)
{
    int128 quotient, remainder;
    enum status status =
        wide_divide_floor(wide_multiply(quanta, part), whole, &quotient, &remainder);
    assert(status == STATUS_OK); /* part <= whole */
    (void)status;
    return quotient;
}

enum status ledger_split(const struct snapshot *snapshot, const struct series_view *view,
                         bool level, const struct event *event, ledger_piece *each, void *context,
                         struct error *error)
{
    struct instant at = {event->start};
    struct instant end = {event->start + event->length};
    int128 total = event_quantity(event).quanta;
    int128 left = total;
    do {
        struct piece piece = {.start = at};
        enum status status = snapshot_resolve(snapshot, view, at, &piece.resolution);
        if (status != STATUS_OK)
            return error_set(
                error, status, "more than %d charges count one usage of meter %.*s: merge some",
                RESOLVE_PLANS_MAX, (int)view->meter_name.length, view->meter_name.data);
        assert(piece.resolution.to.seconds > at.seconds);
        piece.end = instant_min(end, piece.resolution.to);
        bool last = piece.end.seconds == end.seconds;
        if (level) {
            status = int128_multiply(total, piece.end.seconds - at.seconds, &piece.quantity.quanta);
            if (status != STATUS_OK)
                return error_set(error, status, "a level of meter %.*s times its window overflows",
                                 (int)view->meter_name.length, view->meter_name.data);
        } else {
            piece.quantity.quanta =
                last ? left : share(total, piece.end.seconds - at.seconds, event->length);
            left -= piece.quantity.quanta;
        }
        status = each(&piece, context, error);
        if (status != STATUS_OK)
            return status;
        at = piece.end;
    } while (at.seconds < end.seconds);
    return STATUS_OK;
}

struct counting {
    struct ledger *ledger;
    uint32_t series;
    bool dry; /* only ask whether sums fit, with a margin for pieces that meet in one bucket; no
                 bucket is made */
    uint32_t pieces;
    struct resolution last;
};

static enum status overflow(const struct ledger *ledger, uint32_t series, struct error *error)
{
    struct slice meter = series_meter_name(&ledger->series, ledger->series.meters[series]);
    return error_set(error, STATUS_RANGE, "the bucket of meter %.*s would pass 10^38 quanta",
                     (int)meter.length, meter.data);
}

static enum status count_piece(const struct piece *piece, void *context, struct error *error)
{
    struct counting *counting = context;
    struct ledger *ledger = counting->ledger;
    const struct resolution *resolution = &piece->resolution;
    counting->pieces++;
    counting->last = *resolution;
    if (resolution->account == INDEX_NONE)
        return STATUS_OK; /* waits in suspense: journalled, in no bucket */
    uint32_t count = resolution->plan_count ? resolution->plan_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        struct bucket_key key = ledger_bucket_key(ledger, counting->series, resolution, i);
        uint32_t index = buckets_find(&ledger->buckets, key);
        int128 before = index == INDEX_NONE ? 0 : ledger->buckets.items[index].quanta;
        int128 multiplier = resolution->plan_count ? resolution->multipliers[i] : 1;
        int128 product, sum;
        if (int128_multiply(piece->quantity.quanta, multiplier, &product) != STATUS_OK ||
            int128_add(before, product, &sum) != STATUS_OK ||
            sum >= (counting->dry ? BUCKET_QUANTA_MAX / 2 : BUCKET_QUANTA_MAX))
            return overflow(ledger, counting->series, error);
        if (counting->dry)
            continue;
        enum status status = buckets_at(&ledger->buckets, key, &index);
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
        ledger->buckets.items[index].quanta = sum;
        ledger->buckets.dirty[index] = 1;
    }
    return STATUS_OK;
}

/* Remembers where the series' quantities go, so that its next events take the fast path. */
static enum status remember(struct ledger *ledger, uint32_t series,
                            const struct resolution *resolution, struct error *error)
{
    struct series *hot = &ledger->series.hot[series];
    uint32_t count = resolution->account == INDEX_NONE ? 0
                     : resolution->plan_count          ? resolution->plan_count
                                                       : 1;
    hot->valid_from = hot->valid_to = 0;
    if (count > SERIES_SLOTS)
        return STATUS_OK;
    for (uint32_t i = 0; i < SERIES_SLOTS; i++) {
        hot->bucket[i] = INDEX_NONE;
        if (i >= count)
            continue;
        int128 multiplier = resolution->plan_count ? resolution->multipliers[i] : 1;
        if (multiplier > INT64_MAX)
            return STATUS_OK;
        hot->multiplier[i] = (int64_t)multiplier;
        enum status status = buckets_at(
            &ledger->buckets, ledger_bucket_key(ledger, series, resolution, i), &hot->bucket[i]);
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
    }
    hot->account = resolution->account;
    hot->period = resolution->period.index;
    hot->valid_from = resolution->from.seconds;
    hot->valid_to = resolution->to.seconds;
    return STATUS_OK;
}

static enum status count_slowly(struct ledger *ledger, const struct event *event,
                                struct error *error)
{
    struct definition definition;
    series_definition(&ledger->series, event->series, &definition);
    struct series_view view = definition_view(&definition);
    bool level = ledger->series.hot[event->series].flags & SERIES_LEVEL;
    struct counting counting = {.ledger = ledger, .series = event->series, .dry = true};
    /* Twice: the first pass only asks whether every sum fits, so that a refused event leaves
     * nothing behind. */
    enum status status =
        ledger_split(ledger->snapshot, &view, level, event, count_piece, &counting, error);
    counting.dry = false;
    if (status == STATUS_OK)
        status = ledger_split(ledger->snapshot, &view, level, event, count_piece, &counting, error);
    return status == STATUS_OK ? remember(ledger, event->series, &counting.last, error) : status;
}

static bool within(const struct series *series, const struct event *event)
{
    int64_t end = event->start + event->length;
    return event->start >= series->valid_from && end <= series->valid_to &&
           event->start < series->valid_to;
}

enum status ledger_count_event(struct ledger *ledger, const struct event *event,
                               struct error *error)
{
    const struct series *series = &ledger->series.hot[event->series];
    if (!within(series, event))
        return count_slowly(ledger, event, error);
    int128 quanta = event_quantity(event).quanta;
    if (series->flags & SERIES_LEVEL &&
        int128_multiply(quanta, event->length, &quanta) != STATUS_OK)
        return overflow(ledger, event->series, error);
    int128 sums[SERIES_SLOTS];
    uint32_t count = 0;
    for (; count < SERIES_SLOTS && series->bucket[count] != INDEX_NONE; count++) {
        int128 product;
        if (int128_multiply(quanta, series->multiplier[count], &product) != STATUS_OK ||
            int128_add(ledger->buckets.items[series->bucket[count]].quanta, product,
                       &sums[count]) != STATUS_OK ||
            sums[count] >= BUCKET_QUANTA_MAX / 2)
            return overflow(ledger, event->series, error);
    }
    for (uint32_t i = 0; i < count; i++) {
        ledger->buckets.items[series->bucket[i]].quanta = sums[i];
        ledger->buckets.dirty[series->bucket[i]] = 1;
    }
    return STATUS_OK;
}

enum status ledger_recount_event(struct ledger *ledger, const struct event *event,
                                 struct error *error)
{
    struct error refusal = {0};
    enum status status = ledger_count_event(ledger, event, &refusal);
    if (status != STATUS_RANGE) {
        if (status != STATUS_OK && error)
            *error = refusal;
        return status;
    }
    struct definition definition;
    series_definition(&ledger->series, event->series, &definition);
    uint32_t account = snapshot_payer(ledger->snapshot, definition.payer_id);
    if (account == INDEX_NONE)
        return STATUS_OK; /* in no bucket anyway */
    const struct zone *zone = ledger->snapshot->accounts[account].zone;
    struct period period = period_of(zone, (struct instant){event->start});
    struct period last =
        period_of(zone, (struct instant){event->start + (event->length ? event->length - 1 : 0)});
    for (; period.index <= last.index; period.index++) {
        struct bucket_key key = {account, period.index, INDEX_NONE,
                                 ledger->series.meters[event->series]};
        uint32_t index;
        status = buckets_at(&ledger->buckets, key, &index);
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
        ledger->buckets.items[index].quanta = BUCKET_QUANTA_MAX;
        ledger->buckets.dirty[index] = 1;
    }
    return STATUS_OK;
}
