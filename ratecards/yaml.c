#include "ratecards/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

struct yaml_input {
    yaml_parser_t parser;
    struct slice file;
    struct slice text;
    uint32_t first_line;
    struct problems *problems;
    struct arena *nodes; /* of the document being read */
    struct arena *texts;
    uint64_t node_count;
    bool stopped; /* a syntax error or a limit: nothing can be read after it */
    /* A line and where it begins, so that finding document texts is one pass. */
    uint32_t seek_line;
    size_t seek_offset;
};

const struct node *node_value(const struct node *map, const char *key)
{
    if (map->kind != NODE_MAP)
        return NULL;
    for (const struct node *at = map->first; at; at = at->next->next) {
        if (slice_is(at->text, key))
            return at->next;
    }
    return NULL;
}

/* --- what the text must be before libyaml sees it: one pass, so that lines are counted as editors
 * count them --- */

/* Length of the UTF-8 sequence at `at`, or 0 when it is none. Source: Unicode 15, table 3-7. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xf0 && at[1] < 0x90);
    bool surrogate = lead == 0xed && at[1] > 0x9f;
    bool beyond = lead == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

/* Why a character cannot stand in a document, or NULL. */
static const char *character_refused(const unsigned char *at, size_t length, size_t left)
{
    if (length == 0)
        return "is not UTF-8 text: save the file as UTF-8";
    if (at[0] == '\r' && (left < 2 || at[1] != '\n'))
        return "a carriage return without a line feed: save the file with Unix line ends";
    if ((at[0] < 0x20 && at[0] != '\t' && at[0] != '\n' && at[0] != '\r') || at[0] == 0x7f)
        return "a control character: remove it, or write it as \\x.. in a double-quoted text";
    if (length == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return "a control character: remove it";
    if (length == 3 && memcmp(at, "\xe2\x80", 2) == 0 && (at[2] == 0xa8 || at[2] == 0xa9))
        return "a Unicode line separator: YAML would count it as a line end; remove it";
    if (length == 3 && at[0] == 0xef &&
        ((at[1] == 0xbf && at[2] >= 0xbe) || (at[1] == 0xbb && at[2] == 0xbf)))
        return "a character that YAML does not allow: remove it";
    return NULL;
}

static enum status text_check(struct slice file, struct slice text, uint32_t first_line,
                              struct problems *problems)
{
    const unsigned char *at = (const unsigned char *)text.data;
    uint32_t line = first_line, column = 1;
    for (size_t left = text.length; left > 0;) {
        size_t length = utf8_length(at, left);
        const char *refused = character_refused(at, length, left);
        if (refused) {
            problems_add(problems, file, line, column, "%s", refused);
            return STATUS_INVALID;
        }
        column++;
        if (*at == '\n')
            line++, column = 1;
        at += length;
        left -= length;
    }
    return STATUS_OK;
}

enum status yaml_open(struct slice file, struct slice text, uint32_t first_line,
                      struct problems *problems, struct yaml_input **ret)
{
    assert(first_line >= 1);
    if (slice_starts_with(text, SLICE("\xef\xbb\xbf"))) { /* byte order mark */
        text.data += 3;
        text.length -= 3;
    }
    if (text.length > TREE_TEXT_BYTES_MAX) {
        problems_add(problems, file, 1, 1, "longer than %zu MiB: split it into several files",
                     TREE_TEXT_BYTES_MAX >> 20);
        return STATUS_INVALID;
    }
    enum status status = text_check(file, text, first_line, problems);
    if (status != STATUS_OK)
        return status;
    struct yaml_input *input = calloc(1, sizeof *input);
    if (!input)
        return STATUS_NO_MEMORY;
    if (!yaml_parser_initialize(&input->parser)) {
        free(input);
        return STATUS_NO_MEMORY;
    }
    yaml_parser_set_encoding(&input->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&input->parser,
                                 (const unsigned char *)(text.data ? text.data : ""), text.length);
    input->file = file;
    input->text = text;
    input->first_line = first_line;
    input->problems = problems;
    *ret = input;
    return STATUS_OK;
}

void yaml_close(struct yaml_input *input)
{
    if (!input)
        return;
    yaml_parser_delete(&input->parser);
    free(input);
}

/* --- syntax errors, in words for the person who wrote the file --- */

/* Byte offset of a line, counted from 0; the text's end when there are fewer lines. Only moves
 * forward, and back by starting over. */
static size_t line_offset(struct yaml_input *input, size_t line)
{
    if (line < input->seek_line)
        input->seek_line = 0, input->seek_offset = 0;
    while (input->seek_line < line && input->seek_offset < input->text.length) {
        const char *from = input->text.data + input->seek_offset;
        const char *end = memchr(from, '\n', input->text.length - input->seek_offset);
        input->seek_offset = end ? (size_t)(end + 1 - input->text.data) : input->text.length;
        input->seek_line++;
    }
    return input->seek_line == line ? input->seek_offset : input->text.length;
}

/* Column from 1 of a tab in a line's indentation, or 0. */
static uint32_t indentation_tab(struct yaml_input *input, size_t line)
{
    size_t offset = line_offset(input, line);
    for (uint32_t column = 1; offset < input->text.length; offset++, column++) {
        char c = input->text.data[offset];
        if (c == '\t')
            return column;
        if (c != ' ')
            return 0;
    }
    return 0;
}

static const char *syntax_words(const char *problem)
{
    static const struct {
        const char *libyaml;
        const char *words;
    } table[] = {
        {"mapping values are not allowed",
         "a ':' cannot stand here: quote the text that holds it, or check the indentation"},
        {"could not find expected ':'",
         "expected `key: value`: a ': ' is missing here or before, or a quote is not closed"},
        {"did not find expected key",
         "expected a key here: check the indentation of this line and the quotes before it"},
        {"found unexpected end of stream", "the text ends inside quotes: close them"},
        {"cannot start any token", "this character cannot begin a value: put the value in quotes"},
        {"did not find expected <document start>",
         "expected the end of the document: begin another one with a line of ---"},
        {"did not find expected '-' indicator",
         "expected a list item that begins with '- ': check the indentation"},
        {"block sequence entries are not allowed",
         "a list item cannot stand here: begin it on a line of its own"},
        {"did not find expected ',' or ']'", "expected ',' or ']': the list is not closed"},
        {"did not find expected ',' or '}'", "expected ',' or '}': the braces are not closed"},
        {"found duplicate %YAML", "only one %YAML line can stand before a document"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strstr(problem, table[i].libyaml))
            return table[i].words;
    }
    return NULL;
}

static enum status syntax_problem(struct yaml_input *input)
{
    input->stopped = true;
    if (input->parser.error == YAML_MEMORY_ERROR)
        return STATUS_NO_MEMORY;
    const char *problem = input->parser.problem ? input->parser.problem : "not readable";
    size_t line = input->parser.problem_mark.line;
    size_t column = input->parser.problem_mark.column;
    uint32_t tab = indentation_tab(input, line);
    if (tab) {
        problems_add(input->problems, input->file, (uint32_t)line + input->first_line, tab,
                     "a tab in the indentation: YAML indents with blanks only");
        return STATUS_INVALID;
    }
    const char *words = syntax_words(problem);
    problems_add(input->problems, input->file, (uint32_t)line + input->first_line,
                 (uint32_t)column + 1, "%s%s",
                 words ? "" : "not readable as YAML: ", words ? words : problem);
    return STATUS_INVALID;
}

/* --- events to nodes --- */

static enum status event_next(struct yaml_input *input, yaml_event_t *ret)
{
    if (input->stopped)
        return STATUS_INVALID;
    if (!yaml_parser_parse(&input->parser, ret))
        return syntax_problem(input);
    return STATUS_OK;
}

static void node_problem(struct yaml_input *input, const struct node *node, const char *text)
{
    problems_add(input->problems, input->file, node->line, node->column, "%s", text);
}

/* The scalar's text: borrowed where the source has the same bytes at its place, else copied. Most
 * files are ASCII, where libyaml's character index is the byte offset; where it is not, the
 * comparison fails or finds equal bytes, and both are right. */
static struct slice scalar_text(struct yaml_input *input, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    size_t offset = event->start_mark.index + (plain ? 0 : 1);
    if (offset <= input->text.length && length <= input->text.length - offset &&
        memcmp(input->text.data + offset, value, length) == 0)
        return slice_of(input->text.data + offset, length);
    return arena_copy(input->texts, slice_of(value, length));
}

static enum status node_read(struct yaml_input *input, yaml_event_t *event, int depth,
                             struct node **ret);

/* Reports what this reader does not take: an anchor or a tag on a node that is otherwise fine. */
static void decoration_check(struct yaml_input *input, const struct node *node,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        node_problem(input, node,
                     "anchors (&name) are not taken: write the value out where it is used");
    if (tag)
        node_problem(input, node,
                     "tags (!name) are not taken: leave the tag out, and quote text where needed");
}

static enum status list_read(struct yaml_input *input, struct node *list, int depth)
{
    const struct node **link = &list->first;
    for (;;) {
        yaml_event_t event;
        enum status status = event_next(input, &event);
        if (status != STATUS_OK)
            return status;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return STATUS_OK;
        }
        struct node *item;
        status = node_read(input, &event, depth + 1, &item);
        if (status != STATUS_OK)
            return status;
        *link = item;
        link = &item->next;
        list->count++;
    }
}

