#include "engine/ingest.h"

#include <assert.h>

void ingest_init(struct ingest *ingest, const struct ingest_options *options)
{
    assert(options->source.length > 0 && options->commit_events > 0);
    *ingest = (struct ingest){.options = *options};
    normaliser_init(&ingest->normaliser, options->source, options->seed);
}

void ingest_fini(struct ingest *ingest)
{
    normaliser_fini(&ingest->normaliser);
}

static enum status keep(struct ingest *ingest, const struct record *record, const char *reason,
                        struct error *error)
{
    struct quarantine_entry entry = {
        .form = record->form,
        .at = ingest->options.clock->now(ingest->options.clock),
        .source = ingest->options.source,
        .file = ingest->file,
        .offset = record->offset,
        .line = record->line,
        .reason = slice_string(reason),
        .raw = record->raw,
    };
    if (entry.raw.length > RECORD_BYTES_MAX) /* CSV: the header row stands before the row */
        entry.raw.length = RECORD_BYTES_MAX;
    bool added = false;
    enum status status = quarantine_add(ingest->options.quarantine, &entry, &added, error);
    ingest->quarantine_dirty |= added;
    ingest->pending.quarantined++;
    return status;
}

static enum status apply(struct ingest *ingest, const struct record *record, struct usage *usage,
                         struct error *error)
{
    enum outcome outcome;
    enum status status = ledgers_apply(ingest->options.ledgers, usage, &outcome, error);
    if (status != STATUS_OK)
        return status;
    switch (outcome) {
    case OUTCOME_ACCEPTED:
        ingest->pending.accepted++;
        break;
    case OUTCOME_DUPLICATE:
        ingest->pending.duplicate++;
        break;
    case OUTCOME_CONFLICT:
        ingest->pending.conflict++;
        break;
    case OUTCOME_REFUSED:
        return keep(ingest, record, usage->reason, error);
    }
    return STATUS_OK;
}

enum status ingest_block(struct ingest *ingest, struct slice file, const struct record_block *block,
                         struct error *error)
{
    ingest->file = file;
    for (uint32_t i = 0; i < block->count; i++) {
        const struct record *record = &block->records[i];
        struct usage usage;
        normalise(&ingest->normaliser, block, record, &usage);
        ingest->pending.read++;
        enum status status = STATUS_OK;
        if (usage.verdict == VERDICT_EVENT)
            status = apply(ingest, record, &usage, error);
        else if (usage.verdict == VERDICT_IGNORED)
            ingest->pending.ignored++;
        else
            status = keep(ingest, record, usage.reason, error);
        if (status == STATUS_OK &&
            ingest_commit_due(ingest)) /* within the block: its definitions may be large */
            status = ingest_commit(ingest, record->offset + record->raw.length, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status ingest_commit(struct ingest *ingest, uint64_t offset, struct error *error)
{
    enum status status = STATUS_OK;
    if (ingest->quarantine_dirty)
        status = quarantine_sync(ingest->options.quarantine, error);
    if (status != STATUS_OK)
        return status;
    ingest->quarantine_dirty = false;
    counts_check(&ingest->pending);
    struct source_position position = {ingest->options.source, ingest->file, offset};
    status = ledgers_commit(ingest->options.ledgers, &position, &ingest->pending, error);
    if (status != STATUS_OK)
        return status;
    counts_add(&ingest->total, &ingest->pending);
    ingest->pending = (struct ingest_counts){0};
    return STATUS_OK;
}
