/* The documents: from YAML, JSON, CSV and ECB text to stored entries, and from stored entries to a rate snapshot.
 *
 * Flow:  text -> documents (documents_parse: syntax, shapes, every problem at once)
 *             -> entries   (documents_entries: what the book stores: key and value, in all versions)
 *             -> snapshot  (snapshot_compile: all entries, cross checks)
 * This folder does no I/O on the book: store/ keeps entries as opaque bytes per table. */
#ifndef RATEL_RATECARDS_H
#define RATEL_RATECARDS_H

#include "base/arena.h"
#include "base/instant.h"
#include "base/slice.h"
#include "base/status.h"
#include "rate/snapshot.h"

/* One thing that is wrong in a file: what, where, what to do. */
struct problem {
    struct slice file; /* copied into the problems' arena, as the text is */
    uint32_t line;     /* from 1; 0 with file "book": what is stored has no place in a file */
    uint32_t column;   /* from 1; 0 as above */
    struct slice text;
};

#define PROBLEMS_MAX 1000 /* more are counted, not kept */

struct problems {
    struct arena *arena;
    struct problem *items; /* in the order of file, line, column once sorted */
    uint32_t count;
    uint32_t capacity;
    uint32_t dropped;
};

void problems_init(struct problems *problems, struct arena *arena);
void problems_add(struct problems *problems, struct slice file, uint32_t line, uint32_t column,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
void problems_sort(struct problems *problems);

enum document_kind {
    DOCUMENT_RATECARD,
    DOCUMENT_CATALOGUE,
    DOCUMENT_ACCOUNTS,
    DOCUMENT_FX,
    DOCUMENT_TAX,
    DOCUMENT_BUDGETS,
    DOCUMENT_METERS
};

const char *document_kind_name(enum document_kind kind); /* "ratecard", ... as after `kind:` */

struct document; /* owned by the list's arena */

struct document_list {
    struct arena *arena;
    struct document **items;
    uint32_t count;
    uint32_t capacity;
};

void documents_init(struct document_list *list, struct arena *arena);
/* Reads one file's text (several YAML documents, JSON, an FX CSV with the header date,base,quote,rate, or an ECB XML file: found out
 * by itself) and appends its documents. Everything wrong is added to `problems`; documents with problems are not appended.
 * `source_text` must outlive the list. Errors: INVALID when problems were added, NO_MEMORY. */
MUST_USE enum status documents_parse(struct document_list *list, struct slice file,
                                     struct slice source_text, struct problems *problems);
enum document_kind document_kind(const struct document *document);
/* For messages: "ratecard public-eu from 2026-10-01T00:00:00Z", "accounts (12)". Lifetime: the arena's. */
struct slice document_title(const struct document *document);

/* Tables of the book that hold documents. */
enum entry_table {
    ENTRY_CARD,
    ENTRY_CATALOGUE,
    ENTRY_ACCOUNT,
    ENTRY_FX,
    ENTRY_TAX,
    ENTRY_BUDGET,
    ENTRY_METER,
    ENTRY_TABLE_COUNT
};

const char *
entry_table_name(enum entry_table table); /* LMDB table names: "card", "catalogue", ... */

struct entry {
    enum entry_table table;
    uint32_t index;   /* of the item in the document */
    struct slice key; /* memcmp order is the natural order; cards: name, effective_from, revision */
    struct slice
        value; /* starts with a format byte; rate cards keep their source text, so that line numbers stay true */
    const struct document *
        document; /* that it was made of, so that problems can say where; NULL: it comes from the book */
};

struct entry_list {
    struct arena *arena;
    struct entry *items;
    uint32_t count;
    uint32_t capacity;
};

void entries_init(struct entry_list *list, struct arena *arena);
void entries_add(struct entry_list *list, enum entry_table table, struct slice key,
                 struct slice value);

/* What storing `documents` would add or replace, given what the book holds (`loaded`). The same content again adds nothing. A rate card of
 * the same name and effective_from with other content becomes the next revision; the older stays. `loaded_at` is kept with cards.
 * Errors: INVALID (two documents in one load that contradict each other: problems). */
MUST_USE enum status documents_entries(const struct document_list *documents,
                                       const struct entry_list *loaded, struct instant loaded_at,
                                       struct problems *problems, struct entry_list *ret);

/* Compiles entries (of one or more lists, whose documents are still there; of equal keys the one of the later list counts) into a snapshot. Cross checks (extends of a card
 * that is nowhere, extends in a circle, one project with two payers) are problems. A catalogue that names a card that is not loaded, or an
 * account a catalogue, is no problem: its usage waits in suspense.
 * Errors: INVALID with problems, NO_MEMORY. Owner: caller, snapshot_free. */
MUST_USE enum status snapshot_compile(const struct entry_list *const *lists, uint32_t list_count,
                                      struct problems *problems, struct snapshot **ret);

/* One difference that loading would make, for `ratel diff`: price by price. */
struct difference {
    enum document_kind kind;
    char sign;           /* '+' new, '-' gone, '~' changed */
    struct slice what;   /* "public-eu vm.small {offering: 5d1f...} price" */
    struct slice before; /* empty when new */
    struct slice after;  /* empty when gone */
};

/* Compares what is loaded with what would be after storing `documents`. Owner: arena. */
MUST_USE enum status documents_diff(const struct document_list *documents,
                                    const struct entry_list *loaded, struct arena *arena,
                                    struct problems *problems, struct difference **ret,
                                    uint32_t *ret_count);

#endif
