/* Results on standard output: one table writer for people (aligned columns) and for spreadsheets
 * (CSV). JSON has shapes of its own, which the verbs write with base/json.h.
 *
 * Memory is bounded: the widths of a table's columns come from its first TABLE_ROWS_HELD rows;
 * later rows are written at once. */
#ifndef RATEL_TOOLS_OUTPUT_H
#define RATEL_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/csv.h"
#include "base/money.h"
#include "base/slice.h"
#include "base/status.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

/* Of "table", "json" or "csv": the option's choices let nothing else pass. */
enum output_format output_format_of(const char *name);

#define TABLE_COLUMNS_MAX 24
#define TABLE_ROWS_HELD   1000

struct column {
    const char *name; /* "unit_price": the CSV header; tables show UNIT PRICE */
    bool number;      /* aligned right; digits that CSV readers may take as a number */
};

struct table {
    FILE *out;
    enum output_format format; /* OUTPUT_TABLE or OUTPUT_CSV */
    bool colour;               /* bold headings */
    const struct column *columns;
    uint32_t column_count;
    uint32_t at;        /* cell of the row being filled */
    uint32_t row_count; /* rows held */
    bool started;       /* the heading is out */
    uint32_t widths[TABLE_COLUMNS_MAX];
    struct slice *cells; /* TABLE_ROWS_HELD rows */
    struct arena arena;
};

/* `columns` must outlive the table. Owner: caller, table_end. */
void table_begin(struct table *table, FILE *out, enum output_format format, bool colour,
                 const struct column *columns, uint32_t column_count);
/* Cells from left to right; the row is complete with its last cell. The text is copied. */
void table_cell(struct table *table, struct slice text);
void table_string(struct table *table, const char *text);
void table_integer(struct table *table, int64_t value);
void table_money(struct table *table, struct money amount); /* exact, up to 12 decimals */
void table_quantity(struct table *table, struct quantity quantity);
/* Writes what is held and frees. A table without rows still has its heading. */
void table_end(struct table *table);

/* Text as it may go to a terminal: control characters, which could move the cursor or worse, become
 * '?'. */
void print_clean(FILE *out, struct slice text);

/* Flushes `out`. Errors: IO, NO_SPACE: something that was written did not arrive. */
MUST_USE enum status output_finish(FILE *out, struct error *error);

#endif
