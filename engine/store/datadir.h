/* The data directory: what `ratel init` makes, FORMAT, the two locks and the paths below it
 * (docs/reference/data-directory.md). */
#ifndef RATEL_STORE_DATADIR_H
#define RATEL_STORE_DATADIR_H

#include "base/slice.h"
#include "base/status.h"

#define DATADIR_FORMAT_VERSION 1
#define DATADIR_PATH_BYTES     4096
#define DATADIR_SHARDS_MAX     100 /* two digits in shard-NN */

struct datadir {
    char path[DATADIR_PATH_BYTES];
    uint32_t format_version;
    uint32_t shard_count;
    uint64_t seed;    /* random, keys the identity hashes */
    int lock_fd;      /* LOCK; -1: not held */
    int book_lock_fd; /* LOCK.book; -1: not held */
};

/* Makes the directory under a temporary name, syncs, and renames it into place: either all of it is
 * there or nothing. Writes operator.key (mode 0600: "ratel_op_" and 256 random bits in hex, one
 * line). An existing empty directory is replaced and keeps its mode; where that cannot be (a mount
 * point, a parent without write permission) it is filled, FORMAT last, and an init that was killed
 * there can be repeated. Errors: EXISTS (it is a data directory already: nothing changed),
 * CANNOT_CREATE (not empty, no parent), NO_SPACE, PERMISSION, LOCKED (another init is at work in
 * it). `shard_count` is 1 to DATADIR_SHARDS_MAX and stays as it is for good. */
MUST_USE enum status datadir_init(const char *path, uint32_t shard_count, struct error *error);

enum datadir_mode {
    DATADIR_READ,
    DATADIR_WRITE,        /* everything: both locks */
    DATADIR_WRITE_BOOK,   /* LOCK.book: documents, invoices, what became of messages */
    DATADIR_WRITE_LEDGERS /* LOCK: ledgers, quarantine, and messages of the outbox */
};

/* Opens; `ret->path` is absolute. Locks are taken (flock, exclusive, not waiting) with the own pid
 * in them. Errors: NOT_FOUND (with the hint to run `ratel init`), VERSION (names both versions and
 * the program version that wrote it), LOCKED (names the pid of the holder), CORRUPT (FORMAT damaged,
 * or a shard's directory is missing), PERMISSION, UNAVAILABLE (writing on a network file system,
 * where locks and mapped files cannot be relied on). */
MUST_USE enum status datadir_open(const char *path, enum datadir_mode mode, struct datadir *ret,
                                  struct error *error);
/* Takes the other lock, too, as datadir_open does. *ret_holder (may be NULL) is the pid behind
 * LOCKED, 0 when unknown. */
MUST_USE enum status datadir_lock_ledgers(struct datadir *datadir, uint64_t *ret_holder,
                                          struct error *error);
MUST_USE enum status datadir_lock_book(struct datadir *datadir, uint64_t *ret_holder,
                                       struct error *error);
void datadir_close(struct datadir *datadir); /* LOCK is let go before LOCK.book */

/* "PATH/name" into a caller's buffer; asserts that it fits. */
void datadir_path(const struct datadir *datadir, const char *name, char buffer[DATADIR_PATH_BYTES]);
/* "PATH/shard-NN/name". */
void datadir_shard_path(const struct datadir *datadir, uint32_t shard, const char *name,
                        char buffer[DATADIR_PATH_BYTES]);

#endif
