/* The ring's indexes and the parking of the two threads that use it (engine/base/ring.c, park.c), on a machine like x86-64: each core's
 * stores wait in a buffer, first in first out, and reach memory later than loads that follow them. A fence, an atomic exchange and a system
 * call wait until the core's own buffer is empty.
 *
 * The producer sends ITEMS numbered items through a ring of SLOTS slots, whose counters wrap at WRAP, the consumer takes them;
 * who finds the ring full or empty announces itself, looks again and sleeps; who has moved a counter wakes the other. Checked
 * (tests/model/check):
 *
 *   in order       every item is taken once and in order, across the wrap of the counters
 *   not too early  no slot is read before it was written, none is written before it was read
 *   never stuck    nobody sleeps for ever: the only end is that all items were taken
 *
 * Each of the mistakes at BUG_... must be found. */

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef ITEMS
#define ITEMS 6
#endif
#define WRAP 4 /* as 2^32 is for the real ones: a multiple of SLOTS */
#define BUFFER 3

/* Memory. A thread's futex word is written by itself through its buffer and by the other with an exchange. */
#define HEAD 0 /* the consumer's counter */
#define TAIL 1 /* the producer's counter */
#define STATE 2 /* + thread */
#define SLOT 4 /* + index */
byte memory[SLOT + SLOTS];
#define AWAKE 0
#define ANNOUNCED 1

#define PRODUCER 0
#define CONSUMER 1
chan buffer[2] = [BUFFER] of { byte, byte };
bool asleep[2];

#ifdef BUG_FULL_TOO_LATE
#define FULL(head, tail) (((tail) + WRAP - (head)) % WRAP == SLOTS + 1)
#else
#define FULL(head, tail) (((tail) + 1) % SLOTS == (head) % SLOTS)
#endif

active [2] proctype drain()
{
    byte where, what;
end:
    do
    :: atomic { buffer[_pid] ? where, what -> memory[where] = what; where = 0; what = 0 }
    od
}

inline fence(self)
{
#ifndef BUG_NO_FENCE
    empty(buffer[self])
#else
    skip
#endif
}

/* park_announce */
inline announce(self)
{
    assert(memory[STATE + self] == AWAKE || nempty(buffer[self]));
    buffer[self] ! STATE + self, ANNOUNCED;
    fence(self)
}

/* park_cancel */
inline cancel(self)
{
    buffer[self] ! STATE + self, AWAKE
}

/* park_sleep. The kernel compares and queues in one step; a late wake for an earlier sleep is slept off. */
inline sleep(self)
{
    empty(buffer[self]);
    do
    :: atomic { memory[STATE + self] == ANNOUNCED -> asleep[self] = true };
       !asleep[self]
    :: memory[STATE + self] == AWAKE -> break
    od
}

/* park_wake */
inline wake(self, other)
{
    fence(self);
    if
    :: memory[STATE + other] == AWAKE
    :: memory[STATE + other] == ANNOUNCED ->
        atomic {
            empty(buffer[self]) ->
                taken = memory[STATE + other];
                memory[STATE + other] = AWAKE
        };
        if
        :: taken == ANNOUNCED -> asleep[other] = false
        :: else
        fi;
        taken = 0
    fi
}

active proctype producer()
{
    byte tail, sent, seen, taken;
    do
    :: sent < ITEMS ->
        seen = memory[HEAD];
        if
        :: FULL(seen, tail) ->
            announce(PRODUCER);
#ifdef BUG_NO_SECOND_LOOK
            sleep(PRODUCER)
#else
            seen = memory[HEAD];
            if
            :: FULL(seen, tail) -> sleep(PRODUCER)
            :: else -> cancel(PRODUCER)
            fi
#endif
        :: else ->
            sent++;
#ifdef BUG_COUNTER_FIRST
            buffer[PRODUCER] ! TAIL, (tail + 1) % WRAP;
            buffer[PRODUCER] ! SLOT + tail % SLOTS, sent;
#else
            buffer[PRODUCER] ! SLOT + tail % SLOTS, sent;
            buffer[PRODUCER] ! TAIL, (tail + 1) % WRAP;
#endif
            tail = (tail + 1) % WRAP;
            wake(PRODUCER, CONSUMER)
        fi;
        seen = 0
    :: else -> break
    od
}

active proctype consumer()
{
    byte head, received, seen, taken;
    do
    :: received < ITEMS ->
        seen = memory[TAIL];
        if
        :: seen == head ->
            announce(CONSUMER);
            seen = memory[TAIL]; /* the second look */
            if
            :: seen == head -> sleep(CONSUMER)
            :: else -> cancel(CONSUMER)
            fi
        :: else ->
            received++;
            assert(memory[SLOT + head % SLOTS] == received);
            buffer[CONSUMER] ! HEAD, (head + 1) % WRAP;
            head = (head + 1) % WRAP;
            wake(CONSUMER, PRODUCER)
        fi;
        seen = 0
    :: else -> break
    od
}
