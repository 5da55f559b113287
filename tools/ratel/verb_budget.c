/* `ratel budget`: budgets, what is spent against them, and which thresholds have fired. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "account/budget.h"
#include "base/json.h"
#include "emit/outbox.h"
#include "ratel/change.h"
#include "ratel/session.h"

/* ---- list
 * ----------------------------------------------------------------------------------------- */

struct budget_row {
    const struct budget *budget;
    struct period period;
    bool known; /* the account is loaded, and there is an exchange rate */
    struct budget_state state;
    uint32_t fired[BUDGET_THRESHOLDS_MAX];
    uint32_t fired_count;
};

static enum status fill_fired(struct context *context, struct store_txn *txn,
                              struct budget_row *row, struct error *error)
{
    for (uint32_t i = 0; i < row->budget->threshold_count; i++) {
        uint32_t threshold = row->budget->thresholds[i];
        struct slice id = budget_alert_id(row->budget, row->period, threshold, &context->arena);
        struct message message;
        enum status status = outbox_get(txn, BOOK_OUTBOX, id, &context->arena, &message, error);
        if (status == STATUS_OK)
            row->fired[row->fired_count++] = threshold;
        else if (status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

static enum status fill_row(struct session *session, struct store_txn *txn,
                            const struct budget *budget, struct budget_row *ret,
                            struct error *error)
{
    struct context *context = session->context;
    bool loaded = budget->account_index != INDEX_NONE;
    const struct zone *zone =
        loaded ? session->snapshot->accounts[budget->account_index].zone : NULL;
    struct budget_row row = {.budget = budget};
    const struct buckets *buckets;
    enum status status = context_period(context, zone, &row.period, error);
    if (status == STATUS_OK && loaded)
        status =
            ledgers_buckets(session->ledgers, budget->account_index, row.period, &buckets, error);
    if (status == STATUS_OK && loaded)
        status = budget_state(buckets, session->snapshot, budget, row.period, &context->arena,
                              &row.state, error);
    if (status != STATUS_OK)
        return status;
    row.known = loaded && !row.state.no_rate;
    *ret = row;
    return fill_fired(context, txn, ret, error);
}

static enum status fill_rows(struct session *session, uint32_t only, struct budget_row **ret,
                             uint32_t *ret_count, struct error *error)
{
    const struct snapshot *snapshot = session->snapshot;
    struct store_txn *txn;
    uint32_t count = 0;
    *ret = arena_alloc(&session->context->arena, (snapshot->budget_count + 1) * sizeof(**ret));
    enum status status = store_read(book_store(session->context->book), &txn, error);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < snapshot->budget_count && status == STATUS_OK; i++) {
        if (only != INDEX_NONE && snapshot->budgets[i].account_index != only)
            continue;
        status = fill_row(session, txn, &snapshot->budgets[i], &(*ret)[count], error);
        count++;
    }
    store_end(txn);
    *ret_count = count;
    return status;
}

static void numbers_json(struct json *json, const char *key, const uint32_t *numbers,
                         uint32_t count)
{
    json_key(json, key);
    json_array(json);
    for (uint32_t i = 0; i < count; i++)
        json_integer(json, numbers[i]);
    json_array_end(json);
}

static void row_json(struct json *json, const struct budget_row *row)
{
    char text[16];
    json_object(json);
    json_key_slice(json, "budget", row->budget->id);
    json_key_slice(json, "account", row->budget->account);
    period_format(row->period, text);
    json_key_string(json, "period", text);
    json_key_money(json, "amount", row->budget->amount);
    currency_format(row->budget->currency, text);
    json_key_string(json, "currency", row->budget->currency.code ? text : NULL);
    if (row->known) {
        json_key_amount(json, "spend", row->state.spend, row->budget->currency);
        json_key_integer(json, "percent", row->state.percent);
    } else {
        json_key_string(json, "spend", NULL);
        json_key_string(json, "percent", NULL);
    }
    numbers_json(json, "thresholds", row->budget->thresholds, row->budget->threshold_count);
    numbers_json(json, "fired", row->fired, row->fired_count);
    json_key(json, "emails");
    json_array(json);
    for (uint32_t i = 0; i < row->budget->email_count; i++)
        json_string(json, row->budget->emails[i]);
    json_array_end(json);
    json_object_end(json);
}

static void list_json(struct context *context, const struct budget_row *rows, uint32_t count)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key(&json, "budgets");
    json_array(&json);
    for (uint32_t i = 0; i < count; i++)
        row_json(&json, &rows[i]);
    json_array_end(&json);
    json_object_end(&json);
}

/* "50 80 100" */
static void cell_numbers(struct table *table, const uint32_t *numbers, uint32_t count)
{
    char text[BUDGET_THRESHOLDS_MAX * 12 + 1] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++)
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", i ? " " : "", numbers[i]);
    assert(used < sizeof(text));
    table_string(table, text);
}

