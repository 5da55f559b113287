#include "mediate/flat_usage.h"

#include <assert.h>

#include "base/instant.h"
#include "base/money.h"
#include "mediate/definition.h"
#include "mediate/description.h"
#include "mediate/record_builder.h"

#define UUID_BYTES 36

#define BYTES(n)        (0x0101010101010101u * (n))
#define ZEROS           BYTES((uint64_t)'0')
#define HIGH_BITS       BYTES((uint64_t)0x80)
#define ATTRIBUTE(name) (IDENTITY_ATTRIBUTE + NAME_##name)

#define NEEDED_FIELDS                                                                              \
    (FLAT_FIELD(USAGETYPE) | FLAT_FIELD(RAWUSAGE) | FLAT_FIELD(STARTDATE) | FLAT_FIELD(ENDDATE))
#define TEXT_FIELDS                                                                                \
    (FLAT_FIELD(ZONEID) | FLAT_FIELD(USAGEID) | FLAT_FIELD(VIRTUALMACHINEID) |                     \
     FLAT_FIELD(NETWORKID) | FLAT_FIELD(VPCID) | FLAT_FIELD(OFFERINGID) | FLAT_FIELD(TEMPLATEID))
/* Of these a cloud has few, and many records name each. */
#define SHARED_FIELDS (FLAT_FIELD(ZONEID) | FLAT_FIELD(OFFERINGID) | FLAT_FIELD(TEMPLATEID))
#define INTEGER_FIELDS                                                                             \
    (FLAT_FIELD(SIZE) | FLAT_FIELD(VIRTUALSIZE) | FLAT_FIELD(CPUNUMBER) | FLAT_FIELD(CPUSPEED) |   \
     FLAT_FIELD(MEMORY))
#define BOOLEAN_FIELDS (FLAT_FIELD(ISSOURCENAT) | FLAT_FIELD(ISSYSTEM) | FLAT_FIELD(ISDEFAULT))

/* The part of the identity that a field is. */
static const uint8_t part_of[FIELD_COUNT] = {
    [FIELD_ZONEID] = ATTRIBUTE(ZONE),
    [FIELD_USAGEID] = ATTRIBUTE(RESOURCE),
    [FIELD_VIRTUALMACHINEID] = ATTRIBUTE(VM),
    [FIELD_NETWORKID] = ATTRIBUTE(NETWORK),
    [FIELD_VPCID] = ATTRIBUTE(VPC),
    [FIELD_OFFERINGID] = ATTRIBUTE(OFFERING),
    [FIELD_TEMPLATEID] = ATTRIBUTE(TEMPLATE),
    [FIELD_SIZE] = ATTRIBUTE(SIZE),
    [FIELD_VIRTUALSIZE] = ATTRIBUTE(VIRTUALSIZE),
    [FIELD_CPUNUMBER] = ATTRIBUTE(CPUNUMBER),
    [FIELD_CPUSPEED] = ATTRIBUTE(CPUSPEED),
    [FIELD_MEMORY] = ATTRIBUTE(MEMORY),
    [FIELD_ISSOURCENAT] = ATTRIBUTE(ISSOURCENAT),
    [FIELD_ISSYSTEM] = ATTRIBUTE(ISSYSTEM),
    [FIELD_ISDEFAULT] = ATTRIBUTE(ISDEFAULT),
};

/* One record on its way. */
struct flat_input {
    const char *window;
    const char *digits; /* the block's, moved back by the window's length */
    size_t window_length;
    const struct flat_record *record;
};

static inline const char *data_of(const struct flat_input *in, enum field field)
{
    uint32_t offset = in->record->fields[field].offset;
    return (offset < in->window_length ? in->window : in->digits) + offset;
}

static inline unsigned length_of(const struct flat_input *in, enum field field)
{
    return in->record->fields[field].length;
}

/* Empty when the field is absent. */
static inline struct slice text_of(const struct flat_input *in, enum field field)
{
    if (!(in->record->present >> field & 1) || length_of(in, field) == 0)
        return (struct slice){0};
    return slice_of(data_of(in, field), length_of(in, field));
}

/* Blanks at the ends, which the law cuts off for some fields, and control characters. */
static inline bool blank_ends(struct slice text)
{
    return (unsigned char)text.data[0] <= ' ' || (unsigned char)text.data[text.length - 1] <= ' ';
}

