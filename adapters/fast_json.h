/* Inside the fast JSON decoder: what its parts share and nobody else sees.
 *
 * A record goes one of three ways. The learnt way (json_walk_learnt) follows a tree of members that
 * records had before: one compare for each run of punctuation, key and quotes, and no look at most
 * values; at the record's end one pass over its bytes shows whether any value held a quote, a
 * backslash, a control character or a byte beyond ASCII. What does not fit goes the careful way
 * (json_walk_careful), a strict reader of any order of members. Records that it took plainly are
 * learnt (json_learn). Where that does not help, since the order of members changes all the time,
 * the indexed way (json_walk_indexed) goes first: it finds all quotes of a stretch of records
 * before it looks at the members. All ways are compiled twice, from fast_json_walk.h and
 * fast_json_index.h: for AVX2, and for any machine. */
#ifndef RATEL_ADAPTERS_FAST_JSON_H
#define RATEL_ADAPTERS_FAST_JSON_H

#include "adapters/decode.h"
#include "adapters/fast.h"

/* For tests: the decoder without AVX2, and both without the learnt way. */
extern const struct fast_class fast_json_portable;
extern const struct fast_class fast_json_unlearnt;
extern const struct fast_class fast_json_unlearnt_portable;

/* ---- the names of fields
 * ------------------------------------------------------------------------------------------------
 */

#define JSON_SLOTS         256
#define JSON_NAMES_SPECIAL 7

/* A perfect hash over the known names, and over those that mean more than themselves. */
struct json_names {
    uint32_t factor;
    uint8_t slots[JSON_SLOTS]; /* enum field, or one of JSON_NAME_ */
    uint8_t lengths[FIELD_COUNT + JSON_NAMES_SPECIAL];
    char names[FIELD_COUNT + JSON_NAMES_SPECIAL][32];
};

/* What follows the fields in json_names. */
#define JSON_NAME_OTHER       FIELD_COUNT       /* no known name */
#define JSON_NAME_SPECVERSION (FIELD_COUNT + 1) /* of a CloudEvent */
#define JSON_NAME_ENVELOPE    (FIELD_COUNT + 2) /* from here on: as the first member, no record's */

/* ---- the learnt way
 * -----------------------------------------------------------------------------------------------------
 */

#define JSON_NODES        4096
#define JSON_LITERAL_MAX  32
#define JSON_CHILDREN_MAX 64
/* Longer values are left to the careful way. */
#define JSON_VALUE_MAX 4096

/* Records up to this length are counted through in one go: one byte a lane of a vector counts. */
#define JSON_TALLY_MAX (255 * 16)

enum json_node_kind {
    JSON_NODE_FIXED,  /* a text of the length that it had before, or a value within the literal */
    JSON_NODE_SHORT,  /* a text whose end is searched for */
    JSON_NODE_LONG,   /* the same, many bytes at a time */
    JSON_NODE_NUMBER, /* digits */
    JSON_NODE_END,    /* the record's end */
    JSON_NODE_ROOT,
};

/* One member: the bytes from the end of the value before to the start of its value. One cache line.
 */
struct json_node {
    uint8_t literal[JSON_LITERAL_MAX];
    uint32_t mask; /* one bit a byte that the literal has */
    int16_t child; /* the one that was met last: how many nodes behind this one; 0: none */
    int16_t sibling;
    uint16_t step;  /* from the literal's start to the end of a fixed value */
    uint8_t kind;   /* enum json_node_kind */
    uint8_t store;  /* enum field, or one that nobody reads */
    uint8_t misses; /* how often a fixed value had another length */
    uint8_t literal_length;
    uint8_t back;    /* a value within the literal: where it starts, from the literal's end */
    uint8_t dated;   /* JSON_NODE_END: startdate is a text */
    uint16_t quotes; /* of the path from the first member to here */
    uint16_t specials;
    uint32_t reserved;
    union {
        uint64_t value; /* the flat value, but for its offset; where it is not fixed, its length */
        uint64_t present; /* JSON_NODE_END: the record's */
    };
} __attribute__((aligned(64)));

static_assert(sizeof(struct json_node) == 64, "one cache line");

/* A flat value as one word, so that it is written in one go. */
static inline uint64_t json_value(uint64_t length, uint64_t kind)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return length << 32 | kind << 48;
#else
    return length << 16 | kind << 8;
#endif
}

static inline void json_put_value(struct flat_value *to, uint64_t value, uint64_t offset)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value += offset;
#else
    value += offset << 32;
