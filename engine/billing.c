#include "engine/billing.h"

#include <assert.h>
#include <stdlib.h>

#include "emit/outbox.h"

/* ---- what goes with an issued invoice
 * ------------------------------------------------------------- */

static void write_payload(const struct invoice *invoice, const struct account *account,
                          struct json *json)
{
    char text[16];
    json_object(json);
    json_key_slice(json, "number", invoice->number);
    json_key_slice(json, "account", invoice->account);
    json_key_slice(json, "account_name", invoice->account_name);
    period_format(invoice->period, text);
    json_key_string(json, "period", text);
    currency_format(invoice->currency, text);
    json_key_string(json, "currency", text);
    json_key_amount(json, "net", invoice->net, invoice->currency);
    json_key_amount(json, "tax", invoice->tax, invoice->currency);
    json_key_amount(json, "total", invoice->total, invoice->currency);
    json_key_instant(json, "issued", invoice->issued);
    json_key_instant(json, "due", invoice->due);
    json_key(json, "emails");
    json_array(json);
    for (uint32_t i = 0; i < account->email_count; i++)
        json_string(json, account->emails[i]);
    json_array_end(json);
    json_object_end(json);
}

static enum status on_issued(struct bill_store *store, struct store_txn *txn,
                             const struct invoice *invoice, const struct account *account,
                             struct error *error)
{
    (void)store;
    char id[BILL_NUMBER_BYTES + sizeof("invoice:")];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    struct json json;
    json_init(&json, out, false);
    write_payload(invoice, account, &json);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    int id_length =
        snprintf(id, sizeof(id), "invoice:%.*s", (int)invoice->number.length, invoice->number.data);
    assert(id_length > 0 && (size_t)id_length < sizeof(id));
    struct message message = {
        .id = slice_of(id, (size_t)id_length),
        .kind = SLICE("invoice.issued"),
        .account = invoice->account,
        .created = invoice->issued,
        .payload = slice_of(text, length),
    };
    enum status status = failed ? error_set(error, STATUS_NO_MEMORY, "out of memory")
                                : outbox_put(txn, BOOK_OUTBOX, &message, NULL, error);
    free(text);
    return status;
}

static enum status on_log(struct bill_store *store, struct store_txn *txn, struct instant now,
                          struct slice action, struct slice text, struct error *error)
{
    (void)store;
    return book_audit(txn, now, action, text, error);
}

struct bill_store billing_store(struct book *book)
{
    return (struct bill_store){
        .store = book_store(book),
        .invoice_table = BOOK_INVOICE,
        .draft_table = BOOK_DRAFT,
        .series_table = BOOK_SERIES,
        .meta_table = BOOK_META,
        .issued = on_issued,
        .log = on_log,
    };
}

/* ---- reading
 * -------------------------------------------------------------------------------------- */

struct walking {
    const struct invoice_filter *filter;
    invoice_visit *visit;
    void *context;
    bool stopped;
    struct slice prefix; /* drafts of one period */
};

static bool wanted(const struct invoice_filter *filter, const struct invoice *invoice)
{
    if (filter->has_period && invoice->period.index != filter->period.index)
        return false;
    return filter->account.length == 0 || slice_equal(filter->account, invoice->account) ||
           slice_equal(filter->account, invoice->account_name);
}

static enum status visit_bytes(struct walking *walking, struct slice name, struct slice bytes,
                               struct error *error)
{
    struct arena arena;
    struct invoice invoice;
    arena_init(&arena);
    enum status status = invoice_unpack(bytes, name, &arena, &invoice, error);
    if (status == STATUS_OK && wanted(walking->filter, &invoice))
        status = walking->visit(&invoice, walking->context, error);
    arena_fini(&arena);
    walking->stopped = status == STATUS_AGAIN;
    return status;
}

static enum status visit_draft(struct slice key, struct slice value, void *context,
                               struct error *error)
{
    struct walking *walking = context;
    struct instant made;
    struct slice bytes;
    if (!slice_starts_with(key, walking->prefix))
        return STATUS_AGAIN;
    enum status status = draft_unpack(key, value, &made, &bytes, error);
    return status == STATUS_OK ? visit_bytes(walking, key, bytes, error) : status;
}

static enum status visit_issued(struct slice key, struct slice value, void *context,
                                struct error *error)
{
    return visit_bytes(context, key, value, error);
}

enum status invoice_walk(struct book *book, const struct invoice_filter *filter,
                         invoice_visit *visit, void *context, struct error *error)
{
    struct walking walking = {.filter = filter, .visit = visit, .context = context};
    struct bill_key key;
    struct store_txn *txn;
    if (filter->has_period) {
        key = bill_draft_key(filter->period, SLICE(""));
        walking.prefix = bill_key_slice(&key);
    }
    enum status status = store_read(book_store(book), &txn, error);
    if (status != STATUS_OK)
        return status;
    if (filter->drafts)
        status = store_walk(txn, BOOK_DRAFT, walking.prefix, visit_draft, &walking, error);
    if (status == STATUS_OK && filter->issued && !walking.stopped)
        status =
            store_walk(txn, BOOK_INVOICE, (struct slice){NULL, 0}, visit_issued, &walking, error);
    store_end(txn);
    return status;
}

static enum status find_in(struct store_txn *txn, struct slice name, struct arena *arena,
                           struct invoice *ret, struct error *error)
{
    struct slice value, bytes;
    struct instant made;
    struct period period;
    struct slice account;
    bool draft = bill_draft_key_read(name, &period, &account);
    enum status status = store_get(txn, draft ? BOOK_DRAFT : BOOK_INVOICE, name, &value, error);
    if (status != STATUS_OK)
        return status;
    bytes = value;
    if (draft)
        status = draft_unpack(name, value, &made, &bytes, error);
    return status == STATUS_OK ? invoice_unpack(arena_copy(arena, bytes), arena_copy(arena, name),
                                                arena, ret, error)
                               : status;
}

enum status invoice_find(struct book *book, struct slice name, struct arena *arena,
                         struct invoice *ret, struct error *error)
{
    struct store_txn *txn;
    enum status status = STATUS_NOT_FOUND;
    if (name.length > 0 && name.length <= STORE_KEY_BYTES_MAX) {
        status = store_read(book_store(book), &txn, error);
        if (status != STATUS_OK)
            return status;
        status = find_in(txn, name, arena, ret, error);
        store_end(txn);
    }
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "no invoice %.*s: see `ratel invoice list`",
                         (int)name.length, name.data);
    return status;
}
