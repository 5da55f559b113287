/* The truth: per owner and meter the exact totals, from the life of the resources; and what the
 * output holds of each kind of row. The format is JSON lines and is described in `ratel-gen
 * --help`:
 *
 *   {"kind":"run", ...}                       one: how it was made
 *   {"kind":"account"|"project", "id", "name", "payer", "meters": {"vm.running": {"records",
 * "quantity", ...}}} one per owner, accounts first
 *   {"kind":"counts", "records", "unique", "late", "duplicates", "double_volumes", "conflicts",
 * "malformed", "series"}
 *
 * A record's hours are its integer seconds of life in the window, rounded to 6 decimals as the
 * output is; sums are made of those in 128-bit integers. Rows other than the first honest one of
 * each (series, window) are in no total. */
#ifndef GEN_TRUTH_H
#define GEN_TRUTH_H

#include "gen/emit.h"

/* Sums of one meter of one owner. */
struct meter_truth {
    uint64_t records;
    wide quantity;        /* millionths of an hour, of a byte or of a request */
    wide size_quantity;   /* quantity x bytes */
    wide cpu_quantity;    /* quantity x cpunumber */
    wide memory_quantity; /* quantity x MiB */
    wide level_seconds;   /* bytes x seconds */
    bool sized;
};

/* Adds the series' usage of all windows to `truth`; nothing for a volume's second row. */
void truth_add(const struct cloud *cloud, const struct series *series, struct meter_truth *truth);

/* Writes the truth to options->truth. */
bool GEN_MUST_USE truth_write(const struct cloud *cloud, const struct options *options,
                              const struct emit_counts *counts, struct failure *failure);
/* payers.c: writes the accounts document to options->accounts_doc. */
bool GEN_MUST_USE payers_write(const struct cloud *cloud, const struct options *options,
                               struct failure *failure);

#endif
