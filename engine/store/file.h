/* File helpers shared inside store/: whole reads and writes, durable names, errno to status. Not
 * for other folders. */
#ifndef RATEL_STORE_FILE_H
#define RATEL_STORE_FILE_H

#include <sys/uio.h>

#include "base/slice.h"
#include "base/status.h"

/* Fills `error` with "WHAT: strerror" at `path` and returns the status of the errno. */
enum status file_error(struct error *error, int error_number, const char *path, const char *what);

/* All below return 0 or an errno. Interrupted and short calls are carried on with. */
MUST_USE int file_write(int fd, struct iovec *parts, int part_count, uint64_t offset);
/* Adds to *calls the system calls that it took. */
MUST_USE int file_write_counted(int fd, struct iovec *parts, int part_count, uint64_t offset,
                                uint64_t *calls);
/* Reads up to `length` bytes; fewer only at the end of the file. */
MUST_USE int file_read(int fd, void *data, size_t length, uint64_t offset, size_t *ret_read);
/* fsync of the directory itself: makes created, renamed and removed names durable. */
MUST_USE int file_sync_directory(const char *path);
/* The same for the directory that holds `path`. */
MUST_USE int file_sync_parent(const char *path);
/* mkdir with mode 0750 and a durable name; one that exists is fine. */
MUST_USE int file_make_directory(const char *path);
/* Creates `path` (must not exist), writes, fsyncs. The name itself is not yet durable. */
MUST_USE int file_create(const char *path, unsigned mode, struct slice content);

#endif
