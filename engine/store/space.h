/* What becomes of a write that finds the disk full: its owner may have it tried again. */
#ifndef RATEL_STORE_SPACE_H
#define RATEL_STORE_SPACE_H

#include <stdbool.h>

#include "base/status.h"

struct space {
    void *context;
    /* Called where there was no room, with what and where. Waits a while; true: try again. false:
     * give up, and NO_SPACE is returned. Thread: the writer's. */
    bool (*wait)(void *context, const struct error *error);
};

#endif
