/* Shared by the store_*.c files; nobody else includes it. */
#ifndef RATEL_STORE_STORE_PRIVATE_H
#define RATEL_STORE_STORE_PRIVATE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store/store.h"

#define STORE_PATH_BYTES      4096
#define STORE_MAP_BYTES_FIRST ((size_t)64 << 20)
#define STORE_MAP_BYTES_MAX   ((size_t)1 << 40)
#define STORE_READERS_MAX     254
#define STORE_SEAL_BYTES      4 /* the CRC32C behind every value */
/* Our own table in each environment; the dot keeps it apart from the callers' names. */
#define STORE_META_TABLE     ".ratel"
#define STORE_META_KEY       "format"
#define STORE_META_MAGIC     "RATELKVS"
#define STORE_FORMAT_VERSION 1

struct store_table {
    char name[STORE_NAME_BYTES_MAX + 1];
    MDB_dbi dbi;
    uint32_t seed; /* CRC32C of the name: a value does not pass in another table */
    bool present;  /* false: a reader found no such table and sees it empty */
};

struct store_txn {
    struct store *store;
    MDB_txn *txn;
    bool writable;
    bool map_full;      /* put ran out of map: store_update grows and runs again */
    enum status failed; /* the first operating error; S-5 */
    struct error why;
    uint64_t write_count; /* so that a walk notices writes under it */
    pthread_t owner;
    struct store_txn *next; /* in store->open_txns */
};

struct store {
    MDB_env *env;
    char directory[STORE_PATH_BYTES];
    enum store_mode mode;
    bool registered; /* in the list of environments that this process has open; S-8 */
    dev_t device;
    ino_t inode;
    pid_t process; /* that opened it */
    struct store *registry_next;
    _Atomic int
        failed; /* enum status; not OK: writing is over until the store is opened again; S-6 */
    pthread_mutex_t
        writer; /* held for the whole of store_update; knows its owner, so recursion is caught */
    pthread_mutex_t gate; /* guards the three below; S-4 */
    pthread_cond_t gate_moved;
    bool gate_closing;
    atomic_bool map_lost; /* a failed resize left LMDB without a map: every begin is refused */
    struct store_txn *open_txns;
    uint32_t table_count;
    struct store_table tables[STORE_TABLES_MAX];
};

/* Opens without the registry (S-8) and without the size check: for store_check's child. */
MUST_USE enum status store_open_bare(const char *directory, enum store_mode mode,
                                     const char *const *tables, uint32_t table_count,
                                     struct store **ret, struct error *error);

/* store_end, but commits the read transaction, so that table handles opened in it stay. Returns
 * LMDB's code. */
int store_end_keep(struct store_txn *txn);

/* Fills `error` from an LMDB return code and gives its status; poisons the store where S-6 says so.
 */
enum status store_mdb_error(struct store *store, int code, struct error *error, const char *what);

uint32_t store_seal_seed(struct slice table_name);
uint32_t store_seal(uint32_t seed, struct slice key, struct slice value);
/* Checks the seal of a stored value and strips it. False: damaged or too short. */
bool store_unseal(uint32_t seed, struct slice key, MDB_val stored, struct slice *ret);
/* "table 'x' key 'y'": printable keys as they are, others in hex, long ones cut. */
void store_describe(const char *table, struct slice key, char buffer[160]);

#endif
