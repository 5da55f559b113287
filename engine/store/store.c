/* The life of an environment: making it, opening it, closing it.
 *
 * Invariants of store/'s LMDB part; the code cites them by number.
 *
 * S-1  Default durability only: no WRITEMAP, NOSYNC, NOMETASYNC, MAPASYNC. A commit that returned OK survives a power cut.
 * S-2  A data.mdb under its final name is whole and carries our format version: it is made under another name, synced, renamed,
 *      and the directory is synced, before anything is stored in it.
 * S-3  Every value ends in a CRC32C over table name, key and value, which is checked before a byte of it is handed out.
 * S-4  The map is resized only while no transaction of this process is open (the gate). A thread that holds a transaction never
 *      waits at the gate.
 * S-5  A transaction in which a write failed is never committed, whatever its `change` makes of the failure.
 * S-6  After an I/O error or damage reported by LMDB nothing more is written through this environment: what the page cache then
 *      holds is not to be trusted, only what is read back after opening again. A full disk is not of this kind: LMDB writes to
 *      unused pages only, so the state before is whole, and the next transaction starts from there.
 * S-7  The data and lock files are never opened or closed behind LMDB's back in this process: close() would drop its fcntl locks.
 * S-8  A process has an environment open once at a time, for the same reason. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/pack.h"
#include "store/file.h"
#include "store/store_private.h"

static_assert(MDB_VERSION_FULL >= MDB_VERINT(0, 9, 24),
              "the locking and map rules below were read in 0.9.24");

/* S-8. Process-wide, because fcntl locks are. After fork() the child finds its parent's entries here, which do not bind it. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct store *registry;

static bool registry_add(struct store *store)
{
    bool added = true;
    pthread_mutex_lock(&registry_mutex);
    for (const struct store *other = registry; other; other = other->registry_next)
        if (other->device == store->device && other->inode == store->inode &&
            other->process == store->process)
            added = false;
    if (added) {
        store->registry_next = registry;
        registry = store;
        store->registered = true;
    }
    pthread_mutex_unlock(&registry_mutex);
    return added;
}

static void registry_remove(struct store *store)
{
    pthread_mutex_lock(&registry_mutex);
    struct store **link = &registry;
    while (*link != store) {
        assert(*link);
        link = &(*link)->registry_next;
    }
    *link = store->registry_next;
    store->registered = false;
    pthread_mutex_unlock(&registry_mutex);
}

/* LMDB turns a short write into EIO, and a short write is what a disk gives that is filling up. With next to nothing left, or at the
 * process's file size limit, EIO is taken for a full disk. */
static bool disk_is_full(MDB_env *env)
{
    const uint64_t margin_bytes = 1 << 20;
    int fd;
    struct statvfs volume;
    struct stat file;
    struct rlimit limit;
    if (mdb_env_get_fd(env, &fd) != MDB_SUCCESS)
        return false;
    if (fstatvfs(fd, &volume) == 0 && (uint64_t)volume.f_bavail * volume.f_frsize < margin_bytes)
        return true;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           fstat(fd, &file) == 0 && (uint64_t)file.st_size + margin_bytes > limit.rlim_cur;
}

static enum status status_of(struct store *store, int code)
{
    switch (code) {
    case MDB_NOTFOUND:
        return STATUS_NOT_FOUND;
    case MDB_KEYEXIST:
        return STATUS_EXISTS;
    case MDB_MAP_FULL:
        return STATUS_NO_SPACE;
    case MDB_TXN_FULL:
        return STATUS_RANGE;
    case MDB_READERS_FULL:
        return STATUS_UNAVAILABLE;
    case MDB_VERSION_MISMATCH:
        return STATUS_VERSION;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
        return STATUS_CORRUPT;
    case EIO:
        return store && store->env && disk_is_full(store->env) ? STATUS_NO_SPACE : STATUS_IO;
    default:
        return code > 0 ? status_from_errno(code) : STATUS_IO;
    }
}

enum status store_mdb_error(struct store *store, int code, struct error *error, const char *what)
{
    assert(code != MDB_SUCCESS);
    enum status status = status_of(store, code);
    if (store && store->mode == STORE_WRITE && (status == STATUS_IO || status == STATUS_CORRUPT)) {
        int fine = STATUS_OK; /* S-6; the first reason stays */
        atomic_compare_exchange_strong(&store->failed, &fine, (int)status);
    }
    const char *remedy = status_remedy(status == STATUS_NO_SPACE && code == EIO ? ENOSPC : code);
    error_set(error, status, "%s: %s%s", what, mdb_strerror(code), remedy);
    if (error && store)
        (void)error_at(error, store->directory, 0, 0);
    return status;
}

