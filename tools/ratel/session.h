/* What most verbs work on: the data directory, the prices that are loaded, and the ledgers
 * under them. */
#ifndef RATEL_TOOLS_SESSION_H
#define RATEL_TOOLS_SESSION_H

#include "account/ledgers.h"
#include "account/spend.h"
#include "engine/alerts.h"
#include "ratel/context.h"
#include "store/space.h"

struct session {
    struct context *context;
    struct snapshot *snapshot;
    uint64_t revision; /* of the book that the snapshot was compiled at */
    struct ledgers *ledgers;
    struct alerts *alerts; /* writers only */
};

/* LEDGER_WRITE takes both locks, unless the context is open already. The ledgers' buckets follow the prices that are loaded now: where
 * a checkpoint was made under others they are derived anew. A writer looks at all budgets. Owner:
 * caller, session_close. */
MUST_USE enum status session_open(struct session *session, struct context *context,
                                  enum ledger_mode mode, struct error *error);
void session_close(struct session *session);
/* What was loaded since the session's snapshot was compiled, NULL when nothing was. Owner: caller.
 * Errors: as book_snapshot. */
MUST_USE enum status session_news(struct session *session, struct snapshot **ret,
                                  struct error *error);
/* Brings the ledgers under what was loaded since, with a checkpoint, and keeps LOCK.book from then
 * on: nothing is loaded any more that the ledgers do not follow. Waits for who holds it, and says
 * so. `space` is asked on a full disk whether to go on; NULL: no. */
MUST_USE enum status session_catch_up(struct session *session, const struct space *space,
                                      struct error *error);

/* The account that a word of the command line means: its id, or its name where that is unique.
 * Errors: NOT_FOUND. */
MUST_USE enum status session_account(const struct session *session, const char *word, uint32_t *ret,
                                     struct error *error);
/* The account's spend of a period over all shards. Errors: as spend_compute. Owner: the arena. */
MUST_USE enum status session_spend(const struct session *session, uint32_t account,
                                   struct period period, struct arena *arena, struct spend *ret,
                                   struct error *error);

#endif
