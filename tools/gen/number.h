/* Numbers as text, seeded draws, and the two helpers that every file here needs: memory and
 * failure.
 *
 * Everything is integer arithmetic. Draws are stateless hashes of (seed, what, which), so that the
 * same thing has the same value in whatever order the program asks for it. */
#ifndef GEN_NUMBER_H
#define GEN_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEN_MUST_USE            __attribute__((warn_unused_result))
#define GEN_PRINTF(text, first) __attribute__((format(printf, text, first)))

#define NUMBER_BYTES 48 /* the longest text of any number here, with its end */
#define UUID_BYTES   36

/* sysexits(3), the ones that this program uses. */
enum gen_exit {
    GEN_EXIT_USAGE = 64,
    GEN_EXIT_SYSTEM = 71,
    GEN_EXIT_CANNOT_CREATE = 73,
    GEN_EXIT_IO = 74,
};

/* Why a run ended early: the exit code and one line for a person. */
struct failure {
    int exit_code;
    char text[512];
};

/* Fills `failure` and returns false, so that a caller can `return failure_set(...)`. */
bool failure_set(struct failure *failure, int exit_code, const char *format, ...) GEN_PRINTF(3, 4);

/* realloc that ends the program with one line and GEN_EXIT_SYSTEM when there is no memory. */
void *memory_grow(void *old, size_t bytes);

typedef __int128 wide;

uint64_t mix64(uint64_t x);
/* A draw that depends on the four numbers alone. */
uint64_t draw(uint64_t seed, uint64_t what, uint64_t which, uint64_t when);

/* A sequence of draws (splitmix64). */
struct rng {
    uint64_t state;
};
struct rng rng_seeded(uint64_t seed, uint64_t what, uint64_t which);
uint64_t rng_next(struct rng *rng);
/* Uniform in [0, n); n > 0. */
uint64_t rng_below(struct rng *rng, uint64_t n);
/* Uniform in [low, high]; low <= high. */
uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high);
bool rng_chance(struct rng *rng, uint32_t permille);

/* All of these write no end-of-string and return the length. */
size_t number_u64(char *out, uint64_t value);
/* Millionths as Java's "###########.######": no exponent, no trailing zeros, at most 6 decimals,
 * `point` between. */
size_t number_micro(char *out, uint64_t micro, char point);
/* The same for 128 bits, with a dot; for the truth. */
size_t number_wide_micro(char *out, wide micro);
size_t number_wide(char *out, wide value);
/* "(100.00 GB) 107374182400", as CloudStack prints sizes in descriptions. */
size_t number_human(char *out, uint64_t bytes, char point);
/* Exactly `digits` digits, zero-filled. */
size_t number_padded(char *out, uint64_t value, unsigned digits);

/* Hours of `seconds`, in millionths of an hour: floor(seconds * 10^6 / 3600 + 1/2). A tie cannot
 * happen. */
uint64_t hours_micro(uint64_t seconds);

/* A version 4 UUID that depends on the three numbers alone. */
void uuid_text(char out[UUID_BYTES], uint64_t seed, uint64_t kind, uint64_t number);

#endif
