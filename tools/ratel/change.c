#include "ratel/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ratel/files.h"
#include "ratel/report.h"

static enum status bare(enum status status, struct error *error)
{
    return status == STATUS_OK ? status
                               : error_set(error, status, "the documents: %s", status_text(status));
}

static enum status compile(struct change *change, struct error *error)
{
    const struct entry_list *lists[] = {&change->loaded, &change->added};
    struct snapshot *snapshot = NULL;
    enum status status = snapshot_compile(lists, 2, &change->problems, &snapshot);
    snapshot_free(snapshot);
    return bare(status, error);
}

/* What the sound documents of a load have wrong between them is told together with what is wrong in
 * the others. Only that a card extends one that is not there is left out: that one may be among the
 * broken. */
static void compile_sound(struct change *change, struct context *context)
{
    struct change sound = *change;
    struct error ignored;
    problems_init(&sound.problems, &context->arena);
    enum status status = documents_entries(&change->documents, &change->loaded,
                                           context_now(context), &sound.problems, &sound.added);
    if (status == STATUS_OK)
        status = compile(&sound, &ignored);
    (void)status; /* the load has failed already */
    for (uint32_t i = 0; i < sound.problems.count; i++) {
        const struct problem *problem = &sound.problems.items[i];
        if (!memmem(problem->text.data, problem->text.length, " extends `", 10))
            problems_add(&change->problems, problem->file, problem->line, problem->column, "%.*s",
                         (int)problem->text.length, problem->text.data);
    }
}

enum status change_read(struct change *change, struct context *context, struct error *error)
{
    change->sorted = NULL;
    documents_init(&change->documents, &context->arena);
    problems_init(&change->problems, &context->arena);
    entries_init(&change->loaded, &context->arena);
    entries_init(&change->added, &context->arena);
    const struct arguments *arguments = &context->arguments;
    enum status status = files_documents(arguments->words, arguments->word_count,
                                         &change->documents, &change->problems, error);
    bool broken = status == STATUS_INVALID && change->problems.count > 0;
    if (status != STATUS_OK && !broken)
        return status;
    if (context->book) {
        enum status loaded = book_entries(context->book, &change->loaded, error);
        if (loaded != STATUS_OK)
            return loaded;
    }
    if (broken) {
        compile_sound(change, context);
        return status;
    }
    status = documents_entries(&change->documents, &change->loaded, context_now(context),
                               &change->problems, &change->added);
    if (status != STATUS_OK)
        return bare(status, error);
    return compile(change, error);
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    if (left->table != right->table)
        return left->table < right->table ? -1 : 1;
    return slice_compare(left->key, right->key);
}

/* The loaded entries of one table: they are in the order of tables. */
static struct entry_list table_of(const struct entry_list *list, enum entry_table table)
{
    struct entry_list part = *list;
    while (part.count > 0 && part.items[0].table != table) {
        part.items++;
        part.count--;
    }
    while (part.count > 0 && part.items[part.count - 1].table != table)
        part.count--;
    return part;
}

/* A card is compared with all loaded cards, of which there are few: its key depends on the
 * revisions before it. */
static enum status card_adds(struct change *change, struct context *context,
                             struct document_list *alone, bool *ret, struct error *error)
{
    struct entry_list cards = table_of(&change->loaded, ENTRY_CARD);
    struct entry_list entries;
    entries_init(&entries, &context->arena);
    enum status status =
        documents_entries(alone, &cards, context_now(context), &change->problems, &entries);
    *ret = entries.count > 0;
    return bare(status, error);
}

/* Everything else has its key in itself, so it is sought among what is added: this costs nothing
 * per loaded account. */
static enum status other_adds(struct change *change, struct context *context,
                              struct document_list *alone, bool *ret, struct error *error)
{
    struct entry_list none, entries;
    entries_init(&none, &context->arena);
    entries_init(&entries, &context->arena);
    enum status status =
        documents_entries(alone, &none, context_now(context), &change->problems, &entries);
    *ret = false;
    for (uint32_t i = 0; i < entries.count && !*ret; i++)
        *ret = bsearch(&entries.items[i], change->sorted, change->added.count,
                       sizeof(*change->sorted), entry_order) != NULL;
    return bare(status, error);
}

enum status change_adds(struct change *change, struct context *context, uint32_t document,
                        bool *ret, struct error *error)
{
    assert(document < change->documents.count);
    *ret = false;
    if (change->added.count == 0)
        return STATUS_OK;
    if (!change->sorted) {
        size_t bytes = change->added.count * sizeof(*change->sorted);
        change->sorted = arena_alloc(&context->arena, bytes);
        memcpy(change->sorted, change->added.items, bytes);
        qsort(change->sorted, change->added.count, sizeof(*change->sorted), entry_order);
    }
    struct document_list alone = change->documents;
    alone.items += document;
    alone.count = alone.capacity = 1;
    if (document_kind(alone.items[0]) == DOCUMENT_RATECARD)
        return card_adds(change, context, &alone, ret, error);
    return other_adds(change, context, &alone, ret, error);
}

enum status change_report(struct change *change, struct context *context, const char *outcome)
{
    assert(change->problems.count > 0);
    report_problems(context->err, &change->problems);
    uint32_t count = change->problems.count + change->problems.dropped;
    fprintf(context->err, "ratel: %u problem%s; %s\n", count, count == 1 ? "" : "s", outcome);
    context->reported = true;
    return STATUS_INVALID;
}
