/* Shared by datadir.c (opening) and datadir_init.c (making). */
#ifndef RATEL_STORE_DATADIR_PRIVATE_H
#define RATEL_STORE_DATADIR_PRIVATE_H

#include "store/datadir.h"

#define FORMAT_BYTES_MAX 512
/* What may follow a data directory's path in the paths below it. */
#define DATADIR_BELOW_BYTES 128

/* The text of FORMAT. Lines "magic", "format N", "program TEXT", then what the version says; the
 * last line "crc HEX" covers all bytes before it. Magic and the first two lines are the same for
 * all versions, so that any program can name what it refuses. Returns the length. */
size_t format_write(uint32_t shard_count, uint64_t seed, char buffer[FORMAT_BYTES_MAX]);
/* Errors: CORRUPT, VERSION; the place is for the caller to add. */
MUST_USE enum status format_read(struct slice text, struct datadir *ret, struct error *error);

/* Whether the directory is on NFS, SMB or the like. */
bool datadir_is_remote(const char *path);

#endif