/* A byte of 0x80 or more where `word` has one that is no digit value. */
static inline uint64_t no_digits(uint64_t word)
{
    return ((word + BYTES((uint64_t)0x76)) | word) & HIGH_BITS;
}

/* 16 bytes of text as gcc compares them in one step on any machine. */
typedef uint64_t pair_of_words __attribute__((vector_size(16), aligned(1), may_alias));

static inline pair_of_words pair_at(const void *at)
{
    pair_of_words pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

static inline bool pairs_differ(pair_of_words differs)
{
    return differs[0] | differs[1];
}

/* ---- identity ------------------------------------------------------------------------------ */

/* Sums are added up apart and joined where a function is called: an identity whose address is given
 * away is kept in memory and no longer in registers, at three times the cost. */
static __attribute__((noinline)) struct identity apart(const struct identity_keys *keys,
                                                       unsigned part, struct slice text)
{
    struct identity identity = {0};
    identity_add(&identity, keys, part, text);
    return identity;
}

static inline void add_text(struct identity *identity, const struct identity_keys *keys,
                            unsigned part, struct slice text)
{
    if (text.length == UUID_BYTES) {
        identity_add_uuid(identity, keys, part, text.data);
    } else {
        struct identity other = apart(keys, part, text);
        identity_join(identity, &other);
    }
}

static inline void add_texts(struct identity *identity, const struct identity_keys *keys,
                             const struct flat_input *in)
{
    for (uint64_t rest = in->record->present & TEXT_FIELDS; rest; rest &= rest - 1) {
        enum field field = (enum field)__builtin_ctzll(rest);
        unsigned length = length_of(in, field);
        if (length)
            add_text(identity, keys, part_of[field], slice_of(data_of(in, field), length));
    }
}

/* An integer in its one spelling: up to 15 digits, no zero in front. */
static inline bool add_integer(struct identity *identity, const struct identity_keys *keys,
                               unsigned part, const char *at, unsigned length)
{
    if (length == 0)
        return true;
    if (length > 15 || (*at == '0' && length > 1))
        return false;
    uint64_t word = identity_word(at);
    if (length < 8) {
        unsigned unused = 64 - 8 * length;
        if (no_digits((word ^ ZEROS) << unused))
            return false;
        identity_add_short(identity, keys, part, word << unused >> unused, length);
        return true;
    }
    uint64_t last = identity_word(at + length - 8);
    if (no_digits(word ^ ZEROS) | no_digits(last ^ ZEROS))
        return false;
    unsigned rest = length - 8;
    identity_add_pair(identity, &keys->parts[part], 0, word,
                      last >> 8 * (7 - rest) >> 8 | (uint64_t)1 << 8 * rest);
    return true;
}

static inline bool add_integers(struct identity *identity, const struct identity_keys *keys,
                                const struct flat_input *in)
{
    for (uint64_t rest = in->record->present & INTEGER_FIELDS; rest; rest &= rest - 1) {
        enum field field = (enum field)__builtin_ctzll(rest);
        if (!add_integer(identity, keys, part_of[field], data_of(in, field), length_of(in, field)))
            return false;
    }
    return true;
}

static inline bool add_booleans(struct identity *identity, const struct identity_keys *keys,
                                const struct flat_input *in)
{
    const uint64_t yes = 0x65757274, no = 0x65736c6166; /* "true", "false" */
    for (uint64_t rest = in->record->present & BOOLEAN_FIELDS; rest; rest &= rest - 1) {
        enum field field = (enum field)__builtin_ctzll(rest);
        unsigned length = length_of(in, field);
        if (length == 0)
            continue;
        uint64_t word = length < 8 ? identity_word(data_of(in, field)) : 0;
        word &= ((uint64_t)1 << (8 * length & 63)) - 1;
        if ((length != 4 || word != yes) && (length != 5 || word != no))
            return false;
        identity_add_short(identity, keys, part_of[field], word, length);
    }
    return true;
}

static inline bool uuid_differs(const char *a, const char *b)
{
    return pairs_differ((pair_at(a) ^ pair_at(b)) | (pair_at(a + 16) ^ pair_at(b + 16)) |
                        (pair_at(a + UUID_BYTES - 16) ^ pair_at(b + UUID_BYTES - 16)));
}

static __attribute__((noinline)) void
keep_uuid(struct flat_part *kept, const struct identity_keys *keys, unsigned part, const char *at)
{
    memcpy(kept->uuid, at, UUID_BYTES);
    kept->part = part;
    kept->identity = (struct identity){0};
    identity_add_uuid(&kept->identity, keys, part, at);
}

static __attribute__((noinline)) void keep_payer(struct flat_normaliser *normaliser, unsigned part,
                                                 const char *at)
{
    keep_uuid(&normaliser->payer, &normaliser->keys, part, at);
    normaliser->payer.hash = hash64(slice_of(at, UUID_BYTES), normaliser->keys.seed);
}

/* A payer whose id is a UUID, kept for the records that follow. */
static inline uint64_t payer_uuid(struct flat_normaliser *normaliser, struct identity *identity,
                                  unsigned part, const char *at)
{
    const struct flat_part *kept = &normaliser->payer;
    if (part != kept->part || uuid_differs(at, kept->uuid))
        keep_payer(normaliser, part, at);
    identity_join(identity, &kept->identity);
    return kept->hash;
}

/* A payer whose id is no UUID. */
static inline uint64_t payer_text(const struct flat_normaliser *normaliser,
                                  struct identity *identity, unsigned part, struct slice id)
{
    struct identity other = apart(&normaliser->keys, part, id);
    identity_join(identity, &other);
    return hash64(id, normaliser->keys.seed);
}

/* "name@domain", for a record without ids: written to `ret`, which has room for `size` bytes; empty
 * when it has not. */
static __attribute__((noinline)) struct slice payer_name(const struct flat_input *in, char *ret,
                                                         size_t size)
{
    struct slice account = text_of(in, FIELD_ACCOUNT), domain = text_of(in, FIELD_DOMAINID);
    if (account.length == 0 || account.length + 1 + domain.length > size)
        return (struct slice){0};
    memcpy(ret, account.data, account.length);
    ret[account.length] = '@';
    if (domain.length)
        memcpy(ret + account.length + 1, domain.data, domain.length);
    return slice_of(ret, account.length + 1 + domain.length);
}

static inline bool add_payer(struct flat_normaliser *normaliser, struct identity *identity,
                             const struct flat_input *in, uint64_t *ret_hash)
{
    unsigned part = IDENTITY_PAYER + PAYER_PROJECT;
    struct slice id = text_of(in, FIELD_PROJECTID);
    if (id.length == 0) {
        part = IDENTITY_PAYER + PAYER_ACCOUNT;
        id = text_of(in, FIELD_ACCOUNTID);
    }
    if (id.length == 0) {
        char *room = normaliser->room;
        id = payer_name(in, room, sizeof(normaliser->room));
        if (id.length)
            *ret_hash = payer_text(normaliser, identity, IDENTITY_PAYER + PAYER_NAME, id);
        return id.length > 0;
    }
    if (blank_ends(id))
        return false;
    *ret_hash = id.length == UUID_BYTES ? payer_uuid(normaliser, identity, part, id.data)
                                        : payer_text(normaliser, identity, part, id);
    return true;
}

/* As cloudstack.c's function of this name; false when there is no room. */
static __attribute__((noinline)) bool from_description(struct flat_normaliser *normaliser,
                                                       const struct flat_input *in, unsigned type,
                                                       struct identity *ret)
{
    const struct identity_keys *keys = &normaliser->keys;
    struct slice text = text_of(in, FIELD_DESCRIPTION);
    uint64_t present = in->record->present;
    struct described told = description_read(type, text);
    *ret = (struct identity){0};
    if (told.size.length && !(present & FLAT_FIELD(SIZE)))
        identity_add(ret, keys, ATTRIBUTE(SIZE), told.size);
    if (told.offering.length && !(present & FLAT_FIELD(OFFERINGID)))
        identity_add(ret, keys, ATTRIBUTE(OFFERING), told.offering);
    if (told.resource.length) {
        identity_add(ret, keys, ATTRIBUTE(RESOURCE), told.resource);
        return true;
    }
    if (text.length == 0)
        return true;
    if (description_counts_amounts(meter_by_usage_type((int)type))) {
        if (text.length > sizeof(normaliser->room))
            return false;
        struct slice amount = text_of(in, FIELD_RAWUSAGE); /* without blanks: it was read */
        text =
            slice_of(normaliser->room, description_without_amounts(text, amount, normaliser->room));
    }
    identity_add(ret, keys, ATTRIBUTE(DESCRIPTION), text);
    return true;
}

/* ---- quantity ------------------------------------------------------------------------------- */

/* Eight digit values, the first one lowest, as a number. */
static inline uint64_t number_of(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8); /* pairs of digits in every other byte */
    uint64_t low = (digits & 0x000000ff000000ffu) * (100 + (1000000ull << 32));
    uint64_t high = (digits >> 16 & 0x000000ff000000ffu) * (1 + (10000ull << 32));
    return (low + high) >> 32;
}

