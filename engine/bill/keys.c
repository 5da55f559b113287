#include "bill/keys.h"

#include <assert.h>
#include <stdio.h>

#define DRAFT_FORMAT   1
#define COUNTER_FORMAT 1
#define MONTH_BYTES    7 /* 2026-10 */

static struct bill_key period_key(const char *prefix, struct period period, struct slice account)
{
    struct bill_key key;
    char month[16];
    period_format(period, month);
    int length = snprintf(key.text, sizeof(key.text), "%s%s/%.*s", prefix, month,
                          (int)account.length, account.data);
    /* Ids of documents are at most 128 bytes, so this cannot be cut. */
    assert(length > 0 && (size_t)length < sizeof(key.text));
    key.length = (size_t)length;
    return key;
}

struct bill_key bill_draft_key(struct period period, struct slice account)
{
    return period_key("", period, account);
}

bool bill_draft_key_read(struct slice key, struct period *ret_period, struct slice *ret_account)
{
    if (key.length < MONTH_BYTES + 2 || key.data[MONTH_BYTES] != '/' ||
        period_parse(slice_of(key.data, MONTH_BYTES), ret_period) != STATUS_OK)
        return false;
    *ret_account = slice_of(key.data + MONTH_BYTES + 1, key.length - MONTH_BYTES - 1);
    return true;
}

struct bill_key bill_invoiced_key(struct period period, struct slice account)
{
    return period_key("invoiced/", period, account);
}

struct bill_key bill_series_key(struct slice series, struct instant now)
{
    struct bill_key key;
    assert(bill_series_valid(series));
    int length = snprintf(key.text, sizeof(key.text), "%.*s-%04d", (int)series.length, series.data,
                          civil_from_seconds(now.seconds).year);
    assert(length > 0 && (size_t)length < sizeof(key.text));
    key.length = (size_t)length;
    return key;
}

bool bill_series_valid(struct slice series)
{
    for (size_t i = 0; i < series.length; i++) {
        char c = series.data[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return series.length > 0 && series.length <= BILL_SERIES_BYTES_MAX;
}

void draft_pack(struct packer *packer, struct instant made, struct slice invoice)
{
    pack_u8(packer, DRAFT_FORMAT);
    pack_u64(packer, (uint64_t)made.seconds);
    pack_slice(packer, invoice);
}

enum status draft_unpack(struct slice key, struct slice value, struct instant *ret_made,
                         struct slice *ret_invoice, struct error *error)
{
    struct unpacker in;
    unpack_init(&in, value);
    uint8_t format = unpack_u8(&in);
    struct instant made = {(int64_t)unpack_u64(&in)};
    struct slice invoice = unpack_slice(&in);
    if (value.length && format != DRAFT_FORMAT)
        return error_set(error, STATUS_VERSION, "draft %.*s has format %u, this program reads %u",
                         (int)key.length, key.data, format, DRAFT_FORMAT);
    if (in.failed || !unpack_at_end(&in))
        return error_set(error, STATUS_CORRUPT, "draft %.*s cannot be read", (int)key.length,
                         key.data);
    *ret_made = made;
    *ret_invoice = invoice;
    return STATUS_OK;
}

void counter_pack(struct packer *packer, uint64_t last)
{
    pack_u8(packer, COUNTER_FORMAT);
    pack_u64(packer, last);
}

enum status counter_unpack(struct slice key, struct slice value, uint64_t *ret, struct error *error)
{
    struct unpacker in;
    unpack_init(&in, value);
    uint8_t format = unpack_u8(&in);
    uint64_t last = unpack_u64(&in);
    if (in.failed || format != COUNTER_FORMAT || !unpack_at_end(&in))
        return error_set(error, STATUS_CORRUPT, "the number series %.*s cannot be read",
                         (int)key.length, key.data);
    *ret = last;
    return STATUS_OK;
}
