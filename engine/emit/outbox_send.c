#include <assert.h>
#include <stdlib.h>

#include "emit/outbox.h"

/* The body of a message on one line. */
static enum status render(const struct message *message, struct arena *arena, struct slice *ret,
                          struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    struct json json;
    json_init(&json, out, false);
    message_write(message, false, &json);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (!failed) {
        /* The writer ends a top-level value with a line end; what ends a message is the sink's
         * business. */
        assert(length > 0 && text[length - 1] == '\n');
        *ret = arena_copy(arena, slice_of(text, length - 1));
    }
    free(text);
    return failed ? error_set(error, STATUS_NO_MEMORY, "out of memory") : STATUS_OK;
}

struct sending {
    struct store *store;
    uint32_t table;
    struct outbox_target *target;
    struct instant now;
};

/* Marks the first `done` as sent, and after a failure counts an attempt of the next one. */
static enum status note(const struct sending *sending, const struct slice *ids, uint32_t done,
                        bool failed, struct error *error)
{
    enum status status = outbox_mark(sending->store, sending->table, ids, done, MESSAGE_SENT, true,
                                     sending->now, error);
    if (status == STATUS_OK && failed)
        status = outbox_mark(sending->store, sending->table, ids + done, 1, MESSAGE_PENDING, true,
                             sending->now, error);
    return status;
}

static enum status send_block(const struct sending *sending, const struct message *messages,
                              uint32_t count, uint32_t *ret_done, struct error *error)
{
    struct outbox_item items[OUTBOX_BLOCK_MESSAGES];
    struct slice ids[OUTBOX_BLOCK_MESSAGES];
    struct arena arena;
    enum status status = STATUS_OK;
    assert(count > 0 && count <= OUTBOX_BLOCK_MESSAGES);
    arena_init(&arena);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        items[i] =
            (struct outbox_item){messages[i].id, messages[i].kind, messages[i].account, {NULL, 0}};
        ids[i] = messages[i].id;
        status = render(&messages[i], &arena, &items[i].body, error);
    }
    if (status == STATUS_OK) {
        uint32_t done = 0;
        status = sending->target->write(sending->target, items, count, &done, error);
        assert(done <= count && (status != STATUS_OK || done == count));
        struct error noting = {0};
        enum status noted = note(sending, ids, done, status != STATUS_OK && done < count, &noting);
        if (noted == STATUS_OK)
            *ret_done = done;
        if (status == STATUS_OK && noted != STATUS_OK) {
            status = noted;
            if (error)
                *error = noting;
        }
    }
    arena_fini(&arena);
    return status;
}

enum status outbox_send(struct store *store, uint32_t table, struct outbox_target *target,
                        struct instant now, struct outbox_sent *ret, struct error *error)
{
    struct sending sending = {store, table, target, now};
    struct arena arena;
    struct message *messages = NULL;
    uint32_t count = 0, sent = 0;
    arena_init(&arena);
    enum status status =
        outbox_list(store, table, MESSAGE_PENDING, &arena, &messages, &count, error);
    while (status == STATUS_OK && sent < count) {
        uint32_t block =
            count - sent < OUTBOX_BLOCK_MESSAGES ? count - sent : OUTBOX_BLOCK_MESSAGES;
        uint32_t done = 0;
        status = send_block(&sending, messages + sent, block, &done, error);
        sent += done;
    }
    arena_fini(&arena);
    *ret = (struct outbox_sent){.sent = sent, .left = count - sent};
    return status;
}
