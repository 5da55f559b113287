/* The command line by descriptors: parsing, messages, and that every verb's descriptor keeps the
 * frame's rules. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ratel/command.h"
#include "ratel/context.h"
#include "ratel/options.h"

static enum status run_nothing(struct context *context, struct error *error)
{
    (void)error;
    fprintf(context->out, "words %u\n", context->arguments.word_count);
    return STATUS_OK;
}

static enum status run_fail(struct context *context, struct error *error)
{
    (void)context;
    error_set(error, STATUS_INVALID, "no price\nat all");
    return error_at(error, "cards.yaml", 12, 5);
}

static const struct verb verb_put = {
    .name = "put",
    .summary = "Put",
    .words = "FILE...",
    .description = "Puts.",
    .words_min = 1,
    .words_max = 2,
    .options = {{.name = "format",
                 .value = "NAME",
                 .choices = "auto|json",
                 .fallback = "auto",
                 .help = "the format"},
                {.name = "where", .value = "K=V", .repeatable = true, .help = "a term"},
                {.name = "dry", .help = "nothing"}},
    .examples = {{"ratel put x", "put x"}},
    .run = run_nothing,
};
static const struct verb verb_list = {
    .name = "list",
    .summary = "List",
    .description = "Lists.",
    .options = {{.name = "period", .value = "YYYY-MM", .required = true, .help = "the month"}},
    .examples = {{"ratel invoice list --period 2026-10", "list"}},
    .run = run_nothing,
};
static const struct verb verb_show = {
    .name = "show",
    .summary = "Show",
    .words = "NUMBER",
    .description = "Shows.",
    .words_min = 1,
    .words_max = 1,
    .options = {{.name = "raw", .help = "as it is"}},
    .examples = {{"ratel invoice show 1", "show"}},
    .run = run_fail,
};
static const struct verb verb_invoice = {
    .name = "invoice",
    .summary = "Invoices",
    .description = "All about invoices.",
    .subverbs = {&verb_list, &verb_show},
};
static const struct verb *const verbs[] = {&verb_put, &verb_invoice, NULL};

#define ARGUMENTS_MAX 12

struct parse_case {
    const char *name;
    const char *argv[ARGUMENTS_MAX];
    const char *message; /* a part of it; NULL: the command line is fine */
};

static const struct parse_case parse_cases[] = {
    {"a verb and a word", {"ratel", "put", "a"}, NULL},
    {"options after words", {"ratel", "put", "a", "--format", "json"}, NULL},
    {"options before the verb", {"ratel", "--data", "/x", "put", "a"}, NULL},
    {"a value behind an equals sign", {"ratel", "put", "--format=json", "a"}, NULL},
    {"a minus sign is a word", {"ratel", "put", "-"}, NULL},
    {"a word after two dashes", {"ratel", "put", "--", "--format"}, NULL},
    {"a negative number as a value", {"ratel", "put", "--where", "-5", "a"}, NULL},
    {"a value that starts with dashes, with =", {"ratel", "put", "--where=--x", "a"}, NULL},
    {"an option twice that may be",
     {"ratel", "put", "--where", "a=1", "--where", "b=2", "x"},
     NULL},
    {"a sub-verb", {"ratel", "invoice", "list", "--period", "2026-10"}, NULL},
    {"an option before the sub-verb", {"ratel", "invoice", "--period", "2026-10", "list"}, NULL},
    {"no verb", {"ratel"}, "which verb?"},
    {"an unknown verb names the nearest", {"ratel", "ptu", "a"}, "did you mean \"put\"?"},
    {"the start of a verb", {"ratel", "inv"}, "did you mean \"invoice\"?"},
    {"an unknown verb like no other",
     {"ratel", "xyzzy"},
     "unknown verb \"xyzzy\"; see ratel --help"},
    {"an unknown option names the nearest",
     {"ratel", "put", "--fromat", "json"},
     "did you mean --format?"},
    {"an unknown global option", {"ratel", "put", "--dta", "x"}, "did you mean --data?"},
    {"an unknown option like no other", {"ratel", "put", "--qqqqqq"}, "see ratel put --help"},
    {"a short option", {"ratel", "put", "-v"}, "unknown option -v"},
    {"no value at the end", {"ratel", "put", "a", "--format"}, "needs a value: --format NAME"},
    {"no value before an option", {"ratel", "put", "--format", "--dry", "a"}, "needs a value"},
    {"a value for a flag", {"ratel", "put", "--dry=1", "a"}, "takes no value"},
    {"an option twice that may not",
     {"ratel", "put", "--format", "json", "--format", "auto", "a"},
     "given twice"},
    {"a value that is no choice", {"ratel", "put", "--format", "xml", "a"}, "not one of auto|json"},
    {"half of a choice", {"ratel", "put", "--format", "aut", "a"}, "not one of"},
    {"an empty choice", {"ratel", "put", "--format=", "a"}, "not one of"},
    {"a bad output format", {"ratel", "put", "--output", "xml", "a"}, "not one of table|json|csv"},
    {"too few words", {"ratel", "put"}, "usage: ratel put FILE..."},
    {"too many words", {"ratel", "put", "a", "b", "c"}, "\"c\" is one argument too many"},
    {"words where none are",
     {"ratel", "invoice", "list", "--period", "2026-10", "x"},
     "takes no arguments"},
    {"no sub-verb", {"ratel", "invoice"}, "which of list|show?"},
    {"an unknown sub-verb", {"ratel", "invoice", "lits"}, "did you mean \"invoice list\"?"},
    {"a required option", {"ratel", "invoice", "list"}, "option --period YYYY-MM is missing"},
    {"another sub-verb's option",
     {"ratel", "invoice", "--raw", "list", "--period", "2026-10"},
     "unknown option --raw"},
};

