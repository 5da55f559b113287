#include "adapters/export.h"

#include <string.h>

static const struct export_class *const exports[] = {&export_csv, &export_jsonl};

const struct export_class *export_find(const char *name)
{
    for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++)
        if (strcmp(exports[i]->name, name) == 0)
            return exports[i];
    return NULL;
}
