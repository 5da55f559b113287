/* No reader ever sees an object that was given back: releasing poisons it, and the poison is looked
 * for. RATEL_LONG=1 takes thirty times as long. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "base/epoch.h"
#include "engine/base/seeded.h"

#define POISON 0xddddddddddddddddu

enum { WORDS = 16, POOL = 64, READERS = 3 };

/* Plain memory, all words equal to the version: written before it is published and after it is
 * released, never in between. */
struct object {
    uint64_t words[WORDS];
    bool out; /* published and not yet released; the publisher's */
};

static struct object pool[POOL];
static uint32_t released; /* the publisher's */

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "epoch_test: %s\n", what);
    abort();
}

static void release(void *object, void *context)
{
    struct object *gone = object;
    assert_ptr_equal(context, pool);
    if (!gone)
        return;
    must(gone->out, "released twice");
    gone->out = false;
    for (int i = 0; i < WORDS; i++)
        gone->words[i] = POISON;
    released++;
}

static struct object *fill(struct object *object, uint64_t version)
{
    object->out = true;
    for (int i = 0; i < WORDS; i++)
        object->words[i] = version;
    return object;
}

static struct epoch *new_epoch(uint32_t readers, void *first)
{
    struct epoch *epoch = NULL;
    assert_int_equal(epoch_new(readers, first, release, pool, &epoch), STATUS_OK);
    return epoch;
}

static int clear_pool(void **state)
{
    (void)state;
    memset(pool, 0, sizeof(pool));
    released = 0;
    return 0;
}

/* ---- one thread plays all
 * -------------------------------------------------------------------------------------- */

static void test_epoch__an_object_stays_until_its_readers_ask_again(void **state)
{
    (void)state;
    struct epoch *epoch = new_epoch(2, fill(&pool[0], 1));
    struct epoch_reader *early = epoch_reader_at(epoch, 0), *late = epoch_reader_at(epoch, 1);
    assert_ptr_equal(epoch_refresh(early), &pool[0]);
    assert_int_equal(epoch_publish(epoch, fill(&pool[1], 2)), STATUS_OK);
    assert_ptr_equal(epoch_refresh(late), &pool[1]);
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(epoch_refresh(late), &pool[1]);
        assert_int_equal(epoch_reclaim(epoch), 1);
        assert_int_equal(pool[0].words[0], 1);
    }
    assert_ptr_equal(epoch_refresh(early), &pool[1]);
    assert_int_equal(epoch_reclaim(epoch), 0);
    assert_int_equal(released, 1);
    assert_int_equal(pool[0].words[0], POISON);
    epoch_leave(early);
    epoch_leave(late);
    epoch_free(epoch);
    assert_int_equal(released, 2);
}

static void test_epoch__who_has_left_holds_nothing(void **state)
{
    (void)state;
    struct epoch *epoch = new_epoch(2, fill(&pool[0], 1));
    (void)epoch_refresh(epoch_reader_at(epoch, 0));
    epoch_leave(epoch_reader_at(epoch, 0));
    epoch_leave(epoch_reader_at(epoch, 0)); /* again is no mistake */
    for (uint32_t i = 1; i < POOL; i++) {
        assert_int_equal(epoch_publish(epoch, fill(&pool[i], i + 1)), STATUS_OK);
        assert_int_equal(released, i);
    }
    epoch_free(epoch);
    assert_int_equal(released, POOL);
}

static void test_epoch__one_that_sleeps_inside_holds_all_that_follow(void **state)
{
    (void)state;
    struct epoch *epoch = new_epoch(1, fill(&pool[0], 1));
    struct object *mine = epoch_refresh(epoch_reader_at(epoch, 0));
    for (uint32_t i = 1; i < POOL; i++)
        assert_int_equal(epoch_publish(epoch, fill(&pool[i], i + 1)), STATUS_OK);
    assert_int_equal(mine->words[WORDS - 1], 1);
    assert_int_equal(released, 0);
    int blocks = 0;
    do {
        assert_ptr_equal(epoch_refresh(epoch_reader_at(epoch, 0)), &pool[POOL - 1]);
        assert_true(++blocks <= 4);
    } while (epoch_reclaim(epoch) > 0);
    assert_int_equal(released, POOL - 1);
    epoch_leave(epoch_reader_at(epoch, 0));
    epoch_free(epoch);
}

