/* A module for LD_PRELOAD that counts, between two marks that the program sets, the calls that the
 * event path must not make: for memory, for locks, to LMDB. count_calls.h has what is counted and
 * how a test reads it.
 *
 * What cannot be seen from here: locks inside libc (stdio has some of its own), memory that libc
 * asks the kernel for itself, and all memory under a sanitizer, whose runtime stands in front.
 * Everything is counted with relaxed atomics, nothing allocates. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "count_calls.h"

static atomic_bool counting;
static struct {
#define CALL_KIND(member, what) atomic_ullong member;
    CALL_KINDS
#undef CALL_KIND
} counts;

static atomic_uint places;
static struct {
    const char *name;
    void *caller;
} first[COUNT_CALLS_PLACES];

static void note(atomic_ullong *count, const char *name, void *caller)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (count == &counts.system_calls)
        return;
    unsigned place = atomic_load_explicit(&places, memory_order_relaxed);
    if (place >= COUNT_CALLS_PLACES)
        return;
    place = atomic_fetch_add_explicit(&places, 1, memory_order_relaxed);
    if (place < COUNT_CALLS_PLACES) {
        first[place].name = name;
        first[place].caller = caller;
    }
}

#define NOTE(member, name) note(&counts.member, name, __builtin_return_address(0))

void count_calls_begin(void)
{
    atomic_store(&counting, false);
#define CALL_KIND(member, what) atomic_store(&counts.member, 0);
    CALL_KINDS
#undef CALL_KIND
    atomic_store(&places, 0);
    atomic_store(&counting, true);
}

void count_calls_end(struct count_calls *ret_counted)
{
    atomic_store(&counting, false);
#define CALL_KIND(member, what) ret_counted->member = atomic_load(&counts.member);
    CALL_KINDS
#undef CALL_KIND
    unsigned seen = atomic_load(&places);
    ret_counted->places = seen < COUNT_CALLS_PLACES ? seen : COUNT_CALLS_PLACES;
    for (uint32_t i = 0; i < ret_counted->places; i++) {
        ret_counted->names[i] = first[i].name;
        ret_counted->callers[i] = first[i].caller;
    }
}

/* ---- memory: glibc's own names, since dlsym needs memory itself
 * ------------------------------------------------------------ */

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *memory);

void *malloc(size_t bytes)
{
    NOTE(allocations, "malloc");
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    NOTE(allocations, "calloc");
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    NOTE(allocations, "realloc");
    return __libc_realloc(memory, bytes);
}

