#include "gen/number.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool failure_set(struct failure *failure, int exit_code, const char *format, ...)
{
    va_list arguments;

    assert(exit_code != 0);
    failure->exit_code = exit_code;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return false;
}

void *memory_grow(void *old, size_t bytes)
{
    static const char text[] =
        "ratel-gen: out of memory; ask for fewer accounts, machines or series\n";
    void *grown = realloc(old, bytes ? bytes : 1);

    if (!grown) {
        ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
        (void)ignored;
        _exit(GEN_EXIT_SYSTEM);
    }
    return grown;
}

/* The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014). */
uint64_t mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t draw(uint64_t seed, uint64_t what, uint64_t which, uint64_t when)
{
    uint64_t x = mix64(seed + 0x9e3779b97f4a7c15u * (what + 1));

    x = mix64(x + 0x9e3779b97f4a7c15u * (which + 1));
    return mix64(x + 0x9e3779b97f4a7c15u * (when + 1));
}

struct rng rng_seeded(uint64_t seed, uint64_t what, uint64_t which)
{
    return (struct rng){draw(seed, what, which, 0)};
}

uint64_t rng_next(struct rng *rng)
{
    rng->state += 0x9e3779b97f4a7c15u;
    return mix64(rng->state);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    assert(n > 0);
    return (uint64_t)(((unsigned __int128)rng_next(rng) * n) >> 64);
}

uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high)
{
    assert(low <= high);
    return low + rng_below(rng, high - low + 1);
}

bool rng_chance(struct rng *rng, uint32_t permille)
{
    return rng_below(rng, 1000) < permille;
}

size_t number_u64(char *out, uint64_t value)
{
    char reversed[20];
    size_t length = 0;

    do {
        reversed[length++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < length; i++)
        out[i] = reversed[length - 1 - i];
    return length;
}

size_t number_padded(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    assert(value == 0);
    return digits;
}

/* Writes ".000123" without its trailing zeros, or nothing for 0. */
static size_t fraction_micro(char *out, uint64_t micro, char point)
{
    size_t length = 7;

    assert(micro < 1000000);
    if (micro == 0)
        return 0;
    out[0] = point;
    number_padded(out + 1, micro, 6);
    while (out[length - 1] == '0')
        length--;
    return length;
}

size_t number_micro(char *out, uint64_t micro, char point)
{
    size_t length = number_u64(out, micro / 1000000);

    return length + fraction_micro(out + length, micro % 1000000, point);
}

size_t number_wide(char *out, wide value)
{
    char reversed[40];
    size_t length = 0, at = 0;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;

    if (value < 0)
        out[at++] = '-';
    do {
        reversed[length++] = (char)('0' + (unsigned)(rest % 10));
        rest /= 10;
    } while (rest);
    while (length)
        out[at++] = reversed[--length];
    return at;
}

size_t number_wide_micro(char *out, wide micro)
{
    size_t length;

    assert(micro >= 0);
    length = number_wide(out, micro / 1000000);
    return length + fraction_micro(out + length, (uint64_t)(micro % 1000000), '.');
}

size_t number_human(char *out, uint64_t bytes, char point)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    size_t length = 0;
    unsigned unit = 0;

    out[length++] = '(';
    if (bytes < 1024) {
        length += number_u64(out + length, bytes);
        memcpy(out + length, " bytes", 6);
        length += 6;
    } else {
        unsigned __int128 hundredths;

        while (unit < 3 && bytes >> (10 * (unit + 2)))
            unit++;
        hundredths = ((unsigned __int128)bytes * 100 + ((uint64_t)1 << (10 * (unit + 1) - 1))) >>
                     (10 * (unit + 1));
        length += number_u64(out + length, (uint64_t)(hundredths / 100));
        out[length++] = point;
        length += number_padded(out + length, (uint64_t)(hundredths % 100), 2);
        out[length++] = ' ';
        memcpy(out + length, units[unit], 2);
        length += 2;
    }
    out[length++] = ')';
    out[length++] = ' ';
    length += number_u64(out + length, bytes);
    assert(length < NUMBER_BYTES);
    return length;
}

uint64_t hours_micro(uint64_t seconds)
{
    /* 10^6 / 3600 = 2500 / 9: the remainder is never exactly one half. */
    return (seconds * 2500 * 2 + 9) / 18;
}

void uuid_text(char out[UUID_BYTES], uint64_t seed, uint64_t kind, uint64_t number)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t half[2] = {draw(seed, kind, number, 1), draw(seed, kind, number, 2)};
    unsigned at = 0;

    half[0] = (half[0] & ~(uint64_t)0xf000) | 0x4000;
    half[1] = (half[1] & ~((uint64_t)3 << 62)) | (uint64_t)1 << 63;
    for (unsigned digit = 0; digit < 32; digit++) {
        if (digit == 8 || digit == 12 || digit == 16 || digit == 20)
            out[at++] = '-';
        out[at++] = hex[half[digit / 16] >> (60 - 4 * (digit % 16)) & 15];
    }
    assert(at == UUID_BYTES);
}
