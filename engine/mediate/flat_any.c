/* One record after the other, by all that normalise.h asks for. */
#include "base/instant.h"
#include "mediate/description.h"
#include "mediate/flat_private.h"

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
    for (uint64_t rest = in->record->present & BOOLEAN_FIELDS; rest; rest &= rest - 1)
        if (!add_boolean(identity, keys, in, (unsigned)__builtin_ctzll(rest)))
            return false;
    return true;
}

void flat_keep_uuid(struct flat_part *kept, const struct identity_keys *keys, unsigned part,
                    const char *at)
{
    kept->head[0] = pair_at(at);
    kept->head[1] = pair_at(at + 16);
    kept->tail = tail_of(part, at);
    kept->identity = (struct identity){0};
    identity_add_uuid(&kept->identity, keys, part, at);
}

void flat_keep_payer(struct flat_normaliser *normaliser, unsigned part, const char *at)
{
    flat_keep_uuid(&normaliser->payer, &normaliser->keys, part, at);
    normaliser->payer.hash = hash64(slice_of(at, UUID_BYTES), normaliser->keys.seed);
}

/* A payer whose id is a UUID, kept for the records that follow. */
static inline uint64_t payer_uuid(struct flat_normaliser *normaliser, struct identity *identity,
                                  unsigned part, const char *at)
{
    const struct flat_part *kept = &normaliser->payer;
    if (!is_part(kept, part, at))
        flat_keep_payer(normaliser, part, at);
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

bool flat_keep_window(struct flat_normaliser *normaliser, const struct flat_input *in)
{
    struct flat_window *kept = &normaliser->window;
    const struct flat_value *from = &in->record->fields[FIELD_STARTDATE];
    const struct flat_value *until = &in->record->fields[FIELD_ENDDATE];
    int64_t start, end;
    if (from->length - 20u > 7 || until->length - 20u > 7 || from->kind != VALUE_TEXT ||
        until->kind != VALUE_TEXT || !read_date(&normaliser->start, in, FIELD_STARTDATE, &start) ||
        !read_date(&normaliser->end, in, FIELD_ENDDATE, &end) || end < start)
        return false;
    end += (uint32_t)end % 60 == 59;
    end += end == start;
    if (end - start > WINDOW_SECONDS_MAX)
        return false;
    memcpy(kept->start_text, data_of(in, FIELD_STARTDATE), from->length);
    memcpy(kept->end_text, data_of(in, FIELD_ENDDATE), until->length);
    kept->start_form = form_of(from);
    kept->end_form = form_of(until);
    kept->start = start;
    kept->seconds = (uint32_t)(end - start);
    return true;
}

/* ---- a record ------------------------------------------------------------------------------- */

enum flat_verdict flat_any(struct flat_normaliser *normaliser, const struct flat_input *in,
                           struct flat_usage *ret)
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
