/* Ingest: blocks of raw records in, events in their payers' ledgers and the rest in quarantine, one
 * durable commit for many records.
 *
 * The caller (a command, a source adapter) reads and decodes; what it may acknowledge is what
 * ingest_commit has returned OK for. Counting rule, always: read = accepted + duplicate + conflict
 * + ignored + quarantined. */
#ifndef RATEL_ENGINE_INGEST_H
#define RATEL_ENGINE_INGEST_H

#include "account/ledgers.h"
#include "base/instant.h"
#include "mediate/normalise.h"
#include "mediate/quarantine.h"

struct ingest_options {
    struct ledgers *ledgers;       /* LEDGER_WRITE */
    struct quarantine *quarantine; /* writer */
    struct slice source; /* the cloud's name; with the records' content it is their identity */
    uint64_t seed;       /* the data directory's */
    struct clock *clock;
    uint32_t commit_events; /* events that make a commit due */
};

struct ingest {
    struct ingest_options options;
    struct normaliser normaliser;
    struct ingest_counts total;   /* of this ingest */
    struct ingest_counts pending; /* since the last commit */
    bool quarantine_dirty;
    struct slice file; /* of the records being fed, for quarantine and positions */
};

#define INGEST_COMMIT_EVENTS 65536

void ingest_init(struct ingest *ingest, const struct ingest_options *options);
void ingest_fini(struct ingest *ingest);
/* Feeds one block. Errors: IO, NO_SPACE (quarantine), NO_MEMORY; then nothing more may be fed or
 * committed. */
MUST_USE enum status ingest_block(struct ingest *ingest, struct slice file,
                                  const struct record_block *block, struct error *error);
static inline bool ingest_commit_due(const struct ingest *ingest)
{
    return ledgers_commit_due(ingest->options.ledgers, ingest->options.commit_events);
}
/* Makes everything fed so far durable: quarantine first, then a journal frame in each shard,
 * which names the position. */
MUST_USE enum status ingest_commit(struct ingest *ingest, uint64_t offset, struct error *error);

#endif
