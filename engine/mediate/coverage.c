#include "mediate/coverage.h"

#include <assert.h>
#include <stdlib.h>

/* Invariants:
 * C-1 runs are sorted by start and do not overlap.
 * C-2 no two neighbours could be one run (same step, same quantity, end to start).
 * C-3 a stored window is exactly [start + i * step, start + (i + 1) * step) for 0 <= i < count. */

void coverage_init(struct coverage *coverage)
{
    coverage->count = 0;
    coverage->capacity = 0;
}

void coverage_fini(struct coverage *coverage)
{
    if (coverage->capacity)
        free(coverage->many);
    coverage_init(coverage);
}

const struct window_run *coverage_runs(const struct coverage *coverage)
{
    return coverage->capacity ? coverage->many : &coverage->one;
}

static struct window_run *runs_mutable(struct coverage *coverage)
{
    return coverage->capacity ? coverage->many : &coverage->one;
}

static int64_t run_end(const struct window_run *run)
{
    return run->start + (int64_t)run->step * run->count;
}

/* The first run that ends after `at`: the only one that may hold or follow it. */
static uint32_t first_ending_after(const struct coverage *coverage, int64_t at)
{
    const struct window_run *runs = coverage_runs(coverage);
    uint32_t low = 0, high = coverage->count;
    if (high && run_end(&runs[high - 1]) <= at)
        return high; /* the usual case: usage arrives in order of time */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run_end(&runs[middle]) <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum coverage_answer coverage_classify(const struct coverage *coverage, struct instant start,
                                       struct instant end, struct quantity quantity)
{
    assert(start.seconds < end.seconds);
    uint32_t position = first_ending_after(coverage, start.seconds);
    if (position == coverage->count)
        return COVERAGE_NEW;
    const struct window_run *run = &coverage_runs(coverage)[position];
    if (run->start >= end.seconds)
        return COVERAGE_NEW;
    bool same_window = start.seconds >= run->start && end.seconds - start.seconds == run->step &&
                       (start.seconds - run->start) % run->step == 0;
    if (same_window && run_quantity(run).quanta == quantity.quanta)
        return COVERAGE_DUPLICATE;
    return COVERAGE_CONFLICT;
}

/* Makes room for one more run at `position`. */
static enum status open_hole(struct coverage *coverage, uint32_t position)
{
    uint32_t room = coverage->capacity ? coverage->capacity : 1;
    if (coverage->count == room) {
        uint32_t capacity = room * 2 < 4 ? 4 : room * 2;
        struct window_run *many = malloc(capacity * sizeof(*many));
        if (!many)
            return STATUS_NO_MEMORY;
        memcpy(many, coverage_runs(coverage), coverage->count * sizeof(*many));
        if (coverage->capacity)
            free(coverage->many);
        coverage->many = many;
        coverage->capacity = capacity;
    }
    struct window_run *runs = runs_mutable(coverage);
    memmove(runs + position + 1, runs + position, (coverage->count - position) * sizeof(*runs));
    coverage->count++;
    return STATUS_OK;
}

static bool joins(const struct window_run *left, const struct window_run *right)
{
    return run_end(left) == right->start && left->step == right->step &&
           left->quanta_low == right->quanta_low && left->quanta_high == right->quanta_high &&
           left->count <= UINT32_MAX - right->count;
}

static void remove_run(struct coverage *coverage, uint32_t position)
{
    struct window_run *runs = runs_mutable(coverage);
    memmove(runs + position, runs + position + 1, (coverage->count - position - 1) * sizeof(*runs));
    coverage->count--;
}

enum status coverage_add(struct coverage *coverage, struct instant start, struct instant end,
                         struct quantity quantity)
{
    assert(start.seconds < end.seconds && end.seconds - start.seconds <= UINT32_MAX);
    uint32_t position = first_ending_after(coverage, start.seconds);
    assert(position == coverage->count ||
           coverage_runs(coverage)[position].start >= end.seconds); /* C-1 */
    struct window_run added = {
        .start = start.seconds,
        .step = (uint32_t)(end.seconds - start.seconds),
        .count = 1,
        .quanta_low = (uint64_t)quantity.quanta,
        .quanta_high = (int64_t)(quantity.quanta >> 64),
    };
    struct window_run *runs = runs_mutable(coverage);
    bool joins_left = position > 0 && joins(&runs[position - 1], &added);
    bool joins_right = position < coverage->count && joins(&added, &runs[position]);
    if (joins_left) {
        runs[position - 1].count++;
        if (joins_right && joins(&runs[position - 1], &runs[position])) { /* C-2 */
            runs[position - 1].count += runs[position].count;
            remove_run(coverage, position);
        }
        return STATUS_OK;
    }
    if (joins_right) {
        runs[position].start = added.start;
        runs[position].count++;
        return STATUS_OK;
    }
    enum status status = open_hole(coverage, position);
    if (status != STATUS_OK)
        return status;
    runs_mutable(coverage)[position] = added;
    return STATUS_OK;
}

void coverage_check(const struct coverage *coverage)
{
    const struct window_run *runs = coverage_runs(coverage);
    for (uint32_t i = 0; i < coverage->count; i++) {
        assert(runs[i].step > 0 && runs[i].count > 0);
        assert(i == 0 || run_end(&runs[i - 1]) <= runs[i].start); /* C-1 */
        assert(i == 0 || !joins(&runs[i - 1], &runs[i]));         /* C-2 */
    }
}

void coverage_gaps(const struct coverage *coverage, coverage_gap *gap, void *context)
{
    const struct window_run *runs = coverage_runs(coverage);
    for (uint32_t i = 1; i < coverage->count; i++) {
        int64_t end = run_end(&runs[i - 1]);
        if (end < runs[i].start)
            gap((struct instant){end}, (struct instant){runs[i].start}, context);
    }
}
