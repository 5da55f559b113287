/* The book: what is not derived from usage. Rate cards in all versions, catalogues, accounts, FX,
 * tax, budgets, invoices, the outbox, the audit log: DATA/book, one LMDB environment. Written by
 * commands and billing, never by events. */
#ifndef RATEL_ENGINE_BOOK_H
#define RATEL_ENGINE_BOOK_H

#include "base/instant.h"
#include "ratecards/ratecards.h"
#include "store/datadir.h"
#include "store/store.h"

/* The first ENTRY_TABLE_COUNT tables are the documents' (enum entry_table), in that order. */
enum book_table {
    BOOK_INVOICE = ENTRY_TABLE_COUNT, /* key: number; value: the document as issued */
    BOOK_DRAFT,                       /* key: period, account */
    BOOK_SERIES,                      /* key: name of the number series; value: last number given */
    BOOK_OUTBOX,                      /* key: message id */
    BOOK_AUDIT,                       /* key: u64 sequence, big-endian; value: time, action, text */
    BOOK_META,                        /* see docs/reference/data-directory.md */
    BOOK_TABLE_COUNT
};

struct book;

/* Errors: as store_open. Owner: caller, book_close. */
MUST_USE enum status book_open(const struct datadir *datadir, enum store_mode mode,
                               struct book **ret, struct error *error);
void book_close(struct book *book);
struct store *book_store(struct book *book); /* Lifetime: the book's */

/* All document entries, in key order. Owner: the list's arena. */
MUST_USE enum status book_entries(struct book *book, struct entry_list *ret, struct error *error);
/* Compiles what is loaded. Problems cannot occur in what was checked when it was stored; if they
 * do: BUG with the first one's text. Owner: caller, snapshot_free. */
MUST_USE enum status book_snapshot(struct book *book, struct snapshot **ret, struct error *error);
/* How often documents were stored. What was compiled at one revision holds until there is another:
 * book_snapshot_at says which one it is of. */
MUST_USE enum status book_revision(struct book *book, uint64_t *ret, struct error *error);
MUST_USE enum status book_snapshot_at(struct book *book, struct snapshot **ret,
                                      uint64_t *ret_revision, struct error *error);
/* Stores new entries in one transaction, with an audit line for each document title. */
MUST_USE enum status book_load(struct book *book, const struct entry_list *entries,
                               const struct slice *titles, uint32_t title_count, struct instant now,
                               struct error *error);
/* Appends one line to the audit log within a caller's transaction. */
MUST_USE enum status book_audit(struct store_txn *txn, struct instant now, struct slice action,
                                struct slice text, struct error *error);

#endif
