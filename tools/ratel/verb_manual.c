/* The manual page in mdoc(7), from the same descriptors as --help, so that the two cannot differ.
 */
#include <assert.h>
#include <string.h>

#include "ratel/context.h"
#include "ratel/help.h"

/* The day of the last change that users see; moves with the version. */
#define MANUAL_DATE "November 21, 2026"

/* A piece of a text line: backslashes and hyphens are escaped; hyphens, because roff prints a bare
 * one as a typographic hyphen, which cannot be pasted into a shell. */
static void roff(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else
            putc(text[i], out);
    }
}

/* A whole line of its own; a leading dot or apostrophe would be taken for a request. */
static void roff_line(FILE *out, const char *text, size_t length)
{
    if (length > 0 && (text[0] == '.' || text[0] == '\''))
        fputs("\\&", out);
    roff(out, text, length);
    putc('\n', out);
}

/* Sentences start on new lines (mandoc's advice, and it breaks the lines); paragraphs are set apart
 * by .Pp. */
static void roff_text(FILE *out, const char *text)
{
    while (*text) {
        size_t length = 0;
        while (text[length] && text[length] != '\n' &&
               !(strchr(".!?:;", text[length]) && text[length + 1] == ' '))
            length++;
        bool sentence = text[length] && text[length] != '\n';
        roff_line(out, text, length + sentence);
        text += length + sentence;
        if (strncmp(text, "\n\n", 2) == 0)
            fputs(".Pp\n", out);
        text += strspn(text, " \n");
    }
}

/* A phrase of a descriptor as a sentence: a capital letter and `end`. A phrase that starts with a
 * name, such as ./ratel-data, has none. */
static void roff_sentence(FILE *out, const char *text, const char *end)
{
    char sentence[1024];
    int length = snprintf(sentence, sizeof(sentence), "%s%s", text, end);
    assert(length > 0 && (size_t)length < sizeof(sentence));
    if (sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
    roff_text(out, sentence);
}

/* An argument of a macro: in quotes, so that blanks and words that are macros' names stay text. */
static void roff_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputs("\\(dq", out);
        else
            roff(out, text, 1);
    }
    putc('"', out);
}

static void manual_options(FILE *out, const struct verb_option *list)
{
    if (!list->name)
        return;
    fputs(".Bl -tag -width Ds\n", out);
    for (; list->name; list++) {
        fputs(".It Fl \\-", out);
        roff(out, list->name, strlen(list->name));
        if (list->value) {
            fputs(" Ar ", out);
            roff_quoted(out, list->value);
        }
        putc('\n', out);
        roff_sentence(out, list->help, ".");
        if (list->choices) {
            fputs("One of\n.Cm ", out);
            roff_quoted(out, list->choices);
            fputs(" .\n", out);
        }
        if (list->fallback) {
            fputs("The default is\n.Cm ", out);
            roff_quoted(out, list->fallback);
            fputs(" .\n", out);
        }
        if (list->repeatable)
            fputs("May be repeated.\n", out);
        if (list->required)
            fputs("Required.\n", out);
    }
    fputs(".El\n", out);
}

static void manual_examples(FILE *out, const struct verb *verb)
{
    for (const struct verb_example *example = verb->examples; example->command; example++) {
        fputs(".Pp\n", out);
        roff_sentence(out, example->text, ":");
        fputs(".Bd -literal -offset indent\n", out);
        roff_line(out, example->command, strlen(example->command));
        fputs(".Ed\n", out);
    }
}

