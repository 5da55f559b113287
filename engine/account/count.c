/* From an event to its buckets: the hot path, and the slow one that resolves prices and splits
 * windows. */
#include <assert.h>

#include "account/point.h"

enum status ledger_bucket_key(struct ledger *ledger, const struct definition *definition,
                              const struct resolution *resolution, uint32_t position,
                              struct bucket_key *ret)
{
    *ret = (struct bucket_key){
        .account = resolution->account,
        .period = resolution->period.index,
        .plan = INDEX_NONE,
    };
    if (resolution->plan_count == 0)
        return series_meter(&ledger->series, definition, &ret->part);
    ret->plan = resolution->plans[position];
    const struct plan *plan = &ledger->snapshot->plans[ret->plan];
    if (ledger->snapshot->charges[plan->charge].scope == SCOPE_RESOURCE)
        return series_resource(&ledger->series, definition, &ret->part);
    return STATUS_OK;
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
    const struct definition *definition;
    bool dry; /* only ask whether sums fit, with a margin for pieces that meet in one bucket; no
                 bucket is made */
    uint32_t pieces;
    struct resolution last;
};

static enum status overflow(const struct definition *definition, struct error *error)
{
    return error_set(error, STATUS_RANGE, "the bucket of meter %.*s would pass 10^38 quanta",
                     (int)definition->meter_name.length, definition->meter_name.data);
}

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
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
        struct bucket_key key;
        if (ledger_bucket_key(ledger, counting->definition, resolution, i, &key) != STATUS_OK)
            return out_of_memory(error);
        uint32_t index = buckets_find(&ledger->buckets, key);
        int128 before = index == INDEX_NONE ? 0 : ledger->buckets.items[index].quanta;
        int128 multiplier = resolution->plan_count ? resolution->multipliers[i] : 1;
        int128 product, sum;
        if (int128_multiply(piece->quantity.quanta, multiplier, &product) != STATUS_OK ||
            int128_add(before, product, &sum) != STATUS_OK ||
            sum >= (counting->dry ? BUCKET_QUANTA_MAX / 2 : BUCKET_QUANTA_MAX))
            return overflow(counting->definition, error);
        if (counting->dry)
            continue;
        if (buckets_at(&ledger->buckets, key, &index) != STATUS_OK)
            return out_of_memory(error);
        ledger->buckets.items[index].quanta = sum;
        buckets_changed(&ledger->buckets, index);
    }
    return STATUS_OK;
}

/* Remembers where the series' quantities go, so that its next events take the fast path. */
static enum status remember_last(struct ledger *ledger, uint32_t series,
                                 const struct counting *counting, struct error *error)
{
    struct bucket_key keys[RESOLVE_PLANS_MAX];
    struct pointing pointing;
    for (uint32_t i = 0; i < point_bucket_count(&counting->last); i++)
        if (ledger_bucket_key(ledger, counting->definition, &counting->last, i, &keys[i]) !=
            STATUS_OK)
            return out_of_memory(error);
    if (point_make(series, &counting->last, keys, &pointing))
        return point_set(ledger, &pointing, error);
    ledger->series.dirty[series / SERIES_CHUNK] = 1;
    return STATUS_OK;
}

static enum status count_pieces(struct ledger *ledger, const struct event *event,
                                struct error *error)
{
    struct definition definition;
    enum status status = series_definition(&ledger->series, event->series, &definition, error);
    if (status != STATUS_OK)
        return status;
    struct series_view view = definition_view(&definition);
    bool level = series_level(&ledger->series.lines[event->series]);
    struct counting counting = {.ledger = ledger, .definition = &definition, .dry = true};
    /* Twice: the first pass only asks whether every sum fits, so that a refused event leaves
     * nothing behind. */
    status = ledger_split(ledger->snapshot, &view, level, event, count_piece, &counting, error);
    counting.dry = false;
    if (status == STATUS_OK)
        status = ledger_split(ledger->snapshot, &view, level, event, count_piece, &counting, error);
    return status == STATUS_OK ? remember_last(ledger, event->series, &counting, error) : status;
}

/* The usual way into a new month: the whole event lies within one price interval, so its series'
 * slots can be pointed there, and the event is counted like every later one. */
