/* The billing run over the accounts of a period: preview (compute only), run (store drafts), finalize
 * (issue). The book and what happens around an invoice are the caller's, given as struct bill_store.
 *
 * Invariants:
 * B-1 an account has at most one invoice in a period (an index entry that is put once).
 * B-2 numbers of a series have no gaps: the counter, the invoices that used it, the index, the removed
 *     drafts, the messages and the log are one transaction.
 * B-3 what is issued is what was looked at: a draft that would come out differently now is not issued.
 * B-4 drafts of a period are replaced as a whole by a run over the same accounts.
 * B-5 an account whose invoice cannot be computed is refused and named; the others go on. */
#ifndef RATEL_BILL_RUN_H
#define RATEL_BILL_RUN_H

#include "account/ledgers.h"
#include "bill/invoice.h"
#include "bill/keys.h"

struct bill_store {
    struct store *store;
    uint32_t invoice_table; /* number -> packed invoice */
    uint32_t draft_table;
    uint32_t series_table;
    uint32_t meta_table;
    /* Called inside the transaction that issues an invoice; must have no effect outside of it, because
     * a transaction may run again. */
    enum status (*issued)(struct bill_store *store, struct store_txn *txn,
                          const struct invoice *invoice, const struct account *account,
                          struct error *error);
    /* One line for the audit log, inside the transaction. */
    enum status (*log)(struct bill_store *store, struct store_txn *txn, struct instant now,
                       struct slice action, struct slice text, struct error *error);
};

struct bill_request {
    const struct snapshot *snapshot;
    struct ledgers *ledgers;
    struct period period;
    uint32_t account; /* index; INDEX_NONE: all */
    struct instant now;
    struct slice series; /* of numbers: "INV" */
};

enum bill_state {
    BILL_READY,    /* has an invoice to be; `packed` is its draft */
    BILL_ISSUED,   /* by this run, with `number` */
    BILL_INVOICED, /* there was an invoice already: `number` */
    BILL_REFUSED, /* a line has no exchange rate, or a sum does not fit: `reason`, what to do included */
};

struct bill_item {
    uint32_t account; /* index into the snapshot */
    enum bill_state state;
    bool drafted; /* a stored draft is equal to `packed` */
    struct slice packed;
    struct slice reason;
    struct money total;
    struct instant end; /* of the period, in the account's zone */
    char number[BILL_NUMBER_BYTES];
};

struct slice_list {
    struct slice *items;
    uint32_t count;
    uint32_t capacity;
};

struct bill {
    struct arena arena;
    struct bill_item *items; /* by account id; accounts without lines and invoice have none */
    uint32_t count;
    uint32_t capacity;
    uint32_t ready_count;
    uint32_t refused_count;
    uint32_t invoiced_count;
    uint32_t issued_count;
    uint32_t draft_count;       /* stored by bill_run, or met by bill_finalize */
    struct slice_list warnings; /* one sentence each */
    struct slice_list changed;  /* ids of accounts whose drafts are out of date */
};

void bill_init(struct bill *bill);
void bill_fini(struct bill *bill);

/* Computes the invoices that are to be. Stores nothing.
 * Errors: CORRUPT and those of reading; REFUSED accounts are items, not errors. */
MUST_USE enum status bill_preview(const struct bill_request *request, struct bill_store *store,
                                  struct bill *bill, struct error *error);
/* The same, and stores the drafts. */
MUST_USE enum status bill_run(const struct bill_request *request, struct bill_store *store,
                              struct bill *bill, struct error *error);
/* Issues the drafts, or where there is none what a run would draft.
 * Errors: INVALID (the period is not over at request->now: the text says when it is), AGAIN (drafts
 * are out of date: bill->changed; nothing was issued). */
MUST_USE enum status bill_finalize(const struct bill_request *request, struct bill_store *store,
                                   struct bill *bill, struct error *error);
/* INVALID with a text that names the REFUSED accounts, where there are any. */
MUST_USE enum status bill_refusals(const struct bill_request *request, const struct bill *bill,
                                   struct error *error);

/* The document of a READY or ISSUED item. Owner: the arena; borrows from the bill. */
MUST_USE enum status bill_item_invoice(const struct bill_request *request,
                                       const struct bill_item *item, struct arena *arena,
                                       struct invoice *ret, struct error *error);

/* "a, b, c and 12 more": at most `size` bytes with the NUL. */
void bill_names(const struct slice *names, uint32_t count, char *buffer, size_t size);
void slice_list_add(struct slice_list *list, struct arena *arena, struct slice item);

#endif
