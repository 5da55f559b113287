/* `ratel verify`: derives everything anew from the journal and compares. */
#include "account/verify.h"
#include "base/json.h"
#include "mediate/quarantine.h"
#include "ratel/session.h"

static void show_json(struct context *context, const struct verify_report *report)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key_boolean(&json, "ok", report->difference_count == 0);
    json_key_integer(&json, "events", (int64_t)report->events);
    json_key_integer(&json, "buckets", (int64_t)report->buckets);
    json_key_integer(&json, "series", (int64_t)report->series);
    json_key_integer(&json, "difference_count", (int64_t)report->difference_count);
    json_key(&json, "differences");
    json_array(&json);
    for (uint64_t i = 0; i < report->difference_count && i < VERIFY_DIFFERENCES_MAX; i++) {
        json_object(&json);
        json_key_slice(&json, "what", report->differences[i].what);
        json_key_slice(&json, "stored", report->differences[i].stored);
        json_key_slice(&json, "derived", report->differences[i].derived);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static void show_table(struct context *context, const struct verify_report *report)
{
    static const struct column columns[] = {{"what", false}, {"stored", true}, {"derived", true}};
    fprintf(context->out, "%s: %llu events, %llu buckets, %llu series\n",
            report->difference_count ? "DIFFERENT" : "ok", (unsigned long long)report->events,
            (unsigned long long)report->buckets, (unsigned long long)report->series);
    if (report->difference_count == 0)
        return;
    struct table table;
    table_begin(&table, context->out, OUTPUT_TABLE, context->colour, columns, 3);
    for (uint64_t i = 0; i < report->difference_count && i < VERIFY_DIFFERENCES_MAX; i++) {
        table_cell(&table, report->differences[i].what);
        table_cell(&table, report->differences[i].stored);
        table_cell(&table, report->differences[i].derived);
    }
    table_end(&table);
}

static void show_csv(struct context *context, const struct verify_report *report)
{
    static const struct column columns[] = {{"ok", false},
                                            {"events", true},
                                            {"buckets", true},
                                            {"series", true},
                                            {"differences", true}};
    struct table table;
    table_begin(&table, context->out, OUTPUT_CSV, false, columns, 5);
    table_string(&table, report->difference_count ? "false" : "true");
    table_integer(&table, (int64_t)report->events);
    table_integer(&table, (int64_t)report->buckets);
    table_integer(&table, (int64_t)report->series);
    table_integer(&table, (int64_t)report->difference_count);
    table_end(&table);
}

/* Damaged LMDB pages can kill whoever reads them, so the first look at every value is a child's
 * (store_check). */
static enum status check_stores(const struct datadir *datadir, struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    uint64_t values;
    datadir_path(datadir, "book", path);
    enum status status = store_check(path, &values, error);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK; /* nothing was loaded yet */
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < datadir->shard_count && status == STATUS_OK; i++) {
        datadir_shard_path(datadir, i, "ledger", path);
        status = store_check(path, &values, error);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

/* Nothing is derived from the quarantine, so reading it is all that can be checked. */
static enum status check_quarantine(const struct datadir *datadir, struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    struct quarantine *quarantine = NULL;
    datadir_path(datadir, "quarantine", path);
    enum status status = quarantine_open(path, false, &quarantine, error);
    quarantine_close(quarantine);
    return status;
}

static enum status run(struct context *context, struct error *error)
{
    struct verify_report *report = arena_alloc(&context->arena, sizeof(*report));
    struct session session = {0};
    struct datadir datadir;
    enum status status = datadir_open(context->data_path, DATADIR_READ, &datadir, error);
    if (status == STATUS_OK) {
        status = check_stores(&datadir, error);
        if (status == STATUS_OK)
            status = check_quarantine(&datadir, error);
        datadir_close(&datadir);
    }
    if (status == STATUS_OK)
        status = session_open(&session, context, LEDGER_VERIFY, error);
    if (status == STATUS_OK)
        status = verify_ledgers(session.ledgers, &context->arena, report, error);
    session_close(&session);
    if (status == STATUS_CORRUPT && context->output == OUTPUT_JSON && error->text[0]) {
        /* Damage is a difference too: programs find it where they look. The exit code stays that of
         * damage. */
        report->differences[0] =
            (struct verify_difference){SLICE("damage"), slice_string(error->text), SLICE("")};
        report->difference_count = 1;
        show_json(context, report);
    }
    if (status != STATUS_OK)
        return status;
    if (context->output == OUTPUT_JSON)
        show_json(context, report);
    else if (context->output == OUTPUT_CSV)
        show_csv(context, report);
    else
        show_table(context, report);
    if (report->difference_count)
        return error_set(error, STATUS_INVALID,
                         "%llu differences: the journal is the truth; remove the shard's ledger "
                         "folder (shard-00/ledger) to derive it again",
                         (unsigned long long)report->difference_count);
    return STATUS_OK;
}

const struct verb verb_verify = {
    .name = "verify",
    .summary = "Derive everything from the journal and compare",
    .description = "Reads every journal frame (checksums, sequence), derives series, coverage and "
                   "buckets anew, and compares them bit for bit with the checkpoint. Reads the "
                   "quarantine's frames as well. "
                   "Ends with 65 on any difference, with 74 on damage. Changes nothing.",
    .examples = {{"ratel verify", "after a restore, or every night"}},
    .run = run,
};