static int count(const char *const argv[])
{
    int argc = 0;
    while (argc < ARGUMENTS_MAX && argv[argc])
        argc++;
    return argc;
}

static void test_options__command_lines_are_read_or_refused_with_a_hint(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
        const struct parse_case *row = &parse_cases[i];
        struct arena arena;
        arena_init(&arena);
        struct arguments arguments;
        struct error error = {.status = STATUS_OK};
        enum status status = arguments_parse(verbs, count(row->argv), (char *const *)row->argv,
                                             &arena, &arguments, &error);
        enum status expected = row->message ? STATUS_USAGE : STATUS_OK;
        if (status != expected || (row->message && !strstr(error.text, row->message)))
            fail_msg("%s: status %s, message \"%s\"", row->name, status_text(status), error.text);
        arena_fini(&arena);
    }
}

static void test_options__values_come_from_the_line_then_the_fallback(void **state)
{
    (void)state;
    const char *argv[] = {"ratel", "put", "--where", "a=1", "x", "--where=b=2", "--", "-y"};
    struct arena arena;
    arena_init(&arena);
    struct arguments arguments;
    assert_int_equal(arguments_parse(verbs, 8, (char *const *)argv, &arena, &arguments, NULL),
                     STATUS_OK);
    assert_string_equal(arguments_value(&arguments, "format"), "auto");
    assert_false(arguments_given(&arguments, "format"));
    assert_string_equal(arguments_value_at(&arguments, "where", 0), "a=1");
    assert_string_equal(arguments_value_at(&arguments, "where", 1), "b=2");
    assert_null(arguments_value_at(&arguments, "where", 2));
    assert_null(arguments_value(&arguments, "now"));
    assert_false(arguments_given(&arguments, "dry"));
    assert_int_equal(arguments.word_count, 2);
    assert_string_equal(arguments.words[0], "x");
    assert_string_equal(arguments.words[1], "-y");
    arena_fini(&arena);
}

static void test_options__distance_counts_single_edits(void **state)
{
    (void)state;
    assert_int_equal(word_distance("load", "load"), 0);
    assert_int_equal(word_distance("laod", "load"), 1);
    assert_int_equal(word_distance("lod", "load"), 1);
    assert_int_equal(word_distance("loads", "load"), 1);
    assert_int_equal(word_distance("", "load"), 4);
    assert_int_equal(word_distance("diff", "load"), 4);
}

struct run_case {
    const char *name;
    const char *argv[ARGUMENTS_MAX];
    int code;
    const char *out; /* a part of it */
    const char *err; /* all of it, NULL: anything */
};

static const struct run_case run_cases[] = {
    {"a verb that works", {"ratel", "put", "a"}, 0, "words 1\n", ""},
    {"a verb that fails",
     {"ratel", "invoice", "show", "7"},
     65,
     "",
     "ratel: cards.yaml:12:5: no price?at all\n"},
    {"wrong use", {"ratel", "put"}, 64, "", NULL},
    {"a bad clock",
     {"ratel", "put", "a", "--now", "soon"},
     64,
     "",
     "ratel: option --now: \"soon\" is no time; write it as 2026-11-01T00:00:00Z\n"},
    {"an empty data path", {"ratel", "put", "a", "--data="}, 64, "", NULL},
    {"help", {"ratel", "--help"}, 0, "Usage: ratel VERB", ""},
    {"help of a verb without its words",
     {"ratel", "put", "--help"},
     0,
     "Usage: ratel put [OPTION]... FILE...",
     ""},
    {"help as a word", {"ratel", "help", "put"}, 0, "Usage: ratel put", ""},
    {"help of a sub-verb",
     {"ratel", "invoice", "list", "--help"},
     0,
     "Usage: ratel invoice list --period YYYY-MM",
     ""},
    {"help of a verb with sub-verbs",
     {"ratel", "invoice", "--help"},
     0,
     "ratel invoice show 1",
     ""},
    {"help of an unknown verb", {"ratel", "help", "ptu"}, 64, "", NULL},
    {"version", {"ratel", "--version"}, 0, "ratel ", ""},
};

