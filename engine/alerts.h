/* Alerts of the ledgers become messages of the outbox: an alert_sink over the book.
 *
 * The ids of all messages are held in memory, so that it can be asked at every commit whether a
 * threshold has fired already. */
#ifndef RATEL_ENGINE_ALERTS_H
#define RATEL_ENGINE_ALERTS_H

#include "account/alert.h"
#include "engine/book.h"

struct alerts;

/* The book is open for writing and outlives this. `clock` says when a message was created.
 * Errors: NO_MEMORY and those of reading. Owner: caller, alerts_close. */
MUST_USE enum status alerts_open(struct book *book, struct clock *clock, struct alerts **ret,
                                 struct error *error);
void alerts_close(struct alerts *alerts); /* NULL is fine */
/* Lifetime: the alerts'. Thread: one at a time. */
struct alert_sink *alerts_sink(struct alerts *alerts);

#endif