static void list_table(struct context *context, const struct budget_row *rows, uint32_t count)
{
    static const struct column columns[] = {
        {"budget", false}, {"account", false},    {"period", false},
        {"amount", true},  {"currency", false},   {"spend", true},
        {"percent", true}, {"thresholds", false}, {"fired", false}};
    struct table table;
    char text[DECIMAL_TEXT_BYTES];
    table_begin(&table, context->out, context->output, context->colour, columns,
                sizeof(columns) / sizeof(columns[0]));
    for (uint32_t i = 0; i < count; i++) {
        const struct budget_row *row = &rows[i];
        table_cell(&table, row->budget->id);
        table_cell(&table, row->budget->account);
        period_format(row->period, text);
        table_string(&table, text);
        table_money(&table, row->budget->amount);
        text[0] = '\0';
        if (row->budget->currency.code)
            currency_format(row->budget->currency, text);
        table_string(&table, text);
        if (row->known) {
            table_cell(&table,
                       slice_of(text, money_format(row->state.spend, row->budget->currency, text)));
            table_integer(&table, row->state.percent);
        } else {
            table_string(&table, "");
            table_string(&table, "");
        }
        cell_numbers(&table, row->budget->thresholds, row->budget->threshold_count);
        cell_numbers(&table, row->fired, row->fired_count);
    }
    table_end(&table);
}

static enum status run_list(struct context *context, struct error *error)
{
    struct session session;
    struct budget_row *rows = NULL;
    uint32_t only = INDEX_NONE, count = 0;
    const char *account = context_option(context, "account");
    enum status status = session_open(&session, context, LEDGER_READ, error);
    if (status == STATUS_OK && account)
        status = session_account(&session, account, &only, error);
    if (status == STATUS_OK)
        status = fill_rows(&session, only, &rows, &count, error);
    if (status == STATUS_OK && context->output == OUTPUT_JSON)
        list_json(context, rows, count);
    else if (status == STATUS_OK)
        list_table(context, rows, count);
    session_close(&session);
    return status;
}

/* ---- set
 * ------------------------------------------------------------------------------------------ */

/* "50,80,100" as a JSON array; what is no number is left for the document's check to name. */
static void write_thresholds(struct json *json, const char *list)
{
    json_key(json, "thresholds");
    json_array(json);
    while (true) {
        size_t length = strcspn(list, ",");
        json_string(json, slice_trim(slice_of(list, length)));
        if (list[length] == '\0')
            break;
        list += length + 1;
    }
    json_array_end(json);
}

static void write_emails(struct json *json, const struct context *context)
{
    json_key(json, "email");
    json_array(json);
    for (uint32_t i = 0;; i++) {
        const char *email = arguments_value_at(&context->arguments, "email", i);
        if (!email)
            break;
        json_string(json, slice_string(email));
    }
    json_array_end(json);
}

static void write_option(struct json *json, const struct context *context, const char *name)
{
    const char *value = context_option(context, name);
    if (value)
        json_key_string(json, name, value);
}

/* The options as the document that `ratel load` would read: there is one way that budgets come in.
 */
static enum status write_document(struct context *context, struct slice account, struct slice *ret,
                                  struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    struct json json;
    json_init(&json, out, false);
    json_object(&json);
    json_key_string(&json, "kind", "budgets");
    json_key(&json, "budgets");
    json_array(&json);
    json_object(&json);
    json_key_slice(&json, "account", account);
    write_option(&json, context, "id");
    write_option(&json, context, "amount");
    write_option(&json, context, "currency");
    if (context_option(context, "thresholds"))
        write_thresholds(&json, context_option(context, "thresholds"));
    if (arguments_given(&context->arguments, "email"))
        write_emails(&json, context);
    json_object_end(&json);
    json_array_end(&json);
    json_object_end(&json);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (!failed)
        *ret = arena_copy(&context->arena, slice_of(text, length));
    free(text);
    return failed ? error_set(error, STATUS_NO_MEMORY, "out of memory") : STATUS_OK;
}

/* The first problem as the command's error: there is no file whose lines could be named. */
static enum status refused(struct change *change, enum status status, struct error *error)
{
    if (status != STATUS_INVALID || change->problems.count == 0)
        return error_set(error, status, "the budget: %s", status_text(status));
    struct slice text = change->problems.items[0].text;
    return error_set(error, STATUS_INVALID, "the budget: %.*s; nothing is stored", (int)text.length,
                     text.data);
}

