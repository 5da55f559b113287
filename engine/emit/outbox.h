/* The outbox: messages that are owed to somebody outside. A message is stored in the transaction of
 * what caused it, or delivered again from the journal until it is stored; sinks take it from here.
 *
 * Invariants:
 * O-1 an id is put once; putting it again changes nothing, so producers may repeat themselves.
 * O-2 a message is marked sent only after a sink has said that it is safe there. A crash between the
 *     two sends it again: at least once, and the id lets the receiver tell.
 * O-3 messages stay after they were sent: their ids are what O-1 knows by.
 *
 * Messages live in a table of somebody's store, given by number: this folder does not know the book. */
#ifndef RATEL_EMIT_OUTBOX_H
#define RATEL_EMIT_OUTBOX_H

#include "base/arena.h"
#include "base/instant.h"
#include "base/json.h"
#include "store/store.h"

enum message_status { MESSAGE_PENDING, MESSAGE_SENT, MESSAGE_DROPPED, MESSAGE_STATUS_COUNT };

struct message {
    struct slice id;   /* the idempotency key, at most STORE_KEY_BYTES_MAX bytes */
    struct slice kind; /* "budget.threshold", "invoice.issued" */
    struct slice account;
    struct instant created;
    struct instant changed; /* of status or attempts */
    enum message_status status;
    uint32_t attempts;    /* deliveries tried, the good one too */
    struct slice payload; /* one JSON object, see payload.h */
};

const char *message_status_name(enum message_status status); /* "pending", ... Lifetime: static. */
/* False for another word. */
bool message_status_parse(struct slice text, enum message_status *ret);

/* Adds a pending message within a caller's transaction; one with a known id changes nothing.
 * `status`, `attempts` and `changed` are not looked at. `ret_new` may be NULL. */
MUST_USE enum status outbox_put(struct store_txn *txn, uint32_t table,
                                const struct message *message, bool *ret_new, struct error *error);
/* Errors: NOT_FOUND (error untouched). Owner: the arena. */
MUST_USE enum status outbox_get(struct store_txn *txn, uint32_t table, struct slice id,
                                struct arena *arena, struct message *ret, struct error *error);
/* Messages of one status, or of all (MESSAGE_STATUS_COUNT), by time of creation, then id.
 * Owner: the arena. */
MUST_USE enum status outbox_list(struct store *store, uint32_t table, enum message_status status,
                                 struct arena *arena, struct message **ret, uint32_t *ret_count,
                                 struct error *error);
/* Gives messages a status, all or none. `attempted` counts a delivery. Errors: NOT_FOUND, which
 * names the id. */
MUST_USE enum status outbox_mark(struct store *store, uint32_t table, const struct slice *ids,
                                 uint32_t count, enum message_status status, bool attempted,
                                 struct instant now, struct error *error);

/* The message as one JSON object: its own members, then the payload's. `state` adds status, attempts
 * and changed, which are ours and not the receiver's. */
void message_write(const struct message *message, bool state, struct json *json);

/* ---- sending (outbox_send.c) ----------------------------------------------------------------- */

#define OUTBOX_BLOCK_MESSAGES 256

struct outbox_item {
    struct slice id;
    struct slice kind;
    struct slice account;
    struct slice body; /* message_write without state, on one line, without the line end */
};

/* Where messages go. Sets *ret_done to how many of the first items are safe there, also on errors. */
struct outbox_target {
    enum status (*write)(struct outbox_target *target, const struct outbox_item *items,
                         uint32_t count, uint32_t *ret_done, struct error *error);
};

struct outbox_sent {
    uint32_t sent;
    uint32_t left; /* still pending after an error */
};

/* Sends what is pending, oldest first, in blocks. The first failure ends it: the message that failed
 * counts an attempt and stays pending. `ret` is filled on errors too. */
MUST_USE enum status outbox_send(struct store *store, uint32_t table, struct outbox_target *target,
                                 struct instant now, struct outbox_sent *ret, struct error *error);

#endif
