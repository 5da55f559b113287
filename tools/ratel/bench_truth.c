/* The generator's truth of an input, and whether ledgers hold exactly that. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "ratel/bench.h"

#define METERS_MAX 32

struct meter_sum {
    char name[32];
    int128 quanta;
};

struct account_truth {
    char id[64];
    uint32_t first, count; /* of the meters */
};

struct bench_truth {
    struct account_truth *accounts;
    uint32_t account_count, account_capacity;
    struct meter_sum *meters;
    uint32_t meter_count, meter_capacity;
    uint64_t records, unique, series, other; /* other: rows that this benchmark does not know of */
};

/* ---- reading
 * -----------------------------------------------------------------------------------------------------
 */

/* The text of a member as written, without quotes; the generator writes no blanks between, and
 * nothing that is escaped in what is read here. Empty when it is not in [line, end). */
static struct slice member(const char *line, const char *end, const char *name)
{
    char key[64];
    size_t length = (size_t)snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = memmem(line, (size_t)(end - line), key, length);
    if (!at)
        return slice_of("", 0);
    at += length;
    if (*at == '"') {
        at++;
        return slice_of(at, strcspn(at, "\""));
    }
    return slice_of(at, strcspn(at, ",}"));
}

/* What the canonical card counts of a meter: hours, or times what its charge says. */
static const char *member_of_meter(struct slice meter)
{
    static const char *const sized[] = {
        "volume", "template", "iso", "snapshot", "vmsnapshot", "backup", "vmsnapshot.primary"};
    for (size_t i = 0; i < sizeof(sized) / sizeof(sized[0]); i++)
        if (slice_is(meter, sized[i]))
            return "byte_hours";
    if (slice_is(meter, "vm.allocated"))
        return "memory_mib_hours";
    return slice_is(meter, "bucket") ? "level_seconds" : "quantity";
}

static void *grow(void *items, uint32_t count, uint32_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 1024;
    return realloc(items, *capacity * bytes);
}

static bool add_meter(struct bench_truth *truth, struct slice name, const char *line,
                      const char *end)
{
    struct slice text = member(line, end, member_of_meter(name));
    struct meter_sum *meters =
        grow(truth->meters, truth->meter_count, &truth->meter_capacity, sizeof(*truth->meters));
    if (!meters)
        return false;
    truth->meters = meters;
    struct meter_sum *sum = &meters[truth->meter_count++];
    if (name.length >= sizeof(sum->name))
        return false;
    snprintf(sum->name, sizeof(sum->name), "%.*s", (int)name.length, name.data);
    return decimal_parse(text, QUANTITY_SCALE, false, &sum->quanta, NULL) == STATUS_OK;
}

static bool read_account(struct bench_truth *truth, const char *line)
{
    struct account_truth *accounts = grow(truth->accounts, truth->account_count,
                                          &truth->account_capacity, sizeof(*truth->accounts));
    if (!accounts)
        return false;
    truth->accounts = accounts;
    struct account_truth *account = &accounts[truth->account_count];
    struct slice payer = member(line, line + strlen(line), "payer");
    const char *at = strstr(line, "\"meters\":{");
    if (!at || payer.length == 0 || payer.length >= sizeof(account->id))
        return false;
    snprintf(account->id, sizeof(account->id), "%.*s", (int)payer.length, payer.data);
    account->first = truth->meter_count;
    at += strlen("\"meters\":{");
    while (*at == '"') {
        struct slice name = slice_of(at + 1, strcspn(at + 1, "\""));
        const char *end = strchr(at, '}');
        if (!end || !add_meter(truth, name, at, end))
            return false;
        at = end + 1;
        at += *at == ',';
    }
    account->count = truth->meter_count - account->first;
    truth->account_count++;
    return *at == '}' && account->count <= METERS_MAX;
}

static uint64_t number_of(const char *line, const char *name)
{
    struct slice text = member(line, line + strlen(line), name);
    return text.length ? strtoull(text.data, NULL, 10) : 0;
}

static bool read_line(struct bench_truth *truth, const char *line)
{
    static const char account[] = "{\"kind\":\"account\"", counts[] = "{\"kind\":\"counts\"";
    if (strncmp(line, account, sizeof(account) - 1) == 0)
        return read_account(truth, line);
    if (strncmp(line, counts, sizeof(counts) - 1) == 0) {
        truth->records = number_of(line, "records");
        truth->unique = number_of(line, "unique");
        truth->series = number_of(line, "series");
        truth->other = number_of(line, "double_volumes") + number_of(line, "conflicts") +
                       number_of(line, "malformed");
    }
    return true;
}

enum status bench_truth_read(const char *path, struct bench_truth **ret, struct error *error)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return error_set(error, STATUS_NOT_FOUND, "%s: %s", path, strerror(errno));
    struct bench_truth *truth = calloc(1, sizeof(*truth));
    char *line = NULL;
    size_t size = 0;
    bool good = truth != NULL;
    while (good && getline(&line, &size, file) > 0)
        good = read_line(truth, line);
    free(line);
    fclose(file);
    if (!good || truth->records == 0 || truth->account_count == 0 || truth->other) {
        bench_truth_free(truth);
        return error_set(error, STATUS_INVALID, "%s is no truth of a canonical workload", path);
    }
    *ret = truth;
    return STATUS_OK;
}

void bench_truth_free(struct bench_truth *truth)
{
    if (!truth)
        return;
    free(truth->accounts);
    free(truth->meters);
    free(truth);
}