void *reallocarray(void *memory, size_t count, size_t bytes)
{
    size_t total;
    NOTE(allocations, "reallocarray");
    return __builtin_mul_overflow(count, bytes, &total) ? NULL : __libc_realloc(memory, total);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    NOTE(allocations, "aligned_alloc");
    return __libc_memalign(alignment, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    NOTE(allocations, "memalign");
    return __libc_memalign(alignment, bytes);
}

void *valloc(size_t bytes)
{
    NOTE(allocations, "valloc");
    return __libc_memalign(4096, bytes);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    NOTE(allocations, "posix_memalign");
    void *memory = __libc_memalign(alignment, bytes);
    if (!memory)
        return 12; /* ENOMEM */
    *ret_memory = memory;
    return 0;
}

void free(void *memory)
{
    if (memory)
        NOTE(frees, "free");
    __libc_free(memory);
}

/* ---- all others are counted and passed on
 * --------------------------------------------------------------------------------- */

/* Arguments that fit into a register pass through a function that names seven longs, whatever their
 * types are, on every machine whose calling convention passes them in registers or in order on the
 * stack; so does what comes back. */
typedef long passed_on(long, long, long, long, long, long, long);

static passed_on *find(const char *name)
{
    /* Without a version, dlsym finds conditions as they were before 2002. */
    void *found =
        strncmp(name, "pthread_cond_", 13) == 0 ? dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2") : NULL;
    if (!found)
        found = dlsym(RTLD_NEXT, name);
    if (!found)
        __builtin_trap();
    return (passed_on *)(uintptr_t)found;
}

#define PASS_ON(member, name)                                                                      \
    long name(long a, long b, long c, long d, long e, long f, long g);                             \
    long name(long a, long b, long c, long d, long e, long f, long g)                              \
    {                                                                                              \
        static _Atomic(passed_on *) next;                                                          \
        passed_on *real = atomic_load_explicit(&next, memory_order_relaxed);                       \
        NOTE(member, #name);                                                                       \
        if (!real) {                                                                               \
            real = find(#name);                                                                    \
            atomic_store_explicit(&next, real, memory_order_relaxed);                              \
        }                                                                                          \
        return real(a, b, c, d, e, f, g);                                                          \
    }

PASS_ON(mappings, mmap)
PASS_ON(mappings, mmap64)
PASS_ON(mappings, munmap)
PASS_ON(mappings, mremap)
PASS_ON(commits, mprotect)
PASS_ON(commits, madvise)

PASS_ON(locks, pthread_mutex_lock)
PASS_ON(locks, pthread_mutex_trylock)
PASS_ON(locks, pthread_mutex_timedlock)
PASS_ON(locks, pthread_mutex_unlock)
PASS_ON(locks, pthread_rwlock_rdlock)
PASS_ON(locks, pthread_rwlock_tryrdlock)
PASS_ON(locks, pthread_rwlock_wrlock)
PASS_ON(locks, pthread_rwlock_trywrlock)
PASS_ON(locks, pthread_rwlock_unlock)
PASS_ON(locks, pthread_spin_lock)
PASS_ON(locks, pthread_spin_trylock)
PASS_ON(locks, pthread_spin_unlock)
PASS_ON(locks, pthread_cond_wait)
PASS_ON(locks, pthread_cond_timedwait)
PASS_ON(locks, pthread_cond_signal)
PASS_ON(locks, pthread_cond_broadcast)
PASS_ON(locks, pthread_barrier_wait)
PASS_ON(locks, sem_wait)
PASS_ON(locks, sem_trywait)
PASS_ON(locks, sem_timedwait)
PASS_ON(locks, sem_post)
PASS_ON(locks, mtx_lock)
PASS_ON(locks, mtx_trylock)
PASS_ON(locks, mtx_unlock)
PASS_ON(locks, cnd_wait)
PASS_ON(locks, cnd_signal)

PASS_ON(threads, pthread_create)
PASS_ON(threads, pthread_join)

PASS_ON(lmdb, mdb_txn_begin)
PASS_ON(lmdb, mdb_txn_commit)
PASS_ON(lmdb, mdb_txn_abort)
PASS_ON(lmdb, mdb_txn_reset)
PASS_ON(lmdb, mdb_txn_renew)
PASS_ON(lmdb, mdb_dbi_open)
PASS_ON(lmdb, mdb_get)
PASS_ON(lmdb, mdb_put)
PASS_ON(lmdb, mdb_del)
PASS_ON(lmdb, mdb_drop)
PASS_ON(lmdb, mdb_stat)
PASS_ON(lmdb, mdb_cursor_open)
PASS_ON(lmdb, mdb_cursor_get)
PASS_ON(lmdb, mdb_cursor_put)
PASS_ON(lmdb, mdb_cursor_del)
PASS_ON(lmdb, mdb_cursor_close)

PASS_ON(system_calls, read)
PASS_ON(system_calls, pread)
PASS_ON(system_calls, pread64)
PASS_ON(system_calls, readv)
PASS_ON(system_calls, write)
PASS_ON(system_calls, pwrite)
PASS_ON(system_calls, pwrite64)
PASS_ON(system_calls, writev)
PASS_ON(system_calls, pwritev)
PASS_ON(system_calls, fsync)
PASS_ON(system_calls, fdatasync)
PASS_ON(system_calls, lseek)
PASS_ON(system_calls, sched_yield)
PASS_ON(system_calls, nanosleep)
PASS_ON(system_calls, clock_nanosleep)
PASS_ON(system_calls, usleep)
PASS_ON(system_calls, syscall)
