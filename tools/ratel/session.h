/* What most verbs work on: the data directory, the prices that are loaded, and the ledger under
 * them. */
#ifndef RATEL_TOOLS_SESSION_H
#define RATEL_TOOLS_SESSION_H

#include "account/ledger.h"
#include "engine/alerts.h"
#include "ratel/context.h"

struct session {
    struct context *context;
    struct snapshot *snapshot;
    struct ledger *ledger;
    struct alerts *alerts; /* writers only */
};

/* LEDGER_WRITE takes the LOCK. The ledger's buckets follow the prices that are loaded now: where
 * the checkpoint was made under others they are derived anew. Owner: caller, session_close. */
MUST_USE enum status session_open(struct session *session, struct context *context,
                                  enum ledger_mode mode, struct error *error);
void session_close(struct session *session);

/* The account that a word of the command line means: its id, or its name where that is unique.
 * Errors: NOT_FOUND. */
MUST_USE enum status session_account(const struct session *session, const char *word, uint32_t *ret,
                                     struct error *error);

#endif
