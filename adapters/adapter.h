/* The contract between adapters and the rest: sources give bytes, decoders turn bytes into blocks
 * of records, sinks take messages. Adapters see this header and base/, nothing else of the engine.
 *
 * One adapter is one .c file that ends in one const descriptor; its row in adapters/CMakeLists.txt
 * is the only other edit. */
#ifndef RATEL_ADAPTERS_ADAPTER_H
#define RATEL_ADAPTERS_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"
#include "base/slice.h"
#include "base/status.h"

/* ---- decoders
 * ----------------------------------------------------------------------------------------------------
 */

/* An answer of CloudStack that is an error, not usage: reported as such, never counted as a record.
 */
struct envelope_error {
    bool seen;
    int32_t errorcode; /* HTTP-like: 401, 431, 530; 0: the stream itself is cut, or answers another
                          command: `text` says so */
    int32_t cserrorcode; /* 0 when absent */
    uint64_t offset;
    uint32_t line;
    char text[256];
};

struct decoder;

/* A decoder is fed windows of the stream and keeps what it must remember between them (nesting, CSV
 * header, line count).
 *
 * decode(): reads from `window` (the bytes at stream offset `offset`), fills `block` from its start
 * (count reset to 0 first) until the block is full or the window holds no further whole record, and
 * sets *ret_used to the bytes it is done with. The caller moves the rest to the front, appends more
 * input and calls again; a window that is full (RECORD_BYTES_MAX + slack) without a whole record
 * makes the decoder give it up as one bad record. `last` says that no input follows: what is left
 * is then decoded or given up as bad (a truncated record is a record: it is counted and
 * quarantined). Slices in the block stay valid until the next call. The decoder may write into the
 * window (unescape in place) and may read, not use, DECODER_PADDING bytes past its end. A bad
 * record never spoils its neighbours. Errors: NO_MEMORY only; everything wrong with the input is a
 * record in state RECORD_BAD or an envelope_error. */
#define DECODER_PADDING 64

struct decoder_class {
    const char *name;    /* "json", "xml", "csv", "msgpack" */
    const char *summary; /* for --help */
    enum record_form form;
    /* A score 0..100 of how much the first bytes look like this form; the best decoder wins. */
    int (*sniff)(struct slice head);
    MUST_USE enum status (*open)(struct decoder **ret);
    MUST_USE enum status (*decode)(struct decoder *decoder, char *window, size_t length,
                                   uint64_t offset, bool last, struct record_block *block,
                                   size_t *ret_used);
    /* For the form's fast decoder (fast.h); NULL where there is none. between(): the decoder stands
     * between two records at the top level or in lists of them, and as many records as a flat block
     * holds may follow, so the fast decoder may take over. skip(): it did, and went over the
     * `length` bytes of `skipped`, in which there were `records` (at most FLAT_RECORDS). */
    bool (*between)(const struct decoder *decoder);
    void (*skip)(struct decoder *decoder, const char *skipped, size_t length, uint32_t records);
    /* It stands at the top level between two records, where a fresh decoder would go on as well.
     * NULL where nobody needs it. */
    bool (*at_top)(const struct decoder *decoder);
    /* Nobody wants line numbers of it: what skip() goes over need not be looked at. */
    void (*without_lines)(struct decoder *decoder);
    /* The error envelope met since the last call, if any (several in a stream: the newest). */
    void (*envelope)(struct decoder *decoder, struct envelope_error *ret);
    /* A lone raw record, as quarantine keeps them, is fed to a fresh decoder with `last` true. */
    void (*close)(struct decoder *decoder);
};

extern const struct decoder_class decoder_json;
extern const struct decoder_class decoder_xml;
extern const struct decoder_class decoder_csv;
extern const struct decoder_class decoder_msgpack;

/* By name ("json"; "cloudstack" is not a decoder but the choice between JSON and XML), or NULL. */
const struct decoder_class *decoder_find(const char *name);
/* The best match for the first bytes of a stream, never NULL: with nothing to go by it is JSON,
 * whose errors explain most. `cloudstack_only` limits the choice to JSON and XML. */
const struct decoder_class *decoder_sniff(struct slice head, bool cloudstack_only);

/* ---- byte sources: files and stdin, gzip and zstd opened transparently
 * -------------------------------------------- */

struct input;

/* Opens a file, or stdin for "-". The compression is found by its magic; several gzip members or
 * zstd frames in a row are one stream. Errors: NOT_FOUND, PERMISSION, IO, NO_MEMORY, CORRUPT
 * (compressed in a way that is not read), with the path and a remedy in `error`. */
MUST_USE enum status input_open(const char *path, struct input **ret, struct error *error);
/* Reads up to `capacity` bytes of the decompressed stream; *ret_length 0 is the end.
 * Errors: IO, CORRUPT (compressed data damaged or cut; the bytes before that were given). */
MUST_USE enum status input_read(struct input *input, char *buffer, size_t capacity,
                                size_t *ret_length, struct error *error);
/* Whether input_read would give something, or say that nothing comes, without waiting; looks for at
 * most so long. Files always would. */
bool input_wait(const struct input *input, int timeout_ms);
/* The whole of a plain file as private memory, DECODER_PADDING bytes behind it included, when
 * nothing was read of it yet; NULL where that cannot be (a pipe, compressed, empty). The file must
 * not be cut meanwhile. Owner: caller, input_unmap, also after input_close. */
char *input_map(struct input *input, size_t *ret_length);
void input_unmap(char *map, size_t length);
void input_close(struct input *input);
/* For progress: bytes read of the file as it lies on disk, and its size (0 when unknown, as for
 * pipes). */
uint64_t input_position(const struct input *input);
uint64_t input_size(const struct input *input);

#endif
