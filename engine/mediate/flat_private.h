/* What the two ways of flat_usage.h share: flat_usage.c takes the usual records, a block at a time,
 * and flat_any.c whatever those are not, one by one. */
#ifndef RATEL_MEDIATE_FLAT_PRIVATE_H
#define RATEL_MEDIATE_FLAT_PRIVATE_H

#include <assert.h>
#include <stddef.h>

#include "base/money.h"
#include "mediate/definition.h"
#include "mediate/flat_usage.h"
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

/* Texts stand in the window, too, but for those that had escapes. */
static inline const char *data_of(const struct flat_input *in, enum field field)
{
    uint32_t offset = in->record->fields[field].offset;
    return (offset < in->window_length ? in->window : in->digits) + offset;
}

static inline unsigned length_of(const struct flat_input *in, enum field field)
{
    return in->record->fields[field].length;
}

/* Length and kind at once. */
static inline uint32_t form_of(const struct flat_value *value)
{
    uint32_t form;
    memcpy(&form, (const char *)value + offsetof(struct flat_value, length), sizeof form);
    return form;
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

static inline flat_pair pair_at(const void *at)
{
    flat_pair pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

static inline bool pairs_differ(flat_pair differs)
{
    return differs[0] | differs[1];
}

/* The last 4 bytes of a UUID, and which part it is. */
static inline uint64_t tail_of(unsigned part, const char *at)
{
    uint32_t tail;
    memcpy(&tail, at + 32, sizeof tail);
    return (uint64_t)part << 32 | tail;
}

/* Whether `kept` is of the UUID at `at` as this part. */
static inline bool is_part(const struct flat_part *kept, unsigned part, const char *at)
{
    flat_pair differs = (pair_at(at) ^ kept->head[0]) | (pair_at(at + 16) ^ kept->head[1]);
    return !(differs[0] | differs[1] | (tail_of(part, at) ^ kept->tail));
}

/* Eight digit values, the first one lowest, as a number. */
static inline uint64_t number_of(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8); /* pairs of digits in every other byte */
    uint64_t low = (digits & 0x000000ff000000ffu) * (100 + (1000000ull << 32));
    uint64_t high = (digits >> 16 & 0x000000ff000000ffu) * (1 + (10000ull << 32));
    return (low + high) >> 32;
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

/* A flag, "true" or "false", or empty. */
static inline bool add_boolean(struct identity *identity, const struct identity_keys *keys,
                               const struct flat_input *in, unsigned field)
{
    const uint64_t yes = 0x65757274, no = 0x65736c6166; /* "true", "false" */
    unsigned length = length_of(in, (enum field)field);
    if (length == 0)
        return true;
    uint64_t word = length < 8 ? identity_word(data_of(in, (enum field)field)) : 0;
    word &= ((uint64_t)1 << (8 * length & 63)) - 1;
    if ((length != 4 || word != yes) && (length != 5 || word != no))
        return false;
    identity_add_short(identity, keys, part_of[field], word, length);
    return true;
}

/* A UUID and what it adds to the identity are kept. */
void flat_keep_uuid(struct flat_part *kept, const struct identity_keys *keys, unsigned part,
                    const char *at);
/* The same for a payer. */
void flat_keep_payer(struct flat_normaliser *normaliser, unsigned part, const char *at);
/* The window of the record is read and kept; false when its dates are no texts of 20 to 27 bytes,
 * or mean none. */
MUST_USE bool flat_keep_window(struct flat_normaliser *normaliser, const struct flat_input *in);
/* All that normalise.h asks for, step by step. */
MUST_USE enum flat_verdict flat_any(struct flat_normaliser *normaliser, const struct flat_input *in,
                                    struct flat_usage *ret);

/* All bytes of a date, some twice. */
static inline flat_pair date_differs(const char *a, const char *b, unsigned length)
{
    return (pair_at(a) ^ pair_at(b)) | (pair_at(a + length - 16) ^ pair_at(b + length - 16));
}

/* As builder_window with inclusive ends. Most records have the window of the one before. */
static inline bool read_window(struct flat_normaliser *normaliser, const struct flat_input *in,
                               struct flat_usage *ret)
{
    const struct flat_window *kept = &normaliser->window;
    const struct flat_value *start = &in->record->fields[FIELD_STARTDATE];
    const struct flat_value *end = &in->record->fields[FIELD_ENDDATE];
    bool same =
        form_of(start) == kept->start_form && form_of(end) == kept->end_form &&
        !pairs_differ(date_differs(data_of(in, FIELD_STARTDATE), kept->start_text, start->length) |
                      date_differs(data_of(in, FIELD_ENDDATE), kept->end_text, end->length));
    if (!same && !flat_keep_window(normaliser, in))
        return false;
    ret->start = kept->start;
    ret->length = kept->seconds;
    return true;
}

#endif
