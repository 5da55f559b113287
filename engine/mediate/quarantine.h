/* Quarantine: the raw bytes of what could not be read or understood, with reason and position, kept
 * once however often it is sent.
 *
 * An append-only frame log (store/frames.h): entries, and marks that say that an entry was retried
 * or discarded. */
#ifndef RATEL_MEDIATE_QUARANTINE_H
#define RATEL_MEDIATE_QUARANTINE_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/instant.h"
#include "base/record.h"
#include "store/frames.h"

enum quarantine_state { QUARANTINE_OPEN = 0, QUARANTINE_RETRIED, QUARANTINE_DISCARDED };

struct quarantine_entry {
    uint64_t id;            /* frame sequence of the entry: what commands show and take */
    struct hash128 content; /* of source, form and raw bytes: two equal records are one entry */
    enum quarantine_state state;
    enum record_form form;
    struct instant at; /* when it was first seen */
    struct slice source;
    struct slice file;
    uint64_t offset;
    uint32_t line;
    struct slice reason;
    struct slice raw;
};

struct quarantine;

/* Loads the index. Errors: as frames_open. `writer` false opens for reading. Owner: caller,
 * quarantine_close. */
MUST_USE enum status quarantine_open(const char *directory, bool writer, struct quarantine **ret,
                                     struct error *error);
void quarantine_close(struct quarantine *quarantine);
/* Keeps a record; one that is there already (in any state but RETRIED) changes nothing. Not durable
 * until quarantine_sync. */
MUST_USE enum status quarantine_add(struct quarantine *quarantine,
                                    const struct quarantine_entry *entry, bool *ret_added,
                                    struct error *error);
MUST_USE enum status quarantine_mark(struct quarantine *quarantine, uint64_t id,
                                     enum quarantine_state state, struct error *error);
MUST_USE enum status quarantine_sync(struct quarantine *quarantine, struct error *error);
uint32_t quarantine_count(const struct quarantine *quarantine);
/* The entry at a position, in order of ids; raw bytes included. Lifetime: until quarantine_close.
 */
const struct quarantine_entry *quarantine_at(const struct quarantine *quarantine,
                                             uint32_t position);
const struct quarantine_entry *quarantine_find(const struct quarantine *quarantine, uint64_t id);

#endif
