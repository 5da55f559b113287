/* `ratel diff`: what loading documents would change, price by price. */
#include "base/json.h"
#include "ratel/change.h"

static const char *sign_word(char sign)
{
    return sign == '+' ? "new" : sign == '-' ? "gone" : "changed";
}

static void show_json(struct context *context, const struct difference *differences, uint32_t count)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key(&json, "differences");
    json_array(&json);
    for (uint32_t i = 0; i < count; i++) {
        const struct difference *difference = &differences[i];
        json_object(&json);
        json_key_string(&json, "change", sign_word(difference->sign));
        json_key_string(&json, "kind", document_kind_name(difference->kind));
        json_key_slice(&json, "what", difference->what);
        if (difference->sign != '+')
            json_key_slice(&json, "before", difference->before);
        if (difference->sign != '-')
            json_key_slice(&json, "after", difference->after);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static void show(struct context *context, const struct difference *differences, uint32_t count)
{
    if (context->output == OUTPUT_JSON) {
        show_json(context, differences, count);
        return;
    }
    if (count == 0 && context->output == OUTPUT_TABLE) {
        fputs("nothing would change\n", context->out);
        return;
    }
    static const struct column columns[] = {
        {"change", false}, {"kind", false}, {"what", false}, {"before", false}, {"after", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 5);
    for (uint32_t i = 0; i < count; i++) {
        table_string(&table, sign_word(differences[i].sign));
        table_string(&table, document_kind_name(differences[i].kind));
        table_cell(&table, differences[i].what);
        table_cell(&table, differences[i].before);
        table_cell(&table, differences[i].after);
    }
    table_end(&table);
}

static enum status run(struct context *context, struct error *error)
{
    enum status status = context_open(context, DATADIR_READ, error);
    if (status != STATUS_OK)
        return status;
    struct change change;
    status = change_read(&change, context, error);
    struct difference *differences = NULL;
    uint32_t count = 0;
    if (status == STATUS_OK) {
        status = documents_diff(&change.documents, &change.loaded, &context->arena,
                                &change.problems, &differences, &count);
        if (status != STATUS_OK)
            error_set(error, status, "the documents: %s", status_text(status));
    }
    if (status == STATUS_INVALID && change.problems.count > 0)
        return change_report(&change, context, "nothing is compared");
    if (status == STATUS_OK)
        show(context, differences, count);
    return status;
}

const struct verb verb_diff = {
    .name = "diff",
    .summary = "Show what loading documents would change, price by price",
    .words = "FILE...",
    .words_min = 1,
    .words_max = VERB_WORDS_ANY,
    .description = "Compares documents with what is loaded and shows every price, rate, rule and "
                   "account that would be new, gone or changed. Nothing is "
                   "stored. Documents with problems are refused as by `ratel check`.\n\n"
                   "JSON: {\"differences\": [{\"change\": \"new|gone|changed\", \"kind\": ..., "
                   "\"what\": ..., \"before\": ..., \"after\": ...}]}.",
    .examples = {{"ratel diff cards-2027.yaml", "see a price change before it counts"},
                 {"ratel diff --output csv cards-2027.yaml > review.csv",
                  "send it to somebody for review"}},
    .run = run,
};
