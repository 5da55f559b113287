/* The two ways of fast_json.h, for one kind of machine. Included once for each, with these defined
 * before: WALK_TARGET, the functions' attribute; WALK_LEARNT and WALK_CAREFUL, their names; and
 *
 *   mask_text(at)      of 32 bytes at `at`: quotes, backslashes and control characters
 *   mask_quotes(at)    quotes
 *   mask_beyond(at)    bytes beyond ASCII
 *   mask_digits(at)    digits
 *   mask_percents(at)  percent signs
 *   mask_equal(at, b)  bytes equal to those at `b`
 *   tally(at, end, &quotes, &specials)   how many quotes, and how many backslashes, control
 *                      characters and bytes beyond ASCII are in [at, end), at most
 *                      JSON_TALLY_MAX bytes
 *
 * Masks have one bit a byte. They read 32 bytes from any place up to the window's end, so up to 32
 * bytes of padding. */
#include "adapters/fast_json.h"
#include "adapters/json_frame.h"
#include "adapters/json_record.h"
#include "adapters/simdjson_shim.h"

static_assert(DECODER_PADDING >= 32, "masks read whole vectors");

#define WALK_INLINE WALK_TARGET static inline __attribute__((always_inline))

WALK_INLINE uint64_t offset_of(const struct json_walk *walk, const char *at)
{
    return (uint64_t)(at - walk->window);
}

/* ---- the careful way
 * ------------------------------------------------------------------------------------------------------
 */

/* What is gathered over one record. */
struct gathered {
    uint32_t beyond; /* bytes beyond ASCII, perhaps behind the record */
    bool escapes;    /* a backslash in the text just read */
};

/* Behind a blank run. */
WALK_INLINE const char *behind_blanks(const char *at, const char *end)
{
    while (at < end && json_blank(*at))
        at++;
    return at;
}

/* The closing quote of the text that starts at `at`. NULL: *ret_outcome says why. */
WALK_INLINE const char *text_end(struct gathered *gathered, const char *at, const char *end,
                                 enum json_outcome *ret_outcome)
{
    *ret_outcome = JSON_SHORT;
    gathered->escapes = false;
    while (at < end) {
        gathered->beyond |= mask_beyond(at);
        uint32_t stops = mask_text(at);
        if (stops == 0) {
            at += 32;
            continue;
        }
        at += __builtin_ctz(stops);
        if (at >= end)
            return NULL;
        if (*at == '"')
            return at;
        if (*at == '\\') {
            if (at + 1 >= end)
                return NULL;
            gathered->escapes = true;
            at++;
            if ((unsigned char)*at < 0x20)
                *ret_outcome = JSON_STRANGE;
        } else if (*at == '\n') { /* perhaps a hard end */
            *ret_outcome = JSON_STRANGE;
        }
        if (*ret_outcome == JSON_STRANGE)
            return NULL;
        at++; /* control characters mean themselves, as CloudStack sends them */
    }
    return NULL;
}

/* Behind a number, or NULL where it is none. At `end` it may be cut. */
WALK_INLINE const char *number_end(const char *at, const char *end)
{
    at += at < end && *at == '-';
    const char *digits = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == digits || (*digits == '0' && at - digits > 1))
        return at == end ? end : NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
        if (at == digits)
            return at == end ? end : NULL;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
        if (at == digits)
            return at == end ? end : NULL;
    }
    return at;
}

