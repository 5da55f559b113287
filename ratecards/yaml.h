/* YAML text to a tree of nodes with places, on libyaml's events.
 *
 * Deliberately less than YAML: no anchors, aliases, tags or keys that are lists; duplicate keys are
 * refused; a scalar is text and whether it was quoted, so that `country: NO` stays Norway and the
 * reader of a value decides what it may be. JSON is read as the part of YAML that it is. Limits:
 * TREE_* below. */
#ifndef RATEL_RATECARDS_YAML_H
#define RATEL_RATECARDS_YAML_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "ratecards/ratecards.h"

#define TREE_TEXT_BYTES_MAX ((size_t)1 << 30)
#define TREE_DEPTH_MAX      12
#define TREE_NODES_MAX      100000000
#define TREE_KEYS_MAX       256 /* of one map */

enum node_kind {
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
    NODE_REFUSED, /* was reported already: readers pass over it in silence */
};

struct node {
    const struct node *next;  /* the sibling after this one */
    const struct node *first; /* of a list: items; of a map: key, value, key, value */
    struct slice
        text;      /* of a scalar; borrowed from the source text where it stands there unchanged */
    uint32_t line; /* from 1 */
    uint32_t column; /* from 1, in characters */
    uint32_t count;  /* items of a list, pairs of a map */
    uint8_t kind;    /* enum node_kind */
    bool quoted;     /* '', "", | or > */
};

/* The value of a key, or NULL. */
const struct node *node_value(const struct node *map, const char *key);

struct yaml_input;

struct yaml_tree {
    const struct node *root; /* NULL for an empty document */
    struct slice text;       /* the document's own lines, from its first */
    uint32_t line;           /* of text's first line */
};

/* `text` and `file` must outlive the trees. `first_line` is 1 but for a part of a file. A text that
 * is no UTF-8, too long, or holds characters that YAML does not allow is reported here. Errors:
 * INVALID, NO_MEMORY. Owner: caller, yaml_close. */
MUST_USE enum status yaml_open(struct slice file, struct slice text, uint32_t first_line,
                               struct problems *problems, struct yaml_input **ret);
/* The next document. Nodes live in `nodes`; texts that the source does not hold as they are
 * (escapes, folded lines) in `texts`. What is refused but readable becomes a problem, and the tree
 * is still handed out. Errors: NOT_FOUND (no more documents), INVALID (syntax: reported, the rest
 * cannot be read), NO_MEMORY. */
MUST_USE enum status yaml_next(struct yaml_input *input, struct arena *nodes, struct arena *texts,
                               struct yaml_tree *ret);
void yaml_close(struct yaml_input *input); /* NULL is fine */

#endif
