/* The usual record: its ids are UUIDs and its resource is named, as nearly all are. Such records
 * come to the result of flat_any.c in a straight line: their shape says which fields to add, and
 * what the record before had as well is not read again. What is strange is left to flat_any. */
#include "mediate/description.h"
#include "mediate/flat_private.h"

#define PAYER_FIELDS (FLAT_FIELD(PROJECTID) | FLAT_FIELD(ACCOUNTID))
#define SHAPE_FIELDS (NEEDED_FIELDS | PAYER_FIELDS | TEXT_FIELDS | INTEGER_FIELDS | BOOLEAN_FIELDS)
/* Of these a cloud has few, and many records name each. */
#define SHARED_FIELDS   (FLAT_FIELD(ZONEID) | FLAT_FIELD(OFFERINGID) | FLAT_FIELD(TEMPLATEID))
#define RESOURCE_FIELDS (FLAT_FIELD(USAGEID) | FLAT_FIELD(VIRTUALMACHINEID))

void flat_normaliser_init(struct flat_normaliser *normaliser, struct slice source, uint64_t seed)
{
    *normaliser = (struct flat_normaliser){0};
    identity_keys_init(&normaliser->keys, seed);
    for (unsigned type = 0; type < FLAT_TYPES; type++) {
        struct identity *identity = &normaliser->types[type];
        normaliser->known[type] = meter_by_usage_type((int)type) != NULL;
        identity_add_number(identity, &normaliser->keys, IDENTITY_TYPE, type);
        identity_add(identity, &normaliser->keys, IDENTITY_SOURCE, source);
    }
}

/* ---- shapes --------------------------------------------------------------------------------- */

/* A cloud has some thirty of them: a type, and whether it names a template, a network ... */

static uint8_t list_fields(struct flat_shape *shape, uint8_t count, uint64_t fields)
{
    for (uint64_t rest = shape->present & fields; rest; rest &= rest - 1)
        shape->fields[count++] = (uint8_t)__builtin_ctzll(rest);
    return count;
}

static void learn_shape(const struct flat_normaliser *normaliser, const struct flat_input *in,
                        struct flat_shape *shape, uint64_t present, uint32_t type_text)
{
    bool needed = (present & NEEDED_FIELDS) == NEEDED_FIELDS && present & PAYER_FIELDS &&
                  present & RESOURCE_FIELDS;
    bool project = present >> FIELD_PROJECTID & 1;
    unsigned type = needed ? read_type(normaliser, in) : 0;
    bool ignored = type == TYPE_VOLUME && present >> FIELD_VIRTUALMACHINEID & 1;
    *shape = (struct flat_shape){
        .present = present,
        .type = type_text,
        .usual = type && !ignored,
        .payer = project ? FIELD_PROJECTID : FIELD_ACCOUNTID,
        .payer_part = IDENTITY_PAYER + (project ? PAYER_PROJECT : PAYER_ACCOUNT),
        .identity = normaliser->types[type],
    };
    shape->shared_end = list_fields(shape, 0, SHARED_FIELDS);
    shape->text_end = list_fields(shape, shape->shared_end, TEXT_FIELDS & ~SHARED_FIELDS);
    shape->integer_end = list_fields(shape, shape->text_end, INTEGER_FIELDS);
    shape->boolean_end = list_fields(shape, shape->integer_end, BOOLEAN_FIELDS);
    assert(shape->boolean_end <= FLAT_SHAPE_FIELDS);
}

/* At one of the places from `first` on; the one there that is free, or the last, becomes it. */
static __attribute__((noinline)) struct flat_shape *
find_shape(const struct flat_normaliser *normaliser, const struct flat_input *in,
           struct flat_shape *first, uint64_t present, uint32_t type_text)
{
    struct flat_shape *shape = first;
    for (; shape < first + FLAT_SHAPE_WAYS - 1 && shape->present; shape++)
        if (shape->present == present && shape->type == type_text)
            return shape;
    if (shape->present != present || shape->type != type_text)
        learn_shape(normaliser, in, shape, present, type_text);
    return shape;
}

