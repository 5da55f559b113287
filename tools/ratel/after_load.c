#include "ratel/session.h"

/* Rates what was ingested under the documents loaded now, looks at the budgets again, and keeps the
 * result. A crash in between loses nothing: whoever opens the ledger next finds it made under other
 * prices and does the same. */
enum status after_load(struct context *context, struct error *error)
{
    struct session session;
    enum status status = session_open(&session, context, LEDGER_WRITE, error);
    if (status == STATUS_OK)
        status = ledger_commit(session.ledger, NULL, error);
    if (status == STATUS_OK)
        status = ledger_checkpoint(session.ledger, error);
    session_close(&session);
    return status;
}
