/* Tokens through threads, as Concurrency Kit checks its own rings: every token arrives, once, in
 * order, with what was written into it. RATEL_LONG=1 sends fifty times as many and takes the
 * counters past 2^32. */
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
#include <stdatomic.h>

#include "base/ring.h"
#include "engine/base/seeded.h"

static uint64_t rounds(uint64_t normal)
{
    return getenv("RATEL_LONG") ? normal * 50 : normal;
}

static struct ring *new_ring(uint32_t slots)
{
    struct ring *ring = NULL;
    assert_int_equal(ring_new(slots, &ring), STATUS_OK);
    return ring;
}

/* Tests' assertions work on the main thread only; the others stop everything. */
static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "ring_test: %s\n", what);
    abort();
}

static void push_waiting(struct ring *ring, void *item)
{
    while (!ring_push(ring, item))
        sched_yield();
}

static void *pop_waiting(struct ring *ring)
{
    void *item;
    while (!(item = ring_pop(ring)))
        sched_yield();
    return item;
}

/* ---- one thread
 * ----------------------------------------------------------------------------------------------------
 */

static void test_ring_slots_for__the_next_power_of_two_that_holds_them(void **state)
{
    (void)state;
    static const struct {
        uint32_t count, slots;
    } cases[] = {
        {1, 2}, {2, 4}, {3, 4}, {4, 8}, {63, 64}, {64, 128}, {RING_SLOTS_MAX - 1, RING_SLOTS_MAX}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(ring_slots_for(cases[i].count), cases[i].slots);
}

static void test_ring__behaves_like_a_bounded_queue(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 4, 8, 64, 1024};
    struct seeded seeded = seeded_init();
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        struct ring *ring = new_ring(sizes[s]);
        uint32_t capacity = sizes[s] - 1;
        uintptr_t pushed = 0, popped = 0; /* the model: items are numbered from 1 */
        assert_int_equal(ring_capacity(ring), capacity);
        assert_null(ring_pop(ring));
        for (int burst = 0; burst < 2000; burst++) {
            for (uint64_t n = seeded_below(&seeded, capacity + 3); n; n--) {
                bool room = pushed - popped < capacity;
                assert_int_equal(ring_is_full(ring), !room);
                assert_int_equal(ring_push(ring, (void *)(pushed + 1)), room);
                pushed += room;
            }
            for (uint64_t n = seeded_below(&seeded, capacity + 3); n; n--) {
                assert_int_equal(ring_is_empty(ring), pushed == popped);
                uintptr_t expected = pushed == popped ? 0 : ++popped;
                assert_int_equal((uintptr_t)ring_pop(ring), expected);
            }
            assert_int_equal(ring_count(ring), pushed - popped);
        }
        ring_free(ring);
    }
}

static void test_ring__counters_pass_their_width(void **state)
{
    (void)state;
    if (!getenv("RATEL_LONG"))
        skip();
    struct ring *ring = new_ring(4);
    char items[3];
    assert_true(ring_push(ring, &items[0]) && ring_push(ring, &items[1]));
    for (uint64_t i = 0; i < ((uint64_t)1 << 32) + 5; i++) {
        bool pushed = ring_push(ring, &items[(i + 2) % 3]);
        if (!pushed || ring_pop(ring) != &items[i % 3])
            fail_msg("wrong at %llu", (unsigned long long)i);
    }
    assert_int_equal(ring_count(ring), 2);
    ring_free(ring);
}

/* ---- tokens in a circle of threads
 * --------------------------------------------------------------------------------- */

enum { HOPS = 3, TOKENS = 200 };

struct token {
    uint64_t number;
    uint64_t round;
    uint64_t hops[HOPS]; /* plain memory: the ring alone makes this safe */
};

struct hop {
    struct ring *from, *to;
    uint64_t rounds;
    uint32_t tokens;
    uint32_t index;
    uint64_t seed;
};

static void *pass_on(void *argument)
{
    struct hop *hop = argument;
    struct seeded seeded = {hop->seed, hop->seed};
    struct token *held[TOKENS];
    uint64_t taken = 0, total = hop->rounds * hop->tokens;
    while (taken < total) {
        /* A burst is taken, then given. What is held is bounded by the tokens that there are. */
        uint64_t wanted = 1 + seeded_below(&seeded, hop->tokens), count = 0;
        if (wanted > total - taken)
            wanted = total - taken;
        void *item;
        while (count < wanted && (item = ring_pop(hop->from)) != NULL)
            held[count++] = item;
        if (!count)
            sched_yield();
        for (uint64_t i = 0; i < count; i++) {
            struct token *token = held[i];
            must(token->number == taken % hop->tokens, "a token is out of order, lost or doubled");
            must(token->hops[hop->index] == taken / hop->tokens, "a token was not here last round");
            token->hops[hop->index]++;
            token->round += hop->index == 0;
            taken++;
            push_waiting(hop->to, token);
        }
    }
    return NULL;
}

