/* The command line, read by a verb's descriptor: GNU style. --opt value and --opt=value, options
 * anywhere, "--" ends them, "-" is a word. Options are not abbreviated: what works today must not
 * become ambiguous with the next option. */
#ifndef RATEL_TOOLS_OPTIONS_H
#define RATEL_TOOLS_OPTIONS_H

#include "base/arena.h"
#include "base/status.h"
#include "ratel/verb.h"

struct option_given {
    const struct verb_option *option;
    const char *value; /* "" for a flag */
};

struct arguments {
    const struct verb *parent; /* "invoice" when the verb is its sub-verb "list", else NULL */
    const struct verb *verb;   /* NULL: `ratel --help`, `ratel --version` */
    const struct option_given *given; /* in the order of the command line */
    uint32_t given_count;
    const char *const *words; /* positional arguments, without the verb's own names */
    uint32_t word_count;
    bool help;
    bool version;
};

/* Reads argv[1..argc-1]. Everything lives in `arena` or in argv. With --help or --version the rest
 * is not checked. Errors: USAGE, with one line that names the nearest known verb or option. */
MUST_USE enum status arguments_parse(const struct verb *const *verbs, int argc, char *const *argv,
                                     struct arena *arena, struct arguments *ret,
                                     struct error *error);

/* The value of an option: the last one given, else the fallback, else NULL. The option must be in
 * the descriptor. */
const char *arguments_value(const struct arguments *arguments, const char *name);
/* The value number `index` of a repeatable option, or NULL past the last. */
const char *arguments_value_at(const struct arguments *arguments, const char *name, uint32_t index);
bool arguments_given(const struct arguments *arguments, const char *name);

/* Edits (insert, delete, replace, swap of neighbours) between two words; SIZE_MAX when one is over
 * 63 bytes. Source: optimal string alignment distance. */
size_t word_distance(const char *a, const char *b);

#endif
