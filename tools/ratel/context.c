#include "ratel/context.h"

#include <sched.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* An environment variable, or NULL when it is not set or empty. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool terminal(FILE *file)
{
    const char *term = environment("TERM");
    return fileno(file) >= 0 && isatty(fileno(file)) == 1 && term && strcmp(term, "dumb") != 0;
}

void context_init(struct context *context, FILE *out, FILE *err)
{
    memset(context, 0, sizeof(*context));
    context->out = out;
    context->err = err;
    context->clock = clock_real();
    arena_init(&context->arena);
}

static enum status read_clock(struct context *context, struct error *error)
{
    const char *from = "option --now";
    const char *text = arguments_value(&context->arguments, "now");
    if (!text) {
        from = "RATEL_NOW";
        text = environment("RATEL_NOW");
    }
    if (!text)
        return STATUS_OK;
    struct instant now;
    if (instant_parse(slice_string(text), &now, NULL) != STATUS_OK)
        return error_set(error, STATUS_USAGE,
                         "%s: \"%s\" is no time; write it as 2026-11-01T00:00:00Z", from, text);
    clock_fixed_init(&context->clock_fixed, now);
    context->clock = &context->clock_fixed.base;
    return STATUS_OK;
}

enum status context_arguments(struct context *context, struct arguments arguments,
                              struct error *error)
{
    context->arguments = arguments;
    const char *data = environment("RATEL_DATA");
    context->data_chosen = data != NULL || arguments_given(&arguments, "data");
    if (!data || arguments_given(&arguments, "data"))
        data = arguments_value(&arguments, "data");
    if (strlen(data) >= DATADIR_PATH_BYTES / 2)
        return error_set(error, STATUS_USAGE, "option --data: the path is longer than %d bytes",
                         DATADIR_PATH_BYTES / 2 - 1);
    if (*data == '\0')
        return error_set(error, STATUS_USAGE, "option --data: the path is empty");
    context->data_path = data;

    const char *output = arguments_value(&arguments, "output");
    context->output = output_format_of(output);
    context->progress = !arguments_given(&arguments, "no-progress") && terminal(context->err);
    context->colour = terminal(context->out) && !environment("NO_COLOR");
    return read_clock(context, error);
}

void context_close(struct context *context)
{
    if (context->book)
        book_close(context->book);
    if (context->datadir)
        datadir_close(context->datadir);
    context->book = NULL;
    context->datadir = NULL;
}

void context_fini(struct context *context)
{
    context_close(context);
    arena_fini(&context->arena);
}

/* An ingest that ends holds LOCK.book for a moment, and whoever writes only the book need not mind
 * the ingest: so it tries for a second. */
static enum status open_datadir(struct context *context, enum datadir_mode mode,
                                struct error *error)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    enum status status = datadir_open(context->data_path, mode, &context->datadir_memory, error);
    for (int tries = 0; mode == DATADIR_WRITE_BOOK && status == STATUS_LOCKED && tries < 50;
         tries++) {
        (void)nanosleep(&pause, NULL);
        status = datadir_open(context->data_path, mode, &context->datadir_memory, error);
    }
    return status;
}

enum status context_open(struct context *context, enum datadir_mode mode, struct error *error)
{
    assert(!context->datadir && !context->book);
    enum status status = open_datadir(context, mode, error);
    if (status != STATUS_OK)
        return status;
    context->datadir = &context->datadir_memory;
    return book_open(context->datadir, mode == DATADIR_READ ? STORE_READ : STORE_WRITE,
                     &context->book, error);
}

const char *context_option(const struct context *context, const char *name)
{
    return arguments_value(&context->arguments, name);
}

bool context_flag(const struct context *context, const char *name)
{
    return arguments_given(&context->arguments, name);
}

struct instant context_now(const struct context *context)
{
    return context->clock->now(context->clock);
}

enum status context_period(const struct context *context, const struct zone *zone,
                           struct period *ret, struct error *error)
{
    const char *text = context_option(context, "period");
    if (text) {
        if (period_parse(slice_string(text), ret) != STATUS_OK)
            return error_set(error, STATUS_USAGE,
                             "option --period: \"%s\" is no month; write it as 2026-10", text);
        return STATUS_OK;
    }
    if (zone) {
        *ret = period_of(zone, context_now(context));
        return STATUS_OK;
    }
    struct civil civil = civil_from_seconds(context_now(context).seconds);
    ret->index = civil.year * 12 + civil.month - 1;
    return STATUS_OK;
}

enum status context_number(const struct context *context, const char *name, uint64_t least,
                           uint64_t most, uint64_t *ret, struct error *error)
{
    int128 number;
    const char *text = context_option(context, name);
    if (decimal_parse(slice_string(text), 0, false, &number, NULL) != STATUS_OK ||
        number < (int128)least || number > (int128)most)
        return error_set(error, STATUS_USAGE,
                         "option --%s: \"%s\" is not a number from %llu to %llu", name, text,
                         (unsigned long long)least, (unsigned long long)most);
    *ret = (uint64_t)number;
    return STATUS_OK;
}

uint32_t context_processors(void)
{
    cpu_set_t allowed;
    int count = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return count < 1 ? 1 : (uint32_t)count;
}