static void run_circle(uint32_t slots, uint32_t count, uint64_t turns)
{
    struct ring *rings[HOPS];
    static struct token tokens[TOKENS];
    struct hop hops[HOPS];
    pthread_t threads[HOPS];
    for (uint32_t i = 0; i < HOPS; i++)
        rings[i] = new_ring(slots);
    /* All of them fit into the first ring, so the circle cannot clog. */
    for (uint32_t i = 0; i < count; i++) {
        tokens[i] = (struct token){.number = i};
        assert_true(ring_push(rings[0], &tokens[i]));
    }
    for (uint32_t i = 0; i < HOPS; i++) {
        hops[i] = (struct hop){rings[i], rings[(i + 1) % HOPS], turns, count, i, i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, pass_on, &hops[i]), 0);
    }
    for (uint32_t i = 0; i < HOPS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < count; i++) {
        assert_ptr_equal(ring_pop(rings[0]), &tokens[i]);
        assert_int_equal(tokens[i].round, turns);
        for (uint32_t n = 0; n < HOPS; n++)
            assert_int_equal(tokens[i].hops[n], turns);
    }
    for (uint32_t i = 0; i < HOPS; i++) {
        assert_true(ring_is_empty(rings[i]));
        ring_free(rings[i]);
    }
}

static void test_ring__tokens_go_round_in_order(void **state)
{
    (void)state;
    run_circle(2, 1, rounds(5000));
    run_circle(4, 3, rounds(5000));
    run_circle(16, 15, rounds(2000));
    run_circle(16, 5, rounds(2000));
    run_circle(256, 200, rounds(500));
}

/* ---- two threads, bursts
 * ------------------------------------------------------------------------------------------- */

struct stream {
    struct ring *ring;
    uint64_t total;
    uint64_t seed;
};

static void *produce_bursts(void *argument)
{
    struct stream *stream = argument;
    struct seeded seeded = {stream->seed, stream->seed};
    for (uint64_t sent = 0; sent < stream->total;) {
        uint64_t burst = 1 + seeded_below(&seeded, 2 * ring_capacity(stream->ring));
        for (; burst && sent < stream->total; burst--)
            push_waiting(stream->ring, (void *)(uintptr_t)++sent);
        sched_yield();
    }
    return NULL;
}

static void test_ring__bursts_arrive_in_order(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 8, 64, 4096};
    struct seeded seeded = seeded_init();
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        struct stream stream = {new_ring(sizes[s]), rounds(sizes[s] < 8 ? 20000 : 200000), s};
        pthread_t producer;
        assert_int_equal(pthread_create(&producer, NULL, produce_bursts, &stream), 0);
        for (uint64_t received = 0; received < stream.total;) {
            uint64_t burst = 1 + seeded_below(&seeded, 2 * ring_capacity(stream.ring));
            for (; burst && received < stream.total; burst--)
                assert_int_equal((uintptr_t)pop_waiting(stream.ring), ++received);
            sched_yield();
        }
        pthread_join(producer, NULL);
        assert_null(ring_pop(stream.ring));
        ring_free(stream.ring);
    }
}

/* ---- roles that change hands
 * --------------------------------------------------------------------------------------- */

/* Two producers and two consumers take turns; the turn is what orders one's last call before the
 * other's first. */
struct side {
    atomic_uint turn;
    uint64_t next; /* written by whoever has the turn */
};

struct worker {
    struct ring *ring;
    struct side *side;
    struct token *tokens;
    uint64_t total;
    unsigned which;
    bool produces;
};

static void *work_in_turns(void *argument)
{
    struct worker *worker = argument;
    struct side *side = worker->side;
    for (;;) {
        while (atomic_load_explicit(&side->turn, memory_order_acquire) != worker->which)
            sched_yield();
        uint64_t stop = side->next + 1 + side->next % 7;
        for (; side->next < stop && side->next < worker->total; side->next++) {
            struct token *expected = &worker->tokens[side->next];
            if (worker->produces) {
                expected->round = side->next;
                push_waiting(worker->ring, expected);
                continue;
            }
            struct token *token = pop_waiting(worker->ring);
            must(token == expected, "out of order after the role changed hands");
            must(token->round == side->next, "not what was written");
        }
        bool done = side->next == worker->total;
        atomic_store_explicit(&side->turn, !worker->which, memory_order_release);
        if (done)
            return NULL;
    }
}

static void test_ring__roles_change_hands(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 8, 64};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        struct ring *ring = new_ring(sizes[s]);
        struct side sides[2] = {0};
        struct worker workers[4];
        pthread_t threads[4];
        uint64_t total = rounds(5000);
        struct token *tokens = calloc(total, sizeof(*tokens));
        assert_non_null(tokens);
        for (unsigned i = 0; i < 4; i++) {
            workers[i] = (struct worker){ring, &sides[i / 2], tokens, total, i % 2, i / 2 == 0};
            assert_int_equal(pthread_create(&threads[i], NULL, work_in_turns, &workers[i]), 0);
        }
        for (unsigned i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(sides[0].next, total);
        assert_int_equal(sides[1].next, total);
        assert_true(ring_is_empty(ring));
        free(tokens);
        ring_free(ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_slots_for__the_next_power_of_two_that_holds_them),
        cmocka_unit_test(test_ring__behaves_like_a_bounded_queue),
        cmocka_unit_test(test_ring__counters_pass_their_width),
        cmocka_unit_test(test_ring__tokens_go_round_in_order),
        cmocka_unit_test(test_ring__bursts_arrive_in_order),
        cmocka_unit_test(test_ring__roles_change_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
