/* Pieces of spend output that several verbs share. */
#ifndef RATEL_TOOLS_SPEND_TEXT_H
#define RATEL_TOOLS_SPEND_TEXT_H

#include "account/ledgers.h"
#include "account/spend.h"
#include "base/json.h"
#include "ratel/output.h"

/* Opens an account's object up to and including "lines": [ . */
void spend_open_json(struct json *json, const struct snapshot *snapshot, const struct spend *spend);
/* Closes it: ], unpriced, }. */
void spend_close_json(struct json *json, const struct ledgers *ledgers, const struct spend *spend);
/* fx_rate, fx_date, fx_source, fx_rates. */
void spend_fx_json(struct json *json, const struct fx_use *fx);
/* limit, fx members of a line, where they say something. */
void spend_conversion_json(struct json *json, const struct spend_line *line);
/* The "total" row of a spend table: `blanks` empty cells lie between the word and the amount. */
void spend_total_row(struct table *table, const struct snapshot *snapshot,
                     const struct spend *spend, uint32_t blanks);
/* Base units as text; a level meter's unit-seconds as base-hours, to 6 decimals. Owner: caller,
 * DECIMAL_TEXT_BYTES. */
void spend_unpriced_quantity(const struct spend_unpriced *unpriced, char *buffer);
/* "2026-10-31". */
void spend_day_text(int32_t day, char buffer[16]);

#endif
