/* Fuzz target: documents of every kind, from bytes to a snapshot. Whatever is accepted must be
 * stored, compile or be refused with a problem, come back equal from the book, and differ from
 * itself in nothing. */
#include "ratecards/ratecards.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct problems problems;
    struct document_list documents;
    struct entry_list entries, again;
    arena_init(&arena);
    problems_init(&problems, &arena);
    documents_init(&documents, &arena);
    entries_init(&entries, &arena);
    entries_init(&again, &arena);

    enum status status =
        documents_parse(&documents, SLICE("input"), slice_of((const char *)data, size), &problems);
    assert(status == STATUS_OK ? problems.count == 0 : problems.count > 0);
    for (uint32_t i = 0; i < problems.count; i++)
        assert(problems.items[i].line >= 1 && problems.items[i].column >= 1 &&
               problems.items[i].text.length > 0);

    struct instant now = {1790000000};
    if (documents_entries(&documents, NULL, now, &problems, &entries) == STATUS_OK) {
        const struct entry_list *lists[] = {&entries};
        struct snapshot *snapshot = NULL;
        status = snapshot_compile(lists, 1, &problems, &snapshot);
        assert(status == STATUS_OK ? snapshot != NULL : problems.count > 0);
        snapshot_free(snapshot);

        status = documents_entries(&documents, &entries, now, &problems, &again);
        assert(status == STATUS_OK && again.count == 0);
        struct difference *differences;
        uint32_t count = 0;
        if (documents_diff(&documents, &entries, &arena, &problems, &differences, &count) ==
            STATUS_OK)
            assert(count == 0);
    }
    arena_fini(&arena);
    return 0;
}
