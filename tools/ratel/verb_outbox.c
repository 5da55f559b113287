/* `ratel outbox`: messages that are to be sent or were. */
#include <assert.h>
#include <string.h>

#include "adapters/sink.h"
#include "base/json.h"
#include "emit/outbox.h"
#include "emit/payload.h"
#include "engine/book.h"
#include "ratel/context.h"

/* ---- list
 * ----------------------------------------------------------------------------------------- */

static void list_json(struct context *context, const struct message *messages, uint32_t count)
{
    struct json json;
    json_init(&json, context->out, true);
    json_object(&json);
    json_key(&json, "messages");
    json_array(&json);
    for (uint32_t i = 0; i < count; i++)
        message_write(&messages[i], true, &json);
    json_array_end(&json);
    json_object_end(&json);
}

static void list_table(struct context *context, const struct message *messages, uint32_t count)
{
    static const struct column columns[] = {
        {"id", false},     {"kind", false},    {"account", false}, {"period", false},
        {"status", false}, {"attempts", true}, {"created", false}, {"changed", false}};
    struct table table;
    char text[INSTANT_TEXT_BYTES];
    table_begin(&table, context->out, context->output, context->colour, columns,
                sizeof(columns) / sizeof(columns[0]));
    for (uint32_t i = 0; i < count; i++) {
        const struct message *message = &messages[i];
        struct slice period = SLICE("");
        (void)payload_find(message->payload, "period", &context->arena, &period);
        table_cell(&table, message->id);
        table_cell(&table, message->kind);
        table_cell(&table, message->account);
        table_cell(&table, period);
        table_string(&table, message_status_name(message->status));
        table_integer(&table, message->attempts);
        table_cell(&table, slice_of(text, instant_format(message->created, text)));
        table_cell(&table, slice_of(text, instant_format(message->changed, text)));
    }
    table_end(&table);
}

static enum status run_list(struct context *context, struct error *error)
{
    enum message_status wanted = MESSAGE_STATUS_COUNT;
    const char *name = context_option(context, "status");
    struct message *messages;
    uint32_t count;
    if (name && !message_status_parse(slice_string(name), &wanted))
        return error_set(error, STATUS_USAGE, "there is no status %s", name);
    enum status status = context_open(context, DATADIR_READ, error);
    if (status == STATUS_OK)
        status = outbox_list(book_store(context->book), BOOK_OUTBOX, wanted, &context->arena,
                             &messages, &count, error);
    if (status != STATUS_OK)
        return status;
    if (context->output == OUTPUT_JSON)
        list_json(context, messages, count);
    else
        list_table(context, messages, count);
    return STATUS_OK;
}

/* ---- retry and drop
 * ------------------------------------------------------------------------------- */

static void show_count(struct context *context, const char *what, uint32_t count)
{
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_integer(&json, what, count);
        json_object_end(&json);
        return;
    }
    struct column columns[] = {{what, true}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 1);
    table_integer(&table, count);
    table_end(&table);
}

/* The message of the command line. */
static enum status find_message(struct context *context, struct slice *ret, bool *ret_pending,
                                struct error *error)
{
    struct slice id = slice_string(context->arguments.words[0]);
    struct store_txn *txn;
    struct message message = {0};
    enum status status = store_read(book_store(context->book), &txn, error);
    if (status != STATUS_OK)
        return status;
    status = outbox_get(txn, BOOK_OUTBOX, id, &context->arena, &message, error);
    store_end(txn);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "no message %.*s: see `ratel outbox list`", (int)id.length,
                         id.data);
    *ret = id;
    *ret_pending = message.status == MESSAGE_PENDING;
    return status;
}

/* All that were sent or dropped. */
static enum status find_all(struct context *context, struct slice **ret, uint32_t *ret_count,
                            struct error *error)
{
    struct message *messages;
    uint32_t count, kept = 0;
    enum status status = outbox_list(book_store(context->book), BOOK_OUTBOX, MESSAGE_STATUS_COUNT,
                                     &context->arena, &messages, &count, error);
    if (status != STATUS_OK)
        return status;
    *ret = arena_alloc(&context->arena, (count + 1) * sizeof(**ret));
    for (uint32_t i = 0; i < count; i++)
        if (messages[i].status != MESSAGE_PENDING)
            (*ret)[kept++] = messages[i].id;
    *ret_count = kept;
    return STATUS_OK;
}

static enum status mark(struct context *context, const struct slice *ids, uint32_t count,
                        enum message_status status, struct error *error)
{
    return outbox_mark(book_store(context->book), BOOK_OUTBOX, ids, count, status, false,
                       context_now(context), error);
}

/* Asking for what is so already is no mistake. */
static void show_pending_already(struct context *context, struct slice id)
{
    if (context->output != OUTPUT_TABLE) {
        show_count(context, "pending", 1);
        return;
    }
    fputs("message ", context->out);
    print_clean(context->out, id);
    fputs(" is pending already\n", context->out);
}

static enum status run_retry(struct context *context, struct error *error)
{
    bool all = context_flag(context, "all"), already = false;
    struct slice one, *ids = &one;
    uint32_t count = 1;
    if (all == (context->arguments.word_count == 1))
        return error_set(error, STATUS_USAGE,
                         "say which message, or --all for every one that was sent or dropped");
    enum status status = context_open(context, DATADIR_WRITE_BOOK, error);
    if (status == STATUS_OK)
        status = all ? find_all(context, &ids, &count, error)
                     : find_message(context, &one, &already, error);
    if (status == STATUS_OK && !already)
        status = mark(context, ids, count, MESSAGE_PENDING, error);
    if (status == STATUS_OK && already)
        show_pending_already(context, one);
    else if (status == STATUS_OK)
        show_count(context, "pending", count);
    return status;
}

