/* A lost wake-up shows as a test that hangs: a watchdog ends it after a minute without a round.
 * RATEL_LONG=1 plays thirty times as long. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/park.h"
#include "base/ring.h"
#include "engine/base/seeded.h"

#define MILLISECOND ((int64_t)1000000)

static uint64_t rounds(uint64_t normal)
{
    return getenv("RATEL_LONG") ? normal * 30 : normal;
}

static void hangs(int number)
{
    (void)number;
    static const char text[] = "park_test: a thread sleeps and nobody wakes it\n";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(1);
}

static int start_watchdog(void **state)
{
    (void)state;
    signal(SIGALRM, hangs);
    alarm(getenv("RATEL_LONG") ? 600 : 60);
    return 0;
}

static int stop_watchdog(void **state)
{
    (void)state;
    alarm(0);
    return 0;
}

/* ---- two threads over rings of one
 * --------------------------------------------------------------------------------- */

struct end {
    struct ring *in, *out;
    struct parker *mine, *theirs;
    uint64_t rounds;
    bool explicitly; /* announce, look, sleep by hand, as lanes do that wait for one of many */
};

static bool has_something(void *context)
{
    return !ring_is_empty(((struct end *)context)->in);
}

static bool has_room(void *context)
{
    return !ring_is_full(((struct end *)context)->out);
}

static void *take(struct end *end)
{
    void *item = ring_pop(end->in);
    while (!item) {
        if (!end->explicitly) {
            park_until(end->mine, has_something, end, PARK_FOREVER);
            item = ring_pop(end->in);
            continue;
        }
        park_announce(end->mine);
        if ((item = ring_pop(end->in)) != NULL)
            park_cancel(end->mine);
        else
            park_sleep(end->mine, PARK_FOREVER);
    }
    park_wake(end->theirs); /* there is room again */
    return item;
}

static void give(struct end *end, void *item)
{
    while (!ring_push(end->out, item))
        park_until(end->mine, has_room, end, PARK_FOREVER);
    park_wake(end->theirs);
}

static void *echo(void *argument)
{
    struct end *end = argument;
    for (uint64_t i = 0; i < end->rounds; i++) {
        uint64_t *value = take(end);
        ++*value;
        give(end, value);
    }
    return NULL;
}

static void play(uint32_t slots, uint32_t balls, uint32_t spins, bool explicitly, uint64_t turns)
{
    struct ring *there, *back;
    struct parker parkers[2];
    uint64_t values[8] = {0};
    assert_int_equal(ring_new(slots, &there), STATUS_OK);
    assert_int_equal(ring_new(slots, &back), STATUS_OK);
    park_init(&parkers[0], spins);
    park_init(&parkers[1], spins);
    struct end near = {back, there, &parkers[0], &parkers[1], turns * balls, explicitly};
    struct end far = {there, back, &parkers[1], &parkers[0], turns * balls, explicitly};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo, &far), 0);
    for (uint32_t i = 0; i < balls; i++)
        give(&near, &values[i]);
    for (uint64_t i = balls; i < turns * balls; i++) {
        uint64_t *value = take(&near);
        assert_ptr_equal(value, &values[i % balls]);
        assert_int_equal(*value, i / balls);
        give(&near, value);
    }
    for (uint32_t i = 0; i < balls; i++)
        assert_int_equal(*(uint64_t *)take(&near), turns);
    pthread_join(thread, NULL);
    assert_true(park_calls(&parkers[0]) + park_calls(&parkers[1]) > 0 || spins > 0);
    ring_free(there);
    ring_free(back);
}

static void test_park__ping_pong_never_hangs(void **state)
{
    (void)state;
    play(2, 1, 0, false, rounds(20000));
    play(2, 1, 0, true, rounds(20000));
    play(2, 1, 3, false, rounds(20000));
    play(2, 1, PARK_SPINS, true, rounds(20000));
}

static void test_park__full_rings_never_hang(void **state)
{
    (void)state;
    /* With two balls one is in each ring or both are in one and the giver waits for room. */
    play(2, 2, 0, false, rounds(10000));
    play(2, 2, 1, true, rounds(10000));
    play(4, 5, 0, false, rounds(5000));
}

/* ---- both at the same moment
 * --------------------------------------------------------------------------------------- */

struct collision {
    struct ring *ring;
    struct parker *waiter;
    uint64_t total;
    uint64_t taken; /* atomic */
};

