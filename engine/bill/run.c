#include "bill/run.h"

#include <assert.h>
#include <stdio.h>

#include "bill/build.h"

void bill_init(struct bill *bill)
{
    *bill = (struct bill){0};
    arena_init(&bill->arena);
}

void bill_fini(struct bill *bill)
{
    arena_fini(&bill->arena);
}

/* Room for one more item of `size` bytes in an arena's array. */
static void *grow(void *items, uint32_t count, uint32_t *capacity, size_t size, struct arena *arena)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    void *larger = arena_alloc(arena, *capacity * size);
    if (count)
        memcpy(larger, items, count * size);
    return larger;
}

void slice_list_add(struct slice_list *list, struct arena *arena, struct slice item)
{
    list->items = grow(list->items, list->count, &list->capacity, sizeof(*list->items), arena);
    list->items[list->count++] = item;
}

void bill_names(const struct slice *names, uint32_t count, char *buffer, size_t size)
{
    enum { MORE_BYTES = sizeof(" and 4294967295 more") };
    size_t used = 0;
    assert(size > MORE_BYTES);
    buffer[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        if (used + names[i].length + 2 + MORE_BYTES > size) {
            snprintf(buffer + used, size - used, " and %u more", count - i);
            return;
        }
        used += (size_t)snprintf(buffer + used, size - used, "%s%.*s", i ? ", " : "",
                                 (int)names[i].length, names[i].data);
    }
}

/* ---- one account
 * ---------------------------------------------------------------------------------- */

struct computing {
    const struct bill_request *request;
    struct bill_store *store;
    struct store_txn *txn;
    struct bill *bill;
    struct arena scratch; /* emptied after each account */
};

static void warn_unpriced(struct computing *computing, const struct spend *spend)
{
    const struct account *account = &computing->request->snapshot->accounts[spend->account];
    struct slice names[8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < spend->unpriced_count && count < 8; i++)
        if (spend->unpriced[i].quantity.quanta != 0)
            names[count++] =
                ledgers_meter_name(computing->request->ledgers, spend->unpriced[i].meter);
    if (count == 0)
        return;
    char text[256];
    bill_names(names, count, text, sizeof(text));
    slice_list_add(&computing->bill->warnings, &computing->bill->arena,
                   slice_string(arena_printf(
                       &computing->bill->arena,
                       "account %.*s has usage without a price (%s), which is not billed: see "
                       "`ratel suspense list`",
                       (int)account->id.length, account->id.data, text)));
}

/* The number of the invoice that the account has for the period; false when it has none. */
static enum status find_invoiced(struct computing *computing, const struct account *account,
                                 struct bill_item *item, bool *ret, struct error *error)
{
    struct bill_key key = bill_invoiced_key(computing->request->period, account->id);
    struct slice number;
    enum status status = store_get(computing->txn, computing->store->meta_table,
                                   bill_key_slice(&key), &number, error);
    *ret = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (number.length == 0 || number.length >= sizeof(item->number))
        return error_set(error, STATUS_CORRUPT, "index entry %.*s holds no invoice number",
                         (int)key.length, key.text);
    memcpy(item->number, number.data, number.length);
    item->number[number.length] = '\0';
    return STATUS_OK;
}

/* An issued invoice stays as it is; but somebody should know when it would come out differently
 * now. */
static enum status compare_invoiced(struct computing *computing, const struct bill_item *item,
                                    const struct invoice *now_due, struct error *error)
{
    struct slice number = slice_string(item->number), bytes;
    struct invoice issued;
    enum status status =
        store_get(computing->txn, computing->store->invoice_table, number, &bytes, error);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, STATUS_CORRUPT, "invoice %s is in the index and not in the book",
                         item->number);
    if (status == STATUS_OK)
        status = invoice_unpack(bytes, number, &computing->scratch, &issued, error);
    if (status != STATUS_OK || issued.total.pico == now_due->total.pico)
        return status;
    char then[DECIMAL_TEXT_BYTES], now[DECIMAL_TEXT_BYTES], code[4];
    money_format(issued.total, issued.currency, then);
    money_format(now_due->total, now_due->currency, now);
    currency_format(now_due->currency, code);
    slice_list_add(
        &computing->bill->warnings, &computing->bill->arena,
        slice_string(arena_printf(&computing->bill->arena,
                                  "account %.*s: invoice %s was issued with %s, usage and "
                                  "prices now come to %s %s; it is not changed",
                                  (int)issued.account.length, issued.account.data, item->number,
                                  then, now, code)));
    return STATUS_OK;
}

