/* What the parts of `ratel bench` share: the sizes that were asked for, the numbers that were
 * measured, the input and its truth, data directories, and one run of the pipeline.
 *
 * Nothing here is near money: numbers are statistics, and their type is double. What is counted is
 * checked in integers before any number is told (bench_truth.c). */
#ifndef RATEL_TOOLS_BENCH_H
#define RATEL_TOOLS_BENCH_H

#include <stdatomic.h>

#include "base/calendar.h"
#include "engine/ingest.h"
#include "pipeline/pipeline.h"
#include "ratel/session.h"

#define BENCH_SAMPLES_MAX 32
#define BENCH_NUMBERS_MAX 96
#define BENCH_PATH_BYTES  512

/* What can be left out with --skip. */
enum bench_phase {
    BENCH_BARE = 1 << 0,
    BENCH_JSON = 1 << 1,
    BENCH_MSGPACK = 1 << 2,
    BENCH_ONE_CORE = 1 << 3,
    BENCH_CHANGING = 1 << 4,
    BENCH_RERATE = 1 << 5,
    BENCH_LATENCY = 1 << 6,
    BENCH_PAGES = 1 << 7,
};

struct bench_options {
    uint64_t series, accounts, days, seed, rounds;
    uint64_t worst, flat; /* series of the worst case, events of the long run; 0: not asked for */
    uint32_t lanes, shards, cores;
    uint32_t commit_events, commit_interval_us;
    const char *intervals; /* "1,2,5": of more runs for latency, in ms; NULL: none */
    const char *keep;      /* NULL: a temporary directory */
    uint32_t phases;       /* enum bench_phase, those that are wanted */
};

/* ---- numbers (bench_number.c) ---------------------------------------------------------------- */

struct bench_number {
    char name[64];
    const char *unit;
    double samples[BENCH_SAMPLES_MAX];
    uint32_t count;
};

struct bench_numbers {
    struct bench_number items[BENCH_NUMBERS_MAX];
    uint32_t count;
};

/* Adds a sample; numbers are told in the order in which they first came. */
void bench_add(struct bench_numbers *numbers, const char *name, const char *unit, double value);
/* The median of its samples; false when there is none. */
bool bench_median(const struct bench_numbers *numbers, const char *name, double *ret);
/* Adds the ratios of medians that there are, then writes everything as the output option says. */
struct bench;
void bench_report(struct bench *bench);

/* ---- input (bench_input.c, bench_card.c) ------------------------------------------------------
 */

struct bench_truth; /* what the generator says about one input */

struct bench_input {
    char path[BENCH_PATH_BYTES];
    char truth_path[BENCH_PATH_BYTES];
    uint64_t bytes;
    uint64_t first_day; /* bytes of its first window, about */
    struct bench_truth *truth;
};

/* How an input is made. `name` names its files. */
struct bench_recipe {
    const char *name, *form, *order;
    const char *start; /* the first day; NULL: 2026-10-01 */
    uint64_t series, days;
    uint32_t duplicates; /* permille */
    bool changing;       /* the members of each record in an order of their own */
};

/* ratel-gen's output in the directory of inputs, unless it is there already. It is in the page
 * cache and on disk when this returns. Errors: UNAVAILABLE (no ratel-gen), IO, NO_SPACE. */
MUST_USE enum status bench_input_make(struct bench *bench, const struct bench_recipe *recipe,
                                      struct bench_input *ret, struct error *error);
/* Reads the input where it is no longer in the page cache. */
MUST_USE enum status bench_input_warm(const struct bench_input *input, struct error *error);
void bench_input_fini(struct bench_input *input);
/* The arguments of ratel-gen that make the recipe's cloud; `ret` has room for 32 and is ended by
 * NULL. Texts: the arena's. */
void bench_generator_arguments(struct bench *bench, const struct bench_recipe *recipe,
                               const char **ret);
/* Starts a program with its standard output going to `output` (-1: nowhere).
 * Errors: UNAVAILABLE. */
MUST_USE enum status bench_spawn(const char *const *arguments, int output, int *ret_pid,
                                 struct error *error);
/* Waits for it. Errors: UNAVAILABLE: it ended with another code than 0. */
MUST_USE enum status bench_wait(int pid, const char *name, struct error *error);
/* A card of 1,000 price rows in two versions, with tiers, over the zones and offerings of the
 * cloud; another revision has other prices. Errors: as bench_spawn, IO. */
MUST_USE enum status bench_card_make(struct bench *bench, uint32_t revision, const char *path,
                                     struct error *error);

/* ---- truth (bench_truth.c) --------------------------------------------------------------------
 */

MUST_USE enum status bench_truth_read(const char *path, struct bench_truth **ret,
                                      struct error *error);
void bench_truth_free(struct bench_truth *truth);
/* Adds another input's quantities, whose counts are told apart: both are in the same ledgers.
 * Errors: NO_MEMORY; INVALID: they are of different clouds. */
MUST_USE enum status bench_truth_add(struct bench_truth *truth, const struct bench_truth *other,
                                     struct error *error);
