/* The command line. */
#ifndef GEN_OPTIONS_H
#define GEN_OPTIONS_H

#include "gen/output.h"
#include "gen/schedule.h"

#define CURRENCIES_MAX 16

enum option_action { ACTION_RUN, ACTION_HELP, ACTION_VERSION };

struct options {
    struct cloud_options cloud;
    struct form_options form;
    struct noise noise;
    enum row_order order;
    enum compression compression;
    enum option_action action;
    struct civil_date first_day;
    uint32_t days;
    uint32_t range_minutes;
    uint32_t page_size; /* 0: one page */
    const char *timezone;
    const char *server_timezone;
    const char *out;
    const char *split_folder; /* instead of `out` */
    const char *truth;
    const char *accounts_doc;
    const char *catalogue;
    const char *country;
    char currencies[CURRENCIES_MAX][4];
    unsigned currency_count;
    bool stats;
};

/* Lifetime: the texts in *ret_options point into `arguments`. Errors: GEN_EXIT_USAGE, one line. */
bool GEN_MUST_USE options_parse(int argument_count, char **arguments, struct options *ret_options,
                                struct failure *failure);
/* "json", "xml" ... as --form takes them. */
const char *form_name(enum form form);

/* help.c */
extern const char help_text[];

#endif
