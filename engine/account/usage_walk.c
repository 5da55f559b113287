#include "account/usage_walk.h"

#include <stdlib.h>

struct account_walk {
    struct ledgers *ledgers;
    uint32_t account;
    struct period period;
    struct instant start, end;
    uint32_t shard; /* being walked */
    uint8_t *pays;  /* by series of the shard: 0 not looked at, 1 yes, 2 no */
    usage_visit *visit;
    void *context;
    struct usage_piece usage;
};

static enum status look_up_payer(struct account_walk *walk, const struct ledger *ledger,
                                 uint32_t series, struct error *error)
{
    struct definition definition;
    enum status status = ledger_series_definition(ledger, series, &definition, error);
    if (status == STATUS_OK)
        walk->pays[series] =
            snapshot_payer(ledger->snapshot, definition.payer_id) == walk->account ? 1 : 2;
    return status;
}

static enum status each_piece(const struct piece *piece, void *context, struct error *error)
{
    struct account_walk *walk = context;
    if (piece->resolution.period.index != walk->period.index)
        return STATUS_OK;
    walk->usage.piece = piece;
    return walk->visit(&walk->usage, walk->context, error);
}

static enum status next_shard(struct account_walk *walk, uint32_t shard, struct error *error)
{
    free(walk->pays);
    walk->shard = shard;
    walk->pays = calloc(ledger_series_count(walk->ledgers->shards[shard]) + 1, 1);
    return walk->pays ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static enum status each_event(uint32_t shard, const struct event *event,
                              const struct journal_frame *frame, void *context, struct error *error)
{
    struct account_walk *walk = context;
    const struct ledger *ledger = walk->ledgers->shards[shard];
    bool outside =
        event->start >= walk->end.seconds ||
        (event->start < walk->start.seconds && event->start + event->length <= walk->start.seconds);
    if (outside)
        return STATUS_OK;
    if (!walk->pays || shard != walk->shard) {
        enum status begun = next_shard(walk, shard, error);
        if (begun != STATUS_OK)
            return begun;
    }
    struct definition definition;
    enum status status =
        walk->pays[event->series] ? STATUS_OK : look_up_payer(walk, ledger, event->series, error);
    if (status == STATUS_OK && walk->pays[event->series] == 1)
        status = ledger_series_definition(ledger, event->series, &definition, error);
    if (status != STATUS_OK || walk->pays[event->series] != 1)
        return status;
    struct series_view view = definition_view(&definition);
    walk->usage = (struct usage_piece){.shard = shard,
                                       .series = event->series,
                                       .definition = &definition,
                                       .event = event,
                                       .frame = frame};
    return ledger_split(ledger->snapshot, &view, ledger_series_is_level(ledger, event->series),
                        event, each_piece, walk, error);
}

enum status usage_walk(struct ledgers *ledgers, uint32_t account, struct period period,
                       usage_visit *visit, void *context, struct error *error)
{
    const struct zone *zone = ledgers->snapshot->accounts[account].zone;
    struct account_walk walk = {
        .ledgers = ledgers,
        .account = account,
        .period = period,
        .start = period_start(zone, period),
        .end = period_end(zone, period),
        .visit = visit,
        .context = context,
    };
    enum status status = ledgers_walk(ledgers, each_event, &walk, error);
    free(walk.pays);
    return status;
}
