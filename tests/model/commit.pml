/* The protocol by which usage is counted exactly once through crashes: lanes, shards, committers, acknowledgement, recovery.
 *
 * A source has WINDOWS windows of ITEMS records. LANES lanes take them in turn; each sends its records to the shard that owns them, through a
 * ring of its own for each shard, then an end-of-window mark to every shard; what it cannot read goes to the quarantine log before the
 * marks. A shard takes windows in order, each from its lane's ring; its covered set says whether a record is new. New events and the window
 * that is complete go into the frame that is being filled, which it may hand over at any time; two frames can be under way. The committer
 * writes one and syncs it, then the next; before it writes one, it syncs the quarantine log. A window is acknowledged when every shard's
 * durable position has reached it.
 *
 * A crash comes at any point, CRASHES times. Memory is lost. A frame that was written and not synced is there, whole, or not, and so is what was
 * written to the quarantine log. Covered sets are rebuilt from the frames; the source goes on after what was acknowledged, or
 * after the least durable position of the shards, which can be ahead of that, or, when it has forgotten where it was, from the start.
 *
 * Every process is a loop of atomic steps on global state, so that a crash can take it all away at once. Checked (tests/model/check):
 *
 *   never doubled       no event is in two frames, and no content in the quarantine log twice
 *   never lost          what is acknowledged is durable, at every step and through every crash; in the end that is everything
 *   never stuck         no state without a next step, except after everything was acknowledged
 *
 * Each of the mistakes at BUG_... must be found. */

#ifndef CRASHES
#define CRASHES 2
#endif
#define WINDOWS 4
#define ITEMS 3
#define LANES 2
#define SHARDS 2
#ifndef RING
#define RING 1       /* records in a ring; less room, more waiting */
#endif
#define FRAME 2      /* events in a frame; a full one must be handed over first */
#define IN_FLIGHT 2  /* frames that are under way */

/* Records are bits. A and C belong to shard 0, B and D to shard 1; Q cannot be read. Some come twice in a window, or again in a later one;
 * the last window has nothing new. */
#define A 1
#define B 2
#define C 4
#define D 8
#define Q 16
#define MARK 32

#define OWNER(record) ((record) == B || (record) == D)
#define OWNED(shard) ((shard) == 0 -> A | C : B | D)
#define RECORD(window, index) \
    ((window) == 1 -> ((index) == 0 -> A : ((index) == 1 -> B : A)) \
   : ((window) == 2 -> ((index) == 0 -> Q : ((index) == 1 -> B : C)) \
   : ((window) == 3 -> ((index) == 0 -> D : ((index) == 1 -> Q : C)) \
   :                   ((index) == 0 -> C : ((index) == 1 -> D : A)))))
/* What must be durable when windows up to this one are acknowledged. */
#define EVENTS_UP_TO(window) ((window) == 0 -> 0 : ((window) == 1 -> A | B : ((window) == 2 -> A | B | C : A | B | C | D)))
#define QUARANTINE_UP_TO(window) ((window) < 2 -> 0 : Q)

#define LANE_OF(window) (((window) - 1) % LANES)
#define RING_OF(lane, shard) ((lane) * SHARDS + (shard))

/* ---- what a crash leaves ------------------------------------------------------------------------------------------- */

byte durable_events;            /* in synced frames, of all shards */
byte durable_position[SHARDS];  /* in the last synced frame of each */
byte quarantine_durable;
byte acknowledged;              /* the source's */
byte crashes;

/* ---- memory -------------------------------------------------------------------------------------------------------- */

byte lane_window[LANES];
byte lane_at[LANES]; /* the record to be sent next, then ITEMS + the shard that gets its mark next */
chan ring[LANES * SHARDS] = [RING] of { byte };

byte shard_window[SHARDS]; /* being taken */
byte covered[SHARDS];
byte filling[SHARDS];          /* events of the frame that is being filled */
byte filling_position[SHARDS]; /* and its position */
byte handed_position[SHARDS];  /* of the frame that was handed over last */
chan frames[SHARDS] = [IN_FLIGHT] of { byte, byte };
bool written[SHARDS]; /* is the first of them in the file, not yet synced? */

byte quarantine_file;  /* written, synced or not */
byte quarantine_known; /* contents that are not written again */

/* Of one step only. */
hidden byte record;
hidden byte events;
hidden byte position;
hidden byte i;

inline check()
{
    assert((durable_events & EVENTS_UP_TO(acknowledged)) == EVENTS_UP_TO(acknowledged));
    assert((quarantine_durable & QUARANTINE_UP_TO(acknowledged)) == QUARANTINE_UP_TO(acknowledged));
}

inline make_durable(one)
{
    frames[one] ? events, position;
    assert((durable_events & events) == 0);
    durable_events = durable_events | events;
    assert(position >= durable_position[one]);
    durable_position[one] = position;
    written[one] = false;
}

#define COUNT(events) (((events) & 1) + (((events) >> 1) & 1) + (((events) >> 2) & 1) + (((events) >> 3) & 1))
#define LEAST(positions) (positions[0] < positions[1] -> positions[0] : positions[1])
#define DIRTY(shard) (filling[shard] != 0 || filling_position[shard] != handed_position[shard])

/* ---- the stages ---------------------------------------------------------------------------------------------------- */

