/* Races that ThreadSanitizer must find although they lie behind files that are not instrumented:
 *
 *   ring    the producer still writes into a block that it has given away
 *   epoch   a reader still reads an object after it has left
 *
 * "ring-clean" and "epoch-clean" are the same without the mistake and must be silent. Run in the
 * preset "tsan". */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/epoch.h"
#include "base/ring.h"

enum { BLOCKS = 64, VALUES = 32 };

struct block {
    uint64_t values[VALUES];
};

/* ---- ring
 * ----------------------------------------------------------------------------------------------------------
 */

struct plan {
    struct ring *ring;
    struct epoch *epoch;
    bool racy;
    bool read; /* atomic, and relaxed, so that it orders nothing */
};

static void *produce(void *argument)
{
    static struct block blocks[BLOCKS];
    struct plan *plan = argument;
    for (uint64_t i = 0; i < BLOCKS; i++) {
        struct block *block = &blocks[i];
        block->values[i % VALUES] = i;
        while (!ring_push(plan->ring, block))
            sched_yield();
        if (plan->racy)
            block->values[i % VALUES]++;
    }
    return NULL;
}

static int through_ring(struct plan *plan)
{
    pthread_t producer;
    uint64_t total = 0;
    if (ring_new(8, &plan->ring) != STATUS_OK)
        return 2;
    if (pthread_create(&producer, NULL, produce, plan) != 0)
        return 2;
    for (uint64_t i = 0; i < BLOCKS; i++) {
        struct block *block;
        while (!(block = ring_pop(plan->ring)))
            sched_yield();
        total += block->values[i % VALUES];
    }
    pthread_join(producer, NULL);
    ring_free(plan->ring);
    printf("total %llu\n", (unsigned long long)total);
    return 0;
}

/* ---- epoch
 * ---------------------------------------------------------------------------------------------------------
 */

static void overwrite(void *object, void *context)
{
    (void)context;
    /* Not memset, which gcc may expand into instructions that nobody watches. */
    for (int i = 0; i < VALUES; i++)
        ((volatile struct block *)object)->values[i] = 0;
}

static void *read_one(void *argument)
{
    struct plan *plan = argument;
    struct epoch_reader *me = epoch_reader_at(plan->epoch, 0);
    volatile struct block *block = epoch_refresh(me);
    uint64_t value = block->values[1];
    if (!plan->racy)
        value += block->values[0];
    epoch_leave(me);
    if (plan->racy)
        value += block->values[0];
    __atomic_store_n(&plan->read, true, __ATOMIC_RELAXED);
    printf("value %llu\n", (unsigned long long)value);
    return NULL;
}

static int through_epoch(struct plan *plan)
{
    static struct block first, second;
    pthread_t reader;
    first.values[0] = second.values[0] = 1;
    if (epoch_new(1, &first, overwrite, NULL, &plan->epoch) != STATUS_OK)
        return 2;
    if (pthread_create(&reader, NULL, read_one, plan) != 0)
        return 2;
    while (!__atomic_load_n(&plan->read, __ATOMIC_RELAXED))
        sched_yield();
    if (epoch_publish(plan->epoch, &second) != STATUS_OK || epoch_reclaim(plan->epoch) != 0)
        return 2;
    pthread_join(reader, NULL);
    epoch_free(plan->epoch);
    return 0;
}

int main(int argc, char **argv)
{
    assert(argc == 2);
    struct plan plan = {.racy = !strstr(argv[1], "-clean")};
    return strncmp(argv[1], "ring", 4) == 0 ? through_ring(&plan) : through_epoch(&plan);
}
