/* The rate snapshot: everything loaded, compiled into immutable arrays that rating reads without a lock.
 *
 * ratecards/compile.c builds it; shards and reports read it; it never changes, a new one replaces it. All pointers live in its arena.
 * Thread: any number of readers. */
#ifndef RATEL_RATE_SNAPSHOT_H
#define RATEL_RATE_SNAPSHOT_H

#include "base/arena.h"
#include "base/calendar.h"
#include "base/hash.h"
#include "base/money.h"
#include "base/slice.h"
#include "rate/meter.h"
#include "rate/terms.h"
#include "rate/unit.h"

#define INDEX_NONE UINT32_MAX

struct where_term {
    struct slice name; /* canonical attribute name, see snapshot_attribute_name */
    struct slice value;
};

enum charge_scope { SCOPE_ACCOUNT = 0, SCOPE_RESOURCE };

/* One row's tiers in one currency. A plan is what a bucket counts under; its index is stable for the life of the snapshot. */
struct plan {
    uint32_t version; /* index into versions */
    uint32_t charge;  /* index into charges */
    uint32_t row;     /* position of the row within its charge, from 0 */
    uint32_t
        signature; /* equal for rows of other versions of the same card family that carry the tier position on: same charge code,
                              meter, times, scope and `where`; index into nothing, compared only */
    struct currency currency; /* of the prices: the card's, or the native one */
    const struct rate_tier *tiers;
    uint32_t tier_count;
    int128 package_micro;
};

struct charge_row {
    const struct where_term *where; /* sorted by name */
    uint32_t where_count;
    uint32_t
        plan_first; /* plans of this row, one per currency; the first is in the card's currency */
    uint32_t plan_count;
    uint32_t line, column; /* in the document, for explain */
};

/* An amount that may be given natively in several currencies; entry 0 is in the card's currency. count 0 means absent. */
struct money_choice {
    uint32_t count;
    const struct currency *currencies;
    const struct money *amounts;
};

struct charge {
    struct slice code;
    struct slice description;
    struct slice meter_name;
    const struct meter *meter; /* NULL for a meter that is not CloudStack's: base "unit", summed */
    enum rate_model model;
    struct unit unit;
    struct slice times_name; /* empty when there is none */
    struct times times;
    enum charge_scope scope;
    bool carry;            /* tier position carries over from the earlier version; default true */
    int128 included_micro; /* units per period, in millionths */
    struct money_choice minimum;
    struct money_choice maximum;
    struct slice tax_class; /* "standard" unless said */
    /* The document that holds it: with `extends` perhaps another than the version's. */
    struct slice file;
    struct slice card;
    struct instant effective_from;
    uint32_t revision;
    const struct charge_row *rows; /* in document order */
    uint32_t row_count;
    uint32_t line;
    uint32_t version; /* index */
};

/* A card as it is in force in [from, to): own charges, and those that it extends, already merged. Versions of a family are
 * consecutive and in order of time. */
struct version {
    struct slice card; /* name */
    struct slice file; /* where it was loaded from, for explain */
    struct instant
        effective_from; /* of the document that is in force; `from` may be later where a base card changed */
    struct instant from;
    struct instant to;
    struct currency currency;
    const struct zone *zone;
    enum month_hours month;
    enum rounding rounding;  /* at the invoice line */
    uint32_t revision;       /* 1, 2, ... of the same name and effective_from */
    const uint32_t *charges; /* indexes into charges, sorted by meter name, then code */
    uint32_t charge_count;
};

struct card_family {
    struct slice name;
    uint32_t version_first;
    uint32_t version_count;
};

struct catalogue {
    struct slice name;
    uint32_t family; /* index or INDEX_NONE when the card is not loaded (yet) */
    struct slice card;
    struct currency currency; /* code 0: the account's or the card's own */
};

enum billing_mode { BILLING_POSTPAID = 0, BILLING_PREPAID };

struct account {
    struct slice id;
    struct slice name;
    struct currency currency;
    uint32_t catalogue; /* index or INDEX_NONE */
    struct slice catalogue_name;
    enum billing_mode billing;
    const struct zone *zone;
    uint32_t terms_days;
    const struct slice *emails;
    uint32_t email_count;
    const struct slice *projects;
    uint32_t project_count;
    struct slice tax_country; /* empty: not taxed, and the bill says so */
    struct slice tax_id;
    struct slice
        tax_class; /* empty: the charge's class counts; else overrides (for example exempt) */
};

