/* `ratel load`: checks documents and stores them, all or none. */
#include "base/json.h"
#include "ratel/change.h"

struct loaded {
    bool *stored; /* per document */
    uint32_t stored_count;
};

static void show_json(struct context *context, const struct change *change,
                      const struct loaded *loaded)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key_integer(&json, "stored", loaded->stored_count);
    json_key_integer(&json, "unchanged", change->documents.count - loaded->stored_count);
    json_key_integer(&json, "entries", change->added.count);
    json_key(&json, "documents");
    json_array(&json);
    for (uint32_t i = 0; i < change->documents.count; i++) {
        const struct document *document = change->documents.items[i];
        json_object(&json);
        json_key_string(&json, "kind", document_kind_name(document_kind(document)));
        json_key_slice(&json, "title", document_title(document));
        json_key_string(&json, "status", loaded->stored[i] ? "stored" : "unchanged");
        json_object_end(&json);
    }
    json_array_end(&json);
    if (context->rerated.pass_ns) {
        json_key(&json, "rerated");
        json_object(&json);
        json_key_integer(&json, "events", (int64_t)context->rerated.events);
        json_key_integer(&json, "pass_us", context->rerated.pass_ns / 1000);
        json_key_integer(&json, "durable_us", context->rerated.durable_ns / 1000);
        json_object_end(&json);
    }
    json_object_end(&json);
}

static void show(struct context *context, const struct change *change, const struct loaded *loaded)
{
    if (context->output == OUTPUT_JSON) {
        show_json(context, change, loaded);
        return;
    }
    static const struct column columns[] = {{"load", false}, {"document", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 2);
    for (uint32_t i = 0; i < change->documents.count; i++) {
        table_string(&table, loaded->stored[i] ? "stored" : "unchanged");
        table_cell(&table, document_title(change->documents.items[i]));
    }
    table_end(&table);
}

/* One transaction: every document or none. The audit log names those that changed something. */
static enum status store(struct context *context, struct change *change, struct loaded *loaded,
                         struct error *error)
{
    uint32_t count = change->documents.count;
    loaded->stored = arena_alloc(&context->arena, (count + 1) * sizeof(*loaded->stored));
    struct slice *titles = arena_alloc(&context->arena, (count + 1) * sizeof(*titles));
    loaded->stored_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum status status = change_adds(change, context, i, &loaded->stored[i], error);
        if (status != STATUS_OK)
            return status;
        if (loaded->stored[i])
            titles[loaded->stored_count++] = document_title(change->documents.items[i]);
    }
    if (change->added.count ==
        0) /* a load before this one may have been cut off after its commit */
        return after_load(context, error);
    enum status status = book_load(context->book, &change->added, titles, loaded->stored_count,
                                   context_now(context), error);
    return status == STATUS_OK ? after_load(context, error) : status;
}

static enum status run(struct context *context, struct error *error)
{
    enum status status = context_open(context, DATADIR_WRITE_BOOK, error);
    if (status != STATUS_OK)
        return status;
    struct change change;
    status = change_read(&change, context, error);
    if (status == STATUS_INVALID && change.problems.count > 0)
        return change_report(&change, context, "nothing is stored");
    if (status != STATUS_OK)
        return status;
    struct loaded loaded;
    status = store(context, &change, &loaded, error);
    if (status == STATUS_OK)
        show(context, &change, &loaded);
    if (status == STATUS_OK)
        after_load_show(context);
    return status;
}

const struct verb verb_load = {
    .name = "load",
    .summary = "Check documents and store them, all or none",
    .words = "FILE...",
    .words_min = 1,
    .words_max = VERB_WORDS_ANY,
    .description =
        "Reads rate cards, catalogues, accounts, exchange rates, tax rules, budgets and meters, "
        "checks them like `ratel check`, and stores "
        "them in one transaction. When anything is wrong with any of them, nothing is stored and "
        "the exit code is 65.\n\n"
        "What is loaded is never overwritten: a rate card with the name and effective_from of a "
        "loaded one and other content becomes its "
        "next revision. The same content again changes nothing. Usage that waited for a price or "
        "an account is rated at once. While `ratel ingest` runs, documents can be loaded all the "
        "same: the ingest takes them over within a second, which is told on standard error.\n\n"
        "A FILE of \"-\" is the standard input; files may be packed with gzip or zstd.\n\n"
        "JSON: {\"stored\": ..., \"unchanged\": ..., \"documents\": [{\"kind\": ..., \"title\": "
        "..., \"status\": ...}]}, counted in documents. Where usage was rated again under other "
        "prices, \"rerated\" tells how many events were, and the microseconds: \"pass_us\" of the "
        "pass over all journals, \"durable_us\" with opening the ledgers and their checkpoint.",
    .examples =
        {{"ratel load cards.yaml accounts.yaml", "store two files, both or none"},
         {"curl -s https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml | ratel load -",
          "load the day's exchange rates"}},
    .run = run,
};