uint64_t bench_truth_records(const struct bench_truth *truth);
uint64_t bench_truth_series(const struct bench_truth *truth);
/* Counts of one ingest, and every account's quantity of every meter over all months, to the last
 * digit; *ret_digest is of all quantities and amounts. Errors: INVALID, which says what differs. */
MUST_USE enum status bench_truth_check(const struct bench_truth *truth,
                                       const struct session *session,
                                       const struct ingest_counts *counts, uint64_t *ret_digest,
                                       struct error *error);

/* ---- data directories (bench_place.c) ---------------------------------------------------------
 */

struct bench_place {
    struct context context;
    struct session session;
    struct quarantine *quarantine;
    bool open;
    char path[BENCH_PATH_BYTES];
};

/* A new data directory with accounts and the card of a revision; what was there before is removed.
 * Errors: those of `ratel init` and `ratel load`. */
MUST_USE enum status bench_place_make(struct bench *bench, const char *name, uint32_t shards,
                                      uint32_t revision, struct bench_place *ret,
                                      struct error *error);
MUST_USE enum status bench_place_open(struct bench *bench, struct bench_place *place,
                                      enum ledger_mode mode, struct error *error);
void bench_place_close(struct bench_place *place);
void bench_remove(const char *path);
/* Bytes of the files in all journals. */
uint64_t bench_journal_bytes(const struct bench_place *place);
/* Bytes of memory that the ledgers take, by their own account. */
uint64_t bench_ledger_bytes(const struct ledgers *ledgers);

/* ---- one run of the pipeline (bench_run.c) ----------------------------------------------------
 */

struct bench_pace {
    double bytes_per_second; /* 0: as fast as it goes */
    uint64_t slow_bytes; /* the first bytes, in which series are new, come at a third of that and
                            are in no latency */
};

struct bench_calls {
    bool known;
    double allocations, lmdb, system_calls, locks; /* per million records */
};

struct bench_latencies {
    int64_t *durable;   /* nanoseconds from read to durable, a window each, sorted */
    int64_t *scheduled; /* the same from when the window should have been read */
    uint64_t count;
    uint64_t capacity;
};

struct bench_result {
    double seconds; /* from the first read to the last acknowledgement */
    double seconds_to_checkpoint;
    double seconds_after_first_day; /* from when about a day's records were acknowledged */
    uint64_t bytes_after_first_day;
    double cpu_seconds;  /* of all threads, to the checkpoint */
    double known_cpu_ns; /* a record, once the series are known; 0: not measured */
    double new_cpu_ns;   /* what a new series costs more than that */
    double switches;     /* of threads, per million records */
    struct bench_calls calls;
    struct ingest_counts counts;
};

struct bench_run {
    struct bench *bench;
    struct bench_place *place;
    const struct bench_input *input;
    const char *path; /* what is read, mostly input->path */
    uint32_t lanes;
    uint32_t commit_interval_us;
    struct bench_pace pace;
    struct bench_latencies *latencies; /* NULL: not wanted */
    void (*acknowledged)(void *context, const struct pipeline_progress *progress); /* or NULL */
    void *acknowledged_context;
    struct bench_result result;
};

/* Errors: the pipeline's. */
MUST_USE enum status bench_run(struct bench_run *run, struct error *error);

/* ---- what is measured (bench_measure.c, bench_long.c) -----------------------------------------
 */

struct bench {
    struct context *context;
    struct bench_options options;
    struct bench_numbers numbers;
    char tools[BENCH_PATH_BYTES];     /* where ratel-gen is */
    char directory[BENCH_PATH_BYTES]; /* of inputs and data directories */
    struct bench_input json, msgpack, changing, pages;
    uint64_t digest; /* of the spend, the same in every run of the canonical input; 0: none yet */
    uint64_t checks; /* that passed */
};

/* All rounds. Errors: INVALID when a check fails; all others. */
MUST_USE enum status bench_measure(struct bench *bench, struct error *error);
/* --worst and --flat. */
MUST_USE enum status bench_measure_worst(struct bench *bench, struct error *error);
MUST_USE enum status bench_measure_flat(struct bench *bench, struct error *error);
/* A run in a new data directory, checked; the numbers' names begin with `prefix`. `place` is open
 * when this returns. */
MUST_USE enum status bench_fresh_run(struct bench *bench, struct bench_run *run, uint32_t shards,
                                     struct bench_place *place, struct error *error);
/* Derives everything again from the journals on one core, timed, and compares. */
MUST_USE enum status bench_recover(struct bench *bench, struct bench_place *place, const char *name,
                                   struct error *error);
/* Closes and opens again, timed. */
MUST_USE enum status bench_start(struct bench *bench, struct bench_place *place, const char *name,
                                 struct error *error);
void bench_say(const struct bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
double bench_seconds(int64_t begin, int64_t end); /* of two instants of park_now */
/* Threads that are started from here on stay on one processor; or on all again. */
void bench_one_core(bool one);
/* RssAnon of this process. */
uint64_t bench_memory(void);

#endif