static void refuse(struct computing *computing, struct bill_item *item, const char *reason)
{
    item->state = BILL_REFUSED;
    item->reason = slice_string(arena_printf(&computing->bill->arena, "%s", reason));
}

static void refuse_rates(struct computing *computing, const struct spend *spend,
                         struct bill_item *item)
{
    char from[4] = "", to[4], reason[128];
    for (uint32_t i = 0; i < spend->line_count; i++)
        if (spend->lines[i].no_rate)
            currency_format(spend->lines[i].priced_currency, from);
    currency_format(spend->currency, to);
    snprintf(reason, sizeof(reason),
             "no exchange rate from %s to %s on or before the last day of the period: load it with "
             "`ratel load`",
             from, to);
    refuse(computing, item, reason);
}

/* B-5: sums that do not fit are this account's trouble alone. What is issued stays as it is. */
static void refuse_sums(struct computing *computing, struct bill_item *item,
                        const struct error *error)
{
    const struct account *account = &computing->request->snapshot->accounts[item->account];
    if (item->state != BILL_INVOICED) {
        refuse(computing, item, error->text);
        return;
    }
    slice_list_add(&computing->bill->warnings, &computing->bill->arena,
                   slice_string(arena_printf(
                       &computing->bill->arena,
                       "account %.*s: invoice %s is not changed; what usage and prices now come "
                       "to cannot be computed: %s",
                       (int)account->id.length, account->id.data, item->number, error->text)));
}

static enum status build_item(struct computing *computing, const struct spend *spend,
                              struct bill_item *item, bool invoiced, struct error *error)
{
    struct invoice invoice;
    enum status status =
        invoice_build(computing->request->snapshot, spend, &computing->scratch, &invoice, error);
    if (status != STATUS_OK)
        return status;
    item->total = invoice.total;
    if (invoiced)
        return compare_invoiced(computing, item, &invoice, error);
    for (uint32_t i = 0; i < invoice.note_count; i++)
        if (slice_starts_with(invoice.notes[i], SLICE("No tax on class")))
            slice_list_add(
                &computing->bill->warnings, &computing->bill->arena,
                slice_string(arena_printf(&computing->bill->arena, "account %.*s: %.*s",
                                          (int)invoice.account.length, invoice.account.data,
                                          (int)invoice.notes[i].length, invoice.notes[i].data)));
    struct packer packer;
    pack_init(&packer);
    invoice_pack(&invoice, &packer);
    if (packer.failed)
        status = error_set(error, STATUS_NO_MEMORY, "out of memory");
    else
        item->packed = arena_copy(&computing->bill->arena, pack_done(&packer));
    pack_fini(&packer);
    return status;
}

/* An account that has an invoice and now no lines at all: its usage went to another payer, say. */
static enum status compare_nothing(struct computing *computing, const struct bill_item *item,
                                   struct error *error)
{
    struct invoice nothing = {.currency =
                                  computing->request->snapshot->accounts[item->account].currency};
    return compare_invoiced(computing, item, &nothing, error);
}

/* The item of an account that is to be in the bill; `ret_listed` false: it has neither lines nor an
 * invoice. */