static enum status run_drop(struct context *context, struct error *error)
{
    struct slice id;
    bool pending = false;
    enum status status = context_open(context, DATADIR_WRITE_BOOK, error);
    if (status == STATUS_OK)
        status = find_message(context, &id, &pending, error);
    if (status == STATUS_OK && !pending)
        status = error_set(error, STATUS_INVALID,
                           "message %.*s is not pending: only what is pending can be dropped",
                           (int)id.length, id.data);
    if (status == STATUS_OK)
        status = mark(context, &id, 1, MESSAGE_DROPPED, error);
    if (status == STATUS_OK)
        show_count(context, "dropped", 1);
    return status;
}

/* ---- send
 * ----------------------------------------------------------------------------------------- */

/* An adapter's sink as the outbox sees it. */
struct sink_target {
    struct outbox_target base;
    const struct sink_class *class;
    struct sink *sink;
};

static enum status write_block(struct outbox_target *target, const struct outbox_item *items,
                               uint32_t count, uint32_t *ret_done, struct error *error)
{
    struct sink_target *self = (struct sink_target *)target;
    struct sink_message messages[OUTBOX_BLOCK_MESSAGES];
    assert(count <= OUTBOX_BLOCK_MESSAGES);
    for (uint32_t i = 0; i < count; i++)
        messages[i] =
            (struct sink_message){items[i].id, items[i].kind, items[i].account, items[i].body};
    return self->class->write(self->sink, messages, count, ret_done, error);
}

static void show_sent(struct context *context, const struct outbox_sent *sent)
{
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key_integer(&json, "sent", sent->sent);
        json_key_integer(&json, "left", sent->left);
        json_object_end(&json);
        return;
    }
    static const struct column columns[] = {{"sent", true}, {"left", true}};
    struct table table;
    table_begin(&table, context->out, context->output, context->colour, columns, 2);
    table_integer(&table, sent->sent);
    table_integer(&table, sent->left);
    table_end(&table);
}

static enum status run_send(struct context *context, struct error *error)
{
    struct adapter_setting settings[] = {{"path", context_option(context, "to")}};
    struct sink_target target = {.base = {write_block}, .class = &sink_file};
    struct outbox_sent sent = {0};
    static_assert(offsetof(struct sink_target, base) == 0, "the target is the first member");
    enum status status = context_open(context, DATADIR_WRITE_BOOK, error);
    if (status == STATUS_OK)
        status = sink_open(target.class, settings, 1, &target.sink, error);
    if (status != STATUS_OK)
        return status;
    status = outbox_send(book_store(context->book), BOOK_OUTBOX, &target.base, context_now(context),
                         &sent, error);
    target.class->close(target.sink);
    show_sent(context, &sent);
    return status;
}

static const struct verb verb_list = {
    .name = "list",
    .summary = "List messages, oldest first",
    .description = "Lists what is to be sent and what was: budget alerts, issued invoices.\n\n"
                   "JSON: {\"messages\": [{\"id\": ..., \"kind\": ..., \"account\": ..., "
                   "\"created\": ..., \"status\": ..., \"attempts\": ..., ...}]} "
                   "with the members of the message's kind, such as threshold and period, which "
                   "the table leaves out.",
    .options = {{.name = "status",
                 .value = "STATUS",
                 .choices = "pending|sent|dropped",
                 .help = "messages in this state only"}},
    .examples = {{"ratel outbox list --status pending", "what is still to be sent"}},
    .run = run_list,
};

static const struct verb verb_retry = {
    .name = "retry",
    .summary = "Send a message again",
    .words = "[ID]",
    .words_min = 0,
    .words_max = 1,
    .description = "Makes a message that was sent or dropped pending again, or with --all every "
                   "one of them. One that is pending already stays so.",
    .options = {{.name = "all", .help = "every message that was sent or dropped"}},
    .examples = {{"ratel outbox retry invoice:INV-2026-000001", "tell of an invoice once more"}},
    .run = run_retry,
};

static const struct verb verb_drop = {
    .name = "drop",
    .summary = "Do not send a pending message",
    .words = "ID",
    .words_min = 1,
    .words_max = 1,
    .description = "Marks a pending message as dropped. It stays in the list, and its cause does "
                   "not make it again.",
    .examples = {{"ratel outbox drop invoice:INV-2026-000001", "keep it from being sent"}},
    .run = run_drop,
};

static const struct verb verb_send = {
    .name = "send",
    .summary = "Append pending messages to a file",
    .description = "Appends every pending message to FILE as one line of JSON, syncs, and marks it "
                   "sent. After a crash a message may be in the file "
                   "twice, with the same id; it is never lost.",
    .options = {{.name = "to", .value = "FILE", .required = true, .help = "the file to append to"}},
    .examples = {{"ratel outbox send --to messages.jsonl", "hand over what is pending"}},
    .run = run_send,
};

const struct verb verb_outbox = {
    .name = "outbox",
    .summary = "List, send, repeat and drop messages: alerts and invoices",
    .description = "The outbox keeps what the world is to be told until it has been told, and a "
                   "record of it afterwards.",
    .subverbs = {&verb_list, &verb_send, &verb_retry, &verb_drop},
};
