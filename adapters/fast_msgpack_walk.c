/* The any-order way (fast_msgpack.h): pairs are walked one by one, in whatever order they come.
 *
 * Two things keep it quick. The hash of a key leads to how the pair looked when it was last met,
 * from the key to the value's header, and one compare shows that it looks so again; then everything
 * about it is known, and the next pair need not wait for more than the hash. And texts are not
 * looked at one by one: the bytes of the record with their top bit set are counted, and those that
 * headers and numbers account for; when there are more, some text is not ASCII, and the record is
 * walked again with care. */
#include "adapters/fast_msgpack.h"
#include "adapters/msgpack_frame.h"

/* So many records are walked by hash before the order of keys is looked at again. */
#define HASHED_RECORDS 1024

/* ---- tables
 * -------------------------------------------------------------------------------------------------------------
 */

static void types_init(struct type_entry *types)
{
    for (unsigned i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        struct msgpack_header header = msgpack_header(&byte, &byte + 1);
        struct type_entry *type = &types[i];
        *type = (struct type_entry){.odd = 1};
        if (i == 0xd9) {
            const uint8_t length[8] = {0x80};
            *type = (struct type_entry){.fixed = 2, .length_mask = 0xff, .header = 2};
            type->high = load_word(length);
            type->kind = VALUE_TEXT;
        } else if (header.kind == MSGPACK_TEXT) {
            *type = (struct type_entry){.fixed = (uint8_t)(1 + header.length), .header = 1};
            type->kind = VALUE_TEXT;
        } else if (header.kind == MSGPACK_INTEGER) {
            uint8_t payload[8] = {0};
            memset(payload, 0x80, header.length);
            *type = (struct type_entry){.fixed = (uint8_t)(1 + header.length), .number = 1};
            type->high = load_word(payload);
            type->kind = VALUE_NUMBER;
        } else if (header.kind == MSGPACK_BOOLEAN) {
            *type = (struct type_entry){.fixed = 1, .number = 1};
            type->kind = VALUE_BOOLEAN;
        }
    }
}

/* An entry that no pair looks like: what it expects leads to another entry. That holds for those
 * who come by hash, so no entry has it for its next. */
static void key_clear(struct msgpack_fast *fast, unsigned index)
{
    struct key_entry *key = &fast->keys[index];
    *key = (struct key_entry){.field = FIELD_COUNT};
    memset(key->care, 0xff, 4);
    while (find_key(fast->keys, fast->key_factor, key->expect) == &fast->keys[index % KEY_ENTRIES])
        key->expect[0]++;
}

/* False when two keys share an entry. */
static bool keys_try(struct msgpack_fast *fast)
{
    for (int i = 0; i < 2 * KEY_ENTRIES; i++)
        key_clear(fast, (unsigned)i);
    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        struct slice name = slice_string(field_name((enum field)field));
        uint8_t head[PAIR_BYTES] = {(uint8_t)(0xa0 | name.length)};
        assert(1 + name.length + 2 <= PAIR_BYTES);
        memcpy(head + 1, name.data, name.length);
        if (name.length < 3) /* "id", which only plain events have, is found with care */
            continue;
        struct key_entry *key = find_key(fast->keys, fast->key_factor, head);
        if (key->field != FIELD_COUNT)
            return false;
        *key = (struct key_entry){.field = (uint8_t)field, .value = (uint8_t)(1 + name.length)};
        key->next = fast->start.next = key;
        memcpy(key->expect, head, sizeof(head));
        memset(key->care, 0xff, 1 + name.length);
        /* To begin with a small number. */
        key->care[key->value] = 0x80;
        key->lane = flat_lane(key->value, 1, VALUE_NUMBER);
        key->counts = UINT64_C(1) << 32 | 1;
        key->advance = (uint16_t)(key->value + 1);
        key[KEY_ENTRIES] = *key;
    }
    return true;
}

void walk_init(struct msgpack_fast *fast)
{
    types_init(fast->types);
    fast->key_factor = UINT32_C(0x9e3779b1);
    while (!keys_try(fast)) /* a few dozen times */
        fast->key_factor = fast->key_factor * 1664525 + 1013904223;
    assert(fast->start.next);
}

/* ---- with care: one pair of any kind
 * -----------------------------------------------------------------------------------
 */

static enum walk_verdict check_frame(struct walk *walk)
{
    const uint8_t *end;
    if (walk->framed)
        return WALK_PLAIN;
    switch (msgpack_frame(walk->start, walk->run->end, DECODE_RECORD_MAX, &end)) {
    case MSGPACK_FRAME_WHOLE:
        walk->framed = true;
        return WALK_PLAIN;
    case MSGPACK_FRAME_MORE:
        return WALK_MORE;
    case MSGPACK_FRAME_BROKEN:
    case MSGPACK_FRAME_DEEP:
    case MSGPACK_FRAME_OVERSIZE:
        break;
    }
    return WALK_STRANGE;
}

