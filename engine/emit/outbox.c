#include "emit/outbox.h"

#include <assert.h>
#include <stdlib.h>

#include "base/pack.h"
#include "emit/payload.h"

#define MESSAGE_FORMAT 1

static const char *const status_names[MESSAGE_STATUS_COUNT] = {"pending", "sent", "dropped"};

const char *message_status_name(enum message_status status)
{
    assert((unsigned)status < MESSAGE_STATUS_COUNT);
    return status_names[status];
}

bool message_status_parse(struct slice text, enum message_status *ret)
{
    for (int i = 0; i < MESSAGE_STATUS_COUNT; i++) {
        if (slice_is(text, status_names[i])) {
            *ret = (enum message_status)i;
            return true;
        }
    }
    return false;
}

static enum status pack_message(const struct message *message, struct packer *packer,
                                struct error *error)
{
    assert(payload_valid(message->payload));
    assert((unsigned)message->status < MESSAGE_STATUS_COUNT);
    pack_u8(packer, MESSAGE_FORMAT);
    pack_slice(packer, message->kind);
    pack_slice(packer, message->account);
    pack_u64(packer, (uint64_t)message->created.seconds);
    pack_u64(packer, (uint64_t)message->changed.seconds);
    pack_u8(packer, (uint8_t)message->status);
    pack_u32(packer, message->attempts);
    pack_slice(packer, message->payload);
    return packer->failed ? error_set(error, STATUS_NO_MEMORY, "out of memory") : STATUS_OK;
}

/* Slices borrow from key and value. */
static enum status unpack_message(struct slice key, struct slice value, struct message *ret,
                                  struct error *error)
{
    struct unpacker in;
    unpack_init(&in, value);
    uint8_t format = unpack_u8(&in);
    struct message message = {.id = key};
    message.kind = unpack_slice(&in);
    message.account = unpack_slice(&in);
    message.created.seconds = (int64_t)unpack_u64(&in);
    message.changed.seconds = (int64_t)unpack_u64(&in);
    uint8_t status = unpack_u8(&in);
    message.attempts = unpack_u32(&in);
    message.payload = unpack_slice(&in);
    if (value.length && format != MESSAGE_FORMAT)
        return error_set(error, STATUS_VERSION,
                         "outbox message %.*s has format %u, this program reads %u",
                         (int)key.length, key.data, format, MESSAGE_FORMAT);
    if (in.failed || !unpack_at_end(&in) || status >= MESSAGE_STATUS_COUNT ||
        !payload_valid(message.payload))
        return error_set(error, STATUS_CORRUPT, "outbox message %.*s cannot be read",
                         (int)key.length, key.data);
    message.status = (enum message_status)status;
    *ret = message;
    return STATUS_OK;
}

static struct message keep(const struct message *message, struct arena *arena)
{
    struct message kept = *message;
    kept.id = arena_copy(arena, message->id);
    kept.kind = arena_copy(arena, message->kind);
    kept.account = arena_copy(arena, message->account);
    kept.payload = arena_copy(arena, message->payload);
    return kept;
}

enum status outbox_put(struct store_txn *txn, uint32_t table, const struct message *message,
                       bool *ret_new, struct error *error)
{
    assert(message->id.length > 0 && message->id.length <= STORE_KEY_BYTES_MAX);
    struct message fresh = *message;
    fresh.status = MESSAGE_PENDING;
    fresh.attempts = 0;
    fresh.changed = message->created;
    struct packer packer;
    pack_init(&packer);
    enum status status = pack_message(&fresh, &packer, error);
    if (status == STATUS_OK)
        status = store_put_new(txn, table, message->id, pack_done(&packer), error);
    pack_fini(&packer);
    if (status != STATUS_OK && status != STATUS_EXISTS)
        return status;
    if (ret_new)
        *ret_new = status == STATUS_OK;
    return STATUS_OK; /* O-1 */
}

enum status outbox_get(struct store_txn *txn, uint32_t table, struct slice id, struct arena *arena,
                       struct message *ret, struct error *error)
{
    struct slice value;
    struct message message;
    if (id.length == 0 || id.length > STORE_KEY_BYTES_MAX)
        return STATUS_NOT_FOUND;
    enum status status = store_get(txn, table, id, &value, error);
    if (status == STATUS_OK)
        status = unpack_message(id, value, &message, error);
    if (status == STATUS_OK)
        *ret = keep(&message, arena);
    return status;
}