/* Up to 16 characters: digits with at most one point or comma, and at most 6 digits behind it. */
static inline bool read_quantity(const struct flat_input *in, uint128 *ret)
{
    static const uint32_t powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    const char *at = data_of(in, FIELD_RAWUSAGE);
    unsigned length = length_of(in, FIELD_RAWUSAGE), decimals = 0;
    if (length - 1 > 15)
        return false;
    /* The text moved up against the end of 16 bytes, zeros before it. */
    uint128 digits = (uint128)(identity_word(at + 8) ^ ZEROS) << 64 | (identity_word(at) ^ ZEROS);
    digits <<= 8 * (16 - length);
    uint64_t low = (uint64_t)digits, high = (uint64_t)(digits >> 64);
    uint64_t points = no_digits(high);
    if (no_digits(low))
        return false;
    if (points) {
        unsigned position = (unsigned)__builtin_ctzll(points) / 8; /* in `high` */
        uint64_t point = high >> 8 * position & 0xff;
        decimals = 7 - position;
        if (points & (points - 1) || (point != ('.' ^ '0') && point != (',' ^ '0')) ||
            decimals - 1 > 5 || length - 1 == decimals)
            return false;
        /* What stands before the point moves up by one. */
        uint64_t before = high & (((uint64_t)1 << 8 * position) - 1);
        high = high >> (8 * position + 8) << (8 * position + 8) | before << 8 | low >> 56;
        low <<= 8;
    }
    uint64_t number = number_of(low) * 100000000 + number_of(high);
    *ret = (uint128)number * powers[decimals];
    return true;
}