static uint64_t integer_lane(struct walk *walk, const uint8_t *value, uint64_t length)
{
    uint64_t number = length ? load_big_endian(value + 1) >> (64 - 8 * length) : *value;
    bool has_sign = length ? *value >= 0xd0 : *value >= 0xe0;
    if (!has_sign)
        return number_lane(walk->run, number);
    unsigned unused = length ? 64 - 8 * (unsigned)length : 56;
    int64_t negative = (int64_t)(number << unused) >> unused;
    if (negative >= 0)
        return number_lane(walk->run, number);
    struct flat_block *block = walk->run->block;
    uint32_t at = block->digits_length;
    block->digits[at] = '-';
    uint32_t digits = spell_number(0 - (uint64_t)negative, block->digits + at + 1);
    block->digits_length += 1 + digits;
    return flat_lane(walk->run->digits_at + at, 1 + digits, VALUE_NUMBER);
}

/* A value that is not nested: its kind, and its lane when `field` is one that is met for the first
 * time. */
static enum value_kind care_value(struct walk *walk, unsigned field, const uint8_t *value,
                                  struct msgpack_header header)
{
    bool wanted = field != FIELD_COUNT && !(walk->seen >> field & 1);
    const uint8_t *content = value + header.bytes;
    enum value_kind kind = VALUE_ABSENT;
    uint64_t lane = 0;
    if (header.kind == MSGPACK_TEXT) {
        kind = VALUE_TEXT;
        lane = flat_lane((uint32_t)(content - walk->run->window), header.length, kind);
        if (header.length > UINT16_MAX && wanted && walk->fast->fields >> field & 1)
            walk->odd = true;
    } else if (header.kind == MSGPACK_BOOLEAN) {
        kind = VALUE_BOOLEAN;
        lane = lane_move(walk->fast->byte_lanes[*value], walk->run->digits_at);
    } else if (header.kind == MSGPACK_INTEGER) {
        kind = VALUE_NUMBER;
        if (wanted)
            lane = integer_lane(walk, value, header.length);
    }
    if (wanted && kind != VALUE_ABSENT) {
        flat_put(walk->record, field, lane);
        walk->present |= UINT64_C(1) << field;
    }
    return kind;
}

/* What the reference decoder would make of this member; a reason to call the record bad makes it
 * odd. */
static void care_member(struct walk *walk, unsigned field, const uint8_t *value,
                        struct msgpack_header header)
{
    bool holds_nothing = header.kind == MSGPACK_FLOAT || header.kind == MSGPACK_EXTENSION ||
                         header.kind == MSGPACK_LIST || header.kind == MSGPACK_MAP;
    enum value_kind kind = VALUE_ABSENT;
    if (!holds_nothing)
        kind = care_value(walk, field, value, header);
    if (field == FIELD_COUNT) {
        walk->attributes += kind != VALUE_ABSENT;
        walk->odd |= walk->attributes > RECORD_ATTRIBUTES_MAX;
        return;
    }
    walk->odd |= holds_nothing || (walk->seen >> field & 1);
    walk->seen |= UINT64_C(1) << field;
}

static enum walk_verdict care_pair(struct walk *walk)
{
    const uint8_t *key = walk->at;
    const uint8_t *end = walk->run->end;
    struct msgpack_header header = msgpack_header(key, end);
    if (header.kind == MSGPACK_MORE)
        return WALK_MORE;
    if (header.kind != MSGPACK_TEXT)
        return WALK_STRANGE;
    if (header.length > DECODE_RECORD_MAX)
        return WALK_STRANGE;
    if (header.length >= (size_t)(end - key) - header.bytes)
        return WALK_MORE;
    struct slice name = slice_of((const char *)key + header.bytes, header.length);
    const uint8_t *value = key + header.bytes + header.length;
    unsigned field = field_by_name(name);
    struct msgpack_header content = msgpack_header(value, end);
    if (content.kind == MSGPACK_MORE)
        return WALK_MORE;
    if (content.kind == MSGPACK_INVALID || content.length > DECODE_RECORD_MAX)
        return WALK_STRANGE;
    const uint8_t *next = value + content.bytes;
    if (content.kind != MSGPACK_LIST && content.kind != MSGPACK_MAP) {
        if (content.length > (size_t)(end - next))
            return WALK_MORE;
        next += content.length;
    } else if (content.length > 0) {
        enum walk_verdict verdict = check_frame(walk);
        walk->strange = true;
        if (verdict != WALK_PLAIN)
            return verdict;
        if (msgpack_frame(value, end, DECODE_RECORD_MAX, &next) != MSGPACK_FRAME_WHOLE)
            return WALK_STRANGE;
    }
    if (field == FIELD_COUNT && !utf8_valid(name.data, name.length))
        return WALK_STRANGE;
    if (content.kind == MSGPACK_TEXT &&
        !utf8_valid((const char *)value + content.bytes, content.length))
        return WALK_STRANGE;
    care_member(walk, field, value, content);
    walk->high += walk->fast->kernel->count_high(key, (size_t)(next - key));
    walk->order = walk->order * 33 + field;
    walk->at = next;
    return WALK_PLAIN;
}

