/* One file's text to documents: finds out what it is, reads each document, keeps those without
 * problems. */
#include "ratecards/model.h"

#include <assert.h>

static const char *const kind_names[] = {"ratecard", "catalogue", "accounts", "fx",
                                         "tax",      "budgets",   "meters"};

const char *document_kind_name(enum document_kind kind)
{
    assert((size_t)kind < COUNT_OF(kind_names));
    return kind_names[kind];
}

void documents_init(struct document_list *list, struct arena *arena)
{
    *list = (struct document_list){.arena = arena};
}

static struct slice title_of(struct arena *arena, const struct document *document)
{
    char since[INSTANT_TEXT_BYTES];
    switch (document->kind) {
    case DOCUMENT_RATECARD:
        (void)instant_format(document->card->effective_from, since);
        return slice_string(arena_printf(arena, "ratecard %.*s from %s",
                                         (int)document->card->name.length,
                                         document->card->name.data, since));
    case DOCUMENT_CATALOGUE:
        return slice_string(arena_printf(arena, "catalogue %.*s",
                                         (int)document->catalogue->name.length,
                                         document->catalogue->name.data));
    default:
        return slice_string(
            arena_printf(arena, "%s (%u)", kind_names[document->kind], document->count));
    }
}

static void documents_append(struct document_list *list, const struct document *document)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
        struct document **items = arena_alloc(list->arena, capacity * sizeof(struct document *));
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(struct document *));
        list->items = items;
        list->capacity = capacity;
    }
    struct document *copy = arena_alloc(list->arena, sizeof *copy);
    *copy = *document;
    copy->title = title_of(list->arena, document);
    list->items[list->count++] = copy;
}

static uint32_t problems_so_far(const struct reader *reader)
{
    return reader->problems->count + reader->problems->dropped;
}

static bool ratecard_read(struct reader *reader, const struct yaml_tree *tree,
                          struct document *document)
{
    struct card *card = arena_alloc(reader->arena, sizeof *card);
    if (!card_read(reader, tree->root, card))
        return false;
    card->text = tree->text;
    card->text_line = tree->line;
    document->card = card;
    document->count = 1;
    return true;
}

static bool kind_find(struct reader *reader, const struct node *root, enum document_kind *ret)
{
    const struct node *kind = node_value(root, "kind");
    const char *known = names_joined(reader->arena, kind_names, COUNT_OF(kind_names));
    if (root->kind != NODE_MAP || !kind) {
        if (root->kind != NODE_REFUSED)
            reader_problem(
                reader, root,
                "the document does not say what it is: begin with `kind: ` and one of %s", known);
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(kind_names); i++) {
        if (slice_is(kind->text, kind_names[i]) && kind->kind == NODE_SCALAR) {
            *ret = (enum document_kind)i;
            return true;
        }
    }
    const char *nearest = kind->kind == NODE_SCALAR
                              ? nearest_name(kind->text, kind_names, COUNT_OF(kind_names))
                              : NULL;
    if (nearest)
        reader_problem(reader, kind, "no such kind of document: did you mean `%s`?", nearest);
    else
        reader_problem(reader, kind, "no such kind of document: write one of %s", known);
    return false;
}

static void document_read(struct document_list *list, struct reader *reader,
                          const struct yaml_tree *tree, uint32_t problems_before)
{
    struct document document = {
        .file = reader->file, .line = tree->root->line, .column = tree->root->column};
    if (!kind_find(reader, tree->root, &document.kind))
        return;
    bool good = false;
    switch (document.kind) {
    case DOCUMENT_RATECARD:
        good = ratecard_read(reader, tree, &document);
        break;
    case DOCUMENT_CATALOGUE:
        good = catalogue_read(reader, tree->root, &document);
        break;
    case DOCUMENT_ACCOUNTS:
        good = accounts_read(reader, tree->root, &document);
        break;
    case DOCUMENT_FX:
        good = fx_read(reader, tree->root, &document);
        break;
    case DOCUMENT_TAX:
        good = tax_read(reader, tree->root, &document);
        break;
    case DOCUMENT_BUDGETS:
        good = budgets_read(reader, tree->root, &document);
        break;
    case DOCUMENT_METERS:
        good = meters_read(reader, tree->root, &document);
        break;
    }
    if (good && problems_so_far(reader) == problems_before)
        documents_append(list, &document);
}