/* ---- window --------------------------------------------------------------------------------- */

/* "hh:mm:ss" as seconds, or -1. */
static inline int64_t time_of_day(uint64_t text)
{
    const uint64_t shape = 0x30303a30303a3030u; /* "00:00:00" */
    uint64_t digits = text ^ shape;
    if (no_digits(digits) | (digits & 0x0000ff0000ff0000u))
        return -1;
    digits = digits * 10 + (digits >> 8);
    unsigned hour = digits & 0xff, minute = digits >> 24 & 0xff, second = digits >> 48 & 0xff;
    if (hour > 23 || minute > 59 || second > 59)
        return -1;
    return hour * 3600 + minute * 60 + second;
}

/* A date with a time of day and up to 8 bytes of zone. The day and the zone are read by the law
 * when they are not those of the record before; equal bytes mean equal seconds. */
static inline bool read_date(struct flat_day *day, const struct flat_input *in, enum field field,
                             int64_t *ret)
{
    const char *at = data_of(in, field);
    unsigned length = length_of(in, field);
    assert(length >= 20 && length <= 27);
    unsigned time_at = at[10] == '\'' ? 13 : 11; /* 'T' in quotes, as CloudStack 4.19 prints it */
    unsigned zone_bytes = length - time_at - 8;
    if (zone_bytes - 1 > 7)
        return false;
    int64_t time = time_of_day(identity_word(at + time_at));
    if (time < 0)
        return false;
    uint64_t before[2] = {identity_word(at), identity_word(at + time_at - 8)};
    uint64_t behind = identity_word(at + length - 8) >> (64 - 8 * zone_bytes);
    if ((before[0] ^ day->before[0]) | (before[1] ^ day->before[1]) | (behind ^ day->behind) |
        (length ^ day->length)) {
        struct instant instant;
        int32_t nanoseconds;
        if (instant_parse(slice_of(at, length), &instant, &nanoseconds) != STATUS_OK || nanoseconds)
            return false;
        *day = (struct flat_day){{before[0], before[1]}, behind, instant.seconds - time, length};
    }
    *ret = day->seconds + time;
    return (uint64_t)*ret <= UINT32_MAX;
}

