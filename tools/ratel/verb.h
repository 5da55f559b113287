/* What a verb of the command is: one const descriptor at the end of its file, from which come
 * parsing, --help, the manual page and the checks. A new verb is a file verb_NAME.c and one word in
 * CMakeLists.txt.
 *
 * A verb either runs or has sub-verbs ("invoice list"); a sub-verb is a descriptor of its own,
 * static in the same file. */
#ifndef RATEL_TOOLS_VERB_H
#define RATEL_TOOLS_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define VERB_OPTIONS_MAX  16
#define VERB_EXAMPLES_MAX 6
#define VERB_SUBVERBS_MAX 8
#define VERB_WORDS_ANY    UINT32_MAX

struct context;

struct verb_option {
    const char *name;     /* without the dashes; NULL ends the list */
    const char *value;    /* "DIR": what the value is called in help; NULL for a flag */
    const char *choices;  /* "table|json|csv": nothing else is accepted; NULL: anything */
    const char *fallback; /* the value when it is not given; NULL: none */
    bool repeatable;      /* may be given several times; else a second time is refused */
    bool required;
    const char *help; /* one sentence without the full stop, in small letters */
};

struct verb_example {
    const char *command; /* as typed, with "ratel"; NULL ends the list */
    const char *text;    /* what it does, one line */
};

struct verb {
    const char *name;
    const char *summary;     /* one line without a full stop */
    const char *words;       /* positional arguments as in the synopsis, "FILE..."; NULL: none */
    const char *description; /* plain text; paragraphs are separated by an empty line */
    struct verb_option options[VERB_OPTIONS_MAX];
    struct verb_example
        examples[VERB_EXAMPLES_MAX]; /* at least one, but for verbs with sub-verbs */
    uint32_t words_min;
    uint32_t words_max; /* VERB_WORDS_ANY: no limit */
    bool hidden;        /* left out of `ratel --help` */
    /* Writes its results to context->out. The frame flushes that, prints what is in `error` and
     * ends with status_exit_code. */
    MUST_USE enum status (*run)(struct context *context, struct error *error);
    const struct verb *subverbs[VERB_SUBVERBS_MAX]; /* run is NULL then */
};

/* All verbs in the order of --help, NULL at the end. CMakeLists.txt writes it. Lifetime: static. */
extern const struct verb *const verb_table[];

/* The options that every verb takes, ended by a NULL name. Lifetime: static. */
extern const struct verb_option descriptor_options[];

/* Asserts what the frame relies on: lists ended, an example given, words and options in order. */
void descriptor_check(const struct verb *verb);
/* The verb of a name in a NULL-ended list, or NULL. */
const struct verb *descriptor_find(const struct verb *const *list, const char *name);
/* The option of a name among a verb's own and the global ones, or NULL. `verb` may be NULL: global
 * ones only. A verb with sub-verbs is searched through all of them. */
const struct verb_option *descriptor_option(const struct verb *verb, const char *name,
                                            size_t name_length);

#endif
