#include "ratel/reading.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Two whole records and more fit, so a window that is full always holds one. */
#define WINDOW_BYTES ((size_t)4 << 20)

struct stream {
    struct reading *reading;
    struct slice file;
    const struct decoder_class *class;
    struct decoder *decoder;
    char *window;
    size_t filled;
    uint64_t offset; /* of the window's first byte in the stream */
    struct record_block *block;
};

static enum status choose_decoder(struct stream *stream, const char *format, struct error *error)
{
    struct slice head = slice_of(stream->window, stream->filled < 65536 ? stream->filled : 65536);
    if (strcmp(format, "auto") == 0 || strcmp(format, "cloudstack") == 0)
        stream->class = decoder_sniff(head, strcmp(format, "cloudstack") == 0);
    else
        stream->class = decoder_find(format);
    if (!stream->class)
        return error_set(error, STATUS_USAGE, "there is no format %s", format);
    enum status status = stream->class->open(&stream->decoder);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, "out of memory");
}

static void tell_envelope(struct stream *stream)
{
    struct envelope_error envelope = {0};
    if (!stream->class->envelope)
        return;
    stream->class->envelope(stream->decoder, &envelope);
    if (!envelope.seen)
        return;
    stream->reading->error_envelopes++;
    struct error told;
    if (envelope.errorcode)
        error_set(&told, STATUS_INVALID,
                  "CloudStack answered with error %d, not with usage: %s; fetch this page again",
                  envelope.errorcode, envelope.text);
    else
        error_set(&told, STATUS_INVALID, "%s", envelope.text);
    char path[256], line[1024];
    snprintf(path, sizeof(path), "%.*s", (int)stream->file.length, stream->file.data);
    error_at(&told, path, envelope.line, 0);
    error_format(&told, line, sizeof(line));
    fprintf(stream->reading->err, "ratel: %s\n", line);
}

/* Decodes what the window holds; keeps the rest of a record that is cut at its end. */
static enum status drain(struct stream *stream, bool last, struct error *error)
{
    size_t at = 0;
    for (;;) {
        size_t used = 0;
        enum status status =
            stream->class->decode(stream->decoder, stream->window + at, stream->filled - at,
                                  stream->offset + at, last, stream->block, &used);
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
        assert(used <= stream->filled - at);
        at += used;
        tell_envelope(stream);
        status = ingest_block(stream->reading->ingest, stream->file, stream->block, error);
        if (status != STATUS_OK)
            return status;
        if (stream->block->count == 0 && (used == 0 || at == stream->filled))
            break;
    }
    memmove(stream->window, stream->window + at, stream->filled - at);
    stream->filled -= at;
    stream->offset += at;
    return STATUS_OK;
}

static enum status read_stream(struct stream *stream, struct input *input, struct error *error)
{
    enum status failure = STATUS_OK;
    for (bool last = false; !last;) {
        size_t length = 0;
        /* A damaged or cut input ends the stream: what came before it is whole and is kept. */
        failure = input_read(input, stream->window + stream->filled, WINDOW_BYTES - stream->filled,
                             &length, error);
        last = failure != STATUS_OK || length == 0;
        stream->filled += length;
        /* Enough to tell the form by, and enough for one decode call to be worth it. */
        if (!last && stream->filled < WINDOW_BYTES / 2 && !stream->decoder &&
            stream->filled < 65536)
            continue;
        enum status status =
            stream->decoder ? STATUS_OK : choose_decoder(stream, stream->reading->format, error);
        if (status == STATUS_OK)
            status = drain(stream, last, error);
        if (status != STATUS_OK)
            return status;
        progress_at(stream->reading->progress,
                    stream->reading->progress_base + input_position(input));
    }
    enum status status =
        ingest_commit(stream->reading->ingest, stream->offset, failure == STATUS_OK ? error : NULL);
    return failure != STATUS_OK ? failure : status;
}

static enum status stream_init(struct stream *stream, struct reading *reading, struct slice file,
                               struct error *error)
{
    *stream = (struct stream){.reading = reading, .file = file};
    stream->window = malloc(WINDOW_BYTES + DECODER_PADDING);
    stream->block = malloc(sizeof(*stream->block));
    if (!stream->window || !stream->block)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    memset(stream->window + WINDOW_BYTES, 0, DECODER_PADDING);
    return STATUS_OK;
}

static void stream_fini(struct stream *stream)
{
    if (stream->decoder)
        stream->class->close(stream->decoder);
    free(stream->window);
    free(stream->block);
}

enum status reading_file(struct reading *reading, const char *path, struct error *error)
{
    struct input *input;
    enum status status = input_open(path, &input, error);
    if (status != STATUS_OK)
        return status;
    struct stream stream;
    status = stream_init(&stream, reading, slice_string(strcmp(path, "-") == 0 ? "<stdin>" : path),
                         error);
    if (status == STATUS_OK)
        status = read_stream(&stream, input, error);
    stream_fini(&stream);
    input_close(input);
    return status;
}

static const struct decoder_class *class_of(enum record_form form)
{
    switch (form) {
    case RECORD_FORM_JSON:
        return &decoder_json;
    case RECORD_FORM_XML:
        return &decoder_xml;
    case RECORD_FORM_CSV:
        return &decoder_csv;
    case RECORD_FORM_MSGPACK:
        return &decoder_msgpack;
    }
    return NULL;
}

enum status reading_raw(struct reading *reading, enum record_form form, struct slice file,
                        struct slice raw, struct error *error)
{
    struct stream stream;
    enum status status = stream_init(&stream, reading, file, error);
    stream.class = class_of(form);
    if (status == STATUS_OK && (!stream.class || raw.length > WINDOW_BYTES))
        status = error_set(error, STATUS_CORRUPT, "a quarantined record has an unknown form");
    if (status == STATUS_OK && stream.class->open(&stream.decoder) != STATUS_OK)
        status = error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK) {
        memcpy(stream.window, raw.data, raw.length);
        stream.filled = raw.length;
        status = drain(&stream, true, error);
    }
    stream_fini(&stream);
    return status;
}
