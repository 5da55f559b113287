/* `ratel verify`: everything derived anew from the journal, compared bit for bit with the
 * checkpoint. */
#ifndef RATEL_ACCOUNT_VERIFY_H
#define RATEL_ACCOUNT_VERIFY_H

#include "account/ledgers.h"

struct verify_difference {
    struct slice what; /* "bucket account 3f0c.. 2026-10 vm.small" */
    struct slice stored;
    struct slice derived;
};

#define VERIFY_DIFFERENCES_MAX 100

struct verify_report {
    uint64_t events;
    uint64_t buckets;
    uint64_t series;
    struct verify_difference differences[VERIFY_DIFFERENCES_MAX];
    uint64_t difference_count; /* more are counted than kept */
};

/* Compares one shard. `stored` was opened in mode LEDGER_WRITE or LEDGER_VERIFY, or LEDGER_READ
 * (coverage is not compared then), `derived` in LEDGER_DERIVE, under the same snapshot. Texts: the
 * arena's. */
void verify_compare(const struct ledger *stored, const struct ledger *derived, struct arena *arena,
                    struct verify_report *ret);

/* Derives and compares shard after shard: differences name their shard where there are several.
 * Totals are of all shards; a series or a bucket that several of them have counts once, so that the
 * number of shards does not show. Errors: as ledger_open. */
MUST_USE enum status verify_ledgers(const struct ledgers *stored, struct arena *arena,
                                    struct verify_report *ret, struct error *error);

#endif
