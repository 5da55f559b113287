/* Issuing: from drafts to numbered, immutable invoices in one transaction (B-1 to B-3). */
#include "bill/run.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- may it be issued?
 * ---------------------------------------------------------------------------- */

/* The first instant after the period, in UTC: where there is no account whose zone could say. */
static struct instant utc_end(struct period period)
{
    struct civil civil = {
        .year = (period.index + 1) / 12, .month = (period.index + 1) % 12 + 1, .day = 1};
    return (struct instant){civil_to_seconds(civil)};
}

static enum status check_over(const struct bill_request *request, const struct bill *bill,
                              struct error *error)
{
    struct instant end = INSTANT_MIN;
    for (uint32_t i = 0; i < bill->count; i++)
        if (bill->items[i].state != BILL_INVOICED)
            end = instant_max(end, bill->items[i].end);
    if (bill->count == 0)
        end = utc_end(request->period);
    if (request->now.seconds >= end.seconds)
        return STATUS_OK;
    char month[16], when[INSTANT_TEXT_BYTES];
    period_format(request->period, month);
    instant_format(end, when);
    return error_set(error, STATUS_INVALID,
                     "period %s is not over: it ends at %s; finalize it then, or look at it with "
                     "`ratel bill preview`",
                     month, when);
}

struct checking {
    const struct bill_request *request;
    struct bill *bill;
    struct slice prefix;
};

static int compare_items(const void *key, const void *element)
{
    uint32_t account = *(const uint32_t *)key;
    const struct bill_item *item = element;
    return (account > item->account) - (account < item->account);
}

static struct bill_item *item_of(struct bill *bill, uint32_t account)
{
    if (account == INDEX_NONE || bill->count == 0)
        return NULL;
    return bsearch(&account, bill->items, bill->count, sizeof(*bill->items), compare_items);
}

/* B-3: one stored draft against what comes out now. */
static enum status check_draft(struct slice key, struct slice value, void *context,
                               struct error *error)
{
    struct checking *checking = context;
    struct period period;
    struct instant made;
    struct slice account, packed;
    if (!slice_starts_with(key, checking->prefix))
        return STATUS_AGAIN;
    if (!bill_draft_key_read(key, &period, &account))
        return error_set(error, STATUS_CORRUPT, "the book has a draft with the key %.*s",
                         (int)key.length, key.data);
    uint32_t wanted = checking->request->account;
    if (wanted != INDEX_NONE &&
        !slice_equal(account, checking->request->snapshot->accounts[wanted].id))
        return STATUS_OK;
    enum status status = draft_unpack(key, value, &made, &packed, error);
    if (status != STATUS_OK)
        return status;
    checking->bill->draft_count++;
    struct bill_item *item =
        item_of(checking->bill, snapshot_account(checking->request->snapshot, account));
    if (item && item->state == BILL_READY && slice_equal(item->packed, packed))
        item->drafted = true;
    else
        slice_list_add(&checking->bill->changed, &checking->bill->arena,
                       arena_copy(&checking->bill->arena, account));
    return STATUS_OK;
}

static bool is_changed(const struct bill *bill, struct slice account)
{
    for (uint32_t i = 0; i < bill->changed.count; i++)
        if (slice_equal(bill->changed.items[i], account))
            return true;
    return false;
}

/* Accounts that began to owe something after the run: nobody has looked at those either. */
static void check_undrafted(const struct bill_request *request, struct bill *bill)
{
    for (uint32_t i = 0; i < bill->count && bill->draft_count > 0; i++) {
        struct slice id = request->snapshot->accounts[bill->items[i].account].id;
        if (bill->items[i].state == BILL_READY && !bill->items[i].drafted && !is_changed(bill, id))
            slice_list_add(&bill->changed, &bill->arena, id);
    }
}

static enum status check_drafts(const struct bill_request *request, struct bill_store *store,
                                struct bill *bill, struct error *error)
{
    struct bill_key key = bill_draft_key(request->period, SLICE(""));
    struct checking checking = {request, bill, bill_key_slice(&key)};
    struct store_txn *txn;
    enum status status = store_read(store->store, &txn, error);
    if (status != STATUS_OK)
        return status;
    status = store_walk(txn, store->draft_table, checking.prefix, check_draft, &checking, error);
    store_end(txn);
    if (status != STATUS_OK)
        return status;
    check_undrafted(request, bill);
    if (bill->changed.count == 0)
        return STATUS_OK;
    char month[16], names[300];
    period_format(request->period, month);
    bill_names(bill->changed.items, bill->changed.count, names, sizeof(names));
    return error_set(
        error, STATUS_AGAIN,
        "usage or prices have changed since the drafts of %s were made, for %s: nothing "
        "is issued; look at them again with `ratel bill run`",
        month, names);
}

/* ---- issuing
 * -------------------------------------------------------------------------------------- */

struct issuing {
    const struct bill_request *request;
    struct bill_store *store;
    struct bill *bill;
    struct packer packer;
    struct arena arena; /* emptied after each invoice */
};

static enum status read_counter(struct store_txn *txn, const struct issuing *issuing,
                                struct slice series, uint64_t *ret, struct error *error)
{
    struct slice value;
    enum status status = store_get(txn, issuing->store->series_table, series, &value, error);
    if (status == STATUS_NOT_FOUND) {
        *ret = 0;
        return STATUS_OK;
    }
    return status == STATUS_OK ? counter_unpack(series, value, ret, error) : status;
}

