/* Coverage: which windows of a series have been counted, each with its quantity, so that an instant
 * of a resource is charged once.
 *
 * Equal neighbouring windows (same length, same quantity, end to start) are one run, so a machine
 * that runs all month is one entry. Runs are sorted, never overlap, and are always merged as far as
 * they go: the same set of windows has one representation, whatever the order of arrival. Memory:
 * 32 bytes a run; the first run is inline. */
#ifndef RATEL_MEDIATE_COVERAGE_H
#define RATEL_MEDIATE_COVERAGE_H

#include "base/instant.h"
#include "base/money.h"

struct window_run {
    int64_t start;       /* seconds */
    uint32_t step;       /* length of each window, seconds, > 0 */
    uint32_t count;      /* windows, > 0 */
    uint64_t quanta_low; /* the quantity of each window */
    int64_t quanta_high;
};

struct coverage {
    uint32_t count;
    uint32_t capacity; /* 0: `one` is in use */
    union {
        struct window_run one;
        struct window_run *many;
    };
};

enum coverage_answer { COVERAGE_NEW, COVERAGE_DUPLICATE, COVERAGE_CONFLICT };

void coverage_init(struct coverage *coverage);
void coverage_fini(struct coverage *coverage);
/* Duplicate: the same window with the same quantity; conflict: any other overlap. `end` > `start`,
 * at most 2^32-1 seconds apart. */
enum coverage_answer coverage_classify(const struct coverage *coverage, struct instant start,
                                       struct instant end, struct quantity quantity);
/* Adds a window that classifies as NEW (asserted). Errors: NO_MEMORY, with the coverage unchanged.
 */
MUST_USE enum status coverage_add(struct coverage *coverage, struct instant start,
                                  struct instant end, struct quantity quantity);
/* The runs in order. Lifetime: until the next add. */
const struct window_run *coverage_runs(const struct coverage *coverage);
void coverage_check(const struct coverage *coverage); /* asserts sorted, disjoint, merged */

static inline struct quantity run_quantity(const struct window_run *run)
{
    return (struct quantity){
        (int128)(((uint128)(uint64_t)run->quanta_high << 64) | run->quanta_low)};
}

/* Calls `gap` for each hole between the first and the last window. */
typedef void coverage_gap(struct instant start, struct instant end, void *context);
void coverage_gaps(const struct coverage *coverage, coverage_gap *gap, void *context);

#endif