static enum status count_slowly(struct ledger *ledger, const struct event *event,
                                struct error *error)
{
    struct pointing pointing;
    bool found = false;
    enum status status = STATUS_OK;
    ledger->series.lines[event->series].interval = 0;
    if (point_fits(ledger, event))
        status = point_find(ledger, event, &pointing, &found, error);
    if (status != STATUS_OK)
        return status;
    if (!found)
        return count_pieces(ledger, event, error);
    status = point_set(ledger, &pointing, error);
    if (status != STATUS_OK)
        return status;
    return ledger_remembers(ledger, event) ? ledger_count_event(ledger, event, error)
                                           : count_pieces(ledger, event, error);
}

bool ledger_remembers(const struct ledger *ledger, const struct event *event)
{
    const struct series *line = &ledger->series.lines[event->series];
    const struct series_interval *interval = &ledger->series.intervals[line->interval];
    int64_t end = event->start + event->length;
    return event->start >= interval->from && end <= interval->to && event->start < interval->to;
}

static enum status overflow_of(const struct ledger *ledger, uint32_t series, struct error *error)
{
    struct definition definition;
    enum status status = series_definition(&ledger->series, series, &definition, error);
    return status == STATUS_OK ? overflow(&definition, error) : status;
}

/* The everyday sum, for which 64 bits of each factor are enough: no product or sum of these comes
 * near 2^127. */
static inline bool small(int128 quanta)
{
    return quanta >= 0 && quanta < ((int128)1 << 62);
}

enum status ledger_count_event(struct ledger *ledger, const struct event *event,
                               struct error *error)
{
    if (!ledger_remembers(ledger, event))
        return count_slowly(ledger, event, error);
    const struct series *line = &ledger->series.lines[event->series];
    int128 quanta = event_quantity(event).quanta;
    if (series_level(line) && int128_multiply(quanta, event->length, &quanta) != STATUS_OK)
        return overflow_of(ledger, event->series, error);
    int128 sums[SERIES_SLOTS];
    uint32_t count = 0;
    for (; count < SERIES_SLOTS && line->bucket[count] != INDEX_NONE; count++) {
        int128 before = ledger->buckets.items[line->bucket[count]].quanta;
        int64_t multiplier = count == 0 ? line->wide : (int64_t)line->narrow[count - 1];
        int128 product;
        if (small(quanta)) {
            product = quanta * multiplier;  /* below 2^125 */
            sums[count] = before + product; /* `before` is at most 2^125 */
        } else if (int128_multiply(quanta, multiplier, &product) != STATUS_OK ||
                   int128_add(before, product, &sums[count]) != STATUS_OK) {
            return overflow_of(ledger, event->series, error);
        }
        if (sums[count] >= BUCKET_QUANTA_MAX / 2)
            return overflow_of(ledger, event->series, error);
    }
    for (uint32_t i = 0; i < count; i++) {
        ledger->buckets.items[line->bucket[i]].quanta = sums[i];
        buckets_changed(&ledger->buckets, line->bucket[i]);
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
    status = series_definition(&ledger->series, event->series, &definition, error);
    if (status != STATUS_OK)
        return status;
    uint32_t account = snapshot_payer(ledger->snapshot, definition.payer_id);
    if (account == INDEX_NONE)
        return STATUS_OK; /* in no bucket anyway */
    const struct zone *zone = ledger->snapshot->accounts[account].zone;
    struct period period = period_of(zone, (struct instant){event->start});
    struct period last =
        period_of(zone, (struct instant){event->start + (event->length ? event->length - 1 : 0)});
    for (; period.index <= last.index; period.index++) {
        struct bucket_key key = {account, period.index, INDEX_NONE, 0};
        uint32_t index;
        if (series_meter(&ledger->series, &definition, &key.part) != STATUS_OK ||
            buckets_at(&ledger->buckets, key, &index) != STATUS_OK)
            return out_of_memory(error);
        ledger->buckets.items[index].quanta = BUCKET_QUANTA_MAX;
        buckets_changed(&ledger->buckets, index);
    }
    return STATUS_OK;
}