static void test_epoch__nothing_is_an_object_too(void **state)
{
    (void)state;
    struct epoch *epoch = new_epoch(1, NULL);
    assert_null(epoch_refresh(epoch_reader_at(epoch, 0)));
    assert_int_equal(epoch_publish(epoch, fill(&pool[0], 1)), STATUS_OK);
    assert_ptr_equal(epoch_refresh(epoch_reader_at(epoch, 0)), &pool[0]);
    assert_int_equal(epoch_publish(epoch, NULL), STATUS_OK);
    assert_null(epoch_refresh(epoch_reader_at(epoch, 0)));
    epoch_leave(epoch_reader_at(epoch, 0));
    epoch_free(epoch);
    assert_int_equal(released, 1);
    epoch_free(NULL);
}

/* ---- storms
 * --------------------------------------------------------------------------------------------------------
 */

struct storm {
    struct epoch *epoch;
    uint32_t index;
    uint64_t last;    /* the version that ends it */
    uint64_t changes; /* versions that this reader met */
};

static void *read_on(void *argument)
{
    struct storm *storm = argument;
    struct epoch_reader *me = epoch_reader_at(storm->epoch, storm->index);
    struct seeded seeded = {storm->index, storm->index};
    uint64_t seen = 0;
    while (seen != storm->last) {
        const struct object *object = epoch_refresh(me);
        uint64_t version = object->words[0];
        must(version >= seen, "an older object came after a newer one");
        storm->changes += version != seen;
        seen = version;
        /* A block's worth of looking, sometimes with another thread's turn in the middle. */
        uint64_t looks = seeded_below(&seeded, 8);
        for (uint64_t n = 0; n <= looks; n++) {
            for (int i = 0; i < WORDS; i++)
                must(object->words[i] == version, "an object was given back while it was read");
            if (seeded_below(&seeded, 8) == 0)
                sched_yield();
        }
        if (seeded_below(&seeded, 4) == 0)
            epoch_leave(me);
    }
    epoch_leave(me);
    return NULL;
}

static struct object *find_room(struct epoch *epoch)
{
    for (;;) {
        for (int i = 0; i < POOL; i++)
            if (!pool[i].out)
                return &pool[i];
        if (epoch_reclaim(epoch) >= POOL - 1)
            sched_yield();
    }
}

static void test_epoch__storms_of_publishing_and_reading(void **state)
{
    (void)state;
    uint64_t last = getenv("RATEL_LONG") ? 10000000 : 200000;
    struct epoch *epoch = new_epoch(READERS, fill(&pool[0], 1));
    struct storm storms[READERS];
    pthread_t threads[READERS];
    for (uint32_t i = 0; i < READERS; i++) {
        storms[i] = (struct storm){epoch, i, last, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &storms[i]), 0);
    }
    struct seeded seeded = seeded_init();
    for (uint64_t version = 2; version <= last; version++) {
        assert_int_equal(epoch_publish(epoch, fill(find_room(epoch), version)), STATUS_OK);
        if (seeded_below(&seeded, 64) == 0)
            sched_yield();
    }
    for (uint32_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(storms[i].changes > 1);
    }
    assert_int_equal(epoch_reclaim(epoch), 0);
    assert_int_equal(released, last - 1);
    epoch_free(epoch);
    assert_int_equal(released, last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_epoch__an_object_stays_until_its_readers_ask_again, clear_pool),
        cmocka_unit_test_setup(test_epoch__who_has_left_holds_nothing, clear_pool),
        cmocka_unit_test_setup(test_epoch__one_that_sleeps_inside_holds_all_that_follow,
                               clear_pool),
        cmocka_unit_test_setup(test_epoch__nothing_is_an_object_too, clear_pool),
        cmocka_unit_test_setup(test_epoch__storms_of_publishing_and_reading, clear_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
