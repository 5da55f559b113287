/* `ratel ingest`: usage from files or stdin into the ledger, each record counted once however often
 * it is sent. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "ratel/intake.h"
#include "ratel/session.h"

/* A checkpoint saves the replay of what came before it; one at the end is enough for files of a
 * month, this bounds the rest. */
#define CHECKPOINT_EVENTS (16u << 20)

struct job {
    struct context *context;
    struct session session;
    struct quarantine *quarantine;
    struct intake intake;
    struct progress progress;
    struct pipeline_options options;
    struct ingest_counts counts;
    FILE *durable;      /* --durable-fd, or NULL */
    struct space space; /* for what is written before the pipeline runs, and after it */
    bool waits;         /* it was asked, and has not been told of room since */
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

static void show(struct context *context, const struct job *job)
{
    const struct ingest_counts *counts = &job->counts;
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
        json_key_integer(&json, "error_envelopes", job->intake.error_envelopes);
        json_key_integer(&json, "failed_files", job->intake.failed_files);
        json_object_end(&json);
        return;
    }
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 6);
    for (size_t i = 0; i < 6; i++)
        table_integer(&table, (int64_t)values[i]);
    table_end(&table);
}

/* What is durable, told to whoever feeds standard input: the byte up to which it need not be sent
 * again, and the records so far. */
static void tell_durable(void *context, const struct pipeline_progress *progress)
{
    FILE *out = context;
    fprintf(out, "%llu %llu\n", (unsigned long long)progress->position,
            (unsigned long long)progress->counts.read);
    fflush(out);
}

/* Prices are loaded by other processes. */
static enum status news(void *context, struct snapshot **ret, struct error *error)
{
    struct job *job = context;
    enum status status = session_news(&job->session, ret, error);
    /* Too many readers, or the book is being grown: the next look will do. */
    return status == STATUS_UNAVAILABLE || status == STATUS_AGAIN ? STATUS_OK : status;
}

static void release(void *context, struct snapshot *snapshot)
{
    (void)context;
    snapshot_free(snapshot);
}

/* Told by whichever thread meets a full disk first, in one write. */
static void tell_full(void *context, const struct error *error)
{
    FILE *err = context;
    if (error)
        fprintf(err, "ratel: %s%sno room on the disk: waiting until there is, nothing is lost\n",
                error->file, error->file[0] ? ": " : "");
    else
        fprintf(err, "ratel: there is room again: going on\n");
    fflush(err);
}

/* On the thread of the command, as the pipeline's threads do it on theirs. */
static bool wait_for_room(void *context, const struct error *error)
{
    const struct timespec pause = {.tv_nsec = (long)PIPELINE_RETRY_MS * 1000000};
    struct job *job = context;
    if (!job->options.wait_for_space)
        return false;
    if (!job->waits)
        tell_full(job->context->err, error);
    job->waits = true;
    (void)nanosleep(&pause, NULL);
    return true;
}

static void go_on(struct job *job)
{
    if (job->waits)
        tell_full(job->context->err, NULL);
    job->waits = false;
}

static enum status read_options(struct job *job, struct error *error)
{
    struct context *context = job->context;
    uint64_t batch = 0, interval = 0, lanes = 0, descriptor = 0;
    enum status status = context_number(context, "batch", 1, 1000000, &batch, error);
    if (status == STATUS_OK)
        status = context_number(context, "commit-interval", 0, 60000, &interval, error);
    if (status == STATUS_OK)
        status = context_number(context, "lanes", 0, PIPELINE_LANES_MAX, &lanes, error);
    if (status != STATUS_OK)
        return status;
    if (lanes == 0)
        lanes = context_processors();
    if (lanes > PIPELINE_LANES_MAX)
        lanes = PIPELINE_LANES_MAX;
    job->options.lanes = (uint32_t)lanes;
    job->options.commit_events = (uint32_t)batch;
    job->options.commit_interval_us = (uint32_t)interval * 1000;
    job->options.wait_for_space = strcmp(context_option(context, "when-full"), "wait") == 0;
    job->options.full = tell_full;
    job->options.full_context = context->err;
    job->options.source = slice_string(context_option(context, "source"));
    if (job->options.source.length == 0 || job->options.source.length > 200)
        return error_set(error, STATUS_USAGE, "option --source: a name of 1 to 200 bytes");
    if (!context_flag(context, "durable-fd"))
        return STATUS_OK;
    status = context_number(context, "durable-fd", 1, 65535, &descriptor, error);
    if (status != STATUS_OK)
        return status;
    job->durable = fdopen((int)descriptor, "w");
    if (!job->durable)
        return error_set(error, STATUS_USAGE, "option --durable-fd: %llu is not open for writing",
                         (unsigned long long)descriptor);
    job->options.acknowledged = tell_durable;
    job->options.acknowledged_context = job->durable;
    return STATUS_OK;
}

/* Without LOCK.book: documents may be loaded meanwhile. Nothing stays open after a failure. */
static enum status open_once(struct job *job, struct error *error)
{
    struct context *context = job->context;
    char path[DATADIR_PATH_BYTES];
    enum status status = context_open(context, DATADIR_WRITE_LEDGERS, error);
    if (status == STATUS_OK)
        status = session_open(&job->session, context, LEDGER_WRITE, error);
    if (status == STATUS_OK) {
        datadir_path(context->datadir, "quarantine", path);
        status = quarantine_open(path, true, &job->quarantine, error);
    }
    if (status != STATUS_OK) {
        session_close(&job->session);
        context_close(context);
    }
    return status;
}