static inline struct flat_shape *shape_of(struct flat_normaliser *normaliser,
                                          const struct flat_input *in)
{
    uint64_t present = in->record->present & SHAPE_FIELDS;
    if (!(present >> FIELD_USAGETYPE & 1))
        return NULL;
    const char *at = data_of(in, FIELD_USAGETYPE);
    unsigned length = length_of(in, FIELD_USAGETYPE);
    unsigned first = (unsigned char)at[0], second = (unsigned char)at[1];
    uint32_t type = first | (length == 1 ? 0 : second << 8) | length << 16;
    uint64_t hash = (present ^ (uint64_t)type << 44) * 0x9e3779b97f4a7c15u;
    struct flat_shape *shape = &normaliser->shapes[hash >> (64 - FLAT_SHAPE_BITS)];
    if ((shape->present ^ present) | (shape->type ^ type))
        shape = find_shape(normaliser, in, shape, present, type);
    return shape->usual ? shape : NULL;
}

/* ---- identity ------------------------------------------------------------------------------- */

/* A UUID, or NULL. */
static inline const char *uuid_at(const struct flat_input *in, unsigned field)
{
    static const struct flat_value uuid = {.length = UUID_BYTES, .kind = VALUE_TEXT};
    const struct flat_value *value = &in->record->fields[field];
    return form_of(value) == form_of(&uuid) ? data_of(in, (enum field)field) : NULL;
}

/* The payer of most records is that of the one before. NULL: no UUID. */
static inline const struct flat_part *usual_payer(struct flat_normaliser *normaliser,
                                                  const struct flat_input *in,
                                                  const struct flat_shape *shape)
{
    unsigned part = shape->payer_part;
    const struct flat_part *kept = &normaliser->payer;
    const char *at = uuid_at(in, shape->payer);
    if (!at)
        return NULL;
    if (is_part(kept, part, at))
        return kept;
    if (blank_ends(slice_of(at, UUID_BYTES)))
        return NULL;
    flat_keep_payer(normaliser, part, at);
    return kept;
}

static inline __attribute__((always_inline)) bool add_usual_text(struct identity *identity,
                                                                 const struct identity_keys *keys,
                                                                 const struct flat_input *in,
                                                                 unsigned field)
{
    const char *at = uuid_at(in, field);
    if (!at)
        return false;
    identity_add_uuid(identity, keys, part_of[field], at);
    return true;
}

/* The same for a field of SHARED_FIELDS, from what was kept. */
static inline bool add_shared_text(struct identity *identity, struct flat_normaliser *normaliser,
                                   const struct flat_input *in, unsigned field)
{
    const char *at = uuid_at(in, field);
    if (!at)
        return false;
    unsigned part = part_of[field];
    uint64_t slot = (identity_word(at) * 0x9e3779b97f4a7c15u) >> (64 - FLAT_SHARED_BITS);
    struct flat_part *kept = &normaliser->shared[slot];
    if (!is_part(kept, part, at))
        flat_keep_uuid(kept, &normaliser->keys, part, at);
    identity_join(identity, &kept->identity);
    return true;
}

/* An integer of 1 to 15 digits. */
static inline bool add_usual_integer(struct identity *identity, const struct identity_keys *keys,
                                     const struct flat_input *in, unsigned field)
{
    const char *at = data_of(in, (enum field)field);
    unsigned length = length_of(in, (enum field)field);
    const struct identity_key *key = &keys->parts[part_of[field]];
    uint64_t word = identity_word(at);
    if (length - 1 > 14 || ((word & 0xff) == '0' && length > 1))
        return false;
    if (length < 8) {
        uint64_t end = (uint64_t)1 << 8 * length;
        if (no_digits((word ^ ZEROS) & (end - 1)))
            return false;
        identity_add_pair(identity, key, 0, (word & (end - 1)) | end, 0);
        return true;
    }
    uint64_t end = (uint64_t)1 << 8 * (length - 8);
    uint64_t tail = identity_word(at + 8);
    if (no_digits(word ^ ZEROS) | no_digits((tail ^ ZEROS) & (end - 1)))
        return false;
    identity_add_pair(identity, key, 0, word, (tail & (end - 1)) | end);
    return true;
}

/* ---- quantity ------------------------------------------------------------------------------- */