static void run_one(const struct run_case *row)
{
    char *out = NULL, *err = NULL;
    size_t out_length, err_length;
    FILE *out_file = open_memstream(&out, &out_length);
    FILE *err_file = open_memstream(&err, &err_length);
    int code = command_run(verbs, count(row->argv), (char *const *)row->argv, out_file, err_file);
    fclose(out_file);
    fclose(err_file);
    if (code != row->code || !strstr(out, row->out) || (row->err && strcmp(err, row->err) != 0))
        fail_msg("%s: code %d, out \"%s\", err \"%s\"", row->name, code, out, err);
    /* Whatever happens is told in one line. */
    if (code != 0)
        assert_ptr_equal(strchr(err, '\n'), err + err_length - 1);
    free(out);
    free(err);
}

static void test_command__ends_with_the_exit_code_and_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(run_cases) / sizeof(run_cases[0]); i++)
        run_one(&run_cases[i]);
}

static void test_command__a_full_disk_is_noticed(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    char *err = NULL;
    size_t err_length;
    FILE *err_file = open_memstream(&err, &err_length);
    const char *argv[] = {"ratel", "--help"};
    assert_non_null(full);
    assert_int_equal(command_run(verbs, 2, (char *const *)argv, full, err_file), 74);
    fclose(full);
    fclose(err_file);
    assert_non_null(strstr(err, "cannot write the output: No space left on device"));
    free(err);
}

static void test_command__the_environment_gives_data_and_now(void **state)
{
    (void)state;
    const char *argv[] = {"ratel", "put", "a"};
    struct arguments arguments;
    struct context context;
    struct error error;
    setenv("RATEL_DATA", "/srv/ratel", 1);
    setenv("RATEL_NOW", "2026-11-01T00:00:00Z", 1);
    context_init(&context, stdout, stderr);
    assert_int_equal(
        arguments_parse(verbs, 3, (char *const *)argv, &context.arena, &arguments, &error),
        STATUS_OK);
    assert_int_equal(context_arguments(&context, arguments, &error), STATUS_OK);
    assert_string_equal(context.data_path, "/srv/ratel");
    assert_int_equal(context_now(&context).seconds, 1793491200);
    context_fini(&context);

    const char *both[] = {"ratel", "put", "a", "--data", "here", "--now", "2026-11-01T00:00:01Z"};
    context_init(&context, stdout, stderr);
    assert_int_equal(
        arguments_parse(verbs, 7, (char *const *)both, &context.arena, &arguments, &error),
        STATUS_OK);
    assert_int_equal(context_arguments(&context, arguments, &error), STATUS_OK);
    assert_string_equal(context.data_path, "here");
    assert_int_equal(context_now(&context).seconds, 1793491201);
    context_fini(&context);

    /* An empty variable is one that is not set. */
    setenv("RATEL_DATA", "", 1);
    unsetenv("RATEL_NOW");
    context_init(&context, stdout, stderr);
    assert_int_equal(
        arguments_parse(verbs, 3, (char *const *)argv, &context.arena, &arguments, &error),
        STATUS_OK);
    assert_int_equal(context_arguments(&context, arguments, &error), STATUS_OK);
    assert_string_equal(context.data_path, "./ratel-data");
    assert_false(context.data_chosen);
    context_fini(&context);
    unsetenv("RATEL_DATA");
}

static void test_verbs__every_descriptor_keeps_the_rules(void **state)
{
    (void)state;
    for (const struct verb *const *verb = verb_table; *verb; verb++) {
        descriptor_check(*verb);
        for (const struct verb *const *other = verb + 1; *other; other++)
            assert_string_not_equal((*verb)->name, (*other)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options__command_lines_are_read_or_refused_with_a_hint),
        cmocka_unit_test(test_options__values_come_from_the_line_then_the_fallback),
        cmocka_unit_test(test_options__distance_counts_single_edits),
        cmocka_unit_test(test_command__ends_with_the_exit_code_and_one_line),
        cmocka_unit_test(test_command__a_full_disk_is_noticed),
        cmocka_unit_test(test_command__the_environment_gives_data_and_now),
        cmocka_unit_test(test_verbs__every_descriptor_keeps_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