static enum status yaml_documents(struct document_list *list, struct reader *reader,
                                  struct slice text, uint32_t first_line)
{
    struct yaml_input *input;
    enum status status = yaml_open(reader->file, text, first_line, reader->problems, &input);
    if (status != STATUS_OK)
        return status;
    bool any = false;
    for (;;) {
        struct arena nodes; /* the tree is only needed while its document is read */
        arena_init(&nodes);
        struct yaml_tree tree;
        uint32_t before = problems_so_far(reader);
        status = yaml_next(input, &nodes, reader->arena, &tree);
        if (status == STATUS_OK && tree.root) {
            any = true;
            document_read(list, reader, &tree, before);
        }
        arena_fini(&nodes);
        if (status != STATUS_OK)
            break;
    }
    yaml_close(input);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (!any)
        problems_add(reader->problems, reader->file, 1, 1,
                     "no document in it: begin with `kind: ratecard` or another kind");
    return STATUS_OK;
}

static void rates_document(struct document_list *list, struct reader *reader, struct slice text,
                           bool xml)
{
    struct document document = {.kind = DOCUMENT_FX, .file = reader->file, .line = 1, .column = 1};
    uint32_t before = problems_so_far(reader);
    bool good = xml ? fx_ecb_read(reader, text, &document) : fx_csv_read(reader, text, &document);
    if (good && problems_so_far(reader) == before)
        documents_append(list, &document);
}

/* Texts of documents outlive the tree of nodes because they are borrowed from the source text, or
 * copied to the list's arena. */
enum status documents_parse(struct document_list *list, struct slice file, struct slice source_text,
                            struct problems *problems)
{
    assert(list && problems);
    struct zone_set zones = {0};
    struct reader reader = {.arena = list->arena,
                            .problems = problems,
                            .file = arena_copy(list->arena, file),
                            .zones = &zones};
    uint32_t before = problems_so_far(&reader);
    struct slice text = source_text;
    if (slice_starts_with(text, SLICE("\xef\xbb\xbf"))) {
        text.data += 3;
        text.length -= 3;
    }
    struct slice seen = slice_trim(text);
    enum status status = STATUS_OK;
    if (seen.length && seen.data[0] == '<')
        rates_document(list, &reader, text, true);
    else if (fx_csv_is(seen))
        rates_document(list, &reader, text, false);
    else
        status = yaml_documents(list, &reader, text, 1);
    zone_set_fini(&zones);
    if (status == STATUS_NO_MEMORY)
        return status;
    return problems_so_far(&reader) == before ? STATUS_OK : STATUS_INVALID;
}

bool card_reread(struct arena *arena, struct zone_set *zones, struct problems *problems,
                 struct slice key, struct slice value, struct card *ret)
{
    struct card_value stored;
    struct slice name;
    struct instant effective_from;
    uint32_t revision;
    if (!card_unpack(value, &stored) || !card_key_read(key, &name, &effective_from, &revision)) {
        problems_add(problems, SLICE("book"), 0, 0,
                     "a stored rate card is damaged: run ratel verify");
        return false;
    }
    struct document_list list;
    documents_init(&list, arena);
    struct reader reader = {.arena = arena,
                            .problems = problems,
                            .file = arena_copy(arena, stored.file),
                            .zones = zones};
    struct slice text = arena_copy(arena, stored.text); /* slices of the card point into it */
    if (yaml_documents(&list, &reader, text, stored.text_line) != STATUS_OK || list.count != 1 ||
        list.items[0]->kind != DOCUMENT_RATECARD)
        return false;
    *ret = *list.items[0]->card;
    ret->revision = revision;
    return slice_equal(ret->name, name) && ret->effective_from.seconds == effective_from.seconds;
}

enum document_kind document_kind(const struct document *document)
{
    return document->kind;
}

struct slice document_title(const struct document *document)
{
    return document->title;
}
