#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "base/park.h"
#include "scratch.h"
#include "store/committer.h"

/* What the disk is up to; these and the functions below take libc's place, on the committer's thread, too. */
static atomic_int write_errno, sync_errno;
static atomic_int writes_fit;    /* with write_errno: how many succeed before */
static atomic_bool gate_is_shut; /* writes wait */
static atomic_int writers_at_gate;
static atomic_int sync_delay_us;
static atomic_ullong written_end, synced_end; /* bytes of the file */
static atomic_int sync_count;

int fdatasync(int fd)
{
    unsigned long long end = atomic_load(&written_end);
    if (sync_delay_us)
        usleep((useconds_t)sync_delay_us);
    if (sync_errno) {
        errno = sync_errno;
        return -1;
    }
    int result = (int)syscall(SYS_fdatasync, fd);
    atomic_store(&synced_end, end);
    atomic_fetch_add(&sync_count, 1);
    return result;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    atomic_fetch_add(&writers_at_gate, 1);
    while (atomic_load(&gate_is_shut))
        usleep(200);
    atomic_fetch_sub(&writers_at_gate, 1);
    if (write_errno && atomic_fetch_sub(&writes_fit, 1) <= 0) {
        errno = write_errno;
        return -1;
    }
    ssize_t written = syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
    if (written > 0)
        atomic_store(&written_end, (unsigned long long)offset + (unsigned long long)written);
    return written;
}

#define BUFFER_BYTES 20000