/* ---- the short way
 * -----------------------------------------------------------------------------------------------------
 */

static unsigned count_tops(uint64_t bytes)
{
    return (unsigned)((bytes >> 7 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0101010101010101) >>
                      56);
}

static inline uint64_t short_number_lane(struct walk *walk, const uint8_t *value)
{
    unsigned size = 1u << (*value & 3);
    if (__builtin_expect((*value & 0xfc) != 0xcc, 0)) /* signed */
        return integer_lane(walk, value, *value >= 0xe0 ? 0 : size);
    uint64_t number = load_big_endian(value + 1) >> (64 - 8 * size);
    return size <= 2 ? small_lane(walk->fast, walk->run, number) : number_lane(walk->run, number);
}

static void put_numbers(struct walk *walk)
{
    const struct msgpack_fast *fast = walk->fast;
    for (uint32_t i = 0; i < walk->number_count; i++) {
        const uint8_t *value = walk->numbers[i];
        uint64_t lane = fast->byte_lanes[*value];
        if (lane) {
            lane = lane_move(lane, walk->run->digits_at);
        } else {
            walk->high += count_tops(load_word(value + 1) & fast->types[*value].high);
            lane = short_number_lane(walk, value);
        }
        flat_put(walk->record, walk->number_fields[i], lane);
    }
}

/* Expects the pair at walk->at from now on. False when it is not of a kind that can be. */
static bool expect_pair(struct walk *walk)
{
    struct msgpack_fast *fast = walk->fast;
    struct key_entry *key = find_key(fast->keys, fast->key_factor, walk->at);
    const uint8_t *value = walk->at + key->value;
    const struct type_entry *type = &fast->types[*value];
    if (key->field == FIELD_COUNT || walk->seen >> key->field & 1 || type->odd ||
        value + 1 >= walk->run->end || memcmp(walk->at, key->expect, key->value) != 0)
        return false;
    key[KEY_ENTRIES] = *key;
    size_t length = type->fixed + (size_t)(value[1] & type->length_mask);
    unsigned tops = 1 + (*value >> 7);
    key->expect[key->value] = *value;
    key->care[key->value] = 0xff;
    key->expect[key->value + 1] = value[1] & type->length_mask;
    key->care[key->value + 1] = type->length_mask;
    if (type->length_mask)
        tops += value[1] >> 7;
    if (*value < 0x80) {
        key->expect[key->value] = 0;
        key->care[key->value] = 0x80;
    }
    key->lane =
        flat_lane(key->value + type->header, length - type->header, (enum value_kind)type->kind);
    key->counts = (uint64_t)tops << 32 | type->number;
    key->advance = (uint16_t)(key->value + length);
    return true;
}

/* A first pair whose key is no field's may show the map to be an answer, not a record. */
static enum walk_verdict check_first(const struct walk *walk)
{
    switch (msgpack_classify(walk->start, walk->run->end)) {
    case MSGPACK_MAP_RECORD:
    case MSGPACK_MAP_OTHER:
        return WALK_PLAIN;
    case MSGPACK_MAP_MORE:
        return WALK_MORE;
    case MSGPACK_MAP_EMPTY:
    case MSGPACK_MAP_ENVELOPE:
    case MSGPACK_MAP_ANSWER:
        break;
    }
    return WALK_STRANGE;
}

static enum walk_verdict any_pairs(struct walk *walk, unsigned map_bytes)
{
    enum walk_verdict verdict = WALK_PLAIN;
    while (walk->left > 0 && verdict == WALK_PLAIN) {
        walk->fast->kernel->pairs(walk);
        if (walk->at > walk->run->end || (walk->left > 0 && walk->at == walk->run->end))
            return WALK_MORE;
        bool first = walk->at == walk->start + map_bytes;
        if (walk->left == 0 || expect_pair(walk))
            continue;
        if (first)
            verdict = check_first(walk);
        if (verdict == WALK_PLAIN) {
            verdict = care_pair(walk);
            walk->left--;
        }
    }
    if (verdict == WALK_PLAIN)
        put_numbers(walk);
    /* Seven surprises in a record cost more than hashing; whether they still come is tried now and
     * then. */
    if (!walk->fast->shuffled)
        walk->fast->shuffled = walk->surprises > 6;
    else if (++walk->fast->hashed % HASHED_RECORDS == 0)
        walk->fast->shuffled = false;
    return verdict;
}

