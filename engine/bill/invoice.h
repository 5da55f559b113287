/* The invoice: a document that stands by itself. Everything that a reader of it needs is copied into
 * it (names, texts, rates), so that it stays what it was when rate cards and accounts change.
 *
 * Invariants (invoice_check):
 * I-1 every amount of the document is a whole number of the currency's minor units.
 * I-2 net is the sum of the lines; a tax's base the sum of its lines; tax the sum of the taxes;
 *     total = net + tax.
 * I-3 a draft has no number, no issue and no due date; an issued one has all three, and is never
 *     stored twice.
 * I-4 a converted line names the exchange rate that it was converted with.
 *
 * This header and its three sources need base/ only: exports see them and nothing else of the engine. */
#ifndef RATEL_BILL_INVOICE_H
#define RATEL_BILL_INVOICE_H

#include "base/arena.h"
#include "base/calendar.h"
#include "base/json.h"
#include "base/money.h"
#include "base/pack.h"

#define INVOICE_NONE      UINT32_MAX
#define INVOICE_ITEMS_MAX 1000000 /* lines, taxes, rates and notes, each */

enum invoice_status { INVOICE_DRAFT, INVOICE_ISSUED };

enum invoice_limit { INVOICE_LIMIT_NONE, INVOICE_LIMIT_MINIMUM, INVOICE_LIMIT_MAXIMUM };

struct invoice_line {
    struct slice charge; /* code */
    struct slice description;
    struct slice meter;
    struct slice quantity; /* decimal text, in `unit` */
    struct slice unit;
    struct currency priced_currency;
    struct money priced;      /* before conversion and rounding, exact to 10^-12 */
    struct money amount;      /* in the invoice's currency */
    enum invoice_limit limit; /* the charge's minimum or maximum decided */
    struct slice tax_class;
    uint32_t tax; /* index into taxes; INVOICE_NONE: not taxed */
    uint32_t fx;  /* index into fx; INVOICE_NONE: priced in the invoice's currency */
};

struct invoice_tax {
    struct slice category; /* EN 16931: S, Z, E, AE ... */
    int128 rate_pico;      /* percent: 19 * 10^12 */
    struct money base;
    struct money amount;
};

struct invoice_fx {
    struct currency from;
    struct currency to;
    int128 numerator; /* amount * numerator / denominator, both pico */
    int128 denominator;
    int128 rate_pico; /* the quotient to 12 decimals, for show */
    int32_t day;      /* of the rate, days since 1970-01-01 */
    struct slice source;
};

struct invoice {
    enum invoice_status status;
    struct slice number; /* empty while a draft */
    struct slice account;
    struct slice account_name;
    struct slice tax_country; /* of the account; empty: none */
    struct slice tax_id;
    struct currency currency;
    struct period period;
    struct instant start, end; /* of the period, in the account's zone */
    struct slice timezone;
    uint32_t terms_days;
    struct instant issued;      /* INSTANT_MIN while a draft */
    struct instant due;         /* INSTANT_MIN while a draft */
    struct invoice_line *lines; /* by charge code */
    uint32_t line_count;
    struct invoice_tax *taxes; /* by category, then rate */
    uint32_t tax_count;
    struct invoice_fx *fx; /* one for each pair of currencies */
    uint32_t fx_count;
    struct slice *notes;
    uint32_t note_count;
    struct money net;
    struct money tax;
    struct money total;
};

const char *
invoice_status_name(enum invoice_status status); /* "draft", "issued". Lifetime: static. */

/* Asserts I-1 to I-4. */
void invoice_check(const struct invoice *invoice);
/* The same as a question, with the rule that does not hold in `ret_rule` (static text). */
bool invoice_holds(const struct invoice *invoice, const char **ret_rule);
/* Makes an issued invoice of a draft: number, issued, due = issued + terms. */
void invoice_issue(struct invoice *invoice, struct slice number, struct instant now);

/* Appends the stored form; checks before. `packer->failed` says whether memory was enough. */
void invoice_pack(const struct invoice *invoice, struct packer *packer);
/* Slices borrow from `bytes`, arrays are the arena's. Checks after.
 * Errors: CORRUPT, VERSION, with a text that begins with `name`. */
MUST_USE enum status invoice_unpack(struct slice bytes, struct slice name, struct arena *arena,
                                    struct invoice *ret, struct error *error);

/* The shape in docs/reference/json.md. */
void invoice_write_json(const struct invoice *invoice, struct json *json);

#endif
