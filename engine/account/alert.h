/* An alert: a message for the outbox, and where it goes. */
#ifndef RATEL_ACCOUNT_ALERT_H
#define RATEL_ACCOUNT_ALERT_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/status.h"

struct alert {
    struct slice id;      /* the idempotency key: "budget:ID:2026-10:80" */
    struct slice message; /* one JSON object, written by budget.c */
};

/* Where alerts go once the usage that caused them is durable. Delivery must be idempotent: after a
 * crash, whatever is due is handed over again. */
struct alert_sink {
    bool (*known)(struct alert_sink *sink, struct slice id);
    enum status (*deliver)(struct alert_sink *sink, const struct alert *alerts, uint32_t count,
                           struct error *error);
};

#endif
