/* Hands an immutable object, such as the price snapshot, from one publisher to many readers that
 * never wait: a reader asks for the current object at a block boundary and may use it until it asks
 * again or leaves. An object that was replaced is given back when no reader can hold it any more:
 * after each of those that stay inside has asked again, at most a few times. Built on Concurrency
 * Kit's ck_epoch; epoch.c is the only file that knows it.
 *
 *   reader                                              publisher
 *   while (block) {                                     epoch_publish(epoch, fresh);
 *       const struct snapshot *now = epoch_refresh(me);     ... and from time to time
 *       ...                                             epoch_reclaim(epoch);
 *   }
 *   epoch_leave(me); */
#ifndef RATEL_BASE_EPOCH_H
#define RATEL_BASE_EPOCH_H

#include <stdint.h>

#include "base/status.h"

#define EPOCH_READERS_MAX 256

struct epoch;
struct epoch_reader;

/* Gives an object back. Thread: the publisher's, in epoch_publish, epoch_reclaim or epoch_free. */
typedef void epoch_release(void *object, void *context);

/* `object` is the first one and may be NULL, as may all that follow. Objects are the caller's until
 * they are published, then the epoch's, which ends each with `release`. Errors: NO_MEMORY; the
 * object is still the caller's. */
MUST_USE enum status epoch_new(uint32_t readers, void *object, epoch_release *release,
                               void *context, struct epoch **ret_epoch);
/* Releases what is left. Thread: no reader is inside, and none comes. NULL is allowed. */
void epoch_free(struct epoch *epoch);

/* Each reading thread has one of the `readers` for itself. Lifetime: the epoch's. */
struct epoch_reader *epoch_reader_at(struct epoch *epoch, uint32_t index);

/* The current object, which stays whole until the reader's next epoch_refresh or epoch_leave.
 * Thread: the reader's. Cost: some 20 ns, no system call, never waits. */
void *epoch_refresh(struct epoch_reader *reader);
/* The reader holds nothing any more. To be called before it sleeps or ends, or what it holds keeps
 * every later object from being released. Thread: the reader's. */
void epoch_leave(struct epoch_reader *reader);

/* Makes `object` the current one; readers get it at their next epoch_refresh. Never waits for them.
 * Thread: one publisher at a time. Errors: NO_MEMORY; nothing is published then, and the object is
 * still the caller's. */
MUST_USE enum status epoch_publish(struct epoch *epoch, void *object);
/* Releases what no reader can hold any more, and returns how many replaced objects are still held.
 * Thread: the publisher. */
uint32_t epoch_reclaim(struct epoch *epoch);

#endif
