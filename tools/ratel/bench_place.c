/* Data directories that are measured: made by the command itself, opened here, removed. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ratel/bench.h"

static int remove_one(const char *path, const struct stat *facts, int flag, struct FTW *walk)
{
    (void)facts;
    (void)flag;
    (void)walk;
    return remove(path);
}

void bench_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum status command(const char *const *arguments, struct error *error)
{
    int pid = 0;
    enum status status = bench_spawn(arguments, -1, &pid, error);
    return status == STATUS_OK ? bench_wait(pid, arguments[1], error) : status;
}

enum status bench_place_make(struct bench *bench, const char *name, uint32_t shards,
                             uint32_t revision, struct bench_place *ret, struct error *error)
{
    char program[BENCH_PATH_BYTES], count[16], card[BENCH_PATH_BYTES + 32],
        accounts[BENCH_PATH_BYTES + 32];
    *ret = (struct bench_place){.open = false};
    int length = snprintf(ret->path, sizeof(ret->path), "%s/%s", bench->directory, name);
    ssize_t read = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0 || (size_t)length >= sizeof(ret->path) || read < 0)
        return error_set(error, STATUS_UNAVAILABLE, "the path %s is too long", bench->directory);
    program[read] = '\0';
    snprintf(count, sizeof(count), "%u", shards);
    snprintf(card, sizeof(card), "%s/card-%u.yaml", bench->directory, revision);
    snprintf(accounts, sizeof(accounts), "%s.accounts", bench->json.path);
    bench_remove(ret->path);
    const char *const init[] = {program, "init", "--data", ret->path, "--shards", count, NULL};
    const char *const load[] = {program, "load", "--data", ret->path, accounts, card, NULL};
    enum status status = command(init, error);
    return status == STATUS_OK ? command(load, error) : status;
}

enum status bench_place_open(struct bench *bench, struct bench_place *place, enum ledger_mode mode,
                             struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    assert(!place->open);
    context_init(&place->context, bench->context->out, bench->context->err);
    place->context.data_path = place->path;
    place->context.clock = bench->context->clock;
    place->open = true;
    enum status status = session_open(&place->session, &place->context, mode, error);
    if (status != STATUS_OK)
        return status;
    datadir_path(place->context.datadir, "quarantine", path);
    return quarantine_open(path, mode == LEDGER_WRITE, &place->quarantine, error);
}

void bench_place_close(struct bench_place *place)
{
    if (!place->open)
        return;
    if (place->quarantine)
        quarantine_close(place->quarantine);
    place->quarantine = NULL;
    session_close(&place->session);
    context_fini(&place->context);
    place->open = false;
}

static uint64_t counted;

static int count_one(const char *path, const struct stat *facts, int flag, struct FTW *walk)
{
    (void)path;
    (void)walk;
    if (flag == FTW_F)
        counted += (uint64_t)facts->st_size;
    return 0;
}

uint64_t bench_journal_bytes(const struct bench_place *place)
{
    char path[DATADIR_PATH_BYTES];
    counted = 0;
    for (uint32_t i = 0; i < place->context.datadir->shard_count; i++) {
        datadir_shard_path(place->context.datadir, i, "journal", path);
        (void)nftw(path, count_one, 16, FTW_PHYS);
    }
    return counted;
}

uint64_t bench_ledger_bytes(const struct ledgers *ledgers)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ledgers->count; i++) {
        const struct ledger *ledger = ledgers->shards[i];
        bytes += series_bytes(&ledger->series) + buckets_bytes(&ledger->buckets);
        bytes += (uint64_t)ledger->series_digest_capacity * sizeof(uint64_t);
        bytes += (uint64_t)ledger->bucket_digest_capacity * sizeof(uint64_t);
    }
    return bytes;
}
