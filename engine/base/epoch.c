#include "base/epoch.h"

#include <assert.h>
#include <ck_epoch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/tsan.h"

#define CACHE_LINE 64

struct epoch_reader {
    _Alignas(CACHE_LINE) ck_epoch_record_t record;
    struct epoch *epoch;
    bool inside;
};

/* An object with what ck_epoch needs to put it off. Made before the object becomes the current one,
 * so that replacing it cannot fail. */
struct holder {
    ck_epoch_entry_t entry;
    struct epoch *epoch;
    void *object;
};

struct epoch {
    ck_epoch_t global;
    epoch_release *release;
    void *context;
    uint32_t reader_count;
    uint32_t held; /* replaced and not yet released */
    /* Read by everybody at every block, written once in a while. */
    _Alignas(CACHE_LINE) struct holder *current;
    struct epoch_reader publisher;
    struct epoch_reader readers[];
};

_Static_assert(offsetof(struct holder, entry) == 0, "ck_epoch hands the entry over");

static struct holder *holder_new(struct epoch *epoch, void *object)
{
    struct holder *holder = malloc(sizeof(*holder));
    if (holder)
        *holder = (struct holder){.epoch = epoch, .object = object};
    return holder;
}

enum status epoch_new(uint32_t readers, void *object, epoch_release *release, void *context,
                      struct epoch **ret_epoch)
{
    assert(readers <= EPOCH_READERS_MAX && release);
    struct epoch *epoch =
        aligned_alloc(CACHE_LINE, sizeof(*epoch) + readers * sizeof(struct epoch_reader));
    if (!epoch)
        return STATUS_NO_MEMORY;
    epoch->release = release;
    epoch->context = context;
    epoch->reader_count = readers;
    epoch->held = 0;
    epoch->current = holder_new(epoch, object);
    if (!epoch->current) {
        free(epoch);
        return STATUS_NO_MEMORY;
    }
    ck_epoch_init(&epoch->global);
    ck_epoch_register(&epoch->global, &epoch->publisher.record, NULL);
    for (uint32_t i = 0; i < readers; i++) {
        ck_epoch_register(&epoch->global, &epoch->readers[i].record, NULL);
        epoch->readers[i].epoch = epoch;
        epoch->readers[i].inside = false;
    }
    *ret_epoch = epoch;
    return STATUS_OK;
}

static void holder_release(struct holder *holder)
{
    struct epoch *epoch = holder->epoch;
    /* Every reader has left, or asked again, since the object was replaced. */
    for (uint32_t i = 0; i < epoch->reader_count; i++)
        tsan_acquire(&epoch->readers[i]);
    epoch->release(holder->object, epoch->context);
    free(holder);
}

static void holder_passed(ck_epoch_entry_t *entry)
{
    struct holder *holder = (void *)entry; /* its first member */
    assert(holder->epoch->held > 0);
    holder->epoch->held--;
    holder_release(holder);
}

void epoch_free(struct epoch *epoch)
{
    if (!epoch)
        return;
    for (uint32_t i = 0; i < epoch->reader_count; i++)
        assert(!epoch->readers[i].inside);
    /* Waits for readers; there are none. */
    ck_epoch_barrier(&epoch->publisher.record);
    assert(epoch->held == 0);
    holder_release(epoch->current);
    free(epoch);
}

struct epoch_reader *epoch_reader_at(struct epoch *epoch, uint32_t index)
{
    assert(index < epoch->reader_count);
    return &epoch->readers[index];
}

void *epoch_refresh(struct epoch_reader *reader)
{
    epoch_leave(reader);
    ck_epoch_begin(&reader->record, NULL);
    reader->inside = true;
    struct holder *holder = __atomic_load_n(&reader->epoch->current, __ATOMIC_ACQUIRE);
    tsan_acquire(holder);
    return holder->object;
}

void epoch_leave(struct epoch_reader *reader)
{
    if (!reader->inside)
        return;
    reader->inside = false;
    tsan_release(reader);
    ck_epoch_end(&reader->record, NULL);
}

enum status epoch_publish(struct epoch *epoch, void *object)
{
    struct holder *fresh = holder_new(epoch, object);
    if (!fresh)
        return STATUS_NO_MEMORY;
    struct holder *replaced = epoch->current; /* only the publisher writes it */
    tsan_release(fresh);
    __atomic_store_n(&epoch->current, fresh, __ATOMIC_RELEASE);
    epoch->held++;
    ck_epoch_call(&epoch->publisher.record, &replaced->entry, holder_passed);
    (void)epoch_reclaim(epoch);
    return STATUS_OK;
}

uint32_t epoch_reclaim(struct epoch *epoch)
{
    /* One poll moves the epoch on by one, and an object waits for two moves; polling again costs
     * nothing to speak of and often lets it go at once. */
    for (int i = 0; i < 3 && epoch->held > 0; i++)
        (void)ck_epoch_poll(&epoch->publisher.record);
    return epoch->held;
}
