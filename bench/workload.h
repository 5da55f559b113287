/* What the benchmarks have in common: the same invented usage in each form, the documents that
 * price it, and a place for data directories.
 *
 * The usage is ratel-gen's with a fixed seed, so two builds measure the same bytes. A failure here
 * ends the program: there is nothing to be measured then. */
#ifndef RATEL_BENCH_WORKLOAD_H
#define RATEL_BENCH_WORKLOAD_H

#include "adapters/adapter.h"
#include "base/hash.h"
#include "engine/ingest.h"
#include "rate/snapshot.h"
#include "store/datadir.h"

#define BENCH_WINDOWS 10 /* each series has one record in each */

/* Records asked for: RATEL_BENCH_RECORDS, by default 100,000; a multiple of BENCH_WINDOWS. */
uint64_t bench_records(void);

/* ratel-gen's output with a stable cloud of bench_records() records, `form` as its --form, followed
 * by DECODER_PADDING zero bytes. Owner: the program, never freed. */
struct slice bench_usage(const char *form);
/* The accounts of that cloud as a document. */
struct slice bench_accounts(void);

/* All records of `usage`, decoded. Blocks borrow from the decoder's memory no more: texts were
 * copied. Owner: the program. */
struct bench_blocks {
    struct record_block **blocks;
    uint32_t count;
    uint64_t records;
};
struct bench_blocks bench_decode(const struct decoder_class *form, struct slice usage);

/* A usage as `normalise` gave it, with its definition copied. In the order of the records. Owner:
 * the program. */
struct usage *bench_usages(const struct bench_blocks *blocks, uint64_t seed, uint64_t *ret_count);

/* Compiles documents. Owner: caller, snapshot_free. */
struct snapshot *bench_snapshot(const struct slice *documents, uint32_t count);
/* A card that prices every meter of the workload once, and its catalogue "public". */
struct slice bench_card(void);

/* A new data directory below $TMPDIR or /tmp, opened for writing; removed by bench_datadir_remove.
 */
void bench_datadir(struct datadir *ret);
void bench_datadir_shards(struct datadir *ret, uint32_t shards);
void bench_datadir_remove(struct datadir *datadir);

/* Prints and exits with 1 when `sound` is false. */
void bench_check(bool sound, const char *what);
/* The same for a status, with its text. */
void bench_ok(enum status status, const struct error *error, const char *what);

#endif
