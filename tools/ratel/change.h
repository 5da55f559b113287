/* What a set of documents would do to the book: the common part of check, load and diff. */
#ifndef RATEL_TOOLS_CHANGE_H
#define RATEL_TOOLS_CHANGE_H

#include "ratel/context.h"

struct change {
    struct document_list documents;
    struct problems problems;
    struct entry_list loaded; /* empty without a book */
    struct entry_list added;
    struct entry *sorted; /* `added` by table and key, made when change_adds first needs it */
};

/* Reads the files, compares them with what is loaded (context->book, or nothing where that is NULL)
 * and compiles both together, so that what passes here can be rated with. Everything lives in the
 * context's arena. Errors: those of reading; INVALID with problems: all of them are in
 * change->problems. */
MUST_USE enum status change_read(struct change *change, struct context *context,
                                 struct error *error);
/* Whether one of the documents adds or replaces anything. */
MUST_USE enum status change_adds(struct change *change, struct context *context, uint32_t document,
                                 bool *ret, struct error *error);
/* Prints the problems and `outcome` ("nothing is stored") to standard error. Returns INVALID. */
enum status change_report(struct change *change, struct context *context, const char *outcome);

#endif
