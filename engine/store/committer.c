/* Invariants; the code cites them by number.
 *
 * K-1  Frames are appended in the order of submission, each until it is in the log: what is retried is the frame that did not fit.
 * K-2  `durable` moves only after a sync that came after the append of all frames up to it.
 * K-3  A buffer goes back only when its frame is durable. So at most buffer_count frames are between the owner and the disk.
 * K-4  The thread touches the log only between taking a frame and publishing it as durable. */
#include "store/committer.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/park.h"
#include "base/ring.h"

struct slot {
    struct frame_buffer buffer; /* first: the owner knows a slot by it */
    uint64_t sequence;
    uint32_t kind;
};

struct committer {
    struct frames *frames;
    struct committer_options options;
    struct ring *full;  /* from the owner to the thread */
    struct ring *empty; /* and back */
    struct slot *slots;
    pthread_t thread;
    bool running; /* there is a thread to join */
    uint64_t submitted;
    /* By the thread, for others. */
    uint64_t durable __attribute__((aligned(64)));
    uint32_t state;
    struct error error; /* written before the state FAILED */
    struct committer_cost cost;
    struct slot *group[COMMITTER_BUFFERS_MAX]; /* appended, not yet durable */
    uint32_t group_count;
    /* By others, for the thread. */
    uint32_t stopping __attribute__((aligned(64)));
    uint32_t gives_up;
    struct parker thread_parker;
    struct parker owner_parker;
};

static void set_state(struct committer *committer, enum committer_state state,
                      const struct error *error)
{
    __atomic_store_n(&committer->state, state, __ATOMIC_RELEASE);
    park_wake(&committer->owner_parker);
    if (committer->options.state)
        committer->options.state(committer->options.context, state, error);
}

static void add_cost(struct committer *committer)
{
    struct frames_cost log = frames_cost(committer->frames);
    struct committer_cost *cost = &committer->cost;
    __atomic_store_n(&cost->log.calls, log.calls, __ATOMIC_RELAXED);
    __atomic_store_n(&cost->log.syncs, log.syncs, __ATOMIC_RELAXED);
    __atomic_store_n(&cost->log.bytes, log.bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&cost->frames, cost->frames + committer->group_count, __ATOMIC_RELAXED);
    __atomic_store_n(&cost->groups, cost->groups + 1, __ATOMIC_RELAXED);
}

/* Makes the group durable and lets everybody know. */
static enum status commit_group(struct committer *committer, struct error *error)
{
    assert(committer->group_count > 0);
    enum status status = frames_sync(committer->frames, error);
    if (status != STATUS_OK)
        return status;
    const uint64_t sequence = committer->group[committer->group_count - 1]->sequence;
    assert(sequence == frames_last_sequence(committer->frames) && sequence > committer->durable);
    add_cost(committer);
    const int64_t time = park_now();
    __atomic_store_n(&committer->durable, sequence, __ATOMIC_RELEASE); /* K-2, K-4 */
    for (uint32_t i = 0; i < committer->group_count; i++) {            /* K-3 */
        bool fits = ring_push(committer->empty, committer->group[i]);
        assert(fits);
        (void)fits;
    }
    committer->group_count = 0;
    park_wake(&committer->owner_parker);
    if (committer->options.durable)
        committer->options.durable(committer->options.context, sequence, time);
    return STATUS_OK;
}

static bool gives_up(void *context)
{
    return __atomic_load_n(&((struct committer *)context)->gives_up, __ATOMIC_RELAXED) != 0;
}

/* K-1: until the frame is in the log, or for good not. */
static enum status append(struct committer *committer, struct slot *slot, struct error *error)
{
    bool waited = false;
    uint64_t sequence = 0;
    for (;;) {
        enum status status =
            frames_append_buffer(committer->frames, slot->kind, &slot->buffer, &sequence, error);
        if (status == STATUS_OK)
            break;
        if (status != STATUS_NO_SPACE)
            return status;
        /* What is in the log already need not wait for what is not. */
        struct error reason = *error;
        if (committer->group_count > 0 && (status = commit_group(committer, error)) != STATUS_OK)
            return status;
        *error = reason;
        if (gives_up(committer))
            return STATUS_NO_SPACE;
        if (!waited)
            set_state(committer, COMMITTER_WAITING, error);
        waited = true;
        (void)park_until(&committer->thread_parker, gives_up, committer,
                         park_now() + (int64_t)COMMITTER_RETRY_MS * 1000000);
    }
    assert(sequence == slot->sequence);
    if (waited)
        set_state(committer, COMMITTER_RUNNING, NULL);
    committer->group[committer->group_count++] = slot;
    return STATUS_OK;
}

