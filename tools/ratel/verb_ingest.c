/* `ratel ingest`: usage from files or stdin into the ledger, each record counted once however often
 * it is sent. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "ratel/reading.h"
#include "ratel/session.h"

/* A checkpoint saves the replay of what came before it; one at the end is enough for files of a
 * month, this bounds the rest. */
#define CHECKPOINT_EVENTS (16u << 20)

struct job {
    struct context *context;
    struct session session;
    struct quarantine *quarantine;
    struct ingest ingest;
    struct reading reading;
    struct progress progress;
    uint64_t checkpoint_events;
    uint32_t failed_files;
    enum status first_failure;
};

static uint64_t files_bytes(const struct context *context)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < context->arguments.word_count; i++) {
        struct stat facts;
        if (strcmp(context->arguments.words[i], "-") == 0 ||
            stat(context->arguments.words[i], &facts) != 0)
            return 0; /* unknown as a whole */
        total += (uint64_t)facts.st_size;
    }
    return total;
}

/* Trouble with one input (missing, unreadable, cut) is told and the others go on; trouble with the
 * data directory ends the job. */
static bool input_trouble(const struct job *job, enum status status)
{
    (void)job;
    return status == STATUS_NOT_FOUND || status == STATUS_PERMISSION || status == STATUS_CORRUPT ||
           status == STATUS_IO;
}

static enum status read_files(struct job *job, struct error *error)
{
    const struct arguments *arguments = &job->context->arguments;
    for (uint32_t i = 0; i < arguments->word_count; i++) {
        struct stat facts;
        struct error failure = {0};
        uint64_t events_before = job->ingest.total.accepted;
        enum status status = reading_file(&job->reading, arguments->words[i], &failure);
        if (stat(arguments->words[i], &facts) == 0)
            job->reading.progress_base += (uint64_t)facts.st_size;
        if (status != STATUS_OK && (!input_trouble(job, status) || job->ingest.pending.read > 0)) {
            *error = failure;
            return status;
        }
        if (status != STATUS_OK) {
            char line[1024];
            error_format(&failure, line, sizeof(line));
            fprintf(job->context->err, "ratel: %s\n", line);
            job->failed_files++;
            if (job->first_failure == STATUS_OK)
                job->first_failure = status;
        }
        job->checkpoint_events += job->ingest.total.accepted - events_before;
        if (job->checkpoint_events >= CHECKPOINT_EVENTS) {
            status = ledger_checkpoint(job->session.ledger, error);
            if (status != STATUS_OK)
                return status;
            job->checkpoint_events = 0;
        }
    }
    return STATUS_OK;
}

static void show(struct context *context, const struct job *job)
{
    const struct ingest_counts *counts = &job->ingest.total;
    static const struct column columns[] = {{"read", true},      {"accepted", true},
                                            {"duplicate", true}, {"conflict", true},
                                            {"ignored", true},   {"quarantined", true}};
    const uint64_t values[] = {counts->read,     counts->accepted, counts->duplicate,
                               counts->conflict, counts->ignored,  counts->quarantined};
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_string(&json, "source", context_option(context, "source"));
        for (size_t i = 0; i < 6; i++)
            json_key_integer(&json, columns[i].name, (int64_t)values[i]);
        json_key_integer(&json, "error_envelopes", job->reading.error_envelopes);
        json_key_integer(&json, "failed_files", job->failed_files);
        json_object_end(&json);
        return;
    }
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 6);
    for (size_t i = 0; i < 6; i++)
        table_integer(&table, (int64_t)values[i]);
    table_end(&table);
}