/* read_quantity without a branch, of 1 to 16 bytes. */
static inline uint128 usual_quantity(const char *at, unsigned length, uint64_t *odd)
{
    static const uint32_t powers[8] = {1000000, 100000, 10000, 1000, 100, 10, 1, 0};
    uint128 digits = (uint128)(identity_word(at + 8) ^ ZEROS) << 64 | (identity_word(at) ^ ZEROS);
    digits <<= 8 * (16 - length) & 127;
    uint64_t low = (uint64_t)digits, high = (uint64_t)(digits >> 64);
    uint64_t points = no_digits(high);
    /* Without a point there is one behind the last digit. */
    unsigned position = points ? (unsigned)__builtin_ctzll(points) / 8 : 7;
    uint64_t point = high >> 8 * position & 0xff;
    uint64_t above = ((uint64_t)-1 << 8 * position) << 8,
             before = ((uint64_t)1 << 8 * position) - 1;
    unsigned decimals = 7 - position;
    *odd |= no_digits(low) | (points & (points - 1));
    *odd |= points ? (uint64_t)((point != ('.' ^ '0')) & (point != (',' ^ '0'))) |
                         (decimals - 1 > 5) | (length - 1 == decimals)
                   : 0;
    uint64_t joined = (high & above) | (high & before) << 8 | low >> 56;
    high = points ? joined : high;
    low = points ? low << 8 : low;
    uint64_t number = number_of(low) * 100000000 + number_of(high);
    return (uint128)number * powers[decimals];
}

/* Most records of a shape have the quantity of the one before: all hours of a day. */
static inline bool usual_quantity_of(struct flat_quantity *kept, const struct flat_input *in,
                                     struct flat_usage *ret)
{
    const char *at = data_of(in, FIELD_RAWUSAGE);
    unsigned length = length_of(in, FIELD_RAWUSAGE);
    uint64_t words[2] = {identity_word(at), identity_word(at + 8)};
    if (length - 1 > 15)
        return false;
    if (((words[0] ^ kept->words[0]) & kept->masks[0]) |
        ((words[1] ^ kept->words[1]) & kept->masks[1]) | (length ^ kept->length)) {
        uint64_t odd = 0;
        uint128 quanta = usual_quantity(at, length, &odd);
        if (odd)
            return false;
        uint128 mask = ~(uint128)0 >> 8 * (16 - length);
        *kept = (struct flat_quantity){
            .words = {words[0], words[1]},
            .masks = {(uint64_t)mask, (uint64_t)(mask >> 64)},
            .length = length,
            .low = (uint64_t)quanta,
            .high = (uint64_t)(quanta >> 64),
        };
    }
    ret->quanta_low = kept->low;
    ret->quanta_high = (int64_t)kept->high;
    return true;
}

/* ---- a record ------------------------------------------------------------------------------- */

/* False: a record for flat_any. */
static __attribute__((noinline)) bool
usual_usage(struct flat_normaliser *normaliser, const struct flat_input *in, struct flat_usage *ret)
{
    const struct identity_keys *keys = &normaliser->keys;
    struct flat_shape *shape = shape_of(normaliser, in);
    if (!shape)
        return false;
    const struct flat_part *payer = usual_payer(normaliser, in, shape);
    if (!payer || !read_window(normaliser, in, ret) ||
        !usual_quantity_of(&shape->quantity, in, ret))
        return false;
    ret->payer_hash = payer->hash;
    ret->reserved = 0;
    struct identity identity = shape->identity;
    identity_join(&identity, &payer->identity);
    const uint8_t *field = shape->fields;
    const uint8_t *const shared_end = shape->fields + shape->shared_end;
    const uint8_t *const text_end = shape->fields + shape->text_end;
    const uint8_t *const integer_end = shape->fields + shape->integer_end;
    const uint8_t *const boolean_end = shape->fields + shape->boolean_end;
    for (; field < shared_end; field++)
        if (!add_shared_text(&identity, normaliser, in, *field))
            return false;
    for (; field < text_end; field++)
        if (!add_usual_text(&identity, keys, in, *field))
            return false;
    for (; field < integer_end; field++)
        if (!add_usual_integer(&identity, keys, in, *field))
            return false;
    for (; field < boolean_end; field++)
        if (!add_boolean(&identity, keys, in, *field))
            return false;
    ret->series = identity_hash(&identity, keys);
    return true;
}

void flat_usage(struct flat_normaliser *normaliser, const char *window, size_t window_length,
                const struct flat_block *block, uint32_t first, uint32_t count,
                struct flat_usage ret[], uint8_t ret_verdicts[])
{
    assert(first + count <= block->count);
    struct flat_input in = {window, (const char *)((uintptr_t)block->digits - window_length),
                            window_length, &block->records[first]};
    for (uint32_t i = 0; i < count; i++, in.record++) {
        ret_verdicts[i] = FLAT_EVENT;
        if (!usual_usage(normaliser, &in, &ret[i]))
            ret_verdicts[i] = (uint8_t)flat_any(normaliser, &in, &ret[i]);
    }
}
