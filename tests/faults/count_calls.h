/* What tests/faults/count_calls.c counts between two marks. A test that runs with the module in
 * LD_PRELOAD finds the two functions with dlsym(RTLD_DEFAULT, "count_calls_begin") and
 * "count_calls_end"; without the module it finds none. */
#ifndef RATEL_TESTS_FAULTS_COUNT_CALLS_H
#define RATEL_TESTS_FAULTS_COUNT_CALLS_H

#include <stdint.h>

/* CALL_KIND(member, what is counted in it) */
#define CALL_KINDS                                                                                 \
    CALL_KIND(allocations,                                                                         \
              "malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign, valloc")          \
    CALL_KIND(frees, "free of something")                                                          \
    CALL_KIND(mappings, "mmap, munmap, mremap")                                                    \
    CALL_KIND(commits, "mprotect, madvise: how a reserved array grows (engine/base/vast.c)")       \
    CALL_KIND(locks, "taking a mutex, rwlock, spinlock or semaphore, waiting for or waking "       \
                     "others by them, by conditions and barriers")                                 \
    CALL_KIND(threads, "pthread_create, pthread_join")                                             \
    CALL_KIND(lmdb, "mdb_ functions that engine/store calls on data")                              \
    CALL_KIND(system_calls,                                                                        \
              "read, write and their kind, syncs, yields, sleeps, and syscall() itself: futexes")

#define COUNT_CALLS_PLACES 32

struct count_calls {
#define CALL_KIND(member, what) uint64_t member;
    CALL_KINDS
#undef CALL_KIND
    /* Where the first of them came from, in order, for dladdr and addr2line, so that a test can say
     * who it was. System calls are not among them. */
    uint32_t places;
    const char *names[COUNT_CALLS_PLACES];
    void *callers[COUNT_CALLS_PLACES];
};

typedef void count_calls_begin_function(void);
typedef void count_calls_end_function(struct count_calls *);

/* Counting starts at zero, for all threads of the process. */
void count_calls_begin(void);
/* Counting ends. */
void count_calls_end(struct count_calls *ret_counted);

#endif
