#include "ratel/session.h"

#include <assert.h>
#include <time.h>

enum status session_open(struct session *session, struct context *context, enum ledger_mode mode,
                         struct error *error)
{
    *session = (struct session){.context = context};
    enum status status = STATUS_OK;
    if (!context->datadir) /* open already in `ratel load` */
        status = context_open(context, mode == LEDGER_WRITE ? DATADIR_WRITE : DATADIR_READ, error);
    if (status == STATUS_OK)
        status = book_snapshot_at(context->book, &session->snapshot, &session->revision, error);
    if (status == STATUS_OK && mode == LEDGER_WRITE)
        status = alerts_open(context->book, context->clock, &session->alerts, error);
    struct ledgers_options options = {
        .datadir = context->datadir,
        .mode = mode,
        .snapshot = session->snapshot,
        .alerts = session->alerts ? alerts_sink(session->alerts) : NULL,
    };
    if (status == STATUS_OK)
        status = ledgers_open(&options, &session->ledgers, error);
    if (status != STATUS_OK)
        session_close(session);
    return status;
}

void session_close(struct session *session)
{
    ledgers_close(session->ledgers);
    if (session->alerts)
        alerts_close(session->alerts);
    snapshot_free(session->snapshot);
    session->ledgers = NULL;
    session->alerts = NULL;
    session->snapshot = NULL;
}

enum status session_news(struct session *session, struct snapshot **ret, struct error *error)
{
    uint64_t revision;
    *ret = NULL;
    enum status status = book_revision(session->context->book, &revision, error);
    if (status != STATUS_OK || revision == session->revision)
        return status;
    return book_snapshot_at(session->context->book, ret, &session->revision, error);
}

/* Somebody who loads documents or sends messages is soon done. */
static enum status wait_for_book(struct context *context, struct error *error)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    for (int tries = 0;; tries++) {
        uint64_t holder;
        enum status status = datadir_lock_book(context->datadir, &holder, error);
        if (status != STATUS_LOCKED)
            return status;
        if (tries == 50)
            fprintf(context->err,
                    "ratel: everything is in; waiting for process %llu, which writes the book\n",
                    (unsigned long long)holder);
        (void)nanosleep(&pause, NULL);
    }
}

static bool may_try_again(const struct space *space, enum status status, const struct error *error)
{
    return status == STATUS_NO_SPACE && space && space->wait(space->context, error);
}

enum status session_catch_up(struct session *session, const struct space *space,
                             struct error *error)
{
    struct snapshot *fresh = NULL;
    assert(session->alerts);
    enum status status = wait_for_book(session->context, error);
    if (status == STATUS_OK)
        status = session_news(session, &fresh, error);
    if (status != STATUS_OK || !fresh)
        return status;
    struct snapshot *old = session->snapshot;
    session->snapshot = fresh;
    do
        status = ledgers_adopt(session->ledgers, fresh, error);
    while (may_try_again(space, status, error));
    snapshot_free(old);
    if (status != STATUS_OK)
        return status;
    do
        status = ledgers_checkpoint(session->ledgers, error);
    while (may_try_again(space, status, error));
    return status;
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

enum status session_spend(const struct session *session, uint32_t account, struct period period,
                          struct arena *arena, struct spend *ret, struct error *error)
{
    const struct buckets *buckets;
    enum status status = ledgers_buckets(session->ledgers, account, period, &buckets, error);
    return status == STATUS_OK
               ? spend_compute(buckets, session->snapshot, account, period, arena, ret, error)
               : status;
}
