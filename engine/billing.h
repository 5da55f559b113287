/* Billing on the book: where a billing run keeps its documents, and what goes with an issued
 * invoice: a message in the outbox and lines in the audit log, in the same transaction. */
#ifndef RATEL_ENGINE_BILLING_H
#define RATEL_ENGINE_BILLING_H

#include "bill/run.h"
#include "engine/book.h"

/* The book must outlive what uses it; bill_run and bill_finalize need it open for writing. */
struct bill_store billing_store(struct book *book);

/* One invoice or draft of the book, as invoice_walk meets it. The invoice borrows until the visitor
 * returns. Returns OK to go on, AGAIN to stop. */
typedef enum status invoice_visit(const struct invoice *invoice, void *context,
                                  struct error *error);

struct invoice_filter {
    bool has_period;
    struct period period;
    struct slice account; /* id or name; empty: any */
    bool drafts;
    bool issued;
};

/* Drafts first, by period and account; then issued ones, by number. Errors: CORRUPT, VERSION and
 * those of the visitor. */
MUST_USE enum status invoice_walk(struct book *book, const struct invoice_filter *filter,
                                  invoice_visit *visit, void *context, struct error *error);
/* By number, or a draft by "2026-10/ACCOUNT". Errors: NOT_FOUND with a text. Owner: the arena. */
MUST_USE enum status invoice_find(struct book *book, struct slice name, struct arena *arena,
                                  struct invoice *ret, struct error *error);

#endif
