/* Files as the pipeline's input: opens them one after the other, finds their form, cuts windows and
 * decodes them, fast where there is a fast decoder. */
#ifndef RATEL_TOOLS_INTAKE_H
#define RATEL_TOOLS_INTAKE_H

#include <stdatomic.h>

#include "adapters/adapter.h"
#include "adapters/decode_mixed.h"
#include "pipeline/pipeline.h"
#include "ratel/progress.h"

struct intake_reader;

struct intake {
    const char *const *paths; /* "-" is standard input */
    uint32_t path_count;
    const char *format;        /* "auto", "cloudstack", "json", "csv", "msgpack", "xml" */
    const char *stream;        /* what standard input is called; NULL: "<stdin>" */
    uint64_t stream_offset;    /* of its first byte in the stream */
    struct progress *progress; /* may be NULL */
    FILE *err;
    /* results */
    _Atomic uint32_t error_envelopes; /* answers of CloudStack that were errors, told on `err` */
    uint32_t failed_files;            /* told on `err`; what could be read of them was */
    enum status first_failure;

    /* own: of the file that is open, used by the lane whose turn it is */
    uint32_t next_path;
    struct input *input;
    struct slice file;
    const struct decoder_class *class;
    const struct fast_class *fast;
    bool cuts;        /* windows may be cut so that they are decoded at once */
    bool ended;       /* the input has given all it has */
    struct mixed one; /* decodes windows that follow one on another */
    bool one_open;
    struct fast_decoder *cutter; /* of msgpack, for all files; NULL: none was met */
    struct flat_block *cutter_room;
    char *carry; /* the beginning of the next window */
    size_t carry_length;
    uint64_t offset;                     /* of the carry in the stream */
    uint64_t position;                   /* where a source may go on */
    uint64_t lines;                      /* before it, where windows are read and cut */
    uint64_t done_bytes;                 /* of the files before, for progress */
    char *windows[PIPELINE_WINDOWS_MAX]; /* memory of windows that are read */
    uint32_t window_count;
    /* A plain file is not read but mapped: windows are pieces of it. Other lanes and the shards
     * look at them after the file's end was reached, so maps stay. */
    char *map;
    size_t map_length;
    size_t populated; /* bytes of the map */
    char *done_map;   /* a map in which nobody looks ... */
    char *done_end;   /* ... at what lies before this any more, */
    char *done;       /* and of which so much was given back */
    size_t room;      /* bytes of the next window */
    struct intake_map {
        char *bytes;
        size_t length;
    } * maps;
    uint32_t map_count;
    struct intake_reader *readers;
    uint32_t reader_count;
};

/* `readers`: lanes + shards. Errors: NO_MEMORY. Owner: intake_fini, also after a failure. */
MUST_USE enum status intake_init(struct intake *intake, uint32_t readers);
void intake_fini(struct intake *intake);
struct pipeline_input intake_input(struct intake *intake);

#endif
