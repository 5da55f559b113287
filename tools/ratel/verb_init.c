/* `ratel init`: makes a data directory. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "ratel/context.h"

struct made {
    const char *name;
    const char *what;
};

static const struct made made[] = {
    {"", "the data directory"},
    {"operator.key", "the operator's API key; keep it secret, it is readable by you only"},
    {"book", "documents, invoices, outbox and audit log"},
};

#define MADE_COUNT (sizeof(made) / sizeof(made[0]))

static void path_of(const struct context *context, const struct made *item,
                    char buffer[DATADIR_PATH_BYTES])
{
    snprintf(buffer, DATADIR_PATH_BYTES, "%s%s%s", context->data_path, *item->name ? "/" : "",
             item->name);
}

static void show(struct context *context)
{
    char path[DATADIR_PATH_BYTES];
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_string(&json, "data", context->data_path);
        json_key_integer(&json, "format_version", context->datadir->format_version);
        json_key_integer(&json, "shards", context->datadir->shard_count);
        path_of(context, &made[1], path);
        json_key_string(&json, "operator_key", path);
        json_object_end(&json);
        return;
    }
    static const struct column columns[] = {{"made", false}, {"what", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 2);
    for (size_t i = 0; i < MADE_COUNT; i++) {
        path_of(context, &made[i], path);
        table_string(&table, path);
        table_string(&table, made[i].what);
    }
    table_end(&table);
}

/* One for each processor, so that each has its own to work on; more than these help nobody. */
#define SHARDS_DEFAULT_MAX 16

static enum status shard_count(const struct context *context, uint32_t *ret, struct error *error)
{
    const char *from_environment = getenv("RATEL_SHARDS");
    const char *text = context_option(context, "shards");
    bool given = context_flag(context, "shards");
    if (!given && from_environment)
        text = from_environment;
    int128 shards;
    if (decimal_parse(slice_string(text), 0, false, &shards, NULL) != STATUS_OK || shards < 0 ||
        shards > DATADIR_SHARDS_MAX)
        return error_set(error, STATUS_USAGE, "%s: \"%s\" is not a number from 0 to %d",
                         given ? "option --shards" : "RATEL_SHARDS", text, DATADIR_SHARDS_MAX);
    uint32_t processors = context_processors();
    *ret = shards > 0                        ? (uint32_t)shards
           : processors < SHARDS_DEFAULT_MAX ? processors
                                             : SHARDS_DEFAULT_MAX;
    return STATUS_OK;
}

static enum status run(struct context *context, struct error *error)
{
    uint32_t shards = 0;
    enum status status = shard_count(context, &shards, error);
    if (status != STATUS_OK)
        return status;
    status = datadir_init(context->data_path, shards, error);
    if (status != STATUS_OK)
        return status;
    /* Opening for writing makes the book with its tables, so that readers find one from now on. */
    status = context_open(context, DATADIR_WRITE, error);
    if (status != STATUS_OK)
        return status;
    show(context);
    return STATUS_OK;
}

const struct verb verb_init = {
    .name = "init",
    .summary = "Make a data directory",
    .description = "Makes the data directory that --data, RATEL_DATA or the default names, with an "
                   "empty book and an operator's API key. Either all "
                   "of it is made or nothing. A directory that exists must be empty; a data "
                   "directory that exists already is left as it is "
                   "(exit code 73).",
    .options = {{.name = "shards",
                 .value = "N",
                 .fallback = "0",
                 .help = "parts that are worked on beside each other, 1 to 100, also from "
                         "RATEL_SHARDS; 0: as many as there are processors, at most 16. It stays "
                         "as it is for good"}},
    .examples = {{"ratel init", "make ./ratel-data"},
                 {"ratel init --data /var/lib/ratel", "make one elsewhere"}},
    .run = run,
};
