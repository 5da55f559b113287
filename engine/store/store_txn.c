/* Transactions, the gate that keeps them apart from resizing, and growing. Invariants: store.c. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/store_private.h"

#define RESIZE_ATTEMPTS_MAX 64

static bool thread_holds_txn(const struct store *store)
{
    pthread_t self = pthread_self();
    for (const struct store_txn *txn = store->open_txns; txn; txn = txn->next)
        if (pthread_equal(txn->owner, self))
            return true;
    return false;
}

static void gate_enter(struct store *store, struct store_txn *txn)
{
    pthread_mutex_lock(&store->gate);
    /* S-4: whoever closes the gate waits for this thread's transaction, so this thread must not
     * wait for the gate. */
    while (store->gate_closing && !thread_holds_txn(store))
        pthread_cond_wait(&store->gate_moved, &store->gate);
    txn->owner = pthread_self();
    txn->next = store->open_txns;
    store->open_txns = txn;
    pthread_mutex_unlock(&store->gate);
}

static void gate_leave(struct store *store, struct store_txn *txn)
{
    pthread_mutex_lock(&store->gate);
    struct store_txn **link = &store->open_txns;
    while (*link != txn) {
        assert(*link);
        link = &(*link)->next;
    }
    *link = txn->next;
    if (!store->open_txns)
        pthread_cond_broadcast(&store->gate_moved);
    pthread_mutex_unlock(&store->gate);
}

/* S-4. Waits until no transaction is open, then maps `bytes` (0: what the file says, after another
 * process grew it). */
static int map_resize(struct store *store, size_t bytes)
{
    MDB_envinfo before;
    pthread_mutex_lock(&store->gate);
    assert(!thread_holds_txn(store));
    while (store->gate_closing)
        pthread_cond_wait(&store->gate_moved, &store->gate);
    store->gate_closing = true;
    while (store->open_txns)
        pthread_cond_wait(&store->gate_moved, &store->gate);

    int code = mdb_env_info(store->env, &before);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_mapsize(store->env, bytes);
    if (code != MDB_SUCCESS && mdb_env_set_mapsize(store->env, before.me_mapsize) != MDB_SUCCESS) {
        /* The old map is gone and could not be had back: LMDB would follow dangling pointers. */
        atomic_store(&store->map_lost, true);
    }
    store->gate_closing = false;
    pthread_cond_broadcast(&store->gate_moved);
    pthread_mutex_unlock(&store->gate);
    return code;
}

/* Doubles the map. */
static enum status map_grow(struct store *store, struct error *error)
{
    MDB_envinfo info;
    int dead;
    (void)mdb_reader_check(store->env, &dead); /* their pages may be what is missing */
    int code = mdb_env_info(store->env, &info);
    if (code != MDB_SUCCESS)
        return store_mdb_error(store, code, error, "cannot grow the database");
    size_t bytes =
        info.me_mapsize < STORE_MAP_BYTES_FIRST / 2 ? STORE_MAP_BYTES_FIRST : info.me_mapsize * 2;
    if (bytes > STORE_MAP_BYTES_MAX) {
        error_set(error, STATUS_NO_SPACE, "the database has reached its largest size of %zu GiB",
                  STORE_MAP_BYTES_MAX >> 30);
        if (error)
            (void)error_at(error, store->directory, 0, 0);
        return STATUS_NO_SPACE;
    }
    code = map_resize(store, bytes);
    return code == MDB_SUCCESS
               ? STATUS_OK
               : store_mdb_error(store, code, error, "cannot map the grown database");
}

static bool thread_has_another(struct store *store, const struct store_txn *except)
{
    bool found = false;
    pthread_mutex_lock(&store->gate);
    for (const struct store_txn *txn = store->open_txns; txn; txn = txn->next)
        found = found || (txn != except && pthread_equal(txn->owner, except->owner));
    pthread_mutex_unlock(&store->gate);
    return found;
}

