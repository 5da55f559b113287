/* Exports: a batch of issued invoices as files in a directory, for other people's programs.
 *
 * A file is written under a temporary name in the same directory, synced, and renamed into place
 * when the batch is complete; on any error nothing of it is left. So a file with its final name is
 * whole. One format is one export_NAME.c that ends in one const descriptor; its row in
 * CMakeLists.txt is the only other edit. */
#ifndef RATEL_ADAPTERS_EXPORT_H
#define RATEL_ADAPTERS_EXPORT_H

#include <stdio.h>

#include "base/slice.h"
#include "base/status.h"
#include "bill/invoice.h"

struct export;

struct export_class {
    const char *name;    /* "csv" */
    const char *summary; /* one line for --help */
    /* `directory` exists; `stem` is the file's name without its suffix ("invoices-2026-10"). */
    MUST_USE enum status (*open)(const char *directory, const char *stem, struct export **ret,
                                 struct error *error);
    /* Invoices of a batch come in order of number, in any number of calls. */
    MUST_USE enum status (*write)(struct export *export, const struct invoice *invoices,
                                  uint32_t count, struct error *error);
    /* Makes the batch visible and frees. Frees on errors too. */
    MUST_USE enum status (*commit)(struct export *export, struct error *error);
    /* Gives the batch up, leaves nothing, frees. */
    void (*abort)(struct export *export);
    const char *suffix; /* ".csv" */
};

extern const struct export_class export_csv;
extern const struct export_class export_jsonl;

/* By name, or NULL. */
const struct export_class *export_find(const char *name);

/* ---- for formats that are one file (export_file.c) --------------------------------------------
 */

struct export_file {
    FILE *out;
    char final[4096];
    char temporary[4096];
    char directory[4096];
};

/* Errors: CANNOT_CREATE, PERMISSION, NO_SPACE, LOCKED (another export writes the same file). */
MUST_USE enum status export_file_open(struct export_file *file, const char *directory,
                                      const char *stem, const char *suffix, struct error *error);
/* OK while everything written has arrived. */
MUST_USE enum status export_file_check(struct export_file *file, struct error *error);
MUST_USE enum status export_file_commit(struct export_file *file, struct error *error);
void export_file_abort(struct export_file *file);

#endif
