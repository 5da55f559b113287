#include "adapters/decode_lone.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Layouts that were learnt are not tried close to the end of a window. */
#define BEHIND_BYTES 512

static const struct decoder_class *class_of(enum record_form form)
{
    static const struct decoder_class *const classes[] = {
        [RECORD_FORM_JSON] = &decoder_json,
        [RECORD_FORM_XML] = &decoder_xml,
        [RECORD_FORM_CSV] = &decoder_csv,
        [RECORD_FORM_MSGPACK] = &decoder_msgpack,
    };
    return classes[form];
}

/* NULL where there is none. */
static const struct fast_class *fast_class_of(enum record_form form)
{
    return form == RECORD_FORM_JSON      ? &fast_json_whole
           : form == RECORD_FORM_MSGPACK ? &fast_msgpack_whole
                                         : NULL;
}

void lone_init(struct lone *lone)
{
    *lone = (struct lone){0};
}

void lone_fini(struct lone *lone)
{
    for (int form = RECORD_FORM_JSON; form <= RECORD_FORM_MSGPACK; form++)
        if (lone->decoders[form])
            class_of((enum record_form)form)->close(lone->decoders[form]);
    if (lone->fast[RECORD_FORM_JSON])
        fast_json_whole.close(lone->fast[RECORD_FORM_JSON]);
    if (lone->fast[RECORD_FORM_MSGPACK])
        fast_msgpack_whole.close(lone->fast[RECORD_FORM_MSGPACK]);
    free(lone->flat);
    free(lone->block);
    free(lone->copy);
    lone_init(lone);
}

static enum status reserve(struct lone *lone, enum record_form form)
{
    const struct fast_class *fast = fast_class_of(form);
    if (!lone->block)
        lone->block = malloc(sizeof(*lone->block));
    if (!lone->flat)
        lone->flat = malloc(sizeof(*lone->flat));
    if (!lone->block || !lone->flat)
        return STATUS_NO_MEMORY;
    return fast && !lone->fast[form] ? fast->open(&lone->fast[form]) : STATUS_OK;
}

/* The record with zeros behind it, where the fast decoder of JSON looks further and the reference
 * decoders write. */
static enum status copy(struct lone *lone, struct slice raw)
{
    size_t bytes = raw.length + BEHIND_BYTES + DECODER_PADDING;
    if (bytes > lone->copy_capacity) {
        free(lone->copy);
        lone->copy_capacity = 2 * bytes;
        lone->copy = malloc(lone->copy_capacity);
        if (!lone->copy)
            lone->copy_capacity = 0;
    }
    if (!lone->copy)
        return STATUS_NO_MEMORY;
    memcpy(lone->copy, raw.data, raw.length);
    memset(lone->copy + raw.length, 0, BEHIND_BYTES + DECODER_PADDING);
    return STATUS_OK;
}

/* `window`: what the fast decoder was given, the record and what is behind it. */
static void take_flat(struct lone *lone, enum record_form form, struct slice raw,
                      struct slice window)
{
    const struct flat_record *flat = &lone->flat->records[0];
    struct record *record = &lone->block->records[0];
    *record = (struct record){.state = RECORD_DECODED, .form = (uint8_t)form, .raw = raw};
    for (uint64_t left = flat->present; left; left &= left - 1) {
        unsigned field = (unsigned)__builtin_ctzll(left);
        const struct flat_value *value = &flat->fields[field];
        const char *data = value->offset < window.length
                               ? window.data + value->offset
                               : lone->flat->digits + (value->offset - window.length);
        record->fields[field] = (struct field_value){data, value->length, value->kind};
    }
    lone->block->count = 1;
    lone->block->attribute_count = 0;
}

enum status lone_decode_slowly(struct lone *lone, enum record_form form, struct slice raw,
                               const struct record_block **ret)
{
    const struct decoder_class *class = class_of(form);
    enum status status = reserve(lone, form);
    if (status == STATUS_OK && !lone->decoders[form])
        status = class->open(&lone->decoders[form]);
    if (status != STATUS_OK)
        return status;
    status = copy(lone, raw);
    if (status != STATUS_OK)
        return status;
    size_t used = 0;
    status =
        class->decode(lone->decoders[form], lone->copy, raw.length, 0, true, lone->block, &used);
    *ret = lone->block;
    return status;
}

enum status lone_decode(struct lone *lone, enum record_form form, struct slice raw,
                        const struct record_block **ret)
{
    enum status status = reserve(lone, form);
    if (status != STATUS_OK)
        return status;
    const struct fast_class *fast = fast_class_of(form);
    struct slice window = raw;
    size_t used = 0;
    enum fast_stop stop;
    if (form == RECORD_FORM_JSON) {
        status = copy(lone, raw);
        window = slice_of(lone->copy, raw.length + BEHIND_BYTES);
    }
    if (status != STATUS_OK)
        return status;
    if (fast) {
        fast->decode(lone->fast[form], window.data, window.length, 0, true, lone->flat, &used,
                     &stop);
        /* Plain events keep attributes, which flat records have no place for: none is plain. */
        if (lone->flat->count == 1 && used == raw.length && lone->flat->records[0].present) {
            assert(lone->flat->records[0].present & FLAT_FIELD(USAGETYPE));
            take_flat(lone, form, raw, window);
            *ret = lone->block;
            return STATUS_OK;
        }
    }
    return lone_decode_slowly(lone, form, raw, ret);
}
