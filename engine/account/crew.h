/* Work on every shard at once, where they are independent of each other: opening, checkpoints,
 * rating anew. */
#ifndef RATEL_ACCOUNT_CREW_H
#define RATEL_ACCOUNT_CREW_H

#include <stdint.h>

#include "base/status.h"

typedef enum status crew_work(void *context, uint32_t number, struct error *error);

/* Calls `work` for 0 to count - 1, at the same time on as many processors as there are; the calling
 * thread is one of those that work. All are called, whatever becomes of the others. What is
 * returned and told is the trouble of the lowest number, *ret_number. Errors: the work's;
 * NO_MEMORY. */
MUST_USE enum status crew_run(uint32_t count, crew_work *work, void *context, uint32_t *ret_number,
                              struct error *error);

#endif
