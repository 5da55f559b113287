/* From an account's spend of a period to the draft of its invoice. Pure: no clock, no store. */
#ifndef RATEL_BILL_BUILD_H
#define RATEL_BILL_BUILD_H

#include "account/spend.h"
#include "bill/invoice.h"

/* `spend` has lines, and an exchange rate for each. Slices borrow from snapshot and arena.
 * Errors: RANGE, with a text that names the account. */
MUST_USE enum status invoice_build(const struct snapshot *snapshot, const struct spend *spend,
                                   struct arena *arena, struct invoice *ret, struct error *error);

#endif
