/* What a command says on standard error: one line each, "ratel: text" or "ratel: file:line:column:
 * text". */
#ifndef RATEL_TOOLS_REPORT_H
#define RATEL_TOOLS_REPORT_H

#include <stdio.h>

#include "base/status.h"
#include "ratecards/ratecards.h"

/* Always one line: line ends and control characters in the text become '?'. */
void report_error(FILE *err, const struct error *error);
/* "file:line:column: text", one line per problem, as compilers print them; "loaded before: text"
 * for what the book has. Sorts the problems. */
void report_problems(FILE *err, struct problems *problems);

#endif
