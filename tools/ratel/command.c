#include "ratel/command.h"

#include <assert.h>
#include <string.h>

#include "ratel/context.h"
#include "ratel/help.h"
#include "ratel/report.h"

static enum status run_verb(struct context *context, const struct verb *const *verbs, int argc,
                            char *const *argv, struct error *error)
{
    struct arguments arguments;
    enum status status = arguments_parse(verbs, argc, argv, &context->arena, &arguments, error);
    if (status != STATUS_OK)
        return status;
    if (arguments.version) {
        fprintf(context->out, "ratel %s\n", RATEL_VERSION);
        return STATUS_OK;
    }
    if (arguments.help) {
        if (arguments.verb)
            help_verb(context->out, arguments.parent, arguments.verb);
        else
            help_program(context->out, verbs);
        return STATUS_OK;
    }
    status = context_arguments(context, arguments, error);
    if (status != STATUS_OK)
        return status;
    return arguments.verb->run(context, error);
}

int command_run(const struct verb *const *verbs, int argc, char *const *argv, FILE *out, FILE *err)
{
    for (const struct verb *const *verb = verbs; *verb; verb++)
        descriptor_check(*verb);
    struct context context;
    struct error error;
    memset(&error, 0, sizeof(error));
    context_init(&context, out, err);
    enum status status = run_verb(&context, verbs, argc, argv, &error);
    if (status != STATUS_OK && error.status != status) {
        /* A lower layer returned a bare status: its short text has to do. */
        status = error_set(&error, status, "%s", status_text(status));
    }

    struct error output_error;
    memset(&output_error, 0, sizeof(output_error));
    enum status output_status = output_finish(out, &output_error);
    if (status != STATUS_OK && !context.reported)
        report_error(err, &error);
    if (output_status != STATUS_OK)
        report_error(err, &output_error);
    context_fini(&context);
    return status_exit_code(status != STATUS_OK ? status : output_status);
}
