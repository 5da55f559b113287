#include "ratel/report.h"

#include <string.h>

#include "ratel/output.h"

void report_error(FILE *err, const struct error *error)
{
    char line[sizeof(error->file) + sizeof(error->text) + 64];
    error_format(error, line, sizeof(line));
    fputs("ratel: ", err);
    print_clean(err, slice_string(line[0] ? line : status_text(error->status)));
    putc('\n', err);
}

static void print_place(FILE *err, const struct problem *problem)
{
    if (problem->line == 0 && slice_is(problem->file, "book")) {
        fputs("loaded before: ", err);
        return;
    }
    print_clean(err, problem->file);
    if (problem->line)
        fprintf(err, ":%u:%u", problem->line, problem->column);
    fputs(": ", err);
}

void report_problems(FILE *err, struct problems *problems)
{
    problems_sort(problems);
    for (uint32_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        print_place(err, problem);
        print_clean(err, problem->text);
        putc('\n', err);
    }
    if (problems->dropped > 0)
        fprintf(err, "ratel: %u more problems are not shown\n", problems->dropped);
}
