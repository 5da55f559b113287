/* What the parts of the fast msgpack decoder share and nobody else sees.
 *
 * A record takes one of two ways. The learnt way (fast_msgpack_run.h): a record of a layout met
 * before is compared as a whole with what that layout expects, under a mask, and its fields' places
 * are the layout's plus the record's place. The any-order way (fast_msgpack_walk.c): its pairs are
 * walked one by one. What neither takes is the reference decoder's.
 *
 * A layout is a path of segments. A segment is a run of bytes of which every token has a fixed
 * length: keys, headers and types must be equal, content need only be what it seems (ASCII, not
 * negative). It ends with the record, or in front of a text whose length varies; behind that text a
 * fork leads to the segments that may follow. Most records are one segment, found from the root. */
#ifndef RATEL_ADAPTERS_FAST_MSGPACK_H
#define RATEL_ADAPTERS_FAST_MSGPACK_H

#include "adapters/decode.h"
#include "adapters/fast.h"

#define SEGMENT_BYTES   768
#define SEGMENT_NUMBERS 16
/* Segments of so many blocks of 64 bytes or less are compared over all of them, and so many small
 * numbers are always put, be there less: the same steps for all are quicker than the right ones. */
#define SEGMENT_BLOCKS_SAME  6
#define SEGMENT_NUMBERS_SAME 1
#define FORK_BUCKETS         1024
#define FORK_WINDOWS         3
/* Fuzzing builds make them small, so that short inputs reach the code for what is full. */
#ifndef SEGMENTS_MAX
#define SEGMENTS_MAX  512
#define FORK_CHILDREN 128
#endif
/* Bytes that the learnt way may read from a place where it starts to compare. */
#define SEGMENT_REACH (SEGMENT_BYTES + 64)
/* Fields of a flat record that mediation reads all lie below this; a multiple of eight. */
#define FLAT_LANES 40

/* A field that no flat record gives: where numbers go that are not there. */
#define FIELD_NOWHERE FIELD_ZONE

static_assert(!(FLAT_FIELDS >> FIELD_NOWHERE & 1), "nobody reads it");
static_assert(FIELD_VPCID < FLAT_LANES && FLAT_LANES <= FIELD_COUNT, "lanes hold FLAT_FIELDS");
static_assert(sizeof(struct flat_value) == 8, "a flat value is one lane");

enum segment_end {
    SEGMENT_RECORD, /* the record ends with it */
    SEGMENT_TEXT    /* a text of any length follows */
};

/* A number or boolean: its payload's place in the segment, what to shift the eight bytes there
 * right by, and its field. */
struct segment_number {
    uint16_t at;
    uint8_t shift;
    uint8_t field;
};

struct fork;

struct segment {
    uint16_t length;
    uint16_t blocks;        /* of 64 bytes */
    uint8_t end;            /* enum segment_end */
    uint8_t text;           /* SEGMENT_TEXT: the field, or FIELD_COUNT */
    uint8_t value_count;    /* texts */
    uint8_t byte_count;     /* booleans and small numbers */
    uint8_t number_count;   /* longer ones */
    uint8_t constant_field; /* of a small number that is part of the layout */
    uint16_t number;        /* on its shelf */
    uint8_t reserved[4];
    uint64_t constant; /* its flat value, with an offset from the digits */
    struct fork *fork; /* SEGMENT_TEXT: where the next one is found */
    uint64_t present;  /* fields of its own that are in FLAT_FIELDS, the text behind it included */
    struct segment_number bytes[SEGMENT_NUMBERS];
    struct segment_number numbers[SEGMENT_NUMBERS];
    uint8_t value_fields[FLAT_LANES];
    uint64_t lanes[FLAT_LANES]; /* flat values with offsets from the segment's start */
    struct segment *sibling;    /* the next one in the same bucket; the only one that changes */
    uint8_t expect[SEGMENT_BYTES] __attribute__((aligned(64)));
    uint8_t care[SEGMENT_BYTES] __attribute__((aligned(64)));
};

/* Finds the segment that may start at a place: eight bytes each at a few places, under masks, are
 * hashed. All children care for those bits, so a record that one of them matches leads to it. */