enum status bench_truth_add(struct bench_truth *truth, const struct bench_truth *other,
                            struct error *error)
{
    bool same = truth->account_count == other->account_count;
    for (uint32_t i = 0; i < truth->account_count && same; i++) {
        const struct account_truth *account = &truth->accounts[i], *more = &other->accounts[i];
        same = strcmp(account->id, more->id) == 0 && account->count == more->count;
        for (uint32_t j = 0; j < account->count && same; j++) {
            struct meter_sum *sum = &truth->meters[account->first + j];
            const struct meter_sum *of_other = &other->meters[more->first + j];
            same = strcmp(sum->name, of_other->name) == 0;
            sum->quanta += of_other->quanta;
        }
    }
    return same ? STATUS_OK
                : error_set(error, STATUS_INVALID, "two truths that are of different clouds");
}

uint64_t bench_truth_records(const struct bench_truth *truth)
{
    return truth->records;
}

uint64_t bench_truth_series(const struct bench_truth *truth)
{
    return truth->series;
}

/* ---- comparing
 * ---------------------------------------------------------------------------------------------------
 */

struct sums {
    struct meter_sum meters[METERS_MAX];
    uint32_t count;
};

static bool sums_add(struct sums *sums, const char *name, int128 quanta)
{
    for (uint32_t i = 0; i < sums->count; i++)
        if (strcmp(sums->meters[i].name, name) == 0) {
            sums->meters[i].quanta += quanta;
            return true;
        }
    if (sums->count == METERS_MAX || strlen(name) >= sizeof(sums->meters[0].name))
        return false;
    struct meter_sum *sum = &sums->meters[sums->count++];
    memcpy(sum->name, name, strlen(name) + 1);
    sum->quanta = quanta;
    return true;
}

/* Everything that an account has used, in all the months that have any; the card's codes are the
 * meters' names. */
static enum status add_account(const struct session *session, uint32_t account, struct sums *sums,
                               uint64_t *digest, struct error *error)
{
    const int32_t first = 2026 * 12 + 9;
    enum status status = STATUS_OK;
    for (int32_t index = first; status == STATUS_OK; index++) {
        struct arena arena;
        struct spend spend;
        if (!ledgers_used(session->ledgers, account, (struct period){index}))
            break;
        arena_init(&arena);
        status = session_spend(session, account, (struct period){index}, &arena, &spend, error);
        for (uint32_t i = 0; status == STATUS_OK && i < spend.line_count; i++) {
            const struct spend_line *line = &spend.lines[i];
            char code[64];
            snprintf(code, sizeof(code), "%.*s", (int)line->charge->code.length,
                     line->charge->code.data);
            int128 values[2] = {line->quantity.quanta, line->amount.pico};
            *digest = hash64(slice_of((const char *)values, sizeof(values)), *digest + i);
            if (!sums_add(sums, code, line->quantity.quanta))
                status = error_set(error, STATUS_INVALID, "more meters than there are");
        }
        if (status == STATUS_OK && spend.unpriced_count)
            status = error_set(error, STATUS_INVALID, "the card does not price everything");
        arena_fini(&arena);
    }
    return status;
}

static enum status differs(const char *account, const char *meter, int128 truth, int128 got,
                           struct error *error)
{
    char a[DECIMAL_TEXT_BYTES], b[DECIMAL_TEXT_BYTES];
    decimal_format(truth, QUANTITY_SCALE, 0, a);
    decimal_format(got, QUANTITY_SCALE, 0, b);
    return error_set(error, STATUS_INVALID,
                     "wrong result: account %s, meter %s: the truth is %s, the ledger holds %s",
                     account, meter, a, b);
}

static enum status check_account(const struct bench_truth *truth,
                                 const struct account_truth *account, const struct session *session,
                                 uint64_t *digest, struct error *error)
{
    uint32_t index = snapshot_account(session->snapshot, slice_string(account->id));
    if (index == INDEX_NONE)
        return error_set(error, STATUS_INVALID, "wrong result: account %s is not loaded",
                         account->id);
    struct sums sums = {.count = 0};
    enum status status = add_account(session, index, &sums, digest, error);
    uint32_t found = 0;
    for (uint32_t i = 0; i < account->count && status == STATUS_OK; i++) {
        const struct meter_sum *meter = &truth->meters[account->first + i];
        int128 got = 0;
        for (uint32_t j = 0; j < sums.count; j++)
            if (strcmp(sums.meters[j].name, meter->name) == 0) {
                got = sums.meters[j].quanta;
                found++;
            }
        if (got != meter->quanta)
            status = differs(account->id, meter->name, meter->quanta, got, error);
    }
    if (status == STATUS_OK && found < sums.count)
        status = error_set(error, STATUS_INVALID,
                           "wrong result: account %s is charged for a meter that it did not use",
                           account->id);
    return status;
}

static enum status check_counts(const struct bench_truth *truth, const struct ingest_counts *counts,
                                struct error *error)
{
    if (counts->read == truth->records && counts->accepted == truth->unique &&
        counts->duplicate == truth->records - truth->unique && counts->conflict == 0 &&
        counts->ignored == 0 && counts->quarantined == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "wrong result: %" PRIu64 " records were read, %" PRIu64 " accepted, %" PRIu64
                     " duplicates, %" PRIu64 " conflicts, %" PRIu64 " ignored, %" PRIu64
                     " quarantined; the truth is %" PRIu64 " records, %" PRIu64 " of them unique",
                     counts->read, counts->accepted, counts->duplicate, counts->conflict,
                     counts->ignored, counts->quarantined, truth->records, truth->unique);
}

enum status bench_truth_check(const struct bench_truth *truth, const struct session *session,
                              const struct ingest_counts *counts, uint64_t *ret_digest,
                              struct error *error)
{
    enum status status = check_counts(truth, counts, error);
    uint64_t digest = 1;
    for (uint32_t i = 0; i < truth->account_count && status == STATUS_OK; i++)
        status = check_account(truth, &truth->accounts[i], session, &digest, error);
    *ret_digest = digest;
    return status;
}
