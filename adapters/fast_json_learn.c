/* What the fast JSON decoder learns, and the names it knows from the start (fast_json.h). */
#include "adapters/fast_json.h"

/* ---- names
 * ------------------------------------------------------------------------------------------------------------
 */

/* False when two names share a slot. */
static bool fill_slots(struct json_names *names, unsigned count)
{
    memset(names->slots, JSON_NAME_OTHER, sizeof(names->slots));
    for (unsigned i = 0; i < count; i++) {
        if (names->lengths[i] == 0)
            continue;
        uint32_t slot = json_name_slot(names->factor, names->names[i], names->lengths[i]);
        if (names->slots[slot] != JSON_NAME_OTHER)
            return false;
        names->slots[slot] = (uint8_t)i;
    }
    return true;
}

void json_names_init(struct json_names *names)
{
    /* What makes an object something else than a record of CloudStack (json_frame.c,
     * json_record.c). Entry 0 is JSON_NAME_OTHER, which has no name. */
    static const char *const special[JSON_NAMES_SPECIAL] = {
        "", "specversion", "count", "usagerecord", "uuidList", "errorcode", "cserrorcode"};
    unsigned count = FIELD_COUNT + JSON_NAMES_SPECIAL;
    *names = (struct json_names){.factor = 0x9e3779b1};
    for (unsigned i = 0; i < count; i++) {
        const char *name = i < FIELD_COUNT ? field_name((enum field)i) : special[i - FIELD_COUNT];
        size_t length = strlen(name);
        assert(length < sizeof(names->names[i]));
        memcpy(names->names[i], name, length);
        names->lengths[i] = (uint8_t)length;
    }
    /* Names differ in their length or in the first four bytes, so some factor will do; about one in
     * a hundred does. */
    for (int tries = 0; !fill_slots(names, count); tries++) {
        assert(tries < 100000);
        names->factor = names->factor * 0x85ebca6b + 2;
    }
}

/* ---- the tree
 * -------------------------------------------------------------------------------------------------------
 */

void json_forget(struct json_tree *tree)
{
    tree->nodes[0] = (struct json_node){.kind = JSON_NODE_ROOT, .mask = 1};
    tree->count = 1;
}

/* Texts that are searched for are of the same kind as those of a fixed length. */
static bool same_member(const struct json_node *a, const struct json_node *b)
{
    return a->mask == b->mask && memcmp(a->literal, b->literal, JSON_LITERAL_MAX) == 0 &&
           (a->kind == JSON_NODE_END) == (b->kind == JSON_NODE_END) &&
           (a->kind == JSON_NODE_NUMBER) == (b->kind == JSON_NODE_NUMBER) && a->back == b->back;
}

/* The child of `parent` that is like `wanted`, made if there is none. NULL: no room. */
static struct json_node *adopt(struct json_tree *tree, struct json_node *parent,
                               const struct json_node *wanted)
{
    struct json_node *first = json_child(parent);
    struct json_node *child = first;
    unsigned children = 0;
    while (first != parent) {
        if (same_member(child, wanted))
            return child;
        children++;
        child += child->sibling;
        if (child == first)
            break;
    }
    if (tree->count == JSON_NODES || children == JSON_CHILDREN_MAX)
        return NULL;
    struct json_node *node = &tree->nodes[tree->count++];
    *node = *wanted;
    if (first != parent) { /* into the ring, behind the first one */
        node->sibling = (int16_t)(first + first->sibling - node);
        first->sibling = (int16_t)(node - first);
    }
    parent->child = (int16_t)(node - parent);
    return node;
}