struct windows {
    uint32_t at[FORK_WINDOWS]; /* those that are not used have a mask of 0 */
    uint64_t mask[FORK_WINDOWS];
};

struct fork_slot {
    struct segment *segment; /* the first; NULL: none */
    size_t length;           /* of that one, so that the next record is found sooner */
};

struct fork {
    struct windows windows;
    uint32_t child_count;
    uint32_t spread; /* children when the windows were chosen */
    struct fork_slot buckets[FORK_BUCKETS];
    struct segment *children[FORK_CHILDREN];
};

/* Where a number is spelled in a block's digits, by hash. */
struct spelling {
    uint64_t number;
    uint64_t block; /* of fast->block */
    uint64_t lane;
};

#define SPELLINGS 256
/* "false", "true" and 0 to 127 lie at the start of every block's digits. */
#define CONSTANT_DIGITS (9 + 10 + 2 * 90 + 3 * 28)
/* As many as one record can need: FIELD_COUNT numbers of 20 digits. */
#define RECORD_DIGITS 1024

/* A known field's key, by hash of its first four bytes, with the value that it had when last met:
 * the next one is expected to have the same type and, if it is a text, the same length. */
#define PAIR_BYTES 32

struct key_entry {
    uint8_t expect[PAIR_BYTES]; /* key and header of the value */
    uint8_t care[PAIR_BYTES];
    struct key_entry *next; /* the key that came behind this one */
    uint64_t lane;          /* the value, with an offset from the key */
    uint64_t counts;  /* 1 for a number or boolean; from bit 32 on how many top bits are certain */
    uint16_t advance; /* to the next key */
    uint8_t field;    /* FIELD_COUNT: no key is here */
    uint8_t value;    /* bytes of the key */
    uint8_t reserved[36];
};

static_assert(sizeof(struct key_entry) == 128, "an index is a shift");

struct type_entry {
    uint64_t high;       /* top bits of the bytes behind the type that are no text */
    uint8_t fixed;       /* bytes, without what length_mask leaves of the next one */
    uint8_t length_mask; /* of the byte behind the type */
    uint8_t header;
    uint8_t kind;   /* enum value_kind */
    uint8_t number; /* or boolean */
    uint8_t odd;    /* not for the short way */
    uint8_t reserved[2];
};

#define KEY_ENTRIES 256
#define FAMILIARS   256

struct msgpack_run;
struct msgpack_fast;

/* Segments are kept as they are once they are made, until everything is forgotten and learning
 * goes on with the other one of two shelves: if nobody uses that one any more (fast_cut.h). */
struct shelf {
    struct segment *segments; /* SEGMENTS_MAX */
    uint32_t users;           /* cuts; atomic, in C++ too */
};

/* Where a segment was found, or a record that is none of known ones. */
struct msgpack_spot {
    uint32_t at; /* in the window */
    uint32_t segment;
};

#define SPOT_UNKNOWN UINT32_MAX
/* As a window holds of records of 128 bytes; of shorter ones it is made shorter. */
#define CUT_SPOTS 8192

struct msgpack_cut {
    struct shelf *shelf; /* NULL: nobody uses it */
    uint32_t count;
    uint32_t next; /* to be decoded */
    struct msgpack_spot spots[CUT_SPOTS];
};

/* One record on the any-order way. */
struct walk {
    struct msgpack_fast *fast;
    struct msgpack_run *run;
    struct flat_record *record;
    const uint8_t *start;
    const uint8_t *at;
    uint64_t left;          /* pairs to come */
    struct key_entry *last; /* the key before */
    uint32_t surprises;     /* keys that came behind others than the time before */
    uint64_t seen;
    uint64_t present;
    uint64_t high; /* bytes with their top bit set that are accounted for */
    uint32_t attributes;
    uint32_t order;
    uint32_t number_count;
    bool odd;
    bool strange; /* has what no layout is learnt for */
    bool framed;  /* msgpack_frame has found the record whole */
    uint8_t number_fields[FIELD_COUNT + 1];
    const uint8_t *numbers[FIELD_COUNT + 1]; /* to be spelled */
};

