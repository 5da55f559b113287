#include "base/park.h"
#include "ratel/session.h"

/* Opening for writing rates what was ingested under the documents loaded now and looks at the
 * budgets again; the checkpoint keeps the result. A crash in between loses nothing: whoever opens
 * the ledgers next finds them made under other prices and does the same. */
enum status after_load(struct context *context, struct error *error)
{
    struct session session;
    uint64_t holder;
    enum status status = datadir_lock_ledgers(context->datadir, &holder, error);
    if (status == STATUS_LOCKED) {
        /* Who holds LOCK without LOCK.book is an ingest, and it lets go of LOCK only after it has
         * held LOCK.book, too, and found nothing new: so it takes over what is stored by now. */
        context->handed_over = true;
        context->handed_to = holder;
        return STATUS_OK;
    }
    int64_t begin = park_now();
    if (status == STATUS_OK)
        status = session_open(&session, context, LEDGER_WRITE, error);
    if (status != STATUS_OK)
        return status;
    status = ledgers_checkpoint(session.ledgers, error);
    context->rerated.events = ledgers_event_count(session.ledgers);
    context->rerated.pass_ns = ledgers_reprice_ns(session.ledgers);
    context->rerated.durable_ns = park_now() - begin;
    session_close(&session);
    return status;
}

void after_load_show(struct context *context)
{
    if (!context->handed_over)
        return;
    (void)fflush(context->out); /* what was stored comes first; output_finish sees a failure */
    fprintf(context->err, "ratel: the running ingest (process %llu) takes them over\n",
            (unsigned long long)context->handed_to);
}
