#include "engine/alerts.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "emit/outbox.h"
#include "emit/payload.h"
#include "mediate/idset.h"

struct alerts {
    struct alert_sink base;
    struct store *store;
    struct clock *clock;
    struct idset known; /* hashes of message ids: 128 bits, so two ids do not meet */
};

static struct alerts *alerts_of(struct alert_sink *sink)
{
    static_assert(offsetof(struct alerts, base) == 0, "the sink is the first member");
    return (struct alerts *)sink;
}

static struct hash128 id_hash(struct slice id)
{
    return hash128(id, 0);
}

static bool known(struct alert_sink *sink, struct slice id)
{
    return idset_classify(&alerts_of(sink)->known, id_hash(id), 0) != IDSET_NEW;
}

static enum status remember(struct alerts *alerts, struct slice id, struct error *error)
{
    if (known(&alerts->base, id))
        return STATUS_OK;
    if (idset_add(&alerts->known, id_hash(id), 0) == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

struct delivery {
    const struct alert *alerts;
    uint32_t count;
    struct instant now;
};

/* "budget:ID:2026-10:80" is a budget.threshold; the part before the first colon names the producer.
 */
static struct slice kind_of(struct slice id)
{
    if (slice_starts_with(id, SLICE("budget:")))
        return SLICE("budget.threshold");
    const char *colon = id.length ? memchr(id.data, ':', id.length) : NULL;
    return colon ? slice_of(id.data, (size_t)(colon - id.data)) : id;
}

static enum status delivery_change(struct store_txn *txn, void *context, struct error *error)
{
    const struct delivery *delivery = context;
    struct arena arena;
    enum status status = STATUS_OK;
    arena_init(&arena);
    for (uint32_t i = 0; i < delivery->count && status == STATUS_OK; i++) {
        const struct alert *alert = &delivery->alerts[i];
        struct message message = {
            .id = alert->id,
            .kind = kind_of(alert->id),
            .created = delivery->now,
            .payload = alert->message,
        };
        if (!payload_valid(alert->message) || alert->id.length == 0 ||
            alert->id.length > STORE_KEY_BYTES_MAX) {
            status = error_set(error, STATUS_CORRUPT, "alert %.*s is no message",
                               (int)alert->id.length, alert->id.data);
            break;
        }
        (void)payload_find(alert->message, "account", &arena, &message.account);
        status = outbox_put(txn, BOOK_OUTBOX, &message, NULL, error);
    }
    arena_fini(&arena);
    return status;
}

static enum status deliver(struct alert_sink *sink, const struct alert *list, uint32_t count,
                           struct error *error)
{
    struct alerts *alerts = alerts_of(sink);
    struct delivery delivery = {list, count, alerts->clock->now(alerts->clock)};
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < count; i++)
        fresh += !known(sink, list[i].id);
    if (fresh == 0)
        return STATUS_OK; /* handed over again: all of them are stored */
    enum status status = store_update(alerts->store, delivery_change, &delivery, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        status = remember(alerts, list[i].id, error);
    return status;
}

static enum status remember_stored(struct slice key, struct slice value, void *context,
                                   struct error *error)
{
    (void)value;
    return remember(context, key, error);
}

enum status alerts_open(struct book *book, struct clock *clock, struct alerts **ret,
                        struct error *error)
{
    assert(book && clock);
    struct alerts *alerts = calloc(1, sizeof(*alerts));
    if (!alerts)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    alerts->base = (struct alert_sink){known, deliver};
    alerts->store = book_store(book);
    alerts->clock = clock;
    idset_init(&alerts->known);
    struct store_txn *txn;
    enum status status = store_read(alerts->store, &txn, error);
    if (status == STATUS_OK) {
        status =
            store_walk(txn, BOOK_OUTBOX, (struct slice){NULL, 0}, remember_stored, alerts, error);
        store_end(txn);
    }
    if (status != STATUS_OK) {
        alerts_close(alerts);
        return status;
    }
    *ret = alerts;
    return STATUS_OK;
}

void alerts_close(struct alerts *alerts)
{
    if (!alerts)
        return;
    idset_fini(&alerts->known);
    free(alerts);
}

struct alert_sink *alerts_sink(struct alerts *alerts)
{
    return &alerts->base;
}
