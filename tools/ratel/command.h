/* One run of the command, from argv to the exit code: what main() calls, and tests with other verbs
 * and files. */
#ifndef RATEL_TOOLS_COMMAND_H
#define RATEL_TOOLS_COMMAND_H

#include <stdio.h>

#include "ratel/verb.h"

/* Returns the exit code. `out` is flushed, not closed. */
int command_run(const struct verb *const *verbs, int argc, char *const *argv, FILE *out, FILE *err);

#endif
