/* Does count_calls.c count? Run with it in LD_PRELOAD; built without sanitizers, whose memory
 * nobody else sees. */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "count_calls.h"

static int failures;

static void expect(const char *what, uint64_t counted, uint64_t expected)
{
    if (counted == expected)
        return;
    fprintf(stderr, "FAILED: %s: counted %" PRIu64 ", expected %" PRIu64 "\n", what, counted,
            expected);
    failures++;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
/* So that the compiler leaves the calls in. */
static void *volatile memory;

static void *allocate_elsewhere(void *argument)
{
    memory = malloc(10);
    free(memory);
    return argument;
}

static void use_everything(void)
{
    pthread_t thread;
    sem_t semaphore;
    memory = malloc(100);
    memory = realloc(memory, 200);
    free(memory);
    memory = calloc(2, 50);
    free(memory);
    memory = aligned_alloc(64, 128);
    free(memory);
    free(NULL);
    memory = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_READ | PROT_WRITE) != 0)
        failures++;
    *(char *)memory = 1;
    munmap(memory, 4096);
    /* A condition of the wrong version would not come back with a time-out. */
    struct timespec past = {1, 0};
    pthread_mutex_lock(&mutex);
    if (pthread_cond_timedwait(&condition, &mutex, &past) != ETIMEDOUT)
        failures++;
    pthread_mutex_unlock(&mutex);
    sem_init(&semaphore, 0, 0);
    sem_post(&semaphore);
    sem_wait(&semaphore);
    /* No transaction: LMDB refuses, and was asked. */
    MDB_val none = {0};
    if (mdb_get(NULL, 0, &none, &none) == 0)
        failures++;
    if (syscall(SYS_getpid) != getpid())
        failures++;
    pthread_create(&thread, NULL, allocate_elsewhere, NULL);
    pthread_join(thread, NULL);
}

int main(void)
{
    count_calls_begin_function *begin;
    count_calls_end_function *end;
    struct count_calls counted;
    *(void **)&begin = dlsym(RTLD_DEFAULT, "count_calls_begin");
    *(void **)&end = dlsym(RTLD_DEFAULT, "count_calls_end");
    if (!begin || !end) {
        fputs("the module is not loaded\n", stderr);
        return 1;
    }
    use_everything(); /* not between marks; and what is done at a first call is done */

    begin();
    for (volatile int i = 0; i < 1000; i++)
        continue;
    end(&counted);
#define CALL_KIND(member, what) expect("nothing: " #member, counted.member, 0);
    CALL_KINDS
#undef CALL_KIND
    expect("nothing: places", counted.places, 0);

    begin();
    use_everything();
    end(&counted);
    use_everything();
    expect("frees", counted.frees, 4);
    expect("locks", counted.locks, 5);
    expect("threads", counted.threads, 2);
    expect("lmdb", counted.lmdb, 1);
    expect("mappings", counted.mappings, 2);
    expect("commits", counted.commits, 1);
    expect("system_calls", counted.system_calls, 1);
    expect("allocations", counted.allocations, 5);
    expect("places", counted.places, 20);
    expect("the first place", counted.places > 0 && strcmp(counted.names[0], "malloc") == 0, 1);
    Dl_info info;
    expect("its caller", counted.places > 0 && dladdr(counted.callers[0], &info) != 0, 1);
    if (failures == 0)
        puts("all counted");
    return failures != 0;
}
