/* Pricing one quantity by one charge of a compiled card, with every step of the arithmetic. Pure:
 * no I/O, no clock. */
#ifndef RATEL_TOOLS_QUOTE_H
#define RATEL_TOOLS_QUOTE_H

#include "rate/snapshot.h"

struct quote_request {
    const struct snapshot *snapshot;
    struct slice card; /* empty: the only one with the charge among those of `file`, else of all */
    struct slice file;
    struct slice charge;
    struct slice quantity;          /* decimal text, at most 6 decimals */
    const struct where_term *where; /* names as typed */
    uint32_t where_count;
    bool has_times;
    int128 times; /* the record's own number, for example bytes for `size`, MiB for `memory` */
    struct currency currency; /* 0: the card's */
    bool has_period;
    struct period period;
    struct instant now; /* picks the period without one, and the card version within it */
};

struct quote {
    const struct version *version;
    const struct charge *charge;
    const struct charge_row *row;
    uint32_t plan;
    struct currency currency;
    struct period period;
    struct quantity quantity; /* as asked, in quanta */
    struct quantity included; /* of it, free of charge */
    struct rate_terms terms;
    struct rate_step steps[TIERS_MAX]; /* for what is left */
    uint32_t step_count;
    struct money usage;   /* the sum of the steps */
    bool below_minimum;   /* the amount was raised to the minimum */
    bool above_maximum;   /* the amount was cut to the maximum */
    struct money amount;  /* unrounded */
    struct money rounded; /* at the currency's minor unit, as an invoice line would be */
};

/* Errors: USAGE, INVALID, RANGE, NOT_FOUND never; all with a text that says what would fit. */
MUST_USE enum status quote_make(const struct quote_request *request, struct quote *ret,
                                struct error *error);

/* "graduated" and the like, as documents write it. Lifetime: static. */
const char *rate_model_name(enum rate_model model);

#endif
