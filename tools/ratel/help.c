#include "ratel/help.h"

#include <string.h>

#define HELP_COLUMNS  79
#define OPTION_INDENT 6

const char help_summary[] = "usage mediation and rating for Apache CloudStack";
const char help_description[] = "Ratel turns raw usage records into rated spend, budget alerts and "
                                "invoices. Rate cards, catalogues, accounts, exchange rates and "
                                "tax rules are documents that are checked and loaded; usage is "
                                "ingested from files; every amount can be explained down to the "
                                "records it comes from.";

const struct exit_code exit_codes[] = {
    {0, "done"},
    {64, "wrong use: an unknown verb or option, a missing or bad value"},
    {65, "wrong data: a document or record has problems, nothing of it was stored"},
    {66, "an input file or the data directory does not exist"},
    {69, "something that is needed is not available"},
    {70, "an error in Ratel itself"},
    {71, "the system ran out of memory"},
    {73, "cannot create: it exists already, or its directory is missing"},
    {74, "input or output error: a full disk, a closed pipe, damaged data"},
    {75, "try again later: the data directory is in use by another process"},
    {77, "permission denied"},
    {-1, NULL},
};

/* Writes one paragraph in lines of at most HELP_COLUMNS, each after `indent` blanks; the first line
 * starts at column `at`. */
static void wrap(FILE *out, const char *text, size_t length, size_t indent, size_t at)
{
    const char *end = text + length;
    size_t column = at;
    while (text < end) {
        size_t word = strcspn(text, " \n");
        if (word > (size_t)(end - text))
            word = (size_t)(end - text);
        bool first = column <= indent;
        if (!first && column + 1 + word > HELP_COLUMNS) {
            putc('\n', out);
            column = 0;
            first = true;
        }
        for (; column < indent; column++)
            putc(' ', out);
        if (!first) {
            putc(' ', out);
            column++;
        }
        fwrite(text, 1, word, out);
        column += word;
        text += word;
        text += text < end ? strspn(text, " \n") : 0;
    }
    putc('\n', out);
}

/* Paragraphs, separated by empty lines. */
static void wrap_all(FILE *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        wrap(out, text, length, 0, 0);
        putc('\n', out);
        text += length + (end ? 2 : 0);
    }
}

/* Appends "(note" or ", note" to a text of `size` bytes. */
static void add_note(char *text, size_t size, bool *noted, const char *before, const char *note)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s%s", *noted ? ", " : " (", before, note);
    *noted = true;
}

static void option_help(FILE *out, const struct verb_option *option)
{
    fprintf(out, "  --%s%s%s\n", option->name, option->value ? " " : "",
            option->value ? option->value : "");
    char text[1024];
    bool noted = false;
    snprintf(text, sizeof(text) - 1, "%s", option->help);
    if (option->required)
        add_note(text, sizeof(text) - 1, &noted, "", "required");
    if (option->repeatable)
        add_note(text, sizeof(text) - 1, &noted, "", "may be repeated");
    if (option->choices)
        add_note(text, sizeof(text) - 1, &noted, "", option->choices);
    if (option->fallback)
        add_note(text, sizeof(text) - 1, &noted, "default: ", option->fallback);
    if (noted)
        strcat(text, ")");
    wrap(out, text, strlen(text), OPTION_INDENT, 0);
}

static void options_help(FILE *out, const char *title, const struct verb_option *list)
{
    if (!list->name)
        return;
    fprintf(out, "%s:\n", title);
    for (; list->name; list++)
        option_help(out, list);
    putc('\n', out);
}

static void examples_help(FILE *out, const struct verb *verb)
{
    if (!verb->examples[0].command)
        return;
    fputs("Examples:\n", out);
    for (const struct verb_example *example = verb->examples; example->command; example++)
        fprintf(out, "  # %s\n  %s\n", example->text, example->command);
}

static void usage_line(FILE *out, const struct verb *parent, const struct verb *verb)
{
    fprintf(out, "ratel %s%s%s", parent ? parent->name : "", parent ? " " : "", verb->name);
    for (const struct verb_option *option = verb->options; option->name; option++) {
        if (option->required)
            fprintf(out, " --%s %s", option->name, option->value);
    }
    fprintf(out, " [OPTION]...%s%s\n", verb->words ? " " : "", verb->words ? verb->words : "");
}

void help_verb(FILE *out, const struct verb *parent, const struct verb *verb)
{
    if (verb->subverbs[0]) {
        for (uint32_t i = 0; verb->subverbs[i]; i++) {
            fputs(i ? "       " : "Usage: ", out);
            usage_line(out, verb, verb->subverbs[i]);
        }
    } else {
        fputs("Usage: ", out);
        usage_line(out, parent, verb);
    }
    fprintf(out, "\n%s.\n\n", verb->summary);
    wrap_all(out, verb->description);
    options_help(out, "Options", verb->options);
    for (uint32_t i = 0; verb->subverbs[i]; i++) {
        const struct verb *subverb = verb->subverbs[i];
        fprintf(out, "%s %s: %s\n\n", verb->name, subverb->name, subverb->summary);
        wrap_all(out, subverb->description);
        options_help(out, "Options", subverb->options);
        examples_help(out, subverb);
        putc('\n', out);
    }
    options_help(out, "Options of every verb", descriptor_options);
    examples_help(out, verb);
}

void help_program(FILE *out, const struct verb *const *verbs)
{
    fprintf(out, "Usage: ratel VERB [OPTION]... [ARGUMENT]...\n\nRatel: %s.\n\n", help_summary);
    wrap_all(out, help_description);
    fputs("Verbs:\n", out);
    for (; *verbs; verbs++) {
        if (!(*verbs)->hidden)
            fprintf(out, "  %-12s %s\n", (*verbs)->name, (*verbs)->summary);
    }
    putc('\n', out);
    options_help(out, "Options of every verb", descriptor_options);
    fputs("Exit codes:\n", out);
    for (const struct exit_code *row = exit_codes; row->text; row++) {
        fprintf(out, "  %2d  ", row->code);
        wrap(out, row->text, strlen(row->text), OPTION_INDENT, OPTION_INDENT);
    }
    fputs("\nExamples:\n"
          "  # The first steps: a data directory, then documents and usage.\n"
          "  ratel init\n"
          "  ratel check cards.yaml && ratel load cards.yaml accounts.yaml\n"
          "  # All about one verb; `ratel --version` names the version.\n"
          "  ratel load --help\n",
          out);
}
