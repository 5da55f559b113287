/* The learnt way (fast_msgpack.h), compiled once for each kind of processor: the including file
 * says which vectors there are (fast_msgpack_vector.h), and names the kernel. */
#ifndef RATEL_ADAPTERS_FAST_MSGPACK_RUN_H
#define RATEL_ADAPTERS_FAST_MSGPACK_RUN_H

#include "adapters/fast_msgpack.h"
#include "adapters/fast_msgpack_vector.h"

#define PREFETCH_BYTES 4096

static size_t count_high(const uint8_t *at, size_t length)
{
    size_t high = 0;
    while (length > 0) {
        /* A byte counts to 255. */
        size_t part = length < 255 * VECTOR_BYTES ? length : 255 * VECTOR_BYTES;
        vector counters = vector_zero();
        size_t i = 0;
        for (; i + VECTOR_BYTES <= part; i += VECTOR_BYTES)
            counters = vector_count_tops(counters, vector_load(at + i));
        if (i < part)
            counters = vector_count_tops(counters, vector_load_head(at + i, part - i));
        high += vector_sum_bytes(counters);
        at += part;
        length -= part;
    }
    return high;
}

/* ---- any order
 * ------------------------------------------------------------------------------------------------------
 */

static inline bool pair_matches(const struct key_entry *key, const uint8_t *at)
{
#if VECTOR_BYTES == 64
    __m256i differ = _mm256_xor_si256(_mm256_loadu_si256((const void *)at),
                                      _mm256_load_si256((const void *)key->expect));
    return _mm256_testz_si256(differ, _mm256_load_si256((const void *)key->care));
#else
    vector differ = vector_zero();
    for (size_t i = 0; i < PAIR_BYTES; i += VECTOR_BYTES)
        differ = vector_differ(differ, vector_load(at + i), vector_load(key->expect + i),
                               vector_load(key->care + i));
    return vector_is_zero(differ);
#endif
}

/* What is needed for the next pair is in locals: the stores to the record could else have changed
 * it. While keys mostly come behind those that they came behind before, each one leads to the
 * next, which takes fewer steps than a hash; `hashed` is for when they do not. */
static inline __attribute__((always_inline)) void walk_pairs_as(struct walk *walk, bool hashed)
{
    struct key_entry *const keys = walk->fast->keys;
    struct flat_record *const record = walk->record;
    const uint8_t *const window = walk->run->window;
    const uint8_t *const end = walk->run->end;
    const uint32_t factor = walk->fast->key_factor;
    const uint8_t *at = walk->at;
    struct key_entry *last = walk->last;
    uint64_t left = walk->left;
    uint64_t seen = walk->seen;
    const uint64_t seen_before = seen;
    uint64_t counts = walk->number_count;
    uint32_t order = walk->order;
    uint32_t surprises = 0;
    for (; left > 0 && at < end; left--) {
        struct key_entry *key = hashed ? find_key(keys, factor, at) : last->next;
        if (__builtin_expect(!pair_matches(key, at) || seen >> key->field & 1, 0)) {
            key = find_key(keys, factor, at);
            if (!pair_matches(key, at))
                key += KEY_ENTRIES; /* as it was the time before */
            if (!pair_matches(key, at) || seen >> key->field & 1)
                break;
            if (!hashed) {
                last->next = key;
                surprises++;
            }
        }
        unsigned field = key->field;
        walk->numbers[(uint32_t)counts] = at + key->value;
        walk->number_fields[(uint32_t)counts] = (uint8_t)field;
        counts += key->counts;
        seen |= UINT64_C(1) << field;
        order = order * 33 + field;
        flat_put(record, field, lane_move(key->lane, (uint32_t)(at - window)));
        at += key->advance;
        last = key;
    }
    walk->at = at;
    walk->last = last;
    walk->left = left;
    walk->seen = seen;
    walk->present |= seen & ~seen_before;
    walk->high += counts >> 32;
    walk->number_count = (uint32_t)counts;
    walk->order = order;
    walk->surprises += surprises;
}

static void walk_pairs(struct walk *walk)
{
    if (walk->fast->shuffled)
        walk_pairs_as(walk, true);
    else
        walk_pairs_as(walk, false);
}

/* ---- learnt layouts
 * -------------------------------------------------------------------------------------------------
 */

