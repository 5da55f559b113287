#include "ratel/session.h"

enum status session_open(struct session *session, struct context *context, enum ledger_mode mode,
                         struct error *error)
{
    *session = (struct session){.context = context};
    enum status status = STATUS_OK;
    if (!context->datadir) /* open already in `ratel load` */
        status = context_open(context, mode == LEDGER_WRITE ? DATADIR_WRITE : DATADIR_READ, error);
    if (status == STATUS_OK)
        status = book_snapshot(context->book, &session->snapshot, error);
    if (status == STATUS_OK && mode == LEDGER_WRITE)
        status = alerts_open(context->book, context->clock, &session->alerts, error);
    struct ledger_options options = {
        .datadir = context->datadir,
        .shard = 0,
        .mode = mode,
        .snapshot = session->snapshot,
        .alerts = session->alerts ? alerts_sink(session->alerts) : NULL,
    };
    if (status == STATUS_OK)
        status = ledger_open(&options, &session->ledger, error);
    if (status != STATUS_OK)
        session_close(session);
    return status;
}

void session_close(struct session *session)
{
    ledger_close(session->ledger);
    if (session->alerts)
        alerts_close(session->alerts);
    snapshot_free(session->snapshot);
    session->ledger = NULL;
    session->alerts = NULL;
    session->snapshot = NULL;
}

enum status session_account(const struct session *session, const char *word, uint32_t *ret,
                            struct error *error)
{
    const struct snapshot *snapshot = session->snapshot;
    uint32_t found = snapshot_account(snapshot, slice_string(word));
    uint32_t named = 0;
    for (uint32_t i = 0; found == INDEX_NONE && i < snapshot->account_count; i++)
        if (slice_is(snapshot->accounts[i].name, word)) {
            *ret = i;
            named++;
        }
    if (found == INDEX_NONE && named == 1)
        return STATUS_OK;
    if (found == INDEX_NONE && named > 1)
        return error_set(error, STATUS_NOT_FOUND, "%u accounts are named %s: use the id", named,
                         word);
    if (found == INDEX_NONE)
        return error_set(
            error, STATUS_NOT_FOUND,
            "no account %s is loaded: load it with `ratel load`, see `ratel suspense list`", word);
    *ret = found;
    return STATUS_OK;
}
