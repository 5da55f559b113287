/* What a running verb is given: its arguments, the clock, where to write, and the data directory
 * once it asks for it. */
#ifndef RATEL_TOOLS_CONTEXT_H
#define RATEL_TOOLS_CONTEXT_H

#include <stdio.h>

#include "base/arena.h"
#include "base/calendar.h"
#include "base/instant.h"
#include "base/status.h"
#include "engine/book.h"
#include "ratel/options.h"
#include "ratel/output.h"
#include "store/datadir.h"

struct context {
    struct arguments arguments;
    const char *data_path; /* --data, RATEL_DATA or ./ratel-data */
    bool data_chosen;      /* by --data or RATEL_DATA, not the default */
    enum output_format output;
    struct clock *clock; /* --now, RATEL_NOW or the real one */
    struct clock_fixed clock_fixed;
    bool progress; /* draw one on `err`: a terminal, and nobody forbade it */
    bool colour;   /* `out` is a terminal that shows bold */
    FILE *out;
    FILE *err;
    bool reported;    /* the verb has told what is wrong itself: the frame prints no more, only ends
                      with the status's code */
    bool handed_over; /* by after_load, to the ingest that runs as process `handed_to` */
    uint64_t handed_to;
    struct { /* by after_load, when other prices took effect: what was counted again, and how long
                it took: the pass over the journals; that, opening and the checkpoint */
        uint64_t events;
        int64_t pass_ns, durable_ns;
    } rerated;
    struct arena arena; /* lives as long as the command */

    /* Open between context_open and the end of the command; NULL before. */
    struct datadir *datadir;
    struct book *book;
    struct datadir datadir_memory;
};

/* Owner: caller, context_fini. */
void context_init(struct context *context, FILE *out, FILE *err);
/* Takes parsed arguments and the environment. Errors: USAGE. */
MUST_USE enum status context_arguments(struct context *context, struct arguments arguments,
                                       struct error *error);
void context_fini(struct context *context);
/* What context_open opened, also where it failed half-way; it may be opened again. */
void context_close(struct context *context);

/* Opens the data directory and the book. The locks of `mode` are held to the end of the command.
 * Errors: NOT_FOUND (no data directory), LOCKED, PERMISSION and the like, with a text. */
MUST_USE enum status context_open(struct context *context, enum datadir_mode mode,
                                  struct error *error);

/* An option's value, as arguments_value. */
const char *context_option(const struct context *context, const char *name);
/* The whole number that an option gives. Errors: USAGE, outside of [least, most] or no number. */
MUST_USE enum status context_number(const struct context *context, const char *name, uint64_t least,
                                    uint64_t most, uint64_t *ret, struct error *error);
/* Processors that this process may run on, at least 1. */
uint32_t context_processors(void);
bool context_flag(const struct context *context, const char *name);
struct instant context_now(const struct context *context);
/* --period YYYY-MM; without it the period of the present in `zone` (NULL: UTC). Errors: USAGE. */
MUST_USE enum status context_period(const struct context *context, const struct zone *zone,
                                    struct period *ret, struct error *error);

/* Called after new documents are stored, with LOCK.book held. What waits in suspense may now have a
 * price: the ledgers are brought under the new documents, unless an ingest runs, which does so
 * itself; after_load_show tells that on standard error. */
MUST_USE enum status after_load(struct context *context, struct error *error);
void after_load_show(struct context *context);

#endif