static enum status write_counter(struct store_txn *txn, struct issuing *issuing,
                                 struct slice series, uint64_t last, struct error *error)
{
    pack_reset(&issuing->packer);
    counter_pack(&issuing->packer, last);
    if (issuing->packer.failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    return store_put(txn, issuing->store->series_table, series, pack_done(&issuing->packer), error);
}

/* Puts that must be the first of their key: a second one would break B-1 or overwrite an invoice.
 */
static enum status put_once(struct store_txn *txn, uint32_t table, struct slice key,
                            struct slice value, struct error *error)
{
    enum status status = store_put_new(txn, table, key, value, error);
    if (status == STATUS_EXISTS)
        return error_set(error, STATUS_BUG, "%.*s is in the book already: nothing is issued",
                         (int)key.length, key.data);
    return status;
}

static enum status issue_item(struct store_txn *txn, struct issuing *issuing,
                              struct bill_item *item, struct error *error)
{
    const struct bill_request *request = issuing->request;
    const struct account *account = &request->snapshot->accounts[item->account];
    struct slice number = slice_string(item->number);
    struct invoice invoice;
    enum status status =
        invoice_unpack(item->packed, account->id, &issuing->arena, &invoice, error);
    if (status != STATUS_OK)
        return status;
    invoice_issue(&invoice, number, request->now);
    pack_reset(&issuing->packer);
    invoice_pack(&invoice, &issuing->packer);
    if (issuing->packer.failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    status =
        put_once(txn, issuing->store->invoice_table, number, pack_done(&issuing->packer), error);
    struct bill_key key = bill_invoiced_key(request->period, account->id);
    if (status == STATUS_OK)
        status = put_once(txn, issuing->store->meta_table, bill_key_slice(&key), number, error);
    if (status == STATUS_OK && item->drafted) {
        key = bill_draft_key(request->period, account->id);
        status = store_delete(txn, issuing->store->draft_table, bill_key_slice(&key), error);
    }
    return status == STATUS_OK
               ? issuing->store->issued(issuing->store, txn, &invoice, account, error)
               : status;
}

static enum status log_batch(struct store_txn *txn, const struct issuing *issuing,
                             const char *first, const char *last, uint32_t count,
                             struct error *error)
{
    char month[16], text[160];
    period_format(issuing->request->period, month);
    int length =
        snprintf(text, sizeof(text), "%s: %u invoices, %s to %s", month, count, first, last);
    assert(length > 0 && (size_t)length < sizeof(text));
    return issuing->store->log(issuing->store, txn, issuing->request->now, SLICE("bill finalize"),
                               slice_of(text, (size_t)length), error);
}

/* May run again from the start: item->number is then given anew, and is the same or is not
 * committed. */
static enum status issue_change(struct store_txn *txn, void *context, struct error *error)
{
    struct issuing *issuing = context;
    struct bill *bill = issuing->bill;
    struct bill_key series = bill_series_key(issuing->request->series, issuing->request->now);
    const char *first = NULL, *last = NULL;
    uint64_t counter;
    uint32_t count = 0;
    enum status status = read_counter(txn, issuing, bill_key_slice(&series), &counter, error);
    for (uint32_t i = 0; i < bill->count && status == STATUS_OK; i++) {
        struct bill_item *item = &bill->items[i];
        if (item->state != BILL_READY)
            continue;
        int length = snprintf(item->number, sizeof(item->number), "%.*s-%06" PRIu64,
                              (int)series.length, series.text, ++counter);
        assert(length > 0 && (size_t)length < sizeof(item->number));
        arena_init(&issuing->arena);
        status = issue_item(txn, issuing, item, error);
        arena_fini(&issuing->arena);
        first = first ? first : item->number;
        last = item->number;
        count++;
    }
    if (status == STATUS_OK)
        status = write_counter(txn, issuing, bill_key_slice(&series), counter, error);
    return status == STATUS_OK ? log_batch(txn, issuing, first, last, count, error) : status;
}

enum status bill_finalize(const struct bill_request *request, struct bill_store *store,
                          struct bill *bill, struct error *error)
{
    assert(bill_series_valid(request->series));
    enum status status = bill_preview(request, store, bill, error);
    if (status == STATUS_OK)
        status = check_over(request, bill, error);
    if (status == STATUS_OK)
        status = check_drafts(request, store, bill, error);
    if (status != STATUS_OK || bill->ready_count == 0)
        return status;
    struct issuing issuing = {.request = request, .store = store, .bill = bill};
    pack_init(&issuing.packer);
    status = store_update(store->store, issue_change, &issuing, error);
    pack_fini(&issuing.packer);
    for (uint32_t i = 0; i < bill->count; i++) {
        struct bill_item *item = &bill->items[i];
        if (item->state != BILL_READY)
            continue;
        if (status == STATUS_OK)
            item->state = BILL_ISSUED;
        else
            item->number[0] = '\0';
        bill->issued_count += status == STATUS_OK;
    }
    bill->ready_count -= bill->issued_count;
    return status;
}
