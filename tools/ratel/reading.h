/* Reading usage from files: open, decompress, find the form, decode, feed the engine, commit. */
#ifndef RATEL_TOOLS_READING_H
#define RATEL_TOOLS_READING_H

#include "adapters/adapter.h"
#include "engine/ingest.h"
#include "ratel/progress.h"

struct reading {
    struct ingest *ingest;
    const char *format; /* "auto", "cloudstack", "json", "csv", "msgpack", "xml" */
    struct progress *progress;
    uint64_t progress_base; /* bytes of the files before this one */
    FILE *err;
    uint32_t error_envelopes; /* answers of CloudStack that were errors, told on `err` */
};

/* Feeds one file ("-" is stdin) to its end. Records before an error are committed. Errors: as
 * input_open, input_read, ingest_block. */
MUST_USE enum status reading_file(struct reading *reading, const char *path, struct error *error);
/* Feeds one lone raw record, as quarantine keeps them. */
MUST_USE enum status reading_raw(struct reading *reading, enum record_form form, struct slice file,
                                 struct slice raw, struct error *error);

#endif
