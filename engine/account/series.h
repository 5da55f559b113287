/* Series: one cache line of state each, found by identity hash; their definitions lie on disk.
 *
 * A line knows where the series' quantities go (bucket slots, valid within one interval of prices)
 * and its newest run of counted windows; older windows are in windows.h. Memory per series: 64
 * bytes of line, 8 of tag and definition offset, 7 to 8 of index. */
#ifndef RATEL_ACCOUNT_SERIES_H
#define RATEL_ACCOUNT_SERIES_H

#include <assert.h>

#include "base/hash.h"
#include "base/lookup.h"
#include "mediate/definition.h"
#include "store/heap.h"

#define SERIES_SLOTS                                                                               \
    3 /* charges on one series that fit its line; more are resolved at each event */
#define SERIES_MAX (1u << 26) /* of a shard */

/*   0          4           16         24             32          36      40       44     48     56
 *   | interval | bucket[3] | narrow[2]| wide         | run_start | step  | count  | tail | code | check |
 *
 * `interval`: of series_interval, within which the slots hold; 0: none. Slot 0 counts with `wide`, slots 1 and 2 with
 * `narrow`, the values of `times`, 1 without. `run_*`: the newest windows (windows.h). `check`: the high word of the identity. */
struct series {
    uint32_t interval;
    uint32_t bucket[SERIES_SLOTS]; /* INDEX_NONE ends */
    uint32_t narrow[2];
    int64_t wide;
    uint32_t run_start; /* seconds since 1970 */
    uint32_t run_step;  /* seconds of each window, and SERIES_LEVEL */
    uint32_t run_count; /* windows; 0: none were counted */
    uint32_t tail;      /* of windows.h; 0: none */
    uint64_t run_code;  /* quantity of each window, see windows_code */
    uint64_t check;
};
static_assert(sizeof(struct series) == 64, "a series is one cache line");

#define SERIES_LEVEL     (1u << 31) /* in run_step: the quantity counts per second of its window */
#define SERIES_STEP_MASK (SERIES_LEVEL - 1)

/* Prices stay the same within [from, to): one billing period, one card version. Few are distinct,
 * so lines hold their number. Instants are limited to the years that lines can hold. */
struct series_interval {
    int64_t from;
    int64_t to;
};

struct series_tail;

struct series_table {
    uint32_t count;
    struct identity_keys keys; /* of the data directory's seed */
    struct series *lines;
    uint32_t *definitions; /* offset in the heap, in HEAP_STEP_BYTES */
    uint32_t *tags;        /* low 32 bits of the identities */
    uint8_t *dirty;        /* by SERIES_CHUNK: changed since the last checkpoint */
    struct vast lines_memory, definitions_memory, tags_memory, dirty_memory, tails_memory;
    struct lookup index; /* by tags */
    struct heap *heap;   /* definitions and old windows */

    struct series_tail *tails; /* number 0 is not used */
    uint32_t tail_count;

    struct series_interval *intervals; /* number 0 is empty */
    uint32_t interval_count;
    uint32_t interval_capacity;

    /* numbers of meters that are not CloudStack's and of resources, as bucket keys need them */
    struct arena arena;
    struct slice *meter_names;
    uint32_t meter_name_count;
    uint32_t meter_name_capacity;
    struct hash128 *resource_keys; /* by number - 1 */
    uint32_t *resource_slots;      /* number by hash */
    uint32_t resource_slot_count;
    uint32_t resource_count;
};

#define SERIES_CHUNK      1024 /* lines stored together in a checkpoint */
#define METER_FIRST_OTHER 256  /* numbers below are CloudStack's usage types */

/* `heap` must outlive the table. Errors: NO_MEMORY. */
MUST_USE enum status series_init(struct series_table *table, uint64_t seed, struct heap *heap);
void series_fini(struct series_table *table);

