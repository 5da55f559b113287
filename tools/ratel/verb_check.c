/* `ratel check`: every problem of all documents at once; changes nothing. */
#include "base/json.h"
#include "ratel/change.h"

static void show_json(struct context *context, struct change *change, bool ok)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key_boolean(&json, "ok", ok);
    /* What the documents were checked against, beside each other. */
    json_key_string(&json, "against", context->book ? context->data_path : NULL);
    json_key(&json, "documents");
    json_array(&json);
    for (uint32_t i = 0; i < change->documents.count; i++) {
        const struct document *document = change->documents.items[i];
        json_object(&json);
        json_key_string(&json, "kind", document_kind_name(document_kind(document)));
        json_key_slice(&json, "title", document_title(document));
        json_object_end(&json);
    }
    json_array_end(&json);
    json_key(&json, "problems");
    json_array(&json);
    for (uint32_t i = 0; i < change->problems.count; i++) {
        const struct problem *problem = &change->problems.items[i];
        json_object(&json);
        json_key_slice(&json, "file", problem->file);
        json_key_integer(&json, "line", problem->line);
        json_key_integer(&json, "column", problem->column);
        json_key_slice(&json, "text", problem->text);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static void show_table(struct context *context, const struct change *change)
{
    static const struct column columns[] = {{"check", false}, {"document", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 2);
    for (uint32_t i = 0; i < change->documents.count; i++) {
        table_string(&table, "ok");
        table_cell(&table, document_title(change->documents.items[i]));
    }
    table_end(&table);
}

/* A book to compare with is welcome, not needed. */
static enum status open_book(struct context *context, struct error *error)
{
    enum status status = context_open(context, DATADIR_READ, error);
    if (status != STATUS_NOT_FOUND || context->datadir)
        return status;
    if (context->data_chosen)
        fprintf(context->err,
                "ratel: no data directory at %s: not checked against what is loaded\n",
                context->data_path);
    return STATUS_OK;
}

static enum status run(struct context *context, struct error *error)
{
    enum status status = open_book(context, error);
    if (status != STATUS_OK)
        return status;
    struct change change;
    status = change_read(&change, context, error);
    bool refused = status == STATUS_INVALID && change.problems.count > 0;
    if (status != STATUS_OK && !refused)
        return status;
    if (refused)
        change_report(&change, context, "nothing is changed");
    if (context->output == OUTPUT_JSON)
        show_json(context, &change, !refused);
    else if (!refused)
        show_table(context, &change);
    return status;
}

const struct verb verb_check = {
    .name = "check",
    .summary = "Check documents and change nothing",
    .words = "FILE...",
    .words_min = 1,
    .words_max = VERB_WORDS_ANY,
    .description =
        "Reads rate cards, catalogues, accounts, exchange rates, tax rules, budgets and meters, "
        "and prints everything that is wrong with "
        "them to the standard error, one line each, as file:line:column: text. All files are "
        "checked together, as `ratel load` would "
        "store them, and against what is loaded where there is a data directory. The exit code is "
        "65 when anything is wrong.\n\n"
        "A FILE of \"-\" is the standard input; files may be packed with gzip or zstd.\n\n"
        "JSON: {\"ok\": ..., \"against\": ..., \"documents\": [{\"kind\": ..., \"title\": ...}], "
        "\"problems\": [{\"file\": ..., \"line\": ..., "
        "\"column\": ..., \"text\": ...}]}.",
    .examples = {{"ratel check cards.yaml accounts.yaml", "check two files together"},
                 {"ratel check --output json - < cards.yaml",
                  "check standard input and get the problems as JSON"}},
    .run = run,
};