static inline vector differ_block(const struct segment *segment, const uint8_t *at, size_t begin,
                                  vector differ)
{
    __builtin_prefetch(at + begin + PREFETCH_BYTES);
    for (size_t i = begin; i < begin + 64; i += VECTOR_BYTES)
        differ = vector_differ(differ, vector_load(at + i), vector_load(segment->expect + i),
                               vector_load(segment->care + i));
    return differ;
}

static inline bool segment_matches(const struct segment *segment, const uint8_t *at)
{
    vector differ = vector_zero();
    for (size_t i = 0; i < SEGMENT_BLOCKS_SAME; i++)
        differ = differ_block(segment, at, i * 64, differ);
    for (size_t i = SEGMENT_BLOCKS_SAME; i < segment->blocks; i++)
        differ = differ_block(segment, at, i * 64, differ);
    return vector_is_zero(differ);
}

/* The same for what is behind a text, mostly short. */
static inline bool short_matches(const struct segment *segment, const uint8_t *at)
{
    vector differ = vector_zero();
    for (size_t i = 0; i < segment->blocks; i++)
        differ = differ_block(segment, at, i * 64, differ);
    return vector_is_zero(differ);
}

/* What matches behind the first of a bucket goes to its front. */
static __attribute__((noinline)) const struct segment *find_sibling(struct fork_slot *bucket,
                                                                    const uint8_t *at)
{
    struct segment *before = bucket->segment;
    for (; before && before->sibling; before = before->sibling) {
        struct segment *segment = before->sibling;
        if (!segment_matches(segment, at))
            continue;
        before->sibling = segment->sibling;
        segment->sibling = bucket->segment;
        *bucket = (struct fork_slot){segment, segment->length};
        return segment;
    }
    return NULL;
}

static inline const struct segment *find_segment(struct fork *fork, const uint8_t *at)
{
    bool one = fork->child_count == 1; /* in the first bucket */
    struct fork_slot *bucket = &fork->buckets[one ? 0 : fork_bucket(&fork->windows, at)];
    const struct segment *segment = bucket->segment;
    if (__builtin_expect(segment && short_matches(segment, at), 1))
        return segment;
    return find_sibling(bucket, at);
}

static inline void put_numbers(struct msgpack_fast *fast, struct msgpack_run *run,
                               const struct segment *segment, const uint8_t *at,
                               struct flat_record *record, bool root)
{
    const unsigned same = root ? SEGMENT_NUMBERS_SAME : 0;
    if (root || segment->constant_field != FIELD_NOWHERE)
        flat_put(record, segment->constant_field, lane_move(segment->constant, run->digits_at));
    for (unsigned i = 0; i < same; i++) {
        const struct segment_number *number = &segment->bytes[i];
        flat_put(record, number->field,
                 lane_move(fast->byte_lanes[at[number->at]], run->digits_at));
    }
    for (unsigned i = same; i < segment->byte_count; i++) {
        const struct segment_number *number = &segment->bytes[i];
        flat_put(record, number->field,
                 lane_move(fast->byte_lanes[at[number->at]], run->digits_at));
    }
    for (unsigned i = 0; i < segment->number_count; i++) {
        const struct segment_number *number = &segment->numbers[i];
        uint64_t payload = load_big_endian(at + number->at) >> number->shift;
        flat_put(record, number->field,
                 number->shift >= 48 ? small_lane(fast, run, payload) : number_lane(run, payload));
    }
}

/* Fields that the segment does not have get nonsense: their bits in `present` are clear. */
static inline void put_all_lanes(const struct segment *segment, uint32_t offset,
                                 struct flat_record *record)
{
    const vector base = vector_of_lane(lane_move(0, offset));
    uint8_t *out = (uint8_t *)record->fields;
    for (size_t i = 0; i < FLAT_LANES * 8; i += VECTOR_BYTES)
        vector_store(out + i,
                     vector_add_lanes(vector_load((const uint8_t *)segment->lanes + i), base));
}

static inline void put_own_lanes(const struct segment *segment, uint32_t offset,
                                 struct flat_record *record)
{
    for (unsigned i = 0; i < segment->value_count; i++) {
        unsigned field = segment->value_fields[i];
        flat_put(record, field, lane_move(segment->lanes[field], offset));
    }
}