proctype lane(byte self)
{
end:
    do
    :: atomic {
        lane_window[self] <= WINDOWS && lane_at[self] < ITEMS && RECORD(lane_window[self], lane_at[self]) == Q ->
            if
            :: (quarantine_known & Q) == 0 ->
                assert((quarantine_file & Q) == 0);
                quarantine_file = quarantine_file | Q;
                quarantine_known = quarantine_known | Q
            :: else
            fi;
            lane_at[self]++
       }
    :: atomic {
        lane_window[self] <= WINDOWS && lane_at[self] < ITEMS && RECORD(lane_window[self], lane_at[self]) != Q &&
        nfull(ring[RING_OF(self, OWNER(RECORD(lane_window[self], lane_at[self])))]) ->
            record = RECORD(lane_window[self], lane_at[self]);
            ring[RING_OF(self, OWNER(record))] ! record;
            lane_at[self]++
       }
    :: atomic {
        lane_window[self] <= WINDOWS && lane_at[self] >= ITEMS && nfull(ring[RING_OF(self, lane_at[self] - ITEMS)]) ->
            ring[RING_OF(self, lane_at[self] - ITEMS)] ! MARK;
            lane_at[self]++;
            if
            :: lane_at[self] == ITEMS + SHARDS ->
                lane_at[self] = 0;
                lane_window[self] = lane_window[self] + LANES
            :: else
            fi
       }
    od
}

proctype shard(byte self)
{
end:
    do
    :: atomic {
        COUNT(filling[self]) < FRAME && nempty(ring[RING_OF(LANE_OF(shard_window[self]), self)]) ->
            ring[RING_OF(LANE_OF(shard_window[self]), self)] ? record;
            if
            :: record == MARK ->
                /* A source that sends again what was durable long ago does not take the position back. */
                if
                :: shard_window[self] > filling_position[self] -> filling_position[self] = shard_window[self]
                :: else
                fi;
                shard_window[self]++
            :: record != MARK && (covered[self] & record) == 0 ->
                covered[self] = covered[self] | record;
                filling[self] = filling[self] | record
            :: else /* a duplicate */
            fi;
            record = 0
       }
    :: atomic {
#ifdef BUG_ONLY_FULL_FRAMES
        COUNT(filling[self]) == FRAME && nfull(frames[self]) ->
#else
        DIRTY(self) && nfull(frames[self]) ->
#endif
            frames[self] ! filling[self], filling_position[self];
            handed_position[self] = filling_position[self];
            filling[self] = 0
       }
    od
}

proctype committer(byte self)
{
end:
    do
    :: atomic {
        nempty(frames[self]) && !written[self] ->
#ifndef BUG_QUARANTINE_SYNCED_LATE
            quarantine_durable = quarantine_file;
#endif
            written[self] = true;
#ifdef BUG_POSITION_APART
            frames[self] ? <events, position>;
            durable_position[self] = position;
#endif
       }
    :: atomic {
        written[self] ->
            make_durable(self);
            check()
       }
    od
}

#ifdef BUG_ACKNOWLEDGE_BEFORE_SYNC
#define REACHED LEAST(handed_position)
#else
#define REACHED LEAST(durable_position)
#endif

proctype acknowledger()
{
end:
    do
    :: atomic {
        REACHED > acknowledged ->
#ifdef BUG_QUARANTINE_SYNCED_LATE
            /* A crash after the frames and before this takes entries away, and positions say that nobody has to send them again. */
            quarantine_durable = quarantine_file;
#endif
            acknowledged = REACHED;
            check()
       }
    od
}

/* ---- crash and recovery -------------------------------------------------------------------------------------------- */

inline lose_memory(one)
{
    if
    :: written[one] -> make_durable(one) /* it was whole; recovery syncs what it has read */
    :: written[one] -> written[one] = false
    :: else
    fi;
    do
    :: frames[one] ? _, _
    :: empty(frames[one]) -> break
    od;
    filling[one] = 0;
    filling_position[one] = durable_position[one];
    handed_position[one] = durable_position[one];
#ifdef BUG_COVERAGE_FORGOTTEN
    covered[one] = 0;
#else
    covered[one] = durable_events & OWNED(one);
#endif
}

/* `after`: the last window that is not sent again. */
inline start(after)
{
    i = 0;
    do
    :: i < LANES ->
        lane_at[i] = 0;
        lane_window[i] = (LANE_OF(after + 1) == i -> after + 1 : after + 2);
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SHARDS ->
        shard_window[i] = after + 1;
        i++
    :: else -> break
    od;
    i = 0
}

proctype crash()
{
end:
    do
    :: atomic {
        crashes < CRASHES ->
            crashes++;
            lose_memory(0);
            lose_memory(1);
            i = 0;
            do
            :: i < LANES * SHARDS ->
                do
                :: ring[i] ? _
                :: empty(ring[i]) -> break
                od;
                i++
            :: else -> break
            od;
            if
            :: quarantine_durable = quarantine_file
            :: quarantine_file = quarantine_durable
            fi;
            quarantine_known = quarantine_file;
            if
            :: position = acknowledged
            :: LEAST(durable_position) != acknowledged -> position = LEAST(durable_position)
            :: acknowledged != 0 -> position = 0
            fi;
            start(position);
            events = 0;
            position = 0;
            check()
       }
    od
}

/* Not at an end before everything is acknowledged: whoever waits until then for ever is a deadlock. */
proctype finish()
{
    atomic {
        acknowledged == WINDOWS ->
            assert(durable_events == (A | B | C | D));
            assert(quarantine_durable == Q)
    }
}

init
{
    atomic {
        start(0);
        run lane(0);
        run lane(1);
        run shard(0);
        run shard(1);
        run committer(0);
        run committer(1);
        run acknowledger();
        run crash();
        run finish()
    }
}