static enum status compute_item(struct computing *computing, struct bill_item *item,
                                bool *ret_listed, struct error *error)
{
    const struct bill_request *request = computing->request;
    struct spend spend = {0};
    bool invoiced = item->state == BILL_INVOICED;
    *ret_listed = true;
    if (ledgers_used(request->ledgers, item->account, request->period)) {
        const struct buckets *buckets;
        enum status status =
            ledgers_buckets(request->ledgers, item->account, request->period, &buckets, error);
        if (status == STATUS_OK)
            status = spend_compute(buckets, request->snapshot, item->account, request->period,
                                   &computing->scratch, &spend, error);
        if (status != STATUS_OK)
            return status;
        ledgers_sort_unpriced(request->ledgers, &spend);
        warn_unpriced(computing, &spend);
    }
    if (spend.line_count == 0) {
        *ret_listed = invoiced;
        return invoiced ? compare_nothing(computing, item, error) : STATUS_OK;
    }
    if (spend.no_rate_count == 0)
        return build_item(computing, &spend, item, invoiced, error);
    if (!invoiced)
        refuse_rates(computing, &spend, item);
    return STATUS_OK;
}

static enum status compute_account(struct computing *computing, uint32_t index, struct error *error)
{
    const struct bill_request *request = computing->request;
    const struct account *account = &request->snapshot->accounts[index];
    struct bill *bill = computing->bill;
    struct bill_item item = {
        .account = index, .state = BILL_READY, .end = period_end(account->zone, request->period)};
    struct error own = {0};
    bool invoiced, listed = true;
    enum status status = find_invoiced(computing, account, &item, &invoiced, error);
    if (status != STATUS_OK)
        return status;
    item.state = invoiced ? BILL_INVOICED : BILL_READY;
    status = compute_item(computing, &item, &listed, &own);
    if (status == STATUS_RANGE) {
        refuse_sums(computing, &item, &own);
    } else if (status != STATUS_OK) {
        if (error)
            *error = own;
        return status;
    }
    if (!listed)
        return STATUS_OK;
    bill->items =
        grow(bill->items, bill->count, &bill->capacity, sizeof(*bill->items), &bill->arena);
    bill->items[bill->count++] = item;
    bill->ready_count += item.state == BILL_READY;
    bill->refused_count += item.state == BILL_REFUSED;
    bill->invoiced_count += item.state == BILL_INVOICED;
    return STATUS_OK;
}

enum status bill_preview(const struct bill_request *request, struct bill_store *store,
                         struct bill *bill, struct error *error)
{
    struct computing computing = {.request = request, .store = store, .bill = bill};
    uint32_t first = request->account == INDEX_NONE ? 0 : request->account;
    uint32_t end = request->account == INDEX_NONE ? request->snapshot->account_count : first + 1;
    assert(bill->count == 0 && end <= request->snapshot->account_count);
    enum status status = store_read(store->store, &computing.txn, error);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = first; i < end && status == STATUS_OK; i++) {
        arena_init(&computing.scratch);
        status = compute_account(&computing, i, error);
        arena_fini(&computing.scratch);
    }
    store_end(computing.txn);
    return status;
}

/* ---- drafts
 * --------------------------------------------------------------------------------------- */

struct drafting {
    const struct bill_request *request;
    struct bill_store *store;
    const struct bill *bill;
    struct store_txn *txn;
    struct slice prefix;
};

static enum status remove_draft(struct slice key, struct slice value, void *context,
                                struct error *error)
{
    (void)value;
    struct drafting *drafting = context;
    if (!slice_starts_with(key, drafting->prefix))
        return STATUS_AGAIN; /* past the period: the walk ends */
    struct bill_key copy = {.length = key.length};
    memcpy(copy.text, key.data, key.length);
    return store_delete(drafting->txn, drafting->store->draft_table, bill_key_slice(&copy), error);
}