/* Where the text at `at` begins; NULL when it is none, or may be longer than 64 KiB. */
static inline const uint8_t *text_begin(const uint8_t *at, size_t *ret_length)
{
    bool has_byte = *at == 0xd9;
    *ret_length = has_byte ? at[1] : *at & 31;
    if (__builtin_expect(has_byte || *at >> 5 == 5, 1))
        return at + 1 + has_byte;
    *ret_length = (size_t)at[1] << 8 | at[2];
    return *at == 0xda ? at + 3 : NULL;
}

/* The text at `at`, which may be of any length: whether it is one, and valid. */
static inline bool read_text(const uint8_t *at, const uint8_t *end, const uint8_t **ret_text,
                             size_t *ret_length)
{
    size_t length;
    const uint8_t *text = text_begin(at, &length);
    if (!text)
        return false;
    if (end - text < (ptrdiff_t)(length + SEGMENT_REACH))
        return false;
    vector high = vector_zero();
    size_t i = 0;
    for (; i + VECTOR_BYTES <= length; i += VECTOR_BYTES)
        high = vector_or(high, vector_load(text + i));
    high = vector_or(high, vector_load_head(text + i, length - i));
    if (__builtin_expect(vector_has_top_bits(high), 0) && !utf8_valid((const char *)text, length))
        return false;
    *ret_text = text;
    *ret_length = length;
    return true;
}

/* A record of several segments, of which `segment` is the first. NULL when the others do not
 * follow. */
static const uint8_t *take_path(struct msgpack_fast *fast, struct msgpack_run *run,
                                const struct segment *segment, const uint8_t *at,
                                struct flat_record *record)
{
    const uint8_t *const start = at;
    uint64_t present = 0;
    for (;;) {
        put_own_lanes(segment, (uint32_t)(at - run->window), record);
        put_numbers(fast, run, segment, at, record, false);
        present |= segment->present;
        at += segment->length;
        if (segment->end == SEGMENT_RECORD)
            break;
        const uint8_t *text;
        size_t length;
        if (!read_text(at, run->end, &text, &length))
            return NULL;
        if (segment->text != FIELD_COUNT)
            flat_put(record, segment->text,
                     flat_lane((uint32_t)(text - run->window), length, VALUE_TEXT));
        at = text + length;
        segment = find_segment(segment->fork, at);
        if (!segment)
            return NULL;
    }
    if (at - start > DECODE_RECORD_MAX)
        return NULL;
    record->present = present;
    return at;
}

static void run_learnt(struct msgpack_fast *fast, struct msgpack_run *run)
{
    struct flat_block *const block = run->block;
    struct fork *const root = &fast->forks[0];
    const uint8_t *const window = run->window;
    const uint8_t *const end = run->end;
    const struct windows windows = root->windows;
    const uint8_t *at = run->at;
    struct flat_record *record = &block->records[block->count];
    struct flat_record *const record_end = &block->records[FLAT_RECORDS];
    while (record < record_end && end - at >= SEGMENT_REACH &&
           block->digits_length <= FLAT_DIGITS_BYTES - RECORD_DIGITS) {
        struct fork_slot *bucket = &root->buckets[fork_bucket(&windows, at)];
        const struct segment *segment = bucket->segment;
        const uint8_t *next = at + bucket->length;
        if (__builtin_expect(!segment || !segment_matches(segment, at), 0)) {
            segment = find_sibling(bucket, at);
            if (!segment)
                break;
            next = at + segment->length;
        }
        record->offset = (uint32_t)(at - window);
        if (segment->end == SEGMENT_RECORD) {
            record->present = segment->present;
            put_all_lanes(segment, record->offset, record);
            put_numbers(fast, run, segment, at, record, true);
        } else {
            uint32_t digits = block->digits_length;
            next = take_path(fast, run, segment, at, record);
            if (!next) {
                block->digits_length = digits;
                fast->block++; /* no number is spelled there now */
                break;
            }
        }
        record->length = (uint32_t)(next - at);
        at = next;
        record++;
    }
    run->at = at;
    block->count = (uint32_t)(record - block->records);
}

/* ---- learnt layouts in two steps: where records are, and what is in them
 * ----------------------------------------------------------------------------
 */