static void *take_and_announce(void *argument)
{
    struct collision *collision = argument;
    for (uint64_t i = 0; i < collision->total; i++) {
        while (!ring_pop(collision->ring)) {
            park_announce(collision->waiter);
            if (!ring_is_empty(collision->ring))
                park_cancel(collision->waiter);
            else
                park_sleep(collision->waiter, PARK_FOREVER);
        }
        __atomic_store_n(&collision->taken, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* The waker does not sleep but gives the next item the moment that it sees the last one taken, or a
 * few nanoseconds later: while the waiter announces itself. That is where a wake-up would get lost.
 * Without the fences of park.h, RATEL_LONG=1 hangs in most runs on two cores. */
static void test_park__announcing_and_giving_at_once(void **state)
{
    (void)state;
    struct parker waiter;
    park_init(&waiter, 0);
    struct collision collision = {.waiter = &waiter, .total = rounds(200000)};
    struct seeded seeded = seeded_init();
    pthread_t thread;
    assert_int_equal(ring_new(2, &collision.ring), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, take_and_announce, &collision), 0);
    for (uint64_t i = 0; i < collision.total; i++) {
        for (volatile uint64_t delay = seeded_below(&seeded, 32); delay; delay--)
            continue;
        assert_true(ring_push(collision.ring, &collision));
        park_wake(&waiter);
        for (uint64_t spin = 0; __atomic_load_n(&collision.taken, __ATOMIC_ACQUIRE) <= i; spin++)
            if (spin % 1024 == 1023)
                sched_yield();
    }
    pthread_join(thread, NULL);
    ring_free(collision.ring);
}

/* ---- one waiter, many wakers
 * --------------------------------------------------------------------------------------- */

enum { FEEDERS = 3 };

struct feeder {
    struct ring *ring;
    struct parker *waiter;
    uint64_t total;
    uint64_t seed;
};

static void *feed(void *argument)
{
    struct feeder *feeder = argument;
    struct seeded seeded = {feeder->seed, feeder->seed};
    for (uint64_t i = 0; i < feeder->total; i++) {
        while (!ring_push(feeder->ring, feeder))
            sched_yield();
        park_wake(feeder->waiter);
        if (seeded_below(&seeded, 16) == 0)
            sched_yield();
    }
    return NULL;
}

static bool any_fed(void *context)
{
    struct feeder *feeders = context;
    for (int i = 0; i < FEEDERS; i++)
        if (!ring_is_empty(feeders[i].ring))
            return true;
    return false;
}

static void test_park__one_waits_for_any_of_many(void **state)
{
    (void)state;
    struct feeder feeders[FEEDERS];
    pthread_t threads[FEEDERS];
    struct parker waiter;
    park_init(&waiter, 0);
    uint64_t each = rounds(20000), got = 0;
    for (int i = 0; i < FEEDERS; i++) {
        feeders[i] = (struct feeder){NULL, &waiter, each, (uint64_t)i + 1};
        assert_int_equal(ring_new(8, &feeders[i].ring), STATUS_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, feed, &feeders[i]), 0);
    }
    while (got < each * FEEDERS) {
        assert_true(park_until(&waiter, any_fed, feeders, PARK_FOREVER));
        for (int i = 0; i < FEEDERS; i++)
            while (ring_pop(feeders[i].ring))
                got++;
    }
    for (int i = 0; i < FEEDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(ring_is_empty(feeders[i].ring));
        ring_free(feeders[i].ring);
    }
}

/* ---- time and cost
 * -------------------------------------------------------------------------------------------------
 */

static bool never(void *context)
{
    ++*(uint64_t *)context;
    return false;
}

static void test_park_until__gives_up_at_the_deadline(void **state)
{
    (void)state;
    struct parker parker;
    uint64_t looks = 0;
    park_init(&parker, 5);
    int64_t before = park_now();
    assert_false(park_until(&parker, never, &looks, before + 20 * MILLISECOND));
    assert_true(park_now() - before >= 20 * MILLISECOND);
    assert_int_equal(parker.state, PARK_AWAKE);
    /* Five spins, after the announcement, at the end: it slept in between. */
    assert_int_equal(looks, 7);
    assert_int_equal(park_calls(&parker), 1);
    /* A deadline that has passed is no error. */
    assert_false(park_until(&parker, never, &looks, before));
    assert_int_equal(parker.state, PARK_AWAKE);
}

static void test_park_sleep__a_wake_after_the_announcement_is_kept(void **state)
{
    (void)state;
    struct parker parker;
    park_init(&parker, 0);
    park_announce(&parker);
    park_wake(&parker);
    assert_true(park_sleep(&parker, PARK_FOREVER));
    assert_int_equal(parker.sleeps, 0);
    assert_int_equal(parker.wakes, 1);
}

static void test_park_wake__costs_no_call_while_nobody_sleeps(void **state)
{
    (void)state;
    struct parker parker;
    park_init(&parker, 0);
    for (int i = 0; i < 1000; i++)
        park_wake(&parker);
    assert_int_equal(park_calls(&parker), 0);
    park_announce(&parker);
    park_wake(&parker);
    for (int i = 0; i < 1000; i++)
        park_wake(&parker);
    assert_int_equal(park_calls(&parker), 1);
}

static void *wake_later(void *argument)
{
    usleep(20000);
    park_wake(argument);
    return NULL;
}

static void test_park_sleep__a_waker_comes_before_the_deadline(void **state)
{
    (void)state;
    struct parker parker;
    pthread_t thread;
    park_init(&parker, 0);
    park_announce(&parker);
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &parker), 0);
    assert_true(park_sleep(&parker, park_now() + 50000 * MILLISECOND));
    pthread_join(thread, NULL);
    assert_int_equal(parker.wakes, 1);
}

