/* Takes every message and forgets it: for tests, for measuring, and as the smallest sink to copy.
 */
#include "adapters/sink.h"

#include <stdlib.h>

struct sink {
    uint64_t taken;
};

static enum status null_open(const struct adapter_setting *settings, uint32_t count,
                             struct sink **ret, struct error *error)
{
    (void)settings;
    (void)count;
    struct sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    *ret = sink;
    return STATUS_OK;
}

static enum status null_write(struct sink *sink, const struct sink_message *messages,
                              uint32_t count, uint32_t *ret_done, struct error *error)
{
    (void)messages;
    (void)error;
    sink->taken += count;
    *ret_done = count;
    return STATUS_OK;
}

static void null_close(struct sink *sink)
{
    free(sink);
}

static const struct adapter_option null_options[] = {{.name = NULL}};

const struct sink_class sink_null = {
    .name = "null",
    .summary = "take messages and forget them",
    .options = null_options,
    .open = null_open,
    .write = null_write,
    .close = null_close,
};