static void data_path(const char *directory, const char *name, char buffer[STORE_PATH_BYTES])
{
    int length = snprintf(buffer, STORE_PATH_BYTES, "%s/%s", directory, name);
    assert(length > 0 && length < STORE_PATH_BYTES);
}

static enum status meta_put(MDB_txn *txn, int *ret_code)
{
    struct packer packer;
    struct slice name = SLICE(STORE_META_TABLE), key = SLICE(STORE_META_KEY);
    pack_init(&packer);
    pack_bytes(&packer, STORE_META_MAGIC, sizeof(STORE_META_MAGIC) - 1);
    pack_u32(&packer, STORE_FORMAT_VERSION);
    pack_slice(&packer, SLICE(RATEL_VERSION));
    struct slice value = pack_done(&packer);
    pack_u32(&packer, store_seal(store_seal_seed(name), key, value));
    if (packer.failed) {
        pack_fini(&packer);
        return STATUS_NO_MEMORY;
    }
    MDB_dbi dbi;
    MDB_val mdb_key = {key.length, (void *)(uintptr_t)key.data};
    MDB_val mdb_value = {packer.length, packer.data};
    *ret_code = mdb_dbi_open(txn, STORE_META_TABLE, MDB_CREATE, &dbi);
    if (*ret_code == MDB_SUCCESS)
        *ret_code = mdb_put(txn, dbi, &mdb_key, &mdb_value, 0);
    pack_fini(&packer);
    return STATUS_OK;
}

/* S-2: a new data file under `path`, with the format version in it, synced. MDB_NOLOCK: nobody else knows the name. */
static enum status make_data_file(const char *path, struct error *error)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    enum status status = STATUS_OK;
    int fd, code = mdb_env_create(&env);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxdbs(env, 1);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_mapsize(env, STORE_MAP_BYTES_FIRST);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0660);
    if (code == MDB_SUCCESS)
        code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code == MDB_SUCCESS)
        status = meta_put(txn, &code);
    if (txn && status == STATUS_OK && code == MDB_SUCCESS)
        code = mdb_txn_commit(txn);
    else if (txn)
        mdb_txn_abort(txn);
    if (status == STATUS_OK && code == MDB_SUCCESS)
        code = mdb_env_get_fd(env, &fd);
    if (status == STATUS_OK && code == MDB_SUCCESS && fsync(fd) != 0)
        code = errno;
    if (status != STATUS_OK) {
        error_set(error, status, "cannot create a database");
    } else if (code != MDB_SUCCESS) {
        struct store shell = {.env = env, .mode = STORE_READ};
        snprintf(shell.directory, sizeof(shell.directory), "%s", path);
        status = store_mdb_error(&shell, code, error, "cannot create a database");
    }
    if (env)
        mdb_env_close(env);
    return status;
}

static enum status make_environment(const char *directory, struct error *error)
{
    char final[STORE_PATH_BYTES], fresh[STORE_PATH_BYTES];
    struct stat info;
    data_path(directory, "data.mdb", final);
    data_path(directory, "data.mdb.new", fresh);
    int code = file_make_directory(directory);
    if (code)
        return file_error(error, code, directory, "cannot create the directory");
    if (stat(final, &info) == 0) {
        code = file_sync_directory(
            directory); /* whoever put it there may have been killed before doing so */
        return code ? file_error(error, code, directory, "cannot sync the directory") : STATUS_OK;
    }
    if (errno != ENOENT)
        return file_error(error, errno, final, "cannot look at the database");
    if (unlink(fresh) != 0 && errno != ENOENT) /* left by a crash while making it */
        return file_error(error, errno, fresh, "cannot remove an unfinished database");
    enum status status = make_data_file(fresh, error);
    if (status != STATUS_OK) {
        (void)unlink(fresh);
        return status;
    }
    if (rename(fresh, final) != 0)
        return file_error(error, errno, final, "cannot put the new database in place");
    code = file_sync_directory(directory);
    return code ? file_error(error, code, directory, "cannot sync the directory") : STATUS_OK;
}

