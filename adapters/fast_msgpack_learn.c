/* Learning the layouts of records (fast_msgpack.h).
 *
 * At first every text is taken to have a fixed length, so that a record is one segment. Where that
 * makes more children than a fork has room for, the field whose texts had the most lengths is taken
 * to vary from then on, and everything is learnt anew: a few times in the life of a decoder. */
#include "adapters/fast_msgpack.h"
#include "adapters/msgpack_frame.h"

/* Windows are looked for in so many bytes of a segment. */
#define WINDOW_REACH 400
/* Records without learning after the memory was full, at most: doubled each time. */
#define PAUSE_FIRST 1024
#define PAUSES_MAX  12

/* A field whose texts have had more lengths than this varies. */
#define LENGTHS_MAX 12

struct learner {
    struct msgpack_fast *fast;
    struct fork *fork;      /* where the segment that is being made belongs */
    struct segment segment; /* which is not long enough yet */
    bool added;
};

/* ---- forks
 * ------------------------------------------------------------------------------------------------------------
 */

static void fork_fill(struct fork *fork)
{
    memset(fork->buckets, 0, sizeof(fork->buckets));
    for (uint32_t i = 0; i < fork->child_count; i++) {
        struct segment *child = fork->children[i];
        struct fork_slot *bucket = &fork->buckets[fork_bucket(&fork->windows, child->expect)];
        child->sibling = bucket->segment;
        *bucket = (struct fork_slot){child, child->length};
    }
}

/* The bits that all children care for in the eight bytes at a place. */
static uint64_t common_mask(const struct fork *fork, uint32_t at)
{
    uint64_t mask = UINT64_MAX;
    for (uint32_t i = 0; i < fork->child_count && mask; i++)
        mask &= load_word(fork->children[i]->care + at);
    return mask;
}

static unsigned buckets_used(const struct fork *fork)
{
    bool used[FORK_BUCKETS] = {false};
    unsigned count = 0;
    for (uint32_t i = 0; i < fork->child_count; i++) {
        size_t bucket = fork_bucket(&fork->windows, fork->children[i]->expect);
        count += !used[bucket];
        used[bucket] = true;
    }
    return count;
}

/* Takes the windows one by one, each the one that tells most children apart. */
static void fork_choose_windows(struct fork *fork)
{
    struct windows *windows = &fork->windows;
    unsigned best = 1;
    fork->spread = fork->child_count;
    *windows = (struct windows){{0}, {0}};
    for (int i = 0; i < FORK_WINDOWS && best < fork->child_count; i++) {
        uint32_t best_at = 0;
        uint64_t best_mask = 0;
        for (uint32_t at = 0; at < WINDOW_REACH; at++) {
            windows->at[i] = at;
            windows->mask[i] = common_mask(fork, at);
            unsigned used = windows->mask[i] ? buckets_used(fork) : 0;
            if (used > best) {
                best = used;
                best_at = at;
                best_mask = windows->mask[i];
            }
        }
        windows->at[i] = best_at;
        windows->mask[i] = best_mask;
    }
}

/* What the new child does not care for is no longer looked at. New windows are chosen, which takes
 * long, when half as many children have come again and the old ones do not tell this one apart. */
static void fork_add(struct fork *fork, struct segment *child)
{
    struct windows *windows = &fork->windows;
    assert(fork->child_count < FORK_CHILDREN);
    fork->children[fork->child_count++] = child;
    for (int i = 0; i < FORK_WINDOWS; i++)
        windows->mask[i] &= load_word(child->care + windows->at[i]);
    fork_fill(fork);
    if (child->sibling && fork->child_count > fork->spread + fork->spread / 2) {
        fork_choose_windows(fork);
        fork_fill(fork);
    }
}

/* ---- room
 * -------------------------------------------------------------------------------------------------------------
 */

/* Everything learnt is forgotten; unless somebody still uses what was before that. */
static void start_anew(struct msgpack_fast *fast)
{
    struct shelf *other = &fast->shelves[fast->shelf == &fast->shelves[0]];
    if (__atomic_load_n(&other->users, __ATOMIC_ACQUIRE) > 0)
        return;
    int worst = -1;
    int most = 1;
    for (int field = 0; field < FIELD_COUNT; field++) {
        int lengths = __builtin_popcountll(fast->lengths[field]);
        if (!(fast->varying >> field & 1) && lengths > most) {
            most = lengths;
            worst = field;
        }
    }
    if (worst >= 0) {
        fast->varying |= UINT64_C(1) << worst;
    } else {
        fast->pause = (uint32_t)PAUSE_FIRST << fast->pauses;
        fast->pauses += fast->pauses < PAUSES_MAX;
    }
    fast->shelf = other;
    memset(fast->forks, 0, fast->fork_count * sizeof(*fast->forks));
    fast->segment_count = 0;
    fast->fork_count = 1;
}