static enum status open_job(struct job *job, struct error *error)
{
    struct context *context = job->context;
    enum status status = read_options(job, error);
    if (status != STATUS_OK)
        return status;
    do
        status = open_once(job, error);
    while (status == STATUS_NO_SPACE && wait_for_room(job, error));
    if (status != STATUS_OK)
        return status;
    go_on(job);
    uint64_t cut_bytes = ledgers_cut_bytes(job->session.ledgers);
    if (cut_bytes)
        fprintf(context->err,
                "ratel: %llu bytes of a commit that was never finished are cut from the journal: "
                "its records come with this ingest\n",
                (unsigned long long)cut_bytes);
    if (intake_init(&job->intake, job->options.lanes + job->session.ledgers->count) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    job->intake.paths = (const char *const *)context->arguments.words;
    job->intake.path_count = context->arguments.word_count;
    if (context_flag(context, "stream")) {
        job->intake.stream = context_option(context, "stream");
        job->options.remembers = true;
        (void)ledgers_position(job->session.ledgers, job->options.source,
                               slice_string(job->intake.stream), &job->intake.stream_offset);
    }
    if (job->durable) /* where to go on, before anything is read */
        tell_durable(job->durable,
                     &(struct pipeline_progress){.position = job->intake.stream_offset});
    job->intake.format = context_option(context, "format");
    job->intake.progress = &job->progress;
    job->intake.err = context->err;
    job->options.ledgers = job->session.ledgers;
    job->options.prices =
        (struct pipeline_prices){.context = job, .news = news, .release = release};
    job->options.quarantine = job->quarantine;
    job->options.seed = context->datadir->seed;
    job->options.clock = context->clock;
    job->options.checkpoint_events = CHECKPOINT_EVENTS;
    job->options.input = intake_input(&job->intake);
    return STATUS_OK;
}

static enum status run(struct context *context, struct error *error)
{
    struct job *job = arena_alloc(&context->arena, sizeof(*job));
    *job = (struct job){.context = context, .space = {job, wait_for_room}};
    enum status status = open_job(job, error);
    if (status == STATUS_OK) {
        progress_begin(&job->progress, context->err, context->progress, "ingest",
                       files_bytes(context));
        status = pipeline_run(&job->options, &job->counts, error);
        job->session.snapshot = (struct snapshot *)job->session.ledgers->snapshot; /* ours since */
        progress_end(&job->progress);
    }
    if (status == STATUS_OK)
        status = session_catch_up(&job->session, &job->space, error);
    if (status == STATUS_OK)
        go_on(job);
    if (status == STATUS_OK || job->counts.read > 0)
        show(context, job);
    if (status == STATUS_OK && job->intake.first_failure != STATUS_OK) {
        context->reported = true;
        status = job->intake.first_failure;
    }
    if (status == STATUS_OK && job->intake.error_envelopes) {
        context->reported = true;
        status = STATUS_INVALID;
    }
    intake_fini(&job->intake);
    if (job->quarantine)
        quarantine_close(job->quarantine);
    session_close(&job->session);
    if (job->durable)
        fclose(job->durable);
    return status;
}

const struct verb verb_ingest = {
    .name = "ingest",
    .summary = "Read raw usage from files or stdin and count each record once",
    .words = "FILE...",
    .words_min = 1,
    .words_max = VERB_WORDS_ANY,
    .description =
        "Reads usage records: a listUsageRecords response of CloudStack as JSON or XML, "
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
        "Records are durable when the command ends with 0, in commits of --batch events or "
        "every --commit-interval on the way. After a crash, run it again with the same "
        "files.\n\n"
        "Documents may be loaded meanwhile (`ratel load`, `ratel budget set`): prices take "
        "effect as if they had been there from the start.\n\n"
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
                 .fallback = "16384",
                 .help = "pending events of a shard that make a durable commit due, 1 to 1000000"},
                {.name = "commit-interval",
                 .value = "MS",
                 .fallback = "2",
                 .help = "milliseconds that an event waits at most for its commit, 0 to 60000"},
                {.name = "lanes",
                 .value = "N",
                 .fallback = "0",
                 .help = "threads that decode, 1 to 16; 0: as many as there are processors"},
                {.name = "when-full",
                 .value = "WHAT",
                 .choices = "stop|wait",
                 .fallback = "stop",
                 .help = "on a full disk: stop with an error; or hold the source back, try again "
                         "four times a second, and go on when there is room"},
                {.name = "durable-fd",
                 .value = "FD",
                 .help = "write a line \"OFFSET RECORDS\" to this descriptor, first where to go "
                         "on from and then whenever more is durable: bytes of the stream that need "
                         "not be sent again, records so far"},
                {.name = "stream",
                 .value = "NAME",
                 .help = "what standard input brings: a stream of records that goes on where the "
                         "last ingest of this name and source came to, which --durable-fd tells"}},
    .examples = {{"ratel ingest usage-2026-10-*.json.gz", "a month of compressed pages"},
                 {"curl -s \"$URL\" | ratel ingest --source cloud-eu -",
                  "one page of a cloud of its own name"},
                 {"ratel ingest --output json usage.csv", "counts for a program"}},
    .run = run,
};
