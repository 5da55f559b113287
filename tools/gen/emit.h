/* Writes the rows of a schedule in a form, to one output or to one file per turn. */
#ifndef GEN_EMIT_H
#define GEN_EMIT_H

#include "gen/options.h"

struct emit_counts {
    uint64_t rows[ROW_KIND_COUNT];
    uint64_t late;  /* of the originals */
    uint64_t bytes; /* before compression */
};

/* Thread: renders every series once, then only fills in windows and quantities; one core. */
bool GEN_MUST_USE emit_run(const struct cloud *cloud, const struct options *options,
                           struct emit_counts *ret_counts, struct failure *failure);

#endif