/* The parts that are compiled for several processors. */
struct msgpack_kernel {
    const char *name;
    /* Takes records of learnt layouts until one is not, the block is full or the end is near. */
    void (*run)(struct msgpack_fast *fast, struct msgpack_run *run);
    /* Notes in run->cut where they are, instead. */
    void (*find)(struct msgpack_fast *fast, struct msgpack_run *run);
    /* Takes those that were noted, until one is of no layout or the block is full. */
    void (*follow)(struct msgpack_fast *fast, struct msgpack_run *run);
    /* Takes pairs on the any-order way that look as expected. */
    void (*pairs)(struct walk *walk);
    /* How many bytes have their top bit set; reads up to 64 bytes more. */
    size_t (*count_high)(const uint8_t *at, size_t length);
};

extern const struct msgpack_kernel msgpack_kernel_portable;
extern const struct msgpack_kernel msgpack_kernel_sse2;
extern const struct msgpack_kernel msgpack_kernel_avx2;
extern const struct msgpack_kernel msgpack_kernel_avx512;

struct msgpack_fast {
    const struct msgpack_kernel *kernel;
    uint64_t byte_lanes[256]; /* flat values of small numbers and booleans, by their byte */
    char constants[CONSTANT_DIGITS];
    uint64_t block; /* how many were begun */
    struct spelling spellings[SPELLINGS];

    struct type_entry types[256];
    struct key_entry start; /* leads to the first key of a record */
    bool shuffled;          /* keys come in no order */
    uint32_t hashed;        /* records walked while they did */
    uint32_t key_factor;
    /* For each hash the pair as it was the last time and, behind all those, the time before. */
    struct key_entry keys[2 * KEY_ENTRIES] __attribute__((aligned(64)));

    struct fork *forks; /* SEGMENTS_MAX + 1 of them; the first is the root */
    struct shelf shelves[2];
    struct shelf *shelf; /* the one that is added to */
    uint32_t segment_count;
    uint32_t fork_count;
    uint64_t varying; /* fields whose texts have too many lengths to tell them apart by */
    uint64_t lengths[FIELD_COUNT];
    uint32_t familiar[FAMILIARS]; /* orders of keys that were met */
    uint32_t pause;               /* records until learning goes on */
    uint32_t pauses;              /* how often it was stopped */
    uint32_t misses;              /* in a row */
    uint64_t learnt;              /* records that the learnt way took */
    bool learns;
    struct msgpack_cut *cut; /* what to follow */
    uint64_t fields;         /* what the any-order way gives: FLAT_FIELDS, or all */
};

/* One call's place in its window. */
struct msgpack_run {
    const uint8_t *window;
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *enough; /* of a window that is cut */
    struct flat_block *block;
    struct msgpack_cut *cut;
    uint32_t digits_at; /* the offset that the block's digits have */
};

enum walk_verdict {
    WALK_PLAIN,
    WALK_ODD,    /* whole, and the reference decoder can read it alone */
    WALK_MORE,   /* not whole */
    WALK_STRANGE /* for the reference decoder, where it stands */
};

/* fast_msgpack_walk.c: the record at run->at, in any order. Fills the block's next record, does not
 * count it. *ret_order: a hash of its keys and types, never 0; 0 when the layout cannot be learnt.
 */
void walk_init(struct msgpack_fast *fast);
enum walk_verdict walk_record_any(struct msgpack_fast *fast, struct msgpack_run *run,
                                  const uint8_t **ret_end, uint32_t *ret_order);

/* fast_msgpack_learn.c: adds the layout of the plain record [at, end). False when there is nothing
 * to add, or it cannot be. */
bool learn_layout(struct msgpack_fast *fast, const uint8_t *at, const uint8_t *end);

/* For tests and benchmarks: with a kernel of choice, and without learning. */
MUST_USE enum status fast_msgpack_open_with(const struct msgpack_kernel *kernel, bool learns,
                                            struct fast_decoder **ret);
/* NULL when the processor cannot run it. */
const struct msgpack_kernel *fast_msgpack_kernel(const char *name);

/* ---- small things
 * -----------------------------------------------------------------------------------------------------
 */

static inline uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint64_t load_big_endian(const uint8_t *at)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(load_word(at));
#else
    return load_word(at);
#endif
}

