#include "ratel/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define WORD_BYTES_MAX 63

size_t word_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > WORD_BYTES_MAX || b_length > WORD_BYTES_MAX)
        return SIZE_MAX;
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_length];
}

/* The search for a word that somebody may have meant. */
struct nearest {
    const char *typed;
    const char *name;
    size_t distance;
};

static void nearest_offer(struct nearest *nearest, const char *name)
{
    size_t typed_length = strlen(nearest->typed);
    size_t distance = word_distance(nearest->typed, name);
    /* The start of a name is as good as one slip, however much is missing. */
    if (typed_length >= 2 && strncmp(nearest->typed, name, typed_length) == 0)
        distance = 1;
    /* A word of which more than half must change was hardly meant. */
    if (distance > (typed_length + 1) / 2 || distance >= nearest->distance)
        return;
    nearest->name = name;
    nearest->distance = distance;
}

static enum status unknown_verb(const struct verb *const *list, const struct verb *parent,
                                const char *typed, struct error *error)
{
    struct nearest nearest = {.typed = typed, .distance = SIZE_MAX};
    for (; *list; list++) {
        if (!(*list)->hidden)
            nearest_offer(&nearest, (*list)->name);
    }
    const char *before = parent ? parent->name : "";
    const char *space = parent ? " " : "";
    if (nearest.name)
        return error_set(error, STATUS_USAGE, "unknown verb \"%s%s%s\"; did you mean \"%s%s%s\"?",
                         before, space, typed, before, space, nearest.name);
    return error_set(error, STATUS_USAGE, "unknown verb \"%s%s%s\"; see ratel %s%s--help", before,
                     space, typed, before, space);
}

/* "ratel", "ratel load" or "ratel invoice list", as it is typed. */
static void command_name(const struct arguments *arguments, char *buffer, size_t size)
{
    int length = snprintf(buffer, size, "ratel%s%s%s%s", arguments->parent ? " " : "",
                          arguments->parent ? arguments->parent->name : "",
                          arguments->verb ? " " : "", arguments->verb ? arguments->verb->name : "");
    assert(length > 0 && (size_t)length < size);
}

static enum status unknown_option(const struct arguments *arguments, const char *name,
                                  size_t length, struct error *error)
{
    char typed[WORD_BYTES_MAX + 1];
    snprintf(typed, sizeof(typed), "%.*s", (int)(length < WORD_BYTES_MAX ? length : WORD_BYTES_MAX),
             name);
    struct nearest nearest = {.typed = typed, .distance = SIZE_MAX};
    for (const struct verb_option *option = descriptor_options; option->name; option++)
        nearest_offer(&nearest, option->name);
    for (uint32_t i = 0; arguments->verb && arguments->verb->options[i].name; i++)
        nearest_offer(&nearest, arguments->verb->options[i].name);
    char command[128];
    command_name(arguments, command, sizeof(command));
    if (nearest.name)
        return error_set(error, STATUS_USAGE,
                         "unknown option --%s; did you mean --%s? (%s --help lists all)", typed,
                         nearest.name, command);
    return error_set(error, STATUS_USAGE, "unknown option --%s; see %s --help", typed, command);
}

/* One pass over argv; the verb is known from its first word on. */
struct parser {
    const struct verb *const *verbs;
    int argc;
    char *const *argv;
    int at;
    struct arguments arguments;
    struct option_given *given;
    const char **words;
    bool words_only; /* after "--" */
};

static bool choice_holds(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (length > 0 && strncmp(at, value, length) == 0 &&
            (at[length] == '|' || at[length] == '\0'))
            return true;
    }
    return false;
}

static enum status option_add(struct parser *parser, const struct verb_option *option,
                              const char *value, struct error *error)
{
    struct arguments *arguments = &parser->arguments;
    for (uint32_t i = 0; i < arguments->given_count && !option->repeatable; i++) {
        if (strcmp(parser->given[i].option->name, option->name) == 0)
            return error_set(error, STATUS_USAGE, "option --%s is given twice; give it once",
                             option->name);
    }
    if (option->choices && !choice_holds(option->choices, value))
        return error_set(error, STATUS_USAGE, "option --%s: \"%s\" is not one of %s", option->name,
                         value, option->choices);
    parser->given[arguments->given_count++] = (struct option_given){option, value};
    return STATUS_OK;
}

/* Whether an argument is an option; "-" alone is a word. */
static bool is_option(const struct parser *parser, const char *argument)
{
    return !parser->words_only && argument[0] == '-' && argument[1] != '\0';
}

/* The value of an option with a value: behind the '=' or the next argument. NULL when there is
 * none. */
static const char *option_value(struct parser *parser, const char *equals)
{
    if (equals)
        return equals + 1;
    if (parser->at + 1 >= parser->argc)
        return NULL;
    const char *next = parser->argv[parser->at + 1];
    /* "--period --output json" forgot the month; a value that starts with two dashes is written
     * --opt=--value. */
    if (next[0] == '-' && next[1] == '-')
        return NULL;
    parser->at++;
    return next;
}

static enum status read_option(struct parser *parser, struct error *error)
{
    struct arguments *arguments = &parser->arguments;
    const char *argument = parser->argv[parser->at];
    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
        arguments->help = true;
        return STATUS_OK;
    }
    if (strcmp(argument, "--version") == 0) {
        arguments->version = true;
        return STATUS_OK;
    }
    if (argument[1] != '-')
        return error_set(
            error, STATUS_USAGE,
            "unknown option %s; options are written out, see --help (a file of that name: ./%s)",
            argument, argument);
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct verb_option *option = descriptor_option(arguments->verb, name, length);
    if (!option)
        return unknown_option(arguments, name, length, error);
    if (!option->value) {
        if (equals)
            return error_set(error, STATUS_USAGE, "option --%s takes no value", option->name);
        return option_add(parser, option, "", error);
    }
    const char *value = option_value(parser, equals);
    if (!value)
        return error_set(error, STATUS_USAGE, "option --%s needs a value: --%s %s", option->name,
                         option->name, option->value);
    return option_add(parser, option, value, error);
}