/* B-4: those of the accounts that the run is over. */
static enum status remove_drafts(struct drafting *drafting, struct error *error)
{
    const struct bill_request *request = drafting->request;
    struct slice account = request->account == INDEX_NONE
                               ? SLICE("")
                               : request->snapshot->accounts[request->account].id;
    struct bill_key key = bill_draft_key(request->period, account);
    if (request->account != INDEX_NONE) {
        enum status status =
            store_delete(drafting->txn, drafting->store->draft_table, bill_key_slice(&key), error);
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    drafting->prefix = bill_key_slice(&key);
    return store_walk(drafting->txn, drafting->store->draft_table, drafting->prefix, remove_draft,
                      drafting, error);
}

static enum status put_drafts(struct drafting *drafting, struct packer *packer, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < drafting->bill->count && status == STATUS_OK; i++) {
        const struct bill_item *item = &drafting->bill->items[i];
        if (item->state != BILL_READY)
            continue;
        struct bill_key key = bill_draft_key(
            drafting->request->period, drafting->request->snapshot->accounts[item->account].id);
        pack_reset(packer);
        draft_pack(packer, drafting->request->now, item->packed);
        if (packer->failed)
            return error_set(error, STATUS_NO_MEMORY, "out of memory");
        status = store_put(drafting->txn, drafting->store->draft_table, bill_key_slice(&key),
                           pack_done(packer), error);
    }
    return status;
}

static enum status drafts_change(struct store_txn *txn, void *context, struct error *error)
{
    struct drafting *drafting = context;
    struct packer packer;
    char month[16], text[64];
    drafting->txn = txn;
    pack_init(&packer);
    enum status status = remove_drafts(drafting, error);
    if (status == STATUS_OK)
        status = put_drafts(drafting, &packer, error);
    pack_fini(&packer);
    if (status != STATUS_OK)
        return status;
    period_format(drafting->request->period, month);
    int length = snprintf(text, sizeof(text), "%s: %u drafts", month, drafting->bill->ready_count);
    return drafting->store->log(drafting->store, txn, drafting->request->now, SLICE("bill run"),
                                slice_of(text, (size_t)length), error);
}

enum status bill_run(const struct bill_request *request, struct bill_store *store,
                     struct bill *bill, struct error *error)
{
    enum status status = bill_preview(request, store, bill, error);
    if (status != STATUS_OK)
        return status;
    struct drafting drafting = {.request = request, .store = store, .bill = bill};
    status = store_update(store->store, drafts_change, &drafting, error);
    if (status == STATUS_OK)
        bill->draft_count = bill->ready_count;
    return status;
}

/* ---- what came of it
 * ------------------------------------------------------------------------------ */

enum status bill_refusals(const struct bill_request *request, const struct bill *bill,
                          struct error *error)
{
    struct slice names[16];
    uint32_t count = 0;
    const struct bill_item *first = NULL;
    bool differ = false;
    if (bill->refused_count == 0)
        return STATUS_OK;
    for (uint32_t i = 0; i < bill->count; i++) {
        if (bill->items[i].state != BILL_REFUSED)
            continue;
        first = first ? first : &bill->items[i];
        differ = differ || !slice_equal(first->reason, bill->items[i].reason);
        if (count < 16)
            names[count++] = request->snapshot->accounts[bill->items[i].account].id;
    }
    assert(first);
    char text[200];
    bill_names(names, count, text, sizeof(text));
    return error_set(error, STATUS_INVALID, "not billed, %u account%s: %s: %.*s%s",
                     bill->refused_count, bill->refused_count == 1 ? "" : "s", text,
                     (int)first->reason.length, first->reason.data,
                     differ ? "; for the reasons of the others: --output json" : "");
}

enum status bill_item_invoice(const struct bill_request *request, const struct bill_item *item,
                              struct arena *arena, struct invoice *ret, struct error *error)
{
    assert(item->state == BILL_READY || item->state == BILL_ISSUED);
    struct slice id = request->snapshot->accounts[item->account].id;
    enum status status = invoice_unpack(item->packed, id, arena, ret, error);
    if (status == STATUS_OK && item->state == BILL_ISSUED)
        invoice_issue(ret, slice_string(item->number), request->now);
    return status;
}
