/* `ratel quarantine`: records that could not be read or understood: look at them, feed them back,
 * put them aside. */
#include <string.h>

#include "base/json.h"
#include "mediate/quarantine.h"
#include "ratel/reading.h"
#include "ratel/session.h"

static const char *const state_names[] = {"open", "retried", "discarded"};
static const char *const form_names[] = {"", "json", "xml", "csv", "msgpack"};

static enum status open_quarantine(struct context *context, bool writer, struct quarantine **ret,
                                   struct error *error)
{
    char path[DATADIR_PATH_BYTES];
    datadir_path(context->datadir, "quarantine", path);
    return quarantine_open(path, writer, ret, error);
}

static enum status read_id(const struct context *context, struct quarantine *quarantine,
                           const struct quarantine_entry **ret, struct error *error)
{
    const char *word = context->arguments.words[0];
    int128 id;
    if (decimal_parse(slice_string(word), 0, false, &id, NULL) != STATUS_OK || id < 1 ||
        id > INT64_MAX)
        return error_set(error, STATUS_USAGE,
                         "\"%s\" is no record's number: see `ratel quarantine list`", word);
    *ret = quarantine_find(quarantine, (uint64_t)id);
    if (!*ret)
        return error_set(error, STATUS_NOT_FOUND,
                         "no quarantined record %s: see `ratel quarantine list`", word);
    return STATUS_OK;
}

static void entry_json(struct json *json, const struct quarantine_entry *entry, bool with_raw)
{
    json_object(json);
    json_key_integer(json, "id", (int64_t)entry->id);
    json_key_string(json, "state", state_names[entry->state]);
    json_key_slice(json, "reason", entry->reason);
    json_key_slice(json, "source", entry->source);
    json_key_slice(json, "file", entry->file);
    json_key_integer(json, "line", entry->line);
    json_key_integer(json, "offset", (int64_t)entry->offset);
    json_key_string(json, "form", form_names[entry->form]);
    json_key_instant(json, "at", entry->at);
    json_key_integer(json, "bytes", (int64_t)entry->raw.length);
    if (with_raw)
        json_key_slice(json, "raw", entry->raw);
    json_object_end(json);
}

