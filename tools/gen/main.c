/* ratel-gen: see help.c for what it does. */
#include <signal.h>
#include <stdio.h>

#include "gen/run.h"

static int say(const char *text)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        fprintf(stderr, "ratel-gen: cannot write to standard output\n");
        return GEN_EXIT_IO;
    }
    return 0;
}

int main(int argument_count, char **arguments)
{
    struct options options;
    struct failure failure = {0};

    /* A closed pipe is an error of write(2) like any other, with a message. */
    signal(SIGPIPE, SIG_IGN);
    if (!options_parse(argument_count, arguments, &options, &failure)) {
        fprintf(stderr, "ratel-gen: %s\n", failure.text);
        return failure.exit_code;
    }
    if (options.action == ACTION_HELP)
        return say(help_text);
    if (options.action == ACTION_VERSION)
        return say("ratel-gen " RATEL_VERSION "\n");
    if (!run_generate(&options, &failure)) {
        fprintf(stderr, "ratel-gen: %s\n", failure.text);
        return failure.exit_code;
    }
    return 0;
}
