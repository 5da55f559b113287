/* A file that is mapped and cannot be read (a bad sector, a file that somebody cut) ends a process
 * with SIGBUS. The handler says in one line which file it was and what to do, and ends with 74, the
 * code of other I/O errors. */
#ifndef RATEL_STORE_SIGBUS_H
#define RATEL_STORE_SIGBUS_H

#include <stddef.h>

#define SIGBUS_MAPS_MAX 256

/* For a program's main, once, before threads. `program` begins the message; static. */
void sigbus_install(const char *program);

/* Names a mapping for the message. Path and advice live until sigbus_forget. Beyond
 * SIGBUS_MAPS_MAX: the message does not name the file. Thread: any. */
void sigbus_name(const void *map, size_t bytes, const char *path, const char *advice);
void sigbus_forget(const void *map);

#endif
