/* What the tests of the documents share: text in, problems, entries and a snapshot out. */
#ifndef RATEL_TESTS_RATECARDS_FIXTURE_H
#define RATEL_TESTS_RATECARDS_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ratecards/ratecards.h"

struct fixture {
    struct arena arena;
    struct problems problems;
    struct document_list documents;
    struct entry_list entries;
    struct snapshot *snapshot;
};

static inline void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    arena_init(&fixture->arena);
    problems_init(&fixture->problems, &fixture->arena);
    documents_init(&fixture->documents, &fixture->arena);
    entries_init(&fixture->entries, &fixture->arena);
}

static inline void fixture_fini(struct fixture *fixture)
{
    snapshot_free(fixture->snapshot);
    arena_fini(&fixture->arena);
}

static inline void fixture_print(struct fixture *fixture)
{
    problems_sort(&fixture->problems);
    for (uint32_t i = 0; i < fixture->problems.count; i++) {
        const struct problem *problem = &fixture->problems.items[i];
        print_error("    %.*s:%u:%u: %.*s\n", (int)problem->file.length, problem->file.data,
                    problem->line, problem->column, (int)problem->text.length, problem->text.data);
    }
}

static inline enum status fixture_parse(struct fixture *fixture, const char *file,
                                        struct slice text)
{
    return documents_parse(&fixture->documents, slice_string(file), text, &fixture->problems);
}

static inline struct slice fixture_file(struct fixture *fixture, const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    long length = ftell(in);
    rewind(in);
    char *data = arena_alloc(&fixture->arena, (size_t)length + 1);
    assert_int_equal(fread(data, 1, (size_t)length, in), length);
    fclose(in);
    return slice_of(data, (size_t)length);
}

/* Parses, stores over what the fixture's entries hold, and compiles; everything must be in order.
 */
static inline void fixture_load(struct fixture *fixture, const char *file, struct slice text)
{
    struct document_list list;
    documents_init(&list, &fixture->arena);
    if (documents_parse(&list, slice_string(file), text, &fixture->problems) != STATUS_OK) {
        fixture_print(fixture);
        fail_msg("%s does not parse", file);
    }
    struct entry_list added;
    entries_init(&added, &fixture->arena);
    assert_int_equal(documents_entries(&list, &fixture->entries, (struct instant){1790000000},
                                       &fixture->problems, &added),
                     STATUS_OK);
    for (uint32_t i = 0; i < added.count; i++)
        entries_add(&fixture->entries, added.items[i].table, added.items[i].key,
                    added.items[i].value);
}

static inline enum status fixture_compile(struct fixture *fixture)
{
    const struct entry_list *lists[] = {&fixture->entries};
    snapshot_free(fixture->snapshot);
    fixture->snapshot = NULL;
    return snapshot_compile(lists, 1, &fixture->problems, &fixture->snapshot);
}

static inline void fixture_compiled(struct fixture *fixture)
{
    if (fixture_compile(fixture) == STATUS_OK)
        return;
    fixture_print(fixture);
    fail_msg("does not compile");
}

static inline struct instant fixture_instant(const char *text)
{
    struct instant instant;
    assert_int_equal(instant_parse(slice_string(text), &instant, NULL), STATUS_OK);
    return instant;
}

static inline struct currency fixture_currency(const char *code)
{
    struct currency currency;
    assert_int_equal(currency_parse(slice_string(code), &currency), STATUS_OK);
    return currency;
}

#endif