struct fixture {
    char root[SCRATCH_PATH_BYTES];
    char log[SCRATCH_PATH_BYTES];
    struct frames *frames;
    struct committer *committer;
    struct error error;
    /* What the hooks saw. */
    atomic_ullong told_durable;
    atomic_int told_waiting, told_running, told_failed;
    atomic_llong told_time;
    bool frames_are_pages; /* frame n ends at 4096 * (n + 1) */
    int pipe;              /* the durable sequences go there, too */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    write_errno = sync_errno = writes_fit = sync_delay_us = sync_count = 0;
    gate_is_shut = false;
    scratch_make(f->root);
    scratch_path(f->root, "log", f->log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gate_is_shut = false;
    if (f->committer) {
        committer_give_up(f->committer);
        (void)!committer_stop(f->committer, NULL);
    }
    frames_close(f->frames);
    (void)umount2(f->root, MNT_DETACH);
    scratch_remove(f->root);
    free(f);
    return 0;
}

/* On the committer's thread, where cmocka's assertions lead nowhere. */
static void insist(bool holds)
{
    if (!holds)
        abort();
}

static void on_durable(void *context, uint64_t sequence, int64_t time)
{
    struct fixture *f = context;
    insist(sequence > atomic_load(&f->told_durable));
    insist(time >= atomic_load(&f->told_time) && time <= park_now());
    if (f->frames_are_pages) /* K-2 */
        insist(atomic_load(&synced_end) >= FRAME_ALIGNMENT * (sequence + 1));
    atomic_store(&f->told_durable, sequence);
    atomic_store(&f->told_time, time);
    if (f->pipe && write(f->pipe, &sequence, sizeof(sequence)) != sizeof(sequence))
        abort();
}

static void on_state(void *context, enum committer_state state, const struct error *error)
{
    struct fixture *f = context;
    atomic_fetch_add(state == COMMITTER_WAITING  ? &f->told_waiting
                     : state == COMMITTER_FAILED ? &f->told_failed
                                                 : &f->told_running,
                     1);
    insist((state == COMMITTER_RUNNING) == (error == NULL));
    insist(!error || (error->text[0] && error->file[0]));
}

static void start(struct fixture *f, uint32_t buffers, bool wait_for_space)
{
    const struct frames_options how = {.segment_bytes = 1 << 20, .aligned = true};
    const struct committer_options options = {.buffer_count = buffers,
                                              .buffer_bytes = BUFFER_BYTES,
                                              .wait_for_space = wait_for_space,
                                              .context = f,
                                              .durable = on_durable,
                                              .state = on_state};
    if (frames_open(f->log, how, &f->frames, NULL, &f->error) != STATUS_OK ||
        committer_start(f->frames, &options, &f->committer, &f->error) != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
    assert_int_equal(committer_durable(f->committer), frames_last_sequence(f->frames));
}

static void finish(struct fixture *f, enum status expected)
{
    struct committer *committer = f->committer;
    f->committer = NULL;
    assert_int_equal(committer_stop(committer, &f->error), expected);
    frames_close(f->frames);
    f->frames = NULL;
}

/* Payload n: the number, then as many bytes as it says. */
static size_t length_of(uint64_t n, bool small)
{
    return sizeof(n) + (small ? 0 : n * 2654435761u % (BUFFER_BYTES - sizeof(n)));
}

static void fill(struct frame_buffer *buffer, uint64_t n, bool small)
{
    assert_int_equal(buffer->length, 0);
    buffer->length = length_of(n, small);
    assert_true(buffer->length <= buffer->capacity);
    memset(buffer->payload, (char)n, buffer->length);
    memcpy(buffer->payload, &n, sizeof(n));
}

/* False when no buffer is free. */
static bool submit_one(struct fixture *f, uint64_t n)
{
    struct frame_buffer *buffer = committer_take(f->committer);
    if (!buffer)
        return false;
    fill(buffer, n, f->frames_are_pages);
    assert_int_equal(committer_submit(f->committer, (uint32_t)n, buffer), n);
    return true;
}

static void submit(struct fixture *f, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        struct frame_buffer *buffer;
        assert_int_equal(committer_take_wait(f->committer, &buffer, &f->error), STATUS_OK);
        fill(buffer, n, f->frames_are_pages);
        assert_int_equal(committer_submit(f->committer, (uint32_t)n, buffer), n);
    }
}

static enum status see(const struct frame *frame, void *context, struct error *error)
{
    uint64_t *last = context, n;
    if (frame->payload.length < sizeof(n) || frame->sequence != *last + 1 ||
        frame->kind != (uint32_t)frame->sequence)
        return error_set(error, STATUS_BUG, "another frame");
    memcpy(&n, frame->payload.data, sizeof(n));
    if (n != frame->sequence || (frame->payload.length != length_of(n, false) &&
                                 frame->payload.length != length_of(n, true)))
        return error_set(error, STATUS_BUG, "another payload");
    for (size_t i = sizeof(n); i < frame->payload.length; i++)
        if (frame->payload.data[i] != (char)n)
            return error_set(error, STATUS_BUG, "other bytes");
    *last = n;
    return STATUS_OK;
}

static void assert_log(struct fixture *f, uint64_t last)
{
    struct frames *reader;
    uint64_t seen = 0;
    assert_int_equal(frames_open_read(f->log, &reader, &f->error), STATUS_OK);
    if (frames_walk(reader, 0, see, &seen, &f->error) != STATUS_OK)
        fail_msg("%s: %s", f->error.file, f->error.text);
    assert_int_equal(seen, last);
    frames_close(reader);
}

static void wait_for(atomic_int *what, int wanted)
{
    for (int i = 0; i < 20000 && atomic_load(what) < wanted; i++)
        usleep(500);
    assert_true(atomic_load(what) >= wanted);
}

static void test_committer__frames_are_durable_in_order(void **state)
{
    struct fixture *f = *state;
    start(f, 3, true);
    submit(f, 1, 400); /* some 4 MB: several segments */
    assert_int_equal(committer_wait(f->committer, 400, &f->error), STATUS_OK);
    assert_int_equal(committer_durable(f->committer), 400);
    assert_log(f, 400);
    struct committer_cost cost = committer_cost(f->committer);
    assert_int_equal(cost.frames, 400);
    assert_true(cost.groups <= 400 && cost.groups >= 134);
    assert_true(cost.log.syncs >= cost.groups && cost.log.bytes > 3000000);
    assert_true(cost.log.calls >= 400 + cost.groups);
    finish(f, STATUS_OK);
    assert_int_equal(f->told_durable, 400);
    start(f, 2, true); /* and goes on */
    submit(f, 401, 410);
    finish(f, STATUS_OK);
    assert_log(f, 410);
}

static void test_committer__stop_commits_what_was_submitted(void **state)
{
    struct fixture *f = *state;
    for (uint64_t n = 0; n < 40; n += 4) {
        start(f, 8, true);
        submit(f, n + 1, n + 4);
        finish(f, STATUS_OK);
        assert_int_equal(f->told_durable, n + 4);
        assert_log(f, n + 4);
    }
    start(f, 8, true); /* nothing at all */
    finish(f, STATUS_OK);
}

static void test_committer__nothing_is_durable_before_its_sync(void **state)
{
    struct fixture *f = *state;
    f->frames_are_pages = true;
    start(f, 4, true);
    sync_delay_us = 300;
    submit(f, 1, 200);
    assert_int_equal(committer_wait(f->committer, 200, &f->error), STATUS_OK);
    finish(f, STATUS_OK);
}

static void test_committer__what_waits_shares_a_sync(void **state)
{
    struct fixture *f = *state;
    start(f, 16, true);
    gate_is_shut = true;
    submit(f, 1, 16);
    int syncs = sync_count;
    gate_is_shut = false;
    assert_int_equal(committer_wait(f->committer, 16, &f->error), STATUS_OK);
    assert_int_equal(sync_count - syncs, 1);
    assert_int_equal(committer_cost(f->committer).groups, 1);
    finish(f, STATUS_OK);
}

static void test_committer__slow_disk_runs_out_of_buffers(void **state)
{
    struct fixture *f = *state;
    start(f, 4, true);
    gate_is_shut = true;
    submit(f, 1, 4);
    wait_for(&writers_at_gate, 1);
    assert_false(submit_one(f, 5));
    assert_null(committer_take(f->committer));
    assert_int_equal(committer_durable(f->committer), 0);
    assert_int_equal(committer_state(f->committer), COMMITTER_RUNNING);
    gate_is_shut = false;
    assert_int_equal(committer_wait(f->committer, 4, &f->error), STATUS_OK);
    submit(f, 5, 8);
    finish(f, STATUS_OK);
    assert_log(f, 8);
}

static void test_committer__owner_may_use_the_log_when_all_is_durable(void **state)
{
    struct fixture *f = *state;
    start(f, 4, true);
    for (uint64_t n = 1; n <= 30; n++) {
        uint64_t seen = 0;
        submit(f, n, n);
        assert_int_equal(committer_wait(f->committer, n, &f->error), STATUS_OK);
        assert_int_equal(frames_last_sequence(f->frames), n);
        assert_int_equal(frames_walk(f->frames, 0, see, &seen, &f->error), STATUS_OK);
        assert_int_equal(seen, n);
    }
    finish(f, STATUS_OK);
}

static void test_committer__idle_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct timespec before, after;
    start(f, 4, true);
    submit(f, 1, 10);
    assert_int_equal(committer_wait(f->committer, 10, &f->error), STATUS_OK);
    usleep(20000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    usleep(200000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t spent = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    assert_true(spent < 20000000);
    finish(f, STATUS_OK);
}

/* ---- full disks and broken ones ------------------------------------------------------------------------------------ */

static void test_committer__full_disk_is_waited_for(void **state)
{
    struct fixture *f = *state;
    for (int fit = 0; fit < 4; fit++) { /* the first of a group, and those behind it */
        uint64_t before = (uint64_t)fit * 6;
        f->told_waiting = f->told_running = 0;
        start(f, 8, true);
        gate_is_shut = true;
        submit(f, before + 1, before + 6);
        writes_fit = fit;
        write_errno = ENOSPC;
        gate_is_shut = false;
        wait_for(&f->told_waiting, 1);
        assert_int_equal(committer_state(f->committer), COMMITTER_WAITING);
        assert_int_equal(committer_durable(f->committer), before + (uint64_t)fit);
        assert_int_equal(committer_error(f->committer, &f->error), STATUS_OK);
        write_errno = 0;
        assert_int_equal(committer_wait(f->committer, before + 6, &f->error), STATUS_OK);
        assert_int_equal(f->told_running, 1);
        assert_int_equal(f->told_waiting, 1);
        assert_int_equal(committer_state(f->committer), COMMITTER_RUNNING);
        finish(f, STATUS_OK);
        assert_log(f, before + 6);
    }
}

static void test_committer__full_disk_ends_it_where_it_must_not_wait(void **state)
{
    struct fixture *f = *state;
    start(f, 8, false);
    gate_is_shut = true;
    submit(f, 1, 6);
    writes_fit = 2;
    write_errno = ENOSPC;
    gate_is_shut = false;
    assert_int_equal(committer_wait(f->committer, 6, &f->error), STATUS_NO_SPACE);
    assert_int_equal(f->told_waiting, 0);
    assert_int_equal(committer_durable(f->committer), 2);
    write_errno = 0;
    finish(f, STATUS_NO_SPACE);
    assert_int_equal(f->told_failed, 1);
    assert_log(f, 2);
}

static void test_committer__waiting_for_room_can_be_given_up(void **state)
{
    struct fixture *f = *state;
    start(f, 8, true);
    write_errno = ENOSPC;
    submit(f, 1, 3);
    wait_for(&f->told_waiting, 1);
    int64_t before = park_now();
    committer_give_up(f->committer);
    assert_int_equal(committer_wait(f->committer, 3, &f->error), STATUS_NO_SPACE);
    assert_true(park_now() - before < (int64_t)10 * COMMITTER_RETRY_MS * 1000000);
    finish(f, STATUS_NO_SPACE);
}

static void test_committer__full_file_system_loses_nothing(void **state)
{
    struct fixture *f = *state;
    if (!scratch_mount(f->root, 1 << 20))
        skip();
    start(f, 4, true);
    uint64_t n = 1;
    while (atomic_load(&f->told_waiting) == 0) {
        n += submit_one(f, n);
        assert_true(n < 1000);
    }
    assert_true(n > 20);
    assert_int_equal(mount("none", f->root, "tmpfs", MS_REMOUNT, "size=8388608"), 0);
    submit(f, n, n + 50);
    finish(f, STATUS_OK);
    assert_log(f, n + 50);
}

static void test_committer__broken_disk_ends_it(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0;
    for (int in_sync = 0; in_sync < 2; in_sync++) {
        struct frame_buffer *buffer = NULL;
        f->told_failed = 0;
        start(f, 4, true);
        before = frames_last_sequence(f->frames);
        submit(f, before + 1, before + 2);
        assert_int_equal(committer_wait(f->committer, before + 2, &f->error), STATUS_OK);
        *(in_sync ? &sync_errno : &write_errno) = EIO;
        submit(f, before + 3, before + 4);
        assert_int_equal(committer_wait(f->committer, before + 4, &f->error), STATUS_IO);
        assert_non_null(strstr(f->error.text, "Input/output error"));
        assert_int_equal(committer_durable(f->committer), before + 2);
        assert_int_equal(committer_state(f->committer), COMMITTER_FAILED);
        write_errno = sync_errno = 0;
        /* There is no way back, and nobody waits for ever. */
        while ((buffer = committer_take(f->committer)) != NULL)
            (void)committer_submit(f->committer, 1, buffer);
        assert_int_equal(committer_take_wait(f->committer, &buffer, &f->error), STATUS_IO);
        assert_int_equal(committer_error(f->committer, &f->error), STATUS_IO);
        finish(f, STATUS_IO);
        assert_int_equal(f->told_failed, 1);
        assert_int_equal(f->told_durable, before + 2);
        /* Whatever is there after a failure, all that was durable is. */
        start(f, 2, true);
        assert_true(committer_durable(f->committer) >= before + 2);
        f->told_durable = committer_durable(f->committer);
        finish(f, STATUS_OK);
    }
}

struct victim {
    struct fixture *f;
    int fds[2];
};

static int commit_until_killed(void *context)
{
    struct victim *victim = context;
    struct fixture *f = victim->f;
    f->pipe = victim->fds[1];
    start(f, 3, true);
    uint64_t last = frames_last_sequence(f->frames);
    f->told_durable = last;
    submit(f, last + 1, last + 100000);
    return 1;
}

static void test_committer__what_was_durable_outlives_a_kill(void **state)
{
    struct fixture *f = *state;
    uint64_t durable = 0, random = 7;
    for (int i = 0; i < 25; i++) {
        struct victim victim = {.f = f};
        assert_int_equal(pipe(victim.fds), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(commit_until_killed(&victim));
        close(victim.fds[1]);
        int how;
        uint64_t sequence;
        for (uint64_t reports = 1 + scratch_random(&random) % 12; reports > 0; reports--)
            if (read(victim.fds[0], &sequence, sizeof(sequence)) == sizeof(sequence))
                durable = sequence;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        while (read(victim.fds[0], &sequence, sizeof(sequence)) == sizeof(sequence))
            durable = sequence;
        close(victim.fds[0]);
        struct frames_options options = {.segment_bytes = 1 << 20, .aligned = true};
        assert_int_equal(frames_open(f->log, options, &f->frames, NULL, &f->error), STATUS_OK);
        uint64_t last = frames_last_sequence(f->frames);
        assert_true(last >= durable);
        frames_close(f->frames);
        f->frames = NULL;
        assert_log(f, last);
    }
    assert_true(durable > 25);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_committer__frames_are_durable_in_order),
        TEST(test_committer__stop_commits_what_was_submitted),
        TEST(test_committer__nothing_is_durable_before_its_sync),
        TEST(test_committer__what_waits_shares_a_sync),
        TEST(test_committer__slow_disk_runs_out_of_buffers),
        TEST(test_committer__owner_may_use_the_log_when_all_is_durable),
        TEST(test_committer__idle_costs_nothing),
        TEST(test_committer__full_disk_is_waited_for),
        TEST(test_committer__full_disk_ends_it_where_it_must_not_wait),
        TEST(test_committer__waiting_for_room_can_be_given_up),
        TEST(test_committer__full_file_system_loses_nothing),
        TEST(test_committer__broken_disk_ends_it),
        TEST(test_committer__what_was_durable_outlives_a_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