/* Whether a key can be kept; says why not. */
static bool key_check(struct yaml_input *input, const struct node *map, const struct node *key)
{
    if (key->kind == NODE_REFUSED)
        return false;
    if (key->kind != NODE_SCALAR) {
        node_problem(input, key, "a key must be a plain text, not a list or a map");
        return false;
    }
    for (const struct node *at = map->first; at; at = at->next->next) {
        if (!slice_equal(at->text, key->text))
            continue;
        problems_add(input->problems, input->file, key->line, key->column,
                     "`%.*s` is given twice, first at line %u: leave one out",
                     (int)key->text.length, key->text.data, at->line);
        return false;
    }
    return true;
}

static enum status map_read(struct yaml_input *input, struct node *map, int depth)
{
    const struct node **link = &map->first;
    for (;;) {
        yaml_event_t event;
        enum status status = event_next(input, &event);
        if (status != STATUS_OK)
            return status;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return STATUS_OK;
        }
        struct node *key, *value;
        status = node_read(input, &event, depth + 1, &key);
        if (status == STATUS_OK)
            status = event_next(input, &event);
        if (status == STATUS_OK)
            status = node_read(input, &event, depth + 1, &value);
        if (status != STATUS_OK)
            return status;
        if (map->count == TREE_KEYS_MAX) {
            node_problem(input, key, "more than 256 keys in one map: this cannot be a document");
            input->stopped = true;
            return STATUS_INVALID;
        }
        if (!key_check(input, map, key))
            continue;
        key->next = value;
        *link = key;
        link = &value->next;
        map->count++;
    }
}