struct fx_rate {
    struct currency base;
    struct currency quote;
    int32_t day;      /* days since 1970-01-01 */
    int128 rate_pico; /* 1 base = rate quote, 12 decimals */
    struct slice source;
};

struct tax_rule {
    struct slice country;
    struct slice tax_class;
    int128 rate_pico;      /* "19" percent = 19 * 10^12 */
    struct slice category; /* EN 16931: S, Z, E, AE, K, G, O, L, M, B */
    int32_t day_from;      /* INT32_MIN when not said */
    int32_t day_to;        /* exclusive; INT32_MAX when not said */
};

#define BUDGET_THRESHOLDS_MAX 16

struct budget {
    struct slice id; /* the document's, or made from account, amount and currency */
    struct slice account;
    uint32_t account_index; /* or INDEX_NONE */
    struct money amount;
    struct currency currency;
    uint32_t threshold_count;
    uint32_t thresholds[BUDGET_THRESHOLDS_MAX]; /* percent, rising */
    const struct slice *emails;
    uint32_t email_count;
};

struct payer_entry {
    struct slice id; /* account id or project id */
    uint32_t account;
};

struct snapshot_index; /* engine/rate/snapshot_index.h */

struct snapshot {
    struct arena arena;
    uint64_t
        pricing_digest; /* equal digests rate alike: meters, cards, catalogues, accounts' catalogue, currency, zone, projects */
    const struct plan *plans;
    uint32_t plan_count;
    const struct charge *charges;
    uint32_t charge_count;
    const struct version *versions;
    uint32_t version_count;
    const struct card_family *families; /* sorted by name */
    uint32_t family_count;
    const struct catalogue *catalogues; /* sorted by name */
    uint32_t catalogue_count;
    const struct account *accounts; /* sorted by id */
    uint32_t account_count;
    const struct payer_entry *payers; /* sorted by id */
    uint32_t payer_count;
    const struct fx_rate *rates; /* sorted by base, quote, day */
    uint32_t rate_count;
    const struct tax_rule *taxes;
    uint32_t tax_count;
    const struct budget *budgets; /* sorted by account_index */
    uint32_t budget_count;
    struct zone *const *zones; /* freed with the snapshot */
    uint32_t zone_count;
    const struct snapshot_index *index; /* see snapshot_index_build */
};

/* Frees the zones, the arena and the struct itself, which came from malloc. NULL is fine. */
void snapshot_free(struct snapshot *snapshot);

/* Builds, in the snapshot's arena, the tables that resolving reads: the last step of making a snapshot,
 * whose arrays, and what they point at, must not change afterwards.
 * Cost: linear in payers, and in the rows of distinct charges; 40 years of month boundaries a zone. */
void snapshot_index_build(struct snapshot *snapshot);

/* The account that pays for an account or project id, or INDEX_NONE. */
uint32_t snapshot_payer(const struct snapshot *snapshot, struct slice id);
uint32_t snapshot_account(const struct snapshot *snapshot, struct slice id); /* accounts only */
uint32_t snapshot_family(const struct snapshot *snapshot, struct slice name);

/* The version of a family in force at an instant, or INDEX_NONE before the first. */
uint32_t snapshot_version_at(const struct snapshot *snapshot, uint32_t family, struct instant at);

/* Canonical attribute name of a `where` or `times` key: offeringid -> offering, zoneid -> zone, templateid -> template,
 * virtualmachineid -> vm, usageid -> resource, networkid -> network, vpcid -> vpc, projectid -> project, accountid -> account;
 * others unchanged. */
struct slice snapshot_attribute_name(struct slice name);

/* What resolving needs to know of a series. Attributes have canonical names, sorted by name, each once. */
struct series_view {
    struct slice payer_id; /* account id, or project id */
    struct slice meter_name;
    const struct meter *meter; /* NULL for others */
    const struct where_term *attributes;
    uint32_t attribute_count;
    /* By attribute code (rate/attribute.h), position in `attributes` + 1, 0 where absent: ATTRIBUTE_CODES bytes. NULL: not at hand,
     * resolving finds out. */
    const uint8_t *positions;
};

#define RESOLVE_PLANS_MAX 16

enum unpriced_reason {
    PRICED = 0,
    UNPRICED_NO_ACCOUNT,
    UNPRICED_NO_CATALOGUE,
    UNPRICED_NO_CARD,
    UNPRICED_NO_PRICE,
    UNPRICED_NO_ATTRIBUTE /* `times` names what the record does not bear */
};

