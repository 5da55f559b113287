#include "ratel/reading.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

/* `window` is writable and padded, as decoders want it. */
static enum status feed(struct ingest *ingest, const struct decoder_class *class,
                        struct decoder *decoder, struct slice file, char *window, size_t length,
                        struct record_block *block, struct error *error)
{
    for (size_t at = 0;;) {
        size_t used = 0;
        enum status status =
            class->decode(decoder, window + at, length - at, at, true, block, &used);
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
        assert(used <= length - at);
        at += used;
        status = ingest_block(ingest, file, block, error);
        if (status != STATUS_OK)
            return status;
        if (block->count == 0 && (used == 0 || at == length))
            return STATUS_OK;
    }
}

enum status reading_raw(struct ingest *ingest, enum record_form form, struct slice file,
                        struct slice raw, struct error *error)
{
    const struct decoder_class *class = class_of(form);
    if (!class)
        return error_set(error, STATUS_CORRUPT, "a quarantined record has an unknown form");
    struct decoder *decoder = NULL;
    struct record_block *block = malloc(sizeof(*block));
    char *window = calloc(1, raw.length + DECODER_PADDING);
    enum status status = STATUS_OK;
    if (!block || !window || class->open(&decoder) != STATUS_OK)
        status = error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK) {
        memcpy(window, raw.data, raw.length);
        status = feed(ingest, class, decoder, file, window, raw.length, block, error);
    }
    if (decoder)
        class->close(decoder);
    free(block);
    free(window);
    return status;
}
