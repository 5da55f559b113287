/* Files that are read whole: documents, gzip and zstd ones too. "-" is the standard input. */
#ifndef RATEL_TOOLS_FILES_H
#define RATEL_TOOLS_FILES_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "ratecards/ratecards.h"

#define FILE_BYTES_MAX ((size_t)256 << 20) /* unpacked */

/* Errors: NOT_FOUND, PERMISSION, IO, CORRUPT, INVALID (over FILE_BYTES_MAX); all name the file.
 * Owner: the arena. */
MUST_USE enum status file_read_whole(const char *path, struct arena *arena, struct slice *ret,
                                     struct error *error);

/* How a path is called in messages and in the book. */
struct slice file_label(const char *path);

/* Reads and parses documents. A file that cannot be read ends it; what is wrong inside files is
 * gathered in `problems` over all of them. `list` and `problems` share an arena. Errors: as
 * file_read_whole (text in `error`), USAGE ("-" twice), INVALID (problems were added). */
MUST_USE enum status files_documents(const char *const *paths, uint32_t count,
                                     struct document_list *list, struct problems *problems,
                                     struct error *error);

#endif