static inline bool note_spot(struct msgpack_cut *cut, const struct msgpack_run *run,
                             const struct segment *segment, const uint8_t *at)
{
    if (cut->count == CUT_SPOTS)
        return false;
    cut->spots[cut->count++] = (struct msgpack_spot){(uint32_t)(at - run->window), segment->number};
    return true;
}

/* As take_path. */
static const uint8_t *find_path(struct msgpack_run *run, const struct segment *segment,
                                const uint8_t *at)
{
    const uint8_t *const start = at;
    const uint32_t count = run->cut->count;
    while (segment && note_spot(run->cut, run, segment, at)) {
        const uint8_t *text;
        size_t length;
        at += segment->length;
        if (segment->end == SEGMENT_RECORD && at - start <= DECODE_RECORD_MAX)
            return at;
        if (segment->end == SEGMENT_RECORD || !read_text(at, run->end, &text, &length))
            break;
        at = text + length;
        segment = find_segment(segment->fork, at);
    }
    run->cut->count = count;
    return NULL;
}

static void find_learnt(struct msgpack_fast *fast, struct msgpack_run *run)
{
    struct msgpack_cut *const cut = run->cut;
    struct fork *const root = &fast->forks[0];
    const uint8_t *const end = run->end;
    const uint8_t *const enough = run->enough;
    const struct windows windows = root->windows;
    const uint8_t *at = run->at;
    while (at < enough && end - at >= SEGMENT_REACH) {
        struct fork_slot *bucket = &root->buckets[fork_bucket(&windows, at)];
        const struct segment *segment = bucket->segment;
        const uint8_t *next = at + bucket->length;
        if (__builtin_expect(!segment || !segment_matches(segment, at), 0)) {
            segment = find_sibling(bucket, at);
            if (!segment)
                break;
            next = at + segment->length;
        }
        if (segment->end != SEGMENT_RECORD)
            next = find_path(run, segment, at);
        else if (!note_spot(cut, run, segment, at))
            break;
        if (!next)
            break;
        at = next;
    }
    run->at = at;
}

/* Takes a record of several segments that were noted. Gives its end. */
static const uint8_t *follow_path(struct msgpack_fast *fast, struct msgpack_run *run,
                                  const struct segment *segments, struct flat_record *record)
{
    struct msgpack_cut *cut = run->cut;
    record->present = 0;
    for (;;) {
        const struct msgpack_spot *spot = &cut->spots[cut->next++];
        const struct segment *segment = &segments[spot->segment];
        const uint8_t *at = run->window + spot->at;
        put_own_lanes(segment, spot->at, record);
        put_numbers(fast, run, segment, at, record, false);
        record->present |= segment->present;
        at += segment->length;
        if (segment->end == SEGMENT_RECORD)
            return at;
        size_t length;
        const uint8_t *text = text_begin(at, &length);
        assert(text && cut->next < cut->count);
        if (segment->text != FIELD_COUNT)
            flat_put(record, segment->text,
                     flat_lane((uint32_t)(text - run->window), length, VALUE_TEXT));
    }
}

static void follow_learnt(struct msgpack_fast *fast, struct msgpack_run *run)
{
    struct flat_block *const block = run->block;
    struct msgpack_cut *const cut = run->cut;
    const struct segment *const segments = cut->shelf->segments;
    while (block->count < FLAT_RECORDS && cut->next < cut->count &&
           block->digits_length <= FLAT_DIGITS_BYTES - RECORD_DIGITS) {
        const struct msgpack_spot spot = cut->spots[cut->next];
        struct flat_record *record = &block->records[block->count];
        if (spot.segment == SPOT_UNKNOWN)
            break;
        const struct segment *segment = &segments[spot.segment];
        const uint8_t *at = run->window + spot.at;
        assert(at == run->at);
        record->offset = spot.at;
        if (segment->end == SEGMENT_RECORD) {
            cut->next++;
            record->present = segment->present;
            put_all_lanes(segment, spot.at, record);
            put_numbers(fast, run, segment, at, record, true);
            run->at = at + segment->length;
        } else {
            run->at = follow_path(fast, run, segments, record);
        }
        record->length = (uint32_t)(run->at - at);
        block->count++;
    }
}

#endif