/* Makes the node of an event, which it takes over and frees. */
static enum status node_read(struct yaml_input *input, yaml_event_t *event, int depth,
                             struct node **ret)
{
    struct node *node = arena_alloc(input->nodes, sizeof *node);
    node->line = (uint32_t)event->start_mark.line + input->first_line;
    node->column = (uint32_t)event->start_mark.column + 1;
    enum status status = STATUS_OK;
    if (depth > TREE_DEPTH_MAX || ++input->node_count > TREE_NODES_MAX) {
        node_problem(input, node,
                     depth > TREE_DEPTH_MAX
                         ? "nested too deeply: no document needs more than 12 levels"
                         : "too many values in one file: split it");
        input->stopped = true;
        yaml_event_delete(event);
        return STATUS_INVALID;
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        node_problem(input, node, "aliases (*name) are not taken: write the value out");
        node->kind = NODE_REFUSED;
        break;
    case YAML_SCALAR_EVENT:
        node->kind = NODE_SCALAR;
        node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->text = scalar_text(input, event);
        decoration_check(input, node, event->data.scalar.anchor, event->data.scalar.tag);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node->kind = NODE_LIST;
        decoration_check(input, node, event->data.sequence_start.anchor,
                         event->data.sequence_start.tag);
        status = list_read(input, node, depth);
        break;
    case YAML_MAPPING_START_EVENT:
        node->kind = NODE_MAP;
        decoration_check(input, node, event->data.mapping_start.anchor,
                         event->data.mapping_start.tag);
        status = map_read(input, node, depth);
        break;
    default:
        assert(!"libyaml handed out an event that cannot begin a node");
    }
    yaml_event_delete(event);
    if (status == STATUS_OK)
        *ret = node;
    return status;
}

/* --- documents --- */

static void tree_text(struct yaml_input *input, size_t line_from, size_t line_to,
                      struct yaml_tree *ret)
{
    size_t from = line_offset(input, line_from);
    size_t to = line_offset(input, line_to);
    assert(from <= to);
    ret->text = slice_of(input->text.data + from, to - from);
    ret->line = (uint32_t)line_from + input->first_line;
}

enum status yaml_next(struct yaml_input *input, struct arena *nodes, struct arena *texts,
                      struct yaml_tree *ret)
{
    yaml_event_t event;
    enum status status = event_next(input, &event);
    if (status == STATUS_OK && event.type == YAML_STREAM_START_EVENT) {
        yaml_event_delete(&event);
        status = event_next(input, &event);
    }
    if (status != STATUS_OK)
        return status;
    bool end = event.type == YAML_STREAM_END_EVENT;
    size_t line_from = event.start_mark.line;
    yaml_event_delete(&event);
    if (end)
        return STATUS_NOT_FOUND;

    struct node *root;
    input->nodes = nodes;
    input->texts = texts;
    status = event_next(input, &event);
    if (status == STATUS_OK)
        status = node_read(input, &event, 1, &root);
    if (status == STATUS_OK)
        status = event_next(input, &event);
    if (status != STATUS_OK)
        return status;
    assert(event.type == YAML_DOCUMENT_END_EVENT);
    size_t line_to = event.end_mark.line + (event.data.document_end.implicit ? 0 : 1);
    yaml_event_delete(&event);

    struct yaml_tree tree = {0};
    bool empty = root->kind == NODE_SCALAR && !root->quoted && root->text.length == 0;
    tree.root = empty ? NULL : root;
    tree_text(input, line_from, line_to, &tree);
    *ret = tree;
    return STATUS_OK;
}
