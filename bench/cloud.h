/* The canonical cloud for benchmarks of the ledger: its series as they come first, windows of them
 * in CloudStack's order, and a card with a thousand price rows. */
#ifndef RATEL_BENCH_CLOUD_H
#define RATEL_BENCH_CLOUD_H

#include "account/ledgers.h"
#include "workload.h"

#define CLOUD_DAYS     31
#define CLOUD_ACCOUNTS 10000

/* A series' first record: as its item, its packed definition, and its raw bytes. */
struct cloud_series {
    struct usage_item item; /* ref: its number */
    uint64_t payer_hash;
    bool varies; /* what it counts is another quantity each day: bytes, requests */
    struct slice definition;
    struct slice raw;
};

struct cloud {
    struct cloud_series *series; /* in the order in which they come */
    uint32_t count;
    struct arena arena;
};

/* `form`: of ratel-gen's --form. Owner: the program. */
void cloud_make(struct cloud *cloud, const char *form, const struct decoder_class *decoder,
                uint32_t series, uint64_t seed);
void cloud_free(struct cloud *cloud);
/* Its accounts and a card of so many versions within the month, with 500 rows each, compiled. */
struct snapshot *cloud_snapshot(const struct cloud *cloud, uint32_t versions);
/* Each series' record of a day, in order, for the shard; `day` 0 defines them. */
void cloud_apply(const struct cloud *cloud, struct ledger *ledger, uint32_t shard, uint32_t shards,
                 uint32_t day);

#endif