/* The window of the record, whose dates have 20 to 27 bytes, is read and kept. */
static __attribute__((noinline)) bool keep_window(struct flat_normaliser *normaliser,
                                                  const struct flat_input *in)
{
    struct flat_window *kept = &normaliser->window;
    int64_t start, end;
    if (!read_date(&normaliser->start, in, FIELD_STARTDATE, &start) ||
        !read_date(&normaliser->end, in, FIELD_ENDDATE, &end) || end < start)
        return false;
    end += (uint32_t)end % 60 == 59;
    end += end == start;
    if (end - start > WINDOW_SECONDS_MAX)
        return false;
    unsigned start_length = length_of(in, FIELD_STARTDATE);
    unsigned end_length = length_of(in, FIELD_ENDDATE);
    memcpy(kept->start_text, data_of(in, FIELD_STARTDATE), start_length);
    memcpy(kept->end_text, data_of(in, FIELD_ENDDATE), end_length);
    kept->lengths = start_length << 16 | end_length;
    kept->start = start;
    kept->seconds = (uint32_t)(end - start);
    return true;
}

/* All bytes of a date, some twice. */
static inline pair_of_words date_differs(const char *a, const char *b, unsigned length)
{
    return (pair_at(a) ^ pair_at(b)) | (pair_at(a + length - 16) ^ pair_at(b + length - 16));
}

/* As builder_window with inclusive ends. Most records have the window of the one before. */
static inline bool read_window(struct flat_normaliser *normaliser, const struct flat_input *in,
                               struct flat_usage *ret)
{
    const struct flat_window *kept = &normaliser->window;
    unsigned start_length = length_of(in, FIELD_STARTDATE);
    unsigned end_length = length_of(in, FIELD_ENDDATE);
    if (start_length - 20 > 7 || end_length - 20 > 7)
        return false;
    const char *start = data_of(in, FIELD_STARTDATE), *end = data_of(in, FIELD_ENDDATE);
    bool same = (start_length << 16 | end_length) == kept->lengths &&
                !pairs_differ(date_differs(start, kept->start_text, start_length) |
                              date_differs(end, kept->end_text, end_length));
    if (!same && !keep_window(normaliser, in))
        return false;
    ret->start = kept->start;
    ret->length = kept->seconds;
    return true;
}

/* ---- a record ------------------------------------------------------------------------------- */

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

/* 0 when it is not one or two digits without a zero in front, or no usage type. */
static inline unsigned read_type(const struct flat_normaliser *normaliser,
                                 const struct flat_input *in)
{
    const char *at = data_of(in, FIELD_USAGETYPE);
    unsigned length = length_of(in, FIELD_USAGETYPE);
    unsigned first = (unsigned char)(at[0] - '0'), second = (unsigned char)(at[1] - '0');
    unsigned type = length == 1 ? first : first * 10 + second;
    bool sound = length - 1 <= 1 && first - 1 <= 8 && (length == 1 || second <= 9);
    return sound && type < FLAT_TYPES && normaliser->known[type] ? type : 0;
}

/* All that normalise.h asks for, step by step. */
static __attribute__((noinline)) enum flat_verdict
any_usage(struct flat_normaliser *normaliser, const struct flat_input *in, struct flat_usage *ret)
{
    const struct flat_record *record = in->record;
    if ((record->present & NEEDED_FIELDS) != NEEDED_FIELDS)
        return FLAT_NOT_PLAIN;
    unsigned type = read_type(normaliser, in);
    if (type == 0)
        return FLAT_NOT_PLAIN;
    bool has_vm = text_of(in, FIELD_VIRTUALMACHINEID).length > 0;
    if (type == TYPE_VOLUME && has_vm)
        return FLAT_IGNORED;
    const struct identity_keys *keys = &normaliser->keys;
    struct identity identity = normaliser->types[type];
    uint128 quanta;
    if (!add_payer(normaliser, &identity, in, &ret->payer_hash) ||
        !add_integers(&identity, keys, in) || !add_booleans(&identity, keys, in) ||
        !read_quantity(in, &quanta) || !read_window(normaliser, in, ret))
        return FLAT_NOT_PLAIN;
    add_texts(&identity, keys, in);
    bool has_resource = has_vm || text_of(in, FIELD_USAGEID).length > 0;
    if (!has_resource) {
        struct identity told;
        if (!from_description(normaliser, in, type, &told))
            return FLAT_NOT_PLAIN;
        identity_join(&identity, &told);
    }
    ret->series = identity_hash(&identity, keys);
    ret->reserved = 0;
    ret->quanta_low = (uint64_t)quanta;
    ret->quanta_high = (int64_t)(quanta >> 64);
    return FLAT_EVENT;
}