/* The version rule alone: `value` is an unsealed format value. */
static enum status meta_judge(struct slice value, struct error *error)
{
    struct unpacker unpacker;
    unpack_init(&unpacker, value);
    struct slice magic = unpack_bytes(&unpacker, sizeof(STORE_META_MAGIC) - 1);
    uint32_t version = unpack_u32(&unpacker);
    struct slice writer = unpack_slice(&unpacker);
    if (unpacker.failed || !slice_is(magic, STORE_META_MAGIC))
        return error_set(error, STATUS_CORRUPT,
                         "not a Ratel database: its format value is another one's");
    if (version == STORE_FORMAT_VERSION)
        return STATUS_OK;
    return error_set(
        error, STATUS_VERSION,
        "database format %u, written by ratel %.*s; this is ratel %s, which knows format %u only",
        version, (int)(writer.length < 64 ? writer.length : 64), writer.data, RATEL_VERSION,
        STORE_FORMAT_VERSION);
}

static enum status meta_check(struct store *store, MDB_txn *txn, struct error *error)
{
    MDB_dbi dbi;
    MDB_val key = {sizeof(STORE_META_KEY) - 1, (void *)(uintptr_t)STORE_META_KEY}, stored;
    struct slice value;
    enum status status;
    int code = mdb_dbi_open(txn, STORE_META_TABLE, 0, &dbi);
    if (code == MDB_SUCCESS)
        code = mdb_get(txn, dbi, &key, &stored);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return store_mdb_error(store, code, error, "cannot read the format version");
    if (code == MDB_NOTFOUND)
        status = error_set(error, STATUS_CORRUPT, "not a Ratel database: it has no format version");
    else if (!store_unseal(store_seal_seed(SLICE(STORE_META_TABLE)), SLICE(STORE_META_KEY), stored,
                           &value))
        status = error_set(error, STATUS_CORRUPT, "the format version is damaged");
    else
        status = meta_judge(value, error);
    if (status != STATUS_OK && error)
        (void)error_at(error, store->directory, 0, 0);
    return status;
}

/* Runs inside the first transaction: nothing is written before the version is known. */
static enum status open_tables(struct store_txn *txn, void *context, struct error *error)
{
    (void)context;
    struct store *store = txn->store;
    enum status status = meta_check(store, txn->txn, error);
    for (uint32_t i = 0; status == STATUS_OK && i < store->table_count; i++) {
        struct store_table *table = &store->tables[i];
        int code = mdb_dbi_open(txn->txn, table->name, txn->writable ? MDB_CREATE : 0, &table->dbi);
        table->present = code == MDB_SUCCESS;
        if (code == MDB_MAP_FULL)
            txn->map_full = true;
        if (code != MDB_SUCCESS && (txn->writable || code != MDB_NOTFOUND))
            status = store_mdb_error(store, code, error, table->name);
    }
    return status;
}

