/* `ratel verify`: everything derived anew from the journal, compared bit for bit with the
 * checkpoint. */
#ifndef RATEL_ACCOUNT_VERIFY_H
#define RATEL_ACCOUNT_VERIFY_H

#include "account/ledger.h"

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

/* `stored` was opened in mode LEDGER_WRITE or LEDGER_READ (coverage is compared in the former
 * only), `derived` in LEDGER_DERIVE, under the same snapshot. Texts: the arena's. */
void verify_compare(const struct ledger *stored, const struct ledger *derived, struct arena *arena,
                    struct verify_report *ret);

#endif
