/* Reading a whole environment in a child process: LMDB trusts its pages, so damage can end in a
 * signal, and then the child dies instead of the caller. Invariants: store.c. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/file.h"
#include "store/store_private.h"

struct check_report {
    enum status status;
    uint64_t values;
    struct error error;
};

static enum status damaged_at(const struct store *store, const char *table, struct slice key,
                              const char *how, struct error *error)
{
    char place[160];
    store_describe(table, key, place);
    error_set(error, STATUS_CORRUPT, "%s: %s", place, how);
    (void)error_at(error, store->directory, 0, 0);
    return STATUS_CORRUPT;
}

/* Every key in order, every seal whole, and as many as the table says that it has. */
static enum status check_table(struct store *store, MDB_txn *txn, const char *name,
                               uint64_t *values, struct error *error)
{
    MDB_dbi dbi;
    MDB_stat stat;
    MDB_cursor *cursor = NULL;
    MDB_val key, stored;
    char last[STORE_KEY_BYTES_MAX];
    size_t last_length = 0, count = 0;
    uint32_t seed = store_seal_seed(slice_string(name));
    int code = mdb_dbi_open(txn, name, 0, &dbi);
    if (code == MDB_SUCCESS)
        code = mdb_stat(txn, dbi, &stat);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_open(txn, dbi, &cursor);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_get(cursor, &key, &stored, MDB_FIRST);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT)) {
        struct slice at = {key.mv_data, key.mv_size}, value;
        if (at.length == 0 || at.length > sizeof(last) ||
            slice_compare(at, slice_of(last, last_length)) <= 0)
            return damaged_at(store, name, at, "keys out of order", error);
        if (!store_unseal(seed, at, stored, &value))
            return damaged_at(store, name, at, "the value does not match its checksum", error);
        last_length = at.length;
        memcpy(last, at.data, at.length);
        count++;
    }
    if (cursor)
        mdb_cursor_close(cursor);
    if (code != MDB_NOTFOUND)
        return store_mdb_error(store, code, error, name);
    if (count != stat.ms_entries)
        return damaged_at(store, name, slice_of(last, last_length),
                          "keys are missing: counts differ", error);
    *values += count;
    return STATUS_OK;
}

static enum status check_tables(struct store *store, MDB_txn *txn, uint64_t *values,
                                struct error *error)
{
    MDB_dbi names;
    MDB_cursor *cursor = NULL;
    MDB_val key, stored;
    enum status status = STATUS_OK;
    int code = mdb_dbi_open(txn, NULL, 0, &names);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_open(txn, names, &cursor);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_get(cursor, &key, &stored, MDB_FIRST);
    for (; code == MDB_SUCCESS && status == STATUS_OK;
         code = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT)) {
        char name[STORE_NAME_BYTES_MAX + 1];
        if (key.mv_size == 0 || key.mv_size > STORE_NAME_BYTES_MAX)
            return error_set(error, STATUS_CORRUPT, "a table's name in %s is damaged",
                             store->directory);
        memcpy(name, key.mv_data, key.mv_size);
        name[key.mv_size] = 0;
        status = check_table(store, txn, name, values, error);
    }
    if (cursor)
        mdb_cursor_close(cursor);
    if (status == STATUS_OK && code != MDB_NOTFOUND)
        status = store_mdb_error(store, code, error, "cannot list the tables");
    return status;
}

static enum status check_here(const char *directory, uint64_t *values, struct error *error)
{
    struct store *store = NULL;
    struct store_txn *txn = NULL;
    enum status status = store_open_bare(directory, STORE_READ, NULL, 0, &store, error);
    if (status == STATUS_OK)
        status = store_read(store, &txn, error);
    if (status == STATUS_OK)
        status = check_tables(store, txn->txn, values, error);
    if (txn)
        store_end(txn);
    store_close(store);
    return status;
}

__attribute__((noreturn)) static void child_main(const char *directory, int report_fd)
{
    /* The signals end this process quietly: no handler of the parent, no message of LMDB, no core
     * file. */
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
        signal(deadly[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (quiet >= 0)
        (void)dup2(quiet, STDERR_FILENO);
    struct check_report report;
    memset(&report, 0, sizeof(report));
    report.status = check_here(directory, &report.values, &report.error);
    ssize_t written = write(report_fd, &report, sizeof(report));
    _exit(written == (ssize_t)sizeof(report) ? 0 : 1);
}

static bool read_report(int fd, struct check_report *report)
{
    size_t done = 0;
    while (done < sizeof(*report)) {
        ssize_t got = read(fd, (char *)report + done, sizeof(*report) - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

enum status store_check(const char *directory, uint64_t *ret_values, struct error *error)
{
    int ends[2], how = 0;
    struct check_report report;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return file_error(error, errno, directory, "cannot start the check");
    pid_t child = fork();
    if (child < 0) {
        int code = errno;
        close(ends[0]);
        close(ends[1]);
        return file_error(error, code, directory, "cannot start the check");
    }
    if (child == 0)
        child_main(directory, ends[1]);
    close(ends[1]);
    bool reported = read_report(ends[0], &report);
    close(ends[0]);
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    if (!reported) {
        if (WIFSIGNALED(how))
            error_set(error, STATUS_CORRUPT,
                      "the structure of the database is damaged (reading it ended in %s)",
                      strsignal(WTERMSIG(how)));
        else
            error_set(error, STATUS_CORRUPT,
                      "the structure of the database is damaged (reading it ended the process)");
        if (error)
            (void)error_at(error, directory, 0, 0);
        return STATUS_CORRUPT;
    }
    if (report.status != STATUS_OK && error)
        *error = report.error;
    if (report.status == STATUS_OK && ret_values)
        *ret_values = report.values;
    return report.status;
}