/* Behind one of true, false, null; NULL: *ret_outcome. */
WALK_INLINE const char *word_end(const char *at, const char *end, enum json_outcome *ret_outcome)
{
    static const char words[3][6] = {"true", "false", "null"};
    const char *word = words[*at == 'f' ? 1 : *at == 'n' ? 2 : 0];
    size_t length = strlen(word);
    size_t rest = (size_t)(end - at);
    *ret_outcome = rest < length ? JSON_SHORT : JSON_STRANGE;
    return rest >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

/* A value that is no list and no object. */
WALK_INLINE const char *scalar_end_of(struct gathered *gathered, const char *at, const char *end,
                                      enum json_outcome *ret_outcome)
{
    if (*at == '"') {
        const char *quote = text_end(gathered, at + 1, end, ret_outcome);
        return quote ? quote + 1 : NULL;
    }
    if (*at == 't' || *at == 'f' || *at == 'n')
        return word_end(at, end, ret_outcome);
    at = number_end(at, end);
    *ret_outcome = at ? JSON_SHORT : JSON_STRANGE;
    return at;
}

/* Behind a key and its colon, at the value's first byte. */
WALK_INLINE const char *behind_key(struct gathered *gathered, const char *at, const char *end,
                                   enum json_outcome *ret_outcome)
{
    *ret_outcome = at < end ? JSON_STRANGE : JSON_SHORT;
    if (at >= end || *at != '"')
        return NULL;
    at = text_end(gathered, at + 1, end, ret_outcome);
    if (!at)
        return NULL;
    at = behind_blanks(at + 1, end);
    *ret_outcome = at < end ? JSON_STRANGE : JSON_SHORT;
    if (at >= end || *at != ':')
        return NULL;
    at = behind_blanks(at + 1, end);
    *ret_outcome = JSON_SHORT;
    return at < end ? at : NULL;
}

/* Behind the list or object that starts at `at`; strictly JSON, or NULL. */
WALK_TARGET static const char *nested_end(struct gathered *gathered, const char *at,
                                          const char *end, enum json_outcome *ret_outcome)
{
    uint64_t lists = *at == '['; /* one bit a level */
    int depth = 2;               /* within the record */
    bool first = true;
    at++;
    for (;;) {
        at = behind_blanks(at, end);
        *ret_outcome = JSON_SHORT;
        if (at >= end)
            return NULL;
        bool in_list = lists & 1;
        bool value = true; /* a value follows, rather than a comma or the end */
        if (*at == (in_list ? ']' : '}')) {
            at++;
            lists >>= 1;
            if (--depth == 1)
                return at;
            value = false;
        } else if (!first) {
            *ret_outcome = JSON_STRANGE;
            if (*at != ',')
                return NULL;
            at = behind_blanks(at + 1, end);
            *ret_outcome = JSON_SHORT;
            if (at >= end)
                return NULL;
        }
        first = false;
        if (!value)
            continue;
        if (!in_list) {
            at = behind_key(gathered, at, end, ret_outcome);
            if (!at)
                return NULL;
        }
        if (*at == '{' || *at == '[') {
            *ret_outcome = JSON_STRANGE;
            if (depth == JSON_DEPTH_MAX)
                return NULL;
            lists = lists << 1 | (*at == '[');
            depth++;
            at++;
            first = true;
            continue;
        }
        at = scalar_end_of(gathered, at, end, ret_outcome);
        if (!at)
            return NULL;
    }
}

WALK_INLINE unsigned name_of(const struct json_names *names, const char *name, size_t length)
{
    unsigned index = names->slots[json_name_slot(names->factor, name, length)];
    if (names->lengths[index] != length)
        return JSON_NAME_OTHER;
    uint32_t mask = mask_equal(name, names->names[index]);
    return (~mask & ((UINT32_C(1) << length) - 1)) == 0 ? index : JSON_NAME_OTHER;
}

/* What is known of a record while its members go by. */
struct careful {
    struct gathered gathered;
    uint64_t seen;
    uint64_t present;
    unsigned members;
    unsigned attributes;
    bool left;
    bool no_room;
};

/* Whether the first member's name may make the object something else than a record
 * (json_classify). */
WALK_TARGET static bool means_envelope(unsigned name, const char *at, size_t length)
{
    struct slice key = slice_of(at, length);
    return name >= JSON_NAME_ENVELOPE || is_response_name(key) ||
           slice_equal(key, SLICE("errortext"));
}

/* Notes a member whose value is a token of `kind` (ABSENT: null or nested). */
WALK_INLINE void note_member(struct json_walk *walk, struct careful *careful,
                             struct flat_record *record, unsigned name, const char *value,
                             size_t length, unsigned kind, bool nested)
{
    if (walk->met_count < JSON_LEARN_MEMBERS)
        walk->met[walk->met_count] =
            (struct json_met){value, value + length, (uint8_t)kind, (uint8_t)name};
    walk->met_count++;
    if (name >= FIELD_COUNT) {
        careful->left |= name == JSON_NAME_SPECVERSION;
        careful->attributes += kind != VALUE_ABSENT;
        return;
    }
    uint64_t bit = UINT64_C(1) << name;
    bool wanted = walk->fields & bit;
    careful->left |= nested || (careful->seen & bit) || (wanted && length > UINT16_MAX);
    careful->seen |= bit;
    if (kind == VALUE_ABSENT)
        return;
    careful->present |= bit;
    json_put_value(&record->fields[name], json_value((uint16_t)length, kind),
                   offset_of(walk, value));
}

/* A text with escapes: without them it goes behind the window, among the block's digits. */
WALK_TARGET static void note_escaped(struct json_walk *walk, struct careful *careful,
                                     struct flat_record *record, unsigned name, struct slice raw)
{
    struct flat_block *block = walk->block;
    const char *reason = NULL;
    struct slice text;
    scratch_reset(&walk->scratch);
    note_member(walk, careful, record, name, raw.data, raw.length, VALUE_TEXT, false);
    if (json_unescape(&walk->scratch, raw, &text, &reason) || reason || name == FIELD_STARTDATE) {
        careful->left = true;
        return;
    }
    if (name >= FIELD_COUNT || !(walk->fields >> name & 1))
        return;
    if (text.length > FLAT_DIGITS_BYTES - block->digits_length) {
        careful->no_room = true;
        return;
    }
    if (text.length)
        memcpy(block->digits + block->digits_length, text.data, text.length);
    json_put_value(&record->fields[name], json_value(text.length, VALUE_TEXT),
                   (uint64_t)(walk->end - walk->window) + block->digits_length);
    block->digits_length += (uint32_t)text.length;
}

/* One member from its key on. Returns behind its value. */
WALK_INLINE const char *careful_member(struct json_walk *walk, struct careful *careful,
                                       struct flat_record *record, const char *at,
                                       enum json_outcome *ret_outcome)
{
    struct gathered *gathered = &careful->gathered;
    const char *key = at + 1;
    *ret_outcome = JSON_STRANGE;
    if (*at != '"')
        return NULL;
    const char *key_end = text_end(gathered, key, walk->end, ret_outcome);
    if (!key_end)
        return NULL;
    size_t key_length = (size_t)(key_end - key);
    careful->left |= gathered->escapes;
    unsigned name = key_length - 1 < 31 ? name_of(walk->names, key, key_length) : JSON_NAME_OTHER;
    at = key_end + 1;
    if (*at != ':' || at >= walk->end) {
        at = behind_blanks(at, walk->end);
        *ret_outcome = at < walk->end ? JSON_STRANGE : JSON_SHORT;
        if (at >= walk->end || *at != ':')
            return NULL;
    }
    at = behind_blanks(at + 1, walk->end);
    *ret_outcome = JSON_SHORT;
    if (at >= walk->end)
        return NULL;
    *ret_outcome = JSON_STRANGE;
    if (careful->members++ == 0 && means_envelope(name, key, key_length))
        return NULL;
    if (careful->members > JSON_MEMBERS_MAX)
        return NULL;
    const char *value = at;
    const char *end;
    if (*at == '"') {
        end = text_end(gathered, at + 1, walk->end, ret_outcome);
        if (!end)
            return NULL;
        if (gathered->escapes)
            note_escaped(walk, careful, record, name,
                         slice_of(value + 1, (size_t)(end - value) - 1));
        else
            note_member(walk, careful, record, name, value + 1, (size_t)(end - value) - 1,
                        VALUE_TEXT, false);
        return end + 1;
    }
    bool nested = *at == '{' || *at == '[';
    end = nested ? nested_end(gathered, at, walk->end, ret_outcome)
                 : scalar_end_of(gathered, at, walk->end, ret_outcome);
    if (!end)
        return NULL;
    unsigned kind = nested || *at == 'n'       ? VALUE_ABSENT
                    : *at == 't' || *at == 'f' ? VALUE_BOOLEAN
                                               : VALUE_NUMBER;
    note_member(walk, careful, record, name, value, (size_t)(end - value), kind, nested);
    return end;
}

/* Whether the server had encode.api.response on, or may have (record_decode_urls). */
WALK_INLINE bool maybe_url_encoded(const struct json_walk *walk, const struct flat_record *record)
{
    const struct flat_value *date = &record->fields[FIELD_STARTDATE];
    return memchr(walk->window + date->offset, '%', date->length) != NULL;
}

WALK_TARGET enum json_outcome WALK_CAREFUL(struct json_walk *walk, const char *at,
                                           struct flat_record *record, const char **ret_end)
{
    struct careful careful = {.left = false};
    const char *start = at;
    enum json_outcome outcome;
    assert(at < walk->end && *at == '{');
    walk->met_count = 0;
    at = behind_blanks(at + 1, walk->end);
    for (;;) {
        if (at >= walk->end)
            return JSON_SHORT;
        at = careful_member(walk, &careful, record, at, &outcome);
        if (!at)
            return outcome;
        if (*at != ',' || at >= walk->end) {
            at = behind_blanks(at, walk->end);
            if (at >= walk->end)
                return JSON_SHORT;
        }
        if (*at == '}')
            break;
        if (*at != ',')
            return JSON_STRANGE;
        at = behind_blanks(at + 1, walk->end);
    }
    at++;
    size_t length = (size_t)(at - start);
    if (length > DECODE_RECORD_MAX)
        return JSON_STRANGE;
    if (careful.gathered.beyond && !utf8_valid(start, length))
        return JSON_STRANGE;
    *ret_end = at;
    if (careful.left || careful.attributes > RECORD_ATTRIBUTES_MAX ||
        !(careful.present & FLAT_FIELD(USAGETYPE)))
        return JSON_LEFT;
    if ((careful.present & FLAT_FIELD(STARTDATE)) && maybe_url_encoded(walk, record))
        return JSON_LEFT;
    record->present = careful.present & walk->fields;
    return careful.no_room ? JSON_NO_ROOM : JSON_PLAIN;
}

/* ---- the learnt way
 * ------------------------------------------------------------------------------------------------------
 */

/* Nothing is read at or behind this many bytes before the window's end: a step looks at 256 bytes
 * of a long text, or at one literal. */
#define WALK_MARGIN 320

WALK_INLINE bool node_matches(const struct json_node *node, const char *at)
{
    return (~mask_equal(at, (const char *)node->literal) & node->mask) == 0;
}

/* The next quote from `at`, or NULL when it is too far. */
WALK_INLINE const char *next_quote(const char *at, const char *limit)
{
    const char *stop = limit - at > JSON_VALUE_MAX ? at + JSON_VALUE_MAX : limit;
    for (; at < stop; at += 32) {
        uint32_t quotes = mask_quotes(at);
        if (quotes)
            return at + __builtin_ctz(quotes);
    }
    return NULL;
}

/* The same for long texts: 256 bytes in one step without a branch that depends on the length. */
WALK_INLINE const char *next_quote_far(const char *at, const char *limit)
{
    uint64_t quotes[4];
    for (int i = 0; i < 4; i++)
        quotes[i] = mask_quotes(at + 64 * i) | (uint64_t)mask_quotes(at + 64 * i + 32) << 32;
    uint64_t found = quotes[3];
    size_t base = 192;
    for (int i = 2; i >= 0; i--) {
        base = quotes[i] ? (size_t)i * 64 : base;
        found = quotes[i] ? quotes[i] : found;
    }
    return found ? at + base + __builtin_ctzll(found) : next_quote(at + 256, limit);
}

/* The child of `parent` that stands at `at`, NULL when none does. It will be tried first next time.
 */
WALK_INLINE struct json_node *find_child(struct json_node *parent, const char *at)
{
    /* The children are a ring: `child` enters it where the last one was found. */
    struct json_node *first = json_child(parent);
    struct json_node *node = first;
    if (first == parent)
        return NULL;
    do {
        if (node_matches(node, at)) {
            parent->child = (int16_t)(node - parent);
            return node;
        }
        node += node->sibling;
    } while (node != first);
    return NULL;
}

/* No child of `parent` stands at *at. If it has a text that was expected to be as long as it was
 * before, and is not, goes on from where it ends. When that happens again and again, the end will
 * be searched for from now on. */
WALK_TARGET static struct json_node *try_again(struct json_walk *walk, struct json_node *parent,
                                               struct flat_record *record, const char *limit,
                                               const char **at)
{
    struct flat_value *field = &record->fields[parent->store];
    if (parent->kind != JSON_NODE_FIXED || field->kind != VALUE_TEXT)
        return NULL;
    const char *value = walk->window + field->offset;
    const char *end = next_quote(value, limit);
    if (!end || end == *at || end > limit)
        return NULL;
    size_t length = (size_t)(end - value);
    size_t longer = length > field->length ? length : field->length;
    json_put_value(field, json_value(length, VALUE_TEXT), offset_of(walk, value));
    parent->misses++;
    if (parent->misses >= 4) {
        parent->kind = longer > 28 ? JSON_NODE_LONG : JSON_NODE_SHORT;
        parent->value = json_value(0, VALUE_TEXT);
    } else {
        parent->value = json_value(length, VALUE_TEXT);
        parent->step = (uint16_t)(parent->literal_length + length);
    }
    *at = end;
    return find_child(parent, end);
}

/* Whether the bytes are UTF-8 without backslashes and control characters. */
WALK_TARGET static bool only_text(const char *start, const char *end)
{
    for (const char *at = start; at < end; at += 32) {
        uint32_t counted = end - at < 32 ? (UINT32_C(1) << (end - at)) - 1 : UINT32_MAX;
        if (mask_text(at) & ~mask_quotes(at) & counted)
            return false;
    }
    return utf8_valid(start, (size_t)(end - start));
}

/* At the record's end: whether it holds nothing that the members did not show. */
WALK_INLINE bool learnt_end(const struct json_walk *walk, const struct json_node *node,
                            struct flat_record *record, const char *start, const char *end)
{
    uint32_t quotes = 0;
    uint32_t specials = 0;
    if (end - start > JSON_TALLY_MAX || end - start > DECODE_RECORD_MAX)
        return false;
    tally(start, end, &quotes, &specials);
    if (quotes != node->quotes)
        return false;
    if (specials != node->specials && (node->specials > 0 || !only_text(start, end)))
        return false;
    if (node->dated) {
        const struct flat_value *date = &record->fields[FIELD_STARTDATE];
        if (date->length > 32)
            return false;
        uint32_t percents = mask_percents(walk->window + date->offset);
        if (percents & (uint32_t)((UINT64_C(1) << date->length) - 1))
            return false;
    }
    record->present = node->present;
    return true;
}

/* The end of a value that is not fixed, NULL where this way does not take it. */
WALK_INLINE const char *value_end(const struct json_node *node, const char *at, const char *limit)
{
    if (node->kind == JSON_NODE_SHORT)
        return next_quote(at, limit);
    if (node->kind == JSON_NODE_LONG)
        return next_quote_far(at, limit);
    if (node->kind != JSON_NODE_NUMBER)
        return NULL;
    unsigned digits = (unsigned)__builtin_ctz(~mask_digits(at) | 1u << 31);
    return digits == 0 || digits > 30 || (digits > 1 && *at == '0') ? NULL : at + digits;
}

WALK_TARGET enum json_learnt WALK_LEARNT(struct json_walk *walk, const char *at,
                                         struct flat_record *record, const char **ret_end)
{
    struct json_node *parent = walk->tree.nodes;
    const char *start = at;
    if (walk->end - at < WALK_MARGIN)
        return JSON_LEARNT_UNFIT;
    const char *limit = walk->end - WALK_MARGIN;
    while (at <= limit) {
        struct json_node *node = parent + 1;
        /* Mostly the child is the next node. That is foreseen as a branch, so that nobody waits for
         * the link to be loaded; the compiler must not see that both sides compute the same. */
        __asm__("" : "+r"(node));
        if (parent->child != 1)
            node = json_child(parent);
        if (!node_matches(node, at)) {
            node = find_child(parent, at);
            if (!node)
                node = try_again(walk, parent, record, limit, &at);
            if (!node)
                return JSON_LEARNT_UNKNOWN;
        }
        const char *value = at + node->literal_length;
        struct flat_value *field = &record->fields[node->store];
        if (node->kind == JSON_NODE_FIXED) {
            json_put_value(field, node->value, offset_of(walk, value - node->back));
            at += node->step;
        } else if (node->kind == JSON_NODE_END) {
            *ret_end = value;
            return learnt_end(walk, node, record, start, value) ? JSON_LEARNT_FITS
                                                                : JSON_LEARNT_UNFIT;
        } else {
            at = value_end(node, value, limit);
            if (!at)
                return JSON_LEARNT_UNFIT;
            json_put_value(field, node->value + json_value((uint64_t)(at - value), 0),
                           offset_of(walk, value));
        }
        parent = node;
    }
    return JSON_LEARNT_UNFIT;
}