/* Writes the literal [from, to), counted on top of the parent's. */
static void set_literal(struct json_node *node, const struct json_node *parent, const char *from,
                        size_t length)
{
    assert(length > 0 && length <= JSON_LITERAL_MAX);
    memcpy(node->literal, from, length);
    node->literal_length = (uint8_t)length;
    node->mask = (uint32_t)((UINT64_C(1) << length) - 1);
    node->quotes = parent->quotes;
    node->specials = parent->specials;
    node->step = (uint16_t)(node->step + length);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)from[i];
        node->quotes += byte == '"';
        node->specials += byte < 0x20 || byte >= 0x80 || byte == '\\';
    }
}

/* Adds the bytes [from, to) and the value behind or in them; `to` is where the value starts, or
 * ends where it is `within`. A long run goes over several nodes. */
static struct json_node *add_member(struct json_walk *walk, struct json_node *parent,
                                    const char *from, const char *to, struct json_node wanted)
{
    while (parent && to - from > JSON_LITERAL_MAX) {
        struct json_node piece = {.kind = JSON_NODE_FIXED, .store = JSON_STORE_NOWHERE};
        assert(wanted.back < JSON_LITERAL_MAX);
        /* The last piece must hold the value that is within it. */
        size_t length = to - from - JSON_LITERAL_MAX < JSON_LITERAL_MAX
                            ? (size_t)(to - from) - JSON_LITERAL_MAX
                            : JSON_LITERAL_MAX;
        set_literal(&piece, parent, from, length);
        parent = adopt(&walk->tree, parent, &piece);
        from += length;
    }
    if (!parent)
        return NULL;
    set_literal(&wanted, parent, from, (size_t)(to - from));
    return adopt(&walk->tree, parent, &wanted);
}

static bool is_plain_number(const char *at, const char *end)
{
    for (const char *digit = at; digit < end; digit++)
        if (*digit < '0' || *digit > '9')
            return false;
    return end - at <= 20;
}

/* The node of a member whose value has bytes of its own, in `ret`; false where it can have none. */
static bool node_of(const struct json_met *met, struct json_node *ret)
{
    size_t length = (size_t)(met->end - met->value);
    *ret = (struct json_node){
        .kind = met->kind == VALUE_NUMBER ? JSON_NODE_NUMBER : JSON_NODE_FIXED,
        .store = met->field < FIELD_COUNT ? met->field : JSON_STORE_NOWHERE,
        .value = json_value(met->kind == VALUE_NUMBER ? 0 : length, met->kind),
    };
    if (length > JSON_VALUE_MAX)
        return false;
    if (met->kind == VALUE_NUMBER)
        return is_plain_number(met->value, met->end);
    if (met->kind == VALUE_BOOLEAN)
        ret->back = (uint8_t)length;
    else
        ret->step = (uint16_t)length;
    return true;
}

bool json_learn(struct json_walk *walk, const char *start, const char *end)
{
    struct json_node *parent = walk->tree.nodes;
    const char *from = start;
    uint64_t present = 0;
    bool dated = false;
    if (walk->met_count > JSON_LEARN_MEMBERS || end - start > JSON_TALLY_MAX)
        return true;
    for (uint32_t i = 0; i < walk->met_count; i++) {
        const struct json_met *met = &walk->met[i];
        struct json_node node;
        /* Null and empty lists are part of what follows; longer ones are not learnt. */
        if (met->kind == VALUE_ABSENT && met->end - met->value > 4)
            return true;
        if (met->kind == VALUE_ABSENT)
            continue;
        if (!node_of(met, &node) ||
            (met->field == JSON_STORE_NOWHERE && walk->fields & JSON_NOWHERE))
            return true;
        if (met->field < FIELD_COUNT)
            present |= UINT64_C(1) << met->field;
        dated |= met->field == FIELD_STARTDATE && met->kind == VALUE_TEXT;
        parent = add_member(walk, parent, from, node.back ? met->end : met->value, node);
        if (!parent)
            return false;
        from = met->end;
    }
    struct json_node last = {
        .kind = JSON_NODE_END, .present = present & walk->fields, .dated = dated};
    return add_member(walk, parent, from, end, last) != NULL;
}