/* A word is the verb, then the sub-verb where the verb has some, then positional arguments. */
static enum status read_word(struct parser *parser, struct error *error)
{
    struct arguments *arguments = &parser->arguments;
    const char *word = parser->argv[parser->at];
    if (!arguments->verb) {
        arguments->verb = descriptor_find(parser->verbs, word);
        return arguments->verb ? STATUS_OK : unknown_verb(parser->verbs, NULL, word, error);
    }
    if (arguments->verb->subverbs[0]) {
        const struct verb *subverb = descriptor_find(arguments->verb->subverbs, word);
        if (!subverb)
            return unknown_verb(arguments->verb->subverbs, arguments->verb, word, error);
        arguments->parent = arguments->verb;
        arguments->verb = subverb;
        return STATUS_OK;
    }
    parser->words[arguments->word_count++] = word;
    return STATUS_OK;
}

/* Options that came before the sub-verb's name were looked up in all sub-verbs: now they must be
 * this one's. */
static enum status check_options(const struct parser *parser, struct error *error)
{
    const struct arguments *arguments = &parser->arguments;
    for (uint32_t i = 0; i < arguments->given_count; i++) {
        const char *name = parser->given[i].option->name;
        if (!descriptor_option(arguments->verb, name, strlen(name)))
            return unknown_option(arguments, name, strlen(name), error);
    }
    char command[128];
    command_name(arguments, command, sizeof(command));
    for (const struct verb_option *option = arguments->verb->options; option->name; option++) {
        if (option->required && !arguments_given(arguments, option->name))
            return error_set(error, STATUS_USAGE, "%s: option --%s %s is missing", command,
                             option->name, option->value);
    }
    return STATUS_OK;
}

static enum status check_words(const struct arguments *arguments, struct error *error)
{
    const struct verb *verb = arguments->verb;
    char command[128];
    command_name(arguments, command, sizeof(command));
    if (arguments->word_count < verb->words_min)
        return error_set(error, STATUS_USAGE, "%s: an argument is missing; usage: %s %s", command,
                         command, verb->words);
    if (arguments->word_count > verb->words_max && verb->words_max == 0)
        return error_set(error, STATUS_USAGE, "%s takes no arguments, \"%s\" is too many", command,
                         arguments->words[0]);
    if (arguments->word_count > verb->words_max)
        return error_set(error, STATUS_USAGE, "%s: \"%s\" is one argument too many; usage: %s %s",
                         command, arguments->words[verb->words_max], command, verb->words);
    return STATUS_OK;
}

static enum status check_all(const struct parser *parser, struct error *error)
{
    const struct arguments *arguments = &parser->arguments;
    if (!arguments->verb)
        return error_set(error, STATUS_USAGE, "which verb? See ratel --help");
    if (arguments->verb->subverbs[0]) {
        char names[256] = "";
        size_t length = 0;
        for (uint32_t i = 0; arguments->verb->subverbs[i]; i++)
            length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i ? "|" : "",
                                       arguments->verb->subverbs[i]->name);
        return error_set(error, STATUS_USAGE, "ratel %s: which of %s?", arguments->verb->name,
                         names);
    }
    enum status status = check_options(parser, error);
    return status == STATUS_OK ? check_words(arguments, error) : status;
}

enum status arguments_parse(const struct verb *const *verbs, int argc, char *const *argv,
                            struct arena *arena, struct arguments *ret, struct error *error)
{
    assert(argc >= 0);
    struct parser parser = {.verbs = verbs, .argc = argc, .argv = argv, .at = 1};
    size_t room = (size_t)argc + 1;
    parser.given = arena_alloc(arena, room * sizeof(*parser.given));
    parser.words = arena_alloc(arena, room * sizeof(*parser.words));
    parser.arguments.given = parser.given;
    parser.arguments.words = parser.words;
    /* `ratel help load` is `ratel load --help`. */
    bool asked = argc > 1 && strcmp(argv[1], "help") == 0;
    if (asked)
        parser.at = 2;
    for (; parser.at < argc; parser.at++) {
        enum status status = STATUS_OK;
        if (!parser.words_only && strcmp(argv[parser.at], "--") == 0)
            parser.words_only = true;
        else if (is_option(&parser, argv[parser.at]))
            status = read_option(&parser, error);
        else
            status = read_word(&parser, error);
        if (status != STATUS_OK)
            return status;
    }
    parser.arguments.help |= asked;
    if (!parser.arguments.help && !parser.arguments.version) {
        enum status status = check_all(&parser, error);
        if (status != STATUS_OK)
            return status;
    }
    *ret = parser.arguments;
    return STATUS_OK;
}

const char *arguments_value_at(const struct arguments *arguments, const char *name, uint32_t index)
{
    assert(descriptor_option(arguments->verb, name, strlen(name)) &&
           "an option that the descriptor does not have");
    for (uint32_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, name) != 0)
            continue;
        if (index == 0)
            return arguments->given[i].value;
        index--;
    }
    return NULL;
}

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    const struct verb_option *option = descriptor_option(arguments->verb, name, strlen(name));
    assert(option && "an option that the descriptor does not have");
    const char *value = option->fallback;
    for (uint32_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, name) == 0)
            value = arguments->given[i].value;
    }
    return value;
}

bool arguments_given(const struct arguments *arguments, const char *name)
{
    return arguments_value_at(arguments, name, 0) != NULL;
}
