#include "account/usage_walk.h"

#include <stdlib.h>

struct account_walk {
    struct ledger *ledger;
    uint32_t account;
    struct period period;
    struct instant start, end;
    uint8_t *pays; /* by series: 0 not looked at, 1 yes, 2 no */
    usage_visit *visit;
    void *context;
    struct usage_piece usage;
};

static bool pays_for(struct account_walk *walk, uint32_t series, struct definition *definition)
{
    if (!walk->pays[series]) {
        series_definition(&walk->ledger->series, series, definition);
        walk->pays[series] =
            snapshot_payer(walk->ledger->snapshot, definition->payer_id) == walk->account ? 1 : 2;
    }
    return walk->pays[series] == 1;
}

static enum status each_piece(const struct piece *piece, void *context, struct error *error)
{
    struct account_walk *walk = context;
    if (piece->resolution.period.index != walk->period.index)
        return STATUS_OK;
    walk->usage.piece = piece;
    return walk->visit(&walk->usage, walk->context, error);
}

static enum status each_event(const struct event *event, const struct journal_frame *frame,
                              void *context, struct error *error)
{
    struct account_walk *walk = context;
    struct definition definition;
    bool outside =
        event->start >= walk->end.seconds ||
        (event->start < walk->start.seconds && event->start + event->length <= walk->start.seconds);
    if (outside || !pays_for(walk, event->series, &definition))
        return STATUS_OK;
    series_definition(&walk->ledger->series, event->series, &definition);
    struct series_view view = definition_view(&definition);
    walk->usage = (struct usage_piece){.series = event->series, .event = event, .frame = frame};
    bool level = walk->ledger->series.hot[event->series].flags & SERIES_LEVEL;
    return ledger_split(walk->ledger->snapshot, &view, level, event, each_piece, walk, error);
}

enum status usage_walk(struct ledger *ledger, uint32_t account, struct period period,
                       usage_visit *visit, void *context, struct error *error)
{
    const struct zone *zone = ledger->snapshot->accounts[account].zone;
    struct account_walk walk = {
        .ledger = ledger,
        .account = account,
        .period = period,
        .start = period_start(zone, period),
        .end = period_end(zone, period),
        .pays = calloc(ledger->series.count + 1, 1),
        .visit = visit,
        .context = context,
    };
    if (!walk.pays)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status = ledger_walk(ledger, each_event, &walk, error);
    free(walk.pays);
    return status;
}
