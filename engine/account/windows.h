/* Which windows of a series have been counted, each with its quantity, so that an instant of a
 * resource is charged once.
 *
 * Equal neighbouring windows (same length, same quantity, end to start) are one run. The newest run
 * is in the series' line (series.h); up to WINDOWS_TAIL older ones in its tail; when there is no
 * place for another they go to the heap on disk with it, as one page, linked to the page before. So
 * memory is bounded per series, however many windows there are, and usage that comes in order of time never looks at
 * more than the line. */
#ifndef RATEL_ACCOUNT_WINDOWS_H
#define RATEL_ACCOUNT_WINDOWS_H

#include "account/series.h"
#include "mediate/coverage.h"

struct window_span {
    uint32_t start; /* seconds since 1970 */
    uint32_t step;  /* seconds of each window, > 0 */
    uint32_t count; /* windows, > 0 */
    uint32_t reserved;
    uint64_t code; /* quantity of each window */
};
static_assert(sizeof(struct window_span) == 24, "stored as it is");

#define WINDOWS_TAIL 2 /* a tail is one cache line */

struct series_tail {
    uint64_t page;     /* offset in the heap of the newest page + 1; 0: none */
    uint32_t page_end; /* no window in the pages ends later */
    uint32_t count;
    struct window_span spans[WINDOWS_TAIL]; /* sorted by start */
};
static_assert(sizeof(struct series_tail) == 64, "stored as it is");

/* Instants that lines can hold: 1970 to 2105. */
#define WINDOWS_INSTANT_MAX ((int64_t)4290000000)

/* Stands for a quantity >= 0 in 64 bits: itself below 2^63, else a hash with the highest bit set
 * (more than 9.2 * 10^12 units in one window). */
uint64_t windows_code(struct quantity quantity);

/* Duplicate: the same window with the same quantity; conflict: any other overlap. Errors: CORRUPT,
 * IO (the heap). Cost: usage in order of time reads the line only. */
MUST_USE enum status windows_classify(const struct series_table *table, uint32_t series,
                                      uint32_t start, uint32_t length, uint64_t code,
                                      enum coverage_answer *ret, struct error *error);
/* Adds a window that classifies as new. Errors: NO_MEMORY, IO, NO_SPACE (the heap), with nothing
 * added. */
MUST_USE enum status windows_add(struct series_table *table, uint32_t series, uint32_t start,
                                 uint32_t length, uint64_t code, struct error *error);
/* All windows as merged, sorted runs; the quantity is the code. Owner: caller, coverage_fini.
 * Errors: NO_MEMORY, CORRUPT, IO. */
MUST_USE enum status windows_all(const struct series_table *table, uint32_t series,
                                 struct coverage *ret, struct error *error);

#endif