static enum status open_tables_to_read(struct store *store, struct error *error)
{
    struct store_txn *txn;
    enum status status = store_read(store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = open_tables(txn, NULL, error);
    /* Handles opened in a transaction are kept only if it commits, also where it only reads. */
    int code = store_end_keep(txn);
    if (status == STATUS_OK && code != MDB_SUCCESS)
        status = store_mdb_error(store, code, error, "cannot open the tables");
    return status;
}

/* Files that miss their end are common (a copy that was cut off), and reading past the end is SIGBUS. LMDB may leave the last pages of a
 * healthy file unwritten, so the size alone proves nothing; where it looks wrong, a child process reads everything. */
static enum status check_size(struct store *store, struct error *error)
{
    MDB_envinfo info;
    MDB_stat pages;
    struct stat file;
    int fd;
    if (mdb_env_info(store->env, &info) != MDB_SUCCESS ||
        mdb_env_stat(store->env, &pages) != MDB_SUCCESS ||
        mdb_env_get_fd(store->env, &fd) != MDB_SUCCESS || fstat(fd, &file) != 0)
        return error_set(error, STATUS_IO, "cannot look at the database in %s", store->directory);
    if ((uint64_t)file.st_size / pages.ms_psize > info.me_last_pgno)
        return STATUS_OK;
    return store_check(store->directory, NULL, error);
}

static enum status open_environment(struct store *store, bool bare, struct error *error)
{
    bool write = store->mode == STORE_WRITE;
    int code = mdb_env_create(&store->env);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxdbs(store->env, STORE_TABLES_MAX + 1);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxreaders(store->env, STORE_READERS_MAX);
    /* S-1. NOTLS ties a reader's slot to its transaction, so that threads may hand transactions on. The map size is not set: LMDB takes
     * over the one in the file. */
    if (code == MDB_SUCCESS)
        code =
            mdb_env_open(store->env, store->directory, MDB_NOTLS | (write ? 0 : MDB_RDONLY), 0660);
    /* On a read-only file system LMDB goes without the lock file by itself; nobody can write there, so no page that a reader
     * stands on is used again. Without write permission on a writable one that does not hold: a reader that is not signed in would
     * read pages while they are overwritten. So that is refused rather than tried with MDB_NOLOCK. */
    if (code == EACCES) {
        error_set(error, STATUS_PERMISSION,
                  "cannot open the database: readers, too, need write permission on lock.mdb%s",
                  write ? " and data.mdb" : "");
        if (error)
            (void)error_at(error, store->directory, 0, 0);
        return STATUS_PERMISSION;
    }
    if (code != MDB_SUCCESS)
        return store_mdb_error(store, code, error, "cannot open the database");
    enum status status = bare ? STATUS_OK : check_size(store, error);
    if (status != STATUS_OK)
        return status;
    int dead;
    (void)mdb_reader_check(store->env,
                           &dead); /* readers that were killed would keep pages for ever */
    return write ? store_update(store, open_tables, NULL, error)
                 : open_tables_to_read(store, error);
}

static struct store *store_new(const char *directory, enum store_mode mode,
                               const char *const *tables, uint32_t table_count)
{
    assert(table_count <= STORE_TABLES_MAX);
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    snprintf(store->directory, sizeof(store->directory), "%s", directory);
    store->mode = mode;
    store->process = getpid();
    store->table_count = table_count;
    for (uint32_t i = 0; i < table_count; i++) {
        size_t length = strlen(tables[i]);
        assert(length > 0 && length <= STORE_NAME_BYTES_MAX && tables[i][0] != '.');
        memcpy(store->tables[i].name, tables[i], length + 1);
        store->tables[i].seed = store_seal_seed(slice_string(tables[i]));
    }
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&store->writer, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutex_init(&store->gate, NULL);
    pthread_cond_init(&store->gate_moved, NULL);
    return store;
}

static enum status open_store(const char *directory, enum store_mode mode,
                              const char *const *tables, uint32_t table_count, bool bare,
                              struct store **ret, struct error *error)
{
    struct stat info;
    char data[STORE_PATH_BYTES];
    enum status status = STATUS_OK;
    if (strlen(directory) + sizeof("/data.mdb.new") > STORE_PATH_BYTES)
        return error_set(error, STATUS_CANNOT_CREATE, "path too long: %.64s...", directory);
    if (mode == STORE_WRITE)
        status = make_environment(directory, error);
    if (status != STATUS_OK)
        return status;
    data_path(directory, "data.mdb", data);
    if (stat(data, &info) != 0)
        return file_error(error, errno, data, "no database here");
    if (stat(directory, &info) != 0)
        return file_error(error, errno, directory, "no database here");
    struct store *store = store_new(directory, mode, tables, table_count);
    if (!store)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    store->device = info.st_dev;
    store->inode = info.st_ino;
    if (!bare && !registry_add(store)) { /* S-8 */
        status = error_set(error, STATUS_LOCKED, "the database %s is open in this process already",
                           directory);
    } else {
        status = open_environment(store, bare, error);
    }
    if (status == STATUS_OK)
        *ret = store;
    else
        store_close(store);
    return status;
}

enum status store_open(const char *directory, enum store_mode mode, const char *const *tables,
                       uint32_t table_count, struct store **ret, struct error *error)
{
    return open_store(directory, mode, tables, table_count, false, ret, error);
}

enum status store_open_bare(const char *directory, enum store_mode mode, const char *const *tables,
                            uint32_t table_count, struct store **ret, struct error *error)
{
    return open_store(directory, mode, tables, table_count, true, ret, error);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    assert(!store->open_txns);
    if (store->env)
        mdb_env_close(store->env);
    if (store->registered)
        registry_remove(store);
    pthread_cond_destroy(&store->gate_moved);
    pthread_mutex_destroy(&store->gate);
    pthread_mutex_destroy(&store->writer);
    free(store);
}