static inline struct key_entry *find_key(struct key_entry *keys, uint32_t factor, const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return &keys[word * factor >> 24];
}

static inline uint64_t flat_lane(uint32_t offset, size_t length, enum value_kind kind)
{
    struct flat_value value = {offset, (uint16_t)length, (uint8_t)kind, 0};
    uint64_t lane;
    memcpy(&lane, &value, sizeof(lane));
    return lane;
}

/* Adds to the offset of a lane, which is its first four bytes. */
static inline uint64_t lane_move(uint64_t lane, uint32_t by)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return lane + by;
#else
    return lane + ((uint64_t)by << 32);
#endif
}

static inline void flat_put(struct flat_record *record, unsigned field, uint64_t lane)
{
    memcpy(&record->fields[field], &lane, sizeof(lane));
}

static inline size_t fork_bucket(const struct windows *windows, const uint8_t *at)
{
    static const uint64_t factors[FORK_WINDOWS] = {
        UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f), UINT64_C(0xd6e8feb86659fd93)};
    uint64_t hash = 0;
    for (int i = 0; i < FORK_WINDOWS; i++)
        hash += (load_word(at + windows->at[i]) & windows->mask[i]) * factors[i];
    return hash >> 54;
}

static_assert(FORK_BUCKETS == 1024, "fork_bucket gives ten bits");

/* The digits of a number below 10^8 as if written with leading zeros, the first in the lowest byte.
 * Fours, then pairs, then single digits are split in parallel: 10486 / 2^20 is a hundredth and
 * 103 / 2^10 a tenth, near enough for four and two digits. */
static inline uint64_t eight_digits(uint32_t number)
{
    uint64_t high = number / 10000;
    uint64_t fours = high | (uint64_t)(number - high * 10000) << 32;
    uint64_t hundreds = fours * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
    uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = pairs * 103 >> 10 & UINT64_C(0x000f000f000f000f);
    return tens | (pairs - tens * 10) << 8;
}

static inline void put_eight(char *text, uint64_t digits)
{
    uint64_t ascii = digits | UINT64_C(0x3030303030303030);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    ascii = __builtin_bswap64(ascii);
#endif
    memcpy(text, &ascii, sizeof(ascii));
}

/* Writes 24 bytes, of which the first so many (at most 20) are the number. */
static inline uint32_t spell_number(uint64_t number, char *text)
{
    const uint64_t part = UINT64_C(100000000);
    if (number < part) {
        uint64_t digits = eight_digits((uint32_t)number);
        unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;
        put_eight(text, digits >> 8 * zeros);
        return 8 - zeros;
    }
    uint64_t top = number / part;
    uint32_t before = 0;
    if (__builtin_expect(top >= part, 0)) {
        before = spell_number(top / part, text);
        put_eight(text + before, eight_digits((uint32_t)(top % part)));
        put_eight(text + before + 8, eight_digits((uint32_t)(number % part)));
        return before + 16;
    }
    uint64_t first = eight_digits((uint32_t)top);
    unsigned zeros = (unsigned)__builtin_ctzll(first) / 8;
    put_eight(text, first >> 8 * zeros);
    put_eight(text + 8 - zeros, eight_digits((uint32_t)(number - top * part)));
    return 16 - zeros;
}

/* Spells a number into the block's digits. */
static inline uint64_t number_lane(struct msgpack_run *run, uint64_t number)
{
    struct flat_block *block = run->block;
    uint32_t at = block->digits_length;
    uint32_t length = spell_number(number, block->digits + at);
    block->digits_length = at + length;
    return flat_lane(run->digits_at + at, length, VALUE_NUMBER);
}

/* The same for numbers that come again and again, as sizes of machines do. */
static inline uint64_t small_lane(struct msgpack_fast *fast, struct msgpack_run *run,
                                  uint64_t number)
{
    struct spelling *spelling = &fast->spellings[number * UINT64_C(0x9e3779b97f4a7c15) >> 56];
    if (__builtin_expect(spelling->number != number || spelling->block != fast->block, 0)) {
        spelling->number = number;
        spelling->block = fast->block;
        spelling->lane = number_lane(run, number);
    }
    return spelling->lane;
}

#endif
