/* Finds numbers by hash: the index of a table whose entries are numbered from 0 and stay.
 *
 * A line of the cache holds twelve numbers, each with a byte of its hash, so a look-up is mostly
 * one miss and a comparison of twelve bytes at once. Lines that are full run over into the next.
 * The caller says whether a number is the right one, and hands all of them in again when the index
 * has grown: it keeps no whole hash. Memory: 5.3 bytes a place, four fifths of which are taken
 * before it grows by a quarter, in place. */
#ifndef RATEL_BASE_LOOKUP_H
#define RATEL_BASE_LOOKUP_H

#include "base/vast.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LOOKUP_PLACES 12

/*   0         12      13       14         16
 *   | marks   | count | passed | reserved | numbers[12] | */
struct lookup_line {
    uint8_t marks[LOOKUP_PLACES];
    uint8_t count;
    uint8_t passed; /* a number that belongs here, or in a line before, stands in a later one */
    uint16_t reserved;
    uint32_t numbers[LOOKUP_PLACES];
};
static_assert(sizeof(struct lookup_line) == 64, "a look-up is one cache line");

struct lookup {
    struct lookup_line *lines; /* never moves */
    uint32_t line_count;       /* 0: nothing was put in yet */
    struct vast memory;
};

/* For at most `capacity` numbers, or `capacity_least` where the system refuses the addresses.
 * Errors: NO_MEMORY. */
MUST_USE enum status lookup_init(struct lookup *lookup, uint64_t capacity, uint64_t capacity_least,
                                 bool huge_pages);
void lookup_fini(struct lookup *lookup);

/* Whether so many numbers are too many: lookup_grow comes first. */
static inline bool lookup_is_full(const struct lookup *lookup, uint64_t count)
{
    return count * 5 > (uint64_t)lookup->line_count * LOOKUP_PLACES * 4;
}
/* Room for `count` numbers at least, and nothing in it: the caller puts all of them again. Errors:
 * NO_MEMORY, with everything as it was. */
MUST_USE enum status lookup_grow(struct lookup *lookup, uint64_t count);
/* Nothing in it, with the memory that it has. */
void lookup_clear(struct lookup *lookup);
/* Clears the lines that hashes like this one stand in; when that was done for the hash of every
 * number, nothing is left. */
void lookup_clear_home(struct lookup *lookup, uint32_t hash);
/* Puts a number that is not there. */
void lookup_put(struct lookup *lookup, uint32_t hash, uint32_t number);

/* The line that a search begins with: by the hash's high bits, as its low ones are the marks. */
static inline struct lookup_line *lookup_home(const struct lookup *lookup, uint32_t hash)
{
    return &lookup->lines[(uint64_t)hash * lookup->line_count >> 32];
}

/* Where a search goes on when line->passed. */
static inline struct lookup_line *lookup_next(const struct lookup *lookup,
                                              const struct lookup_line *line)
{
    uint32_t next = (uint32_t)(line - lookup->lines) + 1;
    return &lookup->lines[next == lookup->line_count ? 0 : next];
}

/* Bit i: numbers[i] may be it. */
static inline uint32_t lookup_matches(const struct lookup_line *line, uint32_t hash)
{
    uint32_t mask = 0;
#ifdef __SSE2__
    __m128i marks = _mm_load_si128((const __m128i *)(const void *)line);
    mask = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(marks, _mm_set1_epi8((char)hash)));
#else
    for (unsigned i = 0; i < LOOKUP_PLACES; i++)
        mask |= (uint32_t)(line->marks[i] == (uint8_t)hash) << i;
#endif
    return mask & ((1u << line->count) - 1);
}

static inline void lookup_prefetch(const struct lookup *lookup, uint32_t hash)
{
    __builtin_prefetch(lookup_home(lookup, hash), 1);
}

/* Bytes of memory in use. */
static inline uint64_t lookup_bytes(const struct lookup *lookup)
{
    return (uint64_t)lookup->line_count * sizeof(struct lookup_line);
}

#endif
