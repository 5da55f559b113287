/* Feeding lone raw records, as quarantine keeps them, to the engine. Files go through the pipeline:
 * intake.h. */
#ifndef RATEL_TOOLS_READING_H
#define RATEL_TOOLS_READING_H

#include "adapters/adapter.h"
#include "engine/ingest.h"

/* Decodes the record and hands what is in it to `ingest`, uncommitted. Errors: CORRUPT (an unknown
 * form), NO_MEMORY, and those of ingest_block. */
MUST_USE enum status reading_raw(struct ingest *ingest, enum record_form form, struct slice file,
                                 struct slice raw, struct error *error);

#endif