static void manual_verb(FILE *out, const struct verb *parent, const struct verb *verb)
{
    if (!verb->subverbs[0]) {
        fputs(".Ss ", out);
        if (parent) {
            roff_quoted(out, parent->name);
            putc(' ', out);
        }
        roff_quoted(out, verb->name);
        fputs("\n.Nm ratel\n.Cm ", out);
        if (parent) {
            roff_quoted(out, parent->name);
            putc(' ', out);
        }
        roff_quoted(out, verb->name);
        putc('\n', out);
        for (const struct verb_option *option = verb->options; option->name; option++) {
            if (!option->required)
                continue;
            fputs(".Fl \\-", out);
            roff(out, option->name, strlen(option->name));
            fputs(" Ar ", out);
            roff_quoted(out, option->value);
            putc('\n', out);
        }
        fputs(".Op Ar option ...\n", out);
        if (verb->words) {
            fputs(".Ar ", out);
            roff_quoted(out, verb->words);
            putc('\n', out);
        }
        fputs(".Pp\n", out);
        roff_sentence(out, verb->summary, ".");
        fputs(".Pp\n", out);
    } else {
        fputs(".Ss ", out);
        roff_quoted(out, verb->name);
        putc('\n', out);
    }
    roff_text(out, verb->description);
    manual_options(out, verb->options);
    manual_examples(out, verb);
    for (uint32_t i = 0; verb->subverbs[i]; i++)
        manual_verb(out, verb, verb->subverbs[i]);
}

static void manual_end(FILE *out)
{
    fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
          ".It Ev RATEL_DATA\nThe data directory where\n.Fl \\-data\nis not given.\n"
          ".It Ev RATEL_NOW\nThe present time where\n.Fl \\-now\nis not given.\n"
          ".It Ev NO_COLOR\nIf set, no bold text and no colour.\n"
          ".It Ev TERM\nWith the value\n.Dq dumb ,\nno bold text and no progress bar.\n"
          ".It Ev TZDIR\nWhere time zone files are, if not in\n.Pa /usr/share/zoneinfo .\n.El\n",
          out);
    fputs(".Sh FILES\n.Bl -tag -width Ds\n"
          ".It Pa ./ratel\\-data\nThe default data directory.\n"
          ".It Pa DATA/operator.key\nThe operator's API key, readable by its owner only.\n.El\n",
          out);
    fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", out);
    for (const struct exit_code *row = exit_codes; row->text; row++) {
        fprintf(out, ".It %d\n", row->code);
        roff_sentence(out, row->text, ".");
    }
    fputs(".El\n", out);
}

static enum status run(struct context *context, struct error *error)
{
    (void)error;
    FILE *out = context->out;
    fputs(".Dd " MANUAL_DATE "\n.Dt RATEL 1\n.Os\n.Sh NAME\n.Nm ratel\n.Nd ", out);
    roff_line(out, help_summary, strlen(help_summary));
    fputs(".Sh SYNOPSIS\n.Nm\n.Ar verb\n.Op Ar option ...\n.Op Ar argument ...\n.Nm\n.Op Ar "
          "verb\n.Fl \\-help\n.Nm\n.Fl \\-version\n"
          ".Sh DESCRIPTION\n",
          out);
    roff_text(out, help_description);
    fputs(".Pp\nOptions may stand before and after arguments, as\n.Fl \\-name Ar value\nor\n.Fl "
          "\\-name Ns = Ns Ar value ;\n"
          ".Fl \\-\nends them, and\n.Dq \\-\nas a file name is the standard input.\n"
          "Results go to the standard output, everything else to the standard error, one line per "
          "message.\n"
          ".Pp\nEvery verb takes these options:\n",
          out);
    manual_options(out, descriptor_options);
    fputs(".Sh VERBS\n", out);
    for (const struct verb *const *verb = verb_table; *verb; verb++) {
        if (!(*verb)->hidden)
            manual_verb(out, NULL, *verb);
    }
    manual_end(out);
    return STATUS_OK;
}

const struct verb verb_manual = {
    .name = "manual",
    .summary = "Print the manual page",
    .description = "Writes the manual page of all verbs in mdoc(7) to the standard output.",
    .examples = {{"ratel manual | mandoc -l", "read it here"},
                 {"ratel manual > ratel.1", "keep it, for packaging"}},
    .hidden = true,
    .run = run,
};