/* ---- waiting for some changes
 * -------------------------------------------------------------------------------------- */

#define WAKERS 4

/* Each waker has a bit. It counts up to what it is asked for, and says so each time. */
struct counters {
    struct parker waiter;
    uint64_t asked[WAKERS], counted[WAKERS];
    bool over;
    uint32_t awaited;
};

struct counter {
    struct counters *all;
    uint32_t index;
};

static bool is_counted(void *context)
{
    struct counters *all = context;
    return __atomic_load_n(&all->counted[all->awaited], __ATOMIC_ACQUIRE) ==
           all->asked[all->awaited];
}

static void *count_up(void *argument)
{
    const struct counter *counter = argument;
    struct counters *all = counter->all;
    uint64_t *counted = &all->counted[counter->index];
    while (!__atomic_load_n(&all->over, __ATOMIC_ACQUIRE)) {
        if (*counted == __atomic_load_n(&all->asked[counter->index], __ATOMIC_ACQUIRE)) {
            sched_yield();
            continue;
        }
        __atomic_store_n(counted, *counted + 1, __ATOMIC_RELEASE);
        park_wake_for(&all->waiter, 1u << counter->index);
    }
    return NULL;
}

static void test_park_until_for__is_woken_by_whom_it_waits_for(void **state)
{
    (void)state;
    struct counters all = {0};
    struct counter counters[WAKERS];
    pthread_t threads[WAKERS];
    struct seeded seeded = seeded_init();
    park_init(&all.waiter, 0);
    for (uint32_t i = 0; i < WAKERS; i++) {
        counters[i] = (struct counter){&all, i};
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counters[i]), 0);
    }
    for (uint64_t i = 0; i < rounds(20000); i++) {
        for (uint32_t k = 0; k < WAKERS; k++) /* the others are noise */
            __atomic_store_n(&all.asked[k], all.asked[k] + seeded_below(&seeded, 3),
                             __ATOMIC_RELEASE);
        all.awaited = (uint32_t)seeded_below(&seeded, WAKERS);
        assert_true(park_until_for(&all.waiter, 1u << all.awaited, is_counted, &all, PARK_FOREVER));
    }
    __atomic_store_n(&all.over, true, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < WAKERS; i++)
        pthread_join(threads[i], NULL);
}

struct sleeper {
    struct parker parker;
    bool may_go;
};

static bool may_go(void *context)
{
    return __atomic_load_n(&((struct sleeper *)context)->may_go, __ATOMIC_ACQUIRE);
}

static void *sleep_for_four(void *argument)
{
    struct sleeper *sleeper = argument;
    (void)park_until_for(&sleeper->parker, 4, may_go, sleeper, PARK_FOREVER);
    return NULL;
}

static void test_park_wake_for__lets_others_sleep(void **state)
{
    (void)state;
    struct sleeper sleeper = {.may_go = false};
    pthread_t thread;
    park_init(&sleeper.parker, 0);
    assert_false(park_wake_for(&sleeper.parker, 4)); /* it is awake */
    assert_int_equal(pthread_create(&thread, NULL, sleep_for_four, &sleeper), 0);
    while (__atomic_load_n(&sleeper.parker.state, __ATOMIC_ACQUIRE) == PARK_AWAKE)
        sched_yield();
    __atomic_store_n(&sleeper.may_go, true, __ATOMIC_RELEASE);
    assert_false(park_wake_for(&sleeper.parker, 1 | 2 | 8));
    assert_int_equal(sleeper.parker.wakes, 0);
    assert_true(park_wake_for(&sleeper.parker, 1 | 4));
    assert_int_equal(sleeper.parker.wakes, 1);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_park__ping_pong_never_hangs),
        cmocka_unit_test(test_park__full_rings_never_hang),
        cmocka_unit_test(test_park__announcing_and_giving_at_once),
        cmocka_unit_test(test_park__one_waits_for_any_of_many),
        cmocka_unit_test(test_park_until__gives_up_at_the_deadline),
        cmocka_unit_test(test_park_sleep__a_wake_after_the_announcement_is_kept),
        cmocka_unit_test(test_park_wake__costs_no_call_while_nobody_sleeps),
        cmocka_unit_test(test_park_sleep__a_waker_comes_before_the_deadline),
        cmocka_unit_test(test_park_until_for__is_woken_by_whom_it_waits_for),
        cmocka_unit_test(test_park_wake_for__lets_others_sleep),
    };
    return cmocka_run_group_tests(tests, start_watchdog, stop_watchdog);
}
