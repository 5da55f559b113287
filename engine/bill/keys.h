/* Keys of drafts, of the index "which invoice has this account and period", and of number series;
 * and the values that are not invoices. */
#ifndef RATEL_BILL_KEYS_H
#define RATEL_BILL_KEYS_H

#include "base/calendar.h"
#include "base/pack.h"
#include "store/store.h"

#define BILL_SERIES_BYTES_MAX 16 /* "INV" */
#define BILL_NUMBER_BYTES     48 /* "INV-2026-000001" and its NUL */

struct bill_key {
    size_t length;
    char text[STORE_KEY_BYTES_MAX + 1];
};

static inline struct slice bill_key_slice(const struct bill_key *key)
{
    return slice_of(key->text, key->length);
}

/* "2026-10/ACCOUNT" in the table of drafts; with an empty account it is where the period begins. */
struct bill_key bill_draft_key(struct period period, struct slice account);
/* The parts of a draft's key. False when it is none. */
bool bill_draft_key_read(struct slice key, struct period *ret_period, struct slice *ret_account);
/* "invoiced/2026-10/ACCOUNT" in the table of meta data; its value is the invoice's number. */
struct bill_key bill_invoiced_key(struct period period, struct slice account);
/* "INV-2026": each series starts anew with the year of issue. */
struct bill_key bill_series_key(struct slice series, struct instant now);

/* A draft's value: when it was made, and the packed invoice. */
void draft_pack(struct packer *packer, struct instant made, struct slice invoice);
/* Borrows from `value`. Errors: CORRUPT, VERSION. */
MUST_USE enum status draft_unpack(struct slice key, struct slice value, struct instant *ret_made,
                                  struct slice *ret_invoice, struct error *error);
/* A series' value: the last number given. */
void counter_pack(struct packer *packer, uint64_t last);
MUST_USE enum status counter_unpack(struct slice key, struct slice value, uint64_t *ret,
                                    struct error *error);

/* Capital letters, digits and dashes, 1 to BILL_SERIES_BYTES_MAX. */
bool bill_series_valid(struct slice series);

#endif