static enum status read_change(struct change *change, struct context *context, struct slice text,
                               struct error *error)
{
    documents_init(&change->documents, &context->arena);
    problems_init(&change->problems, &context->arena);
    entries_init(&change->loaded, &context->arena);
    entries_init(&change->added, &context->arena);
    enum status status =
        documents_parse(&change->documents, SLICE("ratel budget set"), text, &change->problems);
    if (status != STATUS_OK)
        return refused(change, status, error);
    status = book_entries(context->book, &change->loaded, error);
    if (status != STATUS_OK)
        return status;
    status = documents_entries(&change->documents, &change->loaded, context_now(context),
                               &change->problems, &change->added);
    struct snapshot *snapshot = NULL;
    const struct entry_list *lists[] = {&change->loaded, &change->added};
    if (status == STATUS_OK)
        status = snapshot_compile(lists, 2, &change->problems, &snapshot);
    snapshot_free(snapshot);
    return status == STATUS_OK ? STATUS_OK : refused(change, status, error);
}

/* The id of the account, which has to be loaded: a budget for a misspelt one would never fire. */
static enum status find_account(struct context *context, struct slice *ret, struct error *error)
{
    struct session session = {.context = context};
    uint32_t account;
    enum status status = book_snapshot(context->book, &session.snapshot, error);
    if (status == STATUS_OK)
        status = session_account(&session, context_option(context, "account"), &account, error);
    if (status == STATUS_OK)
        *ret = arena_copy(&context->arena, session.snapshot->accounts[account].id);
    session_close(&session);
    return status;
}

static void show_stored(struct context *context, const struct change *change)
{
    const char *outcome = change->added.count > 0 ? "stored" : "unchanged";
    struct slice title = document_title(change->documents.items[0]);
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_string(&json, "status", outcome);
        json_key_slice(&json, "title", title);
        json_object_end(&json);
        return;
    }
    static const struct column columns[] = {{"set", false}, {"document", false}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 2);
    table_string(&table, outcome);
    table_cell(&table, title);
    table_end(&table);
}

static enum status run_set(struct context *context, struct error *error)
{
    struct change change;
    struct slice account, text;
    enum status status = context_open(context, DATADIR_WRITE_BOOK, error);
    if (status == STATUS_OK)
        status = find_account(context, &account, error);
    if (status == STATUS_OK)
        status = write_document(context, account, &text, error);
    if (status == STATUS_OK)
        status = read_change(&change, context, text, error);
    if (status != STATUS_OK)
        return status;
    assert(change.documents.count == 1);
    if (change.added.count > 0) {
        struct slice title = document_title(change.documents.items[0]);
        status = book_load(context->book, &change.added, &title, 1, context_now(context), error);
        if (status == STATUS_OK)
            status = after_load(context, error);
    }
    if (status == STATUS_OK)
        show_stored(context, &change);
    if (status == STATUS_OK)
        after_load_show(context);
    return status;
}

static const struct verb verb_list = {
    .name = "list",
    .summary = "List budgets with the spend so far and the thresholds that have fired",
    .description = "Lists budgets with what is spent against them in a billing period, in the "
                   "budget's currency, and the thresholds of that period "
                   "that an alert was made for. The spend is empty where the account is not loaded "
                   "or an exchange rate is missing.\n\n"
                   "JSON: {\"budgets\": [{\"budget\": ..., \"account\": ..., \"period\": ..., "
                   "\"amount\": ..., \"currency\": ..., \"spend\": ..., "
                   "\"percent\": ..., \"thresholds\": [...], \"fired\": [...]}]}.",
    .options = {{.name = "period",
                 .value = "YYYY-MM",
                 .help = "billing period; without it the present one in the account's time zone"},
                {.name = "account",
                 .value = "ID",
                 .help = "budgets of one account, by id or name"}},
    .examples = {{"ratel budget list", "the present month"}},
    .run = run_list,
};

static const struct verb verb_set = {
    .name = "set",
    .summary = "Store a budget",
    .description =
        "Stores a budget of an account, exactly as a document of `kind: budgets` with the same "
        "values would. A budget with the id of a "
        "stored one replaces it; without --id, the id is made from account, amount and currency.",
    .options =
        {{.name = "account", .value = "ID", .required = true, .help = "the account, by id or name"},
         {.name = "amount",
          .value = "AMOUNT",
          .required = true,
          .help = "the budget of each billing period"},
         {.name = "currency", .value = "CODE", .help = "its currency; without it the account's"},
         {.name = "thresholds",
          .value = "LIST",
          .help = "percentages at which an alert is made, such as 50,80,100, which they are "
                  "without it"},
         {.name = "email", .value = "ADDRESS", .repeatable = true, .help = "who is told"},
         {.name = "id", .value = "ID", .help = "what the budget is called"}},
    .examples =
        {{"ratel budget set --account acme --amount 500 --currency EUR --thresholds 50,80,100",
          "alerts at 250, 400 and 500 EUR"}},
    .run = run_set,
};

const struct verb verb_budget = {
    .name = "budget",
    .summary = "List budgets and what is spent against them, and set them",
    .description = "A budget is an amount per billing period and percentages of it; when spend "
                   "reaches one, an alert goes to the outbox.",
    .subverbs = {&verb_list, &verb_set},
};
