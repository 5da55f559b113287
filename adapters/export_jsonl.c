/* JSON Lines: one invoice a line, in the shape that `ratel invoice show --output json` has. */
#include <stdlib.h>

#include "adapters/export.h"

struct export
{
    struct export_file file;
    struct json json;
};

static enum status jsonl_open(const char *directory, const char *stem, struct export **ret,
                              struct error *error)
{
    struct export *export = calloc(1, sizeof(*export));
    if (!export)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    enum status status =
        export_file_open(&export->file, directory, stem, export_jsonl.suffix, error);
    if (status != STATUS_OK) {
        free(export);
        return status;
    }
    json_init(&export->json, export->file.out, false);
    *ret = export;
    return STATUS_OK;
}

static enum status jsonl_write(struct export *export, const struct invoice *invoices,
                               uint32_t count, struct error *error)
{
    for (uint32_t i = 0; i < count; i++)
        invoice_write_json(&invoices[i], &export->json);
    return export_file_check(&export->file, error);
}

static enum status jsonl_commit(struct export *export, struct error *error)
{
    enum status status = export_file_commit(&export->file, error);
    free(export);
    return status;
}

static void jsonl_abort(struct export *export)
{
    export_file_abort(&export->file);
    free(export);
}

const struct export_class export_jsonl = {
    .name = "jsonl",
    .summary = "JSON Lines: one invoice a line",
    .open = jsonl_open,
    .write = jsonl_write,
    .commit = jsonl_commit,
    .abort = jsonl_abort,
    .suffix = ".jsonl",
};