static bool has_work(void *context)
{
    struct committer *committer = context;
    return !ring_is_empty(committer->full) ||
           __atomic_load_n(&committer->stopping, __ATOMIC_ACQUIRE) != 0;
}

/* NULL: there is nothing more, and never will be. What was pushed before `stopping` was set is seen after it. */
static struct slot *next(struct committer *committer)
{
    for (;;) {
        struct slot *slot = ring_pop(committer->full);
        if (slot)
            return slot;
        bool stopping = __atomic_load_n(&committer->stopping, __ATOMIC_ACQUIRE) != 0;
        if (stopping)
            return ring_pop(committer->full);
        (void)park_until(&committer->thread_parker, has_work, committer, PARK_FOREVER);
    }
}

static void *commit_frames(void *context)
{
    struct committer *committer = context;
    struct error error = {.status = STATUS_OK};
    enum status status = STATUS_OK;
    struct slot *slot;
    while (status == STATUS_OK && (slot = next(committer)) != NULL) {
        do
            status = append(committer, slot, &error);
        while (status == STATUS_OK && (slot = ring_pop(committer->full)) != NULL);
        if (status == STATUS_OK)
            status = commit_group(committer, &error);
    }
    if (status == STATUS_OK)
        return NULL;
    committer->error = error;
    committer->error.status = status;
    set_state(committer, COMMITTER_FAILED, &committer->error);
    return NULL;
}

/* Signals are for the program's own threads, but for those that a thread causes itself. */
static int start_thread(struct committer *committer)
{
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGABRT);
    int code = pthread_sigmask(SIG_SETMASK, &blocked, &before);
    assert(code == 0);
    code = pthread_create(&committer->thread, NULL, commit_frames, committer);
    if (pthread_sigmask(SIG_SETMASK, &before, NULL) != 0)
        abort();
    committer->running = code == 0;
    return code;
}

static void release(struct committer *committer)
{
    for (uint32_t i = 0; committer->slots && i < committer->options.buffer_count; i++)
        frame_buffer_fini(&committer->slots[i].buffer);
    free(committer->slots);
    ring_free(committer->full);
    ring_free(committer->empty);
    free(committer);
}

static enum status prepare(struct committer *committer, struct error *error)
{
    const uint32_t count = committer->options.buffer_count;
    committer->slots = calloc(count, sizeof(*committer->slots));
    if (!committer->slots || ring_new(ring_slots_for(count), &committer->full) != STATUS_OK ||
        ring_new(ring_slots_for(count), &committer->empty) != STATUS_OK)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        enum status status =
            frame_buffer_init(&committer->slots[i].buffer, committer->options.buffer_bytes, error);
        if (status != STATUS_OK)
            return status;
        bool fits = ring_push(committer->empty, &committer->slots[i]);
        assert(fits);
        (void)fits;
    }
    return frames_sync(committer->frames, error);
}

enum status committer_start(struct frames *frames, const struct committer_options *options,
                            struct committer **ret, struct error *error)
{
    assert(options->buffer_count >= 2 && options->buffer_count <= COMMITTER_BUFFERS_MAX);
    struct committer *committer = aligned_alloc(64, (sizeof(*committer) + 63) & ~(size_t)63);
    if (!committer)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    *committer = (struct committer){
        .frames = frames,
        .options = *options,
        .gives_up = !options->wait_for_space,
        .submitted = frames_last_sequence(frames),
        .durable = frames_last_sequence(frames),
        .state = COMMITTER_RUNNING,
    };
    /* Work comes every millisecond or so: spinning for it would take a core that others need. */
    park_init(&committer->thread_parker, 0);
    park_init(&committer->owner_parker, 0);
    enum status status = prepare(committer, error);
    if (status == STATUS_OK && start_thread(committer) != 0)
        status = error_set(error, STATUS_NO_MEMORY, "cannot start a thread");
    if (status == STATUS_OK)
        *ret = committer;
    else
        release(committer);
    return status;
}

