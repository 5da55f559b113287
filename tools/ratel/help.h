/* --help, written from the verbs' descriptors. */
#ifndef RATEL_TOOLS_HELP_H
#define RATEL_TOOLS_HELP_H

#include <stdio.h>

#include "ratel/verb.h"

void help_program(FILE *out, const struct verb *const *verbs);
/* `parent` is the verb that `verb` is a sub-verb of, or NULL. */
void help_verb(FILE *out, const struct verb *parent, const struct verb *verb);

/* Exit codes with their meaning, as --help and the manual list them; a code of -1 ends the list.
 * Lifetime: static. */
struct exit_code {
    int code;
    const char *text;
};
extern const struct exit_code exit_codes[];

/* What the program is, in one line without a full stop, and in a paragraph. */
extern const char help_summary[];
extern const char help_description[];

#endif
