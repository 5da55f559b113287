#include "mediate/description.h"

#include <assert.h>

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static struct slice digits_at(struct slice text, size_t position)
{
    size_t end = position;
    while (end < text.length && is_digit(text.data[end]))
        end++;
    return slice_of(text.data + position, end - position);
}

/* Where the last occurrence of `word` ends; 0 when there is none. Its byte at `anchor` is the one
 * looked for: the rarest. */
static size_t behind_last(struct slice text, struct slice word, size_t anchor)
{
    assert(anchor < word.length);
    size_t end = text.length;
    while (end > 0) {
        const char *found = memrchr(text.data, word.data[anchor], end);
        if (!found)
            return 0;
        end = (size_t)(found - text.data);
        if (end >= anchor &&
            slice_starts_with(slice_of(found - anchor, text.length - end + anchor), word))
            return end - anchor + word.length;
    }
    return 0;
}

/* The digits right behind the last occurrence of a label that ends in ": "; empty when there are
 * none. */
static struct slice digits_behind(struct slice text, struct slice label)
{
    size_t at = behind_last(text, label, label.length - 2);
    return at ? digits_at(text, at) : (struct slice){0};
}

/* "... size (8.00 GB) 8589934592": the digits behind the last "size", a size for people in
 * parentheses skipped. */
static struct slice size_in(struct slice text)
{
    size_t at = behind_last(text, SLICE("size"), 2);
    if (at == 0)
        return (struct slice){0};
    while (at < text.length && (text.data[at] == ' ' || text.data[at] == ':'))
        at++;
    if (at < text.length && text.data[at] == '(') {
        while (at < text.length && text.data[at] != ')')
            at++;
        while (at < text.length && (text.data[at] == ')' || text.data[at] == ' '))
            at++;
    }
    return at < text.length ? digits_at(text, at) : (struct slice){0};
}

static bool is_uuid(struct slice text)
{
    const char *at = text.data;
    if (text.length != 36 || at[8] != '-' || at[13] != '-' || at[18] != '-' || at[23] != '-')
        return false;
    unsigned char others = 0; /* these four alone; gcc makes vector code of it */
    for (size_t i = 0; i < 36; i++)
        others += !(((unsigned char)(at[i] - '0') <= 9) |
                    ((unsigned char)((at[i] | 0x20) - 'a') <= 'f' - 'a'));
    return others == 4;
}

/* The first "(uuid)" of a description: the resource that it speaks of. */
static struct slice uuid_in(struct slice text)
{
    for (size_t i = 0; i + 38 <= text.length; i++) {
        const char *found = memchr(text.data + i, '(', text.length - 37 - i);
        if (!found)
            break;
        i = (size_t)(found - text.data);
        struct slice candidate = slice_of(found + 1, 36);
        if (found[37] == ')' && is_uuid(candidate))
            return candidate;
    }
    return (struct slice){0};
}

struct described description_read(unsigned usage_type, struct slice text)
{
    switch (usage_type) {
    case TYPE_VOLUME_SECONDARY:
        return (struct described){.resource = uuid_in(text), .size = size_in(text)};
    case TYPE_NETWORK:
        return (struct described){.resource = digits_behind(text, SLICE("network ID: ")),
                                  .offering = digits_behind(text, SLICE("network offering: "))};
    case TYPE_VPC:
        return (struct described){.resource = digits_behind(text, SLICE("VPC ID: "))};
    default:
        return (struct described){0};
    }
}

bool description_counts_amounts(const struct meter *meter)
{
    return !(meter->dimensions & DIMENSION_TIME) && !meter->level;
}

/* Where an amount for people that begins at `at`, "(173.42 GB)", ends; `at` when there is none. */
static size_t behind_rounded(struct slice text, size_t at)
{
    struct slice rest = slice_of(text.data + at, text.length - at);
    if (rest.length < 2 || !is_digit(rest.data[1]) ||
        is_uuid(slice_of(rest.data + 1, rest.length > 37 ? 36 : 0)))
        return at;
    const char *end = memchr(rest.data, ')', rest.length);
    /* a unit's letter before the parenthesis */
    bool unit = end && end - rest.data > 2 && end[-1] >= 'A';
    return unit ? at + (size_t)(end - rest.data) + 1 : at;
}

size_t description_without_amounts(struct slice text, struct slice amount, char *ret)
{
    size_t length = 0;
    for (size_t i = 0; i < text.length;) {
        char c = text.data[i];
        size_t next = i;
        if (is_digit(c) && (i == 0 || !is_digit(text.data[i - 1]))) {
            struct slice digits = digits_at(text, i);
            if (slice_equal(digits, amount))
                next += digits.length;
        } else if (c == '(') {
            next = behind_rounded(text, i);
        }
        if (next == i) {
            ret[length++] = c;
            next++;
        }
        i = next;
    }
    return length;
}