static bool same_segment(const struct segment *a, const struct segment *b)
{
    return a->length == b->length && a->end == b->end && a->text == b->text &&
           memcmp(a->expect, b->expect, a->length) == 0 && memcmp(a->care, b->care, a->length) == 0;
}

/* Ends the segment that is being made, and goes on behind it. False when there was no room. */
static bool end_segment(struct learner *learner, enum segment_end end, unsigned text)
{
    struct msgpack_fast *fast = learner->fast;
    struct segment *made = &learner->segment;
    struct fork *fork = learner->fork;
    struct segment *child = NULL;
    made->end = (uint8_t)end;
    made->text = (uint8_t)text;
    if (made->constant_field == 0)
        made->constant_field = FIELD_NOWHERE;
    for (unsigned i = made->byte_count; i < SEGMENT_NUMBERS; i++)
        made->bytes[i] = (struct segment_number){.field = FIELD_NOWHERE};
    made->blocks = (uint16_t)((made->length + 63) / 64);
    if (text < FIELD_COUNT)
        made->present |= FLAT_FIELDS & UINT64_C(1) << text;
    for (uint32_t i = 0; i < fork->child_count && !child; i++)
        if (same_segment(fork->children[i], made))
            child = fork->children[i];
    if (!child) {
        if (fork->child_count == FORK_CHILDREN || fast->segment_count == SEGMENTS_MAX) {
            start_anew(fast);
            return false;
        }
        made->number = (uint16_t)fast->segment_count;
        child = &fast->shelf->segments[fast->segment_count++];
        *child = *made;
        if (end == SEGMENT_TEXT)
            child->fork = &fast->forks[fast->fork_count++];
        fork_add(fork, child);
        learner->added = true;
    }
    learner->fork = child->fork;
    *made = (struct segment){0};
    return true;
}

/* ---- tokens
 * -----------------------------------------------------------------------------------------------------------
 */

static bool has_room(const struct learner *learner, size_t bytes)
{
    return learner->segment.length + bytes <= SEGMENT_BYTES;
}

/* Bytes that must be as they are. */
static void add_exact(struct learner *learner, const uint8_t *at, size_t length)
{
    struct segment *segment = &learner->segment;
    assert(has_room(learner, length));
    memcpy(segment->expect + segment->length, at, length);
    memset(segment->care + segment->length, 0xff, length);
    segment->length = (uint16_t)(segment->length + length);
}

static void add_masked(struct learner *learner, uint8_t expect, uint8_t care, size_t length)
{
    struct segment *segment = &learner->segment;
    assert(has_room(learner, length) && (expect & ~care) == 0);
    memset(segment->expect + segment->length, expect, length);
    memset(segment->care + segment->length, care, length);
    segment->length = (uint16_t)(segment->length + length);
}

static bool is_ascii(const uint8_t *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (at[i] >= 0x80)
            return false;
    return true;
}

static bool add_text(struct learner *learner, unsigned field, const uint8_t *value,
                     struct msgpack_header header)
{
    struct msgpack_fast *fast = learner->fast;
    struct segment *segment = &learner->segment;
    const uint8_t *content = value + header.bytes;
    bool fits = has_room(learner, header.bytes + header.length) && header.length <= UINT8_MAX;
    bool str = *value != 0xc4 && *value != 0xc5 && *value != 0xc6 && *value != 0xdb;
    bool varies = field == FIELD_COUNT || (fast->varying >> field & 1) || !fits ||
                  !is_ascii(content, header.length);
    if (!str || (varies && field == FIELD_STARTDATE))
        return false;
    if (varies)
        return end_segment(learner, SEGMENT_TEXT, field);
    fast->lengths[field] |= UINT64_C(1) << (header.length & 63);
    if (__builtin_popcountll(fast->lengths[field]) > LENGTHS_MAX) {
        start_anew(fast);
        return false;
    }
    add_exact(learner, value, header.bytes);
    if (FLAT_FIELDS >> field & 1) {
        segment->lanes[field] = flat_lane(segment->length, header.length, VALUE_TEXT);
        segment->value_fields[segment->value_count++] = (uint8_t)field;
        segment->present |= UINT64_C(1) << field;
    }
    if (field != FIELD_STARTDATE) {
        add_masked(learner, 0, 0x80, header.length);
        return true;
    }
    /* Nothing in it may turn into a percent sign, which makes the reference decoder decode URLs.
     * The sign is 0x25: what else starts with 2 must be as it is, the rest must start as it does.
     */
    for (size_t i = 0; i < header.length; i++) {
        uint8_t care = content[i] >> 4 == 2 ? 0xff : 0xf0;
        add_masked(learner, content[i] & care, care, 1);
    }
    return true;
}

