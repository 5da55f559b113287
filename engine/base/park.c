/* No wake-up is lost. Let the waiter do, in this order,
 *
 *     A: state = ANNOUNCED     F: fence     B: look at the condition, sleep if it does not hold
 *
 * and the waker
 *
 *     C: make the condition hold     G: fence     D: read state, wake if it is ANNOUNCED
 *
 * F and G are sequentially consistent fences, so one comes before the other. If F comes before G,
 * D reads what A wrote or something later: ANNOUNCED, and the waker wakes; or AWAKE, because the
 * waiter has cancelled, or timed out, or another waker has taken the announcement, and in each of
 * these cases the waiter looks at the condition again before it sleeps again. If G comes before F,
 * B sees C and the waiter does not sleep (Dekker's argument; without the fences both could read old
 * values, on x86-64 too, for a store may wait in its buffer while a later load is done).
 *
 * Between B and the sleep: a waker sets AWAKE before its system call, and the kernel compares state
 * with ANNOUNCED and queues the thread in one step as wakers see it. So either the comparison fails
 * and the call returns, or the thread is in the queue when the waker comes to it.
 *
 * tests/model/park.pml checks the same in all interleavings. */
#include "base/park.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS 1000000000

_Static_assert(sizeof(struct parker) == 64, "one cache line");

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void park_init(struct parker *parker, uint32_t spins)
{
    *parker = (struct parker){.state = PARK_AWAKE, .spins = spins};
}

static void announce(struct parker *parker, uint32_t what)
{
    assert(__atomic_load_n(&parker->state, __ATOMIC_RELAXED) == PARK_AWAKE);
    assert(!(what & PARK_ANNOUNCED));
    __atomic_store_n(&parker->state, PARK_ANNOUNCED | what, __ATOMIC_RELAXED);
    park_fence();
}

bool park_until(struct parker *parker, park_ready *ready, void *context, int64_t deadline)
{
    return park_until_for(parker, PARK_ANYTHING, ready, context, deadline);
}

bool park_until_for(struct parker *parker, uint32_t what, park_ready *ready, void *context,
                    int64_t deadline)
{
    for (uint32_t spin = 0; spin < parker->spins; spin++) {
        if (ready(context))
            return true;
        pause_briefly();
    }
    for (;;) {
        announce(parker, what);
        if (ready(context)) {
            park_cancel(parker);
            return true;
        }
        if (!park_sleep(parker, deadline))
            return ready(context);
    }
}

void park_announce(struct parker *parker)
{
    announce(parker, PARK_ANYTHING);
}

void park_cancel(struct parker *parker)
{
    /* A waker that has seen the announcement may still make its system call, for nobody. */
    __atomic_store_n(&parker->state, PARK_AWAKE, __ATOMIC_RELAXED);
}

bool park_sleep(struct parker *parker, int64_t deadline)
{
    /* With FUTEX_WAIT_BITSET the time is an instant of the monotonic clock, so an interrupted call
     * is simply made again. */
    struct timespec until = {deadline / NANOSECONDS, deadline % NANOSECONDS};
    assert(deadline >= 0);
    uint32_t announced;
    while ((announced = __atomic_load_n(&parker->state, __ATOMIC_ACQUIRE)) != PARK_AWAKE) {
        __atomic_store_n(&parker->sleeps, parker->sleeps + 1, __ATOMIC_RELAXED);
        long result =
            syscall(SYS_futex, &parker->state, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, announced,
                    deadline == PARK_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
        if (result == 0 || errno == EAGAIN || errno == EINTR)
            continue;
        assert(errno == ETIMEDOUT);
        /* Who has taken the announcement at the last moment has woken the thread. */
        return __atomic_exchange_n(&parker->state, PARK_AWAKE, __ATOMIC_ACQUIRE) == PARK_AWAKE;
    }
    return true;
}

bool park_wake_sleeper(struct parker *parker)
{
    /* Of several wakers only the one that takes the announcement makes the call. */
    if (__atomic_exchange_n(&parker->state, PARK_AWAKE, __ATOMIC_RELEASE) == PARK_AWAKE)
        return false;
    __atomic_fetch_add(&parker->wakes, 1, __ATOMIC_RELAXED);
    long woken =
        syscall(SYS_futex, &parker->state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
    assert(woken >= 0);
    return true;
}

int64_t park_now(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

uint64_t park_calls(const struct parker *parker)
{
    return __atomic_load_n(&parker->sleeps, __ATOMIC_RELAXED) +
           __atomic_load_n(&parker->wakes, __ATOMIC_RELAXED);
}
