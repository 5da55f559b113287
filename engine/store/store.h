/* The only code that knows LMDB: one environment with named tables of checksummed values.
 *
 * Default flags only (facts: WRITEMAP is SIGBUS on a full disk; NOSYNC loses whole databases in
 * power cuts). LMDB has no page checksums, so every value carries a CRC32C over table name, key and
 * value, checked at each read. The map grows on demand, also when another process grew it. Several
 * processes may read; writers hold the data directory's LOCK (datadir.h).
 *
 * Growing needs a moment without transactions in this process and waits for it. So a thread that
 * holds a transaction, to read or to write, must not call store_update (asserted); a store_read
 * inside `change` sees the state before it. A process opens a directory once at a time: a second
 * store_open is LOCKED, because LMDB's file locks belong to the process. */
#ifndef RATEL_STORE_STORE_H
#define RATEL_STORE_STORE_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/status.h"

#define STORE_TABLES_MAX      32
#define STORE_KEY_BYTES_MAX   511 /* LMDB's default; a key has at least one byte */
#define STORE_NAME_BYTES_MAX  63  /* of a table; a name does not start with a dot */
#define STORE_VALUE_BYTES_MAX ((size_t)1 << 30)

struct store;
struct store_txn;

enum store_mode { STORE_READ, STORE_WRITE /* also creates */ };

/* Opens DIR (created with its tables in STORE_WRITE mode). `tables` are names; a table is its index
 * from then on. A reader of a directory that lacks a table sees it empty. A reader needs write
 * permission on lock.mdb, because readers sign in there; on a read-only file system it reads
 * without. Errors: NOT_FOUND, PERMISSION, IO, NO_SPACE, CORRUPT, VERSION, LOCKED (open in this
 * process already); text in `error`. Owner: caller, store_close (after the last transaction has
 * ended). */
MUST_USE enum status store_open(const char *directory, enum store_mode mode,
                                const char *const *tables, uint32_t table_count, struct store **ret,
                                struct error *error);
void store_close(struct store *store);

/* A read transaction sees one state until store_end. Keep them short: old readers make the file
 * grow for good, and growing waits for them. Thread: any, one at a time per transaction. Errors:
 * IO, AGAIN (another process grew the map while this thread holds another read transaction: end
 * that first), UNAVAILABLE (too many readers). */
MUST_USE enum status store_read(struct store *store, struct store_txn **ret, struct error *error);
void store_end(struct store_txn *txn);

/* Runs `change` in one write transaction and commits it durably. When the map is full it is grown
 * and `change` runs again from the start, so `change` must have no effect outside the transaction.
 * A status other than OK from `change` aborts and is returned. A failed store_put, store_delete or
 * store_clear fails the whole transaction, also when `change` swallows it. After IO or CORRUPT from
 * LMDB itself the store refuses updates until it is opened again. Thread: any; one runs at a time.
 * Errors: NO_SPACE (disk full; the state before is intact and another try is allowed), IO, CORRUPT,
 * RANGE (too many changed pages). */
typedef enum status store_change(struct store_txn *txn, void *context, struct error *error);
MUST_USE enum status store_update(struct store *store, store_change *change, void *context,
                                  struct error *error);

/* The value (any alignment), borrowed until the transaction ends or writes. Errors: NOT_FOUND
 * (error untouched), CORRUPT (checksum: names table and key). */
MUST_USE enum status store_get(struct store_txn *txn, uint32_t table, struct slice key,
                               struct slice *ret, struct error *error);
/* `value` must not be borrowed from this transaction (asserted): the write may move it. */
MUST_USE enum status store_put(struct store_txn *txn, uint32_t table, struct slice key,
                               struct slice value, struct error *error);
/* Errors: EXISTS when the key is there (error untouched). */
MUST_USE enum status store_put_new(struct store_txn *txn, uint32_t table, struct slice key,
                                   struct slice value, struct error *error);
/* Errors: NOT_FOUND. */
MUST_USE enum status store_delete(struct store_txn *txn, uint32_t table, struct slice key,
                                  struct error *error);
MUST_USE enum status store_clear(struct store_txn *txn, uint32_t table, struct error *error);
uint64_t store_count(struct store_txn *txn, uint32_t table);

/* Walks keys in memcmp order from the first key >= `from`. The visitor returns OK to go on, AGAIN
 * to stop early (then the walk returns OK), else the walk returns its status. In a store_update the
 * visitor may put and delete, also in the table that is walked; its slices die with the first
 * write. Errors: CORRUPT (checksum, or keys out of order). */
typedef enum status store_visit(struct slice key, struct slice value, void *context,
                                struct error *error);
MUST_USE enum status store_walk(struct store_txn *txn, uint32_t table, struct slice from,
                                store_visit *visit, void *context, struct error *error);
/* The last key in a table, or NOT_FOUND. */
MUST_USE enum status store_last(struct store_txn *txn, uint32_t table, struct slice *ret_key,
                                struct slice *ret_value, struct error *error);

/* Reads every value of every table of DIR in a child process, because a damaged LMDB file can kill
 * its reader (SIGBUS, SIGSEGV, abort). `ret_values` may be NULL. Errors: CORRUPT (what and where,
 * or the signal that killed the child), and those of store_open. */
MUST_USE enum status store_check(const char *directory, uint64_t *ret_values, struct error *error);

#endif