static enum walk_verdict care_pairs(struct walk *walk)
{
    enum walk_verdict verdict = WALK_PLAIN;
    for (; walk->left > 0 && verdict == WALK_PLAIN; walk->left--)
        verdict = care_pair(walk);
    return verdict;
}

/* ---- records
 * ----------------------------------------------------------------------------------------------------------
 */

static void walk_begin(struct walk *walk, struct msgpack_fast *fast, struct msgpack_run *run,
                       struct msgpack_header map)
{
    walk->fast = fast;
    walk->run = run;
    walk->record = &run->block->records[run->block->count];
    walk->start = run->at;
    walk->at = run->at + map.bytes;
    walk->left = map.length;
    walk->last = &fast->start;
    walk->surprises = 0;
    walk->seen = walk->present = walk->high = 0;
    walk->attributes = walk->number_count = 0;
    walk->order = map.bytes;
    walk->odd = walk->strange = walk->framed = false;
}

/* Whether the date shows that texts may be URL-encoded. */
static bool has_percent(const struct walk *walk)
{
    const struct flat_value *date = &walk->record->fields[FIELD_STARTDATE];
    if (!(walk->present & FLAT_FIELD(STARTDATE)) || date->kind != VALUE_TEXT)
        return false;
    const uint8_t *text = walk->run->window + date->offset;
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t found = 0;
    unsigned i = 0;
    for (; i + 8 <= date->length; i += 8) {
        uint64_t zeros = load_word(text + i) ^ ones * '%';
        found |= (zeros - ones) & ~zeros; /* top bits: some byte is zero */
    }
    for (; i < date->length; i++)
        found |= (uint64_t)(text[i] == '%') << 7;
    return (found & ones << 7) != 0;
}

static enum walk_verdict judge(struct walk *walk)
{
    struct flat_record *record = walk->record;
    size_t length = (size_t)(walk->at - walk->start);
    if (length > DECODE_RECORD_MAX)
        return WALK_STRANGE;
    record->offset = (uint32_t)(walk->start - walk->run->window);
    record->length = (uint32_t)length;
    record->present = 0;
    /* Plain events are the reference decoder's. */
    if (walk->odd || !(walk->present & FLAT_FIELD(USAGETYPE)) || has_percent(walk))
        return WALK_ODD;
    record->present = walk->present & walk->fast->fields;
    return WALK_PLAIN;
}

enum walk_verdict walk_record_any(struct msgpack_fast *fast, struct msgpack_run *run,
                                  const uint8_t **ret_end, uint32_t *ret_order)
{
    struct msgpack_header header = msgpack_header(run->at, run->end);
    struct walk walk;
    uint32_t digits = run->block->digits_length;
    assert(digits + RECORD_DIGITS <= FLAT_DIGITS_BYTES);
    *ret_order = 0;
    if (header.kind == MSGPACK_MORE)
        return WALK_MORE;
    if (header.kind != MSGPACK_MAP || header.length == 0 || 2 * header.length > DECODE_RECORD_MAX)
        return WALK_STRANGE;
    walk_begin(&walk, fast, run, header);
    enum walk_verdict verdict = WALK_PLAIN;
    bool careful = header.length > 255;
    if (!careful) {
        verdict = any_pairs(&walk, header.bytes);
        if (verdict == WALK_PLAIN) {
            for (uint32_t i = 0; i < header.bytes; i++)
                walk.high += walk.start[i] >> 7;
            careful =
                walk.high != fast->kernel->count_high(walk.start, (size_t)(walk.at - walk.start));
        }
    } else {
        verdict = check_first(&walk);
    }
    if (verdict == WALK_PLAIN && careful) {
        run->block->digits_length = digits;
        fast->block++;
        walk_begin(&walk, fast, run, header);
        verdict = care_pairs(&walk);
    }
    if (verdict == WALK_PLAIN)
        verdict = judge(&walk);
    if (verdict != WALK_PLAIN) { /* what was spelled is of no use, and not there any more */
        run->block->digits_length = digits;
        fast->block++;
    }
    *ret_end = walk.at;
    if (verdict == WALK_PLAIN && !walk.strange)
        *ret_order = (walk.order * UINT32_C(0x9e3779b1)) | 1;
    return verdict;
}
