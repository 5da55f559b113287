/* Which row is written when: CloudStack's order or a random one, and what goes wrong on the way
 * (rows that come late, twice, with another quantity, or broken).
 *
 * A turn is one run of the usage job: in CloudStack's order turn t writes window t; in random order
 * it is as many records as there are series. Rows that were held back come at the end of a turn.
 * Every decision is a draw on (series, window), so two runs over the schedule see the same rows. */
#ifndef GEN_SCHEDULE_H
#define GEN_SCHEDULE_H

#include "gen/amount.h"
#include "gen/form.h"

enum row_kind {
    ROW_ORIGINAL,
    ROW_ATTRIBUTION, /* the second row of a volume, for the machine that it is attached to */
    ROW_DUPLICATE,
    ROW_CONFLICT,
    ROW_MALFORMED, /* beside the honest row, not instead of it */
    ROW_KIND_COUNT
};

struct row {
    const struct series *series;
    uint32_t series_index;
    uint32_t window;
    uint32_t turn;
    uint8_t kind; /* enum row_kind */
    uint8_t damage;
    bool late;
    struct amount amount;
};

struct noise {
    uint32_t duplicates, late, malformed, conflicts; /* permille of the rows */
    uint32_t damages; /* set of 1 << enum damage that malformed rows are drawn from */
};

enum row_order { ORDER_CLOUDSTACK, ORDER_RANDOM };

#define ROWS_PER_BLOCK 256

/* Takes a block of rows in order; false stops the schedule. */
typedef bool (*row_taker)(void *taker, const struct row *rows, size_t count);

/* Runs through all rows. ORDER_RANDOM needs a stable cloud. Returns what the taker returned last.
 */
bool GEN_MUST_USE schedule_run(const struct cloud *cloud, const struct noise *noise,
                               enum row_order order, row_taker take, void *taker);
/* How many turns there are: the rows' turns are below. */
size_t schedule_turns(const struct cloud *cloud);

/* A seeded permutation of [0, count). */
struct shuffle {
    uint64_t seed, count;
    unsigned half_bits;
};
struct shuffle shuffle_init(uint64_t seed, uint64_t count);
uint64_t shuffle_at(const struct shuffle *shuffle, uint64_t index);

#endif
