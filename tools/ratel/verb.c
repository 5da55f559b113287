#include "ratel/verb.h"

#include <assert.h>
#include <string.h>

const struct verb_option descriptor_options[] = {
    {.name = "data",
     .value = "DIR",
     .fallback = "./ratel-data",
     .help = "the data directory, also from RATEL_DATA"},
    {.name = "output",
     .value = "FORMAT",
     .choices = "table|json|csv",
     .fallback = "table",
     .help = "how results are written: a table for people, JSON, or CSV"},
    {.name = "now",
     .value = "TIME",
     .help = "take this for the present time, such as 2026-11-01T00:00:00Z; also from RATEL_NOW"},
    {.name = "no-progress", .help = "draw no progress bar"},
    {.name = "help", .help = "explain the verb and end"},
    {.name = NULL},
};

void descriptor_check(const struct verb *verb)
{
    assert(verb->name && verb->summary && verb->description);
    assert(verb->options[VERB_OPTIONS_MAX - 1].name == NULL);
    assert(verb->examples[VERB_EXAMPLES_MAX - 1].command == NULL);
    assert(verb->subverbs[VERB_SUBVERBS_MAX - 1] == NULL);
    assert((verb->run == NULL) == (verb->subverbs[0] != NULL));
    assert(verb->run == NULL || verb->examples[0].command != NULL);
    assert(verb->words_min <= verb->words_max);
    assert((verb->words == NULL) == (verb->words_max == 0));
    for (const struct verb_option *option = verb->options; option->name; option++) {
        assert(option->help);
        /* A flag has nothing to choose from and nothing to fall back on. */
        assert(option->value || (!option->choices && !option->fallback && !option->required));
        assert(!option->required || !option->fallback);
    }
    for (uint32_t i = 0; verb->subverbs[i]; i++)
        descriptor_check(verb->subverbs[i]);
}

const struct verb *descriptor_find(const struct verb *const *list, const char *name)
{
    for (; *list; list++) {
        if (strcmp((*list)->name, name) == 0)
            return *list;
    }
    return NULL;
}

static const struct verb_option *option_in(const struct verb_option *list, const char *name,
                                           size_t length)
{
    for (; list->name; list++) {
        if (strlen(list->name) == length && memcmp(list->name, name, length) == 0)
            return list;
    }
    return NULL;
}

const struct verb_option *descriptor_option(const struct verb *verb, const char *name,
                                            size_t name_length)
{
    const struct verb_option *found = option_in(descriptor_options, name, name_length);
    if (found || !verb)
        return found;
    found = option_in(verb->options, name, name_length);
    for (uint32_t i = 0; !found && verb->subverbs[i]; i++)
        found = option_in(verb->subverbs[i]->options, name, name_length);
    return found;
}