static void list_table(struct context *context, const struct quarantine *quarantine, bool all)
{
    static const struct column columns[] = {{"id", true},    {"state", false}, {"source", false},
                                            {"file", false}, {"line", true},   {"offset", true},
                                            {"bytes", true}, {"reason", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 8);
    for (uint32_t i = 0; i < quarantine_count(quarantine); i++) {
        const struct quarantine_entry *entry = quarantine_at(quarantine, i);
        if (!all && entry->state != QUARANTINE_OPEN)
            continue;
        table_integer(&table, (int64_t)entry->id);
        table_string(&table, state_names[entry->state]);
        table_cell(&table, entry->source);
        table_cell(&table, entry->file);
        table_integer(&table, entry->line);
        table_integer(&table, (int64_t)entry->offset);
        table_integer(&table, (int64_t)entry->raw.length);
        table_cell(&table, entry->reason);
    }
    table_end(&table);
}

static void list_json(struct context *context, const struct quarantine *quarantine, bool all)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key(&json, "records");
    json_array(&json);
    for (uint32_t i = 0; i < quarantine_count(quarantine); i++) {
        const struct quarantine_entry *entry = quarantine_at(quarantine, i);
        if (all || entry->state == QUARANTINE_OPEN)
            entry_json(&json, entry, false);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static enum status run_list(struct context *context, struct error *error)
{
    struct quarantine *quarantine = NULL;
    enum status status = context_open(context, DATADIR_READ, error);
    if (status == STATUS_OK)
        status = open_quarantine(context, false, &quarantine, error);
    if (status != STATUS_OK)
        return status;
    if (context->output == OUTPUT_JSON)
        list_json(context, quarantine, context_flag(context, "all"));
    else
        list_table(context, quarantine, context_flag(context, "all"));
    quarantine_close(quarantine);
    return STATUS_OK;
}

/* All but the raw bytes, which may be of any form. */
static void show_csv(struct context *context, const struct quarantine_entry *entry)
{
    static const struct column columns[] = {
        {"id", true},   {"state", false}, {"reason", false}, {"source", false}, {"file", false},
        {"line", true}, {"offset", true}, {"form", false},   {"at", false},     {"bytes", true}};
    struct table table;
    char at[INSTANT_TEXT_BYTES];
    instant_format(entry->at, at);
    table_begin(&table, context->out, OUTPUT_CSV, false, columns, 10);
    table_integer(&table, (int64_t)entry->id);
    table_string(&table, state_names[entry->state]);
    table_cell(&table, entry->reason);
    table_cell(&table, entry->source);
    table_cell(&table, entry->file);
    table_integer(&table, entry->line);
    table_integer(&table, (int64_t)entry->offset);
    table_string(&table, form_names[entry->form]);
    table_string(&table, at);
    table_integer(&table, (int64_t)entry->raw.length);
    table_end(&table);
}

static void show_text(struct context *context, const struct quarantine_entry *entry)
{
    char at[INSTANT_TEXT_BYTES];
    instant_format(entry->at, at);
    fprintf(context->out, "record    %llu, %s\nreason    ", (unsigned long long)entry->id,
            state_names[entry->state]);
    print_clean(context->out, entry->reason);
    fputs("\nwhere     ", context->out);
    print_clean(context->out, entry->file);
    fprintf(context->out, ", line %u, byte %llu, source ", entry->line,
            (unsigned long long)entry->offset);
    print_clean(context->out, entry->source);
    fprintf(context->out, "\nseen      %s\nraw       %s, %zu bytes\n\n", at,
            form_names[entry->form], entry->raw.length);
    print_clean(context->out, entry->raw);
    fputs("\n", context->out);
}

static enum status run_show(struct context *context, struct error *error)
{
    struct quarantine *quarantine = NULL;
    const struct quarantine_entry *entry = NULL;
    enum status status = context_open(context, DATADIR_READ, error);
    if (status == STATUS_OK)
        status = open_quarantine(context, false, &quarantine, error);
    if (status == STATUS_OK)
        status = read_id(context, quarantine, &entry, error);
    if (status == STATUS_OK && context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        entry_json(&json, entry, true);
    } else if (status == STATUS_OK && context_flag(context, "raw")) {
        fwrite(entry->raw.data, 1, entry->raw.length, context->out);
    } else if (status == STATUS_OK && context->output == OUTPUT_CSV) {
        show_csv(context, entry);
    } else if (status == STATUS_OK) {
        show_text(context, entry);
    }
    quarantine_close(quarantine);
    return status;
}

static enum status run_discard(struct context *context, struct error *error)
{
    struct quarantine *quarantine = NULL;
    const struct quarantine_entry *entry = NULL;
    enum status status = context_open(context, DATADIR_WRITE, error);
    if (status == STATUS_OK)
        status = open_quarantine(context, true, &quarantine, error);
    if (status == STATUS_OK)
        status = read_id(context, quarantine, &entry, error);
    if (status == STATUS_OK)
        status = quarantine_mark(quarantine, entry->id, QUARANTINE_DISCARDED, error);
    if (status == STATUS_OK)
        status = quarantine_sync(quarantine, error);
    if (status == STATUS_OK)
        fprintf(context->out, "record %llu is discarded\n", (unsigned long long)entry->id);
    quarantine_close(quarantine);
    return status;
}

/* ---- retry
 * -------------------------------------------------------------------------------------------------------
 */

struct retry {
    struct context *context;
    struct session session;
    struct quarantine *quarantine;
    struct ingest_counts total;
    uint32_t tried;
    uint32_t freed;
};

/* Feeds one entry back. What is counted now (or was ignored, or is a duplicate) leaves quarantine;
 * the mark follows the durable commit, so that a crash in between only means a duplicate at the
 * next try. */
static enum status retry_entry(struct retry *retry, const struct quarantine_entry *entry,
                               struct error *error)
{
    struct ingest ingest;
    struct ingest_options options = {
        .ledgers = retry->session.ledgers,
        .quarantine = retry->quarantine,
        .source = entry->source,
        .seed = retry->context->datadir->seed,
        .clock = retry->context->clock,
        .commit_events = INGEST_COMMIT_EVENTS,
    };
    uint64_t id = entry->id;
    ingest_init(&ingest, &options);
    enum status status = reading_raw(&ingest, entry->form, entry->file, entry->raw, error);
    if (status == STATUS_OK)
        status = ingest_commit(&ingest, entry->offset, error);
    retry->tried++;
    if (status == STATUS_OK && ingest.total.read > 0 && ingest.total.quarantined == 0) {
        retry->freed++;
        status = quarantine_mark(retry->quarantine, id, QUARANTINE_RETRIED, error);
        if (status == STATUS_OK)
            status = quarantine_sync(retry->quarantine, error);
    }
    counts_add(&retry->total, &ingest.total);
    ingest_fini(&ingest);
    return status;
}

static enum status retry_entries(struct retry *retry, struct error *error)
{
    if (retry->context->arguments.word_count) {
        const struct quarantine_entry *entry;
        enum status status = read_id(retry->context, retry->quarantine, &entry, error);
        return status == STATUS_OK ? retry_entry(retry, entry, error) : status;
    }
    uint32_t count = quarantine_count(retry->quarantine); /* what a retry adds is not tried again */
    for (uint32_t i = 0; i < count; i++) {
        struct quarantine_entry entry = *quarantine_at(retry->quarantine, i);
        if (entry.state != QUARANTINE_OPEN)
            continue;
        enum status status = retry_entry(retry, &entry, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status run_retry(struct context *context, struct error *error)
{
    struct retry retry = {.context = context};
    enum status status = session_open(&retry.session, context, LEDGER_WRITE, error);
    if (status == STATUS_OK)
        status = open_quarantine(context, true, &retry.quarantine, error);
    if (status == STATUS_OK)
        status = retry_entries(&retry, error);
    if (status == STATUS_OK)
        status = ledgers_checkpoint(retry.session.ledgers, error);
    if (status == STATUS_OK && context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_integer(&json, "tried", retry.tried);
        json_key_integer(&json, "freed", retry.freed);
        json_key_integer(&json, "accepted", (int64_t)retry.total.accepted);
        json_object_end(&json);
    } else if (status == STATUS_OK) {
        fprintf(context->out, "%u tried, %u left quarantine, %llu events accepted\n", retry.tried,
                retry.freed, (unsigned long long)retry.total.accepted);
    }
    quarantine_close(retry.quarantine);
    session_close(&retry.session);
    return status;
}

static const struct verb list = {
    .name = "list",
    .summary = "List quarantined records",
    .description = "Lists records that could not be read or understood, with reason and position. "
                   "A record that was sent several times is listed once.",
    .options = {{.name = "all", .help = "also those that were retried or discarded"}},
    .examples = {{"ratel quarantine list", "what waits"}},
    .run = run_list,
};

static const struct verb show = {
    .name = "show",
    .summary = "Show one quarantined record with its raw bytes",
    .words = "ID",
    .words_min = 1,
    .words_max = 1,
    .description = "Shows a record's reason, where it came from, and its bytes as they came; as "
                   "CSV one row, without the bytes.",
    .options = {{.name = "raw", .help = "the raw bytes and nothing else"}},
    .examples = {{"ratel quarantine show 7 --raw > record.json",
                  "to mend it by hand and ingest it again"}},
    .run = run_show,
};

static const struct verb retry = {
    .name = "retry",
    .summary = "Feed quarantined records back",
    .words = "[ID]",
    .words_min = 0,
    .words_max = 1,
    .description = "Feeds one record, or all that are open, through decoding and normalising "
                   "again, for example after an upgrade. What can be counted now is counted "
                   "and leaves quarantine.",
    .examples = {{"ratel quarantine retry", "all of them"}},
    .run = run_retry,
};

static const struct verb discard = {
    .name = "discard",
    .summary = "Put a quarantined record aside for good",
    .words = "ID",
    .words_min = 1,
    .words_max = 1,
    .description = "Marks a record as looked at and not to be counted. Its bytes are kept; `ratel "
                   "quarantine list --all` shows it.",
    .examples = {{"ratel quarantine discard 7", "record 7 is rubbish"}},
    .run = run_discard,
};

const struct verb verb_quarantine = {
    .name = "quarantine",
    .summary = "Records that could not be read or understood",
    .description = "Quarantine keeps the raw bytes of records that could not be decoded or "
                   "normalised, with the reason and the source position.",
    .subverbs = {&list, &show, &retry, &discard},
};