/* ---- the usual record ------------------------------------------------------------------------ */

/* What follows takes records whose ids are UUIDs and whose resource is named, as nearly all are, to
 * the same result, with few branches: which fields a record has and how long they are changes from
 * one to the next, and what cannot be foretold costs more than doing a little too much. Whatever is
 * strange sets `odd`, and then any_usage looks again. */

/* A UUID at the lowest bit of `rest`. */
static inline void add_usual_text(struct identity *identity, const struct identity_keys *keys,
                                  const struct flat_input *in, uint64_t rest, uint64_t *odd)
{
    enum field field = (enum field)__builtin_ctzll(rest);
    *odd |= length_of(in, field) ^ UUID_BYTES;
    identity_add_uuid(identity, keys, part_of[field], data_of(in, field));
}

/* The same for a field of SHARED_FIELDS, from what was kept. */
static inline void add_shared_text(struct identity *identity, struct flat_normaliser *normaliser,
                                   const struct flat_input *in, uint64_t rest, uint64_t *odd)
{
    enum field field = (enum field)__builtin_ctzll(rest);
    *odd |= length_of(in, field) ^ UUID_BYTES;
    const char *at = data_of(in, field);
    unsigned part = part_of[field];
    uint64_t slot = (identity_word(at) * 0x9e3779b97f4a7c15u) >> (64 - FLAT_SHARED_BITS);
    struct flat_part *kept = &normaliser->shared[slot];
    if (kept->part != part || uuid_differs(at, kept->uuid))
        keep_uuid(kept, &normaliser->keys, part, at);
    identity_join(identity, &kept->identity);
}

/* add_integer without a branch; none of length 0. */
static inline void add_usual_integer(struct identity *identity, const struct identity_keys *keys,
                                     const struct flat_input *in, uint64_t rest, uint64_t *odd)
{
    enum field field = (enum field)__builtin_ctzll(rest);
    const char *at = data_of(in, field);
    unsigned length = length_of(in, field);
    bool is_short = length < 8;
    uint64_t word = identity_word(at);
    uint64_t all = ((uint64_t)1 << (8 * length & 63)) - 1; /* of no use when there are 8 or more */
    uint64_t mask = is_short ? all : UINT64_MAX;
    unsigned behind = is_short ? 0 : (length - 8) & 7; /* bytes of the second word */
    uint64_t tail = identity_word(at + 8) & (((uint64_t)1 << 8 * behind) - 1);
    uint64_t digits = (word ^ ZEROS) & mask;
    uint64_t tail_digits = (tail ^ ZEROS) & (((uint64_t)1 << 8 * behind) - 1);
    *odd |= no_digits(digits) | no_digits(tail_digits) | (length - 1 > 14) |
            ((length > 1) & ((word & 0xff) == '0'));
    uint64_t first = (word & mask) | (is_short ? all + 1 : 0);
    uint64_t second = is_short ? 0 : tail | (uint64_t)1 << 8 * behind;
    identity_add_pair(identity, &keys->parts[part_of[field]], 0, first, second);
}

/* read_quantity without a branch. */
static inline uint128 usual_quantity(const struct flat_input *in, uint64_t *odd)
{
    static const uint32_t powers[8] = {1000000, 100000, 10000, 1000, 100, 10, 1, 0};
    const char *at = data_of(in, FIELD_RAWUSAGE);
    unsigned length = length_of(in, FIELD_RAWUSAGE);
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
    *odd |= no_digits(low) | (length - 1 > 15) | (points & (points - 1));
    *odd |= points ? (uint64_t)((point != ('.' ^ '0')) & (point != (',' ^ '0'))) |
                         (decimals - 1 > 5) | (length - 1 == decimals)
                   : 0;
    uint64_t joined = (high & above) | (high & before) << 8 | low >> 56;
    high = points ? joined : high;
    low = points ? low << 8 : low;
    uint64_t number = number_of(low) * 100000000 + number_of(high);
    return (uint128)number * powers[decimals];
}