static bool add_number(struct learner *learner, unsigned field, const uint8_t *value, size_t length,
                       bool boolean)
{
    struct segment *segment = &learner->segment;
    bool wanted = field != FIELD_COUNT && FLAT_FIELDS >> field & 1;
    struct segment_number number = {.field = (uint8_t)field};
    if (segment->byte_count == SEGMENT_NUMBERS || segment->number_count == SEGMENT_NUMBERS)
        return false;
    if (length == 0) {
        number.at = segment->length;
        if (*value >= 0xe0 && wanted)
            return false;
        if (wanted && field != FIELD_USAGETYPE)
            segment->bytes[segment->byte_count++] = number;
        if (field == FIELD_USAGETYPE) { /* which tells layouts apart */
            segment->constant_field = FIELD_USAGETYPE;
            segment->constant = learner->fast->byte_lanes[*value];
            add_exact(learner, value, 1);
        } else if (*value >= 0xe0)
            add_exact(learner, value, 1);
        else if (boolean)
            add_masked(learner, 0xc2, 0xfe, 1);
        else
            add_masked(learner, 0, 0x80, 1);
        return true;
    }
    bool has_sign = *value >= 0xd0;
    if (has_sign && value[1] >= 0x80)
        return false;
    add_exact(learner, value, 1);
    number.at = segment->length;
    number.shift = (uint8_t)(64 - 8 * length);
    if (wanted)
        segment->numbers[segment->number_count++] = number;
    add_masked(learner, 0, has_sign ? 0x80 : 0, 1);
    add_masked(learner, 0, 0, length - 1);
    return true;
}

static bool add_value(struct learner *learner, unsigned field, const uint8_t *value,
                      struct msgpack_header header)
{
    struct segment *segment = &learner->segment;
    if (header.kind == MSGPACK_TEXT)
        return add_text(learner, field, value, header);
    size_t bytes = header.bytes + header.length;
    if (!has_room(learner, bytes))
        return false;
    if (field != FIELD_COUNT && header.kind != MSGPACK_NIL)
        segment->present |= FLAT_FIELDS & UINT64_C(1) << field;
    switch (header.kind) {
    case MSGPACK_INTEGER:
    case MSGPACK_BOOLEAN:
        return add_number(learner, field, value, header.length, header.kind == MSGPACK_BOOLEAN);
    case MSGPACK_NIL:
        add_exact(learner, value, 1);
        return true;
    case MSGPACK_FLOAT: /* of an unknown member, or the record were not plain */
        add_exact(learner, value, 1);
        add_masked(learner, 0, 0, header.length);
        return true;
    case MSGPACK_LIST:
    case MSGPACK_MAP:
        if (header.length > 0)
            return false;
        add_exact(learner, value, header.bytes);
        return true;
    default:
        return false;
    }
}

bool learn_layout(struct msgpack_fast *fast, const uint8_t *at, const uint8_t *end)
{
    struct learner learner = {.fast = fast, .fork = &fast->forks[0]};
    struct msgpack_header map = msgpack_header(at, end);
    assert(map.kind == MSGPACK_MAP);
    add_exact(&learner, at, map.bytes);
    at += map.bytes;
    for (uint64_t i = 0; i < map.length; i++) {
        struct slice name;
        const uint8_t *value;
        bool text = msgpack_text(at, end, &name, &value);
        assert(text);
        unsigned field = field_by_name(name);
        /* An unknown name in the first place may make it an answer, depending on what follows. */
        if ((i == 0 && field == FIELD_COUNT) || !has_room(&learner, (size_t)(value - at)))
            return false;
        add_exact(&learner, at, (size_t)(value - at));
        struct msgpack_header header = msgpack_header(value, end);
        if (!add_value(&learner, field, value, header))
            return false;
        bool nested = header.kind == MSGPACK_LIST || header.kind == MSGPACK_MAP;
        at = value + header.bytes + (nested ? 0 : header.length);
    }
    assert(at == end);
    return end_segment(&learner, SEGMENT_RECORD, FIELD_COUNT) && learner.added;
}