/* Which plans count a series at an instant, and how long that stays so. */
struct resolution {
    uint32_t account; /* INDEX_NONE when unknown */
    struct period
        period; /* billing period of the instant, in the account's zone (UTC when unknown) */
    struct instant from; /* valid in [from, to): one billing period, one card version */
    struct instant to;
    enum unpriced_reason reason; /* PRICED when plan_count > 0 */
    uint32_t plan_count;
    uint32_t plans[RESOLVE_PLANS_MAX];
    int128 multipliers[RESOLVE_PLANS_MAX]; /* the `times` value, 1 without */
};

/* payer -> account -> catalogue -> card family -> version at the instant -> charges of the meter -> most specific row of each (most where
 * terms; ties were refused by the checks) -> its plan in the account's currency, else the catalogue's, where prices are given natively,
 * else in the card's. A charge whose `times` attribute the series lacks (or bears as something else than an integer >= 0) is passed over.
 * A zone that is NULL counts as UTC. Plans and multipliers past plan_count are not written. Errors: RANGE (over RESOLVE_PLANS_MAX).
 * Cost: a table look-up for payer, period and meter; for each charge of the meter one for each distinct set of names in its rows'
 * `where`, however many rows it has. About 100 ns while the tables are in the cache. */
MUST_USE enum status snapshot_resolve(const struct snapshot *snapshot,
                                      const struct series_view *series, struct instant at,
                                      struct resolution *ret);

/* The terms of a plan in a period: its unit in quanta by the version's month and zone. Errors: RANGE. */
MUST_USE enum status snapshot_terms(const struct snapshot *snapshot, uint32_t plan,
                                    struct period period, struct rate_terms *ret);

/* How a quantity of a charge is shown: quanta of the bucket per unit shown (the charge's unit in that period), as quantity text with up
 * to 12 decimals, exact where it ends and else rounded half-even for display only (fewer decimals where 128 bits do not hold twelve).
 * Returns the length; 0 and an empty text when the unit has no size in that period (see unit_quanta). Owner: caller, DECIMAL_TEXT_BYTES. */
size_t charge_quantity_format(const struct snapshot *snapshot, uint32_t plan, struct period period,
                              struct quantity quantity, char *buffer);

/* The rate on or before `day` to turn `from` into `to`, at full precision: amount * numerator / denominator.
 *   same     from = to: 1, on `day`
 *   direct   rate(from, to):               numerator rate, denominator 10^12
 *   inverse  rate(to, from):               numerator 10^12, denominator rate
 *   cross    rate(B, from), rate(B, to):   numerator the second, denominator the first; B is EUR, else the first by letter that has both
 * in this order of preference. What is published is divided at most once and never inverted twice. Each leg is the last rate on or
 * before `day`. Errors: NOT_FOUND. */
struct fx_use {
    int128
        numerator; /* pico-units where a rate is used as it is loaded; only the fraction counts, which is exact */
    int128 denominator;
    int128 rate_pico; /* numerator / denominator rounded half-even to 12 decimals, for show */
    int32_t day;      /* of the older rate used */
    struct slice source;
    const struct fx_rate
        *legs[2]; /* the loaded rates behind it, one or two; they live as long as the snapshot */
    uint32_t leg_count;
};
MUST_USE enum status snapshot_fx(const struct snapshot *snapshot, struct currency from,
                                 struct currency to, int32_t day, struct fx_use *ret);
/* amount * numerator / denominator, rounded half-even to 10^-12. Errors: RANGE. */
MUST_USE enum status fx_convert(const struct fx_use *use, struct money amount, struct money *ret);
/* The same, rounded once to the currency's minor unit instead: from the exact product, not from fx_convert's. Errors: RANGE. */
MUST_USE enum status fx_convert_rounded(const struct fx_use *use, struct money amount,
                                        struct currency currency, enum rounding mode,
                                        struct money *ret);

/* The tax rule of a country and class on a day, or NULL. Of several the one that began last; of those the last in the table. */
const struct tax_rule *snapshot_tax(const struct snapshot *snapshot, struct slice country,
                                    struct slice tax_class, int32_t day);

/* The amount of a choice in a currency; false when that currency is not given natively. */
bool money_choice_in(const struct money_choice *choice, struct currency currency,
                     struct money *ret);

#endif