struct frame_buffer *committer_take(struct committer *committer)
{
    struct slot *slot = ring_pop(committer->empty);
    if (!slot)
        return NULL;
    slot->buffer.length = 0;
    return &slot->buffer;
}

uint64_t committer_submit(struct committer *committer, uint32_t kind, struct frame_buffer *buffer)
{
    struct slot *slot = (struct slot *)buffer;
    assert(slot >= committer->slots && slot < committer->slots + committer->options.buffer_count);
    assert(buffer->length <= buffer->capacity);
    slot->kind = kind;
    slot->sequence = ++committer->submitted;
    bool fits = ring_push(committer->full, slot);
    assert(fits);
    (void)fits;
    park_wake(&committer->thread_parker);
    return committer->submitted;
}

uint64_t committer_durable(const struct committer *committer)
{
    return __atomic_load_n(&committer->durable, __ATOMIC_ACQUIRE);
}

enum committer_state committer_state(const struct committer *committer)
{
    return (enum committer_state)__atomic_load_n(&committer->state, __ATOMIC_ACQUIRE);
}

enum status committer_error(const struct committer *committer, struct error *error)
{
    if (committer_state(committer) != COMMITTER_FAILED)
        return STATUS_OK;
    if (error)
        *error = committer->error;
    return committer->error.status;
}

void committer_give_up(struct committer *committer)
{
    __atomic_store_n(&committer->gives_up, 1, __ATOMIC_RELAXED);
    park_wake(&committer->thread_parker);
}

struct wanted {
    const struct committer *committer;
    uint64_t sequence;
};

static bool is_durable_or_failed(void *context)
{
    const struct wanted *wanted = context;
    return committer_durable(wanted->committer) >= wanted->sequence ||
           committer_state(wanted->committer) == COMMITTER_FAILED;
}

enum status committer_wait(struct committer *committer, uint64_t sequence, struct error *error)
{
    assert(sequence <= committer->submitted);
    struct wanted wanted = {committer, sequence};
    (void)park_until(&committer->owner_parker, is_durable_or_failed, &wanted, PARK_FOREVER);
    return committer_durable(committer) >= sequence ? STATUS_OK : committer_error(committer, error);
}

static bool has_buffer_or_failed(void *context)
{
    const struct committer *committer = context;
    return !ring_is_empty(committer->empty) || committer_state(committer) == COMMITTER_FAILED;
}

enum status committer_take_wait(struct committer *committer, struct frame_buffer **ret,
                                struct error *error)
{
    (void)park_until(&committer->owner_parker, has_buffer_or_failed, committer, PARK_FOREVER);
    struct frame_buffer *buffer = committer_take(committer);
    if (!buffer)
        return committer_error(committer, error);
    *ret = buffer;
    return STATUS_OK;
}

enum status committer_stop(struct committer *committer, struct error *error)
{
    if (!committer)
        return STATUS_OK;
    __atomic_store_n(&committer->stopping, 1, __ATOMIC_RELEASE);
    park_wake(&committer->thread_parker);
    int code = committer->running ? pthread_join(committer->thread, NULL) : 0;
    assert(code == 0);
    (void)code;
    enum status status = committer_error(committer, error);
    assert(status != STATUS_OK || committer->durable == committer->submitted);
    release(committer);
    return status;
}

struct committer_cost committer_cost(const struct committer *committer)
{
    const struct committer_cost *cost = &committer->cost;
    return (struct committer_cost){
        .log = {.calls = __atomic_load_n(&cost->log.calls, __ATOMIC_RELAXED),
                .syncs = __atomic_load_n(&cost->log.syncs, __ATOMIC_RELAXED),
                .bytes = __atomic_load_n(&cost->log.bytes, __ATOMIC_RELAXED)},
        .waits = park_calls(&committer->thread_parker) + park_calls(&committer->owner_parker),
        .frames = __atomic_load_n(&cost->frames, __ATOMIC_RELAXED),
        .groups = __atomic_load_n(&cost->groups, __ATOMIC_RELAXED),
    };
}