#endif
    static_assert(sizeof(*to) == sizeof(value), "one word");
    memcpy(to, &value, sizeof(value));
}

static inline struct json_node *json_child(struct json_node *node)
{
    return node + node->child;
}

/* The tree; nodes[0] is where records begin, and has no literal. */
struct json_tree {
    struct json_node *nodes;
    uint32_t count;
};

/* ---- the careful way
 * ------------------------------------------------------------------------------------------------------
 */

#define JSON_PREFETCH_BYTES 2048

enum json_outcome {
    JSON_PLAIN, /* the fields are in the record */
    JSON_LEFT,  /* whole and valid, but not plain: the record's bytes go to the reference decoder */
    JSON_STRANGE, /* no record that is certain to be valid */
    JSON_SHORT,   /* the bytes end before the record does */
    JSON_NO_ROOM, /* plain, but the block has no room for what had escapes */
};

#define JSON_LEARN_MEMBERS 64

/* A member as the careful way met it, to be learnt. */
struct json_met {
    const char *value; /* behind the opening quote of a text */
    const char *end;   /* the closing quote of a text, or behind the token */
    uint8_t kind;      /* enum value_kind; ABSENT: null, a list or an object */
    uint8_t field;     /* enum field, or JSON_NAME_OTHER and above */
};

/* ---- the indexed way
 * ------------------------------------------------------------------------------------------------------
 */

#define JSON_INDEX_BYTES 8192

/* Where the quotes are in some bytes of the window, and the bytes that no plain record has:
 * backslashes, control characters, bytes beyond ASCII. */
struct json_index {
    const char *from; /* NULL: nothing */
    const char *to;
    uint32_t quote; /* the next of each */
    uint32_t special;
    uint32_t quotes;
    uint32_t specials;
    uint16_t quote_at[JSON_INDEX_BYTES + 64]; /* from `from` */
    uint16_t special_at[JSON_INDEX_BYTES + 64];
};

struct json_walk {
    const struct json_names *names;
    struct json_index index;
    struct json_tree tree;
    const char *window;
    const char *end; /* of the window */
    struct flat_block *block;
    struct scratch scratch; /* for texts with escapes */
    uint64_t fields;        /* what is given: FLAT_FIELDS, or all */
    /* what the careful way met */
    uint32_t met_count; /* more than JSON_LEARN_MEMBERS: too many to learn */
    struct json_met met[JSON_LEARN_MEMBERS];
};

enum json_learnt {
    JSON_LEARNT_FITS,
    JSON_LEARNT_UNKNOWN, /* some member is new: worth learning */
    JSON_LEARNT_UNFIT,   /* a value that this way does not take */
};

/* The record at `at`, a brace, by the tree. *ret_end: behind it. */
typedef enum json_learnt json_walk_learnt(struct json_walk *walk, const char *at,
                                          struct flat_record *record, const char **ret_end);
typedef enum json_outcome json_walk_careful(struct json_walk *walk, const char *at,
                                            struct flat_record *record, const char **ret_end);

/* Like the learnt way; never JSON_LEARNT_UNKNOWN. */
json_walk_learnt json_walk_indexed_avx2;
json_walk_learnt json_walk_indexed_portable;
json_walk_learnt json_walk_learnt_avx2;
json_walk_careful json_walk_careful_avx2;
json_walk_learnt json_walk_learnt_portable;
json_walk_careful json_walk_careful_portable;

/* Puts the members of the record [start, end), which the careful way has just found plain, into the
 * tree. False when the tree is full. */
bool json_learn(struct json_walk *walk, const char *start, const char *end);
void json_forget(struct json_tree *tree);
void json_names_init(struct json_names *names);

/* Where values go that nobody reads: a field that CloudStack's records do not have. Where all fields
 * are wanted, a record that does have it goes the careful way. */
#define JSON_STORE_NOWHERE FIELD_ZONE
#define JSON_NOWHERE       FLAT_FIELD(ZONE)
static_assert((FLAT_FIELDS & JSON_NOWHERE) == 0, "nobody reads it");

static inline uint32_t json_name_slot(uint32_t factor, const char *name, size_t length)
{
    uint32_t head;
    memcpy(&head, name, sizeof(head)); /* DECODER_PADDING bytes may be read */
    if (length < sizeof(head))
        head &= (UINT32_C(1) << (8 * length)) - 1;
    return ((head ^ (uint32_t)length) * factor) >> 24;
}

#endif