struct listing {
    struct arena *arena;
    enum message_status status;
    struct message *items;
    uint32_t count;
    uint32_t capacity;
};

static enum status list_one(struct slice key, struct slice value, void *context,
                            struct error *error)
{
    struct listing *listing = context;
    struct message message;
    enum status status = unpack_message(key, value, &message, error);
    if (status != STATUS_OK)
        return status;
    if (listing->status != MESSAGE_STATUS_COUNT && message.status != listing->status)
        return STATUS_OK;
    if (listing->count == listing->capacity) {
        uint32_t capacity = listing->capacity ? listing->capacity * 2 : 64;
        struct message *items = arena_alloc(listing->arena, capacity * sizeof(*items));
        if (listing->count)
            memcpy(items, listing->items, listing->count * sizeof(*items));
        listing->items = items;
        listing->capacity = capacity;
    }
    listing->items[listing->count++] = keep(&message, listing->arena);
    return STATUS_OK;
}

static int compare_messages(const void *left, const void *right)
{
    const struct message *a = left, *b = right;
    if (a->created.seconds != b->created.seconds)
        return a->created.seconds < b->created.seconds ? -1 : 1;
    return slice_compare(a->id, b->id);
}

enum status outbox_list(struct store *store, uint32_t table, enum message_status status,
                        struct arena *arena, struct message **ret, uint32_t *ret_count,
                        struct error *error)
{
    struct listing listing = {.arena = arena, .status = status};
    struct store_txn *txn;
    enum status result = store_read(store, &txn, error);
    if (result != STATUS_OK)
        return result;
    result = store_walk(txn, table, (struct slice){NULL, 0}, list_one, &listing, error);
    store_end(txn);
    if (result != STATUS_OK)
        return result;
    if (listing.count)
        qsort(listing.items, listing.count, sizeof(*listing.items), compare_messages);
    *ret = listing.items;
    *ret_count = listing.count;
    return STATUS_OK;
}

struct marking {
    uint32_t table;
    const struct slice *ids;
    uint32_t count;
    enum message_status status;
    bool attempted;
    struct instant now;
};

static enum status mark_one(struct store_txn *txn, const struct marking *marking, struct slice id,
                            struct packer *packer, struct arena *arena, struct error *error)
{
    struct message message;
    enum status status = outbox_get(txn, marking->table, id, arena, &message, error);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "no message %.*s: see `ratel outbox list`", (int)id.length,
                         id.data);
    if (status != STATUS_OK)
        return status;
    message.status = marking->status;
    message.changed = marking->now;
    message.attempts += marking->attempted && message.attempts < UINT32_MAX;
    pack_reset(packer);
    status = pack_message(&message, packer, error);
    return status == STATUS_OK ? store_put(txn, marking->table, id, pack_done(packer), error)
                               : status;
}

static enum status mark_change(struct store_txn *txn, void *context, struct error *error)
{
    const struct marking *marking = context;
    struct packer packer;
    struct arena arena;
    enum status status = STATUS_OK;
    pack_init(&packer);
    arena_init(&arena);
    for (uint32_t i = 0; i < marking->count && status == STATUS_OK; i++)
        status = mark_one(txn, marking, marking->ids[i], &packer, &arena, error);
    arena_fini(&arena);
    pack_fini(&packer);
    return status;
}

enum status outbox_mark(struct store *store, uint32_t table, const struct slice *ids,
                        uint32_t count, enum message_status status, bool attempted,
                        struct instant now, struct error *error)
{
    assert((unsigned)status < MESSAGE_STATUS_COUNT);
    struct marking marking = {table, ids, count, status, attempted, now};
    return count ? store_update(store, mark_change, &marking, error) : STATUS_OK;
}

/* Members that are the message's own: a payload cannot speak for them. */
static const char *const own_members[] = {"id",     "kind",     "account", "created",
                                          "status", "attempts", "changed", NULL};

void message_write(const struct message *message, bool state, struct json *json)
{
    struct arena arena;
    arena_init(&arena);
    json_object(json);
    json_key_slice(json, "id", message->id);
    json_key_slice(json, "kind", message->kind);
    json_key_slice(json, "account", message->account);
    json_key_instant(json, "created", message->created);
    if (state) {
        json_key_string(json, "status", message_status_name(message->status));
        json_key_integer(json, "attempts", message->attempts);
        json_key_instant(json, "changed", message->changed);
    }
    payload_write(message->payload, own_members, json, &arena);
    json_object_end(json);
    arena_fini(&arena);
}
