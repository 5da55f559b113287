/* How a thread of the pipeline waits until a ring has something, or room again: it spins for a
 * short while, then sleeps in the kernel until somebody says that something changed for it. A
 * thread has one parker, whatever it waits for; those who could help it call park_wake after each
 * change, which costs a fence and a load while nobody sleeps, and one system call when somebody
 * does.
 *
 *   waiter                                       waker
 *   while (!(item = ring_pop(ring))) {           if (ring_push(ring, item))
 *       park_announce(&me);                          park_wake(&other);
 *       if ((item = ring_pop(ring))) {
 *           park_cancel(&me);
 *           break;
 *       }
 *       park_sleep(&me, PARK_FOREVER);
 *   }
 *
 * park_until does the waiter's side for any condition, with the spinning before it. */
#ifndef RATEL_BASE_PARK_H
#define RATEL_BASE_PARK_H

#include <stdbool.h>
#include <stdint.h>

#define PARK_FOREVER INT64_MAX
/* Rounds of spinning before a thread sleeps, some microseconds: about what sleeping and waking
 * costs. On machines where every core has other work, longer ones only take it from that. */
#define PARK_SPINS 64

/* The state of a thread that is not awake: PARK_ANNOUNCED and what it waits for, bits below that
 * which mean something to those who wake it. */
#define PARK_AWAKE     0u
#define PARK_ANNOUNCED (1u << 31)
#define PARK_ANYTHING  (PARK_ANNOUNCED - 1)

/* On a line of its own, for everybody who could wake the thread reads `state`. */
struct parker {
    uint32_t state __attribute__((aligned(64))); /* PARK_AWAKE or announced; a futex */
    uint32_t spins;
    uint64_t sleeps; /* system calls of the waiter */
    uint64_t wakes;  /* system calls of wakers */
    uint8_t reserved[40];
};

/* Is what the thread waits for there? Called by the waiting thread only; it must read whatever the
 * wakers change anew at each call. */
typedef bool park_ready(void *context);

/* `spins` may be 0. */
void park_init(struct parker *parker, uint32_t spins);

/* Waits until `ready` says so, and returns true; or false when the deadline passed before, an
 * instant of park_now. Thread: the parker's. */
bool park_until(struct parker *parker, park_ready *ready, void *context, int64_t deadline);
/* The same for a thread that only some changes concern: park_wake_for with none of the bits in
 * `what` lets it sleep. `ready` must hold whenever one of them has come. */
bool park_until_for(struct parker *parker, uint32_t what, park_ready *ready, void *context,
                    int64_t deadline);

/* From now on wakers look after this thread: look once more, then cancel or sleep.
 * Thread: the parker's. */
void park_announce(struct parker *parker);
void park_cancel(struct parker *parker);
/* Sleeps until somebody has called park_wake since park_announce (true) or the deadline has passed
 * (false). Either way the announcement is over. Thread: the parker's. */
bool park_sleep(struct parker *parker, int64_t deadline);

/* Nanoseconds of the monotonic clock, for deadlines only: park_now() + 2000000 is in 2 ms. */
int64_t park_now(void);

/* System calls that waiting and waking have cost so far. Thread: any. */
uint64_t park_calls(const struct parker *parker);

bool park_wake_sleeper(struct parker *parker);
/* See the proof in park.c. gcc says of every fence that ThreadSanitizer does not model it; nothing
 * here relies on that, for what the threads share is ordered by the rings. */
#ifdef __SANITIZE_THREAD__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
static inline void park_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#ifdef __SANITIZE_THREAD__
#pragma GCC diagnostic pop
#endif

/* To be called after every change that the thread may wait for, or once for several of them: then
 * at the latest before the caller waits itself, or they wait for each other. Thread: any. Cost: a
 * fence and a load, and a system call if the thread sleeps. */
static inline void park_wake(struct parker *parker)
{
    park_fence();
    if (__atomic_load_n(&parker->state, __ATOMIC_RELAXED) != PARK_AWAKE)
        (void)park_wake_sleeper(parker);
}

/* For a change that concerns only those who wait for it; true when this woke the thread. What a
 * thread waits for is in the word that says that it waits, so the proof is the same. */
static inline bool park_wake_for(struct parker *parker, uint32_t what)
{
    park_fence();
    return (__atomic_load_n(&parker->state, __ATOMIC_RELAXED) & what) && park_wake_sleeper(parker);
}

#endif
