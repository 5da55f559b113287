/* The indexed way of fast_json.h. Included behind fast_json_walk.h; needs of it what that says, and
 *
 *   WALK_INDEXED          the function's name
 *   mask_specials(at)     of 32 bytes at `at`: backslashes, control characters, bytes beyond ASCII
 */

/* Writes where the bits of `mask` are, behind `base`, to `to`, which has room for 64; returns how
 * many. Few blocks have more than eight quotes, so that most go without a branch. */
WALK_INLINE uint32_t put_bits(uint16_t *to, uint64_t mask, size_t base)
{
    uint32_t count = (uint32_t)__builtin_popcountll(mask);
    for (uint32_t done = 0; done < count; done += 8)
        for (int i = 0; i < 8; i++) {
            to[done + (uint32_t)i] = (uint16_t)(base + (size_t)__builtin_ctzll(mask | 1ull << 63));
            mask &= mask - 1;
        }
    return count;
}

/* Indexes the bytes from `at` on. */
WALK_TARGET static void index_bytes(struct json_walk *walk, const char *at)
{
    struct json_index *index = &walk->index;
    size_t rest = (size_t)(walk->end - at);
    size_t length = rest < JSON_INDEX_BYTES ? rest : JSON_INDEX_BYTES;
    index->from = at;
    index->to = at + length;
    index->quote = index->special = 0;
    index->quotes = index->specials = 0;
    for (size_t base = 0; base < length; base += 64) {
        const char *block = at + base;
        uint64_t quotes = mask_quotes(block) | (uint64_t)mask_quotes(block + 32) << 32;
        uint64_t specials = mask_specials(block) | (uint64_t)mask_specials(block + 32) << 32;
        __builtin_prefetch(block + JSON_PREFETCH_BYTES);
        if (length - base < 64) { /* what follows is padding */
            quotes &= (UINT64_C(1) << (length - base)) - 1;
            specials &= (UINT64_C(1) << (length - base)) - 1;
        }
        index->quotes += put_bits(index->quote_at + index->quotes, quotes, base);
        if (specials)
            index->specials += put_bits(index->special_at + index->specials, specials, base);
    }
    index->special_at[index->specials] = UINT16_MAX;
}

/* A value that is no text: *ret_kind, and its end; NULL for what this way does not take. */
WALK_INLINE const char *other_end(const char *at, const char *end, unsigned *ret_kind)
{
    enum json_outcome outcome;
    if (*at == '[' || *at == '{') {
        *ret_kind = VALUE_ABSENT;
        return at[1] == *at + 2 ? at + 2 : NULL; /* the closing bracket, in ASCII */
    }
    if (*at == 't' || *at == 'f' || *at == 'n') {
        *ret_kind = *at == 'n' ? VALUE_ABSENT : VALUE_BOOLEAN;
        return word_end(at, end, &outcome);
    }
    *ret_kind = VALUE_NUMBER;
    unsigned digits = (unsigned)__builtin_ctz(~mask_digits(at) | 1u << 31);
    if (digits == 0 || digits > 30 || (digits > 1 && *at == '0') || at[digits] == '.' ||
        (at[digits] | 0x20) == 'e')
        return number_end(at, end);
    return at + digits;
}

struct indexed {
    uint64_t seen; /* one bit a name */
    uint64_t twice;
    uint64_t present;
};

/* Whether the members that were met make a plain record of the bytes [start, end). */
WALK_INLINE bool indexed_end(struct json_walk *walk, struct flat_record *record,
                             const struct indexed *met, const char *start, const char *end)
{
    struct json_index *index = &walk->index;
    const uint64_t known = (UINT64_C(1) << FIELD_COUNT) - 1;
    while (index->special_at[index->special] < start - index->from)
        index->special++;
    if (index->special_at[index->special] < end - index->from || end > index->to)
        return false;
    if ((met->twice & known) || (met->seen >> JSON_NAME_SPECVERSION & 1) ||
        !(met->present & FLAT_FIELD(USAGETYPE)) || end - start > DECODE_RECORD_MAX)
        return false;
    if ((met->present & FLAT_FIELD(STARTDATE)) && maybe_url_encoded(walk, record))
        return false;
    record->present = met->present & walk->fields;
    return !(record->present & JSON_NOWHERE);
}

/* The members of the record at `at`, whose quotes are indexed. NULL when they are not all, or this
 * is not the way to read it. */
WALK_INLINE const char *indexed_members(struct json_walk *walk, const char *at,
                                        struct flat_record *record, struct indexed *met)
{
    struct json_index *index = &walk->index;
    const char *from = index->from;
    const uint16_t *quote = index->quote_at + index->quote;
    const uint16_t *quotes_end = index->quote_at + index->quotes;
    unsigned members = 0;
    for (at++; quote + 4 <= quotes_end && from + quote[0] == at; at++) {
        const char *key = at + 1;
        size_t key_length = (size_t)(quote[1] - quote[0]) - 1;
        unsigned name =
            key_length - 1 < 31 ? name_of(walk->names, key, key_length) : JSON_NAME_OTHER;
        const char *value = from + quote[1] + 2;
        unsigned kind = VALUE_TEXT;
        if (value[-1] != ':' || (members == 0 && means_envelope(name, key, key_length)))
            return NULL;
        const char *end;
        if (*value == '"') {
            value++;
            end = from + quote[3];
            at = end + 1;
            quote += 4;
        } else {
            end = at = other_end(value, walk->end, &kind);
            quote += 2;
            if (!end)
                return NULL;
        }
        uint64_t bit = UINT64_C(1) << name;
        met->twice |= met->seen & bit;
        met->seen |= bit;
        met->present |= kind == VALUE_ABSENT ? 0 : bit;
        json_put_value(&record->fields[name < FIELD_COUNT ? name : JSON_STORE_NOWHERE],
                       json_value((uint64_t)(end - value), kind), offset_of(walk, value));
        /* An empty list or object is no value of a known field. */
        if ((*value == '[' || *value == '{') && kind == VALUE_ABSENT && name < FIELD_COUNT)
            return NULL;
        if (++members > RECORD_ATTRIBUTES_MAX || *at == '}') {
            index->quote = (uint32_t)(quote - index->quote_at);
            return *at == '}' ? at + 1 : NULL;
        }
        if (*at != ',')
            return NULL;
    }
    return NULL;
}

WALK_TARGET enum json_learnt WALK_INDEXED(struct json_walk *walk, const char *at,
                                          struct flat_record *record, const char **ret_end)
{
    struct json_index *index = &walk->index;
    for (int tries = 0; tries < 2; tries++) {
        /* A record that the index ends in is indexed anew, from its start. */
        if (tries > 0 || !index->from || at < index->from || at >= index->to)
            index_bytes(walk, at);
        while (index->quote < index->quotes && index->quote_at[index->quote] < at - index->from)
            index->quote++;
        struct indexed met = {0};
        const char *end = indexed_members(walk, at, record, &met);
        if (end && indexed_end(walk, record, &met, at, end)) {
            *ret_end = end;
            return JSON_LEARNT_FITS;
        }
        if (end || index->to == walk->end || index->to - at > JSON_INDEX_BYTES / 2)
            break;
    }
    return JSON_LEARNT_UNFIT;
}
