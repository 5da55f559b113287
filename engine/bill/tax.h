/* Tax: which category each line falls into, and one tax per category.
 *
 * The rule of a line is that of the account's country and the charge's tax class (the account's
 * class overrides it) on the period's last day. A category is what EN 16931 calls a VAT breakdown:
 * the lines of one category code and rate. Its base is the sum of its rounded lines, and its tax is
 * rounded once, half-even, to the minor unit: never line by line. */
#ifndef RATEL_BILL_TAX_H
#define RATEL_BILL_TAX_H

#include "bill/invoice.h"
#include "rate/snapshot.h"

/* base * rate / 100 at the currency's minor unit. The base must be a whole number of minor units.
 * Errors: RANGE. */
MUST_USE enum status tax_amount(struct money base, int128 rate_pico, struct currency currency,
                                struct money *ret);

/* Sets every line's tax, and the taxes; adds the notes that belong to them: an account without a
 * country, a class without a rule, a category that is free of tax. `invoice->notes` has room for
 * tax_notes_max() more. Errors: RANGE. Owner: the arena. */
MUST_USE enum status tax_apply(const struct snapshot *snapshot, const struct account *account,
                               struct arena *arena, struct invoice *invoice, struct error *error);
uint32_t tax_notes_max(const struct invoice *invoice);

#endif