/* read_type without a branch; 0 also for a volume that a machine is named with. */
static inline unsigned usual_type(const struct flat_normaliser *normaliser,
                                  const struct flat_input *in)
{
    const char *at = data_of(in, FIELD_USAGETYPE);
    unsigned length = length_of(in, FIELD_USAGETYPE);
    unsigned first = (unsigned char)(at[0] - '0'), second = (unsigned char)(at[1] - '0');
    unsigned type = length == 1 ? first : first * 10 + second;
    bool sound = (length - 1 <= 1) & (first - 1 <= 8) & ((length == 1) | (second <= 9)) &
                 (type < FLAT_TYPES);
    bool ignored = (type == TYPE_VOLUME) & (in->record->present >> FIELD_VIRTUALMACHINEID & 1);
    return sound & !ignored & normaliser->known[type % FLAT_TYPES] ? type : 0;
}

/* The payer of most records is that of the one before. */
static inline bool add_usual_payer(struct flat_normaliser *normaliser, struct identity *identity,
                                   const struct flat_input *in, uint64_t *ret_hash)
{
    const uint64_t ids = FLAT_FIELD(PROJECTID) | FLAT_FIELD(ACCOUNTID);
    bool project = in->record->present >> FIELD_PROJECTID & 1;
    enum field field = project ? FIELD_PROJECTID : FIELD_ACCOUNTID;
    unsigned part = IDENTITY_PAYER + (project ? PAYER_PROJECT : PAYER_ACCOUNT);
    if (!(in->record->present & ids) || length_of(in, field) != UUID_BYTES)
        return false;
    const struct flat_part *kept = &normaliser->payer;
    const char *at = data_of(in, field);
    if (part != kept->part || uuid_differs(at, kept->uuid)) {
        if (blank_ends(slice_of(at, UUID_BYTES)))
            return false;
        keep_payer(normaliser, part, at);
    }
    identity_join(identity, &kept->identity);
    *ret_hash = kept->hash;
    return true;
}

/* False: a record for any_usage. */
static inline bool usual_usage(struct flat_normaliser *normaliser, const struct flat_input *in,
                               struct flat_usage *ret)
{
    const uint64_t present = in->record->present;
    const uint64_t resources = FLAT_FIELD(USAGEID) | FLAT_FIELD(VIRTUALMACHINEID);
    const struct identity_keys *keys = &normaliser->keys;
    if ((present & NEEDED_FIELDS) != NEEDED_FIELDS || !(present & resources))
        return false;
    unsigned type = usual_type(normaliser, in);
    if (!type)
        return false;
    struct identity identity = normaliser->types[type];
    uint64_t odd = 0, payer_hash;
    if (!add_usual_payer(normaliser, &identity, in, &payer_hash) ||
        !read_window(normaliser, in, ret))
        return false;
    for (uint64_t rest = present & SHARED_FIELDS; rest; rest &= rest - 1)
        add_shared_text(&identity, normaliser, in, rest, &odd);
    for (uint64_t rest = present & TEXT_FIELDS & ~SHARED_FIELDS; rest; rest &= rest - 1)
        add_usual_text(&identity, keys, in, rest, &odd);
    for (uint64_t rest = present & INTEGER_FIELDS; rest; rest &= rest - 1)
        add_usual_integer(&identity, keys, in, rest, &odd);
    if (present & BOOLEAN_FIELDS && !add_booleans(&identity, keys, in))
        return false;
    uint128 quanta = usual_quantity(in, &odd);
    if (odd)
        return false;
    ret->series = identity_hash(&identity, keys);
    ret->payer_hash = payer_hash;
    ret->reserved = 0;
    ret->quanta_low = (uint64_t)quanta;
    ret->quanta_high = (int64_t)(quanta >> 64);
    return true;
}

enum flat_verdict flat_usage(struct flat_normaliser *normaliser, const char *window,
                             size_t window_length, const struct flat_block *block,
                             const struct flat_record *record, struct flat_usage *ret)
{
    const struct flat_input in = {window, (const char *)((uintptr_t)block->digits - window_length),
                                  window_length, record};
    return usual_usage(normaliser, &in, ret) ? FLAT_EVENT : any_usage(normaliser, &in, ret);
}
