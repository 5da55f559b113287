#include "account/crew.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define WORKERS_MAX 16

struct crew_result {
    enum status status;
    struct error error;
};

struct crew {
    crew_work *work;
    void *context;
    uint32_t count;
    atomic_uint next;
    struct crew_result *results;
};

static void *crew_member(void *argument)
{
    struct crew *crew = argument;
    for (;;) {
        uint32_t number = atomic_fetch_add(&crew->next, 1);
        if (number >= crew->count)
            return NULL;
        struct crew_result *result = &crew->results[number];
        result->status = crew->work(crew->context, number, &result->error);
    }
}

static void work_together(struct crew *crew)
{
    pthread_t threads[WORKERS_MAX];
    uint32_t count = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's own threads */
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGABRT);
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    assert(code == 0);
    while (count + 1 < crew->count && count + 1 < WORKERS_MAX && (long)count + 1 < processors &&
           pthread_create(&threads[count], NULL, crew_member, crew) == 0)
        count++;
    code = pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(code == 0);
    (void)crew_member(crew);
    for (uint32_t i = 0; i < count; i++) {
        code = pthread_join(threads[i], NULL);
        assert(code == 0);
    }
    (void)code;
}

enum status crew_run(uint32_t count, crew_work *work, void *context, uint32_t *ret_number,
                     struct error *error)
{
    struct crew crew = {.work = work, .context = context, .count = count};
    crew.results = calloc(count ? count : 1, sizeof(*crew.results));
    if (!crew.results)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    work_together(&crew);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = crew.results[i].status;
        if (status == STATUS_OK)
            continue;
        *ret_number = i;
        if (error)
            *error = crew.results[i].error;
    }
    free(crew.results);
    return status;
}