/* INDEX_NONE when unknown. */
uint32_t series_find(const struct series_table *table, struct hash128 identity);
/* The two halves of series_find for batches: the line of the index that a look-up begins with, and
 * a first guess whose line is worth fetching. */
void series_prefetch_index(const struct series_table *table, struct hash128 identity);
uint32_t series_guess(const struct series_table *table, struct hash128 identity);
static inline bool series_is(const struct series_table *table, uint32_t series,
                             struct hash128 identity)
{
    return table->lines[series].check == identity.high &&
           table->tags[series] == (uint32_t)identity.low;
}
/* Adds a series (it must be unknown). The definition is copied to the heap. Errors: NO_MEMORY,
 * CORRUPT (a definition that does not unpack), RANGE (SERIES_MAX), IO, NO_SPACE. */
MUST_USE enum status series_add(struct series_table *table, struct hash128 identity,
                                struct slice definition, uint32_t *ret, struct error *error);
/* Adds series from their definitions in the journal, at most SERIES_RESTORE_MAX; identities are
 * computed from them. Errors: as series_add; CORRUPT, too, when one is defined twice. */
#define SERIES_RESTORE_MAX 32
MUST_USE enum status series_restore(struct series_table *table, const struct slice *definitions,
                                    uint32_t count, struct error *error);
/* Room for so many in all, so that none has to be moved on the way. Errors: NO_MEMORY, RANGE. */
MUST_USE enum status series_reserve(struct series_table *table, uint32_t count);
/* Adds series as the checkpoint has them, by their tags (u32, unaligned); their lines and definition
 * offsets are stored by the caller. At most SERIES_CHUNK. Errors: NO_MEMORY, RANGE. */
MUST_USE enum status series_load(struct series_table *table, const char *tags, uint32_t count);
/* Forgets all bucket slots: after the buckets were cleared or the snapshot changed. */
void series_forget_slots(struct series_table *table);
/* The number of an interval, INDEX_NONE when it lies outside what lines can hold or memory is out. */
uint32_t series_interval_number(struct series_table *table, int64_t from, int64_t to);

/* Where the heap has it. */
static inline uint64_t series_definition_offset(const struct series_table *table, uint32_t series)
{
    return (uint64_t)table->definitions[series] * HEAP_STEP_BYTES;
}
/* Borrows until the next call that adds a series. Errors: CORRUPT, IO (the file of definitions). */
MUST_USE enum status series_definition(const struct series_table *table, uint32_t series,
                                       struct definition *ret, struct error *error);
MUST_USE enum status series_packed(const struct series_table *table, uint32_t series,
                                   struct slice *ret, struct error *error);

/* The number of a definition's meter. Errors: NO_MEMORY. */
MUST_USE enum status series_meter(struct series_table *table, const struct definition *definition,
                                  uint32_t *ret);
/* The number of a definition's resource; series of one resource share it. Errors: NO_MEMORY. */
/* The number of a resource by its key, as the checkpoint restores them in order. */
MUST_USE enum status series_resource_number(struct series_table *table, struct hash128 key,
                                            uint32_t *ret);
MUST_USE enum status series_resource(struct series_table *table,
                                     const struct definition *definition, uint32_t *ret);
struct hash128 series_resource_key(const struct series_table *table,
                                   const struct definition *definition);
/* Without adding: INDEX_NONE when there is none. */
uint32_t series_meter_find(const struct series_table *table, struct slice name);
uint32_t series_resource_find(const struct series_table *table, struct hash128 key);
struct slice series_meter_name(const struct series_table *table, uint32_t meter);
/* Base unit of a meter by number: "hour"; for a level meter "byte-hour", its quantity being level x seconds. */
const char *series_meter_base(uint32_t meter);
bool series_meter_is_level(uint32_t meter);
/* Bytes of memory in use, for the reports of what a series costs. */
uint64_t series_bytes(const struct series_table *table);

static inline bool series_level(const struct series *line)
{
    return line->run_step & SERIES_LEVEL;
}

#endif