static enum status open_job(struct job *job, struct error *error)
{
    struct context *context = job->context;
    enum status status = session_open(&job->session, context, LEDGER_WRITE, error);
    if (status != STATUS_OK)
        return status;
    if (job->session.ledger->cut_bytes)
        fprintf(context->err,
                "ratel: %llu bytes of a commit that was never finished are cut from the journal: "
                "its records come with this ingest\n",
                (unsigned long long)job->session.ledger->cut_bytes);
    char path[DATADIR_PATH_BYTES];
    datadir_path(context->datadir, "quarantine", path);
    status = quarantine_open(path, true, &job->quarantine, error);
    if (status != STATUS_OK)
        return status;
    int128 batch;
    const char *batch_text = context_option(context, "batch");
    if (decimal_parse(slice_string(batch_text), 0, false, &batch, NULL) != STATUS_OK || batch < 1 ||
        batch > 1000000)
        return error_set(error, STATUS_USAGE,
                         "option --batch: \"%s\" is not a number from 1 to 1000000", batch_text);
    struct ingest_options options = {
        .ledger = job->session.ledger,
        .quarantine = job->quarantine,
        .source = slice_string(context_option(context, "source")),
        .seed = context->datadir->seed,
        .clock = context->clock,
        .commit_events = (uint32_t)batch,
    };
    if (options.source.length == 0 || options.source.length > 200)
        return error_set(error, STATUS_USAGE, "option --source: a name of 1 to 200 bytes");
    ingest_init(&job->ingest, &options);
    job->reading = (struct reading){
        .ingest = &job->ingest,
        .format = context_option(context, "format"),
        .progress = &job->progress,
        .err = context->err,
    };
    return STATUS_OK;
}

static enum status run(struct context *context, struct error *error)
{
    struct job *job = arena_alloc(&context->arena, sizeof(*job));
    job->context = context;
    enum status status = open_job(job, error);
    if (status == STATUS_OK) {
        progress_begin(&job->progress, context->err, context->progress, "ingest",
                       files_bytes(context));
        status = read_files(job, error);
        progress_end(&job->progress);
    }
    if (status == STATUS_OK)
        status = ledger_checkpoint(job->session.ledger, error);
    if (status == STATUS_OK || job->ingest.total.read > 0)
        show(context, job);
    if (status == STATUS_OK && job->first_failure != STATUS_OK) {
        context->reported = true;
        status = job->first_failure;
    }
    if (status == STATUS_OK && job->reading.error_envelopes) {
        context->reported = true;
        status = STATUS_INVALID;
    }
    ingest_fini(&job->ingest);
    if (job->quarantine)
        quarantine_close(job->quarantine);
    session_close(&job->session);
    return status;
}

const struct verb verb_ingest = {
    .name = "ingest",
    .summary = "Read raw usage from files or stdin and count each record once",
    .words = "FILE...",
    .words_min = 1,
    .words_max = VERB_WORDS_ANY,
    .description = "Reads usage records: a listUsageRecords response of CloudStack as JSON or XML, "
                   "JSON with one record a line, a JSON array, CSV with a header row, "
                   "msgpack maps; compressed with gzip or zstd or not. The form is found out by "
                   "itself. \"-\" is standard input.\n\n"
                   "Every record is counted exactly once: read = accepted + duplicate + conflict + "
                   "ignored + quarantined. A duplicate is the same window of the same "
                   "resource with the same quantity; a conflict contradicts what is counted and "
                   "waits in suspense; ignored are rows that only attribute what others "
                   "count (type 6 with a virtual machine); quarantined could not be read or "
                   "understood and is kept with its raw bytes. The same files may be ingested "
                   "any number of times, in any order.\n\n"
                   "Records are durable when the command ends with 0, in commits of --batch events "
                   "on the way. After a crash, run it again with the same files.\n\n"
                   "An answer of CloudStack that is an error is told on standard error and ends "
                   "the command with 65 once the other records are in.",
    .options = {{.name = "format",
                 .value = "FORMAT",
                 .choices = "auto|cloudstack|json|xml|csv|msgpack",
                 .fallback = "auto",
                 .help = "form of the records; cloudstack is JSON or XML"},
                {.name = "source",
                 .value = "NAME",
                 .fallback = "default",
                 .help = "the cloud the records come from; part of their identity, so the same "
                         "usage by another way is the same"},
                {.name = "batch",
                 .value = "EVENTS",
                 .fallback = "65536",
                 .help = "events in one durable commit, 1 to 1000000"}},
    .examples = {{"ratel ingest usage-2026-10-*.json.gz", "a month of compressed pages"},
                 {"curl -s \"$URL\" | ratel ingest --source cloud-eu -",
                  "one page of a cloud of its own name"},
                 {"ratel ingest --output json usage.csv", "counts for a program"}},
    .run = run,
};
