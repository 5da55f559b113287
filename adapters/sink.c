#include "adapters/sink.h"

#include <string.h>

static const struct sink_class *const sinks[] = {&sink_null, &sink_file};

const struct sink_class *sink_find(const char *name)
{
    for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++)
        if (strcmp(sinks[i]->name, name) == 0)
            return sinks[i];
    return NULL;
}

enum status sink_open(const struct sink_class *class, const struct adapter_setting *settings,
                      uint32_t count, struct sink **ret, struct error *error)
{
    enum status status = settings_check(class->name, class->options, settings, count, error);
    return status == STATUS_OK ? class->open(settings, count, ret, error) : status;
}
