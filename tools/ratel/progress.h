/* A progress bar on a terminal's standard error: bytes done of the total, rate, time left. Redrawn
 * at most ten times a second and wiped at the end, so that it leaves no trace in what is kept. */
#ifndef RATEL_TOOLS_PROGRESS_H
#define RATEL_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *err;
    bool enabled;
    const char *label;        /* "ingest" */
    uint64_t total_bytes;     /* 0: unknown, for example a pipe */
    uint64_t (*now_ms)(void); /* monotonic; tests replace it after progress_begin */
    uint64_t begun_ms;
    uint64_t drawn_ms;
    bool drawn;
};

/* `label` must outlive the bar. Does nothing from here to the end unless `enabled`. */
void progress_begin(struct progress *progress, FILE *err, bool enabled, const char *label,
                    uint64_t total_bytes);
/* Thread: the one that began it. Cost: reading a clock. */
void progress_at(struct progress *progress, uint64_t done_bytes);
void progress_end(struct progress *progress);

/* The line as it is drawn in `columns` characters: "ingest  [=====>    ]  52%  1.2 GB of 2.3 GB 310
 * MB/s  0:04 left". Returns its length. */
size_t progress_line(const struct progress *progress, uint64_t done_bytes, uint64_t elapsed_ms,
                     unsigned columns, char *buffer, size_t size);

#endif