/* Begins inside the gate. On an error the gate has been left again. */
static enum status begin(struct store *store, struct store_txn *txn, struct error *error)
{
    const char *what = txn->writable ? "cannot begin to write" : "cannot begin to read";
    int code = MDB_SUCCESS;
    for (int attempt = 0; attempt < RESIZE_ATTEMPTS_MAX; attempt++) {
        gate_enter(store, txn);
        if (atomic_load(&store->map_lost)) {
            gate_leave(store, txn);
            return error_set(error, STATUS_IO, "the database could not be mapped again: restart");
        }
        code = mdb_txn_begin(store->env, NULL, txn->writable ? 0 : MDB_RDONLY, &txn->txn);
        if (code == MDB_READERS_FULL) {
            int dead;
            (void)mdb_reader_check(store->env, &dead);
            code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn->txn);
        }
        if (code == MDB_SUCCESS)
            return STATUS_OK;
        bool nested = thread_has_another(store, txn);
        gate_leave(store, txn);
        if (code != MDB_MAP_RESIZED)
            break;
        if (nested)
            return error_set(
                error, STATUS_AGAIN,
                "another process grew the database: end the open read transaction first");
        code = map_resize(store, 0);
        if (code != MDB_SUCCESS)
            break;
    }
    return store_mdb_error(store, code == MDB_SUCCESS ? MDB_MAP_RESIZED : code, error, what);
}

enum status store_read(struct store *store, struct store_txn **ret, struct error *error)
{
    struct store_txn *txn = calloc(1, sizeof(*txn));
    if (!txn)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    txn->store = store;
    enum status status = begin(store, txn, error);
    if (status == STATUS_OK)
        *ret = txn;
    else
        free(txn);
    return status;
}

void store_end(struct store_txn *txn)
{
    assert(txn && !txn->writable);
    mdb_txn_abort(txn->txn);
    gate_leave(txn->store, txn);
    free(txn);
}

int store_end_keep(struct store_txn *txn)
{
    assert(txn && !txn->writable);
    int code = mdb_txn_commit(txn->txn);
    gate_leave(txn->store, txn);
    free(txn);
    return code;
}

/* One run of `change`. `ret_map_full`: nothing happened, grow and run again. */
static enum status update_once(struct store *store, store_change *change, void *context,
                               bool *ret_map_full, struct error *error)
{
    struct store_txn txn = {.store = store, .writable = true};
    enum status status = begin(store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = change(&txn, context, error);
    int code = MDB_SUCCESS;
    bool full = txn.map_full;
    if (!full && status == STATUS_OK && txn.failed != STATUS_OK) { /* S-5 */
        status = txn.failed;
        if (error)
            *error = txn.why;
    }
    if (full || status != STATUS_OK) {
        mdb_txn_abort(txn.txn);
    } else {
        code = mdb_txn_commit(txn.txn);
        full = code == MDB_MAP_FULL; /* the list of free pages may be what does not fit */
    }
    gate_leave(store, &txn);
    *ret_map_full = full;
    if (!full && code != MDB_SUCCESS)
        status = store_mdb_error(store, code, error, "cannot commit");
    return status;
}

enum status store_update(struct store *store, store_change *change, void *context,
                         struct error *error)
{
    assert(store->mode == STORE_WRITE);
    int locked = pthread_mutex_lock(&store->writer);
    assert(locked == 0); /* EDEADLK: store_update inside `change` */
    pthread_mutex_lock(&store->gate);
    assert(!thread_holds_txn(store)); /* S-4: growing would wait for it for ever */
    pthread_mutex_unlock(&store->gate);

    enum status status = (enum status)atomic_load(&store->failed);
    if (status != STATUS_OK) { /* S-6 */
        error_set(error, status,
                  "not written: the database failed before; restart to read back what is on disk");
        if (error)
            (void)error_at(error, store->directory, 0, 0);
    }
    bool full = status == STATUS_OK;
    while (full) {
        full = false;
        status = update_once(store, change, context, &full, error);
        if (full) {
            status = map_grow(store, error);
            full = status == STATUS_OK;
        }
    }
    pthread_mutex_unlock(&store->writer);
    return status;
}
